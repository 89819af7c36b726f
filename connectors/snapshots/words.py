"""The descriptions of `schemas` for SQL: in the view `dictionary`, and in `DESCRIBE` of a table."""

from __future__ import annotations

import re
from functools import cache

import pyarrow as pa

from connectors.snapshots.schemas import TABLES

DESCRIBE = re.compile(r'\s*(?:describe|desc|show)\s+(?:table\s+)?"?(\w+)"?\s*;?\s*', re.IGNORECASE)


@cache
def words_table() -> pa.Table:
    """One row for each column of every table, in order, as `schemas` describes it; null for empty parts."""
    return pa.Table.from_pylist(
        [
            {
                "table_name": table.name,
                "position": position,
                "column_name": name,
                "description": column.words,
                "unit": column.unit or None,
                "example": column.shown_example,
                "source": column.source,
                "null_when": column.null or None,
                "personal": column.personal,
            }
            for table in TABLES.values()
            for position, (name, column) in enumerate(table.columns.items(), start=1)
        ]
    )


def with_words(query: str) -> str:
    """A `describe` of one table with the descriptions beside DuckDB's columns; any other query unchanged."""
    asked = DESCRIBE.fullmatch(query)
    if asked is None or (name := asked[1].lower().removesuffix("_history")) not in TABLES:
        return query
    return (
        f"SELECT d.*, description, unit, example, personal FROM (DESCRIBE {asked[1]}) d "
        f"JOIN dictionary USING (column_name) WHERE table_name = '{name}' ORDER BY position"
    )
