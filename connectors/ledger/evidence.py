"""What the ledger's own orders prove: a listing is complete, a ledger was put back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select

from connectors.ledger.engine import one_of
from connectors.ledger.marks import Note
from connectors.ledger.schema import effects, orders
from connectors.ledger.send_log import noted
from connectors.ledger.store import Ledger
from connectors.ledger.transactions import Transactions
from domain.absence import EVER, Account, Control, Misread
from domain.marketplace import Marketplace
from domain.service_orders import ServiceOrder
from domain.wording import shorten

MOST_CONTROLS = 3


def newest_until(
    ledger: Transactions,
    marketplace: Marketplace,
    until: datetime,
    *,
    since: datetime = EVER,
) -> list[Control]:
    """The newest orders of a marketplace, ordered between `since` and `until`."""
    in_time = _of_marketplace(marketplace).where(
        orders.c.ordered_at.between(since, until)
    )
    return _controls(
        ledger, in_time.order_by(orders.c.ordered_at.desc(), orders.c.order_ref)
    )


def oldest_since(
    ledger: Transactions, marketplace: Marketplace, since: datetime
) -> list[Control]:
    """The first orders of a marketplace that were ordered from `since` on."""
    in_time = _of_marketplace(marketplace).where(orders.c.ordered_at >= since)
    return _controls(ledger, in_time.order_by(orders.c.ordered_at, orders.c.order_ref))


def _of_marketplace(marketplace: Marketplace) -> Select[Any]:
    known_ids = select(orders.c.order_ref, orders.c.order_id, orders.c.ordered_at)
    return known_ids.where(
        orders.c.marketplace == marketplace, orders.c.order_id.is_not(None)
    )


def _controls(ledger: Transactions, statement: Select[Any]) -> list[Control]:
    return [Control(**row) for row in ledger.rows(statement.limit(MOST_CONTROLS))]


def refs_by_id(
    ledger: Transactions, marketplace: Marketplace, order_ids: Iterable[str]
) -> dict[str, str]:
    """The `order_ref` of each of these order ids that the ledger has."""
    statement = select(orders.c.order_id, orders.c.order_ref).where(
        orders.c.marketplace.concat("")
        == marketplace,  # by the id: SQLite would read all orders of the marketplace
        one_of(orders.c.order_id, "ids"),
    )
    return ledger.pairs(statement, ids=[*order_ids])


def account_of(
    ledger: Ledger,
    marketplace: Marketplace,
    shown: Iterable[ServiceOrder | Misread],
    controls: Sequence[Control],
) -> Account:
    """What the ledger knows of the orders that a listing of a marketplace shows."""
    listed = list(shown)
    ordered = select(orders.c.order_ref, orders.c.order_id).where(
        orders.c.order_id.is_not(None), one_of(orders.c.order_ref, "refs")
    )
    foreign = {
        order_id
        for place, order_id in ledger.foreign_orders.standing()
        if place is marketplace
    }
    return Account(
        controls=controls,
        ids=ledger.pairs(
            ordered,
            refs=[*{name for newer_misread in listed for name in newer_misread.names}],
        ),
        accounted=foreign
        | refs_by_id(
            ledger, marketplace, [newer_misread.order_id for newer_misread in listed]
        ).keys(),
        confirmed_at=ledger.marks.last_at(Note.KNOWN.at(marketplace)),
    )


def notice_put_back(ledger: Ledger, send_logs: Path) -> None:
    """Mark the ledger as restored if it lacks effects of a log that was written since
    its last restore.
    """
    since = ledger.marks.restored_at()
    newer = [
        newer_misread
        for newer_misread in noted(send_logs)
        if since is None or newer_misread.at > since
    ]
    keys = dict.fromkeys(key for newer_misread in newer for key in newer_misread.keys)
    known_ids = {
        *ledger.column(
            select(effects.c.key).where(one_of(effects.c.key, "keys")), keys=[*keys]
        )
    }
    if missing := [key for key in keys if key not in known_ids]:
        at = max(newer_misread.at for newer_misread in newer)
        ledger.marks.put_back(
            f"was put back by hand, or another one is meant: it does not have {shorten(missing)}, of {send_logs}, "
            f"where the last line is of {at:%Y-%m-%d %H:%M:%S} UTC",
            by=ledger.owner,
        )
