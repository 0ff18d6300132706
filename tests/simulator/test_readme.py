"""The examples in the simulator's README run as they are printed there."""

import re
from pathlib import Path

import pytest

from simulator import Run, Scenario
from simulator.programs import Bridge, Broker
from tests.support.other_project import run_python, run_tests

ROOT = Path(__file__).parents[2]
README = (ROOT / "simulator" / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
FILES = {block.split("\n", 1)[0].removeprefix("# "): block for block in BLOCKS if block.startswith("# ")}
SCRIPTS = [block for block in BLOCKS if not block.startswith("# ")]
CASES = {"test_scenario.py": 1}  # cases beyond the number of test functions, from parameters
TESTS = sorted(name for name in FILES if name.startswith("test_"))


def test_there_are_examples_of_each_kind() -> None:
    assert TESTS == ["test_scenario.py", "test_silent.py", "test_till_plugin.py"]
    assert len(SCRIPTS) == 2
    assert len(FILES) + len(SCRIPTS) == len(BLOCKS)


@pytest.mark.long
@pytest.mark.parametrize("name", TESTS)
def test_an_example_with_fixtures_passes(name: str, tmp_path: Path) -> None:
    done = run_tests(tmp_path, FILES, name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{FILES[name].count('def test_') + CASES.get(name, 0)} passed" in done.stdout


@pytest.mark.parametrize("block", SCRIPTS)
def test_a_script_runs(block: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(block.replace(":1883", ":1"))  # a broker at the usual port is not ours
    done = run_python(tmp_path, "script.py")
    assert (done.returncode, "'yes': True" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize(("fixture", "kind"), [("trivox_bridge", Bridge), ("trivox_broker", Broker)])
def test_what_is_named_is_there(fixture: str, kind: type) -> None:
    named = set(re.findall(rf"{fixture}\.([a-z_]+)", README))
    assert named
    made = {"port"}  # set when it is made
    assert named <= {name for name in dir(kind) if not name.startswith("_")} | made


def test_the_readme_names_all_of_the_bridge() -> None:
    public = {name for name in dir(Bridge) if not name.startswith("_")} - {"output"}
    assert public == set(re.findall(r"trivox_bridge\.([a-z_]+)", README))


def test_errors_are_quoted_as_they_are() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "simulator").rglob("*.py"))
    told = re.findall(r"^\| ([A-Zm][^|]*) … \|", README, re.MULTILINE)
    assert len(told) == 5
    for words in told:
        assert f'"{words} ' in sources, words


@pytest.mark.parametrize(("name", "kind"), [("Scenario", Scenario), ("scenario", Scenario), ("run", Run)])
def test_what_scenarios_and_runs_are_asked_is_there(name: str, kind: type) -> None:
    named = set(re.findall(rf"\b{name}\.([a-z_]+)", README)) - {"py", "toml"}
    made = set(re.findall(r"^        ([a-z_]+): ", kind.__doc__ or "", re.MULTILINE))  # its attributes
    assert named
    assert named <= {member for member in dir(kind) if not member.startswith("_")} | made
