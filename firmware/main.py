"""Start the version of the firmware that is in force or on trial; MicroPython runs this after boot.py."""

import sys

import flash_guard
import machine
import slots

flash_guard.mount()  # before anything is written
on_trial = slots.choose()
del slots, sys.modules["slots"]  # the console needs its memory

try:
    try:
        from console.app import run
    except Exception as error:  # flash has lost a part of this version
        if on_trial:
            raise
        sys.print_exception(error)
        for name in [name for name in sys.modules if name.split(".")[0] in ("console", "boards")]:
            del sys.modules[name]
        sys.path.insert(0, ".frozen")  # our own image of MicroPython holds a version, too
        from console.app import run

    run()
except Exception as error:
    if not on_trial:
        raise
    sys.print_exception(error)
    machine.reset()
