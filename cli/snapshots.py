"""`sourcing snapshot`: list the snapshots, and write the tables again from the
ledger.
"""

from __future__ import annotations

import typer

from cli.failures import Json, command, settings_now
from cli.lazily import lazily
from domain.wording import pluralize

with lazily():
    from cli import terminal
    from connectors.ledger import store
    from connectors.snapshots import reader
    from tasks import snapshot
    from tasks.engine import resources

app = typer.Typer(help="List the snapshots, write them again.", no_args_is_help=True)
COLUMNS = ("snapshot", "written", "tables", "rows", "bytes")


@command(app, "ls")
def list_all(*, json: Json = False) -> None:
    """All snapshots of the history: id, when, tables, rows, bytes."""
    root = settings_now().snapshot_root
    snapshots = reader.snapshots_table(root).to_pylist()
    if json:
        for snapshot in snapshots:
            snapshot["written_at"] = (
                snapshot["written_at"] and snapshot["written_at"].isoformat()
            )
        terminal.print_json({"snapshots": snapshots})
        return
    rows = [
        (
            snapshot["snapshot_id"],
            f"{snapshot['written_at']:%Y-%m-%d %H:%M} UTC"
            if snapshot["written_at"]
            else "",
            f"{len(snapshot['tables'])}",
            f"{snapshot['rows']:,}",
            f"{snapshot['bytes']:,}",
        )
        for snapshot in snapshots
    ]
    title = "Snapshots, the oldest first"
    if rows:
        terminal.console.print(
            terminal.table_of(COLUMNS, rows, title=title, right=COLUMNS[2:])
        )
    what = pluralize(len(rows), "snapshot") if rows else "No snapshots"
    terminal.console.print(f"{what} in {root}", soft_wrap=True)


@command(app, "rebuild")
def rebuild(*, json: Json = False) -> None:
    """Write the tables again, from the ledger. Asks the service nothing, buys
    nothing.
    """
    settings = settings_now()
    with store.Ledger(
        settings.ledger_url, clock=resources.utc_now, owner="rebuild"
    ) as ledger:
        written = snapshot.rebuild(ledger, settings)
    if json:
        terminal.print_json({"snapshot_id": written, "not_known": snapshot.NOT_KNOWN})
        return
    terminal.console.print(
        f"Written from the ledger: {written or 'it has no orders'}. {snapshot.NOT_KNOWN}",
        soft_wrap=True,
    )
