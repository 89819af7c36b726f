"""Taobao after-sale: a refund belongs to one sub-order; cancelling an unpaid order is
accepted first, done later.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from connectors.concurrently import concurrently
from connectors.marketplaces.lines import distribution_ids, of_lines, sku_ids
from connectors.marketplaces.listing import each_once
from connectors.marketplaces.protocol import (
    AfterSale,
    Carrier,
    ListedRefund,
    Target,
    failed,
    refund_state,
    require_same,
)
from connectors.marketplaces.refusals import (
    NOT_NOW,
    require_success,
    require_true,
    unsettled,
    word_of,
)
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ContractMismatch, Refused
from connectors.xportcn.operations import taobao_after_sale as api
from connectors.xportcn.operations import taobao_order
from connectors.xportcn.wire import unix_ms
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
from domain.orders import OrderLine

TYPES = {RefundKind.REFUND: 1, RefundKind.RETURN: 2}
UNSHIPPED = "1"
# 3 not received, 4 received (upstream): the service takes what is true
SHIPPED = {RefundKind.REFUND: ("3", "4"), RefundKind.RETURN: ("4",)}
UNKNOWN_AMOUNT = "the answer does not say whether it is taken on"
PAGE_SIZE = 50

STATES = {
    "10": RefundState.ASKED,
    "20": RefundState.AGREED,
    "30": RefundState.RETURNED,
    "100": RefundState.REFUNDED,
    "-10": RefundState.REFUSED,
    "-20": RefundState.CLOSED,
}


class TaobaoAfterSale(AfterSale):
    """Cancellations and refunds of Taobao."""

    marketplace: Marketplace = Marketplace.TAOBAO
    settles_in = timedelta(seconds=5)
    closes_after = timedelta(0)

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def cancel(self, claim: Claim, order_id: str, reason: str) -> None:
        request = taobao_order.CancelRequest(purchase_id=order_id, cancel_reason=reason)
        answer = await self._client.effect(taobao_order.CANCEL, request, claim=claim)
        require_success(
            taobao_order.CANCEL,
            answer,
            doubt="the answer does not say whether it is accepted",
        )

    async def targets(
        self, order_id: str, lines: Sequence[OrderLine], wanted: Collection[int]
    ) -> tuple[Target, ...]:
        order = await self._order(order_id)
        parts = [
            ((part.item_id, part.sku_id), part) for part in order.sub_purchase_orders
        ]
        shop = of_lines(lines, sku_ids, parts)
        distribution = of_lines(lines, distribution_ids, parts)
        targets = [
            _target(line, part)
            for (ours, part), (theirs, _) in zip(shop, distribution, strict=True)
            if (line := ours or theirs) and line.line_no in wanted
        ]
        if {line_no for target in targets for line_no in target.lines} != set(wanted):
            name = taobao_order.ORDER_DETAIL.name
            raise ContractMismatch(
                "the order does not show every line",
                operation=name,
                field="subPurchaseOrders",
            )
        return tuple(targets)

    async def options(
        self, order_id: str, target: Target, kind: RefundKind
    ) -> tuple[RefundOption, ...]:
        """The options for goods as the order shows them: not shipped while no part of
        the target has a parcel.
        """
        shown = (await self._order(order_id)).sub_purchase_orders
        sent = any(
            part.is_sent
            for part in shown
            if part.sub_purchase_order_id in target.entry_ids
        )
        states = SHIPPED[kind] if sent else (UNSHIPPED,)
        found = await concurrently(
            states, lambda goods: self._options(target.entry_ids[0], TYPES[kind], goods)
        )
        return tuple(option for options in found for option in options)

    async def _order(self, order_id: str) -> taobao_order.PurchaseOrder:
        request = taobao_order.OrderDetailRequest(purchase_order_id=order_id)
        shown = await self._client.read(taobao_order.ORDER_DETAIL, request)
        require_same(
            order_id, shown.purchase_id, taobao_order.ORDER_DETAIL, "purchaseId"
        )
        return shown

    async def _options(
        self, sub_order_id: str, refund_type: int, goods: str
    ) -> tuple[RefundOption, ...]:
        request = api.RenderRequest(
            sub_order_id=sub_order_id, refund_type=refund_type, goods_status=int(goods)
        )
        try:
            template = (
                await self._client.read(api.RENDER, request)
            ).refund_order_template
        except Refused as refused:
            if word_of(refused) in NOT_NOW:
                return ()
            raise
        most = template.max_refund_fee.refund_fee
        least = (
            template.max_refund_fee.min_refund_fee
            if template.max_refund_fee.can_edit_refund_fee
            else most
        )
        return tuple(
            RefundOption(
                reason_id=int(reason.reason_id),
                name=reason.reason_desc,
                goods=goods,
                least=least or NOTHING,
                most=most,
            )
            for reason in template.refund_reasons
        )

    async def ask(self, claim: Claim, refund: Refund) -> str:
        answer = await self._client.effect(
            api.SUBMIT,
            api.SubmitRequest(
                sub_order_id=refund.entry_ids[0],
                refund_type=TYPES[refund.kind],
                goods_status=int(refund.goods),
                reason_id=str(refund.reason_id),
                refund_fee=refund.asked,
                refund_desc=refund.description or None,
                refund_images=refund.vouchers or None,
            ),
            claim=claim,
        )
        require_success(api.SUBMIT, answer, doubt=UNKNOWN_AMOUNT)
        if not answer.refund_id:
            raise unsettled(api.SUBMIT, answer, "the answer names no refund")
        return answer.refund_id

    async def carriers(self, refund_id: str) -> tuple[Carrier, ...]:
        rendered = await self._client.read(
            api.RETURN_RENDER, api.RefundRequest(refund_id=refund_id)
        )
        return tuple(
            Carrier(
                code=company.logistics_company_code, name=company.logistics_company_name
            )
            for company in rendered.logistics_company_list
        )

    async def send_back(
        self, claim: Claim, refund_id: str, parcel: ReturnedParcel
    ) -> None:
        request = api.ReturnRequest(
            refund_id=refund_id,
            logistics_company_code=parcel.carrier,
            mail_no=parcel.number,
            return_goods_desc=parcel.note or None,
            refund_images=parcel.vouchers or None,
        )
        require_true(
            api.RETURN_SUBMIT,
            answered=await self._client.effect(api.RETURN_SUBMIT, request, claim=claim),
        )

    async def read(self, refund_id: str) -> ServiceRefund:
        shown = (
            await self._client.read(api.REFUND, api.RefundRequest(refund_id=refund_id))
        ).refund_order_aggregate
        require_same(refund_id, shown.refund_order.refund_id, api.REFUND, "refundId")

        return _service_refund(shown)

    async def list_refunds(self, *, since: datetime) -> list[ListedRefund]:
        async def refunds(page_no: int) -> list[ListedRefund]:
            request = api.RefundPageRequest(
                page_no=page_no, page_size=PAGE_SIZE, refund_start_time=unix_ms(since)
            )
            return [
                _listed(row)
                for row in (await self._client.read(api.PAGE, request)).data
            ]

        return await each_once(refunds, lambda refund: refund.refund_id)


def _target(line: OrderLine, part: taobao_order.SubPurchaseOrder) -> Target:
    refund_ids = (part.refund_id,) if part.refund_id else ()
    return Target(
        lines=(line.line_no,),
        entry_ids=(part.sub_purchase_order_id,),
        refund_ids=refund_ids,
    )


def _listed(row: api.RefundAggregate) -> ListedRefund:
    refund = row.refund_order
    order_id = refund.pay_order_id or row.purchase_order_line.purchase_order_id
    return ListedRefund(
        refund_id=refund.refund_id,
        order_id=order_id,
        amount=refund.refund_fee,
        word=refund.refund_status,
    )


def _service_refund(shown: api.RefundAggregate) -> ServiceRefund:
    refund = shown.refund_order
    logistics = shown.logistics
    state = refund_state(refund.refund_status, STATES, api.REFUND)
    if state is RefundState.AGREED and refund.refund_type == TYPES[RefundKind.RETURN]:
        state = RefundState.TO_RETURN
    company = logistics.logistics_company if logistics else None
    return ServiceRefund(
        refund_id=refund.refund_id,
        state=state,
        asked=refund.refund_fee,
        refunded=refund.refund_fee if state is RefundState.REFUNDED else NOTHING,
        refusal=refund.seller_refuse_reason_describe
        or refund.seller_refuse_reason
        or failed(refund.refund_status),
        company=company.logistics_company_name or company.logistics_company_code
        if company
        else "",
        tracking_number=logistics.mail_no if logistics else "",
        deadline=refund.timeout_date,
    )
