"""A formula or a number against what was expected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import sympy as sp

from ..errors import GradcheckError
from ..problem import Problem
from ..report import plain
from ..symbols import array, entries
from ..verdict import Ruling, Verdict
from .equality import compare_formulas
from .formula import parse
from .parts import NUMBER, Part, mentioned
from .result import Judgement
from .rubric import Rubric
from .submission import Unreadable
from .tex import parse_tex

# What a formula or a number is most often wrong by.
FACTORS = (
    (sp.S.NegativeOne, "the sign: it is minus what was expected"),
    (sp.Integer(2), "a factor: it is 2 times what was expected"),
    (sp.S.Half, "a factor: it is half of what was expected"),
)

_inexact = re.compile(r"\.|[0-9][eE][+-]?[0-9]")


class Texts:
    """Of one problem and one rubric."""

    def __init__(self, problem: Problem, rubric: Rubric, seed: int) -> None:
        self.problem, self.rubric, self.seed = problem, rubric, seed

    def judge(self, part: Part, text: str) -> Judgement:
        if not text:
            raise Unreadable(f'`{part.id}` is not filled in: write {part.id} = "...".')
        names = {} if part.kind == NUMBER else self._names_in(part)
        answer = parse_tex(text, names) if "\\" in text else parse(text, names)
        left, right = entries(answer), list(part.expected)
        if part.kind == NUMBER:
            left = _counted(part, left)
            if _known(part, text, left):
                return Judgement("PASS")
            if _inexact.search(text):
                return Judgement("FAIL", self._of_decimals(left, right, part.rule.digits) or self._of_numbers(part, left))
        elif len(left) == 1 and len(right) > 1:
            left = left * len(right)
        expected = array(*right)
        ruling = compare_formulas(array(*left), expected, self.seed)
        if ruling.verdict in (Verdict.PROVED, Verdict.AGREES):
            return Judgement("PASS")
        if ruling.verdict is Verdict.UNDECIDED:
            note = ruling.note or "neither a proof nor a counterexample was found"
            return Judgement("UNDECIDED", (note, *self._untold(part, left, right)))
        return Judgement("FAIL", self._of_formula(part, left, right))

    def _names_in(self, part: Part) -> dict[str, Any]:
        """The variables that a formula may be of: those of the question, and of what is expected."""
        assert part.claim is not None
        own, free = mentioned(part.claim, self.problem), {a for e in part.expected for a in e.free_symbols}
        variables = self.problem.bound.variables
        return {name: v for name, v in variables.items() if name in own or free & set(v.atoms.ravel())}

    def _of_formula(self, part: Part, left: Sequence[Any], right: Sequence[Any]) -> tuple[str, ...]:
        if self.rubric.show == "verdict":
            return ()
        out: list[str] = []
        if self.rubric.hints and (says_ := _multiple(left, right, self.seed)):
            out.append(f"the mistake: {says_}")
        elif self.rubric.hints and any(e.has(sp.pi) for e in left) and not any(e.has(sp.pi) for e in right):
            out.append("`pi` is 3.14... in a formula: where a policy is meant, write it out")
        elif self.rubric.hints and (missing := self._missing(left, right)):
            out.append(f"what was expected has {missing} in it too")
        if self.rubric.show == "counterexample" and part.kind != NUMBER:
            shown = compare_formulas(array(*left), array(*right), 0)
            if shown.verdict is Verdict.REFUTED and shown.points is not None:
                out.append(f"at {_place(shown)}: {shown.note}" if shown.note else f"it differs at {_place(shown)}")
        return tuple(out) or (self._of_numbers(part, left) if part.kind == NUMBER else ())

    def _missing(self, left: Sequence[Any], right: Sequence[Any]) -> str:
        """The variables that what was expected is of, and the answer is not."""
        theirs, ours = (set[Any]().union(*(e.free_symbols for e in side)) for side in (left, right))
        cells = {name: set(v.atoms.ravel()) for name, v in self.problem.bound.variables.items()}
        return " and ".join(f"`{name}`" for name, atoms in cells.items() if ours & atoms and not theirs & atoms)

    def _untold(self, part: Part, left: Sequence[Any], right: Sequence[Any]) -> tuple[str, ...]:
        """A point that may be shown where a formula is undecided."""
        if self.rubric.show != "counterexample" or part.kind == NUMBER:
            return ()
        shown = compare_formulas(array(*left), array(*right), 0)
        if shown.verdict is not Verdict.UNDECIDED or shown.points is None or not (place := _place(shown)):
            return ()
        return (f"such a point is {place}",)

    def _of_decimals(self, left: Sequence[Any], right: Sequence[Any], digits: int) -> tuple[str, ...]:
        if self.rubric.show == "verdict" or not self.rubric.hints:
            return ()
        return tuple(f"the mistake: {says_}" for factor, says_ in FACTORS if _near(left, [factor * e for e in right], digits))

    def _of_numbers(self, part: Part, left: Sequence[Any]) -> tuple[str, ...]:
        """The first of several that is wrong, as of a formula."""
        if self.rubric.show != "counterexample" or len(left) == 1:
            return ()
        steps = _steps(part.expected, part.rule.digits)
        wrong = [not _within(*numbers) for numbers in zip(left, part.expected, steps, strict=True)]
        return (f"entry {wrong.index(True)} is another than was expected, counted from 0",) if any(wrong) else ()


def _place(ruling: Ruling) -> str:
    """The point of a ruling, in words."""
    points = ruling.points
    return ", ".join(f"{k} = {plain(v)}" for k, v in points.witness(ruling.at, list(points.variables)).items())


def _counted(part: Part, given: Sequence[Any]) -> list[Any]:
    """As many numbers as were asked for; one may stand for several that are equal."""
    count = len(part.expected)
    alike = len(given) == 1 and all(e == part.expected[0] for e in part.expected)
    if len(given) != count and not alike:
        has, asked = (f"{n} numbers" if n > 1 else "one number" for n in (len(given), count))
        raise Unreadable(f"`{part.id}` has {has}, and {asked} {'were' if count > 1 else 'was'} asked for: write [a, b, ...].")
    return [*given] * count if alike else [*given]


def _known(part: Part, text: str, given: Sequence[Any]) -> bool:
    """Are these the numbers: exactly, or where a decimal is among them to as many digits as are asked for?"""
    if all(a == b for a, b in zip(given, part.expected, strict=True)):
        return True
    digits = part.rule.digits
    if not _inexact.search(text):
        return False
    if _near(given, part.expected, digits):
        return True
    typed = _typed(text)
    half = [sp.S.Half * sp.Integer(10) ** x if x is not None else 0 for x in typed]
    coarse = [max(h, s) for h, s in zip(half, _steps(part.expected, digits), strict=False)]
    if len(typed) != len(given) or not all(map(_within, given, part.expected, coarse)):
        return False
    raise Unreadable(f"`{part.id}` is known to too few digits: write it exactly, as 1/3, or to {digits} digits.")


def _near(given: Sequence[Any], expected: Sequence[Any], digits: int) -> bool:
    return all(map(_within, given, expected, _steps(expected, digits)))


def _steps(expected: Sequence[Any], digits: int) -> list[Any]:
    """Half a unit of the last digit that is asked for: of each number, and of a zero that of the largest."""
    orders = [Decimal(str(sp.N(abs(e), 20))).adjusted() if e != 0 and e.is_finite else None for e in expected]
    largest = max((n for n in orders if n is not None), default=0)
    return [sp.S.Half * sp.Integer(10) ** ((largest if n is None else n) - digits + 1) for n in orders]


def _within(a: Any, b: Any, most: Any) -> bool:
    return a == b or bool((gap := sp.N(a - b, 60)).is_finite and abs(gap) <= most)


def _typed(text: str) -> list[int | None]:
    """Where the last digit of each number stands; None of what is no decimal."""
    words = text.replace("\N{MINUS SIGN}", "-").strip("[]()+ \t\n").split(",")
    return [_last_digit(word.replace(" ", "")) for word in words]


def _last_digit(word: str) -> int | None:
    try:
        return int(Decimal(word).as_tuple().exponent) if _inexact.search(word) else None
    except InvalidOperation:
        return None


def _multiple(left: Sequence[Any], right: Sequence[Any], seed: int) -> str:
    """Is a formula minus or a few times the right one?"""
    if len(left) != len(right):
        return ""
    for factor, says_ in FACTORS:
        try:
            if compare_formulas(array(*left), array(*(factor * e for e in right)), seed).verdict in (
                Verdict.PROVED,
                Verdict.AGREES,
            ):
                return says_
        except GradcheckError:
            return ""
    return ""
