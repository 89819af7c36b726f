"""`kill -9` at thirty moments of writing a snapshot, and of moving the files of an earlier version."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from shutil import move, rmtree

import pandas as pd

from connectors.snapshots import Snapshots, verify_snapshot
from connectors.snapshots.arranging import arrange
from connectors.snapshots.current import damaged_files
from connectors.snapshots.manifests import list_snapshots
from tests.connectors.snapshots.sample import AT, order, write
from tests.running import ROOT

MOMENTS = 30
ORDERS = 3_000
SCRIPT = """
import sys
from pathlib import Path
from tests.endurance import snapshots
print("begun", flush=True)
getattr(snapshots, sys.argv[1])(Path(sys.argv[2]))
"""


def snapshots_outlive_kills(moments: int = MOMENTS) -> bool:
    """The moments are spread over the time that it takes unharmed."""
    return all([_killed("written_again", moments), _killed("arranged", moments)])


def before(root: Path) -> None:
    for batch in range(3):
        write(root, f"night-{batch}", orders=_orders(batch, "paid"))


def written_again(root: Path) -> None:
    """Two orders in three move on."""
    write(root, "tracking", orders=[*_orders(0, "shipped"), *_orders(1, "shipped")], at=AT.replace(month=3))


def arranged(root: Path) -> None:
    arrange(root)


def _orders(batch: int, state: str) -> list[dict[str, object]]:
    return [order(f"{batch}-{number}", state=state, paid_minor=batch + 1) for number in range(ORDERS)]


def _killed(what: str, moments: int) -> bool:
    right = 0
    with tempfile.TemporaryDirectory() as place:
        _, whole_s = _played(Path(place) / "unharmed", what, None)
        for number in range(moments):
            root = Path(place) / f"{number}"
            after_s = whole_s * number / moments
            wrong, _ = _played(root, what, after_s)
            right += not wrong
            print(f"snapshots  {what} killed after {after_s:.2f} s: {'; '.join(wrong) or '0 violations'}", flush=True)
            rmtree(root)
    print(f"snapshots: {what} was killed {moments} times, {right} times all was right", flush=True)
    return right == moments


def _played(root: Path, what: str, after_s: float | None) -> tuple[list[str], float]:
    before(root)
    if what == "arranged":
        rmtree(root / "orders")
        move(root / "_history/orders", root / "orders")
    writer = subprocess.Popen([sys.executable, "-c", SCRIPT, what, str(root)], cwd=ROOT, stdout=subprocess.PIPE)
    assert writer.stdout
    writer.stdout.readline()
    begun = time.monotonic()
    try:
        writer.wait(after_s)
    except subprocess.TimeoutExpired:
        writer.kill()
        writer.wait()
    seconds = time.monotonic() - begun
    wrong = [words for words, holds in PROMISES.items() if not holds(root, what)]
    write(root, "next", orders=_orders(3, "paid"), at=AT.replace(month=4))
    arrange(root)
    healed = Snapshots(root).table("orders")
    if not (_plain(root) == _told(healed) and len(healed) == 4 * ORDERS and not damaged_files(root)):
        wrong.append("the next write does not mend it")
    return wrong, seconds


def _told(frame: pd.DataFrame) -> dict[str, str]:
    return dict(zip(frame["order_ref"], frame["state"], strict=True))


def _plain(root: Path) -> dict[str, str]:
    frames = [pd.read_parquet(path) for path in (root / "orders").glob("*.parquet")]
    return _told(pd.concat(frames)) if frames else {}


def _each_once(root: Path, what: str) -> bool:
    paths = [*(root / "orders").rglob("*.parquet")]
    found = pd.concat([pd.read_parquet(path, partitioning=None) for path in paths]) if paths else pd.DataFrame()
    return (len(found) == 3 * ORDERS and bool(found["order_ref"].is_unique)) or (what == "arranged" and not paths)


def _old_or_new(root: Path, what: str) -> bool:
    states = Snapshots(root).table("orders")["state"].value_counts().to_dict()
    return states == {"paid": 3 * ORDERS} or (what != "arranged" and states == {"shipped": 2 * ORDERS, "paid": ORDERS})


def _whole(root: Path, _: str) -> bool:
    return all(verify_snapshot(root, one.snapshot_id) for one in list_snapshots(root))


PROMISES: dict[str, Callable[[Path, str], bool]] = {
    "a plain read has an order twice or not at all": _each_once,
    "our reader has neither the old state nor the new": _old_or_new,
    "a snapshot is not whole": _whole,
}
