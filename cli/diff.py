"""`sourcing diff`: what changed in a table of the snapshots between two moments."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cli.diff_sections import sections
from cli.failures import BadUsage
from cli.terminal import console, print_json
from cli.times import clock_time, zone
from connectors.snapshots import TABLES, Snapshots
from connectors.snapshots.rows import records
from domain.wording import counted

if TYPE_CHECKING:
    import pandas as pd

AGO = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def show_diff(table: str, *, since: str, until: str, as_json: bool) -> int:
    """Print what changed as tables, or as one JSON document; answers the exit code. No personal value is shown."""
    if table not in TABLES:
        raise BadUsage(f"there is no table {table}; there are {', '.join(TABLES)}")
    now = datetime.now(UTC)
    begin, end = moment_of(since, now), moment_of(until, now) if until else now
    personal = {name for name, column in TABLES[table].columns.items() if column.personal}
    changes = Snapshots().changes(table, begin, end)
    changes = changes[[name for name in changes if str(name).removeprefix("was_") not in personal]]
    if as_json:
        print_json(document(table, begin, end, changes))
        return 0
    counts = counted(changes["change"]) or "nothing changed"
    console.print(
        f"{table}, from {_columns_shown(begin)} to {_columns_shown(end)} ({zone()}): {counts}", soft_wrap=True
    )
    for section in sections(TABLES[table], changes):
        section.show()
    return 0


def moment_of(text: str, now: datetime) -> datetime | str:
    """The moment that an option means, times in the merchant's zone; what is no time is the id of a snapshot."""
    if ago := re.fullmatch(r"(\d{1,4})([hdw])", text):
        return now - int(ago[1]) * AGO[ago[2]]
    here = now.astimezone(ZoneInfo(zone()))
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        last = datetime.fromisoformat(f"{here:%Y-%m-%d} {text}").replace(tzinfo=here.tzinfo)
        return last if last <= here else last - timedelta(days=1)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo else moment.replace(tzinfo=here.tzinfo)


def document(table: str, since: datetime | str, until: datetime | str, changes: pd.DataFrame) -> dict[str, object]:
    """For programs: times in ISO 8601 and UTC; of each change its key, the row now, and the values before."""
    key = TABLES[table].key
    facts = [
        name for name in TABLES[table].columns if name in changes and name not in (*key, "snapshot_id", "snapshot_at")
    ]
    return {
        "table": table,
        "since": _plain(since),
        "until": _plain(until),
        "counts": {str(kind): int(count) for kind, count in changes["change"].value_counts().items()},
        "changes": [
            {
                "change": row["change"],
                "key": {name: row[name] for name in key},
                "columns": row["columns"],
                "now": {name: _plain(row[name]) for name in facts},
                "was": {name: _plain(row[f"was_{name}"]) for name in row["columns"] if name in facts},
                "snapshot_id": row["snapshot_id"],
            }
            for row in records(changes)
        ],
    }


def _plain(value: object) -> object:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _columns_shown(moment: datetime | str) -> str:
    return clock_time(moment) if isinstance(moment, datetime) else f"snapshot {moment}"
