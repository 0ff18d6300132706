"""Begin and end each fault of the plan. A fault may meet whatever another fault has done."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from simulator.errors import ConsoleError, FirmwareError
from tests.chaos.plan import PlannedFault
from tests.chaos.programs import FragileBridge
from tests.chaos.proxy import Proxy
from tests.chaos.world import ChaosTill, ChaosWorld, send
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
HEAL_S = 600.0
OPERATIONS_MAX = 60  # flash operations within which power goes: an event or two, or a whole merge

Effect = Iterator[None]
MakeEffect = Callable[[ChaosWorld, PlannedFault], Effect]
FAULTS: dict[str, MakeEffect] = {}


def register(effect: MakeEffect) -> MakeEffect:
    """Register a generator as the fault of its name: the part before its `yield` begins the fault, the rest ends it."""
    return register_as(effect.__name__)(effect)


def register_as(*names: str) -> Callable[[MakeEffect], MakeEffect]:
    """Register a generator for several faults, which differ only in where they happen."""

    def add(effect: MakeEffect) -> MakeEffect:
        FAULTS.update(dict.fromkeys(names, effect))
        return effect

    return add


# Broker and bridge ------------------------------------------------------------------------------------------------


@register
def kill_broker(world: ChaosWorld, _: PlannedFault) -> Effect:
    with world.broker_busy:
        world.broker.stop(signal.SIGKILL)
    yield
    start_broker(world)


@register
def wipe_broker(world: ChaosWorld, _: PlannedFault) -> Effect:
    with world.broker_busy:
        world.broker.stop(signal.SIGKILL)
        world.broker.wipe()
    yield
    start_broker(world)


def start_broker(world: ChaosWorld) -> None:
    """Start the broker unless it runs."""
    with world.broker_busy:
        if not world.broker.is_running:
            world.broker.start()


@register
def stop_broker(world: ChaosWorld, _: PlannedFault) -> Effect:
    with world.broker_busy:
        pid = world.broker.pid if world.broker.is_running else None
        if pid is not None:
            send(pid, signal.SIGSTOP)
    yield
    if pid is not None:
        send(pid, signal.SIGCONT)


@register
def kill_bridge(world: ChaosWorld, _: PlannedFault) -> Effect:
    world.bridge.kill()
    yield
    world.bridge.start()


@register
def stop_bridge(world: ChaosWorld, _: PlannedFault) -> Effect:
    pid = world.bridge.running_pid()
    if pid is not None:
        send(pid, signal.SIGSTOP)
    yield
    if pid is not None:
        send(pid, signal.SIGCONT)


@register
def restore_bridge(world: ChaosWorld, fault: PlannedFault) -> Effect:
    world.bridge.restore(fault.lasts_s)
    yield


@register
def copy_database(world: ChaosWorld, _: PlannedFault) -> Effect:
    world.bridge.copy()
    yield


@register
def fill_database(world: ChaosWorld, _: PlannedFault) -> Effect:
    world.bridge.set_disk_full(full=True)
    yield
    world.bridge.set_disk_full(full=False)


@register
def lock_database(world: ChaosWorld, _: PlannedFault) -> Effect:
    with world.bridge.locked():
        yield


@register
def change_settings(world: ChaosWorld, fault: PlannedFault) -> Effect:
    world.command(*SETTINGS[int(fault.share * len(SETTINGS))])
    yield


# Networks ---------------------------------------------------------------------------------------------------------


def proxy_of(world: ChaosWorld, fault: PlannedFault) -> Proxy:
    """Return the proxy of the network that this fault is about."""
    return world.to_bridge if fault.kind.name.endswith("_bridge") else world.to_consoles


@register_as("delay_consoles", "delay_bridge")
def delay(world: ChaosWorld, fault: PlannedFault) -> Effect:
    proxy_of(world, fault).delay(fault.share * SLOWEST_S)
    yield
    proxy_of(world, fault).delay(0)


@register_as("double_consoles", "double_bridge")
def double(world: ChaosWorld, fault: PlannedFault) -> Effect:
    proxy_of(world, fault).double(on=True)
    yield
    proxy_of(world, fault).double(on=False)


@register_as("cut_consoles", "cut_bridge")
def cut(world: ChaosWorld, fault: PlannedFault) -> Effect:
    proxy_of(world, fault).cut()
    yield


@register_as("hang_consoles", "hang_bridge")
def hang(world: ChaosWorld, fault: PlannedFault) -> Effect:
    proxy_of(world, fault).hang(on=True)
    yield
    proxy_of(world, fault).hang(on=False)


# Consoles ---------------------------------------------------------------------------------------------------------


@contextmanager
def ignore_console_errors() -> Iterator[None]:
    """Do nothing if the board is off or stopped, or if its power goes at this moment."""
    try:
        yield
    except ConsoleError:
        return


def till_of(world: ChaosWorld, fault: PlannedFault) -> ChaosTill:
    """Return the till that this fault is about."""
    return world.tills[fault.console]


@register
def kill_console(world: ChaosWorld, fault: PlannedFault) -> Effect:
    till = till_of(world, fault)
    till.console.power_off()
    yield
    power_on(till)


def power_on(till: ChaosTill) -> None:
    """Power the console on, unless it is on; a stopped one stays stopped."""
    with ignore_console_errors():
        till.console.power_on()


@register
def tear_flash(world: ChaosWorld, fault: PlannedFault) -> Effect:
    till = till_of(world, fault)
    with ignore_console_errors():
        till.awake().cut_power_at(1 + int(fault.share * OPERATIONS_MAX), (fault.number % 9 - 4) / 4)
    yield
    power_on(till)


@register
def stop_console(world: ChaosWorld, fault: PlannedFault) -> Effect:
    pid, till, began_s = None, till_of(world, fault), time.monotonic()
    with ignore_console_errors():
        pid = till.awake().pid
        send(pid, signal.SIGSTOP)
    yield
    if pid is not None:
        send(pid, signal.SIGCONT)
        till.stops.append((began_s, time.monotonic()))


@register
def drop_wifi(world: ChaosWorld, fault: PlannedFault) -> Effect:
    till = till_of(world, fault)
    with ignore_console_errors():
        till.awake().wifi(on=False)
    yield
    with ignore_console_errors():
        till.awake().wifi(on=True)


@register
def hang_console(world: ChaosWorld, fault: PlannedFault) -> Effect:
    console = till_of(world, fault).console
    console.hang(on=True)
    yield
    console.hang(on=False)


@register
def fill_flash(world: ChaosWorld, fault: PlannedFault) -> Effect:
    till = till_of(world, fault)
    with ignore_console_errors(), till.flash_lock:
        if not till.awake().powered:
            raise ConsoleError(f"{till.console.console_id} has no power.")
        till.overflowed = till.is_full = True  # whatever happens to it while it is filled
        till.console.fill_flash(FREE_BLOCKS)
        till.console.wifi(on=False)
        till.play_requested.set()
    yield
    with ignore_console_errors():
        till.awake().wifi(on=True)
        free(till)


def free(till: ChaosTill) -> None:
    """Free the space of a flash that was filled."""
    with till.flash_lock:
        if till.is_full:
            till.awake().free_flash()
            till.is_full = False


@register
def step_clock(world: ChaosWorld, fault: PlannedFault) -> Effect:
    """Make the time server's clock wrong, and let an hour pass, so that the console asks it."""
    steps = (("ahead", DAY_MS), ("ahead", -DAY_MS), ("ahead", 7 * HOUR_MS), ("fixed", 0), ("ahead", 0))
    world.right_until_s = min(world.right_until_s, time.monotonic())
    how, ms = steps[int(fault.share * len(steps))]
    world.time_server.fixed_ms = ms if how == "fixed" else None
    world.time_server.ahead_ms = 0 if how == "fixed" else ms
    with ignore_console_errors():
        till_of(world, fault).awake().step(HOUR_MS)
    yield


@register
def meet_twin(world: ChaosWorld, _: PlannedFault) -> Effect:
    world.twin_seen = True
    with ignore_console_errors():
        world.twin.console.power_on()
    yield
    world.twin.console.power_off()


# Boards without radio, and their gateway --------------------------------------------------------------------------

NOISE_MAX = 0.02  # share of bytes that change; at this rate hardly any line passes its checksum


@register
def pull_cable(world: ChaosWorld, fault: PlannedFault) -> Effect:
    cable = till_of(world, fault).console.cable
    cable.pull()
    yield
    cable.plug()


@register
def disturb_line(world: ChaosWorld, fault: PlannedFault) -> Effect:
    cable = till_of(world, fault).console.cable
    cable.disturb(fault.share * NOISE_MAX, fault.number)
    yield
    cable.disturb(0)


@register
def kill_gateway(world: ChaosWorld, _: PlannedFault) -> Effect:
    world.gateway.kill()
    yield
    world.gateway.start()


@register
def stop_gateway(world: ChaosWorld, _: PlannedFault) -> Effect:
    pid = world.gateway.running_pid()
    if pid is not None:
        send(pid, signal.SIGSTOP)
    yield
    if pid is not None:
        send(pid, signal.SIGCONT)


# The end ----------------------------------------------------------------------------------------------------------


def heal(world: ChaosWorld) -> None:
    """Undo whatever the faults have left."""
    for proxy in (world.to_consoles, world.to_bridge):
        proxy.delay(0)
        proxy.double(on=False)
        proxy.hang(on=False)
    world.time_server.fixed_ms, world.time_server.ahead_ms = None, 0
    with world.broker_busy:
        if world.broker.is_running:
            send(world.broker.pid, signal.SIGCONT)
    start_broker(world)
    heal_bridge(world.bridge)
    heal_gateway(world)
    for till in world.everyone() if world.twin_seen else world.tills:
        heal_till(till)


def heal_bridge(bridge: FragileBridge) -> None:
    """Let the bridge run, with room on its disk."""
    pid = bridge.running_pid()
    if pid is not None:
        send(pid, signal.SIGCONT)
    bridge.set_disk_full(full=False)
    bridge.start()


def heal_gateway(world: ChaosWorld) -> None:
    """Let the gateway run, with all cables plugged in and free of noise."""
    for till in world.picos:
        till.console.cable.disturb(0)
        till.console.cable.plug()
    pid = world.gateway.running_pid()
    if pid is not None:
        send(pid, signal.SIGCONT)
    world.gateway.start()


def heal_till(till: ChaosTill) -> None:
    """Let the console run, connected, with room in its flash; what its firmware did wrong is reported later."""
    wait_until(f"{till.console.console_id} is healed", lambda: _is_healed(till), HEAL_S)


def _is_healed(till: ChaosTill) -> bool:
    """Try to heal the console; return False if power went meanwhile, or the board was too slow to answer."""
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
