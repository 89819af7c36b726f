"""The flow that sends what is due in the outbox, or a test message."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from prefect import flow
from prefect.states import Completed

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.store import Ledger
from connectors.notifying import Sending, send_due, try_out
from connectors.settings import SourcingSettings
from domain.wording import pluralize
from flows.prefect_ui.expected_errors import rename_run, report_expected_errors, run_logger
from flows.prefect_ui.parameters import asked
from tasks.engine.resources import utc_now

TestMessage = Annotated[
    bool,
    asked(
        "Send a test message", "To each address in SOURCING_NOTIFY, now. Else what is due is sent, and nothing more."
    ),
]


NOT_DELIVERED = "NotTold"


class Nobody(Exception):
    """No recipient is set; the message names the setting."""


@flow(flow_run_name="send messages", persist_result=False)
@report_expected_errors(LedgerUnusable, Nobody)
async def send_messages(test: TestMessage = False) -> str:  # noqa: FBT002 - flow parameters make a form
    """Send the messages that are due to the addresses in SOURCING_NOTIFY, or a test message to each.

    A message that could not be sent stays, and is tried again for a day.
    """
    settings = SourcingSettings()
    if not settings.notify.get_secret_value():
        raise Nobody("SOURCING_NOTIFY is not set where this runs, so no message goes out: give it addresses of apprise")
    sending = await asyncio.to_thread(_tried if test else _sent, settings)
    failed = [f"{name} did not get it: {why}" for name, why in sending.failures]
    summary = "; ".join([f"{pluralize(sending.sent, 'test message' if test else 'message')} sent", *failed])
    await rename_run(summary)
    (run_logger().warning if failed else run_logger().info)("%s", summary)
    # no failure: that would be one more message that can't be sent
    state: Any = Completed(name=NOT_DELIVERED, message=summary, data=summary) if failed else summary
    return state  # type: ignore[no-any-return]


def _sent(settings: SourcingSettings) -> Sending:
    with Ledger(settings.ledger_url, clock=utc_now, owner="notify") as ledger:
        return send_due(ledger, settings)


def _tried(settings: SourcingSettings) -> Sending:
    done = try_out(settings)
    return Sending(sent=sum(not why for _, why in done), failures=tuple((name, why) for name, why in done if why))
