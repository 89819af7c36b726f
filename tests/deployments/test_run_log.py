"""What of a run's log is shown in the UI."""

from __future__ import annotations

import logging

import pytest

from deployments.run_log import is_noise


@pytest.mark.parametrize(
    ("level", "words", "noise"),
    [
        (logging.INFO, "Running 1 deployment pull step(s)", True),
        (logging.INFO, "Executing deployment step: set_working_directory", True),
        (
            logging.INFO,
            "Deployment step 'set_working_directory' completed successfully",
            True,
        ),
        (logging.INFO, "All deployment steps completed successfully", True),
        (logging.ERROR, "Executing deployment step: git_clone failed", False),
        (logging.INFO, "Batch thousand: 1,000 orders to buy", False),
    ],
)
def test_how_a_run_came_into_its_folder_is_of_no_interest(
    level: int, words: str, *, noise: bool
) -> None:
    assert (
        is_noise(
            logging.LogRecord("prefect.flow_runs", level, "", 0, words, None, None)
        )
        == noise
    )
