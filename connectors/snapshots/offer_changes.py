"""Compares freshly fetched offers with those of the snapshots, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa

from connectors.snapshots.files import history_files
from connectors.snapshots.sources import WORK_MB, connected, rows_in
from connectors.snapshots.tables import ENVELOPE, OFFERS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH_ROWS = 50_000
GONE = ""  # the sku_id of a fetched item that is no longer there
KEY = ", ".join(OFFERS.key)
FACTS = [
    name
    for name in OFFERS.schema.names
    if name not in (*OFFERS.key, *ENVELOPE, "seen_at")
]
FRESH, KNOWN = (
    f"({', '.join(f'{side}.{name}' for name in FACTS)})" for side in ("fresh", "known")
)

CHANGES = f"""
CREATE TEMP TABLE changes AS
WITH fresh AS (
    SELECT * FROM fetched WHERE sku_id <> '{GONE}'
    QUALIFY row_number() OVER (PARTITION BY {KEY} ORDER BY snapshot_at DESC) = 1
), items AS (
    SELECT marketplace, item_id, max(snapshot_at) AS fetched_at FROM fetched GROUP BY ALL
), known AS (
    {OFFERS.newest("snapshots")}
)
SELECT 'new' AS kind, fresh.* FROM fresh ANTI JOIN known USING ({KEY})
UNION ALL BY NAME
SELECT 'changed' AS kind, fresh.* FROM fresh JOIN known USING ({KEY})
    WHERE {FRESH} IS DISTINCT FROM {KNOWN} AND fresh.snapshot_at >= known.snapshot_at
UNION ALL BY NAME
SELECT 'unchanged' AS kind, fresh.* FROM fresh JOIN known USING ({KEY})
    WHERE $full AND {FRESH} IS NOT DISTINCT FROM {KNOWN}
UNION ALL BY NAME
SELECT 'gone' AS kind,
    known.* REPLACE (false AS active, 0 AS stock, fetched_at AS seen_at, fetched_at AS snapshot_at)
    FROM known JOIN items USING (marketplace, item_id) ANTI JOIN fresh USING ({KEY})
    WHERE (known.active OR known.stock > 0) AND fetched_at >= known.snapshot_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferChanges:
    """How many SKUs were fetched, and the rows to write: new, changed, gone (and, if
    asked for, unchanged).
    """

    fetched: int
    new: int
    changed: int
    gone: int
    rows: pa.RecordBatchReader

    @property
    def unchanged(self) -> int:
        return self.fetched - self.new - self.changed


@contextmanager
def offer_changes(
    root: Path, fetched: pa.Table, *, snapshot_id: str, full: bool
) -> Iterator[OfferChanges]:
    """Compare fetched offers with the newest rows of the snapshots below `root`.

    `fetched` is in the schema of the table `offers`; an item whose only row has the SKU
    id `GONE` no longer exists. SKUs that a fetched item no longer has become
    inactive rows without stock. With `full`, unchanged SKUs are among the rows too.
    Every row is of the snapshot `snapshot_id`, and of the moment at which its item was
    fetched; what the snapshots have seen of it since stays.
    """
    with (
        TemporaryDirectory() as work,
        connected(memory_mb=WORK_MB, work=Path(work)) as connection,
    ):
        connection.register("fetched", fetched)
        connection.register(
            "snapshots",
            rows_in(history_files(root, OFFERS.name), OFFERS),
        )
        connection.execute(CHANGES, {"full": full})
        counts = dict(
            connection.execute(
                "SELECT kind, count(*) FROM changes GROUP BY kind"
            ).fetchall()
        )
        query = f"SELECT count(*) FROM (SELECT DISTINCT {KEY} FROM fetched WHERE sku_id <> '{GONE}')"
        ((fetched_skus,),) = connection.execute(query).fetchall()
        yield OfferChanges(
            fetched=fetched_skus,
            new=counts.get("new", 0),
            changed=counts.get("changed", 0),
            gone=counts.get("gone", 0),
            rows=_rows(connection, snapshot_id),
        )


def _rows(connection: DuckDBPyConnection, snapshot_id: str) -> pa.RecordBatchReader:
    """The rows sorted by key, in exactly the table's schema."""
    query = (
        "SELECT * EXCLUDE (kind) REPLACE ($snapshot_id AS snapshot_id, NULL::VARCHAR AS batch_id) "
        f"FROM changes ORDER BY {KEY}"
    )
    answer: pa.RecordBatchReader = connection.sql(
        query, params={"snapshot_id": snapshot_id}
    ).to_arrow_reader(BATCH_ROWS)
    batches = (
        batch
        for row in answer
        for batch in pa.Table.from_batches([row])
        .select(OFFERS.schema.names)
        .cast(OFFERS.schema)
        .to_batches()
    )
    return pa.RecordBatchReader.from_batches(OFFERS.schema, batches)
