"""Two ways to come to a batch: whole episodes of the present policy, or rows of all that was ever seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..estimate import Floats
from .environment import LIMIT, Environment
from .lesson import Agent, Batch, Look

TESTS = 10  # episodes after each epoch, without exploration


@dataclass
class Episodes:
    """Whole episodes until there are enough: more than so many steps, and so many episodes."""

    agent: Agent
    environment: Environment
    rng: np.random.Generator
    more_than: int = 0
    episodes: int = 1

    def epoch(self, steps: int, look: Look) -> list[float]:
        end, returns = self.environment.steps + steps, list[float]()
        while self.environment.steps < end:
            batch = self._batch()
            returns += [float(rewards.sum()) for rewards in batch["rewards"]]
            look(batch)
            self.agent.improve(batch)
        return returns

    def _batch(self) -> Batch:
        seen, done, rewards = list[Floats](), list[int](), list[Floats]()
        while len(seen) <= self.more_than or len(rewards) < self.episodes:
            now, over, earned = self.environment.reset(), False, list[float]()
            while not over:
                action = self.agent.act(now, self.rng)
                seen.append(now)
                done.append(action)
                now, reward, _, over = self.environment.step(action)
                earned.append(reward)
            rewards.append(np.array(earned))
        return {"obs": np.stack(seen), "act": np.array(done), "rewards": rewards}


@dataclass
class Replay:
    """Random actions first, then the agent's own; after each step one update on rows drawn from all steps."""

    agent: Agent
    environment: Environment
    test: Environment
    rng: np.random.Generator
    random_steps: int = 1000
    size: int = 100
    rows: list[tuple[Floats, float, float, Floats, bool]] = field(default_factory=list[tuple[Floats, float, float, Floats, bool]])
    now: Floats | None = None

    def epoch(self, steps: int, look: Look) -> list[float]:
        for _ in range(steps):
            self._step()
            if len(self.rows) >= self.random_steps:
                batch = self._batch()
                look(batch)
                self.agent.improve(batch)
        return [self._tested() for _ in range(TESTS)]

    def _step(self) -> None:
        now = self.environment.reset() if self.now is None else self.now
        by_chance = len(self.rows) < self.random_steps
        action = float(self.rng.uniform(-LIMIT, LIMIT) if by_chance else self.agent.act(now, self.rng))
        seen, reward, done, over = self.environment.step(action)
        self.rows.append((now, action, reward, seen, done))
        self.now = None if over else seen

    def _batch(self) -> Batch:
        rows = [self.rows[i] for i in self.rng.integers(len(self.rows), size=self.size)]
        fields = zip(("obs", "a", "r", "obs2", "done"), zip(*rows, strict=True), strict=True)
        noises = {name: self.rng.normal(size=self.size) for name in ("noise", "noise2")}
        return {name: np.array(values) for name, values in fields} | noises

    def _tested(self) -> float:
        now, over, earned = self.test.reset(), False, 0.0
        while not over:
            now, reward, _, over = self.test.step(float(self.agent.act(now, None)))
            earned += reward
        return earned
