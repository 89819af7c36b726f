"""Serves the page, on this machine alone unless a password is set."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from connectors.settings import SourcingSettings, is_loopback
from deployments.bounded_http import ReceiverFailed, listening, run_app
from deployments.page.app import app_of


def serve_page(host: str, port: int | None, *, say: Callable[[str], None]) -> None:
    """Answer until SIGINT or SIGTERM. Port 0 takes any free one. Raises `ReceiverFailed` or `BadSetting`."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    settings = SourcingSettings()
    url = "http://" + (f"[{host}]" if ":" in host else host)
    if not (is_loopback(url) or settings.page_password.get_secret_value()):
        raise ReceiverFailed(
            f"{host} can be reached from elsewhere, and the page shows every order and takes files that are bought: "
            "set SOURCING_PAGE_PASSWORD, or leave --host out"
        )
    with listening(host, settings.page_port if port is None else port, "the page", "SOURCING_PAGE_PORT") as listener:
        say(f"{url}:{listener.getsockname()[1]}")
        run_app(app_of(settings, {host}, lambda: datetime.now(UTC)), listener)
