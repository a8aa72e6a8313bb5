"""The interval holds for every law: its chance to miss is summed exactly here, over binomial laws, never simulated."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gradcheck_rl.catoni import LOOKS, Outliers, Tally, departs, draws_needed, interval, looks_at, psi, variance_from_kurtosis

Verdict = Callable[[int], int]  # of k successes: -1 the interval lies below the mean, 0 it holds it, 1 it lies above


def binomial(n: int, p: float) -> NDArray[np.float64]:
    """P(k successes) for every k."""
    k = np.arange(n + 1)
    factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
    return np.exp(factorial[n] - factorial[k] - factorial[n - k] + k * math.log(p) + (n - k) * math.log1p(-p))


def side(low: float, high: float, mean: float) -> int:
    return int(low > mean) - int(high < mean)


def catoni(n: int, p: float, alpha: float) -> Verdict:
    """The interval of a reward that is 1 with probability p: the declared law."""

    def decide(k: int) -> int:
        tally = Tally.empty([p], p * (1 - p), n).add([[1.0], [0.0]], counts=[k, n - k])
        (middle,), (radius,) = interval(tally, p * (1 - p), alpha)
        return side(middle - radius, middle + radius, p)

    return decide


def normal(n: int, p: float, alpha: float) -> Verdict:
    """What a z interval with the exact variance would say."""
    radius = statistics.NormalDist().inv_cdf(1 - alpha / 2) * math.sqrt(p * (1 - p) / n)
    return lambda k: side(k / n - radius, k / n + radius, p)


def chance_to_refute(decide: Verdict, n: int, p: float) -> float:
    """Exact, as both intervals move up with k: those below the mean come first, those above it last."""
    last_below = bisect_left(range(n + 1), 0, key=decide)
    first_above = bisect_left(range(n + 1), 1, key=decide)
    law = binomial(n, p)
    return float(law[:last_below].sum() + law[first_above:].sum())


# -- the inequality


@given(st.floats(-50, 50))
def test_psi_lies_between_the_logarithms(x: float) -> None:
    assert -math.log(1 - x + x * x / 2) - 1e-12 <= psi(x) <= math.log(1 + x + x * x / 2) + 1e-12


# Rewards that are rare: p and the number of draws. A z interval at 1e-6 is wrong at least so many times too often.
RARE = [(0.5, 1000, 0.8), (0.05, 1000, 3), (0.01, 10_000, 2), (1e-3, 10_000, 15), (1e-4, 10_000, 500)]


@pytest.mark.parametrize(("p", "n", "z_times"), RARE)
def test_no_false_alarm_beyond_alpha(p: float, n: int, z_times: float) -> None:
    for alpha in (1e-2, 1e-3, 1e-6):
        assert chance_to_refute(catoni(n, p, alpha), n, p) <= alpha
    assert chance_to_refute(normal(n, p, 1e-6), n, p) >= z_times * 1e-6


@given(
    p=st.floats(0.01, 0.99),
    n=st.integers(1, 300),
    low=st.floats(-5, 5),
    width=st.floats(0.01, 100),
    guess=st.floats(-3, 3),
    ratio=st.floats(0.3, 10),
    alpha=st.sampled_from([0.2, 0.05, 1e-3]),
)
def test_coverage_for_any_two_point_law(
    p: float, n: int, low: float, width: float, guess: float, ratio: float, alpha: float
) -> None:
    """Whatever the guesses of mean (in standard deviations) and variance (a ratio), which only place the cut and lam."""
    mean, variance = low + p * width, p * (1 - p) * width**2
    start = Tally.empty([mean + guess * math.sqrt(variance)], ratio * variance, n)

    def decide(k: int) -> int:
        (middle,), (radius,) = interval(start.add([[low + width], [low]], counts=[k, n - k]), variance, alpha)
        return side(middle - radius, middle + radius, mean)

    assert chance_to_refute(decide, n, p) <= alpha


def test_coverage_of_a_law_with_three_values() -> None:
    """All 496 outcomes of 30 draws of a skewed law: -1, 0 or 9."""
    values, law, n, alpha = np.array([-1.0, 0.0, 9.0]), np.array([0.5, 0.42, 0.08]), 30, 0.1
    mean = law @ values
    variance = law @ values**2 - mean**2
    start, missed = Tally.empty([0.0], variance, n), 0.0
    for i in range(n + 1):
        for j in range(n + 1 - i):
            counts = (i, j, n - i - j)
            (middle,), (radius,) = interval(start.add(values[:, None], counts), variance, alpha)
            if abs(middle - mean) > radius:
                ways = math.factorial(n) // math.prod(map(math.factorial, counts))
                missed += ways * math.prod(q**c for q, c in zip(law, counts, strict=True))
    assert 0 < missed <= alpha


def test_alpha_is_shared_by_the_coordinates() -> None:
    n, K, draws = 400, 100, np.random.default_rng(1).normal(size=(400, 1))
    many = interval(Tally.empty(np.zeros(K), 1.0, n).add(np.repeat(draws, K, axis=1)), 1.0, 0.01)
    one = interval(Tally.empty([0.0], 1.0, n).add(draws), 1.0, 0.01 / K)
    np.testing.assert_allclose(many[0], np.repeat(one[0], K), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(many[1], np.repeat(one[1], K), rtol=1e-12)


# -- against a plain reading of the definition


def rejected(draws: NDArray[np.float64], m: float, lam: float, variance: float, alpha: float) -> bool:
    """The definition, over every draw: no powers, no cut."""
    x = np.clip(lam * (draws - m), -math.sqrt(2), math.sqrt(2))
    return bool(abs((x - x**3 / 6).sum()) >= len(draws) * math.log1p(lam**2 * variance / 2) + math.log(2 / alpha))


DECLARED = ["normal", "lognormal", "student", "far"]  # variance at most 1, as the tallies are told
tails = st.sampled_from([*DECLARED, "mixed", "wild"])


def sample(tail: str, n: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    match tail:
        case "normal":
            return rng.normal(size=n)
        case "lognormal":
            square = math.exp(1.5**2)  # of the lognormal (0, 1.5): mean sqrt(square), variance square (square - 1)
            return (rng.lognormal(0, 1.5, size=n) - math.sqrt(square)) / math.sqrt(square * (square - 1))
        case "student":
            return rng.standard_t(2.1, size=n) / math.sqrt(21)  # its variance is 2.1 / (2.1 - 2)
        case "wild":
            return rng.lognormal(0, 2, size=n)
        case "far":
            return rng.normal(1000, 0.1, size=n)
        case _:
            return np.where(rng.random(n) < 0.3, rng.normal(-60, 1, size=n), rng.normal(size=n))


def agrees_with_the_definition(tally: Tally, draws: NDArray[np.float64], alpha: float) -> bool:
    (middle,), (radius,) = interval(tally, 1.0, alpha)
    lam = min(math.sqrt(2 * math.log(2 / alpha) / len(draws)), math.sqrt(2) / (2.5 * tally.cut[0]))
    inside, outside = radius * (1 - 1e-6), radius * (1 + 1e-6) + 1e-9
    return all(
        rejected(draws, middle + sign * outside, lam, 1.0, alpha) and not rejected(draws, middle + sign * inside, lam, 1.0, alpha)
        for sign in (-1, 1)
    )


@given(
    tail=st.sampled_from(DECLARED),
    n=st.integers(200, 3000),
    seed=st.integers(0, 2**32),
    alpha=st.sampled_from([0.1, 1e-6]),
    looks=st.sampled_from([1, 4, 16, 64]),
)
def test_power_sums_and_outliers_lose_nothing(tail: str, n: int, seed: int, alpha: float, looks: int) -> None:
    """At the last look as at an early one, where lam is held back for the cubic's sake."""
    draws = sample(tail, n, seed)
    assert agrees_with_the_definition(Tally.empty([0.0], 1.0, n * looks).add(draws[:, None]), draws, alpha)


def test_forgetting_the_outliers_would_show() -> None:
    draws = sample("lognormal", 2000, 5)
    tally = Tally.empty([0.0], 1.0, 2000).add(draws[:, None])
    assert agrees_with_the_definition(tally, draws, 0.1)
    assert not agrees_with_the_definition(replace(tally, outliers=Outliers.none()), draws, 0.1)


@given(tails, st.integers(200, 3000), st.integers(0, 2**32))
def test_the_interval_is_never_narrower_than_the_definition(tail: str, n: int, seed: int) -> None:
    draws = sample(tail, n, seed)
    tally = Tally.empty([0.0], 1.0, n).add(draws[:, None])
    (middle,), (radius,) = interval(tally, 1.0, 0.01)
    lam = min(math.sqrt(2 * math.log(2 / 0.01) / n), math.sqrt(2) / (2.5 * tally.cut[0]))
    assert rejected(draws, middle - radius - 1e-9, lam, 1.0, 0.01)
    assert rejected(draws, middle + radius + 1e-9, lam, 1.0, 0.01)


# -- tallies


def same_law(a: Tally, b: Tally) -> None:
    assert a.draws == b.draws
    scale = np.abs(b.powers).max() + 1
    np.testing.assert_allclose(a.powers, b.powers, rtol=1e-11, atol=1e-13 * scale)
    assert np.array_equal(a.lowest, b.lowest) and np.array_equal(a.highest, b.highest)
    assert a.outliers.lost == b.outliers.lost
    listed = [
        sorted(zip(*(column.tolist() for column in (o.coordinate, o.deviation)), strict=True)) for o in (a.outliers, b.outliers)
    ]
    assert set(listed[0]) == set(listed[1])
    for x, y in zip(interval(a, 1.0, 1e-3), interval(b, 1.0, 1e-3), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-11)


@given(tails, st.lists(st.integers(0, 700), min_size=1, max_size=6), st.integers(1, 3), st.integers(0, 2**32))
def test_shards_add_up_to_the_whole(tail: str, sizes: list[int], K: int, seed: int) -> None:
    n = sum(sizes)
    rows = sample(tail, n * K, seed).reshape(n, K)
    start = Tally.empty(np.zeros(K), 1.0, max(n, 1))
    shards = [start.add(part) for part in np.split(rows, np.cumsum(sizes)[:-1])]
    whole = start.add(rows)
    same_law(sum(shards, start), whole)
    same_law(sum(reversed(shards), start), whole)


@given(st.lists(st.tuples(st.floats(-20, 20), st.integers(0, 50)), min_size=1, max_size=8))
def test_counts_are_repetitions(outcomes: list[tuple[float, int]]) -> None:
    values, counts = np.array([v for v, _ in outcomes])[:, None], np.array([c for _, c in outcomes])
    start = Tally.empty([0.0], 1.0, 400)
    same_law(start.add(values, counts), start.add(np.repeat(values, counts, axis=0)))


def test_many_outliers_stay_bounded_and_only_widen_the_interval() -> None:
    n = 150_000
    draws = np.random.default_rng(2).normal(1000, 1, size=(n, 1))
    start = Tally.empty([0.0], 1.0, n)
    whole, shards = start.add(draws), sum((start.add(part) for part in np.array_split(draws, 7)), start)
    assert whole.outliers.lost > 0 and len(whole.outliers.coordinate) <= 65536 + 256
    same_law(shards, whole)
    same_law(start.add(draws[:1000]) + start.add(draws[1000:]), whole)  # the first has room for every bit
    (middle,), (radius,) = interval(whole, 1.0, 1e-3)
    # The draws lie within 10 of 1000, in the middle of psi: exactly kept, the radius would be this to a part in a thousand.
    expected = math.sqrt(2 * math.log(2 / 1e-3) / n)
    assert middle == pytest.approx(draws.mean(), abs=1e-3) and expected * 0.999 < radius < expected * 1.05
    low, high = whole.outliers.ends()
    kept = np.sort(draws[:, 0])
    order = np.argsort(low)
    position = np.searchsorted(low[order], kept, side="right") - 1
    assert (low[order][position] <= kept).all() and (kept <= high[order][position]).all()


def test_tallies_that_do_not_match_are_refused() -> None:
    start = Tally.empty([0.0, 0.0], 1.0, 100)
    with pytest.raises(ValueError, match=r"start both from one `Tally.empty`"):
        _ = start + Tally.empty([0.0, 1.0], 1.0, 100)
    with pytest.raises(ValueError, match=r"shape \(5,\); expected \(n, 2\)"):
        start.add(np.zeros(5))
    with pytest.raises(ValueError, match="2 whole numbers"):
        start.add(np.zeros((2, 2)), counts=[1, 0.5])
    with pytest.raises(ValueError, match="`variance` must be one number, or 2"):
        Tally.empty([0.0, 0.0], [1.0, -1.0], 100)
    with pytest.raises(ValueError, match="alpha is 0"):
        interval(start, 1.0, 0)


# -- power


@pytest.mark.parametrize("p", [0.5, 0.05, 0.01])
def test_the_planned_draws_give_the_margin_and_see_a_bias_of_twice_the_margin(p: float) -> None:
    alpha, bias, variance = 1e-6, 0.05 * p, p * (1 - p)
    n = draws_needed(variance, bias / 2, alpha)
    law = binomial(n, p)
    typical = np.flatnonzero((np.cumsum(law) > alpha) & (np.cumsum(law[::-1])[::-1] > alpha))
    for k in (typical[0], typical[-1], int(n * p)):
        tally = Tally.empty([p], variance, n).add([[1.0], [0.0]], counts=[k, n - k])
        assert interval(tally, variance, alpha)[1] <= bias / 2
    assert chance_to_refute(catoni(n, p, alpha), n, p + bias) >= 1 - alpha
    assert chance_to_refute(catoni(n // 4, p, alpha), n // 4, p + bias) < 1 - alpha  # fewer draws would not do


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=5), st.floats(0.01, 1), st.sampled_from([0.05, 1e-3, 1e-9]))
def test_the_plan_is_the_normal_one_but_for_the_tail(variance: list[float], margin: float, alpha: float) -> None:
    """2 v log(2K/alpha) / margin^2 draws in front, and a few log(2K/alpha) more."""
    cost = math.log(2 * len(variance) / alpha)
    front = 2 * max(variance) * cost / margin**2
    assert front <= draws_needed(variance, margin, alpha) <= front + 6 * cost + 1


def test_what_cannot_be_planned() -> None:
    assert draws_needed([0.0, 0.0], 0.1, 1e-6) == 1
    for variance, margin in ((math.inf, 0.1), (math.nan, 0.1), (1.0, 0.0)):
        with pytest.raises(ValueError, match="leave the other coordinates out"):
            draws_needed([1.0, variance], margin, 1e-6)


def test_looks_share_alpha_and_see_a_gross_bias_early() -> None:
    p, alpha = 0.5, 1e-6
    looks = looks_at(draws_needed(p * (1 - p), 0.0125, alpha / LOOKS), alpha)
    assert sum(look.alpha for look in looks) <= alpha
    n = looks[-1].draws
    assert n == draws_needed(p * (1 - p), 0.0125, alpha / 4)
    assert [look.draws for look in looks] == [math.ceil(n / 64), math.ceil(n / 16), math.ceil(n / 4), n]
    start = Tally.empty([p], p * (1 - p), n)

    def at(draws: int, share: float, biased: float) -> float:
        def decide(k: int) -> int:
            (middle,), (radius,) = interval(start.add([[1.0], [0.0]], counts=[k, draws - k]), p * (1 - p), share)
            return side(middle - radius, middle + radius, p)

        return chance_to_refute(decide, draws, biased)

    assert sum(at(look.draws, look.alpha, p) for look in looks) <= alpha
    assert at(*(looks[1].draws, looks[1].alpha), 0.75) >= 1 - alpha  # 50 %, at a sixteenth of the draws


# -- constants, infinities, and what is not a number


@given(st.floats(-10, 10), st.integers(0, 99), st.sampled_from([1e-6, -3.0]))
def test_a_constant_that_deviates_once_is_seen(value: float, when: int, by: float) -> None:
    rows = np.random.default_rng(3).normal(size=(100, 2))
    rows[:, 1] = value
    start = Tally.empty([0.0, value], [1.0, 0.0], 100)
    middle, radius = interval(start.add(rows), [1.0, 0.0], 1e-6)
    assert middle[1] == value and radius[1] < 1e-12
    assert not departs(start.add(rows), [1.0, 0.0], 3.0, 1e-6)[1]
    rows[when, 1] += by
    middle, radius = interval(start.add(rows), [1.0, 0.0], 1e-6)
    assert abs(middle[1] - value) > radius[1] and middle[1] == pytest.approx(value + by)
    assert departs(start.add(rows), [1.0, 0.0], 3.0, 1e-6)[1]


@pytest.mark.parametrize("variance", [math.inf, math.nan])
def test_an_infinite_variance_never_resolves(variance: float) -> None:
    rows = np.random.default_rng(4).standard_cauchy(size=(5000, 1))
    rows[7] = 1e200  # whose square is not finite
    for guess in (variance, 1.0):
        tally = Tally.empty([0.0], guess, 5000).add(rows)
        middle, radius = interval(tally, variance, 0.1)
        assert np.isfinite(middle[0]) and math.isinf(radius[0])
        assert not departs(tally, variance, 3.0, 0.1)[0] and not departs(tally, 1.0, math.inf, 0.1)[0]
    assert math.isinf(interval(Tally.empty([0.0], variance, 5000).add(rows), 1.0, 0.1)[1][0])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_draw_that_is_not_finite_is_never_lost(bad: float) -> None:
    rows = np.random.default_rng(5).normal(size=(1000, 3))
    rows[17, 1] = bad
    start = Tally.empty(np.zeros(3), [1.0, 1.0, 0.0], 1000)
    rows[:, 2] = 0.0
    tally = start.add(rows[:500]) + start.add(rows[500:])
    middle, radius = interval(tally, [1.0, 1.0, 0.0], 1e-3)
    assert np.isnan(middle).tolist() == [False, True, False] and np.isinf(radius).tolist() == [False, True, False]
    assert np.isinf(variance_from_kurtosis(tally, 3.0, 1e-3)).tolist() == [False, True, False]
    assert departs(tally, [1.0, 1.0, 0.0], 3.0, 1e-3).tolist() == [False, True, False]


def test_too_few_draws_say_nothing() -> None:
    start = Tally.empty([0.0], 1.0, 100)
    for tally in (start, start.add(np.ones((3, 1)))):
        assert math.isinf(interval(tally, 1.0, 1e-6)[1][0]) and math.isinf(variance_from_kurtosis(tally, 3.0, 1e-6)[0])
        assert not departs(tally, 1.0, 3.0, 1e-6)[0]


# -- the variance


def kurtosis(p: float) -> float:
    """Of a reward that is 1 with probability p, about its mean: (1 - 3 p (1 - p)) / (p (1 - p))."""
    return (1 - 3 * p * (1 - p)) / (p * (1 - p))


@pytest.mark.parametrize(("p", "n"), [(0.5, 1000), (0.2, 2000), (0.05, 1000), (0.01, 10_000)])
@pytest.mark.parametrize("centre", [0.0, 0.3, 1.0])
def test_the_variance_is_bounded_wherever_the_centre_is(p: float, n: int, centre: float) -> None:
    for alpha in (0.1, 1e-3):
        start = Tally.empty([centre], p * (1 - p), n)
        short = [
            k
            for k in range(0, n + 1, max(1, n // 1000))
            if variance_from_kurtosis(start.add([[1.0], [0.0]], counts=[k, n - k]), kurtosis(p), alpha)[0] < p * (1 - p)
        ]
        step = max(1, n // 1000)
        law = np.add.reduceat(binomial(n, p), np.arange(0, n + 1, step))  # a cell counts as short if its first k is
        assert law[[k // step for k in short]].sum() <= alpha


def test_a_stated_kurtosis_that_is_too_low_is_a_false_assumption() -> None:
    """What the cap is for: a reward of probability 1e-4 never seen in 10^4 draws, but with kurtosis 3 stated."""
    seen = Tally.empty([0.0], 1.0, 10_000).add([[0.0]], counts=[10_000])
    assert variance_from_kurtosis(seen, 3.0, 1e-3)[0] < 1e-4 < variance_from_kurtosis(seen, kurtosis(1e-4), 1e-3)[0]


def test_an_interval_from_a_measured_variance() -> None:
    """The bound spends its own alpha; lam stays the tally's, so both inequalities hold together."""
    p, n, alpha = 0.2, 3000, 1e-3
    start = Tally.empty([p], 0.3, n)

    def decide(k: int) -> int:
        tally = start.add([[1.0], [0.0]], counts=[k, n - k])
        bound = variance_from_kurtosis(tally, kurtosis(p), alpha / 2)
        (middle,), (radius,) = interval(tally, bound, alpha / 2)
        return side(middle - radius, middle + radius, p)

    assert chance_to_refute(decide, n, p) <= alpha
    assert chance_to_refute(decide, n, 0.4) >= 1 - alpha


@pytest.mark.parametrize(("p", "n"), [(0.5, 1000), (0.05, 1000), (0.01, 10_000), (1e-3, 10_000), (1e-4, 10_000)])
def test_the_declared_law_does_not_depart(p: float, n: int) -> None:
    """Both tails, exactly; the outcomes left out count as refuted."""
    law, start = binomial(n, p), Tally.empty([p], p * (1 - p), n)
    likely = np.flatnonzero(law > 1e-15)
    for alpha in (1e-2, 1e-6):
        refuted = 1 - law[likely].sum()
        for k in likely:
            refuted += law[k] * departs(start.add([[1.0], [0.0]], counts=[k, n - k]), p * (1 - p), kurtosis(p), alpha)[0]
        assert refuted <= alpha


def three_points(q: float, n: int, declared: float, alpha: float) -> float:
    """The chance to depart, exactly: -1, 0 or 1 with probability q/2, 1 - q, q/2. Only the number of zeros matters."""
    start = Tally.empty([0.0], declared, n)

    def decide(k: int) -> int:
        tally = start.add([[1.0], [-1.0], [0.0]], counts=[k // 2, k - k // 2, n - k])
        return int(departs(tally, declared, 1 / declared, alpha)[0]) * (1 if k > n * declared else -1)

    return chance_to_refute(decide, n, q)


def test_another_variance_is_caught_both_ways_though_the_mean_is_right() -> None:
    """The law -1, 0, 1 has variance q and kurtosis 1/q."""
    n, alpha = 4000, 1e-6
    assert three_points(0.3, n, 0.3, alpha) <= alpha
    assert three_points(0.45, n, 0.3, alpha) >= 1 - 1e-6
    assert three_points(0.2, n, 0.3, alpha) >= 1 - 1e-6
    start = Tally.empty([0.0], 0.3, n)
    wider = start.add([[1.0], [-1.0], [0.0]], counts=[900, 900, 2200])
    assert departs(wider, 0.3, 1 / 0.3, alpha)[0]
    (middle,), (radius,) = interval(wider, variance_from_kurtosis(wider, 1 / 0.3, alpha), alpha)
    assert abs(middle) <= radius


@given(
    n=st.integers(100, 1000),
    looks=st.sampled_from([1, 4, 64]),
    cap=st.sampled_from([1.0, 3.0, 30.0]),
    spread=st.floats(0.5, 3),
    seed=st.integers(0, 2**32),
)
def test_departures_are_those_of_the_definition(n: int, looks: int, cap: float, spread: float, seed: int) -> None:
    """Over every draw, at an early look too: no powers, no cut."""
    draws = np.random.default_rng(seed).normal(0, spread, size=n)
    tally = Tally.empty([0.0], 1.0, n * looks).add(draws[:, None])
    cost, excess = math.log(4 / 1e-6), max(cap - 1, 1e-14)
    lam = min(math.sqrt(2 * cost / (n * excess)), math.sqrt(2) / max(1.0, tally.cut[0] ** 2))
    x = np.clip(lam * (draws**2 - 1), -math.sqrt(2), math.sqrt(2))
    beyond = abs((x - x**3 / 6).sum()) >= n * math.log1p(lam**2 * excess / 2) + cost
    assert departs(tally, 1.0, cap, 1e-6)[0] == beyond


def test_a_normal_tail_for_the_squares_would_alarm() -> None:
    """The mistake to avoid: z = 4.75 above, for one in a million, on the squares of a reward of probability 1e-3."""
    p, n, alpha = 1e-3, 10_000, 1e-6
    v = p * (1 - p)
    k = np.arange(n + 1)
    square = (k * (1 - p) ** 2 + (n - k) * p**2) / n
    z = statistics.NormalDist().inv_cdf(1 - alpha)
    alarm = square > v + z * v * math.sqrt((kurtosis(p) - 1) / n)
    assert binomial(n, p)[alarm].sum() > 10 * alpha


def test_a_kurtosis_that_cannot_be_or_is_not_known() -> None:
    tally = Tally.empty([0.0], 1.0, 1000).add(np.zeros((1000, 1)))
    with pytest.raises(ValueError, match="no law has less than 1"):
        departs(tally, 1.0, 0.5, 0.1)
    for unknown in (math.inf, math.nan):
        assert not departs(tally, 1.0, unknown, 0.1)[0] and math.isinf(variance_from_kurtosis(tally, unknown, 0.1)[0])
    assert departs(tally, 1.0, 3.0, 0.1)[0]


def test_a_variance_that_is_known_roughly_departs_from_neither_end() -> None:
    """The law -1, 0, 1 of variance 0.3, known to lie between 0.25 and 0.35."""
    n, alpha, start = 20_000, 1e-6, Tally.empty([0.0], 0.35, 20_000)
    law = binomial(n, 0.3)

    def chance_to_depart(least: float | None) -> float:
        def decide(k: int) -> int:
            tally = start.add([[1.0], [-1.0], [0.0]], counts=[k // 2, k - k // 2, n - k])
            return int(departs(tally, 0.35, 4.0, alpha, least)[0]) * (1 if k > n * 0.3 else -1)

        first, last = bisect_left(range(n + 1), 0, key=decide), bisect_left(range(n + 1), 1, key=decide)
        return float(law[:first].sum() + law[last:].sum())

    assert chance_to_depart(0.25) <= alpha
    assert chance_to_depart(None) > 0.5


@given(st.integers(2, 300), st.sampled_from([-1, 1]), st.integers(0, 2**32))
def test_a_draw_however_far_leaves_the_interval_as_narrow_and_departs(size: int, sign: int, seed: int) -> None:
    draws = sample("normal", 2000, seed)
    draws[7] = sign * 10.0**size
    tally = Tally.empty([0.0], 1.0, 2000).add(draws[:, None])
    assert agrees_with_the_definition(tally, draws, 1e-6)
    assert departs(tally, 1.0, 3.0, 1e-6)[0] == (size > 2)
