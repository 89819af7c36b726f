"""Orders grouped by the marketplace that knows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connectors.concurrently import concurrently
from connectors.ledger.records import OrderRecord
from connectors.marketplaces.protocol import Channel
from connectors.xportcn.errors import (
    ContractMismatch,
    Misconfigured,
    Refused,
    ServiceAway,
    XportcnError,
)
from connectors.xportcn.failures import NOT_FOUND
from domain.decisions import unread
from domain.messages import Place, UnknownWord
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus
from tasks.engine.resources import Resources

ORDER_UNREAD = "the service does not answer about the order"


def by_channel(
    resources: Resources, orders: Iterable[OrderRecord]
) -> Iterator[tuple[Channel, list[OrderRecord]]]:
    """Each channel with its orders, in the order of marketplaces."""
    listed = list(orders)
    for marketplace, offering in resources.offerings.items():
        if group := [order for order in listed if order.marketplace is marketplace]:
            yield offering.channel, group


async def read_each(
    resources: Resources, orders: Iterable[OrderRecord]
) -> tuple[dict[str, ServiceOrder], dict[str, Reason]]:
    """Like `read_orders`, but one order that can't be read fails alone; the second
    answer is why, by `order_ref`.

    There are also the orders whose id shows another's reference. A service that is away
    raises `ServiceAway`.
    """
    service_orders, unread = await read_whatever(resources, orders)
    foreign = {
        ref: another_s(ref, service_order)
        for ref, service_order in service_orders.items()
        if is_another_s(ref, service_order)
    }
    return {
        ref: service_order
        for ref, service_order in service_orders.items()
        if ref not in foreign
    }, {
        **unread,
        **foreign,
    }


async def read_whatever(
    resources: Resources, orders: Iterable[OrderRecord], *, may_lag: bool = False
) -> tuple[dict[str, ServiceOrder], dict[str, Reason]]:
    """What the service shows under the ids of these orders, foreign ones too, and why
    some can't be read.
    """
    listed = list(orders)
    try:
        return await _read(resources, listed, may_lag=may_lag), {}
    except XportcnError as error:
        if _is_about_all(error):
            raise
    return await _read_alone(resources, listed)


async def _read_alone(
    resources: Resources, orders: Iterable[OrderRecord]
) -> tuple[dict[str, ServiceOrder], dict[str, Reason]]:
    shown: dict[str, ServiceOrder] = {}
    reasons: dict[str, Reason] = {}

    async def read_one(order: OrderRecord) -> None:
        try:
            shown.update(await _read(resources, [order]))
        except XportcnError as error:
            if _is_about_all(error):
                raise
            reasons[order.order_ref] = unread(ORDER_UNREAD, error.message)

    await concurrently(orders, read_one, at_once=resources.concurrency)
    return shown, reasons


def _is_about_all(error: XportcnError) -> bool:
    """Whether no other order can be read either. Code 404 inside an answer is about one
    order (assumed).
    """
    if isinstance(error, Misconfigured):
        return error.code != NOT_FOUND or error.status == int(NOT_FOUND)
    return isinstance(error, ServiceAway)


async def read_orders(
    resources: Resources, orders: Iterable[OrderRecord]
) -> dict[str, ServiceOrder]:
    """Our orders as their marketplaces show them now, by `order_ref`; those not shown
    are missing.

    An order that shows another's reference is foreign, whatever our ledger says: it
    counts as not shown. So does, of several, one that is answered so that it can't be
    read; a service that does not answer is not asked about each.
    """
    listed = list(orders)
    try:
        shown = await _read(resources, listed)
    except (ContractMismatch, Refused):
        if len(listed) == 1:
            raise
        shown, _ = await _read_alone(resources, listed)
    return {ref: order for ref, order in shown.items() if not is_another_s(ref, order)}


async def _read(
    resources: Resources, orders: Iterable[OrderRecord], *, may_lag: bool = False
) -> dict[str, ServiceOrder]:
    service_orders: dict[str, ServiceOrder] = {}
    for channel, group in by_channel(
        resources, (order for order in orders if order.order_id)
    ):
        by_id = await channel.read(
            [str(order.order_id) for order in group], may_lag=may_lag
        )
        service_orders |= {
            o.order_ref: by_id[str(o.order_id)]
            for o in group
            if str(o.order_id) in by_id
        }
        for order in group:
            service_order = service_orders.get(order.order_ref)
            if (
                service_order is not None
                and service_order.status is ServiceStatus.OTHER
            ):
                resources.unknown[
                    UnknownWord(
                        order.marketplace, Place.ORDER, service_order.state_word
                    )
                ].add(order.order_ref)
    return service_orders


def is_another_s(order_ref: str, service_order: ServiceOrder) -> bool:
    """Whether the order that the service shows carries a reference, and not this
    one.
    """
    return (
        service_order.reference.strip() not in ("", order_ref)
        and service_order.own_id != order_ref
    )


def another_s(order_ref: str, service_order: ServiceOrder) -> Reason:
    order_id = service_order.order_id
    reference = service_order.reference
    return because(
        ReasonCode.ANOTHERS_REFERENCE,
        order_id=order_id,
        reference=reference,
        order_ref=order_ref,
    )
