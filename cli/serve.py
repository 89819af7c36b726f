"""`sourcing serve`: a whole installation on this machine."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
import time
from contextlib import nullcontext
from select import select
from urllib.parse import urlsplit

from rich.table import Table

from cli.notify import NO_RECIPIENTS
from cli.terminal import console, messages
from connectors.apprise_sender import recipients_of
from connectors.callbacks.store import SANDBOX, CallbackStore, new_token
from connectors.notifying import replaced_setting
from connectors.settings import SourcingSettings, is_loopback
from connectors.xportcn.settings import XportcnSettings
from deployments import databases
from deployments.bounded_http import listening, run_app
from deployments.local_server import is_healthy, is_served, running_server, server_folder
from deployments.serving import Installation, ServeFailed, check_port, installation, watch
from tasks.engine.resources import utc_now

SERVER_WITHIN_S = 60


def run_installation(
    *, host: str, port: int, postgres_url: str | None, redis_url: str | None, helpers: int, with_sandbox: bool
) -> None:
    """Start everything, print where it is, and stay until stopped."""
    began = time.monotonic()
    if not (is_loopback(f"http://{host}") or os.environ.get("PREFECT_SERVER_API_AUTH_STRING")):
        raise ServeFailed(
            f"{host} can be reached from elsewhere, and who reaches Prefect can buy and read credentials: set "
            "PREFECT_SERVER_API_AUTH_STRING and PREFECT_API_AUTH_STRING to USER:PASSWORD in the environment (not in "
            ".env), or leave --host out"
        )
    settings = SourcingSettings()
    if redis_url and not (postgres_url or databases.noted(settings)):
        raise ServeFailed("--redis joins processes of a Prefect server on PostgreSQL: add --postgres URL")
    if helpers and not (postgres_url or settings.ledger_url.startswith("postgres")):
        raise ServeFailed("helpers share the ledger on PostgreSQL: add --postgres URL, or leave --helpers out")
    xportcn = XportcnSettings()
    wanted = with_sandbox and xportcn.is_sandbox

    port_of_callbacks = free_port(settings.callbacks_port, "SOURCING_CALLBACKS_PORT", or_any=xportcn.is_sandbox)
    port_of_page = free_port(settings.page_port, "SOURCING_PAGE_PORT", or_any=True)  # it is printed, and buys nothing
    page_host = host if settings.page_password.get_secret_value() else "127.0.0.1"

    def beside() -> dict[str, list[str]]:
        page = [sys.executable, "-m", "cli.main", "page", "--host", page_host, "--port", str(port_of_page)]
        sandbox = _sandbox(xportcn.base_url, port_of_callbacks) if wanted else {}
        return {"page": page} | _receiver(port_of_callbacks) | sandbox

    if host in ("0.0.0.0", "::") and not os.environ.get("PREFECT_UI_URL"):
        messages.print(f"Links lead to {host}: set PREFECT_UI_URL to where you open the UI, such as http://NAME:{port}")
    messages.print("Starting Prefect, the worker and the deployments …")
    with installation(
        host=host, port=port, postgres_url=postgres_url, redis_url=redis_url, helpers=helpers, beside=beside
    ) as place:
        page = f"http://{page_host}:{port_of_page}"
        _show(place, xportcn, page, time.monotonic() - began, port_of_callbacks=port_of_callbacks)
        watch(place, say=messages.print)
        messages.print("Ending … runs in progress go on at the next start.")
    messages.print("Ended.")


def show_page(host: str, port: int | None) -> None:
    """Show the page until SIGINT or SIGTERM, with links to the forms of a `sourcing serve` of the folder."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    settings = SourcingSettings()
    url = "http://" + (f"[{host}]" if ":" in host else host)
    if not (is_loopback(url) or settings.page_password.get_secret_value()):
        raise ServeFailed(
            f"{host} can be reached from elsewhere, and the page shows every order and takes files that are bought: "
            "set SOURCING_PAGE_PASSWORD, or leave --host out"
        )
    wished = settings.page_port if port is None else port
    forms = running_server(settings.data_dir) if is_served(server_folder(settings.data_dir)) else nullcontext()
    with forms, listening(host, wished, "the page", "SOURCING_PAGE_PORT") as listener:
        address = f"{url}:{listener.getsockname()[1]}"
        console.print(f"The page is at {address}; Ctrl-C ends it.")
        if api := os.environ.get("PREFECT_API_URL", ""):
            _await_server(api, listener)
        from deployments.page.app import app_of  # it loads Prefect, which takes seconds: its server goes first

        if api:
            threading.Thread(target=_show_beginning, args=[api, address], daemon=True).start()
        run_app(app_of(settings, {host}, utc_now), listener)


def _await_server(api: str, *callers: socket.socket) -> None:
    """Wait for a server that is just starting, or for the first caller: the page has answers without it."""
    for _ in range(SERVER_WITHIN_S):
        if is_healthy(api) or select(callers, (), (), 1)[0]:
            return


def _show_beginning(api: str, address: str) -> None:
    from flows.prefect_ui.expected_errors import best_effort
    from flows.prefect_ui.todo_artifact import show_beginning

    _await_server(api)
    asyncio.run(best_effort("the page's address", show_beginning(address), without_run=True))


def free_port(wished: int, setting: str, *, or_any: bool) -> int:
    """The port that is set; where it is taken, any that is free, or an error that names the setting."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wished))
        except OSError:
            if not or_any:
                check_port("127.0.0.1", wished, setting)
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _receiver(port: int) -> dict[str, list[str]]:
    return {"callbacks": [sys.executable, "-m", "deployments.receiver", "--port", str(port)]}


def _sandbox(base_url: str, port_of_callbacks: int) -> dict[str, list[str]]:
    """The command that starts the sandbox; none when one answers there already."""
    if is_healthy(f"{base_url}/_sandbox"):
        return {}
    address = urlsplit(base_url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    check_port(host, port, "XPORTCN_BASE_URL, or add --no-sandbox")
    state = SourcingSettings().data_dir.absolute() / "sandbox.db"
    state.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "sandbox", "--host", host, "--port", str(port), "--state", str(state)]
    with CallbackStore(SourcingSettings().ledger_url, clock=utc_now) as store:
        token = new_token(store, SANDBOX)
    return {"sandbox": [*command, "--callbacks", f"http://127.0.0.1:{port_of_callbacks}/callbacks/{token}"]}


def _show(place: Installation, xportcn: XportcnSettings, page: str, seconds: float, *, port_of_callbacks: int) -> None:
    inbox = SourcingSettings().inbox
    inbox.mkdir(parents=True, exist_ok=True)
    table = Table(title=f"Ready after {seconds:.0f} seconds", title_justify="left", show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("Begin here", page)
    table.add_row("Prefect UI", place.ui)
    is_here = any(part.name == "sandbox" for part in place.parts)
    whose = f" (the sandbox{', running here' if is_here else ', of another start: its books go on'})"
    table.add_row("Xportcn", xportcn.base_url + (whose if xportcn.is_sandbox else ""))
    table.add_row("Callbacks", f"http://127.0.0.1:{port_of_callbacks}/callbacks/…, see docs/callbacks.md")
    table.add_row("Data", str(place.data_dir.absolute()))
    if place.records:
        table.add_row("Prefect's records", place.records)
    table.add_row("Inbox", str(inbox))
    table.add_row("Logs", str(place.folder / "*.log"))
    table.add_row("Messages", _messages_go_to())
    console.print(table)
    console.print()
    console.print("What next", style="bold")
    console.print(f"  1. Open {page}: what is under way, what waits, files in and out, and links to every form.")
    console.print(f"  2. Open {place.ui}/deployments and choose buy-from-file, then Run, to plan a first batch.")
    console.print("  3. Put request files into the inbox; buy-from-inbox takes them at 02:00, or at Quick run.")
    console.print(
        "  4. In another terminal, in this folder, sourcing status shows every order; commands use this server."
    )
    console.print("Ctrl-C ends all of it.", style="dim")


def _messages_go_to() -> str:
    settings = SourcingSettings()
    if words := replaced_setting(settings):
        return words
    names = ", ".join(one.name for one in recipients_of(settings.notify))
    return f"sent to {names}; try it: sourcing notify --test" if names else f"{NO_RECIPIENTS}; then start again"
