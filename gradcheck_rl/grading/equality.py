"""Are two formulas the same? Proved, refuted with a counterexample, equal at 24 points to 60 digits, or undecided.

The points come first: a proof says that two formulas are equal where both are defined, and an answer that is undefined where
the right one has a value is wrong. What is certified at a point no proof contradicts. A point drawn need not lie beyond the
switch of step(x - 10^6), so points on both sides of every switch are tried too; these can only refute.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import sympy as sp
from flint import arb, fmpq

from ..calculus import free, has, size, slope
from ..claims import Claim, Equal
from ..corners import CORNERS, corners
from ..errors import GradcheckError, InputError, ProblemError, Unsuitable
from ..estimate import Estimate
from ..evaluators import Scene, World, proof, unsure
from ..expectation import Expected, Slope, closed
from ..expressions import values
from ..laws import randoms
from ..measured import Measured, measure, number
from ..points import Point, Points, drawn, simpler, stack
from ..problem import Problem
from ..quantities import Value
from ..rings import each, image, of_bits, rational
from ..spaces import OneOf, Simplex
from ..symbols import Variable, array, bare, entries, step_, thaw
from ..verdict import Ruling, Verdict, compare

POINTS, DRAWS, ENOUGH, CASES = 24, 200, 4, 16
RESOLUTION, IN_FLOATS = 1e-60, 1e-6
BITS = (256, 1024)
SIMPLER = 200
NODES, SPARING, BASES, SIDES, HALVES = 20_000, 20, 2, 1000, 64
SMOOTH = (sp.exp, sp.tanh, sp.erf, sp.erfinv, sp.atan, sp.Pow)  # they turn where their argument, or its slope, is 0
AT_POINTS = "points"

Moved = Callable[[Any, Any], Any]


def compare_formulas(answer: Any, expected: Any, seed: int = 0) -> Ruling:
    """Is the answer equal to what was expected, wherever that has a value? The spaces are those of the variables in both.

    The ruling of a refutation holds the counterexample: `ruling.points.witness(ruling.at, names)`.
    """
    left, right = entries(answer), entries(expected)
    if len(left) != len(right):
        has = f"{'has' if len(left) == 1 else 'is'} {_count(len(left))}"
        raise InputError(f"the answer {has}, and {_count(len(right))} was asked for: {_missing(left, right)}.")
    that = Equal(Value(array(*left)), Value(array(*right)))
    world = Problem("Two formulas", (Claim("They are equal.", that, resolution=RESOLUTION),)).bound
    question = _Question(that, left, right, world, seed)
    ruling = question.at_points()
    if ruling.verdict is not Verdict.REFUTED:
        if proof.proves(left, right, question.scene(ruling.points)):
            return replace(ruling, route=proof.NAME, verdict=Verdict.PROVED, note="", remark="")
        ruling = question.beside_switches(ruling.points) or question.doubted(ruling)
    return question.shrunk(ruling) if ruling.verdict is Verdict.REFUTED else ruling


def _count(n: int) -> str:
    return "one entry" if n == 1 else f"a vector of {n}"


def _missing(left: Sequence[Any], right: Sequence[Any]) -> str:
    if len(left) > len(right):
        return "leave out what is too much"
    return "write a vector, [a, b, ...]" if len(left) == 1 else f"entry {len(left)} is missing, counted from 0"


class _Question:
    def __init__(self, that: Equal, left: Sequence[Any], right: Sequence[Any], world: World, seed: int) -> None:
        self.that, self.left, self.right, self.world, self.seed = that, left, right, world, seed
        self.size = sum(map(size, (*left, *right)))
        self.guards = [g for g in dict.fromkeys(g for e in left for g in _guards(e)) if not randoms(g[1])]

    def scene(self, points: Points) -> Scene:
        return Scene(self.world, points, resolution=RESOLUTION, seed=self.seed, name="formulas")

    def at_points(self) -> Ruling:
        """By points where both sides have a value; or at the first where the answer has none and the expected formula has."""
        variables = self.world.variables
        corners = _cases(variables.values())
        kept, doubtful = list[Points](), list[Points]()
        tried = 0
        while sum(map(len, kept)) < POINTS and tried < DRAWS:
            fresh = drawn(variables, corners, POINTS, self.seed, f"formulas/{tried}")
            tried += len(fresh)
            corners = []
            ruling, good, unsure = self._defined(fresh)
            if ruling is not None:
                return ruling
            kept.append(fresh.take(good))
            doubtful.append(fresh.take(unsure))
            if not variables:
                break
        points, self.doubtful, self.tried = stack(kept), stack(doubtful), tried
        if not len(points) and not len(self.doubtful):
            raise ProblemError("the expected formula has no value at any point drawn: check the spaces of its variables.")
        if len(points) < ENOUGH and variables:
            return self._doubt(Ruling(AT_POINTS, Verdict.UNDECIDED, points=points))
        return self._compared(points)

    def doubted(self, ruling: Ruling) -> Ruling:
        """What agrees may be wrong just where it was not compared. There 0 log(0) is taken for 0."""
        if not len(self.doubtful):
            return ruling
        left = [e.replace(sp.log, _from_one) for e in self.left]
        filled = _Question(Equal(Value(array(*left)), self.that.right), left, self.right, self.world, self.seed)
        at = 0
        with suppress(GradcheckError):
            found, good, _ = filled._defined(self.doubtful)
            at = next((n for n in range(len(self.doubtful)) if n not in good), 0)
            if found is None and len(good) == len(self.doubtful):
                compared = filled._compared(self.doubtful)
                if compared.verdict is Verdict.AGREES:
                    return replace(ruling, removed=len(good))
                at = compared.at
        return self._doubt(ruling, at)

    def _doubt(self, ruling: Ruling, at: int = 0) -> Ruling:
        """Undecided, with a point where it is."""
        note = f"at {len(self.doubtful)} of {self.tried} points it cannot be told whether the answer has a value"
        note += ": a denominator, or what a root or a logarithm is of, may be 0 there"
        points = self.doubtful if len(self.doubtful) else ruling.points
        return replace(ruling, verdict=Verdict.UNDECIDED, note=note, remark="", points=points, at=at)

    def beside_switches(self, points: Points) -> Ruling | None:
        """A refutation on one side of a switch, by one entry of one variable."""
        left = SIDES if self.size <= NODES else SPARING
        for name, moved, roots in self._switches():
            for base in range(min(BASES, len(points))):
                found = None
                with suppress(GradcheckError):
                    one = points.take([base])
                    sides = list(itertools.islice(_sides(roots, one, name, moved), left))
                    left -= len(sides)
                    if sides:
                        found = self._again(one.take([0] * len(sides)).with_(name, np.stack(sides)))
                known = found is not None and all(e is not None and e.exact is not None for e in (found.left, found.right))
                if found is not None and (known or math.isfinite(found.gap)):  # floats may overflow so far out
                    return found
        return None

    def _switches(self) -> Iterator[tuple[str, Moved, list[Any]]]:
        """For each entry of a variable, where the formulas turn in it; in very long ones where they bend or jump alone."""
        formulas = [thaw(bare(e)) for e in (*self.left, *self.right)]
        turns = set[Any]()
        if self.size <= NODES:
            with suppress(Unsuitable):
                formulas = [closed(e) for e in formulas]
            turns = {a for e in formulas for f in e.atoms(*SMOOTH) for a in f.args}
        bends = _by_symbol(f for e in formulas for f in e.atoms(*CORNERS))
        smooth = _by_symbol(turns)
        symbols = {a for v in self.world.variables.values() for a in v.atoms.ravel()}
        for name, variable in self.world.variables.items():
            for place, x in np.ndenumerate(variable.atoms):
                for moved, others in _ways(variable, place):
                    along, turned = (_along(found, x, others) for found in (bends, smooth))
                    along += [step_(g) for a in turned for g in (a, slope(a, x))]
                    if along and (roots := corners(along, x, symbols - {x}, SIDES)):
                        yield name, moved, roots

    def _defined(self, points: Points) -> tuple[Ruling | None, list[int], list[int]]:
        """A refutation, the points where both sides have a value, and those in doubt."""
        m = self._measured(points)
        hidden = np.isfinite(m.left.value) & unsure(m.left) & (m.left.exact is not None)  # a root of zero, perhaps
        void = (np.isnan(m.left.value) | hidden).any(axis=1)
        absent = np.isnan(m.right.value).any(axis=1)
        wrong = self._undefined(points) & void & ~absent
        if wrong.any():
            at = int(np.argmax(wrong))
            coordinate = int(np.argmax(np.isnan(m.left.value[at])))
            note = "the answer has no value here: it divides by zero, or takes a root or logarithm of a negative number"
            note += ", or erfinv beyond 1" if has(self.left[coordinate % len(self.left)], sp.erfinv) else ""
            return self._ruling(m, points, Verdict.REFUTED, at, coordinate, note=note), [], []
        return None, np.flatnonzero(~void & ~absent).tolist(), np.flatnonzero(void & ~absent).tolist()

    def _undefined(self, points: Points) -> Any:
        """Where it is certain that the answer has no value: ball arithmetic alone may only not have found one."""
        out = np.zeros(len(points), dtype=bool)
        if not self.guards:
            return out
        try:
            found = values([e for _, e in self.guards], points.rows).exact
        except Unsuitable:
            return out
        assert found is not None
        for i, (kind, _) in enumerate(self.guards):
            out |= each(lambda x, kind=kind: _broken(kind, x), found[:, i]).astype(bool)
        return out

    def _measured(self, points: Points) -> Measured:
        return measure(self.that, self.scene(points))

    def _compared(self, points: Points) -> Ruling:
        """In balls, of more bits where few do not tell; in floats where a mean is an integral."""
        ruling, exact = self._with_bits(points, BITS[0])
        if ruling.verdict is Verdict.UNDECIDED and exact:
            ruling, exact = self._with_bits(points, BITS[1])
        if ruling.verdict is Verdict.AGREES:
            digits = -round(math.log10(RESOLUTION if exact else IN_FLOATS))
            return replace(ruling, remark=f"equal at {len(points)} points to {digits} digits")
        return ruling

    def _with_bits(self, points: Points, bits: int) -> tuple[Ruling, bool]:
        """The ruling, and whether every number in it is exact or a ball."""
        with of_bits(bits):
            m = self._measured(points)
            exact = m.left.exact is not None and m.right.exact is not None
            sides = _sharp(m.left), _sharp(m.right)
            resolution = RESOLUTION if exact else IN_FLOATS
            verdict, at, gap, slack, _ = compare(m.excess, *sides, m.slack, m.blur, resolution)
            return self._ruling(m, points, verdict, at[0], at[1], gap, slack), exact

    def _ruling(
        self,
        m: Measured,
        points: Points,
        verdict: Verdict,
        at: int,
        coordinate: int,
        gap: float = np.inf,
        slack: float = 0.0,
        note: str = "",
    ) -> Ruling:
        if verdict is Verdict.REFUTED and not note:
            place = f"entry {coordinate % m.width}: " if len(self.right) > 1 else ""
            note = f"{place}it is {number(m.left, at, coordinate)}; {number(m.right, at, coordinate)} was expected"
        if verdict is Verdict.UNDECIDED:
            note = f"known only to {slack:.0e} at some point"
        drawn = m.drawn(at, coordinate) if verdict is Verdict.REFUTED else {}
        return Ruling(AT_POINTS, verdict, gap, slack, at, coordinate, note, "", m.left, m.right, points, drawn=drawn)

    def shrunk(self, worst: Ruling) -> Ruling:
        """The counterexample, one entry at a time towards simpler values while it remains one."""
        names = list(self.world.variables)
        best, moved = replace(worst, points=worst.points.take([worst.at]), at=0), True
        left = SIMPLER if self.size <= NODES else SPARING
        while moved:
            moved = False
            for candidate in itertools.islice(simpler(best.points, names), left):
                left -= 1
                found = self._again(candidate)
                if found is not None and np.isfinite(found.gap) == np.isfinite(best.gap):
                    best, moved = found, True
                    break
        return best

    def _again(self, points: Points) -> Ruling | None:
        ruling, good, _ = self._defined(points)
        if ruling is None and good:
            ruling = self._compared(points.take(good))
        return ruling if ruling is not None and ruling.verdict is Verdict.REFUTED else None


def _from_one(x: Any) -> Any:
    """The logarithm of x, and of 1 where x is 0."""
    at_zero: Any = step_(x)
    at_zero *= step_(-x)
    return sp.log(x + at_zero)


def _sharp(e: Estimate) -> Estimate:
    """With the radii of the balls: those of their float images cannot tell 60 digits."""
    if e.exact is None:
        return e
    return replace(e, radius=each(lambda x: float(x.rad()) if isinstance(x, arb) else 0.0, e.exact).astype(float))


def _cases(variables: Any) -> list[Point]:
    """Each value of a variable that takes one of a few, so that no index is left out."""
    few = [(v, v.over) for v in variables if isinstance(v, Variable) and isinstance(v.over, OneOf)]
    listed = [(v.name, list(itertools.islice(over.arrays(v.shape), CASES + 1))) for v, over in few]
    if not listed or np.prod([len(choices) for _, choices in listed], dtype=float) > CASES:
        return []
    return [
        Point(**dict(zip((name for name, _ in listed), chosen, strict=True)))
        for chosen in itertools.product(*(choices for _, choices in listed))
    ]


def _ways(variable: Variable, place: tuple[int, ...]) -> Iterator[tuple[Moved, dict[Any, Any]]]:
    """How one entry is moved, and what others are of it then. A probability takes from the last one, or from all alike."""
    if not isinstance(variable.over, Simplex):
        yield partial(_alone, place), {}
        return
    row, k = variable.atoms[place[:-1]], place[-1]
    rest = [a for j, a in enumerate(row) if j != k]
    if k < len(row) - 1:
        yield partial(_from_last, place), {}
    yield partial(_from_all, place), {a: (1 - row[k]) * a / sum(rest) for a in rest}


def _by_symbol(found: Iterable[Any]) -> dict[Any, list[Any]]:
    out: dict[Any, list[Any]] = {}
    for e in dict.fromkeys(found):
        for a in free(e):
            out.setdefault(a, []).append(e)
    return out


def _along(found: dict[Any, list[Any]], x: Any, others: dict[Any, Any]) -> list[Any]:
    """What depends on an entry that is moved; of too many nothing is said."""
    which = dict.fromkeys(e for a in (x, *others) for e in found.get(a, ()))
    moved = [e.xreplace(others) for e in which] if len(which) * (1 + len(others)) <= SIDES else []
    return [e for e in moved if x in free(e)]


def _alone(place: tuple[int, ...], value: Any, to: Any) -> Any:
    out = value.copy()
    out[place] = to
    return out


def _from_last(place: tuple[int, ...], value: Any, to: Any) -> Any:
    out = _alone(place, value, to)
    out[(*place[:-1], -1)] += value[place] - to
    return out


def _from_all(place: tuple[int, ...], value: Any, to: Any) -> Any:
    out = value.copy()
    out[place[:-1]] *= (1 - to) / (1 - value[place])
    return _alone(place, out, to)


def _sides(roots: Sequence[Any], one: Points, name: str, moved: Moved) -> Iterator[Any]:
    """A variable's values at one point, with one entry moved before and beyond each root, as far as its space goes."""
    space, value = one.variables[name].over, one.exact[name][0, ...]
    exact = values(roots, one.rows).exact
    assert exact is not None
    near = {r if isinstance(r, fmpq) else rational(image(r)) for r in exact.ravel() if math.isfinite(image(r))}
    places = sorted(near)
    widths = [fmpq(1), *((high - low) / 2 for low, high in itertools.pairwise(places)), fmpq(1)]
    for n, at in enumerate(places):
        for width in (-widths[n], widths[n + 1]):
            sides = (moved(value, at + width / 2**k) for k in range(HALVES))
            if (side := next(filter(space.holds, sides), None)) is not None:
                yield side


def _guards(e: Any) -> Iterator[tuple[str, Any]]:
    """What must not be negative or zero for a formula to have a value; nothing is said of what is random."""
    if isinstance(e, (Expected, Slope, sp.Integral)):
        return
    if e.is_Pow and e.exp.is_number and e.exp.is_negative:
        yield "denominator", e.base
    if e.is_Pow and not e.exp.is_Integer and e.base is not sp.E:
        yield "root", e.base
    if isinstance(e, sp.log):
        yield "root", e.args[0]
    if e.func is sp.erfinv:
        yield "root", 1 - e.args[0] ** 2
    for a in e.args:
        if isinstance(a, sp.Basic):
            yield from _guards(a)


def _broken(kind: str, x: Any) -> bool:
    if isinstance(x, arb) and not x.is_finite():
        return False
    return bool(x == 0 if kind == "denominator" else x < 0)
