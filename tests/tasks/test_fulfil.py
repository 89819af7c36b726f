"""Giving shops tracking numbers by their APIs: each once, whatever is lost on the
way.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from cli.export import run_shops
from connectors import http
from connectors.ledger.send_log import SendLog
from connectors.ledger.store import Ledger
from connectors.request_files import read_request_file
from connectors.settings import SourcingSettings
from connectors.shops import opened_shop
from connectors.shops.requests import unknown_orders, write_requests
from connectors.tracking_files import write_tracking
from domain.effects import Action, EffectStatus
from domain.marketplace import Marketplace
from domain.orders import (
    Component,
    OrderRequest,
    OwnSku,
    Receiver,
    RequestLine,
    ShopLine,
)
from domain.plan import PlannedOrder
from flows.exchange import export_tracking, shop_orders
from flows.sync_tracking import _sent_to_shops
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources
from tasks.fulfil import GivenNumbers, fulfil_orders
from tests.clock import MovableClock
from tests.connectors.test_shop_files import BOOK
from tests.connectors.test_tracking_files import booked, scanned
from tests.shops import Death, Fault, InProcess, Order, ShopServer
from tests.tasks.conftest import resources_on

LATER_S = 2_000
"""More than a lease and the settle time."""
ON = {
    "shopify": {
        "shopify": SecretStr("https://:shpat_secret@a.myshopify.com"),
        "fulfil": True,
    },
    "woocommerce": {
        "woocommerce": SecretStr("https://ck_key:cs_secret@shop.example"),
        "fulfil": True,
    },
}
FAULTS = [
    pytest.param(
        one,
        marks=[]
        if one in (Fault.LOST_AFTER, Fault.DEATH_AFTER)
        else pytest.mark.endurance,
    )
    for one in Fault
    if one is not Fault.NONE
]
SHOPS = pytest.mark.parametrize("shop", ["shopify", "woocommerce", "extension"])


class World:
    """A ledger with orders of a shop, and runs on it that may die."""

    def __init__(
        self,
        shop: str,
        folder: Path,
        clock: MovableClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.folder, self.clock, self.ref = (
            folder,
            clock,
            "#{}" if shop == "shopify" else "{}",
        )
        self.shop = "woocommerce" if shop == "extension" else shop
        self.server = ShopServer({}, has_fulfillments=shop != "extension")
        monkeypatch.setattr(http.Http, "exchange", InProcess(self.server).exchange)

    @contextmanager
    def run(self, **settings: Any) -> Iterator[Resources]:
        with SendLog(self.folder / "sends") as log, self.ledger(log.owner) as ledger:
            run = resources_on(ledger, self.folder, self.clock)
            run.settings = run.settings.model_copy(update=ON[self.shop] | settings)
            run.leave, run.noted = log.note, log.noted
            yield run

    def ledger(self, owner: str = "test") -> Ledger:
        return Ledger(
            f"sqlite:///{self.folder / 'ledger.db'}", clock=self.clock, owner=owner
        )

    def order(self, name: str, *numbers: str, pieces: int = 2, part: str = "") -> None:
        """An order of one line, or a part of one that has another line, whose parcels
        were scanned.
        """
        self.server.orders.setdefault(name, Order({})).lines[f"7{part}1"] = (
            f"FERN-{part}1",
            pieces,
        )
        ref = self.ref.format(name)
        own = OwnSku(sku=f"FERN-{part}1", quantity=pieces, ranks=((COMPONENT,),))
        line = RequestLine(
            row=2, item="1", sku="", quantity=pieces, max_unit_price=None, own=own
        )
        request = OrderRequest(
            order_ref=f"W-{name}{part}",
            marketplace=Marketplace.TAOBAO,
            receiver=JANE,
            freight="cheapest",
            lines=(line,),
            shop=self.shop,
            shop_ref=ref,
        )
        with self.ledger() as ledger:
            ledger.start_batch("batch", "file.csv")
            booked(ledger, request, *numbers)
            scanned(ledger, request.order_ref, *numbers)

    async def night(self, **settings: Any) -> list[GivenNumbers]:
        """A tracking run, as far as shops go."""
        with self.run(**settings) as run:
            open_ = [
                one
                for one in run.ledger.exported.unsent()
                if run.ledger.unsettled([one])
            ]
            await settle_open(run, open_)
            return await fulfil_orders.fn(run)

    def effects(self) -> dict[str, EffectStatus]:
        with self.ledger() as ledger:
            return {
                one.part: one.status
                for one in ledger.effects_of(ledger.exported.unsent(), Action.FULFIL)
            }

    def files(self, **settings: Any) -> list[str]:
        """The rows of the files that are written now."""
        on = SourcingSettings(data_dir=self.folder).model_copy(
            update=ON[self.shop] | settings
        )
        with self.ledger() as ledger:
            return [
                row
                for file in write_tracking(on, ledger)
                for row in file.path.read_text().splitlines()[1:]
            ]


COMPONENT = Component(item="1", sku="", pieces=1, max_unit_price=None)
COMPONENT_LINE = RequestLine(row=3, item="1", sku="", quantity=1, max_unit_price=None)
JANE = Receiver(
    name="Jane Doe",
    phone="617-555-0100",
    email="",
    country="US",
    state="MA",
    city="Boston",
    zip="02134",
    address="1 St",
)


@pytest.fixture
def world(
    shop: str, tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> World:
    return World(shop, tmp_path, clock, monkeypatch)


@SHOPS
async def test_each_number_is_given_once_and_comes_in_no_file(world: World) -> None:
    world.order("1001", "A")
    world.order("10012", "B")
    world.order("1002", "C", part="8")
    world.order("1002", "D", part="9")
    await world.night()
    await world.night()
    assert world.server.given == ["A", "B", "C", "D"]
    assert {ref: dict(one.sent) for ref, one in world.server.orders.items()} == (
        {"1001": {}, "10012": {}, "1002": {}}
        if world.server.has_fulfillments is False
        else {"1001": {"71": 2}, "10012": {"71": 2}, "1002": {"781": 2, "791": 2}}
    )
    assert (world.files(), world.files(fulfil=False)) == ([], [])


@SHOPS
async def test_a_number_that_came_in_a_file_is_not_given(world: World) -> None:
    world.order("1001", "A")
    assert len(world.files(fulfil=False)) == 1
    await world.night()
    assert (world.server.given, world.server.calls) == ([], [])


@SHOPS
@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_lost_on_the_way_is_given_once_and_never_stays_unknown(
    world: World, fault: Fault
) -> None:
    world.order("1001", "A")
    world.server.faults = iter([fault])
    with suppress(Death):
        await world.night()
    world.clock.advance(LATER_S)
    await world.night()
    assert (world.server.given, world.effects()) == (["A"], {"A": EffectStatus.DONE})
    assert world.files() == []


@SHOPS
async def test_what_the_merchant_has_told_the_shop_is_told_no_more(
    world: World,
) -> None:
    world.order("1001", "A")
    world.server.orders["1001"].numbers.append("A")
    await world.night()
    assert (
        world.server.given,
        any("POST /wp" in call for call in world.server.calls),
    ) == (["A"], False)


@pytest.mark.parametrize("shop", ["shopify"])
async def test_a_number_whose_shipment_was_cancelled_there_is_told_anew(
    world: World,
) -> None:
    world.order("1001", "A")
    world.server.orders["1001"].cancelled.append("A")
    await world.night()
    assert world.server.given == ["A"]


@pytest.mark.parametrize("shop", ["shopify", "woocommerce"])
async def test_what_the_shop_can_t_take_comes_in_a_file(world: World) -> None:
    """It was sent under another number, or the order is gone."""
    world.order("1001", "A")
    world.order("1002", "B")
    world.server.orders["1001"].sent["71"] = 2
    del world.server.orders["1002"]
    await world.night()
    await world.night()
    assert (world.server.given, world.effects()) == (
        [],
        dict.fromkeys("AB", EffectStatus.REFUSED),
    )
    assert len(world.files()) == 2
    assert world.files() == []


@pytest.mark.parametrize("shop", ["shopify", "woocommerce"])
async def test_pieces_are_spread_over_lines_of_one_sku_as_far_as_they_are_left(
    world: World,
) -> None:
    """A gift is a line of its own in the shop, and a piece of it was taken back
    there.
    """
    world.order("1001", "A", pieces=4)
    world.server.orders["1001"].lines |= {"71": ("FERN-1", 1), "72": ("FERN-1", 2)}
    await world.night()
    assert (world.server.given, dict(world.server.orders["1001"].sent)) == (
        ["A"],
        {"71": 1, "72": 2},
    )


@SHOPS
async def test_a_number_goes_to_no_order_without_the_lines_of_the_parcel(
    world: World,
) -> None:
    """Another buyer's order, where a file has other names of orders than the shop; or a
    line that is not found there.

    A further parcel of the same goods goes where they are.
    """
    for name, number in (("1001", "A"), ("1002", "B"), ("1004", "D")):
        world.order(name, number)
    world.order("1003", "C", "C2")
    world.server.orders["1001"].lines = {"99": ("QUITE-OTHER", 1)}
    with world.ledger() as ledger:
        request = ledger.orders(["W-1002"])["W-1002"].request
        own = replace(
            COMPONENT_LINE, own=OwnSku(sku="MOSS", quantity=1, ranks=((COMPONENT,),))
        )
        both = replace(request, order_ref="W-1002-b", lines=(*request.lines, own))
        booked(ledger, both, "B2")
        scanned(ledger, both.order_ref, "B2")
    world.server.orders["1004"].lines = {"71": (" 'FERN-1\u00a0".replace("'F", "F"), 2)}
    await world.night()
    given = {name: one.numbers for name, one in world.server.orders.items()}
    second = [] if world.server.has_fulfillments else ["C2"]
    assert given == {"1001": [], "1002": ["B"], "1003": ["C", *second], "1004": ["D"]}
    assert world.effects()["B2"] is EffectStatus.REFUSED


@pytest.mark.parametrize("shop", ["woocommerce", "extension"])
@pytest.mark.parametrize(
    "changed", [{"status": "completed"}, {"refunds": [{"id": 1}]}, {"number": "77"}]
)
async def test_what_may_be_sent_refunded_or_another_order_is_given_by_no_api(
    world: World, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object]
) -> None:
    """An order with another number than its id is the one that is meant only by the ids
    of its lines.
    """
    world.order("1001", "A")
    answer = world.server.answer

    def odd(method: str, path: str, body: bytes) -> Any:
        status, content = answer(method, path, body)
        return status, content | changed if path.endswith("orders/1001") else content

    monkeypatch.setattr(world.server, "answer", odd)
    await world.night()
    assert (world.server.given, world.effects(), len(world.files())) == (
        [],
        {"A": EffectStatus.REFUSED},
        1,
    )


@pytest.mark.parametrize("shop", ["woocommerce"])
async def test_a_draft_tells_a_buyer_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.order("1001", "A")
    draft = {
        "is_fulfilled": False,
        "meta_data": [{"key": "_tracking_number", "value": "A"}],
    }
    answer = world.server.answer

    def drafted(method: str, path: str, body: bytes) -> Any:
        return (
            (200, [draft])
            if (method, path[-13:]) == ("GET", "/fulfillments")
            else answer(method, path, body)
        )

    monkeypatch.setattr(world.server, "answer", drafted)
    await world.night()
    assert world.server.given == ["A"]


@pytest.mark.parametrize("shop", ["woocommerce"])
async def test_a_shop_without_a_way_for_numbers_has_them_as_a_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that leads to no shop is the merchant's to mend."""
    world.order("1001", "A")
    no_route = (404, {"code": "rest_no_route", "message": "No route was found"})
    order, answer = "/wp-json/wc/v3/orders/1001", world.server.answer
    with monkeypatch.context() as patch:
        patch.setattr(world.server, "answer", lambda *_: no_route)
        (told,) = await world.night()
        words = "woocommerce: 0 of 1 tracking number; 1 not: SOURCING_WOOCOMMERCE leads to no REST API of WooCommerce"
        assert str(told) == words
    assert (world.effects(), world.files()) == ({"A": EffectStatus.UNSENT}, [])
    monkeypatch.setattr(
        world.server,
        "answer",
        lambda *call: answer(*call) if call[1] == order else no_route,
    )
    await world.night()
    assert (world.effects(), len(world.files())) == ({"A": EffectStatus.REFUSED}, 1)


@SHOPS
async def test_refused_credentials_are_named_without_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.order("1001", "A")
    secret = "shpat_secret" if world.shop == "shopify" else "cs_secret"
    monkeypatch.setattr(
        world.server, "answer", lambda *_: (401, {"message": f"bad key {secret}"})
    )
    (told,) = await world.night()
    assert told.is_lasting
    assert "refuses the credentials: bad key" in str(told)
    assert secret not in str(told)
    assert world.effects() == {"A": EffectStatus.UNSENT}


@pytest.mark.parametrize("shop", ["woocommerce"])
@pytest.mark.parametrize(
    "address", ["http://k:s@shop.example", "https://shop.example", "https://k:s@", "x"]
)
async def test_an_address_that_can_t_be_used_is_not_quoted(
    world: World, address: str
) -> None:
    world.order("1001", "A")
    (told,) = await world.night(woocommerce=SecretStr(address))
    form = "SOURCING_WOOCOMMERCE must look like https://USER:PASSWORD@shop.example (docs/shops.md)"
    assert told.why == {form: 1}
    assert world.server.calls == []


@pytest.mark.parametrize("shop", ["shopify", "woocommerce"])
@pytest.mark.parametrize(
    ("answer", "cause", "is_lasting", "calls"),
    [
        ((301, {}), "{} leads to no open shop: HTTP 301", True, [1, 2, 3, 4]),
        ((402, {}), "{} leads to no open shop: HTTP 402", True, [1, 2, 3, 4]),
        ((404, {}), "{} leads to no open shop: HTTP 404", True, [1, 2, 3, 4]),
        ((200, "<br>"), "the answer is not as the shop's API says", True, [6]),
        ((503, {}), "HTTP 503", False, range(5, 21)),
        ((429, {}), "too many calls", False, [1, 2, 3, 4]),
        ((0, {}), "TimeoutError", False, [1, 2, 3, 4]),
    ],
)
async def test_a_shop_that_can_t_be_read_is_named_and_holds_up_no_run(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    *,
    answer: Any,
    cause: str,
    is_lasting: bool,
    calls: Sequence[int],
) -> None:
    """It is asked about no other order where it is away or asks for a wait, and seconds
    later where it is only busy.
    """
    for number in range(6):
        world.order(str(1000 + number), f"N{number}")

    async def answered(
        _self: http.Http, _method: str, path: str, **_more: Any
    ) -> http.HttpAnswer:
        world.server.calls.append(path)
        if not answer[0]:
            raise TimeoutError
        headers = {"retry-after": "60"} if answer[0] == 429 else {}
        return http.HttpAnswer(answer[0], headers, json.dumps(answer[1]).encode())

    monkeypatch.setattr(http.Http, "exchange", answered)
    (told,) = await world.night()
    assert (told.given, told.due, told.is_lasting) == (0, 6, is_lasting)
    assert told.why == {cause.format(f"SOURCING_{world.shop.upper()}"): 6}
    assert len(world.server.calls) in calls
    assert {*world.effects().values()} == {EffectStatus.UNSENT}
    world.clock.advance(3 * 86_400)
    (told,) = await world.night()
    assert told.is_lasting, "what passes has not passed for days"


@SHOPS
async def test_an_odd_answer_is_no_reason_to_give_a_number_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.order("1001", "A")
    odd_ones: list[Any] = [
        [],
        {},
        None,
        "x",
        {"data": None},
        {"data": {"orders": {"nodes": [{"id": 1}]}}},
        {"errors": ["x"]},
    ]
    for odd in odd_ones:
        with monkeypatch.context() as patch:
            patch.setattr(world.server, "answer", lambda *_, odd=odd: (200, odd))
            await world.night()
    assert world.server.given == []
    world.clock.advance(LATER_S)
    await world.night()
    assert world.server.given == ["A"]


@pytest.mark.parametrize("shop", ["shopify", "woocommerce"])
async def test_waiting_orders_come_as_a_request_file_but_for_those_that_are_known(
    world: World,
) -> None:
    """As the shop's export would be read, with the shop's ids of the lines; an untaken
    file is written anew.
    """
    world.order("1003", "A")
    world.server.orders |= {
        "1001": Order({"71": ("FERN-1", 2)}),
        "1002": Order({"72": ("", 1)}),
    }
    inbox, prefix = world.folder / "inbox", "S-" if world.shop == "shopify" else "W-"
    with world.ledger() as ledger:
        ledger.parts.keep({f"{prefix}1003": {"FERN-1": f"{prefix}1003-b"}})

    async def read() -> int:
        with world.run() as run:
            async with opened_shop(run.settings, world.shop) as shop:
                orders = unknown_orders(
                    run.ledger, world.folder, world.shop, await shop.waiting()
                )
        assert write_requests(world.folder, inbox, world.shop, [*orders.values()]) == {}
        return len(orders)

    assert (await read(), await read()) == (2, 2)
    (file,) = inbox.iterdir()
    parsed = read_request_file(file, book=BOOK)
    first, second = parsed.orders
    assert (parsed.faults, first.shop, first.shop_ref) == (
        (),
        world.shop,
        world.ref.format("1001"),
    )
    assert (first.order_ref, second.order_ref) == (f"{prefix}1001", f"{prefix}1002")
    lines = [
        (own.sku, own.shop_lines) for order in (first, second) for own in order.own_skus
    ]
    ids = ("gid:71", "gid:72") if world.shop == "shopify" else ("71", "72")
    assert lines == [
        ("FERN-1", (ShopLine(line=ids[0], quantity=2),)),
        ("A fern", (ShopLine(line=ids[1], quantity=1),)),
    ]
    assert (first.receiver.name, first.receiver.phone, first.receiver.zip) == (
        "Jane Doe",
        "+1 617 555 0100",
        "02134",
    )
    assert first.receiver.address == "1 Main St, =Doe & Co"
    with world.ledger() as ledger:
        ledger.put_plans([PlannedOrder(request=one) for one in parsed.orders], "batch")
    assert (await read(), list(inbox.iterdir())) == (0, [])


@pytest.mark.parametrize("shop", ["shopify"])
async def test_the_flow_writes_into_the_inbox_and_another_the_files(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.order("1001", "A")
    monkeypatch.setenv("SOURCING_DATA_DIR", str(world.folder))
    assert "no shop is connected" in str(
        await shop_orders.fn(str(world.folder / "inbox"))
    )
    monkeypatch.setenv("SOURCING_SHOPIFY", "https://:shpat_secret@a.myshopify.com")
    assert await shop_orders.fn(str(world.folder / "inbox")) == {"shopify": 1}
    assert [file.name for file in (world.folder / "inbox").iterdir()] == [
        "read-from-shopify.csv"
    ]
    with world.ledger() as ledger:
        assert ledger.exported.unsent() == ["W-1001"]
    (file,) = await export_tracking.fn()
    assert file.startswith(str(world.folder / "exports" / "shopify-Orders-"))
    assert run_shops(as_json=True) == 0


@pytest.mark.parametrize("shop", ["shopify"])
async def test_a_tracking_run_says_by_a_message_a_day_which_shop_lacks_numbers(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.order("1001", "A")
    monkeypatch.setattr(
        world.server, "answer", lambda *_: (401, {"message": "bad key"})
    )
    for _ in range(2):
        with world.run() as run:
            (told,), files = await _sent_to_shops(run)
    with world.ledger() as ledger:
        (message,) = ledger.outbox.begin("x")
    assert (message.cause, message.subject) == (
        "lacking:shopify:2026-01-01",
        "shopify lacks 1 tracking number",
    )
    assert message.body.startswith(
        "shopify: 0 of 1 tracking number; 1 not: shopify refuses the credentials: bad key\n"
    )
    assert (told.is_lasting, files) == (True, [])
    monkeypatch.setenv("SOURCING_DATA_DIR", str(world.folder))
    monkeypatch.setenv("SOURCING_SHOPIFY", "https://:shpat_secret@a.myshopify.com")
    monkeypatch.setenv("SOURCING_FULFIL", "true")
    assert run_shops(as_json=False) == 0
    assert capsys.readouterr().out == "shopify: 1 tracking number for its API\n"


@pytest.mark.endurance
@SHOPS
@pytest.mark.parametrize("seed", range(6))
async def test_a_storm_gives_each_number_once(world: World, seed: int) -> None:
    """Nights on end in which calls are lost and processes die, then calm ones."""
    luck = random.Random(seed)
    for number in range(8):
        world.order(
            str(1000 + number),
            *(f"{number}-{place}" for place in range(luck.randint(1, 3))),
            pieces=3,
        )
    with world.ledger() as ledger:
        numbers = [
            one.tracking_numbers
            for one in ledger.orders(ledger.exported.unsent()).values()
        ]
    every = {
        one
        for listed in numbers
        for one in (listed if not world.server.has_fulfillments else listed[:1])
    }
    world.server.faults = iter([luck.choice([*Fault, Fault.NONE]) for _ in range(60)])
    for _ in range(40):
        with suppress(Death):
            await world.night()
        world.clock.advance(luck.choice([10, LATER_S]))
    assert sorted(world.server.given) == sorted(every)
    assert {*world.effects().values()} <= {EffectStatus.DONE, EffectStatus.REFUSED}


RUN = """
import asyncio, sys
from datetime import timedelta
from connectors.settings import SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from flows.exchange import export_tracking, shop_orders
from tasks.effects.kinds import settle_open
from tasks.engine.resources import open_resources, utc_now
from tasks.fulfil import fulfil_orders
async def night(later):
    clock = lambda: utc_now() + timedelta(seconds=later)
    async with open_resources(SourcingSettings(), XportcnSettings(), clock=clock) as run:
        await settle_open(run, ["W-1001"])
        await fulfil_orders.fn(run)
asyncio.run(night(int(sys.argv[1])))
"""


@contextmanager
def on_a_port(server: ShopServer) -> Iterator[int]:
    """The shops at a port of this machine, served by a thread."""
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), list[int]()
    runners = list[web.AppRunner]()

    async def serve() -> None:
        runner = web.AppRunner(server.application())
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ports.extend(address[1] for address in runner.addresses)
        ready.set()

    loop.create_task(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield ports[0]
    asyncio.run_coroutine_threadsafe(runners[0].cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.endurance
@SHOPS
@pytest.mark.parametrize(
    "point", ["before-first-byte", "after-send", "after-answer", "after-record"]
)
def test_a_process_that_is_killed_gives_each_number_once(
    world: World, point: str
) -> None:
    """By its send log, and by what the shop shows once the call can arrive no more."""
    world.clock.now = datetime.now(UTC)
    world.order("1001", "A")
    with on_a_port(world.server) as port:
        places = {
            "SOURCING_SHOPIFY": f"http://:t@127.0.0.1:{port}",
            "SOURCING_WOOCOMMERCE": f"http://k:s@127.0.0.1:{port}",
        }
        given = {
            **os.environ,
            **places,
            "SOURCING_DATA_DIR": str(world.folder),
            "SOURCING_FULFIL": "true",
        }

        def night(later: int, **crash: str) -> int:
            command = [sys.executable, "-c", RUN, str(later)]
            root = Path(http.__file__).parents[1]
            return subprocess.run(
                command, env=given | crash, cwd=root, check=False, timeout=100
            ).returncode

        assert night(0, SOURCING_CRASH_AT=f"{point}:fulfil") == -signal.SIGKILL
        assert len(world.server.given) == (point != "before-first-byte")
        assert night(5_000) == 0
        assert (world.server.given, night(10_000), world.server.given) == (
            ["A"],
            0,
            ["A"],
        )
