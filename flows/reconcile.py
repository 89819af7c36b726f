"""One reconciliation: settle what can be settled, compare ledger and service, and the
upkeep of every day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from connectors.foreign import words_of
from connectors.inbox import delete_old
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.records import line_of
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots.files import SnapshotError
from connectors.snapshots.writer import end_history, erase_orders
from connectors.xportcn.errors import ServiceAway, XportcnError
from domain.absence import SEARCH_BACK_DAYS, Reading
from domain.findings import Finding, OrderId, ranked
from domain.holds import by_whom, start_of_day
from domain.marketplace import Marketplace
from domain.service_orders import ServiceOrder
from domain.witnessed import FLAWS, Lack
from flows.batch.chunks import chunks_with_progress
from flows.batch.opening import opened
from flows.notify.news import of_findings
from flows.notify.outbox import enqueue
from flows.prefect_ui import parameters as form
from flows.prefect_ui.board import progress_shown
from flows.prefect_ui.events import EventFeed
from flows.prefect_ui.expected_errors import run_logger, sourcing_flow
from flows.prefect_ui.reconcile_artifact import (
    ReconciliationReport,
    log_and_show,
    summary_of,
)
from flows.prefect_ui.remedy_parameters import AnsweredBy
from tasks.comparison import compare, to_look_up
from tasks.effects.kinds import settle_open
from tasks.engine.progress import progress
from tasks.engine.resources import Resources, utc_now
from tasks.reconcile import (
    confirm_what_lists_show,
    list_orders,
    look_up,
    mark_foreign,
    read_ledger,
    reconciliation_rows,
    refs_with_open_effects,
    unknown_refunds,
    unsettled,
)
from tasks.snapshot import rebuild, write_tables

# An unpaid order closes after a day: an order paid since a moment was created no more
# than this before it.
PAYABLE_FOR = timedelta(hours=25)


async def reconcile(
    resources: Resources,
    since_days: int,
    marketplaces: Sequence[Marketplace] = tuple(Marketplace),
    foreign: Sequence[OrderId] = (),
    said_by: str = "",
) -> ReconciliationReport:
    """Settle what can be settled by reading, and compare the ledger with the lists of
    these marketplaces since then.
    """
    ledger = resources.ledger
    settings = resources.settings
    days_back = timedelta(days=since_days)
    since = start_of_day(resources.clock() - days_back, settings.timezone)
    listed_since = since - PAYABLE_FOR
    troubles: list[str] = []
    before = unsettled(resources)
    feed = EventFeed(ledger, before.values())
    settled = await _settle(resources, marketplaces, troubles)
    shown, whole = await _list(marketplaces, listed_since, troubles)
    await confirm_what_lists_show(resources, shown)
    await feed.emit(before)

    troubles += mark_foreign(ledger, shown, foreign, said_by)
    known = read_ledger(resources, shown, since=listed_since)
    wanted = to_look_up(known.orders, shown, since=listed_since)
    ids = [(order.marketplace, order.order_id or "") for order in wanted]
    unread, why_unread = await look_up(resources, ids, shown)
    troubles += why_unread
    compared = partial(
        compare,
        shown=shown,
        whole=whole,
        since=listed_since,
        now=resources.clock(),
        unread=unread,
    )
    comparison = compared(known)
    if comparison.findings:  # orders change while lists are read: both sides again
        identities = {finding.identity for finding in comparison.findings}
        await look_up(resources, _readable(comparison.findings), shown)
        comparison = compared(read_ledger(resources, shown, since=listed_since))
        comparison.findings = [
            finding for finding in comparison.findings if finding.identity in identities
        ]
    refunds, notes = await _unknown_refunds(resources, marketplaces, since)
    report = ReconciliationReport(
        since=since.astimezone(ZoneInfo(settings.timezone)),
        compared=comparison.compared,
        in_hand=comparison.in_hand,
        settled=[line_of(order) for order in ledger.each_order(settled)],
        findings=ranked([*comparison.findings, *refunds]),
        troubles=troubles,
        notes=[*comparison.notes, *notes],
        snapshot_root=str(settings.snapshot_root.absolute()),
    )
    rows = reconciliation_rows(report.findings, since=since, summary=summary_of(report))
    snapshot_id = await write_tables(
        resources, "reconciliation", {"reconciliation": rows}
    )
    return replace(report, snapshot_id=snapshot_id or "")


async def _settle(
    resources: Resources, marketplaces: Sequence[Marketplace], troubles: list[str]
) -> list[str]:
    """Settle open effects by reading. Return the orders that have none open any
    more.
    """
    opened = refs_with_open_effects(resources, marketplaces)
    size = resources.settings.chunk_size
    for _, refs in chunks_with_progress("settle", opened, size):
        try:
            await settle_open(resources, refs)
        except XportcnError as error:
            troubles.append(f"what is open can't be asked about ({error.message})")
    still_open = refs_with_open_effects(resources, marketplaces)
    return [ref for ref in opened if ref not in still_open]


async def _list(
    marketplaces: Sequence[Marketplace], since: datetime, troubles: list[str]
) -> tuple[dict[Marketplace, dict[str, ServiceOrder]], list[Marketplace]]:
    """Return the orders of marketplaces that could be listed, and whose lists are
    whole. Raises the first error when none could.
    """
    listener = progress.get()
    listener.start("list orders", len(marketplaces))

    async def listed(marketplace: Marketplace) -> Reading | XportcnError:
        try:
            return await list_orders(marketplace, since=since)
        except ServiceAway as error:
            return error
        finally:
            listener.advance("list orders", 1)

    readings = await asyncio.gather(*map(listed, marketplaces))
    shown: dict[Marketplace, dict[str, ServiceOrder]] = {}
    whole: list[Marketplace] = []
    for marketplace, reading in zip(marketplaces, readings, strict=True):
        if isinstance(reading, XportcnError):
            troubles.append(
                f"{marketplace}: its orders could not be listed ({reading.message})"
            )
            continue
        shown[marketplace] = {order.order_id: order for order in reading.listed}
        lacks = reading.lacks or (None if reading.ended else Lack.EMPTY_PAGE)
        if lacks:
            troubles.append(
                f"{marketplace}: {FLAWS[lacks]}, so what it does not show, missing or "
                "unknown here, stays open"
            )
        else:
            whole.append(marketplace)
    for reading in readings:
        if not shown and isinstance(reading, XportcnError):
            raise reading
    return shown, whole


async def _unknown_refunds(
    resources: Resources, marketplaces: Sequence[Marketplace], since: datetime
) -> tuple[list[Finding], list[str]]:
    """Refunds that this ledger does not know, and notes on what could not be listed."""
    findings: list[Finding] = []
    notes: list[str] = []
    for marketplace in marketplaces:
        try:
            findings += await unknown_refunds(resources, marketplace, since)
        except XportcnError as error:
            notes.append(
                f"{marketplace}: refunds of others were not looked for ({error.message})"
            )
    return findings, notes


def _readable(findings: Iterable[Finding]) -> list[OrderId]:
    """The orders of findings that can be read by themselves: orders in other currencies
    can only be listed.
    """
    return [
        (finding.marketplace, finding.order_id)
        for finding in findings
        if finding.order_id
        and (finding.seen_amount is None or finding.seen_amount.currency == "CNY")
    ]


def end_personal_data() -> None:
    """Delete copies whose time is over, and history of forgotten receivers that was put
    back.
    """
    settings = SourcingSettings()
    try:
        delete_old(settings, utc_now())
        with Ledger(settings.ledger_url, clock=utc_now, owner="upkeep") as ledger:
            forgotten = ledger.forgotten.every()
            if forgotten and erase_orders(settings.snapshot_root, forgotten):
                rebuild(ledger, settings)
    except (OSError, SnapshotError, LedgerUnusable) as error:
        run_logger().warning(
            "Personal data whose time is over stays until tomorrow: %s", words_of(error)
        )


def end_old_history() -> None:
    """Delete the history of the tables whose time is over."""
    settings = SourcingSettings()
    try:
        end_history(settings.snapshot_root, utc_now(), settings.history_days)
    except (OSError, SnapshotError) as error:
        run_logger().warning(
            "The history of past days stays until tomorrow: %s",
            words_of(error),
        )


EVERY_MARKETPLACE: list[Marketplace] = []
NONE_GIVEN: list[str] = []


@sourcing_flow("reconcile")
async def reconcile_ledger(
    since_days: form.SinceDays = SEARCH_BACK_DAYS,
    marketplaces: form.Marketplaces = EVERY_MARKETPLACE,
    not_ours: form.ForeignLines = NONE_GIVEN,
    said_by: AnsweredBy = "",
) -> ReconciliationReport:
    """Compare the ledger with the marketplaces' own lists: orders, payments, shipments.
    Buys, pays and cancels nothing.

    Effects without an answer are settled by reading first, and the results recorded.
    Orders that other people made in the same account are found every time until you say
    that they are not ours.
    """
    foreign = form.foreign_orders(not_ours)
    # opening proves the clock: one that is far ahead would end all that is kept
    async with opened() as resources:
        await asyncio.to_thread(end_personal_data)
        await asyncio.to_thread(end_old_history)
        async with progress_shown("reconciliation"):
            report = await reconcile(
                resources,
                since_days,
                marketplaces or tuple(Marketplace),
                foreign,
                by_whom(said_by),
            )
        await enqueue(
            resources.ledger, *of_findings(report.findings, summary_of(report))
        )
    await log_and_show(report)
    return report
