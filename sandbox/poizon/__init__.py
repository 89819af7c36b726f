"""The Poizon (Dewu) operations."""

from sandbox.poizon import create, orders, preview, products

GROUPS = (products.operations, preview.operations, create.operations, orders.operations)
