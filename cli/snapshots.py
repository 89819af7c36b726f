"""`sourcing snapshot`: list the snapshots, show one, verify, prune, and write them
again from the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from json import loads
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.failures import (
    COULD_NOT_RUN,
    NEEDS_A_PERSON,
    BadUsage,
    Json,
    agrees,
    awaited,
    command,
    settings_now,
    utc_now,
)
from cli.lazily import lazily
from domain.wording import pluralize, shorten

with lazily():
    from rich import table

    from cli import terminal
    from connectors.snapshots import (
        current,
        damage,
        manifests,
        pruning,
    )
    from connectors.xportcn import settings as xportcn
    from tasks import rebuild as rebuilding
    from tasks.engine import resources

app = typer.Typer(
    help="List the snapshots, show one, verify, prune, write them again.",
    no_args_is_help=True,
)

Id = Annotated[
    str, typer.Argument(metavar="ID", help="The snapshot's id, as `ls` shows it.")
]
KEEP_DAYS = 365


@command(app, "ls")
def list_all(*, json: Json = False) -> int:
    """All snapshots: id, batch, when, tables, rows, bytes."""
    root = _root()
    whole, broken = damage.whole_manifests(root), damage.broken_manifests(root)
    if json:
        terminal.print_json(
            {
                "snapshots": list(map(_summary, whole)),
                "damaged": list(map(asdict, broken)),
            }
        )
    elif whole:
        _show_listed(whole)
        sums = f"{sum(map(_rows, whole)):,} rows, {sum(map(_bytes, whole)):,} bytes"
        terminal.console.print(
            f"{pluralize(len(whole), 'snapshot')}, {sums} in {root}", soft_wrap=True
        )
    else:
        terminal.console.print(
            f"No snapshots in {root} yet: a run writes the first", soft_wrap=True
        )
    return _print_damage(broken)


@command(app, "show")
def show(snapshot_id: Id, *, json: Json = False) -> None:
    """The files of one snapshot."""
    root = _root()
    path = manifests.manifest_path(root, snapshot_id)
    if not path.exists():
        raise manifests.SnapshotError(
            f"there is no snapshot {snapshot_id} in {root}: see them with sourcing snapshot ls"
        )
    manifest = manifests.read_manifest(path)
    if json:
        terminal.print_json(loads(manifest.to_json()))
        return
    batch = f" of batch {manifest.batch_id}" if manifest.batch_id else ""
    title = f"Snapshot {snapshot_id}{batch}, {_when(manifest)}"
    files = table.Table("table", "rows", "bytes", "file", title=title)
    for file in manifest.files:
        files.add_row(
            file.table,
            f"{file.rows:,}",
            f"{file.bytes:,}",
            file.path,
        )
    terminal.console.print(files)


@command(app, "verify")
def verify(
    snapshot_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Only this one; else all.")
    ] = None,
    *,
    json: Json = False,
) -> int:
    """Read every byte of every file, and compare it with what was written. Changes
    nothing.
    """
    root = _root()
    found = damage.damages(root, snapshot_id)
    found += damage.damaged_state(root) if snapshot_id is None else []
    damaged = {one.snapshot_id for one in found}
    whole = [
        one
        for one in damage.whole_manifests(root)
        if one.snapshot_id not in damaged and snapshot_id in (None, one.snapshot_id)
    ]
    unnamed = (
        current.unnamed_files(root, damage.readable_manifests(root))
        if snapshot_id is None and not found
        else []
    )
    if json:
        shown = {
            "whole": sorted(one.snapshot_id for one in whole),
            "damaged": [asdict(one) for one in found],
        }
        terminal.print_json({**shown, "unnamed": [str(path) for path in unnamed]})
    else:
        files = sum(len(one.files) for one in whole)
        words = f"{pluralize(len(whole), 'snapshot')} whole: {files:,} files, {sum(map(_bytes, whole)):,} bytes"
        terminal.console.print(words)
        if unnamed:
            words = f"{pluralize(len(unnamed), 'file')} of a writer that is at work, or died: prune removes those"
            terminal.console.print(words)
    return _print_damage(found)


@command(app, "prune")
def prune(
    *,
    keep_days: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, help="Keep the history of the last N days. Else 365."
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Keep the newest N snapshots instead."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    json: Json = False,
) -> int:
    """Make one snapshot of the old ones: current rows stay, the history before goes.
    Removes what crashes left.
    """
    if keep_days is not None and keep is not None:
        raise BadUsage("give --keep-days or --keep, not both")
    root, now = _root(), utc_now()
    days = KEEP_DAYS if keep_days is None else keep_days
    old = (
        pruning.Old(keep=keep)
        if keep is not None
        else pruning.Old(before=now - timedelta(days=days))
    )
    going = old.among(manifests.list_snapshots(root))
    if going and not agrees(_question(going), yes=yes):
        return COULD_NOT_RUN
    done = pruning.prune(root, old, now)
    if json:
        terminal.print_json(asdict(done))
    elif done.dropped:
        kept = (
            f"{pluralize(done.rows, 'row')} of them went into {done.into}"
            if done.into
            else "they had no rows"
        )
        words = f"{pluralize(len(done.dropped), 'snapshot')} dropped; {kept}; {done.bytes:,} bytes are free"
        terminal.console.print(words)
    else:
        terminal.console.print(
            f"Nothing to prune{'' if keep is not None else f': nothing is older than {days} days'}"
        )
    if done.unnamed and not json:
        terminal.console.print(
            f"{pluralize(done.unnamed, 'file')} of a writer that died removed"
        )
    return 0


@command(app, "rebuild")
def rebuild(
    batch: Annotated[
        str | None,
        typer.Argument(help="Only this one; else all, and damage is mended."),
    ] = None,
    *,
    give_up: Annotated[
        bool,
        typer.Option(
            "--give-up", help="Also drop damaged files that the ledger can't give back."
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Write the snapshots of batches again, from the ledger. Asks the service nothing,
    buys nothing.
    """

    async def rebuilt() -> rebuilding.Rebuilding:
        async with resources.open_resources(
            settings_now(), xportcn.XportcnSettings()
        ) as opened:
            return await rebuilding.rebuild(opened, batch, give_up=give_up)

    done = awaited(rebuilt())
    if json:
        terminal.print_json({**asdict(done), "not_known": rebuilding.NOT_KNOWN})
    else:
        terminal.console.print(
            f"{pluralize(len(done.written), 'snapshot')} written from the ledger: {shorten(list(done.written))}",
            soft_wrap=True,
        )
        for one in done.dropped:
            what = ", ".join(one.tables) or "its manifest"
            terminal.console.print(
                f"Dropped what was damaged of {one.snapshot_id}: {what}"
            )
        terminal.console.print(rebuilding.NOT_KNOWN, soft_wrap=True)
    _print_damage(
        done.lost, "not in the ledger, and damaged still (--give-up goes without it):"
    )
    return 0 if done.all_fine else NEEDS_A_PERSON


def _print_damage(found: Sequence[damage.Damage], what: str = "damaged:") -> int:
    for one in found:
        terminal.warn(what, one.words)
    return NEEDS_A_PERSON if found else 0


def _root() -> Path:
    return settings_now().snapshot_root


def _question(going: Sequence[manifests.Manifest]) -> str:
    return (
        f"Make one snapshot of the {len(going):,} up to {_when(going[-1])} ({sum(map(_bytes, going)):,} bytes)? All "
        "current rows stay, and the history since then; the history before goes"
    )


def _show_listed(whole: Sequence[manifests.Manifest]) -> None:
    figures = ("tables", "rows", "bytes")
    rows = []
    for one in whole:
        numbers = (len(one.files), _rows(one), _bytes(one))
        told = (f"{number:,}" if number else "" for number in numbers)
        rows.append((one.snapshot_id, one.batch_id or "", _when(one), *told))
    columns, title = (
        ("snapshot", "batch", "written", *figures),
        "Snapshots, the oldest first",
    )
    terminal.console.print(terminal.table_of(columns, rows, title=title, right=figures))


def _summary(manifest: manifests.Manifest) -> dict[str, Any]:
    return {
        "snapshot_id": manifest.snapshot_id,
        "batch_id": manifest.batch_id,
        "written_at": manifest.written_at.isoformat(),
        "tables": {file.table: file.rows for file in manifest.files},
        "rows": _rows(manifest),
        "bytes": _bytes(manifest),
    }


def _when(manifest: manifests.Manifest) -> str:
    return f"{manifest.written_at:%Y-%m-%d %H:%M} UTC"


def _rows(manifest: manifests.Manifest) -> int:
    return sum(file.rows for file in manifest.files)


def _bytes(manifest: manifests.Manifest) -> int:
    return sum(file.bytes for file in manifest.files)
