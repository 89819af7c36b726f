"""Links lead to pages of the second UI, or are not there."""

from __future__ import annotations

import pytest

from connectors.ui_pages import (
    artifact_page,
    run_form,
    run_page,
)

ID = "0192d9a0-0000-7000-8000-000000000001"


@pytest.fixture(autouse=True)
def ui(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_UI_URL", "http://127.0.0.1:4200")


def test_links_lead_to_the_pages_of_the_second_ui() -> None:
    """Without /v2 the server shows the first one."""
    assert run_page(ID) == f"http://127.0.0.1:4200/v2/runs/flow-run/{ID}"
    assert (
        artifact_page("what-waits")
        == "http://127.0.0.1:4200/v2/artifacts/key/what-waits"
    )


def test_a_form_can_be_filled_by_its_link() -> None:
    """Parameters are JSON in the address."""
    assert run_form(ID, {"order_refs": ["A-1"]}).endswith(
        "/run?parameters=%7B%22order_refs%22%3A%20%5B%22A-1%22%5D%7D"
    )
    assert run_form(ID).endswith(f"/{ID}/run")


@pytest.mark.parametrize(
    ("ui_url", "api_url", "page"),
    [
        ("", "http://10.0.0.5:4200/api", "http://10.0.0.5:4200/v2/runs/flow-run/1"),
        (
            "https://prefect.example/v2/",
            "",
            "https://prefect.example/v2/runs/flow-run/1",
        ),
        (
            "https://me:secret@prefect.example/ui",
            "",
            "https://prefect.example/ui/v2/runs/flow-run/1",
        ),
        ("", "", ""),
    ],
)
def test_where_the_ui_is(
    monkeypatch: pytest.MonkeyPatch, ui_url: str, api_url: str, page: str
) -> None:
    """What is set for the UI goes first, then the address of the API; a link holds no
    password.
    """
    monkeypatch.setenv("PREFECT_UI_URL", ui_url)
    monkeypatch.setenv("PREFECT_API_URL", api_url)
    assert run_page("1") == page
