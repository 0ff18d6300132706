"""Tests and benchmarks of the whole project."""
