"""`sourcing callbacks`: receive what the service posts."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.failures import command, explained, settings_now, utc_now
from cli.lazily import lazily

with lazily():
    from cli import terminal
    from connectors import callbacks
    from deployments import receiver

app = typer.Typer(help="Receive what the service posts.", invoke_without_command=True)


@app.callback()
@explained
def receive(
    context: typer.Context,
    *,
    host: Annotated[
        str, typer.Option(help="Where to listen; put a proxy with TLS before it.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Without it SOURCING_CALLBACKS_PORT, else 8791."
        ),
    ] = None,
) -> None:
    """Receive what the service posts, until stopped."""
    if context.invoked_subcommand is None:
        receiver.receive(host, port)
        terminal.messages.print("Ended.")


@command(app, "token")
def token() -> None:
    """Make the secret part of the address to enter in the console. The one before stays
    valid beside it; older ones end.
    """
    with callbacks.CallbackStore(settings_now().ledger_url, clock=utc_now) as store:
        token = store.new_token()
    terminal.console.print(f"https://YOUR-HOST/callbacks/{token}", soft_wrap=True)
    terminal.messages.print(
        "Enter this in the service's console, with the name of your proxy for "
        "YOUR-HOST. It is not shown again: make another if it is lost"
    )
