"""What runs tell of themselves names no receiver: report, results, terminal, artifacts,
events, logs, messages.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from flows.buy_from_file import buy_from_file
from flows.buy_from_inbox import buy_from_inbox
from flows.prefect_ui.markdown import inert
from flows.prefect_ui.parameters import Requests
from tests.rewriting_proxy import rewriting_proxy
from tests.running import Merchant, single_line_orders, write_csv

PLANTED = {
    "receiver_name": "Zaphodine Quillfeather",
    "receiver_phone": "+1 415 555 0142",
    "receiver_email": "quillfeather@milliways.example",
    "city": "Milliways",
    "zip": "ZQ9 7XW",
    "address": "4711 Crescent of Marvin",
    "note": "for the bowerbird",
}
TRACES = (
    "zaphodine",
    "quillfeather",
    "555 0142",
    "5550142",
    "milliways",
    "zq9 7xw",
    "4711 cresc",
    "bowerbird",
)
QUOTED = "{receiver_name}, {address}, {city} ({receiver_phone})".format(**PLANTED)
STRUCK = "[receiver_name], [address], [city] ([receiver_phone])"
BAD = {
    "receiver_email": "quillfeather at milliways",
    "receiver_phone": "4.155550142E+11",
}


def test_a_receiver_is_told_to_nobody(
    merchant: Merchant, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The service quotes the receiver in a refusal and in its scans, and one file has
    faults in personal cells.

    Of Prefect's database only the parameters, which are what a person pasted, may know
    the receiver.
    """
    rows = [
        {**row, **PLANTED}
        for row in single_line_orders(merchant.sandbox, {"taobao": 4, "1688": 1})
    ]
    answers: dict[str, Callable[[Any], Any]] = {
        "/open/purchase/render": Quoting(),
        "/open/order/logistics/detail/get": quoting_scans,
    }
    with rewriting_proxy(merchant.sandbox.url, answers=answers) as proxy:
        own = Merchant(
            merchant.sandbox,
            merchant.folder,
            {**merchant.settings, "XPORTCN_BASE_URL": proxy.url},
        )
        told = "".join(everything_told(own, rows))
    kept = list(in_prefect(tmp_path_factory.getbasetemp()))
    assert [trace for trace in TRACES if trace in told.lower()] == []
    assert {
        place for place, value in kept for trace in TRACES if trace in value.lower()
    } == {"flow_run.parameters"}
    assert f"the service does not accept the address (no delivery to {STRUCK})" in told
    assert '"fault": "this does not look like an e-mail address"' in told
    scanned = (
        inert(f"on its way to {STRUCK}, [city]")
        .encode("ascii", "backslashreplace")
        .decode()
    )
    assert any(
        place == "artifact.data" and scanned in value.replace("\\\\", "\\")
        for place, value in kept
    )


def everything_told(
    merchant: Merchant, rows: Sequence[dict[str, object]]
) -> Iterator[str]:
    """A night over a good and a bad file, pasted lines, a plain run, and tracking."""
    inbox = merchant.folder / "data" / "inbox"
    inbox.mkdir(parents=True)
    write_csv(inbox / "good.csv", rows[:2])
    write_csv(
        inbox / "bad.csv",
        [{**rows[2], **BAD}, {**rows[2], "address": "another one", "sku": "1"}],
    )
    pasted = "\n".join(
        ",".join(map(str, cells)) for cells in (rows[4].keys(), rows[4].values())
    )
    with (
        patch.dict(os.environ, merchant.environment, clear=True),
        patch("flows.buy_from_inbox.QUIET_S", 0),
    ):
        asyncio.run(buy_from_inbox())
        asyncio.run(buy_from_file(Requests(lines=pasted), dry_run=False, yes=True))
    yield from (path.read_text() for path in inbox.rglob("*.result.json"))
    file = write_csv(merchant.folder / "plain.csv", rows[2:4])
    for command in (["run", file, "--yes"], ["track", "--json"]):
        done = merchant.sourcing(*command)
        yield done.stdout + done.stderr
        merchant.sandbox.advance(86_400 * 6)


class Quoting:
    """Refuses the first item that is asked about, and says where it won't send it."""

    item_id = ""

    def __call__(self, data: Any) -> Any:
        for line in (line for order in data["orders"] for line in order["lines"]):
            self.item_id = self.item_id or line["itemId"]
            if line["itemId"] == self.item_id:
                line |= {
                    "available": False,
                    "errorCode": "ADDRESS_INVALID",
                    "errorMessage": f"no delivery to {QUOTED}",
                }
        return data


def quoting_scans(data: Any) -> Any:
    for trace in (
        trace
        for parcel in data["pnmLogisticsDetails"]
        for trace in parcel["logisticsTraces"]
    ):
        words = (
            f"signed for by a neighbour of {QUOTED}"
            if trace["status"] == "SIGN"
            else f"on its way to {QUOTED}"
        )
        trace |= {"standerdDesc": words, "city": PLANTED["city"]}
    return data


def in_prefect(folder: Path) -> Iterator[tuple[str, str]]:
    """Every value of Prefect's database, with its table and column."""
    for file in folder.rglob("prefect.db"):
        with closing(sqlite3.connect(file)) as database:
            tables = [
                name
                for (name,) in database.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                )
            ]
            for table in tables:
                columns = [
                    row[1] for row in database.execute(f"PRAGMA table_info({table})")
                ]
                for row in database.execute(f"SELECT * FROM {table}"):
                    yield from (
                        (f"{table}.{column}", str(value))
                        for column, value in zip(columns, row, strict=True)
                    )
