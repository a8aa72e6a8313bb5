"""A number that knows how well it is known."""
from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from .rings import EPS, ZERO, blur, divide, each, image

Floats = NDArray[np.float64]


class Evidence(IntEnum):
    """How a number is known, from strongest to weakest; arithmetic keeps the weakest."""

    EXACT = 0
    BALL = 1
    FLOAT = 2
    SAMPLED = 3

    @property
    def word(self) -> str:
        return ("exact", "certified ball", "float", "sampled")[self]


@dataclass(frozen=True, eq=False)
class Estimate:
    """Arrays of midpoints and radii, and the weakest evidence in them.

    `exact` holds the ring elements (rationals, logarithms of rationals, balls) while there are any: they, not their float
    images, are what exact arithmetic and exact comparison use.
    """

    value: Floats
    radius: Floats
    evidence: Evidence = Evidence.FLOAT
    exact: NDArray[Any] | None = None

    @staticmethod
    def of(entries: Any) -> Estimate:
        """Ring elements; exact where every one is."""
        entries = np.asarray(entries, dtype=object)
        evidence = Evidence.BALL if any(isinstance(x, arb) for x in entries.flat) else Evidence.EXACT
        return Estimate(each(image, entries).astype(float), each(blur, entries).astype(float), evidence, entries)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def __add__(self, other: Estimate) -> Estimate:
        return self._combine(other, np.add, lambda a, b: a.radius + b.radius)

    def __sub__(self, other: Estimate) -> Estimate:
        return self._combine(other, np.subtract, lambda a, b: a.radius + b.radius)

    def __mul__(self, other: Estimate) -> Estimate:
        return self._combine(other, np.multiply, lambda a, b: np.abs(a.value) * b.radius + a.radius * (np.abs(b.value) + b.radius))

    def __truediv__(self, other: Estimate) -> Estimate:
        def radius(a: Estimate, b: Estimate) -> Floats:
            room = np.abs(b.value) - b.radius
            return np.where(room > 0, (a.radius + np.abs(a.value / b.value) * b.radius) / np.where(room > 0, room, 1), np.inf)

        return self._combine(other, np.divide, radius)

    def _combine(self, other: Estimate, operation: Any, radius: Any) -> Estimate:
        if self.exact is not None and other.exact is not None:
            return Estimate.of(each(divide if operation is np.divide else operation, self.exact, other.exact))
        with np.errstate(all="ignore"):
            value = operation(self.value, other.value)
            return Estimate(value, radius(self, other) + EPS * np.abs(value), max(self.evidence, other.evidence))

    def map(self, function: Any) -> Estimate:
        """The same rearrangement (indexing, reshaping, broadcasting) of midpoints, radii and exact entries."""
        return Estimate(function(self.value), function(self.radius), self.evidence, None if self.exact is None else function(self.exact))


def weighted_sum(weights: Estimate, terms: Estimate, axis: int) -> Estimate:
    """Sum of weights times terms along an axis, where a term of weight zero counts for nothing, NaN included.

    numpy's sum over an axis that is not contiguous is not pairwise: M terms are charged M roundings.
    """
    if weights.exact is not None and terms.exact is not None:
        product = each(lambda w, x: ZERO if w == 0 else w * x, weights.exact, terms.exact)
        return Estimate.of(np.add.reduce(product, axis=axis))
    with np.errstate(all="ignore"):
        product = np.where(weights.value == 0, 0.0, weights.value * terms.value)
        size = np.abs(product).sum(axis)
        spread = np.where(weights.value == 0, weights.radius, np.abs(weights.value) * terms.radius + weights.radius * np.abs(terms.value))
        radius = spread.sum(axis) + product.shape[axis] * EPS * size
        return Estimate(product.sum(axis), radius, Evidence(max(weights.evidence, terms.evidence)))


def quadrature(coarse: Floats, fine: Floats, size: Floats, nodes: int) -> Estimate:
    """Two orders of one rule: the finer is the value, their distance and the rounding of the sum are the radius."""
    return Estimate(fine, np.abs(fine - coarse) + nodes * EPS * size, Evidence.FLOAT)

