"""What the command line says: what was asked for on standard output, all else on standard error."""

from __future__ import annotations

import argparse
import os
import sys
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from itertools import accumulate
from shutil import get_terminal_size
from typing import TYPE_CHECKING, TextIO
from unicodedata import east_asian_width

from .errors import GradcheckError, InputError

if TYPE_CHECKING:
    from .render.text import Screen
    from .report import Report


@dataclass(frozen=True)
class Failed:
    """What could not be done, and the exit codes that it means."""

    sentences: list[str] = field(default_factory=list[str])
    codes: list[int] = field(default_factory=list[int])

    def add(self, sentence: str, code: int) -> None:
        complain(sentence)
        self.sentences.append(sentence)
        self.codes.append(code)

    @contextmanager
    def told(self) -> Generator[None]:
        """One problem's error is told and counted; the others go on."""
        try:
            yield
        except GradcheckError as error:
            self.add(str(error), exit_code(error))

    def worst(self, reports: Iterable[Report] = ()) -> int:
        """The exit code of all together."""
        from .report import worst

        return worst([*self.codes, *(report.exit_code for report in reports)])


def exit_code(error: GradcheckError) -> int:
    return 2 if isinstance(error, InputError) else 4


def say(text: str) -> None:
    try:
        sys.stdout.write(_writable_on(sys.stdout, text))
        sys.stdout.flush()
    except OSError as error:
        # Without this the interpreter complains when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # the reader has enough
            raise InputError(f"standard output cannot be written: {error.strerror}.") from error


def say_error(sentence: str) -> None:
    """The error as JSON, for who asked for JSON."""
    from .render import json

    say(json.render([], sentence))


def complain(sentence: str, kind: str = "error") -> None:
    with suppress(OSError):  # where nobody hears it, the exit code still says it
        sys.stderr.write(_writable_on(sys.stderr, f"{kind}: {printable(sentence)}\n"))
        sys.stderr.flush()


def printable(text: str) -> str:
    from .report import printable

    return printable(text)


def screen(options: argparse.Namespace) -> Screen:
    """What standard output shows: how wide, in colour or not, in which language."""
    from .languages import speaker
    from .render.text import Screen

    plain = options.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    speak = speaker(getattr(options, "lang", "en"))
    return Screen(min(get_terminal_size().columns, 120), sys.stdout.isatty() and not plain, sys.stdout.encoding or "utf-8", speak)


def watched(options: argparse.Namespace) -> bool:
    """Does anybody see how far it is?"""
    return sys.stderr.isatty() and not options.quiet


@contextmanager
def progress(options: argparse.Namespace) -> Generator[Callable[[int, int, str], None] | None]:
    """How far it is, in a line that is cleared at the end. There goes too what functions print, and not in the report."""
    shown = watched(options)
    try:
        with redirect_stdout(sys.stderr):
            yield _step if shown else None
    finally:
        if shown:
            _line("")


def _step(done: int, total: int, says: str) -> None:
    _line(f"[{done}/{total}] {says}")


def _line(text: str) -> None:
    """The text as far as a line has room, in which Chinese letters take two places, and nothing after it."""
    room, written = max(0, _columns() - 1), _writable_on(sys.stderr, printable(text))
    ends = list(accumulate(1 + (east_asian_width(letter) in "WF") for letter in written))
    fits = bisect_right(ends, room)
    rest = room - ends[fits - 1] if fits else room
    sys.stderr.write(f"\r{written[:fits]}{' ' * rest}\r")
    sys.stderr.flush()


def _columns() -> int:
    """How wide the terminal is that standard error writes to: standard output may be a file. COLUMNS goes first."""
    with suppress(OSError, ValueError):
        if not os.environ.get("COLUMNS") and (columns := os.get_terminal_size(sys.stderr.fileno()).columns):
            return columns
    return get_terminal_size().columns


def _writable_on(stream: TextIO, text: str) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
