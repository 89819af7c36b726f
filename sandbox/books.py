"""The sandbox's own record of orders, payments, shipments and the wallet, indexed for
every lookup.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sandbox.entities import DomesticUpdate, Order, OrderLine, Payment, Render, Shipment
from sandbox.public_page import PUBLIC_ORDER, PUBLIC_RENDER
from sandbox.store import Store

OPENING_FEN = 100_000_000


class Books:
    """The record. Every change goes through a method here, which also writes it to the
    store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._empty()

    def _empty(self) -> None:
        self.opening_fen = self.balance_fen = OPENING_FEN
        self.orders: dict[str, Order] = {}
        self.payments: list[Payment] = []
        self.renders: dict[str, Render] = {}
        self.shipments: dict[str, Shipment] = {}
        self.domestic_updates: list[DomesticUpdate] = []
        self._counters: dict[str, int] = defaultdict(int)
        self._listed: dict[str, list[Order]] = defaultdict(list)
        self._by_reference: dict[tuple[str, str], list[Order]] = defaultdict(list)
        self._by_sub_id: dict[str, tuple[Order, OrderLine]] = {}
        self.touched: set[str] = set()
        self._index(replace(PUBLIC_ORDER, shipment_ids=[]))
        self.renders[PUBLIC_RENDER.id] = PUBLIC_RENDER

    def reset(self, *, keep_ids: bool = False) -> None:
        given = self._counters
        self._empty()
        if keep_ids:
            self._counters = given
            for counter, last in given.items():
                self._store.put("counter", counter, {"name": counter, "last": last})

    def restore(self) -> None:
        """Read everything back from the store."""
        self._counters.update(
            (entry["name"], entry["last"]) for entry in self._store.read("counter")
        )
        for wallet in self._store.read("wallet"):
            self.opening_fen, self.balance_fen = (
                wallet["opening_fen"],
                wallet["balance_fen"],
            )
        for body in self._store.read("order"):
            self._list(Order.restored(body))
        self.payments += [Payment(**body) for body in self._store.read("payment")]
        for body in self._store.read("render"):
            self.renders[body["id"]] = Render.restored(body)
        for body in self._store.read("shipment"):
            self._file(Shipment.restored(body))
        self.domestic_updates += [
            DomesticUpdate(**body) for body in self._store.read("domestic_update")
        ]

    def next(self, counter: str) -> int:
        """1, 2, 3, ... per name; survives a restart."""
        self._counters[counter] += 1
        self._store.put(
            "counter", counter, {"name": counter, "last": self._counters[counter]}
        )
        return self._counters[counter]

    # orders

    def _list(self, order: Order) -> None:
        self._index(order)
        self._listed[order.marketplace].append(order)
        if order.reference:
            self._by_reference[order.marketplace, order.reference].append(order)

    def _index(self, order: Order) -> None:
        self.orders[order.id] = order
        self._by_sub_id.update((line.sub_id, (order, line)) for line in order.lines)

    def add_order(self, order: Order) -> None:
        self._list(order)
        self.save_order(order)

    def save_order(self, order: Order) -> None:
        self._store.put("order", order.key, order)
        self.touched.add(order.id)

    def order(self, marketplace: str, order_id: str) -> Order | None:
        order = self.orders.get(order_id)
        return order if order is not None and order.marketplace == marketplace else None

    def order_of_line(self, sub_id: str) -> tuple[Order, OrderLine] | None:
        return self._by_sub_id.get(sub_id)

    def listed(self, marketplace: str) -> Sequence[Order]:
        """A marketplace's orders, oldest first."""
        return self._listed[marketplace]

    def every_order(self) -> list[Order]:
        return sorted(
            (order for orders in self._listed.values() for order in orders),
            key=lambda order: order.sequence,
        )

    def referenced(self, marketplace: str, reference: str) -> Sequence[Order]:
        return self._by_reference.get((marketplace, reference), [])

    def has_out_order_id(self, marketplace: str, out_order_id: str) -> bool:
        return bool(out_order_id) and any(
            order.out_order_id == out_order_id for order in self._listed[marketplace]
        )

    def created_between(
        self, marketplace: str, start: int | None, end: int | None
    ) -> Sequence[Order]:
        """Orders created from `start` to `end`, both included, oldest first; without a
        scan.
        """
        orders = self._listed[marketplace]
        if start is None and end is None:
            return orders
        first = (
            0
            if start is None
            else bisect_left(orders, start, key=lambda order: order.created_at)
        )
        last = (
            len(orders)
            if end is None
            else bisect_right(orders, end, key=lambda order: order.created_at)
        )
        return orders[first:last]

    def raise_prices(self, order: Order, now: int) -> None:
        order.raise_prices(now)
        self.save_order(order)

    def close(self, order: Order, now: int, reason: str) -> None:
        order.closed_at = now
        order.close_reason = reason
        order.cancel_due_at = None
        self.save_order(order)

    def touch(self, order: Order, now: int) -> None:
        """Store a change that the order's listing shows."""
        order.touched_at = now
        self.save_order(order)

    # money

    def debit(self, order: Order, now: int) -> None:
        """Take the order's amount from the wallet; the caller has checked that it may
        be taken.
        """
        self.balance_fen -= order.amount_fen
        self._save_wallet()
        self._pay(order, order.amount_fen, now, "wallet")

    def receive(self, order: Order, amount_fen: int, now: int, source: str) -> None:
        """Record a payment that did not come from the wallet."""
        self._pay(order, amount_fen, now, source)

    def _pay(self, order: Order, amount_fen: int, now: int, source: str) -> None:
        payment = Payment(self.next("payment"), order.id, amount_fen, now, source)
        self.payments.append(payment)
        if order.submitted_at is None:
            order.paid_at = order.paid_at or now
        order.paid_fen += amount_fen
        order.paid_times += 1
        order.cancel_due_at = None
        self._store.put("payment", f"{payment.sequence:012d}", payment)
        self.save_order(order)

    def take_submitted(self, order: Order, now: int) -> None:
        """Show a submitted order as paid."""
        order.paid_at, order.submitted_at = now, None
        self.save_order(order)

    def give_back(self, order: Order, amount_fen: int, now: int) -> None:
        """Put a refund into the wallet."""
        self.balance_fen += amount_fen
        order.refunded_fen += amount_fen
        self._save_wallet()
        self.touch(order, now)

    def set_balance(self, balance_fen: int) -> None:
        """Set the balance, as if the wallet had opened with just enough for all
        payments and this balance.
        """
        self.opening_fen += balance_fen - self.balance_fen
        self.balance_fen = balance_fen
        self._save_wallet()

    def _save_wallet(self) -> None:
        wallet = {"opening_fen": self.opening_fen, "balance_fen": self.balance_fen}
        self._store.put("wallet", "wallet", wallet)

    # freight

    def add_render(self, render: Render) -> None:
        self.renders[render.id] = render
        self._store.put("render", f"{render.sequence:012d}", render)

    def add_shipment(self, shipment: Shipment) -> None:
        self._file(shipment)
        self.save_shipment(shipment)
        order = self.orders[shipment.tmall_order_id]
        if order.sequence:  # the public page's order is not part of the books
            self.save_order(order)

    def _file(self, shipment: Shipment) -> None:
        self.shipments[shipment.id] = shipment
        order = self.orders[shipment.tmall_order_id]
        order.booked_at = shipment.created_at
        if shipment.id not in order.shipment_ids:
            order.shipment_ids.append(shipment.id)

    def save_shipment(self, shipment: Shipment) -> None:
        self._store.put("shipment", f"{shipment.sequence:012d}", shipment)

    def add_domestic_update(self, update: DomesticUpdate) -> None:
        self.domestic_updates.append(update)
        self._store.put("domestic_update", f"{update.sequence:012d}", update)
        shipment = self.shipments[update.order_id]
        shipment.domestic_numbers.setdefault(update.logistic_number, []).append(
            update.domestic_number
        )
        self.save_shipment(shipment)
