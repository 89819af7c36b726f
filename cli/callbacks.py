"""The commands of `sourcing callbacks`: receive, change tokens, list, show, replay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from cli.failures import COULD_NOT_RUN, say
from cli.terminal import clock_time, console, messages, print_json, table_of, zone
from connectors.callbacks.schema import Callback
from connectors.callbacks.store import CallbackStore, end_tokens, new_token
from connectors.foreign import clean, shortened
from connectors.settings import SourcingSettings
from domain.received import CallbackKind, CallbackState
from domain.wording import pluralize, shorten
from tasks.engine.resources import utc_now

COLOURS: dict[str, str] = {
    CallbackState.WAITING: "cyan",
    CallbackState.TAKEN: "cyan",
    CallbackState.SET_ASIDE: "yellow",
}
MOST_TEXT = 20_000


def receive_callbacks(host: str, port: int | None) -> None:
    """Receive until stopped."""
    from deployments.receiver import receive

    receive(host, SourcingSettings().callbacks_port if port is None else port, say=messages.print)
    messages.print("Ended.")


def change_tokens(*, end_older: bool, end_all: bool) -> int:
    """Make a token and print where it goes, or end tokens."""
    with _store() as store:
        if end_older or end_all:
            ended = end_tokens(store, but_newest=not end_all)
            messages.print(f"{pluralize(ended, 'token')} ended; within seconds no post with them is taken")
            return 0
        token = new_token(store)
    console.print(f"https://YOUR-HOST/callbacks/{token}", soft_wrap=True)
    messages.print(
        "Enter this in the service's console, with the name of your proxy for YOUR-HOST. It is not shown again: make "
        "another if it is lost. The one before stays valid until: sourcing callbacks token --end-older"
    )
    return 0


def list_callbacks(
    *, state: CallbackState | None, kind: CallbackKind | None, order_id: str, most: int, as_json: bool
) -> int:
    """Print the newest messages."""
    with _store() as store:
        found = store.listed(state=state, kind=kind, order_id=order_id, most=most)
        counts = store.counts()
    if as_json:
        print_json([_as_json(one) for one in found])
        return 0
    columns = ("id", f"received ({zone()})", "about", "order", "times", "state", "what came of it")
    rows = (
        (
            str(one.id),
            clock_time(one.received_at),
            f"{one.marketplace} {one.kind}".strip(),
            shorten(one.order_ids),
            str(one.times),
            Text(one.state, style=COLOURS.get(one.state, "")),
            str(one.outcome or ""),
        )
        for one in found
    )
    console.print(
        table_of(columns, rows, title=", ".join(f"{count:,} {name}" for name, count in counts.items()), overflow="fold")
    )
    return 0


def show_callback(number: int, *, as_json: bool) -> int:
    """Print one message whole, safe for a terminal."""
    with _store() as store:
        found = store.found([number])
    if not found:
        return _unknown([number])
    document = _as_json(found[0]) | {"text": _text(found[0])}
    if as_json:
        print_json(document)
        return 0
    for name, value in document.items():
        console.print(Text.assemble((f"{name:14}", "bold"), str(value)), soft_wrap=True)
    return 0


def replay_callbacks(numbers: Sequence[int]) -> int:
    """Make messages wait again."""
    with _store() as store:
        again = store.replay(numbers)
    if again:
        console.print(f"{pluralize(len(again), 'message')} to be read again")
    return _unknown(left) if (left := [number for number in numbers if number not in again]) else 0


def _unknown(numbers: Sequence[int]) -> int:
    named = shorten([str(number) for number in numbers])
    say(f"nothing to do for {named}: no such message, one that waits, or unreadable")
    return COULD_NOT_RUN


def _store() -> CallbackStore:
    return CallbackStore(SourcingSettings().ledger_url, clock=utc_now)


def _text(one: Callback) -> str:
    return shortened(clean(one.body.decode("utf-8", "replace")), MOST_TEXT)


def _as_json(one: Callback) -> dict[str, Any]:
    times = {name: getattr(one, name) for name in ("received_at", "last_at", "sent_at", "settled_at")}
    return {
        "id": one.id,
        **{name: moment.isoformat() if moment else None for name, moment in times.items()},
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
