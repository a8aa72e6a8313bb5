"""SAC, as problem 12 has it: twin critics with slow copies, and a policy that is paid for its entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends.networks import Rows, adam, columns, descend, follow, mapped, network, slow, tensor, without_gradient
from ..estimate import Floats
from .environment import Environment
from .lesson import Batch, Functions, Lesson
from .pairs import NEXT, NOW, across, given, level, touching
from .practice import Replay

HIDDEN, RATE, KEPT = (64, 64), 1e-3, 0.995
LOG_SD = -20, 2  # where the source clamps it


class Sac:
    def __init__(self, own: Functions, losses: Functions, environment: Environment, rng: np.random.Generator) -> None:
        environment.needs("problem12", coin=False)
        self.own, self.losses = own, losses
        n = environment.observations
        self.critics = [network((n + 1, *HIDDEN, 1), "ReLU", rng) for _ in range(2)]
        self.actor = network((n, *HIDDEN, 2), "ReLU", rng)
        self.slow_critics = [slow(net) for net in self.critics]
        self.run_critics, self.run_actor = adam(*self.critics, rate=RATE), adam(self.actor, rate=RATE)

    def act(self, observation: Floats, rng: np.random.Generator | None) -> float:
        x = tensor(observation)
        mean, log_sd = without_gradient(self.actor, x)
        noise = tensor(0 if rng is None else rng.normal())
        return float(self.own["sample"](columns(mean, 0, log_sd.clamp(*LOG_SD), 0), x[0], noise)[0])

    def rows(self, batch: Batch) -> dict[str, Rows]:
        return {"critic_loss": self._critics(batch), "actor_loss": self._actor(batch)}

    def _theta(self, outputs: Any, at: tuple[int, int]) -> Any:
        mean, log_sd = outputs.unbind(-1)
        return columns(*across(mean, at), *across(log_sd.clamp(*LOG_SD), at))

    def _critics(self, batch: Batch) -> Rows:
        obs, obs2, a = (tensor(batch[k]) for k in ("obs", "obs2", "a"))
        numbers = given(batch, "a", "r", "done", "noise2")
        theta = self._theta(without_gradient(self.actor, obs2), NEXT)
        a2, _ = mapped(self.own["sample"], {"theta": theta, "s": numbers["s2"], "noise": numbers["noise2"]})
        return {
            "phi1": level(self.critics[0], obs, a, NOW),
            "phi2": level(self.critics[1], obs, a, NOW),
            "slow1": touching(self.slow_critics[0], obs2, a2.flatten(), NEXT),
            "slow2": touching(self.slow_critics[1], obs2, a2.flatten(), NEXT),
            "theta": theta,
        } | numbers

    def _actor(self, batch: Batch) -> Rows:
        obs, numbers = tensor(batch["obs"]), given(batch, "noise")
        theta = self._theta(self.actor(obs), NOW)
        a, _ = mapped(self.own["sample"], {"theta": theta, "s": numbers["s"], "noise": numbers["noise"]})
        return {
            "phi1": touching(self.critics[0], obs, a.flatten(), NOW),
            "phi2": touching(self.critics[1], obs, a.flatten(), NOW),
            "theta": theta,
        } | numbers

    def improve(self, batch: Batch) -> None:
        descend(self.run_critics, mapped(self.losses["critic_loss"], self._critics(batch)).mean())
        descend(self.run_actor, mapped(self.losses["actor_loss"], self._actor(batch)).mean())
        follow(self.slow_critics, self.critics, KEPT)


LESSON = Lesson(
    problem="problem12",
    environment="Pendulum-v1",
    epochs=5,
    steps=1000,
    goal=-400,
    losses={"critic_loss": ("critics", "still"), "actor_loss": ("climbs", "judged")},
    agent=Sac,
    practice=Replay,
    sizes={"N": 2},
)
