"""The tables as of a time, and what changed between two: DuckDB macros beside each table's view."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa

from connectors.snapshots.manifests import Manifest
from connectors.snapshots.tables import ENVELOPE, Table
from connectors.snapshots.tables.table import MOMENT, TEXT, TEXTS, TIME

MOMENTS = {"seen_at", "quoted_at", "updated_at"}
"""Times of a reading or of another change: a difference in these alone is no change."""

NO_MOMENT = re.compile(r"there is no snapshot .{0,100}; give the id of one, or a time \(UTC if it names no zone\)")
MOMENT_OF = """
CREATE TEMP MACRO moment_of(moment) AS coalesce(
    (SELECT written_at FROM snapshots WHERE snapshot_id = moment::VARCHAR),
    TRY_CAST(moment AS TIMESTAMPTZ),
    error('there is no snapshot ' || moment::VARCHAR || '; give the id of one, or a time (UTC if it names no zone)')
)
"""


def snapshots_table(manifests: Sequence[Manifest]) -> pa.Table:
    """One row per snapshot, for SQL: when it was first and last written, and its number of rows."""
    rows = [
        {
            "snapshot_id": manifest.snapshot_id,
            "batch_id": manifest.batch_id,
            "first_written_at": manifest.first_written_at or manifest.written_at,
            "written_at": manifest.written_at,
            "tables": [file.table for file in manifest.files],
            "rows": sum(file.rows for file in manifest.files),
        }
        for manifest in manifests
    ]
    kinds = {"snapshot_id": TEXT, "batch_id": TEXT, "first_written_at": MOMENT, "written_at": MOMENT, "tables": TEXTS}
    fields = [pa.field(name, kind) for name, (kind, _) in kinds.items()]
    return pa.Table.from_pylist(rows, pa.schema([*fields, pa.field("rows", pa.int64())]))


def facts_of(table: Table) -> list[str]:
    """The columns that are compared for changes."""
    return [name for name in table.columns if name not in (*table.key, *ENVELOPE)]


def changes_schema(table: Table) -> pa.Schema:
    """The schema of `<table>_changes`."""
    first = {name: table.schema.field(name).type for name in table.key}
    facts = {name: table.schema.field(name).type for name in facts_of(table)}
    before = {f"was_{name}": kind for name, kind in facts.items()}
    marks = {"change": TEXT[0], **first, "columns": TEXTS[0]}
    ends = {name: kind for name, (kind, _) in (("snapshot_id", TEXT), ("snapshot_at", TIME), ("was_at", TIME))}
    return pa.schema([pa.field(name, kind) for name, kind in (marks | facts | before | ends).items()])


def macros_of(table: Table) -> tuple[str, str]:
    """`<table>_at(moment)`: the newest row of each key as of then. `<table>_changes(since, until)`: a row for each key
    that is `new` or `changed` between the two, with its old values; `rewritten` if its snapshot was replaced since, so
    that these are not known. Without `since` all rows are new.
    """
    return _at(table), _changes(table)


def _at(table: Table) -> str:
    until = """moment IS NULL OR snapshot_at < moment_of(moment) OR (snapshot_at = moment_of(moment) AND snapshot_id <=
    coalesce((SELECT s.snapshot_id FROM snapshots s WHERE s.snapshot_id = moment::VARCHAR), snapshot_id))"""
    return f"CREATE TEMP MACRO {table.name}_at(moment) AS TABLE {table.newest(f'{table.name}_history', until)}"


def _changes(table: Table) -> str:
    facts = facts_of(table)
    compared = [name for name in facts if name not in MOMENTS]
    moved = ", ".join(f"CASE WHEN now.{name} IS DISTINCT FROM was.{name} THEN '{name}' END" for name in compared)
    rewritten = "held.first_written_at <= moment_of(since)"
    if "created_at" in facts:  # then the row itself says whether it existed
        rewritten += " AND now.created_at <= moment_of(since)"
    return f"""
CREATE TEMP MACRO {table.name}_changes(since := NULL, until := NULL) AS TABLE
WITH was AS (SELECT * FROM {table.name}_at(since) WHERE since IS NOT NULL),
now AS (SELECT * FROM {table.name}_at(until)),
both_of AS (
    SELECT
        CASE WHEN was.snapshot_id IS NOT NULL THEN 'changed'
             WHEN since IS NOT NULL AND {rewritten} THEN 'rewritten' ELSE 'new' END AS change,
        {", ".join(f"now.{name}" for name in table.key)},
        CASE WHEN was.snapshot_id IS NULL THEN []::VARCHAR[]
             ELSE list_filter([{moved}]::VARCHAR[], lambda name: name IS NOT NULL) END AS columns,
        {", ".join(f"now.{name}" for name in facts)},
        {", ".join(f"was.{name} AS was_{name}" for name in facts)},
        now.snapshot_id, now.snapshot_at, was.snapshot_at AS was_at
    FROM now LEFT JOIN was USING ({", ".join(table.key)}) LEFT JOIN snapshots held ON held.snapshot_id = now.snapshot_id
)
SELECT * FROM both_of WHERE change <> 'changed' OR len(columns) > 0
"""


AGO = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def moment_of(text: str, now: datetime, timezone: str) -> datetime | str:
    """The moment that a text means, without a zone of its own in `timezone`; what is no time is a snapshot's id."""
    if ago := re.fullmatch(r"(\d{1,4})([hdw])", text):
        return now - int(ago[1]) * AGO[ago[2]]
    here = now.astimezone(ZoneInfo(timezone))
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        last = datetime.fromisoformat(f"{here:%Y-%m-%d} {text}").replace(tzinfo=here.tzinfo)
        return last if last <= here else last - timedelta(days=1)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo else moment.replace(tzinfo=here.tzinfo)
