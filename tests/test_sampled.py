"""What samples decide of a claim: with both error rates, whatever the seed, and told apart from what they cannot."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

import numpy as np
import pytest
from sympy import Rational

from gradcheck_rl import (
    AtMost,
    Categorical,
    Claim,
    Draw,
    E,
    Equal,
    Gaussian,
    Mean,
    Parameter,
    Problem,
    Uniform,
    Value,
    array,
    check,
    erf,
    sqrt,
)
from gradcheck_rl.catoni import Tally, departs, interval
from gradcheck_rl.evaluators import sampled
from gradcheck_rl.evaluators.scene import Scene
from gradcheck_rl.report import Line

mu = Parameter("mu", over=Uniform(-1, 1))
rare = Draw("rare", Categorical(probs=[Rational(9, 10), Rational(1, 10)]))
other = Draw("other", Categorical(probs=[Rational(9, 10), Rational(1, 10)]))
burst = Draw("burst", Categorical(probs=[1 - Rational(1, 10**4), Rational(1, 10**4)]))
u = Draw("u", Gaussian(0, 1))

SEEDS = range(8)  # a rate of 1e-6 shows in none of them


def paid(rare: Any) -> Any:
    return np.multiply(10.0, rare)


def overpaid(rare: Any) -> Any:
    return paid(rare) + 0.1


def paid_again(other: Any) -> Any:
    return np.multiply(10.0, other)


def constant(rare: Any) -> Any:
    return np.multiply(0.0, rare) + 3


def line(claim: Claim, answer: Any = None, seed: int = 0, **options: Any) -> Line:
    page = Problem(title="Samples", claims=(claim,), world=(mu, rare, other, burst, u), points=1)
    return check(page, answer, seed=seed, timed=False, **options).claims[0]


def drawn(left: Any, right: Any, relation: Any = Equal) -> Claim:
    return Claim("So.", relation(left, right), by="sampled", resolution=0.05)


def draws_asked(found: Line) -> int:
    return int(float(found.reason.split("it takes about ")[1].split(" draws")[0]))


# ---- both error rates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim", [drawn(Mean(Value(paid)), E(10 * rare)), drawn(Mean(Value(paid)), Mean(Value(paid_again)))], ids=["one", "two"]
)
def test_an_error_of_the_resolution_never_passes(claim: Claim) -> None:
    """The mean is 1, so that 0.05 is 0.1 there: refuted, although half of all samples show less."""
    assert line(claim).verdict == "agrees"
    assert {line(claim, {paid: overpaid}, seed).verdict for seed in SEEDS} == {"refuted"}


@pytest.mark.parametrize("samples", [40_000, 60_000, 80_000])
def test_fewer_samples_than_it_takes_pass_nothing(samples: int) -> None:
    """Known to less than the resolution, and not to half of it."""
    claim = drawn(Mean(Value(paid)), E(10 * rare))
    assert "agrees" not in {line(claim, {paid: overpaid}, seed, samples=samples).verdict for seed in SEEDS}
    few = line(claim, samples=samples)
    assert few.verdict == "undecided" and "wider than half the resolution 5e-02" in few.reason
    assert line(claim, samples=draws_asked(few)).verdict == "agrees"


def test_one_draw_does_not_tell_that_an_answer_is_constant() -> None:
    def wrong_at_times(rare: Any) -> Any:
        return constant(rare) + 5 * rare

    claim = drawn(Mean(Value(constant)), 3)
    assert line(claim).verdict == "agrees"
    assert {line(claim, {constant: wrong_at_times}, seed).verdict for seed in SEEDS} == {"refuted"}


def test_an_answer_that_explodes_now_and_then_does_not_pass() -> None:
    """A mean that is 100 off, by some fifteen draws of 170,000: each has as little influence on the interval as any outlier."""

    def bursting(rare: Any, burst: Any) -> Any:
        return paid(rare) + 1e6 * burst

    claim = drawn(Mean(Value(paid)), E(10 * rare))
    assert "agrees" not in {line(claim, {paid: bursting}, seed).verdict for seed in SEEDS}


class Enough(Exception):
    """Not refuted at the first look."""


def test_an_unbiased_answer_of_another_variance_is_not_refuted_at_an_early_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """-1, 0, 1 is declared, and 0 nine times in ten; -3, 0, 3 is drawn. The chance is summed exactly, over all counts.

    The interval alone would be wrong so often that 1e-6 is off by a factor of a hundred: the squares do not show it yet.
    """
    n, chance, alpha = 400, 0.1, 1e-6
    declared = sampled.Declared(*(np.array([v]) for v in (0.0, chance, chance, 2 / chance)))
    factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
    counts = (0, 0)

    def filled(mean: Any, stage: str, tally: Tally, goal: int) -> Tally:
        if stage != "mean" or tally.draws:
            raise Enough
        up, down = counts
        return tally.add([[3.0], [-3.0], [0.0]], [up, down, n - up - down])

    monkeypatch.setattr(sampled._Mean, "_filled", filled)
    scene = Scene(None, None, resolution=0.05, samples=64 * n, decisive=True)  # type: ignore[arg-type]
    mean = sampled._Mean(None, scene, None, 0, alpha)  # type: ignore[arg-type]

    def law(up: int, moved: int) -> float:
        ways = factorial[n] - factorial[up] - factorial[moved - up] - factorial[n - moved]
        return math.exp(ways + moved * math.log(chance / 2) + (n - moved) * math.log1p(-chance))

    def refuted(up: int, moved: int) -> bool:
        nonlocal counts
        counts = up, moved - up
        try:
            middle, radius = mean.decided(declared)
        except Enough:
            return False
        return bool(abs(middle[0]) > radius[0])

    def alone(up: int, moved: int) -> bool:
        tally = Tally.empty([0.0], chance, 64 * n).add([[3.0], [-3.0], [0.0]], [up, moved - up, n - moved])
        (middle,), (radius,) = interval(tally, chance, alpha / 16)
        return abs(middle) > radius and not departs(tally, chance, 2 / chance, alpha / 16)[0]

    def chance_that(misses: Any) -> float:
        """With more of the moved draws up the interval lies higher, and both sides are alike."""
        total = 0.0
        for moved in range(5, 90):
            first = bisect_left(range(moved + 1), True, lo=(moved + 1) // 2, key=lambda up, m=moved: misses(up, m))
            total += 2 * sum(law(up, moved) for up in range(first, moved + 1))
        return total

    assert sum(law(up, moved) for moved in range(5, 90) for up in range(moved + 1)) > 1 - 1e-7
    assert chance_that(refuted) <= alpha
    assert chance_that(alone) > 100 * alpha


# ---- what is said of it ---------------------------------------------------------------------------------------------------


def test_a_large_error_is_no_other_variance() -> None:
    """The squares about the declared mean show it too."""

    def far(rare: Any) -> Any:
        return paid(rare) + 5

    found = line(drawn(Mean(Value(paid)), E(10 * rare)), {paid: far})
    assert found.verdict == "refuted" and "variance" not in found.reason


def test_small_numbers_are_drawn_from_the_declared_law() -> None:
    def small(rare: Any) -> Any:
        return np.multiply(1e-8, rare)

    found = line(drawn(Mean(Value(small)), E(rare * Rational(1, 10**8))))
    assert (found.verdict, found.remark) == ("agrees", "")


def test_what_is_made_of_a_mean_takes_more_draws_than_it() -> None:
    """Ten times the mean is known ten times worse: a hundred times the draws."""
    claim = drawn(10 * Mean(Value(paid)), E(100 * rare))
    few = line(claim)
    assert few.verdict == "undecided" and few.reason.startswith("known only to")
    assert line(claim, samples=draws_asked(few)).verdict == "agrees"


def test_no_number_of_draws_is_named_where_none_would_do() -> None:
    def heavy(u: Any) -> Any:
        return np.exp(u * u / 3)

    found = line(drawn(Mean(Value(heavy)), Rational(1732, 1000)))
    assert found.verdict == "undecided" and "not known to be finite" in found.reason and "draws" not in found.reason


def test_a_mean_that_need_not_be_the_declared_one_is_drawn_to_the_end() -> None:
    def lower(rare: Any) -> Any:
        return paid(rare) - 0.5

    assert line(drawn(Mean(Value(paid)), E(10 * rare) + 1, AtMost), {paid: lower}).verdict == "agrees"


def shifted(rare: Any, mu: Any) -> Any:
    return paid(rare) + mu


def shifted_again(other: Any, mu: Any) -> Any:
    return paid(other) + mu


def coarser(rare: Any, mu: Any) -> Any:
    return 20 * np.multiply(rare, rare < 2) - 1 + mu


def coarser_again(other: Any, mu: Any) -> Any:
    return coarser(other, mu)


def test_what_may_go_wrong_at_all_points_means_looks_and_stages_is_alpha_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the declared law an interval or an alarm may be wrong, under any other an interval or the bound of its variance. Of
    the two intervals of a look one lies in the other."""
    spent: dict[str, float] = {}
    stage = ["first"]

    def heard(name: str) -> None:
        inner = getattr(sampled, name)

        def outer(tally: Any, *known: Any) -> Any:
            alpha = known[-1] if name != "departs" else known[2]
            key = f"{stage[-1]} {name}"
            spent[key] = spent.get(key, 0.0) + alpha
            return inner(tally, *known)

        monkeypatch.setattr(sampled, name, outer)

    for name in ("interval", "variance_from_kurtosis", "departs"):
        heard(name)
    measured = sampled._Mean._measured

    def second(self: Any, *known: Any) -> Any:
        stage.append("second")
        try:
            return measured(self, *known)
        finally:
            stage.pop()

    monkeypatch.setattr(sampled._Mean, "_measured", second)
    claim = drawn(Mean(Value(shifted)), Mean(Value(shifted_again)))
    page = Problem(title="Spent", claims=(claim,), world=(mu, rare, other), points=3)
    check(page, samples=4000)
    looks = dict(spent)
    spent.clear()
    check(page, {shifted: coarser, shifted_again: coarser_again}, samples=4000)
    for bound in ("departs", "variance_from_kurtosis"):
        first = looks["first interval"] / 2 + looks[f"first {bound}"]
        again = spent["second interval"] + spent["second variance_from_kurtosis"]
        assert 0 < first + again <= sampled.ALPHA * (1 + 1e-9)


def test_an_answer_that_is_no_number_now_and_then_is_refuted() -> None:
    def nothing_at_times(rare: Any) -> Any:
        return np.where(np.equal(rare, 1), np.nan, paid(rare))

    assert line(drawn(Mean(Value(paid)), E(10 * rare)), {paid: nothing_at_times}).verdict == "refuted"


def test_where_no_number_of_draws_bounds_a_variance_the_declared_one_decides() -> None:
    """Paid once in 10^8 draws: the kurtosis is 10^8, and the answer is 1 off at each draw."""
    hit = Draw("hit", Categorical(probs=[1 - Rational(1, 10**8), Rational(1, 10**8)]))

    def seldom(hit: Any) -> Any:
        return np.multiply(1000.0, hit)

    def one_more(hit: Any) -> Any:
        return seldom(hit) + 1

    page = Problem(title="Seldom", claims=(drawn(Mean(Value(seldom)), E(1000 * hit)),), world=(hit,))
    assert check(page, {seldom: one_more}).claims[0].verdict == "refuted"


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_jump_is_sampled_in_any_number_of_coordinates(n: int) -> None:
    """The exact route knows the variance of a jump in three coordinates to a tenth at best; that does not make it infinite."""
    several = Draw("several", Gaussian(array(*[0] * n), array(*[1] * n)))

    def beyond(several: Any) -> Any:
        return (several.sum() / n**0.5 > 1).to(several.dtype)

    chance = (1 - erf(1 / sqrt(2))) / 2
    claims = [drawn(Mean(Value(beyond)), wanted) for wanted in (chance, chance + Rational(1, 8))]
    found = check(Problem("Jump", claims, world=(several,))).claims
    assert [line.verdict for line in found] == ["agrees", "refuted"]
