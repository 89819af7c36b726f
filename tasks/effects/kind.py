"""A kind of effect: how it is sent and read back, where it leaves its order, and what
only a person can answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, ClassVar

from connectors.ledger.records import EffectRecord, OrderChange, OrderRecord
from connectors.marketplaces.refusals import means_no
from connectors.xportcn.errors import Refused, XportcnError
from domain.absence import Unseen
from domain.decisions import refused_after_ordering, unread
from domain.effects import ANSWERED_WITH, Action, Claim, ResolutionKind
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceOrder
from domain.states import OrderState
from domain.witnessed import Contradicted, Open
from tasks.effects.reading_orders import read_orders
from tasks.engine.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """An effect that happened: the service's answer, or what a read showed, and what it
    does to the order.
    """

    answer: dict[str, Any]
    change: OrderChange | None = None


Sighting = Proof | Unseen | Open | Contradicted | Reason
"""What a read showed: that the effect happened, that it did not so far (`Unseen`, with
the witnesses), which witness is missing or which two disagree, or why the read can't
tell.
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An effect that was begun, with its order as it is now."""

    order: OrderRecord
    effect: EffectRecord


@dataclass(frozen=True)
class EffectKind(ABC):
    """One kind of effect, able to read back any of its kind; what sending one takes is
    in the fields of each kind.

    A kind is known by its `action`.
    `state_while_unknown` is the state of an order while nothing is known of the effect;
    None leaves it as it is. `absence_proves`: a reading can show that it did not
    happen. Doing a `repeatable` one twice does no harm: without an answer it counts as
    not sent, and no person is asked. `refusals` are the codes and words that prove that
    nothing happened. One that `may_show_later` is also read back while a person is
    asked. One that `rests_on_a_reading` of the order right before, say of its
    price, is not begun once that is older than a lease.

    `before` is the order's state while it has not happened, and after a refusal it is
    held as not `refused_as`. Those that `may_be_done` already, by `order_ref` and with
    the reason, are not sent. The question that it `asks`
    a person may name `{order_ref}`, `{order_id}` and `{part}`; it is answered with
    `happened` or `did_not_happen`. One that
    is done is `reported` by remedies in these words, which may name its `{amount}` and
    what its proof says.
    """

    resources: Resources
    may_be_done: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    action: ClassVar[Action]
    before: ClassVar[OrderState | None] = None
    state_while_unknown: ClassVar[OrderState | None] = None
    absence_proves: ClassVar[bool] = True
    repeatable: ClassVar[bool] = False
    rests_on_a_reading: ClassVar[bool] = False
    refusals: ClassVar[Set[str]] = frozenset()
    refused_as: ClassVar[str] = ""
    may_show_later: ClassVar[bool] = False
    asks: ClassVar[str]
    happened: ClassVar[ResolutionKind] = ResolutionKind.DONE
    did_not_happen: ClassVar[ResolutionKind] = ResolutionKind.NOT_DONE
    reported: ClassVar[str] = ""

    @abstractmethod
    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        """Do it, once. Raises as the connector's effects do
        (`connectors.xportcn.errors`).
        """

    @abstractmethod
    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        """What the service shows of these, by effect key; nothing is known of one that
        is left out.

        Raises `XportcnError` when the service can't be asked.
        """

    @property
    def may_be_repeated(self) -> bool:
        """Whether one that can arrive no more and is not seen may be sent once more."""
        return self.absence_proves

    def state_if_not_done(self, attempt: Attempt) -> OrderState | None:
        """The order's state while the effect has not happened; None where it stays."""
        return self.before

    def when_refused(self, attempt: Attempt, refusal: Refused) -> OrderChange | None:
        """The change of the order after a refusal."""
        if not self.refused_as:
            return None
        why = refused_after_ordering(self.refused_as, refusal.message)
        return OrderChange(
            order_ref=attempt.order.order_ref, state=OrderState.HELD, why=why
        )

    def proves_nothing_happened(self, refusal: Refused) -> bool:
        """Whether the contract lists a refusal as proof that nothing happened; any
        other refusal is a doubt.
        """
        return means_no(refusal, self.refusals)

    def is_ruled_out_by(self, sighting: Sighting) -> bool:
        """Whether what a read showed can be neither after the effect nor before one
        that still arrives.
        """
        return False

    def if_misnamed(self, attempt: Attempt) -> Reason:
        """The reason of an order when an answer names an id that is another order's."""
        return because(
            ReasonCode.ID_IS_ANOTHERS_ASKED, **self.asked(attempt.order, attempt.effect)
        )

    # for a person's answer

    @classmethod
    def question(cls, order_ref: str, order_id: str | None, part: str) -> str:
        return cls.asks.format(order_ref=order_ref, order_id=order_id, part=part)

    @classmethod
    def commands(cls, order_ref: str, key: str) -> list[str]:
        """The commands that answer the question: that it happened, and that it did
        not.
        """
        by_key = {ResolutionKind.DONE: key, ResolutionKind.NOT_DONE: key}
        return [
            " ".join(["sourcing resolve", order_ref, answer, needs]).rstrip()
            for answer in (cls.happened, cls.did_not_happen)
            for needs in [by_key.get(answer) or ANSWERED_WITH.get(answer, "")]
        ]

    @classmethod
    def asked(cls, order: OrderRecord, effect: EffectRecord) -> dict[str, str]:
        """The facts of a reason that asks a person: the question, and how to answer
        it.
        """
        yes, no = cls.commands(order.order_ref, effect.key)
        answers = f"{yes}, or {no.removeprefix(f'sourcing resolve {order.order_ref} ')}"
        return {
            "question": cls.question(order.order_ref, order.order_id, effect.part),
            "answers": answers,
        }


ASKS = frozenset({ReasonCode.NO_ANSWER_ASKED, ReasonCode.ID_IS_ANOTHERS_ASKED})
"""A person has been asked for the outcome of the effect."""


def not_to_be_asked(error: XportcnError) -> Reason:
    """Why a reading can't tell: the service does not answer."""
    return unread("what became of it can't be read", error.message)


class SeenInItsOrder(EffectKind):
    """An effect that the order itself shows."""

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        orders = [attempt.order for attempt in attempts]
        shown = await read_orders(self.resources, orders)
        return {
            attempt.effect.key: await self.seen(
                attempt, shown.get(attempt.order.order_ref)
            )
            for attempt in attempts
        }

    @abstractmethod
    async def seen(self, attempt: Attempt, shown: ServiceOrder | None) -> Sighting:
        """What an order shows of the effect; None is one that is not shown."""
