"""The tracking flow: parcels, events and states of every order on its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_table_artifact

from connectors.ledger.records import OrderRecord
from connectors.settings import SourcingSettings, XportcnSettings
from domain.report import ReportLine
from domain.states import OrderState
from flows.chunks import chunks
from flows.events import News, stalled
from flows.execution import settle_open_effects
from flows.reporting import line_of
from tasks.progress import progress
from tasks.resources import Resources, open_resources
from tasks.snapshot import snapshot_tracking
from tasks.sync_tracking import sync_tracking as sync_chunk

FOLLOWED = (
    OrderState.BOOKED,
    OrderState.SHIPPED,
    OrderState.IN_WAREHOUSE,
    OrderState.IN_TRANSIT,
    OrderState.HELD,
    OrderState.UNKNOWN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackReport:
    """What a tracking run saw. `troubles` names orders that could not be asked about."""

    followed: int
    moved: Sequence[ReportLine]
    new_events: int
    troubles: Sequence[str]
    snapshot_id: str | None
    snapshot_root: str
    orders: Sequence[ReportLine]

    def to_json(self) -> dict[str, Any]:
        """The report that `sourcing track --json` prints."""
        return asdict(self)


@flow(name="sync-tracking", persist_result=False)
async def sync_tracking(chunk_size: int | None = None, concurrency: int | None = None) -> TrackReport:
    """Follow every booked order until it is delivered. Safe to run at any time, and twice."""
    settings = SourcingSettings()
    async with open_resources(settings, XportcnSettings(), concurrency=concurrency) as resources:
        await resources.warehouse()  # one cheap call that tells whether service, clock and account are well
        report = await _track(resources, chunk_size or settings.chunk_size)
    rows = [{"order": line.order_ref, "state": str(line.state), "reason": line.reason} for line in report.moved]
    await acreate_table_artifact(key="tracking", table=rows, description=f"{report.new_events} new events")
    return report


async def _track(resources: Resources, chunk_size: int) -> TrackReport:
    started = resources.clock()
    await settle_open_effects(resources, resources.ledger.orders_in([OrderState.UNKNOWN]))
    orders = {ref: order for ref, order in resources.ledger.orders_in(FOLLOWED).items() if order.order_id}
    news = News(resources.ledger, orders)
    listener = progress.get()
    listener.start("track", len(orders))
    troubles: list[str] = []
    for label, refs in chunks(list(orders), chunk_size):
        troubles += await sync_chunk(resources, {ref: orders[ref] for ref in refs}, label=label)
        listener.advance("track", len(refs))
    now = resources.ledger.orders(orders)
    await news.tell(list(now), *stalled(resources.ledger, now, resources.clock()))
    moved = [order for ref, order in now.items() if order.state is not orders[ref].state]
    events = resources.ledger.tracking.listed(since=started)
    return TrackReport(
        followed=len(orders),
        moved=[line_of(order) for order in moved],
        new_events=len(events),
        troubles=troubles,
        snapshot_id=await _snapshot(resources, now, moved, events),
        snapshot_root=str(resources.settings.snapshot_root.absolute()),
        orders=[line_of(order) for order in now.values()],
    )


async def _snapshot(
    resources: Resources, orders: dict[str, OrderRecord], moved: Sequence[OrderRecord], events: list[dict[str, Any]]
) -> str | None:
    changed = {order.order_ref for order in moved} | {event["order_ref"] for event in events}
    if not changed:
        return None
    return await snapshot_tracking(resources, [orders[ref] for ref in changed], events)
