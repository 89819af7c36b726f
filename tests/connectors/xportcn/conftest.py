"""Servers and clients for the connector's tests."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from connectors.xportcn.client import XportcnClient
from tests.connectors.xportcn.fake_service import FakeService, fake_service
from tests.connectors.xportcn.orders import Naps, client_of
from tests.connectors.xportcn.sandbox_process import Sandbox, running_sandbox


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account in the environment must not reach the tests."""
    for name in [name for name in os.environ if name.startswith("XPORTCN_")]:
        monkeypatch.delenv(name)


@pytest_asyncio.fixture
async def service() -> AsyncIterator[FakeService]:
    async with fake_service() as running:
        yield running


@pytest_asyncio.fixture
async def naps() -> Naps:
    return Naps()


@pytest_asyncio.fixture
async def client(service: FakeService, naps: Naps) -> AsyncIterator[XportcnClient]:
    async with client_of(service.url, naps=naps) as running:
        yield running


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Sandbox:
    """The sandbox with empty books and no faults."""
    sandbox_process.reset()
    return sandbox_process


@pytest_asyncio.fixture
async def live(sandbox: Sandbox) -> AsyncIterator[XportcnClient]:
    """A client of the sandbox."""
    async with client_of(sandbox.url) as running:
        yield running
