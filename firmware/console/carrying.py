"""Events in doubt go over into a new epoch: seldom needed, and so loaded only then."""

from console import records


def carry(path, files, doubt, decode, encode):
    """Writes the events from number `doubt` on into the segment `path`, numbered from 1.

    `files`: (path, offset, first number, number after the last) of each part that holds them, oldest first. Returns
    (how many numbers they take, [yes, no, cant_say, seller] of the presses among them). Raises OSError.
    """
    presses = [0, 0, 0, 0]
    count = 0
    copy = bytearray()

    def take(seq, data, mark, _):
        nonlocal count
        while count <= seq - doubt:  # numbers that are gone keep their places
            count += 1
            if data is None or count <= seq - doubt:
                copy.extend(records.gone(count))
                continue
            copy.extend(records.record(_moved(data, doubt - 1, decode, encode), count, mark))
            if mark:
                presses[mark - 1] += 1

    records.write(path, "wb", b"")
    for source, offset, seq, end in files:
        copy = bytearray()
        try:
            records.scan(source, offset, seq, end, take)
        except OSError:
            pass  # it can't be read, now or later
        records.write(path, "ab", copy)
    return count, presses


def _moved(data, by, decode, encode):
    """Returns the event, which may name its survey by number, as it is after all numbers have sunk by `by`."""
    try:
        event = decode(data)
    except Exception:
        return data  # written by another firmware
    if not isinstance(event, dict) or not event.get("survey"):
        return data
    event["survey"] -= by
    return encode(event)
