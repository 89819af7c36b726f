"""`sourcing endpoints`: the operations of the service, as they are called."""

from __future__ import annotations

from cli.terminal import console, print_json, table_of
from connectors.xportcn.operations import catalogue
from connectors.xportcn.operations.operation import Operation
from connectors.xportcn.overrides import load_overrides
from connectors.xportcn.settings import XportcnSettings

OVERRIDDEN = "(overridden)"


def list_endpoints(*, everything: bool, as_json: bool) -> int:
    """Print the operations that have a number in the manual, or all, as they are
    called; answers the exit code.
    """
    file = XportcnSettings().overrides
    overrides = load_overrides(file)
    listed = [
        operation
        for operation in catalogue()
        if everything or operation.nav is not None
    ]
    entries = [_operation_entry(overrides[operation].operation) for operation in listed]
    if as_json:
        print_json(entries)
        return 0
    for operation, entry in zip(listed, entries, strict=True):
        if operation in overrides:
            entry["provenance"] = f"{operation.provenance} {OVERRIDDEN}"
    console.print(
        table_of(
            entries[0],
            (
                ["" if value is None else str(value) for value in entry.values()]
                for entry in entries
            ),
        )
    )
    if any(operation in overrides for operation in listed):
        console.print(
            f"{OVERRIDDEN} by {file}; how well a path is known is said of the contract's",
            highlight=False,
        )
    return 0


def _operation_entry(operation: Operation) -> dict[str, object]:
    named = ("nav", "group", "title", "method", "path")
    return {name: getattr(operation, name) for name in named} | {
        "provenance": str(operation.provenance),
        "effect": operation.effect,
    }
