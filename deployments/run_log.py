"""The log of a run in Prefect's UI, without the lines of Prefect about how it came into
its folder.

`prefect.yaml` names it to the runs by PREFECT_LOGGING_HANDLERS_API_CLASS: their pull
steps are over before a flow of ours is loaded and could configure logs.
"""

from __future__ import annotations

import logging

from prefect.logging.handlers import APILogHandler

OF_NO_INTEREST = (
    "Running 1 deployment pull step",
    "Executing deployment step:",
    "All deployment steps completed",
)


class RunLog(APILogHandler):
    """Prefect's own handler but for those lines; a failing step is an error, and
    shown.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if not is_noise(record):
            super().emit(record)


def is_noise(record: logging.LogRecord) -> bool:
    words = record.getMessage()
    of_a_step = words.startswith("Deployment step '") and words.endswith(
        "completed successfully"
    )
    return record.levelno <= logging.INFO and (
        of_a_step or words.startswith(OF_NO_INTEREST)
    )
