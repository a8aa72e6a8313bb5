"""What is too narrow for all nodes is seen by outcomes at random, and what is smooth is not."""

import math
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, exp, sqrt, tanh

from gradcheck_rl import (
    Claim,
    Covariance,
    Draw,
    E,
    Equal,
    Gaussian,
    Gradient,
    Mean,
    Parameter,
    Point,
    Problem,
    Uniform,
    Value,
    array,
    check,
    sigmoid,
    step,
)
from gradcheck_rl.estimate import LEAST
from gradcheck_rl.expressions import integrals
from gradcheck_rl.stray import Seen, missed

plane, space = (Draw(name, Gaussian(array(*[0] * n), array(*[1] * n))) for name, n in (("plane", 2), ("space", 3)))
u, v = Draw("u", Gaussian(0, 1)), Draw("v", Gaussian(0, 1))
m = Parameter("m", over=Uniform(-1, 1))


def chance(r: float, n: int) -> float:
    """Of a ball of this radius around the centre of n normal coordinates."""
    inside = -math.expm1(-(r**2) / 2)
    return inside if n == 2 else math.erf(r / math.sqrt(2)) - math.sqrt(2 / math.pi) * r * (1 - inside)


def inside(draw: Any, r: Any) -> Any:
    return step(r**2 - (draw[:] ** 2).sum())


@settings(max_examples=20)
@given(st.sampled_from([plane, space]), st.fractions(Rational(3, 20), Rational(1, 2), max_denominator=100))
def test_a_reward_in_a_small_ball_lies_within_the_radius(draw: Any, r: Any) -> None:
    found = integrals([E(inside(draw, r))], {})
    assert abs(found.value - chance(float(r), len(draw))) <= found.radius


@pytest.mark.parametrize("beside", [-(space[:] ** 2).sum(), space[0] - 1], ids=["a cost", "a baseline times a score"])
def test_a_cost_or_a_baseline_hides_no_ball(beside: Any) -> None:
    found = integrals([E(inside(space, Rational(1, 5)) + beside)], {})
    assert abs(found.value - float(E(beside).doit()) - chance(0.2, 3)) <= found.radius


@pytest.mark.parametrize("wanted", [0, 1])
def test_no_claim_agrees_beside_a_ball(wanted: int) -> None:
    def reward(space: Any) -> Any:
        return torch.where((space**2).sum() < 0.04, 1.0, 0.0)

    sides = E(inside(space, Rational(1, 5))), Mean(Value(reward)), Covariance(Value(reward))
    truth = Rational(chance(0.2, 3)) if wanted else 0
    found = check(Problem("Sparse", [Claim(f"{i}.", Equal(side, truth)) for i, side in enumerate(sides)])).claims
    assert {line.verdict for line in found} == {"undecided"}
    (wide, *_) = check(Problem("Sparse", [Claim("So.", Equal(Mean(Value(reward)), 0), resolution=0.05)])).claims
    assert wide.verdict == "agrees"


def test_a_steep_slope_is_seen() -> None:
    soft = E(sigmoid(1000 * (m + u)))
    wanted = exp(-(m**2) / 2) / sqrt(2 * sp.pi)
    at = Point(m=Rational(3, 10))
    claims = [Claim(f"{x}.", Equal(Gradient(soft), x), at=at, resolution=0.01) for x in (0, wanted)]
    assert {line.verdict for line in check(Problem("Cold", claims)).claims} == {"undecided"}


def test_a_ball_within_a_mean_of_its_own() -> None:
    far = E(E(inside(space, Rational(1, 2) + 0 * u), over=space) * (1 + tanh(u)))
    found = integrals([far], {})
    assert abs(found.value - chance(0.5, 3)) <= found.radius


smooth = st.sampled_from(
    [
        tanh(u + 2 * v),
        exp(u - v / 2) * tanh(v),
        sp.cos(2 * u) * v**2,
        sp.log(1 + exp(u + v)),
        sp.Abs(u) + v,
        1 / (1 + u**2 + v**2),
        sp.Max(u, 1) * exp(v),
        sqrt(2 + tanh(u)) * v**4,
    ]
)


@settings(max_examples=30)
@given(smooth, smooth, st.fractions(-3, 3, max_denominator=7), st.sampled_from([1, 10**6]))
def test_what_is_smooth_is_known_as_well_as_before(f: Any, g: Any, k: Any, size: int) -> None:
    found = integrals([E(size * (f + k * g), over=(u, v))], {})
    assert (found.radius <= 20 * LEAST * size * (1 + np.abs(found.value))).all()


@given(st.integers(1, 3), st.floats(0.1, 10), st.floats(-100, 100))
def test_only_what_no_node_has_seen_counts(n: int, height: float, base: float) -> None:
    rng = np.random.default_rng(n)
    nodes, stray = ([*rng.standard_normal((n, 1, 200))] for _ in range(2))
    weights = np.full((1, 200), 1 / 200)
    flat, bump = np.full((1, 200, 1), base), np.full((1, 200, 1), base)
    bump[0, 7] += height
    assert missed(Seen(nodes, weights, flat), Seen(stray, weights, bump)) == pytest.approx(height / 200)
    assert missed(Seen(nodes, weights, bump), Seen(stray, weights, bump)) == 0
    bump[0, 7] = math.nan
    assert missed(Seen(nodes, weights, flat), Seen(stray, weights, bump)) == 0
    assert missed(Seen(nodes, weights, bump * math.nan), Seen(stray, weights, flat)) == 0
