"""The tables in pandas: `python -m examples.with_pandas [SNAPSHOTS]`."""

from __future__ import annotations

import sys

from connectors.snapshots import Snapshots


def main(root: str = "data/snapshots") -> None:
    """Spend by marketplace, what lowers it, and the orders that wait for somebody."""
    snapshots = Snapshots(root)
    paid = snapshots.table(
        "orders", columns=["marketplace", "state", "paid_minor", "currency"]
    )
    spend = paid.groupby(["marketplace", "currency"])["paid_minor"].agg(
        ["count", "sum"]
    )
    print(spend.sort_values("sum", ascending=False).to_string())

    waiting = snapshots.table(
        "orders", columns=["order_ref", "reason"], where=[("state", "==", "held")]
    )
    for order in waiting.itertuples():
        print(f"{order.order_ref} is held: {order.reason}")

    offers = snapshots.history(
        "offers", columns=["marketplace", "item_id", "sku_id", "price_minor"]
    )
    range_of = offers.groupby(["marketplace", "item_id", "sku_id"])["price_minor"].agg(
        ["min", "max"]
    )
    print(
        f"{(range_of['min'] < range_of['max']).sum()} of {len(range_of)} SKUs have had more than one price"
    )


if __name__ == "__main__":
    main(*sys.argv[1:2])
