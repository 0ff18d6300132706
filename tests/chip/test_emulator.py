"""The emulated chip is a fake: its own tests check it against rp2040js, the manuals, and known results."""

from __future__ import annotations

import json
import subprocess

from tests.chip.emulated_pico import EMULATOR, NODE
from tests.support.programs import LIMIT_S


def test_the_emulators_own_tests_pass() -> None:
    done = subprocess.run([NODE, "--test"], cwd=EMULATOR, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "tests 0" not in done.stdout


def test_its_packages_are_locked_by_hash_and_name_no_registry() -> None:
    packages = json.loads((EMULATOR / "package-lock.json").read_text())["packages"]
    assert packages.keys() == {"", "node_modules/rp2040js"}
    assert packages["node_modules/rp2040js"]["integrity"].startswith("sha512-")
    assert all("resolved" not in package for package in packages.values())
