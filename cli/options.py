"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout and nothing else there.")]
ChunkSize = Annotated[int | None, typer.Option(min=1, max=1000, help="Orders per task run.")]
Concurrency = Annotated[int | None, typer.Option(min=1, max=200, help="Calls to the service at once.")]
