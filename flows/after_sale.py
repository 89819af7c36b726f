"""The after-sale flows: ask for a refund or a return, send goods back, and follow it
all to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from connectors.ledger.records import OrderRecord
from domain.after_sale import (
    FOLLOWED,
    Refund,
    RefundFault,
    RefundKind,
    RefundOption,
    RefundState,
    ReturnedParcel,
)
from domain.reasons import Reason, ReasonCode, because
from domain.request_remarks import BadInput
from domain.states import OrderState
from domain.wording import pluralize
from flows.after_sale_reporting import (
    ITS_FREIGHT,
    AfterSaleReport,
    Trouble,
    after_sale_report,
)
from flows.batch.chunks import chunks_with_progress
from flows.batch.opening import opened, planned_at
from flows.prefect_ui import remedy_parameters as form
from flows.prefect_ui.artifacts import reasons_shown, show_choices
from flows.prefect_ui.board import progress_shown
from flows.prefect_ui.events import EventFeed
from flows.prefect_ui.expected_errors import run_logger, sourcing_flow
from tasks.after_sale import (
    carriers_for,
    choose_carrier,
)
from tasks.after_sale import return_parcel as name_parcel
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources
from tasks.refund import (
    RefundWish,
    ask_refund,
    follow_refunds,
    foresee_refund,
    refund_options,
)

WHY = (
    "say why: fill in a reason. With only showing switched on and no reason, the run lists those that the marketplace "
    "takes. Nothing was sent"
)
CHOOSE_REASON = "choose a reason first: those that the marketplace takes are in the artifact choices"
CHOOSE_CARRIER = (
    "choose a carrier first: those that take return parcels are in the artifact choices"
)


@sourcing_flow("refund {order_ref}", RefundFault)
async def request_refund(
    order_ref: form.OrderRef = "",
    kind: form.RefundWay = RefundKind.REFUND,
    reason: form.RefundReason = "",
    amount_cny: form.RefundAmount = "",
    lines: form.RefundLines = form.NO_LINES,
    description: form.SellerWords = "",
    vouchers: form.Pictures = form.NO_TEXTS,
    only_show: form.OnlyShow = True,  # noqa: FBT002 - flow parameters make a form
) -> AfterSaleReport:
    """Ask for money back, alone or against the goods.

    No amount asks for the most that is possible, no lines for all. The reason is one of
    the marketplace's own.
    """
    order_ref = form.one_order(order_ref)
    if not (reason.strip() or only_show):
        raise BadInput(WHY)
    wish = RefundWish(
        kind=kind,
        reason=reason.strip(),
        amount=form.an_amount(amount_cny),
        lines=tuple(lines),
        description=description,
        vouchers=tuple(vouchers),
    )
    async with opened() as resources:
        order = await _settled_order(resources, order_ref)
        if only_show:
            would = await _foresee(resources, order, wish)
            return await after_sale_report(
                resources, [order_ref], would={order_ref: would}
            )
        keys = await ask_refund(order_ref, wish, planned_at(resources.clock()))
        notes = [Trouble(order_ref, note) for note in _notes(order, wish)]
        return await after_sale_report(
            resources, [order_ref], keys=keys, troubles=notes
        )


@sourcing_flow("return {order_ref}", RefundFault)
async def return_parcel(
    order_ref: form.OrderRef = "",
    company: form.Company = "",
    number: form.ParcelNumber = "",
    line: form.LineNo = 0,
    note: form.ParcelNote = "",
    vouchers: form.PictureLinks = form.NO_TEXTS,
    only_show: form.OnlyShow = True,  # noqa: FBT002
) -> AfterSaleReport:
    """Name the parcel that brings the goods of an agreed return back to the seller."""
    order_ref = form.one_order(order_ref)
    company = company.strip()
    number = number.strip()
    if not (only_show or (number and company)):
        raise BadInput(
            "say which parcel: fill in its carrier and its tracking number. Nothing was sent"
        )
    async with opened() as resources:
        order = await _settled_order(resources, order_ref)
        refund = _to_return(resources, order_ref, line)
        if only_show:
            would = await _foresee_parcel(resources, refund, company, number)
            return await after_sale_report(
                resources, [order_ref], would={order_ref: would}
            )
        parcel = ReturnedParcel(
            carrier=company, number=number, note=note, vouchers=tuple(vouchers)
        )
        await name_parcel(order, refund, parcel)
        unread = await bring_up_to_date(resources, [refund])
        return await after_sale_report(
            resources, [order_ref], keys=[refund.key], troubles=unread
        )


@sourcing_flow("follow refunds")
async def follow_after_sale() -> AfterSaleReport:
    """Bring every open refund and return up to date, and say what waits for a person.

    Safe to run at any time, and twice.
    """
    async with opened() as resources:
        ledger = resources.ledger
        refs = list(
            dict.fromkeys(
                refund.order_ref for refund in ledger.refunds.in_states(FOLLOWED)
            )
        )
        before = ledger.orders(refs)
        feed = EventFeed(ledger, before.values())
        await settle_open(resources, refs)
        refunds = [
            refund
            for refund in ledger.refunds.of_orders(refs)
            if refund.state in FOLLOWED
        ]
        run_logger().info("%s to follow", pluralize(len(refunds), "refund"))
        async with progress_shown("refunds"):
            troubles = await bring_up_to_date(resources, refunds)
        await feed.emit(refs)
        keys = [refund.key for refund in refunds]
        return await after_sale_report(
            resources, refs, keys=keys, troubles=troubles, was_done=""
        )


async def _foresee_parcel(
    resources: Resources, refund: Refund, company: str, number: str
) -> str:
    """What naming this parcel would do; without a carrier, which carriers there are."""
    carriers = await carriers_for(resources, refund)
    if not company:
        await show_choices([asdict(carrier) for carrier in carriers])
        return f"name the parcel: {CHOOSE_CARRIER}"
    carrier = choose_carrier(carriers, company)
    parcel = number or "(its tracking number is still to be filled in)"
    return f"name parcel {parcel} of {carrier.code} ({carrier.name}) for the {refund.kind} of {refund.asked}"


def _notes(order: OrderRecord, wish: RefundWish) -> list[Reason]:
    """What a refund of all that is booked and not shipped leaves to be done."""
    is_in_part = wish.amount or wish.lines
    return [] if is_in_part or order.state is not OrderState.BOOKED else [ITS_FREIGHT]


async def _foresee(
    resources: Resources, order: OrderRecord, wish: RefundWish
) -> str | Reason:
    """What asking for this would do; without a reason, which reasons there are."""
    if wish.reason:
        asked = map(_dry_run, await foresee_refund(resources, order, wish))
        return "; ".join([*asked, *map(str, _notes(order, wish))])
    options = await refund_options(resources, order, wish.kind)
    await show_choices(reasons_shown(options))
    if not options:
        return because(ReasonCode.NO_REFUND_NOW)
    return f"ask for a {wish.kind}: {CHOOSE_REASON}"


def _dry_run(refund: Refund) -> str:
    """`ask the seller for a refund of 12.00 CNY (101 quality), line 1`."""
    lines = ", ".join(map(str, refund.lines))
    return f"ask the seller for a {refund.kind} of {refund.asked} ({refund.reason}), of lines {lines}"


async def options_for(order_ref: str, kind: RefundKind) -> tuple[RefundOption, ...]:
    """The reasons that the marketplace takes now. Sends nothing."""
    async with opened() as resources:
        return await refund_options(resources, _order(resources, order_ref), kind)


def _order(resources: Resources, order_ref: str) -> OrderRecord:
    order = resources.ledger.orders([order_ref]).get(order_ref)
    if order is None:
        raise RefundFault(
            f"no order {order_ref} in the ledger; see all with: sourcing status"
        )
    return order


async def _settled_order(resources: Resources, order_ref: str) -> OrderRecord:
    """The order, after its open effects were settled and its refunds brought up to
    date.
    """
    _order(resources, order_ref)
    await settle_open(resources, [order_ref])
    await bring_up_to_date(resources, resources.ledger.refunds.of_orders([order_ref]))
    return _order(resources, order_ref)


async def bring_up_to_date(
    resources: Resources, refunds: Sequence[Refund]
) -> list[Trouble]:
    """Follow those of these refunds that are not over; answers the orders with one that
    could not be read.
    """
    followed = [refund for refund in refunds if refund.state in FOLLOWED]
    troubles: list[Trouble] = []
    size = resources.settings.chunk_size
    for label, chunk in chunks_with_progress("after-sale", followed, size):
        unread = await follow_refunds(chunk, label=label)
        troubles += [Trouble(ref, reason) for ref, reason in unread.items()]
    return troubles


def _to_return(resources: Resources, order_ref: str, line: int) -> Refund:
    """The refund of that line, or of any, whose goods are to go back, else that is
    under way. Raises `RefundFault` unless exactly one fits.
    """
    refunds = [
        refund
        for refund in resources.ledger.refunds.of_orders([order_ref])
        if refund.state in FOLLOWED
        and refund.refund_id
        and (not line or line in refund.lines)
    ]
    refunds = [
        refund for refund in refunds if refund.state is RefundState.TO_RETURN
    ] or refunds
    if not refunds:
        raise RefundFault(f"{order_ref} has no refund under way at the marketplace")
    if len(refunds) > 1:
        lines = ", ".join(str(number) for refund in refunds for number in refund.lines)
        raise RefundFault(
            f"{order_ref} has several refunds under way: say which line (one of {lines})"
        )
    return refunds[0]
