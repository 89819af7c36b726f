"""`sourcing callbacks`: the tokens."""

from __future__ import annotations

from pathlib import Path

from connectors.callbacks import CallbackStore
from tests.cli.conftest import Sourcing
from tests.clock import MovableClock


def test_a_token_is_told_once_and_the_one_before_stays_valid(
    sourcing: Sourcing, tmp_path: Path
) -> None:
    """Two are valid at once: the console can be changed without losing a message."""
    addresses = [sourcing("callbacks", "token").stdout.strip() for _ in range(3)]
    tokens = [
        address.removeprefix("https://YOUR-HOST/callbacks/") for address in addresses
    ]
    ledger_url = f"sqlite:///{tmp_path / 'data' / 'ledger.db'}"
    with CallbackStore(ledger_url, clock=MovableClock()) as store:
        assert [store.is_valid(token) for token in tokens] == [False, True, True]
