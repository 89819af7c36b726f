"""How a run comes to send an effect of each kind: what was done to its order before,
the flow, and what it leaves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from connectors.ledger.records import EffectRecord, OrderRecord
from domain.after_sale import RefundKind
from tasks.effects.book import Book
from tasks.effects.cancel import Cancel
from tasks.effects.create_by_reference import CreateByReference
from tasks.effects.kind import EffectKind
from tasks.effects.kinds import kind_of
from tasks.effects.parcel_report import ReportParcel
from tasks.effects.pay import Pay
from tasks.effects.refund import (
    AskRefund,
    ReturnParcel,
)
from tests.crashes.books import kept
from tests.crashes.light import Job, Speed, run
from tests.history import violations
from tests.running import RunningSandbox, write_csv

T = TypeVar("T")
IS_EVERY = "EVERY_CRASH" in os.environ
HOUR_S = 3_600
DAY_S = 86_400
OLD_ENOUGH_S = 30
"""1688 cancels no order of less than ten seconds."""

AT_ONCE = Speed(ahead_s=OLD_ENOUGH_S)
LATER = Speed(ahead_s=3000)
EARLIER = Speed(ahead_s=-1000)
FULL_FEN = 100_000_000
PICTURE = "https://example.com/broken.jpg"
CHANGED_MY_MIND = "不想要了"
BROKEN = "质量问题"
WORDS = "请快一点"


@dataclass(frozen=True)
class Shop:
    """A sandbox with one order for each case, and the ledger that knows them."""

    sandbox: RunningSandbox
    folder: Path
    rows: Mapping[str, Mapping[str, object]]

    @property
    def refs(self) -> list[str]:
        return list(self.rows)

    def job(self, does: str, **arguments: Any) -> Job:
        return Job(
            url=self.sandbox.url,
            folder=self.folder,
            does=does,
            arguments=arguments,
            clock=AT_ONCE,
        )

    def source(self, name: str, order_refs: Sequence[str]) -> Job:
        return replace(self.job("source"), file=self.file(name, order_refs), batch=name)

    def file(self, name: str, order_refs: Sequence[str]) -> Path:
        return write_csv(
            self.folder / f"{name}.csv", [self.rows[ref] for ref in order_refs]
        )

    def each(self, does: str, **arguments: Any) -> None:
        """Run a flow for each order."""
        for ref in self.refs:
            assert run(self.job(does, order_ref=ref, **arguments))["troubles"] == []

    def order(self, order_ref: str) -> OrderRecord:
        return kept(self._any)[0][order_ref]

    def effects(self, order_ref: str, kind: type[EffectKind]) -> list[EffectRecord]:
        return [
            effect
            for effect in kept(self._any)[1]
            if effect.order_ref == order_ref and kind_of(effect) is kind
        ]

    def shown(self, table: str, order_ref: str) -> list[dict[str, Any]]:
        """The rows of the books that are about the order."""
        rows: list[dict[str, Any]] = self.sandbox.books()[table]
        if table == "orders":
            ids = {self.order(order_ref).order_id}
            return [
                row
                for row in rows
                if row["reference"] == order_ref or row["order_id"] in ids
            ]
        key = (
            "tmall_order_id"
            if table in ("shipments", "domestic_updates")
            else "order_id"
        )
        return [row for row in rows if row[key] == self.order(order_ref).order_id]

    def broken_promises(self) -> list[str]:
        return [
            str(violation)
            for violation in violations(
                self.sandbox.books(), *kept(self._any), at_rest=True
            )
        ]

    @property
    def _any(self) -> Job:
        return self.job("follow")


# what was done before


def nothing(shop: Shop) -> None:
    """An older order at each marketplace shows that the lists would show a younger
    one.
    """
    older = shop.source("before", [ref for ref in shop.refs if ref.endswith("-000")])
    run(replace(older, clock=EARLIER))


def unpaid(shop: Shop) -> None:
    shop.sandbox.control("PUT", "wallet", {"balance_fen": 0})
    assert set(_states(run(shop.source("before", shop.refs)))) == {"held"}
    shop.sandbox.advance(OLD_ENOUGH_S)
    shop.sandbox.control("PUT", "wallet", {"balance_fen": FULL_FEN})


def booked(shop: Shop) -> None:
    assert set(_states(run(shop.source("before", shop.refs)))) == {"booked"}


def on_the_way(shop: Shop) -> None:
    """The goods are at the warehouse; nobody has looked since."""
    booked(shop)
    shop.sandbox.advance(6 * DAY_S)


def arrived(shop: Shop) -> None:
    on_the_way(shop)
    run(shop.job("track"))


def to_return(shop: Shop) -> None:
    arrived(shop)
    shop.each("refund", kind=RefundKind.RETURN, reason=BROKEN, vouchers=[PICTURE])
    shop.sandbox.advance(5 * HOUR_S)
    run(shop.job("follow"))


def _states(report: Mapping[str, Any]) -> list[str]:
    return [order["state"] for order in report["orders"]]


# what sends it, and what is to be seen of it


def _alone(shop: Shop, ref: str) -> Job:
    return shop.source(ref, [ref])


def _one_order(does: str, **arguments: Any) -> Callable[[Shop, str], Job]:
    return lambda shop, ref: shop.job(does, order_ref=ref, **arguments)


def _orders(does: str, **arguments: Any) -> Callable[[Shop, str], Job]:
    return lambda shop, ref: shop.job(does, order_refs=[ref], **arguments)


def _shown(table: str, **columns: Sequence[object]) -> Callable[[Shop, str], int]:
    """How many rows of the books there are about the order, with one of these values in
    each column.
    """

    def count(shop: Shop, ref: str) -> int:
        return sum(
            all(row[name] in values for name, values in columns.items())
            for row in shop.shown(table, ref)
        )

    return count


@dataclass(frozen=True, kw_only=True)
class Lead:
    """`before` brings orders to where `sends` sends the effect for one; `times` is how
    often the service has it.

    `already` is what a further run says of it, where it says something. What is sent
    for every order there is (`for_all`) needs a shop for each case.
    """

    before: Callable[[Shop], None]
    sends: Callable[[Shop, str], Job]
    times: Callable[[Shop, str], int]
    at: tuple[str, ...] = ("taobao", "1688")
    already: Mapping[str, str] = field(default_factory=dict)
    for_all: bool = False


CLOSED = (4, "cancel")
LEADS: dict[type[EffectKind], Lead] = {
    CreateByReference: Lead(before=nothing, sends=_alone, times=_shown("orders")),
    Pay: Lead(before=nothing, sends=_alone, times=_shown("payments")),
    Book: Lead(before=nothing, sends=_alone, times=_shown("shipments")),
    ReportParcel: Lead(
        before=on_the_way,
        sends=lambda shop, _: shop.job("track"),
        times=_shown("domestic_updates"),
        for_all=True,
    ),
    Cancel: Lead(
        before=unpaid, sends=_orders("cancel"), times=_shown("orders", status=CLOSED)
    ),
    AskRefund: Lead(
        before=booked,
        sends=_one_order("refund", kind=RefundKind.REFUND, reason=CHANGED_MY_MIND),
        times=_shown("refunds"),
        already={
            "taobao": "a refund is under way already",
            "1688": "a refund is under way already",
        },
    ),
    ReturnParcel: Lead(
        before=to_return,
        sends=_one_order("return", company="SF", number="SF0001"),
        times=_shown("refunds", status=(30,)),
        at=("taobao",),
        already={"taobao": "no parcel can be named now"},
    ),
}

OF_A_RUN = [kind for kind, lead in LEADS.items() if lead.sends is _alone]
"""What one run does to an order of a file, in this order."""


def some_of(cases: Sequence[T], one_in: int) -> Sequence[T]:
    """A part of the cases; all of them in `make endurance PART=crashes`."""
    return cases if IS_EVERY else cases[::one_in]
