"""The catalogue agrees with the contract's list of endpoints, and costs nothing to import."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.xportcn import api, operations
from connectors.xportcn.api import alibaba_order, alibaba_product, basics, logistics, taobao_order, taobao_product
from connectors.xportcn.api.base import Call, EffectCall
from connectors.xportcn.operations import Operation, Provenance, catalogue

ROOT = Path(__file__).parents[3]
CONTRACT = ROOT / "docs" / "contract"
LISTED = {
    row["nav"]: row for row in csv.DictReader((CONTRACT / "endpoints.csv").read_text(encoding="utf-8").splitlines())
}
ASSUMED_PAGE = (CONTRACT / "assumed.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+|–) \| [^|]+ \| `(GET|POST) ([^`?]+)", ASSUMED_PAGE, re.MULTILINE)
MODULES = (alibaba_order, alibaba_product, basics, logistics, taobao_order, taobao_product)
CALLS = [value for module in MODULES for value in vars(module).values() if isinstance(value, Call)]


def test_the_catalogue_is_what_the_contract_s_tables_list() -> None:
    """Every operation of assumed.md is there with its method and path, and nothing else."""
    told = sorted((nav.replace("–", "None"), method, path) for nav, method, path in ROWS)
    assert sorted((str(entry.nav), entry.method, entry.path) for entry in catalogue()) == told
    assert len(told) == 22


@pytest.mark.parametrize("entry", [entry for entry in catalogue() if entry.nav], ids=lambda entry: str(entry.nav))
def test_group_title_method_and_path_are_the_list_s(entry: Operation) -> None:
    """Texts are copied from endpoints.csv; where the list knows method or path, ours are the same."""
    row = LISTED[str(entry.nav)]
    assert (entry.group, entry.title) == (row["group"], row["title"])
    assert row["method"] in ("", entry.method)
    assert row["path"] in ("", entry.path)


@pytest.mark.parametrize("entry", [entry for entry in catalogue() if entry.nav], ids=lambda entry: str(entry.nav))
def test_provenance_says_how_well_the_path_is_known(entry: Operation) -> None:
    """A path that no page shows is assumed, one of a sibling's page sibling, one of the service's own confirmed."""
    row = LISTED[str(entry.nav)]
    if not row["path"]:
        assert entry.provenance is Provenance.ASSUMED
    elif "CONFIRMED" in row["mark"] and "path SIBLING" not in row["mark"]:
        assert entry.provenance is Provenance.CONFIRMED
    else:
        assert entry.provenance is Provenance.SIBLING


def test_what_spends_or_promises_is_an_effect() -> None:
    """Create, pay, book and update, and nothing else; one of them is a GET."""
    effects = {(entry.method, entry.path) for entry in catalogue() if entry.effect}
    assert effects == {
        ("POST", "/open/purchase/create/v2"),
        ("POST", "/open/purchase/pay"),
        ("POST", "/alibaba/order/create"),
        ("GET", "/alibaba/order/pay/url"),
        ("POST", "/open/pp/logistics/orderBookingFreight"),
        ("POST", "/open/pp/logistics/updateLogisticInfo"),
    }


def test_every_operation_has_one_call() -> None:
    """Each entry of the catalogue is bound to its models exactly once, an effect as an effect."""
    assert {call.operation for call in CALLS} == set(catalogue())
    assert len(CALLS) == len(catalogue())
    assert all(isinstance(call, EffectCall) == call.operation.effect for call in CALLS)


def test_names_are_unique() -> None:
    """Errors and logs name one operation."""
    assert len({entry.name for entry in catalogue()}) == len(catalogue())


@pytest.mark.parametrize("module", [operations.__name__, "connectors.xportcn.errors", api.__name__])
def test_the_catalogue_imports_nothing_heavy(module: str) -> None:
    """Listing the endpoints waits for neither pydantic nor an HTTP library."""
    script = f"import {module}, sys; print(*{{'pydantic', 'httpx', 'aiohttp', 'prefect'}} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_httpx_is_known_to_two_modules_only() -> None:
    """The rest of the connector does not know which HTTP library carries it."""
    folder = ROOT / "connectors"
    importing = re.compile(r"^(import|from) (httpx|httpx_aiohttp)\b", re.MULTILINE)
    using = {path.name for path in folder.rglob("*.py") if importing.search(path.read_text(encoding="utf-8"))}
    assert using == {"auth.py", "client.py"}
