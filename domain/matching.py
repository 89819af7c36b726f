"""Which of the offers found is meant by the words of a request line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from domain.decisions import Verdict, held, postponed, refused, unread
from domain.marketplace import Marketplace
from domain.offers import Candidate, Offer, OfferSummary
from domain.reasons import ReasonCode, because

CANDIDATES = 5
PLURAL = re.compile(
    r"(?<![a-z])(?!x+[sl]$)[a-z]{2,}[a-rt-z]$"
)  # what may have one: no size, and no glass
LENGTH = re.compile("[0-9](?:mm|cm|dm|m|in|inch|ft)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The item that the words of a request line are taken to mean, among which others,
    and why.

    `item_id` is empty when none could be taken; `sku_id` is set once the item is known
    to have only one. `decided_at` is UTC, None when nothing could be searched.
    """

    marketplace: Marketplace
    words: str
    candidates: tuple[Candidate, ...] = field(default_factory=tuple)
    item_id: str = ""
    sku_id: str = ""
    note: str = ""
    decided_at: datetime | None = None

    @property
    def item(self) -> tuple[Marketplace, str]:
        """What was searched for."""
        return self.marketplace, self.words

    @property
    def taken(self) -> Candidate | None:
        return next(
            (
                candidate
                for candidate in self.candidates
                if candidate.item_id == self.item_id
            ),
            None,
        )

    @property
    def pin(self) -> str:
        """The text for the request file that makes this match certain; empty without a
        match.
        """
        if not self.item_id:
            return ""
        return (
            f"item={self.item_id} sku={self.sku_id}"
            if self.sku_id
            else f"item={self.item_id}"
        )

    @property
    def verdict(self) -> Verdict:
        """The verdict on a line whose words mean no item: a person chooses among
        candidates, if there are any.
        """
        if self.decided_at is None:
            return postponed(
                unread(f"{self.words!r} could not be searched for", self.note)
            )
        if self.candidates:
            return held(because(ReasonCode.WORDS_AMBIGUOUS, why=self.note))
        return refused(because(ReasonCode.WORDS_FOUND_NOTHING, why=self.note))

    def sold_as(self, offer: Offer | Verdict) -> Self:
        """The match with the SKU, when its offer has just one."""
        only = None if isinstance(offer, Verdict) else offer.only_sku
        return replace(self, sku_id=only.sku_id) if only else self

    def in_place_of(self, earlier: Match) -> Self:
        """The match, with a note when an earlier run had taken another item for these
        words.
        """
        if earlier.item_id in ("", self.item_id):
            return self
        note = f"{self.note}; an earlier run had taken {earlier.item_id}"
        return replace(self, note=note)


def choose(
    marketplace: Marketplace, words: str, hits: Sequence[OfferSummary], at: datetime
) -> Match:
    """Take the first hit whose title holds every word, as it is written if any does so;
    when none does, take none.

    A guess spends money.
    """
    candidates = tuple(hits[:CANDIDATES])
    open_match = Match(
        marketplace=marketplace, words=words, candidates=candidates, decided_at=at
    )
    if not candidates:
        return replace(
            open_match,
            note=f"nothing on {marketplace} matches {words!r}; a dry run searches anew",
        )
    offer_summaries = [
        candidate
        for candidate in candidates
        if not missing_words(words, candidate.title)
    ]
    offer_summaries = [
        offer_summary
        for offer_summary in offer_summaries
        if not missing_words(words, offer_summary.title, plurals=False)
    ] or offer_summaries
    if not offer_summaries:
        return replace(open_match, note=_no_title_holds_all(open_match))
    return replace(
        open_match,
        item_id=offer_summaries[0].item_id,
        note=_why_taken(words, len(offer_summaries), len(candidates)),
    )


def missing_words(query: str, title: str, *, plurals: bool = True) -> list[str]:
    """The words that a title lacks; case and width of letters don't count, 50 is not in
    350, nor XL in XXL.
    """
    message = _plain(title)
    return [
        token
        for token in query.split()
        if not re.search(_alone(_plain(token), plurals=plurals), message)
    ]


def _why_taken(message: str, whole: int, found: int) -> str:
    if found == 1:
        all_words = "the word" if len(message.split()) == 1 else "all the words"
        return f"the only offer found; its title holds {all_words}"
    if whole == 1:
        return f"the only one of the first {found} offers found whose title holds all the words"
    return (
        f"the first of the {whole} offers whose titles hold all the words, as the "
        "marketplace ranks them"
    )


def _no_title_holds_all(match: Match) -> str:
    offers = [
        f"{candidate.item_id} ({candidate.title}, {candidate.price})"
        for candidate in match.candidates
    ]
    return (
        f"no title on {match.marketplace} holds all of {match.words!r}; put one of these "
        f"ids in column item: {'; '.join(offers)}"
    )


def _alone(text: str, *, plurals: bool) -> str:
    """A pattern of the word, whose digits at either end go on in no further ones, also
    behind a point; nor letters.

    Letters of Chinese do, as its titles have no blanks; so do the ending of a plural,
    and lengths with an x between.
    """
    before = (
        r"(?<!\d)(?<!\d[.,])"
        if text[0].isdecimal()
        else "(?<![a-z])"
        if "a" <= text[0] <= "z"
        else ""
    )
    after = (
        r"(?!\d)(?![.,]\d)"
        if text[-1].isdecimal()
        else "(?![a-z])"
        if "a" <= text[-1] <= "z"
        else ""
    )
    if plurals and PLURAL.search(text) and not any(map(str.isdecimal, text)):
        after = ("(?:es)?" if text.endswith(("x", "z", "ch", "sh")) else "s?") + after
    elif LENGTH.search(text):
        after = r"(?:(?=x\d)|(?![a-z]))"
    return before + re.escape(text) + after


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
