"""Options that commands share, and failures as one clear message and an exit code."""

from __future__ import annotations

import errno
import functools
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from cli.lazily import lazily
from connectors.foreign import shut, shut_logs, words_of
from domain.after_sale import RefundFault
from domain.follow_ups import moment_of
from domain.money import Money, yuan
from domain.report import BATCH_ID
from domain.request_remarks import BadInput, BadRequests

with lazily():
    from connectors import settings
    from connectors.ledger import engine
    from connectors.snapshots import files
    from connectors.xportcn import errors
    from deployments import local_server

COULD_NOT_RUN = 1
BAD_USAGE = 2
NEEDS_A_PERSON = 3
INTERRUPTED = 130

P = ParamSpec("P")
R = TypeVar("R")


class BadUsage(Exception):
    """Options that can't be followed; the message says what can. Nothing was begun."""


@contextmanager
def as_usage(option: str = "") -> Iterator[None]:
    """Raise `BadUsage` for a `ValueError`: the value of the option, which is named,
    can't be used.
    """
    try:
        yield
    except ValueError as error:
        message = str(error) if type(error) is ValueError else words_of(error)
        raise BadUsage(f"{option} {message}".lstrip()) from error


_NOT_ALLOWED = "make it readable and writable for this user, or set SOURCING_DATA_DIR to a folder that is"
_OF_ANOTHER_KIND = "a folder is needed where a file is, or the other way round: move it away, or name another place"
_NO_ROOM = "free some disk space"
REMEDIES = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _NOT_ALLOWED),
    **dict.fromkeys((errno.ENOTDIR, errno.EISDIR, errno.EEXIST), _OF_ANOTHER_KIND),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _NO_ROOM),
}
"""What to do about the errors of files that any command may meet."""


def command(
    app: typer.Typer, name: str | None = None
) -> Callable[[Callable[P, int | None]], Callable[P, None]]:
    """Register a function as a command, `explained`."""
    return lambda function: app.command(name)(explained(function))


def explained(command: Callable[P, int | None]) -> Callable[P, None]:
    """A command that ends with the exit code it returns, 0 for None.

    Its expected failures end in a message, not a traceback. Unexpected ones keep
    theirs.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        shut_logs()
        try:
            if code := command(*args, **kwargs):
                raise typer.Exit(code)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            say("interrupted; nothing is lost: run the same command again to go on")
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:  # noqa: BLE001 - a defect is raised again
            code = exit_code_of(error)
            if code is None:
                raise shut(error) from None
            say(_message_of(error))
            raise typer.Exit(code) from None

    return wrapped


def awaited(work: Coroutine[Any, Any, R]) -> R:
    """What this work answers, without a flow."""
    import asyncio

    return asyncio.run(work)


def settings_now() -> settings.SourcingSettings:
    """The settings, as environment and `.env` have them."""
    return settings.SourcingSettings()


def utc_now() -> datetime:
    return datetime.now(UTC)


def say(message: str) -> None:
    """One message to stderr."""
    print(f"sourcing: {message}", file=sys.stderr)


def _message_of(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.errno in REMEDIES:
        return f"{_at_fault(Path(str(error.filename)))} can't be used ({error.strerror}): {REMEDIES[error.errno]}"
    return (
        f"{error}: see them with --json"
        if isinstance(error, BadRequests) and error.unlisted
        else words_of(error)
    )


def _at_fault(path: Path) -> Path:
    """The path that an error is about, or the file above it that should be a folder."""
    return next((above for above in path.parents if above.is_file()), path)


def exit_code_of(error: Exception) -> int | None:
    """The exit code for a failure that a person can act on; None for a defect."""
    from pydantic import ValidationError

    from connectors.request_files import UnreadableFile

    of_usage = (BadInput, BadUsage, BadRequests, RefundFault, UnreadableFile)
    if isinstance(error, of_usage):
        return BAD_USAGE
    of_settings = (ValidationError, settings.BadSetting, settings.MissingSetting)
    of_runs = (
        engine.LedgerUnusable,
        OSError,
        local_server.ServerFailed,
        files.SnapshotError,
        errors.XportcnError,
    )
    return COULD_NOT_RUN if isinstance(error, (*of_settings, *of_runs)) else None


Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON document to stdout and nothing else there."
    ),
]
ChunkSize = Annotated[
    int | None, typer.Option(min=1, max=1000, help="Orders per task run.")
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait", help="Wait until what got no answer can be read again, and finish it."
    ),
]
Concurrency = Annotated[
    int | None, typer.Option(min=1, max=200, help="Calls to the service at once.")
]

BatchName = Annotated[
    str | None, typer.Option(help="Name of the batch; the same name goes on with it.")
]
Encoding = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Of a text file that is neither UTF-8 nor UTF-16, such as gb18030.",
    ),
]
DoneBy = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="Begin nothing after this time, such as 06:00 or '2026-11-26 06:00'.",
    ),
]


def amount_of(option: str, text: str | None) -> str:
    """An amount in yuan as the flows take it; empty where the option is left out.
    Raises `BadUsage`.
    """
    return "" if text is None else f"{money_of(option, text).major:f}"


def money_of(option: str, text: str, *, least: int = 1) -> Money:
    """An amount in yuan. Raises `BadUsage`."""
    with as_usage(option):
        return yuan(text, least=least)


def require_encoding(name: str) -> None:
    """Raise `BadUsage` unless this names an encoding of text, or nothing."""
    from connectors.request_files import check_encoding

    with as_usage("--encoding"):
        check_encoding(name)


def require_time(done_by: str) -> None:
    """Raise `BadUsage` unless this is a time to be done by, or nothing."""
    with as_usage("--done-by"):
        moment_of(done_by, utc_now(), "UTC")


def require_batch_name(name: str | None) -> None:
    """Raise `BadUsage` for a text that can't name a batch, which is also a file
    name.
    """
    if name is not None and not BATCH_ID.fullmatch(name):
        message = "use up to 100 letters, digits, '.', '_' and '-', the first a letter or digit"
        raise BadUsage(f"--batch {name}: {message}")


def agrees(question: str, *, yes: bool) -> bool:
    """Whether a person agrees now, or did with `--yes`. Where no person can answer,
    that is printed.
    """
    try:
        return yes or typer.confirm(question, default=False, err=True)
    except typer.Abort:
        print(file=sys.stderr)
        say(
            "no answer came, so nothing was done: without a terminal, say yes with --yes"
        )
        return False
