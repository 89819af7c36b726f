"""Orders taken back: cancelled, refunded, returned, refused; ledger, snapshots and the sandbox's books agree."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.ledger.store import Ledger
from tests.running import Merchant, single_line_orders, write_csv

HOUR_S = 3_600
DAY_S = 86_400
JPG = b"\xff\xd8\xff\xe0" + b"picture" * 10
LINK = "https://example.com/broken.jpg"
MARKETPLACES = pytest.mark.parametrize("marketplace", ["taobao", "1688"])
ASK = {"taobao": "/open/order/refund/submit", "1688": "/alibaba/refund/detail/create"}
SEND_BACK = {"taobao": "/open/order/refund/return/logistics/submit", "1688": "/alibaba/refund/goods/return"}
CANCEL = {"taobao": "/open/purchase/cancel", "1688": "/alibaba/order/cancel"}


def bought(merchant: Merchant, marketplace: str, **columns: object) -> str:
    """One paid and booked order; answers its reference."""
    rows = [{**row, **columns} for row in single_line_orders(merchant.sandbox, {marketplace: 1})]
    report = merchant.report("run", write_csv(merchant.folder / "requests.csv", rows), "--yes")
    assert report["counts"] == {"booked": 1}
    return f"{marketplace}-000"


def bought_two_lines(merchant: Merchant, marketplace: str) -> str:
    """One booked order of two SKUs of one seller."""
    rows = single_line_orders(merchant.sandbox, {marketplace: 200})
    sellers = [sku["seller_id"] for sku in merchant.sandbox.catalogue(marketplace, 200)]
    pair = [row for row, seller in zip(rows, sellers, strict=True) if seller == sellers[0]]
    lines = [{**row, "order_ref": "TWO", "max_unit_price": ""} for row in (pair[0], pair[-1])]
    report = merchant.report("run", write_csv(merchant.folder / "requests.csv", lines), "--yes")
    assert report["counts"] == {"booked": 1}, report["orders"]
    return "TWO"


def unpaid(merchant: Merchant, marketplace: str) -> str:
    """One order that could not be paid: the wallet is empty."""
    merchant.sandbox.control("PUT", "wallet", {"balance_fen": 0})
    rows = single_line_orders(merchant.sandbox, {marketplace: 1})
    report = merchant.report("run", write_csv(merchant.folder / "requests.csv", rows), "--yes")
    assert report["counts"] == {"held": 1}
    return f"{marketplace}-000"


def arrived(merchant: Merchant, marketplace: str) -> str:
    """One paid order whose goods are signed for at the warehouse."""
    order_ref = bought(merchant, marketplace)
    merchant.sandbox.advance(6 * DAY_S)
    merchant.report("track")
    return order_ref


def drop_answer_once(merchant: Merchant, path: str) -> None:
    merchant.sandbox.faults({"path": path, "kind": "drop_after", "probability": 1, "times": 1, "delay_s": 0})


def assert_all_agree(merchant: Merchant, order_ref: str, state: str, *, came_back: int) -> None:
    """State, refunded amount and refund ids are the same in ledger, snapshots and books."""
    books = merchant.sandbox.books()
    [shown] = [order for order in books["orders"] if order["reference"] == order_ref]
    with Ledger(f"sqlite:///{merchant.folder / 'data' / 'ledger.db'}", clock=never, owner="test") as ledger:
        order, refunds = ledger.orders([order_ref])[order_ref], ledger.refunds.of_orders([order_ref])
    assert (order.state, order.refunded.minor, shown["refunded_fen"]) == (state, came_back, came_back)
    told = [(r["refund_id"], r["refunded_fen"]) for r in books["refunds"] if r["order_id"] == order.order_id]
    assert sorted((refund.refund_id, refund.refunded.minor) for refund in refunds) == sorted(told)
    query = f"select refund_id, refunded_minor from refunds where order_ref = '{order_ref}' order by refund_id"
    written = [(row["refund_id"], row["refunded_minor"]) for row in merchant.report("sql", query)]
    assert written == sorted(told)
    [row] = merchant.report("sql", f"select state from orders where order_ref = '{order_ref}'")
    assert row["state"] == state
    paid = sum(payment["amount_fen"] for payment in books["payments"])
    back = sum(order["refunded_fen"] for order in books["orders"])
    assert books["wallet"]["opening_fen"] - books["wallet"]["balance_fen"] == paid - back


def never() -> Any:
    raise AssertionError("a reader needs no clock")


@MARKETPLACES
@pytest.mark.parametrize("lost", [False, True])
def test_an_unpaid_order_is_cancelled(merchant: Merchant, marketplace: str, *, lost: bool) -> None:
    """It is closed at the marketplace and in the ledger, also when the answer is lost; the next run buys nothing."""
    order_ref = unpaid(merchant, marketplace)
    if lost:
        drop_answer_once(merchant, CANCEL[marketplace])
    done = merchant.sourcing("cancel", order_ref, "--json")
    assert done.exit_code == 0, (done.stdout, done.stderr)
    closed = {"taobao": 4, "1688": "cancel"}
    [order] = merchant.sandbox.books()["orders"]
    assert str(order["status"]) == str(closed[marketplace])
    [row] = merchant.report("sql", "select state, reason from orders")
    assert row == {"state": "cancelled", "reason": None}
    merchant.sandbox.control("PUT", "wallet", {"balance_fen": 10_000_000})
    merchant.sourcing("run", merchant.folder / "requests.csv", "--yes", "--json")
    assert merchant.sandbox.books()["payments"] == []
    assert len(merchant.sandbox.books()["orders"]) == 1


@MARKETPLACES
@pytest.mark.parametrize("lost", [False, True])
def test_a_paid_order_is_cancelled_by_asking_the_money_back(
    merchant: Merchant, marketplace: str, *, lost: bool
) -> None:
    """Before shipping all of it comes back, once, also when the answer to asking is lost."""
    order_ref = bought(merchant, marketplace)
    if lost:
        drop_answer_once(merchant, ASK[marketplace])
    report = merchant.report("cancel", order_ref)
    assert [refund["state"] for refund in report["refunds"]] == ["asked"]
    assert report["orders"][0]["state"] == "refunding"
    merchant.sandbox.advance(5 * HOUR_S)
    followed = merchant.report("refunds")
    assert [refund["state"] for refund in followed["refunds"]] == ["refunded"]
    assert len(merchant.sandbox.books()["refunds"]) == 1
    [order] = merchant.sandbox.books()["orders"]
    assert_all_agree(merchant, order_ref, "refunded", came_back=order["paid_fen"])


@MARKETPLACES
@pytest.mark.parametrize("lost", [False, True])
def test_money_comes_back_without_the_goods(merchant: Merchant, marketplace: str, *, lost: bool) -> None:
    """A part of the price is refunded; the order goes on its road with the amount recorded."""
    order_ref = arrived(merchant, marketplace)
    if lost:
        drop_answer_once(merchant, ASK[marketplace])
    voucher = [] if marketplace == "taobao" else ["--voucher", jpg(merchant)]
    report = merchant.report("refund", order_ref, "--reason", "质量问题", "--amount-cny", "1.00", *voucher)
    assert [(refund["state"], refund["asked_fen"]) for refund in report["refunds"]] == [("asked", 100)]
    merchant.sandbox.advance(5 * HOUR_S)
    followed = merchant.sourcing("refunds", "--json")
    assert followed.exit_code == 0, followed.stderr
    assert_all_agree(merchant, order_ref, "in_transit", came_back=100)


@MARKETPLACES
@pytest.mark.parametrize("lost", [False, True])
def test_goods_go_back_with_a_parcel_and_a_voucher(merchant: Merchant, marketplace: str, *, lost: bool) -> None:
    """Asked with a picture, agreed, sent back once, received, refunded; history is in `refund_events`."""
    order_ref = arrived(merchant, marketplace)
    picture = LINK if marketplace == "taobao" else jpg(merchant)
    asked = merchant.report("refund", order_ref, "--kind", "return", "--reason", "质量问题", "--voucher", picture)
    [refund] = asked["refunds"]
    merchant.sandbox.advance(5 * HOUR_S)
    agreed = merchant.sourcing("refunds", "--json")
    assert agreed.exit_code == 3
    assert '"state": "to_return"' in agreed.stdout
    if lost:
        drop_answer_once(merchant, SEND_BACK[marketplace])
    sent = merchant.report("return", order_ref, "--company", "SF", "--number", "SF0001")
    assert [(one["state"], one["tracking_number"]) for one in sent["refunds"]] == [("returned", "SF0001")]
    assert sent["troubles"] == []
    again = merchant.sourcing("return", order_ref, "--company", "SF", "--number", "SF0001")
    assert again.exit_code == 2
    assert "no parcel can be named now" in again.stderr
    merchant.sandbox.advance(4 * DAY_S)
    assert merchant.sourcing("refunds", "--json").exit_code == 0
    assert_all_agree(merchant, order_ref, "refunded", came_back=refund["asked_fen"])
    events = merchant.report("sql", "select sequence, status from refund_events order by sequence")
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    ends = {"taobao": "100", "1688": "refundsuccess"}
    assert events[-1]["status"] == ends[marketplace]


@MARKETPLACES
@pytest.mark.parametrize("lost", [False, True])
def test_a_refund_that_the_seller_refuses(merchant: Merchant, marketplace: str, *, lost: bool) -> None:
    """No money comes, the order goes on where it was, and the reason can be read."""
    order_ref = bought(merchant, marketplace)
    if lost:
        drop_answer_once(merchant, ASK[marketplace])
    merchant.report("refund", order_ref, "--reason", "不想要了", "--words", "请不要拒绝")
    merchant.sandbox.advance(5 * HOUR_S)
    followed = merchant.report("refunds")
    ends = {"taobao": "refused", "1688": "closed"}
    assert [(refund["state"], refund["refunded_fen"]) for refund in followed["refunds"]] == [(ends[marketplace], 0)]
    assert "卖家拒绝" in followed["refunds"][0]["words"]
    assert_all_agree(merchant, order_ref, "booked", came_back=0)
    [row] = merchant.report("sql", "select reason from orders")
    assert "卖家拒绝" in row["reason"]


@MARKETPLACES
def test_one_line_of_an_order_is_refunded(merchant: Merchant, marketplace: str) -> None:
    """The other line goes on; the order stays booked with what came back recorded."""
    order_ref = bought_two_lines(merchant, marketplace)
    report = merchant.report("refund", order_ref, "--reason", "不想要了", "--line", "2")
    [asked] = report["refunds"]
    assert asked["lines"] == [2]
    merchant.sandbox.advance(5 * HOUR_S)
    assert merchant.sourcing("refunds", "--json").exit_code == 0
    assert_all_agree(merchant, order_ref, "booked", came_back=asked["asked_fen"])


def test_taobao_refunds_each_line_by_itself(merchant: Merchant) -> None:
    """Cancelling a paid order of two lines asks for two refunds, and both together are all of the money."""
    order_ref = bought_two_lines(merchant, "taobao")
    report = merchant.report("cancel", order_ref)
    assert [refund["lines"] for refund in report["refunds"]] == [[1], [2]]
    merchant.sandbox.advance(5 * HOUR_S)
    merchant.report("refunds")
    [order] = merchant.sandbox.books()["orders"]
    assert_all_agree(merchant, order_ref, "refunded", came_back=order["paid_fen"])


@pytest.mark.parametrize("lost", [False, True])
def test_a_refused_refund_is_asked_for_anew(merchant: Merchant, *, lost: bool) -> None:
    """Taobao keeps a refused refund open to be modified: the same refund is asked for again, and paid."""
    order_ref = bought(merchant, "taobao")
    merchant.report("refund", order_ref, "--reason", "不想要了", "--words", "请不要拒绝")
    merchant.sandbox.advance(5 * HOUR_S)
    merchant.report("refunds")
    if lost:
        drop_answer_once(merchant, "/open/order/refund/modify")
    again = merchant.report("refund", order_ref, "--reason", "卖家缺货", "--words", "没有货了")
    assert [refund["state"] for refund in again["refunds"]] == ["asked"]
    assert again["troubles"] == []
    merchant.sandbox.advance(5 * HOUR_S)
    merchant.report("refunds")
    [order] = merchant.sandbox.books()["orders"]
    assert len(merchant.sandbox.books()["refunds"]) == 1
    assert_all_agree(merchant, order_ref, "refunded", came_back=order["paid_fen"])


@pytest.mark.parametrize("lost", [False, True])
def test_a_refund_is_withdrawn(merchant: Merchant, *, lost: bool) -> None:
    """It is closed without money and the order is booked as before; a new one may be asked for."""
    order_ref = bought(merchant, "taobao")
    merchant.report("refund", order_ref, "--reason", "不想要了")
    if lost:
        drop_answer_once(merchant, "/open/order/refund/cancel/*")
    report = merchant.report("withdraw", order_ref)
    assert [refund["state"] for refund in report["refunds"]] == ["closed"]
    assert report["troubles"] == []
    assert_all_agree(merchant, order_ref, "booked", came_back=0)
    merchant.report("refund", order_ref, "--reason", "不想要了")
    assert len(merchant.sandbox.books()["refunds"]) == 2


@pytest.mark.parametrize("lost", [False, True])
def test_the_seller_is_told_once(merchant: Merchant, *, lost: bool) -> None:
    """A message goes out once, also when its answer is lost and the command is repeated."""
    order_ref = bought(merchant, "taobao")
    merchant.report("refund", order_ref, "--reason", "不想要了")
    if lost:
        drop_answer_once(merchant, "/open/order/refund/submit/message")
    for _ in range(2):
        assert merchant.sourcing("message", order_ref, "请快一点", "--json").exit_code == 0
    merchant.report("refunds")
    said = merchant.report("sql", "select description from refund_events where role = 'buyer'")
    assert said == [{"description": "请快一点"}]


@pytest.mark.parametrize("lost", [False, True])
def test_receipt_is_confirmed_once(merchant: Merchant, *, lost: bool) -> None:
    """1688 needs the buyer's word; a lost answer is found by reading the order."""
    order_ref = arrived(merchant, "1688")
    if lost:
        drop_answer_once(merchant, "/alibaba/order/receivegoods")
    done = merchant.sourcing("receive", order_ref, "--json")
    assert done.exit_code == 0, done.stdout
    assert [order["status"] for order in merchant.sandbox.books()["orders"]] == ["confirm_goods"]


def test_without_a_reason_the_reasons_are_listed(merchant: Merchant) -> None:
    """Nothing is asked for; amounts and the need for a voucher are shown."""
    order_ref = arrived(merchant, "1688")
    done = merchant.sourcing("refund", order_ref, "--kind", "return")
    assert done.exit_code == 2
    assert "20003" in done.stdout
    assert "质量问题" in done.stdout
    assert merchant.sandbox.books()["refunds"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--reason", "无聊"), "no reason matches '无聊'"),
        (("--reason", "质量问题"), "needs a picture"),
        (("--reason", "不想要了", "--amount-cny", "99999"), "99,999.00 CNY can't be asked for"),
        (("--reason", "不想要了", "--line", "2"), "has no line 2"),
        (("--reason", "不想要了", "--voucher", "no-such.jpg"), "voucher no-such.jpg can't be read"),
    ],
)
def test_what_cannot_be_asked_for_is_said_before_anything_is_sent(
    merchant: Merchant, arguments: tuple[str, ...], words: str
) -> None:
    """Exit 2 and the remedy; the books stay as they are."""
    order_ref = arrived(merchant, "1688")
    done = merchant.sourcing("refund", order_ref, *arguments)
    assert (done.exit_code, words in done.stderr) == (2, True), done.stderr
    assert merchant.sandbox.books()["refunds"] == []


def jpg(merchant: Merchant) -> str:
    picture = merchant.folder / "voucher.jpg"
    picture.write_bytes(JPG)
    return str(picture)
