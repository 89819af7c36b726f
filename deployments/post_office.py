"""`python -m deployments.post_office`, also `sourcing notify --watch`: sends messages,
as long as it lives.

| every | it does |
|---|---|
| 3 s | sends what is due in the ledger's outbox (`connectors/notifying.py`) |
| 10 s | polls Prefect's server for what a dead worker can't report (`server_watch.py`), and what waits for people |

It keeps nothing that has to outlive it: messages, sent ones too, are in the ledger. So
it may be killed at any moment, there may be two of it, and a server or a ledger that is
away is waited for.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connectors.foreign import shut_logs, words_of
from connectors.ledger.engine import require_file
from connectors.ledger.guard import LedgerReplaced
from connectors.ledger.marks import LedgerMarked
from connectors.ledger.store import Ledger
from connectors.notifying import send_due
from connectors.settings import BadSetting, SourcingSettings
from deployments.local_server import is_healthy, server_folder

if TYPE_CHECKING:
    from deployments.server_watch import ServerWatch

SENDS_EVERY_S, POLLS_EVERY_S = 3.0, 10.0
POST_OFFICE = "post-office"
SEEN = f"{POST_OFFICE}.seen"
OPEN_FOR_S = 120.0
"""It may be at a recipient that does not answer."""


def main() -> None:
    """Work until stopped; a message that is being sent then is sent to its end. Raises
    `BadSetting`.
    """
    shut_logs()
    asyncio.run(Notifier(SourcingSettings()).work())


def is_open(settings: SourcingSettings) -> bool:
    """Whether a notifier works for this data folder: its last round was a moment ago,
    however that ended.

    Not so one whose ledger was moved elsewhere.
    """
    try:
        return (
            abs(time.time() - (server_folder(settings.data_dir) / SEEN).stat().st_mtime)
            < OPEN_FOR_S
        )
    except OSError:
        return False


class Notifier:
    """One process's ledger, and its two works."""

    def __init__(self, settings: SourcingSettings) -> None:
        self.settings = settings
        self.seen = server_folder(settings.data_dir) / SEEN
        self.api = os.environ.get("PREFECT_API_URL", "")
        self.ended = asyncio.Event()
        self._opening = threading.Lock()
        self._ledger: Ledger | None = None
        self._gone_since: datetime | None = None
        self._watch: ServerWatch | None = None
        self._is_moved = False

    async def work(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.ended.set)
        works = [self.keep("messages can't be sent", self.send)]
        if self.api:
            works.append(self.keep("Prefect's server can't be asked", self.poll))
        else:
            _say(
                "PREFECT_API_URL is not set: messages of runs are sent, and lost runs are not looked for"
            )
        ended, others = await asyncio.wait(
            map(asyncio.create_task, works), return_when=asyncio.FIRST_COMPLETED
        )
        for work in others:  # a server that is about to end may answer after a minute; what a thread sends is sent
            work.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.gather(*ended)

    async def keep(self, trouble: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do a work again whenever it fails. A trouble is logged once, not every few
        seconds.
        """
        seen = said = ""
        while not self.ended.is_set():
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next try must follow
                words = f"{trouble} now: {words_of(error)}"
                if (
                    words == seen != said
                ):  # twice: a server that is just about to start is no trouble
                    _say(said := words)
                seen = words
            await self.pause(POLLS_EVERY_S)

    async def pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), seconds)

    async def send(self) -> None:
        while not self.ended.is_set():
            try:
                self.settings = self.settings.renewed()
                await asyncio.to_thread(lambda: send_due(self.ledger(), self.settings))
            finally:
                if not self._is_moved:  # then `serve` starts it again, and it reads anew where the ledger is
                    self.seen.touch()
            await self.pause(SENDS_EVERY_S)

    async def poll(self) -> None:
        """Poll until something fails: then it is to be called again."""
        from prefect.client.orchestration import get_client

        from deployments.server_watch import ServerWatch, watched_since
        from flows.prefect_ui.todo_artifact import refresh

        ledger = await asyncio.to_thread(self.ledger)
        if not (watch := self._watch) or watch.ledger is not ledger:
            since = await asyncio.to_thread(watched_since, ledger)
            watch = self._watch = ServerWatch(
                ledger=ledger, timezone=self.settings.timezone, since=since
            )
        try:
            async with get_client() as client:
                while not self.ended.is_set() and ledger is await asyncio.to_thread(
                    self.ledger
                ):
                    for message in await watch.poll(client):
                        _say(f"sent: {message.subject}")
                    await refresh(client, ledger)
                    self._gone_since = None
                    await self.pause(POLLS_EVERY_S)
        except Exception:
            await asyncio.to_thread(self.miss_server, ledger)
            raise

    def miss_server(self, ledger: Ledger) -> None:
        """Notify of a server that has not answered for a while."""
        if is_healthy(self.api):
            self._gone_since = None
            return
        from deployments.server_watch import Polled, server_away  # loads Prefect

        now, self._watch = datetime.now(UTC), None
        self._gone_since = min(self._gone_since or now, now)
        zone = self.settings.timezone
        seen = Polled(
            now=now, since=now, up_since=now, timezone=zone, away_since=self._gone_since
        )
        for message in server_away(seen):
            ledger.outbox.put(message)

    def ledger(self) -> Ledger:
        """The present ledger: a file that took the place of another is opened anew.

        Raises `LedgerUnusable`, also for one that was moved elsewhere: its messages
        went along.
        """
        with self._opening:
            if ledger := self._ledger:
                try:
                    ledger.guard.require_files()
                except LedgerReplaced:
                    require_file(
                        self.settings.ledger_url
                    )  # an empty one would stand in the way of the old one
                    ledger.close()
                    self._ledger = None
            url = self.settings.ledger_url
            ledger = self._ledger = self._ledger or Ledger(
                url, clock=lambda: datetime.now(UTC), owner="notify"
            )
        try:
            ledger.marks.require_in_use()
        except LedgerMarked:
            self._is_moved = True
            raise
        self._is_moved = False
        return ledger


def _say(words: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except BadSetting as error:
        raise SystemExit(str(error)) from None
