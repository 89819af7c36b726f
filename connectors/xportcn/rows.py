"""Lists of independent entries: an entry that does not fit the contract leaves the others valid."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self, TypeVar, get_args

from pydantic import GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Misfit:
    """An entry that does not fit: its place in the list, counted from 0, and the field, dotted."""

    place: int
    field: str

    def __str__(self) -> str:
        return f"entry {self.place}, `{self.field}`"


class FittingRows(tuple[Row, ...]):
    """The entries of an answer's list that fit the contract; `misfits` are the others.

    For answers about several offers or orders: search hits, order lists. A list of which no entry fits is an error.

    Code that needs the whole list must check `misfits`: a missing entry may be among them. A list with misfits may show
    that an order exists, but proves of no order that it does not.
    """

    misfits: tuple[Misfit, ...]

    def __new__(cls, rows: Iterable[Row] = (), misfits: Iterable[Misfit] = ()) -> Self:
        made = super().__new__(cls, rows)
        made.misfits = tuple(misfits)
        return made

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        (row,) = get_args(source)
        return core_schema.no_info_wrap_validator_function(
            _fitting, core_schema.tuple_variable_schema(handler.generate_schema(row))
        )


def _fitting(value: Any, together: Callable[[Any], tuple[Any, ...]]) -> FittingRows[Any]:
    """The fitting entries, validated at once, or one by one after a fault. Where none fits, the contract is wrong."""
    try:
        return FittingRows(together(value))
    except ValidationError as fault:
        rows, misfits = _one_by_one(value, together) if isinstance(value, list | tuple) else ([], [])
        if not rows:
            raise fault
    return FittingRows(rows, misfits)


def _one_by_one(entries: Iterable[Any], together: Callable[[Any], tuple[Any, ...]]) -> tuple[list[Any], list[Misfit]]:
    rows: list[Any] = []
    misfits: list[Misfit] = []
    for place, entry in enumerate(entries):
        try:
            rows += together([entry])
        except ValidationError as error:
            misfits.append(Misfit(place, field_of(error, skip=1)))
    return rows, misfits


def field_of(error: ValidationError, *, skip: int = 0) -> str:
    """The path of the first fault, by the contract's names, without the first `skip` steps."""
    return ".".join(str(step) for step in error.errors(include_input=False, include_url=False)[0]["loc"][skip:])
