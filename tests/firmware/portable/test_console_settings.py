import json
import os

from console.settings import Settings, check, load, replaces, save, track
from console.settings import payload as payload_of


def valid(**changes):
    payload = {
        "revision": 12,
        "question": {"id": "staff", "revision": 3, "kind": "personnel", "text": {"en": "Well served?", "ru": "Да?"}},
        "survey_window_ms": 20000,
        "long_press_ms": 1500,
        "reopen_guard_ms": 1000,
        "debounce_ms": 20,
        "stuck_ms": 30000,
        "heartbeat_ms": 60000,
        "ask_every": 1,
        "prompt": "tone",
    }
    payload.update(changes)
    return payload


def with_question(**changes):
    payload = valid()
    payload["question"].update(changes)
    return payload


def reason(payload):
    checked = check(payload)
    assert isinstance(checked, str), checked
    return checked


def test_all_fields_are_read():
    settings = check(valid())
    assert isinstance(settings, Settings)
    assert (settings.revision, settings.question_id, settings.question_revision) == (12, "staff", 3)
    assert (settings.survey_window_ms, settings.long_press_ms, settings.prompt) == (20000, 1500, "tone")
    assert payload_of(settings) == valid()


def test_unknown_fields_are_ignored():
    payload = with_question(colour="red")
    payload["volume"] = 7
    assert payload_of(check(payload)) == valid()


def test_each_field_is_required():
    for name in valid():
        payload = valid()
        del payload[name]
        assert name in reason(payload)
    for name in valid()["question"]:
        payload = valid()
        del payload["question"][name]
        assert "question." + name in reason(payload)


def test_numbers_are_whole_and_within_their_range():
    for name, wrong in (
        ("revision", 0),
        ("survey_window_ms", 199),
        ("survey_window_ms", 600001),
        ("debounce_ms", True),
        ("debounce_ms", 20.0),
        ("ask_every", "1"),
        ("heartbeat_ms", None),
    ):
        assert name in reason(valid(**{name: wrong}))


def test_stuck_ms_is_above_long_press_ms():
    assert "stuck_ms" in reason(valid(stuck_ms=1500))
    assert isinstance(check(valid(stuck_ms=1501)), Settings)


def test_prompts():
    for prompt in ("none", "tone", "track:1", "track:255"):
        assert check(valid(prompt=prompt)).prompt == prompt
    for prompt in ("", "loud", "track:", "track:0", "track:01", "track:256", "track:+1", "track:1 ", 5, None, ["tone"]):
        assert "prompt" in reason(valid(prompt=prompt))
    assert (track("track:17"), track("tone")) == (17, None)


def test_question_ids_kinds_and_texts():
    for wrong in ("", "_a", "-a", "Staff", "a.b", "a" * 33, 5):
        assert "question.id" in reason(with_question(id=wrong))
    for wrong in ("unknown", None, 1):
        assert "question.kind" in reason(with_question(kind=wrong))
    for wrong in ({}, "Well?", {"en": ""}, {"en": 5}, {"en": "x" * 301}, {"": "x"}, [1]):
        assert "question.text" in reason(with_question(text=wrong))
    assert isinstance(check(with_question(id="9_a-" + "z" * 28, text={"bg": "ж" * 300})), Settings)


def test_what_is_not_an_object_is_refused():
    for wrong in (None, [], "x", 5, valid(question=None), valid(question=[])):
        reason(wrong)


def test_newer_or_changed_settings_replace_those_in_use():
    used = check(valid())
    assert not replaces(check(valid()), used)
    assert not replaces(check(valid(revision=11, ask_every=5)), used)
    assert replaces(check(valid(revision=13)), used)
    assert replaces(check(valid(ask_every=5)), used)
    assert replaces(check(with_question(text={"en": "Well served today?"})), used)
    assert replaces(check(valid(revision=1)), Settings())


def test_saved_settings_come_back():
    assert load("settings.json") is None
    save("settings.json", check(valid()))
    save("settings.json", check(valid(revision=13)))
    assert payload_of(load("settings.json")) == valid(revision=13)
    assert os.listdir() == ["settings.json"]


def test_a_file_that_is_damaged_gives_a_reason():
    for content in ("", '{"revision":', "5", json.dumps(valid(prompt="loud"))):
        with open("settings.json", "w") as file:
            file.write(content)
        assert isinstance(load("settings.json"), str)


def test_a_new_file_that_a_power_cut_left_half_written_does_not_count():
    save("settings.json", check(valid()))
    with open("settings.json.new", "w") as file:
        file.write('{"rev')
    assert load("settings.json").revision == 12
    save("settings.json", check(valid(revision=14)))
    assert load("settings.json").revision == 14
