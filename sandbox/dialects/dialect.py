"""Dialects: likely deviations of the real service from the written contract; each has
evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sandbox.refusals import Refusal

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

ChangesCall = Callable[["World", str, "Call"], "Call"]
ChangesAnswer = Callable[["World", str, "Call", Any], Any]
ChangesRefusal = Callable[[str, Refusal], Refusal]


class Mark(StrEnum):
    """How certain the evidence is: about the service itself, the marketplace behind it,
    another reseller, inferred.
    """

    SERVICE = "C"
    UPSTREAM = "U"
    RESELLER = "R"
    INFERRED = "I"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dialect:
    """One deviation: what the service does, where that is known from, and what it
    changes.

    `changes_call` gets path and call before an operation is carried out; it gives the
    call to carry out, or raises `Refusal`. `changes_answer` gives what leaves the
    service in place of the operation's answer, `changes_refusal` what leaves it in
    place of a refusal. A deeper deviation is asked for by `in world.dialects` where it
    happens.
    """

    name: str
    sentence: str
    source: str
    mark: Mark
    changes_call: ChangesCall | None = None
    changes_answer: ChangesAnswer | None = None
    changes_refusal: ChangesRefusal | None = None


class Dialects:
    """The deviations in force. A reset brings back the deviations of the start."""

    def __init__(self, at_start: Iterable[Dialect] = ()) -> None:
        self._at_start = tuple(at_start)
        self.reset()

    def reset(self) -> None:
        self.replace(self._at_start)

    def replace(self, spoken: Iterable[Dialect]) -> None:
        self._spoken = tuple(dict.fromkeys(spoken))

    def __contains__(self, dialect: Dialect) -> bool:
        return dialect in self._spoken

    def __iter__(self) -> Iterator[Dialect]:
        return iter(self._spoken)

    def call(self, world: World, path: str, call: Call) -> Call:
        """The call as it is carried out. Raises `Refusal` where a dialect refuses
        it.
        """
        for dialect in self._spoken:
            call = (
                dialect.changes_call(world, path, call)
                if dialect.changes_call
                else call
            )
        return call

    def answer(self, world: World, path: str, call: Call, data: Any) -> Any:
        """An operation's answer as it leaves the service; the given one stays as it
        is.
        """
        for dialect in self._spoken:
            data = (
                dialect.changes_answer(world, path, call, data)
                if dialect.changes_answer
                else data
            )
        return data

    def refusal(self, path: str, refusal: Refusal) -> Refusal:
        for dialect in self._spoken:
            refusal = (
                dialect.changes_refusal(path, refusal)
                if dialect.changes_refusal
                else refusal
            )
        return refusal


def each(data: Any, change: Callable[[str, Any], Any]) -> Any:
    """An answer with each value below a name changed, at any depth, outer values first;
    the given one stays.
    """
    if isinstance(data, dict):
        return {name: each(change(name, value), change) for name, value in data.items()}
    return (
        [each(value, change) for value in data]
        if isinstance(data, list | tuple)
        else data
    )
