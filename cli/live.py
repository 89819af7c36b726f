"""`sourcing doctor --live`: every call that changes nothing, beside the contract."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.failures import NEEDS_A_PERSON
from cli.terminal import console, messages
from connectors.settings import XportcnSettings
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.comparing import Difference
from connectors.xportcn.live import NEVER_ASKED, WELL, Examination, Finding, Outcome
from connectors.xportcn.samples import save_sample

COLOURS = {Outcome.MATCHES: "green", Outcome.REFUSED: "yellow", Outcome.SKIPPED: "dim"}


def examine_live(checks: list[dict[str, Any]], *, samples: Path | None, as_json: bool) -> int:
    """Ask, print the findings, save samples; 0 when nothing differs, else 3."""
    settings = XportcnSettings()
    findings = asyncio.run(_examined(settings))
    saved = _saved(findings, samples, settings) if samples else 0
    if as_json:
        operations = [_entry(finding) for finding in findings]
        print(json.dumps({"checks": checks, "counts": _counts(findings), "operations": operations}, ensure_ascii=False))
    else:
        _show(findings)
        if samples:
            console.print(f"{saved} redacted samples in {samples}", soft_wrap=True, highlight=False)
    return 0 if all(finding.outcome in WELL for finding in findings) else NEEDS_A_PERSON


async def _examined(settings: XportcnSettings) -> list[Finding]:
    asked = 0

    def told(finding: Finding) -> None:
        nonlocal asked
        asked += finding.outcome is not Outcome.SKIPPED
        status.update(f"asked {asked} operations, last {finding.operation.name}")

    with messages.status("asking") as status:
        async with XportcnClient(settings) as client:
            return await Examination(client, on_finding=told).all()


def _saved(findings: Sequence[Finding], folder: Path, settings: XportcnSettings) -> int:
    secrets = (settings.access_key, settings.access_secret.get_secret_value(), settings.user_id)
    return sum(save_sample(folder, finding, secrets=secrets) is not None for finding in findings)


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    return dict(Counter(str(finding.outcome) for finding in findings))


def _entry(finding: Finding) -> dict[str, Any]:
    operation, comparison = finding.operation, finding.comparison
    return {
        "nav": operation.nav,
        "group": operation.group,
        "title": operation.title,
        "method": operation.method,
        "path": operation.path,
        "overridden": finding.overridden,
        "outcome": str(finding.outcome),
        "differences": [asdict(difference) for difference in comparison.differences],
        "extra": comparison.extra,
        "absent": comparison.absent,
        "empty": comparison.empty,
        "code": finding.code,
        "words": finding.words,
        "reason": finding.reason,
    }


def _show(findings: Sequence[Finding]) -> None:
    table = Table(header_style="bold")
    for name in ("nav", "operation", "path", "outcome", "what"):
        table.add_column(name, overflow="fold")
    silent = [finding for finding in findings if finding.reason in NEVER_ASKED]
    for finding in findings:
        operation = finding.operation
        if finding in silent:
            continue
        table.add_row(
            "" if operation.nav is None else str(operation.nav),
            operation.title,
            f"{operation.method} {operation.path}{' (overridden)' if finding.overridden else ''}",
            Text(finding.outcome, style=COLOURS.get(finding.outcome, "red")),
            Text("\n".join(_what(finding))),
        )
    console.print(table)
    for reason in NEVER_ASKED:
        named = [_short(finding) for finding in silent if finding.reason == reason]
        console.print(f"not called, {reason}: {', '.join(named)}", highlight=False)
    console.print(", ".join(f"{count} {outcome}" for outcome, count in _counts(findings).items()), highlight=False)
    if any(finding.outcome not in WELL for finding in findings):
        console.print("What to do about what differs: docs/going-live.md, overrides", highlight=False)


def _short(finding: Finding) -> str:
    return finding.operation.title if finding.operation.nav is None else str(finding.operation.nav)


def _what(finding: Finding) -> list[str]:
    comparison = finding.comparison
    lines = [_words(difference) for difference in comparison.differences]
    if finding.outcome is Outcome.REFUSED:
        lines.append(f"{finding.code} {finding.words}")
    if finding.outcome is Outcome.PATH_UNKNOWN:
        lines.append(f"{finding.code}; this path is {finding.operation.provenance}")
    if finding.reason:
        lines.append(finding.reason)
    if comparison.extra:
        lines.append(f"not read by us: {', '.join(comparison.extra)}")
    if comparison.absent:
        lines.append(f"optional, did not come: {', '.join(comparison.absent)}")
    if comparison.empty:
        lines.append(f"nothing to look at in {', '.join(comparison.empty)}")
    return lines


def _words(difference: Difference) -> str:
    expected = f", {difference.expected} expected" if difference.expected else ""
    got = f", got {difference.got}" if difference.got else ""
    return f"{difference.path}: {difference.problem}{expected}{got}"
