"""What tests read out of a report."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from gradcheck_rl.claims import Mistake
from gradcheck_rl.report import Line, Report


def line(report: Report, name: str) -> Line:
    return next(c for c in report.claims if c.id == name)


def numbers(values: list[Any] | None) -> list[float]:
    return [float(Fraction(str(x))) for x in values or ()]


def called(mistake: Mistake) -> str:
    """The name of the function that a mistake puts in."""
    return next(iter(mistake.answer.values())).__name__
