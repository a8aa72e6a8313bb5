"""Two functions without a problem, and one loss against its own value."""

from __future__ import annotations

import copy
import itertools
import json
import math
import random
import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from gradcheck_rl import (
    Categorical,
    Claim,
    Draw,
    E,
    Equal,
    GradcheckError,
    InputError,
    Integers,
    LogRational,
    Masks,
    Normal,
    OneOf,
    Parameter,
    Problem,
    Simplex,
    Uniform,
    Value,
    Variable,
    check,
    differences,
    log_softmax,
    same_gradient,
)
from gradcheck_rl import judge as judging
from gradcheck_rl.backends.loss import Lines
from gradcheck_rl.backends.modes import Held, Shaken
from gradcheck_rl.report import Line, Report

SEEDS = st.integers(0, 2**32 - 1)
x = sp.Symbol("x")


def both(*sides: Any, **options: Any) -> tuple[str, str]:
    """What becomes of the values, and of the gradients."""
    value, gradient = same_gradient(*sides, values=True, **options).claims
    return value.verdict, gradient.verdict


def alone(*sides: Any, **options: Any) -> Line:
    (line,) = same_gradient(*sides, **options).claims
    return line


# ---- two functions --------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=5), st.data())
def test_a_polynomial_is_itself_and_no_other(powers: list[int], data: st.DataObject) -> None:
    def horner(x: Any) -> Any:
        total = torch.zeros_like(x)
        for c in reversed(powers):
            total = total * x + c
        return total

    model = sum(c * x**n for n, c in enumerate(powers))
    assert both(horner, model, x=Normal()) == ("agrees", "agrees")
    power = data.draw(st.integers(1, len(powers)))
    wrong = model + sp.Rational(1, 1000) * x**power
    assert both(horner, wrong, x=Normal()) == ("refuted", "refuted")
    report = same_gradient(horner, wrong, x=Normal())
    assert report.exit_code == 1
    assert "x" in (report.claims[0].witness or {})


def test_two_formulas_are_proved() -> None:
    assert both(sp.sin(x) ** 2, 1 - sp.cos(x) ** 2, x=Normal()) == ("proved", "proved")


def test_a_constant_does_not_change_the_gradient() -> None:
    assert both(x**2, x**2 + 1, x=Normal()) == ("refuted", "proved")
    line = alone(x**2, x**2 + 1, x=Normal())
    assert line.verdict == "proved" and line.remark.startswith("the values differ, by 1 at most")
    assert alone(x**2, x**2, x=Normal()).remark == ""


def test_values_that_are_no_numbers_do_not_differ_by_some() -> None:
    def nowhere(theta: Any) -> Any:
        return theta.square().sum() + math.nan

    line = alone(nowhere, lambda theta: theta.square().sum(), theta=(Normal(), 2))
    assert (line.verdict, line.remark) == ("agrees", "the values are not all finite (values=True judges them)")


def test_a_surrogate_has_the_gradient_and_another_value() -> None:
    def loss(theta: Any, reward: Any) -> Any:
        return theta.softmax(-1) @ reward

    def surrogate(theta: Any, reward: Any) -> Any:
        return theta.log_softmax(-1) @ (theta.softmax(-1).detach() * reward)

    def without_weights(theta: Any, reward: Any) -> Any:
        return theta.log_softmax(-1) @ reward

    spaces = {"theta": (Normal(), 3), "reward": (Uniform(-1, 1), 3)}
    report = same_gradient(surrogate, loss, wrt="theta", **spaces)
    report.require()
    assert report.exit_code == 0 and "as those of a loss and its surrogate may" in report.claims[0].remark
    assert both(surrogate, loss, wrt="theta", **spaces) == ("refuted", "agrees")
    assert alone(without_weights, loss, wrt="theta", **spaces).verdict == "refuted"


def test_a_detached_copy_has_the_value_and_not_the_gradient() -> None:
    def whole(theta: Any, x: Any) -> Any:
        return (theta * x).tanh().sum() ** 2

    def half(theta: Any, x: Any) -> Any:
        y = (theta * x).tanh().sum()
        return y * y.detach()

    assert both(half, whole, theta=(Normal(), 3), x=(Uniform(1, 2), 3)) == ("agrees", "refuted")
    assert both(whole, whole, theta=(Normal(), 3), x=(Uniform(1, 2), 3)) == ("agrees", "agrees")


def test_functions_of_the_same_name_are_told_apart() -> None:
    def made(sign: int) -> Callable[[Any], Any]:
        def loss(theta: Any) -> Any:
            return sign * theta.log_softmax(-1)[0]

        return loss

    assert both(made(1), made(1), theta=(LogRational(), 4)) == ("agrees", "agrees")
    assert both(made(1), made(-1), theta=(LogRational(), 4)) == ("refuted", "refuted")


def test_a_witness_is_in_numbers_that_read_well() -> None:
    """Also where it cannot be made simpler: the second function is wrong only above 5/4, and at numbers with three decimals."""

    def apart_above(theta: Any) -> Any:
        return theta.sum() * torch.where(theta[0] > 1.25, 2, 1)

    def apart_at_decimals(theta: Any) -> Any:
        return theta.sum() * torch.where((100 * theta[0] - (100 * theta[0]).round()).abs() > 1e-6, 2, 1)

    wrong = same_gradient(lambda theta: theta.sum(), apart_above, theta=(LogRational(), 2))
    assert all((line.witness or {})["theta"][0] in ("log(4)", "log(5)", "log(6)") for line in wrong.claims)
    wrong = same_gradient(lambda theta: theta.sum(), apart_at_decimals, theta=(Normal(), 2))
    assert all(len((line.witness or {})["theta"][0]) <= 6 for line in wrong.claims)


def test_a_witness_of_many_numbers_is_simple_and_costs_a_few_values(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def counted(*args: Any) -> Any:
        for n, points in enumerate(simpler(*args), start=1):
            tried.append(n)
            yield points

    simpler = judging.simpler
    monkeypatch.setattr(judging, "simpler", counted)
    wrong = same_gradient(lambda W: (W @ W).sum(), lambda W: 1.1 * (W @ W).sum(), W=(Normal(), (80, 80)))
    for line in wrong.claims:
        assert line.verdict == "refuted"
        assert set(itertools.chain(*(line.witness or {})["W"])) == {"0", "1"}
    assert len(tried) * 80 * 80 <= 2 * len(wrong.claims) * judging.CELLS  # some in a group, and then alone


def test_variables_need_no_keyword() -> None:
    theta = Parameter("theta", 3, over=LogRational())

    def first(theta: Any) -> Any:
        return theta.log_softmax(-1)[0]

    assert both(first, log_softmax(theta)[0]) == ("agrees", "agrees")
    assert both(first, log_softmax(theta)[1]) == ("refuted", "refuted")


def test_an_expectation_is_a_formula() -> None:
    theta = Parameter("theta", 3, over=LogRational())
    action = Draw("action", Categorical(logits=theta))

    def expected(theta: Any) -> Any:
        return theta.softmax(-1) @ torch.tensor([1.0, 4.0, 9.0])

    assert both(expected, E((action[()] + 1) ** 2)) == ("agrees", "agrees")


def test_the_entries_of_an_array_go_by_their_names() -> None:
    a, b = sp.symbols("theta_0 theta_1")

    def product(theta: Any) -> Any:
        return theta[0] * theta[1]

    assert both(product, a * b, theta=(Normal(), 2)) == ("agrees", "agrees")
    assert both(product, a * a, theta=(Normal(), 2)) == ("refuted", "refuted")


def test_wrt_says_by_what() -> None:
    def f(a: Any, b: Any) -> Any:
        return a.tanh() * b.detach()

    model = sp.tanh(sp.Symbol("a")) * sp.Symbol("b")
    assert both(f, model, a=Normal(), b=Normal()) == ("agrees", "refuted")
    assert both(f, model, wrt="a", a=Normal(), b=Normal()) == ("agrees", "agrees")
    assert both(f, model, wrt=("b",), a=Normal(), b=Normal()) == ("agrees", "refuted")


def test_masks_and_counts_are_data() -> None:
    """Nobody differentiates by them, so that both functions may round them off."""

    def f(theta: Any, allowed: Any, n: Any) -> Any:
        return (theta * allowed).sum() * n

    def g(theta: Any, allowed: Any, n: Any) -> Any:
        return (theta * allowed.detach()).sum() * n.detach()

    assert both(f, g, theta=(Normal(), 2), allowed=(Masks(), 2), n=Integers(1, 3)) == ("agrees", "agrees")


def test_the_resolution_is_what_must_be_seen() -> None:
    def rounded(x: Any) -> Any:
        return torch.sin(x) * (1 + 1e-9)

    assert both(rounded, sp.sin(x), x=Uniform(1, 2)) == ("agrees", "agrees")
    assert "accurate only to" in alone(rounded, sp.sin(x), x=Uniform(1, 2)).remark
    assert both(rounded, sp.sin(x), resolution=1e-11, x=Uniform(1, 2)) == ("refuted", "refuted")


@given(st.integers(0, 12), st.sampled_from((-1, 0, 2)), st.booleans())
def test_a_small_function_is_itself_and_no_other(digits: int, factor: int, formula: bool) -> None:
    """Its size says what must be seen: opposite signs are not alike because both are small."""
    small = sp.Rational(1, 10**digits)

    def right(x: Any) -> Any:
        return x.sin() * x * float(small)

    def another(x: Any) -> Any:
        return factor * right(x)

    model = small * x * sp.sin(x)
    assert both(right, model if formula else lambda x: float(small) * (x * x.sin()), x=Normal()) == ("agrees", "agrees")
    assert both(another, model if formula else right, x=Normal()) == ("refuted", "refuted")


def test_what_rounding_leaves_of_zero_is_zero() -> None:
    """In float64, and in code that casts to float32 inside, which no radius knows."""

    def sums_to_one(x: Any) -> Any:
        return x.softmax(-1).sum()

    def in_float32(x: Any) -> Any:
        return x.float().softmax(-1).sum().double()

    for code in (sums_to_one, in_float32):
        line = alone(code, lambda x: 1 + 0 * x.sum(), x=(Normal(), 3))
        assert line.verdict == "agrees" and "where rounding hides even a wrong sign" in line.remark


def test_code_in_float32_agrees_although_it_is_small() -> None:
    def single(x: Any) -> Any:
        return 1e-2 * (1 - x.float().tanh() ** 2).sum().double()

    def double(x: Any) -> Any:
        return 1e-2 * (1 - x.tanh() ** 2).sum()

    assert both(single, double, x=(Normal(), 3)) == ("agrees", "agrees")
    assert alone(single, lambda x: -double(x), x=(Normal(), 3)).verdict == "refuted"


def test_where_neither_function_has_a_gradient_it_is_said() -> None:
    for loss in (lambda x: (x.detach() ** 2).sum(), lambda x: (x * 0).sum()):
        line = alone(loss, loss, x=(Normal(), 3))
        assert (line.verdict, line.remark) == ("agrees", "both sides are 0 at all points drawn")


def test_opposite_signs_that_rounding_hides_are_undecided() -> None:
    def right(x: Any) -> Any:
        return 1e-16 * x.sin()

    assert alone(right, lambda x: 1 * right(x), x=Normal()).verdict == "agrees"
    line = alone(right, lambda x: -right(x), x=Normal())
    assert line.verdict == "undecided" and not line.ok
    assert line.reason == (
        "both sides are at most 1e-16, where rounding hides even a wrong sign: multiply both functions by 1e+16"
    )
    assert alone(lambda x: right(x) * 1e16, lambda x: -right(x) * 1e16, x=Normal()).verdict == "refuted"


def test_the_replay_line_names_the_call() -> None:
    replay = same_gradient(sp.sin(x), sp.cos(x), seed=5, points=3, x=Normal()).replay
    assert replay == "same_gradient(sin(x), cos(x), ..., seed=5, points=3)"


def vector(x: Any) -> Any:
    return x * torch.ones(2)


def unknown(w: Any) -> Any:
    return w


def a_law_of_ours(x: Any) -> Any:
    return Normal(x, 1.0).log_prob(x)  # pyright: ignore


V = Parameter("V")


def square(V: Any) -> Any:
    return V**2


SAME_MISUSED: tuple[tuple[Callable[[], Report], str], ...] = (
    (
        lambda: same_gradient(sp.sin(x), 1, y=Normal()),
        "the first of the two has the symbol `x`, which has no space: write x=Normal().",
    ),
    (
        lambda: same_gradient(x, "x", x=Normal()),
        "the second of the two is str; a torch function or a SymPy formula was expected.",
    ),
    (lambda: same_gradient(x, x, x=3), "x=3 is no space: write x=Normal(), or with a shape x=(Normal(), 3)."),
    (lambda: same_gradient(x, x, x=Normal), "is no space: write x=Normal()"),
    (lambda: same_gradient(x, x, x=torch.distributions.Normal(0.0, 1.0)), "is no space: write x=gradcheck_rl.Normal(), or"),
    (lambda: same_gradient(a_law_of_ours, x, x=Normal()), "`Normal` is gradcheck_rl's there: in torch write torch."),
    (lambda: differences(lambda: Categorical(logits=theta).log_prob(1), theta), "in torch write torch.distributions.Categorical"),
    (lambda: same_gradient(x, x, wrt="X", x=Normal()), "wrt names `X`; the spaces given are of x."),
    (lambda: same_gradient(x, x, x=Integers(1, 3)), "there is nothing to differentiate by"),
    (lambda: same_gradient(square, V**2, V=Normal()), "`V` of the second is a Variable, which has its space: leave out V=."),
    (lambda: same_gradient(V**2, square, V=Normal()), "`V` of the first is a Variable, which has its space: leave out V=."),
    (lambda: same_gradient(unknown, x, x=Normal()), "`unknown` asks for `w`; this problem has x."),
    (lambda: same_gradient(vector, x, x=Normal()), "`vector` returned shape (2,); a gradient needs one number"),
)


@pytest.mark.parametrize(("call", "says"), SAME_MISUSED)
def test_misuse_is_told_in_one_sentence(call: Callable[[], Report], says: str) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert says in str(error.value)
    assert "\n" not in str(error.value)


# ---- one loss: the losses -------------------------------------------------------------------------------------------------

Tensors = dict[str, torch.Tensor]
Loss = Callable[[], Any]


def drawn(seed: int) -> Callable[..., torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


def leaves(**tensors: torch.Tensor) -> Tensors:
    return {k: v.clone().requires_grad_() for k, v in tensors.items()}


def log_prob(seed: int, size: int, through: Any) -> tuple[Loss, Tensors]:
    """-log softmax of 64 actions; `through` is applied to the first block of parameters, as in all losses below."""
    p = leaves(theta=drawn(seed)(size))
    actions = torch.randint(0, size, (64,), generator=torch.Generator().manual_seed(seed))
    return lambda: -through(p["theta"]).log_softmax(-1)[actions].mean(), p


def network(seed: int, sizes: tuple[int, ...], through: Any) -> tuple[Callable[[Any], Any], Tensors]:
    draw = drawn(seed)
    layers = range(len(sizes) - 1)
    p = leaves(
        **{f"W{n}": draw(sizes[n + 1], sizes[n]) / sizes[n] ** 0.5 for n in layers},
        **{f"b{n}": draw(sizes[n + 1]) for n in layers},
    )

    def run(y: Any) -> Any:
        for n in layers:
            y = F.linear(y if n == 0 else y.tanh(), through(p["W0"]) if n == 0 else p[f"W{n}"], p[f"b{n}"])
        return y

    return run, p


def ppo(seed: int, size: int, through: Any) -> tuple[Loss, Tensors]:
    net, p = network(seed, (3, size, 4), through)
    draw = drawn(seed + 1)
    state, advantage = draw(32, 3), draw(32)
    action = draw(32, 4).argmax(-1, keepdim=True)
    with torch.no_grad():
        old = net(state).log_softmax(-1).gather(1, action)[:, 0] + draw(32) / 4

    def loss() -> Any:
        ratio = (net(state).log_softmax(-1).gather(1, action)[:, 0] - old).exp()
        return -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()

    return loss, p


def sac(seed: int, size: int, through: Any) -> tuple[Loss, Tensors]:
    net, p = network(seed, (3, size, 4), through)
    draw = drawn(seed + 1)
    state, noise = draw(32, 3), draw(32, 2)

    def loss() -> Any:
        mean, log_std = net(state).chunk(2, -1)
        u = mean + log_std.clamp(-5, 2).exp() * noise
        correction = 2 * (math.log(2) - u - F.softplus(-2 * u))
        entropy = (-(noise**2) / 2 - log_std.clamp(-5, 2) - correction).sum(-1)
        return (0.2 * entropy + (u.tanh() - 0.3).pow(2).sum(-1)).mean()

    return loss, p


def gaussian(seed: int, size: int, through: Any) -> tuple[Loss, Tensors]:
    draw = drawn(seed)
    p = leaves(mean=draw(size), log_std=draw(size) / 2)
    data = draw(16, size)

    def loss() -> Any:
        return -torch.distributions.Normal(through(p["mean"]), p["log_std"].exp()).log_prob(data).sum(-1).mean()

    return loss, p


LOSSES = {"softmax": log_prob, "ppo": ppo, "sac": sac, "gaussian": gaussian}
losses = pytest.mark.parametrize("make", LOSSES.values(), ids=LOSSES.keys())


def untouched(x: Any) -> Any:
    return x


def slope(loss: Loss, parameters: Any, **options: Any) -> Any:
    (line,) = differences(loss, parameters, **options).claims
    return line


@losses
@given(seed=SEEDS, size=st.integers(2, 24))
def test_a_right_gradient_agrees(make: Any, seed: int, size: int) -> None:
    line = slope(*make(seed, size, untouched), seed=seed)
    assert (line.verdict, line.removed, line.remark) == ("agrees", 0, ""), line.reason


def test_a_gradient_may_be_sparse() -> None:
    """That of an embedding, whose rows are mostly not looked up."""
    net = nn.Embedding(9, 3, sparse=True).double()
    rows = torch.tensor([1, 4, 4])
    assert slope(lambda: net(rows).sin().sum(), net).verdict == "agrees"
    assert slope(lambda: Bent.apply(net(rows), lambda g: 1.01 * g).sin().sum(), net).verdict == "refuted"


@given(seed=SEEDS, layout=st.sampled_from(["turned", "every other", "a part"]))
def test_entries_may_lie_in_memory_as_they_like(seed: int, layout: str) -> None:
    whole = drawn(seed)(4, 6)
    p = {"turned": whole.t(), "every other": whole[:, ::2], "a part": whole[1:, 2:]}[layout].requires_grad_()
    before = whole.detach().clone()
    assert slope(lambda: p.sin().sum(), p, seed=seed).verdict == "agrees"
    assert slope(lambda: Bent.apply(p, lambda g: 1.01 * g).sin().sum(), p, seed=seed).verdict == "refuted"
    assert torch.equal(whole, before)


class Bent(torch.autograd.Function):
    """The identity, with a gradient that a mistake has been through."""

    @staticmethod
    def forward(ctx: Any, x: Any, mistake: Any) -> Any:
        ctx.mistake = mistake
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        return ctx.mistake(gradient.clone()), None


def bent(mistake: Any) -> Any:
    return lambda x: Bent.apply(x, mistake)


def largest_off(factor: float) -> Any:
    """The entry that was largest at first: which one that is may not change with the rounding."""
    at: list[int] = []

    def mistake(g: torch.Tensor) -> torch.Tensor:
        at[:] = at or [int(g.abs().argmax())]
        g.view(-1)[at[0]] *= factor
        return g

    return mistake


def orthogonal(g: torch.Tensor) -> torch.Tensor:
    """A fixed non-negative direction with equal entries cannot see it."""
    g.view(-1)[0] += 5.0
    g.view(-1)[1] -= 5.0
    return g


MISTAKES = {
    "sign": lambda g: -g,
    "factor": lambda g: 2 * g,
    "mean for sum": lambda g: g / g.numel(),
    "orthogonal to ones": orthogonal,
    "zero": lambda g: 0 * g,
}


@losses
@pytest.mark.parametrize("mistake", [*MISTAKES.values(), None], ids=[*MISTAKES.keys(), "one entry by 1 %"])
@given(seed=SEEDS, size=st.integers(2, 12))
def test_a_wrong_gradient_is_refuted_and_placed(make: Any, mistake: Any, seed: int, size: int) -> None:
    loss, p = make(seed, size, bent(mistake or largest_off(1.01)))
    line = slope(loss, p, seed=seed)
    assert line.verdict == "refuted"
    first = next(iter(p))
    assert f"`{first}`" in line.reason
    assert line.labels == list(p)
    wrong = [abs(a - b) > r for a, b, r in zip(line.value, line.expected, line.radius, strict=True)]
    assert wrong[0] and not any(wrong[1:])


@pytest.mark.parametrize("factor", [1.01, 0.99, 1.001])
@pytest.mark.parametrize("directions", [1, 8])
def test_one_entry_among_a_thousand(factor: float, directions: int) -> None:
    loss, p = log_prob(0, 1000, bent(largest_off(factor)))
    assert slope(loss, p, directions=directions).verdict == "refuted"
    assert slope(*log_prob(0, 1000, untouched), directions=directions).verdict == "agrees"


# ---- kinks, lost digits ---------------------------------------------------------------------------------------------------

KINKS: dict[str, Callable[[torch.Tensor], Any]] = {
    "abs": lambda t: t.abs().sum(),
    "relu": lambda t: t.relu().sum(),
    "clip": lambda t: (t + 1).clamp(0, 1).sum(),
    "max": lambda t: torch.max(t, -2 * t).sum(),
    "smooth besides": lambda t: (t - 1).pow(2).sum() + t.abs().sum(),
}


@pytest.mark.parametrize("loss", KINKS.values(), ids=KINKS.keys())
@given(seed=SEEDS, size=st.integers(1, 5))
def test_at_a_kink_nothing_is_called_wrong(loss: Any, seed: int, size: int) -> None:
    theta = torch.zeros(size, dtype=torch.float64, requires_grad=True)
    line = slope(lambda: loss(theta), theta, seed=seed)
    assert line.verdict == "undecided"
    assert "a kink near this point" in line.reason


@pytest.mark.parametrize("loss", KINKS.values(), ids=KINKS.keys())
@given(seed=SEEDS, distance=st.sampled_from([1e-1, 1e-3, 1e-4, 1e-5]))
def test_beside_a_kink_the_right_gradient_is_not_refuted(loss: Any, seed: int, distance: float) -> None:
    theta = torch.full((3,), distance, dtype=torch.float64, requires_grad=True)
    assert slope(lambda: loss(theta), theta, seed=seed).verdict in ("agrees", "undecided")


@given(seed=SEEDS, width=st.floats(-11, -5).map(lambda n: 10**n), height=st.floats(0.1, 100))
def test_what_is_steeper_than_any_step_is_not_called_wrong(seed: int, width: float, height: float) -> None:
    """Its slope grows at every finer step, or is not seen at all, as that of a jump."""
    here = drawn(seed)(3)
    theta = (100 * here).requires_grad_()
    line = slope(lambda: height * ((theta - 100 * here).sum() / width).tanh() + theta.sin().sum(), theta, seed=seed)
    assert line.verdict in ("agrees", "undecided")


@settings(max_examples=10)
@given(seed=SEEDS, digits=st.floats(-7, -4))
@example(seed=245, digits=-7.0)
def test_beside_a_kink_a_mistake_is_measured_and_placed(seed: int, digits: float) -> None:
    """The mistake is a hundredth of the slope of the sines, along any direction, and no step may cross the kink unseen."""
    p = leaves(a=drawn(seed)(3), b=drawn(seed + 1)(3))
    edge = p["a"].detach().sum() + 10**digits

    def loss() -> Any:
        wrong = Bent.apply(p["a"], lambda g: 1.01 * g)
        return wrong.sin().sum() + p["b"].cos().sum() + (p["a"].sum() - edge).relu()

    line = slope(loss, p, seed=seed)
    assert line.verdict == "refuted" and "`a`" in line.reason
    (a, b), (slope_of_a, slope_of_b) = line.value, line.expected
    assert abs(slope_of_a - a / 1.01) <= line.radius[0] and abs(slope_of_b - b) <= line.radius[1]
    assert line.radius[0] < 1e-5 or digits < -6


@given(seed=SEEDS)
def test_away_from_a_kink_it_is_judged(seed: int) -> None:
    theta = torch.tensor([0.5, -0.5], dtype=torch.float64, requires_grad=True)
    assert slope(lambda: theta.abs().sum(), theta, seed=seed).verdict == "agrees"
    wrong = largest_off(1.01)
    assert slope(lambda: Bent.apply(theta, wrong).abs().sum(), theta, seed=seed).verdict == "refuted"


@given(seed=SEEDS, size=st.integers(8, 24))
def test_a_network_of_kinks_is_judged_between_them(seed: int, size: int) -> None:
    draw = drawn(seed)
    p = leaves(W=draw(size, 4), v=draw(size))
    state = draw(32, 4)

    def loss(through: Any) -> Any:
        return lambda: (F.linear(state, through(p["W"])).relu() @ p["v"]).tanh().mean()

    assert slope(loss(untouched), p, seed=seed).verdict == "agrees"
    assert slope(loss(bent(largest_off(1.01))), p, seed=seed).verdict == "refuted"


@given(seed=SEEDS, digits=st.floats(0, 4), phase=st.sampled_from([0.0, 1.0]), directions=st.integers(1, 3))
def test_a_value_that_bends_within_a_step_is_judged_at_smaller_ones(
    seed: int, digits: float, phase: float, directions: int
) -> None:
    """At phase 0 there is no second derivative that would announce the third."""
    theta = (drawn(seed)(5) * phase).requires_grad_()

    def loss(through: Any) -> Any:
        return lambda: (10**digits * through(theta) + phase).sin().sum()

    assert slope(loss(untouched), theta, seed=seed, directions=directions).verdict == "agrees"
    assert slope(loss(bent(lambda g: 1.0001 * g)), theta, seed=seed).verdict == "refuted"


@given(seed=SEEDS, largest=st.floats(14, 18))
def test_the_textbook_form_of_sac_is_ill_conditioned_not_wrong(seed: int, largest: float) -> None:
    u = torch.linspace(12, largest, 7, dtype=torch.float64).requires_grad_()
    line = slope(lambda: (1 - u.tanh() ** 2 + 1e-9).log().mean(), u, seed=seed)
    assert line.verdict == "undecided"
    assert "ill-conditioned here" in line.reason and "softplus" in line.reason

    def softplus_form(u: Any) -> Any:
        return (2 * (math.log(2) - u - F.softplus(-2 * u))).mean()

    assert slope(lambda: softplus_form(u), u, seed=seed).verdict == "agrees"
    wrong = largest_off(1.01)
    assert slope(lambda: softplus_form(Bent.apply(u, wrong)), u, seed=seed).verdict == "refuted"


CANCELLING: dict[str, Callable[[torch.Tensor], Any]] = {
    "variance": lambda w: ((w + 1e6) ** 2).mean() - (w + 1e6).mean() ** 2,
    "a large constant": lambda w: ((w + 1e9) - 1e9).pow(2).sum(),
    "float32 inside": lambda w: (w.float() ** 2).double().sum(),
}


@pytest.mark.parametrize("loss", CANCELLING.values(), ids=CANCELLING.keys())
@given(seed=SEEDS)
def test_lost_digits_are_not_called_wrong(loss: Any, seed: int) -> None:
    w = drawn(seed)(5).requires_grad_()
    line = slope(lambda: loss(w), w, seed=seed)
    assert line.verdict == "undecided"
    assert "ill-conditioned" in line.reason


def test_where_the_value_is_not_finite_nearby_nothing_is_said() -> None:
    theta = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    line = slope(lambda: torch.where(theta.abs().sum() > 0, math.nan, 1.0) + theta.sum(), theta)
    assert line.verdict == "undecided"
    assert "not finite a step" in line.reason


# ---- stop-gradients -------------------------------------------------------------------------------------------------------


FLAT: dict[str, Callable[[torch.Tensor], Any]] = {
    "difference": lambda y: (y - y.detach()).sum(),
    "ratio": lambda y: ((y - y.detach()).exp() - 1).sum(),
    "weighted": lambda y: 1e6 * ((y - y.detach()) * y.detach().cos()).mean(),
}


@pytest.mark.parametrize("flat", FLAT.values(), ids=FLAT.keys())
@given(seed=SEEDS, size=st.integers(1, 9))
def test_a_value_that_is_always_nothing_has_no_slope(flat: Any, seed: int, size: int) -> None:
    theta = drawn(seed)(size).requires_grad_()
    line = slope(lambda: flat(3 * theta), theta, seed=seed)
    assert line.verdict == "refuted" and "a detached copy" in line.reason


def test_a_detached_factor_is_named() -> None:
    p = leaves(actor=drawn(0)(3), critic=drawn(1)(3))
    line = slope(lambda: p["actor"].tanh().sum() * p["critic"].square().sum().detach(), p)
    assert line.verdict == "refuted"
    assert "`critic`: the value moves with it and its gradient is zero; detached?" in line.reason
    whole = slope(lambda: p["actor"].tanh().sum() * p["critic"].square().sum(), p)
    assert whole.verdict == "agrees"


def test_a_pseudo_loss_is_named() -> None:
    p = leaves(actor=drawn(0)(3), other=drawn(1)(3))
    line = slope(lambda: (p["actor"] - p["actor"].detach()).exp().sum() + p["other"].square().sum(), p)
    assert line.verdict == "refuted"
    assert "`actor`: it has a gradient and the value does not move with it; a detached copy" in line.reason


def test_a_block_without_a_path_is_told() -> None:
    p = leaves(actor=drawn(0)(3), other=drawn(1)(3))
    line = slope(lambda: p["actor"].tanh().sum(), p)
    assert line.verdict == "agrees"
    assert line.remark == "no gradient reaches other"


def test_a_detached_loss_is_refuted_where_it_moves() -> None:
    theta = drawn(0)(3).requires_grad_()
    assert slope(lambda: theta.tanh().sum().detach(), theta).verdict == "refuted"


# ---- the second opinion ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mistake", "verdict", "order"), [(untouched, "agrees", 2), (bent(lambda g: -g), "refuted", 1)])
def test_the_taylor_remainder_falls_with_the_square_only_for_a_right_gradient(mistake: Any, verdict: str, order: int) -> None:
    routes = {r.route: r for r in slope(*sac(0, 8, mistake)).routes}
    assert routes["differences"].verdict == routes["Taylor order"].verdict == verdict
    assert round(float(routes["Taylor order"].note.split(":")[0])) == order


# ---- values that are not finite -------------------------------------------------------------------------------------------


def test_a_loss_that_is_nan_is_refuted() -> None:
    theta = torch.tensor([-1.0], dtype=torch.float64, requires_grad=True)
    line = slope(lambda: theta.log().sum(), theta)
    assert (line.verdict, line.reason) == ("refuted", "the loss is nan here")


def test_a_gradient_that_is_nan_is_refuted_and_placed() -> None:
    """log(softmax) at a forbidden action: the value is finite where it is summed over the others, its gradient is not."""
    p = leaves(b=drawn(0)(2), theta=drawn(0)(3))

    def loss() -> Any:
        masked = p["theta"].masked_fill(torch.tensor([False, True, False]), -math.inf).softmax(-1).log()
        return torch.where(masked.isfinite(), masked, 0.0).sum() + p["b"].sum()

    line = slope(loss, p)
    assert line.verdict == "refuted"
    assert "gradient by `theta` is not finite" in line.reason


# ---- what it leaves as it was ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raises", [False, True])
def test_parameters_gradients_and_chance_are_left_as_they_were(raises: bool) -> None:
    loss, p = ppo(0, 5, untouched)
    p["W0"].grad = torch.full_like(p["W0"], 2.0)
    before = {k: v.detach().clone() for k, v in p.items()}
    torch.manual_seed(1)
    chance = torch.get_rng_state()
    calls = iter(range(1000))

    def watched() -> Any:
        torch.rand(3)
        if raises and next(calls) > 0:
            raise ValueError("enough")
        return loss()

    if raises:
        with pytest.raises(InputError, match="enough"):
            slope(watched, p)
    else:
        assert slope(watched, p).verdict == "agrees"
    assert all(torch.equal(v, before[k]) for k, v in p.items())
    assert bool((p["W0"].grad == 2).all())
    assert p["b0"].grad is None
    assert torch.equal(torch.get_rng_state(), chance)
    assert torch.get_default_dtype() is torch.float32


@pytest.mark.parametrize("looks", [True, False])
def test_laws_look_at_their_arguments_once_where_nothing_is_wrong(looks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is most of the time of a small law; a law whose argument leaves its domain is said to."""
    p, edge = leaves(logits=drawn(0)(3)), leaves(p=torch.tensor([0.5, 0.0], dtype=torch.float64))
    seen: list[bool] = []

    def loss() -> Any:
        law = torch.distributions.Categorical(logits=p["logits"])
        seen.append(law._validate_args)
        return law.log_prob(torch.tensor(1))

    def beside() -> Any:
        return torch.distributions.Bernoulli(edge["p"]).log_prob(torch.ones(2, dtype=torch.float64)).sum()

    law = torch.distributions.Distribution
    monkeypatch.setattr(law, "_validate_args", looks)
    assert slope(loss, p).verdict == "agrees"
    assert seen[0] is looks and len(seen) > 8 and not any(seen[1:])
    assert law._validate_args is looks
    assert ("not finite a step" in slope(beside, edge).reason) is looks
    assert law._validate_args is looks


def test_random_numbers_of_torch_are_replayed() -> None:
    p = leaves(mean=drawn(0)(3), log_std=drawn(1)(3))

    def loss(through: Any = untouched) -> Any:
        action = torch.distributions.Normal(through(p["mean"]), p["log_std"].exp()).rsample()
        return F.dropout(action, 0.3, training=True).square().sum()

    assert slope(loss, p).verdict == "agrees"
    assert slope(lambda: loss(bent(lambda g: g + 1)), p).verdict == "refuted"


def test_a_loss_may_differentiate_inside() -> None:
    p = leaves(w=drawn(0)(3))
    state = drawn(1)(8, 3).requires_grad_()

    def penalty(through: Any = untouched) -> Any:
        (g,) = torch.autograd.grad((state * through(p["w"])).tanh().sum(), state, create_graph=True)
        return g.square().sum()

    assert slope(penalty, p).verdict == "agrees"
    assert slope(lambda: penalty(bent(lambda g: 2 * g)), p).verdict == "refuted"


# ---- what is given --------------------------------------------------------------------------------------------------------


def test_parameters_are_given_as_one_has_them() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    net[0].bias.requires_grad_(False)
    state = drawn(0)(8, 2)

    def loss() -> Any:
        return net(state).square().mean()

    trained = [p for p in net.parameters() if p.requires_grad]
    for given_as in (net, trained, iter(trained), dict(enumerate(trained)), trained[0], [*trained, trained[0]]):
        assert slope(loss, given_as).verdict == "agrees"
    net[0].weight.register_hook(lambda g: 2 * g)
    line = slope(loss, net)
    assert line.verdict == "refuted"
    assert line.labels == ["0.weight", "2.weight", "2.bias"]
    assert "`0.weight`" in line.reason


def test_two_modules_may_have_names_in_common() -> None:
    actor, critic = (nn.Linear(3, 1, dtype=torch.float64) for _ in range(2))
    actor.weight.register_hook(lambda g: 2 * g)
    state = drawn(0)(5, 3)

    def loss() -> Any:
        return actor(state).tanh().mean() + critic(state).square().mean()

    line = slope(loss, [*actor.named_parameters(), *critic.named_parameters()])
    assert line.verdict == "refuted"
    assert line.labels == ["weight", "bias", "weight (2)", "bias (2)"]


def test_running_means_are_the_same_in_every_run_and_left_as_they_were() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).double()
    warm = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2).double())
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state = drawn(0)(16, 3)
    assert slope(lambda: net(state).square().mean(), net).verdict == "agrees"
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert slope(lambda: warm(state).square().mean(), warm).verdict != "refuted"


@pytest.mark.parametrize("norm", [nn.utils.parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_a_spectral_norm_in_training_is_not_called_wrong(norm: Any) -> None:
    """One step of its iteration moves with the weights, and no gradient goes through it."""
    state = drawn(0)(16, 3)
    for seed in range(8):
        torch.manual_seed(seed)
        net = norm(nn.Linear(3, 2).double())
        line = slope(lambda net=net: net(state).square().mean(), [*net.parameters()])
        assert line.verdict == "agrees" or "spectral_norm in training" in line.reason
        net.eval()
        assert slope(lambda net=net: net(state).square().mean(), net).verdict == "agrees"
        assert slope(lambda net=net: Bent.apply(net(state), lambda g: 2 * g).square().mean(), net).verdict == "refuted"


def test_inference_mode_outside_is_left_while_it_is_asked() -> None:
    w = drawn(0)(3).requires_grad_()
    with torch.inference_mode():
        assert slope(lambda: w.sin().sum(), w).verdict == "agrees"
        assert slope(lambda: Bent.apply(w, lambda g: 2 * g).sin().sum(), w).verdict == "refuted"
        assert torch.is_inference_mode_enabled()


def _indexed(w: Any) -> Any:
    at = torch.arange(0.0, 3.0, dtype=torch.float64)
    return (w[at.long()] * at).tanh().sum()


WHOLE: dict[str, Callable[[torch.Tensor], Any]] = {
    "actions": lambda w: -torch.distributions.Bernoulli(logits=w).log_prob(torch.tensor([0, 1, 1]).double()).mean(),
    "masks": lambda w: torch.where((w > 0).double() == 1, w.tanh(), w.sin()).sum(),
    "indices": _indexed,
    "mapped": lambda w: torch.func.vmap(lambda x: torch.tanh(x @ w))(torch.eye(3, dtype=torch.float64)).pow(2).mean(),
}


@pytest.mark.parametrize("loss", WHOLE.values(), ids=WHOLE.keys())
def test_whole_numbers_are_not_rounded_when_rounding_is_measured(loss: Any) -> None:
    w = drawn(3)(3).requires_grad_()
    assert slope(lambda: loss(w), w).verdict == "agrees"
    assert slope(lambda: loss(Bent.apply(w, lambda g: 2 * g)), w).verdict == "refuted"


def test_what_torch_does_without_a_graph_does_not_count() -> None:
    """In evaluation its encoder sets padded places to zero, if nothing is recorded."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dtype=torch.float64)
    encoder = nn.TransformerEncoder(layer, 1).eval()
    words, padded = drawn(0)(2, 5, 8), torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]).bool()
    assert slope(lambda: encoder(words, src_key_padding_mask=padded).square()[..., :3].sum(), encoder).verdict == "agrees"


def test_gradients_that_are_right_and_no_slopes_are_not_called_wrong() -> None:
    c = (drawn(0)(3).abs() + 0.5).requires_grad_()
    laws: tuple[Callable[[], Any], ...] = (
        lambda: torch.distributions.Beta(c, c + 1),
        lambda: torch.distributions.Gamma(c, c),
        lambda: torch.distributions.StudentT(c + 2),
    )
    for law in laws:
        line = slope(lambda law=law: law().rsample((4,)).pow(2).sum(), c)
        assert line.verdict == "undecided" and "right in the mean" in line.reason
    net, state = nn.Linear(3, 1).double(), drawn(1)(4, 3).requires_grad_()
    line = slope(lambda: checkpoint(net, state, use_reentrant=True).square().mean(), net)
    assert line.verdict == "undecided" and "use_reentrant=False" in line.reason


@pytest.mark.parametrize("size", [1e160, 1e-200])
def test_the_size_of_the_loss_does_not_matter(size: float) -> None:
    w = torch.ones(3, dtype=torch.float64, requires_grad=True)
    with warnings.catch_warnings(action="ignore"):
        assert slope(lambda: size * w.sin().sum(), w).verdict == "agrees"
        assert slope(lambda: size * Bent.apply(w, lambda g: 1.01 * g).sin().sum(), w).verdict == "refuted"


def test_an_infinite_logit_stays_where_it_is() -> None:
    logits = torch.tensor([1.0, -math.inf, 2.0], dtype=torch.float64, requires_grad=True)
    with warnings.catch_warnings(action="ignore"):
        assert slope(lambda: -logits.log_softmax(0)[0], logits).verdict == "agrees"
        assert slope(lambda: -Bent.apply(logits, lambda g: 2 * g).log_softmax(0)[0], logits).verdict == "refuted"


def test_directions_come_from_the_seed_and_from_nothing_else() -> None:
    def told(seed: int) -> Any:
        data = differences(*ppo(0, 5, untouched), seed=seed).to_dict()
        return {**data, "elapsed_s": 0, "claims": [{**data["claims"][0], "elapsed_s": 0}]}

    assert told(3) == told(3)
    assert told(3)["claims"][0]["value"] != told(4)["claims"][0]["value"]
    assert len(set(told(3)["claims"][0]["value"])) == 8


def test_directions_are_never_one_sided() -> None:
    seen: list[np.ndarray[Any, Any]] = []
    theta = torch.zeros(200, dtype=torch.float64, requires_grad=True)

    def loss() -> Any:
        seen.append(theta.detach().numpy().copy())
        return theta.square().sum()

    slope(loss, theta)
    moved = {tuple(np.sign(x)) for x in seen if x.any()}
    assert len(moved) == 9  # eight directions, the first both ways
    assert all(0.3 < np.mean(np.array(signs) > 0) < 0.7 for signs in moved)


@pytest.mark.parametrize("besides", [0, 300])  # with which there is less room for how the others bend
def test_where_it_is_smooth_a_direction_more_costs_one_value(besides: int) -> None:
    """And a gradient that is wrong at right angles to the first is seen by the others."""
    here = torch.linspace(0.1, 1, 20, dtype=torch.float64)

    def tried(directions: int, wrong: Any) -> tuple[str, list[Any]]:
        theta, moves = here.clone().requires_grad_(), []

        def loss() -> Any:
            moves.append(theta.detach() - here)
            return theta.square().sum() + (theta - theta.detach()) @ wrong + besides

        return slope(loss, theta, directions=directions).verdict, moves

    verdict, moves = tried(1, torch.zeros_like(here))
    first = moves[1] / moves[1].norm()
    aside = 1 - first * first.sum()
    assert verdict == "agrees"
    assert len(tried(8, torch.zeros_like(here))[1]) == len(moves) + 7
    assert tried(1, aside)[0] == "agrees"
    assert tried(8, aside)[0] == "refuted"


def test_the_report_is_like_any_other() -> None:
    for through, code in ((untouched, 0), (bent(lambda g: -g), 1)):
        report = differences(*ppo(0, 4, through), seed=2, directions=3)
        assert report.exit_code == code
        assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
        assert report.replay == "differences(loss, ..., seed=2, directions=3)"
    theta = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    assert differences(lambda: theta.abs().sum(), theta).exit_code == 3


def test_functions_that_differentiate_inside_have_values() -> None:
    def adapted(theta: Any) -> Any:
        (g,) = torch.autograd.grad(theta.pow(3).sum(), theta, create_graph=True)
        return (theta - 0.1 * g).square().sum()

    def by_hand(theta: Any) -> Any:
        return (theta - 0.3 * theta**2).square().sum()

    assert both(adapted, by_hand, theta=(Normal(), 3)) == ("agrees", "agrees")
    assert both(adapted, lambda theta: by_hand(theta).detach(), theta=(Normal(), 3)) == ("agrees", "refuted")


def test_arguments_have_any_name() -> None:
    assert both(lambda g: g.sin(), lambda g: g.sin(), g=Normal()) == ("agrees", "agrees")


OUT_OF_PLACE: tuple[tuple[Callable[[], Any], str], ...] = (
    (lambda: same_gradient(x, x, x=Normal(), seed=-1), "seed=-1: write a whole number from 0"),
    (lambda: same_gradient(x, x, x=Normal(), values=Normal()), "write True or False; an argument of that name must have another"),
    (lambda: same_gradient(x, x, x=Normal(), seed=(Normal(), 2)), "an argument of that name must have another one here"),
    (lambda: same_gradient(x, x, x=Normal(), points=0), "points=0: write how many, 1 or more"),
    (lambda: same_gradient(x, x, x=Normal(), wrt=0), "wrt=0: write a name, or several"),
    (lambda: same_gradient(x, x, x=Normal(), resolution=0), "has resolution=0: write a number above 0"),
    (lambda: same_gradient(x, x, x=(Normal(), -3)), "x has the shape -3: write how many, 1 or more"),
    (lambda: same_gradient(torch.sin, sp.sin(x), x=Normal()), "was expected: write lambda x: f(x), with the names"),
    (lambda: Uniform(0, math.inf), "Uniform(0, inf) has no end: write two numbers, or Normal(scale)."),
    (lambda: Normal(-1), "Normal(-1) has no spread: write a positive number."),
    (lambda: OneOf("a"), "OneOf('a') is text: write numbers, or arrays of them."),
)


@pytest.mark.parametrize(("call", "says"), OUT_OF_PLACE)
def test_what_is_out_of_place_is_told_in_one_sentence(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(GradcheckError) as error:
        call()
    assert says in str(error.value)
    assert "\n" not in str(error.value)


theta = torch.ones(3, dtype=torch.float64, requires_grad=True)
computed = theta.sin().sum()


def backwards() -> Any:
    y = theta.sin().sum()
    y.backward()
    return y


MISUSED: tuple[tuple[Callable[[], Report], str], ...] = (
    (lambda: differences(lambda: theta, theta), "returned shape (3,); one number was expected: end it with .mean() or .sum()."),
    (lambda: differences(lambda: None, theta), "returned NoneType; a tensor was expected: end it with `return loss`."),
    (
        lambda: differences(lambda: 1.0, theta),
        "returned float; a tensor was expected: keep it a tensor, without .item() or float().",
    ),
    (lambda: differences(lambda: theta.sum().float(), theta), "returned float32, in which a slope is known to few digits"),
    (lambda: differences(lambda: theta.sum() + 1 // 0, theta), "raised ZeroDivisionError"),
    (lambda: differences(lambda: theta.sum(), []), "no parameters were given"),
    (lambda: differences(lambda: theta.sum(), nn.Tanh()), "no parameters were given"),
    (lambda: differences(lambda: theta.sum(), {"y": theta * 2}), "`y` was computed from others: give those, or make it a leaf"),
    (lambda: differences(lambda: theta.sum(), {"y": theta.detach()}), "`y` asks for no gradient: write .requires_grad_() on it"),
    (
        lambda: differences(lambda: theta.sum(), nn.Linear(2, 2)),
        "`weight` is float32, in which a slope is known to few digits: write model.double()",
    ),
    (
        lambda: differences(lambda: theta.sum(), torch.ones(1, dtype=torch.float64).expand(3).requires_grad_()),
        "has several entries in one place of memory, as .expand() makes them: write .clone() before .requires_grad_().",
    ),
    (
        lambda: differences(lambda: theta.sum(), torch.eye(2, dtype=torch.float64).to_sparse().requires_grad_()),
        "is a sparse tensor",
    ),
    (lambda: differences(lambda: theta.sum(), torch.ones(2, device="meta", requires_grad=True)), "is a meta tensor"),
    (
        lambda: differences(lambda: theta.sum(), [nn.Tanh(), nn.Tanh()]),
        "is a module, and one alone is taken: write differences(",
    ),
    (lambda: differences(lambda: theta.sum(), {"y": nn.Tanh()}), "`y` is a module, and one alone is taken: write differences("),
    (
        lambda: differences(lambda: theta.sum(), torch.ones(2, dtype=torch.float64, requires_grad=True)),
        "depends on none of these parameters: give those of the model that it calls.",
    ),
    (lambda: differences(lambda: theta.sum(), {"y": [1.0]}), "`y` is list, not a tensor: write differences(loss, model)"),
    (lambda: differences(lambda: theta.sum(), nn.LazyLinear(1)), "`weight` has no numbers yet: call the model once before."),
    (lambda: differences(lambda: theta.sum(), [(theta, theta)]), "`parameter 0` is tuple, not a tensor"),
    (lambda: differences(lambda: theta.sum(), [theta, theta.detach().requires_grad_()]), "keeps its numbers where `parameter 0`"),
    (lambda: differences(lambda: computed, theta), "returned what was computed before: compute it inside"),
    (lambda: differences(backwards, theta), "failed: return the loss without .backward()"),
    (lambda: same_gradient(lambda x: sp.exp(x), lambda x: x.exp(), x=Normal()), "numbers were expected: give the formula"),
    (lambda: differences(lambda: theta.sum() * 1j, theta), "returned complex128, and real numbers were expected"),
    (lambda: differences(lambda: (theta > 0).sum(), theta), "returned int64, which has no slope"),
    (lambda: differences(lambda: theta.sum(), theta, directions=0.5), "directions=0.5: write how many"),  # pyright: ignore
    (lambda: differences(lambda: theta.sum(), theta, directions=0), "directions=0: write how many random directions"),
    (lambda: differences(lambda: theta.sum() * random.random(), theta), "at the same parameters: draw its random numbers once"),
)


@pytest.mark.parametrize(("call", "says"), MISUSED)
def test_misuse_of_differences_is_told_in_one_sentence(call: Callable[[], Report], says: str) -> None:
    with pytest.raises(GradcheckError) as error:
        call()
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_without_a_space_the_first_argument_is_named() -> None:
    def loss(weights: Any) -> Any:
        return (weights**2).sum()

    with pytest.raises(InputError, match=r"give a space for each argument of `loss`, as weights=\(Normal\(\), 3\)"):
        same_gradient(loss, loss)


def test_a_variable_of_a_formula_brings_its_own_space() -> None:
    assert same_gradient(square, V**2).ok and not same_gradient(square, V**3).ok


@pytest.mark.parametrize("beside", [lambda loss: (loss, {"entropy": 0.5}), lambda loss: {"loss": loss}])
def test_a_loss_with_its_metrics_is_told_to_come_alone(beside: Any) -> None:
    theta = torch.ones(3, dtype=torch.float64, requires_grad=True)
    with pytest.raises(InputError, match="a tensor was expected: return the loss alone"):
        differences(lambda: beside((theta**2).sum()), theta)


def held_by_no_grad(value: Any) -> Any:
    with torch.no_grad():
        return value()


@pytest.mark.parametrize("hold", [lambda value: value().detach(), lambda value: value().data, held_by_no_grad])
@pytest.mark.parametrize("sign", [1, -1])
@given(seed=SEEDS)
def test_a_target_that_is_detached_is_told_from_a_mistake(hold: Any, sign: int, seed: int) -> None:
    """And the advice is good: computed outside of the loss, it is held in the value too. A turned sign stays a mistake."""
    draw = drawn(seed)
    p = leaves(w=draw(3))
    state, after, reward = draw(8, 3), draw(8, 3), draw(8)

    def value() -> Any:
        return Bent.apply(state @ p["w"], lambda g: sign * g).tanh()

    def target() -> Any:
        return reward + 0.9 * hold(lambda: after @ p["w"])

    line = slope(lambda: ((target() - value()) ** 2).mean(), p, seed=seed)
    assert line.verdict == "refuted"
    assert ("with nothing detached they agree" in line.reason) == (sign == 1)
    kept = target()
    assert slope(lambda: ((kept - value()) ** 2).mean(), p, seed=seed).verdict == ("agrees" if sign == 1 else "refuted")


def test_an_inner_gradient_without_its_graph_is_detached() -> None:
    theta = torch.ones(3, dtype=torch.float64, requires_grad=True)

    def adapted(**options: Any) -> Any:
        (step,) = torch.autograd.grad((theta**3).sum(), theta, **options)
        return ((theta - 0.1 * step) ** 2).sum()

    assert "with nothing detached they agree" in slope(adapted, theta).reason
    assert slope(lambda: adapted(create_graph=True), theta).verdict == "agrees"


def hooked() -> tuple[Loss, Any]:
    theta = torch.ones(3, dtype=torch.float64, requires_grad=True)
    theta.register_hook(lambda g: g.clamp(-1, 1))
    return lambda: (theta**2).sum(), theta


def by_hand() -> tuple[Loss, Any]:
    theta = torch.ones(3, dtype=torch.float64, requires_grad=True)
    return lambda: (Bent.apply(theta, lambda g: g.clamp(-1, 1)) ** 2).sum(), theta


def renormed() -> tuple[Loss, Any]:
    net = nn.Embedding(4, 3, max_norm=0.5).double()
    return lambda: (net(torch.tensor([0, 2])) ** 3).sum(), net


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (hooked, "; it has a hook, which may change its gradient"),
        (by_hand, "; the backward pass of `Bent` is written by hand"),
        (renormed, "; the loss writes into it, as nn.Embedding(max_norm=...) does"),
    ],
)
def test_what_parts_gradient_and_slope_is_named_where_it_is_seen(make: Any, says: str) -> None:
    line = slope(*make())
    assert line.verdict == "refuted" and says in line.reason


def test_single_precision_inside_is_named() -> None:
    theta = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)
    line = slope(lambda: (theta.float() * 3).sin().sum().double(), theta)
    assert line.verdict == "undecided" and "rounding in float32 moves the value" in line.reason
    assert slope(lambda: (theta * 3).sin().sum(), theta).verdict == "agrees"


def test_what_a_function_returned_is_not_taken_for_it() -> None:
    def loss(w: Any) -> Any:
        return (w**2).sum()

    for made in (loss(torch.ones(2, requires_grad=True)), torch.ones(2)):
        with pytest.raises(InputError, match=r"the second of the two is a tensor, .*: give the function itself"):
            same_gradient(loss, made, w=(Normal(), 2))


def test_where_both_sides_are_no_number_that_is_said() -> None:
    def one(x: Any) -> Any:
        return torch.where(x > 0, x.sqrt(), 0 * x).sum()  # the other branch has a slope too, and 0 times it is nan

    def other(x: Any) -> Any:
        return torch.where(x > 0, x.sqrt(), 0 * x).sum() * 1

    (line,) = same_gradient(one, other, x=(Normal(), 2)).claims
    assert line.verdict == "refuted" and line.reason == "x_0: neither side is a number"


@pytest.mark.parametrize("factor", [lambda n: n, lambda n: 1 + n % 2 / 2, lambda n: 1 / n])
def test_a_function_that_keeps_state_is_told_so(factor: Callable[[int], float]) -> None:
    calls = itertools.count(1)
    torch.rand(1)  # that others draw random numbers is not the function's doing

    def stateful(x: Any) -> Any:
        return (x**2).sum() * factor(next(calls))

    def counted(x: Any) -> Any:
        return (x**2).sum() + 0 * factor(next(calls))

    with pytest.raises(InputError, match=r"`stateful` gives \S+ and then \S+ at the same arguments: keep no state in it"):
        same_gradient(stateful, lambda x: (x**2).sum(), x=(Normal(), 3))
    assert alone(counted, lambda x: (x**2).sum(), x=(Normal(), 3)).verdict == "agrees"


@pytest.mark.parametrize("held", [lambda x: (x**2).detach(), lambda x: x**2, lambda x: x**2 * (1 + 0 * x.sum())])
def test_what_the_first_call_leaves_for_the_next_is_told(held: Callable[[Any], Any]) -> None:
    kept: list[Any] = []

    def cached(x: Any, y: Any) -> Any:
        if not kept:
            kept.append(held(x))  # all points are one call, where this is right
        return (kept[0] * y).sum()

    def fresh(x: Any, y: Any) -> Any:
        return (x**2 * y).sum()

    spaces = {"x": (Normal(), 2), "y": (Normal(), 2)}
    with pytest.raises(InputError, match=r"`cached` raised .*: keep no state in it"):
        same_gradient(cached, fresh, wrt="y", **spaces)
    assert same_gradient(lambda x, y: (held(x) * y).sum(), fresh, wrt="y", **spaces).ok


@settings(max_examples=20)
@given(limit=st.floats(3, 1000), below=st.booleans(), entry=st.integers(0, 2), seed=st.integers(0, 2**16))
def test_a_limit_far_out_is_seen_and_the_point_is_told(limit: float, below: bool, entry: int, seed: int) -> None:
    def plain(theta: Any, pay: Any) -> Any:
        return (theta * theta * pay).sum()

    def clipped(theta: Any, pay: Any) -> Any:
        far = theta.clamp(min=-limit) if below else theta.clamp(max=limit)
        return plain(torch.cat([theta[:entry], far[entry : entry + 1], theta[entry + 1 :]]), pay)

    spaces = {"theta": (Normal(), 3), "pay": (Uniform(1, 2), 3)}
    line = alone(plain, clipped, seed=seed, **spaces)
    assert line.verdict == "refuted" and line.witness
    there = Fraction(line.witness["theta"][entry])
    assert there <= -limit if below else there >= limit
    assert alone(plain, lambda theta, pay: theta.square() @ pay, seed=seed, **spaces).verdict == "agrees"


FAR: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "a floor under chances": (
        lambda theta: (theta.softmax(-1) + 1e-9).log()[0],
        lambda theta: theta.log_softmax(-1)[0],
        {"theta": (Normal(), 3)},
    ),
    "a loss of chances that saturate": (
        lambda theta: F.binary_cross_entropy(theta.sigmoid(), torch.ones_like(theta)),
        lambda theta: F.softplus(-theta).mean(),
        {"theta": (Normal(), 3)},
    ),
    "limits of log sigma": (
        lambda s, x: torch.distributions.Normal(0, s.clamp(-20, 2).exp()).log_prob(x).sum(),
        lambda s, x: torch.distributions.Normal(0, s.clamp(-5, 2).exp()).log_prob(x).sum(),
        {"s": (Normal(), 2), "x": (Normal(), 2)},
    ),
    "the end of a range": (lambda x: x.clamp(max=9.99).square(), lambda x: x.square(), {"x": Uniform(0, 10)}),
    "a formula": (sp.Min(x, 40) ** 2, x**2, {"x": Normal()}),
}


@pytest.mark.parametrize(("one", "other", "spaces"), FAR.values(), ids=FAR.keys())
def test_what_differs_only_far_out_is_refuted(one: Any, other: Any, spaces: Any) -> None:
    line = alone(one, other, **spaces)
    assert line.verdict == "refuted" and line.witness and line.remark == "far out; at the 12 points before they agree"
    assert alone(one, one, **spaces).verdict in ("agrees", "proved")


OVERFLOWING: dict[str, tuple[Any, Any]] = {
    "log sum exp": (lambda theta: theta.exp().sum().log(), lambda theta: theta.logsumexp(-1)),
    "log of softmax": (lambda theta: theta.softmax(-1).log()[0], lambda theta: theta.log_softmax(-1)[0]),
    "log of 1 - tanh^2": (
        lambda theta: (1 - theta.tanh() ** 2).log().sum(),
        lambda theta: 2 * (math.log(2) - theta - F.softplus(-2 * theta)).sum(),
    ),
}


@pytest.mark.parametrize(("one", "other"), OVERFLOWING.values(), ids=OVERFLOWING.keys())
@pytest.mark.parametrize("values", [False, True])
@settings(max_examples=20)
@given(seed=st.integers(0, 2**16))
@example(seed=449)  # where three runs off in their last digits all come out as the one that is not
def test_what_overflows_or_loses_its_digits_far_out_is_remarked(one: Any, other: Any, values: bool, seed: int) -> None:
    lines = same_gradient(one, other, values=values, seed=seed, theta=(Normal(), 3)).claims
    assert [line.verdict for line in lines] == ["agrees"] * len(lines)
    assert "the first alone is not finite where numbers reach" in lines[-1].remark


def library_divergence(theta: Any, old: Any) -> Any:
    """Infinite where a chance of the second is 0 in floats, and without a gradient there."""
    return torch.distributions.kl_divergence(*(torch.distributions.Categorical(logits=x) for x in (theta, old))).sum()


def divergence(theta: Any, old: Any) -> Any:
    return (theta.softmax(-1) * (theta.log_softmax(-1) - old.log_softmax(-1))).sum()


def ratio_of_chances(theta: Any, old: Any) -> Any:
    return (theta.softmax(-1) / old.softmax(-1)).diagonal().sum()


def ratio_of_logarithms(theta: Any, old: Any) -> Any:
    """The slope of a chance near 1 is lost in rounding, and a ratio far beyond 1 shows it."""
    return (theta.log_softmax(-1) - old.log_softmax(-1)).diagonal().exp().sum()


@pytest.mark.parametrize(("one", "other"), [(library_divergence, divergence), (ratio_of_chances, ratio_of_logarithms)])
@settings(max_examples=4)
@given(seed=SEEDS)
def test_the_ratios_and_divergences_of_libraries_agree_however_far_out(one: Any, other: Any, seed: int) -> None:
    for pair in ((one, other), (other, one)):
        assert alone(*pair, seed=seed, wrt="theta", theta=(Normal(), (3, 3)), old=(Normal(), (3, 3))).verdict == "agrees"


def test_code_may_refuse_what_is_far_out() -> None:
    def strict(theta: Any) -> Any:
        if theta.abs().max() > 100:
            raise ValueError("too large")
        return theta.square().sum()

    assert alone(strict, lambda theta: theta.square().sum(), theta=(Normal(), 2)).verdict == "agrees"
    assert alone(strict, lambda theta: theta.clamp(-20, 20).square().sum(), theta=(Normal(), 2)).verdict == "refuted"


@pytest.mark.parametrize("bend", [torch.tanh, torch.relu, torch.abs])
@given(seed=SEEDS, digits=st.floats(0, 14), size=st.integers(1, 20), bias=st.booleans())
@example(seed=294, digits=6.53592705054086, size=12, bias=True)  # one of its directions agrees across a kink
@example(seed=0, digits=8.0, size=3, bias=True)
@example(seed=0, digits=10.75, size=3, bias=True)
def test_a_small_gradient_beside_a_large_one_is_judged_or_named(
    bend: Any, seed: int, digits: float, size: int, bias: bool
) -> None:
    draw, weight = drawn(seed), 10**-digits
    p = leaves(actor=draw(4, 3), critic=draw(size, 3) * (not bias))
    state, other, target = draw(32, 3), draw(size, 32, 3), draw(size, 32)

    def loss(through: Any) -> Any:
        def value() -> Any:
            values = bend(torch.einsum("nbi,ni->nb", other, through(p["critic"])) + (0 if bias else target))
            return (state @ p["actor"].T).sin().mean() + weight * values.mean()

        return value

    at_a_kink = bias and bend is not torch.tanh  # autograd says 0 there, and the value otherwise where rounding does not hide it
    right = slope(loss(untouched), p, seed=seed)
    assert right.verdict in (("agrees", "undecided") if at_a_kink else ("agrees",)), right.reason
    for mistake in (lambda g: -g, lambda g: 2 * g, lambda g: 0 * g):
        line = slope(loss(bent(mistake)), p, seed=seed)
        if digits < 7 and right.verdict == "agrees" and "critic" not in right.remark:
            assert line.verdict == "refuted" and "most of it by `critic`" in line.reason
        if digits > 13:
            assert line.verdict != "refuted"
    lost = 7.5 < digits < 8.5 if at_a_kink else 10.5 < digits < 11
    assert ("a gradient too small to be judged: critic" in right.remark) or not lost


def test_what_no_path_leads_to_costs_one_value_and_no_word_more() -> None:
    p, calls = leaves(actor=drawn(0)(3), first=drawn(1)(3), second=drawn(2)(3)), []

    def loss() -> Any:
        calls.append(0)
        return p["actor"].tanh().sum()

    assert slope(loss, p["actor"]).verdict == "agrees"
    few = len(calls)
    assert slope(loss, p).remark == "no gradient reaches first, second"
    assert len(calls) - few <= few + 2


def apart(mistake: Any) -> dict[str, tuple[Callable[[], Any], Any]]:
    """Losses whose gradient is no slope, each in its way; with a mistake in them besides."""
    torch.manual_seed(0)
    net, table, state = nn.Linear(3, 4).double(), nn.Embedding(5, 3, scale_grad_by_freq=True).double(), drawn(0)(8, 3)
    pay = drawn(1)(4)
    bags = nn.EmbeddingBag(5, 3, mode="sum", scale_grad_by_freq=True).double()
    hooked, rows = nn.Sequential(nn.Linear(3, 4), nn.Tanh()).double(), torch.tensor([1, 1, 2])
    hooked[1].register_full_backward_hook(lambda module, inwards, outwards: tuple(2 * g for g in inwards))

    def clipped() -> Any:
        y = mistake(net(state))
        y.register_hook(lambda g: g.clamp(-1e-3, 1e-3)).remove()
        y.register_hook(lambda g: g.clamp(-1e-3, 1e-3))
        return y.square().sum()

    def chosen() -> Any:
        soft = F.gumbel_softmax(mistake(net(state)), tau=2.0)
        return (F.gumbel_softmax(net(state), hard=True) @ pay).sum() + (soft @ pay).sum()

    return {
        "without the hook that the loss puts on a tensor": (clipped, net),
        "F.gumbel_softmax(hard=True) has the gradient of a soft draw": (chosen, net),
        "divides its gradient by counts": (lambda: mistake(table(rows)).sin().sum(), table),
        "scale_grad_by_freq=True divides": (lambda: mistake(bags(rows[None])).sin().sum(), bags),
        "a module has a backward hook": (lambda: hooked(state).square().sum(), hooked),
    }


@pytest.mark.parametrize("says", apart(untouched))
def test_what_torch_does_to_a_gradient_is_named_where_it_is_all(says: str) -> None:
    line = slope(*apart(untouched)[says])
    assert line.verdict == "refuted" and says in line.reason
    if "module" not in says:
        line = slope(*apart(bent(lambda g: 1.5 * g))[says])
        assert line.verdict == "refuted" and says not in line.reason


def test_a_bias_that_is_taken_out_again_has_no_gradient_but_rounding() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1)).double()
    state = drawn(0)(16, 3)
    line = slope(lambda: net(state).square().mean(), net)
    assert (line.verdict, line.remark) == ("agrees", "")


def test_a_wrong_gradient_in_a_checkpoint_is_refuted() -> None:
    w, state = drawn(0)(3).requires_grad_(), drawn(1)(5, 3)

    def layer(factor: float) -> Any:
        return lambda y: (y * Bent.apply(w, lambda g: factor * g)).tanh()

    for factor, verdict in ((1, "agrees"), (2, "refuted"), (-1, "refuted")):
        line = slope(lambda f=factor: checkpoint(layer(f), state, use_reentrant=False).square().mean(), w)
        assert line.verdict == verdict, line.reason


def test_what_is_written_past_autograd_is_refuted() -> None:
    w = drawn(0)(3).requires_grad_()

    def loss(write: bool) -> Any:
        y = 2 * w
        if write:
            y.data.mul_(w.data)
        return y.square().sum()

    assert slope(lambda: loss(False), w).verdict == "agrees"
    assert slope(lambda: loss(True), w).verdict == "refuted"


class Scaled(nn.Module):
    """Keeps a running mean, by writing into it or by putting another in its place."""

    mean: torch.Tensor

    def __init__(self, replaces: bool) -> None:
        super().__init__()
        self.replaces = replaces
        self.register_buffer("mean", torch.zeros(3).double())
        self.last = nn.Linear(3, 2).double()

    def forward(self, y: Any) -> Any:
        new = 0.9 * self.mean + 0.1 * y.mean(0)
        self.mean = new if self.replaces else self.mean.copy_(new)
        return self.last(y - self.mean)


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("given_as", [lambda net: net, lambda net: [*net.parameters()], lambda net: dict(net.named_parameters())])
@pytest.mark.parametrize("ends", [None, ValueError, KeyboardInterrupt])
def test_modules_that_are_called_keep_what_they_had(replaces: bool, given_as: Any, ends: Any) -> None:
    net, calls = Scaled(replaces), itertools.count()
    kept, before, state = net.mean, {k: v.clone() for k, v in net.state_dict().items()}, drawn(0)(8, 3)

    def loss(through: Any = untouched) -> Any:
        if ends is not None and next(calls) == 5:
            raise ends
        return through(net(state)).square().mean()

    if ends is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            slope(loss, given_as(net))
    else:
        assert slope(loss, given_as(net)).verdict == "agrees"
        assert slope(lambda: loss(bent(lambda g: 2 * g)), given_as(net)).verdict == "refuted"
    assert net.mean is kept and all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not nn.modules.module._global_forward_pre_hooks


def test_what_is_hardly_known_far_out_ends_nothing() -> None:
    """exp at 700 has a radius whose square is no float."""
    assert alone(lambda x: x.exp().sum(), lambda x: x.exp().sum() * 1, x=(Normal(scale=8), 3)).verdict == "agrees"


# ---- what spaces of a few values, masks and probabilities hardly draw ----------------------------------------------------------


def total(x: Any, p: Any) -> Any:
    return x * p.sum()


def once(x: Any) -> Any:
    return x


def chosen(x: Any, m: Any) -> Any:
    return (x * m).sum()


def chosen_once_more(x: Any, m: Any) -> Any:
    """The same where a row is one of those that are listed."""
    return (x * m).sum() * (1 + (m.sum() - 2) ** 2)


def nothing_allowed(x: Any, m: Any) -> Any:
    return (x * m).sum() + x.sum() * (m.sum() == 0)


@pytest.mark.parametrize(("one", "other", "spaces"), [
    (total, once, {"x": Normal(), "p": (Simplex(), 3)}),
    (chosen, chosen_once_more, {"x": (Normal(), 3), "m": (OneOf((1, 1, 0), (0, 1, 1)), 3)}),
    (chosen, nothing_allowed, {"x": (Normal(), 2), "m": (Masks(), 2)}),
])  # fmt: skip
@given(seed=st.integers(0, 10**6))
@settings(max_examples=5)
def test_no_point_leaves_its_space(one: Any, other: Any, spaces: Any, seed: int) -> None:
    """Probabilities sum to 1, a row is one of those listed, and a mask allows something, far out too."""
    (line,) = same_gradient(one, other, seed=seed, **spaces).claims
    assert line.verdict == "agrees", line.witness


def one_left(x: Any, m: Any) -> Any:
    return (x * m).sum() * torch.where(m.sum() == 1, 2.0, 1.0)


def all_left(x: Any, m: Any) -> Any:
    return (x * m).sum() * torch.where(m.sum() == len(m), 2.0, 1.0)


def surprise(x: Any, p: Any) -> Any:
    return -(x * p.log()).sum()


def surprise_clamped(x: Any, p: Any) -> Any:
    return -(x * p.clamp(min=1e-6).log()).sum()


def plainly(theta: Any) -> Any:
    return theta.sum()


def saturated(theta: Any) -> Any:
    return theta.clamp(max=20).sum()


@pytest.mark.parametrize(("one", "other", "spaces"), [
    (chosen, one_left, {"x": (Normal(), 12), "m": (Masks(), 12)}),
    (chosen, all_left, {"x": (Normal(), 12), "m": (Masks(), 12)}),
    (surprise, surprise_clamped, {"x": (Normal(), 3), "p": (Simplex(), 3)}),
    (plainly, saturated, {"theta": (LogRational(), 3)}),
])  # fmt: skip
@given(seed=st.integers(0, 10**6))
@settings(max_examples=5)
def test_what_differs_where_draws_hardly_come_is_refuted(one: Any, other: Any, spaces: Any, seed: int) -> None:
    (line,) = same_gradient(one, other, seed=seed, **spaces).claims
    assert line.verdict == "refuted"
    (same,) = same_gradient(one, one, seed=seed, **spaces).claims
    assert same.verdict == "agrees"


@given(steps=st.integers(1, 2**20), seed=SEEDS)
def test_rounding_moves_what_is_nearly_zero_too(steps: int, seed: int) -> None:
    """A relative change of a subnormal number rounds to none, and its logarithm would look steady."""
    x = torch.tensor(steps * 5e-324, dtype=torch.float64)
    with Shaken(seed):
        moved = x.clone()
    assert 0 < abs(moved.item() - x.item()) <= 2 * 5e-324


@given(seed=SEEDS)
def test_a_tie_with_a_detached_side_is_refuted(seed: int) -> None:
    """In the first step of PPO the ratio is 1, and clipping it changes nothing."""
    theta, advantage = drawn(seed)(6, 3).requires_grad_(), drawn(seed + 1)(6)
    old = theta.detach().log_softmax(-1)[:, 0]

    def loss(hold: Any) -> Any:
        ratio = (theta.log_softmax(-1)[:, 0] - old).exp()
        return -torch.min(hold(ratio) * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()

    assert slope(lambda: loss(untouched), theta, seed=seed).verdict == "agrees"
    line = slope(lambda: loss(torch.detach), theta, seed=seed)
    assert line.verdict == "refuted" and "with nothing detached they agree" in line.reason


@pytest.mark.parametrize("whole", [torch.max, torch.min, torch.median, torch.nanmedian])
def test_of_a_whole_tensor_what_ties_shares_the_slope_as_it_does_alone(whole: Any) -> None:
    """Where vmap maps them, these give it to one alone."""

    def shared(x: Any) -> Any:
        ties = x == whole(x).detach()
        return (ties * x).sum() / ties.sum()

    def first(x: Any) -> Any:
        return whole(x, 0).values

    for method in (whole, getattr(torch.Tensor, whole.__name__)):
        other = lambda x, method=method: method(x)  # noqa: E731
        assert same_gradient(other, shared, wrt="x", x=(OneOf(1, 2, -1), 3)).claims[0].verdict == "agrees"
        assert same_gradient(other, first, wrt="x", x=(OneOf(1, 2, -1), 3)).claims[0].verdict == "refuted"


@given(seed=SEEDS)
def test_what_ties_before_rounding_is_moved_ties_after_it(seed: int) -> None:
    x = drawn(seed)(5)
    with Shaken(seed):
        once, again, negative, clipped = 3 * x, x * 3, -3 * x, (3 * x).clamp(-1e9, 1e9)
    assert torch.equal(once, again) and torch.equal(once, -negative) and torch.equal(once, clipped)
    assert bool((once != 3 * x).all()) and torch.allclose(once, 3 * x, rtol=1e-15, atol=0)


def _drawn_inside(theta: Any) -> Any:
    law = torch.distributions.Normal(theta, theta.exp())
    return (law.log_prob(law.sample()) * torch.arange(3)).sum()


HELD: dict[str, Callable[[Any], Any]] = {
    "a sample": _drawn_inside,
    "a number": lambda theta: theta.sin().sum() * theta.exp().sum().item(),
}


@pytest.mark.parametrize("of", HELD.values(), ids=HELD.keys())
def test_what_is_held_without_detaching_is_told_too(of: Any) -> None:
    theta = torch.tensor([0.1, -0.3, 0.2], dtype=torch.float64, requires_grad=True)
    line = slope(lambda: of(theta), theta)
    assert line.verdict == "refuted" and "with nothing detached they agree" in line.reason
    line = slope(lambda: of(Bent.apply(theta, lambda g: 1.5 * g)), theta)
    assert line.verdict == "refuted" and "with nothing detached they agree" not in line.reason


def test_a_padding_row_without_a_gradient_is_told() -> None:
    rows = torch.tensor([1, 0, 2])
    for at, verdict in ((0, "refuted"), (3, "agrees")):
        table = nn.Embedding.from_pretrained(drawn(0)(4, 3), freeze=False, padding_idx=at)
        line = slope(lambda table=table: table(rows).sin().sum(), table)
        assert line.verdict == verdict and ("padding_idx gives that row no gradient" in line.reason) == (at == 0)


def test_a_graph_of_an_earlier_run_is_told() -> None:
    net, state = nn.Linear(3, 4).double(), drawn(0)(5, 3)
    features, kept = net(state).tanh(), dict[int, Any]()

    def cached() -> Any:
        if id(state) not in kept:
            kept[id(state)] = net(state).tanh()
        return kept[id(state)].square().sum()

    for loss in (lambda: features.square().sum(), cached):
        with pytest.raises(InputError, match=r"uses what was computed before: compute it inside"):
            differences(loss, net)
    assert slope(lambda: net(state).tanh().square().sum(), net).verdict == "agrees"


def test_where_the_gradient_is_zero_but_for_rounding_that_is_said() -> None:
    """The divergence from a policy to its own copy."""
    theta = drawn(0)(4, 3).requires_grad_()
    old = torch.distributions.Categorical(logits=theta.detach().clone())

    def loss() -> Any:
        return torch.distributions.kl_divergence(old, torch.distributions.Categorical(logits=theta)).mean()

    line = slope(loss, theta)
    assert line.verdict == "undecided" and "the gradient is 0 here but for rounding" in line.reason
    with torch.no_grad():
        theta += drawn(1)(4, 3)
    assert slope(loss, theta).verdict == "agrees"


def test_a_metric_in_float32_is_not_blamed() -> None:
    u = torch.linspace(12, 16, 7, dtype=torch.float64).requires_grad_()

    def loss() -> Any:
        (u > 14).float().div(7).mean().item()
        return (1 - u.tanh() ** 2 + 1e-9).log().mean()

    line = slope(loss, u)
    assert line.verdict == "undecided" and "softplus" in line.reason and "float32" not in line.reason


@pytest.mark.parametrize("trains", [True, False])
def test_a_module_that_the_loss_switches_is_left_as_it_was(trains: bool) -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5)).double().train(trains)

    def loss() -> Any:
        made = net(torch.ones(2, 3)).square().sum()
        net.train(not trains)
        return made

    assert slope(loss, net).verdict == "agrees"
    assert all(module.training == trains for module in net.modules())


def test_chance_is_left_as_it_was() -> None:
    def seeded(x: Any) -> Any:
        torch.manual_seed(3)
        return (x * torch.rand(2)).sum()

    def noisy(x: Any) -> Any:
        return (x * torch.rand(2)).sum()

    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert alone(seeded, seeded, x=(Normal(), 2)).verdict == "agrees"
    for _ in range(2):
        with pytest.raises(InputError, match="draws random numbers of its own"):
            same_gradient(noisy, noisy, x=(Normal(), 2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("before", [None, 2.0])
def test_gradients_that_the_loss_adds_to_are_left_as_they_were(before: float | None) -> None:
    theta = torch.ones(3, dtype=torch.float64, requires_grad=True)
    theta.grad = kept = None if before is None else torch.full_like(theta, before)

    def loss() -> Any:
        made = (theta**2).sum()
        made.backward()
        return made

    with pytest.raises(InputError, match=r"return the loss without .backward\(\)"):
        differences(loss, theta)
    assert theta.grad is kept and (kept is None or bool((kept == before).all()))


@pytest.mark.parametrize(
    "loss",
    [
        lambda model: model(torch.ones(4, 3, dtype=torch.float32)).sum(),
        lambda model: torch.einsum("ij,kj->", model.weight, torch.ones(4, 3, dtype=torch.float32)),
    ],
    ids=["layer", "einsum"],
)
def test_data_of_fewer_digits_are_told_how_to_be_written(loss: Any) -> None:
    model = torch.nn.Linear(3, 2).double()
    with pytest.raises(InputError, match=r"numbers are float64 here: write model.double\(\), and x.double\(\) on data"):
        differences(lambda: loss(model), model)


def test_what_is_no_number_beside_infinity_is_not_said_to_agree_to_six_digits() -> None:
    def none(x: Any) -> Any:
        return torch.where(x > 0, x.sqrt(), 0 * x).sum()

    def infinite(x: Any) -> Any:
        return x.clamp(min=0).sqrt().sum()

    line = alone(none, infinite, x=(Normal(), 4))
    assert line.verdict == "refuted" and "digits" not in line.reason


def test_a_normal_number_that_waits_is_put_back_after_each_seed() -> None:
    """Of one and of two normal numbers after a seed numpy uses the same words."""

    def squares(x: Any) -> Any:
        return (x**2).sum() * (1 + 0 * np.random.randn())

    for before in (2, 1):
        np.random.seed(0)
        np.random.randn(before)
        waits = np.random.get_state()[3:]
        same_gradient(squares, lambda x: (x**2).sum(), x=(Normal(), 3))
        assert np.random.get_state()[3:] == waits


DRAWS: dict[str, Callable[[], Any]] = {
    "python": lambda: random.random() + random.gauss(0, 1),
    "numpy": lambda: np.random.rand(),
    "normal of numpy": lambda: np.random.randn(),
    "torch": lambda: torch.rand(()).item(),
    "seeded": lambda: (random.seed(3), np.random.seed(3), torch.manual_seed(3))[0],
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=[*DRAWS])
@pytest.mark.parametrize("noisy", [False, True])
@settings(max_examples=10)
@given(before=st.integers(0, 3), seed=SEEDS)
def test_whoever_draws_goes_on_as_if_nothing_was_asked(draw: Callable[[], Any], noisy: bool, before: int, seed: int) -> None:
    """Also where a second normal number of numpy waits to be taken."""

    def loss(x: Any) -> Any:
        return (x**2).sum() * (1 + noisy * (draw() or 0))

    def of_numpy(numbers: Any) -> Any:
        return np.square(numbers).sum() * (1 + noisy * (draw() or 0))

    def next_ones() -> list[Any]:
        return [one() for one in list(DRAWS.values())[:4] for _ in range(3)]

    def started() -> None:
        for start in (random.seed, np.random.seed, torch.manual_seed):
            start(seed)
        np.random.randn(before)

    numbers = Variable("numbers", 3)
    square = numbers[0] ** 2 + numbers[1] ** 2 + numbers[2] ** 2
    page = Problem(title="Squares.", claims=(Claim("So.", Equal(Value(of_numpy), square)),))
    asked = (
        lambda: same_gradient(loss, lambda x: (x**2).sum(), x=(Normal(), 3)),
        lambda: check(page, {of_numpy: lambda numbers: of_numpy(numbers)}),
    )
    started()
    wanted = next_ones()
    for ask in asked:
        started()
        with suppress(GradcheckError):
            ask()
        assert next_ones() == wanted


def held(mistake: Any) -> dict[str, tuple[Callable[[], Any], Any]]:
    """Losses in which numbers leave autograd, by who takes them out; with a mistake in them besides."""
    torch.manual_seed(0)
    net, draw = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double(), drawn(0)
    state, after, pay = draw(8, 3), draw(8, 3), draw(8)
    slow, norm = copy.deepcopy(net), nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).double()

    def q(of: Any, at: Any = state) -> Any:
        return of(at).logsumexp(-1)

    def beta() -> Any:
        law = torch.distributions.Beta(*mistake(net(state)).exp().unbind(-1))
        return -(law.log_prob(law.sample()) * pay).mean()

    def gamma() -> Any:
        law = torch.distributions.Gamma(*(1 + mistake(net(state)).exp()).unbind(-1))
        return law.sample().mean() + law.mean.mean()

    def copied() -> Any:
        return (mistake(q(net)) - pay - 0.9 * q(copy.deepcopy(net), after)).square().mean()

    def loaded() -> Any:
        slow.load_state_dict(net.state_dict())
        return (mistake(q(net)) - pay - 0.9 * q(slow, after)).square().mean()

    def weighed(weight: Any) -> Callable[[], Any]:
        return lambda: (mistake(q(net)) * weight(q(net, after))).mean()

    def without() -> Any:
        with torch.no_grad():
            weight = q(net, after).numpy()
        return (mistake(q(net)) * torch.as_tensor(weight)).mean()

    def both() -> Any:
        listed = torch.tensor(q(net, after).tolist())
        return (mistake(q(net)) * listed).mean() + (q(net) * float(q(net, after)[0].detach().numpy())).mean()

    def switched() -> Any:
        trained = norm.train()(state)
        return (mistake(trained) - norm.eval()(after)).square().mean()

    return {
        "what .sample() gives": (beta, net),
        "what .sample() gives held they agree: what is meant to be held": (gamma, net),
        "what deepcopy gives": (copied, net),
        "what .state_dict() gives": (loaded, net),
        "what .detach() gives": (weighed(lambda y: torch.as_tensor(y.detach().numpy())), net),
        "what .tolist() gives": (weighed(lambda y: torch.tensor(y.tolist())), net),
        "what torch.no_grad() gives": (without, net),
        "what .detach() and .tolist() gives": (both, net),
        "what BatchNorm in training gives": (switched, norm),
    }


@pytest.mark.parametrize("says", held(untouched))
def test_who_takes_numbers_out_of_autograd_is_named_where_it_is_all(says: str) -> None:
    line = slope(*held(untouched)[says])
    assert line.verdict == "refuted" and f"; with {says}" in line.reason
    line = slope(*held(bent(lambda g: -g))[says])
    assert line.verdict == "refuted" and "held they agree" not in line.reason and "nothing detached" not in line.reason


def test_a_target_that_the_loss_moves_is_left_as_one_call_leaves_it() -> None:
    torch.manual_seed(0)
    net, state = nn.Linear(3, 2).double(), drawn(0)(8, 3)
    slow = copy.deepcopy(net)

    def loss() -> Any:
        slow.load_state_dict(net.state_dict())
        return (net(state) - slow(state + 1)).square().mean()

    assert slope(loss, net).verdict == "refuted"
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), slow.parameters(), strict=True))


def test_a_small_gradient_that_is_wrong_is_not_said_to_miss_its_value() -> None:
    large, small = (torch.tensor([at], dtype=torch.float64, requires_grad=True) for at in (0.3, 0.7))
    line = slope(lambda: 1e3 * large.sin().sum() + 1e-5 * Bent.apply(small, lambda g: -g).cos().sum(), [large, small])
    assert line.verdict == "refuted" and "the value does not move" not in line.reason


def test_where_a_draw_should_have_been_differentiated_that_is_told() -> None:
    mean = torch.zeros(3, dtype=torch.float64, requires_grad=True)

    def loss(draw: str) -> Any:
        action = getattr(torch.distributions.Normal(mean, 1.0), draw)()
        return (action - 1).square().sum() + mean.square().sum()

    assert "; where a gradient is to flow through a draw, write .rsample()" in slope(lambda: loss("sample"), mean).reason
    assert slope(lambda: loss("rsample"), mean).verdict == "agrees"


def test_what_is_compiled_is_not_compiled_again_to_find_a_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    theta = torch.ones(3, dtype=torch.float64, requires_grad=True)
    made: list[Any] = []

    def backend(graph: Any, _: Any) -> Any:
        made.append(graph)
        return graph.forward

    def counted(hold: bool) -> tuple[Line, int]:
        made.clear()
        torch.compiler.reset()
        loss = torch.compile(lambda: (theta.sin() * (theta.detach() if hold else theta)).sum(), backend=backend)
        return slope(loss, theta), len(made)

    law = torch.distributions.Distribution
    monkeypatch.setattr(law, "_validate_args", law._validate_args)  # torch.compile stops the looks of laws for good
    (right, few), (wrong, many) = counted(False), counted(True)
    assert right.verdict == "agrees" and "with nothing detached they agree" in wrong.reason
    assert many == few


def test_a_tensor_of_fewer_digits_is_told_how_to_be_made_and_a_model_how_to_be_changed() -> None:
    theta, net = torch.tensor([1.0, 2.0], dtype=torch.float32, requires_grad=True), nn.Linear(2, 1).float()
    with pytest.raises(InputError, match=r"`theta` is float32, .*: make it with dtype=torch.float64, and give the loss float64"):
        differences(lambda: theta.sum(), {"theta": theta})
    with pytest.raises(InputError, match=r"`weight` is float32, .*: write model.double\(\), and give the loss float64 data"):
        differences(lambda: net(theta).sum(), net)


@pytest.mark.parametrize("end", [0, 1000])
def test_both_ends_of_a_count_are_tried(end: int) -> None:
    line = alone(lambda x, n: x.sin() * (n != end), lambda x, n: x.sin(), x=Normal(), n=Integers(0, 1000))
    assert line.verdict == "refuted" and line.witness and line.witness["n"] == str(end)


def test_a_value_in_the_place_of_a_loss_is_told_to_be_a_function() -> None:
    theta = torch.ones(3, dtype=torch.float64, requires_grad=True)
    with pytest.raises(InputError, match=r"the loss is Tensor, and no function: write differences\(lambda: "):
        differences((theta**2).sum(), theta)  # pyright: ignore[reportArgumentType]


# ---- arguments that are data ----------------------------------------------------------------------------------------------


def weighted(theta: Any, advantage: Any, act: Any) -> Any:
    return theta.log_softmax(-1)[act.long()] * advantage


def advised(f: Any, g: Any, **options: Any) -> Line:
    return alone(f, g, theta=(Normal(), 3), advantage=Normal(), act=Integers(0, 2), **options)


@pytest.mark.parametrize("factor", [1, 2, -1])
def test_an_argument_that_is_data_is_told_to_be_left_out(factor: int) -> None:
    def held(theta: Any, advantage: Any, act: Any) -> Any:
        return factor * weighted(theta, advantage.detach(), act)

    found = advised(weighted, held)
    assert found.verdict == "refuted"
    assert found.reason.endswith("; write wrt=['theta'] if only that is to be compared") is (factor == 1)
    assert advised(weighted, held, wrt=["theta"]).ok is (factor == 1)


def test_what_agrees_by_the_data_alone_is_not_told_to_be_compared() -> None:
    def held(theta: Any, advantage: Any, act: Any) -> Any:
        return weighted(theta.detach(), advantage, act)

    found = advised(weighted, held)
    assert found.verdict == "refuted" and "wrt" not in found.reason
    assert advised(weighted, held, wrt=["advantage"]).ok


def test_what_agrees_at_the_points_drawn_and_not_beyond_is_not_told_to_be_compared() -> None:
    def held(theta: Any, advantage: Any, act: Any) -> Any:
        return weighted(theta.clamp(-50, 50), advantage.detach(), act)

    found = advised(weighted, held)
    assert found.verdict == "refuted" and "wrt" not in found.reason
    assert advised(weighted, held, wrt=["theta"]).verdict == "refuted"


def scaled(x: Any, scale: Any = 1.0) -> Any:
    return scale * x**2


def unscaled(x: Any, scale: Any = 1.0) -> Any:
    return x**2


@pytest.mark.parametrize("wrt", [None, "x"])
def test_what_has_a_space_is_varied_though_it_has_a_default(wrt: Any) -> None:
    found = same_gradient(scaled, unscaled, wrt=wrt, x=Normal(), scale=Uniform(2, 3))
    assert not found.ok and found.claims[0].witness is not None and "scale" in found.claims[0].witness
    assert same_gradient(scaled, unscaled, x=Normal()).ok
    assert same_gradient(scaled, lambda x, *, scale=5, **rest: scale * x * x, x=Normal(), scale=Uniform(2, 3)).ok


@pytest.mark.parametrize(("spaces", "says"), [
    ({"x": Normal(), "scales": Uniform(1, 2)}, "neither function asks for `scales`: leave out scales=. Did you mean `scale`?"),
    ({"x": Masks()}, "x is a number, and Masks() needs an axis to run along: write how many, as x=(Masks(), 3)."),
])  # fmt: skip
def test_a_space_that_would_not_count_says_so(spaces: Any, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        same_gradient(scaled, unscaled, **spaces)


def test_a_seed_of_numpy_is_a_number_in_the_report() -> None:
    w = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    found = [same_gradient(scaled, unscaled, x=Normal(), seed=np.int64(3)), differences(lambda: (w**2).sum(), [w], np.int64(3))]  # type: ignore[arg-type]
    assert [json.loads(json.dumps(report.to_dict()))["seed"] for report in found] == [3, 3]


# ---- a loss between its runs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [True, False])
def test_what_modules_keep_is_left_as_it_was_whatever_is_moved(whole: bool) -> None:
    norm, scale, state = nn.BatchNorm1d(3).double(), torch.ones(3).double().requires_grad_(), drawn(0)(8, 3)
    moved = [*norm.parameters(), scale] if whole else [scale]
    assert slope(lambda: (norm(state) * scale).square().mean(), moved).verdict == "agrees"
    assert norm.running_mean is not None and not norm.running_mean.any()


def test_a_network_that_follows_inside_a_loss_is_put_back() -> None:
    online, slow = nn.Linear(3, 1).double(), nn.Linear(3, 1).double()
    state, before = drawn(0)(8, 3), slow.weight.detach().clone()

    def loss() -> Any:
        gap = (slow(state).detach() - online(state)).square().mean()
        with torch.no_grad():
            slow.weight.lerp_(online.weight, 0.5)
        return gap

    assert slope(loss, online).verdict == "agrees"
    assert torch.equal(slow.weight, before)


@pytest.mark.parametrize("lazy", [lambda: nn.LazyLinear(2, dtype=torch.float64), lambda: nn.LazyBatchNorm1d(dtype=torch.float64)])
def test_a_layer_of_another_module_may_wait_for_its_first_batch(lazy: Any) -> None:
    w, head, state = nn.Parameter(drawn(0)(3)), lazy(), drawn(1)(8, 3)
    assert slope(lambda: head(state * w)[0].square().mean(), [w]).verdict == "agrees"


def test_what_is_asked_of_a_loss_is_asked_at_home() -> None:
    """And values are computed without a graph afterwards, as before."""
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    asked: dict[str, Callable[[Lines], Any]] = {
        "otherwise": lambda lines: lines.otherwise("detaching").tolist(),
        "held": lambda lines: [kept.tolist() for _, _, kept in lines.held().kept],
        "steps": lambda lines: lines.steps(),
        "shaken": lambda lines: lines.shaken(0)[1].tolist(),
        "written": lambda lines: lines.written(),
    }
    with Lines(lambda: (x.detach() * (x**3 if x[0] > 2 else x**2)).sum(), {"x": x}) as lines:
        for name, ask in asked.items():
            found = []
            for there in (lines.here, lines.here + 5):
                lines.value()
                lines.move(there)
                found.append(ask(lines))
                assert not torch.is_grad_enabled(), name
            assert found[0] == found[1], name


def test_a_checkpoint_is_shaken_by_the_last_digit_of_each_parameter() -> None:
    """It runs again unshaken, so its gradient is taken beside home."""
    x = torch.tensor([1e8, 1.0, 1e-8], dtype=torch.float64, requires_grad=True)
    with Lines(lambda: checkpoint(lambda y: (y * y).sum(), x, use_reentrant=False), {"x": x}) as lines:
        off = np.array([lines.shaken(seed)[1] / (2 * lines.here) - 1 for seed in range(8)])
    assert (off != 0).any(axis=0).all() and np.abs(off).max() < 1e-15


@pytest.mark.parametrize("norm", [nn.utils.parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_a_spectral_norm_iterates_in_training(norm: Any) -> None:
    net = norm(nn.Linear(3, 2).double())
    for trains in (True, False):
        net.train(trains)
        with Lines(lambda: net(torch.ones(3).double()).sum(), net) as lines:
            lines.value()
            assert lines.iterates() is trains


class Twofold(nn.Module):
    """Its buffer has the memory of its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(drawn(0)(3))
        self.register_buffer("same", self.weight.data)

    def forward(self, state: Any, through: Any) -> Any:
        return state @ through(self.weight)


@pytest.mark.parametrize(("factor", "verdict"), [(1, "agrees"), (2, "refuted")])
def test_what_lies_in_the_memory_of_a_parameter_moves_with_it(factor: int, verdict: str) -> None:
    net, state = nn.Linear(3, 1).double(), drawn(0)(8, 3)
    flat, several = nn.Parameter(drawn(1)(4)), nn.Parameter(drawn(2)(5, 4))
    through, twofold = bent(lambda g: factor * g), Twofold()

    def at(numbers: Any) -> Any:
        given = {"weight": numbers[:3].view(1, 3), "bias": numbers[3:]}
        return torch.func.functional_call(net, given, (state,)).square().mean()

    assert slope(lambda: at(through(flat)), [flat]).verdict == verdict
    assert slope(lambda: torch.func.vmap(at)(through(several)).sum(), [several]).verdict == verdict
    assert slope(lambda: twofold(state, through).square().mean(), twofold).verdict == verdict


def test_results_are_shaken_either_way_however_large_they_are() -> None:
    for size in (1.0, 1e20):
        numbers = size * (1 + drawn(0)(64).abs())
        with Shaken(0):
            moved = numbers.mul(1)
        assert {-1, 0, 1} >= set((moved - numbers).sign().tolist()) >= {-1, 1}
        assert ((moved / numbers - 1).abs() < 1e-15).all()


def test_what_is_written_while_results_are_shaken_is_written_where_it_belongs() -> None:
    x, y = drawn(0)(3), torch.zeros(3)
    with Shaken(0):
        assert x.mul_(0.3) is x
        y.view(-1)[0] = 5
    assert y.tolist() == [5, 0, 0]


def test_parameters_side_by_side_in_memory_are_apart_and_those_that_overlap_are_not() -> None:
    both = drawn(0)(5)

    def part(start: int, end: int) -> Any:
        return both[start:end].detach().requires_grad_()

    first, second, third = part(0, 2), part(2, 4), part(3, 5)
    twice = [("a", first), ("b", first), ("c", second)]
    assert list(Lines(lambda: first.sum() + second.sum(), twice).leaves) == ["a", "c"]
    with pytest.raises(InputError, match="`b` keeps its numbers where `a` does"):
        differences(lambda: second.sum() + third.sum(), {"a": second, "b": third})


@pytest.mark.parametrize(
    ("loss", "parameters", "says"),
    [
        (lambda: theta[:0], theta, r"returned shape \(0,\); one number was expected"),
        (lambda: theta.sum(), 3, "`parameter 0` is int, not a tensor"),
        (lambda: theta.sum(), [torch.ones(2, dtype=torch.float16, requires_grad=True)], "is float16, in which a slope"),
    ],
)
def test_what_is_no_loss_or_no_parameter_is_told(loss: Any, parameters: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        differences(loss, parameters)


def _unrecorded(code: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        with torch.no_grad():
            return code()

    return run


def test_what_leaves_autograd_is_numbers_and_who_takes_them_is_told() -> None:
    w, state, count = torch.ones(3).double().requires_grad_(), drawn(0)(8, 3), torch.zeros(1, dtype=torch.int64)
    norm = nn.BatchNorm1d(3).double()

    def sample() -> Any:
        return w.detach()

    leaves: list[tuple[Callable[[], Any], list[str]]] = [
        (lambda: torch.detach(input=w), [".detach()"]),
        (sample, [".detach()"]),  # a name of one's own
        (lambda: w.data, [".data"]),
        (lambda: w.argmax(), []),
        (lambda: count.add_(1), []),
        (lambda: (w * 2).mul_(3), []),
        (_unrecorded(lambda: w.max(0)), ["torch.no_grad()"]),
        (lambda: norm.train()(state * w), ["BatchNorm in training"]),
        (lambda: norm.eval()(state * w), []),
        (lambda: F.batch_norm(state * w, norm.running_mean, norm.running_var), []),
        (lambda: F.batch_norm(state * w, None, None, training=True), []),
    ]
    for code, by in leaves:
        with Held() as held:
            code()
        assert [found for found, _, _ in held.kept] == by


def test_what_is_held_is_what_some_gave_the_first_time_and_nothing_else() -> None:
    w, kept = torch.ones(3).double().requires_grad_(), torch.zeros(3).double()

    def taken() -> Any:
        frozen, listed = (w * 1).detach(), torch.tensor((w * 1).tolist()).sum()
        frozen.add_(1)  # what is held stays as it was
        return frozen.sum().item(), listed.item()

    def moved() -> Any:
        kept.zero_()
        return kept.add_(w) is kept, kept.tolist()

    with Held() as held:
        assert taken() == (6, 3)
    with Held() as written:
        _unrecorded(moved)()
    with torch.no_grad():
        w.mul_(5)
    for who, found in (([".detach()"], (6, 15)), ([".tolist()"], (18, 3)), ([".detach()"], (6, 15))):
        with held.again(who):
            assert taken() == found
    with written.again(["torch.no_grad()"]):
        assert _unrecorded(moved)() == (True, [1, 1, 1])
    for other in (lambda: w.tolist(), lambda: (taken(), taken())):
        with pytest.raises(RuntimeError, match="the loss goes another way"), held.again([]):
            other()


def test_a_soft_draw_that_does_not_say_whether_it_is_hard_is_soft() -> None:
    w = torch.zeros(3).double().requires_grad_()

    def loss(factor: float) -> Any:
        return (F.gumbel_softmax(w) * torch.arange(3)).sum() + bent(lambda g: factor * g)(w).sum()

    assert slope(lambda: loss(1), w).verdict == "agrees"
    assert slope(lambda: loss(2), w).verdict == "refuted"
    with Lines(lambda: loss(1), {"w": w}) as lines:
        assert lines.otherwise("soft draws") is not None


@pytest.mark.parametrize("size", [1, 3, 4, 1001])
def test_a_direction_moves_every_entry_and_comes_from_its_seed(size: int) -> None:
    p = torch.zeros(size, dtype=torch.float64, requires_grad=True)
    lines = Lines(lambda: p.sum(), p)
    rows, again, other = (lines.drawn(8, seed) for seed in (0, 0, 1))
    assert rows.shape == (8, size) and (rows % 2 == 1).all()
    assert (rows == again).all() and (rows != other).any() and (rows[0] != rows[1]).any()
