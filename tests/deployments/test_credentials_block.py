"""The account in a Prefect block: a good block, used only where nothing else names an
account.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite
from pydantic import SecretStr

from connectors import credentials_block
from connectors.credentials_block import XportcnCredentials
from connectors.settings import MissingSetting
from connectors.xportcn.settings import XportcnSettings

REAL = "https://www.xportcn.com/api"
BLOCK = XportcnCredentials(
    base_url=REAL,
    access_key="block-key",
    access_secret=SecretStr("block-secret"),
    user_id="2100000000001",
)


class TestXportcnCredentials(BlockStandardTestSuite):
    @pytest.fixture
    def block(self) -> type[Block]:
        return XportcnCredentials

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """Prefect's test fetches the picture; here nothing leaves the machine."""
        assert str(block._logo_url).endswith(".png")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A deployed flow run with nothing in its environment, and the block `default` at
    the server.
    """
    for name in (
        "BASE_URL",
        "ACCESS_KEY",
        "ACCESS_SECRET",
        "USER_ID",
        "CREDENTIALS_BLOCK",
    ):
        monkeypatch.delenv(f"XPORTCN_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "8f9586f9-f20b-4e8a-924a-ea71a5aba5a0")
    blocks = {"default": BLOCK.settings()}
    monkeypatch.setattr(credentials_block, "settings_from_block", blocks.get)


def test_a_deployed_run_without_an_account_uses_the_block() -> None:
    settings = XportcnSettings()
    assert (settings.base_url, settings.access_key, settings.user_id) == (
        REAL,
        "block-key",
        "2100000000001",
    )
    assert settings.access_secret.get_secret_value() == "block-secret"


def test_an_account_in_the_environment_is_never_mixed_with_the_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XPORTCN_BASE_URL", REAL)
    monkeypatch.setenv("XPORTCN_ACCESS_KEY", "env-key")
    settings = XportcnSettings()
    assert (settings.access_key, settings.access_secret.get_secret_value()) == (
        "env-key",
        "",
    )


def test_an_account_in_the_env_file_comes_before_the_block(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"XPORTCN_BASE_URL={REAL}\nXPORTCN_ACCESS_KEY=file-key\n"
    )
    assert XportcnSettings().access_key == "file-key"


def test_an_address_in_the_environment_comes_before_the_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XPORTCN_BASE_URL", "https://other.example/api")
    settings = XportcnSettings()
    assert (settings.base_url, settings.access_key) == (
        "https://other.example/api",
        "block-key",
    )


def test_whoever_names_the_sandbox_gets_the_sandbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XPORTCN_BASE_URL", "http://127.0.0.1:8790")
    assert XportcnSettings().access_key == "sandbox-access-key"


def test_a_command_at_a_terminal_asks_no_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PREFECT__FLOW_RUN_ID")
    assert XportcnSettings().is_sandbox


def test_a_block_that_is_named_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPORTCN_CREDENTIALS_BLOCK", "spring")
    with pytest.raises(MissingSetting, match="names 'spring'"):
        XportcnSettings()


def test_a_block_that_nobody_can_read_is_no_reason_for_the_sandbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unread(name: str) -> None:
        raise credentials_block.BlockUnreadable(
            f"the Prefect block {name!r} can't be read"
        )

    monkeypatch.setattr(credentials_block, "settings_from_block", unread)
    with pytest.raises(MissingSetting, match="'default' can't be read"):
        XportcnSettings()


def test_without_a_block_a_deployed_run_falls_back_to_the_sandbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(credentials_block, "settings_from_block", lambda _name: None)
    assert XportcnSettings().is_sandbox


def test_the_secret_shows_in_no_text_of_the_block() -> None:
    assert "block-secret" not in f"{BLOCK!r} {BLOCK} {BLOCK.model_dump()}"


def test_the_block_has_what_is_known_of_the_account_under_the_names_of_the_settings() -> (
    None
):
    expected = {
        "pay_is",
        "units",
        "freight_ids",
        "taobao_receiver",
        "booking_repeated",
    }
    assert {*BLOCK.settings()} == {
        "base_url",
        "access_key",
        "access_secret",
        "user_id",
    } | expected
    for name in expected:
        block = XportcnCredentials.model_fields[name]
        setting = XportcnSettings.model_fields[name]
        assert (block.annotation, block.default) == (
            setting.annotation,
            setting.default,
        )
