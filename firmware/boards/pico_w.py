"""Raspberry Pi Pico W (RP2040 with Wi-Fi)."""

NAME = "pico_w"
FLASH = "/"  # where the filesystem with settings and outbox is mounted
PROG_SIZE = 256  # bytes that LittleFS programs at once
RADIO = True
HARD_IRQ = True
SETS_RTC = True  # the TLS library checks the dates of certificates by it
WATCHDOG_MS = 8000  # the RP2040 allows 8388 at most

# A pressed button connects its pin to ground. In the order yes, no, cant_say, seller.
BUTTONS = (2, 3, 4, 5)
LAMPS = (6, 7, 8, 9)
SOUNDER = 15
PLAYER = (0, 12, 13)  # UART number, tx, rx of the DFPlayer Mini
