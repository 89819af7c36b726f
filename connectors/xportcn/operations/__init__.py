"""The catalogue: every operation of the service by `docs/contract`. One module per group.

Light on purpose (no pydantic, no HTTP), so that listing it costs nothing. Models of requests and answers are bound to
operations in `connectors.xportcn.api`.
"""

from __future__ import annotations

from connectors.xportcn.operations import alibaba, basics, big_major, international, logistics, poizon, taobao
from connectors.xportcn.operations.operation import Envelope, Operation, Provenance

__all__ = ["Envelope", "Operation", "Provenance", "catalogue"]

_GROUPS = (taobao, alibaba, basics, logistics, international, big_major, poizon)


def catalogue() -> tuple[Operation, ...]:
    """All operations, group by group. Read from the modules, so that an entry can't be left out."""
    return tuple(value for group in _GROUPS for value in vars(group).values() if isinstance(value, Operation))
