"""The secret part of the receiver's address: unguessable, kept as a hash, two valid at once so that it can change."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable

from sqlalchemy import insert, select, update

from connectors.callbacks.schema import tokens
from connectors.callbacks.store import CallbackStore
from connectors.ledger.repeating import repeating

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
