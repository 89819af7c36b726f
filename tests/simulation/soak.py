"""Many episodes, in several processes, and what they came to."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty

from tests.simulation.episode import AS_WRITTEN, Episode, Service, play
from tests.simulation.stage import stage

TOLD_EVERY = 25
SILENCE_S = 600


@dataclass(slots=True)
class Tally:
    """Counts over episodes; `failures` are seeds with their first breach."""

    episodes: int = 0
    runs: int = 0
    orders: int = 0
    befell: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def take(self, episode: Episode) -> None:
        self.episodes += 1
        self.runs += len(episode.processes)
        self.orders += len(episode.scenario.requests)
        self.befell.update(episode.misfortune.struck)
        self.ends.update(episode.ends)
        if episode.found:
            self.failures[episode.seed] = episode.found[0]

    def add(self, other: Tally) -> None:
        self.episodes += other.episodes
        self.runs += other.runs
        self.orders += other.orders
        self.befell.update(other.befell)
        self.ends.update(other.ends)
        self.failures |= other.failures

    def report(self) -> str:
        """For people: what befell the episodes, how their orders ended, and every
        breach.
        """
        crashes = Counter(
            {label: n for label, n in self.befell.items() if label.startswith("crash")}
        )
        faults = Counter(
            {
                label: n
                for label, n in self.befell.items()
                if not label.startswith(("crash", "stop"))
            }
        )
        lines = [
            f"{self.episodes} episodes, {self.runs} runs, {self.orders} orders",
            f"faults: {sum(faults.values())}: {_listed(faults)}",
            f"crashes: {sum(crashes.values())}: {_listed(crashes)}",
            f"stops of a process: {self.befell['stop']}",
            f"orders ended: {_listed(self.ends)}",
            f"violations: {len(self.failures)}",
            *(
                f"  seed {seed}: {label}"
                for seed, label in sorted(self.failures.items())
            ),
        ]
        return "\n".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(
        f"{label.removeprefix('crash ')} {n}" for label, n in counts.most_common()
    )


def tally(seeds: Iterable[int], service: Service = AS_WRITTEN) -> Iterator[Tally]:
    """Plays these seeds; gives a part of the tally every few episodes."""
    with stage() as open_stage:
        piece = Tally()
        for seed in seeds:
            piece.take(play(seed, open_stage, service))
            if piece.episodes == TOLD_EVERY:
                gc.collect()  # the stage makes collections rare, and an episode is full of cycles
                yield piece
                piece = Tally()
        yield piece


def soak(
    *,
    start: int,
    episodes: int,
    workers: int,
    failures: Path,
    until_violation: bool = False,
    service: Service = AS_WRITTEN,
) -> Tally:
    """Play `episodes` seeds from `start` on, tell the progress, write the seeds that
    failed.
    """
    total = Tally()
    began = time.monotonic()
    notices = 0.0
    print(f"seeds {start} to {start + episodes - 1} on {workers} workers", flush=True)
    for piece in _parts(start, episodes, workers, service):
        total.add(piece)
        for seed, failure in piece.failures.items():
            print(f"seed {seed}: {failure}", flush=True)
        if until_violation and total.failures:
            break
        if time.monotonic() - notices > 30:
            notices = time.monotonic()
            rate = total.episodes / (notices - began)
            print(
                f"{total.episodes} episodes, {rate:.1f} a second, {len(total.failures)} violations",
                flush=True,
            )
    took = time.monotonic() - began
    print(f"{took:.0f} s, {total.episodes / took:.1f} episodes a second")
    print(total.report())
    if total.failures:
        failures.write_text(
            "".join(
                f"{seed}\t{label}\n" for seed, label in sorted(total.failures.items())
            )
        )
        print(
            f"replay one with: python -m tests.simulation --trace --seed SEED (all are in {failures})"
        )
    return total


def _parts(
    start: int, episodes: int, workers: int, service: Service
) -> Iterator[Tally]:
    if workers == 1:
        yield from tally(range(start, start + episodes), service)
        return
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[Tally | None] = context.Queue()
    seeds = [
        range(start + index, start + episodes, workers) for index in range(workers)
    ]
    running = [
        context.Process(target=_work, args=(queue, own, service), daemon=True)
        for own in seeds
    ]
    for worker in running:
        worker.start()
    at_work = workers
    while at_work:
        try:
            piece = queue.get(timeout=SILENCE_S)
        except Empty:
            raise RuntimeError(f"no worker told anything for {SILENCE_S} s") from None
        if piece is None:
            at_work -= 1
        else:
            yield piece
    for worker in running:
        worker.join()


def _work(
    queue: multiprocessing.Queue[Tally | None], seeds: range, service: Service
) -> None:
    try:
        for piece in tally(seeds, service):
            queue.put(piece)
    finally:
        queue.put(None)
