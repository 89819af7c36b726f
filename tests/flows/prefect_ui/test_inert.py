"""Words of others in Prefect's UIs: what a Markdown reader makes of them is one line of
text.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from connectors.xportcn.breaker import BreakerNews
from flows.prefect_ui import board, reconcile_artifact
from flows.prefect_ui.artifacts import of_many
from flows.prefect_ui.markdown import inert
from tasks.engine.progress import SILENT

MARKS = [
    "[",
    "](",
    ")",
    "![",
    "<",
    ">",
    "`",
    "*",
    "_",
    "~~",
    "#",
    "-",
    "+",
    "1. ",
    "2) ",
    "=",
    "|",
    "\\",
    "&",
    "&#91;",
]
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
    tokens = (
        MarkdownIt("commonmark", {"html": True})
        .enable(["table", "strikethrough"])
        .parse(text)
    )
    flat = [*tokens, *(child for token in tokens for child in token.children or ())]
    return {token.type for token in flat} - {
        "paragraph_open",
        "paragraph_close",
        "inline",
        "text",
        "text_special",
    }


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            "no stock [see](https://evil.example)",
            "no stock ［see］(https：//evil.example)",
        ),
        ('![x](http://e/p.png)<img src="y">', '!［x］(http：//e/p.png)＜img src="y"＞'),
        (
            "write to www.evil.example or a@b.example",
            "write to www．evil.example or a＠b.example",
        ),
        ("# all is paid", "＃ all is paid"),
        ("1. choose A_1", "1． choose A_1"),
        ("a|b\nc", "a｜b c"),
        (
            "5.00 CNY - 3.00 CNY; -2.00; sold out (3 of 5)!",
            "5.00 CNY - 3.00 CNY; -2.00; sold out (3 of 5)!",
        ),
        ("a&lt;b&gt; &#91;x&#x5d; R&D", "a＆lt;b＆gt; ＆#91;x＆#x5d; R&D"),
        ("库存不足", "库存不足"),
    ],
)
def test_marks_become_what_looks_like_them(words: str, shown: str) -> None:
    assert inert(words) == shown


@given(
    st.lists(
        st.one_of(st.sampled_from([*MARKS, *MORE]), st.text(max_size=3)), max_size=12
    ).map("".join)
)
def test_nothing_is_made_of_words(text: str) -> None:
    """Nor are the addresses left that UIs make links of without any mark."""
    shown = inert(text)
    assert made_of(shown) == set()
    assert not any(sign in shown.lower() for sign in ("://", "www."))
    assert inert(shown) == shown


def test_every_cell_of_a_table_is_inert() -> None:
    rows, _ = of_many(
        [
            {
                "order": "A-1",
                "reason": "<b>",
                "paid": 5,
            }
        ],
        "",
    )
    assert rows == [
        {
            "order": "A-1",
            "reason": "＜b＞",
            "paid": 5,
        }
    ]


async def test_the_service_s_words_in_a_description_are_inert_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The older UI renders descriptions as Markdown: those of the progress and of a
    reconciliation quote failures.
    """
    described: list[str] = []

    async def show(*_: object, description: str = "", **__: object) -> str:
        described.append(description)
        return "0b2f3c1e-0d5e-4d59-9c55-5a6f3b6f8a10"

    async def ignore(*_: object) -> None:
        pass

    monkeypatch.setattr(board, "acreate_progress_artifact", show)
    one = board._Board(SILENT, "batch")
    one.start("pay", 2)
    one.waits(
        BreakerNews("the service is away (HTTP 503: [see](https://evil.example))")
    )
    await one._show()

    for name, fake in (
        ("acreate_markdown_artifact", show),
        ("rename_run", ignore),
    ):
        monkeypatch.setattr(reconcile_artifact, name, fake)
    nothing: dict[str, Any] = {
        "settled": [],
        "findings": [],
        "notes": [],
    }
    report = reconcile_artifact.ReconciliationReport(
        since=datetime(2026, 1, 2, tzinfo=UTC), compared=1, in_hand=0, snapshot_id="s",
        snapshot_root="", troubles=["77: ![x](https://evil.example)"], **nothing,
    )  # fmt: skip
    await reconcile_artifact._show(report)
    assert [made_of(text) for text in described] == [set(), set()]
    assert [
        "［see］(https：//evil.example)" in described[0],
        "!［x］" in described[1],
    ] == [True, True]
