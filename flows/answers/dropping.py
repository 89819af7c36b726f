"""What a person does not want any more: named orders, or what is left of a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.ledger.plans import drop
from domain.holds import by_whom, why_in_words
from domain.reasons import Reason
from domain.request_remarks import BadInput
from domain.states import OrderState
from domain.wording import pluralize
from tasks.snapshot import Source, write_tables

LAID_ASIDE = (OrderState.HELD, OrderState.REFUSED)
NOTHING_NAMED = "name an order, or a batch with orders that are held or refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """The orders that were closed, and why each other one stays as it is."""

    dropped: Sequence[str] = ()
    stay: Mapping[str, Reason] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """`4,700 orders dropped, 1 stays`."""
        count = len(self.stay)
        return f"{pluralize(len(self.dropped), 'order')} dropped" + (
            f", {count:,} stay{'s' if count == 1 else ''}" if count else ""
        )


async def dropped(
    source: Source, order_refs: Sequence[str], batch: str, *, by: str, why: str
) -> Dropped:
    """Drop these orders, and those of a batch that are held or refused. Raises
    `BadInput` where that is no order at all.

    Of a batch, orders of which something was begun are passed over.
    """
    ledger = source.ledger
    named = [ref.strip() for ref in order_refs if ref.strip()]
    kept_refs = [
        order.order_ref
        for order in ledger.each_order(ledger.refs_in(batch.strip()))
        if order.state in LAID_ASIDE
    ]
    refs = list(dict.fromkeys([*named, *kept_refs]))
    if not refs:
        raise BadInput(NOTHING_NAMED)
    stay = await asyncio.to_thread(
        drop, ledger, refs, by=by_whom(by), note=why_in_words(why)
    )
    await write_tables(source, "dropped")
    return Dropped(
        dropped=[ref for ref in refs if ref not in stay],
        stay={ref: reason for ref, reason in stay.items() if ref in named},
    )
