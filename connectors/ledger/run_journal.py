"""A run's own journal of its effects: what was done is known even when the ledger is gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from connectors.ledger.records import EffectRecord, Outcome
from domain.effects import Action, EffectStatus
from domain.money import Money

MOST_ORDERS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class _Entry:
    order_ref: str
    action: Action
    amount: Money | None
    status: EffectStatus = EffectStatus.SENDING
    id: str = ""

    @property
    def words(self) -> str:
        if self.status is not EffectStatus.DONE:
            return f"{self.action} without an answer that settles it"
        if self.action is Action.PAY:
            return f"paid {self.amount}" if self.amount else "paid"
        done = {Action.CREATE: "ordered", Action.BOOK: "booked"}.get(self.action, f"{self.action} done")
        return f"{done} as {self.id}" if self.id else done


@dataclass(slots=True)
class RunJournal:
    """The effects that a run has claimed, with their outcomes."""

    last_key: str = ""
    _entries: dict[str, _Entry] = field(default_factory=dict)

    def began(self, records: Iterable[EffectRecord]) -> None:
        for record in records:
            self._entries[record.key] = _Entry(record.order_ref, record.action, record.amount)
            self.last_key = record.key

    def ended(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if (entry := self._entries.get(outcome.claim.key)) is not None:
                filled = outcome.change.writes.columns if outcome.change else {}
                paid = filled.get("paid_minor")
                self._entries[outcome.claim.key] = replace(
                    entry,
                    status=outcome.status,
                    id=str(filled.get("order_id") or filled.get("shipment_order_id") or ""),
                    amount=entry.amount if paid is None else Money(paid),
                )

    def summary(self) -> str:
        """Every order with an effect that happened or may have, in words for a person."""
        by_order: dict[str, list[str]] = {}
        for entry in self._entries.values():
            if entry.status not in (EffectStatus.UNSENT, EffectStatus.REFUSED):
                by_order.setdefault(entry.order_ref, []).append(entry.words)
        if not by_order:
            return "This run had sent nothing."
        lines = [f"  {ref}: {', '.join(words)}" for ref, words in by_order.items()]
        more = len(lines) - MOST_ORDERS_SHOWN
        rest = [f"  and {more:,} orders more"] if more > 0 else []
        return "\n".join(["This run had sent:", *lines[:MOST_ORDERS_SHOWN], *rest])
