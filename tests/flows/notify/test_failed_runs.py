"""Runs of our deployments that failed or crashed, read from a real server by their
state.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Crashed, Failed, Running

from connectors.ledger.store import Ledger
from domain.reasons import ReasonCode, run_label
from flows.notify.outbox import enqueue, failed_runs
from tasks.engine.resources import utc_now
from tests.notified import taken_messages


@pytest.fixture
async def client(
    prefect_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PrefectClient]:
    monkeypatch.setenv("PREFECT_UI_URL", "http://ui")
    with temporary_settings({PREFECT_API_URL: prefect_url}):
        async with get_client() as client:
            yield client


async def run_of(
    client: PrefectClient,
    state: State[object],
    *,
    tags: tuple[str, ...] = ("sourcing", "buy"),
    label: str = "",
) -> UUID:
    """A run of a deployment that came to this state."""
    flow_id = await client.create_flow_from_name(f"flow-{uuid4()}")
    deployment_id = await client.create_deployment(flow_id=flow_id, name="nightly")
    run = await client.create_flow_run_from_deployment(
        deployment_id, tags=list(tags), name=f"run-{uuid4()}"
    )
    await client.set_flow_run_state(run.id, Running(), force=True)
    if label:
        await client.update_flow_run_labels(run.id, {run_label(1): label})
    await client.set_flow_run_state(run.id, state, force=True)
    return run.id


async def test_each_failed_run_has_a_message_with_its_link(
    client: PrefectClient, tmp_path: Path
) -> None:
    """Once, however often one looks; other states and tags have none."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger(url, clock=utc_now, owner="test") as ledger:
        await enqueue(ledger, *await failed_runs(client, ledger))  # of other tests
        taken_messages(ledger)
        crashed = await run_of(client, Crashed())
        failed = await run_of(client, Failed(message="no answer"), label="")
        coded = await run_of(
            client,
            Failed(message="the service is away"),
            label=ReasonCode.RUN_SERVICE_FAILED,
        )
        await run_of(client, Completed())
        await run_of(client, Failed(), tags=("somebody's",))
        for _ in range(2):
            await enqueue(ledger, *await failed_runs(client, ledger))
        stored_messages = {message.link: message for message in taken_messages(ledger)}
        assert await failed_runs(client, ledger) != []
        await enqueue(ledger, *await failed_runs(client, ledger))
        assert taken_messages(ledger) == []

    pages = {
        name: f"http://ui/v2/runs/flow-run/{run_id}"
        for name, run_id in (("crashed", crashed), ("failed", failed), ("coded", coded))
    }
    assert stored_messages.keys() == {*pages.values()}
    assert stored_messages[pages["crashed"]].subject.endswith(" crashed")
    assert (
        "its process or machine is gone"
        in stored_messages[pages["crashed"]].body.lower()
    )
    assert (
        "no answer" not in stored_messages[pages["failed"]].body
    )  # it may quote a form
    assert "The service is away." in stored_messages[pages["coded"]].body
    assert "Nothing is bought twice" in stored_messages[pages["coded"]].body


async def test_faults_of_a_file_quote_no_cell(
    client: PrefectClient, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger(url, clock=utc_now, owner="test") as ledger:
        quoting: State[object] = Failed(message="row 2: 'Jane Doe' is no item")
        run_id = await run_of(client, quoting, label=ReasonCode.RUN_FILE_FAULTY)
        messages = await failed_runs(client, ledger)
    (message,) = [message for message in messages if message.link.endswith(str(run_id))]
    assert "Jane" not in message.body
    assert "the file has faults" in message.body.lower()
