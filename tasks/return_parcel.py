"""Name the parcel that brings returned goods back to the seller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.ledger.records import Intent, OrderChange, OrderRecord
from connectors.xportcn.after_sale.base import Carrier
from domain.after_sale import Refund, RefundFault, RefundState, standing
from domain.effects import Action, Claim
from tasks.effects import Effect, Landed, perform
from tasks.refund_effects import after_sale_of
from tasks.resources import Resources

ON_ITS_WAY = frozenset({RefundState.RETURNED, RefundState.REFUNDED})


@task(name="return_parcel", task_run_name="return {refund.key}", cache_policy=NO_CACHE, persist_result=False, retries=0)
async def return_parcel(
    resources: Resources,
    order: OrderRecord,
    refund: Refund,
    *,
    company: str,
    number: str,
    note: str = "",
    vouchers: tuple[str, ...] = (),
) -> None:
    """Tell the service once which parcel is on its way back. Raises `RefundFault` before anything is sent.

    `company` is the carrier's code or name.
    """
    if refund.state is not RefundState.TO_RETURN:
        raise RefundFault(f"no parcel can be named now: {standing(refund)}")
    carrier = choose_carrier(await after_sale_of(resources, refund).carriers(refund.refund_id), company)
    effect = return_effect(resources, refund, carrier=carrier.code, number=number, note=note, vouchers=vouchers)
    intent = Intent(
        order_ref=order.order_ref,
        action=Action.RETURN,
        amount=None,
        request_hash=f"{carrier.code}/{number}"[:64],
        part=effect.part,
    )
    await perform(resources, effect, [intent], {order.order_ref: order})


def choose_carrier(carriers: Sequence[Carrier], wish: str) -> Carrier:
    """The carrier meant by a code or a name. Raises `RefundFault` with the list."""
    for carrier in carriers:
        if wish.upper() == carrier.code.upper() or wish == carrier.name:
            return carrier
    listed = ", ".join(f"{carrier.code} ({carrier.name})" for carrier in carriers) or "none"
    raise RefundFault(f"no carrier {wish!r} takes return parcels; the service names: {listed}")


def return_effect(
    resources: Resources, refund: Refund, *, carrier: str, number: str, note: str = "", vouchers: tuple[str, ...] = ()
) -> Effect:
    """Naming the return parcel of one refund."""
    after_sale = after_sale_of(resources, refund)
    change = OrderChange(order_ref=refund.order_ref)

    async def send(claim: Claim, order: OrderRecord) -> Landed:
        await after_sale.send_back(
            claim, refund.refund_id, carrier=carrier, number=number, note=note, vouchers=vouchers
        )
        return Landed(answer={"carrier": carrier, "number": number}, change=change)

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Landed]:
        shown = await after_sale.read(refund.refund_id)
        if shown.state not in ON_ITS_WAY:
            return {}
        answer = {"carrier": shown.company, "number": shown.tracking_number}
        return {refund.order_ref: Landed(answer=answer, change=change)}

    return Effect(
        action=Action.RETURN,
        undone=None,
        unsettled=None,
        part=refund.effect_part,
        send=send,
        look=look,
        absence_proves=True,
        question=lambda order: f"Does refund {refund.refund_id} show parcel {number} in the console?",
        on_refused=lambda order, error: OrderChange(order_ref=order.order_ref),
    )
