"""Derivatives by the package's own rules are SymPy's."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp
from hypothesis import example, given
from hypothesis import strategies as st

from gradcheck_rl import (
    Bernoulli,
    Draw,
    E,
    ProblemError,
    Variable,
    array,
    atan,
    diff,
    frozen,
    log,
    log_prob,
    maximum,
    minimum,
    sigmoid,
    step,
)
from gradcheck_rl.calculus import exponential, free, logarithm, product, relettered, slope, substituted
from gradcheck_rl.normal_form import is_zero

x, y = sp.symbols("x y", real=True)
n = sp.Symbol("n", integer=True)
table = Variable("table", 2)

leaves = st.one_of(st.sampled_from([x, y, *table]), st.integers(-3, 3).map(sp.Integer))
one = [
    sp.exp, sp.sin, sp.tanh, sp.erf, sp.Abs, frozen, sigmoid,
    lambda a: sp.log(1 + a**2), lambda a: a**3, lambda a: 1 / (2 + a**2), lambda a: sp.sqrt(1 + a**2), lambda a: table[n] * a,
]  # fmt: skip
two = [sp.Add, sp.Mul, maximum, lambda a, b: (1 + a**2) ** b, lambda a, b: a / (1 + b**2)]


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(lambda f, a: f(a), st.sampled_from(one), inner),
        st.builds(lambda f, a, b: f(a, b), st.sampled_from(two), inner, inner),
    )


formulas = st.recursive(leaves, grown, max_leaves=8)


@given(formulas, st.sampled_from([x, y, *table]))
@example((1 + x**2) ** (1 / (1 + sp.exp(-1))), x)  # a divisor that is a sum, in an exponent, expand leaves as it is
def test_a_slope_is_sympys(e: Any, by: Any) -> None:
    gap = slope(e, by) - sp.diff(e, by)
    assert sp.expand(gap) == 0 or is_zero(gap)
    assert free(e) == e.free_symbols


@given(formulas)
def test_one_after_the_other(e: Any) -> None:
    assert diff(e, x, y) == slope(slope(e, x), y)
    assert diff(e, x, 2) == diff(e, x, x)
    assert diff(e, x, 0) == diff(e) == e


@given(st.lists(formulas, min_size=1, max_size=4))
def test_a_product_is_the_one_that_sympy_writes(factors: list[Any]) -> None:
    assert product(*factors) == sp.Mul(*factors)
    assert product(*factors).args == sp.Mul(*factors).args


@given(formulas, formulas)
def test_a_substitution_is_sympys(e: Any, by: Any) -> None:
    for rule in ({x: y}, {table[0]: by, y: x}, {x: sp.S.Zero}):
        assert sp.expand(substituted(e, rule) - e.xreplace(rule)) in (0, sp.nan)


@given(formulas)
def test_what_is_left_as_written_is_what_sympy_makes_of_it(e: Any) -> None:
    assert exponential(e) == sp.exp(e)
    assert logarithm(e) == sp.log(e)


def test_what_sympy_alone_can_do_it_does() -> None:
    w, i, k = sp.IndexedBase("w", real=True), *sp.symbols("i k", integer=True)
    f = sp.Function("f")
    total = sp.Sum(sp.exp(w[k]), (k, 0, 3))
    area = sp.Integral(x * y, (y, 0, x))
    for e, by in ((sp.log(total), w[i]), (x * total, w[0]), (w[0] ** 2 * w[1], w[0]), (f(x) ** 2, f(x)), (area, x)):
        assert slope(e, by) == sp.diff(e, by) != 0
    assert slope(w[0] * x, w[1]) == 0


def test_a_draw_is_differentiated_through_its_law() -> None:
    action = Draw("action", Bernoulli(x))
    assert diff(x * E(action), x).doit() == 2 * x
    assert diff(E(action), y) == 0


def test_an_array_is_differentiated_entry_by_entry() -> None:
    assert diff(array(x**2, x * y), x).tolist() == [2 * x, y]


def test_a_jump_is_refused() -> None:
    with pytest.raises(ProblemError, match="meets the jump"):
        diff(step(x) * y, x)
    assert diff(step(y) * x, x) == step(y)


def test_what_sympy_does_not_know_to_be_real_has_a_slope() -> None:
    """A logarithm on a page is of what is positive there, and log_prob(draw) is a table of them."""
    inside = log(1 - sigmoid(x))
    score = log_prob(Draw("action", Bernoulli(sigmoid(x))))
    for e in (inside, score):
        assert diff(sp.Abs(e), x) == sp.sign(e) * diff(e, x)
        assert diff(sp.sign(e), x) == 2 * sp.DiracDelta(e) * diff(e, x)
        assert diff(sp.sign(frozen(e)), x) == 0
        assert diff(minimum(atan(1 / (2 + e**2)), y), y) == sp.Heaviside(atan(1 / (2 + e**2)) - y)


def test_the_larger_of_what_is_no_real_number_is_refused() -> None:
    with pytest.raises(ProblemError, match=r"compares what is no real number: write what is one; the logarithm of a negative"):
        diff(maximum(log(-(x**2) - 1), x), x)


def test_the_logarithm_of_a_product_does_not_ask_whether_it_is_zero() -> None:
    p = x / (1 + sp.exp(x - 2 * y))
    assert logarithm(p) == sp.log(p, evaluate=False)
    assert "zero" not in p._assumptions


@pytest.mark.parametrize("factors", [(x, x, y), (x, y, x**2), (sp.exp(x), sp.exp(y), y), (2**x, 3**x), (x, sp.Integer(2), y)])
def test_factors_that_sympy_puts_together_are_together(factors: tuple[Any, ...]) -> None:
    assert product(*factors) == sp.Mul(*factors)


i, j = sp.symbols("i j", integer=True, nonnegative=True)
given_row = sp.IndexedBase("W")


def written_out(e: Any) -> Any:
    if not isinstance(e, sp.Sum):
        return e.func(*map(written_out, e.args)) if e.has(sp.Sum) else e
    *inner, (letter, low, high) = e.limits
    body = sp.Sum(e.function, *inner) if inner else e.function
    return sp.Add(*(written_out(body.xreplace({letter: sp.Integer(n)})) for n in range(int(low), int(high) + 1)))


@pytest.mark.parametrize("taken", [{i}, {j}, {i, j}])
@pytest.mark.parametrize(
    "e",
    [
        sp.Sum(given_row[i] * sp.Sum(given_row[j], (j, 0, i)), (i, 0, 2)),
        sp.Sum(given_row[i] * given_row[j] ** 2, (j, 0, i), (i, 0, 2)),
        sp.Sum(given_row[i], (i, 0, 2)),
    ],
)
def test_a_sum_with_other_letters_is_the_same_sum(e: Any, taken: set[Any]) -> None:
    other = relettered(e, taken)
    letters = {limit[0] for part in other.atoms(sp.Sum) for limit in part.limits}
    assert sp.expand(written_out(other) - written_out(e)) == 0 != written_out(e)
    assert {str(s) for s in taken}.isdisjoint(map(str, letters)) and all(s.is_nonnegative for s in letters)


@given(st.integers(0, 2), st.lists(st.integers(0, 2), min_size=1, max_size=3))
def test_a_slope_by_an_entry_at_a_letter_may_be_by_any_of_those_written(at: int, written: list[int]) -> None:
    e = sp.exp(sp.Mul(*(given_row[n] for n in written)))
    assert sp.expand(slope(e, given_row[i]).xreplace({i: sp.Integer(at)}) - slope(e, given_row[at])) == 0
    assert sp.expand(slope(e, given_row[i]).xreplace({i: sp.Integer(at)})) != slope(e, given_row[at]) + 1
