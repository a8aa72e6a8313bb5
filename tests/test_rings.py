"""Numbers: logarithms of rationals against balls, balls against mpmath, and nothing that raises where a formula has no value."""

from __future__ import annotations

import math
import threading
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from flint import acb, arb, ctx, fmpq
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl.backends.torch import Tensors, of_formulas
from gradcheck_rl.errors import ProblemError, Unsuitable
from gradcheck_rl.rings import (
    ANALYTIC,
    BITS,
    EPS,
    EXACT,
    ONE,
    ZERO,
    Float,
    LogOf,
    ball,
    blur,
    divide,
    image,
    is_finite,
    log_of,
    of_bits,
    rational,
    weigh,
    written,
)

FLOAT = Float()


def of(x: Fraction) -> Any:
    return fmpq(x.numerator, x.denominator)


def fraction(x: Any) -> Fraction:
    return Fraction(int(x.p), int(x.q))


def middle(x: Any) -> Fraction:
    significand, exponent = x.mid().man_exp()
    return Fraction(int(significand)) * Fraction(2) ** int(exponent)


positive = st.fractions(min_value=Fraction(1, 50), max_value=50, max_denominator=50)
rationals = st.fractions(min_value=-50, max_value=50, max_denominator=1000)
whole = st.integers(-70, 70)


# ---- logarithms of rationals ----------------------------------------------------------------------------------------------


@given(positive, positive)
def test_logs_add_and_subtract_as_balls_do(a: Fraction, b: Fraction) -> None:
    x, y = log_of(of(a)), log_of(of(b))
    assert x + y == log_of(of(a * b)) and ball(x + y).overlaps(ball(x) + ball(y))
    assert x - y == log_of(of(a / b)) and ball(x - y).overlaps(ball(x) - ball(y))
    assert x - x == ZERO and -x + x == ZERO


@given(positive, whole)
def test_whole_multiples_of_logs_are_right_and_small_ones_stay_logs(a: Fraction, n: int) -> None:
    x = log_of(of(a))
    for product in (x * fmpq(n), fmpq(n) * x):
        assert ball(product).overlaps(arb(of(a)).log() * n)
    assert not isinstance(x, LogOf) or abs(n) >= 64 or x * n == log_of(of(a**n))


@given(positive, rationals)
def test_logs_mix_with_rationals_and_balls(a: Fraction, b: Fraction) -> None:
    x, true = log_of(of(a)), arb(of(a)).log()
    for other in (of(b), arb(of(b))):
        for mixed, expected in (
            (x + other, true + other),
            (other + x, true + other),
            (x - other, true - other),
            (other - x, other - true),
            (x * other, true * other),
            (divide(other, x), divide(arb(other), true if a != 1 else arb(0))),
            (divide(x, other), divide(true, arb(other))),
        ):
            assert ball(mixed).overlaps(expected) or (ball(mixed).is_nan() and expected.is_nan())


@given(positive, positive)
def test_order_and_equality_of_logs_are_those_of_their_arguments(a: Fraction, b: Fraction) -> None:
    x, y = log_of(of(a)), log_of(of(b))
    assert ((x < y), (x <= y), (x > y), (x >= y), (x == y)) == ((a < b), (a <= b), (a > b), (a >= b), (a == b))
    assert x != y or hash(x) == hash(y)
    assert len({x, y, log_of(of(a))}) == (1 if a == b else 2)
    assert abs(x) == (x if a >= 1 else -x)


@given(positive, rationals)
def test_a_log_is_never_equal_to_another_rational_and_is_ordered_among_them(a: Fraction, b: Fraction) -> None:
    x = log_of(of(a))
    if isinstance(x, LogOf):
        with mpmath.workdps(40):
            below = mpmath.log(a.numerator) - mpmath.log(a.denominator) < mpmath.mpf(b.numerator) / b.denominator
        assert x != of(b) and of(b) != x
        assert (x < of(b)) == (of(b) > x) == (x <= of(b)) == below


@given(positive)
def test_exp_and_tanh_of_a_log_are_rational(a: Fraction) -> None:
    x = log_of(of(a))
    assert EXACT.exp(x) == of(a) and EXACT.log(of(a)) == x
    assert EXACT.tanh(x) == of((a * a - 1) / (a * a + 1))


# ---- the float64 that code receives, and what it loses ---------------------------------------------------------------------


def is_nearest(near: float, x: Fraction) -> bool:
    sides = (math.nextafter(near, -math.inf), math.nextafter(near, math.inf))
    return all(abs(Fraction(near) - x) <= abs(Fraction(side) - x) for side in sides)


@given(st.fractions(), st.integers(-900, 900))
def test_the_image_is_the_nearest_float_and_the_blur_covers_the_rest(a: Fraction, power: int) -> None:
    x = a * Fraction(2) ** power
    for number in (of(x), arb(of(x))):
        near, lost = image(number), blur(number)
        assert is_nearest(near, x)
        assert abs(Fraction(near) - x) <= Fraction(lost)
        assert lost <= 2 * EPS * abs(near) + 2.0**-1073
    assert (blur(of(x)) == 0) == (Fraction(image(of(x))) == x)


@given(rationals, st.floats(0, 1))
def test_the_blur_covers_a_ball(a: Fraction, radius: float) -> None:
    x = arb(of(a), radius)
    low, high = (Fraction(image(x)) + sign * Fraction(blur(x)) for sign in (-1, 1))
    assert low <= a - Fraction(radius) and a + Fraction(radius) <= high


def test_the_neighbours_of_an_image_are_not_nearest() -> None:
    x = arb(2).exp()
    near = image(x)
    assert is_nearest(near, middle(x))
    assert not any(is_nearest(math.nextafter(near, side), middle(x)) for side in (-math.inf, math.inf))


@pytest.mark.parametrize(
    ("x", "near", "lost"),
    [
        (fmpq(1, 10**400), 0.0, 2.0**-1074),
        (-(fmpq(10) ** 400), -math.inf, math.inf),
        (fmpq(2) ** 1023, 2.0**1023, 0.0),
        (arb.pos_inf(), math.inf, 0.0),
        (arb.neg_inf(), -math.inf, 0.0),
        (arb(0), 0.0, 0.0),
    ],
)
def test_the_ends_of_the_float_range(x: Any, near: float, lost: float) -> None:
    assert image(x) == near and blur(x) == lost


def test_what_is_not_a_number_has_no_radius() -> None:
    assert math.isnan(image(arb.nan())) and math.isnan(blur(arb.nan()))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_decimal_means_itself(x: float) -> None:
    assert fraction(rational(x)) == Fraction(repr(x)) and image(rational(x)) == x


def test_what_a_person_writes() -> None:
    assert rational(0.2) == rational(np.float64(0.2)) == fmpq(1, 5)
    assert rational(np.int64(3)) == rational(Fraction(3)) == 3 and rational(np.bool_(True)) == rational(True) == 1
    assert image(rational(-math.inf)) == -math.inf and math.isnan(image(rational(math.nan)))


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (fmpq(-1, 3), "-1/3"),
        (fmpq(127, 1000), "0.127"),
        (fmpq(1, 8), "1/8"),
        (fmpq(1, 64), "0.015625"),
        (fmpq(7), "7"),
        (log_of(fmpq(2, 3)), "log(2/3)"),
        (arb(1) / 3, "0." + 25 * "3"),
        (arb.neg_inf(), "-inf"),
    ],
)
def test_numbers_are_written_as_on_a_page(x: Any, text: str) -> None:
    assert written(x) == text


# ---- the words of a formula, in each ring ----------------------------------------------------------------------------------

WORDS: dict[str, Any] = {
    "exp": mpmath.exp, "tanh": mpmath.tanh, "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "atan": mpmath.atan,
    "erf": mpmath.erf, "erfc": mpmath.erfc,
}  # fmt: skip


@pytest.mark.parametrize("word", sorted(WORDS))
@given(st.fractions(min_value=-3, max_value=3, max_denominator=100))
def test_every_word_agrees_with_mpmath_in_every_ring(word: str, a: Fraction) -> None:
    with mpmath.workdps(80):
        true = WORDS[word](mpmath.mpf(a.numerator) / a.denominator)
        certified = getattr(EXACT, word)(of(a))
        complex_ = getattr(ANALYTIC, word)(acb(of(a))).real
        for x in (arb(certified), complex_):
            assert abs(mpmath.mpf(x.mid().str(70, radius=False)) - true) <= mpmath.mpf("1e-50") * (1 + abs(true))
            assert image(x.rad()) <= 1e-50 * (1 + abs(true))
    assert getattr(FLOAT, word)(float(a)) == pytest.approx(float(true), rel=1e-13 * (1 + abs(float(true))), abs=1e-14)


@pytest.mark.parametrize("radius", [0, 0.1, 1, 2.0**-30])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 6, -2])
def test_powers_of_balls_hold_the_powers_of_what_they_hold(n: int, radius: float) -> None:
    for centre in (0, 1, -2):
        x = ball(EXACT.power(arb(centre, radius), n))
        if n < 0 and radius >= abs(centre):
            assert x.is_nan()
        else:
            assert all(x.overlaps(arb(t) ** n if n else arb(1)) for t in (centre - radius, centre, centre + radius))


def test_pythons_own_power_of_a_ball_around_zero_is_why() -> None:
    assert (arb(0, 0.1) ** 2).is_nan() and not EXACT.power(arb(0, 0.1), 2).is_nan()


@given(positive)
def test_roots_of_squares_are_rational(a: Fraction) -> None:
    assert EXACT.root(of(a * a)) == of(a)
    assert EXACT.power(EXACT.root(of(a)), 2).overlaps(arb(of(a))) if isinstance(EXACT.root(of(a)), arb) else True


def test_a_whole_exponent_found_at_a_point_is_a_power() -> None:
    assert EXACT.raised(fmpq(-2), fmpq(3)) == -8 and EXACT.raised(arb(-2), fmpq(2)).overlaps(arb(4))
    assert EXACT.raised(fmpq(0), fmpq(0)) == 1 and EXACT.raised(fmpq(-2), fmpq(1, 2)).is_nan()


def test_nothing_raises_where_a_formula_has_no_value() -> None:
    for nothing in (divide(ONE, ZERO), divide(ZERO, ZERO), divide(ONE, arb(0, 1)), EXACT.power(ZERO, -1), EXACT.root(fmpq(-1)),
                    EXACT.log(fmpq(-1)), EXACT.step(arb.nan()), EXACT.step(arb(0, math.inf)), EXACT.sign(arb(0, 1)),
                    EXACT.maximum(arb.nan(), ZERO)):  # fmt: skip
        assert nothing.is_nan()
    assert EXACT.log(ZERO) == EXACT.log(arb(0)) == EXACT.log(ZERO * EXACT.exp(ONE)) == arb.neg_inf()
    with np.errstate(all="ignore"):
        assert FLOAT.log(np.float64(0)) == -math.inf and math.isnan(FLOAT.step(np.nan)) and math.isnan(FLOAT.root(np.float64(-1)))


def test_what_a_float_cannot_hold_is_no_error_and_still_exact() -> None:
    large = EXACT.exp(fmpq(800))
    assert large.is_finite() and image(large) == math.inf and (large / EXACT.exp(fmpq(799))).overlaps(arb(1).exp())
    assert image(EXACT.exp(fmpq(-800))) == 0 and blur(EXACT.exp(fmpq(-800))) > 0
    assert FLOAT.number(10**400, 3) == math.inf and FLOAT.number(10**400, 10**399) == 10


def test_weight_zero_counts_for_nothing() -> None:
    assert [weigh(ZERO, arb.nan()), weigh(arb(0), arb.neg_inf())] == [0, 0] and weigh(ONE, arb.nan()).is_nan()


@given(rationals, rationals)
def test_the_smaller_the_larger_and_the_sides_agree_with_python(a: Fraction, b: Fraction) -> None:
    x, y = of(a), of(b)
    assert (EXACT.minimum(x, y), EXACT.maximum(x, y), EXACT.absolute(x)) == (of(min(a, b)), of(max(a, b)), of(abs(a)))
    side = (a > 0) - (a < 0)
    assert (EXACT.step(x), EXACT.sign(x), EXACT.side(x)) == (int(a >= 0), side, fmpq(side + 1, 2))
    assert [image(word(x)) for word in (EXACT.step, EXACT.sign, EXACT.side)] == [
        float(word(float(a))) for word in (FLOAT.step, FLOAT.sign, FLOAT.side)
    ]
    assert ball(EXACT.minimum(arb(x), y)).overlaps(arb(of(min(a, b))))
    assert ball(EXACT.maximum(x, arb(y))).overlaps(arb(of(max(a, b))))


# ---- tables ---------------------------------------------------------------------------------------------------------------


@given(st.data())
def test_lookups_agree_with_numpy_indexing(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    index = [np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=4, max_size=4))) for n in shape]
    cells = np.arange(math.prod(shape), dtype=float)
    expected = cells.reshape(shape)[tuple(index)]
    assert (FLOAT.pick(list(cells), shape, *(i.astype(float) for i in index)) == expected).all()
    for k in range(4):
        assert EXACT.pick([fmpq(int(c)) for c in cells], shape, *(fmpq(int(i[k])) for i in index)) == int(expected[k])


def test_tables_whose_cells_are_arrays_are_read_row_by_row() -> None:
    cells = [np.arange(3.0) + 10 * k for k in range(4)]
    i, j = np.array([[0.0], [1.0]]), np.array([1.0, 0.0, 1.0])
    assert FLOAT.pick(cells, (2, 2), i, j).tolist() == [[10, 1, 12], [30, 21, 32]]


@pytest.mark.parametrize("index", [(2, 0), (0, -1), (0, 2), (Fraction(1, 2), 0)])
def test_an_index_outside_a_table_is_named(index: tuple[Any, ...]) -> None:
    message = r"a table of shape \(2, 2\) was read at index .*: write an index from 0 to 1 there"
    for ring, i in ((EXACT, map(rational, index)), (FLOAT, (np.array([float(k)]) for k in index))):
        with pytest.raises(ProblemError, match=message):
            ring.pick([ZERO, ONE, ZERO, ONE], (2, 2), *i)


# ---- certified integration ------------------------------------------------------------------------------------------------


def test_a_function_with_branch_cuts_is_integrated_right() -> None:
    """The integral of atan(50 x) over (0, 1) is atan(50) - log(2501) / 100, by parts."""
    found = acb.integral(lambda x, _: ANALYTIC.atan(50 * x), acb(0), acb(1)).real
    assert found.overlaps(arb(50).atan() - arb(2501).log() / 100) and image(found.rad()) < 1e-20


def test_corners_and_jumps_are_refused() -> None:
    for word in ("minimum", "maximum", "step", "side", "sign", "absolute", "pick"):
        with pytest.raises(Unsuitable, match="a corner or a jump"):
            getattr(ANALYTIC, word)(acb(1), acb(2))


@given(st.integers(1, 50), st.integers(1, 50))
def test_a_logarithm_is_a_float_when_it_is_asked(p: int, q: int) -> None:
    found = np.array([log_of(fmpq(p, q))], dtype=object).astype(float)
    assert np.allclose(found, np.log(p / q), rtol=0, atol=4e-16 * max(1, abs(np.log(p / q))))


@given(st.integers(-3, 3), st.integers(0, 3))
def test_a_jump_and_a_root_of_a_ball_contain_those_of_what_is_in_it(mid: int, rad: int) -> None:
    b = arb(mid, rad)
    for n in range(mid - rad, mid + rad + 1):
        assert ball(EXACT.step(b)).contains(1 if n >= 0 else 0)
        if n >= 0:
            assert EXACT.root(b).is_nan() is False and EXACT.root(b).overlaps(arb(n).sqrt())


# ---- balls that are wide --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_a_wide_ball_loses_no_digit_of_its_middle(sign: int) -> None:
    """What the middle loses is far less than what the radius shows."""
    for n in range(1, 30):
        x = arb(fmpq(sign, 2 * n + 1), 10.0**6)
        assert abs(Fraction(image(x)) - middle(x)) + middle(x.rad()) <= Fraction(blur(x))


@given(*[st.integers(-3, 3), st.integers(0, 3)] * 2)
def test_the_smaller_and_the_larger_of_balls_hold_those_of_what_is_in_them(a: int, r: int, b: int, s: int) -> None:
    least, most = EXACT.minimum(arb(a, r), arb(b, s)), EXACT.maximum(arb(a, r), arb(b, s))
    for m in range(a - r, a + r + 1):
        for n in range(b - s, b + s + 1):
            assert ball(least).overlaps(arb(min(m, n))) and ball(most).overlaps(arb(max(m, n)))


def test_a_ball_that_ends_at_zero_may_be_zero() -> None:
    below = arb(-1, 1)
    assert EXACT.step(below).contains(1) and EXACT.step(below).contains(0)
    assert EXACT.sign(below).is_nan() and EXACT.side(below).is_nan()


def test_only_a_narrow_ball_around_zero_is_a_tie() -> None:
    narrow, wide = arb(0, 2.0**-50), arb(0, 2.0**-30)
    assert EXACT.sign(narrow) == 0 and EXACT.side(narrow) == fmpq(1, 2)
    assert EXACT.sign(wide).is_nan() and EXACT.side(wide).is_nan()


def test_a_root_is_not_known_where_there_may_be_none() -> None:
    assert EXACT.root(arb(0)) == 0 and blur(EXACT.root(arb(0, 1e-40))) >= 1


def test_what_holds_a_branch_cut_is_not_analytic() -> None:
    """Else an integrator would take it for what it is not."""
    across, aside = acb(arb(-1), arb(0, 0.1)), acb(arb(1), arb(0, 0.1))
    third = acb(fmpq(1, 3))
    for f in (ANALYTIC.root, ANALYTIC.log, ANALYTIC.atan, lambda z: ANALYTIC.raised(z, third)):
        assert f(aside).is_finite()
        assert not f(acb(0, 2) + across * acb(0, 1) if f == ANALYTIC.atan else across).is_finite()


def test_whole_numbers_have_negative_powers() -> None:
    assert FLOAT.power(np.array([2, 4]), -1).tolist() == [0.5, 0.25]


def test_what_is_infinite_is_not_finite_and_what_no_float_holds_is() -> None:
    assert not any(is_finite(x) for x in (arb.pos_inf(), arb.neg_inf(), arb.nan()))
    assert all(is_finite(x) for x in (EXACT.exp(fmpq(800)), fmpq(10**400), log_of(fmpq(2))))


# ---- the inverse of erf ---------------------------------------------------------------------------------------------------

inside = st.fractions(min_value=-1, max_value=1, max_denominator=1000).filter(lambda a: abs(a) < 1)


@given(inside)
def test_the_inverse_of_erf_agrees_with_mpmath_in_every_ring(a: Fraction) -> None:
    found = ball(EXACT.erfinv(of(a)))
    with mpmath.workdps(80):
        true = mpmath.erfinv(mpmath.mpf(a.numerator) / a.denominator)
        assert abs(mpmath.mpf(found.mid().str(70, radius=False)) - true) <= mpmath.mpf("1e-50") * (1 + abs(true))
    assert image(found.rad()) <= 1e-50 and found.erf().overlaps(arb(of(a)))
    for rough in (FLOAT.erfinv(float(a)), Tensors().erfinv(torch.tensor(float(a), dtype=torch.float64))):
        assert float(rough) == pytest.approx(float(true), rel=1e-12)  # the slope is 200 at 0.999, and the argument rounded


@given(st.integers(1, 3000), st.sampled_from([1, -1]))
def test_the_inverse_of_erf_is_known_however_near_to_its_end(digits: int, side: int) -> None:
    left = fmpq(1, 10**digits)
    found = EXACT.erfinv(side * (1 - left))
    assert (side * found).erfc().overlaps(arb(left)) and image(found.rad()) <= 1e-50


@given(inside, st.fractions(min_value=0, max_value=1), st.fractions(min_value=-1, max_value=1))
def test_the_inverse_of_erf_of_a_ball_holds_that_of_what_is_in_it(a: Fraction, width: Fraction, at: Fraction) -> None:
    radius = Fraction(float(width * (1 - abs(a)))) * Fraction(9, 10)
    found = ball(EXACT.erfinv(arb(of(a), float(radius))))
    assert not found.is_finite() or found.overlaps(ball(EXACT.erfinv(of(a + at * radius))))


def test_the_inverse_of_erf_at_its_ends_and_beyond() -> None:
    for number in (fmpq, arb):
        assert [image(EXACT.erfinv(number(k))) for k in (-1, 0, 1)] == [-math.inf, 0, math.inf]
        assert not is_finite(EXACT.erfinv(number(1))) and EXACT.erfinv(number(2)).is_nan() and EXACT.erfinv(number(-2)).is_nan()
    assert EXACT.erfinv(arb.nan()).is_nan() and EXACT.erfinv(arb(1, 0.1)).is_nan() and EXACT.erfinv(ZERO) is ZERO
    assert EXACT.erfinv(log_of(fmpq(2))).erf().overlaps(arb(2).log()) and EXACT.erfinv(log_of(fmpq(3))).is_nan()
    ends = np.array([-math.inf, -1.5, -1, 0, 1, 1.5, math.nan])
    for found in (FLOAT.erfinv(ends), Tensors().erfinv(torch.tensor(ends)).numpy()):
        assert np.array_equal(found, [math.nan, math.nan, -math.inf, 0, math.inf, math.nan, math.nan], equal_nan=True)
    with pytest.raises(Unsuitable, match="none of erfinv"):
        ANALYTIC.erfinv(acb(0))


def test_threads_that_want_other_precisions_leave_it_as_it_was() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with of_bits(2 * BITS):
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with of_bits(3 * BITS):
        thread.start()
        inside.wait(0.1)
    leave.set()
    thread.join()
    assert ctx.prec == BITS


@pytest.mark.parametrize(
    "name", ["absolute", "sign", "exp", "log", "tanh", "sin", "cos", "tan", "atan", "erf", "erfc", "erfinv", "root"]
)
def test_a_function_of_tensors_is_that_of_floats(name: str) -> None:
    for x in (0.25, 0.5):
        found = getattr(Tensors(), name)(torch.tensor(x, dtype=torch.float64))
        assert float(found) == pytest.approx(float(getattr(FLOAT, name)(x)), rel=1e-14)


@pytest.mark.parametrize("name", ["add", "multiply", "minimum", "maximum", "raised"])
def test_a_function_of_two_tensors_is_that_of_floats(name: str) -> None:
    for x, y in ((0.25, 0.5), (0.5, 0.25)):
        found = getattr(Tensors(), name)(*torch.tensor([x, y], dtype=torch.float64))
        assert float(found) == pytest.approx(float(getattr(FLOAT, name)(x, y)), rel=1e-14)


def test_tensors_stop_gradients_and_weigh() -> None:
    ring, zero, x = Tensors(), torch.zeros(()).double().requires_grad_(), torch.tensor(3.0).double()
    assert not ring.held(zero).requires_grad
    (slope,) = torch.autograd.grad(ring.weigh(zero, x), zero)
    assert slope == 3 and ring.weigh(zero, x / 0) == 0 and ring.weigh(x, x / 0) == math.inf
    for y, up, side in ((-1, 0, 0), (0, 1, 0.5), (1, 1, 1)):
        at = torch.tensor(y).double().requires_grad_()
        assert (ring.step(at), ring.side(at)) == (up, side)
        assert not ring.step(at).requires_grad and not ring.side(at).requires_grad


def test_the_slope_by_what_a_formula_does_not_hold_is_zero() -> None:
    assert of_formulas(lambda ring, xs: [2 * xs[0], xs[1]], np.array([[1.0, 2.0]]), [0, 1]).tolist() == [[2, 0, 0, 1]]


@given(st.floats(0.1, 10) | st.floats(-10, -0.1), st.integers(-12, 12))
def test_a_power_of_floats_and_of_tensors_is_that_of_fractions(x: float, n: int) -> None:
    right = pytest.approx(float(Fraction(x) ** n), rel=1e-14)
    assert FLOAT.power(np.array([x]), n)[0] == right
    assert float(Tensors().power(torch.tensor(x, dtype=torch.float64), n)) == right


def test_powers_of_what_is_no_number_or_has_no_end() -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan])
    for n in range(-12, 13):
        with np.errstate(divide="ignore"):
            assert np.array_equal(FLOAT.power(x, n), np.power(x, float(n)), equal_nan=True)
