"""A snapshot is complete or not there, wherever its writer dies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from connectors.snapshots import Snapshots
from connectors.snapshots.manifests import list_snapshots, verify_snapshot
from tests.connectors.snapshots.sample import DAY, write_new, write_old

OLD = [("A-1", 0), ("A-2", 0), ("payment", 1)]
NEW = [("A-1", 1990), ("A-2", 1991), ("payment", 1990), ("payment", 1991)]
NEXT_DAY = date(2026, 1, 3)
PACE = 3
"""Of the steps of a write: so many lie between two at which it dies."""


class Killed(BaseException):
    """Stands for a process that dies: no code may catch it."""


def seen(root: Path) -> list[tuple[object, ...]]:
    """The orders and payments as our reader shows them."""
    snapshots = Snapshots(root)
    orders = snapshots.table("orders", columns=["order_ref", "paid_minor"])
    payments = snapshots.table("payments", columns=["amount_minor"])["amount_minor"]
    paid = zip(orders["order_ref"], orders["paid_minor"], strict=True)
    return sorted([*paid, *(("payment", int(amount)) for amount in payments)])


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """Die before the given one of all renames, links, syncs and removals."""
    steps = count()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "link", "fsync", "unlink", "rmdir"):
            patch.setattr(os, name, dying(getattr(os, name), steps, step))
        yield


def dying(
    act: Callable[..., object], steps: Iterator[int], last: int
) -> Callable[..., object]:
    def act_or_die(*args: Any, **options: Any) -> object:
        if next(steps) >= last:
            raise Killed
        return act(*args, **options)

    return act_or_die


def survives(root: Path, step: int, day: date) -> bool:
    try:
        with killed_at(step):
            write_new(root, day)
    except Killed:
        return False
    return True


@pytest.mark.parametrize(
    "day", [DAY, pytest.param(NEXT_DAY, marks=pytest.mark.endurance)]
)
def test_a_first_write_that_dies_anywhere_leaves_nothing_or_all(
    tmp_path: Path, day: date
) -> None:
    for step in count(0, PACE):
        root = tmp_path / str(step)
        if survives(root, step, day):
            assert step > 10
            break
        assert seen(root) in ([], NEW)


@pytest.mark.parametrize(
    "day", [DAY, pytest.param(NEXT_DAY, marks=pytest.mark.endurance)]
)
def test_a_rewrite_that_dies_anywhere_leaves_the_old_or_the_new(
    tmp_path: Path, day: date
) -> None:
    for step in count(0, PACE):
        root = tmp_path / str(step)
        write_old(root)
        if survives(root, step, day):
            assert step > 10
            break
        assert seen(root) in (OLD, NEW)
        assert [
            verify_snapshot(root, manifest.snapshot_id)
            for manifest in list_snapshots(root)
        ]


@pytest.mark.endurance
def test_a_rewrite_that_dies_twice_leaves_the_old_or_the_new_and_the_third_mends_all(
    tmp_path: Path,
) -> None:
    for first in range(1, 26, 7):
        for second in range(1, 26, 7):
            root = tmp_path / f"{first}-{second}"
            write_old(root)
            survives(root, first, DAY)
            survives(root, second, DAY)
            assert seen(root) in (OLD, NEW)
            write_new(root, NEXT_DAY)
            assert seen(root) == NEW
            assert pd.read_parquet(root / "orders")["paid_minor"].tolist() == [
                1990,
                1991,
            ]
            assert not list((root / "_work").glob("[!.]*"))


@pytest.mark.endurance
def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", no_link)
    for step in count():
        root = tmp_path / str(step)
        write_old(root)
        if survives(root, step, DAY):
            break
        assert seen(root) in (OLD, NEW)
    assert seen(root) == NEW


REPOSITORY = Path(__file__).parents[3]
SCRIPT = """
import os, sys
from pathlib import Path
from tests.connectors.snapshots.sample import write_new

replace, left = os.replace, int(sys.argv[2])
def replace_or_die(source, target):
    global left
    if left == 0:
        os._exit(9)
    left -= 1
    replace(source, target)
os.replace = replace_or_die
write_new(Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    "renames", [1, 2], ids=["between two files", "before the manifest"]
)
def test_a_killed_process_leaves_the_old_snapshot(tmp_path: Path, renames: int) -> None:
    write_old(tmp_path)
    writer = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), str(renames)],
        cwd=REPOSITORY,
        check=False,
    )
    assert writer.returncode == 9
    assert seen(tmp_path) == OLD
    write_new(tmp_path)
    assert seen(tmp_path) == NEW
