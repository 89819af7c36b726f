"""The tables in DuckDB, without us: `python -m examples.with_duckdb [SNAPSHOTS]`."""

from __future__ import annotations

import sys

import duckdb

SPEND = """
SELECT marketplace, currency, count(*) AS orders, sum(paid_minor)::BIGINT AS paid_minor
FROM read_parquet(getvariable('orders'), union_by_name = true) GROUP BY ALL ORDER BY paid_minor DESC
"""


def main(root: str = "data/snapshots") -> None:
    """Spend by marketplace."""
    with duckdb.connect() as connection:
        connection.execute("SET VARIABLE orders = ?", [f"{root}/orders/*/*.parquet"])
        for marketplace, currency, orders, paid_minor in connection.execute(
            SPEND
        ).fetchall():
            print(
                f"{marketplace}: {orders} orders, {paid_minor} minor units of {currency}"
            )


if __name__ == "__main__":
    main(*sys.argv[1:2])
