"""The console's MQTT and serial line, on MicroPython: all waiting writers learn that the link broke."""

import os
import subprocess
from pathlib import Path

import pytest

from simulator.console.micropython import Architecture, command
from tests.support.programs import free_port

ENVIRONMENT = {"MICROPYPATH": f".frozen:{Path(__file__).parents[2] / 'firmware'}"}
LIMIT_S = 120
BROKEN_CONNECTION = """
import asyncio
from console.mqtt import Mqtt

async def broker(reader, writer):
    await reader.read(1)
    writer.write(b"\\x20\\x02\\x00\\x00")  # CONNACK; after that it reads no more
    await writer.drain()
    await asyncio.sleep_ms(500)
    reader.s.close()  # with much unread, so the connection is reset

async def main():
    server = await asyncio.start_server(broker, "127.0.0.1", PORT)
    mqtt = Mqtt({"host": "127.0.0.1", "port": PORT}, "till-1", "trivox/v1/shop/till-1/", print)
    await mqtt.open("127.0.0.1", "{}")
    writers = [mqtt.publish("events", [b"x" * 16000000]), mqtt.publish("health", [b"{}"])]
    ends = await asyncio.wait_for(asyncio.gather(*writers, return_exceptions=True), 30)
    print([isinstance(end, OSError) for end in ends])

asyncio.run(main())
"""
UNREAD_LINE = """
import asyncio, sys
from console.usb_serial import UsbSerial

async def main():
    line = UsbSerial("{}", print)
    writers = [line.publish("events", [b"x" * 4000]) for _ in range(40)]  # more than a pipe holds
    ends = await asyncio.wait_for(asyncio.gather(*writers, return_exceptions=True), 60)
    errors = [end for end in ends if end is not None]  # writers take their turns in any order
    is_held = len(ends) - len(errors) < 17  # lines in the pipe
    sys.stderr.write(str(is_held and all(isinstance(error, OSError) for error in errors)))

asyncio.run(main())
"""


@pytest.mark.parametrize("architecture", ["amd64", "i386"])
def test_a_connection_that_breaks_within_a_packet_leaves_no_writer_waiting(architecture: Architecture) -> None:
    program = BROKEN_CONNECTION.replace("PORT", str(free_port()))
    words = [*command(architecture), "-X", "heapsize=96m", "-c", program]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (done.stdout, done.stderr) == ("[True, True]\n", "")


def test_a_line_that_nobody_reads_leaves_no_writer_waiting() -> None:
    unread, out = os.pipe()
    try:
        done = subprocess.run(
            [*command("amd64"), "-c", UNREAD_LINE],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            timeout=LIMIT_S,
            check=False,
        )
    finally:
        os.close(unread)
        os.close(out)
    assert done.stderr == b"True"
