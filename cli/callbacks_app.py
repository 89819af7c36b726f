"""`sourcing callbacks`: receive what the service posts, and list it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.failures import Json, explained
from domain.received import CallbackKind, CallbackState

app = typer.Typer(help="Receive what the service posts, and show what it posted.", invoke_without_command=True)


@app.callback()
@explained
def receive(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="Where to listen; put a proxy with TLS before it.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Without it SOURCING_CALLBACKS_PORT, else 8791.")
    ] = None,
) -> None:
    """Receive what the service posts, and show what it posted. Without a command: receive, until stopped."""
    if context.invoked_subcommand is None:
        from cli.callbacks import receive_callbacks

        receive_callbacks(host, port)


@app.command("token")
@explained
def token(
    *,
    end_older: Annotated[
        bool, typer.Option("--end-older", help="Make none; end the one before the newest, once the console has it.")
    ] = False,
    end_all: Annotated[bool, typer.Option("--end-all", help="Make none; end all of them: no post is taken.")] = False,
) -> None:
    """Make the secret part of the address to enter in the console. The one before stays valid beside it."""
    from cli.callbacks import change_tokens

    raise typer.Exit(change_tokens(end_older=end_older, end_all=end_all))


@app.command("ls")
@explained
def ls(
    *,
    state: Annotated[CallbackState | None, typer.Option(help="Only those.")] = None,
    kind: Annotated[CallbackKind | None, typer.Option(help="Only those.")] = None,
    order_id: Annotated[str, typer.Option(metavar="ID", help="Only those about this order of the service.")] = "",
    most: Annotated[int, typer.Option(min=1, help="So many of the newest.")] = 50,
    json: Json = False,
) -> None:
    """List what was posted, the newest first, and its outcome."""
    from cli.callbacks import list_callbacks

    raise typer.Exit(list_callbacks(state=state, kind=kind, order_id=order_id, most=most, as_json=json))


@app.command("show")
@explained
def show(number: Annotated[int, typer.Argument(metavar="ID")], *, json: Json = False) -> None:
    """Show one message with its text as it was posted. Nothing in it is proven."""
    from cli.callbacks import show_callback

    raise typer.Exit(show_callback(number, as_json=json))


@app.command("replay")
@explained
def replay(
    numbers: Annotated[list[int], typer.Argument(metavar="ID...", help="Messages that are done or set aside.")],
) -> None:
    """Let messages count as new: their orders are read again within seconds. Changes nothing by itself."""
    from cli.callbacks import replay_callbacks

    raise typer.Exit(replay_callbacks(numbers))
