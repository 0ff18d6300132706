"""List what is printed at the pins of the boards that a console can be built on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Header:
    """A board seen from above: what is printed at its pins from top to bottom, and the end at which it has USB."""

    title: str
    prefix: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    power: str
    chip: str
    colour: str
    usb_on_top: bool
    numbered: bool


_PICO = {
    "prefix": "GP",
    "left": (
        *("GP0", "GP1", "GND", "GP2", "GP3", "GP4", "GP5", "GND", "GP6", "GP7"),
        *("GP8", "GP9", "GND", "GP10", "GP11", "GP12", "GP13", "GND", "GP14", "GP15"),
    ),
    "right": (
        *("VBUS", "VSYS", "GND", "3V3_EN", "3V3", "ADC_VREF", "GP28", "AGND", "GP27", "GP26"),
        *("RUN", "GP22", "GND", "GP21", "GP20", "GP19", "GP18", "GND", "GP17", "GP16"),
    ),
    "power": "VBUS",
    "chip": "RP2040",
    "colour": "#1d5c43",
    "usb_on_top": True,
    "numbered": True,
}
HEADERS = {
    "esp32": Header(
        title="ESP32 DevKit (38 pins)",
        prefix="IO",
        left=(
            *("3V3", "EN", "IO36", "IO39", "IO34", "IO35", "IO32", "IO33", "IO25", "IO26"),
            *("IO27", "IO14", "IO12", "GND", "IO13", "SD2", "SD3", "CMD", "5V"),
        ),
        right=(
            *("GND", "IO23", "IO22", "TX", "RX", "IO21", "GND", "IO19", "IO18", "IO5"),
            *("IO17", "IO16", "IO4", "IO0", "IO2", "IO15", "SD1", "SD0", "CLK"),
        ),
        power="5V",
        chip="ESP32-WROOM-32",
        colour="#2b303b",
        usb_on_top=False,
        numbered=False,
    ),
    "pico_w": Header(title="Raspberry Pi Pico W", **_PICO),  # type: ignore[arg-type]
    "pico": Header(title="Raspberry Pi Pico", **_PICO),  # type: ignore[arg-type]
}
