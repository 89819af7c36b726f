"""`python -m tests.reasons_page` writes docs/reasons.md: each reason with its words and
the function that gives it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from domain.reason_codes import ReasonCode
from domain.wording import ReasonKind

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reasons.md"
PRODUCT = ("cli", "connectors", "deployments", "domain", "flows", "tasks")
HEAD = """# Reasons

Written by `make reference` from [`domain/reason_codes.py`](../domain/reason_codes.py). An order that is held, refused,
unknown or postponed has a reason: a code, with facts (amounts, ids, the service's words). So have runs that fail,
parcels and undelivered messages. `sourcing status --reason CODE` lists the orders of one; snapshots, events
and `--json` have it as `reason_code`.

In a sentence, facts stand in braces; a part in brackets is there when its facts are. Where two reasons meet, that of
the later section stands, but for *Other*, which orders don't have.
"""


def page() -> str:
    """The page, in Markdown."""
    locations = given_by()
    pieces = [HEAD]
    for kind in ReasonKind:
        pieces += [
            f"## {kind.name.title()}\n",
            "| code | sentence | what to do | given by |",
        ]
        pieces += ["|---|---|---|---|"]
        pieces += [
            _row(code, locations.get(code, []))
            for code in ReasonCode
            if code.words.kind is kind
        ]
        pieces.append("")
    return "\n".join(pieces)


def _row(code: ReasonCode, locations: list[str]) -> str:
    wording = code.words
    sentence = wording.sentence.replace("{remedy}", wording.remedy).replace("|", "\\|")
    named = ", ".join(f"`sourcing {text}`" for text in wording.command.split())
    command = f" ({named})" if named else ""
    by = ", ".join(f"`{location}`" for location in locations)
    return f"| `{code}` | {sentence} | {wording.remedy}{command} | {by} |"


def given_by() -> dict[ReasonCode, list[str]]:
    """The functions, or names of a module, where each code is made a reason:
    `domain/holds.py: _over`.
    """
    findings = defaultdict[ReasonCode, list[str]](list)
    for folder in PRODUCT:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "ReasonCode" in (source := file.read_text()):
                for name, code in _made_in(ast.parse(source)):
                    findings[code].append(f"{file.relative_to(ROOT)}: {name}")
    return findings


def _made_in(module: ast.Module) -> Iterator[tuple[str, ReasonCode]]:
    for scope in _scopes(module):
        for node in ast.walk(scope):
            if built := _made(node):
                yield from (
                    (_name(scope), code)
                    for code in ReasonCode
                    if f"ReasonCode.{code.name}" in built
                )


def _scopes(module: ast.Module) -> Iterator[ast.stmt]:
    """Functions, methods apart, and the assignments of the module."""
    for statement in module.body:
        yield from (
            statement.body if isinstance(statement, ast.ClassDef) else [statement]
        )


def _name(scope: ast.stmt) -> str:
    if isinstance(scope, ast.Assign):
        return ", ".join(ast.unparse(target) for target in scope.targets)
    return (
        getattr(scope, "name", "") or ast.unparse(getattr(scope, "target", scope))[:40]
    )


def _made(node: ast.AST) -> set[str]:
    """The codes that `because` takes here, or that a choice or a table holds for it."""
    pieces: list[ast.expr] = []
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "because"
    ):
        pieces = [node.args[0]]
    elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(
        node.value, ast.IfExp
    ):
        pieces = [node.value]
    elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(
        node.value, ast.Dict
    ):
        pieces = node.value.values  # a key only asks for words about a code
    return {
        ast.unparse(item)
        for piece in pieces
        for item in ast.walk(piece)
        if isinstance(item, ast.Attribute)
    }


if __name__ == "__main__":
    PAGE.write_text(page())
