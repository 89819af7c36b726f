"""A merchant whose request file lies at an address: bought from once, and the address
is told to nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import PrefectClient

from connectors.request_files import fetching
from domain.report import BatchReport
from domain.request_remarks import BadInput
from flows.buy_from_file import buy_from_file
from flows.prefect_ui.parameters import Requests
from tests.connectors.request_files.sheets import TOKEN, serving_sheets
from tests.journeys.seen_in_prefect import newest_run
from tests.running import Merchant, single_line_orders, write_csv


@contextmanager
def sheet_of(merchant: Merchant) -> Iterator[tuple[str, str]]:
    """The address of a sheet with two orders, and the batch that it makes."""
    file = write_csv(
        merchant.folder / "sheet.csv",
        single_line_orders(merchant.sandbox, {"taobao": 2}),
    )
    content = file.read_bytes()
    with serving_sheets(content) as address:
        yield address("published"), f"fetched-{hashlib.sha256(content).hexdigest()[:8]}"


@pytest.fixture
def private(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> Merchant:
    """A merchant whose sheets may lie on this machine."""
    monkeypatch.setattr(fetching, "is_reachable", lambda text, **_: text == "127.0.0.1")
    return merchant


def planned(merchant: Merchant, file: str) -> BatchReport:
    """As the form of the UI starts it."""

    async def run() -> Any:
        return await buy_from_file(Requests(file=file))

    with patch.dict(os.environ, merchant.environment, clear=True):
        report: BatchReport = asyncio.run(run())
    return report


def told_to_prefect(url: str) -> str:
    """All that its server knows of runs but the fields of their forms."""

    async def asked() -> str:
        async with PrefectClient(url) as client:
            runs = (await client.request("POST", "/flow_runs/filter", json={})).json()
            neighbours = [
                (await client.request("POST", path, json={})).text
                for path in (
                    "/logs/filter",
                    "/artifacts/filter",
                    "/events/filter",
                    "/task_runs/filter",
                )
            ]
            return "".join(
                [str([{**run, "parameters": {}} for run in runs]), *neighbours]
            )

    return asyncio.run(asked())


def test_a_sheet_is_bought_from_once(private: Merchant, prefect_url: str) -> None:
    """The kept copy, not the address, is what the run was given."""
    with sheet_of(private) as (address, batch):
        done = private.report("run", address, "--yes")
        assert (done["batch_id"], done["counts"]) == (batch, {"booked": 2})
        report = private.report("run", address, "--yes")
        assert (
            report["batch_id"],
            report["counts"],
            len(private.sandbox.books()["orders"]),
        ) == (batch, {"booked": 2}, 2)
    assert TOKEN not in told_to_prefect(prefect_url)
    assert not [
        path
        for path in Path(private.folder / "data").rglob("*")
        if path.is_file() and has_token(path)
    ]


def has_token(path: Path) -> bool:
    return TOKEN.encode() in path.read_bytes()


@pytest.mark.endurance
def test_the_form_takes_an_address_or_the_name_of_a_secret_block(
    private: Merchant, prefect_url: str
) -> None:
    with sheet_of(private) as (address, batch):
        assert planned(private, address).batch_id == batch
        Secret(value=address).save("orders-sheet", overwrite=True)
        assert planned(private, "secret:orders-sheet").counts == {"planned": 2}
    assert newest_run(prefect_url).name.startswith(f"{batch}: ")
    with pytest.raises(BadInput, match="no block Secret named 'none'"):
        planned(private, "secret:none")
    assert TOKEN not in told_to_prefect(prefect_url)


def test_an_address_that_gives_no_file_ends_in_one_sentence(
    private: Merchant, prefect_url: str
) -> None:
    """At the terminal, and in the run of a form, without a traceback and without the
    address.
    """
    with serving_sheets() as address:
        done = private.sourcing("run", address("login"), "--dry-run")
        assert done.exit_code == 2
        assert done.stderr.startswith(
            "sourcing: the address of the file: answered a web page, such as a login"
        )
        with pytest.raises(Exception, match="answered a web page"):
            planned(private, address("login"))
    run = newest_run(prefect_url)
    assert (run.name, run.state) == ("source a fetched file (dry run)", "Failed")
    assert TOKEN not in done.stderr + told_to_prefect(prefect_url)
