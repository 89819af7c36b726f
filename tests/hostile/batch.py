"""One batch against the odd service, then runs against a sane one; and the judgement of
both.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from connectors.ledger.schema import metadata
from connectors.snapshots.rows import to_arrow
from connectors.snapshots.tables import TABLES
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderRequest, RequestLine
from domain.reasons import ReasonCode
from domain.states import OrderState
from sandbox.control import books
from sandbox.goods import Item, Sku
from tests.history import Rule, violations
from tests.hostile.oddities import heard, oddities
from tests.hostile.pointers import Sort
from tests.hostile.service import Case, OddService, When
from tests.simulation.episode import (
    NO_QUERY,
    RECEIVER,
    SETTLE_S,
    Episode,
    Scenario,
    _settings,
)
from tests.simulation.misfortune import Call, Fault
from tests.simulation.network import Incoming
from tests.simulation.process import Process
from tests.simulation.stage import Stage

PLAUSIBLE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
LEASE_S = 120
WITNESSES = 1
ROUNDS = 3
ON_THE_ROAD_S = 5 * 86_400


@dataclass(frozen=True, slots=True)
class Broken:
    """What went wrong; `ref` is the order, empty when it is about the whole run."""

    ref: str
    what: str


def witness(marketplace: str, number: int = 0) -> str:
    return f"{marketplace}-W{number}"


@dataclass(kw_only=True)
class Batch:
    """Orders by reference, each with its case, and a few honest ones among them that
    must not suffer.
    """

    cases: dict[str, Case]
    requests: tuple[OrderRequest, ...]
    goods: dict[str, frozenset[str]]
    honest: dict[str, int]
    total_fen: int
    alone: bool


def batch_of(
    made: Stage, cases: Sequence[Case], *, alone: bool, witnesses: int = WITNESSES
) -> Batch:
    """Honest orders first, then one order a case, each of an item of its own."""
    counts = dict.fromkeys(Marketplace, 0)
    expected: list[tuple[str, Marketplace, Case | None]] = []
    if not alone:
        expected += [
            (witness(name, n), name, None)
            for name in Marketplace
            for n in range(witnesses)
        ]
    for number, case in enumerate(cases):
        marketplace = Marketplace(case.marketplace)
        expected.append((f"{marketplace}-{number:03d}", marketplace, case))
    batch = Batch(cases={}, requests=(), goods={}, honest={}, total_fen=0, alone=alone)
    requests = []
    for ref, marketplace, odd in expected:
        item = made.on_sale[marketplace][counts[marketplace]]
        counts[marketplace] += 1
        request, keys, fen = _order(
            ref, marketplace, item, by_words=odd is not None and odd.searches
        )
        requests.append(request)
        batch.goods[ref] = keys
        batch.total_fen += fen
        if odd is None:
            batch.honest[ref] = fen
        else:
            batch.cases[ref] = odd
    batch.requests = tuple(requests)
    return batch


def _order(
    ref: str, marketplace: Marketplace, item: Item, *, by_words: bool
) -> tuple[OrderRequest, frozenset[str], int]:
    sku: Sku = max(item.skus, key=lambda sku: sku.stock)
    quantity = item.min_quantity
    unit_fen = item.unit_fen(sku, quantity)
    line = RequestLine(
        row=2,
        item=item.title if by_words else item.id,
        sku=sku.id,
        quantity=quantity,
        max_unit_price=None,
    )
    request = OrderRequest(
        order_ref=ref,
        marketplace=marketplace,
        receiver=RECEIVER,
        freight="cheapest",
        lines=(line,),
    )
    keys = {item.id, item.mp_id, item.title, item.title_en} | {
        id_ for sku in item.skus for id_ in _sku_ids(sku)
    }
    return (
        request,
        frozenset(keys - {""}),
        unit_fen * quantity + item.seller.postage(unit_fen * quantity),
    )


def _sku_ids(sku: Sku) -> tuple[str, str, str]:
    return sku.id, sku.spec_id, sku.mp_id


class HostileEpisode(Episode):
    """An episode without misfortune, whose service tells what the cases say."""

    def __init__(self, made: Stage, batch: Batch, *, seed: int = 1) -> None:
        scenario = Scenario(
            requests=batch.requests,
            budget=Money(batch.total_fen * 2),
            settings=_settings(made, LEASE_S, 16, 0, 25),
            day_limit_fen=None,
            hides_bookings=False,
        )
        super().__init__(seed=seed, stage=made, given=scenario)
        self.misfortune.calm = True
        self.asked = batch
        self.service = OddService(
            world=self.world, cases=batch.cases, goods=batch.goods, alone=batch.alone
        )
        self.broken_things: list[Broken] = []
        self.loop.set_exception_handler(
            lambda _loop, context: self.say("", f"{context.get('exception')!r}"[:300])
        )

    def told(
        self,
        call: Call,
        fault: Fault | None,
        incoming: Incoming,
        response: web.Response,
    ) -> web.Response:
        assert isinstance(response.body, bytes)
        body = self.service.answer(call, incoming, response.body)
        return (
            response
            if body is response.body
            else web.Response(body=body, status=response.status)
        )

    def check(self, after: str, *, at_rest: bool = False) -> None:
        """Once a run instead of after each effect: a batch is large."""

    def leaves(self, process: Process, claim: Any) -> None:
        """The effect protocol is the simulation's matter."""

    def kept(self, tables: Mapping[str, Sequence[Any]]) -> None:
        for name, rows in tables.items():
            to_arrow(
                TABLES[name],
                [
                    {"snapshot_id": "s", "snapshot_at": self.clock(), **row}
                    for row in rows
                ],
            )
            for row in rows:
                self._check_order(f"table {name}", dict(row))

    async def _guarded(self, process: Process, work: Any) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a run goes on with its other orders, whatever one answer says
            self.trouble(error)

    def trouble(self, error: Exception) -> None:
        text = str(error)
        self._check_order("the error", text)
        if not (
            self.asked.alone
            and type(error).__module__.startswith("connectors.xportcn.errors")
        ):
            self.say("", f"the run ended with {type(error).__name__}: {text[:300]!r}")

    def hears(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._check_order("the log", text)
        if record.exc_info and record.exc_info[0]:
            self.say("", f"a traceback in the log: {text[:200]!r}")

    def say(self, ref: str, what: str) -> None:
        self.broken_things.append(Broken(ref, what))

    # the play

    def play_it(self) -> HostileEpisode:
        tracking = any(case.when is When.TRACKING for case in self.asked.cases.values())
        with heard(self.hears):
            self.run(self._tracked() if tracking else self._bought())
        for hostile_episode in self.found:
            self.say("", hostile_episode)
        return self

    async def _bought(self) -> None:
        await self.start("source")
        self._judge("the odd answers")
        if not self.asked.alone:
            orders = self.database.orders()
            for ref in self.asked.honest:
                if ref not in orders:
                    self.say(
                        "", f"an honest order suffered: {ref} was not even planned"
                    )
                elif orders[
                    ref
                ].state is not OrderState.BOOKED and not self._is_in_question(
                    orders[ref]
                ):
                    self.say(
                        "",
                        f"an honest order suffered: {ref} is {orders[ref].state}: {orders[ref].reason}",
                    )
        self.service.on = False
        for _ in range(ROUNDS):
            await asyncio.sleep(LEASE_S + SETTLE_S + 1)
            await self.start("source")
            if not list(self._unfinished()):
                break
        self._judge("the runs against a sane service", at_rest=True)
        for ref, label in self._unfinished():
            self.say(ref, label)

    async def _tracked(self) -> None:
        self.service.on = False
        await self.start("source")
        await asyncio.sleep(ON_THE_ROAD_S)
        self.land()
        self.service.on = True
        await self.start("track")
        self._judge("the odd answers")
        self.service.on = False
        await asyncio.sleep(LEASE_S + SETTLE_S + 1)
        await self.start("track")
        self._judge("the runs against a sane service", at_rest=True)

    # the judgement

    def _judge(self, after: str, *, at_rest: bool = False) -> None:
        orders, effects = self._ledger_now()
        notices = books(self.sandbox, NO_QUERY, b"")
        snapshot = self._newest_rows() if at_rest and self.snapshots else None
        for violation in violations(
            notices,
            orders,
            effects,
            limits=self.limits,
            at_rest=at_rest,
            snapshot=snapshot,
        ):
            ref = violation.what.partition(":")[0]
            if not self._is_plausible(violation.rule, orders.get(ref), at_rest=at_rest):
                self.say(
                    ref if ref in self.asked.cases else "",
                    f"{violation} (after {after})",
                )
        for table in metadata.sorted_tables:
            for row in self.database.rows(f"SELECT * FROM {table.name}"):
                cells = {name: _opened(cell) for name, cell in vars(row).items()}
                self._check_order(f"ledger, {table.name}", cells)

    def _is_plausible(self, rule: Rule, order: Any, *, at_rest: bool) -> bool:
        """What nobody can tell from the truth: who is paid a sensible amount and is
        told another one, or another id.
        """
        case = self.asked.cases.get(order.order_ref) if order else None
        if case is None:
            return False
        if rule in (Rule.OTHER_AMOUNT, Rule.NOT_IN_SNAPSHOT):
            return case.sort is Sort.AMOUNT and 0 < (order.paid_minor or 0) <= (
                order.approved_minor or 0
            )
        if rule in (Rule.IMAGINED_SHIPMENT, Rule.FORGOTTEN_SHIPMENT):
            return _looks_like_an_id(order.shipment_order_id) and not self._is_shared(
                "shipment_order_id", order
            )
        if (
            rule is Rule.FORGOTTEN_ORDER
        ):  # until the order is looked for by its reference
            return (
                not at_rest
                and _looks_like_an_id(order.order_id)
                and not self._is_shared("order_id", order)
            )
        return False

    def _is_shared(self, column: str, order: Any) -> bool:
        neighbours = [
            item
            for item in self.database.orders().values()
            if item.order_ref != order.order_ref
        ]
        return getattr(order, column) in [getattr(item, column) for item in neighbours]

    def _check_order(self, where: str, value: Any) -> None:
        ref = str(value.get("order_ref", "")) if isinstance(value, dict) else ""
        for oddity in oddities(value):
            self.say(ref, f"{where}: {oddity}")

    def _unfinished(self) -> Iterator[tuple[str, str]]:
        orders = self.database.orders()
        for request in self.scenario.requests:
            order = orders.get(request.order_ref)
            if order is None:
                yield request.order_ref, "is not in the ledger"
            elif order.state is not OrderState.BOOKED and not (
                _asks(order) or self._was_misled(order) or self._is_in_question(order)
            ):
                yield request.order_ref, f"ends {order.state}: {order.reason[:300]}"

    def _is_in_question(self, order: Any) -> bool:
        """Held with its marketplace, as an odd amount happens to be about a hundredth
        of another: yuan, or fen.
        """
        named = re.search(r"\((\S+): .*in another unit", order.reason)
        case = self.asked.cases.get(named[1]) if named else None
        is_held = order.reason_code == ReasonCode.MARKETPLACE_HELD
        return is_held and case is not None and case.sort is Sort.AMOUNT

    def _was_misled(self, order: Any) -> bool:
        """What words were taken to mean is kept until somebody searches anew; a price
        that was told too low rises.

        An order that was found with other goods in it is a person's.
        """
        case = self.asked.cases.get(order.order_ref)
        if (
            case is not None
            and case.sort is Sort.ID
            and order.reason_code == ReasonCode.ORDERED_IN_PART
        ):
            return True
        was_told_less = (
            case is not None
            and case.sort is Sort.AMOUNT
            and "the price rose after" in order.reason
        )
        return was_told_less or (case is not None and case.searches)


def _asks(order: Any) -> bool:
    """Nobody but a person can tell: the one question there may be about a booking."""
    return (
        order.state is OrderState.UNKNOWN
        and f"sourcing resolve {order.order_ref} booked" in order.reason
    )


def _looks_like_an_id(text: str | None) -> bool:
    return text is not None and PLAUSIBLE_ID.fullmatch(text) is not None


def _opened(cell: Any) -> Any:
    """What a JSON cell holds; a service's words may only look like JSON."""
    if isinstance(cell, str) and cell[:1] in ("{", "[") and cell[-1:] in ("}", "]"):
        with suppress(ValueError):
            return json.loads(cell)
    return cell
