"""`sourcing serve`: a whole installation on this machine."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from select import select
from typing import Annotated
from urllib.parse import urlsplit

import typer

from cli.failures import awaited, settings_now, utc_now
from cli.lazily import lazily

with lazily():
    from rich import table

    from cli import notify, terminal
    from connectors import apprise_sender, callbacks, settings
    from connectors.xportcn import settings as xportcn
    from deployments import bounded_http, local_server, serving, sweeping

SERVER_WITHIN_S = 60


def serve(
    *,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Where the Prefect UI is.")
    ] = 4200,
    host: Annotated[
        str,
        typer.Option(help="Another address needs a password; see docs/deploying.md."),
    ] = "127.0.0.1",
    no_sandbox: Annotated[
        bool,
        typer.Option("--no-sandbox", help="Start no sandbox, wherever the service is."),
    ] = False,
) -> None:
    """Run everything on this machine: Prefect server, worker, schedules, automations,
    and for a try-out the sandbox.
    """
    began = time.monotonic()
    if not (
        settings.is_loopback(f"http://{host}")
        or os.environ.get("PREFECT_SERVER_API_AUTH_STRING")
    ):
        raise local_server.ServerFailed(
            f"{host} can be reached from elsewhere, and who reaches Prefect can buy and read credentials: set "
            "PREFECT_SERVER_API_AUTH_STRING and PREFECT_API_AUTH_STRING to USER:PASSWORD in the environment (not in "
            ".env), or leave --host out"
        )
    sourcing_settings = settings_now()
    service = xportcn.XportcnSettings()
    starts_sandbox = service.is_sandbox and not no_sandbox
    port_of_callbacks = free_port(
        sourcing_settings.callbacks_port,
        "SOURCING_CALLBACKS_PORT",
        or_any=service.is_sandbox,
    )
    port_of_page = free_port(
        sourcing_settings.page_port, "SOURCING_PAGE_PORT", or_any=True
    )  # it is printed, and buys nothing
    page_host = (
        host if sourcing_settings.page_password.get_secret_value() else "127.0.0.1"
    )

    def beside() -> dict[str, list[str]]:
        command = [sys.executable, "-m", "cli.main"]
        page = [*command, "page", "--host", page_host, "--port", str(port_of_page)]
        receiver = [*command, "callbacks", "--port", str(port_of_callbacks)]
        sandbox = (
            _sandbox(service.base_url, port_of_callbacks) if starts_sandbox else {}
        )
        return {"page": page, "callbacks": receiver, **sandbox}

    if host in ("0.0.0.0", "::") and not os.environ.get("PREFECT_UI_URL"):
        terminal.messages.print(
            f"Links lead to {host}: set PREFECT_UI_URL to where you open the UI, such as http://NAME:{port}"
        )
    terminal.messages.print("Starting Prefect, the worker and the deployments …")
    with serving.installation(host=host, port=port, beside=beside) as installation:
        address = f"http://{page_host}:{port_of_page}"
        _show(
            installation,
            service,
            address,
            time.monotonic() - began,
            port_of_callbacks=port_of_callbacks,
        )
        sweeps = sweeping.SweepStarter(
            installation.environment["PREFECT_API_URL"], settings_now()
        )
        serving.watch(
            installation, say=terminal.messages.print, on_tick=sweeps.start_when_due
        )
        terminal.messages.print("Ending … runs in progress go on at the next start.")
    terminal.messages.print("Ended.")


def page(
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Instead of SOURCING_PAGE_PORT; 0 is any free one."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Another address needs SOURCING_PAGE_PASSWORD.")
    ] = "127.0.0.1",
) -> None:
    """Show orders, what waits, reports and downloads in the browser, and take request
    files. `serve` does it too.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    settings.enter_folder()
    sourcing_settings = settings_now()
    url = "http://" + (f"[{host}]" if ":" in host else host)
    if not (
        settings.is_loopback(url) or sourcing_settings.page_password.get_secret_value()
    ):
        raise local_server.ServerFailed(
            f"{host} can be reached from elsewhere, and the page shows every order and takes files that are bought: "
            "set SOURCING_PAGE_PASSWORD, or leave --host out"
        )
    wished = sourcing_settings.page_port if port is None else port
    with (
        local_server.running_server(sourcing_settings.data_dir),
        local_server.listening(
            host, wished, "--port or SOURCING_PAGE_PORT"
        ) as listener,
    ):
        address = f"{url}:{listener.getsockname()[1]}"
        terminal.console.print(f"The page is at {address}; Ctrl-C ends it.")
        if api := os.environ.get("PREFECT_API_URL", ""):
            _await_server(api, listener)
        from deployments.page.app import (
            app_of,
        )  # it loads Prefect, which takes seconds: its server goes first

        if api:
            threading.Thread(
                target=_show_beginning, args=[api, address], daemon=True
            ).start()
        bounded_http.run_app(app_of(sourcing_settings, {host}, utc_now), listener)


def _await_server(api: str, *callers: socket.socket) -> None:
    """Wait for a server that is just starting, or for the first caller: the page has
    answers without it.
    """
    for _ in range(SERVER_WITHIN_S):
        if local_server.is_healthy(api) or select(callers, (), (), 1)[0]:
            return


def _show_beginning(api: str, address: str) -> None:
    from flows.prefect_ui.expected_errors import best_effort
    from flows.prefect_ui.todo_artifact import show_beginning

    _await_server(api)
    awaited(
        best_effort("the page's address", show_beginning(address), without_run=True)
    )


def free_port(wished: int, setting: str, *, or_any: bool) -> int:
    """The port that is set; where it is taken, any that is free, or an error that names
    the setting.
    """
    try:
        return local_server.usable_port("127.0.0.1", wished, setting)
    except local_server.ServerFailed:
        if or_any:
            return local_server.usable_port("127.0.0.1", 0, setting)
        raise


def _sandbox(base_url: str, port_of_callbacks: int) -> dict[str, list[str]]:
    """The command that starts the sandbox; none when one answers there already."""
    if local_server.is_healthy(f"{base_url}/_sandbox"):
        return {}
    address = urlsplit(base_url)
    host = address.hostname or "127.0.0.1"
    port = address.port or 80
    local_server.usable_port(host, port, "XPORTCN_BASE_URL, or add --no-sandbox")
    state = settings_now().data_dir.absolute() / "sandbox.db"
    state.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "sandbox", "--host", host, "--port", str(port)]
    with callbacks.CallbackStore(settings_now().ledger_url, clock=utc_now) as store:
        token = store.new_token()
    messages = f"http://127.0.0.1:{port_of_callbacks}/callbacks/{token}"
    return {"sandbox": [*command, "--state", str(state), "--callbacks", messages]}


def _show(
    installation: serving.Installation,
    service: xportcn.XportcnSettings,
    page: str,
    seconds: float,
    *,
    port_of_callbacks: int,
) -> None:
    inbox = settings_now().inbox
    console = terminal.console
    inbox.mkdir(parents=True, exist_ok=True)
    is_here = any(part.name == "sandbox" for part in installation.parts)
    whose = f" (the sandbox{', running here' if is_here else ', of another start: its books go on'})"
    rows = {
        "Begin here": page,
        "Prefect UI": installation.ui,
        "Xportcn": service.base_url + (whose if service.is_sandbox else ""),
        "Callbacks": f"http://127.0.0.1:{port_of_callbacks}/callbacks/…, see docs/callbacks.md",
        "Data": str(installation.data_dir.absolute()),
        "Inbox": str(inbox),
        "Logs": str(installation.folder / "*.log"),
        "Messages": _messages_go_to(),
    }
    ready = table.Table(
        title=f"Ready after {seconds:.0f} seconds",
        title_justify="left",
        show_header=False,
        box=None,
    )
    ready.add_column(style="bold")
    ready.add_column(overflow="fold")
    for row in rows.items():
        ready.add_row(*row)
    console.print(ready)
    console.print()
    console.print("What next", style="bold")
    console.print(
        f"  1. Open {page}: what is under way, what waits, files in and out, and links to every form."
    )
    console.print(
        f"  2. Open {installation.ui}/deployments and choose buy-from-file, then Run, to plan a first batch."
    )
    console.print(
        "  3. Put request files into the inbox; buy-from-inbox takes them at 02:00, or at Quick run."
    )
    console.print(
        "  4. In another terminal, in this folder, sourcing status shows every order; commands use this server."
    )
    console.print("Ctrl-C ends all of it.", style="dim")


def _messages_go_to() -> str:
    settings = settings_now()
    names = ", ".join(
        recipient.name for recipient in apprise_sender.recipients_of(settings.notify)
    )
    return (
        f"sent to {names}; try it: sourcing notify --test"
        if names
        else f"{notify.NO_RECIPIENTS}; then start again"
    )
