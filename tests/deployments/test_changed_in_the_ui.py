"""What a person changed in the UI outlives each registration; what prefect.yaml changes
elsewhere still arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.objects import (
    DeploymentSchedule,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.variables import Variable

from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from deployments import registration

FLOWS = """
from prefect import flow

@flow(name="night")
def night(inbox: str = "", yes: bool = True, budget_cny: str = "", pace: int = 1, news_only: bool = False): ...

@flow(name="shop")
def shop(inbox: str = ""): ...

@flow(name="of my own")
def own(yes: bool = True): ...
"""
AT_TWO = {
    "slug": "nightly",
    "cron": "0 2 * * *",
    "timezone": "Asia/Shanghai",
    "parameters": {"news_only": True},
}
AT_FIVE = AT_TWO | {"cron": "0 5 * * *"}
OFF = {
    "slug": "nightly",
    "cron": "30 1 * * *",
    "timezone": "Asia/Shanghai",
    "active": False,
}


async def _deploy() -> None:
    url = SourcingSettings().ledger_url
    with Ledger(url, clock=lambda: datetime.now(UTC), owner="test") as ledger:
        async with get_client() as client:
            await registration.deploy(client, ledger, registration.declarations())


class Product:
    """A folder with `prefect.yaml` and flows, registered with a real server, and what a
    person sees there.
    """

    def __init__(self, folder: Path, client: SyncPrefectClient) -> None:
        self.folder = folder
        self.client = client

    def register(
        self,
        *,
        night: list[dict[str, Any]],
        pace: int = 1,
        folder: str = "/opt/1",
        also: Sequence[dict[str, Any]] = (),
    ) -> None:
        pool = {"name": "kept", "job_variables": {"env": {"A": "1"}}}
        about = {
            "work_pool": pool,
            "tags": ["sourcing"],
            "version": "1",
            "enforce_parameter_schema": True,
        }
        about |= {"concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"}}
        listed = [
            {
                "name": "night",
                "parameters": {"inbox": "{{ site.folder }}", "pace": pace},
                "schedules": night,
            },
            {"name": "shop", "parameters": {}, "schedules": [OFF]},
        ]
        deployments = [
            {**about, **one, "entrypoint": f"flows.py:{one['name']}"} for one in listed
        ]
        pull = [
            {"prefect.deployments.steps.set_working_directory": {"directory": folder}}
        ]
        deployments += [{**one, "work_pool": {"name": "kept"}} for one in also]
        content = {
            "name": "kept",
            "pull": pull,
            "deployments": deployments,
        }
        (self.folder / "prefect.yaml").write_text(yaml.safe_dump(content))
        asyncio.run(_deploy())

    def of(self, name: str) -> DeploymentResponse:
        return self.client.read_deployment_by_name(f"{name}/{name}")

    def schedules(
        self, name: str
    ) -> dict[str | None, tuple[str, bool, dict[str, Any]]]:
        found = {}
        for one in self.of(name).schedules:
            assert isinstance(one.schedule, CronSchedule)
            found[one.slug] = (one.schedule.cron, one.active, one.parameters)
        return found

    def nightly(self, name: str = "night") -> DeploymentSchedule:
        return next(one for one in self.of(name).schedules if one.slug == "nightly")

    def delete(self, name: str, schedule: UUID) -> None:
        self.client.delete_deployment_schedule(self.of(name).id, schedule)


@pytest.fixture
def product(
    prefect_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Product]:
    (tmp_path / "flows.py").write_text(FLOWS)
    monkeypatch.setattr(registration, "ROOT", tmp_path)
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", prefect_url)
    monkeypatch.chdir(tmp_path)
    with (
        temporary_settings({PREFECT_API_URL: prefect_url}),
        get_client(sync_client=True) as client,
    ):
        client.request(
            "POST",
            "/work_pools/",
            json=WorkPoolCreate(name="kept", type="process").model_dump(mode="json"),
        )
        yield Product(tmp_path, client)
        for name in ("night", "shop"):
            client.delete_deployment(
                client.read_deployment_by_name(f"{name}/{name}").id
            )
        client.request("DELETE", "/work_pools/{name}", path_params={"name": "kept"})


@pytest.mark.endurance
def test_what_was_changed_stays_and_what_was_not_is_brought_up_to_date(
    product: Product, tmp_path: Path
) -> None:
    product.register(night=[AT_TWO])
    night = product.of("night")
    shop = product.of("shop")
    changed = {
        "inbox": str(tmp_path / "inbox"),
        "pace": 1,
        "yes": False,
        "budget_cny": "3000",
    }
    variables = {
        "env": {"A": "1", "XPORTCN_CREDENTIALS_BLOCK": "second"},
    }
    product.client.update_deployment(
        night.id, DeploymentUpdate(parameters=changed, job_variables=variables)
    )
    nightly = product.nightly()
    product.client.update_deployment_schedule(
        night.id, nightly.id, active=False, parameters={"budget_cny": "10"}
    )
    at_two = CronSchedule(cron="0 14 * * *", timezone="Asia/Shanghai")
    own = DeploymentScheduleCreate(schedule=at_two, parameters={"yes": False})
    product.client.create_deployment_schedules(night.id, [own])
    product.client.update_deployment_schedule(
        shop.id, product.nightly("shop").id, active=True
    )
    product.client.update_deployment(shop.id, DeploymentUpdate(paused=True))
    as_left = {
        "nightly": ("0 2 * * *", False, {"budget_cny": "10"}),
        None: ("0 14 * * *", True, {"yes": False}),
    }

    for _ in range(2):
        product.register(night=[AT_TWO])
        assert product.of("night").parameters == changed
        assert product.of("night").job_variables == variables
        assert product.schedules("night") == as_left
        assert product.schedules("shop") == {"nightly": ("30 1 * * *", True, {})}
        assert product.of("shop").paused

    product.register(night=[AT_FIVE], pace=2, folder="/opt/2")
    assert product.of("night").parameters == changed | {"pace": 2}
    assert product.of("night").job_variables == variables
    assert product.schedules("night") == as_left
    assert not product.of("night").paused


@pytest.mark.endurance
def test_a_run_begins_in_the_folder_of_its_version(product: Product) -> None:
    """Whatever a person changed."""
    for folder in ("/opt/1", "/opt/2"):
        product.register(night=[], folder=folder)
        changed = DeploymentUpdate(job_variables={"env": {"A": "2"}})
        product.client.update_deployment(product.of("night").id, changed)
        assert folder in str(product.of("night").pull_steps)
        assert product.of("night").job_variables == {"env": {"A": "2"}}


@pytest.mark.endurance
def test_a_reference_of_a_person_is_not_written_out(product: Product) -> None:
    """A run's start fills it in, each time anew: what stands in a secret block does not
    come into the deployment.
    """
    product.register(night=[])
    Variable.set("kept_word", "s3cret")
    env = {
        "A": "{{ prefect.variables.kept_word }}",
        "B": "{{ mine }} and {{ $HOME }}",
        "C": "3",
    }
    parameters = {
        "inbox": "/in",
        "pace": 1,
        "budget_cny": "{{ prefect.variables.kept_word }}",
    }
    changed = DeploymentUpdate(job_variables={"env": env}, parameters=parameters)
    product.client.update_deployment(product.of("night").id, changed)
    for folder in ("/opt/1", "/opt/2"):
        product.register(night=[], folder=folder)
        assert product.of("night").job_variables == {"env": env}
        assert product.of("night").parameters == parameters
        assert product.of("shop").job_variables == {"env": {"A": "1"}}
    Variable.unset("kept_word")


@pytest.mark.parametrize(
    ("flow", "entrypoint"),
    [
        pytest.param("night", "flows.py:night", marks=pytest.mark.endurance),
        ("of my own", "flows.py:own"),
    ],
)
@pytest.mark.endurance
def test_a_deployment_that_a_merchant_added_stays_as_it_was_left_too(
    product: Product, flow: str, entrypoint: str
) -> None:
    """Whatever its flow is called, and with no more in `prefect.yaml` than Prefect asks
    for.
    """
    bare = {"name": "bare", "entrypoint": entrypoint}
    hourly = {
        "name": "hourly",
        "entrypoint": entrypoint,
        "schedules": [{"interval": 3600}, {"cron": "0 3 * * *"}],
    }

    def schedules() -> list[tuple[str | None, bool]]:
        found = product.client.read_deployment_by_name(f"{flow}/hourly").schedules
        crons = [(getattr(one.schedule, "cron", None), one.active) for one in found]
        return sorted(crons, key=str)

    for _ in range(2):
        product.register(night=[AT_TWO], also=[bare, hourly])
        assert schedules() == [("0 3 * * *", True), (None, True)]
    there = product.client.read_deployment_by_name(f"{flow}/hourly")
    product.client.update_deployment(
        there.id, DeploymentUpdate(parameters={"yes": False})
    )
    nightly = next(
        one for one in there.schedules if isinstance(one.schedule, CronSchedule)
    )
    product.client.update_deployment_schedule(there.id, nightly.id, active=False)
    hourly["schedules"] = [{"interval": 3600}, {"cron": "0 4 * * *"}]
    product.register(night=[AT_TWO], also=[bare, hourly])
    assert schedules() == [("0 3 * * *", False), (None, True)]
    assert product.client.read_deployment_by_name(f"{flow}/hourly").parameters == {
        "yes": False
    }
    for name in ("bare", "hourly"):
        product.client.delete_deployment(
            product.client.read_deployment_by_name(f"{flow}/{name}").id
        )


def test_a_deleted_schedule_stays_deleted_and_a_deleted_deployment_begins_nothing(
    product: Product,
) -> None:
    product.register(night=[AT_TWO])
    product.delete("night", product.nightly().id)
    product.client.delete_deployment(product.of("shop").id)
    for schedules in ([AT_TWO], [AT_FIVE]):
        product.register(night=schedules)
        assert product.schedules("night") == {}
        assert product.schedules("shop") == {"nightly": ("30 1 * * *", False, {})}
    second = {"slug": "second", "cron": "0 9 * * *", "timezone": "Asia/Shanghai"}
    product.register(night=[AT_TWO, second])
    assert product.schedules("night") == {"second": ("0 9 * * *", True, {})}
    product.register(night=[AT_TWO])
    assert product.schedules("night") == {}


def test_a_paused_night_stays_paused_and_a_time_that_nobody_changed_follows(
    product: Product,
) -> None:
    """Over two versions of the product."""
    product.register(night=[AT_TWO])
    product.register(night=[AT_FIVE], folder="/opt/2")
    assert product.schedules("night")["nightly"][:2] == ("0 5 * * *", True)
    night = product.of("night")
    product.client.update_deployment(night.id, DeploymentUpdate(paused=True))
    product.client.update_deployment_schedule(
        night.id, product.nightly().id, active=False
    )
    for folder in ("/opt/3", "/opt/4"):
        product.register(night=[AT_TWO], folder=folder)
        assert product.of("night").paused
        assert product.schedules("night")["nightly"][:2] == ("0 5 * * *", False)


def test_a_second_installation_on_one_ledger_begins_nothing_by_itself(
    product: Product,
) -> None:
    """Its server has none of the deployments that the ledger knows; so it is with
    records that begin anew.
    """
    product.register(night=[AT_TWO])
    product.client.delete_deployment(product.of("night").id)
    for _ in range(2):
        product.register(night=[AT_TWO])
        assert product.schedules("night")["nightly"][:2] == ("0 2 * * *", False)


@pytest.mark.endurance
def test_without_its_note_what_stands_on_the_server_stays(
    product: Product, tmp_path: Path
) -> None:
    """As with a ledger that begins anew."""
    product.register(night=[AT_TWO])
    night = product.of("night")
    changed = {"inbox": "/in", "pace": 1, "yes": False}
    product.client.update_deployment(night.id, DeploymentUpdate(parameters=changed))
    product.delete("night", product.nightly().id)
    for file in tmp_path.glob("ledger.db*"):
        file.unlink()
    product.register(night=[AT_FIVE], pace=2)
    assert product.of("night").parameters == changed
    assert product.schedules("night") == {}
