"""Cancelling orders: unpaid orders are closed, paid and unshipped orders get their money back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect import flow
from prefect.runtime import flow_run

from connectors.ledger.records import OrderRecord
from connectors.xportcn.errors import Misconfigured, XportcnError
from domain.after_sale import CancelWay, RefundFault, RefundKind, judge_cancel
from domain.effects import OPEN, SPENDING, Action
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from domain.wording import pluralize, shorten
from flows.after_sale_reporting import AfterSaleReport, after_sale_report, dry_run_report
from flows.batch.chunks import chunks_with_progress
from flows.batch.opening import opened
from flows.prefect_ui.board import progress_shown
from flows.prefect_ui.dry_run import DryRunRow
from flows.prefect_ui.events import EventFeed
from flows.prefect_ui.expected_errors import report_expected_errors, run_logger
from flows.prefect_ui.parameters import BadInput, CancelReason, OrderRefs
from flows.prefect_ui.remedy_parameters import NO_TEXTS, OnlyShow, some_orders
from tasks.cancel_order import cancel_orders as cancel_chunk
from tasks.cancel_order import confirm_cancellations
from tasks.effects.kinds import settle_open
from tasks.progress import progress
from tasks.reading_orders import read_each
from tasks.refund import RefundWish, ask_refund
from tasks.resources import Resources

NOT_THERE = "no such order in the ledger; see all with: sourcing status"
APPROVED = (
    "nothing was ordered yet, but it is approved: a run or a look at its batch goes on to order it, whether its lines "
    "are still in the file or not. Run its file once more without a yes, and leave it out there"
)
ITS_FREIGHT = "its freight is booked, which only the warehouse can cancel: ask it to"


async def dry_run_of(resources: Resources, order_refs: Sequence[str]) -> list[DryRunRow]:
    """What cancelling would do to each order, by the ledger and a reading of the paid orders."""
    orders = resources.ledger.orders(order_refs)
    verdicts = {ref: _judge(resources, order) for ref, order in orders.items()}
    paid = [orders[ref] for ref, (way, _) in verdicts.items() if way is CancelWay.REFUND]
    at_service, unread = await read_each(resources, paid)
    why_not = {ref: str(why) for ref, why in unread.items()}
    why_not |= {ref: words for ref, one in at_service.items() if (words := _past_cancelling(one))}
    rows = [_dry_run(order, *verdicts[ref], why_not.get(ref, "")) for ref, order in orders.items()]
    return [*rows, *(DryRunRow(order_ref=ref, state="", why_not=NOT_THERE) for ref in order_refs if ref not in orders)]


def _dry_run(order: OrderRecord, way: CancelWay, words: str, unread: str) -> DryRunRow:
    freight = f"; {ITS_FREIGHT}" if order.shipment is not None else ""
    would = {
        CancelWay.CANCEL: "close it unpaid",
        CancelWay.REFUND: f"ask the seller for {order.paid} back{freight}",
        CancelWay.IS_DONE: "do nothing: it is cancelled, or its money is asked back already",
    }
    why_not = unread or words
    return DryRunRow(order_ref=order.order_ref, state=order.state, would="" if why_not else would[way], why_not=why_not)


async def cancel(resources: Resources, order_refs: Sequence[str], reason: str, chunk_size: int) -> list[str]:
    orders = resources.ledger.orders(order_refs)
    verdicts = {ref: _judge(resources, order) for ref, order in orders.items()}
    ways = {ref: way for ref, (way, _) in verdicts.items()}
    unpaid = {ref: orders[ref] for ref, way in ways.items() if way is CancelWay.CANCEL}
    listener = progress.get()
    for label, refs in chunks_with_progress("cancel", list(unpaid), chunk_size):
        await cancel_chunk(resources, {ref: unpaid[ref] for ref in refs}, reason=reason, label=label)
    await confirm_cancellations(resources, [ref for ref, way in ways.items() if way is CancelWay.IS_DONE])
    paid = {ref: orders[ref] for ref, way in ways.items() if way is CancelWay.REFUND}
    listener.start("ask back", len(paid))
    refused = await _ask_back(resources, paid, reason)
    listener.advance("ask back", len(paid))
    unknown = [f"{ref}: {NOT_THERE}" for ref in order_refs if ref not in orders]
    stopped = [f"{ref}: {words}" for ref, (way, words) in verdicts.items() if way is CancelWay.STOP]
    return [*unknown, *stopped, *refused, *_still_open(resources, list(unpaid))]


def _judge(resources: Resources, order: OrderRecord) -> tuple[CancelWay, str]:
    if resources.offerings[order.marketplace].after_sale is None:
        words = (
            f"the service can't cancel orders of {order.marketplace}; unpaid ones close by themselves after 24 hours"
        )
        return CancelWay.STOP, words
    effects = resources.ledger.effects_of([order.order_ref])
    if any(effect.status in OPEN and effect.action in SPENDING for effect in effects):
        return (
            CancelWay.STOP,
            f"another run is at work on it, or nobody knows yet what became of that; run again. {order.reason}".strip(),
        )
    if order.order_id is None and any(effect.action is Action.CREATE and effect.answer for effect in effects):
        return CancelWay.STOP, order.reason  # several orders for one reference: only a person can say which
    if order.state is OrderState.PLANNED and order.plan_hash is not None:
        return CancelWay.STOP, APPROVED
    return judge_cancel(
        order.state, ordered=order.order_id is not None, paid=order.paid_minor is not None, reason=order.reason
    )


async def _ask_back(resources: Resources, orders: Mapping[str, OrderRecord], reason: str) -> list[str]:
    shown, unread = await read_each(resources, orders.values())
    troubles = [f"{ref}: {words}" for ref, words in unread.items()]
    for ref, one in shown.items():
        if words := _past_cancelling(one):
            troubles.append(f"{ref}: {words}")
            continue
        try:
            await ask_refund(resources, orders[ref], RefundWish(kind=RefundKind.REFUND, reason=reason))
        except Misconfigured:
            raise
        except (RefundFault, XportcnError) as error:
            troubles.append(f"{ref}: not cancelled: {error}")
        else:
            if orders[ref].shipment is not None:
                troubles.append(f"{ref}: {ITS_FREIGHT}")
    return troubles


def _past_cancelling(shown: ServiceOrder) -> str:
    """Why the money of a paid order can't be asked back by cancelling; empty when it can."""
    if shown.status is ServiceStatus.PAID:
        return ""
    return f"it is {shown.status} at the marketplace: ask for a refund or a return (sourcing refund)"


def _still_open(resources: Resources, order_refs: Sequence[str]) -> list[str]:
    left = resources.ledger.orders(order_refs).values()
    return [
        f"{order.order_ref}: {order.reason or 'it is not cancelled'}"
        for order in left
        if order.state is not OrderState.CANCELLED or order.reason
    ]


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
