"""What every snapshot table promises."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest

from connectors.snapshots.rows import to_arrow
from connectors.snapshots.tables import TABLES, Table
from connectors.snapshots.tables.table import MOMENT, VOLUME_PRICES, WHOLE

ALL = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))


def test_the_tables_and_their_keys() -> None:
    assert {table.name: table.key for table in TABLES.values()} == {
        "requests": ("order_ref", "line_no"),
        "offers": ("marketplace", "item_id", "sku_id"),
        "quotes": ("order_ref",),
        "orders": ("order_ref",),
        "order_lines": ("order_ref", "line_no"),
        "payments": ("order_ref", "order_id"),
        "freight_quotes": ("order_ref", "service_id"),
        "shipments": ("order_ref", "shipment_order_id"),
        "shipment_items": ("order_ref", "tracking_number", "item_id", "sku_id"),
        "tracking_events": ("order_ref", "tracking_number", "sequence"),
        "refunds": ("order_ref", "refund_key"),
        "outcomes": ("order_ref",),
        "candidates": ("order_ref", "line_no", "place"),
        "reconciliation": ("kind", "marketplace", "order_ref", "order_id"),
        "landed_costs": ("order_ref", "line_no"),
    }


@ALL
def test_a_table_carries_its_name_and_key(table: Table) -> None:
    assert table.schema.metadata == {
        b"table": table.name.encode(),
        b"key": ",".join(table.key).encode(),
        b"description": table.words.encode(),
    }


@ALL
def test_every_row_tells_its_snapshot_and_batch(table: Table) -> None:
    assert table.schema.field("snapshot_id") == pa.field(
        "snapshot_id", pa.string(), nullable=False
    )
    assert table.schema.field("snapshot_at") == pa.field(
        "snapshot_at", pa.timestamp("us", tz="UTC"), nullable=False
    )
    assert table.schema.field("batch_id") == pa.field("batch_id", pa.string())


@ALL
def test_amounts_are_whole_never_null_and_beside_a_currency(table: Table) -> None:
    """But for the sums of `landed_costs` that could not be made."""
    amounts = [field for field in table.schema if field.name.endswith("_minor")]
    assert all(field.type == pa.int64() for field in amounts)
    assert not [
        field.name
        for field in amounts
        if field.nullable and not field.name.startswith("landed_")
    ]
    assert not amounts or any(name.endswith("currency") for name in table.schema.names)


@ALL
def test_ids_are_text_and_keys_never_null(table: Table) -> None:
    assert all(
        field.type == pa.string()
        for field in table.schema
        if field.name.endswith("_id")
    )
    assert not any(table.schema.field(column).nullable for column in table.key)


@ALL
def test_no_number_is_a_float(table: Table) -> None:
    assert not any(pa.types.is_floating(field.type) for field in table.schema)


@ALL
def test_a_file_carries_the_words_of_every_column(table: Table) -> None:
    for name, column in table.columns.items():
        told = {
            key.decode(): words.decode()
            for key, words in table.schema.field(name).metadata.items()
        }
        assert (told["description"], told["source"]) == (column.words, column.source)
        assert (told.get("unit", ""), told.get("null", "")) == (
            column.unit,
            column.null,
        )
        assert (told["example"], "personal" in told) == (
            column.shown_example,
            column.personal,
        )
        assert column.words.endswith(".")


@ALL
def test_the_examples_are_a_row_of_the_table(table: Table) -> None:
    row = {name: column.example for name, column in table.columns.items()}
    assert to_arrow(table, [row]).to_pylist() == [row]


def test_the_personal_columns() -> None:
    found = {
        (table.name, name)
        for table in TABLES.values()
        for name, column in table.columns.items()
        if column.personal
    }
    assert found == {
        *(("requests", part) for part in ("state", "city", "zip", "note")),
        ("tracking_events", "description"),
        ("tracking_events", "place"),
        ("refunds", "description"),
    }


@ALL
def test_no_column_lacks_what_its_reader_needs(table: Table) -> None:
    for name, column in table.columns.items():
        told = [column.words, column.source, column.shown_example]
        told += [column.unit] if column.dtype in (WHOLE, MOMENT, VOLUME_PRICES) else []
        assert all(told), name
        assert column.example is not None, name
    assert table.words.endswith(".")


def test_arrow_gives_back_what_it_frees() -> None:
    """What its threads read too: they have the pool that Arrow was loaded with."""
    told = (
        "import connectors, pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", told], capture_output=True, text=True, check=True
        ).stdout
        == "system\n"
    )
