"""DDPG, as problem 10 has it: a critic, an actor that climbs it, and their slow copies."""

from __future__ import annotations

import numpy as np

from ..backends.networks import Rows, adam, columns, descend, follow, mapped, network, slow, tensor, without_gradient
from ..estimate import Floats
from .environment import Environment
from .lesson import Batch, Functions, Lesson
from .pairs import NEXT, NOW, across, given, level, states, touching
from .practice import Replay

HIDDEN, RATE, KEPT = (64, 64), 1e-3, 0.995


class Ddpg:
    def __init__(self, own: Functions, losses: Functions, environment: Environment, rng: np.random.Generator) -> None:
        environment.needs("problem10", coin=False)
        self.own, self.losses = own, losses
        n = environment.observations
        self.critic, self.actor = network((n + 1, *HIDDEN, 1), "ReLU", rng), network((n, *HIDDEN, 1), "ReLU", rng)
        self.slow_critic, self.slow_actor = slow(self.critic), slow(self.actor)
        self.run_critic, self.run_actor = adam(self.critic, rate=RATE), adam(self.actor, rate=RATE)

    def act(self, observation: Floats, rng: np.random.Generator | None) -> float:
        x = tensor(observation)
        theta = columns(without_gradient(self.actor, x)[0], 0)
        noise = tensor(0 if rng is None else rng.normal())
        return float(self.own["explore"](theta, x[0], noise))

    def rows(self, batch: Batch) -> dict[str, Rows]:
        return {"critic_loss": self._critic(batch), "actor_loss": self._actor(batch)}

    def _critic(self, batch: Batch) -> Rows:
        obs, obs2, a = (tensor(batch[k]) for k in ("obs", "obs2", "a"))
        slow_theta = columns(*across(without_gradient(self.slow_actor, obs2)[:, 0], NEXT))
        a2 = mapped(self.own["policy"], {"theta": slow_theta, "s": states(batch, NEXT)}).flatten()
        return {
            "phi": level(self.critic, obs, a, NOW),
            "slow_phi": touching(self.slow_critic, obs2, a2, NEXT),
            "slow_theta": slow_theta,
        } | given(batch, "a", "r", "done")

    def _actor(self, batch: Batch) -> Rows:
        obs, s = tensor(batch["obs"]), states(batch, NOW)
        theta = columns(*across(self.actor(obs)[:, 0], NOW))
        a = mapped(self.own["policy"], {"theta": theta, "s": s}).flatten()
        return {"phi": touching(self.critic, obs, a, NOW), "theta": theta, "s": s}

    def improve(self, batch: Batch) -> None:
        descend(self.run_critic, mapped(self.losses["critic_loss"], self._critic(batch)).mean())
        descend(self.run_actor, mapped(self.losses["actor_loss"], self._actor(batch)).mean())
        follow((self.slow_critic, self.slow_actor), (self.critic, self.actor), KEPT)


LESSON = Lesson(
    problem="problem10",
    environment="Pendulum-v1",
    epochs=5,
    steps=1000,
    goal=-400,
    losses={"critic_loss": ("regresses", "still"), "actor_loss": ("climbs", "judged")},
    agent=Ddpg,
    practice=Replay,
    sizes={"N": 2},
)
