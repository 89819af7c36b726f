"""One tracking run over every order on its way: parcels, events, states; and the report of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from prefect import flow
from prefect.events import Event

from connectors.ledger.many import chunked
from connectors.ledger.overview import OrderStanding, every_open_effect, standing_of
from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.snapshots.rejecting import rejected_in
from connectors.xportcn.errors import ServiceAway
from domain.personal import without_receiver
from domain.reasons import UNKNOWN_STATES, Reason, ReasonCode
from domain.report import NONE_REJECTED, Rejected, ReportLine
from domain.service_orders import GONE_BACK, TraceStatus
from domain.states import TRAVELLING, OrderState
from domain.unknown_words import counted
from domain.wording import pluralize, shorten
from flows.batch.chunks import each_chunk
from flows.batch.opening import opened
from flows.batch.reporting import line_of
from flows.notify.news import of_late_payments, of_parcels, of_stuck, stall_cause, stuck_cause
from flows.notify.telling import tell
from flows.prefect_ui.artifacts import show_table, with_what_waits
from flows.prefect_ui.board import progress_shown
from flows.prefect_ui.events import STALLED_AFTER, EventFeed, stalled
from flows.prefect_ui.expected_errors import report_expected_errors, run_logger
from flows.prefect_ui.parameters import ChunkSize, Concurrency, DueOnly
from flows.prefect_ui.progress import best_effort, rename_run
from tasks.effects.kinds import settle_open
from tasks.engine.gathering import PartialResults
from tasks.engine.resources import Resources
from tasks.pay import confirm_payments
from tasks.snapshot import snapshot_tracking
from tasks.snapshot_refunds import snapshot_missing_refunds
from tasks.sync_tracking import sync_tracking as sync_chunk

FOLLOWED = (
    OrderState.BOOKED,
    OrderState.SHIPPED,
    OrderState.IN_WAREHOUSE,
    OrderState.IN_TRANSIT,
    OrderState.HELD,
    OrderState.UNKNOWN,
)
RETURNED = re.compile(r"退回|退件|拒收|return(?:ed|ing)? to (?:the )?sender|refused by", re.IGNORECASE)
"""Carriers' words for a returned parcel: no status of the contract says it (3.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackReport:
    """The result of a tracking run. `troubles` names orders that could not be read.

    `unasked` are orders not reached, since the service was away; `unread` has the reasons why others could not be read.
    `returned` have a new scan of a parcel that goes back, `stuck` of one with an exception; `unknown_words` counts the
    orders of each word of the service without a meaning here.
    """

    followed: int
    moved: Sequence[ReportLine]
    new_events: int
    troubles: Sequence[str]
    snapshot_id: str | None
    snapshot_root: str
    orders: Sequence[ReportLine]
    rejected: Rejected = NONE_REJECTED
    unasked: Sequence[str] = ()
    unread: Mapping[str, Reason] = field(default_factory=dict)
    returned: Sequence[str] = ()
    stuck: Sequence[str] = ()
    unknown_words: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The report that `sourcing track --json` prints."""
        return {name: value for name, value in asdict(self).items() if name != "unread"}


class _Followed:
    """Orders on their way, a chunk in memory at a time: of all a line of the report, whole only those with news."""

    def __init__(self, resources: Resources, before: Mapping[str, OrderRecord]) -> None:
        self._resources = resources
        self._earlier = len(resources.scans)
        self.before, self.now = dict(before), dict[str, OrderRecord]()
        self.lines: dict[str, ReportLine] = {}
        self.silent: list[Event] = []

    @property
    def events(self) -> list[dict[str, Any]]:
        """The new scans."""
        return self._resources.scans[self._earlier :]

    def take(self, read: Mapping[str, OrderRecord], events: Sequence[Mapping[str, Any]] = ()) -> None:
        """These orders were followed as they were `read`; `events` are the new scans of them."""
        ledger = self._resources.ledger
        later, scanned = ledger.orders(read), {event["order_ref"] for event in events}
        self.silent += stalled(ledger, later, self._resources.clock())
        for ref, order in later.items():
            self.lines[ref] = line_of(order)
            if order != read[ref] or ref in scanned or ref in self.before:
                self.before.setdefault(ref, read[ref])
                self.now[ref] = read[ref] if order == read[ref] else order  # one in memory, not two


async def track(
    resources: Resources, chunk_size: int, only: Collection[str] | None = None, *, due_only: bool = False
) -> TrackReport:
    """Read every order on its way, or `only` those that a callback names; or those that are due (`domain/polling.py`).

    What travels and was quiet for long is not due each time; everything else is.
    """
    ledger = resources.ledger
    opened = {effect.order_ref for effect in every_open_effect(ledger)}
    watched = _to_watch(ledger, opened, only, due_only=due_only)
    feed = EventFeed(ledger, watched)
    unsettled = [ref for ref, state in watched.items() if ref in opened or state is OrderState.PAYMENT_PENDING]
    followed = _Followed(resources, ledger.orders(unsettled))
    await settle_open(resources, watched)
    pending = [
        ref for ref, one in standing_of(ledger, order_refs=unsettled).items() if one.state is OrderState.PAYMENT_PENDING
    ]
    with suppress(ServiceAway):
        await confirm_payments(resources, pending)
    orders = [ref for ref, one in standing_of(ledger, order_refs=watched).items() if one.order_id and _is_followed(one)]
    run_logger().info("%s to follow", pluralize(len(orders), "order"))
    await best_effort("the run's name", rename_run(f"track {pluralize(len(orders), 'order')}"))
    asked: PartialResults[str, Reason | None] = PartialResults()

    async def follow(refs: Sequence[str], label: str) -> None:
        read, known = await asyncio.to_thread(ledger.orders, refs), len(resources.scans)
        try:
            await sync_chunk(resources, read, asked, label=label)
        finally:
            await asyncio.to_thread(followed.take, read, resources.scans[known:])

    await each_chunk(resources, "track", orders, chunk_size, follow)
    for refs in chunked(ref for ref in orders if ref not in followed.lines):
        followed.take(ledger.orders(refs))
    before, now = followed.before, followed.now | ledger.orders(unsettled)
    unread = {ref: why for ref, why in asked.items() if why}
    troubles = [f"{ref}: {why}" for ref, why in unread.items()]
    if unasked := [ref for ref in orders if ref not in asked]:
        troubles.append(f"{shorten(unasked)}: the service was away; the next run asks about them")
    await feed.emit(watched, *followed.silent)
    moved = [now[ref] for ref, state in watched.items() if ref in now and now[ref].state is not state]
    events = sorted(followed.events, key=lambda row: (row["order_ref"], row["occurred_at"], row["sequence"]))
    back = {event["order_ref"] for event in events if _goes_back(event)}
    stuck = _stuck(events, now)
    late = [now[ref] for ref in pending if ref in now]
    await _notify_parcels(ledger, followed.silent, moved, late, back, stuck)
    snapshot_id = await _snapshot(resources, before, now, events)
    if only is None and (trouble := await snapshot_missing_refunds(resources)):
        run_logger().warning("%s", trouble)
    report = TrackReport(
        followed=len(orders),
        moved=[line_of(order) for order in moved],
        new_events=len(events),
        troubles=troubles,
        snapshot_id=snapshot_id,
        snapshot_root=str(resources.settings.snapshot_root.absolute()),
        orders=[followed.lines[ref] for ref in orders],
        rejected=rejected_in(resources.settings.snapshot_root, snapshot_id),
        unasked=unasked,
        unread=unread,
        returned=sorted(back),
        stuck=sorted({ref for ref, _ in stuck}),
        unknown_words=counted(resources.unknown),
    )
    _log(report)
    await best_effort("the report", _show(report, before, now, events))
    return report


def _to_watch(
    ledger: Ledger, opened: Collection[str], only: Collection[str] | None, *, due_only: bool
) -> dict[str, OrderState]:
    """The orders on their way and those with an open effect, with their states."""
    states = [*FOLLOWED, OrderState.PAYMENT_PENDING, OrderState.PAID]
    later = ledger.tracking.not_due() if due_only else set()
    return {
        ref: one.state
        for ref, one in standing_of(ledger, states=states, order_refs=opened).items()
        if not (ref in later and ref not in opened and one.state in TRAVELLING)
        and (ref in opened or one.state is OrderState.PAYMENT_PENDING or _is_followed(one))
        and (only is None or ref in only)
    }


def _stuck(events: Sequence[Mapping[str, Any]], orders: Mapping[str, OrderRecord]) -> dict[tuple[str, str], str]:
    """The carrier's words about each parcel with an exception, by order and number, without the receiver."""
    return {
        (ref, event["tracking_number"]): without_receiver(event["description"], orders[ref].request.receiver)
        for event in events
        if event["status"] == TraceStatus.EXCEPTION and (ref := event["order_ref"]) in orders
    }


def _log(report: TrackReport) -> None:
    for trouble in report.troubles:
        run_logger().warning("Not asked about: %s", trouble)
    for word, count in report.unknown_words.items():
        run_logger().warning("Not known: %s (%s)", word, pluralize(count, "order"))
    if report.rejected:
        run_logger().warning("%s", report.rejected.words)
    run_logger().info("%s", summary_of(report))


def _is_followed(order: OrderStanding) -> bool:
    """Whether the order is on its way, or paid and in a state that this program does not know."""
    return order.state in FOLLOWED or (order.state is OrderState.PAID and order.reason_code in UNKNOWN_STATES)


def _goes_back(event: Mapping[str, Any]) -> bool:
    return event["status"] in GONE_BACK or bool(RETURNED.search(event["description"]))


async def _notify_parcels(
    ledger: Ledger,
    silent: Sequence[Event],
    moved: Sequence[OrderRecord],
    pending: Sequence[OrderRecord],
    back: Collection[str],
    stuck: Mapping[tuple[str, str], str],
) -> None:
    """Notify of stalled, returned and held parcels, and of late payments; of a stalled one once after each scan.

    Of one that is stuck once, with the carrier's words.
    """
    last = {
        one.resource["prefect.resource.name"]: datetime.fromisoformat(one.payload["last_heard_of"]) for one in silent
    }
    causes = [stall_cause(ref, at) for ref, at in last.items()]
    known = await asyncio.to_thread(ledger.messages.told, [*causes, *map(stuck_cause, stuck)])
    new = {ref: at for ref, at in last.items() if stall_cause(ref, at) not in known}
    held = [_line(order) for order in moved if order.state is OrderState.HELD]
    late = [_line(order) for order in pending if order.reason_code is ReasonCode.PAYMENT_NOT_TAKEN]
    newly = {parcel: words for parcel, words in stuck.items() if stuck_cause(parcel) not in known}
    parcels = of_parcels(new, back, held, days=STALLED_AFTER.days)
    await tell(ledger, *parcels, *of_stuck(newly), *of_late_payments(late))


def _line(order: OrderRecord) -> ReportLine:
    return replace(line_of(order), reason=without_receiver(order.reason, order.request.receiver))


async def _snapshot(
    resources: Resources,
    before: Mapping[str, OrderRecord],
    now: Mapping[str, OrderRecord],
    events: list[dict[str, Any]],
) -> str | None:
    heard_of = {event["order_ref"] for event in events}
    changed = {ref: before[ref] for ref, order in now.items() if order != before[ref] or ref in heard_of}
    if not changed and not events:
        return None
    return await snapshot_tracking(resources, changed, events)


def summary_of(report: TrackReport) -> str:
    """`120 orders: 14 moved, 30 new events`."""
    parts = [f"{len(report.moved):,} moved", pluralize(report.new_events, "new event")]
    parts += [f"{len(report.returned):,} on the way back"] if report.returned else []
    parts += [f"{len(report.stuck):,} stuck"] if report.stuck else []
    parts += [f"{len(report.troubles):,} not asked about"] if report.troubles else []
    parts += [report.rejected.counted] if report.rejected else []
    return f"{pluralize(report.followed, 'order')}: {', '.join(parts)}"


async def _show(
    report: TrackReport,
    before: Mapping[str, OrderRecord],
    now: Mapping[str, OrderRecord],
    events: Sequence[Mapping[str, Any]],
) -> None:
    rows = tracking_rows(report, before, now, events)
    await show_table("tracking", rows, with_what_waits(summary_of(report), between=" · "))
    await rename_run(f"track {summary_of(report)}")


def tracking_rows(
    report: TrackReport,
    before: Mapping[str, OrderRecord],
    now: Mapping[str, OrderRecord],
    events: Sequence[Mapping[str, Any]],
) -> list[dict[str, str]]:
    """One row an order that moved or had events, with its newest scan; orders that moved come first."""
    newest = {event["order_ref"]: event for event in sorted(events, key=lambda event: event["occurred_at"])}
    moved = {line.order_ref for line in report.moved}
    return [
        {
            "order": line.order_ref,
            "was": str(before[line.order_ref].state),
            "is": str(line.state),
            "newest scan": _scan(newest.get(line.order_ref), now[line.order_ref]),
            "reason": line.reason,
            "tracking": ", ".join(line.tracking_numbers),
            "marketplace": line.marketplace,
        }
        for line in {line.order_ref: line for line in (*report.moved, *report.orders)}.values()
        if line.order_ref in moved or line.order_ref in newest
    ]


def _scan(event: Mapping[str, Any] | None, order: OrderRecord) -> str:
    """A scan without the receiver's data, and at the door the bare stage: there carriers write the signer's name."""
    if event is None:
        return ""
    place = f", {event['place']}" if event["place"] else ""
    told = without_receiver(f"{event['description'] or event['status']}{place}", order.request.receiver)
    at_the_door = event["status"] == TraceStatus.SIGN and event["tracking_number"] in order.tracking_numbers
    return f"{event['occurred_at']:%Y-%m-%d %H:%M} {event['status'] if at_the_door else told}"


@flow(name="sync-tracking", flow_run_name="track parcels", persist_result=False)
@report_expected_errors()
async def sync_tracking(
    chunk_size: ChunkSize = 0,
    concurrency: Concurrency = 0,
    due_only: DueOnly = False,  # noqa: FBT002 - a box of a form
) -> TrackReport:
    """Follow every booked order until it is delivered: parcels, scans, states. Safe to run at any time, and twice.

    Payments, orders and bookings without an answer are looked for first. Domestic parcels are reported to the
    warehouse, each once.
    """
    async with opened(concurrency=concurrency) as resources, progress_shown("parcels"):
        return await track(resources, chunk_size or resources.settings.chunk_size, due_only=due_only)
