"""One training run: practise, and at a few checkpoints ask the page about the batch before it is learned from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..answers import fitted
from ..backends.networks import Rows, floats, precision
from ..errors import InputError, did_you_mean
from ..evaluators.scene import Scene
from ..load import identity, load_at, load_functions, locate, read_from
from ..loop import check
from ..points import Points, drawn, generator, stack
from ..problem import Problem
from ..quantities import arguments
from ..replay import command
from ..report import Line, versions
from .environment import Environment
from .learned import Checkpoint, Epoch, Learned
from .lesson import Agent, Batch, Lesson
from .lessons import LESSONS

DRAWN = 12  # points of the page, beside those of a batch
CHECKPOINTS = 5  # spread over a run, the first before anything is learned; and one at its end

Event = Epoch | Checkpoint | str | int  # what was finished, a sentence, or how many steps were made so far
Progress = Callable[[Event], None]


@dataclass(frozen=True)
class Loss:
    """A function of the page, or what stands in its place: it is given what it asks for, of all that there is."""

    code: Callable[..., Any]

    @property
    def __name__(self) -> str:
        return self.code.__name__

    @cached_property
    def asked(self) -> list[str]:
        return [p.name for p in arguments(self.code).values() if p.default is p.empty]

    def __call__(self, **given: Any) -> Any:
        if missing := [name for name in self.asked if name not in given]:
            has = ", ".join(given)
            raise InputError(f"`{self.__name__}` asks for `{missing[0]}`, which no {self.__name__} needs; it is given {has}.")
        return self.code(**{name: given[name] for name in self.asked})


class Refuted(Exception):
    """A checkpoint does not agree: to go on would be to learn from a wrong gradient."""


def lesson_of(name: str) -> Lesson:
    """What `learn` trains on a problem."""
    problem = identity(locate(name))
    if problem not in LESSONS:
        raise InputError(f"there is nothing to learn in '{name}'.{did_you_mean(name, LESSONS)} learn takes {', '.join(LESSONS)}.")
    return LESSONS[problem]


def page(lesson: Lesson) -> Problem:
    """The page, at the size of one sample."""
    return load_at(lesson.problem, lesson.sizes)


def answered(lesson: Lesson, problem: Problem, path: str) -> dict[Any, Any]:
    """What of a file replaces a function that the lesson learns by."""
    slots = problem.functions
    reached = {name: f for name, f in slots.items() if any(problem.names[c].reaches({f: f}) for c in _claims(lesson))}
    functions = load_functions(path, reached)
    found = {reached[name]: f for name, f in functions.items() if name in reached}
    if not found:
        near = next((hint for name in functions if (hint := did_you_mean(name, reached))), "")
        raise InputError(f"{path} defines none of the functions that {lesson.problem} learns by: {', '.join(reached)}.{near}")
    return fitted(problem, found)


def learn(
    lesson: Lesson,
    problem: Problem,
    answer: Mapping[Any, Any] | None = None,
    environment: str = "",
    seed: int = 0,
    epochs: int = 0,
    steps: int = 0,
    progress: Progress = lambda event: None,
    timed: bool = True,
) -> Learned:
    """A run of so many epochs of so many steps; 0 is the lesson's own. The same seed gives the same curve."""
    start, name = time.perf_counter(), environment or lesson.environment
    epochs, steps = epochs or lesson.epochs, steps or lesson.steps
    done, checked = list[Epoch](), list[Checkpoint]()
    run = _Run(lesson, problem, answer or {}, name, seed, checked, progress)
    interrupted = False
    progress(f"{problem.title} on {name}, seed {seed}")
    due = {round(k * epochs / CHECKPOINTS) for k in range(CHECKPOINTS)}
    try:
        with precision("float32"):
            for n in range(epochs):
                run.due = n in due
                returns = run.practice.epoch(steps, run.look)
                done.append(Epoch(n + 1, run.environment.steps, float(np.mean(returns)), len(returns)))
                progress(done[-1])
            run.checkpoint()
    except Refuted:
        pass
    except KeyboardInterrupt:
        interrupted = True
    read = (read_from(f) for f in (answer or {}).values())
    file = next((found[0] for found in read if found is not None), None)
    return Learned(
        problem=lesson.problem,
        title=problem.title,
        environment=name,
        seed=seed,
        goal=lesson.goal,
        answer=[f.__name__ for f in answer or {}],
        versions=versions(),
        epochs=tuple(done),
        checkpoints=tuple(checked),
        replay=command(problem, "learn", env=name, epochs=epochs, steps=steps, seed=seed, answer=file),
        interrupted=interrupted,
        elapsed_s=round(time.perf_counter() - start, 2) if timed else 0.0,
    )


class _Run:
    """The agent of a run, its environment, and what checks its losses."""

    def __init__(
        self,
        lesson: Lesson,
        problem: Problem,
        answer: Mapping[Any, Any],
        name: str,
        seed: int,
        checked: list[Checkpoint],
        progress: Progress,
    ) -> None:
        self.lesson, self.problem, self.answer, self.seed = lesson, problem, answer, seed
        self.checked, self.progress = checked, progress
        self.due, self.batch = False, dict[str, Any]()
        self.environment, test = (Environment(name, generator(seed, lesson.problem, part)) for part in ("practice", "test"))
        scene = Scene(problem.bound, Points({}, {}, 0), answer)
        own = problem.functions
        self.losses = {loss: Loss(scene.resolve(own[loss])) for loss in lesson.losses}
        self.agent: Agent = lesson.agent(own, self.losses, self.environment, generator(seed, lesson.problem, "networks"))
        self.practice = lesson.practice(self.agent, self.environment, test, generator(seed, lesson.problem, "choices"))

    def look(self, batch: Batch) -> None:
        self.batch = dict(batch)
        self.progress(self.environment.steps)
        if self.due:
            self.due = False
            self.checkpoint()

    def checkpoint(self) -> None:
        """The claims about each loss, at the points that its arguments are."""
        found: list[Line] = []
        for loss, rows in self.agent.rows(self.batch).items() if self.batch else ():
            claims = [c for c in self.lesson.losses[loss] if not self.answer or self.problem.names[c].reaches(self.answer)]
            if claims:
                found += check(self.problem, self.answer or None, self.seed, self._points(loss, rows), claims, timed=False).claims
        if found:
            self.checked.append(Checkpoint(self.environment.steps, tuple(found)))
            self.progress(self.checked[-1])
            if any(line.verdict == "refuted" for line in found):
                raise Refuted

    def _points(self, loss: str, rows: Rows) -> Points:
        """The rows, and a few points of the page: a batch need not show a done, a clipped action, or a tie.

        What else an answer asks for is drawn: a loss that is right does not depend on it.
        """
        variables = self.problem.bound.variables
        used = {k: v for k, v in variables.items() if k in rows or k in self.losses[loss].asked}
        others = {k: v for k, v in used.items() if k not in rows}
        points = Points.of(variables, {k: floats(x) for k, x in rows.items() if k in variables})
        points = replace(points, exact={**points.exact, **drawn(others, [], len(points), self.seed, loss).exact})
        return stack([points, replace(drawn(used, [], DRAWN, self.seed, loss), variables=variables)])


def _claims(lesson: Lesson) -> list[str]:
    return [claim for claims in lesson.losses.values() for claim in claims]
