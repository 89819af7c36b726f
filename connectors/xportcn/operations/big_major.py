"""bigMajor, the service's KA 1688: products, orders, parcels (nav 85-90)."""

from __future__ import annotations

from connectors.xportcn.operations.operation import ASSUMED, CONFIRMED, Operation

_GROUP = "bigMajor"
PRODUCT = Operation(85, _GROUP, "1688BigMajorProductDetail", "POST", "/alibaba/ka/product/detail/get", ASSUMED)
ORDER_PAGE = Operation(86, _GROUP, "Order list", "POST", "/alibaba/ka/order/page", ASSUMED)
PREVIEW = Operation(
    87,
    _GROUP,
    "Order Preview (The preview interface needs to be called before creating an order)",
    "POST",
    "/alibaba/ka/order/create/preview",
    CONFIRMED,
)
CREATE = Operation(88, _GROUP, "Create an order", "POST", "/alibaba/ka/order/create", CONFIRMED, effect=True)
ORDER_DETAIL = Operation(89, _GROUP, "Get order details", "POST", "/alibaba/ka/order/detail", ASSUMED)
PACKAGE_INBOUND_CALLBACK = Operation(90, _GROUP, "包裹入库回调", "POST", "developer URL: package-inbound", ASSUMED)
SEARCH = Operation(
    None, _GROUP, "AlibabaProductKeywordsQuery (KA only)", "POST", "/alibaba/ka/product/keywords/query", CONFIRMED
)
PAY = Operation(None, _GROUP, "order pay (KA only)", "POST", "/alibaba/ka/order/pay", CONFIRMED, effect=True)
LOGISTICS = Operation(None, _GROUP, "Order Logistics (KA only)", "POST", "/alibaba/ka/order/logistics", ASSUMED)
