"""Check the pages: each link, anchor, `trivox` command, option, module and make target that they name exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.command import output_of as trivox
from tests.support.programs import LIMIT_S

ROOT = Path(__file__).parents[2]
FOLDERS = ("bridge", "firmware", "schema", "simulator", "tests")
OWN = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md") if "node_modules" not in path.parts]
PATHS = [*sorted(ROOT.glob("*.md")), *sorted(OWN)]
PAGES = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in PATHS}
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
README_LINES = 150
FIRST_SCREEN_LINES = 40
NOT_OURS = {"_boot.py"}  # MicroPython's own


def blocks(text: str) -> str:
    """Join the shell commands of a page, each on one line."""
    found = [block for _, language, block in FENCE.findall(text) if language == "sh"]
    return "\n".join(found).replace("\\\n", "")


def prose(text: str) -> str:
    """Return a page without its blocks."""
    return FENCE.sub("", text)


def commands_of(text: str) -> list[str]:
    """List the `trivox` commands of a page, in blocks and in sentences, each without `trivox`."""
    in_blocks = re.findall(
        r"(?:\.venv/bin/|/opt/trivox/bin/|^|\| |\w=\S+ )trivox ([^\n#<|>]*)", blocks(text), re.MULTILINE
    )
    in_prose = re.findall(r"`(?:\.venv/bin/)?trivox ([^`]*)`", prose(text))
    return [" ".join(line.split()) for line in (*in_blocks, *in_prose)]


def links_of(text: str) -> list[str]:
    """List the relative links and pictures of a page."""
    links = re.findall(r"\]\(([^)\s]+)\)", prose(text))
    return [link for link in links if not re.match(r"[a-z]+:", link)]


def headings_of(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    anchors: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose(text), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in anchors:
            number += 1
        anchors.add(anchor)
    return anchors


COMMANDS = sorted({line for text in PAGES.values() for line in commands_of(text)})
MODULES = sorted({module for text in PAGES.values() for module in re.findall(r"python -m ([a-z_.]+)", text)} - {"venv"})
RUN_MODULES = sorted({name for text in PAGES.values() for name in re.findall(r"python -m ([a-z_.]+)", blocks(text))})
LINKS = [(page, link) for page, text in PAGES.items() for link in links_of(text)]
TARGETS = sorted(
    {
        target
        for text in PAGES.values()
        for target in re.findall(r"^make ([a-z-]+)", blocks(text), re.MULTILINE)
        + re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z-]+)\b[^`]*`", prose(text))
    }
)


@cache
def help_of(*command: str) -> str:
    return trivox(*command, "--help")


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_and_options_exist(line: str) -> None:
    words = shlex.split(line)
    command = [] if words[0].startswith("-") else words[:1]
    while command and f"Usage: trivox {' '.join(command)} [OPTIONS] COMMAND" in help_of(*command):
        following = words[len(command) : len(command) + 1]
        if not following or not re.fullmatch(r"[a-z][a-z-]*", following[0]):
            break
        command += following
    shown = help_of(*command)
    for word in words:
        if re.match(r"--[a-z]", word):
            option = word.partition("=")[0]
            assert re.search(rf"(^|\s){re.escape(option)}\b", shown), (
                f"{option} is no option of trivox {' '.join(command)}"
            )


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_links_lead_to_a_file_and_a_heading(page: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.exists()
    if anchor:
        assert anchor in headings_of(target.read_text("utf-8"))


@pytest.mark.parametrize("module", MODULES)
def test_modules_exist(module: str) -> None:
    assert find_spec(module) is not None


@pytest.mark.parametrize("module", RUN_MODULES)
def test_modules_say_how_they_are_run(module: str) -> None:
    words = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (done.returncode, "usage" in done.stdout.lower()) == (0, True)


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_its_targets(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_the_first_page_is_short_and_begins_with_the_two_commands() -> None:
    lines = PAGES["README.md"].splitlines()
    assert len(lines) <= README_LINES
    for command in ("make run", "make test"):
        assert any(line.startswith(command) for line in lines[:FIRST_SCREEN_LINES]), command


def test_every_page_can_be_reached_from_the_first() -> None:
    reached, waiting = {"README.md"}, ["README.md"]
    while waiting:
        page = waiting.pop()
        for link in links_of(PAGES[page]):
            target = ((ROOT / page).parent / link.partition("#")[0]).resolve()
            name = str(target.relative_to(ROOT.resolve()))
            if name in PAGES and name not in reached:
                reached.add(name)
                waiting.append(name)
    assert reached == set(PAGES)


def test_pages_name_no_page_that_is_not_there() -> None:
    for page, text in PAGES.items():
        for name in re.findall(r"[\w./-]+\.md\b", text):
            known = (ROOT / name, (ROOT / page).parent / name)
            assert any(path.exists() for path in known), f"{page} names {name}"


def test_pages_name_no_python_file_that_is_not_there() -> None:
    files = [f"/{path.relative_to(ROOT)}" for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    for page, text in PAGES.items():
        for name in re.findall(r"[\w/]+\.py\b", prose(text)):
            ending = f"/{name.lstrip('/')}"
            assert name in NOT_OURS or any(file.endswith(ending) for file in files), f"{page} names {name}"


def test_there_is_something_to_test() -> None:
    assert len(COMMANDS) > 50
    assert len(LINKS) > 50
    assert {"run", "test", "bench", "chaos"} <= set(TARGETS)
    assert RUN_MODULES
    assert headings_of("# A `b` c\n\n## X: y, z's\n\n## A `b` c\n") == {"a-b-c", "x-y-zs", "a-b-c-1"}
