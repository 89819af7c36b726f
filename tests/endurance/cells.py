"""A million random cells of request files, and the files that are out of all bounds."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.connectors.request_files.heavy import HEAVY
from tests.connectors.request_files.random_cells import MAKERS, check_cells
from tests.connectors.request_files.test_bounds import peaks

CELLS = 1_000_000
A_ROUND = 12_500
MOST_MIB = 300


def random_cells(*, seed: int, cells: int = CELLS) -> bool:
    """Whether none changed in silence, and no file took more memory than it may."""
    right = True
    with tempfile.TemporaryDirectory(prefix="endurance-cells-") as folder:
        for suffix in MAKERS:
            done = 0
            for item in range(seed, seed + max(1, cells // len(MAKERS) // A_ROUND)):
                try:
                    done += check_cells(Path(folder), suffix, cells=A_ROUND, seed=item)
                except AssertionError as error:
                    right = False
                    print(f"cells      {suffix:8} seed {item}: {error}", flush=True)
            print(
                f"cells      {suffix:8} {done:,} read as they are, refused or told",
                flush=True,
            )
        for name in HEAVY:
            mib, message = peaks(Path(folder), [name])[0]
            right = right and mib < MOST_MIB
            print(f"cells      {mib:4} MiB for {name}: {message[-100:]}", flush=True)
            (Path(folder) / name).unlink()
    return right
