"""Where the values of a variable come from: draws that are easy to read, and an order from simple to less simple.

A draw is an array of exact numbers: short decimals, sixty-fourths, logarithms of small fractions. Degenerate values hide
mistakes (equal logits, sigma = 1), so a space draws generic ones; the simple ones are what a failing point is shrunk to.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from numbers import Rational
from typing import Any, Protocol

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from .errors import ProblemError
from .rings import each, image, log_of, rational, written

Shape = tuple[int, ...]
Options = Callable[[Any], Iterable[Any]]

LARGEST, SMALLEST = 1e300, 1e-300  # beyond, the digits of a draw leave float64
WHOLE = 2**63  # beyond, no whole number is drawn
BLOCK = 8  # entries that are worth a try at once
SIMPLE = tuple(fmpq(n) for n in (0, 1, -1, 2, -2))
FEW = 4  # whole numbers that are tried one after the other
LISTED = 16  # values of one variable, or of several together, that are each tried


class Space(Protocol):
    """Draws arrays of exact numbers, and proposes simpler values for one of them, simplest first. One that has few values, or
    ends, lists them, `notable`, and says how many values it has, or some number above LISTED: `variety`."""

    def draw(self, rng: np.random.Generator, shape: Shape) -> NDArray[Any]: ...
    def simpler(self, value: NDArray[Any]) -> Iterator[NDArray[Any]]: ...
    def holds(self, value: NDArray[Any]) -> bool: ...


def _number(x: Any, space: str) -> Any:
    """A bound or a spread; a constant such as pi by its float64."""
    if isinstance(x, (float, Rational)):
        return x
    if not isinstance(x, str):
        with suppress(TypeError, ValueError, OverflowError):
            return float(x)
    raise ProblemError(f"{space} takes numbers, and {x!r} is none: write them as 2 or 0.5.")


def _whole(x: Any, space: str) -> int:
    try:
        return operator.index(x)
    except TypeError as error:
        raise ProblemError(f"{space} takes whole numbers, and {x!r} is none: write one, as 2.") from error


def _places(width: float) -> int:
    """How many decimals: three, or more where the values are close to each other."""
    return max(3, 2 - math.floor(math.log10(width)))


def _decimals(x: NDArray[np.float64], places: int) -> NDArray[Any]:
    scale = 10**places
    return each(lambda v: fmpq(round(float(v) * scale), scale), x)


def _one_by_one(value: NDArray[Any], options: Options) -> Iterator[NDArray[Any]]:
    """Every array that differs from `value` in one entry by one of that entry's simpler options. Before them, blocks."""
    yield from _in_blocks(value, options)
    for at in np.ndindex(*value.shape):
        for simple in options(value[at]):
            out = value.copy()
            out[at] = simple
            yield out


def _in_blocks(value: NDArray[Any], options: Options) -> Iterator[NDArray[Any]]:
    """All entries of a long array at their simplest, or next to simplest, then halves of it, quarters and so on."""
    size = value.size
    if size < 2 * BLOCK:
        return
    simplest = [list(itertools.islice(options(x), 2)) for x in value.flat]
    while size >= BLOCK:
        for start in range(0, value.size, size):
            for k in (0, 1):
                moved = {at: found[k] for at, found in enumerate(simplest[start : start + size], start) if len(found) > k}
                if moved:
                    out = value.copy()
                    for at, simple in moved.items():
                        out.flat[at] = simple
                    yield out
        size //= 2


def _simple_numbers(x: Any) -> Iterator[Any]:
    """0, 1, -1, 2, -2, the nearest integer, half, tenth and hundredth, while simpler than x."""
    for y in SIMPLE:
        if y == x:
            return
        yield y
    near = image(x)
    close = [fmpq(round(near * n), n) for n in (1, 2, 10, 100)] if math.isfinite(100 * near) else []
    for y in dict.fromkeys(close):
        if y == x:
            return
        if y not in SIMPLE:
            yield y


def _cells(values: Any, name: str) -> NDArray[Any]:
    try:
        return np.array(values, dtype=object)
    except ValueError as error:
        raise ProblemError(f"{name} has rows of unequal length: write as many numbers in each.") from error


def _exact(values: Any, name: str) -> NDArray[Any]:
    """A number or nested lists of numbers, as a person wrote them."""
    cells = _cells(values, name)
    try:
        return each(rational, cells)
    except ProblemError as error:
        raise ProblemError(f"{name}: {error}") from error


def filled(cells: Iterable[Any], shape: Shape) -> NDArray[Any]:
    """An array of this shape with these in it, one after the other."""
    return np.fromiter(cells, dtype=object, count=math.prod(shape)).reshape(shape)


def _arrays(numbers: Iterable[Any], shape: Shape) -> Iterator[NDArray[Any]]:
    """Every array of these numbers."""
    return (filled(cells, shape) for cells in itertools.product(numbers, repeat=math.prod(shape)))


def _all_alike(numbers: Iterable[Any], shape: Shape) -> Iterator[NDArray[Any]]:
    """For each number the array that has it in all entries."""
    return (filled([n] * math.prod(shape), shape) for n in numbers)


def _power(n: int, times: int) -> int:
    """n to this power, or some number above LISTED."""
    return n ** min(times, LISTED)


def _before(x: Any, order: list[Any]) -> list[Any]:
    """What is simpler than x in this order; all of it, where x is not in it."""
    return order[: order.index(x)] if x in order else order


@dataclass(frozen=True)
class Normal:
    """Around zero, spread `scale`, to three decimals, or more where the spread is small, never zero."""

    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", _number(self.scale, f"Normal({self.scale})"))
        if not 0 < self.scale < math.inf:
            raise ProblemError(f"Normal({self.scale}) has no spread: write a positive number.")
        if not SMALLEST <= self.scale <= LARGEST:
            raise ProblemError(f"Normal({self.scale}) leaves float64: write a spread from {SMALLEST} to {LARGEST}.")

    def draw(self, rng: np.random.Generator, shape: Shape) -> NDArray[Any]:
        places = _places(self.scale)
        return each(lambda x: x if x != 0 else fmpq(1, 10**places), _decimals(rng.normal(0, self.scale, shape), places))

    def simpler(self, value: NDArray[Any]) -> Iterator[NDArray[Any]]:
        return _one_by_one(value, _simple_numbers)

    def holds(self, value: NDArray[Any]) -> bool:
        return True


@dataclass(frozen=True)
class Uniform:
    """Between two bounds, to three decimals, or more where the bounds are close."""

    low: float
    high: float

    def __post_init__(self) -> None:
        space = f"Uniform({self.low}, {self.high})"
        for end, bound in (("low", self.low), ("high", self.high)):
            object.__setattr__(self, end, _number(bound, space))
        if not self.low < self.high:
            raise ProblemError(f"{space} is empty: write the smaller bound first.")
        if math.inf in (-self.low, self.high):
            raise ProblemError(f"{space} has no end: write two numbers, or Normal(scale).")
        if max(-self.low, self.high) > LARGEST or self.high - self.low < SMALLEST:
            raise ProblemError(f"{space} leaves float64: write bounds within {LARGEST}, and at least {SMALLEST} apart.")

    def draw(self, rng: np.random.Generator, shape: Shape) -> NDArray[Any]:
        places = _places(self.high - self.low)
        low, high = (rational(bound) * 10**places for bound in (self.low, self.high))
        drawn = _decimals(rng.uniform(self.low, self.high, shape), places)
        return each(lambda x: min(max(x, fmpq(low.ceil(), 10**places)), fmpq(high.floor(), 10**places)), drawn)

    def simpler(self, value: NDArray[Any]) -> Iterator[NDArray[Any]]:
        return _one_by_one(value, lambda x: (y for y in _simple_numbers(x) if self.low <= image(y) <= self.high))

    def holds(self, value: NDArray[Any]) -> bool:
        return all(self.low <= image(x) <= self.high for x in value.flat)


@dataclass(frozen=True)
class Integers:
    """Whole numbers from low to high, both included."""

    low: int
    high: int

    def __post_init__(self) -> None:
        space = f"Integers({self.low}, {self.high})"
        for end, bound in (("low", self.low), ("high", self.high)):
            object.__setattr__(self, end, _whole(bound, space))
        if self.low > self.high:
            raise ProblemError(f"{space} is empty: write the smaller bound first.")
        if not -WHOLE <= self.low <= self.high < WHOLE:
            raise ProblemError(f"{space} is too wide: write bounds from -2**63 to 2**63 - 1.")

    def draw(self, rng: np.random.Generator, shape: Shape) -> NDArray[Any]:
        return each(rational, rng.integers(self.low, self.high + 1, shape))

    def notable(self, shape: Shape) -> Iterator[NDArray[Any]]:
        """All that can be drawn, if that is little, else its ends in all entries."""
        if self.variety(shape) <= LISTED:
            return _arrays(map(fmpq, range(self.low, self.high + 1)), shape)
        return _all_alike(map(fmpq, (self.low, self.high)), shape)

    def variety(self, shape: Shape) -> int:
        return _power(self.high - self.low + 1, math.prod(shape))

    def simpler(self, value: NDArray[Any]) -> Iterator[NDArray[Any]]:
        return _one_by_one(value, self._closer)

    def _closer(self, x: Any) -> Iterator[Any]:
        """The few numbers closest to zero; then half the way from there to x, three quarters, and so on to its neighbour."""
        start = min(max(0, self.low), self.high)
        near = sorted(range(max(self.low, start - FEW), min(self.high, start + FEW) + 1), key=lambda n: (abs(n), n < 0))
        way = int(x.p) - start if isinstance(x, fmpq) and x.q == 1 else 0
        back = [abs(way) >> k for k in range(1, abs(way).bit_length())]
        for n in [*near, *(start + way - (step if way > 0 else -step) for step in back)]:
            if n == x:
                return
            if self.low <= n <= self.high:
                yield fmpq(n)

    def holds(self, value: NDArray[Any]) -> bool:
        return all(isinstance(x, fmpq) and x.q == 1 and self.low <= x <= self.high for x in value.flat)


@dataclass(frozen=True)
class LogRational:
    """Logarithms of fractions p/q with p, q <= top: softmax and sigmoid of them are rational."""

    top: int = 6

    def __post_init__(self) -> None:
        space = f"LogRational({self.top})"
        object.__setattr__(self, "top", _whole(self.top, space))
        if not 2 <= self.top < WHOLE:
            raise ProblemError(f"{space} has no fractions to draw from: write a whole number from 2 to 2**63 - 1.")

    def draw(self, rng: np.random.Generator, shape: Shape) -> NDArray[Any]:
        p, q = rng.integers(1, self.top + 1, (2, *shape))
        return each(lambda a, b: log_of(fmpq(int(a), int(b))), p, q)

    def simpler(self, value: NDArray[Any]) -> Iterator[NDArray[Any]]:
        order = [log_of(fmpq(*pq)) for pq in ((1, 1), (2, 1), (1, 2), (3, 1), (1, 3))]
        return _one_by_one(value, lambda x: _before(x, order))

    def holds(self, value: NDArray[Any]) -> bool:
        return True


@dataclass(frozen=True)
class Simplex:
    """Probabilities along the last axis, in sixty-fourths, or smaller parts where they are many, none of them zero.

    The last entry is 1 minus the others in the model too: true identities need it.
    """

    @staticmethod
    def parts(n: int) -> int:
        """Into how many equal parts 1 is cut for so many probabilities: more than twice as many."""
        return max(64, 2 ** (2 * n).bit_length())

    def draw(self, rng: np.random.Generator, shape: Shape) -> NDArray[Any]:
        *outer, n = shape
        parts = self.parts(n)
        cuts = [[0, *np.sort(rng.choice(parts - 1, n - 1, replace=False)) + 1, parts] for _ in range(math.prod(outer))]
        return each(lambda c: fmpq(int(c), parts), np.diff(cuts)).reshape(shape)

    def rare(self, rng: np.random.Generator, shape: Shape, nth: int, sign: int) -> NDArray[Any]:
        """Draws that are nearer to a corner the later they come."""
        corners = each(rational, np.eye(shape[-1], dtype=int)[rng.integers(shape[-1], size=shape[:-1])])
        return corners + (self.draw(rng, shape) - corners) * fmpq(1, 16**nth)

    def simpler(self, value: NDArray[Any]) -> Iterator[NDArray[Any]]:
        n = value.shape[-1]
        order = [[fmpq(1, n)] * n, [fmpq(1)] + [fmpq(0)] * (n - 1)]
        for at in np.ndindex(*value.shape[:-1]):
            for simple in _before(list(value[at]), order):
                out = value.copy()
                out[at] = simple
                yield out

    def holds(self, value: NDArray[Any]) -> bool:
        return all(x >= 0 for x in value.flat) and all(image(sum(row)) == 1 for row in value.reshape(-1, value.shape[-1]))


@dataclass(frozen=True, init=False)
class OneOf:
    """One of the listed values, simplest first: numbers, of which each entry takes one, or arrays of the variable's shape."""

    choices: tuple[Any, ...]

    def __init__(self, *choices: Any) -> None:
        if len(choices) == 1 and isinstance(choices[0], (tuple, list)):
            choices = tuple(choices[0])
        if not choices:
            raise ProblemError("OneOf() is empty: write the values to choose from, simplest first.")
        for c in choices:
            if isinstance(c, str):
                raise ProblemError(f"OneOf({c!r}) is text: write numbers, or arrays of them.")
            if any(math.isnan(image(x)) for x in _exact(c, f"OneOf({c})").flat):
                raise ProblemError(f"OneOf has the choice {c}, which is not a number: write numbers, or arrays of them.")
        object.__setattr__(self, "choices", choices)

    @property
    def numbers(self) -> list[Any] | None:
        """The choices of each entry; None where a choice is of all entries together."""
        cells = [_exact(c, f"OneOf({c})") for c in self.choices]
        return [c[()] for c in cells] if all(c.shape == () for c in cells) else None

    def arrays(self, shape: Shape) -> Iterator[NDArray[Any]]:
        """All that can be drawn."""
        numbers = self.numbers
        if numbers is not None:
            yield from _arrays(numbers, shape)
            return
        cells = [_exact(c, f"OneOf({c})") for c in self.choices]
        for wrong in (c.shape for c in cells if c.shape not in ((), shape)):
            raise ProblemError(f"OneOf has a choice of shape {wrong} for a variable of shape {shape}: write it in that.")
        yield from (np.broadcast_to(c, shape).copy() for c in cells)

    def draw(self, rng: np.random.Generator, shape: Shape) -> NDArray[Any]:
        numbers = self.numbers
        if numbers is not None:
            return filled([numbers[int(n)] for n in rng.integers(len(numbers), size=math.prod(shape))], shape)
        return list(self.arrays(shape))[int(rng.integers(len(self.choices)))]

    def notable(self, shape: Shape) -> Iterator[NDArray[Any]]:
        """All that can be drawn, if that is little, else each choice in all entries."""
        numbers = self.numbers
        return self.arrays(shape) if numbers is None or self.variety(shape) <= LISTED else _all_alike(numbers, shape)

    def variety(self, shape: Shape) -> int:
        return len(self.choices) if self.numbers is None else _power(len(self.choices), math.prod(shape))

    def rare(self, rng: np.random.Generator, shape: Shape, nth: int, sign: int) -> NDArray[Any]:
        """One choice after the other, in all entries, and draws beside them."""
        if sign == 0:
            return self.draw(rng, shape)
        choice = self.choices[(2 * nth + (sign > 0)) % len(self.choices)]
        return np.broadcast_to(_exact(choice, f"OneOf({choice})"), shape).copy()

    def simpler(self, value: NDArray[Any]) -> Iterator[NDArray[Any]]:
        numbers = self.numbers
        if numbers is not None:
            return _one_by_one(value, lambda x: _before(x, numbers))
        return itertools.takewhile(lambda choice: not np.array_equal(choice, value), self.arrays(value.shape))

    def holds(self, value: NDArray[Any]) -> bool:
        numbers = self.numbers
        if numbers is not None:
            return all(x in numbers for x in value.flat)
        return any(np.array_equal(choice, value) for choice in self.arrays(value.shape))


@dataclass(frozen=True)
class Masks:
    """0s and 1s along the last axis, at least one 1 in each row."""

    def draw(self, rng: np.random.Generator, shape: Shape) -> NDArray[Any]:
        mask = rng.integers(0, 2, shape)
        keep = rng.integers(0, shape[-1], shape[:-1])
        np.put_along_axis(mask, np.asarray(keep)[..., None], 1, axis=-1)
        return each(rational, mask)

    def notable(self, shape: Shape) -> Iterator[NDArray[Any]]:
        """All that can be drawn, if that is little, else the same in every row: all 1s, a single one, a single 0, then more."""
        n, outer = shape[-1], math.prod(shape[:-1])
        zeros = dict.fromkeys((0, n - 1, *range(1, n - 1)))
        rows = ([fmpq(i not in off) for i in range(n)] for z in zeros for off in itertools.combinations(range(n), z))
        chosen = itertools.product(rows, repeat=outer) if self.variety(shape) <= LISTED else ([row] * outer for row in rows)
        return (filled(itertools.chain(*cells), shape) for cells in chosen)

    def variety(self, shape: Shape) -> int:
        return _power(_power(2, shape[-1]) - 1, math.prod(shape[:-1]))

    def rare(self, rng: np.random.Generator, shape: Shape, nth: int, sign: int) -> NDArray[Any]:
        """All 1s, a single one in each row, or any number of them, each as likely."""
        ones = {1: shape[-1], -1: 1, 0: rng.integers(1, shape[-1] + 1, (*shape[:-1], 1))}[sign]
        order = rng.permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1)
        return each(rational, (order < ones).astype(int))

    def simpler(self, value: NDArray[Any]) -> Iterator[NDArray[Any]]:
        return _one_by_one(value, lambda x: [fmpq(1)] if x == 0 else [])

    def holds(self, value: NDArray[Any]) -> bool:
        return all(x in (0, 1) for x in value.flat) and bool((value != 0).any(-1).all())


def exact_array(values: Any, shape: Shape, name: str) -> NDArray[Any]:
    """What a person wrote for a variable, as an array of its shape."""
    given = _cells(values, f"`{name}`")
    if given.shape not in ((), shape):
        wanted = f"Write {math.prod(shape)} numbers in that shape."
        raise ProblemError(f"`{name}` has shape {shape}; the point gives {given.shape}. {wanted}")
    return np.broadcast_to(given, shape)


def show(values: NDArray[Any]) -> Any:
    """Nested lists of readable numbers."""
    if values.shape == ():
        return written(values[()])
    return [show(np.asarray(v, dtype=object)) for v in values]


def notable(space: Any, shape: Shape) -> tuple[list[NDArray[Any]], bool]:
    """The few values of a space, or its ends, and whether they are all; none of one that lists none."""
    if not hasattr(space, "notable"):
        return [], False
    return list(itertools.islice(space.notable(shape), LISTED)), space.variety(shape) <= LISTED


def positive(space: Space) -> bool:
    return isinstance(space, Uniform) and space.low > 0
