"""Messages under fire: a receiver that is killed among 10,000 posts loses none, odd posts don't move it, and orders end
where polling would have them, however their messages come."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import aiohttp
from hypothesis import HealthCheck, given, settings

import flows.hearing
import flows.tracking
from connectors.callbacks.kinds import CallbackKind, CallbackState
from connectors.callbacks.store import CallbackStore
from connectors.callbacks.tickets import Tickets
from connectors.callbacks.tokens import new_token
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings, XportcnSettings
from flows.hearing import hear
from tasks.follow_refunds import follow_refunds
from tasks.resources import open_resources, utc_now
from tasks.sync_tracking import sync_tracking
from tests.connectors.callbacks.conftest import posted
from tests.deployments.test_receiver import ODD, odd_bodies
from tests.endurance.shop import new_batch
from tests.postgres import running_postgres
from tests.running import ROOT, Merchant, RunningSandbox, own_sandbox

MESSAGES_AN_ORDER, ODD_BODIES_AN_ORDER = 10, 20
RATE = 300
AGAIN_AFTER_S = 20.0
PATIENCE_S = 1.0
MOST_GROWTH_MB = 40
STEPS, STEP_S = 8, 12 * 3600
FAULTS = ("callback_tripled", "callback_lost", "callback_forged")


@dataclass
class Poster:
    """The service: posts at a rate, and again what was not acknowledged within its patience."""

    url: str
    acknowledged: set[bytes] = field(default_factory=set)
    took: list[float] = field(default_factory=list)
    failed: int = 0

    async def post_all(self, bodies: Sequence[bytes], rate: float) -> None:
        """Return when everything is acknowledged."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        connector = aiohttp.TCPConnector(limit=200)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session, asyncio.TaskGroup() as group:
            began = time.monotonic()
            for number, body in enumerate(bodies):
                await asyncio.sleep(max(0, began + number / rate - time.monotonic()))
                group.create_task(self._post(session, body))

    async def _post(self, session: aiohttp.ClientSession, body: bytes) -> None:
        while body not in self.acknowledged:
            began = time.perf_counter()
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with session.post(self.url, data=body) as answer:
                    if answer.status == 200:
                        self.took.append(time.perf_counter() - began)
                        self.acknowledged.add(body)
                        return
            self.failed += 1
            await asyncio.sleep(AGAIN_AFTER_S)

    @property
    def words(self) -> str:
        cut = statistics.quantiles(self.took, n=100)
        return f"median {cut[49] * 1000:.1f} ms, 99 % {cut[98] * 1000:.0f} ms, longest {max(self.took) * 1000:.0f} ms"


@dataclass
class Receiving:
    """A receiver of its own on a port of its own, which can be killed and started again."""

    environment: dict[str, str]
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "deployments.receiver", "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    @property
    def megabytes(self) -> int:
        assert self.process
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


@contextmanager
def receiving(folder: Path, ledger_url: str = "") -> Iterator[tuple[Receiving, str]]:
    """A receiver and the address to post to."""
    own = {"SOURCING_DATA_DIR": str(folder), "SOURCING_LEDGER_URL": ledger_url}
    with socket.create_server(("127.0.0.1", 0)) as free:
        receiver = Receiving({**os.environ, **own}, free.getsockname()[1])
    with _store(folder, ledger_url) as store:
        token = new_token(store)
    receiver.start()
    try:
        yield receiver, f"http://127.0.0.1:{receiver.port}/callbacks/{token}"
    finally:
        receiver.kill()


def _store(folder: Path, ledger_url: str = "") -> CallbackStore:
    return CallbackStore(ledger_url or f"sqlite:///{folder / 'ledger.db'}", clock=utc_now)


def callbacks_outlive_kills(database: str, orders: int) -> bool:
    """Ten messages an order, on one database; whether none was lost."""
    folder = Path(tempfile.mkdtemp(prefix="endurance-callbacks-"))
    if database == "sqlite":
        return _loses_none(folder, "", orders)
    with running_postgres(durable=True) as server:
        return _loses_none(folder, server.new_database(), orders)


def _loses_none(folder: Path, ledger_url: str, orders: int) -> bool:
    """Posts at full rate while a run buys from the same ledger; the receiver is killed a third of the way."""
    messages = MESSAGES_AN_ORDER * orders
    bodies = [posted(str(10**18 + number)) for number in range(messages)]
    with own_sandbox() as sandbox, receiving(folder / "data", ledger_url) as (receiver, url):
        merchant = Merchant(sandbox, folder, {"SOURCING_LEDGER_URL": ledger_url} if ledger_url else {})
        run = merchant.start("run", new_batch(sandbox, folder, orders), "--yes", "--json")
        poster = Poster(url)

        async def killed_meanwhile() -> None:
            while len(poster.acknowledged) < messages // 3:  # noqa: ASYNC110 - a count has no event
                await asyncio.sleep(0.05)
            await asyncio.to_thread(receiver.kill)
            await asyncio.to_thread(receiver.start)

        async def both() -> None:
            await asyncio.gather(poster.post_all(bodies, RATE), killed_meanwhile())

        began = time.monotonic()
        asyncio.run(both())
        took = time.monotonic() - began
        _, errors = run.communicate(timeout=1800)
    with _store(folder / "data", ledger_url) as store:
        kept = {one.body for one in store.listed(most=2 * messages)}
    lost = len(poster.acknowledged - kept)
    is_right = not lost and run.returncode in (0, 3)
    name = "postgresql" if ledger_url else "sqlite"
    print(
        f"heard {name:10} {messages:,} in {took:.0f} s beside {orders:,} orders, killed once: {lost} lost, "
        f"{poster.failed:,} posted again; {poster.words}{'' if is_right else f' BROKEN {errors[-300:]}'}",
        flush=True,
    )
    if is_right:
        shutil.rmtree(folder)
    return is_right


def odd_posts_are_borne(orders: int) -> bool:
    """Twenty odd bodies an order, large ones, slow senders and silent connections: it answers on, and does not grow."""
    folder = Path(tempfile.mkdtemp(prefix="endurance-odd-"))
    bodies: list[bytes] = []
    wanted = ODD_BODIES_AN_ORDER * orders

    @settings(max_examples=wanted // 10, database=None, suppress_health_check=[*HealthCheck])
    @given(ODD)
    def collected(value: object) -> None:
        bodies.extend(odd_bodies(value))

    collected()
    with receiving(folder) as (receiver, url):
        statuses = asyncio.run(_post_odd(url, bodies[: wanted // 4]))
        before = receiver.megabytes
        statuses |= asyncio.run(_post_odd(url, bodies[wanted // 4 :]))
        statuses |= asyncio.run(_post_odd(url, [os.urandom(10 * 2**20)] * 20))
        silent = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(500)]
        for one in silent[:50]:
            one.sendall(b"POST /callbacks/x HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
        statuses |= asyncio.run(_post_odd(url, [posted("7")]))
        growth = receiver.megabytes - before
        for one in silent:
            one.close()
    is_right = statuses <= {200, 413} and growth <= MOST_GROWTH_MB
    print(f"odd   {len(bodies):,} posts: answers {sorted(statuses)}, {growth} MB more{'' if is_right else ' BROKEN'}")
    shutil.rmtree(folder)
    return is_right


async def _post_odd(url: str, bodies: Sequence[bytes]) -> set[int]:
    limit = asyncio.Semaphore(32)

    async def post(session: aiohttp.ClientSession, body: bytes) -> int:
        async with limit:
            try:
                async with session.post(url, data=body) as answer:
                    return answer.status
            except aiohttp.ClientError:
                return 413  # refused before all of it was sent

    async with aiohttp.ClientSession() as session:
        return {*await asyncio.gather(*(post(session, body) for body in bodies))}


def mixed_messages_end_as_polling(orders: int) -> bool:
    """Messages tripled, forged, in no order, one in ten lost: with a last look all orders end as by polling alone."""
    folder = Path(tempfile.mkdtemp(prefix="endurance-shuffled-"))
    heard, polled = folder / "heard", folder / "polled"
    with receiving(heard / "data") as (_, url), _posting_sandbox(url) as sandbox:
        merchant = Merchant(sandbox, heard, {})
        merchant.sourcing("run", new_batch(sandbox, heard, orders), "--yes")
        shutil.copytree(heard, polled)
        rules = [{"path": "callbacks/*", "kind": kind, "probability": 0.1} for kind in FAULTS]
        sandbox.faults(*rules)
        for _ in range(STEPS):
            sandbox.advance(STEP_S)
            time.sleep(3)
            with patch.dict(os.environ, merchant.environment, clear=True):
                asyncio.run(_act(heard / "data"))
        by_messages = _states(heard / "data")
        assert merchant.sourcing("track").exit_code == 0
        assert Merchant(sandbox, polled, {}).sourcing("track").exit_code == 0
        caught_up, by_polling = _states(heard / "data"), _states(polled / "data")
        counts = {name: count for name, count in sandbox.control("GET", "callbacks").items() if name != "url"}
    told = sum(by_messages[ref] == state for ref, state in by_polling.items())
    is_right = caught_up == by_polling
    print(
        f"mixed {len(by_polling):,} orders, {counts}: {told:,} as by polling before the last look, "
        f"{'all' if is_right else 'NOT ALL'} after it",
        flush=True,
    )
    shutil.rmtree(folder)
    return is_right


async def _act(data: Path) -> None:
    """What dispatcher and runs do, without a Prefect server."""
    with (
        _store(data) as store,
        patch.object(flows.tracking, "sync_chunk", sync_tracking.fn),
        patch.object(flows.hearing, "follow_refunds", follow_refunds.fn),
    ):
        tickets = Tickets(store)
        async with open_resources(SourcingSettings(), XportcnSettings()) as resources:
            for kind in random.sample([*CallbackKind], len(CallbackKind)):
                while ticket := tickets.next(kind):
                    messages = random.sample(found := tickets.begin(ticket.id), len(found))
                    store.settle((await hear(resources, store, kind, messages)).outcomes)
                    tickets.end(ticket.id)
        assert store.counts()[CallbackState.WAITING] == 0


@contextmanager
def _posting_sandbox(url: str) -> Iterator[RunningSandbox]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--callbacks", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        words = process.stdout.readline().split()
        try:
            yield RunningSandbox(words[words.index("on") + 1])
        finally:
            process.terminate()


def _states(data: Path) -> dict[str, str]:
    with Ledger(f"sqlite:///{data / 'ledger.db'}", clock=utc_now, owner="looks") as ledger:
        return {ref: str(order.state) for ref, order in ledger.all_orders().items()}
