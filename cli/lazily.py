"""Imports whose modules are loaded with their first use: the help of the commands needs
none of what they need.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType


@contextmanager
def lazily() -> Iterator[None]:
    """Load each module of the block's `from package import module` when a name of it is
    first used.

    Packages, and what they import, are loaded at once. Python 3.15 has `lazy import`
    for all of it.
    """
    names = vars(builtins)
    load = builtins.__import__

    def load_later(
        package: str,
        scope: object,
        local: object,
        modules: Sequence[str] | None,
        level: int,
    ) -> ModuleType:
        names["__import__"] = load
        try:
            load(package)
            for module in modules or ():
                _delay(sys.modules[package], module)
            return load(package, fromlist=modules, level=level)
        finally:
            names["__import__"] = load_later

    names["__import__"] = load_later
    try:
        yield
    finally:
        names["__import__"] = load


def _delay(package: ModuleType, name: str) -> None:
    module_name = f"{package.__name__}.{name}"
    spec = (
        None
        if hasattr(package, name) or module_name in sys.modules
        else find_spec(module_name)
    )
    if spec and spec.loader and not spec.submodule_search_locations:
        spec.loader = LazyLoader(spec.loader)
        sys.modules[module_name] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
        setattr(package, name, module)
