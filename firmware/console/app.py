"""Wire the console's parts together, and run their tasks."""

import asyncio
import gc
import time
from binascii import hexlify

import machine
from micropython import const, kbd_intr

from console import events, health, outbox_files
from console.buttons import POLL_MS, Buttons
from console.clock import Clock
from console.lamps import Lamps, blink_code
from console.link import Link
from console.outbox import Outbox
from console.outbox_ram import RamOutbox  # now, as it may not be readable once it is needed
from console.survey import PRESS_TESTED, SurveyTable
from console.version import VERSION

_COLLECT_BYTES_MIN = const(4096)  # allocated since the last collection
_NEEDED_BYTES = const(49152)  # by the tasks, and by an update
_QUIET_MS = const(3000)  # without a survey or a contact: then a press in the next moment is unlikely
TASK_LIMITS_MS = {"buttons": 5000, "link": 60000, "heart": 10000}


def button_of(fact):
    """Return the button whose press is counted with this fact, or None."""
    kind = fact[events.TYPE]
    if kind in (events.SURVEY_OPENED, events.FORCE_MAJEURE_DECLARED):
        return events.SELLER
    if kind == events.SURVEY_CLOSED and fact[events.CAUSE] == events.ANSWERED:
        return fact[events.OUTCOME]
    return fact[events.BUTTON] if kind == events.STRAY_PRESSED else None


def ram_outbox(boot):
    """Return an outbox in RAM, for a boot in which flash has failed."""
    return RamOutbox(events.encode, events.decode, boot=boot)


class App:
    """The console.

    `folder` is where its files are, `reset` the code of `booted.reset`, `update` what `update_slots.trial_state`
    returns, and `purpose` one of `startup.PURPOSES` or None.
    """

    firmware = VERSION
    button_names = events.BUTTONS

    def __init__(self, board, config, folder, reset, update, purpose=None):
        self.board = board
        self.hardware_id = hexlify(machine.unique_id()).decode()
        self.clock = Clock(time.ticks_ms, time.ticks_diff)
        self.folder = folder
        self._reset = reset
        self.update = update
        self._purpose = purpose
        self._flash_failed = False
        self._settings_fault = not config
        self._failed_outbox = None  # the one in flash, once it can't be written, as long as it holds events to send
        self.outbox = self._open_outbox()
        self._epoch = self._reported_epoch = self.outbox.epoch
        self._newest = self._load_settings()  # the newest settings
        self.table = SurveyTable(self._newest)
        self._in_force = self._newest
        self.lamps = Lamps(board)
        self.buttons = Buttons(board.BUTTONS, self.clock, self._newest.debounce_ms, self.table, self._contact)
        self.pulse = health.Pulse(self.clock, TASK_LIMITS_MS)
        self.link = Link(self, config)
        self._survey = None  # the number of the last survey_opened
        self._contact_ms = self._blinks = 0
        self._last_command = None
        self.tested = None  # buttons pressed in the self-test that is running
        self.leaving_for = None  # the command that restarts the board soon
        self.task = None  # of a command that takes time, of a trial, or of an update

    def _open_outbox(self):
        outbox = Outbox(self.folder + "/outbox", events.encode, events.decode, self.board.PROG_SIZE)
        try:
            outbox_files.check_speed()
            outbox.open()
        except OSError as error:
            self.flash_failed(error)
            self._failed_outbox = outbox
            return ram_outbox(outbox.boot)
        return outbox

    def _load_settings(self):
        from console import settings as settings_file

        settings = settings_file.load(self.folder + "/settings.json")
        if isinstance(settings, str):
            health.report("settings", settings)
            self._settings_fault = True
            settings = None
        outbox_files.unload("settings")
        return settings or settings_file.Settings()

    async def main(self):
        """Run the console for ever."""
        self._report_epoch()
        self.record((events.BOOTED, self.clock.up_ms(), self._reset, VERSION, self.board.NAME, self.hardware_id))
        self._record_settings()
        tasks = [self._watch_buttons(), self._heart(), self.link.run(), self.link.keep_time()]
        running = [asyncio.create_task(task) for task in tasks]
        if self.update:
            from console import update_trial

            self.task = asyncio.create_task(update_trial.run(self))
        elif self._purpose:
            from console import commands

            self.task = asyncio.create_task(commands.for_technician(self, self._purpose))
            del commands
        await self.pulse.supervise(self.board.WATCHDOG_MS)
        del running

    def _report_epoch(self):
        """Report to a technician which boot this is, and which numbers of which epoch wait."""
        outbox = self.outbox
        self._reported_epoch = outbox.epoch
        health.report("boot", "%d, epoch %s, outbox %d to %d" % (outbox.boot, outbox.epoch, outbox.first, outbox.next))

    def _record_settings(self):
        """Record `settings_applied` at each start and in each epoch.

        Power may have gone before it was recorded, and an epoch must be complete in itself.
        """
        if self._newest.revision:
            self.record((events.SETTINGS_APPLIED, self.clock.up_ms(), self._newest.revision))

    # Facts go into the outbox, then to the lamps.

    def record(self, fact):
        """Store a fact as an event, and show it once it is safe. Does nothing for None."""
        if fact is None:
            return
        if self._epoch != self.outbox.epoch:
            self._epoch = self.outbox.epoch
            self.lamps.survey_closed()
            fact = self.table.new_epoch(fact)
            self._record_settings()
            if fact is None:
                return
        try:
            event = events.event(fact, self.outbox.boot, self.clock.at_ms(fact[events.UP_MS]), self._survey)
            number = self.outbox.append(event, button_of(fact))
        except OSError as error:
            self._leave_flash(error)
            self.record(fact)
            return
        if fact[events.TYPE] == events.SURVEY_OPENED:
            self._survey = number
        self.link.wake()
        self._show(fact)

    def _show(self, fact):
        kind, now_ms = fact[events.TYPE], self.clock.up_ms()
        if kind == events.SURVEY_OPENED:
            self.lamps.survey_opened(self.table.settings.prompt)
        elif kind == events.SURVEY_CLOSED and fact[events.CAUSE] == events.ANSWERED:
            self.lamps.thanks(fact[events.OUTCOME], now_ms)
        elif kind == events.SURVEY_CLOSED:
            self.lamps.survey_closed()
        elif kind == events.STRAY_PRESSED:
            self.lamps.refused()
        elif kind == events.FORCE_MAJEURE_DECLARED:
            self.lamps.force_majeure_declared(now_ms)

    def flash_failed(self, error):
        """Report that flash could not be read or written; it is a fault until the next start."""
        self._flash_failed = True
        health.report("flash", error)

    def _leave_flash(self, error):
        self.flash_failed(error)
        self._failed_outbox = self.outbox
        self.outbox = ram_outbox(self._failed_outbox.boot)

    def in_delivery(self):
        """Return the outbox to send from now: the failed one as long as it can be read, then the one in use."""
        if self._failed_outbox:
            _, first, end = self._failed_outbox.delivery()
            if first < end and not self._failed_outbox.fault and not outbox_files.is_slow():
                return self._failed_outbox
            self._failed_outbox = None
        return self.outbox

    # Buttons.

    def _contact(self, button):
        self._contact_ms = self.clock.up_ms()
        if not self.table.stuck[button]:
            self.lamps.press_taken(button, self._contact_ms)

    async def _watch_buttons(self):
        before_ms = self.clock.up_ms()
        while True:
            settled_ms = self.buttons.poll()
            now_ms = self.clock.up_ms()
            self.lamps.show(now_ms, self._blinks)  # before flash takes its time
            self.pulse.beat("buttons")
            self.pulse.late(max(now_ms - before_ms - POLL_MS, 0))
            before_ms = now_ms
            fact = self.table.take(settled_ms)
            if fact is None:
                await asyncio.sleep_ms(POLL_MS)
                continue
            if fact[events.TYPE] != PRESS_TESTED:
                self.record(fact)
            elif self.tested is not None:
                self.tested.append(fact[events.BUTTON])
            if self._in_force is not self.table.settings:
                self._in_force = self.table.settings
                self.buttons.set_debounce(self._in_force.debounce_ms)
            await asyncio.sleep_ms(0)  # a fact a turn: each may take an erase, and what it lights is shown at once

    # Health.

    def faults(self):
        """Return what is wrong now, in the words of `health.faults` (schema/health.json)."""
        faults = ["flash"] if self._flash_failed or self.outbox.fault else []
        if self._settings_fault:
            faults.append("settings")
        for name, is_stuck in zip(events.BUTTONS, self.table.stuck):
            if is_stuck:
                faults.append("stuck:" + name)
        if self.clock.source is None:
            faults.append("clock")
        if "failed" in self.update:
            faults.append("update")
        return faults

    async def send_health(self):
        """Send a `health` message."""
        self.link.send("health", await health.figures(self), 0, True)

    async def _heart(self):
        sent_ms = self.clock.up_ms()
        has_flash_failed = False
        while True:
            await asyncio.sleep_ms(500)
            self.pulse.beat("heart")
            if self._reported_epoch != self.outbox.epoch:
                self._report_epoch()
            faults = self.faults()
            if self.outbox.next - self.outbox.first > self.outbox.limit // 2:
                faults.append("outbox")
            if self.link.is_down():
                faults.append("network")
            self._blinks = blink_code(faults)
            self._tend_outbox()
            is_due = self.clock.up_ms() - sent_ms >= self.table.settings.heartbeat_ms
            if is_due or has_flash_failed != ("flash" in faults):
                has_flash_failed = "flash" in faults
                sent_ms = self.clock.up_ms()
                await self.send_health()

    def is_quiet(self):
        """Return whether nobody uses the console now, or is likely to in the next moment."""
        if not self.table.is_idle() or self.tested is not None:
            return False
        return self.clock.up_ms() - self._contact_ms > _QUIET_MS

    def _tend_outbox(self):
        """Leave flash that has become slow; else tidy it while nobody presses."""
        try:
            if isinstance(self.outbox, Outbox):
                outbox_files.check_speed()
            if self.is_quiet():
                self.outbox.tidy()
        except OSError as error:
            self._leave_flash(error)

    # Messages from the bridge.

    async def take_settings(self, message):
        """Use the settings of a decoded `settings` message; if they can't be used, `health.faults` says so."""
        from console import settings as settings_file  # they come once in a session

        outbox_files.unload("settings")
        settings = settings_file.check(message)
        refused = isinstance(settings, str)
        if refused:
            health.report("settings", settings)
        elif settings.revision < self._newest.revision:
            return
        if refused != self._settings_fault:
            self._settings_fault = refused
            await self.send_health()
        if refused or not settings_file.replaces(settings, self._newest):
            return
        try:
            settings_file.save(self.folder + "/settings.json", settings)
        except OSError as error:
            self.flash_failed(error)
        self._newest = settings
        self.table.apply(settings, self.clock.up_ms())

    def take_command(self, command_id, command, expires_at_ms):
        """Execute a command, or reply why not; a command that comes again is ignored."""
        if command_id != self._last_command:
            self._last_command = command_id
            from console import commands  # few consoles ever get one

            commands.execute(self, command_id, command, expires_at_ms)


def run():
    """Run the console; return only to leave the board to a technician."""
    from console import startup

    arguments = startup.app_arguments()
    del startup
    outbox_files.unload("startup", "update_slots")
    if arguments is None:
        return
    if not arguments[0].RADIO and arguments[1]:
        health.be_quiet()  # the serial line belongs to the bridge; without console.json, to a technician
        kbd_intr(-1)
    gc.collect()
    # A collection stops a board for 12 ms, and draining the outbox allocates 1.5 kB an event; but a heap that fills up
    # breaks into small pieces, and an update needs large ones.
    gc.threshold(max((gc.mem_free() - _NEEDED_BYTES) // 3, _COLLECT_BYTES_MIN))
    asyncio.run(App(*arguments).main())
