"""The after-sale flows: ask for a refund or a return, send goods back, and follow it all to the end."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import flow
from prefect.runtime import flow_run

from connectors.ledger.records import OrderRecord
from domain.after_sale import FOLLOWED, Refund, RefundFault, RefundKind, RefundOption, RefundState
from domain.effects import OPEN, Action, EffectStatus
from domain.money import Money
from domain.wording import number_of, some
from flows.after_sale_reporting import AfterSaleReport, after_sale_report
from flows.chunks import told_chunks
from flows.opening import opened
from flows.parameters import ChunkSize
from flows.shown.board import progress_shown
from flows.shown.events import EventFeed
from flows.shown.expected_failures import ends_plainly, run_logger
from flows.upkeep_parameters import OrderRefs
from tasks.confirm_receipt import confirm_receipt
from tasks.effects.kinds import settle_open
from tasks.follow_refunds import follow_refunds
from tasks.message_seller import message_seller
from tasks.refund import RefundWish, ask_refund, refund_options, withdraw
from tasks.resources import Resources
from tasks.return_parcel import return_parcel

AFTER_SALE = frozenset({Action.REFUND, Action.RETURN, Action.CANCEL, Action.RECEIVE, Action.NOTIFY})


@flow(name="ask-refund", flow_run_name="refund {order_ref}", persist_result=False)
@ends_plainly(RefundFault)
async def ask_for_refund(
    order_ref: str,
    kind: RefundKind,
    reason: str,
    amount_cny: str | None = None,
    lines: list[int] | None = None,
    description: str = "",
    vouchers: list[str] | None = None,
) -> AfterSaleReport:
    """Ask for money back, alone or against the goods; where the seller refused before, ask anew.

    No `amount_cny` asks for the most that is possible, no `lines` for all. Raises `RefundFault` before any sending.
    """
    wish = RefundWish(
        kind=kind,
        reason=reason,
        amount=Money.parse(amount_cny) if amount_cny else None,
        lines=tuple(lines or ()),
        description=description,
        vouchers=tuple(vouchers or ()),
    )
    async with opened() as resources:
        order = await _settled_order(resources, order_ref)
        keys = await ask_refund(resources, order, wish)
        return await after_sale_report(resources, [order_ref], keys=keys, troubles=_troubles(resources, order_ref))


@flow(name="return-parcel", flow_run_name="return {order_ref}", persist_result=False)
@ends_plainly(RefundFault)
async def send_back(
    order_ref: str,
    company: str,
    number: str,
    line: int | None = None,
    note: str = "",
    vouchers: list[str] | None = None,
) -> AfterSaleReport:
    """Name the parcel of an agreed return. `company` is the carrier's code or name; `vouchers` are links."""
    async with opened() as resources:
        order = await _settled_order(resources, order_ref)
        refund = _chosen(resources, order_ref, line, prefer=RefundState.TO_RETURN)
        await return_parcel(
            resources, order, refund, company=company, number=number, note=note, vouchers=tuple(vouchers or ())
        )
        return await _after(resources, refund)


@flow(name="withdraw-refund", flow_run_name="withdraw {order_ref}", persist_result=False)
@ends_plainly(RefundFault)
async def withdraw_refund(order_ref: str, line: int | None = None) -> AfterSaleReport:
    """Take a refund back while the seller has not paid it."""
    async with opened() as resources:
        order = await _settled_order(resources, order_ref)
        refund = _chosen(resources, order_ref, line)
        await withdraw(resources, order, refund)
        return await _after(resources, refund)


@flow(name="message-seller", flow_run_name="message {order_ref}", persist_result=False)
@ends_plainly(RefundFault)
async def write_to_seller(
    order_ref: str, words: str, line: int | None = None, vouchers: list[str] | None = None
) -> AfterSaleReport:
    """Write to the seller about a refund; the same words are said once. `vouchers` are links to pictures."""
    async with opened() as resources:
        order = await _settled_order(resources, order_ref)
        refund = _chosen(resources, order_ref, line)
        await message_seller(resources, order, refund, words, tuple(vouchers or ()))
        return await _after(resources, refund)


def receipt_name() -> str:
    """`confirm receipt of A-1, A-2, A-3 and 4 more`."""
    return f"confirm receipt of {some(flow_run.parameters['order_refs'])}"


@flow(name="confirm-receipt", flow_run_name=receipt_name, persist_result=False)
@ends_plainly(RefundFault)
async def receive_orders(order_refs: OrderRefs) -> AfterSaleReport:
    """Confirm that the goods of these orders arrived, which lets their sellers have the money."""
    async with opened() as resources:
        for order_ref in order_refs:
            await confirm_receipt(resources, await _settled_order(resources, order_ref))
        troubles = [trouble for ref in order_refs for trouble in _troubles(resources, ref)]
        return await after_sale_report(resources, order_refs, troubles=troubles)


@flow(name="follow-after-sale", flow_run_name="follow refunds", persist_result=False)
@ends_plainly()
async def follow_after_sale(chunk_size: ChunkSize = 0) -> AfterSaleReport:
    """Bring every refund and return up to date that is not over, and say what waits for a person.

    Safe to run at any time, and twice.
    """
    async with opened() as resources:
        ledger = resources.ledger
        refs = list(dict.fromkeys(refund.order_ref for refund in ledger.refunds.in_states(FOLLOWED)))
        feed = EventFeed(ledger, refs)
        await settle_open(resources, refs)
        refunds = [refund for refund in ledger.refunds.of_orders(refs) if refund.state in FOLLOWED]
        run_logger().info("%s to follow", number_of(len(refunds), "refund"))
        troubles: list[str] = []
        async with progress_shown("refunds"):
            for label, chunk in told_chunks("after-sale", refunds, chunk_size or resources.settings.chunk_size):
                troubles += await follow_refunds(resources, chunk, label=label)
        await feed.tell(refs)
        return await after_sale_report(resources, refs, keys=[refund.key for refund in refunds], troubles=troubles)


async def options_for(order_ref: str, kind: RefundKind) -> tuple[RefundOption, ...]:
    """What the marketplace takes now, to choose a reason from. Sends nothing."""
    async with opened() as resources:
        return await refund_options(resources, _order(resources, order_ref), kind)


def _order(resources: Resources, order_ref: str) -> OrderRecord:
    order = resources.ledger.orders([order_ref]).get(order_ref)
    if order is None:
        raise RefundFault(f"no order {order_ref} in the ledger; see all with: sourcing status")
    return order


async def _settled_order(resources: Resources, order_ref: str) -> OrderRecord:
    """The order after what is open about it was read, and its refunds brought up to date."""
    _order(resources, order_ref)
    await settle_open(resources, [order_ref])
    await _follow(resources, resources.ledger.refunds.of_orders([order_ref]))
    return _order(resources, order_ref)


async def _follow(resources: Resources, refunds: Sequence[Refund]) -> list[str]:
    if followed := [refund for refund in refunds if refund.state in FOLLOWED]:
        return await follow_refunds(resources, followed, label=followed[0].order_ref)
    return []


def _chosen(resources: Resources, order_ref: str, line: int | None, prefer: RefundState | None = None) -> Refund:
    """The one refund meant: of that line, in the preferred state. Raises `RefundFault` when that isn't one."""
    found = [
        refund
        for refund in resources.ledger.refunds.of_orders([order_ref])
        if refund.state in FOLLOWED and (line is None or line in refund.lines)
    ]
    found = [refund for refund in found if refund.state is prefer] or found
    if not found:
        raise RefundFault(f"{order_ref} has no refund under way")
    if len(found) > 1:
        lines = ", ".join(str(number) for refund in found for number in refund.lines)
        raise RefundFault(f"{order_ref} has several refunds under way: say which with --line (one of {lines})")
    return found[0]


async def _after(resources: Resources, refund: Refund) -> AfterSaleReport:
    """The report once the service was asked what the refund has become."""
    troubles = await _follow(resources, [refund])
    return await after_sale_report(
        resources,
        [refund.order_ref],
        keys=[refund.key],
        troubles=[*troubles, *_troubles(resources, refund.order_ref)],
    )


def _troubles(resources: Resources, order_ref: str) -> list[str]:
    """Effects of this run, or still open, that are not done; the newest attempt of each."""
    newest = {
        effect.slot: effect
        for effect in resources.ledger.effects_of([order_ref])
        if effect.status in OPEN or effect.owner == resources.ledger.owner
    }
    return [
        f"{order_ref}: {effect.key} is {effect.status}: {effect.reason}"
        for effect in newest.values()
        if effect.action in AFTER_SALE and effect.status is not EffectStatus.DONE
    ]
