"""A file from an address: whole or not at all, from where it may come, and the address
is told to nobody.
"""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.fetched_files import fetch_stored, is_address
from connectors.request_files import UnreadableFile, fetching
from connectors.request_files.decoding import Unusable
from connectors.request_files.fetching import fetch, is_reachable, suffix_of
from connectors.settings import SourcingSettings
from tests.connectors.request_files.sheets import CSV, TOKEN, serving_sheets


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Addresses on this machine, which alone is let in beside public ones."""
    right = fetching.is_reachable
    monkeypatch.setattr(
        fetching,
        "is_reachable",
        lambda text, *, is_tls: text == "127.0.0.1" or right(text, is_tls=is_tls),
    )
    with serving_sheets() as address:
        yield address


def kept_in(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("path", ["sheet", "published", "chunked", "packed"])
async def test_a_sheet_is_fetched_however_it_is_given_away(
    sheets: Callable[[str], str], path: str
) -> None:
    fetched = await fetch(sheets(path))
    assert (fetched.content, fetched.suffix) == (CSV, ".csv")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("login", "answered a web page, such as a login, instead of a file: "),
        ("private", "answered 403: it wants a login"),
        ("nowhere", "answered 404: nothing is there any more"),
        ("cut", "broke off in the middle: try again"),
        ("unmeasured", "does not say how long the file is"),
        ("huge", "has 1,048,576 MiB; up to 32 MiB are possible"),
        ("bomb", "can't be read: the answer is larger than 2 MB"),
        ("endless", "can't be read: the answer is larger than 2 MB"),
        ("round", "was redirected more than 10 times"),
        ("metadata", "leads to 169.254.169.254, which is not public"),
        ("file", "is no https address"),
    ],
)
async def test_what_is_no_whole_file_is_refused_in_words(
    sheets: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    problem: str,
) -> None:
    """Nothing is kept of it, and no part of the address is in the error nor behind
    it.
    """
    monkeypatch.setattr(fetching, "MOST_BYTES", 2 << 20)
    settings = SourcingSettings(data_dir=tmp_path)
    with pytest.raises(UnreadableFile) as failure:
        await fetch_stored(sheets(path), settings, run_id="run-1")
    assert str(failure.value).startswith(f"the address of the file: {problem}")
    assert TOKEN not in "".join(traceback.format_exception(failure.value))
    assert kept_in(tmp_path) == {}


async def test_who_sends_in_drips_is_not_waited_for(
    sheets: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LONGEST_S", 0.2)
    with pytest.raises(Unusable, match="did not give the whole file within 0 seconds"):
        await fetch(sheets("drips"))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0x7f.1",
        "127.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_this_machine_and_network_are_left_alone_however_they_are_written(
    host: str, scheme: str
) -> None:
    with pytest.raises(Unusable, match="is not public"):
        await fetch(f"{scheme}://{host}:9/{TOKEN}")


@pytest.mark.parametrize("host", ["2130706433", "127.1"])
async def test_numbers_are_no_host(host: str) -> None:
    with pytest.raises(Unusable, match=r"is not public|can't be asked"):
        await fetch(f"http://{host}:9/")


async def test_the_address_that_is_connected_to_is_the_one_that_was_checked(
    sheets: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads here when it is asked first, and to a private network when it
    is asked again, is asked once a fetch.
    """
    answers = iter(["127.0.0.1", "10.1.2.3"])
    real = socket.getaddrinfo

    def rebound(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        is_ours = host == "rebound.example"
        return real(next(answers) if is_ours else host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    address = sheets("sheet").replace("127.0.0.1", "rebound.example")
    assert (await fetch(address)).content == CSV
    with pytest.raises(Unusable, match=r"leads to 10\.1\.2\.3"):
        await fetch(address)


async def test_an_address_that_does_not_answer_is_followed_by_the_next(
    sheets: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of a host's addresses is tried that may be connected to, and no other."""
    real = socket.getaddrinfo

    def several(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        hosts = ("10.1.2.3", "127.0.0.2", host)
        return [
            answer for host in hosts for answer in real(host, port, *args, **kwargs)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    assert (await fetch(sheets("sheet"))).content == CSV


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f::1", True),
        ("10.1.2.3", False),
        ("::ffff:10.1.2.3", False),
        ("10.2.0.1", False),
        ("192.168.0.1", False),
        ("172.16.0.1", False),
        ("100.100.100.200", False),  # metadata of a cloud, as are the next three
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("192.0.0.192", False),
        ("fd00:ec2::254", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("224.0.0.251", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b::5db8:d70e", True),
        ("2002:7f00:1::", False),
        ("3fff:123::1", False),
        ("2606:2800:21f::5efe:10.1.2.3", False),
        ("2606:2800:21f:1::5efe:169.254.169.254", False),
        ("2606:2800:21f:1:200:5efe:7f00:1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_only_public_addresses_are_reachable_and_by_tls_alone(
    address: str,
    is_public: bool,  # noqa: FBT001
) -> None:
    assert is_reachable(address, is_tls=True) is is_public
    assert not is_reachable(address, is_tls=False)


async def test_a_public_address_is_asked_by_https_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("93.184.215.14", 80))]
    )
    with pytest.raises(Unusable, match="must begin with https"):
        await fetch("http://public.example/")


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (b"\xef\xbb\xbf order_ref,item", ".csv"),
        ("order_ref".encode("utf-16"), ".csv"),
        (b' [{"order_ref"', ".json"),
        (b"PK\x03\x04", ".xlsx"),
        (b"PAR1", ".parquet"),
        (b"", ".csv"),
    ],
)
def test_what_kind_of_file_it_is_its_bytes_say(content: bytes, suffix: str) -> None:
    assert suffix_of(content) == suffix


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"%PDF-1.7", "a PDF"),
        (b"\xd0\xcf\x11\xe0", "a workbook with a password, or an old Excel file"),
    ],
)
def test_files_of_other_kinds_are_named(content: bytes, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        suffix_of(content)


async def test_a_run_goes_on_with_what_it_fetched_first(
    sheets: Callable[[str], str], tmp_path: Path
) -> None:
    """Also when the sheet is gone or changed by then; another run gets what is there
    now.
    """
    settings = SourcingSettings(data_dir=tmp_path)
    first = await fetch_stored(sheets("sheet"), settings, run_id="run-1")
    assert first.stat().st_mode & 0o777 == 0o600  # it names receivers
    assert first.read_bytes() == CSV
    assert (
        await fetch_stored(f" {sheets('nowhere')}\n", settings, run_id="run-1") == first
    )
    with serving_sheets(CSV + b"A-2,5\n") as changed:
        assert await fetch_stored(changed("sheet"), settings, run_id="run-1") == first
        assert await fetch_stored(changed("sheet"), settings, run_id="run-2") != first
    assert kept_in(tmp_path)["run-1"] == first.name.encode()
    assert not any(TOKEN.encode() in content for content in kept_in(tmp_path).values())


@pytest.mark.parametrize(
    ("file", "is_one"),
    [
        (" HTTPS://a.example/x\n", True),
        ("ftp://a/x.csv", True),
        ("/srv/a.csv", False),
        ("C:/a.csv", False),
    ],
)
def test_an_address_is_told_from_a_path(file: str, is_one: bool) -> None:  # noqa: FBT001
    assert is_address(file) is is_one
