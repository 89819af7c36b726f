"""Uploaded pictures that prove a refund's reason, by name only."""

from __future__ import annotations

from hashlib import sha256

from sandbox.store import Store

DOMAIN = "https://cbu01.alicdn.com/"


class Receipts:
    def __init__(self, store: Store) -> None:
        self._store = store
        self.reset()

    def reset(self) -> None:
        self._names: set[str] = set()

    def restore(self) -> None:
        self._names.update(body["name"] for body in self._store.read("receipt"))

    def keep(self, content: bytes) -> str:
        """Keep a picture; answers its name, which depends on the content alone."""
        name = f"img/refund/{sha256(content).hexdigest()[:32]}.jpg"
        self._names.add(name)
        self._store.put("receipt", name, {"name": name})
        return name

    def has(self, url: str) -> bool:
        return url.removeprefix(DOMAIN) in self._names and url.startswith(DOMAIN)
