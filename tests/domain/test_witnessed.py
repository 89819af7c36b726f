"""A verdict about money can't be made with fewer witnesses than its kind demands."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from domain import witnessed
from domain.witnessed import Source, Statement

KINDS: list[tuple[type, set[str]]] = [
    (witnessed.Amount, {"first", "second"}),
    (witnessed.Paid, {"order", "ours"}),
    (witnessed.RefusedForGood, {"words", "read_after"}),
    (witnessed.Booked, {"shown", "ours"}),
]


@pytest.mark.parametrize(("kind", "witnesses"), KINDS)
def test_each_witness_is_a_field_without_a_default(
    kind: type, witnesses: set[str]
) -> None:
    demanded = {
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    }
    assert demanded == witnesses
    with pytest.raises(TypeError):
        kind()


@pytest.mark.parametrize(("kind", "witnesses"), KINDS)
def test_two_statements_of_one_source_are_one_witness(
    kind: type, witnesses: set[str]
) -> None:
    statement = Statement(source=Source.ANSWER, value="no stock")
    with pytest.raises(ValueError, match="the answer to the call is one witness"):
        kind(**dict.fromkeys(witnesses, statement))
