"""A number that knows how well it is known."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from .rings import EPS, TINY, blur, divide, each, image, weigh

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
        return self._combine(other, operator.add, lambda a, b: a.radius + b.radius)

    def __sub__(self, other: Estimate) -> Estimate:
        return self._combine(other, operator.sub, lambda a, b: a.radius + b.radius)

    def __mul__(self, other: Estimate) -> Estimate:
        def radius(a: Estimate, b: Estimate) -> Floats:
            return np.abs(a.value) * b.radius + a.radius * (np.abs(b.value) + b.radius)

        return self._combine(other, operator.mul, radius)

    def __truediv__(self, other: Estimate) -> Estimate:
        def radius(a: Estimate, b: Estimate) -> Floats:
            room = np.abs(b.value) - b.radius
            return np.where(room > 0, (a.radius + np.abs(a.value / b.value) * b.radius) / np.where(room > 0, room, 1), np.inf)

        found = self._combine(other, operator.truediv, radius, divide)
        # A divisor that may be zero need not be: the quotient is not known to be infinite, nor to be none.
        lost = (other.radius > 0) & (np.abs(other.value) <= other.radius) & ~np.isnan(self.value)
        return found if found.exact is not None else replace(found, value=np.where(lost, 0.0, found.value))

    def _combine(
        self, other: Estimate, operation: Any, radius: Callable[[Estimate, Estimate], Floats], exactly: Any = None
    ) -> Estimate:
        if self.exact is not None and other.exact is not None:
            return Estimate.of(each(exactly or operation, self.exact, other.exact))
        with np.errstate(all="ignore"):
            value = operation(self.value, other.value)
            return Estimate(value, _rounded(radius(self, other), np.abs(value)), max(self.evidence, other.evidence))

    def map(self, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Estimate:
        """The same rearrangement (indexing, reshaping, broadcasting) of midpoints, radii and exact entries."""
        exact = None if self.exact is None else function(self.exact)
        return Estimate(function(self.value), function(self.radius), self.evidence, exact)

    def where(self, here: NDArray[np.bool_], other: Estimate) -> Estimate:
        """These entries here, and the other's elsewhere."""
        exact = None if self.exact is None or other.exact is None else np.where(here, self.exact, other.exact)
        value, radius = np.where(here, self.value, other.value), np.where(here, self.radius, other.radius)
        return Estimate(value, radius, max(self.evidence, other.evidence), exact)


def _rounded(radius: Floats, size: Floats, roundings: int = 1) -> Floats:
    """The radius after so many roundings of sums of this size, its own rounding included."""
    return radius * (1 + 8 * EPS) + roundings * (EPS * size * (1 + 8 * EPS) + TINY)


def weighted_sum(weights: Estimate, terms: Estimate, axis: int) -> Estimate:
    """Sum of weights times terms along an axis, where a term of weight zero counts for nothing, NaN included.

    numpy's sum over an axis that is not contiguous is not pairwise: M terms are charged M roundings.
    """
    if weights.exact is not None and terms.exact is not None:
        return Estimate.of(np.add.reduce(each(weigh, weights.exact, terms.exact), axis=axis))
    products = weights * terms
    void = (weights.value == 0) & (weights.radius == 0)
    value, radius = np.where(void, 0.0, products.value), np.where(void, 0.0, products.radius)
    count = value.shape[axis]
    with np.errstate(all="ignore"):
        return Estimate(
            value.sum(axis), _rounded(radius.sum(axis) * (1 + count * EPS), np.abs(value).sum(axis), count), products.evidence
        )


AT_ONCE, SETTLED, SETTLING = 1e-13, 1e-12, 1e-6
LEAST = 1e-10
UNSETTLED = 4.0
GROWING = 0.25  # of all steps from rule to rule, the part that is the last one where they cut off a tail: it may be any tail
UNSURE = 0.1  # an integral that is known no better may be infinite: one that is moves with the reach of its rules
RULES = 6


def quadrature(rule: Callable[..., Floats], nodes: int, missed: Callable[[], Floats] | None = None) -> Estimate:
    """A rule at several orders: the second is the value; how far the others are from it, and the rounding, are the radius.

    Across a kink or a jump two orders may be near each other by chance and far from the truth. Where the first two are not
    within rounding, a third one decides; where it is near neither, the others are asked, at those points: more nodes, from
    other starts, of which some err as much as can be. Where these are within rounding of each other, the first ones were too
    coarse for what is narrow: no three starts err alike at a kink or jump. Else the radius is four times the spread of all,
    here and, in proportion, at every other point, where the nodes may have missed what is seen here. What grows from each rule
    to the next, as they reach farther, and does not slow down, is not known at all. What settled is not trusted beyond a
    hundred times the distance at which it did. What the second rule has `missed`, as outcomes at random
    show, all have, but where the last ones have added as much.
    """
    with np.errstate(all="ignore"):
        first, value = rule(0), rule(1)
        gap, scale = np.abs(value - first), 1 + np.abs(value)
        gone = np.zeros(value.shape) if missed is None else np.nan_to_num(np.abs(missed()), nan=0.0, posinf=0.0)
        sighted = gone <= LEAST * scale
        settled = (gap <= AT_ONCE * scale) & sighted
        radius = np.maximum(2 * gap, LEAST * scale)
        if not settled.all():
            third = rule(2)
            near = np.minimum(np.abs(third - value), np.abs(third - first))
            settled |= (gap <= SETTLING * scale) & (near <= SETTLED * scale) & sighted
            if not settled.all():
                hard = np.flatnonzero(~settled.all(axis=tuple(range(1, settled.ndim))))  # the points that are asked again
                fine = np.stack([value] * (RULES - 3))
                fine[:, hard] = [rule(n, hard) for n in range(3, RULES)]
                every = np.stack([first, value, third, *fine])
                apart, spread = np.ptp(fine, axis=0), np.ptp(every, axis=0)
                narrow = ~settled & (apart <= SETTLED * scale) & (sighted | (np.abs(fine[0] - value) > gone / UNSETTLED))
                steps = np.diff(every, axis=0)
                one_way = (steps > 0).all(axis=0) | (steps < 0).all(axis=0)
                grows = one_way & (np.abs(steps[-1]) > GROWING * spread)
                value = np.where(narrow, fine[0], value)
                radius = np.where(settled, radius, np.where(narrow, LEAST * scale, UNSETTLED * np.maximum(spread, gone)))
                part = radius / scale
                elsewhere = np.where(settled | ~np.isfinite(part), 0.0, part).max(axis=0, initial=0.0)
                radius = np.maximum(radius, elsewhere * scale)
                radius = np.where(grows & (spread > UNSURE * scale), np.inf, radius)
        return Estimate(value, radius + nodes * EPS * np.maximum(1.0, np.abs(value)), Evidence.FLOAT)
