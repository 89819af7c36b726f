"""`python -m benchmarks aged`: an installation of so many nights against one of two,
command by command, in turn.

One night is bought, followed to the door and costed; a second one is left open. That is
the young installation. The aged one is a copy of it, in whose ledger and snapshots the
first night stands once more for each of `--nights` nights before it. What grows with
the past grows by its rows, or their logarithm: so 200,000 orders show what more would.

Both are asked the same of one service: so each is shown the other's orders as orphans,
as many as the other is. Ledgers are SQLite files. Prefect's database is not aged,
messages and offers are not copied.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import yaml

from benchmarks import shop
from benchmarks.processes import ROOT, Cost, end_server, measured, service, used_bytes

PAST = "past"
TO_THE_DOOR_D = (2, 2, 4, 6, 6)
ANY_CODE = (0, 1, 3)
NEVER = "2100-01-01"
LARGEST_FILE = 5_000
"""The sandbox's shelves bear orders of so many SKUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Of one command: seconds of CPU and of the clock, peak MiB, MB written, when the
    service had its first call.
    """

    cpu_s: float
    seconds: float
    peak_mib: float
    written_mb: float = 0.0
    first_call_s: float = 0.0


def scheduled(inbox: Path) -> list[tuple[str, str]]:
    """The entrypoint and the parameters of each deployment with an active schedule."""
    return [
        (
            item["entrypoint"],
            json.dumps(inputs | ({"inbox": str(inbox)} if "inbox" in inputs else {})),
        )
        for item in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
        for when in item["schedules"]
        if when.get("active", True)
        for inputs in (item["parameters"] | when.get("parameters", {}),)
    ]


@dataclass(frozen=True, slots=True)
class Installation:
    """A data folder and the service that it buys from."""

    name: str
    url: str
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / self.name

    @property
    def settings(self) -> dict[str, str]:
        return {"XPORTCN_BASE_URL": self.url, "SOURCING_DATA_DIR": str(self.data)}

    def sourcing(self, *words: str | Path) -> Seen:
        return self._played("cli.main", *words)

    def night(self) -> Seen:
        """All that prefect.yaml schedules, once, each as a process of its own; its
        memory is that of the largest.
        """
        (self.data / "inbox").mkdir(exist_ok=True)
        seens = [
            self._played("benchmarks.ageing", "play", *text)
            for text in scheduled(self.data / "inbox")
        ]
        return Seen(
            cpu_s=sum(item.cpu_s for item in seens),
            seconds=sum(item.seconds for item in seens),
            peak_mib=max(item.peak_mib for item in seens),
            written_mb=sum(item.written_mb for item in seens),
        )

    def _played(self, *command: str | Path) -> Seen:
        """A command as a process of its own, and Prefect's server too, which is not
        counted.
        """
        shop.control(self.url, "PUT", "_bench/record", {"file": ""})
        try:
            cost = self._done([*command])
        finally:
            end_server(self.data)
        sums = shop.end(self.url, 1)
        first_call_s = sums["first"] - cost.started if sums["calls"] else 0.0
        return Seen(
            cpu_s=cost.cpu_s,
            seconds=cost.seconds,
            peak_mib=cost.peak_mib,
            written_mb=cost.written_mb,
            first_call_s=first_call_s,
        )

    def read(self, name: str) -> Seen:
        """A read without what its process takes to start; its memory is that of the
        process.
        """
        cost = self._done(["benchmarks.ageing", "read", name])
        cpu_s, seconds = json.loads(self._output.read_text())
        return Seen(cpu_s=cpu_s, seconds=seconds, peak_mib=cost.peak_mib)

    def ages(self, nights: int) -> None:
        self._done(["benchmarks.ageing", self.data, str(nights)])

    def buys(self, orders: int, named: str) -> Seen:
        file = self.folder / f"{named}.csv"
        shop.request_file(self.url, file, orders, named=f"{named}-")
        return self.sourcing("run", file, "--yes", "--json", "--batch", named)

    @property
    def _output(self) -> Path:
        return self.folder / f"{self.name}.out"

    def _done(self, command: list[str | Path]) -> Cost:
        cost = measured(command, self.settings, self._output)
        if cost.code not in ANY_CODE or (cost.code == 1 and command[1] != "doctor"):
            errors = self._output.with_suffix(".err").read_text()[-3_000:]
            raise SystemExit(
                f"{' '.join(map(str, command))}: exit code {cost.code}:\n{errors}"
            )
        return cost


@dataclass(frozen=True, slots=True)
class Command:
    """What is measured, how in which turn, and the bar: so many times the young one's
    CPU, and so many MiB.
    """

    name: str
    done: Callable[[Installation, int], Seen]
    times: float | None = None
    mib: float | None = None


def main(arguments: Sequence[str]) -> None:
    options = _options(arguments)
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=options.folder) as name, service() as (url, _):
        young = bought(Installation("young", url, Path(name)), options)
        aged = Installation("aged", url, Path(name))
        shutil.copytree(young.data, aged.data)
        _say(f"copying {options.nights} nights")
        aged.ages(options.nights)
        aged.sourcing(
            "costs", "--json", "--since", NEVER
        )  # as if it had been done every day
        _head(options, young, aged)
        for command in commands(Path(name)):
            if not options.commands or command.name in options.commands:
                print(
                    measured_row(command, young, aged, options.repetitions), flush=True
                )


def _head(options: argparse.Namespace, *installation: Installation) -> None:
    sizes = ", ".join(
        f"{side.name} {used_bytes(side.data / 'ledger.db') / 1e6:,.0f} MB"
        for side in installation
    )
    print(
        f"{options.nights:,} nights of {options.orders:,} orders, {options.open:,} open; ledgers: {sizes}"
    )
    print(
        f"Load {os.getloadavg()[0]:.1f}. CPU and wall in seconds, memory in MiB, each young and aged\n"
    )
    print(
        "| command | CPU | | × | wall | | memory | | MB written | | first call | | bar |"
    )
    print(f"|{'---|' * 13}", flush=True)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks aged",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--orders", type=int, default=1_000, help="of a night")
    parser.add_argument("--open", type=int, default=1_000, help="orders on their way")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument(
        "--commands", nargs="*", help="some of them: 'run of 1,000' 'costs of a day'"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where there is room: 10 KB an order twice; default the system's",
    )
    return parser.parse_args(arguments)


def bought(young: Installation, options: argparse.Namespace) -> Installation:
    """A night that is over, and orders on their way."""
    shop.control(young.url, "PUT", "_sandbox/wallet", {"balance_fen": shop.WALLET_FEN})
    _say(f"buying {options.orders:,} orders")
    young.buys(options.orders, PAST)
    for days in TO_THE_DOOR_D:
        _pass(young.url, days)
        young.sourcing("track", "--json")
    young.sourcing("costs", "--json")
    for begin in range(0, options.open, LARGEST_FILE):
        _say(f"buying {options.open - begin:,} orders more")
        young.buys(min(options.open - begin, LARGEST_FILE), f"open{begin}")
    return young


def _pass(url: str, days: int) -> None:
    shop.control(url, "POST", "_sandbox/clock", {"advance_s": days * 86_400})


def commands(folder: Path) -> list[Command]:
    def sourcing(
        name: str, *words: str, times: float | None = None, mib: float | None = None
    ) -> Command:
        return Command(
            name, lambda installation, _: installation.sourcing(*words), times, mib
        )

    def into(name: str, ending: str, mib: float) -> Command:
        return Command(
            f"ledger {name}",
            lambda installation, turn: installation.sourcing(
                "ledger", name, folder / f"{installation.name}-{name}{turn}{ending}"
            ),
            None,
            mib,
        )

    def run(orders: int) -> Command:
        return Command(
            f"run of {orders:,}",
            lambda installation, turn: installation.buys(
                orders, f"{installation.name}{orders}t{turn}"
            ),
            1.15,
        )

    def tracked(one: Installation, _turn: int) -> Seen:
        if one.name == "young":
            _pass(one.url, 2)
        return one.sourcing("track", "--json")

    def reading(name: str, times: float | None = None) -> Command:
        return Command(name, lambda installation, _: installation.read(name), times)

    ref = f"{PAST}-taobao-000007"
    return [
        into("backup", ".db", 500),  # also checks the file, as every night
        run(100),
        run(1_000),
        Command("track, with news", tracked, None, 400),
        sourcing("track, no news", "track", "--json", mib=400),
        sourcing("reconcile", "reconcile", "--json", times=2, mib=400),
        *(
            sourcing(name, *name.split(), times=1.5)
            for name in ("doctor", "status", f"status {ref}", "todo")
        ),
        sourcing("resolve", "resolve", ref, times=1.5),
        *(reading(name, 1.5) for name in ("digest", "metrics scrape")),
        sourcing("ledger verify", "ledger", "verify", "--json", mib=500),
        into("export", "", 500),
        *(reading(name) for name in ('Snapshots.table("orders")', "one order by key")),
        sourcing(
            "costs of a day",
            "costs",
            "--json",
            "--since",
            f"{datetime.now(UTC):%Y-%m-%d}",
            mib=500,
        ),
        sourcing("costs of ever", "costs", "--json"),
        Command("a night", lambda installation, _: installation.night(), None, 500),
        Command(
            "a night with nothing new",
            lambda installation, _: installation.night(),
            None,
            500,
        ),
    ]


def measured_row(
    command: Command, young: Installation, aged: Installation, repetitions: int
) -> str:
    try:
        pairs = [
            (command.done(young, turn), command.done(aged, turn))
            for turn in range(repetitions)
        ]
    except SystemExit as failed:
        return f"| {command.name} | failed |\n{failed}"
    return row(command, *map(middle, zip(*pairs, strict=True)))


def middle(several: Sequence[Seen]) -> Seen:
    figures = [field.name for field in fields(Seen)]
    return Seen(
        **{name: median(getattr(item, name) for item in several) for name in figures}
    )


def row(command: Command, young: Seen, aged: Seen) -> str:
    times = aged.cpu_s / young.cpu_s
    missed = (command.times is not None and times > command.times) or (
        command.mib is not None and aged.peak_mib > command.mib
    )
    bars = [
        f"{command.times:g} ×" if command.times else "",
        f"{command.mib:g} MiB" if command.mib else "",
    ]
    bar = ", ".join(filter(None, bars)) + (" **missed**" if missed else "")
    calls = [
        f"{item.first_call_s:.1f}" if command.name.startswith("run") else ""
        for item in (young, aged)
    ]
    cells = [
        *(command.name, f"{young.cpu_s:.3g}", f"{aged.cpu_s:.3g}", f"{times:.2f}"),
        *(f"{item.seconds:.3g}" for item in (young, aged)),
        *(f"{item.peak_mib:.0f}" for item in (young, aged)),
        *(f"{item.written_mb:.2g}" for item in (young, aged)),
        *(*calls, bar),
    ]
    return f"| {' | '.join(cells)} |"


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
