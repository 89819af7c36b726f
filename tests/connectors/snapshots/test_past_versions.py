"""Snapshots written by earlier versions of this program, as they are in `past`, and by
a later one: all still read.

`first` to `eighth` were written by the code of their time, a row of the columns'
examples in each file: the first tables; `offers` in version 2 and the after-sale
tables; `reconciliation`; the last files without words in their schema; the tables of
callbacks before their codes; `orders` in version 2; `orders` and `requests` before
shops; `orders` before the number of its lines.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from connectors.snapshots import Snapshots
from connectors.snapshots.manifests import list_snapshots, verify_snapshot
from connectors.snapshots.reader import sql
from connectors.snapshots.tables import TABLES, Table
from connectors.snapshots.tables.table import TEXT, Column
from tests.connectors.snapshots.sample import order, write

PAST = Path(__file__).parent / "past"
WRITTEN = [
    (file.table, file.schema_version, one.snapshot_id)
    for one in list_snapshots(PAST)
    for file in one.files
]
SINCE = {
    ("offers", 1): {
        "image_urls",
        "category_id",
        "category_name",
        "volume_prices",
        "seen_at",
    },
    ("orders", 1): {"reason_code", "warehouse", "shop", "shop_ref", "line_count"},
    ("orders", 2): {"warehouse", "shop", "shop_ref", "line_count"},
    ("orders", 3): {"shop", "shop_ref", "line_count"},
    ("orders", 4): {"line_count"},
    ("requests", 1): {"own_sku"},
    ("requests", 2): {"own_sku"},
    ("outcomes", 1): {"reason_code"},
    ("shipments", 1): {"parcel_reported_at"},
}


GONE = {
    ("requests", 1): {"receiver_name", "receiver_phone", "receiver_email", "address"}
}


def test_a_file_of_every_past_version_is_kept() -> None:
    past = {
        (table.name, version)
        for table in TABLES.values()
        for version in range(1, table.version)
    }
    assert past <= {(name, version) for name, version, _ in WRITTEN}
    for snapshot in list_snapshots(PAST):
        verify_snapshot(PAST, snapshot.snapshot_id)


@pytest.mark.parametrize(("name", "version", "snapshot_id"), WRITTEN)
def test_old_rows_read_as_they_were_written(
    name: str, version: int, snapshot_id: str
) -> None:
    (file,) = PAST.glob(f"{name}/*/{snapshot_id}.parquet")
    (written,) = parquet.ParquetFile(file).read().to_pylist()
    assert written.keys() - TABLES[name].columns.keys() == GONE.get(
        (name, version), set()
    )
    told = {column: written.get(column) for column in TABLES[name].columns}
    assert told.keys() - written.keys() == SINCE.get((name, version), set())
    rows = sql(
        PAST, f"SELECT * FROM {name}_history WHERE snapshot_id = '{snapshot_id}'"
    ).rows
    assert rows == (tuple(told.values()),)
    frame = Snapshots(PAST).history(name, where=[("snapshot_id", "==", snapshot_id)])
    assert pa.Table.from_pandas(frame).to_pylist() == [told]


def test_old_and_new_files_read_together() -> None:
    newest = sql(
        PAST,
        "SELECT item_id, category_name, price_minor, seen_at::VARCHAR FROM offers ORDER BY item_id",
    ).rows
    seen = "2026-11-02 03:04:02+00"
    assert newest == (
        ("730254020321", None, 2910, None),
        ("730254020322", "玩具", 2910, seen),
        ("730254020324", "玩具", 2910, seen),
    )
    assert sql(PAST, "SELECT order_ref FROM orders ORDER BY ALL").rows == (
        ("FIRST-1",),
        ("FOURTH-1",),
        ("US-1001",),
    )


def test_files_of_a_later_version_read_without_what_is_not_known_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside files of this version, whose columns have other words."""
    mood = Column(TEXT, "How it went.", "a later version", "well", null="nobody said")
    other_words = {
        name: replace(column, words="Other words.")
        for name, column in TABLES["orders"].columns.items()
    }
    later = Table(
        "orders", ("order_ref",), "Orders.", {**other_words, "mood": mood}, version=9
    )
    with monkeypatch.context() as patch:
        patch.setitem(TABLES, "orders", later)
        write(tmp_path, orders=[order(mood="well")])
    write(tmp_path, "batch-2", orders=[order("A-2")])
    asked = "SELECT order_ref, paid_minor FROM orders ORDER BY order_ref"
    assert sql(tmp_path, asked).rows == (("A-1", 1990), ("A-2", 1990))
    frame = Snapshots(tmp_path).table("orders")
    assert (list(frame.columns), len(frame)) == (TABLES["orders"].schema.names, 2)
