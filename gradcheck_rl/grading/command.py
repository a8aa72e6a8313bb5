"""What `template` and `grade` do; the command line parses, calls this, and writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import InputError
from ..load import load
from ..report import worst
from .course import Course, graded
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
    page = load(problem, other_sizes=False)
    return template(page, parts(page, rules), rules.title)


def rows(
    problem: str,
    submissions: Sequence[str],
    rubric: str | None,
    maps: Sequence[str],
    isolation: str,
    seconds: float | None,
    memory_mb: int | None,
    jobs: int,
    kept: str | None,
    progress: Callable[[int, int, str], None] | None,
) -> list[Row]:
    """One row for each submission."""
    rules = read(Path(rubric)) if rubric else Rubric()
    limits = Limits(seconds=seconds or rules.seconds, memory=(memory_mb or rules.memory_mb) << 20)
    course = Course(problem, rules, adapter(maps), chosen(isolation).name, limits, os.environ.get(KEY, ""))
    return graded(course, listed(submissions), jobs, None if kept is None else Path(kept), progress)


def written(found: Sequence[Row], form: str) -> str:
    if form in OF_ONE and len(found) != 1:
        raise InputError(
            f"--format {form} is about one submission, and {len(found)} were graded: write --format csv, json or junit."
        )
    return OUTPUTS[form](found)


def put(path: Path, text: str) -> None:
    """The whole file or none of it: who reads results.json must not find half of one."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise InputError(f"-o {path} cannot be written: {error.strerror}.") from error


def note(found: Sequence[Row]) -> str:
    """What a teacher should know of how these rows came about."""
    said: list[str] = []
    if not os.environ.get(KEY):
        said.append(f"{KEY} is not set: the points are those that everybody knows.")
    weak = next((row.isolation for row in found if "(" in row.isolation and row.isolation.startswith("rlimits")), "")
    if weak:
        said.append(f"submissions were kept apart by {weak} only.")
    return " ".join(said)


def exit_code(found: Sequence[Row], fail_under: float | None) -> int:
    """0 where every submission has its row; 1 where one has fewer points than asked for; 4 where the grader failed."""
    codes = [4 for row in found for part in row.parts if part.verdict == "GRADER_ERROR"]
    if fail_under is not None:
        codes += [1 for row in found if 100 * row.share < fail_under]
    return worst(codes) if codes else 0
