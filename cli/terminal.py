"""Times as the merchant reads them: of SOURCING_TIMEZONE, which is named beside
them.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from cli.failures import say
from connectors.settings import SourcingSettings
from connectors.xportcn.breaker import BreakerNews
from domain.money import Money
from domain.reasons import grouped
from domain.report import ReportLine
from domain.states import REACHED_BOOKED, OrderState
from domain.wording import shorten
from tasks.engine import progress
from tasks.engine.progress import Waiting


def zone() -> str:
    """The name of the merchant's zone, such as `UTC` or `Asia/Shanghai`."""
    return SourcingSettings().timezone


def clock_time(moment: datetime) -> str:
    """`2026-11-25 01:19:57` in the merchant's zone."""
    return f"{moment.astimezone(ZoneInfo(zone())):%Y-%m-%d %H:%M:%S}"


SAY_EVERY_S = 60.0
SAFE = "Ctrl-C is safe, nothing is lost"
MOST_SHOWN = 50  # of anything that grows with a batch
STATE_COLOURS: dict[str, str] = {
    OrderState.HELD: "yellow",
    OrderState.UNKNOWN: "magenta",
    OrderState.REFUSED: "red",
}

WIDE_ENOUGH_FOR_ORDER_IDS = 96
PAPER_WIDTH = 140  # for files and pipes, which have no width


def _console(*, stderr: bool) -> Console:
    """A console that shows text as written: words of the service may look like markup
    or like the name of an emoji.
    """
    console = Console(stderr=stderr, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(stderr=stderr, markup=False, emoji=False, width=PAPER_WIDTH)
    return console


console = _console(stderr=False)
messages = _console(stderr=True)


def warn(what: str, words: str = "") -> None:
    """Print a line on stderr: what went wrong in yellow, and the words about it."""
    messages.print(Text.assemble((what, "yellow"), " " if words else "", words))


def note(words: str) -> None:
    """Print a line of the result that a person has to see, in yellow."""
    console.print(Text(words, style="yellow"))


def show_markdown(message: str, where: Console = console) -> None:
    """Print what the Prefect UI shows."""
    from rich.markdown import Markdown  # takes longer than all help

    where.print(Markdown(message))


def print_json(document: object) -> None:
    """The one document that `--json` promises on stdout, in parts: of 100,000 orders
    the whole text is large.

    Dataclasses in it become objects as they are written.
    """
    sys.stdout.writelines(
        json.JSONEncoder(ensure_ascii=False, indent=2, default=asdict).iterencode(
            document
        )
    )
    print()


def table_of(
    columns: Iterable[str],
    rows: Iterable[Iterable[RenderableType]],
    *,
    title: str | None = None,
    right: Container[str] = (),
    **each: Any,
) -> Table:
    """A table with figures in the columns of `right`. `each` is for every column, as
    Rich takes it.
    """
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", **each)
    for row in rows:
        table.add_row(*row)
    return table


def show_snapshot(snapshot_id: str | None, root: str) -> None:
    """Print where the snapshot lies, if one was written."""
    if snapshot_id:
        console.print(f"Snapshot {snapshot_id} in {root}", soft_wrap=True)


class _Display(Progress):
    """The bars, and below them what the run waits for."""

    waiting_for: Callable[[], str] = str

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if message := self.waiting_for():
            yield Text(message, style="yellow")


class Bars(progress.Progress):
    """One progress bar a stage; waiting for the service is shown below them, or in a
    line now and then.
    """

    def __init__(self, display: _Display) -> None:
        self._display = display
        self._bars: dict[str, TaskID] = {}
        self._waiting = Waiting(SAY_EVERY_S)
        display.waiting_for = self.waiting_for

    def start(self, stage: str, total: int) -> None:
        if stage in self._bars:
            before = self._display.tasks[self._bars[stage]].total or 0
            self._display.update(self._bars[stage], total=before + total)
        elif total:
            self._bars[stage] = self._display.add_task(stage, total=total)

    def advance(self, stage: str, done: int) -> None:
        if stage in self._bars:
            self._display.advance(self._bars[stage], done)

    def waits(self, news: BreakerNews) -> None:
        """The service keeps the run waiting, or is back."""
        message = self._waiting.update(news)
        if message and not news.why:
            say(f"{message}; going on")
        elif message and not messages.is_terminal:
            say(f"{message}; {SAFE}")

    def waiting_for(self) -> str:
        """The cause of the present waiting; empty for nothing."""
        message = self._waiting.words
        return f"{message[:1].upper()}{message[1:]}; {SAFE}" if message else ""


_drawn: ContextVar[_Display | None] = ContextVar("drawn", default=None)


@contextmanager
def progress_bars() -> Iterator[Bars]:
    """Bars on stderr while the block runs; nothing when stderr is no terminal."""
    columns = (
        TextColumn("{task.description:>16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with _Display(
        *columns, console=messages, transient=False, disable=not messages.is_terminal
    ) as display:
        token = _drawn.set(display)
        yield Bars(display)
        _drawn.reset(token)


@contextmanager
def bars_aside() -> Iterator[None]:
    """Stop the bars above a question, which they would be drawn over; finished ones
    stay there.
    """
    display = _drawn.get()
    if display is None:
        yield
        return
    height = (
        len(messages.render_lines(display.get_renderable()))
        if messages.is_interactive
        else 0
    )
    display.stop()
    yield
    for task in display.tasks:
        display.update(task.id, visible=not task.finished)
    messages.line(max(0, height - 1))  # it begins by wiping as many lines as it had
    display.start()


def show_orders(title: str, lines: Sequence[ReportLine]) -> None:
    """One row an order, and below the table the reasons of some of them.

    Of many only the first, those that wait for a person before others.
    """
    if len(lines) > MOST_SHOWN:
        urgent = sorted(lines, key=lambda line: line.state not in STATE_COLOURS)
        show_all_orders(title, urgent[:MOST_SHOWN])
    else:
        show_all_orders(title, lines)
    show_more(len(lines))


def show_more(count: int) -> None:
    """Print the last line of a table of so many rows, if it is cut."""
    if count > MOST_SHOWN:
        console.print(f"and {count - MOST_SHOWN:,} more: see them with --json")


def show_all_orders(title: str, lines: Sequence[ReportLine]) -> None:
    """One row an order, however many there are."""
    with_ids = console.width >= WIDE_ENOUGH_FOR_ORDER_IDS
    columns = (
        "order",
        "marketplace",
        "state",
        "paid CNY",
        "tracking",
        *(["order id"] if with_ids else []),
    )
    rows: list[tuple[RenderableType, ...]] = [
        (
            line.order_ref,
            line.marketplace,
            Text(line.state, style=state_colour(line.state)),
            f"{Money(line.paid_fen).major:,.2f}" if line.paid_fen is not None else "",
            " ".join(line.tracking_numbers),
            *([line.order_id or ""] if with_ids else []),
        )
        for line in lines
    ]
    console.print(
        table_of(columns, rows, title=title, right=("paid CNY",), no_wrap=True)
    )
    show_reasons(lines)


def show_reasons(lines: Sequence[ReportLine]) -> None:
    """Print the reasons of orders, a paragraph for all with one cause."""
    for alike, reason in grouped(lines):
        if reason:
            refs = [line.order_ref for line in alike]
            state = alike[0].state
            verb = " is " if len(refs) == 1 else " are "
            text = Text.assemble(
                (shorten(refs), "bold"),
                verb,
                (state, state_colour(state)),
                f": {reason}",
            )
            console.print(Padding(text, (0, 0, 0, 2)))


def state_colour(state: str) -> str:
    return "green" if state in REACHED_BOOKED else STATE_COLOURS.get(state, "default")


class _LogLine(logging.Handler):
    """Log lines of the layers below for a waiting person."""

    def emit(self, record: logging.LogRecord) -> None:
        messages.print(Text(record.getMessage(), style="yellow"))


LOG_LINE = _LogLine(logging.WARNING)


def quiet_prefect() -> None:
    """Hide Prefect's own log lines from the terminal: they still reach its server; our
    own warnings are printed.
    """
    from prefect import flow  # noqa: F401 - makes Prefect's handlers, which would else come after this
    from prefect.logging.handlers import PrefectConsoleHandler

    logging.getLogger("sourcing").addHandler(
        LOG_LINE
    )  # adding it again changes nothing

    for logger in map(logging.getLogger, (None, *logging.root.manager.loggerDict)):
        for handler in logger.handlers:
            if isinstance(handler, PrefectConsoleHandler):
                handler.setLevel(logging.CRITICAL + 1)


def person() -> str:
    """The person at the terminal."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
