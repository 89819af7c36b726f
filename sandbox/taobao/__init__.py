"""The Taobao operations."""

from sandbox.taobao import orders, products, tracking

GROUPS = (products.operations, orders.operations, tracking.operations)
