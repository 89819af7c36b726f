"""Many cases in one test."""

from __future__ import annotations

import pytest

from tests.in_turn import in_turn

PLAYED: list[tuple[str, str]] = []


@in_turn("word", ["one", "two"])
def test_each_case_is_played_with_the_fixtures(
    word: str, request: pytest.FixtureRequest
) -> None:
    PLAYED.append((word, request.node.name))
    assert [PLAYED[-1]] == [(word, "test_each_case_is_played_with_the_fixtures")]
    assert len(PLAYED) == 1 + (word == "two")


def test_a_failure_names_its_case() -> None:
    @in_turn("given, doubled", [(1, 2), (2, 5), (3, 6)])
    def doubles(given: int, doubled: int) -> None:
        assert given * 2 == doubled

    with pytest.raises(AssertionError) as caught:
        doubles()
    assert caught.value.__notes__ == ["given, doubled: (2, 5)"]
