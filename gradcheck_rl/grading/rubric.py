"""What a course counts: parts and points, what is shown of them, and how often one may try. Never in the problem's file."""

from __future__ import annotations

import keyword
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from ..errors import InputError, did_you_mean

Reader = Callable[[str, Any], Any]  # of a value under a name: what it is, or why it cannot be


@dataclass(frozen=True)
class Rule:
    """One part: `id` is a function of the problem, or a claim whose other side is asked for, which `name` calls otherwise.

    `claims` decide about a function.
    """

    id: str
    points: float = 1.0
    visibility: str = "visible"
    asks: str = ""
    name: str = ""
    digits: int = 6
    claims: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rubric:
    """`show`: the verdict alone; with it what kind of mistake it is; or also an example, and both values there."""

    parts: tuple[Rule, ...] = ()
    show: str = "counterexample"
    hints: bool = True
    attempts: int | None = None
    seconds: float = 10.0
    memory_mb: int = 1024
    problem: str = ""
    title: str = ""


def read(path: Path) -> Rubric:
    """The rubric in a file, or one sentence about what is wrong with it."""
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}.") from error
    try:
        return _rubric(data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _rubric(data: Mapping[str, Any]) -> Rubric:
    _known(data, {*OF_ALL, "part"}, "the rubric", {*OF_ONE}, "below the [[part]] that it is of")
    rows: Any = data.get("part", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast(list[Any], rows)):
        raise InputError("`part` is no list of parts: write each under [[part]].")
    parts = tuple(_rule(row) for row in cast(list[dict[str, Any]], rows))
    ids = [rule.name or rule.id for rule in parts]
    for name in ids:
        if ids.count(name) > 1:
            raise InputError(f"the part `{name}` is written twice: leave one.")
    found = _taken(data, OF_ALL)
    if parts and not sum(rule.points for rule in parts) > 0:
        raise InputError("the parts have no points together: give at least one of them some.")
    return Rubric(parts, **found)


def _rule(row: Mapping[str, Any]) -> Rule:
    _known(row, {*OF_ONE}, "a part", {*OF_ALL, "part"}, "above the first [[part]]")
    if not _text("id", row.get("id", "")):
        raise InputError('a part has no id: write id = "reinforce", a function or a claim of the problem.')
    return Rule(**_taken(row, OF_ONE))


def _known(data: Mapping[str, Any], names: set[str], where: str, others: set[str], there: str) -> None:
    """`others` belong elsewhere: TOML takes a line for the part above it, and before the first for the rubric."""
    for name in data:
        if name not in names:
            fix = f" Write it {there}." if name in others else did_you_mean(name, names)
            raise InputError(f"{where} has no `{name}`; it has {', '.join(sorted(names))}.{fix}")


def _taken(data: Mapping[str, Any], known: Mapping[str, Reader]) -> dict[str, Any]:
    """What is written, each as its reader takes it; for the rest there are defaults."""
    return {name: take(name, data[name]) for name, take in known.items() if name in data}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f'{name} = {value!r} is no text: write {name} = "...".')
    return value


def _name(name: str, value: Any) -> str:
    if _text(name, value) and (not value.isidentifier() or keyword.iskeyword(value)):
        raise InputError(f'name = {value!r} cannot be a name in Python: write letters, digits and underscores, as in "slope_1".')
    return value


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(x, str) for x in cast(list[Any], value)):
        raise InputError(f'{name} = {value!r} is no list of names: write {name} = ["unbiased", ...].')
    return tuple(cast(list[str], value))


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{name} = {value!r} is neither: write true or false.")
    return value


def _one_of(words: Sequence[str], name: str, value: Any) -> str:
    if value not in words:
        raise InputError(f"{name} = {value!r} is not known: write {', '.join(words)}.")
    return value


def _number(low: float, high: float, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InputError(f"{name} = {value!r} is no number from {low:g} to {high:g}.")
    return float(value)


def _whole(low: int, high: int, name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{name} = {value!r} is no whole number from {low} to {high}.")
    return value


OF_ONE: Mapping[str, Reader] = {
    "id": _text,
    "points": partial(_number, 0, 1e6),
    "visibility": partial(_one_of, ("visible", "hidden", "after_due_date", "after_published")),
    "asks": _text,
    "name": _name,
    "digits": partial(_whole, 1, 15),
    "claims": _texts,
}
OF_ALL: Mapping[str, Reader] = {
    "show": partial(_one_of, ("verdict", "hint", "counterexample")),
    "hints": _flag,
    "attempts": partial(_whole, 1, 10_000),
    "seconds": partial(_number, 0.1, 3600),
    "memory_mb": partial(_whole, 64, 1 << 20),
    "problem": _text,
    "title": _text,
}
