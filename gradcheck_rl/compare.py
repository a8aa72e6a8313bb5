"""Without a problem: have two functions the same gradient?"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import numpy as np
import sympy as sp

from .claims import COARSEST, Claim, Equal
from .errors import InputError, ProblemError, did_you_mean
from .judge import Judge
from .loop import check
from .measured import Measured
from .own import drawn, is_space
from .points import Points, generator, stack
from .problem import Problem
from .quantities import Gradient, Value, arguments, is_code
from .report import Line, Report
from .rings import each, rational
from .spaces import Integers, LogRational, Masks, Normal, OneOf, Simplex, Uniform
from .symbols import Atom, Parameter, Variable, atoms_in, entries
from .verdict import Ruling, Verdict, largest

RESOLUTION = 1e-6
RUNGS = 6  # of half a power of ten each: up to a few thousand spreads
SHAKES = 8
MANY = 1000  # numbers of a point


def same_gradient(
    f: Any,
    g: Any,
    /,
    wrt: str | Sequence[str] | None = None,
    resolution: float = RESOLUTION,
    seed: int = 0,
    points: int = 12,
    values: bool = False,
    **spaces: Any,
) -> Report:
    """Have two functions (of torch, or SymPy formulas) the same gradient?

    A loss and its surrogate differ in their values, which is remarked; with `values=True` the values are judged too.

    A keyword says where an argument's values come from: `x=Uniform(1, 2)`, or with a shape `theta=(Normal(), 3)`. They
    arrive as floats: to index with `n=Integers(0, 2)` give it `lambda theta, n: f(theta, n.long())`. A formula may use
    SymPy's symbols of those names (theta_0, theta_1, ... for an array), or Variables, which need no keyword. The gradient
    is by all that varies smoothly, or by the names in `wrt`.

    Beside `points` drawn ones they are compared far out, up to thousands of spreads, and close to the ends of ranges. There only
    a difference counts: where one of them alone overflows, a remark says so.

    `resolution` is how small a difference is seen. Where all entries of both sides at all points are below 1, it is that part
    of the largest, or what rounding moves where that is more: -1e-7 x is not 1e-7 x, and 1e-17 from 1 - 1 is 0.
    """
    by = [wrt] if isinstance(wrt, str) else wrt
    if by is not None and not (isinstance(by, (list, tuple)) and all(isinstance(name, str) for name in by)):
        raise InputError(f"wrt={wrt!r}: write a name, or several, as wrt=['theta', 'phi'].")
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(f"seed={seed!r}: write a whole number from 0; an argument of that name must have another one here.")
    if not isinstance(points, (int, np.integer)) or points < 1:
        raise InputError(f"points={points!r}: write how many, 1 or more; an argument of that name must have another one here.")
    if not isinstance(values, bool):
        raise InputError(f"values={values!r}: write True or False; an argument of that name must have another one here.")
    try:
        return _compared(
            f, g, by, resolution, seed, points, values, {name: _variable(name, space, by) for name, space in spaces.items()}
        )
    except ProblemError as error:
        raise InputError(str(error)) from error


def _compared(
    f: Any,
    g: Any,
    by: Sequence[str] | None,
    resolution: float,
    seed: int,
    points: int,
    values: bool,
    variables: dict[str, Variable],
) -> Report:
    for name in by or ():
        if name not in variables:
            given = ", ".join(variables) or "nothing"
            raise InputError(f"wrt names `{name}`; the spaces given are of {given}.{did_you_mean(name, variables)}")
    if not variables and is_code(f) and is_code(g):
        first = next(iter(arguments(f)), "theta")
        raise InputError(f"give a space for each argument of `{f.__name__}`, as {first}=(Normal(), 3).")
    left, right = _side(f, "first", variables), _side(g, "second", variables)
    if is_code(left) and is_code(right) and (unread := _unread((left, right), variables)):
        names = {**arguments(left), **arguments(right)}
        raise InputError(f"neither function asks for `{unread}`: leave out {unread}=.{did_you_mean(unread, names)}")
    if is_code(left) and is_code(right) and left.__name__ == right.__name__:
        right = _called(f"{right.__name__} (second)", right)
    value = Claim("The values are equal.", Equal(Value(left), Value(right)), resolution=resolution)
    gradient = Claim("The gradients are equal.", Equal(Gradient(left), Gradient(right)), resolution=resolution)
    names = [x.__name__ if is_code(x) else str(x)[:60] for x in (left, right)]
    title, world = " and ".join(names), tuple(variables.values())
    problem = Problem(title, (value, gradient), world=world, points=points, id="same_gradient")
    if not problem.bound.parameters:
        raise InputError("there is nothing to differentiate by: give a space, as theta=(Normal(), 3), or name it in wrt=.")
    judge = Judge(problem, seed, points, proving=False)
    claims = (value, gradient) if values else (gradient,)
    report = check(Problem(title, claims, world=world, points=points, id="same_gradient"), seed=seed)
    lines = [_said(line, claim, judge) for line, claim in zip(report.claims, claims, strict=True)]
    beyond = _Beyond(problem.bound.variables, resolution, seed)
    lines = [beyond.said(line, claim) for line, claim in zip(lines, claims, strict=True)]
    if not values and (other := _values(value, judge)):
        lines[-1] = replace(lines[-1], remark="; ".join(filter(None, (lines[-1].remark, other))))
    some = _alike(_ruling(gradient, judge), problem.bound.parameters, resolution) if by is None else []
    if some and {*some} <= {*variables}:
        fewer = {n: v if n in some or not v.parameter else Variable(n, v.shape, v.over) for n, v in variables.items()}
        if _compared(f, g, some, resolution, seed, points, False, fewer).ok:
            lines[-1] = replace(lines[-1], reason=f"{lines[-1].reason}; write wrt={some} if only that is to be compared")
    replay = f"same_gradient({', '.join(names)}, ..., seed={seed}, points={points})"
    return replace(report, claims=tuple(lines), replay=replay)


# ---- how small a difference is seen ---------------------------------------------------------------------------------------


def _ruling(claim: Claim, judge: Judge) -> Ruling:
    return judge.settle(claim, {}, witness=False).best


def _said(line: Line, claim: Claim, judge: Judge) -> Line:
    """Where both sides are so small that rounding hides whether they are alike, they do not agree, unless one of them is zero;
    where both are, that is remarked."""
    found = _ruling(claim, judge)
    if line.verdict != Verdict.AGREES.word or not claim.code() or found.left is None or found.right is None:
        return line
    sizes = [largest(e.value) for e in (found.left, found.right)]
    if not any(sizes):
        return replace(line, remark="both sides are 0 at all points drawn")
    with np.errstate(all="ignore"):
        gap = largest(found.left.value - found.right.value)
    if gap <= COARSEST * max(sizes):
        return line
    most = f"at most {max(sizes):.0e}, where rounding hides even a wrong sign"
    if 0 in sizes:
        return replace(line, remark=f"one side is 0, the other {most}")
    fix = f"multiply both functions by {1 / max(sizes):.0e}"
    return replace(line, verdict=Verdict.UNDECIDED.word, ok=False, reason=f"both sides are {most}: {fix}", remark="")


def _alike(found: Ruling, parameters: Sequence[Variable], resolution: float) -> list[str]:
    """Of a refuted gradient the arguments by which it is the same, if the first is one of them: the others may be data."""
    m = found.measured
    if found.verdict is not Verdict.REFUTED or m is None:
        return []
    off = ~(m.excess <= m.slack + resolution * (1 + np.abs(m.right.value))).all(axis=0)
    parts = np.split(off, np.cumsum([v.atoms.size for v in parameters])[:-1])
    some = [v.name for v, part in zip(parameters, parts, strict=True) if not part.any()]
    return some if parameters[0].name in some else []


def _values(claim: Claim, judge: Judge) -> str:
    """What is remarked of values that are not judged."""
    with suppress(ProblemError):
        found = _ruling(claim, judge)
        if found.verdict is Verdict.REFUTED:
            by = f"differ, by {found.gap:.3g} at most, as those of a loss and its surrogate may"
            return f"the values {by if math.isfinite(found.gap) else 'are not all finite'} (values=True judges them)"
    return ""


# ---- far out --------------------------------------------------------------------------------------------------------------


class _Beyond:
    """Points that draws hardly come to: many spreads away, close to the end of a range, masks of one 1. Limits, and what
    saturates, show there. A point counts where both sides are numbers that are known and stay what they are with every result
    off in its last digit, and where the value of neither alone is infinite."""

    def __init__(self, variables: Mapping[str, Variable], resolution: float, seed: int) -> None:
        self.variables, self.resolution, self.seed = variables, resolution, seed
        self.rng = generator(seed, "same_gradient", "beyond")
        self.rungs = [self._rung(n) for n in range(1, RUNGS + 1)]

    def said(self, line: Line, claim: Claim) -> Line:
        """The line, or the one of a point where the sides differ. Where one of them alone is finite, that is remarked."""
        if line.verdict != Verdict.AGREES.word:
            return line
        lost = ""
        that = cast(Equal, claim.that)
        for found in self._rulings(that):
            m, points = found.measured, found.points
            finite = _finite(m)
            limit = self.resolution * (1 + np.abs(m.right.value))
            off = ((m.slack <= limit) & (m.excess > m.slack + limit)).any(axis=1)
            if values := self._values(that, points) if off.any() else None:
                one, other = _finite(values)
                finite = [finite[0] & (one | ~other), finite[1] & (other | ~one)]
            both, alone = finite[0] & finite[1], finite[0] ^ finite[1]
            for row in np.flatnonzero(self._steady(that, points, both & off)).tolist():
                wrong = self._line(claim, points.unrounded.take([row]))
                if wrong.verdict == Verdict.REFUTED.word:
                    return replace(wrong, remark=f"far out; at the {line.points} points before they agree")
            if alone.any() and not lost:
                most, at = min((max(largest(x[n]) for x in points.floats.values()), n) for n in np.flatnonzero(alone))
                lost = f"the {'second' if finite[0][at] else 'first'} alone is not finite where numbers reach {most:.0e}"
        return replace(line, remark="; ".join(filter(None, (line.remark, lost))))

    def _rulings(self, that: Equal) -> Iterator[Ruling]:
        """Of all rungs at once; one by one, where code refuses some of its numbers."""
        whole = self._ruling(that, stack(self.rungs))
        yield from [whole] if whole else filter(None, (self._ruling(that, points) for points in self.rungs))

    def _ruling(self, that: Equal, points: Points) -> Ruling | None:
        claim = Claim("They are equal.", that, resolution=self.resolution)
        problem = Problem("far", (claim,), world=tuple(self.variables.values()))
        with suppress(ProblemError), np.errstate(all="ignore"):
            found = Judge(problem, self.seed, points, proving=False).settle(claim, {}, witness=False).best
            return found if found.measured is not None else None

    def _values(self, that: Equal, points: Points) -> Measured | None:
        left, right = (Value(q.of) for q in cast(tuple[Gradient | Value, ...], that.sides))
        found = self._ruling(Equal(left, right), points.unrounded)
        return found and found.measured

    def _line(self, claim: Claim, points: Points) -> Line:
        problem = Problem("far", (claim,), world=tuple(self.variables.values()))
        (line,) = check(problem, seed=self.seed, points=points).claims
        return line

    def _steady(self, that: Equal, points: Points, among: Any) -> Any:
        """Of these points, those where rounding moves no side of code by as much as is looked at."""
        for q in cast(tuple[Gradient | Value, ...], that.sides):
            for n in range(SHAKES) if among.any() and is_code(q.of) else ():
                found = self._ruling(Equal(q, type(q)(_shaken(q.of, n))), points.unrounded)
                m = found and found.measured
                limit = m and self.resolution * (1 + np.abs(m.left.value))
                among = among & (np.maximum(m.excess, m.slack) <= limit).all(axis=1) if m else among & False
        return among

    def _rung(self, n: int) -> Points:
        """All numbers far, to one side and to both; where they are not too many, those of one variable, and one number alone."""
        rows = [{k: self._far(v, n, sign) for k, v in self.variables.items()} for sign in (1, -1, 0)]
        few = sum(v.atoms.size for v in self.variables.values()) <= MANY
        for name, variable in self.variables.items() if few else ():
            for sign in (1, -1, 0):
                row = {k: drawn(v.over, self.rng, v.shape) for k, v in self.variables.items()}
                far = self._far(variable, n, sign)
                if sign:
                    alone, at = row[name].copy(), int(self.rng.integers(far.size))
                    alone.flat[at] = far.flat[at]
                    far = alone if variable.over.holds(alone) else far
                row[name] = far
                rows.append(row)
        return Points(self.variables, {k: np.stack([row[k] for row in rows]) for k in self.variables}, len(rows))

    def _far(self, v: Variable, n: int, sign: int) -> Any:
        """Up to half a power of ten further at each rung; within a range, so much closer to its end."""
        away = 10 ** ((n + self.rng.uniform(size=v.shape)) / 2)
        up = self.rng.integers(0, 2, v.shape) == 1 if sign == 0 else np.full(v.shape, sign > 0)
        match v.over:
            case Normal() | LogRational() as space:
                return each(_readable, getattr(space, "scale", 1.0) * np.where(up, away, -away))
            case Uniform(low=low, high=high):
                inwards = (float(high) - float(low)) / away
                return each(lambda up, d: rational(high) - _readable(d) if up else rational(low) + _readable(d), up, inwards)
            case Integers(low=low, high=high):
                return each(rational, np.where(up, high, low))
            case Simplex() | OneOf() | Masks() as space:
                return space.rare(self.rng, v.shape, n, sign)
            case other:
                return drawn(other, self.rng, v.shape)


def _finite(m: Measured) -> list[Any]:
    """Of each side, at which points it is a number."""
    return [np.isfinite(e.value).all(axis=1) for e in (m.left, m.right)]


def _readable(x: float) -> Any:
    """Four digits of it."""
    return rational(float(f"{x:.3e}"))


def _shaken(code: Callable[..., Any], seed: int) -> Callable[..., Any]:
    from .backends.modes import Shaken

    @functools.wraps(code)
    def other(*args: Any, **options: Any) -> Any:
        with Shaken(seed):
            return code(*args, **options)

    return _called(f"{code.__name__} (shaken {seed})", other)


def _called(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function under another name: reports tell functions apart by it."""

    @functools.wraps(function)
    def other(*args: Any, **options: Any) -> Any:
        return function(*args, **options)

    other.__name__ = name
    return other


def _variable(name: str, space: Any, by: Sequence[str] | None) -> Variable:
    over: Any
    shape: Any
    over, shape = space if isinstance(space, tuple) and len(space) == 2 else (space, ())
    if not is_space(over):
        kind = over if isinstance(over, type) else type(over)
        normal = "gradcheck_rl.Normal()" if kind.__module__.startswith("torch.distributions") else "Normal()"
        raise InputError(f"{name}={space!r} is no space: write {name}={normal}, or with a shape {name}=({normal}, 3).")
    if not all(isinstance(n, (int, np.integer)) and n > 0 for n in (shape if isinstance(shape, tuple) else (shape,))):
        raise InputError(f"{name} has the shape {shape!r}: write how many, 1 or more, as in (Normal(), 3) or (Normal(), (2, 3)).")
    if isinstance(over, (Masks, Simplex)) and shape == ():
        raise InputError(f"{name} is a number, and {over} needs an axis to run along: write how many, as {name}=({over}, 3).")
    smooth = not isinstance(over, (Integers, Masks, OneOf, Simplex))
    return (Parameter if (smooth if by is None else name in by) else Variable)(name, shape, over)


def _unread(functions: Sequence[Callable[..., Any]], variables: Mapping[str, Variable]) -> str:
    """The first of the names that no function takes, or nothing."""
    taken = [p for f in functions for p in arguments(f).values()]
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in taken):
        return ""
    return next((name for name in variables if name not in {p.name for p in taken}), "")


def _asking(code: Callable[..., Any], variables: Mapping[str, Variable]) -> Callable[..., Any]:
    """The function, whose arguments have no default where they have a space."""
    given = [p for p in arguments(code).values() if p.name in variables and p.default is not p.empty]
    given = [p.replace(default=p.empty, kind=p.KEYWORD_ONLY) for p in given if p.kind is not p.POSITIONAL_ONLY]
    if not given:
        return code
    rest = [p for p in arguments(code).values() if p.name not in {q.name for q in given}]
    other = _called(code.__name__, code)
    last = [p for p in rest if p.kind is p.VAR_KEYWORD]
    other.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
        [*(p for p in rest if p not in last), *given, *last]
    )
    return other


def _side(x: Any, word: str, variables: dict[str, Variable]) -> Any:
    """The function, or the formula in the variables' own symbols."""
    if is_code(x):
        return _asking(x, variables)
    if hasattr(x, "requires_grad"):
        raise InputError(f"the {word} of the two is a tensor, which has left its function behind: give the function itself.")
    try:
        cells = entries(x)
    except (sp.SympifyError, ProblemError) as error:
        kind = type(x).__name__
        fix = ": write lambda x: f(x), with the names of its arguments" if callable(x) else ""
        raise InputError(f"the {word} of the two is {kind}; a torch function or a SymPy formula was expected{fix}.") from error
    for home in {a.home for a in atoms_in(*cells) if isinstance(a.home, Variable)}:
        if home.name in variables:
            raise InputError(f"`{home.name}` of the {word} is a Variable, which has its space: leave out {home.name}=.")
    table = {str(a): a for v in variables.values() for a in v.atoms.ravel()}
    free = {s for e in cells for s in e.free_symbols if not isinstance(s, Atom)}
    for s in sorted(free, key=str):
        if str(s) not in table:
            like = did_you_mean(str(s), table)
            raise InputError(f"the {word} of the two has the symbol `{s}`, which has no space: write {s}=Normal().{like}")
    return np.array([e.xreplace({s: table[str(s)] for s in free}) for e in cells], dtype=object).reshape(np.shape(x))
