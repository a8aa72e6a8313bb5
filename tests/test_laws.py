"""Draws, their laws and the exact expectation: the derivative sees the law, substitution reaches it, and no draw is captured."""

from __future__ import annotations

import copy
import itertools
import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
import torch
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_rl import (
    Bernoulli,
    Categorical,
    Claim,
    Curl,
    Draw,
    E,
    Equal,
    Gaussian,
    Gradient,
    LogRational,
    Masks,
    Parameter,
    Problem,
    ProblemError,
    Rows,
    Simplex,
    Uniform,
    Value,
    Variable,
    array,
    batch,
    check,
    clip,
    diff,
    episode,
    erfc,
    erfinv,
    exp,
    frozen,
    log,
    log_prob,
    log_softmax,
    maximum,
    sigmoid,
    softmax,
    sqrt,
    step,
    tanh,
)
from gradcheck_rl.errors import Unsuitable
from gradcheck_rl.expectation import Expected, Slope, closed
from gradcheck_rl.expressions import floats, values
from gradcheck_rl.laws import randoms, with_parents
from gradcheck_rl.rings import ball, log_of
from gradcheck_rl.symbols import entries, thaw

half = sp.Rational(1, 2)
inner = st.fractions(min_value=Fraction(1, 20), max_value=Fraction(19, 20), max_denominator=20)
rationals = st.fractions(min_value=-5, max_value=5, max_denominator=20)


def of(x: Any) -> Any:
    x = Fraction(x)
    return fmpq(x.numerator, x.denominator)


def exact(e: Any, at: dict[Any, Any]) -> Any:
    """The exact value, as a Fraction where it is rational."""
    x = values(entries(e), [{s: of(v) if isinstance(v, (int, Fraction)) else v for s, v in at.items()}]).exact[0, 0]
    return Fraction(int(x.p), int(x.q)) if isinstance(x, fmpq) else x


def coin(name: str = "a", p: Any = None) -> tuple[Any, Draw, Any]:
    """A parameter that occurs only in a law, its draw, and two rewards."""
    p = Parameter("p", over=Uniform(0.1, 0.9)) if p is None else p
    return p[()] if isinstance(p, Variable) else p, Draw(name, Bernoulli(p)), Variable("r", 2)


# ---- the derivative of an expectation -------------------------------------------------------------------------------------


def law_is_seen(kind: type[Expected], p: Fraction, r0: Fraction, r1: Fraction) -> bool:
    """d/dp of (1 - p) r0 + p r1 is r1 - r0: p occurs in the law and nowhere else."""
    x, a, r = coin()
    J = sp.Expr.__new__(kind, r[a], *E(r[a]).pairs)
    return exact(J.diff(x), {x: p, r[0]: r0, r[1]: r1}) == r1 - r0


@given(inner, rationals, rationals)
def test_the_derivative_by_a_parameter_that_occurs_only_in_a_law(p: Fraction, r0: Fraction, r1: Fraction) -> None:
    assert law_is_seen(Expected, p, r0, r1)


def test_an_expectation_that_hides_its_law_would_have_derivative_zero() -> None:
    class Hiding(Expected):
        @property
        def free_symbols(self) -> set[Any]:
            return self.body.free_symbols - self.bound

    assert not law_is_seen(Hiding, Fraction(1, 4), Fraction(1), Fraction(3))


@given(inner, rationals, rationals)
def test_law_and_body_both_count_by_the_product_rule(p: Fraction, r0: Fraction, r1: Fraction) -> None:
    """J = (1 - p) p r0 + p (p + p) r1, so dJ/dp = (1 - 2 p) r0 + 4 p r1 and d2J/dp2 = 4 r1 - 2 r0."""
    x, a, r = coin()
    J = E(r[a] * x * (1 + a))
    at = {x: p, r[0]: r0, r[1]: r1}
    assert exact(J, at) == (1 - p) * p * r0 + 2 * p * p * r1
    assert exact(J.diff(x), at) == (1 - 2 * p) * r0 + 4 * p * r1
    assert exact(J.diff(x, x), at) == exact(J.diff(x).diff(x), at) == 4 * r1 - 2 * r0
    assert exact((J**2).diff(x), at) == 2 * exact(J, at) * exact(J.diff(x), at)


@given(inner, rationals, rationals)
def test_a_frozen_body_and_a_frozen_law_have_no_slope(p: Fraction, r0: Fraction, r1: Fraction) -> None:
    x, a, r = coin()
    at = {x: p, r[0]: r0, r[1]: r1}
    assert exact(E(frozen(x * r[a])).diff(x), at) == p * (r1 - r0)
    assert exact(frozen(E(r[a])).diff(x), at) == 0 and exact((frozen(E(r[a])) * x).diff(x), at) == (1 - p) * r0 + p * r1
    _, held, _ = coin("held", frozen(x))
    assert exact(E(r[held]).diff(x), at) == 0 and exact(thaw(E(r[held])).diff(x), at) == r1 - r0


# ---- substitution ---------------------------------------------------------------------------------------------------------


@given(inner, rationals, rationals)
def test_substitution_reaches_the_law_and_the_body(p: Fraction, r0: Fraction, r1: Fraction) -> None:
    x, a, r = coin()
    J = E(r[a] * x)
    rule = {x: sp.Rational(p), r[0]: sp.Rational(r0), r[1]: sp.Rational(r1)}
    expected = p * ((1 - p) * r0 + p * r1)
    for there in (J.subs(rule), J.xreplace(rule), J.subs(x, rule[x]).xreplace(rule)):
        assert not there.free_symbols and exact(there, {}) == expected and closed(there) == sp.Rational(expected)
    slope = (1 - 2 * p) * r0 + 2 * p * r1
    for there in (J.diff(x).subs(rule), J.diff(x).xreplace(rule), J.diff(x).subs(r[0], rule[r[0]]).subs(rule)):
        assert exact(there, {}) == slope


def test_substitution_leaves_the_bound_draw_alone() -> None:
    x, a, r = coin()
    J, draw = E(r[a] * (a + 1)), a[()]
    for e in (J, J.diff(x)):
        assert e.subs(draw, 1) == e == e.xreplace({draw: sp.Integer(1)}) and e.subs(draw + 1, 5) == e
        assert draw not in e.free_symbols and (e + draw).subs(draw, 1) == e + 1
    assert J.free_symbols == {x, r[0], r[1]}


def test_a_slope_is_taken_before_its_variable_is_put_in() -> None:
    """d/dp of E[y a] is y; with y = p put in afterwards it is p, and not the slope 2 p of E[p a]."""
    x, a, _ = coin()
    y = Variable("y")[()]
    slope = E(y * a).diff(x)
    assert closed(slope.subs(y, x)) == closed(slope.xreplace({y: x})) == x
    assert closed(E(x * a).diff(x)) == 2 * x


def test_sympy_may_rewrite_what_stands_around_and_inside() -> None:
    x, a, r = coin()
    J = E((r[a] + 1) ** 2 * x)
    for rewritten in (sp.expand(J), sp.expand(J * (1 + x)) / (1 + x), sp.factor(J), sp.together(J + 1) - 1):
        assert sp.simplify(closed(rewritten) - closed(J)) == 0
    assert E(r[a]) == E(r[a]) and E(r[a]) - E(r[a]) == 0 and E(r[a]) != E(r[Draw("a", Bernoulli(x))])


# ---- laws inside laws -----------------------------------------------------------------------------------------------------


@given(inner, inner, inner)
def test_a_law_may_follow_another_draw(p: Fraction, q0: Fraction, q1: Fraction) -> None:
    """P(b = 1) = (1 - p) q0 + p q1 and E[a b] = p q1."""
    x, a, _ = coin()
    q = Variable("q", 2, over=Uniform(0.1, 0.9))
    b = Draw("b", Bernoulli(q[a]))
    at = {x: p, q[0]: q0, q[1]: q1}
    assert exact(E(b), at) == (1 - p) * q0 + p * q1 and exact(E(b).diff(x), at) == q1 - q0
    assert exact(E(a * b), at) == p * q1 and exact(E(a * b).diff(q[1]), at) == p and exact(E(a * b).diff(q[0]), at) == 0
    assert closed(E(a * b)) == x * q[1]
    assert [d.name for d in with_parents(randoms(b[()]))] == ["a", "b"]


@given(inner, inner, inner)
def test_an_expectation_inside_an_expectation_binds_its_own_draw(p: Fraction, q0: Fraction, q1: Fraction) -> None:
    """E[a E[a]] = p^2, and the tower: the mean over b given a, then over a, is the mean."""
    x, a, _ = coin()
    q = Variable("q", 2, over=Uniform(0.1, 0.9))
    b = Draw("b", Bernoulli(q[a]))
    at = {x: p, q[0]: q0, q[1]: q1}
    assert exact(E(a * E(a)), at) == p * p and exact(E(a * E(a)).diff(x), at) == 2 * p
    given_a = E(b * (1 + a), over=[b])
    assert given_a.free_symbols == {a[()], q[0], q[1]}
    for e in (E(given_a), E(given_a).diff(x), E(given_a * a)):
        plain = {E(given_a): E(b * (1 + a)), E(given_a).diff(x): E(b * (1 + a)).diff(x)}.get(e, E(b * (1 + a) * a))
        assert exact(e, at) == exact(plain, at)


def test_what_stays_random_may_not_follow_what_is_averaged() -> None:
    x, a, r = coin()
    b = Draw("b", Bernoulli((a + x) / 3))
    with pytest.raises(ProblemError, match="`b` follows a and stays random: take the expectation over it too"):
        E(r[b], over=[a])
    assert exact(E(r[b] * a, over=[b, a]) - E(r[b] * a), {x: Fraction(1, 3), r[0]: 2, r[1]: 5}) == 0


# ---- finite laws ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 6), min_size=2, max_size=4), st.data())
def test_logits_at_logs_of_rationals_give_rationals(weights: list[int], data: st.DataObject) -> None:
    n = len(weights)
    allowed = data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(any))
    rewards = data.draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n))
    theta, r, mask = Parameter("theta", n, over=LogRational()), Variable("r", n), Variable("mask", n)
    a = Draw("a", Categorical(logits=theta, allowed=mask))
    total = sum(w * m for w, m in zip(weights, allowed, strict=True))
    probs = [Fraction(w * m, total) for w, m in zip(weights, allowed, strict=True)]
    at = dict(zip(theta, (log_of(fmpq(w)) for w in weights), strict=True))
    at |= dict(zip([*r, *mask], [*rewards, *allowed], strict=True))
    J = sum(p * x for p, x in zip(probs, rewards, strict=True))
    assert exact(E(r[a]), at) == J
    for k in range(n):
        assert exact(E(r[a]).diff(theta[k]), at) == probs[k] * (rewards[k] - J)  # the softmax policy gradient
        assert exact(E(log_prob(a).diff(theta[k]) * r[a]), at) == probs[k] * (rewards[k] - J)  # the same by the score
        assert exact(exp(a.log_prob([sp.Integer(k)])), at) == probs[k]
    assert floats([a.log_prob([sp.Integer(0)])], dict.fromkeys(at, 1.0) | {mask[0]: 0.0})[0] == -math.inf


@given(rationals)
def test_bernoulli_by_probability_and_by_logit_are_one_law(x: Fraction) -> None:
    z = Variable("z")
    by_logit, by_p = Draw("a", Bernoulli(logit=z)), Draw("a", Bernoulli(sigmoid(z)))
    for k in (0, 1):
        pair = [exact(d.log_prob([sp.Integer(k)]), {z[()]: x}) for d in (by_logit, by_p)]
        assert ball(pair[0]).overlaps(ball(pair[1]))
    assert exact(E(by_logit) - E(by_p), {z[()]: log_of(fmpq(3, 2))}) == 0


def test_a_simplex_policy_may_be_differentiated_directly() -> None:
    p, r = Parameter("p", 3, over=Simplex()), Variable("r", 3)
    a = Draw("a", Categorical(p))
    at = {p.atoms[0]: Fraction(1, 4), p.atoms[1]: Fraction(1, 2), r[0]: 3, r[1]: 5, r[2]: 7}
    assert exact(E(sp.Integer(1) + 0 * a), at) == 1 and exact(E(r[a]), at) == Fraction(3 + 10 + 7, 4)
    assert exact(E(r[a]).diff(p.atoms[0]), at) == 3 - 7


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Categorical(), "Categorical takes either probabilities or logits=..., one of them."),
    (lambda: Categorical([half, half], logits=[0, 0]), "Categorical takes either probabilities or logits=..., one of them."),
    (lambda: Categorical(Variable("p", (2, 2))),
     "Categorical takes one row, of shape (K,), not (2, 2): write an index, as in policy[state]."),
    (lambda: Categorical(logits=[0, 0, 0], allowed=(1, 0)),
     "the mask has shape (2,), and the logits (3,): write a 1 or a 0 for each."),
    (lambda: softmax(Variable("x", 3), (1, 0)), "the mask has shape (2,), and the logits (3,): write a 1 or a 0 for each."),
    (lambda: Categorical(logits=[0, 0, 0], allowed=Variable("mask", (2, 3))),
     "the mask has shape (2, 3), and the logits (3,): write an index, as in mask[state]."),
    (lambda: Categorical(logits=[0, 0], allowed=(0, 0)), "every action is forbidden: write a mask that has a 1 in each row."),
    (lambda: log_softmax(Variable("x", (2, 2)), array((1, 0), (0, 0))),
     "every action is forbidden: write a mask that has a 1 in each row."),
    (lambda: Categorical([half, sp.Rational(1, 3)]), "the probabilities [1/2, 1/3] sum to 5/6: write ones that sum to 1."),
    (lambda: Bernoulli(half, logit=0), "Bernoulli takes either a probability or logit=..., one of them."),
    (lambda: Gaussian(0), "Gaussian takes a standard deviation or covariance=..., one of them."),
    (lambda: Gaussian([0, 0], covariance=[[1, 0, 0], [0, 1, 0]]),
     "covariance has shape (2, 3) and the mean (2,): "
     "write a square array for a vector mean, or sd for independent coordinates."),
    (lambda: Gaussian([0, 0], covariance=[[1, 2], [0, 1]]),
     "covariance [[1, 2], [0, 1]] is not symmetric: write the same entry at (i, j) and (j, i)."),
    (lambda: Gaussian(Variable("W", (2, 2)), 1),
     "Gaussian takes a number or a vector as its mean, not shape (2, 2): write it flat."),
    (lambda: Draw("a", [half, half]),
     "Draw('a', ...) needs a law, not list: write Categorical(...), Bernoulli(...) or Gaussian(...)."),
    (lambda: Rows(x=(1, 2), y=(1, 2, 3)), "Rows needs columns of one length; it was given lengths [2, 3]."),
])  # fmt: skip
def test_errors_name_what_was_written(make: Any, message: str) -> None:
    with pytest.raises(ProblemError) as caught:
        make()
    assert str(caught.value) == message


# ---- Gaussians ------------------------------------------------------------------------------------------------------------


def moments(f: Any, m: float, s: float, cuts: tuple[float, ...] = ()) -> mpmath.mpf:
    """E f over N(m, s^2) by adaptive quadrature on each side of every jump."""
    ends = sorted({m - 14 * s, *cuts, m + 14 * s})
    return mpmath.quad(lambda x: f(x) * mpmath.npdf(x, m, s), ends)


CUT = 0.3
INTEGRANDS: list[tuple[Any, Any, tuple[float, ...]]] = [
    (lambda x, m: x**3 - 2 * x + m, lambda x, m: x**3 - 2 * x + m, ()),
    (lambda x, m: (x - m) ** 6, lambda x, m: (x - m) ** 6, ()),
    (lambda x, m: step(x - sp.Rational(3, 10)) * x**3, lambda x, m: x**3 if x >= CUT else 0, (CUT,)),
    (lambda x, m: step(sp.Rational(3, 10) - x) * (x**2 + m), lambda x, m: x**2 + m if x < CUT else 0, (CUT,)),
    (lambda x, m: step(2 * x - sp.Rational(6, 10)) * m + x, lambda x, m: (m if x >= CUT else 0) + x, (CUT,)),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "function", "cuts"), INTEGRANDS)
@settings(max_examples=4)
@given(m=st.fractions(min_value=-2, max_value=2, max_denominator=10), s=st.sampled_from([Fraction(1, 2), Fraction(5, 4)]))
def test_gaussian_moments_and_slopes_against_quadrature(formula: Any, function: Any, cuts: Any, m: Fraction, s: Fraction) -> None:
    mean, sd = Parameter("m"), Parameter("s", over=Uniform(0.1, 3))
    x = Draw("x", Gaussian(mean, sd))
    J = E(formula(x, mean))
    at = {mean[()]: of(m), sd[()]: of(s)}
    u, v = float(m), float(s)
    expected = (
        moments(lambda x: function(x, u), u, v, cuts),
        mpmath.diff(lambda u: moments(lambda x: function(x, u), u, v, cuts), u, h=1e-5),
        mpmath.diff(lambda v: moments(lambda x: function(x, u), u, v, cuts), v, h=1e-5),
    )
    found = values([J, J.diff(mean[()]), J.diff(sd[()])], [at])
    assert found.value[0] == pytest.approx([float(e) for e in expected], rel=1e-7, abs=1e-7) and (found.radius < 1e-12).all()


def test_a_stop_gradient_inside_a_gaussian_expectation_holds_the_formula_and_not_the_law() -> None:
    """J = E[frozen(c x) x] with x ~ N(m, 1) is c (m^2 + 1): its slope by m is 2 c m (the law), by c it is 0."""
    m, c = Parameter("m")[()], Variable("c")[()]
    x = Draw("x", Gaussian(m, 1))
    J = E(frozen(c * x) * x)
    at = {m: Fraction(3), c: Fraction(5)}
    assert [exact(e, at) for e in (J, J.diff(m), J.diff(c))] == [50, 30, 0]
    assert exact(E(frozen(m) * x).diff(m), at) == 3 and exact(thaw(E(frozen(m) * x)).diff(m), at) == 6


def test_a_vector_draw_and_a_draw_that_follows_another_have_exact_moments() -> None:
    m, c = Variable("m", 2), Variable("c", 3)
    L = np.array([[c[0], 0], [c[1], c[2]]], dtype=object)
    x = Draw("x", Gaussian(m, covariance=L @ L.T))
    y = Draw("y", Gaussian(2 * x[0] + x[1], 1))
    at = {m[0]: 1, m[1]: -2, c[0]: 2, c[1]: 3, c[2]: 1}
    S = [[4, 6], [6, 10]]
    for i, j in itertools.product(range(2), repeat=2):
        assert exact(E(x[i] * x[j]) - E(x[i]) * E(x[j]), at) == S[i][j]
    assert exact(E(y), at) == 0 and exact(E(y**2), at) == 4 * S[0][0] + 4 * S[0][1] + S[1][1] + 1
    assert exact(E((x[0] - m[0]) ** 2 * (x[1] - m[1]) ** 2), at) == S[0][0] * S[1][1] + 2 * S[0][1] ** 2  # Isserlis


def test_finite_and_gaussian_draws_mix_in_any_nesting() -> None:
    """k ~ Bernoulli(p), x ~ N(k + 1, 1): E[k x^2] = p (4 + 1); E[k E[z^2]] = 5 p for z ~ N(2, 1)."""
    p, k, _ = coin("k")
    x, z = Draw("x", Gaussian(k + 1, 1)), Draw("z", Gaussian(2, 1))
    for J in (E(k * x**2), E(k * E(z**2)), E(k * z**2), E(E(k * x**2, over=[x]))):
        assert exact(J, {p: Fraction(2, 7)}) == Fraction(10, 7) and exact(J.diff(p), {p: Fraction(2, 7)}) == 5


def test_what_has_no_closed_form_says_so() -> None:
    x = Draw("x", Gaussian([0, 0], 1))
    for body in (exp(x[0] ** 2), step(x[0] - x[1]), step(x[0]) * step(x[0] - 1), 1 / x[0], frozen(x[0] ** half)):
        with pytest.raises(Unsuitable):
            closed(E(body))
        assert E(body).doit() == E(body)


# ---- log-probabilities ----------------------------------------------------------------------------------------------------

reals = st.floats(-3, 3)


@given(st.lists(reals, min_size=4, max_size=4), st.lists(st.floats(0.5, 2), min_size=3, max_size=3))
def test_the_full_covariance_density_is_torchs(x: list[float], s: list[float]) -> None:
    m, L, value = Variable("m", 2), Variable("L", 3, over=Uniform(0.1, 3)), Variable("value", 2)
    law = Gaussian(m, covariance=array([L[0] ** 2, L[0] * L[1]], [L[0] * L[1], L[1] ** 2 + L[2] ** 2]))
    at = dict(zip([*m, *value, *L], map(np.float64, [*x, *s]), strict=True))
    C = torch.tensor([[s[0] ** 2, s[0] * s[1]], [s[0] * s[1], s[1] ** 2 + s[2] ** 2]], dtype=torch.float64)
    mean, point = torch.tensor(x[:2], dtype=torch.float64, requires_grad=True), torch.tensor(x[2:], dtype=torch.float64)
    expected = torch.distributions.MultivariateNormal(mean, C).log_prob(point)
    density = log_prob(value, law)
    found = [float(v) for v in floats([density, *(density.diff(u) for u in m)], at)]
    slopes = torch.autograd.grad(expected, mean)[0].tolist()
    assert found == pytest.approx([expected.item(), *slopes], rel=1e-9, abs=1e-9)


def test_the_density_at_one_point_as_derived_by_hand() -> None:
    """a = (1, -2), mean (1/2, 1/3), covariance [[2, 1/2], [1/2, 1]]: determinant 7/4, inverse [[4/7, -2/7], [-2/7, 8/7]].

    d = (1/2, -7/3): d' S^-1 d = 1/7 + 2/3 + 56/9 = 443/63, so the log-density is -443/126 - log(pi) - log(7)/2.
    """
    law = Gaussian([half, sp.Rational(1, 3)], covariance=[[2, half], [half, 1]])
    found = values([log_prob(array(1, -2), law) - (-sp.Rational(443, 126) - sp.log(sp.pi) - sp.log(7) / 2)], [{}])
    assert found.value == pytest.approx(0, abs=1e-50) and found.radius < 1e-50


@given(st.lists(reals, min_size=4, max_size=4), st.lists(st.floats(0.5, 2), min_size=2, max_size=2))
def test_a_squashed_draw_is_torchs_change_of_variables(x: list[float], s: list[float]) -> None:
    m, sd = Variable("m", 2), Variable("sd", 2, over=Uniform(0.1, 3))
    u = Draw("u", Gaussian(m, sd))
    limit = sp.Integer(3)
    at = dict(zip([*m, *u, *sd], map(np.float64, [*x, *s]), strict=True))
    base = torch.distributions.Normal(torch.tensor(x[:2], dtype=torch.float64), torch.tensor(s, dtype=torch.float64))
    squash = [torch.distributions.TanhTransform(cache_size=1), torch.distributions.AffineTransform(0.0, 3.0, cache_size=1)]
    squashed = torch.distributions.TransformedDistribution(base, squash)
    action = squash[1](squash[0](torch.tensor(x[2:], dtype=torch.float64)))
    expected = squashed.log_prob(action).sum().item()
    assert float(floats([log_prob(limit * tanh(u))], at)[0]) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    unsquashed = float(floats([log_prob(u)], at)[0])
    assert unsquashed != pytest.approx(expected, rel=1e-9, abs=1e-9)  # the Jacobian forgotten


def test_the_density_of_a_squashed_draw_integrates_to_one_and_stays_finite_far_out() -> None:
    u = Draw("u", Gaussian(half, 1))
    density = log_prob(2 * tanh(u))

    def at(a: Any) -> Any:
        return mpmath.exp(float(floats([density], {u[()]: float(mpmath.atanh(a / 2))})[0]))

    assert float(mpmath.quad(at, [-2, -1, 0, 1, 2])) == pytest.approx(1, abs=1e-8)
    assert np.isfinite(floats([density, density.diff(u[()])], {u[()]: np.array([-30.0, 30.0])})).all()


def test_a_map_of_part_of_a_draw_has_no_density() -> None:
    u, k = Draw("u", Gaussian([0, 0], 1)), Draw("k", Bernoulli(half))
    for value in (tanh(u[0]), array(u[0], u[0]), array(u[0] + u[1], u[1]), array(u[0], u[1], u[0])):
        with pytest.raises(ProblemError, match="needs a map of a whole draw, each coordinate from its own; write log_prob"):
            log_prob(value)
    with pytest.raises(ProblemError, match="maps a finite draw: write log_prob of the draw itself"):
        log_prob(2 * k[()])
    assert log_prob(u) == log_prob(u, u.law) == sum(log_prob(array(x), Gaussian([0], 1)) for x in u)


# ---- bundles --------------------------------------------------------------------------------------------------------------


def test_an_episode_has_the_names_code_asks_for() -> None:
    start, P, r = Variable("start", 2), Variable("P", (2, 2, 2)), Variable("r", (2, 2))
    tau = episode(start, P, r, softmax(Parameter("theta", (2, 2))), 3)
    assert {name: tau[name].shape for name in tau.names} == {"states": (3,), "actions": (3,), "rewards": (3,)}
    assert [d.name for d in tau.draws] == ["s0", "a0", "s1", "a1", "s2", "a2"]
    assert [d.name for d in tau.steps] == ["a0", "a1", "a2"]
    assert tau["states"].whole and tau["actions"].whole and not tau["rewards"].whole
    s, a = tau["states"].array, tau["actions"].array
    assert tau.total == sum(r[s[t], a[t]] for t in range(3))
    both = batch(tau, 2)
    assert both["rewards"].shape == (2, 3) and len(both.draws) == 12
    assert not set(both["actions"].array[0]) & set(both["actions"].array[1])


def test_rewards_may_change_with_the_step() -> None:
    pay = [[[1, 2]], [[30, 40]]]
    assert exact(E(episode([1], [[[1], [1]]], pay, [[half, half]], 2).total), {}) == sp.Rational(3, 2) + 35
    with pytest.raises(ProblemError, match="the rewards of an episode are for 2 steps, and it has 3"):
        episode([1], [[[1], [1]]], pay, [[half, half]], 3)


def test_a_policy_that_sees_less_than_the_state() -> None:
    tau = episode([half, half], [[[half, half]] * 2] * 2, [[1, 2], [3, 4]], [[half, half]], 2, observe=[0, 0])
    assert [str(o) for o in tau["observations"].array] == ["(0, 0)[s0]", "(0, 0)[s1]"] and exact(E(tau.total), {}) == 5


@given(inner, inner, inner)
def test_copies_are_independent_with_everything_their_law_follows(p: Fraction, q0: Fraction, q1: Fraction) -> None:
    """E[b1 b2] is P(b = 1)^2 for copies; were the parent shared it would be (1 - p) q0^2 + p q1^2."""
    x, a, _ = coin()
    q = Variable("q", 2, over=Uniform(0.1, 0.9))
    pair = batch(Draw("b", Bernoulli(q[a])), 2)
    at = {x: p, q[0]: q0, q[1]: q1}
    assert set(pair.names) == {"a", "b"} and pair["b"].shape == (2,)
    assert exact(E(pair["b"][0] * pair["b"][1]), at) == ((1 - p) * q0 + p * q1) ** 2
    assert exact(E(pair["a"][0] * pair["b"][0]), at) == p * q1
    assert exact(E(pair["a"][0] * pair["b"][1]), at) == p * ((1 - p) * q0 + p * q1)


def test_copies_carry_their_breaks() -> None:
    jump = Draw("jump", Gaussian([0, 0], 1), breaks=lambda angle, v: ((half,), (angle, 1)))
    copy = with_parents(randoms(batch(jump, 2)["jump"].array[1, 0]))[0]
    assert copy.law.breaks[1][0] == copy[0] and copy.law.breaks[0][0] == half and copy.law.free_symbols == {copy[0]}
    assert batch(jump, 3)["jump"].shape == (3, 2)


@given(st.lists(st.tuples(rationals, rationals), min_size=1, max_size=5))
def test_rows_are_averaged_together(data: list[tuple[Fraction, Fraction]]) -> None:
    xs, ys = zip(*data, strict=True)
    rows = Rows(x=tuple(map(sp.Rational, xs)), y=tuple(map(sp.Rational, ys)))
    x, y = rows["x"], rows["y"]
    assert exact(E(x * y), {}) == sum(a * b for a, b in data) / len(data)
    assert [d.name for d in rows.draws] == ["row"]


# ---- printing -------------------------------------------------------------------------------------------------------------


def test_expectations_print_as_on_a_page() -> None:
    x, a, r = coin()
    J = E(r[a])
    assert str(J) == "E[r[a]]" and str(J.diff(x) ** 2) == "(d/dp E[r[a]])**2" and isinstance(J.diff(x), Slope)
    assert sp.latex(J) == r"\mathbb{E}\left[r_{a}\right]" and sp.latex(J.diff(x)) == r"\partial_{p}\mathbb{E}\left[r_{a}\right]"
    assert E(array(1, 2)).tolist() == [1, 2] and E(sp.Integer(3)) == 3


def test_the_score_has_mean_zero() -> None:
    theta = Parameter("theta", 3, over=LogRational())
    a = Draw("a", Categorical(logits=theta))
    at = dict(zip(theta, (log_of(fmpq(2)), log_of(fmpq(3)), of(0)), strict=True))
    assert [exact(E(log_prob(a).diff(t)), at) for t in theta] == [0, 0, 0]
    assert [exact(E(log(softmax(theta))[a].diff(t) - log_softmax(theta)[a].diff(t)), at) for t in theta] == [0, 0, 0]


@pytest.mark.parametrize("far", [-40, -20, 20, 40])
@pytest.mark.parametrize("scale", [1, 3])
def test_the_density_of_a_squashed_draw_stays_finite_where_tanh_is_one(far: int, scale: int) -> None:
    """1 - tanh(u)^2 is 4 exp(-2|u|) up to a factor 1 + exp(-2|u|), which is 1 in float64 here."""
    z = Draw("z", Gaussian(0, 1))
    density = log_prob(scale * tanh(z))
    expected = -(far**2) / 2 - math.log(2 * math.pi) / 2 - math.log(4 * scale) + 2 * abs(far)
    assert floats([density], {z.atoms[0]: np.array([float(far)])})[0][0] == pytest.approx(expected, rel=1e-14)


def test_observations_are_indices_alone_and_in_a_batch() -> None:
    """A policy is indexed by what it sees; rewards that happen to be whole numbers are none."""
    chain = episode((half, half), [[(half, half)]] * 2, [[1], [2]], [[1], [1]], 2, observe=(1, 0))
    for bundle in (chain, batch(chain, 2)):
        assert {name: column.whole for name, column in bundle.names.items()} == {
            "states": True,
            "actions": True,
            "rewards": False,
            "observations": True,
        }


@pytest.mark.parametrize("body", [tanh, lambda x: maximum(x, 0) * tanh(x), sigmoid], ids=("tanh", "bent", "sigmoid"))
def test_an_expectation_without_a_closed_form_is_differentiated_twice(body: Any) -> None:
    """By Stein's identity its second derivative by the place is E f(x) ((x - m)^2 / s^4 - 1 / s^2); a gradient has no curl."""
    m, s = Parameter("m", over=Uniform(-1, 1)), Parameter("s", over=Uniform(0.5, 1))
    x = Draw("x", Gaussian(m, s))
    J = E(body(x))
    twice = E(body(x) * ((x - m) ** 2 / s**4 - 1 / s**2))
    claims = [
        Claim("twice", Equal(Value(diff(J, m, m)), twice)),
        Claim("of the slope", Equal(Gradient(diff(J, m), m), twice)),
        Claim("no curl", Equal(Curl(Gradient(J)), 0)),
        Claim("wrong", Equal(Value(diff(J, m, m)), twice + sp.Rational(1, 10**5))),
    ]
    *right, wrong = check(Problem("t", claims)).claims
    assert {line.verdict for line in right} <= {"agrees", "proved"} and wrong.verdict == "refuted"


@pytest.mark.parametrize("places", [(0, 2), ((0, 2),), [0, 2], lambda x: (0, 2), lambda x: ((0, 2),)])
def test_the_breaks_of_one_coordinate_may_be_written_flat(places: Any) -> None:
    assert Draw("x", Gaussian(0, 1), breaks=places).law.breaks == [sp.Tuple(0, 2)]


def test_breaks_go_coordinate_by_coordinate() -> None:
    assert Draw("x", Gaussian([0, 0], 1), breaks=lambda x, y: ((), (x,))).law.breaks[0] == sp.Tuple()
    assert Draw("x", Gaussian(0, 1), breaks=0).law.breaks == [sp.Tuple(0)]
    for size, wrong in ((1, ((0,), (2,))), (2, (0, 2)), (2, ((0,),))):
        with pytest.raises(ProblemError, match=r"write one tuple of places for each coordinate"):
            Draw("x", Gaussian([0] * size if size > 1 else 0, 1), breaks=wrong)


def test_copies_of_several_draws_share_what_is_given() -> None:
    prompt = Draw("prompt", Bernoulli(sp.Rational(1, 3)))
    first = Draw("first", Bernoulli(sp.Rational(1, 2) * prompt + sp.Rational(1, 4)))
    second = Draw("second", Bernoulli(sp.Rational(1, 5)))
    apart, together = batch(first, 2)["first"], batch(first, 2, given=prompt)["first"]
    chances = [sp.Rational(1, 4), sp.Rational(3, 4)]
    assert closed(E(apart[0] * apart[1])) == (sum(w * p for w, p in zip((2, 1), chances, strict=True)) / 3) ** 2
    assert closed(E(together[0] * together[1])) == sum(w * p**2 for w, p in zip((2, 1), chances, strict=True)) / 3
    both = batch((first, second), 3, given=prompt)
    assert set(both.names) == {"first", "second"} and both["second"].shape == (3,)
    with pytest.raises(ProblemError, match="needs draws or an episode"):
        batch("first", 2)  # pyright: ignore[reportArgumentType]


def test_a_covariance_may_have_no_width_in_a_direction() -> None:
    """Its factor is the matrix's root, whichever coordinate is fixed."""
    x = Variable("x")
    for rows in ([[0, 0], [0, 4]], [[4, 0], [0, 0]], [[1, 2], [2, 4]]):
        u = Draw("u", Gaussian([x, 1], covariance=rows))
        second = [[closed(E(u[i] * u[j])) - closed(E(u[i])) * closed(E(u[j])) for j in range(2)] for i in range(2)]
        assert [[sp.expand(e) for e in row] for row in second] == rows
    for rows in ([[0, 1], [1, 1]], [[1, 2], [2, 3]]):
        with pytest.raises(ProblemError, match="negative variance in some direction"):
            Gaussian([0, 0], covariance=rows)


z, stretch = Draw("z", Gaussian(0, 1)), Parameter("stretch", over=Uniform(1, 2))


@pytest.mark.parametrize("folds", [abs(z), z**2, z**2 * stretch, sp.sin(z[()]), maximum(z, 0), clip(z, -1, 1), log(abs(z))])
def test_what_folds_the_line_has_no_density_by_change_of_variables(folds: Any) -> None:
    """|z| has twice the density of z: the logarithm would be off by log 2."""
    with pytest.raises(ProblemError, match="needs a map that always rises, or always falls"):
        log_prob(folds)


@pytest.mark.parametrize("rises", [z**3, stretch * tanh(5 * z), 1 - sp.exp(z[()]), maximum(z, z / 10), z + z * abs(z)])
def test_what_rises_or_falls_has_one(rises: Any) -> None:
    """The chance to be within a step of the value, by differences of the normal distribution's."""
    at, h = 0.3, 1e-4
    row = {z[()]: np.array([at - h, at, at + h]), stretch[()]: np.full(3, 1.5)}
    value = floats([sp.sympify(rises)], row)[0]
    chance = (math.erf((at + h) / math.sqrt(2)) - math.erf((at - h) / math.sqrt(2))) / 2
    density = floats([log_prob(rises)], row)[0][1]
    assert density == pytest.approx(math.log(chance / abs(value[2] - value[0])), abs=1e-5)


@settings(max_examples=25)
@given(
    c=st.tuples(*[st.integers(-3, 3)] * 3),
    tilts=st.lists(st.fractions(-2, 2, max_denominator=4), min_size=1, max_size=2),
    mean=st.fractions(-1, 1, max_denominator=4),
    sd=st.fractions(Fraction(1, 4), 2, max_denominator=4),
    edge=st.none() | st.fractions(-1, 1, max_denominator=4),
)
def test_an_exponential_of_a_normal_draw_has_a_closed_mean(
    c: tuple[int, ...], tilts: list[Fraction], mean: Fraction, sd: Fraction, edge: Fraction | None
) -> None:
    m, s, b = (sp.Rational(x) if x is not None else None for x in (mean, sd, edge))
    x = Draw("x", Gaussian(m, s))
    body = sum(k * x**n for n, k in enumerate(c)) * sp.Mul(*(exp(sp.Rational(t) * x) for t in tilts))
    found = closed(E(body if b is None else body * step(x - b)))

    def integrand(u: Any) -> Any:
        weight = mpmath.npdf(u, mpmath.mpf(mean.numerator) / mean.denominator, mpmath.mpf(sd.numerator) / sd.denominator)
        return sum(k * u**n for n, k in enumerate(c)) * mpmath.exp(u * float(sum(tilts))) * weight

    low = -45 if edge is None else mpmath.mpf(edge.numerator) / edge.denominator
    wanted = mpmath.quad(integrand, mpmath.linspace(low, 45, 30))
    assert abs(float(found) - float(wanted)) <= 1e-9 * (1 + abs(float(wanted)))


def test_an_exponential_of_two_normal_draws_sees_how_they_vary_together() -> None:
    mu, r = Parameter("mu", 2), Variable("r", over=Uniform(-1, 1))
    x = Draw("x", Gaussian(mu, covariance=((1, r), (r, 4))))
    right = Claim("It is so.", Equal(E(exp(x[0] - x[1])), exp(mu[0] - mu[1] + sp.Rational(5, 2) - r)))
    wrong = Claim("As if they were independent.", Equal(E(exp(x[0] - x[1])), exp(mu[0] - mu[1] + sp.Rational(5, 2))))
    report = check(Problem(title="Two", claims=(right, wrong)))
    assert [line.verdict for line in report.claims] == ["proved", "refuted"]


quarters = st.integers(-4, 4).map(lambda n: sp.Rational(n, 4))


@settings(max_examples=25)
@given(
    f=st.lists(st.tuples(quarters, st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4),
    tilts=st.lists(st.tuples(quarters, quarters), min_size=1, max_size=3),
    mean=st.tuples(quarters, quarters),
    factor=st.tuples(*[st.integers(1, 4).map(lambda n: sp.Rational(n, 4))] * 3),
)
def test_sums_of_exponentials_of_two_normal_draws_have_a_closed_mean(
    f: list[Any], tilts: list[Any], mean: Any, factor: Any
) -> None:
    """By Gauss and Hermite's rule in both coordinates, which knows nothing of tilts and moments."""
    a, b, c = factor
    x = Draw("x", Gaussian(mean, covariance=((a**2, a * b), (a * b, b**2 + c**2))))

    def body(u: Any, v: Any, by: Any, number: Any) -> Any:
        steep = sum(by(number(s) * u + number(t) * v) for s, t in tilts)
        return sum(number(k) * u**i * v**j for k, i, j in f) * steep

    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    first, second = np.meshgrid(nodes, nodes)
    m, n, a, b, c = map(float, (*mean, *factor))
    weighed = np.outer(weights, weights) / (2 * np.pi) * body(m + a * first, n + b * first + c * second, np.exp, float)
    assert abs(float(closed(E(body(x[0], x[1], exp, sp.sympify)))) - weighed.sum()) <= 1e-9 * (1 + abs(weighed).sum())


def test_letters_are_multiplied_out_with_what_is_drawn() -> None:
    """The tilt and the factors are letters here, of which each moment has many: no term is looked at alone."""
    m, s = Parameter("m", 2), Parameter("s", 3, over=Uniform(0.5, 1))
    x = Draw("x", Gaussian(m, covariance=((s[0] ** 2, s[0] * s[1]), (s[0] * s[1], s[1] ** 2 + s[2] ** 2))))
    found = closed(E((x[0] ** 2 * x[1] ** 2 * exp(x[0] - x[1]) + 3 * x[1]) ** 2))
    numbers = dict(zip((*m, *s), (sp.Rational(n, 4) for n in (1, -2, 3, 4, 2)), strict=True))
    at_them = closed(E((x[0] ** 2 * x[1] ** 2 * exp(x[0] - x[1]) + 3 * x[1]) ** 2).xreplace(numbers))
    assert sp.expand(found.xreplace(numbers) - at_them) == 0


def test_an_indicator_squared_is_the_indicator() -> None:
    b, z = Variable("b")[()], Draw("z", Gaussian(0, 1))
    assert closed(E((z * step(z - b)) ** 2)) == closed(E(z**2 * step(z - b)))


def test_an_exponential_that_moves_by_many_letters_is_told() -> None:
    a, z = Parameter("a", 10), Draw("z", Gaussian(0, 1))
    with pytest.raises(Unsuitable, match="too many for one formula"):
        closed(E(z**12 * exp(sum(a) * z)))


@pytest.mark.parametrize("body", [lambda x: exp(x**2 / 8), lambda x: exp(tanh(x)), lambda x: exp(exp(x / 9))])
def test_other_exponentials_have_no_closed_mean(body: Any) -> None:
    with pytest.raises(Unsuitable, match="nor one times exp of a multiple of it"):
        closed(E(body(Draw("x", Gaussian(0, 1)))))


@given(st.lists(st.integers(-3, 3), min_size=6, max_size=6), st.permutations(["one", "two", "three"]))
def test_a_factor_of_two_draws_joins_what_each_of_them_has(numbers: list[int], names: list[str]) -> None:
    chances = [sp.Rational(1, 3), sp.Rational(1, 4), sp.Rational(2, 5)]
    coins = [Draw(name, Bernoulli(p)) for name, p in zip(names, chances, strict=True)]

    def body(a: Any, b: Any, c: Any) -> Any:
        alone = sp.Mul(*(numbers[n] + (n + 2) * x for n, x in enumerate((a, b, c))))
        return alone * (numbers[3] + numbers[4] * a * b + b**2) * (numbers[5] + 7 * b * c)

    listed = sum(
        body(*path) * sp.Mul(*(p if at else 1 - p for p, at in zip(chances, path, strict=True)))
        for path in itertools.product((0, 1), repeat=3)
    )
    assert closed(E(body(*(coin[()] for coin in coins)))) == listed


def test_a_law_may_hold_an_expectation() -> None:
    p = Parameter("p")[()]
    coin = Draw("coin", Bernoulli(p))
    follower = Draw("follower", Bernoulli(E(coin) ** 2))
    assert closed(E(3 * follower)) == 3 * p**2


def test_what_has_no_mean_has_no_slope() -> None:
    coin = Draw("coin", Bernoulli(sp.Rational(1, 2)))
    x = Parameter("x")[()]
    with pytest.raises(Unsuitable, match="the integrand is no number where coin = 0"):
        closed(Slope(E(x + 1 / coin), x))


def test_a_half_line_whose_side_is_not_known_has_no_closed_mean() -> None:
    b, z = Parameter("b")[()], Draw("z", Gaussian(0, 1))
    with pytest.raises(Unsuitable, match="half-line"):
        closed(E(step(b * z - 1)))
    assert not closed(E(step(exp(b) * z - 1))).has(Expected)


row, mask, number = Parameter("row", 3), Variable("mask", 3, over=Masks()), Parameter("number")
pair = Gaussian((0, 0), 1)
UNREAD = (
    (lambda: Categorical(softmax(row), mask), "takes a mask beside logits"),
    (lambda: Categorical(softmax(row), allowed=mask), r"logits=x, allowed=mask\), or Categorical\(softmax\(x, mask\)\)"),
    (lambda: Categorical((1, 0), allowed=0), "takes a mask beside logits"),
    (lambda: Bernoulli(sigmoid(row)), r"takes one number, not \(3,\): write an index, as in p\[0\]"),
    (lambda: Bernoulli(logit=row[:2]), r"takes one number, not \(2,\)"),
    (lambda: Bernoulli(()), r"takes one number, not \(0,\)"),
    (lambda: Bernoulli(number, mask), "either a probability or logit="),
    (lambda: Gaussian(0, 1, breaks=(-1, 1)), r"the draw's: write Draw\(name, Gaussian\(mean, sd\), breaks=...\)"),
    (lambda: Gaussian((0, 0), (1, 1, 1)), r"mean of Gaussian has shape \(2,\), and its standard deviation \(3,\)"),
    (lambda: log_prob((0, 1), Categorical(logits=row)), r"a value of shape \(2,\), and the law Categorical is of shape \(\)"),
    (lambda: Draw("k", Bernoulli(number)).log_prob((1, 0)), r"a value of shape \(2,\), and the law Bernoulli"),
    (lambda: log_prob(0, pair), r"a value of shape \(\), and the law Gaussian is of shape \(2,\)"),
    (lambda: log_prob(0, 1), r"needs a law, not int: write Categorical"),
    (lambda: E(number, over=number), "names number, which is no draw"),
    (lambda: batch(number, 2), "needs draws or an episode"),
)


@pytest.mark.parametrize(("slip", "said"), UNREAD)
def test_nothing_that_a_law_is_given_is_passed_over(slip: Any, said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        slip()


@given(st.sampled_from([Categorical(logits=row, allowed=mask), Categorical(softmax(row, mask)), Bernoulli(logit=number), pair]))
def test_sympy_makes_a_law_again(law: Any) -> None:
    draw = Draw("again", law)
    assert law.func(*law.args) == law == copy.copy(law)
    assert draw.log_prob() == log_prob(draw) == log_prob(draw, law) == log_prob(draw, draw)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("wrong", [0, sp.Rational(1, 1000)])
def test_the_density_of_a_quantile_is_by_change_of_variables(wrong: Any) -> None:
    """Truncated between two numbers, and of what a sigmoid makes of a draw."""
    low, high, z = Variable("low", over=Uniform(-1, 0)), Variable("high", over=Uniform(0.5, 2)), Draw("z", Gaussian(0, 1))
    below = [erfc(-t / sqrt(2)) / 2 for t in (low, high, z)]
    for chance, slope in (
        (below[0] + (below[1] - below[0]) * below[2], (below[1] - below[0]) * exp(-(z**2) / 2) / sqrt(2 * sp.pi)),
        (sigmoid(z), sigmoid(z) * sigmoid(-z)),
    ):
        quantile = sqrt(2) * erfinv(2 * chance - 1)
        density = log_prob(z) - log(slope) - quantile**2 / 2 - log(2 * sp.pi) / 2 + wrong
        claim = Claim("So.", Equal(log_prob(quantile), density))
        found = check(Problem("quantile", claims=(claim,))).claims[0].verdict
        assert found in (("refuted",) if wrong else ("proved", "agrees"))


def test_what_cannot_happen_counts_for_nothing_in_a_closed_mean() -> None:
    half = sp.Rational(1, 2)
    one, other = (Draw("a", Categorical((half, half, p))) for p in (0, Parameter("p")[()]))
    assert closed(E(log(2 - one))) == sp.log(2) / 2
    with pytest.raises(Unsuitable, match="no number where a = 2"):
        closed(E(log(2 - other)))


def test_a_mean_of_two_draws_of_one_name_is_told() -> None:
    """Copies that are written twice are other copies: their difference would not be zero."""
    coin = Draw("coin", Bernoulli(sp.Rational(1, 3)))
    once = batch(coin, 2)["coin"]
    assert E((once[0] - once[0]) ** 2).doit() == 0
    with pytest.raises(
        ProblemError, match=r"two draws are named `coin0`: write the draw, or the batch\(...\), once and use that"
    ):
        E((once[0] - batch(coin, 2)["coin"][0]) ** 2)
    other = batch(Draw("other", coin.law), 2)["other"]
    assert E((once[0] - other[0]) ** 2).doit() == sp.Rational(4, 9)
