"""`python -m benchmarks orders`: a run of so many orders against other ways to make the
same calls.

- *run*: the product, as `sourcing run FILE --yes --json` does it, with a data folder of
  its own
- *bare loop*: the same calls over the product's own client, in the order that their
  answers allow
- *replay*: the calls recorded from the run, sent again with bare aiohttp as soon as
  each may be
- *textbook*: a mapped Prefect task for each order and step, and httpx with its
  defaults, at 100 orders

The service is a process of its own (`benchmarks.service`) that is not the bottleneck.
All in turn, the median of each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.processes import ROOT, service
from benchmarks.ways import Buyer, Measured, Weather, middle

WARM_UP = 5
TEXTBOOK_ORDERS = 100
STRAGGLING_ORDERS = 200
WAYS = ("run", "loop", "replay", "textbook")
COLUMNS = (
    *(
        "way",
        "first call after",
        "first to last call",
        "whole process",
        "CPU",
        "peak memory",
        "calls",
    ),
    *("in flight", "while work is left"),
)
Results = dict[str, Measured]


def main(arguments: Sequence[str]) -> None:
    options = _options(arguments)
    with TemporaryDirectory() as folder, service() as (url, pid):
        make = _buyers(url, pid, Path(folder), options)
        if options.stragglers:
            from benchmarks.stragglers import (
                straggling,
            )  # what it imports would count as memory of the ways

            notices = straggling(make(options.orders or STRAGGLING_ORDERS))
            print(
                json.dumps(notices)
                if options.json
                else "\n".join(f"{name}: {value}" for name, value in notices.items())
            )
            return
        results = _compared(make, options)
    if options.json:
        print(
            json.dumps(
                {"machine": _machine(), **vars(options), "ways": _as_json(results)}
            )
        )
    else:
        _print(results, options)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks orders",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--orders", type=int, default=0, help="default 1,000; with --stragglers 200"
    )
    parser.add_argument(
        "--at-once", type=int, default=32, help="calls under way at most, of each way"
    )
    parser.add_argument(
        "--latency-ms", type=float, default=0.0, help="added to each call"
    )
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument(
        "--ways",
        default=",".join(WAYS),
        help="some of them; what they are compared with is left out",
    )
    parser.add_argument(
        "--stragglers",
        metavar="SECONDS:SHARE",
        type=_share,
        help="only the run, with slow answers",
    )
    parser.add_argument("--seed", type=int, default=7, help="which calls are slow")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def _share(text: str) -> tuple[float, float]:
    seconds, _, share = text.partition(":")
    return float(seconds), float(share)


def _buyers(
    url: str, pid: int, folder: Path, options: argparse.Namespace
) -> Callable[[int], Buyer]:
    weather = Weather(
        latency_s=options.latency_ms / 1000,
        stragglers=options.stragglers or (0.0, 0.0),
        seed=options.seed,
    )

    keeps_calls = bool(options.stragglers) or "replay" in options.ways

    def make(orders: int) -> Buyer:
        return Buyer(
            url,
            pid,
            folder,
            orders=orders,
            at_once=options.at_once,
            weather=weather,
            keeps_calls=keeps_calls,
        )

    return make


def _compared(make: Callable[[int], Buyer], options: argparse.Namespace) -> Results:
    options.orders = options.orders or 1_000
    expected = options.ways.split(",")
    many = make(options.orders)
    few = make(TEXTBOOK_ORDERS)
    first = make(WARM_UP)
    empty = first.run()  # also warms up the machine
    methods: dict[str, Callable[[], Measured]] = {
        name: getattr(many, name) for name in WAYS[:3] if name in expected
    }
    if "textbook" in expected:
        methods |= {"run of 100": few.run, "textbook of 100": few.textbook}
    several: dict[str, list[Measured]] = {name: [] for name in methods}
    for turn in range(options.repetitions):
        for name, method in methods.items():
            several[name].append(method())
            _print_one(f"{turn + 1}/{options.repetitions} {name}", several[name][-1])
    _require_same_books(several)
    results = {name: middle(measured) for name, measured in several.items()}
    return {
        name: _grown(item, empty, options.orders) if name == "run" else item
        for name, item in results.items()
    }


def _require_same_books(several: dict[str, list[Measured]]) -> None:
    """All ways of one size bought the same."""
    for kind in (("run", "loop", "replay"), ("run of 100", "textbook of 100")):
        findings = {
            measured.books for name in kind for measured in several.get(name, [])
        }
        if len(findings) > 1:
            raise SystemExit(f"the books differ: {findings}")


def _grown(run: Measured, empty: Measured, orders: int) -> Measured:
    """What both databases grew by for each order, instead of what they hold; and what
    the start took.
    """
    return replace(
        run,
        prefect_bytes=(run.prefect_bytes - empty.prefect_bytes) / (orders - WARM_UP),
        ledger_bytes=(run.ledger_bytes - empty.ledger_bytes) / (orders - WARM_UP),
        start_cpu_s=empty.cpu_s,
        server_start_cpu_s=empty.server_cpu_s,
    )


def _as_json(results: Results) -> dict[str, Any]:
    return {name: asdict(item) for name, item in results.items()}


def _machine() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "commit": commit.stdout.strip(),
        "load": round(os.getloadavg()[0], 1),
    }


def _print(results: Results, options: argparse.Namespace) -> None:
    print(", ".join(f"{name} {value}" for name, value in _machine().items()))
    print(
        f"{options.orders:,} orders, {options.at_once} at once, {options.latency_ms:g} ms on every call\n"
    )
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for name, item in results.items():
        print(_row(name, item, is_slow=options.latency_ms > 0))
    print()
    for line in [*_ratios(results), *_growth(results), *_service(results, options)]:
        print(f"- {line}")


def _row(name: str, measured: Measured, *, is_slow: bool) -> str:
    """How many calls are under way at a service that answers at once says nothing."""
    cells = (
        name,
        f"{measured.first_call_s:.1f} s",
        f"{measured.seconds:.2f} s",
        f"{measured.whole_s:.1f} s",
        f"{measured.cpu_s:.2f} s",
        f"{measured.peak_mib:.0f} MiB",
        f"{measured.calls:,.0f}",
        f"{measured.in_flight:.1f}" if is_slow else "",
        f"{measured.in_flight_left:.1f}" if is_slow else "",
    )
    return f"| {' | '.join(cells)} |"


def _ratios(results: Results) -> list[str]:
    lines = []
    run = results.get("run")
    for name in ("loop", "replay"):
        if run and (measured := results.get(name)):
            times = run.seconds / measured.seconds
            cpu = run.cpu_s / measured.cpu_s
            lines.append(f"run / {name}: {times:.2f} × in time, {cpu:.2f} × in CPU")
    if textbook := results.get("textbook of 100"):
        alone = textbook.whole_s / TEXTBOOK_ORDERS
        few = results["run of 100"].whole_s / TEXTBOOK_ORDERS
        many = (
            f", {alone / (run.whole_s / run.books[0]):.1f} × in the run of {run.books[0]:,}"
            if run
            else ""
        )
        lines.append(
            f"textbook / run, an order, to the end of the process: {alone / few:.1f} × at 100{many}"
        )
    return lines


def _growth(results: Results) -> list[str]:
    run = results.get("run")
    if run is None:
        return []
    kib = f"Prefect's database {run.prefect_bytes / 1024:.2f} KiB, the ledger {run.ledger_bytes / 1024:.2f} KiB"
    start = f"a run of {WARM_UP} orders takes {run.start_cpu_s:.2f} s of CPU, and {run.server_start_cpu_s:.2f} s of it"
    return [
        f"an order adds to {kib}",
        f"Prefect's server took {run.server_cpu_s:.2f} s of CPU; {start}",
    ]


def _service(results: Results, options: argparse.Namespace) -> list[str]:
    served = max(item.served for item in results.values())
    lines = [f"the service answers about {served:,.0f} calls a second on one core"]
    if options.latency_ms and (run := results.get("run")):
        floor = run.calls * options.latency_ms / 1000 / options.at_once
        lines.append(
            f"{run.calls:,.0f} calls of {options.latency_ms:g} ms, {options.at_once} at once: {floor:.1f} s at least"
        )
    return lines


def _print_one(label: str, measured: Measured) -> None:
    print(
        f"{label}: {measured.seconds:.2f} s, {measured.cpu_s:.2f} s of CPU",
        file=sys.stderr,
        flush=True,
    )
