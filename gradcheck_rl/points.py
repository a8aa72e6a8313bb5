"""Points: numbers for the variables of a problem, exact and as the float64 that code receives, many at once."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from flint import fmpq

from . import own
from .errors import ProblemError, did_you_mean
from .estimate import Floats
from .expressions import number
from .rings import each, image, rational
from .spaces import LISTED, Simplex, exact_array, notable, positive, show
from .symbols import Variable, plain

MOST_NUMBERS = 2 * 10**7  # of all points together


class Point:
    """Given data: exact numbers for some variables, by name. 0.2 means one fifth, as on a page."""

    def __init__(self, **values: Any) -> None:
        self.values: dict[str, Any] = values

    def but(self, **values: Any) -> Point:
        """The same data but for these."""
        return Point(**(self.values | values))

    def exact(self, variable: Variable) -> Any:
        given = exact_array(plain(self.values[variable.name]), variable.shape, variable.name)
        try:
            found = each(_exact, given)
        except ProblemError as error:
            raise ProblemError(f"the point's `{variable.name}`: {error}") from error
        if any(math.isnan(image(x)) for x in found.flat):
            raise ProblemError(f"the point's `{variable.name}` is not a number: write one, as 2, 0.2 or Rational(1, 3).")
        return found

    def __repr__(self) -> str:
        return f"Point({', '.join(f'{k}={v}' for k, v in self.values.items())})"


def _exact(x: Any) -> Any:
    if isinstance(x, sp.Basic) and x.free_symbols:
        raise ProblemError(f"{x} is a formula, and a number was expected: write it as 2, 0.2 or Rational(1, 3).")
    return number(x) if isinstance(x, sp.Basic) else rational(x)


@dataclass(frozen=True, eq=False)
class Points:
    """A batch: exact arrays (B, *shape) for each variable. `source`: the points that these are the `image` of."""

    variables: Mapping[str, Variable]
    exact: Mapping[str, Any]
    size: int
    given: bool = False
    source: Points | None = None

    @staticmethod
    def of(variables: Mapping[str, Variable], floats: Mapping[str, Floats]) -> Points:
        """Measured data: floats (B, *shape), as the exact fractions they are."""
        return Points(variables, {k: _rational_of(v) for k, v in floats.items()}, len(next(iter(floats.values()))))

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"Points({', '.join(f'{k}={show(v)}' for k, v in self.exact.items())})"

    @cached_property
    def floats(self) -> dict[str, Floats]:
        found = {k: each(image, v).astype(float) for k, v in self.exact.items()}
        for x in found.values():
            x.setflags(write=False)  # it is shared
        return found

    @cached_property
    def rows(self) -> list[dict[Any, Any]]:
        """One {symbol: exact number} for each point."""
        flat = {k: (self.variables[k].atoms.ravel(), v.reshape(self.size, -1)) for k, v in self.exact.items()}
        return [
            {a: x for atoms, values in flat.values() for a, x in zip(atoms, values[b], strict=True)} for b in range(self.size)
        ]

    @cached_property
    def columns(self) -> dict[Any, Floats]:
        """{symbol: float64 array over the points}."""
        return {
            a: v.reshape(self.size, -1)[:, i]
            for k, v in self.floats.items()
            for i, a in enumerate(self.variables[k].atoms.ravel())
        }

    def image(self) -> Points:
        """The same points at the numbers that code receives: rounding its input is then nobody's error."""
        exact = {k: _rational_of(v) for k, v in self.floats.items()}
        return Points(self.variables, exact, self.size, self.given, self.unrounded)

    @property
    def unrounded(self) -> Points:
        """The points as they were drawn or given, in numbers that read well."""
        return self.source or self

    def take(self, keep: Sequence[int]) -> Points:
        exact = {k: v[list(keep)] for k, v in self.exact.items()}
        return Points(self.variables, exact, len(keep), self.given, self.source and self.source.take(keep))

    def with_(self, name: str, values: Any) -> Points:
        return Points(self.variables, {**self.exact, name: values}, len(values), self.given)

    def witness(self, at: int, names: Sequence[str]) -> dict[str, Any]:
        exact = self.unrounded.exact
        return {k: show(np.asarray(exact[k][at], dtype=object)) for k in names if k in exact}


def _rational_of(values: Floats) -> Any:
    """Floats as the exact binary fractions they are, what is not finite as it is."""
    return each(lambda x: fmpq(*float(x).as_integer_ratio()) if math.isfinite(x) else rational(x), values)


def stack(points: Sequence[Points]) -> Points:
    first = points[0]
    return Points(
        first.variables,
        {k: np.concatenate([p.exact[k] for p in points]) for k in first.exact},
        sum(p.size for p in points),
        first.given,
    )


def generator(seed: int, *names: str) -> np.random.Generator:
    """Randomness from a seed and names, never from a position."""
    return np.random.default_rng([seed, *(zlib.crc32(n.encode()) for n in names)])


def drawn(variables: Mapping[str, Variable], corners: Sequence[Point], count: int, seed: int, name: str) -> Points:
    """Corners first, what they leave open drawn; then `count` draws."""
    numbers = max(1, sum(v.atoms.size for v in variables.values()))
    if count * numbers > MOST_NUMBERS:
        most = max(1, MOST_NUMBERS // numbers)
        raise ProblemError(f"{count} points of {numbers} numbers each are too many to hold: write points={most} or fewer.")
    rng = generator(seed, name, "points")
    rows: list[dict[str, Any]] = []
    for corner in [*corners, *([Point()] * count)]:
        rows.append({k: corner.exact(v) if k in corner.values else own.drawn(v.over, rng, v.shape) for k, v in variables.items()})
    return Points(variables, {k: np.stack([r[k] for r in rows]) for k in variables}, len(rows))


def covering(
    variables: Mapping[str, Variable], corners: Sequence[Point], count: int, seed: int, name: str, more: bool = True
) -> Points:
    """The same, but that draws, and `more` where they are too few, have what the corners lack of the few values, or the ends, of
    spaces that list them: of all variables together whose few values are all and few together too, else of each. What is false
    at one mask alone shows there. Chance says which draw has which, so that no variable is in step with another; half as many
    draws as are asked for have no ends, so that what is true of these alone shows too."""
    points, first, plain = drawn(variables, corners, count, seed, name), len(corners), (count + 1) // 2
    wholes, ends = _lacking(variables, points, first)
    least = max([count, *map(len, wholes), *(len(part) + plain for part in ends)])
    if more and least > count:
        points = drawn(variables, corners, least, seed, name)
    size, rng = len(points) - first, generator(seed, name, "listed")
    front = size - plain
    for part, room in [*((part, size) for part in wholes), *((part[:front], front) for part in ends)]:
        for b, n in enumerate(rng.permutation(max(room, len(part)))[:room], start=first):
            for k, value in part[n].items() if n < len(part) else ():
                points.exact[k][b, ...] = value
    return points


Part = list[dict[str, Any]]


def _lacking(variables: Mapping[str, Variable], points: Points, count: int) -> tuple[list[Part], list[Part]]:
    """What the first of these points lack: of variables whose values are few, and of others."""
    found = {k: notable(v.over, v.shape) for k, v in variables.items()}
    every = {k: listed for k, (listed, whole) in found.items() if whole}
    ends = {k: listed for k, (listed, whole) in found.items() if listed and not whole}
    together = math.prod(map(len, every.values())) <= LISTED

    def of(names: Sequence[str], listed: Mapping[str, Any]) -> Part:
        rows = (dict(zip(names, values, strict=True)) for values in itertools.product(*(listed[k] for k in names)))
        return [row for row in rows if not any(has_row(points, b, row) for b in range(count))]

    return [of(names, every) for names in ([list(every)] if together else [[k] for k in every])], [of([k], ends) for k in ends]


def lacking(variables: Mapping[str, Variable], points: Points) -> list[Part]:
    """What the points lack of variables whose values are few."""
    return [part for part in _lacking(variables, points, len(points))[0] if part]


def has_row(points: Points, b: int, row: Mapping[str, Any]) -> bool:
    return all(np.array_equal(points.exact[k][b], x) for k, x in row.items())


def given(variables: Mapping[str, Variable], point: Point, needed: Sequence[str]) -> Points:
    if lacking := [f"{k}=..." for k in needed if k not in point.values]:
        raise ProblemError(f"the point has {', '.join(point.values) or 'nothing'}: write {', '.join(lacking)} in it too.")
    return Points(variables, {k: point.exact(variables[k])[None] for k in point.values if k in variables}, 1, given=True)


def check_names(point: Point, variables: Mapping[str, Variable], where: str) -> None:
    for k in point.values:
        if k not in variables:
            raise ProblemError(f"{where} gives `{k}`; this problem has {', '.join(variables)}.{did_you_mean(k, variables)}")
        _fits(variables[k], point.exact(variables[k]), where)


def _fits(variable: Variable, value: Any, where: str) -> None:
    """What the model assumes of a variable, given data must fulfil; otherwise a formula and code are about different numbers."""
    if isinstance(variable.over, Simplex) and any(abs(image(sum(row)) - 1) > 1e-9 for row in value.reshape(-1, value.shape[-1])):
        raise ProblemError(f"{where} gives `{variable.name}` probabilities that do not sum to 1: {show(value)}.")
    if positive(variable.over) and not all(image(x) > 0 for x in value.flat):
        raise ProblemError(f"{where} gives `{variable.name}` = {show(value)}: by {variable.over} it is positive.")


def simpler(points: Points, names: Sequence[str]) -> Iterator[Points]:
    """Single changes of one point towards simpler values, simplest first."""
    for k in names:
        variable = points.variables[k]
        for value in own.simpler(variable.over, points.exact[k].reshape(variable.shape)):
            yield points.with_(k, value[None])
