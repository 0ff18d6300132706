"""Choose which version of the firmware runs: the one in folder `a`, the one in `b`, or the one beside this file.

`slots.json` says which. It is always replaced as a whole, so that power may go at any moment:

    {"slot": "a"}                            a runs; "", or no file, is the version beside this file
    {"slot": "a", "trial": "b", "boots": 1, "version": …, "id": …}      b is on trial, in its boot number 1
    {"slot": "a", "failed": …, "id": …}      a runs; the trial of the version `failed` has failed

A trial that is not confirmed within `_BOOTS` boots has failed. Nothing replaces this module over the air: keep it so
small that nothing has to. Each name used here takes memory for ever, even though the module is unloaded: use few.
"""

import json
import os
import sys

import machine
from micropython import const

_FILE = const("slots.json")
_NEW = const("slots.json.new")
_BOOTS = const(3)
_WATCHDOG_MS = const(8000)  # a version on trial may hang before it starts its own


def choose():
    """Put the folder of the version to run first into `sys.path`; return whether that version is on trial."""
    try:
        with open(_FILE) as file:
            state = json.load(file)
        slot, trial = state["slot"], state.get("trial")
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False  # the file is missing or damaged
    if trial and count(state):
        machine.WDT(timeout=_WATCHDOG_MS)
        slot = trial
    if slot:
        sys.path.insert(0, slot)
    return bool(trial) and slot == trial


def count(state):
    """Count one more boot of a trial; return false if it has had all, or if the count can't be written."""
    goes_on = state.get("boots") in range(_BOOTS)
    if goes_on:
        state["boots"] += 1
    else:
        state = {"slot": state["slot"], "failed": state.get("version"), "id": state.get("id")}
    try:
        with open(_NEW, "w") as file:
            json.dump(state, file)
        os.rename(_NEW, _FILE)
    except OSError:
        return False
    return goes_on
