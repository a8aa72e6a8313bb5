"""The line that makes a report once more: typed in a shell, or, of what only Python has, a call."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .load import typed
from .points import Points
from .problem import Problem


def command(problem: Problem, verb: str = "", **options: Any) -> str:
    """`python -m gradcheck_rl problem1 --seed 0`: what is None or False is left out, what has several values is repeated."""
    page = typed(Path(problem.path)) if problem.path else "FILE"
    words = ["python", "-m", "gradcheck_rl", *filter(None, [verb]), page]
    for name, value in options.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is not None and one is not False:
                words += [f"--{name.replace('_', '-')}", *([] if one is True else [str(one)])]
    return shlex.join(words)


def replay(
    problem: Problem,
    answer: Mapping[Any, Any],
    seed: int,
    points: int | Points | None,
    only: Sequence[str] | None,
    samples: int | None,
) -> str:
    """What `check` was given, as a shell takes it; a page without a file, functions and points are Python's."""
    given: dict[str, Any] = {"seed": int(seed), "points": points, "only": only, "samples": samples}
    if problem.path and not answer and not isinstance(points, Points) and only != []:
        return command(problem, **given)
    page = f"load({typed(Path(problem.path))!r})" if problem.path else "problem"
    functions = ", ".join(f"{slot.__name__!r}: {_name(own)}" for slot, own in answer.items())
    options = [f"{name}={_written(value)}" for name, value in given.items() if value is not None]
    return f"check({', '.join([page, *([f'{{{functions}}}'] if answer else []), *options])})"


def _name(function: Any) -> str:
    name = getattr(function, "__name__", "")
    return name if name.isidentifier() else "..."


def _written(value: Any) -> str:
    return "..." if isinstance(value, Points) else repr(value if isinstance(value, list) else int(value))
