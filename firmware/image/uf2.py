"""Write an image for an RP2040 as UF2, the format that its boot volume takes."""

import struct

BLOCK = struct.Struct("<8I476sI")
MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
HAS_FAMILY = 0x2000
RP2040 = 0xE48BFF56
FLASH_AT = 0x10000000
PAGE_SIZE = 256


def uf2(image: bytes) -> bytes:
    """Return the UF2 file that puts this image at the beginning of the flash."""
    first, second, last = MAGIC
    pages = [image[at : at + PAGE_SIZE] for at in range(0, len(image), PAGE_SIZE)]
    blocks = []
    for number, page in enumerate(pages):
        where = FLASH_AT + number * PAGE_SIZE
        header = (first, second, HAS_FAMILY, where, PAGE_SIZE, number, len(pages), RP2040)
        blocks.append(BLOCK.pack(*header, page.ljust(PAGE_SIZE, b"\0"), last))
    return b"".join(blocks)
