"""Names are the field's words: identifiers that were retired do not come back, private
words leave the prose.

A file is parsed only where its text has such a word, so the whole takes about a second.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.running import ROOT

PRODUCT = (
    "cli",
    "connectors",
    "deployments",
    "domain",
    "flows",
    "sandbox",
    "sourcing",
    "tasks",
)
CODE = (*PRODUCT, "benchmarks", "examples", "tests")

RETIRED = {
    "Desk": "GroupCommit",
    "desk": "group_commit",
    "Ground": "LedgerGuard",
    "GroundLost": "LedgerReplaced",
    "_on_firm_ground": "_explaining_replaced",
    "require_places": "require_files",
    "as_lost": "as_replaced",
    "Memory": "RunJournal",
    "last_loss": "last_replaced",
    "Places": "Slots",
    "Found": "PartialResults",
    "ask_each": "gather_missing",
    "ask_arriving": "gather_queued",
    "to_its_end": "wait_all_shielded",
    "each_to_its_end": "wait_all_shielded",
    "all_to_their_end": "wait_all_shielded",
    "unless": "run_or_cancel",
    "told_with": "answered_with",
    "told_chunks": "chunks_with_progress",
    "tell_of_waiting": "notify_listeners",
    "hearing": "listening",
    "HeardReport": "CallbackReport",
    "rests_on_a_look": "rests_on_a_reading",
    "look_at_unpaid": "read_unpaid",
    "NextLook": "FollowUp",
    "look_again": "schedule_follow_up",
    "second_look": "follow_up",
    "leftovers": "unfinished",
    "with_looks": "with_follow_ups",
    "GateNews": "BreakerNews",
    "gate_of": "breaker_of",
    "attend": "register",
    "desert": "unregister",
    "unfeed": "at_rate",
    "Lessor": "RateServer",
    "lessor": "server",
    "Taker": "RateClient",
    "Facts": "OrderUpdate",
    "order_facts": "order_update",
    "Moving": "OrderMover",
    "STANDING": "LOCKED_ORDERS",
    "Spent": "CommittedTotals",
    "naming": "id_conflicts",
    "Names": "IdOwners",
    "NAMING_LOCK": "ID_OWNERS_LOCK",
    "show_life": "hold",
    "call_the_roll": "resync_heartbeats",
    "lost_runs": "run_recovery",
    "AsksAgain": "RetryWhenBusy",
    "asks_again": "retry_when_busy",
    "empty_records": "database_template",
    "standstill": "alerts",
    "run_news": "alerts",
    "ends_plainly": "sourcing_flow",
    "expected_failures": "expected_errors",
    "speak_plainly": "hide_tracebacks",
    "NotOurs": "ForeignOrder",
    "strangers": "foreign",
    "Foreseen": "DryRunRow",
    "foreseen": "dry_run_of",
    "show_foreseen": "show_dry_run",
    "KeptPlans": "StoredPlans",
    "kept_plans": "stored_plans",
    "kept_matches": "stored_matches",
    "harmless": "read_only",
    "opaque": "quote",
    "RetryingTask": "Task",
    "hide_from_prefect": "quote",
    "number_of": "pluralize",
    "untold": "unlisted, unmentioned, unsent",
    "nowhere": "ignore",
    "Till": "PaymentBatcher",
    "slices": "chunked",
    "LARGE_SLICE": "LARGE_CHUNK",
    "Traces": "Mentions",
    "courier": "apprise_sender",
    "untell": "withdraw",
    "Arrivals": "OrderQueue",
    "Together": "Batcher",
    "come": "put",
}
"""Identifiers that mean something else to an engineer of this field, or nothing, and
what is used instead.
"""

LATER = {
    "Offering": "all parts of a marketplace, in 57 files",
}
"""Identifiers of what is rebuilt, and as what: they go with the old parts, and then
from this list.
"""

COMMON = (
    "told",
    "tell",
    "tells",
    "telling",
    "untell",
    "heard",
    "hear",
    "hears",
    "said",
    "look",
    "looks",
    "looked",
)
"""Words with too many meanings to name anything a second file reads: a class, function,
parameter, field or module.
"""

NAMED_SO = {
    "NO_PRICE_TOLD": "a code that ledgers keep",
    "SAID_PAID": "a code that ledgers keep",
    "SAID_BOOKED": "a code that ledgers keep",
    "SAID_NOT_BOOKED": "a code that ledgers keep",
    "NOT_LOOKED_UP": "a code that ledgers keep",
    "hear_callbacks": "the deployment of this name",
    "next_look": "a key of the report",
    "said_by": "a parameter of deployments",
    "look_up": "to look something up is plain English",
    "to_look_up": "to look something up is plain English",
    "_still_to_look_up": "to look something up is plain English",
    "_looked_up": "to look something up is plain English",
    "not_looked_up": "to look something up is plain English",
    "MOST_LOOKED_UP": "to look something up is plain English",
    "looked_for_by": "to look for something is plain English",
}

TEXT = re.compile(r'"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*')
WORD = re.compile(r"[A-Za-z_]\w*")
A_NAME = re.compile(
    r"(?:def|class) (\w+)|self\.(\w+)(?:: [^=\n]+)? =|[(,] ?\*{0,2}(\w+):|^ *(\w+): |^(\w+) =",
    re.MULTILINE,
)
"""Where a name may be defined. Whether it is says the syntax tree."""


@cache
def code_of(folder: str) -> dict[str, str]:
    """The files of a folder without texts and comments."""
    files = {
        str(file.relative_to(ROOT)): file
        for file in sorted((ROOT / folder).rglob("*.py"))
    }
    return {
        name: TEXT.sub("", file.read_text())
        for name, file in files.items()
        if file != Path(__file__)
    }


@cache
def words_of(folder: str) -> dict[str, frozenset[str]]:
    return {
        name: frozenset(WORD.findall(code)) | {Path(name).stem}
        for name, code in code_of(folder).items()
    }


def having(names: Collection[str], *folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Files in which one of these may be an identifier."""
    for folder in folders:
        for name, text in words_of(folder).items():
            if not text.isdisjoint(names):
                yield name, ast.parse((ROOT / name).read_text())


def identifiers(tree: ast.Module) -> Iterator[str]:
    """Every name that is defined or used, of variables, attributes, parameters,
    functions, classes and modules.
    """
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            if isinstance(name := getattr(node, field, None), str):
                yield from name.split(".")


def defined(tree: ast.Module) -> Iterator[str]:
    """What another file may name: classes, functions, parameters, fields and names of a
    module.
    """
    for node in ast.walk(tree):
        match node:
            case (
                ast.ClassDef(name=name)
                | ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
            ):
                yield name
            case ast.arg(arg=name) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
        if isinstance(node, ast.ClassDef | ast.Module):
            yield from (
                target.id
                for line in node.body
                for target in (
                    line.targets
                    if isinstance(line, ast.Assign)
                    else [getattr(line, "target", None)]
                )
                if isinstance(target, ast.Name)
            )


def test_no_retired_identifier_is_left() -> None:
    findings = {
        f"{file}: {name}, say {RETIRED[name]}"
        for file, tree in having(RETIRED.keys(), *CODE)
        for name in {*identifiers(tree), *Path(file).parts, Path(file).stem}
        & RETIRED.keys()
    }
    assert sorted(findings) == []


def test_a_common_word_names_nothing_that_another_file_reads() -> None:
    common = re.compile(rf"(?:^|_)(?:{'|'.join(COMMON)})(?:_|$)", re.IGNORECASE)

    def is_common(name: str) -> bool:
        return bool(common.search(name)) and name not in NAMED_SO

    findings = {
        f"{file}: {name}"
        for folder in PRODUCT
        for file, code in code_of(folder).items()
        if any(is_common(name) for names in A_NAME.findall(code) for name in names)
        for name in defined(ast.parse((ROOT / file).read_text()))
        if is_common(name)
    }
    findings |= {
        file
        for folder in PRODUCT
        for file in code_of(folder)
        if is_common(Path(file).stem)
    }
    assert sorted(findings) == []


@pytest.mark.parametrize("name", LATER)
def test_what_is_left_for_later_is_still_there(name: str) -> None:
    """Once it is gone it is a retired identifier: move it."""
    assert any(
        name in {*identifiers(tree), Path(file).stem}
        for file, tree in having({name}, *PRODUCT)
    )


PRIVATE = (
    *(
        "desk",
        "post office",
        "courier",
        "addressee",
        "firm ground",
        "leftovers",
        "second look",
        "stranger",
        "the roll",
    ),
    *(
        "lessor",
        "taker",
        "deed",
        "foreseen",
        "unborn",
        "crew",
        "till",
        "ceiling",
        "struck",
        "strike",
        "whoever",
    ),
    *("nobody", "somebody", "told", "hears", "heard"),
)
"""Twenty-five words of a dialect of our own: the field has one for each."""
DOCSTRING = re.compile(r'^ *r?"""([\s\S]*?)"""', re.MULTILINE)
GENERATED = {"data-dictionary.md", "reference.md", "reasons.md"}


@cache
def prose() -> dict[str, str]:
    """The docstrings of the product's files, and the pages that people write;
    CONTRIBUTING names words to avoid.
    """
    pages = [
        ROOT / "README.md",
        *(page for page in (ROOT / "docs").glob("*.md") if page.name not in GENERATED),
    ]
    files = [file for folder in PRODUCT for file in (ROOT / folder).rglob("*.py")]
    texts = {file: "\n".join(DOCSTRING.findall(file.read_text())) for file in files}
    return {
        str(file.relative_to(ROOT)): text
        for file, text in [
            *texts.items(),
            *((page, page.read_text()) for page in pages),
        ]
    }


@pytest.mark.parametrize("word", PRIVATE)
def test_a_private_word_is_in_no_docstring_and_on_no_page(word: str) -> None:
    pattern = re.compile(rf"\b{word}s?\b", re.IGNORECASE)
    assert [name for name, text in prose().items() if pattern.search(text)] == []


PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
PRINTED = re.compile(
    r"\b(?:look(?:s|ed)? at|needs? a look|nobody|somebody|hears? of|heard of)\b",
    re.IGNORECASE,
)


def printed(tree: ast.Module) -> Iterator[str]:
    """The texts of a module but its docstrings."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docs
        ):
            yield node.value


def test_a_private_word_is_in_no_text_that_is_printed() -> None:
    files = {
        file
        for folder in PRODUCT
        for file in (ROOT / folder).rglob("*.py")
        if folder != "sandbox"
    }
    texts = {
        str(file.relative_to(ROOT)): text
        for file in files
        if PRINTED.search(text := file.read_text())
    }
    findings = {
        (name, text)
        for name, source in texts.items()
        for text in printed(ast.parse(source))
        if " " in text and PRINTED.search(text)
    }
    findings |= {
        (page.name, line)
        for page in PAGES
        for line in PRINTED.findall(page.read_text())
    }
    assert sorted(findings) == []
