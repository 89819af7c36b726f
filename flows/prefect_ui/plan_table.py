"""A plan in words: rows for tables at the terminal and in the Prefect UI, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from domain.items import product_page
from domain.plan import PlanCost, PlannedOrder
from domain.report import BatchReport, ReportLine
from domain.request_remarks import Remark, merged_remarks
from domain.wording import pluralize
from flows.prefect_ui.goods import goods_text
from flows.prefect_ui.inert import inert

SHOWN_WARNINGS = 20
OUR_LINKS = "product pages"
"""The column whose links are the product's own."""
COLUMNS = (
    *("order", "what", "state", "goods and postage", "reason", "stock", "freight", "days"),
    *("service", "marketplace", "seller", "to"),  # the UI shows wide tables from the left
)


def table_row(plan: PlannedOrder, *, is_new: bool) -> dict[str, str]:
    """One order of the plan as text."""
    service = plan.freight_service
    return {
        "order": plan.order_ref,
        "what": goods_text(plan),
        "goods and postage": _price(plan) if is_new else "bought already",
        "stock": f"{plan.stock:,}" if is_new and plan.stock is not None else "",
        "freight": str(service.price) if service else "",
        "service": f"{service.company} {service.category}" if service else "",
        "days": f"{service.min_days}–{service.max_days}" if service else "",
        "marketplace": str(plan.request.marketplace),
        "seller": plan.seller,
        "to": plan.request.receiver.country,
        OUR_LINKS: " ".join(pages_of(plan)),
    }


def pages_of(plan: PlannedOrder) -> list[str]:
    """The product page of each item of an order."""
    pages = [product_page(plan.request.marketplace, line.item_id) for line in plan.lines]
    return [page for page in dict.fromkeys(pages) if page]


def _price(plan: PlannedOrder) -> str:
    if plan.quote is None:
        return ""
    less = plan.quote.less_than_parts
    return f"{plan.total} ({less} less than its parts)" if less.minor and plan.is_fine else str(plan.total)


def plan_rows(report: BatchReport) -> list[dict[str, str]]:
    """The result of a dry run, one row an order of the file, with the reasons against buying it."""
    new = {plan.order_ref: table_row(plan, is_new=True) for plan in report.plans}
    begun = {plan.order_ref: table_row(plan, is_new=False) for plan in report.to_ship}
    return [_row(line, new.get(line.order_ref) or begun.get(line.order_ref) or {}) for line in report.orders]


def _row(line: ReportLine, row: dict[str, str]) -> dict[str, str]:
    paid = {} if line.paid_fen is None else {"goods and postage": "bought already"}
    known = {**paid, **row, "order": line.order_ref, "marketplace": line.marketplace, "state": str(line.state)}
    known["reason"] = line.reason
    return {name: known.get(name, "") for name in COLUMNS}


def dry_run_summary(report: BatchReport) -> str:
    """The totals of a dry run as Markdown."""
    cost = PlanCost.of([plan for plan in report.plans if plan.is_fine], report.to_ship)
    return summary(cost, first="A run would ")


def summary(cost: PlanCost, *, first: str = "") -> str:
    """How many orders for how much, and how many lines at any price, as Markdown."""
    return " ".join(filter(None, [action_words(cost, first=first), no_limit_words(cost)]))


def action_words(cost: PlanCost, *, first: str = "") -> str:
    """The actions and their costs as Markdown."""
    buys = f"buy **{pluralize(cost.to_buy, 'order')}** for **{cost.total}**"
    ships = f"ship **{pluralize(cost.to_ship, 'order')}** for freight of **{freight_words(cost)}**"
    deeds = [*([buys] if cost.to_buy or not cost.to_ship else []), *([ships] if cost.to_ship else [])]
    words = first + " and ".join(deeds)
    return f"{words[:1].upper()}{words[1:]}."


def freight_words(cost: PlanCost) -> str:
    """A sum a currency: `12.00 USD, 3.00 EUR`; empty when nothing is shipped."""
    return ", ".join(map(str, cost.freight.values()))


def no_limit_words(cost: PlanCost) -> str:
    """How many lines are bought at any price, in one sentence of Markdown; empty for none."""
    verb = "has" if cost.without_limit == 1 else "have"
    lines = f"{cost.without_limit:,} of {pluralize(cost.lines, 'line')}"
    return f"**{lines} {verb} no price limit.**" if cost.without_limit else ""


def warnings_list(warnings: Sequence[Remark]) -> str:
    """The warnings of the request file as Markdown; empty without any."""
    if not (told := merged_remarks(warnings)):
        return ""
    more = [f"- and {len(told) - SHOWN_WARNINGS:,} more"] if len(told) > SHOWN_WARNINGS else []
    return "\n".join(
        ["**About the request file:**", "", *(f"- {inert(line)}" for line in told[:SHOWN_WARNINGS]), *more]
    )
