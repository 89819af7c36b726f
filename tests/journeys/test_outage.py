"""A run while the service goes away, throttles, or fails for one order alone; what
Prefect shows of it.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import PrefectClient

from tests.journeys.seen_in_prefect import events_of, newest_run
from tests.kept_sandbox import kept_sandbox
from tests.running import (
    Merchant,
    RunningSandbox,
    assert_books_are_exact,
    single_line_orders,
    write_csv,
)
from tests.weather import Fall, Weather, weather_over

STEPS = {
    "search": Fall(path="/open/product/get"),
    "preview": Fall(path="/open/purchase/render"),
    "create": Fall(path="/orderEstimateFreight", after=True, for_s=4),
    "pay": Fall(path="/open/purchase/create", after=True, for_s=4),
    "render freight": Fall(path="/orderRenderFreight"),
    "book": Fall(path="/orderRenderFreight", after=True, for_s=4),
    "track": Fall(path="/open/order/logistics/detail/get"),
}
"""When the service goes away so that a step meets it, with none of its own effects on
the wire.
"""
SHORT = {
    "connectors.xportcn.breaker.MIN_PROBE_S": 0.1,
    "connectors.xportcn.breaker.MIN_THROTTLED_S": 0.1,
    "connectors.xportcn.failures.BASE_S": 0.02,
    "tasks.effects.protocol.FIRST_PAUSE_S": 0.02,
    "tasks.effects.protocol.LONGEST_PAUSE_S": 0.3,
    "tasks.engine.retrying.DELAYS_S": (0.1,),
}
CALLS_OF_AN_ORDER = 10
SCALED = {"SOURCING_PATIENCE_S": "60"}


@pytest.fixture
def weather(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Weather]:
    """In front of the sandbox; a second is long, and a service that is back is noticed
    soon.
    """
    for name, value in SHORT.items():
        monkeypatch.setattr(name, value)
    with weather_over(sandbox.url) as weather:
        yield weather


@pytest.fixture
def waiting(merchant: Merchant, weather: Weather) -> Merchant:
    """A merchant whose runs have patience."""
    return Merchant(
        RunningSandbox(weather.url), merchant.folder, {**merchant.settings, **SCALED}
    )


def taobao_orders(sandbox: RunningSandbox, folder: Path, count: int) -> Path:
    return write_csv(
        folder / "requests.csv", single_line_orders(sandbox, {"taobao": count})
    )


def states_of(url: str, run_ids: list[str]) -> dict[str, list[str]]:
    """The names of the states that the one task run of each step went through, once all
    of them are written down.
    """

    async def asked() -> dict[str, list[str]]:
        async with asyncio.timeout(60), PrefectClient(url) as client:
            of_runs = {"flow_runs": {"id": {"any_": run_ids}}}
            while True:
                states: dict[str, list[str]] = {}
                for run in (
                    await client.request("POST", "/task_runs/filter", json=of_runs)
                ).json():
                    response = await client.request(
                        "GET", "/task_run_states/", params={"task_run_id": run["id"]}
                    )
                    step = run["name"].removesuffix(" 1–1 of 1")
                    assert step not in states, "two task runs of one step"
                    states[step] = [state["name"] for state in response.json()]
                if states.keys() >= STEPS.keys() and all(
                    state[-1] == "Completed" for state in states.values()
                ):
                    return states
                await asyncio.sleep(0.2)

    return asyncio.run(asked())


@pytest.mark.endurance
def test_each_step_waits_for_the_service_and_goes_on(
    waiting: Merchant, weather: Weather, sandbox: RunningSandbox, prefect_url: str
) -> None:
    """Seven outages in a row: in each the same task run is *AwaitingRetry*, then
    *Completed*; bought once.
    """
    file = taobao_orders(sandbox, waiting.folder, 1)
    weather.falls += [fall for step, fall in STEPS.items() if step != "track"]
    report = waiting.report("run", file, "--yes")
    bought = newest_run(prefect_url)
    assert report["counts"] == {"booked": 1}, report
    assert_books_are_exact(sandbox.books(), report)
    sandbox.advance(2 * 86_400)
    weather.falls.append(STEPS["track"])
    assert waiting.report("track")["moved"]
    followed = newest_run(prefect_url)
    assert weather.falls == []
    states = states_of(prefect_url, [bought.run_id, followed.run_id])
    for step in STEPS:
        assert states[step][:4] == [
            "Pending",
            "Running",
            "AwaitingRetry",
            "Retrying",
        ], (step, states[step])
        assert states[step][-1] == "Completed"
    events = events_of(prefect_url, bought, 14)
    assert [
        events.count(f"sourcing.service.{name} the service")
        for name in ("away", "back")
    ] == [6, 6]


def test_one_order_that_always_fails_holds_up_nobody(
    waiting: Merchant, weather: Weather, sandbox: RunningSandbox
) -> None:
    """Its create is answered by 500, always: the service is there, so nobody waits, and
    it alone is left.
    """
    weather.fails_on["/open/purchase/create/v2"] = b"taobao-003"
    report = waiting.report("run", taobao_orders(sandbox, waiting.folder, 8), "--yes")
    assert report["counts"] == {"booked": 7, "unknown": 1}
    assert weather.calls["/open/purchase/create/v2"] == 8
    assert report["broken_off"] == ""


@pytest.mark.parametrize(
    ("share", "retry_after"),
    [pytest.param(0.3, "", marks=pytest.mark.endurance), (1.0, "1")],
)
def test_a_storm_of_429_holds_nobody(
    waiting: Merchant,
    weather: Weather,
    sandbox: RunningSandbox,
    share: float,
    retry_after: str,
) -> None:
    """All booked by the one run, and the service is not asked much more often than
    without the storm.
    """
    file = taobao_orders(sandbox, waiting.folder, 20)
    weather.throttle(share, 3, retry_after)
    done = waiting.sourcing("run", file, "--yes", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["counts"] == {"booked": 20}
    assert weather.throttled
    assert weather.calls.total() <= 3 * (1 + 20 * CALLS_OF_AN_ORDER)


@pytest.mark.endurance
def test_a_service_that_is_killed_costs_no_more_than_what_was_on_the_wire(
    merchant: Merchant, tmp_path: Path
) -> None:
    """`kill -9` while orders are created, and started again: the run ends by itself,
    and buys nothing twice.
    """
    with kept_sandbox(tmp_path / "sandbox.db") as sandbox:
        waiting = Merchant(sandbox.running, tmp_path, {**merchant.settings, **SCALED})
        file = taobao_orders(sandbox.running, tmp_path, 30)

        def fall() -> None:
            while len(sandbox.running.books()["orders"]) < 5:
                time.sleep(0.01)
            sandbox.kill()
            time.sleep(3)
            sandbox.start()

        falling = threading.Thread(target=fall)
        falling.start()
        done = waiting.sourcing(
            "run", file, "--yes", "--json", "--concurrency", "4", "--chunk-size", "15"
        )
        falling.join()
        report = json.loads(done.stdout)
        assert_books_are_exact(sandbox.running.books(), report)
    assert "Ctrl-C is safe, nothing is lost" in done.stderr
    assert "the service is back after" in done.stderr
    lost = report["counts"].get("unknown", 0)
    assert lost <= 4
    assert (done.exit_code, report["counts"]["booked"]) == (3 if lost else 0, 30 - lost)


def test_a_run_that_loses_patience_ends_in_order(
    waiting: Merchant, weather: Weather, sandbox: RunningSandbox
) -> None:
    """Exit 3 with a snapshot; the outage is told once, and each order says what happens
    next.
    """
    weather.falls.append(Fall(path="/orderEstimateFreight", after=True, for_s=40))
    file = taobao_orders(sandbox, waiting.folder, 3)
    done = waiting.sourcing(
        "run", file, "--yes", "--json", "--concurrency", "1", SOURCING_PATIENCE_S="2"
    )
    assert done.exit_code == 3, done.stderr
    report = json.loads(done.stdout)
    assert report["counts"] == {"planned": 3}
    assert report["broken_off"].startswith("The service is away (")
    assert report["broken_off"].endswith(
        "(SOURCING_PATIENCE_S is 2): 3 orders are left, 3 planned"
    )
    assert report["snapshot_id"]
    assert {
        order["reason"] for order in report["orders"]
    } <= {  # how far each came before the fall
        "left as it is, since the service was away: run again, or: sourcing finish",
        "not looked up yet (the service was away)",
    }
    assert sandbox.books()["orders"] == []


def test_a_run_begins_nothing_after_its_time(
    merchant: Merchant, sandbox: RunningSandbox
) -> None:
    """The time is over before it began: everything is left, each order says so, and
    nothing is bought.
    """
    file = taobao_orders(sandbox, merchant.folder, 2)
    done = merchant.sourcing(
        "run", file, "--yes", "--json", "--done-by", "2026-01-01 06:00"
    )
    report = json.loads(done.stdout)
    assert (done.exit_code, report["counts"]) == (3, {"planned": 2})
    assert (
        report["broken_off"]
        == "It was to be done by 2026-01-01 06:00 UTC: 2 orders are left, 2 planned"
    )
    assert sandbox.books()["orders"] == []
