"""Plans, goods and reports as Prefect's UIs show them, and foreign text there, of which
none makes markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from connectors.ledger.records import OrderRecord
from domain.marketplace import Marketplace, Pictures, product_page, shortened
from domain.money import Money, total_of
from domain.offers import priced
from domain.orders import OrderLine
from domain.plan import PlanCost, PlannedOrder
from domain.report import BatchReport, MatchLine
from domain.request_remarks import Remark, merged_remarks
from domain.wording import first_lines, pluralize
from flows.report.sections import (
    MAX_ORDERS_SHOWN,
    NO_RECORDS,
    NUMBERS,
    Cell,
    Leads,
    Section,
    describe,
    no_leads,
    title_of,
    urgent,
)

ALIKE = str.maketrans(dict(zip("[]<>`*\\|", "［］＜＞｀＊＼｜", strict=True)))
ADDRESS = re.compile(r":(?=//)|(?<=\S)@(?=\S)|(?<=www)\.", re.IGNORECASE)
EDGE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|~(?=~)|(?<=~)~")
FIRST = re.compile(r"^(?:[#+=-](?=[#+=-]*(?: |$))|\d{1,9}[.)](?= |$)|-(?=[ -]*$))")
ENTITY = re.compile(r"&(?=#?\w+;)")
BREAKS = re.compile(r"[\r\n\v\f\x85\u2028\u2029]+")


def inert(text: str) -> str:
    """The text as one plain line, without any markup."""
    line = BREAKS.sub(" ", text).strip().translate(ALIKE)
    for mark in (ADDRESS, EDGE, FIRST, ENTITY):
        line = mark.sub(_wide, line)
    return line


def _wide(found: re.Match[str]) -> str:
    """The last character in its full width, which means nothing to Markdown."""
    return found[0][:-1] + chr(ord(found[0][-1]) + 0xFEE0)


PICTURE_PX = 48
SHOWN_LINES = 3
SHOWN_TITLE = 80
SHOWN_MATCHES = 20


def goods_markdown(plan: PlannedOrder, pictures: Pictures) -> str:
    """The first lines, each with its picture and a link, its seller and its country: a
    cell of a table.
    """
    told = [_line(plan, line, pictures) for line in plan.lines[:SHOWN_LINES]]
    more = len(plan.lines) - SHOWN_LINES
    told += [f"and {pluralize(more, 'line')} more"] if more > 0 else []
    return "<br>".join(
        [
            *told,
            f"from {inert(shortened(plan.seller, SHOWN_TITLE))} to {plan.request.receiver.country}",
        ]
    )


def _line(plan: PlannedOrder, line: OrderLine, pictures: Pictures) -> str:
    linked = _link(plan.request.marketplace, line.item_id, line.title)
    which = [inert(shortened(words, SHOWN_TITLE)) for words in _which(plan, line)]
    return ", ".join(
        [f"{picture(line.image_url, pictures)}{line.quantity} × {linked}", *which]
    )


def picture(address: str, pictures: Pictures) -> str:
    """A picture as HTML, with a blank behind it; empty for one that is not to be
    shown.
    """
    shown = pictures.address(address)
    return (
        f'<img src="{shown}" width="{PICTURE_PX}" height="{PICTURE_PX}" align="left" alt=""> '
        if shown
        else ""
    )


def _which(plan: PlannedOrder, line: OrderLine) -> list[str]:
    limit = plan.limit(line)
    bound = f"limit {limit}" if limit else "no limit"
    return [
        *filter(None, [plan.variant(line)]),
        f"{priced([line], plan.quote)[0].unit_price} each ({bound})",
    ]


def _link(marketplace: str, item_id: str, title: str = "") -> str:
    words = inert(" ".join(shortened(title, SHOWN_TITLE).split())) or inert(item_id)
    page = product_page(Marketplace(marketplace), item_id)
    return f"[{words}]({page})" if page else words


def found_by_words(matches: Sequence[MatchLine], count: int) -> str:
    """What the words of request lines were taken to mean, of `count` in all, as
    Markdown; empty where none was.
    """
    if not matches:
        return ""
    more = [f"- and {more:,} more"] if (more := count - len(matches)) > 0 else []
    return "\n".join(
        [
            f"**Found by words: {pluralize(count, 'line')}.**",
            "",
            *map(_found, matches),
            *more,
        ]
    )


def _found(match: MatchLine) -> str:
    price = f", from {Money(match.price_fen)}" if match.price_fen is not None else ""
    taken = _link(match.marketplace, match.item_id, match.title)
    others = [
        _link(match.marketplace, one)
        for one in match.candidates
        if one != match.item_id
    ]
    return (
        f"- **{match.order_ref}**: {inert(match.words)} → {taken}{price}, {inert(match.seller)}: {inert(match.why)}."
        + (f" Others: {', '.join(others)}." if others else "")
        + f" To pin it: {inert(match.pin)}"
    )


SHOWN_WARNINGS = 20


def table_row(plan: PlannedOrder) -> dict[str, str]:
    """One order of the plan as text."""
    service = plan.freight_service
    back = f", {plan.came_back} came back" if plan.came_back.minor else ""
    more = f"; {plan.taken} were taken: a yes accepts that" if plan.taken.minor else ""
    return {
        "order": plan.order_ref,
        "goods and postage": _price(plan)
        if plan.pays_goods
        else f"ordered already for {plan.total}{back}{more}",
        "freight": str(service.price) if service else "",
        "service": f"{service.company} {service.category}" if service else "",
        "days": service.days if service else "",
        "marketplace": str(plan.request.marketplace),
    }


def _price(plan: PlannedOrder) -> str:
    if plan.quote is None:
        return ""
    if plan.is_unpaid:
        return f"{plan.total}, ordered and not paid"
    less = plan.quote.less_than_parts
    return (
        f"{plan.total} ({less} less than its parts)"
        if less.minor and plan.is_fine
        else str(plan.total)
    )


def dry_run_summary(report: BatchReport) -> str:
    """The totals of a dry run as Markdown."""
    fine = [plan for plan in report.plans if plan.is_fine]
    return summary(PlanCost.of([*fine, *report.to_ship]), first="A run would ")


def summary(cost: PlanCost, *, first: str = "") -> str:
    """How many orders for how much, and how many lines at any price, as Markdown."""
    return " ".join(
        filter(None, [action_words(cost, first=first), no_limit_words(cost)])
    )


def action_words(cost: PlanCost, *, first: str = "") -> str:
    """The actions and their costs as Markdown."""
    buys = f"buy **{pluralize(cost.to_buy, 'order')}** for **{cost.total}**"
    ships = f"ship **{pluralize(cost.to_ship, 'order')}** for freight of **{freight_words(cost)}**"
    deeds = [
        *([buys] if cost.to_buy or not cost.to_ship else []),
        *([ships] if cost.to_ship else []),
    ]
    words = first + " and ".join(deeds)
    return f"{words[:1].upper()}{words[1:]}."


def freight_words(cost: PlanCost) -> str:
    """A sum a currency: `12.00 USD, 3.00 EUR`; empty when nothing is shipped."""
    return ", ".join(map(str, cost.freight.values()))


def no_limit_words(cost: PlanCost) -> str:
    """How many lines are bought at any price, in one sentence of Markdown; empty for
    none.
    """
    verb = "has" if cost.without_limit == 1 else "have"
    lines = f"{cost.without_limit:,} of {pluralize(cost.lines, 'line')}"
    return f"**{lines} {verb} no price limit.**" if cost.without_limit else ""


def warnings_list(warnings: Sequence[Remark]) -> str:
    """The warnings of the request file as Markdown; empty without any."""
    told = [f"- {inert(line)}" for line in merged_remarks(warnings)]
    lines = [
        "**About the request file:**",
        "",
        *first_lines(told, SHOWN_WARNINGS, "- and {more} more"),
    ]
    return "\n".join(lines) if told else ""


def shown_whole(report: BatchReport) -> list[str]:
    """The orders of which a report shows the goods and the parcels."""
    return [line.order_ref for line in urgent(report)[:MAX_ORDERS_SHOWN]]


def markdown_report(
    report: BatchReport,
    records: Mapping[str, OrderRecord] = NO_RECORDS,
    links: str = "",
    leads: Leads = no_leads,
) -> str:
    """What a report says of its file and its words, and the sections of the report."""
    dry_run = " (dry run: nothing was bought)" if report.dry_run else ""
    parts = [
        f"# {title_of(report)}{dry_run}",
        links,
        dry_run_summary(report) if report.dry_run else "",
        warnings_list(report.warnings),
        matches_of(report),
        *map(section_text, describe(report, records, leads)),
    ]
    return "\n\n".join(filter(None, parts))


def section_text(section: Section) -> str:
    """A section with its table and its plots."""
    sides = ["--:" if name in NUMBERS else "---" for name in section.columns]
    rows = [map(inert, section.columns), sides]
    rows += [map(_cell, row) for row in section.rows]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n\n".join([f"## {section.heading}", *map(inert, section.text), table])


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return inert(cell)
    return ", ".join(
        f"[{inert(link.words)}]({link.address})" if link.address else inert(link.words)
        for link in cell
    )


def in_short(report: BatchReport) -> str:
    """The sums and the counts, in one line: `1,590.00 CNY paid, freight 310.20 USD; 20
    booked, 4 held`.
    """
    if report.dry_run:
        total = total_of([plan.total for plan in report.plans if plan.is_fine])
        return f"A run would spend {total}; {counts_of(report)}"
    return f"{Money(report.spent_fen)} paid{booked_freight(report, ', ')}; {counts_of(report)}"


def booked_freight(report: BatchReport, before: str) -> str:
    """`freight 310.20 USD` behind these words, a sum a currency; nothing where nothing
    is booked.
    """
    sums = " + ".join(map(str, report.freight.values()))
    return f"{before}freight {sums}" if sums else ""


def counts_of(report: BatchReport) -> str:
    """`20 booked, 4 held`."""
    return (
        ", ".join(f"{count:,} {state}" for state, count in report.counts.items())
        or "no orders"
    )


def matches_of(report: BatchReport) -> str:
    """What words were taken to mean, in a report."""
    taken = [match for match in report.matches if match.item_id]
    return found_by_words(taken[:SHOWN_MATCHES], len(taken))
