"""Without a problem: have two functions the same gradient?"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from .claims import COARSEST, Claim, Equal
from .errors import InputError, ProblemError, did_you_mean
from .judge import Judge
from .loop import check
from .problem import Problem
from .quantities import Gradient, Value, arguments, is_code
from .report import Line, Report
from .spaces import Integers, Masks, OneOf, Simplex
from .symbols import Atom, Parameter, Variable, atoms_in, entries
from .verdict import Ruling, Verdict, largest

RESOLUTION = 1e-6


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
    if not values and (other := _values(value, judge)):
        lines[-1] = replace(lines[-1], remark="; ".join(filter(None, (lines[-1].remark, other))))
    replay = f"same_gradient({', '.join(names)}, ..., seed={seed}, points={points})"
    return replace(report, claims=tuple(lines), replay=replay)


# ---- how small a difference is seen ---------------------------------------------------------------------------------------


def _ruling(claim: Claim, judge: Judge) -> Ruling:
    return judge.settle(claim, {}, witness=False).best


def _said(line: Line, claim: Claim, judge: Judge) -> Line:
    """Where both sides are so small that rounding hides whether they are alike, they do not agree, unless one of them is zero."""
    found = _ruling(claim, judge)
    if line.verdict != Verdict.AGREES.word or not claim.code() or found.left is None or found.right is None:
        return line
    sizes = [largest(e.value) for e in (found.left, found.right)]
    with np.errstate(all="ignore"):
        gap = largest(found.left.value - found.right.value)
    if gap <= COARSEST * max(sizes):
        return line
    most = f"at most {max(sizes):.0e}, where rounding hides even a wrong sign"
    if 0 in sizes:
        return replace(line, remark=f"one side is 0, the other {most}")
    fix = f"multiply both functions by {1 / max(sizes):.0e}"
    return replace(line, verdict=Verdict.UNDECIDED.word, ok=False, reason=f"both sides are {most}: {fix}")


def _values(claim: Claim, judge: Judge) -> str:
    """What is remarked of values that are not judged."""
    with suppress(ProblemError):
        found = _ruling(claim, judge)
        if found.verdict is Verdict.REFUTED:
            by = f"by {found.gap:.3g} at most"
            return f"the values differ, {by}, as those of a loss and its surrogate may (values=True judges them)"
    return ""


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
    if isinstance(over, type) or not hasattr(over, "draw"):
        raise InputError(f"{name}={space!r} is no space: write {name}=Normal(), or with a shape {name}=(Normal(), 3).")
    if not all(isinstance(n, (int, np.integer)) and n > 0 for n in (shape if isinstance(shape, tuple) else (shape,))):
        raise InputError(f"{name} has the shape {shape!r}: write how many, 1 or more, as in (Normal(), 3) or (Normal(), (2, 3)).")
    smooth = not isinstance(over, (Integers, Masks, OneOf, Simplex))
    return (Parameter if (smooth if by is None else name in by) else Variable)(name, shape, over)


def _side(x: Any, word: str, variables: dict[str, Variable]) -> Any:
    """The function, or the formula in the variables' own symbols."""
    if is_code(x):
        return x
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
