"""A number and its radius: whatever is done to it, the true value stays inside."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, fmpq
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl.estimate import EPS, Estimate, Evidence, quadrature, weighted_sum
from gradcheck_rl.rings import log_of

rationals = st.fractions(min_value=-1000, max_value=1000, max_denominator=10**6)


def of(x: Fraction) -> Any:
    return fmpq(x.numerator, x.denominator)


@st.composite
def known(draw: st.DrawFn) -> tuple[Fraction, Estimate]:
    """A true rational, and a float estimate of it: somewhere within a radius that covers it."""
    true = draw(rationals)
    spread = draw(st.sampled_from([Fraction(0), Fraction(1, 10**9), Fraction(1, 100), Fraction(3)]))
    value = float(true + spread * draw(st.fractions(min_value=-1, max_value=1, max_denominator=100)))
    radius = math.nextafter(float(abs(Fraction(value) - true)), math.inf)
    return true, Estimate(np.array([value]), np.array([radius]))


def covers(estimate: Estimate, true: Fraction, at: int = 0) -> bool:
    value, radius = float(estimate.value[at]), float(estimate.radius[at])
    return math.isinf(radius) or abs(Fraction(value) - true) <= Fraction(radius)


OPERATIONS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b,
    lambda a, b: a * a - a * b, lambda a, b: (a + b) * (a - b) / (b * b),
]  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
@given(known(), known())
def test_arithmetic_encloses_the_true_value(operation: Any, a: tuple[Fraction, Estimate], b: tuple[Fraction, Estimate]) -> None:
    try:
        true = operation(a[0], b[0])
    except ZeroDivisionError:
        assert not np.isfinite(operation(a[1], b[1]).radius).any()
        return
    assert covers(operation(a[1], b[1]), true)


def test_the_rounding_of_the_midpoint_is_in_the_radius() -> None:
    """Two floats known exactly: their quotient 1/3 is not, and a radius of 0 would not enclose it."""
    quotient = Estimate(np.array([1.0]), np.zeros(1)) / Estimate(np.array([3.0]), np.zeros(1))
    assert covers(quotient, Fraction(1, 3)) and not covers(Estimate(quotient.value, np.zeros(1)), Fraction(1, 3))


@pytest.mark.parametrize("operation", OPERATIONS)
@given(rationals, rationals)
def test_exact_numbers_stay_exact(operation: Any, a: Fraction, b: Fraction) -> None:
    found = operation(Estimate.of([of(a)]), Estimate.of([of(b)]))
    try:
        true = operation(a, b)
    except ZeroDivisionError:
        assert np.isnan(found.value).all() and found.evidence is Evidence.BALL
        return
    assert found.evidence is Evidence.EXACT and found.exact[0] == of(true)
    assert found.value[0] == float(true) and covers(found, true)


@given(rationals, st.lists(known(), min_size=1, max_size=6), st.booleans())
def test_weighted_sums_enclose_the_true_value(first: Fraction, terms: list[tuple[Fraction, Estimate]], exact: bool) -> None:
    weights = [first, *(Fraction(k, 7) for k in range(len(terms) - 1))]
    true = sum((w * t for w, (t, _) in zip(weights, terms, strict=True)), Fraction(0))
    w = Estimate.of([of(x) for x in weights])
    if exact:
        found = weighted_sum(w, Estimate.of([of(t) for t, _ in terms]), 0)
        assert found.evidence is Evidence.EXACT and found.exact == of(true)
    else:
        x = Estimate(np.concatenate([t.value for _, t in terms]), np.concatenate([t.radius for _, t in terms]))
        found = weighted_sum(w, x, 0)
    assert covers(found.map(np.atleast_1d), true)


@given(known(), known())
def test_a_weight_near_zero_counts_with_its_radius(w: tuple[Fraction, Estimate], x: tuple[Fraction, Estimate]) -> None:
    """A weight whose midpoint is 0 is not nothing: its radius times the term is."""
    blurred = Estimate(np.zeros(1), np.abs(w[1].value) + w[1].radius)
    assert covers(weighted_sum(blurred, x[1], 0).map(np.atleast_1d), w[0] * x[0])


def test_weight_zero_hides_what_is_not_finite_and_nothing_else_does() -> None:
    terms = np.array([np.nan, 2.0, np.inf])
    for x in (Estimate(terms, np.array([np.nan, 0, np.inf])), Estimate.of([arb.nan(), fmpq(2), arb.pos_inf()])):
        assert weighted_sum(Estimate.of([fmpq(0), fmpq(1, 2), fmpq(0)]), x, 0).value == 1
        for weights in ([fmpq(1, 4), fmpq(1, 2), fmpq(1, 4)], [fmpq(1, 10**400), fmpq(1), fmpq(0)]):
            assert np.isnan(weighted_sum(Estimate.of(weights), x, 0).value)


def test_what_is_not_a_number_stays_so() -> None:
    nothing = Estimate(np.array([np.nan]), np.array([0.0]))
    one = Estimate(np.array([1.0]), np.array([0.0]))
    for operation in OPERATIONS[:4]:
        for a, b in ((nothing, one), (one, nothing)):
            assert np.isnan(operation(a, b).value).all() and not np.isfinite(operation(a, b).radius).any()
    unknown = Estimate(np.array([1.0]), np.array([np.nan]))
    assert all(np.isnan(operation(unknown, one).radius).all() for operation in OPERATIONS[:4])


def test_a_divisor_that_may_be_zero_leaves_nothing_known() -> None:
    assert np.isinf((Estimate(np.ones(1), np.zeros(1)) / Estimate(np.array([0.1]), np.array([0.1]))).radius).all()


def test_evidence_is_the_weakest() -> None:
    kinds = {
        Evidence.EXACT: Estimate.of([fmpq(1)]),
        Evidence.BALL: Estimate.of([arb(2).exp()]),
        Evidence.FLOAT: Estimate(np.ones(1), np.zeros(1)),
        Evidence.SAMPLED: Estimate(np.ones(1), np.ones(1), Evidence.SAMPLED),
    }
    for a, x in kinds.items():
        assert x.evidence is a
        for b, y in kinds.items():
            assert (x + y).evidence is (x * y).evidence is weighted_sum(x, y, 0).evidence is max(a, b)
    assert Estimate.of([log_of(fmpq(2)), fmpq(1)]).evidence is Evidence.EXACT
    assert [e.word for e in Evidence] == ["exact", "certified ball", "float", "sampled"]


@given(st.lists(rationals, min_size=6, max_size=6))
def test_a_rearrangement_moves_midpoint_radius_and_exact_entries_alike(numbers: list[Fraction]) -> None:
    whole = Estimate.of(np.array([of(x) for x in numbers], dtype=object).reshape(2, 3))
    turned = whole.map(lambda a: a.T[::-1])
    expected = np.array([float(x) for x in numbers]).reshape(2, 3).T[::-1]
    assert turned.shape == (3, 2) and (turned.value == expected).all()
    assert [float(Fraction(int(x.p), int(x.q))) for x in turned.exact.ravel()] == list(turned.value.ravel())
    assert (turned.radius <= EPS * np.abs(expected) + 2.0**-1074).all()


def test_what_is_infinite_at_one_point_takes_nothing_from_what_is_known_at_another() -> None:
    """A spread at one point is in the radius of every other, in proportion; what is no number there says nothing of them."""

    asked: list[tuple[int, Any]] = []

    def rule(order: int, rows: Any = slice(None)) -> Any:
        asked.append((order, rows))
        return np.array([[1.0, 1.0, 1.0], [1.0, 2.0 + order / 10, [np.inf, np.nan][order % 2]]])[rows]

    found = quadrature(rule, 1)
    assert [(order, list(rows)) for order, rows in asked[3:]] == [(3, [1]), (4, [1]), (5, [1])], "where it is known nobody asks"
    assert found.radius[0, 0] < 1e-9 and found.radius[0, 2] < 1e-9
    assert 0.1 < found.radius[0, 1] <= found.radius[1, 1] < np.inf and not np.isfinite(found.radius[1, 2])


@given(known(), known())
def test_a_divisor_has_no_less_room_for_its_sign(a: tuple[Fraction, Estimate], b: tuple[Fraction, Estimate]) -> None:
    minus = Estimate(-b[1].value, b[1].radius)
    assert np.array_equal((a[1] / minus).radius, (a[1] / b[1]).radius, equal_nan=True)


@pytest.mark.parametrize("above", [math.nan, 0.0, 1.0, -1.0])
@pytest.mark.parametrize("room", [0.0, 0.5])
def test_nothing_over_what_may_be_zero_is_infinite_and_no_number_stays_none(above: float, room: float) -> None:
    """Over a zero that is certain it is infinite, or no number; over one that may be none it is not known."""
    quotient = Estimate(np.array([above]), np.zeros(1)) / Estimate(np.zeros(1), np.array([room]))
    assert not np.isfinite(quotient.radius).any()
    assert np.isfinite(quotient.value).all() == (room > 0 and not math.isnan(above))


def test_entries_are_taken_from_one_and_from_the_other() -> None:
    """Midpoint, radius, exact entry and the weaker evidence."""
    here = np.array([True, False])
    one, two = Estimate.of([fmpq(1), fmpq(1)]), Estimate.of([fmpq(2), fmpq(2)])
    both = one.where(here, two)
    assert list(both.exact) == [1, 2] and list(both.value) == [1, 2] and both.evidence is Evidence.EXACT
    drawn = Estimate(np.full(2, 3.0), np.full(2, 0.25), Evidence.SAMPLED)
    for found, value, radius in ((one.where(here, drawn), [1, 3], [0, 0.25]), (drawn.where(here, one), [3, 1], [0.25, 0])):
        assert list(found.value) == value and list(found.radius) == radius
        assert found.exact is None and found.evidence is Evidence.SAMPLED


def test_what_underflows_and_what_a_long_sum_rounds_stay_inside() -> None:
    """1e-200 squared is no float; ten thousand tenths and -1000, one after the other, are 1e-10 off, and their sum is 5e-14."""
    tiny = Estimate(np.array([1e-200]), np.zeros(1))
    assert covers(tiny * tiny, Fraction(1e-200) ** 2)
    terms = np.array([0.1] * 10_000 + [-1000.0])[:, None] * [1, 1]
    ones = Estimate.of([fmpq(1)] * len(terms)).map(lambda x: x[:, None])
    found = weighted_sum(ones, Estimate(terms, np.zeros_like(terms)), 0)
    true = 10_000 * Fraction(0.1) - 1000
    assert covers(found, true) and abs(Fraction(float(found.value[0])) - true) > 1e-11, "the sum does round"


def test_errors_of_terms_add_up_but_for_those_of_weight_zero() -> None:
    """Each term may be half beyond its midpoint."""
    halves = Estimate(np.ones(4), np.array([0.5, 0.5, 0.5, np.inf]))
    found = weighted_sum(Estimate.of([fmpq(1)] * 3 + [fmpq(0)]), halves, 0).map(np.atleast_1d)
    assert covers(found, Fraction(9, 2)) and found.radius < 1.6


@pytest.mark.parametrize("radius", [0.1, 0.3, 0.7])
def test_a_long_sum_of_radii_is_not_rounded_down(radius: float) -> None:
    terms = Estimate(np.zeros((10_000, 2)), np.full((10_000, 2), radius))
    ones = Estimate.of([fmpq(1)] * 10_000).map(lambda x: x[:, None])
    assert covers(weighted_sum(ones, terms, 0), 10_000 * Fraction(radius))


def orders(*values: float) -> tuple[float, float, int]:
    """Value and radius of a rule with these values at its orders, and how many orders were asked."""
    asked: list[int] = []

    def rule(order: int, rows: Any = slice(None)) -> Any:
        asked.append(order)
        return np.array([[float(values[order])]])[rows]

    found = quadrature(rule, 0)
    return float(found.value[0, 0]), float(found.radius[0, 0]), len(asked)


@pytest.mark.parametrize("size", [0.0, 50.0, -50.0])
def test_a_rule_is_asked_until_it_has_settled(size: float) -> None:
    """Distances go by the size of the value. What settled is known to a hundred times the distance at which it did."""
    unit = 1 + abs(size)

    def at(*steps: float) -> tuple[float, float, int]:
        value, radius, asked = orders(*(size + unit * x for x in steps))
        return (value - size) / unit, radius / unit, asked

    def known(found: tuple[float, float, int], value: float, radius: float, asked: int) -> None:
        assert found == (pytest.approx(value, abs=1e-14), pytest.approx(radius, rel=1e-2), asked)

    known(at(0, 3e-14), 3e-14, 1e-10, 2)
    known(at(0, 5e-13, 5e-13), 5e-13, 1e-10, 3)
    known(at(0, 2e-7, 2e-7), 2e-7, 4e-7, 3)  # the third decides for the second
    known(at(0, 2e-7, 0), 2e-7, 4e-7, 3)  # or for the first: both are within
    known(at(0, 2e-7, 1e-7, 0, 3e-7, 0), 2e-7, 4 * 3e-7, 6)  # it is near neither
    known(at(0, 1e-4, 1e-4, 1e-4, 0, 2e-4), 1e-4, 4 * 2e-4, 6)  # two may be near each other by chance
    known(at(0, 3e-3, 1e-3, 2e-3, 2e-3, 2e-3), 2e-3, 1e-10, 6)  # three finer ones are not
    known(at(0, 3e-3, 1e-3, 2e-3, 2e-3 + 1e-10, 2e-3), 3e-3, 4 * 3e-3, 6)
    known(at(0, 3e-3, 1e-3, 2e-3, 2e-3, 2e-3 + 1e-10), 3e-3, 4 * 3e-3, 6)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_grows_with_the_reach_of_its_rules_and_does_not_slow_down_is_not_known(sign: int) -> None:
    def radius(*values: float) -> float:
        return orders(*(sign * x for x in values))[1]

    assert radius(0, 1, 2, 3, 4, 6) == math.inf
    assert radius(0, 1, 2, 3, 4, 4.5) == 18  # it slows down
    assert radius(0, 1, 2, 3, 2.5, 6) == 24  # it turns
    assert radius(0, 0.01, 0.02, 0.03, 0.04, 0.06) == pytest.approx(0.24)  # it is small beside 1
    assert radius(0, 0.1, 0.2, 0.3, 0.4, 0.6) == math.inf


def test_what_is_seen_at_one_point_goes_by_size_to_another() -> None:
    """A spread of 4 at a value of 1 is a radius of 16, eight times 1 + 1; at a value of 9 the same part is 80."""
    values = np.array([[[1.0], [9.0]], [[1.0], [9.0]], [[3.0], [9.0]], [[5.0], [9.0]], [[1.0], [9.0]], [[1.0], [9.0]]])
    values[0, 0] = 2.0
    found = quadrature(lambda order, rows=slice(None): values[order][rows], 0)
    assert found.radius[:, 0].tolist() == [16, 80]


@pytest.mark.parametrize(("last", "radius"), [(0, 1e-10), (1e-9, 2e-8)])
def test_what_settled_at_one_point_takes_nothing_from_another_and_keeps_its_own(last: float, radius: float) -> None:
    values = np.array([[5e-9, 0, 1e-9, 0, 0, last], [0, 2e-7, 2e-7, 2e-7, 2e-7, 2e-7]])
    found = quadrature(lambda order, rows=slice(None): values[:, order, None][rows], 0)
    assert found.radius[:, 0] == pytest.approx([radius, 4e-7], rel=1e-3)


@given(st.floats(-1e6, 1e6), st.integers(1, 1000))
def test_a_rule_rounds_once_for_each_node(value: float, nodes: int) -> None:
    radius = [quadrature(lambda order: np.array([[value]]), n).radius[0, 0] for n in (0, nodes)]
    assert radius[1] - radius[0] == pytest.approx(nodes * EPS * max(1, abs(value)), rel=1e-2, abs=1e-18 * abs(value))


def test_a_ball_is_a_ball_whatever_its_radius() -> None:
    assert Estimate.of([fmpq(1), arb(2)]).evidence is Evidence.BALL
