"""The service goes away for 20 s and 90 s in each stage of a run, or throttles
everybody: the one run gets through.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.endurance.shop import new_batch
from tests.kept_sandbox import KeptSandbox, kept_sandbox
from tests.running import Merchant, RunningSandbox, own_sandbox
from tests.weather import weather_over

ORDERS = 300
THROTTLED_ORDERS = 200
AWAY_S = (20, 90)
STORM_S = 60
BEGUN = 20
LATENCY_S = 0.2
"""So that calls are on the wire when the service falls."""
SETTINGS = {
    "SOURCING_LEASE_S": "20",
    "SOURCING_SETTLE_S": "30",
    "SOURCING_PATIENCE_S": "600",
    "XPORTCN_PAY_IS": "debit",
}
"""So that most of what was on the wire is settled by the run itself.

What is shown as unpaid is looked at for hours where a payment may be a submission, and
the last create at a marketplace for half an hour, until no list can be behind: of those
some may be asked about.
"""
COUNTED = {
    "create": "orders",
    "pay": "payments",
    "book": "shipments",
    "track": "domestic_updates",
}
STAGES = ("plan", *COUNTED)


def outages_are_survived() -> bool:
    """A line a case; whether all of them ended as promised."""
    print("outage   away  took  on the wire  asked  result", flush=True)
    return all([_outage(stage, away_s) for away_s in AWAY_S for stage in STAGES])


def storms_are_survived() -> bool:
    """A line a case of 429: a share of all calls for a minute, with and without
    Retry-After.
    """
    print("throttled  retry-after  took  calls  ideal  result", flush=True)
    with own_sandbox() as sandbox:
        ideal, _, _ = _throttled(sandbox, share=0, retry_after="")
        return all(
            [
                _storm(sandbox, share, notices, ideal)
                for notices in ("", "2")
                for share in (0.3, 0.9, 1.0)
            ]
        )


def _outage(stage: str, away_s: float) -> bool:
    folder = Path(tempfile.mkdtemp(prefix=f"endurance-outage-{stage}-{away_s}-"))
    with kept_sandbox(folder / "sandbox.db") as sandbox:
        file = new_batch(sandbox.running, folder, ORDERS + 5)
        sandbox.running.faults(
            {"path": "/*", "kind": "latency", "probability": 1, "delay_s": LATENCY_S}
        )
        merchant = Merchant(sandbox.running, folder, SETTINGS)
        _alone(merchant, "run", _first_of(file), "--yes", "--json")
        _make_older(folder / "data" / "ledger.db")
        run = ("run", file, "--yes", "--json")
        if stage == "track":
            _alone(merchant, *run)
            sandbox.running.advance(2 * 86_400)
            took, _, report, code = _interrupted(
                merchant, sandbox, ("track", "--json"), stage, away_s
            )
            message = (
                ""
                if code == 0 and not report["troubles"]
                else f"exit {code}: {report['troubles'][:3]}"
            )
            query = wire = 0
        else:
            took, wire, report, code = _interrupted(
                merchant, sandbox, run, stage, away_s
            )
            query = report["counts"].get("unknown", 0)
            most_asked = (
                wire if stage in COUNTED else 0
            )  # beside payments creates are on the wire
            message = _broken(report, code, query, most_asked)
    print(
        f"{stage:7} {away_s:4} s {took:4.0f} s {wire:12} {query:6}  {message or 'as promised'}",
        flush=True,
    )
    return not message


def _first_of(file: Path) -> Path:
    """An order of each marketplace, bought before: without older orders of ours no
    absence proves anything.
    """
    head, *rows = file.read_text().splitlines(keepends=True)
    first = rows[:5]
    remainder = rows[5:]
    file.write_text(head + "".join(remainder))
    earlier = file.with_name("earlier.csv")
    earlier.write_text(head + "".join(first))
    return earlier


def _make_older(ledger: Path) -> None:
    """Let the orders be a quarter of an hour older: clocks may be ten minutes apart, so
    younger ones prove nothing.
    """
    with sqlite3.connect(ledger) as connection:
        connection.execute(
            "UPDATE orders SET ordered_at = datetime(ordered_at, '-15 minutes') || '.000000'"
        )


def _interrupted(
    merchant: Merchant,
    sandbox: KeptSandbox,
    command: tuple[Any, ...],
    stage: str,
    away_s: float,
) -> tuple[float, int, dict[str, Any], int]:
    """Run a command whose service is killed in this stage, and comes back; how long,
    how much was on the wire, and how it ended.
    """
    began = time.monotonic()
    with weather_over(sandbox.running.url) as weather:
        run = merchant.start(*command, XPORTCN_BASE_URL=weather.url)
        reached = _reached(
            sandbox.running, stage, lambda: weather.calls.total() > 2 * BEGUN
        )
        while run.poll() is None and not reached():
            time.sleep(0.01)
        wire = weather.go_away()
        sandbox.kill()
        time.sleep(away_s)
        sandbox.start()
        weather.come_back()
        out, err = run.communicate(timeout=1200)
    assert out, err
    return time.monotonic() - began, wire, json.loads(out), run.returncode


def _reached(
    sandbox: RunningSandbox, stage: str, is_planning: Callable[[], bool]
) -> Callable[[], bool]:
    if stage == "plan":
        return is_planning
    before = len(sandbox.books()[COUNTED[stage]])
    return lambda: len(sandbox.books()[COUNTED[stage]]) >= before + BEGUN


def _broken(report: dict[str, Any], code: int, query: int, most_asked: int) -> str:
    """What is not as promised: all are booked, but for what was on the wire, of which a
    person may be asked.
    """
    counts = report["counts"]
    if (
        counts.get("booked", 0) + query != ORDERS
        or query > most_asked
        or code != (3 if query else 0)
    ):
        return f"exit {code}, {counts}"
    return ""


def _storm(sandbox: RunningSandbox, share: float, retry_after: str, ideal: int) -> bool:
    calls, took, report = _throttled(sandbox, share=share, retry_after=retry_after)
    right = (
        report["counts"] == {"booked": THROTTLED_ORDERS}
        and calls <= 3 * ideal + STORM_S
    )
    message = "as promised" if right else f"{report['counts']}"
    print(
        f"{share:9.0%} {retry_after or 'none':>12} {took:4.0f} s {calls:6} {ideal:6}  {message}",
        flush=True,
    )
    return right


def _throttled(
    sandbox: RunningSandbox, *, share: float, retry_after: str
) -> tuple[int, float, dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(prefix="endurance-throttled-"))
    file = new_batch(sandbox, folder, THROTTLED_ORDERS)
    began = time.monotonic()
    with weather_over(sandbox.url) as weather:
        weather.throttle(share, STORM_S, retry_after)
        merchant = Merchant(
            RunningSandbox(weather.url), folder, {"SOURCING_PATIENCE_S": "600"}
        )
        report = _alone(merchant, "run", file, "--yes", "--json")
        return weather.calls.total(), time.monotonic() - began, report


def _alone(merchant: Merchant, *command: str | Path) -> dict[str, Any]:
    """Run a command in a process of its own, to its end; answers its report."""
    out, err = merchant.start(*command).communicate(timeout=1200)
    assert out, err
    report: dict[str, Any] = json.loads(out)
    return report
