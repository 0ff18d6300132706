"""Update the firmware over the air, from the bridge's offer to the restart. Loaded only while an update runs.

schema/README.md, "An update", describes the messages; slots.py, where the files go. All data is written to flash at
once: after an interruption, files that are complete are not fetched again.
"""

import asyncio
import os
import sys
from binascii import a2b_base64, hexlify
from hashlib import sha256

from micropython import const

from console import events, outbox_files, update_slots
from console.health import report

_WINDOW = const(2048)  # bytes in one request
_REPEAT_MS = const(5000)  # after this time what is missing is requested again
_REQUESTS_MAX = const(60)  # after so many without an answer the update ends, until the next offer
_POLL_MS = const(20)
_TRIES = const(3)
_MANIFEST_MAX = const(8192)
_FREE_BLOCKS = const(24)  # blocks of flash left free, for outbox and settings
_ID_MAX = const(64)
_FOLDERS = ("console", "boards")

_running = None


class BridgeSilent(Exception):
    """The bridge has not answered for minutes."""


def take_message(app, message):
    """Take a message of leaf `firmware`: an offer, or what the running update requested."""
    global _running
    try:
        if _running is None:
            if is_wanted(app, message):
                _running = Update(app, message["id"], message["version"])
                app.task = asyncio.create_task(_running.run())
        elif message["id"] == _running.id:
            _running.take(message)
    finally:
        if _running is None:
            outbox_files.unload("update", "update_slots")


def is_wanted(app, message):
    """Return whether the message offers a version that this console does not run and can take now.

    It takes none while one is on trial, nor the one whose trial has just failed, which the bridge may not know yet.
    """
    update_id, version = message["id"], message.get("version")
    if not isinstance(update_id, str) or not 1 <= len(update_id) <= _ID_MAX or not isinstance(version, str):
        return False
    return version != app.firmware and "trial" not in app.update and update_id != app.update.get("id")


async def file_digest(path):
    """Return the SHA-256 of a file, 64 hex digits; None if it can't be read."""
    digest, buffer = sha256(), bytearray(1024)
    try:
        with open(path, "rb") as file:
            size = file.readinto(buffer)
            while size:
                digest.update(memoryview(buffer)[:size])
                await asyncio.sleep_ms(0)
                size = file.readinto(buffer)
    except OSError:
        return None
    return hexlify(digest.digest()).decode()


def manifest_files(path):
    """Yield (SHA-256, bytes, path) of each file that a manifest lists; a list would take too much memory.

    Raises ValueError if a path has no place in a slot.
    """
    with open(path) as manifest:
        manifest.readline()
        line = manifest.readline()
        while line:
            digits, size, name = line[:-1].split(" ")
            folder, _, file = name.partition("/")
            if folder not in _FOLDERS or "/" in file or file[:1] in ("", "."):
                raise ValueError(name)
            yield digits, int(size), name
            line = manifest.readline()


class Update:
    """One update; `update_id` is the bridge's id of it. `run` does it, `take` gets what the bridge sends meanwhile."""

    def __init__(self, app, update_id, version):
        self.id = update_id
        self._app = app
        self._version = version
        self._runs = sys.path[0] if sys.path[0] in update_slots.TARGETS else ""
        self._target = "b" if self._runs == "a" else "a"
        self._folder = app.folder + "/" + self._target + "/"
        self._manifest = self._folder + "manifest"  # a file: the heap is too small for it; the next update replaces it
        self._nonce = hexlify(os.urandom(8)).decode()
        self._mac = None  # of the manifest, as the bridge sent it
        self._at = 0  # where in the bundle the manifest ends, and the first file begins
        self._data = bytearray()  # what has come since the last request
        self._expected = self._wanted = 0  # where in the bundle the next piece begins, and how many bytes are missing

    def take(self, message):
        """Take a message of this update; a piece that does not fit is ignored, and will be requested again."""
        if "mac" in message:
            if message["nonce"] == self._nonce and 0 < message["manifest_bytes"] <= _MANIFEST_MAX:
                self._at, self._mac = message["manifest_bytes"], message["mac"]
        elif message.get("from") == self._expected:
            data = a2b_base64(message["data"])
            if 0 < len(data) <= self._wanted:
                self._data.extend(data)
                self._expected += len(data)
                self._wanted -= len(data)

    async def run(self):
        """Do the update; if it fails, reply why."""
        global _running
        reason = None
        try:
            reason = await self._update()
        except OSError as error:
            reason = "flash: %r" % error
            await self._tidy(())
        except BridgeSilent:
            report("update", "the bridge does not answer")
        except Exception as error:  # such as MemoryError; the console goes on whatever it is
            reason = repr(error)
        if reason:
            report("update", reason)
            self._app.link.send("reply", events.reply(self.id, reason), 1)
        _running = None
        self._app.task = None
        outbox_files.unload("update", "update_slots")

    async def _update(self):
        """Fetch and check everything, then restart into the new version; or return why not."""
        from console import startup

        key = startup.read_config()[0].get("key")
        outbox_files.unload("startup")
        if not key:
            return "console.json holds no key: enrol the console, and put its key there"
        await self._prepare_target()
        if not await self._fetch_manifest(key):
            return "the manifest is not from this console's bridge: its MAC is wrong"
        with open(self._manifest) as manifest:
            if manifest.readline() != "trivox-firmware %s\n" % self._version:
                return "the manifest is of another version than the offer"
        await self._tidy(name for _, _, name in manifest_files(self._manifest))
        if not await self._has_room():
            return "no room in flash"
        at = self._at
        for digest, size, path in manifest_files(self._manifest):
            if not await self._fetch_file(path, at, size, digest):
                return "%s differs from what the manifest says" % path
            at += size
        outbox_files.remove(self._manifest)
        return await self._restart()

    async def _prepare_target(self):
        """Make the folders of the slot to be written, after `slots.json` no longer names it."""
        state = update_slots.read(self._app.folder)
        if "trial" in state or state.get("slot") == self._target:
            update_slots.save(self._app.folder, {"slot": self._runs})
        for name in ("", "/console", "/boards"):
            await asyncio.sleep_ms(0)
            try:
                os.mkdir(self._folder[:-1] + name)
            except OSError:
                pass  # it exists; if not, writing the first file will fail

    async def _fetch_manifest(self, key):
        """Fetch the manifest into a file, as it may be too long for the heap; return whether its MAC is right."""
        from binascii import unhexlify

        from console.hmac import Hmac

        for _ in range(_TRIES):
            self._mac = None
            data = await self._fetch(0, _WINDOW)
            if not self._mac:
                continue
            mac = Hmac(unhexlify(key))
            mac.update(b"firmware\n%s\n" % self._nonce.encode())
            outbox_files.write(self._manifest, "wb", b"")
            at, data = 0, memoryview(data)[: self._at]
            while True:
                mac.update(data)
                outbox_files.write(self._manifest, "ab", data)
                at += len(data)
                if at == self._at:
                    break
                data = await self._fetch(at, self._at)
            if mac.hexdigest() == self._mac:
                return True
        return False

    async def _fetch_file(self, name, at, size, digest):
        """Fetch a file unless it is complete; return whether it is then."""
        path = self._folder + name
        for _ in range(_TRIES):
            if await file_digest(path) == digest:
                return True
            outbox_files.write(path, "wb", b"")
            end, place = at + size, at
            while place < end:
                data = await self._fetch(place, end)
                outbox_files.write(path, "ab", data)
                place += len(data)
            await asyncio.sleep_ms(0)
        return await file_digest(path) == digest

    async def _fetch(self, at, end):
        """Return some bytes of the bundle from `at` on: at least one, at most up to `end`. Raises BridgeSilent."""
        for _ in range(_REQUESTS_MAX):
            self._expected, self._wanted = at, min(end - at, _WINDOW)
            if not self._app.link.is_down():
                self._request(at, self._wanted)
            polls = _REPEAT_MS // _POLL_MS
            while polls and self._wanted:
                polls -= 1
                await asyncio.sleep_ms(_POLL_MS)
            self._wanted = 0
            data, self._data = self._data, bytearray()
            if data:
                return data
        raise BridgeSilent

    def _request(self, at, size):
        fetch = {"from": at, "bytes": size}
        if not self._mac:
            fetch["nonce"] = self._nonce
        reply = events.reply(self.id)
        reply["fetch"] = fetch
        self._app.link.send("reply", reply, 1)

    async def _tidy(self, wanted):
        """Remove all but the `wanted` paths from the slot: an earlier version's modules could be imported."""
        wanted = set(wanted)
        for folder in _FOLDERS:
            try:
                for name in os.listdir(self._folder + folder):
                    await asyncio.sleep_ms(0)
                    if folder + "/" + name not in wanted:
                        outbox_files.remove(self._folder + folder + "/" + name)
            except OSError as error:
                report("update", error)  # if the folder is missing, writing the first file will fail

    async def _has_room(self):
        stats = os.statvfs(self._app.folder or "/")
        blocks = stats[4] - _FREE_BLOCKS
        for _, size, path in manifest_files(self._manifest):
            await asyncio.sleep_ms(0)
            try:
                os.stat(self._folder + path)
            except OSError:
                blocks -= size // stats[0] + 1
        return blocks >= 0

    async def _restart(self):
        app = self._app
        report("update", "version %s is complete: it starts as soon as nobody uses the console" % self._version)
        while not app.is_quiet():
            await asyncio.sleep_ms(_POLL_MS)
        state = {"slot": self._runs, "trial": self._target, "boots": 0, "version": self._version, "id": self.id}
        update_slots.save(app.folder, state)
        update_slots.restart(app)
