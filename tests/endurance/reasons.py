"""Every reason is reached through the simulation: `make endurance PART=reasons`."""

from __future__ import annotations

import logging

from tests.simulation.reasons import SCENES
from tests.simulation.stage import stage


def reasons_are_reached() -> bool:
    """Play each reason's scene; tell those that end without it."""
    logging.disable()
    with stage() as open_stage:
        missed = {
            code: met
            for code, play in SCENES.items()
            if code not in (met := play(open_stage))
        }
    for code, met in missed.items():
        print(f"{code}: met only {', '.join(sorted(met))}")
    print(
        f"reasons    {len(SCENES) - len(missed)} of {len(SCENES)} reached", flush=True
    )
    return not missed
