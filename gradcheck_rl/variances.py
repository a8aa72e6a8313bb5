"""How the variance of a mean falls with the number of data: sampled, and exact with the band in which the samples should lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .estimate import Floats
from .evaluators.sampled import ancestral
from .expectation import E
from .expressions import floats
from .laws import randoms, with_parents
from .points import Point, generator, given
from .problem import Problem

BLOCK = 1 << 16  # terms at a time: what is worked out of them stays in the cache
OUTSIDE = 0.05  # the share of sampled variances that are expected outside the band

Curve = dict[str, list[float]]


def variance_of_means(
    problem: Problem, seed: int, terms: Mapping[str, Any], at: Point, sizes: Sequence[int], runs: int
) -> dict[str, Curve]:
    """For each random term, at a point: the variance of the mean of so many copies, over so many runs."""
    columns = given(problem.bound.variables, at, list(at.values)).columns
    found: dict[str, Curve] = {}
    for name, term in terms.items():
        mean, square, fourth = (float(np.squeeze(v)) for v in floats([E(term), E(term**2), E((term - E(term)) ** 4)], columns))
        variance = square - mean**2
        sampled = sample_variances(term, columns, sizes, runs, generator(seed, problem.name, name))
        size = np.asarray(sizes)
        freedom = degrees(fourth / variance**2, size, runs)
        low, high = chi_squared(freedom)
        exact = variance / size
        found[name] = _plain(size=size, sampled=sampled, exact=exact, low=exact * low, high=exact * high, freedom=freedom)
    return found


def ratio_of_variances(top: Curve, bottom: Curve) -> Curve:
    """Of two independent studies at the same sizes."""
    from scipy.special import fdtri

    a, b = ({k: np.asarray(v) for k, v in curve.items()} for curve in (top, bottom))
    exact = a["exact"] / b["exact"]
    low, high = (exact * fdtri(a["freedom"], b["freedom"], tail) for tail in (OUTSIDE / 2, 1 - OUTSIDE / 2))
    return _plain(size=a["size"], sampled=a["sampled"] / b["sampled"], exact=exact, low=low, high=high)


def sample_variances(
    term: Any, columns: Mapping[Any, Floats], sizes: Sequence[int], runs: int, rng: np.random.Generator
) -> Floats:
    """The unbiased variance over the runs of the mean of the first n terms, for each n: one draw serves every size."""
    size = np.asarray(sizes)
    top, starts = int(size[-1]), np.concatenate([[0], size[:-1]])
    draws = with_parents(randoms(term))
    sums = np.empty((runs, len(size)))
    rows = max(1, BLOCK // top)
    for first in range(0, runs, rows):
        some = min(rows, runs - first)
        drawn = ancestral(draws, dict(columns), some * top, rng)
        x = np.reshape(floats([term], {**columns, **drawn})[0], (some, top))
        np.add.reduceat(x, starts, axis=1, out=sums[first : first + some])
    return (sums.cumsum(axis=1) / size).var(axis=0, ddof=1)


def degrees(kurtosis: float, size: Floats, runs: int) -> Floats:
    """Of freedom: those of the chi-squared law whose relative variance is that of a sample variance of R means,
    2 / (R - 1) + (kurtosis - 3) / (n R)."""
    return 2 / (2 / (runs - 1) + (kurtosis - 3) / (size * runs))


def chi_squared(freedom: Floats) -> tuple[Floats, Floats]:
    """Where a chi-squared number over its degrees lies but for OUTSIDE."""
    from scipy.special import chdtri

    return chdtri(freedom, 1 - OUTSIDE / 2) / freedom, chdtri(freedom, OUTSIDE / 2) / freedom


def _plain(**arrays: Any) -> Curve:
    return {name: np.asarray(x).tolist() for name, x in arrays.items()}
