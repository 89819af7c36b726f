"""1688: products, orders, after-sale, callbacks, cart (nav 44-74)."""

from __future__ import annotations

from connectors.xportcn.operations.operation import ASSUMED, SIBLING, UPSTREAM, Operation

_GROUP = "1688 / Product"
CATEGORY = Operation(44, _GROUP, "category get", "POST", "/alibaba/product/category/get", ASSUMED)
PRODUCT = Operation(45, _GROUP, "Product details query", "POST", "/alibaba/product/detail/get", SIBLING)
WANGWANG_URL = Operation(
    46, _GROUP, "Convert decryption to Wang Wang URL", "POST", "/alibaba/product/openuid/decrypt", SIBLING
)
SEARCH = Operation(47, _GROUP, "Product keyword query", "POST", "/alibaba/product/keywords/query", SIBLING)
IMAGE_SEARCH = Operation(48, _GROUP, "Product image search", "POST", "/alibaba/product/image/query", SIBLING)
SHOP_SEARCH = Operation(49, _GROUP, "Shop search", "POST", "/alibaba/product/query/selleroffer", SIBLING)

_GROUP = "1688 / Order"
PREVIEW = Operation(
    50, _GROUP, "Preview the data before creating the order", "POST", "/alibaba/order/create/preview", SIBLING
)
PREVIEW_BATCH = Operation(
    51,
    _GROUP,
    "Preview data before order creation (batch for different merchants)",
    "POST",
    "/alibaba/order/create/previewbatch",
    SIBLING,
)
CREATE = Operation(52, _GROUP, "Create an order", "POST", "/alibaba/order/create", SIBLING, effect=True)
CREATE_BATCH = Operation(
    53, _GROUP, "Create an order (different merchants)", "POST", "/alibaba/order/batch/create", SIBLING, effect=True
)
CANCEL = Operation(54, _GROUP, "Cancel the order before payment", "POST", "/alibaba/order/cancel", SIBLING, effect=True)
PAY = Operation(55, _GROUP, "Order payment", "GET", "/alibaba/order/pay/url", SIBLING, effect=True)
RECEIVE = Operation(
    56, _GROUP, "Buyer confirms receipt of goods", "POST", "/alibaba/order/receivegoods", SIBLING, effect=True
)
PAY_BATCH = Operation(
    57,
    _GROUP,
    "Developers submit bulk payment 1688 orders",
    "POST",
    "/alibaba/order/batch/submit/to/pay",
    SIBLING,
    effect=True,
)
LOGISTICS = Operation(
    58, _GROUP, "Get logistics tracking information for orders", "GET", "/alibaba/order/logistics/trace/get", ASSUMED
)
ORDER_PAGE = Operation(59, _GROUP, "Order list paging query", "POST", "/v2/alibaba/order/page", SIBLING)
ORDER_DETAIL = Operation(None, _GROUP, "details (sibling only)", "POST", "/alibaba/order/detail", SIBLING)

_GROUP = "1688 / After-sale"
REFUND_REASONS = Operation(
    60,
    _GROUP,
    "Find the reason for a refund return (to create a refund return)",
    "POST",
    "/alibaba/refund/reason/list",
    ASSUMED,
)
REFUND_VOUCHER = Operation(61, _GROUP, "Upload refund receipt", "POST", "/alibaba/refund/voucher/upload", ASSUMED)
REFUND_CREATE = Operation(
    62, _GROUP, "Create a refund return request", "POST", "/alibaba/refund/detail/create", SIBLING, effect=True
)
RETURN_SUBMIT = Operation(
    63, _GROUP, "Buyer submits refund information", "POST", "/alibaba/refund/goods/return", SIBLING, effect=True
)
LOGISTICS_COMPANIES = Operation(
    64,
    _GROUP,
    "List of logistics companies - All logistics companies",
    "GET",
    "/alibaba/refund/logistics/company/list",
    ASSUMED,
)
REFUND = Operation(65, _GROUP, "Query the details of the after-sales order", "POST", "/alibaba/refund/info", SIBLING)

_GROUP = "1688 / Message callback"
PRICE_CALLBACK = Operation(66, _GROUP, "Order price correction", "POST", "developer URL: 1688-order-price", UPSTREAM)
STATUS_CALLBACK = Operation(
    67, _GROUP, "Order status modification interface", "POST", "developer URL: 1688-order-status", UPSTREAM
)
REFUND_CALLBACK = Operation(
    68, _GROUP, "1688 order after sale refund", "POST", "developer URL: 1688-order-refund", UPSTREAM
)

_GROUP = "1688 / Shopping cart"
CART = Operation(69, _GROUP, "Shopping cart list", "GET", "/v2/alibaba/cart/list", SIBLING)
CART_ADD = Operation(70, _GROUP, "Add shopping cart", "POST", "/alibaba/cart/add", ASSUMED, effect=True)
CART_DELETE = Operation(71, _GROUP, "Delete shopping cart items", "POST", "/alibaba/cart/delete", ASSUMED)
CART_EDIT = Operation(72, _GROUP, "Edit quantity of goods", "POST", "/alibaba/cart/edit-quantity", SIBLING)
CART_PREVIEW = Operation(
    73, _GROUP, "Preview the data interface before creating the order", "POST", "/alibaba/cart/preview/order", SIBLING
)
CART_CREATE = Operation(74, _GROUP, "Create an order", "POST", "/alibaba/cart/create/order", SIBLING, effect=True)
