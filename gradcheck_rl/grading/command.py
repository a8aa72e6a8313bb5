"""What `template` and `grade` do; the command line parses, calls this, and writes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from ..executors import executor
from ..load import load
from ..report import printable, worst
from .course import Course, Progress, graded
from .grade import KEY
from .isolation import Limits, chosen
from .outputs import OF_ONE, OUTPUTS
from .parts import parts, template
from .result import Row
from .rubric import Rubric, read
from .submission import adapter, listed


def templated(problem: str, rubric: str | None) -> str:
    """The file that a student fills in."""
    rules = read(Path(rubric)) if rubric else Rubric()
    page = load(problem)
    return template(page, parts(page, rules), rules.title)


def rows(asked: argparse.Namespace, shown: bool) -> list[Row]:
    """One row for each submission, as the options ask; `shown`: how far it is, on standard error."""
    rules = read(Path(asked.rubric)) if asked.rubric else Rubric()
    limits = Limits(seconds=asked.seconds or rules.seconds, memory=(asked.memory or rules.memory_mb) << 20)
    tier, key = chosen(asked.isolation).name, os.environ.get(KEY, "")
    course = Course(asked.problem, rules, adapter(asked.map or ()), tier, limits, key)
    paths, file = listed(asked.submissions), None if asked.resume is None else Path(asked.resume)
    if asked.format in OF_ONE and len(paths) != 1:
        says = f"--as {asked.format} is about one submission, and there are {len(paths)}"
        raise InputError(f"{says}: write --as csv, json or junit.")
    try:
        jobs = asked.jobs if asked.dask else min(asked.jobs, len(paths))
        with _bar(shown) as progress, executor(jobs, asked.dask) as found:
            return graded(course, paths, found, file, progress)
    except KeyboardInterrupt:
        if file is not None and file.exists():
            print(f"the rows so far are in {file}: the same command goes on from there.", file=sys.stderr)
        raise


def written(found: Sequence[Row], form: str) -> str:
    return OUTPUTS[form](found)


def note(found: Sequence[Row]) -> str:
    """What a teacher should know of how these rows came about."""
    said: list[str] = []
    if not os.environ.get(KEY):
        said.append(f"{KEY} is not set: the points are those that everybody knows.")
    weak = next((row.isolation for row in found if "(" in row.isolation and row.isolation.startswith("rlimits")), "")
    if weak:
        said.append(f"submissions were kept apart by {weak} only.")
    failed = [row.name for row in found if any(part.verdict == "GRADER_ERROR" for part in row.parts)]
    if failed:
        said.append(f"the grader failed on {len(failed)}, {', '.join(failed[:5])}: they are no attempt; grade them again.")
    return " ".join(said)


def exit_code(found: Sequence[Row], fail_under: float | None) -> int:
    """0 where every submission has its row. Of the points only who asks for it: 1 under that share, 4 where the grader failed."""
    if fail_under is None:
        return 0
    failed = [4 for row in found for part in row.parts if part.verdict == "GRADER_ERROR"]
    return worst([0, *failed, *(1 for row in found if 100 * row.share < fail_under)])


@contextmanager
def _bar(shown: bool) -> Generator[Progress | None]:
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    # What a submission is called is text, not markup.
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False) as found:
        task = found.add_task("", total=None)
        yield lambda done, total, says: found.update(task, completed=done, total=total, description=printable(says))
