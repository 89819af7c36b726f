"""`sourcing doctor`: is everything in place, and if not, what to do."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import urlopen
from zoneinfo import ZoneInfo

from rich.text import Text

from cli.failures import BAD_USAGE, COULD_NOT_RUN, say
from cli.terminal import console
from connectors import crash_points
from connectors.foreign import words_of
from connectors.ledger.engine import LedgerUnusable, NoLedger, require_begun, shown
from connectors.settings import ENV_FILE, MissingSetting, SourcingSettings, variable_of
from connectors.ui_pages import TEMPORARY
from connectors.xportcn.settings import XportcnSettings
from deployments.local_server import without_password
from domain.messages import CAUSE
from domain.wording import pluralize

if TYPE_CHECKING:
    from connectors.ledger.store import Ledger

SKEW_ALLOWED_S = 600
SKEW_WARNING_S = 60
NOT_CHECKED = "not checked, since the service can't be reached"
WORDS = "words of the service"
BESIDE_SETTINGS = ("XPORTCN_CREDENTIALS_BLOCK", "SOURCING_ENV_FILE", TEMPORARY, crash_points.VARIABLE)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: its name, its finding, and what to do when it is not well."""

    check: str
    found: str
    remedy: str = ""
    ok: bool = True


def well(check: str, found: str) -> CheckResult:
    return CheckResult(check, found)


def unwell(check: str, found: str, remedy: str) -> CheckResult:
    return CheckResult(check, found, remedy, ok=False)


def examine(*, live: bool, record: Path | None, write: Path | None, as_json: bool) -> int:
    """Run every check, print the findings, then ask the service when `live`; answers the exit code."""
    if (record or write) and not live:
        say(f"{'--record saves' if record else '--write mends'} what --live was answered: add --live")
        return BAD_USAGE
    findings = [
        *(check() for check in (_settings, _names, _limits, _overrides, _data_folder, _snapshots)),
        *_of_ledger(),
        *(check() for check in (_rates, _book, _prefect, _messages)),
        *_service(with_account=not live),
    ]
    well_all = all(finding.ok for finding in findings)
    if not as_json:
        _show(findings)
    elif not live:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    elif not well_all:
        print(json.dumps({"checks": [asdict(finding) for finding in findings], "counts": {}, "operations": []}))
    if not live or not well_all:
        return 0 if well_all else COULD_NOT_RUN
    from cli.live import examine_live

    return examine_live([asdict(finding) for finding in findings], record=record, write=write, as_json=as_json)


def _show(findings: Sequence[CheckResult]) -> None:
    for finding in findings:
        mark = ("ok", "green") if finding.ok else ("not well", "red")
        console.print(Text.assemble(mark, f"  {finding.check}: {finding.found}"), soft_wrap=True, highlight=False)
        if finding.remedy:
            console.print(f"      → {finding.remedy}", soft_wrap=True, highlight=False)


def _settings() -> CheckResult:
    settings = XportcnSettings()
    try:
        settings.require_account()
    except MissingSetting as error:
        return unwell("settings", str(error), "see docs/reference.md, Settings")
    account = "the sandbox's own account" if settings.is_sandbox else f"user {settings.user_id}"
    return well("settings", f"{settings.base_url}, {account}")


def _names() -> CheckResult:
    """Names that no part of the program reads: a limit without its `_CNY` is none."""
    from dotenv import dotenv_values

    known = [variable_of(one, name) for one in (XportcnSettings, SourcingSettings) for name in one.model_fields]
    given = {name.upper() for name in (*os.environ, *dotenv_values(ENV_FILE))} - {*known, *BESIDE_SETTINGS}
    if not (strange := sorted(name for name in given if name.startswith(("SOURCING_", "XPORTCN_")))):
        return well("names of settings", "all known")
    nearest = [f"{near} for {name}" for name in strange for near in get_close_matches(name, known, 1, cutoff=0.75)]
    remedy = f"did you mean {', '.join(nearest)}?" if nearest else "see docs/reference.md, settings"
    return CheckResult("names of settings", f"nothing reads {', '.join(strange)}", remedy)


def _limits() -> CheckResult:
    """What a run may spend, and above what a plan waits for a person's yes."""
    settings = SourcingSettings()
    limits = {"order": settings.order_limit, "day": settings.day_limit, "approval": settings.approval_limit}
    return well("limits", ", ".join(f"{name} {limit or 'none'}" for name, limit in limits.items()))


def _overrides() -> CheckResult:
    """The file that corrects the contract can be used."""
    from connectors.xportcn.errors import Misconfigured
    from connectors.xportcn.overrides import load_overrides

    file = XportcnSettings().overrides
    try:
        overrides = load_overrides(file)
    except Misconfigured as error:
        return unwell("overrides", error.message, "see docs/going-live.md, overrides")
    return well("overrides", f"{len(overrides)} operations in {file}" if file else "none")


def _data_folder() -> CheckResult:
    return _writable("data folder", SourcingSettings().data_dir, "SOURCING_DATA_DIR")


def _snapshots() -> CheckResult:
    return _writable("snapshot folder", SourcingSettings().snapshot_root, "SOURCING_SNAPSHOTS")


def _writable(check: str, folder: Path, variable: str) -> CheckResult:
    probe = folder / f".doctor-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("ok")
        probe.unlink()
    except OSError as error:
        return unwell(check, f"{folder}: {error.strerror}", f"make it writable, or set {variable}")
    return well(check, str(folder.absolute()))


def _of_ledger() -> list[CheckResult]:
    """What the ledger tells; nothing of it where it can't be used."""
    from connectors.ledger.store import Ledger

    url, asks = SourcingSettings().ledger_url, XportcnSettings().asks_first
    try:
        require_begun(url)
        with Ledger(url, clock=lambda: datetime.now(UTC), owner="doctor", asks_first=asks) as ledger:
            return [_orders(ledger), _buying(ledger), _payments(ledger), _words(ledger)]
    except NoLedger:
        why, found = "there is no ledger yet", well("ledger", f"none yet at {shown(url)}")
    except (LedgerUnusable, OSError) as error:
        why, found = (
            "the ledger can't be used",
            unwell("ledger", words_of(error), "see docs/ledger.md, When it can't be used"),
        )
    return [found, *(well(check, f"not checked, since {why}") for check in ("buying", "payments", WORDS))]


def _orders(ledger: Ledger) -> CheckResult:
    """How many it has; runs of another account than its own are refused."""
    try:
        ledger.require_account(XportcnSettings().account_name)
    except LedgerUnusable as error:
        return unwell("ledger", str(error), "")
    return well("ledger", pluralize(ledger.count(), "order"))


def _buying(ledger: Ledger) -> CheckResult:
    """A pause is no fault, but it is the first cause to show when nothing is bought."""
    pause = ledger.buying_paused()
    return CheckResult("buying", pause.words, "to go on: sourcing resume") if pause else well("buying", "allowed")


def _payments(ledger: Ledger) -> CheckResult:
    """What a payment call is: what is set, which first payment is a question, and what the ledger has seen."""
    from flows.answers.marketplaces import first_payments, proposed_debit

    settings = XportcnSettings().doubting(ledger.first_orders.unproven())
    if found := [one for one in (*first_payments(ledger).values(), proposed_debit(ledger, settings)) if one]:
        return CheckResult("payments", "; ".join(map(str, found)), found[0].remedy)
    return well("payments", settings.pay_is)


def _words(ledger: Ledger) -> CheckResult:
    """The words of the service without a meaning here that runs have met: no fault, and a release may know them."""
    if not (met := ledger.outbox.causes_after(CAUSE)):
        return well(WORDS, "all that runs have met are known")
    return CheckResult(WORDS, f"not known: {', '.join(met)}", "ask the service's support what they mean")


def _book() -> CheckResult:
    """The SKU book can be read."""
    from connectors.book_file import TableUnusable, read_book

    try:
        book = asyncio.run(read_book(SourcingSettings()))
    except TableUnusable as error:
        return unwell("SKU book", str(error), "mend it; see docs/shops.md")
    return well("SKU book", "none: SOURCING_BOOK names no file" if book is None else f"{len(book.rows):,} rows")


def _rates() -> CheckResult:
    """The merchant's exchange rates can be read, and each pair into the books' currency has one of this week."""
    from connectors.book_file import TableUnusable, read_rates
    from domain.landed import NoRate

    settings = SourcingSettings()
    if not settings.rates_file:
        return well("rates", "none: SOURCING_RATES names no file")
    try:
        rates = read_rates(settings.rates_file)
    except TableUnusable as error:
        return unwell("rates", str(error), "see docs/costs.md, the rates")
    today = datetime.now(ZoneInfo(settings.timezone)).date()
    pairs = {(rate.base, rate.into): rate for rate in rates if rate.into == (settings.currency or rate.into)}
    lacking = [found.why for pair in pairs if isinstance(found := rates.at(*pair, today), NoRate)]
    if lacking or not pairs:
        none = f"{settings.rates_file} has no rate into {settings.currency}"
        return unwell("rates", "; ".join(lacking) or none, "see docs/costs.md, the rates")
    newest = ", ".join(f"{base} to {into} of {rate.on}" for (base, into), rate in pairs.items())
    return well("rates", f"{settings.rates_file}: {newest}")


def _prefect() -> CheckResult:
    """Prefect's server: the one that is set can be reached, or the folder's own has sound records."""
    from deployments.local_server import ServerFailed, require_reachable, require_sound_records

    try:
        if configured := os.environ.get("PREFECT_API_URL"):
            require_reachable(configured)
            return well("Prefect", f"{without_password(configured)} answers")
        require_sound_records(SourcingSettings().data_dir / "prefect")
    except ServerFailed as error:
        return unwell("Prefect", str(error), "see docs/operating.md, when it can't begin")
    return well("Prefect", "a server of the data folder, started when it is needed")


def _messages() -> CheckResult:
    """A recipient is named, messages are sent, and they arrive. No address is shown."""
    from connectors.apprise_sender import is_understood, recipients_of
    from connectors.notifying import replaced_setting
    from deployments.post_office import is_open

    settings = SourcingSettings()
    recipients = recipients_of(settings.notify)
    names = ", ".join(one.name for one in recipients)
    if words := replaced_setting(settings):
        return unwell("messages", "SOURCING_ALERT_URL is set", words)
    if not names:
        return CheckResult("messages", "no recipients", "set SOURCING_NOTIFY, then try it: sourcing notify --test")
    if strange := ", ".join(one.name for one in recipients if not is_understood(one)):
        return unwell("messages", f"apprise does not understand the address of {strange}", "see appriseit.com")
    if not is_open(settings):
        remedy = "start `sourcing serve`, the post office's service, or sourcing notify --watch"
        return unwell("messages", f"to {names}; no post office works for this data folder", remedy)
    return _arriving(settings, names)


def _arriving(settings: SourcingSettings, names: str) -> CheckResult:
    """Whether the latest messages arrived."""
    from connectors.ledger.store import Ledger

    try:
        with Ledger(settings.ledger_url, clock=lambda: datetime.now(UTC), owner="doctor") as ledger:
            unsent = ledger.outbox.unsent(ledger.clock() - timedelta(days=1))
    except (LedgerUnusable, OSError):
        return well("messages", f"to {names}; the post office works, and the ledger can't be asked what arrived")
    if unsent:
        found = f"{pluralize(len(unsent), 'message')} of the last day did not arrive; {unsent[-1].why}"
        return unwell("messages", f"to {names}; {found}", "see whether they work: sourcing notify --test")
    return well("messages", f"to {names}; the post office works")


def _service(*, with_account: bool) -> list[CheckResult]:
    """The service answers at all, and takes the account; without a call of its own when others are to follow."""
    settings = XportcnSettings()
    try:
        date = _date_of(settings.base_url)
    except (URLError, OSError, ValueError) as error:
        found = f"{settings.base_url} can't be reached: {words_of(error)}"
        remedy = _how_to_start_the_sandbox() if settings.is_sandbox else "check the network and the address"
        service = unwell("service", found, f"{remedy}, or set XPORTCN_BASE_URL")
        return [service, *([unwell("account", NOT_CHECKED, "")] if with_account else [])]
    return [_clock(settings.base_url, date), *([_account()] if with_account else [])]


def _date_of(url: str) -> str | None:
    try:
        with urlopen(url, timeout=5) as answer:
            date: str | None = answer.headers.get("Date")
    except HTTPError as error:  # an answer all the same
        date = error.headers.get("Date")
    return date


def _how_to_start_the_sandbox() -> str:
    """The command, with the books that `make run` left, or the orders of the ledger would be missing there."""
    books = SourcingSettings().data_dir / "sandbox.db"
    return f"start it with `sourcing sandbox{f' --state {books}' if books.exists() else ''}`"


def _clock(url: str, date: str | None) -> CheckResult:
    """The service's clock is near ours."""
    if not date:
        return well("service", f"{url} answers")
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    if skew > SKEW_WARNING_S:
        found = f"this machine's clock is {skew:.0f} s away from the service's; more than {SKEW_ALLOWED_S} s is refused"
        remedy = "set the clock, for instance by turning NTP on"
        return CheckResult("service", found, remedy, ok=skew <= SKEW_ALLOWED_S)
    return well("service", f"{url} answers; clocks {skew:.0f} s apart")


def _account() -> CheckResult:
    from connectors.marketplaces.freight import addresses_of, warehouse_of
    from connectors.xportcn.client import XportcnClient
    from connectors.xportcn.errors import Misconfigured, XportcnError

    async def ask() -> str:
        async with XportcnClient(XportcnSettings()) as client:
            return warehouse_of(await addresses_of(client), client.settings.warehouse).name

    try:
        warehouse = asyncio.run(ask())
    except (XportcnError, MissingSetting) as error:
        is_accepted = isinstance(error, Misconfigured) and error.operation and error.status is None
        remedy = "" if is_accepted else "the access key, secret and user id are in the developer console"
        return unwell("account", str(error), remedy)
    return well("account", f"signed call answered; warehouse {warehouse}")
