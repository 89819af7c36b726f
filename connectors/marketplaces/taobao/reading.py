"""Taobao's answers in the terms of the domain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import product

from connectors.marketplaces.lines import (
    PARTLY_SENT,
    distinct,
    distribution_ids,
    domestic,
    of_lines,
    other_pieces,
    plain_problem,
    priced_line,
    problem_of,
    quote_of,
    scan,
    shipments,
    status_of,
    unknown_sale,
    unmentioned,
)
from connectors.marketplaces.protocol import Created
from connectors.marketplaces.refusals import (
    created_orders,
    no_quote,
    refused_create,
    settle_listed,
)
from connectors.xportcn.errors import ContractMismatch
from connectors.xportcn.operations import taobao_order, taobao_product
from connectors.xportcn.wire import numbers_in
from domain.marketplace import Marketplace
from domain.money import Money, total_of
from domain.offers import (
    Offer,
    OfferSummary,
    Problem,
    Quote,
    Sku,
)
from domain.orders import OrderLine
from domain.service_orders import (
    DomesticParcel,
    Goods,
    ServiceOrder,
    ServiceStatus,
    Shipment,
    ShipmentItem,
    TrackingEvent,
)

ACTIVE = "active"
CLOSED = frozenset({"4"})

STATUSES = {
    "0": ServiceStatus.UNPAID,
    "1": ServiceStatus.PAYMENT_PENDING,
    "2": ServiceStatus.PAYMENT_PENDING,
    "3": ServiceStatus.PAYMENT_REFUSED,
    "4": ServiceStatus.CLOSED,
    "5": ServiceStatus.PAYMENT_PENDING,
    "10": ServiceStatus.PAID,
    "11": ServiceStatus.SHIPPED,
    "12": ServiceStatus.BUILDING,
}


def summary(hit: taobao_product.SearchHit | taobao_product.Spu) -> OfferSummary:
    return OfferSummary(
        marketplace=Marketplace.TAOBAO,
        item_id=hit.item_id,
        title=hit.title,
        price=hit.price or Money(0),
        image_url=hit.pic_url,
        seller_id=hit.shop_id,
        seller_name=hit.shop_name,
    )


def lacks_distribution_ids(product: taobao_product.Product) -> bool:
    return not product.mp_id or any(not sku.mp_sku_id for sku in product.sku_list)


def offer(
    product: taobao_product.Product, mapping: taobao_product.Mapping | None = None
) -> Offer:
    """The product; missing ids are taken from `mapping`. A product without ids can't be
    ordered: it is not active.
    """
    mapped = (
        next(
            (item for item in mapping.mp_products if item.item_id == product.item_id),
            None,
        )
        if mapping
        else None
    )
    distribution_id = product.mp_id or (mapped.mp_id if mapped else "")
    sku_ids = {sku.sku_id: sku.mp_sku_id for sku in mapped.sku_list} if mapped else {}
    return Offer(
        marketplace=Marketplace.TAOBAO,
        item_id=product.item_id,
        title=product.title,
        image_url=next(iter(product.pic_urls), ""),
        seller_id=product.shop_id,
        seller_name=product.shop_name,
        min_quantity=max(1, product.begin_amount),
        active=product.status == ACTIVE and bool(distribution_id),
        skus=distinct(
            _sku(sku, sku.mp_sku_id or sku_ids.get(sku.sku_id, ""))
            for sku in product.sku_list
        ),
        distribution_item_id=distribution_id,
        category_id=product.category_id,
        category_name=product.category_name,
        image_urls=distinct(product.pic_urls),
        unknown_state=unknown_sale(
            ACTIVE, product.status, *(sku.status for sku in product.sku_list)
        ),
    )


def _sku(sku: taobao_product.ProductSku, distribution_id: str) -> Sku:
    return Sku(
        sku_id=sku.sku_id,
        name="; ".join(
            f"{part.prop_name}: {part.value_name}" for part in sku.properties
        ),
        price=sku.promotion_price or sku.price,
        stock=sku.quantity,
        distribution_sku_id=distribution_id,
        image_url=sku.pic_url,
        active=sku.status == ACTIVE and bool(distribution_id),
    )


def quote(rendered: taobao_order.Rendered, lines: tuple[OrderLine, ...]) -> Quote:
    """The quote of all parts together: a seller with two depots has two. More than one
    seller is a problem.

    Raises `ContractMismatch` for an answer without parts, and for a total of all parts
    that is above theirs.
    """
    parts = [line for order in rendered.orders for line in order.lines]
    if rendered.is_refused and all(
        line.available and not line.error_code for line in parts
    ):
        code = rendered.error_code
        words = rendered.error_message or "refused without a word"
        return no_quote(plain_problem(code, words), code)
    if not rendered.orders:
        raise ContractMismatch(
            "the preview names no orders",
            operation=taobao_order.RENDER.name,
            field="orders",
        )
    told = of_lines(
        lines,
        distribution_ids,
        (((line.item_id, line.sku_id), line) for line in parts),
    )
    problems = [
        plain_problem(
            line.error_code,
            line.error_message or line.error_code or "not available",
            our,
        )
        for our, line in told
        if not line.available or line.error_code
    ]
    available = [(our, line) for our, line in told if our and line.available]
    problems += [
        other_pieces(our, line.quantity)
        for our, line in available
        if line.quantity != our.quantity
    ]
    sold = (
        order
        for order in rendered.orders
        if any(line.available for line in order.lines) or not order.lines
    )
    sellers = dict.fromkeys(order.supplier_nick for order in sold)
    if len(sellers) > 1:
        words = f"the lines are of several sellers: {', '.join(sellers)}"
        problems.append(problem_of(Problem.SELLERS_DIFFER, words))
    total = total_of([order.purchase_amount for order in rendered.orders])
    if rendered.real_pay and rendered.real_pay > total:
        words = f"{rendered.real_pay} is to be paid in all, its orders cost {total}"
        raise ContractMismatch(
            words, operation=taobao_order.RENDER.name, field="totalRealPayPrice"
        )
    priced = tuple(
        priced_line(our, amount)
        for our, line in available
        if (amount := line.amount or (line.price and line.price * our.quantity))
    )
    amounts = [
        (order.product_amount, order.domestic_post_fee, order.purchase_amount)
        for order in rendered.orders
    ]
    return quote_of(
        taobao_order.RENDER,
        amounts,
        priced,
        (*problems, *unmentioned(lines, told)),
    )


def created(answer: taobao_order.CreateAnswer) -> Created:
    """The new order. Raises `Refused` only for a refusal without an order."""
    if answer.success is False and not answer.order_list:
        problem = plain_problem(answer.error_code, answer.error_message)
        raise refused_create(taobao_order.CREATE, answer, problem)
    failed = [
        f"{line.order_line_no} {line.error_message or line.error_code}"
        for line in answer.failed_line_list
    ]
    return created_orders(
        taobao_order.CREATE,
        answer,
        [(order.purchase_id, order.estimate_amount) for order in answer.order_list],
        is_success=answer.success,
        failed=failed,
    )


def require_paid(answer: taobao_order.PayAnswer, order_id: str) -> None:
    """Return if the order is paid, or soon to be; raises as `settle_payment`."""
    failures = [
        (result.error_code, result.error_message)
        for result in answer.pay_failed_results
        if result.gsp_order_id == order_id
    ]
    if order_id in answer.pay_failure_purchase_order_ids:
        failures.append(("", ""))
    paid_ids = answer.will_pay_purchase_order_ids
    settle_listed(taobao_order.PAY, answer, order_id, paid_ids, failures)


def service_order(order: taobao_order.PurchaseOrder) -> ServiceOrder:
    return ServiceOrder(
        order_id=order.purchase_id,
        reference=order.outer_purchase_id,
        status=status_of(order.status, STATUSES, is_paid=order.pay_time is not None),
        state_word=order.status,
        total=order.purchase_amount,
        paid=order.pay_amount,
        created_at=order.created_time,
        paid_at=order.pay_time,
        close_reason=next(
            (
                part.close_reason
                for part in order.sub_purchase_orders
                if part.close_reason
            ),
            "",
        ),
        parts=tuple(part.sub_purchase_order_id for part in order.sub_purchase_orders),
        parcels=_parcels(order),
        shipments=_shipments(order),
        is_partly_sent=order.status in PARTLY_SENT or _lacks_parcels(order),
        goods=tuple(
            Goods(item_id=part.item_id, sku_id=part.sku_id, quantity=part.quantity)
            for part in _open_parts(order) or order.sub_purchase_orders
        ),
    )


def _lacks_parcels(order: taobao_order.PurchaseOrder) -> bool:
    """Whether some open parts are sent and others are not."""
    return len({part.is_sent for part in _open_parts(order)}) > 1


def _open_parts(
    order: taobao_order.PurchaseOrder,
) -> list[taobao_order.SubPurchaseOrder]:
    return [
        part for part in order.sub_purchase_orders if str(part.status) not in CLOSED
    ]


def _parcels(order: taobao_order.PurchaseOrder) -> tuple[DomesticParcel, ...]:
    sent = [
        parcel for part in order.sub_purchase_orders for parcel in part.logistic_orders
    ]
    told = domestic(
        *(
            (one.logistic_number, one.logistic_company_name, one.rts_time)
            for one in sent
        )
    )
    return tuple({parcel.tracking_number: parcel for parcel in told}.values())


def _shipments(order: taobao_order.PurchaseOrder) -> tuple[Shipment, ...]:
    told = [
        (part, parcel)
        for part in order.sub_purchase_orders
        for parcel in part.international_logistic_orders
    ]
    items = defaultdict[str, list[ShipmentItem]](list)
    for part, parcel in told:
        items[parcel.order_id].append(
            ShipmentItem(
                tracking_number=parcel.logistic_number,
                item_id=part.item_id,
                sku_id=part.sku_id,
                quantity=part.quantity,
                title=part.title,
            )
        )
    return shipments((parcel for _, parcel in told), items)


def events(logistics: taobao_order.Logistics) -> Iterable[TrackingEvent]:
    for parcel in logistics.pnm_logistics_details:
        for number, trace in product(
            numbers_in(parcel.mail_no), parcel.logistics_traces
        ):
            words = trace.standard_desc or trace.status_desc
            place = trace.city or trace.facility_name
            yield scan(number, trace.time, trace.status, words, place)
