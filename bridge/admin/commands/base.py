"""Define what all commands share."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """The consoles that a command is for: all (both empty), those of a site, or one."""

    site_id: str  # "": all sites
    console_id: str  # "": all consoles of the site


ALL_CONSOLES = Scope("", "")


class BridgeCommand(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="command", tag=True):
    """Base of all commands; each is carried out as a whole or not at all.

    What it names must be known, unless it is `new`: then it makes the sites, consoles and checkout points that are not.
    """

    words: ClassVar[str]  # after `trivox`, for the history
    makes_database: ClassVar[bool] = False  # also if it is not `new`

    new: bool = False


class CsvImport(BridgeCommand, frozen=True):
    """Base of commands that take in a CSV file."""

    name: str  # of the file, for error sentences
    text: str
