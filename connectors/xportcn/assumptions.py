"""What the contract leaves open and a call that costs nothing shows: asked both ways once, and kept for the account."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Protocol, TypeVar

from connectors.settings import XportcnSettings
from connectors.xportcn.errors import Refused, TakenBothWays, Unanswered
from connectors.xportcn.failures import ANY_NO

Res = TypeVar("Res")
SHOP, DISTRIBUTION = "shop", "distribution"
ABROAD, WAREHOUSE = "abroad", "warehouse"


class Assumption(StrEnum):
    """An open point, by the name of the setting that closes it."""

    FREIGHT_IDS = "freight_ids"
    TAOBAO_RECEIVER = "taobao_receiver"


WAYS: Mapping[Assumption, tuple[str, str]] = {
    Assumption.FREIGHT_IDS: (SHOP, DISTRIBUTION),
    Assumption.TAOBAO_RECEIVER: (ABROAD, WAREHOUSE),
}
"""The ways to take each, that of the contract first."""
POINT = {
    Assumption.FREIGHT_IDS: "Taobao's goods in freight calls",
    Assumption.TAOBAO_RECEIVER: "the receiver of Taobao's orders",
}
ABOUT = {
    Assumption.FREIGHT_IDS: re.compile(r"\b(?:item|sku|goods|product)|\bids?\b|商品|货品", re.IGNORECASE),
    Assumption.TAOBAO_RECEIVER: re.compile("address|receiver|country|地址|收货|收件|国家", re.IGNORECASE),
}
"""Words of a refusal that is about it."""


class Kept(Protocol):
    """Where an account's answers outlast the process."""

    def shown(self, name: str) -> str:
        """What was shown last; empty for nothing."""

    def show(self, name: str, value: str) -> None: ...


class Assumptions:
    """The ways of one account: by its settings, else by what was shown, else the contract's."""

    def __init__(self, settings: XportcnSettings, kept: Kept | None = None) -> None:
        self._kept = kept
        self._settles = not settings.is_sandbox
        self._known = {one: str(way) for one in Assumption if (way := getattr(settings, one))}
        if kept is not None:
            self._known = {one: way for one in Assumption if (way := kept.shown(one))} | self._known
        self._taken_both_ways: dict[Assumption, TakenBothWays] = {}
        self._one_at_a_time = defaultdict[Assumption, asyncio.Lock](asyncio.Lock)

    def way(self, assumption: Assumption) -> str:
        return self._known.get(assumption, WAYS[assumption][0])

    async def ask(self, assumption: Assumption, call: Callable[[str], Awaitable[Res]]) -> Res:
        """Make a call that changes nothing in the known way, else in both until one is refused in words about it.

        Raises `TakenBothWays` where neither is. A local sandbox is asked the other way only after such a refusal.
        """
        if not self._settles and assumption not in self._known:
            try:
                return await call(self.way(assumption))
            except (Refused, Unanswered) as refused:
                if not _is_about(assumption, refused):
                    raise
        if assumption not in self._known:
            async with self._one_at_a_time[assumption]:
                if assumption not in self._known:
                    return await self._both_ways(assumption, call)
        return await call(self.way(assumption))

    async def _both_ways(self, assumption: Assumption, call: Callable[[str], Awaitable[Res]]) -> Res:
        if error := self._taken_both_ways.get(assumption):
            raise error
        answers, refusals = dict[str, Res](), list[Refused | Unanswered]()
        for way in WAYS[assumption]:
            try:
                answers[way] = await call(way)
            except (Refused, Unanswered) as refused:
                if isinstance(refused, Unanswered) and not _is_about(assumption, refused):
                    raise
                refusals.append(refused)
        if not answers:
            raise refusals[0]
        if not any(_is_about(assumption, refused) for refused in refusals):
            error = TakenBothWays(
                POINT[assumption],
                setting=f"XPORTCN_{assumption.upper()}",
                ways=WAYS[assumption],
                refused=refusals[0].message if refusals else "",
            )
            self._taken_both_ways[assumption] = error
            raise error
        ((way, answer),) = answers.items()
        self._known[assumption] = way
        if self._kept is not None:
            await asyncio.to_thread(self._kept.show, assumption, way)
        return answer


def _is_about(assumption: Assumption, refused: Refused | Unanswered) -> bool:
    """Whether it is a no in words about it; under the code of a fault too."""
    is_no = isinstance(refused, Refused) or refused.code == ANY_NO
    return is_no and bool(ABOUT[assumption].search(refused.message))
