"""The table of rows that were rejected from the other tables."""

from __future__ import annotations

from connectors.snapshots.tables.columns import COUNT, ID, TEXT, Column
from connectors.snapshots.tables.table import table

REJECTED_ROWS = table(
    "rejected_rows",
    "table_name,row_key,number",
    "One row a row that can't be right: it breaks a rule, and stands here instead of in its own table. A snapshot that "
    "rejects nothing has no file of it. What was rejected stays here after its cause is mended, unless its very "
    "snapshot is written again.",
    {
        "table_name": Column(
            ID, "The table that the row is left out of.", source="the check of the snapshot", example="order_lines"
        ),
        "row_key": Column(
            ID,
            "The row's key in that table, its parts joined with commas.",
            source="the rejected row",
            example="R-1001,2",
        ),
        "number": Column(
            COUNT,
            "Which of the rejected rows of this table and key it is, from 1: several rows may claim one key.",
            source="the check of the snapshot",
            example=1,
            unit="place, from 1",
        ),
        "rule": Column(
            ID,
            "The first rule that it breaks: value (a column can't hold it), key (another row has that key), amount "
            "(below zero), currency (an amount of none), quantity (too small), state (an unknown word) or "
            "reference (what it belongs to is nowhere).",
            source="the check of the snapshot",
            example="quantity",
        ),
        "message": Column(
            ID,
            "What is wrong, for each rule that it breaks.",
            source="the check of the snapshot",
            example="quantity is 0, and must be 1 or more",
        ),
        "order_ref": Column(
            TEXT,
            "The order that the row belongs to.",
            source="the rejected row",
            example="R-1001",
            null="the row is of no order, as an offer is",
        ),
        "row": Column(
            ID,
            "The row itself as JSON, without its personal columns.",
            source="the rejected row",
            example='{"order_ref": "R-1001", "line_no": 2, "quantity": 0}',
        ),
    },
)
