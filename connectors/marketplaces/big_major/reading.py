"""bigMajor's answers in the terms of the domain."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.marketplaces.alibaba_1688.reading import domestic_parcels, not_created, problem
from connectors.marketplaces.lines import LinesByIds, shipments, spec_ids, status_of, unmentioned
from connectors.marketplaces.protocol import Created
from connectors.marketplaces.refusals import refusal, unsettled
from connectors.xportcn.operations import big_major
from domain.money import per_unit, total_of
from domain.orders import OrderLine
from domain.quotes import LineProblem, Quote, QuoteLine
from domain.service_orders import ServiceOrder, ServiceStatus

IS_PAID = 2

STATUSES = {
    "waitingforpayment": ServiceStatus.UNPAID,
    "waitingforsent": ServiceStatus.PAID,
    "waitingforreceive": ServiceStatus.SHIPPED,
    "cancel": ServiceStatus.CLOSED,
}


def quote(previewed: Sequence[big_major.PreviewedOrder], lines: tuple[OrderLine, ...]) -> Quote:
    """The quote of all resulting orders together; the total includes the service's fee on each."""
    ours = LinesByIds(lines, spec_ids)
    told = [(ours.take((item.offer_id, item.spec_id)), item) for order in previewed for item in order.items]
    return Quote(
        goods=total_of([order.sum_payment_no_carriage for order in previewed]),
        postage=total_of([order.sum_carriage for order in previewed]),
        total=total_of([order.sum_total_payment for order in previewed]),
        lines=tuple(
            QuoteLine(line_no=our.line_no, unit_price=per_unit(item.amount, our.quantity), amount=item.amount)
            for our, item in told
            if our and item.amount is not None and not item.message
        ),
        problems=tuple(_item_problem(our, item) for our, item in told if item.message or item.amount is None)
        + unmentioned(lines, (our for our, _ in told)),
        order_count=max(1, len(previewed)),
    )


def _item_problem(our: OrderLine | None, item: big_major.PreviewedItem) -> LineProblem:
    code, _, words = item.message.partition(":")
    return problem(code.strip(), words.strip() or item.message or "it has no price", our.line_no if our else 0)


def created(answer: big_major.CreateAnswer, lines: tuple[OrderLine, ...]) -> Created:
    """The new orders. Raises `Refused` only for a clear refusal; anything between is `Unanswered`."""
    ids = tuple(order.order_id for order in answer.order_list if order.order_id)
    totals = [order.total_payment for order in answer.order_list if order.total_payment is not None]
    failed = len(answer.failed_offer_list)
    if answer.success and ids and not failed and len(ids) == len(totals) == len(answer.order_list):
        return Created(order_ids=ids, total=total_of(totals))
    if answer.success is False and not answer.order_list:
        raise not_created(big_major.CREATE, answer, lines)
    words = f"success {answer.success} with order ids {list(ids)}, {len(totals)} amounts and {failed} failed lines"
    raise unsettled(big_major.CREATE, answer, words)


def settle_payment(answer: big_major.PayAnswer, order_id: str) -> None:
    """Return if the order is paid. Raises `Refused` for a clear refusal, `Unanswered` otherwise."""
    if answer.order_id not in ("", order_id):
        raise unsettled(big_major.PAY, answer, f"the answer is about order {answer.order_id}")
    if answer.pay_success and not answer.error_code:
        return
    if answer.pay_success is False and answer.error_code:
        raise refusal(big_major.PAY, answer, answer.error_message, code=answer.error_code)
    raise unsettled(big_major.PAY, answer, f"paid {answer.pay_success} with error code {answer.error_code or 'none'}")


def service_order(order: big_major.Order) -> ServiceOrder:
    is_paid = bool(order.pay_time) or order.pay_status == IS_PAID
    return ServiceOrder(
        order_id=order.order_id,
        reference=order.message,
        own_id=order.out_order_id,
        status=status_of(order.order_status, STATUSES),
        state_word=order.order_status,
        total=order.total_payment,
        paid=order.total_payment if is_paid else None,
        created_at=order.created_at,
        paid_at=order.pay_time,
        close_reason=order.close_reason,
        parcels=domestic_parcels(order.logistics_items),
        shipments=shipments(order.international_logistics),
    )
