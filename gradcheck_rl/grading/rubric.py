"""What a course counts: parts and points, what is shown of them, and how often one may try. Never in the problem's file."""

from __future__ import annotations

import keyword
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from ..errors import InputError, did_you_mean

SHOWS = ("verdict", "hint", "counterexample")
VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")
DIGITS = 15


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


OF_ONE = {f.name for f in fields(Rule)}
OF_ALL = {f.name for f in fields(Rubric)} - {"parts"} | {"part"}


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
    _known(data, OF_ALL, "the rubric", OF_ONE, "below the [[part]] that it is of")
    rows: Any = data.get("part", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast(list[Any], rows)):
        raise InputError("`part` is no list of parts: write each under [[part]].")
    parts = tuple(_rule(row) for row in cast(list[dict[str, Any]], rows))
    ids = [rule.name or rule.id for rule in parts]
    for name in ids:
        if ids.count(name) > 1:
            raise InputError(f"the part `{name}` is written twice: leave one.")
    found: dict[str, Any] = {
        "show": _one_of(data, "show", SHOWS, "counterexample"),
        "hints": _flag(data, "hints", True),
        "attempts": _whole(data, "attempts", 1, 10_000) if "attempts" in data else None,
        "seconds": _number(data, "seconds", 0.1, 3600, 10.0),
        "memory_mb": _whole(data, "memory_mb", 64, 1 << 20) if "memory_mb" in data else 1024,
        "problem": _text(data, "problem"),
        "title": _text(data, "title"),
    }
    if parts and not sum(rule.points for rule in parts) > 0:
        raise InputError("the parts have no points together: give at least one of them some.")
    return Rubric(parts, **found)


def _rule(row: Mapping[str, Any]) -> Rule:
    _known(row, OF_ONE, "a part", OF_ALL, "above the first [[part]]")
    if not _text(row, "id"):
        raise InputError('a part has no id: write id = "reinforce", a function or a claim of the problem.')
    return Rule(
        id=_text(row, "id"),
        points=_number(row, "points", 0, 1e6, 1.0),
        visibility=_one_of(row, "visibility", VISIBILITIES, "visible"),
        asks=_text(row, "asks"),
        name=_name(row),
        digits=_whole(row, "digits", 1, DIGITS) if "digits" in row else 6,
        claims=_texts(row, "claims"),
    )


def _known(data: Mapping[str, Any], names: set[str], where: str, others: set[str], there: str) -> None:
    """`others` belong elsewhere: TOML takes a line for the part above it, and before the first for the rubric."""
    for name in data:
        if name not in names:
            fix = f" Write it {there}." if name in others else did_you_mean(name, names)
            raise InputError(f"{where} has no `{name}`; it has {', '.join(sorted(names))}.{fix}")


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name, "")
    if not isinstance(value, str):
        raise InputError(f'{name} = {value!r} is no text: write {name} = "...".')
    return value


def _name(row: Mapping[str, Any]) -> str:
    name = _text(row, "name")
    if name and (not name.isidentifier() or keyword.iskeyword(name)):
        raise InputError(f'name = {name!r} cannot be a name in Python: write letters, digits and underscores, as in "slope_1".')
    return name


def _texts(data: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value: Any = data.get(name, [])
    if not isinstance(value, list) or not all(isinstance(x, str) for x in cast(list[Any], value)):
        raise InputError(f'{name} = {value!r} is no list of names: write {name} = ["unbiased", ...].')
    return tuple(cast(list[str], value))


def _flag(data: Mapping[str, Any], name: str, otherwise: bool) -> bool:
    value = data.get(name, otherwise)
    if not isinstance(value, bool):
        raise InputError(f"{name} = {value!r} is neither: write true or false.")
    return value


def _one_of(data: Mapping[str, Any], name: str, words: tuple[str, ...], otherwise: str) -> str:
    value = data.get(name, otherwise)
    if value not in words:
        raise InputError(f"{name} = {value!r} is not known: write {', '.join(words)}.")
    return value


def _number(data: Mapping[str, Any], name: str, low: float, high: float, otherwise: float) -> float:
    value = data.get(name, otherwise)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InputError(f"{name} = {value!r} is no number from {low:g} to {high:g}.")
    return float(value)


def _whole(data: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{name} = {value!r} is no whole number from {low} to {high}.")
    return value
