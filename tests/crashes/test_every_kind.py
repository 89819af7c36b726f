"""`kill -9` at the named points of every kind of effect: the next run finds out, and it
has happened once.

All kinds at all points on all marketplaces are played by `make endurance PART=crashes`,
of which this is a part that has every kind, every point and every marketplace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.crash_points import EFFECT_POINTS
from domain.effects import SPENDING, EffectStatus
from tasks.effects.kind import EffectKind
from tasks.effects.kinds import KINDS
from tests.crashes.leads import IS_EVERY, LATER, LEADS, Shop
from tests.crashes.light import Speed, killed, run
from tests.running import RunningSandbox, own_sandbox, single_line_orders

IN_DOUBT = "before-first-byte"
"""Noted as sent and never sent: the one point whose truth no read can tell at once."""

CLOSES_IN_S = 6
"""Taobao closes an order five seconds after it took the cancellation."""

Case = tuple[type[EffectKind], str, str]
EVERY: list[list[Case]] = [
    [(kind, location, point) for location in LEADS[kind].at for point in EFFECT_POINTS]
    for kind in KINDS
]
IN_TURN = 11
"""One case of each kind: by this the seven points, and the marketplaces, have their
turn.
"""
CASES = [
    case
    for n, cases in enumerate(EVERY)
    for case in (cases if IS_EVERY else [cases[n * IN_TURN % len(cases)]])
]


def test_every_kind_every_point_and_every_marketplace_has_its_turn() -> None:
    assert [*LEADS] == [*KINDS]
    assert {kind for kind, _, _ in CASES} == {*LEADS}
    assert {point for _, _, point in CASES} == set(EFFECT_POINTS)
    assert {location for _, location, _ in CASES} == {"taobao", "1688"}


@pytest.fixture(scope="module")
def shops(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Case], tuple[Shop, str]]]:
    """The shop of a case, made when it is asked for, and the order that is the case's
    own.
    """
    built: dict[tuple[Case, ...], Shop] = {}
    with ExitStack() as stack:

        def shop_of(case: Case) -> tuple[Shop, str]:
            cases = together(case)
            if cases not in built:
                folder = tmp_path_factory.mktemp(LEADS[case[0]].before.__name__)
                built[cases] = shop = opened(
                    stack.enter_context(own_sandbox()), folder, cases
                )
                LEADS[case[0]].before(shop)
            return built[cases], f"{case[1]}-{cases.index(case) + 1:03d}"

        yield shop_of


def together(case: Case) -> tuple[Case, ...]:
    """The cases whose orders are brought on together."""
    if LEADS[case[0]].for_all:
        return (case,)
    return tuple(
        item for item in CASES if LEADS[item[0]].before is LEADS[case[0]].before
    )


def opened(sandbox: RunningSandbox, folder: Path, cases: Sequence[Case]) -> Shop:
    """One order more a marketplace, which is no case's."""
    rows = single_line_orders(
        sandbox, dict.fromkeys([location for _, location, _ in cases], len(cases) + 1)
    )
    return Shop(sandbox, folder, {str(row["order_ref"]): row for row in rows})


OF_MONEY = {kind for kind in LEADS if kind.action in SPENDING}


# kinds that spend; the others have their turn in endurance
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[] if case[0] in OF_MONEY else [pytest.mark.endurance])
        for case in CASES
    ],
    ids=lambda case: f"{case[0].__name__}-{case[1]}-{case[2]}",
)
def test_whatever_died_it_happens_once(
    shops: Callable[[Case], tuple[Shop, str]], case: Case
) -> None:
    """Done by the next run, or the one after the settle time; a booking that may have
    left is asked about for ever.
    """
    kind, location, point = case
    shop, ref = shops(case)
    lead = LEADS[kind]
    job = lead.sends(shop, ref)

    def found() -> tuple[list[EffectStatus], int]:
        times = lead.times(shop, ref)
        return [effect.status for effect in shop.effects(ref, kind)], min(
            times, 1
        ) if kind.repeatable else times

    def again(clock: Speed = job.clock) -> tuple[list[EffectStatus], int]:
        run(replace(job, clock=clock))
        shop.sandbox.advance(CLOSES_IN_S)
        return found()

    killed(job, f"{point}:{kind.action}")
    shop.sandbox.advance(CLOSES_IN_S)
    done = ([EffectStatus.DONE], 1)
    in_doubt = ([EffectStatus.UNKNOWN], 0)
    clock = job.clock
    if point == IN_DOUBT and not kind.repeatable:
        assert again() == in_doubt
        [effect] = shop.effects(ref, kind)
        message = (
            ": it may still arrive until "
            if kind.absence_proves
            else f". {kind.asked(shop.order(ref), effect)['question']}"
        )
        assert str(effect.reason).startswith(f"no answer to {kind.action}{message}")
        done = done if kind.absence_proves else in_doubt
        clock = LATER
        assert again(clock) == done
    assert again(clock) == done
    output = run(replace(job, clock=clock)).get("troubles", [])
    assert len(output) == (location in lead.already)
    assert all(lead.already[location] in trouble for trouble in output)
    assert found() == done
    assert shop.broken_promises() == []
