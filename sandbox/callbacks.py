"""Posts the messages to the developer's URL as contract 3.1 says.

It waits 1,000 ms for a 200, tries again after 30 minutes of sandbox time, at most 5
times, and promises no order. Faults let it lose, triple or forge some, and let the
warehouse's inspection of a parcel fail.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha1
from random import Random
from typing import Any

import aiohttp
import orjson

from sandbox.entities import Order
from sandbox.faults import Faults, Kind
from sandbox.lifecycle import SUCCESS_TAKES, coming_parcel
from sandbox.messages import Message, Source, enveloped
from sandbox.times import SECOND
from sandbox.world import World

PATIENCE_S = 1.0
AGAIN_AFTER = 30 * 60 * SECOND
MOST_RETRIES = 5
POSTS_EVERY_S = 0.2
AT_ONCE = 64
BUILT_AFTER = 3 * SECOND
FAILED, HEAVIER = "质检不通过", 3


class Callbacks:
    """Posted messages, messages to post again, and the orders that may have news."""

    def __init__(
        self, world: World, faults: Faults, sources: Mapping[str, Source], url: str
    ) -> None:
        self._world, self._faults, self._sources, self.url = world, faults, sources, url
        self._random = Random(world.seed)
        self.clear()
        self._seen.update(entry["key"] for entry in world.store.read("callback"))
        world.books.touched.update(order.id for order in world.books.every_order())

    def clear(self) -> None:
        self._seen: set[str] = set()
        self._pending: list[tuple[int, str]] = []
        self._again: list[tuple[int, int, int, bytes]] = []
        self._entries = 0
        self.counts = dict.fromkeys(
            ("posted", "acknowledged", "given_up", "lost", "tripled", "forged"), 0
        )

    @property
    def waiting(self) -> int:
        """Posts that were not acknowledged and are tried again."""
        return len(self._again)

    async def run(self) -> None:
        """Post due messages until cancelled."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await self.post_due(session)
                await asyncio.sleep(POSTS_EVERY_S)

    async def post_due(self, session: aiohttp.ClientSession) -> None:
        """Post every message that is due now once, in any order."""
        self._world.agenda.catch_up()
        posts = [*self._due_again(), *((0, body) for body in self._new())]
        self._world.store.flush()
        self._random.shuffle(posts)
        waiting = iter(posts)
        await asyncio.gather(
            *(
                self._post_each(session, waiting)
                for _ in range(min(AT_ONCE, len(posts)))
            )
        )

    async def _post_each(
        self, session: aiohttp.ClientSession, posts: Iterator[tuple[int, bytes]]
    ) -> None:
        for tries, body in posts:
            await self._post(session, tries, body)

    async def _post(
        self, session: aiohttp.ClientSession, tries: int, body: bytes
    ) -> None:
        self.counts["posted"] += 1
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            headers = {"Content-Type": "application/json"}
            async with session.post(
                self.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status == 200:
                    self.counts["acknowledged"] += 1
                    return
        if tries >= MOST_RETRIES:
            self.counts["given_up"] += 1
            return
        self._entries += 1
        heapq.heappush(
            self._again,
            (self._world.now() + AGAIN_AFTER, self._entries, tries + 1, body),
        )

    def _due_again(self) -> Iterator[tuple[int, bytes]]:
        while self._again and self._again[0][0] <= self._world.now():
            _, _, tries, body = heapq.heappop(self._again)
            yield tries, body

    def _new(self) -> Iterator[bytes]:
        """The bodies of messages since the last round, as far as faults let them
        out.
        """
        for order in self._with_news():
            for message in self._sources[order.marketplace](self._world, order):
                key = _key(message)
                if message.at <= self._world.now() and key not in self._seen:
                    self._seen.add(key)
                    self._world.store.put("callback", key, {"key": key})
                    yield from map(orjson.dumps, self._struck(message))

    def _with_news(self) -> list[Order]:
        """Orders that were changed, or whose parcel has moved by itself."""
        touched, now = self._world.books.touched, self._world.now()
        while self._pending and self._pending[0][0] <= now:
            touched.add(heapq.heappop(self._pending)[1])
        orders = [self._world.books.orders[order_id] for order_id in sorted(touched)]
        touched.clear()
        found = [
            order
            for order in orders
            if order.sequence and order.marketplace in self._sources
        ]
        for order in found:
            for moment in _moments(order):
                if moment > now:
                    heapq.heappush(self._pending, (moment, order.id))
        return found

    def _struck(self, message: Message) -> Iterable[dict[str, Any]]:
        kind = self._faults.strike_callback(
            f"callbacks/{message.marketplace}/{message.nav}"
        )
        if kind is Kind.CALLBACK_LOST:
            self.counts["lost"] += 1
            return []
        if kind is Kind.CALLBACK_TRIPLED:
            self.counts["tripled"] += 1
            return [message.body] * 3
        if kind is Kind.CALLBACK_FORGED:
            self.counts["forged"] += 2
            return [message.body, *forged(message, self._world.now())]
        if kind in (Kind.INSPECTION_FAILED, Kind.PARCEL_HEAVIER):
            return [self._found_fault_with(message, kind)]
        return [message.body]

    def _found_fault_with(self, message: Message, kind: Kind) -> dict[str, Any]:
        if "quality_inspection_info" not in message.body:
            return message.body
        found = dict(message.body["quality_inspection_info"])
        if kind is Kind.INSPECTION_FAILED:
            found |= {
                "status": FAILED,
                "failed_remark": "有污渍",
                "images": ["https://cbu01.alicdn.com/stain.jpg"],
            }
        else:
            found["weight"] *= HEAVIER
            catalogue, order = (
                self._world.catalogue,
                self._world.books.orders[message.order_id],
            )
            catalogue.weigh(
                filter(None, (catalogue.find(line.item_id) for line in order.lines)),
                HEAVIER,
            )
        return {**message.body, "quality_inspection_info": found}


def forged(message: Message, at: int) -> list[dict[str, Any]]:
    """Forged messages about the order of a message: that it was paid, and that it was
    refunded.
    """
    if message.marketplace == "taobao":
        refund = {
            "refundId": "399999999999999999",
            "purchaseId": message.order_id,
            "refundStatus": 100,
            "refundFee": 1,
        }
        return [
            enveloped(
                "TAOBAO_ORDER_STATUS_MODIFY",
                0,
                at,
                {"purchaseId": message.order_id, "status": 10},
            ),
            enveloped("TAOBAO_ORDER_REFUND", 0, at, refund),
        ]
    order = {"orderId": message.order_id, "currentStatus": "waitsellersend"}
    refund = {
        **order,
        "refundId": "TQ999999999999",
        "refundAction": "SELLER_AGREE_REFUND",
        "operator": "seller",
    }
    return [
        enveloped("ORDER_BUYER_VIEW_ORDER_PAY", 1, at, order),
        enveloped("ORDER_BUYER_VIEW_ORDER_REFUND_AFTER_SALES", 1, at, refund),
    ]


def _moments(order: Order) -> Iterator[int]:
    """The times of an order's news that come without a call."""
    yield order.created_at + BUILT_AFTER
    if (parcel := coming_parcel(order)) is not None:
        yield from (parcel.shipped_at, parcel.signed_at)
    if order.confirmed_at is not None:
        yield order.confirmed_at + SUCCESS_TAKES


def _key(message: Message) -> str:
    return sha1(orjson.dumps(message.body), usedforsecurity=False).hexdigest()
