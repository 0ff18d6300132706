"""`network` of boards with a radio: one access point, which the simulator switches off and on."""
# ruff: noqa: ARG002, PLR2004 - the real module's arguments and limits

import utime
import wires

STA_IF, AP_IF = 0, 1
_JOIN_MS = 150  # how long joining takes
if wires.rp2:
    STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 0, 1, 3
    STAT_WRONG_PASSWORD, STAT_NO_AP_FOUND, STAT_CONNECT_FAIL = -3, -2, -1
else:
    STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
    STAT_WRONG_PASSWORD, STAT_NO_AP_FOUND = 202, 201
    STAT_BEACON_TIMEOUT, STAT_ASSOC_FAIL, STAT_HANDSHAKE_TIMEOUT = 200, 203, 204

_hostname = "mpy-esp32" if wires.board == "esp32" else "PicoW"


class _State:
    active = False
    wanted = None  # (ssid, key) of the network to join
    since = 0  # when joining began
    joined = False
    failure = None  # why the last attempt failed, as a STAT_ constant


_state = _State()


class WLAN:
    """The radio as a station; it can't be an access point here."""

    IF_STA, IF_AP = STA_IF, AP_IF
    PM_NONE, PM_PERFORMANCE, PM_POWERSAVE = (0xA11140, 0xA11142, 0xA11C82) if wires.rp2 else (0, 1, 2)

    def __init__(self, interface_id=STA_IF):
        if interface_id != STA_IF:
            wires.fault("a console can't be an access point")

    def active(self, is_active=None):
        """Switch the radio on or off, if told to; return whether it is on."""
        if is_active is not None:
            _state.active = bool(is_active)
            if not is_active:
                _state.wanted, _state.joined = None, False
        return _state.active

    def connect(self, ssid=None, key=None, *, bssid=None, **port):
        """Begin to join; `isconnected` and `status` report the progress."""
        for name in port:
            if name != ("security" if wires.rp2 else None):
                raise TypeError("extra keyword arguments given")
        if not _state.active:
            raise OSError("Wifi Not Started") if not wires.rp2 else OSError(1)
        if _state.wanted and not wires.rp2 and self._status() == STAT_CONNECTING:
            raise OSError("Wifi Internal Error")  # sta is connecting, cannot set config
        if type(ssid) not in (str, bytes) or not 1 <= len(ssid) <= 32:
            raise ValueError("invalid SSID")
        _state.wanted = (ssid, key)
        _state.since = utime.ticks_ms()
        _state.joined = False
        _state.failure = None

    def disconnect(self):
        """Leave the network, or stop trying."""
        self._status()  # notes how the attempt went
        _state.wanted, _state.joined = None, False

    def _status(self):
        """Return how far joining has come, as a STAT_ constant; an ESP32 tries on and tells a failure afterwards."""
        if not wires.config["radio"]:
            if _state.joined and wires.rp2:  # whose driver does not join again by itself
                _state.wanted = None
            _state.joined = False
            _state.since = utime.ticks_ms()
        if not _state.wanted:
            return STAT_IDLE if wires.rp2 or _state.failure is None else _state.failure
        if _state.joined:
            return STAT_GOT_IP
        if utime.ticks_diff(utime.ticks_ms(), _state.since) < _JOIN_MS:
            return STAT_CONNECTING
        if not wires.config["radio"] or _state.wanted[0] != wires.config["ssid"]:
            return self._failed(STAT_NO_AP_FOUND)
        if _state.wanted[1] != wires.config["password"]:
            return self._failed(STAT_WRONG_PASSWORD)
        _state.joined = True
        return STAT_GOT_IP

    def _failed(self, status):
        _state.failure = status
        return status if wires.rp2 else STAT_CONNECTING

    def isconnected(self):
        """Return whether it has joined and has an address."""
        return self._status() == STAT_GOT_IP

    def status(self, param=None):
        """Return a STAT_ constant; for `rssi`, the signal's strength in dBm."""
        if param is None:
            return self._status()
        if param != "rssi":
            raise ValueError("unknown status param")
        if not self.isconnected():
            raise OSError("Wifi Not Connected")
        return -61

    def ifconfig(self, config=None):
        """Return address, mask, gateway, name server."""
        if config is not None:
            wires.fault("addresses can't be set here: they come from the network")
        if not self.isconnected():
            return ("0.0.0.0",) * 4
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def ipconfig(self, param):
        """Return `addr4` (with its mask), `gw4`, `has_dhcp4` or `dhcp4`."""
        up = self.isconnected()
        known = {
            "addr4": ("127.0.0.1", "255.0.0.0") if up else ("0.0.0.0", "0.0.0.0"),
            "gw4": "127.0.0.1" if up else "0.0.0.0",
            "has_dhcp4": up,
            "dhcp4": True,
        }
        if param not in known:
            raise ValueError("unexpected key")
        return known[param]

    def config(self, param=None, **values):
        """Return one parameter by its name, or sets some."""
        if param is None:
            allowed = ("pm", "txpower", "hostname") + (() if wires.rp2 else ("reconnects",))
            for name in values:
                if name not in allowed:
                    raise ValueError("unknown config param")
            return None
        if param == "mac":
            return bytes.fromhex(wires.config["hardware_id"])[-6:]
        if param in ("ssid", "essid"):
            return _state.wanted[0] if _state.wanted else ""
        raise ValueError("unknown config param")


def hostname(name=None):
    """Return the name that the network sees; sets it, if given."""
    global _hostname
    if name is not None:
        _hostname = name
    return _hostname


def country(code=None):
    """Return the country as two letters; nothing depends on it here."""
    if code is not None and len(code) != 2:
        raise ValueError("invalid country code")
    return code or "XX"


@wires.command
def _radio(up):
    wires.config["radio"] = up
