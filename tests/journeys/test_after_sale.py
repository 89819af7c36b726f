"""Orders taken back: cancelled, refunded, returned, refused; ledger, snapshots and the
sandbox's books agree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import duckdb
import pandas
import polars
import pytest

from connectors.ledger.store import Ledger
from tests.running import Merchant, single_line_orders, write_csv

HOUR_S = 3_600
DAY_S = 86_400
JPG = b"\xff\xd8\xff\xe0" + b"picture" * 10
LINK = "https://example.com/broken.jpg"
BOTH = {"taobao": 2, "1688": 2}
"""Two orders at each marketplace: of each call the first one's answer is lost."""

ASK = ("/open/order/refund/submit", "/alibaba/refund/detail/create")
SEND_BACK = (
    "/open/order/refund/return/logistics/submit",
    "/alibaba/refund/goods/return",
)
CANCEL = ("/open/purchase/cancel", "/alibaba/order/cancel")


def ordered(
    merchant: Merchant, counts: Mapping[str, int], state: str = "booked"
) -> list[str]:
    """Orders bought in one run, all in this state; answers their references."""
    rows = single_line_orders(merchant.sandbox, counts)
    report = merchant.report(
        "run", write_csv(merchant.folder / "requests.csv", rows), "--yes"
    )
    assert report["counts"] == {state: len(rows)}
    return [str(row["order_ref"]) for row in rows]


def marketplace_of(order_ref: str) -> str:
    return order_ref.partition("-")[0]


def bought_two_lines(merchant: Merchant, *marketplaces: str) -> list[str]:
    """One booked order a marketplace, of two SKUs of one seller."""
    lines = []
    for marketplace in marketplaces:
        rows = single_line_orders(merchant.sandbox, {marketplace: 200})
        sellers = [
            sku["seller_id"] for sku in merchant.sandbox.catalogue(marketplace, 200)
        ]
        pair = [
            row
            for row, seller in zip(rows, sellers, strict=True)
            if seller == sellers[0]
        ]
        lines += [
            {**row, "order_ref": f"{marketplace}-two", "max_unit_price": ""}
            for row in (pair[0], pair[-1])
        ]
    report = merchant.report(
        "run", write_csv(merchant.folder / "requests.csv", lines), "--yes"
    )
    assert report["counts"] == {"booked": len(marketplaces)}, report["orders"]
    return [f"{marketplace}-two" for marketplace in marketplaces]


def arrived(merchant: Merchant, counts: Mapping[str, int]) -> list[str]:
    """Paid orders whose goods are signed for at the warehouse."""
    order_refs = ordered(merchant, counts)
    merchant.sandbox.advance(6 * DAY_S)
    merchant.report("track")
    return order_refs


def drop_first_answer(merchant: Merchant, *paths: str) -> None:
    rules = [
        {"path": path, "kind": "drop_after", "probability": 1, "times": 1, "delay_s": 0}
        for path in paths
    ]
    merchant.sandbox.faults(*rules)


def amount_paid(merchant: Merchant, order_ref: str) -> int:
    [order] = [
        order
        for order in merchant.sandbox.books()["orders"]
        if order["reference"] == order_ref
    ]
    return int(order["paid_fen"])


def assert_all_agree(
    merchant: Merchant, order_ref: str, state: str, *, came_back: int
) -> None:
    """State, refunded amount and refund ids are the same in ledger, snapshots and
    books.
    """
    books = merchant.sandbox.books()
    [shown] = [order for order in books["orders"] if order["reference"] == order_ref]
    with Ledger(
        f"sqlite:///{merchant.folder / 'data' / 'ledger.db'}", clock=never, owner="test"
    ) as ledger:
        order = ledger.orders([order_ref])[order_ref]
        refunds = ledger.refunds.of_orders([order_ref])
    assert (order.state, order.refunded.minor, shown["refunded_fen"]) == (
        state,
        came_back,
        came_back,
    )
    told = [
        (r["refund_id"], r["refunded_fen"])
        for r in books["refunds"]
        if r["order_id"] == order.order_id
    ]
    assert sorted(
        (refund.refund_id, refund.refunded.minor) for refund in refunds
    ) == sorted(told)
    query = f"select refund_id, refunded_minor from refunds where order_ref = '{order_ref}' order by refund_id"
    written = [
        (row["refund_id"], row["refunded_minor"])
        for row in merchant.report("sql", query)
    ]
    assert written == sorted(told)
    [row] = merchant.report(
        "sql", f"select state from orders where order_ref = '{order_ref}'"
    )
    assert row["state"] == state
    paid = sum(payment["amount_fen"] for payment in books["payments"])
    back = sum(order["refunded_fen"] for order in books["orders"])
    assert (
        books["wallet"]["opening_fen"] - books["wallet"]["balance_fen"] == paid - back
    )


def never() -> Any:
    raise AssertionError("a reader needs no clock")


def test_an_unpaid_order_is_cancelled(merchant: Merchant) -> None:
    """It is closed at the marketplace and in the ledger, also when the answer is lost;
    the next run buys nothing.
    """
    merchant.sandbox.control("PUT", "wallet", {"balance_fen": 0})
    order_refs = ordered(merchant, BOTH, "held")
    drop_first_answer(merchant, *CANCEL)
    done = merchant.sourcing("cancel", *order_refs, "--json")
    assert done.exit_code == 0, (done.stdout, done.stderr)
    closed = {"taobao": "4", "1688": "cancel"}
    shown = {
        order["reference"]: str(order["status"])
        for order in merchant.sandbox.books()["orders"]
    }
    assert shown == {ref: closed[marketplace_of(ref)] for ref in order_refs}
    told = merchant.report("sql", "select state, reason from orders")
    assert told == [{"state": "cancelled", "reason": None}] * 4
    merchant.sandbox.control("PUT", "wallet", {"balance_fen": 10_000_000})
    merchant.sourcing("run", merchant.folder / "requests.csv", "--yes", "--json")
    assert merchant.sandbox.books()["payments"] == []
    assert len(merchant.sandbox.books()["orders"]) == 4


@pytest.mark.endurance
def test_a_paid_order_is_cancelled_by_asking_the_money_back(merchant: Merchant) -> None:
    """Before shipping all of it comes back, once, also when the answer to asking is
    lost.
    """
    order_refs = ordered(merchant, BOTH)
    drop_first_answer(merchant, *ASK)
    report = merchant.report("cancel", *order_refs)
    assert [refund["state"] for refund in report["refunds"]] == ["asked"] * 4
    assert [order["state"] for order in report["orders"]] == ["refunding"] * 4
    merchant.sandbox.advance(5 * HOUR_S)
    followed = merchant.report("refunds")
    assert [refund["state"] for refund in followed["refunds"]] == ["refunded"] * 4
    assert len(merchant.sandbox.books()["refunds"]) == 4
    for order_ref in order_refs:
        assert_all_agree(
            merchant, order_ref, "refunded", came_back=amount_paid(merchant, order_ref)
        )


@pytest.mark.endurance
def test_money_comes_back_without_the_goods(merchant: Merchant) -> None:
    """A part of the price is refunded; the order goes on its road with the amount
    recorded.
    """
    order_refs = arrived(merchant, BOTH)
    drop_first_answer(merchant, *ASK)
    for order_ref in order_refs:
        voucher = (
            []
            if marketplace_of(order_ref) == "taobao"
            else ["--voucher", jpg(merchant)]
        )
        report = merchant.report(
            "refund",
            order_ref,
            "--reason",
            "质量问题",
            "--amount-cny",
            "1.00",
            *voucher,
        )
        assert [
            (refund["state"], refund["asked_fen"]) for refund in report["refunds"]
        ] == [("asked", 100)]
    merchant.sandbox.advance(5 * HOUR_S)
    followed = merchant.sourcing("refunds", "--json")
    assert followed.exit_code == 0, followed.stderr
    for order_ref in order_refs:
        assert_all_agree(merchant, order_ref, "in_transit", came_back=100)


@pytest.mark.endurance
def test_plain_readers_have_the_sums_of_the_ledger_after_three_runs_and_a_refund(
    merchant: Merchant,
) -> None:
    """DuckDB, Polars and pandas over the folders of tables, which every run has written
    again.
    """
    order_refs = arrived(merchant, {"taobao": 2, "1688": 1})
    for _ in range(2):
        assert (
            merchant.report("run", merchant.folder / "requests.csv", "--yes")[
                "bought_this_run"
            ]
            == 0
        )
    merchant.report(
        "refund", order_refs[0], "--reason", "质量问题", "--amount-cny", "1.00"
    )
    merchant.sandbox.advance(5 * HOUR_S)
    assert merchant.sourcing("refunds").exit_code == 0
    with Ledger(
        f"sqlite:///{merchant.folder / 'data' / 'ledger.db'}", clock=never, owner="test"
    ) as ledger:
        orders = ledger.orders(order_refs).values()
        wanted = (
            sum(order.paid.minor for order in orders),
            sum(order.refunded.minor for order in orders),
        )
    assert wanted == (sum(amount_paid(merchant, ref) for ref in order_refs), 100)
    root = merchant.folder / "data" / "snapshots"
    folders = [
        (str(root / "orders"), "paid_minor"),
        (str(root / "refunds"), "refunded_minor"),
    ]
    queries = [
        f"select sum({column}) from read_parquet('{folder}/**/*.parquet')"
        for folder, column in folders
    ]
    with duckdb.connect() as connection:
        assert (
            tuple(connection.execute(query).fetchall()[0][0] for query in queries)
            == wanted
        )
    assert (
        tuple(polars.read_parquet(folder)[column].sum() for folder, column in folders)
        == wanted
    )
    assert (
        tuple(pandas.read_parquet(folder)[column].sum() for folder, column in folders)
        == wanted
    )


@pytest.mark.endurance
def test_goods_go_back_with_a_parcel_and_a_voucher(merchant: Merchant) -> None:
    """Asked with a picture, agreed, sent back once, received, refunded."""
    order_refs = arrived(merchant, BOTH)
    asked = {}
    for order_ref in order_refs:
        picture = LINK if marketplace_of(order_ref) == "taobao" else jpg(merchant)
        report = merchant.report(
            "refund",
            order_ref,
            "--kind",
            "return",
            "--reason",
            "质量问题",
            "--voucher",
            picture,
        )
        [refund] = report["refunds"]
        asked[order_ref] = refund["asked_fen"]
    merchant.sandbox.advance(5 * HOUR_S)
    agreed = merchant.sourcing("refunds", "--json")
    assert agreed.exit_code == 3
    assert agreed.stdout.count('"state": "to_return"') == 4
    drop_first_answer(merchant, *SEND_BACK)
    for order_ref in order_refs:
        sent = merchant.report(
            "return", order_ref, "--company", "SF", "--number", "SF0001"
        )
        assert [(one["state"], one["tracking_number"]) for one in sent["refunds"]] == [
            ("returned", "SF0001")
        ]
        assert sent["troubles"] == []
        again = merchant.sourcing(
            "return", order_ref, "--company", "SF", "--number", "SF0001"
        )
        assert again.exit_code == 2
        assert "no parcel can be named now" in again.stderr
    merchant.sandbox.advance(4 * DAY_S)
    assert merchant.sourcing("refunds", "--json").exit_code == 0
    for order_ref in order_refs:
        assert_all_agree(merchant, order_ref, "refunded", came_back=asked[order_ref])


@pytest.mark.endurance
def test_a_refund_that_the_seller_refuses(merchant: Merchant) -> None:
    """No money comes, the order goes on where it was, and the reason can be read."""
    order_refs = ordered(merchant, BOTH)
    drop_first_answer(merchant, *ASK)
    for order_ref in order_refs:
        merchant.report(
            "refund", order_ref, "--reason", "不想要了", "--words", "请不要拒绝"
        )
    merchant.sandbox.advance(5 * HOUR_S)
    followed = merchant.report("refunds")
    ends = {"taobao": ("refused", 0), "1688": ("closed", 0)}
    told = {
        one["order_ref"]: (one["state"], one["refunded_fen"])
        for one in followed["refunds"]
    }
    assert told == {ref: ends[marketplace_of(ref)] for ref in order_refs}
    assert ["卖家拒绝" in refund["words"] for refund in followed["refunds"]] == [
        True
    ] * 4
    for order_ref in order_refs:
        assert_all_agree(merchant, order_ref, "booked", came_back=0)
    assert [
        "卖家拒绝" in row["reason"]
        for row in merchant.report("sql", "select reason from orders")
    ] == [True] * 4


@pytest.mark.endurance
def test_one_line_of_an_order_is_refunded(merchant: Merchant) -> None:
    """The other line goes on; the order stays booked with what came back recorded."""
    asked = {}
    for order_ref in bought_two_lines(merchant, "taobao", "1688"):
        report = merchant.report(
            "refund", order_ref, "--reason", "不想要了", "--line", "2"
        )
        [asked[order_ref]] = report["refunds"]
        assert asked[order_ref]["lines"] == [2]
    merchant.sandbox.advance(5 * HOUR_S)
    assert merchant.sourcing("refunds", "--json").exit_code == 0
    for order_ref, refund in asked.items():
        assert_all_agree(merchant, order_ref, "booked", came_back=refund["asked_fen"])


@pytest.mark.endurance
def test_taobao_refunds_each_line_by_itself(merchant: Merchant) -> None:
    """Cancelling a paid order of two lines asks for two refunds, and both together are
    all of the money.
    """
    [order_ref] = bought_two_lines(merchant, "taobao")
    report = merchant.report("cancel", order_ref)
    assert [refund["lines"] for refund in report["refunds"]] == [[1], [2]]
    merchant.sandbox.advance(5 * HOUR_S)
    merchant.report("refunds")
    assert_all_agree(
        merchant, order_ref, "refunded", came_back=amount_paid(merchant, order_ref)
    )


@pytest.mark.endurance
def test_a_refused_refund_is_asked_for_anew(merchant: Merchant) -> None:
    """Taobao keeps a refused refund open to be changed by hand: it is asked for again,
    followed, and paid.
    """
    order_refs = ordered(merchant, {"taobao": 2})
    for order_ref in order_refs:
        merchant.report(
            "refund", order_ref, "--reason", "不想要了", "--words", "请不要拒绝"
        )
    merchant.sandbox.advance(5 * HOUR_S)
    merchant.report("refunds")
    for order_ref in order_refs:
        refused = merchant.sourcing("refund", order_ref, "--reason", "卖家缺货")
        assert "ask anew in the console" in refused.stderr
    for row in merchant.report("sql", "select refund_id, asked_minor from refunds"):
        asked = {
            "refundId": row["refund_id"],
            "refundFee": row["asked_minor"],
            "reasonId": "102",
            "refundDesc": "没有货了",
        }
        done = merchant.sourcing("call", "33", json.dumps(asked), "--confirm")
        assert done.exit_code == 0, done.stderr
    followed = merchant.report("refunds")
    assert [refund["state"] for refund in followed["refunds"]] == ["asked"] * 2
    merchant.sandbox.advance(5 * HOUR_S)
    merchant.report("refunds")
    assert len(merchant.sandbox.books()["refunds"]) == 2
    for order_ref in order_refs:
        assert_all_agree(
            merchant, order_ref, "refunded", came_back=amount_paid(merchant, order_ref)
        )


@pytest.mark.endurance
def test_what_a_person_calls_is_followed_like_what_the_console_does(
    merchant: Merchant,
) -> None:
    """A refund is withdrawn by hand: it is closed without money, the order is booked as
    before, and a new one may be asked for.
    """
    (order_ref,) = ordered(merchant, {"taobao": 1})
    merchant.report("refund", order_ref, "--reason", "不想要了")
    (row,) = merchant.report("sql", "select refund_id from refunds")
    refund = json.dumps({"refundId": row["refund_id"]})
    done = merchant.sourcing("call", "29", refund, "--confirm")
    assert done.exit_code == 0, done.stderr
    (closed,) = merchant.report("refunds")["refunds"]
    assert closed["state"] == "closed"
    assert_all_agree(merchant, order_ref, "booked", came_back=0)
    merchant.report("refund", order_ref, "--reason", "不想要了")
    assert len(merchant.sandbox.books()["refunds"]) == 2


@pytest.mark.endurance
def test_receipt_is_confirmed_by_hand_once(merchant: Merchant) -> None:
    """1688 needs the buyer's word; with its answer lost it may have happened."""
    arrived(merchant, {"1688": 1})
    (row,) = merchant.report("sql", "select order_id from orders")
    order = json.dumps({"orderId": row["order_id"]})
    drop_first_answer(merchant, "/alibaba/order/receivegoods")
    done = merchant.sourcing("call", "56", order, "--confirm")
    assert (done.exit_code, "It may have happened" in done.stderr) == (3, True)
    assert merchant.sandbox.books()["orders"][0]["status"] == "confirm_goods"
    assert merchant.sourcing("track").exit_code == 0


UNASKABLE = [
    (("--reason", "无聊"), "no reason matches '无聊'"),
    (("--reason", "质量问题"), "needs a picture"),
    (
        ("--reason", "不想要了", "--amount-cny", "99999"),
        "99,999.00 CNY can't be asked for",
    ),
    (("--reason", "不想要了", "--line", "2"), "has no line 2"),
    (
        ("--reason", "不想要了", "--voucher", "no-such.jpg"),
        "voucher no-such.jpg can't be read",
    ),
]


@pytest.mark.endurance
def test_what_cannot_be_asked_for_is_said_before_anything_is_sent(
    merchant: Merchant,
) -> None:
    """Exit 2 and the remedy; without a reason those that there are, with the need for a
    voucher. Nothing is asked.
    """
    [order_ref] = arrived(merchant, {"1688": 1})
    done = merchant.sourcing("refund", order_ref, "--kind", "return")
    assert done.exit_code == 2
    assert "20003" in done.stdout
    assert "质量问题" in done.stdout
    for arguments, words in UNASKABLE:
        done = merchant.sourcing("refund", order_ref, *arguments)
        assert (done.exit_code, words in done.stderr) == (2, True), done.stderr
    assert merchant.sandbox.books()["refunds"] == []


def jpg(merchant: Merchant) -> str:
    picture = merchant.folder / "voucher.jpg"
    picture.write_bytes(JPG)
    return str(picture)
