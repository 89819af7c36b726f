"""What Prefect's server keeps, and for how long; the whole size of it is tried by `make
endurance PART=retention`.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from prefect.settings.models.server.root import ServerSettings

from deployments.retention import FILE, retention_settings
from tests.deployments.served import Served
from tests.endurance.retention import Records, examples, fill, old_records_go


def test_prefect_understands_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in retention_settings({}).items():
        monkeypatch.setenv(name, value)
    server = ServerSettings()
    vacuum = server.services.db_vacuum
    assert vacuum.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
    assert (vacuum.retention_period, server.events.retention_period) == (
        timedelta(days=90),
        timedelta(days=90),
    )
    assert set(vacuum.event_retention_overrides.values()) == {timedelta(days=14)}
    assert (
        server.services.task_run_recorder.batch_size,
        server.services.task_run_recorder.flush_interval,
    ) == (50, 1)
    assert {"prefect.flow-run.heartbeat", "prefect.task-run.Completed"} <= set(
        vacuum.event_retention_overrides
    )


def test_the_file_for_other_servers_says_the_same() -> None:
    assert FILE.read_text() == "".join(
        f"{name}={value}\n" for name, value in retention_settings({}).items()
    )


def test_what_somebody_set_counts() -> None:
    assert "PREFECT_SERVER_EVENTS_RETENTION_PERIOD" not in retention_settings(
        {"PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P7D"}
    )


@pytest.mark.endurance
def test_what_is_too_old_goes_and_the_rest_stays(served: Served) -> None:
    records = Records(served.server_folder / "prefect.db", served.api)
    example = examples(records)
    fill(records, example, runs=10, events=100)
    assert old_records_go(records, example, within_s=120)
