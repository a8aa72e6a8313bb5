"""Finite draws: every outcome once, with its exact weight. The first witness for anything finite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from flint import fmpq

from ..errors import Unsuitable
from ..estimate import Estimate
from ..expressions import Program, floats, whole_law
from ..laws import Draw, Finite, randoms, with_parents
from ..points import Points
from ..rings import EXACT
from ..symbols import Symbols, by_name
from .scene import Outcomes, Scene

NAME = "listed"
LIMIT = 5000


def applies(draws: Sequence[Draw]) -> bool:
    return all(isinstance(d.law, Finite) for d in draws)


def outcomes(atoms: Sequence[Any], names: Mapping[str, Symbols], scene: Scene) -> Outcomes:
    """Every joint outcome of these draws and their parents."""
    draws = with_parents(atoms)
    if not applies(draws):
        raise Unsuitable("a continuous draw cannot be listed")
    total = math.prod(len(d.law.weights) for d in draws)
    if total > LIMIT:
        raise Unsuitable(
            f"{total} outcomes exceed the {LIMIT} that are listed: shorten the horizon or the batch, or write by='sampled'."
        )
    if scene.rough:
        return Outcomes(*_roughly(draws, scene.points), names)
    columns, weights, exact = _listed(tuple(draws), scene.points)
    scene.says(NAME)
    return Outcomes(columns, weights, names, exact)


def _every(sizes: Sequence[int]) -> Any:
    return np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), axis=1) if sizes else np.zeros((1, 0), dtype=int)


def _roughly(draws: Sequence[Draw], points: Points) -> tuple[dict[Any, Any], Estimate]:
    """The same in floats."""
    index = _every([len(d.law.weights) for d in draws])
    columns = {d.atoms[0]: index[:, k][None, :].astype(float) for k, d in enumerate(draws)}
    known = {a: x[:, None] for a, x in points.columns.items()} | columns
    weights = np.ones((len(points), len(index)))
    for k, draw in enumerate(draws):
        table = np.stack([np.broadcast_to(w, weights.shape) for w in floats(list(draw.law.weights), known)])
        weights *= table[index[:, k], :, np.arange(len(index))].T
    return columns, Estimate(weights, np.zeros(weights.shape))


@lru_cache(maxsize=32)
def _listed(draws: tuple[Draw, ...], points: Points) -> tuple[dict[Any, Any], Estimate, dict[Any, Any]]:
    """What each draw came out as, the weights, and the outcomes again as whole numbers: the two sides of a claim and its
    conditions ask for the same ones, and so does the claim for an answer."""
    sizes = [len(d.law.weights) for d in draws]
    total = math.prod(sizes)
    index = _every(sizes)
    rows = points.rows
    weights = np.full((len(rows), total), fmpq(1), dtype=object)
    position = {d.atoms[0]: k for k, d in enumerate(draws)}
    for k, draw in enumerate(draws):
        parents = [a for a in randoms(draw.law) if a in position]
        fixed = by_name(draw.law.free_symbols - set(parents))
        program = Program(list(draw.law.weights), [*fixed, *parents])
        combos, back = np.unique(index[:, [position[a] for a in parents]], axis=0, return_inverse=True)
        for b, row in enumerate(rows):
            table = np.empty((len(combos), sizes[k]), dtype=object)
            for c, combo in enumerate(combos):
                table[c] = program(EXACT, [*(row[s] for s in fixed), *(fmpq(int(j)) for j in combo)])
                whole_law(draw.atoms, table[c])
            weights[b] = weights[b] * table[back.ravel(), index[:, k]]
    keep = np.flatnonzero(np.frompyfunc(lambda w: w != 0, 1, 1)(weights).astype(bool).any(axis=0))
    columns = {d.atoms[0]: index[keep, k][None, :].astype(float) for k, d in enumerate(draws)}
    exact = {d.atoms[0]: index[keep, k] for k, d in enumerate(draws)}
    return columns, Estimate.of(weights[:, keep]), exact
