"""Runs the tests of one module under MicroPython: `micropython run_portable.py MODULE`, in an empty folder.

Prints `ok NAME` a test, each in an empty folder of its own; the first that fails ends the run with its traceback.
"""

import os
import sys

module = __import__(sys.argv[1])
for name in sorted(dir(module)):
    if name.startswith("test_"):
        os.mkdir(name)
        os.chdir(name)
        getattr(module, name)()
        os.chdir("..")
        sys.stdout.write("ok " + name + "\n")
