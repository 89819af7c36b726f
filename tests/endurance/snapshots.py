"""`kill -9` at thirty moments of writing a snapshot, and of merging days.

A moment is a rename, link, sync or removal, or a part of a file that is written:
between these the disk stays as it is.
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
from connectors.snapshots.current import damaged_files, mend
from connectors.snapshots.manifests import list_snapshots, verify_snapshot
from connectors.snapshots.pruning import compact
from tests.connectors.snapshots.sample import AT, order, payment, write

MOMENTS = 30
ORDERS = 1_000
NEVER = 10**9
States = dict[str, str]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


def snapshots_outlive_kills(moments: int = MOMENTS) -> bool:
    """The moments are spread over those of a process that lives."""
    return all([_killed(what, moments) for what in ("written_again", "compacted")])


def before(root: Path, what: str) -> None:
    """Three batches, and the days to merge."""
    for batch in range(3):
        write(root, f"night-{batch}", orders=_orders(batch, "paid"), payments=[])
    if what == "compacted":
        for day in range(1, 3):
            for hour in range(3):
                orders = [
                    order(f"{hour}-{number}", state="shipped", paid_minor=hour + 1)
                    for number in range(ORDERS)
                ]
                write(
                    root,
                    f"tracking-{day}-{hour}",
                    orders=orders,
                    payments=[],
                    at=AT + timedelta(days=day, hours=hour),
                )
        compact(root, AT + timedelta(days=9), keep_days=400)
        for name in ("orders", "payments"):
            write(
                root, f"late-{name}", orders=[], payments=[], at=AT + timedelta(days=1)
            )


def compacted(root: Path) -> None:
    """The month, whose days are merged and wait to be deleted."""
    compact(root, AT + timedelta(days=60), keep_days=400)


def written_again(root: Path) -> None:
    """Two orders in three move on, and are paid once more."""
    orders = [*_orders(0, "shipped"), *_orders(1, "shipped")]
    payments = [payment(str(one["order_ref"])) for one in orders]
    write(root, "tracking", orders=orders, payments=payments, at=AT.replace(month=3))


def _dying(last: int) -> Iterator[int]:
    """Let this process be killed before the given one of all its steps; answers their
    counter.
    """
    steps = count()
    for place, name in (
        *((os, name) for name in ("replace", "link", "fsync", "unlink", "rmdir")),
        (parquet.ParquetWriter, "write_table"),
    ):
        setattr(place, name, _or_die(getattr(place, name), steps, last))
    return steps


def _or_die(
    act: Callable[..., object], steps: Iterator[int], last: int
) -> Callable[..., object]:
    def act_or_die(*args: Any, **options: Any) -> object:
        if next(steps) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*args, **options)

    return act_or_die


def _orders(batch: int, state: str) -> list[dict[str, object]]:
    return [
        order(f"{batch}-{number}", state=state, paid_minor=batch + 1)
        for number in range(ORDERS)
    ]


def _killed(what: str, moments: int) -> bool:
    right, begun = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        template, root = Path(place) / "before", Path(place) / "root"
        before(template, what)
        copytree(template, root)
        steps = _played(root, what, NEVER)
        assert steps
        old, new = _told(template), _told(root)
        plain = sorted(old)
        for number in range(moments):
            rmtree(root)
            copytree(template, root)
            step = steps * number // moments
            assert _played(root, what, step) is None
            wrong = [*_wrong(root, what, plain, (old, new)), *_not_mended(root)]
            right += not wrong
            print(
                f"snapshots  {what} killed at step {step} of {steps}: {'; '.join(wrong) or '0 violations'}",
                flush=True,
            )
    seconds = time.monotonic() - begun
    print(
        f"snapshots: {what} was killed {moments} times in {seconds:.0f} s, {right} times all was right",
        flush=True,
    )
    return right == moments


def _played(root: Path, what: str, last: int) -> int | None:
    """The number of steps of a process; None for one that is killed before its
    `last`.
    """
    steps = FORKS.Value("i", 0)
    process = FORKS.Process(target=_play, args=(root, what, last, steps))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return None if process.exitcode else int(steps.value)


def _play(root: Path, what: str, last: int, steps: Any) -> None:
    counter = _dying(last)
    {"written_again": written_again, "compacted": compacted}[what](root)
    steps.value = next(counter)


def _told(root: Path) -> States:
    orders = Snapshots(root).table("orders")
    return dict(zip(orders["order_ref"], orders["state"], strict=True))


def _plain(root: Path) -> list[tuple[str, str]]:
    """The orders of every file that a plain reader finds, sorted."""
    frames = (
        pd.read_parquet(path, partitioning=None)
        for path in (root / "orders").rglob("*.parquet")
    )
    return sorted(
        row
        for frame in frames
        for row in zip(frame["order_ref"], frame["state"], strict=True)
    )


def _wrong(
    root: Path, what: str, plain: Sequence[str], told: Sequence[States]
) -> Iterator[str]:
    refs = [ref for ref, _ in _plain(root)]
    if refs != plain:
        yield "a plain read has an order twice or not at all"
    if what == "compacted" and len(Snapshots(root).history("orders")) != 9 * ORDERS:
        yield "the history has other rows"
    if _told(root) not in told:
        yield "our reader has neither the old state nor the new"
    if not all(verify_snapshot(root, one.snapshot_id) for one in list_snapshots(root)):
        yield "a snapshot is not whole"


def _not_mended(root: Path) -> Iterator[str]:
    """What the next write, and the move, leave wrong."""
    whole = _told(root)
    write(root, "next", orders=_orders(3, "paid"), at=AT.replace(month=4))
    mend(root)
    compact(root, AT + timedelta(days=120), keep_days=400)
    wanted = whole | {f"3-{number}": "paid" for number in range(ORDERS)}
    if not (
        _plain(root) == sorted(wanted.items())
        and _told(root) == wanted
        and not damaged_files(root)
    ):
        yield "the next write does not mend it"
