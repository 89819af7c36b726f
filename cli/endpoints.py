"""`sourcing endpoints`: the catalogue of API operations."""

from __future__ import annotations

import json

from rich.table import Table

from cli.terminal import console
from connectors.xportcn.operations import Operation, catalogue


def list_endpoints(*, everything: bool, as_json: bool) -> int:
    """Print the operations that have a number in the manual, or all; answers the exit code."""
    listed = [operation for operation in catalogue() if everything or operation.nav is not None]
    if as_json:
        print(json.dumps([_entry(operation) for operation in listed], ensure_ascii=False, indent=2))
        return 0
    table = Table("nav", "group", "title", "method", "path", "provenance", "effect", header_style="bold")
    for operation in listed:
        entry = _entry(operation)
        table.add_row(*("" if value is None else str(value) for value in entry.values()))
    console.print(table)
    return 0


def _entry(operation: Operation) -> dict[str, object]:
    return {
        "nav": operation.nav,
        "group": operation.group,
        "title": operation.title,
        "method": operation.method,
        "path": operation.path,
        "provenance": str(operation.provenance),
        "effect": operation.effect,
    }
