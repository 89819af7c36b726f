"""What may be asked for after a sale, and what refunds make of an order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.after_sale import (
    NOTHING,
    CancelWay,
    Refund,
    RefundFault,
    RefundKind,
    RefundOption,
    RefundState,
    choose_reason,
    is_asked_back,
    judge_cancel,
    order_state_after,
    part_name,
    require_jpg,
    require_vouchers,
    settle_amount,
    settled_description,
    standing,
    those_waiting,
    unsent_lines,
)
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import QuoteLine
from domain.reason_codes import ASK_ANEW
from domain.reasons import Reason, ReasonCode, because
from domain.states import MOVES, OrderState

QUALITY = RefundOption(
    reason_id=202,
    name="质量问题",
    goods="2",
    least=Money(1),
    most=Money(3000),
    needs_voucher=True,
)
MISSING = RefundOption(
    reason_id=203, name="少件", goods="2", least=Money(1), most=Money(3000)
)
UNSHIPPED = RefundOption(
    reason_id=20001,
    name="不想要了",
    goods="refundWaitSellerSend",
    least=Money(3000),
    most=Money(3000),
    least_postage=Money(500),
    most_postage=Money(500),
)
LATER = replace(UNSHIPPED, least=Money(1), least_postage=NOTHING)


def refund(state: RefundState = RefundState.ASKED, **changes: object) -> Refund:
    made = Refund(
        key="A-1:all.1",
        order_ref="A-1",
        marketplace=Marketplace.TAOBAO,
        order_id="77",
        part="all",
        number=1,
        lines=(1, 2),
        entry_ids=("771",),
        kind=RefundKind.REFUND,
        state=state,
        reason_id=202,
        reason="质量问题",
        goods="2",
        goods_amount=Money(3000),
        postage=NOTHING,
        approved=NOTHING,
        refunded=NOTHING,
        description="质量问题",
        vouchers=(),
        earlier_refund_ids=(),
        state_before=OrderState.BOOKED,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def returned(back: int, *lines: int) -> dict[str, Any]:
    """The facts of a return that was asked for and paid with this sum."""
    facts = {
        "state": RefundState.REFUNDED,
        "kind": RefundKind.RETURN,
        "lines": lines or (1, 2),
    }
    return {**facts, "goods_amount": Money(back), "refunded": Money(back)}


@pytest.mark.parametrize(
    ("wish", "reason_id"),
    [("202", 202), ("质量问题", 202), ("质量", 202), ("少件", 203)],
)
def test_a_reason_is_chosen_by_id_name_or_part_of_it(wish: str, reason_id: int) -> None:
    """What is meant is found when only one reason fits."""
    assert choose_reason([QUALITY, MISSING], wish).reason_id == reason_id


@pytest.mark.parametrize(
    ("options", "wish", "words"),
    [
        ([], "202", "the service takes no such refund for this order now"),
        (
            [QUALITY, MISSING],
            "",
            "say why, with a reason of this list: 202 质量问题, 203 少件",
        ),
        (
            [QUALITY, MISSING],
            "无聊",
            "no reason matches '无聊': 202 质量问题, 203 少件",
        ),
        (
            [QUALITY, replace(MISSING, name="质量差")],
            "质量",
            "more than one reason matches '质量': 202 质量问题, 203 质量差",
        ),
    ],
)
def test_a_reason_that_does_not_fit_is_answered_with_the_list(
    options: list[RefundOption], wish: str, words: str
) -> None:
    """The person can choose from what the marketplace takes."""
    with pytest.raises(RefundFault) as fault:
        choose_reason(options, wish)
    assert str(fault.value) == words


def test_a_reason_that_is_listed_for_two_states_of_the_goods_is_named_with_one() -> (
    None
):
    """Whether they have arrived is the seller's first question: none of the two is
    guessed.
    """
    options = [
        replace(QUALITY, goods="3"),
        at_hand := replace(QUALITY, goods="4"),
        MISSING,
    ]
    assert choose_reason(options, "202/4") is at_hand
    assert choose_reason(options, "203") is MISSING
    for wish, problem in (
        ("202", "no reason matches"),
        ("质量问题", "more than one reason matches"),
    ):
        with pytest.raises(RefundFault) as fault:
            choose_reason(options, wish)
        assert (
            str(fault.value)
            == f"{problem} '{wish}': 202/3 质量问题, 202/4 质量问题, 203 少件"
        )


@pytest.mark.parametrize(
    ("option", "wish", "goods", "postage"),
    [
        (QUALITY, None, 3000, 0),
        (QUALITY, 1, 1, 0),
        (QUALITY, 3000, 3000, 0),
        (UNSHIPPED, None, 3000, 500),
        (UNSHIPPED, 3500, 3000, 500),
        (LATER, None, 3000, 500),
        (LATER, 100, 100, 0),
        (LATER, 3200, 3000, 200),
    ],
)
def test_an_amount_is_split_into_goods_and_postage(
    option: RefundOption, wish: int | None, goods: int, postage: int
) -> None:
    """Goods first; no wish is the most that is possible."""
    amount = settle_amount(option, None if wish is None else Money(wish))
    assert amount == (Money(goods), Money(postage))


@pytest.mark.parametrize(
    ("option", "wish", "words"),
    [
        (
            QUALITY,
            3001,
            "30.01 CNY can't be asked for with reason 质量问题: 0.01 CNY to 30.00 CNY",
        ),
        (
            QUALITY,
            0,
            "0.00 CNY can't be asked for with reason 质量问题: 0.01 CNY to 30.00 CNY",
        ),
        (
            UNSHIPPED,
            3499,
            "34.99 CNY can't be asked for with reason 不想要了: exactly 35.00 CNY",
        ),
        (replace(QUALITY, most=NOTHING), None, "nothing is left to be refunded"),
    ],
)
def test_an_amount_out_of_bounds_is_answered_with_the_bounds(
    option: RefundOption, wish: int | None, words: str
) -> None:
    """Nothing is sent that the service would refuse."""
    with pytest.raises(RefundFault) as fault:
        settle_amount(option, None if wish is None else Money(wish))
    assert str(fault.value) == words


def test_vouchers_are_checked_before_they_are_sent() -> None:
    """JPG, below 1 MB, one to five where the reason needs one."""
    require_jpg("a.jpg", b"\xff\xd8\xff" + b"0" * (1_048_576 - 4))
    require_vouchers(QUALITY, 5)
    require_vouchers(MISSING, 0)
    with pytest.raises(RefundFault, match="no JPG"):
        require_jpg("a.png", b"\x89PNG")
    with pytest.raises(RefundFault, match=r"1,048,576 bytes: it must be below 1 MB"):
        require_jpg("a.jpg", b"\xff\xd8\xff" + b"0" * (1_048_576 - 3))
    with pytest.raises(RefundFault, match="needs a picture"):
        require_vouchers(QUALITY, 0)
    with pytest.raises(RefundFault, match="at most 5"):
        require_vouchers(QUALITY, 6)


def test_the_reason_stands_in_for_a_missing_description() -> None:
    """The service wants 2 to 150 characters."""
    assert settled_description("", "质量问题") == "质量问题"
    assert settled_description(" 破了 ", "质量问题") == "破了"
    with pytest.raises(RefundFault, match="1 characters"):
        settled_description("破", "质量问题")
    with pytest.raises(RefundFault, match="151 characters"):
        settled_description("破" * 151, "质量问题")


def test_a_part_is_named_by_its_lines() -> None:
    """All lines together have one name, so that the same refund has the same key."""
    assert (
        part_name({2, 1}, [1, 2]),
        part_name({2}, [1, 2]),
        part_name({3, 1}, [1, 2, 3]),
    ) == ("all", "2", "1+3")


@pytest.mark.parametrize(
    ("refunds", "state"),
    [
        ([refund(RefundState.ASKED)], OrderState.REFUNDING),
        ([refund(RefundState.REFUNDED, refunded=Money(3500))], OrderState.REFUNDED),
        ([refund(RefundState.REFUNDED, refunded=Money(100))], OrderState.BOOKED),
        (
            [
                refund(
                    RefundState.REFUNDED, refunded=Money(3000), kind=RefundKind.RETURN
                )
            ],
            OrderState.REFUNDED,
        ),
        (
            [
                refund(
                    RefundState.REFUNDED,
                    refunded=Money(3000),
                    kind=RefundKind.RETURN,
                    lines=(1,),
                )
            ],
            OrderState.BOOKED,
        ),
        (
            [
                refund(
                    RefundState.REFUNDED, refunded=Money(2700), kind=RefundKind.RETURN
                )
            ],
            OrderState.REFUNDED,
        ),
        ([refund(**returned(2699))], OrderState.BOOKED),
        (
            [refund(**returned(2699) | {"goods_amount": Money(2700)})],
            OrderState.REFUNDED,
        ),
        ([refund(**returned(1349) | {"goods_amount": Money(2700)})], OrderState.BOOKED),
        (
            [
                refund(RefundState.REFUNDED, refunded=Money(600)),
                refund(**returned(2400)),
            ],
            OrderState.REFUNDED,
        ),
        (
            [
                refund(RefundState.REFUNDED, refunded=Money(600)),
                refund(**returned(600)),
            ],
            OrderState.BOOKED,
        ),
        (
            [
                refund(RefundState.REFUNDED, refunded=Money(1600)),
                refund(**returned(1200)),
            ],
            OrderState.BOOKED,
        ),
        ([refund(**returned(2000, 1)), refund(**returned(1000))], OrderState.REFUNDED),
        ([refund(**returned(2000, 1)), refund(**returned(899))], OrderState.BOOKED),
        (
            [
                refund(RefundState.REFUNDED, refunded=Money(500), lines=(1,)),
                refund(**returned(2500)),
            ],
            OrderState.REFUNDED,
        ),
        (
            [
                refund(
                    RefundState.REFUNDED,
                    refunded=Money(2000),
                    kind=RefundKind.RETURN,
                    lines=(1,),
                ),
                refund(
                    RefundState.REFUNDED,
                    refunded=Money(1000),
                    kind=RefundKind.RETURN,
                    lines=(2,),
                ),
            ],
            OrderState.REFUNDED,
        ),
        (
            [
                refund(
                    RefundState.REFUNDED,
                    refunded=Money(2000),
                    kind=RefundKind.RETURN,
                    lines=(1,),
                ),
                refund(
                    RefundState.REFUNDED,
                    refunded=Money(200),
                    kind=RefundKind.RETURN,
                    lines=(2,),
                ),
            ],
            OrderState.BOOKED,
        ),
        ([refund(RefundState.REFUSED)], OrderState.BOOKED),
        ([refund(RefundState.CLOSED)], OrderState.BOOKED),
        ([refund(RefundState.CLOSED, refunded=Money(3500))], OrderState.BOOKED),
        (
            [refund(RefundState.CLOSED), refund(RefundState.TO_RETURN)],
            OrderState.REFUNDING,
        ),
        (
            [
                refund(RefundState.REFUNDED, refunded=Money(2000), lines=(1,)),
                refund(lines=(2,)),
            ],
            OrderState.REFUNDING,
        ),
        (
            [
                refund(RefundState.REFUNDED, refunded=Money(2000), lines=(1,)),
                refund(RefundState.REFUNDED, refunded=Money(1500), lines=(2,)),
            ],
            OrderState.REFUNDED,
        ),
        (
            [refund(RefundState.CLOSED, state_before=OrderState.CANCELLED)],
            OrderState.HELD,
        ),
        ([refund(RefundState.CLOSED, state_before=OrderState.PAID)], OrderState.BOOKED),
    ],
)
def test_refunds_decide_where_the_order_stands(
    refunds: list[Refund], state: OrderState
) -> None:
    """Under way: refunding; all money or all goods back: refunded; else where it was,
    and never an illegal move.

    A return for less than nearly all of what its lines cost (20.00 and 10.00) is of
    some pieces: the others travel on. It is judged with what came back of its lines
    before, and by what was asked where the seller kept some of that.
    """
    lines = [
        QuoteLine(line_no=no, unit_price=Money(fen), amount=Money(fen))
        for no, fen in ((1, 2000), (2, 1000))
    ]
    answered, reason = order_state_after(
        refunds, paid=Money(3500), above=Money(200), lines=lines, is_booked=True
    )
    assert answered is state
    assert reason
    assert state is OrderState.REFUNDING or state in MOVES[OrderState.REFUNDING]


def test_a_return_says_what_to_do() -> None:
    """The command is there to be copied."""
    agreed = refund(RefundState.TO_RETURN, kind=RefundKind.RETURN)
    assert str(standing(agreed)) == (
        "return of 30.00 CNY (质量问题) is agreed: send the goods back, then: "
        "sourcing return A-1 --company CODE --number NUMBER"
    )


@pytest.mark.parametrize("state", [RefundState.REFUSED, RefundState.DECLINED])
@pytest.mark.parametrize(
    ("asked", "again"),
    [
        ({"goods_amount": Money(500)}, "--kind refund --amount-cny 5.00"),
        (
            {"kind": RefundKind.RETURN, "part": "2", "lines": (2,)},
            "--kind return --line 2 --amount-cny 30.00",
        ),
        (
            {"part": "1+3", "lines": (1, 3)},
            "--kind refund --line 1 --line 3 --amount-cny 30.00",
        ),
    ],
)
def test_a_refund_that_was_refused_is_asked_for_again_as_it_was(
    asked: dict[str, object], again: str, state: RefundState
) -> None:
    """Without lines and amount the command would ask for all the money, and for a
    refund where goods went back.
    """
    assert (
        standing(refund(state, **asked)).remedy
        == f"{ASK_ANEW}; one that the service refused: sourcing refund A-1 {again} --reason REASON"
    )


def test_a_refusal_that_an_earlier_program_wrote_leaves_kind_and_amount_to_be_filled_in() -> (
    None
):
    """Without them the command would ask for all the money; as it stands it is
    refused.
    """
    told = because(ReasonCode.REFUND_REFUSED, what="refund", order_ref="A-1", why="no")
    assert (
        told.remedy
        == f"{ASK_ANEW}; one that the service refused: sourcing refund A-1 --kind – --amount-cny – --reason REASON"
    )


@pytest.mark.parametrize(
    ("state", "ordered", "paid", "way"),
    [
        (OrderState.ORDERED, True, False, CancelWay.CANCEL),
        (OrderState.HELD, True, False, CancelWay.CANCEL),
        (OrderState.PAID, True, True, CancelWay.REFUND),
        (OrderState.BOOKED, True, True, CancelWay.REFUND),
        (OrderState.SHIPPED, True, True, ReasonCode.PAST_CANCELLING),
        (OrderState.DELIVERED, True, True, ReasonCode.PAST_CANCELLING),
        (OrderState.HELD, False, False, ReasonCode.NOTHING_TO_CANCEL),
        (OrderState.PLANNED, False, False, ReasonCode.NOTHING_TO_CANCEL),
        (OrderState.UNKNOWN, True, False, ReasonCode.NOT_CANCELLED),
        (OrderState.CANCELLED, True, False, CancelWay.IS_DONE),
        (OrderState.REFUNDING, True, True, CancelWay.REFUND),
        (OrderState.REFUNDED, True, True, CancelWay.IS_DONE),
    ],
)
def test_how_an_order_is_cancelled(
    state: OrderState, way: CancelWay | ReasonCode, *, ordered: bool, paid: bool
) -> None:
    """Closed while unpaid, asked back while unshipped, else left to a person."""
    verdict = judge_cancel(state, ordered=ordered, paid=paid)
    assert (verdict.code if isinstance(verdict, Reason) else verdict) is way


def test_an_order_is_asked_back_once_all_its_lines_and_nearly_all_their_price_are() -> (
    None
):
    """What came back counts as it came, whatever was asked; what the seller refused, or
    was taken back, does not.

    The postage (8.00 of 38.00 here) some marketplaces keep, and a difference of what
    was approved is no price.
    """

    def is_all(*refunds: Refund, above: int = 0) -> bool:
        lines = [
            QuoteLine(line_no=no, unit_price=Money(1500), amount=Money(1500))
            for no in (1, 2)
        ]
        return is_asked_back(refunds, lines, paid=Money(3800), above=Money(above))

    first, second = (
        refund(part=str(n), lines=(n,), goods_amount=Money(1500)) for n in (1, 2)
    )
    assert (is_all(first), is_all(first, second), is_all(first, second, above=400)) == (
        False,
        True,
        False,
    )
    assert [is_all(refund(goods_amount=Money(fen))) for fen in (2699, 2700)] == [
        False,
        True,
    ]
    assert not is_all(refund(goods_amount=Money(2600), postage=Money(800)))
    for state in (RefundState.REFUNDED, RefundState.REFUSED, RefundState.CLOSED):
        ends = [
            is_all(first, replace(second, state=state, refunded=Money(back)))
            for back in (1199, 1200)
        ]
        assert ends == [False, state is RefundState.REFUNDED]


@pytest.mark.parametrize("kind", [*RefundKind])
@pytest.mark.parametrize(
    ("most", "asked", "back", "is_gone"),
    [
        (3000, 3000, 3000, True),
        (3000, 2700, 2700, True),
        (3000, 2699, 2699, False),
        (3000, 3000, 2000, None),
        (3000, 3000, 1400, False),
        (10_000, 3000, 3000, False),
        (0, 3000, 3000, False),
    ],
)
def test_all_that_can_be_asked_for_a_line_is_its_whole_price_also_where_a_discount_was_for_it_alone(
    kind: RefundKind, most: int, asked: int, back: int, *, is_gone: bool | None
) -> None:
    """Two lines of 100.00, of which a coupon paid 70.00 of the first; at an even share
    it cost 65.00.

    Goods that went back are gone though the seller kept something; a smaller sum
    without them compensates.
    """
    lines = [
        QuoteLine(line_no=no, unit_price=Money(10_000), amount=Money(10_000))
        for no in (1, 2)
    ]
    paid = Money(13_800)
    sums = {"goods_amount": Money(asked), "refunded": Money(back), "most": Money(most)}
    one = refund(
        RefundState.REFUNDED,
        part="1",
        lines=(1,),
        kind=kind,
        state_before=OrderState.PAID,
        **sums,
    )
    is_gone = kind is RefundKind.RETURN if is_gone is None else is_gone
    assert (unsent_lines([one], lines, paid=paid, above=NOTHING) == {1}) is is_gone
    other = refund(**returned(10_000, 2) | {"part": "2", "most": Money(10_000)})
    state, _ = order_state_after(
        [one, other], paid=paid, above=NOTHING, lines=lines, is_booked=False
    )
    assert (state is OrderState.REFUNDED) is (is_gone and kind is RefundKind.RETURN)


def test_lines_asked_back_for_less_than_their_price_are_not_asked_back_whole() -> None:
    """Of two lines of 100.00 a coupon paid 50.00 of the first."""
    lines = [
        QuoteLine(line_no=no, unit_price=Money(10_000), amount=Money(10_000))
        for no in (1, 2)
    ]
    refunds = [
        refund(part=str(no), lines=(no,), goods_amount=Money(fen), most=Money(most))
        for no, fen, most in ((1, 5_000, 5_000), (2, 7_000, 10_000))
    ]
    assert not is_asked_back(refunds, lines, paid=Money(15_000), above=NOTHING)


def test_what_was_not_taken_waits_until_as_much_of_its_lines_is_asked_for() -> None:
    declined = refund(
        RefundState.DECLINED, key="A-1:1.1", lines=(1,), goods_amount=Money(500)
    )
    small = refund(
        RefundState.REFUNDED,
        key="A-1:all.1",
        lines=(1, 2),
        refunded=Money(20),
        goods_amount=Money(20),
    )
    large = refund(
        RefundState.REFUNDED,
        key="A-1:all.2",
        lines=(1, 2),
        refunded=Money(500),
        goods_amount=Money(500),
    )
    line_2 = refund(
        RefundState.REFUNDED,
        key="A-1:2.1",
        lines=(2,),
        refunded=Money(580),
        goods_amount=Money(580),
    )
    assert those_waiting([declined, small]) == [declined]
    assert those_waiting([declined, line_2]) == [declined]
    assert those_waiting([declined, small, large]) == []
