"""The console's MQTT, on MicroPython with real sockets: whoever waits hears that the connection broke."""

import subprocess
from pathlib import Path

import pytest

from simulator.micropython import Architecture, command
from tests.support.programs import free_port

FIRMWARE = Path(__file__).parents[2] / "firmware"
PROGRAM = """
import asyncio
from console.mqtt import Mqtt

async def broker(reader, writer):
    await reader.read(1)
    writer.write(b"\\x20\\x02\\x00\\x00")  # welcome; and then it reads no more
    await writer.drain()
    await asyncio.sleep_ms(500)
    reader.s.close()  # with much unread: a reset

async def main():
    server = await asyncio.start_server(broker, "127.0.0.1", PORT)
    mqtt = Mqtt({"host": "127.0.0.1", "port": PORT}, "till-1", "trivox/v1/shop/till-1/", print)
    await mqtt.open("127.0.0.1", "{}")
    writers = [mqtt.publish("events", "x" * 16000000), mqtt.publish("health", "{}")]
    ends = await asyncio.wait_for(asyncio.gather(*writers, return_exceptions=True), 30)
    print([isinstance(end, OSError) for end in ends])

asyncio.run(main())
"""


@pytest.mark.parametrize("architecture", ["amd64", "i386"])
def test_a_connection_that_breaks_within_a_packet_keeps_nobody_waiting(architecture: Architecture) -> None:
    program = PROGRAM.replace("PORT", str(free_port()))
    words = [*command(architecture), "-X", "heapsize=96m", "-c", program]
    done = subprocess.run(
        words, env={"MICROPYPATH": f"{FIRMWARE}:.frozen"}, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("[True, True]\n", "")
