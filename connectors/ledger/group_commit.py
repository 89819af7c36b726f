"""Group commit of one run's ledger: calls that arrive while a transaction is under way share the next one."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeVar

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.records import Claimed, EffectRecord, Intent, OrderChange, OrderRecord, Outcome, SpendLimits
from connectors.ledger.store import Ledger
from domain.absence import NeverLeft
from domain.effects import Action, EffectStatus
from domain.reasons import Reason, ReasonCode, because
from domain.witnessed import Source

What = TypeVar("What")
Answer = TypeVar("Answer")
Refs = Sequence[str]
Write = Outcome | Sequence[OrderChange]

MAX_YIELDS = 8
"""How many rounds of the event loop a commit waits for further calls: it costs nearly the same for one and for twenty.
That is no time while the loop is idle, and the time of a few orders while it is busy."""


def nothing_sent(why: str) -> Reason:
    """The reason of an order whose effect provably did not leave; it may be claimed again."""
    return because(ReasonCode.NOTHING_SENT, failure=why)


STOPPED = nothing_sent("the run was stopped before that")


class ClaimRequest(NamedTuple):
    """One caller's claim. Claims that are `alike` may be merged, as long as each order is in the result once."""

    intents: Sequence[Intent]
    lease: timedelta
    limits: SpendLimits | None

    @property
    def alike(self) -> tuple[Action | None, timedelta, SpendLimits | None]:
        return self.intents[0].action if self.intents else None, self.lease, self.limits


@dataclass(eq=False, slots=True)
class PendingCall(Generic[What, Answer]):
    """One coroutine's call, the future on which it waits, and its result: `answers` or `error`."""

    what: What
    future: asyncio.Future[Answer]
    answers: list[Answer] = field(default_factory=list)
    error: BaseException | None = None

    def resolve(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.answers[0])


@dataclass(eq=False, slots=True)
class CommitBatch:
    """Calls that run together: writes first, so that the reads after them see what was written."""

    writes: list[PendingCall[Write, bool]] = field(default_factory=list)
    claims: list[PendingCall[ClaimRequest, Claimed]] = field(default_factory=list)
    orders: list[PendingCall[Refs, dict[str, OrderRecord]]] = field(default_factory=list)
    effects: list[PendingCall[Refs, list[EffectRecord]]] = field(default_factory=list)
    unsettled: list[PendingCall[Refs, set[str]]] = field(default_factory=list)

    def __iter__(self) -> Iterator[PendingCall[Any, Any]]:
        return chain(self.writes, self.claims, self.orders, self.effects, self.unsettled)

    def run(self, ledger: Ledger) -> None:
        """Run all calls; blocks. An error of the ledger itself, not of one call, reaches every call not done yet."""
        try:
            _all_or_each(self.writes, partial(_write, ledger))
            for claims in _mergeable(self.claims):
                _all_or_each(claims, partial(_claim, ledger))
            _all_or_each(self.orders, partial(_orders, ledger))
            _all_or_each(self.effects, partial(_effects, ledger))
            _all_or_each(self.unsettled, partial(_unsettled, ledger))
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        for call in self:
            if not call.answers and call.error is None:
                call.error = error

    def resolve(self) -> None:
        for call in self:
            call.resolve()


class GroupCommit:
    """The operations of one run's `Ledger` as coroutines: each returns once it is on disk, or raises as `Ledger` does.

    Calls that arrive while a batch is under way share the next one: one thread, few commits. A batch that fails is done
    again call by call, so that a faulty call fails alone.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._next = CommitBatch()
        self._committing: asyncio.Task[None] | None = None

    async def orders(self, order_refs: Iterable[str]) -> dict[str, OrderRecord]:
        """See `Ledger.orders`; in the order of the references."""
        refs = list(order_refs)
        return await self._enqueue(self._next.orders, refs) if refs else {}

    async def unsettled(self, order_refs: Iterable[str]) -> set[str]:
        """See `Ledger.unsettled`."""
        refs = list(order_refs)
        return await self._enqueue(self._next.unsettled, refs) if refs else set()

    async def effects_of(self, order_refs: Iterable[str]) -> list[EffectRecord]:
        """See `Ledger.effects_of`."""
        refs = list(order_refs)
        return await self._enqueue(self._next.effects, refs) if refs else []

    async def claim(self, intents: Sequence[Intent], *, lease: timedelta, limits: SpendLimits | None = None) -> Claimed:
        """See `Ledger.claim`. A caller that is cancelled meanwhile gives back what it won: it would never send it."""
        claimed = self._enqueue(self._next.claims, ClaimRequest(intents, lease, limits))
        try:
            return await asyncio.shield(claimed)
        except asyncio.CancelledError:
            claimed.add_done_callback(self._give_back)
            raise

    def record(self, outcome: Outcome) -> asyncio.Future[bool]:
        """See `Ledger.record`, of one outcome. It is written also if the caller is cancelled."""
        return self._enqueue(self._next.writes, outcome)

    async def change(self, changes: Sequence[OrderChange]) -> None:
        """See `Ledger.change`. The changes are applied also if the caller is cancelled."""
        if changes:
            await self._enqueue(self._next.writes, changes)

    def _enqueue(self, queue: list[PendingCall[What, Answer]], what: What) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        queue.append(PendingCall(what, future))
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
            self._enqueue(self._next.writes, stopped)

    async def _commit_queued(self) -> None:
        while any(self._next):
            batch = CommitBatch()
            try:
                for _ in range(MAX_YIELDS):
                    await asyncio.sleep(0)
                batch, self._next = self._next, CommitBatch()
                await asyncio.to_thread(batch.run, self._ledger)
            except BaseException as error:  # the program ends: waiting callers must get the error
                for ending in (batch, self._next):
                    ending.fail(error)
                    ending.resolve()
                self._next = CommitBatch()
                raise
            batch.resolve()


def _all_or_each(calls: Sequence[PendingCall[What, Answer]], do: Callable[[Sequence[What]], Sequence[Answer]]) -> None:
    """Do all calls in one transaction, or, where that fails, each in its own. Raises `LedgerUnusable`."""
    if not calls:
        return
    try:
        answers = do([one.what for one in calls])
    except LedgerUnusable:
        raise
    except Exception as error:  # noqa: BLE001 - raised where it is waited for
        if len(calls) == 1:
            calls[0].error = error
        else:
            for one in calls:
                _all_or_each([one], do)
    else:
        for one, answer in zip(calls, answers, strict=True):
            one.answers.append(answer)


def _mergeable(claims: Iterable[PendingCall[ClaimRequest, Claimed]]) -> list[list[PendingCall[ClaimRequest, Claimed]]]:
    """Groups of claims that may be merged: alike, and of different orders."""
    groups: list[tuple[object, set[str], list[PendingCall[ClaimRequest, Claimed]]]] = []
    for call in claims:
        alike, refs = call.what.alike, {intent.order_ref for intent in call.what.intents}
        for others, taken, group in groups:
            if others == alike and taken.isdisjoint(refs):
                taken.update(refs)
                group.append(call)
                break
        else:
            groups.append((alike, refs, [call]))
    return [group for _, _, group in groups]


def _write(ledger: Ledger, writes: Sequence[Write]) -> list[bool]:
    outcomes = [one for one in writes if isinstance(one, Outcome)]
    changes = [change for one in writes if not isinstance(one, Outcome) for change in one]
    written = iter(ledger.write(outcomes, changes))
    return [next(written) if isinstance(one, Outcome) else True for one in writes]


def _claim(ledger: Ledger, wanted: Sequence[ClaimRequest]) -> list[Claimed]:
    all_of_them = [intent for one in wanted for intent in one.intents]
    claimed = ledger.claim(all_of_them, lease=wanted[0].lease, limits=wanted[0].limits)
    return [claimed.part({intent.order_ref for intent in one.intents}) for one in wanted]


def _orders(ledger: Ledger, asked: Sequence[Refs]) -> list[dict[str, OrderRecord]]:
    found = ledger.orders(_all(asked))
    return [{ref: found[ref] for ref in refs if ref in found} for refs in asked]


def _effects(ledger: Ledger, asked: Sequence[Refs]) -> list[list[EffectRecord]]:
    found = defaultdict[str, list[EffectRecord]](list)
    for effect in ledger.effects_of(_all(asked)):
        found[effect.order_ref].append(effect)
    return [sorted(chain(*(found[ref] for ref in {*refs})), key=lambda one: one.intent_at) for refs in asked]


def _unsettled(ledger: Ledger, asked: Sequence[Refs]) -> list[set[str]]:
    found = ledger.unsettled(_all(asked))
    return [found.intersection(refs) for refs in asked]


def _all(asked: Sequence[Refs]) -> list[str]:
    return list(dict.fromkeys(chain(*asked)))
