"""Group commit of one run's ledger: calls that arrive while a transaction is under way
share the next one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeVar

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.records import (
    Claimed,
    EffectRecord,
    Intent,
    OrderChange,
    OrderRecord,
    Outcome,
    SpendLimits,
)
from connectors.ledger.store import Ledger
from domain.absence import NeverLeft
from domain.effects import OPEN, EffectStatus
from domain.reasons import Reason, ReasonCode, because
from domain.witnessed import Source

What = TypeVar("What")
Answer = TypeVar("Answer")
Refs = Sequence[str]
Write = Outcome | Sequence[OrderChange]

MAX_YIELDS = 8
"""How many rounds of the event loop a commit waits for further calls: it costs nearly
the same for one and for twenty. That is no time while the loop is idle, and the time of
a few orders while it is busy.
"""


def nothing_sent(reason: str) -> Reason:
    """The reason of an order whose effect provably did not leave; it may be claimed
    again.
    """
    return because(ReasonCode.NOTHING_SENT, failure=reason)


STOPPED = nothing_sent("the run was stopped before that")


class ClaimRequest(NamedTuple):
    """One caller's claim."""

    intents: Sequence[Intent]
    lease: timedelta
    limits: SpendLimits | None

    @property
    def parts(self) -> tuple[object, set[str]]:
        """What claims that are merged have in common, and the orders, of which each is
        in the result once.
        """
        action = self.intents[0].action if self.intents else None
        return (action, self.lease, self.limits), {
            intent.order_ref for intent in self.intents
        }


@dataclass(eq=False, slots=True)
class PendingCall(Generic[What, Answer]):
    """One coroutine's call, the future on which it waits, and how that ends, as the
    thread of the commit has it.
    """

    what: What
    future: asyncio.Future[Answer]
    ending: Callable[[], object] | None = None

    def answer(self, answer: Answer) -> None:
        self.ending = partial(self.future.set_result, answer)

    def fail(self, error: BaseException) -> None:
        """End with an error, unless there is an answer already."""
        self.ending = self.ending or partial(self.future.set_exception, error)

    def resolve(self) -> None:
        if self.ending and not self.future.done():
            self.ending()


Operation = Callable[[Ledger, Sequence[Any]], Sequence[Any]]
Queues = defaultdict[Operation, list[PendingCall[Any, Any]]]


class GroupCommit:
    """The operations of one run's `Ledger` as coroutines: each returns once it is on
    disk, or raises as `Ledger` does.

    Calls that arrive while a batch is under way share the next one: one thread, few
    commits. A batch that fails is done again call by call, so that a faulty call fails
    alone.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._next = Queues(list)
        self._committing: asyncio.Task[None] | None = None

    async def orders(self, order_refs: Iterable[str]) -> dict[str, OrderRecord]:
        """See `Ledger.orders`; in the order of the references."""
        refs = list(order_refs)
        return await self._enqueue(_orders, refs) if refs else {}

    async def unsettled(self, order_refs: Iterable[str]) -> set[str]:
        """See `Ledger.unsettled`."""
        effects = await self.effects_of(order_refs)
        return {effect.order_ref for effect in effects if effect.status in OPEN}

    async def effects_of(self, order_refs: Iterable[str]) -> list[EffectRecord]:
        """See `Ledger.effects_of`."""
        refs = list(order_refs)
        return await self._enqueue(_effects, refs) if refs else []

    async def claim(
        self,
        intents: Sequence[Intent],
        *,
        lease: timedelta,
        limits: SpendLimits | None = None,
    ) -> Claimed:
        """See `Ledger.claim`. A caller that is cancelled meanwhile gives back what it
        won: it would never send it.
        """
        claimed = self._enqueue(_claim, ClaimRequest(intents, lease, limits))
        try:
            return await asyncio.shield(claimed)
        except asyncio.CancelledError:
            claimed.add_done_callback(self._give_back)
            raise

    def record(self, outcome: Outcome) -> asyncio.Future[bool]:
        """See `Ledger.record`, of one outcome. It is written also if the caller is
        cancelled.
        """
        return self._enqueue(_write, outcome)

    async def change(self, changes: Sequence[OrderChange]) -> None:
        """See `Ledger.change`. The changes are applied also if the caller is
        cancelled.
        """
        if changes:
            await self._enqueue(_write, changes)

    def _enqueue(
        self, do: Callable[[Ledger, Sequence[What]], Sequence[Answer]], what: What
    ) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._next[do].append(PendingCall(what, future))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_queued())
        return future

    def _give_back(self, claimed: asyncio.Future[Claimed]) -> None:
        if claimed.cancelled() or claimed.exception() is not None:
            return
        for record in claimed.result().won.values():
            stopped = Outcome(
                claim=record.claim,
                status=EffectStatus.UNSENT,
                why=STOPPED,
                came_to_nothing=True,
                proof=NeverLeft(by=Source.CALL),
            )
            self._enqueue(_write, stopped)

    async def _commit_queued(self) -> None:
        while self._next:
            queues = Queues(list)
            try:
                for _ in range(MAX_YIELDS):
                    await asyncio.sleep(0)
                queues = self._next
                self._next = Queues(list)
                await asyncio.to_thread(_run, self._ledger, queues)
            except (
                BaseException
            ) as error:  # the program ends: waiting callers must get the error
                for call in chain(*queues.values(), *self._next.values()):
                    call.fail(error)
                    call.resolve()
                self._next = Queues(list)
                raise
            for call in chain(*queues.values()):
                call.resolve()


def _run(ledger: Ledger, queues: Queues) -> None:
    """Run all calls; blocks. An error of the ledger itself, not of one call, reaches
    every call not done yet.
    """
    try:
        for do in (
            _write,
            _claim,
            _orders,
            _effects,
        ):  # reads see what was written
            for calls in _mergeable(queues.get(do, ())):
                _all_or_each(calls, partial(do, ledger))
    except Exception as error:  # noqa: BLE001 - raised where it is waited for
        for call in chain(*queues.values()):
            call.fail(error)


def _all_or_each(
    calls: Sequence[PendingCall[What, Answer]],
    do: Callable[[Sequence[What]], Sequence[Answer]],
) -> None:
    """Do all calls in one transaction, or, where that fails, each in its own. Raises
    `LedgerUnusable`.
    """
    try:
        answers = do([call.what for call in calls])
    except LedgerUnusable:
        raise
    except Exception as error:  # noqa: BLE001 - raised where it is waited for
        if len(calls) == 1:
            calls[0].fail(error)
        else:
            for call in calls:
                _all_or_each([call], do)
    else:
        for call, answer in zip(calls, answers, strict=True):
            call.answer(answer)


def _mergeable(
    calls: Iterable[PendingCall[Any, Any]],
) -> list[list[PendingCall[Any, Any]]]:
    """Groups of calls that may be merged: of claims those that are alike, and of
    different orders.
    """
    groups: list[tuple[object, set[str], list[PendingCall[Any, Any]]]] = []
    for call in calls:
        alike, refs = (
            call.what.parts if isinstance(call.what, ClaimRequest) else (None, set())
        )
        for other_calls, taken_refs, group in groups:
            if other_calls == alike and taken_refs.isdisjoint(refs):
                taken_refs.update(refs)
                group.append(call)
                break
        else:
            groups.append((alike, refs, [call]))
    return [group for _, _, group in groups]


def _write(ledger: Ledger, writes: Sequence[Write]) -> list[bool]:
    outcomes = [call for call in writes if isinstance(call, Outcome)]
    changes = [
        change for call in writes if not isinstance(call, Outcome) for change in call
    ]
    written = iter(ledger.write(outcomes, changes))
    return [next(written) if isinstance(call, Outcome) else True for call in writes]


def _claim(ledger: Ledger, claim_requests: Sequence[ClaimRequest]) -> list[Claimed]:
    all_of_them = [intent for call in claim_requests for intent in call.intents]
    claimed = ledger.claim(
        all_of_them, lease=claim_requests[0].lease, limits=claim_requests[0].limits
    )
    return [
        claimed.part({intent.order_ref for intent in call.intents})
        for call in claim_requests
    ]


def _orders(ledger: Ledger, refs_asked: Sequence[Refs]) -> list[dict[str, OrderRecord]]:
    orders = ledger.orders(_all(refs_asked))
    return [{ref: orders[ref] for ref in refs if ref in orders} for refs in refs_asked]


def _effects(ledger: Ledger, refs_asked: Sequence[Refs]) -> list[list[EffectRecord]]:
    effects_of = defaultdict[str, list[EffectRecord]](list)
    for effect in ledger.effects_of(_all(refs_asked)):
        effects_of[effect.order_ref].append(effect)
    return [
        sorted(
            chain(*(effects_of[ref] for ref in {*refs})),
            key=lambda effect: effect.intent_at,
        )
        for refs in refs_asked
    ]


def _all(refs_asked: Sequence[Refs]) -> list[str]:
    return list(dict.fromkeys(chain(*refs_asked)))
