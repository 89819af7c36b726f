"""Give shops the tracking numbers that they lack, by their APIs."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from prefect import task

from connectors.ledger.engine import LedgerUnusable, chunked
from connectors.ledger.records import Intent, OrderRecord
from connectors.shop_files import carriers_in
from connectors.shops import opened_shop
from connectors.tracking_files import due_numbers
from connectors.xportcn.errors import Misconfigured, NotSent, ServiceAway, XportcnError
from domain.effects import Action, EffectStatus
from domain.shop_tracking import Parcel
from domain.states import REACHED_BOOKED
from domain.wording import pluralize
from tasks.effects.fulfil import Fulfil
from tasks.effects.kinds import settle_open
from tasks.effects.protocol import perform
from tasks.engine.resources import Resources
from tasks.engine.retrying import RETRYING, behind_breaker
from tasks.engine.tries import this_try

PASSES_WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenNumbers:
    """What a shop has got by its API: so many of its numbers. `why` counts those it
    lacks by cause.

    `is_lasting`: a cause does not pass by itself, or a number has waited for more than
    a day.
    """

    shop: str
    due: int
    given: int
    why: Mapping[str, int]
    is_lasting: bool

    def __str__(self) -> str:
        lacks = [f"{count:,} not: {why}" for why, count in self.why.items()]
        return "; ".join(
            [
                f"{self.shop}: {self.given:,} of {pluralize(self.due, 'tracking number')}",
                *lacks,
            ]
        )


@task(task_run_name="fulfil", **RETRYING)
@behind_breaker
async def fulfil_orders(resources: Resources) -> list[GivenNumbers]:
    """Give each number once; answers what each shop has got."""
    given = list[GivenNumbers]()
    try:
        await asyncio.to_thread(resources.ledger.marks.require_settled)
    except LedgerUnusable:  # it sends nothing now: a later run does
        return given
    due = await asyncio.to_thread(due_numbers, resources.settings, resources.ledger)
    for name, one in sorted(due.items()):
        if one.by_api:
            given.append(await _fulfil(resources, name, one.by_api))
    return given


async def _fulfil(
    resources: Resources, name: str, due: Sequence[Parcel]
) -> GivenNumbers:
    """Of several parcels of one order one after the other, since a claim is for one
    effect of each.
    """
    parcels: dict[str, list[Parcel]] = defaultdict(list)
    for parcel in due:
        parcels[parcel.order_ref].append(parcel)
    if this_try().this > 1:
        await settle_open(resources, parcels)
    carriers, unread, wrong = (
        carriers_in(resources.settings.data_dir),
        dict[str, NotSent](),
        list[XportcnError](),
    )
    try:
        async with opened_shop(resources.settings, name) as shop:
            for place in range(max(map(len, parcels.values()))):
                for refs in chunked(
                    ref for ref, listed in parcels.items() if place < len(listed)
                ):
                    now = {ref: parcels[ref][place] for ref in refs}
                    orders = await asyncio.to_thread(resources.ledger.orders, refs)
                    kind = Fulfil(
                        resources,
                        shop=shop,
                        parcels=now,
                        carriers=carriers,
                        unread=unread,
                    )
                    await perform(kind, _intents(orders, now), orders)
    except Misconfigured as error:
        wrong.append(error)
    sent = await asyncio.to_thread(resources.ledger.effects_of, parcels, Action.FULFIL)
    status = {(one.order_ref, one.part): one.status for one in sent}
    of_due = [
        (one, status.get((one.order_ref, one.number), EffectStatus.UNSENT))
        for one in due
    ]
    lacking = [one for one, is_now in of_due if is_now is EffectStatus.UNSENT]
    causes = [*wrong, *unread.values()]
    why = Counter(
        (wrong or [unread.get(one.order_ref, causes[0])])[0].message
        for one in lacking
        if causes
    )
    is_old = any(resources.clock().date() - one.day > PASSES_WITHIN for one in lacking)
    return GivenNumbers(
        shop=name,
        due=len(due),
        given=sum(is_now is EffectStatus.DONE for _, is_now in of_due),
        why=why,
        is_lasting=bool(why)
        and (is_old or not all(isinstance(one, ServiceAway) for one in causes)),
    )


def _intents(
    orders: Mapping[str, OrderRecord], parcels: Mapping[str, Parcel]
) -> list[Intent]:
    """The effects of orders that are still on the road."""
    return [
        Intent(
            order_ref=ref,
            action=Action.FULFIL,
            amount=None,
            request_hash="",
            part=parcels[ref].number,
            seen_in=order.state,
        )
        for ref, order in orders.items()
        if order.state in REACHED_BOOKED
    ]
