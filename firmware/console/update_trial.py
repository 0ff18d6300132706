"""Decide the trial of a new version, and report its end to the bridge. Loaded only in a boot with a trial to report."""

import asyncio

from micropython import const

from console import events, outbox_files, update_slots

_LIMIT_MS = const(300000)  # how long a boot may take to reach the bridge
_POLL_MS = const(500)


async def run(app):
    """Confirm this version at the bridge's first `ack`, or restart without one; or report another's failed trial."""
    state, reason = app.update, None
    if "failed" in state:
        reason = "version %s did not reach the bridge in its trial: %s runs again" % (state["failed"], app.firmware)
    elif await _is_answered(app):
        app.update = {}
        try:
            update_slots.save(app.folder, {"slot": state["trial"]})
        except OSError as error:
            app.flash_failed(error)
            reason = "flash can't be written: the trial goes on"
    else:
        update_slots.restart(app)
    if state.get("id"):
        reply = events.reply(state["id"], reason)
        if "failed" in state:
            reply["trial_failed"] = True
        app.link.send("reply", reply, 1)
    app.task = None
    outbox_files.unload("update_trial", "update_slots")


async def _is_answered(app):
    while not app.link.acks:
        await asyncio.sleep_ms(_POLL_MS)
        if app.clock.up_ms() > _LIMIT_MS and app.is_quiet():
            return False
    return True
