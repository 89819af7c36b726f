"""Domain objects to the ledger's JSON columns and back."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, TypeVar, cast

import orjson
from pydantic import TypeAdapter

T = TypeVar("T")

DECODED_AT_ONCE = 2_000


def to_json(value: object) -> Any:
    """A domain dataclass as plain JSON values."""
    return _adapter(type(value)).dump_python(value, mode="json")


def from_json(kind: type[T], value: Any) -> T:
    """A domain dataclass from plain JSON values."""
    return cast(T, _adapter(kind).validate_python(value))


def from_text(kind: type[T], text: str) -> T:
    """A domain object from a column's text. Results are cached: orders are read often, domain objects are frozen."""
    return cast(T, _decoded(cast(Any, kind), text))


def as_text(value: Any) -> str:
    """Plain JSON values as a column has them."""
    return orjson.dumps(value).decode()


@lru_cache(maxsize=DECODED_AT_ONCE)
def _decoded(kind: Any, text: str) -> Any:
    return _adapter(kind).validate_json(text)


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return _made(kind)


@cache
def _made(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
