"""MicroPython's Unix port in the simulator, whose `machine` and `network` replace the hardware."""

NAME = "unix"
FLASH = "/flash"  # where the filesystem with settings and outbox is mounted
PROG_SIZE = 256  # bytes that LittleFS programs at once
RADIO = True
HARD_IRQ = True
SETS_RTC = False  # the host's clock is right
WATCHDOG_MS = 8000

# A pressed button connects its pin to ground. In the order yes, no, cant_say, seller.
BUTTONS = (2, 3, 4, 5)
LAMPS = (6, 7, 8, 9)
SOUNDER = 15
PLAYER = (0, 12, 13)  # UART number, tx, rx of the DFPlayer Mini
