"""Check whether a console proves what is sent in its name, by rules as those of `console_rules.py`. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.model.local_time import DAY_MS
from bridge.ops.doctor.findings import ConsoleHealth, ConsoleStatus, Finding
from bridge.text import plural, utc
from bridge.wire.settings import MAX_REVISIONS_AHEAD
from bridge.wire.signature import Mac

UNPROVED = ((Mac.FAILED, "with a wrong MAC"), (Mac.MISSING, "without a MAC, unlike earlier ones"))


def unproved_events(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    """Yield findings about events that somebody else may have sent in the console's name."""
    for mac, how in UNPROVED:
        if mac in console.events_by_mac:
            events, last_at_ms = console.events_by_mac[mac]
            is_recent = now_ms - last_at_ms <= DAY_MS
            yield Finding(
                "not_proved",
                ConsoleHealth.RED if is_recent else ConsoleHealth.GREEN,
                f"{'' if is_recent else 'once '}{plural(events, 'event')} {how}",
                f"{plural(events, 'event')} of console {console.name} came {how}, last at {utc(last_at_ms)}: put its "
                "current credentials on the board; if it has them, somebody else is sending in its name.",
            )


def unsigned_events(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    """Yield a finding if the console's events cannot be proved to be its own."""
    unknown, valid = console.events_by_mac.get(Mac.NO_KEY), console.events_by_mac.get(Mac.VALID)
    if unknown and (valid is None or unknown.last_at_ms >= valid.last_at_ms):
        repair = "repair its file in that folder" if console.has_key else "enrol it again for its board"
        yield Finding(
            "no_key",
            ConsoleHealth.AMBER,
            "signs, but its key is not known",
            f"{plural(unknown.total, 'event')} of console {console.name} came signed, but there was no key to check "
            f"them with, last at {utc(unknown.last_at_ms)}: restore the folder of keys from its copy, or {repair}.",
        )
    elif console.has_key and not console.events_by_mac and not console.words_by_mac and console.last_seen_at_ms:
        yield Finding(
            "not_signed",
            ConsoleHealth.AMBER,
            "does not sign its events",
            f"Console {console.name} has a key, but does not sign its events: put its credentials on the board.",
        )


def unproved_words(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    """Yield findings about words that somebody else may have said in the console's name; they moved nothing."""
    for mac, how in UNPROVED:
        if mac in console.words_by_mac:
            yield _unproved_words(
                console,
                mac,
                how,
                now_ms,
                "put its current credentials and firmware on the board; if it has them, "
                "somebody else is sending in its name",
            )
    stale, proved = console.words_by_mac.get(Mac.STALE), console.words_by_mac.get(Mac.VALID)
    if stale and (proved is None or stale.last_at_ms > proved.last_at_ms):
        yield _unproved_words(
            console,
            Mac.STALE,
            "that are no later than one proved before",
            now_ms,
            "somebody sends recordings, or "
            "whoever had its key has proved words that lie above all of its own; if it is not heard any more, renew "
            f"its key with `trivox console enroll --renew {console.name}`, and put it on the board",
        )
    firmware, signs_events = console.figures.firmware, Mac.VALID in console.events_by_mac
    if console.has_key and signs_events and firmware is not None and not console.proves_words:
        yield Finding(
            "words_not_signed",
            ConsoleHealth.AMBER,
            "does not sign its health",
            f"Console {console.name} signs its events, but not what it says about itself, as its firmware ({firmware}) "
            "is older, so its health is not proved: update it with `trivox console update`, or flash it again.",
        )


def _unproved_words(console: ConsoleStatus, mac: Mac, how: str, now_ms: int, advice: str) -> Finding:
    words, last_at_ms = console.words_by_mac[mac]
    is_recent = now_ms - last_at_ms <= DAY_MS
    return Finding(
        "words_not_proved",
        ConsoleHealth.RED if is_recent else ConsoleHealth.GREEN,
        f"{'' if is_recent else 'once '}{plural(words, 'word')} {how}",
        f"{plural(words, 'word')} of console {console.name} about itself (health, status or reply) came {how}, last at "
        f"{utc(last_at_ms)}, which its key does not prove: {advice}.",
    )


def ignored_revision(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    """Yield a finding if a settings revision was reported that the console can hardly have."""
    if console.ignored_revision is not None:
        is_recent = now_ms - console.ignored_revision_at_ms <= DAY_MS
        yield Finding(
            "revision_ignored",
            ConsoleHealth.AMBER if is_recent else ConsoleHealth.GREEN,
            f"{'' if is_recent else 'once '}settings revision {console.ignored_revision} ignored",
            f"Settings revision {console.ignored_revision} was reported in the name of console {console.name}, last "
            f"at {utc(console.ignored_revision_at_ms)}. It is over {MAX_REVISIONS_AHEAD:,} above the highest sent to "
            "it, and was ignored: if the console does use it, as after a change of databases, flash it again with "
            "--wipe; else somebody else is sending in its name.",
        )
