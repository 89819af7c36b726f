"""The entry of the catalogue for one operation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

CALLBACK = "developer URL: "


class Provenance(StrEnum):
    """How well the path is known."""

    CONFIRMED = "confirmed"  # on a page of the service itself
    SIBLING = "sibling"  # on a page of the same platform under another brand
    UPSTREAM = "upstream"  # in the contract of the marketplace behind it
    ASSUMED = "assumed"  # no answer of it has been seen


CONFIRMED, SIBLING, UPSTREAM, ASSUMED = Provenance


class Envelope(StrEnum):
    """The wrapping of an answer (contract 1.5): A in `code/msg/data`, B in `errorCode/errorMsg/success/data`."""

    A = "A"
    B = "B"


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the service's navigation. `group`, `nav` and `title` as in `docs/contract/endpoints.csv`.

    `nav` is None for operations that have no row there. `path` may hold names in braces, which are fields of the
    request. `effect` is true for operations that spend, promise or cannot be taken back: they are sent once, under a
    claim.
    """

    group: str
    nav: int | None
    title: str
    method: Literal["GET", "POST"]
    path: str
    provenance: Provenance
    effect: bool = False
    envelope: Envelope = Envelope.A

    def __hash__(self) -> int:
        return hash(self.path)  # every call looks its operation up: all nine fields would be hashed anew

    @property
    def name(self) -> str:
        """The name in errors and logs; titles alone repeat between groups."""
        return f"{self.group} / {self.title}"

    @property
    def is_callback(self) -> bool:
        """True for posts of the service, which can be parsed and not called."""
        return self.path.startswith(CALLBACK)
