"""`trivox simulate --headless`: the bench driven by lines from a terminal or a pipe."""

import os
import select
import sys
from collections.abc import Iterator
from typing import TextIO

from simulator.bench.language import Bench
from simulator.bench.session import Session
from simulator.errors import SimulatorError
from simulator.programs.children import EndError, ProcessError

_LOOK_S = 0.2
_PIECE = _LINE_LIMIT = 65536


def obey(session: Session, source: TextIO) -> bool:
    """Obey lines until the source or the user ends it; True if each could be obeyed and all that was expected came.

    At a terminal it says what a pipe's reader need not hear, and goes on whatever fails.
    """
    bench = Bench(session)
    fine = True
    asks = source.isatty()
    for number, line in enumerate(_lines(session, source, prompt="bench> " if asks else ""), 1):
        try:
            answer = bench.do(line)
        except (EndError, ProcessError):
            raise
        except SimulatorError as error:
            fine = False
            where = "" if asks else f"line {number}, `{line.strip()}`: "
            sys.stderr.write(f"trivox simulate: {where}{error}\n")
        else:
            if answer:
                sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
        if bench.ended:
            break
    return fine or asks


def _lines(session: Session, source: TextIO, prompt: str) -> Iterator[str]:
    """Lines as they come; meanwhile it is looked whether the user wants the end."""
    descriptor = source.fileno()
    waiting = b""
    _ask(prompt)
    while True:
        while not select.select([descriptor], [], [], _LOOK_S)[0]:
            session.check()
        piece = os.read(descriptor, _PIECE)
        if not piece:
            break
        *whole, waiting = (waiting + piece).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
            _ask(prompt)
        if len(waiting) > _LINE_LIMIT:
            raise SimulatorError(f"A line is longer than {_LINE_LIMIT} bytes; end each by a line feed.")
    if waiting:
        yield waiting.decode(errors="replace")


def _ask(prompt: str) -> None:
    if prompt:
        sys.stdout.write(prompt)
        sys.stdout.flush()
