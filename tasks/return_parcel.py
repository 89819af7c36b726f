"""Name the parcel that brings returned goods back to the seller."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.ledger.records import OrderRecord
from connectors.marketplaces.after_sale import Carrier
from domain.after_sale import Refund, RefundFault, RefundState, standing
from tasks.effects.after_sale import after_sale_of
from tasks.effects.kinds import settle_open
from tasks.effects.protocol import perform_alone
from tasks.effects.return_parcel import ReturnParcel
from tasks.engine.resources import Resources
from tasks.engine.retrying import retrying_task


@retrying_task("return {refund.key}")
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
    """Report once which parcel is on its way back. Raises `RefundFault` before anything is sent.

    `company` is the carrier's code or name.
    """
    await settle_open(resources, [order.order_ref])
    carrier = choose_carrier(await carriers_for(resources, refund), company)
    kind = ReturnParcel(resources, refund, carrier.code, number, note, vouchers)
    await perform_alone(kind, order, f"{carrier.code}/{number}"[:64], part=refund.effect_part)


async def carriers_for(resources: Resources, refund: Refund) -> tuple[Carrier, ...]:
    """The carriers that take this return now. Raises `RefundFault` where no parcel can be named."""
    if refund.state is not RefundState.TO_RETURN:
        raise RefundFault(f"no parcel can be named now: {standing(refund)}")
    return await after_sale_of(resources, refund.marketplace).carriers(refund.refund_id)


def choose_carrier(carriers: Sequence[Carrier], wish: str) -> Carrier:
    """The carrier meant by a code or a name. Raises `RefundFault` with the list."""
    for carrier in carriers:
        if wish.upper() == carrier.code.upper() or wish == carrier.name:
            return carrier
    listed = ", ".join(f"{carrier.code} ({carrier.name})" for carrier in carriers) or "none"
    raise RefundFault(f"no carrier {wish!r} takes return parcels; the service names: {listed}")
