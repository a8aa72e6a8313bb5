"""What a proof may cost is counted, so that it ends, and ends alike on every machine."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl import (
    Bernoulli,
    Categorical,
    Claim,
    Draw,
    E,
    Equal,
    Gaussian,
    Gradient,
    Integers,
    Normal,
    OneOf,
    Parameter,
    Problem,
    Value,
    Variable,
    array,
    atan,
    check,
    clip,
    diff,
    exp,
    expectation,
    frozen,
    log,
    step,
)
from gradcheck_rl.errors import Unsuitable
from gradcheck_rl.evaluators import Scene, World, proof
from gradcheck_rl.expectation import TERMS_IN_A_FORMULA, _terms, closed
from gradcheck_rl.normal_form import BUDGET, Budget, is_zero
from gradcheck_rl.points import Points
from gradcheck_rl.report import Line

mu = Variable("mu", 6)
x = Variable("x", 6)
noise = Draw("noise", Gaussian(0, 1))
a, b, p = sp.Symbol("a", real=True), sp.Symbol("b", real=True), sp.Symbol("p", positive=True)


def line(left: Any, right: Any, by: str | None = None) -> Line:
    claim = Claim("So.", Equal(Value(left), Value(right)), by=by)
    return check(Problem(title="Proofs", claims=(claim,), points=2)).claims[0]


# ---- multiplying out ------------------------------------------------------------------------------------------------------


def power(n: int) -> tuple[Any, Any]:
    """E (mu_0 + ... + mu_5 + z)^n, and the same in two parts. Multiplied out it has binomial(n + 6, 6) terms."""
    whole = sum(mu) + noise
    return E(whole**n), E(whole ** (n - 1) * sum(mu)) + E(whole ** (n - 1) * noise)


@pytest.mark.parametrize("n", [14, 60])
def test_a_formula_that_would_be_multiplied_out_for_minutes_is_told(n: int) -> None:
    """38,760 terms, and 90 million."""
    found = line(*power(n), by="proof")
    assert found.verdict == "undecided" and "terms when it is multiplied out, too many for one formula" in found.reason


def test_what_no_proof_is_looked_for_of_is_still_evaluated() -> None:
    assert line(*power(14)).verdict == "agrees"
    assert line(power(14)[0], power(14)[1] + 1).verdict == "refuted"


def test_a_small_one_is_proved() -> None:
    assert line(*power(3), by="proof").verdict == "proved"


def test_the_count_is_what_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Binomial(10, 4) = 210 terms."""
    whole, _ = power(4)
    assert closed(whole) != 0
    expectation._eliminate.cache_clear()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(expectation, "TERMS_IN_A_FORMULA", 209)
    with pytest.raises(Unsuitable, match="up to 2e\\+02 terms"):
        closed(whole)
    expectation._eliminate.cache_clear()  # pyright: ignore[reportPrivateUsage]


LEAVES = st.sampled_from([a, b, p, sp.Integer(2), sp.Rational(-1, 3)])
SHAPES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda e, f: e + f, inner, inner),
        st.builds(lambda e, f: e * f, inner, inner),
        st.builds(lambda e, f: e * (f + p), inner, inner),
        st.builds(lambda e, n: (e + p) ** n, inner, st.sampled_from([2, 3, sp.Rational(5, 2), -2, p + 2])),
        st.builds(lambda e: sp.exp(e), inner),
        st.builds(lambda e: sp.log(p * (1 + e**2)), inner),
    ),
    max_leaves=5,
)


@given(SHAPES)
def test_no_formula_has_more_terms_than_are_counted(e: Any) -> None:
    if _terms(e) <= TERMS_IN_A_FORMULA:
        assert len(sp.Add.make_args(sp.expand(e))) <= _terms(e)


def test_the_count_goes_by_parts_that_are_shared() -> None:
    """A hundred doublings: written out, 2^100 parts."""
    e = a
    for _ in range(100):
        e = sp.Mul(e, sp.Add(e, 1, evaluate=False), evaluate=False)
    assert _terms(e) > TERMS_IN_A_FORMULA


# ---- products of terms ----------------------------------------------------------------------------------------------------


def spent(e: Any) -> int:
    budget = Budget()
    assert is_zero(e, budget) is True
    return BUDGET - budget.left


def test_coordinates_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the six is proved for what it costs alone; all of them are not, for what five cost."""
    left = [(1 + s) ** 12 for s in x]
    right = [sp.expand(e) for e in left]
    alone = spent(left[0] - right[0])
    monkeypatch.setattr(proof, "Budget", lambda: Budget(6 * alone))
    assert line(array(*left), array(*right), by="proof").verdict == "proved"
    monkeypatch.setattr(proof, "Budget", lambda: Budget(5 * alone))
    found = line(array(*left), array(*right), by="proof")
    assert found.verdict == "undecided" and found.reason == f"no proof was found in {5 * alone} steps"
    assert line(array(*left[:5]), array(*right[:5]), by="proof").verdict == "proved"


def test_a_formula_of_too_many_parts_is_told() -> None:
    e = x[0]
    for _ in range(16):
        e = sp.sin(e) + e**2
    found = line(e + 1, e + sp.sin(x[1]) ** 2 + sp.cos(x[1]) ** 2, by="proof")
    assert found.verdict == "undecided"
    assert found.reason == f"no proof was looked for: the sides have more than {proof.NODES} parts"


def test_what_is_no_identity_is_not_found() -> None:
    found = line(x[0], x[0] + 1, by="proof")
    assert found.verdict == "refuted" and found.routes[0].note == "no proof was found"


def test_the_slope_of_what_is_no_number_is_none() -> None:
    """E[oo s z] is oo times 0; SymPy's slope of that is 0, and no proof."""
    s = Parameter("s")
    mean = E(sp.oo * s * noise)
    for claim in (Equal(Gradient(mean), 0), Equal(diff(mean, s), 0), Equal(Gradient(E(s * noise) + mean), 0)):
        found = check(Problem(title="Infinite", claims=(Claim("So.", claim),), points=2)).claims[0]
        assert found.verdict not in ("proved", "agrees")
    assert line(diff(E(s * noise**2), s), 1).verdict == "proved"


# ---- variables of few values ----------------------------------------------------------------------------------------------


@given(st.integers(-3, 3), st.integers(1, 4), st.integers(-1, 1))
def test_whole_numbers_of_few_values_are_replaced_by_each(low: int, many: int, off: int) -> None:
    """The product of n - k over all values k of n is 0, over all but one it is not."""
    n = Variable("n", 2, over=Integers(low, low + many))
    product = sp.prod(n[0] - k for k in range(low, low + many + 1)) + off * n[1]
    assert line(product, off * n[1], by="proof").verdict == "proved"
    assert line(product / (n[0] - low), off * n[1], by="proof").verdict != "proved"


def test_an_index_that_varies_is_replaced_by_each_value() -> None:
    i, done = Variable("i", over=Integers(0, 5)), Variable("done", 6, over=Integers(0, 1))
    assert line((mu + x)[i], mu[i] + x[i], by="proof").verdict == "proved"
    assert line((mu + x)[i], mu[i] + x[5 - i], by="proof").verdict == "refuted"
    assert line((1 - done) ** 2, 1 - done, by="proof").verdict == "proved"  # each entry on its own
    assert line((1 - done) ** 2, 1 - mu * done, by="proof").verdict == "refuted"


def test_whole_numbers_of_many_values_stay_symbols() -> None:
    many = Variable("many", 2, over=Integers(0, 10**9))
    assert line((many[0] + many[1]) ** 2, many[0] ** 2 + 2 * many[0] * many[1] + many[1] ** 2, by="proof").verdict == "proved"
    assert line(many**2, many, by="proof").verdict == "refuted"


def test_whole_numbers_leave_masks_their_cases() -> None:
    """Together they have too many values, and the identity needs those of the mask alone."""
    mask = Variable("mask", 3, over=OneOf((1, 0, 1), (0, 1, 0)))
    pays = Variable("pays", 2, over=Integers(-4, 4))
    assert line(mask**2 * pays[0] * pays[1], mask * pays[0] * pays[1], by="proof").verdict == "proved"


@pytest.mark.parametrize(("top", "proved"), [(proof.CASES - 1, True), (proof.CASES, False)])
def test_no_value_of_a_whole_number_is_left_out_of_a_proof(top: int, proved: bool) -> None:
    """A product that is zero at as many values as are tried, and at no other."""
    n = Variable("n", over=Integers(0, top))
    product = sp.Mul(*(n[()] - k for k in range(proof.CASES)))
    assert proof.proves([product], [sp.S.Zero], Scene(World({"n": n}, {"n": n}), Points({}, {}, 0))) is proved
    line = check(Problem(title="Whole", claims=(Claim("So.", Equal(product, 0)),))).claims[0]
    assert line.verdict == ("proved" if proved else "refuted")


def test_what_is_frozen_or_given_is_so_after_a_slope_is_taken() -> None:
    """SymPy's Derivative is a slope that is not taken yet: without the stop-gradient inside, or with what a condition says, it is
    another one."""
    s, t = Parameter("s"), Variable("t")
    held, squared = (sp.Derivative(f, s[()]) for f in (frozen(s) * s, s * s))
    for by in (None, "proof"):
        assert line(held, squared, by=by).verdict == "undecided"
        there = Claim("So.", Equal(sp.Derivative(s * t, s[()]), squared), where=Equal(t, s), by=by)
        assert check(Problem("Slopes", (there,))).claims[0].verdict == "undecided"
    assert line(diff(frozen(s) * s, s), diff(s * s, s)).verdict == "refuted"
    assert line(diff(frozen(s) * s, s), s).verdict == "proved"


@pytest.mark.parametrize(("worth", "verdict"), [((1 + sp.E) / 2, "agrees"), ((1 + sp.E) / 3, "refuted")])
def test_the_exponential_of_a_jump_has_a_mean(worth: Any, verdict: str) -> None:
    line = check(Problem("jump", claims=(Claim("So.", Equal(E(exp(step(noise))), worth)),))).claims[0]
    assert line.verdict == verdict


@pytest.mark.parametrize("seen", [step, atan, lambda x: clip(x, -1, 1)], ids=["step", "atan", "clip"])
@pytest.mark.parametrize("beside", [1, 1 + noise**2])
def test_the_two_infinities_of_a_logarithm_are_told_apart(seen: Any, beside: Any) -> None:
    """At 0 the one is -oo and the other oo; to SymPy both are one."""
    coin = Draw("coin", Bernoulli(sp.Rational(1, 2)))
    left, right = (E(beside * seen(side * log(coin))) for side in (1, -1))
    for one, other, verdict in ((left, right, "refuted"), (left, left, "proved"), (2 * left, left + left, "proved")):
        assert check(Problem("poles", claims=(Claim("So.", Equal(one, other)),))).claims[0].verdict == verdict
    (line,) = check(Problem("poles", claims=(Claim("So.", Equal(left, right), by="proof"),))).claims
    assert line.verdict == "refuted"


@pytest.mark.parametrize("outer", [lambda x, y: x - y, lambda x, y: exp(x - y) - 1], ids=["beside", "inside"])
@pytest.mark.parametrize("where", [None, 0])
def test_a_proof_sees_the_poles_at_the_values_that_it_puts_in(outer: Any, where: Any) -> None:
    """step(log 0) is 0 and step(-log 0) is 1: neither is the step of an infinity without a sign."""
    v = Variable("v", over=OneOf(0, 1)) if where is None else Variable("v")
    coin = Draw("coin", Bernoulli(sp.Rational(1, 2)))
    condition = None if where is None else Equal(v, where)
    for x, expected in ((v, lambda e: e), (coin, E)):
        wrong = expected(outer(step(log(x)), step(-log(x))))
        right = expected((x**2 - x) * log(1 + x))
        for e, verdict in ((wrong, "refuted"), (right, "proved")):
            (line,) = check(Problem("poles", claims=(Claim("So.", Equal(e, 0), where=condition, by="proof"),))).claims
            assert line.verdict == verdict


def test_a_chance_of_zero_that_is_written_is_no_pole() -> None:
    seldom = Draw("seldom", Categorical([sp.Rational(1, 2), 0, sp.Rational(1, 2)]))
    pays = Variable("pays", 3, over=Normal())
    (line,) = check(Problem("seldom", (Claim("So.", Equal(E(pays[seldom]), (pays[0] + pays[2]) / 2), by="proof"),))).claims
    assert line.verdict == "proved"
