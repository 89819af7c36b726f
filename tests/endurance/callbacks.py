"""Messages under fire: a receiver that is killed among 10,000 posts loses none, odd
posts don't move it, and orders end where polling would have them, however their
messages come.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

import aiohttp
from hypothesis import HealthCheck, given, settings

from connectors.callbacks import CallbackStore
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from domain.after_sale import FOLLOWED, RefundKind
from flows.callbacks import read_again
from flows.sync_tracking import track
from tasks.engine.resources import open_resources, utc_now
from tasks.refund import RefundWish, ask_refund, follow_refunds, refund_options
from tests.connectors.callbacks.conftest import kept, posted
from tests.deployments.test_receiver import ODD, odd_bodies
from tests.endurance.shop import new_batch
from tests.history import all_orders
from tests.postgres import running_postgres
from tests.running import ROOT, Merchant, RunningSandbox, own_sandbox

MESSAGES_AN_ORDER = 10
ODD_BODIES_AN_ORDER = 20
RATE = 300
AGAIN_AFTER_S = 20.0
PATIENCE_S = 1.0
MOST_GROWTH_MB = 40
SILENT = 1_000
SLOW = 50
STEPS = 8
STEP_S = 12 * 3600
FAULTS = ("callback_tripled", "callback_lost", "callback_forged")


@dataclass
class Poster:
    """The service: posts at a rate, and again what was not acknowledged within its
    patience.
    """

    url: str
    acknowledged: set[bytes] = field(default_factory=set)
    took: list[float] = field(default_factory=list)
    failed: int = 0

    async def post_all(self, bodies: Sequence[bytes], rate: float) -> None:
        """Return when everything is acknowledged."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        connector = aiohttp.TCPConnector(limit=200)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            asyncio.TaskGroup() as group,
        ):
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
    """A receiver of its own on a port of its own, which can be killed and started
    again.
    """

    environment: dict[str, str]
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "cli.main",
            "callbacks",
            "--port",
            str(self.port),
        ]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1),
            ):
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
        return next(
            int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS")
        )


@contextmanager
def receiving(folder: Path, ledger_url: str = "") -> Iterator[tuple[Receiving, str]]:
    """A receiver and the address to post to."""
    own = {"SOURCING_DATA_DIR": str(folder), "SOURCING_LEDGER_URL": ledger_url}
    with socket.create_server(("127.0.0.1", 0)) as free:
        receiver = Receiving({**os.environ, **own}, free.getsockname()[1])
    with _store(folder, ledger_url) as store:
        token = store.new_token()
    receiver.start()
    try:
        yield receiver, f"http://127.0.0.1:{receiver.port}/callbacks/{token}"
    finally:
        receiver.kill()


def _store(folder: Path, ledger_url: str = "") -> CallbackStore:
    return CallbackStore(
        ledger_url or f"sqlite:///{folder / 'ledger.db'}", clock=utc_now
    )


def verdict(is_right: bool) -> str:  # noqa: FBT001
    return "right" if is_right else "BROKEN"


def callbacks_outlive_kills(database: str, orders: int) -> bool:
    """Ten messages an order, on one database; whether none was lost."""
    folder = Path(tempfile.mkdtemp(prefix="endurance-callbacks-"))
    if database == "sqlite":
        return _loses_none(folder, "", orders)
    with running_postgres(durable=True) as server:
        return _loses_none(folder, server.new_database(), orders)


def _loses_none(folder: Path, ledger_url: str, orders: int) -> bool:
    """Posts at full rate while a run buys from the same ledger; the receiver is killed
    a third of the way.
    """
    messages = MESSAGES_AN_ORDER * orders
    bodies = [posted(str(10**18 + number)) for number in range(messages)]
    with (
        own_sandbox() as sandbox,
        receiving(folder / "data", ledger_url) as (receiver, url),
    ):
        merchant = Merchant(
            sandbox, folder, {"SOURCING_LEDGER_URL": ledger_url} if ledger_url else {}
        )
        run = merchant.start(
            "run", new_batch(sandbox, folder, orders), "--yes", "--json"
        )
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
        lost = len(poster.acknowledged - kept(store))
    is_right = not lost and run.returncode in (0, 3)
    name = "postgresql" if ledger_url else "sqlite"
    print(
        f"heard {name:10} {messages:,} in {took:.0f} s beside {orders:,} orders, killed once: {lost} lost, "
        f"{poster.failed:,} posted again; {poster.words}: {verdict(is_right)}{'' if is_right else errors[-300:]}",
        flush=True,
    )
    if is_right:
        shutil.rmtree(folder)
    return is_right


def odd_posts_are_borne(orders: int) -> bool:
    """Twenty odd bodies an order, large ones, slow senders and silent connections: it
    answers on, and does not grow.
    """
    folder = Path(tempfile.mkdtemp(prefix="endurance-odd-"))
    bodies: list[bytes] = []
    expected = ODD_BODIES_AN_ORDER * orders

    @settings(
        max_examples=expected // 10, database=None, suppress_health_check=[*HealthCheck]
    )
    @given(ODD)
    def collected(value: object) -> None:
        bodies.extend(odd_bodies(value))

    collected()
    with receiving(folder) as (receiver, url):
        statuses = asyncio.run(_post_odd(url, bodies[: expected // 4]))
        before = receiver.megabytes
        statuses |= asyncio.run(_post_odd(url, bodies[expected // 4 :]))
        statuses |= asyncio.run(_post_odd(url, [os.urandom(10 * 2**20)] * 20))
        silent = [
            socket.create_connection(("127.0.0.1", receiver.port))
            for _ in range(SILENT)
        ]
        for item in silent[:SLOW]:
            item.sendall(
                f"POST {urlsplit(url).path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{{".encode()
            )
        neighbours = asyncio.run(
            _post_odd(url, [posted(str(number)) for number in range(1, 101)])
        )
        growth = receiver.megabytes - before
        delayed = {_status(item) for item in silent[:SLOW]}
        for item in silent:
            item.close()
    with _store(folder) as store:
        stored = len(kept(store))
    is_right = (
        statuses <= {200, 413}
        and neighbours == {200}
        and growth <= MOST_GROWTH_MB
        and delayed <= {b"408", b""}
    )
    print(
        f"odd   {len(bodies):,} posts, 20 of 10 MB: answers {sorted(statuses)}, {stored:,} stored; beside {SILENT:,} "
        f"silent or slow connections 100 messages are answered {sorted(neighbours)}, the slow ones {sorted(delayed)}; "
        f"{growth} MB more: {verdict(is_right)}",
        flush=True,
    )
    shutil.rmtree(folder)
    return is_right


def _status(connection: socket.socket) -> bytes:
    """What a connection is answered; nothing for one that was cut, which may show as a
    reset.
    """
    with suppress(ConnectionResetError):
        return connection.recv(12)[9:12]
    return b""


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
    """Two worlds of the same orders. In one every step is polled. The other only hears:
    messages tripled, forged, in no order, one in ten lost, those of several steps at
    once. Whom a message names stands there as by polling without a look of tracking;
    with looks at the end all do, and what each order went through is what polling saw.
    """
    folder = Path(tempfile.mkdtemp(prefix="endurance-mixed-"))
    heard = folder / "heard"
    polled = folder / "polled"
    with _sandbox("--state", str(folder / "state")) as bought:
        merchant = Merchant(bought, heard, {})
        merchant.sourcing("run", new_batch(bought, heard, orders), "--yes")
        act_for(merchant, _ask_refunds)
    shutil.copytree(heard, polled)
    shutil.copy(folder / "state", folder / "twin")
    with (
        receiving(heard / "data") as (_, url),
        _sandbox("--state", str(folder / "state"), "--callbacks", url) as speaks,
        _sandbox("--state", str(folder / "twin")) as silent,
    ):
        speaks.faults(
            *(
                {"path": "callbacks/*", "kind": kind, "probability": 0.1}
                for kind in FAULTS
            ),
        )
        worlds = Worlds(Merchant(speaks, heard, {}), Merchant(silent, polled, {}))
        for step in range(1, STEPS + 1):
            speaks.advance(STEP_S)
            silent.advance(STEP_S)
            _wait_until_posted(speaks)
            worlds.poll()
            if (
                step % 3
            ):  # what came in every third step waits, and is heard with the next
                worlds.hear()
        worlds.catch_up()
        counts = {
            name: count
            for name, count in speaks.control("GET", "callbacks").items()
            if name != "url"
        }
    print(
        f"mixed {orders:,} orders, {counts}: {worlds.words}: {verdict(worlds.are_one)}",
        flush=True,
    )
    shutil.rmtree(folder)
    return worlds.are_one


@dataclass
class Worlds:
    """One that hears and one that polls, which begin alike."""

    heard: Merchant
    polled: Merchant
    named: int = 0
    moved: int = 0
    astray: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    ways: set[str] = field(default_factory=set)

    def poll(self) -> None:
        act_for(self.polled, _track)

    def catch_up(self) -> None:
        """Looks of tracking in both; then each order's history is compared.

        The first one reports parcels of marketplaces without messages, and the
        warehouse needs days to send them on.
        """
        for _ in range(3):
            act_for(self.heard, _track)
            self.poll()
            for world in (self.heard, self.polled):
                world.sandbox.advance(STEP_S)
        heard = self.histories(self.heard)
        polled = self.histories(self.polled)
        for ref, through in polled.items():
            self.ways.add(" ".join(through))
            observed = iter(through)
            if heard[ref][-1] != through[-1] or not all(
                state in observed for state in heard[ref]
            ):
                self.apart.append(
                    f"{ref}: {' '.join(heard[ref])}, and by polling {' '.join(through)}"
                )

    def hear(self) -> None:
        """All that waits is acted on; then whom a message named is compared."""
        before = self.histories(self.heard)
        names = act_for(self.heard, _act)
        heard = self.histories(self.heard)
        polled = self.histories(self.polled)
        delayed = [ref for ref in names if heard[ref][-1] != polled[ref][-1]]
        if delayed:  # something happened between the two readings
            self.poll()
            polled = self.histories(self.polled)
        self.named += len(names)
        self.moved += sum(heard[ref] != before[ref] for ref in names)
        self.astray += [
            f"{ref}: {heard[ref][-1]}, not {polled[ref][-1]}"
            for ref in delayed
            if heard[ref] != polled[ref]
        ]

    def histories(self, merchant: Merchant) -> dict[str, list[str]]:
        with _ledger(merchant.folder / "data") as ledger:
            return {
                ref: [str(move["new_state"]) for move in ledger.moves_of(ref)]
                for ref in all_orders(ledger)
            }

    @property
    def are_one(self) -> bool:
        return self.moved > 0 and not self.astray and not self.apart

    @property
    def words(self) -> str:
        ends = sorted({method.split()[-1] for method in self.ways})
        pieces = [
            f"{self.named:,} times an order was named and it moved {self.moved:,} times by that alone",
            f"{len(self.astray)} of them not where polling had it {self.astray[:3]}",
            f"{len(self.ways)} kinds of histories, at the end {', '.join(ends)}",
            f"{len(self.apart)} histories not as by polling after three looks {self.apart[:3]}",
        ]
        return "; ".join(pieces)


def act_for(
    merchant: Merchant, act: Callable[[Path], Coroutine[None, None, set[str]]]
) -> set[str]:
    """Do something with a merchant's ledger and service, in this process and without a
    Prefect server.
    """
    with patch.dict(os.environ, merchant.environment, clear=True):
        return asyncio.run(act(merchant.folder / "data"))


async def _ask_refunds(_: Path) -> set[str]:
    """Money back is asked for one order in ten, where a marketplace has that."""
    async with open_resources(SourcingSettings(), XportcnSettings()) as resources:
        for order in list(all_orders(resources.ledger).values())[::10]:
            if resources.offerings[order.marketplace].after_sale:
                reason = (await refund_options(resources, order, RefundKind.REFUND))[
                    0
                ].name
                await ask_refund(
                    order.order_ref, RefundWish(kind=RefundKind.REFUND, reason=reason)
                )
        return {
            refund.order_ref for refund in resources.ledger.refunds.in_states(FOLLOWED)
        }


async def _track(_: Path) -> set[str]:
    async with open_resources(SourcingSettings(), XportcnSettings()) as resources:
        report = await track(resources)
        refunds = resources.ledger.refunds.in_states(FOLLOWED)
        troubles = [
            *report.troubles,
            *(await follow_refunds(refunds, label="all")).values(),
        ]
        assert not troubles, troubles[:3]
        return {line.order_ref for line in report.moved}


async def _act(data: Path) -> set[str]:
    """What a run does, without a Prefect server; answers whom the messages named.

    Half a day of the sandbox is seconds here, so one reading follows another sooner.
    """
    with _store(data) as store, patch("connectors.callbacks.READ_EVERY", timedelta(0)):
        heard = store.take_due()
        named = {order_id for item in heard for order_id in item.order_ids}
        async with open_resources(SourcingSettings(), XportcnSettings()) as resources:
            assert not await read_again(resources, named)
            store.mark_read(heard)
            return set(resources.ledger.orders_with_ids(named))


def _ledger(data: Path) -> Ledger:
    return Ledger(f"sqlite:///{data / 'ledger.db'}", clock=utc_now, owner="looks")


def _wait_until_posted(sandbox: RunningSandbox) -> None:
    """Until a second passed in which nothing was posted."""
    counts: object = None
    while counts != (counts := sandbox.control("GET", "callbacks")):
        time.sleep(1)


@contextmanager
def _sandbox(*options: str) -> Iterator[RunningSandbox]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        text = process.stdout.readline().split()
        try:
            yield RunningSandbox(text[text.index("on") + 1])
        finally:
            process.terminate()
