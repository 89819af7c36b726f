"""Orders that show no reference of ours: which of them are ours all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from domain.absence import CLOCKS_APART
from domain.money import Money
from domain.orders import OrderLine
from domain.service_orders import ServiceOrder


def is_as_created(shown: ServiceOrder, lines: Sequence[OrderLine], total: Money, at: datetime) -> bool:
    """Whether an order has exactly the goods and the total of our create, and its time. What is not shown differs."""
    goods, ours = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for one in shown.goods:
        goods[one.item_id, one.sku_id] += one.quantity
    for line in lines:
        ours[line.item_id, line.sku_id] += line.quantity
    is_then = shown.created_at is not None and abs(shown.created_at - at) <= CLOCKS_APART
    return is_then and goods == ours and shown.total == total
