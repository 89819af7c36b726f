"""The Prefect server goes away in the middle of a run that spends money."""

from __future__ import annotations

import json
import time

import pytest

from tests.journeys.cut_line import line_to
from tests.running import (
    PATIENCE_S,
    Merchant,
    assert_books_are_exact,
    single_line_orders,
    write_csv,
)


@pytest.mark.endurance
def test_a_run_ends_as_planned_without_its_prefect_server(
    merchant: Merchant, prefect_url: str
) -> None:
    """Everything is bought and booked once, the report is printed, and the process
    ends.
    """
    rows = single_line_orders(merchant.sandbox, {"taobao": 12})
    file = write_csv(merchant.folder / "requests.csv", rows)
    merchant.sandbox.faults(
        {"path": "*", "kind": "latency", "probability": 1, "delay_s": 0.2}
    )
    with line_to(prefect_url) as line:
        prefect = {
            "PREFECT_API_URL": line.url,
            "PREFECT_CLIENT_MAX_RETRIES": "0",
        }  # it tries for a minute else
        run = merchant.start(
            "run", file, "--yes", "--json", "--chunk-size", "4", **prefect
        )
        while not merchant.sandbox.books()["orders"] and run.poll() is None:
            time.sleep(0.05)
        line.cut()
        out, err = run.communicate(timeout=PATIENCE_S)
    merchant.sandbox.faults()
    assert run.returncode == 0, err
    assert "the Prefect server went away" in err
    report = json.loads(out)
    assert report["counts"] == {"booked": 12}
    assert_books_are_exact(merchant.sandbox.books(), report)
