"""State between the calls of one purchase: the time of a cargo's quote, and each key's
first answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

import orjson

from sandbox.store import Store

Line = tuple[str, str, int]


def cargo_key(lines: Iterable[Line]) -> str:
    """A key of lines in any order."""
    return sha1(orjson.dumps(sorted(lines)), usedforsecurity=False).hexdigest()


class Quotes:
    """The last quote time of each cargo, for marketplaces where a create must follow
    its quote.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._quoted_at: dict[str, int] = {}

    def restore(self) -> None:
        self._quoted_at.update(
            (body["key"], body["at"]) for body in self._store.read("quote")
        )

    def reset(self) -> None:
        self._quoted_at.clear()

    def keep(self, marketplace: str, lines: Iterable[Line], at: int) -> None:
        key = f"{marketplace}:{cargo_key(lines)}"
        self._quoted_at[key] = at
        self._store.put("quote", key, {"key": key, "at": at})

    def quoted_since(
        self, marketplace: str, lines: Iterable[Line], moment: int
    ) -> bool:
        return self._quoted_at.get(f"{marketplace}:{cargo_key(lines)}", -1) >= moment


@dataclass(slots=True)
class FirstAnswer:
    """`cargo` is the key of the lines that were asked for."""

    marketplace: str
    reference: str
    cargo: str
    data: dict[str, Any]


class FirstAnswers:
    """The first answer to each caller's key, which a repeat gets again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._answers: dict[tuple[str, str], FirstAnswer] = {}

    def restore(self) -> None:
        for body in self._store.read("first_answer"):
            answer = FirstAnswer(**body)
            self._answers[answer.marketplace, answer.reference] = answer

    def reset(self) -> None:
        self._answers.clear()

    def keep(
        self, marketplace: str, reference: str, cargo: str, data: dict[str, Any]
    ) -> None:
        answer = self._answers[marketplace, reference] = FirstAnswer(
            marketplace, reference, cargo, data
        )
        self._store.put("first_answer", f"{marketplace}:{reference}", answer)

    def of(self, marketplace: str, reference: str) -> FirstAnswer | None:
        return self._answers.get((marketplace, reference))
