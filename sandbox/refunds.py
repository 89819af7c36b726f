"""After-sale, shared by its marketplaces: a refund's life by the clock and its
money.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sandbox.books import Books
from sandbox.clock import Agenda
from sandbox.entities import Order, OrderLine
from sandbox.lifecycle import sent_parcel
from sandbox.refund import OPEN, Actor, Demand, Note, Refund, ReturnParcel, State, Step
from sandbox.store import Store
from sandbox.times import DAY, HOUR

REFUSING_WORD = "拒绝"
SELLER_ANSWERS = 4 * HOUR
MONEY_TAKES = HOUR
BUYER_HAS = 7 * DAY
SELLER_RECEIVES = 72 * HOUR


@dataclass(frozen=True, slots=True)
class Custom:
    """A marketplace's differences. `refused`: the state after a refusal; `money_takes`:
    from consent to state 100.
    """

    id_prefix: str
    first_id: int
    refused: State
    money_takes: int
    late_return: str | None


CUSTOMS = {
    "taobao": Custom("", 300_000_000_000_000_000, State.REFUSED, MONEY_TAKES, None),
    "1688": Custom("TQ", 100_000_000_000, State.CLOSED, 0, "超时未退货"),
}


class Refunds:
    """All refunds, indexed for every lookup. Every change goes through a method
    here.
    """

    def __init__(self, store: Store, books: Books, agenda: Agenda) -> None:
        self._store = store
        self._books = books
        self._agenda = agenda
        self.reset()

    def reset(self) -> None:
        self._by_id: dict[str, Refund] = {}
        self._of_line: dict[str, list[Refund]] = defaultdict(list)

    def restore(self) -> None:
        """Read everything back from the store and go on waiting."""
        for body in self._store.read("refund"):
            self._list(Refund.restored(body))
        for refund in self._by_id.values():
            self._expect(refund)

    def _list(self, refund: Refund) -> None:
        self._by_id[refund.id] = refund
        for sub_id in refund.sub_ids:
            self._of_line[sub_id].append(refund)

    def _save(self, refund: Refund) -> None:
        self._store.put("refund", refund.key, refund)
        self._books.touched.add(refund.order_id)

    # look-ups

    def every(self) -> Sequence[Refund]:
        """All, oldest first."""
        return list(self._by_id.values())

    def refund(self, marketplace: str, refund_id: str) -> Refund | None:
        refund = self._by_id.get(refund_id)
        return (
            refund if refund is not None and refund.marketplace == marketplace else None
        )

    def of_line(self, sub_id: str) -> Sequence[Refund]:
        """A line's refunds, oldest first."""
        return self._of_line.get(sub_id, ())

    def newest(self, sub_id: str) -> Refund | None:
        return next(reversed(self.of_line(sub_id)), None)

    def open_one(self, sub_id: str) -> Refund | None:
        return next(
            (refund for refund in self.of_line(sub_id) if refund.state in OPEN), None
        )

    def of_order(self, order: Order) -> list[Refund]:
        found = {
            refund.id: refund
            for line in order.lines
            for refund in self.of_line(line.sub_id)
        }
        return sorted(found.values(), key=lambda refund: refund.sequence)

    def lines(self, refund: Refund) -> list[OrderLine]:
        return [
            line for line in self._order(refund).lines if line.sub_id in refund.sub_ids
        ]

    def _order(self, refund: Refund) -> Order:
        return self._books.orders[refund.order_id]

    # acts of the buyer

    def ask(
        self, order: Order, lines: Sequence[OrderLine], demand: Demand, now: int
    ) -> Refund:
        custom = CUSTOMS[order.marketplace]
        refund = Refund(
            sequence=self._books.next("refund"),
            marketplace=order.marketplace,
            id=f"{custom.id_prefix}{custom.first_id + self._books.next(f'refund:{order.marketplace}')}",
            order_id=order.id,
            sub_ids=[line.sub_id for line in lines],
            demand=demand,
            before_shipping=sent_parcel(order, now) is None,
        )
        self._list(refund)
        self._reach(refund, State.ASKED, Actor.BUYER, now)
        return refund

    def ask_anew(self, refund: Refund, demand: Demand, now: int) -> None:
        refund.demand = demand
        refund.refusal = None
        refund.before_shipping = sent_parcel(self._order(refund), now) is None
        self._reach(refund, State.ASKED, Actor.BUYER, now)

    def cancel(self, refund: Refund, now: int) -> None:
        self._reach(refund, State.CLOSED, Actor.BUYER, now)

    def send_back(self, refund: Refund, parcel: ReturnParcel, now: int) -> None:
        refund.parcel = parcel
        self._reach(refund, State.RETURNING, Actor.BUYER, now)

    def add_note(self, refund: Refund, note: Note) -> None:
        refund.notes.append(note)
        self._save(refund)

    # events of the clock

    def _reach(self, refund: Refund, state: State, actor: Actor, now: int) -> None:
        refund.steps.append(Step(now, state, actor))
        self._save(refund)
        self._books.touch(self._order(refund), now)
        self._expect(refund)

    def _expect(self, refund: Refund) -> None:
        if (due := due_at(refund)) is not None:
            self._agenda.add(due, partial(self._go_on, refund, len(refund.steps), due))

    def _go_on(self, refund: Refund, steps: int, now: int) -> None:
        if len(refund.steps) != steps:
            return  # an act came before the time was over
        if refund.state is State.ASKED:
            self._answer(refund, now)
        elif refund.state is State.RETURNING:
            self._pay_back(refund, Actor.SELLER, now)
        elif refund.state is State.AGREED and not refund.demand.returns:
            self._pay_back(refund, Actor.SYSTEM, now)
        else:
            refund.refusal = refund.refusal or CUSTOMS[refund.marketplace].late_return
            self._reach(refund, State.CLOSED, Actor.SYSTEM, now)

    def _answer(self, refund: Refund, now: int) -> None:
        """Let the seller agree or refuse."""
        custom = CUSTOMS[refund.marketplace]
        shipped = sent_parcel(self._order(refund), now) is not None
        refund.refusal = _refusal(refund, shipped=shipped)
        if refund.refusal:
            self._reach(refund, custom.refused, Actor.SELLER, now)
            return
        if not shipped:
            self._withdraw(refund, now)
        if refund.demand.returns or custom.money_takes:
            self._reach(refund, State.AGREED, Actor.SELLER, now)
        else:
            self._pay_back(refund, Actor.SELLER, now)

    def _withdraw(self, refund: Refund, now: int) -> None:
        for line in self.lines(refund):
            line.withdrawn_at = line.withdrawn_at or now

    def _pay_back(self, refund: Refund, actor: Actor, now: int) -> None:
        order = self._order(refund)
        refund.refunded_fen, refund.refunded_at = refund.amount_fen, now
        _settle_lines(self.lines(refund), refund, now)
        self._books.give_back(order, refund.amount_fen, now)
        self._reach(refund, State.DONE, actor, now)
        if not order.ships and all(line.closed_at is not None for line in order.lines):
            self._books.close(order, now, "REFUNDED")


def due_at(refund: Refund) -> int | None:
    """When the refund's state changes by itself."""
    if refund.state is State.ASKED:
        takes = SELLER_ANSWERS
    elif refund.state is State.AGREED:
        takes = BUYER_HAS if refund.demand.returns else MONEY_TAKES
    elif refund.state is State.RETURNING:
        takes = SELLER_RECEIVES
    elif refund.state is State.REFUSED:
        takes = BUYER_HAS
    else:
        return None
    return refund.changed_at + takes


def _refusal(refund: Refund, *, shipped: bool) -> str | None:
    if REFUSING_WORD in refund.demand.description:
        return "卖家拒绝"
    return "已发货" if refund.before_shipping and shipped else None


def _settle_lines(lines: Sequence[OrderLine], refund: Refund, now: int) -> None:
    """Share the money out over the lines, first come first served, and close lines that
    the seller left out.
    """
    left = refund.demand.goods_fen
    for line in lines:
        share = min(left, line.left_fen) if line is not lines[-1] else left
        line.returned_fen += share
        left -= share
        if line.withdrawn_at is not None:
            line.closed_at = line.closed_at or now
        if line.withdrawn_at is not None or refund.demand.returns or not line.left_fen:
            line.lost_at = line.lost_at or now
