"""Which version of the firmware runs: the one in folder `a`, the one in `b`, or the one that lies beside this file.

`slots.json` says it; it is only ever exchanged as a whole, so that power may go at any moment:

    {"slot": "a"}                                         a runs; "" is the one beside this file, as without the file
    {"slot": "a", "trial": "b", "boots": 1, "version": …, "id": …}   b is on trial, this is its boot number 1
    {"slot": "a", "failed": …, "id": …}                   a runs, a trial of that version has failed

A trial that was not confirmed in `TRIAL_BOOTS` boots has failed. Nothing replaces this module over the air: keep it so
small that nothing has to.
"""

import json
import os
import sys

import machine

TRIAL_BOOTS = 3
_FILE = "slots.json"
_WATCHDOG_MS = 8000  # a version on trial may hang before it starts its own


def choose():
    """Puts the folder of the version that is to run in front of `sys.path`; true if it is on trial."""
    state = read()
    slot, trial = state.get("slot"), state.get("trial")
    on_trial = bool(trial) and begin(state)
    if on_trial:
        machine.WDT(timeout=_WATCHDOG_MS)
        slot = trial
    if slot:
        sys.path.insert(0, slot)
    return on_trial


def read():
    """What the file says; {} if there is none that can be read."""
    try:
        with open(_FILE) as file:
            state = json.load(file)
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def begin(state):
    """Counts one more boot of a trial; false if it has had all, or if that can't be kept."""
    boots = state.get("boots")
    goes_on = isinstance(boots, int) and boots < TRIAL_BOOTS
    if goes_on:
        state["boots"] = boots + 1
    else:
        state = {"slot": state.get("slot"), "failed": state.get("version"), "id": state.get("id")}
    try:
        with open(_FILE + ".new", "w") as file:
            json.dump(state, file)
        os.rename(_FILE + ".new", _FILE)
    except OSError:
        return False
    return goes_on
