"""The page for looking: nothing of others runs in it, nothing else is reached by it,
and many looks are one reading.
"""

from __future__ import annotations

import asyncio
import io
import re
import socket
import time
import zipfile
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

import connectors.durable
import deployments.page.app
import deployments.page.guard
from cli import serve
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.store import Ledger
from connectors.request_files.decoding import MOST_BYTES
from connectors.settings import BadSetting, SourcingSettings
from deployments.local_server import ServerFailed, listening
from deployments.page.app import app_of
from domain.reasons import ReasonCode, because
from tests.clock import MovableClock
from tests.connectors.request_files.writing import GOOD, csv_bytes
from tests.flows.plans import planned
from tests.flows.prefect_ui.test_goods import HOSTILE, order

XSS = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
PASSWORD = "correct horse battery"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourcingSettings:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return SourcingSettings(data_dir=tmp_path / "data")


@pytest.fixture
def ledger(settings: SourcingSettings, clock: MovableClock) -> Any:
    with Ledger(settings.ledger_url, clock=clock, owner="run") as ledger:
        ledger.start_batch("batch", "file.csv")
        ledger.put_plans([planned(ref) for ref in ("A-1", "A-2", XSS)], "batch")
        held = [
            order.held(because(ReasonCode.NOT_APPROVED, by=XSS))
            for order in ledger.orders(["A-1", XSS]).values()
        ]
        ledger.change(held)
        yield ledger


def client_of(
    settings: SourcingSettings, clock: MovableClock, base_url: str = "http://localhost"
) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app_of(settings, (), clock))
    return httpx.AsyncClient(transport=transport, base_url=base_url)


@pytest.fixture
async def client(
    settings: SourcingSettings, clock: MovableClock, ledger: Ledger
) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(settings, clock) as client:
        yield client


class Elements(HTMLParser):
    def __init__(self, content: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


async def send(
    client: httpx.AsyncClient, name: str, content: bytes, **headers: str
) -> httpx.Response:
    own = {"origin": str(client.base_url).rstrip("/"), **headers}
    return await client.post("/upload", files={"file": (name, content)}, headers=own)


def inbox_of(settings: SourcingSettings) -> list[str]:
    return (
        sorted(one.name for one in settings.inbox.glob("*") if one.is_file())
        if settings.inbox.exists()
        else []
    )


async def test_the_first_page_says_how_orders_stand_and_what_waits(
    client: httpx.AsyncClient,
) -> None:
    text = (await client.get("/")).text
    assert "2 held. The most urgent first." in text
    assert re.search(r"planned</td>\s*<td class=number[^>]*>1<", text)
    assert "<code>sourcing run file.csv</code>" in text


async def test_a_pause_stands_above_all_else(
    client: httpx.AsyncClient, ledger: Ledger
) -> None:
    ledger.pause_buying("Mei", f"odd prices {XSS}")
    text = (await client.get("/")).text
    assert "odd prices &lt;script&gt;" in text.partition("What waits for you")[0]


async def test_words_of_others_stand_as_they_are_and_run_nowhere(
    client: httpx.AsyncClient,
) -> None:
    pages = (
        "/",
        f"/order?ref={quote(XSS)}",
        f"/search?q={quote(XSS)}&x=1",
        "/search?q=batch",
        f"/search?q={quote('no' + XSS)}",
    )
    for page in pages:
        answer = await client.get(page, follow_redirects=True)
        elements = Elements(answer.text).found
        assert not {tag for tag, _ in elements} & {
            "script",
            "img",
            "iframe",
            "object",
            "base",
        }, page
        assert not [
            name
            for _, given in elements
            for name in given
            if name.startswith("on") or name == "style"
        ], page
        assert all(
            (given["href"] or "").startswith("/")
            for tag, given in elements
            if tag == "a"
        ), page
        assert "&lt;script&gt;" in answer.text, page


async def test_pictures_of_goods_come_from_listed_hosts_alone(
    settings: SourcingSettings, clock: MovableClock, ledger: Ledger
) -> None:
    """A try-out's from the sandbox, so that no browser calls a marketplace."""
    seen = order(HOSTILE, picture="https://img.alicdn.com/a.jpg")
    elsewhere = replace(seen.lines[0], image_url="https://evil.example/a.jpg")
    ledger.put_plans([replace(seen, lines=(*seen.lines, elsewhere))], "batch")
    here = (
        "http://127.0.0.1:8790/_sandbox/picture?of=https%3A%2F%2Fimg.alicdn.com%2Fa.jpg"
    )
    async with client_of(settings, clock) as client:
        answer = await client.get("/order?ref=P-1")
        assert [
            given["src"] for tag, given in Elements(answer.text).found if tag == "img"
        ] == [here]
        policy = answer.headers["content-security-policy"]
        assert policy.endswith("img-src http://127.0.0.1:8790")
        assert [
            "颜色: 蓝色" in answer.text,
            ">Shop<" in answer.text,
            ">2.00 CNY<" in answer.text,
        ] == [True] * 3
        listed = (await client.get("/search?q=batch")).text
        assert listed.count("<img ") == 1


async def test_a_hundred_that_look_at_once_cost_the_ledger_what_one_does(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no transaction of a run waits: what is read begins none that writes."""
    statements: list[str] = []
    event.listen(
        Engine, "before_cursor_execute", lambda *given: statements.append(given[2])
    )
    monkeypatch.setattr(deployments.page.app, "LASTS_S", 0.0)
    await client.get("/")
    one = len(statements)
    monkeypatch.setattr(deployments.page.app, "LASTS_S", 60.0)
    statements.clear()
    answers = await asyncio.gather(*(client.get("/") for _ in range(100)))
    assert [answer.status_code for answer in answers] == [200] * 100
    assert 0 < len(statements) <= one
    assert not [
        words
        for words in statements
        if words.startswith(("INSERT", "UPDATE", "DELETE", "BEGIN IMMEDIATE"))
    ]


async def test_a_search_that_finds_one_order_leads_to_it(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get("/search", params={"q": " a-2 "})).headers[
        "location"
    ] == "/order?ref=A-2"


@pytest.mark.parametrize("asked", ["", "SHIPMENT", "nothing-of-this", "\0", "x" * 5000])
async def test_what_names_nothing_is_said_so(
    client: httpx.AsyncClient, asked: str
) -> None:
    answer = await client.get("/search", params={"q": asked})
    assert answer.status_code == 200
    assert (await client.get("/order", params={"ref": asked})).status_code == 404


async def test_only_its_own_name_is_heard(
    settings: SourcingSettings, clock: MovableClock, ledger: Ledger
) -> None:
    async with client_of(settings, clock) as client:
        for host in (
            "evil.example",
            "",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "[",
            "localhost@evil.example",
        ):
            assert (
                await client.get("/batches", headers={"host": host})
            ).status_code == 421, host
        for host in (
            "127.0.0.1:8792",
            "[::1]:1",
            "localhost:99",
            "192.168.1.5:8792",
        ):
            assert (
                await client.get("/batches", headers={"host": host})
            ).status_code == 200, host
    own = SourcingSettings(data_dir=settings.data_dir, page_password=PASSWORD)
    named = {"host": "sourcing.example"}
    async with client_of(own, clock) as client:
        assert (await client.get("/batches", headers=named)).status_code == 401
        known = await client.get("/batches", headers=named, auth=("mei", PASSWORD))
        assert known.status_code == 200


async def test_another_site_neither_sends_a_file_nor_shows_a_page_in_its_own(
    client: httpx.AsyncClient, settings: SourcingSettings
) -> None:
    for origin in (
        "http://evil.example",
        "null",
        "",
        "http://localhost.evil.example",
        "http://localhost:1",
        "http://[",
    ):
        answer = await send(client, "a.csv", csv_bytes(GOOD), origin=origin)
        assert answer.status_code == 403, origin
    headers = {"origin": "http://evil.example"}
    assert (await client.post("/day", headers=headers)).status_code == 403
    part = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert (
        await client.get("/table?name=orders&kind=csv", headers=part)
    ).status_code == 403
    assert inbox_of(settings) == []
    assert (
        await client.get("/batches", headers={**part, "sec-fetch-mode": "navigate"})
    ).status_code == 200


async def test_every_answer_lets_nothing_in_from_elsewhere(
    client: httpx.AsyncClient,
) -> None:
    """Styles are known by their hash: what else a page may say has none."""
    for page in (
        "/",
        "/batches",
        "/downloads",
        "/upload",
        "/nothing",
        "/order?ref=none",
        "/report",
    ):
        answer = await client.get(page)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-"), page
        assert "unsafe" not in policy, page
        assert answer.text.count("<style>") == 1, page
        style = answer.text.partition("<style>")[2].partition("</style>")[0]
        assert (
            f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
        ), page
    assert (await client.get("/", headers={"host": "evil.example"})).headers[
        "content-security-policy"
    ]


async def test_a_password_is_asked_for_where_one_is_set(
    settings: SourcingSettings,
    clock: MovableClock,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deployments.page.guard, "GUESS_S", 0)
    own = SourcingSettings(data_dir=settings.data_dir, page_password=PASSWORD)
    async with client_of(own, clock) as client:
        for wrong in (None, ("mei", "wrong"), ("mei", ""), (PASSWORD, "")):
            assert (await client.get("/batches", auth=wrong)).status_code == 401
        for odd in ("Basic", "Basic %%%", "Bearer x", "basic bWVp", "Basic " + "A" * 7):
            assert (
                await client.get("/batches", headers={"authorization": odd})
            ).status_code == 401
        assert (await client.get("/batches", auth=("mei", PASSWORD))).status_code == 200


async def test_guesses_of_the_password_wait_for_each_other(
    settings: SourcingSettings,
    clock: MovableClock,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From whatever address. The right one, and none at all, are answered at once."""
    monkeypatch.setattr(deployments.page.guard, "GUESS_S", 0.2)
    app = app_of(
        SourcingSettings(data_dir=settings.data_dir, page_password=PASSWORD), (), clock
    )

    async def status(number: int, password: str | None) -> int:
        transport = httpx.ASGITransport(app, client=(f"203.0.113.{number}", 1))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost"
        ) as caller:
            auth = ("mei", password) if password else None
            return (await caller.get("/batches", auth=auth)).status_code

    start = time.monotonic()
    guesses = [asyncio.create_task(status(at, f"guess {at}")) for at in range(5)]
    assert await status(9, PASSWORD) == 200
    assert await status(9, None) == 401
    assert not any(guess.done() for guess in guesses[1:])
    assert await asyncio.gather(*guesses) == [401] * 5
    assert time.monotonic() - start >= 5 * 0.2


async def test_slow_uploads_hold_no_report(
    client: httpx.AsyncClient, ledger: Ledger
) -> None:
    """Senders that have sent nothing yet, as many as are heard at once, and one
    more.
    """
    ended = asyncio.Event()
    headers = {
        "origin": "http://localhost",
        "content-type": "multipart/form-data; boundary=x",
    }

    async def slow() -> AsyncIterator[bytes]:
        await ended.wait()
        yield b""

    senders = [
        asyncio.create_task(client.post("/upload", content=slow(), headers=headers))
        for _ in range(5)
    ]
    await asyncio.sleep(0.1)
    report = await asyncio.wait_for(client.get("/report"), 30)
    assert not any(one.done() for one in senders)
    ended.set()
    assert [answer.status_code for answer in await asyncio.gather(*senders)] == [
        400
    ] * 5
    assert "All orders" in report.text


def test_the_first_caller_waits_for_no_server_of_prefect() -> None:
    """That is looked at on the way, at an address that is none too."""
    for api in ("http://127.0.0.1:1/api", "nonsense", "http://[", "http://a b/api"):
        with (
            listening("127.0.0.1", 0, "") as listener,
            socket.create_connection(listener.getsockname()),
        ):
            began = time.monotonic()
            serve._await_server(api, listener)
            assert time.monotonic() - began < 1


def test_without_a_password_other_machines_are_not_let_in(
    settings: SourcingSettings,
) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.com"):
        with pytest.raises(
            ServerFailed,
            match=r"can be reached from elsewhere.* set SOURCING_PAGE_PASSWORD",
        ):
            serve.page(host=host, port=0)
    with pytest.raises(
        BadSetting,
        match=r"SOURCING_PAGE_PASSWORD: has fewer than 12 characters; its value is not shown",
    ):
        SourcingSettings(page_password="short")


async def test_a_sound_file_goes_into_the_inbox_once_to_be_asked_about(
    client: httpx.AsyncClient, settings: SourcingSettings
) -> None:
    answer = await send(client, "候选! orders (1).CSV", csv_bytes(GOOD))
    assert answer.status_code == 200
    (name,) = inbox_of(settings)
    assert re.fullmatch(r"ask-候选-orders-[0-9a-f]{8}\.csv", name)
    assert f"{name}: 1 order, in the inbox" in answer.text
    assert (settings.inbox / name).read_bytes() == csv_bytes(GOOD)
    (settings.inbox / name).rename(settings.inbox / "done" / name)
    assert (
        "The folder done of the inbox has it already."
        in (await send(client, "候选! orders.csv", csv_bytes(GOOD))).text
    )
    assert inbox_of(settings) == []


async def test_faults_are_shown_at_once_and_the_file_is_taken_nowhere(
    client: httpx.AsyncClient, settings: SourcingSettings
) -> None:
    answer = await send(
        client, f"{XSS}.csv", csv_bytes(GOOD | {"quantity": "0", "item": XSS})
    )
    assert answer.status_code == 422
    assert "0 is not a whole number of at least 1" in answer.text
    assert not {tag for tag, _ in Elements(answer.text).found} & {"script", "img"}
    assert inbox_of(settings) == []


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet1.xml", b" " * 40_000_000)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("orders.exe", b"MZ"),
        ("orders", b"a"),
        ("orders.csv", b"\x89PNG\r\n\x1a\n"),
        ("orders.xlsx", b"PK\x03\x04"),
        ("orders.parquet", b"PAR1" * 100),
        ("orders.json", b"[" * 100_000),
        ("orders.csv", b""),
        (".csv", b"x"),
    ],
)
async def test_what_is_no_request_file_is_refused_in_words(
    client: httpx.AsyncClient, settings: SourcingSettings, name: str, content: bytes
) -> None:
    answer = await send(client, name, content)
    assert answer.status_code == 422
    assert "what to mend" in answer.text
    assert inbox_of(settings) == []


async def test_a_bomb_is_refused_before_it_is_unpacked(
    client: httpx.AsyncClient, settings: SourcingSettings
) -> None:
    answer = await send(client, "orders.xlsx", bomb())
    assert answer.status_code == 422
    assert "unpacks to 38 MiB" in answer.text
    assert inbox_of(settings) == []


async def test_a_body_is_bounded_and_must_be_a_form(
    client: httpx.AsyncClient, settings: SourcingSettings
) -> None:
    own = {"origin": "http://localhost"}
    claimed = {
        **own,
        "content-length": str(MOST_BYTES * 2),
        "content-type": "multipart/form-data; boundary=x",
    }
    assert (
        await client.post("/upload", content=b"", headers=claimed)
    ).status_code == 413
    for kind, body in (
        ("", b"a"),
        ("text/csv", csv_bytes(GOOD)),
        ("multipart/form-data", b"a"),
        ("multipart/form-data; boundary=x", b"--x\r\n" * 100_000),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; filename="a.csv"\r\n\r\ncut off',
        ),
        ("multipart/form-data; boundary=x", b'--x\r\nx; filename=""\r\n\r\n\r\n--x--'),
    ):
        assert (
            await client.post(
                "/upload", content=body, headers={**own, "content-type": kind}
            )
        ).status_code == 400
    assert inbox_of(settings) == []


@pytest.mark.parametrize(
    "name",
    [
        "../../escaped.csv",
        "/etc/escaped.csv",
        "..\\escaped.csv",
        ".escaped.csv",
        "escaped.csv.result.csv",
        "~$escaped.csv",
    ],
)
async def test_no_name_leads_out_of_the_inbox_or_hides_in_it(
    client: httpx.AsyncClient, settings: SourcingSettings, name: str
) -> None:
    assert (await send(client, name, csv_bytes(GOOD))).status_code == 200
    (taken,) = inbox_of(settings)
    assert re.fullmatch(r"ask-escaped[\w-]*-[0-9a-f]{8}\.csv", taken)
    assert [one.name for one in settings.data_dir.parent.rglob("*escaped*")] == [taken]


async def test_limits_are_those_of_the_settings_as_they_are_now(
    client: httpx.AsyncClient, settings: SourcingSettings
) -> None:
    """Which the next run has too; while `.env` is faulty those before it."""
    env = settings.data_dir.parent / ".env"
    env.write_text("SOURCING_REQUIRE_PRICE_LIMIT=true\nSOURCING_DAY_LIMIT_CNY=5000\n")
    answer = await send(client, "orders.csv", csv_bytes(GOOD | {"max_unit_price": ""}))
    assert (answer.status_code, inbox_of(settings)) == (422, [])
    assert "0.00 CNY of 5,000.00 CNY" in (await client.get("/")).text
    env.write_text("SOURCING_TIMEZONE=none\n")
    answer = await send(client, "orders.csv", csv_bytes(GOOD | {"max_unit_price": ""}))
    assert (answer.status_code, inbox_of(settings)) == (422, [])


async def test_a_hundred_files_at_once_are_all_taken(
    client: httpx.AsyncClient, settings: SourcingSettings
) -> None:
    files = [csv_bytes(GOOD | {"order_ref": f"N-{n % 50}"}) for n in range(100)]
    answers = await asyncio.gather(*(send(client, "orders.csv", one) for one in files))
    assert [answer.status_code for answer in answers] == [200] * 100
    assert len(inbox_of(settings)) == 50  # each content once


async def test_one_file_sent_twice_at_once_is_taken_once(
    client: httpx.AsyncClient,
    settings: SourcingSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a double click does; the disk is slow."""
    monkeypatch.setattr(connectors.durable, "sync", lambda path: time.sleep(0.05))
    answers = await asyncio.gather(
        *(send(client, "orders.csv", csv_bytes(GOOD)) for _ in range(3))
    )
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len(inbox_of(settings)) == 1


async def test_a_download_is_a_file_of_exports_and_nothing_else(
    client: httpx.AsyncClient, settings: SourcingSettings
) -> None:
    exports = settings.data_dir / "exports"
    exports.mkdir()
    (exports / "landed-costs.csv").write_text("a,b\n")
    (exports / ".half").write_text("no")
    (exports / "folder").mkdir()
    (exports / "link.csv").symlink_to(settings.data_dir / "ledger.db")
    answer = await client.get("/download?file=landed-costs.csv")
    assert (answer.text, answer.headers["content-disposition"]) == (
        "a,b\n",
        'attachment; filename="landed-costs.csv"',
    )
    listed = (await client.get("/downloads")).text
    assert "landed-costs.csv" in listed
    assert not [name for name in (".half", "link.csv", "folder<") if name in listed]
    tricks = (
        "../ledger.db",
        "..%2Fledger.db",
        "/etc/passwd",
        ".half",
        "link.csv",
        "folder",
        "",
        "a%00b",
        "%2e%2e/ledger.db",
    )
    for name in tricks:
        assert (await client.get(f"/download?file={name}")).status_code == 404, name
    for table in (
        "name=..&kind=csv",
        "name=orders&kind=exe",
        "name=sqlite_master&kind=csv",
        "name=orders;x&kind=csv",
        "kind=csv",
    ):
        assert (await client.get(f"/table?{table}")).status_code == 404, table


async def test_a_ledger_that_can_not_be_read_is_said_and_none_is_made(
    settings: SourcingSettings, clock: MovableClock
) -> None:
    async with client_of(settings, clock) as client:
        answer = await client.get("/")
    assert answer.status_code == 503
    assert "there is no ledger at" in answer.text
    assert not (settings.data_dir / "ledger.db").exists()


def test_a_ledger_that_is_opened_for_reading_refuses_to_write(
    ledger_url: str, clock: MovableClock
) -> None:
    with Ledger(ledger_url, clock=clock, owner="run") as ledger:
        ledger.start_batch("batch", "file.csv")
    with Ledger(ledger_url, clock=clock, owner="page", only_reads=True) as reader:
        assert reader.sources_of(["batch"])
        with pytest.raises(LedgerUnusable, match=r"read-?only"):
            reader.start_batch("other", "file.csv")
        assert not reader.sources_of(["other"])
