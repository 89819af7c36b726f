"""Give shops the tracking numbers that they lack, by their APIs."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.many import chunked
from connectors.ledger.records import Intent
from connectors.shops import opened_shops
from connectors.tracking_files import due_numbers
from domain.effects import Action
from domain.shop_tracking import Parcel
from tasks.effects.fulfil import Fulfil
from tasks.effects.kinds import settle_open
from tasks.effects.protocol import perform
from tasks.engine.resources import Resources
from tasks.engine.retrying import retrying_task, this_try


@retrying_task("fulfil")
async def fulfil_orders(resources: Resources) -> None:
    """Give each number once; of several of one order one after the other, since a claim is for one effect of each."""
    try:
        await asyncio.to_thread(resources.ledger.marks.require_settled)
    except LedgerUnusable:  # it sends nothing now: a later run does
        return
    due = await asyncio.to_thread(due_numbers, resources.settings, resources.ledger)
    parcels: dict[str, list[Parcel]] = defaultdict(list)
    for parcel in (parcel for shop in due.values() for parcel in shop.by_api):
        parcels[parcel.order_ref].append(parcel)
    if this_try().this > 1:
        await settle_open(resources, parcels)
    async with opened_shops(resources.settings) as shops:
        for place in range(max(map(len, parcels.values()), default=0)):
            for refs in chunked(ref for ref, listed in parcels.items() if place < len(listed)):
                now = {ref: parcels[ref][place] for ref in refs}
                orders = await asyncio.to_thread(resources.ledger.orders, refs)
                intents = [
                    Intent(order_ref=ref, action=Action.FULFIL, amount=None, request_hash="", part=parcel.number)
                    for ref, parcel in now.items()
                ]
                await perform(Fulfil(resources, shops=shops, parcels=now), intents, orders)
