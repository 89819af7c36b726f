"""What every flow opens before it acts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connectors.settings import SourcingSettings, XportcnSettings
from tasks.lost_ledger import require_not_lost
from tasks.resources import Resources, open_resources


@asynccontextmanager
async def opened(*, concurrency: int = 0, begins_orders: bool = False) -> AsyncIterator[Resources]:
    """Everything a run works with, once one cheap call has told that service, clock and account are well.

    A run that `begins_orders` raises `LedgerUnusable` where a new ledger would have forgotten earlier ones.
    `concurrency` calls go to the service at once; 0: as the settings say.
    """
    async with open_resources(SourcingSettings(), XportcnSettings(), concurrency=concurrency or None) as resources:
        if begins_orders:
            require_not_lost(resources)
        await resources.warehouse()
        yield resources
