"""Execute commands of the bridge, and the self-test of a technician at the serial line."""

import asyncio
import sys

import machine
from micropython import const

from console import events, outbox_files

_STEP_MS = const(15000)
_TONES_MS = const(500)
_LEAVE_MS = const(1000)  # before a restart, so that the reply is sent
_LEAVE_TRIES = const(60)  # a button that chatters must not keep the board from restarting for ever
_REPEAT_MS = const(1000)
_ALL = const(0b1111)  # buttons or lamps


def execute(app, command_id, command, expires_at_ms):
    """Execute a command and reply, or reply why not."""
    now_ms = app.clock.up_ms()
    at_ms = app.clock.at_ms(now_ms)
    reason = None
    if at_ms is None:
        reason = "the console does not know the time yet"
    elif at_ms > expires_at_ms:
        reason = "expired"
    elif command == "identify":
        app.lamps.identify(now_ms)
    elif command not in ("self_test", "restart") and (command != "maintenance" or app.board.RADIO):
        reason = "not a command for this board"
    elif app.tested is not None or (command == "self_test" and app.leaving_for):
        reason = "busy"
    elif command == "self_test":
        app.task = asyncio.create_task(self_test(app, command_id))
        return
    else:
        _leave(app, command)
    app.link.send("reply", events.reply(command_id, reason), 1)


def _leave(app, command):
    """Restart soon. Maintenance closes an open survey; `restart` waits for it, as an answer would be lost."""
    if command == "maintenance":
        app.table.test(True, app.clock.up_ms())
    if not app.leaving_for:
        app.task = asyncio.create_task(_restart(app))
    if app.leaving_for != "maintenance":
        app.leaving_for = command


async def _restart(app):
    """Restart the board once nobody is being asked or thanked; the file `restart` tells its next boot why."""
    for _ in range(_LEAVE_TRIES):
        await asyncio.sleep_ms(_LEAVE_MS)
        if app.table.is_idle() and (app.leaving_for == "maintenance" or app.is_quiet()):
            break
    try:
        outbox_files.write(app.folder + "/restart", "w", app.leaving_for)
    except OSError as error:
        app.flash_failed(error)
    machine.reset()


async def self_test(app, command_id=None):
    """Light one lamp after the other, and wait for its button to be pressed. An open survey closes first.

    Without a command it is for a technician at the serial line: it prints what to do, and asks for a long press of the
    seller's button, too.
    """
    app.tested = []
    app.table.test(True, app.clock.up_ms())
    buttons = lamps = 0
    for place in range(4):
        app.lamps.test(1 << place)
        began_ms = app.clock.up_ms()
        printed_ms = None
        while not lamps >> place & 1 and app.clock.up_ms() - began_ms < _STEP_MS:
            if not command_id:
                printed_ms = _repeat(app, printed_ms, "press " + events.BUTTONS[place])
            await asyncio.sleep_ms(50)
            for pressed in app.tested:
                buttons |= 1 << pressed
                if pressed == place:
                    lamps |= 1 << place
            app.tested = []
        if not command_id:
            _print(("felt " if lamps >> place & 1 else "missed ") + events.BUTTONS[place])
    passed = buttons == lamps == _ALL
    if not command_id:
        passed = await _long_press(app) and passed
    app.lamps.test(None)
    now_ms = app.clock.up_ms()
    app.table.test(False, now_ms)
    app.tested = None
    app.record((events.SELF_TESTED, now_ms, passed, buttons, lamps))
    if command_id:
        app.link.send("reply", events.reply(command_id, None if passed else "the self-test has failed"), 1)
    else:
        _print_missed(lamps)
        _print("passed" if passed else "failed")


def _print_missed(lamps):
    """Print again what was not pressed: the technician's computer may have found the port late."""
    for place in range(4):
        if not lamps >> place & 1:
            _print("missed " + events.BUTTONS[place])


async def for_technician(app, purpose):
    """Run the self-test for a technician at the serial line, or only print the number of this boot for some seconds."""
    if purpose == "self_test":
        await self_test(app)
        return
    began_ms = app.clock.up_ms()
    printed_ms = None
    while app.clock.up_ms() - began_ms < _STEP_MS:
        printed_ms = _repeat(app, printed_ms, "not wanted")
        await asyncio.sleep_ms(50)


async def _long_press(app):
    """Wait until the seller's button is held for a long press, and confirm it by tones; return whether it was."""
    printed_ms = None
    began_ms = since_ms = now_ms = app.clock.up_ms()
    while now_ms - began_ms < _STEP_MS and now_ms - since_ms < app.table.settings.long_press_ms:
        printed_ms = _repeat(app, printed_ms, "hold seller")
        await asyncio.sleep_ms(50)
        now_ms = app.clock.up_ms()
        if not app.buttons.is_pressed(events.SELLER):
            since_ms = now_ms
    held = now_ms - since_ms >= app.table.settings.long_press_ms
    if held:
        app.lamps.force_majeure_declared(now_ms)
    _print("held seller" if held else "missed long")
    await asyncio.sleep_ms(_TONES_MS)
    return held


def _repeat(app, printed_ms, words):
    """Print it each second: the technician's computer may find the port late. Returns when it was printed last."""
    now_ms = app.clock.up_ms()
    if printed_ms is not None and now_ms - printed_ms < _REPEAT_MS:
        return printed_ms
    _print("boot %d" % app.outbox.boot)
    _print(words)
    return now_ms


def _print(words):
    """Print a line of its own, even if the serial line is the bridge's and a message is half written."""
    sys.stdout.write("\nself_test: %s\n" % words)
