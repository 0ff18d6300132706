"""Connect to the bridge: Wi-Fi, the session with broker or gateway, delivery from the outbox, and the time.

Nothing here may delay the buttons: every wait is asyncio's and has a limit, and so has every queue.
"""

import asyncio
import json
import random
import time
from binascii import unhexlify

import machine
from micropython import const

from console import events
from console.clock import port_seconds
from console.delivery import Delivery
from console.health import report

_JOIN_LIMIT_MS = const(8000)  # then join again: not every driver goes on trying by itself
_PAUSE_MIN_MS = const(250)
_PAUSE_MAX_MS = const(2000)  # if there is no network or no broker: trying costs little
_PAUSE_REFUSED_MAX_MS = const(30000)  # if the broker refuses us or TLS fails: a handshake blocks a board for a second
_SHORT_MS = const(5000)  # a session that breaks sooner is followed by a longer pause
_DOWN_MS = const(10000)  # after this time without a session the seller's lamp blinks
_UNANSWERED_MS = const(25000)  # … or without an ack on a serial line, which has no session: after two repetitions
_CLOCK_AGAIN_MS = const(3600000)
_CLOCK_RETRY_MS = const(15000)
_CLOCK_WAIT_MS = const(5000)
_MOVED_MS = const(60000)  # this long without an ack, it may be somebody else's broker: ask whether ours has moved
_OUTGOING_MAX = const(8)
LEAVES = ("ack", "settings", "command", "firmware")


class Wifi:
    """The Wi-Fi of a board, as a station."""

    def __init__(self, wifi):
        import network

        self._wifi = wifi
        self._wlan = network.WLAN(network.STA_IF)
        self._known = {}  # by host: the address handed out last, and all that it had

    def is_joined(self):
        """Return whether the board is connected to the network now."""
        return self._wlan.isconnected()

    async def join(self):
        """Join the network. Raises OSError with the driver's last status if that takes longer than 8 s."""
        if self._wlan.isconnected():
            return
        self._wlan.active(True)
        self._wlan.disconnect()  # a board that is still trying would refuse to connect
        self._wlan.connect(self._wifi["ssid"], self._wifi["password"])
        for _ in range(_JOIN_LIMIT_MS // 100):
            await asyncio.sleep_ms(100)
            if self._wlan.isconnected():
                return
        raise OSError("no Wi-Fi, status %d" % self._failed_status())

    def _failed_status(self):
        import network

        status = self._wlan.status()
        if status == network.STAT_CONNECTING:  # an ESP32 says why it failed only once it no longer tries
            self._wlan.disconnect()
            status = self._wlan.status()
        return status

    async def resolve(self, host):
        """Return the numeric address of `host` to try next: of several, each in turn. Raises OSError if it has none.

        A name is asked anew each time, as it may have moved.
        """
        found = sorted(await self.addresses(host))
        last = self._known.get(host, ("",))[0]
        address = next((address for address in found if address > last), found[0])
        self._known[host] = address, found
        return address

    async def addresses(self, host):
        """Return the numeric addresses of `host`; those known if the name server has none. Raises OSError."""
        if all(part.isdigit() for part in host.split(".")):
            return [host]
        from console import udp  # only consoles that need it give it memory

        try:
            return await udp.addresses(host, self._wlan.ifconfig()[3])
        except OSError as error:
            if host not in self._known:
                raise
            report("link", error)
            return self._known[host][1]

    def rssi(self):
        """Return the strength of the signal in dBm, or None."""
        try:
            return self._wlan.status("rssi")
        except OSError:
            return None


class Link:
    """The link to the bridge: it keeps a session open and delivers events. `app` is the console, see `app.App`.

    `rejected` counts messages that could not be read, `dropped` own messages that were dropped from a full queue,
    `acks` the bridge's acks.
    """

    def __init__(self, app, config):
        self._app = app
        self._config = config
        self._broker = config.get("broker") or {}
        self._key = unhexlify(config.pop("key", None) or "")
        self._radio = Wifi(config.get("wifi") or {}) if app.board.RADIO else None
        self._wake = asyncio.Event()
        self._outgoing = []  # (leaf, message, QoS, retained)
        self._said_ms = 0  # the stamp of the last word
        self._delivery = None
        self._status_epoch = None
        self._address = None
        self._error = None
        self._is_up = False
        self._down_since = 0
        self._unanswered_ms = None  # since when events wait for an ack
        self._clock_is_set = False
        self.rejected = self.dropped = self.acks = 0
        random.seed(int(app.hardware_id[-6:], 16))  # so that consoles don't all come back at once

    def wake(self):
        """Look again at what there is to send: something was put into the outbox."""
        self._wake.set()

    def send(self, leaf, message, qos=0, retain=False):
        """Queue a `health` or a `reply`, to be sent as soon as possible; a full queue drops its oldest message."""
        if len(self._outgoing) >= _OUTGOING_MAX:
            self._outgoing.pop(0)
            self.dropped += 1
        self._outgoing.append((leaf, message, qos, retain))
        self._wake.set()

    def is_down(self):
        """Return whether there has been no session for some time, or no ack on a serial line."""
        now_ms = self._app.clock.up_ms()
        if not self._radio and self._unanswered_ms is not None and now_ms - self._unanswered_ms > _UNANSWERED_MS:
            return True
        return not self._is_up and now_ms - self._down_since > _DOWN_MS

    def rssi(self):
        """Return the strength of the signal in dBm; None on a board without radio."""
        return self._radio.rssi() if self._radio else None

    async def run(self):
        """Run one session after the other, for ever."""
        pause_ms = _PAUSE_MIN_MS
        while True:
            self._app.pulse.beat("link")
            if not self._config:  # no console.json: it does not know who it is
                await asyncio.sleep_ms(_PAUSE_MAX_MS)
                continue
            transport = None
            try:
                if self._radio:
                    await self._radio.join()
                transport = self._transport()
                await self._session(transport)
            except Exception as error:  # OSError, EOFError, a timeout, a certificate that does not match
                if self._radio:
                    report("link", error)
            refused = transport and transport.refused
            if self._is_up:
                self._is_up = False
                up_since, self._down_since = self._down_since, self._app.clock.up_ms()
                if not refused and self._down_since - up_since > _SHORT_MS:
                    pause_ms = _PAUSE_MIN_MS
            self._app.pulse.beat("link")
            await asyncio.sleep_ms(pause_ms // 2 + random.getrandbits(16) * pause_ms // 0x20000)
            pause_ms = min(2 * pause_ms, _PAUSE_REFUSED_MAX_MS if refused else _PAUSE_MAX_MS)

    def _transport(self):
        site_id, console_id = self._config["site_id"], self._config["console_id"]
        hardware_id = self._app.hardware_id
        if not self._radio:
            from console.usb_serial import UsbSerial

            return UsbSerial(json.dumps(events.hello(site_id, console_id, hardware_id)), self._on_message)
        from console.mqtt import Mqtt

        client_id = "trivox-%s-%s-%s" % (site_id, console_id, hardware_id)
        return Mqtt(self._broker, client_id, "trivox/v1/%s/%s/" % (site_id, console_id), self._on_message)

    async def _session(self, transport):
        await self._find_broker()
        epoch = self._app.outbox.epoch
        tasks = []
        self._error = None
        try:
            will = events.status(False, epoch, self._app.hardware_id)
            await transport.open(self._address, json.dumps(will))
            self._status_epoch = None
            self._delivery = None
            self._wake.set()
            tasks = [asyncio.create_task(self._guarded(work)) for work in (transport.run(), self._send(transport))]
            self._is_up = True
            self._down_since = self._app.clock.up_ms()  # while the link is up: since when it is
            await self._watch(transport)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.sleep_ms(10)  # so that they stop using the socket before it closes
            transport.close()

    async def _guarded(self, work):
        try:
            await work
        except Exception as error:
            self._error = error

    async def _watch(self, transport):
        turns = 0
        checked_ms = self._app.clock.up_ms()
        while self._error is None:
            await asyncio.sleep_ms(100)
            self._app.pulse.beat("link")
            turns += 1
            if turns % 10 == 0:
                if await transport.tick():
                    self._status_epoch = None  # a gateway that was started later needs the status
                self._wake.set()  # there may be something to send again
                if self._radio and not self._radio.is_joined():
                    raise OSError("no Wi-Fi")
                now_ms = self._app.clock.up_ms()
                if self._radio and self._unanswered_ms is not None and now_ms - checked_ms > _MOVED_MS:
                    checked_ms = now_ms
                    await self._check_moved(self._radio, now_ms - self._unanswered_ms)
        raise self._error

    async def _check_moved(self, radio, unanswered_ms):
        """Raise OSError if the broker may be elsewhere, though the one at this address takes all that is sent."""
        if unanswered_ms > _MOVED_MS and await radio.addresses(self._broker["host"]) != [self._address]:
            raise OSError("the broker has moved")

    async def _send(self, transport):
        await transport.subscribe(LEAVES)
        await self._app.send_health()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._status_epoch != self._app.outbox.epoch:
                self._status_epoch = self._app.outbox.epoch
                status = events.status(True, self._status_epoch, self._app.hardware_id)
                await self._say(transport, "status", status, 1, True)
            while self._outgoing:
                message = self._outgoing[0]
                await self._say(transport, *message)
                if self._outgoing and self._outgoing[0] is message:  # else it was dropped meanwhile, from a full queue
                    self._outgoing.pop(0)
            await self._deliver(transport)

    async def _deliver(self, transport):
        """Send all batches that may be sent now, and delete what is acknowledged."""
        while True:
            outbox = self._app.in_delivery()
            while outbox.discard():
                await asyncio.sleep_ms(0)
            if self._delivery is None or self._delivery.outbox is not outbox:
                self._delivery = Delivery(outbox, self._key)
            batch = await self._next_batch(self._delivery)
            if batch is None:
                return
            if self._unanswered_ms is None:
                self._unanswered_ms = self._app.clock.up_ms()
            await transport.publish("events", batch, 1)

    async def _next_batch(self, delivery):
        try:
            for batch in delivery.next_batch(self._app.clock.up_ms):
                if batch:
                    return batch
                await asyncio.sleep_ms(0)
        except OSError as error:
            self._app.flash_failed(error)
        except MemoryError as error:  # nothing is lost: it is tried again in a second
            report("link", error)
        return None

    async def _say(self, transport, leaf, message, qos, retain):
        """Publish a word of the console about itself, signed if there is a key.

        It is stamped and signed now, not when it was queued: the bridge believes only what is later than the last word.
        """
        if self._key:
            outbox = self._app.outbox
            self._said_ms = max(self._app.clock.up_ms(), self._said_ms + 1)
            events.stamp(message, outbox.epoch, outbox.boot, self._said_ms)
        text = json.dumps(message)
        if self._key:
            from console.hmac import Hmac

            await asyncio.sleep_ms(0)  # as spelling it and signing it each take a board some ms
            mac = Hmac(self._key)
            mac.update((leaf + "\n" + text).encode())
            text = events.seal(text, mac.hexdigest())
        await transport.publish(leaf, [text.encode()], qos, retain)

    async def _on_message(self, leaf, payload):
        try:
            message = json.loads(payload) if payload else None
        except (ValueError, MemoryError, RuntimeError):  # not JSON, or more than there is memory for
            message = None
        await asyncio.sleep_ms(0)
        try:
            if leaf == "ack":
                self._acknowledged(*events.read_ack(message))
            elif leaf == "settings" and payload != b"":  # an empty one only clears what the broker retained
                await self._app.take_settings(message)
            elif leaf == "command":
                self._app.take_command(*events.read_command(message))
            elif leaf == "firmware":
                from console import update  # rarely needed, too

                update.take_message(self._app, message)
        except Exception as error:  # the session goes on, whatever is wrong: the broker would only send it again
            self.rejected += 1
            report(leaf, error)

    def _acknowledged(self, epoch, through, at_ms):
        self.acks += 1
        now_ms = self._app.clock.up_ms()
        self._unanswered_ms = None
        if self._delivery is None:
            return
        try:
            answers = self._delivery.acknowledged(epoch, through, now_ms)
        except OSError as error:
            self._app.flash_failed(error)
            return
        if answers and at_ms is not None:
            self._app.record(self._app.clock.set(at_ms, events.BRIDGE, now_ms))
        self._wake.set()

    async def _find_broker(self):
        if not self._radio:
            return
        if self._broker.get("tls") and self._app.board.SETS_RTC and self._config.get("ntp_host"):
            for _ in range(_CLOCK_WAIT_MS // 100):  # TLS checks the dates of certificates
                if self._clock_is_set:
                    break
                await asyncio.sleep_ms(100)
        self._address = await self._radio.resolve(self._broker["host"])

    async def keep_time(self):
        """Ask the NTP server for the time each hour, for ever, if `console.json` names one."""
        host, radio = self._config.get("ntp_host"), self._radio
        if not host or not radio:
            return
        from console import udp

        left_alone_ms = _CLOCK_RETRY_MS
        while True:
            if not radio.is_joined():
                await asyncio.sleep_ms(1000)
                continue
            try:
                await self._ask_time(udp, host, radio)
                pause_ms, left_alone_ms = _CLOCK_AGAIN_MS, _CLOCK_RETRY_MS
            except udp.LeaveAlone as error:
                report("time", error)
                pause_ms, left_alone_ms = left_alone_ms, min(2 * left_alone_ms, _CLOCK_AGAIN_MS)
            except Exception as error:  # whatever a server sends, it is asked again
                report("time", error)
                pause_ms = _CLOCK_RETRY_MS
            await asyncio.sleep_ms(pause_ms)

    async def _ask_time(self, udp, host, radio):
        address = await radio.resolve(host)
        utc_ms, up_ms = await udp.ntp(address, self._app.clock.up_ms)
        self._app.record(self._app.clock.set(utc_ms, events.NTP, up_ms))
        if self._app.board.SETS_RTC:
            now = time.gmtime(port_seconds(utc_ms, time.gmtime))
            machine.RTC().datetime(now[:3] + (now[6],) + now[3:6] + (0,))  # noqa: RUF005 - no unpacking in a tuple here
        self._clock_is_set = True
