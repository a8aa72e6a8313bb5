"""Clarke's interval of the model's gradient, and with it what a kink is: a point where the interval has width.

PPO's min is tied on an open set with equal slopes: a tied switch alone is no kink, and dropping ties would drop every
interesting point.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from ..errors import ProblemError, Unsuitable
from ..estimate import Estimate, Evidence, Floats
from ..expressions import values
from ..laws import Slope, closed
from ..quantities import Quantity
from ..rings import EPS
from .scene import Scene

NEAR = 1e-6
WIDTH = 1e-9
SWITCHES = 10


def evaluate(q: Quantity, scene: Scene) -> Estimate:
    """Midpoint and half width, as an Estimate whose radius is the set: (B, 1, n)."""
    formulas = scene.world.formulas(q)
    if formulas is None:
        raise ProblemError("Hull needs the gradient of a formula: code has one gradient, not a set of them.")
    scene.says("symbolic")
    low, high = spans(formulas, scene)
    rounding = 4 * EPS * np.maximum(np.abs(low), np.abs(high))
    return Estimate(((low + high) / 2)[:, None, :], ((high - low) / 2 + rounding)[:, None, :], Evidence.BALL)


def has_kinks(formulas: Sequence[Any]) -> bool:
    """Is a corner differentiated, here or under an expectation?"""
    corners = (sp.Min, sp.Max, sp.Abs)
    return any(e.has(sp.Heaviside, sp.sign) or any(s.has(*corners) for s in e.atoms(Slope)) for e in formulas)


def kinked(formulas: Sequence[Any], scene: Scene) -> Any:
    """For each point, whether the interval has width there."""
    try:
        low, high = spans(formulas, scene)
    except Unsuitable:
        return np.zeros(len(scene.points), dtype=bool)
    return (high - low > WIDTH).any(axis=1)


def spans(formulas: Sequence[Any], scene: Scene) -> tuple[Floats, Floats]:
    """Least and greatest value of each formula when every switch nearer than NEAR to zero is taken both ways."""
    switches, marks, marked = _marked(tuple(formulas))
    low, high = [], []
    for row in scene.points.rows:
        at = values(switches, [row]).value[0] if switches else np.zeros(0)
        tied = [i for i, x in enumerate(at) if abs(x) < NEAR]
        base = {m: _bit(x > 0) for m, x in zip(marks, at, strict=True)}
        here = values(marked, [row | base]).value[0]
        live = [
            i for i in tied if np.abs(values(marked, [row | base | {marks[i]: _bit(at[i] <= 0)}]).value[0] - here).max() > WIDTH
        ]
        if len(live) > SWITCHES:
            raise Unsuitable(f"{len(live)} switches are tied at once")
        choices = [
            base | {marks[i]: _bit(c) for i, c in zip(live, bits, strict=True)}
            for bits in itertools.product((0, 1), repeat=len(live))
        ]
        spread = values(marked, [row | c for c in choices]).value
        low.append(spread.min(axis=0))
        high.append(spread.max(axis=0))
    return np.array(low), np.array(high)


@lru_cache(maxsize=256)
def _marked(formulas: tuple[Any, ...]) -> tuple[list[Any], list[Any], list[Any]]:
    """The switches, a mark for each, and the formulas with marks in their place."""
    open_ = [closed(e) for e in formulas]
    steps = sorted({h.args[0] for e in open_ for h in e.atoms(sp.Heaviside, sp.sign)}, key=sp.default_sort_key)
    switches: list[Any] = []
    for s in steps:
        if -s not in switches:
            switches.append(s)
    marks = [sp.Dummy(f"h{i}", real=True) for i in range(len(switches))]
    table = dict(zip(switches, marks, strict=True)) | {-s: 1 - m for s, m in zip(switches, marks, strict=True)}
    marked = [e.replace(sp.Heaviside, lambda x, *_: table[x]).replace(sp.sign, lambda x: 2 * table[x] - 1) for e in open_]
    return switches, marks, marked


def _bit(on: Any) -> Any:
    from flint import fmpq

    return fmpq(int(on))
