"""What tests that follow each other share, and what is ended before the first one that
has no use for it.

A session's fixture would last to the end: each of Prefect's servers costs a twentieth
of a core while nobody asks it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from typing import Any, TypeVar

T = TypeVar("T")
_kept: dict[str, tuple[ExitStack, Any]] = {}


def kept(name: str, make: Callable[[], AbstractContextManager[T]]) -> T:
    """What the fixture of this name has made already, or makes now."""
    if name not in _kept:
        with ExitStack() as stack:
            built = stack.enter_context(make())
            _kept[name] = stack.pop_all(), built
    result: T = _kept[name][1]
    return result


def end_all_but(names: Collection[str]) -> None:
    """End what no fixture of these names needs."""
    for name in [name for name in _kept if name not in names]:
        stack, _ = _kept.pop(name)
        stack.close()
