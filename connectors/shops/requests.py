"""Orders that wait in a shop, as a request file in the inbox: where receivers' data lies, and `forget` reaches it."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from connectors.durable import whole
from connectors.ledger.overview import standing_of
from connectors.ledger.store import Ledger
from connectors.shop_files import profiles_in
from connectors.shops.protocol import WaitingLine
from domain.cells import csv_cell


def write_requests(ledger: Ledger, data_dir: Path, inbox: Path, name: str, lines: Sequence[WaitingLine]) -> int:
    """Write the lines of orders that the ledger does not know, in place of a file that was not taken yet.

    Answers how many orders these are. A run that has one of them in hand buys it once: orders have their names.
    """
    profile = next(one for one in profiles_in(data_dir) if one.header[0] == f"{name} order")
    refs = {one.order: profile.ref_of(one.order) for one in lines}
    known = _known(ledger, refs.values())
    rows = [asdict(one) for one in lines if refs[one.order] not in known]
    path = inbox / f"read-from-{name}.csv"
    if not rows:
        path.unlink(missing_ok=True)
        return 0
    head = [f"{name} order", *list(rows[0])[1:]]
    with whole(path) as unfinished, unfinished.open("w", encoding="utf-8-sig", newline="") as file:
        written = csv.writer(file)
        written.writerow(head)
        written.writerows([csv_cell(str(cell)) for cell in row.values()] for row in rows)
    return len({row["order"] for row in rows})


def _known(ledger: Ledger, refs: Collection[str]) -> set[str]:
    """Those of these orders that the ledger has, whole or in parts, or whose receiver is to be forgotten."""
    return {*standing_of(ledger, order_refs=refs), *ledger.parts.of(refs), *ledger.forgotten.known(refs)}
