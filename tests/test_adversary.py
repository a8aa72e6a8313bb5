"""Wrong verdicts that were found by trying to get them, each named by what was wrong."""

from __future__ import annotations

import functools
import math
import random
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl import (
    AtMost,
    Bernoulli,
    Categorical,
    Claim,
    Covariance,
    Differs,
    Draw,
    E,
    Equal,
    Erratum,
    Gaussian,
    Gradient,
    InputError,
    Masks,
    Mean,
    Mistake,
    Named,
    OneOf,
    Parameter,
    Point,
    Problem,
    ProblemError,
    Rows,
    Simplex,
    Uniform,
    Value,
    Variable,
    Within,
    array,
    check,
    erfc,
    exp,
    log,
    log_prob,
    log_softmax,
    maximum,
    minimum,
    module,
    sigmoid,
    sin,
    softmax,
    sqrt,
    step,
    tanh,
)
from gradcheck_rl.cli import main
from gradcheck_rl.estimate import Estimate
from gradcheck_rl.verdict import Verdict, compare

x, y = Parameter("x", 2), Variable("y", 2)
a = Draw("a", Categorical(logits=x))
J = E(y[a])


def f(x: Any, y: Any) -> Any:
    return (x * y).sum()


def score(x: Any, y: Any, a: Any) -> Any:
    return x.log_softmax(-1)[a] * y[a]


slope = Claim("The slope is y.", Equal(Gradient(f), y))
value = Claim("It is x y.", Equal(Value(f), (x * y).sum()))
unbiased = Claim("The score is unbiased.", Equal(Mean(Gradient(score)), Gradient(J)))


def line(claim: Any, answer: Any = None, **page: Any) -> Any:
    """What becomes of one claim."""
    return check(Problem(title="Page", claims=(claim,), **page), answer).claims[0]


def answered(own: Any) -> Any:
    return line(slope, {f: own})


# ---- the comparison -------------------------------------------------------------------------------------------------------


def known(values: list[float], radii: list[float]) -> Estimate:
    return Estimate(np.array([values], dtype=float), np.array([radii], dtype=float))


@given(wide=st.sampled_from([1.0, 100.0, math.inf, math.nan]), off=st.floats(1e-11, 1e-7))
def test_a_small_gap_in_one_coordinate_does_not_pass_another_that_is_not_known(wide: float, off: float) -> None:
    left, right = known([off, 5.0], [1e-13, wide]), known([0.0, 5.0], [0.0, 0.0])
    gap, slack = np.abs(left.value - right.value), left.radius
    assert compare(gap, left, right, slack, slack, 1e-6, faint=1e-6)[0] is Verdict.UNDECIDED
    sure = np.minimum(np.nan_to_num(slack, nan=0), 1e-13)
    assert compare(gap, left, right, sure, sure, 1e-6, faint=1e-6)[0] is Verdict.AGREES


@pytest.mark.parametrize(
    ("left", "right", "holds"),
    [(-math.inf, 0, True), (1, math.inf, True), (math.inf, 0, False), (math.nan, 0, False), (0, math.nan, False)],
)
def test_minus_infinity_is_at_most_anything_and_what_is_no_number_is_not(left: float, right: float, holds: bool) -> None:
    a, b = known([left], [0]), known([right], [0])
    relation = AtMost(0, 0)
    with np.errstate(all="ignore"):
        excess = relation.excess(a, b)
    verdict = compare(excess, a, b, np.zeros((1, 1)), np.zeros((1, 1)), 1e-6)[0]
    assert (verdict is Verdict.AGREES) is holds


def test_what_is_no_number_differs_from_nothing() -> None:
    apart = Claim("It is never seven.", Differs(Gradient(f), 7))
    assert line(apart).verdict == "agrees"
    assert line(apart, {f: lambda x, y: (x * y).sum() * math.nan}).verdict == "refuted"
    endless = Claim("They are apart.", Differs(Value(f), math.inf))
    assert line(endless, {f: lambda x, y: (x * y).sum() + math.inf}).verdict == "refuted"


def test_an_erratum_is_not_refuted_by_a_formula_that_is_undefined() -> None:
    undefined = Erratum("log y is log y.", Equal(Value(log(y[0])), log(y[0])), instead=value)
    wrong = Erratum("log y is 1 + log y.", Equal(Value(log(y[0])), 1 + log(y[0])), instead=value)
    first, second = check(Problem(title="Page", claims=(value,), errata=(undefined, wrong))).claims[1:]
    assert (first.ok, second.ok) == (False, True)


# ---- code under test ------------------------------------------------------------------------------------------------------


class Stop(BaseException):
    """Not an Exception: an ordinary handler lets it through."""


@pytest.mark.parametrize("error", [SystemExit(0), Stop("now"), RecursionError(), MemoryError()])
def test_code_cannot_end_the_check(error: BaseException) -> None:
    def stop(x: Any, y: Any) -> Any:
        raise error

    found = answered(stop)
    assert found.verdict == "refuted"
    assert f"raised {type(error).__name__}" in found.reason


def test_an_answer_that_exits_does_not_pass_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page.py").write_text(
        "from gradcheck_rl import *\nx = Parameter('x', 2)\ndef f(x): return x.sum()\n"
        "c = Claim('One.', Equal(Gradient(f), 1))\nproblem = Problem(title='P', claims=(c,))\n"
    )
    (tmp_path / "mine.py").write_text("def f(x): exit()\n")
    assert main([str(tmp_path / "page.py"), "--answer", str(tmp_path / "mine.py"), "--quiet"]) == 1
    assert "SystemExit" in capsys.readouterr().out


def torch_noise(x: Any, y: Any) -> Any:
    return (x * y).sum() + 1e-9 * torch.randn(()) * x.sum()


def python_noise(x: Any, y: Any) -> Any:
    return (x * y).sum() + 1e-9 * random.random() * x.sum()


def numpy_noise(x: Any, y: Any) -> Any:
    return (x * y).sum() + 1e-9 * np.random.rand() * x.sum()


@pytest.mark.parametrize("noisy", [torch_noise, python_noise, numpy_noise])
def test_randomness_inside_a_function_is_told(noisy: Callable[..., Any]) -> None:
    assert "draws random numbers of its own" in answered(noisy).reason


def test_a_function_that_seeds_itself_is_not_random() -> None:
    def seeded(x: Any, y: Any) -> Any:
        torch.manual_seed(0)
        return (x * y).sum() + 0 * torch.randn(())

    assert answered(seeded).verdict == "agrees"


def test_code_may_write_into_its_arguments() -> None:
    def doubles(x: Any, y: Any, a: Any) -> Any:
        y *= 2
        return x.log_softmax(-1)[int(a)] * y[int(a)] / 2

    assert line(unbiased, {score: doubles}).verdict == "agrees"


def test_code_that_cannot_be_mapped_is_called_one_by_one_whatever_it_raised() -> None:
    def by_name(x: Any, y: Any, a: Any) -> Any:
        return x.log_softmax(-1)[{"tensor(0)": 0, "tensor(1)": 1}[str(a)]] * y[a]

    assert line(unbiased, {score: by_name}).verdict == "agrees"


def test_an_imaginary_part_is_not_dropped() -> None:
    assert "complex" in line(value, {f: lambda x, y: (x * y).sum() + 1j * x.sum()}).reason


def test_gradients_that_a_file_switched_off_are_on_for_its_functions() -> None:
    torch.set_grad_enabled(False)
    try:
        assert answered(f).verdict == "agrees"
    finally:
        torch.set_grad_enabled(True)


def test_a_constant_of_numpy_does_not_make_torch_code_numpy_code() -> None:
    def with_constant(x: Any, y: Any) -> Any:
        return (x * y).sum() + np.log(2 * np.pi)

    assert answered(with_constant).verdict == "agrees"
    assert "has no gradient" in answered(lambda x, y: np.sum(np.asarray(x) * np.asarray(y))).reason


# ---- how an answer takes its arguments ------------------------------------------------------------------------------------


class Callable_:
    __hash__ = None  # type: ignore[assignment]  # as of a dataclass

    def __call__(self, x: Any, y: Any) -> Any:
        return (x * y).sum()


class Layer(torch.nn.Module):
    def forward(self, x: Any, y: Any) -> Any:
        return (x * y).sum()


def undecorated(*args: Any, **kwargs: Any) -> Any:
    return f(*args, **kwargs)


def positional(x: Any, y: Any, /) -> Any:
    return (x * y).sum()


def keyword(*, y: Any, x: Any) -> Any:
    return (x * y).sum()


def defaulted(x: Any, y: Any = None) -> Any:
    return (x * y).sum()


def scaled(x: Any, y: Any, by: float = 1.0) -> Any:
    return by * (x * y).sum()


def starred(*both: Any) -> Any:
    return (both[0] * both[1]).sum()


TAKERS = [
    undecorated, positional, keyword, defaulted, scaled, starred, Callable_(), Layer(),
    functools.partial(scaled), functools.partial(scaled, by=1.0),
]  # fmt: skip


@pytest.mark.parametrize("own", TAKERS, ids=range(len(TAKERS)))
def test_an_answer_may_take_its_arguments_as_it_likes(own: Any) -> None:
    assert answered(own).verdict == "agrees"
    wrong = functools.partial(lambda *args, **kwargs: -own(*args, **kwargs))
    assert answered(wrong).verdict == "refuted"


def test_a_builtin_does_not_tell_its_arguments() -> None:
    with pytest.raises(InputError, match=re.escape("does not tell its arguments: write `def f(x, y): ...` around it.")):
        answered(torch.dot)


def test_a_builtin_as_a_default_is_no_slot() -> None:
    def activated(x: Any, act: Any = torch.tanh) -> Any:
        return act(x).sum()

    assert line(Claim("So.", AtMost(Gradient(activated), 1))).verdict == "agrees"


def test_an_answer_that_calls_what_it_replaces_means_the_original() -> None:
    def minus(x: Any, y: Any, f: Any = f) -> Any:
        return -f(x, y)

    assert answered(minus).verdict == "refuted"
    assert answered(lambda x, y, f=minus: -f(x, y)).verdict == "agrees"


def test_an_answer_returns_as_many_numbers_as_the_function_it_replaces() -> None:
    halves = Claim("Each is a half.", Equal(Value(even), (sp.Rational(1, 2),) * 2))
    assert line(halves).verdict == "agrees"
    assert line(halves, {even: lambda x: torch.tensor(0.5)}).verdict == "refuted"
    assert line(value, {f: lambda x, y: (x * y).sum() * torch.ones(3)}).verdict == "refuted"


def even(x: Any) -> Any:
    return torch.full((2,), 0.5)


# ---- ways to compute ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["listed", "integrated", "sampled", "differences", "autodiff"])
def test_a_way_that_is_asked_for_and_does_not_apply_decides_nothing(way: str) -> None:
    found = line(Claim("So.", Equal(Gradient(J) * 1, softmax(x) * (y - J)), by=way))
    assert (found.verdict, found.routes[0].route) == ("undecided", way)
    both = line(Claim("So.", Equal(Gradient(J) * 1, softmax(x) * (y - J)), by=("symbolic", way)))
    assert both.verdict == "agrees"


def test_a_proof_that_is_asked_for_and_not_found_decides_nothing() -> None:
    assert line(Claim("So.", Equal(Gradient(f), y), by="proof")).verdict == "undecided"
    assert line(Claim("No.", Equal(Gradient(f), 2 * y), by="proof")).verdict == "refuted"
    assert line(Claim("So.", Equal(Gradient(J), softmax(x) * (y - J)), by="proof")).verdict == "proved"


def test_two_claims_that_share_a_quantity_are_each_sampled_to_their_own_resolution() -> None:
    shared = Mean(Gradient(score))
    claims = [Claim(f"To {r}.", Equal(shared, Gradient(J)), by="sampled", resolution=r) for r in (0.05, 0.01)]
    assert [c.verdict for c in check(Problem(title="Page", claims=claims, points=2)).claims] == ["agrees", "agrees"]


def test_the_mean_of_another_estimator_is_judged_and_not_assumed() -> None:
    """Its first look is short, and bounds no variance: the second look was skipped, and the reference's own mean taken."""
    sampled = Claim("So.", Equal(Mean(Gradient(score)), Gradient(J)), by="sampled", resolution=0.05)
    for off, verdict in ((0.0, "agrees"), (0.3, "refuted")):

        def louder(x: Any, y: Any, a: Any, off: float = off) -> Any:
            return x.log_softmax(-1)[a] * (y[a] + 4) + off * x[0]

        found = line(sampled, {score: louder}, points=3)
        assert found.verdict == verdict
        assert all(r is not None and r > 0 for r in found.radius)


def test_a_mean_over_no_draw_is_what_it_is_the_mean_of() -> None:
    assert line(Claim("So.", Equal(Mean(Gradient(f)), y))).verdict == "agrees"
    assert line(Claim("So.", Equal(Covariance(Gradient(f)), 0))).verdict == "agrees"


# ---- pages ----------------------------------------------------------------------------------------------------------------


def test_a_mistake_that_crashes_is_not_caught_by_its_claim() -> None:
    def crashes(x: Any, y: Any) -> Any:
        raise NameError("z")

    def wrong(x: Any, y: Any) -> Any:
        return -f(x, y)

    found = check(
        Problem(title="Page", claims=(slope,), mistakes=(Mistake("a", {f: crashes}, slope), Mistake("b", {f: wrong}, slope)))
    )
    assert [m.caught for m in found.mistakes] == [False, True]


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda: line(Claim("s", Equal(Gradient(f)[5], 0))), "no coordinates"),
        (lambda: line(Claim("s", Equal(Value(x[0])[5], 0))), "out of range"),
        (lambda: Claim("s", Equal(Gradient(f), y), where=True), "where=True"),  # type: ignore[arg-type]
        (lambda: Claim("s", Equal(Gradient(f), y), by=3), "by=3"),  # type: ignore[arg-type]
        (lambda: Claim("s", Equal(Gradient(f), y), resolution="1"), "resolution='1'"),  # type: ignore[arg-type]
        (lambda: Gradient(f, "x"), "by 'x'"),  # type: ignore[arg-type]
        (lambda: Value(f, dtype="float8"), "dtype='float8'"),
        (lambda: Variable("v", over=3), "no space"),  # type: ignore[arg-type]
        (lambda: Variable("v", over=Simplex()), "needs an axis"),
        (lambda: line(Claim("s", Equal(v_of_two.sum(), v_of_two.sum()))), "choice of shape"),
        (lambda: line(slope, points=0), "points=0"),
        (lambda: line(slope, mistakes=(Mistake("m", f, slope),)), "replacement"),  # type: ignore[arg-type]
        (lambda: line(slope, mistakes=(Mistake("m", {f: None}, slope),)), "NoneType"),  # type: ignore[dict-item]
        (lambda: line(slope, mistakes=(Mistake("m", {even: f}, slope),)), "no function of"),
    ],
)
def test_what_a_page_gets_wrong_is_told_in_a_sentence(write: Callable[[], Any], says: str) -> None:
    with pytest.raises(ProblemError, match=re.escape(says)):
        problem = write()
        check(Problem(title="Page", claims=(problem,)))


v_of_two = Variable("v", 3, over=OneOf((1, 2), (3, 4)))


def test_given_data_keep_what_the_model_assumes_of_them() -> None:
    sd, p = Variable("sd", over=Uniform(0.1, 2)), Variable("p", 3, over=Simplex())
    true = Claim("So.", Equal(Value(sd + p[0]), sd + 1 - p[1] - p[2]))
    quarter = sp.Rational(1, 4)
    assert line(true, corners=(Point(sd=1, p=(2 * quarter, quarter, quarter)),)).ok
    for corner, says in ((Point(sd=-1), "it is positive"), (Point(p=(quarter, quarter, quarter)), "do not sum to 1")):
        with pytest.raises(ProblemError, match=says):
            line(true, corners=(corner,))


def test_data_that_are_not_finite_reach_the_code() -> None:
    assert line(slope, corners=(Point(x=math.inf), Point(y=1))).verdict == "agrees"


# ---- a claim about each outcome -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [False, True])
@pytest.mark.parametrize("allowed", [(1, 1), (0, 1)])
def test_what_differs_for_some_outcomes_only_does_not_differ(allowed: tuple[int, int], code: bool) -> None:
    """A coordinate that is apart speaks for its own outcome; one that cannot happen has no say."""
    arm = Draw("arm", Categorical(logits=x, allowed=allowed))

    def pay(y: Any, arm: Any) -> Any:
        return torch.stack([y[arm] ** 2 + 1, y[arm]])

    left, first = Value(pay) if code else Value([y[arm] ** 2 + 1, y[arm]]), [y[0] ** 2 + 1, y[0]]
    claims = (
        Claim("The two are apart.", Differs(left, [0, y[arm]])),
        Claim("The second arm pays another sum.", Differs(left, first), where=Differs(arm, 0)),
        Claim("No arm pays what the first one pays.", Differs(left, first)),
    )
    found = [c.verdict for c in check(Problem(title="Page", claims=claims, world=(arm,))).claims]
    assert found == ["agrees", "agrees", "refuted" if allowed[0] else "agrees"]


# ---- what a formula is at a jump, or where a ball does not tell -----------------------------------------------------------


@pytest.mark.parametrize("at_zero", [0, sp.Rational(1, 3), sp.Rational(1, 2), 1])
def test_a_heaviside_is_at_zero_what_is_written(at_zero: Any) -> None:
    coin = Draw("coin", Bernoulli(logit=x[0]))
    mean = E(sp.Heaviside(coin[()] - 1, at_zero))
    chance = softmax(array(0, x[0]))[1]
    assert line(Claim("Right.", Equal(mean, at_zero * chance))).verdict == "proved"
    assert line(Claim("Wrong.", Equal(mean, (at_zero - sp.Rational(1, 3)) * chance))).verdict == "refuted"


def test_what_is_zero_in_letters_is_zero_for_a_root_and_a_jump() -> None:
    """Of numbers it is a ball about zero, whose lower half has no root: that refutes nothing."""
    nothing = sigmoid(y[0]) + sigmoid(-y[0]) - 1
    assert line(Claim("It has no spread.", Equal(Value(sqrt(nothing)), 0))).verdict == "proved"
    assert line(Claim("It has one.", Equal(Value(sqrt(nothing)), 2))).verdict == "refuted"
    assert line(Claim("It has a small one.", Equal(Value(sqrt(nothing)), sp.Rational(1, 1000)))).verdict == "undecided"
    assert line(Claim("It is 1 from zero on.", Equal(Value(step(nothing)), 1))).verdict == "undecided"
    assert line(Claim("It is 1 below zero too.", Equal(Value(step(nothing - 1)), 1))).verdict == "refuted"
    assert line(Claim("It is more.", Equal(Value(step(nothing)), 2))).verdict == "refuted"


@pytest.mark.parametrize("finite", [False, True])
def test_a_product_of_what_is_huge_and_what_is_tiny_is_its_value(finite: bool) -> None:
    far = Variable("far", over=OneOf(800))
    noise = Draw("noise", Bernoulli(logit=x[0]) if finite else Gaussian(0, 1))
    tiny = exp(far) * (1 - tanh(far) ** 2)  # 4 exp(-800)

    def plain(noise: Any) -> Any:
        return torch.tanh(1 + 0 * noise)

    def other(noise: Any) -> Any:
        return 1.001 * plain(noise)

    for model in (Value(tanh(1 + noise * tiny)), Mean(Value(tanh(1 + noise * tiny)))):
        mean = isinstance(model, Mean)
        same = Claim("Same.", Equal(Mean(Value(plain)) if mean else Value(plain), model))
        assert line(same).verdict == "agrees"
        assert line(same, {plain: other}).verdict == "refuted"


@pytest.mark.parametrize("inside", [lambda z: log(z**2), lambda z: log(sp.Abs(sin(z)))])
def test_what_is_infinite_at_the_centre_of_a_draw_has_a_mean(inside: Any) -> None:
    """Nobody draws the centre itself."""
    noise = Draw("noise", Gaussian(x[0], 1))
    mean = E(inside(noise[()]))
    for at in (Point(x=(0, 0)), Point(x=(Fraction(1, 4), 0))):
        for quantity in (Value(mean), Mean(Value(inside(noise[()])))):
            assert line(Claim("It is a small number.", Within(quantity, (-2, 0)), at=at)).verdict != "refuted"
            assert line(Claim("It is a large one.", Within(quantity, (3, 4)), at=at)).verdict == "refuted"


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))

    def forward(self, y: Any) -> Any:
        return (self.weight * y).sum()


class Given(Net):
    """With parameters of its own, and the page's."""

    def forward(self, x: Any, y: Any) -> Any:
        return self.weight.mean() * (x * y).sum()


@pytest.mark.parametrize(("own", "named"), [(Net(), "weight"), (Net, "...")])
def test_a_network_in_a_functions_place_is_told_of_module(own: Any, named: str) -> None:
    write = f"write `def f(x, y): ...`, and below it `f = module(Net, f, x={named!r})`, with `from gradcheck_rl import module`."
    with pytest.raises(InputError, match=re.escape(f"the network Net, whose parameters are its own: {write}")):
        answered(own)


def test_a_network_that_takes_what_the_page_gives_is_a_function() -> None:
    assert answered(Given()).verdict == "agrees"
    assert answered(module(Net, f, x="weight")).verdict == "agrees"


def test_a_jump_beside_a_mean_that_bends_in_its_own_draw_is_integrated() -> None:
    """E[min(w, u)] is w less the mean of z's positive half; the jump is at u = -w."""
    w = Parameter("w", over=OneOf(0, 1, 2))
    u = Draw("u", Gaussian(w, 1))
    inner, up = w - 1 / sqrt(2 * sp.pi), erfc(-sqrt(2) * w) / 2
    mean = Mean(Value(maximum(step(w + u), E(minimum(w, u)))))
    right = up * maximum(1, inner) + (1 - up) * maximum(0, inner)
    assert line(Claim("So.", Equal(mean, right))).verdict == "agrees"
    assert line(Claim("Not so.", Equal(mean, right + up / 1000))).verdict == "refuted"


@pytest.mark.parametrize("mask", [Variable("mask", 3, over=Masks()), (1, 0, 1)])
def test_a_forbidden_action_has_the_log_probability_that_code_gives_it(mask: Any) -> None:
    z = Parameter("z", 3)
    off = Named("off", array(*mask))

    def code(z: Any, off: Any) -> Any:
        return z.masked_fill(off == 0, -torch.inf).log_softmax(-1)

    def mass(z: Any, off: Any) -> Any:
        return code(z, off).exp().sum()

    logs = log_softmax(z, mask)
    said = (
        Claim("Its logarithm.", Equal(Value(code), logs)),
        Claim("Itself.", Equal(exp(logs), softmax(z, mask))),
        Claim("The whole.", Equal(exp(logs).sum(), 1)),
        Claim("Its slope.", Equal(Gradient(mass), Gradient(exp(logs).sum()))),
    )
    found = check(Problem("Masked", said, world=(off,)))
    assert [c.verdict for c in found.claims] == ["agrees", "proved", "proved", "agrees"]
    assert line(Claim("As if all were allowed.", Equal(Value(code), log_softmax(z))), world=(off,)).verdict == "refuted"


def test_a_formula_that_is_no_number_is_told_where_0_log_0_counts_for_nothing() -> None:
    """The entropy under a mask: as a sum it is no number where an action is forbidden, as E(...) it is."""
    z, mask = Parameter("z", 3), Variable("mask", 3, over=Masks())
    action = Draw("action", Categorical(logits=z, allowed=mask))
    listed, meant = -(softmax(z, mask) * log_softmax(z, mask)).sum(), -E(log_prob(action))
    found = line(Claim("So.", Equal(listed, meant)))
    assert found.verdict == "refuted" and "no number there: 0 log 0 counts for nothing inside E(...) alone" in found.reason
    assert "no number there" not in line(Claim("Not so.", Equal(meant, 2 * meant))).reason


# ---- how an answer takes what the page's own code hands over --------------------------------------------------------------


def lever(x: Any, y: Any, power: int = 2) -> Any:
    return ((x - 3 * y) ** power).sum()


def by_place(x: Any, y: Any, lever: Any = lever) -> Any:
    return lever(x, y, 3)


def by_name(x: Any, y: Any, lever: Any = lever) -> Any:
    return lever(power=3, y=y, x=x)


def _turned(y: Any, x: Any, power: int = 2) -> Any:
    return lever(x, y, power)


def _keyword(*, y: Any, x: Any, power: int = 2) -> Any:
    return lever(x, y, power)


def _positional(x: Any, y: Any, power: int = 2, /) -> Any:
    return lever(x, y, power)


def _rest(x: Any, *rest: Any) -> Any:
    return lever(x, *rest)


def _turned_rest(y: Any, *rest: Any) -> Any:
    return lever(rest[0], y, *rest[1:])


def _rest_by_name(x: Any, *rest: Any, y: Any) -> Any:
    return lever(x, y, *rest)


@pytest.mark.parametrize("slot", [by_place, by_name])
@pytest.mark.parametrize("own", [
    _turned, _keyword, _positional, _rest, _turned_rest, _rest_by_name, functools.partial(_turned), lambda *all: lever(*all),
    lambda **named: lever(**named), lambda *args, **named: _keyword(*args, **named),
], ids=range(10))  # fmt: skip
def test_what_the_page_hands_over_by_place_or_name_comes_to_an_answer_as_it_takes_it(own: Any, slot: Any) -> None:
    claim = Claim("The cube's.", Equal(Gradient(slot), 3 * (x - 3 * y) ** 2))
    assert line(claim, {lever: own}).verdict == "agrees"
    assert line(claim, {lever: functools.partial(lambda *args, **named: -own(*args, **named))}).verdict == "refuted"


def test_what_only_the_code_of_the_page_calls_may_have_names_of_its_own() -> None:
    claim = Claim("The cube's.", Equal(Gradient(by_place), 3 * (x - 3 * y) ** 2))
    assert line(claim, {lever: lambda u, v, power=2: lever(u, v, power)}).verdict == "agrees"


def test_what_a_partial_has_fixed_stays_fixed() -> None:
    assert answered(functools.partial(f, y=torch.zeros(2, dtype=torch.float64))).verdict == "refuted"


def test_a_class_is_no_function() -> None:
    class Product:
        def __init__(self, x: Any, y: Any) -> None: ...

    with pytest.raises(InputError, match=re.escape("the answer for `f` is type, not a function: write `def f(x, y): ...`.")):
        answered(Product)


def test_an_answer_is_not_given_what_it_does_not_read() -> None:
    def shifted(x: Any, y: Any) -> Any:
        return 2 * x.sum() + y.sum()

    def around(x: Any, y: Any, shifted: Any = shifted) -> Any:
        return shifted(x, y)

    claim = Claim("It is 2.", Equal(Gradient(around), (2, 2)))
    for factor, verdict in ((2, "agrees"), (3, "refuted")):
        for own in (
            lambda *, x, by=factor: by * x.sum(),
            lambda x, /, by=factor: by * x.sum(),
            lambda x, by=factor: by * x.sum(),
        ):
            assert line(claim, {shifted: own}).verdict == verdict


@pytest.mark.parametrize(("factor", "verdict"), [(2, "agrees"), (3, "refuted")])
def test_a_function_that_an_answer_calls_by_default_is_a_slot_however_the_answer_takes_its_arguments(
    factor: int, verdict: str
) -> None:
    def twice(x: Any) -> Any:
        return 2 * x

    def sums(x: Any, twice: Any = twice) -> Any:
        return twice(x).sum()

    def mine(*, x: Any, twice: Any = twice) -> Any:
        return twice(x).sum()

    claim = Claim("It is 2.", Equal(Gradient(sums), (2, 2)))
    assert line(claim, {sums: mine, twice: lambda x: factor * x}).verdict == verdict


class Wrapped(Net):
    def forward(self, *args: Any, **named: Any) -> Any:
        return self.weight.mean() * f(*args, **named)


class OfY(torch.nn.Module):
    def forward(self, y: Any) -> Any:
        return y.sum()


class Biased(Net):
    def __init__(self) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.ones(()))


class OfX(Net):
    def forward(self, x: Any, y: Any) -> Any:
        return (x * self.weight * y).sum()


def test_which_network_is_a_function_is_seen_by_its_parameters_and_what_it_takes() -> None:
    assert answered(Wrapped()).verdict == "agrees"
    assert answered(OfY()).verdict == "refuted"
    with pytest.raises(InputError, match=re.escape("`f = module(Biased, f, x='weight')`")):
        answered(Biased())
    w = Parameter("w", 2)

    def product(x: Any, w: Any, y: Any) -> Any:
        return (x * w * y).sum()

    claim = Claim("So.", Equal(Gradient(product, x), w * y))
    with pytest.raises(InputError, match=re.escape("`product = module(OfX, product, x='weight', w='...')`")):
        line(claim, {product: OfX()}, world=(w,))


def test_an_answer_asks_for_no_more_than_every_claim_gives() -> None:
    def sums(x: Any) -> Any:
        return x.sum()

    def scale(u: Any) -> Any:
        return 1.0 * u

    claims = (
        Claim("On rows.", Equal(Mean(Gradient(sums) * Value(scale), over=Rows(u=(1, 3))), (2, 2))),
        Claim("Without.", Equal(Gradient(sums), (1, 1))),
    )
    page = Problem("Page", claims)
    assert [c.verdict for c in check(page, {sums: lambda x: x.sum()}).claims] == ["agrees", "agrees"]
    with pytest.raises(InputError, match="the answer for `sums` asks for `u`; it is given x"):
        check(page, {sums: lambda x, u: u * x.sum()})
