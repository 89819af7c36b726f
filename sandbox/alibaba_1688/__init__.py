"""The 1688 operations."""

from sandbox.alibaba_1688 import orders, products, tracking

GROUPS = (products.operations, orders.operations, tracking.operations)
