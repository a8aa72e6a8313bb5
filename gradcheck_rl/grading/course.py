"""A class: every submission gets its row, whatever happens to it; rows are kept as they come, and none is made twice."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..load import load, locate
from .grade import Grader
from .isolation import Limits, chosen
from .result import Row
from .rubric import Rubric
from .submission import Adapter, Submission, Unreadable, read

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Course:
    """All that the rows of a class depend on, beside the submissions."""

    problem: str
    rubric: Rubric
    adapter: Adapter
    tier: str
    limits: Limits
    key: str

    @property
    def digest(self) -> str:
        """Another page, rubric, adapter, key or tier gives other rows."""
        page = hashlib.sha256(locate(self.problem).read_bytes()).hexdigest()
        parts = (
            page,
            repr(self.rubric),
            repr(sorted(self.adapter.names.items())),
            self.adapter.module,
            self.tier,
            repr(self.limits),
        )
        secret = hashlib.sha256(b"gradcheck_rl" + self.key.encode()).hexdigest()
        return hashlib.sha256("\n".join((*parts, secret)).encode()).hexdigest()[:16]

    def grader(self) -> Grader:
        return Grader(load(self.problem), self.rubric, chosen(self.tier), self.limits, self.key)


def graded(
    course: Course, paths: Sequence[Path], jobs: int = 1, kept: Path | None = None, progress: Progress | None = None
) -> list[Row]:
    """A row for each path, in that order. `kept`: a file of rows, where those that are there are not made again."""
    before = _kept(kept)
    mark, found, left = course.digest, dict[int, Row](), list[tuple[int, Path, str, int]]()
    for n, (path, name) in enumerate(zip(paths, _names(paths), strict=True)):
        digest = _digest(path, course.adapter)
        earlier = [row for row in before if row.name == name and row.problem]
        known = next((row for row in reversed(earlier) if row.digest == digest and row.key == mark and _final(row)), None)
        if known is not None:
            found[n] = known
            continue
        used = len({row.digest for row in earlier if row.counts})
        left.append((n, path, name, used + 1))
        if course.rubric.attempts is not None and used >= course.rubric.attempts:
            last = next(row for row in reversed(earlier) if row.counts)
            found[n] = replace(
                last, note=f"no attempt is left: {used} of {course.rubric.attempts} were made, and the last counts"
            )
            left.pop()
    done = len(found)
    for n, row, attempt in _each(course, left, jobs):
        found[n] = replace(row, key=mark, attempt=attempt)
        done += 1
        if kept is not None:
            _keep(kept, found[n])
        if progress is not None:
            progress(done, len(paths), f"{row.name}: {row.score:g} of {row.out_of:g}")
    return [found[n] for n in range(len(paths))]


def _each(course: Course, left: Sequence[tuple[int, Path, str, int]], jobs: int) -> Iterator[tuple[int, Row, int]]:
    if not left:
        return
    if jobs == 1 or len(left) == 1:
        grader = course.grader()
        for n, path, name, attempt in left:
            yield n, _row(grader, course.adapter, path, name), attempt
        return
    grader = course.grader()  # what is wrong with the page or the rubric is said here, once
    spawn = multiprocessing.get_context("spawn")
    waiting = list(left)
    while waiting:
        again: list[tuple[int, Path, str, int]] = []
        with ProcessPoolExecutor(min(jobs, len(waiting)), spawn, _start, (course,)) as pool:
            futures: dict[Future[Row], tuple[int, Path, str, int]] = {
                pool.submit(_in_pool, str(path), name): (n, path, name, attempt) for n, path, name, attempt in waiting
            }
            for future in as_completed(futures):
                n, path, name, attempt = futures[future]
                try:
                    yield n, future.result(), attempt
                except BrokenProcessPool:
                    again.append(futures[future])
                except Exception as error:
                    yield n, grader.refused(name, f"{type(error).__name__}: {error}", "GRADER_ERROR"), attempt
        if len(again) == len(waiting):  # nothing came of it: one at a time, and who breaks it is told
            for n, path, name, attempt in again:
                yield n, _alone(course, grader, path, name, spawn), attempt
            again = []
        waiting = again


def _alone(course: Course, grader: Grader, path: Path, name: str, spawn: Any) -> Row:
    with ProcessPoolExecutor(1, spawn, _start, (course,)) as pool:
        try:
            return pool.submit(_in_pool, str(path), name).result()
        except BrokenProcessPool:
            return grader.refused(name, "the grader's own process ended", "GRADER_ERROR")


_here: dict[str, Any] = {}


def _start(course: Course) -> None:
    _here["grader"], _here["adapter"] = course.grader(), course.adapter


def _in_pool(path: str, name: str) -> Row:
    return _row(_here["grader"], _here["adapter"], Path(path), name)


def _row(grader: Grader, adapter: Adapter, path: Path, name: str) -> Row:
    try:
        submission = read(path, adapter)
    except Unreadable as error:
        return replace(grader.refused(name, str(error)), digest=_digest(path, adapter))
    try:
        return replace(grader.grade(submission, adapter.names), name=name, digest=_digest(path, adapter))
    except Exception as error:  # one row for each, whatever happens
        return grader.refused(name, f"{type(error).__name__}: {error}", "GRADER_ERROR")


def _final(row: Row) -> bool:
    """What the grader failed on is tried again."""
    return all(part.verdict != "GRADER_ERROR" for part in row.parts)


def _names(paths: Sequence[Path]) -> list[str]:
    """What rows are called: the name of the file, with its folder where two would be alike."""
    stems = [path.stem if path.is_file() else path.name for path in paths]
    return [stem if stems.count(stem) == 1 else str(path) for stem, path in zip(stems, paths, strict=True)]


def _digest(path: Path, adapter: Adapter) -> str:
    try:
        submission: Submission = read(path, adapter)
    except Unreadable as error:
        return hashlib.sha256(str(error).encode()).hexdigest()
    return submission.digest


def _kept(path: Path | None) -> list[Row]:
    """The rows of an earlier run; a last line that was cut off is passed over."""
    if path is None or not path.exists():
        return []
    found: list[Row] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            data: Mapping[str, Any] = json.loads(line)
            found.append(Row.from_dict(data))
        except (ValueError, KeyError, TypeError) as error:
            if line.startswith("{"):
                continue
            raise InputError(
                f"--resume {path}: line {number} is no row: name the file of an earlier run, or a new one."
            ) from error
    return found


def _keep(path: Path, row: Row) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row.to_dict()) + "\n")
