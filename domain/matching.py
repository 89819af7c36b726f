"""Which of the offers found is meant by the words of a request line."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from domain.decisions import Verdict, held, postponed, refused
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, OfferSummary
from domain.reasons import ReasonCode, because

CANDIDATES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One hit that the words of a line may mean. `price` is the cheapest variant's."""

    item_id: str
    title: str
    price: Money
    seller_id: str = ""
    seller_name: str = ""
    image_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The item that the words of a request line are taken to mean, among which others, and why.

    `item_id` is empty when none could be taken; `sku_id` is set once the item is known to have only one. `decided_at`
    is UTC, None when nothing could be searched.
    """

    marketplace: Marketplace
    words: str
    candidates: tuple[Candidate, ...] = field(default_factory=tuple)
    item_id: str = ""
    sku_id: str = ""
    why: str = ""
    decided_at: datetime | None = None

    @property
    def item(self) -> tuple[Marketplace, str]:
        """What was searched for."""
        return self.marketplace, self.words

    @property
    def taken(self) -> Candidate | None:
        return next((candidate for candidate in self.candidates if candidate.item_id == self.item_id), None)

    @property
    def pin(self) -> str:
        """The text for the request file that makes this match certain; empty without a match."""
        if not self.item_id:
            return ""
        return f"item={self.item_id} sku={self.sku_id}" if self.sku_id else f"item={self.item_id}"

    @property
    def verdict(self) -> Verdict:
        """The verdict on a line whose words mean no item: a person chooses among candidates, if there are any."""
        if self.decided_at is None:
            return postponed(because(ReasonCode.WORDS_NOT_SEARCHED, why=self.why))
        if self.candidates:
            return held(because(ReasonCode.WORDS_AMBIGUOUS, why=self.why))
        return refused(because(ReasonCode.WORDS_FOUND_NOTHING, why=self.why))

    def sold_as(self, offer: Offer | Verdict) -> Self:
        """The match with the SKU, when its offer has just one that is on sale."""
        active = [] if isinstance(offer, Verdict) else [sku.sku_id for sku in offer.skus if sku.active]
        return replace(self, sku_id=active[0]) if len(active) == 1 else self

    def in_place_of(self, earlier: Match) -> Self:
        """The match, with a note when an earlier run had taken another item for these words."""
        if earlier.item_id in ("", self.item_id):
            return self
        return replace(self, why=f"{self.why}; an earlier run had taken {earlier.item_id}")


def choose(marketplace: Marketplace, words: str, hits: Sequence[OfferSummary], at: datetime) -> Match:
    """Take the first hit whose title holds every word; when none does, take none, since a guess spends money."""
    candidates = tuple(_candidate(hit) for hit in hits[:CANDIDATES])
    open_match = Match(marketplace=marketplace, words=words, candidates=candidates, decided_at=at)
    if not candidates:
        return replace(open_match, why=f"nothing on {marketplace} matches {words!r}; a dry run searches anew")
    whole = [candidate for candidate in candidates if not missing_words(words, candidate.title)]
    if not whole:
        return replace(open_match, why=_no_title_holds_all(open_match))
    return replace(open_match, item_id=whole[0].item_id, why=_why(words, len(whole), len(candidates)))


def missing_words(words: str, title: str) -> list[str]:
    """The words that a title lacks; case and width of letters don't count."""
    told = _plain(title)
    return [word for word in words.split() if _plain(word) not in told]


def _candidate(hit: OfferSummary) -> Candidate:
    return Candidate(
        item_id=hit.item_id,
        title=hit.title,
        price=hit.price,
        seller_id=hit.seller_id,
        seller_name=hit.seller_name,
        image_url=hit.image_url,
    )


def _why(words: str, whole: int, found: int) -> str:
    held = "its title holds the word" if len(words.split()) == 1 else "its title holds all the words"
    if found == 1:
        return f"the only offer found; {held}"
    if whole == 1:
        return f"the only one of the first {found} offers found whose title holds all the words"
    return f"the first of the {whole} offers whose titles hold all the words, as the marketplace ranks them"


def _no_title_holds_all(match: Match) -> str:
    offers = "; ".join(f"{one.item_id} ({one.title}, {one.price})" for one in match.candidates)
    return (
        f"no title on {match.marketplace} holds all of {match.words!r}; put one of these ids in column item: {offers}"
    )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
