"""`sourcing callbacks`: receive what the service posts, and show what it posted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from cli.failures import (
    COULD_NOT_RUN,
    Json,
    command,
    explained,
    say,
    settings_now,
    utc_now,
)
from cli.lazily import lazily
from connectors.foreign import clean, shortened
from domain.received import CallbackKind, CallbackState
from domain.wording import pluralize, shorten

with lazily():
    from rich import text

    from cli import terminal
    from connectors.callbacks import schema, store
    from deployments import receiver

app = typer.Typer(
    help="Receive what the service posts, and show what it posted.",
    invoke_without_command=True,
)

COLOURS: dict[str, str] = {
    CallbackState.WAITING: "cyan",
    CallbackState.TAKEN: "cyan",
    CallbackState.SET_ASIDE: "yellow",
}
MOST_TEXT = 20_000


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
    """Receive what the service posts, and show what it posted. Without a command:
    receive, until stopped.
    """
    if context.invoked_subcommand is not None:
        return
    receiver.receive(
        host,
        settings_now().callbacks_port if port is None else port,
        say=terminal.messages.print,
    )
    terminal.messages.print("Ended.")


@command(app, "token")
def token(
    *,
    end_older: Annotated[
        bool,
        typer.Option(
            "--end-older",
            help="Make none; end the one before the newest, once the console has it.",
        ),
    ] = False,
    end_all: Annotated[
        bool,
        typer.Option("--end-all", help="Make none; end all of them: no post is taken."),
    ] = False,
) -> None:
    """Make the secret part of the address to enter in the console. The one before stays
    valid beside it.
    """
    with _store() as messages:
        if end_older or end_all:
            ended = store.end_tokens(messages, but_newest=not end_all)
            terminal.messages.print(
                f"{pluralize(ended, 'token')} ended; within seconds no post with them is taken"
            )
            return
        made = store.new_token(messages)
    terminal.console.print(f"https://YOUR-HOST/callbacks/{made}", soft_wrap=True)
    terminal.messages.print(
        "Enter this in the service's console, with the name of your proxy for YOUR-HOST. It is not shown again: make "
        "another if it is lost. The one before stays valid until: sourcing callbacks token --end-older"
    )


@command(app, "ls")
def ls(
    *,
    state: Annotated[CallbackState | None, typer.Option(help="Only those.")] = None,
    kind: Annotated[CallbackKind | None, typer.Option(help="Only those.")] = None,
    order_id: Annotated[
        str,
        typer.Option(metavar="ID", help="Only those about this order of the service."),
    ] = "",
    most: Annotated[int, typer.Option(min=1, help="So many of the newest.")] = 50,
    json: Json = False,
) -> None:
    """List what was posted, the newest first, and its outcome."""
    with _store() as messages:
        found = messages.listed(state=state, kind=kind, order_id=order_id, most=most)
        counts = messages.counts()
    if json:
        terminal.print_json([_as_json(one) for one in found])
        return
    columns = (
        "id",
        f"received ({terminal.zone()})",
        "about",
        "order",
        "times",
        "state",
        "what came of it",
    )
    rows = (
        (
            str(one.id),
            terminal.clock_time(one.received_at),
            f"{one.marketplace} {one.kind}".strip(),
            shorten(one.order_ids),
            str(one.times),
            text.Text(one.state, style=COLOURS.get(one.state, "")),
            str(one.outcome or ""),
        )
        for one in found
    )
    title = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    terminal.console.print(
        terminal.table_of(columns, rows, title=title, overflow="fold")
    )


@command(app, "show")
def show(
    number: Annotated[int, typer.Argument(metavar="ID")], *, json: Json = False
) -> int:
    """Show one message with its text as it was posted. Nothing in it is proven."""
    with _store() as messages:
        found = messages.found([number])
    if not found:
        return _unknown([number])
    document = _as_json(found[0]) | {"text": _text(found[0])}
    if json:
        terminal.print_json(document)
        return 0
    for name, value in document.items():
        terminal.console.print(
            text.Text.assemble((f"{name:14}", "bold"), str(value)), soft_wrap=True
        )
    return 0


@command(app, "replay")
def replay(
    numbers: Annotated[
        list[int],
        typer.Argument(metavar="ID...", help="Messages that are done or set aside."),
    ],
) -> int:
    """Let messages count as new: their orders are read again within seconds. Changes
    nothing by itself.
    """
    with _store() as messages:
        again = messages.replay(numbers, receiver.read_arrival)
    if again:
        terminal.console.print(f"{pluralize(len(again), 'message')} to be read again")
    return (
        _unknown(left)
        if (left := [number for number in numbers if number not in again])
        else 0
    )


def _unknown(numbers: Sequence[int]) -> int:
    named = shorten([str(number) for number in numbers])
    say(f"nothing to do for {named}: no such message, one that waits, or unreadable")
    return COULD_NOT_RUN


def _store() -> store.CallbackStore:
    return store.CallbackStore(settings_now().ledger_url, clock=utc_now)


def _text(one: schema.Callback) -> str:
    return shortened(clean(one.body.decode("utf-8", "replace")), MOST_TEXT)


def _as_json(one: schema.Callback) -> dict[str, Any]:
    times = {
        name: getattr(one, name)
        for name in ("received_at", "last_at", "sent_at", "settled_at")
    }
    return {
        "id": one.id,
        **{
            name: moment.isoformat() if moment else None
            for name, moment in times.items()
        },
        "times": one.times,
        "source": one.source,
        "kind": one.kind,
        "message_type": one.message_type,
        "marketplace": one.marketplace,
        "order_ids": list(one.order_ids),
        "state": one.state,
        "outcome": str(one.outcome or ""),
        "reason_code": one.outcome and one.outcome.code,
    }
