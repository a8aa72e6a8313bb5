"""TD3, as problem 11 has it: twin critics on one target, and an actor that moves with the slow copies every second time."""

from __future__ import annotations

import numpy as np

from ..backends.networks import Rows, adam, columns, descend, follow, mapped, network, slow, tensor, without_gradient
from ..estimate import Floats
from .environment import LIMIT, Environment
from .lesson import Batch, Functions, Lesson
from .pairs import NEXT, NOW, across, given, level, states, touching
from .practice import Replay

HIDDEN, RATE, KEPT, NOISE, DELAY = (64, 64), 1e-3, 0.995, 0.1, 2


class Td3:
    def __init__(self, own: Functions, losses: Functions, environment: Environment, rng: np.random.Generator) -> None:
        environment.needs("problem11", coin=False)
        self.own, self.losses = own, losses
        n = environment.observations
        self.critics = [network((n + 1, *HIDDEN, 1), "ReLU", rng) for _ in range(2)]
        self.actor = network((n, *HIDDEN, 1), "ReLU", rng)
        self.slow_critics, self.slow_actor = [slow(net) for net in self.critics], slow(self.actor)
        self.run_critics, self.run_actor = adam(*self.critics, rate=RATE), adam(self.actor, rate=RATE)
        self.updates = 0

    def act(self, observation: Floats, rng: np.random.Generator | None) -> float:
        x = tensor(observation)
        action = float(self.own["policy"](columns(without_gradient(self.actor, x)[0], 0), x[0]))
        return action if rng is None else float(np.clip(action + NOISE * rng.normal(), -LIMIT, LIMIT))

    def rows(self, batch: Batch) -> dict[str, Rows]:
        return {"critic_loss": self._critics(batch), "actor_loss": self._actor(batch)}

    def _critics(self, batch: Batch) -> Rows:
        obs, obs2, a = (tensor(batch[k]) for k in ("obs", "obs2", "a"))
        numbers = given(batch, "a", "r", "done", "noise")
        slow_theta = columns(*across(without_gradient(self.slow_actor, obs2)[:, 0], NEXT))
        a2 = mapped(self.own["smooth"], {"slow_theta": slow_theta} | {k: numbers[k] for k in ("s2", "noise")}).flatten()
        return {
            "phi1": level(self.critics[0], obs, a, NOW),
            "phi2": level(self.critics[1], obs, a, NOW),
            "slow1": touching(self.slow_critics[0], obs2, a2, NEXT),
            "slow2": touching(self.slow_critics[1], obs2, a2, NEXT),
            "slow_theta": slow_theta,
        } | numbers

    def _actor(self, batch: Batch) -> Rows:
        obs, s = tensor(batch["obs"]), states(batch, NOW)
        theta = columns(*across(self.actor(obs)[:, 0], NOW))
        a = mapped(self.own["policy"], {"theta": theta, "s": s}).flatten()
        return {"phi1": touching(self.critics[0], obs, a, NOW), "theta": theta, "s": s}

    def improve(self, batch: Batch) -> None:
        descend(self.run_critics, mapped(self.losses["critic_loss"], self._critics(batch)).mean())
        if self.updates % DELAY == 0:
            descend(self.run_actor, mapped(self.losses["actor_loss"], self._actor(batch)).mean())
            follow((*self.slow_critics, self.slow_actor), (*self.critics, self.actor), KEPT)
        self.updates += 1


LESSON = Lesson(
    problem="problem11",
    environment="Pendulum-v1",
    epochs=5,
    steps=2000,
    goal=-400,
    losses={"critic_loss": ("regress", "still"), "actor_loss": ("climbs", "judged")},
    agent=Td3,
    practice=Replay,
    sizes={"N": 2},
)
