"""Nodes and weights: of a standard normal coordinate, of a range, and of the whole line, by rules that err in unlike ways."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .estimate import Floats

# How far the nodes of each rule reach, in deviations of one normal coordinate, and of several: a tail that all of them cut off
# alike would not be seen to be missing. Up to SMOOTH one piece is as long as its nodes are good for.
REACHES = ((9, 10, 11, 13, 16, 20), (9, 10, 11, 12, 14, 16))
SMOOTH = 10
SIGHT = 24  # of equal steps on the whole line
EVEN = {1: (SIGHT, 22), 2: (32, 30)}  # how far, and the least steps in one unit
WIDE = {0: (4.0, 100), 3: (4.2, 110), 4: (4.4, 120), 5: (4.6, 130)}  # the same in t
ENDS = (3.1, 3.2, 3.15, 3.05, 3.12, 3.18)  # of tanh-sinh, for the same reason: it sees no more of 1 / sqrt(x) than they let it

# How many nodes of each rule are cheap, at all points together. The second rule is the value; the others tell how far off it
# is, and see what is narrow: the last ones how much of it the first has only touched.
CHEAP = (1 << 17, 0, 1 << 16, 1 << 17, 1 << 17, 1 << 17)
CHEAP_FOR_CODE = (1 << 15, 0, 1 << 13, 1 << 15, 1 << 15, 1 << 15)
SPARING = 1 << 13  # of code that is called for one of them at a time

# Where the nodes of each rule start in each coordinate, in steps. Rules that err alike do not see that they err: across a jump
# along any line or plane with small whole numbers as its normal, some two of these start far from each other.
STARTS = (
    (0.37, 0.21, 0.83),
    (0.00, 0.00, 0.00),
    (0.81, 0.28, 0.58),
    (0.47, 0.90, 0.35),
    (0.03, 0.31, 0.61),
    (0.80, 0.91, 0.56),
)
CENTRED, ASIDE = 1, 5  # the rule with a node at the centre of each draw, and one that is as fine and has none

# Outcomes at random, beside the nodes of the second rule: they see what is too narrow for every rule. How many, at all points
# together, of formulas and of code, and of what is no cheap formula at one of them.
SCATTERED = 6
STRAY, STRAY_FOR_CODE, STRAY_IN_NESTS = 1 << 16, 1 << 14, 1 << 8


class Rule(NamedTuple):
    """Which of the rules, for how many normal coordinates together, and how many nodes in each are cheap."""

    order: int
    normal: int = 1
    cheap: int = 0

    @property
    def reach(self) -> int:
        return REACHES[self.normal > 1][self.order]

    def steps(self, least: int, reach: float) -> int:
        """Steps in one unit."""
        return max(least, int(self.cheap / (2 * reach)))

    def start(self, coordinate: int) -> float:
        more, column = divmod(coordinate, 3)
        return (STARTS[self.order][column] + 0.618 * more * (self.order - 1)) % 1

    def offset(self, coordinate: int) -> float:
        """The start from -1/2 to 1/2."""
        return (self.start(coordinate) + 0.5) % 1 - 0.5


def affordable(outer: Sequence[Any], nodes: int) -> float:
    """So many nodes at all points together, for each."""
    return nodes / max(1, math.prod(np.broadcast_shapes(*map(np.shape, outer))))


@lru_cache(maxsize=32)
def trapezoid(rule: Rule, coordinate: int) -> tuple[Floats, Floats]:
    """Equal steps: exponentially accurate for analytic integrands. One coordinate affords twice the steps: tanh of a wide normal
    has poles near the line."""
    reach = rule.reach
    steps = rule.steps((4 if rule.order else 3) * (2 if rule.normal == 1 else 1), reach)
    z = (np.arange(-reach * steps, reach * steps + 1) + rule.start(coordinate)) / steps
    return z, np.exp(-z * z / 2) / math.sqrt(2 * math.pi) / steps


@lru_cache
def hermite(rule: Rule, coordinate: int) -> tuple[Floats, Floats]:
    """Nodes moved by less than half of their distance, with the weight that this takes: as accurate where it is smooth."""
    t, w = np.polynomial.hermite_e.hermegauss((12, 16, 18, 20, 22, 24)[rule.order])
    by = 0.6 * rule.offset(coordinate)
    return t + by, w / w.sum() * np.exp(-by * t - by * by / 2)


@lru_cache(maxsize=32)
def tanh_sinh(rule: Rule, coordinate: int) -> tuple[Floats, Floats]:
    """On (-1, 1), for integrands with any behaviour at the ends."""
    end = ENDS[rule.order]
    steps = rule.steps((14, 20, 24, 26, 28, 30)[rule.order], end)
    t = (np.arange(-end * steps, end * steps + 0.5) + rule.start(coordinate)) / steps
    x = np.tanh(math.pi / 2 * np.sinh(t))
    return x, math.pi / 2 * np.cosh(t) / np.cosh(math.pi / 2 * np.sinh(t)) ** 2 / steps


@lru_cache(maxsize=32)
def line(rule: Rule) -> tuple[Floats, Floats]:
    """On the whole line: equal steps within sight by two rules, and by the others x = sinh(pi/2 sinh t), which has all sizes."""
    even = rule.order in EVEN
    reach, least = (EVEN if even else WIDE)[rule.order]
    steps = rule.steps(least, reach)
    t = (np.arange(-reach * steps, reach * steps + 0.5) + rule.start(0)) / steps
    if even:
        return t, np.full(t.shape, 1 / steps)
    s = math.pi / 2 * np.sinh(t)
    return np.sinh(s), np.cosh(s) * math.pi / 2 * np.cosh(t) / steps


@lru_cache
def legendre(rule: Rule, coordinate: int) -> tuple[Floats, Floats]:
    """On (-1, 1), bent a little, so that no rule is symmetric but the second. For the last coordinate of several; one that is
    alone affords twice the nodes: ten deviations need them."""
    t, w = np.polynomial.legendre.leggauss((20, 28, 32, 36, 40, 44)[rule.order] * (2 if rule.normal == 1 else 1))
    bend = 0.2 * rule.offset(coordinate)
    return t + bend * (1 - t * t) / 2, w * (1 - bend * t)


def standard_nodes(centre: Any, scale: Any, breaks: Sequence[Any], rule: Rule, coordinate: int) -> tuple[Any, Any]:
    """Of a standard normal coordinate, cut where one of this mean and deviation breaks."""
    last, alone = coordinate == rule.normal - 1, rule.normal == 1
    if not breaks:
        z, w = trapezoid(rule, coordinate) if rule.normal <= 2 else hermite(rule, coordinate)
    else:
        with np.errstate(all="ignore"):
            far = [-SMOOTH, SMOOTH] if rule.reach > 11 else []
            a, b = pieces(-rule.reach, rule.reach, [*((at - centre) / scale for at in breaks), *far])
        part = rule._replace(cheap=rule.cheap // (len(breaks) + 1))
        t, w = tanh_sinh(part, coordinate) if not last or (alone and rule.order == 0) else legendre(part, coordinate)
        z = (a + b) / 2 + (b - a) / 2 * t
        w = (b - a) / 2 * w * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        z, w = (v.reshape(*v.shape[:-2], -1) for v in (z, w))
    return z, w


class Stray(NamedTuple):
    """Standard normal outcomes at random, (coordinates, *shape, count), all on the axis of the first of their coordinates."""

    outcomes: Floats
    axis: int = 0

    @staticmethod
    def drawn(coordinates: int, shape: tuple[int, ...], count: int) -> Stray:
        return Stray(np.random.default_rng(0).standard_normal((coordinates, *shape, count)))

    def nodes(self, coordinate: int, axes: int) -> tuple[Floats, Any]:
        """With one more axis than so many, and weights."""
        x = self.outcomes[coordinate]
        shape = *x.shape[:-1], *(1 for _ in range(self.axis)), x.shape[-1], *(1 for _ in range(axes - self.axis))
        return x.reshape(shape), 1.0 if coordinate else 1 / x.shape[-1]


def pieces(low: Any, high: Any, breaks: Sequence[Any]) -> tuple[Any, Any]:
    """Where the pieces of a range begin and end that is cut at these places, if they are in it."""
    with np.errstate(invalid="ignore"):
        inner = [np.clip(np.nan_to_num(b, nan=np.inf, posinf=np.inf), low, high) for b in breaks]
    edges = np.sort(np.stack(np.broadcast_arrays(low, *inner, high), axis=-1), axis=-1)
    return edges[..., :-1, None], edges[..., 1:, None]
