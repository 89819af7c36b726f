"""What a spreadsheet shows of a number: its value, leading zeros before it, or something else."""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.cells import DATE, NotACell

# Formats that a file names by number alone; others of the first 50 are dates, which differ by language.
BUILT_IN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "#,##0", 6: "#,##0", 7: "#,##0.00", 8: "#,##0.00",
    9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 37: "#,##0", 38: "#,##0", 39: "#,##0.00",
    40: "#,##0.00", 41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00", 48: "##0.0E+0", 49: "@",
}  # fmt: skip
OWN_WORDS = frozenset(("", "-", "¥", "￥", "元", "CNY", "RMB", "人民币"))
QUOTED = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)(-[^\]]*)?\]|[_*].')
BRACKETS = re.compile(r"\[[^\]]*\]")
PLAIN = re.compile(r"[-+() ¥￥]*[#0?](?:[#0?,. ()-]*[#0?])?(?:\.|E[+-]0+)?[-+() ¥￥]*")
SCALED = re.compile(r"[#0?.],+(?![#0?,])")
ZEROS = re.compile(r"0{2,}")
JAPANESE = ("411", "ja-JP")
YEN = ("¥", "￥")


@dataclass(frozen=True, slots=True)
class Shown:
    """How a format shows numbers: with at least `zeros` digits; `refused` says why the shown text is not the value."""

    zeros: int = 0
    refused: NotACell | None = None


AS_IT_IS = Shown()
PERCENT = Shown(refused=NotACell("a percentage stands here; write the number or text that is meant"))
A_DATE = Shown(refused=DATE)


def shown_by(code: str) -> Shown:
    """What a format code shows of a number."""
    if code.strip().lower() in ("general", "@", "", "standard"):
        return AS_IT_IS
    if ZEROS.fullmatch(code):
        return Shown(zeros=len(code))
    words: list[str] = []
    bare = BRACKETS.sub("", QUOTED.sub(lambda found: _noted(found, words), code))
    if "%" in bare:
        return PERCENT
    sections = [section.strip() for section in bare.split(";")]
    if not {word.strip() for word in words} <= OWN_WORDS or not all(_is_plain(one) for one in sections[:3] if one):
        return A_DATE if re.search("[dmyhsaegb年月日]", bare, re.IGNORECASE) else _another(code)
    if not sections[0] or re.search("0{2,}", sections[0].partition(".")[0].replace(",", "").replace("E+00", "")):
        return _another(code)
    return AS_IT_IS


def _noted(found: re.Match[str], words: list[str]) -> str:
    quoted, escaped, currency, language = found.groups()
    words.append(quoted or (escaped if escaped and escaped not in " -()" else "") or currency or "")
    if language and language.lstrip("-").endswith(JAPANESE) and (currency in YEN):
        words.append("yen")
    return ""


def _is_plain(section: str) -> bool:
    return bool(PLAIN.fullmatch(section) and not SCALED.search(section)) or section in ("-", "@", "General")


def _another(code: str) -> Shown:
    return Shown(
        refused=NotACell(
            f"the number's format ({code[:40]}) shows something else than its value; format the cell as text and "
            "enter again what is meant"
        )
    )
