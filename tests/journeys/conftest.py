"""A merchant with an empty data folder. All share one Prefect server, so that each run
starts in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.running import Merchant, RunningSandbox


@pytest.fixture
def merchant(
    sandbox: RunningSandbox, tmp_path: Path, prefect_url: str
) -> Iterator[Merchant]:
    with temporary_settings(
        {PREFECT_API_URL: prefect_url}
    ):  # other tests in this process have a server of their own
        yield Merchant(sandbox, tmp_path, {"PREFECT_API_URL": prefect_url})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Prefect leaves its sockets to the garbage collector when a flow's event loop
    ends.
    """
    for item in items:
        if "journeys" in item.path.parts:
            item.add_marker(
                pytest.mark.filterwarnings(
                    "ignore::pytest.PytestUnraisableExceptionWarning"
                )
            )
