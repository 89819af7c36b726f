"""The texts of messages: what is held or asks, and limits. Pure; they hold no
receiver's data.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from connectors.xportcn.permits import DailyCalls
from domain.findings import Finding
from domain.messages import Message, sentences
from domain.reasons import GOES_ALONG, Reason, ReasonCode, grouped
from domain.report import BatchReport
from domain.request_remarks import HEADER_ROW, Fault
from domain.wording import counted, first_lines, pluralize, shorten
from flows.answers.todo import FAULTY, NOT_DELIVERED, ToDo

MAX_LINES = 20
MAX_LINE_LENGTH = 500
MAX_NAMES = 20
AND_MORE = "and {more} more"


def of_waiting(waits: Iterable[ToDo]) -> list[Message]:
    """A message for each batch, and each marketplace, with something that waits for a
    person. Another state, code or fact is notified again.

    Plans that wait for an approval, faulty files and messages that were not delivered
    have messages of their own.
    """
    groups = defaultdict[str, list[ToDo]](list)
    for todo in waits:
        is_elsewhere = todo.is_left_to_run or todo.state in (FAULTY, NOT_DELIVERED)
        if not is_elsewhere and todo.reason_code is not ReasonCode.WAITS_FOR_APPROVAL:
            marketplace = (
                f"Batch {todo.batch_id}" if todo.batch_id else todo.marketplace
            )
            groups[marketplace].append(todo)
    messages = []
    for marketplace, todos in groups.items():
        most_frequent = sorted(grouped(todos), key=lambda group: -len(group[0]))
        lines = [_line(alike, message) for alike, message in most_frequent]
        kinds = counted(todo.kind for todo in todos)
        causes = [_cause(todo) for todo in todos]
        messages += covering(
            "waits", causes, f"{marketplace}: {kinds}", *_bounded(lines)
        )
    return messages


def _cause(todo: ToDo) -> str:
    identity = hashlib.sha256(todo.reason.encode()).hexdigest()[:16]
    if todo.reason_code:
        identity = Reason(todo.reason_code, todo.reason_facts).digest
    return f"{todo.order_ref}:{todo.state}:{identity}:{todo.turn}"


def of_charges(report: BatchReport) -> list[Message]:
    """The message of orders that went on, and cost more than was approved."""
    lines = [line for line in report.orders if line.reason_code in GOES_ALONG]
    if report.dry_run:
        return []
    return covering(
        "charged",
        [f"{line.order_ref}:{line.reason_code}" for line in lines],
        f"Batch {report.batch_id}: {pluralize(len(lines), 'order')} cost more than approved",
        *_bounded([f"{line.order_ref}: {line.reason}" for line in lines]),
    )


def of_reasons(
    what: str, subject: str, reasons: Mapping[tuple[str, ...], Reason]
) -> list[Message]:
    """The message of what waits for a person, by its name and what else tells its
    causes apart.
    """
    names = defaultdict[str, list[str]](list)
    for (name, *_), reason in reasons.items():
        names[" ".join(sentences(reason))].append(name)
    lines = [
        f"{shorten(alike, MAX_NAMES)}: {message}" for message, alike in names.items()
    ]
    return covering(
        what,
        [":".join(key) for key in reasons],
        f"{subject}: {shorten([name for name, *_ in reasons])}",
        *_bounded(lines),
    )


def of_faults(file: str, content: str, note: str, faults: Sequence[Fault]) -> Message:
    """The message of a faulty request file: faults of the whole file, and of rows the
    places only.

    The words of those may quote a receiver.
    """
    file_faults = [fault.message for fault in faults if fault.row <= HEADER_ROW]
    row_places = [
        f"row {fault.row} {fault.column}".rstrip()
        for fault in faults
        if fault.row > HEADER_ROW
    ]
    where = [f"See {shorten(row_places, MAX_NAMES)}."] if row_places else []
    remedy = (
        "Each fault stands in the result beside the file, in the folder failed of the inbox. Mend it, or export "
        "it anew, and drop that into the inbox."
    )
    return Message(
        cause=f"faults:{file}:{content}",
        subject=f"{file}: {note}",
        body="\n".join([*_bounded(file_faults), *where, remedy]),
    )


def of_cancelled(file: str, order_refs: Sequence[str]) -> list[Message]:
    """The message of begun orders that their shop cancelled."""
    return covering(
        "shop-cancelled",
        order_refs,
        f"Begun, and cancelled in the shop: {shorten(order_refs)}",
        f"{file} shows so.",
        "What to do: sourcing cancel ORDER_REF, or ask for the money: sourcing refund.",
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


def of_calls(calls: DailyCalls | None) -> list[Message]:
    """The message that a day's calls to the service are used up, once a day."""
    message = calls.used_up if calls else ""
    return covering(
        "calls-used-up",
        [message] if message else [],
        "The calls of today to the service are used up",
        f"{message[:1].upper()}{message[1:]}. What is left waits for then; nothing is lost.",
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


def _line(alike: Sequence[ToDo], message: str) -> str:
    """`31 held (A-1, A-2, A-3 and 28 more): no stock. What to do: change its line`."""
    names = shorten([todo.order_ref for todo in alike])
    remedy = alike[0].remedy
    is_said = not remedy or remedy[1:] in message
    what_to_do = "" if is_said else f". What to do: {remedy}"
    return f"{len(alike):,} {alike[0].kind} ({names}): {message}{what_to_do}"
