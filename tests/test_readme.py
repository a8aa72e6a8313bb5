"""What the README shows of a run is what the command prints, but for times and roundings: they differ between machines."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from gradcheck_rl import check
from gradcheck_rl.load import load
from gradcheck_rl.render.text import render

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
# A column is as wide as the longest time in it: here three digits among the claims, and two among the errata.
TIMES = {"claim": 0.5, "step": 0.5, "erratum": 0.05}


def level(text: str) -> str:
    """Without times and roundings."""
    return re.sub(r"\d+(\.\d+)? m?s\b|(?<=to )\d\.\de-\d\d", "#", text)


@cache
def printed() -> str:
    report = check(load("problem1"))
    return level(render([replace(report, claims=[replace(c, elapsed_s=TIMES[c.kind]) for c in report.claims])]))


def is_abridged(text: str, whole: str) -> bool:
    """Is every line there, in this order, and next to each other where no `...` says that some are left out?"""
    at = 0
    for part in re.split(r"^ *\.\.\.\n", level(text), flags=re.MULTILINE):
        at = f"\n{whole}".find(f"\n{part}", at)
        if at < 0:
            return False
        at += len(part)
    return True


SHOWN = README.partition("```text\n")[2].partition("```")[0]


def test_what_is_shown_is_what_is_printed() -> None:
    assert len(SHOWN.splitlines()) > 50 and is_abridged(SHOWN, printed())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("proved  The", "agrees  The"),
        ("    w_1\n    w_2\n", "    w_1, w_2\n"),
        ("gap 0.0e+00", ""),
        ("  ...\n\nErrata", "\nErrata"),
    ],
)
def test_what_is_not_printed_is_noticed(old: str, new: str) -> None:
    assert old in SHOWN and not is_abridged(SHOWN.replace(old, new, 1), printed())
