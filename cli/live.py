"""`sourcing doctor --live`: every call that changes nothing, compared with the
contract.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.text import Text

from cli.failures import BAD_USAGE, NEEDS_A_PERSON, say
from cli.terminal import console, messages, print_json, table_of
from connectors.marketplaces.seen_values import (
    SeenValue,
    Verdict,
    setting_lines,
    values_in,
)
from connectors.units import parse_units
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.live_check.comparing import Difference
from connectors.xportcn.live_check.examination import (
    WELL,
    Checked,
    Conformance,
    Examination,
    NeverAsked,
    NoRecording,
    replayed,
    save_sample,
)
from connectors.xportcn.operations import catalogue
from connectors.xportcn.operations.operation import Operation
from connectors.xportcn.overrides import load_overrides
from connectors.xportcn.settings import XportcnSettings

OVERRIDDEN = "(overridden)"


def list_endpoints(*, everything: bool, as_json: bool) -> int:
    """Print the operations that have a number in the manual, or all, as they are
    called; answers the exit code.
    """
    file = XportcnSettings().overrides
    overrides = load_overrides(file)
    listed = [
        operation
        for operation in catalogue()
        if everything or operation.nav is not None
    ]
    entries = [_operation_entry(overrides[operation].operation) for operation in listed]
    if as_json:
        print_json(entries)
        return 0
    for operation, entry in zip(listed, entries, strict=True):
        if operation in overrides:
            entry["provenance"] = f"{operation.provenance} {OVERRIDDEN}"
    console.print(
        table_of(
            entries[0],
            (
                ["" if value is None else str(value) for value in entry.values()]
                for entry in entries
            ),
        )
    )
    if any(operation in overrides for operation in listed):
        console.print(
            f"{OVERRIDDEN} by {file}; how well a path is known is said of the contract's",
            highlight=False,
        )
    return 0


def _operation_entry(operation: Operation) -> dict[str, object]:
    return _named(operation) | {
        "provenance": str(operation.provenance),
        "effect": operation.effect,
    }


def _named(operation: Operation) -> dict[str, object]:
    return {
        name: getattr(operation, name)
        for name in ("nav", "group", "title", "method", "path")
    }


VALUE_COLOURS = {Verdict.OPEN: "yellow", Verdict.CONTRADICTED: "red"}
COLOURS = {
    Conformance.MATCHES: "green",
    Conformance.READ: "green",
    Conformance.REFUSED: "yellow",
    Conformance.SKIPPED: "dim",
}


def examine_live(
    checks: list[dict[str, Any]],
    *,
    record: Path | None,
    write: Path | None,
    as_json: bool,
) -> int:
    """Ask, print the findings, record the answers, write settings that mend them; 0
    when nothing differs, else 3.
    """
    settings = XportcnSettings()
    findings = asyncio.run(_examined(settings))
    saved = _saved(findings, record, settings) if record else 0
    code = _report(findings, checks, write, settings, as_json=as_json)
    if record and not as_json:
        console.print(
            f"{saved} redacted answers in {record}", soft_wrap=True, highlight=False
        )
    return code


def replay_recorded(folder: Path, *, write: Path | None, as_json: bool) -> int:
    """Read recorded answers as a run would, without network, and print the findings; 0
    when all is read, else 3.
    """
    settings = XportcnSettings()
    try:
        findings = asyncio.run(_replayed(folder, settings))
    except NoRecording as error:
        say(str(error))
        return BAD_USAGE
    return _report(findings, [], write, settings, as_json=as_json)


async def _replayed(folder: Path, settings: XportcnSettings) -> list[Checked]:
    async with XportcnClient(settings) as client:
        return replayed(folder, client)


def _report(
    findings: Sequence[Checked],
    checks: list[dict[str, Any]],
    write: Path | None,
    settings: XportcnSettings,
    *,
    as_json: bool,
) -> int:
    values = values_in(findings, parse_units(settings.units))
    lines = setting_lines(values, settings.units)
    if as_json:
        operations = [_entry(checked) for checked in findings]
        shown = {
            "counts": _counts(findings),
            "operations": operations,
            "values": [asdict(value) for value in values],
        }
        print(json.dumps({"checks": checks, **shown}, ensure_ascii=False))
    else:
        _show(findings)
        _show_values(values, lines)
    if write and lines:
        is_line_open = write.exists() and not write.read_bytes().endswith(
            (b"\n", b"\r")
        )
        with write.open("a", encoding="utf-8") as file:
            file.writelines(
                ["\n" if is_line_open else "", *(f"{line}\n" for line in lines)]
            )
        own = ", ".join(
            name for line in lines if (name := line.partition("=")[0]) in os.environ
        )
        overruled = f"; {own} of the environment overrules it" if own else ""
        messages.print(
            f"{', '.join(lines)} added to {write}{overruled}",
            soft_wrap=True,
            highlight=False,
        )
    return (
        0
        if all(checked.verdict in WELL for checked in findings) and not lines
        else NEEDS_A_PERSON
    )


def _show_values(values: Sequence[SeenValue], lines: Sequence[str]) -> None:
    """Each value that is not proven, those that are in a count, and the settings that
    mend what is contradicted.
    """
    shown = [value for value in values if value.verdict is not Verdict.PROVEN]
    rows = (
        (
            value.about,
            value.place,
            Text(value.verdict, style=VALUE_COLOURS[value.verdict]),
            value.seen,
            _mended(value),
        )
        for value in shown
    )
    console.print(
        table_of(("values", "of", "verdict", "seen", "then"), rows, overflow="fold")
    )
    console.print(f"{len(values) - len(shown)} values proven", highlight=False)
    if lines:
        console.print(
            f"Settings that mend it (--write FILE adds them): {', '.join(lines)}",
            highlight=False,
        )


def _mended(value: SeenValue) -> str:
    return "=".join(value.setting) if value.setting else value.remedy


async def _examined(settings: XportcnSettings) -> list[Checked]:
    asked = 0

    def report(checked: Checked) -> None:
        nonlocal asked
        asked += checked.verdict is not Conformance.SKIPPED
        status.update(f"asked {asked} operations, last {checked.operation.name}")

    with messages.status("asking") as status:
        async with XportcnClient(settings) as client:
            return await Examination(client, on_checked=report).all()


def _saved(findings: Sequence[Checked], folder: Path, settings: XportcnSettings) -> int:
    secrets = (
        settings.access_key,
        settings.access_secret.get_secret_value(),
        settings.user_id,
    )
    return sum(
        save_sample(folder, checked, secrets=secrets) is not None
        for checked in findings
    )


def _counts(findings: Sequence[Checked]) -> dict[str, int]:
    return dict(Counter(str(checked.verdict) for checked in findings))


def _entry(checked: Checked) -> dict[str, Any]:
    comparison = checked.comparison
    return _named(checked.operation) | {
        "overridden": checked.overridden,
        "outcome": str(checked.verdict),
        "differences": [asdict(difference) for difference in comparison.differences],
        "extra": comparison.extra,
        "absent": comparison.absent,
        "empty": comparison.empty,
        "code": checked.code,
        "words": checked.words,
        "reason": checked.reason,
    }


def _show(findings: Sequence[Checked]) -> None:
    silent = [checked for checked in findings if isinstance(checked.reason, NeverAsked)]
    rows = (
        (
            "" if checked.operation.nav is None else str(checked.operation.nav),
            checked.operation.title,
            f"{checked.operation.method} {checked.operation.path}{' (overridden)' if checked.overridden else ''}",
            Text(checked.verdict, style=COLOURS.get(checked.verdict, "red")),
            Text("\n".join(_what(checked))),
        )
        for checked in findings
        if checked not in silent
    )
    console.print(
        table_of(("nav", "operation", "path", "outcome", "what"), rows, overflow="fold")
    )
    for why in NeverAsked:
        named = [_short(checked) for checked in silent if checked.reason is why]
        if named:
            console.print(f"not called, {why}: {', '.join(named)}", highlight=False)
    console.print(
        ", ".join(f"{count} {verdict}" for verdict, count in _counts(findings).items()),
        highlight=False,
    )
    if any(checked.verdict not in WELL for checked in findings):
        console.print(
            "What to do about what differs: docs/going-live.md, overrides",
            highlight=False,
        )


def _short(checked: Checked) -> str:
    return (
        checked.operation.title
        if checked.operation.nav is None
        else str(checked.operation.nav)
    )


def _what(checked: Checked) -> list[str]:
    comparison = checked.comparison
    lines = [_words(difference) for difference in comparison.differences]
    if checked.verdict is Conformance.REFUSED:
        lines.append(f"{checked.code} {checked.words}")
    if checked.verdict is Conformance.PATH_UNKNOWN:
        lines.append(f"{checked.code}; this path is {checked.operation.provenance}")
    if checked.reason:
        lines.append(checked.reason)
    if comparison.extra:
        lines.append(f"not read by us: {', '.join(comparison.extra)}")
    if comparison.absent:
        lines.append(f"optional, did not come: {', '.join(comparison.absent)}")
    if comparison.empty:
        lines.append(f"nothing to compare in {', '.join(comparison.empty)}")
    return lines


def _words(difference: Difference) -> str:
    expected = f", {difference.expected} expected" if difference.expected else ""
    got = f", got {difference.got}" if difference.got else ""
    return f"{difference.path}: {difference.problem}{expected}{got}"
