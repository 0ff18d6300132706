"""Short texts for people: counts with their noun."""


def plural(count: int, word: str) -> str:
    """Return the count with its noun: 1 console, 2 consoles."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
