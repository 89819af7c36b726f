"""A create that makes an order of fewer goods: it is not paid as the whole, whatever
its answer says.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain.marketplace import Marketplace
from domain.reasons import ReasonCode
from tests.simulation.misfortune import Call, Fault, Kind
from tests.simulation.scene import Scene
from tests.simulation.scripts import two_products_of_a_seller
from tests.simulation.stage import Stage, stage


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


@pytest.mark.parametrize("kind", [Kind.PART_FAILS, Kind.PART_UNSAID])
@pytest.mark.parametrize("marketplace", list(Marketplace))
def test_an_order_in_part_is_a_question(
    made: Stage, marketplace: Marketplace, kind: Kind
) -> None:
    """At each marketplace, whether the answer names the line that failed, has a part
    without an order, or says yes.
    """
    scene = Scene(made, marketplace, faults={Call.CREATE: [Fault(kind)]})
    scene.wants(quantity=100)  # so that the part costs more than half of all
    scene.run(two_products_of_a_seller(scene))
    assert (scene.found, str(ReasonCode.ORDERED_IN_PART) in scene.reasons) == ([], True)
    assert scene.world.books.payments == []
