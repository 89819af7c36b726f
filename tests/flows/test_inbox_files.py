"""How the inbox reads its files, and what it says of those that it can't."""

from __future__ import annotations

import asyncio
import io
import json
import os
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from sqlalchemy import update

import flows.buy_from_inbox
from connectors.book_file import reading_by
from connectors.inbox import Folder, Inbox, delete_old
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.plans import THE_SHOP, closed_by_shop, drop
from connectors.ledger.schema import orders as order_rows
from connectors.ledger.store import Ledger
from connectors.request_files import UnreadableFile
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import Misconfigured, ServiceAway
from domain.report import BatchReport
from domain.states import OrderState
from flows.batch.plan_sources import left_to_newer
from flows.batch.request_batches import read_requests
from flows.prefect_ui.parameters import Limits, Requests, Speed
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
    night = flows.buy_from_inbox.Night(
        Inbox(folder), yes=True, limits=Limits(), speed=Speed()
    )
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
    await flows.buy_from_inbox.Night(
        folder, yes=True, limits=Limits(), speed=Speed()
    ).take(tmp_path / name)
    assert given == [yes]


@pytest.mark.parametrize(("starts", "is_tried"), [(1, False), (2, True)])
async def test_a_run_that_goes_on_takes_the_file_of_its_process_before(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tried: list[str],
    starts: int,
    *,
    is_tried: bool,
) -> None:
    """Paused on its page and resumed at once, it finds the file locked while that
    process ends.

    A file that another night has, maybe waiting for a person's answer, is left to it.
    """
    monkeypatch.setattr(
        flows.buy_from_inbox, "flow_run", SimpleNamespace(run_count=starts, tags=[])
    )
    monkeypatch.setattr(flows.buy_from_inbox, "LOOK_AGAIN_S", 0.01)
    (tmp_path / "a.csv").write_bytes(csv_bytes(GOOD))
    inbox = Inbox(tmp_path)
    run = flows.buy_from_inbox.Night(inbox, yes=True, limits=Limits(), speed=Speed())
    with inbox.taken(tmp_path / "a.csv") as working:
        assert working
        taking = asyncio.create_task(run.take(working))
        await asyncio.wait([taking], timeout=0.3)
        assert taking.done() is not is_tried
    assert ((await taking is not None), len(tried)) == (is_tried, is_tried)


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
    night = flows.buy_from_inbox.Night(
        Inbox(tmp_path), yes=True, limits=Limits(), speed=Speed()
    )
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
    run = flows.buy_from_inbox.Night(
        Inbox(tmp_path), yes=True, limits=Limits(), speed=Speed()
    )
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
        asked, left = (
            read_requests(requests, options["batch"], **reading).orders,
            left_to_newer.get(),
        )
        mine = [
            f"{one.order_ref} {one.lines[0].max_unit_price}"
            for one in asked
            if one.order_ref not in left
        ]
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
    run = flows.buy_from_inbox.Night(inbox, yes=True, limits=Limits(), speed=Speed())
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
    ended: list[Path] = []

    async def refused(*_: object, **__: object) -> None:
        raise error or AssertionError

    monkeypatch.setattr(flows.buy_from_inbox, "end_personal_data", ended.append)
    if error:
        monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", refused)
    for file in ({}, {"a.csv": rows("A-7")}):
        for name, content in file.items():
            (tmp_path / name).write_bytes(content)
        with suppress(Misconfigured):
            await flows.buy_from_inbox.buy_from_inbox.fn(str(tmp_path), quiet_s=0)
        assert ended == ([tmp_path] if file and ends else [])


async def test_an_order_is_tried_as_the_newest_file_of_a_name_has_it(
    tmp_path: Path, tried: list[str]
) -> None:
    """What only an earlier one has goes on by that: of an export of another day, and of
    a file that was corrected.
    """
    await night(tmp_path, rows("A-7", "B-2"))
    await night(tmp_path, rows("A-8"))
    assert tried == ["A-7 19.90 CNY", "B-2 19.90 CNY"] * 2 + ["A-8 19.90 CNY"]
    for again in (rows("A-7", limit="12.00"), b""):
        tried.clear()
        told = await night(tmp_path, again)
        assert sorted(tried) == ["A-7 12.00 CNY", "A-8 19.90 CNY", "B-2 19.90 CNY"]
        assert [place for place, _ in told] == ["open"] * 3
        assert [note for _, note in told if "left to" in note] == [told[0][1]]


async def test_a_file_without_orders_of_its_own_is_done_once_the_newer_one_was_tried(
    tmp_path: Path, tried: list[str]
) -> None:
    await night(tmp_path, rows("A-7"))
    assert [
        place for place, _ in await night(tmp_path, rows("A-7", "B-2", limit="12.00"))
    ] == ["open", "open"]
    tried.clear()
    assert sorted(place for place, _ in await night(tmp_path)) == ["done", "open"]
    assert tried == ["A-7 12.00 CNY", "B-2 12.00 CNY"]


async def test_what_lies_beside_a_request_file_by_its_name_is_no_corrected_copy(
    tmp_path: Path, tried: list[str]
) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    (tmp_path / "a.ok").write_bytes(b"")
    await night(tmp_path, rows("A-7"))
    tried.clear()
    await night(tmp_path)
    assert tried == ["A-7 19.90 CNY"]


async def test_an_order_that_is_mended_in_open_is_tried_as_it_is_there(
    tmp_path: Path, tried: list[str]
) -> None:
    await night(tmp_path, rows("A-7", "C-3"))
    await night(tmp_path, rows("A-7", "B-2"))
    (tmp_path / "open/a.csv").write_bytes(rows("A-7", "C-3", limit="12.00"))
    tried.clear()
    await night(tmp_path)
    assert "A-7 12.00 CNY" in tried
    assert "A-7 19.90 CNY" not in tried


async def test_what_a_dead_run_has_left_is_tried_as_the_corrected_file_has_it(
    tmp_path: Path, tried: list[str]
) -> None:
    """Taken new or from `open`; also where it dies again, and where a living run has
    the corrected one.
    """
    (tmp_path / "a.csv").write_bytes(rows("A-7", "B-2"))
    for where in ("a.csv", "open/a.csv"):
        with Inbox(tmp_path).taken(tmp_path / where) as dead:
            assert dead == tmp_path / "working/a.csv"
        if where == "a.csv":
            (tmp_path / "a.csv").write_bytes(rows("A-7", limit="12.00"))
        tried.clear()
        await night(tmp_path)
        assert sorted(tried) == ["A-7 12.00 CNY", "B-2 19.90 CNY"]
    tried.clear()
    with Inbox(tmp_path).taken(
        next(
            path
            for path in (tmp_path / "open").glob("a-*.csv")
            if "result" not in path.name
        )
    ):
        await night(tmp_path)
    assert tried == ["B-2 19.90 CNY"]


async def test_a_faulty_file_holds_back_the_orders_of_its_name_until_a_mended_one_is_read(
    tmp_path: Path, tried: list[str]
) -> None:
    """It is told each night; once a copy was dropped that can be read the faulty one in
    `failed` counts no more.
    """
    await night(tmp_path, rows("A-7", "B-2"))
    tried.clear()
    waits = (
        "open",
        "what is not begun waits: a.csv, of the same name, came later and can't be read",
    )
    assert await night(tmp_path, rows("A-7", limit="none")) == [
        waits,
        ("failed", "nothing was bought"),
    ]
    assert await night(tmp_path) == [waits]
    assert tried == []
    for again in (rows("A-7", limit="12.00"), b""):
        tried.clear()
        assert [place for place, _ in await night(tmp_path, again)] == ["open", "open"]
        assert sorted(tried) == ["A-7 12.00 CNY", "B-2 19.90 CNY"]
    assert (tmp_path / "failed/a.csv").exists()


async def test_what_was_refused_as_the_newest_file_has_it_is_not_tried_as_an_earlier_one_has_it(
    tmp_path: Path, tried: list[str]
) -> None:
    """The newest one is over, and lies in `done`; a file that failed is no answer, also
    where it can be read since.
    """
    await night(tmp_path, rows("A-7", "B-2"))
    for place, names in (("failed", ("A-7", "B-2")), ("done", ("A-7",))):
        inbox = Inbox(tmp_path)
        (tmp_path / "a.csv").write_bytes(rows(*names, limit="12.00"))
        with inbox.taken(tmp_path / "a.csv") as working:
            assert working
            inbox.put(
                working,
                Folder(place),
                {"first_taken": inbox.came(working).isoformat()},
                [],
            )
    tried.clear()
    assert [place for place, _ in await night(tmp_path)] == ["open"]
    assert tried == ["B-2 19.90 CNY"]


@pytest.mark.parametrize(
    ("first", "second", "new"),
    [
        ("orders_export.csv", "orders_export (1).csv", ["#1004"]),
        ("orders_11-28.csv", "orders_11-29.csv", ["#1004"]),
        ("orders_11-28.csv", "orders_11-29.csv", []),
    ],
)
@pytest.mark.usefixtures("book")
async def test_what_a_later_export_of_a_shop_turns_away_is_not_bought_by_an_earlier_one(
    tmp_path: Path, tried: list[str], first: str, second: str, new: list[str]
) -> None:
    """Cancelled or sent since: under whatever name, also by one that fails since
    nothing is left. The others go on.
    """
    orders = [SHOPIFY | {"Name": name} for name in ("#1001", "#1002", "#1003")]
    (tmp_path / first).write_text(text_of(SHOPIFY_HEADER, orders))
    await night(tmp_path)
    assert tried == ["S-1001 None", "S-1002 None", "S-1003 None"]
    over = [
        orders[0] | {"Cancelled at": "2026-11-29"},
        orders[1] | {"Lineitem fulfillment status": "fulfilled"},
    ]
    for again in (
        text_of(SHOPIFY_HEADER, [*over, *(SHOPIFY | {"Name": name} for name in new)]),
        "",
    ):
        tried.clear()
        if again:
            (tmp_path / second).write_text(again)
        told = await night(tmp_path)
        assert sorted(tried) == ["S-1003 None", "S-1004 None"][: 1 + len(new)]
        assert ("open", f"left to what came later: {second}") in told


@pytest.mark.parametrize(
    ("cells", "begun", "over", "goes_on"),
    [
        ({"Shipped On Date": "Jul-26-26"}, None, ["", "-b"], False),
        ({"Tracking Number": "OURS1"}, "77", [], True),
        ({"Paid On Date": ""}, None, [], False),
    ],
)
@pytest.mark.usefixtures("book")
async def test_what_a_later_export_turns_away_for_good_stays_so_without_that_file(
    tmp_path: Path,
    tried: list[str],
    cells: dict[str, str],
    begun: str | None,
    over: list[str],
    *,
    goes_on: bool,
) -> None:
    """Its days end before those of the file that waits. An order of which a part is
    ours already goes on, when sent.
    """
    ref = "EBAY-12-34567-89012"
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="test") as ledger:
        ledger.start_batch("batch", "file.csv")
        ledger.parts.keep({ref: {"FERN-1": ref, "MOSS-1": f"{ref}-b"}})
        plans = [planned(f"{ref}{part}") for part in ("", "-b")]
        ledger.put_plans(
            [replace(one, request=replace(one.request, shop="ebay")) for one in plans],
            "batch",
        )
        with ledger.transaction() as connection:
            connection.execute(
                update(order_rows)
                .where(order_rows.c.order_ref == ref)
                .values(order_id=begun)
            )
        (tmp_path / "first.csv").write_text(text_of(EBAY_HEADER, [EBAY]))
        await night(tmp_path)
        (tmp_path / "second.csv").write_text(text_of(EBAY_HEADER, [EBAY | cells]))
        await night(tmp_path)
        tried.clear()
        await night(tmp_path)  # until a run has taken it, it may still be written to
        closed = [
            part
            for part in ("", "-b")
            if closed_by_shop(ledger.orders([f"{ref}{part}"])[f"{ref}{part}"])
        ]
    assert closed == over
    assert tried == [f"{ref} None"] * goes_on


@pytest.mark.usefixtures("book")
async def test_what_a_still_later_export_shows_as_to_be_bought_is_not_closed(
    tmp_path: Path, tried: list[str]
) -> None:
    """It was marked as sent by mistake."""
    ref = "EBAY-12-34567-89012"
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="test") as ledger:
        ledger.start_batch("batch", "file.csv")
        ledger.put_plans(
            [replace(one := planned(ref), request=replace(one.request, shop="ebay"))],
            "batch",
        )
        for name, cells in (
            ("first", {}),
            ("second", {"Shipped On Date": "Jul-26-26"}),
            ("third", {}),
        ):
            (tmp_path / f"{name}.csv").write_text(text_of(EBAY_HEADER, [EBAY | cells]))
        await night(tmp_path)
        await night(tmp_path)
        assert not closed_by_shop(ledger.orders([ref])[ref])


@pytest.mark.parametrize(
    ("cells", "by_it"),
    [
        ({}, ["EBAY-12-34567-89012 None"]),
        ({"Quantity": "some"}, []),
        ({"Paid On Date": ""}, []),
    ],
)
@pytest.mark.usefixtures("book")
async def test_an_order_is_tried_as_the_newest_export_that_shows_it_has_it(
    tmp_path: Path, tried: list[str], cells: dict[str, str], by_it: list[str]
) -> None:
    """Its receiver was changed in the shop. What has a fault there, or is not to be
    bought, is bought by no older one.

    That stays so when the days of the newer one are over. What it does not show goes on
    as it was.
    """
    other = EBAY | {"Order Number": "12-34567-89013"}
    (tmp_path / "orders-mon.csv").write_text(text_of(EBAY_HEADER, [EBAY, other]))
    await night(tmp_path)
    assert tried == ["EBAY-12-34567-89012 None", "EBAY-12-34567-89013 None"]
    (tmp_path / "orders-tue.csv").write_text(
        text_of(EBAY_HEADER, [EBAY | {"Ship To Address 1": "2 Side St"} | cells])
    )
    for _ in range(3):
        tried.clear()
        told = await night(tmp_path)
        assert tried == ["EBAY-12-34567-89013 None", *by_it]
        assert told[0] == ("open", "left to what came later: orders-tue.csv")
        delete_old(SourcingSettings(), tmp_path, utc_now() + timedelta(days=91))
    (tmp_path / "orders-wed.csv").write_text(text_of(EBAY_HEADER, [EBAY]))
    tried.clear()
    await night(tmp_path)
    assert tried == ["EBAY-12-34567-89013 None", "EBAY-12-34567-89012 None"]


@pytest.mark.usefixtures("book")
async def test_what_waits_stays_open_where_a_later_export_that_failed_turns_it_away_by_words_of_a_spreadsheet(
    tmp_path: Path, tried: list[str]
) -> None:
    """Nothing buys it meanwhile; once the bad file is deleted it goes on."""
    orders = [SHOPIFY | {"Name": name} for name in ("#1001", "#1002")]
    (tmp_path / "mon.csv").write_text(text_of(SHOPIFY_HEADER, orders))
    await night(tmp_path)
    saved = [
        order | {"Lineitem requires shipping": "VERO UND WAHR"} for order in orders
    ]
    (tmp_path / "tue.csv").write_text(text_of(SHOPIFY_HEADER, saved))
    tried.clear()
    await night(tmp_path)
    assert [place for place, _ in await night(tmp_path)] == ["open"]
    assert tried == []
    (tmp_path / "failed/tue.csv").unlink()
    await night(tmp_path)
    assert tried == ["S-1001 None", "S-1002 None"]


@pytest.mark.parametrize("place", ["failed", "open"])
@pytest.mark.usefixtures("book")
async def test_an_export_that_is_mended_where_it_lies_is_no_newer_for_that(
    tmp_path: Path, tried: list[str], place: str
) -> None:
    """What an export of since then shows otherwise is bought as that has it."""
    other = EBAY | {"Order Number": "12-34567-89013"}
    bad = (
        EBAY
        | {"Order Number": "12-34567-89014"}
        | ({"Quantity": "some"} if place == "failed" else {})
    )
    (tmp_path / "orders-mon.csv").write_text(text_of(EBAY_HEADER, [EBAY, other, bad]))
    await night(tmp_path)
    (tmp_path / "orders-tue.csv").write_text(
        text_of(EBAY_HEADER, [EBAY | {"Ship To Address 1": "2 Side St"}, other])
    )
    await night(tmp_path)
    mended = [EBAY, other | {"Quantity": "9"}, bad | {"Quantity": "1"}]
    (tmp_path / place / "orders-mon.csv").write_text(text_of(EBAY_HEADER, mended))
    for _ in range(2):
        tried.clear()
        told = await night(tmp_path)
        assert ("open", "left to what came later: orders-tue.csv") in told
        assert sorted(tried) == [f"EBAY-12-34567-8901{last} None" for last in (2, 3, 4)]
    assert [path.name for path in (tmp_path / "failed").iterdir()] == []


@pytest.mark.usefixtures("book")
async def test_an_order_that_is_shown_as_to_be_bought_after_it_was_closed_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was marked as sent by mistake. Nothing buys it: the file may as well be an old
    one that came late.
    """
    ref, other = "EBAY-12-34567-89012", "EBAY-12-34567-89013"
    shown = report(
        *(replace(line(0, OrderState.CANCELLED), order_ref=one) for one in (ref, other))
    )
    monkeypatch.setattr(
        flows.buy_from_inbox, "buy_from_file", AsyncMock(return_value=shown)
    )
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="test") as ledger:
        ledger.start_batch("batch", "file.csv")
        requests = [
            replace(planned(one).request, shop="ebay", shop_ref=one[5:])
            for one in (ref, other)
        ]
        ledger.put_plans(
            [replace(planned(one.order_ref), request=one) for one in requests], "batch"
        )
        drop(ledger, [ref], by=THE_SHOP, note="second.csv turns it away")
        drop(ledger, [other], by="Mei")
        told = "; closed before, so not bought: EBAY-12-34567-89012"
        for name, words in (("third", told), ("fourth", told)):
            (tmp_path / f"{name}.csv").write_text(text_of(EBAY_HEADER, [EBAY]))
            ((place, note),) = await night(tmp_path)
            assert (place, f"; {note}") == ("done", words)
        (message,) = taken_messages(ledger)
    assert message.subject == "1 order not bought, though a later file shows them"
    why = "not wanted any more, says the shop: second.csv turns it away"
    assert f"ebay 12-34567-89012: {why}" in message.body


async def test_a_ledger_that_fails_after_the_purchases_leaves_the_file_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lay in `working` without a word."""
    shown = report(replace(line(0, OrderState.CANCELLED), order_ref="A-1"))
    monkeypatch.setattr(
        flows.buy_from_inbox, "buy_from_file", AsyncMock(return_value=shown)
    )
    monkeypatch.setattr(
        flows.buy_from_inbox,
        "of_shown_again",
        Mock(side_effect=LedgerUnusable("the disk is full")),
    )
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    assert await night(tmp_path, rows("A-1")) == [
        ("open", "broken off, the next run goes on: the disk is full")
    ]


@pytest.mark.usefixtures("book")
async def test_of_later_files_of_another_name_only_exports_are_read(
    tmp_path: Path, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies of three months lie there, request files of any size among them."""
    read, shown = list[str](), flows.buy_from_inbox.Night._shown

    def noted(run: Any, path: Path, reading: Any) -> Any:
        read.append(path.name)
        return shown(run, path, reading)

    monkeypatch.setattr(flows.buy_from_inbox.Night, "_shown", noted)
    (tmp_path / "first.csv").write_text(text_of(EBAY_HEADER, [EBAY]))
    await night(tmp_path)
    (tmp_path / "second.csv").write_bytes(rows("A-7"))
    (tmp_path / "third.csv").write_text(
        text_of(EBAY_HEADER, [EBAY | {"Order Number": "12-34567-89013"}])
    )
    await night(tmp_path)
    assert sorted({*read}) == ["first.csv", "third.csv"]


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
            Inbox(tmp_path), yes=True, limits=Limits(), speed=Speed()
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
