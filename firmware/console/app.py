"""The console: its parts wired together, and the tasks that run them."""

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
from console.survey import PRESS_TESTED, SurveyTable
from console.version import VERSION

_COLLECT_BYTES = const(4096)  # given out since the last collection: a heap left to fill up breaks into small pieces
_QUIET_MS = const(3000)  # without a survey or a contact: then a press in the next moment is not likely
TASK_LIMITS_MS = {"buttons": 5000, "link": 60000, "heart": 10000}


def button_of(fact):
    """The button whose press is counted with this fact, or None."""
    kind = fact[0]
    if kind in (events.SURVEY_OPENED, events.FORCE_MAJEURE_DECLARED):
        return events.SELLER
    if kind == events.SURVEY_CLOSED and fact[7] == events.ANSWERED:
        return fact[6]
    return fact[2] if kind == events.STRAY_PRESSED else None


def ram_outbox(boot):
    """An outbox in RAM, for a boot in which flash has failed."""
    from console.outbox_ram import RamOutbox

    return RamOutbox(events.encode, events.decode, boot=boot)


class App:
    """The console. `folder` is where its files lie, `reset` the code of `booted.reset`; `update`: `versions.news`."""

    firmware = VERSION
    button_names = events.BUTTONS

    def __init__(self, board, config, folder, reset, update, wish=None):
        self.board = board
        self.hardware_id = hexlify(machine.unique_id()).decode()
        self.clock = Clock(time.ticks_ms, time.ticks_diff)
        self.folder = folder
        self._reset = reset
        self.update = update
        self._wish = wish
        self._flash_failed = False
        self._settings_fault = not config
        self._older = None  # the outbox in flash, once it takes no more, for as long as something in it waits
        self.outbox = self._open_outbox()
        self._epoch = self._epoch_said = self.outbox.epoch
        self._newest = self._load_settings()
        self.table = SurveyTable(self._newest)
        self._in_force = self._newest
        self.lamps = Lamps(board)
        self.buttons = Buttons(board.BUTTONS, self.clock, self._newest.debounce_ms, self.table, self._contact)
        self.pulse = health.Pulse(self.clock, TASK_LIMITS_MS)
        self.link = Link(self, config)
        self._survey = None  # the number of the last survey_opened
        self._contact_ms = self._blinks = 0
        self._last_command = None
        self.tested = None  # presses of a self-test under way
        self.errand = None  # the task of a command that takes time

    def _open_outbox(self):
        outbox = Outbox(self.folder + "/outbox", events.encode, events.decode, self.board.PROG_SIZE)
        try:
            outbox.open()
        except OSError as error:
            self.flash_failed(error)
            self._older = outbox
            return ram_outbox(outbox.boot)
        return outbox

    def _load_settings(self):
        from console import settings as settings_file

        settings = settings_file.load(self.folder + "/settings.json")
        if isinstance(settings, str):
            health.report("settings", settings)
            self._settings_fault = True
            settings = None
        outbox_files.let_go("settings")
        return settings or settings_file.Settings()

    async def main(self):
        """Runs the console for ever."""
        self._say_epoch()
        self.record((events.BOOTED, self.clock.up_ms(), self._reset, VERSION, self.board.NAME, self.hardware_id))
        self._say_settings()
        tasks = [self._watch_buttons(), self._heart(), self.link.run(), self.link.keep_time()]
        running = [asyncio.create_task(task) for task in tasks]
        if self.update:
            from console import update_trial

            self.errand = asyncio.create_task(update_trial.see_to(self))
        elif self._wish:
            from console import commands

            self.errand = asyncio.create_task(commands.for_technician(self, self._wish))
            del commands
        await self.pulse.supervise(self.board.WATCHDOG_MS)
        del running

    def _say_epoch(self):
        """Tells a technician which boot this is, and which numbers wait in which epoch."""
        outbox = self.outbox
        self._epoch_said = outbox.epoch
        health.report("boot", "%d, epoch %s, outbox %d to %d" % (outbox.boot, outbox.epoch, outbox.first, outbox.next))

    def _say_settings(self):
        """Told at each start and in each epoch: power may have gone before, and an epoch must speak for itself."""
        if self._newest.revision:
            self.record((events.SETTINGS_APPLIED, self.clock.up_ms(), self._newest.revision))

    # Facts: into the outbox, then shown.

    def record(self, fact):
        """Keeps a fact as an event, and shows it once it is safe. None is no fact."""
        if fact is None:
            return
        if self._epoch != self.outbox.epoch:
            self._epoch = self.outbox.epoch
            self.lamps.survey_closed()
            fact = self.table.forget(fact)
            self._say_settings()
            if fact is None:
                return
        try:
            event = events.event(fact, self.outbox.boot, self.clock.at_ms(fact[1]), self._survey)
            number = self.outbox.append(event, button_of(fact))
        except OSError as error:
            self._leave_flash(error)
            self.record(fact)
            return
        if fact[0] == events.SURVEY_OPENED:
            self._survey = number
        self.link.wake()
        self._show(fact)

    def _show(self, fact):
        kind, now_ms = fact[0], self.clock.up_ms()
        if kind == events.SURVEY_OPENED:
            self.lamps.survey_opened(self.table.settings.prompt)
        elif kind == events.SURVEY_CLOSED and fact[7] == events.ANSWERED:
            self.lamps.thanks(fact[6], now_ms)
        elif kind == events.SURVEY_CLOSED:
            self.lamps.survey_closed()
        elif kind == events.STRAY_PRESSED:
            self.lamps.refused()
        elif kind == events.FORCE_MAJEURE_DECLARED:
            self.lamps.force_majeure_declared(now_ms)

    def flash_failed(self, error):
        """Flash could not be read or written: a fault until the next start."""
        self._flash_failed = True
        health.report("flash", error)

    def _leave_flash(self, error):
        self.flash_failed(error)
        self._older = self.outbox
        self.outbox = ram_outbox(self._older.boot)

    def in_delivery(self):
        """The outbox whose events are to be sent now: that in flash as long as it can be read, then that in use."""
        if self._older:
            _, first, end = self._older.delivery()
            if first < end and not self._older.fault:
                return self._older
            self._older = None
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
            self.lamps.show(self.clock.up_ms(), self._blinks)  # before flash takes its time
            fact = self.table.take(settled_ms)
            while fact is not None:
                if fact[0] != PRESS_TESTED:
                    self.record(fact)
                elif self.tested is not None:
                    self.tested.append(fact[2])
                fact = self.table.take(settled_ms)
            if self._in_force is not self.table.settings:
                self._in_force = self.table.settings
                self.buttons.set_debounce(self._in_force.debounce_ms)
            now_ms = self.clock.up_ms()
            self.pulse.beat("buttons")
            self.pulse.late(max(now_ms - before_ms - POLL_MS, 0))
            before_ms = now_ms
            await asyncio.sleep_ms(POLL_MS)

    # Health.

    def faults(self):
        """What is wrong now, by the names of contract.md."""
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

    def say_health(self):
        """Sends the figures."""
        self.link.say("health", health.figures(self), 0, True)

    async def _heart(self):
        said_ms = self.clock.up_ms()
        while True:
            await asyncio.sleep_ms(500)
            self.pulse.beat("heart")
            if self._epoch_said != self.outbox.epoch:
                self._say_epoch()
            faults = self.faults()
            if self.outbox.next - self.outbox.first > self.outbox.limit // 2:
                faults.append("outbox")
            if self.link.is_down():
                faults.append("network")
            self._blinks = blink_code(faults)
            if self.is_quiet():
                self._tidy()
            if self.clock.up_ms() - said_ms >= self.table.settings.heartbeat_ms:
                said_ms = self.clock.up_ms()
                self.say_health()

    def is_quiet(self):
        """True if nobody uses the console now, nor is likely to in the next moment."""
        if self.table.opened_ms is not None or self.tested is not None:
            return False
        return self.clock.up_ms() - self._contact_ms > _QUIET_MS

    def _tidy(self):
        try:
            self.outbox.tidy()
        except OSError as error:
            self._leave_flash(error)

    # What the bridge says.

    def settings_came(self, message):
        """Takes a decoded `settings` message, or says in `health.faults` that it can't."""
        from console import settings as settings_file  # they come once a session

        outbox_files.let_go("settings")
        settings = settings_file.check(message)
        refused = isinstance(settings, str)
        if refused:
            health.report("settings", settings)
        elif settings.revision < self._newest.revision:
            return
        if refused != self._settings_fault:
            self._settings_fault = refused
            self.say_health()
        if refused or not settings_file.is_news(settings, self._newest):
            return
        try:
            settings_file.keep(self.folder + "/settings.json", settings)
        except OSError as error:
            self.flash_failed(error)
        self._newest = settings
        self.table.apply(settings, self.clock.up_ms())

    def command_came(self, command_id, command, expires_at_ms):
        """Obeys a command, or says why not; the same one only once."""
        if command_id != self._last_command:
            self._last_command = command_id
            from console import commands  # few consoles ever get one

            commands.obey(self, command_id, command, expires_at_ms)


def run():
    """Runs the console; returns only to leave a board to its technician."""
    from console import startup

    found = startup.found()
    del startup
    outbox_files.let_go("startup", "update_slots")
    if found is None:
        return
    if not found[0].RADIO:
        health.be_quiet()  # the serial line is the bridge's
        kbd_intr(-1)
    gc.collect()
    gc.threshold(_COLLECT_BYTES)
    asyncio.run(App(*found).main())
