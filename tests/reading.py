"""What tests read: the pages that come with the package, each run once, and what a report says."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial
from typing import Any

from gradcheck_rl import check
from gradcheck_rl.claims import Mistake
from gradcheck_rl.derive import derivations, derived, printed_lines
from gradcheck_rl.load import load
from gradcheck_rl.problem import Problem
from gradcheck_rl.report import Line, Report


@cache
def problem(name: str) -> Problem:
    return load(name)


@cache
def report(name: str, seed: int) -> Report:
    return check(problem(name), seed=seed, timed=False)


@cache
def chains(name: str) -> Report:
    """The derivations of a page and what it prints wrongly, as `derive` reports them."""
    return derived(problem(name), derivations(problem(name)), errata=printed_lines(problem(name)))


def read(name: str) -> tuple[Callable[[], Problem], Callable[[], Report], Callable[[str], Line]]:
    """A page, its report, and a line of that: what one process has read or run is there for all of its tests."""
    return partial(problem, name), partial(report, name, 0), lambda claim: line(report(name, 0), claim)


def line(report: Report, name: str) -> Line:
    return next(c for c in report.claims if c.id == name)


def numbers(values: list[Any] | None) -> list[float]:
    return [float(Fraction(str(x))) for x in values or ()]


def called(mistake: Mistake) -> str:
    """The name of the function that a mistake puts in."""
    return next(iter(mistake.answer.values())).__name__
