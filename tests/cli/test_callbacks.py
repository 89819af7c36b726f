"""`sourcing callbacks`: tokens, and what was posted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from connectors.callbacks.store import CallbackStore, fits, valid_digests
from deployments.receiver import read_arrival
from domain.reasons import ReasonCode, because
from tests.cli.conftest import Sourcing
from tests.clock import MovableClock
from tests.connectors.callbacks.conftest import posted


def kept(folder: Path, *bodies: bytes) -> CallbackStore:
    store = CallbackStore(
        f"sqlite:///{folder / 'data' / 'ledger.db'}", clock=MovableClock()
    )
    if bodies:
        store.add(
            [
                read_arrival(body, "203.0.113.7", datetime(2026, 1, 2, tzinfo=UTC))
                for body in bodies
            ]
        )
    return store


def test_a_token_is_told_once_and_ends_when_it_is_told_to(
    sourcing: Sourcing, tmp_path: Path
) -> None:
    """Two are valid at once; the older ends when the console has the newer."""
    addresses = [sourcing("callbacks", "token").stdout.strip() for _ in range(2)]
    tokens = [
        address.removeprefix("https://YOUR-HOST/callbacks/") for address in addresses
    ]
    with kept(tmp_path) as store:
        assert [fits(token, valid_digests(store)) for token in tokens] == [True, True]
        assert sourcing("callbacks", "token", "--end-older").exit_code == 0
        assert [fits(token, valid_digests(store)) for token in tokens] == [False, True]
        assert sourcing("callbacks", "token", "--end-all").exit_code == 0
        assert valid_digests(store) == []


def test_messages_are_listed_shown_and_replayed(
    sourcing: Sourcing, tmp_path: Path
) -> None:
    """With what came of each; words of strangers can't move the cursor."""
    with kept(tmp_path, posted("7"), b"\x1b[2Jhello") as store:
        store.settle(
            {
                1: because(
                    ReasonCode.CALLBACK_ORDER_STAYS,
                    order_ref="A-1",
                    again=True,
                    state="booked",
                )
            }
        )
        listed = json.loads(sourcing("callbacks", "ls", "--json").stdout)
        assert [(one["id"], one["state"], one["order_ids"]) for one in listed] == [
            (2, "set_aside", []),
            (1, "done", ["7"]),
        ]
        assert (
            "A-1 read again: still booked"
            in sourcing("callbacks", "ls", "--order-id", "7").stdout
        )
        shown = sourcing("callbacks", "show", "2").stdout
        assert ("\x1b" in shown, "hello" in shown) == (False, True)
        assert sourcing("callbacks", "replay", "1").exit_code == 0
        assert [one.state for one in store.listed()] == ["set_aside", "waiting"]


def test_what_can_t_be_replayed_is_named(sourcing: Sourcing, tmp_path: Path) -> None:
    """One that is not there, one that waits already, one that can't be read."""
    with kept(tmp_path, posted("7"), b"?"):
        done = sourcing("callbacks", "replay", "1", "2", "3")
    assert (done.exit_code, "nothing to do for 1, 2, 3" in done.stderr) == (1, True)
    assert sourcing("callbacks", "show", "9").exit_code == 1
