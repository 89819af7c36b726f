"""Many texts as one parameter: one statement serves any number of references, and is prepared once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import ARRAY, ColumnElement, Dialect, Text, TypeDecorator, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine


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
