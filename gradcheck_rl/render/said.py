"""What a report says at a terminal and on a page alike."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from ..report import Line, Report, Say, plain

LONGEST_EXACT = 16
DIGITS = (6, 12, 17)

SEEN = "An error of {} (relative, above 1) would be seen, unless another resolution is named."
TRIED = "What is said of every point was tried at {} of them, unless another number is named."
PATHS = "none: no path; zero: a path that carries nothing"
BLIND = "Each of these inputs may be anything near its published value: the answer stays the same."


def about(report: Report) -> list[str]:
    """The paragraphs that say more than the title."""
    title, *paragraphs = [" ".join(part.split()) for part in (report.title, *report.about.split("\n\n"))]
    return [part for part in paragraphs if part and part.rstrip(".") != title.rstrip(".")]


def errata(report: Report) -> list[Line]:
    return [line for line in report.claims if line.kind == "erratum"]


def errata_title(printed: Sequence[Line]) -> str:
    return "Errata: refuted, as they should be" if all(line.ok for line in printed) else "Errata: each should be refuted"


def mistakes_title(report: Report) -> str:
    caught = all(mistake.caught for mistake in report.mistakes)
    return "Mistakes, and the claims that caught them" if caught else "Mistakes: each should be caught"


def reached(report: Report) -> list[str]:
    """The parameters that functions send something to."""
    return list(dict.fromkeys(block for flow in report.flow for block in flow.blocks))


class Usual(NamedTuple):
    """What most lines have, so that it is said once."""

    resolution: float
    points: int

    @classmethod
    def of(cls, lines: Sequence[Line]) -> Usual:
        return cls(_most([line.resolution for line in lines]), _most([line.points for line in lines if _is_tried(line)]))

    def said(self, say: Say) -> str:
        tried = say(TRIED, self.points) if self.points else ""
        return " ".join(filter(None, (say(SEEN, f"{self.resolution:g}"), tried)))

    def unlike(self, line: Line, say: Say) -> list[str]:
        """What is other than usual."""
        coarse = say("resolution {}", f"{line.resolution:g}") if line.resolution != self.resolution else ""
        tried = say("{} points", line.points) if _is_tried(line) and line.points != self.points and not line.removed else ""
        return list(filter(None, (coarse, tried)))


def _most(found: Sequence[Any]) -> Any:
    return max(set(found), key=lambda x: (found.count(x), -x), default=0)


def _is_tried(line: Line) -> bool:
    """Does its verdict rest on several points?"""
    return line.points > 1 and line.verdict == "agrees"


def below(line: Line, say: Say) -> list[str]:
    """What is said below a line: its other sizes, the points that were removed, its remark."""
    sizes = say("also at {}", _other_sizes(line, say)) if line.sizes else ""
    removed = say("{} points; {} more removed, on kinks", line.points, line.removed) if line.removed else ""
    return list(filter(None, (sizes, removed, say(line.remark))))


def _other_sizes(line: Line, say: Say) -> str:
    """K = 2, 4, 5: a name is written once for sizes that follow each other; of a line that fails each size has its verdict."""
    said, last = list[str](), ""
    for size, word in line.sizes.items():
        name, equals, number = size.partition(" = ")
        held = "" if line.ok and word in ("proved", "agrees") else f" ({say(word)})"
        said.append(f"{number if equals and name == last else size}{held}")
        last = name if equals and "," not in size else ""
    return ", ".join(said)


def sides(line: Line, most: int, digits: Sequence[int]) -> tuple[list[tuple[str, str, str]], int]:
    """Label, left and right of each component, and how many are left out; where there are many, those that differ come first."""
    value, expected, labels = line.value or [], line.expected or [], line.labels or []
    rows = [
        (labels[n] if n < len(labels) else str(n), *told_apart(left, expected[n] if n < len(expected) else "", digits))
        for n, left in enumerate(value)
    ]
    if len(rows) > most:
        rows.sort(key=lambda row: row[1] == row[2])
    return rows[:most], len(rows) - most


def told_apart(left: Any, right: Any, digits: Sequence[int] = DIGITS) -> tuple[str, str]:
    """Both in as few digits as tell them apart; exact numbers that no digits tell apart as they are."""
    for n in digits:
        pair = number(left, n), number(right, n)
        if pair[0] != pair[1]:
            return pair
    exact = isinstance(left, str) and isinstance(right, str) and left != right
    return (left, right) if exact else (number(left, digits[0]), number(right, digits[0]))


def number(value: Any, digits: int = DIGITS[0]) -> str:
    """A float in a few digits; an exact number as it is, or nearly where it is long: the JSON has it whole."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    text = plain(value)
    if len(text) <= LONGEST_EXACT:
        return text
    try:
        return f"≈ {float(Fraction(text)):.{digits}g}"
    except (ValueError, OverflowError, ZeroDivisionError):
        return text


def duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
