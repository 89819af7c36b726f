"""`sourcing snapshot`: list the snapshots, and write them again from the ledger."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.failures import NEEDS_A_PERSON, Json, awaited, command, settings_now
from cli.lazily import lazily
from domain.wording import pluralize, shorten

with lazily():
    from cli import terminal
    from connectors.snapshots import manifests
    from connectors.xportcn import settings as xportcn
    from tasks import rebuild as rebuilding
    from tasks.engine import resources

app = typer.Typer(help="List the snapshots, write them again.", no_args_is_help=True)


@command(app, "ls")
def list_all(*, json: Json = False) -> None:
    """All snapshots: id, batch, when, tables, rows, bytes."""
    root = settings_now().snapshot_root
    snapshots = [*map(_summarize, manifests.list_snapshots(root))]
    if json:
        terminal.print_json({"snapshots": snapshots})
        return
    if not snapshots:
        terminal.console.print(
            f"No snapshots in {root} yet: a run writes the first", soft_wrap=True
        )
        return
    figures = ("tables", "rows", "bytes")
    rows = []
    for snapshot in snapshots:
        numbers = (len(snapshot["tables"]), snapshot["rows"], snapshot["bytes"])
        written_at = f"{snapshot['written_at'][:16].replace('T', ' ')} UTC"
        rows.append(
            (
                snapshot["snapshot_id"],
                snapshot["batch_id"] or "",
                written_at,
                *(f"{number:,}" if number else "" for number in numbers),
            )
        )
    columns = ("snapshot", "batch", "written", *figures)
    title = "Snapshots, the oldest first"
    terminal.console.print(terminal.table_of(columns, rows, title=title, right=figures))
    row_count = sum(snapshot["rows"] for snapshot in snapshots)
    size = sum(snapshot["bytes"] for snapshot in snapshots)
    terminal.console.print(
        f"{pluralize(len(snapshots), 'snapshot')}, {row_count:,} rows, {size:,} bytes in {root}",
        soft_wrap=True,
    )


def _summarize(manifest: manifests.Manifest) -> dict[str, Any]:
    return {
        "snapshot_id": manifest.snapshot_id,
        "batch_id": manifest.batch_id,
        "written_at": manifest.written_at.isoformat(),
        "tables": {file.table: file.rows for file in manifest.files},
        "rows": sum(file.rows for file in manifest.files),
        "bytes": sum(file.bytes for file in manifest.files),
    }


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
        for damage in done.dropped:
            what = ", ".join(damage.tables) or "its manifest"
            terminal.console.print(
                f"Dropped what was damaged of {damage.snapshot_id}: {what}"
            )
        terminal.console.print(rebuilding.NOT_KNOWN, soft_wrap=True)
    for damage in done.lost:
        terminal.warn(
            "not in the ledger, and damaged still (--give-up goes without it):",
            damage.words,
        )
    return 0 if done.all_fine else NEEDS_A_PERSON
