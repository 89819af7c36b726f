"""What the receiver of callbacks needs: the secret part of its address, and commits that messages share."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence

from sqlalchemy import insert, select, update

from connectors.callbacks.records import Arrival
from connectors.callbacks.schema import tokens
from connectors.callbacks.store import CallbackStore
from connectors.ledger.transactions import repeating

CONSOLE, SANDBOX = "console", "sandbox"
VALID = {CONSOLE: 2, SANDBOX: 1}
"""How many tokens of each name are valid at once, the newest ones. The sandbox has a name of its own."""


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def new_token(store: CallbackStore, name: str = CONSOLE) -> str:
    """Make a token; the one before stays valid, older ones end. It is returned only here, and stored as a hash."""
    token = secrets.token_urlsafe(32)
    made_at = store.clock()
    with store.transaction() as connection:
        connection.execute(insert(tokens).values(name=name, digest=_digest(token), made_at=made_at))
        valid = select(tokens.c.id).where(tokens.c.name == name).order_by(tokens.c.id.desc()).limit(VALID[name])
        too_old = (tokens.c.name == name, tokens.c.ended_at.is_(None), tokens.c.id.not_in(valid.scalar_subquery()))
        connection.execute(update(tokens).where(*too_old).values(ended_at=made_at))
    return token


@repeating
def end_tokens(store: CallbackStore, *, but_newest: bool) -> int:
    """End the console's tokens, or all but the newest of them; returns how many ended."""
    kept = (
        select(tokens.c.id).where(tokens.c.name == CONSOLE).order_by(tokens.c.id.desc()).limit(1 if but_newest else 0)
    )
    ending = (tokens.c.name == CONSOLE, tokens.c.ended_at.is_(None), tokens.c.id.not_in(kept.scalar_subquery()))
    with store.transaction() as connection:
        return connection.execute(update(tokens).where(*ending).values(ended_at=store.clock())).rowcount


def valid_digests(store: CallbackStore) -> list[str]:
    """The hashes of the tokens that are valid now."""
    return [row["digest"] for row in store.rows(select(tokens.c.digest).where(tokens.c.ended_at.is_(None)))]


def fits(token: str, digests: Iterable[str]) -> bool:
    """Whether a token is one of these; takes equally long for right and wrong ones."""
    given = _digest(token)
    return any([hmac.compare_digest(given, digest) for digest in digests])


MOST_TOGETHER = 500
MOST_WAITING = 5_000


class TooMany(Exception):
    """Too many messages wait for the disk; the sender tries again."""


class Intake:
    """The only writer of a receiver."""

    def __init__(self, store: CallbackStore) -> None:
        self._store = store
        self._waiting: list[tuple[Arrival, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, arrival: Arrival) -> None:
        """Return once the message is on disk. Raises `LedgerUnusable` when it is not, and `TooMany`."""
        if len(self._waiting) >= MOST_WAITING:
            raise TooMany
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, kept))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await kept

    async def _write(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            error: BaseException | None = None
            try:
                await asyncio.to_thread(self._store.add, [arrival for arrival, _ in some])
            except BaseException as caught:  # noqa: BLE001 - raised where it is waited for
                error = caught
            _resolve([kept for _, kept in some], error)

    async def close(self) -> None:
        """Wait for the write under way."""
        if self._writing is not None:
            await self._writing


def _resolve(waiting: Sequence[asyncio.Future[None]], error: BaseException | None) -> None:
    for kept in waiting:
        if kept.done():
            continue  # its sender is gone
        if error is None:
            kept.set_result(None)
        else:
            kept.set_exception(error)
