"""The service's refusals: one exception, and the envelope codes of
docs/contract/assumed.md, section 1.
"""

BAD_REQUEST = 40001
UNKNOWN_ACCESS_KEY = 40101
WRONG_SIGNATURE = 40102
STALE_TIMESTAMP = 40103
NONCE_REUSED = 40104
UNKNOWN_USER = 40105
WRONG_LOGISTICS_SIGN = 40106
PRODUCT_NOT_FOUND = 40401
ORDER_NOT_FOUND = 40402
RENDER_NOT_FOUND = 40403
SERVICE_NOT_FOUND = 40404
CART_ROW_NOT_FOUND = 40405
REFUND_NOT_FOUND = 40406
ADDRESS_NOT_FOUND = 40407
CATEGORY_NOT_FOUND = 40408
NO_SUCH_OPERATION = 404
WRONG_METHOD = 405
COUNTRY_NOT_SERVED = 42001
UPSTREAM_REFUSED = 400


class Refusal(Exception):
    """A call that is refused as a whole; `status` is the HTTP status, the rest goes
    into the envelope.
    """

    def __init__(self, code: int, message: str, *, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def bad_request(field: str, problem: str) -> Refusal:
    return Refusal(BAD_REQUEST, f"{field}: {problem}", status=400)


def product_not_found(item_id: str) -> Refusal:
    return Refusal(PRODUCT_NOT_FOUND, f"product {item_id} does not exist")


def order_not_found(order_id: str) -> Refusal:
    return Refusal(ORDER_NOT_FOUND, f"order {order_id} does not exist")


def cart_row_not_found(row_id: int) -> Refusal:
    return Refusal(CART_ROW_NOT_FOUND, f"cart row {row_id} does not exist")


def refund_not_found(refund_id: str) -> Refusal:
    return Refusal(REFUND_NOT_FOUND, f"refund {refund_id} does not exist")


def upstream_refused(code: str, words: str = "") -> Refusal:
    """A refusal of the marketplace behind the service (assumed-all.md, form E)."""
    return Refusal(UPSTREAM_REFUSED, f"{code}: {words}" if words else code)
