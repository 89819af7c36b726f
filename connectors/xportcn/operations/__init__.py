"""The catalogue: every operation of the service by `docs/contract`, each declared once.
One module per group.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from connectors.xportcn.operations.operation import Operation


@cache
def catalogue() -> tuple[Operation, ...]:
    """All operations by number, those without one at the end of their group. A module
    is found, never listed.
    """
    modules = [
        import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)
    ]
    operations = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Operation)
    ]
    last = {
        operation.group: max(
            other.nav or 0 for other in operations if other.group == operation.group
        )
        for operation in operations
    }
    return tuple(
        sorted(
            operations,
            key=lambda operation: (
                operation.nav or last[operation.group],
                operation.nav is None,
            ),
        )
    )
