"""Samples drawn by other processes. What travels is plain data: names of files and of a claim, a point, numbers of draws.

A process reads each page once. A task depends on nothing else there, and what the tasks come to is added up in their order, so
that the report is the same for any executor and any number of workers.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import closing, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .answers import fitted
from .claims import Claim, Erratum
from .errors import GradcheckError, InputError, Unsuitable, told
from .evaluators import Scene, evaluate, random_atoms, sampled
from .evaluators.sampled import Block, Sampler, Tallied
from .executors import Lost, in_order
from .load import load, load_functions, locate, read_from, shipped
from .points import Points
from .problem import Problem
from .quantities import Mean

Answer = Mapping[Any, Any]
Here = Callable[[Block], Tallied]

# torch has one default dtype in a process, and a process one standard output.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class File:
    """A file of Python by the name it has everywhere, and what it holds."""

    name: str
    digest: str

    @staticmethod
    def of(name: str) -> File:
        return File(name, hashlib.sha256(locate(name).read_bytes()).hexdigest())

    def check(self) -> None:
        try:
            same = File.of(self.name) == self
        except (InputError, OSError) as error:
            raise InputError(f"a worker cannot read {self.name}: it must lie there under the same name.") from error
        if not same:
            raise InputError(f"a worker has another version of {self.name}: give every machine the same files.")


@dataclass(frozen=True)
class Replaced:
    """An answer: what a file defines for functions of the page by name, or a mistake of the page."""

    file: File | None = None
    names: tuple[tuple[str, str], ...] = ()
    mistake: str = ""


@dataclass(frozen=True)
class Place:
    """Where a mean stands: its number among those of a claim, of this name in the page; of an erratum, which line."""

    page: File
    claim: str
    line: str
    mean: int
    answer: Replaced


@dataclass(frozen=True, eq=False)
class Task:
    place: Place
    exact: Mapping[str, Any]
    given: bool
    seed: int
    block: Block


class Shards:
    """Makes the draws of a problem's means on an executor. An answer is found there as it was read, and known here as it fits."""

    def __init__(self, problem: Problem, answer: Answer, fits: Answer, executor: Executor) -> None:
        self.executor = executor
        if not problem.path:
            raise InputError(
                f"{problem.title!r} was not read from a file, as other processes need: load it, or give no executor."
            )
        self.page = _everywhere(Path(problem.path))
        self.places = {claim: (name, line) for name, item in problem.names.items() for line, claim in _lines(item)}
        self._answers = {frozenset[Any](): Replaced()}
        if answer:
            self._answers[frozenset(fits.items())] = _replaced(answer)

    def add_mistake(self, name: str, answer: Answer) -> None:
        self._answers[frozenset(answer.items())] = Replaced(mistake=name)

    def tallied(self, claim: Claim, q: Mean, scene: Scene, blocks: Iterable[Block], here: Here) -> Iterator[Tallied]:
        """What each block comes to, in their order. What raises there is made here again, where it can be told."""
        replaced = self._answers.get(frozenset(scene.answer.items()))
        if claim not in self.places or q not in (means := _means(claim)) or replaced is None:
            yield from map(here, blocks)
            return
        place = Place(self.page, *self.places[claim], means.index(q), replaced)
        sent: list[Block] = []

        def tasks() -> Iterator[Task]:
            for block in blocks:
                sent.append(block)
                yield Task(place, scene.points.exact, scene.points.given, scene.seed, block)

        with closing(in_order(self.executor, drawn, tasks())) as results:  # pyright: ignore[reportArgumentType]
            for n, result in enumerate(results):
                block = sent[n]
                if isinstance(result, Tallied):
                    yield result
                elif result is None:
                    with _one_at_a_time:
                        again = here(block)
                    yield again
                elif isinstance(result, Lost):
                    why = "a worker died of them twice" if result.died else told(result.error)
                    raise Unsuitable(f"the samples {block.first} to {block.first + block.draws} could not be drawn: {why}")
                else:
                    raise Unsuitable(result)


def drawn(task: Task) -> Tallied | str | None:
    """What becomes of the draws of a task; or why this process cannot make them; or nothing, where the code raised."""
    with _one_at_a_time, redirect_stdout(sys.stderr):
        try:
            problem, claim, answer = _read(task.place)
        except GradcheckError as error:
            return str(error)
        points = Points(problem.bound.variables, task.exact, 1, task.given)
        name = f"{problem.name}/{claim.says}"
        scene = Scene(problem.bound, points, answer, sampled.NAME, claim.resolution, task.seed, name)
        q = _means(claim)[task.place.mean]
        try:
            return Sampler(q, scene, random_atoms(q.of, scene, q.over), evaluate).tallied(task.block)
        except Exception:
            return None


@lru_cache(maxsize=64)
def _read(place: Place) -> tuple[Problem, Claim, Answer]:
    problem = _page(place.page)
    claim = dict(_lines(problem.names[place.claim]))[place.line]
    return problem, claim, _answer(place.page, place.answer)


@lru_cache(maxsize=8)
def _page(file: File) -> Problem:
    file.check()
    return load(file.name)


@lru_cache(maxsize=64)
def _answer(page: File, replaced: Replaced) -> Answer:
    problem = _page(page)
    if replaced.mistake:
        return fitted(problem, problem.names[replaced.mistake].answer)
    if replaced.file is None:
        return {}
    replaced.file.check()
    functions = load_functions(replaced.file.name)
    return fitted(problem, {problem.functions[slot]: functions[name] for slot, name in replaced.names})


def _replaced(answer: Answer) -> Replaced:
    """How an answer is found elsewhere: all of it was read from one file."""
    origins = {slot.__name__: read_from(own) for slot, own in answer.items()}
    files = {origin[0] for origin in origins.values() if origin is not None}
    for slot, origin in origins.items():
        if origin is None or len(files) > 1:
            raise InputError(
                f"the answer for `{slot}` was not read from one file with the others, and other processes cannot find it: "
                "`load_functions` of gradcheck_rl.load reads a file; or give no executor."
            )
    names = tuple((slot, origin[1]) for slot, origin in origins.items() if origin is not None)
    return Replaced(_everywhere(files.pop()), names)


def _everywhere(path: Path) -> File:
    """A shipped page by its id, another file by its whole path: workers may run in other folders."""
    path = path.resolve()
    return File.of(next((page.id for page in shipped() if page.path.resolve() == path), str(path)))


def _lines(item: object) -> list[tuple[str, Claim]]:
    match item:
        case Claim():
            return [("", item)]
        case Erratum(stated=stated, instead=instead):
            return [("stated", stated), ("instead", instead)]
        case _:
            return []


def _means(claim: Claim) -> list[Mean]:
    return [q for q, _ in claim.quantities() if isinstance(q, Mean)]
