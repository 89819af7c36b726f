"""Orders that wait in shops: which come into the inbox, under which name, and what is
told of the others.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from connectors import durable, http
from connectors.ledger.marks import Mark
from connectors.ledger.plans import THE_SHOP, declined, drop, ended_in_shop, laid_aside
from connectors.ledger.schema import marks, orders, to_json
from connectors.ledger.store import Ledger
from connectors.process_locks import is_free
from connectors.request_files import read_request_file
from connectors.settings import SourcingSettings
from connectors.shop_files import shipped
from connectors.shops import opened_shop
from connectors.shops.protocol import WaitingLine, WaitingOrder
from connectors.shops.requests import (
    rewrite,
    unknown_orders,
    waiting_without,
    write_requests,
)
from connectors.shops.shopify import Shopify
from connectors.shops.woocommerce import WooCommerce
from connectors.xportcn.errors import NotSent, Refused, Unanswered, XportcnError
from domain.decisions import FINE, refused
from domain.reasons import ReasonCode, because
from domain.service_orders import Shipment
from flows import exchange as flow
from flows.batch.sorting import sort_requests
from flows.notify.news import of_shop
from tests.clock import MovableClock
from tests.connectors.test_shop_files import BOOK
from tests.flows.plans import planned
from tests.shops import InProcess, Order, ShopServer

SHOPS = {
    "shopify": SecretStr("https://:token@a.myshopify.com"),
    "woocommerce": SecretStr("https://k:s@shop.example"),
}
ROW: dict[str, Any] = {
    **{
        "order": "#1",
        "line": "gid:1",
        "sku": "FERN-1",
        "name": "A fern",
        "quantity": 1,
        "receiver_name": "Jane Doe",
    },
    **{
        "receiver_phone": "+1 617 555 0100",
        "receiver_email": "j@example.com",
        "country": "US",
        "state": "MA",
    },
    **{"city": "Boston", "zip": "02134", "address": "1 Main St"},
}


def order(name: str, **cells: Any) -> WaitingOrder:
    line = WaitingLine(**ROW | {"order": name, "line": f"gid:{name}"} | cells)
    return WaitingOrder(name=name, lines=(line,))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ShopServer:
    made = ShopServer(
        {"1001": Order({"71": ("FERN-1", 2)}), "1002": Order({"72": ("FERN-1", 1)})}
    )
    monkeypatch.setattr(http.Http, "exchange", InProcess(made).exchange)
    return made


@pytest.fixture
def ledger(tmp_path: Path, clock: MovableClock) -> Iterator[Ledger]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock, owner="test"
    ) as made:
        yield made


async def waiting(name: str) -> dict[str, str]:
    """Each order that a shop shows, and why it is left out."""
    async with opened_shop(SourcingSettings().model_copy(update=SHOPS), name) as shop:
        return {
            one.name: one.why for one in await flow._judged(shop, await shop.waiting())
        }


@pytest.mark.parametrize(
    ("cells", "columns"),
    [
        ({"receiver_name": "Jane \u202eDoe"}, "receiver_name"),
        ({"address": "1 Main \ufffd"}, "address"),
        (
            {"receiver_email": "not an email", "country": "XX"},
            "receiver_email, country",
        ),
        ({"quantity": 0}, "quantity"),
        ({"address": "x" * 300_000}, ""),
        ({"order": "#\u2014"}, "shopify order"),
    ],
)
def test_an_odd_order_is_left_out_and_the_others_go(
    tmp_path: Path, cells: dict[str, Any], columns: str
) -> None:
    """The words name no receiver."""
    odd = order(cells.get("order", "#1"), **cells)
    (why,) = write_requests(tmp_path, tmp_path, "shopify", [odd, order("#2")]).values()
    parsed = read_request_file(tmp_path / "read-from-shopify.csv", book=BOOK)
    assert ([one.order_ref for one in parsed.orders], parsed.faults) == (["S-2"], ())
    assert why == (
        f"it can't be bought with this {columns}"
        if columns
        else "it can't be read as rows of a file"
    )


def test_cells_come_as_the_shop_has_them(tmp_path: Path) -> None:
    places = {
        "sku": "A,-1",
        "address": "Flat 3, -2nd floor; =Doe & Co",
        "receiver_phone": "+1 617 555 0100",
    }
    assert write_requests(tmp_path, tmp_path, "shopify", [order("#1", **places)]) == {}
    text = (tmp_path / "read-from-shopify.csv").read_text()
    (one,) = read_request_file(tmp_path / "read-from-shopify.csv", book=BOOK).orders
    assert (one.own_skus[0].sku, one.receiver.address) == (
        "A,-1",
        "Flat 3, -2nd floor; =Doe & Co",
    )
    assert ("'=Doe" in text, one.receiver.phone) == (True, "+1 617 555 0100")


def test_orders_of_one_name_here_are_not_joined(ledger: Ledger, tmp_path: Path) -> None:
    found = unknown_orders(
        ledger, tmp_path, "shopify", [order("#1"), order("1"), order("#1")]
    )
    assert [(one.name, one.why) for one in found.values()] == [
        ("#1", ""),
        ("1", "it would be called S-1, as another is"),
    ]


def test_an_order_that_its_shop_opened_again_is_read_anew(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Not one that a person laid aside."""
    ledger.start_batch("batch", "file.csv")
    ledger.put_plans([planned("S-1"), planned("S-2")], "batch")
    drop(ledger, ["S-1"], by=THE_SHOP, note="it is cancelled")
    drop(ledger, ["S-2"], by="mei")
    found = unknown_orders(ledger, tmp_path, "shopify", [order("#1"), order("#2")])
    assert [(ref, one.name, one.why) for ref, one in found.items()] == [
        ("S-1", "#1", "")
    ]


def test_an_order_that_waits_here_is_read_anew_where_its_shop_shows_it_otherwise(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Whole or in parts; as long as nothing was begun, and unless it was laid aside."""
    two = replace(
        order("#1"),
        lines=(*order("#1").lines, *order("#1", sku="MOSS-1", line="gid:2").lines),
    )
    assert (
        write_requests(tmp_path, tmp_path, "shopify", [two, order("#2"), order("#3")])
        == {}
    )
    whole, *others = read_request_file(
        tmp_path / "read-from-shopify.csv", book=BOOK
    ).orders
    parts = [
        replace(whole, order_ref=ref, lines=(line,))
        for ref, line in zip(("S-1", "S-1-b"), whole.lines, strict=True)
    ]
    ledger.parts.keep({"S-1": {"FERN-1": "S-1", "MOSS-1": "S-1-b"}})
    ledger.start_batch("batch", "file.csv")
    ledger.put_plans(
        [replace(planned(one.order_ref), request=one) for one in (*parts, *others)],
        "batch",
    )
    drop(ledger, ["S-3"], by="mei")

    def anew(*shown: WaitingOrder) -> list[str]:
        return sorted(unknown_orders(ledger, tmp_path, "shopify", shown))

    assert anew(two, order("#2"), order("#3", quantity=2)) == []
    assert anew(replace(two, lines=two.lines[:1]), order("#2", quantity=2)) == [
        "S-1",
        "S-2",
    ]
    assert anew(
        replace(
            two, lines=tuple(replace(one, address="2 Main St") for one in two.lines)
        )
    ) == ["S-1"]
    assert anew(order("#2", address="x" * 300_000)) == ["S-2"]
    assert anew(WaitingOrder(name="#2", why="it has more lines than are read")) == []
    with ledger.transaction() as connection:
        connection.execute(
            update(orders).where(orders.c.order_ref == "S-1-b").values(order_id="77")
        )
    assert anew(replace(two, lines=two.lines[:1])) == []


@pytest.mark.parametrize(("name", "prefix"), [("shopify", "#"), ("woocommerce", "")])
async def test_an_order_that_waits_here_and_can_t_be_bought_as_shown_is_bought_no_more_until_it_can(
    server: ShopServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    prefix: str,
) -> None:
    """Refunded in part, held there, or with a cell that no file may have; it is told
    once, and then read again.
    """
    monkeypatch.setenv(f"SOURCING_{name.upper()}", SHOPS[name].get_secret_value())
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    part = {"displayFulfillmentStatus": "ON_HOLD"}, {"refunds": [{"id": 1}]}
    odd = {"email": "jane@gmail"}, {"billing": {"email": "jane@gmail"}}
    shown, woo = server._waiting, server._woo_waiting
    monkeypatch.setattr(
        server,
        "_waiting",
        lambda ref: shown(ref) | (part[0] if ref == "1001" else odd[0]),
    )
    changes = {1001: part[1], 1002: odd[1]}
    monkeypatch.setattr(
        server,
        "_woo_waiting",
        lambda: [one | changes.get(one["id"], {}) for one in woo()],
    )
    with Ledger(
        SourcingSettings().ledger_url, clock=lambda: datetime.now(UTC), owner="test"
    ) as ledger:
        held = [planned(f"{name[0].upper()}-{at}") for at in ("1001", "1002")]
        refs = [f"{prefix}{at}" for at in ("1001", "1002")]
        known = [
            replace(one, request=replace(one.request, shop=name, shop_ref=ref))
            for one, ref in zip(held, refs, strict=True)
        ]
        requests, both = (
            [one.request for one in known],
            [one.order_ref for one in known],
        )
        ledger.start_batch("batch", "file.csv")
        ledger.put_plans(known, "batch")
        for _ in range(2):
            assert await flow.shop_orders.fn(str(tmp_path / "inbox")) == {name: 0}
        assert sort_requests(ledger, requests).over == both
        assert [one.subject for one in ledger.outbox.begin("ntfy")] == [
            f"{name}: 2 orders not bought as shown there"
        ]
        monkeypatch.setattr(server, "_waiting", shown)
        monkeypatch.setattr(server, "_woo_waiting", woo)
        for _ in range(2):  # until a run has planned them
            assert await flow.shop_orders.fn(str(tmp_path / "inbox")) == {name: 2}
        assert [
            one.order_ref for one in sort_requests(ledger, requests).to_plan
        ] == both
        assert (
            laid_aside(ledger, both, beforehand=""),
            declined(ledger, both, beforehand=""),
        ) == ({}, {})
        ledger.since = datetime.now(UTC)
        ledger.put_plans(known, "batch")
        assert {str(one.state) for one in ledger.each_order(both)} == {"planned"}


@pytest.mark.parametrize(
    ("name", "ref"), [("shopify", "#1001"), ("woocommerce", "1001")]
)
@pytest.mark.parametrize(
    ("numbers", "ends"), [(["OURS"], False), (["OURS", "BY-HAND"], True)]
)
async def test_a_part_waits_on_while_its_shop_has_the_numbers_of_other_parts_alone(
    server: ShopServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    ref: str,
    numbers: list[str],
    *,
    ends: bool,
) -> None:
    monkeypatch.setenv(f"SOURCING_{name.upper()}", SHOPS[name].get_secret_value())
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    server.orders["1001"].sent["71"] = 1
    server.orders["1001"].numbers += numbers
    shown, sent = server._waiting, {"displayFulfillmentStatus": "PARTIALLY_FULFILLED"}
    monkeypatch.setattr(
        server, "_waiting", lambda at: shown(at) | (sent if at == "1001" else {})
    )
    begun, waits = (f"{name[0].upper()}-1001{part}" for part in ("", "-b"))
    with Ledger(
        SourcingSettings().ledger_url, clock=lambda: datetime.now(UTC), owner="test"
    ) as ledger:
        plans = [planned(one) for one in (begun, waits)]
        ledger.start_batch("batch", "file.csv")
        ledger.parts.keep({begun: {"FERN-1": begun, "MOSS-1": waits}})
        ledger.put_plans(
            [
                replace(one, request=replace(one.request, shop=name, shop_ref=ref))
                for one in plans
            ],
            "batch",
        )
        with ledger.transaction() as connection:
            shipment = to_json(
                Shipment(shipment_order_id="9", tracking_numbers=("OURS",))
            )
            was = update(orders).where(orders.c.order_ref == begun)
            connection.execute(
                was.values(order_id="77", shipment=shipment, state="in_transit")
            )
        await flow.shop_orders.fn(str(tmp_path / "inbox"))
        assert ended_in_shop(ledger.orders([waits])[waits]) == ends


def test_what_woocommerce_can_t_prove_is_bought_after_an_approval(
    tmp_path: Path,
) -> None:
    assert write_requests(tmp_path, tmp_path, "woocommerce", [order("1")]) == {}
    assert [one.name for one in tmp_path.iterdir()] == ["ask-read-from-woocommerce.csv"]


@pytest.mark.parametrize("has_fulfillments", [True, False])
async def test_woocommerce_orders_that_were_sent_or_refunded_in_part_are_left_out(
    server: ShopServer, monkeypatch: pytest.MonkeyPatch, *, has_fulfillments: bool
) -> None:
    server.has_fulfillments = has_fulfillments
    server.orders["1001"].sent["71"] = 1
    server.orders["1001"].numbers.append("SENT-BY-HAND")
    shown = server._woo_waiting()
    shown.append(
        {**shown[1], "id": 1003, "refunds": [{"id": 5, "reason": "", "total": "-4.00"}]}
    )
    monkeypatch.setattr(server, "_woo_waiting", lambda: shown)
    assert await waiting("woocommerce") == {
        "1001": "the shop has a shipment of it",
        "1002": "",
        "1003": "it was refunded in part",
    }


async def test_a_variation_that_shows_what_all_of_its_product_show_is_named_by_its_id(
    server: ShopServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WooCommerce gives a variation without a SKU its product's, and no attributes in a
    name where there are many.
    """
    order, scarf = (
        server._woo_waiting()[0],
        {"product_id": 5, "variation_id": 51, "quantity": 1, "name": "Scarf - Red"},
    )
    order["line_items"] = [
        {**scarf, "id": 1, "sku": "SCARF", "parent_name": "Scarf"},
        {**scarf, "id": 2, "sku": "SCARF-RED", "parent_name": "Scarf"},
        {**scarf, "id": 3, "sku": "", "parent_name": "Scarf"},
        {**scarf, "id": 4, "sku": "", "parent_name": "Scarf", "name": "Scarf"},
        {**scarf, "id": 5, "sku": "HAT", "product_id": 6},
        {
            "id": 6,
            "sku": "FERN-1",
            "name": "Fern",
            "quantity": 1,
            "product_id": 7,
            "variation_id": 0,
        },
    ]
    monkeypatch.setattr(server, "_woo_waiting", lambda: [order])
    async with opened_shop(
        SourcingSettings().model_copy(update=SHOPS), "woocommerce"
    ) as shop:
        (waits,) = await shop.waiting()
    assert [line.sku for line in waits.lines] == [
        "SCARF-51",
        "SCARF-RED",
        "",
        "Scarf-51",
        "HAT-51",
        "FERN-1",
    ]


async def test_shopify_tells_what_it_can_t_give_and_leaves_out_tests(
    server: ShopServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, many = server._waiting, {"pageInfo": {"hasNextPage": True}, "nodes": []}
    odd = {
        "1001": {"lineItems": many},
        "1002": {"shippingAddress": None},
        "1003": {"test": True},
        "1004": {"email": 5},
        "1005": {},
        "1006": {"displayFinancialStatus": "PARTIALLY_REFUNDED"},
        "1007": {"displayFulfillmentStatus": "PARTIALLY_FULFILLED"},
    }
    server.orders |= {name: Order({"71": ("FERN-1", 1)}) for name in odd}
    monkeypatch.setattr(server, "_waiting", lambda name: shown(name) | odd[name])
    assert await waiting("shopify") == {
        "#1001": "it has more lines than are read",
        "#1002": "it has no shipping address",
        "#1004": "email is not as the shop's API says",
        "#1005": "",
        "#1006": "it is partially refunded and unfulfilled",
        "#1007": "it is paid and partially fulfilled",
    }


async def test_a_malformed_order_of_woocommerce_keeps_no_other_from_being_read(
    server: ShopServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = server._woo_waiting()
    second["line_items"][0]["quantity"] = 1.5
    monkeypatch.setattr(server, "_woo_waiting", lambda: [first, second, "x"])
    assert await waiting("woocommerce") == {
        "1001": "",
        "1002": "line_items.0.quantity is not as the shop's API says",
        "": "it is not as the shop's API says",
    }


@pytest.mark.parametrize(
    "error",
    [
        Refused("gone", code="woocommerce_rest_shop_order_invalid_id"),
        Unanswered("HTTP 500", status=500),
        NotSent("no answer within 30 s"),
    ],
)
async def test_an_order_whose_shipments_the_shop_does_not_show_is_left_out(
    server: ShopServer, monkeypatch: pytest.MonkeyPatch, error: XportcnError
) -> None:
    """Where it is each order that was asked about, the shop itself fails, and no order
    of it is left out for that.
    """
    failing = ["1002"]

    async def sent(_: object, ref: str) -> str:
        if ref in failing:
            raise error
        return ""

    monkeypatch.setattr(WooCommerce, "sent", sent)
    assert await waiting("woocommerce") == {
        "1001": "",
        "1002": "the shop does not show what was sent of it",
    }
    failing.append("1001")
    with pytest.raises(type(error)):
        await waiting("woocommerce")


async def test_one_shop_s_failure_keeps_no_other_from_being_read(
    server: ShopServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> list[WaitingOrder]:
        raise Unanswered("HTTP 503", operation="shopify")

    monkeypatch.setattr(Shopify, "waiting", away)
    for name, address in SHOPS.items():
        monkeypatch.setenv(f"SOURCING_{name.upper()}", address.get_secret_value())
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    assert "shopify: HTTP 503" in str(
        await flow.shop_orders.fn(str(tmp_path / "inbox"))
    )
    assert [one.name for one in (tmp_path / "inbox").iterdir()] == [
        "ask-read-from-woocommerce.csv"
    ]


@pytest.mark.parametrize(
    ("name", "prefix", "over", "odd"),
    [
        ("shopify", "#", {"cancelledAt": "2026-01-02"}, {"displayFinancialStatus": 5}),
        (
            "woocommerce",
            "",
            {"status": "refunded"},
            {"line_items": [{"id": 1, "quantity": 1.5}]},
        ),
    ],
)
@pytest.mark.parametrize("before", ["planned", "refused", "laid aside"])
async def test_an_order_that_its_shop_ended_is_not_bought_any_more(
    server: ShopServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    prefix: str,
    over: dict[str, Any],
    odd: dict[str, Any],
    before: str,
) -> None:
    """Wherever its file lies, and whatever it was before.

    One that another shop of this kind may have, or that can't be shown, stays.
    """
    monkeypatch.setenv(f"SOURCING_{name.upper()}", SHOPS[name].get_secret_value())
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    server.orders |= {at: Order({"73": ("FERN-1", 1)}) for at in ("1003", "1004")}
    server.standings |= {"1003": over, "1004": odd}
    shown, woo = server._waiting, server._woo_waiting
    monkeypatch.setattr(
        server,
        "_waiting",
        lambda ref: shown(ref) | ({"test": True} if ref > "1002" else {}),
    )
    monkeypatch.setattr(
        server, "_woo_waiting", lambda: [one for one in woo() if one["id"] < 1003]
    )
    settings, refs = (
        SourcingSettings(),
        [f"{prefix}{at}" for at in ("1001", "1003", "1004", "9999")],
    )
    killed = iter([True])

    def killed_once(*given: Any, **named: Any) -> Any:
        if next(killed, False):
            raise KeyboardInterrupt
        return drop(*given, **named)

    monkeypatch.setattr(flow, "drop", killed_once)
    with Ledger(
        settings.ledger_url, clock=lambda: datetime.now(UTC), owner="test"
    ) as ledger:
        held = [planned(f"{name[0].upper()}-{ref.strip('#')}") for ref in refs]
        known = [
            replace(one, request=replace(one.request, shop=name, shop_ref=ref))
            for one, ref in zip(held, refs, strict=True)
        ]
        ledger.start_batch("batch", "file.csv")
        verdict = (
            refused(
                because(
                    ReasonCode.OUT_OF_STOCK, title="A fern", item="1", stock=0, asked=1
                )
            )
            if before == "refused"
            else FINE
        )
        ledger.put_plans([one.with_verdict(verdict) for one in known], "batch")
        if before == "laid aside":
            drop(ledger, [one.order_ref for one in known], by="mei")
        with pytest.raises(KeyboardInterrupt):
            await flow.shop_orders.fn(str(tmp_path / "inbox"))
        assert await flow.shop_orders.fn(str(tmp_path / "inbox")) == {
            name: 1 if before == "laid aside" else 2
        }
        work = sort_requests(ledger, [one.request for one in known])
        told = [one.subject for one in ledger.outbox.begin("ntfy")]
    assert (work.over, len(work.to_plan)) == ([known[1].order_ref], 3)
    assert told == [f"{name}: 1 order not bought as shown there"]


async def test_a_question_about_one_order_that_gets_no_answer_keeps_none_from_being_read(
    server: ShopServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused is asked about for 60 days: a shop may show nothing of an older
    order, each night anew.
    """
    monkeypatch.setenv("SOURCING_SHOPIFY", SHOPS["shopify"].get_secret_value())
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    asked = list[str]()

    async def unanswered(_: object, shop_ref: str) -> str:
        asked.append(shop_ref)
        raise Unanswered("timeout", operation="shopify")

    monkeypatch.setattr(Shopify, "over", unanswered)
    sold_out = refused(
        because(ReasonCode.OUT_OF_STOCK, title="A fern", item="1", stock=0, asked=1)
    )
    clock = MovableClock()
    clock.advance((datetime.now(UTC) - timedelta(days=61) - clock()).total_seconds())
    with Ledger(SourcingSettings().ledger_url, clock=clock, owner="test") as ledger:
        ledger.start_batch("batch", "file.csv")
        for ref, verdict in (("#1", FINE), ("#2", sold_out), ("#3", sold_out)):
            clock.advance(86_400 * (ref == "#3") * 30)
            one = planned(f"S-{ref[1]}").with_verdict(verdict)
            one = replace(
                one, request=replace(one.request, shop="shopify", shop_ref=ref)
            )
            ledger.put_plans([one], "batch")
    assert await flow.shop_orders.fn(str(tmp_path / "inbox")) == {"shopify": 2}
    assert sorted(asked) == ["#1", "#3"]


async def test_a_shipment_of_an_order_that_waits_here_is_seen_and_one_that_can_t_be_read_keeps_none_from_being_read(
    server: ShopServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCING_WOOCOMMERCE", SHOPS["woocommerce"].get_secret_value())
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    server.orders["1003"] = Order({"73": ("FERN-1", 1)})

    async def sent(_: object, name: str) -> str:
        if name == "1002":
            raise Unanswered("timeout", operation="woocommerce")
        return "the shop has a shipment of it" if name == "1001" else ""

    monkeypatch.setattr(WooCommerce, "sent", sent)
    with Ledger(
        SourcingSettings().ledger_url, clock=lambda: datetime.now(UTC), owner="test"
    ) as ledger:
        ledger.start_batch("batch", "file.csv")
        held = [(planned(f"W-{at}"), at) for at in ("1001", "1002")]
        known = [
            replace(one, request=replace(one.request, shop="woocommerce", shop_ref=at))
            for one, at in held
        ]
        ledger.put_plans([one.with_verdict(FINE) for one in known], "batch")
        drop(ledger, ["W-1002"], by="mei")
        assert await flow.shop_orders.fn(str(tmp_path / "inbox")) == {"woocommerce": 1}
        assert ended_in_shop(ledger.orders(["W-1001"])["W-1001"])


async def test_orders_of_shops_are_not_read_into_a_ledger_that_was_moved(
    server: ShopServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCING_SHOPIFY", SHOPS["shopify"].get_secret_value())
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    with Ledger(
        SourcingSettings().ledger_url, clock=lambda: datetime.now(UTC), owner="test"
    ) as ledger:
        row = {
            "name": Mark.MOVED,
            "at": datetime.now(UTC),
            "by": "Mei",
            "words": "was moved",
        }
        with ledger.transaction() as connection:
            connection.execute(marks.insert().values(row))
    assert "Set SOURCING_LEDGER_URL to the new one" in str(
        await flow.shop_orders.fn(str(tmp_path / "inbox"))
    )
    assert not server.calls


def test_an_order_that_is_left_out_is_told_once(ledger: Ledger) -> None:
    left = {"#1001": "it has no shipping address"}
    (first,), (second,) = (
        of_shop("shopify", left),
        of_shop("shopify", left | {"#1002": "it was refunded"}),
    )
    for one in (first, second, first):
        ledger.outbox.put(one)
    assert sorted(one.subject for one in ledger.outbox.begin("ntfy")) == [
        "shopify: 1 order not bought as shown there",
        "shopify: 2 orders not bought as shown there",
    ]
    assert first.body.startswith("- #1001: it has no shipping address\n")
    assert "nothing where it was cancelled or sent" in first.body
    assert of_shop("shopify", {}) == []


def test_a_file_that_a_run_beside_this_one_is_writing_is_left_alone(
    tmp_path: Path,
) -> None:
    """A press on the form's button beside the schedule: the first would find its own
    file gone.
    """
    writing = tmp_path / ".read-from-shopify.csv.4711"
    with writing.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        write_requests(tmp_path, tmp_path, "shopify", [order("#1")])
        assert writing.exists()
    write_requests(tmp_path, tmp_path, "shopify", [order("#1")])
    assert [one.name for one in tmp_path.iterdir()] == ["read-from-shopify.csv"]


def test_a_file_is_locked_as_long_as_it_has_not_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process beside it may see no such process: in another container it has other
    numbers.
    """
    found, move = list[bool](), durable.move

    def moved(source: Path, target: Path) -> None:
        found.append(is_free(source, fcntl.LOCK_EX))
        move(source, target)

    monkeypatch.setattr(durable, "move", moved)
    write_requests(tmp_path, tmp_path, "shopify", [order("#1"), order("#2")])
    rewrite([tmp_path], waiting_without([tmp_path], ["S-1"], {}, shipped())[0])
    assert found == [False, False]


def test_untaken_files_lose_the_orders_to_forget(tmp_path: Path) -> None:
    write_requests(tmp_path, tmp_path, "shopify", [order("#1"), order("#2")])
    write_requests(tmp_path, former := tmp_path / "former", "woocommerce", [order("1")])
    (tmp_path / ".read-from-shopify.csv.4711").write_text("Jane Doe")
    (tmp_path / "orders.csv").write_text("order_ref\nS-1\n")
    (tmp_path / "my-read-from-a.csv").write_bytes(b"\xff\xfeo\0r\0")
    files, had = waiting_without(
        [tmp_path, former], ["S-1", "W-1", "S-9"], {}, shipped()
    )
    rewrite([tmp_path, former], files)
    assert (sorted(one.name for one in tmp_path.rglob("*.csv*")), had) == (
        ["my-read-from-a.csv", "orders.csv", "read-from-shopify.csv"],
        {"S-1", "W-1"},
    )
    parsed = read_request_file(tmp_path / "read-from-shopify.csv", book=BOOK)
    assert ([one.order_ref for one in parsed.orders], parsed.faults) == (["S-2"], ())


@pytest.mark.parametrize(
    ("name", "busy"),
    [
        ("woocommerce", (429, {"message": "slow down"})),
        ("shopify", (200, {"errors": [{"extensions": {"code": "THROTTLED"}}]})),
    ],
)
async def test_a_shop_with_too_many_calls_is_read_on_after_a_pause(
    server: ShopServer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    busy: tuple[int, Any],
) -> None:
    """Else each night would begin at the first page and meet the same limit."""
    pauses, answer, calls = list[float](), server.answer, count()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("connectors.shops.protocol.asyncio.sleep", sleep)
    monkeypatch.setattr(
        server, "answer", lambda *call: busy if next(calls) % 3 == 0 else answer(*call)
    )
    assert [*(await waiting(name)).values()] == ["", ""]
    assert {*pauses} == {3.0}
    monkeypatch.setattr(server, "answer", lambda *_: busy)
    pauses.clear()
    with pytest.raises(NotSent, match="too many calls"):
        await waiting(name)
    assert pauses == [3.0, 10.0, 30.0]
