"""The table of total costs."""

from __future__ import annotations

from connectors.snapshots.tables.shared import (
    COLUMNS,
    MINOR_UNITS,
    amount,
    currency_of,
    shared,
    variant,
)
from connectors.snapshots.tables.table import Column, Kept, Table, count, text

COMPUTED = "`sourcing costs`"
NO_SUM = "no sum is made for the order: see `problem`"
NO_RATE = "no rate was needed, or there is none: see `problem`"
NO_LINE = "the tables have no line of this order: see `problem`"


def _share(message: str, example: int) -> Column:
    return count(
        f"The line's share of {message}.",
        unit=MINOR_UNITS,
        source=COMPUTED,
        example=example,
    )


def _landed(message: str, example: int) -> Column:
    unit = "minor units of `landed_currency`"
    return count(message, unit=unit, source=COMPUTED, example=example, null=NO_SUM)


def _rate(what: str, on: str) -> dict[str, Column]:
    prefix = "" if what == "goods" else f"{what}_"
    of = f"the rate of the {what}"
    return {
        f"{prefix}rate": text(
            f"How much of `landed_currency` one of `{prefix}currency` was worth, as a decimal.",
            source="SOURCING_RATES: `rate`",
            example="0.1285",
            null=NO_RATE,
        ),
        f"{prefix}rate_date": text(
            f"The day of {of}: that of the {on}, or up to 7 days before it.",
            source="SOURCING_RATES: `date`",
            example="2026-11-02",
            null=NO_RATE,
        ),
        f"{prefix}rate_source": text(
            f"Who gave {of}.",
            source="SOURCING_RATES: `source`",
            example="ECB",
            null=NO_RATE,
        ),
    }


LANDED_COSTS = Table(
    "landed_costs",
    ("order_ref", "line_no"),
    "What each line of a paid order cost in all, as it was paid and in the currency of the merchant's books: one row a "
    "line. The lines of an order add up to it, and the parts of a line to the line, to the minor unit: goods + postage "
    "+ surcharge - discount - refunded + freight.",
    {
        **shared("order_ref"),
        "line_no": variant(
            "line_no", words=f"{COLUMNS['line_no'].words} 0 where the tables have none."
        ),
        **shared("marketplace", "order_id", "shipment_order_id"),
        "item_id": variant("item_id", null=NO_LINE),
        "sku_id": variant("sku_id", null=NO_LINE),
        **shared("title"),
        "quantity": variant(
            "quantity", words="Pieces ordered.", example=3, null=NO_LINE
        ),
        "paid_on": text(
            "The day on which the order was paid.",
            unit="day in SOURCING_TIMEZONE",
            source="`orders.paid_at`",
            example="2026-11-02",
            null="the service does not tell when",
        ),
        "goods_minor": amount(
            "What the line's pieces cost by the preview.",
            source="`order_lines.amount_minor`",
            example=8730,
        ),
        "postage_minor": _share(
            "the postage within China, by the value of the goods", 700
        ),
        "surcharge_minor": _share(
            "what the service or the marketplace took beyond goods and postage, by the value of the goods: its fee, "
            "and what the order became dearer after the preview",
            161,
        ),
        "discount_minor": _share(
            "what was paid less than the lines' prices and the postage, by value: discounts of the whole order, and "
            "what it became cheaper after the preview",
            0,
        ),
        "refunded_minor": _share(
            "what came back: of the lines that a refund is for, by what they took", 0
        ),
        **shared("currency"),
        "freight_minor": count(
            "The line's share of the international freight of its parcel, whatever else is in it. 0 beside a null "
            "`freight_currency`: no freight, or not known.",
            unit="minor units of `freight_currency`",
            source=COMPUTED,
            example=1350,
        ),
        "freight_currency": currency_of(
            "the freight",
            source="booking answer",
            example="USD",
            null="there is no freight, or it is not known: see `problem`",
        ),
        "landed_currency": currency_of(
            "the merchant's books",
            source="SOURCING_CURRENCY",
            example="EUR",
            null="none is named",
        ),
        "landed_goods_minor": _landed("`goods_minor`, converted.", 1122),
        "landed_postage_minor": _landed("`postage_minor`, converted.", 90),
        "landed_surcharge_minor": _landed("`surcharge_minor`, converted.", 21),
        "landed_discount_minor": _landed("`discount_minor`, converted.", 0),
        "landed_refunded_minor": _landed(
            "`refunded_minor`, converted, at the rate of the payment.", 0
        ),
        "landed_freight_minor": _landed("`freight_minor`, converted.", 1170),
        "landed_minor": _landed("What the line cost in all.", 2403),
        **_rate("goods", "payment"),
        **_rate("freight", "parcel's first booking"),
        "problem": text(
            "Why no sum is made for the order, and what to do about it.",
            source=COMPUTED,
            example="there is no rate from USD to EUR; add one of 2026-11-02 or of the 7 days before it to "
            "SOURCING_RATES",
            null="there is none",
        ),
    },
    kept=Kept.RESULT,
)
