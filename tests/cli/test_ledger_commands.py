"""What the ledger's commands say when something is wrong, or nobody is there to ask."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Sourcing


@contextmanager
def changed(ledger: Path) -> Iterator[sqlite3.Connection]:
    """Change a ledger's file by hand."""
    with closing(sqlite3.connect(ledger)) as database:
        yield database
        database.commit()


def test_faults_of_a_ledger_come_with_what_to_do(
    sourcing: Sourcing, empty_ledger: Path
) -> None:
    """A file that is not whole is replaced; rows that contradict each other are looked
    into.
    """
    with changed(empty_ledger) as database:
        database.execute(
            "INSERT INTO batches (batch_id, source, created_at) VALUES ('b', 'f.csv', '2026-01-01 12:00:00')"
        )
        database.execute(
            "INSERT INTO orders (order_ref, batch_id, marketplace, state, fingerprint, request, lines, offers, "
            "seller_id, currency, recorded_at, updated_at) VALUES ('A-1', 'b', 'ebay', 'planned', '', '{}', '[]', "
            "'[]', '', 'CNY', '2026-01-01 12:00:00', '2026-01-01 12:00:00')"
        )
    done = sourcing("ledger", "verify")
    assert (done.exit_code, "Don't mend rows by hand." in done.stdout) == (3, True)
    with changed(empty_ledger) as database:
        database.execute("DROP INDEX ix_effects_status")
    done = sourcing("ledger", "verify")
    assert (
        done.exit_code,
        "put a backup in its place: sourcing ledger restore FILE" in done.stdout,
    ) == (3, True)


@pytest.mark.usefixtures("empty_ledger")
def test_where_nobody_can_be_asked_yes_is_named(
    sourcing: Sourcing, tmp_path: Path
) -> None:
    """A restore from a script without `--yes` changes nothing and says what is
    missing.
    """
    assert sourcing("ledger", "backup", tmp_path / "b.db").exit_code == 0
    done = sourcing("ledger", "restore", tmp_path / "b.db")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (
        1,
        "sourcing: no answer came, so nothing was done: without a terminal, say yes with --yes",
    )
    assert not list((tmp_path / "data").glob("*.before-*"))
