"""What is sent next, and what acknowledgements do; the outbox is a list here."""

import json

from at_once import next_message
from console.delivery import Delivery
from console.hmac import Hmac

AHEAD, RESEND_MS, BATCH_BYTES = 4, 10000, 8192  # from schema/events.json and asyncapi.json
KEY = bytes(range(32))


class ListOutbox:
    """Events numbered from 1; `first` is the lowest held."""

    def __init__(self, count=0, size=10):
        self.epoch = "9f2c1ab0"
        self.first = 1
        self.doubt = 0
        self.events = [{"type": "t", "fill": "x" * size} for _ in range(count)]

    def delivery(self):
        return self.epoch, self.first, len(self.events) + 1

    def held(self):
        return self.first

    def event(self, seq):
        if seq < self.first:
            return self.first, None
        return seq, self.events[seq - 1] if seq <= len(self.events) else None

    def acknowledge(self, epoch, through):
        if epoch != self.epoch:
            return False
        self.first = through + 1
        return True


def taken(delivery, now_ms=0):
    """Return (base, number of events) of each batch that is sent now."""
    batches = []
    text = next_message(delivery, now_ms)
    while text:
        batch = json.loads(text)
        assert len(text) <= BATCH_BYTES
        batches.append((batch["base"], len(batch["events"])))
        text = next_message(delivery, now_ms)
    return batches


def test_at_most_four_batches_ahead():
    outbox = ListOutbox(300)
    delivery = Delivery(outbox)
    assert taken(delivery) == [(1, 32), (33, 32), (65, 32), (97, 32)]
    assert len(taken(delivery)) == 0
    assert delivery.acknowledged(outbox.epoch, 40, 5)
    assert taken(delivery) == [(129, 32)]
    delivery.acknowledged(outbox.epoch, 160, 5)
    assert len(taken(delivery)) == AHEAD


def test_without_events_nothing_is_sent():
    outbox = ListOutbox()
    delivery = Delivery(outbox)
    assert taken(delivery) == []
    outbox.events.append({"type": "t"})
    assert taken(delivery) == [(1, 1)]
    assert taken(delivery) == []


def test_long_events_make_short_batches():
    outbox = ListOutbox(40, size=500)
    assert taken(Delivery(outbox))[0] == (1, 15)
    assert json.loads(next_message(Delivery(ListOutbox(1, size=3000)), 0))["events"]


def test_a_console_with_a_key_signs_what_it_sends():
    outbox = ListOutbox(40)
    text = next_message(Delivery(outbox, KEY), 0)
    events = text[text.index("[") : text.rindex("]") + 1]
    batch = json.loads(text)
    assert batch["mac"] == mac_of(KEY, ['"9f2c1ab0"\n1\n1\n{}'.format(events).encode()])
    assert (batch["epoch"], batch["first"], batch["base"], batch["events"]) == ("9f2c1ab0", 1, 1, outbox.events[:32])
    assert "mac" not in json.loads(next_message(Delivery(outbox), 0))


def mac_of(key, pieces):
    mac = Hmac(key)
    for piece in pieces:
        mac.update(piece)
    return mac.hexdigest()


def test_the_mac_is_that_of_the_standard():  # RFC 4231, cases 1 and 2
    for key, data, mac in (
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ):
        assert mac_of(key, [data]) == mac_of(key, [bytes((byte,)) for byte in data]) == mac


def test_no_progress_sends_again():
    outbox = ListOutbox(40)
    delivery = Delivery(outbox)
    assert taken(delivery, 1000) == [(1, 32), (33, 8)]
    assert taken(delivery, 1000 + RESEND_MS - 1) == []
    assert taken(delivery, 1000 + RESEND_MS) == [(1, 32), (33, 8)]
    delivery.acknowledged(outbox.epoch, 32, 15000)
    assert taken(delivery, 15000 + RESEND_MS - 1) == []
    assert taken(delivery, 15000 + RESEND_MS) == [(33, 8)]


def test_a_new_connection_sends_again():
    outbox = ListOutbox(40)
    delivery = Delivery(outbox)
    taken(delivery)
    delivery.acknowledged(outbox.epoch, 32, 0)
    delivery.restart()
    assert taken(delivery) == [(33, 8)]


def test_an_acknowledgement_that_goes_back():
    outbox = ListOutbox(40)
    delivery = Delivery(outbox)
    taken(delivery)
    delivery.acknowledged(outbox.epoch, 40, 0)
    assert taken(delivery) == []
    delivery.acknowledged(outbox.epoch, 10, 0)
    assert taken(delivery) == [(11, 30)]


def test_an_acknowledgement_of_another_epoch_changes_nothing():
    outbox = ListOutbox(40)
    delivery = Delivery(outbox)
    taken(delivery)
    assert not delivery.acknowledged("00000000", 40, 0)
    assert outbox.first == 1


def test_a_new_epoch_begins_at_its_first():
    outbox = ListOutbox(40)
    delivery = Delivery(outbox)
    taken(delivery)
    outbox.epoch, outbox.events = "00000001", [{"type": "t"}]
    assert taken(delivery) == [(1, 1)]


def test_only_an_answer_to_a_recent_batch_gives_the_time():
    outbox = ListOutbox(1)
    delivery = Delivery(outbox)
    assert not delivery.acknowledged(outbox.epoch, 0, 0)
    taken(delivery, 1000)
    assert not delivery.acknowledged(outbox.epoch, 1, 3000)
    outbox.events.append({"type": "t"})
    taken(delivery, 4000)
    assert delivery.acknowledged(outbox.epoch, 2, 5999)
    outbox.events += [{"type": "t"}] * 2
    assert next_message(delivery, 10000)
    outbox.events.append({"type": "t"})
    taken(delivery, 14000)
    assert not delivery.acknowledged(outbox.epoch, 4, 14500)  # it answers a batch of four seconds ago
    assert delivery.acknowledged(outbox.epoch, 5, 14500)


def test_lost_numbers_are_not_sent():
    outbox = ListOutbox(40)
    delivery = Delivery(outbox)
    outbox.first = 20
    text = next_message(delivery, 0)
    assert json.loads(text)["first"] == json.loads(text)["base"] == 20


def test_numbers_in_doubt_wait_for_the_answer_to_the_one_before():
    outbox = ListOutbox(12)
    outbox.first = outbox.doubt = 11  # all before this start is acknowledged
    delivery = Delivery(outbox)
    outbox.event = lambda seq: (seq, outbox.events[seq - 1])
    batch = json.loads(next_message(delivery, 0))
    assert (batch["first"], batch["base"], len(batch["events"])) == (10, 10, 1)
    assert taken(delivery, 2999) == []
    outbox.doubt = 0
    delivery.acknowledged(outbox.epoch, 10, 2999)
    assert taken(delivery, 2999) == [(11, 2)]


def test_a_bridge_that_is_away_does_not_delay_numbers_in_doubt():
    outbox = ListOutbox(12)
    outbox.first = outbox.doubt = 11
    outbox.event = lambda seq: (seq, outbox.events[seq - 1])
    outbox.trust = lambda: setattr(outbox, "doubt", 0)
    delivery = Delivery(outbox)
    assert taken(delivery) == [(10, 1)]
    assert taken(delivery, 3000) == [(11, 2)]
