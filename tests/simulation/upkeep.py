"""Scripts about remedies, parcels, callbacks and failed runs: what is told then is no
order's reason.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import AsyncMock, patch

from prefect.client.schemas.objects import State

from connectors.callbacks.store import CallbackStore
from connectors.callbacks.tickets import Tickets
from deployments.receiver import read_arrival
from domain.received import CallbackKind, CallbackState
from flows.buy_from_file import buy_from_file
from flows.callbacks import handle_callbacks
from flows.cancel_orders import cancel
from flows.prefect_ui import expected_errors
from flows.prefect_ui.parameters import Requests
from flows.prefect_ui.remedy_parameters import CHANGED_MY_MIND
from flows.sync_tracking import track
from sandbox.lifecycle import coming_parcel
from tasks import snapshot
from tasks.engine.resources import Resources
from tasks.parcels_received import received_parcels
from tests.history import all_orders
from tests.simulation.scene import Scene
from tests.simulation.scripts import HOUR_S, Script

CHUNK = 50


def flow_run(flow: Any, **asked: Any) -> Script:
    """A flow as Prefect runs it, with the scene's resources and the code of its
    failure.
    """

    async def script(scene: Scene) -> None:
        async def work(resources: Resources) -> object:
            @asynccontextmanager
            async def opened(**_: object) -> AsyncIterator[Resources]:
                yield resources

            failed = AsyncMock(side_effect=scene.meets)
            with (
                patch.object(sys.modules[flow.fn.__module__], "opened", opened),
                patch.object(expected_errors, "_label", failed),
            ):
                done = await flow.fn(**asked)
                return done.data if isinstance(done, State) else done

        await scene.does(work)

    return script


def writing_fails(error: Exception, then: Script) -> Script:
    async def script(scene: Scene) -> None:
        with patch.object(snapshot, "write_snapshot", side_effect=error):
            await then(scene)

    return script


async def faulty_file(scene: Scene) -> None:
    file = scene.stage.folder / "faulty.csv"
    file.write_text("order_ref,marketplace\nR-1,nowhere\n")
    await flow_run(buy_from_file, requests=Requests(file=str(file)))(scene)


async def restored(scene: Scene) -> None:
    scene.ledger.marks.put_back("was restored", by="mei")


async def cancelled(scene: Scene) -> None:
    """Cancel the order, and tell what did not go as asked."""
    await scene.does(
        lambda resources: cancel(resources, ["R-1"], CHANGED_MY_MIND, CHUNK)
    )


async def cancelled_as_it_is_paid(scene: Scene) -> None:
    """1688 cancels no order of less than ten seconds: another run pays it while the
    cancellation waits for that.
    """
    scene.dies_once_sent("R-1:create")
    await scene.buys()
    paying = scene.loop.create_task(paid_soon(scene))
    await cancelled(scene)
    await paying


async def paid_soon(scene: Scene) -> None:
    await asyncio.sleep(5)
    await scene.buys()


async def tracked(scene: Scene) -> None:
    await scene.does(lambda resources: track(resources, CHUNK))


def heard(
    *bodies: Callable[[Scene], bytes],
    kind: CallbackKind = CallbackKind.STATUS,
    dies: int = 0,
) -> Script:
    """Messages of the service, each handled by a run of its own."""

    async def script(scene: Scene) -> None:
        for file in scene.stage.folder.glob("callbacks.db*"):
            file.unlink()
        with CallbackStore(
            scene.scenario.settings.ledger_url, clock=scene.clock
        ) as store:
            for body in bodies:
                arrival = read_arrival(body(scene), "203.0.113.7", scene.clock())
                store.add([arrival])
                await runs_that_die(Tickets(store), dies)
                await scene.does(handling(store, kind))
                scene.meets(arrival, store.listed())

    return script


async def runs_that_die(tickets: Tickets, times: int) -> None:
    for _ in range(times):
        if ticket := tickets.next(CallbackKind.STATUS):
            tickets.asked(ticket.id)
            tickets.begin(ticket.id)
        await asyncio.sleep(2 * HOUR_S)


def handling(
    store: CallbackStore, kind: CallbackKind
) -> Callable[[Resources], Coroutine[Any, Any, object]]:
    async def work(resources: Resources) -> object:
        messages = store.listed(state=CallbackState.WAITING)
        report = await handle_callbacks(resources, store, kind, messages)
        parcels = await received_parcels(
            resources, store, messages, all_orders(resources.ledger)
        )
        store.settle(report.outcomes)
        return [report, [one.why for one in parcels]]

    return work


def told_of(*order_ids: str) -> Callable[[Scene], bytes]:
    """A change of these orders; without ids of the one that was bought."""

    def body(scene: Scene) -> bytes:
        named = order_ids or [scene.database.orders()["R-1"].order_id]
        content = json.dumps([{"orderId": one} for one in named])
        return json.dumps(
            {"messageType": "CHANGED", "messageBody": f'{{"orders": {content}}}'}
        ).encode()

    return body


def bytes_of(told: bytes) -> Callable[[Scene], bytes]:
    return lambda _: told


def weighed(number: str = "", **inspection: Any) -> Callable[[Scene], bytes]:
    """A parcel that reached the warehouse: that of the order, unless another `number`
    is told.
    """

    def body(scene: Scene) -> bytes:
        order = scene.world.books.every_order()[-1]
        parcel = coming_parcel(order)
        assert parcel is not None
        found = {"status": "质检通过", "weight": 0.4, "images": [], **inspection}
        told = {
            "alibaba_order_id": order.id,
            "logistics_tracking_number": number or parcel.number,
        }
        return json.dumps({**told, "quality_inspection_info": found}).encode()

    return body
