"""The file `slots.json`, which says what the next boot runs: see `slots.py`, whose form it is."""

import json
import os
import sys

import machine

from console.outbox_files import write

TARGETS = ("a", "b")


def read(folder):
    """What the file in `folder` says; {} if there is none that can be read."""
    try:
        with open(folder + "/slots.json") as file:
            state = json.load(file)
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def keep(folder, state):
    """Exchanges the file as a whole. OSError if that fails; then it is as it was."""
    path = folder + "/slots.json"
    write(path + ".new", "w", json.dumps(state))
    os.rename(path + ".new", path)


def news(folder):
    """What this boot has to see to: the state if this version is on trial, or if another's trial has failed; or {}."""
    state = read(folder)
    return state if is_on_trial(state) or "failed" in state else {}


def restart(app):
    """Starts the board anew at once; its next boot knows that it was wanted."""
    try:
        write(app.folder + "/restart", "w", "restart")
    except OSError as error:
        app.flash_failed(error)
    machine.reset()


def is_on_trial(state):
    """Whether the version that runs is the one on trial."""
    return "trial" in state and state["trial"] == sys.path[0]
