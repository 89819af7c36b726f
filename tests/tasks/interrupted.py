"""Sends A-1, whose answer comes after Ctrl-C was pressed by a test: `-m
tests.tasks.interrupted FOLDER`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from connectors.ledger.records import OrderRecord
from connectors.ledger.send_log import SendLog
from connectors.ledger.store import Ledger
from connectors.xportcn.breaker import CircuitBreaker
from domain.effects import Claim
from tasks.effects.kind import Proof
from tasks.effects.protocol import perform
from tests.connectors.ledger.plans import intents
from tests.tasks.conftest import resources_on
from tests.tasks.test_effects import FakeKind, FakeService

main_task = set[asyncio.Task[None]]()


def pressed() -> bool:
    return any(task.cancelling() for task in main_task)


class Slow(FakeKind):
    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        print("sending", flush=True)
        while not pressed():  # noqa: ASYNC110 - a signal sets no event
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)  # in the meantime it is heard
        return await self.service.send(claim, order)


async def main(folder: Path) -> None:
    main_task.add(cast(Any, asyncio.current_task()))
    clock = cast(Any, lambda: datetime.now(UTC))
    with (
        SendLog(folder / "sends") as log,
        Ledger(f"sqlite:///{folder}/ledger.db", clock=clock, owner=log.owner) as one,
    ):
        resources = resources_on(one, folder, clock)
        cast(Any, resources.client).breaker = CircuitBreaker(at_once=1)
        await perform(
            Slow(resources, FakeService()),
            intents("A-1", "A-2"),
            one.orders(["A-1", "A-2"]),
        )


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell's background commands ignore it
    asyncio.run(main(Path(sys.argv[1])))
