"""A class: every submission gets its row, whatever happens to it; rows are kept as they come, and none is made twice.

    rows = graded(Course("problem1"), sorted(Path("submissions").iterdir()))

The rows are the same, times aside, in this process and on any `concurrent.futures.Executor`: a task is one submission, read here,
and a machine that grades it needs the package and, for a page that is not shipped, its file.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InputError, did_you_mean, told
from ..executors import Lost, as_they_come
from ..load import identity, load, locate
from .grade import Grader
from .isolation import Limits, chosen
from .parts import FUNCTION
from .result import Row
from .rubric import Rubric
from .submission import Adapter, Submission, Unreadable, read

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Course:
    """All that the rows of a class depend on, beside the submissions."""

    problem: str
    rubric: Rubric = field(default_factory=Rubric)
    adapter: Adapter = field(default_factory=Adapter)
    tier: str = "auto"
    limits: Limits = field(default_factory=Limits)
    key: str = ""

    @property
    def digest(self) -> str:
        """Another page, rubric, adapter, key or tier gives other rows."""
        page = hashlib.sha256(locate(self.problem).read_bytes()).hexdigest()
        names = repr(sorted(self.adapter.names.items()))
        secret = hashlib.sha256(b"gradcheck_rl" + self.key.encode()).hexdigest()
        parts = (page, repr(self.rubric), names, self.adapter.module, self.tier, repr(self.limits), secret)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def grader(self) -> Grader:
        grader = Grader(load(self.problem), self.rubric, chosen(self.tier), self.limits, self.key)
        known = [part.id for part in grader.parts if part.kind == FUNCTION]
        if unknown := next((name for name in self.adapter.names if name not in known), None):
            has = f"there are {', '.join(known) or 'none'}.{did_you_mean(unknown, known)}"
            raise InputError(f"--map {unknown}=... names no function that is asked for; {has}")
        return grader


@dataclass(frozen=True)
class Task:
    """One submission to be graded, wherever that is. `mark`: the digest of its course."""

    course: Course
    mark: str
    name: str
    submission: Submission


def graded(
    course: Course,
    paths: Sequence[Path],
    executor: Executor | None = None,
    kept: Path | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """A row for each path, in that order. `kept`: a file of rows, where those that are there are not made again."""
    mark = course.digest
    earlier = _by_name(_kept(kept), identity(locate(course.problem)))
    found: dict[int, Row] = {}
    begun: list[tuple[int, str, int]] = []

    @cache
    def grader() -> Grader:
        """Made before the first submission is begun, so that what is wrong with the page or the rubric is said once, here."""
        with _one_at_a_time:
            return _grader(course, mark)

    def put(n: int, row: Row, fresh: bool) -> None:
        found[n] = row
        if fresh and kept is not None:
            _keep(kept, row)
        if progress is not None:
            progress(len(found), len(paths), f"{row.name}: {row.score:g} of {row.out_of:g}")

    def tasks() -> Iterator[Task]:
        """What is left to be graded, read when its turn comes."""
        for n, (path, name) in enumerate(zip(paths, _names(paths), strict=True)):
            submission = _read(path, course.adapter)
            digest = submission.digest if isinstance(submission, Submission) else _digest(submission)
            before = earlier[name] + [row for row in earlier[_stem(path)] if row.digest == digest and row.name != name]
            known = next((row for row in reversed(before) if row.digest == digest and row.key == mark and _final(row)), None)
            attempts = list(dict.fromkeys(row.digest for row in before if row.counts))
            attempt = attempts.index(digest) + 1 if digest in attempts else len(attempts) + 1
            if known is not None:
                put(n, replace(known, name=name), fresh=False)
            elif course.rubric.attempts is not None and attempt > course.rubric.attempts:
                put(n, _exhausted(before, len(attempts), course.rubric.attempts), fresh=False)
            elif isinstance(submission, str):
                put(n, replace(grader().refused(name, submission), digest=digest, key=mark, attempt=attempt), fresh=True)
            else:
                grader()
                begun.append((n, name, attempt))
                yield Task(course, mark, name, submission)

    if progress is not None:
        progress(0, len(paths), "")
    for number, row in as_they_come(executor, row_of, tasks()):
        n, name, attempt = begun[number]
        made = grader().refused(name, _lost(row), "GRADER_ERROR") if isinstance(row, Lost) else row
        put(n, replace(made, key=mark, attempt=attempt), fresh=True)
    return [found[n] for n in range(len(paths))]


# ---- where a submission is graded -----------------------------------------------------------------------------------------

# A grader keeps what it has worked out, so two threads must not share one, and one is enough for a process.
_one_at_a_time = threading.Lock()
_graders: dict[str, tuple[Grader, int]] = {}
RENEWED = 30


def _grader(course: Course, mark: str) -> Grader:
    """The grader of this process. It keeps what submissions answered too, so after some of them another takes its place."""
    grader, uses = _graders.get(mark) or (course.grader(), 0)
    if uses == RENEWED:
        grader, uses = Grader(grader.problem, grader.rubric, grader.tier, grader.limits, course.key), 0
    _graders.clear()
    _graders[mark] = grader, uses + 1
    return grader


def row_of(task: Task) -> Row:
    """The row of one submission."""
    with _one_at_a_time:
        grader = _grader(task.course, task.mark)
        return replace(grader.grade(task.submission, task.course.adapter.names), name=task.name)


def _lost(lost: Lost) -> str:
    return f"the grader's own process ended, twice: {told(lost.error)}" if lost.died else told(lost.error)


# ---- what is handed in ----------------------------------------------------------------------------------------------------


def _read(path: Path, adapter: Adapter) -> Submission | str:
    """A submission, or why it is none."""
    try:
        return read(path, adapter)
    except Unreadable as error:
        return str(error)
    except Exception as error:  # one row for each, whatever was handed in
        return f"{path.name} cannot be read: {told(error)}"


def _digest(reason: str) -> str:
    return hashlib.sha256(reason.encode("utf-8", "surrogatepass")).hexdigest()


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _names(paths: Sequence[Path]) -> list[str]:
    """What rows are called: the name of the file, or its whole path where two would be alike."""
    stems = Counter(_stem(path) for path in paths)
    return [str(path) if stems[_stem(path)] > 1 else _stem(path) for path in paths]


# ---- what is kept ---------------------------------------------------------------------------------------------------------


def _final(row: Row) -> bool:
    """What the grader failed on is tried again."""
    return all(part.verdict != "GRADER_ERROR" for part in row.parts)


def _exhausted(before: Sequence[Row], used: int, allowed: int) -> Row:
    last = next(row for row in reversed(before) if row.counts)
    return replace(last, note=f"no attempt is left: {used} of {allowed} were made, and the last counts")


def _by_name(rows: Sequence[Row], problem: str) -> Mapping[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.problem == problem:
            found[row.name].append(row)
    return found


def _kept(path: Path | None) -> list[Row]:
    """The rows of an earlier run; a last line that was cut off is passed over."""
    if path is None or not path.exists():
        return []
    found: list[Row] = []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--resume {path} cannot be read: {error}.") from error
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            data: Mapping[str, Any] = json.loads(line)
            found.append(Row.from_dict(data))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if line.startswith("{"):
                continue
            says = f"--resume {path}: line {number} is no row: name the file of an earlier run, or a new one."
            raise InputError(says) from error
    if text and not text.endswith("\n"):
        _append(path, "\n")
    return found


def _keep(path: Path, row: Row) -> None:
    _append(path, json.dumps(row.to_dict()) + "\n")


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"--resume {path} cannot be written: {error.strerror}.") from error
