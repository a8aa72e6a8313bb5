"""docs/words.md: every name is on it, and what it says is worth knowing is so."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import gradcheck_rl
from gradcheck_rl import (
    Bernoulli,
    Categorical,
    Claim,
    Differs,
    Draw,
    E,
    Equal,
    Gaussian,
    Gradient,
    LogRational,
    Masks,
    Mean,
    Named,
    NonFinite,
    OneOf,
    Parameter,
    Problem,
    Uniform,
    Value,
    Variable,
    batch,
    check,
    erfc,
    exp,
    frozen,
    log,
    log_prob,
    sigmoid,
    softmax,
    sqrt,
    torch,
)
from gradcheck_rl.load import load_functions

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
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(code)
    wrong.write_text(code.replace("< 1e-12", "> 1e-12").replace("forbidden] == 0", "forbidden] > 0"))
    load_functions(str(right))[name]()
    with pytest.raises(AssertionError):
        load_functions(str(wrong))[name]()
