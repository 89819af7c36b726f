"""`sourcing doctor --live` against a service that is not quite the contract's, and the
file that mends it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from tests.cli.conftest import Sourcing
from tests.rewriting_proxy import RewritingProxy, renamed, rewriting_proxy
from tests.running import RunningSandbox

MOVED = {"/open/product/get": "/open/v3/item/get"}
RENAMED = {"/alibaba/product/keywords/query": renamed("offerId", "offerNumber")}
MENDED = """
[8]
path = "/open/v3/item/get"

["1688 / Product / Product keyword query".response]
"data.offerId" = "offerNumber"
"""


@pytest.fixture
def changed(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, sourcing: Sourcing
) -> Iterator[RewritingProxy]:
    """The sandbox with a path moved and a field renamed, as the service of the
    command.
    """
    with rewriting_proxy(sandbox.url, moved=MOVED, answers=RENAMED) as proxy:
        monkeypatch.setenv("XPORTCN_BASE_URL", proxy.url)
        yield proxy


@pytest.fixture
def unchanged(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, sourcing: Sourcing
) -> RunningSandbox:
    """The sandbox as it is, as the service of the command."""
    monkeypatch.setenv("XPORTCN_BASE_URL", sandbox.url)
    return sandbox


def not_well(done: Result) -> dict[str, str]:
    """What is said of each check that is not well."""
    return {
        check["check"]: check["found"]
        for check in json.loads(done.stdout)
        if not check["ok"]
    }


def test_nothing_differs_in_a_service_that_keeps_the_contract(
    sourcing: Sourcing, unchanged: RunningSandbox
) -> None:
    """Exit code 0, and how many reads fit."""
    done = sourcing("doctor", "--live", "--json")
    assert (done.exit_code, not_well(done)) == (0, {})
    reads = next(item for item in json.loads(done.stdout) if item["check"] == "reads")
    assert reads["found"].startswith("27 fit their models; not asked: ")


def test_exactly_the_changed_operations_are_named(
    sourcing: Sourcing, changed: RewritingProxy
) -> None:
    """The moved path and the renamed field are found, each where it is, and nothing
    else.
    """
    done = sourcing("doctor", "--live", "--json")
    assert done.exit_code == 3
    notices = not_well(done)
    assert [*notices] == [
        "Taobao / Product / Query product by Taobao product ID",
        "1688 / Product / Product keyword query",
    ]
    path, name = notices.values()
    assert path.startswith("GET /open/product/get at ")
    assert name == "the answer does not fit the contract at `data.0.offerId`"


def test_a_file_mends_the_path_and_the_name(
    sourcing: Sourcing,
    changed: RewritingProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the overrides all fits."""
    (tmp_path / "overrides.toml").write_text(MENDED)
    monkeypatch.setenv("XPORTCN_OVERRIDES", "overrides.toml")
    done = sourcing("doctor", "--live", "--json")
    assert (done.exit_code, not_well(done)) == (0, {})
    assert ("GET", "/open/v3/item/get") in changed.asked


def test_people_read_what_differs_and_what_to_do(
    sourcing: Sourcing, changed: RewritingProxy
) -> None:
    done = sourcing("doctor", "--live")
    assert done.exit_code == 3
    assert "does not fit the contract at `data.0.offerId`" in done.stdout
    assert "→ see docs/going-live.md, overrides" in done.stdout


def test_without_a_service_nothing_is_asked(sourcing: Sourcing) -> None:
    """Exit code 1 and the remedy, in the JSON too."""
    done = sourcing("doctor", "--live", "--json")
    assert done.exit_code == 1
    assert [*not_well(done)] == ["service", "account"]


def test_the_list_of_endpoints_shows_what_is_overridden(
    sourcing: Sourcing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table has the new path and a mark, the JSON the new path and the keys it
    always has.
    """
    (tmp_path / "overrides.toml").write_text(MENDED)
    monkeypatch.setenv("XPORTCN_OVERRIDES", "overrides.toml")
    table = sourcing("endpoints").stdout
    row = next(line for line in table.splitlines() if "/open/v3/item/get" in line)
    assert "sibling (overridden)" in " ".join(row.split())
    entry = next(
        entry
        for entry in json.loads(sourcing("endpoints", "--json").stdout)
        if entry["nav"] == 8
    )
    assert list(entry) == [
        "nav",
        "group",
        "title",
        "method",
        "path",
        "provenance",
        "effect",
    ]
    assert (entry["path"], entry["provenance"]) == ("/open/v3/item/get", "sibling")


def test_a_bad_file_of_overrides_stops_the_command(
    sourcing: Sourcing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 with file, key and remedy; a plan is not made with half of the
    corrections.
    """
    (tmp_path / "overrides.toml").write_text('[8]\npth = "/x"\n')
    monkeypatch.setenv("XPORTCN_OVERRIDES", "overrides.toml")
    done = sourcing("endpoints")
    assert (done.exit_code, done.stderr) == (
        1,
        "sourcing: overrides.toml (XPORTCN_OVERRIDES) can't be used: "
        "[8] only path, request, response can be set\n",
    )
