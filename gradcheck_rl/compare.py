"""Without a problem: have two functions the same value and the same gradient?"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from .claims import Claim, Equal
from .errors import InputError, ProblemError, did_you_mean
from .loop import check
from .problem import Problem
from .quantities import Gradient, Value, is_code
from .report import Report
from .spaces import Integers, Masks, OneOf, Simplex
from .symbols import Atom, Parameter, Variable, entries

RESOLUTION = 1e-6


def same_gradient(
    f: Any,
    g: Any,
    /,
    wrt: str | Sequence[str] | None = None,
    resolution: float = RESOLUTION,
    seed: int = 0,
    points: int = 12,
    **spaces: Any,
) -> Report:
    """Have two functions (of torch, or SymPy formulas) the same value and the same gradient?

    A keyword says where an argument's values come from: `x=Uniform(1, 2)`, or with a shape `theta=(Normal(), 3)`. A formula
    may use SymPy's symbols of those names (theta_0, theta_1, ... for an array), or Variables, which need no keyword. The
    gradient is by all that varies smoothly, or by the names in `wrt`.
    """
    by = [wrt] if isinstance(wrt, str) else wrt
    if by is not None and not (isinstance(by, (list, tuple)) and all(isinstance(name, str) for name in by)):
        raise InputError(f"wrt={wrt!r}: write a name, or several, as wrt=['theta', 'phi'].")
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(f"seed={seed!r}: write a whole number from 0; an argument of that name must have another one here.")
    if not isinstance(points, (int, np.integer)) or points < 1:
        raise InputError(f"points={points!r}: write how many, 1 or more; an argument of that name must have another one here.")
    try:
        return _compared(f, g, by, resolution, seed, points, {name: _variable(name, space, by) for name, space in spaces.items()})
    except ProblemError as error:
        raise InputError(str(error)) from error


def _compared(
    f: Any, g: Any, by: Sequence[str] | None, resolution: float, seed: int, points: int, variables: dict[str, Variable]
) -> Report:
    for name in by or ():
        if name not in variables:
            given = ", ".join(variables) or "nothing"
            raise InputError(f"wrt names `{name}`; the spaces given are of {given}.{did_you_mean(name, variables)}")
    left, right = _side(f, "first", variables), _side(g, "second", variables)
    if is_code(left) and is_code(right) and left.__name__ == right.__name__:
        right = _called(f"{right.__name__} (second)", right)
    claims = (
        Claim("The values are equal.", Equal(Value(left), Value(right)), resolution=resolution),
        Claim("The gradients are equal.", Equal(Gradient(left), Gradient(right)), resolution=resolution),
    )
    names = [x.__name__ if is_code(x) else str(x)[:60] for x in (left, right)]
    problem = Problem(" and ".join(names), claims, world=tuple(variables.values()), points=points, id="same_gradient")
    if not problem.bound.parameters:
        raise InputError("there is nothing to differentiate by: give a space, as theta=(Normal(), 3), or name it in wrt=.")
    report = check(problem, seed=seed)
    return replace(report, replay=f"same_gradient({', '.join(names)}, ..., seed={seed}, points={points})")


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
    try:
        cells = entries(x)
    except (sp.SympifyError, ProblemError) as error:
        kind = type(x).__name__
        fix = ": write lambda x: f(x), with the names of its arguments" if callable(x) else ""
        raise InputError(f"the {word} of the two is {kind}; a torch function or a SymPy formula was expected{fix}.") from error
    table = {str(a): a for v in variables.values() for a in v.atoms.ravel()}
    free = {s for e in cells for s in e.free_symbols if not isinstance(s, Atom)}
    for s in sorted(free, key=str):
        if str(s) not in table:
            like = did_you_mean(str(s), table)
            raise InputError(f"the {word} of the two has the symbol `{s}`, which has no space: write {s}=Normal().{like}")
    return np.array([e.xreplace({s: table[str(s)] for s in free}) for e in cells], dtype=object).reshape(np.shape(x))
