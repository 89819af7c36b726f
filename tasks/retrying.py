"""When a task that changes nothing is worth another try."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from connectors.ledger.engine import LedgerUnusable
from connectors.settings import MissingSetting
from connectors.xportcn.errors import Misconfigured


async def passing_trouble(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """True unless a person must act first."""
    failure = await state.aresult(raise_on_failure=False)
    return not isinstance(failure, Misconfigured | MissingSetting | LedgerUnusable)
