"""A formula compiled once: every ring says the same, dynamic programming is listing is the closed form, and nothing raises."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb, fmpq
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import log_ndtr

from gradcheck_rl import (
    Bernoulli,
    Categorical,
    Claim,
    Draw,
    E,
    Equal,
    Gaussian,
    Gradient,
    LogRational,
    Parameter,
    Problem,
    ProblemError,
    Uniform,
    Variable,
    array,
    check,
    clip,
    episode,
    exp,
    frozen,
    log_prob,
    maximum,
    minimum,
    sigmoid,
    softmax,
    step,
)
from gradcheck_rl.backends.torch import of_formulas
from gradcheck_rl.errors import Unsuitable
from gradcheck_rl.estimate import EPS, Evidence, quadrature
from gradcheck_rl.expectation import closed
from gradcheck_rl.expressions import (
    Program,
    compiled,
    floats,
    in_balls_where_floats_fail,
    integrals,
    needs_integration,
    nodes,
    number,
    outermost,
    values,
)
from gradcheck_rl.rings import EXACT, Float, ball, log_of
from gradcheck_rl.tangents import RULES

R = sp.Rational
x, y = Variable("x")[()], Variable("y")[()]


def of(a: Any) -> Any:
    a = Fraction(a)
    return fmpq(a.numerator, a.denominator)


def fraction(a: Any) -> Fraction:
    return Fraction(int(a.p), int(a.q))


# ---- every ring says the same ---------------------------------------------------------------------------------------------

small = st.fractions(min_value=-2, max_value=2, max_denominator=7)
leaves = st.one_of(st.sampled_from([x, y]), small.map(R))


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Formulas that have a value everywhere and stay small: the float error is then a few hundred roundings."""
    one = [
        sp.tanh, sp.sin, sp.cos, sp.atan, sp.erf, sp.erfc, sp.Abs, sp.sign, frozen, sigmoid,
        lambda a: sp.exp(sp.sin(a)), lambda a: sp.log(1 + a**2), lambda a: sp.sqrt(1 + a**2), lambda a: a**2 / (1 + a**2),
        lambda a: (2 + sp.cos(a)) ** R(1, 3), lambda a: sp.tan(sp.tanh(a)), lambda a: (1 + a**2) ** R(-3, 2),
        lambda a: sp.erfinv(sp.sin(a) / 2),
    ]  # fmt: skip
    two = [sp.Add, sp.Mul, sp.Min, sp.Max, lambda a, b: a - b, lambda a, b: a / (1 + b**2)]
    return st.one_of(
        st.builds(lambda f, a: f(a), st.sampled_from(one), inner),
        st.builds(lambda f, a, b: f(a, b), st.sampled_from(two), inner, inner),
    )


formulas = st.recursive(leaves, grown, max_leaves=6)


@settings(max_examples=100)
@given(formulas, small, small)
def test_balls_floats_and_sympys_own_evaluation_agree(formula: Any, a: Fraction, b: Fraction) -> None:
    e = sp.sympify(formula, strict=True)
    certified = values([e], [{x: of(a), y: of(b)}])
    thawed = e.replace(lambda f: f.func.__name__ == "frozen_", lambda f: f.args[0])
    true = sp.N(thawed.xreplace({x: R(a), y: R(b)}), 60)
    near = sp.Float(ball(certified.exact[0, 0]).mid().str(55, radius=False), 60)
    assert abs(near - true) <= sp.Float("1e-40", 60) * (1 + abs(true))
    assert certified.value[0, 0] == pytest.approx(float(true), rel=1e-15, abs=1e-300)
    rough = floats([e], {x: np.array([float(a)]), y: np.array([float(b)])})[0]
    assert np.broadcast_to(rough, (1,))[0] == pytest.approx(float(true), rel=1e-9, abs=1e-9)


@settings(max_examples=50)
@given(formulas, small, small)
def test_slopes_compile_as_well_as_values(formula: Any, a: Fraction, b: Fraction) -> None:
    """The slope of what is smooth at a point, against a symmetric difference of certified values: h^2 = 1e-40 leaves 1e-30."""
    e = sp.sympify(formula, strict=True)
    e = e.replace(lambda f: f.func.__name__ in ("frozen_", "Abs", "sign", "Min", "Max"), lambda f: f.args[0])
    h = Fraction(1, 10**20)
    up, down = (values([e], [{x: of(a + s * h), y: of(b)}]).exact[0, 0] for s in (1, -1))
    slope = values([e.diff(x)], [{x: of(a), y: of(b)}]).exact[0, 0]
    gap = (up - down) / of(2 * h) - slope
    assert abs(float(arb(gap).mid())) < 1e-15


@settings(max_examples=150)
@given(formulas, small, small)
def test_instructions_differentiate_as_sympy_does(formula: Any, a: Fraction, b: Fraction) -> None:
    """Kinks, ties and stop-gradients included."""
    e = sp.sympify(formula, strict=True)
    e = e.replace(lambda f: f.func.__name__ == "sign", lambda f: f.args[0])
    pairs, at = [(e, x), (e, y)], [of(a), of(b)]
    found, wanted = Program(pairs, [x, y])(EXACT, at), Program([e.diff(x), e.diff(y)], [x, y])(EXACT, at)
    for one, other in zip(found, wanted, strict=True):
        one, other = arb(ball(one)), arb(ball(other))
        assert one.is_finite() == other.is_finite()
        assert not other.is_finite() or abs(float((one - other).mid())) <= 1e-40 * (1 + abs(float(other.mid())))


@pytest.mark.parametrize("power", [2, 3, -1, R(1, 2), R(-3, 2), R(2, 3)])
def test_instructions_differentiate_powers_lookups_and_what_only_sympy_can(power: Any) -> None:
    table, n = Variable("table", (2, 2)), sp.Symbol("n", integer=True)
    cells = list(table.atoms.ravel())
    for e in ((1 + x**2) ** power, table[n, 1] * x**power, sp.Max(x, y, n) ** power, sp.erf(x**power) + sp.erfc(y) ** 2):
        inputs = [x, y, n, *cells]
        by = [x, y, *cells]
        at = [of(R(3, 7)), of(R(2, 5)), of(1), *(of(k) for k in range(4))]
        pairs = zip(
            Program([(e, s) for s in by], inputs)(EXACT, at), Program([e.diff(s) for s in by], inputs)(EXACT, at), strict=True
        )
        assert all(abs(float(arb(ball(one) - ball(other)).mid())) < 1e-40 for one, other in pairs)


EACH_WORD: dict[str, Any] = {
    "power": x**3, "root": sp.sqrt(x), "exp": sp.exp(x), "log": sp.log(x), "tanh": sp.tanh(x), "sin": sp.sin(x), "cos": sp.cos(x),
    "tan": sp.tan(x), "atan": sp.atan(x), "erf": sp.erf(x), "erfc": sp.erfc(x), "erfinv": sp.erfinv(x),
    "absolute": sp.Abs(x), "log_tail": sp.log(sp.erfc(x) / 2),
}  # fmt: skip


@pytest.mark.parametrize("word", RULES)
def test_each_rule_of_calculus_is_seen_to_be_wrong_where_it_is(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    e, at, right = EACH_WORD[word], [of(Fraction(2, 3))], RULES[word]
    (wanted,) = Program([e.diff(x)], [x])(EXACT, at)

    def gap() -> float:
        return abs(float(arb(ball(Program([(e, x)], [x])(EXACT, at)[0]) - ball(wanted)).mid()))

    assert gap() < 1e-40
    monkeypatch.setitem(RULES, word, lambda t, y, x, n: t.scaled(2, right(t, y, x, n)))
    assert gap() > 0.1


def test_one_subexpression_is_one_instruction() -> None:
    big = sp.sin(sp.tanh(x * y))
    words = [word for word, *_ in Program([big + 1, big * 2, big**3], [x, y])._code]
    assert (words.count("tanh"), words.count("sin")) == (1, 1)


def test_floats_broadcast_over_points_and_draws() -> None:
    at = {x: np.arange(3.0)[:, None], y: np.arange(4.0)[None, :]}
    assert floats([x + 2 * y], at)[0].tolist() == [[i + 2 * j for j in range(4)] for i in range(3)]


# ---- what has no value ----------------------------------------------------------------------------------------------------

VALUES: list[tuple[Any, Any, Any]] = [
    (x / y, 0, 0), (1 / y, 0, 0), (sp.log(x), 0, 0), (sp.log(x) * y, 0, 0), (sp.sqrt(x), -1, 0), (sp.log(x), -1, 0),
    (maximum(x / y, 1), 0, 0), (sp.exp(x) / sp.exp(x) / y, 3, 0),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "a", "b"), VALUES)
def test_where_there_is_no_value_the_answer_is_not_finite_in_any_ring(formula: Any, a: int, b: int) -> None:
    e = sp.sympify(formula, strict=True)
    exact = values([e], [{x: of(a), y: of(b)}])
    assert not np.isfinite(exact.value).any()
    assert not np.isfinite(floats([e], {x: np.float64(a), y: np.float64(b)})[0])


def test_logarithm_of_zero_and_large_exponentials() -> None:
    assert values([sp.log(x)], [{x: of(0)}]).value[0, 0] == -math.inf
    huge = values([sp.exp(x) * sp.exp(-x - 1), sp.exp(x)], [{x: of(800)}])
    assert huge.value[0, 0] == pytest.approx(math.exp(-1)) and huge.value[0, 1] == math.inf
    assert values([sp.log(1 + sp.exp(x))], [{x: of(-800)}]).value[0, 0] == pytest.approx(0, abs=1e-300)
    assert values([sp.tanh(x)], [{x: of(800)}]).value[0, 0] == 1


def test_a_mask_hides_what_is_infinite_behind_it_and_only_that() -> None:
    """E[log pi(a)] with a forbidden action: 0 log 0 counts for nothing; a reachable log 0 does not."""
    allowed = Variable("allowed", 2)
    r = Variable("r", 2)
    a = Draw("a", Categorical(logits=[0, 0], allowed=allowed))
    at = {allowed[0]: of(1), allowed[1]: of(0), r[0]: of(5), r[1]: of(0)}
    for e, expected in ((E(log_prob(a)), 0.0), (E(sp.log(allowed[a])), 0.0), (E(sp.log(r[a])), math.log(5))):
        assert values([e], [at]).value[0, 0] == pytest.approx(expected)
        assert floats([e], {s: np.array([float(fraction(v))]) for s, v in at.items()})[0] == pytest.approx(expected)
    reachable = at | {allowed[1]: of(1)}
    assert values([E(sp.log(r[a]))], [reachable]).value[0, 0] == -math.inf


def test_a_slope_that_is_not_a_number_is_not_skipped() -> None:
    """d/dp of sqrt(p) at p = 0 is infinite: the probability is 0 there, its slope is not."""
    p = Parameter("p")[()]
    a = Draw("a", Bernoulli(sp.sqrt(p)))
    assert not np.isfinite(values([E(3 * a).diff(p)], [{p: of(0)}]).value).any()
    assert values([E(3 * a).diff(p)], [{p: of(Fraction(1, 4))}]).value[0, 0] == 3


# ---- dynamic programming, listing, closed form ----------------------------------------------------------------------------


@st.composite
def processes(draw: st.DrawFn) -> dict[str, Any]:
    """A random small MDP: start and transitions in twelfths, whole rewards, logits at logs of whole numbers."""
    states, actions, horizon = draw(st.integers(1, 3)), draw(st.integers(2, 3)), draw(st.integers(1, 3))

    def row() -> list[Fraction]:
        cuts = sorted(draw(st.lists(st.integers(0, 12), min_size=states - 1, max_size=states - 1)))
        return [Fraction(b - a, 12) for a, b in itertools.pairwise([0, *cuts, 12])]

    return {
        "horizon": horizon,
        "start": row(),
        "P": [[row() for _ in range(actions)] for _ in range(states)],
        "r": [[draw(st.integers(-4, 4)) for _ in range(actions)] for _ in range(states)],
        "w": [[draw(st.integers(1, 4)) for _ in range(actions)] for _ in range(states)],
    }


def listed(m: dict[str, Any]) -> tuple[Fraction, list[Fraction]]:
    """J and dJ/dtheta over all trajectories: probability times return, and times the sum of the scores 1{a = b} - pi(b | s)."""
    S, A = len(m["r"]), len(m["r"][0])
    pi = [[Fraction(w, sum(row)) for w in row] for row in m["w"]]
    J, slopes = Fraction(0), [[Fraction(0)] * A for _ in range(S)]
    for path in itertools.product(itertools.product(range(S), range(A)), repeat=m["horizon"]):
        p = m["start"][path[0][0]]
        for (s, a), (t, _) in itertools.pairwise(path):
            p *= m["P"][s][a][t]
        p *= math.prod((pi[s][a] for s, a in path), start=Fraction(1))
        if p:
            G = sum(m["r"][s][a] for s, a in path)
            J += p * G
            for s, a in path:
                for b in range(A):
                    slopes[s][b] += p * G * ((a == b) - pi[s][b])
    return J, [d for row in slopes for d in row]


def programmed(m: dict[str, Any]) -> tuple[Fraction, list[Fraction]]:
    """The same backwards: Q and V, and the policy gradient theorem, occupancy times pi times (Q - V)."""
    S, A = len(m["r"]), len(m["r"][0])
    pi = [[Fraction(w, sum(row)) for w in row] for row in m["w"]]
    later, tables = [Fraction(0)] * S, []
    for _ in range(m["horizon"]):
        Q = [[m["r"][s][a] + sum(p * v for p, v in zip(m["P"][s][a], later, strict=True)) for a in range(A)] for s in range(S)]
        later = [sum((pi[s][a] * Q[s][a] for a in range(A)), Fraction(0)) for s in range(S)]
        tables.insert(0, (Q, later))
    d, slopes = list(m["start"]), [[Fraction(0)] * A for _ in range(S)]
    for Q, V in tables:
        for s in range(S):
            for a in range(A):
                slopes[s][a] += d[s] * pi[s][a] * (Q[s][a] - V[s])
        d = [sum(d[s] * pi[s][a] * m["P"][s][a][t] for s in range(S) for a in range(A)) for t in range(S)]
    return sum((p * v for p, v in zip(m["start"], tables[0][1], strict=True)), Fraction(0)), [x for row in slopes for x in row]


def modelled(m: dict[str, Any]) -> tuple[Any, list[Any], dict[Any, Any], Any]:
    theta = Parameter("theta", (len(m["w"]), len(m["w"][0])), over=LogRational())

    def exact(table: Any) -> Any:
        return [exact(row) for row in table] if isinstance(table, list) else R(table)

    tau = episode(exact(m["start"]), exact(m["P"]), exact(m["r"]), softmax(theta), m["horizon"])
    at = dict(zip(theta.atoms.ravel(), (log_of(of(w)) for row in m["w"] for w in row), strict=True))
    return E(tau.total), list(theta.atoms.ravel()), at, tau


def agree(m: dict[str, Any], J: Any, by: list[Any], at: dict[Any, Any]) -> bool:
    found = values([J, *(J.diff(t) for t in by)], [at])
    value, slopes = listed(m)
    return found.evidence is Evidence.EXACT and [fraction(v) for v in found.exact[0]] == [value, *slopes]


@given(processes())
def test_dynamic_programming_listing_and_the_policy_gradient_theorem_agree(m: dict[str, Any]) -> None:
    J, by, at, _ = modelled(m)
    assert listed(m) == programmed(m)
    assert agree(m, J, by, at)


@settings(max_examples=8)
@given(processes().filter(lambda m: (len(m["r"]) * len(m["r"][0])) ** m["horizon"] <= 16))
def test_the_closed_form_is_the_same_number(m: dict[str, Any]) -> None:
    J, by, at, tau = modelled(m)
    formula = closed(J)
    assert not formula.has(*(d[()] for d in tau.draws)) and agree(m, formula, by, at)
    score = sum(log_prob(a).diff(by[0]) for a in tau.steps)
    assert fraction(values([E(score * tau.total)], [at]).exact[0, 0]) == listed(m)[1][0]
    rough = floats([J, J.diff(by[0])], {s: math.log(float(fraction(EXACT.exp(v)))) for s, v in at.items()})
    assert [float(v) for v in rough] == pytest.approx([float(listed(m)[0]), float(listed(m)[1][0])], abs=1e-12)


def test_a_wrong_transition_is_noticed() -> None:
    m = {"horizon": 2, "start": [Fraction(1), Fraction(0)], "r": [[1, -2], [3, 0]], "w": [[2, 1], [1, 3]],
         "P": [[[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 3), Fraction(2, 3)]]] * 2}  # fmt: skip
    J, by, at, _ = modelled(m)
    turned = m | {"P": [row[::-1] for row in m["P"]]}
    assert agree(m, J, by, at) and not agree(turned, J, by, at)


def test_the_reference_mdp_by_two_routes() -> None:
    """Both routes of this file, written for any MDP, give the numbers the model gives, rational for rational."""
    F = Fraction
    P = [[[F(3, 4), F(1, 4)], [F(1, 3), F(2, 3)]], [[F(1, 2), F(1, 2)], [F(1, 5), F(4, 5)]]]
    m = {"horizon": 3, "start": [F(2, 3), F(1, 3)], "P": P, "r": [[1, -2], [3, F(1, 2)]], "w": [[2, 1], [1, 3]]}
    J, slopes = listed(m)
    assert (J, slopes) == programmed(m)
    assert (J, slopes[0], slopes[2]) == (F(541021, 345600), F(2163791, 2332800), F(2456759, 4147200))
    assert (slopes[1], slopes[3]) == (-slopes[0], -slopes[2])
    objective, by, at, tau = modelled(m)
    assert agree(m, objective, by, at)
    variance = values([E(tau.total**2) - E(tau.total) ** 2], [at]).exact[0, 0]
    off_policy = dict(zip(by, map(log_of, map(fmpq, (3, 2, 1, 2))), strict=True))
    assert fraction(variance) == spread(m)
    assert agree(m | {"w": [[3, 2], [1, 2]]}, objective, by, off_policy)


def spread(m: dict[str, Any]) -> Fraction:
    """Variance of the return over all trajectories: J and the second moment, by rewards of one path at a time."""
    S, A = len(m["r"]), len(m["r"][0])
    first = second = Fraction(0)
    for path in itertools.product(itertools.product(range(S), range(A)), repeat=m["horizon"]):
        p = m["start"][path[0][0]] * math.prod(m["P"][s][a][t] for (s, a), (t, _) in itertools.pairwise(path))
        p *= math.prod(Fraction(m["w"][s][a], sum(m["w"][s])) for s, a in path)
        G = sum(m["r"][s][a] for s, a in path)
        first, second = first + p * G, second + p * G * G
    return second - first**2


def test_a_long_horizon_is_not_listed() -> None:
    """2^40 histories: only dynamic programming ends. The chain leaves state 0 with probability q: J = sum of (1 - q)^t."""
    q = Parameter("q", over=Uniform(0.1, 0.9))[()]
    horizon = 20
    tau = episode([1, 0], [[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[1, 0], [0, 0]], [[1 - q, q], [1 - q, q]], horizon)
    kept = Fraction(2, 3)
    J = E(tau.total)
    found = values([J, J.diff(q)], [{q: of(1 - kept)}]).exact[0]
    assert fraction(found[0]) == sum(kept**t for t in range(1, horizon + 1))
    assert fraction(found[1]) == -sum(t * kept ** (t - 1) for t in range(1, horizon + 1))


def test_an_indicator_of_a_draw_has_a_value_and_a_slope() -> None:
    logits = Parameter("logits", 3)
    one, other = (Draw(name, Categorical(logits=logits)) for name in ("one", "other"))
    chances, row = softmax(logits), {a: of(n) for n, a in enumerate(logits.atoms)}
    for formula, truth in (
        (sp.KroneckerDelta(one, 1), chances[1]),
        (sp.KroneckerDelta(one, other), sum(p**2 for p in chances)),
        (sp.KroneckerDelta(one, other) * one, sum(n * p**2 for n, p in enumerate(chances))),
    ):
        for x in (None, logits[0]):
            left, right = (e if x is None else e.diff(x) for e in (E(formula), truth))
            assert values([left - right], [row]).value[0, 0] == pytest.approx(0, abs=1e-30)
            assert values([left], [row]).value[0, 0] != 0


def test_too_many_histories_are_refused_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck_rl.expressions.VISITS", 100)
    coins = [Draw(f"c{k}", Bernoulli(R(1, 2))) for k in range(12)]
    with pytest.raises(Unsuitable, match="the draws have more than 100 histories: shorten the horizon"):
        values([E(sp.exp(x * sum(c[()] for c in coins)))], [{x: of(1)}])
    assert values([E(sum(c[()] for c in coins))], [{}]).exact[0, 0] == 6


# ---- continuous draws -----------------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(st.floats(-1, 1), st.floats(0.5, 1.5))
@example(0.1, 0.7109375)  # two orders agree here to 4e-8 on a slope that is wrong by 2e-4
def test_quadrature_knows_how_far_it_is_from_the_truth(m: float, s: float) -> None:
    """Closed forms: E e^x = exp(m + s^2/2), E cos x = cos(m) exp(-s^2/2), E max(x, 0) = m Phi(m/s) + s phi(m/s)."""
    mean, sd = Parameter("m")[()], Parameter("s", over=Uniform(0.1, 2))[()]
    u = Draw("u", Gaussian(mean, sd))
    Phi, phi = math.exp(log_ndtr(m / s)), math.exp(-((m / s) ** 2) / 2) / math.sqrt(2 * math.pi)
    rise, fall = math.exp(m + s * s / 2), math.exp(-s * s / 2)
    table = [
        (E(exp(u)), rise, rise, s * rise),
        (E(sp.cos(u[()])), math.cos(m) * fall, -math.sin(m) * fall, -s * math.cos(m) * fall),
        (E(maximum(u, 0)), m * Phi + s * phi, Phi, phi),
        (E(minimum(u, frozen(u) + 1)), m, 1.0, 0.0),
    ]
    outputs = [e for J, *_ in table for e in (J, J.diff(mean), J.diff(sd))]
    true = np.array([t for _, *row in table for t in row])
    found = integrals(outputs, {mean: np.array([m]), sd: np.array([s])})
    assert needs_integration(outputs) and (np.abs(found.value[0] - true) <= found.radius[0]).all()
    assert (found.radius[0, :6] < 1e-9 * (1 + np.abs(true[:6]))).all()  # smooth ones resolve


# Jumps and kinks along a plane: E step(u) and E |u| of u = slope . z + c, which is normal with deviation |slope|.

slopes_of_planes = st.one_of(
    *(st.lists(kind, min_size=n, max_size=n) for n in (1, 2, 3) for kind in (st.integers(-4, 4), st.floats(-3, 3))),
).filter(lambda s: all(abs(k) > 0.01 for k in s))


def of_plane(slope: Any, c: float) -> tuple[float, float]:
    s = float(np.linalg.norm(slope))
    z = c / s
    return math.erfc(-z / math.sqrt(2)) / 2, s * (z * math.erf(z / math.sqrt(2)) + math.sqrt(2 / math.pi) * math.exp(-z * z / 2))


def known_as_code(f: Any, draws: list[Any]) -> Any:
    """E f(z) as a mean of code is taken: at nodes, nothing else known of f."""

    def rule(order: int, rows: Any = None) -> Any:  # there is one point
        columns, weights = nodes(draws, {}, 1, order)
        return (weights * f(*(columns[d[()]] for d in draws))).sum(1)

    return quadrature(rule, 2**10)


@settings(max_examples=150)
@given(slopes_of_planes, st.one_of(st.just(0.0), st.floats(-6, 6)), st.booleans())
@example([1, -1], 0.0, False)
@example([1, -1], 0.0, True)
@example([2, -1], 0.0, False)
@example([1, 2], 0.0, False)
@example([3, -4], 0.0, False)
@example([-2.3, 2.3, 0.3], 0.1, False)
@example([1], -6.2, True)
def test_the_radius_holds_the_truth_across_an_oblique_plane(slope: Any, c: float, kink: bool) -> None:
    draws = [Draw(name, Gaussian(0, 1)) for name in "abc"[: len(slope)]]

    def f(*z: Any) -> Any:
        u = sum(k * x for k, x in zip(slope, z, strict=True)) + c
        return np.abs(u) if kink else np.where(u >= 0, 1.0, 0.0)

    true, found = of_plane(slope, c)[kink], known_as_code(f, draws)
    assert abs(found.value[0] - true) <= found.radius[0] + 4 * EPS * true


# Statements that no rule of equal or of symmetric steps can tell, and what they are.

z1, z2, z3 = (Draw(name, Gaussian(0, 1)) for name in ("z1", "z2", "z3"))
pair = Draw("pair", Gaussian([0, 0], [2, 1]))
m = sp.Symbol("m", real=True)
tilted = -R(23, 10) * z1[()] + R(23, 10) * z2[()] + R(3, 10) * z3[()] + R(1, 10)
narrow = R(4, 1000)
between = step(z1 - R(3, 100)) * step(R(6, 100) - z1)
slice_ = (sp.erfc(R(3, 100) / sp.sqrt(2)) - sp.erfc(R(6, 100) / sp.sqrt(2))) / 2
TRUTHS: list[tuple[Any, Any]] = [
    (E(step(z1 - z2)), R(1, 2)),
    (E(step(pair[0] - pair[1])), R(1, 2)),
    (E(step(tilted)), sp.erfc(-R(1, 10) / sp.sqrt(2 * R(23, 10) ** 2 + R(3, 10) ** 2) / sp.sqrt(2)) / 2),
    (E(between), slice_),
    (E(exp(-((z1 - R(3, 10)) ** 2) / (2 * narrow**2) + z1**2 / 2) / narrow), sp.Integer(1)),
    (sp.Integral(sp.Abs(m), (m, -1, 2)), R(5, 2)),
    (sp.Integral(maximum(m - R(1, 3), 0), (m, 0, 1)), R(2, 9)),
    (sp.Integral(sp.exp(-((m - R(1, 3)) ** 2) * 10**8), (m, -sp.oo, sp.oo)), sp.sqrt(sp.pi) / 10**4),
    (sp.Integral(sp.erfinv(2 * m - 1), (m, 0, R(1, 4))), -sp.exp(-(sp.erfinv(R(1, 2)) ** 2)) / sp.sqrt(4 * sp.pi)),
]


@pytest.mark.parametrize(("e", "true"), TRUTHS, ids=str)
@pytest.mark.parametrize("resolution", [R(1, 10**6), R(1, 10**4)])
def test_the_truth_is_not_refuted_and_what_is_false_does_not_agree(e: Any, true: Any, resolution: Any) -> None:
    off = 5 * resolution * (1 + true)
    claims = [Claim("true", Equal(e, true), resolution=resolution)]
    claims += [
        Claim(f"false {by}", Equal(e, wrong), resolution=resolution) for by, wrong in (("a", true + off), ("b", true - off))
    ]
    right, *wrong = check(Problem("t", claims)).claims
    assert right.verdict != "refuted" and all(c.verdict != "agrees" for c in wrong)


@settings(max_examples=60)
@given(slopes_of_planes.filter(lambda s: len(s) < 3 and abs(s[-1]) >= max(0.3, abs(s[0]))), st.floats(-6, 6))
@example([1, -1], 0.0)
def test_a_formula_is_cut_where_something_linear_in_its_last_draw_bends(slope: Any, c: float) -> None:
    """Then it is known well, on both sides of the corner and far from it: what is left is as smooth as the others are flat."""
    draws = [Draw(name, Gaussian(0, 1)) for name in "ab"[: len(slope)]]
    slope, c = [round(k, 3) for k in slope], round(c, 3)
    u = sum(R(str(k)) * d[()] for k, d in zip(slope, draws, strict=True)) + R(str(c))
    found = integrals([E(step(u) + sp.cos(u) * 0), E(sp.Abs(u))], {})
    off = np.abs(found.value[0] - of_plane(slope, c))
    assert (off <= found.radius[0] + 1e-14).all() and (found.radius < 1e-7).all()


def test_a_draw_that_is_certain_is_cut_too() -> None:
    sd = Parameter("sd", over=Uniform(0, 1))[()]
    u = Draw("u", Gaussian(1, sd))
    found = integrals([E(sp.tanh(sp.Abs(u[()]))), E(maximum(u, frozen(u[()]) * 2 - 1))], {sd: np.array([0.0])})
    assert np.abs(found.value[0] - [math.tanh(1), 1]).max() <= found.radius.max() < 1e-9


def test_written_integrals_are_cut_and_run_backwards_too() -> None:
    t = sp.Dummy("t", real=True)
    cases = [
        (sp.Integral(sp.Abs(t), (t, 2, -1)), -2.5), (sp.Integral(sp.Abs(t - x), (t, 0, 1)), 0.29),
        (sp.Integral(step(x * t - 1), (t, 0, 1)), 0), (sp.Integral(sp.sign(t) * sp.Max(t, -1, x), (t, -2, x)), -0.51),
    ]  # fmt: skip
    found = integrals([e for e, _ in cases], {x: np.array([0.3])})
    assert np.abs(found.value[0] - [true for _, true in cases]).max() <= found.radius.max() < 1e-9


def test_certified_integrals_hold_the_truth() -> None:
    """The integral of 1 / (1 + a t^2) over (0, 1) is atan(sqrt a) / sqrt a."""
    t = sp.Dummy("t", real=True)
    e = sp.Integral(1 / (1 + x * t**2), (t, 0, 1))
    found = values([e, e.diff(x)], [{x: of(3)}])
    root = math.sqrt(3)
    assert found.evidence is Evidence.BALL and (found.radius < 1e-15).all()
    assert found.value[0, 0] == pytest.approx(math.atan(root) / root, rel=1e-14)
    assert found.value[0, 1] == pytest.approx(1 / 24 - math.atan(root) / (6 * root), rel=1e-12)  # d/da of the closed form
    rough = integrals([e], {x: np.array([3.0])})
    assert abs(rough.value[0, 0] - math.atan(root) / root) <= rough.radius[0, 0] < 1e-9


def test_a_continuous_draw_without_closed_form_is_not_evaluated_exactly() -> None:
    u = Draw("u", Gaussian(0, 1))
    with pytest.raises(Unsuitable):
        values([E(sigmoid(u))], [{}])
    assert not needs_integration([E(u**2)]) and values([E(u**2)], [{}]).exact[0, 0] == 1


# ---- what cannot be evaluated says so -------------------------------------------------------------------------------------

f = sp.Function("f")
ERRORS: list[tuple[Any, type[Exception], str]] = [
    (x * sp.Float(0.5), ProblemError, "0.5 is a rounded number inside a formula: write Rational.1, 2."),
    (x * sp.Float(math.pi), ProblemError, r"write Rational\('3.14159\d*'\), or what it was rounded from, as sympy.pi or"),
    (sp.Symbol("z") + x, ProblemError, "`z` is a symbol of SymPy, which has no values: write z = Variable"),
    (Draw("a", Bernoulli(R(1, 2)))[()] + x, ProblemError, "the draw `a` has no value here: take the expectation"),
    (sp.gamma(x), ProblemError, "no way to evaluate gamma in gamma"),
    (sp.atanh(x), ProblemError, r"as atanh\(x\) is log\(\(1 \+ x\)/\(1 - x\)\)/2"),
    (f(x), Unsuitable, "generic functions and symbolic sums have no value"),
    (sp.Derivative(x**2, x), Unsuitable, r"a Derivative is worked out in a derivation alone: write diff\(f, x\)"),
]


@pytest.mark.parametrize(("formula", "kind", "message"), ERRORS)
def test_errors_name_what_was_written(formula: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        values([formula], [{x: of(1)}])


def test_numbers_without_symbols_are_ring_elements() -> None:
    assert number(R(1, 3)) == fmpq(1, 3) and number(sp.log(2)) == log_of(fmpq(2)) and number(sp.oo) == arb.pos_inf()
    assert number(sp.nan).is_nan() and number(sp.zoo).is_nan() and number(sp.sqrt(2)).overlaps(arb(2).sqrt())
    assert number(sp.pi).overlaps(arb.pi()) and number(sp.E).overlaps(arb.const_e())


def test_an_expectation_in_an_expectation_is_not_outermost() -> None:
    a = Draw("a", Bernoulli(R(1, 2)))
    inner, outer = E(a), E(a * E(a))
    assert set(outermost(outer + 2 * inner)) == {outer, inner}


def test_slopes_of_formulas_that_share_a_sum_share_its_slope() -> None:
    u, v, w = logits = list(Parameter("logits", 3))
    total = sum(map(sp.exp, logits))
    shared = [sp.exp(u) / total, v**2 * sp.log(total), frozen(total) * w, sp.Integer(3), total - w * total]
    pairs = list(itertools.product(shared, logits))
    program, at = Program(pairs, logits), [of(1), of(R(1, 2)), of(-2)]
    for found, wanted in zip(program(EXACT, at), Program([f.diff(x) for f, x in pairs], logits)(EXACT, at), strict=True):
        assert abs(float(arb(found - wanted).mid())) < 1e-50
    assert [word for word, *_ in program._code].count("exp") == 3


def test_a_lookup_at_an_index_that_depends_on_the_point_runs_in_both_rings() -> None:
    table = Variable("table", 3)
    at = dict(zip(table, map(of, (5, 6, 7)), strict=True))
    assert values([table[x]], [at | {x: of(2)}, at | {x: of(0)}]).exact.ravel().tolist() == [7, 5]
    rough = {s: np.array([float(fraction(v))]) for s, v in at.items()}
    assert floats([table[x]], rough | {x: np.array([2.0, 0.0])})[0].tolist() == [7, 5]
    assert Float().order == 1 and step(R(1, 2)) == 1


threshold = Parameter("threshold", over=Uniform(-1, 1))
wide = R(1, 100)
NESTED = {
    "clip": (E(clip(z1 - threshold, -1, 1)), E(maximum(z1 - threshold, -1) - maximum(z1 - threshold, 1)) + 1),
    "window": (
        E(step(wide - sp.Abs(z1 - threshold))),
        E(step(z1 - threshold + R(1, 100)) * step(threshold + R(1, 100) - z1)),
    ),
    "pinball": (
        E(sp.Abs(R(7, 10) - (1 - step(z1 - threshold))) * sp.Abs(z1 - threshold)),
        E(maximum(R(7, 10) * (z1 - threshold), -R(3, 10) * (z1 - threshold))),
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_a_corner_inside_a_corner_is_cut_on_each_of_its_sides(name: str) -> None:
    left, right = NESTED[name]
    claims = [Claim("so", Equal(left, right)), Claim("not so", Equal(left, right + R(1, 10**5)))]
    so, not_so = check(Problem("t", claims)).claims
    assert so.verdict in ("agrees", "proved") and not_so.verdict == "refuted"


# ---- draws that are independent of each other -----------------------------------------------------------------------------


def test_thirty_coins_are_averaged_one_by_one() -> None:
    p, n = Parameter("p", over=Uniform(0.1, 0.9)), 30
    coins = [Draw(f"c{k}", Bernoulli(p)) for k in range(n)]
    mean = sum(c * 1 for c in coins) / sp.Integer(n)
    product, square = E(math.prod(1 + c for c in coins)), E(mean**2)
    claims = [
        Claim("product", Equal(product, (1 + p) ** n)),
        Claim("its slope", Equal(Gradient(product), n * (1 + p) ** (n - 1))),
        Claim("square", Equal(square, p**2 + p * (1 - p) / n)),
        Claim("its slope", Equal(Gradient(square), 2 * p + (1 - 2 * p) / n)),
        Claim("as if they were one coin", Equal(product, 1 + p * (2**n - 1))),
        Claim("as if they were one coin", Equal(square, p)),
    ]
    assert [line.verdict for line in check(Problem("t", claims)).claims] == ["proved"] * 4 + ["refuted"] * 2


@settings(max_examples=25)
@given(st.lists(st.integers(-3, 3), min_size=12, max_size=12), st.sets(st.integers(1, 4)), st.integers(1, 3))
def test_factors_are_averaged_apart_where_no_draw_is_shared(numbers: list[int], followers: set[int], power: int) -> None:
    """By listing all outcomes: the draws that follow the first one are not independent of it, nor of each other."""
    p = Parameter("p", over=Uniform(0.1, 0.9))[()]
    first = Draw("c0", Bernoulli(p))
    coins = [first, *(Draw(f"c{k}", Bernoulli((1 + first) * p / 2 if k in followers else p * p)) for k in range(1, 5))]
    tables = [numbers[2 * k : 2 * k + 2] for k in range(5)]
    factors = [array(*table)[coin] for table, coin in zip(tables, coins, strict=True)]
    body = factors[0] * factors[1] * (factors[2] + numbers[10] * factors[3]) ** power * (numbers[11] + factors[4])
    at = Fraction(1, 3)

    def listed(p: Any) -> Any:
        total = 0
        for c in itertools.product((0, 1), repeat=5):
            ones = [p, *((1 + c[0]) * p / 2 if k in followers else p * p for k in range(1, 5))]
            f = [table[one] for table, one in zip(tables, c, strict=True)]
            weight = math.prod(q if one else 1 - q for q, one in zip(ones, c, strict=True))
            total += weight * f[0] * f[1] * (f[2] + numbers[10] * f[3]) ** power * (numbers[11] + f[4])
        return total

    slope = sp.diff(listed(x), x).subs(x, R(1, 3))
    for few in (512, 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gradcheck_rl.expectation.OUTCOMES_IN_A_FORMULA", few)
            found = values([E(body), E(body).diff(p)], [{p: of(at)}]).exact[0]
        assert fraction(found[0]) == listed(at) and fraction(found[1]) == Fraction(slope.p, slope.q)


def test_too_many_nodes_are_refused_and_not_waited_for() -> None:
    coins = [Draw(f"c{k}", Bernoulli(R(1, 2))) for k in range(18)]
    normal = [Draw(f"n{k}", Gaussian(0, 1)) for k in range(7)]
    together = sum(c[()] for c in coins) + normal[0][()]
    for body in (sp.tanh(together), sp.tanh(sum(z[()] for z in normal))):
        with pytest.raises(Unsuitable, match="has too many nodes: shorten the horizon, or state the claim at a smaller size"):
            integrals([E(body)], {})
    assert integrals([E(together * sp.tanh(normal[1][()]) + 1)], {}).value[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("narrowed", [sp.Rational(1, 10**2), sp.Rational(1, 10**4), sp.Rational(1, 10**6)])
def test_what_grows_with_the_reach_of_the_rules_refutes_nothing(narrowed: Any) -> None:
    """E exp(c z^2) = 1/sqrt(1 - 2c): near c = 1/2 most of it lies where no rule looks."""
    z = Draw("z", Gaussian(0, 1))
    claim = Claim("So.", Equal(E(exp((1 - narrowed) * z**2 / 2)), 1 / sp.sqrt(narrowed)))
    assert check(Problem("Tails", (claim,), world=(z,))).claims[0].verdict == "undecided"
    settled, off = (Claim("So.", Equal(E(exp(z**2 / 4)), sp.sqrt(2) + wrong)) for wrong in (0, sp.Rational(1, 100)))
    verdicts = [line.verdict for line in check(Problem("Tails", (settled, off), world=(z,))).claims]
    assert verdicts == ["agrees", "refuted"]


@pytest.mark.parametrize("certain", [0, 1])
def test_a_coordinate_that_is_certain_leaves_the_other_as_it_is(certain: int) -> None:
    """E f(u, v) where one of them has no spread is E f at its mean."""
    deviations = [Variable(f"s{i}")[()] for i in range(2)]
    pair, other = Draw("pair", Gaussian([x, x], deviations)), Draw("other", Gaussian(x, y))
    columns = {x: np.array([0.3]), y: np.array([0.5])} | {d: np.array([0.5 * (i != certain)]) for i, d in enumerate(deviations)}
    instead = [other[()], x] if certain else [x, other[()]]
    found, expected = (integrals([E(sp.tanh(a + 2 * b))], columns) for a, b in (pair, instead))
    assert abs(found.value - expected.value) <= found.radius + expected.radius < 1e-6


def test_a_lookup_under_an_integral_keeps_its_shape() -> None:
    """Parts without the variable are worked out once; the shape of a table is no such part."""
    arm, t = Draw("arm", Bernoulli(R(1, 3))), sp.Symbol("t", real=True)
    rows = array([t, 2 * t], [y, 3 * y])
    under = [sp.Integral(rows[i, arm] ** 2 * x, (t, 0, 1)) for i in (0, 1)]
    found = integrals([E(e) for e in under], {x: np.array([2.0]), y: np.array([1.5])})
    expected = [R(2, 3) * (R(2, 3) + R(1, 3) * 4), 2 * R(9, 4) * (R(2, 3) + R(1, 3) * 9)]
    assert (np.abs(found.value[0] - np.array(expected, dtype=float)) <= found.radius[0]).all()


@pytest.mark.parametrize("sides", [*itertools.product((-1, 0, 1), repeat=3)])
def test_the_slope_of_the_smaller_and_of_the_larger_is_shared_at_a_tie(sides: tuple[int, ...]) -> None:
    """At a tie SymPy's Heaviside(0) gives one half to each of the two, the first two first."""
    z = Variable("z")[()]
    at = list(map(of, sides))
    for kind in (sp.Min, sp.Max):
        e, by = kind(2 * x, 2 * y, 2 * z), [x, y, z]
        found = Program([(e, s) for s in by], by)(EXACT, at)
        best = (min if kind is sp.Min else max)(sides)
        assert sum(found) == 2
        for slope, side in zip(found, sides, strict=True):
            assert slope == (0 if side != best else 2 if sides.count(best) == 1 else slope) and 0 <= slope <= 2
            assert slope > 0 or side != best


chances = st.fractions(min_value=0, max_value=1, max_denominator=5)


@pytest.mark.parametrize("follows", ["first", "second", "both"])
@settings(max_examples=5)
@given(chances)
@example(Fraction(1))
def test_draws_that_follow_some_of_those_before_are_listed(follows: str, at: Fraction) -> None:
    """E of a table of three coins, and its slope by the parameter of the first and the last, chances of 0 and 1 included."""
    q = Parameter("q")[()]
    table = [[[3, -1], [2, 5]], [[-4, 1], [7, 2]]]
    p = [Fraction(1, n) for n in range(2, 9)]
    one, two = Draw("one", Bernoulli(q)), Draw("two", Bernoulli(R(p[0])))
    rows = {"first": [[p[1], p[1]], [p[2], p[2]]], "second": [[p[3], p[4]]] * 2, "both": [p[1:3], p[5:7]]}[follows]
    three = Draw("three", Bernoulli(array(*(array(*(R(c) * q for c in row)) for row in rows))[one, two]))

    def listed(q: Any) -> Any:
        total = 0
        for i, j, k in itertools.product((0, 1), repeat=3):
            last = R(rows[i][j]) * q
            weights = (q if i else 1 - q, R(p[0]) if j else 1 - R(p[0]), last if k else 1 - last)
            total += sp.prod(weights) * (table[i][j][k] + 1) ** 2
        return sp.expand(total)

    value = E((array(*(array(*(array(*row) for row in rows)) for rows in table))[one, two, three] + 1) ** 2)
    found = values([value, value.diff(q)], [{q: of(at)}]).exact[0]
    assert [R(fraction(v)) for v in found] == [listed(x).subs(x, R(at)), sp.diff(listed(x), x).subs(x, R(at))]


def test_an_outcome_that_cannot_be_drawn_has_a_slope() -> None:
    p = Parameter("p")[()]
    coin = Draw("coin", Bernoulli(p))
    assert values([E((2 + coin) ** 3).diff(p)], [{p: of(0)}]).exact[0, 0] == 27 - 8


def test_what_neither_floats_nor_balls_can_say_is_no_value() -> None:
    with pytest.raises(Unsuitable, match="no number at some outcome"):
        floats([sp.sqrt(sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1)], {x: np.linspace(1, 2, 50)})


def test_nodes_that_weigh_nothing_fail_alone() -> None:
    """The first two outcomes have a value in balls alone; the last two have none, and count for nothing."""
    body, at = Program([sp.log(1 - sp.tanh(x) ** 2), sp.log(y)], [x, y]), [np.array([20.0, 30, 1, 1]), np.array([1.0, 2, 0, -1])]
    with np.errstate(all="ignore"):
        out = in_balls_where_floats_fail(body, at, body(Float(1), at), np.array([0.5, 0.5, 1e-30, 0]), 1)
    assert out[0][:2] == pytest.approx([math.log(4) - 40, math.log(4) - 60]) and out[1][:2] == pytest.approx([0, math.log(2)])
    assert np.nansum(out[1][2:]) == 0 and out[1][2] == 0


@settings(max_examples=10)
@given(st.lists(st.integers(1, 3), min_size=3, max_size=3), st.integers(-2, 2), st.integers(-2, 2))
@example([3, 3, 1], 1, 0)
def test_a_draw_of_two_coordinates_is_cut_in_the_last(factor: list[int], slope: int, c: int) -> None:
    """Steps of 1/4 in the first leave exp(-(8 pi)^2 / 2 / (1 + steepness^2)): below 1e-8 up to a steepness of 4."""
    a, b, d = factor
    both = Draw("both", Gaussian([R(1, 3), R(-1, 2)], covariance=[[a * a, a * b], [a * b, b * b + d * d]]))
    u = slope * both[0] + both[1] + c
    found = integrals([E(step(u)), E(sp.Abs(u))], {})
    off = np.abs(found.value[0] - of_plane([slope * a + b, d], slope / 3 - 1 / 2 + c))
    assert (off <= found.radius[0] + 1e-14).all()
    assert abs(slope * a + b) > 4 * d or (found.radius < 1e-7).all()


@pytest.mark.parametrize("at", [-2, 0, 3])
@pytest.mark.parametrize("at_zero", [0, 1, R(1, 3)])
def test_a_step_has_the_value_that_is_written_at_its_jump(at: int, at_zero: Any) -> None:
    found = values([sp.Heaviside(x, at_zero)], [{x: of(at)}]).exact[0, 0]
    assert R(fraction(found)) == (at_zero if at == 0 else int(at > 0))


def test_what_has_no_value_within_sight_has_no_integral() -> None:
    t = sp.Symbol("t", real=True)
    assert not np.isfinite(integrals([sp.Integral(sp.log(t) * sp.exp(-(t**2)), (t, -sp.oo, sp.oo))], {}).value).any()


def test_an_integral_inside_another_is_not_certified() -> None:
    s, t = sp.symbols("s t", real=True)
    with pytest.raises(Unsuitable, match="inside another, is not certified"):
        values([sp.Integral(sp.Integral(sp.exp(s * t), (s, 0, 1)), (t, 0, 1))], [{}])
    found = integrals([sp.Integral(sp.Integral(s * t * x, (s, 0, t)), (t, 0, 2))], {x: np.array([3.0])})
    assert abs(found.value[0, 0] - 6) <= found.radius[0, 0] < 1e-8
    with pytest.raises(ProblemError, match="needs two limits for each variable"):
        integrals([sp.Integral(s, s)], {})


@pytest.mark.parametrize("chance", [1.5, -0.5])
def test_chances_beyond_one_that_sum_to_one_are_refused_in_floats(chance: float) -> None:
    coin = Draw("coin", Bernoulli(x))
    with pytest.raises(ProblemError, match="the probabilities of a draw are"):
        floats([E(sp.tanh(coin[()]))], {x: np.array([0.5, chance])})


def test_each_coordinate_is_cut_at_its_own_places() -> None:
    both = Draw("both", Gaussian([0, 0], 1), breaks=((-1, 1), (R(1, 2),)))
    found = integrals([E(step(both[0] + 1) * step(1 - both[0]) * step(both[1] - R(1, 2)))], {})
    true = math.erf(1 / math.sqrt(2)) * math.erfc(0.5 / math.sqrt(2)) / 2
    assert abs(found.value[0, 0] - true) <= found.radius[0, 0] < 1e-7


@given(st.fractions(min_value=R(-99, 100), max_value=R(99, 100), max_denominator=1000), st.fractions(min_value=-2, max_value=2))
def test_the_inverse_of_erf_has_its_slope_and_is_undone(a: Fraction, b: Fraction) -> None:
    """Instructions, SymPy's formula, torch, and a symmetric difference of certified values: h^2 = 1e-40."""
    e, h = sp.erfinv(x), Fraction(1, 10**20)
    up, down = (values([e], [{x: of(a + s * h)}]).exact[0, 0] for s in (1, -1))
    slope = Program([(e, x)], [x])(EXACT, [of(a)])[0]
    assert abs(float(arb(ball((up - down) / of(2 * h) - slope)).mid())) < 1e-25
    assert ball(values([e.diff(x)], [{x: of(a)}]).exact[0, 0]).overlaps(ball(slope))
    assert of_formulas(compiled([e])[0], np.array([[float(a)]]), [0])[0, 0] == pytest.approx(float(slope), rel=1e-10)
    undone = values([sp.erf(x * sp.erfinv(y) / x), sp.erfinv(1 - sp.erfc(x))], [{x: of(b or 1), y: of(a)}])
    assert np.abs(undone.value[0] - [float(a), float(b or 1)]).max() < 1e-14


@pytest.mark.parametrize("at", [1, -1, 2, -2])
def test_the_inverse_of_erf_has_no_value_beyond_one_and_no_slope_at_its_ends(at: int) -> None:
    for e in (sp.erfinv(x), sp.erfinv(x).diff(x), (sp.erfinv(x), x)):
        assert not np.isfinite(ball(Program([e], [x])(EXACT, [of(at)])[0]).mid().__float__())


@given(st.floats(-25, 25), st.sampled_from(["erfc", "1 - erfc", "1 + erf", "1 - erf"]))
def test_the_logarithm_of_a_normal_chance_is_known_where_the_chance_rounds_to_0_or_to_1(at: float, way: str) -> None:
    """So Gumbel noise, -log(-log(u)), is finite wherever a normal that it is made of is."""
    t = sp.Symbol("t", real=True)
    chance = {"erfc": sp.erfc(t), "1 - erfc": 2 - sp.erfc(-t), "1 + erf": 1 + sp.erf(-t), "1 - erf": 1 - sp.erf(t)}[way] / 2
    (found, noise) = floats([sp.log(chance), -sp.log(-sp.log(chance))], {t: np.array(at)})
    with mpmath.workdps(400):
        wanted = mpmath.log(mpmath.erfc(mpmath.mpf(at)) / 2)
        assert found == pytest.approx(float(wanted), rel=1e-13)
        assert noise == pytest.approx(float(-mpmath.log(-wanted)), rel=1e-12, abs=1e-12)
    (exact,) = values([sp.log(chance)], [{t: of(Fraction(at))}]).value[0]
    assert exact == pytest.approx(found, rel=1e-13)
