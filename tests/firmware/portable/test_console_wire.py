"""Packets of MQTT, lines of the serial port, answers of name servers: byte by byte."""

from console.mqtt import packet, text
from console.udp import address_in
from console.usb_serial import line, parse


def test_mqtt_packets():
    assert text("ab") == b"\x00\x02ab"
    assert packet(0x30, b"x" * 127) == b"\x30\x7f" + b"x" * 127
    assert packet(0x30, b"x" * 100, b"y" * 100) == b"\x30\xc8\x01" + b"x" * 100 + b"y" * 100
    assert packet(0x30, b"x" * 16384)[:4] == b"\x30\x80\x80\x01"


def test_serial_lines():
    sent = line("ack", '{"through":1}')
    assert sent == b'ack\t{"through":1}\t' + sent[-9:-1] + b"\n"
    assert parse(sent[:-1]) == ("ack", b'{"through":1}')
    assert line("a", "123456789") == b"a\t123456789\t2b35fe56\n"


def test_damaged_serial_lines_are_refused():
    sent = line("ack", '{"through":1}')[:-1]
    for broken in (b"", b"\t", sent[:-1], sent[1:], sent.replace(b"1", b"2", 1), b"hello", sent[:3] + sent[4:]):
        assert parse(broken) is None, broken


def test_name_server_answers():
    question = b"\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00\x01a\x02bc\x00\x00\x01\x00\x01"
    alias = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x10\x00\x03\x01d\x00"
    address = b"\xc0\x20\x00\x01\x00\x01\x00\x00\x00\x10\x00\x04\xc0\x00\x02\x07"
    assert address_in(question + alias + address, len(question)) == "192.0.2.7"
    assert address_in(question + alias, len(question)) is None
    assert address_in(question + address[:-1], len(question)) is None
