"""The firmware's version, which `booted` and `health` report; `package.json` and `pyproject.toml` repeat it."""

VERSION = "0.1.0"
