"""bigMajor, the service's KA 1688: products, orders, parcels (nav 85-90)."""

from __future__ import annotations

from functools import partial

from connectors.xportcn.operations.operation import ASSUMED, CONFIRMED, Operation

_entry = partial(Operation, "bigMajor")
PRODUCT = _entry(85, "1688BigMajorProductDetail", "POST", "/alibaba/ka/product/detail/get", ASSUMED)
ORDER_PAGE = _entry(86, "Order list", "POST", "/alibaba/ka/order/page", ASSUMED)
PREVIEW = _entry(
    87,
    "Order Preview (The preview interface needs to be called before creating an order)",
    "POST",
    "/alibaba/ka/order/create/preview",
    CONFIRMED,
)
CREATE = _entry(88, "Create an order", "POST", "/alibaba/ka/order/create", CONFIRMED, effect=True)
ORDER_DETAIL = _entry(89, "Get order details", "POST", "/alibaba/ka/order/detail", ASSUMED)
PACKAGE_INBOUND_CALLBACK = _entry(90, "包裹入库回调", "POST", "developer URL: package-inbound", ASSUMED)
SEARCH = _entry(None, "AlibabaProductKeywordsQuery (KA only)", "POST", "/alibaba/ka/product/keywords/query", CONFIRMED)
PAY = _entry(None, "order pay (KA only)", "POST", "/alibaba/ka/order/pay", CONFIRMED, effect=True)
LOGISTICS = _entry(None, "Order Logistics (KA only)", "POST", "/alibaba/ka/order/logistics", ASSUMED)
