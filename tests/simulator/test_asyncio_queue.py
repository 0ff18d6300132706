"""asyncio behaves on the stand-in's queue as on the built-in one."""

import subprocess
from collections.abc import Callable

import pytest

from simulator import Console
from simulator.console.micropython import Architecture, command

# Tasks are due hundreds of milliseconds apart, more than a busy machine can delay them.
PROGRAM = """
import asyncio
log = []
async def worker(name, pause, rounds):
    try:
        for number in range(rounds):
            log.append((name, number))
            await asyncio.sleep_ms(pause)
    except asyncio.CancelledError:
        log.append((name, "cancelled"))
        raise
    finally:
        log.append((name, "ends"))
    return name
async def fails():
    await asyncio.sleep_ms(200)
    raise ValueError("wrong")
async def waits(event, name):
    await event.wait()
    log.append(name)
async def in_turn(lock, name):
    async with lock:
        log.append((name, "in"))
        await asyncio.sleep_ms(0)
    log.append((name, "out"))
async def main():
    log.append(await asyncio.gather(worker("a", 400, 3), worker("b", 1000, 2), fails(), return_exceptions=True))
    try:
        await asyncio.wait_for_ms(worker("slow", 800, 100), 2000)
    except asyncio.TimeoutError:
        log.append("timeout")
    task = asyncio.create_task(worker("c", 400, 9))
    await asyncio.sleep_ms(600)
    log.append((task.done(), task.cancel()))
    try:
        await task
    except asyncio.CancelledError:
        log.append("seen")
    log.append((task.done(), task.cancel()))
    inner = asyncio.create_task(worker("d", 400, 9))
    async def outer():
        await inner
    task = asyncio.create_task(outer())
    await asyncio.sleep_ms(600)
    task.cancel()
    await asyncio.sleep_ms(40)
    log.append((inner.done(), task.done()))
    event, lock = asyncio.Event(), asyncio.Lock()
    tasks = [asyncio.create_task(waits(event, n)) for n in range(3)]
    tasks += [asyncio.create_task(in_turn(lock, n)) for n in "xyz"]
    await asyncio.sleep_ms(80)
    event.set()
    await asyncio.gather(*tasks)
    try:
        await fails()
    except ValueError as error:
        log.append(error.args)
    try:
        asyncio.current_task().cancel()
    except RuntimeError as error:
        log.append(error.args)
asyncio.run(main())
for entry in log:
    print(entry)
"""


@pytest.mark.parametrize("architecture", ["amd64", "i386"])
def test_tasks_run_as_on_the_built_in_queue(make: Callable[..., Console], architecture: Architecture) -> None:
    built_in = subprocess.run(
        [*command(architecture), "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True
    )
    assert "timeout" in built_in.stdout
    with make(PROGRAM + "print('-- end')", architecture=architecture) as console:
        assert console.wait_output("-- end\n", timeout_s=120).removesuffix("-- end\n") == built_in.stdout
