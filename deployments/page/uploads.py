"""A file that is sent from a browser: read as a run reads it, and put into the inbox, to be asked about first."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.exceptions import HTTPException

from connectors.book_file import reading_by
from connectors.durable import whole
from connectors.inbox import ASKS, Folder, Inbox
from connectors.request_files import READERS, UnreadableFile, read_request_file
from connectors.request_files.decoding import MOST_BYTES
from connectors.settings import BadSetting, SourcingSettings
from domain.request_remarks import Fault, merged_remarks
from domain.wording import pluralize

MOST_SENT = MOST_BYTES + 4096  # with the lines of a form around a file
BOUNDARY = re.compile('multipart/form-data;.*boundary="?([^";,]+)', re.I)
FILE_NAME = re.compile(rb'filename="([^"]*)"', re.I)
LONGEST_STEM = 40  # of four bytes each: with what is put around them they fit into a file name
PLANNED = "The next night plans it, and asks you before anything is bought."


def sent_file(content_type: str, body: bytes) -> tuple[str, bytes]:
    """Name and content of the first file of a form. Raises `HTTPException`."""
    if mark := BOUNDARY.match(content_type):
        for part in (b"\r\n" + body).split(b"\r\n--" + mark[1].encode(), 3)[1:-1]:
            head, _, content = part.partition(b"\r\n\r\n")
            if (name := FILE_NAME.search(head)) and name[1]:
                return re.split(r"[/\\]", name[1].decode(errors="replace"))[-1], content
    raise HTTPException(400, "choose a file")


def take(settings: SourcingSettings, sent: str, content: bytes) -> tuple[str, Sequence[str], Sequence[Fault]]:
    """Put a sound file into the inbox, under a name that has it asked about; a faulty one nowhere.

    Answers a title, words and faults. One content under one name is taken once.
    """
    stem, suffix = re.sub(r"[^\w-]+", "-", Path(sent).stem)[:LONGEST_STEM].strip("-"), Path(sent).suffix.lower()
    if suffix not in READERS:
        return sent, (), [Fault(0, "", f"its name ends in none of {', '.join(READERS)}: save it as one of these")]
    name = f"{ASKS}{stem or 'requests'}-{hashlib.sha256(content).hexdigest()[:8]}{suffix}"
    with TemporaryDirectory() as folder:
        (read := Path(folder, name)).write_bytes(content)
        try:
            reading = asyncio.run(reading_by(settings))
            asked = read_request_file(read, encoding=settings.inbox_encoding, **reading)
        except (BadSetting, UnreadableFile) as error:
            return sent, (), [Fault(0, "", str(error).removeprefix(f"{read}: "))]
    if asked.faults:
        return f"{sent}: {pluralize(len(asked.faults), 'fault')}, and not taken", (), asked.faults
    root, title = Inbox(settings.inbox).root, f"{name}: {pluralize(len(asked.orders), 'order')}"
    for place in (Folder.WORKING, Folder.OPEN, Folder.DONE):
        if (root / place / name).exists():
            return f"{title}, not taken again", [f"The folder {place} of the inbox has it already."], ()
    with whole(root / name) as unfinished:
        unfinished.write_bytes(content)
    return f"{title}, in the inbox", [PLANNED, *merged_remarks(asked.warnings)], ()
