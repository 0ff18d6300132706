"""MicroPython's Unix port under the simulator, whose `machine` and `network` stand in for the hardware."""

NAME = "unix"
FLASH = "/flash"  # where the filesystem is mounted that settings and outbox live in
PROG_SIZE = 256  # bytes that LittleFS programs at once
RADIO = True
HARD_IRQ = True
SETS_RTC = False  # the host's clock is right
WATCHDOG_MS = 8000

# Buttons close to ground; in the order yes, no, cant_say, seller.
BUTTONS = (2, 3, 4, 5)
LAMPS = (6, 7, 8, 9)
SOUNDER = 15
PLAYER = (0, 12, 13)  # UART number, tx, rx of the DFPlayer Mini
