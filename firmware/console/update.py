"""An update over the air, from the bridge's offer to the restart into it: loaded only while one is under way.

What comes and what is asked for stands in schema/README.md, "An update"; where it goes, in slots.py. Everything that
came is in flash at once: after a break, the files that are there and right are not asked for again.
"""

import asyncio
import os
import sys
from binascii import a2b_base64, hexlify
from hashlib import sha256

from micropython import const

from console import events, outbox_files, update_slots
from console.health import report

_WINDOW = const(2048)  # bytes asked for at once
_AGAIN_MS = const(5000)  # so long they may take: then the rest is asked for again
_ASKED_MAX = const(60)  # so often in a row, then the next offer begins anew
_LOOK_MS = const(20)
_TRIES = const(3)
_MANIFEST_MAX = const(8192)
_BLOCKS_KEPT = const(24)  # of flash: for outbox and settings
_ID_MAX = const(64)
_FOLDERS = ("console", "boards")

_running = None


class GaveUp(Exception):
    """The bridge has not answered for minutes."""


def came(app, message):
    """Takes a message of leaf `firmware`: an offer, or what the update under way has asked for."""
    global _running
    try:
        if _running is None:
            if is_wanted(app, message):
                _running = Update(app, message["id"], message["version"])
                app.errand = asyncio.create_task(_running.run())
        elif message["id"] == _running.id:
            _running.take(message)
    finally:
        if _running is None:
            outbox_files.let_go("update", "update_slots")


def is_wanted(app, message):
    """Whether it offers a version that this console does not run; none is taken while one is on trial.

    Nor is the one that has just failed, which the bridge may not know yet.
    """
    order, version = message["id"], message.get("version")
    if not isinstance(order, str) or not 1 <= len(order) <= _ID_MAX or not isinstance(version, str):
        return False
    return version != app.firmware and "trial" not in app.update and order != app.update.get("id")


def digest(path):
    """The SHA-256 of a file, 64 hex digits; None if it is not there."""
    made, buffer = sha256(), bytearray(256)
    try:
        with open(path, "rb") as file:
            size = file.readinto(buffer)
            while size:
                made.update(memoryview(buffer)[:size])
                size = file.readinto(buffer)
    except OSError:
        return None
    return hexlify(made.digest()).decode()


def files_of(manifest):
    """(SHA-256, bytes, path) of each file in the manifest, one after the other: a list of all takes too much memory.

    ValueError if one has no place in a slot.
    """
    at = manifest.index("\n") + 1
    while at < len(manifest):
        end = manifest.index("\n", at)
        digits, size, path = manifest[at:end].split(" ")
        folder, _, name = path.partition("/")
        if folder not in _FOLDERS or "/" in name or name[:1] in ("", "."):
            raise ValueError(path)
        yield digits, int(size), path
        at = end + 1


class Update:
    """One update, known to the bridge by its `id`. `run` does it; `take` gets what the bridge sends meanwhile."""

    def __init__(self, app, order, version):
        self.id = order
        self._app = app
        self._version = version
        self._runs = sys.path[0] if sys.path[0] in update_slots.TARGETS else ""
        self._target = "b" if self._runs == "a" else "a"
        self._folder = app.folder + "/" + self._target + "/"
        self._nonce = hexlify(os.urandom(8)).decode()
        self._code = None  # the manifest's, as the bridge said
        self._at = 0  # where in the bundle the manifest ends, and the first file begins
        self._data = bytearray()  # what has come since it was last asked
        self._expected = self._wanted = 0  # where in the bundle the next piece begins, and how much is still to come

    def take(self, message):
        """Takes what the bridge sends; what does not fit is left, and asked for again."""
        if "mac" in message:
            if message["nonce"] == self._nonce and 0 < message["manifest_bytes"] <= _MANIFEST_MAX:
                self._at, self._code = message["manifest_bytes"], message["mac"]
        elif message.get("from") == self._expected:
            data = a2b_base64(message["data"])
            if 0 < len(data) <= self._wanted:
                self._data.extend(data)
                self._expected += len(data)
                self._wanted -= len(data)

    async def run(self):
        """Does it; says why not if it can't be done."""
        global _running
        reason = None
        try:
            reason = await self._update()
        except OSError as error:
            reason = "flash: %r" % error
            self._tidy("")
        except GaveUp:
            report("update", "the bridge does not answer")
        except Exception as error:  # no room in memory; whatever it is, the console goes on
            reason = repr(error)
        if reason:
            report("update", reason)
            self._app.link.say("reply", events.reply(self.id, reason), 1)
        _running = None
        self._app.errand = None
        outbox_files.let_go("update", "update_slots")

    async def _update(self):
        """Fetches and checks everything, then restarts into it; or returns the reason why not."""
        from console import startup

        key = startup.read_config()[0].get("key")
        outbox_files.let_go("startup")
        if not key:
            return "console.json holds no key: enrol the console, and put its key there"
        self._make_room_for_it()
        manifest = await self._manifest(key)
        if not manifest:
            return "the manifest is not from this console's bridge: its code is wrong"
        if not manifest.startswith("trivox-firmware %s\n" % self._version):
            return "the manifest is not of this version"
        self._tidy(manifest)
        if not self._has_room(manifest):
            return "no room in flash"
        at = self._at
        for digits, size, path in files_of(manifest):
            if not await self._file(path, at, size, digits):
                return "%s does not come as the manifest says" % path
            at += size
        return await self._restart()

    def _make_room_for_it(self):
        """Whatever `slots.json` said, it does not name the slot that is to be written."""
        state = update_slots.read(self._app.folder)
        if "trial" in state or state.get("slot") == self._target:
            update_slots.keep(self._app.folder, {"slot": self._runs})
        for name in ("", "/console", "/boards"):
            try:
                os.mkdir(self._folder[:-1] + name)
            except OSError:
                pass  # it is there, or the first file will tell

    async def _manifest(self, key):
        """The manifest; None if its code is wrong."""
        from binascii import unhexlify

        from console.hmac import hmac

        for _ in range(_TRIES):
            self._code = None
            text = b""
            while not self._code or len(text) < self._at:
                text += await self._fetched(len(text), len(text) + _WINDOW)
                if len(text) > _MANIFEST_MAX + _WINDOW:
                    raise GaveUp
            text = text[: self._at]
            if hmac(unhexlify(key), (b"firmware\n%s\n" % self._nonce.encode(), text)) == self._code:
                return text.decode()
        return None

    async def _file(self, name, at, size, digits):
        """Fetches a file that is not there as it should be; true if it is then."""
        path = self._folder + name
        for _ in range(_TRIES):
            if digest(path) == digits:
                return True
            outbox_files.write(path, "wb", b"")
            end, place = at + size, at
            while place < end:
                data = await self._fetched(place, end)
                outbox_files.write(path, "ab", data)
                place += len(data)
            await asyncio.sleep_ms(0)
        return digest(path) == digits

    async def _fetched(self, at, end):
        """Some bytes of the bundle from `at` on, at least one, at most up to `end`."""
        for _ in range(_ASKED_MAX):
            self._expected, self._wanted = at, min(end - at, _WINDOW)
            if not self._app.link.is_down():
                self._ask(at, self._wanted)
            looks = _AGAIN_MS // _LOOK_MS
            while looks and self._wanted:
                looks -= 1
                await asyncio.sleep_ms(_LOOK_MS)
            self._wanted = 0
            data, self._data = self._data, bytearray()
            if data:
                return data
        raise GaveUp

    def _ask(self, at, size):
        wish = {"from": at, "bytes": size}
        if not self._code:
            wish["nonce"] = self._nonce
        request = events.reply(self.id)
        request["fetch"] = wish
        self._app.link.say("reply", request, 1)

    def _tidy(self, manifest):
        """Removes what an earlier version has left: a module would be found, a file takes room."""
        for folder in _FOLDERS:
            try:
                for name in os.listdir(self._folder + folder):
                    if " %s/%s\n" % (folder, name) not in manifest:
                        os.remove(self._folder + folder + "/" + name)
            except OSError as error:
                report("update", error)  # no such folder: writing the first file tells why

    def _has_room(self, manifest):
        found = os.statvfs(self._app.folder or "/")
        blocks = found[4] - _BLOCKS_KEPT
        for _, size, path in files_of(manifest):
            try:
                os.stat(self._folder + path)
            except OSError:
                blocks -= size // found[0] + 1
        return blocks >= 0

    async def _restart(self):
        app = self._app
        report("update", "%s is here: it starts as soon as nobody uses the console" % self._version)
        while not app.is_quiet():
            await asyncio.sleep_ms(_LOOK_MS)
        state = {"slot": self._runs, "trial": self._target, "boots": 0, "version": self._version, "id": self.id}
        update_slots.keep(app.folder, state)
        update_slots.restart(app)
