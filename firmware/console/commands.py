"""What the bridge may tell a console to do."""

import asyncio
import sys

import machine
from micropython import const

from console import events

_STEP_MS = const(15000)
_TONES_MS = const(500)
_AGAIN_MS = const(1000)
_ALL = const(0b1111)  # buttons or lamps


def obey(app, command_id, command, expires_at_ms):
    """Does it, or replies why not."""
    now_ms = app.clock.up_ms()
    at_ms = app.clock.at_ms(now_ms)
    reason = None
    if at_ms is None:
        reason = "the console does not know the time yet"
    elif at_ms > expires_at_ms:
        reason = "expired"
    elif command == "identify":
        app.lamps.identify(now_ms)
    elif command == "restart" or (command == "maintenance" and not app.board.RADIO):
        app.errand = asyncio.create_task(restart(app, command))
    elif command == "self_test" and app.tested is None:
        app.errand = asyncio.create_task(self_test(app, command_id))
        return
    else:
        reason = "busy" if command == "self_test" else "not a command for this board"
    app.link.say("reply", events.reply(command_id, reason), 1)


async def restart(app, command):
    """Starts the board anew, with a word for its next boot."""
    await asyncio.sleep_ms(1000)  # for the reply
    try:
        with open(app.folder + "/restart", "w") as file:
            file.write(command)
    except OSError as error:
        app.flash_failed(error)
    machine.reset()


async def self_test(app, command_id=None):
    """Lights one lamp after the other; who sees it presses the button in it.

    Without a command it is for a technician at the serial line, who is told what to do; he then holds the seller's
    button for a long press, too.
    """
    app.tested = []
    app.table.test(True, app.clock.up_ms())
    buttons = lamps = 0
    for place in range(4):
        app.lamps.test(1 << place)
        began_ms = app.clock.up_ms()
        told_ms = None
        while not lamps >> place & 1 and app.clock.up_ms() - began_ms < _STEP_MS:
            if not command_id:
                told_ms = _tell_again(app, told_ms, "press " + events.BUTTONS[place])
            await asyncio.sleep_ms(50)
            for pressed in app.tested:
                buttons |= 1 << pressed
                if pressed == place:
                    lamps |= 1 << place
            app.tested = []
        if not command_id:
            _tell(("felt " if lamps >> place & 1 else "missed ") + events.BUTTONS[place])
    passed = buttons == lamps == _ALL
    if not command_id:
        passed = await _long_press(app) and passed
    app.lamps.test(None)
    now_ms = app.clock.up_ms()
    app.table.test(False, now_ms)
    app.tested = None
    app.record((events.SELF_TESTED, now_ms, passed, buttons, lamps))
    if command_id:
        app.link.say("reply", events.reply(command_id, None if passed else "the self-test has failed"), 1)
    else:
        _tell_missed(lamps)
        _tell("passed" if passed else "failed")


def _tell_missed(lamps):
    """Tells once more what was not seen: his computer may have found the port late."""
    for place in range(4):
        if not lamps >> place & 1:
            _tell("missed " + events.BUTTONS[place])


async def for_technician(app, wish):
    """Tells him at the serial line which boot this is, for some seconds, or with each step of the self-test."""
    if wish == "self_test":
        await self_test(app)
        return
    began_ms = app.clock.up_ms()
    told_ms = None
    while app.clock.up_ms() - began_ms < _STEP_MS:
        told_ms = _tell_again(app, told_ms, "not wanted")
        await asyncio.sleep_ms(50)


async def _long_press(app):
    """True once the seller's button was held for a long press; two tones say so."""
    told_ms = None
    began_ms = since_ms = now_ms = app.clock.up_ms()
    while now_ms - began_ms < _STEP_MS and now_ms - since_ms < app.table.settings.long_press_ms:
        told_ms = _tell_again(app, told_ms, "hold seller")
        await asyncio.sleep_ms(50)
        now_ms = app.clock.up_ms()
        if not app.buttons.is_pressed(events.SELLER):
            since_ms = now_ms
    held = now_ms - since_ms >= app.table.settings.long_press_ms
    if held:
        app.lamps.force_majeure_declared(now_ms)
    _tell("held seller" if held else "missed long")
    await asyncio.sleep_ms(_TONES_MS)
    return held


def _tell_again(app, told_ms, words):
    """Tells it each second: his computer may find the port late. Answers when it was told last."""
    now_ms = app.clock.up_ms()
    if told_ms is not None and now_ms - told_ms < _AGAIN_MS:
        return told_ms
    _tell("boot %d" % app.outbox.boot)
    _tell(words)
    return now_ms


def _tell(words):
    """A line of its own, also within a message that is under way on a line that is the bridge's."""
    sys.stdout.write("\nself_test: %s\n" % words)
