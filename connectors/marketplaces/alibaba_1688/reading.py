"""1688's answers in the terms of the domain."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from itertools import product
from typing import Any

from connectors.marketplaces.lines import (
    PARTLY_SENT,
    Amounts,
    distinct,
    domestic,
    of_lines,
    oldest_first,
    priced_line,
    problem_of,
    quote_of,
    scan,
    shipments,
    spec_ids,
    status_of,
    unknown_sale,
    unmentioned,
)
from connectors.marketplaces.protocol import Created
from connectors.marketplaces.refusals import (
    ORDER_NOT_EXIST,
    ORDER_NOT_FOUND,
    ORDER_STATUS_ERROR,
    refusal,
    settle_listed,
    unsettled,
)
from connectors.xportcn.errors import ContractMismatch, Misconfigured, Refused
from connectors.xportcn.operations import alibaba_batch, alibaba_order, alibaba_product
from connectors.xportcn.operations.operation import EffectCall
from connectors.xportcn.wire import numbers_in
from domain.marketplace import Marketplace
from domain.money import Money, total_of
from domain.offers import (
    NOTHING,
    LineProblem,
    Offer,
    OfferSummary,
    Problem,
    Quote,
    Sku,
    VolumePrice,
)
from domain.orders import OrderLine
from domain.service_orders import (
    DomesticParcel,
    Goods,
    ServiceOrder,
    ServiceStatus,
    TrackingEvent,
)

PUBLISHED = "published"
NOTHING_YET = "404"
NO_SUCH_PATH = 404

STATUSES = {
    "waitbuyerpay": ServiceStatus.UNPAID,
    "paidbutnotfund": ServiceStatus.PAYMENT_PENDING,
    "waitsellersend": ServiceStatus.PAID,
    "waitbuyerreceive": ServiceStatus.SHIPPED,
    "confirmgoods": ServiceStatus.FINISHED,
    "success": ServiceStatus.FINISHED,
    "cancel": ServiceStatus.CLOSED,
    "terminated": ServiceStatus.CLOSED,
}

# Contract 1.6; 006 to 008 (mixed batch, consignment, price of nothing) have no term in
# the domain.
PROBLEMS = {
    "500_001": Problem.OFFLINE,
    "500_002": Problem.SELLERS_DIFFER,
    "500_003": Problem.SKU_UNKNOWN,
    "500_004": Problem.OUT_OF_STOCK,
    "500_005": Problem.BELOW_MIN_QUANTITY,
    "500_006": Problem.RULED_OUT,
    "500_007": Problem.RULED_OUT,
    "500_008": Problem.RULED_OUT,
    "500_009": Problem.BELOW_MIN_QUANTITY,
    "40401": Problem.OFFLINE,
}


def summary(hit: alibaba_product.SearchHit, marketplace: Marketplace) -> OfferSummary:
    return OfferSummary(
        marketplace=marketplace,
        item_id=hit.offer_id,
        title=hit.subject or hit.subject_trans,
        price=hit.price_info.price,
        image_url=hit.image_url,
        seller_id=hit.seller_open_id,
    )


def offer(product: alibaba_product.Product, marketplace: Marketplace) -> Offer:
    return Offer(
        marketplace=marketplace,
        item_id=product.offer_id,
        title=product.subject or product.subject_trans,
        image_url=next(iter(product.product_image.images), ""),
        seller_id=product.seller_open_id,
        seller_name=product.seller_data.shop_name,
        min_quantity=max(1, product.min_order_quantity),
        active=product.status == PUBLISHED,
        skus=distinct(_sku(sku) for sku in product.product_sku_infos),
        volume_prices=distinct(
            VolumePrice(start_quantity=step.start_quantity, price=step.price)
            for step in product.product_sale_info.price_range_list
        ),
        category_id=product.category_id,
        category_name=product.category_name,
        image_urls=distinct(product.product_image.images),
        unknown_state=unknown_sale(PUBLISHED, product.status),
    )


def _sku(sku: alibaba_product.ProductSku) -> Sku:
    return Sku(
        sku_id=sku.sku_id,
        name="; ".join(
            f"{part.attribute_name}: {part.value}" for part in sku.sku_attributes
        ),
        price=sku.price,
        stock=sku.amount_on_sale,
        spec_id=sku.spec_id,
        image_url=sku.sku_image_url,
    )


def problem(code: str, words: str, line: OrderLine | None = None) -> LineProblem:
    """The problem of a refusal. Addresses are refused in words only (contract 1.6: code
    400, `AddressId invalid`).
    """
    is_address = "AddressId invalid" in words
    known = Problem.ADDRESS_INVALID if is_address else PROBLEMS.get(code)
    return problem_of(known or Problem.OTHER, words or code, line)


def quote(
    preview: alibaba_order.Preview,
    lines: tuple[OrderLine, ...],
) -> Quote:
    """The quote of all previewed orders together.

    Raises `ContractMismatch` when an agreed preview has no sums.
    """
    told = of_lines(
        lines,
        spec_ids,
        (
            ((cargo.offer_id, cargo.spec_id), cargo)
            for part in preview.results
            for cargo in part.cargo_list
        ),
    )
    problems = tuple(
        problem(cargo.result_code, cargo.message, our)
        for our, cargo in told
        if cargo.result_code in PROBLEMS
    )
    problems = problems or tuple(_order_problems(preview))
    if not preview.success and not problems:
        problems = (
            problem(preview.error_code, preview.error_msg or "refused without a word"),
        )
    if not problems and not preview.results:
        raise _no_sums()
    priced = tuple(
        priced_line(our, cargo.amount)
        for our, cargo in told
        if our and cargo.amount is not None
    )
    amounts: list[Amounts] = []
    for part in preview.results:
        if part.sum_payment is None and not problems:
            raise _no_sums()
        total = part.sum_payment or NOTHING
        parts = part.sum_payment_no_carriage, part.sum_carriage
        amounts.append((*((total, NOTHING) if problems else parts), total))
    first = preview.results[0] if preview.results else None
    return quote_of(
        alibaba_order.PREVIEW,
        amounts,
        priced,
        problems or unmentioned(lines, told),
        flow=first.flow_flag if first else "",
        discount=total_of([part.discount_fee or NOTHING for part in preview.results]),
        **(trade(first.trade_mode_name_list) if first else {}),
    )


TRADE_TYPES = ("assureTrade", "fxassure", "alipay", "assure")
"""None of them is on credit: a debt to a seller is no payment of ours."""


def trade(named: Sequence[str], *, may_be_unnamed: bool = False) -> dict[str, str]:
    """The first allowed trade type of a preview, as `Quote` has it; a create without
    one may buy on credit (upstream).
    """
    usable = [name for name in named if name in TRADE_TYPES]
    if usable or (may_be_unnamed and not named):
        return {"trade_type": usable[0] if usable else ""}
    offered = (
        f"only by {', '.join(named)}" if named else "by no trade type that it names"
    )
    return {
        "hold": f"the seller sells it {offered}; allowed are {', '.join(TRADE_TYPES)}"
    }


def _order_problems(preview: alibaba_order.Preview) -> Iterable[LineProblem]:
    if preview.error_code in PROBLEMS:
        yield problem(preview.error_code, preview.error_msg)
        return
    for part in preview.results:
        if part.result_code in PROBLEMS or part.status.lower() == "false":
            yield problem(
                part.result_code,
                part.message or part.result_code or "refused without a word",
            )


def _no_sums() -> ContractMismatch:
    name = alibaba_order.PREVIEW.name
    return ContractMismatch(
        "the preview names no sums", operation=name, field="orderPreviewResuslt"
    )


def created(
    answer: alibaba_order.CreateAnswer, lines: tuple[OrderLine, ...]
) -> Created:
    """The new order or orders.

    Raises `Refused` only when no order id came with the refusal: samples show success
    false beside an id (contract 2.7), and with some lines failed there may be an order
    of the others. Then it is `Unanswered`.
    """
    parts = [part for part in answer.order_list if part.order_id]
    ids = tuple(dict.fromkeys(part.order_id for part in parts)) or (
        (answer.order_id,) if answer.order_id else ()
    )
    total = _created_total(answer, parts)
    failed = failed_words(answer) + [
        _failed_part(part) for part in answer.order_list if not part.is_made
    ]
    if answer.success and ids and not failed and total is not None:
        return Created(order_ids=ids, total=total)
    if ids or (answer.success is not False and not answer.failed_offer_list):
        words = f"success {answer.success} with order ids {list(ids)} and failed lines {failed}"
        raise unsettled(alibaba_order.CREATE, answer, words)
    raise not_created(alibaba_order.CREATE, answer, lines)


def _created_total(
    answer: alibaba_order.CreateAnswer, parts: list[alibaba_order.CreatedOrder]
) -> Money | None:
    if answer.total_success_amount is not None:
        return answer.total_success_amount
    amounts = [part.order_amount for part in parts if part.order_amount is not None]
    return total_of(amounts) if parts and len(amounts) == len(parts) else None


def _failed_part(part: alibaba_order.CreatedOrder) -> str:
    return part.message or part.result_code or "a part without an order"


def failed_words(answer: alibaba_order.CreationAnswer) -> list[str]:
    return [
        f"{one.offer_id} {one.error_message or one.error_code}"
        for one in answer.failed_offer_list
    ]


def not_created(
    call: EffectCall[Any, Any],
    answer: alibaba_order.CreationAnswer,
    lines: tuple[OrderLine, ...],
) -> Refused:
    """A refused create of 1688 or bigMajor, with the problem of each line."""
    failures = of_lines(
        lines,
        spec_ids,
        (
            ((failed.offer_id, failed.spec_id), failed)
            for failed in answer.failed_offer_list
        ),
    )
    problems = tuple(
        problem(failed.error_code, failed.error_message, our)
        for our, failed in failures
    ) or (problem(answer.code, answer.message),)
    code = answer.code or next(
        (failed.error_code for failed in answer.failed_offer_list), ""
    )
    return refusal(
        call,
        answer,
        answer.message or problems[0].message,
        code=code,
        problems=problems,
    )


def pay_code(code: str, words: str) -> str:
    """The code of a refused payment in Taobao's terms; 1688 gives words or a number."""
    if ORDER_STATUS_ERROR in words:
        return ORDER_STATUS_ERROR
    return ORDER_NOT_EXIST if code == ORDER_NOT_FOUND else code


def require_paid(answer: alibaba_batch.PayAnswer, order_id: str) -> None:
    """Return if the order is paid, or soon to be; raises as `settle_payment`."""
    failures = (
        (pay_code(failed.error_code, failed.error_message), failed.error_message)
        for failed in answer.failed_order_list
        if failed.order_id == order_id
    )
    paid_ids = answer.success_order_ids
    settle_listed(alibaba_batch.PAY, answer, order_id, paid_ids, failures)


def service_order(order: alibaba_order.Order) -> ServiceOrder:
    base = order.base_info
    return ServiceOrder(
        order_id=base.id_text or base.id,
        reference=base.buyer_feedback,
        own_id=base.out_order_id,
        status=status_of(base.status, STATUSES, is_paid=base.pay_time is not None),
        state_word=base.status,
        total=base.total_amount,
        paid=base.total_amount if base.pay_time else None,
        created_at=base.create_time,
        paid_at=base.pay_time,
        close_reason=base.close_reason,
        parcels=parcels(order.native_logistics.logistics_items),
        shipments=shipments(order.international_logistics),
        is_partly_sent=base.status in PARTLY_SENT,
        goods=tuple(
            Goods(item_id=it.product_id, sku_id=it.sku_id, quantity=it.quantity)
            for it in order.product_items
            if status_of(it.status, STATUSES) is not ServiceStatus.CLOSED
        ),
    )


def parcels(items: Iterable[alibaba_order.LogisticsItem]) -> tuple[DomesticParcel, ...]:
    return domestic(
        *(
            (one.logistics_bill_no, one.logistics_company_name, one.delivered_time)
            for one in items
        )
    )


async def traced(logistics: Awaitable[alibaba_order.Logistics]) -> list[TrackingEvent]:
    """The events of an order, oldest first; none for code 404, 1688's word for no
    events yet (upstream).

    HTTP 404 beside it is a wrong path all the same.
    """
    try:
        return oldest_first(events(await logistics))
    except (Misconfigured, Refused) as error:
        if error.code == NOTHING_YET and error.status != NO_SUCH_PATH:
            return []
        raise


def events(logistics: alibaba_order.Logistics) -> Iterable[TrackingEvent]:
    for parcel in logistics.logistics_trace:
        for number, step in product(
            numbers_in(parcel.logistics_bill_no), parcel.logistics_steps
        ):
            yield scan(number, step.accept_time, step.status, step.remark)
