"""The tables in Polars, without us: `python -m examples.with_polars [SNAPSHOTS]`; `pip install polars` first.

A folder holds history: the newest row of each key is the current one.
"""

from __future__ import annotations

import sys

import polars as pl


def main(root: str = "data/snapshots") -> None:
    """Spend by marketplace."""
    history = pl.scan_parquet(f"{root}/orders/*/*.parquet", missing_columns="insert", extra_columns="ignore")
    orders = history.sort("snapshot_at", "snapshot_id").unique("order_ref", keep="last")
    spend = orders.group_by("marketplace", "currency").agg(pl.len().alias("orders"), pl.col("paid_minor").sum())
    for row in spend.sort("paid_minor", descending=True).collect().iter_rows(named=True):
        print(f"{row['marketplace']}: {row['orders']} orders, {row['paid_minor']} minor units of {row['currency']}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
