"""What the contract leaves open: asked both ways once, kept for the account; a question
where neither is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from connectors.xportcn.assumptions import Assumption, Assumptions
from connectors.xportcn.errors import Refused, TakenBothWays, Unanswered
from connectors.xportcn.settings import XportcnSettings

IDS, RECEIVER = Assumption.FREIGHT_IDS, Assumption.TAOBAO_RECEIVER
NOT_FOUND = Refused("product 7 does not exist", operation="estimate", code="40401")
NO_FREIGHT = Refused("nobody ships to AQ", operation="estimate", code="42001")
ADDRESS = Refused("收货地址必须为中国仓库地址", operation="render", code="40001")
Says = Mapping[str, Exception]


class Account:
    """What an account has been shown, and what was asked of it."""

    def __init__(
        self, base_url: str = "https://service.example", **settings: str
    ) -> None:
        self.settings = XportcnSettings(
            base_url=base_url,
            access_key="k",
            user_id="1",
            **settings,  # type: ignore[arg-type]
        )
        self.kept: dict[str, str] = {}
        self.asked: list[str] = []

    def shown(self, name: str) -> str:
        return self.kept.get(name, "")

    def show(self, name: str, value: str) -> None:
        self.kept[name] = value

    async def asks(
        self, assumption: Assumption, says: Says, of: Assumptions | None = None
    ) -> str:
        async def call(way: str) -> str:
            self.asked.append(way)
            await asyncio.sleep(0)
            if way in says:
                raise says[way]
            return way

        return await (of or Assumptions(self.settings, self)).ask(assumption, call)


@pytest.mark.parametrize(
    ("assumption", "says", "way"),
    [
        (IDS, {"distribution": NOT_FOUND}, "shop"),
        (IDS, {"shop": NOT_FOUND}, "distribution"),
        (RECEIVER, {"warehouse": ADDRESS}, "abroad"),
        (
            RECEIVER,
            {"warehouse": Unanswered("the service failed (收货地址)", code="500")},
            "abroad",
        ),
        (RECEIVER, {"abroad": ADDRESS}, "warehouse"),
    ],
)
async def test_the_way_that_is_not_refused_is_kept(
    assumption: Assumption, says: Says, way: str
) -> None:
    """Asked both ways once; another process of the account asks one way."""
    account = Account()
    assert await account.asks(assumption, says) == way
    assert (len(account.asked), account.kept) == (2, {assumption: way})
    assert await account.asks(assumption, says) == way
    assert account.asked[2:] == [way]
    assert Assumptions(account.settings, account).way(assumption) == way


async def test_orders_at_the_same_time_ask_both_ways_once() -> None:
    account = Account()
    together = Assumptions(account.settings, account)
    says = {"shop": NOT_FOUND}
    assert {
        *await asyncio.gather(*(account.asks(IDS, says, together) for _ in range(9)))
    } == {"distribution"}
    assert sorted(account.asked) == ["distribution"] * 9 + ["shop"]


@pytest.mark.parametrize(
    "says", [{}, {"distribution": NO_FREIGHT}, {"shop": NO_FREIGHT}]
)
async def test_nothing_is_taken_for_proven_without_a_refusal_about_it(
    says: Says,
) -> None:
    """The question names the setting; it is asked once, not an order."""
    account = Account()
    run = Assumptions(account.settings, account)
    for _ in range(3):
        with pytest.raises(TakenBothWays) as told:
            await account.asks(IDS, says, run)
    assert (told.value.setting, told.value.ways) == (
        "XPORTCN_FREIGHT_IDS",
        ("shop", "distribution"),
    )
    assert told.value.refused == ("nobody ships to AQ" if says else "")
    assert (len(account.asked), account.kept) == (2, {})


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"shop": NO_FREIGHT, "distribution": NO_FREIGHT}, "AQ"),
        ({"shop": NOT_FOUND, "distribution": NO_FREIGHT}, "does not exist"),
        ({"distribution": Unanswered("silence")}, "silence"),
        (
            {"distribution": Unanswered("the service failed (系统异常)", code="500")},
            "系统异常",
        ),
    ],
)
async def test_what_is_refused_both_ways_or_not_answered_shows_nothing(
    says: Says, words: str
) -> None:
    account = Account()
    with pytest.raises((Refused, Unanswered), match=words):
        await account.asks(IDS, says)
    assert account.kept == {}


async def test_a_setting_comes_before_what_was_shown() -> None:
    account = Account(freight_ids="distribution")
    account.kept = {IDS: "shop"}
    assert await account.asks(IDS, {}) == "distribution"
    assert account.asked == ["distribution"]


async def test_a_sandbox_is_asked_the_other_way_only_once_it_refuses() -> None:
    """So nothing waits in a try-out for what is open, and nothing counts as shown."""
    account = Account("http://127.0.0.1:8790")
    assert await account.asks(IDS, {}) == "shop"
    assert (account.asked, account.kept) == (["shop"], {})
    assert await account.asks(IDS, {"shop": NOT_FOUND}) == "distribution"
    assert account.kept == {IDS: "distribution"}
    with pytest.raises(Refused, match="AQ"):
        await account.asks(RECEIVER, {"abroad": NO_FREIGHT})
