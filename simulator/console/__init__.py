"""One simulated console: a MicroPython process that runs the real firmware, with its pins, radio and power."""
