"""One tracking run over every order on its way: parcels, events, states; and the report
of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from operator import itemgetter
from typing import Any

from prefect.events import Event

from connectors.foreign import words_of
from connectors.ledger.engine import LedgerUnusable, chunked
from connectors.ledger.overview import OrderStanding, every_open_effect, standing_of
from connectors.ledger.records import OrderRecord, line_of
from connectors.ledger.store import Ledger
from connectors.settings import BadSetting
from connectors.tracking_files import TrackingFile, write_tracking
from connectors.xportcn.errors import Misconfigured, ServiceAway
from domain.addresses import without_receiver
from domain.messages import counted
from domain.reasons import Reason, ReasonCode, because
from domain.report import ReportLine
from domain.service_orders import GONE_BACK, TraceStatus
from domain.states import OrderState
from domain.wording import pluralize, shorten
from flows.batch.chunks import chunks
from flows.batch.opening import opened
from flows.notify import news
from flows.notify.outbox import enqueue
from flows.prefect_ui.artifacts import show_table, with_what_waits
from flows.prefect_ui.board import progress_shown
from flows.prefect_ui.events import (
    STALLED_AFTER,
    EventFeed,
    parcel_silent,
    stalled,
)
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    run_logger,
    sourcing_flow,
)
from flows.prefect_ui.parameters import DueOnly
from tasks.effects.kinds import settle_open
from tasks.engine.progress import progress
from tasks.engine.resources import Resources
from tasks.pay import confirm_payments
from tasks.snapshot import write_tables
from tasks.sync_tracking import Tracked, track_orders

FOLLOWED = (
    OrderState.BOOKED,
    OrderState.SHIPPED,
    OrderState.IN_WAREHOUSE,
    OrderState.IN_TRANSIT,
    OrderState.HELD,
    OrderState.UNKNOWN,
    OrderState.REFUNDING,  # other lines' parcels travel on
)
RETURNED = re.compile(
    r"(?i)退回|退件|拒收|return(?:ed|ing)? to (?:the )?sender|refused by"
)
"""Carriers' words for a returned parcel: no status of the contract says it (3.4).
PostgreSQL reads them too.
"""
TASKS = 4
"""Task runs of a tracking run: Prefect keeps each for weeks, and there is a tracking
run every hour.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackReport:
    """The result of a tracking run. `troubles` names orders that could not be read.

    `unasked` are orders not reached, since the service was away. `returned` have a new
    scan of a parcel that goes back, `stuck` of one with an exception; `unknown_words`
    counts the orders of each word of the service without a meaning here. `files` have
    the new numbers for shops.
    """

    followed: int
    moved: Sequence[ReportLine]
    new_events: int
    troubles: Sequence[str]
    snapshot_id: str | None
    snapshot_root: str
    orders: Sequence[ReportLine] = field(repr=False)
    unasked: Sequence[str] = ()
    returned: Sequence[str] = ()
    stuck: Sequence[str] = ()
    unknown_words: Mapping[str, int] = field(default_factory=dict)
    files: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """The report that `sourcing track --json` prints."""
        return asdict(self)


async def track(
    resources: Resources,
    only: Collection[str] | None = None,
    *,
    due_only: bool = False,
) -> TrackReport:
    """Read every order on its way, or `only` those that a callback names; or those due
    (`domain/follow_ups.py`).

    What travels and was quiet for long is not due each time; everything else is. There
    are few task runs, however many orders. Raises `Misconfigured`, unless `only` some
    are asked about, once all else is done.
    """
    ledger = resources.ledger
    opened = {effect.order_ref for effect in every_open_effect(ledger)}
    watched = _to_watch(ledger, opened, only, due_only=due_only)
    feed = EventFeed(ledger, ledger.each_order(watched))
    wrong: list[Misconfigured] = []
    with _passing_over(wrong):
        await settle_open(resources, watched)
    standing = standing_of(ledger, order_refs=watched)
    pending = [
        ref
        for ref, order in standing.items()
        if order.state is OrderState.PAYMENT_PENDING
    ]
    with _passing_over(wrong), suppress(ServiceAway):
        await confirm_payments(resources, pending)

    orders = [
        ref
        for ref, order in standing_of(ledger, order_refs=watched).items()
        if order.order_id and _is_followed(order)
    ]
    count = pluralize(len(orders), "order")
    run_logger().info("%s to follow", count)
    await best_effort("the run's name", rename_run(f"track {count}"))
    progress.get().start("track", len(orders))
    tracked = Tracked()
    size = orders_a_task(len(orders), resources.settings.chunk_size)
    for label, refs in chunks(orders, size):
        if not resources.breaker.is_over:
            with _passing_over(wrong), suppress(ServiceAway):
                await track_orders(refs, tracked, label=label)

    unread = {ref: reason for ref, reason in tracked.read.items() if reason}
    unasked = [ref for ref in orders if ref not in tracked.read]
    troubles = [f"{ref}: {reason}" for ref, reason in unread.items()]
    if unasked:
        reason = wrong[0].message if wrong else "the service was away"
        troubles.append(f"{shorten(unasked)}: {reason}; the next run asks about them")
    await _notify_of_scans(ledger)

    lines, silent, newest = _as_they_are_now(resources, watched, tracked.scans)
    await feed.emit(watched, *silent)
    await _notify_of_silence(ledger, silent)
    snapshot_id = None
    files: list[TrackingFile] = []
    if only is None:  # else the caller writes all at once
        files = await _numbers_for_shops(resources)
        snapshot_id = await write_tables(resources, "tracking")
    report = TrackReport(
        followed=len(orders),
        moved=[lines[ref] for ref in watched if lines[ref].state is not watched[ref]],
        new_events=len(tracked.scans),
        troubles=troubles,
        snapshot_id=snapshot_id,
        snapshot_root=str(resources.settings.snapshot_root.absolute()),
        orders=[lines[ref] for ref in orders],
        unasked=unasked,
        returned=sorted(
            {scan["order_ref"] for scan in tracked.scans if _goes_back(scan)}
        ),
        stuck=sorted({scan["order_ref"] for scan in tracked.scans if _is_stuck(scan)}),
        unknown_words=counted(resources.unknown),
        files=[*map(str, files)],
    )
    _log(report)
    await best_effort("the report", _show(report, watched, newest))
    if wrong and only is None:
        raise wrong[0]
    return report


@contextmanager
def _passing_over(wrong: list[Misconfigured]) -> Iterator[None]:
    """A marketplace that can't be asked keeps no other from being followed."""
    try:
        yield
    except Misconfigured as error:
        wrong.append(error)


def _as_they_are_now(
    resources: Resources,
    order_refs: Iterable[str],
    scans: Iterable[Mapping[str, Any]],
) -> tuple[dict[str, ReportLine], list[Event], dict[str, str]]:
    """A line of the report of each order, the events of those that are silent, and the
    newest of the scans of each in words.
    """
    newest = {
        scan["order_ref"]: scan
        for scan in sorted(scans, key=itemgetter("occurred_at", "sequence"))
    }
    lines: dict[str, ReportLine] = {}
    silent: list[Event] = []
    words: dict[str, str] = {}
    for refs in chunked(order_refs):
        orders = resources.ledger.orders(refs)
        silent += stalled(resources.ledger, orders, resources.clock())
        for ref, order in orders.items():
            lines[ref] = line_of(order)
            if ref in newest:
                words[ref] = scan_words(newest[ref], order)
    return lines, silent, words


async def _numbers_for_shops(resources: Resources) -> list[TrackingFile]:
    """Write the numbers that shops lack. The next run does what fails."""
    try:
        return await asyncio.to_thread(
            write_tracking, resources.settings, resources.ledger
        )
    except (OSError, LedgerUnusable, BadSetting) as error:
        run_logger().error(
            "Shops lack tracking numbers, the next run tries again: %s", words_of(error)
        )
        return []


def orders_a_task(orders: int, least: int) -> int:
    """How many orders a task run follows where there are so many."""
    return max(least, -(-orders // TASKS))


def _to_watch(
    ledger: Ledger,
    opened: Collection[str],
    only: Collection[str] | None,
    *,
    due_only: bool,
) -> dict[str, OrderState]:
    """The orders on their way and those with an open effect, with their states."""
    states = [*FOLLOWED, OrderState.PAYMENT_PENDING, OrderState.PAID]
    later = ledger.tracking.not_due() if due_only else set()
    return {
        ref: order.state
        for ref, order in standing_of(ledger, states=states, order_refs=opened).items()
        if (ref in opened or (ref not in later and _is_to_watch(order)))
        and (only is None or ref in only)
    }


def _is_to_watch(order: OrderStanding) -> bool:
    return order.state is OrderState.PAYMENT_PENDING or _is_followed(order)


def _log(report: TrackReport) -> None:
    for trouble in report.troubles:
        run_logger().warning("Not asked about: %s", trouble)
    for word, count in report.unknown_words.items():
        run_logger().warning("Not known: %s (%s)", word, pluralize(count, "order"))
    for file in report.files:
        run_logger().info("For a shop: %s", file)
    run_logger().info("%s", summary_of(report))


def _is_followed(order: OrderStanding) -> bool:
    """Whether the order is on its way, or paid and in a state that this program does
    not know.
    """
    return order.state in FOLLOWED or (
        order.state is OrderState.PAID and order.reason_code is ReasonCode.UNKNOWN_STATE
    )


def _goes_back(event: Mapping[str, Any]) -> bool:
    return event["status"] in GONE_BACK or bool(RETURNED.search(event["description"]))


def _is_stuck(event: Mapping[str, Any]) -> bool:
    return bool(event["status"] == TraceStatus.EXCEPTION)


async def _notify_of_scans(ledger: Ledger) -> None:
    """Notify of parcels that go back or are stuck, each once.

    Also of the scans of a run that was killed before it came here.
    """
    statuses = (*GONE_BACK, TraceStatus.EXCEPTION)
    scans = await asyncio.to_thread(
        ledger.tracking.of_last_days, statuses, RETURNED.pattern
    )
    for name, title, is_meant, reason in (
        (
            "returned",
            "Parcels on their way back",
            _goes_back,
            because(ReasonCode.PARCEL_RETURNS),
        ),
        ("stuck", "Parcels stuck", _is_stuck, because(ReasonCode.PARCEL_EXCEPTION)),
    ):
        known = ledger.outbox.causes(f"{name}:")
        parcels: dict[tuple[str, ...], Reason] = {}
        for scan in filter(is_meant, scans):
            parcel = scan["order_ref"], scan["tracking_number"]
            if ":".join((name, *parcel)) not in known:
                parcels[parcel] = reason
        await enqueue(ledger, *news.of_reasons(name, title, parcels))


async def _notify_of_silence(ledger: Ledger, events: Iterable[Event]) -> None:
    """Notify of stalled parcels, of each once after each scan."""
    reason = parcel_silent(STALLED_AFTER.days)
    silent: dict[tuple[str, ...], Reason] = {
        (
            event.resource["prefect.resource.name"],
            event.payload["last_heard_of"],
        ): reason
        for event in events
    }
    await enqueue(ledger, *news.of_reasons("stalled", "No news of parcels", silent))


def summary_of(report: TrackReport) -> str:
    """`120 orders: 14 moved, 30 new events`."""
    parts = [f"{len(report.moved):,} moved", pluralize(report.new_events, "new event")]
    parts += [f"{len(report.returned):,} on the way back"] if report.returned else []
    parts += [f"{len(report.stuck):,} stuck"] if report.stuck else []
    parts += [f"{len(report.troubles):,} not asked about"] if report.troubles else []
    return f"{pluralize(report.followed, 'order')}: {', '.join(parts)}"


async def _show(
    report: TrackReport, was: Mapping[str, OrderState], newest: Mapping[str, str]
) -> None:
    rows = tracking_rows(report, was, newest)
    await show_table(
        "tracking", rows, with_what_waits(summary_of(report), between=" · ")
    )
    await rename_run(f"track {summary_of(report)}")


def tracking_rows(
    report: TrackReport, was: Mapping[str, OrderState], newest: Mapping[str, str]
) -> list[dict[str, str]]:
    """One row an order that moved or had events, with its newest scan; orders that
    moved come first.
    """
    moved = {line.order_ref for line in report.moved}
    return [
        {
            "order": line.order_ref,
            "was": str(was[line.order_ref]),
            "is": str(line.state),
            "newest scan": newest.get(line.order_ref, ""),
            "reason": line.reason,
            "tracking": ", ".join(line.tracking_numbers),
            "marketplace": line.marketplace,
        }
        for line in {
            line.order_ref: line for line in (*report.moved, *report.orders)
        }.values()
        if line.order_ref in moved or line.order_ref in newest
    ]


def scan_words(event: Mapping[str, Any], order: OrderRecord) -> str:
    """A scan without the receiver's data, and at the door the bare stage: there
    carriers write the signer's name.
    """
    place = f", {event['place']}" if event["place"] else ""
    told = without_receiver(
        f"{event['description'] or event['status']}{place}", order.request.receiver
    )
    at_the_door = (
        event["status"] == TraceStatus.SIGN
        and event["tracking_number"] in order.tracking_numbers
    )
    return f"{event['occurred_at']:%Y-%m-%d %H:%M} {event['status'] if at_the_door else told}"


@sourcing_flow("track parcels")
async def sync_tracking(
    due_only: DueOnly = False,  # noqa: FBT002 - a box of a form
) -> TrackReport:
    """Follow every booked order until it is delivered: parcels, scans, states. Safe to
    run at any time, and twice.

    Payments, orders and bookings without an answer are looked for first. Domestic
    parcels are reported to the warehouse, each once.
    """
    async with opened() as resources, progress_shown("parcels"):
        return await track(resources, due_only=due_only)
