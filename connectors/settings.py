"""Settings: environment first, then `.env`, then for the account a Prefect block, then the defaults below."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, ModelWrapValidatorHandler, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from connectors.apprise_sender import recipients_of
from connectors.request_files.decoding import check_encoding
from connectors.units import parse_units, units_at
from domain.absence import LISTS_BEHIND
from domain.follow_ups import parse_hours
from domain.items import Pictures, picture_hosts
from domain.marketplace import Marketplace
from domain.money import Money, yuan
from domain.rate_cells import currency_code

DEPLOYED_PATIENCE_S, TERMINAL_PATIENCE_S = 3600, 600
LEAST_PASSWORD = 12
SANDBOX_URL = "http://127.0.0.1:8790"
SANDBOX_ACCOUNT = ("sandbox-access-key", "sandbox-access-secret", "2100007300001")


class MissingSetting(Exception):
    """A required setting is missing; the message names it and the remedy."""


class BadSetting(Exception):
    """A setting has an invalid value; the message names each such variable and what is valid."""


class Settings(BaseSettings):
    """Settings whose faults name their variables. Raises `BadSetting`."""

    @model_validator(mode="wrap")
    @classmethod
    def faults_name_the_variable(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            faults = [_fault(cls, fault) for fault in error.errors(include_url=False)]
        # outside, so that the traceback lacks pydantic's error, which has every value, secrets too
        raise BadSetting("\n".join(faults))


def _fault(settings: type[BaseSettings], fault: Any) -> str:
    """One fault as a line: the variable, its value unless that is a secret, and the cause."""
    name = str(fault["loc"][0]) if fault["loc"] else ""
    field = settings.model_fields.get(name)
    variable = f"{settings.model_config.get('env_prefix')}{name}".upper() if field else name
    if field is not None and field.annotation is SecretStr:
        why = fault["ctx"]["error"] if fault["type"] == "value_error" else "can't be used"  # a validator of ours
        return f"{variable}: {why}; its value is not shown"
    if fault["type"] == "value_error":
        return f"{variable}: {fault['ctx']['error']}"
    wrong = re.sub("^(Decimal )?[Ii]nput ", "", fault["msg"])
    return f"{variable}: {fault['input']!r} {wrong}"


class XportcnSettings(Settings):
    """The service's address and the account. Variables start with `XPORTCN_`.

    On a loopback address the sandbox's account is the default: a try-out needs no settings.
    """

    model_config = SettingsConfigDict(
        env_prefix="XPORTCN_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    base_url: str = Field(
        SANDBOX_URL,
        description="Where the service is: origin plus `/api` for the real one, the bare origin for the sandbox",
    )
    access_key: str = Field("", description="From the developer console; on loopback the sandbox's own")
    access_secret: SecretStr = Field(SecretStr(""), description="The same; never shown")
    user_id: str = Field("", description="The same")
    timestamp_unit: Literal["s", "ms"] = Field("s", description="The public pages show both (contract 1.4)")
    logistics_sign: Literal["signature", "none"] = Field(
        "signature", description="What the logistics calls carry as query parameter `sign` (contract 1.4)"
    )
    overrides: str = Field(
        "", description="TOML file that corrects methods, paths and field names of operations (docs/going-live.md)"
    )
    out_order_id: bool = Field(
        default=True,
        description="Send our reference to 1688 and big_major as outOrderId too (assumed); false leaves it out",
    )
    trade_types: str = Field(
        "assureTrade, fxassure, alipay, assure",
        description="How 1688 may be bought from, none of them on credit: of those that the preview names the first",
    )
    pay_is: Literal["unknown", "debit", "submission"] = Field(
        "unknown",
        description=(
            "Whether a payment call takes the money at once or submits the order to be paid. Only with `debit` is a "
            "payment without an answer sent again; else, while its order stays unpaid, a person is asked"
        ),
    )
    booking_repeated: Literal["unknown", "render_refused", "order_refused", "booked"] = Field(
        "unknown",
        description=(
            "What the service does with a second booking: refuses it for one renderId, for one order, or books it. "
            "Only where it is refused is a booking without an answer sent once more; else a person is asked"
        ),
    )
    units: str = Field(
        "",
        description=(
            "Where amounts are in another unit than the contract has, such as `taobao.detail=yuan, 1688=fen`; "
            "a marketplace alone means all its calls (docs/going-live.md)"
        ),
    )
    ask_first: bool | None = Field(
        None,
        description="Buy nothing further at a marketplace until the question about its first payment is answered "
        "(`sourcing confirm`); by itself true, and false at a loopback address. `false` waives the question",
    )
    submission_h: int = Field(
        24,
        ge=1,
        description="Hours after which a payment that was accepted and not taken is reported; 2 hours before the order "
        "closes in any case",
    )
    freight_ids: Literal["", "shop", "distribution"] = Field(
        "",
        description=(
            "By which ids freight calls name Taobao's goods. Empty: the first estimate is asked by both, and the ids "
            "that are not refused are kept for the account"
        ),
    )
    taobao_receiver: Literal["", "abroad", "warehouse"] = Field(
        "",
        description=(
            "Who receives Taobao's orders: the customer abroad, or the warehouse at its address in China. Empty: the "
            "first preview is asked with both, and the one that is not refused is kept for the account"
        ),
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
    search_page_size: int = Field(
        20,
        ge=1,
        le=50,
        description="Products on a page of searches and lists. Larger pages may be refused (upstream)",
    )
    connect_timeout_s: float = Field(5, gt=0, description="Seconds to connect in")
    timeout_s: float = Field(30, gt=0, description="Seconds for one whole call, connecting included")
    max_connections: int = Field(32, ge=1, description="At once to the service")
    fixed_concurrency: bool = Field(
        default=False, description="Make as many calls at once as allowed also while the service gets slower by it"
    )
    retries: int = Field(4, ge=0, description="Further tries of a call that changes nothing")
    most_cny: int = Field(
        10_000_000,
        ge=1,
        le=10**10,
        description="No price, fee or order in an answer is believed above this, in yuan (or as many of its currency)",
    )
    most_answer_mb: int = Field(16, ge=1, le=1024, description="No answer larger than this, unpacked, is read")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the block, last and only where no other source names an account or the sandbox."""
        block = _from_block({**dotenv_settings(), **env_settings(), **init_settings()})
        return init_settings, env_settings, dotenv_settings, InitSettingsSource(settings_cls, block)

    @model_validator(mode="before")
    @classmethod
    def sandbox_account_on_loopback(cls, values: dict[str, object]) -> dict[str, object]:
        if is_loopback(str(values.get("base_url") or SANDBOX_URL)):
            for name, value in zip(("access_key", "access_secret", "user_id"), SANDBOX_ACCOUNT, strict=True):
                values[name] = values.get(name) or value
        return values

    @field_validator("units")
    @classmethod
    def names_places(cls, text: str) -> str:
        parse_units(text)
        return text

    def units_at(self, marketplace: Marketplace) -> str:
        """What is set for the units of a marketplace; empty where the contract's count."""
        return units_at(parse_units(self.units), marketplace)

    @property
    def allowed_trade_types(self) -> tuple[str, ...]:
        return tuple(name for part in self.trade_types.split(",") if (name := part.strip()))

    @property
    def is_sandbox(self) -> bool:
        return is_loopback(self.base_url)

    @property
    def asks_first(self) -> bool:
        """Whether a person is asked about the first payment at each marketplace before a second one is made."""
        return not self.is_sandbox if self.ask_first is None else self.ask_first

    @property
    def account_name(self) -> str:
        """The account's name for people and for the ledger: user and host, without secrets."""
        return f"user {self.user_id} at {'the sandbox' if self.is_sandbox else urlsplit(self.base_url).hostname}"

    def require_account(self) -> None:
        """Raise `MissingSetting` unless all three parts of the account are set."""
        missing = [
            f"XPORTCN_{name.upper()}"
            for name in ("access_key", "access_secret", "user_id")
            if not (self.access_secret.get_secret_value() if name == "access_secret" else getattr(self, name))
        ]
        if missing:
            raise MissingSetting(f"{', '.join(missing)} not set: put them in the environment or in a .env file")


class SourcingSettings(Settings):
    """Where the product stores its data, and its limits. Variables start with `SOURCING_`."""

    model_config = SettingsConfigDict(env_prefix="SOURCING_", env_file=".env", extra="ignore", frozen=True)

    data_dir: Path = Field(Path("data"), description="Folder of ledger, snapshots, inbox and history of runs")
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
    concurrency: int = Field(16, ge=1, le=200, description="Calls to the service at once")
    poll_h: str = Field(
        "",
        description=(
            "Where the hourly tracking run reads a parcel at most once in so many hours (1 to 12), such as "
            "`taobao=12, 1688=6`: marketplaces whose callbacks report each scan. Empty: every 2 hours, 6, then 12, the "
            "longer nothing happens"
        ),
    )
    helpers: int = Field(
        0, ge=0, le=64, description="So many helpers share a large run; they need a ledger on PostgreSQL. 0 is none"
    )
    help_above: int = Field(1_000, ge=0, description="Only a run of more orders than this is shared with helpers")
    lease_s: int = Field(120, ge=10, description="How long a claim on an effect holds without an outcome")
    patience_s_setting: int | None = Field(
        None,
        ge=0,
        validation_alias="SOURCING_PATIENCE_S",
        description="How long a run waits for a service that is away; unset: an hour, 10 minutes at the terminal",
    )
    settle_s: int = Field(
        900, ge=0, description="How long an unanswered effect may still land; until then not seeing it proves nothing"
    )
    retry_delays_s: tuple[float, ...] = Field(
        (5, 15, 30, 60),
        min_length=1,
        description="How long a task waits before each further try after the service was away; the last one goes on",
    )
    return_days: int = Field(
        7,
        ge=0,
        description=(
            "How many days sellers take goods back that have reached the warehouse in China: a message comes two days "
            "before it is over. 0: none. The service says nothing of it; 7 is what Chinese law gives buyers"
        ),
    )
    keep_copies_days: int = Field(
        90,
        ge=1,
        description=(
            "How many days processed files of the inbox, fetched files and ledgers that were replaced are kept: they "
            "have receivers"
        ),
    )
    history_days: int = Field(
        400,
        ge=1,
        description="How many days snapshots keep what rows were before; current rows stay for good",
    )
    look_back_days: int = Field(
        30, ge=1, description="How far back to look for orders of ours that this ledger does not know"
    )
    order_limit_cny: str = Field("", description="No order above this, in yuan; empty is no limit")
    day_limit_cny: str = Field("", description="No more than this in one day of `timezone`, in yuan; empty is no limit")
    approval_limit_cny: str = Field(
        "",
        description=(
            "A plan whose goods and postage are above this, in yuan, needs a person's yes, even with `--yes`; empty is "
            "none"
        ),
    )
    approval_counts_freight: bool = Field(
        default=False,
        description=(
            "Whether that limit counts international freight too, converted by `SOURCING_RATES` (such as a rate from "
            "USD to CNY); without a rate of the last 7 days a person is asked"
        ),
    )
    approval_timeout_s: int = Field(
        86_400,
        ge=1,
        description=(
            "How long a run waits for that yes; then nothing is bought. Who is away is reminded when a quarter is "
            "left, four hours before the end at most"
        ),
    )
    price_tolerance_percent: Decimal = Field(
        Decimal(0),
        ge=0,
        le=100,
        decimal_places=2,
        description="How much dearer than approved an order may have become and still be paid; budgets count the most",
    )
    require_price_limit: bool = Field(
        default=False, description="Whether each row of a request file must have a `max_unit_price`"
    )
    inbox_encoding: str = Field(
        "", description="Encoding of text files in an inbox that are not UTF-8, such as gb18030; empty takes only UTF-8"
    )
    timezone: str = Field("UTC", description="Whose days and hours limits, schedules and `--done-by` mean")
    currency: str = Field("", description="Currency of the merchant's books, such as EUR; costs are shown in it")
    rates: str = Field("", description="CSV file of exchange rates: from,to,rate,date,source; empty is none")
    book: SecretStr = Field(
        SecretStr(""),
        description="SKU book, CSV or XLSX or the https address of a sheet, in which `own_sku` of request files is "
        "looked up; empty is none",
    )
    private_sources: str = Field(
        "",
        description=(
            "Private networks that request files may be fetched from, also by http, such as 10.1.0.0/16, 192.168.1.20; "
            "empty: only from public https addresses"
        ),
    )
    shopify: SecretStr = Field(
        SecretStr(""),
        description="A shop of Shopify with the access token of a custom app, https://:TOKEN@SHOP.myshopify.com; empty "
        "is none",
    )
    woocommerce: SecretStr = Field(
        SecretStr(""),
        description="A shop of WooCommerce with key and secret of its REST API, https://KEY:SECRET@shop.example; empty "
        "is none",
    )
    fulfil: bool = Field(
        default=False,
        description="Give these shops the tracking numbers of their orders, which mails the buyers; else they come as "
        "files",
    )
    notify: SecretStr = Field(
        SecretStr(""),
        description="Recipients of messages: one or more addresses of apprise (Slack, Teams, Telegram, WeCom, "
        "DingTalk, Feishu, ntfy, e-mail and many more), a blank between them; empty is none. `sourcing notify "
        "--test` tries them",
    )
    alert_url: SecretStr = Field(
        SecretStr(""), description="No longer read: SOURCING_NOTIFY has taken its place", exclude=True
    )
    ping_url: SecretStr = Field(
        SecretStr(""), description="Asked at the end of each night, for a watcher elsewhere; empty is none"
    )

    callbacks_port: int = Field(8791, ge=0, le=65535, description="Where the service's messages are received")
    callbacks_from: str = Field(
        "", description="Addresses or networks that may post messages, separated by commas; empty is any"
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
    page_hosts: str = Field(
        "",
        description="Names by which that page may be called beside localhost and addresses, such as a proxy's, "
        "separated by commas",
    )

    picture_hosts: str = Field(
        "alicdn.com, poizon.com",
        description="Hosts, with all names below them, whose pictures of goods plans, approvals, reports and that page "
        "show, by https alone; the browser calls them then. Empty: no pictures",
    )

    @field_validator("picture_hosts")
    @classmethod
    def are_hosts(cls, text: str) -> str:
        picture_hosts(text)
        return text

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

    @field_validator("poll_h")
    @classmethod
    def are_hours(cls, text: str) -> str:
        parse_hours(text)
        return text

    @field_validator("notify")
    @classmethod
    def are_addresses(cls, addresses: SecretStr) -> SecretStr:
        recipients_of(addresses)
        return addresses

    @field_validator("order_limit_cny", "day_limit_cny", "approval_limit_cny")
    @classmethod
    def is_an_amount(cls, text: str) -> str:
        try:
            _amount(text)
        except ValueError as error:
            raise ValueError(f"{error}; leave it empty for no limit") from error
        return text

    @field_validator("private_sources", "callbacks_from")
    @classmethod
    def are_networks(cls, text: str) -> str:
        _networks(text)
        return text

    @field_validator("inbox_encoding")
    @classmethod
    def is_an_encoding(cls, name: str) -> str:
        return check_encoding(name)

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
            raise ValueError(f"{text!r} is no time zone; give one such as Europe/Berlin") from None

    @property
    def arrives_within(self) -> timedelta:
        """How long after its claim a sent request may still arrive: a lease and the settle time."""
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

    @cached_property
    def callbacks_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return _networks(self.callbacks_from)

    def pictures(self, xportcn: XportcnSettings) -> Pictures:
        """The pictures that a person is shown; those of a sandbox come from itself."""
        hosts = picture_hosts(self.picture_hosts)
        return Pictures(hosts, xportcn.base_url.rstrip("/") if hosts and xportcn.is_sandbox else "")

    @property
    def private_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return _networks(self.private_sources)

    @property
    def patience_s(self) -> int:
        """How long a run waits for an unreachable service, in seconds since its last good answer; 0: not at all."""
        if self.patience_s_setting is not None:
            return self.patience_s_setting
        return DEPLOYED_PATIENCE_S if deployed_run() else TERMINAL_PATIENCE_S

    @cached_property
    def ledger_url(self) -> str:
        """The address set, else the one noted by `sourcing serve --postgres`, else SQLite in the data folder."""
        return self.ledger_url_setting or self._noted_ledger() or f"sqlite:///{self.data_dir.absolute() / 'ledger.db'}"

    @property
    def ledger_note(self) -> Path:
        """The file that notes the address of a data folder's ledger, so that every command finds the same one."""
        return self.data_dir / "ledger.url"

    def _noted_ledger(self) -> str:
        try:
            return self.ledger_note.read_text().strip()
        except FileNotFoundError:
            return ""

    @property
    def inbox(self) -> Path:
        """The folder whose files the nightly run takes."""
        return self.data_dir.absolute() / "inbox"

    @property
    def rates_file(self) -> Path | None:
        return Path(self.rates) if self.rates else None

    @cached_property
    def snapshot_root(self) -> Path:
        return Path(self.snapshots_setting) if self.snapshots_setting else self.data_dir / "snapshots"


def deployed_run() -> str:
    """The flow run that a worker started this process for; empty for none."""
    return os.environ.get("PREFECT__FLOW_RUN_ID", "")


def _from_block(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the named Prefect block, or in a deployed flow run of the one named `default`."""
    named = os.environ.get("XPORTCN_CREDENTIALS_BLOCK", "")
    has_account = any(given.get(name) for name in ("access_key", "access_secret", "user_id"))
    if has_account or is_loopback(str(given.get("base_url", ""))) or not (named or deployed_run()):
        return {}
    from connectors.credentials_block import BlockUnreadable, settings_from_block  # loads Prefect

    try:
        found = settings_from_block(named or "default")
    except BlockUnreadable as error:
        raise MissingSetting(str(error)) from error
    if found is None and named:
        raise MissingSetting(
            f"XPORTCN_CREDENTIALS_BLOCK names {named!r}, and Prefect has no Xportcn Credentials so named"
        )
    return found or {}


def _amount(text: str) -> Money | None:
    return yuan(text) if text else None


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks in a comma-separated text. Raises `ValueError`, which names what is no network."""
    return tuple(ip_network(name.strip()) for name in text.split(",") if name.strip())


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
