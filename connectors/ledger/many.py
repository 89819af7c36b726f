"""Statements over many rows: in chunks, several in one, and sums that no database rounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import orjson
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Dialect, Text, TypeDecorator, bindparam, cast, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine


def minor_sum(amounts: ColumnElement[Any]) -> ColumnElement[int]:
    """A sum in minor units, 0 without rows. The cast is for PostgreSQL, whose sum of `bigint` is `numeric`."""
    return cast(func.coalesce(func.sum(amounts), 0), BigInteger)


T = TypeVar("T")

CHUNK = 500


def chunked(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Lists of at most `size` items, in order."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


class _Texts(TypeDecorator[Iterable[str]]):
    """A JSON list for SQLite, an array for PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Iterable[str] | None, dialect: Dialect) -> Any:
        texts = list(value or ())
        return texts if dialect.name == "postgresql" else orjson.dumps(texts).decode()


class _OneOf(FunctionElement[bool]):
    inherit_cache = True
    # as a boolean it would be written `... = 1` for SQLite, which then uses no index
    type = NullType()  # type: ignore[assignment]


def one_of(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether a column is one of the texts in the parameter `name`, however many they are."""
    return _OneOf(column, bindparam(name, type_=_Texts()))


@compiles(_OneOf, "sqlite")
def _in_a_list(element: _OneOf, compiler: Any, **options: Any) -> str:
    column, texts = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({texts}))"


@compiles(_OneOf, "postgresql")
def _of_an_array(element: _OneOf, compiler: Any, **options: Any) -> str:
    column, texts = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} = ANY ({texts})"
