"""Two samples of a real batch as one point of a page.

The critic of a page is q = phi_0 + phi_1 s + phi_2 a + phi_3 s a + phi_4 a^2, and its actor a line in the state s. A loss sees
of a network's critic, at each sample, the value at one action and the slope there; of an actor, its output. The page's
network has all these at two samples, if its state says which of the two it is: 0 and 1 now, 1 and 0 next.
So the page's loss is given a batch as pairs, and its gradient flows on into the networks. Pairs, because what goes wrong
between samples (a sum for a mean, a column less a row) does not show in one.
"""

from __future__ import annotations

from typing import Any

from ..backends.networks import columns, slope, tensor, value
from .lesson import Batch

NOW, NEXT = (0, 1), (1, 0)  # the page's states of the two samples


def paired(x: Any) -> Any:
    """(samples,) as (pairs, 2)."""
    return x.unflatten(0, (-1, 2))


def states(batch: Batch, at: tuple[int, int]) -> Any:
    return tensor([at] * (len(batch["r"]) // 2))


def given(batch: Batch, *names: str) -> dict[str, Any]:
    """Numbers of each sample that the page asks for, and both its states."""
    numbers = {name: paired(tensor(batch[name])) for name in names}
    return {**numbers, "s": states(batch, NOW), "s2": states(batch, NEXT)}


def across(x: Any, at: tuple[int, int]) -> tuple[Any, Any]:
    """Where a line in the page's state starts, and how it rises, that has these values at the samples of each pair."""
    pair = paired(x)
    start, end = pair[:, at.index(0)], pair[:, at.index(1)]
    return start, end - start


def level(critic: Any, observations: Any, actions: Any, at: tuple[int, int]) -> Any:
    """The page's phi of a critic that has these values, whatever the action: a gradient flows on into the critic."""
    return columns(*across(value(critic, observations, actions), at), 0, 0, 0)


def touching(critic: Any, observations: Any, actions: Any, at: tuple[int, int]) -> Any:
    """The page's phi of the lines in the action that have the critic's values and slopes: no gradient flows on."""
    heights, slopes = slope(critic, observations, actions)
    start, rise = across(heights - slopes * actions.detach(), at)
    steep, steeper = across(slopes, at)
    return columns(start, rise, steep, steeper, 0)
