"""Define the settings of a console: names, ranges and defaults, and read the values that people type."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from bridge.errors import UsageError

DEFAULT_QUESTION = "staff"
RESET_VALUE = "default"  # typed for a value, it takes back what was set
DEFAULT_FORCE_MAJEURE_SCOPE_S = 600
SHARES_MAX = {"force_majeure_level_max": 0.10, "affected_share_max": 0.25, "error_share_max": 0.10}
"""Limits above which a report's row is not assessable or gets a note, each from 0 to 1, with its default."""


class Range(NamedTuple):
    """The lowest, the highest and the default value of a setting."""

    low: int
    high: int
    default: int


RANGES = {
    "survey_window_ms": Range(200, 600_000, 20_000),
    "long_press_ms": Range(200, 10_000, 1500),
    "reopen_guard_ms": Range(0, 60_000, 1000),
    "debounce_ms": Range(5, 200, 20),
    "stuck_ms": Range(1000, 600_000, 30_000),
    "heartbeat_ms": Range(1000, 3_600_000, 60_000),
    "ask_every": Range(1, 1000, 1),
    "force_majeure_scope_s": Range(0, 86_400, DEFAULT_FORCE_MAJEURE_SCOPE_S),
    "audit_sample": Range(1, 10_000, 30),
    "footage_days": Range(0, 3650, 0),
}
PROMPT = re.compile(r"none|tone|track:([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])", re.ASCII)
MAX_REVISIONS_AHEAD = 1_000  # of the last one sent: a console that reports more does not say what it uses
REPORT_SETTINGS = ("force_majeure_scope_s", *SHARES_MAX)
"""Chosen for all consoles: reports use them."""

AUDIT_SETTINGS = ("audit_sample", "footage_days")
"""Chosen for all sites, or for one: how many audits are drawn of a day, and how long footage is kept (0: not known)."""

ALARM_SETTINGS = {"alarms": "on", "good_news_alarms": "off"}
"""Chosen for all sites, or for one: `on` or `off`, with the default."""

SITE_SETTINGS = (*AUDIT_SETTINGS, *ALARM_SETTINGS)
BRIDGE_SETTINGS = (*REPORT_SETTINGS, *SITE_SETTINGS)
DEFAULTS: dict[str, Any] = {
    **{name: range_.default for name, range_ in RANGES.items() if name not in BRIDGE_SETTINGS},
    "prompt": "tone",
    "question_id": DEFAULT_QUESTION,
}
NAMES = (*DEFAULTS, *BRIDGE_SETTINGS)


def parse_value(name: str, text: str) -> Any:
    """Read the value of a setting as people type it; `default` is None. Raises UsageError."""
    if name not in NAMES:
        raise UsageError(f"There is no setting {name!r}: give one of {', '.join(NAMES)}.")
    if text == RESET_VALUE:
        return None
    if name in RANGES:
        low, high, _ = RANGES[name]
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise UsageError(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
        return int(text)
    if name in SHARES_MAX:
        return _share(name, text)
    if name in ALARM_SETTINGS and text not in {"on", "off"}:
        raise UsageError(f"{name} must be on or off, not {text!r}.")
    if name == "prompt" and not PROMPT.fullmatch(text):
        raise UsageError(f"prompt must be none, tone or track:1 to track:255, not {text!r}.")
    return text


def _share(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"{name} must be a number from 0 to 1, not {text!r}.")
    return value
