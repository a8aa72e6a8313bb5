"""CPU seconds of several ways to do the same work, taken in turns so that a busy machine is unfair to none."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One thing that is measured: what it takes here, what the best peer takes, and what nobody can go below."""

    what: str
    ours: float
    peer: tuple[str, float] | None
    floor: tuple[str, float]


@dataclass(frozen=True)
class Options:
    """`smoke` runs everything once and small; `slow` also what takes minutes."""

    smoke: bool = False
    slow: bool = False

    @property
    def repeats(self) -> int:
        return 1 if self.smoke else 7


def least(works: Mapping[str, Work], repeats: int) -> dict[str, float]:
    """The least CPU time of each, after one unmeasured run: what is more is the machine's, not the work's."""
    for work in works.values():
        work()
    found = {name: float("inf") for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            found[name] = min(found[name], _spent(work))
    return found


def once(work: Work) -> float:
    """For what takes so long that a second run says nothing new."""
    return _spent(work)


def _spent(work: Work) -> float:
    """In this process, and in those that it started and that are gone."""
    children, start = _children(), time.process_time()
    work()
    own = time.process_time() - start
    return own + _children() - children


def processes(commands: Mapping[str, Sequence[str]], repeats: int) -> dict[str, float]:
    """The least CPU time of each command, in a process of its own, which finds what is compiled already, as everybody's does."""
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    found = {name: float("inf") for name in commands}
    for name, arguments in [*commands.items()] * (repeats + 1):
        before = _children()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True, timeout=600, env=variables)
        found[name] = min(found[name], _children() - before)
    return found


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
