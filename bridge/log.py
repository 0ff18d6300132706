"""The log of programs that run all day: each event worth a note is one line, `time=… level=… msg="…" name=value …`.

No secret is ever logged: no password, no payload, no key.
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

RATE_PERIOD_S = 60.0
MAX_KEYS = 10_000  # keys that a rate limiter remembers at once
MAX_VALUE_LENGTH = 500
FACTS = "facts"
UNQUOTED = re.compile(r"[A-Za-z0-9_.:/+@,-]+", re.ASCII)

log = logging.getLogger("trivox.bridge")


class Formatter(logging.Formatter):
    """Formats a record as one line; times are in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a line feed; facts that are None are left out."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        facts = {"time": at, "level": record.levelname.lower(), "msg": record.getMessage()}
        facts |= getattr(record, FACTS, {})
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)[-MAX_VALUE_LENGTH:]
        return " ".join(f"{name}={_value(value)}" for name, value in facts.items() if value is not None)


def _value(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    if len(text) <= MAX_VALUE_LENGTH and UNQUOTED.fullmatch(text):
        return text
    return '"{}"'.format(printable(text.replace("\\", "\\\\").replace('"', '\\"'), MAX_VALUE_LENGTH))


def set_up() -> None:
    """Send this program's log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter())
    logging.basicConfig(handlers=[handler], level="INFO", force=True)


def info(message: str, **facts: Any) -> None:
    """Log an event worth a note, with its facts as `name=value`."""
    log.info(message, extra={FACTS: facts})


def warning(message: str, **facts: Any) -> None:
    """Log something that somebody should look at."""
    log.warning(message, extra={FACTS: facts})


def error(message: str, *, trace: bool = False, **facts: Any) -> None:
    """Log a fault that does not mend itself; with `trace`, say where in the program it happened."""
    log.error(message, extra={FACTS: facts}, exc_info=trace)


class RateLimiter:
    """Keeps frequent events from flooding the log.

    It lets through the first event of a key, and further ones once a minute, with the count of those held back.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._by_key: dict[Any, tuple[float, int, int]] = {}  # start of the period, let through in it, held back

    def allow(self, key: Any, count: int = 1, *, burst: int = 1) -> int | None:
        """Take `count` events of a key; return how many the caller is to log now, or None: log nothing now.

        The number includes those held back before. A key is let through at most `burst` times a minute.
        """
        now_s = self._now_s()
        since_s, let_through, held_back = self._by_key.get(key, (now_s, 0, 0))
        if now_s - since_s >= RATE_PERIOD_S:
            since_s, let_through = now_s, 0
        if let_through >= burst:
            self._by_key[key] = since_s, let_through, held_back + count
            return None
        if len(self._by_key) >= MAX_KEYS:
            self._by_key.clear()
        self._by_key[key] = since_s, let_through + 1, 0
        return held_back + count
