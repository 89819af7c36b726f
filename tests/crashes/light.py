"""A run in a real process of its own that starts in milliseconds: the flows' code
without a Prefect server.

The processes are forked from one that has everything imported. They differ from
`sourcing` in this only: Prefect's engine is left out (a task is its function), and the
ledger's clock may go faster or ahead, so that a lease or the settle time is over
without waiting for it.
"""

from __future__ import annotations

import asyncio
import csv
import json
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, cast

from prefect.artifacts import Artifact
from prefect.client.schemas.objects import State

import flows.after_sale
import flows.batch.opening
import flows.batch.plan_sources
import flows.buy_from_file
import flows.cancel_orders
import flows.finish_open
import flows.sync_tracking
import tasks.after_sale
from connectors.book_file import reading_by
from connectors.crash_points import VARIABLE
from connectors.marketplaces.taobao.after_sale import TaobaoAfterSale
from connectors.request_files import read_request_file
from connectors.settings import SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from domain.orders import OrderRequest
from domain.plan import PlannedOrder
from flows.batch.planning import Take, plan_each
from flows.batch.request_batches import orders_to_buy
from flows.batch.run import BatchRun
from tasks.engine.resources import Resources, open_resources
from tests.running import PATIENCE_S, write_csv

KILLED = -signal.SIGKILL


class Barrier(Protocol):
    def wait(self, timeout: float | None = None) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Speed:
    """A clock for the ledger: `times` as fast as the real one since `since`, and
    `ahead_s` ahead of it.

    Those who have one `moved` file are ahead by the seconds in it as well, from when on
    a test writes them there.
    """

    times: float = 1
    since: float = 0
    ahead_s: float = 0
    moved: Path | None = None

    def __call__(self) -> datetime:
        now = time.time()
        moved_s = (
            float(self.moved.read_text()) if self.moved and self.moved.exists() else 0
        )
        return datetime.fromtimestamp(
            self.since + (now - self.since) * self.times + self.ahead_s + moved_s, UTC
        )

    def move(self, seconds: float) -> None:
        """While nobody looks at it."""
        assert self.moved
        self.moved.write_text(
            str((float(self.moved.read_text()) if self.moved.exists() else 0) + seconds)
        )


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a process does: `plan` or `source` a file, or call one of `FLOWS` with
    `arguments`.

    With `plans`, plans are read from that file and not made anew: they cost most of a
    run's time, and only read.
    """

    url: str
    folder: Path
    does: str = "source"
    file: Path | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    batch: str = "batch"
    chunk_size: int = 50
    crash_at: str = ""
    clock: Speed = Speed()
    plans: Path | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def told(self, pid: int) -> dict[str, Any]:
        """The report that the process of that id wrote at its end."""
        answer: dict[str, Any] = json.loads((self.reports / f"{pid}.json").read_text())
        return answer


def context() -> ForkServerContext:
    """Where processes come from; what takes time there is done once."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["tests.crashes.warm"])
    return made


@dataclass(frozen=True)
class Run:
    """A started process."""

    process: ForkServerProcess
    job: Job

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    def ends(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for the end; answers the exit code, negative for a signal."""
        self.process.join(timeout_s)
        code = self.process.exitcode
        assert code is not None, f"{self.job} is still running"
        self.process.close()
        return code

    def stands_still(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the process has stopped itself."""
        deadline = time.monotonic() + timeout_s
        while state_of(self.pid) != "T":
            assert time.monotonic() < deadline, f"{self.job} did not stop"
            time.sleep(0.01)

    def goes_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def state_of(pid: int) -> str:
    """The system's letter for what a process does; `T` is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]


def start(job: Job, *, barrier: Barrier | None = None) -> Run:
    """Start a process; with a barrier it begins when all are there."""
    job.reports.mkdir(parents=True, exist_ok=True)
    process = context().Process(target=_main, args=(job, barrier), daemon=True)
    process.start()
    return Run(process, job)


def run(job: Job) -> dict[str, Any]:
    """Run a job to its end in a process of its own; answers its report."""
    started = start(job)
    pid = started.pid
    assert started.ends() == 0
    return job.told(pid)


def killed(job: Job, at: str) -> None:
    """Run a job that must die at this crash point."""
    assert start(replace(job, crash_at=at)).ends() == KILLED, f"{at} was never reached"


def bought_before(job: Job) -> None:
    """Buy the same once under other references: an older order of ours shows what a
    reading would show.
    """
    assert job.file
    with job.file.open(encoding="utf-8", newline="") as file:
        rows = [
            {**row, "order_ref": f"before-{row['order_ref']}"}
            for row in csv.DictReader(file)
        ]
    before = replace(
        job, file=write_csv(job.folder / "before.csv", rows), batch="before"
    )
    run(replace(before, clock=Speed(ahead_s=-1000)))


def _main(job: Job, barrier: Barrier | None) -> None:
    for name in [
        name for name in os.environ if name.startswith(("XPORTCN_", "SOURCING_"))
    ]:
        del os.environ[name]
    os.environ |= {"XPORTCN_BASE_URL": job.url, "XPORTCN_PAY_IS": "debit"}
    os.environ |= {"SOURCING_DATA_DIR": str(job.folder / "data"), **job.settings}
    os.environ["SOURCING_CHUNK_SIZE"] = str(job.chunk_size)
    if job.crash_at:
        os.environ[VARIABLE] = job.crash_at
    _without_prefect(job.clock)
    if barrier is not None:
        barrier.wait(PATIENCE_S)
    report = asyncio.run(DOES[job.does](job))
    path = job.reports / f"{os.getpid()}.json"
    path.with_suffix(".new").write_text(json.dumps(report))
    path.with_suffix(".new").rename(path)


def _without_prefect(clock: Callable[[], datetime]) -> None:
    async def written(_: Artifact, client: object = None) -> SimpleNamespace:
        return SimpleNamespace(id=None)

    cast(Any, Artifact).acreate = written
    cast(Any, flows.batch.opening).open_resources = partial(open_resources, clock=clock)
    cast(Any, flows.finish_open).utc_now = clock
    for name in (
        "finish_batch",
        "follow_after_sale",
        "hear_callbacks",
        "sync_tracking",
    ):
        flow = vars(flows.finish_open)[name]
        setattr(flows.finish_open, name, partial(_called, flow))
    # the sandbox closes an order five seconds after it has accepted that; tests move
    # its clock instead
    tasks.after_sale.CONFIRM_PAUSES_S = cast(Any, (0.0,))
    TaobaoAfterSale.settles_in = timedelta(0)


async def _called(flow: Any, *given: Any, **named: Any) -> Any:
    """The result of a flow below another, as Prefect's engine gives it."""
    result = await flow.fn(*given, **named)
    return await result.aresult() if isinstance(result, State) else result


async def _source(job: Job) -> dict[str, Any]:
    assert job.file
    if job.plans:
        _use_plans(job.plans)
    settings = SourcingSettings()
    async with open_resources(
        settings, XportcnSettings(), clock=job.clock
    ) as resources:
        asked = read_request_file(job.file, **await reading_by(settings)).orders
        plans = flows.batch.plan_sources.FromRequests(
            orders_to_buy(resources.ledger, asked, dry_run=False), str(job.file)
        )
        batch = BatchRun(resources, job.batch, plans)
        report = await batch.buy(ask=False)
    return report.to_json()


async def _flow(job: Job) -> dict[str, Any]:
    flow = FLOWS[job.does]
    acts = {"only_show": False} if "only_show" in flow.parameters.properties else {}
    told: Any = await flow.fn(**acts, **job.arguments)
    if isinstance(told, State) and told.is_completed():
        told = told.data  # not all was as asked, and the report says what
    if isinstance(
        told, State
    ):  # without Prefect's engine a failure that a person can mend is not raised
        return {"troubles": [str(told.message)]}
    report: dict[str, Any] = told.to_json()
    return report


async def _plan(job: Job) -> dict[str, Any]:
    assert job.file
    assert job.plans
    async with open_resources(
        SourcingSettings(), XportcnSettings(), clock=job.clock
    ) as resources:
        requests = read_request_file(job.file).orders
        plans = dict[str, PlannedOrder]()

        async def take(made: Sequence[PlannedOrder]) -> None:
            plans.update({plan.order_ref: plan for plan in made})

        await plan_each(
            resources,
            [*requests],
            take,
            match_anew=False,
        )
    job.plans.write_bytes(pickle.dumps(plans))
    return {}


def _use_plans(file: Path) -> None:
    made: dict[str, PlannedOrder] = pickle.loads(file.read_bytes())

    async def planned(
        _: Resources, requests: Sequence[OrderRequest], take: Take, **__: Any
    ) -> None:
        await take([made[request.order_ref] for request in requests])

    cast(Any, flows.batch.plan_sources).plan_each = planned


FLOWS: dict[str, Any] = {
    "buy": flows.buy_from_file.buy_from_file,
    "cancel": flows.cancel_orders.cancel_orders,
    "finish": flows.buy_from_file.finish_batch,
    "follow": flows.after_sale.follow_after_sale,
    "refund": flows.after_sale.request_refund,
    "sweep": flows.finish_open.finish_open,
    "return": flows.after_sale.return_parcel,
    "track": flows.sync_tracking.sync_tracking,
}
DOES = {
    "plan": _plan,
    "source": _source,
    **dict.fromkeys(FLOWS, _flow),
}


def states(report: dict[str, Any]) -> dict[str, str]:
    """The state of each order of a report, by reference."""
    return {order["order_ref"]: order["state"] for order in report["orders"]}


def reasons(report: dict[str, Any], refs: Sequence[str]) -> list[str]:
    return [order["reason"] for order in report["orders"] if order["order_ref"] in refs]
