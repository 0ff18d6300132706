"""The console's firmware."""

VERSION = "0.1.0"
