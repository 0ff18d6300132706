"""Count what the firmware does between two turns of the loop. Put before its `main.py`, under MicroPython.

Each step of each task is metered. `METER {...}` lines tell the most that one step did, since the last such line: `read`
(bytes of flash), `decoded` and `encoded` (events), `hashed` (bytes), `sent` (bytes), `changes` (of flash); `overtaken`,
how many steps of other tasks ran after the buttons' turn had come; and `steps`, how many there were.
"""

import asyncio
import builtins
import json
import os
import sys
import time

from console import buttons, delivery, events, hmac, outbox, outbox_files, outbox_merge, outbox_reader, usb_serial

step = {}
most = {}


def count(name, amount=1):
    step[name] = step.get(name, 0) + amount


def counted(name, function, amount=lambda *_: 1):
    def call(*arguments, **more):
        count(name, amount(*arguments))
        return function(*arguments, **more)

    return call


class MeteredTask:
    """A coroutine whose steps are metered."""

    due = None  # when the buttons' turn comes
    waited = 0

    def __init__(self, work):
        self._work = work
        self._is_buttons = "_watch_buttons" in repr(work)

    def send(self, value):
        kind = MeteredTask
        if self._is_buttons:
            most["overtaken"] = max(most.get("overtaken", 0), kind.waited)
            kind.due, kind.waited = None, 0
        elif kind.due is not None and time.ticks_diff(time.ticks_ms(), kind.due) > 0:
            kind.waited += 1
        step.clear()
        try:
            return self._work.send(value)
        finally:
            most["steps"] = most.get("steps", 0) + 1
            for name, amount in step.items():
                most[name] = max(most.get(name, 0), amount)
            if self._is_buttons:
                kind.due = time.ticks_add(time.ticks_ms(), buttons.POLL_MS)

    def throw(self, *error):
        return self._work.throw(*error)

    def close(self):
        return self._work.close()


class MeteredFile:
    """A file whose reading is metered."""

    def __init__(self, path, mode):
        self._file = builtins.open(path, mode)
        if mode != "rb":
            count("changes")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def read(self, *size):
        data = self._file.read(*size)
        count("read", len(data))
        return data

    def __getattr__(self, name):
        return getattr(self._file, name)


class MeteredOs:
    """The module `os`, whose changes of flash are metered."""

    def __getattr__(self, name):
        function = getattr(os, name)
        return counted("changes", function) if name in ("remove", "rename") else function


class MeteredSha256:
    """A SHA-256 whose bytes are metered."""

    def __init__(self, *data):
        self._hash = sha256(*data)

    def update(self, data):
        count("hashed", len(data))
        self._hash.update(data)

    def digest(self):
        return self._hash.digest()


class MeteredOut:
    """The serial line, whose bytes are metered."""

    def __init__(self, out):
        self._out = out

    def write(self, data):
        count("sent", len(data))
        return self._out.write(data)


def open_line(line, *arguments):
    _open_line(line, *arguments)
    line._out = MeteredOut(line._out)  # noqa: SLF001


def create_task(work):
    return _create_task(MeteredTask(work) if type(work) is type(tell()) else work)


async def tell():
    while True:
        await asyncio.sleep_ms(200)
        text, most["steps"] = json.dumps(most), 0
        most.clear()
        sys.stdout.write("\nMETER %s\n" % text)


def run(work):
    async def both():
        _create_task(tell())
        await work

    _run(both())


sha256 = hmac.sha256
hmac.sha256 = MeteredSha256
events.decode = counted("decoded", events.decode)
delivery.json = type("json", (), {"dumps": staticmethod(counted("encoded", json.dumps))})
outbox.os = outbox_files.os = outbox_merge.os = MeteredOs()
outbox_files.open = outbox_reader.open = MeteredFile
_open_line = usb_serial.UsbSerial.__init__
usb_serial.UsbSerial.__init__ = open_line
stream = asyncio.StreamWriter
stream.write = counted("sent", stream.write, lambda _, data: len(data))
_create_task, _run = asyncio.create_task, asyncio.run
asyncio.core.create_task = asyncio.create_task = create_task
asyncio.run = run
