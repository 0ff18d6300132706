"""Test that locales and terminals of other encodings change no file, and end no command in a traceback."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest

from bridge.cli import main
from tests.bridge.office import Office, OfficeTill, at
from tests.support.programs import TRIVOX

if TYPE_CHECKING:
    from pathlib import Path

NAME = "Мария-é 😀 שרה"  # some of it is in no encoding but Unicode's
REPORT = ("report", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "seller")
LOCALES = {
    "CP1251": {"LC_ALL": "bg_BG.CP1251", "PYTHONIOENCODING": "cp1251", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    till = OfficeTill()
    till.survey(at("2026-11-02T09:00+00:00"), "yes")
    office.take(till)
    assert office.shifts(f"demo,till-1,{NAME},{NAME},2026-11-02,2026-11-03").status == 0
    return office


def run_in(locale: str, office: Office, *words: str | bytes) -> subprocess.CompletedProcess[bytes]:
    """Run `trivox` with a Python of its own, whose encodings are chosen when it starts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    return subprocess.run(
        [TRIVOX, *words, "--database", str(office.database)],
        env={**kept, **LOCALES[locale]},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(("locale", "form"), [("CP1251", "table"), ("POSIX", "json")])
def test_files_and_pipes_are_in_utf_8_in_every_locale(office: Office, locale: str, form: str) -> None:
    done = run_in(locale, office, *REPORT, "--format", form)
    assert (done.returncode, done.stderr) == (0, b"")
    assert NAME in done.stdout.decode()


def test_an_argument_in_another_encoding_is_refused_in_one_sentence(office: Office) -> None:
    done = run_in("POSIX", office, "question", "set", "staff", "--text", "bg=Доволни ли сте?".encode("cp1251"))
    assert done.returncode == 2
    assert done.stderr.decode().startswith("trivox: The argument bg=\\udcc4\\udcee")
    assert done.stderr.count(b"\n") == 1
    assert "Доволни" not in office.do("question", "list").partition("staff")[0]


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "ascii", "latin-1", "utf-16"])
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_pipe_is_in_utf_8_whatever_its_encoding_was(office: Office, encoding: str, form: str) -> None:
    pipe = io.BytesIO()
    out = io.TextIOWrapper(pipe, encoding=encoding)
    with redirect_stdout(out):
        status = main.run([*REPORT, "--format", form, "--database", str(office.database)])
    out.flush()
    text = pipe.getvalue().decode()
    assert status == 0
    assert NAME in text
    if form == "json":
        assert json.loads(text)[0]["seller_id"] == NAME


@pytest.mark.parametrize(
    "words",
    [
        *((*REPORT, "--wide"), (*REPORT, "--format", "json"), ("shift", "list"), ("shift", "list", "--json")),
        *(("history",), ("question", "list"), ("watch", "--once"), ("doctor",), ("frobnicate-Ж…",)),
    ],
)
@pytest.mark.parametrize("encoding", ["cp1251", "ascii"])
def test_a_terminal_of_another_encoding_gets_escapes(office: Office, encoding: str, words: tuple[str, ...]) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding=encoding) as terminal, redirect_stdout(terminal), redirect_stderr(terminal):
        status = main.run([*words, "--database", str(office.database)])
        terminal.write("\nthe end\n")
        terminal.flush()
        received = b""
        while b"the end" not in received:
            received += os.read(ours, 65_536)
    os.close(ours)
    assert status == (2 if words[0].startswith("frobnicate") else 0)
    text = received.decode(encoding)
    if "--wide" in words:
        assert ("Мария" if encoding == "cp1251" else "\\u041c\\u0430\\u0440\\u0438\\u044f") in text
        assert "\\u05e9\\u05e8\\u05d4" in text
        assert "\\u2500" not in text, "lines are drawn in ASCII"
    if "json" in words[-1]:
        assert json.loads(text.removesuffix("the end\r\n"))[0]["seller_name"] == NAME
    if words == ("shift", "list"):
        heading, line = text.splitlines()[:2]
        assert heading.index("seller_name") == line.rindex("Мария" if encoding == "cp1251" else "\\u041c")
        assert line[heading.index("started_at") :].startswith("2026-11-0"), "columns are as wide as the escapes in them"


@pytest.mark.skipif(sys.platform == "darwin", reason="its names are in UTF-8 alone")
def test_files_may_have_names_in_another_encoding(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    database = office.folder / os.fsdecode("магазин 50%?.db".encode("cp1251"))
    monkeypatch.setenv("TRIVOX_DATABASE", str(database))
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        statuses = [
            main.run(words)
            for words in (
                ["site", "set", "sofia", "--timezone", "UTC"],
                ["backup", str(office.folder / "copy.db")],
                ["restore", str(office.folder / "copy.db")],
                ["site", "list"],
            )
        ]
    assert statuses == [0, 0, 0, 0], out.getvalue()
    assert database.is_file()
    assert "sofia" in out.getvalue()
