"""The canary of a marketplace: one order goes alone, until it is read back as it was created; then the others."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta

from connectors.ledger.records import OrderChange, OrderRecord
from connectors.program import program
from connectors.xportcn.errors import ServiceAway
from domain.effects import Action, EffectStatus
from domain.first_orders import MOST, given_up, is_understood, waits_for
from domain.marketplace import Marketplace
from domain.states import OrderState
from tasks.effects.reading_orders import read_whatever
from tasks.effects.settling import clear_from
from tasks.engine.resources import Resources
from tasks.pay import read_back

GOOD_FOR = timedelta(days=1)


class Canaries:
    """The canaries of one process's part in a run.

    Their state is the ledger's, but for the count of losses: a restarted run counts anew. Two processes that begin at
    one instant have one canary each.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._free: set[Marketplace] = set()
        self._lost = defaultdict[Marketplace, dict[str, OrderRecord]](dict)
        self._one_by_one = defaultdict[Marketplace, asyncio.Lock](asyncio.Lock)

    async def admit(
        self,
        orders: Sequence[OrderRecord],
        create: Callable[..., None],
        is_read_back: Callable[[str], Awaitable[bool]],
    ) -> list[OrderChange]:
        """Let these orders of one batch and marketplace be created; answers the verdicts on those that are not.

        `create` takes their references, and `is_read_back` waits until payment has read an order back.
        """
        marketplace, left = orders[0].marketplace, list(orders)
        async with self._one_by_one[marketplace]:
            while left and not await self.is_free(marketplace):
                if kept := await self._kept_back(left):
                    return kept
                if marketplace not in self._free:
                    canary = left.pop(0)
                    await self._note(canary)
                    create(canary.order_ref)
                    if await is_read_back(canary.order_ref):
                        await self._set_free(marketplace)
                    else:
                        await self._take_loss(canary)
        create(*(order.order_ref for order in left))
        return []

    async def first(self, at: Mapping[str, Marketplace]) -> list[str]:
        """The first of these orders at each marketplace that is not free."""
        first: dict[Marketplace, str] = {}
        for ref, marketplace in at.items():
            first.setdefault(marketplace, ref)
        return [ref for marketplace, ref in first.items() if not await self.is_free(marketplace)]

    async def is_free(self, marketplace: Marketplace) -> bool:
        """Whether an order of this version of the program was read back there within a day."""
        since = self._resources.clock() - GOOD_FOR
        marks = self._resources.ledger.marks
        if marketplace not in self._free and await asyncio.to_thread(
            marks.was_read_back, marketplace, version=program(), since=since
        ):
            self._free.add(marketplace)
        return marketplace in self._free

    async def _note(self, canary: OrderRecord) -> None:
        await asyncio.to_thread(self._resources.ledger.marks.goes_first, canary.order_ref, canary.marketplace)

    async def _set_free(self, marketplace: Marketplace) -> None:
        await asyncio.to_thread(self._resources.ledger.marks.read_back, marketplace, version=program())
        self._free.add(marketplace)

    async def _kept_back(self, orders: Sequence[OrderRecord]) -> list[OrderChange]:
        """The verdicts on these orders when none of them may go first; empty when one may."""
        marketplace, resources = orders[0].marketplace, self._resources
        unchanged = [order.stays(order.why) for order in orders]
        if resources.paused or resources.breaker.is_over:
            return unchanged
        try:
            stuck = await self._stuck(orders[0].batch_id, marketplace)
        except ServiceAway:
            return unchanged
        if stuck is not None:
            why = waits_for(stuck.order_ref, marketplace, stuck.why)
            return [o.held(why) if stuck.state is OrderState.HELD else o.stays(why) for o in orders]
        if len(lost := self._lost[marketplace]) >= MOST:
            why = given_up([*lost], marketplace, [*lost.values()][-1].why)
            return [order.held(why) for order in orders]
        return []

    async def _stuck(self, batch_id: str, marketplace: Marketplace) -> OrderRecord | None:
        """A canary that is not settled, or can't be read as it should be; a readable one frees the marketplace.

        An unanswered create that can't land any more is lost: the next order is the younger one that the proof of its
        absence may lack.
        """
        resources, group_commit, marks = self._resources, self._resources.group_commit, self._resources.ledger.marks
        refs = await asyncio.to_thread(marks.unsettled_first, batch_id, marketplace, most=MOST)
        created = {ref: order for ref, order in (await group_commit.orders(refs)).items() if order.order_id}
        if created and await read_back(resources, created):
            await self._set_free(marketplace)
            return None
        now = await group_commit.orders(refs)
        held = {ref: one for ref, one in now.items() if one.state is OrderState.HELD}
        shown = (await read_whatever(resources, held.values()))[0] if held else {}
        unknown = [ref for ref, one in now.items() if one.state is OrderState.UNKNOWN]
        lost = await self._arrive_no_more(unknown)
        self._lost[marketplace] |= {ref: now[ref] for ref in lost}
        others = lost | {ref for ref in held if is_understood(ref, shown.get(ref))}
        return next((now[ref] for ref in refs if ref not in others and _is_unsettled(now[ref])), None)

    async def _arrive_no_more(self, order_refs: Collection[str]) -> set[str]:
        """Those of these orders whose creates may not land any more."""
        effects = await self._resources.group_commit.effects_of(order_refs)
        late = {one.order_ref for one in effects if clear_from(self._resources, one) > self._resources.clock()}
        return {*order_refs} - late

    async def _take_loss(self, canary: OrderRecord) -> None:
        """Count a canary that was not read back, if anything of it was begun."""
        ref, group_commit = canary.order_ref, self._resources.group_commit
        now = (await group_commit.orders([ref]))[ref]
        if now.paid_minor is not None:  # another run was faster
            await self._set_free(now.marketplace)
            return
        creates = [one for one in await group_commit.effects_of([ref]) if one.action is Action.CREATE]
        if creates and creates[-1].status is not EffectStatus.UNSENT:
            self._lost[now.marketplace][ref] = now


def _is_unsettled(order: OrderRecord) -> bool:
    return order.paid_minor is None and order.state in (OrderState.UNKNOWN, OrderState.ORDERED, OrderState.HELD)
