"""REINFORCE with a coin, as problem 9 has it: five episodes of CartPole, discounted and standardised returns, RMSprop.

The page's loss is about one toss. Of each step it is given the logit, as the parameter of a state that is 1, and the return.
"""

from __future__ import annotations

import numpy as np

from ..backends.networks import Rows, columns, descend, mapped, network, rmsprop, tensor, whole, without_gradient
from ..estimate import Floats
from .environment import Environment
from .lesson import Batch, Functions, Lesson
from .practice import Episodes

HIDDEN, RATE, EPISODES = (24, 36), 1e-2, 5


class Coin:
    def __init__(self, own: Functions, losses: Functions, environment: Environment, rng: np.random.Generator) -> None:
        environment.needs("problem9", coin=True)
        self.own, self.loss = own, losses["reinforce"]
        self.net = network((environment.observations, *HIDDEN, 1), "ReLU", rng)
        self.run = rmsprop(self.net, RATE)

    def act(self, observation: Floats, rng: np.random.Generator | None) -> int:
        logit = float(without_gradient(self.net, tensor(observation)))
        return int((0.5 if rng is None else rng.random()) < 1 / (1 + np.exp(-logit)))

    def rows(self, batch: Batch) -> dict[str, Rows]:
        logits = self.net(tensor(batch["obs"]))
        weights = tensor(self._weights(batch))
        return {
            "reinforce": {
                "theta": logits,
                "s": columns(0 * weights + 1),
                "reward": columns(weights, weights),
                "action": whole(batch["act"]),
            }
        }

    def _weights(self, batch: Batch) -> Floats:
        pool = [np.append(rewards[:-1], 0.0) for rewards in batch["rewards"]]  # a zero ends an episode in the page's loop
        return self.own["standardised"](self.own["discounted"](np.concatenate(pool)))

    def improve(self, batch: Batch) -> None:
        descend(self.run, mapped(self.loss, self.rows(batch)["reinforce"]).sum())


LESSON = Lesson(
    problem="problem9",
    environment="CartPole-v1",
    epochs=50,
    steps=2000,
    goal=195,
    losses={"reinforce": ("sample", "surprise")},
    agent=Coin,
    practice=lambda agent, environment, _, rng: Episodes(agent, environment, rng, episodes=EPISODES),
    sizes={"d": 1},
)
