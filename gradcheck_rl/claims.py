"""Relations between quantities, and the sentences built on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import Any, NoReturn

import numpy as np

from .bundles import Bundle
from .errors import ProblemError
from .estimate import Estimate, Floats
from .laws import Draw
from .points import Point
from .quantities import Covariance, Hull, Quantity, quantity, shown, slots
from .rings import each
from .symbols import crossed

COARSEST = 0.05


class Relation:
    """What is stated of two quantities. `excess` is how far it fails in each coordinate: beyond the slack, it is refuted."""

    def __init__(self, left: Any, right: Any) -> None:
        self.left: Quantity = quantity(left)
        self.right: Quantity = quantity(right)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(shown, self.sides))})"

    def __bool__(self) -> NoReturn:
        raise ProblemError("a relation is not true or false before it is checked: write a claim for each, not `and` or `if`.")

    @property
    def sides(self) -> tuple[Quantity, ...]:
        return self.left, self.right

    def excess(self, a: Estimate, b: Estimate) -> Floats:
        return _gap(a, b)

    def slack(self, a: Estimate, b: Estimate) -> Floats:
        """What the radii leave open: of balls, the radius of their difference, not the rounding of each to a float."""
        return a.radius + b.radius if a.exact is None or b.exact is None else (a - b).radius


def _gap(a: Estimate, b: Estimate) -> Floats:
    """|a - b|, in exact arithmetic where there is any: two fractions may share their float image."""
    with np.errstate(all="ignore"):
        difference = a - b if a.exact is not None and b.exact is not None else None
        if difference is None:
            return np.abs(a.value - b.value)
        inside = each(contains_zero, difference.exact).astype(bool)
        return np.where(inside, 0.0, np.maximum(np.abs(difference.value), np.nextafter(a.radius + b.radius, np.inf)))


def contains_zero(x: Any) -> bool:
    return bool(x.contains(0)) and x.mid().is_finite() if hasattr(x, "contains") else bool(x == 0)  # NaN contains every number


class Equal(Relation):
    """Equal in every coordinate."""


class AtMost(Relation):
    """The left side is no larger than the right."""

    def excess(self, a: Estimate, b: Estimate) -> Floats:
        with np.errstate(all="ignore"):
            larger = (a - b).value > 0 if a.exact is not None and b.exact is not None else a.value > b.value
            return np.where(larger, _gap(a, b), a.value - b.value)


class Differs(Relation):
    """At every point some coordinate differs, by more than the resolution."""


class Within(Relation):
    """The left side lies in the set on the right: a Hull, or a pair of bounds. The set's width is no uncertainty."""

    def __init__(self, left: Any, right: Any) -> None:
        pair = isinstance(right, tuple) and len(right) == 2
        self.bounds: tuple[AtMost, AtMost] | None = (AtMost(right[0], left), AtMost(left, right[1])) if pair else None
        super().__init__(left, right[1] if pair else right)
        if not pair and not isinstance(self.right, Hull):
            raise ProblemError("Within needs a set on its right: write Hull(Gradient(L)) or a pair (low, high).")
        if pair and crossed(*right):
            raise ProblemError(f"{self!r} has its lower bound above the upper one: write (low, high).")

    def __repr__(self) -> str:
        left, *inside = map(shown, self.sides)
        right = ", ".join(inside)
        return f"Within({left}, {right if self.bounds is None else f'({right})'})"

    @property
    def sides(self) -> tuple[Quantity, ...]:
        return (self.left, self.right) if self.bounds is None else (self.left, self.bounds[0].left, self.right)

    def excess(self, a: Estimate, b: Estimate) -> Floats:
        return np.abs(a.value - b.value)


class Raises:
    """Calling the function raises this error, at every point that the claim is about."""

    sides: tuple[Quantity, ...] = ()

    def __init__(self, function: Callable[..., Any], error: type[BaseException]) -> None:
        right = isinstance(error, type) and issubclass(error, BaseException) and callable(function)
        if not right or isinstance(function, type):
            raise ProblemError(
                f"Raises({shown(function)}, {shown(error)}): write the function and then the error, Raises(f, ValueError)."
            )
        self.function, self.error = function, error

    def __repr__(self) -> str:
        return f"Raises({shown(self.function)}, {getattr(self.error, '__name__', self.error)})"


That = Relation | Raises


def _texts(item: Claim | Mistake, noun: str) -> None:
    for name, text in {"says": item.says, "source": item.source}.items():
        if not isinstance(text, str):
            raise ProblemError(f"{name}={text!r} of a {noun} is {type(text).__name__}: write text, in quotes.")


@dataclass(frozen=True, eq=False)
class Claim:
    """One true sentence. `at` is the data on the page; without it the claim is about every point, or those where `where` holds.

    `by` names the routes that must answer; by default the tool chooses. `resolution` is how small an error must be visible:
    a part of what is above 1, and of all that code returns where none of it is.
    """

    says: str
    that: That
    at: Point | None = None
    where: Relation | None = None
    by: str | tuple[str, ...] | None = None
    source: str = ""
    resolution: float = 1e-6

    def __post_init__(self) -> None:
        _texts(self, "claim")
        if not isinstance(self.that, (Relation, Raises)):
            raise ProblemError(
                f"{self.says!r} states {type(self.that).__name__}: write Equal(a, b), AtMost, Differs, Within or Raises."
            )
        if self.where is not None and not isinstance(self.where, Relation):
            given = "several relations" if isinstance(self.where, (tuple, list)) else shown(self.where)
            wanted = "where=Equal(a, b), AtMost or Differs; for both of two, where=Equal((a, b), (c, d))"
            raise ProblemError(f"{self.says!r}: write {wanted}. It has where={given}.")
        if not all(isinstance(route, str) for route in self.routes):
            raise ProblemError(f"{self.says!r} has by={self.by!r}: write the name of a way, as in by='listed', or several.")
        if not isinstance(self.resolution, Real) or not 0 < self.resolution <= COARSEST:
            raise ProblemError(f"{self.says!r} has resolution={self.resolution!r}: write a number above 0 and up to {COARSEST}.")
        object.__setattr__(self, "resolution", float(self.resolution))
        if self.at is not None and not isinstance(self.at, Point):
            raise ProblemError(f"{self.says!r} has at={self.at!r}: write at=Point(theta=(...), ...).")

    @property
    def routes(self) -> tuple[str, ...]:
        return tuple(self.by or ()) if isinstance(self.by, (tuple, list)) or self.by is None else (self.by,)

    def without(self, route: str) -> Claim | None:
        """The claim by its other routes; none is left of one that has no other."""
        left = tuple(r for r in self.routes if r != route)
        return self if len(left) == len(self.routes) else replace(self, by=left) if left else None

    def quantities(self) -> Iterator[tuple[Quantity, Bundle | Draw | None]]:
        """All it is stated of, each with the rows or draws it is averaged over."""
        return (found for side in self.that.sides for found in side.walk())

    def code(self) -> list[Callable[..., Any]]:
        """The functions this claim runs, without those they call."""
        if isinstance(self.that, Raises):
            return [self.that.function]
        return list(dict.fromkeys(f for side in self.that.sides for f in side.code()))

    def reaches(self, answer: Mapping[Callable[..., Any], Any]) -> bool:
        """Does it run a function that the answer replaces?"""
        return any(f in answer for top in self.code() for f in slots(top))


def cost(claim: Claim) -> int:
    """Code at given data comes first, then at every point, then covariances, then formulas, whose identity is to be proved."""
    if not claim.code():
        return 3 if claim.at is not None else 4
    return 2 if any(isinstance(q, Covariance) for q, _ in claim.quantities()) else int(claim.at is None)


@dataclass(frozen=True, eq=False)
class Erratum:
    """Printed somewhere and wrong: `that` must be refuted, and `instead` must hold in the same run."""

    says: str
    that: That
    instead: Claim
    at: Point | None = None
    where: Relation | None = None
    by: str | tuple[str, ...] | None = None
    source: str = ""
    resolution: float = 1e-6

    def __post_init__(self) -> None:
        if not isinstance(self.instead, Claim):
            given = type(self.instead).__name__
            raise ProblemError(f"the erratum {self.says!r} needs instead=..., the claim that is right, and was given {given}.")
        _ = self.stated  # its form is a claim's

    @cached_property
    def stated(self) -> Claim:
        return Claim(self.says, self.that, self.at, self.where, self.by, self.source, self.resolution)


@dataclass(frozen=True, eq=False)
class Mistake:
    """What people get wrong, {function: replacement}, and the claim that must catch it."""

    says: str
    answer: Mapping[Callable[..., Any], Callable[..., Any]] = field(repr=False)
    breaks: Claim
    source: str = ""

    def __post_init__(self) -> None:
        _texts(self, "mistake")
