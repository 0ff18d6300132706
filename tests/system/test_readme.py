"""The README's commands, options, modules and links are there."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support.command import say as trivox
from tests.support.programs import LIMIT_S

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = README + (ROOT / "bridge" / "README.md").read_text("utf-8")
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", PAGES, re.DOTALL)).replace("\\\n", "")  # a long command is one
COMMANDS = re.findall(r"(?:\.venv/bin/|^)trivox ([^\n#]*)", BLOCKS, re.MULTILINE)
MODULES = re.findall(r"python -m ([a-z_.]+)", BLOCKS)
LINKS = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("https:")]
MAKES = re.findall(r"`?\bmake ([a-z]+)\b", "\n".join(re.findall(r"`make [a-z]+`|^make [a-z]+", README, re.MULTILINE)))


@cache
def help_of(*command: str) -> str:
    return trivox(*command, "--help")


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_and_options_exist(line: str) -> None:
    words = shlex.split(line)
    command = words[:1]
    if f"Usage: trivox {words[0]} [OPTIONS] COMMAND" in help_of(*command):
        command = words[:2]
    shown = help_of(*command)
    for word in words:
        if word.startswith("--"):
            assert re.search(rf"(^|\s){re.escape(word)}\b", shown), f"{word} is no option of trivox {' '.join(command)}"


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_how_they_are_run(module: str) -> None:
    words = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (done.returncode, "usage" in done.stdout.lower()) == (0, True)


def test_make_knows_what_the_readme_names() -> None:
    assert {"run", "test", "bench"} <= set(MAKES)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in MAKES:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_there_is_something_to_test() -> None:
    assert len(COMMANDS) > 8
    assert LINKS
    assert MODULES
