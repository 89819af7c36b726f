"""Taobao: products, orders, after-sale, callbacks, cart (nav 1-43)."""

from __future__ import annotations

from connectors.xportcn.operations.operation import ASSUMED, CONFIRMED, SIBLING, Operation

_GROUP = "Taobao / Product"
HOT = Operation(1, _GROUP, "Taobao Hot product recommendation", "POST", "/open/product/hot/list", ASSUMED)
SPU_PAGE = Operation(2, _GROUP, "Taobao Spus list query interface", "POST", "/open/product/spu/page", ASSUMED)
SPU = Operation(3, _GROUP, "Taobao Spus Details Query Interface", "GET", "/open/product/spu/get", ASSUMED)
PRODUCT_V2 = Operation(4, _GROUP, "Taobao Product Detail V2", "GET", "/v2/taobao/product/get", SIBLING)
SEARCH = Operation(5, _GROUP, "Taobao product search API", "POST", "/open/product/search", ASSUMED)
IMAGE_SEARCH = Operation(6, _GROUP, "Taobao product image search API", "POST", "/open/product/image/search", ASSUMED)
ID_MAPPING = Operation(
    7, _GROUP, "Batch query products according to Taobao product id", "POST", "/open/product/batch/check", SIBLING
)
PRODUCT = Operation(8, _GROUP, "Query product by Taobao product ID", "GET", "/open/product/get", SIBLING)
INQUIRY = Operation(9, _GROUP, "Taobao product inquiry", "POST", "/open/product/inquiry", ASSUMED)

_GROUP = "Taobao / Order"
ORDER_PAGE = Operation(10, _GROUP, "purchase order page list", "POST", "/open/purchase/page", CONFIRMED)
CANCEL = Operation(11, _GROUP, "purchase order cancel", "POST", "/open/purchase/cancel", ASSUMED, effect=True)
PAY = Operation(12, _GROUP, "purchase order pay", "POST", "/open/purchase/pay", ASSUMED, effect=True)
RENDER = Operation(13, _GROUP, "purchase order render", "POST", "/open/purchase/render", ASSUMED)
CREATE = Operation(14, _GROUP, "purchase order create V2", "POST", "/open/purchase/create/v2", ASSUMED, effect=True)
RENDER_V2 = Operation(15, _GROUP, "purchase order render v2", "POST", "/open/purchase/render/v2", ASSUMED)
CREATE_V1 = Operation(16, _GROUP, "purchase order create", "POST", "/open/purchase/create", ASSUMED, effect=True)
ORDER_LIST = Operation(17, _GROUP, "Query the order list by page", "GET", "/open/order/page", ASSUMED)
PAYMENT_VOUCHER = Operation(
    18, _GROUP, "Upload payment voucher", "POST", "/open/order/voucher/upload", ASSUMED, effect=True
)
CANCEL_AT_ONCE = Operation(19, _GROUP, "Cancel an order", "POST", "/open/order/cancel", ASSUMED, effect=True)
UPDATE_WAREHOUSE = Operation(
    20, _GROUP, "Modify order advance information", "POST", "/open/order/updateWarehouse", SIBLING, effect=True
)
PAY_ONE = Operation(21, _GROUP, "Pay an order", "POST", "/open/order/pay", ASSUMED, effect=True)
IM_LINK = Operation(22, _GROUP, "Get IM link", "POST", "/open/order/page/link/get", SIBLING)
ORDER_DETAIL = Operation(
    23, _GROUP, "Get order details based on the order ID", "GET", "/open/order/detail/get", ASSUMED
)
LOGISTICS = Operation(24, _GROUP, "Get logistics details", "GET", "/open/order/logistics/detail/get", SIBLING)

_GROUP = "Taobao / After-sale"
REFUND_PAGE = Operation(
    25, _GROUP, "After-sale single-column table query", "POST", "/open/order/refund/queryList", SIBLING
)
REFUND_RENDER = Operation(
    26, _GROUP, "After-sale order rendering interface", "POST", "/v2/taobao/order/refund/render", SIBLING
)
RETURN_RENDER = Operation(
    27, _GROUP, "Return logistics rendering", "GET", "/open/order/refund/return/logistics/render", ASSUMED
)
RETURN_SUBMIT = Operation(
    28,
    _GROUP,
    "Return logistics submission",
    "POST",
    "/open/order/refund/return/logistics/submit",
    ASSUMED,
    effect=True,
)
REFUND_CANCEL = Operation(
    29, _GROUP, "After-sale order cancellation", "GET", "/open/order/refund/cancel/{refundId}", SIBLING, effect=True
)
REFUND_MESSAGE = Operation(
    30, _GROUP, "Submit After-sale order message", "POST", "/open/order/refund/submit/message", SIBLING, effect=True
)
REFUND_SUBMIT = Operation(
    31, _GROUP, "After-sale order submission", "POST", "/open/order/refund/submit", ASSUMED, effect=True
)
REFUND_MESSAGES = Operation(
    32, _GROUP, "After-sale order message list query", "POST", "/open/order/refund/message/list", ASSUMED
)
REFUND_MODIFY = Operation(
    33, _GROUP, "After-sale order modification", "POST", "/open/order/refund/modify", ASSUMED, effect=True
)
REFUND = Operation(34, _GROUP, "After-sale simple query", "GET", "/v2/taobao/order/refund/query", SIBLING)

_GROUP = "Taobao / Message callback"
PRICE_CALLBACK = Operation(35, _GROUP, "Order price correction", "POST", "developer URL: taobao-order-price", ASSUMED)
STATUS_CALLBACK = Operation(
    36, _GROUP, "Order status modification callback", "POST", "developer URL: taobao-order-status", ASSUMED
)
REFUND_CALLBACK = Operation(
    37, _GROUP, "Order after-sales refund", "POST", "developer URL: taobao-order-refund", ASSUMED
)

_GROUP = "Taobao / Shopping cart"
CART = Operation(38, _GROUP, "Shopping cart list", "GET", "/open/cart/list", ASSUMED)
CART_ADD = Operation(39, _GROUP, "Add to shopping cart", "POST", "/open/cart/add", SIBLING, effect=True)
CART_DELETE = Operation(40, _GROUP, "Delete shopping cart item", "POST", "/open/cart/delete", ASSUMED)
CART_EDIT = Operation(41, _GROUP, "Edit product quantity", "POST", "/open/cart/edit-quantity", ASSUMED)
CART_PREVIEW = Operation(42, _GROUP, "Generate order preview", "POST", "/open/cart/preview/order", ASSUMED)
CART_CREATE = Operation(43, _GROUP, "Create order", "POST", "/open/cart/create/order", SIBLING, effect=True)
