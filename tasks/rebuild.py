"""Write snapshots again from the ledger, and free the others of files that are
damaged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from connectors.durable import exclusive
from connectors.ledger.engine import chunked
from connectors.ledger.marks import refused_for
from connectors.ledger.overview import every_batch
from connectors.ledger.store import Ledger
from connectors.snapshots.current import mend
from connectors.snapshots.manifests import (
    REMEDY,
    WORK,
    SnapshotDamaged,
    SnapshotError,
    manifest_paths,
    read_manifest,
    verify_file,
)
from connectors.snapshots.tables.parcels import TRACKING_EVENTS
from connectors.snapshots.tables.table import Row
from connectors.snapshots.writer import drop_tables
from tasks.engine.resources import Resources
from tasks.snapshot import ORDERS_A_PART, Slices, snapshot_orders, write

REBUILT = "{}-rebuilt"
KNOWN = frozenset(
    {
        *(
            "orders",
            "order_lines",
            "payments",
            "freight_quotes",
            "shipments",
            "shipment_items",
            "outcomes",
        ),
        *("tracking_events", "refunds", "refund_events"),
    }
)
"""Tables whose current rows are all in the ledger; of the others it has the rows of a
batch's orders.
"""
NOT_KNOWN = (
    "Not in the ledger, and so not rebuilt: offers of the catalogue, dry runs, reconciliations, landed costs, and how "
    "orders stood before"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One damage of a snapshot. `tables` are those that can't be read; empty for
    all.
    """

    snapshot_id: str
    tables: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilding:
    """Which snapshots were written anew, and which damaged files of others were
    dropped.

    `lost` is what stays damaged: the ledger does not have it.
    """

    written: Sequence[str]
    dropped: Sequence[Damage] = ()
    lost: Sequence[Damage] = ()

    @property
    def all_fine(self) -> bool:
        """Whether all snapshots are whole again."""
        return not self.lost


async def rebuild(
    resources: Resources, batch_id: str | None, *, give_up: bool = False
) -> Rebuilding:
    """Write the snapshot of a batch, or of every one, as its runs do, and what the
    ledger knows of parcels and refunds.

    Without a batch, damaged files of other snapshots are looked for too; to `give_up`
    drops also those that the ledger can't give back. Raises `SnapshotError` for an
    unknown batch, and `LedgerUnusable` for a ledger that was restored: the snapshots
    may know of payments that it does not.
    """
    if words := resources.ledger.marks.restored():
        raise refused_for(words, resources.ledger.shown)
    batches, root = every_batch(resources.ledger), resources.settings.snapshot_root
    if batch_id is not None and batch_id not in batches:
        raise SnapshotError(
            f"the ledger knows no batch {batch_id}; without a name all batches are rebuilt"
        )
    written: list[str] = []
    for name in [batch_id] if batch_id is not None else batches:
        written.append(await snapshot_orders(resources, name, batches[name]))
        written += await _followed(resources, name)
    dropped, lost = (
        ([], [])
        if batch_id is not None
        else await asyncio.to_thread(_free_of_damage, root, give_up=give_up)
    )
    return Rebuilding(written=written, dropped=dropped, lost=lost)


async def _followed(resources: Resources, batch_id: str) -> list[str]:
    """The tracking snapshot of a batch's orders; none where these have no scan."""
    as_of, refs = resources.clock(), resources.ledger.refs_in(batch_id)
    parts = _followed_tables(resources.ledger, refs)
    if (first := next(parts, None)) is None:
        return []
    tables = Slices(lambda: chain([first], parts))
    name = REBUILT.format(batch_id)
    return [await write(resources, name, tables, batch_id=batch_id, as_of=as_of)]


def _followed_tables(
    ledger: Ledger, order_refs: Sequence[str]
) -> Iterator[Mapping[str, Sequence[Row]]]:
    for some in chunked(order_refs, ORDERS_A_PART):
        if events := ledger.tracking.listed(order_refs=some):
            yield {"tracking_events": [TRACKING_EVENTS.row(event) for event in events]}


def _free_of_damage(root: Path, *, give_up: bool) -> tuple[list[Damage], list[Damage]]:
    """Drop damaged files, most of whose rows have just been written anew, and mend the
    current state; answers those, and those still damaged.
    """
    with exclusive(root / WORK):  # no snapshot is replaced meanwhile
        damages = list(find_damage(root))
    dropped = [
        damage
        for damage in damages
        if give_up or (damage.tables and KNOWN.issuperset(damage.tables))
    ]
    for damage in dropped:
        drop_tables(root, damage.snapshot_id, damage.tables)
    with suppress(SnapshotDamaged):  # by what stays damaged
        mend(root)
    return dropped, [damage for damage in damages if damage not in dropped]


def find_damage(root: Path) -> Iterator[Damage]:
    """Compare every file with its manifest."""
    for path in sorted(manifest_paths(root)):
        damage = partial(Damage, snapshot_id=path.stem)
        try:
            manifest = read_manifest(path)
        except SnapshotDamaged as error:
            yield damage(tables=(), words=str(error))
            continue
        if manifest.snapshot_id != path.stem:  # its files belong to the other snapshot
            other = f"is the manifest of snapshot {manifest.snapshot_id}"
            yield damage(
                tables=(), words=f"{path} {other}, under another name; {REMEDY}"
            )
            continue
        for file in manifest.files:
            try:
                verify_file(root, manifest, file)
            except SnapshotDamaged as error:
                yield damage(tables=(file.table,), words=str(error))
