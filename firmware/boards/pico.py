"""Raspberry Pi Pico (RP2040 without radio): wired as the Pico W, and speaks over its USB serial line."""

NAME = "pico"
FLASH = "/"  # where the filesystem is mounted that settings and outbox live in
PROG_SIZE = 256  # bytes that LittleFS programs at once
RADIO = False
HARD_IRQ = True
SETS_RTC = False
WATCHDOG_MS = 8000  # the RP2040's runs out at 8388

# Buttons close to ground; in the order yes, no, cant_say, seller.
BUTTONS = (2, 3, 4, 5)
LAMPS = (6, 7, 8, 9)
SOUNDER = 15
PLAYER = (0, 12, 13)  # UART number, tx, rx of the DFPlayer Mini
