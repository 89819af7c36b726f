"""Find out what became of cancellations, refunds, returns, messages and receipts that got no answer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from connectors.ledger.records import EffectRecord, OrderRecord
from domain.after_sale import Refund
from domain.effects import OPEN, Action
from domain.marketplace import Marketplace
from domain.states import OrderState
from tasks.cancel_order import after_unknown, cancel_effect
from tasks.confirm_receipt import receive_effect
from tasks.effects import Effect, settle
from tasks.follow_refunds import restate, take_outcome
from tasks.message_seller import SAY, say_effect
from tasks.refund_effects import (
    MODIFY,
    WITHDRAW,
    ask_effect,
    modify_effect,
    request_of_modification,
    withdraw_effect,
)
from tasks.resources import Resources
from tasks.return_parcel import return_effect

PART = re.compile(r"(?P<refund>[0-9a-z+]+\.[0-9]+)(?P<rest>-.*)?")


async def settle_after_sale(resources: Resources, orders: Mapping[str, OrderRecord]) -> None:
    """Read about every open effect of these orders; refunds and orders say afterwards what was found."""
    refunds = {
        (refund.order_ref, refund.effect_part): refund for refund in resources.ledger.refunds.of_orders(list(orders))
    }
    open_ones = [record for record in resources.ledger.effects_of(list(orders)) if record.status in OPEN]
    await _settle_cancels(resources, [orders[one.order_ref] for one in open_ones if _is_whole_cancel(one)])
    for record in open_ones:
        order = orders[record.order_ref]
        effect = _effect_of(resources, record, _refund_of(record, refunds))
        if effect:
            await settle(resources, effect, {order.order_ref: order})
    for refund in refunds.values():
        if not refund.refund_id:
            await take_outcome(resources, refund)
    for order_ref in {refund.order_ref for refund in refunds.values()}:
        await restate(resources, order_ref)


def _refund_of(record: EffectRecord, refunds: Mapping[tuple[str, str], Refund]) -> Refund | None:
    found = PART.fullmatch(record.part)
    return refunds.get((record.order_ref, found["refund"])) if found else None


def _is_whole_cancel(record: EffectRecord) -> bool:
    return record.action is Action.CANCEL and not record.part


async def _settle_cancels(resources: Resources, orders: Sequence[OrderRecord]) -> None:
    """Together, since a marketplace may take its time to show a closed order, and looking waits for that."""
    alike: defaultdict[tuple[Marketplace, OrderState], dict[str, OrderRecord]] = defaultdict(dict)
    for order in orders:
        alike[order.marketplace, after_unknown(order)][order.order_ref] = order
    for (marketplace, undone), group in alike.items():
        await settle(resources, cancel_effect(resources, marketplace, undone, ""), group)


def _effect_of(resources: Resources, record: EffectRecord, refund: Refund | None) -> Effect | None:
    """The effect that a record stands for, as far as looking for it goes; None for another's business."""
    if refund is None:
        return receive_effect(resources) if record.action is Action.RECEIVE and not record.part else None
    return _refund_effect(resources, record, refund)


def _refund_effect(resources: Resources, record: EffectRecord, refund: Refund) -> Effect | None:
    rest = record.part.removeprefix(refund.effect_part)
    match record.action:
        case Action.REFUND if not rest:
            return ask_effect(resources, refund)
        case Action.REFUND if rest.startswith(MODIFY):
            request = request_of_modification(refund, record)
            return modify_effect(resources, refund, request, part=record.part)
        case Action.CANCEL if rest == WITHDRAW:
            return withdraw_effect(resources, refund)
        case Action.RETURN:
            carrier, _, number = record.request_hash.partition("/")
            return return_effect(resources, refund, carrier=carrier, number=number)
        case Action.NOTIFY if rest.startswith(SAY):
            return say_effect(resources, refund, record.request_hash)
        case _:
            return None
