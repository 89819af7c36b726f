"""The result of an after-sale run: orders, refunds, and what a person has to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from prefect import runtime
from prefect.states import Completed

from connectors.ledger.records import line_of
from connectors.ledger.store import Ledger
from domain.after_sale import Refund, standing, those_waiting
from domain.effects import OPEN, EffectStatus
from domain.marketplace import shortened
from domain.money import Money
from domain.reasons import Reason, ReasonCode, because
from domain.report import ReportLine
from domain.states import OrderState
from domain.wording import counted, pluralize
from flows.prefect_ui.artifacts import (
    show_table,
    with_what_waits,
)
from flows.prefect_ui.expected_errors import best_effort, rename_run, run_logger
from flows.prefect_ui.markdown import inert
from tasks.effects.cancel import Cancel
from tasks.effects.kinds import kind_of
from tasks.engine.resources import Resources
from tasks.snapshot import write_tables

NOT_AS_ASKED = "not as asked"
COLUMNS = (
    "order",
    "state",
    NOT_AS_ASKED,
    "done",
    "reason",
    "refunds",
    "asked back",
    "came back",
    "marketplace",
)
ITS_FREIGHT = because(ReasonCode.FREIGHT_STAYS_BOOKED)
DONE_BEFORE = "nothing: it was done before"
MOST_LISTED = 5
LONGEST_DEED = 60
SWITCH_OFF = "Nothing was sent. To do it, start it again with 'Only show what would happen' switched off"
NEEDS_ATTENTION = "To be checked"
"""The name of the final state of a run that did not do all it was asked: not to be
mistaken for full success.
"""


class Trouble(NamedTuple):
    """Why something about an order did not go as asked."""

    order_ref: str
    why: Reason

    def __str__(self) -> str:
        return f"{self.order_ref}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterSaleReport:
    """Orders that were worked on and their refunds. `troubles` name what did not go as
    asked, `did` what was done.
    """

    orders: Sequence[ReportLine]
    refunds: Sequence[Refund]
    troubles: Sequence[Trouble]
    snapshot_id: str | None
    snapshot_root: str
    did: Mapping[str, str] = field(default_factory=dict)
    only_shown: bool = False

    @property
    def waiting(self) -> list[Refund]:
        """The refunds that wait for a person."""
        return those_waiting(self.refunds)

    @property
    def all_fine(self) -> bool:
        """Whether nothing waits for a person."""
        unknown = any(line.state is OrderState.UNKNOWN for line in self.orders)
        return not (self.waiting or unknown or self.troubles)

    def to_json(self) -> dict[str, Any]:
        """The report that the commands print with `--json`."""
        waiting = self.waiting
        refunds = [
            refund_as_json(refund, waits=refund in waiting) for refund in self.refunds
        ]
        return {
            **asdict(self),
            "refunds": refunds,
            "troubles": [*map(str, self.troubles)],
        }


async def after_sale_report(
    resources: Resources,
    order_refs: Sequence[str],
    *,
    keys: Sequence[str] | None = None,
    troubles: Sequence[Trouble] = (),
    was_done: str = DONE_BEFORE,
    would: Mapping[str, str | Reason] | None = None,
) -> AfterSaleReport:
    """Write the snapshot, and show the state of these orders in the run's log and in
    the Prefect UI: of each what the run did, or why not, or that it `was_done`.

    `keys` limits the report to some refunds. A run that only shows gives what it
    `would` do, or why it can't be done.
    """
    deeds, not_done = _worked_on(resources.ledger, order_refs)
    troubles = [*troubles, *not_done]
    stuck = {trouble.order_ref for trouble in troubles}
    did = {ref: was_done for ref in order_refs if was_done and ref not in stuck} | deeds
    if would is not None:
        did = {
            ref: f"would {deed}" for ref, deed in would.items() if isinstance(deed, str)
        }
        troubles = [
            Trouble(ref, reason)
            for ref, reason in would.items()
            if isinstance(reason, Reason)
        ]
        run_logger().info("%s", SWITCH_OFF)
    orders = resources.ledger.orders(order_refs)
    refunds = resources.ledger.refunds.of_orders(order_refs)
    snapshot_id = await write_tables(resources, "after-sale")
    report = AfterSaleReport(
        orders=[line_of(order) for order in orders.values()],
        refunds=[refund for refund in refunds if keys is None or refund.key in keys],
        troubles=troubles,
        snapshot_id=snapshot_id,
        snapshot_root=str(resources.settings.snapshot_root.absolute()),
        did=did,
        only_shown=would is not None,
    )
    for ref, deed in did.items():
        run_logger().info("%s: %s", ref, deed)
    for trouble in report.troubles:
        run_logger().warning("Not as asked: %s", trouble)
    for refund in report.waiting:
        run_logger().warning(
            "Waits for you: %s: %s", refund.order_ref, standing(refund)
        )
    run_logger().info("%s", summary_of(report))
    await best_effort("the report", _show(report))
    return ended(report)


def _worked_on(
    ledger: Ledger, order_refs: Sequence[str]
) -> tuple[dict[str, str], list[Trouble]]:
    """What this run did to each order, and what it did not, or is open; of each effect
    the newest attempt.
    """
    newest = {
        effect.slot: effect
        for effect in ledger.effects_of(order_refs)
        if effect.status in OPEN or effect.owner == ledger.owner
    }
    did = defaultdict[str, list[str]](list)
    not_done = list[Trouble]()
    for effect in newest.values():
        ref = effect.order_ref
        kind = kind_of(effect)
        if not kind.reported:
            continue
        if effect.status is EffectStatus.DONE:
            facts = {**(effect.answer or {}), "amount": effect.amount}
            did[ref].append(kind.reported.format_map(defaultdict(str, facts)))
        elif kind is not Cancel:  # why an order is not closed is its own reason
            why = because(
                ReasonCode.EFFECT_NOT_DONE,
                key=effect.key,
                status=effect.status,
                why=effect.why,
            )
            not_done.append(Trouble(ref, why))
    return {ref: "; ".join(deeds) for ref, deeds in did.items()}, not_done


def ended(report: AfterSaleReport) -> AfterSaleReport:
    """The result of a flow: the report, in a state of another name where something did
    not go as asked.
    """
    if not report.troubles:
        return report
    state: Any = Completed(
        name=NEEDS_ATTENTION,
        message="; ".join(map(str, report.troubles[:MOST_LISTED])),
        data=report,
    )
    ends: AfterSaleReport = state
    return ends


async def _show(report: AfterSaleReport) -> None:
    summary = summary_of(report)
    await show_table(
        "after-sale",
        artifact_rows(report),
        with_what_waits(inert(summary), between=" · "),
    )
    first_name = str(runtime.flow_run.name or "after-sale").split(": ")[
        0
    ]  # a restarted run already has a summary
    await rename_run(f"{first_name}: {summary}")


def summary_of(report: AfterSaleReport) -> str:
    """`3 orders: 2 cancelled, 1 held; 2 refunds: 1 asked, 1 refunded, 12.00 CNY came
    back`.
    """
    parts = [
        f"{pluralize(len(report.orders), 'order')}: {counted(line.state for line in report.orders)}"
    ]
    deeds = [*report.did.values()]
    if len(deeds) == 1:
        parts.append(shortened(deeds[0], LONGEST_DEED))
    elif deeds:
        parts.append(f"{len(deeds):,} {'possible' if report.only_shown else 'done'}")
    if report.refunds:
        back = Money(sum(refund.refunded.minor for refund in report.refunds))
        states = counted(refund.state for refund in report.refunds)
        came_back = f", {back} came back" if back.minor else ""
        parts.append(f"{pluralize(len(report.refunds), 'refund')}: {states}{came_back}")
    if report.troubles:
        parts.append(f"{len(report.troubles):,} not as asked")
    if not report.orders:
        parts[0] = "nothing to do"
    shown = "only shown: " if report.only_shown else ""
    return f"{shown}{'; '.join(parts)}"


def refund_as_json(refund: Refund, *, waits: bool) -> dict[str, Any]:
    """One refund as it stands; amounts in fen, `words` are the next step."""
    return {
        "order_ref": refund.order_ref,
        "refund_id": refund.refund_id or None,
        "lines": list(refund.lines),
        "kind": refund.kind,
        "state": refund.state,
        "reason": refund.reason,
        "asked_fen": refund.asked.minor,
        "approved_fen": refund.approved.minor,
        "refunded_fen": refund.refunded.minor,
        "tracking_number": refund.tracking_number,
        "deadline": refund.deadline.isoformat() if refund.deadline else None,
        "words": str(standing(refund)),
        "waits_for_a_person": waits,
    }


def artifact_rows(report: AfterSaleReport) -> list[dict[str, str]]:
    """One row an order, with its refunds in words; first what did not go as asked, also
    without an order.
    """
    troubles: dict[str, list[Reason]] = {}
    for trouble in report.troubles:
        troubles.setdefault(trouble.order_ref, []).append(trouble.why)
    known = [
        _row(line, report, troubles.pop(line.order_ref, [])) for line in report.orders
    ]
    strange = [
        {**dict.fromkeys(COLUMNS, ""), "order": ref, NOT_AS_ASKED: _words_of(t)}
        for ref, t in troubles.items()
    ]
    return sorted([*known, *strange], key=lambda row: not row[NOT_AS_ASKED])


def _words_of(troubles: Sequence[Reason]) -> str:
    return "; ".join(map(str, troubles))


def _row(
    line: ReportLine, report: AfterSaleReport, troubles: Sequence[Reason]
) -> dict[str, str]:
    refunds = [
        refund for refund in report.refunds if refund.order_ref == line.order_ref
    ]
    cells = (
        line.order_ref,
        str(line.state),
        _words_of(troubles),
        report.did.get(line.order_ref, ""),
        "" if line.reason_code in {why.code for why in troubles} else line.reason,
        "; ".join(str(standing(refund)) for refund in refunds),
        _sum(refund.asked.minor for refund in refunds),
        _sum(refund.refunded.minor for refund in refunds),
        line.marketplace,
    )
    return dict(zip(COLUMNS, cells, strict=True))


def _sum(fen: Iterable[int]) -> str:
    total = sum(fen)
    return str(Money(total)) if total else ""
