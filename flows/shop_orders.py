"""The flow that reads waiting orders from shops, as request files for the inbox."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect import flow

from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.shops import connected, opened_shop
from connectors.shops.protocol import WaitingLine
from connectors.shops.requests import write_requests
from domain.wording import pluralize
from flows.prefect_ui.expected_errors import rename_run, report_expected_errors, run_logger
from flows.prefect_ui.parameters import BadInput, InboxFolder
from tasks.engine.resources import utc_now


@flow(flow_run_name="orders of shops", persist_result=False)
@report_expected_errors()
async def shop_orders(inbox: InboxFolder = "inbox") -> dict[str, int]:
    """Read the paid orders of which nothing was sent, and lay those that the ledger does not know into the inbox.

    Buys nothing: buy-from-inbox takes the files. Answers how many orders are in the file of each shop.
    """
    settings = SourcingSettings()
    names = connected(settings)
    if not names:
        raise BadInput("no shop is connected: set SOURCING_SHOPIFY or SOURCING_WOOCOMMERCE")
    if not inbox.strip():
        raise BadInput("Inbox: name the folder of request files")
    counts = dict[str, int]()
    for name in names:
        async with opened_shop(settings, name) as shop:
            lines = await shop.waiting()
        counts[name] = await asyncio.to_thread(_write, settings, Path(inbox), name, lines)
        run_logger().info("%s: %s for the inbox", name, pluralize(counts[name], "order"))
    await rename_run(f"orders of shops: {', '.join(f'{name} {count:,}' for name, count in counts.items())}")
    return counts


def _write(settings: SourcingSettings, inbox: Path, name: str, lines: list[WaitingLine]) -> int:
    with Ledger(settings.ledger_url, clock=utc_now, owner="shop-orders") as ledger:
        return write_requests(ledger, settings.data_dir, inbox, name, lines)
