"""Wiring diagrams and Wokwi projects, drawn from the pin maps."""
