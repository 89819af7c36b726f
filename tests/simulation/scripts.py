"""What people do in a scene, and the scenes that take more than a line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import replace
from typing import Any

from connectors.ledger.plans import contest, drop
from connectors.ledger.records import OrderRecord
from domain.after_sale import FOLLOWED, RefundKind, ReturnedParcel
from domain.effects import ResolutionKind
from domain.forgetting import Mentions
from domain.marketplace import Marketplace
from domain.orders import Component, OwnSku
from domain.reasons import ReasonCode, because
from flows.answers.marketplaces import first_payments
from sandbox.books import OPENING_FEN
from tasks.after_sale import return_parcel
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources
from tasks.pay import read_unpaid
from tasks.refund import RefundWish, ask_refund, follow_refunds
from tests.simulation.deviations.wire import Role
from tests.simulation.process import Process
from tests.simulation.scene import DAY_S, Odd, Scene, refuses, tells

Script = Callable[[Scene], Coroutine[Any, Any, object]]
HOUR_S = 3_600
SETTLED_S = 3 * 3_600
REPORT = "/open/pp/logistics/updateLogisticInfo"
REFUND = "/open/order/refund/submit"
QUALITY = "质量问题"

# other answers


def of(name: str, change: Callable[[Any], Any]) -> Callable[[str, Any], Any]:
    """Fields of this name changed, where they are filled."""
    return lambda message, instant: (
        change(instant) if message == name and instant else instant
    )


def also(name: str, **other: Any) -> Callable[[str, Any], Any]:
    """A list of this name with its first entry a second time, under another id."""
    return lambda message, instant: (
        [*instant, {**instant[0], **other}]
        if message == name and instant and isinstance(instant, list)
        else instant
    )


# what people do


def order_of(resources: Resources) -> OrderRecord:
    return resources.ledger.orders(["R-1"])["R-1"]


async def track(scene: Scene) -> None:
    await scene.start("track")


async def follow(scene: Scene) -> None:
    """Refunds, hours later."""

    async def work(resources: Resources) -> object:
        await settle_open(resources, ["R-1"])
        return await follow_refunds(
            resources.ledger.refunds.in_states(FOLLOWED),
            label="1",
        )

    await scene.does(work)


async def send_back(scene: Scene) -> None:
    async def work(resources: Resources) -> None:
        refund = resources.ledger.refunds.of_orders(["R-1"])[-1]
        await return_parcel(
            order_of(resources),
            refund,
            ReturnedParcel(carrier="SF", number="SF0001"),
        )

    await scene.does(work)


async def cancel(scene: Scene) -> None:
    scene.misfortune.calm = True
    scene.taken_back = ["R-1"]
    await scene.start("cancel")


async def settle(scene: Scene) -> None:
    await scene.does(lambda resources: settle_open(resources, ["R-1"]))


async def read_again(scene: Scene) -> None:
    """As a message of the service has it read."""
    await scene.does(
        lambda resources: read_unpaid(resources, resources.ledger.orders(["R-1"]))
    )


async def pause(scene: Scene) -> None:
    scene.ledger.pause_buying("mei")


async def lose_the_ledger(scene: Scene) -> None:
    scene.database.empty()


async def forget(scene: Scene) -> None:
    scene.ledger.forgotten.erase("R-1", Mentions.of({}), by="mei")


async def lay_aside(scene: Scene) -> None:
    stay = drop(scene.ledger, ["R-1"], by="mei")
    scene.meets(
        [
            *stay.values(),
            *(order.why for order in scene.ledger.orders(["R-1"]).values()),
        ]
    )


async def hold_as_contested(scene: Scene) -> None:
    reason = because(
        ReasonCode.CONTESTED, order_ref="R-1", file="later.csv", other=True
    )
    assert contest(scene.ledger, {"R-1": reason}) == {}
    scene.meets(scene.ledger.orders(["R-1"])["R-1"].why)


async def buy(scene: Scene) -> None:
    await scene.buys()


async def ask_about_the_first(scene: Scene) -> None:
    scene.meets(first_payments(scene.ledger))


async def decline(scene: Scene) -> None:
    await scene.buys(yes=False)


def telling(*odd: Odd) -> Script:
    """From then on the service answers so."""

    async def script(scene: Scene) -> None:
        scene.hears(*odd)

    return script


def refusing(path: str, code: int = 40001, words: str = "no") -> Script:
    return telling(refuses(path, code, words))


def asking(reason: str = "不想要了", **wish: Any) -> Script:
    """A refund, of all that may be asked for by itself."""

    async def script(scene: Scene) -> None:
        wished = RefundWish(reason=reason, **{"kind": RefundKind.REFUND, **wish})
        await scene.does(lambda resources: ask_refund("R-1", wished))

    return script


def answering(kind: ResolutionKind, **said: Any) -> Script:
    return lambda scene: scene.answers(kind, **said)


def wanting(**wishes: Any) -> Script:
    async def script(scene: Scene) -> None:
        scene.wants(**wishes)

    return script


def dying(point: str) -> Script:
    async def script(scene: Scene) -> None:
        scene.dies_at(point)

    return script


def steps(*then: Script | float) -> Script:
    """One after the other; a number is the seconds that pass."""

    async def script(scene: Scene) -> None:
        for run_case in then:
            if isinstance(run_case, int | float):
                await asyncio.sleep(run_case)
                scene.land()
            else:
                await run_case(scene)

    return script


# scenes


async def several_sellers(scene: Scene) -> None:
    first, second = scene.scenario.requests
    scene.scenario = replace(
        scene.scenario, requests=(replace(first, lines=(*first.lines, *second.lines)),)
    )
    await scene.buys()


async def own_skus_of_one_variant(scene: Scene) -> None:
    (request,) = scene.scenario.requests
    line = request.lines[0]
    rank = (Component(item=line.item, sku=line.sku, pieces=1, max_unit_price=None),)
    owns = [
        OwnSku(sku=sku, quantity=1, marketplace=request.marketplace, ranks=(rank,))
        for sku in ("FERN-1", "FERN-2")
    ]
    lines = tuple(replace(line, own=own) for own in owns)
    scene.scenario = replace(scene.scenario, requests=(replace(request, lines=lines),))
    await scene.buys()


async def two_products_of_a_seller(scene: Scene) -> None:
    (request,) = scene.scenario.requests
    items = {
        item.id: item
        for item in scene.world.catalogue.shelf(request.marketplace).items
        if not item.offline
    }
    seller = items[request.lines[0].item].seller
    item = next(
        item
        for item in items.values()
        if item.seller is seller and item.id != request.lines[0].item
    )
    line = replace(
        request.lines[0],
        item=item.id,
        sku=item.skus[0].id,
        quantity=item.min_quantity,
    )
    scene.scenario = replace(
        scene.scenario, requests=(replace(request, lines=(*request.lines, line)),)
    )
    await scene.buys()


async def paused_after_the_create(scene: Scene) -> None:
    scene.when_sent = lambda key: (
        key == "R-1:create" and scene.ledger.pause_buying("mei")
    )
    await scene.buys()


async def paused_before_all(scene: Scene) -> None:
    await scene.buys(yes=lambda: scene.ledger.pause_buying("mei"))


async def away_once_begun(scene: Scene) -> None:
    await scene.buys(begun=lambda: scene.goes_away(DAY_S))


async def away_once_approved(scene: Scene) -> None:
    await scene.buys(yes=lambda: scene.goes_away(DAY_S))


async def away_once_ordered(scene: Scene) -> None:
    def away(answer: object) -> object:
        scene.goes_away(DAY_S)
        return answer

    scene.hears(Odd(at=Role.CREATE, tells=away))
    await scene.buys()


async def stopped_while_it_pays(scene: Scene) -> None:
    """One call at a time: the second payment waits for the first one's answer, for
    longer than its reading is good.
    """
    await scene.buys()
    scene.world.books.set_balance(OPENING_FEN)
    sent = list[str]()
    scene.when_sent = sent.append
    scene.fate = lambda _process, _point: 200.0 if sent and sent.pop() else None
    await scene.buys()


async def a_line_declined(scene: Scene) -> None:
    """Of two lines the service does not take the second one's refund; the seller
    refuses the first one's.
    """
    request = scene.scenario.requests[0]
    item = next(
        item for item in scene.stage.on_sale[Marketplace.TAOBAO] if len(item.skus) > 1
    )
    lines = tuple(
        replace(request.lines[0], item=item.id, sku=sku.id, quantity=item.min_quantity)
        for sku in item.skus[:2]
    )
    scene.scenario = replace(scene.scenario, requests=(replace(request, lines=lines),))
    second = steps(refusing(REFUND), asking(lines=(2,)), 5 * HOUR_S, follow)
    await steps(buy, asking(lines=(1,), description="拒绝"), second)(scene)


def named_as_the_first(at: str, name: str, column: str) -> Script:
    """The answer about the second order names an id that is the first one's."""

    async def script(scene: Scene) -> None:
        first, second = scene.scenario.requests
        scene.scenario = replace(scene.scenario, requests=(first,))
        await scene.buys()
        result = getattr(scene.database.orders()["R-1"], column)
        scene.scenario = replace(scene.scenario, requests=(second,))
        scene.hears(tells(at, **{name: result}))
        await scene.buys()

    return script


async def shown_with_the_first_s_shipment(scene: Scene) -> None:
    """The list shows the second order as booked with the first one's shipment."""
    first, second = scene.scenario.requests
    scene.scenario = replace(scene.scenario, requests=(first,))
    await scene.buys()
    booking = {
        "orderId": scene.database.orders()["R-1"].shipment_order_id,
        "logisticNumer": "T-1",
    }
    scene.scenario = replace(scene.scenario, requests=(second,))
    scene.hears(tells(Role.LIST, internationalLogisticOrders=[booking]))
    await scene.buys()


async def paid_while_it_is_cancelled(scene: Scene) -> None:
    """The cancellation is under way while another run reads that a person has paid the
    order.
    """
    scene.hears(tells(Role.LIST, status=10))
    await asyncio.gather(cancel(scene), scene.buys())


async def booked_while_another_run_stands_still(scene: Scene) -> None:
    """Another run sees the shipment first; the one that booked it gets no answer, and
    can't ask.
    """
    tasks = list[asyncio.Task[None]]()

    async def another_run() -> None:
        await scene.buys()
        scene.hears(refuses(Role.LIST, 41234, "no"))

    def fate(process: Process, point: str) -> float | None:
        if (
            process.name == "run-1"
            and point == "effect: after the first byte"
            and scene.sent[-1] == "R-1:book"
        ):
            tasks.append(scene.loop.create_task(another_run(), context=Context()))
            return 60.0
        return None

    scene.fate = fate
    await scene.buys()
    await asyncio.wait(tasks)


async def held_by_another_version(scene: Scene) -> None:
    await scene.buys()
    with scene.database.connection.begin():
        unknown = "UPDATE orders SET reason_code = 'unheard_of', reason_facts = NULL"
        scene.database.connection.exec_driver_sql(unknown)
    await scene.buys()


def planned_in_the_ui(*, ask: bool = True) -> Script:
    """A deployment's run, which ends with the plan that a person is shown."""

    async def script(scene: Scene) -> None:
        await scene.buys(yes=None, ask=ask, waits=True)

    return script


def answered(
    *approved: str, newest: int = -1, meanwhile: Script | None = None
) -> Script:
    """A person answers about the plan that was shown last, or about an older one.

    What is done `meanwhile` happens after the person has looked at it.
    """

    async def script(scene: Scene) -> None:
        listing = scene.questions[newest]
        if meanwhile:
            await meanwhile(scene)
        await scene.answers_plan(listing, approved)

    return script
