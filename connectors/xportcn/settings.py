"""Settings of the service and its account: environment first, then `.env`, a Prefect
block, the defaults below.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from connectors.process_locks import deployed_run
from connectors.settings import ENV_FILE, MissingSetting, Settings, is_loopback
from connectors.xportcn.errors import SettingUnset
from connectors.xportcn.units import parse_units, units_at
from domain.marketplace import PICTURE_HOSTS, Marketplace, Pictures

SANDBOX_URL = "http://127.0.0.1:8790"
BLOCK = "XPORTCN_CREDENTIALS_BLOCK"
UNKNOWN = "unknown"
DEBIT = "debit"
PAYMENTS = (UNKNOWN, DEBIT, "submission")
SHOP = "shop"
DISTRIBUTION = "distribution"
ABROAD = "abroad"
WAREHOUSE = "warehouse"
SANDBOX_ACCOUNT = ("sandbox-access-key", "sandbox-access-secret", "2100007300001")


class Account(BaseModel):
    """An account, and what the contract leaves open for it: in settings and in a block
    alike.
    """

    base_url: str = Field(
        SANDBOX_URL,
        description="Where the service is: origin plus `/api` for the real one, the bare origin for the sandbox",
    )
    access_key: str = Field(
        "", description="From the developer console; on loopback the sandbox's own"
    )
    access_secret: SecretStr = Field(SecretStr(""), description="The same; never shown")
    user_id: str = Field("", description="The same")
    pay_is: str = Field(
        UNKNOWN,
        description=(
            "Whether a payment call takes the money at once (`debit`) or submits the order to be paid (`submission`), "
            "at all marketplaces or such as `taobao=debit, 1688=submission`. Only with `debit` is a payment without an "
            "answer sent again; else, while its order stays unpaid, a person is asked."
        ),
    )
    booking_repeated: Literal[
        "unknown", "render_refused", "order_refused", "booked"
    ] = Field(
        "unknown",
        description=(
            "What the service does with a second booking: refuses it for one renderId, for one order, or books it. "
            "Only where it is refused is a booking without an answer sent once more; else a person is asked."
        ),
    )
    units: str = Field(
        "",
        description=(
            "Where amounts are in another unit than the contract has, such as `taobao.detail=yuan, 1688=fen`; "
            "a marketplace alone means all its calls (docs/going-live.md)."
        ),
    )
    freight_ids: Literal["", "shop", "distribution"] = Field(
        "",
        description=(
            "By which ids freight calls name Taobao's goods. Empty: Taobao's orders are held; the shop's at a loopback "
            "address."
        ),
    )
    taobao_receiver: Literal["", "abroad", "warehouse"] = Field(
        "",
        description=(
            "Who receives Taobao's orders: the customer abroad, or the warehouse at its address in China. Empty: "
            "Taobao's orders are held; the customer at a loopback address."
        ),
    )

    @field_validator("units", "pay_is")
    @classmethod
    def can_be_read(cls, text: str, info: ValidationInfo) -> str:
        reader: Callable[[str], object] = (
            parse_units if info.field_name == "units" else _payments
        )
        reader(text)
        return text


class XportcnSettings(Account, Settings):
    """The service's address and the account. Variables start with `XPORTCN_`.

    On a loopback address the sandbox's account is the default: a try-out needs no
    settings.
    """

    model_config = SettingsConfigDict(
        env_prefix="XPORTCN_",
        env_file=ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    timestamp_unit: Literal["s", "ms"] = Field(
        "s", description="The public pages show both (contract 1.4)"
    )
    logistics_sign: Literal["signature", "none"] = Field(
        "signature",
        description="What the logistics calls carry as query parameter `sign` (contract 1.4)",
    )
    overrides: str = Field(
        "",
        description="TOML file that corrects methods, paths and field names of operations (docs/going-live.md)",
    )
    out_order_id: bool = Field(
        default=True,
        description="Send our reference to 1688 and big_major as outOrderId too (assumed); false leaves it out",
    )
    requests_per_second: float = Field(
        0,
        ge=0,
        description=(
            "Calls a second to the service, of all processes with the same ledger together; the smallest of what they "
            "have set counts. 0 is no limit"
        ),
    )
    calls_a_day: int = Field(
        0,
        ge=0,
        description=(
            "Calls a day to the service, from midnight in China, of all processes with the same ledger together. Half "
            "of them are kept for buying, so that no catalogue uses them up. 0 is no limit"
        ),
    )
    first_page: int = Field(
        1,
        ge=0,
        le=1,
        description="The number of the first page of searches and lists: 1, or 0 where they count from it",
    )
    compact_times: bool = Field(
        default=False,
        description="1688's order list filters by times such as 20260903120000000+0800 alone",
    )
    timeout_s: float = Field(
        30, gt=0, description="Seconds for one whole call, connecting included"
    )
    retries: int = Field(
        4, ge=0, description="Further tries of a call that changes nothing"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the block, last and only where no other source names an account or the
        sandbox.
        """
        block = _from_block({**dotenv_settings(), **env_settings(), **init_settings()})
        return (
            init_settings,
            env_settings,
            dotenv_settings,
            InitSettingsSource(settings_cls, block),
        )

    @model_validator(mode="before")
    @classmethod
    def sandbox_account_on_loopback(
        cls, values: dict[str, object]
    ) -> dict[str, object]:
        if is_loopback(str(values.get("base_url") or SANDBOX_URL)):
            for name, value in zip(
                ("access_key", "access_secret", "user_id"), SANDBOX_ACCOUNT, strict=True
            ):
                values[name] = values.get(name) or value
        return values

    def units_at(self, marketplace: Marketplace) -> str:
        """What is set for the units of a marketplace; empty where the contract's
        count.
        """
        return units_at(parse_units(self.units), marketplace)

    def debits_at_once(self, marketplace: Marketplace) -> bool:
        """Whether a payment call of a marketplace is set to take the money."""
        return _payments(self.pay_is).get(marketplace) == DEBIT

    @property
    def ids_of_freight(self) -> str:
        """The ids of Taobao's goods in freight calls. Raises `SettingUnset`."""
        return self._form("freight_ids", SHOP, DISTRIBUTION)

    @property
    def receiver_of_taobao(self) -> str:
        """The receiver of Taobao's orders. Raises `SettingUnset`."""
        return self._form("taobao_receiver", ABROAD, WAREHOUSE)

    def _form(self, name: str, contracts: str, other: str) -> str:
        """What is set, at a sandbox else the contract's form: the service may take
        both forms, and only one of them is meant.
        """
        form = str(getattr(self, name)) or (contracts if self.is_sandbox else "")
        if not form:
            raise SettingUnset(
                f"set XPORTCN_{name.upper()} to {contracts} or {other}",
                setting=f"XPORTCN_{name.upper()}",
                forms=(contracts, other),
            )
        return form

    @property
    def is_sandbox(self) -> bool:
        return is_loopback(self.base_url)

    @property
    def asks_first(self) -> bool:
        """Whether a person is asked about the first payment at each marketplace before
        a second one is made. A sandbox takes no money.
        """
        return not self.is_sandbox

    @property
    def account_name(self) -> str:
        """The account's name for people and for the ledger: user and host, without
        secrets.
        """
        return f"user {self.user_id} at {'the sandbox' if self.is_sandbox else urlsplit(self.base_url).hostname}"

    @property
    def pictures(self) -> Pictures:
        """The pictures which a person is shown; those of a sandbox come from itself."""
        return Pictures(
            PICTURE_HOSTS, self.base_url.rstrip("/") if self.is_sandbox else ""
        )

    def require_account(self) -> None:
        """Raise `MissingSetting` unless all three parts of the account are set."""
        missing = [
            f"XPORTCN_{name.upper()}"
            for name in ("access_key", "access_secret", "user_id")
            if not (
                self.access_secret.get_secret_value()
                if name == "access_secret"
                else getattr(self, name)
            )
        ]
        if missing:
            raise MissingSetting(
                f"{', '.join(missing)} not set: put them in the environment or in a .env file"
            )


def _payments(text: str) -> dict[Marketplace, str]:
    """Read `debit`, or `taobao=debit, 1688=submission`. Raises `ValueError`."""
    if text in PAYMENTS:
        return dict.fromkeys(Marketplace, text)
    accounts: dict[Marketplace, str] = {}
    for entry in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, word = (piece.strip() for piece in entry.partition("="))
        if (
            name not in [*Marketplace]
            or word not in PAYMENTS
            or accounts.get(Marketplace(name), word) != word
        ):
            advice = f"marketplaces are {', '.join(Marketplace)}"
            raise ValueError(
                f"{entry!r} is not one of {', '.join(PAYMENTS)}, nor MARKETPLACE=WORD once each; {advice}"
            )
        accounts[Marketplace(name)] = word
    return accounts


def _from_block(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the named Prefect block, or in a deployed flow run of the one named
    `default`.
    """
    named = os.environ.get(BLOCK) or dotenv_values(ENV_FILE).get(BLOCK) or ""
    has_account = any(
        given.get(name) for name in ("access_key", "access_secret", "user_id")
    )
    if (
        has_account
        or is_loopback(str(given.get("base_url", "")))
        or not (named or deployed_run())
    ):
        return {}
    from connectors.credentials_block import (
        BlockUnreadable,
        settings_from_block,
    )  # loads Prefect

    try:
        settings = settings_from_block(named or "default")
    except BlockUnreadable as error:
        raise MissingSetting(str(error)) from error
    if settings is None and named:
        raise MissingSetting(
            f"{BLOCK} names {named!r}, and Prefect has no Xportcn Credentials so named"
        )
    return settings or {}
