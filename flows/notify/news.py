"""The texts of messages: what is held or asks, and limits. Pure; they hold no
receiver's data.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connectors.ledger.records import EffectRecord, OrderRecord, line_of
from connectors.xportcn.permits import DailyCalls
from domain.addresses import without_receiver
from domain.after_sale import Refund, RefundState, standing
from domain.differences import Finding
from domain.messages import Message, sentences
from domain.money import Money
from domain.orders import Receiver
from domain.reasons import GOES_ALONG, Reason, ReasonCode, grouped
from domain.report import BatchReport, ReportLine
from domain.request_remarks import HEADER_ROW, Fault
from domain.states import NEEDS_A_PERSON
from domain.wording import counted, first_lines, pluralize, shorten

MAX_LINES, MAX_LINE_LENGTH, MAX_NAMES = 20, 500, 20
AND_MORE = "and {more} more"
REMIND_AHEAD = timedelta(days=2)
REFUND_WAITS = (RefundState.TO_RETURN, RefundState.REFUSED, RefundState.DECLINED)
RAISE = "What to do: raise the budget or the day's limit, or wait for the next day, and run the same file again."


def of_batch(report: BatchReport, receivers: Mapping[str, Receiver]) -> list[Message]:
    """Messages of the orders that wait for a person after a run: those beyond a budget,
    and all others.

    Orders that wait for an approval are left out: their plan has a message of its own.
    `receivers` are those of the waiting orders; the reason of an order without one is
    left out.
    """
    waiting = [
        replace(line, reason=_nameless(line, receivers)) for line in waiting_in(report)
    ]
    beyond = {line.order_ref for line in report.without_room}
    full = [line for line in waiting if line.order_ref in beyond]
    rest = [
        line
        for line in waiting
        if line.order_ref not in beyond
        and line.reason_code is not ReasonCode.WAITS_FOR_APPROVAL
    ]
    bought = (
        f"Bought in this run: {pluralize(report.bought_this_run, 'order')} for "
        f"{Money(report.spent_this_run_fen)}."
    )
    batch = f"Batch {report.batch_id}"
    left = report.next_look if report.next_look and report.next_look.is_over else None
    return [
        *of_lines(batch, rest, bought),
        *of_lines(f"{batch}, the budget is used up", full, bought, RAISE),
        *covering(
            "left",
            (f"{report.batch_id}:{left.at:%Y-%m-%dT%H:%M}",) if left else (),
            f"{batch}: no run takes up what is left of it",
            f"{left.words}." if left else "",
        ),
    ]


def waiting_in(report: BatchReport) -> list[ReportLine]:
    """The orders that wait for a person, in whatever state; none in a dry run."""
    if report.dry_run:
        return []
    late = (ReasonCode.PAYMENT_NOT_TAKEN, ReasonCode.NO_REFERENCE_YET, *GOES_ALONG)
    return [
        line
        for line in report.orders
        if line.state in NEEDS_A_PERSON or line.reason_code in late
    ]


def of_orders(subject: str, orders: Iterable[OrderRecord]) -> list[Message]:
    """The message of orders that wait for a person."""
    lines = []
    for order in orders:
        reason = without_receiver(order.reason, order.request.receiver)
        lines.append(replace(line_of(order), reason=reason))
    return of_lines(subject, lines)


def of_lines(subject: str, lines: Sequence[ReportLine], *notes: str) -> list[Message]:
    """The message of orders that wait: other states, codes or facts are notified
    again.
    """
    about = [f"{line.order_ref}:{_state(line)}:{_identity(line)}" for line in lines]
    most_frequent = sorted(grouped(lines), key=lambda group: -len(group[0]))
    shown = [
        f"{len(alike):,} {alike[0].state} ({_names(alike)}): {words}"
        for alike, words in most_frequent
    ]
    kinds = counted(
        str(line.reason_code) if _goes_along(line) else str(line.state)
        for line in lines
    )
    return covering("waits", about, f"{subject}: {kinds}", *_bounded(shown), *notes)


def of_reasons(
    what: str, subject: str, reasons: Mapping[tuple[str, ...], Reason]
) -> list[Message]:
    """The message of what waits for a person, by its name and what else tells its
    causes apart.
    """
    names = defaultdict[str, list[str]](list)
    for (name, *_), reason in reasons.items():
        names[" ".join(sentences(reason))].append(name)
    lines = [f"{shorten(alike, MAX_NAMES)}: {words}" for words, alike in names.items()]
    return covering(
        what,
        [":".join(key) for key in reasons],
        f"{subject}: {shorten([name for name, *_ in reasons])}",
        *_bounded(lines),
    )


def of_refund(refund: Refund, now: datetime, times: int) -> list[Message]:
    """The message of a refund that waits for a person, and once more two days before
    its deadline.

    And for each of the `times` that it was asked for: it may have been refused again.
    """
    ends = refund.deadline
    is_near = ends is not None and ends - REMIND_AHEAD <= now < ends
    key = (refund.key, refund.state, str(ends or ""), str(times), str(is_near))
    by = f", by {ends:%Y-%m-%d %H:%M} UTC" if ends else ""
    return of_reasons(
        "refund",
        f"A {refund.kind} waits for you{by}",
        {(refund.order_ref, *key): standing(refund)},
    )


def of_faults(file: str, content: str, note: str, faults: Sequence[Fault]) -> Message:
    """The message of a faulty request file: faults of the whole file, and of rows the
    places only.

    The words of those may quote a receiver.
    """
    whole = [fault.message for fault in faults if fault.row <= HEADER_ROW]
    places = [
        f"row {fault.row} {fault.column}".rstrip()
        for fault in faults
        if fault.row > HEADER_ROW
    ]
    where = [f"See {shorten(places, MAX_NAMES)}."] if places else []
    remedy = (
        "Each fault stands in the result beside the file, in the folder failed of the inbox. Mend it there, or "
        "export it anew and drop that into the inbox."
    )
    return Message(
        cause=f"faults:{file}:{content}",
        subject=f"{file}: {note}",
        body="\n".join([*_bounded(whole), *where, remedy]),
    )


def of_shown_again(closed: Iterable[OrderRecord]) -> list[Message]:
    """The message of orders that are closed as their shop showed them, and that a later
    file of it has again.
    """
    shown = [
        f"{order.request.shop} {order.request.shop_ref}: {order.why}"
        for order in closed
    ]
    return covering(
        "left-out",
        shown,
        f"{pluralize(len(shown), 'order')} not bought, though a later file shows them",
        *_bounded(shown),
        "What to do: nothing where it was cancelled or sent. Else buy what is left of it "
        "by a request file of yours, under another order_ref.",
    )


def of_findings(findings: Sequence[Finding], summary: str) -> list[Message]:
    """The message of a reconciliation's findings, each finding once."""
    kinds = counted(str(finding.kind) for finding in findings)
    named = [
        f"{finding.kind}: {finding.order_ref or finding.order_id}"
        for finding in findings
    ]
    return covering(
        "differs",
        ["/".join(finding.identity) for finding in findings],
        f"The ledger and the service differ: {kinds}",
        *_bounded(named),
        f"In all: {summary}",
        "What to do about each stands in the run's artifact.",
    )


def of_doubts(effects: Sequence[EffectRecord]) -> list[Message]:
    """The message of unanswered effects, of orders that do not wait for a person
    anyway.
    """
    named = shorten([f"{effect.action} of {effect.order_ref}" for effect in effects])
    return covering(
        "unknown",
        [effect.key for effect in effects],
        f"No answer to {pluralize(len(effects), 'action')}: {named}",
        "It is not known yet whether it happened, so it is not done again. Later runs ask the service; what they don't "
        "find out waits for your answer.",
    )


def of_calls(calls: DailyCalls | None) -> list[Message]:
    """The message that a day's calls to the service are used up, once a day."""
    words = calls.used_up if calls else ""
    return covering(
        "calls-used-up",
        [words] if words else [],
        "The calls of today to the service are used up",
        f"{words[:1].upper()}{words[1:]}. What is left waits for then; nothing is lost.",
    )


def covering(
    what: str, about: Sequence[str], subject: str, *lines: str
) -> list[Message]:
    """The message that covers these causes, known by them; none for none."""
    if not about:
        return []
    digest = hashlib.sha256("\n".join(about).encode()).hexdigest()[:16]
    return [
        Message(
            cause=f"{what}:{digest}",
            subject=subject,
            body="\n".join(lines),
            about=tuple(f"{what}:{cause}" for cause in about),
        )
    ]


def _bounded(lines: Sequence[str]) -> list[str]:
    cut = [line[:MAX_LINE_LENGTH].rstrip(": ") for line in lines]
    return first_lines(cut, MAX_LINES, AND_MORE)


def _names(lines: Sequence[ReportLine]) -> str:
    return shorten([line.order_ref for line in lines])


def _goes_along(line: ReportLine) -> bool:
    return line.reason_code in GOES_ALONG


def _state(line: ReportLine) -> str:
    return "" if _goes_along(line) else line.state


def _identity(line: ReportLine) -> str:
    if line.reason_code:
        return Reason(line.reason_code, line.reason_facts).digest
    return hashlib.sha256(line.reason.encode()).hexdigest()[:16]


def _nameless(line: ReportLine, receivers: Mapping[str, Receiver]) -> str:
    receiver = receivers.get(line.order_ref)
    return without_receiver(line.reason, receiver) if receiver else ""
