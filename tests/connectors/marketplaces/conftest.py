"""The servers and clients of the connector's tests."""

from tests.connectors.xportcn.conftest import (
    client,
    live,
    naps,
    no_settings_from_outside,
    sandbox,
    sandbox_process,
    service,
)

__all__ = [
    "client",
    "live",
    "naps",
    "no_settings_from_outside",
    "sandbox",
    "sandbox_process",
    "service",
]
