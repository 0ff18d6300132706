"""Run `trivox bridge` at the broker of a test."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.service import Service

READY = "connected to the broker"


class RunningBridge(Service):
    """The bridge; its database and its log are in `folder`."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.database = folder / "trivox.db"
        words = ("bridge", "--broker", broker, "--database", str(self.database), "--metrics-port", "0")
        super().__init__(*words, log=folder / "bridge.log", ready=READY)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        sys.stdout.write(self.output()[-4000:])
