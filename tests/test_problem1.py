"""The page's own optimisers are torch's, which it does not use: their first step imports a compiler."""

from __future__ import annotations

from functools import cache
from typing import Any

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
