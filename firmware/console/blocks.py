"""Cut a message into blocks of one size, to write a block at a time and let others run between."""


def blocks(pieces, size):
    """Yield the bytes of all `pieces` in blocks of `size` bytes, the last one shorter; each is valid until the next."""
    block = memoryview(bytearray(size))
    used = 0
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            count = min(size - used, len(rest))
            block[used : used + count] = rest[:count]
            used += count
            rest = rest[count:]
            if used == size:
                yield block
                used = 0
    if used:
        yield block[:used]
