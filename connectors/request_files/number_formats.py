"""What a spreadsheet's number formats show: a number is used only as its cell shows
it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.cells import DATE, NotACell

YUAN_WORDS = frozenset(("", "-", "¥", "￥", "元", "CNY", "RMB", "人民币"))
QUOTED = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)(-[^\]]*)?\]|[_*].')
BRACKETS = re.compile(r"\[[^\]]*\]")
PLAIN = re.compile(r"[-+() ¥￥]*[#0?](?:[#0?,. ()-]*[#0?])?(?:\.|E[+-]0+)?[-+() ¥￥]*")
SCALED = re.compile(r"[#0?.],+(?![#0?,])")
ZEROS = re.compile(r"0{2,}")
SHOWN_DATE = re.compile("[dmyhsaegb年月日]", re.IGNORECASE)
SPLIT_DIGITS = re.compile("0[0#?]")
JAPANESE = ("411", "ja-JP")
YEN = ("¥", "￥")
# Dates that a file names by number alone, each in the words of its language.
FOREIGN_DATES = frozenset((*range(23, 37), *range(50, 82)))


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How a cell shows its number."""

    min_digits: int = 0
    """Leading zeros fill up a whole number to so many digits."""

    refusal: NotACell | None = None
    """The reason why the shown text is not the value."""


AS_IT_IS = NumberFormat()
PERCENTAGE = NumberFormat(
    refusal=NotACell("a percentage stands here; write the number or text that is meant")
)
SHOWS_DATE = NumberFormat(refusal=DATE)


def format_of(code: str) -> NumberFormat:
    """A format with this code."""
    if code.strip().lower() in ("general", "@", "", "standard"):
        return AS_IT_IS
    if ZEROS.fullmatch(code):
        return NumberFormat(min_digits=len(code))
    literals: list[str] = []
    bare = BRACKETS.sub(
        "", QUOTED.sub(lambda match: _take_words(match, literals), code)
    )
    if "%" in bare:
        return PERCENTAGE
    sections = [section.strip() for section in bare.split(";")]
    is_plain = all(_is_plain(section) for section in sections[:3] if section)
    if not is_plain or not {literal.strip() for literal in literals} <= YUAN_WORDS:
        return SHOWS_DATE if SHOWN_DATE.search(bare) else _other_value(code)
    whole_part = sections[0].partition(".")[0].replace(",", "").replace("E+00", "")
    if not sections[0] or SPLIT_DIGITS.search(whole_part):
        return _other_value(code)
    return AS_IT_IS


def _take_words(match: re.Match[str], literals: list[str]) -> str:
    quoted, escaped, currency, language = match.groups()
    sign = escaped if escaped and escaped not in " -()" else ""
    literals.append(quoted or sign or currency or "")
    if language and language.endswith(JAPANESE) and currency in YEN:
        literals.append("yen")
    return ""


def _is_plain(section: str) -> bool:
    is_number = PLAIN.fullmatch(section) and not SCALED.search(section)
    return bool(is_number) or section in ("-", "@", "General")


def _other_value(code: str) -> NumberFormat:
    return NumberFormat(
        refusal=NotACell(
            f"the number's format ({code[:40]}) shows something else than its value; format the cell as text and "
            "enter again what is meant"
        )
    )
