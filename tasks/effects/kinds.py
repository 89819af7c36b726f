"""The registry of effect kinds, and the first step of every flow: reading back effects
left open.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.xportcn.errors import Misconfigured, ServiceAway
from domain.after_sale import UNDER_WAY
from domain.effects import OPEN
from domain.marketplace import Marketplace
from domain.states import OrderState
from tasks.effects.book import Book
from tasks.effects.cancel import Cancel
from tasks.effects.create_by_reference import CreateByReference
from tasks.effects.kind import EffectKind
from tasks.effects.parcel_report import ReportParcel
from tasks.effects.pay import Pay
from tasks.effects.refund import (
    AskRefund,
    ReturnParcel,
)
from tasks.effects.refund_states import restate, take_outcome
from tasks.effects.settling import settle
from tasks.engine.resources import Resources

KINDS: tuple[type[EffectKind], ...] = (
    CreateByReference,
    Pay,
    Book,
    ReportParcel,
    Cancel,
    AskRefund,
    ReturnParcel,
)
"""Every kind, in the order in which they are settled: what a kind reads rests on what
the kinds before it found.
"""


_BY_ACTION = {kind.action: kind for kind in KINDS}


def kind_of(effect: EffectRecord) -> type[EffectKind]:
    """The kind of an effect."""
    return _BY_ACTION[effect.action]


async def settle_open(resources: Resources, order_refs: Iterable[str]) -> None:
    """Read back every effect of these orders that was left open; refunds and orders
    record what was found.

    Those that a living run has in hand are left to it. Orders are read anew for each
    kind: one that was taken back is neither paid nor booked while the outcome of that
    is unknown. Raises `Misconfigured` once all others are settled, unless what can't be
    asked about needs no person either.
    """
    refs = list(order_refs)
    trouble = list[Misconfigured]()
    if waiting := await asyncio.to_thread(resources.ledger.unsettled, refs):
        with suppress(ServiceAway):  # it is waited for before anything is taken over
            await resources.breaker.wait_ready()
        opened = await asyncio.to_thread(_by_kind, resources, waiting)
        for kind in KINDS:
            for group in opened[kind].values():
                try:
                    await settle(kind(resources), group)
                except Misconfigured as error:
                    trouble += [] if kind.repeatable else [error]
    await _bring_refunds_on(resources, refs)
    if trouble:
        raise trouble[0]


async def settled(
    resources: Resources, order_refs: Iterable[str]
) -> dict[str, OrderRecord]:
    """These orders as they are now, once their open effects are settled: each try of a
    task begins so.
    """
    refs = list(order_refs)
    if await resources.group_commit.unsettled(refs):
        await settle_open(resources, refs)
    return await resources.group_commit.orders(refs)


def _by_kind(
    resources: Resources, order_refs: Iterable[str]
) -> dict[type[EffectKind], dict[Marketplace, dict[str, None]]]:
    """References with something open; a marketplace that can't be asked keeps no other
    from being settled.
    """
    orders = resources.ledger.orders(order_refs)
    opened: dict[type[EffectKind], dict[Marketplace, dict[str, None]]] = {
        kind: defaultdict(dict) for kind in KINDS
    }
    for effect in resources.ledger.effects_of(orders):
        if effect.status in OPEN:
            opened[kind_of(effect)][orders[effect.order_ref].marketplace][
                effect.order_ref
            ] = None
    return opened


async def _bring_refunds_on(resources: Resources, order_refs: Sequence[str]) -> None:
    """A run may also have died between reading a refund, writing it down, and moving
    its order.
    """
    ledger = resources.ledger
    refunds = await asyncio.to_thread(ledger.refunds.of_orders, order_refs)
    in_hand = _in_hand(resources, [refund.order_ref for refund in refunds])
    for refund in refunds:
        if not refund.refund_id and refund.order_ref not in in_hand:
            await take_outcome(resources, refund)
    under_way = {refund.order_ref for refund in refunds if refund.state in UNDER_WAY}
    for ref, order in ledger.orders(
        {refund.order_ref for refund in refunds} - in_hand
    ).items():
        if ref in under_way or order.state is OrderState.REFUNDING:
            await restate(resources, ref)


def _in_hand(resources: Resources, order_refs: Collection[str]) -> set[str]:
    """Those of these orders that another run is at work on."""
    waiting = resources.ledger.unsettled(order_refs) if order_refs else ()
    effects = resources.ledger.effects_of(waiting) if waiting else ()
    return {
        effect.order_ref
        for effect in effects
        if effect.status in OPEN and effect.owner != resources.ledger.owner
    }
