"""Trouble on the way: creates without an answer, late ones, and reads on a bad day."""

from __future__ import annotations

import pytest

from connectors.xportcn.errors import NotSent, Unanswered
from domain.effects import Action
from domain.offers import Problem
from tests.connectors.marketplaces.channel_contract.shop import Shop, now
from tests.connectors.xportcn.orders import claim


@pytest.mark.parametrize(
    ("kind", "orders"),
    [("drop_after", 1), ("drop_before", 0), ("http_500", 0), ("garbage", 0)],
)
async def test_a_create_without_a_clean_answer_is_unanswered_and_can_be_found(
    shop: Shop, kind: str, orders: int
) -> None:
    """Cut before or after, 5xx, garbage: `Unanswered`, sent once, and `find` tells
    which it was.
    """
    start = now()
    order = await shop.order()
    quote = await shop.channel.quote(order, shop.warehouse)
    with shop.fault(shop.paths.create, kind), pytest.raises(Unanswered):
        await shop.channel.create(
            claim(Action.CREATE), order, shop.warehouse, approved=quote.total
        )
    result = (await shop.channel.find(["R-1"], since=start)).found
    assert [service_order.order_id for service_order in result.get("R-1", [])] == [
        entry["order_id"] for entry in shop.booked()
    ]
    assert len(shop.booked()) == orders


async def test_a_split_create_without_an_answer_is_found_whole(shop: Shop) -> None:
    """Both orders that it made."""
    start = now()
    order = await shop.order(*shop.depots)
    quote = await shop.channel.quote(order, shop.warehouse)
    with shop.fault(shop.paths.create, "drop_after"), pytest.raises(Unanswered):
        await shop.channel.create(
            claim(Action.CREATE), order, shop.warehouse, approved=quote.total
        )
    service_orders = (await shop.channel.find(["R-1"], since=start)).found["R-1"]
    assert len(service_orders) == 2
    assert (
        sum(service_order.total.minor for service_order in service_orders)
        == quote.total.minor
    )


async def test_a_late_create_is_found_later(shop: Shop) -> None:
    """An error may be answered before the order exists: not found at first, found in
    the end.
    """
    start = now()
    order = await shop.order()
    quote = await shop.channel.quote(order, shop.warehouse)
    with (
        shop.fault(shop.paths.create, "late_effect", delay_s=600),
        pytest.raises(Unanswered),
    ):
        await shop.channel.create(
            claim(Action.CREATE), order, shop.warehouse, approved=quote.total
        )
    assert (await shop.channel.find(["R-1"], since=start)).found == {}
    shop.sandbox.advance(days=601 / 86400)
    assert set((await shop.channel.find(["R-1"], since=start)).found) == {"R-1"}


async def test_a_create_is_no_more_in_doubt_than_its_own_call(shop: Shop) -> None:
    """Too many calls, or a preview inside it that does not come through: provably
    nothing was ordered.
    """
    order = await shop.order()
    quote = await shop.channel.quote(order, shop.warehouse)
    shop.sandbox.faults(
        {"path": shop.paths.quote, "kind": "http_500"},
        {"path": shop.paths.create, "kind": "http_429"},
    )
    with pytest.raises(NotSent):
        await shop.channel.create(
            claim(Action.CREATE), order, shop.warehouse, approved=quote.total
        )
    shop.sandbox.faults()
    assert shop.booked() == []


async def test_a_no_that_is_not_understood_is_no_problem_of_the_order(
    shop: Shop,
) -> None:
    """An expired token at the preview, also at one inside a create: provably nothing
    was ordered, and nothing ended.
    """
    order = await shop.order()
    quote = await shop.channel.quote(order, shop.warehouse)
    with shop.fault(shop.paths.quote, "expired_token"):
        (problem,) = (await shop.channel.quote(order, shop.warehouse)).problems
        assert problem.problem is Problem.OTHER
        assert "renew it in the service's console" in problem.message
    expired = {"path": shop.paths.quote, "kind": "expired_token"}
    busy = {"path": shop.paths.create, "kind": "http_429"}
    shop.sandbox.faults(expired, busy)
    with pytest.raises(NotSent):
        await shop.channel.create(
            claim(Action.CREATE), order, shop.warehouse, approved=quote.total
        )
    shop.sandbox.faults()
    assert shop.booked() == []


async def test_reads_get_through_a_bad_day(shop: Shop) -> None:
    """With a fifth of all reads failing in every way, offers, quotes and lists still
    arrive.
    """
    start = now()
    order = await shop.order()
    order_id = await shop.create(order)
    kinds = ("http_500", "http_429", "drop_before", "drop_after", "garbage")
    shop.sandbox.faults(
        *({"path": "/*", "kind": kind, "probability": 0.04} for kind in kinds)
    )
    for _ in range(10):
        assert await shop.channel.offer(shop.plain["item_id"]) is not None
        assert (await shop.channel.quote(order, shop.warehouse)).problems == ()
        assert order_id in await shop.channel.read([order_id])
        assert set((await shop.channel.find(["R-1"], since=start)).found) == {"R-1"}
