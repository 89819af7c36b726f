"""The table of operations: method, path, envelope and handler. A new operation is one
decorated function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from sandbox.fields import Fields
from sandbox.world import World

Line = TypeVar("Line")


class Envelope(Enum):
    """A: requestId, code, developId, msg, data. B: errorCode, errorMsg, success, data.
    Bare: code, msg (contract 1.5).
    """

    A = "general"
    B = "logistics"
    BARE = "bare"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked for signature. `late_pay`: orders that it may pay though
    they are paid by now.

    One `in_part` orders all lines but the last, and `says_so`.
    """

    query: Fields
    body: Fields
    late_pay: frozenset[str] = frozenset()
    in_part: bool = False
    says_so: bool = False

    def part(self, lines: Sequence[Line]) -> tuple[Sequence[Line], Sequence[Line]]:
        """The lines that a create orders, and those that it names as failed."""
        most = max(1, len(lines) - self.in_part)
        return lines[:most], lines[most:] if self.says_so else ()


Handler = Callable[[World, Call], Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """`effect`: the call changes something, so it can land late. A path may end in one
    `{name}`.
    """

    method: str
    path: str
    envelope: Envelope
    effect: bool
    handler: Handler

    def parameter(self, path: str) -> dict[str, str]:
        """The part of the request's path in place of the operation's `{name}`."""
        folder, _, last = self.path.rpartition("/")
        return {last[1:-1]: path[len(folder) + 1 :]} if last.startswith("{") else {}


class Operations:
    """Operations of one group; `Operations.joined` makes one table of several."""

    def __init__(self, envelope: Envelope = Envelope.A) -> None:
        self._envelope = envelope
        self._by_path: dict[str, dict[str, Operation]] = {}
        self._by_folder: dict[str, dict[str, Operation]] = {}

    @classmethod
    def joined(cls, *groups: Operations) -> Operations:
        table = cls()
        for group in groups:
            for operation in group:
                table.add(operation)
        return table

    def __iter__(self) -> Iterator[Operation]:
        return (
            operation
            for methods in self._by_path.values()
            for operation in methods.values()
        )

    def add(self, operation: Operation) -> None:
        folder, _, last = operation.path.rpartition("/")
        methods = self._by_path.setdefault(operation.path, {})
        if last.startswith("{"):
            self._by_folder[folder] = methods
        if operation.method in methods:
            raise ValueError(f"{operation.method} {operation.path} is registered twice")
        methods[operation.method] = operation

    def at(self, path: str) -> dict[str, Operation]:
        """The operations of the path by method; empty for an unknown path."""
        return self._by_path.get(path) or self._by_folder.get(
            path.rpartition("/")[0], {}
        )

    def get(self, path: str, *, effect: bool = False) -> Callable[[Handler], Handler]:
        return self._register("GET", path, effect=effect)

    def post(self, path: str, *, effect: bool = False) -> Callable[[Handler], Handler]:
        return self._register("POST", path, effect=effect)

    def _register(
        self, method: str, path: str, *, effect: bool
    ) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self.add(Operation(method, path, self._envelope, effect, handler))
            return handler

        return register
