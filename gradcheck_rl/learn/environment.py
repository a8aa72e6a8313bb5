"""A gymnasium environment as the pages speak of it: actions 0 and 1, or a number between -2 and 2."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import InputError, did_you_mean, told
from ..estimate import Floats

LIMIT = 2  # of the action on the pages
LONGEST = 1000  # steps of an episode, where the environment sets no limit


class Environment:
    """Observations are rows of floats; an episode that runs out of time is over and not done."""

    def __init__(self, name: str, rng: np.random.Generator) -> None:
        self.name, self.steps = name, 0
        self._env, self._seed = _made(name), int(rng.integers(2**31))
        self.observations = _observations(name, self._env.observation_space)
        space = self._env.action_space
        self.coin = getattr(space, "n", 0) == 2
        self.high = _high(space)

    def needs(self, problem: str, coin: bool, observations: int | None = None) -> None:
        """Does it ask for such actions, and show so many numbers?"""
        if not (self.coin if coin else self.high):
            wanted = "two actions, as CartPole-v1 has" if coin else "one number between -x and x as action, as Pendulum-v1 has"
            raise InputError(f"{problem} needs {wanted}; {self.name} has {self._env.action_space}.")
        if observations not in (None, self.observations):
            raise InputError(f"{problem} needs {observations} numbers as observation; {self.name} shows {self.observations}.")

    def reset(self) -> Floats:
        seed, self._seed = self._seed, None
        return _row(self._env.reset(seed=seed)[0])

    def step(self, action: Any) -> tuple[Floats, float, bool, bool]:
        """What is seen next, the reward, whether the episode is done, and whether it is over."""
        self.steps += 1
        asked = int(action) if self.coin else np.array([action * self.high / LIMIT], dtype=np.float32)
        seen, reward, terminated, truncated, _ = self._env.step(asked)
        return _row(seen), float(reward), bool(terminated), bool(terminated or truncated)


def _row(seen: Any) -> Floats:
    return np.asarray(seen, dtype=float).ravel()


def _made(name: str) -> Any:
    if find_spec("gymnasium") is None:
        raise InputError("learn needs gymnasium, which is not installed: type pip install 'gradcheck_rl[gym]'.")
    import gymnasium

    known = [word for word in gymnasium.registry if "/" not in word]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            env = gymnasium.make(name, disable_env_checker=True)
            limited = env.spec is not None and env.spec.max_episode_steps is not None
            return env if limited else gymnasium.wrappers.TimeLimit(env, LONGEST)
    except Exception as error:  # an environment is anybody's code
        if name not in gymnasium.registry:
            raise InputError(f"there is no environment '{name}'.{did_you_mean(name, known)}") from error
        raise InputError(f"the environment '{name}' cannot be made: {told(error)}") from error


def _observations(name: str, space: Any) -> int:
    if len(getattr(space, "shape", None) or ()) != 1:
        raise InputError(f"learn needs observations that are a row of numbers; {name} has {space}.")
    return int(space.shape[0])


def _high(space: Any) -> float:
    """The limit of a single number that is as free to one side as to the other; else 0."""
    if getattr(space, "shape", None) != (1,) or not hasattr(space, "high"):
        return 0.0
    low, high = float(space.low[0]), float(space.high[0])
    return high if low == -high and np.isfinite(high) else 0.0
