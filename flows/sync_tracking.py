"""One tracking run over every order on its way: parcels, events, states; and the report
of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
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
from domain.states import TRAVELLING, OrderState
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
from tasks.engine.gathering import PartialResults
from tasks.engine.progress import progress
from tasks.engine.resources import Resources
from tasks.pay import confirm_payments
from tasks.snapshot import write_tables
from tasks.sync_tracking import sync_tracking as sync_chunk

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

    `unasked` are orders not reached, since the service was away; `unread` has the
    reasons why others could not be read. `returned` have a new scan of a parcel that
    goes back, `stuck` of one with an exception; `unknown_words` counts the orders of
    each word of the service without a meaning here. `files` have the new numbers for
    shops.
    """

    followed: int
    moved: Sequence[ReportLine]
    new_events: int
    troubles: Sequence[str]
    snapshot_id: str | None
    snapshot_root: str
    orders: Sequence[ReportLine] = field(repr=False)
    unasked: Sequence[str] = ()
    unread: Mapping[str, Reason] = field(default_factory=dict)
    returned: Sequence[str] = ()
    stuck: Sequence[str] = ()
    unknown_words: Mapping[str, int] = field(default_factory=dict)
    files: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """The report that `sourcing track --json` prints."""
        return {name: value for name, value in asdict(self).items() if name != "unread"}


class _Followed:
    """Orders on their way, a chunk in memory at a time: a line of the report of each,
    and what is new of some.

    `moved` has those that moved, `scans` counts the new scans, `newest`
    has the last of each in words.
    """

    def __init__(self, resources: Resources) -> None:
        self._ledger = resources.ledger
        self._clock = resources.clock
        self.moved = set[str]()
        self.lines: dict[str, ReportLine] = {}
        self.scans = 0
        self.newest: dict[str, str] = {}
        self.back: set[tuple[str, str]] = set()
        self.stuck: set[tuple[str, str]] = set()
        self.silent: list[Event] = []
        self.wrong: list[Misconfigured] = []

    @contextmanager
    def passing_over(self) -> Iterator[None]:
        """A marketplace that can't be asked keeps no other from being followed."""
        try:
            yield
        except Misconfigured as error:
            self.wrong.append(error)

    def take(
        self, read: Mapping[str, OrderRecord], events: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """These orders were followed as they were `read`; `events` are the new scans of
        them.
        """
        self.silent += stalled(self._ledger, self.compare(read, events), self._clock())

    def compare(
        self,
        earlier: Mapping[str, OrderRecord],
        events: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, OrderRecord]:
        """Note what is new of orders that were so `earlier`; answers them as they are
        now.
        """
        later = self._ledger.orders(earlier)
        for ref, order in later.items():
            self.lines[ref] = line_of(order)
            if order != earlier[ref]:
                self.moved.add(ref)
        for event in sorted(
            events,
            key=lambda row: (row["order_ref"], row["occurred_at"], row["sequence"]),
        ):
            ref = event["order_ref"]
            number = event["tracking_number"]
            self.scans += 1
            self.newest[ref] = scan_words(event, later[ref])
            if _goes_back(event):
                self.back.add((ref, number))
            if event["status"] == TraceStatus.EXCEPTION:
                self.stuck.add((ref, number))
        return later


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
    begun = resources.clock()
    opened = {effect.order_ref for effect in every_open_effect(ledger)}
    watched = _to_watch(ledger, opened, only, due_only=due_only)
    feed = EventFeed(ledger, ledger.each_order(watched))
    unsettled = [
        ref
        for ref, state in watched.items()
        if ref in opened or state is OrderState.PAYMENT_PENDING
    ]
    followed = _Followed(resources)
    before = ledger.orders(unsettled)
    await _settled(resources, watched, unsettled, followed)
    orders = [
        ref
        for ref, one in standing_of(ledger, order_refs=watched).items()
        if one.order_id and _is_followed(one)
    ]
    run_logger().info("%s to follow", pluralize(len(orders), "order"))
    await best_effort(
        "the run's name", rename_run(f"track {pluralize(len(orders), 'order')}")
    )
    asked = await _follow(resources, orders, followed)
    followed.compare(before)
    unread = {ref: why for ref, why in asked.items() if why}
    troubles = [f"{ref}: {why}" for ref, why in unread.items()]
    if unasked := [ref for ref in orders if ref not in asked]:
        why = followed.wrong[0].message if followed.wrong else "the service was away"
        troubles.append(f"{shorten(unasked)}: {why}; the next run asks about them")
    await _notify_of_scans(resources.ledger)
    if only is None and len(unread) + len(unasked) < len(orders):
        ledger.tracking.read_until(begun)
    await feed.emit(watched, *followed.silent)
    moved = [
        followed.lines[ref]
        for ref, state in watched.items()
        if ref in followed.moved and followed.lines[ref].state is not state
    ]
    await _notify_of_silence(ledger, followed)
    snapshot_id = None
    files = list[TrackingFile]()
    if only is None:  # else the caller writes all at once
        files = await _numbers_for_shops(resources)
        snapshot_id = await write_tables(resources, "tracking")
    report = TrackReport(
        followed=len(orders),
        moved=moved,
        new_events=followed.scans,
        troubles=troubles,
        snapshot_id=snapshot_id,
        snapshot_root=str(resources.settings.snapshot_root.absolute()),
        orders=[followed.lines[ref] for ref in orders],
        unasked=unasked,
        unread=unread,
        returned=sorted({ref for ref, _ in followed.back}),
        stuck=sorted({ref for ref, _ in followed.stuck}),
        unknown_words=counted(resources.unknown),
        files=[*map(str, files)],
    )
    _log(report)
    await best_effort("the report", _show(report, watched, followed.newest))
    if followed.wrong and only is None:
        raise followed.wrong[0]
    return report


async def _settled(
    resources: Resources,
    watched: Collection[str],
    unsettled: Sequence[str],
    followed: _Followed,
) -> None:
    """Read what became of open effects and pending payments."""
    with followed.passing_over():
        await settle_open(resources, watched)
    standing = standing_of(resources.ledger, order_refs=unsettled)
    pending = [
        ref for ref, one in standing.items() if one.state is OrderState.PAYMENT_PENDING
    ]
    with followed.passing_over(), suppress(ServiceAway):
        await confirm_payments(resources, pending)


async def _follow(
    resources: Resources, orders: Sequence[str], followed: _Followed
) -> Mapping[str, Reason | None]:
    """Read the orders in chunks, until the service is away; answers why some could not
    be read, None for the others.
    """
    asked: PartialResults[str, Reason | None] = PartialResults()

    async def take(read: Mapping[str, OrderRecord]) -> None:
        events = resources.scans
        resources.scans = []
        await asyncio.to_thread(followed.take, read, events)
        listener.advance("track", sum(ref in asked for ref in read))

    listener = progress.get()
    listener.start("track", len(orders))
    size = orders_a_task(len(orders), resources.settings.chunk_size)
    for label, refs in chunks(orders, size):
        if not resources.breaker.is_over:
            with followed.passing_over(), suppress(ServiceAway):
                await sync_chunk(refs, asked, take, label=label)
    for refs in chunked(ref for ref in orders if ref not in followed.lines):
        followed.take(resources.ledger.orders(refs))
    return asked


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
        ref: one.state
        for ref, one in standing_of(ledger, states=states, order_refs=opened).items()
        if not (
            ref in later
            and ref not in opened
            and one.state in (*TRAVELLING, OrderState.HELD)
        )
        and (
            ref in opened
            or one.state is OrderState.PAYMENT_PENDING
            or _is_followed(one)
        )
        and (only is None or ref in only)
    }


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


async def _notify_of_scans(ledger: Ledger) -> None:
    """Notify of parcels that go back or are stuck, each once.

    Also of the scans of a run that was killed before it came here.
    """
    statuses = (*GONE_BACK, TraceStatus.EXCEPTION)
    events = await asyncio.to_thread(
        ledger.tracking.since_all_were_read, statuses, RETURNED.pattern
    )
    back = dict[tuple[str, ...], Reason]()
    stuck = dict[tuple[str, ...], Reason]()
    for event in events:
        parcel = (event["order_ref"], event["tracking_number"])
        if _goes_back(event):
            back[parcel] = because(ReasonCode.PARCEL_RETURNS)
        if event["status"] == TraceStatus.EXCEPTION:
            stuck[parcel] = because(ReasonCode.PARCEL_EXCEPTION)
    await enqueue(
        ledger,
        *news.of_reasons("returned", "Parcels on their way back", back),
        *news.of_reasons("stuck", "Parcels stuck", stuck),
    )


async def _notify_of_silence(ledger: Ledger, followed: _Followed) -> None:
    """Notify of stalled parcels, of each once after each scan."""
    reason = parcel_silent(STALLED_AFTER.days)
    silent: dict[tuple[str, ...], Reason] = {
        (
            event.resource["prefect.resource.name"],
            event.payload["last_heard_of"],
        ): reason
        for event in followed.silent
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
