"""REINFORCE as problem 8 has it: CartPole, a network 4-32-2, and every step weighted with the return of its episode.

The loss is the page's own, on the network's own weights and the whole batch. The page checks 13 steps at a time: there its
scores are the logits of real steps, and its network has the first three hidden units of the real one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends.networks import Rows, adam, descend, floats, network, tensor, whole, without_gradient
from ..errors import InputError, raised
from ..estimate import Floats
from .environment import Environment
from .lesson import Batch, Functions, Lesson
from .practice import Episodes

HIDDEN, RATE = 32, 1e-2
STEPS, UNITS, GROUPS = 13, 3, 16  # steps and units that the page has; how many times 13 steps are checked


class Reinforce:
    def __init__(self, own: Functions, losses: Functions, environment: Environment, rng: np.random.Generator) -> None:
        environment.needs("problem8", coin=True, observations=4)
        self.loss = losses["compute_loss"]
        self.net = network((4, HIDDEN, 2), "Tanh", rng)
        self.run = adam(self.net, rate=RATE)

    def act(self, observation: Floats, rng: np.random.Generator | None) -> int:
        left, right = floats(without_gradient(self.net, tensor(observation)))
        chance = 1 / (1 + np.exp(left - right))
        return int((0.5 if rng is None else rng.random()) < chance)

    def _arguments(self, batch: Batch) -> dict[str, Any]:
        W1, b1, W2, b2 = self.net.parameters()
        weights = np.concatenate([np.full(len(x), x.sum()) for x in batch["rewards"]])
        return {"W1": W1, "b1": b1, "W2": W2, "b2": b2} | {
            "obs": tensor(batch["obs"]),
            "act": whole(batch["act"]),
            "weights": tensor(weights),
        }

    def rows(self, batch: Batch) -> dict[str, Rows]:
        given = self._arguments(batch)
        count = min(GROUPS, len(given["act"]) // STEPS)
        data = {k: given[k][: count * STEPS].unflatten(0, (count, STEPS)) for k in ("obs", "act", "weights")}
        scores = without_gradient(self.net, data["obs"])
        units = {"W1": given["W1"][:UNITS], "b1": given["b1"][:UNITS], "W2": given["W2"][:, :UNITS], "b2": given["b2"]}
        few = {k: x.detach().expand(count, *x.shape) for k, x in units.items()}
        return {"loss_of": {"scores": scores, **data}, "compute_loss": few | data}

    def improve(self, batch: Batch) -> None:
        try:
            loss = self.loss(**self._arguments(batch))
        except InputError:
            raise
        except Exception as error:
            says, steps = raised(self.loss.__name__, error), len(batch["act"])
            raise InputError(f"{says} on a batch of {steps} steps: write it for any number.") from error
        descend(self.run, loss)


LESSON = Lesson(
    problem="problem8",
    environment="CartPole-v1",
    epochs=50,
    steps=5000,
    goal=195,
    losses={"loss_of": ("at_the_logits",), "compute_loss": ("backpropagated", "entropic")},
    agent=Reinforce,
    practice=lambda agent, environment, _, rng: Episodes(agent, environment, rng, more_than=5000),
)
