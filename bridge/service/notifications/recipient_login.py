"""Read the secrets of a recipient: from a file that only its owner may read, or from the environment.

They are read anew for each attempt, so that a corrected password needs no restart, and are never stored or logged.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from bridge.errors import TrivoxError
from bridge.input_file import cannot_read, read_toml
from bridge.private_files import is_open_to_others

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = ("user", "password", "token", "secret", "url", "ca_file")
VARIABLE = "TRIVOX_ALARM_{}"


class RecipientLogin(Struct, frozen=True):
    """What a recipient is told by: each part '' where it was not given."""

    user: str = ""
    password: str = ""
    token: str = ""  # in place of user and password, where a server knows tokens
    secret: str = ""  # that a webhook is signed with
    url: str = ""  # in place of the recipient's address
    ca_file: str = ""  # the authority that has signed the server's certificate

    def __repr__(self) -> str:
        """Say nothing of it."""
        return "RecipientLogin(…)"


def read_login(path: str, environment: Mapping[str, str]) -> RecipientLogin:
    """Read the file, if there is one, and what of it the environment has in its place. Raises TrivoxError."""
    given = _read_file(Path(path)) if path else {}
    of_environment = {key: environment.get(VARIABLE.format(key.upper()), "") for key in KEYS}
    return RecipientLogin(**{key: given.get(key) or of_environment[key] for key in KEYS})


def _read_file(path: Path) -> dict[str, str]:
    try:
        if is_open_to_others(path):
            raise TrivoxError(f"{path} holds secrets and others may read it: run chmod 600 {path}.")
    except OSError as error:
        raise cannot_read(path, error) from error
    content = read_toml(path)
    for key, value in content.items():
        if key not in KEYS or not isinstance(value, str):
            raise TrivoxError(f"{path} has an invalid {key!r}: give only {', '.join(KEYS)}, each as a string.")
    return content
