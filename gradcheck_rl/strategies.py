"""Hypothesis strategies from the spaces of a problem: the same exact values, shrunk towards the simple ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .bundles import Rows
from .errors import InputError
from .laws import Draw, Finite
from .own import drawn, is_space
from .points import Points
from .problem import Problem
from .rings import log_of, rational
from .spaces import Integers, LogRational, Masks, Normal, OneOf, Shape, Simplex, Space, Uniform, filled
from .symbols import as_shape

PLACES = (1, 2, 10, 1000)
SPREADS = 4


def points(problem: Problem) -> SearchStrategy[Points]:
    """A joint point: one value from its space for every variable of the problem."""
    if not isinstance(problem, Problem):
        raise InputError(f"points takes a problem, not {problem!r}: write points(load('problem1')), or the page's problem.")
    variables = problem.bound.variables
    values = {name: from_space(v.over, v.shape).map(lambda x: x[None]) for name, v in variables.items()}
    return st.fixed_dictionaries(values).map(lambda drawn: Points(variables, {name: drawn[name] for name in variables}, 1))


def rows(*draws: Draw, most: int = 4) -> SearchStrategy[Rows]:
    """Data as on a page: up to `most` rows with an outcome for each of these finite draws."""
    if not draws:
        raise InputError("rows needs a draw: write rows(action), or several.")
    if not (isinstance(most, int) and most >= 1):
        raise InputError(f"most={most!r} was written; how many rows was expected, 1 or more.")
    row = st.tuples(*(st.sampled_from(_possible(d)) for d in draws))
    return st.lists(row, min_size=1, max_size=most).map(
        lambda found: Rows(**{d.name: column for d, column in zip(draws, zip(*found, strict=True), strict=True)})
    )


def masks(shape: int | Sequence[int]) -> SearchStrategy[Any]:
    """0s and 1s with at least one 1 in each row, 1s first."""
    return from_space(Masks(), shape)


def policies(shape: int | Sequence[int]) -> SearchStrategy[Any]:
    """Rows of positive probabilities, even ones first."""
    return from_space(Simplex(), shape)


def from_space(space: Space, shape: int | Sequence[int] = ()) -> SearchStrategy[Any]:
    """Arrays of exact numbers that the space holds, simple ones first."""
    shape = as_shape(shape)
    if not is_space(space):
        raise InputError(f"{space!r} is no space: write Normal(), or another one.")
    if isinstance(space, (Masks, Simplex)) and shape == ():
        raise InputError(f"{space} needs an axis to run along: give it a shape, as 3 or (2, 3).")
    match space:
        case Normal(scale=scale):
            return _array(_decimals(-SPREADS * scale, SPREADS * scale).filter(bool), shape)
        case Uniform(low=low, high=high):
            return _array(_decimals(low, high), shape)
        case Integers(low=low, high=high):
            return _array(st.integers(low, high).map(rational), shape)
        case LogRational(top=top):
            return _array(
                st.tuples(st.integers(1, top), st.integers(1, top)).map(lambda pq: log_of(rational(pq[0]) / pq[1])), shape
            )
        case Masks():
            return _by_rows(_mask(shape[-1]), shape)
        case Simplex():
            return _by_rows(_probabilities(shape[-1]), shape)
        case OneOf() if space.numbers is not None:
            return _array(st.sampled_from(space.numbers), shape)
        case OneOf():
            return st.sampled_from(list(space.arrays(shape))).map(np.copy)
        case _:
            return st.integers(0, 2**32 - 1).map(lambda seed: drawn(space, np.random.default_rng(seed), shape))


def _decimals(low: float, high: float) -> SearchStrategy[Any]:
    """Whole numbers, halves, tenths, thousandths between the bounds, or finer where they are close; 0 alone is no choice."""
    least, most = rational(low), rational(high)
    finest = 10 ** max(3, 2 - math.floor(math.log10(high - low)))
    grids = [(n, int((least * n).ceil()), int((most * n).floor())) for n in sorted({*PLACES, finest})]
    return st.one_of(*(st.integers(a, b).map(lambda k, n=n: rational(k) / n) for n, a, b in grids if a <= b and (a, b) != (0, 0)))


def _mask(n: int) -> SearchStrategy[list[Any]]:
    forbidden, kept = st.lists(st.booleans(), min_size=n, max_size=n), st.integers(0, n - 1)
    return st.tuples(forbidden, kept).map(lambda x: [rational(int(i == x[1] or not f)) for i, f in enumerate(x[0])])


def _probabilities(n: int) -> SearchStrategy[list[Any]]:
    parts = Simplex.parts(n)
    cuts = st.lists(st.integers(1, parts - 1), min_size=n - 1, max_size=n - 1, unique=True).map(sorted)
    uneven = cuts.map(lambda c: [rational(b - a) / parts for a, b in zip([0, *c], [*c, parts], strict=True)])
    return st.one_of(st.just([rational(1) / n] * n), uneven)


def _array(entry: SearchStrategy[Any], shape: Shape) -> SearchStrategy[Any]:
    size = math.prod(shape)
    return st.lists(entry, min_size=size, max_size=size).map(lambda found: filled(found, shape))


def _by_rows(row: SearchStrategy[list[Any]], shape: Shape) -> SearchStrategy[Any]:
    size = math.prod(shape[:-1])
    return st.lists(row, min_size=size, max_size=size).map(lambda found: filled(itertools.chain(*found), shape))


def _possible(draw: Draw) -> list[int]:
    """The outcomes that are not known to have no chance."""
    if not isinstance(draw, Draw):
        raise InputError(f"rows takes draws, not {draw!r}: write rows(action), where action = Draw('action', Categorical(...)).")
    if not isinstance(draw.law, Finite):
        raise InputError(f"`{draw.name}` is a continuous draw; rows are outcomes of finite draws: name one of those.")
    return [k for k, weight in enumerate(draw.law.weights) if weight != 0]
