"""The flow that writes tables as files for other programs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect.artifacts import acreate_link_artifact

from connectors.export_formats import ExportFormat
from connectors.exports import export
from connectors.settings import SourcingSettings
from connectors.snapshots.reader import QueryBounds
from domain.wording import pluralize
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    run_logger,
    sourcing_flow,
)
from flows.prefect_ui.parameters import (
    ExportedFile,
    ExportedFormat,
    ExportedQuery,
    ExportedTables,
    in_words,
)
from flows.prefect_ui.remedy_parameters import NO_TEXTS


@sourcing_flow("export of tables")
async def export_tables(
    tables: ExportedTables = NO_TEXTS,
    query: ExportedQuery = "",
    kind: ExportedFormat = ExportFormat.XLSX,
    file: ExportedFile = "",
) -> str:
    """Write tables of the snapshots, or the answer to a query, into a file on the
    worker's machine.

    Amounts are in their currency, times in SOURCING_TIMEZONE, ids are text. Asks the
    service nothing.
    """

    settings = SourcingSettings()
    target = settings.data_dir / "exports" / file if file else None

    def write() -> tuple[Path, dict[str, int]]:
        return export(
            settings, kind, target, tables=tables, query=query, bounds=QueryBounds()
        )

    path, counts = await asyncio.to_thread(in_words, "What to export", write)
    message = ", ".join(
        f"{name}: {pluralize(count, 'row')}" for name, count in counts.items()
    )
    await _link(path.absolute(), f"{path}: {message}")
    await rename_run(f"export: {path.name}")
    return str(path)


async def _link(path: Path, message: str) -> None:
    run_logger().info("%s", message)
    link = acreate_link_artifact(
        path.as_uri(), path.name, key="export", description=message
    )
    await best_effort("the link", link)
