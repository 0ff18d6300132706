"""Keep what was committed to a database that was moved or deleted under the bridge, which may hold the only copy."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from bridge import log
from bridge.service.retry import Retry, StoppedError
from bridge.store.rescue import rescue

if TYPE_CHECKING:
    from bridge.errors import DatabaseError
    from bridge.service.vitals import Vitals
    from bridge.store import Store
    from bridge.store.open_files import FilesChangedError


def keep_last_copy(store: Store, change: FilesChangedError, vitals: Vitals, stopping: threading.Event) -> DatabaseError:
    """Wait until what was committed is in a file; return the error that says where, and with which the bridge ends.

    While the bridge runs that file lies beside the database's path. Once it is `stopping`, any folder will do; but
    nothing ends the wait as long as none takes it.
    """
    vitals.note_files_changed(change)
    try:
        return Retry(vitals, stopping).until_done(lambda: rescue(store, change, datetime.now(UTC)))
    except StoppedError:
        log.warning("the bridge is to end, but holds the only copy of its database: it ends as soon as that is saved")
    save_anywhere = partial(rescue, store, change, datetime.now(UTC), anywhere=True)
    return Retry(vitals, stopping=threading.Event()).until_done(save_anywhere)
