"""What the README shows of a run is what the command prints, but for times and roundings: they differ between machines."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from gradcheck_rl import check
from gradcheck_rl.cli import COMMANDS, main
from gradcheck_rl.load import load
from gradcheck_rl.options import SHORT
from gradcheck_rl.render.text import render

HOME = Path(__file__).parents[1]
README = (HOME / "README.md").read_text(encoding="utf-8")
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


def test_a_session_of_the_readme_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    session = README.partition("```console\n")[2].partition("```")[0]
    _, name, code, typed, shown = re.split(r"^\$ (?:cat|python -m gradcheck_rl) (.*)\n", session, flags=re.MULTILINE)
    Path(name).write_text(code)
    assert main(shlex.split(typed)) == 1
    said, expected = (re.sub(r"(\.\d{10})\d+", r"\1", text) for text in (capsys.readouterr().out, shown))
    assert said == expected


def unknown_options(text: str) -> list[str]:
    """The options that a page tells to type, and the command does not have."""
    found: list[str] = []
    for typed in re.findall(r"python -m gradcheck_rl +([^`#>\n]+)", text):
        first, *rest = shlex.split(typed)
        options = COMMANDS[first if first in COMMANDS else "run"].options
        short = {word for option in options for word in SHORT.get(option, ())}
        found += [word for word in rest if word.startswith("-") and word not in {*options, *short}]
    return found


PAGES = sorted(path for place in (".", "docs", "problems", "examples/course") for path in (HOME / place).glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_tells_to_type_and_to_read_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert unknown_options(text) == []
    assert [link for link in re.findall(r"\]\((?!http)([^)#]+)", text) if not (page.parent / link).exists()] == []


def test_an_option_that_is_not_there_is_noticed() -> None:
    assert unknown_options("`python -m gradcheck_rl problem1 --seeds 1 -o x` python -m gradcheck_rl explain -q A-1 -o") == [
        "--seeds",
        "-o",
    ]
