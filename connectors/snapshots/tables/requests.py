"""The tables of requests, and of candidate items for their words: their rows are of
plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from connectors.snapshots.tables.shared import (
    amount,
    currency_of,
    moment,
    shared,
    variant,
)
from connectors.snapshots.tables.table import Column, Table, count, flag, text
from domain.matching import Match
from domain.offers import Candidate
from domain.orders import OrderRequest, RequestLine
from domain.plan import PlannedOrder

RECEIVER = "request.receiver"
NOT_GIVEN = (
    "never; an empty text where the file says nothing, or the receiver was forgotten"
)


class RequestedLine(NamedTuple):
    """A line of the request file."""

    request: OrderRequest
    line_no: int
    line: RequestLine


class FoundOffer(NamedTuple):
    """An offer that was found for the words of a line."""

    asked: RequestedLine
    match: Match
    place: int
    candidate: Candidate


def _lines(plan: PlannedOrder) -> Iterator[RequestedLine]:
    for line_no, line in enumerate(plan.request.lines, start=1):
        yield RequestedLine(plan.request, line_no, line)


def _candidates(plan: PlannedOrder) -> Iterator[FoundOffer]:
    matches = {match.words: match for match in plan.matches}
    for line in _lines(plan):
        if match := matches.get(line.line.wanted):
            for rank, candidate in enumerate(match.candidates, start=1):
                yield FoundOffer(line, match, rank, candidate)


def _cell(
    column: str, message: str, example: str, of: str, *, personal: bool = True
) -> Column:
    source = f"request file: `{column}`"
    return text(
        message,
        source=source,
        example=example,
        null=NOT_GIVEN,
        personal=personal,
        get=f"{of}.{column}",
    )


REQUESTS = Table(
    "requests",
    ("order_ref", "line_no"),
    "What the merchant asked for: one row a line of the request file. The receiver's name, phone, e-mail and street "
    "stand in the ledger alone.",
    {
        **shared("order_ref", of="request"),
        **shared("line_no"),
        "file_row": count(
            "The row of the request file that the line is.",
            unit="rows, the header is row 1",
            source="request file",
            example=14,
            get="line.row",
        ),
        **shared("marketplace", of="request"),
        "item": text(
            "What to buy as it stands in the file: an id, a link to the product page, or words to search for.",
            source="request file: `item`",
            example="https://item.taobao.com/item.htm?id=730254020329",
            get="line.item",
        ),
        "sku": _cell(
            "sku",
            "The variant, by SKU id or `spec_id`. Empty: the only one.",
            "5134912345678",
            "line",
            personal=False,
        ),
        **shared("quantity", of="line"),
        "max_unit_price_minor": amount(
            "The most that one piece may cost; a dearer line holds its order. 0 beside a null `currency`: no limit.",
            source="request file: `max_unit_price`",
            example=1250,
            get=lambda record: (
                record.line.max_unit_price.minor if record.line.max_unit_price else 0
            ),
        ),
        "currency": text(
            "Currency of the limit: yuan.",
            source="request file: `max_unit_price` is in yuan",
            example="CNY",
            null="the line has no price limit",
            get=lambda record: (
                record.line.max_unit_price.currency
                if record.line.max_unit_price
                else None
            ),
        ),
        "country": _cell(
            "country",
            "The receiver's country (ISO 3166-1 alpha-2).",
            "GB",
            RECEIVER,
            personal=False,
        ),
        "state": _cell(
            "state", "The receiver's state or province.", "Greater London", RECEIVER
        ),
        "city": _cell("city", "The receiver's city.", "London", RECEIVER),
        "zip": _cell(
            "zip",
            "The receiver's postcode. Text: zeros at its front count.",
            "N1 9GU",
            RECEIVER,
        ),
        "freight": _cell(
            "freight",
            "The wish for international freight: `cheapest`, `fastest` or a service's id.",
            "cheapest",
            "request",
            personal=False,
        ),
        "note": _cell(
            "note",
            "The merchant's own note; it is not sent. Marked since anything may stand there.",
            "gift",
            "line",
        ),
        "own_sku": text(
            "The merchant's own SKU, for which the SKU book named item, `sku` and limit.",
            source="request file: `own_sku`",
            example="FERN-1",
            null="the line names an item",
            get=lambda record: record.line.own.sku if record.line.own else None,
        ),
    },
    each=_lines,
)
CANDIDATES = Table(
    "candidates",
    ("order_ref", "line_no", "place"),
    "Where a line gave words in place of an item: the first offers found, and the one that was taken.",
    {
        **shared("order_ref", of="asked.request"),
        **shared("line_no", of="asked"),
        "place": count(
            "Place among the offers found.",
            unit="1 to 5, as the marketplace ranks them",
            source="search answer",
            example=1,
        ),
        **shared("marketplace", of="asked.request"),
        "words": text(
            "The words that were searched for.",
            source="request file: `item`",
            example="帆布 双肩包 旅行",
            get="match.words",
        ),
        "item_id": variant("item_id", source="search answer", get="candidate.item_id"),
        "title": variant("title", source="search answer", get="candidate.title"),
        "price_minor": amount(
            "What one piece of the cheapest variant costs.",
            source="search answer",
            example=2910,
            get="candidate.price.minor",
        ),
        "currency": currency_of(
            "the price", source="search answer", get="candidate.price.currency"
        ),
        "seller_id": variant(
            "seller_id", source="search answer", get="candidate.seller_id"
        ),
        "seller_name": variant(
            "seller_name",
            source="search answer; only Taobao's names it",
            get="candidate.seller_name",
        ),
        "image_url": variant(
            "image_url",
            words="Picture of the product.",
            source="search answer",
            get="candidate.image_url",
        ),
        "taken": flag(
            "Whether this offer was taken for the words. When none was, the order waits for a person.",
            source="decision of the run: the first whose title holds every word",
            example=True,
            get=lambda record: record.candidate.item_id == record.match.item_id,
        ),
        "why": text(
            "Why it was taken, or why none was; the same in every row of the line.",
            source="decision of the run",
            example="the only offer found; its title holds all the words",
            null="never",
            get=lambda record: record.match.note,
        ),
        "decided_at": moment(
            "When the search was answered. Later runs keep the decision.",
            source="ledger",
            null="never for rows written by this version",
            get="match.decided_at",
        ),
    },
    each=_candidates,
)
