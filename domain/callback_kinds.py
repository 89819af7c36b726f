"""What a message is about, and how far it has come."""

from __future__ import annotations

from enum import StrEnum


class CallbackKind(StrEnum):
    """What a message is about; it decides how the message is processed."""

    STATUS = "status"
    PRICE = "price"
    REFUND = "refund"
    INBOUND = "inbound"


class CallbackState(StrEnum):
    """`taken` belongs to a run; `set_aside` is for a person."""

    WAITING = "waiting"
    TAKEN = "taken"
    DONE = "done"
    SET_ASIDE = "set_aside"
