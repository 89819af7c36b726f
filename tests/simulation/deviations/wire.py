"""Which call is for what, and which names in the answers are ids, amounts, times,
states and references of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What a call is for, at whatever marketplace."""

    PRODUCT = "product"
    PREVIEW = "preview"
    CREATE = "create"
    PAY = "pay"
    LIST = "list"
    DETAIL = "detail"
    OTHER = "other"


ROLES: dict[str, Role] = {
    "/open/product/get": Role.PRODUCT,
    "/alibaba/product/detail/get": Role.PRODUCT,
    "/alibaba/ka/product/detail/get": Role.PRODUCT,
    "/alibaba/international/product/detail/get": Role.PRODUCT,
    "/poizon/product/detail": Role.PRODUCT,
    "/open/purchase/render": Role.PREVIEW,
    "/open/purchase/render/v2": Role.PREVIEW,
    "/alibaba/order/create/preview": Role.PREVIEW,
    "/alibaba/order/create/previewbatch": Role.PREVIEW,
    "/alibaba/ka/order/create/preview": Role.PREVIEW,
    "/alibaba/international/order/freight/calculate": Role.PREVIEW,
    "/poizon/order/orderPreview": Role.PREVIEW,
    "/open/purchase/create": Role.CREATE,
    "/open/purchase/create/v2": Role.CREATE,
    "/alibaba/order/create": Role.CREATE,
    "/alibaba/ka/order/create": Role.CREATE,
    "/alibaba/international/order/create": Role.CREATE,
    "/poizon/order/createOrder": Role.CREATE,
    "/open/purchase/pay": Role.PAY,
    "/alibaba/order/pay/url": Role.PAY,
    "/alibaba/order/batch/submit/to/pay": Role.PAY,
    "/alibaba/ka/order/pay": Role.PAY,
    "/alibaba/international/order/pay": Role.PAY,
    "/poizon/order/payOrder": Role.PAY,
    "/open/purchase/page": Role.LIST,
    "/v2/alibaba/order/page": Role.LIST,
    "/alibaba/ka/order/page": Role.LIST,
    "/alibaba/international/order/list": Role.LIST,
    "/poizon/order/orderList": Role.LIST,
    "/open/order/detail/get": Role.DETAIL,
    "/alibaba/order/detail": Role.DETAIL,
    "/alibaba/ka/order/detail": Role.DETAIL,
}
EVERYWHERE = frozenset(Role)
ORDERS = frozenset({Role.LIST, Role.DETAIL})
WITH_REFERENCES = ORDERS | {Role.CREATE}


def _named(message: str) -> frozenset[str]:
    return frozenset(message.split())


AMOUNTS = _named(
    """price promotionPrice postFee productAmount domesticPostFee purchaseAmount estimateAmount payAmount sumPayment
    sumCarriage sumPaymentNoCarriage sumTotalPayment discountFee additionalFee amount finalUnitPrice totalSuccessAmount
    orderAmmount totalAmount sumProductPayment shippingFee refund itemAmount serviceFee totalPayment refundAmount
    unitPrice goodsAmount freightAmount realPayAmount paidAmount fee"""
)
IDS = _named("""id itemId mpId skuId mpSkuId purchaseId subPurchaseOrderId orderId offerId idOfStr productID skuID
    subItemIDString orderEntryId productId tradeId distOrderNo distSubOrderNo dwSpuId dwSkuId distSkuId distSpuId
    gspOrderId willPayPurchaseOrderIds payFailurePurchaseOrderIds successOrderIds cantPayOrderList serviceId""")
REFERENCES = _named(
    "outerPurchaseId buyerFeedback outOrderId message channelReferId requestId"
)
STATES = _named("status orderStatus payStatus tradeStatus")
TIMES = _named(
    """createdTime modifyTime payTime createTime allDeliveredTime deliveredTime tbCreateTime createDate payDate
    modifyDate expireTime time acceptTime"""
)
TOTALS = ("totalRecords", "totalRecord", "totalCount")
PAGE_NUMBERS = ("pageNo", "page", "startPage")
REFERENCE_FILTERS = ("outerPurchaseId", "channelReferIds", "requestIds")
ID_FILTERS = ("purchaseIds", "tradeIds", "distOrderNos")
ROWS = ("result", "orderList", "data")
ABSENT = object()
"""In place of a value: the field is left out."""


Change = Callable[[str, Any], Any]


def changed(value: Any, change: Change, name: str = "") -> Any:
    """Every value in it as `change` wants it by the name of its field, from the inside
    out; rows have their list's.
    """
    if isinstance(value, dict):
        built = {key: changed(item, change, key) for key, item in value.items()}
        value = {key: item for key, item in built.items() if item is not ABSENT}
    elif isinstance(value, list):
        value = [changed(item, change, name) for item in value]
    return change(name, value)


def renamed(value: Any, rename: Callable[[str], str]) -> Any:
    """Every field under another name."""
    if isinstance(value, dict):
        return {rename(key): renamed(item, rename) for key, item in value.items()}
    return (
        [renamed(item, rename) for item in value] if isinstance(value, list) else value
    )
