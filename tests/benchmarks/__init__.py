"""The benchmarks of `make bench`: `python -m tests.benchmarks [NAME …]`."""
