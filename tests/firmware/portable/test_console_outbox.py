"""The outbox in a folder, and the one in RAM."""

import os

from at_once import discard_all, read_batch
from console import events, outbox_files
from console.outbox import Outbox
from console.outbox_ram import RamOutbox


def opened(prog_size=32):
    outbox = Outbox("outbox", bytes, bytes, prog_size)
    outbox.open()
    if outbox.doubt:
        outbox.trust()  # the bridge knows no more
    return outbox


def filled(outbox, count):
    for number in range(1, count + 1):
        assert outbox.append(b"event %d" % number) == number
    return outbox


def delivered(outbox):
    """Return what is delivered until nothing waits, as (epoch, number, event)."""
    found = []
    epoch, first, end = outbox.delivery()
    while first < end:
        base, waiting = read_batch(outbox, first)
        found += [(epoch, base + index, event) for index, event in enumerate(waiting)]
        assert outbox.acknowledge(epoch, base + len(waiting) - 1)
        discard_all(outbox)
        epoch, first, end = outbox.delivery()
    return found


def test_a_new_outbox_is_empty():
    for outbox in (opened(), RamOutbox(bytes, bytes, boot=1)):
        assert (outbox.first, outbox.next, outbox.boot, outbox.lost) == (1, 1, 1, 0)
        assert len(outbox.epoch) == 8
        assert int(outbox.epoch, 16) >= 0
        assert outbox.delivery() == (outbox.epoch, 1, 1)
        assert read_batch(outbox, 1) == (1, [])


def test_numbers_and_epoch_go_on_over_restarts():
    outbox = opened()
    epoch = outbox.epoch
    seq = 0
    for boot in range(2, 40):
        for _ in range(boot % 7):
            seq += 1
            assert outbox.append(b"event %d" % seq) == seq
        outbox = opened()
        assert (outbox.epoch, outbox.next, outbox.boot) == (epoch, seq + 1, boot)
    assert delivered(outbox) == [(epoch, number, b"event %d" % number) for number in range(1, seq + 1)]


def test_every_size_of_event_comes_back():
    outbox = opened(256)
    sizes = [size * size for size in range(64)]
    for size in sizes:
        outbox.append(bytes(size))
    assert [len(event) for _, _, event in delivered(opened(256))] == sizes


def test_a_batch_has_at_most_32_events():
    for outbox in (filled(opened(), 64), filled(RamOutbox(bytes, bytes), 64)):
        base, waiting = read_batch(outbox, 3)
        assert (base, len(waiting)) == (3, 32)
        assert read_batch(outbox, 60, 3) == (60, [b"event 60", b"event 61", b"event 62"])
        assert read_batch(outbox, 64) == (64, [b"event 64"])
        assert read_batch(outbox, 65) == (65, [])


def test_what_is_acknowledged_does_not_come_again_after_a_restart():
    outbox = filled(opened(), 300)
    assert outbox.acknowledge(outbox.epoch, 250)
    assert outbox.first == 251
    filled_on = [outbox.append(b"more") for _ in range(5)]
    assert filled_on == [301, 302, 303, 304, 305]
    again = opened()
    assert 200 < again.first <= 251
    assert delivered(again)[-55:][0] == (outbox.epoch, 251, b"event 251")


def test_an_acknowledgement_that_goes_back_brings_back_what_is_still_held():
    for outbox in (filled(opened(256), 60), filled(RamOutbox(bytes, bytes), 60)):
        assert outbox.acknowledge(outbox.epoch, 60)
        assert outbox.delivery() == (outbox.epoch, 61, 61)
        assert outbox.acknowledge(outbox.epoch, 50)
        assert outbox.delivery() == (outbox.epoch, 51, 61)
        assert read_batch(outbox, 51)[1][0] == b"event 51"


def test_the_lowest_held_number_is_reported_for_a_restored_bridge():
    for outbox in (opened(), RamOutbox(bytes, bytes, boot=1)):
        filled(outbox, 10)
        assert outbox.acknowledge(outbox.epoch, 10)
        assert (outbox.first, outbox.held()) == (11, 1)
        for _ in range(2000):
            outbox.acknowledge(outbox.epoch, outbox.append(b"more"))
        assert 1 < outbox.held() < outbox.first


def test_an_acknowledgement_that_went_back_survives_a_restart():
    outbox = opened()
    for _ in range(3):
        filled_by(outbox, 10)
        assert outbox.acknowledge(outbox.epoch, outbox.next - 1)
    assert outbox.acknowledge(outbox.epoch, 5)
    again = opened()
    assert again.first == 6
    assert read_batch(again, 6)[1][0] == b"event"


def test_numbers_stay_in_doubt_while_flash_can_not_be_written():
    filled_by(opened(), 10)
    outbox = Outbox("outbox", bytes, bytes, 32)
    outbox.open()
    write = outbox_files.write
    try:
        outbox_files.write = refused
        outbox.trust()
    finally:
        outbox_files.write = write
    assert (outbox.doubt, outbox.fault is None) == (11, False)
    outbox.trust()
    assert outbox.doubt == 0


def filled_by(outbox, count):
    for _ in range(count):
        outbox.append(b"event")


def refused(path, mode, data):
    raise OSError(5)


def test_an_acknowledgement_of_another_epoch_changes_nothing():
    for outbox in (filled(opened(), 5), filled(RamOutbox(bytes, bytes), 5)):
        assert not outbox.acknowledge("00000000", 3)
        assert outbox.first == 1


def test_an_acknowledgement_beyond_the_last_number_begins_an_epoch():
    outbox = filled(opened(), 5)
    old = outbox.epoch
    assert outbox.acknowledge(old, 6)
    assert outbox.epoch != old
    assert outbox.append(b"new") == 1
    assert delivered(opened()) == [(outbox.epoch, 1, b"new")]


def test_a_full_outbox_drops_the_oldest():
    outbox = Outbox("outbox", bytes, bytes, 32, limit=200)
    outbox.open()
    filled(outbox, 1000)
    assert 200 <= outbox.next - outbox.first < 400
    assert outbox.lost == outbox.first - 1
    assert delivered(outbox)[-1] == (outbox.epoch, 1000, b"event 1000")


def test_ram_keeps_the_newest():
    outbox = filled(RamOutbox(bytes, bytes, limit=64), 100)
    assert (outbox.first, outbox.next, outbox.lost) == (37, 101, 36)
    assert [number for _, number, _ in delivered(outbox)] == list(range(37, 101))
    assert outbox.lost == 36


def test_files_are_deleted_one_at_a_time():
    outbox = Outbox("outbox", bytes, bytes, 32, limit=1600)
    outbox.open()
    filled(outbox, 1500)

    def segments():
        return len([name for name in os.listdir("outbox") if "-" in name])

    before = segments()
    assert before >= 3
    assert outbox.acknowledge(outbox.epoch, 1500)  # it covers all of them
    for deleted in range(before):
        assert segments() == before - deleted
        assert outbox.discard()
    assert not outbox.discard()
    assert outbox.delivery()[1:] == (1501, 1501)


def test_the_newest_segment_grows_in_a_boot():
    outbox = opened(256)
    filled(outbox, 2000)
    assert len([name for name in os.listdir("outbox") if "-" in name]) <= 9
    again = opened(256)
    assert delivered(again) == [(outbox.epoch, number, b"event %d" % number) for number in range(1, 2001)]


class Decoder:
    """A codec that fails once with `error` on the event `fails_on`."""

    def __init__(self, fails_on, error):
        self.fails_on = fails_on
        self.error = error

    def __call__(self, record):
        if self.error and record == self.fails_on:
            error, self.error = self.error, None
            raise error
        return bytes(record)


def test_an_event_that_memory_did_not_suffice_for_is_not_lost():
    for make in (lambda decode: Outbox("outbox", bytes, decode, 32), lambda decode: RamOutbox(bytes, decode)):
        outbox = make(Decoder(b"event 3", MemoryError()))
        outbox.open()
        filled(outbox, 5)
        try:
            read_batch(outbox, 1)
            raised = False
        except MemoryError:
            raised = True
        assert raised
        assert read_batch(outbox, 1) == (1, [b"event %d" % number for number in range(1, 6)])
        assert outbox.lost == 0


def test_an_event_of_another_version_is_passed_over_and_counted():
    outbox = Outbox("outbox", bytes, Decoder(b"event 1", ValueError("unknown event")), 32)
    outbox.open()
    filled(outbox, 3)
    assert read_batch(outbox, 1) == (2, [b"event 2", b"event 3"])
    assert (outbox.first, outbox.lost) == (2, 1)


def test_renumbering_does_not_take_a_lack_of_memory_for_another_version():
    filled_by(opened(), 10)
    outbox = Outbox("outbox", bytes, Decoder(b"event 12", MemoryError()), 32)
    outbox.open()
    for number in (11, 12):
        assert outbox.append(b"event %d" % number) == number
    try:
        outbox.acknowledge(outbox.epoch, 12)  # the bridge knows of more: those in doubt move into a new epoch
        raised = False
    except MemoryError:
        raised = True
    assert raised
    assert outbox.acknowledge(outbox.epoch, 12)
    assert delivered(outbox)[-2:] == [(outbox.epoch, 1, b"event 11"), (outbox.epoch, 2, b"event 12")]


def test_presses_count_over_the_epoch():
    outbox = opened()
    for number in range(100):
        outbox.append(b"event", (None, 0, 1, 2, 3)[number % 5])
    assert outbox.presses == [20, 20, 20, 20]
    outbox.append(b"event", 3)
    outbox.acknowledge(outbox.epoch, 101)
    assert opened().presses == [20, 20, 20, 21]


def test_a_record_cut_short_was_never_stored():
    outbox = filled(opened(), 7)
    epoch = outbox.epoch
    for name in os.listdir("outbox"):
        with open("outbox/" + name, "rb") as file:
            data = file.read()
        if data.endswith(b"event 7"):
            newest = "outbox/" + name
            break
    with open(newest, "wb") as file:
        file.write(data[:-3])
    outbox = opened()
    assert (outbox.epoch, outbox.next) == (epoch, 7)
    assert outbox.append(b"seven") == 7
    assert delivered(opened())[-1] == (epoch, 7, b"seven")


def test_a_folder_that_can_not_be_made_is_an_error_and_harmless():
    outbox = Outbox("not/there", bytes, bytes)
    for act in (outbox.open, lambda: outbox.append(b"event")):
        try:
            act()
            raised = False
        except OSError:
            raised = True
        assert raised
    assert outbox.delivery()[1:] == (1, 1)
    assert read_batch(outbox, 1) == (1, [])


def test_real_events_come_back():
    outbox = Outbox("outbox", events.encode, events.decode)
    outbox.open()
    opening = events.event((events.STRAY_PRESSED, 12345, 1, 2), 1, None, None)
    outbox.append(opening, 1)
    assert read_batch(outbox, 1) == (1, [opening])
