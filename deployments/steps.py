"""The build step of prefect.yaml: what is only known where it is deployed."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from connectors.settings import SourcingSettings


def describe_site() -> dict[str, str]:
    """The folder that is deployed, where request files are put, the version, and the time zone that schedules mean."""
    settings = SourcingSettings()
    return {
        "folder": str(Path.cwd()),
        "inbox": str(settings.inbox),
        "version": version("sourcing"),
        "timezone": settings.timezone,
    }
