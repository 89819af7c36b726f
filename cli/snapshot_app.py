"""The commands of `sourcing snapshot`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.failures import Json, explained

app = typer.Typer(help="List the snapshots, show one, verify, prune, write them again.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The snapshot's id, as `ls` shows it.")]


@app.command("ls")
@explained
def list_all(*, json: Json = False) -> None:
    """All snapshots: id, batch, when, tables, rows, bytes."""
    from cli.snapshots import show_all

    raise typer.Exit(show_all(as_json=json))


@app.command("show")
@explained
def show(snapshot_id: Id, *, json: Json = False) -> None:
    """The files of one snapshot, and the rows that it rejected."""
    from cli.snapshots import show_one

    raise typer.Exit(show_one(snapshot_id, as_json=json))


@app.command("verify")
@explained
def verify_snapshots(
    snapshot_id: Annotated[str | None, typer.Argument(metavar="ID", help="Only this one; else all.")] = None,
    *,
    json: Json = False,
) -> None:
    """Read every byte of every file, and compare it with what was written. Changes nothing."""
    from cli.snapshots import verify

    raise typer.Exit(verify(snapshot_id, as_json=json))


@app.command("prune")
@explained
def prune_snapshots(
    *,
    keep_days: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Keep the history of the last N days. Else 365.")
    ] = None,
    keep: Annotated[int | None, typer.Option(metavar="N", min=0, help="Keep the newest N snapshots instead.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    json: Json = False,
) -> None:
    """Make one snapshot of the old ones: current rows stay, the history before goes. Removes what crashes left."""
    from cli.snapshots import prune

    raise typer.Exit(prune(keep_days=keep_days, keep=keep, yes=yes, as_json=json))


@app.command("arrange")
@explained
def arrange_snapshots(*, json: Json = False) -> None:
    """Move what earlier versions wrote out of the tables' folders, which then have one row a key, and mend these files.

    Columns that are gone, such as names of receivers, leave all snapshots.
    """
    from cli.snapshots import arrange

    raise typer.Exit(arrange(as_json=json))


@app.command("rebuild")
@explained
def rebuild_snapshots(
    batch: Annotated[str | None, typer.Argument(help="Only this one; else all, and damage is mended.")] = None,
    *,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Also drop damaged files that the ledger can't give back.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the snapshots of batches again, from the ledger. Asks the service nothing, buys nothing."""
    from cli.snapshots import rebuild

    raise typer.Exit(rebuild(batch, give_up=give_up, as_json=json))
