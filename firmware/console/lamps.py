"""Drive lamps and sound, with one function for each meaning. `show` is called every 10 ms and sets the pins."""

import struct

from machine import PWM, UART, Pin
from micropython import const

_PRESSED_MS = const(300)
_THANKS_MS = const(2000)
_IDENTIFY_MS = const(5000)
_DECLARED_MS = const(1000)
_SELLER = const(3)

_LOUD = const(32768)  # half of the duty cycle
CLICK = ((2500, 20),)
PROMPT = ((880, 120), (1175, 180))
THANKS = ((1568, 100), (2093, 200))
REFUSED = ((330, 150),)
DECLARED = ((660, 150), (0, 60), (660, 150))
IDENTIFY = ((1760, 100), (0, 300)) * 8

# How often the seller's lamp blinks for each fault; of several faults it shows the first in this order.
BLINK_CODES = (("flash", 4), ("stuck", 3), ("outbox", 2), ("network", 1), ("settings", 5))
_BLINK_MS = const(400)
_PAUSE_MS = const(1600)

_PLAY_TRACK = const(0x12)  # in the folder "mp3", by its number
_VOLUME = const(0x06)


def player_frame(command, argument):
    """Return a command to the DFPlayer Mini: ten bytes, whose checksum is the negative sum of the six in the middle."""
    body = bytes((0xFF, 6, command, 0, argument >> 8, argument & 0xFF))
    return b"\x7e" + body + struct.pack(">H", -sum(body) & 0xFFFF) + b"\xef"


def blink_code(faults):
    """Return how often the seller's lamp blinks for these faults (`stuck:yes` is `stuck`); 0 if there is none."""
    for name, blinks in BLINK_CODES:
        for fault in faults:
            if fault.split(":")[0] == name:
                return blinks
    return 0


class Lamps:
    """The four lamps (answers, seller), the sounder and the player. Times are up_ms."""

    def __init__(self, board):
        self._pins = [Pin(number, Pin.OUT, value=0) for number in board.LAMPS]
        self._lit = [False] * 4
        self._sounder = PWM(Pin(board.SOUNDER), freq=1000, duty_u16=0)
        self._player_at = board.PLAYER
        self._player = None
        self._tones = ()
        self._tone_at = 0
        self._tone_until = None
        self._open = False
        self._chosen = None
        self._chosen_until = self._identify_until = 0
        self._pressed_until = [0] * 4
        self._answer_until = 0  # until when any answer's lamp is lit because it was pressed
        self._tested = None

    def press_taken(self, button, now_ms):
        """Confirm that the press was noticed; whether it counts is decided later. The console has been found, too."""
        self._identify_until = 0
        self._pressed_until[button] = now_ms + _PRESSED_MS
        if button != _SELLER:
            self._answer_until = self._pressed_until[button]
        self._play(CLICK)

    def survey_opened(self, prompt):
        """Light the answer lamps, and ask the customer by `prompt`: `none`, `tone` or `track:N`."""
        self._open = True
        self._chosen = None
        if prompt == "tone":
            self._play(PROMPT)
        elif prompt != "none":
            self._track(int(prompt.split(":")[1]))

    def survey_closed(self):
        """Put out the answer lamps: the survey has closed without an answer."""
        self._open = False

    def thanks(self, button, now_ms):
        """Thank for an answer that is safe in flash."""
        self._open = False
        self._chosen = button
        self._chosen_until = now_ms + _THANKS_MS
        self._play(THANKS)

    def refused(self):
        """Signal that a press neither answers nor opens a survey."""
        self._play(REFUSED)

    def force_majeure_declared(self, now_ms):
        """Signal to the seller that force majeure is noted: he may release the button."""
        self._pressed_until[_SELLER] = now_ms + _DECLARED_MS
        self._play(DECLARED)

    def identify(self, now_ms):
        """Blink all lamps and beep, so that somebody finds this console."""
        self._identify_until = now_ms + _IDENTIFY_MS
        self._play(IDENTIFY)

    def test(self, lit):
        """Light only the lamps whose bits are set in `lit`, for a self-test; None ends it."""
        self._tested = lit

    def show(self, now_ms, blinks):
        """Set lamps and sounder to their present state; `blinks` is how often the seller's lamp blinks."""
        for place in range(4):
            lit = self._is_lit(place, now_ms, blinks)
            if lit != self._lit[place]:
                self._lit[place] = lit
                self._pins[place].value(lit)
        if self._tones:
            self._sound(now_ms)

    def _is_lit(self, place, now_ms, blinks):
        if self._tested is not None:
            return bool(self._tested >> place & 1)
        if self._pressed_until[place] > now_ms:
            return True
        if place != _SELLER and self._chosen is not None and now_ms < self._chosen_until:
            return place == self._chosen
        if now_ms < self._identify_until:
            return now_ms // 250 % 2 == 0
        if place == _SELLER:
            phase = now_ms % (blinks * _BLINK_MS + _PAUSE_MS)
            return phase < blinks * _BLINK_MS and phase % _BLINK_MS < _BLINK_MS // 2
        return self._open and self._answer_until <= now_ms  # else only the pressed one

    def _play(self, tones):
        self._tones = tones
        self._tone_at = 0
        self._tone_until = None

    def _sound(self, now_ms):
        if self._tone_until is not None and now_ms < self._tone_until:
            return
        if self._tone_at == len(self._tones):
            self._tones = ()
            self._sounder.duty_u16(0)
            return
        hertz, length_ms = self._tones[self._tone_at]
        self._tone_at += 1
        self._tone_until = now_ms + length_ms
        if hertz:
            self._sounder.freq(hertz)
        self._sounder.duty_u16(_LOUD if hertz else 0)

    def _track(self, number):
        if self._player is None:
            port, tx, rx = self._player_at
            self._player = UART(port, baudrate=9600, tx=Pin(tx), rx=Pin(rx))
            self._player.write(player_frame(_VOLUME, 25))
        self._player.write(player_frame(_PLAY_TRACK, number))
