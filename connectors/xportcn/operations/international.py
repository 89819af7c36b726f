"""InternationalAlibaba: products, orders, freight, payment (nav 81-84)."""

from __future__ import annotations

from connectors.xportcn.operations.operation import ASSUMED, Operation

_GROUP = "InternationalAlibaba"
PRODUCT = Operation(81, _GROUP, "productDetailGet", "POST", "/alibaba/international/product/detail/get", ASSUMED)
PRODUCT_LIST = Operation(82, _GROUP, "productList", "POST", "/alibaba/international/product/list", ASSUMED)
ORDER_LIST = Operation(83, _GROUP, "GetOrderList", "POST", "/alibaba/international/order/list", ASSUMED)
CREATE = Operation(84, _GROUP, "CreateOrder", "POST", "/alibaba/international/order/create", ASSUMED, effect=True)
FREIGHT = Operation(
    None, _GROUP, "freight calculate (upstream only)", "POST", "/alibaba/international/order/freight/calculate", ASSUMED
)
PAY = Operation(
    None, _GROUP, "order pay (upstream only)", "POST", "/alibaba/international/order/pay", ASSUMED, effect=True
)
