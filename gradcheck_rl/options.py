"""What can be typed after a command: each word once, with what is expected of it and how it is read."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from .languages import LANGUAGES

MOST_POINTS = 10_000
MOST_SAMPLES = 10**15


def whole(low: int, high: int | None) -> Callable[[str], int]:
    expected = f"a whole number from {low} {'below 1e18' if high is None else f'to {high}'}"

    def read(text: str) -> int:
        # Only ASCII digits: int() also takes underscores, spaces and other scripts, and refuses very long ones by another error.
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and low <= int(text) <= (high or 10**18)):
            raise ArgumentTypeError(f"{expected} was expected, not {text!r}")
        return int(text)

    return read


def many(text: str) -> int:
    """A whole number, also as 1e10."""
    found = _number(text)
    if found is None or not 1 <= found <= MOST_SAMPLES or found != found.to_integral_value():
        raise ArgumentTypeError(f"a whole number from 1 to 1e15 was expected, not {text!r}")
    return int(found)


def percent(text: str) -> float:
    found = _number(text)
    if found is None or not 0 <= found <= 100:
        raise ArgumentTypeError(f"a number from 0 to 100 was expected, not {text!r}")
    return float(found)


def _number(text: str) -> Decimal | None:
    try:
        found = Decimal(text) if text.isascii() and len(text) <= 18 and "_" not in text else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


SHORT = {"--output": ("-o",), "--quiet": ("-q",)}
OPTIONS: dict[str, dict[str, Any]] = {
    "problems": {"nargs": "+", "metavar": "NAME", "help": "a name from `list`, a path, or `all`"},
    "problem": {"metavar": "NAME", "help": "a name from `list`, or a path"},
    "id": {"metavar": "ID", "help": "as in A-005"},
    "name": {"metavar": "NAME", "help": "NAME.py is written; nothing is overwritten"},
    "files": {"nargs": "+", "metavar": "FILE", "help": "problem files"},
    "--json": {"action": "store_true", "help": "print it as JSON"},
    "--output": {"metavar": "FILE", "help": "write to FILE, as JSON; `report` writes what its ending says"},
    "--lang": {"choices": LANGUAGES, "default": "en", "metavar": "LANG", "help": "the language of the words: en, zh"},
    "--seed": {"type": whole(0, None), "default": 0, "metavar": "N", "help": "draw other points (0)"},
    "--points": {"type": whole(1, MOST_POINTS), "metavar": "N", "help": "how many points (as the problem says)"},
    "--samples": {"type": many, "metavar": "N", "help": "draw N, as in 1e8, for each sampled mean (as its resolution needs)"},
    "--only": {
        "action": "append",
        "metavar": "ID",
        "help": "only this claim or statement, or line of --mutants; may be repeated",
    },
    "--answer": {"metavar": "FILE", "help": "check the functions of FILE in place of the problem's own"},
    "--plot": {"metavar": "FILE", "help": "draw the problem's figures to FILE (.png, .svg or .pdf)"},
    "--format": {
        "choices": ("text", "latex", "markdown", "typst", "json", "numpy", "torch"),
        "default": "text",
        "help": "what to print: text, latex, markdown, typst, json, or the closed form as a function: numpy, torch",
        "metavar": "FORMAT",
    },
    "--at": {"metavar": "VALUES", "help": 'exact numbers too, as in --at "theta=(1, 1, 1), s0=1/2"'},
    "--symbolic-k": {"action": "store_true", "help": 'only what holds for any size; --at "K=3" writes it out at one'},
    "--stamp": {"action": "store_true", "help": "say in a comment what was checked and how, with versions and seed"},
    "--env": {"metavar": "NAME", "help": "a gymnasium environment (CartPole-v1, Pendulum-v1; extra `gym`)"},
    "--epochs": {"type": whole(1, 10_000), "metavar": "N", "help": "how many epochs (as docs/learning.md says)"},
    "--steps": {"type": whole(1, 10_000_000), "metavar": "N", "help": "steps of the environment in an epoch"},
    "--three": {"action": "store_true", "help": "learn with the seeds 0, 1 and 2, and say the median return"},
    "submissions": {"nargs": "+", "metavar": "SUBMISSION", "help": "a file, a notebook, a folder, or several"},
    "--rubric": {"metavar": "FILE", "help": "parts, points and what is shown of them, as TOML"},
    "--map": {"action": "append", "metavar": "MAP", "help": "reparam_grad=their_name, or an adapter.py; may be repeated"},
    "--as": {
        "dest": "format",
        "choices": ("text", "json", "gradescope", "classroom", "github", "summary", "junit", "check50", "csv"),
        "default": "text",
        "metavar": "FORMAT",
        "help": "text, json, csv, junit, github (annotations), summary (Markdown); of one: gradescope, classroom, check50",
    },
    "--fail-under": {"type": percent, "metavar": "N", "help": "exit code 1 where a submission has under N percent"},
    "--isolation": {
        "choices": ("auto", "require", "bubblewrap", "landlock", "rlimits"),
        "default": "auto",
        "metavar": "TIER",
        "help": "auto; require (nothing runs without a strong tier); bubblewrap, landlock, rlimits",
    },
    "--seconds": {"type": whole(1, 3600), "metavar": "N", "help": "for one submission, without importing torch (10)"},
    "--memory": {"type": whole(64, 1 << 20), "metavar": "MIB", "help": "beyond what Python and torch need (1024)"},
    "--jobs": {"type": whole(1, 256), "default": 1, "metavar": "N", "help": "in N processes of this machine (1)"},
    "--dask": {"metavar": "ADDRESS", "help": "on the Dask cluster at ADDRESS, or `local` (extra `dask`)"},
    "--resume": {"metavar": "FILE", "help": "keep each row in FILE as it comes, and make none twice"},
    "--mutants": {"action": "store_true", "help": "change the problem's own lines, and see whether a claim notices"},
    "--quiet": {"action": "store_true", "help": "only what is not as it should be"},
    "--no-color": {"action": "store_true", "help": "no colour (also by the environment variable NO_COLOR)"},
}
