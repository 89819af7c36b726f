"""`make run`: a whole batch against the sandbox, from the request file to delivered
parcels.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from cli.failures import explained
from cli.run import print_report
from cli.running import run_flow
from cli.terminal import console, show_orders
from connectors.ledger.records import line_of
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.xportcn.settings import SANDBOX_ACCOUNT, XportcnSettings
from deployments.local_server import prefect_server
from domain.money import Money
from domain.report import BatchReport
from domain.states import ROAD, OrderState
from domain.wording import pluralize

if TYPE_CHECKING:
    from flows.sync_tracking import TrackReport

REQUESTS = Path(__file__).parent / "requests.csv"
DAY_S = 86_400
STEP_DAYS = 3
MOST_DAYS = 30
SOURCING = ".venv/bin/sourcing"
LOOK = "select order_ref, state, paid_minor from orders"


@explained
def main() -> None:
    """Sandbox up, batch sourced, clock moved, parcels followed, everything shown."""
    if not (service := XportcnSettings()).is_sandbox:
        raise SystemExit(
            f"the settings name {service.base_url}, whose ledger would be bound to the sandbox. Beside it: "
            "XPORTCN_BASE_URL=http://127.0.0.1 SOURCING_DATA_DIR=try-out make run"
        )
    data_dir = SourcingSettings().data_dir
    with sandbox(data_dir / "sandbox.db") as address, prefect_server(data_dir):
        console.rule(
            "1 · Source examples/requests.csv against the sandbox", align="left"
        )
        report = run_flow(bought)
        print_report(report)
        console.rule("2 · Track, while the sandbox's clock moves on", align="left")
        follow_until_delivered(address)
    console.rule("3 · Every order", align="left")
    show_end(report, data_dir)


async def bought() -> BatchReport:
    """The main job over the example file, approved beforehand."""
    from flows.buy_from_file import buy_from_file
    from flows.prefect_ui.parameters import Requests

    return await buy_from_file(
        Requests(file=str(REQUESTS)), dry_run=False, yes=True, batch="try-out"
    )


@contextmanager
def sandbox(state: Path) -> Iterator[str]:
    """A sandbox of our own on a free port, with its books in a file; the settings of
    this process lead to it.
    """
    state.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            words = process.stdout.readline().split()
            if "on" not in words:
                raise SystemExit("the sandbox did not start; its message stands above")
            address = words[words.index("on") + 1]
            names = (
                "XPORTCN_BASE_URL",
                "XPORTCN_ACCESS_KEY",
                "XPORTCN_ACCESS_SECRET",
                "XPORTCN_USER_ID",
            )
            os.environ.update(zip(names, (address, *SANDBOX_ACCOUNT), strict=True))
            yield address
        finally:
            process.terminate()


async def tracked() -> TrackReport:
    """What `sourcing track` does."""
    from flows.sync_tracking import sync_tracking

    return await sync_tracking()


def follow_until_delivered(address: str) -> None:
    """Move the sandbox's clock in steps and track after each."""
    for day in range(STEP_DAYS, MOST_DAYS + 1, STEP_DAYS):
        move_clock(address, STEP_DAYS * DAY_S)
        seen = run_flow(tracked)
        moved, events = (
            pluralize(len(seen.moved), "order"),
            pluralize(seen.new_events, "new event"),
        )
        console.print(f"day {day:>2}: {moved} moved, {events}")
        if not any(
            line.state in ROAD and line.state is not OrderState.DELIVERED
            for line in seen.orders
        ):
            return


def move_clock(address: str, seconds: int) -> None:
    """Let the sandbox's time pass."""
    body = json.dumps({"advance_s": seconds}).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(
        Request(f"{address}/_sandbox/clock", data=body, headers=headers, method="POST"),
        timeout=30,
    ):
        pass


def show_end(report: BatchReport, data_dir: Path) -> None:
    """Every order as it stands now, what was spent, and where to look next."""
    ledger_url = SourcingSettings().ledger_url
    with Ledger(ledger_url, clock=lambda: datetime.now(UTC), owner="try-out") as ledger:
        orders = ledger.orders(line.order_ref for line in report.orders)
    lines = [
        line_of(orders[line.order_ref])
        for line in report.orders
        if line.order_ref in orders
    ]
    show_orders("Orders of examples/requests.csv", lines)
    spent = sum(line.paid_fen or 0 for line in lines)
    bought = (
        f"{report.bought_this_run} orders for {Money(report.spent_this_run_fen)}"
        if report.bought_this_run
        else "nothing"
    )
    console.print(f"Spent in all: {Money(spent)}. This run bought {bought}.")
    console.print(f"Snapshots: {report.snapshot_root}", soft_wrap=True)
    looks = (
        "status",
        "todo",
        f"sql '{LOOK}'",
        f"report --html {data_dir / 'report.html'}",
    )
    console.print(
        "Look on:" + "".join(f"\n  {SOURCING} {look}" for look in looks), soft_wrap=True
    )
    console.print(
        f"Go on with this sandbox:\n  {SOURCING} sandbox --state {data_dir / 'sandbox.db'}",
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
