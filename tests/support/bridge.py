"""`trivox bridge` at a test's broker."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.service import Service


class Bridge(Service):
    """Its database and its log are in the folder."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.database = folder / "trivox.db"
        words = ("bridge", "--broker", broker, "--database", str(self.database), "--metrics-port", "0")
        super().__init__(*words, log=folder / "bridge.log", ready="connected to the broker")

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        sys.stdout.write(self.output()[-4000:])
