"""The tables of requests, and of candidate items for their words."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.snapshots.schemas.columns import COUNT, FLAG, ID, TEXT, TIME, Column
from connectors.snapshots.schemas.shared import OUR_CLOCK, amount, shared, variant
from connectors.snapshots.schemas.tables import table

NOT_GIVEN = "never; an empty text where the file says nothing, or the receiver was forgotten"


def _cell(column: str, words: str, example: str, *, personal: bool = True) -> Column:
    return Column(TEXT, words, source=f"request file: `{column}`", example=example, null=NOT_GIVEN, personal=personal)


REQUESTS = table(
    "requests",
    "order_ref,line_no",
    "What the merchant asked for: one row a line of the request file. The only table with the receiver's address.",
    {
        **shared("order_ref", "line_no"),
        "file_row": Column(
            COUNT,
            "The row of the request file that the line is.",
            unit="rows, the header is row 1",
            source="request file",
            example=14,
        ),
        **shared("marketplace"),
        "item": Column(
            ID,
            "What to buy as it stands in the file: an id, a link to the product page, or words to search for.",
            source="request file: `item`",
            example="https://item.taobao.com/item.htm?id=730254020329",
        ),
        "sku": _cell(
            "sku", "The variant, by SKU id or `spec_id`. Empty: the only one.", "5134912345678", personal=False
        ),
        "quantity": Column(COUNT, "How many are wanted.", unit="pieces", source="request file: `quantity`", example=2),
        "max_unit_price_minor": amount(
            "The most that one piece may cost; a dearer line holds its order. 0 beside a null `currency`: no limit.",
            source="request file: `max_unit_price`",
            example=1250,
        ),
        "currency": Column(
            TEXT,
            "Currency of the limit: yuan.",
            source="request file: `max_unit_price` is in yuan",
            example="CNY",
            null="the line has no price limit",
        ),
        "receiver_name": _cell("receiver_name", "Who gets the parcel.", "Jane Example"),
        "receiver_phone": _cell("receiver_phone", "The receiver's telephone number, as given.", "+44 20 7946 0000"),
        "receiver_email": _cell("receiver_email", "The receiver's e-mail address.", "jane@example.com"),
        "country": _cell("country", "The receiver's country (ISO 3166-1 alpha-2).", "GB", personal=False),
        "state": _cell("state", "The receiver's state or province.", "Greater London"),
        "city": _cell("city", "The receiver's city.", "London"),
        "zip": _cell("zip", "The receiver's postcode. Text: zeros at its front count.", "N1 9GU"),
        "address": _cell("address", "The receiver's street and house.", "1 Example Street"),
        "freight": _cell(
            "freight",
            "The wish for international freight: `cheapest`, `fastest` or a service's id.",
            "cheapest",
            personal=False,
        ),
        "note": _cell(
            "note", "The merchant's own note; it is sent to nobody. Marked since anything may stand there.", "gift"
        ),
    },
)
CANDIDATES = table(
    "candidates",
    "order_ref,line_no,place",
    "Where a line gave words in place of an item: the first offers found, and the one that was taken.",
    {
        **shared("order_ref", "line_no"),
        "place": Column(
            COUNT,
            "Place among the offers found.",
            unit="1 to 5, as the marketplace ranks them",
            source="search answer",
            example=1,
        ),
        **shared("marketplace"),
        "words": Column(
            ID, "The words that were searched for.", source="request file: `item`", example="帆布 双肩包 旅行"
        ),
        "item_id": variant("item_id", source="search answer"),
        "title": variant("title", source="search answer"),
        "price_minor": amount("What one piece of the cheapest variant costs.", source="search answer", example=2910),
        "currency": Column(ID, "Currency of the price (ISO 4217).", source="search answer", example="CNY"),
        "seller_id": variant("seller_id", source="search answer"),
        "seller_name": variant("seller_name", source="search answer; only Taobao's names it"),
        "image_url": variant("image_url", words="Picture of the product.", source="search answer"),
        "taken": Column(
            FLAG,
            "Whether this offer was taken for the words. When none was, the order waits for a person.",
            source="decision of the run: the first whose title holds every word",
            example=True,
        ),
        "why": Column(
            TEXT,
            "Why it was taken, or why none was; the same in every row of the line.",
            source="decision of the run",
            example="the only offer found; its title holds all the words",
            null="never",
        ),
        "decided_at": Column(
            TIME,
            "When the search was answered. Later runs keep the decision.",
            unit=OUR_CLOCK,
            source="ledger",
            example=datetime(2026, 11, 2, 3, 4, 1, tzinfo=UTC),
            null="never for rows written by this version",
        ),
    },
)
