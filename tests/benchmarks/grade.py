"""What a submission of a class takes, beside a worker that is asked for nothing, and what the class leaves in memory."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from gradcheck_rl.grading.course import Course, graded
from gradcheck_rl.grading.isolation import RLIMITS, Limits
from gradcheck_rl.grading.rubric import Rubric, Rule
from gradcheck_rl.grading.session import Session, closed

from .timing import Options, Row, once

NUMPY, TORCH = ("numpy",), ("numpy", "torch")
LOG_PI = """
import torch
def log_pi(w, s0, allowed):
    return (w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)
def reinforce(w, s0, allowed, reward, action):
    return """
RIGHT = ("log_pi(w, s0, allowed)[action] * reward[action]", "(log_pi(w, s0, allowed) * reward)[action]")
WRONG = ("-log_pi(w, s0, allowed)[action] * reward[action]", "(w * s0).log_softmax(-1)[action] * reward[action]")
GRADS = """
import numpy as np
def naive_grad(x, mu):
    return np.mean(x**2 * (x - mu))
def reparam_grad(eps, mu):
    return """
GRADS_RIGHT, GRADS_WRONG = (
    ("np.mean(2 * (eps + mu))", "2 * np.mean(eps + mu)"),
    ("np.mean(2 * (eps - mu))", "np.sum(2 * (eps + mu))"),
)


def rows(options: Options) -> Iterator[Row]:
    count, some = (1, slice(1, 3)) if options.smoke else (300, slice(None))  # one that is right, one that is wrong
    torch = Course("problem1", Rubric((Rule("log_pi"), Rule("reinforce"))), tier=RLIMITS.name)
    yield a_class("torch", torch, [LOG_PI + line for line in (*RIGHT, *WRONG)[some]], count, TORCH, options)
    numpy = Course("problem3", Rubric((Rule("naive_grad"), Rule("reparam_grad"))), tier=RLIMITS.name)
    yield a_class("numpy", numpy, [GRADS + line for line in (*GRADS_RIGHT, *GRADS_WRONG)[some]], count, NUMPY, options)


def a_class(name: str, course: Course, texts: list[str], count: int, libraries: tuple[str, ...], options: Options) -> Row:
    """The tier is one in which the system tells what the workers took. What is kept of the page is worked out before."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{n}.py" for n in range(count + len(texts))]
        for n, path in enumerate(paths):
            path.write_text(f"{texts[n % len(texts)]}  # {n}\n")
        graded(course, paths[: len(texts)])
        before = _peak()
        closed()  # what processes took is known once they are gone
        spent = once(lambda: (graded(course, paths[len(texts) :], kept=Path(folder) / "rows"), closed()))
        more = (_peak() - before) / 1024
    floor = once(lambda: (started(libraries, count), closed()))
    what = f"grade: one of {count}, {name}, and {more:.0f} MiB more"
    return Row(what, spent / count, None, (f"its worker, {libraries[-1]} imported once", floor / count))


def started(libraries: tuple[str, ...], count: int) -> None:
    """Workers that are ready, one after the other."""
    for _ in range(count):
        session = Session(RLIMITS, Limits(), {"sources": {}, "modules": [], "functions": {}, "libraries": list(libraries)})
        assert session.ready
        session.close()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
