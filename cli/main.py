"""`sourcing`: every command of the product. Heavy parts are imported by the commands
that need them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from cli import after_sale, book, callbacks, ledger, snapshots
from cli.answers import confirm, resolve
from cli.call import call
from cli.doctor import doctor
from cli.export import costs, export, sql
from cli.failures import Json, as_usage, command
from cli.lazily import lazily
from cli.notify import notify
from cli.pause import pause, resume
from cli.reading import catalog, reconcile, track
from cli.results import forget, report
from cli.run import finish, run
from cli.search import search
from cli.serve import page, serve
from cli.status import status, todo

with lazily():
    from cli import operations, terminal

app = typer.Typer(
    name="sourcing",
    help="Buy on Chinese marketplaces through the Xportcn OpenAPI and ship abroad: nothing twice, nothing unapproved.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def show_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's own form
    """Print it, and do nothing else."""
    if wanted:
        from sourcing.version import version

        typer.echo(f"sourcing {version()}")
        raise typer.Exit


@app.callback()
def common(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=show_version,
            help="Show the version, then end.",
        ),
    ] = False,
) -> None:
    """Options that go before a command."""


def endpoints(
    *,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Also operations that have no number in the manual."
        ),
    ] = False,
    json: Json = False,
) -> int:
    """List the API operations with path and provenance."""
    return operations.list_endpoints(everything=everything, as_json=json)


def sandbox(
    *,
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 is any free one.")] = 8790,
    seed: Annotated[int, typer.Option(help="Another seed is another catalogue.")] = 7,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Keep the books in this file; without it they live in memory."
        ),
    ] = None,
    dialect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Deviate from the written contract as this dialect says; may be repeated.",
        ),
    ] = None,
    callbacks: Annotated[
        str,
        typer.Option(
            metavar="URL", help="Post the service's messages to this address."
        ),
    ] = "",
    dialects: Annotated[
        bool, typer.Option("--dialects", help="List the dialects, then end.")
    ] = False,
) -> None:
    """Run a stand-in for the Xportcn service, with its own books."""
    from sandbox.server import list_dialects, serve

    if dialects:
        list_dialects()
    else:
        serve(host, port, seed, state, dialect or (), callbacks)


def template(
    file: Annotated[
        Path, typer.Argument(help="Where to write it: .xlsx or .csv.")
    ] = Path("requests.xlsx"),
) -> None:
    """Write an empty request file with an example row."""
    from connectors.request_files.template import (
        write_template,
    )  # its package loads all that reads files

    with as_usage():
        write_template(file)
    message = f"Wrote {file}: write your lines over the example row, then: sourcing run {file} --dry-run"
    terminal.console.print(message, soft_wrap=True)


def _list(listed: typer.Typer, *commands: Callable[..., int | None]) -> typer.Typer:
    """The commands in the order of the help."""
    for entry in commands:
        command(listed)(entry)
    return listed


_list(
    app,
    run,
    finish,
    track,
    reconcile,
    status,
    resolve,
    sql,
    search,
    catalog,
    endpoints,
    call,
    sandbox,
    serve,
    page,
    notify,
)
_list(app, confirm, todo, pause, resume, template, doctor)
app.add_typer(after_sale.app)
app.add_typer(_list(typer.Typer(), costs, report, export, forget))
app.add_typer(book.app, name="book")
app.add_typer(callbacks.app, name="callbacks")
app.add_typer(snapshots.app, name="snapshot")
app.add_typer(ledger.app, name="ledger")


def main() -> None:
    """The console script."""
    app(refs_last(sys.argv[1:]))


def refs_last(arguments: list[str]) -> list[str]:
    """The arguments with references such as `-1001` behind a `--`, unless they are the
    value of an option.

    What follows one, up to an option, goes with it: it may be another argument of the
    command.
    """
    first_arguments = arguments[:1]
    last = list[str]()
    is_last = False
    for before, entry in [] if "--" in arguments else pairwise(arguments):
        is_ref = re.fullmatch("-[0-9][A-Za-z0-9._-]*", entry) and not before.startswith(
            "--"
        )
        is_last = bool(is_ref) or (is_last and not entry.startswith("-"))
        (last if is_last else first_arguments).append(entry)
    return [*first_arguments, "--", *last] if last else arguments


if __name__ == "__main__":
    main()
