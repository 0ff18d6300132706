from console import events

DATED_MS = 1763780000123

FACTS = (
    (events.BOOTED, 12, events.WATCHDOG, "1.0.0", "esp32", "240ac4f1e208"),
    (events.CLOCK_SET, 900, events.NTP, None),
    (events.CLOCK_SET, 950, events.BRIDGE, -4200),
    (events.CLOCK_SET, 950, events.BRIDGE, 0),
    (events.CLOCK_SET, 950, events.NTP, 1763780000123),
    (events.SETTINGS_APPLIED, 1000, 12),
    (events.SURVEY_OPENED, 0, "staff", 3),
    (events.SURVEY_CLOSED, 9000, True, 2000, "staff", 3, events.CANT_SAY, events.ANSWERED),
    (events.SURVEY_CLOSED, 9000, True, 9000, "staff", 0x7FFFFFFF, events.YES, events.ANSWERED),
    (events.SURVEY_CLOSED, 9000, True, 2000, "staff", 3, events.SILENT, events.EXPIRED),
    (events.SURVEY_CLOSED, 9000, True, 2000, "staff", 3, events.SILENT, events.SUPERSEDED),
    (events.SURVEY_CLOSED, 9000, True, 2000, "staff", 3, events.ERROR, events.FAULT),
    (events.FORCE_MAJEURE_DECLARED, 9500, True, "staff", 3),
    (events.FORCE_MAJEURE_DECLARED, 9500, False, "a" * 32, 3),
    (events.STRAY_PRESSED, 9700, events.SELLER, events.GUARD),
    (events.BUTTON_STUCK, 1 << 40, events.NO),
    (events.BUTTON_FREED, 9900, events.NO),
    (events.SELF_TESTED, 9990, False, 0b1011, 0),
    (events.SELF_TESTED, 9990, True, 0b1111, 0b1111),
)


def refused(function, value):
    try:
        function(value)
    except ValueError:
        return True
    return False


def test_survey_opened_has_the_fields_of_its_schema():
    assert events.event((events.SURVEY_OPENED, 733120, "staff", 3), 17, DATED_MS) == {
        "boot": 17,
        "up_ms": 733120,
        "at_ms": DATED_MS,
        "type": "survey_opened",
        "question_id": "staff",
        "question_revision": 3,
    }


def test_survey_closed_has_the_fields_of_its_schema():
    fact = (events.SURVEY_CLOSED, 741905, True, 733120, "staff", 3, events.YES, events.ANSWERED)
    assert events.event(fact, 17, 1763780008908, 41) == {
        "boot": 17,
        "up_ms": 741905,
        "at_ms": 1763780008908,
        "type": "survey_closed",
        "survey": 41,
        "opened_up_ms": 733120,
        "question_id": "staff",
        "question_revision": 3,
        "outcome": "yes",
        "cause": "answered",
        "response_ms": 8785,
    }


def test_only_an_answer_has_a_response_time():
    fact = (events.SURVEY_CLOSED, 741905, True, 733120, "staff", 3, events.SILENT, events.EXPIRED)
    assert "response_ms" not in events.event(fact, 17, None, 41)


def test_force_majeure_names_the_open_survey_or_none():
    during = events.event((events.FORCE_MAJEURE_DECLARED, 9500, True, "staff", 3), 17, None, 41)
    without = events.event((events.FORCE_MAJEURE_DECLARED, 9500, False, "staff", 3), 17, None, 41)
    assert (during["survey"], without["survey"]) == (41, None)


def test_a_self_test_names_the_buttons():
    made = events.event((events.SELF_TESTED, 9990, False, 0b1011, 0), 17, None)
    assert (made["passed"], made["buttons"], made["lamps"]) == (False, ["yes", "no", "seller"], [])


def test_every_event_comes_back_from_flash_as_it_was():
    assert {fact[events.TYPE] for fact in FACTS} == set(range(len(events.FIELDS)))
    for fact in FACTS:
        for at_ms in (None, 0, DATED_MS):
            made = events.event(fact, 17, at_ms, 41)
            assert events.decode(events.encode(made)) == made, made


def test_records_are_small():
    up_ms = 3 * 86400000
    opened = events.event((events.SURVEY_OPENED, up_ms, "loyalty", 3), 300, DATED_MS)
    fact = (events.SURVEY_CLOSED, up_ms, True, up_ms - 19999, "staff", 3, events.YES, events.ANSWERED)
    assert len(events.encode(opened)) <= 22
    closed = events.event(fact, 100, DATED_MS, 15000)
    assert len(events.encode(events.event((events.SURVEY_OPENED, up_ms, "staff", 3), 100, DATED_MS))) <= 20
    assert len(events.encode(closed)) <= 28


def test_an_event_that_the_console_never_makes_is_not_encoded():
    fine = events.event((events.STRAY_PRESSED, 9700, events.SELLER, events.GUARD), 1, None)
    for field, wrong in (("type", "danced"), ("reason", "bored"), ("button", "help"), ("boot", -1)):
        made = dict(fine)
        made[field] = wrong
        assert refused(events.encode, made)
    close = events.event((events.SURVEY_CLOSED, 9, True, 2, "staff", 3, events.YES, events.ANSWERED), 1, None, 4)
    close["response_ms"] = 8
    assert refused(events.encode, close)
    booted = events.event((events.BOOTED, 1, events.HARD, "1" * 300, "esp32", "ab"), 1, None)
    assert refused(events.encode, booted)


def test_damaged_records_are_refused_or_read_as_another_event():
    for fact in FACTS:
        record = events.encode(events.event(fact, 17, DATED_MS, 41))
        for length in range(len(record)):
            assert refused(events.decode, record[:length])
        assert refused(events.decode, record + b"\x00")
        for place in range(len(record)):
            damaged = bytearray(record)
            damaged[place] ^= 0xFF
            refused(events.decode, bytes(damaged))
    for record in (b"", b"\xff\x01\x01\x01", b"\x00" + b"\xff" * 40, bytes(256)):
        assert refused(events.decode, record)


def test_messages_to_the_console_are_read():
    ack = {"epoch": "9f2c1ab0", "through": 42, "at_ms": DATED_MS, "id": 5}
    assert events.read_ack(ack) == ("9f2c1ab0", 42, DATED_MS)
    command = {"id": "7", "command": "identify", "expires_at_ms": DATED_MS}
    assert events.read_command(command) == ("7", "identify", DATED_MS)


def test_other_messages_to_the_console_are_refused():
    for wrong in (None, [], {}, {"epoch": 5, "through": 4}, {"epoch": "9f2c1ab0", "through": True}):
        assert refused(events.read_ack, wrong)
        assert refused(events.read_command, wrong)
    assert refused(events.read_ack, {"epoch": "9f2c1ab0", "through": 4, "at_ms": "now"})
    assert refused(events.read_command, {"id": "7", "command": "identify"})
