"""The warehouse and what leaves it: international freight."""

from sandbox.warehouse.logistics import operations

__all__ = ["operations"]
