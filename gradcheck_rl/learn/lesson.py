"""What an algorithm is to `learn`: its page, its environment, and an agent that asks the page for its losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..backends.networks import Rows
from ..estimate import Floats
from .environment import Environment

Batch = Mapping[str, Any]
Functions = Mapping[str, Callable[..., Any]]
Look = Callable[[Batch], None]  # called with each batch, before anything is learned from it


class Agent(Protocol):
    """Networks, and the page's losses for them."""

    def act(self, observation: Floats, rng: np.random.Generator | None) -> Any:
        """The action that is tried; without randomness, the one it thinks best."""
        ...

    def rows(self, batch: Batch) -> dict[str, Rows]:
        """For each loss the arguments that the page's function is given, one row for each sample of the batch."""
        ...

    def improve(self, batch: Batch) -> None: ...


class Practice(Protocol):
    """How an agent comes to its batches."""

    def epoch(self, steps: int, look: Look) -> list[float]:
        """At least so many steps of the environment; the returns of the episodes that tell how well it does."""
        ...


@dataclass(frozen=True)
class Lesson:
    """One algorithm of the sources. `goal` is a return that the median of the seeds 0, 1 and 2 passes."""

    problem: str
    environment: str
    epochs: int
    steps: int
    goal: float
    losses: Mapping[str, Sequence[str]]  # a function of the page, and the claims about it
    agent: Callable[[Functions, Functions, Environment, np.random.Generator], Agent]
    practice: Callable[[Agent, Environment, Environment, np.random.Generator], Practice]
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
