"""Signals to `sourcing serve` and its parts while a run buys: what is started again,
what goes on, and that nothing is left behind or paid twice.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deployments.serving import descendants_of
from tests.deployments.conftest import free_port, receiver
from tests.deployments.served import Served, wait_for
from tests.endurance.lost import LostPlace
from tests.running import RunningSandbox, own_sandbox, single_line_orders, write_csv

ORDERS = {"taobao": 20}
PAYMENT_S = 1.0
AGAIN_WITHIN_S = 60
ENDS_WITHIN_S = 30
BOUGHT_WITHIN_S = 180


@dataclass(frozen=True, kw_only=True)
class Blow:
    """A signal, to whom, and whether the run that buys goes on by itself."""

    victim: Literal["serve", "server", "worker", "all"]
    signal: signal.Signals
    run_goes_on: bool

    @property
    def words(self) -> str:
        return f"{self.victim:6} {self.signal.name:7}"


BLOWS = (
    Blow(victim="server", signal=signal.SIGKILL, run_goes_on=True),
    Blow(victim="server", signal=signal.SIGTERM, run_goes_on=True),
    Blow(victim="worker", signal=signal.SIGKILL, run_goes_on=True),
    Blow(victim="worker", signal=signal.SIGTERM, run_goes_on=False),
    Blow(victim="serve", signal=signal.SIGTERM, run_goes_on=False),
    Blow(victim="serve", signal=signal.SIGINT, run_goes_on=False),
    Blow(victim="serve", signal=signal.SIGKILL, run_goes_on=False),
    Blow(victim="all", signal=signal.SIGKILL, run_goes_on=False),
)


def serve_outlives(blows: Sequence[Blow] = BLOWS) -> bool:
    """Each on a new data folder; a line each."""
    right = 0
    for blow in blows:
        message, faults = _strike(blow)
        print(
            f"restarts   {blow.words} {message}; {'; '.join(faults) or 'right'}",
            flush=True,
        )
        right += not faults
    print(f"restarts: {right} of {len(blows)} right", flush=True)
    return right == len(blows)


def _strike(blow: Blow) -> tuple[str, list[str]]:
    folder = Path(tempfile.mkdtemp(prefix="endurance-restarts-"))
    with own_sandbox() as sandbox, receiver(folder) as alerts:
        settings = {
            "port": free_port(),
            "sandbox_port": int(sandbox.url.rpartition(":")[2]),
            "alerts": alerts,
            "environment": {
                "SOURCING_PAGE_PORT": str(free_port()),
                "SOURCING_CHUNK_SIZE": "5",
                "SOURCING_CONCURRENCY": "1",
            },
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        location = LostPlace(Served(folder), None)
        location.start()
        try:
            return _struck(blow, location, sandbox)
        finally:
            location.kill()


def _struck(
    blow: Blow, lost_place: LostPlace, sandbox: RunningSandbox
) -> tuple[str, list[str]]:
    shop = lost_place.shop
    assert lost_place.process
    sandbox.faults(
        {"path": "*pay*", "kind": "latency", "probability": 1, "delay_s": PAYMENT_S}
    )
    run_id = _buy(shop, sandbox)
    wait_for(lambda: len(sandbox.books()["payments"]) > 1)
    serve = lost_place.process.pid
    below = descendants_of(serve)
    victims = {
        "all": [serve, *below],
        "serve": [serve],
    }.get(blow.victim) or [shop.part(blow.victim)]
    began = time.monotonic()
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, blow.signal)
    faults: list[str] = []
    if blow.victim in ("serve", "all"):
        code = lost_place.process.wait(ENDS_WITHIN_S)
        clean = 0 if blow.signal is not signal.SIGKILL else -signal.SIGKILL
        faults += [f"serve ended with {code}"] if code != clean else []
        ended_s = _until(lambda: not _alive(below), began, ENDS_WITHIN_S)
        text = f"all ended after {_seconds(ended_s)}"
        faults += [] if ended_s is not None else ["processes are left behind"]
        lost_place.start()
    else:
        again_s = _until(
            lambda: shop.part(blow.victim) != victims[0], began, AGAIN_WITHIN_S
        )
        text = f"started again after {_seconds(again_s)}"
        faults += [] if again_s is not None else ["not started again"]
    answers_s = _until(lambda: bool(_state(shop, run_id)), began, AGAIN_WITHIN_S)
    text += f", the API answers after {_seconds(answers_s)}"
    if blow.run_goes_on:
        faults += _unbought(sandbox)
    state = wait_for(lambda: _state(shop, run_id))
    payments = len(sandbox.books()["payments"])
    text += f", the run is {state}, {payments} of {sum(ORDERS.values())} paid"
    if any(order["paid_times"] > 1 for order in sandbox.books()["orders"]):
        faults.append("paid twice")
    return text, faults


def _buy(shop: Served, sandbox: RunningSandbox) -> str:
    file = write_csv(shop.folder / "batch.csv", single_line_orders(sandbox, ORDERS))
    return shop.start(
        "buy-from-file/buy-from-file",
        requests={"file": str(file)},
        dry_run=False,
        yes=True,
        batch="struck",
    )


def _unbought(sandbox: RunningSandbox) -> list[str]:
    """A run that goes on buys everything."""
    count = sum(ORDERS.values())
    with suppress(AssertionError):
        wait_for(
            lambda: len(sandbox.books()["payments"]) == count, seconds=BOUGHT_WITHIN_S
        )
        return []
    return [f"only {len(sandbox.books()['payments'])} of {count} were paid"]


def _alive(pids: set[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}/fd/0").exists()]


def _state(shop: Served, run_id: str) -> str:
    with suppress(OSError):
        return str(shop.run(run_id)["state_name"])
    return ""


def _until(came: Callable[[], bool], began: float, within_s: float) -> float | None:
    with suppress(AssertionError):
        wait_for(came, seconds=within_s)
        return time.monotonic() - began
    return None


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f} s"
