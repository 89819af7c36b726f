"""Words of the service without a meaning here: nothing follows from them, they are counted, and notified once each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import NamedTuple

from domain.marketplace import Marketplace
from domain.messages import Message, MessageKind
from domain.wording import pluralize, shorten

NOTHING_GUESSED = (
    "Nothing is guessed from it: what this program has paid counts as paid, and orders, parcels and refunds stay as "
    "they were until a known word follows. Ask the service's support what it means. This is sent once a word; "
    "`sourcing doctor` lists all."
)
CAUSE = "unknown-word:"


class Place(StrEnum):
    """The place of a word in the service's answers."""

    ORDER = "order state"
    PARCEL = "parcel stage"
    REFUND = "refund state"


def counted(unknown: Mapping[UnknownWord, Collection[str]]) -> dict[str, int]:
    """The number of orders of each word."""
    return {str(word): len(order_refs) for word, order_refs in sorted(unknown.items())}


class UnknownWord(NamedTuple):
    """A marketplace's word. Its text ends the cause of its message."""

    marketplace: Marketplace
    place: Place
    word: str

    def __str__(self) -> str:
        return f"{self.marketplace} {self.place} {self.word or 'none told'}"

    def message(self, order_refs: set[str]) -> Message:
        return Message(
            cause=f"{CAUSE}{self}",
            kind=MessageKind.UNKNOWN_STATE,
            subject=f"{self.marketplace} shows {pluralize(len(order_refs), 'order')} whose {self.place} this program "
            f"does not know: {self.word or 'none told'}",
            body=f"{shorten(sorted(order_refs), 20)}. {NOTHING_GUESSED}",
        )
