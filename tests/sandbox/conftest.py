"""One world for all tests of a process, emptied and served afresh for each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from sandbox.app import Sandbox
from sandbox.server import listening
from sandbox.world import World
from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Caller


@pytest.fixture(scope="session")
def shared_sandbox() -> Sandbox:
    return Sandbox(World(seed=7))


@pytest.fixture
async def caller(shared_sandbox: Sandbox) -> AsyncIterator[Caller]:
    """A client of an empty sandbox in this process."""
    shared_sandbox.reset()
    async with listening(shared_sandbox) as origin, aiohttp.ClientSession() as session:
        yield Caller(session, origin)


@pytest.fixture
def buyer(caller: Caller) -> Buyer:
    return Buyer(caller)
