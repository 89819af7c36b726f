"""People's answers to open questions: by whom, when, to which question; each in one
commit with what it settles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, case, or_, select, update

from connectors.ledger.claiming import intent_row, latest_attempts
from connectors.ledger.order_ids import IdOwners
from connectors.ledger.order_mover import LOCKED_ORDERS, change_order
from connectors.ledger.records import EffectRecord, Intent, OrderChange
from connectors.ledger.refunds import add_refund
from connectors.ledger.schema import answers, effects
from connectors.ledger.transactions import LedgerRows, repeating
from domain.after_sale import Refund
from domain.effects import EffectStatus
from domain.reasons import stored

_ANSWERED = case((effects.c.doubtful_sends > 1, 1), else_=effects.c.doubtful_sends)
"""A person's answer lets the program send once more, no oftener."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionRecord:
    """A person's answer, and what it makes of an order and of one effect.

    It settles `effect` as it was read, or writes one for `intent` where the ledger has
    none: then the effect happened without this ledger. `refund` is what came back
    without it. `answer` is in the words of the command.
    """

    by: str
    question: str
    answer: str
    status: EffectStatus
    proof: dict[str, Any] | None = None
    effect: EffectRecord | None = None
    intent: Intent | None = None
    refund: Refund | None = None
    change: OrderChange


class ResolutionRows(LedgerRows):
    """The table `answers` of one ledger."""

    @repeating
    def record(
        self, answer: ResolutionRecord, *, dead_owners: Iterable[str] = ()
    ) -> bool:
        """Write an answer and what it settles, in one commit.

        False, and nothing is written, when the order, its refunds or the effect have
        changed since they were read, when a living run holds the effect, or when
        another order got the service's order id that the answer names.
        """
        with self._ledger.transaction() as connection:
            names = IdOwners(
                connection, [answer.change]
            )  # before the order is locked, as all writers do
            locked_order = connection.execute(
                LOCKED_ORDERS, {"refs": [answer.change.order_ref]}
            ).one()
            if answer.change.expected not in (
                None,
                locked_order.state,
            ) or names.conflict(answer.change):
                return False
            key = self._settle(connection, answer, list(dead_owners))
            if key is None:
                return False
            if answer.refund and not add_refund(
                self._ledger, connection, answer.refund
            ):
                return False
            row = {
                "order_ref": answer.change.order_ref,
                "effect_key": key,
                "at": self._ledger.clock(),
                "by": answer.by,
                "question": answer.question,
                "answer": answer.answer,
            }
            connection.execute(answers.insert().values(row))
            change_order(self._ledger, connection, answer.change, by=answer.by)
        return True

    def of_order(self, order_ref: str) -> list[dict[str, Any]]:
        """The answers about one order, oldest first."""
        return self._ledger.rows(
            select(answers)
            .where(answers.c.order_ref == order_ref)
            .order_by(answers.c.id)
        )

    def _settle(
        self, connection: Connection, answer: ResolutionRecord, dead_owners: list[str]
    ) -> str | None:
        """The key of the effect that is settled now; None when another process holds it
        or has settled it.
        """
        moment = self._ledger.clock()
        settled: dict[str, Any] = {
            "status": answer.status,
            **stored(answer.change.why),
            "answer": answer.proof,
            "settled_at": moment,
            "lease_until": moment,
        }
        if answer.effect is None:
            return self._write(connection, answer, settled)
        statement = (
            update(effects)
            .where(
                effects.c.key == answer.effect.key,
                effects.c.fence == answer.effect.fence,
                effects.c.status == answer.effect.status,
                or_(effects.c.lease_until <= moment, effects.c.owner.in_(dead_owners)),
            )
            .values(
                fence=effects.c.fence + 1,
                owner=self._ledger.owner,
                doubtful_sends=_ANSWERED,
                **settled,
            )
        )
        return (
            answer.effect.key if connection.execute(statement).rowcount == 1 else None
        )

    def _write(
        self, connection: Connection, answer: ResolutionRecord, settled: dict[str, Any]
    ) -> str | None:
        """Write an effect that happened without this ledger, over one that provably did
        not happen.
        """
        intent = answer.intent
        moment = self._ledger.clock()
        if intent is None:
            return ""
        latest = latest_attempts(connection, [intent]).get(intent.slot)
        row = {
            **intent_row(
                intent,
                latest,
                owner=self._ledger.owner,
                moment=moment,
                lease=timedelta(0),
            ),
            **settled,
        }
        insert = self._ledger.insert(effects).values(row)
        replaced = {
            name: insert.excluded[name] for name in row if name not in ("key", "fence")
        }
        statement = insert.on_conflict_do_update(
            index_elements=["key"],
            set_={**replaced, "fence": effects.c.fence + 1},
            where=effects.c.status == EffectStatus.UNSENT,
        ).returning(effects.c.key)
        return connection.execute(statement).scalar()
