"""The ways to buy one request file that `python -m benchmarks orders` compares, each in
a process of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import shop
from benchmarks.processes import Cost, cpu_of, end_server, measured, used_bytes

TEXTBOOK = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
}
NEEDS_A_PERSON = 3
Command = list[str | Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How long the service takes for an answer: always, and for a share of all
    calls.
    """

    latency_s: float = 0.0
    stragglers: tuple[float, float] = (0.0, 0.0)
    seed: int = 7


CALM = Weather()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One way to buy: `seconds` from its first to its last call, `whole_s` from the
    start to the end of its process.

    `first_call_s` is when the first call came after the start. `in_flight` is the mean
    number of calls that the service had under way, `in_flight_left` while work is left.
    `start_cpu_s` and `server_start_cpu_s` are what a run of next to nothing takes, of
    itself and of Prefect's server. `served` are the calls that the service could answer
    in a second on one core, by what it took for these.
    """

    first_call_s: float
    seconds: float
    whole_s: float
    cpu_s: float
    peak_mib: float
    calls: float
    in_flight: float
    in_flight_left: float
    served: float
    server_cpu_s: float = 0.0
    start_cpu_s: float = 0.0
    server_start_cpu_s: float = 0.0
    prefect_bytes: float = 0.0
    ledger_bytes: float = 0.0
    books: tuple[int, ...] = field(default=(), compare=False)


class Buyer:
    """One service, one request file, and a folder for what the ways leave."""

    def __init__(
        self,
        url: str,
        pid: int,
        folder: Path,
        *,
        orders: int,
        at_once: int,
        weather: Weather = CALM,
        keeps_calls: bool = True,
    ) -> None:
        self.url = url
        self.folder = folder
        self.orders = orders
        self.at_once = at_once
        self.weather = weather
        self.output = folder / "output"
        self.record = folder / "run.record"
        self.keeps_calls = keeps_calls
        self._pid = pid
        self._file = shop.request_file(url, folder / f"{orders}.csv", orders)
        self._settings = {
            "XPORTCN_BASE_URL": url,
            "SOURCING_DATA_DIR": str(folder / "data"),
            "PREFECT_HOME": str(folder / "home"),
        }

    def run(self) -> Measured:
        """As `sourcing run FILE --yes --json`, on a new data folder."""
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        command: Command = [
            "cli.main",
            "run",
            self._file,
            "--yes",
            "--json",
            "--concurrency",
            str(self.at_once),
        ]
        try:
            record = self.record if self.keeps_calls else None
            done, cost = self._measured(
                command, self._settings, record=record, fine=(0, NEEDS_A_PERSON)
            )
        finally:
            server_cpu_s = end_server(data)
        sizes = {
            "prefect_bytes": data / "prefect" / "prefect.db",
            "ledger_bytes": data / "ledger.db",
        }
        return _measured(
            done,
            cost,
            server_cpu_s=server_cpu_s,
            **{name: used_bytes(size) for name, size in sizes.items()},
        )

    def loop(self, record: Path | None = None) -> Measured:
        """The same calls over the product's own client, and nothing else; as many at
        once as are allowed.
        """
        command: Command = ["benchmarks.bare_loop", self._file, str(self.at_once)]
        return _measured(*self._measured(command, self._settings, record=record))

    def replay(self) -> Measured:
        """The calls of the last run, sent again."""
        steps = self.folder / "steps"
        _fine(
            measured(["benchmarks.calls", self.record, steps], {}, self.output),
            self.output,
        )
        command: Command = ["benchmarks.replay", steps, self.url, str(self.at_once)]
        return _measured(*self._measured(command, {}))

    def textbook(self) -> Measured:
        """The pipeline as a textbook writes it, on Prefect's own temporary server."""
        shutil.rmtree(self.folder / "home", ignore_errors=True)
        settings = {**self._settings, **TEXTBOOK}
        return _measured(*self._measured(["benchmarks.textbook", self._file], settings))

    def _measured(
        self,
        command: Command,
        settings: Mapping[str, str],
        *,
        record: Path | None = None,
        fine: Sequence[int] = (0,),
    ) -> tuple[dict[str, Any], Cost]:
        weather = asdict(self.weather)
        shop.begin(self.url, record, **weather)
        before = cpu_of(self._pid)
        cost = _fine(measured(command, settings, self.output), self.output, fine)
        took_s = cpu_of(self._pid) - before
        sums = shop.end(self.url, self.at_once)
        return {
            **sums,
            "served": sums["calls"] / max(took_s, 0.01),
            "books": shop.books(self.url),
        }, cost


def _fine(cost: Cost, output: Path, codes: Sequence[int] = (0,)) -> Cost:
    if cost.code not in codes:
        raise SystemExit(
            f"exit code {cost.code}:\n{output.with_suffix('.err').read_text()[-3_000:]}"
        )
    return cost


def _measured(sums: Mapping[str, Any], cost: Cost, **own: Any) -> Measured:
    first_call_s = sums["first"] - cost.started
    record = {name: value for name, value in sums.items() if name != "first"}
    return Measured(
        first_call_s=first_call_s,
        whole_s=cost.seconds,
        cpu_s=cost.cpu_s,
        peak_mib=cost.peak_mib,
        **record,
        **own,
    )


def middle(several: Sequence[Measured]) -> Measured:
    """The median of each figure."""
    names = [field.name for field in fields(Measured) if field.name != "books"]
    values = {
        name: median(getattr(measured, name) for measured in several) for name in names
    }
    return Measured(**values, books=several[0].books)
