"""Whatever kind of effect a run left behind when it died, the next one settles it; each
kind has its question.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.records import Intent, OrderChange
from connectors.ledger.send_log import SendLog
from connectors.ledger.store import Ledger
from connectors.marketplaces import Offering
from connectors.marketplaces.protocol import Target
from domain.after_sale import (
    NOTHING,
    Refund,
    RefundKind,
    RefundState,
    ServiceRefund,
)
from domain.effects import Claim, EffectStatus
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine
from domain.service_orders import ServiceStatus, Shipment
from domain.states import OrderState
from tasks.effects.book import Book
from tasks.effects.cancel import Cancel
from tasks.effects.create_by_reference import CreateByReference
from tasks.effects.kind import EffectKind
from tasks.effects.kinds import KINDS, kind_of, settle_open
from tasks.effects.parcel_report import ReportParcel
from tasks.effects.pay import Pay
from tasks.effects.refund import (
    AskRefund,
    ReturnParcel,
)
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, plan
from tests.flows.answers.test_resolve import FakeChannel
from tests.flows.plans import planned, put_approved
from tests.postgres import Postgres
from tests.tasks.conftest import resources_on

S = EffectStatus
M = Marketplace.TAOBAO
REFUND = Refund(
    key="A-1:all.1", order_ref="A-1", marketplace=M, order_id="77", part="all", number=1, lines=(1,), entry_ids=("1",),
    kind=RefundKind.REFUND, state=RefundState.ASKED, reason_id=101, reason="", goods="1", goods_amount=Money(100),
    postage=NOTHING, approved=NOTHING, refunded=NOTHING, description="", vouchers=(), earlier_refund_ids=(),
    state_before=OrderState.PAID, refund_id="R1",
)  # fmt: skip


@dataclass
class FakeService(FakeChannel):
    """A marketplace with its after-sale; `now` is the order that is worked
    on.
    """

    now: str = ""
    refund: dict[str, Any] = field(default_factory=dict)
    refund_ids: tuple[str, ...] = ()

    async def targets(
        self, order_id: str, lines: Sequence[OrderLine], wanted: Collection[int]
    ) -> tuple[Target, ...]:
        return (Target(lines=(1,), entry_ids=("1",), refund_ids=self.refund_ids),)


class FakeAfterSale:
    """What the service tells of refunds."""

    settles_in = timedelta(0)

    def __init__(self, service: FakeService) -> None:
        self.targets = service.targets
        self._service = service

    async def read(self, refund_id: str) -> ServiceRefund:
        listing: dict[str, Any] = {
            "state": RefundState.ASKED,
            "asked": Money(100),
            "refunded": NOTHING,
        }
        return ServiceRefund(refund_id=refund_id, **listing | self._service.refund)


def _refund_shows(**listing: Any) -> Callable[[FakeService], None]:
    return lambda service: service.refund.update(listing)


def _order_shows(
    status: ServiceStatus, **listing: Any
) -> Callable[[FakeService], None]:
    return lambda service: service.show(
        f"id-{service.now}", status, reference=service.now, **listing
    )


def _shows_a_refund(service: FakeService) -> None:
    service.refund_ids = (f"R-{service.now}",)


@dataclass(frozen=True, kw_only=True)
class Case:
    """An effect of a kind, the state its order is in, what shows it, and where its end
    leaves the order.
    """

    state: OrderState
    shows: Callable[[FakeService], None]
    done: OrderState
    unsent: OrderState
    unknown: OrderState
    part: str = ""
    request_hash: str = "h"
    refund: Refund | None = None
    question: str


O = OrderState  # noqa: E741 - a table of states
CASES: dict[type[EffectKind], Case] = {
    CreateByReference: Case(
        state=O.PLANNED, shows=_order_shows(ServiceStatus.UNPAID), done=O.ORDERED, unsent=O.PLANNED, unknown=O.UNKNOWN,
        question="Does the marketplace's console show an order with reference A-1?",
    ),
    Pay: Case(
        state=O.ORDERED, shows=_order_shows(ServiceStatus.PAID, paid=Money(100)), done=O.PAID, unsent=O.ORDERED,
        unknown=O.UNKNOWN,
        question="Does the console show order 77 as paid, and did the money leave the wallet (支付扣款)?",
    ),
    Book: Case(
        state=O.PAID,
        shows=_order_shows(ServiceStatus.PAID, shipments=(Shipment(shipment_order_id="9", tracking_numbers=("L",)),)),
        done=O.BOOKED, unsent=O.PAID, unknown=O.UNKNOWN,
        question="Does the warehouse console show a shipment for order 77?",
    ),
    ReportParcel: Case(
        state=O.BOOKED, part="SF1", shows=lambda _: None, done=O.BOOKED, unsent=O.BOOKED, unknown=O.BOOKED,
        question="Does the warehouse console know parcel SF1 of order 77?",
    ),
    Cancel: Case(
        state=O.ORDERED, shows=_order_shows(ServiceStatus.CLOSED), done=O.CANCELLED, unsent=O.ORDERED,
        unknown=O.UNKNOWN, question="Does the console show order 77 as closed?",
    ),
    AskRefund: Case(
        state=O.PAID, part="all.1", shows=_shows_a_refund, done=O.REFUNDING, unsent=O.PAID, unknown=O.REFUNDING,
        refund=replace(REFUND, state=RefundState.ASKING, refund_id=""),
        question="Does the console show a refund of order 77 that this ledger does not know?",
    ),
    ReturnParcel: Case(
        state=O.REFUNDING, part="all.1", request_hash="SF/1", refund=REFUND,
        shows=_refund_shows(state=RefundState.RETURNED), done=O.REFUNDING, unsent=O.REFUNDING, unknown=O.REFUNDING,
        question="Does the console show a return parcel for the refund of order 77?",
    ),
}  # fmt: skip


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.endurance)]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_ledger()


@dataclass
class World:
    """A ledger that one run after the other works on, and a service; `folder` has the
    runs' send logs.
    """

    url: str
    folder: Path
    clock: MovableClock
    service: FakeService = field(default_factory=FakeService)

    @contextmanager
    def run(self) -> Iterator[tuple[Resources, SendLog]]:
        with (
            SendLog(self.folder / "sends") as log,
            Ledger(self.url, clock=self.clock, owner=log.owner) as ledger,
        ):
            run = resources_on(ledger, self.folder, self.clock)
            after_sale = cast(Any, FakeAfterSale(self.service))
            run.offerings[M] = Offering(
                cast(Any, self.service),
                cast(Any, None),
                after_sale=after_sale,
            )
            yield run, log

    async def settled(
        self,
        kind: type[EffectKind],
        ref: str,
        *,
        left: bool,
        shown: bool,
        after_s: float = 0,
    ) -> tuple[EffectStatus, OrderState]:
        """Where effect and order stand once a run has settled what a dead one left:
        before the send, or after it.
        """
        case = CASES[kind]
        self.service.now = ref
        with self.run() as (dying, log):
            claim = _begin(dying, kind, case, ref)
            if left:
                log.note(claim)
        if case.state not in (O.PLANNED, O.HELD):
            _order_shows(
                ServiceStatus.UNPAID if case.state is O.ORDERED else ServiceStatus.PAID
            )(self.service)
        if shown:
            case.shows(self.service)
        self.clock.advance(after_s)
        with self.run() as (run, _):
            await settle_open(run, [ref])
            (effect,) = run.ledger.effects_of([ref])
            assert kind_of(effect) is kind
            return effect.status, run.ledger.orders([ref])[ref].state


def _begin(run: Resources, kind: type[EffectKind], case: Case, ref: str) -> Claim:
    """The order in its state, and the effect claimed by a run that will die."""
    put_approved(run.ledger, planned(ref, 100))
    expected: dict[str, Any] = {}
    if case.state not in (O.PLANNED, O.HELD):
        expected = {"order_id": f"id-{ref}", "ordered_at": run.clock()}
    if case.state not in (O.PLANNED, O.HELD, O.ORDERED):
        expected["paid_minor"] = 100
    run.ledger.change(
        [OrderChange(order_ref=ref, state=O.HELD, writes=Columns(expected))]
    )
    order_states = [O.PAID, O.REFUNDING] if case.state is O.REFUNDING else [case.state]
    run.ledger.change(
        [OrderChange(order_ref=ref, state=state) for state in order_states]
    )
    if case.refund:
        refund_id = case.refund.refund_id and f"R-{ref}"
        run.ledger.refunds.put(
            replace(case.refund, key=f"{ref}:all.1", order_ref=ref, refund_id=refund_id)
        )
    amount = Money(100, "USD" if kind is Book else "CNY")
    piece = case.part
    intent = Intent(
        order_ref=ref,
        action=kind.action,
        amount=amount,
        request_hash=case.request_hash,
        part=piece,
    )
    return run.ledger.claim([intent], lease=run.lease).won[ref].claim


def test_there_is_a_case_for_every_kind() -> None:
    assert [*CASES] == list(KINDS)


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
async def test_what_a_dead_run_left_is_settled(
    kind: type[EffectKind], url: str, tmp_path: Path, clock: MovableClock
) -> None:
    """Seen, it is done. Provably never sent, or not seen when it can arrive no more, it
    may be sent again.

    Else nothing is known of it. Of a booking not seeing it never proves anything; what
    does no harm when it is repeated is never in doubt.
    """
    case = CASES[kind]
    world = World(url, tmp_path, clock)
    with world.run() as (older, _):
        older.ledger.start_batch("batch", "file.csv")
        put_rows(
            older.ledger,
            [
                plan(
                    "A-0",
                    order_id="70",
                    ordered_at=clock() - timedelta(days=1),
                    state="ordered",
                )
            ],
        )
    world.service.show("70", ServiceStatus.UNPAID, reference="A-0")
    sent = S.UNSENT if kind.repeatable else S.UNKNOWN
    over = (S.UNSENT, case.unsent) if kind.absence_proves else (S.UNKNOWN, case.unknown)
    assert await world.settled(kind, "A-1", left=False, shown=False) == (
        S.UNSENT,
        case.unsent,
    )
    assert await world.settled(kind, "A-2", left=True, shown=False) == (
        sent,
        case.unknown,
    )
    assert (
        await world.settled(kind, "A-3", left=True, shown=False, after_s=10_000) == over
    )
    done = S.UNSENT if kind.repeatable else S.DONE
    assert await world.settled(kind, "A-4", left=True, shown=True) == (done, case.done)


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_each_kind_has_its_question(kind: type[EffectKind]) -> None:
    assert kind.question("A-1", "77", CASES[kind].part) == CASES[kind].question


@pytest.mark.parametrize(
    ("kind", "commands"),
    [
        (CreateByReference, ["ordered ORDER_ID", "not-ordered"]),
        (Pay, ["paid AMOUNT_CNY", "not-paid"]),
        (Book, ["booked SHIPMENT_ORDER_ID --tracking NUMBER", "not-booked"]),
        (Cancel, ["cancelled", "not-cancelled"]),
        (AskRefund, ["refund-asked REFUND_ID", "not-refunded"]),
        (ReturnParcel, ["done KEY", "not-done KEY"]),
    ],
)
def test_each_question_has_its_answers(
    kind: type[EffectKind], commands: list[str]
) -> None:
    assert kind.commands("A-1", "KEY") == [
        f"sourcing resolve A-1 {command}" for command in commands
    ]


SENT_BY: dict[str, type[EffectKind]] = {
    "alibaba_after_sale.CREATE": AskRefund,
    "alibaba_after_sale.RETURN": ReturnParcel,
    "alibaba_batch.PAY": Pay,
    "alibaba_order.CANCEL": Cancel,
    "alibaba_order.CREATE": CreateByReference,
    "big_major.CREATE": CreateByReference,
    "big_major.PAY": Pay,
    "international.CREATE": CreateByReference,
    "international.PAY": Pay,
    "warehouse.BOOK": Book,
    "warehouse.UPDATE": ReportParcel,
    "poizon.CREATE": CreateByReference,
    "poizon.PAY": Pay,
    "taobao_after_sale.RETURN_SUBMIT": ReturnParcel,
    "taobao_after_sale.SUBMIT": AskRefund,
    "taobao_order.CANCEL": Cancel,
    "taobao_order.CREATE": CreateByReference,
    "taobao_order.PAY": Pay,
}
"""The calls with an effect that a module of the product makes; the others are
operations that no flow needs.
"""


def test_every_call_with_an_effect_has_its_kind() -> None:
    """One that is used from now on fails here until its kind is named, with the action
    of that kind.
    """
    declared = _declared_effect_calls()
    assert _used(declared.keys()) == set(SENT_BY)
    assert {name: declared[name] for name in SENT_BY} == {
        name: kind.action.name for name, kind in SENT_BY.items()
    }
    assert {*SENT_BY.values()} == set(KINDS)


API = Path(__file__).parents[2] / "connectors" / "xportcn" / "operations"


def _declared_effect_calls() -> dict[str, str]:
    """The name of the action of each `module.NAME` that is declared as an effect."""
    findings = {}
    for file in API.glob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
                continue
            if (
                isinstance(node.value.func, ast.Attribute)
                and node.value.func.attr == "sends"
            ):
                action = ast.unparse(node.value.args[2])
                findings[f"{file.stem}.{ast.unparse(node.targets[0])}"] = (
                    action.removeprefix("Action.")
                )
    return findings


def _used(calls: Collection[str]) -> set[str]:
    """Those that some module outside of `operations` names."""
    used = set()
    for file in API.parents[1].rglob("*.py"):
        if file.parent != API:
            tree = ast.parse(file.read_text())
            imports = [
                node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
            ]
            modules = {
                name.asname or name.name: name.name
                for node in imports
                if node.module == "connectors.xportcn.operations"
                for name in node.names
            }
            used |= {
                f"{modules[node.value.id]}.{node.attr}"
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in modules
            }
            used |= {
                f"{(node.module or '').rpartition('.')[2]}.{name.name}"
                for node in imports
                if (node.module or "").startswith("connectors.xportcn.operations.")
                for name in node.names
            }
    return used & set(calls)
