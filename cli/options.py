"""Options that several commands share, and the checks of their values."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.failures import BadUsage, say
from domain.follow_ups import moment_of
from domain.money import Money, yuan
from domain.report import BATCH_ID

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout and nothing else there.")]
ChunkSize = Annotated[int | None, typer.Option(min=1, max=1000, help="Orders per task run.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until what got no answer can be read again, and finish it.")]
Concurrency = Annotated[int | None, typer.Option(min=1, max=200, help="Calls to the service at once.")]

BatchName = Annotated[str | None, typer.Option(help="Name of the batch; the same name goes on with it.")]
AnsweredBy = Annotated[str | None, typer.Option(metavar="NAME", help="Who says so; without it user and host.")]
Encoding = Annotated[
    str, typer.Option(metavar="NAME", help="Of a text file that is neither UTF-8 nor UTF-16, such as gb18030.")
]
DoneBy = Annotated[
    str, typer.Option(metavar="TIME", help="Begin nothing after this time, such as 06:00 or '2026-11-26 06:00'.")
]


def amount_of(option: str, text: str | None) -> str:
    """An amount in yuan as the flows take it; empty where the option is left out. Raises `BadUsage`."""
    return "" if text is None else f"{money_of(option, text).major:f}"


def money_of(option: str, text: str) -> Money:
    """An amount in yuan. Raises `BadUsage`."""
    try:
        return yuan(text)
    except ValueError as error:
        raise BadUsage(f"{option} {text}: not an amount in yuan, such as 1500 or 99.50") from error


def require_encoding(name: str) -> None:
    """Raise `BadUsage` unless this names an encoding of text, or nothing."""
    from connectors.request_files import check_encoding

    try:
        check_encoding(name)
    except ValueError as error:
        raise BadUsage(f"--encoding {error}") from error


def require_time(done_by: str) -> None:
    """Raise `BadUsage` unless this is a time to be done by, or nothing."""
    try:
        moment_of(done_by, datetime.now(UTC), "UTC")
    except ValueError as error:
        raise BadUsage(f"--done-by {error}") from error


def require_batch_name(name: str | None) -> None:
    """Raise `BadUsage` for a text that can't name a batch, which is also a file name."""
    if name is not None and not BATCH_ID.fullmatch(name):
        words = "use up to 100 letters, digits, '.', '_' and '-', the first a letter or digit"
        raise BadUsage(f"--batch {name}: {words}")


def agrees(question: str, *, yes: bool) -> bool:
    """Whether a person agrees now, or did with `--yes`. Where no person can answer, that is printed."""
    try:
        return yes or typer.confirm(question, default=False, err=True)
    except typer.Abort:
        print(file=sys.stderr)
        say("no answer came, so nothing was done: without a terminal, say yes with --yes")
        return False
