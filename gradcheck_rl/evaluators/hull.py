"""Clarke's interval of the model's gradient, and with it what a kink is: a point where the interval has width.

The interval is spanned by the gradients at nearby smooth points, one for each side of each tied switch. PPO's min is tied on an
open set with equal slopes: a tied switch alone is no kink, and dropping ties would drop every interesting point.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from flint import fmpq

from ..calculus import has, slope
from ..errors import ProblemError, Unsuitable
from ..estimate import Estimate, Evidence, Floats
from ..expressions import values
from ..laws import closed
from ..quantities import Quantity, lowered, taken_by
from ..symbols import frozen_
from .scene import Scene

TIED = 2.0**-40
ASIDE = 2.0**-30
NEAR = 1e-6
WIDTH = 1e-6
SWITCHES = 8
CORNERED = (sp.Min, sp.Max, sp.Abs, sp.Heaviside, sp.sign)


def evaluate(q: Quantity, scene: Scene) -> Estimate:
    """Midpoint and half width, as an Estimate whose radius is the set: (B, 1, n)."""
    formulas = lowered(q, scene.world.parameters, scene.world.names)
    if formulas is None:
        raise ProblemError("Hull needs the gradient of a formula: code has one gradient, not a set of them.")
    scene.says("symbolic")
    low, high = spans([closed(e) for e in formulas], taken_by(q, scene.world.parameters), scene)
    rounding = 2**6 * ASIDE * (1 + np.maximum(np.abs(low), np.abs(high)))  # the ends were taken beside the point
    return Estimate(((low + high) / 2)[:, None, :], ((high - low) / 2 + rounding)[:, None, :], Evidence.BALL)


@lru_cache(maxsize=256)
def corners(formulas: tuple[Any, ...]) -> list[Any] | None:
    """The formulas with their expectations worked out, if a corner is left in them."""
    if not any(has(e, *CORNERED) and has(_live(e), *CORNERED) for e in formulas):
        return None
    try:
        plain = [closed(e) for e in formulas]
    except Unsuitable:
        return None
    return plain if any(has(e, sp.Heaviside, sp.sign) for e in plain) else None


def _live(e: Any) -> Any:
    """Without what is under a stop-gradient, whose corners bend no gradient."""
    return e.replace(frozen_, lambda _: sp.Dummy(real=True))


def kinked(formulas: Sequence[Any], atoms: Sequence[Any], scene: Scene) -> Any:
    """For each point, whether the interval has width there, or a switch that matters is so near that rounding may flip it.

    Two ties at once, each halved, may give a number outside an interval without width: the formula is of no use there either.
    """
    try:
        low, high = spans(formulas, atoms, scene)
    except Unsuitable:
        return np.zeros(len(scene.points), dtype=bool)
    here, room = values(formulas, scene.points.rows).value, WIDTH * (1 + np.abs(low))
    bent = (high - low > room) | (here < low - room) | (here > high + room)
    return bent.any(axis=1) | _close(formulas, scene)


def spans(formulas: Sequence[Any], atoms: Sequence[Any], scene: Scene) -> tuple[Floats, Floats]:
    """Least and greatest value of each gradient formula at the point and beside it, on every side of every tied switch."""
    twins, held, switches, normals = _held(tuple(formulas), tuple(atoms))
    low, high = [], []
    for row in scene.points.rows:
        fixed = row | (dict(zip(twins.values(), _exact(list(twins), row), strict=True)) if twins else {})
        at = values(switches, [fixed]).value[0] if switches else np.zeros(0)
        tied = np.flatnonzero(np.abs(at) < TIED)
        if len(tied) > SWITCHES:
            raise Unsuitable(f"{len(tied)} switches are tied at once")
        rows = [fixed]
        if len(tied):
            slopes = np.nan_to_num(values(normals, [fixed]).value[0].reshape(len(switches), len(atoms)))[tied]
            slopes[np.abs(slopes) < TIED] = 0.0  # tied on an open set: rounding is no direction to leave it by
            back = np.linalg.pinv(slopes)
            rows = [_moved(fixed, atoms, back @ (ASIDE * np.array(s))) for s in itertools.product((1.0, -1.0), repeat=len(tied))]
        spread = values(held, rows).value
        low.append(spread.min(axis=0))
        high.append(spread.max(axis=0))
    return np.array(low), np.array(high)


def _moved(row: dict[Any, Any], atoms: Sequence[Any], by: Floats) -> dict[Any, Any]:
    return row | {a: row[a] + fmpq(*float(d).as_integer_ratio()) for a, d in zip(atoms, by, strict=True)}


def _close(formulas: Sequence[Any], scene: Scene) -> Any:
    """Is a switch within rounding of zero, not tied, and of consequence?"""
    switches, marks, marked = _marked(tuple(formulas))
    out: list[bool] = []
    for row in scene.points.rows:
        at = values(switches, [row]).value[0]
        near = np.flatnonzero((np.abs(at) < NEAR) & (np.abs(at) >= TIED))
        sides = {m: fmpq(int(x > 0)) for m, x in zip(marks, at, strict=True)}
        rows = [row | sides, *(row | sides | {marks[i]: 1 - sides[marks[i]]} for i in near)]
        spread = values(marked, rows).value if len(near) else np.zeros((1, 1))
        out.append(bool((np.abs(spread - spread[0]) > WIDTH * (1 + np.abs(spread[0]))).any()))
    return np.array(out)


@lru_cache(maxsize=128)
def _held(formulas: tuple[Any, ...], atoms: tuple[Any, ...]) -> tuple[dict[Any, Any], list[Any], list[Any], list[Any]]:
    """A twin for each stop-gradient, the formulas with twins in their place, their switches, and the switches' slopes."""
    twins = {node: sp.Dummy("held", real=True) for e in formulas for node in e.atoms(frozen_)}
    held = [e.xreplace(twins) for e in formulas]
    switches = _switches(held)
    return twins, held, switches, [slope(s, a) for s in switches for a in atoms]


@lru_cache(maxsize=128)
def _marked(formulas: tuple[Any, ...]) -> tuple[list[Any], list[Any], list[Any]]:
    """The switches, a mark for each, and the formulas with marks in their place."""
    switches = _switches(formulas)
    marks = [sp.Dummy(f"h{i}", real=True) for i in range(len(switches))]
    table = dict(zip(switches, marks, strict=True)) | {-s: 1 - m for s, m in zip(switches, marks, strict=True)}
    marked = [e.replace(sp.Heaviside, lambda x, *_: table[x]).replace(sp.sign, lambda x: 2 * table[x] - 1) for e in formulas]
    return switches, marks, marked


def _switches(formulas: Sequence[Any]) -> list[Any]:
    """What the corners turn on, each once whatever its sign."""
    found: list[Any] = []
    for s in sorted({h.args[0] for e in formulas for h in e.atoms(sp.Heaviside, sp.sign)}, key=sp.default_sort_key):
        if -s not in found:
            found.append(s)
    return found


def _exact(formulas: Sequence[Any], row: Any) -> list[Any]:
    found = values(formulas, [row]).exact
    assert found is not None
    return list(found[0])
