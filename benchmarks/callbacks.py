"""How fast posted messages are on disk and answered, and the slowest in a hundred at
the service's pace.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median, quantiles

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from benchmarks.measuring import Comparison
from connectors.callbacks import CallbackStore
from deployments.receiver import app_of
from tasks.engine.resources import utc_now

MESSAGES = 1_000
RATE = 300
REPETITIONS = 3
RIVAL = "Starlette, parsed with json, a commit for each message"
Post = Callable[[bytes], Awaitable[object]]


def run() -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measured(Path(folder)))


async def _measured(folder: Path) -> list[Comparison]:
    with CallbackStore(f"sqlite:///{folder / 'ledger.db'}", clock=utc_now) as store:
        path = f"/callbacks/{store.new_token()}"
        async with (
            _client(app_of(store)) as async_client,
            _client(_plain(folder)) as plain,
        ):
            senders: list[Post] = [
                lambda body: async_client.post(path, content=body),
                lambda body: plain.post("/", content=body),
            ]
            at_once = [
                [await _seconds(post, number) for post in senders]
                for number in range(REPETITIONS + 1)
            ][1:]
            paced = [
                [await _slowest(post, number) for post in senders]
                for number in range(REPETITIONS)
            ]
    return [
        _comparison(
            "messages posted all at once, each on disk before its answer",
            at_once,
            MESSAGES,
        ),
        _comparison(
            f"99th percentile of an answer at {RATE} messages a second", paced, 1
        ),
    ]


def _comparison(work: str, pairs: Sequence[Sequence[float]], amount: int) -> Comparison:
    our_s, rival_s = (median(side) for side in zip(*pairs, strict=True))
    return Comparison(
        work=work,
        rival=RIVAL,
        amount=amount,
        things="messages",
        our_s=our_s,
        rival_s=rival_s,
        repetitions=len(pairs),
    )


def _client(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://receiver"
    )


def _plain(folder: Path) -> Starlette:
    """The receiver of a textbook."""
    database = sqlite3.connect(folder / "plain.db", check_same_thread=False)
    database.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE message (body BLOB)"
    )

    async def receive(request: Request) -> Response:
        body = await request.body()
        await request.json()
        with database:
            database.execute("INSERT INTO message VALUES (?)", (body,))
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/", receive, methods=["POST"])])


def _bodies(number: int) -> list[bytes]:
    text = '{{"messageType": "ORDER_CREATE", "messageBody": "{{\\"orderId\\": \\"{}\\"}}", "timestamp": "1779263269913"}}'
    return [
        text.format(10**17 * (number + 1) + index).encode() for index in range(MESSAGES)
    ]


async def _seconds(post: Post, number: int) -> float:
    started = time.perf_counter()
    await asyncio.gather(*map(post, _bodies(number)))
    return time.perf_counter() - started


async def _slowest(post: Post, number: int) -> float:
    began = time.perf_counter()
    took = []

    async def one(place: int, body: bytes) -> None:
        due = began + place / RATE
        await asyncio.sleep(due - time.perf_counter())
        await post(body)
        took.append(time.perf_counter() - due)

    await asyncio.gather(
        *(one(index, body) for index, body in enumerate(_bodies(100 + number)))
    )
    return quantiles(took, n=100)[98]
