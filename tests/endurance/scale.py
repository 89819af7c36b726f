"""A large batch over several helpers: Prefect on PostgreSQL and Redis, each helper with
a worker and a home of its own.

All on one machine, started by `sourcing serve --postgres --redis --helpers`, as
docs/scaling.md has it. It ends with this process, however that ends. Each case plays on
a new installation.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg

from connectors.settings import SourcingSettings
from deployments.databases import PREFECT_SCHEMA
from deployments.processes import descendants_of, end_tree
from deployments.registration import HELPERS
from domain.effects import OPEN
from tasks.effects.kinds import kind_of
from tests.crashes.books import kept
from tests.crashes.light import Job
from tests.deployments.conftest import free_port, receiver
from tests.deployments.served import Served, environment_of, wait_for
from tests.endurance.lost import LostPlace
from tests.endurance.shop import End, judged, new_batch
from tests.postgres import Postgres, running_postgres
from tests.redis_server import running_redis
from tests.running import ROOT, RunningSandbox, own_sandbox

LEASE_S, SETTLE_S = 30, 60
RESTARTS_EVERY_S = 20.0
ENDS_WITHIN_S = 3 * 3600
QUIET_WITHIN_S = 15 * 60
MOST_FLOW_RUNS = 12
MOST_BYTES, MEASURED_FROM = 2048, 10_000
"""What an order may leave in Prefect's database; of fewer orders, what each run leaves
in any case weighs more.
"""

HELPERS_END_WITHIN_S = 180
"""One that was killed is started again, and may find only then that the batch is
done.
"""

OVER = ("Completed", "Failed", "Cancelled")


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is bought in each case, and how."""

    orders: int
    latency_s: float
    concurrency: int
    helpers: int = 0


@dataclass(kw_only=True)
class Scaled:
    """How one case went. `claimed` are the bookings that were under way in what was
    killed.
    """

    seconds: float = 0
    state: str = ""
    claimed: int = 0
    flow_runs: int = 0
    bytes_an_order: float = 0
    notes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    end: End | None = None


@dataclass(kw_only=True)
class Scene:
    """One installation with its batch under way."""

    load: Load
    place: LostPlace
    sandbox: RunningSandbox
    server: Postgres
    run_id: str = ""
    odd: list[subprocess.Popen[bytes]] = field(default_factory=list)
    seen: Scaled = field(default_factory=Scaled)

    @property
    def shop(self) -> Served:
        return self.place.shop

    @property
    def job(self) -> Job:
        url = SourcingSettings(data_dir=self.shop.data_dir).ledger_url
        return Job(
            url=self.sandbox.url,
            folder=self.shop.folder,
            settings={"SOURCING_LEDGER_URL": url},
        )

    def until_bought(self, share: float) -> None:
        """Wait until this share of the orders is in the service's books, or the run is
        over.
        """
        goal = share * self.load.orders
        while len(self.sandbox.books()["orders"]) < goal and not self.is_over():
            time.sleep(0.5)

    def is_over(self) -> bool:
        with suppress(OSError, AssertionError):
            return self.shop.run(self.run_id)["state_name"] in OVER
        return False

    def workers(self) -> dict[str, int]:
        """The processes of the workers by their names; that of the parent's is called
        `serve`.
        """
        assert self.place.process
        started = [self.place.process.pid, *(one.pid for one in self.odd)]
        commands = {
            pid: _words(pid)
            for pid in (
                below for one in started for below in [one, *descendants_of(one)]
            )
        }
        return {
            words[-1]: pid
            for pid, words in commands.items()
            if words[1:3] == ["-m", "deployments.worker"]
        }

    def runs(self) -> dict[str, int]:
        """The process of the run that each worker has under way, by the worker's
        name.
        """
        return {
            name: run
            for name, pid in self.workers().items()
            for run in descendants_of(pid)
            if _is_a_run(run)
        }

    def helpers(self) -> dict[str, int]:
        """The process of the helper that each worker for helpers has under way, by the
        worker's name.
        """
        return {name: run for name, run in self.runs().items() if name != "serve"}

    def bookings_of(self, pid: int) -> int:
        """How many bookings a process has claimed and not settled."""
        return int(
            self.asked(
                "SELECT count(*) FROM sourcing.effects WHERE action = 'book' AND status = 'sending' AND owner LIKE %s",
                f"%-{pid}-%",
            )
        )

    def prefects_bytes(self) -> int:
        return int(
            self.asked(
                "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace = %s::regnamespace",
                PREFECT_SCHEMA,
            )
        )

    def asked(self, statement: str, *values: object) -> Any:
        assert self.place.postgres_url
        with psycopg.connect(self.place.postgres_url) as connection:
            (answer,) = connection.execute(statement, values).fetchone() or (None,)
        return answer


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    except OSError:
        return []  # it has just ended


def _is_a_run(pid: int) -> bool:
    return b"PREFECT__FLOW_RUN_ID" in environment_of(pid) and not descendants_of(pid)


def undisturbed(scene: Scene) -> None:
    """Nothing happens to anybody."""


def killed(scene: Scene) -> None:
    """One helper is killed with -9 in the middle, another one stopped for two
    leases.
    """
    scene.until_bought(0.4)
    if len(found := sorted(scene.helpers().items())) < 2:
        scene.seen.wrong.append("two helpers were not at work in time: buy more orders")
        return
    (first, victim), (second, sleeper) = found[:2]
    for pid in (sleeper, victim):  # so that what is counted is what it has at its death
        os.kill(pid, signal.SIGSTOP)
    scene.seen.claimed = scene.bookings_of(victim) + scene.bookings_of(sleeper)
    os.kill(victim, signal.SIGKILL)
    time.sleep(2 * LEASE_S)
    with suppress(ProcessLookupError):
        os.kill(sleeper, signal.SIGCONT)
    scene.seen.notes.append(f"{first} killed, {second} stopped for {2 * LEASE_S} s")


def parent_killed(scene: Scene) -> None:
    """The parent is killed with -9 while helpers work, and is started again by what
    looks after lost runs.
    """
    scene.until_bought(0.4)
    parent = scene.runs()["serve"]
    os.kill(parent, signal.SIGSTOP)
    scene.seen.claimed = scene.bookings_of(parent)
    os.kill(parent, signal.SIGKILL)
    scene.seen.notes.append(f"parent killed beside {len(scene.helpers())} helpers")


def restarted(scene: Scene) -> None:
    """PostgreSQL, with the ledger and Prefect's records, is restarted every 20 s, every
    other time by a crash.
    """
    times = 0
    while not scene.is_over():
        time.sleep(RESTARTS_EVERY_S)
        scene.server.stop("fast" if times % 2 else "immediate")
        scene.server.start()
        times += 1
    scene.seen.notes.append(f"{times} restarts")


@dataclass(frozen=True, kw_only=True)
class Case:
    """What happens while the batch is bought; `odd` starts a helper's machine that is
    not as it should be.

    `comes` is false where helpers are asked for and no worker takes them.
    """

    happens: Callable[[Scene], None] = undisturbed
    is_helped: bool = True
    comes: bool = True
    odd: Callable[[Scene], subprocess.Popen[bytes]] | None = None


def another_version(scene: Scene) -> subprocess.Popen[bytes]:
    """A machine where one file of the code is another one."""
    changed, copy = (
        ROOT / "flows" / "batch" / "chunks.py",
        scene.shop.folder / "chunks.py",
    )
    copy.write_text(f"{changed.read_text()}# another version\n")
    mounted = f"mount --bind {copy} {changed} && exec {sys.executable} -m deployments.watched_worker --helper odd"
    return _machine(
        scene, ["unshare", "--mount", "--map-root-user", "sh", "-c", mounted], {}
    )


def without_secret(scene: Scene) -> subprocess.Popen[bytes]:
    """A machine that knows where the service is, and not as whom."""
    command = [sys.executable, "-m", "deployments.watched_worker", "--helper", "odd"]
    return _machine(scene, command, {"XPORTCN_BASE_URL": "https://xportcn.example/api"})


CASES = {
    "alone": Case(is_helped=False),
    "helped": Case(),
    "nobody": Case(comes=False),
    "killed": Case(happens=killed),
    "parent": Case(happens=parent_killed),
    "version": Case(odd=another_version),
    "secret": Case(odd=without_secret),
    "restarts": Case(happens=restarted),
}


def _machine(
    scene: Scene, command: Sequence[str], settings: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    home = scene.shop.folder / "odd"
    (home / "prefect").mkdir(parents=True)
    own = {
        "PREFECT_API_URL": scene.shop.api,
        "PREFECT_HOME": str(home / "prefect"),
        "SOURCING_DATA_DIR": str(home),
    }
    ledger = {"SOURCING_LEDGER_URL": scene.job.settings["SOURCING_LEDGER_URL"]}
    with (scene.shop.folder / "odd.log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={
                **scene.shop.environment,
                **scene.place.settings,
                **own,
                **ledger,
                **settings,
            },
            stdout=log,
            stderr=log,
        )


def batches_are_shared(
    names: Sequence[str], load: Load, helpers: Sequence[int]
) -> bool:
    """Play these cases, `helped` with each number of helpers and the others with the
    last; a line each.

    Whether no promise was broken.
    """
    alone_s, right = 0.0, []
    for name in names:
        for count in helpers if name == "helped" else helpers[-1:]:
            case = CASES[name]
            seen = played(case, replace(load, helpers=count))
            alone_s = seen.seconds if name == "alone" else alone_s
            faster = (
                f"{alone_s / seen.seconds:.2f} times as fast as alone"
                if name == "helped" and alone_s
                else ""
            )
            asked = count if case.is_helped else 0
            print(
                f"scale      {name:8} {asked:2} helpers {_line(seen, load)}; {faster}".rstrip(
                    "; "
                ),
                flush=True,
            )
            right.append(not seen.wrong)
    return all(right)


def _line(seen: Scaled, load: Load) -> str:
    ended = seen.end
    states = (
        f"{ended.words}; {ended.asked} questions for {seen.claimed} bookings claimed"
        if ended
        else "no end"
    )
    prefects = f"{seen.flow_runs} flow runs and {seen.bytes_an_order:,.0f} bytes an order in Prefect's database"
    told = "; ".join([*seen.notes, *seen.wrong[:5]]) or "right"
    return f"{load.orders:6} orders {seen.seconds:7.1f} s {seen.state}; {states}; {prefects}; {told}"


def played(case: Case, load: Load) -> Scaled:
    """Buy a batch on a new installation; it is kept for a look when a promise was
    broken.
    """
    folder = Path(tempfile.mkdtemp(prefix="endurance-scale-"))
    try:
        with _scene(folder, case, load) as scene:
            seen = _bought(scene, case)
    except (KeyboardInterrupt, SystemExit):
        shutil.rmtree(folder)
        raise
    if seen.wrong:
        seen.notes.append(f"kept for a look: {folder}")
    else:
        shutil.rmtree(folder)
    return seen


@contextmanager
def _scene(folder: Path, case: Case, load: Load) -> Iterator[Scene]:
    with (
        own_sandbox() as sandbox,
        receiver(folder) as alerts,
        running_postgres(durable=True) as server,
        running_redis() as redis,
    ):
        sandbox_port = int(sandbox.url.rpartition(":")[2])
        ports = {"port": free_port(), "sandbox_port": sandbox_port, "alerts": alerts}
        (folder / "settings.json").write_text(json.dumps(ports))
        place = LostPlace(
            Served(folder),
            server.new_database(),
            {
                "SOURCING_LEASE_S": str(LEASE_S),
                "SOURCING_SETTLE_S": str(SETTLE_S),
                "SOURCING_CALLBACKS_PORT": "0",
            },
            ("--redis", redis, "--helpers", str(_sound(case, load))),
        )
        scene = Scene(load=load, place=place, sandbox=sandbox, server=server)
        try:
            place.start()
            print(
                f"scale      Prefect UI: {place.shop.api.removesuffix('/api')}",
                file=sys.stderr,
                flush=True,
            )
            scene.odd += [case.odd(scene)] if case.odd else []
            yield scene
        finally:
            for process in scene.odd:
                end_tree(process)
            place.kill()


def _bought(scene: Scene, case: Case) -> Scaled:
    load, seen, shop = scene.load, scene.seen, scene.shop
    file = new_batch(scene.sandbox, shop.folder, load.orders)
    scene.sandbox.faults(
        {"path": "*", "kind": "latency", "probability": 1, "delay_s": load.latency_s}
    )
    bytes_before, began = scene.prefects_bytes(), time.monotonic()
    speed = {
        "concurrency": load.concurrency,
        "helpers": load.helpers if case.is_helped else 0,
    }
    wanted = {
        "requests": {"file": str(file)},
        "dry_run": False,
        "yes": True,
        "batch": "batch",
        "speed": speed,
    }
    scene.run_id = shop.start("buy-from-file/buy-from-file", **wanted)
    case.happens(scene)
    wait_for(scene.is_over, seconds=ENDS_WITHIN_S)
    seen.seconds, seen.state = (
        time.monotonic() - began,
        shop.run(scene.run_id)["state_name"],
    )
    scene.sandbox.faults()
    wait_for(lambda: not _is_open(scene), seconds=QUIET_WITHIN_S)
    with suppress(AssertionError):
        wait_for(
            lambda: all(run["state_name"] in OVER for run in _helpers(shop)),
            seconds=HELPERS_END_WITHIN_S,
        )
    runs = [
        run for run in shop.ask("flow_runs/filter", {}) if not run["auto_scheduled"]
    ]
    helpers = Counter(run["state_name"] for run in _helpers(shop))
    seen.flow_runs = len(runs)
    seen.notes.append(
        f"helpers: {' '.join(f'{count} {state}' for state, count in sorted(helpers.items())) or 'none'}"
    )
    seen.bytes_an_order = (scene.prefects_bytes() - bytes_before) / load.orders
    seen.end = judged(scene.sandbox, scene.job)
    seen.wrong += [] if seen.state == "Completed" else [f"the run ended {seen.state}"]
    seen.wrong += seen.end.violations
    seen.wrong += [f"{name} helpers are left" for name in helpers if name not in OVER]
    seen.wrong += (
        ["not all helpers came"] if helpers["Completed"] < _sound(case, load) else []
    )
    seen.wrong += ["too many flow runs"] if seen.flow_runs > MOST_FLOW_RUNS else []
    is_large = load.orders >= MEASURED_FROM
    seen.wrong += (
        ["too much in Prefect's database"]
        if is_large and seen.bytes_an_order > MOST_BYTES
        else []
    )
    seen.wrong += (
        ["more questions than bookings claimed"]
        if seen.end.asked > seen.claimed
        else []
    )
    return seen


def _helpers(shop: Served) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.ask(
        "flow_runs/filter", {"work_pools": {"name": {"any_": [HELPERS]}}}
    )
    return found


def _sound(case: Case, load: Load) -> int:
    """How many helpers are as they should be."""
    return load.helpers - (case.odd is not None) if case.is_helped and case.comes else 0


def _is_open(scene: Scene) -> bool:
    """Whether something is left that time and a read can settle."""
    return any(
        effect.status in OPEN and kind_of(effect).absence_proves
        for effect in kept(scene.job)[1]
    )
