"""The one comparison: finiteness first, then the slack, then the resolution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl.estimate import Estimate
from gradcheck_rl.verdict import Ruling, Verdict, combine, compare

nan, inf = float("nan"), float("inf")
number = st.floats(-1e6, 1e6)
size = st.floats(0, 1e-3)


def judge(a: float, ra: float, b: float, rb: float, resolution: float = 1e-6, faint: float = 0.0) -> Verdict:
    left, right = (Estimate(np.array([[x]]), np.array([[r]])) for x, r in ((a, ra), (b, rb)))
    with np.errstate(invalid="ignore"):
        excess = np.abs(left.value - right.value)
    slack = left.radius + right.radius
    return compare(excess, left, right, slack, slack, resolution, faint)[0]


@pytest.mark.parametrize(
    ("a", "ra", "b", "rb"),
    [(nan, 0, 1, 0), (1, 0, nan, 0), (nan, nan, 1, 0), (nan, inf, nan, inf), (inf, 0, 1, 0), (inf, 0, -inf, 0)],
)
def test_what_is_not_a_number_is_refuted(a: float, ra: float, b: float, rb: float) -> None:
    assert judge(a, ra, b, rb) is Verdict.REFUTED


@pytest.mark.parametrize(("ra", "rb"), [(nan, 0), (0, nan), (inf, 0), (nan, nan)])
def test_a_radius_that_is_not_a_number_shows_nothing(ra: float, rb: float) -> None:
    assert judge(1, ra, 1, rb) is Verdict.UNDECIDED
    assert judge(1, ra, 2, rb) is Verdict.UNDECIDED


@given(number, size)
def test_a_number_refutes_an_infinity_where_it_is_known_and_not_otherwise(a: float, ra: float) -> None:
    expected = Verdict.REFUTED if ra <= 1e-6 * (1 + abs(a)) else Verdict.UNDECIDED
    assert judge(a, ra, inf, 0) is judge(-inf, 0, a, ra) is expected
    assert judge(a, ra, nan, 0) is Verdict.REFUTED


def test_equal_infinities_agree() -> None:
    assert judge(inf, 0, inf, 0) is Verdict.AGREES


@given(number, size, number, size)
def test_a_gap_beyond_the_slack_refutes_and_a_wide_slack_shows_nothing(a: float, ra: float, b: float, rb: float) -> None:
    gap, slack = abs(a - b), ra + rb
    expected = Verdict.REFUTED if gap > slack else Verdict.UNDECIDED if slack > 1e-6 * (1 + abs(b)) else Verdict.AGREES
    assert judge(a, ra, b, rb) is expected


@given(number, st.floats(2e-9, 1e-7))
def test_code_that_is_right_but_inexact_agrees_and_says_so(b: float, error: float) -> None:
    a = b + error * (1 + abs(b))
    left, right = (Estimate(np.array([[x]]), np.array([[0.0]])) for x in (a, b))
    gap, slack = np.abs(left.value - right.value), np.zeros((1, 1))
    assert compare(gap, left, right, slack, slack, 1e-6)[0] is Verdict.REFUTED
    verdict, *_, remark = compare(gap, left, right, slack, slack, 1e-6, faint=1e-6)
    assert verdict is Verdict.AGREES
    assert "accurate only to" in remark


def test_one_bad_coordinate_is_enough() -> None:
    left = Estimate(np.array([[0.0, 1.0], [0.0, 2.0]]), np.zeros((2, 2)))
    right = Estimate(np.zeros((2, 2)), np.zeros((2, 2)))
    verdict, at, gap, _, _ = compare(np.abs(left.value), left, right, left.radius, left.radius, 1e-6, faint=1e-6)
    assert (verdict, at, gap) == (Verdict.REFUTED, (1, 1), 2.0)


def test_a_refuting_route_refutes_and_a_wide_one_does_not_count() -> None:
    wide, shown, proved, bad = (Ruling(v.name, v) for v in (Verdict.UNDECIDED, Verdict.AGREES, Verdict.PROVED, Verdict.REFUTED))
    assert combine([wide, shown]) is shown
    assert combine([shown, proved]) is proved
    assert combine([proved, shown, bad]) is bad
    assert combine([wide]) is wide


def test_a_verdict_is_no_truth_value() -> None:
    with pytest.raises(TypeError, match="compare it"):
        assert Verdict.AGREES
