"""Do at once what the console does in steps: read events, make a message, delete files. Runs on MicroPython too."""


def read_batch(outbox, seq, most=32):
    """Return (base, events): at most `most` events from number `seq` on; `base` is above it if numbers are lost."""
    events = []
    end = outbox.delivery()[2]
    while seq < end and len(events) < most:
        number, event = outbox.event(seq)
        if event is not None:
            assert number == seq
            events.append(event)
            number += 1
        elif number > seq and events:
            break  # a batch ends before a gap
        seq = number
    return seq - len(events), events


def next_message(delivery, now_ms):
    """Return the next message of leaf `events` (a string), or None if there is nothing to send now."""
    for batch in delivery.next_batch(lambda: now_ms):
        if batch is not None:
            return b"".join(batch).decode()
    return None


def discard_all(outbox):
    """Delete all files whose events are acknowledged."""
    while outbox.discard():
        pass
