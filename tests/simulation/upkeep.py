"""Scripts about remedies and failed runs: what is told then is no
order's reason.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import AsyncMock, patch

from prefect.client.schemas.objects import State

from flows.buy_from_file import buy_from_file
from flows.cancel_orders import cancel
from flows.prefect_ui import expected_errors
from flows.prefect_ui.parameters import Requests
from flows.prefect_ui.remedy_parameters import CHANGED_MY_MIND
from flows.sync_tracking import track
from tasks import snapshot
from tasks.engine.resources import Resources
from tests.simulation.scene import Scene
from tests.simulation.scripts import Script


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
        with patch.object(snapshot, "write_orders", side_effect=error):
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
    await scene.does(lambda resources: cancel(resources, ["R-1"], CHANGED_MY_MIND))


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
    await scene.does(track)
