"""The operations of Alibaba.com, the international marketplace."""

from sandbox.international import freight, orders, products

GROUPS = (products.operations, freight.operations, orders.operations)
