"""Test what people give to commands that read a file: any source, all of it or nothing, and one sentence if not."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import sqlite3
import subprocess
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.broker_login import read_config
from bridge.text import plural
from tests.bridge.office import Office, OfficeTill, at
from tests.support import facts
from tests.support.programs import TRIVOX

if TYPE_CHECKING:
    from collections.abc import Callable

SURVEYS = 200
BOM = b"\xef\xbb\xbf"
SHIFTS = "site_id,console_id,seller_id,seller_name,started_at,ended_at\ndemo,till-1,elena,Елена,2026-11-02,2026-11-03\n"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture(scope="module")
def recording() -> bytes:
    """Messages of 200 surveys."""
    till = OfficeTill()
    till.surveys(at("2026-11-03T09:00+00:00"), yes=SURVEYS)
    return "".join(json.dumps(message) + "\n" for message in till.messages()).encode()


def zipped(data: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("recorded.ndjson", data)
    return archive.getvalue()


def as_database(_: bytes) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE a (b)")
    connection.commit()
    return bytes(connection.serialize())


def in_code(name: str) -> Callable[[bytes], bytes]:
    return lambda data: data.decode().encode(name)


COMPRESSED = {
    "gunzip": gzip.compress,
    "bunzip2": bz2.compress,
    "unxz": lzma.compress,
    "unzstd": lambda _: b"\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00",
    "ZIP archive": zipped,
    "is a database": as_database,
    "UTF-16: save it as UTF-8": in_code("utf-16"),
    "`iconv -f UTF-16LE": in_code("utf-16-le"),
    "`iconv -f UTF-16BE": in_code("utf-16-be"),
    "UTF-32: save it as UTF-8": in_code("utf-32"),
    "`iconv -f UTF-32LE": in_code("utf-32-le"),
    "`iconv -f UTF-32BE": in_code("utf-32-be"),
    "is not text": lambda data: b"MZ\x90\0\3\0\0\0\4" + data,
}
"""The words for data in another form than UTF-8 text, and how to make it of text."""

NO_TABLES = {words: change for words, change in COMPRESSED.items() if words != "UTF-16: save it as UTF-8"}
"""The same for tables, which spreadsheets save in UTF-16 with a byte order mark, too."""


# -- certificates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"\x30\x82\x01\x0a", b"-----BEGIN PRIVATE KEY-----\nMC4=\n", b"till-1\n"])
@pytest.mark.parametrize("command", [("doctor",), ("bridge", "--metrics-port", "0")])
def test_what_is_no_certificate_is_named(office: Office, content: bytes, command: tuple[str, ...]) -> None:
    path = office.folder / "authority.crt"
    path.write_bytes(content)
    result = office.run(*command, "--broker", "mqtts://localhost:1", "--ca-file", path)
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert f"{path} holds no certificate in PEM" in result.err


# -- trivox ingest -----------------------------------------------------------------------------------------------------


def ingested(office: Office, data: bytes) -> str:
    """Ingest a file that must be refused, with nothing taken in; return the sentence."""
    path = office.folder / "recorded.ndjson"
    path.write_bytes(data)
    result = office.run("ingest", path)
    assert result.status == 1, result
    assert result.out == ""
    assert result.err.startswith(f"trivox: {path}")
    assert result.err.count("\n") == 1
    assert not office.database.exists(), "a database was made"
    return result.err


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda data: BOM + data, 13),
        (lambda data: data.replace(b"\n", b"\r\n"), 13),
        (lambda data: BOM + data.replace(b"\n", b"\r\n\r\n"), 13),
        (lambda data: b"\n  \n" + data, 13),
        (lambda data: BOM + data + BOM + data, 26),
        (lambda data: data.rstrip(b"\n"), 13),
    ],
    ids=["BOM", "CRLF", "BOM and CRLF", "blank lines", "files put together", "no line feed at the end"],
)
def test_text_that_windows_writes_is_read(
    office: Office, recording: bytes, change: Callable[[bytes], bytes], lines: int
) -> None:
    path = office.folder / "recorded.ndjson"
    path.write_bytes(change(recording))
    said = office.do("ingest", path)
    assert f"{lines} messages: {2 * SURVEYS} events stored" in said
    assert "0 messages could not be read" in said


@pytest.mark.parametrize("words", COMPRESSED)
def test_another_format_is_named(office: Office, recording: bytes, words: str) -> None:
    assert words in ingested(office, COMPRESSED[words](recording))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (BOM, "holds nothing but blank lines"),
        (b"\n\r\n  \n", "holds nothing but blank lines"),
        (b"# Trivox\n\nA console has three buttons.\n", "line 1 is none"),
        (b"\n\nsite_id,console_id\n", "line 3 is none"),
        (b"{}\n", "missing required field `topic`"),
        (b'{"topic":"a","payload":{}}\n', "missing required field `received_at_ms`"),
        (b'{"topic":7,"payload":{},"received_at_ms":1}\n', "line 1"),
        (b'{"topic":"a","payload":"\xe9t\xe9","received_at_ms":1}\n', "it is not UTF-8"),
        (b"[" * 100_000 + b"\n", "line 1"),
        (b'"' + b"x" * (9 << 20) + b'"\n', "longer than 8 MiB"),
    ],
)
def test_a_file_of_something_else_is_refused(office: Office, data: bytes, words: str) -> None:
    assert words in ingested(office, data)


def test_json_over_many_lines_is_refused_with_how_to_put_it_on_one(office: Office, recording: bytes) -> None:
    messages = [json.loads(line) for line in recording.splitlines()]
    for text in (json.dumps(messages), json.dumps(messages, indent=1), json.dumps(messages[0], indent=1)):
        assert "`jq -c .`" in ingested(office, text.encode())


@pytest.mark.parametrize("bad", [b"no message\n", b"{}\n", b'{"topic":"a","payl\n', b"\xff" * (9 << 20) + b"\n"])
def test_a_bad_line_is_named_and_kept_among_the_rejects(office: Office, recording: bytes, bad: bytes) -> None:
    lines = recording.splitlines(keepends=True)
    path = office.folder / "recorded.ndjson"
    path.write_bytes(b"".join([*lines[:9], b"\n", bad, *lines[9:]]))
    result = office.run("ingest", path)
    assert result.status == 0
    assert f"{2 * SURVEYS} events stored" in result.out
    assert "1 message could not be read" in result.out
    assert "1 line of it went among the rejects" in result.err
    assert "(line 11: " in result.err


@pytest.mark.parametrize(
    ("filler", "unreadable"), [(b"\n" * (5 << 20), 0), (b"\0" * (20 << 20) + b"\n", 1)], ids=["blank lines", "a hole"]
)
def test_a_long_stretch_without_messages_is_not_handed_over(
    office: Office, recording: bytes, filler: bytes, unreadable: int
) -> None:
    path = office.folder / "recorded.ndjson"
    path.write_bytes(recording + filler + recording.splitlines(keepends=True)[0])
    said = office.do("ingest", path)
    assert f" {2 * SURVEYS} events stored" in said
    assert f" {plural(unreadable, 'message')} could not be read" in said


def test_a_file_that_is_cut_off_is_named(office: Office, recording: bytes) -> None:
    said = ingested(office, recording[:-100])
    assert "cut off in line 13 " in said


def test_a_message_of_another_program_is_kept_among_the_rejects(office: Office, recording: bytes) -> None:
    other = b'{"topic":"zigbee/lamp","payload":"on","received_at_ms":5}\n'
    other += b'{"topic":"zigbee/\\u00e9","payload":{"half a pair":"\\ud800"},"received_at_ms":5}\n'
    path = office.folder / "recorded.ndjson"
    path.write_bytes(other + recording)
    assert "2 messages could not be read" in office.do("ingest", path)
    assert facts.rejects(office.database, "topic") == ["zigbee/lamp", "zigbee/é"]


def test_a_folder_and_a_missing_file_are_named(office: Office) -> None:
    assert "is a folder" in office.run("ingest", office.folder).err
    assert "No such file" in office.run("ingest", office.folder / "nowhere.ndjson").err
    assert not office.database.exists()


# -- pipes -------------------------------------------------------------------------------------------------------------


def piped(office: Office, data: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command with this standard input, a pipe."""
    return subprocess.run(
        [TRIVOX, *words, "--database", str(office.database)], input=data, capture_output=True, check=False
    )


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_a_pipe_is_taken_in_whole(office: Office, name: str) -> None:
    till = OfficeTill()
    till.surveys(at("2026-11-03T09:00+00:00"), yes=5_000)
    data = "".join(json.dumps(message) + "\n" for message in till.messages()).encode()
    done = piped(office, data, "ingest", name)
    assert b"10000 events stored" in done.stdout, done
    assert len(facts.surveys(office.database)) == 5_000


def test_a_pipe_that_breaks_off_is_not_taken_in_at_all(office: Office, recording: bytes) -> None:
    done = piped(office, recording + b'{"topic":"trivox/v1/de', "ingest", "-")
    assert done.returncode == 1
    assert b"standard input: nothing was taken in, as it is cut off in line 14 " in done.stderr
    assert not office.database.exists()


def test_a_fifo_is_taken_in(office: Office, recording: bytes) -> None:
    fifo = office.folder / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(recording,))
    writer.start()
    assert f"{2 * SURVEYS} events stored" in office.do("ingest", fifo)
    writer.join()


@pytest.mark.parametrize("source", ["(cat {0})", "(cat {0}; exit 3)"])
def test_process_substitution_is_taken_in(office: Office, recording: bytes, source: str) -> None:
    path = office.folder / "recorded.ndjson"
    path.write_bytes(recording)
    command = f"exec {TRIVOX} ingest <{source.format(path)} --database {office.database}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert f"{2 * SURVEYS} events stored" in done.stdout, done


# -- tables ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", NO_TABLES)
@pytest.mark.parametrize("command", ["shift", "counts", "site", "checkout-point"])
def test_a_table_in_another_format_is_named(office: Office, command: str, words: str) -> None:
    path = office.folder / "table.csv"
    path.write_bytes(NO_TABLES[words](SHIFTS.encode()))
    result = office.run(command, "import", path)
    assert result.status == 1
    assert words in result.err
    assert result.err.count("\n") == 1
    assert not office.database.exists()


def test_a_table_comes_from_a_pipe_too(office: Office) -> None:
    for name, data in (("-", SHIFTS.encode()), ("/dev/stdin", BOM + SHIFTS.replace("\n", "\r\n").encode())):
        done = piped(office, data, "shift", "import", name, "--new")
        assert b"1 shift imported" in done.stdout, done
    assert facts.sellers(office.database, "seller_name") == ["Елена"]


def test_a_table_that_never_ends_is_refused(office: Office) -> None:
    path = office.folder / "long.csv"
    path.write_bytes(SHIFTS.encode() + b"\n" * (16 << 20))
    assert "is larger than 16 MiB: split it" in office.run("shift", "import", path).err
    assert "is not text" in office.run("shift", "import", "/dev/zero").err


@pytest.mark.parametrize("words", NO_TABLES)
def test_a_table_of_assignments_in_another_format_is_named(office: Office, words: str) -> None:
    path = office.folder / "consoles.csv"
    path.write_bytes(NO_TABLES[words](b"site_id,console_id\ndemo,till-1\n"))
    result = office.run("console", "flash", "--csv", path)
    assert result.status == 1
    assert words in result.err


@pytest.mark.parametrize("words", COMPRESSED)
def test_settings_in_another_format_are_named(office: Office, words: str) -> None:
    path = office.folder / "bridge.toml"
    path.write_bytes(COMPRESSED[words](b'user = "bridge"\n'))
    path.chmod(0o600)
    result = office.run("bridge", "--config", path)
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert words in result.err


def test_settings_with_a_bom_are_read(office: Office) -> None:
    path = office.folder / "bridge.toml"
    path.write_bytes(BOM + b'user = "bridge"\r\npassword = "a b"\r\n')
    path.chmod(0o600)
    assert read_config(path) == {"user": "bridge", "password": "a b"}
