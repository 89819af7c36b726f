"""Poizon: products and orders (nav 91-96)."""

from __future__ import annotations

from connectors.xportcn.operations.operation import ASSUMED, UPSTREAM, Operation

_GROUP = "Poizon"
SEARCH = Operation(91, _GROUP, "keyword serch", "POST", "/poizon/product/keywordSearch", ASSUMED)
PRODUCT = Operation(92, _GROUP, "product detail", "POST", "/poizon/product/detail", ASSUMED)
PAY = Operation(93, _GROUP, "PayOrder", "POST", "/poizon/order/payOrder", ASSUMED, effect=True)
ORDER_LIST = Operation(94, _GROUP, "OrderList", "POST", "/poizon/order/orderList", ASSUMED)
CREATE = Operation(95, _GROUP, "CreateOrder", "POST", "/poizon/order/createOrder", UPSTREAM, effect=True)
PREVIEW = Operation(96, _GROUP, "OrderPreview", "POST", "/poizon/order/orderPreview", ASSUMED)
