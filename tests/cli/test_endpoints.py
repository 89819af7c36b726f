"""`sourcing endpoints`: the catalogue of API operations, for people and programs."""

from __future__ import annotations

import csv
import json

from tests.cli.conftest import Sourcing
from tests.running import ROOT

FIELDS = ["nav", "group", "title", "method", "path", "provenance", "effect"]


def test_the_json_has_the_promised_shape(sourcing: Sourcing) -> None:
    """One object an operation, its fields in order, each of its kind."""
    done = sourcing("endpoints", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    listed = json.loads(done.stdout)
    assert listed
    for entry in listed:
        assert list(entry) == FIELDS
        assert entry["method"] in ("GET", "POST")
        assert isinstance(entry["path"], str)
        assert entry["path"]
        assert entry["provenance"] in ("confirmed", "sibling", "upstream", "assumed")
        assert type(entry["effect"]) is bool


def test_numbers_and_names_are_the_manuals(sourcing: Sourcing) -> None:
    """`nav`, group and title of every entry stand so in the contract's list, and no
    number comes twice.
    """
    with (ROOT / "docs/contract/endpoints.csv").open(encoding="utf-8") as file:
        manual = {
            int(row["nav"]): (row["group"], row["title"])
            for row in csv.DictReader(file)
        }
    listed = json.loads(sourcing("endpoints", "--json").stdout)
    assert len({entry["nav"] for entry in listed}) == len(listed)
    assert {e["nav"]: (e["group"], e["title"]) for e in listed} == {
        e["nav"]: manual[e["nav"]] for e in listed
    }


def test_what_spends_is_marked(sourcing: Sourcing) -> None:
    """Creating, paying and booking are effects; looking is none."""
    effects = {
        entry["path"]: entry["effect"]
        for entry in json.loads(sourcing("endpoints", "--json").stdout)
    }
    spending = [
        "/open/purchase/create/v2",
        "/open/purchase/pay",
        "/alibaba/order/create",
        "/alibaba/order/pay/url",
    ]
    assert all(
        effects[path] for path in [*spending, "/open/pp/logistics/orderBookingFreight"]
    )
    assert not any(
        effects[path]
        for path in ("/open/purchase/render", "/open/pp/logistics/orderRenderFreight")
    )


def test_all_adds_operations_without_a_number(sourcing: Sourcing) -> None:
    """They come on top of the numbered ones."""
    numbered = json.loads(sourcing("endpoints", "--json").stdout)
    everything = json.loads(sourcing("endpoints", "--all", "--json").stdout)
    assert [entry for entry in everything if entry["nav"] is not None] == numbered
    assert any(entry["nav"] is None for entry in everything)


def test_people_get_a_table(sourcing: Sourcing) -> None:
    """With the same columns as the JSON has fields."""
    done = sourcing("endpoints")
    assert done.exit_code == 0
    assert all(field in done.stdout for field in FIELDS)
