"""`sourcing snapshot`: write the snapshots again from the ledger."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.failures import NEEDS_A_PERSON, Json, awaited, command, settings_now
from cli.lazily import lazily
from domain.wording import pluralize, shorten

with lazily():
    from cli import terminal
    from connectors.xportcn import settings as xportcn
    from tasks import rebuild as rebuilding
    from tasks.engine import resources

app = typer.Typer(help="Write the snapshots again.", no_args_is_help=True)


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
