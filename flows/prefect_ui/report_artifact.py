"""The figures of a batch at the end of a deployed run: as an artifact, and as a page in the data folder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.artifacts import acreate_markdown_artifact

from connectors.foreign import words_of
from connectors.settings import SourcingSettings
from domain.report import BatchReport
from flows.prefect_ui.artifacts import artifact_key
from flows.prefect_ui.expected_errors import run_logger
from flows.prefect_ui.inert import inert
from flows.prefect_ui.progress import best_effort

if TYPE_CHECKING:
    from flows.report.figures import Figures
    from flows.report.sections import ReportSection, Row

MOST_ROWS = 50
ELSEWHERE = ("waiting",)
"""Sections that the report's own artifact shows."""


async def show_figures(report: BatchReport) -> None:
    """Write the page of the report's batch, and show its figures in Prefect, which can't open a file.

    The run's work is done by then: a failure is logged and ignored.
    """
    try:
        markdown = await asyncio.to_thread(_written, report)
    except Exception as error:  # noqa: BLE001 - whatever it is, the orders are bought and the report is shown
        run_logger().warning("No figures (%s); make them with: sourcing report %s", words_of(error), report.batch_id)
        return
    key = f"figures-{artifact_key(report.batch_id)}"
    await best_effort(
        "the figures",
        acreate_markdown_artifact(
            key=key, markdown=markdown, description=f"Savings, freight, costs and times of {report.batch_id}"
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

    parts = [part for part in sections(figures, timezone) if not part.on_paper and part.key not in ELSEWHERE]
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

    table = [_table(part.columns, part.rows[:MOST_ROWS])] if part.rows else []
    more = rest(part, min(len(part.rows), MOST_ROWS))
    return "\n\n".join(filter(None, [f"## {part.title}", *map(inert, part.words), *table, more]))


def _table(columns: Row, rows: Sequence[Row]) -> str:
    lines = [map(inert, columns), ["---"] * len(columns), *(map(inert, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
