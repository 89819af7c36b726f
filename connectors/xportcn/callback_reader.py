"""The orders that a posted message names (contract 3, assumed-all 6).

A message is a hint to read these orders and nothing more. So its form does not matter:
an envelope with JSON as text, bare JSON, the field of a form.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

MAX_ORDERS_A_MESSAGE = 100
ID_FIELDS = (
    *("orderId", "orderID", "order_id", "alibaba_order_id", "alibabaOrderId"),
    *("purchaseId", "purchase_id", "purchaseOrderId"),
    *("tradeId", "trade_id", "distOrderNo"),
)
NAMED_ID = re.compile(
    rf'"(?:{"|".join(ID_FIELDS)})\\*"\s*:\s*\\*"?([\w-]{{1,64}})(?![\w-])', re.ASCII
)
"""An id beside its name; in JSON within JSON, backslashes stand before each quote."""


def order_ids_in(body: bytes) -> tuple[str, ...]:
    """Return the ids of orders in a message, each once; none of more than a hundred.

    An example:

        >>> order_ids_in(b'{"messageBody": "{\\\\"orderId\\\\": 71}"}')
        ('71',)
    """
    text = unquote_plus(body.decode("utf-8", "replace"))
    order_ids = tuple(dict.fromkeys(NAMED_ID.findall(text)))
    return order_ids if len(order_ids) <= MAX_ORDERS_A_MESSAGE else ()
