"""How Prefect's server records, and for how long: runs and our own events for a season,
its own events for two weeks.

Prefect knows no list of events to keep, only shorter times for events by their whole
name: so all events are kept long, and those of which runs leave many are named here.
`python -m deployments.retention` writes retention.env, which has the settings for
servers that `sourcing serve` does not start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

FILE = Path(__file__).with_suffix(".env")
RUNS = timedelta(days=90)
OUR_EVENTS = timedelta(days=90)
PREFECTS_EVENTS = timedelta(days=14)
BATCH_SIZE = "2000"
"""Rows a transaction. Each looks for the old ones anew: with Prefect's own 200 a
backlog takes hours.
"""

MANY = {
    "flow-run": "Scheduled Late AwaitingConcurrencySlot Submitting Pending Running AwaitingRetry Retrying Paused "
    "Suspended Resuming Cancelling Completed Held Failed Crashed TimedOut Cancelled heartbeat pull-step.executed",
    "task-run": "Pending Running AwaitingRetry Retrying Completed Failed Crashed Cancelled",
    "worker": "submitted-flow-run executed-flow-run",
    "work-pool": "ready not-ready",
    "work-queue": "ready not-ready",
    "deployment": "ready not-ready updated",
    "artifact": "created updated",
    "artifact-collection": "created updated",
    "automation": "triggered resolved action.triggered action.executed",
    "concurrency-limit": "acquired released",
}
SHORT_LIVED = [
    f"prefect.{kind}.{name}" for kind, names in MANY.items() for name in names.split()
]


def retention_settings(given: Mapping[str, str]) -> dict[str, str]:
    """The settings of a server, but for those `given` by a person."""
    ours = {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(
            int(RUNS.total_seconds())
        ),
        "PREFECT_SERVER_SERVICES_DB_VACUUM_EVENT_RETENTION_OVERRIDES": json.dumps(
            dict.fromkeys(SHORT_LIVED, int(PREFECTS_EVENTS.total_seconds())),
            separators=(",", ":"),
        ),
        "PREFECT_SERVER_SERVICES_DB_VACUUM_BATCH_SIZE": BATCH_SIZE,
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{OUR_EVENTS.days}D",
        # a transaction for each state of a task run is most of what a run costs the
        # server
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    }
    return {name: value for name, value in ours.items() if name not in given}


if __name__ == "__main__":
    FILE.write_text(
        "".join(f"{name}={value}\n" for name, value in retention_settings({}).items())
    )
