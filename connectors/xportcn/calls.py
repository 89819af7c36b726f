"""Every call of the connector, found in the modules that bind operations to their models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from connectors.xportcn import api
from connectors.xportcn.api.base import Call
from connectors.xportcn.operations import Operation


@cache
def all_calls() -> dict[Operation, Call[Any, Any]]:
    """The call of each operation; callbacks have none."""
    return {call.operation: call for call in _bound()}


def _bound() -> Iterator[Call[Any, Any]]:
    for module in iter_modules(api.__path__, f"{api.__name__}."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, Call):
                yield value
