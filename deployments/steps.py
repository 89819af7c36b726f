"""The build step of prefect.yaml: what is only known where it is deployed."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from connectors.settings import SourcingSettings


def describe_site() -> dict[str, str]:
    """The folder that is deployed, the product's version, and the time zone that schedules mean."""
    return {
        "folder": str(Path.cwd()),
        "version": version("sourcing"),
        "timezone": SourcingSettings().timezone,
    }
