"""A stub of MicroPython's module, for the firmware's pure modules on CPython."""


def const(value):
    return value
