"""What every channel must do: one suite, both marketplaces, against the sandbox over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from connectors.xportcn import freight
from connectors.xportcn.channels import channel_for
from connectors.xportcn.channels.base import Channel, Warehouse
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.concurrently import concurrently
from connectors.xportcn.errors import Misconfigured, NotSent, Refused, Unanswered
from domain.effects import Action
from domain.freight import choose_freight
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine, SourcingOrder
from domain.quotes import Problem
from domain.service_orders import ServiceStatus, TraceStatus
from tests.connectors.xportcn.orders import claim, client_of, order, settings
from tests.connectors.xportcn.sandbox_process import Sandbox

CREATE = {Marketplace.TAOBAO: "/open/purchase/create/v2", Marketplace.ALIBABA_1688: "/alibaba/order/create"}
PAY = {Marketplace.TAOBAO: "/open/purchase/pay", Marketplace.ALIBABA_1688: "/alibaba/order/pay/url"}


@dataclass(frozen=True)
class Shop:
    """One channel at the sandbox, and what the sandbox has on its shelves."""

    sandbox: Sandbox
    client: XportcnClient
    channel: Channel
    warehouse: Warehouse
    rows: list[dict[str, Any]]

    @property
    def marketplace(self) -> Marketplace:
        return self.channel.marketplace

    async def line(self, row: dict[str, Any], quantity: int | None = None, line_no: int = 1) -> OrderLine:
        offer = await self.channel.offer(row["item_id"])
        assert offer is not None
        sku = next(sku for sku in offer.skus if sku.sku_id == row["sku_id"])
        return OrderLine(
            line_no=line_no,
            item_id=offer.item_id,
            sku_id=sku.sku_id,
            title=offer.title,
            image_url=offer.image_url,
            quantity=quantity or offer.min_quantity,
            unit_price=sku.price,
            spec_id=sku.spec_id,
            distribution_item_id=offer.distribution_item_id,
            distribution_sku_id=sku.distribution_sku_id,
        )

    async def order(self, *lines: OrderLine, order_ref: str = "R-1") -> SourcingOrder:
        lines = lines or (await self.line(self.rows[0]),)
        return order(*lines, order_ref=order_ref, marketplace=self.marketplace, seller_id=self.rows[0]["seller_id"])

    async def create(self, order: SourcingOrder) -> str:
        quote = await self.channel.quote(order, self.warehouse)
        assert quote.problems == ()
        answer = await self.channel.create(
            claim(Action.CREATE, order.order_ref), order, self.warehouse, approved=quote.total
        )
        (order_id,) = answer.order_ids
        return order_id

    async def created(self, order_ref: str = "R-1") -> str:
        return await self.create(await self.order(order_ref=order_ref))

    async def buy_out(self, rows: list[dict[str, Any]]) -> None:
        """Buy the whole stock of each row, one after the other."""
        for number, row in enumerate(rows):
            ours = await self.order(await self.line(row, quantity=row["stock"]), order_ref=f"R-{number}")
            await self.channel.pay(claim(Action.PAY), await self.create(ours))

    def booked(self, reference: str) -> list[dict[str, Any]]:
        return [entry for entry in self.sandbox.books()["orders"] if entry["reference"] == reference]


@pytest_asyncio.fixture(params=list(Marketplace))
async def shop(request: pytest.FixtureRequest, sandbox: Sandbox, live: XportcnClient) -> Shop:
    marketplace: Marketplace = request.param
    rows = [row for row in sandbox.rows(marketplace, offset=40) if row["stock"] > 1000]
    channel = channel_for(marketplace, live)
    return Shop(sandbox, live, channel, await freight.warehouse_address(live), rows)


def since() -> datetime:
    return datetime.now(UTC)


async def test_an_offer_shows_what_the_shelf_holds(shop: Shop) -> None:
    """Ids, price, stock, minimum and seller of every SKU agree with the sandbox's own catalogue."""
    row = shop.rows[0]
    offer = await shop.channel.offer(row["item_id"])
    assert offer is not None
    sku = next(sku for sku in offer.skus if sku.sku_id == row["sku_id"])
    assert (offer.marketplace, offer.title, offer.seller_id) == (shop.marketplace, row["title"], row["seller_id"])
    assert offer.min_quantity == row["min_quantity"]
    assert (sku.price, sku.stock, sku.spec_id or None) == (Money(row["price_fen"]), row["stock"], row["spec_id"])
    assert offer.active
    assert sku.active


async def test_an_offer_that_does_not_exist_is_none(shop: Shop) -> None:
    """No exception for what is simply not there."""
    assert await shop.channel.offer("1") is None


async def test_a_search_finds_by_the_words_of_a_title(shop: Shop) -> None:
    """The item whose title is asked for comes first; the limit holds; nonsense finds nothing."""
    row = shop.rows[0]
    found = await shop.channel.search(row["title"], limit=3)
    assert found[0].item_id == row["item_id"]
    assert len(found) <= 3
    assert await shop.channel.search("no such words here") == []
    many = await shop.channel.search(row["title"].split()[0], limit=70)
    assert len({summary.item_id for summary in many}) == len(many)


async def test_a_quote_is_what_creating_costs(shop: Shop) -> None:
    """The quoted total is the created order's amount, and the order's at the service."""
    ours = await shop.order(await shop.line(shop.rows[0]))
    quote = await shop.channel.quote(ours, shop.warehouse)
    assert quote.total == quote.goods + quote.postage
    assert [priced.line_no for priced in quote.lines] == [1]
    assert quote.lines[0].amount == quote.goods
    made = await shop.channel.create(claim(Action.CREATE), ours, shop.warehouse, approved=quote.total)
    assert made.total == quote.total
    assert shop.booked("R-1")[0]["amount_fen"] == quote.total.minor


async def test_too_much_is_a_problem(shop: Shop) -> None:
    """More than the stock can't be bought, and the quote says so."""
    ours = await shop.order(await shop.line(shop.rows[0], quantity=shop.rows[0]["stock"] + 1))
    quote = await shop.channel.quote(ours, shop.warehouse)
    assert {problem.problem for problem in quote.problems} == {Problem.OUT_OF_STOCK}
    assert all(problem.message for problem in quote.problems)


async def test_too_little_is_a_problem(shop: Shop) -> None:
    """Less than the minimum quantity can't be bought either."""
    row = next(
        row for offset in range(0, 4000, 100) for row in shop.sandbox.rows(shop.marketplace, offset) if _big(row)
    )
    quote = await shop.channel.quote(await shop.order(await shop.line(row, quantity=1)), shop.warehouse)
    assert {problem.problem for problem in quote.problems} == {Problem.BELOW_MIN_QUANTITY}


def _big(row: dict[str, Any]) -> bool:
    return bool(row["min_quantity"] > 1 and row["stock"] > row["min_quantity"])


async def test_two_sellers_are_a_problem(shop: Shop) -> None:
    """One order is of one seller."""
    other = next(row for row in shop.rows if row["seller_id"] != shop.rows[0]["seller_id"])
    ours = await shop.order(await shop.line(shop.rows[0]), await shop.line(other, line_no=2))
    quote = await shop.channel.quote(ours, shop.warehouse)
    assert {problem.problem for problem in quote.problems} == {Problem.SELLERS_DIFFER}


async def test_an_order_is_created_found_paid_and_read(shop: Shop) -> None:
    """The road of an order: unpaid under our reference, then paid once, the amount as quoted."""
    start = since()
    order_id = await shop.created()
    found = await shop.channel.find(["R-1", "R-2"], since=start)
    assert {reference: [one.order_id for one in orders] for reference, orders in found.items()} == {"R-1": [order_id]}
    assert found["R-1"][0].status in (ServiceStatus.UNPAID, ServiceStatus.BUILDING)
    assert found["R-1"][0].paid is None

    await shop.channel.pay(claim(Action.PAY), order_id)
    read = await shop.channel.read([order_id, "123"])
    assert set(read) == {order_id}
    assert read[order_id].status is ServiceStatus.PAID
    assert read[order_id].paid == read[order_id].total
    assert read[order_id].reference == "R-1"
    (entry,) = shop.booked("R-1")
    assert (entry["paid_times"], entry["paid_fen"]) == (1, read[order_id].total.minor)


async def test_paying_twice_is_refused_by_one_code(shop: Shop) -> None:
    """Paid already, or unknown: both channels say it with the same codes."""
    order_id = await shop.created()
    await shop.channel.pay(claim(Action.PAY), order_id)
    with pytest.raises(Refused) as paid:
        await shop.channel.pay(claim(Action.PAY), order_id)
    with pytest.raises(Refused) as unknown:
        await shop.channel.pay(claim(Action.PAY), "123")
    assert (paid.value.code, unknown.value.code) == ("ORDER_STATUS_ERROR", "ORDER_NOT_EXIST")
    assert shop.booked("R-1")[0]["paid_times"] == 1


async def test_an_empty_wallet_is_a_refusal(shop: Shop) -> None:
    """Orders are paid until the money is gone; then nothing is debited, and the code says why."""
    rows = [row for offset in range(0, 4000, 100) for row in shop.sandbox.rows(shop.marketplace, offset)]
    dearest = sorted(rows, key=lambda row: row["price_fen"] * row["stock"], reverse=True)[:10]
    with pytest.raises(Refused) as caught:
        await shop.buy_out(dearest)
    assert caught.value.code == "BALANCE_NOT_ENOUGH"
    assert [entry["paid_times"] for entry in shop.sandbox.books()["orders"]].count(0) == 1


async def test_a_late_payment_shows_when_it_is_read_later(shop: Shop) -> None:
    """An error may be answered before the money moves: `Unanswered`, unpaid at first, paid in the end."""
    order_id = await shop.created()
    shop.sandbox.faults({"path": PAY[shop.marketplace], "kind": "late_effect", "delay_s": 600})
    with pytest.raises(Unanswered):
        await shop.channel.pay(claim(Action.PAY), order_id)
    shop.sandbox.faults()
    assert not (await shop.channel.read([order_id]))[order_id].status.is_paid
    shop.sandbox.advance(days=601 / 86400)
    assert (await shop.channel.read([order_id]))[order_id].status.is_paid


@pytest.mark.parametrize(
    ("kind", "happened"), [("drop_after", True), ("drop_before", False), ("http_500", False), ("garbage", None)]
)
async def test_a_create_without_a_clean_answer_is_unanswered_and_can_be_found(
    shop: Shop, kind: str, *, happened: bool | None
) -> None:
    """Cut before or after, 5xx, garbage: `Unanswered` once, and reading tells which it was."""
    start = since()
    ours = await shop.order()
    quote = await shop.channel.quote(ours, shop.warehouse)
    shop.sandbox.faults({"path": CREATE[shop.marketplace], "kind": kind})
    with pytest.raises(Unanswered):
        await shop.channel.create(claim(Action.CREATE), ours, shop.warehouse, approved=quote.total)
    shop.sandbox.faults()
    found = await shop.channel.find(["R-1"], since=start)
    assert len(found.get("R-1", [])) == len(shop.booked("R-1")) <= 1
    if happened is not None:
        assert bool(found) is happened


@pytest.mark.parametrize(("kind", "paid_times"), [("drop_after", 1), ("drop_before", 0), ("http_500", 0)])
async def test_a_payment_without_a_clean_answer_is_unanswered_and_sent_once(
    shop: Shop, kind: str, paid_times: int
) -> None:
    """Also where paying is a GET on a kept connection."""
    order_id = await shop.created()
    shop.sandbox.faults({"path": PAY[shop.marketplace], "kind": kind})
    with pytest.raises(Unanswered):
        await shop.channel.pay(claim(Action.PAY), order_id)
    shop.sandbox.faults()
    assert shop.booked("R-1")[0]["paid_times"] == paid_times
    assert (await shop.channel.read([order_id]))[order_id].status.is_paid is bool(paid_times)


async def test_too_many_calls_are_not_sent(shop: Shop) -> None:
    """429 on an effect: nothing was done."""
    order_id = await shop.created()
    shop.sandbox.faults({"path": PAY[shop.marketplace], "kind": "http_429"})
    with pytest.raises(NotSent) as caught:
        await shop.channel.pay(claim(Action.PAY), order_id)
    assert caught.value.retry_after_s is not None
    assert shop.booked("R-1")[0]["paid_times"] == 0


async def test_reads_get_through_a_bad_day(shop: Shop) -> None:
    """With a fifth of all reads failing in every way, offers, quotes and lists still arrive."""
    start = since()
    ours = await shop.order()
    order_id = await shop.create(ours)
    kinds = ("http_500", "http_429", "drop_before", "drop_after", "garbage")
    shop.sandbox.faults(*({"path": "/*", "kind": kind, "probability": 0.04} for kind in kinds))
    for _ in range(10):
        assert await shop.channel.offer(shop.rows[0]["item_id"]) is not None
        assert (await shop.channel.quote(ours, shop.warehouse)).problems == ()
        assert order_id in await shop.channel.read([order_id])
        assert set(await shop.channel.find(["R-1"], since=start)) == {"R-1"}


async def test_many_orders_are_all_found(shop: Shop) -> None:
    """More than a page of them, created at once."""
    start = since()
    references = [f"R-{number}" for number in range(70)]
    line = await shop.line(shop.rows[0])
    orders = [await shop.order(line, order_ref=reference) for reference in references]
    ids = await concurrently(shop.create, orders)
    found = await shop.channel.find(references, since=start)
    assert {reference: one.order_id for reference, (one,) in found.items()} == dict(zip(references, ids, strict=True))
    assert set(await shop.channel.read(ids)) == set(ids)
    assert await shop.channel.find(references, since=start + timedelta(hours=1)) == {}


async def test_an_order_travels_to_its_receiver(shop: Shop) -> None:
    """Booked, shipped, told to the warehouse, delivered: parcels, shipment and trace tell it."""
    order_id = await shop.created()
    ours = await shop.order()
    await shop.channel.pay(claim(Action.PAY), order_id)
    estimate = await freight.estimate(shop.client, ours.lines, country="US", zip_code="94601")
    quote = await freight.render(shop.client, ours)
    assert estimate.services == quote.services
    service = choose_freight(quote.services, "cheapest")
    assert service is not None
    shipment = await freight.book(shop.client, claim(Action.BOOK), ours, order_id, quote, service)
    assert shipment.fee == service.price
    assert len(shipment.tracking_numbers) == 1
    (entry,) = shop.sandbox.books()["shipments"]
    assert (entry["tmall_order_id"], entry["tracking_numbers"]) == (order_id, list(shipment.tracking_numbers))

    shop.sandbox.advance(days=2)
    shipped = (await shop.channel.read([order_id]))[order_id]
    assert shipped.status is ServiceStatus.SHIPPED
    assert shipped.shipments[0].shipment_order_id == shipment.shipment_order_id
    await freight.update_domestic(
        shop.client, claim(Action.NOTIFY), shipped.shipments[0], order_id, shipped.parcels, lines=ours.lines
    )
    shop.sandbox.advance(days=20)
    events = await shop.channel.trace((await shop.channel.read([order_id]))[order_id])
    signed = [event.tracking_number for event in events if event.status is TraceStatus.SIGN]
    assert signed == [shipped.parcels[0].tracking_number, shipment.tracking_numbers[0]]
    assert [event.occurred_at for event in events] == sorted(event.occurred_at for event in events)


async def test_an_unpaid_order_closes_and_can_not_be_booked(shop: Shop) -> None:
    """After a day it is closed; booking needs a paid order."""
    order_id = await shop.created()
    ours = await shop.order()
    quote = await freight.render(shop.client, ours)
    with pytest.raises(Refused):
        await freight.book(shop.client, claim(Action.BOOK), ours, order_id, quote, quote.services[0])
    shop.sandbox.advance(days=1.1)
    assert (await shop.channel.read([order_id]))[order_id].status is ServiceStatus.CLOSED
    assert shop.sandbox.books()["shipments"] == []


async def test_nobody_ships_everywhere(live: XportcnClient, shop: Shop) -> None:
    """A country without a service is refused by its code."""
    ours = await shop.order()
    abroad = replace(ours, request=replace(ours.request, receiver=replace(ours.request.receiver, country="AQ")))
    with pytest.raises(Refused) as caught:
        await freight.render(live, abroad)
    assert caught.value.code == "42001"


WRONG: list[tuple[dict[str, Any], Callable[[], float] | None, str]] = [
    ({"access_key": "wrong"}, None, "XPORTCN_ACCESS_KEY"),
    ({"access_secret": SecretStr("wrong")}, None, "XPORTCN_ACCESS_SECRET"),
    ({"user_id": "2100007300009"}, None, "XPORTCN_USER_ID"),
    ({"logistics_sign": "none"}, None, "XPORTCN_LOGISTICS_SIGN"),
    ({}, lambda: datetime.now(UTC).timestamp() + 3600, "clock is 36[0-9]{2} seconds ahead of"),
]


@pytest.mark.parametrize(("changes", "clock", "remedy"), WRONG)
async def test_a_wrong_account_is_told_with_its_remedy(
    sandbox: Sandbox, changes: dict[str, Any], clock: Callable[[], float] | None, remedy: str
) -> None:
    """Each part of the account and the clock, as the service itself refuses them."""
    extra: dict[str, Any] = {"clock": clock} if clock else {}
    async with XportcnClient(settings(sandbox.url, **changes), **extra) as client:
        with pytest.raises(Misconfigured, match=remedy):
            await freight.estimate(client, [], country="US")


@pytest.mark.parametrize("unit", ["s", "ms"])
async def test_both_time_stamp_units_are_taken(sandbox: Sandbox, unit: str) -> None:
    """The service reads ten digits as seconds and thirteen as milliseconds."""
    async with client_of(sandbox.url, timestamp_unit=unit) as client:
        assert (await freight.warehouse_address(client)).phone


async def test_a_taobao_order_above_its_limit_is_refused(sandbox: Sandbox, live: XportcnClient) -> None:
    """Taobao itself refuses an order that costs more than approved."""
    rows = [row for row in sandbox.rows(Marketplace.TAOBAO, offset=40) if row["stock"] > 1000]
    channel = channel_for(Marketplace.TAOBAO, live)
    shop = Shop(sandbox, live, channel, await freight.warehouse_address(live), rows)
    with pytest.raises(Refused) as caught:
        await channel.create(claim(Action.CREATE), await shop.order(), shop.warehouse, approved=Money(1))
    assert caught.value.code == "PRICE_CHANGED"
    assert caught.value.problems[0].problem is Problem.PRICE_CHANGED
    assert shop.booked("R-1") == []


async def test_a_taobao_reference_is_good_for_one_order(sandbox: Sandbox, live: XportcnClient) -> None:
    """The same create twice is one order: the reference is the service's idempotency key."""
    rows = [row for row in sandbox.rows(Marketplace.TAOBAO, offset=40) if row["stock"] > 1000]
    channel = channel_for(Marketplace.TAOBAO, live)
    shop = Shop(sandbox, live, channel, await freight.warehouse_address(live), rows)
    assert await shop.created() == await shop.created()
    assert len(shop.booked("R-1")) == 1
