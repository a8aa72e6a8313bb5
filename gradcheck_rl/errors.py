"""What can go wrong, and whose it is to mend. Wrong mathematics is a verdict, never one of these."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class GradcheckError(Exception):
    """Base of every error this package raises on purpose: one sentence, no traceback needed."""


class InputError(GradcheckError):
    """What was typed cannot be run: an unknown name, an impossible option, an answer that does not fit."""


class ProblemError(GradcheckError):
    """A problem file is wrong: a name that binds to nothing, a shape that does not fit."""


class CodeError(GradcheckError):
    """A function under test did not return a number that can be differentiated; the sentence says what it did."""

    def __init__(self, function: object, says: str) -> None:
        super().__init__(says)
        self.function = function


class Unsuitable(GradcheckError):
    """This way of computing does not apply here; another one may."""


RANDOM = "gives another result each time it is called: it draws random numbers of its own. Take the noise as an argument."


def told(error: BaseException) -> str:
    """The kind of an error and the first line of what it says, which may be long, or raise in its turn."""
    try:
        says = (str(error).strip().splitlines() or [""])[0][:300]
    except Exception:
        says = "and its text cannot be read"
    return f"{type(error).__name__}: {says}" if says else type(error).__name__


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """' Did you mean `x`?' or nothing."""
    close = get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f" Did you mean `{close[0]}`?" if close else ""
