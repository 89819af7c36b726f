"""A scenario for each reason: it leads the ledger, or the report of a run, to the
reason's code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from errno import ENOSPC
from types import MappingProxyType
from typing import Any

from connectors.snapshots.files import SnapshotError
from domain.after_sale import RefundKind
from domain.effects import ResolutionKind
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OwnSku
from domain.reasons import ReasonCode
from flows.after_sale import request_refund
from flows.buy_from_file import buy_from_file
from flows.cancel_orders import cancel_orders
from flows.prefect_ui.parameters import Requests
from flows.reconcile import reconcile_ledger
from tests.simulation.deviations.catalogue import BY_NAME
from tests.simulation.deviations.player import played_out
from tests.simulation.deviations.scenes import Cell, Setting
from tests.simulation.deviations.wire import Role
from tests.simulation.dialects.journey import Journey
from tests.simulation.misfortune import Call, Fault, Kind
from tests.simulation.scene import DAY_S, NO_FAULTS, Odd, Scene, refuses, tells
from tests.simulation.scripts import (
    HOUR_S,
    QUALITY,
    REFUND,
    SETTLED_S,
    Script,
    also,
    answering,
    ask_about_the_first,
    asking,
    away_once_approved,
    booked_while_another_run_stands_still,
    buy,
    cancel,
    decline,
    dying,
    follow,
    forget,
    held_by_another_version,
    hold_as_contested,
    lay_aside,
    lose_the_ledger,
    named_as_the_first,
    of,
    own_skus_of_one_variant,
    paid_while_it_is_cancelled,
    paused_after_the_create,
    planned_in_the_ui,
    read_again,
    refusing,
    settle,
    several_sellers,
    steps,
    telling,
    track,
    two_products_of_a_seller,
    wanting,
)
from tests.simulation.stage import Stage
from tests.simulation.upkeep import (
    cancelled,
    cancelled_as_it_is_paid,
    faulty_file,
    flow_run,
    restored,
    tracked,
    writing_fails,
)

Play = Callable[[Stage], set[str]]
TAOBAO, ALIBABA, _, INTERNATIONAL, POIZON = Marketplace
ESTIMATE, RENDER, BOOK = (
    f"/open/pp/logistics/order{name}Freight"
    for name in ("Estimate", "Render", "Booking")
)
SEARCH = "/open/product/search"
CANCEL = "/open/purchase/cancel"
TRACE = "/open/order/logistics/detail/get"
REASONS = "/v2/taobao/order/refund/render"
REFUNDS = "/v2/taobao/order/refund/query"
PAYMENT_LOST = {Call.PAY: [Fault(Kind.DROP_BEFORE)]}
AS_ASKED: Mapping[str, Any] = MappingProxyType({})
FEN = Money(1)


def played(
    script: Script,
    *at: Marketplace,
    faults: Mapping[Call, Sequence[Fault | None]] = NO_FAULTS,
    **settings: Any,
) -> Play:
    """The script on a stage; the reasons that were met."""

    def play(made: Stage) -> set[str]:
        scene = Scene(made, *at, faults=faults, **settings)
        scene.run(script(scene))  # type: ignore[arg-type]
        assert scene.found == [], scene.found
        return scene.reasons

    return play


def cell(
    name: str, marketplace: Marketplace, setting: Setting = Setting.CALM, seed: int = 0
) -> Play:
    """One cell of the deviations."""

    def play(made: Stage) -> set[str]:
        played_out(
            made,
            Cell(
                deviation=BY_NAME[name],
                marketplace=marketplace,
                setting=setting,
                seed=seed,
            ),
        )
        return made.database.reason_codes()

    return play


def journey(*dialects: str, **settings: Any) -> Play:
    """A journey at an account that speaks these."""

    def play(made: Stage) -> set[str]:
        Journey(made, dialects, settings=settings).run()
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
    asks_first: bool = False,
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

    return played(script, *at, faults=faults, asks_first=asks_first, **settings)


def struck(call: Call, *kinds: Kind | None, **options: Any) -> Play:
    """Runs in which calls of this kind meet these faults, one after the other."""
    return bought(
        faults={call: [Fault(kind) if kind else None for kind in kinds]}, **options
    )


def unpaid(
    *then: Script, faults: Mapping[Call, Sequence[Fault | None]] = NO_FAULTS
) -> Play:
    """An order that is held since the wallet was short, and what is done an hour
    later.
    """
    return played(
        steps(buy, HOUR_S, *then),
        TAOBAO,
        faults={Call.PAY: [Fault(Kind.WALLET_SHORT)], **faults},
    )


def refunded(
    *then: Script | float, at: Sequence[Marketplace] = (TAOBAO,), **options: Any
) -> Play:
    """A bought order, and what is done then; hours pass in between."""
    return played(steps(buy, *then), *at, **options)


def struck_and_answered(
    call: Call, kind: ResolutionKind, *, pay_is: str = "debit", **said: Any
) -> Play:
    """Its call was lost, and hours later a person says what became of it."""
    script = steps(buy, SETTLED_S, buy, SETTLED_S, answering(kind, **said))
    return played(script, faults={call: [Fault(Kind.DROP_BEFORE)]}, pay_is=pay_is)


R = ReasonCode
K = ResolutionKind
DEARER = telling(tells(Role.LIST, of("purchaseAmount", lambda fen: fen * 2)))
UNPAID_STILL = telling(tells(Role.LIST, status=0, payTime=None, payAmount=None))
GOODS_BACK = asking(
    QUALITY, kind=RefundKind.RETURN, vouchers=("https://example.com/broken.jpg",)
)
RECONCILED = flow_run(reconcile_ledger)
LISTING_REASONS = flow_run(request_refund, order_ref="R-1")
ASKING_BACK = flow_run(request_refund, order_ref="R-1", reason="101", only_show=False)
SCENES: Mapping[ReasonCode, Play] = {
    R.OF_ANOTHER_VERSION: played(held_by_another_version),
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
    R.ONE_PRODUCT_AN_ORDER: played(
        steps(
            telling(refuses(Role.PREVIEW, 400, "ORDER_PRODUCT_LIMIT")),
            two_products_of_a_seller,
        ),
        POIZON,
    ),
    R.ADDRESS_INCOMPLETE: bought(zip=""),
    R.OWN_SKU_MISSING: bought(own=OwnSku(sku="FERN-1", quantity=1)),
    R.OWN_SKUS_ALIKE: played(own_skus_of_one_variant),
    R.WORDS_AMBIGUOUS: bought(tells(SEARCH, title="something else"), item="杯"),
    R.WORDS_FOUND_NOTHING: bought(item="no such words"),
    R.QUOTE_REFUSED: bought(refuses(Role.PREVIEW, 41234, "sold out")),
    R.QUOTE_ON_HOLD: bought(
        tells(Role.PREVIEW, tradeModeNameList=["credit"]), at=[ALIBABA]
    ),
    R.FREIGHT_SERVICE_UNKNOWN: bought(freight="99"),
    # limits
    R.PRICE_ABOVE_LIMIT: bought(max_unit_price=FEN),
    R.OVER_ORDER_LIMIT: bought(settings={"order_limit_cny": "0.01"}),
    R.OVER_BUDGET: bought(budget=FEN),
    R.OVER_DAY_LIMIT: bought(settings={"day_limit_cny": "0.01"}),
    R.PRICE_ROSE: struck(Call.CREATE, Kind.PRICE_RISES_AFTER),
    R.PRICE_FELL: played(
        steps(
            telling(tells(Role.LIST, of("purchaseAmount", lambda fen: fen * 2))),
            buy,
            telling(),
            read_again,
        )
    ),
    # approval
    R.APPROVED: bought(),
    R.FREIGHT_APPROVED: bought(tells(RENDER, amount="99.00", times=1), runs=2),
    R.NOT_APPROVED: bought(yes=False),
    R.NOT_WANTED: played(steps(decline, lay_aside)),
    R.NOT_DROPPED: played(steps(buy, lay_aside)),
    R.NOBODY_TO_ASK: bought(yes=None),
    R.ABOVE_APPROVAL_LIMIT: bought(
        yes=None, ask=False, settings={"approval_limit_cny": "0.01"}
    ),
    R.WAITS_FOR_APPROVAL: played(planned_in_the_ui()),
    R.FIRST_GOES_ALONE: bought(at=[TAOBAO] * 2, asks_first=True),
    R.FIRST_PAYMENT: played(steps(buy, ask_about_the_first), TAOBAO, asks_first=True),
    # not begun, or left in the middle
    R.UNREAD: struck(Call.PLAN, None, *[Kind.GARBAGE] * 99),
    R.ANSWER_UNUSABLE: bought(tells(Role.PRODUCT, skuList=5)),
    R.BUYING_PAUSED: played(paused_after_the_create),
    R.LEFT_UNFINISHED: played(away_once_approved, patience_s=600),
    R.NOTHING_SENT: struck(Call.CREATE, Kind.NO_CONNECTION),
    R.ACCOUNT_REFUSED: bought(refuses(Role.CREATE, 40101, "unknown key")),
    R.SENT_AGAIN: refunded(
        3 * DAY_S, dying("effect: after the first byte"), track, SETTLED_S, settle
    ),
    R.WAITS_FOR_FIRST: bought(tells(Role.LIST, outerPurchaseId="r-1"), at=[TAOBAO] * 2),
    R.FIRST_ONES_FAILED: struck(Call.CREATE, *[Kind.OUT_OF_STOCK] * 6, at=[TAOBAO] * 6),
    R.MARKETPLACE_HELD: bought(
        tells(Role.LIST, of("purchaseAmount", lambda fen: fen // 100)),
        at=[TAOBAO] * 2,
        runs=2,
    ),
    R.CONTESTED: played(steps(decline, hold_as_contested, buy)),
    R.OTHER_CONTENTS: refunded(wanting(quantity=9), buy),
    R.RECEIVER_FORGOTTEN: played(steps(decline, forget, wanting(quantity=9), buy)),
    R.FORGOTTEN_UNORDERED: played(steps(decline, forget, wanting(quantity=9), buy)),
    # refusals of the service
    R.REFUSED: bought(refuses(Role.CREATE, 40001, "no")),
    R.REFUSED_AFTER_ORDERING: struck(Call.PAY, Kind.WALLET_SHORT),
    # two readings that can't both be true
    R.READINGS_DIFFER: bought(
        tells(Role.LIST, of("purchaseAmount", lambda fen: fen * 5))
    ),
    R.UNITS_DIFFER: bought(
        tells(Role.LIST, of("purchaseAmount", lambda fen: fen // 100))
    ),
    R.SETTING_UNSET: journey("receiver-china", taobao_receiver=""),
    R.UNIT_UNCLEAR: bought(tells(Role.PRODUCT, price="59.00")),
    R.PREVIEW_UNCLEAR: bought(
        tells(Role.PREVIEW, of("purchaseAmount", lambda fen: fen // 4))
    ),
    R.PRICE_FAR_BELOW_LIMIT: bought(max_unit_price=Money(10**7)),
    R.SEARCH_DIFFERS: bought(tells(SEARCH, of("price", lambda fen: fen * 5))),
    R.SHOWN_FOR_NOTHING: bought(tells(Role.LIST, purchaseAmount=0)),
    R.PAID_FOR_NOTHING: bought(tells(Role.LIST, status=10, purchaseAmount=0)),
    R.PRICE_NOT_CONFIRMED: bought(
        tells(Role.LIST, of("purchaseAmount", lambda fen: fen - 1), times=1)
    ),
    R.UNKNOWN_STATE: bought(tells(Role.LIST, status=77)),
    # ownership of an order
    R.NOT_SHOWN: bought(tells(Role.LIST, data=[], totalRecords=0), runs=2),
    R.NO_REFERENCE_YET: bought(tells(Role.LIST, outerPurchaseId=None)),
    R.ANOTHERS_REFERENCE: bought(tells(Role.LIST, outerPurchaseId="r-1")),
    R.HAS_ANOTHER_ID: cell("ids rounded by a create", TAOBAO),
    R.ID_IS_ANOTHERS: played(
        named_as_the_first(Role.CREATE, "purchaseId", "order_id"), TAOBAO, TAOBAO
    ),
    R.ID_IS_ANOTHERS_ASKED: played(
        named_as_the_first(BOOK, "orderId", "shipment_order_id"), TAOBAO, TAOBAO
    ),
    R.SEVERAL_ORDERS: bought(tells(Role.CREATE, also("orderList", purchaseId="77"))),
    R.ORDERED_IN_PART: played(
        two_products_of_a_seller,
        ALIBABA,
        faults={Call.CREATE: [Fault(Kind.PART_FAILS)]},
    ),
    R.ALREADY_THERE: refunded(lose_the_ledger, buy, at=[ALIBABA]),
    R.MAY_BE_THERE: cell("references null", ALIBABA),
    R.OVERTAKEN: unpaid(
        paid_while_it_is_cancelled, faults={Call.OTHER: [Fault(Kind.SLOW, 20)]}
    ),
    R.CAME_LATE: played(
        booked_while_another_run_stands_still,
        faults={Call.BOOK: [Fault(Kind.DROP_AFTER)]},
    ),
    # an effect without a known outcome
    R.NO_ANSWER: struck(Call.PAY, Kind.DROP_BEFORE),
    R.NO_ANSWER_ASKED: struck(Call.BOOK, Kind.DROP_BEFORE, runs=2),
    # paying
    R.PAYMENT_UNCONFIRMED: bought(tells(Role.LIST, status=1)),
    R.PAYMENT_NOT_TAKEN: played(steps(UNPAID_STILL, buy, DAY_S, track), TAOBAO),
    R.FINANCE_REFUSED: bought(tells(Role.LIST, status=3)),
    R.PAID_ELSEWHERE: bought(tells(Role.LIST, status=10)),
    R.PAID_COUNTED_WITH: bought(tells(Role.LIST, of("payAmount", lambda fen: fen - 1))),
    R.TAKEN_ABOVE_APPROVED: bought(
        tells(Role.LIST, of("payAmount", lambda fen: fen + 1))
    ),
    R.CLOSED_UNPAID: bought(tells(Role.LIST, status=4, closeReason="SELLER_CLOSED")),
    R.CLOSED_AFTER_PAYMENT: refunded(telling(tells(Role.LIST, status=4)), track),
    # freight and booking
    R.PAID_SHOWN_OTHERWISE: bought(tells(Role.LIST, status=0, skip=2)),
    R.PAID_NO_FREIGHT: bought(tells(RENDER, services=[])),
    R.FREIGHT_ROSE: bought(tells(RENDER, amount="99.00")),
    R.SEVERAL_SHIPMENTS: bought(
        tells(Role.LIST, also("internationalLogisticOrders", orderId="77")),
        faults={Call.BOOK: [Fault(Kind.DROP_AFTER)]},
    ),
    R.FREIGHT_CHARGED_MORE: bought(tells(BOOK, amount="99.00")),
    # cancelling and refunds
    R.CANCEL_ACCEPTED: unpaid(cancel),
    R.PAID_BEFORE_CLOSED: unpaid(telling(tells(Role.LIST, status=10)), cancel),
    R.REFUND_ASKING: refunded(asking(), faults={Call.OTHER: [Fault(Kind.DROP_BEFORE)]}),
    R.REFUND_UNDER_WAY: refunded(asking()),
    R.REFUND_CAME_BACK: refunded(
        6 * DAY_S, track, asking(QUALITY, amount=Money(100)), 9 * HOUR_S, follow
    ),
    R.REFUND_TO_RETURN: refunded(6 * DAY_S, track, GOODS_BACK, 5 * HOUR_S, follow),
    R.REFUND_CLOSED: refunded(
        6 * DAY_S, track, GOODS_BACK, 5 * HOUR_S, follow, 9 * DAY_S, follow
    ),
    R.REFUND_REFUSED: refunded(asking(description="拒绝"), 5 * HOUR_S, follow),
    # a person's answers
    R.ANSWERED: struck_and_answered(Call.CREATE, K.NOT_ORDERED),
    R.REST_IS_LOST: refunded(
        telling(tells(Role.LIST, status=4)), track, answering(K.CAME_BACK, amount=FEN)
    ),
    R.SAID_PAID: struck_and_answered(Call.PAY, K.PAID, amount=FEN, pay_is="unknown"),
    # of no order: remedies that were not carried out
    R.NOT_IN_LEDGER: played(cancelled),
    R.NO_CANCELLING: refunded(cancelled, at=[POIZON]),
    R.AT_WORK_ON_IT: refunded(cancelled, faults=PAYMENT_LOST),
    R.NOTHING_TO_CANCEL: played(steps(decline, cancelled)),
    R.PAST_CANCELLING: refunded(6 * DAY_S, tracked, cancelled),
    R.FREIGHT_STAYS_BOOKED: refunded(cancelled),
    R.WANTED_BACK: refunded(cancelled),
    R.NOT_CANCELLED: played(
        cancelled_as_it_is_paid, ALIBABA, faults={Call.PAY: [Fault(Kind.SLOW, 25)]}
    ),
    R.EFFECT_NOT_DONE: refunded(
        refusing(REFUND),
        flow_run(request_refund, order_ref="R-1", reason="101", only_show=False),
    ),
    R.NO_REFUND_NOW: refunded(
        refusing(REASONS, 400, "ORDER_STATUS_ERROR"), LISTING_REASONS
    ),
    R.REFUND_NOT_BELIEVED: refunded(
        asking(), telling(tells(REFUNDS, of("refundFee", lambda fen: fen * 9))), follow
    ),
    # runs that fail
    R.RUN_INPUT_WRONG: played(flow_run(cancel_orders, order_refs=["R-1"], reason=" ")),
    R.RUN_SETTING_WRONG: refunded(refusing(REASONS, 40101), LISTING_REASONS),
    R.RUN_SERVICE_FAILED: refunded(refusing(REASONS), LISTING_REASONS),
    R.RUN_LEDGER_UNUSABLE: refunded(restored, ASKING_BACK),
    R.RUN_FILE_UNREADABLE: played(
        flow_run(buy_from_file, requests=Requests(file="no-such-file.csv"))
    ),
    R.RUN_FILE_FAULTY: played(faulty_file),
    R.RUN_SNAPSHOT_FAILED: refunded(
        writing_fails(SnapshotError("the disk is full"), RECONCILED)
    ),
    R.RUN_MACHINE_FAILED: refunded(
        writing_fails(OSError(ENOSPC, "the disk is full"), RECONCILED)
    ),
    R.RUN_DEFECT: refunded(writing_fails(ZeroDivisionError(), RECONCILED)),
}
BEYOND = {
    R.MESSAGE_UNDELIVERED,
    R.RUN_TOOK_TOO_LONG,
    R.RUN_NOT_BEGUN,
    R.RUN_LOST,
    R.PARCEL_SILENT,
    R.PARCEL_RETURNS,
    R.PARCEL_EXCEPTION,
}
"""Of Prefect's server and of recipients, which the simulation lacks: tests/deployments,
connectors and flows/notify.
"""
