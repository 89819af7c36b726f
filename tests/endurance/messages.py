"""Senders of the outbox that are killed forty times, their recipient dead for hours in
between.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.crashes.senders import kill_senders

KILLS = 40


def messages_outlive_kills(seed: int) -> bool:
    folder = Path(tempfile.mkdtemp(prefix=f"endurance-messages-{seed}-"))
    done = kill_senders(folder, kills=KILLS, seed=seed)
    repeated = sum(done.arrived.values()) - len(done.arrived)
    print(
        f"messages   seed {seed}: {len(done.put)} put, {len(done.lost)} lost, {repeated} repeated, "
        f"{done.in_doubt.total()} kills between yes and record, {done.hours:.0f} hours",
        flush=True,
    )
    if done.lost or done.unexplained:
        print(f"           see {folder}: {done.lost} {done.unexplained}", flush=True)
        return False
    shutil.rmtree(folder)
    return True
