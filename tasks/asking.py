"""Ask for many things side by side, over several tries of a task: what one try has found, the next does not ask for."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from connectors.concurrently import concurrently
from connectors.xportcn.errors import ContractMismatch, NotSent, ServiceAway, Unanswered, XportcnError
from domain.decisions import Verdict, held, postponed
from tasks.resources import Resources
from tasks.retrying import raise_if_it_passes

K = TypeVar("K")
V = TypeVar("V")


class Found(UserDict[K, V]):
    """What the tries of a task have found so far. No `dict`, so that Prefect does not walk it (`tasks/opaque.py`)."""


async def ask_each(
    resources: Resources, wanted: Iterable[K], ask: Callable[[K], Awaitable[V]], found: Found[K, V]
) -> None:
    """Put what each of `wanted` brings into `found`, but for those that are there.

    What was not asked since the service is away is left out. When all others are done the task is tried again for it,
    if there is another try.
    """
    away: list[ServiceAway] = []

    async def one(key: K) -> None:
        try:
            found[key] = await ask(key)
        except ServiceAway as error:
            away.append(error)

    missing = [key for key in dict.fromkeys(wanted) if key not in found]
    await concurrently(missing, one, at_once=resources.concurrency)
    if away:
        raise_if_it_passes(resources, away[0])


def not_read(what: str, error: XportcnError) -> Verdict:
    """What becomes of an order that could not be asked about: silence passes, a no or an odd answer does not."""
    words = f"{what} ({error.message})"
    passes = isinstance(error, NotSent | Unanswered) and not isinstance(error, ContractMismatch)
    return postponed(words) if passes else held(f"{words}. Run again")
