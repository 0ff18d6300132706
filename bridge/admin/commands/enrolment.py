"""Commands that give and take logins, and take consoles out of service."""

from __future__ import annotations

from bridge.admin.commands.base import BridgeCommand


class EnrollConsoles(BridgeCommand, frozen=True):
    """Mark consoles, each named SITE/CONSOLE, as enrolled, all or none; they and their sites may be new."""

    words = "console enroll"
    makes_database = True
    consoles: list[str]
    renew: bool = False  # they get new credentials


class NoteNewKeys(BridgeCommand, frozen=True):
    """Note that consoles, each named SITE/CONSOLE, have new keys: what was proved with earlier ones counts no more."""

    words = "console enroll"
    consoles: list[str]


class RevokeConsoles(BridgeCommand, frozen=True):
    """Mark consoles, each named SITE/CONSOLE, as not enrolled: all or none."""

    words = "console revoke"
    consoles: list[str]


class RetireConsoles(BridgeCommand, frozen=True):
    """Take consoles, each named SITE/CONSOLE, out of service, all or none; `undo`: put them back."""

    words = "console retire"
    consoles: list[str]
    undo: bool = False


class EnrollSources(BridgeCommand, frozen=True):
    """Note that tills and people counters, each named SITE/SOURCE, get logins; their sites must be known."""

    words = "source enroll"
    sources: list[str]
    renew: bool = False  # those who have logins too


class RevokeSources(BridgeCommand, frozen=True):
    """Note that tills and people counters, each named SITE/SOURCE, lose their logins."""

    words = "source revoke"
    sources: list[str]


class EnrollViewers(BridgeCommand, frozen=True):
    """Note that viewers get logins."""

    words = "viewer enroll"
    viewers: list[str]
    renew: bool = False  # those who have logins too


class RevokeViewers(BridgeCommand, frozen=True):
    """Note that viewers lose their logins."""

    words = "viewer revoke"
    viewers: list[str]


Commands = (
    EnrollConsoles
    | NoteNewKeys
    | RevokeConsoles
    | RetireConsoles
    | EnrollSources
    | RevokeSources
    | EnrollViewers
    | RevokeViewers
)
