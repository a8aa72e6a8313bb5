"""Is the gradient of one loss right? Along one and eight random directions, beside torch's gradcheck."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.distributions import Categorical
from torch.func import functional_call
from torch.nn import functional as F

from gradcheck_rl import differences

from .timing import Options, Row, least, once

BATCH = 64
SLOW_UP_TO = 100  # parameters; beyond, torch's slow mode takes seconds to minutes

# The loss, what it is differentiated by, and the loss as a function of those tensors, which gradcheck takes.
Case = tuple[Callable[[], Any], Any, Callable[..., Any]]


def rows(options: Options) -> Iterator[Row]:
    torch.set_num_threads(1)
    mlp, small = ((2, 3, 3, 2), (2, 3, 4)) if options.smoke else ((8, 64, 64, 4), (8, 32, 20, 4))
    for size in (4,) if options.smoke else (10, 100, 1000):
        yield from _case("log-prob", *log_prob(size), options)
    yield from _case("log-prob of a Categorical", *log_prob_of_a_law(4 if options.smoke else 100), options)
    for name, make, sizes in [
        ("PPO", ppo, small),
        ("PPO", ppo, mlp),
        ("PPO of an nn.Module", ppo_of_a_module, mlp),
        ("SAC actor", sac, small),
    ]:
        yield from _case(name, *make(*sizes), options)


def _case(name: str, loss: Callable[[], Any], given: Any, of: Callable[..., Any], options: Options) -> Iterator[Row]:
    p = list(given.parameters()) if isinstance(given, nn.Module) else given
    size = sum(x.numel() for x in p)
    times = least(
        {
            "one": lambda: differences(loss, given, directions=1).require(),
            "eight": lambda: differences(loss, given).require(),
            "fast": lambda: torch.autograd.gradcheck(of, p, fast_mode=True),
            "floor": lambda: torch.autograd.grad(loss(), p),
        },
        options.repeats,
    )
    floor = ("forward + backward", times["floor"])
    what = f"check: {name}, {size} parameters"
    yield Row(f"{what}, 1 direction", times["one"], ("gradcheck fast", times["fast"]), floor)
    yield Row(f"{what}, 8 directions", times["eight"], ("gradcheck fast", times["fast"]), floor)
    if options.slow or size <= SLOW_UP_TO:
        slow = once(lambda: torch.autograd.gradcheck(of, p))
        yield Row(f"{what}, 8 directions", times["eight"], ("gradcheck slow", slow), floor)


def _of(loss: Callable[..., Any], p: list[torch.Tensor]) -> Case:
    return lambda: loss(*p), p, loss


def _draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def log_prob(size: int) -> Case:
    actions = _draw(BATCH, size).argmax(-1)

    def loss(theta: Any) -> Any:
        return -theta.log_softmax(-1)[actions].mean()

    return _of(loss, [_draw(size).requires_grad_()])


def log_prob_of_a_law(size: int) -> Case:
    """As it is written with torch.distributions, whose checks of their arguments are most of the work."""
    actions = _draw(BATCH, size).argmax(-1)
    return _of(lambda theta: -Categorical(logits=theta).log_prob(actions).mean(), [_draw(size).requires_grad_()])


def _network(*sizes: int) -> tuple[Callable[..., Any], list[torch.Tensor]]:
    parameters: list[torch.Tensor] = []
    for before, after in itertools.pairwise(sizes):
        parameters += [(_draw(after, before) / before**0.5).requires_grad_(), (_draw(after) / 10).requires_grad_()]

    def run(x: Any, p: Any) -> Any:
        for n in range(0, len(p), 2):
            x = F.linear(x.tanh() if n else x, p[n], p[n + 1])
        return x

    return run, parameters


def ppo(*sizes: int) -> Case:
    run, parameters = _network(*sizes)
    state, advantage, action = _draw(BATCH, sizes[0]), _draw(BATCH), _draw(BATCH, sizes[-1]).argmax(-1, keepdim=True)
    with torch.no_grad():
        old = run(state, parameters).log_softmax(-1).gather(1, action)[:, 0] + _draw(BATCH) / 5

    def loss(*p: Any) -> Any:
        ratio = (run(state, p).log_softmax(-1).gather(1, action)[:, 0] - old).exp()
        return -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()

    return _of(loss, parameters)


def ppo_of_a_module(*sizes: int) -> Case:
    """As it is written where networks are modules: gradcheck is given one by functional_call, differences as it is."""
    layers = [step for pair in itertools.pairwise(sizes) for step in (nn.Linear(*pair, dtype=torch.float64), nn.Tanh())]
    policy = nn.Sequential(*layers[:-1])
    state, advantage, action = _draw(BATCH, sizes[0]), _draw(BATCH), _draw(BATCH, sizes[-1]).argmax(-1)
    with torch.no_grad():
        for p in policy.parameters():
            p.copy_(_draw(*p.shape) / p.shape[-1] ** 0.5)
        old = Categorical(logits=policy(state)).log_prob(action) + _draw(BATCH) / 5

    def loss(run: Callable[..., Any] = policy) -> Any:
        ratio = (Categorical(logits=run(state)).log_prob(action) - old).exp()
        return -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()

    names = [name for name, _ in policy.named_parameters()]
    return loss, policy, lambda *p: loss(lambda x: functional_call(policy, dict(zip(names, p, strict=True)), (x,)))


def sac(*sizes: int) -> Case:
    run, parameters = _network(*sizes)
    state, noise = _draw(BATCH, sizes[0]), _draw(BATCH, sizes[-1] // 2)
    critic = [_draw(16, sizes[0] + sizes[-1] // 2) / 3, _draw(16), _draw(1, 16) / 4, _draw(1)]

    def loss(*p: Any) -> Any:
        mean, log_std = run(state, p).chunk(2, -1)
        u = mean + log_std.clamp(-5, 2).exp() * noise
        density = (-(noise**2) / 2 - log_std.clamp(-5, 2) - 2 * (math.log(2) - u - F.softplus(-2 * u))).sum(-1)
        q = F.linear(F.linear(torch.cat([state, u.tanh()], -1), critic[0], critic[1]).tanh(), critic[2], critic[3])[:, 0]
        return (0.2 * density - q).mean()

    return _of(loss, parameters)
