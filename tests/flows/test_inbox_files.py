"""How the inbox reads its files, and what it says of those that it can't."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

import flows.buy_from_inbox
from connectors.book_file import reading_by
from connectors.inbox import Inbox
from connectors.ledger.plans import NO_TOLERANCE, laid_aside
from connectors.ledger.records import approval_of
from connectors.ledger.schema import orders as order_rows
from connectors.ledger.store import Ledger
from connectors.request_files import UnreadableFile
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import Misconfigured, ServiceAway
from domain.orders import OrderRequest
from domain.reasons import ReasonCode
from domain.report import BatchReport
from domain.states import OrderState
from flows.batch.plan_sources import summary_of
from flows.batch.request_batches import read_requests
from flows.batch.sorting import sort_requests
from flows.buy_from_inbox import hold_contested
from flows.prefect_ui.parameters import Limits, Requests
from tasks.engine.resources import utc_now
from tests.cli.test_long_tables import line, report
from tests.connectors.request_files.writing import GOOD, csv_bytes
from tests.connectors.test_shop_files import (
    EBAY,
    EBAY_HEADER,
    SHOPIFY,
    SHOPIFY_HEADER,
    text_of,
)
from tests.flows.plans import planned
from tests.notified import taken_messages

CHINESE = csv_bytes(
    GOOD | {"receiver_name": "王小明", "quantity": "0"}, encoding="gb18030"
)


async def taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The result that is laid beside the one file of an inbox, whose reading alone is
    played.
    """

    async def source(requests: Requests, **options: Any) -> None:
        read_requests(requests, options["batch"])

    monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", source)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(folder / "data"))
    night = flows.buy_from_inbox.Night(Inbox(folder), yes=True, limits=Limits())
    result = await night.take(folder / "a.csv")
    assert result is not None
    assert result.place == "failed"
    answer: dict[str, Any] = json.loads(
        (folder / "failed/a.csv.result.json").read_text()
    )
    return answer


async def test_a_file_that_is_no_utf_8_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_bytes(CHINESE)
    (fault,) = (await taken(tmp_path, monkeypatch))["faults"]
    assert fault["fault"].startswith("line 2 is no UTF-8 text; save it as CSV UTF-8")


@pytest.mark.parametrize(
    ("name", "yes"),
    [("ask-a.csv", False), ("Ask-A.csv", False), ("a.csv", True), ("task-a.csv", True)],
)
async def test_a_file_whose_name_says_so_is_asked_about_also_where_it_was_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, yes: bool
) -> None:
    """Another file of its name lies in `working`, so that it gets a longer one
    there.
    """
    given: list[bool] = []

    async def source(requests: Requests, **options: Any) -> None:
        given.append(options["yes"])
        raise UnreadableFile(Path(requests.file), "no table")

    monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", source)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    folder = Inbox(tmp_path)
    (tmp_path / name).write_bytes(CHINESE)
    (tmp_path / "working" / name).write_bytes(b"other")
    await flows.buy_from_inbox.Night(folder, yes=True, limits=Limits()).take(
        tmp_path / name
    )
    assert given == [yes]


async def test_a_file_that_may_not_be_read_fails_with_its_remedy_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside the one of the night before; `root` could read it, so that is
    played.
    """

    def refusing(opened: Any) -> Any:
        def opens(path: Any, *arguments: Any, **options: Any) -> Any:
            if str(path).endswith(".csv"):
                raise PermissionError(13, "Permission denied")
            return opened(path, *arguments, **options)

        return opens

    for content in (b"first", b"another"):
        (tmp_path / "a.csv").write_bytes(content)
        with monkeypatch.context() as patch:
            patch.setattr("io.open", refusing(io.open))
            patch.setattr("os.open", refusing(os.open))
            (told,) = (await taken(tmp_path, patch))["faults"]
        assert (
            told["fault"]
            == "can't be opened (Permission denied); check the path and its permissions"
        )
    assert (
        len(
            [
                path
                for path in (tmp_path / "failed").glob("a*.csv")
                if "result" not in path.name
            ]
        )
        == 2
    )


async def test_a_file_that_is_too_large_is_not_read_to_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(40 * 2**20)
    (told,) = (await taken(tmp_path, monkeypatch))["faults"]
    assert told["fault"] == "has 40 MiB; up to 32 MiB are possible: split the file"


@pytest.mark.parametrize(
    "half", ["", "order_ref,marketplace\nA-1\n"], ids=["unreadable", "faulty"]
)
async def test_a_file_that_grew_while_its_half_was_read_goes_back_to_the_inbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    """Nobody is told of the faults of the half."""
    name = "a.csv" if half else "a.xlsx"

    def write(file: Path) -> None:
        file.write_text(f"{half}the rest")

    async def source(requests: Requests, **options: Any) -> None:
        try:
            read_requests(requests, options["batch"])
        finally:
            write(Path(requests.file))

    async def tell(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", source)
    monkeypatch.setattr(flows.buy_from_inbox, "enqueue", tell)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / name).write_text(half)
    night = flows.buy_from_inbox.Night(Inbox(tmp_path), yes=True, limits=Limits())
    result = await night.take(tmp_path / name)
    assert result is not None
    assert (result.place, result.note) == (
        "",
        "written to meanwhile: the next run takes it as it is then",
    )
    assert (tmp_path / name).read_text() == f"{half}the rest"


async def test_a_file_that_was_taken_away_while_it_was_worked_on_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which gives it up: the night goes on with the others, and is no failure."""

    async def source(requests: Requests, **_: Any) -> BatchReport:
        os.unlink(requests.file)
        return report(line(1, OrderState.BOOKED))

    monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", source)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "a.csv").write_bytes(csv_bytes(GOOD))
    run = flows.buy_from_inbox.Night(Inbox(tmp_path), yes=True, limits=Limits())
    result = await run.take(tmp_path / "a.csv")
    assert result is not None
    assert (result.place, result.note) == (
        "taken away",
        "while a run worked on it; what was bought stands in the report of its batch",
    )


def rows(*names: str, limit: str = "19.90") -> bytes:
    return csv_bytes(
        *(GOOD | {"order_ref": name, "max_unit_price": limit} for name in names)
    )


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SKU book with the one own SKU of the exports here."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/book.csv").write_text(
        "own_sku,marketplace,item\nFERN-1,1688,610000000001\n"
    )
    monkeypatch.setenv("SOURCING_BOOK", str(tmp_path / "data/book.csv"))


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the nights try, all of which is held, none begun."""
    found: list[str] = []

    async def source(requests: Requests, **options: Any) -> BatchReport:
        reading = await reading_by(SourcingSettings())
        asked = read_requests(requests, options["batch"], **reading).orders
        mine = [f"{one.order_ref} {one.lines[0].max_unit_price}" for one in asked]
        found.extend(mine)
        return report(*(line(number, OrderState.HELD) for number, _ in enumerate(mine)))

    monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", source)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    return found


async def night(folder: Path, dropped: bytes = b"") -> list[tuple[str, str]]:
    """Where a night puts its files, and the end of what it says of each."""
    if dropped:
        (folder / "a.csv").write_bytes(dropped)
    inbox = Inbox(folder)
    run = flows.buy_from_inbox.Night(inbox, yes=True, limits=Limits())
    done = [done for path in inbox.waiting(quiet_s=0) if (done := await run.take(path))]
    return [(one.place, one.note.rpartition("; ")[2]) for one in done]


@pytest.mark.parametrize(
    ("error", "ends"), [(None, True), (Misconfigured("the clock is wrong"), False)]
)
async def test_copies_end_only_in_a_night_that_opened_a_batch(
    tmp_path: Path,
    tried: list[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception | None,
    *,
    ends: bool,
) -> None:
    """Then the service has proved the clock, which says whose time is over."""
    ended: list[bool] = []
    inbox = tmp_path / "inbox"
    inbox.mkdir()

    async def refused(*_: object, **__: object) -> None:
        raise error or AssertionError

    monkeypatch.setattr(
        flows.buy_from_inbox, "end_personal_data", lambda: ended.append(True)
    )
    monkeypatch.setattr(flows.buy_from_inbox, "QUIET_S", 0)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    if error:
        monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", refused)
    for file in ({}, {"a.csv": rows("A-7")}):
        for name, content in file.items():
            (inbox / name).write_bytes(content)
        with suppress(Misconfigured):
            await flows.buy_from_inbox.buy_from_inbox.fn()
        assert ended == ([True] if file and ends else [])


async def test_a_file_that_is_mended_in_open_goes_on_with_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has spent counts: a corrected postcode brings no second budget. A new
    file of its name has its own.
    """
    given: list[str] = []

    async def source(_: Requests, **options: Any) -> None:
        given.append(options["batch"])
        raise ServiceAway("away")

    monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", source)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "a.csv").write_text("dropped")

    async def night(file: str) -> None:
        assert await flows.buy_from_inbox.Night(
            Inbox(tmp_path), yes=True, limits=Limits()
        ).take(tmp_path / file)

    def killed(file: str) -> None:
        with Inbox(tmp_path).taken(tmp_path / file) as working:
            assert working == tmp_path / "working/a.csv"

    await night("a.csv")
    (tmp_path / "open/a.csv").write_text("mended")
    await night("open/a.csv")
    killed("open/a.csv")
    await night("working/a.csv")
    (tmp_path / "a.csv").write_text("new")
    killed("a.csv")
    await night("working/a.csv")
    assert given == [*["a-e7cd9c3a"] * 3, "a-11507a0e"]


KNOWN = "EBAY-12-34567-89012"


def stands(ledger: Ledger, order: OrderRequest, **columns: Any) -> None:
    """An order that an earlier file brought."""
    ledger.start_batch("first", "first.csv")
    plan = replace(planned(order.order_ref), request=order)
    ledger.put_plans([plan], "first")
    approvals = [approval_of(summary_of(plan), "mei", utc_now())]
    ledger.approve(approvals, "first", tolerance=NO_TOLERANCE)
    if columns:
        with ledger.transaction() as connection:
            these = order_rows.c.order_ref == order.order_ref
            connection.execute(update(order_rows).where(these).values(**columns))


def known(ledger: Ledger, ref: str) -> tuple[OrderState, ReasonCode | None, bool]:
    """An order's state, its reason, and whether it may be bought."""
    order = ledger.orders([ref])[ref]
    code = order.why.code if order.why else None
    return order.state, code, order.plan_hash is not None


APPROVED = (OrderState.PLANNED, ReasonCode.APPROVED, True)
CONTESTED = (OrderState.HELD, ReasonCode.CONTESTED, False)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="test") as ledger:
        yield ledger


@pytest.mark.parametrize(
    ("cells", "columns", "stays"),
    [
        ({}, {}, APPROVED),
        ({"note": "another"}, {}, APPROVED),
        ({"quantity": "7"}, {}, CONTESTED),
        ({"max_unit_price": "12.00"}, {}, CONTESTED),
        ({"address": "2 Side St"}, {}, CONTESTED),
        ({"quantity": "7"}, {"state": "refused"}, ("refused", "approved", True)),
        ({"quantity": "7"}, {"state": "cancelled"}, ("cancelled", "approved", True)),
        ({"quantity": "7"}, {"order_id": "77"}, APPROVED),
        ({"order_ref": "B-2"}, {}, APPROVED),
    ],
)
async def test_a_later_file_with_other_contents_holds_an_order_that_is_not_begun(
    tmp_path: Path,
    ledger: Ledger,
    cells: dict[str, str],
    columns: dict[str, Any],
    stays: tuple[OrderState, ReasonCode, bool],
) -> None:
    for name, row in (("first", GOOD), ("later", GOOD | cells)):
        (tmp_path / f"{name}.csv").write_bytes(csv_bytes(row))
    (order,) = read_requests(Requests(file=str(tmp_path / "first.csv"))).orders
    stands(ledger, order, **columns)
    await hold_contested([tmp_path / "first.csv", tmp_path / "later.csv"])
    assert known(ledger, order.order_ref) == stays
    assert taken_messages(ledger) == []
    if stays == CONTESTED:
        assert ledger.orders([order.order_ref])[order.order_ref].reason.startswith(
            "later.csv asks for other contents of it. Run the file that is right"
        )


async def test_a_contested_order_is_planned_by_no_night_then_belongs_to_who_was_chosen(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Until then the other file waits too."""
    for name, row in (("first", GOOD), ("later", GOOD | {"quantity": "7"})):
        (tmp_path / f"{name}.csv").write_bytes(csv_bytes(row))
    first, later = (
        read_requests(Requests(file=str(tmp_path / f"{name}.csv"))).orders[0]
        for name in ("first", "later")
    )
    stands(ledger, first)
    (tmp_path / "broken.csv").write_text("no table")
    await hold_contested([tmp_path / "broken.csv", tmp_path / "later.csv"])
    assert laid_aside(ledger, [first.order_ref]) == {first.order_ref: None}
    assert sort_requests(ledger, [later], "later").to_plan == [later]
    stands(ledger, first)
    for request, batch, is_planned in (
        (first, "first", True),
        (later, "first", True),  # mended in `open`
        (first, "copy", True),
        (later, "later", False),
        (later, "", True),  # by hand
    ):
        work = sort_requests(ledger, [request], batch)
        assert (work.to_plan == [request]) is is_planned
        assert (first.order_ref in work.taken) is not is_planned


@pytest.mark.parametrize(
    ("cells", "begun", "parts"),
    [
        ({"Shipped On Date": "Jul-26-26"}, None, [CONTESTED, CONTESTED]),
        ({"Shipped On Date": "Jul-26-26"}, "77", [APPROVED, APPROVED]),
        ({"Paid On Date": ""}, None, [APPROVED, APPROVED]),
    ],
)
@pytest.mark.usefixtures("book")
async def test_what_an_export_shows_as_sent_is_held_unless_a_part_of_it_is_ours(
    tmp_path: Path,
    ledger: Ledger,
    cells: dict[str, str],
    begun: str | None,
    parts: list[tuple[OrderState, ReasonCode, bool]],
) -> None:
    """Also by an export that fails, since nothing is left to be bought."""
    ledger.parts.keep({KNOWN: {"FERN-1": KNOWN, "MOSS-1": f"{KNOWN}-b"}})
    stands(ledger, planned(KNOWN).request, order_id=begun)
    stands(ledger, planned(f"{KNOWN}-b").request)
    (tmp_path / "later.csv").write_text(text_of(EBAY_HEADER, [EBAY | cells]))
    await hold_contested([tmp_path / "later.csv"])
    assert [known(ledger, ref) for ref in (KNOWN, f"{KNOWN}-b")] == parts
    assert taken_messages(ledger) == []


@pytest.mark.usefixtures("book")
async def test_what_is_cancelled_in_the_shop_is_held_and_once_begun_a_message(
    tmp_path: Path, ledger: Ledger
) -> None:
    stands(ledger, planned("S-1001").request)
    stands(ledger, planned("S-1002").request, order_id="77")
    cancelled = SHOPIFY | {"Cancelled at": "2026-11-29"}
    rows = [cancelled | {"Name": name} for name in ("#1001", "#1002", "#1003")]
    (tmp_path / "later.csv").write_text(text_of(SHOPIFY_HEADER, rows))
    for _ in range(2):
        await hold_contested([tmp_path / "later.csv"])
    assert known(ledger, "S-1001") == CONTESTED
    assert known(ledger, "S-1002") == APPROVED
    (message,) = taken_messages(ledger)
    assert message.subject == "Begun, and cancelled in the shop: S-1002"
    assert message.body.startswith("later.csv shows so.")


@pytest.mark.parametrize("parts", [{}, {"FERN-1": "S-1001", "MOSS-1": "S-1001-b"}])
@pytest.mark.usefixtures("book")
async def test_an_order_first_seen_as_cancelled_is_bought_by_no_older_export(
    tmp_path: Path, ledger: Ledger, parts: dict[str, str]
) -> None:
    """Also where its split by the SKU book is known; a person may still ask for it."""
    if parts:
        ledger.parts.keep({"S-1001": parts})
    rows = [SHOPIFY | {"Cancelled at": "2026-11-29"}, SHOPIFY | {"Name": "#1002"}]
    (tmp_path / "later.csv").write_text(text_of(SHOPIFY_HEADER, rows))
    for _ in range(2):
        await hold_contested([tmp_path / "later.csv"])
    requests = [planned(ref).request for ref in parts.values() or ["S-1001"]]
    other = planned("S-1002").request
    work = sort_requests(ledger, [*requests, other], "older")
    assert work.to_plan == [other]
    assert {*work.taken} == {request.order_ref for request in requests}
    for reason in work.taken.values():
        assert str(reason).startswith("later.csv shows it as cancelled or sent.")
    assert sort_requests(ledger, requests).to_plan == requests
    assert taken_messages(ledger) == []


@pytest.mark.usefixtures("book")
async def test_an_order_that_is_known_is_not_noted_as_over(
    tmp_path: Path, ledger: Ledger
) -> None:
    stands(ledger, planned("S-1001").request)
    rows = [SHOPIFY | {"Cancelled at": "2026-11-29"}]
    (tmp_path / "later.csv").write_text(text_of(SHOPIFY_HEADER, rows))
    await hold_contested([tmp_path / "later.csv"])
    assert known(ledger, "S-1001") == CONTESTED
    assert ledger.parts.over(["S-1001"]) == {}
