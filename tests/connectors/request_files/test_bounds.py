"""No file takes more than 300 MiB beyond what reading takes anyway; each is answered
with a sentence.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.connectors.request_files.heavy import write
from tests.connectors.request_files.writing import GOOD, csv_bytes

SCRIPT = """
import sys
from pathlib import Path
import pyarrow.parquet
from connectors.request_files import UnreadableFile, read_request_file

def peak():
    status = Path("/proc/self/status").read_text()  # getrusage knows the peak of the process before it, too
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

read_request_file(Path(sys.argv[1]))
for name in sys.argv[2:]:
    before = peak()
    try:
        said = read_request_file(Path(name)).faults[0]
    except UnreadableFile as error:
        said = error
    print(peak() - before, str(said)[:200].replace(chr(10), " "))
"""
QUICK = [
    "line-feeds-below-a-header.csv",
    "one-cell.csv",
    "list-in-a-row.json",
    "rows.xlsx",
    "long-tag.xlsx",
    "rows.parquet",
    "one-text-everywhere.parquet",
]


def peaks(folder: Path, names: list[str]) -> list[tuple[int, str]]:
    """MiB by which each file has raised the peak of one process, and what was said of
    it.
    """
    good = folder / "good.csv"
    good.write_bytes(csv_bytes(GOOD))
    files = [str(write(name, folder)) for name in names]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(good), *files],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    return [
        (int(line.partition(" ")[0]), line.partition(" ")[2])
        for line in done.stdout.splitlines()
    ]


@pytest.mark.endurance
def test_files_out_of_all_bounds_are_answered_in_bounded_memory(tmp_path: Path) -> None:
    """The growth of one process over all of them is more than that of any one."""
    answers = peaks(tmp_path, QUICK)
    assert len(answers) == len(QUICK)
    assert sum(grown for grown, _ in answers) < 300
    assert all(message for _, message in answers)
