"""What nobody sees in a cell never stays in it unsaid."""

from __future__ import annotations

import pytest

from domain.cells import INVISIBLE, seen_text

UNSEEN = INVISIBLE.findall("\n".join(map(chr, range(0x80, 0xE1000))))


def test_every_invisible_character_is_taken_out_of_words_and_said() -> None:
    assert len(UNSEEN) > 3000
    answers = [seen_text(f"a{letter}b", prose=True) for letter in UNSEEN]
    assert all(
        answer == ("ab", ["invisible characters were taken out of this cell"])
        for answer in answers
    )


def test_every_invisible_character_is_refused_within_codes() -> None:
    for letter in UNSEEN:
        with pytest.raises(ValueError, match="this cell holds an invisible character"):
            seen_text(f"a{letter}b", prose=False)


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",
        "葛\U000e0100城",
        "👨\u200d👩",
        "❤\ufe0f",
        "Straße",
        "王小明",
        "e\u0301",
    ],
)
def test_what_belongs_to_a_letter_stays(text: str) -> None:
    assert seen_text(text, prose=True) == (text, [])


@pytest.mark.parametrize(
    "letter", ["\x00", "\x1b", "\x7f", "\x9b", "\u202e", "\u2066", "\ufffd", "\ufffe"]
)
def test_what_is_no_text_is_refused_everywhere(letter: str) -> None:
    with pytest.raises(ValueError, match="this cell holds"):
        seen_text(f"é{letter}b", prose=True)
