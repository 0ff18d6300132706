"""Make presses and facts, for tests of the survey table.

The default settings are in force: window 20000, long press 1500, guard 1000, debounce 20, stuck 30000.
"""

from console.events import (
    FORCE_MAJEURE_DECLARED,
    STRAY_PRESSED,
    SURVEY_CLOSED,
    SURVEY_OPENED,
)
from console.settings import Settings
from console.survey import SurveyTable


def table():
    return SurveyTable(Settings())


def press(table, button, up_ms, held_ms=120):
    table.press(button, up_ms)
    table.release(button, up_ms + held_ms)


def facts(table, settled_ms):
    taken = []
    while True:
        fact = table.take(settled_ms)
        if fact is None:
            return taken
        taken.append(fact)


def opened(up_ms, question_id="staff", question_revision=1):
    return (SURVEY_OPENED, up_ms, question_id, question_revision)


def closed(up_ms, opened_ms, outcome, cause, question_id="staff", question_revision=1):
    return (SURVEY_CLOSED, up_ms, True, opened_ms, question_id, question_revision, outcome, cause)


def stray(up_ms, button, reason):
    return (STRAY_PRESSED, up_ms, button, reason)


def declared(up_ms, is_open, question_id="staff", question_revision=1):
    return (FORCE_MAJEURE_DECLARED, up_ms, is_open, question_id, question_revision)


def other(**changes):
    settings = Settings()
    settings.revision = 13
    settings.question_id = "office"
    settings.question_revision = 4
    for name, value in changes.items():
        setattr(settings, name, value)
    return settings
