"""What all episodes of a worker share, and what stands in for the outside while they
run.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import datetime
from functools import partial, partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import UUID

import prefect

from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.client import XportcnClient
from sandbox.catalogue import MARKETPLACES, Shelf
from sandbox.world import World
from tasks.engine.resources import current_resources
from tasks.engine.retrying import RETRYING
from tasks.engine.tries import Tries, TryAgain, tries
from tests.simulation.ledgers import SharedDatabase, WatchedLedger
from tests.simulation.network import Network
from tests.simulation.process import boundary, current, in_the_ui

if TYPE_CHECKING:
    from domain.effects import Claim
    from tests.simulation.episode import Episode

ITEMS = 40
SHELVES: dict[str, Shelf] = {}
"""The goods of each marketplace, made once a process: it takes seconds. A stage leaves
them as they were.
"""
MOST_TRIES = 40
DELAYS_S = (5, 15, 30, 60)


class Stage:
    """A catalogue, a database and a folder, made once; `episode` is the one on
    stage.
    """

    def __init__(self) -> None:
        self.episode: Episode | None = None
        self.database = SharedDatabase()
        memory = Path("/dev/shm")
        self.folder = Path(
            tempfile.mkdtemp(
                prefix="simulation-", dir=memory if memory.is_dir() else None
            )
        )
        self.world = World(wall_ns=self._wall_ns)
        self.world.catalogue._shelves = SHELVES
        self.on_sale = {
            name: [
                item
                for item in self.world.catalogue.shelf(name).items[:ITEMS]
                if item.stock > 50
            ]
            for name in MARKETPLACES
        }

    @property
    def on(self) -> Episode:
        assert self.episode is not None
        return self.episode

    def _wall_ns(self) -> int:
        return self.on.wall_ns()

    def clear(self, episode: Episode) -> None:
        """Empty books, an empty ledger and an empty folder for the next episode."""
        self.episode = episode
        self.world.reset()
        self.database.empty()
        shutil.rmtree(self.folder / "sends", ignore_errors=True)

    def close(self) -> None:
        self.world.catalogue.reset()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def stage() -> Iterator[Stage]:
    """Everything in its place until the end: no Prefect engine, one database, seeded
    ids, time as told.
    """
    built = Stage()
    with ExitStack() as stack:
        replace = partial(_replace, stack)
        replace(
            "tasks.engine.retrying.FlowRunContext", SimpleNamespace(get=lambda: built)
        )
        replace("prefect.Task.__call__", partialmethod(_in_tries, built))
        replace(
            "connectors.ledger.transactions.open_engine",
            lambda _url: built.database.engine,
        )
        replace("connectors.ledger.send_log.os", _Files(built))
        replace(
            "connectors.ledger.send_log.uuid",
            SimpleNamespace(uuid4=lambda: _seeded_uuid(built)),
        )
        replace(
            "sandbox.answers.os", SimpleNamespace(urandom=partial(_seeded_bytes, built))
        )
        for asking in ("flows.approval.request", "flows.batch.run"):
            replace(f"{asking}.is_deployed", in_the_ui.get)
        replace("tasks.engine.resources.Ledger", partial(_ledger, built))
        replace("tasks.engine.resources.XportcnClient", partial(_client, built))
        replace("tasks.snapshot.write_orders", partial(_keep_orders, built))
        replace("tasks.snapshot.writing", lambda _root: nullcontext())
        replace("tasks.snapshot.part_path", lambda *_: built.folder)  # is there
        thresholds = gc.get_threshold()
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        try:
            yield built
        finally:
            gc.unfreeze()
            gc.set_threshold(*thresholds)
            built.close()


def _replace(stack: ExitStack, name: str, stand_in: Any) -> None:
    stack.enter_context(patch(name, stand_in))


async def _in_tries(
    task: prefect.Task[Any, Any], built: Stage, *quoted: Any, **named: Any
) -> Any:
    """As Prefect would, without its engine: tries after tries in one process, with its
    delays.
    """
    args = [item.unquote() for item in quoted]
    kwargs = {name: item.unquote() for name, item in named.items()}
    if task.retries != RETRYING["retries"]:
        return await task.fn(*args, **kwargs)
    process = current()
    assert process is not None
    for number in range(1, MOST_TRIES + 1):
        tries.set(Tries(number, MOST_TRIES - number))
        try:
            return await task.fn(*args, **kwargs)
        except TryAgain as again:
            built.on.note(f"{process.name} {task.fn.__name__} is tried again: {again}")
            built.on.misfortune.count("task retries")
        finally:
            built.on.tried(process, task.fn.__name__, current_resources().in_hand)
        await asyncio.sleep(DELAYS_S[min(number, len(DELAYS_S)) - 1])
    raise AssertionError("the last try never asks for another")


def _seeded_uuid(built: Stage) -> UUID:
    return UUID(int=built.on.ids.getrandbits(128))


def _seeded_bytes(built: Stage, size: int) -> bytes:
    return built.on.ids.randbytes(size)


def _ledger(built: Stage, url: str, **options: Any) -> WatchedLedger:
    ledger = built.on.watched(
        WatchedLedger(url, **{**options, "asks_first": built.on.asks_first})
    )
    process = current()
    assert process is not None
    process.owner = ledger.owner
    return ledger


def _client(
    built: Stage, settings: Any, *, on_send: Any, at_once: int, **_breaker: Any
) -> XportcnClient:
    """With a gate of its own: all processes share one event loop here."""
    episode = built.on
    process = current()
    assert process is not None

    def leaves(claim: Claim) -> None:
        on_send(claim)
        episode.leaves(process, claim)

    pays = {"pay_is": episode.pay_is} if settings.pay_is == "debit" else {}
    return XportcnClient(
        settings.model_copy(
            update={**pays, "booking_repeated": episode.booking_repeated}
        ),
        on_send=leaves,
        clock=episode.now,
        nonces=lambda: episode.ids.randbytes(16).hex(),
        transport=Network(episode),
        breaker=CircuitBreaker(
            at_once=at_once, patience_s=episode.misfortune.patience_s
        ),
        at_once=at_once,
    )


def _keep_orders(
    built: Stage,
    _root: Path,
    snapshot_id: str,
    days: Mapping[Any, Collection[str]],
    parts_of: Callable[[Collection[str]], Iterable[Mapping[str, Any]]],
    written_at: datetime,
) -> None:
    boundary("snapshot")
    pieces = [piece for refs in days.values() for piece in parts_of(refs)]
    for piece in pieces:
        built.on.kept(piece)
    built.on.snapshots[snapshot_id] = (
        written_at,
        [row for piece in pieces for row in piece.get("orders", [])],
    )
    boundary("snapshot: the marks are left")


class _Files:
    """`os` for the send log: with boundaries around its writes, and files that close
    when their process dies.
    """

    def __init__(self, made: Stage) -> None:
        self._made = made

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def getpid(self) -> int:
        return 1

    def open(self, path: Any, flags: int, *mode: int) -> int:
        file = os.open(path, flags, *mode)
        process = current()
        if process is not None and flags & os.O_CREAT:
            process.open_files.add(file)
        return file

    def write(self, file: int, data: bytes) -> int:
        boundary("send log: before the write")
        written = os.write(file, data)
        os.utime(file, (self._made.on.now(),) * 2)
        boundary("send log: after the write")
        return written

    def close(self, file: int) -> None:
        process = current()
        if process is None or file not in process.open_files:
            if process is None or process.alive:
                os.close(file)
            return
        process.open_files.discard(file)
        with suppress(OSError):
            os.close(file)


def seed_everything(seed: int) -> None:
    """Jitter of retries draws from the module's own generator."""
    random.seed(seed)
