"""Every way of computing against another one, and each shown to notice what is wrong."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
import torch
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st
from numpy import exp as np_exp
from scipy.special import softmax as scipy_softmax

from gradcheck_rl import (
    AtMost,
    Bernoulli,
    Categorical,
    Claim,
    Covariance,
    Curl,
    Derivation,
    Draw,
    E,
    Equal,
    Exact,
    Gaussian,
    Gradient,
    Hull,
    Integers,
    LogRational,
    Masks,
    Mean,
    Named,
    NonFinite,
    Normal,
    OneOf,
    Parameter,
    Point,
    Printed,
    Problem,
    ProblemError,
    Rows,
    Simplex,
    Trace,
    Uniform,
    Value,
    Variable,
    array,
    batch,
    check,
    erfc,
    erfinv,
    exp,
    frozen,
    log,
    log_prob,
    maximum,
    minimum,
    sigmoid,
    softmax,
    softplus,
    sqrt,
    step,
    tanh,
)
from gradcheck_rl.backends import remote, rows
from gradcheck_rl.backends import torch as backend
from gradcheck_rl.errors import CodeError, InputError, Unsuitable
from gradcheck_rl.estimate import UNSURE, Estimate, Evidence
from gradcheck_rl.evaluators import Scene, World, autodiff, differences, evaluate, integrated, listed, loose_atoms, unsure
from gradcheck_rl.evaluators.hull import kinked
from gradcheck_rl.evaluators.scene import tangent
from gradcheck_rl.judge import Judge
from gradcheck_rl.measured import measure
from gradcheck_rl.points import Points
from gradcheck_rl.quantities import Quantity, arguments, labels, lowered

x = Parameter("x", 3, over=Normal())
y = Variable("y", 3, over=Normal())


def judge(*claims: Claim, **options: Any) -> Judge:
    return Judge(Problem(title="A page", claims=claims, **options), seed=0, count=options.get("points", 40))


def table(q: Any, **options: Any) -> Any:
    """The quantity at drawn points, as the floats that code receives."""
    j = judge(Claim("So.", Equal(q, 0)), **options)
    return evaluate(q, Scene(j.world, j.points.image()))


# ---- autodiff: the radius covers accurate code --------------------


def t_softmax(x: Any, y: Any) -> Any:
    return (x.log_softmax(-1) * y).sum()


def t_spread(x: Any, y: Any) -> Any:
    return ((30 * x).log_softmax(-1) * y).sum()


def t_product(x: Any, y: Any) -> Any:
    return x.prod() * y.prod()


def t_cancels(x: Any, y: Any) -> Any:
    return ((x - y) ** 3).sum()


def t_norm(x: Any, y: Any) -> Any:
    return (x**2 + y**2).sum().sqrt()


def t_exp(x: Any, y: Any) -> Any:
    return (20 * x).exp().sum()


accurate = [
    (t_softmax, sum((x[i] - log(sum(exp(x)))) * y[i] for i in range(3))),
    (t_spread, sum((30 * x[i] - log(sum(exp(30 * x)))) * y[i] for i in range(3))),
    (t_product, x[0] * x[1] * x[2] * y[0] * y[1] * y[2]),
    (t_cancels, ((x - y) ** 3).sum()),
    (t_norm, sqrt((x**2 + y**2).sum())),
    (t_exp, exp(20 * x).sum()),
]


@pytest.mark.parametrize(("code", "model"), accurate, ids=lambda p: getattr(p, "__name__", ""))
def test_the_radius_of_autograd_covers_its_error_and_stays_small(code: Any, model: Any) -> None:
    j = judge(Claim("So.", Equal(Gradient(code), Gradient(model))), points=200)
    m = measure(Equal(Gradient(code), Gradient(model)), Scene(j.world, j.points.image()))
    assert (m.excess <= m.slack).all()
    largest = np.abs(m.right.value).max(axis=1, keepdims=True)
    assert (m.slack <= 1e-9 * (1 + largest)).mean() > 0.9


def t_log_det(x: Any) -> Any:
    return (2 * (np.log(2) - x - torch.nn.functional.softplus(-2 * x))).sum()


def test_code_that_is_right_but_inexact_says_how_accurate_it_is() -> None:
    deep = Parameter("x", 3, over=Uniform(-15, -11))
    model = (2 * (sp.log(2) - deep.array - softplus(-2 * deep))).sum()
    report = check(Problem(title="Log-det", claims=(Claim("So.", Equal(Gradient(t_log_det), Gradient(model))),)))
    assert report.claims[0].verdict == "agrees"
    assert "accurate only to" in report.claims[0].remark


# ---- autodiff: whatever torch can run --------------------

theta = Parameter("theta", 3, over=LogRational())
action = Draw("action", Categorical(softmax(theta)))
surrogate = Exact(action.log_prob())


def by_gather(theta: Any, action: Any) -> Any:
    return theta.log_softmax(-1).gather(0, action.reshape(1)).squeeze()


def by_index(theta: Any, action: Any) -> Any:
    return theta.log_softmax(-1)[action]


def by_int(theta: Any, action: Any) -> Any:
    return theta.log_softmax(-1)[int(action)]


def by_branch(theta: Any, action: Any) -> Any:
    return theta[0] - theta.logsumexp(0) if action == 0 else theta[action] - theta.logsumexp(0)


def by_value(theta: Any, action: Any) -> Any:
    return theta.log_softmax(-1)[action] if theta[0] > 0 else (theta - theta.exp().sum().log())[action]


def by_writing(theta: Any, action: Any) -> Any:
    z = torch.zeros(3)
    z[0], z[1], z[2] = theta[0], theta[1], theta[2]
    return z.log_softmax(-1)[action]


def by_distribution(theta: Any, action: Any) -> Any:
    return torch.distributions.Categorical(logits=theta).log_prob(action)


def by_loop(theta: Any, action: Any) -> Any:
    total = torch.tensor(0.0)
    for t in theta:
        total = total + t.exp()
    return theta[action] - total.log()


def by_mask(theta: Any, action: Any) -> Any:
    return theta.log_softmax(-1)[torch.arange(3) == action].sum()


@pytest.mark.parametrize(
    "code", [by_gather, by_index, by_int, by_branch, by_value, by_writing, by_distribution, by_loop, by_mask]
)
def test_code_runs_as_people_write_it(code: Any) -> None:
    same = Claim("So.", Equal(Gradient(code), Gradient(action.log_prob())))
    half = Claim("Half.", Equal(Gradient(code), Gradient(action.log_prob() / 2)))
    assert [c.verdict for c in check(Problem(title="Ladder", claims=(same, half), points=4)).claims] == ["agrees", "refuted"]


def test_code_for_one_sample_at_a_time_is_not_called_for_ever() -> None:
    noise = Draw("noise", Gaussian(theta, 1))

    def one_by_one(theta: Any, noise: Any) -> Any:
        return theta.sum() * 0 + sum(n * n for n in noise.tolist())

    claim = Claim("So.", Equal(Mean(Value(one_by_one)), E(sum(n**2 for n in noise.array))), by="sampled")
    page = Problem(title="Slow", claims=(claim,), points=4)
    (line,) = check(page).claims
    assert line.verdict == "undecided"
    assert "`one_by_one` can only be called for one sample at a time" in line.reason

    def broken(theta: Any, noise: Any) -> Any:
        raise ValueError("no such thing")

    (line,) = check(page, {one_by_one: broken}).claims
    place = f"test_evaluators.py:{broken.__code__.co_firstlineno + 1}"
    assert (line.verdict, line.reason) == ("refuted", f"`broken` raised ValueError: no such thing ({place})")


location = Parameter("location", over=Uniform(-1, 1))
wide = Draw("wide", Gaussian(location, 3))
textbook = log(1 - tanh(wide) ** 2)  # zero in floats from 19.07 on, and its logarithm infinite
stable = 2 * (log(2) - wide - softplus(-2 * wide))
squashed = Named("logarithm", textbook)  # code asks for it by its own name


def given_as_it_is(logarithm: Any) -> Any:
    return logarithm


@pytest.mark.parametrize("wrong", [0, sp.Rational(1, 10**5)])
@pytest.mark.parametrize(
    "sides",
    [
        lambda error: (E(textbook), E(stable) + error),
        lambda error: (Gradient(E(textbook)), Gradient(E(stable + error * wide))),
        lambda error: (Mean(Value(given_as_it_is)), E(stable) + error),
        lambda error: (Value(textbook + error), Value(stable)),
        lambda error: (Covariance(Value(textbook)), Covariance(Value(stable * (1 + error)))),
    ],
)
def test_what_overflows_in_floats_is_worked_out_in_balls(sides: Any, wrong: Any) -> None:
    claim = Claim("The same.", Equal(*sides(wrong)), resolution=sp.Rational(1, 10**6))
    (line,) = check(Problem(title="Squashed", claims=(claim,))).claims
    assert line.verdict == ("refuted" if wrong else "agrees" if "proof" not in line.routes[0].route else "proved")


@pytest.mark.parametrize(
    ("formula", "verdict"), [(exp(wide**2), "refuted"), (log(wide), "undecided"), (log(1 - tanh(100 * wide) ** 2), "undecided")]
)
def test_a_model_that_is_no_number_refutes_nothing(formula: Any, verdict: str) -> None:
    (line,) = check(Problem(title="Nowhere", claims=(Claim("It is 3.", Equal(E(formula), 3)),))).claims
    assert line.verdict == verdict
    assert verdict == "refuted" or "no number at some outcome, neither in floats nor in balls" in line.reason


def test_the_default_dtype_is_ours_inside_and_the_callers_outside() -> None:
    def constant(theta: Any, action: Any) -> Any:
        return theta[action] * torch.tensor(7 / 3)

    before = torch.get_default_dtype(), torch.get_num_threads()
    claim = Claim("So.", Equal(Mean(Gradient(constant)), sp.Rational(7, 3) * softmax(theta)))
    line = check(Problem(title="Constants", claims=(claim,), points=4)).claims[0]
    assert (line.verdict, line.remark) == ("agrees", "")
    assert (torch.get_default_dtype(), torch.get_num_threads()) == before


# ---- listing, integration, formulas --------------------

p = Parameter("p", over=LogRational())
coin = Draw("coin", Bernoulli(logit=p))
mean, sd = Parameter("mean", over=Uniform(-1, 1)), Parameter("sd", over=Uniform(0.5, 2))
number = Draw("number", Gaussian(mean, sd))


def t_coin(p: Any, coin: Any) -> Any:
    return torch.distributions.Bernoulli(logits=p).log_prob(coin.double())


def test_listing_agrees_with_the_formula_and_covers_zero_probabilities() -> None:
    variance = sp.sympify(sigmoid(p) * (1 - sigmoid(p)))
    shown = Claim("The Fisher information.", Equal(Covariance(Gradient(t_coin, p)), variance))
    report = check(Problem(title="Coins", claims=(shown,)))
    assert report.claims[0].verdict == "agrees"


def t_normal(mean: Any, sd: Any, number: Any) -> Any:
    return torch.distributions.Normal(mean, sd).log_prob(number)


@pytest.mark.parametrize(
    ("integrand", "closed"),
    [
        (number**4, mean**4 + 6 * mean**2 * sd**2 + 3 * sd**4),
        (number**3 * step(number) + number**3 * step(-number), None),
        (tanh(number), None),
    ],
)
def test_integration_agrees_with_moments(integrand: Any, closed: Any) -> None:
    def t_integrand(number: Any) -> Any:
        return {0: number**4, 1: number**3, 2: number.tanh()}[which]

    which = 0 if closed is not None else 1 if integrand.has(sp.Pow) else 2
    j = judge(Claim("So.", Equal(Mean(Value(t_integrand)), E(integrand))), points=6)
    m = measure(Equal(Mean(Value(t_integrand)), E(integrand)), Scene(j.world, j.points.image()))
    assert (m.excess <= m.slack).all()
    assert (m.slack < 1e-6).all()


def test_the_score_of_a_normal_has_mean_zero_and_the_known_covariance() -> None:
    fisher = (1 / sd**2, 0, 0, 2 / sd**2)
    claims = (
        Claim("Mean.", Equal(Mean(Gradient(t_normal, (mean, sd))), 0)),
        Claim("Covariance.", Equal(Covariance(Gradient(t_normal, (mean, sd))), fisher)),
        Claim("Wrong.", Equal(Trace(Covariance(Gradient(t_normal, (mean, sd)))), 2 / sd**2)),
    )
    assert [c.verdict for c in check(Problem(title="Fisher", claims=claims, points=5)).claims] == ["agrees", "agrees", "refuted"]


def test_a_jump_without_breaks_is_not_passed() -> None:
    def t_step(number: Any) -> Any:
        return (number > 0.3).double()

    breaking = Draw("number", Gaussian(mean, sd), breaks=lambda _: ((sp.Rational(3, 10),),))
    truth = sp.erfc((sp.Rational(3, 10) - mean[()]) / sd[()] / sp.sqrt(2)) / 2
    for draw, verdicts in ((number, {"undecided"}), (breaking, {"agrees"})):
        claim = Claim("So.", Equal(Mean(Value(t_step), over=draw), truth))
        assert check(Problem(title="Jump", claims=(claim,), points=4, world=(draw,))).claims[0].verdict in verdicts


def test_too_many_outcomes_are_told_with_what_to_do() -> None:
    def t_many(coin: Any) -> Any:
        return coin.double().sum()

    claim = Claim("So.", Equal(Mean(Value(t_many), over=batch(coin, 13)), 13 * sigmoid(p)))
    other = Claim("Of one.", Equal(E(coin), sigmoid(p)))
    first, second = check(Problem(title="Many", claims=(claim, other), world=(coin,))).claims
    assert (first.verdict, second.verdict) == ("undecided", "proved")
    assert re.match(r"8192 outcomes exceed the 5000 that are listed: shorten .* or write by='sampled'", first.reason)

    def t_more(coin: Any) -> Any:
        return coin.double().sum() + 1

    by_samples = Claim("So.", Equal(Mean(Value(t_many), over=batch(coin, 13)), 13 * sigmoid(p)), by="sampled", resolution=0.05)
    sampled = Problem(title="Many", claims=(by_samples,), world=(coin,), points=2)
    assert [check(sampled, answer).claims[0].verdict for answer in (None, {t_many: t_more})] == ["agrees", "refuted"]


def test_applicability() -> None:
    assert listed.applies([coin])
    assert not listed.applies([coin, number])
    assert integrated.applies([number])
    assert not integrated.applies([coin])


# ---- quantities --------------------


@given(st.integers(-5, 5), st.integers(1, 5), st.integers(-5, 5))
def test_arithmetic_of_quantities_is_arithmetic(a: int, b: int, c: int) -> None:
    q = (Exact((a, c)) + b) * 2 - Exact(c) / b
    value = evaluate(q, Scene(judge(Claim("So.", Equal(x, x))).world, judge(Claim("So.", Equal(x, x)), points=1).points))
    expected = [sp.Rational(2 * (n + b)) - sp.Rational(c, b) for n in (a, c)]
    assert value.exact is not None
    assert [str(e) for e in value.exact[0, 0]] == [str(e) for e in expected]


def test_components_and_non_finite() -> None:
    assert np.allclose(table(Gradient(t_softmax)[1]).value, table(Gradient(t_softmax)).value[..., 1:2])
    assert (table(NonFinite(Value(x * y))).value == 0).all()

    def t_nan(x: Any) -> Any:
        return (x - x).sum() / 0

    assert (table(NonFinite(Value(t_nan))).value == 1).all()
    with pytest.raises(TypeError, match="write an index"):
        list(Gradient(t_softmax))


def test_curl_of_code_sees_what_autograd_cannot() -> None:
    def half_frozen(x: Any) -> Any:
        return x[0] * x[1].detach() * x[2]

    def whole(x: Any) -> Any:
        return x.prod()

    claims = (Claim("So.", Equal(Curl(Gradient(whole)), 0)), Claim("No.", Equal(Curl(Gradient(half_frozen)), 0)))
    model = Claim("The model.", Equal(Curl(Gradient(x[0] * frozen(x[1]) * x[2])), (x[2], 0, -x[0])))
    signs = Claim("Code and model.", Equal(Curl(Gradient(half_frozen)), Curl(Gradient(x[0] * frozen(x[1]) * x[2]))))
    report = check(Problem(title="Curl", claims=(*claims, model, signs)))
    assert [c.verdict for c in report.claims[:2]] == ["agrees", "refuted"]
    assert report.claims[3].verdict == "agrees"


def test_a_tie_with_equal_slopes_is_no_kink() -> None:
    r, A = Parameter("r", over=Uniform(0.5, 1.5)), Variable("A", over=Uniform(-2, 2))
    loss = minimum(r * A, minimum(maximum(r, sp.Rational(4, 5)), sp.Rational(6, 5)) * A)
    corners = (
        Point(r=1, A=1),
        Point(r=sp.Rational(6, 5), A=1),
        Point(r=sp.Rational(6, 5), A=-1),
        Point(r=sp.Rational(4, 5), A=-1),
    )
    j = judge(Claim("So.", Equal(Gradient(loss), Gradient(loss))), corners=corners, points=1)
    formulas = lowered(Gradient(loss), j.world.parameters, j.world.names)
    assert formulas is not None
    # At the third the interval is a point, but a product of two halved ties is not in it: the formula is of no use there.
    assert list(kinked(formulas, [r[()]], Scene(j.world, j.points)))[:4] == [False, True, True, True]
    width = evaluate(Hull(Gradient(loss)), Scene(j.world, j.points)).radius[:4, 0, 0]
    assert np.allclose(width, [0, 0.5, 0, 0.5], atol=1e-6)


def test_printed_radius_is_half_a_unit_of_the_last_digit() -> None:
    q = Printed("1.50", "-2e-3", "40")
    e = evaluate(q, Scene(judge(Claim("So.", Equal(x, x))).world, judge(Claim("So.", Equal(x, x)), points=1).points))
    assert np.allclose(e.value, [[[1.5, -0.002, 40]]])
    assert np.allclose(e.radius, [[[0.005, 0.0005, 0.5]]])


def test_a_named_formula_prints_its_name_and_computes_its_definition() -> None:
    total = Named("total", exp(x).sum())
    share = exp(x[0]) / total
    assert str(share) == "exp(x_0)/total"
    assert sp.latex(share) == r"\frac{e^{x_{0}}}{total}"
    claims = (
        Claim("Value.", Equal(share, softmax(x)[0])),
        Claim("Slope.", Equal(Gradient(share), Gradient(softmax(x)[0]))),
        Claim("Not constant.", Equal(Gradient(share), exp(x[0]) / exp(x).sum())),
    )
    assert [c.verdict for c in check(Problem(title="Named", claims=claims)).claims] == ["proved", "proved", "refuted"]


def test_whole_numbers_reach_code_as_indices() -> None:
    at = Variable("at", over=Integers(0, 2))

    def t_pick(theta: Any, action: Any, at: Any) -> Any:
        assert action.dtype == torch.int64
        assert at.dtype.is_floating_point
        return theta[action] * at

    claim = Claim("So.", Equal(Mean(Gradient(t_pick)), at * softmax(theta)))
    assert check(Problem(title="Index", claims=(claim,), points=3)).claims[0].verdict == "agrees"


def test_several_draws_share_the_nodes_as_one_draw_of_several_coordinates_does() -> None:
    """Three numbers at the nodes that one alone affords would be five million."""
    j = judge(Claim("So.", Equal(Exact(mean * sd), mean * sd)), points=2)
    three = batch(number, 3)
    found = integrated.outcomes([a for d in three.draws for a in d.atoms], three.names, Scene(j.world, j.points), 1)
    assert found.count <= 5000
    values = np.prod([column**2 for column in found.columns.values()], axis=0)
    square = (j.points.floats["mean"] ** 2 + j.points.floats["sd"] ** 2) ** 3
    assert np.allclose((found.weights.value * values).sum(1), square)


def n_square(number: Any) -> Any:
    return np.square(number)


def test_a_helper_in_numpy_makes_the_function_that_calls_it_numpy() -> None:
    def n_doubled(number: Any) -> Any:
        return 2 * n_square(number)

    claim = Claim("So.", Equal(Mean(Value(n_doubled)), 2 * (mean**2 + sd**2)))
    line = check(Problem(title="Helper", claims=(claim,), points=2)).claims[0]
    assert line.verdict == "agrees" and line.routes[0].route.endswith("numpy")


# ---- formulas on tensors --------------------


def model_gradients() -> list[Any]:
    logits, pays = Parameter("logits", 3, over=LogRational()), Variable("pays", (3, 2), over=Uniform(-2, 2))
    mask = Variable("mask", 3, over=OneOf((1, 1, 1), (1, 0, 1)))
    arm = Draw("arm", Categorical(logits=logits, allowed=mask))
    luck = Draw("luck", Bernoulli(logit=logits[0] * arm))
    return [
        E(pays[arm, luck]),
        E(arm.log_prob() * frozen(pays[arm, 0])),
        minimum(logits[0], exp(logits[1])) * frozen(logits[2]) + tanh(logits[2]) ** 3 / sqrt(1 + logits[1] ** 2),
        log(softmax(logits)[1]) * frozen(step(logits[0])) + maximum(logits[0], -5) * sp.Rational(1, 3),
        E(pays[arm, 0]) ** 2 + E(pays[luck, 1] * arm),
    ]


@pytest.mark.parametrize("formula", model_gradients())
def test_autograd_on_the_model_says_what_sympy_does(formula: Any) -> None:
    routes = ("symbolic", "autodiff")
    right = Claim("So.", Equal(Gradient(formula), Gradient(formula)), by=routes)
    wrong = Claim("Half.", Equal(Gradient(formula), Gradient(formula / 2)), by="autodiff")
    lines = check(Problem(title="Twice", claims=(right, wrong), points=4)).claims
    assert [(r.route, r.verdict) for r in lines[0].routes] == [("symbolic", "agrees"), ("autodiff", "agrees")]
    assert lines[1].verdict == "refuted"


def test_autograd_does_not_integrate() -> None:
    claim = Claim("So.", Equal(Gradient(E(sp.sin(number[()]))), Gradient(E(sp.sin(number[()])))), by="autodiff")
    line = check(Problem(title="Waves", claims=(claim,), points=2)).claims[0]
    assert line.verdict == "undecided" and "draws are finite" in line.reason


# ---- what was wrong once --------------------


t = sp.Symbol("t", real=True)
far = Variable("far", over=Uniform(46, 60))
heavy = sp.Rational(101, 200)
whole = sp.Rational(str(sp.N(sp.beta(heavy - sp.Rational(1, 2), sp.Rational(1, 2)), 30)))


def bell(centre: Any, deviation: Any) -> Any:
    return exp(-(((t - centre) / deviation) ** 2) / 2) / (deviation * sqrt(2 * sp.pi))


@pytest.mark.parametrize(
    ("f", "ends", "true", "verdict"),
    [
        (bell(0, far), (-sp.oo, sp.oo), sp.S.One, "agrees"),
        (bell(far, 1), (-sp.oo, sp.oo), sp.S.One, "agrees"),
        (t * bell(far, 20), (-sp.oo, sp.oo), far[()], "agrees"),
        (1 / (1 + t**2), (-sp.oo, sp.oo), sp.pi, "agrees"),
        ((1 + t**2) ** -heavy, (-sp.oo, sp.oo), whole, "undecided"),
        (1 / sqrt(t), (0, 1), sp.Integer(2), "agrees"),
        (1 / (sp.pi * sqrt(t * (1 - t))), (0, 1), sp.S.One, "agrees"),
        (log(t) / sqrt(1 - t), (0, 1), 4 * log(2) - 4, "agrees"),
        (t ** -sp.Rational(9, 10), (0, 1), sp.Integer(10), "undecided"),
    ],
)
def test_what_a_rule_cuts_off_a_written_integral_is_in_its_radius(f: Any, ends: Any, true: Any, verdict: str) -> None:
    """Tails, mass far from zero, and ends where the integrand is infinite."""
    e = sp.Integral(f, (t, *ends))
    false = [Claim("false", Equal(Value(e), x)) for x in (0, true + sp.Rational(1, 1000))]
    right, *wrong = check(Problem(title="Tails", claims=[Claim("true", Equal(Value(e), true)), *false], points=2)).claims
    assert right.verdict == verdict and all(x.verdict == "refuted" or verdict == x.verdict == "undecided" for x in wrong)


def off_policy(deviation: Any, reward: Callable[[Any], Any]) -> tuple[Any, Any]:
    """The expected reward under N(0, 1) by importance weights, and plainly."""
    seen, wanted = Draw("seen", Gaussian(0, deviation)), Draw("wanted", Gaussian(0, 1))
    return E(exp(log_prob(seen, Gaussian(0, 1)) - log_prob(seen)) * reward(seen)), E(reward(wanted))


drawn = Draw("drawn", Gaussian(0, 1))
laplace = E(sqrt(2 * sp.pi) * exp(drawn**2 / 2 - abs(drawn[()])) / 2)


@pytest.mark.parametrize(
    ("e", "true"),
    [
        off_policy(sp.Rational(3, 5), lambda x: maximum(x, 0)),
        off_policy(sp.Rational(1, 3), lambda x: maximum(x, x**2)),
        off_policy(sp.Rational(1, 10), lambda x: tanh(x) ** 2),
        (E(sqrt(2 * sp.pi) * exp(drawn**2 / 2) / (sp.pi * (1 + drawn**2))), sp.S.One),
        (laplace, sp.S.One),
        (E(exp(11 * drawn) * abs(drawn)), E(exp(11 * drawn) * drawn)),
    ],
)
def test_what_lies_beyond_the_nodes_of_an_expectation_is_in_its_radius(e: Any, true: Any) -> None:
    """The last one differs by 2 E max(-z, 0) exp(11 z), which is less than rounding."""
    claims = [Claim("true", Equal(e, true)), Claim("false", Equal(e, true * (1 + sp.Rational(1, 10**4))))]
    right, wrong = check(Problem(title="Beyond", claims=claims)).claims
    assert right.verdict in ("agrees", "undecided", "proved") and wrong.verdict in ("refuted", "undecided")


def test_a_number_that_is_cut_off_alike_by_every_rule_does_not_agree() -> None:
    """Within ten deviations the weights of a Laplace target average 1 - exp(-10), and a variance that is infinite is finite."""
    seen = Draw("seen", Gaussian(0, sp.Rational(7, 10)))
    gain = exp(log_prob(seen, Gaussian(0, 1)) - log_prob(seen)) * maximum(seen, 0)
    claims = [
        Claim("cut off", Equal(laplace, 1 - exp(-10))),
        Claim("bounded", AtMost(Covariance(Value(gain)), 61)),
        Claim("finite", Equal(NonFinite(Covariance(Value(gain))), 0)),
    ]
    assert {line.verdict for line in check(Problem(title="Beyond", claims=claims)).claims} == {"undecided"}


u0, u1 = Parameter("u", 2, over=Uniform(1, 2))
SLOPES = {
    "analytic": (exp(u0) * tanh(u1), (exp(u0) * tanh(u1), exp(u0) * (1 - tanh(u1) ** 2))),
    "a root and a logarithm": (sqrt(u0) + log(u1), (1 / (2 * sqrt(u0)), 1 / u1)),
    "a corner": (u0 * maximum(u1, 3 - u0), (maximum(u1, 3 - u0) - u0 * step(3 - u0 - u1), u0 * step(u1 + u0 - 3))),
    "held": (u0 * frozen(u0 * u1), (u0 * u1, 0)),
}


@pytest.mark.parametrize("name", SLOPES)
def test_differences_of_a_formula_see_the_twelfth_digit(name: str) -> None:
    """One imaginary step where the formula is analytic, two real ones at a corner: both far finer than a float."""
    f, slopes = SLOPES[name]
    off = tuple(sp.Rational(10**12 + 1, 10**12) * slope for slope in slopes)
    claims = (Claim("So.", Equal(Gradient(f), slopes), by="differences"), Claim("No.", Equal(Gradient(f), off), by="differences"))
    lines = check(Problem(title="Slopes", claims=claims, points=4)).claims
    assert [line.verdict for line in lines] == ["agrees", "refuted"]
    assert lines[0].routes[0].slack < 1e-13


def test_differences_hold_a_stop_gradient_around_a_draw() -> None:
    loss = E(theta[0] * frozen(theta[1] * action) * action)
    right = Claim("So.", Equal(Gradient(loss), Gradient(loss)), by=("symbolic", "differences"))
    moved = Claim("No.", Equal(Gradient(loss), Gradient(E(theta[0] * theta[1] * action**2))), by="symbolic")
    lines = check(Problem(title="Held", claims=(right, moved), points=3)).claims
    assert [line.verdict for line in lines] == ["agrees", "refuted"]
    assert {r.verdict for r in lines[0].routes} == {"agrees"}


def test_a_corner_under_a_stop_gradient_is_no_kink() -> None:
    u = Parameter("u", 2, over=Uniform(-2, 2))
    held, free = u[1] * frozen(maximum(u[0], 0)), u[1] * maximum(u[0], 0)
    claims = tuple(Claim(f"Corner {n}.", Equal(Gradient(f), Gradient(f))) for n, f in enumerate((held, free)))
    lines = check(Problem(title="Corners", claims=claims, points=2, corners=(Point(u=(0, 1)),))).claims
    assert [line.removed for line in lines] == [0, 1]


def test_a_product_over_a_symbolic_range_is_written_out() -> None:
    n, k = sp.symbols("n k", integer=True, positive=True)
    power = Derivation(
        "A power", sp.Product(2 * k / (k + 1), (k, 1, n)), ((2**n / (n + 1), "it telescopes"),), sizes={n: (1, 2, 5)}
    )
    wrong = replace(power, steps=((2**n / n, "it does not"),))
    assert [c.verdict for c in check(Problem(title="P", claims=(), derivations=(power, wrong))).claims] == ["agrees", "refuted"]


def twice(theta: Any, arm: Any) -> Any:
    return 2 * theta[arm]


@pytest.mark.parametrize("mean", [lambda arm: Value(E(arm)), lambda arm: Mean(Value(twice))], ids=["formula", "code"])
def test_probabilities_that_do_not_sum_to_one_are_no_law(mean: Any) -> None:
    theta = Parameter("theta", 2, over=LogRational())
    for factor, says in ((1, None), (2, r"the probabilities of `arm` sum to 2[.0]* at a point: write ones that sum to 1\.")):
        arm = Draw("arm", Categorical(factor * softmax(theta)))
        problem = Problem(title="Whole", claims=(Claim("So.", Equal(mean(arm), mean(arm))),), world=(theta, arm), points=3)
        if says is None:
            assert check(problem).ok
        else:
            with pytest.raises(ProblemError, match=says):
                check(problem)


def test_a_law_that_is_nowhere_defined_is_not_one_that_sums_to_something_else() -> None:
    theta, allowed = Parameter("theta", 2), Variable("allowed", 2, over=OneOf((0, 0)))
    arm = Draw("arm", Categorical(logits=theta, allowed=allowed))
    claim = Claim("It is no number.", Equal(NonFinite(Value(E(arm))), 1))
    assert check(Problem(title="Nothing allowed", claims=(claim,), points=2)).ok


@pytest.mark.parametrize("wrong", [1, 1 + 1e-5])
@pytest.mark.parametrize("deviation", [0.1, 0.05, 0.02])
def test_code_that_is_narrow_beside_its_draw_is_integrated_by_finer_rules(deviation: float, wrong: float) -> None:
    """Importance weights of a narrow target have mean one."""

    def weight(drawn: Any, location: Any) -> Any:
        off, spread = (drawn - 0.3) / deviation, drawn - location
        return wrong * torch.exp(spread**2 / 2 - off**2 / 2) / deviation

    drawn = Draw("drawn", Gaussian(location, 1))
    (line,) = check(Problem(title="Narrow", claims=(Claim("Mean one.", Equal(Mean(Value(weight)), 1)),), world=(drawn,))).claims
    assert line.verdict == ("agrees" if wrong == 1 else "refuted")


goal = Variable("goal", over=Uniform(-1, 1))
aimed = Draw("aimed", Gaussian(location, 1))


@pytest.mark.parametrize("width", [0.1, 0.02, 0.006])
def test_what_the_nodes_see_at_some_points_they_may_have_missed_at_the_others(width: float) -> None:
    """A reward that is paid within a hundredth of a goal: between the nodes it is never seen, and its mean is not zero."""

    def paid(aimed: Any, goal: Any) -> Any:
        return ((aimed - goal).abs() < width / 2) * 1.0

    half = sp.Rational(str(width)) / 2
    exact = sum(sign * sp.erfc(-(goal + sign * half - location) / sqrt(2)) for sign in (1, -1)) / 2
    claims = [Claim("true", Equal(Mean(Value(paid)), exact)), Claim("never", Equal(Mean(Value(paid)), 0))]
    claims.append(Claim("always", Equal(Mean(Value(paid)), 1)))
    true, never, always = check(Problem(title="Sparse", claims=claims, world=(aimed,))).claims
    assert (true.verdict, never.verdict, always.verdict) == ("undecided", "undecided", "refuted")


def test_a_kernel_in_the_plane_that_is_narrower_than_the_nodes_are_apart_is_not_refuted() -> None:
    """The mean of a normal density at a normal draw is a normal density."""
    pair, s = Draw("pair", Gaussian([0, 0], 1)), sp.Rational(1, 50)
    at, spread = (location + sp.Rational(3, 10), sp.Rational(7, 10)), sqrt(1 + s**2)
    kernel = exp(sum(log_prob(x, Gaussian(y, s)) for x, y in zip(at, pair, strict=True)))
    whole = exp(sum(log_prob(x, Gaussian(0, spread)) for x in at))
    (line,) = check(Problem(title="Kernel", claims=(Claim("true", Equal(E(kernel), whole)),))).claims
    assert line.verdict != "refuted"


def test_code_that_is_given_a_formula_of_a_parameter_is_not_asked_for_its_slope_through_it() -> None:
    """It is given numbers: its gradient would be zero without a word, and a wrong claim agree."""
    logits, reward = Parameter("logits", 2, over=LogRational()), Variable("reward", 2, over=Uniform(-1, 1))
    pi, held = Named("pi", softmax(logits)), Named("held", frozen(softmax(logits)))

    def expected(pi: Any, reward: Any) -> Any:
        return pi @ reward

    def by_score(logits: Any, held: Any, reward: Any) -> Any:
        return (held * reward * logits.log_softmax(-1)).sum()

    exact = Gradient(E(reward[Draw("taken", Categorical(pi))]))
    with pytest.raises(ProblemError, match="`expected` by logits does not see that its argument `pi` depends on logits"):
        check(Problem(title="t", claims=(Claim("lost", Equal(Gradient(expected), 0)),), world=(pi, reward)))
    claims = (Claim("value", Equal(Value(expected), E(reward[Draw("taken", Categorical(pi))]))),)
    claims += (Claim("by score", Equal(Gradient(by_score), exact)),)
    assert {x.verdict for x in check(Problem(title="t", claims=claims, world=(pi, held, reward))).claims} <= {"agrees", "proved"}


# ---- differences: a kink is no mistake --------------------

place = Parameter("place", over=Uniform(-1, 1))
STEP = 2.0**-15


def differenced(code: Any, slope: Any, at: Any) -> Any:
    claim = Claim("So.", Equal(Gradient(code), slope), by="differences", at=Point(place=at))
    return check(Problem(title="Slopes", claims=(claim,))).claims[0]


@given(
    st.integers(-9, 9), st.integers(-9, 9), st.floats(-9, 9), st.floats(-4, 4), st.sampled_from((0, 1)), st.sampled_from((0, 1))
)
def test_the_slope_of_either_side_of_a_kink_or_a_jump_is_not_refuted(
    left: int, right: int, bend: float, away: float, jump: int, side: int
) -> None:
    """Beyond two steps there is no kink to see, and the slope is known."""
    corner = away * STEP

    def bent(place: Any) -> Any:
        x = place - corner
        below = x < 0 if side else x <= 0
        return torch.where(below, left * x, right * x + jump) + bend * place**2

    line = differenced(bent, left if corner > 0 or (corner == 0 and side == 0) else right, 0)
    assert line.verdict != "refuted"
    assert line.verdict == "agrees" or abs(away) <= 2


def t_corner(place: Any) -> Any:
    return 3 * torch.relu(place)


def t_midway(place: Any) -> Any:
    return torch.sign(place) + place


def t_edge(place: Any) -> Any:
    return torch.log(place)


def t_pole(place: Any) -> Any:
    return 1 / place


UNSETTLED = [
    (t_corner, 3, 1e-5, "a kink, a jump or a sharp bend near this point: the slope changes by 1.53 there"),
    (t_corner, 3, 0, "the slope changes by 3 there"),
    (t_corner, 0, -1e-5, "the slope changes by"),
    (t_midway, 1, 0, "known only to"),
    (t_midway, 1, 1e-5, "the slope changes by"),
    (t_edge, 10**5, 1e-5, "the value is not finite a step of 6e-05 away"),
    (t_pole, -(10**10), 1e-5, "the slope changes by"),
]


@pytest.mark.parametrize(("code", "slope", "at", "says"), UNSETTLED)
def test_differences_say_what_is_near_a_point_and_not_that_code_is_wrong(code: Any, slope: Any, at: float, says: str) -> None:
    line = differenced(code, slope, at)
    assert (line.verdict, says in line.reason) == ("undecided", True)


@pytest.mark.parametrize(
    ("code", "slope", "at"), [(t_corner, 3, 1e-4), (t_corner, 0, -1e-4), (t_midway, 1, 0.5), (t_edge, 2, 0.5), (t_pole, -4, 0.5)]
)
def test_away_from_it_right_agrees_and_wrong_is_refuted(code: Any, slope: int, at: float) -> None:
    wrong = slope + sp.Rational(1, 10**4)
    assert [differenced(code, x, at).verdict for x in (slope, wrong, -slope - 1)] == ["agrees", "refuted", "refuted"]


def test_a_kink_at_a_drawn_point_says_at_which() -> None:
    u = Parameter("u", over=OneOf(0, 1, 2))

    def corner(u: Any) -> Any:
        return 3 * torch.relu(u)

    line = check(Problem(title="Drawn", claims=(Claim("So.", Equal(Gradient(corner, u), 3), by="differences"),))).claims[0]
    assert (line.verdict, line.witness) == ("undecided", {"u": "0"})


def test_what_is_near_a_point_is_told_of_each_claim() -> None:
    """The second finds what the first has worked out."""
    q = Gradient(t_corner)
    claims = tuple(Claim(f"{n}.", Equal(q, n), by="differences", at=Point(place=0)) for n in (3, 4))
    reasons = [line.reason for line in check(Problem(title="Two", claims=claims)).claims]
    assert reasons[0] == reasons[1] and "the slope changes by 3 there" in reasons[0]


chances = Parameter("chances", (2, 3), over=Simplex())


def t_entropy(chances: Any) -> Any:
    """torch refuses probabilities that do not sum to 1."""
    return torch.distributions.Categorical(chances, validate_args=True).entropy().sum()


def t_strict(chances: Any) -> Any:
    """It has no way to go on off the simplex."""
    return (chances**2).sum() if ((chances.sum(-1) - 1).abs() < 1e-6).all() else chances.sum() * torch.nan


def t_rates(chances: Any) -> Any:
    return (chances[:, 0] * chances[:, 2] ** 2 + chances[:, 0] * chances[:, 1]).sum()


def t_last_corner(chances: Any) -> Any:
    return 3 * torch.relu(chances[0, 2] - 0.25)


def test_differences_keep_probabilities_on_their_simplex() -> None:
    p = chances.array
    models = {t_entropy: -(p * log(p)).sum(), t_strict: (p**2).sum(), t_rates: (p[:, 0] * (p[:, 2] ** 2 + p[:, 1])).sum()}
    for code, model in models.items():
        claims = tuple(Claim(f"{n}.", Equal(Gradient(code), n * Gradient(model)), by="differences") for n in (1, 2))
        assert [c.verdict for c in check(Problem(title="Simplex", claims=claims)).claims] == ["agrees", "refuted"]


def test_a_gradient_on_a_simplex_has_no_curl() -> None:
    def turned(chances: Any) -> Any:
        return chances[0, 0].detach() * chances[0, 1] ** 2

    claims = tuple(Claim("So.", Equal(Curl(Gradient(code)), 0)) for code in (t_rates, turned))
    assert [c.verdict for c in check(Problem(title="Curl", claims=claims)).claims] == ["agrees", "refuted"]


def test_a_kink_of_the_last_probability_is_one_of_the_others() -> None:
    quarter, half = sp.Rational(1, 4), sp.Rational(1, 2)
    at = Point(chances=((quarter, half, quarter), (half, quarter, quarter)))
    claim = Claim("So.", Equal(Gradient(t_last_corner), (-3, -3, 0, 0, 0, 0)), by="differences", at=at)
    assert check(Problem(title="Simplex", claims=(claim,))).claims[0].verdict == "undecided"


@pytest.mark.parametrize("wrong", [1, 1 + 1e-4])
def test_code_that_is_called_for_one_draw_at_a_time_is_integrated_too(wrong: float) -> None:
    def second_moment(location: Any, drawn: Any) -> Any:
        return (drawn**2 if drawn.item() < 100 else drawn) * wrong + 0 * location

    drawn = Draw("drawn", Gaussian(location, 1))
    (line,) = check(
        Problem("One by one", (Claim("So.", Equal(Mean(Value(second_moment)), location**2 + 1)),), world=(drawn,))
    ).claims
    assert line.verdict == ("agrees" if wrong == 1 else "refuted")


@pytest.mark.parametrize("q", [Gradient(t_softmax), Gradient((x * x * y).sum()), Value(lambda x: x * x), Value(x * y)])
def test_a_quantity_sums_its_coordinates(q: Quantity) -> None:
    written = q[0] + q[1] + q[2]
    claims = (Claim("So.", Equal(q.sum(), written)), Claim("Two of them.", Equal(q.sum(), q[0] + q[1])))
    assert [line.ok for line in check(Problem(title="Sum", claims=claims)).claims] == [True, False]


def test_the_sum_of_a_mean_is_the_mean_of_the_sum() -> None:
    action = Draw("action", Categorical(logits=x))

    def t_score(x: Any, action: Any) -> Any:
        return x.log_softmax(-1)[action]

    score = Gradient(t_score)
    along = (y * score).sum()  # code's gradient along a direction
    claims = (
        Claim("One.", Equal(Mean(score * score).sum(), Mean((score * score).sum()))),
        Claim("Two.", Equal(Mean(along), Mean(y[0] * score[0] + y[1] * score[1] + y[2] * score[2]))),
        Claim("Three.", Equal(Mean((score * score).sum()), Trace(Covariance(score)))),
        Claim("Scores sum to zero.", Equal(score.sum(), 0)),
        Claim("So do their squares.", Equal(Mean((score * score).sum()), 0)),
    )
    assert [line.ok for line in check(Problem(title="Sum", claims=claims, world=(x, action))).claims] == [True] * 4 + [False]


# ---- what kind of number code is given ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (lambda x, at: x[at], "write x.long()"),
        (lambda x, at: x.gather(0, at[None])[0], "write x.long()"),
        (lambda x, at: torch.nn.functional.one_hot(at, 3) @ x, "write x.long()"),
        (lambda x, at: torch.nn.functional.cross_entropy(x[None], at[None]), "write x.long()"),
        (lambda x, mask: torch.where(mask, x, 0).sum(), "write mask == 1"),
        (lambda x, mask: x.masked_fill(~mask, 0).sum(), "write mask == 1"),
        (lambda x, mask: x.masked_fill(1 - mask, 0).sum(), "write mask == 1"),
        (lambda x, at: at[0] * x.sum(), "copies, rows and episodes are given by Mean(..., over=...)"),
    ],
)
def test_code_that_took_floats_for_something_else_is_told_what_to_write(code: Any, says: str) -> None:
    at, mask = Variable("at", over=Integers(0, 2)), Variable("mask", 3, over=Masks())
    with pytest.raises(ProblemError, match=re.escape(says)):
        check(Problem(title="Kinds", claims=(Claim("So.", Equal(Gradient(code), 0)),), world=(at, mask)))


def test_an_error_of_another_kind_is_left_as_it_is() -> None:
    with pytest.raises(ProblemError, match=r"raised ValueError: an index of my own \(test_evaluators.py:\d+\)$"):
        raise_it = Claim("So.", Equal(Value(t_raises), 0))
        check(Problem(title="Kinds", claims=(raise_it,)))


def t_raises(x: Any) -> Any:
    raise ValueError("an index of my own")


def test_copies_under_a_name_of_their_own_are_indices_outside_a_mean() -> None:
    prompt = Draw("prompt", Categorical((sp.Rational(1, 2), sp.Rational(1, 2))))
    score = Variable("score", (2, 3), over=Uniform(-1, 1))
    answer = Draw("answer", Categorical((sp.Rational(1, 4), sp.Rational(1, 4), sp.Rational(1, 2))))
    answers = Named("answers", batch((prompt, answer), 2, given=prompt)["answer"])

    def t_advantage(score: Any, prompt: Any, answers: Any) -> Any:
        got = score[prompt, answers]
        return got - got.mean()

    advantage = Value(t_advantage)
    claims = (Claim("They sum to zero.", Equal(advantage.sum(), 0)), Claim("They are zero.", Equal(advantage, 0)))
    found = check(Problem(title="Groups", claims=claims, world=(score, prompt, answers))).claims
    assert [line.verdict for line in found] == ["agrees", "refuted"]
    assert "answer0" in found[1].witness and "prompt" in found[1].witness


def test_quantities_of_unlike_sizes_are_not_combined() -> None:
    u, v = Parameter("u", 2), Parameter("v", 3)

    def t_both(u: Any, v: Any) -> Any:
        return u.sum() + v.sum()

    def t_value(u: Any) -> Any:
        return 2 * u

    says = "5 coordinates cannot be combined with 3: a gradient is by every Parameter, unless it names some"
    for q in (Gradient(t_both), Gradient(u.sum() + v.sum())):
        with pytest.raises(ProblemError, match=says):
            check(Problem(title="Sizes", claims=(Claim("So.", Equal(q * v, v)),), world=(u, v)))
    named = Claim("So.", Equal(Gradient(t_both, v) * v, v))
    assert check(Problem(title="Sizes", claims=(named,), world=(u,))).claims[0].verdict == "agrees"
    page = Problem(title="Sizes", claims=(Claim("So.", Equal(Value(t_value) + u, 3 * u)),))
    (line,) = check(page, {t_value: lambda u: torch.cat([u, u, u])}).claims
    wanted = "`t_value` gives 6 coordinates with this answer, and 2 with the page's own function."
    assert (line.verdict, line.reason) == ("refuted", wanted)


def test_what_only_a_float_cannot_hold_is_a_number() -> None:
    power = Variable("power")
    claims = [
        Claim("exp(800) is one.", Equal(NonFinite(Value(exp(800 * power))), 0), at=Point(power=1)),
        Claim("1/0 is none.", Equal(NonFinite(Value(1 / power)), 1), at=Point(power=0)),
        Claim("log 0 is none.", Equal(NonFinite(Value(log(power))), 1), at=Point(power=0)),
        Claim("exp(800) is none.", Equal(NonFinite(Value(exp(800 * power))), 1), at=Point(power=1)),
    ]
    lines = check(Problem(title="Large", claims=claims)).claims
    assert [line.verdict for line in lines] == ["agrees", "agrees", "agrees", "refuted"]


@pytest.mark.parametrize("wrong", [0, 1])
def test_code_that_writes_into_its_draw_is_given_its_own_on_every_rung(wrong: int) -> None:
    """It fails once the draw is concrete and the parameters are mapped, and is called again, one by one."""
    scores, pay = Parameter("scores", 2), Variable("pay", 2)
    arm = Draw("arm", Categorical(logits=scores))

    def counted_from_one(scores: Any, pay: Any, arm: Any) -> Any:
        arm += 1
        chosen = (arm - 1 + wrong) % 2
        return scores.log_softmax(-1)[chosen] * pay[arm - 1] if float(scores[0]) < 1e9 else scores.sum()

    claim = Claim("Unbiased.", Equal(Mean(Gradient(counted_from_one)), Gradient(E(pay[arm]))))
    assert check(Problem(title="Arms", claims=(claim,), world=(arm,))).claims[0].verdict == ("refuted" if wrong else "agrees")


@pytest.mark.parametrize("looks", [True, False])
@pytest.mark.parametrize("wrong", [0, 1])
def test_laws_of_torch_whose_looks_at_their_arguments_cannot_be_mapped(
    wrong: int, looks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A covariance is looked at by an `if`, which would take a call for each outcome."""
    m, size, noise = (
        Parameter("m", 2, over=Uniform(-1, 1)),
        Variable("size", over=Uniform(1, 2)),
        Draw("noise", Gaussian([0, 0], 1)),
    )
    calls: list[int] = []

    def score(m: Any, size: Any, noise: Any) -> Any:
        calls.append(1)
        law = torch.distributions.MultivariateNormal(m, size**2 * torch.eye(2, dtype=m.dtype))
        return law.log_prob((m + size * noise).detach()) * (noise.sum() + wrong * noise[0])

    claim = Claim("The score times the noise.", Equal(Mean(Gradient(score)), (1 / size, 1 / size)))
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", looks)
    found = check(Problem(title="Scores", claims=(claim,), world=(m, size, noise)))
    assert torch.distributions.Distribution._validate_args is looks
    assert found.claims[0].verdict == ("refuted" if wrong else "agrees")
    assert len(calls) < 100


def test_a_slope_where_the_deviation_is_0_is_told_to_draw_the_noise_alone() -> None:
    m, size = Parameter("m", over=Uniform(-1, 1)), Variable("size", over=Uniform(0, 1))
    u, noise = Draw("u", Gaussian(m, size)), Draw("noise", Gaussian(0, 1))
    still = Equal(size, 0)
    claims = [
        Claim(f"{n}.", Equal(Gradient(E(tanh(x))), 1 - tanh(m) ** 2), where=still) for n, x in enumerate((u, m + size * noise))
    ]
    drawn, written = check(Problem("Still", claims)).claims
    assert (drawn.verdict, written.verdict) == ("undecided", "agrees")
    assert drawn.reason.endswith(
        "where a deviation is 0, draw the noise alone, of deviation 1, and write mean + deviation * noise"
    )


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_formula_on_tensors_knows_what_floats_do_to_it(wrong: int) -> None:
    """10^8 swallows half of the digits of z; 1 - tanh(20)^2 is zero in floats: neither refutes what is true."""
    z, large = Parameter("z", over=Uniform(0.5, 2)), 10**8
    claims = (
        Claim("swallowed", Equal(Gradient((large + z) ** 2 - 2 * large * z), 2 * z + wrong), by="autodiff"),
        Claim("flat", Equal(Gradient(log(1 - tanh(20 * z) ** 2)), -40 * tanh(20 * z) + wrong), by="autodiff"),
    )
    lines = check(Problem(title="Floats", claims=claims)).claims
    assert [line.verdict == "refuted" for line in lines] == [bool(wrong)] * 2


def test_what_is_no_real_number_has_no_slope_by_differences() -> None:
    z = Parameter("z", over=Uniform(0.5, 2))
    complex_, real = log(-1 - z**2), log(1 + z**2)
    claims = (
        Claim("So.", Equal(NonFinite(Gradient(complex_)), 1), by="differences"),
        Claim("So.", Equal(Gradient(real), 2 * z / (1 + z**2)), by="differences"),
    )
    assert [line.verdict for line in check(Problem(title="Logs", claims=claims)).claims] == ["agrees", "agrees"]


@pytest.mark.parametrize("wrong", [0, 1])
def test_code_is_not_refuted_by_the_centre_of_its_draw_which_nobody_draws(wrong: int) -> None:
    """Value or slope is 0/0 there. E[sin(z)/z] is the integral of exp(-t^2/2) over t from 0 to 1; E|z| = sqrt(2/pi)."""
    mu = Parameter("mu", over=Normal())
    smooth = Draw("smooth", Gaussian(mu, 1))
    bent = Draw("bent", Gaussian(mu, 1), breaks=lambda at: ((mu,),))
    plane = Draw("plane", Gaussian((0, 0), 1))

    def sinc(mu: Any, smooth: Any) -> Any:
        return (smooth - mu).sin() / (smooth - mu)

    def distance(mu: Any, bent: Any) -> Any:
        return ((bent - mu) ** 2).sqrt()

    def direction(plane: Any) -> Any:
        return (plane / (plane**2).sum().sqrt()) ** 2

    root = sp.sqrt(2 / sp.pi)
    claims = (
        Claim("smooth", Equal(Mean(Value(sinc)), sp.erf(1 / sp.sqrt(2)) / root + wrong)),
        Claim("bent", Equal(Mean(Value(distance)), root + wrong)),
        Claim("its slope", Equal(Mean(Gradient(distance)), wrong)),
        Claim("in the plane", Equal(Mean(Value(direction)), sp.Rational(1, 2) + wrong)),
    )
    lines = check(Problem(title="At the centre", claims=claims, world=(mu, smooth, bent, plane))).claims
    expected = ["refuted"] * 4 if wrong else ["agrees", "agrees", "agrees", "undecided"]
    assert [line.verdict for line in lines] == expected
    nowhere = Claim("nowhere", Equal(Mean(Value(lambda smooth: smooth.abs().sqrt() + (-1 - smooth**2).sqrt())), 0))
    (line,) = check(Problem(title="Nowhere", claims=(nowhere,), world=(smooth,))).claims
    assert line.verdict == "refuted" and "nan" in line.reason


@pytest.mark.parametrize("wrong", [0, 1])
def test_rows_of_a_table_may_be_looked_up_with_sparse_gradients(wrong: int) -> None:
    table, pay = Parameter("table", (4, 2)), Variable("pay", 4)
    seen = Draw("seen", Categorical([Fraction(1, 4)] * 4))

    def sparse(table: Any, pay: Any, seen: Any) -> Any:
        row = torch.nn.functional.embedding((seen + wrong) % 4, table, sparse=True)
        return (pay[seen] * row).sum()

    model = E(sum(table.array[k, i] * pay[k] * sp.KroneckerDelta(seen, k) for k in range(4) for i in range(2)))
    claim = Claim("So.", Equal(Mean(Gradient(sparse)), Gradient(model)))
    (line,) = check(Problem(title="Rows", claims=(claim,), world=(seen,))).claims
    assert line.verdict == ("refuted" if wrong else "agrees"), line.reason


def test_a_curl_knows_which_symbol_each_coordinate_is_a_slope_by() -> None:
    z = Parameter("z", 3, over=Uniform(-1, 1))
    formula = z[0] * z[1] ** 2 + z[1] * z[2]

    def code(z: Any) -> Any:
        return z[0] * z[1] ** 2 + z[1] * z[2]

    def verdict(field: Any) -> str:
        return check(Problem(title="Curl", claims=(Claim("So.", Equal(Curl(field), 0)),))).claims[0].verdict

    for f, holds in ((formula, "proved"), (code, "agrees")):
        q = Gradient(f, z)
        assert [verdict(field) for field in (-q, 2 * q, q[1:], q[::-1], q[:2])] == [holds] * 5
        assert [verdict(field) for field in (z[0] * q, q * z[0], z[0] * q[::-1])] == ["refuted"] * 3
    with pytest.raises(ProblemError, match="one slope by each symbol, and is given 6 numbers by z_0, z_1, z_2, z_0"):
        verdict(Gradient(array(formula, z[0])))
    for field in (Value(code) * z, q.sum()):
        with pytest.raises(ProblemError, match="Curl needs the gradient of something"):
            verdict(field)


@pytest.mark.parametrize("of", [lambda x: x * 2, 2 * x.array], ids=["code", "formula"])
def test_a_sum_of_no_coordinates_is_not_zero(of: Any) -> None:
    for q in (Value(of)[5:].sum(), Trace(Value(of)[5:]), Gradient(of, ()).sum()):
        with pytest.raises(ProblemError, match=r"no coordinates|out of range"):
            check(Problem(title="Nothing", claims=(Claim("So.", Equal(q, 0)),), world=(x,)))


@pytest.mark.parametrize("finest_first", [False, True])
def test_what_differences_say_does_not_depend_on_the_claims_before(finest_first: bool) -> None:
    """A bend that one claim may not overlook is none to a coarser claim of the same quantity."""
    z = Parameter("z", over=Uniform(-1, 1))
    q = Gradient(lambda z: (300 * z).sin() / 300)
    claims = [Claim(f"To {r}.", Equal(q, sp.cos(300 * z[()])), by="differences", resolution=r) for r in (1e-2, 1e-9)]
    alone = [check(Problem(title="Alone", claims=(c,))).claims[0].verdict for c in claims]
    assert alone == ["agrees", "undecided"]
    together = check(Problem(title="Both", claims=tuple(claims[::-1] if finest_first else claims))).claims
    assert {line.says: line.verdict for line in together} == {c.says: v for c, v in zip(claims, alone, strict=True)}


@pytest.mark.parametrize("wrong", [0, 1e-5])
def test_a_formula_of_a_continuous_draw_is_evaluated_at_the_very_number_that_code_receives(wrong: float) -> None:
    u = Draw("u", Gaussian(0, 1))
    claim = Claim("So.", Equal(Value(lambda u: (u * 2.0**36).sin() + wrong), sp.sin(2**36 * u[()])))
    (line,) = check(Problem(title="Steep", claims=(claim,), world=(u,))).claims
    assert line.verdict == ("refuted" if wrong else "agrees"), line.reason


@pytest.mark.parametrize("least", [1e-200, 1.0])
def test_a_quotient_by_what_may_be_zero_is_not_known(least: float) -> None:
    """Floats lose (1e-200)^2, and say nothing of three times it over it."""

    def squared(x: Any) -> Any:
        return (0 * x.sum() + least) ** 2

    def threefold(x: Any) -> Any:
        return 3 * squared(x)

    claims = tuple(Claim(f"It is {n}.", Equal(Value(threefold) / Value(squared), n)) for n in (3, 4))
    verdicts = [line.verdict for line in check(Problem(title="Quotient", claims=claims, world=(x,))).claims]
    assert verdicts == (["agrees", "refuted"] if least == 1 else ["undecided", "undecided"])


@pytest.mark.parametrize("certain", [0, 1])
def test_numpy_code_that_draws_is_noticed_where_its_first_outcome_cannot_happen(certain: int) -> None:
    p = Variable("p", over=OneOf((0, 1)))
    coin, chance = Draw("coin", Bernoulli(p)), np.random.default_rng(0)

    def noisy(coin: Any) -> Any:
        return np.float64(chance.uniform()) * 1e-9 + 0 * coin

    claim = Claim("So.", Equal(Mean(Value(noisy)), 0), resolution=1e-3)
    with pytest.raises(ProblemError, match="gives another result each time it is called"):
        check(Problem(title="Noise", claims=(claim,), corners=(Point(p=certain),), world=(coin,)))


@pytest.mark.parametrize(("where", "verdict"), [(10**5, ["agrees", "refuted"]), (10**12, ["undecided", "undecided"])])
def test_a_step_that_floats_do_not_hold_says_nothing_of_a_slope(where: int, verdict: list[str]) -> None:
    z = Parameter("z", over=Normal())

    def line(z: Any) -> Any:
        return 3 * (z - where) + np.float64(0)

    claims = tuple(Claim(f"{n}.", Equal(Gradient(line), n), at=Point(z=where), by="differences") for n in (3, 4))
    assert [c.verdict for c in check(Problem(title="Far", claims=claims, world=(z,))).claims] == verdict


def test_outcomes_at_the_same_points_are_listed_once() -> None:
    p = Variable("p", over=Uniform(0.1, 0.9))
    coin = Draw("coin", Bernoulli(p))
    j = judge(Claim("So.", Equal(E(coin), p)))
    here, there = Scene(j.world, j.points), Scene(j.world, j.points.take([1, 0]))
    first, again, other = (listed.outcomes(coin.atoms, j.world.names, s) for s in (here, here.anew(), there))
    assert again.weights is first.weights
    assert (other.weights.exact == first.weights.exact[[1, 0]]).all()
    assert listed.NAME in here.used


def test_a_law_that_is_none_is_told_each_time() -> None:
    p = Variable("p", over=Uniform(2, 3))
    coin = Draw("coin", Bernoulli(p))
    j = judge(Claim("So.", Equal(p, p)), world=(coin,))
    for _ in range(2):
        with pytest.raises(ProblemError, match="a probability of `coin` is"):
            listed.outcomes(coin.atoms, j.world.names, Scene(j.world, j.points))


def called_innermost(x: Any) -> Any:
    return x.sum()


def called_inside(x: Any, innermost: Any = called_innermost) -> Any:
    return 2 * innermost(x)


def called_beside(x: Any) -> Any:
    return 3 * x.sum()


def called(x: Any, inside: Any = called_inside) -> Any:
    return 5 * inside(x)


def other_inside(x: Any, beside: Any = called_beside) -> Any:
    return 7 * beside(x)


OTHERS = {called_innermost: lambda x: 11 * x.sum(), called_inside: other_inside, called_beside: lambda x: 13 * x.sum()}


@given(st.lists(st.sets(st.sampled_from([*OTHERS])), min_size=1, max_size=4))
def test_what_is_worked_out_once_is_what_the_answer_makes_of_it(answers: list[set[Any]]) -> None:
    """A replacement brings slots of its own, which the answer may fill too."""
    j = judge(Claim("So.", Equal(Value(called), Value(called_beside))), points=3)
    total = j.points.floats["x"].sum(axis=1)
    quantity = Value(called)
    for replaced in answers:
        factor = 5 * (2 * (11 if called_innermost in replaced else 1))
        if called_inside in replaced:
            factor = 5 * 7 * (13 if called_beside in replaced else 3)
        scene = Scene(j.world, j.points, {f: OTHERS[f] for f in replaced}, memo=j.memo)
        assert np.allclose(evaluate(quantity, scene).value[:, 0, 0], factor * total)


def test_what_an_answer_does_not_reach_is_worked_out_once() -> None:
    j = judge(Claim("So.", Equal(Value(called), Value(called_beside))), points=3)
    quantity = Value(called)
    found = [
        evaluate(quantity, Scene(j.world, j.points, {f: OTHERS[f] for f in replaced}, memo=j.memo))
        for replaced in ((), (called_beside,), (called_innermost,))
    ]
    assert found[1] is found[0]
    assert found[2] is not found[0]


def test_code_with_a_replacement_inside_is_one_object() -> None:
    """What was learnt of code, how it runs and that it keeps no state, is known by the object."""
    j = judge(Claim("So.", Equal(Value(called), Value(called_beside))), points=3)
    scene = Scene(j.world, j.points, {called_innermost: OTHERS[called_innermost]})
    assert scene.resolve(called) is not called
    assert scene.at(j.points.take([0])).resolve(called) is scene.anew().resolve(called) is scene.resolve(called)
    assert scene.without_answer().resolve(called) is called
    runs: list[Any] = []

    def coarse(x: Any) -> Any:
        runs.append(x)
        return (x.sum() * 2**30).sin()

    far = Scene(j.world, j.points, {called_innermost: coarse})
    evaluate(Value(called), far)
    first = len(runs)
    evaluate(Value(called), far.at(j.points.take([0, 1])))
    assert 0 < len(runs) - first < first


def test_what_is_known_of_a_function_goes_with_it() -> None:
    def made() -> Callable[..., Any]:
        def code(theta: Any, other: Any = len) -> Any:
            return theta

        return code

    code = made()
    assert list(arguments(code)) == ["theta", "other"] and arguments(code) is arguments(code)
    gone = weakref.ref(code)
    del code
    gc.collect()
    assert gone() is None


# ---- what is run once -----------------------------------------------------------------------------------------------------


def cubed(location: Any, wide: Any) -> Any:
    return (location + wide).abs() ** 3


def above_one(location: Any, wide: Any) -> Any:
    return 1 + (location * wide) ** 2


@pytest.mark.parametrize("divided", [False, True])
def test_float32_is_run_at_the_rule_whose_radius_counts(divided: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quotient looks at the radius of its divisor at each rule."""
    ran: list[str] = []
    run = backend.run

    def counted(code: Any, leaves: Any, fixed: Any, drawn: Any, dtype: str, *rest: Any) -> Any:
        ran.append(dtype)
        return run(code, leaves, fixed, drawn, dtype, *rest)

    monkeypatch.setattr(backend, "run", counted)
    q = Mean(Value(cubed) / Value(above_one) if divided else Value(cubed))
    j = judge(Claim("So.", Equal(q, E(wide))), points=2)
    evaluate(q, Scene(j.world, j.points))  # code that is new is also called for one point alone
    ran.clear()
    found = evaluate(q, Scene(j.world, j.points))
    fine, coarse = ran.count("float64"), ran.count("float32")
    assert coarse == fine if divided else 1 == coarse < fine
    assert (found.radius > 0).all()


@given(st.integers(0, 20), st.data())
def test_the_largest_of_a_row_is_numpy_s(width: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.lists(st.floats(0, 1e300), min_size=width, max_size=width), min_size=1, max_size=3))
    x = np.array(rows).reshape(len(rows), width)
    assert np.array_equal(autodiff._largest(x, 1.0), x.max(axis=-1, keepdims=True, initial=1.0))  # pyright: ignore


@pytest.mark.parametrize("code", [lambda theta: softmax(theta).sum(), lambda theta: torch.as_tensor(np.exp(theta)).sum()])
def test_numbers_taken_out_of_torch_are_not_told_to_detach(code: Any) -> None:
    theta = Parameter("theta", 2)
    with pytest.raises(ProblemError, match=r"no gradient: write torch, as in torch\.log\(x\)") as caught:
        check(Problem(title="Out of torch", claims=(Claim("So.", Equal(Gradient(code), 0)),), world=(theta,)))
    assert "detach" not in str(caught.value)


@given(st.integers(-10, 10), st.integers(-4, 4))
def test_a_bend_too_faint_to_be_named_is_in_the_radius(slope: int, steps: int) -> None:
    """slope t + 1e-7 |t - where|: whichever of its two slopes is meant at a kink, the estimate holds it."""
    v, where = Parameter("v", over=Uniform(-1, 1)), steps / 4 * float(differences.STEP)
    point = Points({"v": v}, {"v": np.array([fmpq(0)], dtype=object)}, 1)
    there = differences._around(point, [v]).floats["v"]
    values, scene = slope * there + 1e-7 * np.abs(there - where), Scene(None, point)  # type: ignore[arg-type]
    found = differences._slopes(Estimate(values, np.zeros_like(values)), scene)
    assert not scene.near and found.radius[0, 0] < 1e-6
    true = [slope + 1e-7, slope - 1e-7] if steps == 0 else [slope - 1e-7 * np.sign(steps)]
    assert all(abs(found.value[0, 0] - x) <= found.radius[0, 0] + 1e-12 for x in true)


def handed_inner(x: Any) -> Any:
    return 2 * x


def handed_middle(x: Any, factor: Any, inner: Any = handed_inner) -> Any:
    return factor * inner(x)


def handed(x: Any, middle: Any = handed_middle, inner: Any = handed_inner) -> Any:
    """Functions are handed on by position, by name, and not at all."""
    return middle(x, 3, inner) + middle(x, 5, inner=inner) + middle(x, 7) + middle(x, 11, lambda x: 13 * x)


@given(st.integers(-9, 9))
def test_a_replaced_function_may_be_handed_on_by_its_place(factor: int) -> None:
    x = Parameter("x")

    def replaced(x: Any) -> Any:
        return factor * x

    right = Claim("So.", Equal(Value(handed), factor * (3 + 5 + 7) * x + 11 * 13 * x))
    problem = Problem(title="Handed on", claims=(right,))
    (line,) = check(problem, {handed_inner: replaced}).claims
    assert line.verdict == "agrees", line.reason
    (line,) = check(problem, {handed_inner: lambda x: replaced(x) + x}).claims  # a planted mistake
    assert line.verdict == "refuted" and line.value is not None, line.reason


def _inside(theta: Any) -> Any:
    def shares(scores: Any) -> Any:
        return np.arange(3) * scores

    return shares(theta).sum()


@pytest.mark.parametrize("code", [
    _inside,
    lambda theta: (lambda scores: (np.arange(3) * scores).sum())(theta),
    lambda theta: sum((np.arange(3) * scores).sum() for scores in [theta]),
])  # fmt: skip
@pytest.mark.parametrize("off", [0, 1])
def test_numpy_in_a_function_inside_is_numpy(code: Any, off: int) -> None:
    theta = Parameter("theta", 3)
    report = check(Problem(title="t", claims=(Claim("So.", Equal(Value(code), theta[1] + (2 + off) * theta[2])),)))
    (line,) = report.claims
    assert line.verdict == ("refuted" if off else "agrees")
    assert [route.route for route in line.routes] == ["symbolic + numpy"]


@pytest.mark.parametrize("code", [lambda theta: scipy_softmax(theta)[0], lambda theta: np_exp(theta)[0] / np_exp(theta).sum()])
@pytest.mark.parametrize("off", [0, 1])
def test_functions_of_numpy_and_scipy_are_known_by_their_own_name(code: Any, off: int) -> None:
    theta = Parameter("theta", 3)
    report = check(Problem(title="t", claims=(Claim("So.", Equal(Value(code), softmax(theta)[off])),)))
    (line,) = report.claims
    assert line.verdict == ("refuted" if off else "agrees")
    assert [route.route for route in line.routes] == ["symbolic + numpy"]


def _known(theta: Any) -> Estimate:  # it names neither numpy nor torch, as a helper of another file does not
    return Estimate(2 * theta, 1e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize("off", [0, 1])
def test_code_that_returns_an_estimate_is_numpy_code(off: float) -> None:
    theta = Parameter("theta", 3)
    (line,) = check(Problem(title="t", claims=(Claim("So.", Equal(Value(_known), 2 * theta + off)),))).claims
    assert line.verdict == ("refuted" if off else "agrees")
    assert [route.route for route in line.routes] == ["symbolic + numpy"]
    assert line.radius is not None and min(line.radius) >= 1e-9
    with pytest.raises(ProblemError, match="`_known` is numpy code, which has no gradient"):
        check(Problem(title="t", claims=(Claim("So.", Equal(Gradient(_known), 2)),), world=(theta,)))


@given(st.floats(0, 1e-3), st.sampled_from(Evidence))
def test_a_radius_and_an_evidence_of_its_own_are_kept(radius: float, evidence: Evidence) -> None:
    theta = Parameter("theta", 3)

    def code(theta: Any) -> Estimate:
        return Estimate(2 * np.asarray(theta), np.full(3, radius), evidence)

    j = judge(Claim("So.", Equal(Value(code), 2 * theta)), points=2)
    found = evaluate(Value(code), Scene(j.world, j.points))
    assert (found.radius == radius).all() and found.evidence is max(evidence, Evidence.FLOAT)


@pytest.mark.parametrize(("radius", "says"), [
    (-1.0, "returned an Estimate with the radius -1: write how far off it may be, 0 or more."),
    ([1.0, 1.0], "returned an Estimate of shape (3,) with radii of shape (2,): write one radius for each number"),
    ("a", "returned an Estimate that holds no numbers: ValueError"),
])  # fmt: skip
def test_an_estimate_that_is_none_says_so(radius: Any, says: str) -> None:
    theta = Parameter("theta", 3)
    code: Any = lambda theta: Estimate(np.asarray(theta), np.asarray(radius))  # noqa: E731
    with pytest.raises(ProblemError, match=re.escape(says)):
        check(Problem(title="t", claims=(Claim("So.", Equal(Value(code), theta)),)))


@given(st.lists(st.decimals(1, 10**6, places=20), min_size=1, max_size=3))
def test_a_printed_number_of_more_digits_than_a_float_is_within_its_radius(numbers: list[Any]) -> None:
    """Half a unit of the last digit either way, and what a float cannot hold."""
    found = evaluate(Printed(*map(str, numbers)), Scene(World({}, {}), Points({}, {}, 1)))
    for number, value, radius in zip(numbers, found.value.ravel(), found.radius.ravel(), strict=True):
        assert abs(Fraction(number) - Fraction(value)) + Fraction(1, 2 * 10**20) <= Fraction(radius)


@given(st.floats(1, 1e300), st.floats(1e-3, 1e3), st.sampled_from([1, -1]))
def test_whether_a_number_may_be_infinite_is_asked_of_its_relative_radius(size: float, part: float, sign: int) -> None:
    found = unsure(Estimate(np.array(sign * size), np.array(UNSURE * part * (1 + size))))
    assert found == (part > 1) or abs(part - 1) < 1e-9


def test_a_mean_holds_the_rounding_of_the_code_that_is_integrated() -> None:
    """It is the same at every node, so that no two rules are apart by it."""
    u = Draw("u", Gaussian(0, 1))

    def coarse(u: Any) -> Any:
        return torch.tensor(1e8) + 0.3 - 1e8 + 0 * u

    found = table(Mean(Value(coarse)), world=(u,))
    assert (np.abs(found.value - 0.3) > 1e-9).all()
    assert (np.abs(found.value - 0.3) <= found.radius).all()


def test_a_formula_at_many_outcomes_is_within_its_radius() -> None:
    u = Draw("u", Gaussian(0, 1))
    j = judge(Claim("So.", Equal(Mean(Value(u[()])), 0)), points=1)
    scene = Scene(j.world, j.points.image())
    outcomes = integrated.outcomes(u.atoms, j.world.names, scene, 0)
    found = evaluate(Value(exp(u[()]) / 7), scene, outcomes)
    (at,) = outcomes.columns.values()
    assert at.size > 50
    with mpmath.workdps(40):
        for x, value, radius in [*zip(at.flat, found.value.flat, found.radius.flat, strict=True)][:: at.size // 50]:
            assert abs(mpmath.exp(mpmath.mpf(x)) / 7 - value) <= radius


def test_what_is_no_number_where_nobody_draws_leaves_the_mean_known() -> None:
    u = Draw("u", Gaussian(0, 1))

    def window(u: Any) -> Any:
        return torch.log(80 - u * u)

    def twice(u: Any) -> Any:
        return 2 * torch.log(80 - u * u)

    claim = Claim("So.", Equal(Mean(Value(window) * 2), Mean(Value(twice))))
    assert check(Problem(title="Window", claims=(claim,), world=(u,))).claims[0].verdict == "agrees"


def test_an_outcome_that_is_listed_counts_however_rare_it_is() -> None:
    hit = Draw("hit", Bernoulli(sp.Rational(1, 10**20)))

    def pole(hit: Any) -> Any:
        return 1 / (1.0 - hit)

    claims = (Claim("Infinite.", Equal(Mean(Value(pole)), sp.oo)), Claim("One.", Equal(Mean(Value(pole)), 1)))
    assert [c.verdict for c in check(Problem(title="Pole", claims=claims, world=(hit,))).claims] == ["agrees", "refuted"]


def test_an_answer_may_ask_for_another_draw_than_the_page_s_own_function() -> None:
    theta = Parameter("theta")
    one, other = (Draw(name, Bernoulli(sp.Rational(1, 3))) for name in ("one", "other"))

    def own(theta: Any, one: Any) -> Any:
        return theta * one

    def answer(theta: Any, other: Any) -> Any:
        return theta * other

    def wrong(theta: Any, other: Any) -> Any:
        return theta * (1 - other)

    page = Problem(title="Two coins", claims=(Claim("So.", Equal(Mean(Value(own)), theta / 3)),), world=(one, other))
    for code, verdict in ((answer, "agrees"), (wrong, "refuted")):
        assert check(page, answer={own: code}).claims[0].verdict == verdict


def test_formulas_over_given_rows_draw_nothing() -> None:
    """More coordinates than can be integrated are no matter where the rows give them."""
    us = [Draw(f"u{i}", Gaussian(0, 1)) for i in range(4)]

    def first(u0: Any) -> Any:
        return u0

    rows = Rows(u0=(0, 1, 0), u1=(0, 1, 1), u2=(0, 1, 2), u3=(0, 1, 3))
    claim = Claim("So.", Equal(Mean(Value(first) * sum(u[()] for u in us), over=rows), sp.Rational(4, 3)))
    assert check(Problem(title="Rows", claims=(claim,), world=us)).claims[0].verdict == "agrees"


@pytest.mark.parametrize("reduced", [Mean, Covariance])
def test_no_draw_is_loose_in_a_mean(reduced: Any) -> None:
    u = Draw("u", Bernoulli(sp.Rational(1, 3)))
    j = judge(Claim("So.", Equal(reduced(Value(u[()])), 0)))
    assert loose_atoms(Value(u[()]) + reduced(Value(u[()])), Scene(j.world, j.points)) == list(u.atoms)
    assert loose_atoms(2 * reduced(Value(u[()])), Scene(j.world, j.points)) == []


def around(here: float, near: float, far: float, radius: float) -> tuple[Estimate, Scene]:
    """What `differences` makes of a value, of those one step to either side, and two steps."""
    v = Parameter("v")
    scene = Scene(World({"v": v}, {}), Points({"v": v}, {"v": np.array([fmpq(0)], dtype=object)}, 1))
    values = np.array([here, near, near, far, far])
    return differences._slopes(Estimate(values, np.full(5, radius)), scene), scene


@given(st.floats(1e-10, 1e-3), st.floats(-1, 1), st.floats(-1, 1))
def test_what_rounding_moves_is_no_kink(radius: float, near: float, far: float) -> None:
    found, scene = around(0.0, radius * near, radius * far, radius)
    assert not scene.near and np.isfinite(found.radius).all()


@pytest.mark.parametrize(("near", "far"), [(0.0, 0.0), (np.nan, 0.0), (np.nan, np.nan)])
def test_differences_at_no_number_are_no_number(near: float, far: float) -> None:
    found, scene = around(np.nan, near, far, 1e-12)
    assert np.isnan(found.value).all() and not scene.near


def test_differences_beside_no_number_say_so() -> None:
    found, scene = around(0.0, np.nan, 0.0, 1e-12)
    assert found.value == 0 and found.radius == np.inf and scene.near == [differences.EDGE]


@given(st.integers(-3, 3), st.integers(-3, 3))
def test_two_steps_give_the_slope_of_a_cubic(a: int, b: int) -> None:
    """What one step errs by in a cubic is four times less than two steps do."""
    v = Parameter("v")
    point = Points({"v": v}, {"v": np.array([fmpq(0)], dtype=object)}, 1)
    t = differences._around(point, [v]).floats["v"]
    found = differences._slopes(Estimate(2.0**20 * a * t**3 + b * t, np.zeros_like(t)), Scene(World({"v": v}, {}), point))
    assert abs(found.value[0, 0] - b) < 1e-12


def test_differences_of_a_formula_hold_what_their_step_errs_by() -> None:
    """A cubic's slope at 0 is 0, and by a step h it is h^2."""
    v = Parameter("v")
    claim = Claim("So.", Equal(Gradient(v**3), 0), at=Point(v=0), by="differences")
    assert check(Problem(title="Cubic", claims=(claim,))).claims[0].verdict == "agrees"


def test_differences_of_several_formulas_stand_formula_by_formula() -> None:
    v = Parameter("v", 2)
    pair = array(v[0] ** 2 * v[1], v[1] ** 3 + v[0])
    claim = Claim("So.", Equal(Gradient(pair), array(2 * v[0] * v[1], v[0] ** 2, 1, 3 * v[1] ** 2)), by="differences")
    assert check(Problem(title="Rows", claims=(claim,))).claims[0].verdict == "agrees"


@pytest.mark.parametrize("verdict", ["agrees", "refuted"])
def test_differences_at_outcomes_move_each_point_s_own(verdict: str) -> None:
    mean, theta = Variable("mean", over=Uniform(-2, 2)), Parameter("theta")
    u = Draw("u", Gaussian(mean, 1))

    def square(theta: Any, u: Any) -> Any:
        return theta * u * u

    right = mean**2 + (1 if verdict == "agrees" else sp.Rational(11, 10))
    claim = Claim("So.", Equal(Mean(Gradient(square)), right), by="differences")
    assert check(Problem(title="Outcomes", claims=(claim,), world=(u, theta), points=3)).claims[0].verdict == verdict


@pytest.mark.parametrize("first", [0, 1])
def test_a_kink_in_either_slope_keeps_a_curl_from_settling(first: int) -> None:
    v = Parameter("v", 2)

    def bent(v: Any) -> Any:
        return v[first] * v[1 - first].abs()

    claim = Claim("So.", Equal(Curl(Gradient(bent)), 0), at=Point(v=(1, 0) if first == 0 else (0, 1)))
    assert check(Problem(title="Bent", claims=(claim,), world=(v,))).claims[0].verdict == "undecided"


def test_as_many_outcomes_are_listed_as_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    coin = Draw("coin", Bernoulli(sp.Rational(1, 3)))
    j = judge(Claim("So.", Equal(Mean(Value(coin[()])), 0)))
    monkeypatch.setattr(listed, "LIMIT", 2)
    assert listed.outcomes(coin.atoms, j.world.names, Scene(j.world, j.points)).count == 2
    monkeypatch.setattr(listed, "LIMIT", 1)
    with pytest.raises(Unsuitable, match="2 outcomes exceed the 1"):
        listed.outcomes(coin.atoms, j.world.names, Scene(j.world, j.points))


def test_a_mean_over_a_draw_that_nothing_else_names_gives_it_to_code() -> None:
    chance = Variable("chance", over=Uniform(0.1, 0.9))
    alone = Draw("alone", Bernoulli(chance))

    def same(alone: Any) -> Any:
        return 1.0 * alone

    for value, verdict in ((chance, "agrees"), (1 - chance, "refuted")):
        claim = Claim("So.", Equal(Mean(Value(same), over=alone), value))
        assert check(Problem(title="Over", claims=(claim,))).claims[0].verdict == verdict
    mean = Mean(Value(same), over=alone)
    assert check(Problem(title="Over", claims=(Claim("So.", Equal(mean, mean * 1)),))).claims[0].verdict == "agrees"


def test_what_is_sampled_is_remembered_by_how_and_for_whom() -> None:
    q, scene = Mean(Value(x)), Scene(World({}, {}), Points({}, {}, 1), name="page", samples=10)
    others = [replace(scene, samples=20), replace(scene, name="another"), replace(scene, answer={len: max})]
    assert scene.key(q, "sampled") not in [other.key(q, "sampled") for other in others]
    assert all(other.key(q, "listed") == scene.key(q, "listed") for other in others)


@pytest.mark.parametrize("given", [True, False])
def test_an_integral_is_certified_at_given_data_where_it_can_be(given: bool) -> None:
    s, t = Variable("s", over=Uniform(1, 2)), sp.Symbol("t", real=True)
    finite, whole = sp.Integral(sp.exp(s[()] * t), (t, 0, 1)), sp.Integral(sp.exp(-(t**2)), (t, -sp.oo, sp.oo))
    at = Point(s=1) if given else None
    claims = (
        Claim("One.", Equal(finite, (sp.exp(s[()]) - 1) / s[()]), at=at, by="integrated"),
        Claim("Both.", Equal(array(finite, whole), array((sp.exp(s[()]) - 1) / s[()], sp.sqrt(sp.pi))), at=at, by="integrated"),
    )
    one, both = check(Problem(title="Integrals", claims=claims)).claims
    assert (one.verdict, one.evidence) == ("agrees", "certified ball" if given else "float")
    assert (both.verdict, both.evidence) == ("agrees", "float")


def test_each_row_of_probabilities_moves_against_its_last() -> None:
    blocks = [Parameter("p", 3, over=Simplex()), Parameter("w", 2), Parameter("q", (2, 2), over=Simplex())]
    given = np.arange(18.0).reshape(1, 2, 9) ** 2
    before = given.copy()
    rows = [given[..., a:b] - given[..., b - 1 : b] * moves for a, b, moves in ((0, 3, 1), (3, 5, 0), (5, 7, 1), (7, 9, 1))]
    assert np.array_equal(tangent(blocks, given), np.concatenate(rows, -1))
    assert np.array_equal(given, before)


def test_a_part_of_a_mean_is_averaged_over_the_same_rows() -> None:
    coin = Draw("coin", Bernoulli(sp.Rational(1, 5)))

    def same(coin: Any) -> Any:
        return 1.0 * coin

    rows = Rows(coin=(0, 1, 1))
    j = judge(Claim("So.", Equal(Mean(Value(same) + Value(coin[()]), over=rows), sp.Rational(4, 3))))
    ((part, (formula,)),) = j.world.parts(Mean(Value(same) + Value(coin[()]), over=rows))
    assert part.over is rows  # type: ignore[attr-defined]
    assert formula.doit() == sp.Rational(2, 3)


def test_code_over_one_of_two_draws_of_a_name_is_given_that_one() -> None:
    one, two = (Draw("coin", Bernoulli(sp.Rational(n, 3))) for n in (1, 2))

    def same(coin: Any) -> Any:
        return 1.0 * coin

    claims = [Claim(f"So {n}.", Equal(Mean(Value(same), over=coin), sp.Rational(n, 3))) for n, coin in ((1, one), (2, two))]
    assert [c.verdict for c in check(Problem(title="Two", claims=claims)).claims] == ["agrees", "agrees"]


def test_what_is_continuous_is_not_listed() -> None:
    u = Draw("u", Gaussian(0, 1))

    def same(u: Any) -> Any:
        return 1.0 * u

    line = check(Problem(title="Listed", claims=(Claim("So.", Equal(Mean(Value(same)), 0), by="listed"),), world=(u,))).claims[0]
    assert line.verdict == "undecided" and "a continuous draw cannot be listed" in line.reason


def test_code_is_given_no_draw_outside_a_mean() -> None:
    coin = Draw("coin", Bernoulli(sp.Rational(1, 3)))

    def same(coin: Any) -> Any:
        return 1.0 * coin

    j = judge(Claim("So.", Equal(Mean(Value(same)), 0)), world=(coin,))
    with pytest.raises(ProblemError, match=r"`coin` is random here: take Mean\(\.\.\.\) over it"):
        evaluate(Value(same), Scene(j.world, j.points))


def test_arithmetic_of_quantities_is_that_of_their_formulas() -> None:
    p, v = Variable("p", over=Uniform(0.1, 0.9)), Parameter("v", 2, over=Uniform(1, 2))
    coin = Draw("coin", Bernoulli(p))
    row = Value(array(coin[()], 2 * coin[()] + 1))
    spread = p * (1 - p)
    right = (
        Equal(Covariance(row), array(spread, 2 * spread, 2 * spread, 4 * spread)),
        Equal(Trace(Covariance(row)), 5 * spread),
        Equal(Gradient(array(v[0] * v[1], v[1] ** 2)), array(v[1], v[0], 0, 2 * v[1])),
        Equal(3 - Value(v), array(3 - v[0], 3 - v[1])),
        Equal(3 / Value(v), array(3 / v[0], 3 / v[1])),
        Equal(Value(v)[-1], v[1]),
        Equal(Value(v)[-2], v[0]),
    )
    claims = [Claim(f"So {n}.", that) for n, that in enumerate(right)]
    assert {c.verdict for c in check(Problem(title="Right", claims=claims)).claims} <= {"proved", "agrees"}


def test_a_parameter_that_code_does_not_take_leaves_the_others_their_place() -> None:
    a, b, c = (Parameter(name) for name in "abc")

    def product(a: Any, c: Any) -> Any:
        return a * c

    claim = Claim("So.", Equal(Gradient(product, (a, b, c)), array(c[()], 0, a[()])))
    assert check(Problem(title="Three", claims=(claim,))).claims[0].verdict == "agrees"


def test_where_tensors_saturate_autograd_knows_nothing() -> None:
    v = Parameter("v")
    claim = Claim("So.", Equal(Gradient(log(1 - tanh(v) ** 2)), -2 * tanh(v)), at=Point(v=40), by="autodiff")
    assert check(Problem(title="Far", claims=(claim,))).claims[0].verdict == "undecided"


def test_the_names_of_some_coordinates_are_theirs() -> None:
    v = Parameter("v", 3)
    assert labels(Gradient(v.sum())[1:], [v]) == ["v_1", "v_2"] and labels(Mean(Gradient(v.sum()))[-1], [v]) == ["v_2"]
    assert labels(1 - Gradient(v.sum()), [v]) == ["v_0", "v_1", "v_2"]
    assert labels(Covariance(Gradient(v.sum())[:2]), [v]) == ["v_0, v_0", "v_0, v_1", "v_1, v_0", "v_1, v_1"]


@pytest.mark.parametrize("verdict", ["agrees", "refuted"])
def test_what_runs_elsewhere_is_given_each_point_with_each_of_its_outcomes(verdict: str) -> None:
    """An outcome that cannot be is not asked for, and leaves the others their place."""
    p, die = Variable("p", 2, over=Normal()), Draw("die", Categorical(logits=np.zeros(3), allowed=(1, 0, 1)))
    allowed = Variable("allowed", 3, over=Masks())
    face = Draw("face", Categorical(logits=np.zeros(3), allowed=allowed))

    def there(p: Any, die: Any, face: Any) -> Any:
        raise AssertionError("it runs elsewhere")

    class Elsewhere:
        numpy = True

        @staticmethod
        def rows(given: Any) -> Any:
            return given["p"][:, 0] * given["face"] + given["p"][:, 1] * given["die"]

    there.elsewhere = Elsewhere()  # type: ignore[attr-defined]
    right = p[0] * E(face[()]) + p[1] * (E(die[()]) if verdict == "agrees" else E(face[()]))
    page = Problem(title="Elsewhere", claims=(Claim("So.", Equal(Mean(Value(there)), right)),), world=(p, die, face), points=4)
    assert check(page).claims[0].verdict == verdict


@pytest.mark.parametrize("wrong", [0, sp.Rational(1, 1000)])
def test_a_coin_made_of_logistic_noise_is_cut_at_a_variable(wrong: Any) -> None:
    """As docs/words.md says: the place of the jump is drawn, and the logit follows from it."""
    cut = Variable("cut", over=Uniform(-1, 1))
    z = Draw("z", Gaussian(0, 1), breaks=(cut,))

    def noise(x: Any) -> Any:
        return log(erfc(-x / sqrt(2))) - log(erfc(x / sqrt(2)))

    coin = Claim("coin", Equal(E(step(noise(z) - noise(cut))), sigmoid(-noise(cut)) + wrong))
    assert check(Problem("coin", claims=(coin,))).claims[0].verdict == ("refuted" if wrong else "agrees")


@pytest.mark.parametrize("wrong", [0, sp.Rational(1, 1000)])
def test_a_coin_made_of_logistic_noise_is_cut_where_the_noise_passes_its_logit(wrong: Any) -> None:
    """As docs/words.md says: a normal draw has the chance sigmoid(-logit) below the place that is named."""
    logit = Parameter("logit", over=Uniform(-3, 3))
    z = Draw("z", Gaussian(0, 1), breaks=(sqrt(2) * erfinv(2 * sigmoid(-logit) - 1),))
    noise = log(erfc(-z / sqrt(2))) - log(erfc(z / sqrt(2)))
    coin = Claim("coin", Equal(E(step(noise + logit)), sigmoid(logit) + wrong))
    assert check(Problem("coin", claims=(coin,))).claims[0].verdict == ("refuted" if wrong else "agrees")


@pytest.mark.parametrize("wrong", [0, sp.Rational(1, 1000)])
def test_a_normal_is_truncated_by_its_quantiles(wrong: Any) -> None:
    low, high = Parameter("low", over=Uniform(-1, 0)), Parameter("high", over=Uniform(0.5, 2))
    z = Draw("z", Gaussian(0, 1))
    below, bell = (lambda t: erfc(-t / sqrt(2)) / 2), (lambda t: exp(-(t**2) / 2) / sqrt(2 * sp.pi))
    between = sqrt(2) * erfinv(2 * (below(low) + (below(high) - below(low)) * below(z)) - 1)
    mean = (bell(low) - bell(high)) / (below(high) - below(low)) + wrong * low
    claims = (Claim("mean", Equal(E(between), mean)), Claim("slope", Equal(Mean(Gradient(between, low)), Gradient(mean, low))))
    found = [line.verdict for line in check(Problem("truncated", claims=claims)).claims]
    assert found == ["refuted" if wrong else "agrees"] * 2


@pytest.mark.parametrize("wrong", [0, sp.Rational(1, 1000)])
def test_a_quantile_and_the_mean_beyond_it_are_proved(wrong: Any) -> None:
    mu, sigma = Parameter("mu"), Parameter("sigma", over=Uniform(0.5, 2))
    p = Parameter("p", over=Uniform(0.05, 0.5))
    z = Draw("z", Gaussian(mu, sigma))
    quantile = mu + sigma * sqrt(2) * erfinv(2 * p - 1)
    bell = exp(-(erfinv(2 * p - 1) ** 2)) / sqrt(2 * sp.pi)
    claims = (
        Claim("chance", Equal(E(step(quantile - z)), p + wrong)),
        Claim("mean of the worst", Equal(E(z * step(quantile - z)) / p, mu - sigma * bell / p + wrong)),
        Claim("slope", Equal(Gradient(quantile, p), sigma * (1 + wrong) / bell)),
    )
    found = [line.verdict for line in check(Problem("quantile", claims=claims)).claims]
    assert found == ["refuted" if wrong else "proved"] * 3


@pytest.mark.parametrize("factor", [1, 2])
def test_torch_has_the_inverse_of_erf_too(factor: int) -> None:
    p = Parameter("p", over=Uniform(0.01, 0.99))

    def quantile(p: Any) -> Any:
        return factor * torch.special.erfinv(2 * p - 1)

    claim = Claim("So.", Equal(Gradient(quantile), Gradient(erfinv(2 * p - 1))))
    assert check(Problem("torch", claims=(claim,))).claims[0].verdict == ("agrees" if factor == 1 else "refuted")


# ---- code, called by itself -------------------------------------------------------------------------------------------------


def ran(code: Any, gradient: bool = False, possible: Any = None, x: Any = (1.0, 2.0), **drawn: Any) -> backend.Batch:
    """At two points."""
    columns = {name: np.array(rows) for name, rows in drawn.items()}
    return backend.run(code, {"x": np.array(x)}, {}, columns, "float64", gradient, code, possible)


def test_what_torch_is_set_to_is_left_as_it_was() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.no_grad():
            with backend.precision("float64"):
                assert torch.is_grad_enabled() and torch.get_num_threads() == 1
            assert not torch.is_grad_enabled() and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "code",
    [
        lambda x: x + torch.rand(()),  # another value, the same gradient
        lambda x: x.detach() + torch.rand(()) * (x - x.detach()),  # the same value, another gradient
    ],
)
def test_code_that_draws_is_told_by_its_values_and_by_its_gradients(code: Any) -> None:
    with pytest.raises(CodeError, match="draws random numbers of its own"):
        ran(code, gradient=True)


@pytest.mark.parametrize("each", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("gradient", [False, True])
def test_many_outcomes_are_called_in_parts_that_change_no_bit(monkeypatch: pytest.MonkeyPatch, each: int, gradient: bool) -> None:
    """The last of them alone has a slope by x, and the first cannot happen."""
    z = np.arange(10.0).reshape(2, 5)
    can = np.ones((2, 5), bool)
    can[:, 0] = False
    called: list[int] = []

    def code(x: Any, z: Any) -> Any:
        return torch.where(z % 5 < 4, z, x * z)

    def choosy(x: Any, z: Any) -> Any:
        return code(x, z) if z.item() % 5 else 1 / 0

    def counted(x: Any, z: Any) -> Any:
        called.append(1)
        return code(x, z)

    whole = [ran(f, gradient, possible, z=z) for f, possible in ((counted, None), (choosy, can))]
    assert len(called) == 1
    monkeypatch.setattr(backend, "AT_ONCE", each)
    parts = [ran(f, gradient, possible, z=z) for f, possible in ((counted, None), (choosy, can))]
    assert len(called) - 1 == {1: 5, 2: 5, 3: 5, 5: 3, 100: 1}[each]
    for a, b in zip(whole, parts, strict=True):
        assert np.array_equal(a.values, b.values) and a.reached == b.reached
        assert (a.gradients is None) is not gradient
        assert np.array_equal(a.gradients, b.gradients) if gradient else b.gradients is None


@pytest.mark.parametrize("each", [2, 4, 100])
def test_in_parts_too_what_cannot_happen_is_not_asked_elsewhere(monkeypatch: pytest.MonkeyPatch, each: int) -> None:
    asked: list[float] = []

    def ask(op: str, given: Any, dtype: str, cotangents: Any) -> rows.Rows:
        asked.extend(given["z"].tolist())
        return rows.Rows(given["x"] * given["z"], "f", (), ())

    monkeypatch.setattr(backend, "AT_ONCE", each)
    can = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 1]], bool)
    z = np.arange(10.0).reshape(2, 5)
    found = ran(lambda x, z: remote.called(ask, {"x": x, "z": z}), False, can, z=z)
    most = can if each > 2 else can | ~can.any(axis=0)  # a part where nothing can happen is asked whole, for its shape
    assert sorted(asked) == z[most].tolist()
    assert np.array_equal(found.values[can, 0], (z * [[1], [2]])[can])


def test_code_may_draw_what_it_does_not_use() -> None:
    def code(x: Any) -> Any:
        torch.rand(3)
        return x * torch.tensor([1.0, torch.nan])[(x > 1).long()]

    assert np.array_equal(ran(code).values.ravel(), [1, np.nan], equal_nan=True)


def test_an_interrupt_is_no_error_of_the_code() -> None:
    def code(x: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ran(code)


def test_code_that_differentiates_inside_has_a_gradient_after_its_value() -> None:
    def code(x: Any) -> Any:
        (slope,) = torch.autograd.grad(x**3, x, create_graph=True)
        return slope

    assert ran(code).values.ravel().tolist() == [3, 12]
    found = ran(code, gradient=True).gradients
    assert found is not None and found.ravel().tolist() == [6, 12]


async def later(x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (lambda x: x.reshape(1)[:0], r"returned shape \(0,\); a gradient needs one number"),
        (lambda x: (x, x), "returned tuple; a tensor was expected: end with `return loss`, and nothing beside it"),
        (lambda x: 2, "returned int; a tensor was expected: keep it a tensor"),
        (later, "returned coroutine; a tensor was expected: write def, without async"),
    ],
)
def test_what_has_no_gradient_is_told(code: Any, says: str) -> None:
    with pytest.raises(CodeError, match=says):
        ran(code, gradient=True)


@pytest.mark.parametrize(("code", "value"), [(lambda x: 2, 2), (lambda x: True, 1), (lambda x: 0.5, 0.5)])
def test_a_plain_number_is_a_value(code: Any, value: float) -> None:
    assert ran(code).values.ravel().tolist() == [value, value]


def test_a_tensor_and_a_number_are_no_values() -> None:
    with pytest.raises(CodeError, match="returned tuple; a tensor was expected"):
        ran(lambda x: (x, 2))


def test_a_gradient_may_be_of_one_number_in_a_row_of_none_and_of_some_outcomes() -> None:
    for code, slopes, reached in (
        (lambda x, k: x[None] * 3, [3] * 4, True),
        (lambda x, k: torch.ones(()), [0] * 4, False),
        (lambda x, k: x * 5 if int(k) else torch.ones(()), [0, 5, 0, 5], True),
        (lambda x, k: x * 5 if float(x) > 1 else torch.ones(()), [0, 0, 5, 5], True),
    ):
        found = ran(code, gradient=True, k=[[0, 1], [0, 1]])
        assert found.gradients is not None and found.gradients.ravel().tolist() == slopes
        assert found.reached == {"x": reached}

    def alone(k: Any) -> Any:
        return k * 1.0

    found = backend.run(alone, {}, {}, {"k": np.array([[0, 1]])}, "float64", True, alone)
    assert found.gradients is not None and found.gradients.shape == (1, 2, 0)


def test_a_draw_that_some_points_share_is_each_point_s_own() -> None:
    """The other one, which all share, may be branched on."""
    found = ran(lambda x, k, j: x * (3 if int(k) else 2) + j, k=[[0, 1], [0, 1]], j=[[0, 0], [0, 7]])
    assert found.values[..., 0].tolist() == [[2, 3], [4, 13]]


def test_code_called_for_one_outcome_at_a_time_is_not_called_for_what_cannot_happen() -> None:
    def code(x: Any, k: Any) -> Any:
        if int(k):
            raise ValueError("nobody draws it")
        return x.reshape(1)

    found = ran(code, possible=[[True, False]] * 2, k=[[0, 1], [0, 1]])
    assert found.values.ravel().tolist() == [1, 0, 2, 0]


def test_as_many_calls_are_made_as_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "CALLS", 2)
    code, k = (lambda x, k: x + k if float(x) > 0 else x), [[0, 1], [0, 1]]
    assert ran(code, possible=[[True, False]] * 2, k=k).values[:, 0, 0].tolist() == [1, 2]
    with pytest.raises(Unsuitable, match="which 4 calls would be"):
        ran(code, k=k)

    def broken(x: Any, k: Any) -> Any:
        raise ValueError(float(x))

    with pytest.raises(CodeError, match="raised ValueError"):
        ran(broken, k=k)

    def noisy(x: Any, k: Any) -> Any:
        return x + torch.rand(())

    with pytest.raises(CodeError, match="draws random numbers of its own"):
        ran(noisy, k=k)

    def unused(x: Any, k: Any) -> Any:
        return torch.stack((x, 0 * torch.rand(()), torch.tensor(torch.nan)))

    with pytest.raises(Unsuitable, match="which 4 calls would be"):
        ran(unused, k=k)


def test_values_have_one_shape() -> None:
    with pytest.raises(CodeError, match="different shapes at different points"):
        ran(lambda x: torch.ones(int(x)))


# ---- networks in the place of functions ---------------------------------------------------------------------------------------


class Shifted(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = torch.nn.Parameter(torch.zeros(1, 2)), torch.nn.Parameter(torch.zeros(1))
        self.fixed = torch.nn.Parameter(torch.ones(1), requires_grad=False)
        self.register_buffer("shift", torch.tensor(0.1))

    def forward(self, x: Any) -> Any:
        return torch.nn.functional.linear(x, self.weight, self.bias) * self.fixed + self.shift


def shifted(v: Any, b: Any, x: Any) -> Any: ...


def test_a_network_takes_a_row_with_its_axes_or_without_and_of_any_length() -> None:
    own = backend.module(Shifted, shifted, v="weight", b="bias")
    with backend.precision("float64"):
        for v, b, x in (
            ([3, 4], 0.5, [1.0, 2.0]),
            ([[3, 4]], [0.5], [1.0, 2.0]),
            ([3, 3, 1], 0.5, [1.0, 2.0, 2.0]),
        ):
            assert own(torch.tensor(v) * 1.0, torch.tensor(b), torch.tensor(x)).tolist() == [11.5 + 0.1]


def test_a_network_does_not_take_one_row_for_several() -> None:
    def policy(v: Any, x: Any) -> Any: ...

    own = backend.module(lambda: torch.nn.Linear(2, 3, bias=False), policy, v="weight")
    with backend.precision("float64"), pytest.raises(InputError, match="should have that of `v`"):
        own(torch.ones(2), torch.ones(2))


def test_a_network_that_ran_in_float32_has_its_digits_in_float64() -> None:
    own = backend.module(Shifted, shifted, v="weight", b="bias")
    found = []
    for dtype in ("float64", "float32", "float64"):
        with backend.precision(dtype) as kind:
            found.append(own(torch.zeros(2), torch.zeros(()), torch.zeros(2)))
            assert found[-1].dtype is kind
    assert found[0].item() == found[2].item() == 0.1 != found[1].item()


@pytest.mark.parametrize("at_once", [True, False])
def test_code_that_writes_into_given_data_is_given_its_own_for_each_outcome(at_once: bool) -> None:
    def code(x: Any, data: Any, k: Any) -> Any:
        data += 1
        return x * data + k if at_once or float(x) > 0 else x

    data, k = np.array([1.0, 2.0]), np.array([[0, 0], [0, 0]])
    found = backend.run(code, {"x": np.array([1.0, 1.0])}, {"data": data}, {"k": k}, "float64", False, code)
    assert found.values[..., 0].tolist() == [[2, 2], [3, 3]]
