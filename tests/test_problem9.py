"""The page on REINFORCE with a coin: it holds, its numbers are reached by two routes, and mistakes leave their signatures."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from gradcheck_rl import check
from gradcheck_rl.load import load

from .reading import read

F = Fraction

CODE = "symbolic + listed + autodiff"
NORMAL = "symbolic + integrated + autodiff"
NUMPY = "symbolic + numpy"
# Which routes must answer: an evaluator that stops applying is noticed here.
ROUTES = {
    CODE: "unbiased stepped shrunk scaleless two_tosses_one_in_three_pays five_tosses_one_in_three_pays centred_there "
    "scaled_there hundredfold faded_right whole_right here undiscounted twice here_there one_episode to_go_there bare "
    "less_value less_best harmless_less",
    f"{CODE}, symbolic + sampled + autodiff": "drawn",
    NORMAL: "score_right path_right score_noise path_noise loud quiet through_jumps",
    NUMPY: "marked all_ones lost_zero run_together pooled ones_pooled numpy_counted undefined undefined_alone tenths",
    "numpy": "least ends_pooled",
    "symbolic + autodiff + numpy": "spreads",
    "symbolic + autodiff": "spread three_tenths steady steady_score steady_far steady_far_value steady_single clamped silent "
    "clamped_double silent_double late_slope early_value summed thrice entropy there first_step first_mean_step descended shown "
    "tempered_step accepted torch_counted "
    "lost_for_good kept still laws blocked no_wrapper",
    "listed + autodiff": "score score_of_chance sample surprise listing unwrapped categorical one_trial two_trials both_scores "
    "same_law score_of_logit weighed "
    "renormalised after_softmax",
    "autodiff": "entropic entropic_two hidden scores_of_normal path same_value reached",
    "proof, symbolic": "stepping paid unbiased_value unbiased_advantage",
    "symbolic": "true_there slope_there value_there advantage_there",
    "called": "cut no_rsample not_there refused",
}


page, report, line = read("problem9")


def numbers(values: Any) -> list[float]:
    return [float(Fraction(v)) if isinstance(v, str) else float(v) for v in values]


@pytest.mark.parametrize(("name", "routes"), [(name, routes) for routes, names in ROUTES.items() for name in names.split()])
def test_the_routes_that_must_answer_do(name: str, routes: str) -> None:
    assert ", ".join(r.route for r in line(name).routes) == routes


def test_every_claim_is_in_the_table() -> None:
    mine = {c.id for c in report().claims if c.kind == "claim"}
    assert mine == {name for names in ROUTES.values() for name in names.split()}


def test_every_statement_is_decided() -> None:
    """All but A-106, of the environment: page 8 has one."""
    ids = {s.strip() for c in report().claims for s in c.source.split(",")}
    assert {f"A-{n:03}" for n in (*range(97, 106), *range(107, 120))} <= ids


def test_what_is_said_of_every_size_is_checked_at_others() -> None:
    for name in ("score", "unbiased", "shrunk", "scaleless"):
        assert line(name).sizes == dict.fromkeys(("d = 1", "d = 2", "N = 3", "N = 5"), "agrees"), name


# ---- numbers that were worked out elsewhere -------------------------------------------------------------------------------


def test_three_steps_add_up() -> None:
    q = 1 / (1 + math.exp(-0.2))
    assert -sum(r * (a - q) for a, r in ((1, 1), (0, -0.5), (1, 2))) == pytest.approx(-1.6254150067188051, rel=1e-14)
    for side in (line("there").value, line("there").expected):
        assert numbers(side) == pytest.approx([-1.6254150067188051], rel=1e-12)


def standardised_tosses(n: int, pays: tuple[int, int]) -> tuple[float, Fraction]:
    """The mean estimate where the payments differ, and the chance that they do not; heads has chance 1/3. By listing."""
    p, total, equal = F(1, 3), 0.0, F(0)
    for tosses in product((0, 1), repeat=n):
        chance = p ** sum(tosses) * (1 - p) ** (n - sum(tosses))
        earned = [pays[a] for a in tosses]
        mean = F(sum(earned), n)
        deviation = math.sqrt(sum((e - mean) ** 2 for e in earned) / n)
        if deviation == 0:
            equal += chance
        else:
            total += float(chance) * float(sum((a - p) * (e - mean) for a, e in zip(tosses, earned, strict=True))) / deviation / n
    return total / float(1 - equal), equal


@pytest.mark.parametrize(("n", "pays", "mean", "equal"), [
    (2, (0, 1), 0.5, F(5, 9)),
    (5, (0, 1), 0.45137025631807749694, F(11, 81)),
    (5, (0, 100), 0.45137025631807749694, F(11, 81)),
])  # fmt: skip
def test_standardised_payments_by_listing(n: int, pays: tuple[int, int], mean: float, equal: Fraction) -> None:
    found, same = standardised_tosses(n, pays)
    assert found == pytest.approx(mean, rel=1e-13) and same == equal
    words = {2: "two", 5: "five"}
    assert numbers(line(f"{words[n]}_tosses_one_in_three_pays").expected) == pytest.approx([float(equal)])
    uneven = sum(math.comb(n, k) * 2 ** (n - k) / 3**n * math.sqrt(k * (n - k)) / n for k in range(n + 1))
    assert uneven / float(1 - equal) == pytest.approx(mean, rel=1e-13)  # the page's closed form


def test_the_weights_of_two_episodes() -> None:
    returns = np.array([2.9701, 1.99, 1, 0, 1.99, 1, 0])
    weights = [1.6565940430572212, 0.6967275877084486, -0.27283448840142277, -1.2521901208356363]
    assert float(np.sqrt(np.mean(returns**2) - np.mean(returns) ** 2)) == pytest.approx(1.0210795413658615, rel=1e-12)
    for side in (line("ones_pooled").value, line("ones_pooled").expected):
        assert numbers(side) == pytest.approx([*weights, *weights[1:]], rel=1e-12)


def test_where_the_chance_is_rounded() -> None:
    assert numbers(line("clamped").value) == pytest.approx([-15.942384719848633], rel=1e-7)
    assert numbers(line("clamped_double").value) == pytest.approx([-36.04365338911715], rel=1e-12)


def moments(f: Any) -> tuple[float, float]:
    """Mean and variance of f(z), z normal, by Gauss-Legendre on twelve deviations."""
    z, w = np.polynomial.legendre.leggauss(400)
    z, w = 12 * z, 12 * w * np.exp(-72 * z**2) / math.sqrt(2 * math.pi)
    mean = float(w @ f(z))
    return mean, float(w @ f(z) ** 2) - mean**2


def test_the_variances_of_both_ways() -> None:
    """At mu = 1/2, sd = 1: the reward is -(z - 1/2)^2."""
    by_score = moments(lambda z: -((z - 0.5) ** 2) * z), moments(lambda z: -((z - 0.5) ** 2) * (z**2 - 1))
    by_path = moments(lambda z: -2 * (z - 0.5)), moments(lambda z: -2 * (z - 0.5) * z)
    assert [m for m, _ in (*by_score, *by_path)] == pytest.approx([1, -2, 1, -2])
    for name, found in (("loud", by_score), ("quiet", by_path)):
        assert numbers(line(name).value) == pytest.approx([v for _, v in found], rel=1e-9)


def test_two_choices_by_listing() -> None:
    """With even chances: the score of a choice is 1/2 or -1/2. Means and variances by logit, gamma 1."""
    pay = {(0, 0): 2, (0, 1): 0, (1, 0): 1, (1, 1): 5}
    brings = {0: F(1), 1: F(3)}
    for name, early_weight, late_weight in (
        ("one_episode", lambda a, b: a + pay[a, b], lambda a, b: a + pay[a, b]),
        ("to_go_there", lambda a, b: a + pay[a, b], lambda a, b: pay[a, b]),
        ("value_there", lambda a, b: a + brings[a], lambda a, b: pay[a, b]),
        ("advantage_there", lambda a, b: a + brings[a] - F(5, 2), lambda a, b: pay[a, b] - brings[a]),
    ):
        rows = []
        for a, b in pay:
            row = [(a - F(1, 2)) * early_weight(a, b), F(0), F(0)]
            row[1 + a] = (b - F(1, 2)) * late_weight(a, b)
            rows.append(row)
        means = [sum(column) / 4 for column in zip(*rows, strict=True)]
        assert means == [F(3, 4), F(-1, 4), F(1, 2)], name
        variances = [sum(x**2 for x in column) / 4 - m**2 for column, m in zip(zip(*rows, strict=True), means, strict=True)]
        assert numbers(line(name).value) == pytest.approx([float(v) for v in variances], rel=1e-12), name


# ---- signatures -----------------------------------------------------------------------------------------------------------

Q = 1 / (1 + math.exp(-0.2))
# What a mistake makes of a claim on given data.
SIGNATURES: dict[str, tuple[str, list[Any]]] = {
    "gradients zeroed before each pass": ("there", [-2 * (1 - Q)]),
    "mean for sum": ("there", [-0.5418050022396017]),
    "deviation with n - 1": ("scaled_there", [math.sqrt(1 / 2) / 2]),
    "the mean of the others": ("centred_there", [F(2, 9)]),
    "no reset at an end": (
        "all_ones",
        [sum(0.99 ** (k - t) for k in range(t, 7) if k not in (3, 6)) for t in range(7)],
    ),
    "not discounted": ("all_ones", [3, 2, 1, 0, 2, 1, 0]),
    "discounted forwards": ("all_ones", [1, 1.99, 2.9701, 0, 1, 1.99, 0]),
    "centred only": ("undefined", [0, 0, 0]),
    "sample() for rsample()": ("quiet", [0, 0]),
}


@pytest.mark.parametrize("says", SIGNATURES)
def test_a_mistake_leaves_its_signature(says: str) -> None:
    claim, expected = SIGNATURES[says]
    mistake = next(m for m in page().mistakes if m.says == says)
    value = check(page(), mistake.answer, only=[claim]).claims[0].value
    assert numbers(value) == pytest.approx([float(x) for x in expected], rel=1e-12, abs=1e-12)


def test_an_outcome_that_torch_takes_as_a_float_is_told_so() -> None:
    def by_logit(x: Any, arm: Any) -> Any:
        return torch.distributions.Bernoulli(logits=x).log_prob(arm)

    page = load("problem9")
    reasons = [line.reason for line in check(page, {page.functions["by_logit"]: by_logit}).claims]
    assert any("what a finite draw gives are whole numbers: to reckon with them write x.to(" in reason for reason in reasons)
