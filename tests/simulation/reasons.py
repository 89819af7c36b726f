"""A scenario for each reason: it leads the ledger, or the report of a run, to the reason's code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import ReasonCode
from domain.resolutions import ResolutionKind
from flows.approval.pause import CancelledBelow
from tests.simulation.deviations.catalogue import BY_NAME
from tests.simulation.deviations.player import played_out
from tests.simulation.deviations.scenes import Cell, Setting
from tests.simulation.deviations.wire import Role
from tests.simulation.misfortune import Call, Fault, Kind
from tests.simulation.scene import DAY_S, NO_FAULTS, Odd, Scene, refuses, tells
from tests.simulation.scripts import (
    HOUR_S,
    REFUND,
    SETTLED_S,
    Script,
    a_line_declined,
    a_part_back,
    also,
    ask_back,
    ask_in_vain,
    asked_in_the_ui,
    away_once_approved,
    away_once_begun,
    away_once_ordered,
    booked_while_another_run_stands_still,
    bought_again_at_once,
    bought_anew_once_forgotten,
    bought_by_an_earlier_program,
    bought_with_another_ledger,
    bought_with_more,
    cancel,
    carted_once_forgotten,
    carted_while_it_is_bought,
    closing,
    dies,
    fill_the_cart,
    filled_with_more,
    follow,
    goods_back,
    named_as_the_first,
    nothing,
    of,
    order_the_cart,
    paid_while_it_is_cancelled,
    paused_after_the_create,
    paused_before_all,
    paused_in_the_cart,
    payment_dropped,
    plan_the_cart,
    price_falls,
    refusing,
    reported,
    reported_by_a_run_that_dies,
    send_back,
    several_sellers,
    shown_with_the_first_s_shipment,
    stopped_while_it_pays,
    taken_out,
    taken_out_and_ordered,
    taken_out_once_ordered,
    track,
    two_in_one_row,
    unknown_once_paid,
)
from tests.simulation.stage import Stage

Play = Callable[[Stage], set[str]]
TAOBAO, ALIBABA, _, INTERNATIONAL, POIZON = Marketplace
ESTIMATE, RENDER, BOOK = (f"/open/pp/logistics/order{name}Freight" for name in ("Estimate", "Render", "Booking"))
SEARCH, CANCEL = "/open/product/search", "/open/purchase/cancel"
PAYMENT_LOST = {Call.PAY: [Fault(Kind.DROP_BEFORE)]}
AS_ASKED: Mapping[str, Any] = MappingProxyType({})
FEN = Money(1)


def played(
    script: Script, *at: Marketplace, faults: Mapping[Call, Sequence[Fault | None]] = NO_FAULTS, **settings: Any
) -> Play:
    """The script on a stage; the reasons that were met."""

    def play(made: Stage) -> set[str]:
        scene = Scene(made, *at, faults=faults, **settings)
        scene.run(script(scene))  # type: ignore[arg-type]
        assert scene.found == [], scene.found
        return scene.reasons

    return play


def cell(name: str, marketplace: Marketplace, setting: Setting = Setting.CALM, seed: int = 0) -> Play:
    """One cell of the deviations."""

    def play(made: Stage) -> set[str]:
        played_out(made, Cell(deviation=BY_NAME[name], marketplace=marketplace, setting=setting, seed=seed))
        return made.database.reason_codes()

    return play


def bought(
    *odd: Odd,
    at: Sequence[Marketplace] = (TAOBAO,),
    runs: int = 1,
    yes: bool | None = True,
    ask: bool = True,
    budget: Money | None = None,
    faults: Mapping[Call, Sequence[Fault | None]] = NO_FAULTS,
    settings: Mapping[str, Any] = AS_ASKED,
    **wishes: Any,
) -> Play:
    """Runs of a batch, hours apart, at a service with odd answers."""

    async def script(scene: Scene) -> None:
        scene.bought_before()
        scene.wants(**wishes)
        scene.hears(*odd)
        for _ in range(runs):
            await scene.buys(yes=yes, ask=ask, budget=budget)
            await asyncio.sleep(SETTLED_S)

    return played(script, *at, faults=faults, **settings)


def struck(call: Call, *kinds: Kind | None, **options: Any) -> Play:
    """Runs in which calls of this kind meet these faults, one after the other."""
    return bought(faults={call: [Fault(kind) if kind else None for kind in kinds]}, **options)


def in_cart(then: Script, *odd: Odd, at: Marketplace = TAOBAO, **settings: Any) -> Play:
    async def script(scene: Scene) -> None:
        await fill_the_cart(scene)
        scene.hears(*odd)
        await then(scene)

    return played(script, at, **settings)


def bought_by_cart(*odd: Odd) -> Play:
    async def script(scene: Scene) -> None:
        scene.hears(*odd)
        await fill_the_cart(scene)

    return played(script)


def unpaid(then: Script, *odd: Odd, faults: Mapping[Call, Sequence[Fault | None]] = NO_FAULTS) -> Play:
    """An order that is held since the wallet was short."""

    async def script(scene: Scene) -> None:
        await scene.buys()
        scene.hears(*odd)
        await asyncio.sleep(HOUR_S)
        await then(scene)

    return played(script, TAOBAO, faults={Call.PAY: [Fault(Kind.WALLET_SHORT)], **faults})


def refunded(*then: Script | float, at: Sequence[Marketplace] = (TAOBAO,), **options: Any) -> Play:
    """A bought order, and what is done then; hours pass in between."""

    async def script(scene: Scene) -> None:
        await scene.buys()
        for one in then:
            if isinstance(one, int | float):
                await asyncio.sleep(one)
                scene.land()
            else:
                await one(scene)

    return played(script, *at, **options)


def struck_and_answered(call: Call, kind: ResolutionKind, *, pay_is: str = "debit", **said: Any) -> Play:
    """Its call was lost, and hours later a person says what became of it."""

    async def script(scene: Scene) -> None:
        for _ in range(2):
            await scene.buys()
            await asyncio.sleep(SETTLED_S)
        await scene.answers(kind, **said)

    return played(script, faults={call: [Fault(Kind.DROP_BEFORE)]}, pay_is=pay_is)


R, K = ReasonCode, ResolutionKind
SCENES: Mapping[ReasonCode, Play] = {
    R.EARLIER: played(bought_by_an_earlier_program),
    # the request can't be bought as it stands
    R.SKU_UNKNOWN: bought(sku="7"),
    R.SKU_NOT_CHOSEN: bought(tells(Role.PRODUCT, also("skuList", skuId=77)), sku=""),
    R.NOT_ON_SALE: bought(tells(Role.PRODUCT, status="offline")),
    R.OFFER_STATE_UNKNOWN: bought(tells(Role.PRODUCT, status="frozen")),
    R.BELOW_MINIMUM: bought(tells(Role.PRODUCT, beginAmount=1000)),
    R.OUT_OF_STOCK: bought(quantity=10**6),
    R.NO_SUCH_ITEM: bought(item="123456789012"),
    R.SEVERAL_SELLERS: played(several_sellers, TAOBAO, TAOBAO),
    R.SEVERAL_DEPOTS: bought(tells(Role.PREVIEW, also("orders"))),
    R.ADDRESS_INCOMPLETE: bought(zip=""),
    R.WORDS_NOT_SEARCHED: bought(refuses(SEARCH, 41234, "not now"), item="a red cup"),
    R.WORDS_AMBIGUOUS: bought(tells(SEARCH, title="something else"), item="杯"),
    R.WORDS_FOUND_NOTHING: bought(item="no such words"),
    R.QUOTE_REFUSED: bought(refuses(Role.PREVIEW, 41234, "no")),
    R.PREVIEW_REFUSED: bought(country="AQ", zip="1"),
    R.QUOTE_ON_HOLD: bought(tells(Role.PREVIEW, tradeModeNameList=["credit"]), at=[ALIBABA]),
    R.NO_FREIGHT_TO_COUNTRY: bought(tells(ESTIMATE, services=[])),
    R.FREIGHT_SERVICE_UNKNOWN: bought(freight="99"),
    # limits
    R.PRICE_ABOVE_LIMIT: bought(max_unit_price=FEN),
    R.OVER_ORDER_LIMIT: bought(settings={"order_limit_cny": "0.01"}),
    R.OVER_BUDGET: bought(budget=FEN),
    R.OVER_DAY_LIMIT: bought(settings={"day_limit_cny": "0.01"}),
    R.PRICE_ROSE: struck(Call.CREATE, Kind.PRICE_RISES_AFTER),
    R.PRICE_FELL: played(price_falls),
    # approval
    R.APPROVED: bought(),
    R.FREIGHT_APPROVED: bought(tells(RENDER, amount="99.00", times=1), runs=2),
    R.NOT_APPROVED: bought(yes=False),
    R.NOBODY_TO_ASK: bought(yes=None),
    R.ABOVE_APPROVAL_LIMIT: bought(yes=None, ask=False, settings={"approval_limit_cny": "0.01"}),
    R.NOBODY_ANSWERED: played(asked_in_the_ui(None)),
    R.ASKING_RUN_CANCELLED: played(asked_in_the_ui(CancelledBelow())),
    # not begun, or left in the middle
    R.NOT_LOOKED_UP: played(away_once_begun, patience_s=600),
    R.ASKED_IN_VAIN: struck(Call.PLAN, None, *[Kind.GARBAGE] * 99),
    R.ANSWER_UNUSABLE: bought(tells(Role.PRODUCT, skuList=5)),
    R.BUYING_PAUSED: played(paused_after_the_create),
    R.LEFT_PAUSED: played(paused_before_all),
    R.LEFT_UNFINISHED: played(away_once_approved, patience_s=600),
    R.READ_TOO_LONG_AGO: played(
        stopped_while_it_pays,
        *[INTERNATIONAL] * 2,
        faults={Call.PAY: [Fault(Kind.WALLET_SHORT)] * 2},
        concurrency=1,
    ),
    R.NOTHING_SENT: struck(Call.CREATE, Kind.NO_CONNECTION),
    R.ACCOUNT_REFUSED: bought(refuses(Role.CREATE, 40101, "unknown key")),
    R.RUN_ENDED: played(dies("effect: before the first byte")),
    R.NEVER_RECEIVED: struck(Call.PAY, Kind.DROP_BEFORE, runs=2),
    R.DONE_AGAIN: played(reported_by_a_run_that_dies),
    R.FAILED_HARMLESSLY: played(reported),
    R.WAITS_FOR_FIRST: bought(tells(Role.LIST, outerPurchaseId="r-1"), at=[TAOBAO] * 2),
    R.FIRST_ONES_FAILED: struck(Call.CREATE, *[Kind.OUT_OF_STOCK] * 6, at=[TAOBAO] * 6),
    R.MARKETPLACE_HELD: bought(tells(Role.LIST, of("purchaseAmount", lambda fen: fen // 100)), at=[TAOBAO] * 2, runs=2),
    # carts
    R.COSTS: in_cart(plan_the_cart),
    R.IN_CART: in_cart(nothing),
    R.TO_BE_CARTED: in_cart(nothing),
    R.CART_PAUSED: played(paused_in_the_cart),
    R.NOT_ALL_IN_CART: bought_by_cart(refuses("/open/cart/add", 41234, "CART_FULL")),
    R.CART_INCOMPLETE: played(carted_while_it_is_bought),
    R.ROW_IN_THE_WAY: played(two_in_one_row),
    R.GONE_FROM_CART: in_cart(taken_out),
    R.CART_FAULT: in_cart(taken_out_and_ordered),
    R.NO_CART: played(fill_the_cart, POIZON),
    R.ALREADY_ORDERED: refunded(fill_the_cart),
    R.OTHERWISE_IN_CART: in_cart(filled_with_more),
    R.OTHER_CONTENTS: refunded(bought_with_more),
    R.RECEIVER_FORGOTTEN: played(bought_anew_once_forgotten),
    R.NAME_FORGOTTEN: played(carted_once_forgotten),
    R.FORGOTTEN_UNORDERED: played(carted_once_forgotten),
    # refusals of the service
    R.REFUSED: bought(refuses(Role.CREATE, 40001, "no")),
    R.ORDER_REFUSED: bought(refuses(Role.CREATE, 40001, "no")),
    R.CART_ORDER_REFUSED: in_cart(order_the_cart, refuses("/open/cart/create/order", 40001, "no")),
    R.PAYMENT_REFUSED: struck(Call.PAY, Kind.WALLET_SHORT),
    R.BOOKING_REFUSED: bought(refuses(BOOK, 42001, "no")),
    R.CANCEL_REFUSED: unpaid(cancel, refuses(CANCEL, 40001, "no")),
    R.REFUND_NOT_TAKEN: refunded(refusing(REFUND), ask_back),
    # two readings that can't both be true
    R.READINGS_DIFFER: bought(tells(Role.LIST, of("purchaseAmount", lambda fen: fen * 5))),
    R.TAKEN_DIFFERS: bought(tells(Role.LIST, of("payAmount", lambda fen: fen - 1))),
    R.UNITS_DIFFER: bought(tells(Role.LIST, of("purchaseAmount", lambda fen: fen // 100))),
    R.NO_PRICE_TOLD: bought(tells(Role.PREVIEW, price=None)),
    R.PREVIEW_ADDS_UP_WRONG: bought(tells(Role.PREVIEW, of("purchaseAmount", lambda fen: fen - 1))),
    R.SHOWN_FOR_NOTHING: bought(tells(Role.LIST, purchaseAmount=0)),
    R.PAID_FOR_NOTHING: bought(tells(Role.LIST, status=10, purchaseAmount=0)),
    R.PRICE_NOT_CONFIRMED: bought(tells(Role.LIST, of("purchaseAmount", lambda fen: fen - 1), times=1)),
    R.UNKNOWN_STATE: bought(tells(Role.LIST, status=77)),
    R.PAYING_IN_UNKNOWN_STATE: played(unknown_once_paid),
    R.PAID_IN_UNKNOWN_STATE: bought(tells(Role.LIST, status=77, skip=1)),
    # ownership of an order
    R.NOT_SHOWN: bought(tells(Role.LIST, data=[], totalRecords=0), runs=2),
    R.ORDER_NOT_SHOWN: bought(
        tells(Role.LIST, data=[], totalRecords=0, skip=1), faults={Call.PAY: [Fault(Kind.DROP_AFTER)]}, runs=2
    ),
    R.NO_REFERENCE_YET: bought(tells(Role.LIST, outerPurchaseId=None)),
    R.ANOTHERS_REFERENCE: bought(tells(Role.LIST, outerPurchaseId="r-1")),
    R.HAS_ANOTHER_ID: cell("ids rounded by a create", TAOBAO),
    R.ID_IS_ANOTHERS: played(named_as_the_first(Role.CREATE, "purchaseId", "order_id"), TAOBAO, TAOBAO),
    R.ID_IS_ANOTHERS_ASKED: played(named_as_the_first(BOOK, "orderId", "shipment_order_id"), TAOBAO, TAOBAO),
    R.ID_TAKEN: played(shown_with_the_first_s_shipment, TAOBAO, TAOBAO),
    R.SEVERAL_ORDERS: bought(tells(Role.CREATE, also("orderList", purchaseId="77"))),
    R.CART_BECAME_SEVERAL: in_cart(
        order_the_cart, tells("/open/cart/create/order", also("orderList", purchaseId="77"))
    ),
    R.ALREADY_THERE: played(bought_with_another_ledger, ALIBABA),
    R.MAY_BE_THERE: cell("references null", ALIBABA),
    R.OVERTAKEN: unpaid(paid_while_it_is_cancelled, faults={Call.OTHER: [Fault(Kind.SLOW, 20)]}),
    R.CAME_LATE: played(booked_while_another_run_stands_still, faults={Call.BOOK: [Fault(Kind.DROP_AFTER)]}),
    # an effect without a known outcome
    R.NO_ANSWER: struck(Call.PAY, Kind.DROP_BEFORE),
    R.NO_ANSWER_ASKED: struck(Call.BOOK, Kind.DROP_BEFORE, runs=2),
    R.REFUSED_UNCLEARLY: bought(refuses(Role.PAY, 41234, "系统异常")),
    R.WAS_REFUSED: bought(refuses(Role.PAY, 41234, "系统异常")),
    R.REFUSED_AS_DONE: bought(refuses(Role.PAY, 41234, "duplicate")),
    R.REFUSED_UNASKED: bought(refuses(Role.PAY, 41234, "系统异常"), refuses(Role.LIST, 41234, "no", skip=1)),
    R.REFUSED_BUT: bought(refuses(Role.PAY, 41234, "系统异常"), tells(Role.LIST, status=77, skip=1)),
    R.SENT_TOO_OFTEN: struck(Call.PAY, *[Kind.DROP_BEFORE] * 5, runs=5),
    R.NO_WORD: struck(Call.PAY, Kind.DROP_BEFORE),
    R.NO_WORD_UNASKED: bought(refuses(Role.LIST, 40101, "unknown key", skip=1), faults=PAYMENT_LOST),
    R.NOT_TO_BE_ASKED: bought(refuses(Role.LIST, 41234, "no", skip=1), faults=PAYMENT_LOST, runs=2),
    R.UNPROVEN: struck_and_answered(Call.CREATE, K.NOT_ORDERED),
    R.MAY_STILL_ARRIVE: played(bought_again_at_once, faults=PAYMENT_LOST),
    R.ROWS_ARE_GONE: in_cart(taken_out_once_ordered, faults={Call.CREATE: [Fault(Kind.DROP_BEFORE)]}),
    # paying
    R.PAYMENT_ACCEPTED: bought(),
    R.PAYMENT_UNCONFIRMED: bought(tells(Role.LIST, status=1)),
    R.NOT_READ_TO_PAY: played(away_once_ordered, patience_s=600),
    R.NO_ANSWER_ABOUT: bought(refuses(Role.LIST, 41234, "no")),
    R.PAID_ELSEWHERE: bought(tells(Role.LIST, status=10)),
    R.PAID_COUNTED_WITH: bought(tells(Role.LIST, of("payAmount", lambda fen: fen - 1))),
    R.TAKEN_ABOVE_APPROVED: bought(tells(Role.LIST, of("payAmount", lambda fen: fen + 1))),
    R.CLOSED_UNPAID: bought(tells(Role.LIST, status=4, closeReason="SELLER_CLOSED")),
    R.CLOSED_BY_MARKETPLACE: unpaid(track, tells(Role.LIST, status=4)),
    R.CLOSED_AFTER_PAYMENT: refunded(closing, track),
    # freight and booking
    R.PAID_AND_CLOSED: bought(tells(Role.LIST, status=4, skip=2)),
    R.PAID_SHOWN_OTHERWISE: bought(tells(Role.LIST, status=0, skip=2)),
    R.PAID_NOT_SHOWN: bought(tells(Role.LIST, data=[], totalRecords=0, skip=2)),
    R.PAID_NO_FREIGHT: bought(tells(RENDER, services=[])),
    R.FREIGHT_UNAPPROVED: bought(tells(RENDER, currency="EUR")),
    R.FREIGHT_ROSE: bought(tells(RENDER, amount="99.00")),
    R.SEVERAL_SHIPMENTS: bought(
        tells(Role.LIST, also("internationalLogisticOrders", orderId="77")),
        faults={Call.BOOK: [Fault(Kind.DROP_AFTER)]},
    ),
    R.FREIGHT_CHARGED_MORE: bought(tells(BOOK, amount="99.00")),
    # cancelling and refunds
    R.CANCEL_ACCEPTED: unpaid(cancel),
    R.PAID_BEFORE_CLOSED: unpaid(cancel, tells(Role.LIST, status=10)),
    R.REFUND_ASKING: refunded(ask_back, faults={Call.OTHER: [Fault(Kind.DROP_BEFORE)]}),
    R.REFUND_ASKED: refunded(ask_back),
    R.REFUND_AGREED: refunded(ask_back, 4.5 * HOUR_S, follow),
    R.ALL_CAME_BACK: refunded(ask_back, 9 * HOUR_S, follow),
    R.REFUND_CAME_BACK: refunded(6 * DAY_S, a_part_back, 9 * HOUR_S, follow),
    R.REFUND_TO_RETURN: refunded(6 * DAY_S, goods_back, 5 * HOUR_S, follow),
    R.REFUND_RETURNED: refunded(6 * DAY_S, goods_back, 5 * HOUR_S, follow, send_back, follow),
    R.REFUND_CLOSED: refunded(6 * DAY_S, goods_back, 5 * HOUR_S, follow, 9 * DAY_S, follow),
    R.REFUND_REFUSED: refunded(ask_in_vain, 5 * HOUR_S, follow),
    R.REFUND_DECLINED: played(a_line_declined),
    # a person's answers
    R.ANSWERED: struck_and_answered(Call.CREATE, K.NOT_ORDERED),
    R.PAYMENT_DROPPED: played(payment_dropped),
    R.SAID_PAID: struck_and_answered(Call.PAY, K.PAID, amount=FEN, pay_is="unknown"),
    R.SAID_BOOKED: struck_and_answered(Call.BOOK, K.BOOKED, value="77", tracking=("T-77",)),
    R.SAID_NOT_BOOKED: struck_and_answered(Call.BOOK, K.NOT_BOOKED),
}
