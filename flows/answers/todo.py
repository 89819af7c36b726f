"""Everything that waits for a person, over all batches: why, and what to do about
it.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.inbox import FaultyFile, Folder, faulty_files
from connectors.ledger.engine import chunked
from connectors.ledger.outbox import StoredMessage
from connectors.ledger.overview import every_open_effect
from connectors.ledger.questions import question_hash
from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.ledger.store import Ledger
from connectors.request_files import READERS
from connectors.settings import SourcingSettings
from domain.addresses import without_receiver
from domain.after_sale import (
    WAITS_FOR_A_PERSON,
    Refund,
    RefundState,
    standing,
    those_waiting,
)
from domain.effects import EffectStatus
from domain.marketplace import Marketplace
from domain.reason_codes import ASK_AGAIN, ASK_ANEW
from domain.reasons import Explained, Reason, ReasonCode, explained, grouped
from domain.states import BEGUN, OrderState
from domain.witnessed import marketplace_held
from domain.wording import ReasonKind, shorten
from flows.answers.marketplaces import first_payments
from flows.answers.questions import OpenQuestion, open_questions
from tasks.effects.kind import ASKS
from tasks.effects.kinds import kind_of
from tasks.effects.refund import times_requested

STUCK = (OrderState.HELD, OrderState.UNKNOWN, *BEGUN)
NOT_OVER = frozenset(OrderState) - {OrderState.CANCELLED, OrderState.REFUNDED}
UNFINISHED = "bought in part: nothing is wrong, the rest of its steps is left to a run"
QUESTION_HELD = "a run works on it until {:%Y-%m-%d %H:%M} UTC: wait for that"
FAULTY = "faulty file"
ASKED = "question"
NOT_DELIVERED = "not told"
MEND = "send the mended file: Upload on the page, or the inbox"
NEXT_NIGHT = f"{MEND}; or mend it in the folder open of the inbox"
PASTE = "paste its lines again, mended where the reason says so"
DECLINED = (ReasonCode.NOT_APPROVED, ReasonCode.WAITS_FOR_APPROVAL)
UNDER_WAY = (OrderState.PLANNED, *BEGUN)
WAIT_UNDER_WAY = (
    ReasonCode.PAYMENT_NOT_TAKEN,
    ReasonCode.NO_REFERENCE_YET,
    ReasonCode.PRICE_FELL,
)
"""The reasons of orders that go on, which a person should know of nevertheless."""
REFUSED_FOR = timedelta(days=7)
BEGUN_FOR = timedelta(minutes=5)
REMIND_AHEAD = timedelta(days=2)
LEFT_FOR = timedelta(days=1)
"""An approved order of which nothing was begun for so long: a follow-up would have
come.
"""
LEFT_ALONE = "approved, and nothing of it is begun"
FINISH = "sourcing finish {}"
REFUND_REMEDIES = {
    RefundState.ASKING: "sourcing refunds",
    RefundState.TO_RETURN: "sourcing return {order_ref} --company CODE --number NUMBER",
    RefundState.REFUSED: ASK_ANEW,
    RefundState.DECLINED: ASK_AGAIN,
}


URGENCY: Mapping[str, int] = {
    OrderState.UNKNOWN: 0,
    OrderState.REFUNDING: 1,
    ASKED: 2,
    **dict.fromkeys(BEGUN, 3),
    FAULTY: 4,
    OrderState.PLANNED: 4,
    OrderState.HELD: 5,
    OrderState.REFUSED: 6,
    NOT_DELIVERED: 7,
}
"""Money without a known end comes first, then what has a date, a question, goods
without a shipment, and wishes.
"""


KINDS: Mapping[str, str] = {
    ReasonCode.WAITS_FOR_APPROVAL: "to approve",
    ReasonCode.REFUND_TO_RETURN: "return to send",
    ReasonCode.REFUND_REFUSED: "refund refused",
    ReasonCode.REFUND_ASKING: "refund to ask for",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDo(Explained):
    """One thing that waits: an order, a refund, or a request file, whose name then
    stands as `order_ref`.

    `state` is the order's, or names what else it is. `reason` is why it waits,
    `commands` what can be done, the likeliest first, and `advice` what is done without
    a command. `since` is UTC; `file` is the request file that a run can read again.
    `is_left_to_run`: nothing of it needs a person. `turn` tells repetitions apart: a
    refund that is refused again, or whose deadline is near.
    """

    order_ref: str
    batch_id: str = ""
    marketplace: str = ""
    since: datetime
    commands: Sequence[str] = ()
    advice: str = ""
    file: str = ""
    is_left_to_run: bool = False
    turn: str = ""

    @property
    def urgency(self) -> int:
        """0 for what may lose money soonest; more for what can wait."""
        kind = self.reason_code.words.kind if self.reason_code else ReasonKind.NOTE
        if self.reason_code is ReasonCode.WAITS_FOR_APPROVAL:
            return URGENCY[ASKED]
        if self.state == OrderState.HELD and self.batch_id:
            return {ReasonKind.MONEY: 0, ReasonKind.DOUBT: 2}.get(
                kind, URGENCY[OrderState.HELD]
            )
        return 2 if self.state == OrderState.HELD else URGENCY.get(self.state, 1)

    @property
    def kind(self) -> str:
        """What waits, where it is counted: `held`, `bought in part`, `return to
        send`.
        """
        return KINDS.get(self.reason_code or "") or (
            "bought in part" if self.state in BEGUN else self.state
        )

    @property
    def is_dispensable(self) -> bool:
        """Whether nothing but a person's wish keeps the order on the list."""
        return bool(self.batch_id) and self.urgency >= URGENCY[OrderState.HELD]

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "since": self.since.isoformat(),
            "commands": list(self.commands),
        }


def to_do(
    ledger: Ledger,
    settings: SourcingSettings | None = None,
    *,
    refused_for: timedelta = REFUSED_FOR,
    begun_for: timedelta = BEGUN_FOR,
) -> list[ToDo]:
    """Everything that waits, the most urgent first, then the oldest.

    A refused order is over for its file, and so is a faulty file: they are listed for a
    while (`refused_for`), then no more. An order bought in part is listed once it has
    stood still for `begun_for`, since a run may be at work on it, and an approved one
    of which nothing is begun after a day. `settings` have the inbox.
    """
    newest = ledger.clock() - refused_for
    at_rest = ledger.clock() - begun_for
    orders = ledger.orders_in(STUCK) | ledger.orders_in(
        [OrderState.REFUSED], since=newest
    )
    orders |= ledger.orders(
        {effect.order_ref for effect in _asked_about(ledger)} - orders.keys()
    )
    orders |= _left_alone(ledger)
    waiting = {
        ref: order
        for ref, order in orders.items()
        if not (order.state is OrderState.REFUSED and order.updated_at < newest)
        and not (order.state in BEGUN and order.updated_at > at_rest)
    }
    sources = ledger.sources_of({order.batch_id for order in waiting.values()})
    effects = _effects_of(ledger, waiting)
    plans = _plans_to_approve(ledger, waiting.values(), settings)
    to_dos = [
        _of_order(ledger, order, sources.get(order.batch_id, ""), effects[ref], plans)
        for ref, order in waiting.items()
    ]
    faulty = faulty_files(settings.inbox, since=newest) if settings else ()
    files = [_of_file(file) for file in faulty]
    unsent = [
        _of_message(message)
        for message in ledger.outbox.undelivered(newest)
        if message.is_given_up and message.address
    ]
    to_dos += [
        _of_hold(marketplace, reasons)
        for marketplace, reasons in ledger.holds.standing().items()
    ]
    to_dos += [
        _of_first_payment(ledger, marketplace, first_payment)
        for marketplace, first_payment in first_payments(ledger).items()
    ]
    to_dos += [*_of_refunds(ledger, waiting), *files, *unsent]
    return sorted(
        to_dos, key=lambda to_do: (to_do.urgency, to_do.since, to_do.order_ref)
    )


def alike(found: Iterable[ToDo]) -> list[tuple[Sequence[ToDo], str]]:
    """What a person would treat in one go: orders of a batch with one reason, unless
    each has an answer of its own.
    """

    def treated(to_do: ToDo) -> object:
        own = {
            command for command in to_do.commands if to_do.order_ref in command.split()
        }
        if own and not to_do.is_dispensable:
            return to_do.order_ref
        return (
            to_do.batch_id,
            to_do.advice,
            tuple(command for command in to_do.commands if command not in own),
        )

    return grouped(found, treated)


def shared_commands(those: Sequence[ToDo]) -> list[str]:
    """The commands that help each of these."""
    return [
        command
        for command in those[0].commands
        if all(command in to_do.commands for to_do in those)
    ]


def _asked_about(ledger: Ledger) -> Iterator[EffectRecord]:
    """Effects without an answer that are worth a person's time, whatever state their
    order is in.
    """
    yield from filter(_is_worth_asking, every_open_effect(ledger))


def _is_worth_asking(effect: EffectRecord) -> bool:
    return effect.status is EffectStatus.UNKNOWN and not kind_of(effect).repeatable


def _left_alone(ledger: Ledger) -> dict[str, OrderRecord]:
    """Approved orders that no run has begun; a pause holds them back by itself."""
    if ledger.buying_paused():
        return {}
    return ledger.approved_before(ledger.clock() - LEFT_FOR)


def _effects_of(
    ledger: Ledger, orders: Iterable[str]
) -> Mapping[str, list[EffectRecord]]:
    """All effects of these orders, read a chunk at a time: one by one takes a second
    for a few thousand.
    """
    effects_of = defaultdict[str, list[EffectRecord]](list)
    for refs in chunked(orders):
        for effect in ledger.effects_of(refs):
            effects_of[effect.order_ref].append(effect)
    return effects_of


def _plans_to_approve(
    ledger: Ledger, orders: Iterable[OrderRecord], settings: SourcingSettings | None
) -> dict[str, str]:
    """The hash of what waits for an approval, by batch: the form's link names it."""
    batches = {order.batch_id for order in orders if _is_asked(order)}
    if settings is None:
        return {}
    return {batch: question_hash(ledger, batch, settings) for batch in batches}


def _is_asked(order: OrderRecord) -> bool:
    return order.reason_code is ReasonCode.WAITS_FOR_APPROVAL


def _of_order(
    ledger: Ledger,
    order: OrderRecord,
    source: str,
    effects: Sequence[EffectRecord],
    plans: Mapping[str, str],
) -> ToDo:
    questions = (
        open_questions(ledger, order, effects)
        if order.state is not OrderState.REFUSED
        else []
    )
    file = "" if _is_in_inbox(source) or not _is_readable(source) else source
    commands = [f"sourcing run {shlex.quote(file)}"] if file else []
    commands += [command for question in questions for command in question.commands]
    if order.reason_code is ReasonCode.NO_REFERENCE_YET:
        commands.append(f"sourcing confirm {order.marketplace}")
    told = explained(order.why) | {"reason": _reason(order, questions)}
    if _is_asked(order):
        told["reason_facts"] = {"plan": plans.get(order.batch_id, "")}
    is_unanswered = any(map(_is_worth_asking, effects))
    return _of(
        order,
        **told,
        commands=commands,
        advice=_advice(order, source),
        file=file,
        is_left_to_run=order.state in UNDER_WAY
        and order.reason_code not in WAIT_UNDER_WAY
        and not is_unanswered,
    )


def _is_readable(source: str) -> bool:
    return Path(source).suffix.lower() in READERS


def _is_in_inbox(source: str) -> bool:
    return Path(source).parent.name == Folder.WORKING


def _of(order: OrderRecord, **fields: Any) -> ToDo:
    ref = order.order_ref
    batch = order.batch_id
    since = order.updated_at
    return ToDo(
        order_ref=ref,
        batch_id=batch,
        marketplace=order.marketplace,
        state=order.state,
        since=since,
        **fields,
    )


def _reason(order: OrderRecord, questions: Sequence[OpenQuestion]) -> str:
    """Why an order waits, without its receiver's data."""
    said = [without_receiver(order.reason, order.request.receiver)]
    for question in questions:
        if question.held_until:
            said.append(QUESTION_HELD.format(question.held_until))
        elif not _asks(order.why, question):
            said.append(question.words)
    return "; ".join(dict.fromkeys(filter(None, said))) or (
        LEFT_ALONE if order.state is OrderState.PLANNED else UNFINISHED
    )


def _asks(reason: Reason | None, open_question: OpenQuestion) -> bool:
    """Whether the reason has the question already."""
    return (
        reason is not None
        and reason.code in ASKS
        and reason.facts.get("question", open_question.words) == open_question.words
    )


def _advice(order: OrderRecord, source: str) -> str:
    if order.state is OrderState.PLANNED:
        return FINISH.format(order.batch_id)
    if not _is_readable(source):
        return PASTE if order.state in (OrderState.HELD, OrderState.REFUSED) else ""
    # a night with a yes given beforehand does not buy what a person said no to
    is_declined = order.reason_code in DECLINED
    return NEXT_NIGHT if _is_in_inbox(source) and not is_declined else ""


def _of_refunds(ledger: Ledger, shown_already: Container[str]) -> Iterable[ToDo]:
    """A refund that is still to be asked for is `shown_already` with its order: that
    row has the question.
    """
    orders = ledger.orders(
        {refund.order_ref for refund in ledger.refunds.in_states(WAITS_FOR_A_PERSON)}
    )
    orders = {ref: order for ref, order in orders.items() if order.state in NOT_OVER}
    refunds = those_waiting(ledger.refunds.of_orders(orders))
    times = times_requested(ledger, refunds)
    for refund in refunds:
        if (
            refund.state is not RefundState.ASKING
            or refund.order_ref not in shown_already
        ):
            ends = refund.deadline
            is_near = ends and ends - REMIND_AHEAD <= ledger.clock() < ends
            turn = f"{refund.key}:{ends}:{refund.asked_at}:{times.get(refund.key)}:{is_near or False}"
            yield _of_refund(orders[refund.order_ref], refund, turn)


def _of_refund(order: OrderRecord, refund: Refund, turn: str) -> ToDo:
    reason = standing(refund)
    remedy = reason.fill(REFUND_REMEDIES[refund.state])
    return _of(
        order,
        **explained(reason),
        commands=[remedy],
        turn=turn,
        is_left_to_run=refund.state is RefundState.ASKING,
    )


def _of_file(file: FaultyFile) -> ToDo:
    where = [
        f"row {fault['row']} {fault['column']}".rstrip()
        for fault in file.faults
        if fault.get("row")
    ]
    return ToDo(
        order_ref=file.path.name,
        state=FAULTY,
        since=file.since,
        reason=": ".join(
            [file.note, *([shorten(where)] if where else [])]
        ),  # the words may quote a receiver
        advice=MEND,
    )


def _of_hold(marketplace: Marketplace, reasons: Sequence[tuple[str, datetime]]) -> ToDo:
    return ToDo(
        order_ref=marketplace,
        marketplace=marketplace,
        state=OrderState.HELD,
        since=reasons[0][1],
        **explained(
            marketplace_held(marketplace, shorten([reason for reason, _ in reasons]))
        ),
        commands=[f"sourcing confirm {marketplace}"],
    )


def _of_first_payment(ledger: Ledger, marketplace: Marketplace, reason: Reason) -> ToDo:
    first = str(reason.facts["first"])
    return ToDo(
        order_ref=marketplace,
        marketplace=marketplace,
        state=ASKED,
        since=ledger.orders([first])[first].updated_at,
        **explained(reason),
        commands=[reason.remedy],
    )


def _of_message(message: StoredMessage) -> ToDo:
    return ToDo(
        order_ref=message.subject,
        state=NOT_DELIVERED,
        since=message.put_at,
        **explained(message.why_unsent),
    )
