"""Poizon's answers in the terms of the domain."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.marketplaces.lines import (
    LinesByIds,
    distinct,
    other_pieces,
    shipments,
    sku_ids,
    status_of,
    trace_status,
    unknown_sale,
    unmentioned,
)
from connectors.marketplaces.protocol import Created
from connectors.marketplaces.refusals import refusal, unsettled
from connectors.xportcn.operations import poizon
from domain.marketplace import Marketplace
from domain.money import total_of
from domain.offers import Offer, OfferSummary, Sku
from domain.orders import OrderLine
from domain.quotes import LineProblem, Problem, Quote, QuoteLine
from domain.service_orders import DomesticParcel, ServiceOrder, ServiceStatus, TrackingEvent

ON_SALE = "ON_SALE"

STATUSES = {
    "unpaid": ServiceStatus.UNPAID,
    "paid": ServiceStatus.PAID,
    "shipped": ServiceStatus.SHIPPED,
    "closed": ServiceStatus.CLOSED,
}

PROBLEMS = {
    "OUT_OF_STOCK": Problem.OUT_OF_STOCK,
    "BELOW_MIN_QUANTITY": Problem.BELOW_MIN_QUANTITY,
    "SPU_OFF_SALE": Problem.OFFLINE,
    "40401": Problem.OFFLINE,
    "SKU_NOT_FOUND": Problem.SKU_UNKNOWN,
    "SELLER_MISMATCH": Problem.SELLERS_DIFFER,
    "ADDRESS_INVALID": Problem.ADDRESS_INVALID,
    "PRICE_CHANGED": Problem.PRICE_CHANGED,
}


def summary(hit: poizon.SearchHit) -> OfferSummary:
    return OfferSummary(
        marketplace=Marketplace.POIZON,
        item_id=hit.dw_spu_id,
        title=hit.title,
        price=hit.min_price,
        image_url=hit.pic_url,
        seller_id=hit.seller_id,
    )


def offer(product: poizon.Product) -> Offer:
    return Offer(
        marketplace=Marketplace.POIZON,
        item_id=product.dw_spu_id,
        title=product.title,
        image_url=next(iter(product.images), ""),
        seller_id=product.seller_id,
        seller_name=product.seller_name,
        min_quantity=max(1, product.min_quantity),
        active=product.status == ON_SALE,
        skus=distinct(_sku(sku) for sku in product.skus),
        distribution_item_id=product.dist_spu_id,
        category_id=product.category_id,
        category_name=product.category_name,
        image_urls=distinct(product.images),
        unknown_state=unknown_sale(ON_SALE, product.status),
    )


def _sku(sku: poizon.ProductSku) -> Sku:
    return Sku(
        sku_id=sku.dw_sku_id,
        name="; ".join(f"{part.name}: {part.value}" for part in sku.properties),
        price=sku.price,
        stock=sku.stock,
        distribution_sku_id=sku.dist_sku_id,
        image_url=sku.pic_url,
    )


def problem(code: str, words: str, line_no: int = 0) -> LineProblem:
    return LineProblem(problem=PROBLEMS.get(code, Problem.OTHER), message=words or code, line_no=line_no)


def quote(preview: poizon.Preview, lines: tuple[OrderLine, ...]) -> Quote:
    """The quote of all resulting orders together."""
    ours = LinesByIds(lines, sku_ids)
    told = [(ours.take((item.dw_spu_id, item.dw_sku_id)), item) for order in preview.orders for item in order.items]
    problems = tuple(_item_problem(our, item) for our, item in told if not item.available or item.error_code)
    problems += tuple(
        other_pieces(our, item.quantity) for our, item in told if our and item.quantity not in (0, our.quantity)
    )
    if preview.success is not True and not problems:
        problems = (problem(preview.error_code, preview.error_message or "refused without a word"),)
    return Quote(
        goods=total_of([order.goods_amount for order in preview.orders]),
        postage=total_of([order.freight_amount for order in preview.orders]),
        total=total_of([order.total_amount for order in preview.orders]),
        lines=tuple(
            QuoteLine(line_no=our.line_no, unit_price=item.price, amount=item.price * our.quantity)
            for our, item in told
            if our and item.price is not None and item.available
        ),
        problems=problems or unmentioned(lines, (our for our, _ in told)),
        order_count=max(1, len(preview.orders)),
    )


def _item_problem(our: OrderLine | None, item: poizon.PreviewedItem) -> LineProblem:
    return problem(item.error_code, item.error_message or "not available", our.line_no if our else 0)


def created(answer: poizon.CreateAnswer) -> Created:
    """The new orders. Raises `Refused` only for a refusal without an order, `Unanswered` for anything between."""
    ids = tuple(order.dist_order_no for order in answer.order_list if order.dist_order_no)
    totals = [order.total_amount for order in answer.order_list if order.total_amount is not None]
    if answer.success and ids and len(ids) == len(totals) == len(answer.order_list):
        return Created(order_ids=ids, total=total_of(totals))
    if answer.success is False and not answer.order_list:
        why = problem(answer.error_code, answer.error_message)
        raise refusal(poizon.CREATE, answer, answer.error_message, code=answer.error_code, problems=(why,))
    words = f"success {answer.success} with order ids {list(ids)} and {len(totals)} amounts"
    raise unsettled(poizon.CREATE, answer, words)


def settle_payment(answer: poizon.PayAnswer, order_id: str) -> None:
    """Return if the order is paid. Raises `Refused` for a clear refusal, `Unanswered` otherwise."""
    if answer.dist_order_no not in ("", order_id):
        raise unsettled(poizon.PAY, answer, f"the answer is about order {answer.dist_order_no}")
    if answer.success and not answer.error_code:
        return
    if answer.success is False and answer.error_code:
        raise refusal(poizon.PAY, answer, answer.error_message, code=answer.error_code)
    raise unsettled(poizon.PAY, answer, f"success {answer.success} with error code {answer.error_code or 'none'}")


def service_order(order: poizon.Order) -> ServiceOrder:
    return ServiceOrder(
        order_id=order.dist_order_no,
        reference=order.request_id or order.customer_order_no,
        status=status_of(order.order_status, STATUSES),
        state_word=order.order_status,
        total=order.total_amount,
        paid=order.real_pay_amount,
        created_at=order.create_time,
        paid_at=order.pay_time,
        close_reason=order.close_reason,
        parcels=tuple(
            DomesticParcel(tracking_number=parcel.express_no, company=parcel.express_company, sent_at=parcel.sent_time)
            for parcel in order.logistics_list
            if parcel.express_no
        ),
        shipments=shipments(order.international_logistics),
    )


def events(order: poizon.Order) -> Iterable[TrackingEvent]:
    traced = [(parcel.express_no, parcel.traces) for parcel in order.logistics_list]
    traced += [(parcel.logistic_number, parcel.traces) for parcel in order.international_logistics]
    for number, traces in traced:
        for trace in traces:
            yield TrackingEvent(
                tracking_number=number,
                occurred_at=trace.time,
                status=trace_status(trace.status),
                description=trace.desc,
            )
