"""The tables in Polars, without us: `python -m examples.with_polars [SNAPSHOTS]`; `pip
install polars` first.
"""

from __future__ import annotations

import sys

import polars as pl


def main(root: str = "data/snapshots") -> None:
    """Spend by marketplace."""
    orders = pl.scan_parquet(
        f"{root}/orders/*/*.parquet", missing_columns="insert", extra_columns="ignore"
    )
    spend = orders.group_by("marketplace", "currency").agg(
        pl.len().alias("orders"), pl.col("paid_minor").sum()
    )
    for row in (
        spend.sort("paid_minor", descending=True).collect().iter_rows(named=True)
    ):
        print(
            f"{row['marketplace']}: {row['orders']} orders, {row['paid_minor']} minor units of {row['currency']}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:2])
