"""A ledger that has lost orders: an empty one beside traces of purchases, or one that
was restored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from connectors.ledger.engine import LedgerUnusable, shown
from connectors.ledger.marks import StillArriving
from connectors.ledger.records import OrderRecord
from connectors.ledger.send_log import noted
from connectors.snapshots.writer import has_bought_orders
from domain.absence import CLOCKS_APART
from domain.effects import Action, ResolutionKind
from domain.service_orders import ServiceOrder
from tasks.engine.progress import wait_until
from tasks.engine.resources import Resources

log = logging.getLogger("sourcing")


def require_not_lost(resources: Resources) -> None:
    """Raise `LedgerUnusable` when a new ledger would lose budgets, day limits and
    refunds silently.

    Not for one that was restored: that has its own lock until a person confirms it.
    """
    ledger = resources.ledger
    settings = resources.settings
    if not ledger.is_new():
        return
    trace = next(_traces(settings.snapshot_root, resources.send_logs), None)
    if trace and ledger.is_new():  # else another run has just begun with it
        raise LedgerUnusable(
            f"the ledger {shown(ledger.url)} knows no order, but {trace}: it was lost, or another one is meant. "
            "Correct SOURCING_LEDGER_URL, or put a backup back: sourcing ledger restore FILE. If a new one is meant, "
            f"set another SOURCING_DATA_DIR, or move {settings.snapshot_root} and {resources.send_logs} away. "
            "Nothing was sent."
        )


async def wait_until_settled(resources: Resources) -> None:
    """Wait until what was sent before the ledger was restored can arrive no more, as
    long as a run has patience.

    Raises `StillArriving` where that takes longer, and `LedgerUnusable` for a ledger
    that no person has confirmed.
    """
    try:
        await asyncio.to_thread(resources.ledger.marks.require_settled)
    except StillArriving as waits:
        left_s = (waits.until - resources.clock()).total_seconds()
        done_by = resources.done_by
        if left_s > resources.settings.patience_s or (
            done_by and waits.until >= done_by
        ):
            raise
        log.warning("%s: this run waits for it", waits)
        await wait_until(waits.until, resources.clock)


async def maybe_booked(
    resources: Resources, orders: Mapping[str, OrderRecord]
) -> dict[str, str]:
    """Why not to book some of these: the ledger was restored, and may lack a booking.

    Not those that it has paid since, for only a paid order is booked; nor those that a
    person has since answered for as not booked.
    """
    if (since := await asyncio.to_thread(resources.ledger.marks.restored_at)) is None:
        return {}
    effects = await resources.group_commit.effects_of(orders)
    paid = {
        effect.order_ref
        for effect in effects
        if effect.action is Action.PAY and effect.intent_at > since
    }
    return await _not_denied(
        resources, orders.keys() - paid, since, "booked", ResolutionKind.NOT_BOOKED
    )


async def maybe_paid(
    resources: Resources, service_orders: Mapping[str, ServiceOrder]
) -> dict[str, str]:
    """Why not to pay some of these: the ledger was restored, and may lack a payment
    that shows only hours later.

    Not those that the service shows as created since, nor those that a person has since
    answered for as not paid. That this ledger has created an order proves less: the
    service may have answered with one that was there.
    """
    if (since := await asyncio.to_thread(resources.ledger.marks.restored_at)) is None:
        return {}
    new = {
        ref
        for ref, service_order in service_orders.items()
        if service_order.created_at and service_order.created_at > since + CLOCKS_APART
    }
    return await _not_denied(
        resources, service_orders.keys() - new, since, "paid", ResolutionKind.NOT_PAID
    )


async def _not_denied(
    resources: Resources,
    doubtful: Collection[str],
    since: datetime,
    done: str,
    denial: ResolutionKind,
) -> dict[str, str]:
    """Those for which a person has not said since the ledger was put back that it was
    not done.
    """
    answers = resources.ledger.resolutions
    answers_of = {
        ref: await asyncio.to_thread(answers.of_order, ref) for ref in doubtful
    }
    newer = {
        ref: {answer["answer"] for answer in answers_of[ref] if answer["at"] > since}
        for ref in doubtful
    }
    at = f"{since:%Y-%m-%d %H:%M:%S} UTC"
    message = f"nothing was sent, since the ledger was put back at {at}, and it may have been {done} before"
    return {ref: message for ref in doubtful if denial not in newer[ref]}


def _traces(snapshots: Path, send_logs: Path) -> Iterator[str]:
    if has_bought_orders(snapshots):
        yield f"the tables in {snapshots} tell of orders that were bought"
    if any(noted(send_logs)):
        yield f"{send_logs} tells of something that was sent"
