"""docs/words.md: every name is on it, and what it says is worth knowing is so."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import gradcheck_rl
from gradcheck_rl import (
    MDP,
    AtMost,
    Bernoulli,
    Categorical,
    Claim,
    Covariance,
    Derivation,
    Differs,
    Draw,
    E,
    Equal,
    Erratum,
    Exact,
    Figure,
    Gaussian,
    Gradient,
    LogRational,
    Masks,
    Mean,
    Mistake,
    Named,
    NonFinite,
    OneOf,
    Parameter,
    Printed,
    Problem,
    ProblemError,
    Raises,
    Rows,
    Uniform,
    Value,
    Variable,
    Within,
    batch,
    check,
    differentiate,
    erfc,
    exp,
    frozen,
    log,
    log_prob,
    sigmoid,
    softmax,
    sqrt,
    substitute,
    torch,
)
from gradcheck_rl.claims import Relation
from gradcheck_rl.errors import InputError
from gradcheck_rl.load import load_functions
from gradcheck_rl.quantities import Quantity

PAGE = Path(__file__).parents[1] / "docs" / "words.md"


def test_every_name_is_on_the_page() -> None:
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", PAGE.read_text(encoding="utf-8")))))
    assert set(gradcheck_rl.__all__) <= words


theta = Parameter("theta", 3, over=LogRational())
reward = Variable("reward", 3, over=Uniform(-1, 1))
mask = Variable("mask", 3, over=Masks())
action = Draw("action", Categorical(logits=theta))
masked = Draw("masked", Categorical(logits=theta, allowed=mask))
pi = softmax(theta, mask)
off = Parameter("off", 3, over=OneOf(0))
best = softmax(reward / 2 + off)
z = Draw("z", Gaussian(0, 1))
uniform = erfc(-z / sqrt(2)) / 2
noise = Named("noise", log(erfc(-z / sqrt(2))) - log(erfc(z / sqrt(2))))
location = Parameter("location", over=Uniform(-1, 1))
coin = Draw("coin", Bernoulli(sigmoid(location)))


def relaxed(location, noise):
    return torch.sigmoid(location + noise) ** 2


score = Gradient(log_prob(action), theta)
chances = np.asarray(softmax(theta))
fisher = np.diag(chances) - np.outer(chances, chances)
spread = Draw("spread", Gaussian(coin, 1 + coin))
near, far = (log_prob(spread, Gaussian(k, 1 + k)) for k in (0, 1))
mixed = log((1 - sigmoid(location)) * exp(near) + sigmoid(location) * exp(far))
joint = log((1 - coin) * (1 - sigmoid(location)) * exp(near) + coin * sigmoid(location) * exp(far))
answers = Named("answers", batch((coin, action), 2, given=coin)["action"])


def centred(reward, answers):
    return reward[answers] - reward[answers].mean()


HOLDS = (
    Equal(Mean(Gradient(frozen(reward[action]) * log_prob(action), theta)), Gradient(E(reward[action]), theta)),
    Differs(Gradient(E(frozen(reward[action]) * log_prob(action)), theta), Gradient(E(reward[action]), theta)),
    Equal(Gradient((best * reward).sum() - 2 * (best * log(best)).sum(), off), 0),
    Equal(NonFinite(Value(E(log_prob(masked)))), 0),
    Equal(E(uniform), sp.Rational(1, 2)),
    Equal(E(uniform**2), sp.Rational(1, 3)),
    Equal(E(noise), 0),
    Equal(E(noise**2), sp.pi**2 / 3),
    Equal(Mean(Gradient(relaxed, location)), Gradient(E(sigmoid(location + noise) ** 2), location)),
    Equal(E(sp.KroneckerDelta(action, 1)), softmax(theta)[1]),
    Equal(E(batch(action, 2)["action"][0]), E(action)),
    Equal(Value(centred).sum(), 0),
    Differs(log_prob(spread), mixed),
    Equal(log_prob(coin) + log_prob(spread), joint),
    Equal(Mean((reward * score).sum() * score), Gradient(E(reward[action]), theta)),
    Equal(Mean((reward * score).sum() * score), fisher @ np.asarray(reward)),
)
FAILS = (
    Equal(Value(centred), 0),
    Equal(NonFinite(Value((pi * log(pi)).sum())), 0),
    Equal(Gradient((best * reward).sum() - (best * log(best)).sum(), off), 0),
    Equal(E(noise**2), sp.pi**2 / 6),
)


@pytest.mark.parametrize("that", [*HOLDS, *FAILS])
def test_what_is_worth_knowing_is_so(that: Equal) -> None:
    (line,) = check(Problem(title="Words", claims=(Claim("So.", that),), world=(z, coin))).claims
    assert line.verdict in (("proved", "agrees") if that in HOLDS else ("refuted",)), line.reason


@pytest.mark.parametrize("name", ["test_probabilities_sum_to_one", "test_what_is_forbidden_has_no_chance"])
def test_the_strategies_are_used_as_the_page_says(name: str, tmp_path: Path) -> None:
    code, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(code)
    wrong.write_text(code.replace("< 1e-12", "> 1e-12").replace("forbidden] == 0", "forbidden] > 0"))
    load_functions(str(right))[name]()
    with pytest.raises(AssertionError):
        load_functions(str(wrong))[name]()


# ---- how they show themselves ---------------------------------------------------------------------------------------------


def code(theta: Any, action: Any) -> Any:
    return theta.log_softmax(-1)[action]


LEAVES = [Value(code), Gradient(code), Gradient(code, reward), Gradient(code, dtype="float32"), Printed("0.5", "-1.20"), Exact(3)]
quantities = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        inner.map(Mean) | inner.map(NonFinite) | inner.map(lambda q: Covariance(q, over=action)),
        inner.map(lambda q: q.sum()) | inner.map(lambda q: -q),
        st.tuples(inner, st.integers(-2, 2)).map(lambda two: two[0][two[1]]),
        st.tuples(inner, st.sampled_from([slice(1, 2), slice(1, None), slice(None, None, 2), slice(None)])).map(
            lambda two: two[0][two[1]]
        ),
        st.tuples(st.sampled_from([operator.add, operator.sub, operator.mul, operator.truediv]), inner, inner).map(
            lambda three: three[0](three[1], three[2])
        ),
    ),
    max_leaves=5,
)


def inside(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(map(inside, x))
    return (type(x), {name: inside(part) for name, part in vars(x).items()}) if isinstance(x, (Quantity, Relation)) else x


@given(left=quantities, right=quantities, relation=st.sampled_from([Equal, AtMost, Differs]))
def test_a_relation_shows_itself_as_it_is_written(left: Quantity, right: Quantity, relation: Any) -> None:
    for stated in (relation(left, right), Within(left, (left, right))):
        assert inside(eval(repr(stated), globals())) == inside(stated)  # noqa: S307  made here


def test_nothing_that_a_page_is_made_of_shows_an_address() -> None:
    holds = Claim("It holds.", Equal(Mean(Gradient(code), over=batch(action, 2)), Gradient(E(reward[action]))))
    wrong = Erratum("It is a third.", Raises(code, ValueError), instead=holds)
    mistake = Mistake("none", {code: code}, breaks=holds)
    figure = Figure("a figure", lambda problem, seed: {}, lambda data, ax: None)
    page = Problem("A page", (holds,), (wrong,), (), (mistake,), figures=(figure,))
    for part in (holds, wrong, mistake, figure, page, Rows(action=(0, 1)), batch(action, 2)):
        assert " at 0x" not in repr(part)
    assert repr(holds.that) == "Equal(Mean(Gradient(code), over=Bundle(action)), Gradient(E[reward[action]]))"
    assert len(repr(Value(sum(reward[0] ** n for n in range(999))))) < 400


def test_every_name_says_what_it_is() -> None:
    for name in gradcheck_rl.__all__:
        x = getattr(gradcheck_rl, name)
        assert x.__doc__ and (isinstance(x, type) or not callable(x) or x.__name__ == name), name
    assert "log_softmax" in dir(gradcheck_rl.torch)


SLIPS: list[tuple[Callable[[], Any], str]] = [
    (lambda: E(code), r"`code` is a function and no formula: .* claimed as Value\(code\)"),
    (lambda: Named("pi", code), "`code` is a function and no formula"),
    (lambda: Named(3, reward), "3 cannot be the name of an argument"),  # pyright: ignore[reportArgumentType]
    (lambda: Parameter(3, "theta"), "3 cannot be the name of an argument"),  # pyright: ignore[reportArgumentType]
    (lambda: Parameter("theta", 2.0), r"the shape 2\.0 is none: write how many, as in 3 or \(2, 3\)"),  # pyright: ignore[reportArgumentType]
    (lambda: Variable("x", (2, 0)), r"the shape \(2, 0\) is none"),
    (lambda: Rows(action=3), r"the column action=3 of Rows is int: write its values, action=\(0, 1\)"),
    (lambda: differentiate(reward[0]), r"differentiate takes a chain, not Atom: write differentiate\(Derivation"),
    (lambda: substitute(Derivation("a", z), z, "it"), r"substitute was given .*: write \{what: what stands there instead\}"),  # pyright: ignore[reportArgumentType]
    (lambda: Raises(ValueError, code), r"write the function and then the error, Raises\(f, ValueError\)"),  # pyright: ignore[reportArgumentType]
    (lambda: Raises(code, "ValueError"), r"Raises\(code, 'ValueError'\): write"),  # pyright: ignore[reportArgumentType]
]


@pytest.mark.parametrize(("slip", "said"), SLIPS)
def test_a_slip_gets_one_sentence(slip: Callable[[], Any], said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        slip()


@pytest.mark.parametrize("right", [True, False])
def test_what_is_of_your_own_is_written_as_the_page_says(right: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "own.py").write_text(code if right else code.replace("/ (2 * sd**2)))", "/ (2 * sd)))"))
    if right:
        load_functions(str(tmp_path / "own.py"))
        assert capsys.readouterr().out == "* **agrees** The mean rises as differences say.\n"
    else:
        with pytest.raises(InputError, match="REFUTED"):
            load_functions(str(tmp_path / "own.py"))


def test_an_editor_is_told_of_every_name() -> None:
    stub = Path(gradcheck_rl.__file__).with_suffix(".pyi")
    told = {
        alias.asname: f"gradcheck_rl.{node.module}"
        for node in ast.walk(ast.parse(stub.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert {*told} == {*gradcheck_rl.__all__} - {"torch"}
    for name, home in told.items():
        assert getattr(import_module(home), name) is getattr(gradcheck_rl, name)


def test_help_says_what_a_report_has() -> None:
    for name, member in vars(gradcheck_rl.Report).items():
        if not name.startswith("_") and (isinstance(member, (property, staticmethod)) or callable(member)):
            assert member.__doc__, name


def test_what_is_not_given_is_not_shown() -> None:
    shown = repr(MDP([1.0], [[[1.0]]], [[2.0]], discount=0.5))
    assert "reward=array([[2.]])" in shown and "reward_size" not in shown
