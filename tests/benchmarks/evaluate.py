"""The same gradient at many points at once: parameters that differ from point to point, as in a batch of states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sympy as sp
import torch

from gradcheck_rl import Derivation
from gradcheck_rl.generate import function
from gradcheck_rl.rings import Float

from .derive import derive
from .timing import Options, Row, least

ACTIONS = 10


def rows(options: Options) -> Iterator[Row]:
    torch.set_num_threads(1)
    points = 100 if options.smoke else 100_000
    rng = np.random.default_rng(0)
    theta, reward = rng.normal(size=(2, ACTIONS, points))
    allowed = (rng.random((ACTIONS, points)) < 0.7).astype(float)
    allowed[0] = 1
    columns = [*theta, *reward, *allowed]
    program, _ = derive(ACTIONS)
    closed_form = written()
    leaf = torch.tensor(theta.T.copy(), requires_grad=True)
    pay, mask = torch.tensor(reward.T.copy()), torch.tensor(allowed.T.copy()) == 0

    def autograd() -> np.ndarray:
        value = (leaf.masked_fill(mask, -torch.inf).softmax(-1) * pay).sum()
        return torch.autograd.grad(value, leaf)[0].numpy()

    def by_code() -> np.ndarray:
        return closed_form(allowed=allowed, reward=reward, theta=theta)

    def by_sums() -> np.ndarray:
        return np.array(program(Float(1), columns))

    for ours in (by_code, by_sums):
        assert np.allclose(ours().T, autograd(), atol=1e-12)
    times = least({"code": by_code, "sums": by_sums, "autograd": autograd, "exp": lambda: np.exp(theta)}, options.repeats)
    what = f"evaluate: {points} points, K = {ACTIONS}"
    peer, floor = ("torch autograd, batched", times["autograd"]), ("exponentials", times["exp"])
    yield Row(f"{what}, closed form as numpy code", times["code"], peer, floor)
    yield Row(f"{what}, derivative of E", times["sums"], peer, floor)


def written() -> Callable[..., np.ndarray]:
    """The code that `derive --format numpy` writes of the closed form for any K: (K, B), since a reduction over a short last axis
    costs ten times the exponentials."""
    i, j, k, size = sp.symbols("i j k K", integer=True)
    theta, reward = (sp.IndexedBase(name, real=True) for name in ("theta", "reward"))
    weight = sp.IndexedBase("allowed", positive=True)

    def share(n: Any) -> Any:
        return weight[n] * sp.exp(theta[n]) / sp.Sum(weight[j] * sp.exp(theta[j]), (j, 0, size - 1))

    value = sp.Sum(share(k) * reward[k], (k, 0, size - 1))
    slope = (share(i) * (reward[i] - value), "the quotient rule")
    chain = Derivation("The gradient", sp.Derivative(value, theta[i]), (slope,), sizes={size: (2, 3), i: (0, 1)})
    names: dict[str, Any] = {"np": np}
    exec(function("gradient", chain, "numpy"), names)  # noqa: S102  the text is made from the formula above
    return names["gradient"]
