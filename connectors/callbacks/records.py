"""A callback as posted and as stored. Its content is a hint and nothing more."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from domain.callback_kinds import CallbackKind, CallbackState
from domain.reasons import Reason, from_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A posted message before it is stored. `body` is the posted bytes."""

    body: bytes
    source: str
    received_at: datetime
    state: CallbackState
    outcome: Reason | None = None
    kind: CallbackKind = CallbackKind.STATUS
    message_type: str = ""
    marketplace: str = ""
    order_ids: tuple[str, ...] = ()
    sent_at: datetime | None = None

    @property
    def digest(self) -> str:
        """The identity of a message: the service gives it no id."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A stored message. Times are UTC; `times` is how often it was posted; `outcome` is the result of processing it.

    A newer version may have written a `kind` or `state` that is unknown here.
    """

    id: int
    digest: str
    received_at: datetime
    last_at: datetime
    times: int
    source: str
    kind: str
    message_type: str
    marketplace: str
    order_ids: tuple[str, ...]
    sent_at: datetime | None
    state: str
    attempts: int
    ticket: str
    settled_at: datetime | None
    outcome: Reason | None
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        known = {name: row[name] for name in cls.__slots__}
        known |= {"order_ids": tuple(row["order_ids"]), "outcome": from_text(row["outcome"])}
        return cls(**known | {"body": bytes(row["body"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The messages for one run. `id` is also the idempotency key of that run in Prefect."""

    id: str
    kind: CallbackKind
    orders: int
