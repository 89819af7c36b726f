"""Words of others in Prefect's UIs: what a Markdown reader makes of them is one line of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flows.prefect_ui.artifacts import of_many
from flows.prefect_ui.inert import inert

MARKS = ["[", "](", ")", "![", "<", ">", "`", "*", "_", "~~", "#", "-", "+", "1. ", "2) ", "=", "|", "\\", "&", "&#91;"]
MORE = [
    "://",
    "https://evil.example",
    "www.",
    "a@b.ca",
    "mailto:",
    " ",
    "  ",
    "\n",
    "\t",
    "x",
    "9",
    "<img src=x>",
    "---",
]


def made_of(text: str) -> set[str]:
    """All that a reader of Markdown makes of a text, besides text."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    flat = [*tokens, *(child for token in tokens for child in token.children or ())]
    return {token.type for token in flat} - {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("no stock [see](https://evil.example)", "no stock ［see］(https：//evil.example)"),
        ('![x](http://e/p.png)<img src="y">', '!［x］(http：//e/p.png)＜img src="y"＞'),
        ("write to www.evil.example or a@b.example", "write to www．evil.example or a＠b.example"),
        ("# all is paid", "＃ all is paid"),
        ("1. choose A_1", "1． choose A_1"),
        ("a|b\nc", "a｜b c"),
        ("5.00 CNY - 3.00 CNY; -2.00; sold out (3 of 5)!", "5.00 CNY - 3.00 CNY; -2.00; sold out (3 of 5)!"),
        ("a&lt;b&gt; &#91;x&#x5d; R&D", "a＆lt;b＆gt; ＆#91;x＆#x5d; R&D"),
        ("库存不足", "库存不足"),
    ],
)
def test_marks_become_what_looks_like_them(words: str, shown: str) -> None:
    assert inert(words) == shown


@given(st.lists(st.one_of(st.sampled_from([*MARKS, *MORE]), st.text(max_size=3)), max_size=12).map("".join))
def test_nothing_is_made_of_words(text: str) -> None:
    """Nor are the addresses left that UIs make links of without any mark."""
    shown = inert(text)
    assert made_of(shown) == set()
    assert not any(sign in shown.lower() for sign in ("://", "www."))
    assert inert(shown) == shown


def test_every_cell_of_a_table_is_inert_but_for_our_own_links() -> None:
    rows, _ = of_many([{"order": "A-1", "reason": "<b>", "paid": 5, "product pages": "https://item.example/1"}], "")
    assert rows == [{"order": "A-1", "reason": "＜b＞", "paid": 5, "product pages": "https://item.example/1"}]
