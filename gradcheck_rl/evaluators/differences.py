"""Gradients from values alone: central differences at two steps, extrapolated; the radius is what the steps disagree on.

Between the two sides of a point there is an angle that closes with the step, if the value is smooth. At a kink or a jump it does
not: there nothing is known, and the estimate says so.

A formula is differenced at 200 bits with its stop-gradients held at the point: an exact check of the symbolic derivative. Where
it is analytic one step in the imaginary direction is enough, f'(x) = Im f(x + ih) / h but for h^2: nothing cancels.
Code is differenced in float64, and has no stop-gradients that could be held: it is compared where it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy as sp
from flint import acb, arb, fmpq

from ..errors import Unsuitable
from ..estimate import Estimate, Evidence
from ..expressions import compiled, values
from ..laws import Random, randoms
from ..points import Points, stack
from ..quantities import Gradient, Quantity, Value, blocks, is_code, pairs, turning
from ..rings import ANALYTIC, EXACT, ball, is_finite
from ..spaces import Simplex
from ..symbols import Variable, entries, frozen_
from .scene import Outcomes, Scene

NAME = "differences"
STEP = fmpq(1, 2**15)  # its square is what the two steps disagree by, EPS over it what rounding adds
FAR = float(STEP) * 2**53  # beyond, floats are farther apart than a step
TINY = fmpq(1, 2**60)
AROUND = (1, -1, 2, -2)  # how many steps away a value is asked for
KINK = "a kink, a jump or a sharp bend near this point: the slope changes by {:.3g} there"
EDGE = f"the value is not finite a step of {float(2 * STEP):.0e} away"

Evaluate = Callable[..., Estimate]


def evaluate(q: Gradient, scene: Scene, outcomes: Outcomes | None, walk: Evaluate) -> Estimate:
    """(B, M, n)."""
    variables = blocks(q.wrt, scene.world.parameters)
    scene.says(NAME)
    if not is_code(q.of):
        if outcomes is not None:
            raise Unsuitable("differences of a random formula: take its expectation first")
        return _formula(q, variables, scene)
    there = _around(scene.points, variables)
    y = walk(Value(q.of), scene.at(there), _repeat(outcomes, len(there) // len(scene.points)))
    return _slopes(y, scene).map(lambda x: np.moveaxis(x[..., 0], 0, -1))


def _around(points: Points, variables: Sequence[Variable]) -> Points:
    """The points, and after them the same ones with each entry in turn moved to both sides, by one step and by two."""
    for v in variables:
        if (most := np.abs(points.floats[v.name]).max(initial=0.0)) > FAR:
            raise Unsuitable(f"`{v.name}` reaches {most:.1e}, where floats are farther apart than a step of {float(STEP):.0e}")
    moved = [shifted(points, v, i, STEP * n) for v in variables for i in range(v.atoms.size) for n in AROUND]
    return stack([points, *moved])


def _slopes(y: Estimate, scene: Scene) -> Estimate:
    """From the values around the points, the slope by each entry: (entries, B, ...).

    2 angle(h) - angle(2h) is of the order of h^3 where the value is smooth, and of the angle itself at a kink: there nothing is
    known. Midway in a jump there is no angle, and the error is less than three times what the two steps disagree by.
    """
    size, h = len(scene.points), float(STEP)
    value, radius = (x[size:].reshape(-1, len(AROUND), size, *x.shape[1:]) for x in (y.value, y.radius))
    here, (up, down, far_up, far_down) = y.value[:size], np.moveaxis(value, 1, 0)
    with np.errstate(all="ignore"):
        near, far = (up - down) / (2 * h), (far_up - far_down) / (4 * h)
        rounding = (radius[:, 0] + radius[:, 1]) / (2 * h)
        slope, gap = (4 * near - far) / 3, np.abs(near - far)
        angle = np.abs(4 * (up + down) - (far_up + far_down) - 6 * here) / (2 * h)
        seen = scene.resolution * (1 + np.abs(slope))
        bent = angle - 16 * rounding > seen
        room = np.where(gap > seen, 3 * gap, gap) + angle + 2 * rounding
    outside = np.isfinite(here) & ~np.isfinite(angle)
    if bent.any():
        scene.near.append(KINK.format(angle[bent].max()))
    if outside.any():
        scene.near.append(EDGE)
    slope = np.where(outside, 0.0, np.where(np.isfinite(here), slope, np.nan))
    return Estimate(slope, np.where(bent | outside, np.inf, room), Evidence.FLOAT)


def _repeat(outcomes: Outcomes | None, times: int) -> Outcomes | None:
    if outcomes is None:
        return None

    def tile(x: Any) -> Any:
        return x if x.shape[0] == 1 else np.concatenate([x] * times)

    return Outcomes({a: tile(x) for a, x in outcomes.columns.items()}, outcomes.weights.map(tile), outcomes.names, outcomes.exact)


def shifted(points: Points, variable: Variable, i: int, h: Any) -> Points:
    """The points with one entry of one variable moved: of a row of probabilities, against the last one."""
    moved = points.exact[variable.name].copy().reshape(len(points), -1)
    moved[:, i] = moved[:, i] + h
    if isinstance(variable.over, Simplex):
        last = i - i % variable.shape[-1] + variable.shape[-1] - 1
        moved[:, last] = moved[:, last] - h
    return points.with_(variable.name, moved.reshape(points.exact[variable.name].shape))


def _formula(q: Gradient, variables: list[Variable], scene: Scene) -> Estimate:
    """With every stop-gradient held at the point, at 200 bits."""
    formulas = [e.replace(frozen_, _steady) for e in entries(q.of)]
    twins = {node: sp.Dummy("held", real=True) for e in formulas for node in e.atoms(frozen_)}
    held = [e.xreplace(twins) for e in formulas]
    out: list[list[Any]] = []
    for b in range(len(scene.points)):
        here = scene.points.take([b])
        fixed = dict(zip(twins.values(), values(list(twins), here.rows).exact[0], strict=True)) if twins else {}  # pyright: ignore[reportOptionalSubscript]
        try:
            slopes = _imaginary_step(held, here.rows[0] | fixed, [a for v in variables for a in v.atoms.ravel()])
        except Unsuitable:
            slopes = _real_steps(held, here, variables, fixed)
        out.append([slope for column in zip(*slopes, strict=True) for slope in column])
    found = Estimate.of(np.array(out, dtype=object)[:, None, :])
    return Estimate(found.value, found.radius + 2.0**-50 * np.maximum(1.0, np.abs(found.value)), Evidence.FLOAT)


def _imaginary_step(held: Sequence[Any], row: dict[Any, Any], atoms: Sequence[Any]) -> list[list[Any]]:
    """For each atom the slope of each formula, where its value is a real number."""
    run, inputs = compiled(held)
    here = [acb(ball(row[s])) for s in inputs]
    step = acb(0, arb(TINY))
    moved = ([x + step if s == atom else x for s, x in zip(inputs, here, strict=True)] for atom in atoms)
    slopes = [[y.imag / TINY for y in run(ANALYTIC, there)] for there in moved]
    real = [is_finite(y) for y in run(EXACT, [row[s] for s in inputs])]
    return [[s if known else arb.nan() for s, known in zip(column, real, strict=True)] for column in slopes]


def _real_steps(held: Sequence[Any], here: Points, variables: Sequence[Variable], fixed: dict[Any, Any]) -> list[list[Any]]:
    found: list[list[Any]] = []
    for variable, i in [(v, i) for v in variables for i in range(v.atoms.size)]:
        up, down = values(held, [shifted(here, variable, i, h).rows[0] | fixed for h in (TINY, -TINY)]).exact  # pyright: ignore[reportGeneralTypeIssues]
        found.append([(a - b) / (2 * TINY) for a, b in zip(up, down, strict=True)])
    return found


def _steady(x: Any) -> Any:
    """A stop-gradient around a draw moved to the symbols beside it: the draw has a value in the expectation only."""
    return x.xreplace({s: frozen_(s) for s in x.free_symbols if not isinstance(s, Random)}) if randoms(x) else frozen_(x)


def curl(field: Quantity, scene: Scene, walk: Evaluate) -> Estimate:
    """Antisymmetric part of the derivative of a field that code computes: (B, 1, pairs)."""
    symbols = turning(field, walk(field, scene).shape[-1], scene.world.parameters)
    variables = list(dict.fromkeys(a.home for a in symbols))
    found = _slopes(walk(field, scene.at(_around(scene.points.image(), variables))).map(lambda x: x[:, 0, :]), scene)
    moved = [a for v in variables for a in v.atoms.ravel()]
    by = [moved.index(a) for a in symbols]
    best, radius = found.value, found.radius
    turns = pairs(len(by))
    value = np.stack([best[by[j], :, i] - best[by[i], :, j] for i, j in turns], axis=-1)
    room = np.stack([radius[by[j], :, i] + radius[by[i], :, j] for i, j in turns], axis=-1)
    scene.says(NAME)
    return Estimate(value[:, None, :], room[:, None, :], Evidence.FLOAT)
