"""A report in one description: the sections that the page, Prefect and a terminal
show.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import quote

from connectors.ledger.overview import every_batch
from connectors.ledger.records import OrderRecord, line_of
from connectors.ledger.store import Ledger
from domain.addresses import without_receiver
from domain.marketplace import Marketplace, product_page, shortened
from domain.money import Money, by_currency, total_of
from domain.orders import OrderLine
from domain.reasons import grouped
from domain.report import BatchReport, ReportLine
from domain.states import NEEDS_A_PERSON, OrderState
from domain.wording import pluralize, shorten

TRACKER = "https://t.17track.net/en#nums={}"
WEB_ADDRESS = re.compile(r"https?://[^\s()<>\[\]|\"'`\\]{1,1000}")
MAX_ORDERS_SHOWN = 200
MAX_REASONS_SHOWN = 50
MAX_REFS_OF_A_REASON = 10
MAX_ITEMS_OF_AN_ORDER = 3
MAX_TITLE_LETTERS = 80
NUMBERS = ("orders", "paid", "price", "freight", "sum")
"""Columns that stand to the right."""
NO_RECORDS: Mapping[str, OrderRecord] = {}


class Link(NamedTuple):
    """Words that lead to an address; plain words where it is empty."""

    words: str
    address: str = ""


Cell = str | Sequence[Link]
Leads = Callable[[Sequence[ReportLine]], Sequence[Link]]
"""The links that lead on from orders which wait for one thing."""


def no_leads(_: Sequence[ReportLine]) -> Sequence[Link]:
    return ()


class Bar(NamedTuple):
    label: str
    value: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A row of bars, to be compared with each other."""

    title: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    heading: str
    text: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    plots: Sequence[Plot] = ()


class UnknownBatch(Exception):
    """The ledger has no order of this batch; the message names those that it has."""


def read_report(ledger: Ledger, batch_id: str) -> BatchReport:
    """The orders of a batch, or of all where it is empty, as they stand. Raises
    `UnknownBatch`.
    """
    batches = [batch_id] if batch_id else [*every_batch(ledger)]
    refs = [ref for batch in batches for ref in ledger.refs_in(batch)]
    if batch_id and not refs:
        newest = [*every_batch(ledger)][:-4:-1]
        newest_hint = (
            f"the newest are {', '.join(newest)}" if newest else "there is none yet"
        )
        raise UnknownBatch(f"the ledger has no batch {batch_id}; {newest_hint}")

    return BatchReport(
        batch_id=batch_id,
        orders=[_line_without_receiver(order) for order in ledger.each_order(refs)],
    )


def _line_without_receiver(order: OrderRecord) -> ReportLine:
    line = line_of(order)
    if not line.reason:
        return line
    reason = without_receiver(line.reason, order.request.receiver)
    return replace(line, reason=reason)


def title_of(report: BatchReport) -> str:
    return f"Batch {report.batch_id}" if report.batch_id else "All orders"


def urgent(report: BatchReport) -> list[ReportLine]:
    """Its orders, those that wait for a person first."""
    return sorted(report.orders, key=lambda line: line.state not in NEEDS_A_PERSON)


def describe(
    report: BatchReport,
    records: Mapping[str, OrderRecord] = NO_RECORDS,
    leads: Leads = no_leads,
) -> list[Section]:
    """The sections of a report that have anything to show. `records` of the ledger have
    the goods of orders, and the pages of their parcels.
    """
    sections = [
        _in_all(report),
        _waiting(report, leads),
        _sums("state", report.orders, list(OrderState)),
        _sums("marketplace", report.orders, list(Marketplace)),
        _orders(report, records),
    ]
    return [section for section in sections if section.rows]


def _in_all(report: BatchReport) -> Section:
    """The sums, and what the run has to say beside them."""
    waiting = [line for line in report.orders if line.state in NEEDS_A_PERSON]
    rows = [
        ("orders", f"{len(report.orders):,}"),
        ("wait for you", f"{len(waiting):,}"),
        ("paid", str(Money(report.spent_fen))),
    ]
    if report.elsewhere_fen:
        rows.append(("of it in other batches", str(Money(report.elsewhere_fen))))
    if report.bought_this_run:
        orders = pluralize(report.bought_this_run, "order")
        paid = Money(report.spent_this_run_fen)
        rows.append(("paid by this run", f"{paid} for {orders}"))
    rows += [("freight booked", str(sum_)) for sum_ in report.freight.values()]

    text = [report.paused.notice] if report.paused else []
    text += [f"Ended early: {report.broken_off}"] if report.broken_off else []
    text += [f"Next: {report.next_look.words}"] if report.next_look else []
    text += [f"Question: {question}" for question in report.questions]
    for word, number in report.unknown_words.items():
        text.append(f"Not known: {word} ({number})")
    if report.snapshot_id:
        text.append(f"Snapshot {report.snapshot_id} in {report.snapshot_root}")
    return Section(heading="In all", text=text, columns=("", "sum"), rows=rows)


def _waiting(report: BatchReport, leads: Leads) -> Section:
    waiting = [line for line in report.orders if line.state in NEEDS_A_PERSON]
    groups = grouped(waiting)
    rows = []
    for lines, reason in groups[:MAX_REASONS_SHOWN]:
        refs = shorten([line.order_ref for line in lines], MAX_REFS_OF_A_REASON)
        to_do = leads(lines) or lines[0].remedy
        rows.append((refs, f"{len(lines):,}", str(lines[0].state), reason, to_do))

    text = ["Each with its command: sourcing todo. Then run the same file again."]
    if len(groups) > len(rows):
        text.append(f"And {len(groups) - len(rows):,} further reasons: sourcing todo")
    columns = ("which", "orders", "state", "reason", "what to do")
    return Section(heading="What waits for you", text=text, columns=columns, rows=rows)


def _sums(key: str, lines: Iterable[ReportLine], order: Sequence[str]) -> Section:
    """Orders, payments and freight by state or marketplace."""
    groups = defaultdict[str, list[ReportLine]](list)
    for line in lines:
        groups[getattr(line, key)].append(line)

    rows = []
    plots = defaultdict[str, list[Bar]](list)
    for name in sorted(groups, key=order.index):
        group = groups[name]
        count = f"{len(group):,}"
        paid = total_of([Money(line.paid_fen or 0) for line in group])
        freight = by_currency(line.freight for line in group if line.freight)
        rows.append((name, count, str(paid), ", ".join(map(str, freight.values()))))
        plots["Orders"].append(Bar(name, len(group), count))
        plots["Paid"].append(Bar(name, paid.minor, str(paid)))
        for price in freight.values():
            title = f"Freight, {price.currency}"
            plots[title].append(Bar(name, price.minor, str(price)))

    return Section(
        heading=f"Orders by {key}",
        columns=(key, "orders", "paid", "freight"),
        rows=rows,
        plots=[Plot(title=title, bars=bars) for title, bars in plots.items()],
    )


def _orders(report: BatchReport, records: Mapping[str, OrderRecord]) -> Section:
    plans = {plan.order_ref: plan for plan in (*report.to_ship, *report.plans)}
    rows = []
    for line in urgent(report)[:MAX_ORDERS_SHOWN]:
        record = records.get(line.order_ref)
        plan = plans.get(line.order_ref)
        goods = plan or record
        paid = line.paid_fen or (plan.total.minor if plan else 0)
        service = plan.freight_service if plan else None
        rows.append(
            (
                line.order_ref,
                line.marketplace,
                line.state,
                goods_of(goods.lines, line.marketplace) if goods else "",
                str(Money(paid)) if paid else "",
                str(line.freight or (service and service.price) or ""),
                parcels_of(line, record),
            )
        )
    hidden_count = len(report.orders) - len(rows)
    text = (
        [f"And {hidden_count:,} more: sourcing sql, table orders"]
        if hidden_count
        else []
    )
    price = "price" if report.dry_run else "paid"
    columns = ("order", "marketplace", "state", "what", price, "freight", "parcels")
    return Section(heading="The orders", text=text, columns=columns, rows=rows)


def goods_of(lines: Sequence[OrderLine], marketplace: str) -> Sequence[Link]:
    links = []
    for line in lines[:MAX_ITEMS_OF_AN_ORDER]:
        message = f"{line.quantity} × {shortened(line.title, MAX_TITLE_LETTERS)}"
        links.append(
            Link(message, product_page(Marketplace(marketplace), line.item_id))
        )
    if hidden_count := len(lines) - len(links):
        links.append(Link(f"and {pluralize(hidden_count, 'line')} more"))
    return links


def parcels_of(line: ReportLine, record: OrderRecord | None) -> Sequence[Link]:
    """Links to the carrier's pages where the service gave them, else to a public
    tracker.
    """
    shipment = record.shipment if record else None
    pages = list(shipment.tracking_urls) if shipment else []
    if len(pages) != len(line.tracking_numbers) or not all(
        map(WEB_ADDRESS.fullmatch, pages)
    ):
        pages = [
            TRACKER.format(quote(number, safe="")) for number in line.tracking_numbers
        ]
    return [*map(Link, line.tracking_numbers, pages)]
