"""The sourcing pipeline as an installed package: `from sourcing import Snapshots`,
`__version__`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.snapshots import Snapshots

__all__ = ["SITE", "Snapshots", "__version__"]

_HERE = Path(__file__).resolve().parent
SITE = _HERE / "site" if (_HERE / "site").is_dir() else _HERE.parent
"""The folder with `prefect.yaml` and the product's folders: in an installation below
this one, else the repository.
"""

__version__: str


def __getattr__(name: str) -> object:
    """Load nothing before it is asked for."""
    if name == "__version__":
        from sourcing.version import version

        return version()
    if name == "Snapshots":
        return from_site("connectors.snapshots").Snapshots
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def from_site(name: str) -> ModuleType:
    """A module of the product, in a program with modules of its own: those come first.
    Raises `ImportError`.
    """
    if str(SITE) not in sys.path:
        sys.path.append(str(SITE))
    found = import_module(name)
    if not Path(found.__file__ or "").resolve().is_relative_to(SITE):
        package = name.partition(".")[0]
        raise ImportError(
            f"{package} is not the one of sourcing but {found.__file__}: run from another folder"
        )
    return found
