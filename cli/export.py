"""`sourcing export`: tables of the snapshots as a file for other programs, tracking numbers as files for shops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cli.failures import BadUsage, as_usage
from cli.terminal import console, print_json
from connectors.export_formats import ExportFormat
from connectors.exports import export
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots.reader import QueryBounds
from connectors.tracking_files import waiting_words, write_tracking
from domain.wording import pluralize


def run_export(tables: Sequence[str], query: str, files: Mapping[str, Path | None], *, as_json: bool) -> int:
    """Write the one file that is named, and print what is in it; answers the exit code."""
    named = [(ExportFormat(kind), file) for kind, file in files.items() if file]
    if len(named) != 1:
        raise BadUsage("name one file: --csv, --xlsx, --parquet or --sqlite FILE")
    with as_usage():
        file, counts = export(SourcingSettings(), *named[0], tables=tables, query=query, bounds=QueryBounds())
    if as_json:
        print_json({"file": str(file), "rows": counts})
        return 0
    console.print("\n".join(f"{name}: {pluralize(count, 'row')}" for name, count in counts.items()))
    console.print(f"Wrote {file}", soft_wrap=True)
    return 0


def run_shops(*, as_json: bool) -> int:
    """Write the tracking numbers that no file for a shop has yet; answers the exit code."""
    settings = SourcingSettings()
    with Ledger(settings.ledger_url, clock=lambda: datetime.now(UTC), owner="export") as ledger:
        files = write_tracking(settings, ledger)
        waiting = waiting_words(settings, ledger)
    if as_json:
        print_json([{"file": str(file.path), "numbers": file.numbers} for file in files])
        return 0
    console.print("\n".join([*map(str, files), *waiting]) or "No shop lacks a tracking number", soft_wrap=True)
    return 0
