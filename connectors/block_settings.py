"""When the account comes from a Prefect block. Prefect is loaded only then."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from connectors.settings import MissingSetting, is_loopback


def from_block(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the Prefect block says: the one that is named, or in a deployed flow run the one called `default`."""
    named = os.environ.get("XPORTCN_CREDENTIALS_BLOCK", "")
    is_deployed_run = "PREFECT__FLOW_RUN_ID" in os.environ
    has_account = any(given.get(name) for name in ("access_key", "access_secret", "user_id"))
    if has_account or is_loopback(str(given.get("base_url", ""))) or not (named or is_deployed_run):
        return {}
    from connectors.credentials_block import settings_from_block

    found = settings_from_block(named or "default")
    if found is None and named:
        raise MissingSetting(
            f"XPORTCN_CREDENTIALS_BLOCK names {named!r}, and Prefect has no Xportcn Credentials so named"
        )
    return found or {}
