"""Senders of the outbox that are killed by kill -9, while their recipient is dead for
hours by a clock that is moved: `python -m tests.crashes.senders LEDGER CLOCK` is one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from pydantic import SecretStr
from sqlalchemy import select

from connectors.apprise_sender import is_understood, recipients_of
from connectors.ledger.schema import messages
from connectors.ledger.store import Ledger
from connectors.notifying import send_due
from connectors.settings import SourcingSettings
from domain.messages import Message
from tests.notified import Receiver, http_receiver
from tests.running import PATIENCE_S, ROOT

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
ANSWER_S = 0.04
AT_WORK_S = 0.6
DEAD_ROUNDS = 0.4
MESSAGES_A_ROUND = 8
LANDS_WITHIN_S = 0.3
"""A request that a killed sender had written is carried out within this."""


@dataclass(frozen=True, kw_only=True)
class Deliveries:
    """How often each cause has arrived, and at how many kills it had arrived and was
    not recorded.
    """

    put: list[str] = field(default_factory=list)
    arrived: Counter[str] = field(default_factory=Counter)
    in_doubt: Counter[str] = field(default_factory=Counter)
    hours: float = 0.0

    @property
    def lost(self) -> set[str]:
        return {*self.put} - self.arrived.keys()

    @property
    def unexplained(self) -> dict[str, int]:
        """What has arrived more often, or less, than its kills explain."""
        return {
            cause: count
            for cause, count in self.arrived.items()
            if count != 1 + self.in_doubt[cause]
        }


def kill_senders(folder: Path, *, kills: int, seed: int) -> Deliveries:
    """Put messages, and kill so many senders at random moments; then one may send the
    rest.
    """
    luck = Random(seed)
    url = f"sqlite:///{folder / 'ledger.db'}"
    clock = folder / "clock"
    put = list[str]()
    in_doubt = Counter[str]()
    hours = 0.0
    clock.write_text("0")

    with (
        http_receiver() as receiver,
        Ledger(url, clock=lambda: _now(clock), owner="test") as ledger,
    ):
        receiver.slow_s = ANSWER_S
        for number in range(kills):
            causes = [f"{number}-{count}" for count in range(MESSAGES_A_ROUND)]
            ledger.outbox.put(
                *(Message(cause=cause, subject=cause, body="b") for cause in causes)
            )
            put += causes
            receiver.status = 503 if luck.random() < DEAD_ROUNDS else 200
            before = len(receiver.got)
            with _start(url, clock, receiver) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                time.sleep(luck.uniform(0, AT_WORK_S))
                os.kill(process.pid, signal.SIGKILL)
            time.sleep(LANDS_WITHIN_S)
            arrived = {*receiver.titles[before:]}
            in_doubt.update(arrived & _unsent(ledger))
            hours += luck.uniform(0.1, 3)
            clock.write_text(str(hours))

        receiver.status = 200
        receiver.slow_s = 0.0
        settings = _settings(receiver.address)
        while len({*receiver.titles}) < len(put) or ledger.is_message_due(_now(clock)):
            assert hours < 24 * kills, "messages wait for ever"
            send_due(ledger, settings, now=_now(clock))
            hours += 1
            clock.write_text(str(hours))
    return Deliveries(
        put=put, arrived=Counter(receiver.titles), in_doubt=in_doubt, hours=hours
    )


def _start(url: str, clock: Path, receiver: Receiver) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.crashes.senders", url, str(clock)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "SOURCING_NOTIFY": receiver.address},
        stdout=subprocess.PIPE,
        text=True,
    )


def _unsent(ledger: Ledger) -> set[str]:
    waiting = select(messages.c.cause).where(messages.c.next_try_at.is_not(None))
    return {*ledger.column(waiting)}


def _settings(address: str) -> SourcingSettings:
    return SourcingSettings(notify=SecretStr(address))


def _now(clock: Path) -> datetime:
    return BEGAN + timedelta(hours=float(clock.read_text()))


def main() -> None:
    url = sys.argv[1]
    clock = Path(sys.argv[2])
    settings = SourcingSettings()
    ends_at = time.monotonic() + PATIENCE_S
    with Ledger(url, clock=lambda: _now(clock), owner="sender") as ledger:
        # loads apprise, which takes a second
        assert all(map(is_understood, recipients_of(settings.notify)))
        print("ready", flush=True)
        while time.monotonic() < ends_at:
            send_due(ledger, settings, now=_now(clock))
            time.sleep(0.01)


if __name__ == "__main__":
    main()
