"""`sourcing ledger`: back the ledger up, verify and restore it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.failures import (
    COULD_NOT_RUN,
    NEEDS_A_PERSON,
    Json,
    agrees,
    command,
    say,
    settings_now,
    utc_now,
)
from cli.lazily import lazily
from domain.wording import pluralize

with lazily():
    from cli import status, terminal
    from connectors.ledger import (
        backup,
        engine,
        send_log,
        verify,
    )

app = typer.Typer(
    help="Back the ledger up, check it, put a backup back.",
    no_args_is_help=True,
)

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
SHOWN_FAULTS = 50
DAMAGED = "Buy nothing with this file. Keep it as it is and put a backup in its place: sourcing ledger restore FILE"
NOT_AS_WRITTEN = (
    "Don't mend rows by hand. Keep a backup of the ledger as it is, compare with the service: sourcing reconcile, "
    "and report the faults"
)


@command(app, "backup")
def backup_ledger(
    file: Annotated[
        Path,
        typer.Argument(help="A new file, or a folder: then it is named by the time."),
    ],
) -> None:
    """Write a consistent backup, also while runs go on. Never overwrites anything."""
    written = backup.backup(settings_now().ledger_url, file, utc_now())
    terminal.console.print(
        f"{written} ({written.stat().st_size:,} bytes)", soft_wrap=True
    )


@command(app, "verify")
def verify_ledger(
    file: Annotated[
        Path | None, typer.Argument(help="A backup; without it the ledger in use.")
    ] = None,
    *,
    json: Json = False,
) -> int:
    """Check that the ledger, or a backup, is whole and says nothing that can't be.
    Changes nothing.
    """
    verdict = verify.verify(
        f"sqlite:///{file.absolute()}" if file else settings_now().ledger_url
    )
    terminal.print_json(asdict(verdict)) if json else _print_verdict(verdict)
    return NEEDS_A_PERSON if verdict.faults else 0


@command(app, "restore")
def restore_ledger(
    file: Annotated[Path, typer.Argument(help="A backup of `sourcing ledger backup`.")],
    *,
    yes: Yes = False,
) -> None:
    """Put a backup in the ledger's place. It buys nothing until `sourcing confirm`."""
    settings = settings_now()
    url = settings.ledger_url
    if runs := send_log.living(settings.data_dir / "sends"):
        say(f"a run is at work ({', '.join(runs)}): end it, then restore")
        raise typer.Exit(COULD_NOT_RUN)
    question = f"Put {file} in the place of {engine.shown(url)}? It has forgotten what was bought since."
    if not agrees(question, yes=yes):
        raise typer.Exit(COULD_NOT_RUN)
    path = backup.restore(url, file, now=utc_now(), by=terminal.person())
    if path:
        terminal.messages.print(f"What was there is kept as {path}", soft_wrap=True)
    with status.open_ledger() as ledger:
        message = ledger.marks.restored()
    terminal.messages.print(
        f"The ledger {message}.\n"
        "It knows nothing of what was bought, paid or booked after that backup, so it buys nothing now.\n"
        "1. sourcing reconcile        lists what the service has and this ledger does not\n"
        "2. sourcing resolve ORDER …  takes such orders on, one by one\n"
        "3. sourcing confirm          lets it buy again, once lists show all that was sent before: at "
        f"{utc_now() + settings.listed_within:%H:%M:%S} UTC",
        highlight=False,
    )


def _print_rows(rows: dict[str, int]) -> None:
    terminal.console.print(
        ", ".join(f"{count:,} {name}" for name, count in rows.items()), highlight=False
    )


def _print_verdict(verdict: verify.Verification) -> None:
    if not verdict.faults:
        _print_rows(dict(verdict.rows))
        terminal.console.print("No faults")
        return
    rows = (
        (fault.table, fault.row, fault.words) for fault in verdict.faults[:SHOWN_FAULTS]
    )
    title = pluralize(len(verdict.faults), "fault")
    terminal.console.print(
        terminal.table_of(("table", "row", "fault"), rows, title=title)
    )
    if len(verdict.faults) > SHOWN_FAULTS:
        terminal.console.print(
            f"and {len(verdict.faults) - SHOWN_FAULTS} more: sourcing ledger verify --json"
        )
    is_damaged = any(fault.table == "" for fault in verdict.faults)
    terminal.console.print(DAMAGED if is_damaged else NOT_AS_WRITTEN, soft_wrap=True)
