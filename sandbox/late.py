"""Effects that land after their call was answered with an error."""

from __future__ import annotations

from functools import partial
from typing import Any

from sandbox.fields import Fields
from sandbox.operations import Call, Operation, Operations
from sandbox.refusals import Refusal
from sandbox.subjects import subjects_of
from sandbox.times import SECOND
from sandbox.world import World


class LateEffects:
    """Keeps postponed calls, also in the store, and carries each out at its sandbox
    time.
    """

    def __init__(self, world: World, operations: Operations) -> None:
        self._world = world
        self._operations = operations
        self.clear()
        for entry in world.store.read("late"):
            self._expect(entry)

    def clear(self) -> None:
        self.pending = self.landed = self.refused = 0

    def postpone(self, operation: Operation, call: Call, delay_s: float) -> None:
        if not operation.effect:
            return
        entry = {
            "sequence": self._world.books.next("late"),
            "due": self._world.now() + round(delay_s * SECOND),
            "method": operation.method,
            "path": operation.path,
            "query": dict(call.query.raw),
            "body": call.body.raw,
            "late_pay": [
                order.id for order in subjects_of(self._world, call).unpaid_orders
            ],
        }
        self._world.store.put("late", _key(entry), entry)
        self._expect(entry)

    def _expect(self, entry: dict[str, Any]) -> None:
        self.pending += 1
        self._world.agenda.add(entry["due"], partial(self._land, entry))

    def _land(self, entry: dict[str, Any]) -> None:
        operation = self._operations.at(entry["path"])[entry["method"]]
        call = Call(
            Fields(entry["query"]), Fields(entry["body"]), frozenset(entry["late_pay"])
        )
        self._world.store.drop("late", _key(entry))
        self.pending -= 1
        try:
            operation.handler(self._world, call)
            self.landed += 1
        except Refusal:
            self.refused += 1  # the sender is gone


def _key(entry: dict[str, Any]) -> str:
    return f"{entry['sequence']:012d}"
