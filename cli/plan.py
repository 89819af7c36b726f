"""The plan of a dry run at the terminal: what each order would cost, what is in stock, and what holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.terminal import MOST_SHOWN, WIDE_ENOUGH_FOR_ORDER_IDS, and_more, console, first_of, show_reasons, state_colour
from domain.money import Money
from domain.report import BatchReport, MatchLine
from domain.states import OrderState


def show_matches(matches: Sequence[MatchLine], where: Console) -> None:
    """One paragraph for each line found by words: what was taken, why, and how to make it certain."""
    taken = [match for match in matches if match.item_id]  # where nothing was taken, the order's own reason says so
    for match in taken[:MOST_SHOWN]:
        where.print(Padding(_line(match), (0, 0, 0, 2)))
    if len(taken) > MOST_SHOWN:
        where.print(and_more(len(taken), "--json"))


def _line(match: MatchLine) -> Text:
    price = f", from {Money(match.price_fen)}" if match.price_fen is not None else ""
    others = [item_id for item_id in match.candidates if item_id != match.item_id]
    return Text.assemble(
        (match.order_ref, "bold"),
        f" {match.words!r} was taken to mean {match.item_id} ",
        f"({match.title}{price}, sold by {match.seller}): {match.why}. ",
        f"Others: {', '.join(others)}. " if others else "",
        f"Pin with: {match.pin}",
    )


NARROW = ("order", "state", "goods and postage", "stock", "freight", "days")
WIDE = ("order", "marketplace", "state", "goods and postage", "stock", "freight", "service", "days")
NUMBERS = ("goods and postage", "stock", "freight", "days")


def show_plan(title: str, report: BatchReport) -> None:
    """One row an order, of many those that wait for a person first; below the table why some would not be bought."""
    from flows.prefect_ui.plan_table import plan_rows

    table = Table(title=title, title_justify="left")
    columns = WIDE if console.width >= WIDE_ENOUGH_FOR_ORDER_IDS else NARROW
    for name in columns:
        table.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=name != "goods and postage")
    shown = replace(report, orders=first_of(report.orders))
    for row in plan_rows(shown):
        colour = state_colour(OrderState(row["state"]))
        table.add_row(*(Text(row[name], style=colour if name == "state" else "") for name in columns))
    console.print(table)
    show_reasons(shown.orders)
    if len(report.orders) > MOST_SHOWN:
        console.print(and_more(len(report.orders), "--json"))


def totals(report: BatchReport) -> str:
    """The sums of a run, in one sentence."""
    from flows.prefect_ui.plan_table import dry_run_summary

    return dry_run_summary(report).replace("**", "")  # Markdown's bold is for the UI
