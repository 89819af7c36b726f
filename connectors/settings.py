"""Settings: environment first, then `.env`, then the defaults below. Those of the
service stand with its client.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.apprise_sender import recipients_of
from connectors.process_locks import deployed_run
from domain.absence import LISTS_BEHIND
from domain.money import Money, yuan
from domain.rates_file import currency_code

FOLDER = "SOURCING_FOLDER"
"""Set by `sourcing serve` to the folder where it began, for its parts and runs: they
start in the program's.
"""
ENV_FILE = os.path.join(os.environ.get(FOLDER, ""), ".env")
DEPLOYED_PATIENCE_S = 3600
TERMINAL_PATIENCE_S = 600
LEAST_PASSWORD = 12


def enter_folder() -> None:
    """Make the merchant's folder the one that relative paths mean."""
    os.chdir(os.environ.get(FOLDER, "."))


class MissingSetting(Exception):
    """A required setting is missing; the message names it and the remedy."""


class BadSetting(Exception):
    """A setting has an invalid value; the message names each such variable and what is
    valid.
    """


class Settings(BaseSettings):
    """Settings whose faults name their variables. Raises `BadSetting`."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except UnicodeDecodeError:
            raise BadSetting(".env is no UTF-8 text: save it as UTF-8") from None

    @model_validator(mode="wrap")
    @classmethod
    def faults_name_the_variable(
        cls, values: Any, handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            faults = [_fault(cls, fault) for fault in error.errors(include_url=False)]
        # outside, so that the traceback lacks pydantic's error, which has every value,
        # secrets too
        raise BadSetting("\n".join(faults))


def variable_of(settings: type[BaseSettings], name: str) -> str:
    """The environment variable of a setting."""
    alias = settings.model_fields[name].validation_alias
    return str(alias or f"{settings.model_config.get('env_prefix')}{name}".upper())


def _fault(settings: type[BaseSettings], fault: Any) -> str:
    """One fault as a line: the variable, its value unless that is a secret, and the
    cause.
    """
    name = str(fault["loc"][0]) if fault["loc"] else ""
    field = settings.model_fields.get(name)
    variable = variable_of(settings, name) if field else name
    if field is not None and field.annotation is SecretStr:
        why = (
            fault["ctx"]["error"] if fault["type"] == "value_error" else "can't be used"
        )  # a validator of ours
        return f"{variable}: {why}; its value is not shown"
    if fault["type"] == "value_error":
        return f"{variable}: {fault['ctx']['error']}"
    wrong = re.sub("^(Decimal )?[Ii]nput ", "", fault["msg"])
    return f"{variable}: {fault['input']!r} {wrong}"


class SourcingSettings(Settings):
    """Where the product stores its data, and its limits. Variables start with
    `SOURCING_`.
    """

    model_config = SettingsConfigDict(
        env_prefix="SOURCING_", env_file=ENV_FILE, extra="ignore", frozen=True
    )

    data_dir: Path = Field(
        Path("data"),
        description="Folder of ledger, snapshots, inbox and history of runs",
    )
    ledger_url_setting: str = Field(
        "",
        validation_alias="SOURCING_LEDGER_URL",
        description="The ledger, such as `postgresql://…`; empty: SQLite in the data folder",
    )
    snapshots_setting: str = Field(
        "",
        validation_alias="SOURCING_SNAPSHOTS",
        description="Folder of the snapshots; empty: `snapshots` in the data folder",
    )
    chunk_size: int = Field(100, ge=1, le=1000, description="Orders per task run")
    concurrency: int = Field(
        16, ge=1, le=200, description="Calls to the service at once"
    )
    lease_s: int = Field(
        120, ge=10, description="How long a claim on an effect holds without an outcome"
    )
    patience_s_setting: int | None = Field(
        None,
        ge=0,
        validation_alias="SOURCING_PATIENCE_S",
        description="How long a run waits for a service that is away; unset: an hour, 10 minutes at the terminal",
    )
    settle_s: int = Field(
        900,
        ge=0,
        description="How long an unanswered effect may still land; until then not seeing it proves nothing",
    )
    history_days: int = Field(
        400,
        ge=1,
        description="How many days snapshots keep what rows were before; current rows stay for good",
    )
    order_limit_cny: str = Field(
        "", description="No order above this, in yuan; empty is no limit"
    )
    day_limit_cny: str = Field(
        "",
        description="No more than this in one day of `timezone`, in yuan; empty is no limit",
    )
    approval_limit_cny: str = Field(
        "",
        description=(
            "A plan whose goods and postage, with what a yes given beforehand has bought of its batch, are above this, "
            "in yuan, needs a person's yes, even with `--yes`; empty is none"
        ),
    )
    price_tolerance_percent: Decimal = Field(
        Decimal(0),
        ge=0,
        le=100,
        decimal_places=2,
        description=(
            "How much dearer than approved an order may have become and still be paid, also above its "
            "`max_unit_price`; budgets and approval limit count the most"
        ),
    )
    require_price_limit: bool = Field(
        default=False,
        description="Whether each row of a request file must have a `max_unit_price`",
    )
    timezone: str = Field(
        "UTC", description="Whose days and hours limits, schedules and `--done-by` mean"
    )
    currency: str = Field(
        "",
        description="Currency of the merchant's books, such as EUR; costs are shown in it",
    )
    rates: str = Field(
        "",
        description="CSV file of exchange rates: from,to,rate,date,source; empty is none",
    )
    book: SecretStr = Field(
        SecretStr(""),
        description="SKU book, CSV or XLSX or the https address of a sheet, in which `own_sku` of request files is "
        "looked up; empty is none",
    )
    notify: SecretStr = Field(
        SecretStr(""),
        description="Recipients of messages: one or more addresses of apprise (Slack, Teams, Telegram, WeCom, "
        "DingTalk, Feishu, ntfy, e-mail and many more), a blank between them; empty is none. `sourcing notify "
        "--test` tries them",
    )
    ping_url: SecretStr = Field(
        SecretStr(""),
        description="Asked at the end of each sweep, for a watcher elsewhere; empty is none",
    )

    callbacks_port: int = Field(
        8791, ge=0, le=65535, description="Where the service's messages are received"
    )

    page_port: int = Field(
        8792,
        ge=0,
        le=65535,
        description="Where the page of `sourcing serve` and `page` is; `serve` takes another if it is taken",
    )
    page_password: SecretStr = Field(
        SecretStr(""),
        description="Asked for by that page, with any user name; at least 12 characters. Without it the page is on "
        "this machine alone",
    )

    @field_validator("data_dir", "snapshots_setting", "rates", "book")
    @classmethod
    def is_where_it_seems(cls, value: Any) -> Any:
        path = Path(value.get_secret_value() if isinstance(value, SecretStr) else value)
        if str(path).startswith("~"):
            so_far = (
                f" (so far it was {path.absolute()}: write that, or move it)"
                if path.exists()
                else ""
            )
            raise ValueError(
                f"begins with ~, which only a shell takes for your home: write the whole path{so_far}"
            )
        return value

    @field_validator("notify")
    @classmethod
    def can_be_read(cls, value: Any) -> Any:
        recipients_of(value)
        return value

    @field_validator("page_password")
    @classmethod
    def is_long(cls, password: SecretStr) -> SecretStr:
        if 0 < len(password.get_secret_value()) < LEAST_PASSWORD:
            raise ValueError(f"has fewer than {LEAST_PASSWORD} characters")
        return password

    @field_validator("ping_url")
    @classmethod
    def is_an_address(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        if text and not re.fullmatch(r"https?://[!-~]+", text):
            raise ValueError("can't be used")
        return url

    @field_validator("order_limit_cny", "day_limit_cny", "approval_limit_cny")
    @classmethod
    def is_an_amount(cls, text: str) -> str:
        try:
            _amount(text)
        except ValueError as error:
            raise ValueError(f"{error}; leave it empty for no limit") from error
        return text

    @field_validator("currency")
    @classmethod
    def is_a_currency(cls, text: str) -> str:
        return currency_code(text) if text else ""

    @field_validator("timezone")
    @classmethod
    def is_a_time_zone(cls, text: str) -> str:
        try:
            return ZoneInfo(text).key
        except (LookupError, ValueError, OSError):
            raise ValueError(
                f"{text!r} is no time zone; give one such as Europe/Berlin"
            ) from None

    @property
    def arrives_within(self) -> timedelta:
        """How long after its claim a sent request may still arrive: a lease and the
        settle time.
        """
        return timedelta(seconds=self.lease_s + self.settle_s)

    @property
    def listed_within(self) -> timedelta:
        """How long after its claim a sent order may still be missing from a list."""
        return self.arrives_within + LISTS_BEHIND

    @property
    def order_limit(self) -> Money | None:
        return _amount(self.order_limit_cny)

    @property
    def day_limit(self) -> Money | None:
        return _amount(self.day_limit_cny)

    @property
    def approval_limit(self) -> Money | None:
        return _amount(self.approval_limit_cny)

    @property
    def patience_s(self) -> int:
        """How long a run waits for an unreachable service, in seconds since its last
        good answer; 0: not at all.
        """
        if self.patience_s_setting is not None:
            return self.patience_s_setting
        return DEPLOYED_PATIENCE_S if deployed_run() else TERMINAL_PATIENCE_S

    def renewed(self) -> Self:
        """What `.env` has now, at the same places; these settings while it can't be
        read.
        """
        path_fields = ("data_dir", "ledger_url_setting", "snapshots_setting")
        paths = {name: getattr(self, name) for name in path_fields}
        with suppress(BadSetting, OSError):
            return type(self)().model_copy(update=paths)
        return self

    @cached_property
    def ledger_url(self) -> str:
        """The address set, else SQLite in the data folder."""
        return (
            self.ledger_url_setting
            or f"sqlite:///{self.data_dir.absolute() / 'ledger.db'}"
        )

    @property
    def inbox(self) -> Path:
        """The folder whose files the nightly run takes."""
        return self.data_dir.absolute() / "inbox"

    @property
    def rates_file(self) -> Path | None:
        return Path(self.rates) if self.rates else None

    @cached_property
    def snapshot_root(self) -> Path:
        return (
            Path(self.snapshots_setting)
            if self.snapshots_setting
            else self.data_dir / "snapshots"
        )


def _amount(text: str) -> Money | None:
    return yuan(text) if text else None


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
