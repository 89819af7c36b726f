"""Addresses of pages of the Prefect UI, for links in messages, reports and the
terminal.

All lead to the UI's second version, under `/v2`: without that the server answers some
paths with the first one. Without a known UI each address is empty, and no link is
shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

TEMPORARY = "SOURCING_TEMPORARY_SERVER"
"""Set while this process's server ends with its commands: links to it would not open
later.
"""
WHAT_WAITS = "what-waits"
"""The key of the artifact with everything that waits for a person."""


def ui_address() -> str:
    """The address of the Prefect UI without a final slash: PREFECT_UI_URL, else the
    API's host; or empty.

    A password in it stays out of links.
    """
    ui_url = os.environ.get("PREFECT_UI_URL") or os.environ.get(
        "PREFECT_API_URL", ""
    ).rstrip("/").removesuffix("/api")
    scheme, _, address = ui_url.rstrip("/").removesuffix("/v2").partition("://")
    host, slash, path = address.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}" if address else ""


def run_page(run_id: UUID | str) -> str:
    """The page of a flow run."""
    return _page(f"runs/flow-run/{run_id}")


def run_form(
    deployment_id: UUID | str, parameters: Mapping[str, Any] | None = None
) -> str:
    """The form of a run, filled with these parameters. The address shows them: no
    names, no pasted lines.
    """
    query = ""
    if parameters:
        filled = json.dumps(parameters, ensure_ascii=False)
        query = f"?parameters={quote(filled, safe='')}"
    return _page(f"deployments/deployment/{deployment_id}/run{query}")


def artifact_page(key: str) -> str:
    """The page of an artifact: it shows the newest of this key, and all earlier
    ones.
    """
    return _page(f"artifacts/key/{key}")


def _page(path: str) -> str:
    ui = ui_address()
    return f"{ui}/v2/{path}" if ui else ""
