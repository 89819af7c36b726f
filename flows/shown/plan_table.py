"""A plan in words: rows for tables at the terminal and in the Prefect UI, and its total."""

from __future__ import annotations

from collections.abc import Sequence

from domain.money import total_of
from domain.orders import lines_without_limit
from domain.plan import PlannedOrder, freight_sums
from domain.report import BatchReport, ReportLine
from domain.request_remarks import Remark, told_together
from domain.wording import number_of
from flows.approval_request import ApprovalRequest

SHOWN_WARNINGS = 20
COSTS = ("order", "state", "goods and postage", "stock", "freight", "days")
CONTENTS = ("what", "service", "marketplace", "to")  # long ones last: the UI shows wide tables from the left


def table_row(plan: PlannedOrder, *, is_new: bool) -> dict[str, str]:
    """One order of the plan as text."""
    service = plan.freight_service
    return {
        "order": plan.order_ref,
        "what": "; ".join(f"{line.quantity} × {line.title}" for line in plan.lines),
        "goods and postage": _price(plan) if is_new else "bought already",
        "stock": f"{plan.stock:,}" if is_new and plan.stock is not None else "",
        "freight": str(service.price) if service else "",
        "service": f"{service.company} {service.category}" if service else "",
        "days": f"{service.min_days}–{service.max_days}" if service else "",
        "marketplace": str(plan.request.marketplace),
        "to": plan.request.receiver.country,
    }


def rows_of(question: ApprovalRequest) -> list[dict[str, str]]:
    """What is to be approved, one row an order."""
    new = [table_row(plan, is_new=True) for plan in question.to_buy]
    return new + [table_row(plan, is_new=False) for plan in question.to_ship]


def _price(plan: PlannedOrder) -> str:
    return str(plan.total) if plan.quote else ""


def plan_rows(report: BatchReport) -> list[dict[str, str]]:
    """What a dry run found, one row an order of the file, with what keeps it from being bought."""
    new = {plan.order_ref: table_row(plan, is_new=True) for plan in report.plans}
    begun = {plan.order_ref: table_row(plan, is_new=False) for plan in report.to_ship}
    return [_row(line, new.get(line.order_ref) or begun.get(line.order_ref) or {}) for line in report.orders]


def _row(line: ReportLine, row: dict[str, str]) -> dict[str, str]:
    paid = {} if line.paid_fen is None else {"goods and postage": "bought already"}
    known = {**paid, **row, "order": line.order_ref, "marketplace": line.marketplace, "state": str(line.state)}
    known["reason"] = line.reason
    return {name: known.get(name, "") for name in (*COSTS, "reason", *CONTENTS)}


def dry_run_summary(report: BatchReport) -> str:
    """What a run would come to, as Markdown."""
    return summary([plan for plan in report.plans if plan.is_fine], report.to_ship, verb="A run would buy")


def summary(to_buy: Sequence[PlannedOrder], to_ship: Sequence[PlannedOrder], *, verb: str = "Buy") -> str:
    """How many orders for how much, as Markdown."""
    freight = freight_sums([*to_buy, *to_ship])
    shipping = f", and freight of **{freight}** to ship {len(to_buy) + len(to_ship):,} orders" if freight else ""
    buying = f"{verb} **{len(to_buy):,} orders** for **{total_of([plan.total for plan in to_buy])}**{shipping}."
    unlimited = no_limit_words(to_buy)
    return f"{buying} **{unlimited}**" if unlimited else buying


def no_limit_words(plans: Sequence[PlannedOrder]) -> str:
    """How many lines are bought at any price, in one sentence; empty for none."""
    requests = [plan.request for plan in plans]
    if not (without := lines_without_limit(requests)):
        return ""
    lines = number_of(sum(len(request.lines) for request in requests), "line")
    return f"{without:,} of {lines} {'has' if without == 1 else 'have'} no price limit."


def warnings_told(warnings: Sequence[Remark]) -> str:
    """What was said about the request file, as Markdown; empty for nothing."""
    if not (told := told_together(warnings)):
        return ""
    more = [f"- and {len(told) - SHOWN_WARNINGS:,} more"] if len(told) > SHOWN_WARNINGS else []
    return "\n".join(["**About the request file:**", "", *(f"- {line}" for line in told[:SHOWN_WARNINGS]), *more])
