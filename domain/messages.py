"""Messages to a person away from the terminal, each known by its cause; unknown words
too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from domain.holds import Pause, by_whom
from domain.marketplace import Marketplace
from domain.reasons import Reason
from domain.wording import pluralize, shorten

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
MOST_DOUBLINGS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message to send. Each `cause` is sent once, ever: `paused:TIME`.

    Plain text that holds no address, phone number or name of a parcel's receiver, and
    no secret. `about` are further causes that it covers, such as the orders of a batch:
    it is sent while one of them is new.
    """

    cause: str
    subject: str
    body: str
    link: str = ""
    about: tuple[str, ...] = ()


def sentences(reason: Reason) -> list[str]:
    """The sentence of a reason, and what to do."""
    message = str(reason)
    return [
        f"{message[:1].upper()}{message[1:]}.",
        *([f"What to do: {reason.remedy}."] if reason.remedy else []),
    ]


def pause_after(tries: int) -> timedelta:
    """The pause before an unreachable recipient is tried again, after so many tries,
    from 1.
    """
    doublings = min(tries - 1, MOST_DOUBLINGS)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def pause_message(pause: Pause) -> Message:
    return Message(
        cause=f"paused:{pause.at.isoformat()}",
        subject="Buying is paused",
        body=pause.notice,
    )


def resume_message(ended: Pause, by: str) -> Message:
    return Message(
        cause=f"resumed:{ended.at.isoformat()}",
        subject=f"Buying is allowed again, says {by_whom(by)}",
        body=f"{ended.sentence}. Follow-ups that wait begin now; a batch without one "
        "goes on when its file is run again.",
    )


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
    return {
        str(unknown_word): len(order_refs)
        for unknown_word, order_refs in sorted(unknown.items())
    }


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
            subject=f"{self.marketplace} shows {pluralize(len(order_refs), 'order')} whose {self.place} this program "
            f"does not know: {self.word or 'none told'}",
            body=f"{shorten(sorted(order_refs), 20)}. {NOTHING_GUESSED}",
        )
