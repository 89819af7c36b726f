"""Columns that several tables have, with one meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from connectors.snapshots.tables.table import (
    MOMENT,
    Column,
    Getter,
    count,
    or_none,
    text,
    texts,
)
from domain.marketplace import Marketplace

OUR_CLOCK = "UTC, this machine's clock"
SERVICE_CLOCK = "UTC, the service's clock"
MINOR_UNITS = "minor units of `currency`"
NOT_STATED = "never; an empty text where the marketplace gives none"
*_FIRST, _LAST = Marketplace
NOT_FILLED = "always: no run fills this column so far"
A_MOMENT = datetime(2026, 11, 2, 16, 0, 0, tzinfo=UTC)


def moment(
    description: str,
    *,
    source: str,
    null: str = "",
    clock: str = OUR_CLOCK,
    get: str | Getter = "",
) -> Column:
    """A time by this `clock`; one that may be absent says when (`null`)."""
    return Column(
        MOMENT,
        description,
        unit=clock,
        source=source,
        example=A_MOMENT,
        null=null,
        get=get,
    )


COLUMNS: Mapping[str, Column] = {
    "order_ref": text(
        "The merchant's own reference of the order. It ties the tables together, and the service shows it on the "
        "order.",
        source="request file: `order_ref`",
        example="US-1001",
    ),
    "line_no": count(
        "Place of the line among the lines of its order.",
        unit="1, 2, 3 … in the file's order",
        source="order of the rows in the request file",
        example=1,
    ),
    "marketplace": text(
        f"Where it is bought: {', '.join(f'`{marketplace}`' for marketplace in _FIRST)} or `{_LAST}`.",
        source="request file: `marketplace`",
        example="taobao",
    ),
    "order_id": text(
        "The marketplace's own number of the order.",
        source="create answer; ledger",
        example="2542285634920880794",
        null="the marketplace has not made the order, as far as is known",
    ),
    "state": text(
        "Where the order stands: `planned`, `ordered`, `payment_pending`, `paid`, `booked`, `shipped`, `in_warehouse`, "
        "`in_transit`, `delivered`; off that road `held` (waits for a person), `refused`, `unknown` (it is open "
        "whether something happened), `cancelled`, `refunding`, `refunded`.",
        source="ledger",
        example="delivered",
    ),
    "reason": text(
        "Why the order is where it is, and what to do about it. May quote the service.",
        source="ledger",
        example="设计师 帆布 双肩包 T10007 costs 29.10 CNY each, limit 20.00 CNY: raise max_unit_price or drop the "
        "line",
        null="there is nothing to say",
        get=or_none("reason"),
    ),
    "reason_code": text(
        "The code of `reason`: [reasons.md](reasons.md) has each.",
        source="ledger",
        example="price_above_limit",
        null="there is nothing to say",
    ),
    "item_id": text(
        "The marketplace's id of the product page.",
        source="item looked up, or search answer",
        example="730254020329",
    ),
    "sku_id": text(
        "The marketplace's id of the variant.",
        source="product answer",
        example="5134912345678",
    ),
    "title": text(
        "The product's title in the marketplace's language.",
        source="product answer",
        example="复古 帆布 双肩包 旅行 A10010",
        null=NOT_STATED,
    ),
    "image_url": text(
        "Picture of the variant, else of the product.",
        source="product answer",
        example="https://img.example.com/5134912345678.jpg",
        null=NOT_STATED,
    ),
    "seller_id": text(
        "The marketplace's id of the seller or shop.",
        source="product answer",
        example="BBB1fc396b68e0557215a1e1f57",
        null=NOT_STATED,
    ),
    "seller_name": text(
        "The shop's name.",
        source="product answer",
        example="杭州良品4号",
        null=NOT_STATED,
    ),
    "spec_id": text(
        "1688's and bigMajor's second id of the variant, by which it is ordered there. Empty elsewhere.",
        source="product answer: `specId`",
        example="71bb244ab6fb738edd8b3ae38ba008bd",
        null="never; an empty text on marketplaces without it",
    ),
    "distribution_item_id": text(
        "The id by which Taobao (`mpId`) and Poizon (`distSpuId`) take orders of the product. Empty elsewhere.",
        source="product answer, on Taobao else the answer of the id mapping",
        example="3000020253204162",
        null="never; an empty text on marketplaces without it",
    ),
    "distribution_sku_id": text(
        "The id by which Taobao (`mpSkuId`) and Poizon (`distSkuId`) take orders of the variant. Empty elsewhere.",
        source="product answer, on Taobao else the answer of the id mapping",
        example="7000074203041852",
        null="never; an empty text on marketplaces without it",
    ),
    "quantity": count(
        "How many are wanted.",
        unit="pieces",
        source="request file: `quantity`",
        example=2,
    ),
    "shipment_order_id": text(
        "The warehouse's number of the international shipment.",
        source="booking answer: `orderId`, else the order as the service shows it",
        example="20240802001056",
        null="nothing is booked, as far as is known",
    ),
    "tracking_numbers": texts(
        "The international parcels' numbers. An empty list until something is booked, or named.",
        source="booking answer: `logisticNumer`, else the order as the service shows it",
        example=["FARJP2408000105YQ"],
    ),
    "paid_at": moment(
        "When the wallet paid.",
        clock=SERVICE_CLOCK,
        source="order as the service shows it: `payTime` (Taobao, 1688, bigMajor, Poizon), `payDate` (international)",
        null="not paid, or the service does not tell when",
    ),
    "booked_at": moment(
        "When the booking of the shipment was recorded.",
        source="ledger",
        null="nothing is booked, as far as is known",
    ),
    "currency": text(
        "Currency of the row's amounts (ISO 4217). Orders are bought in yuan only.",
        source="ledger",
        example="CNY",
    ),
}


def amount(
    words: str,
    *,
    source: str,
    example: int,
    get: str | Getter = "",
) -> Column:
    """An amount of the row, in minor units of its column `currency`."""
    return count(
        words,
        unit=MINOR_UNITS,
        source=source,
        example=example,
        get=get,
    )


def currency_of(
    what: str,
    *,
    source: str,
    example: str = "CNY",
    null: str = "",
    get: str | Getter = "",
) -> Column:
    """The currency of an amount, where it is not the row's own; one that may be absent
    says when (`null`).
    """
    message = f"Currency of {what} (ISO 4217)."
    return text(message, source=source, example=example, null=null, get=get)


def shared(*names: str, of: str = "") -> dict[str, Column]:
    """The shared columns of these names, by name; read `of` a part of the row's
    record.
    """
    return {
        name: replace(COLUMNS[name], get=f"{of}.{name}") if of else COLUMNS[name]
        for name in names
    }


def variant(name: str, **changes: Any) -> Column:
    """A shared column with a different meaning in one table."""
    return replace(COLUMNS[name], **changes)


ORDER_ID_ALWAYS = variant("order_id", null="")
