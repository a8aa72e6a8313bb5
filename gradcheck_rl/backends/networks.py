"""Small networks for `learn`, and a page's function for each row of a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.func import vmap

from ..errors import InputError, raised
from ..estimate import Floats
from .torch import precision as precision

Rows = Mapping[str, Any]  # what a page's function asks for, by name: tensors with a row for each of its calls


def network(sizes: Sequence[int], bend: str, rng: np.random.Generator) -> Any:
    """Linear layers with 'ReLU' or 'Tanh' between them, as torch starts them."""
    linear = [torch.nn.Linear(n, m) for n, m in pairwise(sizes)]
    for layer in linear:
        for p in layer.parameters():
            reach = layer.in_features**-0.5
            p.data = tensor(rng.uniform(-reach, reach, p.shape))
    return torch.nn.Sequential(linear[0], *(x for layer in linear[1:] for x in (getattr(torch.nn, bend)(), layer)))


def adam(*networks: Any, rate: float) -> Any:
    return torch.optim.Adam([p for net in networks for p in net.parameters()], lr=rate, foreach=True)


def rmsprop(net: Any, rate: float) -> Any:
    return torch.optim.RMSprop(net.parameters(), lr=rate, foreach=True)


def descend(optimiser: Any, loss: Any) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def slow(net: Any) -> Any:
    return copy.deepcopy(net).requires_grad_(False)


def follow(copies: Sequence[Any], online: Sequence[Any], kept: float) -> None:
    """Each slow copy keeps so much of itself, and takes the rest from its network."""
    with torch.no_grad():
        for net, other in zip(copies, online, strict=True):
            for p, q in zip(net.parameters(), other.parameters(), strict=True):
                p.lerp_(q, 1 - kept)


def tensor(x: Any) -> Any:
    return torch.as_tensor(np.asarray(x, dtype=np.float32))


def whole(x: Any) -> Any:
    return torch.as_tensor(np.asarray(x, dtype=np.int64))


def floats(x: Any) -> Floats:
    return x.detach().double().numpy()


def columns(*parts: Any) -> Any:
    """(rows,) each, or a number for every row, side by side: (rows, parts)."""
    return torch.stack(torch.broadcast_tensors(*(torch.as_tensor(p, dtype=torch.float32) for p in parts)), -1)


def without_gradient(net: Any, x: Any) -> Any:
    with torch.no_grad():
        return net(x)


def value(critic: Any, observations: Any, actions: Any) -> Any:
    return critic(torch.cat((observations, actions[:, None]), -1)).squeeze(-1)


def slope(critic: Any, observations: Any, actions: Any) -> tuple[Any, Any]:
    """The critic's values at these actions, and its slopes there."""
    with torch.enable_grad():
        at = actions.detach().requires_grad_()
        values = value(critic, observations, at)
        (slopes,) = torch.autograd.grad(values.sum(), at)
    return values.detach(), slopes


def mapped(code: Callable[..., Any], rows: Rows) -> Any:
    """What the function returns for each row."""
    try:
        return vmap(lambda row: code(**row), randomness="error")(dict(rows))
    except InputError:
        raise
    except Exception as error:
        name = getattr(code, "__name__", "the function")
        hint = "write it so that torch.func.vmap can map it (no .item(), no `if` on a tensor, no numpy)"
        raise InputError(f"{raised(name, error)} on a batch: {hint}.") from error
