"""Starts finish-open as soon as the ledger says that something is due: Prefect's
schedules start it every ten minutes whether it is or not.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

import httpx

from connectors.due_work import is_anything_due
from connectors.ledger.engine import LedgerUnusable
from connectors.settings import SourcingSettings

NAME = "finish-open/finish-open"
STARTS_EVERY_S = 30.0
"""A run that was started begins within seconds, and then holds the lease."""


class SweepStarter:
    """Asks the ledger, and Prefect's server for a run. `url` is the server's API."""

    def __init__(self, url: str, settings: SourcingSettings) -> None:
        self._url = url
        self._settings = settings
        self._starts_at = 0.0

    def start_when_due(self) -> None:
        """Start a run where something is due. A ledger or a server that does not answer
        is asked again.
        """
        if time.monotonic() < self._starts_at:
            return
        try:
            if is_anything_due(self._settings, clock=lambda: datetime.now(UTC)):
                self._start()
                self._starts_at = time.monotonic() + STARTS_EVERY_S
        except (LedgerUnusable, OSError, httpx.HTTPError):
            return

    def _start(self) -> None:
        auth = os.environ.get("PREFECT_API_AUTH_STRING", "")
        name, _, password = auth.partition(":")
        login = httpx.BasicAuth(name, password) if auth else None
        with httpx.Client(base_url=self._url, auth=login, timeout=5) as client:
            deployment = (
                client.get(f"/deployments/name/{NAME}").raise_for_status().json()
            )
            if not deployment["paused"]:
                path = f"/deployments/{deployment['id']}/create_flow_run"
                client.post(path, json={}).raise_for_status()
