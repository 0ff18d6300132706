"""Starts the console; MicroPython runs this after boot.py."""

from console.app import run

run()
