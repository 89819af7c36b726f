"""Taobao: products, orders, after-sale, callbacks, cart (nav 1-43)."""

from __future__ import annotations

from functools import partial

from connectors.xportcn.operations.operation import ASSUMED, CONFIRMED, SIBLING, Operation

_entry = partial(Operation, "Taobao / Product")
HOT = _entry(1, "Taobao Hot product recommendation", "POST", "/open/product/hot/list", ASSUMED)
SPU_PAGE = _entry(2, "Taobao Spus list query interface", "POST", "/open/product/spu/page", ASSUMED)
SPU = _entry(3, "Taobao Spus Details Query Interface", "GET", "/open/product/spu/get", ASSUMED)
PRODUCT_V2 = _entry(4, "Taobao Product Detail V2", "GET", "/v2/taobao/product/get", SIBLING)
SEARCH = _entry(5, "Taobao product search API", "POST", "/open/product/search", ASSUMED)
IMAGE_SEARCH = _entry(6, "Taobao product image search API", "POST", "/open/product/image/search", ASSUMED)
ID_MAPPING = _entry(
    7, "Batch query products according to Taobao product id", "POST", "/open/product/batch/check", SIBLING
)
PRODUCT = _entry(8, "Query product by Taobao product ID", "GET", "/open/product/get", SIBLING)
INQUIRY = _entry(9, "Taobao product inquiry", "POST", "/open/product/inquiry", ASSUMED)

_entry = partial(Operation, "Taobao / Order")
ORDER_PAGE = _entry(10, "purchase order page list", "POST", "/open/purchase/page", CONFIRMED)
CANCEL = _entry(11, "purchase order cancel", "POST", "/open/purchase/cancel", ASSUMED, effect=True)
PAY = _entry(12, "purchase order pay", "POST", "/open/purchase/pay", ASSUMED, effect=True)
RENDER = _entry(13, "purchase order render", "POST", "/open/purchase/render", ASSUMED)
CREATE = _entry(14, "purchase order create V2", "POST", "/open/purchase/create/v2", ASSUMED, effect=True)
RENDER_V2 = _entry(15, "purchase order render v2", "POST", "/open/purchase/render/v2", ASSUMED)
CREATE_V1 = _entry(16, "purchase order create", "POST", "/open/purchase/create", ASSUMED, effect=True)
ORDER_LIST = _entry(17, "Query the order list by page", "GET", "/open/order/page", ASSUMED)
PAYMENT_VOUCHER = _entry(18, "Upload payment voucher", "POST", "/open/order/voucher/upload", ASSUMED, effect=True)
CANCEL_AT_ONCE = _entry(19, "Cancel an order", "POST", "/open/order/cancel", ASSUMED, effect=True)
UPDATE_WAREHOUSE = _entry(
    20, "Modify order advance information", "POST", "/open/order/updateWarehouse", SIBLING, effect=True
)
PAY_ONE = _entry(21, "Pay an order", "POST", "/open/order/pay", ASSUMED, effect=True)
IM_LINK = _entry(22, "Get IM link", "POST", "/open/order/page/link/get", SIBLING)
ORDER_DETAIL = _entry(23, "Get order details based on the order ID", "GET", "/open/order/detail/get", ASSUMED)
LOGISTICS = _entry(24, "Get logistics details", "GET", "/open/order/logistics/detail/get", SIBLING)

_entry = partial(Operation, "Taobao / After-sale")
REFUND_PAGE = _entry(25, "After-sale single-column table query", "POST", "/open/order/refund/queryList", SIBLING)
REFUND_RENDER = _entry(26, "After-sale order rendering interface", "POST", "/v2/taobao/order/refund/render", SIBLING)
RETURN_RENDER = _entry(27, "Return logistics rendering", "GET", "/open/order/refund/return/logistics/render", ASSUMED)
RETURN_SUBMIT = _entry(
    28, "Return logistics submission", "POST", "/open/order/refund/return/logistics/submit", ASSUMED, effect=True
)
REFUND_CANCEL = _entry(
    29, "After-sale order cancellation", "GET", "/open/order/refund/cancel/{refundId}", SIBLING, effect=True
)
REFUND_MESSAGE = _entry(
    30, "Submit After-sale order message", "POST", "/open/order/refund/submit/message", SIBLING, effect=True
)
REFUND_SUBMIT = _entry(31, "After-sale order submission", "POST", "/open/order/refund/submit", ASSUMED, effect=True)
REFUND_MESSAGES = _entry(32, "After-sale order message list query", "POST", "/open/order/refund/message/list", ASSUMED)
REFUND_MODIFY = _entry(33, "After-sale order modification", "POST", "/open/order/refund/modify", ASSUMED, effect=True)
REFUND = _entry(34, "After-sale simple query", "GET", "/v2/taobao/order/refund/query", SIBLING)

_entry = partial(Operation, "Taobao / Message callback")
PRICE_CALLBACK = _entry(35, "Order price correction", "POST", "developer URL: taobao-order-price", ASSUMED)
STATUS_CALLBACK = _entry(
    36, "Order status modification callback", "POST", "developer URL: taobao-order-status", ASSUMED
)
REFUND_CALLBACK = _entry(37, "Order after-sales refund", "POST", "developer URL: taobao-order-refund", ASSUMED)

_entry = partial(Operation, "Taobao / Shopping cart")
CART = _entry(38, "Shopping cart list", "GET", "/open/cart/list", ASSUMED)
CART_ADD = _entry(39, "Add to shopping cart", "POST", "/open/cart/add", SIBLING, effect=True)
CART_DELETE = _entry(40, "Delete shopping cart item", "POST", "/open/cart/delete", ASSUMED)
CART_EDIT = _entry(41, "Edit product quantity", "POST", "/open/cart/edit-quantity", ASSUMED)
CART_PREVIEW = _entry(42, "Generate order preview", "POST", "/open/cart/preview/order", ASSUMED)
CART_CREATE = _entry(43, "Create order", "POST", "/open/cart/create/order", SIBLING, effect=True)
