"""Offline payment: a voucher is uploaded, finance checks it, accepts it and pays
(contract 4.1: 1, 2, 3, 5).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sandbox.books import Books
from sandbox.clock import Agenda
from sandbox.entities import FINANCE_REFUSED, FinanceStep, Order, Voucher
from sandbox.times import HOUR

CHECKING, ACCEPTED, PAYING = 1, 2, 5
TAKES = {CHECKING: 2 * HOUR, ACCEPTED: 3 * HOUR, PAYING: 4 * HOUR}
REFUSING_WORD = "拒绝"


class OfflinePayments:
    """`close_overdue` closes an unpaid order whose time is over."""

    def __init__(
        self, books: Books, agenda: Agenda, close_overdue: Callable[[Order], None]
    ) -> None:
        self._books = books
        self._agenda = agenda
        self._close_overdue = close_overdue

    def upload(self, order: Order, voucher: Voucher, now: int) -> None:
        order.voucher = voucher
        order.cancel_due_at = None
        self._reach(order, CHECKING, now)

    def expect(self, order: Order) -> None:
        """Go on with the check when its time has come; also after a restart."""
        if order.under_check:
            step = order.finance[-1]
            due = step.at + TAKES[step.state]
            self._agenda.add(due, partial(self._go_on, order, step.state, due))

    def _reach(self, order: Order, state: int, now: int) -> None:
        order.finance.append(FinanceStep(now, state))
        self._books.touch(order, now)
        self.expect(order)

    def _go_on(self, order: Order, state: int, now: int) -> None:
        if state == CHECKING:
            self._reach(order, ACCEPTED if _accepted(order) else FINANCE_REFUSED, now)
            self._close_overdue(order)
        elif state == ACCEPTED:
            self._reach(order, PAYING, now)
        elif order.voucher is not None:
            self._books.receive(order, order.voucher.amount_fen, now, "offline")


def _accepted(order: Order) -> bool:
    voucher = order.voucher
    return (
        voucher is not None
        and voucher.amount_fen == order.amount_fen
        and REFUSING_WORD not in voucher.remark
    )
