"""`python -m tests.endurance [PART ...]`: a line per repetition; exit 1 after a broken
promise.

`storm` is four processes on one batch with random kills and stops, `restarts` a
PostgreSQL that goes away and comes back under one process, and `sourcing serve` and its
parts under signals, `command` the real command
with its Prefect server, `hostile` the whole table of odd answers (`--every 50` plays
every fiftieth case), `deviations` every form in which the service may deviate (also
`--every`), `dialects` a journey through each dialect and 40 combinations, `reasons` a
scene for each reason that an order may have, `proxy` the worst of the deviations before
the real command, `cells` a million random cells of request files, `starts` commands
that are killed in their first seconds, `snapshots` their writing and merging killed at
thirty moments, `messages` their senders killed forty times while nobody takes them,
`crashes` every kind of effect killed at every point, `lost` parts of
`sourcing serve` killed under a run (`--only 1 4` plays the first and the fourth case),
`looks` a second look that comes by itself, whatever is killed before it, `scale` a
batch that is bought by one run and by four, `retention`
what Prefect's server is not to keep, `outage` a service that is killed in each stage of
a run and comes back, `throttled` one that sends calls away, `pauses` a batch in two
processes while somebody stops all buying and resumes (pauses stand where stops do),
`rate` the account's calls a second over four processes (`--seconds` long; kills, stops,
a ledger that is away), `callbacks` messages of the service, with `--orders 1000` in
full; its parts are `callbacks-killed` (a receiver that is killed), `callbacks-odd` (20
odd posts an order), `callbacks-mixed` (messages in no order) and `callbacks-runs` (how
soon they start runs, and how few). `wheel` builds and installs the package for
`--python`, buys with it and serves with it. `tests` are those that `make test` leaves
out (marked `endurance`), `properties` all property tests with new examples for each of
`--repetitions` seeds. A repetition that fails keeps its folder and names it."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.endurance.callback_runs import callbacks_start_few_runs
from tests.endurance.callbacks import (
    callbacks_outlive_kills,
    mixed_messages_end_as_polling,
    odd_posts_are_borne,
)
from tests.endurance.cells import random_cells
from tests.endurance.command import commands_under_fire
from tests.endurance.crashes import every_kind_dies_everywhere
from tests.endurance.deviations import deviations_are_borne
from tests.endurance.dialects import journeys_end_right
from tests.endurance.follow_ups import follow_ups_come_by_themselves
from tests.endurance.hostile import odd_answers
from tests.endurance.lost import CASES, lost_runs_are_taken_up
from tests.endurance.messages import messages_outlive_kills
from tests.endurance.outage import outages_are_survived, storms_are_survived
from tests.endurance.pauses import paused_batch
from tests.endurance.proxy import seven_rows_end_right
from tests.endurance.rate import rate_is_kept
from tests.endurance.reasons import reasons_are_reached
from tests.endurance.restarts import (
    LATENCY_S,
    LONGEST_PAUSE_S,
    Restarted,
    batch_under_restarts,
)
from tests.endurance.retention import file_does_not_grow
from tests.endurance.scale import parts_buy_once
from tests.endurance.serve_restarts import serve_outlives
from tests.endurance.shop import End
from tests.endurance.snapshots import snapshots_outlive_kills
from tests.endurance.starts import killed_starts_lock_nobody_out
from tests.endurance.storm import Repetition, repetition
from tests.endurance.suite import marked_tests_pass, new_examples_are_right
from tests.endurance.wheel import wheel_works
from tests.postgres import Postgres, running_postgres
from tests.running import RunningSandbox, own_sandbox

HEAD = "what       database    seed kills stops seconds  runs asked  states; violations"
RESTARTS_HEAD = "what       database    seed restarts crashes seconds by-itself runs asked  states; violations"
PARTS = (
    *(
        "storm",
        "restarts",
        "command",
        "hostile",
        "cells",
        "starts",
        "crashes",
        "snapshots",
        "messages",
    ),
    *("lost", "looks", "scale", "retention", "outage", "throttled", "pauses"),
    *(
        "rate",
        "tests",
        "properties",
        "deviations",
        "dialects",
        "reasons",
        "proxy",
        "wheel",
    ),
    *("callbacks-killed", "callbacks-odd", "callbacks-mixed", "callbacks-runs"),
)
Done = Repetition | Restarted


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.endurance", description=__doc__
    )
    parser.add_argument("parts", nargs="*", default=[*PARTS], metavar="PART")
    parser.add_argument(
        "--database", choices=["sqlite", "postgresql", "both"], default="both"
    )
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument(
        "--longest-pause",
        type=float,
        default=LONGEST_PAUSE_S,
        help="between restarts, in seconds",
    )
    parser.add_argument(
        "--latency",
        type=float,
        default=LATENCY_S,
        help="of the service in restarts, in seconds",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="of the first repetition; the next has the next",
    )
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        help="of hostile and deviations: play only every so manyth case",
    )
    parser.add_argument(
        "--only",
        type=int,
        nargs="*",
        help="of lost: the numbers of cases, from 1",
        metavar="CASE",
    )
    parser.add_argument(
        "--seconds", type=float, default=60, help="of rate: how long it is counted"
    )
    parser.add_argument(
        "--python", default=sys.executable, help="of wheel: the Python that gets it"
    )
    options = parser.parse_args()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # so that started processes are ended too
    databases = (
        ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    )
    right = (
        [all([_storms(name, options) for name in databases])]
        if "storm" in options.parts
        else []
    )
    right += (
        [_restarts(options), serve_outlives()] if "restarts" in options.parts else []
    )
    right += (
        [all([_commands(name, options) for name in databases])]
        if "command" in options.parts
        else []
    )
    right += [odd_answers(every=options.every)] if "hostile" in options.parts else []
    right += (
        [deviations_are_borne(every=options.every)]
        if "deviations" in options.parts
        else []
    )
    right += (
        [journeys_end_right(first_seed=options.seed)]
        if "dialects" in options.parts
        else []
    )
    right += [reasons_are_reached()] if "reasons" in options.parts else []
    right += [seven_rows_end_right()] if "proxy" in options.parts else []
    right += [random_cells(seed=options.seed)] if "cells" in options.parts else []
    right += [killed_starts_lock_nobody_out()] if "starts" in options.parts else []
    right += [snapshots_outlive_kills()] if "snapshots" in options.parts else []
    right += [every_kind_dies_everywhere()] if "crashes" in options.parts else []
    right += (
        [messages_outlive_kills(options.seed)] if "messages" in options.parts else []
    )
    lost = [CASES[number - 1] for number in options.only] if options.only else CASES
    right += [lost_runs_are_taken_up(lost)] if "lost" in options.parts else []
    right += [follow_ups_come_by_themselves()] if "looks" in options.parts else []
    right += [parts_buy_once(options.orders, 4)] if "scale" in options.parts else []
    right += [file_does_not_grow()] if "retention" in options.parts else []
    right += [outages_are_survived()] if "outage" in options.parts else []
    right += [storms_are_survived()] if "throttled" in options.parts else []
    right += (
        [all([_pauses(name, options) for name in databases])]
        if "pauses" in options.parts
        else []
    )
    right += (
        [all([rate_is_kept(name, options.seconds) for name in databases])]
        if "rate" in options.parts
        else []
    )
    right += [wheel_works(options.python)] if "wheel" in options.parts else []
    right += [marked_tests_pass()] if "tests" in options.parts else []
    seeds = range(options.seed, options.seed + options.repetitions)
    right += [new_examples_are_right(seeds)] if "properties" in options.parts else []
    right += _callbacks(databases, options)
    return 0 if all(right) else 1


def _storms(database: str, options: argparse.Namespace) -> bool:
    def once(
        sandbox: RunningSandbox, server: Postgres | None, folder: Path, seed: int
    ) -> Repetition:
        url = server.new_database() if server else None
        return repetition(
            sandbox,
            folder,
            seed=seed,
            orders=options.orders,
            processes=options.processes,
            ledger_url=url,
        )

    print(HEAD, flush=True)
    return _repeated("storm", database, options, options.repetitions, once)


def _pauses(database: str, options: argparse.Namespace) -> bool:
    def once(
        sandbox: RunningSandbox, server: Postgres | None, folder: Path, seed: int
    ) -> Repetition:
        url = server.new_database() if server else None
        return paused_batch(
            sandbox,
            folder,
            seed=seed,
            orders=options.orders,
            processes=2,
            ledger_url=url,
        )

    print(HEAD, flush=True)
    return _repeated(
        "pauses", database, options, max(1, options.repetitions // 4), once
    )


def _callbacks(databases: list[str], options: argparse.Namespace) -> list[bool]:
    expected = [
        piece
        for piece in PARTS
        if piece in options.parts or piece.partition("-")[0] in options.parts
    ]
    right = [
        callbacks_outlive_kills(name, options.orders)
        for name in databases
        if "callbacks-killed" in expected
    ]
    right += (
        [odd_posts_are_borne(options.orders)] if "callbacks-odd" in expected else []
    )
    right += (
        [mixed_messages_end_as_polling(options.orders)]
        if "callbacks-mixed" in expected
        else []
    )
    right += (
        [callbacks_start_few_runs(options.orders)]
        if "callbacks-runs" in expected
        else []
    )
    return right


def _restarts(options: argparse.Namespace) -> bool:
    def once(
        sandbox: RunningSandbox, server: Postgres | None, folder: Path, seed: int
    ) -> Restarted:
        assert server
        return batch_under_restarts(
            sandbox,
            server,
            folder,
            seed=seed,
            orders=2 * options.orders,
            longest_pause_s=options.longest_pause,
            latency_s=options.latency,
        )

    print(RESTARTS_HEAD, flush=True)
    return _repeated(
        "restarts",
        "postgresql",
        options,
        max(1, options.repetitions // 4),
        once,
    )


def _commands(database: str, options: argparse.Namespace) -> bool:
    def once(
        sandbox: RunningSandbox, server: Postgres | None, folder: Path, seed: int
    ) -> Repetition:
        url = server.new_database() if server else None
        return commands_under_fire(
            sandbox, folder, seed=seed, orders=options.orders, ledger_url=url
        )

    print(HEAD, flush=True)
    return _repeated("command", database, options, 1, once)


def _repeated(
    label: str,
    database: str,
    options: argparse.Namespace,
    times: int,
    once: Callable[[RunningSandbox, Postgres | None, Path, int], Done],
) -> bool:
    """Repeat with one seed after the other; whether no promise was broken and no
    process failed.
    """
    right = 0
    with own_sandbox() as sandbox, _server(database) as server:
        for seed in range(options.seed, options.seed + times):
            folder = Path(tempfile.mkdtemp(prefix=f"endurance-{label}-{seed}-"))
            done = once(sandbox, server, folder, seed)
            print(
                f"{label:10} {database:10} {_line(done)}{_ending(done.end, done.failed)}",
                flush=True,
            )
            if done.end.is_right and not done.failed:
                right += 1
                shutil.rmtree(folder)
            else:
                print(f"  kept for a look: {folder}", flush=True)
    print(f"{label} on {database}: {right} of {times} repetitions exact", flush=True)
    return right == times


@contextmanager
def _server(database: str) -> Iterator[Postgres | None]:
    if database == "sqlite":
        yield None
        return
    with running_postgres(durable=True) as server:
        yield server


def _line(done: Done) -> str:
    if isinstance(done, Repetition):
        return f"{done.seed:5} {done.kills:5} {done.stops:5} {done.seconds:7.1f} {done.runs:5} {done.end.asked:5}"
    return (
        f"{done.seed:5} {done.restarts:8} {done.crashes:7} {done.seconds:7.1f} {done.by_itself:9} {done.runs:4} "
        f"{done.end.asked:5}"
    )


def _ending(end: End, failed: list[int]) -> str:
    broken = "; ".join(end.violations[:5]) or "none"
    codes = f"; failed with {failed}" if failed else ""
    return f"  {end.words}; {len(end.violations)} violations: {broken}{codes}"


if __name__ == "__main__":
    sys.exit(main())
