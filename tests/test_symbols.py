"""Variables as arrays, lookups at random indices, stop-gradients, jumps and sizes."""

from __future__ import annotations

import copy
import operator
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import pytest
import sympy as sp
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl import (
    Categorical,
    Claim,
    Draw,
    E,
    Equal,
    Gradient,
    Integers,
    Mean,
    Mistake,
    Named,
    Parameter,
    Problem,
    ProblemError,
    Rows,
    Simplex,
    Size,
    Uniform,
    Variable,
    Within,
    array,
    batch,
    check,
    clip,
    diff,
    exp,
    frozen,
    log,
    log_prob,
    log_softmax,
    maximum,
    minimum,
    sigmoid,
    softmax,
    softplus,
    step,
    tanh,
)
from gradcheck_rl.expressions import values
from gradcheck_rl.symbols import by_name, entries, resized, sizes, thaw

whole = st.integers(-9, 9)


def value(e: Any, at: dict[Any, Any]) -> Any:
    """The exact value of a formula at whole numbers or fractions."""
    row = {s: fmpq(*(sp.Rational(x).p, sp.Rational(x).q)) for s, x in at.items()}
    x = values([sp.sympify(e, strict=True)], [row]).exact[0, 0]
    return sp.Rational(int(x.p), int(x.q)) if isinstance(x, fmpq) else x


# ---- arrays ---------------------------------------------------------------------------------------------------------------


@given(st.lists(whole, min_size=6, max_size=6), st.lists(whole, min_size=3, max_size=3))
def test_formulas_are_numpy_on_arrays(w: list[int], d: list[int]) -> None:
    W, x = Variable("W", (2, 3)), Variable("x", 3)
    at = dict(zip([*W.atoms.ravel(), *x.atoms], [*w, *d], strict=True))
    rows, column = np.array(w).reshape(2, 3), np.array(d)
    for formula, expected in (
        (W @ x, rows @ column), (W.T, rows.T), (W * x + 1, rows * column + 1), (2 - W[1], 2 - rows[1]), (W[:, 1:], rows[:, 1:]),
        ((W - x) ** 2, (rows - column) ** 2), (W.sum(axis=0), rows.sum(0)), (W.sum(), rows.sum()), (-x[::-1], -column[::-1]),
    ):  # fmt: skip
        assert np.shape(formula) == np.shape(expected)
        assert [value(e, at) for e in entries(formula)] == list(np.ravel(expected))
    assert value(W.mean(), at) == sp.Rational(int(rows.sum()), 6)
    assert [value(e, at) for e in W.mean(axis=1)] == [sp.Rational(int(r.sum()), 3) for r in rows]


def test_names_are_those_of_the_page() -> None:
    theta, x = Variable("theta", (2, 2)), Variable("x")
    assert str(theta[0, 1] + x[()]) == "theta_0_1 + x" and sp.latex(theta[0, 1]) == r"\theta_{0,1}"
    assert repr(theta) == "theta" and theta[0, 1] != Variable("theta", (2, 2))[0, 1]


@pytest.mark.parametrize("text", ["x", "__import__('os')", "1"])
def test_text_is_refused_and_never_run(text: str) -> None:
    for use in (exp, array, entries, lambda t: maximum(Variable("x"), t), lambda t: Categorical([t, t]), E):
        with pytest.raises(ProblemError, match="is no formula: write numbers, variables and the words of gradcheck_rl"):
            use(text)


@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow])
@pytest.mark.parametrize("shape", [(), 3, (2, 3)])
def test_a_formula_works_on_a_variable_entry_by_entry_from_both_sides(op: Any, shape: Any) -> None:
    formula, v = Variable("a") - 1, Variable("v", shape)
    assert np.array_equal(op(formula, v), [op(formula, e) for e in v.array.ravel()] if shape == 3 else op(formula, v.array))
    assert np.array_equal(op(v, formula), op(v.array, formula))


def test_an_array_where_a_number_belongs_is_named() -> None:
    with pytest.raises(ProblemError, match=r"`w` has shape \(3,\); a number was expected here: write an index, as in w\[0\]\."):
        sp.sympify(Variable("w", 3))
    with pytest.raises(ProblemError, match="'two words' cannot be the name of an argument"):
        Variable("two words")


def test_the_last_probability_is_one_minus_the_others() -> None:
    p = Parameter("p", (2, 3), over=Simplex())
    for row in p:
        assert sp.expand(row.sum()) == 1 and row[-1] == 1 - row[0] - row[1]
        assert row[-1].diff(row[0]) == -1


def test_what_is_positive_is_known_to_be() -> None:
    assert Variable("s", over=Uniform(0.1, 1))[()].is_positive and Variable("x")[()].is_positive is None
    assert frozen(Variable("s", over=Uniform(0.1, 1))).is_positive


# ---- words ----------------------------------------------------------------------------------------------------------------


@given(st.lists(whole, min_size=3, max_size=3), st.sampled_from([(1, 1, 1), (1, 0, 1), (0, 1, 0)]))
def test_softmax_is_over_the_allowed_entries(theta: list[int], allowed: tuple[int, ...]) -> None:
    weights = [sp.exp(t) * m for t, m in zip(theta, allowed, strict=True)]
    probs = softmax(array(*theta), array(*allowed))
    assert [sp.simplify(p - w / sum(weights)) for p, w in zip(probs, weights, strict=True)] == [0, 0, 0]
    assert [*log(probs)] == [-sp.oo if p == 0 else sp.log(p) for p in probs]  # minus infinity, as code gives it
    for k, log_p in enumerate(log_softmax(array(*theta), array(*allowed))):
        assert sp.simplify(sp.exp(log_p) - probs[k]) == 0


@given(whole, whole, whole)
def test_clip_sigmoid_and_softplus(x: int, a: int, b: int) -> None:
    low, high = min(a, b), max(a, b)
    assert clip(x, low, high) == min(max(x, low), high) == maximum(minimum(x, high), low)
    assert (minimum(x, a, b), maximum(x, a, b)) == (min(x, a, b), max(x, a, b))
    t = Variable("t")[()]
    assert sp.simplify(softplus(t).diff(t) - sigmoid(t)) == 0 and sigmoid(sp.Integer(0)) == sp.Rational(1, 2)


# ---- stop-gradients -------------------------------------------------------------------------------------------------------


@given(whole, whole)
def test_a_frozen_formula_has_its_value_and_no_slope(a: int, b: int) -> None:
    x, y = Variable("x")[()], Variable("y")[()]
    e = frozen(x * y + tanh(x)) * x**2
    at = {x: a, y: b}
    plain = (x * y + tanh(x)) * x**2
    assert value(e - plain, at) == 0 or values([e - plain], [{x: fmpq(a), y: fmpq(b)}]).exact[0, 0].contains(0)
    assert e.diff(y) == 0 and frozen(x * y).diff(x) == 0
    assert e.diff(x) == frozen(x * y + tanh(x)) * 2 * x
    assert thaw(e) == plain and thaw(e.diff(x)) != plain.diff(x)
    assert thaw(frozen(x * frozen(y))) == x * y


def test_a_stop_gradient_is_seen_through_by_everything_but_the_derivative() -> None:
    x, y = Variable("x")[()], Variable("y")[()]
    e = frozen(x * y)
    assert e.free_symbols == {x, y} and e.subs(x, 2) == frozen(2 * y) and e.xreplace({x: sp.Integer(2), y: sp.Integer(3)}) == 6
    assert frozen(e) == e and frozen(sp.Integer(3)) == 3
    assert [str(f) for f in frozen(array(x, y))] == ["frozen(x)", "frozen(y)"]


# ---- jumps ----------------------------------------------------------------------------------------------------------------


@given(st.fractions(max_denominator=9))
def test_a_step_is_one_from_zero_on(a: Any) -> None:
    x = Variable("x")[()]
    assert value(step(x), {x: a}) == step(sp.Rational(a)) == int(a >= 0)


def test_a_jump_has_no_derivative_outside_an_expectation() -> None:
    x, y = Variable("x")[()], Variable("y")[()]
    message = r"the derivative by x meets the jump step\(x - y\): take the expectation first, or write frozen"
    with pytest.raises(ProblemError, match=message):
        (step(x - y) * x).diff(x)
    assert step(x - y).diff(Variable("z")[()]) == 0
    assert frozen(step(x)).diff(x) == step(frozen(x)).diff(x) == 0


# ---- lookups --------------------------------------------------------------------------------------------------------------

i, j = (Draw(name, Categorical([sp.Rational(1, n)] * n)) for name, n in (("i", 2), ("j", 3)))
M = Variable("M", (2, 3, 2))
LOOKUPS: list[tuple[Any, Any]] = [
    (lambda M, i, j: M[i], "M[i, 0, 0]"), (lambda M, i, j: M[:, j], "M[0, j, 0]"), (lambda M, i, j: M[1, j], "M[1, j, 0]"),
    (lambda M, i, j: M[i, j, i], "M[i, j, i]"), (lambda M, i, j: M[i, 2, 1], "M[i, 2, 1]"),
    (lambda M, i, j: M[i, :, i], "M[i, 0, i]"), (lambda M, i, j: M[:, j, 1:], "M[0, j, 1]"),
    (lambda M, i, j: M[0][j], "M[0, j, 0]"), (lambda M, i, j: M[1 - i, j], "M[1 - i, j, 0]"),
]  # fmt: skip


@pytest.mark.parametrize(("read", "text"), LOOKUPS)
def test_a_lookup_is_numpys_at_every_index_and_reads_as_it_was_written(read: Any, text: str) -> None:
    numbers = np.arange(12).reshape(2, 3, 2) ** 2
    formula = read(M, i[()], j[()])
    assert str(entries(formula)[0]) == text
    for a in range(2):
        for b in range(3):
            at = dict(zip(M.atoms.ravel(), numbers.ravel().tolist(), strict=True)) | {i[()]: a, j[()]: b}
            expected = read(numbers, a, b)
            assert np.shape(formula) == np.shape(expected)
            assert [value(e, at) for e in entries(formula)] == list(np.ravel(expected))
            fixed = [e.xreplace({i[()]: sp.Integer(a), j[()]: sp.Integer(b)}) for e in entries(formula)]
            assert fixed == list(np.ravel(read(M.array, a, b)))


def test_a_lookup_is_differentiated_entry_by_entry() -> None:
    x = Variable("x")[()]
    table = array([x**2, 3], [frozen(x), x])
    slope = table[i, j].diff(x)
    assert [slope.xreplace({i[()]: sp.Integer(a), j[()]: sp.Integer(b)}) for a in (0, 1) for b in (0, 1)] == [2 * x, 0, 0, 1]
    assert M[i, j, 0].diff(x) == 0 and M[i, j, 0].diff(M[1, 2, 0]).xreplace({i[()]: sp.Integer(1), j[()]: sp.Integer(2)}) == 1


def test_a_table_without_a_name_and_a_turned_one_show_their_entries() -> None:
    x, W = Variable("x")[()], Variable("W", (2, 2))
    assert str(array(x, 2 * x)[i]) == "(x, 2*x)[i]"
    assert str(W.T[i, i]) == "(W_0_0, W_1_0, W_0_1, W_1_1)[i, i]" and str(W[i, i]) == "W[i, i]"
    assert sp.latex(W[1, i]) == "W_{1,i}" and sp.latex(W[1, i] ** 2) == r"\left(W_{1,i}\right)^{2}"
    assert str(Variable("p", 3, over=Simplex())[j]) == "p[j]"


def test_an_index_outside_a_table_is_an_error_and_not_another_entry() -> None:
    for outside in (-1, 2):
        with pytest.raises(ProblemError, match="was read at index"):
            M[i + outside, 0, 0].xreplace({i[()]: sp.Integer(0)})


# ---- sizes ----------------------------------------------------------------------------------------------------------------


def test_a_size_is_its_own_unless_the_page_is_read_at_another() -> None:
    def page() -> tuple[Any, ...]:
        K, N = Size("K", 3, also=(2, 5)), Size("N", 4)
        return K, N, Variable("theta", K).shape, Variable("W", (N, K)).shape, resized()

    assert page() == (3, 4, (3,), (4, 3), False)
    with sizes({"K": 5}):
        assert page() == (5, 4, (5,), (4, 5), True)
    assert page() == (3, 4, (3,), (4, 3), False)
    K = Size("K", 3, also=(2, 5))
    assert (K.name, K.also, K + 1, isinstance(K, int)) == ("K", (2, 5), 4, True)


def test_a_spaces_assumptions_do_not_leak_between_variables() -> None:
    assert Variable("n", over=Integers(0, 3))[()] != Variable("n", over=Integers(0, 3))[()]


@pytest.mark.parametrize("shape", [10**9, (10**4, 10**4)])
def test_a_shape_that_no_memory_holds_is_told(shape: Any) -> None:
    with pytest.raises(ProblemError, match="more entries than the 1000000 that a variable can have: write fewer"):
        Parameter("theta", shape)


def test_a_space_that_is_not_called_is_told_to_be() -> None:
    with pytest.raises(ProblemError, match=r"write over=Uniform\(\.\.\.\)"):
        Variable("x", 3, over=Uniform)  # pyright: ignore[reportArgumentType]


@given(st.fractions(0, 1, max_denominator=9), st.fractions(-2, 2, max_denominator=9).filter(bool))
def test_a_bend_is_written_as_the_jump_s_message_says(tau: Any, at: Any) -> None:
    """The loss of a quantile, by `step` or by `maximum`: only the second has a slope, which is that of its side."""
    u, tau = Variable("u")[()], sp.Rational(tau)
    jumping, bending = u * (tau - step(-u)), maximum(tau * u, (tau - 1) * u)
    assert value(jumping, {u: at}) == value(bending, {u: at})
    with pytest.raises(ProblemError, match=r"a bend without a jump is maximum\(a, b\)\.$"):
        jumping.diff(u)
    assert value(bending.diff(u), {u: at}) == (tau if at > 0 else tau - 1)


def test_an_action_may_be_forbidden_in_every_row_and_no_row_be_without_one() -> None:
    x = Parameter("x", (2, 2))
    assert [list(row) for row in softmax(x, array([1, 0], [1, 0]))] == [[1, 0], [1, 0]]
    with pytest.raises(ProblemError, match="every action is forbidden"):
        softmax(x, array([0, 0], [1, 1]))


@pytest.mark.parametrize("times", range(5))
def test_a_number_says_how_often_one_differentiates_by_the_last(times: int) -> None:
    x, y = Parameter("x"), Parameter("y")
    assert diff(x**4 * y, y, x, times) == sp.diff(x[()] ** 4, x[()], times)


@pytest.mark.parametrize("word", [frozen, lambda x: Named("root", x)[()]])
@given(n=st.integers(-9, 9))
def test_what_is_held_or_named_has_the_sign_of_what_it_is(word: Any, n: int) -> None:
    x = Variable("x")
    assert value(sp.sqrt(word(x) ** 2), {x[()]: n}) == abs(n)
    assert word(Variable("x", over=Uniform(1, 2))).is_positive


@pytest.mark.parametrize("other", [1, 1.0, np.float64(1), sp.Integer(1), sp.Symbol("t")])
def test_a_name_is_no_number(other: Any) -> None:
    x = Variable("x")
    assert x == x and x != Variable("x")
    for ask in (operator.eq, operator.ne):
        with pytest.raises(ProblemError, match="asks whether a name is a number"):
            ask(x, other)


def test_symbols_of_one_name_have_one_order() -> None:
    several = [Variable("x")[()] for _ in range(4)]
    assert by_name(several[::-1]) == by_name(several) == several


def test_a_table_read_as_one_row_is_not_called_by_its_name() -> None:
    table, index = Variable("table", (2, 2)), Draw("index", Categorical(logits=np.zeros(4)))
    assert str(array(*table.array.ravel())[index]) == "(table_0_0, table_0_1, table_1_0, table_1_1)[index]"
    assert str(table[index, 1]) == "table[index, 1]"


def test_a_log_softmax_is_the_logarithm_of_each_row_s_softmax() -> None:
    x = Parameter("x", (2, 3))
    assert all(sp.simplify(sp.exp(a) - b) == 0 for a, b in zip(log_softmax(x).ravel(), softmax(x).ravel(), strict=True))


def test_a_copy_of_a_page_is_checked_as_the_page() -> None:
    theta, reward = Parameter("theta", 3), Variable("reward", 3)
    action = Draw("action", Categorical(logits=theta))
    pair = batch(action, 2)

    def right(theta, reward, action):
        return theta.log_softmax(-1)[action] * reward[action]

    def wrong(theta, reward, action):
        return -right(theta, reward, action)

    unbiased = Claim("Unbiased.", Equal(Mean(Gradient(right)), Gradient(E(reward[action]))))
    copies = Mean(Gradient(frozen(reward[pair["action"][0]]) * log_prob(pair["action"][0], action.law)), over=pair)
    apart = Claim("Of copies.", Equal(copies, Gradient(E(reward[action]))))
    data = Claim("Of rows.", Equal(Mean(Gradient(right), over=Rows(action=(0, 2))), 0))
    page = Problem("A page", (unbiased, apart, data), mistakes=(Mistake("Sign.", {right: wrong}, breaks=unbiased),))
    report = check(page, timed=False)
    assert [line.verdict for line in report.claims] == ["agrees", "proved", "refuted"] and report.mistakes[0].caught
    for copied in (copy.copy(page), copy.deepcopy(page)):
        assert check(copied, timed=False) == report
    again, formula = copy.deepcopy((page, reward[action] * theta[0]))
    assert again.bound.variables["theta"] is theta and formula == reward[action] * theta[0]


@given(st.integers(1, 9), st.lists(st.integers(1, 9), max_size=3).map(tuple))
def test_a_copy_of_a_size_is_one(n: int, also: tuple[int, ...]) -> None:
    size = Size("K", n, also)
    for again in (copy.copy(size), copy.deepcopy(size)):
        assert (again, type(again), again.name, again.also) == (n, Size, "K", also)


def test_a_formula_is_not_sent_to_another_process() -> None:
    theta = Parameter("theta", 3)
    for part in (theta, theta[0], softmax(theta), Gradient(theta[0] ** 2)):
        with pytest.raises(TypeError, match="in another one load the page that it is of"):
            ForkingPickler.dumps(part)


@given(st.lists(whole, min_size=6, max_size=6), st.sampled_from([None, 0, 1, -1]))
def test_the_largest_and_the_least_are_numpy_s(w: list[int], axis: int | None) -> None:
    W = Variable("W", (2, 3))
    at, rows = dict(zip(W.atoms.ravel(), w, strict=True)), np.array(w).reshape(2, 3)
    for word in ("max", "min"):
        for found, expected in ((getattr(W, word)(axis), rows), (getattr(2 - W, word)(axis=axis), 2 - rows)):
            expected = np.asarray(getattr(expected, word)(axis))
            assert np.shape(found) == expected.shape
            assert [value(e, at) for e in entries(found)] == expected.ravel().tolist()


def test_the_largest_of_one_is_itself() -> None:
    x = Variable("x", 1)
    assert x.max() == x.min() == x[0] and x.max(0) == x[0]


@given(st.sampled_from([(), 1, 3, (2, 2)]))
def test_a_variable_is_not_true_or_false(shape: Any) -> None:
    x = Variable("x", shape)
    for asked in (lambda: bool(x), lambda: x or 1, lambda: not Named("y", x)):
        with pytest.raises(ProblemError, match="holds symbols, and is not true or false: write maximum, minimum, clip or step"):
            asked()


BOUNDS = st.integers(-3, 3) | st.floats(-3, 3) | st.fractions(-3, 3).map(sp.Rational) | st.sampled_from([sp.pi, -sp.sqrt(2)])


@given(BOUNDS, BOUNDS)
def test_bounds_that_are_crossed_are_told(low: Any, high: Any) -> None:
    x = Variable("x")
    for bound in (lambda: clip(x, low, high), lambda: Within(x, (low, high))):
        if low > high:
            with pytest.raises(ProblemError, match=r"has its lower bound above the upper one: write .*\(?low, high\)\.$"):
                bound()
        else:
            bound()


def test_bounds_that_are_symbols_are_taken_as_they_are() -> None:
    x, y = Variable("x"), Variable("y", 2)
    for low, high in ((x, 1), (2, x), (y, 1), (2, y[0]), (exp(x), -1), ([2, 3], 4)):
        clip(y, low, high)
        Within(y, (low, high))
