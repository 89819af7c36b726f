"""`sourcing endpoints`: the catalogue of API operations."""

from __future__ import annotations

import json

from rich.table import Table

from cli.terminal import console
from connectors.xportcn.operations import Operation, catalogue
from connectors.xportcn.overrides import Overrides, load_overrides

OVERRIDDEN = "(overridden)"


def list_endpoints(*, everything: bool, as_json: bool) -> int:
    """Print the operations that have a number in the manual, or all, as they are called; answers the exit code."""
    overrides = _overrides()
    listed = [operation for operation in catalogue() if everything or operation.nav is not None]
    if as_json:
        entries = [_entry(overrides.of(operation).operation) for operation in listed]
        print(json.dumps(entries, ensure_ascii=False, indent=2))
        return 0
    table = Table("nav", "group", "title", "method", "path", "provenance", "effect", header_style="bold")
    for operation in listed:
        entry = _entry(overrides.of(operation).operation)
        if operation in overrides:
            entry["provenance"] = f"{operation.provenance} {OVERRIDDEN}"
        table.add_row(*("" if value is None else str(value) for value in entry.values()))
    console.print(table)
    if any(operation in overrides for operation in listed):
        console.print(f"{OVERRIDDEN} by {_file()}; how well a path is known is said of the contract's", highlight=False)
    return 0


def _file() -> str:
    from connectors.settings import XportcnSettings

    return XportcnSettings().overrides


def _overrides() -> Overrides:
    return load_overrides(_file())


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
