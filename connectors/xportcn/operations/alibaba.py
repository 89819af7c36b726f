"""1688: products, orders, after-sale, callbacks, cart (nav 44-74)."""

from __future__ import annotations

from functools import partial

from connectors.xportcn.operations.operation import ASSUMED, SIBLING, UPSTREAM, Operation

_entry = partial(Operation, "1688 / Product")
CATEGORY = _entry(44, "category get", "POST", "/alibaba/product/category/get", ASSUMED)
PRODUCT = _entry(45, "Product details query", "POST", "/alibaba/product/detail/get", SIBLING)
WANGWANG_URL = _entry(46, "Convert decryption to Wang Wang URL", "POST", "/alibaba/product/openuid/decrypt", SIBLING)
SEARCH = _entry(47, "Product keyword query", "POST", "/alibaba/product/keywords/query", SIBLING)
IMAGE_SEARCH = _entry(48, "Product image search", "POST", "/alibaba/product/image/query", SIBLING)
SHOP_SEARCH = _entry(49, "Shop search", "POST", "/alibaba/product/query/selleroffer", SIBLING)

_entry = partial(Operation, "1688 / Order")
PREVIEW = _entry(50, "Preview the data before creating the order", "POST", "/alibaba/order/create/preview", SIBLING)
PREVIEW_BATCH = _entry(
    51,
    "Preview data before order creation (batch for different merchants)",
    "POST",
    "/alibaba/order/create/previewbatch",
    SIBLING,
)
CREATE = _entry(52, "Create an order", "POST", "/alibaba/order/create", SIBLING, effect=True)
CREATE_BATCH = _entry(
    53, "Create an order (different merchants)", "POST", "/alibaba/order/batch/create", SIBLING, effect=True
)
CANCEL = _entry(54, "Cancel the order before payment", "POST", "/alibaba/order/cancel", SIBLING, effect=True)
PAY = _entry(55, "Order payment", "GET", "/alibaba/order/pay/url", SIBLING, effect=True)
RECEIVE = _entry(56, "Buyer confirms receipt of goods", "POST", "/alibaba/order/receivegoods", SIBLING, effect=True)
PAY_BATCH = _entry(
    57, "Developers submit bulk payment 1688 orders", "POST", "/alibaba/order/batch/submit/to/pay", SIBLING, effect=True
)
LOGISTICS = _entry(
    58, "Get logistics tracking information for orders", "GET", "/alibaba/order/logistics/trace/get", ASSUMED
)
ORDER_PAGE = _entry(59, "Order list paging query", "POST", "/v2/alibaba/order/page", SIBLING)
ORDER_DETAIL = _entry(None, "details (sibling only)", "POST", "/alibaba/order/detail", SIBLING)

_entry = partial(Operation, "1688 / After-sale")
REFUND_REASONS = _entry(
    60,
    "Find the reason for a refund return (to create a refund return)",
    "POST",
    "/alibaba/refund/reason/list",
    ASSUMED,
)
REFUND_VOUCHER = _entry(61, "Upload refund receipt", "POST", "/alibaba/refund/voucher/upload", ASSUMED)
REFUND_CREATE = _entry(
    62, "Create a refund return request", "POST", "/alibaba/refund/detail/create", SIBLING, effect=True
)
RETURN_SUBMIT = _entry(
    63, "Buyer submits refund information", "POST", "/alibaba/refund/goods/return", SIBLING, effect=True
)
LOGISTICS_COMPANIES = _entry(
    64,
    "List of logistics companies - All logistics companies",
    "GET",
    "/alibaba/refund/logistics/company/list",
    ASSUMED,
)
REFUND = _entry(65, "Query the details of the after-sales order", "POST", "/alibaba/refund/info", SIBLING)

_entry = partial(Operation, "1688 / Message callback")
PRICE_CALLBACK = _entry(66, "Order price correction", "POST", "developer URL: 1688-order-price", UPSTREAM)
STATUS_CALLBACK = _entry(
    67, "Order status modification interface", "POST", "developer URL: 1688-order-status", UPSTREAM
)
REFUND_CALLBACK = _entry(68, "1688 order after sale refund", "POST", "developer URL: 1688-order-refund", UPSTREAM)

_entry = partial(Operation, "1688 / Shopping cart")
CART = _entry(69, "Shopping cart list", "GET", "/v2/alibaba/cart/list", SIBLING)
CART_ADD = _entry(70, "Add shopping cart", "POST", "/alibaba/cart/add", ASSUMED, effect=True)
CART_DELETE = _entry(71, "Delete shopping cart items", "POST", "/alibaba/cart/delete", ASSUMED)
CART_EDIT = _entry(72, "Edit quantity of goods", "POST", "/alibaba/cart/edit-quantity", SIBLING)
CART_PREVIEW = _entry(
    73, "Preview the data interface before creating the order", "POST", "/alibaba/cart/preview/order", SIBLING
)
CART_CREATE = _entry(74, "Create an order", "POST", "/alibaba/cart/create/order", SIBLING, effect=True)
