"""What stands between the sandbox and the connector: it tells of some orders what the
sandbox did not say.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from sandbox.world import World
from tests.hostile.pointers import Pointer, Sort, at, located, scalars, words
from tests.hostile.values import Special, as_json, changed
from tests.simulation.misfortune import Call
from tests.simulation.network import Incoming


class When(StrEnum):
    """What is under way when the service answers oddly; a lost answer makes the run
    look for its order.
    """

    BUYING = "buying"
    LOST_CREATE = "after a create without an answer"
    LOST_PAY = "after a payment without an answer"
    LOST_BOOK = "after a booking without an answer"
    TRACKING = "tracking"


LOSES = {
    When.LOST_CREATE: Call.CREATE,
    When.LOST_PAY: Call.PAY,
    When.LOST_BOOK: Call.BOOK,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """In the answers of `operation` about one order of `marketplace`, `value` stands at
    `pointer`.
    """

    marketplace: str
    operation: str
    pointer: Pointer
    sort: Sort
    name: str
    value: Any
    when: When

    @property
    def searches(self) -> bool:
        """Whether the order must name its item by words for this answer to be asked
        for.
        """
        return self.operation.lower().endswith(
            ("search", "keywords/query", "product/list")
        )

    def __str__(self) -> str:
        return f"{self.marketplace} {self.operation} {words(self.pointer)} = {self.name}, {self.when}"


@dataclass(kw_only=True)
class OddService:
    """Rewrites answers while it is `on`. `goods` has the ids by which a request means
    an order before it exists.

    What concerns several orders at once (a page, its counts) is rewritten only when
    `alone`: one order a marketplace.
    """

    world: World
    cases: Mapping[str, Case]
    goods: Mapping[str, frozenset[str]]
    alone: bool = False
    on: bool = True
    told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._by_operation: defaultdict[str, list[str]] = defaultdict(list)
        for ref, case in self.cases.items():
            self._by_operation[case.operation].append(ref)
        self._owner = {
            key: ref for ref, keys in self.goods.items() for key in (ref, *keys)
        }
        self._ids: dict[str, str] = {}
        self._seen: defaultdict[tuple[str, Pointer], dict[str, Any]] = defaultdict(dict)
        self._lost: set[str] = set()

    def answer(self, call: Call, incoming: Incoming, body: bytes) -> bytes:
        """What arrives instead of `body`; the connection may be cut instead."""
        concerned = self._by_operation.get(incoming.path, [])
        loses = self.on and call in LOSES.values()
        if not concerned and not loses:
            return body
        self.learn()
        calls = self.asked(incoming)
        if loses and self._loses(call, calls):
            incoming.abort()
            return body
        return (
            self._rewritten(incoming.path, calls, concerned, body)
            if concerned
            else body
        )

    def learn(self) -> None:
        """Ids that the sandbox has given to orders since."""
        for order in list(self.world.books.orders.values())[len(self._ids) :]:
            self._ids[order.id] = order.reference
            self._owner |= {order.id: order.reference} | {
                line.sub_id: order.reference for line in order.lines
            }

    def asked(self, incoming: Incoming) -> set[str]:
        body = json.loads(incoming._body) if incoming._body else {}
        named = {*scalars(body), *incoming.query.values()}
        return {self._owner[key] for key in named & self._owner.keys()}

    def _loses(self, call: Call, calls: set[str]) -> bool:
        losing = {
            ref
            for ref in calls - self._lost
            if (case := self.cases.get(ref)) and LOSES.get(case.when) is call
        }
        self._lost |= losing
        return bool(losing)

    def _rewritten(
        self, path: str, calls: set[str], concerned: list[str], body: bytes
    ) -> bytes:
        answer = json.loads(body)
        changes: dict[Pointer, Any] = {}
        for ref in concerned:
            case = self.cases[ref]
            if calls and ref not in calls:
                continue
            index = located(answer, case.pointer, partial(self.is_of, ref))
            if index is None or not (
                index[1] or calls == {ref} or (self.alone and not calls)
            ):
                continue
            real = at(answer, index[0])
            value = self._odd(case, ref, real)
            self._seen[path, case.pointer][ref] = real
            if self.on:
                changes[index[0]] = value
                self.told.add(ref)
        self._remember(path, calls, concerned, answer)
        if not changes:
            return body
        for pointer, value in changes.items():
            answer = _with(answer, pointer, value)
        return as_json(answer)

    def _remember(
        self, path: str, calls: set[str], concerned: list[str], answer: Any
    ) -> None:
        """What the answers about orders without a case say, for those that are told
        another order's.
        """
        for ref in calls - self.cases.keys():
            for pointer in {self.cases[text].pointer for text in concerned}:
                index = located(answer, pointer, partial(self.is_of, ref))
                if index is not None:
                    self._seen[path, pointer][ref] = at(answer, index[0])

    def is_of(self, ref: str, row: Any) -> bool:
        return any(self._owner.get(text) == ref for text in scalars(row))

    def _odd(self, case: Case, ref: str, real: Any) -> Any:
        if not isinstance(case.value, Special):
            return case.value
        second = self._other(ref)
        order_id = next(
            (key for key, owner in self._ids.items() if owner == second), "9" * 19
        )
        observed = self._seen[case.operation, case.pointer]
        swapped = next(
            (value for text, value in reversed(observed.items()) if text != ref),
            order_id,
        )
        match case.value:
            case Special.OTHER_ORDER_ID:
                return order_id
            case Special.OTHER_REFERENCE:
                return second
            case Special.OTHER_ITEM:
                return min(self.goods.get(second, ()), default="1")
        return changed(case.value, real, swapped)

    def _other(self, ref: str) -> str:
        """Another order, of the same marketplace and already bought where there is
        one.
        """
        marketplace = self.cases[ref].marketplace
        bought = [
            text
            for key, text in self._ids.items()
            if text != ref and self.world.books.orders[key].reference
        ]
        same = [text for text in bought if text.startswith(marketplace)]
        return next(iter(same or bought), "") or next(
            (text for text in self.goods if text != ref), "nobody"
        )


def _with(answer: Any, pointer: Pointer, value: Any) -> Any:
    if not pointer:
        return {} if value is Special.ABSENT else value
    holder = at(answer, pointer[:-1])
    last = pointer[-1]
    if value is Special.ABSENT and isinstance(last, str):
        del holder[last]
    else:
        holder[last] = None if value is Special.ABSENT else value
    return answer
