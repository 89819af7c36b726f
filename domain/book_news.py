"""News of the SKU book: rows that can't be bought as they stand any more, and those that can again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.offers import Offer
from domain.reasons import Reason, ReasonCode
from domain.sku_book import BookRow
from domain.spares import judge_row

CAUSE = "book-row:"


class Buyable(StrEnum):
    """Whether a row of the SKU book can be bought as it stands."""

    words: str

    def __new__(cls, value: str, words: str = "") -> Buyable:
        state = str.__new__(cls, value)
        state._value_, state.words = value, words
        return state

    DEAR = "dear", "above your limit"
    GONE = "gone", "sold out or gone"
    YES = "yes", "back again"


NOT_BUYABLE = {
    ReasonCode.LINE_ABOVE_LIMIT: Buyable.DEAR,
    ReasonCode.NO_SUCH_ITEM: Buyable.GONE,
    ReasonCode.NOT_ON_SALE: Buyable.GONE,
    ReasonCode.SKU_UNKNOWN: Buyable.GONE,
    ReasonCode.OUT_OF_STOCK: Buyable.GONE,
}
"""Other reasons, such as several variants, are no news: `sourcing book check` shows them."""
Notified = Mapping[str, tuple[int, Buyable]]
"""The news of each row that were sent, by its key: how many, and the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookNews:
    """The `number`-th news of a row. `bought_rank` is what is bought for the own SKU now; 0: nothing can be."""

    row: BookRow
    number: int
    state: Buyable
    why: Reason | None
    bought_rank: int

    @property
    def cause(self) -> str:
        return f"{CAUSE}{key_of(self.row)}:{self.number}:{self.state}"

    def __str__(self) -> str:
        one, item = self.row, f"{self.row.marketplace} {self.row.component.item}"
        name = " ".join(filter(None, (one.own_sku, one.country, f"rank {one.rank}")))
        now = f"rank {self.bought_rank} is bought now" if self.bought_rank else "nothing can be bought in its place"
        return f"{name} ({item}): {f'{self.why}; ' if self.why else ''}{now}"


def key_of(row: BookRow) -> str:
    """A short name of what a row says is bought, whatever else stands in it."""
    what = (row.own_sku, row.country, str(row.rank), row.marketplace, row.component.item, row.component.sku)
    return hashlib.sha256("\n".join(what).encode()).hexdigest()[:16]


def notified_by(causes: Iterable[str]) -> Notified:
    """The news that were sent, from the causes of earlier news without `CAUSE`."""
    notified: dict[str, tuple[int, Buyable]] = {}
    for cause in causes:
        key, number, state = cause.split(":")
        notified[key] = max(notified.get(key, (0, Buyable.YES)), (int(number), Buyable(state)))
    return notified


def judge_least(row: BookRow, offer: Offer | None) -> Reason | None:
    """Why not even the fewest pieces that the seller sells can be bought at the row's limit; None where they can."""
    least = max(row.component.pieces, offer.min_quantity if offer else 0)
    return judge_row(replace(row, component=replace(row.component, pieces=least)), offer)


def news_of(rows: Sequence[BookRow], why: Mapping[BookRow, Reason | None], notified: Notified) -> list[BookNews]:
    """What has changed of the rows in `why`; rows that could not be looked up are as they were sent last."""
    before = {row: notified.get(key_of(row), (0, Buyable.YES)) for row in rows}
    now = {row: before[row][1] for row in rows}
    now |= {row: NOT_BUYABLE.get(one.code, before[row][1]) if one else Buyable.YES for row, one in why.items()}
    ranks: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        ranks.setdefault((row.own_sku, row.country), set()).add(row.rank)
    for row in rows:
        if now[row] is not Buyable.YES or why.get(row):
            ranks[row.own_sku, row.country].discard(row.rank)
    return [
        BookNews(
            row=row,
            number=before[row][0] + 1,
            state=now[row],
            why=one,
            bought_rank=min(ranks[row.own_sku, row.country], default=0),
        )
        for row, one in why.items()
        if now[row] is not before[row][1]
    ]
