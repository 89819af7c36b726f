"""The state of one sandbox: its catalogue, its books, its clock and due events."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

from sandbox.addresses import AddressBook
from sandbox.books import Books
from sandbox.carts import Carts
from sandbox.catalogue import Catalogue
from sandbox.clock import Agenda, Clock
from sandbox.dialects.dialect import Dialect, Dialects
from sandbox.dialects.pay_refused_by_finance import PAY_REFUSED_BY_FINANCE
from sandbox.entities import FINANCE_REFUSED, FinanceStep, Order
from sandbox.offline import OfflinePayments
from sandbox.quotes import FirstAnswers, Quotes
from sandbox.receipts import Receipts
from sandbox.refunds import Refunds
from sandbox.store import StateError, Store
from sandbox.times import HOUR

FINANCE_TAKES = 4 * HOUR


class World:
    def __init__(
        self,
        seed: int = 7,
        store: Store | None = None,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        dialects: Iterable[Dialect] = (),
    ) -> None:
        self.seed = seed
        self.dialects = Dialects(dialects)
        self.store = store or Store()
        self.clock = Clock(wall_ns)
        self.agenda = Agenda(self.clock)
        self.catalogue = Catalogue(seed, self.store, self.clock.now)
        self.books = Books(self.store)
        self.refunds = Refunds(self.store, self.books, self.agenda)
        self.carts = Carts(self.store, self.books)
        self.addresses = AddressBook(self.store, self.books)
        self.receipts = Receipts(self.store)
        self.offline = OfflinePayments(self.books, self.agenda, self._close_overdue)
        self.quotes = Quotes(self.store)
        self.calls_on: Counter[str] = Counter()
        self.first_answers = FirstAnswers(self.store)
        self._restore()

    def _restore(self) -> None:
        try:
            for entry in self.store.read("clock"):
                self.clock.restart(entry["offset"])
            self.catalogue.restore()
            self.books.restore()
            self.refunds.restore()
            self.carts.restore()
            self.addresses.restore()
            self.receipts.restore()
            self.quotes.restore()
            self.first_answers.restore()
        except (KeyError, TypeError) as error:
            message = "the state file is damaged or of another version. Move it away or name another file with --state."
            raise StateError(message) from error
        for order in self.books.every_order():
            self.expect_closing(order)
            self.expect_cancel(order)
            self.offline.expect(order)
            self.expect_finance(order)

    def now(self) -> int:
        return self.clock.now()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.store.put("clock", "clock", {"offset": self.clock.offset})
        self.agenda.catch_up()

    def expect_closing(self, order: Order) -> None:
        if order.unpaid:
            self.agenda.add(order.closes_at, partial(self._close_unpaid, order))

    def _close_unpaid(self, order: Order) -> None:
        if order.payable:
            self.close(order, "BUYER_NO_PAY")

    def _close_overdue(self, order: Order) -> None:
        if order.closes_at <= self.now():
            self._close_unpaid(order)

    def expect_cancel(self, order: Order) -> None:
        if order.unpaid and order.cancel_due_at is not None:
            self.agenda.add(
                order.cancel_due_at, partial(self._cancel, order, order.cancel_due_at)
            )

    def _cancel(self, order: Order, due: int) -> None:
        """Cancel the order, unless it was paid, closed or put under check meanwhile."""
        if order.payable and order.cancel_due_at == due:
            self.close(order, "BUYER_CANCEL")

    def expect_finance(self, order: Order) -> None:
        if order.unpaid and order.submitted_at is not None:
            self.agenda.add(
                order.submitted_at + FINANCE_TAKES,
                partial(self._finance, order, order.submitted_at),
            )

    def _finance(self, order: Order, submitted_at: int) -> None:
        """Pay a submitted order, or refuse it and give the money back."""
        if not order.unpaid or order.submitted_at != submitted_at:
            return
        if PAY_REFUSED_BY_FINANCE in self.dialects:
            order.finance.append(FinanceStep(self.now(), FINANCE_REFUSED))
            self._withdraw(order)
            self.expect_closing(order)
        else:
            self.books.take_submitted(order, self.now())

    def _withdraw(self, order: Order) -> None:
        order.submitted_at = None
        self.books.give_back(order, order.paid_fen - order.refunded_fen, self.now())

    def close(self, order: Order, reason: str) -> None:
        """Close an unpaid order and put its goods back on the shelf; money of a
        submission comes back.
        """
        if order.submitted_at is not None:
            self._withdraw(order)
        self.books.close(order, self.now(), reason)
        shelf = self.catalogue.shelf(order.marketplace)
        for line in order.lines:
            item = shelf.by_id[line.item_id]
            sku = item.sku(line.sku_id)
            assert sku is not None, "an order's SKU is always in the catalogue"
            self.catalogue.put_back(item, sku, line.quantity)

    def reset(self, *, keep_ids: bool = False) -> None:
        """Reset to empty books, the first catalogue and dialects, and the real time;
        also in the state file.
        """
        self.dialects.reset()
        self.store.clear()
        self.agenda.clear()
        self.clock.restart()
        self.catalogue.reset()
        self.books.reset(keep_ids=keep_ids)
        self.refunds.reset()
        self.carts.reset()
        self.addresses.reset()
        self.receipts.reset()
        self.quotes.reset()
        self.first_answers.reset()
        self.calls_on.clear()
