"""The build step of prefect.yaml: values that are only known where it is deployed."""

from __future__ import annotations

from pathlib import Path

from connectors.settings import SourcingSettings
from domain.request_cells import COLUMNS
from sourcing.version import version

EXAMPLE = "\n".join(",".join(cells) for cells in zip(*((one.name, one.example) for one in COLUMNS), strict=True))


def describe_site() -> dict[str, str]:
    """The folder that is deployed, where request files are put, the version, and the time zone that schedules mean.

    And the header and a row of a request file, for the description of what starts from one.
    """
    settings = SourcingSettings()
    return {
        "folder": str(Path.cwd()),
        "inbox": str(settings.inbox),
        "version": version(),
        "timezone": settings.timezone,
        "example": EXAMPLE,
    }
