"""Read and write `slots.json`, which says what the next boot runs; `slots.py` describes it."""

import json
import os
import sys

import machine

from console.outbox_files import write

TARGETS = ("a", "b")


def read(folder):
    """Return the content of the file in `folder`; {} if it is missing or can't be read."""
    try:
        with open(folder + "/slots.json") as file:
            state = json.load(file)
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def save(folder, state):
    """Replace the file as a whole. Raises OSError if that fails; then the file is as it was."""
    path = folder + "/slots.json"
    write(path + ".new", "w", json.dumps(state))
    os.rename(path + ".new", path)


def trial_state(folder):
    """Return the state if this version is on trial, or if the trial of another one has failed; else {}."""
    state = read(folder)
    return state if is_on_trial(state) or "failed" in state else {}


def restart(app):
    """Restart the board at once; its next boot knows that this was intended."""
    try:
        write(app.folder + "/restart", "w", "restart")
    except OSError as error:
        app.flash_failed(error)
    machine.reset()


def is_on_trial(state):
    """Return whether the running version is the one on trial."""
    return "trial" in state and state["trial"] == sys.path[0]
