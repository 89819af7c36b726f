"""The tables in DuckDB, without us: `python -m examples.with_duckdb [SNAPSHOTS]`.

A folder holds history: the newest row of each key is the current one. `sourcing sql` has views that do this.
"""

from __future__ import annotations

import sys

import duckdb

SPEND = """
WITH orders AS (
    FROM read_parquet(getvariable('orders'), union_by_name = true, hive_partitioning = false)
    QUALIFY row_number() OVER (PARTITION BY order_ref ORDER BY snapshot_at DESC, snapshot_id DESC) = 1
)
SELECT marketplace, currency, count(*) AS orders, sum(paid_minor)::BIGINT AS paid_minor
FROM orders GROUP BY ALL ORDER BY paid_minor DESC
"""


def main(root: str = "data/snapshots") -> None:
    """Spend by marketplace."""
    with duckdb.connect() as connection:
        connection.execute("SET VARIABLE orders = ?", [f"{root}/orders/*/*.parquet"])
        for marketplace, currency, orders, paid_minor in connection.execute(SPEND).fetchall():
            print(f"{marketplace}: {orders} orders, {paid_minor} minor units of {currency}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
