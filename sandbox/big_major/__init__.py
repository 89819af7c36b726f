"""The operations of 1688's big sellers (KA)."""

from sandbox.big_major import orders, preview, products, tracking

GROUPS = (
    products.operations,
    preview.operations,
    orders.operations,
    tracking.operations,
)
