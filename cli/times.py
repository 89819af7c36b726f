"""Times as the merchant reads them: of SOURCING_TIMEZONE, which is named beside them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.settings import SourcingSettings


def zone() -> str:
    """The name of the merchant's zone, such as `UTC` or `Asia/Shanghai`."""
    return SourcingSettings().timezone


def clock_time(moment: datetime) -> str:
    """`2026-11-25 01:19:57` in the merchant's zone."""
    return f"{moment.astimezone(ZoneInfo(zone())):%Y-%m-%d %H:%M:%S}"
