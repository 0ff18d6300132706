"""Packets of MQTT, lines of the serial port, answers of name servers: byte by byte."""

from console.blocks import blocks
from console.mqtt import packet, text
from console.udp import LeaveAlone, addresses_in, answers, read_time
from console.usb_serial import line, parse
from console.version import BUILT_S


def test_mqtt_packets():
    assert text("ab") == b"\x00\x02ab"
    assert packet(0x30, b"x" * 127) == b"\x30\x7f" + b"x" * 127
    assert packet(0x30, b"x" * 100, b"y" * 100) == b"\x30\xc8\x01" + b"x" * 100 + b"y" * 100
    assert packet(0x30, b"x" * 16384)[:4] == b"\x30\x80\x80\x01"


def sent_line(leaf, *payload):
    sent = b"".join(line(leaf, payload))
    assert len(sent) % 64 == 0  # whole USB packets
    return sent.rstrip(b"\n") + b"\n"


def test_serial_lines():
    sent = sent_line("ack", b'{"through":', b"1}")
    assert sent == b'ack\t{"through":1}\t' + sent[-9:-1] + b"\n"
    assert parse(sent[:-1]) == ("ack", b'{"through":1}')
    assert sent_line("a", b"123456789") == b"a\t123456789\t2b35fe56\n"
    for size in range(200):
        assert parse(sent_line("events", b"x" * size)[:-1]) == ("events", b"x" * size)


def test_blocks_hold_all_bytes_in_order():
    for pieces in ((), (b"",), (b"abcdefgh",), (b"a", b"bcdefg", b"", b"h"), (b"abcd", b"efgh")):
        found = [bytes(block) for block in blocks(pieces, 4)]
        assert b"".join(found) == b"".join(pieces)
        assert [len(block) for block in found] == [4] * len(found)
    assert [bytes(block) for block in blocks((b"abc", b"de"), 4)] == [b"abcd", b"e"]


def test_damaged_serial_lines_are_refused():
    sent = sent_line("ack", b'{"through":1}')[:-1]
    for broken in (b"", b"\t", sent[:-1], sent[1:], sent.replace(b"1", b"2", 1), b"hello", sent[:3] + sent[4:]):
        assert parse(broken) is None, broken


def name_server_answer(records, count=None, flags=b"\x81\x80"):
    head = b"\x12\x34" + flags + b"\x00\x01\x00" + bytes((len(records) if count is None else count,)) + bytes(4)
    question = b"\x01a\x02bc\x00\x00\x01\x00\x01"
    return addresses_in(head + question + b"".join(records), len(head + question))


ALIAS = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x10\x00\x03\x01d\x00"
ADDRESS = b"\xc0\x20\x00\x01\x00\x01\x00\x00\x00\x10\x00\x04\xc0\x00\x02\x07"
OTHER = b"\x01d\x00\x00\x01\x00\x01\x00\x00\x00\x10\x00\x04\xc0\x00\x02\x09"


def test_name_server_answers():
    assert name_server_answer([ALIAS, ADDRESS]) == ["192.0.2.7"]
    assert name_server_answer([ADDRESS, ALIAS, OTHER]) == ["192.0.2.7", "192.0.2.9"]
    assert name_server_answer([ALIAS]) == []
    assert name_server_answer([]) == []


def test_only_the_answers_of_a_name_server_are_addresses():
    assert name_server_answer([ADDRESS, OTHER], 1) == ["192.0.2.7"]
    assert name_server_answer([ADDRESS], 0) == []


def test_an_error_or_a_record_of_another_class_is_no_address():
    assert name_server_answer([ADDRESS], flags=b"\x81\x82") == []
    assert name_server_answer([ADDRESS], flags=b"\x81\x83") == []
    assert name_server_answer([ADDRESS.replace(b"\x00\x01\x00\x01", b"\x00\x01\x00\x03"), OTHER]) == ["192.0.2.9"]


def test_a_name_servers_answer_that_was_cut_off_gives_what_is_whole():
    for size in range(len(ALIAS + ADDRESS)):
        assert name_server_answer([(ALIAS + ADDRESS)[:size]], 2) == []
    assert name_server_answer([ADDRESS + ADDRESS[:-1]], 9) == ["192.0.2.7"]


NONCE = b"somebody"
NTP_MINUS_UNIX_S = 2208988800


def time_server_answer(utc_s=BUILT_S, head=0x24, stratum=2, origin=NONCE, fraction=0):
    seconds = (utc_s + NTP_MINUS_UNIX_S) % (1 << 32)
    return (
        bytes((head, stratum))
        + bytes(22)
        + origin
        + bytes(8)
        + seconds.to_bytes(4, "big")
        + fraction.to_bytes(4, "big")
    )


def test_a_time_server_answers_the_question_asked():
    right = time_server_answer()
    assert answers(right, NONCE)
    assert answers(right + b"further fields", NONCE)
    assert answers(time_server_answer(head=0x1C), NONCE)  # version 3
    for wrong in (
        b"",
        right[:47],
        time_server_answer(origin=bytes(8)),
        time_server_answer(origin=b"somebode"),
        time_server_answer(head=0x23),  # a client
        time_server_answer(head=0x25),  # a broadcast
        time_server_answer(head=0x04),  # version 0
        time_server_answer(head=0x3C),  # version 7
    ):
        assert not answers(wrong, NONCE), wrong


def test_a_time_server_says_when_it_is():
    assert read_time(time_server_answer(fraction=1 << 31)) == BUILT_S * 1000 + 500
    assert read_time(time_server_answer(stratum=1)) == BUILT_S * 1000
    assert read_time(time_server_answer(stratum=15)) == BUILT_S * 1000
    for utc_s in (2085978495, 2085978496 + 1, 2085978496 + 86400, 4102444800):
        assert read_time(time_server_answer(utc_s)) == utc_s * 1000


def test_a_time_server_that_does_not_know_the_time_is_not_heard():
    for answer in (
        time_server_answer(head=0xE4),  # leap indicator 3
        time_server_answer(stratum=16),
        time_server_answer(stratum=255),
        time_server_answer(-NTP_MINUS_UNIX_S),  # all zero, which would be 2036-02-07
        time_server_answer(BUILT_S - 1),
        time_server_answer(0),
    ):
        assert not_heard(answer) is OSError, answer
    assert not_heard(time_server_answer(stratum=0)) is LeaveAlone


def not_heard(answer):
    try:
        read_time(answer)
    except OSError as error:
        return type(error)
    return None
