"""`sourcing drop`: lay aside what is not wanted any more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cli.failures import BAD_USAGE, NEEDS_A_PERSON, say
from cli.status import open_ledger
from cli.terminal import console, person, print_json, warn
from connectors.settings import SourcingSettings
from flows.answers.dropping import NOTHING_NAMED, dropped
from tasks.snapshot import LedgerAlone


def drop_orders(order_refs: Sequence[str], batch: str, why: str, by: str | None, *, as_json: bool) -> int:
    """Close orders of which nothing was begun; 3 when one stays as it is."""
    with open_ledger() as ledger:
        source = LedgerAlone(ledger, SourcingSettings())
        done = asyncio.run(dropped(source, order_refs, batch, by=by or person(), why=why))
    if done is None:
        say(NOTHING_NAMED)
        return BAD_USAGE
    if as_json:
        print_json({"dropped": list(done.dropped), "stay": {ref: str(reason) for ref, reason in done.stay.items()}})
    else:
        console.print(done.words, highlight=False)
    for ref, reason in done.stay.items():
        warn("stays:", f"{ref}: {reason}")
    return NEEDS_A_PERSON if done.stay else 0
