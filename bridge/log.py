"""The log of what runs all day: one line an event of note, `time=… level=… msg="…"`, then its facts as NAME=VALUE.

Nothing secret is ever a fact: no password, no payload, no key.
"""

from __future__ import annotations

import logging
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

SELDOM_S = 60.0
MAX_KEYS = 10_000  # things that are told of limiter, remembered at once
MAX_VALUE = 500  # characters
FACTS = "facts"
PLAIN = re.compile(r"[A-Za-z0-9_.:/+@,-]+", re.ASCII)

log = logging.getLogger("trivox.bridge")


class Formatter(logging.Formatter):
    """Writes a record as one line; times are UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        facts = {"time": at, "level": record.levelname.lower(), "msg": record.getMessage()}
        facts |= getattr(record, FACTS, {})
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)[-MAX_VALUE:]
        return " ".join(f"{name}={_value(value)}" for name, value in facts.items() if value is not None)


def _value(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    if len(text) <= MAX_VALUE and PLAIN.fullmatch(text):
        return text
    return '"{}"'.format(printable(text.replace("\\", "\\\\").replace('"', '\\"'), MAX_VALUE))


def set_up() -> None:
    """Write this program's log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter())
    logging.basicConfig(handlers=[handler], level="INFO", force=True)


def info(message: str, **facts: Any) -> None:
    """Something of note."""
    log.info(message, extra={FACTS: facts})


def warning(message: str, **facts: Any) -> None:
    """Something that somebody should look at."""
    log.warning(message, extra={FACTS: facts})


def error(message: str, *, trace: bool = False, **facts: Any) -> None:
    """Something is wrong that does not mend itself; `trace` adds where in the program."""
    log.error(message, extra={FACTS: facts}, exc_info=trace)


class RateLimiter:
    """Lets a thing be told at once, and again when a minute is over, with how often it was passed over meanwhile."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._told: dict[Any, tuple[float, int, int]] = {}  # since when, how often told since, passed over

    def allow(self, key: Any, count: int = 1, *, burst: int = 1) -> int | None:
        """How many are to be told of, these `count` included; None: not now. At most `burst` times a minute."""
        now_s = self._now_s()
        since_s, told, passed_over = self._told.get(key, (now_s, 0, 0))
        if now_s - since_s >= SELDOM_S:
            since_s, told = now_s, 0
        if told >= burst:
            self._told[key] = since_s, told, passed_over + count
            return None
        if len(self._told) >= MAX_KEYS:
            self._told.clear()
        self._told[key] = since_s, told + 1, 0
        return passed_over + count
