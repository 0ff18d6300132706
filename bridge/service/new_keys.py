"""Give enrolled consoles new credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin.commands import NoteNewKeys
from bridge.keyring import Keyring
from bridge.service.control import perform

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bridge.keyring import Credentials
    from bridge.model.console import ConsoleName


def issue_credentials(database: Path, names: Iterable[ConsoleName]) -> dict[ConsoleName, Credentials]:
    """Make new credentials for consoles. Raises TrivoxError.

    Only once no earlier key is valid any more is what it proved forgotten: else who has it could prove more meanwhile.
    """
    keyring = Keyring(database)
    issued = {name: keyring.issue(*name) for name in names}
    if issued:
        perform(database, NoteNewKeys(consoles=["/".join(name) for name in issued]))
    return issued
