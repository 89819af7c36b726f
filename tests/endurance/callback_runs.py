"""Messages and the runs that they start, with everything that `sourcing serve` starts:
soon, few, and none lost.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from sqlalchemy import func, select

from connectors.callbacks import READ_EVERY, CallbackStore, callbacks
from connectors.ledger.store import Ledger
from tasks.engine.resources import utc_now
from tests.connectors.callbacks.conftest import kept, posted, waiting
from tests.deployments.conftest import free_port, receiver
from tests.deployments.served import Served, wait_for
from tests.endurance.callbacks import RATE, Poster, verdict
from tests.endurance.lost import LostPlace
from tests.endurance.shop import new_batch
from tests.history import all_orders
from tests.running import Merchant, RunningSandbox, own_sandbox

SOON_S = 150
"""A reading begins every two minutes."""
REPEATED = 1_000
FEW_ORDERS = 50
FEW_RUNS = 3
MANY_RUNS = 20


def callbacks_start_few_runs(orders: int) -> bool:
    """One message, 1,000 about 50 orders, and one about each order while Prefect's
    server is killed.
    """
    folder = Path(tempfile.mkdtemp(prefix="endurance-runs-"))
    with own_sandbox() as sandbox, receiver(folder) as alerts:
        settings = {
            "port": free_port(),
            "sandbox_port": int(sandbox.url.rpartition(":")[2]),
            "alerts": alerts,
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        lost_place = LostPlace(
            Served(folder), None, {"SOURCING_CALLBACKS_PORT": str(free_port())}
        )
        try:
            lost_place.start()
            is_right = _few_runs(lost_place, sandbox, orders)
        finally:
            lost_place.kill()
    if is_right:
        shutil.rmtree(folder)
    return is_right


@dataclass
class Heard:
    """What the table of messages tells."""

    store: CallbackStore
    readings: set[datetime] = field(default_factory=set)

    def runs(self) -> int:
        """How many readings were seen to begin until now."""
        (newest,) = self.store.column(select(func.max(callbacks.c.read_at)))
        self.readings |= {newest} - {None}
        return len(self.readings)

    @property
    def are_apart(self) -> bool:
        """Whether no order was read twice within two minutes."""
        gaps = (later - before for before, later in pairwise(sorted(self.readings)))
        return min(gaps, default=timedelta.max) >= READ_EVERY

    @property
    def seconds(self) -> float:
        """From the first message to when its run began."""
        arrived = self.store.rows(
            select(func.min(callbacks.c.received_at).label("at"))
        )[0]["at"]
        rows = self.store.rows(select(func.min(callbacks.c.read_at).label("at")))[0][
            "at"
        ]
        return float((rows - arrived).total_seconds())

    def until_quiet(self, seconds: float) -> int:
        """How many messages still wait in the end."""
        deadline = time.monotonic() + seconds
        while (remaining := waiting(self.store)) and time.monotonic() < deadline:
            self.runs()
            time.sleep(0.5)
        return remaining


def _few_runs(lost_place: LostPlace, sandbox: RunningSandbox, orders: int) -> bool:
    merchant = Merchant(sandbox, lost_place.shop.folder, {})
    bought = merchant.start(
        "run", new_batch(sandbox, lost_place.shop.folder, orders), "--yes", "--json"
    )
    _, errors = bought.communicate(timeout=1800)
    assert bought.returncode in (0, 3), errors
    ledger_url = f"sqlite:///{lost_place.shop.data_dir / 'ledger.db'}"
    with Ledger(ledger_url, clock=utc_now, owner="looks") as ledger:
        ids = [
            order.order_id for order in all_orders(ledger).values() if order.order_id
        ]
    with CallbackStore(ledger_url, clock=utc_now) as store:
        poster = Poster(
            f"http://127.0.0.1:{lost_place.settings['SOURCING_CALLBACKS_PORT']}/callbacks/{store.new_token()}"
        )
        heard = Heard(store)
        right = [
            _one_is_heard_soon(heard, poster, ids[0]),
            _many_of_few_orders(heard, poster, ids[:FEW_ORDERS]),
        ]
        right.append(asyncio.run(_one_of_each(lost_place.shop, heard, poster, ids)))
    return all(right)


def _one_is_heard_soon(heard: Heard, poster: Poster, order_id: str) -> bool:
    asyncio.run(poster.post_all([posted(order_id)], RATE))
    remaining = heard.until_quiet(300)
    is_right = not remaining and heard.seconds <= SOON_S
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    print(
        f"runs  one message: its run began after {heard.seconds:.1f} s, load {load:.1f} a core: {verdict(is_right)}",
        flush=True,
    )
    return is_right


def _many_of_few_orders(heard: Heard, poster: Poster, ids: Sequence[str]) -> bool:
    before = heard.runs()
    asyncio.run(
        poster.post_all(
            [posted(ids[n % len(ids)], at=n) for n in range(REPEATED)], RATE
        )
    )
    remaining = heard.until_quiet(600)
    runs = heard.runs() - before
    is_right = not remaining and runs <= FEW_RUNS and heard.are_apart
    print(
        f"runs  {REPEATED:,} messages of {len(ids)} orders: {runs} runs, {remaining} left: {verdict(is_right)}",
        flush=True,
    )
    return is_right


async def _one_of_each(
    shop: Served, heard: Heard, poster: Poster, ids: Sequence[str]
) -> bool:
    before = heard.runs()
    bodies = [
        posted(order_id, at=REPEATED + number) for number, order_id in enumerate(ids)
    ]

    async def killed_meanwhile() -> None:
        while heard.runs() == before:  # noqa: ASYNC110 - a count has no event
            await asyncio.sleep(0.2)
        os.kill(server := shop.part("server"), signal.SIGKILL)
        await asyncio.to_thread(
            wait_for,
            lambda: shop.part("server") != server,
            seconds=60,
        )

    await asyncio.gather(poster.post_all(bodies, RATE), killed_meanwhile())
    thread = await asyncio.to_thread(heard.until_quiet, 900 + len(ids) / 5)
    lost = len({*bodies} - kept(heard.store))
    runs = heard.runs() - before
    is_right = not (thread or lost) and runs <= MANY_RUNS and heard.are_apart
    message = f"{len(ids):,} messages of as many orders, the server killed: {runs} runs, {lost} lost, {thread} left"
    print(f"runs  {message}: {verdict(is_right)}", flush=True)
    return is_right
