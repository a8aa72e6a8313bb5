"""The page's own optimisers are torch's, which it does not use: their first step imports a compiler."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl.load import load
from gradcheck_rl.problem import Problem

STEPS = [[0.5, -1.0, 0.5], [0.5, 0.0, -0.5]]
CASES = [
    ("by_descent", torch.optim.SGD, {}, STEPS[1:]),
    ("by_decaying_descent", torch.optim.SGD, {"weight_decay": 0.1}, STEPS[1:]),
    ("by_adam", torch.optim.Adam, {}, STEPS),
]


@cache
def page() -> Problem:
    return load("problem1")


@pytest.mark.parametrize(("name", "optimiser", "options", "gradients"), CASES)
@given(start=st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_an_optimiser_of_the_page_is_that_of_torch(name: str, optimiser: Any, options: Any, gradients: Any, start: Any) -> None:
    weight = torch.tensor(start, requires_grad=True)
    run = optimiser([weight], lr=0.1, **options)
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        run.step()
    torch.testing.assert_close(page().functions[name](torch.tensor(start)), weight.detach())


def test_the_triangles_show_gradient_flow() -> None:
    """Flow moves a weight by p_i (r_i - J), a policy by p_i times that less its mean. The mask keeps the ratio of the others."""
    free, masked = (figure.data(page(), 0) for figure in page().figures)
    before, after = (np.array([masked[f"{name}{n}"] for n in range(3)]) for name in "qp")
    assert after[1] == pytest.approx(0) and after[0] / after[2] == pytest.approx(before[0] / before[2])
    for data in (free, masked):
        p, speed = (np.array([data[f"{name}{n}"] for n in range(3)]) for name in ("p", "speed"))
        pull = p * (np.array([[-1], [0], [1]]) - (p[2] - p[0]))
        assert p.sum(axis=0) == pytest.approx(1)
        assert speed == pytest.approx(p * (pull - (p * pull).sum(axis=0)))
