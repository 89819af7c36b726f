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
    found = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Operation)
    ]
    last = {
        one.group: max(other.nav or 0 for other in found if other.group == one.group)
        for one in found
    }
    return tuple(
        sorted(found, key=lambda one: (one.nav or last[one.group], one.nav is None))
    )
