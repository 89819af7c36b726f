"""How the inbox reads its files, and what it says of those that it can't."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

import flows.buy_from_inbox
from connectors.inbox import Inbox
from connectors.request_files import UnreadableFile
from connectors.xportcn.errors import ServiceAway
from domain.report import BatchReport
from domain.states import OrderState
from flows.batch.request_batches import read_requests
from flows.buy_from_inbox import FileResult
from flows.prefect_ui.parameters import Limits, Requests, Speed
from tests.cli.test_long_tables import line, report
from tests.connectors.request_files.writing import GOOD, csv_bytes

CHINESE = csv_bytes(GOOD | {"receiver_name": "王小明", "quantity": "0"}, encoding="gb18030")


async def taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The result that is laid beside the one file of an inbox, whose reading alone is played."""

    async def source(requests: Requests, **options: Any) -> None:
        read_requests(requests, options["batch"])

    monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", source)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(folder / "data"))
    night = flows.buy_from_inbox.Night(Inbox(folder), yes=True, limits=Limits(), speed=Speed())
    result = await night.take(folder / "a.csv")
    assert result is not None
    assert result.place == "failed"
    answer: dict[str, Any] = json.loads((folder / "failed/a.csv.result.json").read_text())
    return answer


@pytest.mark.parametrize(
    ("encoding", "fault"),
    [
        ("", {"row": "", "column": "", "fault": "line 2 is no UTF-8 text; save it as CSV UTF-8"}),
        ("GB18030", {"row": 2, "column": "quantity", "fault": "0 is not a whole number of at least 1"}),
    ],
)
async def test_the_inbox_takes_the_encoding_of_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, fault: dict[str, Any]
) -> None:
    """The result names what can't be read, or the faults of what can."""
    monkeypatch.setenv("SOURCING_INBOX_ENCODING", encoding)
    (tmp_path / "a.csv").write_bytes(CHINESE)
    (told,) = (await taken(tmp_path, monkeypatch))["faults"]
    assert {**told, "fault": told["fault"][: len(fault["fault"])]} == fault


@pytest.mark.parametrize(
    ("name", "yes"), [("ask-a.csv", False), ("Ask-A.csv", False), ("a.csv", True), ("task-a.csv", True)]
)
async def test_a_file_whose_name_says_so_is_asked_about_also_where_it_was_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, yes: bool
) -> None:
    """Another file of its name lies in `working`, so that it gets a longer one there."""
    given: list[bool] = []

    async def source(requests: Requests, **options: Any) -> None:
        given.append(options["yes"])
        raise UnreadableFile(Path(requests.file), "no table")

    monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", source)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    folder = Inbox(tmp_path)
    (tmp_path / name).write_bytes(CHINESE)
    (tmp_path / "working" / name).write_bytes(b"other")
    await flows.buy_from_inbox.Night(folder, yes=True, limits=Limits(), speed=Speed()).take(tmp_path / name)
    assert given == [yes]


async def test_a_file_that_may_not_be_read_fails_with_its_remedy_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside the one of the night before; `root` could read it, so that is played."""

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
        assert told["fault"] == "can't be opened (Permission denied); check the path and its permissions"
    assert len([path for path in (tmp_path / "failed").glob("a*.csv") if "result" not in path.name]) == 2


async def test_a_file_that_is_too_large_is_not_read_to_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(40 * 2**20)
    (told,) = (await taken(tmp_path, monkeypatch))["faults"]
    assert told["fault"] == "has 40 MiB; up to 32 MiB are possible: split the file"


@pytest.mark.parametrize("half", ["", "order_ref,marketplace\nA-1\n"], ids=["unreadable", "faulty"])
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
    night = flows.buy_from_inbox.Night(Inbox(tmp_path), yes=True, limits=Limits(), speed=Speed())
    result = await night.take(tmp_path / name)
    assert result is not None
    assert (result.place, result.note) == ("", "written to meanwhile: the next run takes it as it is then")
    assert (tmp_path / name).read_text() == f"{half}the rest"


def rows(*names: str, limit: str = "19.90") -> bytes:
    return csv_bytes(*(GOOD | {"order_ref": name, "max_unit_price": limit} for name in names))


async def test_a_corrected_file_of_the_same_name_speaks_for_the_orders_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier one is never tried again; one of its name with other orders is, such as yesterday's export."""
    tried: list[str] = []

    async def source(requests: Requests, **options: Any) -> BatchReport:
        asked = read_requests(requests, options["batch"])
        tried.extend(f"{one.order_ref} {one.lines[0].max_unit_price}" for one in asked.orders)
        return report(line(1, OrderState.HELD))

    async def night() -> list[FileResult]:
        inbox = Inbox(tmp_path)
        run = flows.buy_from_inbox.Night(inbox, yes=True, limits=Limits(), speed=Speed())
        return [done for path in inbox.waiting(quiet_s=0) if (done := await run.take(path))]

    monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", source)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "a.csv").write_bytes(rows("A-7", "B-2"))
    await night()
    (tmp_path / "a.csv").write_bytes(rows("A-8"))
    await night()
    assert sorted(path.name for path in (tmp_path / "open").glob("a*.csv") if "result" not in path.name) == [
        f"a-{hashlib.sha256(rows('A-8')).hexdigest()[:8]}.csv",
        "a.csv",
    ]
    tried.clear()
    (tmp_path / "a.csv").write_bytes(rows("A-7", limit="12.00"))
    (replaced, *others) = await night()
    assert tried == ["A-7 12.00 CNY", "A-8 19.90 CNY"]
    assert (replaced.place, [one.place for one in others]) == ("open", ["open"])
    told = json.loads((tmp_path / "done/a.csv.result.json").read_text())["note"]
    assert told == "replaced by a.csv, which came later; no longer tried: B-2"
    (tmp_path / "a.csv").write_bytes(rows("A-7", limit="none"))
    tried.clear()
    assert [one.place for one in await night()] == ["failed", "open", "open"]
    assert tried == []
    (tmp_path / "failed/a.csv").unlink()
    (tmp_path / "working/a.csv").write_bytes(rows("A-9"))
    os.truncate(tmp_path / "working/.locks/a.csv.lock", 0)
    run = flows.buy_from_inbox.Night(Inbox(tmp_path), yes=True, limits=Limits(), speed=Speed())
    assert await run.take(tmp_path / "open/a.csv")
    assert tried == ["A-7 12.00 CNY"]  # the export that waits for an approval in `working` has other orders


async def test_a_file_that_is_mended_in_open_goes_on_with_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has spent counts: a corrected postcode brings no second budget. A new file of its name has its own."""
    given: list[str] = []

    async def source(_: Requests, **options: Any) -> None:
        given.append(options["batch"])
        raise ServiceAway("away")

    monkeypatch.setattr(flows.buy_from_inbox, "buy_from_file", source)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "a.csv").write_text("dropped")

    async def night(file: str) -> None:
        assert await flows.buy_from_inbox.Night(Inbox(tmp_path), yes=True, limits=Limits(), speed=Speed()).take(
            tmp_path / file
        )

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
