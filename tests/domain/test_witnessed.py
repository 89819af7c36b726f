"""A verdict about money can't be made with fewer witnesses than its kind demands."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from domain import witnessed


@pytest.mark.parametrize(
    ("kind", "witnesses"),
    [
        (witnessed.Amount, {"first", "second"}),
        (witnessed.Paid, {"order", "ours"}),
        (witnessed.RefusedForGood, {"words", "read_after"}),
        (witnessed.Booked, {"shown", "id_is_free"}),
    ],
)
def test_each_witness_is_a_field_without_a_default(kind: type, witnesses: set[str]) -> None:
    demanded = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    assert demanded == witnesses
    with pytest.raises(TypeError):
        kind()
