"""What waits for a person, over all batches: each with its reason and a command that
leads on.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.inbox import Folder, Inbox
from connectors.ledger.plans import put_rows
from connectors.ledger.records import Intent, OrderChange, Outcome
from connectors.ledger.schema import to_json
from connectors.settings import SourcingSettings
from domain.after_sale import RefundState
from domain.effects import Action, EffectStatus
from domain.money import Money
from domain.orders import OrderLine
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from flows.answers.todo import ToDo, alike, to_do
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.domain.test_after_sale import refund
from tests.verdicts import in_these_words

LINE = OrderLine(
    line_no=1,
    item_id="6",
    sku_id="2",
    title="cup",
    image_url="",
    quantity=1,
    unit_price=Money(100),
)
WEEK = timedelta(days=7)
AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
BATCH = "b-1"


def planned(resources: Resources, source: str, *refs: str) -> None:
    resources.ledger.start_batch(BATCH, source)
    put_rows(
        resources.ledger,
        [plan(ref, batch_id=BATCH, lines=[to_json(LINE)]) for ref in refs],
    )


def stands(resources: Resources, ref: str, state: OrderState, reason: str = "") -> None:
    resources.ledger.change(
        [OrderChange(order_ref=ref, state=state, why=in_these_words(reason))]
    )


def ordered(resources: Resources, ref: str) -> None:
    record = resources.ledger.claim(intents(ref), lease=resources.lease).won[ref]
    change = OrderChange(
        order_ref=ref, state=OrderState.ORDERED, writes=Columns({"order_id": ref})
    )
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)]
    )


def test_orders_that_are_held_refused_or_begun_are_listed_the_most_urgent_first(
    resources: Resources, clock: MovableClock
) -> None:
    planned(resources, "my orders.csv", "A-1", "A-2", "A-3", "A-4")
    stands(resources, "A-2", OrderState.HELD, "costs 29.00 CNY each")
    clock.advance(60)
    ordered(resources, "A-1")
    clock.advance(60)
    stands(resources, "A-3", OrderState.REFUSED, "0 in stock")
    found = to_do(resources.ledger, begun_for=timedelta(0))
    again = ["sourcing run 'my orders.csv'"]
    assert [(one.order_ref, one.state, one.reason, one.commands) for one in found] == [
        (
            "A-1",
            OrderState.ORDERED,
            "bought in part: nothing is wrong, the rest of its steps is left to a run",
            again,
        ),
        ("A-2", OrderState.HELD, "costs 29.00 CNY each", again),
        ("A-3", OrderState.REFUSED, "0 in stock", again),
    ]


@pytest.mark.parametrize("file", ["unshipped.TXT", "orders.tsv"])
def test_a_file_of_any_readable_kind_is_run_again(
    resources: Resources, file: str
) -> None:
    planned(resources, file, "A-1")
    stands(resources, "A-1", OrderState.HELD, "costs 29.00 CNY each")
    assert [one.commands for one in to_do(resources.ledger, refused_for=WEEK)] == [
        [f"sourcing run {file}"]
    ]


def test_of_what_waits_for_a_person_money_without_a_known_end_comes_first() -> None:
    """Whatever is older. A hold counts by the class of its reason; a marketplace that
    is held is a question.
    """

    def one(state: str, code: ReasonCode | None = None, batch_id: str = "b") -> ToDo:
        return ToDo(
            order_ref="A-1",
            batch_id=batch_id,
            state=state,
            since=AT,
            reason="",
            reason_code=code,
        )

    assert [
        one(state, code, batch).urgency
        for state, code, batch in (
            ("unknown", None, "b"),
            ("held", ReasonCode.PAID_BEFORE_CLOSED, "b"),
            ("refunding", None, "b"),
            ("held", ReasonCode.MARKETPLACE_HELD, ""),
            ("question", None, ""),
            ("held", ReasonCode.UNITS_DIFFER, "b"),
            ("paid", None, "b"),
            ("faulty file", None, ""),
            ("held", ReasonCode.NOT_APPROVED, "b"),
            ("refused", None, "b"),
            ("not told", None, ""),
        )
    ] == [0, 0, 1, 2, 2, 2, 3, 4, 5, 6, 7]


def test_what_a_person_treats_in_one_go_is_one_group(resources: Resources) -> None:
    """Held and bought in part, each of a batch with one reason; a question is answered
    for each order by itself.
    """
    refs = [f"A-{n}" for n in range(1, 301)]
    planned(resources, "a.csv", *refs, "B-1", "B-2")
    for ref in refs:
        stands(resources, ref, OrderState.HELD, "not approved")
    for ref in ("B-1", "B-2"):
        ordered(resources, ref)
    groups = alike(to_do(resources.ledger, begun_for=timedelta(0)))
    assert [(len(those), those[0].state, reason) for those, reason in groups] == [
        (
            2,
            "ordered",
            "bought in part: nothing is wrong, the rest of its steps is left to a run",
        ),
        (300, "held", "not approved"),
    ]


def test_a_refused_order_is_listed_for_some_days_only(
    resources: Resources, clock: MovableClock
) -> None:
    planned(resources, "a.csv", "A-1", "A-2")
    for ref in ("A-1", "A-2"):
        stands(resources, ref, OrderState.REFUSED, "0 in stock")
    clock.advance(8 * 86_400)
    assert to_do(resources.ledger, refused_for=WEEK) == []
    assert len(to_do(resources.ledger, refused_for=timedelta(days=30))) == 2


def test_approved_orders_that_no_run_has_begun_for_a_day_are_listed(
    resources: Resources, clock: MovableClock
) -> None:
    """Not what a pause holds back, nor what a person has not said yes to."""
    planned(resources, "pasted lines", "A-1", "A-2")
    put_rows(resources.ledger, [plan("A-3", batch_id=BATCH, plan_hash=None)])
    clock.advance(86_400)
    assert to_do(resources.ledger, refused_for=WEEK) == []
    clock.advance(1)
    assert [
        (one.order_ref, one.state, one.reason, one.commands, one.advice)
        for one in to_do(resources.ledger, refused_for=WEEK)
    ] == [
        (
            ref,
            "planned",
            "approved, and nothing of it is begun",
            [],
            f"sourcing finish {BATCH}",
        )
        for ref in ("A-1", "A-2")
    ]
    resources.ledger.pause_buying("mei")
    assert to_do(resources.ledger, refused_for=WEEK) == []


def test_pasted_lines_have_no_command_that_runs_them_again(
    resources: Resources,
) -> None:
    planned(resources, "pasted lines", "A-1")
    stands(resources, "A-1", OrderState.HELD, "over the limit")
    (one,) = to_do(resources.ledger, refused_for=WEEK)
    assert (one.commands, one.advice) == (
        [],
        "paste its lines again, mended where the reason says so",
    )


def test_an_outcome_without_an_answer_brings_its_question(
    resources: Resources, clock: MovableClock
) -> None:
    planned(resources, "a.csv", "A-1")
    intent = Intent(
        order_ref="A-1",
        action=Action.CREATE,
        amount=Money(100),
        request_hash="h",
        part="",
    )
    record = resources.ledger.claim([intent], lease=resources.lease).won["A-1"]
    change = OrderChange(
        order_ref="A-1", state=OrderState.UNKNOWN, why=in_these_words("no answer")
    )
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, change=change)]
    )
    (one,) = to_do(resources.ledger, refused_for=WEEK)
    assert one.reason.startswith("no answer; ")
    assert one.commands[0] == "sourcing run a.csv"
    assert any(
        command.startswith("sourcing resolve A-1 ordered") for command in one.commands
    )


def test_an_order_of_the_inbox_is_mended_there_and_no_command_reads_its_file(
    resources: Resources,
) -> None:
    """Where the file lay while the run worked it lies no more."""
    planned(resources, "/srv/data/inbox/working/a.csv", "A-1")
    stands(resources, "A-1", OrderState.HELD, "over the limit")
    (one,) = to_do(resources.ledger)
    assert (one.commands, one.file) == ([], "")
    assert one.advice.endswith("or mend it in the folder open of the inbox")
    declined = because(ReasonCode.NOT_APPROVED, by="mei", note="too dear")
    resources.ledger.change(
        [OrderChange(order_ref="A-1", state=OrderState.HELD, why=declined)]
    )
    (one,) = to_do(resources.ledger)
    assert (one.commands, one.advice) == ([], ""), "no night buys it, mended or not"


def test_the_reason_of_an_order_has_nothing_of_its_receiver(
    resources: Resources,
) -> None:
    request = plan("A-1")["request"]
    receiver = {**request["receiver"], "name": "Jane Doe"}
    resources.ledger.start_batch(BATCH, "a.csv")
    row = plan("A-1", batch_id=BATCH, request={**request, "receiver": receiver})
    put_rows(resources.ledger, [row])
    stands(resources, "A-1", OrderState.HELD, "no delivery to Jane Doe")
    (one,) = to_do(resources.ledger)
    assert one.reason == "no delivery to [receiver_name]"


def test_an_order_that_a_run_may_be_at_work_on_does_not_wait_yet(
    resources: Resources, clock: MovableClock
) -> None:
    planned(resources, "a.csv", "A-1")
    ordered(resources, "A-1")
    clock.advance(299)
    assert to_do(resources.ledger) == []
    clock.advance(1)
    (one,) = to_do(resources.ledger)
    assert one.is_left_to_run


def test_an_effect_without_an_answer_waits_whatever_state_its_order_is_in(
    resources: Resources,
) -> None:
    planned(resources, "a.csv", "A-1")
    intent = Intent(
        order_ref="A-1", action=Action.CANCEL, amount=None, request_hash="h", part=""
    )
    record = resources.ledger.claim([intent], lease=resources.lease).won["A-1"]
    resources.ledger.record(
        [
            Outcome(
                claim=record.claim,
                status=EffectStatus.UNKNOWN,
                why=in_these_words("no answer"),
            )
        ]
    )
    (one,) = to_do(resources.ledger, refused_for=WEEK)
    assert (one.state, one.commands) == (
        OrderState.PLANNED,
        [
            "sourcing run a.csv",
            "sourcing resolve A-1 cancelled",
            "sourcing resolve A-1 not-cancelled",
        ],
    )


def test_a_request_file_with_faults_waits_for_some_days(
    resources: Resources, clock: MovableClock, tmp_path: Path
) -> None:
    """Where its faults are; what they say may quote a receiver."""
    faults = [
        {
            "row": 3,
            "column": "receiver_phone",
            "fault": "'12 Main Street' is no phone number",
        }
    ]
    settings = SourcingSettings(data_dir=tmp_path)
    inbox = Inbox(settings.inbox)
    (inbox.root / "bad.csv").write_text("order_ref\n")
    with inbox.taken(inbox.root / "bad.csv") as working:
        assert working
        inbox.put(
            working,
            Folder.FAILED,
            {"note": "1 fault; nothing was bought", "faults": faults},
            faults,
        )
    result = inbox.root / "failed" / "bad.csv.result.json"
    os.utime(result, (clock().timestamp(),) * 2)
    (one,) = to_do(resources.ledger, refused_for=WEEK, settings=settings)
    assert (one.order_ref, one.state, one.reason) == (
        "bad.csv",
        "faulty file",
        "1 fault; nothing was bought: row 3 receiver_phone",
    )
    clock.advance(8 * 86_400)
    later = to_do(resources.ledger, refused_for=WEEK, settings=settings)
    assert [one.order_ref for one in later if one.state == "faulty file"] == []


def test_nothing_waits_in_an_empty_ledger(resources: Resources) -> None:
    assert to_do(resources.ledger, refused_for=WEEK) == []


def test_a_refund_that_was_not_taken_is_listed_until_another_of_its_lines_is_recorded(
    resources: Resources, clock: MovableClock
) -> None:
    """It was asked for otherwise by then: its command would ask the seller twice."""

    def listed(state: RefundState, part: str, *lines: int) -> list[str]:
        """The lines to ask for again, as the commands name them."""
        clock.advance(60)
        resources.ledger.refunds.put(
            refund(
                state,
                key=f"A-1:{part}",
                part=part.split(".", maxsplit=1)[0],
                lines=lines,
            )
        )
        commands = [
            one.commands[0] for one in to_do(resources.ledger, refused_for=WEEK)
        ]
        return [
            one.partition(" --amount")[0].partition("--kind refund ")[2]
            for one in commands
            if "refund" in one
        ]

    planned(resources, "a.csv", "A-1")
    ordered(resources, "A-1")
    assert listed(RefundState.DECLINED, "1.1", 1) == ["--line 1"]
    assert listed(RefundState.REFUNDED, "2.1", 2) == ["--line 1"]
    assert listed(RefundState.REFUNDED, "1+2.1", 1, 2) == []
    assert listed(RefundState.DECLINED, "1.1", 1) == [
        "--line 1"
    ]  # asked for once more, in vain
