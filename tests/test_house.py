"""Rules of the house that no linter knows: unique class names, no dangling page names, complete command tables."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from bridge.cli.command_table import COMMANDS as BRIDGE_COMMANDS
from bridge.cli.main import build
from simulator.cli.command_table import COMMANDS as SIMULATOR_COMMANDS
from tests.support.command import trivox

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGES = ("bridge", "simulator", "firmware", "tests")
COMMANDS = {**BRIDGE_COMMANDS, **SIMULATOR_COMMANDS}
PAGE_NAME = re.compile(r"[\w./:-]+\.md\b")
READ_SUFFIXES = {".py", ".toml", ".md", ".json"}
EXAMPLES, LOCK_FILES = "schema/examples/", ".ci/lock/"


def tracked_files() -> list[str]:
    """Return the paths of all files of the repository, relative to its root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for path in listed.split("\0") if path and (ROOT / path).is_file()]


def test_each_class_name_is_defined_once() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    duplicates = [f"{name}: {', '.join(where)}" for name, where in sorted(places.items()) if len(where) > 1]
    assert not duplicates, "rename these classes:\n" + "\n".join(duplicates)


def test_the_boards_stand_ins_do_not_import_each_other_in_a_circle() -> None:
    """Lint checks the packages; these modules import each other by plain names, as MicroPython does."""
    paths = {path.stem: path for path in (ROOT / "simulator" / "board").glob("*.py")}
    imported: dict[str, set[str]] = {}
    for name, path in paths.items():
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
        imported[name] = names & paths.keys() - {name}
    assert sum(map(len, imported.values())) > len(paths), "they do import each other"
    assert list(TopologicalSorter(imported).static_order()), "raises CycleError for a circle"


def test_each_page_that_a_file_names_is_in_the_repository() -> None:
    files = tracked_files()
    pages = [f"/{path}" for path in files if path.endswith(".md")]
    missing = []
    for path in files:
        if path.startswith((EXAMPLES, LOCK_FILES)):
            continue
        if Path(path).suffix not in READ_SUFFIXES and Path(path).name != "Makefile":
            continue
        for number, line in enumerate((ROOT / path).read_text("utf-8").splitlines(), 1):
            for name in PAGE_NAME.findall(line):
                end = "/" + re.sub(r"^(\.{0,2}/)+", "", name)
                if "://" not in name and not any(page.endswith(end) for page in pages):
                    missing.append(f"{path}:{number}: {name}")
    assert not missing, "these pages do not exist:\n" + "\n".join(missing)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_module_of_each_listed_command_adds_it(name: str) -> None:
    done = trivox(*name.split(), "--help")
    assert done.returncode == 0, done.stderr
    assert f"trivox {name}" in done.stdout


def test_each_module_that_adds_commands_is_listed() -> None:
    adding = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in ("bridge", "simulator")
        for path in (ROOT / package / "cli").glob("*.py")
        if "\ndef register(" in path.read_text("utf-8")
    }
    assert adding == set(COMMANDS.values())


def test_each_top_level_command_is_listed() -> None:
    application = typer.main.get_command(build())
    built = set(getattr(application, "commands", {}))
    assert built == {name.split()[0] for name in COMMANDS}


def used_names(path: Path) -> Iterator[str]:
    """Yield each dotted name that a module imports or uses, such as `sys.stdout.write` or `rich.console.Console`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute | ast.Name):
            yield ast.unparse(node)


@pytest.mark.parametrize(
    ("folder", "door", "names"),
    [
        ("bridge", "rich_terminal.py", {"rich.console.Console", "rich.get_console", "rich.print", "rich.markup"}),
        ("bridge", "rich_terminal.py", {"Text.from_markup", "rich.markup.render", "rich.markup.escape"}),
        ("bridge/cli", "output.py", {"sys.stdout.write", "sys.stderr.write", "print", "typer.echo", "typer.secho"}),
        ("bridge/reports", "", {"sys.stdout.write", "sys.stderr.write", "print"}),
        ("bridge", "data_formats.py", {"csv.writer", "csv.DictWriter"}),
    ],
)
def test_text_goes_out_through_one_door_for_each_output(folder: str, door: str, names: set[str]) -> None:
    around = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != door
        for name in names & set(used_names(path))
    ]
    assert not around, f"use {door or 'bridge/cli/output.py'} instead:\n" + "\n".join(around)


def test_no_text_is_read_or_written_in_the_locales_encoding() -> None:
    forgotten = []
    for path in (path for package in ("bridge", "simulator") for path in (ROOT / package).rglob("*.py")):
        if path.is_relative_to(ROOT / "simulator" / "board"):
            continue  # MicroPython knows UTF-8 alone
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            options = {keyword.arg for keyword in node.keywords}
            words = {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
            is_text = {
                "read_text": not node.args,
                "write_text": len(node.args) == 1,
                "open": bool({"w", "r", "a"} & words),
                "fdopen": bool({"w", "r", "a"} & words),
                "run": "text" in options,
                "Popen": "text" in options,
            }
            if is_text.get(name) and "encoding" not in options:
                forgotten.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    assert not forgotten, "name the encoding:\n" + "\n".join(forgotten)
