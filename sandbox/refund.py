"""A request for money back: the demand, and every state so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


class State(StrEnum):
    ASKED = "asked"
    AGREED = "agreed"
    RETURNING = "returning"
    DONE = "done"
    REFUSED = "refused"
    CLOSED = "closed"


OPEN = frozenset({State.ASKED, State.AGREED, State.RETURNING, State.REFUSED})


class Actor(StrEnum):
    BUYER = "buyer"
    SELLER = "seller"
    SYSTEM = "system"


@dataclass(slots=True)
class Step:
    """A state with its time and its actor; asking anew is a step of its own."""

    at: int
    state: State
    actor: Actor

    @classmethod
    def restored(cls, body: dict[str, Any]) -> Self:
        return cls(body["at"], State(body["state"]), Actor(body["actor"]))


@dataclass(slots=True)
class Note:
    """A buyer's message to the seller."""

    at: int
    text: str
    images: list[str]


@dataclass(slots=True)
class Demand:
    """The buyer's demand. `goods_status` is the marketplace's own word; amounts in
    fen.
    """

    returns: bool
    goods_status: str
    reason_id: int
    goods_fen: int
    carriage_fen: int
    description: str
    images: list[str]


@dataclass(slots=True)
class ReturnParcel:
    company: str
    number: str
    phone: str | None
    description: str | None
    images: list[str]


@dataclass(slots=True)
class Refund:
    """`before_shipping`: asked for before the seller shipped; shipping makes it
    void.
    """

    sequence: int
    marketplace: str
    id: str
    order_id: str
    sub_ids: list[str]
    demand: Demand
    before_shipping: bool
    steps: list[Step] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    refusal: str | None = None
    parcel: ReturnParcel | None = None
    refunded_fen: int = 0
    refunded_at: int | None = None

    @classmethod
    def restored(cls, body: dict[str, Any]) -> Self:
        parts: dict[str, Any] = {
            "demand": Demand(**body["demand"]),
            "steps": [Step.restored(step) for step in body["steps"]],
            "notes": [Note(**note) for note in body["notes"]],
            "parcel": ReturnParcel(**body["parcel"]) if body["parcel"] else None,
        }
        return cls(**{**body, **parts})

    @property
    def key(self) -> str:
        return f"{self.sequence:012d}"

    @property
    def state(self) -> State:
        return self.steps[-1].state

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def counts(self) -> bool:
        """Whether its money is given back or may still be."""
        return self.open or self.state is State.DONE

    @property
    def created_at(self) -> int:
        return self.steps[0].at

    @property
    def changed_at(self) -> int:
        return self.steps[-1].at

    @property
    def amount_fen(self) -> int:
        return self.demand.goods_fen + self.demand.carriage_fen

    def was_agreed(self) -> bool:
        return any(step.state in (State.AGREED, State.DONE) for step in self.steps)
