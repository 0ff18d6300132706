from console.clock import Clock, ntp_utc_ms, port_seconds
from console.events import BRIDGE, CLOCK_SET, NTP

DAY_MS = 86400000
WRAP_MS = 1 << 30  # as on a 32-bit board


class Ticks:
    """The ticks of a 32-bit board, with differences as `time.ticks_diff` returns them."""

    def __init__(self, true_ms):
        self.true_ms = true_ms

    def ms(self):
        return self.true_ms % WRAP_MS

    def diff(self, ticks, before):
        return (ticks - before + WRAP_MS // 2) % WRAP_MS - WRAP_MS // 2


def test_up_ms_begins_at_zero_and_goes_on_over_every_wrap():
    ticks = Ticks(WRAP_MS - 1000)
    clock = Clock(ticks.ms, ticks.diff)
    started_ms = ticks.true_ms
    assert clock.up_ms() == 0
    while ticks.true_ms < started_ms + 40 * DAY_MS:
        ticks.true_ms += 3 * DAY_MS + 7
        assert clock.up_ms() == ticks.true_ms - started_ms


def test_up_ms_can_rest_for_four_days():
    ticks = Ticks(0)
    clock = Clock(ticks.ms, ticks.diff)
    ticks.true_ms = 1 << 27  # the mark is not moved yet
    assert clock.up_ms() == 1 << 27
    ticks.true_ms += 4 * DAY_MS
    assert clock.up_ms() == ticks.true_ms


def test_ticks_noted_by_an_interrupt_get_their_time_later():
    ticks = Ticks(5 * WRAP_MS - 30)
    clock = Clock(ticks.ms, ticks.diff)
    ticks.true_ms += 20
    noted = ticks.ms()
    ticks.true_ms += 2000
    clock.up_ms()
    assert clock.up_ms_of(noted) == 20
    ticks.true_ms += 2 * DAY_MS
    clock.up_ms()  # moves the mark past the noted ticks
    assert clock.up_ms_of(noted) == 20


def test_the_ports_own_ticks_work():
    import time

    if not hasattr(time, "ticks_add"):
        return  # CPython has none: the class above must do
    ticks = [time.ticks_ms()]
    clock = Clock(lambda: ticks[0], time.ticks_diff)
    true_ms = 0
    while true_ms < 13 * DAY_MS:
        ticks[0] = time.ticks_add(ticks[0], DAY_MS + 7)
        true_ms += DAY_MS + 7
        assert clock.up_ms() == true_ms


def utc_clock():
    ticks = Ticks(77)
    return Clock(ticks.ms, ticks.diff)


def test_the_time_is_not_known_before_it_is_set():
    assert utc_clock().at_ms(5) is None


def test_the_first_setting_has_no_step_and_dates_what_was_before_too():
    clock = utc_clock()
    assert clock.set(1763780000000, NTP, 4000) == (CLOCK_SET, 4000, NTP, None)
    assert clock.at_ms(4500) == 1763780000500
    assert clock.at_ms(0) == 1763779996000


def test_a_step_is_new_minus_old():
    clock = utc_clock()
    clock.set(1763780000000, BRIDGE, 0)
    assert clock.set(1763779990000 + 5000, BRIDGE, 5000) == (CLOCK_SET, 5000, BRIDGE, -10000)
    assert clock.set(1763780000000 + 6000, NTP, 6000) == (CLOCK_SET, 6000, NTP, 10000)


def test_the_bridge_does_not_correct_small_differences():
    clock = utc_clock()
    clock.set(1763780000000, BRIDGE, 0)
    assert clock.set(1763780002000, BRIDGE, 0) is None
    assert clock.at_ms(0) == 1763780000000
    assert clock.set(1763780002001, BRIDGE, 0) == (CLOCK_SET, 0, BRIDGE, 2001)


def test_the_bridge_does_not_set_a_clock_that_ntp_has_set():
    clock = utc_clock()
    clock.set(1763780000000, NTP, 0)
    assert clock.set(1763790000000, BRIDGE, 0) is None
    assert clock.at_ms(0) == 1763780000000
    assert clock.source == NTP


def test_ntp_takes_over_from_the_bridge_however_small_the_step():
    clock = utc_clock()
    clock.set(1763780000000, BRIDGE, 0)
    assert clock.set(1763780000003, NTP, 0) == (CLOCK_SET, 0, NTP, 3)
    assert clock.set(1763780000043, NTP, 0) is None
    assert clock.set(1763780000053, NTP, 0) == (CLOCK_SET, 0, NTP, 50)


def test_ntp_stamps_are_read_beyond_2036():
    assert ntp_utc_ms(2208988800, 1 << 31) == 500
    assert ntp_utc_ms(3972768800, 0) == 1763780000000
    assert ntp_utc_ms(0, 0) == 2085978496000  # 2036-02-07T06:28:16Z


def test_the_ports_epoch():
    assert port_seconds(1763780000123, lambda seconds: (1970, 1, 1)) == 1763780000
    assert port_seconds(1763780000123, lambda seconds: (2000, 1, 1)) == 1763780000 - 946684800
