"""The POST of docs/programs.md, typed as it stands there, against a whole
installation.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.deployments.served import Served
from tests.needs import leave_out
from tests.running import ROOT


def posted(served: Served, *changed: tuple[str, str]) -> dict[str, Any]:
    """Run the example, with some words of it `changed`; answers the run."""
    (example,) = re.findall(
        r"```\n(.*?)```",
        (ROOT / "docs/programs.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    for old, new in changed:
        assert old in example
        example = example.replace(old, new)
    environment = {**served.environment, "PREFECT_API_URL": served.api}
    done = subprocess.run(
        ["sh", "-euc", example],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.endurance
def test_a_key_starts_one_run_for_good(market: Served) -> None:
    """It buys; asked again, also for something else, it answers the run that it
    began.
    """
    if shutil.which("curl") is None:
        leave_out("curl", "apt-get install curl")
    run = posted(market)
    repeated = posted(market)
    second = posted(market, ('"budget_cny": "500"', '"budget_cny": "1"'))
    assert [repeated["id"], second["id"], second["parameters"]["limits"]] == [
        run["id"]
    ] * 2 + [{"budget_cny": "500"}]
    ended = market.await_state(run["id"], "Completed", "Failed", "Crashed")
    assert (ended["state_name"], ended["name"]) == ("Completed", "shop-4711: 1 booked")
    assert posted(market)["state"]["name"] == "Completed"
    assert [order["reference"] for order in market.sandbox.books()["orders"]] == [
        "US-1002"
    ]
