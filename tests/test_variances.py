"""Sampled variances against numpy on the same draws, and their band against enumeration and against samples."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import chdtr, fdtr

from gradcheck_rl import (
    Draw,
    Equal,
    Gaussian,
    Point,
    Problem,
    Uniform,
    Value,
    Variable,
    ratio_of_variances,
    sin,
    variance_of_means,
    variances,
)
from gradcheck_rl.claims import Claim
from gradcheck_rl.variances import chi_squared, degrees, sample_variances

scale = Variable("scale", over=Uniform(0.5, 2))
x = Draw("x", Gaussian(0, scale))
page = Problem(title="A scaled normal", claims=(Claim("It is.", Equal(Value(scale * x - scale * x), 0)),), world=(scale,))
AT = {scale[()]: np.array([2.0])}

steps = st.lists(st.integers(1, 9), min_size=1, max_size=5).map(lambda n: tuple(itertools.accumulate(n)))


def by_numpy(term: Any, sizes: tuple[int, ...], runs: int, rng: np.random.Generator) -> Any:
    """The same numbers, a table of all runs, one mean and one variance for each size."""
    table = term(2 * rng.standard_normal((runs, sizes[-1])))
    return [np.var([np.mean(row[:n]) for row in table], ddof=1) for n in sizes]


@given(steps, st.integers(2, 7), st.sampled_from([1, 7, 1 << 16]), st.integers(0, 9))
def test_prefix_sums_give_the_variances_of_the_means(sizes: tuple[int, ...], runs: int, block: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variances, "BLOCK", block)
        found = sample_variances(x**3 - x, AT, sizes, runs, np.random.default_rng(seed))
    assert found == pytest.approx(by_numpy(lambda t: t**3 - t, sizes, runs, np.random.default_rng(seed)))
    wrong = by_numpy(lambda t: t**3 + t, sizes, runs, np.random.default_rng(seed))
    assert found != pytest.approx(wrong), "another term is told apart"


def relative_variance(p: Fraction, n: int, runs: int) -> Fraction:
    """Of the sample variance of the means of n coins, over the runs: every outcome of every coin."""
    law: dict[Fraction, Fraction] = {}
    for coins in itertools.product((0, 1), repeat=n):
        mean, heads = Fraction(sum(coins), n), sum(coins)
        law[mean] = law.get(mean, Fraction(0)) + p**heads * (1 - p) ** (n - heads)
    first = second = Fraction(0)
    for means in itertools.product(law, repeat=runs):
        chance = Fraction(1)
        for m in means:
            chance *= law[m]
        middle = sum(means, Fraction(0)) / runs
        s = sum(((m - middle) ** 2 for m in means), Fraction(0)) / (runs - 1)
        first, second = first + chance * s, second + chance * s * s
    return second / first**2 - 1


@pytest.mark.parametrize(("n", "runs"), [(1, 2), (1, 4), (2, 3), (3, 2), (3, 4)])
@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(1, 5)])
def test_the_degrees_of_freedom_match_the_relative_variance(p: Fraction, n: int, runs: int) -> None:
    q = 1 - p
    kurtosis = float((q**3 + p**3) / (p * q))  # p q (q^3 + p^3) over (p q)^2
    freedom = degrees(kurtosis, np.array([n]), runs)
    assert 2 / freedom == pytest.approx([float(relative_variance(p, n, runs))])
    assert 2 / degrees(3.0, np.array([n]), runs) != pytest.approx([float(relative_variance(p, n, runs))])


def test_the_band_holds_nineteen_in_twenty_and_does_not_without_the_kurtosis() -> None:
    """x^3 of a standard normal has the variance 15 and the fourth moment 11!! = 10395, so the kurtosis 46.2."""
    rng, size = np.random.default_rng(0), np.array([5, 20])
    shares = np.array([sample_variances((x / 2) ** 3, AT, (5, 20), 100, rng) for _ in range(1000)]) * size / 15
    for kurtosis, holds in ((46.2, True), (3.0, False)):
        low, high = chi_squared(degrees(kurtosis, size, 100))
        inside = ((low <= shares) & (shares <= high)).mean(axis=0)
        # Five standard errors of a share of 0.95 in 1000 are 0.034.
        assert bool((np.abs(inside - 0.95) < 0.034).all()) is holds, inside


def study(seed: int, term: Any = None) -> dict[str, Any]:
    terms = {"cube": x**3, "square": x**2} if term is None else {"term": term}
    return variance_of_means(page, seed, terms, Point(scale=1), sizes=(1, 3, 10), runs=30)


def test_the_exact_curve_comes_from_the_model() -> None:
    """Of x^3 the variance is 15, of x^2 it is 2; of sin x it is (1 - exp(-2)) / 2."""
    found = study(0)
    assert found["cube"]["exact"] == pytest.approx([15, 5, 1.5])
    assert found["square"]["exact"] == pytest.approx([2, 2 / 3, 0.2])
    assert study(0, sin(x))["term"]["exact"][0] == pytest.approx((1 - np.exp(-2)) / 2)


def test_a_study_is_plain_and_repeats_with_its_seed() -> None:
    assert json.loads(json.dumps(study(3))) == study(3) != study(4)


def test_the_ratio_has_the_band_of_two_independent_variances() -> None:
    """At equal degrees of freedom the ratio turned over has the same band: its ends are reciprocal about the exact one."""
    found = study(0)
    ratio, back = ratio_of_variances(found["cube"], found["square"]), ratio_of_variances(found["square"], found["cube"])
    assert ratio["exact"] == pytest.approx([7.5] * 3)
    assert np.multiply(ratio["low"], back["high"]) == pytest.approx(np.ones(3))
    assert ratio["sampled"] == pytest.approx(np.divide(found["cube"]["sampled"], found["square"]["sampled"]))
    alone = np.divide(found["cube"]["high"], found["cube"]["exact"])
    assert (np.array(ratio["high"]) / 7.5 > alone).all(), "a ratio is less certain than its numerator"


def test_the_band_of_a_study_is_that_of_its_kurtosis() -> None:
    """x^2 of a standard normal has the mean 1, the variance 2 and the fourth central moment 60, so the kurtosis 15; x^3 has 15,
    10395 and 46.2. Outside the band lies one in twenty, as many below as above."""
    found, size = study(0), np.array([1, 3, 10])
    for name, kurtosis in (("square", 15), ("cube", 46.2)):
        curve = {k: np.array(x) for k, x in found[name].items()}
        assert curve["freedom"] == pytest.approx(2 / (2 / 29 + (kurtosis - 3) / (30 * size)))
        for end, below in (("low", 0.025), ("high", 0.975)):
            assert chdtr(curve["freedom"], curve["freedom"] * curve[end] / curve["exact"]) == pytest.approx([below] * 3)
    ratio = ratio_of_variances(found["cube"], found["square"])
    for end, below in (("low", 0.025), ("high", 0.975)):
        share = fdtr(found["cube"]["freedom"], found["square"]["freedom"], np.divide(ratio[end], ratio["exact"]))
        assert share == pytest.approx([below] * 3)


def test_each_term_of_a_study_has_draws_of_its_own() -> None:
    found = variance_of_means(page, 0, {"one": 1 * x, "other": 1 * x}, Point(scale=1), sizes=(1, 3), runs=5)
    assert found["one"]["exact"] == found["other"]["exact"] and found["one"]["sampled"] != found["other"]["sampled"]
