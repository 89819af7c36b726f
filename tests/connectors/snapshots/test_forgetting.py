"""A receiver is erased from all snapshots, and each is whole at every moment of it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from connectors.snapshots import Snapshots, rewriting
from connectors.snapshots.manifests import (
    SnapshotDamaged,
    list_snapshots,
    verify_snapshot,
)
from connectors.snapshots.rewriting import erase_snapshots, has_order
from domain.forgetting import Mentions
from tests.connectors.snapshots.sample import AT, DAY, order, prune, write
from tests.connectors.snapshots.test_crashes import REPOSITORY, Killed, killed_at

WHO = {
    "name": "王小明",
    "phone": "5085550199",
    "email": "q@zylber.example",
    "city": "Xenopolis",
    "zip": "97999",
}
MENTIONS = Mentions.of([{**WHO, "address": "77 Quixote Lane", "state": "Oregonia"}])
PARTS = ("王小明", "5085550199", "zylber", "Xenopolis", "97999", "Quixote", "Oregonia")
OTHER_DAY = date(2026, 1, 5)


def request(order_ref: str, **changes: object) -> dict[str, object]:
    line = {
        "order_ref": order_ref,
        "line_no": 1,
        "file_row": 2,
        "marketplace": "1688",
        "item": "1",
        "quantity": 1,
    }
    place = {"country": "US", "state": "Oregonia", "city": "Xenopolis", "zip": "97999"}
    return (
        line
        | {"max_unit_price_minor": 1, "currency": "CNY"}
        | place
        | {"note": "for 王小明"}
        | changes
    )


def ann(order_ref: str) -> dict[str, object]:
    return request(order_ref, note="", state="", city="Berlin", zip="10115")


def scan(**changes: object) -> dict[str, object]:
    row = {
        "order_ref": "A-1",
        "tracking_number": "T",
        "sequence": 1,
        "occurred_at": AT,
        "status": "SIGN",
    }
    return row | {"description": "Signed by 王小明", "place": "Xenopolis"} | changes


def write_all(root: Path) -> None:
    """Three snapshots: two know the order, of different days, and one does not."""
    orders = [order("A-1", reason="held: 王小明 of Xenopolis"), order("A-2")]
    write(root, orders=orders, requests=[request("A-1"), ann("A-2")])
    write(
        root,
        "tracking-1",
        day=OTHER_DAY,
        at=AT + timedelta(days=3),
        tracking_events=[scan()],
    )
    write(root, "others", orders=[order("A-3")], requests=[ann("A-3")])


def told(root: Path) -> str:
    """All that stands in any Parquet file below the root, also in those that no
    manifest names.
    """
    files = [path for path in root.rglob("*") if path.suffix in (".parquet", ".new")]
    return repr([pq.read_table(path, partitioning=None).to_pylist() for path in files])


def test_every_snapshot_is_erased_and_says_all_else_as_before(tmp_path: Path) -> None:
    """Ids, times and other orders stay; a snapshot without the order is not touched."""
    write_all(tmp_path)
    before = {one.snapshot_id: one for one in list_snapshots(tmp_path)}
    assert erase_snapshots(tmp_path, {"A-1": MENTIONS}) == ["batch-1", "tracking-1"]
    assert not [part for part in PARTS if part in told(tmp_path)]
    after = {
        one.snapshot_id: verify_snapshot(tmp_path, one.snapshot_id)
        for one in list_snapshots(tmp_path)
    }
    assert after["others"] == before["others"]
    assert [(one.date, one.written_at, one.batch_id) for one in after.values()] == [
        (one.date, one.written_at, one.batch_id) for one in before.values()
    ]
    requests = Snapshots(tmp_path).table("requests").set_index("order_ref").T.to_dict()
    assert [requests["A-1"][name] for name in ("city", "country", "zip", "item")] == [
        "",
        "US",
        "",
        "1",
    ]
    assert requests["A-2"]["city"] == "Berlin"
    orders = Snapshots(tmp_path).table("orders").set_index("order_ref").T.to_dict()
    assert orders["A-1"]["reason"] == "held: [forgotten] of [forgotten]"
    assert erase_snapshots(tmp_path, {"A-1": MENTIONS}) == []


def test_several_orders_are_erased_at_once(tmp_path: Path) -> None:
    """Each of its own receiver; and which orders any snapshot has."""
    write_all(tmp_path)
    erased = erase_snapshots(
        tmp_path,
        {"A-1": MENTIONS, "A-3": Mentions.of([{"name": "Ann", "city": "Berlin"}])},
    )
    assert erased == ["batch-1", "others", "tracking-1"]
    requests = Snapshots(tmp_path).table("requests").set_index("order_ref").T.to_dict()
    assert [requests[ref]["city"] for ref in ("A-1", "A-2", "A-3")] == [
        "",
        "Berlin",
        "",
    ]
    assert [has_order(tmp_path, ref) for ref in ("A-1", "A-3", "A-9")] == [
        True,
        True,
        False,
    ]


def test_what_is_pruned_or_replaced_meanwhile_is_erased_where_it_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all(tmp_path)
    manifests = list_snapshots(tmp_path)
    write(tmp_path, requests=[request("A-1"), ann("A-2"), ann("A-8")])
    listed = [manifests]
    monkeypatch.setattr(
        rewriting,
        "list_snapshots",
        lambda root: listed.pop() if listed else list_snapshots(root),
    )
    assert has_order(tmp_path, "A-1")
    prune(tmp_path, AT + timedelta(days=1))
    listed.append(manifests)
    assert erase_snapshots(tmp_path, {"A-1": MENTIONS}) == [
        f"pruned-{AT + timedelta(days=1):%Y%m%dT%H%M%S%f}"
    ]
    assert not [part for part in PARTS if part in told(tmp_path)]


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    """It may have the receiver: to pass over it would be a silent no."""
    for table in ("requests", "orders"):
        write_all(tmp_path)
        path = tmp_path / f"_history/{table}/date={DAY}/batch-1.parquet"
        path.write_bytes(path.read_bytes()[:-8] + b"damaged!")
        with pytest.raises(
            SnapshotDamaged,
            match=r"of snapshot batch-1 can't be read .*sourcing snapshot rebuild",
        ):
            has_order(tmp_path, "A-9") if table == "requests" else erase_snapshots(
                tmp_path, {"A-1": MENTIONS}
            )


def dies(root: Path, step: int) -> bool:
    try:
        with killed_at(step):
            erase_snapshots(root, {"A-1": MENTIONS})
    except Killed:
        return True
    return False


@pytest.mark.endurance
def test_a_strike_that_dies_anywhere_leaves_whole_snapshots_and_the_second_finishes(
    tmp_path: Path,
) -> None:
    """Before every fifth of all renames, links, syncs and removals."""
    for step in count(0, 5):
        root = tmp_path / str(step)
        write_all(root)
        survived = not dies(root, step)
        assert [verify_snapshot(root, one.snapshot_id) for one in list_snapshots(root)]
        assert len(Snapshots(root).table("requests")) == 3
        erase_snapshots(root, {"A-1": MENTIONS})
        assert not [part for part in PARTS if part in told(root)]
        assert not list((root / "_work").glob("[!.]*"))
        assert [verify_snapshot(root, one.snapshot_id) for one in list_snapshots(root)]
        if survived:
            assert step > 20
            break


@pytest.mark.parametrize(
    "first_had_it", [True, pytest.param(False, marks=pytest.mark.endurance)]
)
def test_a_run_that_died_while_it_replaced_a_snapshot_hides_nothing(
    tmp_path: Path, *, first_had_it: bool
) -> None:
    """What it had put in place, staged or kept aside goes too, and the snapshot that
    counted still does.
    """
    for step in count(0, 3):
        root = tmp_path / str(step)
        write(
            root,
            orders=[order("A-2")],
            requests=[request("A-1") if first_had_it else ann("A-2")],
        )
        try:
            with killed_at(step):
                write(
                    root,
                    orders=[order("A-1"), order("A-2")],
                    requests=[request("A-1"), ann("A-2")],
                )
        except Killed:
            erase_snapshots(root, {"A-1": MENTIONS})
            assert not [part for part in PARTS if part in told(root)]
            assert [
                verify_snapshot(root, one.snapshot_id) for one in list_snapshots(root)
            ]
            continue
        break


SCRIPT = """
import sys
from pathlib import Path
from connectors.snapshots.rewriting import erase_snapshots
from tests.connectors.snapshots.test_forgetting import MENTIONS
erase_snapshots(Path(sys.argv[1]), {"A-1": MENTIONS})
"""


def test_a_killed_process_leaves_readable_snapshots(tmp_path: Path) -> None:
    """A real `kill -9` between the files and the manifest."""
    write_all(tmp_path)
    armed = {**os.environ, "SOURCING_CRASH_AT": "before-manifest"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    assert (
        subprocess.run(command, cwd=REPOSITORY, env=armed, check=False).returncode == -9
    )
    assert "for 王小明" in Snapshots(tmp_path).table("requests")["note"].to_list()
    erase_snapshots(tmp_path, {"A-1": MENTIONS})
    assert not [part for part in PARTS if part in told(tmp_path)]
