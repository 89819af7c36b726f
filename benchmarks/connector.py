"""Signed reads through the connector, against httpx with the transport that it brings
along and bare aiohttp.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import aiohttp
import httpx

from benchmarks.measuring import Comparison, compare
from connectors.once_transport import OnceTransport
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.envelope import open_envelope
from connectors.xportcn.operations.taobao_product import PRODUCT, ProductRequest
from connectors.xportcn.settings import XportcnSettings
from connectors.xportcn.signing import SignatureAuth

CALLS = 1_000
CONNECTIONS = 32


def run() -> list[Comparison]:
    with sandbox() as url:
        settings = XportcnSettings(base_url=url)
        items = catalogue(url)
        requests = [
            ProductRequest(item_id=items[index % len(items)]) for index in range(CALLS)
        ]
        return [
            compare(
                lambda: asyncio.run(through_the_connector(settings, requests)),
                lambda: asyncio.run(through_plain_httpx(settings, requests)),
                work=f"signed and parsed product reads over {CONNECTIONS} connections",
                rival="httpx's own transport",
                amount=CALLS,
                things="calls",
                repetitions=3,
            ),
            compare(
                lambda: asyncio.run(through_the_connector(settings, requests)),
                lambda: asyncio.run(through_bare_aiohttp(settings, requests)),
                work="the same reads",
                rival="bare aiohttp: signed, JSON read, no models",
                amount=CALLS,
                things="calls",
                repetitions=3,
            ),
            compare(
                lambda: asyncio.run(through_the_transport(settings, requests)),
                lambda: asyncio.run(through_bare_aiohttp(settings, requests)),
                work="the same reads over the transport alone: signed, JSON read, no models",
                rival="bare aiohttp",
                amount=CALLS,
                things="calls",
                repetitions=3,
            ),
        ]


@contextmanager
def sandbox() -> Iterator[str]:
    """A sandbox in memory, in a process of its own."""
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        text = process.stdout.readline().split()
        try:
            yield text[text.index("on") + 1]
        finally:
            process.terminate()


def catalogue(url: str) -> list[str]:
    with urlopen(
        f"{url}/_sandbox/catalogue?marketplace=taobao&limit=200", timeout=30
    ) as answer:
        return [item["item_id"] for item in json.load(answer)["items"]]


async def through_the_connector(
    settings: XportcnSettings, requests: list[ProductRequest]
) -> None:
    async with XportcnClient(settings) as client:

        async def read(request: ProductRequest) -> None:
            await client.read(PRODUCT, request)

        await all_of(requests, read)


async def through_plain_httpx(
    settings: XportcnSettings, requests: list[ProductRequest]
) -> None:
    """The same signature, address and models; only the transport is another."""
    limits = httpx.Limits(
        max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS
    )
    auth = SignatureAuth(settings, clock=time.time)
    async with httpx.AsyncClient(
        base_url=settings.base_url, auth=auth, limits=limits, trust_env=False
    ) as client:

        async def read(request: ProductRequest) -> None:
            answer = await client.get(PRODUCT.path, params=request.query())
            envelope = open_envelope(answer.content)
            assert envelope is not None
            PRODUCT.parse(envelope.data)

        await all_of(requests, read)


async def through_the_transport(
    settings: XportcnSettings, requests: list[ProductRequest]
) -> None:
    """The same work as bare aiohttp's, over the product's transport."""
    auth = SignatureAuth(settings, clock=time.time)
    url = settings.base_url + PRODUCT.path
    async with OnceTransport() as transport:

        async def read(request: ProductRequest) -> None:
            answer = await transport.handle_async_request(
                httpx.Request(
                    "GET", url, params=request.query(), headers=auth.headers()
                )
            )
            assert json.loads(await answer.aread())["code"] == 200
            await answer.aclose()

        await all_of(requests, read)


async def through_bare_aiohttp(
    settings: XportcnSettings, requests: list[ProductRequest]
) -> None:
    """The floor: nothing is checked, and nothing stands between the call and the
    wire.
    """
    auth = SignatureAuth(settings, clock=time.time)
    url = settings.base_url + PRODUCT.path
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS)
    ) as session:

        async def read(request: ProductRequest) -> None:
            async with session.get(
                url, params=request.query(), headers=auth.headers()
            ) as answer:
                assert (await answer.json())["code"] == 200

        await all_of(requests, read)


async def all_of(
    requests: list[ProductRequest], read: Callable[[ProductRequest], Awaitable[None]]
) -> None:
    """Every request once, by as many workers as there are connections."""
    waiting = iter(requests)

    async def worker() -> None:
        for request in waiting:
            await read(request)

    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
