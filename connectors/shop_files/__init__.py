"""Profiles of shops' exports, and carriers' names: those that come along, and a
merchant's own in the data folder.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from domain.shop_files import Profile
from domain.shop_tracking import Carrier, Strict

OWN = "shops"
CARRIERS = "carriers.toml"
T = TypeVar("T", bound=BaseModel)


class Carriers(Strict):
    """A file of carriers."""

    carrier: tuple[Carrier, ...]


@cache
def shipped() -> tuple[Profile, ...]:
    """The profiles that come along."""
    return _profiles(Path(__file__).parent)


def profiles_in(data_dir: Path) -> tuple[Profile, ...]:
    """The merchant's own profiles (`shops/*.toml`), before those that come along.
    Raises `BadSetting`.
    """
    return (*_profiles(data_dir / OWN), *shipped())


def carriers_in(data_dir: Path) -> tuple[Carrier, ...]:
    """The merchant's own carriers (`shops/carriers.toml`), before those that come
    along. Raises `BadSetting`.
    """
    files = (data_dir / OWN / CARRIERS, Path(__file__).with_name(CARRIERS))
    return tuple(
        carrier
        for file in files
        if file.exists()
        for carrier in _read(Carriers, file).carrier
    )


def _profiles(folder: Path) -> tuple[Profile, ...]:
    return tuple(
        _read(Profile, path)
        for path in sorted(folder.glob("*.toml"))
        if path.name != CARRIERS
    )


def _read(kind: type[T], path: Path) -> T:
    from connectors.settings import (
        BadSetting,
    )  # which itself needs the names of encodings

    try:
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        problem = f"can't be read ({error.strerror})"
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, flaw['loc']))}: {flaw['msg']}"
            for flaw in error.errors(include_input=False)
        ]
        problem = "; ".join(wrong)
    except ValueError:
        problem = "is no TOML in UTF-8: check its quotes and brackets"
    raise BadSetting(f"{path}: {problem}")
