"""Where a function of the page is called, as rows of arguments: what its claims ask of it, at the page's points and others.

A submission that gives in every row what the page's own function gives is right wherever that is. One that differs may be
right in another way, which the claims decide; and the simplest row where it differs is what a student can try.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from ..backends.rows import Rows
from ..errors import CodeError, GradcheckError
from ..estimate import Floats
from ..evaluators import Scene, some_outcomes
from ..evaluators.plain import is_numpy
from ..evaluators.scene import arrays, in_rows, possible
from ..laws import randoms
from ..places import needed
from ..points import Points, covering, generator, given
from ..problem import Problem, called
from ..quantities import is_code, slots
from ..rings import each, image, rational
from ..symbols import Variable, entries
from ..verdict import largest

MOST, CALLS, STEPS = 160, 64, 16
RESOLUTION = 1e-6

Arguments = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of arguments of one shape, weights for its slopes, and what the page's function gives."""

    arguments: Arguments
    weights: Floats
    values: Floats
    slopes: Floats

    @property
    def count(self) -> int:
        return len(self.values)


class Function:
    """One function of a page, as a submission is to write it."""

    def __init__(self, slot: Callable[..., Any]) -> None:
        self.slot, self.name, self.numpy = slot, slot.__name__, is_numpy(slot)

    def values(self, code: Callable[..., Any], arguments: Arguments) -> Floats:
        """(rows, numbers) of a function in this process."""
        if not self.numpy:
            from ..backends.remote import here

            return _flat(here(code, arguments, "float64", None).numbers)
        rows = len(next(iter(arguments.values()))) if arguments else 1
        with np.errstate(all="ignore"):
            return _flat(np.stack([np.asarray(code(**{k: v[i] for k, v in arguments.items()}), float) for i in range(rows)]))

    def slopes(self, code: Callable[..., Any], arguments: Arguments, weights: Floats) -> Floats:
        if self.numpy:
            return np.zeros((len(weights), 0))
        from ..backends.remote import here

        return here(code, arguments, "float64", weights).numbers

    def unchecked(self) -> AbstractContextManager[None]:
        """Within this block laws of torch take any parameters."""
        if self.numpy:
            return nullcontext()
        from ..backends.remote import unchecked

        return unchecked()

    def sample(self, arguments: Arguments, rng: np.random.Generator) -> Sample:
        """With what the page's own function gives there."""
        values = self.values(self.slot, arguments)
        weights = np.where(np.isfinite(values), rng.choice((-1.0, -0.5, 0.5, 1.0), values.shape), 0.0)  # they raise no number
        return Sample(arguments, weights, values, self.slopes(self.slot, arguments, weights))


def samples(problem: Problem, slot: Callable[..., Any], seed: int, count: int) -> list[Sample]:
    """What the claims ask of the function, at `count` points drawn by the seed, at the page's corners and data, and at its
    other sizes."""
    function, rng = Function(slot), generator(seed, problem.name, slot.__name__, "samples")
    found: dict[Any, list[Arguments]] = {}
    for page, own in [(problem, slot), *((p, p.functions.get(slot.__name__)) for _, p in problem.also)]:
        for rows in called_with(page, own, seed, count) if own is not None else ():
            key = tuple((k, v.shape[1:], v.dtype.kind) for k, v in rows.items())
            found.setdefault(key, []).append(rows)
    out: list[Sample] = []
    for groups in found.values():
        together = {k: np.concatenate([g[k] for g in groups]) for k in groups[0]}
        try:
            out.append(function.sample(_some(together, rng), rng))
        except Exception:  # a row that the page's function itself does not take
            continue
    return out


def called_with(problem: Problem, slot: Callable[..., Any], seed: int = 0, count: int = 1) -> Iterator[Arguments]:
    """The rows that the claims of a page hand to a function, at its own sizes."""
    world, points = problem.bound, _points(problem, seed, count)
    done: set[Any] = set()
    for claim in problem.claims:
        for top, names in called(claim, world) if claim.reaches({slot: slot}) else ():
            if slot not in slots(top) or (key := (top, claim.at, tuple(map(id, names.values())))) in done:
                continue
            done.add(key)
            try:
                here = points if claim.at is None else given(world.variables, claim.at, needed(claim, world)).image()
                yield from _calls(problem, top, slot, names, here, seed)
            except GradcheckError:
                continue


@lru_cache(maxsize=32)  # a page's functions, one after the other, at each of its sizes
def _points(problem: Problem, seed: int, count: int) -> Points:
    return covering(problem.bound.variables, problem.corners, count, seed, problem.name).image()


def _calls(problem: Problem, top: Any, slot: Any, names: Mapping[str, Any], points: Points, seed: int) -> Iterator[Arguments]:
    scene = Scene(problem.bound, points, seed=seed, name=f"{problem.name}/samples")
    asked = problem.bound.asked(top, names)
    atoms = [a for symbols in asked.values() for a in randoms(*entries(symbols))]
    outcomes = some_outcomes(atoms, names, scene) if atoms else None
    fixed, random = arrays(scene, asked, outcomes)
    can = possible(outcomes)
    if top is not slot:
        yield from _recorded(scene, top, slot, fixed, random, can)
        return
    rows, _ = in_rows(fixed, random, (len(points), outcomes.count if outcomes else 1), can)
    if rows:
        yield rows


def _recorded(scene: Scene, top: Any, slot: Any, fixed: Arguments, random: Arguments, can: Any) -> list[Arguments]:
    """What another function of the page hands to this one."""
    from ..backends.remote import called, here
    from ..backends.torch import run

    if is_numpy(top):
        return []
    found: list[Arguments] = []
    order = [p.name for p in inspect.signature(slot).parameters.values() if not is_code(p.default)]

    def ask(op: str, arguments: Arguments, dtype: str, cotangents: Floats | None) -> Rows:
        arrays = {k: v for k, v in arguments.items() if isinstance(v, np.ndarray)}
        plain = {k: v for k, v in arguments.items() if k not in arrays}
        if not plain:
            found.append(arguments)
        return here(partial(slot, **plain), arrays, dtype, cotangents)

    def recorder(*values: Any, **named: Any) -> Any:
        return called(ask, dict(zip(order, values, strict=False)) | named)

    recorder.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
        [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in order]
    )
    answered = Scene(scene.world, scene.points, {slot: recorder}, name=scene.name)
    run(answered.resolve(top), {}, fixed, random, "float64", False, recorder, can)
    return found[-CALLS:]


def _some(rows: Arguments, rng: np.random.Generator) -> Arguments:
    """Each row once, and of many some."""
    size = len(next(iter(rows.values()))) if rows else 1
    flat = np.concatenate([v.reshape(size, -1).astype(float) for v in rows.values()], axis=1)
    _, first = np.unique(flat, axis=0, return_index=True)
    kept = np.sort(first if len(first) <= MOST else rng.choice(first, MOST, replace=False))
    return {k: v[kept] for k, v in rows.items()}


def _flat(x: Floats) -> Floats:
    return x.reshape(len(x), -1)


# ---- where two functions differ -------------------------------------------------------------------------------------------

Ask = Callable[[str, Arguments, str, Floats | None], Any]


@dataclass(frozen=True, eq=False)
class Difference:
    """One row where a submission does not give what the page's function gives. `by` names what a slope is taken by."""

    arguments: dict[str, Any]
    ours: Floats
    theirs: Floats
    by: str = ""


def answered(ask: Ask, sample: Sample, numpy: bool) -> tuple[Floats, Floats]:
    """Values and slopes of a submission in these rows."""
    values = _flat(ask("values", sample.arguments, "float64", None).numbers)
    if values.shape != sample.values.shape:
        raise CodeError(None, f"it returns {_count(values.shape[1])} where {_count(sample.values.shape[1])} would be right.")
    slopes = sample.slopes if numpy else ask("slopes", sample.arguments, "float64", sample.weights).numbers
    return values, slopes


def _count(n: int) -> str:
    return "one number" if n == 1 else f"{n} numbers"


class Sight(NamedTuple):
    """How small a difference is seen, of values and of slopes."""

    values: float
    slopes: float


def sight(found: Sequence[Sample], resolution: float) -> Sight:
    """A part of the largest that the page's function gives in these rows, where that is below 1: what is small has a sign too."""

    def seen(numbers: Sequence[Floats]) -> float:
        size = max(map(largest, numbers), default=0.0)
        return resolution * min(1.0, size or 1.0)

    return Sight(seen([s.values for s in found]), seen([s.slopes for s in found]))


def apart(a: Floats, b: Floats, seen: float = RESOLUTION) -> Any:
    """Where two arrays of numbers differ; what is not a number equals itself."""
    with np.errstate(all="ignore"):
        near = np.abs(a - b) <= seen * (1 + np.abs(b))
    return ~(near | (a == b) | (np.isnan(a) & np.isnan(b)))


def same(ask: Ask, found: Sequence[Sample], numpy: bool, seen: Sight) -> bool:
    """Does it give in every row what the page's function gives, with its slopes?"""
    for sample in found:
        values, slopes = answered(ask, sample, numpy)
        if apart(values, sample.values, seen.values).any() or apart(slopes, sample.slopes, seen.slopes).any():
            return False
    return bool(found)


def same_values(ask: Ask, found: Sequence[Sample], numpy: bool, seen: Sight) -> bool:
    """Does it give in every row the values of the page's function?"""
    return not any(apart(answered(ask, s, numpy)[0], s.values, seen.values).any() for s in found)


def same_slopes(ask: Ask, found: Sequence[Sample], by: Sequence[str], seen: Sight) -> bool:
    """Has it, in every row, the slopes of the page's function by these arguments?"""
    for sample in found:
        _, slopes = answered(ask, sample, False)
        if apart(slopes, sample.slopes, seen.slopes)[:, columns(sample.arguments, by)].any():
            return False
    return bool(found)


def columns(arguments: Arguments, by: Collection[str]) -> list[int]:
    """Where the slopes by these arguments stand."""
    out, at = list[int](), 0
    for name, value in arguments.items():
        if value.dtype.kind == "f":
            size = value[0].size
            out += range(at, at + size) if name in by else ()
            at += size
    return out


def without(arguments: Arguments, slopes: Floats, free: Collection[str]) -> Floats:
    """The slopes by all arguments but these."""
    return slopes[:, columns(arguments, arguments.keys() - set(free))] if slopes.shape[1] else slopes


@dataclass(frozen=True, eq=False)
class Search:
    """For the simplest row where a submission and the page's function differ. `by`: the arguments that slopes matter by."""

    ask: Ask
    function: Function
    variables: Mapping[str, Variable]
    by: Sequence[str]
    seen: Sight

    def simplest(self, found: Sequence[Sample]) -> Difference | None:
        """The simplest among these rows, and then a simpler one that is wrong in the same way, as long as there is one."""
        for way in ("matters", "value", "slope"):
            wrong = [row for sample in found for row in self._wrong(sample, way)]
            if wrong:
                return self._difference(self._simpler(min(wrong, key=_size), way), way)
        return None

    def _simpler(self, row: Arguments, way: str) -> Arguments:
        rng = np.random.default_rng(0)
        for _ in range(STEPS):
            candidates = [c for c in _simpler(row, self.variables) if _size(c) < _size(row)][:MOST]
            if not candidates:
                break
            try:
                sample = self.function.sample({k: np.concatenate([c[k] for c in candidates]) for k in row}, rng)
                left = [c for c in self._wrong(sample, way) if np.isfinite(self.function.values(self.function.slot, c)).all()]
            except Exception:  # a candidate that one of the two does not take
                break
            if not left:
                break
            row = min(left, key=_size)
        return row

    def _wrong(self, sample: Sample, way: str) -> list[Arguments]:
        """The rows where they differ in a slope that matters, in the value, or in any slope; not where the right one is
        undefined. Slopes are of functions that return one number."""
        values, slopes = answered(self.ask, sample, self.function.numpy)
        differ = apart(values, sample.values, self.seen.values)
        if way != "value":
            names = self.by if way == "matters" else sample.arguments
            single = sample.values.shape[1] == 1 and not self.function.numpy
            at = columns(sample.arguments, names) if single else []
            differ = (apart(slopes, sample.slopes, self.seen.slopes) & np.isfinite(sample.slopes))[:, at]
        rows = np.flatnonzero(differ.any(axis=1) & ~np.isnan(sample.values).any(axis=1))
        return [{k: v[i : i + 1] for k, v in sample.arguments.items()} for i in rows]

    def _difference(self, row: Arguments, way: str) -> Difference:
        one = self.function.sample(row, np.random.default_rng(0))
        shown = {k: v[0] for k, v in row.items()}
        for name, right, mine in self._slopes(row, np.ones_like(one.weights)) if way != "value" else ():
            if (name in self.by or way == "slope") and apart(mine, right, self.seen.slopes).any():
                return Difference(shown, right, mine, name)
        values, _ = answered(self.ask, one, self.function.numpy)
        return Difference(shown, one.values[0], values[0])

    def _slopes(self, row: Arguments, weights: Floats) -> list[tuple[str, Floats, Floats]]:
        """By each argument: what is right, and what they have."""
        mine = self.ask("slopes", row, "float64", weights).numbers[0]
        right = self.function.slopes(self.function.slot, row, weights)[0]
        places = [(name, columns(row, [name])) for name, value in row.items() if value.dtype.kind == "f"]
        return [(name, right[at], mine[at]) for name, at in places]


def _size(row: Arguments) -> float:
    """How hard a row is to copy: digits first, then magnitude."""
    x = np.concatenate([v.ravel().astype(float) for v in row.values()]) if row else np.zeros(0)
    return float(sum(len(f"{v:.12g}") for v in x) + 0.01 * np.abs(np.where(np.isfinite(x), x, 0)).sum())


def _simpler(row: Arguments, variables: Mapping[str, Variable]) -> Iterator[Arguments]:
    for name, value in row.items():
        variable = variables.get(name)
        if variable is not None and variable.shape == value.shape[1:]:
            exact = each(rational, np.asarray(value[0], dtype=object).reshape(variable.shape))
            for candidate in variable.over.simpler(exact):
                yield {**row, name: np.asarray(each(image, candidate), float).reshape(value.shape)}
        elif value.dtype.kind == "f":
            yield from ({**row, name: np.round(value * scale) / scale} for scale in (1, 2))
