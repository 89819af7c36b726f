"""`sourcing endpoints`: the catalogue of API operations."""

from __future__ import annotations

from cli.terminal import console, print_json, table_of
from connectors.xportcn.operations import Operation, catalogue
from connectors.xportcn.overrides import load_overrides

OVERRIDDEN = "(overridden)"


def list_endpoints(*, everything: bool, as_json: bool) -> int:
    """Print the operations that have a number in the manual, or all, as they are called; answers the exit code."""
    from connectors.settings import XportcnSettings

    file = XportcnSettings().overrides
    overrides = load_overrides(file)
    listed = [operation for operation in catalogue() if everything or operation.nav is not None]
    entries = [_entry(overrides.of(operation).operation) for operation in listed]
    if as_json:
        print_json(entries)
        return 0
    for operation, entry in zip(listed, entries, strict=True):
        if operation in overrides:
            entry["provenance"] = f"{operation.provenance} {OVERRIDDEN}"
    console.print(
        table_of(entries[0], (["" if value is None else str(value) for value in entry.values()] for entry in entries))
    )
    if any(operation in overrides for operation in listed):
        console.print(f"{OVERRIDDEN} by {file}; how well a path is known is said of the contract's", highlight=False)
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
