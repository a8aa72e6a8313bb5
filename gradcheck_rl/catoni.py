"""How a Monte Carlo mean is decided: an interval that holds for every law with the stated variance, at every number of draws.

Write psi(x) = x - x^3/6, constant beyond |x| = sqrt 2. Then -log(1 - x + x^2/2) <= psi(x) <= log(1 + x + x^2/2), so if X has
mean m and variance at most v, and lam is fixed before the draws,

    E exp(+-psi(lam (X - m))) <= 1 + lam^2 v / 2,
    P( |sum psi(lam (X_i - m))| >= n log(1 + lam^2 v / 2) + log(2 / a) ) <= a        (Markov, both signs).

The sum falls as m grows, so the m it does not reject form an interval (Catoni 2012; Catoni and Giulini 2017). No normal
limit, no bound on X, no third moment: a z interval at 1e-6 is wrong 600 times too often for a reward of probability 1e-4.

On most draws psi is a cubic: its sum is a function of power sums, and shards merge by addition. Only draws beyond a cut are
kept one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

EDGE = math.sqrt(2.0)
TOP = 2 * EDGE / 3  # psi(EDGE)
ROUNDING = 64 * float(np.finfo(np.float64).eps)
LOOKS = 4
BLOCK = 1 << 15  # numbers at a time: three such arrays stay in the cache
MANTISSA = 52


def psi(x: ArrayLike) -> Floats:
    """The influence of one draw: x - x^3/6, constant beyond sqrt 2."""
    y = np.clip(np.asarray(x, dtype=np.float64), -EDGE, EDGE)
    return y - y * y * y / 6


@dataclass(frozen=True)
class Outliers:
    """Draws beyond the cut. Of every deviation the lowest `lost` bits are dropped; it lies between `ends()`."""

    coordinate: NDArray[np.intp]
    deviation: Floats
    count: Floats
    lost: int = 0

    @classmethod
    def none(cls) -> Outliers:
        return cls(np.zeros(0, np.intp), np.zeros(0), np.zeros(0))

    def ends(self) -> tuple[Floats, Floats]:
        outer = (self.deviation.view(np.int64) | ((1 << self.lost) - 1)).view(np.float64)
        negative = np.signbit(self.deviation)
        return np.where(negative, outer, self.deviation), np.where(negative, self.deviation, outer)

    def joined(self, other: Outliers, room: int) -> Outliers:
        """Both lists. More than `room` different entries: the bits that must go, so that no order of joining matters."""
        lost = max(self.lost, other.lost)
        coordinate = np.concatenate((self.coordinate, other.coordinate))
        deviation = np.concatenate((self.deviation, other.deviation))
        both = Outliers(coordinate, deviation, np.concatenate((self.count, other.count)))._rounded(lost)
        if len(coordinate) <= room:
            return both
        both = both._gathered()
        while len(both.coordinate) > room and both.lost < MANTISSA:
            both = both._rounded(both.lost + 4)._gathered()
        return both

    def _rounded(self, lost: int) -> Outliers:
        kept = (self.deviation.view(np.int64) & -(1 << lost)).view(np.float64)
        return replace(self, deviation=kept, lost=lost)

    def _gathered(self) -> Outliers:
        order = np.lexsort((self.deviation, self.coordinate))
        coordinate, deviation = self.coordinate[order], self.deviation[order]
        new = np.ones(len(order), np.bool_)
        new[1:] = (np.diff(coordinate) != 0) | (np.diff(deviation) != 0)
        count = np.add.reduceat(self.count[order], np.flatnonzero(new))
        return Outliers(coordinate[new], deviation[new], count, self.lost)


@dataclass(frozen=True)
class Tally:
    """All that is kept of the draws of K numbers: sums of powers of their deviations from `centre`, and the outliers.

    `a + b` is the tally of both sets of draws. A law with the stated variance and kurtosis k has on average at most
    max(400, 40 k) outliers in a coordinate. At most 65536 + 256 K different ones are kept: beyond, their lowest bits are
    dropped, and every result uses the end of the gap that makes it wider. (The last step is one entry for each octave.)
    """

    centre: Floats
    variance: Floats
    cut: Floats
    draws: int
    powers: Floats  # of the deviations within the cut: sums of u^0, u, u^2, u^3, u^4, u^6
    lowest: Floats
    highest: Floats
    outliers: Outliers

    @classmethod
    def empty(cls, centre: ArrayLike, variance: ArrayLike, planned: int) -> Tally:
        """No draws yet. The guess of the mean, the guess of the variance and the planned number fix what counts as an outlier,
        and the lam of `interval`: none of them may come from the same draws."""
        middle = np.atleast_1d(np.asarray(centre, dtype=np.float64))
        spread = _per_coordinate(variance, len(middle), "variance")
        # sqrt(n)/20 leaves lam alone even at a quarter of the draws, n^(1/4)/2.5 does it for the squares. A constant
        # coordinate, and one that never resolves, need no outliers.
        cut = np.sqrt(spread) * min(planned**0.5 / 20, planned**0.25 / 2.5)
        cut = np.where(np.isfinite(cut) & (cut > 0), cut, np.inf)
        zero = np.zeros(len(middle))
        return cls(middle, spread, cut, 0, np.zeros((6, len(middle))), zero, zero, Outliers.none())

    def add(self, x: ArrayLike, counts: ArrayLike | None = None) -> Tally:
        """The tally with these draws too: x is (n, K); `counts` says how often each row was drawn."""
        rows = np.asarray(x, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.centre):
            raise ValueError(f"The draws have shape {rows.shape}; expected (n, {len(self.centre)}): one row for each draw.")
        if counts is None:
            weights = np.ones(len(rows))
        else:
            given = np.asarray(counts, dtype=np.float64)
            if given.shape != (len(rows),) or not ((given >= 0) & (given == np.floor(given))).all():
                raise ValueError(f"`counts` must be {len(rows)} whole numbers, none negative: how often each row was drawn.")
            rows, weights = rows[given > 0], given[given > 0]
        step = max(64, BLOCK // len(self.centre))
        start = self.emptied()
        blocks = [start._block(rows[i : i + step], weights[i : i + step]) for i in range(0, len(rows), step)]
        return sum(blocks, self)

    def emptied(self) -> Tally:
        """Without draws, from the same guesses: what other draws are added to, to be added to this."""
        zero = np.zeros_like(self.centre)
        return replace(self, draws=0, powers=np.zeros_like(self.powers), lowest=zero, highest=zero, outliers=Outliers.none())

    def _block(self, rows: Floats, weights: Floats) -> Tally:
        u = np.asfortranarray(rows - self.centre)
        lowest, highest = np.minimum(self.lowest, u.min(axis=0)), np.maximum(self.highest, u.max(axis=0))
        if not (np.isfinite(lowest) & np.isfinite(highest)).all():
            u = np.where(np.isfinite(u), u, 0.0)  # the extremes remember it
        total, outliers = np.full(len(self.centre), weights.sum()), Outliers.none()
        if ((lowest < -self.cut) | (highest > self.cut)).any():
            row, column = np.nonzero(np.abs(u) > self.cut)
            outliers = Outliers(column, u[row, column], weights[row])
            total = total - np.bincount(column, weights[row], len(total))
            u[row, column] = 0.0
        with np.errstate(over="ignore"):  # only where the variance is infinite, so that there is no cut
            square = u * u
            cube = square * u
            powers = np.stack((total, *(_weighted(weights, x) for x in (u, square, cube, square * square, cube * cube))))
        return replace(self, draws=int(weights.sum()), powers=powers, lowest=lowest, highest=highest, outliers=outliers)

    def __add__(self, other: Tally) -> Tally:
        if not (_same(self.centre, other.centre) and _same(self.variance, other.variance) and _same(self.cut, other.cut)):
            raise ValueError("These tallies differ in centre, variance or planned draws: start both from one `Tally.empty`.")
        return replace(
            self,
            draws=self.draws + other.draws,
            powers=self.powers + other.powers,
            lowest=np.minimum(self.lowest, other.lowest),
            highest=np.maximum(self.highest, other.highest),
            outliers=self.outliers.joined(other.outliers, (1 << 16) + 256 * len(self.centre)),
        )

    @property
    def finite(self) -> NDArray[np.bool_]:
        """Whether every draw of a coordinate was finite."""
        return np.isfinite(self.lowest) & np.isfinite(self.highest)

    @property
    def furthest(self) -> Floats:
        """The largest deviation seen, with its sign."""
        return np.where(-self.lowest > self.highest, self.lowest, self.highest)


@dataclass(frozen=True)
class Look:
    """A moment to decide: after how many draws, and the alpha spent on it."""

    draws: int
    alpha: float


def draws_needed(variance: ArrayLike, margin: ArrayLike, alpha: float) -> int:
    """How many draws make the radius of `interval` at most the margin, unless they show nearly twice the stated variance.

    A bias of twice the margin is then outside the interval, except with probability alpha.
    """
    spread, width = np.broadcast_arrays(np.atleast_1d(np.asarray(variance, float)), np.asarray(margin, float))
    if not np.isfinite(spread).all() or not (width > 0).all():
        raise ValueError("Only finite variances and positive margins can be planned for: leave the other coordinates out.")
    ratio, cost = float(np.max(spread / width**2)), _cost(alpha, 2 * len(spread))

    def wide(n: int) -> bool:
        # The last factor is the slope of psi: 1 - lam^2 (variance + radius^2) / 2 on average, with variance to spare.
        return math.sqrt(ratio) * (n * math.log1p(cost / n) + cost) > math.sqrt(2 * cost * n) * (1 - 2 * cost / n)

    if ratio == 0:
        return 1
    low = high = math.ceil(5 * cost)
    while wide(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if wide(middle) else (low, middle)
    return high


def looks_at(draws: int, alpha: float) -> tuple[Look, ...]:
    """Looks at n/64, n/16, n/4 and n draws. The chance that the interval of any of them misses the mean is at most alpha."""
    return tuple(Look(n, alpha / LOOKS) for n in sorted({-(-draws // 4**k) for k in range(LOOKS)}))


def interval(tally: Tally, variance: ArrayLike, alpha: float) -> tuple[Floats, Floats]:
    """Midpoint and radius, such that P(the interval misses the mean in any coordinate) <= alpha, for any law whose variance is
    at most `variance` in each coordinate, at any number of draws fixed beforehand.

    Each end of each coordinate has alpha / 2K (the inequality is the module's). `variance` may come from the draws, at the
    price of the alpha of its own bound: only lam must not, and it is the tally's. A variance of 0 is a point: the draw that
    deviates most. A variance, or a guess of it, that is not finite has an infinite radius, and so has a guess of 0 that is
    not the variance; a draw that is not finite has a midpoint that is not a number.
    """
    bound = _per_coordinate(variance, len(tally.centre), "variance")
    n, cost = tally.draws, _cost(alpha, 2 * len(bound))
    known = np.isfinite(bound) & np.isfinite(tally.variance) & (tally.variance > 0) & tally.finite & (n > 0)
    cut, spread = np.where(known, tally.cut, 1.0), np.where(known, tally.variance, 1.0)
    lam = np.minimum(np.sqrt(2 * cost / (max(n, 1) * spread)), EDGE / (2.5 * cut))
    limit = n * np.log1p(lam * lam * np.where(known, bound, 0.0) / 2) + cost
    known &= limit < n * TOP
    low, high = -_upper_end(tally, lam, limit, cut, -1), _upper_end(tally, lam, limit, cut, +1)  # read where known
    mean = (tally.powers[1] + _outlier_sum(tally, tally.outliers.deviation)) / max(n, 1)
    cases = [~tally.finite, (bound == 0) & (n > 0), known]
    middle = np.select(cases, [np.full_like(mean, np.nan), tally.furthest, (low + high) / 2], mean)
    radius = np.select(cases, [np.inf, 0.0, (high - low) / 2], np.inf)
    return tally.centre + middle, radius + _rounding(tally)


def variance_from_kurtosis(tally: Tally, kurtosis: ArrayLike, alpha: float) -> Floats:
    """Upper bounds of the variances; P(any of them is too low) <= alpha if no kurtosis (about the mean) is above `kurtosis`.

    With u the deviation from the centre, E u^4 <= (1 + sqrt(kurtosis))^2 (E u^2)^2 wherever the mean is (Minkowski, then Cauchy
    and Schwarz), and a mean of non-negative z falls below E z - sqrt(2 E z^2 log(1/a) / n) with probability at most a. The
    bound is one of E u^2, never less than the variance.
    """
    cap = (1 + np.sqrt(_kurtosis(tally, kurtosis))) ** 2
    squares = tally.powers[2] + _outlier_sum(tally, _squares(tally)[1])
    lost = np.sqrt(2 * cap * _cost(alpha, len(cap)) / max(tally.draws, 1))
    known = (lost < 1) & tally.finite & (tally.draws > 0)
    return np.where(known, squares / max(tally.draws, 1) / np.where(known, 1 - lost, 1.0), np.inf)


def departs(
    tally: Tally, variance: ArrayLike, kurtosis: ArrayLike, alpha: float, least: ArrayLike | None = None
) -> NDArray[np.bool_]:
    """Whether a coordinate has another mean square about the centre than `variance`; P(any, for the declared law) <= alpha.

    The declared law has the centre as its mean, this variance (or, where it is known roughly, one from `least` to it), and at
    most this kurtosis: its squares then have variance at most (kurtosis - 1) variance^2, and the module's inequality holds for
    them in both tails. psi hides how far the furthest draw is: by Markov, the largest fourth power of n draws is beyond
    n E u^4 / a with probability at most a. Where the mean is not the centre, a departure may be the bias: `interval` with
    `variance_from_kurtosis` tells. An infinite kurtosis, like an infinite variance, never departs.
    """
    declared, cap = _per_coordinate(variance, len(tally.centre), "variance"), _kurtosis(tally, kurtosis)
    n, cost = tally.draws, _cost(alpha / 2, 2 * len(declared))
    known = np.isfinite(declared) & np.isfinite(cap) & np.isfinite(tally.cut) & (declared > 0)
    v, cut = np.where(known, declared, 1.0), np.where(known, tally.cut, 0.0)
    excess = np.maximum(np.where(known, cap, 1.0) - 1, ROUNDING)
    lam = np.minimum(np.sqrt(2 * cost / (max(n, 1) * excess)) / v, EDGE / np.maximum(v, cut * cut))
    limit = n * np.log1p((lam * v) ** 2 * excess / 2) + cost
    lower = v if least is None else np.minimum(_per_coordinate(least, len(declared), "least"), v)
    smallest, largest = _squares(tally)

    def beyond(middle: Floats, squares: Floats) -> Floats:
        who = tally.outliers.coordinate
        bulk = _cubic_sum(tally.powers[[0, 2, 4, 5]], lam, middle)
        return bulk + _outlier_sum(tally, psi(lam[who] * (squares - middle[who])))

    more, less = beyond(v, smallest) >= limit, beyond(lower, largest) <= -limit
    far = np.abs(tally.furthest) > np.sqrt(v) * (np.where(known, cap, 1.0) * max(n, 1) * 2 * len(v) / alpha) ** 0.25
    moved = (declared == 0) & (np.abs(tally.furthest) > _rounding(tally))
    return (known & (more | less | far)) | moved | ~tally.finite


def _upper_end(tally: Tally, lam: Floats, limit: Floats, cut: Floats, sign: int) -> Floats:
    """The deviation above which all means of sign * X are rejected: bisection on a function never below the sum of psi."""
    turn = np.array([1.0, sign, 1.0, sign])[:, None]
    powers, who = tally.powers[:4] * turn, tally.outliers.coordinate
    low, high = tally.outliers.ends()
    far = high if sign > 0 else -low
    left, top = (tally.lowest, tally.highest) if sign > 0 else (-tally.highest, -tally.lowest)
    left, top = np.where(tally.finite, left, 0.0), np.where(tally.finite, top, 0.0)
    right = 2 * np.maximum(top, cut) + EDGE / lam  # an outlier's gap is within an octave
    reach = EDGE / lam - cut  # psi is the cubic at every draw within the cut, for means this near
    left, right = np.arcsinh(left / cut), np.arcsinh(right / cut)  # a single draw may be beyond all halving
    for _ in range(64):
        m = cut * np.sinh((left + right) / 2)
        ceiling = powers[0] * psi(lam * (cut - m))
        bulk = np.where(m < -reach, ceiling, np.minimum(ceiling, _cubic_sum(powers, lam, np.clip(m, -reach, reach))))
        rejected = bulk + _outlier_sum(tally, psi(lam[who] * (far - m[who]))) <= -limit
        left, right = np.where(rejected, left, (left + right) / 2), np.where(rejected, (left + right) / 2, right)
    return cut * np.sinh(right)


def _cubic_sum(powers: Floats, lam: Floats, m: Floats) -> Floats:
    """The sum of x - x^3/6 over x = lam (u - m), from the sums of u^0, u, u^2 and u^3."""
    n, s1, s2, s3 = powers
    with np.errstate(over="ignore", invalid="ignore"):  # sums that overflowed belong to coordinates that never resolve
        return lam * (s1 - n * m) - lam**3 * (s3 - 3 * m * s2 + 3 * m * m * s1 - n * m**3) / 6


def _weighted(weights: Floats, columns: Floats) -> Floats:
    # Not `weights @ columns`: BLAS adds in an order that depends on how many threads it has, and so does the last bit.
    return np.einsum("i,ij->j", weights, columns)


def _outlier_sum(tally: Tally, values: Floats) -> Floats:
    return np.asarray(np.bincount(tally.outliers.coordinate, tally.outliers.count * values, len(tally.centre)), np.float64)


def _squares(tally: Tally) -> tuple[Floats, Floats]:
    with np.errstate(over="ignore"):  # an infinite square is one more that psi cuts off
        low, high = (end * end for end in tally.outliers.ends())
    return np.minimum(low, high), np.maximum(low, high)


def _rounding(tally: Tally) -> Floats:
    size = np.maximum(np.abs(tally.centre), np.minimum(np.abs(tally.furthest), tally.cut))  # psi cuts off what lies beyond
    return ROUNDING * np.where(tally.finite, np.maximum(size, 1.0), 1.0)


def _cost(alpha: float, ways: int) -> float:
    """log(1/a), where a is the share of each of the `ways` to be wrong."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; expected a probability between 0 and 1, such as 1e-6.")
    return math.log(ways / alpha)


def _per_coordinate(x: ArrayLike, length: int, name: str) -> Floats:
    values = np.asarray(x, dtype=np.float64)
    if values.shape not in ((), (1,), (length,)) or (values < 0).any():
        raise ValueError(f"`{name}` must be one number, or {length} of them, none negative.")
    return np.broadcast_to(values, (length,))


def _kurtosis(tally: Tally, kurtosis: ArrayLike) -> Floats:
    values = _per_coordinate(kurtosis, len(tally.centre), "kurtosis")
    if (values < 1 - 1e-9).any():
        raise ValueError("`kurtosis` is the fourth moment over the squared variance: no law has less than 1 (a Gaussian has 3).")
    return values


def _same(a: Floats, b: Floats) -> bool:
    return np.array_equal(a, b, equal_nan=True)
