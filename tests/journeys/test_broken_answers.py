"""What broken answers hold is nowhere afterwards: ledger, tables, result files, output,
logs, Prefect's database.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import prefect.main  # noqa: F401 - it makes its handlers of logs, which would else take the place of the test's
import pyarrow.parquet
import pytest

from domain.marketplace import Marketplace
from tests.connectors.marketplaces.channel_contract.shop import PATHS
from tests.connectors.xportcn.broken_answers import BROKEN, PLANTED
from tests.connectors.xportcn.fake_service import body_length, listening
from tests.journeys.seen_in_prefect import newest_run
from tests.running import PATIENCE_S, Merchant, single_line_orders, write_csv

ENDING = {
    "sent elsewhere",
    "a refusal in words",
    "an account in words",
    "too many, in words",
}
"""Answers by which a person must change a setting, or all calls wait: no more of the
others would be asked for.
"""
AT = PATHS[Marketplace.TAOBAO]
BUYING = {
    "/open/product/search": 16,
    AT.quote: 16,
    PATHS[Marketplace.ALIBABA_1688].create: 1,
    PATHS[Marketplace.INTERNATIONAL].create: 1,
    PATHS[Marketplace.POIZON].pay: 1,
    PATHS[Marketplace.BIG_MAJOR].pay: 1,
}
READING_AFTER = {paths.read: 4 for paths in PATHS.values()}
"""How often each call is answered so at most; then it goes well."""


@dataclass
class Breaking:
    """Stands before a service, which does what it is asked, and spoils what it
    answers.
    """

    behind: str
    left: Counter[str] = field(default_factory=lambda: Counter(BUYING))
    spoilt: Counter[str] = field(default_factory=Counter)
    answers: Iterator[bytes] = field(
        default_factory=lambda: iter(
            [answer for name, answer in BROKEN.items() if name not in ENDING]
        )
    )

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        calls = (
            head[:-2]
            + b"Connection: close\r\n\r\n"
            + await reader.readexactly(body_length(head))
        )
        path = head.split(b" ", 2)[1].decode().partition("?")[0]
        answer = await self._answered(calls)
        if self.left[path] > 0 and (broken := next(self.answers, None)):
            self.left[path] -= 1
            self.spoilt[path] += 1
            answer = broken.replace(
                b"\r\n", b"\r\nConnection: close\r\n", 1
            )  # or the next call may be sent into a closing one
        writer.write(answer)
        await writer.drain()

    async def _answered(self, calls: bytes) -> bytes:
        to = urlsplit(self.behind)
        reader, writer = await asyncio.open_connection(to.hostname, to.port)
        writer.write(calls)
        answer = await reader.read()
        writer.close()
        return answer


@contextmanager
def running(breaking: Breaking) -> Iterator[str]:
    """Its address; it runs in a thread of its own, so that a command in this process
    can use it.
    """
    loop = asyncio.new_event_loop()
    server = listening(breaking.serve)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(
            PATIENCE_S
        )
        asyncio.run_coroutine_threadsafe(
            server.__aexit__(None, None, None), loop
        ).result(PATIENCE_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.endurance
def test_broken_answers_are_kept_nowhere(
    merchant: Merchant,
    tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Forty and more, to searches, previews, creates, payments and reads of one batch
    and of what looks after it.
    """
    counts = {"taobao": 16, "1688": 1, "international": 1, "poizon": 1, "big_major": 1}
    rows = single_line_orders(merchant.sandbox, counts)
    text = [{**row, "item": f"帆布 {row['order_ref']}", "sku": ""} for row in rows[:8]]
    file = write_csv(merchant.folder / "broken.csv", [*text, *rows[8:]])
    breaking = Breaking(merchant.sandbox.url)
    with running(breaking) as url, caplog.at_level(logging.DEBUG, "xportcn"):
        own = {"XPORTCN_BASE_URL": url, "XPORTCN_RETRIES": "0"}
        results = [merchant.sourcing("run", file, "--yes", **own)]
        run = newest_run(merchant.settings["PREFECT_API_URL"])
        breaking.left.update(READING_AFTER)
        results += [
            merchant.sourcing(command, "--json", **own)
            for command in ("track", "reconcile")
        ]
    record = {
        "output": "".join(item.stdout + item.stderr for item in results)
        + "".join(capfd.readouterr()),
        "logs": caplog.text,
        "run": str(run),
        **dict(kept_in(merchant.folder)),
        **dict(kept_in(tmp_path_factory.getbasetemp(), "prefect.db*")),
    }
    assert {
        location
        for location, text in record.items()
        if any(word in text.lower() for word in PLANTED)
    } == set()
    assert breaking.spoilt.total() >= 40
    assert BUYING.keys() <= breaking.spoilt.keys()
    assert record["logs"]
    for location in ("output", "ledger.db", "orders", "prefect.db"):
        assert any(
            "does not fit the contract" in text
            for name, text in record.items()
            if location in name
        ), location


def kept_in(folder: Path, names: str = "*") -> Iterator[tuple[str, str]]:
    """All files with what is in them; of tables, which are packed, the values."""
    for file in filter(Path.is_file, folder.rglob(names)):
        if file.suffix == ".parquet":
            yield str(file), str(pyarrow.parquet.read_table(file).to_pylist())
        else:
            yield str(file), file.read_bytes().decode("latin-1")
