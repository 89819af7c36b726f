"""Taobao's own answer to a preview, in the contract's shape (upstream; a reseller hands
it through, wrapped twice).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WRAPS = ("result", "data")
NO = ("false", "0", "n", "no")
CNY = "CNY"


def in_contract_shape(raw: Any) -> Any:
    """A preview as the contract has it; an answer of neither shape stays as it is."""
    inner = _unwrapped(raw)
    if inner is None:
        return raw
    items = _get(inner, "renderItemList")
    shaped = inner if "orders" in inner or items is None else _rendered(items, inner)
    if not _refuses(inner):
        return shaped
    error_message = _get(inner, "errorMsg") or _get(inner, "errorMessage")
    return {
        **shaped,
        "isRefused": True,
        "errorCode": _get(inner, "errorCode"),
        "errorMessage": error_message,
    }


def _unwrapped(raw: Any) -> Mapping[str, Any] | None:
    """The part that has the orders, or refuses."""
    inner = raw
    while isinstance(inner, Mapping):
        if (
            "orders" in inner
            or _get(inner, "renderItemList") is not None
            or _refuses(inner)
        ):
            return inner
        inner = next(
            (inner[name] for name in WRAPS if isinstance(inner.get(name), Mapping)),
            None,
        )
    return None


def _refuses(inner: Mapping[str, Any]) -> bool:
    return str(_get(inner, "success")).lower() in NO


def _rendered(items: Any, whole: Mapping[str, Any]) -> dict[str, Any]:
    unavailable_skus = _get(whole, "unavailableSkuList") or []
    orders = [_order(item) for item in items if isinstance(item, Mapping)]
    missing = [_gone(sku) for sku in unavailable_skus if isinstance(sku, Mapping)]
    if missing:
        orders.append(
            {
                "productAmount": 0,
                "domesticPostFee": 0,
                "purchaseAmount": 0,
                "lines": missing,
            }
        )
    return {"orders": orders, "realPay": _fen(_get(whole, "totalRealPayPrice"))}


def _order(item: Mapping[str, Any]) -> dict[str, Any]:
    lines = [
        _line(info)
        for info in _get(item, "itemPriceInfos") or []
        if isinstance(info, Mapping)
    ]
    return {
        "supplierNick": _get(item, "nick"),
        "productAmount": _sum([line["amount"] for line in lines]),
        "domesticPostFee": _fen(_get(item, "mainlandShippingFee")),
        "purchaseAmount": _fen(_get(item, "orderFee")),
        "lines": lines,
    }


def _line(info: Mapping[str, Any]) -> dict[str, Any]:
    """A line; `discountPrice` is its subtotal."""
    return {
        "itemId": _get(info, "itemId"),
        "skuId": _get(info, "skuId"),
        "quantity": _get(info, "quantity"),
        "price": _fen(_get(info, "originPrice")),
        "amount": _fen(_get(info, "discountPrice")),
    }


def _gone(sku: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "itemId": _get(sku, "itemId"),
        "skuId": _get(sku, "skuId"),
        "quantity": 0,
        "available": False,
        "errorCode": _get(sku, "errorCode"),
        "errorMessage": _get(sku, "errorMsg") or _get(sku, "reason"),
    }


def _fen(amount: Any) -> Any:
    """The number of an amount with its currency; other currencies are no amount."""
    if not isinstance(amount, Mapping):
        return amount
    return _get(amount, "amount") if (_get(amount, "currency") or CNY) == CNY else None


def _sum(amounts: Sequence[Any]) -> Any:
    """The sum of whole numbers; none where one is missing or is another kind of
    number.
    """
    known_ids = [
        int(amount)
        for amount in amounts
        if isinstance(amount, int) or (isinstance(amount, str) and amount.isdigit())
    ]
    return sum(known_ids) if len(known_ids) == len(amounts) else None


def _get(found: Mapping[str, Any], name: str) -> Any:
    """A value by its name in camel case or in snake case."""
    snake = "".join(
        f"_{letter.lower()}" if letter.isupper() else letter for letter in name
    )
    return found.get(name, found.get(snake))
