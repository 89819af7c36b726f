"""Chromium in front of a whole installation. Screenshots are kept when `SOURCING_SCREENSHOTS` names a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.deployments.conftest import installed, market, shop

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["installed", "market", "shop"]

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_MS = 120_000
Shot = Callable[[str], None]


@pytest.fixture
def page() -> Iterator[Page]:
    """One window of a real browser. It ends with the test: its event loop would be in the way of other tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page: Page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


@pytest.fixture
def shot(page: Page) -> Shot:
    """Keep what the window shows, for the documentation."""
    folder = os.environ.get("SOURCING_SCREENSHOTS")

    def keep(name: str) -> None:
        if folder:
            page.wait_for_timeout(1500)  # transitions
            page.screenshot(path=Path(folder) / f"{name}.png")

    return keep
