"""What one try of a reading task has found, the next does not ask for; silence is no
decision.
"""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import cast

import pytest
from prefect.utilities.collections import visit_collection

from connectors.xportcn.errors import (
    ContractMismatch,
    Misconfigured,
    NotSent,
    Refused,
    ServiceAway,
    Unanswered,
    UnitUnclear,
)
from domain.decisions import held, postponed
from tasks.engine.gathering import (
    OrderQueue,
    PartialResults,
    gather_missing,
    gather_queued,
    not_read,
)
from tasks.engine.resources import Resources
from tasks.engine.tries import Tries, TryAgain, tries
from tests.verdicts import in_these_words, in_words

BREAKER = SimpleNamespace(waits=True, is_over=False)
RESOURCES = cast(Resources, SimpleNamespace(concurrency=2, breaker=BREAKER))


async def test_a_further_try_asks_only_for_what_is_missing() -> None:
    """Two of four meet a service that is away: the others are asked first, and none of
    them again.
    """
    asked = Counter[int]()
    found = PartialResults[int, str]()
    away = {1, 3}

    async def ask(key: int) -> str:
        asked[key] += 1
        if key in away:
            raise ServiceAway("the service is away")
        return f"item {key}"

    tries.set(Tries(left=1))
    with pytest.raises(TryAgain, match="the service is away"):
        await gather_missing(RESOURCES, [1, 2, 3, 4], ask, found)
    assert found == {2: "item 2", 4: "item 4"}
    away.clear()
    await gather_missing(RESOURCES, [1, 2, 3, 4], ask, found)
    assert sorted(found) == [1, 2, 3, 4]
    assert asked == {1: 2, 2: 1, 3: 2, 4: 1}


async def test_the_last_try_leaves_out_what_it_could_not_ask() -> None:
    """It returns with what there is; the flow says what becomes of the rest."""

    async def ask(_key: int) -> str:
        raise ServiceAway("the service is away")

    found = PartialResults[int, str]()
    await gather_missing(RESOURCES, [1, 2], ask, found)
    assert found == {}


async def test_who_could_not_be_asked_about_arrives_again_at_the_next_try() -> None:
    """Nobody waits for an order that has not come yet before the task says that the
    service is away.
    """
    found = PartialResults[str, str]()
    queue = OrderQueue(["A", "B", "C"])
    is_away = True

    async def ask(ref: str) -> str:
        if is_away and ref == "B":
            raise ServiceAway("the service is away")
        return ref.lower()

    tries.set(Tries(left=1))
    queue.put("A", "B")
    with pytest.raises(TryAgain, match="the service is away"):
        await gather_queued(RESOURCES, queue, ask, found)
    assert found == {"A": "a"}
    is_away = False
    queue.put("C")
    await gather_queued(RESOURCES, queue, ask, found)
    assert found == {"A": "a", "B": "b", "C": "c"}


async def test_wrong_credentials_come_out_as_they_are() -> None:
    async def ask(_key: int) -> str:
        raise Misconfigured("wrong secret")

    tries.set(Tries(left=1))
    with pytest.raises(Misconfigured, match="wrong secret"):
        await gather_missing(RESOURCES, [1, 2], ask, PartialResults())


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (
            Unanswered("no answer"),
            postponed(in_these_words("could not be previewed (no answer)")),
        ),
        (
            NotSent("too many calls"),
            postponed(in_these_words("could not be previewed (too many calls)")),
        ),
        (
            Refused("no"),
            held(
                in_these_words(
                    "could not be previewed (no). Run again; if it lasts, change the lines or sourcing drop"
                )
            ),
        ),
        (
            UnitUnclear(
                "odd", field="skuList.0.price", amount="59.00", place="taobao.detail"
            ),
            held(
                in_these_words(
                    "could not be previewed: skuList.0.price is 59.00, with a decimal point where whole fen belong. If "
                    "the console shows that many yuan, set XPORTCN_UNITS=taobao.detail=yuan and run again"
                )
            ),
        ),
        (
            ContractMismatch("odd"),
            held(
                in_these_words(
                    "could not be previewed (odd). Run again; if it lasts, change the lines or sourcing drop"
                )
            ),
        ),
    ],
)
def test_only_what_a_person_can_look_into_is_held(
    error: Unanswered | NotSent | Refused, verdict: object
) -> None:
    assert in_words(not_read("could not be previewed", error)) == verdict


def test_prefect_does_not_walk_what_was_found() -> None:
    """A dict would be walked for each chunk, down to the last cell."""
    found = PartialResults[int, str]({1: "a", 2: "b"})
    seen = list[object]()
    visit_collection([found], visit_fn=seen.append)
    assert seen == [[found], found]
