"""1688 after-sale: a refund is for an order or some of its entries; an order may be
cancelled ten seconds after it.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from connectors.concurrently import concurrently
from connectors.marketplaces.lines import distinct, of_lines, spec_ids
from connectors.marketplaces.protocol import (
    AfterSale,
    Carrier,
    Target,
    failed,
    refund_state,
    require_same,
)
from connectors.marketplaces.refusals import (
    NOT_NOW,
    require_true,
    unsettled,
    word_of,
)
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ContractMismatch, NotSent, Refused
from connectors.xportcn.models import Nothing
from connectors.xportcn.operations import alibaba_after_sale as api
from connectors.xportcn.operations import alibaba_order
from domain.after_sale import (
    NOTHING,
    Refund,
    RefundKind,
    RefundOption,
    RefundState,
    ReturnedParcel,
    ServiceRefund,
)
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money, total_of
from domain.orders import OrderLine

UNSHIPPED = "refundWaitSellerSend"
RECEIVED = frozenset({"refundBuyerReceived", "aftersaleBuyerReceived"})
GOODS = {
    "waitsellersend": (UNSHIPPED,),
    "waitbuyerreceive": ("refundWaitBuyerReceive", "refundBuyerReceived"),
    "confirm_goods": ("aftersaleBuyerReceived", "aftersaleBuyerNotReceived"),
    "success": ("aftersaleBuyerReceived", "aftersaleBuyerNotReceived"),
}
TOO_FAST = "CLOSE_ORDER_TOO_FAST"
TOO_FAST_S = 10.0

STATES = {
    "waitselleragree": RefundState.ASKED,
    "waitbuyermodify": RefundState.REFUSED,
    "waitbuyersend": RefundState.TO_RETURN,
    "waitsellerreceive": RefundState.RETURNED,
    "refundsuccess": RefundState.REFUNDED,
    "refundclose": RefundState.CLOSED,
}


class Alibaba1688AfterSale(AfterSale):
    """Cancellations and refunds of 1688."""

    marketplace: Marketplace = Marketplace.ALIBABA_1688
    settles_in = timedelta(0)
    closes_after = timedelta(seconds=TOO_FAST_S)

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def cancel(self, claim: Claim, order_id: str, reason: str) -> None:
        request = alibaba_order.CancelRequest(
            order_id=order_id, cancel_reason=reason[:100]
        )
        try:
            answered = await self._client.effect(
                alibaba_order.CANCEL, request, claim=claim
            )
        except Refused as refused:
            if word_of(refused) == TOO_FAST:
                words = "the order is too young to be cancelled"
                raise NotSent(
                    words,
                    operation=refused.operation,
                    code=TOO_FAST,
                    retry_after_s=TOO_FAST_S,
                ) from refused
            raise
        require_true(alibaba_order.CANCEL, answered=answered)

    async def targets(
        self, order_id: str, lines: Sequence[OrderLine], wanted: Collection[int]
    ) -> tuple[Target, ...]:
        order = await self._order(order_id)
        rows = [((item.product_id, item.spec_id), item) for item in order.product_items]
        items = {
            line.line_no: item
            for line, item in of_lines(lines, spec_ids, rows)
            if line and line.line_no in wanted
        }
        if items.keys() != {*wanted} or not all(
            item.entry_id for item in items.values()
        ):
            raise ContractMismatch(
                "the order does not show every line",
                operation=alibaba_order.ORDER_DETAIL.name,
                field="productItems",
            )
        is_whole = len(items) == len(order.product_items)
        entry_ids = () if is_whole else tuple(item.entry_id for item in items.values())
        refund_ids = distinct(
            item.refund_id for item in items.values() if item.refund_id
        )
        return (
            Target(
                lines=tuple(sorted(items)), entry_ids=entry_ids, refund_ids=refund_ids
            ),
        )

    async def options(
        self, order_id: str, target: Target, kind: RefundKind
    ) -> tuple[RefundOption, ...]:
        order = await self._order(order_id)
        goods = [
            state
            for state in GOODS.get(order.base_info.status, ())
            if kind is RefundKind.REFUND or state in RECEIVED
        ]
        found = await concurrently(
            goods, lambda state: self._reasons(order_id, target.entry_ids, state)
        )
        return tuple(
            _option(reason, state, order, target.entry_ids)
            for state, reasons in zip(goods, found, strict=True)
            for reason in reasons
        )

    async def _reasons(
        self, order_id: str, entry_ids: tuple[str, ...], goods: str
    ) -> tuple[api.Reason, ...]:
        request = api.ReasonsRequest(
            order_id=order_id, order_entry_ids=entry_ids or None, goods_status=goods
        )
        try:
            return (await self._client.read(api.REASONS, request)).reasons
        except Refused as refused:
            if word_of(refused) in NOT_NOW:
                return ()
            raise

    async def upload(self, picture: bytes) -> str:
        request = api.VoucherRequest(image_data=base64.b64encode(picture).decode())
        return (await self._client.read(api.VOUCHER, request)).url

    async def ask(self, claim: Claim, refund: Refund) -> str:
        answer = await self._client.effect(
            api.CREATE,
            api.CreateRequest(
                order_id=refund.order_id,
                order_entry_ids=refund.entry_ids or None,
                dispute_request="refund"
                if refund.kind is RefundKind.REFUND
                else "returnRefund",
                apply_payment=refund.goods_amount,
                apply_carriage=refund.postage,
                apply_reason_id=str(refund.reason_id),
                description=refund.description,
                goods_status=refund.goods,
                vouchers=refund.vouchers or None,
            ),
            claim=claim,
        )
        if not answer.refund_id:
            raise unsettled(api.CREATE, answer, "the answer names no refund")
        return answer.refund_id

    async def carriers(self, refund_id: str) -> tuple[Carrier, ...]:
        companies = await self._client.read(api.COMPANIES, Nothing())
        return tuple(
            Carrier(code=company.company_no, name=company.company_name)
            for company in companies
        )

    async def send_back(
        self, claim: Claim, refund_id: str, parcel: ReturnedParcel
    ) -> None:
        request = api.ReturnRequest(
            refund_id=refund_id,
            logistics_company_no=parcel.carrier,
            freight_bill=parcel.number,
            description=parcel.note or None,
            vouchers=parcel.vouchers or None,
        )
        require_true(
            api.RETURN,
            answered=await self._client.effect(api.RETURN, request, claim=claim),
        )

    async def read(self, refund_id: str) -> ServiceRefund:
        shown = await self._client.read(
            api.REFUND, api.RefundRequest(refund_id=refund_id)
        )
        require_same(refund_id, shown.refund_id, api.REFUND, "refundId")
        return _service_refund(shown)

    async def _order(self, order_id: str) -> alibaba_order.Order:
        request = alibaba_order.OrderDetailRequest(order_id=order_id)
        shown = await self._client.read(alibaba_order.ORDER_DETAIL, request)
        require_same(
            order_id,
            shown.base_info.id_text or shown.base_info.id,
            alibaba_order.ORDER_DETAIL,
            "idOfStr",
        )
        return shown


def _option(
    reason: api.Reason,
    goods: str,
    order: alibaba_order.Order,
    entry_ids: tuple[str, ...],
) -> RefundOption:
    """The amounts that a reason allows (assumed-all.md 3.3): before shipping exactly
    all, later up to the rest.

    The order shows refunds only as a sum, so after a refund no postage is asked for.
    """
    worth = _worth(
        item
        for item in order.product_items
        if not entry_ids or item.entry_id in entry_ids
    )
    back = order.base_info.refund or NOTHING
    postage = (order.base_info.shipping_fee or NOTHING) if not back.minor else NOTHING
    if goods == UNSHIPPED:
        exact = NOTHING if entry_ids else postage
        least = worth
        most = worth
        least_postage = exact
        most_postage = exact
    else:
        left = (
            max(worth - back, NOTHING)
            if not entry_ids
            else min(worth, _worth(order.product_items) - back)
        )
        least = Money(1)
        most = left
        least_postage = NOTHING
        most_postage = NOTHING if reason.no_refund_carriage or entry_ids else postage
    return RefundOption(
        reason_id=int(reason.id),
        name=reason.name,
        goods=goods,
        least=least,
        most=most,
        least_postage=least_postage,
        most_postage=most_postage,
        needs_voucher=reason.need_voucher,
    )


def _worth(items: Iterable[alibaba_order.ProductItem]) -> Money:
    amounts = [item.item_amount for item in items]
    known = [amount for amount in amounts if amount is not None]
    if len(known) < len(amounts):
        name = alibaba_order.ORDER_DETAIL.name
        raise ContractMismatch(
            "an entry has no amount", operation=name, field="productItems.itemAmount"
        )
    return total_of(known)


def _service_refund(refund: api.Refund) -> ServiceRefund:
    """The refund. Before it is done its sum may be what is only to be given back; once
    it is done it must be there.
    """
    state = refund_state(refund.status, STATES, api.REFUND)
    back = refund.refund_payment if state is RefundState.REFUNDED else NOTHING
    if back is None:
        raise ContractMismatch(
            "a refund is done without its sum",
            operation=api.REFUND.name,
            field="refundPayment",
        )
    return ServiceRefund(
        refund_id=refund.refund_id,
        state=state,
        asked=refund.apply_payment + (refund.apply_carriage or NOTHING),
        refunded=back,
        refusal=refund.reject_reason or failed(refund.status),
        company=refund.buyer_logistics_name,
        tracking_number=refund.freight_bill,
    )
