"""Wiring diagrams and Wokwi projects, made from the pin tables."""
