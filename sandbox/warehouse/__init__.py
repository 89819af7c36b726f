"""The warehouse and its international freight."""

from sandbox.warehouse.logistics import operations

__all__ = ["operations"]
