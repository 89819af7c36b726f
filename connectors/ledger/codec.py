"""Domain objects to the ledger's JSON columns and back."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")

_ADAPTERS: dict[object, TypeAdapter[Any]] = {}


def to_json(value: object) -> Any:
    """A domain dataclass as plain JSON values."""
    return _adapter(type(value)).dump_python(value, mode="json")


def from_json(kind: type[T], value: Any) -> T:
    """A domain dataclass from plain JSON values."""
    made: T = _adapter(kind).validate_python(value)
    return made


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
