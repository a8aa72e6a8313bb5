"""What rounding explains of a gap between code and formulas."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from flint import fmpq

from .claims import COARSEST, AtMost, Claim, Equal, Relation
from .errors import CodeError, ProblemError, Unsuitable
from .evaluators import Scene
from .measured import Measured, measure
from .points import Points, stack
from .spaces import Integers, Masks, OneOf, Simplex
from .verdict import largest

NUDGE = 1 + fmpq(1, 2**22)  # float32 rounds another way there
ASIDE = tuple(1 + sign * fmpq(n, 2**30) for sign in (1, -1) for n in (3, 5, 7, 11))  # float64 does, and little else changes
SINGLE, DOUBLE = 2.0**-20, 2.0**-30  # what float32 loses in a few operations, and what only float64 holds


def matters(claim: Claim) -> bool:
    """Does the verdict hang on how well code is known?"""
    return bool(claim.code()) and type(claim.that) in (Equal, AtMost)


def faint(claim: Claim, that: Relation, m: Measured, scene: Scene) -> float:
    """How large a gap is not looked at: the resolution, or that part of the largest entry at any point where it
    is below 1, or what the sides move between numbers that float32 holds next to each other where that is more."""
    size = max(largest(m.left.value), largest(m.right.value))
    if size >= 1:
        return claim.resolution
    parameters = [v.name for v in scene.world.parameters]
    there = _beside(claim, that, scene, _moved(scene.points, parameters, NUDGE))
    if there is None:
        return claim.resolution
    with np.errstate(all="ignore"):
        moved = max(largest(m.left.value - there.left.value), largest(m.right.value - there.right.value))
    return min(claim.resolution, max(claim.resolution * size, 4 * moved))


def scattered(claim: Claim, that: Relation, m: Measured, scene: Scene) -> Measured:
    """With room for what rounding does: how far the gaps of the sides at points close by lie apart.

    Those on one side of the point, and of two the lesser, since code may jump here, or have a number of its own.
    Mathematics that is wrong is wrong by as much close by.
    """
    if m.outcomes is not None and m.outcomes.exact is None:  # each point has draws of its own
        return m
    smooth = [name for name, v in scene.world.variables.items() if not isinstance(v.over, (Integers, Masks, OneOf, Simplex))]
    there = _beside(claim, that, scene, stack([_moved(scene.points, smooth, factor).image() for factor in ASIDE]))
    if there is None or there.left.shape != (len(ASIDE) * len(scene.points), m.left.shape[1]):
        return m
    with np.errstate(all="ignore"):
        apart = (there.left.value - there.right.value).reshape(2, -1, *m.left.shape)
        room = 16 * np.ptp(apart, axis=1).min(axis=0)
    room = np.where(np.isfinite(room), room, 0.0)
    return replace(m, slack=m.slack + room, blur=m.blur + room)


def hidden(m: Measured) -> str:
    """What is said of two sides that are unlike, neither of them zero, where rounding explains all of both."""
    sides = [np.abs(e.value) for e in (m.left, m.right)]
    most = max(map(largest, sides))
    if not all(x.any() and (x <= m.slack).all() for x in sides) or largest(m.excess) <= COARSEST * most:
        return ""
    return f"both sides are at most {most:.0e}, where rounding hides even a wrong sign"


def single(gap: float, size: float) -> str:
    """The hint where a number is as near to one of this size as float32 comes."""
    if not DOUBLE * (size or 1.0) <= gap <= SINGLE * (size or 1.0) < math.inf:
        return ""
    near = "six digits agree, and float32 has no more" if size else "float32 comes no nearer to 0 where it subtracts"
    return f"{near}: was it computed in float32?"


def _moved(points: Points, names: list[str], factor: Any) -> Points:
    for name in names:
        if name in points.exact:
            points = points.with_(name, points.exact[name] * factor)
    return points


def _beside(claim: Claim, that: Relation, scene: Scene, points: Points) -> Measured | None:
    """Both sides at points close by, if they can be worked out there."""
    with np.errstate(all="ignore"):
        try:
            return measure(that, replace(scene.anew(), points=points), claim.where, smooth=True)
        except (CodeError, ProblemError, Unsuitable):
            return None
