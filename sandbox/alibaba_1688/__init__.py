"""The 1688 operations."""

from sandbox.alibaba_1688 import (
    after_sale,
    batches,
    cart,
    discovery,
    orders,
    products,
    tracking,
)

GROUPS = (
    products.operations,
    discovery.operations,
    orders.operations,
    batches.operations,
    tracking.operations,
    after_sale.operations,
    cart.operations,
)
