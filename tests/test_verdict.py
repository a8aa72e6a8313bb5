"""The one comparison: finiteness first, then the slack, then the resolution."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl import Claim, Equal, Parameter, Problem, check
from gradcheck_rl.estimate import Estimate, Evidence
from gradcheck_rl.verdict import Ruling, Verdict, combine, compare, largest

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


# ---- the whole rule, one component after the other ------------------------------------------------------------------------

RESOLUTION = 1e-6


def component(chance: random.Random) -> tuple[float, ...]:
    """Left and right with their radii, what the relation leaves between them, slack and blur."""
    wild = chance.random() < 0.6
    a = chance.choice([0.0, 1.0, -3.0, -1e6] + [nan, inf, -inf] * wild)
    b = chance.choice([a, a, a] + [nan, inf, -inf, 2.0] * wild)
    b += chance.choice([0, 0, 3e-8, -3e-8, 4e-7, 1.5e-6, -5e-6]) * (1 + abs(b)) if math.isfinite(b) else 0
    ra, rb = (chance.choice([0, 0, 0, 2e-8, 2e-8 * abs(x), 6e-6, inf, nan]) for x in (a, b))
    excess = chance.choice([abs(a - b), abs(a - b), a - b, nan])
    return a, ra, b, rb, excess, ra + rb, chance.choice([ra + rb, ra + rb, ra, 6e-6, inf, nan])


def found_out(component: tuple[float, ...], faint: float, formulas: bool) -> str:
    a, ra, b, rb, excess, slack, blur = component
    if not (math.isfinite(a) and math.isfinite(b)):
        number = [(x, r) for x, r in ((a, ra), (b, rb)) if math.isfinite(x)]
        if number and not (math.isnan(a) or math.isnan(b)):
            (x, r) = number[0]
            if not r <= RESOLUTION * (1 + abs(x)):
                return "blind"
        if a == b or excess < 0:
            return "wrong" if a == b and excess > 0 else "fine"
        return "blind" if formulas and math.isnan(a) and math.isnan(b) else "wrong"
    if not math.isfinite(slack):
        return "blind"
    off = math.isnan(excess) or excess > slack
    if off and (not faint or not excess <= faint + RESOLUTION * abs(b)):
        return "wrong"
    if not blur <= RESOLUTION * (1 + abs(b)):
        return "blind"
    return "inexact" if off else "fine"


def test_the_verdict_is_that_of_its_components() -> None:
    """One that is wrong refutes, else one that is hardly known leaves all undecided, else one that is inexact is remarked."""
    chance = random.Random(0)
    for _ in range(1500):
        faint, formulas = chance.choice([0.0, 1e-6]), chance.random() < 0.5
        rows = [component(chance) for _ in range(chance.choice([1, 1, 2, 3]))]
        a, ra, b, rb, excess, slack, blur = np.array(rows).T[:, None, :]
        verdict, (row, at), gap, _, remark = compare(
            excess, Estimate(a, ra), Estimate(b, rb), slack, blur, RESOLUTION, faint, formulas
        )
        kinds = [found_out(c, faint, formulas) for c in rows]
        worst = next(kind for kind in ("wrong", "blind", "inexact", "fine") if kind in kinds)
        expected = {"wrong": Verdict.REFUTED, "blind": Verdict.UNDECIDED}.get(worst, Verdict.AGREES)
        assert (verdict, bool(remark)) == (expected, worst == "inexact"), rows
        assert row == 0 and kinds[at] == worst, "the component that is shown is one that decided"
        if worst == "inexact" or (set(kinds) == {"fine"} and np.isfinite([a, b]).all()):
            assert gap == max(x for x, kind in zip(excess[0], kinds, strict=True) if kind == worst)


def test_the_largest_has_no_sign_and_evidence_is_that_of_the_weaker_side() -> None:
    assert largest(np.array([1.0, -3.0, nan, -inf])) == 3 and largest(np.array([nan])) == 0
    exact, drawn = (Estimate(np.ones(1), np.ones(1), e) for e in (Evidence.EXACT, Evidence.SAMPLED))
    for left, right in ((exact, drawn), (drawn, exact)):
        assert Ruling("", Verdict.AGREES, left=left, right=right).evidence is Evidence.SAMPLED


def test_how_well_a_side_must_be_known_goes_by_the_right_one() -> None:
    """-100 is at most 0 and at least -200, and known to 5e-5: enough beside 100, and not beside 0."""
    small, large, blur = Estimate(np.zeros((1, 1)), np.zeros((1, 1))), np.full((1, 1), -100.0), np.full((1, 1), 5e-5)
    for left, right, verdict in ((large, small.value, Verdict.UNDECIDED), (small.value, large, Verdict.AGREES)):
        sides = Estimate(left, blur), Estimate(right, blur)
        assert compare(-np.abs(left - right), *sides, blur, blur, 1e-6).verdict is verdict


@given(st.sampled_from(Verdict), st.sampled_from(Verdict))
def test_the_word_of_a_report_is_the_verdict(a: Verdict, b: Verdict) -> None:
    assert (a.word == b) is (a == b.word) is (a is b)
    assert f"{a}" == a.word == json.loads(json.dumps(a)) and Verdict(a.word) is a


def test_a_line_of_a_report_is_compared_with_verdicts() -> None:
    x = Parameter("x")
    report = check(Problem("A page", (Claim("Right.", Equal(x + x, 2 * x)), Claim("Wrong.", Equal(x + x, 3 * x)))))
    assert [line.verdict == Verdict.REFUTED for line in report.claims] == [False, True]
