"""How each fault of the plan begins and ends. Each may meet what another has done."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from simulator.errors import ConsoleError, FirmwareError
from tests.chaos.plan import Fault
from tests.chaos.proxy import Proxy
from tests.chaos.world import Bridge, Till, World, send
from tests.support.programs import wait_until

SLOWEST_S = 1.0
SETTINGS = (  # people's habits fit all of them
    ("settings", "set", "--all", "survey_window_ms=4000"),
    ("settings", "set", "--all", "survey_window_ms=3000", "prompt=none"),
    ("settings", "set", "--all", "ask_every=2"),
    ("settings", "set", "--all", "ask_every=1", "prompt=tone"),
    ("question", "set", "staff", "--text", "en=Were you served well?"),
    ("question", "set", "staff", "--text", "en=Are you content with the service?"),
)
DAY_MS = 24 * 3600 * 1000
HOUR_MS = 3600 * 1000
FREE_BLOCKS = 1
NEVER = 1 << 30
CALM_S = 600.0
OPERATIONS_MAX = 60  # of the flash, within which its power goes: an event or two, or a whole merge

Effect = Iterator[None]
MakeEffect = Callable[[World, Fault], Effect]
FAULTS: dict[str, MakeEffect] = {}


def fault(effect: MakeEffect) -> MakeEffect:
    """A generator of that name: what is before its `yield` begins the fault, what is behind ends it."""
    return faults(effect.__name__)(effect)


def faults(*names: str) -> Callable[[MakeEffect], MakeEffect]:
    """The same for faults that differ only in where they are."""

    def known(effect: MakeEffect) -> MakeEffect:
        FAULTS.update(dict.fromkeys(names, effect))
        return effect

    return known


# Broker and bridge ------------------------------------------------------------------------------------------------


@fault
def kill_broker(world: World, _: Fault) -> Effect:
    with world.broker_busy:
        world.broker.stop(signal.SIGKILL)
    yield
    start_broker(world)


@fault
def wipe_broker(world: World, _: Fault) -> Effect:
    with world.broker_busy:
        world.broker.stop(signal.SIGKILL)
        world.broker.wipe()
    yield
    start_broker(world)


def start_broker(world: World) -> None:
    """Start it unless it runs."""
    with world.broker_busy:
        if not world.broker.is_running:
            world.broker.start()


@fault
def stop_broker(world: World, _: Fault) -> Effect:
    with world.broker_busy:
        pid = world.broker.pid if world.broker.is_running else None
        if pid is not None:
            send(pid, signal.SIGSTOP)
    yield
    if pid is not None:
        send(pid, signal.SIGCONT)


@fault
def kill_bridge(world: World, _: Fault) -> Effect:
    world.bridge.kill()
    yield
    world.bridge.start()


@fault
def stop_bridge(world: World, _: Fault) -> Effect:
    pid = world.bridge.running_pid()
    if pid is not None:
        send(pid, signal.SIGSTOP)
    yield
    if pid is not None:
        send(pid, signal.SIGCONT)


@fault
def restore_bridge(world: World, what: Fault) -> Effect:
    world.bridge.restore(what.lasts_s)
    yield


@fault
def copy_database(world: World, _: Fault) -> Effect:
    world.bridge.copy()
    yield


@fault
def fill_database(world: World, _: Fault) -> Effect:
    world.bridge.disk(full=True)
    yield
    world.bridge.disk(full=False)


@fault
def lock_database(world: World, _: Fault) -> Effect:
    with world.bridge.locked():
        yield


@fault
def change_settings(world: World, what: Fault) -> Effect:
    world.command(*SETTINGS[int(what.share * len(SETTINGS))])
    yield


# Networks ---------------------------------------------------------------------------------------------------------


def between(world: World, what: Fault) -> Proxy:
    """The network that this fault is about."""
    return world.to_bridge if what.kind.name.endswith("_bridge") else world.to_consoles


@faults("delay_consoles", "delay_bridge")
def delay(world: World, what: Fault) -> Effect:
    between(world, what).delay(what.share * SLOWEST_S)
    yield
    between(world, what).delay(0)


@faults("double_consoles", "double_bridge")
def double(world: World, what: Fault) -> Effect:
    between(world, what).double(on=True)
    yield
    between(world, what).double(on=False)


@faults("cut_consoles", "cut_bridge")
def cut(world: World, what: Fault) -> Effect:
    between(world, what).cut()
    yield


@faults("hang_consoles", "hang_bridge")
def hang(world: World, what: Fault) -> Effect:
    between(world, what).hang(on=True)
    yield
    between(world, what).hang(on=False)


# Consoles ---------------------------------------------------------------------------------------------------------


@contextmanager
def perhaps() -> Iterator[None]:
    """A board may be off, or stopped, or its power may go just now: then this fault finds nothing to do."""
    try:
        yield
    except ConsoleError:
        return


def tilled(world: World, what: Fault) -> Till:
    """The till that this fault is about."""
    return world.tills[what.console]


@fault
def kill_console(world: World, what: Fault) -> Effect:
    till = tilled(world, what)
    till.console.power_off()
    yield
    power_on(till)


def power_on(till: Till) -> None:
    """Let it have power, unless it has; one that is stopped stays so."""
    with perhaps():
        till.console.power_on()


@fault
def tear_flash(world: World, what: Fault) -> Effect:
    till = tilled(world, what)
    with perhaps():
        till.awake().cut_power_at(1 + int(what.share * OPERATIONS_MAX), (what.number % 9 - 4) / 4)
    yield
    power_on(till)


@fault
def stop_console(world: World, what: Fault) -> Effect:
    pid, till, began_s = None, tilled(world, what), time.monotonic()
    with perhaps():
        pid = till.awake().pid
        send(pid, signal.SIGSTOP)
    yield
    if pid is not None:
        send(pid, signal.SIGCONT)
        till.stops.append((began_s, time.monotonic()))


@fault
def drop_wifi(world: World, what: Fault) -> Effect:
    till = tilled(world, what)
    with perhaps():
        till.awake().wifi(on=False)
    yield
    with perhaps():
        till.awake().wifi(on=True)


@fault
def hang_console(world: World, what: Fault) -> Effect:
    console = tilled(world, what).console
    console.hang(on=True)
    yield
    console.hang(on=False)


@fault
def fill_flash(world: World, what: Fault) -> Effect:
    till = tilled(world, what)
    with perhaps(), till.filling:
        if not till.awake().powered:
            raise ConsoleError(f"{till.console.console_id} has no power.")
        till.overflowed = till.is_full = True  # whatever becomes of it while it is filled
        till.console.fill_flash(FREE_BLOCKS)
        till.console.wifi(on=False)
        till.plays.set()
    yield
    with perhaps():
        till.awake().wifi(on=True)
        free(till)


def free(till: Till) -> None:
    """Give its flash room again."""
    with till.filling:
        if till.is_full:
            till.awake().free_flash()
            till.is_full = False


@fault
def step_clock(world: World, what: Fault) -> Effect:
    """The time server's clock is wrong, and an hour passes, so that the console asks it."""
    steps = (("ahead", DAY_MS), ("ahead", -DAY_MS), ("ahead", 7 * HOUR_MS), ("fixed", 0), ("ahead", 0))
    world.right_until_s = min(world.right_until_s, time.monotonic())
    how, ms = steps[int(what.share * len(steps))]
    world.time_server.fixed_ms = ms if how == "fixed" else None
    world.time_server.ahead_ms = 0 if how == "fixed" else ms
    with perhaps():
        tilled(world, what).awake().step(HOUR_MS)
    yield


@fault
def meet_twin(world: World, _: Fault) -> Effect:
    world.twin_seen = True
    with perhaps():
        world.twin.console.power_on()
    yield
    world.twin.console.power_off()


# Boards without radio, and their gateway --------------------------------------------------------------------------

NOISE_MAX = 0.02  # of the bytes: then hardly a line checks


@fault
def pull_cable(world: World, what: Fault) -> Effect:
    cable = tilled(world, what).console.cable
    cable.pull()
    yield
    cable.plug()


@fault
def disturb_line(world: World, what: Fault) -> Effect:
    cable = tilled(world, what).console.cable
    cable.disturb(what.share * NOISE_MAX, what.number)
    yield
    cable.disturb(0)


@fault
def kill_gateway(world: World, _: Fault) -> Effect:
    world.gateway.kill()
    yield
    world.gateway.start()


@fault
def stop_gateway(world: World, _: Fault) -> Effect:
    pid = world.gateway.running_pid()
    if pid is not None:
        send(pid, signal.SIGSTOP)
    yield
    if pid is not None:
        send(pid, signal.SIGCONT)


# The end ----------------------------------------------------------------------------------------------------------


def calm(world: World) -> None:
    """Everything is as it should be again, whatever faults have left."""
    for proxy in (world.to_consoles, world.to_bridge):
        proxy.delay(0)
        proxy.double(on=False)
        proxy.hang(on=False)
    world.time_server.fixed_ms, world.time_server.ahead_ms = None, 0
    with world.broker_busy:
        if world.broker.is_running:
            send(world.broker.pid, signal.SIGCONT)
    start_broker(world)
    calm_bridge(world.bridge)
    calm_gateway(world)
    for till in world.everyone() if world.twin_seen else world.tills:
        calm_till(till)


def calm_bridge(bridge: Bridge) -> None:
    """It runs, on a disk with room."""
    pid = bridge.running_pid()
    if pid is not None:
        send(pid, signal.SIGCONT)
    bridge.disk(full=False)
    bridge.start()


def calm_gateway(world: World) -> None:
    """It runs, and all cables are whole and plugged in."""
    for till in world.picos:
        till.console.cable.disturb(0)
        till.console.cable.plug()
    pid = world.gateway.running_pid()
    if pid is not None:
        send(pid, signal.SIGCONT)
    world.gateway.start()


def calm_till(till: Till) -> None:
    """It is on, in the air, with room in its flash; what its firmware did wrong is told later."""
    wait_until(f"{till.console.console_id} is well", lambda: _is_well(till), CALM_S)


def _is_well(till: Till) -> bool:
    """Make it so; False if power went meanwhile, or the board is too slow to answer."""
    try:
        if till.is_stopped:
            send(till.console.pid, signal.SIGCONT)
        till.console.power_on()
        till.console.cut_power_at(NEVER)
        if till.console.board != "pico":
            till.console.hang(on=False)
            till.console.wifi(on=True)
        free(till)
    except FirmwareError:
        return True
    except ConsoleError:
        return False
    return till.console.powered
