"""A ledger that was put back by hand: a send log that is younger than it gives it
away.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.evidence import notice_put_back
from connectors.ledger.plans import put_rows
from connectors.ledger.send_log import SendLog
from connectors.ledger.store import Ledger
from tasks.engine.resources import utc_now
from tests.connectors.ledger.plans import intents, plan
from tests.connectors.ledger.test_backup import SETTLED
from tests.connectors.ledger.test_claims import LEASE
from tests.connectors.ledger.test_send_log import claim


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=utc_now, owner="run"
    ) as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1"), plan("A-2")])
        yield ledger


def sent(folder: Path, key: str) -> None:
    """By a run that has ended since. A file system's own times are some milliseconds
    behind the clock.
    """
    with SendLog(folder) as log:
        log.note(claim(key))
        os.utime(log.path, (time.time(), time.time()))


def test_a_log_of_what_the_ledger_does_not_have_marks_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    """It buys nothing until a person says so, and what was sent can arrive no more;
    that log is told of once.
    """
    sent(tmp_path, "A-1:pay")
    notice_put_back(ledger, tmp_path)
    with pytest.raises(
        LedgerUnusable, match=r"put back by hand, or .*: it does not have A-1:pay, of"
    ):
        ledger.claim(intents("A-2"), lease=LEASE)
    assert ledger.marks.confirm_restored(
        by="ann", listed_within=SETTLED, last_sent=None
    )
    notice_put_back(ledger, tmp_path)
    assert ledger.marks.restored() == ""
    with pytest.raises(LedgerUnusable, match="may still arrive until"):
        ledger.claim(intents("A-2"), lease=LEASE)
    sent(tmp_path, "A-2:pay")
    notice_put_back(ledger, tmp_path)
    assert ledger.marks.restored()


def test_a_log_of_what_the_ledger_has_means_nothing(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Whatever became of it."""
    ledger.claim(intents("A-1"), lease=LEASE)
    sent(tmp_path, "A-1:create")
    notice_put_back(ledger, tmp_path)
    assert (ledger.marks.restored(), ledger.marks.restored_at()) == ("", None)
