"""Erasing a receiver on request: which orders allow it, and what is erased where the
receiver is mentioned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from domain.effects import OPEN, Action, EffectStatus
from domain.orders import ADDRESS, CONTACT
from domain.states import NEVER_BEGUN, REACHED_BOOKED, OrderState

FORGOTTEN = "[forgotten]"
PARTS = tuple(field for field in ADDRESS if field != "country")
"""What is erased. The country stays: it identifies no person, and customs statistics
ask for it.
"""

LEAST_BYTES = 6
"""Shorter words are found in everything: they are erased where they stand as a
receiver, and not looked for.
"""

LEAST_IN_WORDS = 3

Receiver = Mapping[str, str]
"""The parts of an address by name, as `ADDRESS` has them; some may be missing."""


@dataclass(kw_only=True)
class Erased:
    """What was erased, what was not (with its cause or remedy), what ends by a day, and
    what is others' to change.
    """

    erased: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Mentions:
    """What is known of a receiver, without the country and without what is empty."""

    receiver: Receiver

    @classmethod
    def of(cls, receiver: Receiver) -> Mentions:
        """What points to a receiver in a text."""
        parts = {part: receiver.get(part, "").strip() for part in PARTS}
        return cls({part: text for part, text in parts.items() if text})

    def without(self, others: Iterable[str]) -> frozenset[str]:
        """What to look for everywhere, but for what stands in these texts, which other
        orders still need.
        """
        needed = "\n".join(others).casefold()
        return frozenset(
            text for text in self.identifying if text.casefold() not in needed
        )

    @cached_property
    def identifying(self) -> frozenset[str]:
        """The texts that point to this person wherever they stand."""
        texts = {self.receiver.get(part, "") for part in CONTACT}
        texts.add("".join(filter(str.isdigit, self.receiver.get("phone", ""))))
        return frozenset(text for text in texts if len(text.encode()) >= LEAST_BYTES)

    def erased(self, text: str) -> str:
        """The text about an order without the receiver: also without a single name or
        the city.
        """
        return self._words.sub(FORGOTTEN, text) if self._words else text

    @cached_property
    def _words(self) -> re.Pattern[str] | None:
        """All of a receiver: what is whole in any case, a single name as it is written
        or in capitals.
        """
        names = self.receiver.get("name", "").split()
        patterns = {
            form: _as_word(form) for name in names for form in (name, name.upper())
        }
        patterns |= {text: f"(?i:{_as_word(text)})" for text in self.receiver.values()}
        found = {
            text: pattern
            for text, pattern in patterns.items()
            if len(text.encode()) >= LEAST_IN_WORDS
        }
        found |= {text: f"(?i:{re.escape(text)})" for text in self.identifying}
        longest_first = sorted(found, key=len, reverse=True)
        return (
            re.compile("|".join(found[text] for text in longest_first))
            if found
            else None
        )


def _as_word(text: str) -> str:
    """Not within a longer word or number; Chinese knows no blanks between words."""
    before = r"(?<![0-9A-Za-z])" if text[:1].isascii() else ""
    after = r"(?![0-9A-Za-z]|\.[0-9])" if text[-1:].isascii() else ""
    return f"{before}{re.escape(text)}{after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An order's state, as far as it matters here. `effects` are actions with what is
    known of each.
    """

    order_ref: str
    state: OrderState
    reason: str
    is_ordered: bool
    is_booked: bool
    effects: tuple[tuple[Action, EffectStatus], ...]

    @property
    def never_begun(self) -> bool:
        """Nothing of it was ever ordered."""
        is_begun = any(status is EffectStatus.DONE for _, status in self.effects)
        return self.state in NEVER_BEGUN and not (
            self.is_ordered or is_begun or self._open
        )

    @property
    def _open(self) -> list[Action]:
        return [action for action, status in self.effects if status in OPEN]

    def why_needed(self) -> str:
        """Why the receiver can't be forgotten yet, and what ends that; empty where
        nothing needs them any more.
        """
        ref = self.order_ref
        if self._open:
            return (
                f"it is not known yet what became of its {self._open[0]}. Run its request file again, or answer: "
                f"sourcing resolve {ref}"
            )
        if self.never_begun or self.state in (
            *REACHED_BOOKED,
            OrderState.CANCELLED,
            OrderState.REFUNDED,
        ):
            return ""
        if self.state is OrderState.REFUNDING:
            return (
                ""
                if self.is_booked
                else "a refund that is refused leaves it to be booked. Follow it: sourcing refunds"
            )
        message = f" It says: {self.reason}." if self.reason else ""
        if self.is_booked:
            return f"it is {self.state}, so its parcel may still be in question.{message} See: sourcing status {ref}"
        return (
            f"it is {self.state} and not booked, which needs the address.{message} It ends when it is booked (run its "
            f"request file) or taken back (sourcing cancel {ref}, or sourcing refund {ref})"
        )
