"""Profiles of shops' exports: those that come along, and a merchant's own in the data folder."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from domain.shop_files import Profile

OWN = "shops"


@cache
def shipped() -> tuple[Profile, ...]:
    """The profiles that come along."""
    return _read(Path(__file__).parent.glob("*.toml"))


def profiles_in(data_dir: Path) -> tuple[Profile, ...]:
    """The merchant's own profiles (`shops/*.toml`), before those that come along. Raises `BadSetting`."""
    return (*_read((data_dir / OWN).glob("*.toml")), *shipped())


def _read(paths: Iterable[Path]) -> tuple[Profile, ...]:
    return tuple(_profile(path) for path in sorted(paths))


def _profile(path: Path) -> Profile:
    from connectors.settings import BadSetting  # which itself needs the names of encodings

    try:
        return Profile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        problem = f"can't be read ({error.strerror})"
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)]
        problem = "; ".join(wrong)
    except ValueError:
        problem = "is no TOML in UTF-8: check its quotes and brackets"
    raise BadSetting(f"{path}: {problem}")
