"""The size of the product in tokens may only fall: `python -m tests.product_size`.

Tokens are names, operators, numbers and strings. Comments, docstrings and line ends are
none, so formatting changes nothing. `[tool.product_size]` in `pyproject.toml` has the
number that may not be exceeded; a commit that takes something out lowers it, which
`--lower` does. A folder named in `beside`, with the issue that redesigns it, is left
out while the new stands beside the old.
"""

from __future__ import annotations

import ast
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = ROOT / "pyproject.toml"
FOLDERS = ("cli", "connectors", "deployments", "domain", "flows", "sourcing", "tasks")
COUNTED = {tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING}


def main() -> int:
    """Compare the product with its bound. Return 1 where it is larger."""
    rule = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["product_size"]
    beside = [ROOT / folder for folder in rule["beside"]]
    tokens = sum(tokens_in(path) for path in product_files(beside))
    if tokens > rule["tokens"]:
        print(f"The product has {tokens:,} tokens, {rule['tokens']:,} are allowed.")
        print("Take something out, or say in the commit why the bound is raised.")
        return 1
    if "--lower" in sys.argv:
        text = PROJECT.read_text(encoding="utf-8")
        PROJECT.write_text(re.sub(r"(?m)^tokens = \d+", f"tokens = {tokens}", text))
    print(f"The product has {tokens:,} tokens.")
    return 0


def product_files(beside: list[Path]) -> Iterator[Path]:
    """The modules of the product but for folders of a redesign."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not any(path.is_relative_to(left_out) for left_out in beside):
                yield path


def tokens_in(path: Path) -> int:
    """The number of tokens of a module, without its docstrings."""
    documentation: set[int] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                documentation |= {*range(node.lineno, (node.end_lineno or 0) + 1)}
    with path.open("rb") as file:
        return sum(
            token.type in COUNTED and token.start[0] not in documentation
            for token in tokenize.tokenize(file.readline)
        )


if __name__ == "__main__":
    sys.exit(main())
