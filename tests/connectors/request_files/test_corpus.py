"""Each of hundreds of bad files brings its fault, or its warning, and none is
understood in silence.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from connectors.request_files import UnreadableFile, read_request_file
from tests.connectors.request_files.corpus import BadFile, corpus

BAD_FILES = list(corpus())


def told(path: Path) -> tuple[list[str], list[str]]:
    """Faults and warnings of a file; one that can't be read has one fault."""
    try:
        parsed = read_request_file(path)
    except UnreadableFile as error:
        return [str(error).removeprefix(f"{path}: ")], []
    assert bool(parsed.orders) != bool(parsed.faults)
    return [str(fault) for fault in parsed.faults], [
        str(warning) for warning in parsed.warnings
    ]


@pytest.mark.parametrize("suffix", ["csv", "json", "xlsx", "parquet"])
def test_every_bad_file_brings_its_fault_or_warning(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"requests.{suffix}"
    missed = []
    for bad in BAD_FILES:
        if bad.suffix == suffix:
            path.write_bytes(bad.content)
            if problem := _missed(bad, *told(path)):
                missed.append(problem)
    assert missed == []


def _missed(bad: BadFile, faults: list[str], warnings: list[str]) -> str:
    output = faults if bad.fault else warnings
    if any(text.startswith(bad.fault or bad.warning) for text in output) and (
        bad.fault or not faults
    ):
        return ""
    return f"{bad.name}: wanted {bad.fault or bad.warning!r}, got {faults[:3]} and {warnings[:3]}"


def test_the_corpus_is_large_and_of_every_format() -> None:
    sizes = Counter(bad.suffix for bad in BAD_FILES)
    assert len({(bad.suffix, bad.content) for bad in BAD_FILES}) >= 300
    assert all(sizes[suffix] >= 50 for suffix in ("csv", "json", "xlsx", "parquet"))
