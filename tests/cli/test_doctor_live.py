"""`sourcing doctor --live` against a service that is not quite the contract's, and the
file that mends it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.cli.conftest import Sourcing
from tests.rewriting_proxy import RewritingProxy, renamed, retyped, rewriting_proxy
from tests.running import RunningSandbox

MOVED = {"/open/product/get": "/open/v3/item/get"}
RENAMED = {"/alibaba/product/keywords/query": renamed("subject", "offerTitle")}
RETYPED = {"/open/pp/logistics/orderRenderFreight": retyped("minDays", str)}
MENDED = """
[8]
path = "/open/v3/item/get"

["1688 / Product / Product keyword query".response]
"data.subject" = "offerTitle"
"""


@pytest.fixture
def changed(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, sourcing: Sourcing
) -> Iterator[RewritingProxy]:
    """The sandbox with a path moved, a field renamed and a type changed, as the service
    of the command.
    """
    with rewriting_proxy(
        sandbox.url, moved=MOVED, answers={**RENAMED, **RETYPED}
    ) as proxy:
        monkeypatch.setenv("XPORTCN_BASE_URL", proxy.url)
        yield proxy


@pytest.fixture
def unchanged(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, sourcing: Sourcing
) -> RunningSandbox:
    """The sandbox as it is, as the service of the command."""
    monkeypatch.setenv("XPORTCN_BASE_URL", sandbox.url)
    return sandbox


def well_not(done: Result) -> dict[str, Any]:
    """Path and what is wrong of every operation that is neither as promised nor left
    out.
    """
    return {
        entry["path"]: (
            entry["outcome"],
            [(field["path"], field["problem"]) for field in entry["differences"]],
        )
        for entry in json.loads(done.stdout)["operations"]
        if entry["outcome"] not in ("matches", "skipped", "refused")
    }


def test_nothing_differs_in_a_service_that_keeps_the_contract(
    sourcing: Sourcing, unchanged: RunningSandbox
) -> None:
    """Exit code 0, and every operation of the catalogue has its line."""
    done = sourcing("doctor", "--live", "--json")
    assert (done.exit_code, well_not(done)) == (0, {})
    report = json.loads(done.stdout)
    assert {entry["nav"] for entry in report["operations"]} == {None, *range(1, 97)}
    assert sum(report["counts"].values()) == len(report["operations"]) == 102
    assert all(check["ok"] for check in report["checks"])


def test_exactly_the_three_changed_operations_are_named(
    sourcing: Sourcing, changed: RewritingProxy
) -> None:
    """The moved path, the renamed field and the changed type are found, each where it
    is, and nothing else.
    """
    done = sourcing("doctor", "--live", "--json")
    assert done.exit_code == 3
    assert well_not(done) == {
        "/open/product/get": ("path unknown", []),
        "/alibaba/product/keywords/query": ("differs", [("data[].subject", "missing")]),
        "/open/pp/logistics/orderRenderFreight": (
            "differs",
            [("services[].minDays", "wrong type")],
        ),
    }
    search = next(
        entry for entry in json.loads(done.stdout)["operations"] if entry["nav"] == 47
    )
    assert "data[].offerTitle" in search["extra"]


def test_a_file_mends_the_path_and_the_name(
    sourcing: Sourcing,
    changed: RewritingProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the overrides only the changed type is left."""
    (tmp_path / "overrides.toml").write_text(MENDED)
    monkeypatch.setenv("XPORTCN_OVERRIDES", "overrides.toml")
    done = sourcing("doctor", "--live", "--json")
    assert done.exit_code == 3
    assert well_not(done) == {
        "/open/pp/logistics/orderRenderFreight": (
            "differs",
            [("services[].minDays", "wrong type")],
        )
    }
    assert ("GET", "/open/v3/item/get") in changed.asked
    overridden = [
        entry["nav"]
        for entry in json.loads(done.stdout)["operations"]
        if entry["overridden"]
    ]
    assert overridden == [8, 47]


def test_people_read_what_differs_and_where(
    sourcing: Sourcing, changed: RewritingProxy
) -> None:
    """The table names field and kinds, and below it what was left alone and why."""
    done = sourcing("doctor", "--live")
    assert done.exit_code == 3
    words = " ".join(done.stdout.replace("│", " ").split())
    assert "services[].minDays: wrong type, number expected, got string" in words
    assert "data[].subject: missing" in words
    assert "404; this path is sibling" in words
    assert (
        "not called, it writes, though it can be repeated: 40, 41, 61, 71, 72" in words
    )
    assert "1 path unknown" in words


def test_samples_are_saved_without_the_account(
    sourcing: Sourcing, unchanged: RunningSandbox, tmp_path: Path
) -> None:
    """A file an answered operation, in which neither the account nor a person of the
    warehouse stands.
    """
    done = sourcing("doctor", "--live", "--record", "samples", "--json")
    assert done.exit_code == 0
    files = sorted((tmp_path / "samples").iterdir())
    assert len(files) == json.loads(done.stdout)["counts"]["matches"]
    everything = "".join(file.read_text(encoding="utf-8") for file in files)
    assert not any(
        secret in everything
        for secret in ("sandbox-access", "2100007300001", "Jane Doe")
    )
    address = json.loads(
        (tmp_path / "samples" / "75-open-address-get.json").read_text()
    )["answer"][0]
    assert {
        name: value
        for name, value in address.items()
        if name not in ("id", "isDefault")
    } == dict.fromkeys(
        ["name", "phone", "province", "city", "district", "address", "postCode"],
        "redacted",
    )


def test_samples_need_live(sourcing: Sourcing) -> None:
    """There is nothing to save without asking."""
    done = sourcing("doctor", "--record", "samples")
    assert (done.exit_code, done.stderr) == (
        2,
        "sourcing: --record saves what --live was answered: add --live\n",
    )


def test_without_a_service_nothing_is_asked(sourcing: Sourcing) -> None:
    """Exit code 1 and the remedy, in the JSON too."""
    done = sourcing("doctor", "--live", "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["operations"] == []
    assert [check["check"] for check in report["checks"] if not check["ok"]] == [
        "service"
    ]


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
        "sourcing: overrides.toml (XPORTCN_OVERRIDES) can't be used:\n"
        "  [8] pth: unknown; only method, path, request, response can be set\n",
    )


def test_a_recording_is_read_without_the_service(
    sourcing: Sourcing,
    unchanged: RunningSandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each recorded answer matches while nothing listens; with a price in yuan its
    field is named, and exit code 3.
    """
    recording = tmp_path / "answers"
    assert sourcing("doctor", "--live", "--record", "answers", "--json").exit_code == 0
    monkeypatch.setenv("XPORTCN_BASE_URL", "http://127.0.0.1:9")
    done = sourcing("doctor", "--replay", "answers", "--json")
    assert (done.exit_code, json.loads(done.stdout)["counts"]) == (
        0,
        {"matches": len(list(recording.iterdir()))},
    )
    file = next(recording.glob("08-*.json"))
    told = json.loads(file.read_text())
    told["answer"]["price"] = 59.9
    file.write_text(json.dumps(told))
    done = sourcing("doctor", "--replay", "answers")
    assert done.exit_code == 3
    assert "price: wrong type" in " ".join(done.stdout.replace("│", " ").split())


def test_a_folder_without_a_recording_is_bad_usage(
    sourcing: Sourcing, tmp_path: Path
) -> None:
    """Exit code 2, and what belongs there."""
    done = sourcing("doctor", "--replay", ".")
    assert (done.exit_code, done.stderr) == (
        2,
        "sourcing: . has no answers: it is a folder of sourcing doctor --live --record\n",
    )


def test_a_written_setting_that_the_environment_overrules_is_said_to_be(
    sourcing: Sourcing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container, or a unit of systemd."""
    monkeypatch.setenv("XPORTCN_UNITS", "1688=yuan")
    (tmp_path / "answers").mkdir()
    answer = {
        "itemId": 1,
        "title": "cup",
        "price": 59.9,
        "skuList": [{"skuId": 2, "price": 59.9}],
    }
    file = {"method": "GET", "path": "/open/product/get", "answer": answer}
    (tmp_path / "answers" / "1.json").write_text(json.dumps(file))
    done = sourcing("doctor", "--replay", "answers", "--write", ".env")
    assert done.stderr.endswith(
        "added to .env; XPORTCN_UNITS of the environment overrules it\n"
    )


@pytest.mark.parametrize("end", ["\n", ""])
def test_the_settings_that_mend_values_are_written(
    end: str,
    sourcing: Sourcing,
    unchanged: RunningSandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A product in yuan: named with its setting, which `--write` adds as a line of its
    own; with it all is read.
    """
    answer = {
        "itemId": 1,
        "title": "cup",
        "price": 59.9,
        "skuList": [{"skuId": 2, "price": 59.9}],
    }
    (tmp_path / "answers").mkdir()
    file = {"method": "GET", "path": "/open/product/get", "answer": answer}
    (tmp_path / "answers" / "1.json").write_text(json.dumps(file))
    (tmp_path / ".env").write_text(f"XPORTCN_USER_ID=2100007300001{end}")
    done = sourcing("doctor", "--replay", "answers", "--write", ".env")
    assert done.exit_code == 3
    words = " ".join(done.stdout.replace("│", " ").split())
    assert "59.9, a decimal point where fen are whole" in words
    assert (tmp_path / ".env").read_text().splitlines() == [
        "XPORTCN_USER_ID=2100007300001",
        "XPORTCN_UNITS=taobao.detail=yuan",
    ]
    assert done.stderr == "XPORTCN_UNITS=taobao.detail=yuan added to .env\n"
    done = sourcing("doctor", "--replay", "answers", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["counts"]) == (0, {"read": 1})
    assert [(value["about"], value["verdict"]) for value in told["values"]] == [
        ("unit", "proven")
    ]
