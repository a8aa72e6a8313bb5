"""One submission against one problem: a word, points and feedback for each part. The parent alone compares and scores."""

from __future__ import annotations

import hashlib
import hmac
import re
import signal
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from ..errors import GradcheckError, InputError, did_you_mean
from ..evaluators.plain import is_numpy
from ..problem import Problem
from .functions import Functions
from .isolation import Limits, Tier, says
from .parts import FUNCTION, Part, parts
from .remote import Remote, TooMuch, signature
from .result import Judgement, Result, Row
from .rubric import Rubric
from .session import Ended, GraderFault, Session, clean
from .submission import MAIN, Submission, Unreadable
from .texts import Texts

KEY = "GRADCHECK_RL_KEY"
PART_S = 120.0
LIVES = 3
MAYBE = "it may be right, and gets no points by itself: ask a teacher to read it, or write it in a simpler form"

_defined = re.compile(r"^def (\w+)", re.MULTILINE)


class OutOfTime(BaseException):
    """A part took longer than the parent gives to one."""


def seed_of(key: str, problem: Problem) -> int:
    """What hidden points derive from; without a key everybody knows them."""
    if not key:
        return 0
    return int.from_bytes(hmac.new(key.encode(), problem.name.encode(), hashlib.sha256).digest()[:6], "big")


class Grader:
    """Of one problem and one rubric. What does not depend on a submission is kept from one to the next."""

    def __init__(self, problem: Problem, rubric: Rubric, tier: Tier, limits: Limits, key: str) -> None:
        self.problem, self.rubric, self.tier, self.limits = problem, rubric, tier, limits
        self.parts = parts(problem, rubric)
        self.seed = seed_of(key, problem)
        tensors = any(part.slot is not None and not is_numpy(part.slot) for part in self.parts)
        self.libraries = ["torch"] if tensors else []  # a method of a tensor needs no import
        self.total = sum(part.rule.points for part in self.parts)
        self.functions, self.texts = Functions(problem, rubric, self.seed), Texts(problem, rubric, self.seed)

    def grade(self, submission: Submission, adapted: Mapping[str, str] | None = None) -> Row:
        """A row, whatever the submission does."""
        start = time.perf_counter()
        run = _Run(self, submission, adapted or {})
        try:
            results = tuple(self._result(part, run) for part in self.parts)
        finally:
            run.close()
        seconds = round(time.perf_counter() - start, 2)
        return Row(submission.name, submission.digest, self.problem.name, run.isolation, results, run.output, seconds=seconds)

    def refused(self, name: str, reason: str, word: str = "INVALID") -> Row:
        """The row of a submission that was not run."""
        results = tuple(_told(part, Judgement(word, (clean(reason),)), 0.0) for part in self.parts)
        return Row(name, "", self.problem.name, self.tier.name, results, note=clean(reason))

    def _result(self, part: Part, run: _Run) -> Result:
        start = time.perf_counter()
        try:
            with _bounded(PART_S):
                found = self._judgement(part, run)
        except (OutOfTime, TooMuch):
            found = Judgement("UNDECIDED", ("it could not be decided in the time there is",))
        except Ended as error:
            found = Judgement(error.word, (error.says,))
        except InputError as error:
            found = Judgement("INVALID", (str(error),))
        except (GraderFault, GradcheckError) as error:
            found = Judgement("GRADER_ERROR", (str(error),))
        except Exception as error:  # nobody's submission is to blame, and the others go on
            found = Judgement("GRADER_ERROR", (f"{type(error).__name__}: {error}",))
        if found.verdict == "UNDECIDED" and not any(line.startswith("the mistake: ") for line in found.says):
            found = found._replace(says=(*found.says, MAYBE))
        if run.end is not None and part.kind == FUNCTION and found.verdict not in ("PASS", "INVALID"):
            found = Judgement(run.end.word, (run.end.says,))
        run.settled()
        return _told(part, found, round(time.perf_counter() - start, 3))

    def _judgement(self, part: Part, run: _Run) -> Judgement:
        if part.kind == FUNCTION:
            return self.functions.judge(part, run.remote(part), run.submission)
        return self.texts.judge(part, run.submission.texts.get(part.id, "").strip(" \n"))


class _Run:
    """The workers of one submission: one, and another where it ended before all parts were asked."""

    def __init__(self, grader: Grader, submission: Submission, adapted: Mapping[str, str]) -> None:
        self.grader, self.submission = grader, submission
        self._functions = {p.id: adapted.get(p.id, p.id) for p in grader.parts if p.kind == FUNCTION}
        self._session: Session | None = None
        self._last: Ended | None = None
        self._lives = LIVES
        self.output, self.isolation = "", grader.tier.name

    @property
    def end(self) -> Ended | None:
        return None if self._session is None else self._session.end

    def remote(self, part: Part) -> Remote:
        """The function of a part, where it is defined."""
        assert part.slot is not None
        functions = self.session().functions
        if part.id not in functions:
            theirs = self._functions[part.id]
            mapped = f" (`{theirs}` was looked for, as --map says)" if theirs != part.id else ""
            others = set(_defined.findall("\n".join(self.submission.sources.values()))) - {p.id for p in self.grader.parts}
            meant = did_you_mean(theirs, sorted(others))
            run = set(self.submission.assigned.get(theirs, ())).difference(self.submission.left_out)
            is_not = "is no function" if run else "is not defined"
            raise Unreadable(f"`{part.id}` {is_not}{mapped}: write `{signature(part.slot)}`{meant and '.' + meant}")
        return Remote(self.session(), part.slot, functions[part.id])

    def session(self) -> Session:
        if self._session is None:
            if self._lives == 0 and self._last is not None:
                raise Ended(self._last.word, self._last.says)
            self._lives -= 1
            texts = [n for part in self.grader.parts if part.kind != FUNCTION for n in self.submission.assigned.get(part.id, ())]
            config = {
                "sources": dict(self.submission.sources),
                "modules": self.submission.modules,
                "main": MAIN,
                "left_out": self.submission.left_out,
                "tried": [*self.submission.tried, *texts],  # a formula without quotes is read, and need not run
                "cells": self.submission.cells,
                "functions": self._functions,
                "libraries": list(dict.fromkeys([*self.submission.libraries, *self.grader.libraries])),
            }
            self._session = Session(self.grader.tier, self.grader.limits, config)
            self.isolation = says(self.grader.tier, self._session.ready)
            try:
                assert self._session.functions is not None
            except Ended as error:
                self._last, self._lives = error, 0  # what happens at import happens to every part
                self.close()
                raise
        return self._session

    def settled(self) -> None:
        """A worker that is gone is buried, so that the next part gets another."""
        if self._session is not None and self._session.end is not None:
            self._last = self._session.end
            self.close()

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self.output = self.output or self._session.output
            self._session = None


def _told(part: Part, found: Judgement, seconds: float) -> Result:
    points = part.rule.points if found.verdict == "PASS" else 0.0
    shown = tuple(clean(line) for text in found.says for line in text.split("\n") if line.strip())
    return Result(part.id, part.kind, found.verdict, points, part.rule.points, part.rule.visibility, shown, seconds)


@contextmanager
def _bounded(seconds: float) -> Generator[None]:
    """Within this block the parent's own work ends in time. Only the main thread can be interrupted so."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: Any) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
