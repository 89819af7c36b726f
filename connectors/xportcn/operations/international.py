"""InternationalAlibaba: products, orders, freight, payment (nav 81-84)."""

from __future__ import annotations

from functools import partial

from connectors.xportcn.operations.operation import ASSUMED, Operation

_entry = partial(Operation, "InternationalAlibaba")
PRODUCT = _entry(81, "productDetailGet", "POST", "/alibaba/international/product/detail/get", ASSUMED)
PRODUCT_LIST = _entry(82, "productList", "POST", "/alibaba/international/product/list", ASSUMED)
ORDER_LIST = _entry(83, "GetOrderList", "POST", "/alibaba/international/order/list", ASSUMED)
CREATE = _entry(84, "CreateOrder", "POST", "/alibaba/international/order/create", ASSUMED, effect=True)
FREIGHT = _entry(
    None, "freight calculate (upstream only)", "POST", "/alibaba/international/order/freight/calculate", ASSUMED
)
PAY = _entry(None, "order pay (upstream only)", "POST", "/alibaba/international/order/pay", ASSUMED, effect=True)
