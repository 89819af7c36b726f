"""Orders of ours that this ledger does not know: it was lost, is a second one, or gave up what arrived later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from connectors.ledger.controls import knows_orders_of, refs_by_id
from connectors.xportcn.channels.base import Channel
from connectors.xportcn.errors import Misconfigured, XportcnError
from domain.absence import Reading, could_be_ours
from domain.decisions import Verdict, held
from domain.marketplace import Marketplace
from domain.orders import OrderRequest
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.witness_words import LACKS
from domain.witnessed import Kind
from domain.wording import number_of
from tasks.asking import not_read
from tasks.resources import Resources

ALREADY_THERE = "the service already has order"
MOST_NAMED = 5


@dataclass(kw_only=True)
class Unrecorded:
    """Why not to order what may be there already, by `order_ref`; and what could not be told, for people."""

    reasons: dict[str, Verdict] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


async def find_unrecorded(resources: Resources, requests: Sequence[OrderRequest]) -> Unrecorded:
    """Look for orders of these references that the service has and this ledger has not ordered.

    A lost ledger, a second one, or one that was restored from a backup must not buy again; nor may an order be bought
    again that arrived after it was given up. Where creating is idempotent the service itself prevents that.
    """
    strangers = Unrecorded()
    for marketplace, offering in resources.offerings.items():
        refs = [request.order_ref for request in requests if request.marketplace is marketplace]
        if refs and not marketplace.create_is_idempotent:
            await _look(resources, marketplace, offering.channel, refs, strangers)
    return strangers


async def _look(
    resources: Resources, marketplace: Marketplace, channel: Channel, refs: Sequence[str], strangers: Unrecorded
) -> None:
    since = resources.clock() - timedelta(days=resources.settings.look_back_days)
    try:
        reading = await channel.find(refs, since=since)
    except Misconfigured:
        raise
    except XportcnError as error:
        unread = not_read("could not be looked for at the service", error)
        strangers.reasons |= dict.fromkeys(refs, unread)
        return
    if doubt := _doubt(resources, marketplace, reading):
        if _may_go_on(resources, marketplace):
            strangers.warnings.append(f"{marketplace}: {doubt}; whether one is an order of ours can't be told")
        else:
            strangers.reasons |= dict.fromkeys(refs, held(f"{doubt}: {_to_confirm(marketplace)}"))
    strangers.reasons |= {ref: held(why) for ref, why in _known_by_name(reading).items()}


def _doubt(resources: Resources, marketplace: Marketplace, reading: Reading) -> str:
    """Why an order of ours may be there that this reading does not show as ours; empty when it would show."""
    alive = [order for order in reading.listed if order.status is not ServiceStatus.CLOSED]
    known = refs_by_id(resources.ledger, marketplace, [order.order_id for order in alive])
    not_ours = [order_id for place, order_id in resources.ledger.not_ours.standing() if place is marketplace]
    if unclear := could_be_ours(alive, known, not_ours):
        count, ids = number_of(len(unclear), "order"), ", ".join(order.order_id for order in unclear[:MOST_NAMED])
        more = ", …" if len(unclear) > MOST_NAMED else ""
        return f"the service lists {count} without a reference that this ledger does not know ({ids}{more})"
    return LACKS[Kind.ABSENT, reading.lacks] if reading.lacks else ""


def _may_go_on(resources: Resources, marketplace: Marketplace) -> bool:
    """Whether the ledger has bought there before, or a person has said that it knows all that was bought."""
    ledger = resources.ledger
    return knows_orders_of(ledger, marketplace) or ledger.marks.is_confirmed(marketplace)


def _to_confirm(marketplace: Marketplace) -> str:
    return (
        "one may be this order, bought with another ledger. Look at them in the console and take ours over (sourcing "
        "resolve ORDER_REF --ordered ORDER_ID), then say once that no other is ours: sourcing ledger confirm "
        f"{marketplace}"
    )


def _known_by_name(reading: Reading) -> dict[str, str]:
    return {
        ref: f"{ALREADY_THERE} {_listed(alive)} under this order_ref, and this ledger has not ordered it. If it is "
        f"this order, take it over: {_taking_over(ref, alive)}. If another ledger ordered it, use that one: under a "
        "new order_ref it would be bought a second time"
        for ref, orders in reading.found.items()
        if (alive := [order for order in orders if order.status is not ServiceStatus.CLOSED])
    }


def _taking_over(order_ref: str, alive: Sequence[ServiceOrder]) -> str:
    order_id, most = (alive[0].order_id, alive[0].total.major) if len(alive) == 1 else ("ORDER_ID", "AMOUNT_CNY")
    return f"sourcing resolve {order_ref} --ordered {order_id} --up-to {most}"


def _listed(orders: Sequence[ServiceOrder]) -> str:
    return ", ".join(f"{order.order_id} ({order.status}, {order.total})" for order in orders)
