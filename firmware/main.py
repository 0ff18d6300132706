"""Start the version of the firmware that is in force or on trial; MicroPython runs this after boot.py."""

import sys

import machine
import slots

on_trial = slots.choose()
del slots, sys.modules["slots"]  # the console needs its memory

try:
    from console.app import run

    run()
except Exception as error:
    if not on_trial:
        raise
    sys.print_exception(error)
    machine.reset()
