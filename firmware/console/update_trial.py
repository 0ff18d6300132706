"""What becomes of a version on trial, told to the bridge: loaded only in boots that have something to tell."""

import asyncio

from micropython import const

from console import events, outbox_files, update_slots

_LIMIT_MS = const(300000)  # so long a boot may take to reach the bridge
_LOOK_MS = const(500)


async def see_to(app):
    """Confirms this version with the bridge's first `ack`, or restarts; or tells that another one has failed."""
    state, reason = app.update, None
    if "failed" in state:
        reason = "version %s did not reach the bridge in its trial: %s runs again" % (state["failed"], app.firmware)
    elif await _is_answered(app):
        app.update = {}
        try:
            update_slots.keep(app.folder, {"slot": state["trial"]})
        except OSError as error:
            app.flash_failed(error)
            reason = "flash can't be written: the trial goes on"
    else:
        update_slots.restart(app)
    if state.get("id"):
        reply = events.reply(state["id"], reason)
        if "failed" in state:
            reply["trial_failed"] = True
        app.link.say("reply", reply, 1)
    app.errand = None
    outbox_files.let_go("trial", "versions")


async def _is_answered(app):
    while not app.link.acks:
        await asyncio.sleep_ms(_LOOK_MS)
        if app.clock.up_ms() > _LIMIT_MS and app.is_quiet():
            return False
    return True
