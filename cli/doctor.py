"""`sourcing doctor`: is everything in place, and if not, what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from difflib import get_close_matches
from json import dumps
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from cli.failures import (
    COULD_NOT_RUN,
    NEEDS_A_PERSON,
    Json,
    awaited,
    exit_code_of,
    settings_now,
    utc_now,
)
from cli.lazily import lazily
from connectors import crash_points
from connectors.foreign import words_of
from domain.landed import NoRate
from domain.messages import CAUSE
from domain.request_remarks import BadInput
from domain.wording import pluralize

with lazily():
    from email import utils

    from rich import text

    from cli import terminal
    from connectors import apprise_sender, book_file, settings, ui_pages
    from connectors.ledger import copying, engine, store
    from connectors.marketplaces import freight
    from connectors.xportcn import client, errors, live_check
    from connectors.xportcn import overrides as corrections
    from connectors.xportcn import settings as xportcn
    from deployments import local_server
    from flows.answers import marketplaces

SKEW_ALLOWED_S = 600
SKEW_WARNING_S = 60
NOT_CHECKED = "not checked, since the service can't be reached"
WORDS = "words of the service"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: its name, its finding, and what to do when it is not well."""

    check: str
    found: str
    remedy: str = ""
    ok: bool = True


def unwell(check: str, finding: str, remedy: str) -> CheckResult:
    return CheckResult(check, finding, remedy, ok=False)


def judged(
    check: str, examine: Callable[[], str | CheckResult], remedy: str
) -> CheckResult:
    """The finding of an examination, which is not well where it fails as expected."""
    try:
        finding = examine()
    except Exception as error:
        if exit_code_of(error) is None:
            raise
        return unwell(check, words_of(error), remedy)
    return CheckResult(check, finding) if isinstance(finding, str) else finding


def doctor(
    *,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Make calls that change nothing, and name what does not fit.",
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Check settings, folders, ledger, clock, reachability and credentials; say the
    remedy.
    """
    findings = [
        judged("settings", _settings, "see docs/reference.md, Settings"),
        _names(),
        _limits(),
        judged("overrides", _overrides, "see docs/going-live.md, overrides"),
        _writable("data folder", settings_now().data_dir, "SOURCING_DATA_DIR"),
        _writable(
            "snapshot folder", settings_now().snapshot_root, "SOURCING_SNAPSHOTS"
        ),
        *_of_ledger(),
        judged("rates", _rates, "see docs/costs.md, the rates"),
        judged("SKU book", _book, "mend it; see docs/shops.md"),
        judged("Prefect", _prefect, "see docs/operating.md, when it can't begin"),
        _messages(),
        *_service(),
    ]
    code = 0 if all(finding.ok for finding in findings) else COULD_NOT_RUN
    if live and not code:
        reads = _reads()
        findings += reads
        code = 0 if all(finding.ok for finding in reads) else NEEDS_A_PERSON
    if json:
        print(dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _show(findings)
    return code


def _show(findings: Sequence[CheckResult]) -> None:
    for finding in findings:
        mark = ("ok", "green") if finding.ok else ("not well", "red")
        terminal.console.print(
            text.Text.assemble(mark, f"  {finding.check}: {finding.found}"),
            soft_wrap=True,
            highlight=False,
        )
        if finding.remedy:
            terminal.console.print(
                f"      → {finding.remedy}", soft_wrap=True, highlight=False
            )


def _settings() -> str:
    settings = xportcn.XportcnSettings()
    settings.require_account()
    account = (
        "the sandbox's own account"
        if settings.is_sandbox
        else f"user {settings.user_id}"
    )
    return f"{settings.base_url}, {account}"


def _names() -> CheckResult:
    """Names that no part of the program reads: a limit without its `_CNY` is none."""
    from dotenv import dotenv_values

    read = (xportcn.XportcnSettings, settings.SourcingSettings)
    field_names = [
        settings.variable_of(settings_class, name)
        for settings_class in read
        for name in settings_class.model_fields
    ]
    beside = (
        "XPORTCN_CREDENTIALS_BLOCK",
        settings.FOLDER,
        ui_pages.TEMPORARY,
        crash_points.VARIABLE,
    )
    named = (*os.environ, *dotenv_values(settings.ENV_FILE))
    unknown_names = {name.upper() for name in named} - {*field_names, *beside}
    if not (
        strange := sorted(
            name for name in unknown_names if name.startswith(("SOURCING_", "XPORTCN_"))
        )
    ):
        return CheckResult("names of settings", "all known")
    nearest = [
        f"{near} for {name}"
        for name in strange
        for near in get_close_matches(name, field_names, 1, cutoff=0.75)
    ]
    remedy = (
        f"did you mean {', '.join(nearest)}?"
        if nearest
        else "see docs/reference.md, settings"
    )
    return CheckResult(
        "names of settings", f"nothing reads {', '.join(strange)}", remedy
    )


def _limits() -> CheckResult:
    """What a run may spend, and above what a plan waits for a person's yes."""
    settings = settings_now()
    limits = [("order", settings.order_limit), ("day", settings.day_limit)]
    limits.append(("approval", settings.approval_limit))
    return CheckResult(
        "limits", ", ".join(f"{name} {limit or 'none'}" for name, limit in limits)
    )


def _overrides() -> str:
    """The file that corrects the contract can be used."""
    file = xportcn.XportcnSettings().overrides
    overrides = corrections.load_overrides(file)
    return f"{len(overrides)} operations in {file}" if file else "none"


def _writable(check: str, folder: Path, variable: str) -> CheckResult:
    def examine() -> str:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".doctor-{os.getpid()}"
        probe.write_text("ok")
        probe.unlink()
        return str(folder.absolute())

    return judged(check, examine, f"make it writable, or set {variable}")


def _of_ledger() -> list[CheckResult]:
    """What the ledger tells; nothing of it where it can't be used."""
    url = settings_now().ledger_url
    asks = xportcn.XportcnSettings().asks_first
    try:
        engine.require_begun(url)
        with store.Ledger(
            url, clock=utc_now, owner="doctor", asks_first=asks
        ) as ledger:
            return [
                judged("ledger", lambda: _orders(ledger), ""),
                _buying(ledger),
                _payments(ledger),
                _words(ledger),
                *_backup(url),
            ]
    except engine.NoLedger:
        return [CheckResult("ledger", f"none yet at {engine.shown(url)}")]
    except (engine.LedgerUnusable, OSError) as error:
        remedy = "see docs/ledger.md, When it can't be used"
        return [unwell("ledger", words_of(error), remedy)]


def _orders(ledger: store.Ledger) -> str:
    """How many it has; runs of another account than its own are refused."""
    ledger.require_account(xportcn.XportcnSettings().account_name)
    return pluralize(ledger.count(), "order")


def _buying(ledger: store.Ledger) -> CheckResult:
    """A pause is no fault, but it is the first cause to show when nothing is bought."""
    pause = ledger.buying_paused()
    return (
        CheckResult("buying", pause.words, "to go on: sourcing resume")
        if pause
        else CheckResult("buying", "allowed")
    )


def _payments(ledger: store.Ledger) -> CheckResult:
    """What a payment call is as set, and which first payment is a question."""
    if first := [*marketplaces.first_payments(ledger).values()]:
        return CheckResult("payments", "; ".join(map(str, first)), first[0].remedy)
    return CheckResult("payments", xportcn.XportcnSettings().pay_is)


def _backup(url: str) -> list[CheckResult]:
    """How old the last backup is: nothing else has what was bought."""
    last = copying.last_backup(url, utc_now())
    remedy = (
        ""
        if last == "within a day"
        else "sourcing ledger backup FOLDER, each night: docs/operating.md, Schedule"
    )
    return [CheckResult("backup", f"the last one: {last}", remedy)] if last else []


def _words(ledger: store.Ledger) -> CheckResult:
    """The words of the service without a meaning here that runs have met: no fault, and
    a release may know them.
    """
    if not (met := ledger.outbox.causes(CAUSE)):
        return CheckResult(WORDS, "all that runs have met are known")
    return CheckResult(
        WORDS,
        f"not known: {', '.join(cause.removeprefix(CAUSE) for cause in met)}",
        "ask the service's support what they mean",
    )


def _book() -> str:
    """The SKU book can be read."""
    book = awaited(book_file.read_book(settings_now()))
    return f"{len(book.rows):,} rows" if book else "none: SOURCING_BOOK names no file"


def _rates() -> str:
    """The merchant's exchange rates can be read, and each pair into the books' currency
    has one of this week.
    """
    settings = settings_now()
    if not settings.rates_file:
        return "none: SOURCING_RATES names no file"
    rates = book_file.read_rates(settings.rates_file)
    today = utc_now().astimezone(ZoneInfo(settings.timezone)).date()
    pairs = {
        (rate.base, rate.into): rate
        for rate in rates
        if rate.into == (settings.currency or rate.into)
    }
    missing_pairs = [
        finding.why
        for pair in pairs
        if isinstance(finding := rates.at(*pair, today), NoRate)
    ]
    if missing_pairs or not pairs:
        none = f"{settings.rates_file} has no rate into {settings.currency}"
        raise BadInput("; ".join(missing_pairs) or none)
    newest = ", ".join(
        f"{base} to {into} of {rate.on}" for (base, into), rate in pairs.items()
    )
    return f"{settings.rates_file}: {newest}"


def _prefect() -> str:
    """Prefect's server: the one that is set can be reached."""
    if not (configured := os.environ.get("PREFECT_API_URL")):
        return "a server of the data folder, started when it is needed"
    local_server.require_reachable(configured)
    return f"{local_server.without_password(configured)} answers"


def _messages() -> CheckResult:
    """A recipient is named, and messages arrive. No address is shown."""
    settings = settings_now()
    recipients = apprise_sender.recipients_of(settings.notify)
    names = ", ".join(settings_class.name for settings_class in recipients)
    if not names:
        return CheckResult(
            "messages",
            "no recipients",
            "set SOURCING_NOTIFY, then try it: sourcing notify --test",
        )
    if strange := ", ".join(
        settings_class.name
        for settings_class in recipients
        if not apprise_sender.is_understood(settings_class)
    ):
        return unwell(
            "messages",
            f"apprise does not understand the address of {strange}",
            "see appriseit.com",
        )
    try:
        with store.Ledger(settings.ledger_url, clock=utc_now, owner="doctor") as ledger:
            unsent = ledger.outbox.undelivered(ledger.clock() - timedelta(days=1))
    except (engine.LedgerUnusable, OSError):
        return CheckResult(
            "messages",
            f"to {names}; the ledger can't be asked what arrived",
        )
    if unsent:
        finding = f"{pluralize(len(unsent), 'message')} of the last day did not arrive; {unsent[-1].why_unsent}"
        return unwell(
            "messages",
            f"to {names}; {finding}",
            "see whether they work: sourcing notify --test",
        )
    return CheckResult("messages", f"to {names}")


def _service() -> list[CheckResult]:
    """The service answers at all, and takes the account."""
    import httpx  # takes longer than all help

    settings = xportcn.XportcnSettings()
    try:
        date = httpx.get(settings.base_url, timeout=5).headers.get("date")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        finding = f"{settings.base_url} can't be reached: {words_of(error)}"
        remedy = (
            how_to_start_the_sandbox()
            if settings.is_sandbox
            else "check the network and the address"
        )
        service = unwell("service", finding, f"{remedy}, or set XPORTCN_BASE_URL")
        return [service, unwell("account", NOT_CHECKED, "")]
    remedy = "the access key, secret and user id are in the developer console"
    return [_clock(settings.base_url, date), judged("account", _account, remedy)]


def how_to_start_the_sandbox() -> str:
    """The command, with the books that `make run` left, or the orders of the ledger
    would be missing there.
    """
    books = settings_now().data_dir / "sandbox.db"
    return f"start it with `sourcing sandbox{f' --state {books}' if books.exists() else ''}`"


def _clock(url: str, date: str | None) -> CheckResult:
    """The service's clock is near ours."""
    if not date:
        return CheckResult("service", f"{url} answers")
    skew = abs((utc_now() - utils.parsedate_to_datetime(date)).total_seconds())
    if skew > SKEW_WARNING_S:
        finding = f"this machine's clock is {skew:.0f} s away from the service's; more than {SKEW_ALLOWED_S} s is refused"
        remedy = "set the clock, for instance by turning NTP on"
        return CheckResult("service", finding, remedy, ok=skew <= SKEW_ALLOWED_S)
    return CheckResult("service", f"{url} answers; clocks {skew:.0f} s apart")


def _account() -> str | CheckResult:
    async def ask() -> str:
        async with client.XportcnClient(xportcn.XportcnSettings()) as service:
            return freight.warehouse_of(await freight.addresses_of(service)).name

    try:
        return f"signed call answered; warehouse {awaited(ask())}"
    except errors.Misconfigured as error:
        if error.operation and error.status is None:  # the account was accepted
            return unwell("account", str(error), "")
        raise


def _reads() -> list[CheckResult]:
    """Each read that does not fit its model, and how many do."""

    async def ask() -> live_check.LiveCheck:
        async with client.XportcnClient(xportcn.XportcnSettings()) as service:
            check = live_check.LiveCheck(service)
            await check.run()
            return check

    with terminal.messages.status("asking"):
        check = awaited(ask())
    faults = [(call.name, words) for call, words in check.faults.items() if words]
    unasked = ", ".join(call.title for call in check.unasked)
    fitting = (
        f"{len(check.faults) - len(faults)} fit their models; not asked: {unasked}"
    )
    remedy = "see docs/going-live.md, overrides"
    return [
        *(unwell(name, message, remedy) for name, message in faults),
        CheckResult("reads", fitting),
    ]
