"""What `make bench` measures: `python -m tests.benchmarks [NAME …]`."""
