"""Payments: once, from the wallet, and refused by one set of codes."""

from __future__ import annotations

import pytest

from connectors.xportcn.errors import NotSent, Refused, Unanswered
from domain.service_orders import ServiceStatus
from tests.connectors.marketplaces.channel_contract.shop import Shop


async def test_paying_twice_is_refused_by_one_code(shop: Shop) -> None:
    """Paid already, or unknown: all channels say it with the same codes."""
    order_id = await shop.created()
    await shop.pay(order_id)
    with pytest.raises(Refused) as paid:
        await shop.pay(order_id)
    with pytest.raises(Refused) as unknown:
        await shop.pay("999999")
    assert (paid.value.code, unknown.value.code) == (
        "ORDER_STATUS_ERROR",
        "ORDER_NOT_EXIST",
    )
    assert shop.booked()[0]["paid_times"] == 1


async def test_an_empty_wallet_is_a_refusal(shop: Shop) -> None:
    """Orders are paid until the money is gone; then nothing is debited, the code says
    why and the order is unpaid.
    """
    dearest = sorted(
        shop.plain_rows, key=lambda row: row["price_fen"] * row["stock"], reverse=True
    )[:10]
    with pytest.raises(Refused) as caught:
        await shop.buy_out(dearest)
    assert caught.value.code == "BALANCE_NOT_ENOUGH"
    (unpaid,) = [
        entry for entry in shop.sandbox.books()["orders"] if not entry["paid_times"]
    ]
    service_order = (await shop.channel.read([unpaid["order_id"]]))[unpaid["order_id"]]
    assert service_order.status in (ServiceStatus.UNPAID, ServiceStatus.BUILDING)


async def test_a_late_payment_shows_when_it_is_read_later(shop: Shop) -> None:
    """An error may be answered before the money moves: `Unanswered`, unpaid at first,
    paid in the end.
    """
    order_id = await shop.created()
    with (
        shop.fault(shop.paths.pay, "late_effect", delay_s=600),
        pytest.raises(Unanswered),
    ):
        await shop.pay(order_id)
    assert not (await shop.channel.read([order_id]))[order_id].status.is_paid
    shop.sandbox.advance(days=601 / 86400)
    assert (await shop.channel.read([order_id]))[order_id].status.is_paid


@pytest.mark.parametrize(
    ("kind", "paid_times"),
    [("drop_after", 1), ("drop_before", 0), ("http_500", 0), ("garbage", 0)],
)
async def test_a_payment_without_a_clean_answer_is_unanswered_and_sent_once(
    shop: Shop, kind: str, paid_times: int
) -> None:
    """Also where paying is a GET on a kept connection; reading tells whether it is
    paid.
    """
    order_id = await shop.created()
    with shop.fault(shop.paths.pay, kind), pytest.raises(Unanswered):
        await shop.pay(order_id)
    assert shop.booked()[0]["paid_times"] == paid_times
    assert (await shop.channel.read([order_id]))[order_id].status.is_paid is bool(
        paid_times
    )


async def test_too_many_calls_are_not_sent(shop: Shop) -> None:
    """429 on an effect: nothing was done."""
    order_id = await shop.created()
    with shop.fault(shop.paths.pay, "http_429"), pytest.raises(NotSent) as caught:
        await shop.pay(order_id)
    assert caught.value.retry_after_s is not None
    assert shop.booked()[0]["paid_times"] == 0
