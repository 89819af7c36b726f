"""Likely deviations of the real service from the written contract; each has public evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from sandbox.fields import Fields
from sandbox.refusals import bad_request


class Dialect(StrEnum):
    LIST_WITHOUT_MESSAGE = "list-without-message"
    LIST_WITHOUT_REFERENCE = "list-without-reference"
    REFUSES_UNKNOWN_FIELDS = "refuses-unknown-fields"
    REFUSES_DUPLICATES = "refuses-duplicates"
    TRACKING_404 = "tracking-404"


SENTENCES: Mapping[Dialect, str] = {
    Dialect.LIST_WITHOUT_MESSAGE: "The order lists of 1688 and big_major do not show the buyer's message.",
    Dialect.LIST_WITHOUT_REFERENCE: "The order lists of 1688 and big_major show neither message nor outOrderId.",
    Dialect.REFUSES_UNKNOWN_FIELDS: (
        "A create of 1688 or big_major is refused for a field that the written contract does not have, "
        "such as outOrderId."
    ),
    Dialect.REFUSES_DUPLICATES: (
        "A second create under the same caller's id (outOrderId included) is refused, also with the same lines."
    ),
    Dialect.TRACKING_404: "Tracking an order of 1688 or big_major that has no parcel yet is answered with code 404.",
}


class Dialects:
    """The deviations in force. A reset brings back the deviations of the start."""

    def __init__(self, at_start: Iterable[Dialect] = ()) -> None:
        self._at_start = frozenset(at_start)
        self.reset()

    def reset(self) -> None:
        self._names = self._at_start

    def __contains__(self, dialect: Dialect) -> bool:
        return dialect in self._names

    def replace(self, request: Fields) -> None:
        """Replace all deviations by these; refused as a whole for an unknown name."""
        request.only("names")
        self._names = dialects_named(request.texts("names", at_most=len(Dialect)))

    def in_force(self) -> dict[str, Any]:
        return {"names": sorted(self._names), "known": {dialect.value: SENTENCES[dialect] for dialect in Dialect}}

    def check_fields(self, body: Fields, *documented: str) -> None:
        """Refuse fields beyond the written contract, where the service is that strict."""
        if Dialect.REFUSES_UNKNOWN_FIELDS in self:
            for name in body.raw:
                if name not in documented:
                    raise bad_request(body.named(name), "unknown field")


def hidden_in_lists(dialects: Dialects) -> tuple[str, ...]:
    """The fields that order lists of 1688 and big_major leave empty, by their names in a create."""
    if Dialect.LIST_WITHOUT_REFERENCE in dialects:
        return "message", "outOrderId"
    return ("message",) if Dialect.LIST_WITHOUT_MESSAGE in dialects else ()


def dialects_named(names: Iterable[str]) -> frozenset[Dialect]:
    """Raises `Refusal` for a name that is no dialect."""
    for name in names:
        if name not in set(Dialect):
            raise bad_request("names", f"there is no dialect {name}; known are {', '.join(Dialect)}")
    return frozenset(map(Dialect, names))
