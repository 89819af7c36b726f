"""`kill -9` at thirty moments of writing the tables, and of ending their history.

A moment is a rename, sync or removal, or a part of a file that is written: between
these the disk stays as it is.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pandas as pd
from pyarrow import parquet

from connectors.snapshots import Snapshots
from connectors.snapshots.writer import end_history
from tests.connectors.snapshots.sample import AT, DAY, offer, order, payment, write

MOMENTS = 30
ORDERS = 1_000
DAYS = 3
NEVER = 10**9
LATER = AT + timedelta(days=60)
States = dict[str, str]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


def snapshots_outlive_kills(moments: int = MOMENTS) -> bool:
    """The moments are spread over those of a process that lives."""
    return all(
        [_killed(label, moments) for label in ("written_again", "history_ended")]
    )


def before(root: Path) -> None:
    """Three days of orders and offers."""
    for day in range(DAYS):
        _write(root, f"night-{day}", day, "paid", AT + timedelta(days=day))


def written_again(root: Path) -> None:
    """All orders of a day move on."""
    _write(root, "tracking", 0, "shipped", LATER)


def history_ended(root: Path) -> None:
    end_history(root, LATER, keep_days=30)


def _write(root: Path, name: str, day: int, state: str, at: Any) -> None:
    refs = [f"{day}-{number}" for number in range(ORDERS)]
    write(
        root,
        name,
        DAY + timedelta(days=day),
        at,
        orders=[order(ref, state=state, paid_minor=day + 1) for ref in refs],
        payments=[payment(ref, amount_minor=day + 1) for ref in refs],
        offers=[offer(str(day)), offer("always", stock=day)],
    )


def _dying(last: int) -> Iterator[int]:
    """Let this process be killed before the given one of all its steps; answers their
    counter.
    """
    steps = count()
    for location, name in (
        *((os, name) for name in ("replace", "fsync", "unlink")),
        (parquet.ParquetWriter, "write_table"),
    ):
        setattr(location, name, _or_die(getattr(location, name), steps, last))
    return steps


def _or_die(
    act: Callable[..., object], steps: Iterator[int], last: int
) -> Callable[..., object]:
    def act_or_die(*args: Any, **options: Any) -> object:
        if next(steps) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*args, **options)

    return act_or_die


def _killed(label: str, moments: int) -> bool:
    right = 0
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory() as location:
        template = Path(location) / "before"
        root = Path(location) / "root"
        before(template)
        copytree(template, root)
        steps = _played(root, label, NEVER)
        assert steps
        old = _told(template)
        new = _told(root)
        offers = [_offers(template), _offers(root)]
        for number in range(moments):
            rmtree(root)
            copytree(template, root)
            step = steps * number // moments
            assert _played(root, label, step) is None
            wrong = [*_wrong(root, (old, new), offers)]
            globals()[label](root)
            if _told(root) != new or [*_wrong(root, (new,), offers[1:])]:
                wrong.append("the next write does not mend it")
            right += not wrong
            print(
                f"snapshots  {label} killed at step {step} of {steps}: {'; '.join(wrong) or '0 violations'}",
                flush=True,
            )
    seconds = time.monotonic() - started_at
    print(
        f"snapshots: {label} was killed {moments} times in {seconds:.0f} s, {right} times all was right",
        flush=True,
    )
    return right == moments


def _played(root: Path, label: str, last: int) -> int | None:
    """The number of steps of a process; None for one that is killed before its
    `last`.
    """
    steps = FORKS.Value("i", 0)
    process = FORKS.Process(target=_play, args=(root, label, last, steps))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return None if process.exitcode else int(steps.value)


def _play(root: Path, label: str, last: int, steps: Any) -> None:
    counter = _dying(last)
    {"written_again": written_again, "history_ended": history_ended}[label](root)
    steps.value = next(counter)


def _told(root: Path) -> States:
    orders = Snapshots(root).table("orders")
    return dict(zip(orders["order_ref"], orders["state"], strict=True))


def _offers(root: Path) -> list[tuple[str, int]]:
    offers = Snapshots(root).table("offers")
    return sorted(zip(offers["sku_id"], offers["stock"], strict=True))


def _wrong(
    root: Path, stateses: Sequence[States], offers: Sequence[list[tuple[str, int]]]
) -> Iterator[str]:
    for path in root.glob("[!_]*/**/*.parquet"):
        parquet.read_table(path, partitioning=None)
    plain = pd.read_parquet(root / "orders")
    if len(plain) != DAYS * ORDERS or plain["order_ref"].nunique() != DAYS * ORDERS:
        yield "a plain read has an order twice or not at all"
    if _told(root) not in stateses:
        yield "the orders of a day are neither as before nor as they are now"
    if _offers(root) not in offers:
        yield "the offers are neither as before nor as they are now"
