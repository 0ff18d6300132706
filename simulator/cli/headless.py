"""Run `trivox simulate --headless`: lines from a terminal or a pipe drive the bench."""

import os
import select
import sys
from collections.abc import Iterator
from typing import TextIO

from simulator.bench.language import Bench
from simulator.bench.session import BenchSession
from simulator.cli.output import print_error
from simulator.errors import SimulatorError
from simulator.programs.children import EndError, ProcessError
from simulator.text import printable

_CHECK_S = 0.2
_PIECE = _LINE_LIMIT = 65536
_QUOTED_LIMIT = 200  # characters of a line that an error quotes


def obey(session: BenchSession, source: TextIO) -> bool:
    """Carry out lines until the source or the user ends it; return whether all succeeded, expectations included.

    At a terminal it shows a prompt, and returns True even if a line failed. Raises EndError if the user ends it while a
    line is carried out; between lines that is the normal end.
    """
    bench = Bench(session)
    has_succeeded = True
    is_terminal = source.isatty()
    for number, line in enumerate(_lines(session, source, prompt="bench> " if is_terminal else ""), 1):
        try:
            answer = bench.do(line)
        except (EndError, ProcessError):
            raise
        except SimulatorError as error:
            has_succeeded = False
            where = "" if is_terminal else f"line {number}, `{printable(line.strip())[:_QUOTED_LIMIT]}`: "
            print_error(error, where)
        else:
            if answer:
                sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
        if bench.ended:
            break
    return has_succeeded or is_terminal


def _lines(session: BenchSession, source: TextIO, prompt: str) -> Iterator[str]:
    """Yield lines as they arrive; meanwhile check whether the user wants to end, or a program has ended."""
    descriptor = source.fileno()
    rest = b""
    if not select.select([descriptor], [], [], 0)[0]:  # somebody waits for this, unlike a script
        sys.stderr.write("The bench is ready: type a command, such as help; Ctrl-C ends it.\n")
    _show_prompt(prompt)
    while True:
        try:
            while not select.select([descriptor], [], [], _CHECK_S)[0]:
                session.check()
        except EndError:
            break
        piece = os.read(descriptor, _PIECE)
        if not piece:
            break
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
            _show_prompt(prompt)
        if len(rest) > _LINE_LIMIT:
            raise SimulatorError(f"A line is longer than {_LINE_LIMIT} bytes; end each command with a line feed.")
    if rest:
        yield rest.decode(errors="replace")


def _show_prompt(prompt: str) -> None:
    if prompt:
        sys.stdout.write(prompt)
        sys.stdout.flush()
