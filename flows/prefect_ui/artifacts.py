"""Artifacts of a run in the Prefect UI, and of what a remedy would do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import runtime
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from connectors.foreign import words_of
from connectors.process_locks import deployed_run
from connectors.settings import SourcingSettings
from connectors.ui_pages import WHAT_WAITS, artifact_page
from domain.after_sale import RefundOption, reason_ids
from domain.money import Money
from domain.reasons import Reason
from domain.report import BatchReport
from domain.request_remarks import Fault
from domain.wording import pluralize
from flows.prefect_ui.expected_errors import best_effort, rename_run, run_logger
from flows.prefect_ui.markdown import OUR_LINKS, inert, urgent

if TYPE_CHECKING:
    from flows.report.figures import Figures
    from flows.report.sections import ReportSection, Row

MOST_ROWS = 1_000
"""Rows of a table: Prefect keeps each three times, and a browser draws all of them. All
rows are in the snapshot.
"""


async def show_table(
    key: str,
    rows: Sequence[Mapping[str, object]],
    words: str,
    *,
    rest: str = "the snapshot",
    of: int = 0,
) -> None:
    """A table of the run, no longer than a browser bears; give the rows that wait for a
    person first.

    A table shows links as they are written, so no cell holds one. `rest` is where all
    rows are, `of` how many.
    """
    first, description = of_many(rows, words, rest, of=of)
    await acreate_table_artifact(key=key, table=first, description=description)


def of_many(
    rows: Sequence[Mapping[str, object]],
    words: str,
    rest: str = "the snapshot",
    *,
    of: int = 0,
) -> tuple[list[dict[str, object]], str]:
    """The first of many rows, foreign text inert, and the words with the count of the
    rest.
    """
    more = max(of, len(rows)) - MOST_ROWS
    first = [
        {name: _cell(name, value) for name, value in row.items()}
        for row in rows[:MOST_ROWS]
    ]
    return first, f"{words} ({more:,} more: see {rest})" if more > 0 else words


def _cell(name: str, value: object) -> object:
    return inert(value) if isinstance(value, str) and name != OUR_LINKS else value


async def show_faults(name: str, faults: Sequence[Fault]) -> None:
    """Show the faults of a request file, cell by cell."""
    rows = [
        {"row": fault.row, "column": fault.column, "fault": fault.message}
        for fault in faults
    ]
    words = f"{pluralize(len(faults), 'fault')} in {name}; nothing was sent"
    table = show_table(
        f"faults-{artifact_key(name)}", rows, words, rest="the run's log"
    )
    await best_effort("the faults", table)


def outcome_rows(report: BatchReport) -> list[dict[str, str]]:
    """The rows that are shown, one an order, as text; those that wait for a person
    first.

    Wide tables are seen from the left.
    """
    return [
        {
            "order": line.order_ref,
            "state": str(line.state),
            "reason": line.reason,
            "paid": str(Money(line.paid_fen)) if line.paid_fen is not None else "",
            "freight": str(line.freight or ""),
            "tracking": ", ".join(line.tracking_numbers),
            "order id": line.order_id or "",
            "marketplace": line.marketplace,
        }
        for line in urgent(report)[:MOST_ROWS]
    ]


def links_of(report: BatchReport) -> str:
    """Links to the other pages of a batch, as Markdown; empty where no UI is known."""
    key = artifact_key(report.batch_id)
    pages = (
        {f"plan-{key}": "The plan"}
        if report.dry_run
        else {f"outcome-{key}": "Every order"}
    )
    if deployed_run() and report.snapshot_id and not report.dry_run:
        pages[f"figures-{key}"] = "Figures"
    return markdown_links(pages | {WHAT_WAITS: "What waits for you"})


def with_what_waits(text: str, between: str = "\n\n") -> str:
    """A report with the link to all that waits for a person, where a UI is known."""
    return between.join(
        filter(None, [text, markdown_links({WHAT_WAITS: "What waits for you"})])
    )


def markdown_links(pages: Mapping[str, str]) -> str:
    """Links to artifacts by their keys, with these words."""
    return " · ".join(
        f"[{words}]({page})"
        for key, words in pages.items()
        if (page := artifact_page(key))
    )


def artifact_key(text: str) -> str:
    """Prefect's keys are lower-case letters, digits and dashes."""
    return (
        "-".join(
            "".join(
                c if c.isascii() and c.isalnum() else " " for c in text.lower()
            ).split()
        )
        or "batch"
    )


MOST_PART_ROWS = 50
ELSEWHERE = ("waiting",)
"""Sections that the report's own artifact shows."""


async def show_figures(report: BatchReport) -> None:
    """Write the page of the report's batch, and show its figures in Prefect, which
    can't open a file.

    The run's work is done by then: a failure is logged and ignored.
    """
    try:
        markdown = await asyncio.to_thread(_written, report)
    except Exception as error:  # noqa: BLE001 - whatever it is, the orders are bought and the report is shown
        run_logger().warning(
            "No figures (%s); make them with: sourcing report %s",
            words_of(error),
            report.batch_id,
        )
        return
    key = f"figures-{artifact_key(report.batch_id)}"
    await best_effort(
        "the figures",
        acreate_markdown_artifact(
            key=key,
            markdown=markdown,
            description=f"Savings, freight, costs and times of {report.batch_id}",
        ),
    )


def _written(report: BatchReport) -> str:
    from flows.report.figures import report as figures_of
    from flows.report.page import write_page

    settings = SourcingSettings()
    told = figures_of(Path(report.snapshot_root), report.batch_id, settings.timezone)
    file = settings.data_dir.absolute() / "reports" / f"{report.batch_id}.html"
    write_page(told, settings.timezone, file)
    return markdown_figures(told, settings.timezone, file)


def markdown_figures(figures: Figures, timezone: str, file: Path) -> str:
    """The totals, each part as a table, and where the page with the charts lies."""
    from flows.report.sections import heading, moment, sections, totals

    parts = [
        part
        for part in sections(figures, timezone)
        if not part.on_paper and part.key not in ELSEWHERE
    ]
    return "\n\n".join(
        [
            f"# {inert(heading(figures))}, {moment(figures, timezone)}",
            _table(("figure", ""), totals(figures)),
            *(_part(part) for part in parts),
            f"With charts, on the machine of the worker: `{file}`. Anew: `sourcing report {figures.batch} --html FILE`",
        ]
    )


def _part(part: ReportSection) -> str:
    from flows.report.sections import rest

    table = [_table(part.columns, part.rows[:MOST_PART_ROWS])] if part.rows else []
    more = rest(part, min(len(part.rows), MOST_PART_ROWS))
    return "\n\n".join(
        filter(None, [f"## {part.title}", *map(inert, part.words), *table, more])
    )


def _table(columns: Row, rows: Sequence[Row]) -> str:
    lines = [
        map(inert, columns),
        ["---"] * len(columns),
        *(map(inert, row) for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


SWITCH_OFF = "Nothing was sent. To do it, start it again with 'Only show what would happen' switched off"


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunRow:
    """The effect on one order: what `would` be done, or `why_not`."""

    order_ref: str
    state: str
    would: str = ""
    why_not: Reason | None = None

    @property
    def words(self) -> str:
        return (
            f"{self.order_ref}: would {self.would}"
            if self.would
            else f"{self.order_ref}: not possible: {self.why_not}"
        )


async def show_dry_run(
    rows: Sequence[DryRunRow], choices: Sequence[Mapping[str, str]] = ()
) -> None:
    """Show the table of what would happen, and the `choices`, where one is to be made
    first.
    """
    for row in rows:
        run_logger().info("%s", row.words)
    run_logger().info("%s", SWITCH_OFF)
    await best_effort("what would happen", _show(rows, choices))


async def _show(
    rows: Sequence[DryRunRow], choices: Sequence[Mapping[str, str]]
) -> None:
    table = [
        {
            "order": one.order_ref,
            "would": one.would,
            "why not": str(one.why_not or ""),
            "state": one.state,
        }
        for one in rows
    ]
    await show_table("would-happen", table, SWITCH_OFF)
    if choices:
        await show_table("choices", choices, "Choose one of these")
    first_name = str(runtime.flow_run.name or "remedy").split(": ")[0]
    await rename_run(f"{first_name}: {remedy_summary(rows)}")


def remedy_summary(rows: Sequence[DryRunRow]) -> str:
    """`only shown: would confirm the receipt`, or of several `only shown: 3 orders, 1
    of them not possible`.
    """
    if len(rows) == 1:
        return f"only shown: {rows[0].words.partition(': ')[2]}"
    cant = sum(1 for row in rows if row.why_not)
    return f"only shown: {pluralize(len(rows), 'order')}{f', {cant:,} of them not possible' if cant else ''}"


def reasons_shown(options: Sequence[RefundOption]) -> list[dict[str, str]]:
    """The reasons that the marketplace takes, a row each."""
    return [
        {
            "reason": named,
            "words": option.name,
            "from": str(option.least + option.least_postage),
            "up to": str(option.most + option.most_postage),
            "picture": "needed" if option.needs_voucher else "",
        }
        for named, option in zip(reason_ids(options), options, strict=True)
    ]
