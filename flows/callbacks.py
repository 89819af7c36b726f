"""The flow that handles the service's posts; the dispatcher starts it, one run a kind at a time."""

from __future__ import annotations

from typing import Annotated

from prefect import flow

from connectors.callbacks.kinds import CallbackKind
from connectors.callbacks.store import CallbackStore
from connectors.callbacks.tickets import Tickets
from connectors.settings import SourcingSettings
from domain.wording import pluralize
from flows.callback_handling import CallbackReport, handle_callbacks, lease_renewed
from flows.opening import opened
from flows.parameters import asked
from flows.shown.expected_errors import EXPECTED, report_expected_errors, run_logger
from flows.shown.progress import best_effort, rename_run
from tasks.resources import utc_now

Kind = Annotated[CallbackKind, asked("About", "What the messages are about")]
TicketId = Annotated[
    str,
    asked("Ticket", "Which messages: written by the dispatcher. To start it, replay messages"),
]


@flow(name="hear-callbacks", flow_run_name="hear of {kind}", persist_result=False)
@report_expected_errors()
async def hear_callbacks(kind: Kind, ticket: TicketId) -> CallbackReport:
    """Read the orders again that the service's messages name. A message alone changes nothing.

    A run that comes too late for its messages, or twice, ends at once.
    """
    with CallbackStore(SourcingSettings().ledger_url, clock=utc_now) as store:
        tickets = Tickets(store)
        messages = tickets.begin(ticket)
        if not messages:
            run_logger().info("Nothing waits under %s any more", ticket)
            return CallbackReport(kind=kind, outcomes={}, moved=[], troubles=[])
        try:
            async with lease_renewed(tickets, ticket), opened() as resources:
                report = await handle_callbacks(resources, store, kind, messages)
        except EXPECTED:
            tickets.end(ticket, blameless=True)
            raise
        store.settle(report.outcomes)
        left = len(messages) - len(report.outcomes)
        tickets.end(ticket, blameless=left > 0)
    if left:
        run_logger().warning("%s wait on: the service was away", pluralize(left, "message"))
    for trouble in report.troubles:
        run_logger().warning("Not read again: %s", trouble)
    for parcel in report.parcels:
        run_logger().warning("%s", parcel)
    counted = f"{pluralize(len(messages), 'message')}, {pluralize(len(report.moved), 'order')} moved"
    await best_effort("the run's name", rename_run(f"hear of {kind}: {counted}"))
    return report
