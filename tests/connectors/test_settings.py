"""Settings that can't be meant: what is said of them, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.settings import BadSetting, SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from flows.buy_from_file import buy_from_file
from flows.prefect_ui.expected_errors import EXPECTED
from flows.prefect_ui.parameters import Requests

NO_LIMIT = "leave it empty for no limit"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("settings", "variable", "value", "wrong"),
    [
        (
            SourcingSettings,
            "SOURCING_DAY_LIMIT_CNY",
            "abc",
            f"'abc' is not an amount in yuan, such as 1500 or 99.50; {NO_LIMIT}",
        ),
        (
            SourcingSettings,
            "SOURCING_APPROVAL_LIMIT_CNY",
            "1e3",
            f"'1e3' is not an amount in yuan, such as 1500 or 99.50; {NO_LIMIT}",
        ),
        (
            SourcingSettings,
            "SOURCING_ORDER_LIMIT_CNY",
            "0.00",
            f"'0.00' is not above 0; {NO_LIMIT}",
        ),
        (
            SourcingSettings,
            "SOURCING_TIMEZONE",
            "Mars/X",
            "'Mars/X' is no time zone; give one such as Europe/Berlin",
        ),
        (
            SourcingSettings,
            "SOURCING_LEASE_S",
            "5",
            "'5' should be greater than or equal to 10",
        ),
        (
            SourcingSettings,
            "SOURCING_PRICE_TOLERANCE_PERCENT",
            "1.234",
            "'1.234' should have no more than 2 decimal places",
        ),
        (
            XportcnSettings,
            "XPORTCN_RETRIES",
            "many",
            "'many' should be a valid integer, unable to parse string as an integer",
        ),
        (XportcnSettings, "XPORTCN_TIMESTAMP_UNIT", "h", "'h' should be 's' or 'ms'"),
    ],
)
def test_a_setting_that_can_not_be_meant_is_named_in_one_line(
    settings: type[Any],
    variable: str,
    value: str,
    wrong: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variable as it is set, what it holds, and what belongs there."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSetting) as raised:
        settings()
    assert str(raised.value) == f"{variable}: {wrong}"


def test_a_tilde_that_no_shell_has_read_is_told(tmp_path: Path) -> None:
    """Else a folder of that name is made, with a second ledger; where one was, the
    first is not left behind.
    """
    ledger = tmp_path / "~/DATA_DIR"
    ledger.mkdir(parents=True)
    names = ("DATA_DIR", "SNAPSHOTS", "RATES", "BOOK")
    (tmp_path / ".env").write_text(
        "".join(f"SOURCING_{name}=~/{name}\n" for name in names)
    )
    with pytest.raises(BadSetting) as raised:
        SourcingSettings()
    message = (
        "begins with ~, which only a shell takes for your home: write the whole path"
    )
    lines = [f"SOURCING_{name}: {message}" for name in names]
    lines[0] += f" (so far it was {ledger}: write that, or move it)"
    assert str(raised.value).splitlines() == [
        *lines[:-1],
        f"{lines[-1]}; its value is not shown",
    ]


@pytest.mark.parametrize("settings", [SourcingSettings, XportcnSettings])
def test_an_env_file_of_another_encoding_is_told(
    settings: type[Any], tmp_path: Path
) -> None:
    """As PowerShell writes it."""
    (tmp_path / ".env").write_text("SOURCING_CURRENCY=EUR\n", encoding="utf-16")
    with pytest.raises(BadSetting, match="no UTF-8 text: save it as UTF-8"):
        settings()


def test_every_fault_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look at the settings mends them all."""
    monkeypatch.setenv("SOURCING_CHUNK_SIZE", "0")
    monkeypatch.setenv("SOURCING_TIMEZONE", "Mars/X")
    with pytest.raises(BadSetting) as raised:
        SourcingSettings()
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == [
        "SOURCING_CHUNK_SIZE",
        "SOURCING_TIMEZONE",
    ]


def test_a_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when another setting is at fault nor when the secret is; no cause carries
    it along.
    """
    monkeypatch.setenv("XPORTCN_ACCESS_SECRET", "hush")
    monkeypatch.setenv("XPORTCN_RETRIES", "-1")
    faults: list[dict[str, Any]] = [{}, {"access_secret": ["hush"]}]
    for inputs in faults:
        with pytest.raises(BadSetting) as raised:
            XportcnSettings(**inputs)
        assert "hush" not in str(raised.value)
        assert (raised.value.__cause__, raised.value.__context__) == (None, None)


async def test_a_run_with_a_bad_setting_fails_with_that_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is the message of the run's state in Prefect; there is no traceback."""
    monkeypatch.setenv("SOURCING_DAY_LIMIT_CNY", "abc")
    assert BadSetting in EXPECTED
    state: Any = await buy_from_file.fn(Requests(lines="x"))
    assert (state.is_failed(), state.message.split(":")[0]) == (
        True,
        "SOURCING_DAY_LIMIT_CNY",
    )
