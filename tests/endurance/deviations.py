"""Every deviation of the service at every marketplace: `make endurance
PART=deviations`.
"""

from __future__ import annotations

from tests.simulation.deviations.open import why_open
from tests.simulation.deviations.table import SEEDS, Line, cells, lines, table

WORKERS = 2


def deviations_are_borne(*, every: int) -> bool:
    """Play all cells, or every so manyth; tell at once what breaks a promise, and what
    each comes to at the end.
    """
    chosen = cells(seeds=range(SEEDS))[::every]
    by_name = {
        (cell.deviation.name, cell.marketplace, cell.setting, cell.seed): cell
        for cell in chosen
    }
    played = list[Line]()
    new = 0
    for line in lines(chosen, WORKERS):
        played.append(line)
        if line.faults and not why_open(by_name[line.key]):
            new += 1
            print(_replay(line), flush=True)
    print("\n".join(table(played)))
    broken = sum(bool(line.faults) for line in played)
    print(
        f"{len(played)} cells; {broken - new} break what is known to be open, {new} something else"
    )
    return not new


def _replay(line: Line) -> str:
    message = f"--deviation '{line.deviation}' --marketplace {line.marketplace} --world {line.setting} --seed {line.seed}"
    return f"{message}: {line.faults[0]}"
