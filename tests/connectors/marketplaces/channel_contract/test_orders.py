"""Orders: created under our reference, found by it, split by the service, guarded by
what was approved.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.concurrently import concurrently
from connectors.marketplaces.protocol import Created
from connectors.xportcn.errors import Refused, Unanswered
from domain.absence import left_out
from domain.effects import Action
from domain.money import Money
from domain.offers import Problem
from domain.orders import SourcingOrder
from domain.service_orders import ServiceStatus
from tests.connectors.marketplaces.channel_contract.shop import (
    HAS_A_KEY,
    KEEPS_THE_LIMIT,
    TELLS_A_PART,
    Shop,
    now,
)
from tests.connectors.xportcn.orders import claim


async def test_an_order_is_created_found_paid_and_read(shop: Shop) -> None:
    """The road of an order: unpaid under our reference, then paid once, the amount as
    quoted.
    """
    start = now()
    order_id = await shop.created()
    result = (await shop.channel.find(["R-1", "R-2"], since=start)).found
    assert {
        reference: [order.order_id for order in orders]
        for reference, orders in result.items()
    } == {"R-1": [order_id]}
    assert result["R-1"][0].status in (ServiceStatus.UNPAID, ServiceStatus.BUILDING)
    assert result["R-1"][0].paid is None

    await shop.pay(order_id)
    read = await shop.channel.read([order_id, "999999"])
    assert set(read) == {order_id}
    assert (read[order_id].status, read[order_id].reference) == (
        ServiceStatus.PAID,
        "R-1",
    )
    assert read[order_id].paid == read[order_id].total
    assert read[order_id].paid_at is not None
    (entry,) = shop.booked()
    assert (entry["order_id"], entry["paid_times"], entry["paid_fen"]) == (
        order_id,
        1,
        read[order_id].total.minor,
    )


async def test_long_ids_keep_all_their_digits(shop: Shop) -> None:
    """Order ids are longer than a float is exact; each is the books' own, to the last
    digit, wherever it is told.
    """
    start = now()
    order_id = await shop.created()
    assert len(order_id) >= 18
    assert [entry["order_id"] for entry in shop.booked()] == [order_id]
    assert [
        service_order.order_id
        for service_order in (await shop.channel.find(["R-1"], since=start)).found[
            "R-1"
        ]
    ] == [order_id]
    assert set(await shop.channel.read([order_id])) == {order_id}


async def test_a_split_order_has_several_ids_and_one_sum(shop: Shop) -> None:
    """Lines of two depots become two orders: quoted, created, found, read and paid as
    two that cost what was quoted.
    """
    start = now()
    order = await shop.order(*shop.depots)
    quote = await shop.channel.quote(order, shop.warehouse)
    assert (quote.problems, {priced.line_no for priced in quote.lines}) == ((), {1, 2})
    built = await shop.channel.create(
        claim(Action.CREATE), order, shop.warehouse, approved=quote.total
    )
    assert len(set(built.order_ids)) == 2
    assert built.total == quote.total
    result = (await shop.channel.find(["R-1"], since=start)).found
    assert {service_order.order_id for service_order in result["R-1"]} == set(
        built.order_ids
    )
    for order_id in built.order_ids:
        await shop.pay(order_id)
    read = await shop.channel.read(built.order_ids)
    assert (
        sum(
            service_order.paid.minor
            for service_order in read.values()
            if service_order.paid
        )
        == quote.total.minor
    )
    assert [
        (entry["paid_times"], entry["order_id"] in built.order_ids)
        for entry in shop.booked()
    ] == [(1, True)] * 2


@pytest.mark.parametrize("kind", ["part_fails", "part_unsaid"])
async def test_an_order_that_was_made_in_part_shows_what_it_lacks(
    shop: Shop, kind: str
) -> None:
    """Whatever the answer to the create says: told, it leaves the create open; untold,
    the order has less goods.
    """
    start = now()
    order = await shop.order(*shop.siblings)
    quote = await shop.channel.quote(order, shop.warehouse)
    with shop.fault(shop.paths.create, kind):
        try:
            built = await shop.channel.create(
                claim(Action.CREATE), order, shop.warehouse, approved=quote.total
            )
        except Unanswered:
            built = None
    assert (built is None) is (shop.marketplace in TELLS_A_PART[kind])
    (service_order,) = (await shop.channel.find(["R-1"], since=start)).found["R-1"]
    (shown_order,) = (await shop.channel.read([service_order.order_id])).values()
    assert [line.line_no for line in left_out(shown_order, order.lines)] == [2]
    assert left_out(shown_order, order.lines[:1]) == []


async def test_nothing_is_ordered_above_what_was_approved(shop: Shop) -> None:
    """A fen too little for the goods orders nothing, or, where no limit can be told,
    the answer tells the amount.
    """
    order = await shop.order()
    quote = await shop.channel.quote(order, shop.warehouse)
    outcome = await tried_to_create(shop, order, approved=quote.goods - Money(1))
    if shop.marketplace in KEEPS_THE_LIMIT:
        require_price_changed(shop, outcome)
    else:
        assert isinstance(outcome, Created)
        assert outcome.total == quote.total


async def test_a_price_that_rose_before_creating_orders_nothing_unseen(
    shop: Shop,
) -> None:
    """Refused as a changed price with nothing ordered, or, where no limit can be told,
    the new amount is answered.
    """
    order = await shop.order()
    quote = await shop.channel.quote(order, shop.warehouse)
    with shop.fault(shop.paths.offer, "price_change"):
        await shop.channel.offer(shop.plain["item_id"])
    outcome = await tried_to_create(shop, order, approved=quote.total)
    if shop.marketplace in KEEPS_THE_LIMIT:
        require_price_changed(shop, outcome)
    else:
        assert isinstance(outcome, Created)
        assert outcome.total > quote.total
        assert [entry["amount_fen"] for entry in shop.booked()] == [outcome.total.minor]


async def tried_to_create(
    shop: Shop, ours: SourcingOrder, *, approved: Money
) -> Created | Refused:
    try:
        return await shop.channel.create(
            claim(Action.CREATE), ours, shop.warehouse, approved=approved
        )
    except Refused as refused:
        return refused


def require_price_changed(shop: Shop, outcome: Created | Refused) -> None:
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.problems[0].problem) == (
        "PRICE_CHANGED",
        Problem.PRICE_CHANGED,
    )
    assert shop.booked() == []


async def test_a_price_that_rose_before_paying_shows_when_read(shop: Shop) -> None:
    """An unpaid order may get dearer: reading tells the amount that paying would
    take.
    """
    order_id = await shop.created()
    before = (await shop.channel.read([order_id]))[order_id].total
    with shop.fault(shop.paths.read, "price_change", times=1):
        await shop.channel.read([order_id])
    after = (await shop.channel.read([order_id]))[order_id].total
    assert after > before
    assert [entry["amount_fen"] for entry in shop.booked()] == [after.minor]


async def test_stock_that_went_before_creating_is_refused(shop: Shop) -> None:
    """Sold out between quote and create: no order, and the reason in our word."""
    order = await shop.order()
    quote = await shop.channel.quote(order, shop.warehouse)
    with shop.fault(shop.paths.offer, "out_of_stock"):
        await shop.channel.offer(shop.plain["item_id"])
    with pytest.raises(Refused) as caught:
        await shop.channel.create(
            claim(Action.CREATE), order, shop.warehouse, approved=quote.total
        )
    assert [problem.problem for problem in caught.value.problems] == [
        Problem.OUT_OF_STOCK
    ]
    assert shop.booked() == []


async def test_too_little_is_refused_at_creating_too(shop: Shop) -> None:
    """Nobody has to have asked for a quote before."""
    row = next(row for row in shop.plain_rows if row["min_quantity"] > 1)
    order = await shop.order(row, quantity=row["min_quantity"] - 1)
    with pytest.raises(Refused) as caught:
        await shop.channel.create(
            claim(Action.CREATE), order, shop.warehouse, approved=Money(10**12)
        )
    assert {problem.problem for problem in caught.value.problems} == {
        Problem.BELOW_MIN_QUANTITY
    }
    assert shop.booked() == []


async def test_a_reference_that_is_a_key_is_good_for_one_order(shop: Shop) -> None:
    """The same create twice is one order where the service knows our reference as a
    key, and two where it does not.
    """
    built = {await shop.created(), await shop.created()}
    assert (
        len(built) == len(shop.booked()) == (1 if shop.marketplace in HAS_A_KEY else 2)
    )


async def test_a_key_with_other_lines_is_refused(shop: Shop) -> None:
    """Where our reference is a key, other lines under it never become a second
    order.
    """
    row, second = shop.siblings
    await shop.create(await shop.order(row))
    order = await shop.order(second)
    if shop.marketplace not in HAS_A_KEY:
        await shop.create(order)
        return
    with pytest.raises(Refused) as caught:
        await shop.channel.create(
            claim(Action.CREATE), order, shop.warehouse, approved=Money(10**12)
        )
    assert caught.value.code.startswith("DUPLICATE_")
    assert len(shop.booked()) == 1


async def test_many_orders_are_all_found(shop: Shop) -> None:
    """More than a page of them, created at once; none of them is later than it is."""
    start = now()
    references = [f"R-{number}" for number in range(70)]
    order = await shop.order()
    orders = [
        replace(order, request=replace(order.request, order_ref=reference))
        for reference in references
    ]
    ids = await concurrently(orders, shop.create)
    result = (await shop.channel.find(references, since=start)).found
    assert {
        reference: service_order.order_id
        for reference, (service_order,) in result.items()
    } == dict(zip(references, ids, strict=True))
    assert set(await shop.channel.read(ids)) == set(ids)
    assert (
        await shop.channel.find(references, since=start + timedelta(hours=1))
    ).found == {}


async def test_an_unpaid_order_closes(shop: Shop) -> None:
    """After a day it is closed, with a reason, and shows no payment, whatever time it
    has for one.
    """
    order_id = await shop.created()
    shop.sandbox.advance(days=1.1)
    service_order = (await shop.channel.read([order_id]))[order_id]
    assert (service_order.status, service_order.paid, service_order.paid_at) == (
        ServiceStatus.CLOSED,
        None,
        None,
    )


async def test_every_order_of_the_account_is_listed(shop: Shop) -> None:
    """More than a page, whoever made them and whatever became of them; none from before
    the moment asked for.
    """
    order = await shop.order()
    orders = [
        replace(order, request=replace(order.request, order_ref=f"R-{number}"))
        for number in range(55)
    ]
    early = await concurrently(orders[:2], shop.create)
    shop.sandbox.advance(days=2)
    begin = now() + timedelta(days=2)
    ids = await concurrently(orders[2:], shop.create)
    await shop.pay(ids[0])
    reading = await shop.channel.list_orders(since=begin)
    listed = reading.listed
    assert (reading.ended, reading.lacks) == (True, None)
    assert sorted(service_order.order_id for service_order in listed) == sorted(ids)
    by_id = {service_order.order_id: service_order for service_order in listed}
    assert (by_id[ids[0]].status, by_id[ids[0]].paid) == (
        ServiceStatus.PAID,
        by_id[ids[0]].total,
    )
    assert {service_order.reference for service_order in listed} == {
        f"R-{number}" for number in range(2, 55)
    }
    everything = (
        await shop.channel.list_orders(since=begin - timedelta(days=3))
    ).listed
    assert {
        service_order.order_id: service_order.status
        for service_order in everything
        if service_order.order_id in early
    } == dict.fromkeys(early, ServiceStatus.CLOSED)
    assert len(everything) == 55
