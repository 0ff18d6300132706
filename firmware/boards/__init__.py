"""Pins and properties of each board."""
