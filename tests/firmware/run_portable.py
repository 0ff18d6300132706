"""Run the tests of one module under MicroPython: `micropython run_portable.py MODULE`, in an empty folder.

Runs each test in an empty folder of its own and prints `ok NAME`. The first failure ends the run with its traceback.
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
