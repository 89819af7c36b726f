"""The plan of a dry run at the terminal: what each order would cost, what is in stock, and what holds it."""

from __future__ import annotations

from dataclasses import replace

from rich.table import Table
from rich.text import Text

from cli.terminal import MOST_SHOWN, WIDE_ENOUGH_FOR_ORDER_IDS, and_more, console, first_of, show_reasons, state_colour
from domain.report import BatchReport
from domain.states import OrderState

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
