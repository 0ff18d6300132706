"""Short texts for people: counts with their noun, and outside text made safe to print."""


def plural(count: int, word: str) -> str:
    """Return the count with its noun: 1 console, 2 consoles."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def printable(text: str) -> str:
    """Return the text on one line, with the characters escaped that a terminal or a reader could take for others."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
