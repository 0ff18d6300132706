"""Which version of the firmware runs: the one in folder `a`, the one in `b`, or the one that lies beside this file.

`slots.json` says it; it is only ever exchanged as a whole, so that power may go at any moment:

    {"slot": "a"}                                         a runs; "" is the one beside this file, as without the file
    {"slot": "a", "trial": "b", "boots": 1, "version": …, "id": …}   b is on trial, this is its boot number 1
    {"slot": "a", "failed": …, "id": …}                   a runs, a trial of that version has failed

A trial that was not confirmed in `_BOOTS` boots has failed. Nothing replaces this module over the air: keep it so small
that nothing has to. What has a name here takes memory for ever, though the module is let go of: so there are few.
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
    """Puts the folder of the version that is to run in front of `sys.path`; true if it is on trial."""
    try:
        with open(_FILE) as file:
            state = json.load(file)
        slot, trial = state["slot"], state.get("trial")
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False  # no such file, or damaged
    if trial and count(state):
        machine.WDT(timeout=_WATCHDOG_MS)
        slot = trial
    if slot:
        sys.path.insert(0, slot)
    return bool(trial) and slot == trial


def count(state):
    """Counts one more boot of a trial; false if it has had all, or if that can't be kept."""
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
