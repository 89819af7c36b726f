"""Chromium in front of a whole installation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.deployments.conftest import installed, market, served, shop
from tests.needs import leave_out
from tests.ui.browser import chromium, window

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["installed", "market", "served", "shop"]


@pytest.fixture
def page() -> Iterator[Page]:
    """One window of a real browser. It ends with the test: its event loop would be in
    the way of other tests.
    """
    if chromium() is None:
        leave_out("Chromium", "apt-get install chromium")
    with window() as page:
        yield page
