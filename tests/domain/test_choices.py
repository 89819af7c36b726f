"""What an answer to a plan approves: what it names, of what was asked, or nothing and a
sentence.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.wording import BadChoice, Choice, chosen, references_in

NONE, ALL, SOME, ALL_BUT = Choice

ASKED = ["A-1", "A-2", "B.3"]
REFS = st.lists(
    st.from_regex(r"[A-C][0-9]{1,2}", fullmatch=True), unique=True, max_size=12
)


def test_all_none_only_these_and_all_but_these() -> None:
    """In the order of the plan, however they are named."""
    assert chosen(ALL, [], ASKED) == ASKED
    assert chosen(NONE, [], ASKED) == chosen(NONE, ["A-1", "X"], ASKED) == []
    assert chosen(SOME, ["B.3", "A-1"], ASKED) == ["A-1", "B.3"]
    assert chosen(ALL_BUT, ["A-2"], ASKED) == ["A-1", "B.3"]
    assert chosen(ALL_BUT, ["B.3", "A-2", "A-1"], ASKED) == []


@pytest.mark.parametrize(
    ("choice", "named", "words"),
    [
        (
            SOME,
            ["A-1", "A-9", "A-9", "X", "Y", "Z"],
            "this plan has no order A-9, X, Y and 1 more: ",
        ),
        (
            ALL_BUT,
            ["A-2", "A-1", "A-2"],
            "A-2 stands there more than once: name each order once",
        ),
        (
            SOME,
            ["a-1"],
            "this plan has no order a-1: copy the references from the plan",
        ),
        (SOME, [], f"“{SOME}” was chosen and no order named: "),
        (ALL_BUT, [], f"“{ALL_BUT}” was chosen and no order named: "),
        (ALL, ["A-1"], f"“{ALL}” was chosen and A-1 named as well: "),
    ],
)
def test_what_leaves_it_open_is_refused_with_a_sentence(
    choice: Choice, named: list[str], words: str
) -> None:
    with pytest.raises(BadChoice, match=r"^" + words.replace(".", r"\.")):
        chosen(choice, named, ASKED)


@pytest.mark.parametrize(
    "text",
    [
        "A-1\nB.3",
        " A-1 ,B.3,",
        "A-1;B.3\r\n",
        "A-1\tB.3",
        "A-1，B.3、",
        '"A-1","B.3"',
        "\n\nA-1\n\n  B.3\n",
    ],
)
def test_references_may_be_typed_or_copied_from_a_column(text: str) -> None:
    assert references_in(text) == ["A-1", "B.3"]


@given(
    asked=REFS,
    named=st.lists(st.from_regex(r"[A-D][0-9]{1,2}", fullmatch=True), max_size=12),
    data=st.data(),
)
def test_exactly_what_was_chosen_is_approved_and_never_what_was_not_asked(
    asked: list[str], named: list[str], data: st.DataObject
) -> None:
    choice = data.draw(st.sampled_from([ALL, ALL_BUT, SOME, NONE]))
    try:
        approved = chosen(choice, references_in("\n".join(named)), asked)
    except BadChoice:
        is_clear = named and len({*named}) == len(named) and {*named} <= {*asked}
        assert named if choice == ALL else not is_clear
        return
    expected = {
        ALL: {*asked},
        ALL_BUT: {*asked} - {*named},
        SOME: {*named},
        NONE: set[str](),
    }[choice]
    assert ({*approved}, len(approved)) == (expected, len(expected))
    assert {*approved} <= {*asked}
    assert approved == [ref for ref in asked if ref in approved]
