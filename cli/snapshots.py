"""`sourcing snapshot`: list the snapshots, show one, verify, prune, and write them again from the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.failures import COULD_NOT_RUN, NEEDS_A_PERSON, BadUsage, Json, agrees, awaited, command
from domain.wording import pluralize, shorten

if TYPE_CHECKING:
    from connectors.snapshots.damage import Damage
    from connectors.snapshots.manifests import Manifest

app = typer.Typer(help="List the snapshots, show one, verify, prune, write them again.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The snapshot's id, as `ls` shows it.")]
KEEP_DAYS = 365


@command(app, "ls")
def list_all(*, json: Json = False) -> int:
    """All snapshots: id, batch, when, tables, rows, bytes."""
    from cli.terminal import console, print_json
    from connectors.snapshots.damage import broken_manifests, whole_manifests
    from connectors.snapshots.manifests import old_files

    root = _root()
    manifests = whole_manifests(root)
    broken = broken_manifests(root)
    if json:
        print_json({"snapshots": [_summary(one) for one in manifests], "damaged": [asdict(one) for one in broken]})
    elif manifests:
        _show_listed(manifests)
        sums = f"{sum(map(_rows, manifests)):,} rows, {sum(map(_bytes, manifests)):,} bytes"
        whole = f"{pluralize(len(manifests), 'snapshot')}, {sums} in {root}"
        console.print(whole, soft_wrap=True)
        if any(old_files(root)):
            console.print("The tables' folders have all rows of all snapshots: sourcing snapshot arrange moves them")
    else:
        console.print(f"No snapshots in {root} yet: a run writes the first", soft_wrap=True)
    return _print_damage(broken)


@command(app, "show")
def show(snapshot_id: Id, *, json: Json = False) -> int:
    """The files of one snapshot, and the rows that it rejected."""
    from rich.table import Table

    from cli.terminal import MOST_SHOWN, and_more, console, print_json
    from connectors.snapshots.manifests import SnapshotError, manifest_path, read_manifest
    from connectors.snapshots.rejecting import rejected_in

    root = _root()
    path = manifest_path(root, snapshot_id)
    if not path.exists():
        raise SnapshotError(f"there is no snapshot {snapshot_id} in {root}: see them with sourcing snapshot ls")
    manifest, rejected = read_manifest(path), rejected_in(root, snapshot_id)
    if json:
        print_json({**loads(manifest.to_json()), "rejected": asdict(rejected)})
        return NEEDS_A_PERSON if rejected else 0
    batch = f" of batch {manifest.batch_id}" if manifest.batch_id else ""
    table = Table(
        "table", "rows", "bytes", "version", "file", title=f"Snapshot {snapshot_id}{batch}, {_when(manifest)}"
    )
    for file in manifest.files:
        table.add_row(file.table, f"{file.rows:,}", f"{file.bytes:,}", str(file.schema_version), file.path)
    console.print(table)
    if rejected:
        bad = Table("table", "key", "rule", "what is wrong", title=rejected.counted)
        for row in rejected.rows[:MOST_SHOWN]:
            bad.add_row(row.table, row.key, row.rule, row.message)
        console.print(bad)
        if rejected.count > MOST_SHOWN:
            console.print(and_more(rejected.count, 'sourcing sql "select * from rejected_rows"'))
    return NEEDS_A_PERSON if rejected else 0


@command(app, "verify")
def verify(
    snapshot_id: Annotated[str | None, typer.Argument(metavar="ID", help="Only this one; else all.")] = None,
    *,
    json: Json = False,
) -> int:
    """Read every byte of every file, and compare it with what was written. Changes nothing."""
    from cli.terminal import console, print_json
    from connectors.snapshots.current import unnamed_files
    from connectors.snapshots.damage import damaged_state, damages, readable_manifests, whole_manifests

    root = _root()
    found = damages(root, snapshot_id)
    found += damaged_state(root) if snapshot_id is None else []
    damaged = {one.snapshot_id for one in found}
    whole = [
        one
        for one in whole_manifests(root)
        if one.snapshot_id not in damaged and snapshot_id in (None, one.snapshot_id)
    ]
    unnamed = unnamed_files(root, readable_manifests(root)) if snapshot_id is None and not found else []
    if json:
        shown = {"whole": sorted(one.snapshot_id for one in whole), "damaged": [asdict(one) for one in found]}
        print_json({**shown, "unnamed": [str(path) for path in unnamed]})
    else:
        files = sum(len(one.files) for one in whole)
        console.print(f"{pluralize(len(whole), 'snapshot')} whole: {files:,} files, {sum(map(_bytes, whole)):,} bytes")
        if unnamed:
            console.print(
                f"{pluralize(len(unnamed), 'file')} of a writer that is at work, or died: prune removes those"
            )
    return _print_damage(found)


@command(app, "prune")
def prune(
    *,
    keep_days: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Keep the history of the last N days. Else 365.")
    ] = None,
    keep: Annotated[int | None, typer.Option(metavar="N", min=0, help="Keep the newest N snapshots instead.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    json: Json = False,
) -> int:
    """Make one snapshot of the old ones: current rows stay, the history before goes. Removes what crashes left."""
    from cli.terminal import console, print_json
    from connectors.snapshots.manifests import list_snapshots
    from connectors.snapshots.pruning import Old
    from connectors.snapshots.pruning import prune as prune_root
    from tasks.engine.resources import utc_now

    if keep_days is not None and keep is not None:
        raise BadUsage("give --keep-days or --keep, not both")
    root, now = _root(), utc_now()
    days = KEEP_DAYS if keep_days is None else keep_days
    old = Old(keep=keep) if keep is not None else Old(before=now - timedelta(days=days))
    going = old.among(list_snapshots(root))
    if going and not agrees(_question(going), yes=yes):
        return COULD_NOT_RUN
    done = prune_root(root, old, now)
    if json:
        print_json(asdict(done))
    elif done.dropped:
        kept = f"{pluralize(done.rows, 'row')} of them went into {done.into}" if done.into else "they had no rows"
        console.print(f"{pluralize(len(done.dropped), 'snapshot')} dropped; {kept}; {done.bytes:,} bytes are free")
    else:
        console.print(f"Nothing to prune{'' if keep is not None else f': nothing is older than {days} days'}")
    if done.unnamed and not json:
        console.print(f"{pluralize(done.unnamed, 'file')} of a writer that died removed")
    return 0


@command(app, "arrange")
def arrange(*, json: Json = False) -> None:
    """Move what earlier versions wrote out of the tables' folders, which then have one row a key, and mend these files.

    Columns that are gone, such as names of receivers, leave all snapshots.
    """
    from cli.terminal import console, print_json
    from connectors.snapshots.rewriting import arrange as arrange_root

    begun, root = time.monotonic(), _root()
    done = arrange_root(root)
    seconds = time.monotonic() - begun
    if json:
        print_json({**asdict(done), "seconds": round(seconds, 1)})
    else:
        counts = f"{pluralize(done.moved, 'file')} moved, {pluralize(done.rewritten, 'snapshot')} rewritten"
        words = f"{counts} in {seconds:.1f} s; each table's folder in {root} has one row a key"
        console.print(words, soft_wrap=True)


@command(app, "rebuild")
def rebuild(
    batch: Annotated[str | None, typer.Argument(help="Only this one; else all, and damage is mended.")] = None,
    *,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Also drop damaged files that the ledger can't give back.")
    ] = False,
    json: Json = False,
) -> int:
    """Write the snapshots of batches again, from the ledger. Asks the service nothing, buys nothing."""
    from cli.terminal import console, print_json, warn
    from connectors.settings import SourcingSettings
    from connectors.xportcn.settings import XportcnSettings
    from tasks.engine.resources import open_resources
    from tasks.rebuild import NOT_KNOWN, Rebuilding
    from tasks.rebuild import rebuild as rebuild_from

    async def rebuilt() -> Rebuilding:
        async with open_resources(SourcingSettings(), XportcnSettings()) as resources:
            return await rebuild_from(resources, batch, give_up=give_up)

    done = awaited(rebuilt())
    if json:
        print_json({**asdict(done), "not_known": NOT_KNOWN})
    else:
        console.print(
            f"{pluralize(len(done.written), 'snapshot')} written from the ledger: {shorten(list(done.written))}",
            soft_wrap=True,
        )
        for one in done.dropped:
            console.print(f"Dropped what was damaged of {one.snapshot_id}: {', '.join(one.tables) or 'its manifest'}")
        console.print(NOT_KNOWN, soft_wrap=True)
        if done.rejected:
            warn("rejected:", done.rejected.words)
    _print_damage(done.lost, "not in the ledger, and damaged still (--give-up goes without it):")
    return 0 if done.all_fine else NEEDS_A_PERSON


def _print_damage(found: Sequence[Damage], what: str = "damaged:") -> int:
    from cli.terminal import warn

    for one in found:
        warn(what, one.words)
    return NEEDS_A_PERSON if found else 0


def _root() -> Path:
    from connectors.settings import SourcingSettings

    return SourcingSettings().snapshot_root


def _question(going: Sequence[Manifest]) -> str:
    return (
        f"Make one snapshot of the {len(going):,} up to {_when(going[-1])} ({sum(map(_bytes, going)):,} bytes)? All "
        "current rows stay, and the history since then; the history before goes"
    )


def _show_listed(manifests: Sequence[Manifest]) -> None:
    from cli.terminal import console, table_of

    figures = ("tables", "rows", "rejected", "bytes")
    rows = []
    for one in manifests:
        bad = sum(file.rows for file in one.files if file.table == "rejected_rows")
        numbers = (len(one.files), _rows(one), bad, _bytes(one))
        told = (f"{number:,}" if number else "" for number in numbers)
        rows.append((one.snapshot_id, one.batch_id or "", _when(one), *told))
    console.print(
        table_of(("snapshot", "batch", "written", *figures), rows, title="Snapshots, the oldest first", right=figures)
    )


def _summary(manifest: Manifest) -> dict[str, Any]:
    return {
        "snapshot_id": manifest.snapshot_id,
        "batch_id": manifest.batch_id,
        "written_at": manifest.written_at.isoformat(),
        "tables": {file.table: file.rows for file in manifest.files},
        "rows": _rows(manifest),
        "bytes": _bytes(manifest),
    }


def _when(manifest: Manifest) -> str:
    return f"{manifest.written_at:%Y-%m-%d %H:%M} UTC"


def _rows(manifest: Manifest) -> int:
    return sum(file.rows for file in manifest.files)


def _bytes(manifest: Manifest) -> int:
    return sum(file.bytes for file in manifest.files)
