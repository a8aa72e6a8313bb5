"""Corners: where a gradient is one number although a switch is tied, where it is an interval, where a formula is no use."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl import (
    Categorical,
    Claim,
    Curl,
    Draw,
    E,
    Equal,
    Gradient,
    Hull,
    Parameter,
    Point,
    Problem,
    Value,
    Variable,
    Within,
    array,
    check,
    clip,
    exp,
    minimum,
    softmax,
    torch,
)
from gradcheck_rl.report import Line

r = Parameter("r")
gain = Variable("gain")
FIFTH = Fraction(1, 5)
surrogate = minimum(r * gain, clip(r, 1 - FIFTH, 1 + FIFTH) * gain)


def ruling(claim: Claim) -> Line:
    return check(Problem("corners", claims=(claim,))).claims[0]


def torch_surrogate(r, gain):  # type: ignore[no-untyped-def]
    return torch.min(r * gain, r.clamp(0.8, 1.2) * gain)


@given(st.integers(81, 119), st.sampled_from([-2, -1, 1, 3]))
def test_two_branches_that_are_one_number_have_one_slope(hundredths: int, a: int) -> None:
    """Between the bounds the clip does nothing: min(rA, rA) has slope A."""
    at = Point(r=Fraction(hundredths, 100), gain=a)
    assert ruling(Claim("A", Equal(Gradient(surrogate), a), at=at)).verdict == "agrees"


@given(st.integers(-20, 20))
def test_balls_that_cannot_be_told_apart_are_a_tie(tenths: int) -> None:
    """exp(u) and its clip are the same ball, not the same rational: the slope is still exp(u), and no NaN."""
    u = Parameter("u")
    bounded = minimum(exp(u), clip(exp(u), 0, 100))
    claim = Claim("exp(u)", Equal(Gradient(bounded), exp(u)), at=Point(u=Fraction(tenths, 10)))
    assert ruling(claim).verdict == "agrees"


@pytest.mark.parametrize(("at", "low", "high"), [(FIFTH + 1, 0, 1), (1 - FIFTH, 1, 1)])
def test_clarkes_interval_at_a_bound(at: Fraction, low: int, high: int) -> None:
    """At 1 + eps the slopes beside the point are A and 0; at 1 - eps both are A, since below it the min takes rA as well."""
    for slope, inside in ((low, True), (high, True), (Fraction(1, 2), low < high), (Fraction(-1, 10), False)):
        claim = Claim("inside", Within(Gradient(slope * r), Hull(Gradient(surrogate))), at=Point(r=at, gain=1))
        assert (ruling(claim).verdict == "agrees") is inside


def test_no_derivative_is_taken_at_a_kink_of_the_given_data() -> None:
    claim = Claim("half", Equal(Gradient(surrogate), Fraction(1, 2)), at=Point(r=1 + FIFTH, gain=1))
    found = ruling(claim)
    assert found.verdict == "undecided" and "kink" in found.reason


def test_nor_where_two_halved_ties_miss_the_only_slope() -> None:
    """At r = 0.8 and A = 1 the slope is 1, but halving the tie of the min and that of the clip gives 1/2 + 1/4."""
    claim = Claim("three quarters", Equal(Gradient(surrogate), Fraction(3, 4)), at=Point(r=1 - FIFTH, gain=1))
    assert ruling(claim).verdict == "undecided"


def test_a_corner_under_an_expectation_is_seen() -> None:
    theta = Parameter("theta", 2)
    k = Draw("k", Categorical([Fraction(1, 2), Fraction(1, 2)]))
    loss = E(minimum(theta, 0)[k])
    kink, smooth = Point(theta=(0, 1)), Point(theta=(-1, 1))
    assert ruling(Claim("at 0", Equal(Gradient(loss), (Fraction(1, 4), 0)), at=kink)).verdict == "undecided"
    assert ruling(Claim("at -1", Equal(Gradient(loss), (Fraction(1, 2), 0)), at=smooth)).verdict == "agrees"


def test_points_with_open_ties_are_kept() -> None:
    """A tied switch alone is no kink: no point is dropped for it."""
    theta = Parameter("theta", 3)
    k = Draw("k", Categorical([Fraction(1, 3)] * 3))
    ratio = 3 * softmax(theta)
    loss = E((minimum(ratio, clip(ratio, 0, 3)))[k])
    found = ruling(Claim("one", Equal(Gradient(loss), 0)))
    assert found.verdict in ("agrees", "proved") and found.removed == 0


def test_the_curl_of_a_field_with_corners_is_that_beside_them() -> None:
    x = Parameter("x", 2)
    field = Gradient(minimum(x[0] * x[1], x[1]))
    assert ruling(Claim("a gradient", Equal(Curl(field), 0))).verdict in ("agrees", "proved")


def test_an_array_times_a_quantity_is_a_quantity() -> None:
    x = Parameter("x", 2)
    assert ruling(Claim("product", Equal(array(2, 3) * Gradient(x[0] + x[1]), (2, 3)))).ok
    assert not ruling(Claim("product", Equal(array(2, 3) * Gradient(x[0] + x[1]), (3, 2)))).ok


def test_code_and_formula_agree_off_the_corners() -> None:
    found = ruling(Claim("torch", Equal(Gradient(torch_surrogate), Gradient(surrogate))))
    assert found.verdict == "agrees"
    assert ruling(Claim("values", Equal(Value(torch_surrogate), surrogate))).verdict == "agrees"
