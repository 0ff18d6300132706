"""ESP32 DevKit (38 pins, ESP32-WROOM-32). None of its pins is used at start-up, so any button may be held then."""

NAME = "esp32"
FLASH = "/"  # where the filesystem with settings and outbox is mounted
PROG_SIZE = 32  # bytes that LittleFS programs at once
RADIO = True
HARD_IRQ = False  # interrupts run from the scheduler
SETS_RTC = True  # the TLS library checks the dates of certificates by it
WATCHDOG_MS = 8000

# A pressed button connects its pin to ground. In the order yes, no, cant_say, seller.
BUTTONS = (32, 33, 25, 26)
LAMPS = (18, 19, 21, 22)
SOUNDER = 27
PLAYER = (2, 17, 16)  # UART number, tx, rx of the DFPlayer Mini
