"""What is said of a claim besides its verdict: another estimator, routes that do not count, data without a number."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sympy import Rational

from gradcheck_rl import Categorical, Claim, Draw, Equal, Gaussian, Gradient, Mean, Parameter, Problem, Uniform, Value, check

x = Parameter("x", over=Uniform(1, 2))
y = Parameter("y", over=Uniform(1, 2))
u = Draw("u", Gaussian(0, 1))
w = Draw("w", Gaussian(0, 1))
arm = Draw("arm", Categorical([Rational(1, 3)] * 3))


# ---- the mean is right: is it the declared estimator? --------------------------------------------------------------------------


def remark(page: Problem, answer: Any) -> str:
    line = check(page, answer).claims[0]
    assert line.verdict == "agrees"
    return line.remark


def square(x: Any, u: Any) -> Any:
    return x * u**2


def turned(x: Any, u: Any) -> Any:
    return x * (-u) ** 2


def mirrored(x: Any, u: Any) -> Any:
    """Its mean is x and its variance 2 x^2, as the page's are. E[u^6] = 15, so E[(2 - u^2)^3] = 8 - 12 + 18 - 15 = -1."""
    return x * (2 - u**2)


def noisier(x: Any, u: Any) -> Any:
    return x * u**2 + u


def heavy(x: Any, u: Any) -> Any:
    """The square of u exp(u^2/3) has the mean of u^2 exp(2 u^2/3), which is infinite."""
    return x * u**2 + x * u * torch.exp(u**2 / 3)


squares = Problem(title="Squares", claims=(Claim("So.", Equal(Mean(Value(square)), x)),))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (mirrored, "this is another estimator: its third moment is -"),
        (noisier, "this is another estimator: its variance is "),
        (heavy, "this is another estimator: its variance is not known to be finite, the declared one's is "),
    ],
)
def test_another_law_with_the_right_mean_is_told(answer: Any, says: str) -> None:
    assert says in remark(squares, {square: answer})


def test_the_same_law_drawn_otherwise_is_the_declared_estimator() -> None:
    assert remark(squares, {square: turned}) == ""


def slopes(x: Any, y: Any, u: Any, w: Any) -> Any:
    return x * (1 + u) + y * (1 + 2 * w)


def swapped(x: Any, y: Any, u: Any, w: Any) -> Any:
    return x * (1 + 2 * u) + y * (1 + w)


def tied(x: Any, y: Any, u: Any, w: Any) -> Any:
    return x * (1 + u) + y * (1 + 2 * u) + 0 * w


def reversed_(x: Any, y: Any, u: Any, w: Any) -> Any:
    return x * (1 - u) + y * (1 + 2 * w)


def test_the_whole_covariance_is_compared() -> None:
    page = Problem(title="Slopes", claims=(Claim("So.", Equal(Mean(Gradient(slopes)), (1, 1))),))
    assert "its variance is 4 by x, the declared one's 1" in remark(page, {slopes: swapped})
    assert "its covariance is 2 by x and y, the declared one's 0" in remark(page, {slopes: tied})
    assert remark(page, {slopes: reversed_}) == ""


tables = st.lists(st.integers(-4, 4), min_size=3, max_size=3)


@given(tables, tables)
def test_three_moments_tell_three_values_apart(ours: list[int], theirs: list[int]) -> None:
    """Three equally likely values are those of another table, in some order, where three moments are the same."""
    theirs[2] = sum(ours) - theirs[0] - theirs[1]

    def declared(x: Any, arm: Any) -> Any:
        return x * torch.tensor(ours, dtype=torch.float64)[arm]

    def answer(x: Any, arm: Any) -> Any:
        return x * torch.tensor(theirs, dtype=torch.float64)[arm]

    page = Problem(title="Tables", claims=(Claim("So.", Equal(Mean(Value(declared)), x * Rational(sum(ours), 3))),))
    assert ("another estimator" in remark(page, {declared: answer})) == (sorted(ours) != sorted(theirs))
