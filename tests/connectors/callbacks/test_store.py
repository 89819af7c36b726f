"""What was posted is stored once, and is due until its orders were read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.callbacks import (
    CallbackStore,
    Message,
    are_received,
    callbacks,
    callbacks_url,
    tokens,
)
from tests.clock import MovableClock
from tests.connectors.callbacks.conftest import keep, kept, posted, waiting


def named(messages: Iterable[Message]) -> list[str]:
    return sorted(order_id for message in messages for order_id in message.order_ids)


def read(store: CallbackStore) -> int:
    """One run reads what is due; answers how many messages that were."""
    messages = store.take_due()
    store.mark_read(messages)
    return len(messages)


def test_a_message_is_stored_as_it_was_posted(
    store: CallbackStore, clock: MovableClock
) -> None:
    """Byte for byte, with the orders that it names."""
    body = posted("2542285634920880794")
    keep(store, body)
    (row,) = store.rows(select(callbacks))
    assert (row["body"], row["order_ids"], row["received_at"]) == (
        body,
        ["2542285634920880794"],
        clock(),
    )


def test_the_same_message_twice_is_one_row_and_one_reading(
    store: CallbackStore,
) -> None:
    keep(store, posted("7"))
    keep(store, posted("7"), b"?")
    assert kept(store) == {posted("7"), b"?"}
    assert read(store) == 2


def test_the_same_message_after_it_was_read_is_read_again(
    store: CallbackStore, clock: MovableClock
) -> None:
    """A price went up, down and up again in the same bytes."""
    for _ in range(2):
        keep(store, posted("7"))
        clock.advance(120)
        assert named(store.take_due()) == ["7"]
        clock.advance(120)
        assert read(store) == 1
        clock.advance(120)
        assert read(store) == 0


def test_a_storm_about_an_order_is_read_at_most_once_in_two_minutes(
    store: CallbackStore, clock: MovableClock
) -> None:
    """However many runs look: the same bytes, others, and the runs that died too."""
    readings = []
    for second in range(600):
        keep(store, posted("7"), posted("7", at=second))
        if messages := store.take_due():
            readings.append(second)
        if second != 240:  # that run dies
            store.mark_read(messages)
        clock.advance(1)
    assert readings == [0, 120, 240, 360, 480]
    clock.advance(120)
    read(store)
    assert waiting(store) == 0


def test_a_run_that_dies_between_storing_and_reading_loses_nothing(
    store: CallbackStore, clock: MovableClock
) -> None:
    """The messages that it had taken are due again."""
    keep(store, posted("7"), posted("8"))
    assert named(store.take_due()) == ["7", "8"]
    clock.advance(120)
    assert named(store.take_due()) == ["7", "8"]


def test_a_message_that_comes_again_while_a_run_reads_is_read_again(
    store: CallbackStore, clock: MovableClock
) -> None:
    """That run may have read before what the message announces."""
    keep(store, posted("7"), posted("8"))
    messages = store.take_due()
    keep(store, posted("8"))
    store.mark_read(messages)
    clock.advance(120)
    assert named(store.take_due()) == ["8"]


def test_a_clock_that_was_set_back_holds_nothing(
    store: CallbackStore, clock: MovableClock
) -> None:
    clock.advance(86_400)
    keep(store, posted("1"))
    assert read(store) == 1
    clock.advance(-86_400)
    keep(store, posted("2"))
    assert named(store.take_due()) == ["2"]


def test_bodies_are_deleted_after_thirty_days(
    store: CallbackStore, clock: MovableClock
) -> None:
    """A message that was not read never is."""
    keep(store, posted("1"))
    read(store)
    clock.now += timedelta(days=29)
    keep(store, posted("2"))
    store.take_due()
    assert kept(store) == {posted("1"), posted("2")}
    clock.now += timedelta(days=31)
    assert named(store.take_due()) == ["2"]
    assert kept(store) == {posted("2")}


def test_garbage_is_stored_and_read_without_any_order(store: CallbackStore) -> None:
    keep(store, b"\xff\x00<html>")
    assert [list(item.order_ids) for item in store.take_due()] == [[]]


def test_its_file_is_for_its_owner_alone(clock: MovableClock, tmp_path: Path) -> None:
    """And what SQLite writes beside it."""
    with CallbackStore(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as store:
        keep(store, posted("7"))
        rights = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert rights == {
        "callbacks.db": 0o600,
        "callbacks.db-shm": 0o600,
        "callbacks.db-wal": 0o600,
    }


def test_where_nobody_receives_there_is_nothing_to_read(tmp_path: Path) -> None:
    """No file is made for it."""
    assert not are_received(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert list(tmp_path.iterdir()) == []


def test_two_tokens_are_valid_at_once(store: CallbackStore) -> None:
    """So that the console can be changed without losing a message. One that leaked ends
    with two new ones.
    """
    built = [store.new_token() for _ in range(3)]
    assert [store.is_valid(token) for token in (*built, "wrong", "", "\ud800")] == [
        False,
        True,
        True,
        False,
        False,
        False,
    ]


def test_nothing_of_a_token_is_kept(store: CallbackStore) -> None:
    """A hash of it is."""
    token = store.new_token()
    assert token not in store.column(select(tokens.c.digest))


@pytest.mark.parametrize(
    ("ledger", "messages"),
    [
        ("sqlite:////data/ledger.db", "sqlite:////data/callbacks.db"),
        ("postgresql://user@host/sourcing", "postgresql://user@host/sourcing"),
    ],
)
def test_messages_are_beside_the_ledger(ledger: str, messages: str) -> None:
    """A file of their own with SQLite, so that no run waits for them; the same database
    with PostgreSQL.
    """
    assert callbacks_url(ledger) == messages
