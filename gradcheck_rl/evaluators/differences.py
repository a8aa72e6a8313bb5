"""Gradients from values alone: central differences at two steps, extrapolated; the radius is what the steps disagree on.

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

from ..errors import ProblemError, Unsuitable
from ..estimate import Estimate, Evidence
from ..expressions import compiled, values
from ..laws import Random, randoms
from ..points import Points, stack
from ..quantities import Gradient, Quantity, Value, blocks, by_wrt, is_code, pairs
from ..rings import ANALYTIC, ball
from ..symbols import Variable, entries, frozen_
from .scene import Outcomes, Scene, tangent

NAME = "differences"
STEP = fmpq(1, 2**15)  # its square is what the two steps disagree by, EPS over it what rounding adds
TINY = fmpq(1, 2**60)

Evaluate = Callable[..., Estimate]


def evaluate(q: Gradient, scene: Scene, outcomes: Outcomes | None, walk: Evaluate) -> Estimate:
    """(B, M, n)."""
    variables = blocks(q.wrt, scene.world.parameters)
    scene.says(NAME)
    if not is_code(q.of):
        if outcomes is not None:
            raise Unsuitable("differences of a random formula: take its expectation first")
        return _formula(q, variables, scene)
    shifts = [(k, i, STEP * n) for k, v in enumerate(variables) for i in range(v.atoms.size) for n in (1, -1, 2, -2)]
    value = walk(
        Value(q.of),
        scene.at(stack([shifted(scene.points, variables[k], i, h) for k, i, h in shifts])),
        _repeat(outcomes, len(shifts)),
    )
    size = len(scene.points)
    y = value.map(lambda x: x.reshape(-1, 4, size, *x.shape[1:]))
    near, far = _slope(y, 0, STEP), _slope(y, 2, 2 * STEP)
    gap = np.abs(near.value - far.value)
    best = (4 * near.value - far.value) / 3
    return Estimate(tangent(variables, _last(best)), _last(gap + 2 * near.radius), Evidence.FLOAT)


def _slope(y: Estimate, at: int, h: Any) -> Estimate:
    up, down = y.map(lambda x: x[:, at]), y.map(lambda x: x[:, at + 1])
    return Estimate((up.value - down.value) / (2 * float(h)), (up.radius + down.radius) / (2 * float(h)))


def _last(x: Any) -> Any:
    """(P, B, M, 1) as (B, M, P)."""
    return np.moveaxis(x[..., 0], 0, -1)


def _repeat(outcomes: Outcomes | None, times: int) -> Outcomes | None:
    if outcomes is None:
        return None

    def tile(x: Any) -> Any:
        return x if x.shape[0] == 1 else np.concatenate([x] * times)

    return Outcomes({a: tile(x) for a, x in outcomes.columns.items()}, outcomes.weights.map(tile), outcomes.names, outcomes.exact)


def shifted(points: Points, variable: Variable, i: int, h: Any) -> Points:
    """The points with one entry of one variable moved."""
    moved = points.exact[variable.name].copy().reshape(len(points), -1)
    moved[:, i] = moved[:, i] + h
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
    """For each atom the slope of each formula."""
    run, inputs = compiled(held)
    here = [acb(ball(row[s])) for s in inputs]
    step = acb(0, arb(TINY))
    moved = ([x + step if s == atom else x for s, x in zip(inputs, here, strict=True)] for atom in atoms)
    return [[y.imag / TINY for y in run(ANALYTIC, there)] for there in moved]


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
    atoms = by_wrt(field, scene.world.parameters)
    variables = list(dict.fromkeys(a.home for a in atoms))
    if sum(v.atoms.size for v in variables) != len(atoms):
        raise ProblemError("Curl needs the gradient by whole variables.")
    points = scene.points.image()
    shifts = [(v, i, STEP * n) for v in variables for i in range(v.atoms.size) for n in (1, -1, 2, -2)]
    there = walk(field, scene.at(stack([shifted(points, v, i, h) for v, i, h in shifts])))
    y = there.map(lambda x: x[:, 0, :].reshape(-1, 4, len(points), x.shape[-1]))
    near, far = _slope(y, 0, STEP), _slope(y, 2, 2 * STEP)
    best, radius = (4 * near.value - far.value) / 3, np.abs(near.value - far.value) + 2 * near.radius
    turns = pairs(len(atoms))
    value = np.stack([best[j, :, i] - best[i, :, j] for i, j in turns], axis=-1)
    room = np.stack([radius[j, :, i] + radius[i, :, j] for i, j in turns], axis=-1)
    scene.says(NAME)
    return Estimate(value[:, None, :], room[:, None, :], Evidence.FLOAT)
