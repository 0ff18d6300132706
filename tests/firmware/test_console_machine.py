"""Hypothesis presses, bounces, stalls and changes settings; debouncing and survey table do what the model says.

Two consoles see the same contacts: one is polled every 10 ms, the other only when Hypothesis chooses to.
"""

from bisect import insort

from console.debounce import Debounce, settled_ms
from console.events import SELLER
from console.settings import Settings
from console.survey import SurveyTable
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from survey_model import Model, ModelChange, ModelPress

DEBOUNCE_MS = 20
POLL_MS = 10
REST_MS = 2 * DEBOUNCE_MS  # how long a button must rest after a press, so that the next one counts as another
LATEST_MS = 300_000

BOUNCES = st.lists(st.tuples(st.integers(1, DEBOUNCE_MS - 1), st.integers(1, DEBOUNCE_MS - 1)), max_size=3)
GAPS = st.one_of(st.integers(0, 45), st.integers(0, 700))
HELD = st.one_of(st.integers(0, 100), st.sampled_from([199, 200, 201, 299, 300, 999, 1000, 1001]), st.integers(0, 2500))


def some_settings(revision, window_ms, long_ms, guard_ms, debounce_ms, stuck_ms):
    made = Settings()
    made.revision, made.question_revision = revision, revision
    made.survey_window_ms, made.long_press_ms, made.reopen_guard_ms = window_ms, long_ms, guard_ms
    made.debounce_ms, made.stuck_ms = debounce_ms, stuck_ms
    return made


class Rig:
    """A console's pure parts; each poll passes the noted edges on to them."""

    def __init__(self, first_settings):
        self.table = SurveyTable(first_settings)
        self.buttons = [Debounce(button, DEBOUNCE_MS, self.table) for button in range(4)]
        self.levels = [False] * 4
        self.facts = []
        self.fed = 0

    def poll(self, edges, now_ms):
        while self.fed < len(edges) and edges[self.fed][0] <= now_ms:
            up_ms, _, button, level = edges[self.fed]
            self.buttons[button].edge(level, up_ms)
            self.levels[button] = level
            self.fed += 1
        for button, debounce in enumerate(self.buttons):
            debounce.poll(self.levels[button], now_ms)
        settled = settled_ms(self.buttons, now_ms)
        fact = self.table.take(settled)
        while fact is not None:
            self.facts.append(fact)
            fact = self.table.take(settled)


class ConsoleMachine(RuleBasedStateMachine):
    """Contacts are planned ahead of `now_ms`; `wait` plays them."""

    def __init__(self):
        super().__init__()
        self.first = some_settings(1, 1000, 300, 200, 20, 1000)
        self.prompt, self.stalled = Rig(self.first), Rig(self.first)
        self.now_ms = 0
        self.edges = []  # (up_ms, order, button, level)
        self.free_ms = [0] * 4
        self.presses = []
        self.changes = []

    def contact(self, button, start_ms, bounces, held_ms, bounces_after):
        """Add the edges of a press that bounces at both ends; return its break."""
        at = self.chatter(button, start_ms, True, bounces)
        break_ms = at + held_ms + DEBOUNCE_MS
        at = self.chatter(button, break_ms, False, bounces_after)
        self.free_ms[button] = at + REST_MS
        return break_ms

    def chatter(self, button, at, level, bounces):
        for on_ms, off_ms in bounces:
            self.edge(button, at, level)
            self.edge(button, at + on_ms, not level)
            at += on_ms + off_ms
        self.edge(button, at, level)
        return at

    def edge(self, button, up_ms, level):
        insort(self.edges, (up_ms, len(self.edges), button, level))

    @rule(button=st.integers(0, 3), gap_ms=GAPS, bounces=BOUNCES, held_ms=HELD, bounces_after=BOUNCES)
    def press(self, button, gap_ms, bounces, held_ms, bounces_after):
        start_ms = max(self.now_ms + 1 + gap_ms, self.free_ms[button])
        break_ms = self.contact(button, start_ms, bounces, held_ms, bounces_after)
        self.presses.append(ModelPress(button, start_ms, break_ms))

    @rule(button=st.integers(0, 3), gap_ms=GAPS, held_ms=st.integers(900, 4000), asked=st.booleans())
    def hold(self, button, gap_ms, held_ms, asked):
        self.press(button, gap_ms, [], held_ms, [])
        if asked:
            self.seller_asks(gap_ms + held_ms // 2, 100)

    @rule(gap_ms=GAPS, held_ms=st.integers(0, 150))
    def seller_asks(self, gap_ms, held_ms):
        self.press(SELLER, gap_ms, [], held_ms, [])

    @rule(button=st.integers(0, 3), gap_ms=GAPS, lasts_ms=st.integers(1, DEBOUNCE_MS - 1))
    def noise(self, button, gap_ms, lasts_ms):
        start_ms = max(self.now_ms + 1 + gap_ms, self.free_ms[button])
        self.edge(button, start_ms, True)
        self.edge(button, start_ms + lasts_ms, False)
        self.free_ms[button] = start_ms + lasts_ms + REST_MS

    @rule(
        window_ms=st.one_of(st.integers(200, 2000), st.integers(2000, 6000)),
        long_ms=st.integers(200, 900),
        guard_ms=st.integers(0, 1200),
        debounce_ms=st.sampled_from([5, 20, 60]),
        stuck_ms=st.integers(1000, 2000),
    )
    def settings_come(self, window_ms, long_ms, guard_ms, debounce_ms, stuck_ms):
        settings = some_settings(len(self.changes) + 2, window_ms, long_ms, guard_ms, debounce_ms, stuck_ms)
        self.changes.append(ModelChange(self.now_ms + 1, settings))
        for rig in (self.prompt, self.stalled):
            rig.table.apply(settings, self.now_ms + 1)
        self.wait(1, False)

    @rule(lasts_ms=st.integers(1, 600))
    def self_test(self, lasts_ms):
        for testing in (True, False):
            self.changes.append(ModelChange(self.now_ms + 1, testing=testing))
            for rig in (self.prompt, self.stalled):
                rig.table.test(testing, self.now_ms + 1)
            self.wait(lasts_ms if testing else 1, False)

    @rule(ms=st.one_of(st.integers(1, 60), st.integers(1, 3000)), poll_the_other=st.booleans())
    def wait(self, ms, poll_the_other):
        for _ in range(ms):
            self.now_ms += 1
            if self.now_ms % POLL_MS == 0:
                self.prompt.poll(self.edges, self.now_ms)
        if poll_the_other:
            self.stalled.poll(self.edges, self.now_ms)

    @invariant()
    def the_stalled_console_says_nothing_else(self):
        said = min(len(self.prompt.facts), len(self.stalled.facts))
        assert self.stalled.facts[:said] == self.prompt.facts[:said]

    def teardown(self):
        self.wait(max(self.now_ms, *self.free_ms) + 5000 - self.now_ms, False)
        end_ms = self.now_ms
        for rig in (self.prompt, self.stalled):
            rig.poll(self.edges, end_ms)
        expected = Model(self.first, self.presses, self.changes, end_ms).facts
        assert self.prompt.facts == expected
        assert self.stalled.facts == expected
        assert end_ms < LATEST_MS


TestConsole = ConsoleMachine.TestCase
TestConsole.settings = hypothesis_settings(max_examples=60, stateful_step_count=30, deadline=None, print_blob=True)
