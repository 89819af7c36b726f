"""`python -m tests.reference_page` writes docs/reference.md: commands, settings,
deployments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from cli.main import app
from connectors.settings import SourcingSettings, variable_of
from connectors.xportcn.settings import XportcnSettings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference.md"
DEPLOYMENTS = ROOT / "prefect.yaml"

HEAD = """# Reference

Written by `make reference` from the code: the words of commands are in [`cli/`](../cli), of fields that forms have too
in [`remedy_parameters.py`](../flows/prefect_ui/remedy_parameters.py), of settings in
[`connectors/settings.py`](../connectors/settings.py) and
[`connectors/xportcn/settings.py`](../connectors/xportcn/settings.py), of deployments in
[`prefect.yaml`](../prefect.yaml): change them there.

[Commands](#commands) · [Settings](#settings) · [Deployments](#deployments)

## Commands

`sourcing COMMAND --help` says the same. Exit codes: 0 all well; 1 could not run; 2 bad usage or file; 3 some orders are
held, refused, unknown or left for the next run, or something else needs a person; 130 interrupted. With `--json` a
command prints one document to stdout, and nothing else there.
"""
SETTINGS = """## Settings

From the environment, else from the file `.env` in the folder where a command or the worker starts. A value that can't
be is named, and nothing is begun; a secret one is not shown. Lists are written as JSON.
"""
FURTHER = """\
Beside them, `XPORTCN_CREDENTIALS_BLOCK` names the Prefect block with the account, when neither environment nor `.env`
has it (`default` in deployed runs), and `PREFECT_API_URL` your Prefect server (the variable, not a profile; without
it a small server of the data folder's own). A ledger belongs to one account: give the sandbox's orders and real ones
each their own `SOURCING_DATA_DIR`.
"""
DEPLOYED = """## Deployments

What the Prefect UI starts, by a schedule or by a form, whose fields say what belongs there. Times are those of
`SOURCING_TIMEZONE`.
"""


def page() -> str:
    """The page, in Markdown."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    pieces = [
        HEAD,
        *_commands(group, "sourcing"),
        SETTINGS,
        *_settings(),
        FURTHER,
        DEPLOYED,
        *_deployments(),
    ]
    return "\n".join(pieces)


def _commands(group: TyperGroup, called: str) -> Iterator[str]:
    for name, command in group.commands.items():
        assert isinstance(command, TyperCommand | TyperGroup)
        if isinstance(command, TyperCommand) or command.invoke_without_command:
            yield from _command(command, f"{called} {name}")
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{called} {name}")


def _command(command: TyperCommand | TyperGroup, called: str) -> Iterator[str]:
    arguments = [item for item in command.params if isinstance(item, TyperArgument)]
    options = [
        item
        for item in command.params
        if isinstance(item, TyperOption) and not item.hidden
    ]
    usage = " ".join(
        [called, *map(_argument, arguments), *(["[OPTIONS]"] if options else [])]
    )
    paragraphs = (command.help or "").split("\n\n")
    message = "\n\n".join(_one_line(paragraph) for paragraph in paragraphs)
    yield f"### {called}\n\n`{usage}`\n\n{message}\n"
    rows = [
        (_argument(argument), argument) for argument in arguments if argument.help
    ] + [(_option(option), option) for option in options]
    if rows:
        yield from _table(
            ("", ""),
            [
                (f"`{name}`", f"{item.help or ''}{_default(item)}")
                for name, item in rows
            ],
        )


def _argument(argument: TyperArgument) -> str:
    name = (argument.metavar or str(argument.name)).upper() + (
        "…" if argument.nargs == -1 else ""
    )
    return name if argument.required else f"[{name}]"


def _option(option: TyperOption) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return (
        names
        if option.is_flag
        else f"{names} {option.metavar or _choices(option) or str(option.name).upper()}"
    )


def _choices(option: TyperOption) -> str:
    of = option.type_descriptor.annotation
    kinds = [
        kind
        for kind in (of, *get_args(of))
        if isinstance(kind, type) and issubclass(kind, Enum)
    ]
    return "|".join(str(choice.value) for kind in kinds for choice in kind)


def _default(parameter: TyperOption | TyperArgument) -> str:
    default = parameter.default
    is_none = (
        default is None or default is False or default in ("", []) or parameter.required
    )
    return "" if is_none else f" Else `{getattr(default, 'value', default)}`."


def _settings() -> Iterator[str]:
    for settings in (XportcnSettings, SourcingSettings):
        fields = [
            (
                f"`{variable_of(settings, name)}`",
                _preset(field),
                field.description or "",
            )
            for name, field in settings.model_fields.items()
        ]
        yield from _table(("variable", "default", ""), fields)


def _preset(field: FieldInfo) -> str:
    value = field.get_default()
    if value is None or isinstance(value, SecretStr) or value == "":
        return ""
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _deployments() -> Iterator[str]:
    listed: Sequence[Mapping[str, Any]] = yaml.safe_load(
        DEPLOYMENTS.read_text(encoding="utf-8")
    )["deployments"]
    rows = [
        (
            f"`{item['name']}`",
            _when(item),
            _in_short(item["description"]),
        )
        for item in listed
    ]
    yield from _table(("deployment", "when", "does"), rows)


def _in_short(description: str) -> str:
    """The description without the example that the deployment's page shows."""
    return _one_line(description.partition("\n\nAs text:")[0])


def _when(deployment: Mapping[str, Any]) -> str:
    crons = [
        f"`{item['cron']}`"
        for item in deployment["schedules"]
        if item.get("active", True)
    ]
    return ", ".join(crons) or "when started"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield "| " + " | ".join(heads) + " |\n|" + "---|" * len(tuple(heads))
    for row in rows:
        yield (
            "| "
            + " | ".join(_one_line(cell).replace("|", "\\|") for cell in row)
            + " |"
        )
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
