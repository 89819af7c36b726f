"""Places in an answer: the steps that lead to them, what kind of thing stands there,
and putting another in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any

Pointer = tuple[str | int, ...]
AMOUNT = re.compile(
    r"amm?ount(?!onsale)|price|fee$|payment|carriage|paid|refund$", re.IGNORECASE
)
ID = re.compile(
    r"(id|ids|no|nos|numer|number|reference|buyerfeedback|idofstr|idstring)$|^message$",
    re.IGNORECASE,
)


class Sort(StrEnum):
    """What stands at a place, as a test chooses it."""

    AMOUNT = "amount"
    ID = "id"
    LIST = "list"
    OTHER = "other"


def places(answer: Any, is_row: Callable[[Any], bool]) -> Iterator[tuple[Pointer, Any]]:
    """Every place of an answer; of a list the row that the order is in, or else the
    first one.
    """
    yield (), answer
    if isinstance(answer, Mapping):
        inner: Sequence[str | int] = list(answer)
    elif isinstance(answer, list) and answer:
        inner = [next((index for index, row in enumerate(answer) if is_row(row)), 0)]
    else:
        return
    for step in inner:
        for pointer, value in places(answer[step], is_row):
            yield (step, *pointer), value


def general(pointer: Pointer) -> Pointer:
    """The same place in other answers: which row it is depends on the order."""
    return tuple(0 if isinstance(step, int) else step for step in pointer)


def words(pointer: Pointer) -> str:
    return (
        ".".join("[]" if isinstance(step, int) else step for step in pointer)
        or "(all of it)"
    )


def sort_of(pointer: Pointer, value: Any) -> Sort:
    """By the name of the field; a list of ids is ids."""
    name = next((step for step in reversed(pointer) if isinstance(step, str)), "")
    if isinstance(value, list | dict):
        return Sort.LIST if isinstance(value, list) else Sort.OTHER
    if AMOUNT.search(name) and not ID.search(name) and not isinstance(value, bool):
        return Sort.AMOUNT
    return (
        Sort.ID if ID.search(name) and len(pointer) > 1 else Sort.OTHER
    )  # the envelope's ids are nobody's


def located(
    answer: Any, pointer: Pointer, is_row: Callable[[Any], bool]
) -> tuple[Pointer, bool] | None:
    """The place in this very answer, and whether it lies in a row of the order; None
    when it is not there.
    """
    findings: list[str | int] = []
    in_row = False
    here = answer
    for step in pointer:
        if isinstance(step, str):
            if not isinstance(here, Mapping) or step not in here:
                return None
        elif isinstance(here, list) and here:
            own = next((index for index, row in enumerate(here) if is_row(row)), None)
            in_row = in_row or own is not None
            step = own or 0  # noqa: PLW2901
        else:
            return None
        findings.append(step)
        here = here[step]
    return tuple(findings), in_row


def at(answer: Any, pointer: Pointer) -> Any:
    for step in pointer:
        answer = answer[step]
    return answer


def scalars(value: Any) -> Iterator[str]:
    """Every text and number in it, as text; JSON inside a text is looked into."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from scalars(item)
    elif isinstance(value, str) and value[:1] in ("[", "{"):
        with suppress(ValueError):
            yield from scalars(json.loads(value))
    elif value is not None:
        yield str(value)
