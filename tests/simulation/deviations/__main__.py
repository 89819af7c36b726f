"""`python -m tests.simulation.deviations`: play each deviation in calm, and write what
was seen into docs/contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from domain.marketplace import Marketplace
from tests.running import ROOT
from tests.simulation.deviations.catalogue import BY_NAME, DEVIATIONS
from tests.simulation.deviations.open import OPEN, Open
from tests.simulation.deviations.scenes import Cell, Setting
from tests.simulation.deviations.service import Outcome
from tests.simulation.deviations.table import Line, cells, lines

PAGE = ROOT / "docs" / "contract" / "deviations.md"
HEAD = """# Deviations from the written contract

Half of the service's contract is not public. So the simulation plays forms in which a service may deviate, each of them
everywhere in its answers or in all of the calls that are named: `tests/simulation/deviations/` declares them, at all
marketplaces, in calm, with crashes and lost answers, and with an older ledger that is put back, beside more than fifty
orders of others at the marketplace. `make endurance PART=deviations` plays all, `make test` a few;
`python -m tests.simulation --deviation NAME --marketplace M --world crash --seed N --trace` plays one again, and
`make endurance PART=proxy` the worst of them before the real command.

*Through*: as with the contract. *Stops*: nothing is ordered. *One*: at most the first order is placed (up to four
where one after the other stays unknown). *Paid*: all are paid and told, what comes after waits. *Waits*: some orders
wait or are asked about. In no case anything is ordered, paid or booked twice, paid above a limit in the sandbox's own
fen, or paid and not told, but for what is open below. What follows was seen in calm, for five orders a marketplace,
with a service that deviates from the first call on; a dash is a form that this marketplace's answers can't have.

Generated: `python -m tests.simulation.deviations`.
"""


def page(told: Iterable[Line]) -> Iterator[str]:
    """The page's lines."""
    observed = {(line.deviation, line.marketplace): line for line in told}
    yield HEAD
    group = ""
    for deviation in DEVIATIONS:
        if deviation.group != group:
            group = deviation.group
            yield f"\n## {group.capitalize()}\n\n| form | {' | '.join(Marketplace)} |\n|---|{'---|' * len(Marketplace)}"
        cells = (
            _word(observed[deviation.name, marketplace]) for marketplace in Marketplace
        )
        yield f"| {deviation.name} | {' | '.join(cells)} |"
    yield f"\n## Open\n\n{_open()}"


def _word(line: Line) -> str:
    text = (
        "–"
        if not line.deviated
        else "waits"
        if line.outcome == Outcome.OTHER
        else line.outcome
    )
    return f"{text} (open)" if line.faults else text


def _open() -> str:
    """The cells that may break something, in every setting."""
    return "\n".join(
        f"- {item.deviation} ({_where(item)}): {item.reason}" for item in OPEN
    )


def _where(item: Open) -> str:
    marketplaces = (
        sorted(item.marketplaces) if len(item.marketplaces) < len(Marketplace) else []
    )
    settings = sorted(item.settings) if len(item.settings) < len(Setting) else []
    return ", ".join([*marketplaces, *settings]) or "all"


def _calm() -> list[Cell]:
    return cells(list(BY_NAME.values()), settings=[Setting.CALM], seeds=[0])


if __name__ == "__main__":
    PAGE.write_text("\n".join(page(lines(_calm(), 2))) + "\n", encoding="utf-8")
