"""How a flow tells people who are away: into the ledger's outbox, with a link to the run. It never stops a run."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from prefect.context import FlowRunContext

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.store import Ledger
from connectors.ui_pages import run_page
from domain.messages import Message
from flows.shown.expected_failures import run_logger


async def tell(ledger: Ledger, *told: Message) -> None:
    """Keep messages for sending, each with the link of the present run unless it has one; all in one commit."""
    link = run_link()
    linked = [message if message.link else replace(message, link=link) for message in told]
    try:
        await asyncio.to_thread(ledger.tell, *linked)
    except LedgerUnusable as error:
        run_logger().warning("Nobody is told of this (%s): %s", error, "; ".join(one.subject for one in told))


async def untell(ledger: Ledger, cause: str) -> None:
    """Withdraw what nobody was told yet."""
    try:
        await asyncio.to_thread(ledger.untell, cause)
    except LedgerUnusable as error:
        run_logger().warning("a message could not be withdrawn: %s", error)


def run_link() -> str:
    """Where the present run is shown; empty outside one."""
    context = FlowRunContext.get()
    return run_page(context.flow_run.id) if context and context.flow_run else ""
