"""What counts as a token of the product."""

from __future__ import annotations

from pathlib import Path

from tests.product_size import tokens_in


def test_words_and_layout_are_no_tokens(tmp_path: Path) -> None:
    """Docstrings, comments and line ends count nothing; a string of the code does."""
    module = tmp_path / "module.py"
    module.write_text('"""Words."""\n\n# a comment\nname = (\n    "text"\n)\n')
    assert tokens_in(module) == 5
