"""`sourcing template`: an empty request file to fill in."""

from __future__ import annotations

from pathlib import Path

from cli.failures import as_usage
from cli.terminal import console
from connectors.request_files.template import write_template


def make_template(path: Path) -> int:
    """Write an empty request file with an example row."""
    with as_usage():
        write_template(path)
    words = f"Wrote {path}: write your lines over the example row, then: sourcing run {path} --dry-run"
    console.print(words, soft_wrap=True)
    return 0
