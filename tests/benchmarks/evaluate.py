"""The same gradient at many points at once: parameters that differ from point to point, as in a batch of states."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

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
    columns = [*theta, *reward, *allowed]  # (K, B): a reduction over a short last axis costs ten times the exponentials
    program, _ = derive(ACTIONS)
    leaf = torch.tensor(theta.T.copy(), requires_grad=True)
    pay, mask = torch.tensor(reward.T.copy()), torch.tensor(allowed.T.copy()) == 0

    def autograd() -> np.ndarray:
        value = (leaf.masked_fill(mask, -torch.inf).softmax(-1) * pay).sum()
        return torch.autograd.grad(value, leaf)[0].numpy()

    def ours() -> np.ndarray:
        return np.array(program(Float(1), columns))

    assert np.allclose(ours().T, autograd(), atol=1e-12)
    times = least({"ours": ours, "autograd": autograd, "exp": lambda: np.exp(theta)}, options.repeats)
    what = f"evaluate: {points} points, K = {ACTIONS}"
    yield Row(what, times["ours"], ("torch autograd, batched", times["autograd"]), ("exponentials", times["exp"]))
