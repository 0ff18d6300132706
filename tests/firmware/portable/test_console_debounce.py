from console.debounce import Debounce, settled_ms

DEBOUNCE_MS = 20


class Sink:
    def __init__(self):
        self.heard = []

    def press(self, button, up_ms):
        self.heard.append((button, "press", up_ms))

    def release(self, button, up_ms):
        self.heard.append((button, "release", up_ms))


def hear(edges, until_ms, poll_every_ms=10):
    """Return what a button makes of `edges` (up_ms, pressed), polled every `poll_every_ms` until `until_ms`."""
    sink = Sink()
    button = Debounce(2, DEBOUNCE_MS, sink)
    waiting = list(edges)
    level = False
    for now_ms in range(0, until_ms + 1, poll_every_ms):
        while waiting and waiting[0][0] <= now_ms:
            up_ms, level = waiting.pop(0)
            button.edge(level, up_ms)
        button.poll(level, now_ms)
    return sink.heard


def test_a_clean_press_counts_from_its_first_contact_to_its_first_break():
    assert hear([(3, True), (103, False)], 200) == [(2, "press", 3), (2, "release", 103)]


def test_a_bouncing_contact_counts_from_the_first():
    edges = [(3, True), (4, False), (9, True), (11, False), (28, True), (90, False), (95, True), (99, False)]
    assert hear(edges, 200) == [(2, "press", 3), (2, "release", 90)]


def test_a_contact_shorter_than_debounce_ms_is_noise():
    assert hear([(3, True), (22, False)], 200) == []


def test_a_contact_as_long_as_debounce_ms_is_a_press():
    assert hear([(3, True), (23, False)], 200) == [(2, "press", 3), (2, "release", 23)]


def test_a_break_shorter_than_debounce_ms_does_not_end_a_press():
    assert hear([(3, True), (50, False), (69, True), (120, False)], 200) == [(2, "press", 3), (2, "release", 120)]


def test_noise_does_not_lend_its_time_to_a_later_press():
    assert hear([(3, True), (5, False), (25, True), (90, False)], 200) == [(2, "press", 25), (2, "release", 90)]


def test_a_stall_changes_nothing():
    edges = [(3, True), (4, False), (9, True), (90, False), (95, True), (99, False), (400, True), (500, False)]
    assert hear(edges, 2000, 2000) == hear(edges, 2000)


def test_a_contact_that_never_rests_is_taken_as_it_is_in_the_end():
    edges = []
    for up_ms in range(3, 400, 9):
        edges += [(up_ms, True), (up_ms + 6, False)]
    heard = hear(edges, 220)
    assert heard == [(2, "press", 3)]
    assert hear(edges, 660, 660) == hear(edges, 660)


def test_a_level_without_an_edge_is_seen_by_the_poll():
    sink = Sink()
    button = Debounce(1, DEBOUNCE_MS, sink)
    for now_ms in range(0, 200, 10):
        button.poll(40 <= now_ms < 110, now_ms)
    assert sink.heard == [(1, "press", 40), (1, "release", 110)]


def test_a_first_contact_is_reported_at_once_and_once():
    button = Debounce(1, DEBOUNCE_MS, Sink())
    reported = [button.edge(True, 5), button.edge(False, 7), button.edge(True, 9), button.poll(True, 30)]
    reported += [button.edge(False, 60), button.edge(True, 62), button.poll(True, 90)]
    assert reported == [True, False, False, False, False, False, False]
    assert button.is_pressed()


def test_a_missed_contact_is_one_press_however_many_interrupts_report_it():
    sink = Sink()
    button = Debounce(0, DEBOUNCE_MS, sink)
    assert [button.missed(2000), button.missed(2001), button.missed(2020)] == [True, False, False]
    assert button.missed(2021)
    assert sink.heard == [(0, "press", 2000), (0, "release", 2000), (0, "press", 2021), (0, "release", 2021)]


def hear_late(edges, until_ms=500):
    """Return what a button makes of edges (pressed, up_ms, early_ms)."""
    sink = Sink()
    button = Debounce(0, DEBOUNCE_MS, sink)
    for edge in edges:
        button.edge(*edge)
    button.poll(False, until_ms)
    return sink.heard


def test_a_late_contact_counts_if_it_may_have_lasted_for_debounce_ms():
    press = [(0, "press", 100), (0, "release", 103)]
    assert hear_late([(True, 100, 83), (False, 103)]) == press
    assert hear_late([(True, 100, 83), (False, 101), (True, 102), (False, 103)]) == press
    assert hear_late([(True, 100, 84), (False, 103)]) == []
    assert hear_late([(True, 100, 10), (False, 400)]) == [(0, "press", 100), (0, "release", 400)]


def test_a_late_contact_is_not_earlier_than_the_break_before_it():
    assert hear_late([(True, 80), (False, 85), (True, 106, 10), (False, 109)], 300) == [
        (0, "press", 106),
        (0, "release", 109),
    ]
    assert hear_late([(True, 80), (False, 92), (True, 106, 10), (False, 111)], 300) == []


def test_a_late_contact_that_will_count_can_be_shown_at_once():
    button = Debounce(0, DEBOUNCE_MS, Sink())
    button.edge(True, 100, 85)
    assert not button.will_count()
    button.edge(False, 105)
    assert button.will_count()


def test_a_late_contact_right_after_a_missed_press_is_part_of_it():
    sink = Sink()
    button = Debounce(0, DEBOUNCE_MS, sink)
    button.missed(2000)
    button.edge(True, 2010, 1500)
    button.edge(False, 2022)
    button.poll(False, 3000)
    assert sink.heard == [(0, "press", 2000), (0, "release", 2000)]


def test_all_is_settled_up_to_the_first_undecided_contact():
    buttons = [Debounce(button, DEBOUNCE_MS, Sink()) for button in range(4)]
    assert settled_ms(buttons, 90) == 90
    buttons[2].edge(True, 70)
    buttons[1].edge(True, 80)
    assert settled_ms(buttons, 85) == 69
    buttons[2].poll(True, 90)
    assert settled_ms(buttons, 90) == 79
    buttons[1].poll(True, 100)
    assert settled_ms(buttons, 100) == 100
