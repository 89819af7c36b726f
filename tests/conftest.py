"""What all tests share: real processes of the sandbox and of `sourcing`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.running import RunningSandbox, own_sandbox

os.environ["COLUMNS"] = "200"  # the terminal's width is measured once, by whichever test imports it first


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[RunningSandbox]:
    """One sandbox for the whole test session, in memory."""
    with own_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_process: RunningSandbox) -> RunningSandbox:
    """The sandbox with empty books, no faults and a full wallet."""
    sandbox_process.reset()
    return sandbox_process
