"""The Taobao operations."""

from sandbox.taobao import (
    after_sale,
    cart,
    discovery,
    old_orders,
    orders,
    products,
    tracking,
)

GROUPS = (
    products.operations,
    discovery.operations,
    orders.operations,
    old_orders.operations,
    tracking.operations,
    after_sale.operations,
    cart.operations,
)
