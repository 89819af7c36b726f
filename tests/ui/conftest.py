"""Chromium in front of a whole installation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.deployments.conftest import installed, market, shop
from tests.ui.browser import chromium, window

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["installed", "market", "shop"]


@pytest.fixture
def page() -> Iterator[Page]:
    """One window of a real browser. It ends with the test: its event loop would be in the way of other tests."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if chromium() is None:
        pytest.skip("no Chromium is installed")
    with window() as page:
        yield page
