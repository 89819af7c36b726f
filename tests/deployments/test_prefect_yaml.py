"""prefect.yaml says what is meant, in words that Prefect knows."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.cli.deploy._models import (
    ConcurrencyLimitSpec,
    DeploymentConfig,
    PrefectYamlModel,
    RawScheduleConfig,
    WorkPoolConfig,
)
from prefect.flows import load_flow_from_entrypoint

from deployments.page import app as page
from deployments.registration import EXAMPLE, describe_site
from flows.prefect_ui import todo_artifact
from sourcing import __version__
from tests.running import ROOT

FILE: dict[str, Any] = yaml.safe_load((ROOT / "prefect.yaml").read_text())
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    one["name"]: one for one in FILE["deployments"]
}


def _flows() -> dict[str, Flow[..., Any]]:
    modules = [
        importlib.import_module(f"flows.{path.stem}")
        for path in (ROOT / "flows").glob("*.py")
    ]
    return {
        one.name: one
        for module in modules
        for one in vars(module).values()
        if isinstance(one, Flow)
    }


def test_prefect_reads_the_file_with_its_own_model_and_each_flow_is_there_once() -> (
    None
):
    names = [one.name for one in PrefectYamlModel.model_validate(FILE).deployments]
    started_by_finish_open = {"finish-batch", "follow-after-sale", "hear-callbacks"}
    assert sorted(map(str, names)) == sorted({*_flows()} - started_by_finish_open)
    assert sorted(map(str, names))[1] == "buy-from-file", (
        "Prefect's list is sorted: the one to begin with stands below the answers"
    )


def test_no_key_is_one_that_prefect_would_ignore() -> None:
    """Prefect's models drop unknown keys in silence, so a misspelt one would do
    nothing.
    """
    top = {*PrefectYamlModel.model_fields, "prefect-version", "definitions"}
    assert set(FILE) <= top
    for one in DEPLOYMENTS.values():
        assert set(one) <= set(DeploymentConfig.model_fields)
        assert set(one.get("concurrency_limit", {})) <= set(
            ConcurrencyLimitSpec.model_fields
        )
        assert set(one["work_pool"]) <= set(WorkPoolConfig.model_fields)
        for schedule in one["schedules"]:
            RawScheduleConfig.model_validate(schedule)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_has_the_name_of_its_flow_and_that_the_name_of_its_function(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    entrypoint = DEPLOYMENTS[name]["entrypoint"]
    assert load_flow_from_entrypoint(entrypoint).name == name
    assert entrypoint.endswith(f":{name.replace('-', '_')}")


def test_every_deployment_that_the_program_starts_or_links_to_is_there() -> None:
    linked = {name for name, _ in todo_artifact.FORMS.values()} | {
        todo_artifact.RESUME,
        page.NIGHTLY,
        *page.FORMS,
    }
    started = {
        "finish-open/finish-open",
    }
    assert linked <= {*DEPLOYMENTS}
    assert started <= {f"{name}/{name}" for name in DEPLOYMENTS}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_field_of_a_form_has_a_title_and_a_description(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No bare parameter name, no regular expression to be answered with, no choice
    between int and None.
    """
    monkeypatch.chdir(ROOT)
    flow: Flow[..., Any] = load_flow_from_entrypoint(DEPLOYMENTS[name]["entrypoint"])
    assert flow.description
    form = flow.parameters.model_dump()
    sections = form.get("definitions", {})
    for fields in [
        form["properties"],
        *(one["properties"] for one in sections.values() if "properties" in one),
    ]:
        for key, said in fields.items():
            field = sections.get(said.get("$ref", "").rpartition("/")[2], {}) | said
            assert field.get("title", key) != key, key
            assert len(field.get("description", "")) > 10, key
            assert not {"pattern", "anyOf"} & {*field, *field.get("items", {})}, key


def test_a_run_that_a_person_starts_plans_only() -> None:
    assert DEPLOYMENTS["buy-from-file"]["parameters"]["dry_run"] is True
    showing = {
        name
        for name, flow in _flows().items()
        if "only_show" in flow.parameters.properties
    }
    assert all(
        DEPLOYMENTS[name]["parameters"] == {"only_show": True} for name in showing
    )
    assert "cancel-orders" in showing


def test_only_what_does_the_same_work_again_is_let_go_when_it_is_late() -> None:
    limits = {
        name: one["concurrency_limit"]
        for name, one in DEPLOYMENTS.items()
        if "concurrency_limit" in one
    }
    assert {
        name
        for name, limit in limits.items()
        if limit["collision_strategy"] == "CANCEL_NEW"
    } == {
        "sync-tracking",
        "reconcile-ledger",
        "compute-costs",
    }


def test_what_buys_has_no_limit() -> None:
    """The ledger keeps two runs apart; a place of a killed run would be taken for
    minutes.
    """
    buying = [one for one in DEPLOYMENTS.values() if "buy" in one["tags"]]
    assert [one["name"] for one in buying] == [
        "buy-from-inbox",
        "buy-from-file",
        "approve-batch",
    ]
    assert all("concurrency_limit" not in one for one in buying)


def test_the_page_of_the_deployment_shows_a_file_to_copy() -> None:
    """With a header and a row, each cell in its column, and the command that writes an
    empty one.
    """
    shown = DEPLOYMENTS["buy-from-file"]["description"]
    assert "{{ site.example }}" in shown
    assert "`sourcing template orders.xlsx`" in shown
    header, row = EXAMPLE.splitlines()
    assert header.startswith(
        "order_ref,marketplace,item,sku,own_sku,quantity,max_unit_price,receiver_name"
    )
    assert row.startswith(
        "EXAMPLE-1,taobao,2048020617114736,413185732720,,1,12.50,Alex Example"
    )
    assert header.count(",") == row.count(",")


def test_a_deployment_is_told_folder_version_and_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCING_TIMEZONE", "Europe/Berlin")
    monkeypatch.setenv("SOURCING_DATA_DIR", "shop")
    assert describe_site() == {
        "folder": str(ROOT),
        "version": __version__,
        "timezone": "Europe/Berlin",
        "example": EXAMPLE,
    }
