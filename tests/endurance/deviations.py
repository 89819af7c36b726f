"""Every deviation of the service at every marketplace: `make endurance PART=deviations`."""

from __future__ import annotations

from tests.simulation.deviations.open import why_open
from tests.simulation.deviations.table import SEEDS, Line, cells, lines, table

WORKERS = 2


def deviations_are_borne(*, every: int) -> bool:
    """Play all cells, or every so manyth; tell what each comes to, and what breaks a promise."""
    chosen = cells(seeds=range(SEEDS))[::every]
    played = list(lines(chosen, WORKERS))
    print("\n".join(table(played)))
    by_name = {(cell.deviation.name, cell.marketplace, cell.setting, cell.seed): cell for cell in chosen}
    broken = [line for line in played if line.faults]
    new = [line for line in broken if not why_open(by_name[line.key])]
    print(f"{len(played)} cells; {len(broken) - len(new)} break what is known to be open, {len(new)} something else")
    for line in new:
        print(_replay(line))
    return not new


def _replay(line: Line) -> str:
    words = f"--deviation '{line.deviation}' --marketplace {line.marketplace} --world {line.setting} --seed {line.seed}"
    return f"{words}: {line.faults[0]}"
