"""Pruning: what is current stays, the history before goes, and no crash or reader ever
meets anything in between.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.snapshots import Snapshots
from connectors.snapshots.manifests import (
    MANIFESTS,
    SnapshotDamaged,
    SnapshotError,
    list_snapshots,
    read_manifest,
    verify_snapshot,
)
from connectors.snapshots.pruning import compact
from connectors.snapshots.reader import sql
from connectors.snapshots.writer import write_snapshot
from tests.connectors.snapshots.sample import (
    AT,
    files_below,
    order,
    payment,
    prune,
    write,
)
from tests.connectors.snapshots.test_crashes import REPOSITORY, Killed, killed_at

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOW = AT + 10 * HOUR
STATES = ("ordered", "paid", "booked", "delivered")
CURRENT = [("A-1", "delivered", 3), ("A-2", "paid", 1), ("A-3", "booked", 2)]
BY_HAND = "select order_ref, state, paid_minor from orders order by all"
HISTORY = "select order_ref, state from orders_history order by all"


def tell(root: Path, hour: int, *refs: str) -> None:
    rows = [order(ref, state=STATES[hour], paid_minor=hour) for ref in refs]
    write(
        root, f"s-{hour}", day=date(2026, 1, 2 + hour), at=AT + hour * HOUR, orders=rows
    )


def filled(root: Path) -> None:
    """Four snapshots, a day apart; each order is told by some."""
    tell(root, 0, "A-1", "A-2", "A-3")
    tell(root, 1, "A-1", "A-2")
    tell(root, 2, "A-3")
    tell(root, 3, "A-1")


def current(root: Path) -> list[tuple[Any, ...]]:
    """Quicker than by a query."""
    rows = (
        Snapshots(root)
        .arrow("orders", columns=["order_ref", "state", "paid_minor"])
        .to_pylist()
    )
    return sorted(tuple(row.values()) for row in rows)


def snapshot_ids(root: Path) -> list[str]:
    return [snapshot.snapshot_id for snapshot in list_snapshots(root)]


def rows_told(root: Path) -> int:
    return sum(
        file.rows for manifest in list_snapshots(root) for file in manifest.files
    )


def test_the_newest_row_of_each_key_survives_in_one_snapshot(tmp_path: Path) -> None:
    filled(tmp_path)
    before = Snapshots(tmp_path).table("orders")
    prune(tmp_path, NOW, keep=1)
    assert files_below(tmp_path) == [
        "_manifests/pruned-20260102T130405678901.json",
        "_manifests/s-3.json",
        "_history/orders/date=2026-01-04/pruned-20260102T130405678901.parquet",
        "_history/orders/date=2026-01-05/s-3.parquet",
    ]
    pd.testing.assert_frame_equal(
        Snapshots(tmp_path).table("orders"), before, check_like=True
    )
    assert sql(tmp_path, BY_HAND).rows == tuple(CURRENT)
    assert verify_snapshot(tmp_path, "pruned-20260102T130405678901").replaces == {}


def test_as_of_every_later_moment_the_tables_are_what_they_were(tmp_path: Path) -> None:
    filled(tmp_path)
    prune(tmp_path, NOW, keep=2)
    assert sql(tmp_path, HISTORY).rows == (
        ("A-1", "delivered"),
        ("A-1", "paid"),
        ("A-2", "paid"),
        ("A-3", "booked"),
        ("A-3", "ordered"),
    )
    then = Snapshots(tmp_path).table("orders", at=AT + 2 * HOUR)
    assert sorted(zip(then["order_ref"], then["state"], strict=True)) == [
        ("A-1", "paid"),
        ("A-2", "paid"),
        ("A-3", "booked"),
    ]


def test_what_was_pruned_is_pruned_with_the_next_ones_and_alone_it_stays(
    tmp_path: Path,
) -> None:
    filled(tmp_path)
    prune(tmp_path, NOW, keep=2)
    prune(tmp_path, NOW + HOUR)
    assert compact(tmp_path, AT + 400 * DAY, keep_days=1) == []
    assert snapshot_ids(tmp_path) == ["pruned-20260102T140405678901"]
    assert sql(tmp_path, BY_HAND).rows == tuple(CURRENT)


def test_a_batch_that_is_run_again_counts_again(tmp_path: Path) -> None:
    filled(tmp_path)
    prune(tmp_path, NOW)
    write(tmp_path, "s-0", at=NOW + HOUR, orders=[order("A-2", state="refunded")])
    assert sql(tmp_path, "select state from orders where order_ref = 'A-2'").rows == (
        ("refunded",),
    )


def test_snapshots_without_rows_leave_nothing(tmp_path: Path) -> None:
    write(tmp_path, "empty", orders=[], payments=[])
    prune(tmp_path, NOW)
    assert files_below(tmp_path) == []


def test_a_damaged_snapshot_stops_it_and_nothing_is_gone(tmp_path: Path) -> None:
    filled(tmp_path)
    file = tmp_path / "_history/orders/date=2026-01-02/s-0.parquet"
    content = file.read_bytes()
    file.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    before = files_below(tmp_path)
    with pytest.raises(SnapshotDamaged, match="s-0 is not as it was written"):
        prune(tmp_path, NOW, keep=1)
    assert [
        name for name in files_below(tmp_path) if not name.startswith("_work")
    ] == before


def test_what_a_newer_program_wrote_is_left_alone(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / MANIFESTS / "s-0.json"
    manifest = read_manifest(path)
    unknown = tuple(replace(file, table="unheard-of") for file in manifest.files)
    path.write_bytes(replace(manifest, files=unknown).to_json())
    compact(tmp_path, AT + 60 * DAY, keep_days=1)
    assert snapshot_ids(tmp_path) == ["s-0", "of-2026-01-20260303T030405678901"]
    compact(tmp_path, AT + 61 * DAY, keep_days=1)
    assert snapshot_ids(tmp_path) == ["s-0", "pruned-20260304T030405678901"]


def test_what_writers_that_died_left_is_removed_and_what_counts_is_not(
    tmp_path: Path,
) -> None:
    """The rewrite of s-0 died before its manifest: the old file waits aside, and is
    what counts.
    """
    filled(tmp_path)
    (tmp_path / "_history/orders/date=2026-01-09").mkdir()
    (tmp_path / "_history/orders/date=2026-01-09/dead.parquet").write_bytes(b"half")
    (tmp_path / "mine.parquet").write_bytes(b"of the merchant")
    with pytest.raises(Killed), killed_at(5):
        tell_again(tmp_path)
    prune(tmp_path, NOW, keep=9)
    assert snapshot_ids(tmp_path) == ["s-0", "s-1", "s-2", "s-3"]
    assert all(
        verify_snapshot(tmp_path, one.snapshot_id) for one in list_snapshots(tmp_path)
    )
    assert sql(tmp_path, BY_HAND).rows == tuple(CURRENT)
    assert files_below(tmp_path)[4:] == [
        "mine.parquet",
        *(f"_history/orders/date=2026-01-0{2 + n}/s-{n}.parquet" for n in range(4)),
    ]


def tell_again(root: Path) -> None:
    write(root, "s-0", orders=[order("A-9")], at=AT)


def test_a_pruning_that_dies_anywhere_leaves_the_old_or_the_new_and_the_next_ends_it(
    tmp_path: Path,
) -> None:
    old, new = 7, 4
    for step in count(0, 5):
        root = tmp_path / str(step)
        filled(root)
        try:
            with killed_at(step):
                prune(root, NOW, keep=1)
        except Killed:
            assert (current(root), rows_told(root) in (old, new)) == (CURRENT, True)
            assert [
                verify_snapshot(root, one.snapshot_id) for one in list_snapshots(root)
            ]
        else:
            assert step > 20
            break
        prune(root, NOW + HOUR, keep=1)
        assert (current(root), rows_told(root), len(files_below(root))) == (
            CURRENT,
            new,
            4,
        )


SCRIPT = """
import os, signal, sys
from datetime import timedelta
from pathlib import Path
from connectors.snapshots import pruning
from tests.connectors.snapshots.sample import AT, prune

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(pruning, sys.argv[2], die)
prune(Path(sys.argv[1]), AT + timedelta(hours=10), keep=1)
"""


@pytest.mark.endurance
@pytest.mark.parametrize(
    ("where", "left"), [("put_in_place", 4), ("write_manifest", 2)]
)
def test_a_killed_pruning_loses_nothing_and_the_next_one_ends_it(
    tmp_path: Path, where: str, left: int
) -> None:
    filled(tmp_path)
    dead = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), where],
        cwd=REPOSITORY,
        check=False,
    )
    assert dead.returncode == -9
    assert (len(list_snapshots(tmp_path)), current(tmp_path)) == (left, CURRENT)
    prune(tmp_path, NOW, keep=1)
    assert current(tmp_path) == CURRENT
    assert len(files_below(tmp_path)) == 4


def test_readers_and_writers_of_the_same_moment_see_all_current_rows(
    tmp_path: Path,
) -> None:
    filled(tmp_path)
    over, seen = Event(), []

    def read() -> None:
        while not over.is_set():
            with suppress(SnapshotError):  # "kept changing": they do nothing else here
                seen.append(current(tmp_path))

    reader = Thread(target=read)
    reader.start()
    for number in range(5):
        tell(tmp_path, 3, "A-1")
        write(
            tmp_path,
            f"again-{number}",
            at=AT,
            orders=[order("A-1", state="ordered", paid_minor=0)],
        )
        prune(tmp_path, NOW + number * HOUR, keep=1)
        time.sleep(0.1)
    over.set()
    reader.join()
    assert seen
    assert all(rows == CURRENT for rows in seen)


def test_a_writer_under_way_is_waited_for(tmp_path: Path) -> None:
    """It holds its files in `_work`; a pruning in that moment must not take them for a
    dead one's.
    """
    filled(tmp_path)
    begun, go_on = Event(), Event()

    def slowly() -> Any:
        begun.set()
        yield {"orders": [order("B-1")]}
        go_on.wait(10)
        yield {"orders": [order("B-2")]}

    arguments: dict[str, Any] = {"batch_id": "batch", "written_at": NOW}
    writer = Thread(
        target=write_snapshot,
        args=(tmp_path, "slow", date(2026, 1, 6), slowly()),
        kwargs=arguments,
    )
    writer.start()
    begun.wait(10)
    pruner = Thread(target=prune, args=(tmp_path, NOW), kwargs={"keep": 1})
    pruner.start()
    pruner.join(0.2)
    assert pruner.is_alive()
    go_on.set()
    writer.join()
    pruner.join()
    assert snapshot_ids(tmp_path) == ["pruned-20260102T130405678901", "slow"]
    assert len(sql(tmp_path, BY_HAND).rows) == 5


@given(
    st.lists(
        st.lists(st.sampled_from(["A-1", "A-2", "A-3"]), unique=True),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 5),
)
@settings(max_examples=6, deadline=None)
def test_no_current_row_is_lost_whatever_is_told_and_kept(
    tmp_path_factory: pytest.TempPathFactory, told: Sequence[Sequence[str]], keep: int
) -> None:
    root = tmp_path_factory.mktemp("any")
    for hour, refs in enumerate(told):
        orders = [order(ref, paid_minor=hour) for ref in refs]
        payments = [payment(ref, amount_minor=hour) for ref in refs]
        write(root, f"s-{hour}", at=AT + hour * HOUR, orders=orders, payments=payments)
    before = everything(root)
    prune(root, NOW, keep=keep)
    assert everything(root) == before


def everything(root: Path) -> list[list[dict[str, Any]]]:
    return [
        Snapshots(root).arrow(name).sort_by("order_ref").to_pylist()
        for name in ("orders", "payments")
    ]
