"""The tracking flow."""

from __future__ import annotations

from prefect import flow

from flows.opening import opened
from flows.parameters import ChunkSize, Concurrency
from flows.shown.board import progress_shown
from flows.shown.expected_errors import report_expected_errors
from flows.tracking import TrackReport, track


@flow(name="sync-tracking", flow_run_name="track parcels", persist_result=False)
@report_expected_errors()
async def sync_tracking(chunk_size: ChunkSize = 0, concurrency: Concurrency = 0) -> TrackReport:
    """Follow every booked order until it is delivered: parcels, scans, states. Safe to run at any time, and twice.

    Payments, orders and bookings without an answer are looked for first. Domestic parcels are reported to the
    warehouse, each once.
    """
    async with opened(concurrency=concurrency) as resources, progress_shown("parcels"):
        return await track(resources, chunk_size or resources.settings.chunk_size)
