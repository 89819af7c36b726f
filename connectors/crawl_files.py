"""The progress of a catalogue crawl in files: a page or part that exists is finished,
whatever crashes.

`<root>/crawls/<name>/` has one unfinished crawl, `<root>/seen/` the items that finished
crawls saw of each source.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from pyarrow import parquet

from connectors.durable import put, whole
from domain.catalogue import ListedPage, Listing, Way
from domain.marketplace import Marketplace

TOO_OLD = timedelta(hours=24)

Item = tuple[Marketplace, str]


class CrawlBusy(Exception):
    """Another run works on this crawl; the message has the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The items that a finished crawl saw of a source, those of them that it could not
    fetch, and its begin (UTC).
    """

    begun_at: datetime
    item_ids: tuple[str, ...]
    missed: tuple[str, ...]


class CrawlFiles:
    """The files of one crawl, for one process at a time."""

    def __init__(self, root: Path, name: str, now: datetime) -> None:
        self.name = name
        self._seen = root / "seen"
        self._folder = root / "crawls" / name
        started = _read(self._folder / "begun.json")
        if (
            started is not None
            and not timedelta()
            <= now - datetime.fromisoformat(started["at"])
            <= TOO_OLD
        ):
            started = None  # its first pages are out of date, or a clock was ahead
        if started is None:
            self._clear()
            _write(self._folder / "begun.json", {"at": now.isoformat()})
        self.is_resumed = started is not None
        self.begun_at = datetime.fromisoformat(started["at"]) if started else now

    @classmethod
    @contextmanager
    def open(cls, root: Path, name: str, now: datetime) -> Iterator[Self]:
        """Go on with the crawl of this name, or begin it.

        Raises `CrawlBusy` while another run works on it.
        """
        (root / "crawls").mkdir(parents=True, exist_ok=True)
        with (root / "crawls" / f"{name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CrawlBusy(
                    "another run is making this very crawl; wait for it, or end it and run again"
                ) from error
            yield cls(root, name, now)

    @property
    def snapshot_id(self) -> str:
        """The id of this crawl's snapshot: stable when the crawl goes on, and different
        for each crawl.
        """
        return f"catalog-{self.begun_at:%Y%m%dT%H%M%S%f}-{self.name}"

    @property
    def work(self) -> Path:
        """A folder for temporary files of the finish."""
        path = self._folder / "work"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def sources(self) -> list[Listing] | None:
        """The sources of the crawl; None until they are settled."""
        kept = _read(self._folder / "sources.json")
        return None if kept is None else [_source(one) for one in kept]

    def keep_sources(self, sources: Sequence[Listing]) -> None:
        _write(
            self._folder / "sources.json",
            [[one.marketplace, one.way, one.key] for one in sources],
        )

    def pages(self, source: Listing, turn: int) -> dict[int, ListedPage]:
        """The finished pages of a source by number; `turn` counts how often the source
        is listed.
        """
        pages = {}
        for path in self._pages(source, turn).glob("[0-9]*.json"):
            kept = _read(path)
            pages[int(path.stem)] = ListedPage(
                total=kept["total"], item_ids=tuple(kept["items"])
            )
        return pages

    def keep_page(
        self, source: Listing, turn: int, number: int, page: ListedPage
    ) -> None:
        _write(
            self._pages(source, turn) / f"{number:06}.json",
            {"total": page.total, "items": page.item_ids},
        )

    def items(self) -> list[list[Item]] | None:
        """The items to fetch, part by part; None until they are settled."""
        kept = _read(self._folder / "items.json")
        return (
            None
            if kept is None
            else [
                [(Marketplace(place), item_id) for place, item_id in part]
                for part in kept
            ]
        )

    def keep_items(self, parts: Sequence[Sequence[Item]]) -> None:
        _write(self._folder / "items.json", parts)

    def has_part(self, number: int) -> bool:
        return self._part(number).exists()

    def keep_part(self, number: int, table: pa.Table) -> None:
        """Write a part's offers, which finishes the part."""
        with whole(self._part(number)) as unfinished:
            parquet.write_table(table, unfinished, compression="zstd")

    def part_files(self) -> list[Path]:
        return sorted((self._folder / "parts").glob("*.parquet"))

    def fetched_items(self) -> set[Item]:
        """The items of finished parts, with those that no longer exist."""
        items: set[Item] = set()
        for path in self.part_files():
            columns = parquet.read_table(
                path, columns=["marketplace", "item_id"]
            ).to_pydict()
            items.update(
                zip(
                    map(Marketplace, columns["marketplace"]),
                    columns["item_id"],
                    strict=True,
                )
            )
        return items

    def seen(self, source: Listing) -> Seen | None:
        """What the last finished crawl saw of a source; None for a new source."""
        kept = _read(self._seen / f"{source.name}.json")
        if kept is None:
            return None
        ids, missed = (tuple(kept.get(name, ())) for name in ("items", "missed"))
        return Seen(
            begun_at=datetime.fromisoformat(kept["begun_at"]),
            item_ids=ids,
            missed=missed,
        )

    def finish(
        self, seen: Mapping[Listing, Sequence[str]], missed: Collection[Item] = ()
    ) -> None:
        """Store what was seen of each source, and what of it was missed, and delete the
        other files.
        """
        for source, item_ids in seen.items():
            fields = {
                "source": str(source),
                "begun_at": self.begun_at.isoformat(),
                "items": list(item_ids),
            }
            lacking = [one for one in item_ids if (source.marketplace, one) in missed]
            _write(self._seen / f"{source.name}.json", {**fields, "missed": lacking})
        self._clear()

    def _clear(self) -> None:
        (self._folder / "begun.json").unlink(
            missing_ok=True
        )  # first: without it nothing else counts
        shutil.rmtree(self._folder, ignore_errors=True)

    def _pages(self, source: Listing, turn: int) -> Path:
        return self._folder / "listed" / f"{source.name}-{turn}"

    def _part(self, number: int) -> Path:
        return self._folder / "parts" / f"{number:06}.parquet"


def _source(kept: Sequence[str]) -> Listing:
    marketplace, way, key = kept
    return Listing(marketplace=Marketplace(marketplace), way=Way(way), key=key)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None


def _write(path: Path, value: object) -> None:
    put(path, json.dumps(value, ensure_ascii=False).encode())
