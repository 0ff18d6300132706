"""One simulated console: a MicroPython process that runs the real firmware, and its pins, radio and power."""
