"""The loop over claims: names, answers, errata, mistakes, witnesses, and what is said of bad input."""

from __future__ import annotations

import io
import shlex
from contextlib import chdir, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from flint import ctx
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, exp, oo, sqrt

from gradcheck_rl import (
    AtMost,
    Bernoulli,
    Categorical,
    Claim,
    Covariance,
    Curl,
    Derivation,
    Differs,
    Draw,
    E,
    Equal,
    Erratum,
    Gaussian,
    Gradient,
    Hull,
    InputError,
    LogRational,
    Masks,
    Mean,
    Mistake,
    Named,
    NonFinite,
    Normal,
    OneOf,
    Parameter,
    Point,
    Printed,
    Problem,
    ProblemError,
    Raises,
    Rows,
    Simplex,
    Trace,
    Uniform,
    Value,
    Variable,
    Within,
    array,
    batch,
    check,
    clip,
    diff,
    differences,
    episode,
    frozen,
    log,
    log_prob,
    log_softmax,
    maximum,
    minimum,
    module,
    softmax,
    step,
)
from gradcheck_rl.cli import main
from gradcheck_rl.errors import raised
from gradcheck_rl.load import load
from gradcheck_rl.render import json

theta = Parameter("theta", 3, over=LogRational())
reward = Variable("reward", 3, over=Uniform(-2, 2))
action = Draw("action", Categorical(softmax(theta)))
J = E(reward[action])


def log_pi(theta: Any) -> Any:
    return theta.log_softmax(-1)


def reinforce(theta: Any, reward: Any, action: Any, log_pi: Any = log_pi) -> Any:
    return log_pi(theta)[action] * reward[action]


unbiased = Claim("REINFORCE is unbiased.", Equal(Mean(Gradient(reinforce)), Gradient(J)), source="X-1, X-2")
page = Problem(title="A softmax", claims=(unbiased,), corners=(Point(theta=(log(2), 0, log(3))),))


def only(report: Any) -> Any:
    assert len(report.claims) == 1
    return report.claims[0]


def test_the_reference_agrees_and_names_the_routes() -> None:
    line = only(check(page))
    assert (line.verdict, line.ok) == ("agrees", True)
    assert {"listed", "autodiff", "symbolic"} <= set(line.routes[0].route.split(" + "))


def test_what_is_no_law_is_refused_where_it_is_none() -> None:
    p = Parameter("p", over=Uniform(1.2, 2))
    coin, level = Draw("coin", Bernoulli(p)), Draw("level", Gaussian(0, 1 - p))
    for draw, sentence in ((coin, "a probability of `coin` is -0.9"), (level, "a standard deviation is -0.9")):
        claim = Claim("It has a size.", AtMost(0, Mean(Value(abs(draw)))), at=Point(p=1.9))
        with pytest.raises(ProblemError, match=sentence):
            check(Problem(title="No law", claims=(claim,)))
    either = Parameter("either", over=Uniform(-2, 2))
    seen = Draw("seen", Gaussian(0, either))
    with pytest.raises(ProblemError, match="a standard deviation of `seen` is -"):  # the closed form has the square only
        check(Problem(title="No law", claims=(Claim("Its square.", Equal(E(seen**2), either**2)),)))
    with pytest.raises(ProblemError, match="a standard deviation of Gaussian is -1"):
        Gaussian(0, -1)
    with pytest.raises(ProblemError, match="has a negative variance in some direction"):
        Gaussian([0, 0], covariance=[[1, 2], [2, 1]])


noise = Draw("noise", Gaussian(0, 1))
share = Variable("share", over=Uniform(0.1, 0.9))
by_noise = Draw("by_noise", Bernoulli(noise))
short = Draw("short", Categorical([share, Rational(1, 3)]))


@pytest.mark.parametrize("by", [None, "proof"])
@pytest.mark.parametrize(
    ("that", "sentence"),
    [
        (Equal(E(by_noise * noise), 1), r"the probabilities of a draw are .*, .* at a point: write ones from 0 to 1"),
        (Equal(E(noise**2 * short), Rational(1, 3)), "the probabilities of `short` sum to .* at a point"),
        (Equal(E(short), Rational(1, 3)), "the probabilities of `short` sum to .* at a point"),
    ],
)
def test_a_proof_needs_laws_that_are_some(that: Any, sentence: str, by: Any) -> None:
    with pytest.raises(ProblemError, match=sentence):
        check(Problem(title="No law", claims=(Claim("So.", that, by=by),)))


def test_what_an_answer_keeps_of_its_first_call_is_told_on_a_page_of_a_file_too() -> None:
    kept: list[Any] = []

    def keeping(theta: Any, reward: Any, action: Any) -> Any:
        if not kept:
            kept.append(reward * 1)  # all points are one call, where this is right
        return theta.log_softmax(-1)[action] * kept[0][action]

    def right(theta: Any, reward: Any, action: Any) -> Any:
        return theta.log_softmax(-1)[action] * reward[action]

    slot = TINY.functions["reinforce"]
    verdicts = [check(TINY, {slot: own}, only=["unbiased"]).claims[0].verdict for own in (keeping, right)]
    assert verdicts == ["refuted", "agrees"]


def test_a_number_that_is_exact_is_written_so_beside_one_that_is_not() -> None:
    x = Parameter("x", over=Uniform(1, 2))
    both = Claim("Both.", Equal(Value(array(Rational(-1, 3), log(2), exp(1))), array(Rational(-1, 3), log(2), exp(1))))
    (line,) = check(Problem("Mixed", claims=(both,), world=(x,))).claims
    assert line.value is not None and line.radius is not None
    assert line.value[:2] == ["-1/3", "log(2)"] and line.radius[:2] == [0, 0] and isinstance(line.value[2], float)


def test_a_law_is_one_where_its_claim_is() -> None:
    p = Variable("p", over=Uniform(-3, 1))
    coin = Draw("coin", Bernoulli(p))
    (line,) = check(Problem("Where", claims=(Claim("So.", Equal(E(coin), p), where=AtMost(0, p)),))).claims
    assert line.verdict == "proved"
    with pytest.raises(ProblemError, match="a probability of `coin` is -2"):
        check(Problem("Where", claims=(Claim("So.", Equal(E(coin), p), where=Equal(p, -2)),)))


def test_the_trace_is_of_a_square() -> None:
    theta = Parameter("theta", (2, 3))
    claim = Claim("A trace.", Equal(Trace(Gradient((theta**2).sum(), theta)), 0))
    with pytest.raises(ProblemError, match="Trace needs a square quantity, as a Covariance is; this one has 6 coordinates"):
        check(Problem(title="Six", claims=(claim,)))


# ---- answers --------------------------------------------------------------------------------------------------------------


def test_an_answer_for_one_size_is_judged_at_that_size() -> None:
    """At others it may end without a value; a value that is wrong there refutes it."""
    tiny = load(str(Path(__file__).parent / "pages" / "tiny.py"))

    def two_only(theta: Any) -> Any:
        first, second = theta
        return torch.stack([first, second]) - torch.logaddexp(first, second)

    def forgets_others(theta: Any) -> Any:
        return theta - torch.logaddexp(theta[0], theta[1])

    line = only(check(tiny, {"log_pi": two_only}))
    assert line.ok and line.remark.startswith("not judged at K = 3: ") and line.sizes == {}
    line = only(check(tiny, {tiny.functions["log_pi"]: forgets_others}))
    assert not line.ok and line.reason.startswith("it holds here, and is refuted at K = 3")
    with pytest.raises(InputError, match="`uniform` does not use log_pi"):
        check(tiny, {"log_pi": two_only}, only="uniform")


def twice(theta: Any, reward: Any, action: Any) -> Any:
    return 2 * reinforce(theta, reward, action)


def minus(theta: Any) -> Any:
    return -theta.log_softmax(-1)


def vector(theta: Any, reward: Any, action: Any) -> Any:
    return theta * reward


def nothing(theta: Any, reward: Any, action: Any) -> None:
    return None


def a_float(theta: Any, reward: Any, action: Any) -> float:
    return 1.0


def detached(theta: Any, reward: Any, action: Any) -> Any:
    return reinforce(theta, reward, action).detach()


def not_a_number(theta: Any, reward: Any, action: Any) -> Any:
    return reinforce(theta, reward, action) + (theta - theta).sum() / 0


def raising(theta: Any, reward: Any, action: Any) -> Any:
    raise ValueError("out of ideas")


def in_numpy(theta: Any, reward: Any, action: Any) -> Any:
    return np.log(np.exp(theta[action]) / np.exp(theta).sum()) * reward[action]


def single(theta: Any, reward: Any, action: Any) -> Any:
    return (theta.float().log_softmax(-1)[action] * reward[action].float()).double()


def branching(theta: Any, reward: Any, action: Any) -> Any:
    chosen = theta[int(action)] if int(action) > 0 else theta[0]
    return (chosen - theta.logsumexp(-1)) * reward[action]


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        ({reinforce: twice}, "refuted", "is not"),
        ({log_pi: minus}, "refuted", "is not"),
        ({reinforce: vector}, "refuted", "returned shape (3,); a gradient needs one number: end with .sum() or .mean()"),
        ({reinforce: nothing}, "refuted", "returned None; a tensor was expected: end with `return loss`"),
        ({reinforce: a_float}, "refuted", "returned float; a tensor was expected: keep it a tensor"),
        ({reinforce: detached}, "refuted", "no gradient flows from `detached` to theta: was it detached?"),
        ({reinforce: lambda reward, action: reward[action]}, "refuted", "; `<lambda>` takes no theta"),
        ({reinforce: not_a_number}, "refuted", "nan"),
        ({reinforce: raising}, "refuted", "raised ValueError: out of ideas"),
        ({reinforce: in_numpy}, "refuted", "`in_numpy` is numpy code, which has no gradient: write it in torch"),
        ({reinforce: single}, "agrees", "accurate only to"),
        ({reinforce: branching}, "agrees", ""),
    ],
)
def test_an_answer_gets_a_verdict_and_a_sentence(answer: Any, verdict: str, words: str) -> None:
    line = only(check(page, answer))
    assert line.verdict == verdict
    assert words in line.reason + line.remark


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({minus: twice}, "`minus` is no function of 'A softmax'; it has reinforce, log_pi"),
        ({reinforce: 3}, "the answer for `reinforce` is int, not a function"),
    ],
)
def test_an_answer_that_does_not_fit_is_an_input_error(answer: Any, words: str) -> None:
    with pytest.raises(InputError) as error:
        check(page, answer)
    assert words in str(error.value)


def test_an_answer_with_an_unknown_argument_gets_a_suggestion() -> None:
    def misspelt(theta: Any, rewards: Any, action: Any) -> Any:
        return reinforce(theta, rewards, action)

    with pytest.raises(InputError, match=r"the answer for `reinforce` asks for `rewards`; it is given .*Did you mean `reward`\?"):
        check(page, {reinforce: misspelt})


def test_an_answer_that_wants_a_function_of_the_page_is_told_to_define_it() -> None:
    def bare(theta: Any, reward: Any, action: Any, log_pi: Any) -> Any:
        return log_pi(theta)[action] * reward[action]

    with pytest.raises(InputError, match="`log_pi` is a function: define it too, above, and write `log_pi=log_pi` here"):
        check(page, {reinforce: bare})


def test_an_answer_runs_only_the_claims_that_reach_it() -> None:
    other = Claim("Something else.", Equal(Gradient(J), Gradient(J)))
    report = check(Problem(title="Two", claims=(unbiased, other)), {log_pi: minus})
    assert [c.says for c in report.claims] == [unbiased.says]


def test_the_right_mean_of_another_estimator_is_told_apart() -> None:
    def with_baseline(theta: Any, reward: Any, action: Any) -> Any:
        return theta.log_softmax(-1)[action] * (reward[action] - 1)

    line = only(check(page, {reinforce: with_baseline}))
    assert line.verdict == "agrees"
    assert "the mean is right, but this is another estimator: its variance is" in line.remark
    assert only(check(page, {reinforce: branching})).remark == ""


class Policy(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.randn(3))

    def forward(self) -> Any:
        return self.logits.log_softmax(-1)


class Softmax(Policy):
    def forward(self) -> Any:
        return self.logits.softmax(-1)


class Scaled(Policy):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))


def test_a_module_is_an_answer() -> None:
    assert only(check(page, {log_pi: module(Policy, log_pi, theta="logits")})).verdict == "agrees"
    assert only(check(page, {log_pi: module(Softmax, log_pi, theta="logits")})).verdict == "refuted"


def test_a_module_is_made_once_so_that_it_can_be_mapped() -> None:
    made = []

    class Counted(Policy):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    assert only(check(page, {log_pi: module(Counted, log_pi, theta="logits")})).verdict == "agrees"
    assert len(made) == 1


@pytest.mark.parametrize(
    ("make", "name", "says"),
    [
        (Policy, "logit", "Policy has no parameter `logit`; it has logits. Did you mean `logits`?"),
        (Scaled, "logits", "Scaled has the parameter `scale`, which no argument gives: write which one, as `theta='scale'`."),
    ],
)
def test_a_module_whose_parameters_are_not_all_given_is_refused(make: Any, name: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        module(make, log_pi, theta=name)
    assert str(error.value) == says


mu = Parameter("mu", over=Normal())
x = Draw("x", Gaussian(mu, 1))


def score(x: Any, mu: Any) -> Any:
    return np.square(x) * (x - mu)


def test_a_numpy_estimator_is_integrated() -> None:
    claim = Claim("The score estimator.", Equal(Mean(Value(score)), Gradient(E(x**2))))
    problem = Problem(title="Scores", claims=(claim,))
    assert only(check(problem)).verdict == "agrees"

    def shifted(x: Any, mu: Any) -> Any:
        return np.square(x) * (x - mu) + 1e-4

    assert only(check(problem, {score: shifted})).verdict == "refuted"


def test_a_name_of_the_page_in_the_place_of_an_argument() -> None:
    def in_torch(theta: Any, reward: Any, action: Any) -> Any:
        return theta.log_softmax(-1)[action] * J

    def taken(theta: Any, reward: Any, action: Any) -> Any:
        return torch.exp(J)

    def by_theta(x: Any, mu: Any) -> Any:
        return np.square(x) * (x - theta[0])

    def misnamed(theta: Any, reward: Any, action: Any) -> Any:
        return theta.J

    scores = Problem(title="S", claims=(Claim("So.", Equal(Mean(Value(score)), Gradient(E(x**2)))),))
    for problem, answer, sentence in (
        (page, {reinforce: in_torch}, "`in_torch` returned a SymPy expression, and numbers were expected"),
        (page, {reinforce: taken}, "; `J` is a SymPy name there, and no number: take it as an argument"),
        (scores, {score: by_theta}, "`by_theta` returned a SymPy expression, and numbers were expected"),
    ):
        assert sentence in only(check(problem, answer)).reason
    said = only(check(page, {reinforce: misnamed})).reason
    assert said.endswith(f"has no attribute 'J' (test_check.py:{misnamed.__code__.co_firstlineno + 1})")


z = Parameter("z", over=Uniform(-1, 1))


@pytest.mark.parametrize(
    ("that", "at", "verdict"),
    [
        (Within(Value(exp(z)), (0, oo)), None, "agrees"),
        (Within(Value(z), (-oo, oo)), None, "agrees"),
        (Within(Value(z), (oo, oo)), None, "is less than oo"),
        (Within(Value(z), (-(10**17), 0)), 1, "1 is larger than 0"),
        (Within(Value(z), (-3, 0)), -4, "-4 is less than -3"),
        (Within(Value(z), (-3, Rational(1, 2))), Rational(1, 2), "agrees"),
        (Within(Value(log(z - 2)), (-3, 0)), None, "nan lies outside the bound -3"),
        (AtMost(Rational(1, 3) + Rational(1, 10**20), Rational(1, 3)), None, "is larger than 1/3"),
        (AtMost(Rational(1, 3), Rational(1, 3) + Rational(1, 10**20)), None, "agrees"),
    ],
)
def test_bounds_hold_to_the_last_digit_and_may_be_infinite(that: Any, at: Any, verdict: str) -> None:
    line = only(check(Problem(title="B", claims=(Claim("So.", that, at=None if at is None else Point(z=at)),))))
    assert verdict in (line.verdict, line.reason) or verdict in line.reason


heads, tails = Draw("heads", Bernoulli(Rational(1, 3))), Draw("tails", Bernoulli(Rational(1, 4)))


@pytest.mark.parametrize("of", [Value(heads + tails), Value(lambda heads, tails: (heads + tails).double())])
@pytest.mark.parametrize("kind", [Mean, Covariance])
def test_a_mean_over_one_draw_of_two_is_refused(kind: Any, of: Any) -> None:
    claim = Claim("So.", Equal(kind(of, over=heads), Rational(7, 12)))
    with pytest.raises(ProblemError, match=r"over=heads\) holds `tails` too, which is random: leave over=heads out"):
        check(Problem(title="O", claims=(claim,)))


@pytest.mark.parametrize(("power", "verdicts"), [(1, ["agrees", "refuted"]), (2, ["undecided", "undecided"])])
def test_a_mean_that_hardly_settles_may_be_infinite(power: Any, verdicts: list[str]) -> None:
    noise = Draw("noise", Gaussian(0, 1))
    infinite = NonFinite(Value(E(exp(power * noise**2 / 3))))
    claims = tuple(Claim(f"It is {n}.", Equal(infinite, n)) for n in (0, 1))
    assert [c.verdict for c in check(Problem(title="I", claims=claims)).claims] == verdicts


def test_where_neither_side_is_a_number_nothing_is_refuted() -> None:
    below = Variable("below", over=Uniform(-2, -1))

    def logarithm(below: Any) -> Any:
        return torch.log(below)

    nowhere = Claim("So.", Equal(log(below), 2 * log(below)))
    one_sided = Claim("No.", Equal(log(below), 2 * below))
    by_code = Claim("Code.", Equal(Value(logarithm), log(below)))
    step = Derivation("A root", sp.sqrt(-(z**2) - 1), ((2 * sp.sqrt(-(z**2) - 1), "doubled"),))
    lines = check(Problem(title="N", claims=(nowhere, one_sided, by_code), derivations=(step,))).claims
    assert [line.verdict for line in lines] == ["undecided", "refuted", "refuted", "undecided"]
    assert "neither side is a number here" in lines[0].reason and "below" in (lines[0].witness or {})


def test_gradients_by_different_variables_are_told() -> None:
    line = only(check(Problem(title="G", claims=(Claim("So.", Equal(Mean(Gradient(reinforce)), Gradient(J, reward))),))))
    assert line.reason.endswith(": the slope by theta_0 beside that by reward_0")


def test_second_derivatives_of_a_masked_expectation_agree() -> None:
    mask = Variable("mask", 3, over=Masks())
    entropy = E(log_prob(Draw("chosen", Categorical(logits=theta, allowed=mask))))
    mixed = Equal(diff(diff(entropy, theta[0]), theta[1]), diff(diff(entropy, theta[1]), theta[0]))
    assert only(check(Problem(title="M", claims=(Claim("So.", mixed),)))).verdict == "proved"


@pytest.mark.parametrize("by", [None, "autodiff", "differences"])
def test_a_gradient_by_probabilities_moves_the_last_against_the_others(by: Any) -> None:
    chances = Parameter("chances", (2, 3), over=Simplex())

    def paid(chances: Any, reward: Any) -> Any:
        return (chances * reward**2).sum()

    def lowered(chances: Any, reward: Any) -> Any:
        return (chances * (reward**2 - 1)).sum()  # another function of the entries, and the same of probabilities but for 2

    def wrong(chances: Any, reward: Any) -> Any:
        return (chances * reward**2).sum() + chances[0, 0] / 100

    claim = Claim("So.", Equal(Gradient(paid, chances), Gradient((chances * reward**2).sum(), chances)), by=by)
    problem = Problem(title="P", claims=(claim,))
    found = [only(check(problem, answer)).verdict for answer in (None, {paid: lowered}, {paid: wrong})]
    assert found == ["agrees", "agrees", "refuted"]


def test_every_step_of_a_derivation_is_tried_at_all_points() -> None:
    t = sp.Symbol("t")
    pages = [
        Problem(title=f"Root {n}", derivations=(Derivation(f"A root {n}", sp.sqrt(t**2), ((t, "wrong"),)),)) for n in range(20)
    ]
    assert {only(check(page)).verdict for page in pages} == {"refuted"}


# ---- errata, mistakes, witnesses ------------------------------------------------------------------------------------------

wrong = Erratum("The gradient is zero.", Equal(Gradient(J), 0), instead=unbiased)


def test_a_witness_holds_the_draw_of_its_own_point() -> None:
    above = Variable("above", over=Uniform(-3, 3))
    level = Draw("level", Gaussian(3 * above, 1))
    claim = Claim("No.", Equal(level * step(above - 1), 0))
    line = only(check(Problem(title="W", claims=(claim,), corners=(Point(above=-3),))))
    assert line.witness is not None and line.value is not None
    assert line.witness["level"] in [float(Rational(value)) for value in line.value]
    whole = only(check(Problem(title="W", claims=(Claim("No.", Equal(action, 0)),))))
    assert whole.witness is not None and repr(whole.witness["action"]) in ("1", "2")


def test_an_erratum_is_refuted_by_a_small_witness() -> None:
    line = check(Problem(title="E", claims=(unbiased,), errata=(wrong,))).claims[1]
    assert line.ok
    assert line.kind == "erratum"
    assert line.correction == unbiased.says
    assert line.witness is not None
    entries = [x for row in line.witness.values() for x in (row if isinstance(row, list) else [row])]
    assert sum(x == "0" for x in entries) >= 4  # six entries, and equal logits need one reward


def test_an_erratum_that_holds_or_whose_correction_does_not_is_a_failure() -> None:
    true = Erratum("The gradient is the gradient.", Equal(Gradient(J), Gradient(J)), instead=unbiased)
    false_line = Claim("Twice it.", Equal(Mean(Gradient(reinforce)), Gradient(J) * 2))
    unhelpful = Erratum("The gradient is zero.", Equal(Gradient(J), 0), instead=false_line)
    for erratum in (true, unhelpful):
        report = check(Problem(title="E", claims=(unbiased,), errata=(erratum,)))
        assert not report.claims[1].ok
        assert report.exit_code == 1


def test_an_erratum_smaller_than_the_resolution_is_not_refuted() -> None:
    close = Erratum("Nearly.", Equal(Gradient(J), Gradient(J) + Rational(1, 10**9)), instead=unbiased)
    line = check(Problem(title="E", claims=(unbiased,), errata=(close,))).claims[1]
    assert not line.ok
    assert "less than the resolution" in line.reason


def test_a_mistake_that_nothing_catches_is_an_error_of_the_page() -> None:
    def harmless(theta: Any) -> Any:
        return theta - theta.logsumexp(-1)

    caught, missed = Mistake("sign", {log_pi: minus}, breaks=unbiased), Mistake("no mistake", {log_pi: harmless}, breaks=unbiased)
    assert check(Problem(title="M", claims=(unbiased,), mistakes=(caught,))).exit_code == 0
    report = check(Problem(title="M", claims=(unbiased,), mistakes=(caught, missed)))
    assert [m.caught for m in report.mistakes] == [True, False]
    assert report.exit_code == 4


# ---- relations ------------------------------------------------------------------------------------------------------------

a = Variable("a", over=Uniform(1, 2))
b = Variable("b", over=Uniform(3, 4))


@pytest.mark.parametrize(
    ("that", "verdict"),
    [
        (Equal(a, a), "proved"),
        (Equal(a, b), "refuted"),
        (AtMost(a, b), "agrees"),
        (AtMost(b, a), "refuted"),
        (Differs(a, b), "agrees"),
        (Differs(a, a), "refuted"),
        (Within(a, (1, 2)), "agrees"),
        (Within(b, (1, 2)), "refuted"),
        (Equal(Value(a) - a, 0), "proved"),
        (Equal(Value(a) * b / b, a), "proved"),
        (Equal(Gradient(a**2, a), 2 * a), "proved"),
        (Equal(Gradient(frozen(a) * a, a), a), "proved"),
        (Equal(Curl(Gradient(a * b, (a, b))), 0), "proved"),
        (Equal(Curl(Gradient(frozen(a) * b * a, (a, b))), 0), "refuted"),
    ],
)
def test_relations(that: Any, verdict: str) -> None:
    assert only(check(Problem(title="R", claims=(Claim("So.", that),)))).verdict == verdict


def test_where_restricts_the_points() -> None:
    sign = Variable("sign", over=Normal())
    claim = Claim("A number at least 0 is its own size.", AtMost(-sign, 0), where=AtMost(0, sign))
    free = Claim("Any number is.", AtMost(-sign, 0))
    assert only(check(Problem(title="W", claims=(claim,)))).verdict == "agrees"
    line = only(check(Problem(title="W", claims=(free,))))
    assert line.verdict == "refuted"
    assert line.witness == {"sign": "-1"}


def test_raises() -> None:
    def picky(a: Any) -> Any:
        raise KeyError("no")

    def calm(a: Any) -> Any:
        return a

    for f, error, verdict in ((picky, KeyError, "agrees"), (picky, TypeError, "refuted"), (calm, KeyError, "refuted")):
        assert only(check(Problem(title="R", claims=(Claim("So.", Raises(f, error)),)))).verdict == verdict


def test_printed_digits_are_known_to_half_a_unit() -> None:
    third = Point(a=Rational(4, 3))
    for digits, verdict in (("1.333333333", "agrees"), ("1.333333334", "refuted"), ("1.33", "undecided")):
        assert only(check(Problem(title="P", claims=(Claim("So.", Equal(a, Printed(digits)), at=third),)))).verdict == verdict


def test_kinks_are_left_out_and_counted_and_have_a_claim_of_their_own() -> None:
    r = Parameter("r", over=Uniform(0.5, 1.5))
    A = Variable("A", over=Uniform(-2, 2))
    loss = minimum(r * A, clip(r, Rational(4, 5), Rational(6, 5)) * A)

    def clipped(r: Any, A: Any) -> Any:
        return torch.min(r * A, r.clamp(0.8, 1.2) * A)

    def one_sided(r: Any, A: Any) -> Any:
        return torch.where(r >= 1.2, 2 * A, 0) * r

    at_kink = Point(r=Rational(6, 5), A=1)
    smooth = Claim("Away from kinks the gradients agree.", Equal(Gradient(clipped), Gradient(loss)))
    kink = Claim("On the boundary it stays in the hull.", Within(Gradient(clipped), Hull(Gradient(loss))), at=at_kink)
    problem = Problem(title="Clip", claims=(smooth, kink), corners=(at_kink, Point(r=1, A=1)))
    report = check(problem)
    assert [c.verdict for c in report.claims] == ["agrees", "agrees"]
    assert report.claims[0].removed == 1  # r = 1 is a tie, and no kink
    assert check(problem, {clipped: one_sided}).claims[1].verdict == "refuted"


def test_a_claim_with_a_free_draw_is_about_every_outcome() -> None:
    shown = Claim("Every sample.", Equal(Gradient(reinforce), reward[action] * Gradient(action.log_prob())))
    problem = Problem(title="Samples", claims=(shown, unbiased))
    assert check(problem).claims[0].verdict == "agrees"

    def swapped(theta: Any, reward: Any, action: Any) -> Any:  # unbiased up to a baseline, and another estimator
        return theta.log_softmax(-1)[action] * (reward[action] - reward.mean())

    first, second = check(problem, {reinforce: swapped}).claims
    assert (first.verdict, second.verdict) == ("refuted", "agrees")
    assert first.witness is not None
    assert "action" in first.witness


def test_rows_are_the_data_on_a_page() -> None:
    data = Rows(action=(0, 2))
    at = Point(theta=0, reward=(-1, 0, 2))
    claim = Claim("So.", Equal(Mean(Gradient(reinforce), over=data), (-Rational(2, 3), -Rational(1, 6), Rational(5, 6))), at=at)
    report = check(Problem(title="Rows", claims=(claim,)))
    assert only(report).verdict == "agrees"
    assert report.blind_spots[0].inputs == ["reward_1"]


# ---- routes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["listed", "differences", "symbolic"])
def test_each_route_answers_and_is_named(route: str) -> None:
    claim = Claim("So.", Equal(Mean(Gradient(reinforce)), Gradient(J)), by=route)
    doubled = Claim("Twice.", Equal(Mean(Gradient(reinforce)), Gradient(J) * 2), by=route)
    good, bad = check(Problem(title=route, claims=(claim, doubled))).claims
    assert (good.verdict, bad.verdict) == ("agrees", "refuted")
    assert route in good.routes[0].route


def test_differences_hold_stop_gradients_and_check_the_symbolic_derivative() -> None:
    loss = frozen(theta[0] * reward[0]) * theta[0] ** 2
    right = Claim("So.", Equal(Gradient(loss), (2 * theta[0] ** 2 * reward[0], 0, 0)), by=("symbolic", "differences"))
    thawed = Claim("No.", Equal(Gradient(loss), (3 * theta[0] ** 2 * reward[0], 0, 0)), by="differences")
    assert [c.verdict for c in check(Problem(title="D", claims=(right, thawed))).claims] == ["agrees", "refuted"]


def test_samples_have_both_error_rates() -> None:
    claim = Claim("So.", Equal(Mean(Gradient(reinforce)), Gradient(J)), by="sampled", resolution=0.05)
    problem = Problem(title="Samples", claims=(claim,), points=3)

    def off_by_the_resolution(theta: Any, reward: Any, action: Any) -> Any:
        return reinforce(theta, reward, action) + 0.2 * theta[0]

    def louder(theta: Any, reward: Any, action: Any) -> Any:
        return theta.log_softmax(-1)[action] * (reward[action] + 4)

    assert only(check(problem)).verdict == "agrees"
    assert only(check(problem, {reinforce: off_by_the_resolution})).verdict == "refuted"
    other = only(check(problem, {reinforce: louder}))
    assert other.verdict == "agrees"
    assert "not the declared estimator: its variance is another" in other.remark


def test_code_with_a_kink_is_sampled_although_its_variance_is_known_roughly() -> None:
    first, second = Draw("first", Gaussian(0, 1)), Draw("second", Gaussian(mu, 2))

    def smaller(first: Any, second: Any) -> Any:
        return torch.minimum(first, second)

    def off(first: Any, second: Any) -> Any:
        return torch.minimum(first, second) + 0.1

    claim = Claim("So.", Equal(Mean(Value(smaller)), E(minimum(first, second))), by="sampled", resolution=0.02)
    problem = Problem(title="Smaller", claims=(claim,), points=2)
    assert [only(check(problem, answer)).verdict for answer in (None, {smaller: off})] == ["agrees", "refuted"]


def test_sampling_what_is_infinite_at_a_node_raises_nothing() -> None:
    u = Draw("u", Gaussian(0, 1))

    def pole(u: Any, mu: Any) -> Any:
        return mu * u.abs() ** -0.5

    claim = Claim("So.", Equal(Mean(Gradient(pole)), Rational(172, 100)), by="sampled", resolution=0.05, at=Point(mu=1))
    assert only(check(Problem(title="Pole", claims=(claim,), world=(u,)))).verdict == "undecided"


def test_sampling_never_passes_an_infinite_variance() -> None:
    u = Draw("u", Gaussian(0, 1))
    weight = Variable("rate", over=Uniform(0.1, 0.4))

    def heavy(u: Any, mu: Any, rate: Any) -> Any:
        return mu * torch.exp(rate * u * u)  # E exp(2 rate u^2) is infinite from rate = 1/4

    for rate, verdict in ((Rational(1, 5), "agrees"), (Rational(1, 3), "undecided"), (Rational(26, 100), "undecided")):
        claim = Claim(
            "So.", Equal(Mean(Gradient(heavy)), 1 / sqrt(1 - 2 * rate)), by="sampled", resolution=0.05, at=Point(rate=rate, mu=1)
        )
        assert only(check(Problem(title="Heavy", claims=(claim,), world=(u, weight)))).verdict == verdict


# ---- bad pages ------------------------------------------------------------------------------------------------------------


def test_a_page_that_does_not_bind_says_why() -> None:
    def misspelt(theta: Any, rewards: Any) -> Any:
        return theta.sum()

    def stray(theta: Any) -> Any:
        return theta.sum()

    good = Equal(Gradient(stray), Gradient(J))
    cases: list[tuple[Any, str]] = [
        (
            lambda: Problem(title="B", claims=(Claim("So.", Equal(Gradient(misspelt), Gradient(J))),)),
            r"asks for `rewards`.*Did you mean `reward`",
        ),
        (
            lambda: Problem(title="B", claims=(Claim("So.", good, at=Point(thta=1)),)),
            r"gives `thta`; this problem has .*Did you mean `theta`",
        ),
        (
            lambda: Problem(title="B", claims=(Claim("So.", good, at=Point(theta=(1, 2))),)),
            r"`theta` has shape \(3,\); the point gives \(2,\)",
        ),
        (lambda: Problem(title="B", claims=(Claim("So.", good, by="magic"),)), r"route 'magic'; there are"),
        (lambda: Problem(title="B", claims=(unbiased,), mistakes=(Mistake("m", {}, breaks=Claim("x", good)),)), r"not in claims"),
        (lambda: Claim("So.", good, resolution=0.5), r"up to 0.05"),
        (lambda: Printed("nan"), r"Printed\('nan'\) is no decimal number"),
        (lambda: Equal(reinforce, 0), "`reinforce` is a function and no quantity: write Value\\(reinforce\\) or Gradient"),
        (lambda: E(reward[action], over=reward), "names reward.*, which is no draw: write draws"),
        (lambda: batch(action, 2)[0], r"\[0\] is no name here: copies, rows and episodes are read by 'action'"),
        (lambda: softmax(theta, 0), r"softmax\(x, 0\): the second is the mask"),
        (lambda: Erratum("No.", good, instead=(Claim("So.", good),)), "the claim that is right, and was given tuple"),
        (
            lambda: Problem(title="B", claims=(unbiased,), mistakes=(Mistake("m", {reinforce: twice}, breaks=[unbiased]),)),  # pyright: ignore[reportArgumentType]
            "has breaks=..., which is list: write the claim",
        ),
        (lambda: check(Problem(title="C", claims=(Claim("So.", Equal(Curl(Gradient(z**2)), 0)),))), "by two numbers or more"),
        (
            lambda: check(Problem(title="C", claims=(Claim("So.", Equal(Gradient(J, theta), [1, 2])),))),
            r"has 3 coordinates \(by theta\), the right side 2 coordinates: .*, or one; Gradient\(f, x\) is by",
        ),
        (lambda: Claim("So.", 3), r"write Equal\(a, b\)"),
        (lambda: Printed(0.5), r"write Printed\('0.5'\)"),
        (lambda: Within(a, b), r"needs a set on its right"),
        (lambda: Erratum("E", good, instead=None), r"needs instead"),
    ]
    for make, words in cases:
        with pytest.raises(ProblemError, match=words):
            make()


def test_only_picks_by_id_or_source_and_suggests() -> None:
    assert only(check(page, only=["X-2"])).says == unbiased.says
    with pytest.raises(InputError, match=r"has no claim `X-3`.*Did you mean `X-"):
        check(page, only=["X-3"])


def test_require_raises_with_what_a_reader_needs() -> None:
    assert check(page).require().ok
    with pytest.raises(AssertionError) as error:
        check(page, {log_pi: minus}).require()
    for words in ("REINFORCE is unbiased. REFUTED", "at theta = (", "replay: check(problem, {'log_pi': minus}, seed=0)"):
        assert words in str(error.value)


def test_the_same_seed_gives_the_same_report_and_another_draws_other_points() -> None:
    first, second, other = (check(page, {log_pi: minus}, seed=s, timed=False) for s in (1, 1, 2))
    assert first == second
    assert first.claims[0].witness is not None
    assert other != first


def test_claims_without_code_are_settled_first_and_listed_where_they_stand() -> None:
    told: list[str] = []
    plain = Claim("A square.", Equal(Value(theta[0] ** 2), theta[0] * theta[0]))
    both = Problem(title="Order", claims=(Claim("Code.", Equal(Mean(Gradient(reinforce)), Gradient(J))), plain))
    report = check(both, progress=lambda done, total, says: told.append(says))
    assert told == ["proved  A square.", "agrees  Code."]
    assert [line.says for line in report.claims] == ["Code.", "A square."]


def test_each_entry_draws_its_own_number_of_one_of_these() -> None:
    """Rewards of 0 or 1: arrays that are all 0 or all 1 would not tell one action's reward from another's."""
    logits, reward = Parameter("logits", 3, over=LogRational()), Variable("reward", 3, over=OneOf(0, 1))
    taken = Draw("taken", Categorical(logits=logits))

    def of_the_first(logits: Any, reward: Any, taken: Any) -> Any:
        return logits.log_softmax(-1)[taken] * reward[0]

    claim = Claim("Unbiased.", Equal(Mean(Gradient(of_the_first)), Gradient(E(reward[taken]))))
    assert check(Problem(title="t", claims=(claim,), world=(taken,))).claims[0].verdict == "refuted"


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (ValueError, 2),  # mapped, and plainly
        (KeyError, 2),
        (SystemExit, 1),
        (RuntimeError, 3),  # which vmap itself raises: from all points at once to one at a time
    ],
)
def test_an_error_of_an_answers_own_comes_out_of_a_plain_call(error: type[BaseException], calls: int) -> None:
    """And at no other size of the page."""
    tiny = load(str(Path(__file__).parent / "pages" / "tiny.py"))
    called: list[None] = []

    def raising(theta: Any) -> Any:
        called.append(None)
        raise error("out of ideas")

    line = only(check(tiny, {"log_pi": raising}, only="unbiased"))
    assert line.verdict == "refuted" and f"raised {error.__name__}: " in line.reason
    assert len(called) == calls


def expected_reward(theta: Any, reward: Any) -> Any:
    chances = np.exp(theta) / np.exp(theta).sum()
    return chances * reward


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda theta, reward: None, "returned None; a number or an array of floats was expected: end it with `return`."),
        (lambda theta, reward: "x", "returned str; a number or an array of floats was expected."),
        (lambda theta, reward: {"chances": theta}, "returned dict; a number or an array of floats was expected."),
        (lambda theta, reward: [theta, 1.0], "returned list, which is no array: ValueError: "),
        (lambda theta, reward: theta + 1j, "returned complex numbers; real ones were expected: take .real or abs()."),
        (lambda theta, reward: theta[:, None] * reward, "returned shape (3, 3); shape (3,) was expected, as of the page's own"),
        (lambda theta, reward: np.sum(reward), "returned one number; shape (3,) was expected, as of the page's own"),
        (lambda theta, reward: reward * np.nan, "returned nan"),
    ],
)
def test_an_answer_in_numpy_is_told_what_it_returned(answer: Any, says: str) -> None:
    """Also where it mentions no library: its slot is one of numpy."""
    slot = Problem(title="S", claims=(Claim("So.", Equal(Value(expected_reward), softmax(theta) * reward)),))
    line = only(check(slot, {expected_reward: answer}))
    assert line.verdict == "refuted" and f"`<lambda>` {says}" in line.reason


@pytest.mark.parametrize(
    "answer",
    [
        lambda theta, reward: theta.softmax(-1) * reward,
        lambda theta, reward: [expected_reward(theta, reward)[n] for n in range(3)],
    ],
)
def test_a_slot_of_numpy_takes_tensors_and_lists(answer: Any) -> None:
    slot = Problem(title="S", claims=(Claim("So.", Equal(Value(expected_reward), softmax(theta) * reward)),))
    assert only(check(slot, {expected_reward: answer})).verdict == "agrees"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: check("problem1"), 'the problem is str, not Problem: load("problem1") of gradcheck_rl.load reads one.'),
        (lambda: check(unbiased), "the problem is Claim, not Problem: write Problem(title=..., claims=...)."),
        (lambda: check(page, minus), "the answer is function: write {reference function: replacement}, as {log_pi: mine}."),
        (lambda: check(page, torch.nn.Identity()), "the answer is Identity: write {reference function: replacement}"),
        (lambda: check(page, {}), "the answer is empty, and the page would be checked alone: write {reference function:"),
        (lambda: check(page, seed="x"), "seed='x': write a whole number from 0."),
        (lambda: check(page, seed=-1), "seed=-1: write a whole number from 0."),
        (lambda: check(page, seed=0.5), "seed=0.5: write a whole number from 0."),
        (lambda: check(page, points=-1), "points=-1: write a whole number from 1."),
        (lambda: check(page, points=0), "points=0: write a whole number from 1."),
        (lambda: check(page, points=[1]), "points=[1]: write a whole number from 1."),
        (lambda: check(page, samples="many"), "samples='many': write a whole number from 1."),
        (lambda: check(page, seed=True), "seed=True: write a whole number from 0."),
        (lambda: check(page, points=True), "points=True: write a whole number from 1."),
        (lambda: check(page, progress=3), "progress=3: write a function of three arguments, as in progress=print."),
        (lambda: check(page, only=3), 'only=3: write names of claims or sources, as only=["unbiased"].'),
        (lambda: check(page, only=[unbiased]), "write names of claims or sources"),
        (lambda: differences(lambda: torch.zeros(()), [], seed=-1), "seed=-1: write a whole number from 0."),
        (lambda: differences(lambda: torch.zeros(()), [], seed="a"), "seed='a': write a whole number from 0."),
    ],
)
def test_what_check_does_not_take_is_told_in_one_sentence(wrong: Any, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        wrong()
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_numbers_of_numpy_are_numbers() -> None:
    found = check(page, seed=np.int64(3), points=np.int64(2), only="X-2", timed=False)
    assert found == replace(check(page, seed=3, points=2, only=["X-2"], timed=False))


TINY = load(str(Path(__file__).parent / "pages" / "tiny.py"))


@settings(max_examples=20)
@given(
    st.sampled_from([page, TINY]),
    st.booleans(),
    st.integers(0, 99),
    st.none() | st.integers(1, 3),
    st.sampled_from([None, [], ["unbiased"], ["T-001", "unbiased"]]),
)
def test_the_replay_line_gives_the_same_report(
    problem: Problem, wrong: bool, seed: int, points: int | None, names: list[str] | None
) -> None:
    names = names and ["reinforce_is_unbiased" if problem is page else name for name in names]
    answer = {problem.functions["log_pi"]: minus} if wrong else None
    found = check(problem, answer, seed, points, names, timed=False)
    assert found.replay.startswith("check(" if problem is page or wrong or names == [] else "python -m gradcheck_rl ")
    words = shlex.split(found.replay)
    if words[0] == "python":
        assert words[1:3] == ["-m", "gradcheck_rl"]
        out = io.StringIO()
        with chdir(Path(__file__).parents[1]), redirect_stdout(out):
            main([*words[3:], "--json"])
        (again,) = json.read(out.getvalue())
        again = replace(
            again,
            elapsed_s=0.0,
            figures={},
            claims=tuple(replace(c, elapsed_s=0.0, formula=[], right_formula=[]) for c in again.claims),
        )
        found = json.read(json.render([found]))[0]
    else:
        known = {"check": partial(check, timed=False), "load": load, "problem": problem, "minus": minus}
        again = eval(found.replay, known)  # noqa: S307  the line that was just written
    assert again == found


def test_what_has_no_name_in_python_is_left_open() -> None:
    found = check(page, {log_pi: lambda theta: theta.log_softmax(-1)}, points=2)
    assert found.replay == "check(problem, {'log_pi': ...}, seed=0, points=2)"


def test_a_mistake_that_stops_is_told_to_be_none() -> None:
    def stops(theta: Any) -> Any:
        return theta.nothing

    mistake = Mistake("It stops.", {log_pi: stops}, breaks=unbiased)
    (found,) = check(Problem(title="B", claims=(unbiased,), mistakes=(mistake,))).mistakes
    assert not found.caught and found.reason.startswith(
        "With it reinforce_is_unbiased stops, which anyone notices: `reinforce` raised"
    )


def test_two_things_of_one_name_are_told_and_none_is_taken_for_the_other() -> None:
    x = Parameter("x", 2, over=Normal())
    namespace: dict[str, Any] = {"first": Named("u", x[0] + 1), "second": Named("u", x[1] - 1)}
    code = FunctionType((lambda u: 1 * u).__code__, namespace, "code")
    one, other = (Draw("u", Bernoulli(1 / (1 + exp(-cell)))) for cell in x)
    assert check(Problem("two", (Claim("They are other.", Differs(E(one), E(other))),), world=(x,))).ok
    for claim in (Equal(Value(code), Value(namespace["first"])), Equal(Mean(Value(code)), E(one) + E(other))):
        with pytest.raises(ProblemError, match=r"two things of this problem are called `u`: rename one"):
            check(Problem("two", (Claim("They are alike.", claim),), world=(x,)))
    namespace["u"] = namespace.pop("second")  # the one that the file calls so
    page = Problem("one", (Claim("It is that.", Equal(Value(code), Value(x[1] - 1))),), world=(x,))
    assert check(page).claims[0].verdict == "agrees"


def test_a_claim_knows_what_each_of_its_quantities_is_averaged_over() -> None:
    def score(theta: Any, action: Any) -> Any:
        return theta.log_softmax(-1)[action]

    theta = Parameter("theta", 3)
    draw = Draw("action", Categorical([Rational(1, 3)] * 3))
    rows, inner = Rows(action=(0, 2)), Gradient(score)
    claim = Claim("Nested.", Equal(2 * Mean(Mean(inner, over=rows).sum(), over=draw) - theta[0], Mean(Value(score))[:1]))
    found = dict(claim.quantities())
    assert found[inner] is rows
    assert {type(q).__name__: over for q, over in found.items() if over is draw} == {"Sum": draw, "Mean": draw}
    assert [q for q in found if isinstance(q, Value)] and list(claim.code()) == [score]
    assert not list(Claim("None.", Raises(score, ValueError)).quantities())


def with_metrics(theta: Any, reward: Any, action: Any) -> Any:
    loss = theta.log_softmax(-1)[action] * reward[action]
    return loss, {"loss": loss.detach()}


@pytest.mark.parametrize("made", [with_metrics, lambda theta, reward, action: {"loss": with_metrics(theta, reward, action)[0]}])
def test_a_loss_with_its_metrics_is_told_to_come_alone(made: Any) -> None:
    line = only(check(page, {reinforce: made}))
    assert line.verdict == "refuted"
    assert line.reason.endswith("a tensor was expected: end with `return loss`, and nothing beside it.")


def test_an_entry_of_a_covariance_says_of_what() -> None:
    """The Fisher matrix of a Gaussian, by mean and log deviation, is diagonal: exp(-2 s) and 2. The page has them in its own
    order, and who writes it in the other must see it."""
    mu, log_std = Parameter("mu", over=Normal()), Parameter("log_std", over=Uniform(-1, 1))
    z = Draw("z", Gaussian(mu, exp(log_std)))

    def score(mu: Any, log_std: Any, z: Any) -> Any:
        return torch.distributions.Normal(mu, log_std.exp()).log_prob(z)

    fisher = array([exp(-2 * log_std), 0], [0, 2])
    turned = array([2, 0], [0, exp(-2 * log_std)])
    lines = [
        only(check(Problem("Fisher", (Claim("So.", Equal(Covariance(Gradient(score)), matrix)),), world=(mu, log_std, z))))
        for matrix in (fisher, turned)
    ]
    assert [line.verdict for line in lines] == ["agrees", "refuted"]
    assert lines[0].labels == ["mu, mu", "mu, log_std", "log_std, mu", "log_std, log_std"]
    assert lines[1].reason.startswith(("mu, mu: ", "log_std, log_std: "))


def test_another_estimator_is_told_once_for_all_points() -> None:
    def with_baseline(theta: Any, reward: Any, action: Any) -> Any:
        return theta.log_softmax(-1)[action] * (reward[action] - reward.mean())

    claim = Claim("Drawn.", Equal(Mean(Gradient(reinforce)), Gradient(J)), by="sampled", resolution=0.05)
    drawn = Problem("Baselines", (claim,), world=(theta, reward, action))
    line = only(check(drawn, {reinforce: with_baseline}))
    assert line.verdict == "agrees" and line.remark.count("its variance is another") == 1
    assert only(check(drawn)).remark == ""


def test_a_gradient_by_what_the_code_does_not_take_is_refused_unless_it_is_named() -> None:
    theta, w = Parameter("theta", 2), Variable("w", 3)

    def square(w: Any) -> Any:
        return (w**2).sum()

    def cube(w: Any) -> Any:
        return (w**3).sum()

    def page(*wrt: Any) -> Problem:
        alike = Claim("They are alike.", Equal(Gradient(square, *wrt), Gradient(cube, *wrt)))
        other = Claim("The page has a theta.", Equal(Gradient((theta**2).sum()), 2 * theta))
        return Problem("two", (alike, other), world=(w,))

    with pytest.raises(ProblemError, match=r"`square` does not take theta, .* is 0 .*: name .*, as Gradient\(square, w\)"):
        page()  # 0 = 0
    assert [line.verdict for line in check(page(w)).claims] == ["refuted", "proved"]
    assert check(page(theta)).ok  # that nothing reaches theta is claimed


SIZED = """
from gradcheck_rl import Claim, Equal, Gradient, Normal, Parameter, Problem, Size, Uniform, Variable

K = Size("K", 3, also=(2, 4))
theta, price = Parameter("theta", K, over=Normal()), Variable("price", K, over=Uniform(-1, 1))


def total(theta, price):
    return (theta * price).sum()


problem = Problem("Sizes", (Claim("So.", Equal(Gradient(total), price)),))
"""


@pytest.mark.parametrize(
    "wrong", [lambda theta, price: (theta * price).mean() * 3, lambda theta, price: (theta * price)[:3].sum()]
)
def test_the_sides_of_what_fails_at_another_size_are_those_at_its_witness(wrong: Any, tmp_path: Path) -> None:
    (tmp_path / "sizes.py").write_text(SIZED)
    line = only(check(load(str(tmp_path / "sizes.py")), {"total": wrong}))
    assert line.verdict == "refuted" and line.value is not None and line.expected is not None and line.point == line.witness
    size = len((line.witness or {})["theta"])
    assert size != 3 and len(line.value) == len(line.expected) == len(line.radius or ()) == len(line.labels or ()) == size
    assert any(abs(float(Rational(x)) - float(Rational(y))) > 1e-6 for x, y in zip(line.value, line.expected, strict=True))


def test_every_size_that_was_not_judged_is_named(tmp_path: Path) -> None:
    (tmp_path / "sizes.py").write_text(SIZED)
    line = only(check(load(str(tmp_path / "sizes.py")), {"total": lambda theta, price: (theta.reshape(3) * price).sum()}))
    assert line.ok and line.sizes == {} and line.remark.startswith("not judged at K = 2, K = 4: ")


@given(st.integers(0, 99))
def test_of_a_refuted_claim_all_points_are_counted_and_its_gap_is_that_of_its_sides(seed: int) -> None:
    x, y = Parameter("x", over=OneOf(-2, -1, 0, 1, 2)), Parameter("y", over=Normal())

    def relu(x: Any, y: Any) -> Any:
        return torch.relu(x) * y

    def twice(x: Any, y: Any) -> Any:
        return 2 * torch.relu(x) * y

    claim = Claim("So.", Equal(Gradient(relu), Gradient(maximum(x, 0) * y)))
    report = Problem("kinks", (claim,), corners=(Point(x=0, y=1), Point(x=1, y=1)))
    right, wrong = (only(check(report, answer, seed=seed)) for answer in (None, {relu: twice}))
    assert right.ok and wrong.verdict == "refuted" and right.removed > 0
    assert (wrong.points, wrong.removed) == (right.points, right.removed)
    assert wrong.value is not None and wrong.expected is not None
    apart = max(abs(float(a) - float(b)) for a, b in zip(wrong.value, wrong.expected, strict=True))
    assert wrong.routes[0].gap == apart


def test_an_input_that_may_move_one_way_alone_is_no_blind_spot() -> None:
    x, y = Parameter("x", over=Normal()), Parameter("y", over=Normal())
    claims = [Claim("So.", Equal(Gradient(minimum(sign * x, 0) ** 2 + y), (0, 1)), at=Point(x=0, y=1)) for sign in (1, -1)]
    for claim in claims:
        assert [spot.inputs for spot in check(Problem("ramp", (claim,))).blind_spots] == [["y"]]


def test_a_path_that_carries_nothing_carries_nothing_at_any_point() -> None:
    x, y = Parameter("x", over=OneOf(-1, 1)), Parameter("y", over=OneOf(1, 2))

    def relu(x: Any, y: Any) -> Any:
        return torch.relu(x) + 0 * y

    claim = Claim("So.", Equal(Gradient(relu), Gradient(maximum(x, 0))))
    (flow,) = check(Problem("late", (claim,), world=(y,), corners=(*[Point(x=-1)] * 6, Point(x=1)))).flow
    assert flow.blocks == {"x": "some", "y": "zero"}


def test_what_is_undecided_without_a_number_rests_on_no_evidence() -> None:
    x = Parameter("x", over=OneOf(0))
    line = only(check(Problem("kink", (Claim("So.", Equal(Gradient(maximum(x, 0)), 0)),))))
    assert line.verdict == "undecided" and line.evidence == ""


def test_what_samples_refute_is_not_told_of_the_route_that_made_it_simple() -> None:
    def doubled(theta: Any, reward: Any, action: Any) -> Any:
        return 2 * theta.log_softmax(-1)[action] * reward[action]

    claim = Claim("Drawn.", Equal(Mean(Gradient(reinforce)), Gradient(J)), by="sampled", resolution=0.05)
    line = only(check(Problem("Doubled", (claim,), world=(theta, reward, action)), {reinforce: doubled}))
    assert line.verdict == "refuted" and "sampled" in line.routes[0].route


def test_of_a_refuted_claim_the_outcomes_of_all_points_are_counted() -> None:
    x, k = Parameter("x", over=OneOf(-1, 0)), Draw("k", Categorical([Rational(1, 4)] * 4))

    def relu(x: Any, k: Any) -> Any:
        return torch.relu(x + k - 1)

    def doubled(x: Any, k: Any) -> Any:
        return torch.relu(x + k - 1) * (1 + (k == 3))

    claim = Claim("So.", Equal(Gradient(relu), Gradient(maximum(x + k - 1, 0))))
    page = Problem("outcomes", (claim,), points=6)
    right, wrong = (only(check(page, answer)) for answer in (None, {relu: doubled}))
    said = "18 of 24 outcomes are left: the others lie on a kink"
    assert right.remark == wrong.remark == said and wrong.verdict == "refuted"


def test_a_mistake_is_not_caught_by_a_claim_that_fails_anyway() -> None:
    a, b = Variable("a", over=Normal()), Variable("b", over=Normal())

    def right(a: Any, b: Any) -> Any:
        return a * b

    def wrong(a: Any, b: Any) -> Any:
        return a + b

    def same(a: Any, b: Any) -> Any:
        return b * a

    holds, fails = Claim("Holds.", Equal(Value(right), a * b)), Claim("Fails.", Equal(Value(right), a * b + 1))
    planted = [Mistake(f"{g.__name__} {c.says}", {right: g}, breaks=c) for c in (holds, fails) for g in (wrong, same)]
    report = check(Problem(title="Mistakes", claims=(holds, fails), mistakes=planted))
    assert [m.caught for m in report.mistakes] == [True, False, False, False]
    assert all("With it fails: refuted, as it is without" in m.reason for m in report.mistakes[2:])


@pytest.mark.parametrize("power", [0, 20, 40])
def test_a_small_answer_has_no_blind_spot_where_it_moves(power: int) -> None:
    a, b, c = Parameter("a", over=Normal()), Variable("b", over=Normal()), Variable("c", over=Normal())
    slope = Rational(1, 2**power)
    claim = Claim("So.", Equal(Gradient(a * b * slope + c, a), 3 * slope), at=Point(a=1, b=3, c=2))
    (spot,) = check(Problem(title="Small", claims=(claim,))).blind_spots
    assert spot.inputs == ["a", "c"]


def product_of(theta: Any, u: Any) -> Any:
    return (theta * u).sum()


@settings(max_examples=10)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=3))
def test_rows_of_a_name_stand_for_its_definition(column: list[int]) -> None:
    """In a formula as in code; rows of what its definition holds are read by the definition."""
    theta, x = Parameter("theta"), Variable("x")
    u, rows = Named("u", array(x**2, -x)), Rows(u=[(n, 1) for n in column])
    mean, square = (Rational(sum(n**k for n in column), len(column)) for k in (1, 2))
    claims = (
        Claim("By the rows.", Equal(Mean(Value(theta * u.sum()), over=rows), theta * (mean + 1))),
        Claim("As code.", Equal(Mean(Gradient(product_of), over=rows), mean + 1)),
        Claim("By the definition.", Equal(Mean(Value(theta * u[0]), over=Rows(x=column)), theta * square)),
        Claim("One too many.", Equal(Mean(Value(theta * u.sum()), over=rows), theta * (mean + 2))),
    )
    report = check(Problem(title="Rows of a name", claims=claims, world=(theta, x, u), points=2))
    assert [c.verdict for c in report.claims] == ["proved", "agrees", "proved", "refuted"]


def test_a_page_at_another_size_is_asked_for_its_names_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def page(k: int, also: Any = ()) -> Problem:
        theta = Parameter("theta", k, over=Normal())
        claims = tuple(Claim(f"It is {n} times as much.", Equal(n * theta.sum(), (n * theta).sum())) for n in range(1, 6))
        return Problem(title="Sizes", claims=claims, also=also)

    asked: list[Problem] = []
    names = Problem.names.fget

    def counted(self: Problem) -> Any:
        asked.append(self)
        return names(self)

    monkeypatch.setattr(Problem, "names", property(counted))
    check(page(3))
    alone = len(asked)
    report = check(page(3, also=(({"K": 2}, page(2)), ({"K": 4}, page(4)))))
    assert len(asked) == 2 * alone + 2
    assert [list(line.sizes) for line in report.claims] == [["K = 2", "K = 4"]] * 5


@settings(max_examples=10)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=3))
def test_rows_of_a_name_are_no_way_past_its_definition(column: list[int]) -> None:
    """What the rows give is held, in a formula as in code, or the page is told that the slope would go another way."""
    theta, x = Parameter("theta"), Variable("x")
    rows, mean = Rows(u=column), Rational(sum(column), len(column))

    def page(u: Named, **options: Any) -> Problem:
        claims = (
            Claim("By the rows.", Equal(Mean(Gradient(theta * u, **options), over=rows), mean)),
            Claim("As code.", Equal(Mean(Gradient(product_by_u), over=rows), mean)),
            Claim("One too many.", Equal(Mean(Gradient(theta * u, **options), over=rows), mean + 1)),
        )
        return Problem(title="Rows of a name", claims=claims, world=(theta, x, u), points=2)

    report = check(page(Named("u", frozen(theta * x))))
    assert [c.verdict for c in report.claims] == ["proved", "agrees", "refuted"]
    assert [c.verdict for c in check(page(Named("u", x**2))).claims] == ["proved", "agrees", "refuted"]
    with pytest.raises(ProblemError, match=r"by theta goes through the definition of `u`, which the rows give: write Named\('u'"):
        page(Named("u", theta * x))


def product_by_u(theta: Any, u: Any) -> Any:
    return theta * u


@pytest.mark.parametrize(
    ("shape", "column", "wanted"),
    [
        (
            3,
            ((1, 2), (3, 4)),
            r"`v` has shape \(3,\) in a formula, and each row of Rows\(v=...\) has shape \(2,\): write 3 numbers",
        ),
        (3, (1, 2), r"each row of Rows\(v=...\) has shape \(\): write 3 numbers in that shape for each row"),
        ((), ((1, 2), (3, 4)), r"`v` has shape \(\) in a formula.*: write one number for each row"),
    ],
)
@pytest.mark.parametrize("kind", ["variable", "name", "draw"])
def test_a_column_of_another_shape_is_not_read_as_the_definition(shape: Any, column: Any, wanted: str, kind: str) -> None:
    zeros = np.zeros(shape, dtype=int)
    law = Gaussian(0, 1) if shape == () else Gaussian(tuple(zeros), tuple(zeros + 1))
    v: Any = {
        "variable": lambda: Variable("v", shape),
        "name": lambda: Named("v", Variable("x", shape) * 2),
        "draw": lambda: Draw("v", law),
    }[kind]()
    claim = Claim("So.", Equal(Mean(Value(v.sum()), over=Rows(v=column)), 5))
    with pytest.raises(ProblemError, match=wanted):
        check(Problem(title="Shapes", claims=(claim,), world=(v,)))


@pytest.mark.parametrize("name", ["theta", "theta_0"])
def test_a_name_of_a_formula_is_no_name_of_a_parameter(name: str) -> None:
    theta = Parameter("theta", 2)
    twice = Named(name, 2 * theta[0])
    with pytest.raises(ProblemError, match=f"two things of this problem are called `{name}`"):
        Problem(title="Names", claims=(Claim("So.", Equal(Gradient(twice * theta[1]), (2 * theta[1], 2 * theta[0]))),))


def test_too_many_points_are_told_before_they_are_drawn() -> None:
    theta = Parameter("theta", 2)
    claims = (Claim("So.", Equal(Gradient(theta.sum()), 1)),)
    wanted = "1000000000000 points of 2 numbers each are too many to hold: write points=10000000 or fewer"
    with pytest.raises(ProblemError, match=wanted):
        check(Problem(title="Points", claims=claims, points=10**12))
    with pytest.raises(ProblemError, match=wanted):
        check(Problem(title="Points", claims=claims), points=10**12)


@pytest.mark.parametrize("nothing", [float("nan"), sp.nan])
def test_a_point_of_what_is_no_number_is_told(nothing: Any) -> None:
    theta = Parameter("theta", 2)
    at, slopes = Point(theta=(0, nothing)), Equal(Gradient(theta.sum()), 1)
    for problem in (
        lambda: Problem(title="Corner", claims=(Claim("So.", slopes),), corners=(at,)),
        lambda: Problem(title="Data", claims=(Claim("So.", slopes, at=at),)),
    ):
        with pytest.raises(ProblemError, match="the point's `theta` is not a number: write one"):
            problem()


def test_an_answer_in_numpy_is_told_to_be_torch_and_a_page_may_claim_its_value() -> None:
    x = Parameter("x")

    def right(x: Any) -> Any:
        return x**2

    def of_numpy(x: Any) -> Any:
        return np.square(x)

    slope = Problem("slope", (Claim("So.", Equal(Gradient(right), 2 * x)),))
    (line,) = check(slope, {right: of_numpy}).claims
    assert line.verdict == "refuted" and "write it in torch." in line.reason
    with pytest.raises(ProblemError, match="write it in torch, or claim its Value"):
        check(Problem("slope", (Claim("So.", Equal(Gradient(of_numpy), 2 * x)),)))


@pytest.mark.parametrize(("times", "verdict"), [(1, "agrees"), (2, "refuted")])
def test_a_gradient_of_each_outcome_at_given_data_is_judged_and_has_no_blind_spots(times: int, verdict: str) -> None:
    theta = Parameter("theta", 2)
    coin = Draw("coin", Categorical(logits=theta))

    def chosen(theta: Any, coin: Any) -> Any:
        return theta[coin]

    each = array(1 - coin, coin)
    claim = Claim("So.", Equal(Gradient(chosen), times * each), at=Point(theta=(0, 1)))
    report = check(Problem("Outcomes", (claim,)))
    assert only(report).verdict == verdict
    assert not report.blind_spots


SAME_SHAPES = """
from gradcheck_rl import Claim, Equal, Normal, Parameter, Point, Problem, Size, Variable

K = Size("K", 3, also=(2,))
theta = Parameter("theta", K, over=Normal())
v, x = Variable("v", 2, over=Normal()), Variable("x", over=Normal())
total = theta.sum()
equal = Claim("Of equal values.", Equal(v[0] * total, v[1] * {factor}), where=Equal((v, x), (v[1], v[1], 1)))
problem = Problem("Same", (equal,), corners=(Point(v=(2, 2), x=1), Point(v=(3, 3), x=1, theta=(1, 1, 1))))
"""


@pytest.mark.parametrize(
    ("factor", "verdict", "sizes"),
    [("total", "proved", {"K = 2": "agrees"}), ("(total + K - 3)", "refuted", {"K = 2": "refuted"})],
)
def test_a_corner_whose_arrays_have_the_shapes_of_another_size_is_one_there(
    tmp_path: Path, factor: str, verdict: str, sizes: dict[str, str]
) -> None:
    (tmp_path / "same.py").write_text(SAME_SHAPES.replace("{factor}", factor))
    line = only(check(load(str(tmp_path / "same.py"))))
    assert line.verdict == verdict and line.sizes == sizes


def test_both_of_two_may_have_unlike_shapes() -> None:
    v, m, x = Variable("v", 2, over=Uniform(-1, 1)), Variable("m", (2, 2), over=Uniform(-1, 1)), Variable("x", over=Normal())
    for parts in ((v, x), (m, v), (x, m, (v, 1)), [v, v[0]]):
        line = only(check(Problem("Parts", (Claim("So.", Equal(parts, parts)),))))
        assert line.verdict == "proved"
    line = only(check(Problem("Parts", (Claim("So.", Equal((m, x), (m.T, x))),))))
    assert line.verdict == "refuted"


critic, states, aims = Parameter("v", 2), Variable("h", (3, 2)), Variable("y", 3)


def critic_value(v: Any, h: Any) -> Any:
    return h @ v


def squared(v: Any, h: Any, y: Any, critic_value: Any = critic_value) -> Any:
    return ((critic_value(v, h) - y) ** 2).mean()


class Critic(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = torch.nn.Linear(2, 1, bias=False)

    def forward(self, h: Any) -> Any:
        return self.out(h).squeeze(-1)


class NotSqueezed(Critic):
    def forward(self, h: Any) -> Any:
        return self.out(h)


class Whole(NotSqueezed):
    def __init__(self) -> None:
        super().__init__()
        self.out = torch.nn.Parameter(torch.ones(()))

    def forward(self, h: Any) -> Any:
        return (h * self.out).sum(-1)


class One(Whole):
    def __init__(self) -> None:
        super().__init__()
        self.out = torch.nn.Parameter(torch.ones(1))


of_a_critic = Problem(
    "A critic",
    (Claim("It regresses.", Equal(Gradient(squared), Gradient((states @ critic - aims) @ (states @ critic - aims) / 3))),),
)


@pytest.mark.parametrize(("make", "verdict"), [(Critic, "agrees"), (NotSqueezed, "refuted")])
def test_a_parameter_of_a_module_keeps_its_axes(make: Any, verdict: str) -> None:
    """An output of shape (3, 1) less a target of shape (3,) has shape (3, 3): the commonest mistake of a critic."""
    answer = {critic_value: module(make, critic_value, v="out.weight")}
    assert only(check(of_a_critic, answer)).verdict == verdict
    v, h, y = torch.tensor([1.0, -2.0]), torch.tensor([[1.0, 2.0], [0.5, 0.0], [3.0, 1.0]]), torch.tensor([1.0, 0.0, 2.0])
    net = make()
    net.out.weight.data = v[None].clone()
    squared(v, h, y, lambda v, h: net(h)).backward()
    right = 2 * (h @ v - y) @ h / 3
    assert torch.allclose(net.out.weight.grad[0], right) == (verdict == "agrees")


@pytest.mark.parametrize(("make", "name", "shape"), [(Whole, "out", ()), (One, "out", (1,))])
def test_an_argument_that_has_other_axes_than_its_parameter_is_told(make: Any, name: str, shape: tuple[int, ...]) -> None:
    """One weight for all entries is no network with a weight for each, though it is written alike."""
    has = f"`{name}` of {make.__name__} has shape {shape}, and should have that of `v`, (2,)"
    says = f"{has}: write another layer, or torch.nn.Parameter(torch.zeros(2))."
    own = module(make, critic_value, v=name)
    with pytest.raises(InputError) as error:
        own(torch.ones(2), torch.ones(3, 2))
    assert str(error.value) == says
    report = check(of_a_critic, {critic_value: own})
    assert only(report).verdict == "refuted" and says in repr(report)


def test_an_argument_that_the_function_of_a_module_lacks_is_told() -> None:
    with pytest.raises(InputError) as error:
        module(Policy, log_pi, thta="logits")
    assert str(error.value) == "log_pi has no argument `thta`; it has theta. Did you mean `theta`?"


def test_a_condition_that_is_a_comparison_is_told_what_to_write_before_what_it_is() -> None:
    many = sum((exp(aims[i]) for i in range(3)), sp.Integer(0)) ** 7
    with pytest.raises(ProblemError) as error:
        Claim("So.", Equal(aims, aims), where=many.expand() > 0)  # pyright: ignore[reportArgumentType]
    assert str(error.value).startswith(
        "'So.': write where=Equal(a, b), AtMost or Differs; for both of two, where=Equal((a, b), (c, d)). It has where="
    )
    assert len(str(error.value)) < 500


def test_a_network_that_is_made_already_is_told() -> None:
    with pytest.raises(InputError) as error:
        module(Critic(), critic_value, v="out.weight")  # pyright: ignore[reportArgumentType]
    assert str(error.value) == (
        "a network is made anew for `critic_value`: write module(Critic, ...), or module(lambda: Critic(8), ...)."
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: module(Critic, "critic_value", v="out.weight"), "'critic_value' is str, and no function: "),  # pyright: ignore
        (lambda: module(3, critic_value, v="out.weight"), "3 is int, and no network: "),  # pyright: ignore
    ],
)
def test_what_module_does_not_take_is_told(wrong: Any, said: str) -> None:
    with pytest.raises(InputError) as error:
        wrong()
    assert str(error.value) == f"{said}write module(Policy, log_pi, ...), with the function whose place it takes."


@pytest.mark.parametrize("hidden_first", [True, False])
def test_two_episodes_of_which_one_hides_its_states_stand_on_one_page(hidden_first: bool) -> None:
    theta, pay = Parameter("theta", (2, 2), over=LogRational()), Variable("pay", (2, 2), over=Uniform(-1, 1))
    start, step = Variable("start", 2, over=Simplex()), Variable("step", (2, 2, 2), over=Simplex())
    seen = episode(start, step, pay, softmax(theta), 2)
    hidden = episode(start, step, pay, softmax(theta), 2, observe=(0, 0))

    def of_states(theta: Any, states: Any, actions: Any, rewards: Any) -> Any:
        return (theta.log_softmax(-1)[states, actions] * rewards.sum()).sum()

    def of_observations(theta: Any, observations: Any, actions: Any, rewards: Any) -> Any:
        return (theta.log_softmax(-1)[observations, actions] * rewards.sum()).sum()

    def right(loss: Any, tau: Any) -> Claim:
        return Claim(f"{loss.__name__} of {tau}.", Equal(Mean(Gradient(loss), over=tau), Gradient(E(tau.total))))

    claims = [right(of_states, seen), right(of_observations, hidden), right(of_states, hidden)]
    report = check(Problem(title="Two", claims=tuple(claims if not hidden_first else reversed(claims))))
    verdicts = [line.verdict for line in report.claims]
    assert (verdicts if not hidden_first else verdicts[::-1]) == ["agrees", "agrees", "refuted"]


SCORES = """
from gradcheck_rl import *
theta = Parameter("theta", (2, 2), over=LogRational())
start, step = Variable("start", 2, over=Simplex()), Variable("step", (2, 2, 2), over=Simplex())
pi = softmax(theta)
tau = episode(start, step, [[0, 1], [1, 0]], pi, 2)
states, actions = tau["states"], tau["actions"]
def right(theta, states, actions):
    return theta.log_softmax(-1)[states, actions].sum()
def wrong(theta, states, actions):
    return theta.log_softmax(-1)[states[0], actions[1]]
def score(k):
    return Gradient(log(pi[states[0], actions[k]]) + log(pi[states[1], actions[1]]))
problem = Problem("Scores", (Claim("So.", Equal(Mean({}), 0)),))
"""


@pytest.mark.parametrize(("of", "holds"), [("Gradient(right)", 1), ("score(0)", 1), ("Gradient(wrong)", 0), ("score(1)", 0)])
def test_a_table_that_the_law_of_a_later_step_alone_reads_is_a_variable(tmp_path: Path, of: str, holds: int) -> None:
    """The score of a trajectory has mean zero, and no side of that names the transitions."""
    path = tmp_path / "scores.py"
    path.write_text(SCORES.format(of))
    (line,) = check(load(str(path))).claims
    assert line.verdict in (("agrees", "proved") if holds else ("refuted",))


@given(shape=st.lists(st.integers(1, 4), min_size=2, max_size=3).filter(lambda n: np.prod(n) != 3))
def test_a_layer_whose_shape_does_not_fit_is_told_of_its_parameter(shape: list[int]) -> None:
    class Layered(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(*shape))

        def forward(self) -> Any:
            return self.weight.reshape(*shape).log_softmax(-1)

    line = only(check(page, {log_pi: module(Layered, log_pi, theta="weight")}))
    assert line.verdict == "refuted"
    says = f"`weight` of Layered has shape {tuple(shape)}, and should have that of `theta`, (3,): write another layer, or "
    assert any(f"{says}torch.nn.Parameter(torch.zeros(3))." in route.note for route in line.routes)


def test_what_a_network_does_wrong_itself_is_not_laid_to_a_shape() -> None:
    class Wrong(Policy):
        def forward(self) -> Any:
            return self.logits @ torch.ones(4)

    line = only(check(page, {log_pi: module(Wrong, log_pi, theta="logits")}))
    assert any("raised RuntimeError" in route.note for route in line.routes) and "should have" not in str(line)


RATE = Rational(9, 10)


@pytest.mark.parametrize(
    ("wrong", "symbolic"),
    [
        (lambda theta: RATE * Solved().V + theta[0], False),
        (lambda theta: RATE * theta.summ(), False),
        (lambda theta: RATE * thtea[0], False),  # pyright: ignore[reportUndefinedVariable]  # noqa: F821
        (lambda theta: RATE.item() * theta[0], True),
        (lambda theta: torch.log(RATE) * theta[0], True),  # pyright: ignore[reportArgumentType, reportCallIssue]
    ],
)
def test_a_misspelt_name_is_not_laid_to_what_is_symbolic_beside_it(wrong: Any, symbolic: bool) -> None:
    with pytest.raises((AttributeError, NameError, TypeError)) as found:
        wrong(torch.zeros(3))
    assert ("`RATE` is a SymPy name there" in raised("f", found.value)) is symbolic


class Solved:
    v = 1


@pytest.mark.parametrize(("entries", "said"), [(1, "1 coordinate"), (3, "3 coordinates")])
def test_a_mistake_that_is_not_caught_says_why_in_one_sentence(entries: int, said: str) -> None:
    def short(theta: Any) -> Any:
        return theta.sum() * torch.ones(entries)

    def none_at_all(theta: Any) -> Any:
        return theta * 1

    def same(theta: Any) -> Any:
        return 1 * theta

    theta = Parameter("theta", 2, over=Normal())
    claim = Claim("So.", Equal(Value(same), theta))
    mistakes = (Mistake("Short.", {same: short}, breaks=claim), Mistake("None.", {same: none_at_all}, breaks=claim))
    shorter, none = check(Problem(title="Two", claims=(claim,), mistakes=mistakes)).mistakes
    wanted = f"`same` gives {said} with this answer, and 2 with the page's own function."
    assert shorter.reason == f"With it so stops, which anyone notices: {wanted}"
    assert none.reason == "With it so: agrees."


def test_a_mistake_in_a_function_that_a_claim_calls_by_itself_says_why_it_is_not_caught() -> None:
    def part(theta: Any) -> Any:
        return theta

    def bent(theta: Any) -> Any:
        return theta.exp()

    def whole(theta: Any) -> Any:
        return part(theta)

    def by_default(theta: Any, part: Any = part) -> Any:
        return part(theta)

    theta = Parameter("theta", 2, over=Normal())
    by_itself, given = Claim("So.", Equal(Value(whole), theta)), Claim("Too.", Equal(Value(by_default), theta))
    mistakes = (
        Mistake("Here.", {part: lambda theta: theta.exp()}, breaks=by_itself),
        Mistake("There.", {part: lambda theta: theta.exp()}, breaks=given),
    )
    here, there = check(Problem(title="Two", claims=(by_itself, given), mistakes=mistakes)).mistakes
    assert there.caught
    assert here.reason == "With it so: agrees; none of its functions has `part` as the default of an argument, to be replaced."


@pytest.mark.parametrize(("many", "verdict"), [(1, "refuted"), (2, "agrees")])
@pytest.mark.parametrize("drawn", [False, True])
def test_an_answer_of_fewer_numbers_is_told_where_one_is_claimed_of_all(drawn: bool, many: int, verdict: str) -> None:
    """Of what it returns, and of its mean."""
    two = Draw("two", Gaussian([0, 0], 1)) if drawn else Variable("two", 2, over=Normal())

    def rest(two: Any) -> Any:
        return two - two

    claim = Claim("Nothing is left.", Equal(Mean(Value(rest)) if drawn else Value(rest), 0))
    (line,) = check(Problem(title="Rest", claims=(claim,), world=(two,)), {rest: lambda two: 0 * two[:many]}).claims
    assert line.verdict == verdict
    assert many == 2 or line.reason == "`rest` gives 1 coordinate with this answer, and 2 with the page's own function."


def test_what_is_undecided_neither_holds_nor_is_wrong_nor_catches_a_mistake() -> None:
    x = Parameter("x", over=Uniform(1, 2))

    def line(x: Any) -> Any:
        return x

    nowhere = AtMost(x, 0)
    claim = Claim("It is x.", Equal(Value(line), x), where=nowhere)
    holds = Claim("It is no other.", Equal(x, x))
    wrong = Erratum("It is 2 x.", Equal(x, 2 * x), where=nowhere, instead=holds)
    helpless = Erratum("It is 3 x.", Equal(x, 3 * x), instead=claim)
    mistake = Mistake("It is doubled.", {line: lambda x: 2 * x}, breaks=claim)
    report = check(Problem("Nowhere", (claim, holds), errata=(wrong, helpless), mistakes=(mistake,), points=1))
    assert [(found.verdict, found.ok) for found in report.claims] == [
        ("undecided", False),
        ("proved", True),
        ("undecided", False),
        ("refuted", False),
    ]
    assert not report.mistakes[0].caught


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_condition_that_few_points_fulfil_is_asked_of_others(wrong: int) -> None:
    x = Parameter("x", over=Uniform(-9, 1))
    claim = Claim("So.", Equal(abs(x), x + wrong), where=AtMost(0, x))
    (line,) = check(Problem("Few", (claim,), corners=(Point(x=Rational(1, 2)),), points=1)).claims
    assert (line.verdict, line.points) == ("refuted" if wrong else "agrees", 4)


def test_of_other_sizes_the_one_that_refutes_is_told() -> None:
    x = Parameter("x", over=Uniform(1, 2))

    def page(where: Any = None, wrong: int = 0, also: Any = ()) -> Problem:
        return Problem("Sizes", (Claim("So.", Equal(x, x + wrong), where=where),), also=also, points=1)

    others = (({"K": 2}, page(where=AtMost(x, 0))), ({"K": 4}, page(wrong=1)))
    line = only(check(page(also=others)))
    assert (line.verdict, line.ok, line.sizes) == ("refuted", False, {"K = 2": "undecided", "K = 4": "refuted"})


def test_print_tells_how_far_a_check_is(capsys: pytest.CaptureFixture[str]) -> None:
    check(page, only="X-2", progress=print)
    assert capsys.readouterr().out.startswith("1 1 ")


def test_a_precision_that_someone_else_lowered_changes_nothing() -> None:
    x = Parameter("x", over=Uniform(1, 2))
    problem = Problem("Fine", (Claim("So.", Equal(sp.sin(x), sp.sin(x) + Rational(1, 10**9))),), points=1)
    with ctx.workprec(53):
        low = check(problem, timed=False)
        assert ctx.prec == 53
    assert json.render([low]) == json.render([check(problem, timed=False)])


def test_a_name_that_the_rows_give_is_refused_only_where_a_slope_goes_through_its_definition() -> None:
    theta, w, x = Parameter("theta"), Parameter("w"), Variable("x")
    rows, mean = Rows(u=(1, 4)), Rational(5, 2)

    def verdicts(of: Any, slope: Any, **options: Any) -> list[str]:
        says = [Equal(Mean(Gradient(of, **options), over=rows), slope + wrong) for wrong in (0, 1)]
        claims = tuple(Claim(f"Claim {n}.", that) for n, that in enumerate(says))
        return [c.verdict for c in check(Problem(title="Rows", claims=claims, world=(theta, w, x, u), points=2)).claims]

    u = Named("u", theta * x)
    assert verdicts(w * u, mean, wrt=w) == ["proved", "refuted"]  # no slope by theta
    assert verdicts(theta * frozen(u), mean, wrt=theta) == ["proved", "refuted"]  # held where it stands
    assert verdicts(theta * x, x, wrt=theta) == ["proved", "refuted"]  # it does not stand there
    for of in (w * u, (w, w * u)):
        with pytest.raises(ProblemError, match="a gradient by x goes through the definition of `u`"):
            verdicts(of, mean, wrt=x)  # which is no parameter of the page
    u = Named("u", frozen(theta) * x)
    assert verdicts(theta * u, mean, wrt=theta) == ["proved", "refuted"]  # held in its definition
    u = Named("u", frozen(theta) * x + theta)
    with pytest.raises(ProblemError, match="a gradient by theta goes through the definition of `u`"):
        verdicts(theta * u, mean, wrt=theta)  # held there in part


def test_rows_that_a_formula_reads_by_their_own_name_may_have_the_names_of_variables() -> None:
    u, rows = Variable("u"), Rows(u=(1, 4))
    mean = Claim("Squares.", Equal(Mean(Value(u * rows["u"]), over=rows), Rational(17, 2)))
    assert only(check(Problem("Rows", (mean,), world=(u,), points=1))).verdict == "proved"


def test_a_variable_and_a_part_of_an_episode_do_not_share_a_name() -> None:
    """Code that asks for `rewards` would be given either."""
    rewards, half = Variable("rewards", (1, 2)), Rational(1, 2)
    played = episode([1], [[[1], [1]]], rewards, [[half, half]], 2)
    claim = Claim("So.", Equal(Value(E(played.total)), rewards[0, 0] + rewards[0, 1]))
    for world in ((), (rewards,)):
        with pytest.raises(ProblemError, match="two things of this problem are called `rewards`"):
            Problem("Episode", (claim,), world=world)


PLAYED = """
from sympy import Rational
from gradcheck_rl import Claim, Equal, Mean, Problem, Uniform, Value, Variable, episode

reward = Variable("reward", (1, 2), over=Uniform(-1, 1))
half = Rational(1, 2)
played = episode([1], [[[1], [1]]], reward, [[half, half]], 2)


def total(rewards):
    return rewards.sum()


problem = Problem(title="Played", claims=(Claim("So.", Equal(Mean(Value(total)), reward.sum())),))
"""


def test_code_may_ask_for_a_part_of_the_one_episode_of_its_file(tmp_path: Path) -> None:
    """Of two it cannot know which."""
    path = tmp_path / "played.py"
    path.write_text(PLAYED)
    assert only(check(load(path))).verdict == "agrees"
    path.write_text(PLAYED.replace("def total", "longer = episode([1], [[[1], [1]]], reward, [[half, half]], 3)\n\n\ndef total"))
    with pytest.raises(
        ProblemError, match=r"asks for `rewards`; this problem has reward\. Write over=played or longer in its Mean"
    ):
        load(path)
    path.write_text(path.read_text().replace("Mean(Value(total))", "Mean(Value(total), over=played)"))
    assert only(check(load(path))).verdict == "agrees"


def test_code_that_takes_no_variable_has_no_slope_by_a_parameter() -> None:
    z, theta = Draw("z", Bernoulli(Rational(1, 3))), Parameter("theta")

    def drawn(z: Any) -> Any:
        return 2.0 * z

    line = only(check(Problem("Draws", (Claim("So.", Equal(Mean(Gradient(drawn)), 0)),), world=(z, theta), points=1)))
    assert line.verdict == "agrees"


def test_a_slope_on_a_page_without_a_parameter_is_told_to_name_what_it_is_by() -> None:
    w = Variable("w")

    def square(w: Any) -> Any:
        return w**2

    with pytest.raises(ProblemError, match="it is a gradient and nothing it needs is a Parameter"):
        check(Problem("Plain", (Claim("So.", Equal(Gradient(square), 2 * w)),)))


@given(st.lists(st.integers(0, 1), min_size=2, max_size=4).filter(any))
@settings(max_examples=8)
def test_a_logarithm_of_a_policy_is_minus_infinity_where_it_is_masked(allowed: list[int]) -> None:
    """With a mask of plain numbers as with one that varies."""
    x, mask = Parameter("x", len(allowed), over=Normal()), Variable("mask", len(allowed), over=Masks())
    p, there, m = softmax(x, tuple(allowed)), [k for k, m in enumerate(allowed) if m], Equal(mask, tuple(allowed))
    action = Draw("action", Categorical(p))
    claims = (
        Claim("Logs.", Equal(Value(log(p)), Value(log_softmax(x, tuple(allowed))))),
        Claim("Masks.", Equal(Value(log(p)), Value(log(softmax(x, mask)))), where=m),
        Claim("Slopes.", Equal(Gradient(log(p[there[0]])), Gradient(log(softmax(x, mask)[there[0]]))), where=m),
        Claim("Entropy.", Equal(Value(E(log(p)[action])), Value(sum(p[k] * log(p[k]) for k in there)))),
        Claim("Score.", Equal(Mean(Gradient(log(p)[action])), 0)),
    )
    report = check(Problem("masked", claims=claims))
    assert [line.verdict in ("proved", "agrees") for line in report.claims] == [True] * 5, report
    wrong = Claim("Naive.", Equal(Value((p * log(p)).sum()), Value(E(log(p)[action]))))  # 0 log 0
    verdict = check(Problem("masked", claims=(wrong,))).claims[0].verdict
    assert verdict == "refuted" if 0 in allowed else verdict in ("proved", "agrees")


def test_what_is_infinite_on_both_sides_has_no_slope() -> None:
    x = Variable("x")
    claim = Claim("It is flat.", Equal(Gradient(x * log(0 * x), x), 0))
    line = check(Problem("T", claims=(claim,))).claims[0]
    assert line.verdict == "refuted" and "nan is not 0" in line.reason


def test_what_is_hardly_known_is_no_blind_spot() -> None:
    """The chance of a small ball around the centre is known to a few thousandths wherever the centre is."""
    centre = Parameter("centre", 3, over=Uniform(-1, 1))
    near = Draw("near", Gaussian(centre, array(1, 1, 1)))

    def hit(near: Any) -> Any:
        return torch.where((near**2).sum() < 0.04, 1.0, 0.0)

    for resolution, verdict, inputs in ((1e-6, "undecided", []), (0.05, "agrees", [["centre_0", "centre_1", "centre_2"]])):
        claim = Claim("None.", Equal(Mean(Value(hit)), 0), at=Point(centre=(0, 0, 0)), resolution=resolution)
        report = check(Problem("Ball", (claim,), world=(centre, near)))
        assert (report.claims[0].verdict, [spot.inputs for spot in report.blind_spots]) == (verdict, inputs)
