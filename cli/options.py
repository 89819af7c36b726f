"""Options that several commands share, and what is asked of several."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.failures import say
from domain.money import yuan

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout and nothing else there.")]
ChunkSize = Annotated[int | None, typer.Option(min=1, max=1000, help="Orders per task run.")]
Concurrency = Annotated[int | None, typer.Option(min=1, max=200, help="Calls to the service at once.")]

Encoding = Annotated[
    str, typer.Option(metavar="NAME", help="Of a text file that is neither UTF-8 nor UTF-16, such as gb18030.")
]


def is_amount(option: str, text: str | None) -> bool:
    """Whether an option is left out or is an amount in yuan; if it is neither, that is said."""
    try:
        return text is None or bool(yuan(text))
    except ValueError:
        say(f"{option} {text}: not an amount in yuan, such as 1500 or 99.50")
        return False


def as_given(amount: str | None) -> str:
    """An amount in yuan as the flows take it, empty for none."""
    return f"{yuan(amount).major:f}" if amount else ""


def is_encoding(name: str) -> bool:
    """Whether this names an encoding of text, or nothing; if it does not, that is said."""
    from connectors.request_files import check_encoding

    try:
        check_encoding(name)
    except ValueError as error:
        say(f"--encoding {error}")
        return False
    return True


def agrees(question: str, *, yes: bool) -> bool:
    """Whether a person says yes now, or said it with `--yes`. Where nobody can answer, that is said."""
    try:
        return yes or typer.confirm(question, default=False, err=True)
    except typer.Abort:
        print(file=sys.stderr)
        say("nobody answered, so nothing was done: where nobody can be asked, say yes with --yes")
        return False
