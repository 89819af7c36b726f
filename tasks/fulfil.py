"""Give shops the tracking numbers that they lack, by their APIs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from connectors.ledger.engine import LedgerUnusable, chunked
from connectors.ledger.records import Intent, OrderRecord
from connectors.shops import opened_shop
from connectors.tracking_files import due_numbers
from connectors.xportcn.errors import Misconfigured
from domain.effects import Action, EffectStatus
from domain.shop_tracking import Parcel
from domain.states import REACHED_BOOKED
from domain.wording import pluralize
from tasks.effects.fulfil import Fulfil
from tasks.effects.kinds import settle_open
from tasks.effects.protocol import perform
from tasks.engine.resources import Resources
from tasks.engine.retrying import retrying_task
from tasks.engine.tries import this_try


@retrying_task("fulfil")
async def fulfil_orders(resources: Resources) -> list[str]:
    """Give each number once; answers in words how many each shop has got.

    Raises the first `Misconfigured` when the others have theirs.
    """
    given = list[str]()
    try:
        await asyncio.to_thread(resources.ledger.marks.require_settled)
    except LedgerUnusable:  # it sends nothing now: a later run does
        return given
    due = await asyncio.to_thread(due_numbers, resources.settings, resources.ledger)
    trouble = list[Misconfigured]()
    for name, one in sorted(due.items()):
        if one.by_api:
            try:
                count = await _fulfil(resources, name, one.by_api)
                given.append(f"{name}: {count:,} of {pluralize(len(one.by_api), 'tracking number')}")
            except Misconfigured as error:
                trouble.append(error)
    if trouble:
        raise trouble[0]
    return given


async def _fulfil(resources: Resources, name: str, due: Sequence[Parcel]) -> int:
    """Answers how many the shop has got.

    Of several parcels of one order one after the other, since a claim is for one effect of each.
    """
    parcels: dict[str, list[Parcel]] = defaultdict(list)
    for parcel in due:
        parcels[parcel.order_ref].append(parcel)
    if this_try().this > 1:
        await settle_open(resources, parcels)
    async with opened_shop(resources.settings, name) as shop:
        for place in range(max(map(len, parcels.values()))):
            for refs in chunked(ref for ref, listed in parcels.items() if place < len(listed)):
                now = {ref: parcels[ref][place] for ref in refs}
                orders = await asyncio.to_thread(resources.ledger.orders, refs)
                await perform(Fulfil(resources, shop=shop, parcels=now), _intents(orders, now), orders)
    sent = await asyncio.to_thread(resources.ledger.effects_of, parcels, Action.FULFIL)
    wanted = {(parcel.order_ref, parcel.number) for parcel in due}
    return sum((one.order_ref, one.part) in wanted and one.status is EffectStatus.DONE for one in sent)


def _intents(orders: Mapping[str, OrderRecord], parcels: Mapping[str, Parcel]) -> list[Intent]:
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
