"""Raspberry Pi Pico (RP2040 without radio): wired like the Pico W; it uses its USB serial line."""

NAME = "pico"
FLASH = "/"  # where the filesystem with settings and outbox is mounted
PROG_SIZE = 256  # bytes that LittleFS programs at once
RADIO = False
HARD_IRQ = True
SETS_RTC = False
WATCHDOG_MS = 8000  # the RP2040 allows 8388 at most

# A pressed button connects its pin to ground. In the order yes, no, cant_say, seller.
BUTTONS = (2, 3, 4, 5)
LAMPS = (6, 7, 8, 9)
SOUNDER = 15
PLAYER = (0, 12, 13)  # UART number, tx, rx of the DFPlayer Mini
