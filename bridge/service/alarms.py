"""Raise alarms as answers come, in the transaction that stores the answers, and close them when they have passed.

An alarm is about now. Only answers given in the last 15 minutes can raise one: what a console kept while the network
was away for longer, what `trivox ingest` takes in from a recording, and what a rebuild or a corrected clock moves,
raises none. Nor does an answer that is dated over a minute in the future. Answers that came late count beside later
ones of their quarter of an hour, and among what is usual.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.model.alarm import QUIET_MS, WINDOW_MS, AlarmWatch
from bridge.model.local_time import MINUTE_MS
from bridge.model.periods import EVER
from bridge.service.alarm_base import AlarmBases, AlarmPart, AlarmSpan, AlarmTopic, SiteBase
from bridge.store import alarm_answers, alarm_recipients, alarms, places
from bridge.store.alarms import AlarmFigures, AlarmPlace
from bridge.store.settings import site_choice
from bridge.surveys.facts import AlarmClosed, AlarmRaised, IntakeEnded, SurveysChanged
from bridge.wire.settings import ALARM_SETTINGS

if TYPE_CHECKING:
    from bridge.model.alarm import AlarmWindow, AnswerCount
    from bridge.service.outcome import TransactionOutcome
    from bridge.store import Store
    from bridge.store.alarm_answers import PlaceAnswer
    from bridge.store.alarms import AlarmRow
    from bridge.surveys.facts import Emit, Fact

LIVE_MS = WINDOW_MS  # an answer that is older raises no alarm
AHEAD_MS = MINUTE_MS  # nor does one that is dated further in the future
SETTINGS = {"no": "alarms", "yes": "good_news_alarms"}
"""The setting that switches alarms about an answer on or off."""


class AlarmsSubscriber:
    """Notes at which sites answers came, and judges those sites once surveys and rollups are whole."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bases = AlarmBases(store)
        self._outcome: TransactionOutcome | None = None
        self._sites: dict[str, dict[str, int]] = {}  # the first instant of each answer that came in this transaction

    def handle(self, fact: Fact, outcome: TransactionOutcome) -> None:
        """Note the answers that are about now; at the end of the intake judge their sites."""
        if isinstance(fact, SurveysChanged):
            if outcome is not self._outcome:  # what an earlier one has noted was rolled back
                self._outcome, self._sites = outcome, {}
            self._note(fact)
        elif isinstance(fact, IntakeEnded) and self._outcome is outcome:
            sites, self._sites = self._sites, {}
            for site_id, fresh_ms in sites.items():
                SiteJudge(self._store, self._bases, site_id, fresh_ms, outcome.emit).judge()

    def _note(self, fact: SurveysChanged) -> None:
        now_ms, site_id = self._store.now_ms, fact.console[0]
        from_ms, to_ms = now_ms - LIVE_MS, now_ms + AHEAD_MS
        for _, new in fact.changes:
            at_ms = new.closed_at_ms
            if at_ms is not None and from_ms < at_ms <= to_ms and new.outcome in SETTINGS:
                fresh_ms = self._sites.setdefault(site_id, {})
                fresh_ms[new.outcome] = min(at_ms, fresh_ms.get(new.outcome, at_ms))
        if any(new.opened_at_ms <= from_ms for _, new in fact.changes):
            self._bases.forget(site_id)  # there is more history of it than was known


@dataclass
class SiteJudge:
    """Judges each checkout point of a site, then the site as a whole, by the answers up to now.

    `fresh_ms` is when the first no and the first yes came that are new: what came before raises no alarm. The site is
    judged by the answers that no alarm of one of its checkout points tells of already, so nobody is called twice for
    the same.
    """

    store: Store
    bases: AlarmBases
    site_id: str
    fresh_ms: dict[str, int]
    emit: Emit

    def judge(self) -> None:
        """Raise the alarms that are due, and note which go on."""
        wanted = [name for name in self.fresh_ms if site_setting(self.store, self.site_id, SETTINGS[name]) == "on"]
        if not wanted:
            return
        self._base = SiteBase(self.bases, self.site_id, places.timezone(self.store, self.site_id) or "UTC")
        self._known = {alarm.place: alarm for alarm in alarms.not_closed(self.store, self.site_id)}
        since_ms, until_ms = min(self.fresh_ms.values()) - WINDOW_MS, self.store.now_ms + AHEAD_MS
        self._closed = alarms.last_closed(self.store, self.site_id, since_ms, until_ms)
        answers = alarm_answers.answers(self.store, self.site_id, since_ms, until_ms)
        for (question_id, revision), asked in _by_question(answers).items():
            for answer in wanted:
                self._judge_topic(AlarmTopic(question_id, revision, answer), asked)

    def _judge_topic(self, topic: AlarmTopic, answers: list[PlaceAnswer]) -> None:
        """Judge the checkout points, then the site by what they leave; one alone stands for its site."""
        points = {answer.checkout_point_id for answer in answers}
        told = set()
        for point in sorted(points - {""}):
            of_point = [answer for answer in answers if answer.checkout_point_id == point]
            if self._has_alarm(
                self._place(topic, point), topic, of_point, AlarmPart(frozenset({point}), is_site=False)
            ):
                told.add(point)
        whole = self._place(topic, "")
        if len(points) > 1 or "" in points or whole in self._known:
            left = [answer for answer in answers if answer.checkout_point_id not in told]
            self._has_alarm(whole, topic, left, AlarmPart(frozenset(points - told), is_site=True))

    def _place(self, topic: AlarmTopic, point: str) -> AlarmPlace:
        return AlarmPlace(self.site_id, point or None, *topic)

    def _has_alarm(self, place: AlarmPlace, topic: AlarmTopic, answers: list[PlaceAnswer], part: AlarmPart) -> bool:
        """Judge a place; return whether there is an alarm of it that is not closed."""
        alarm = self._known.get(place)

        def chance(span: AlarmSpan, found: AnswerCount) -> float | None:
            return self._base.chance(span, found, topic, part)

        watch = AlarmWatch(chance, self._closed.get(place, -EVER))
        if alarm is not None:
            watch.resume(alarm.met_at_ms)
        window = self._follow(watch, topic, answers)
        if window is not None and alarm is None:
            self._raise(place, topic, part, window, watch.met_at_ms or window.to_ms)
        if alarm is not None and watch.met_at_ms is not None and watch.met_at_ms > alarm.met_at_ms:
            alarms.note_met(self.store, alarm.alarm_id, watch.met_at_ms)
        return watch.met_at_ms is not None

    def _follow(self, watch: AlarmWatch, topic: AlarmTopic, answers: list[PlaceAnswer]) -> AlarmWindow | None:
        """Take all answers; return the first quarter of an hour in which the rule is met."""
        first = None
        for at_ms, answer, *_ in answers:
            is_counted = answer == topic.answer
            if at_ms < self.fresh_ms[topic.answer]:
                watch.note(at_ms, is_counted=is_counted)
            else:
                window = watch.judge(at_ms, is_counted=is_counted)
                first = first or window
        return first

    def _raise(
        self, place: AlarmPlace, topic: AlarmTopic, part: AlarmPart, window: AlarmWindow, met_at_ms: int
    ) -> None:
        """Raise an alarm for the first quarter of an hour that met the rule, which was last met at `met_at_ms`."""
        usual = self._base.usual((window.first_ms, window.to_ms), window.found, topic, part)
        if usual is None:
            return
        figures = AlarmFigures(window.from_ms, window.to_ms, *window.found, *usual.known, usual.of, window.chance)
        with self.store.savepoint():
            alarm_id = alarms.raise_alarm(self.store, place, figures)
            alarms.note_met(self.store, alarm_id, met_at_ms)
            alarm_recipients.queue(self.store, alarm_id, self.site_id)
        self.emit(AlarmRaised(alarm_id, place.site_id, place.checkout_point_id, place.answer))


def site_setting(store: Store, site_id: str, name: str) -> str:
    """Return a setting of a site: what was chosen for it, else for all, else the default."""
    return str(site_choice(store, site_id, name) or ALARM_SETTINGS[name])


def close_passed(store: Store, emit: Emit) -> None:
    """Close the alarms that have passed, inside the transaction; call this every minute or so."""
    for alarm in alarms.not_closed(store):
        if alarm.met_at_ms > store.now_ms + AHEAD_MS:  # this machine's clock was set back since
            alarms.note_met(store, alarm.alarm_id, store.now_ms)
            continue
        because = _passed(store, alarm)
        if because is not None:
            alarms.close(store, alarm.alarm_id, because)
            emit(AlarmClosed(alarm.alarm_id, alarm.place.site_id, alarm.place.checkout_point_id, because))


def _passed(store: Store, alarm: AlarmRow) -> str | None:
    """Return why an alarm has passed; None if it has not."""
    site_id, point, question_id, revision, _ = alarm.place
    if store.now_ms - alarm.met_at_ms < WINDOW_MS:
        return None
    watch = AlarmWatch(lambda _span, _found: None)
    watch.resume(alarm.met_at_ms)
    since_ms = max(alarm.met_at_ms, store.now_ms - QUIET_MS)
    for answer in alarm_answers.answers(store, site_id, since_ms, store.now_ms):
        if answer[3:] == (question_id, revision) and point in {None, answer.checkout_point_id}:
            watch.note(answer.at_ms, is_counted=False)
    return watch.closes_by_itself(store.now_ms)


def _by_question(answers: list[PlaceAnswer]) -> dict[tuple[str, int], list[PlaceAnswer]]:
    found: dict[tuple[str, int], list[PlaceAnswer]] = defaultdict(list)
    for answer in answers:
        found[answer.question_id, answer.question_revision].append(answer)
    return found
