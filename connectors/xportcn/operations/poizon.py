"""Poizon: products and orders (nav 91-96)."""

from __future__ import annotations

from functools import partial

from connectors.xportcn.operations.operation import ASSUMED, UPSTREAM, Operation

_entry = partial(Operation, "Poizon")
SEARCH = _entry(91, "keyword serch", "POST", "/poizon/product/keywordSearch", ASSUMED)
PRODUCT = _entry(92, "product detail", "POST", "/poizon/product/detail", ASSUMED)
PAY = _entry(93, "PayOrder", "POST", "/poizon/order/payOrder", ASSUMED, effect=True)
ORDER_LIST = _entry(94, "OrderList", "POST", "/poizon/order/orderList", ASSUMED)
CREATE = _entry(95, "CreateOrder", "POST", "/poizon/order/createOrder", UPSTREAM, effect=True)
PREVIEW = _entry(96, "OrderPreview", "POST", "/poizon/order/orderPreview", ASSUMED)
