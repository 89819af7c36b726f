"""The service as httpx reaches it out of the box: signed, parsed, and nothing more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx

from benchmarks.replay import signed
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.envelope import open_envelope
from connectors.xportcn.operations.operation import Call
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Claim
from sandbox.app import LOGISTICS


class PlainClient:
    """As much of the product's client as channels ask for, over an `httpx.AsyncClient`
    with its defaults.
    """

    def __init__(self, settings: XportcnSettings, http: httpx.AsyncClient) -> None:
        self.settings = settings
        self._http = http

    async def read(self, call: Call[Any, Any], request: Any) -> Any:
        return await self._made(call, request)

    async def effect(self, call: Call[Any, Any], request: Any, *, claim: Claim) -> Any:
        return await self._made(call, request)

    async def _made(self, call: Call[Any, Any], request: Any) -> Any:
        headers, timestamp = signed()
        is_logistics = call.path.startswith(LOGISTICS)
        query = (
            {"timestamp": timestamp, "sign": headers["signature"]}
            if is_logistics
            else {}
        )
        if call.method == "GET":
            answer = await self._http.get(
                call.path, params={**request.query(), **query}, headers=headers
            )
        else:
            answer = await self._http.post(
                call.path, params=query, content=request.body(), headers=headers
            )
        envelope = open_envelope(answer.content)
        if envelope is None or not envelope.ok:
            raise RuntimeError(f"{call.path}: {answer.text}")
        return call.parse(envelope.data)


@asynccontextmanager
async def plain_client() -> AsyncIterator[XportcnClient]:
    settings = XportcnSettings()
    async with httpx.AsyncClient(base_url=settings.base_url) as http:
        yield cast(XportcnClient, PlainClient(settings, http))
