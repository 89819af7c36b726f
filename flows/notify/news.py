"""Notifications made from the results of runs. Pure; they hold no receiver's data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from connectors.ledger.records import EffectRecord, OrderRecord
from connectors.xportcn.leased_permits import DailyCalls
from domain.addresses import without_receiver
from domain.after_sale import Refund, RefundState, standing
from domain.differences import Finding
from domain.marketplace import Marketplace
from domain.messages import Message, MessageKind, alert, parcel_silent, sentences
from domain.money import Money
from domain.orders import Receiver
from domain.reasons import GOES_ALONG, Reason, ReasonCode, because, grouped
from domain.report import BatchReport, ReportLine
from domain.request_remarks import HEADER_ROW, Fault
from domain.states import NEEDS_A_PERSON
from domain.wording import counted, first_lines, pluralize, shorten

MOST_REASONS, MOST_REASON, MOST_LISTED = 8, 200, 50
REMIND_AHEAD = timedelta(days=2)
REFUND_WAITS = {
    RefundState.TO_RETURN: "is agreed, send the goods back",
    RefundState.REFUSED: "was refused by the seller",
    RefundState.DECLINED: "was not taken by the service",
}
REMEDY = "Raise the budget or the day's limit, or wait for the next day, and run the same file again."
WAITING = frozenset(NEEDS_A_PERSON)


def of_batch(report: BatchReport, receivers: Mapping[str, Receiver]) -> list[Message]:
    """Messages of the orders that wait for a person after a run: those beyond a budget,
    and all others.

    Orders that wait for an approval are left out: their plan has a message of its own.

    `receivers` are those of the waiting orders; the details of an order without one are
    left out.
    """
    waiting = waiting_in(report)
    full = [line for line in report.without_room if line in waiting]
    rest = [
        line
        for line in waiting
        if line not in full and line.reason_code is not ReasonCode.WAITS_FOR_APPROVAL
    ]

    def reason(line: ReportLine) -> str:
        receiver = receivers.get(line.order_ref)
        return without_receiver(line.reason, receiver) if receiver else ""

    bought = f"Bought in this run: {pluralize(report.bought_this_run, 'order')} for {Money(report.spent_this_run_fen)}."
    look, messages = report.next_look, []
    later = (
        [f"Read again by itself: {look.words}."] if look and not look.is_over else []
    )
    if look and look.is_over:
        subject = f"Batch {report.batch_id}: {pluralize(look.orders, 'order')} left, and no run takes them up"
        cause = f"left:{report.batch_id}:{look.at:%Y-%m-%dT%H:%M}"
        messages.append(
            Message(
                cause=cause,
                kind=MessageKind.ORDERS_WAIT,
                subject=subject,
                body=f"{look.words}.",
            )
        )
    if rest:
        subject = f"Batch {report.batch_id}: {counted(map(_what_waits, rest))}"
        lines = [
            *_reasons([replace(one, reason=reason(one)) for one in rest]),
            bought,
            *later,
        ]
        about = _about("waits", rest)
        messages += _covering(
            about,
            f"orders-wait:{report.batch_id}",
            MessageKind.ORDERS_WAIT,
            subject,
            *lines,
        )
    if full:
        subject = f"Batch {report.batch_id}: {pluralize(len(full), 'order')} held, the budget is used up"
        first = f"{shorten([line.order_ref for line in full], 20)}. The first of them: {reason(full[0])}"
        about = _about("budget", full)
        messages += _covering(
            about,
            f"budget:{report.batch_id}",
            MessageKind.BUDGET_USED,
            subject,
            first,
            bought,
            REMEDY,
        )
    return messages


def waiting_in(report: BatchReport) -> list[ReportLine]:
    """The orders that wait for a person, in whatever state; none in a dry run."""
    late = (ReasonCode.PAYMENT_NOT_TAKEN, ReasonCode.NO_REFERENCE_YET, *GOES_ALONG)
    return (
        []
        if report.dry_run
        else [
            one
            for one in report.orders
            if one.state in WAITING or one.reason_code in late
        ]
    )


def _what_waits(line: ReportLine) -> str:
    return str(line.reason_code if line.reason_code in GOES_ALONG else line.state)


def _reasons(lines: Sequence[ReportLine]) -> list[str]:
    """`2 held (A-1, A-2): sold out`, the most frequent first."""
    most = sorted(grouped(lines), key=lambda one: -len(one[0]))
    told = [
        f"{len(some):,} {some[0].state} ({shorten([one.order_ref for one in some])}): {why[:MOST_REASON]}".rstrip(
            ": "
        )
        for some, why in most[:MOST_REASONS]
    ]
    return told + (
        [f"and {len(most) - MOST_REASONS:,} further reasons"]
        if len(most) > MOST_REASONS
        else []
    )


def of_left_behind(
    inbox: Path, taken: Path, files: Sequence[str], day: date
) -> Message:
    """The message of files in an inbox, while the night takes those of another
    folder.
    """
    return Message(
        cause=f"left-behind:{inbox}:{day}",
        kind=MessageKind.NOTHING_RAN,
        subject=f"{pluralize(len(files), 'request file')} in an inbox that no night takes: {shorten(files)}",
        body=f"They lie in {inbox}; the night took {taken}.\nWhat to do: start buy-from-inbox with their folder as "
        "*Inbox*, which goes on with them. The page fills SOURCING_INBOX: let the *Inbox* of the night be that.",
    )


def of_faults(file: str, content: str, note: str, faults: Sequence[Fault]) -> Message:
    """The message of a faulty request file: faults of the whole file, and of rows the
    places only.

    The words of those may quote a receiver.
    """
    whole = [
        f"{one.message[:1].upper()}{one.message[1:]}."
        for one in faults
        if one.row <= HEADER_ROW
    ]
    places = [
        f"row {one.row} {one.column}".rstrip() for one in faults if one.row > HEADER_ROW
    ]
    where = [
        *whole[:MOST_REASONS],
        *([f"See {shorten(places, 10)}."] if places else []),
    ]
    remedy = (
        "Each fault stands in the result beside the file, in the folder failed of the inbox. Mend it there, or "
        "export it anew and drop that into the inbox."
    )
    return Message(
        cause=f"faults:{file}:{content}",
        kind=MessageKind.FAULTS,
        subject=f"{file}: {note}",
        body="\n".join([*where, remedy]),
    )


def of_shown_again(closed: Iterable[OrderRecord]) -> list[Message]:
    """Messages, one a shop, of orders that are closed as their shop showed them, and
    that a later file of it has again.
    """
    by_shop: dict[str, dict[str, str]] = {}
    for order in closed:
        why = f"{order.why}; a file that came later shows it as to be bought"
        by_shop.setdefault(order.request.shop, {})[order.request.shop_ref] = why
    return [
        message
        for shop, reasons in by_shop.items()
        for message in _of_shop(shop, reasons)
    ]


def _of_shop(shop: str, reasons: Mapping[str, str]) -> list[Message]:
    lines = [f"- {order}: {why}" for order, why in reasons.items()]
    return _covering(
        tuple(f"left-out:{shop}:{order}:{why}" for order, why in reasons.items()),
        "left-out",
        MessageKind.FAULTS,
        f"{shop}: {pluralize(len(reasons), 'order')} not bought as shown there",
        *first_lines(lines, MOST_LISTED, "- and {more} more: see the log of the run"),
        "What to do: nothing where it was cancelled or sent. Else buy what is left of it "
        "by a request file of yours, under another order_ref.",
    )


def of_parcels(
    stalled: Mapping[str, datetime],
    returned: Iterable[tuple[str, str]],
    held: Sequence[ReportLine],
    *,
    days: int,
) -> list[Message]:
    """Messages of parcels without news for so many days, each with its last scan; of
    returned ones, of held orders.

    A returned one is known by order and number.
    """
    back, silent, returns = (
        sorted(returned),
        parcel_silent(days),
        because(ReasonCode.PARCEL_RETURNS),
    )
    lines = [
        *([f"{shorten(list(stalled), 20)}: {silent}."] if stalled else []),
        *([f"{shorten(list(dict(back)), 20)}: {returns}."] if back else []),
        *[
            f"{line.order_ref} is held: {line.reason[:MOST_REASON]}"
            for line in held[:MOST_REASONS]
        ],
    ]
    about = (
        *(stall_cause(ref, last) for ref, last in stalled.items()),
        *map(returned_cause, back),
        *(_about("waits", held)),
    )
    counts = {
        "without news": len(stalled),
        "on the way back": len(back),
        "held": len(held),
    }
    subject = f"Parcels: {', '.join(f'{count:,} {what}' for what, count in counts.items() if count)}"
    return _covering(
        about,
        "parcels",
        MessageKind.PARCEL,
        subject,
        *lines,
        f"What to do: {silent.remedy}.",
    )


def of_stuck(stuck: Mapping[tuple[str, str], str]) -> list[Message]:
    """The message of parcels with an exception, each by order and number, with the
    carrier's words.
    """
    first = [*stuck.items()][:MOST_REASONS]
    lines = [
        f"{ref}, parcel {number}: {words[:MOST_REASON]}"
        for (ref, number), words in first
    ]
    subject = (
        f"{pluralize(len(stuck), 'parcel')} stuck: {shorten([ref for ref, _ in stuck])}"
    )
    lines = [*sentences(because(ReasonCode.PARCEL_EXCEPTION)), *lines]
    return _covering(
        tuple(map(stuck_cause, stuck)), "stuck", MessageKind.PARCEL, subject, *lines
    )


def returned_cause(parcel: tuple[str, str]) -> str:
    """The cause of one parcel that goes back, by order and number."""
    return f"returned:{':'.join(parcel)}"


def stuck_cause(parcel: tuple[str, str]) -> str:
    """The cause of one parcel's exception, by order and number."""
    return f"stuck:{':'.join(parcel)}"


def of_refund(one: Refund, now: datetime, *, times: int = 1) -> Iterator[Message]:
    """The message of a refund that waits for a person, and two days before its date the
    reminder.

    Once more for each of the `times` that it was asked for, or modified: it may have
    been refused again.
    """
    by = f", by {one.deadline:%Y-%m-%d %H:%M} UTC" if one.deadline else ""
    what = f"{one.order_ref}: {one.kind} of {one.asked}"
    key = f"{one.key}:{one.state}{by}" + (f":{times - 1}" if times != 1 else "")
    subject, why = f"{what} {REFUND_WAITS[one.state]}{by}", standing(one)
    yield alert(f"refund:{key}", MessageKind.REFUND, subject, why)
    if one.deadline and one.deadline - REMIND_AHEAD <= now < one.deadline:
        yield replace(
            alert(f"refund-ends:{key}", MessageKind.RETURN_ENDS, subject, why),
            until=one.deadline,
        )


def of_arrived(
    arrived: Mapping[str, datetime], days: int, now: datetime
) -> list[Message]:
    """The message of orders that are still in the warehouse in the last two days in
    which sellers take goods back.
    """
    window = timedelta(days=days)
    ends = {
        ref: at + window
        for ref, at in arrived.items()
        if at + window - REMIND_AHEAD <= now < at + window
    }
    if not ends:
        return []
    first = f"{min(ends.values()):%Y-%m-%d %H:%M} UTC"
    subject = f"Until {first} goods of {pluralize(len(ends), 'order')} can go back to their sellers"
    lines = [
        f"{shorten(sorted(ends, key=lambda ref: (ends[ref], ref)), 20)}: the goods lie in the warehouse in China. "
        f"Sellers take them back for {days} days, the first of these until {first}.",
        "What to do: check the warehouse's pictures. What is not as ordered goes back with: sourcing refund "
        "ORDER_REF --kind return --reason REASON.",
    ]
    about = tuple(f"return-window:{ref}:{at:%Y-%m-%d}" for ref, at in ends.items())
    return _covering(about, "return-window", MessageKind.RETURN_ENDS, subject, *lines)


def of_first_payments(asked: Mapping[Marketplace, Reason]) -> list[Message]:
    """The message of each question about a first payment."""
    return [
        alert(
            f"first-payment:{marketplace}:{why.facts['first']}",
            MessageKind.FIRST_PAYMENT,
            f"The first payment at {marketplace}: what did it take from the balance?",
            why,
        )
        for marketplace, why in asked.items()
    ]


def of_late_payments(late: Sequence[ReportLine]) -> list[Message]:
    """The message of payments that were accepted and are not taken in time."""
    subject = f"{pluralize(len(late), 'accepted payment')} not taken: {shorten([one.order_ref for one in late])}"
    return _covering(
        _about("waits", late),
        "late-payments",
        MessageKind.ORDERS_WAIT,
        subject,
        *_reasons(late),
    )


def stall_cause(order_ref: str, last: datetime) -> str:
    """The cause of one stall: a later scan begins a new one."""
    return f"stalled:{order_ref}:{last.astimezone(UTC):%Y-%m-%dT%H:%M}"


def of_findings(findings: Sequence[Finding], summary: str) -> list[Message]:
    """Messages of a reconciliation's findings, each finding once."""
    about = tuple(
        f"differs:{'/'.join(map(str, finding.identity))}" for finding in findings
    )
    named = [
        f"- {one.kind.replace('_', ' ')}: {one.order_ref or one.order_id}".rstrip(": ")
        for one in findings[:10]
    ]
    subject = f"The ledger and the service differ: {counted(str(finding.kind) for finding in findings)}"
    lines = [
        *named,
        f"In all: {summary}",
        "What to do about each stands in the run's artifact.",
    ]
    return _covering(about, "differs", MessageKind.DIFFERS, subject, *lines)


def of_calls(calls: DailyCalls | None) -> list[Message]:
    """The message that a day's calls to the service are used up, once a day."""
    if calls is None or not (words := calls.used_up):
        return []
    return [
        Message(
            cause=f"calls-used-up:{words}",
            kind=MessageKind.CALLS_USED_UP,
            subject="The calls of today to the service are used up",
            body=f"{words[:1].upper()}{words[1:]}. What is left waits for then; nothing is lost.",
        )
    ]


def of_doubts(effects: Sequence[EffectRecord]) -> list[Message]:
    """Messages of unanswered effects, of orders that do not wait for a person
    anyway.
    """
    about = tuple(f"unknown:{effect.key}" for effect in effects)
    named = shorten([f"{effect.action} of {effect.order_ref}" for effect in effects])
    subject = f"No answer to {pluralize(len(effects), 'action')}: {named}"
    line = (
        "It is not known yet whether it happened, so it is not done again. Later runs ask the service; what they don't "
        "find out waits for your answer."
    )
    return _covering(about, "unknown", MessageKind.EFFECT_UNKNOWN, subject, line)


def _about(what: str, lines: Sequence[ReportLine]) -> tuple[str, ...]:
    """A key of each waiting order and its reason: other codes, facts, or states of what
    stands, are notified again.
    """
    states = ("" if line.reason_code in GOES_ALONG else line.state for line in lines)
    return tuple(
        f"{what}:{one.order_ref}:{state}:{_identity(one)}"
        for one, state in zip(lines, states, strict=True)
    )


def _identity(line: ReportLine) -> str:
    return (
        Reason(line.reason_code, line.reason_facts).digest
        if line.reason_code
        else _hash(line.reason)
    )


def _covering(
    about: tuple[str, ...], what: str, kind: MessageKind, subject: str, *lines: str
) -> list[Message]:
    """The message that covers these causes, known by them; none for none."""
    cause, body = f"{what}:{_hash(*about)}", "\n".join(lines)
    return (
        [Message(cause=cause, kind=kind, subject=subject, body=body, about=about)]
        if about
        else []
    )


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
