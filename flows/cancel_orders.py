"""The cancelling flow."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from domain.wording import pluralize, shorten
from flows.after_sale_reporting import AfterSaleReport, after_sale_report, dry_run_report
from flows.cancelling import cancel, dry_run_of
from flows.opening import opened
from flows.parameters import BadInput
from flows.remedy_parameters import NO_TEXTS, OnlyShow, some_orders
from flows.shown.board import progress_shown
from flows.shown.events import EventFeed
from flows.shown.expected_errors import report_expected_errors, run_logger
from flows.upkeep_parameters import CancelReason, OrderRefs
from tasks.effects.kinds import settle_open

CHANGED_MY_MIND = "不想要了"


def run_name() -> str:
    """`cancel A-1, A-2, A-3 and 4 more`."""
    return f"cancel {shorten(flow_run.parameters.get('order_refs', [])) or 'no order'}"


@flow(name="cancel-orders", flow_run_name=run_name, persist_result=False)
@report_expected_errors()
async def cancel_orders(
    order_refs: OrderRefs = NO_TEXTS,
    reason: CancelReason = CHANGED_MY_MIND,
    only_show: OnlyShow = True,  # noqa: FBT002 - flow parameters make a form
) -> AfterSaleReport:
    """Cancel orders: unpaid ones are closed, for paid ones that are not shipped the money is asked back.

    Effects without an answer are settled first. Safe to run again: nothing is cancelled or asked for twice.
    """
    order_refs = some_orders(order_refs)
    if not reason.strip():
        raise BadInput("say why: fill in a reason, it is told to the marketplace. Nothing was sent")
    async with opened() as resources:
        before = resources.ledger.orders(order_refs)
        feed = EventFeed(resources.ledger, order_refs)
        run_logger().info("%s to cancel", pluralize(len(order_refs), "order"))
        await settle_open(resources, before)
        if only_show:
            return await dry_run_report(resources, await dry_run_of(resources, order_refs))
        async with progress_shown("orders"):
            troubles = await cancel(resources, order_refs, reason, resources.settings.chunk_size)
        await feed.emit(order_refs)
        return await after_sale_report(resources, order_refs, before=before, troubles=troubles)
