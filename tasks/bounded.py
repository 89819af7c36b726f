"""The earlier name of `connectors.concurrently`."""

from connectors.concurrently import concurrently as each

__all__ = ["each"]
