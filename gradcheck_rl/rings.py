"""Where numbers live: exact ones (rationals, logarithms of rationals, certified balls) and float64 arrays.

A ring is a small object with one method for each operation of a formula. Numbers stay rational while they can: a softmax at
logits log 2, log 3 is a finite sum of fractions, and its witness can be read. Where they cannot, they become balls that
contain the true value. Nothing here raises on 0/0 or log 0: the result is NaN or infinite, and the comparison says so.
"""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, arb, ctx, fmpq
from numpy.typing import NDArray

from .errors import ProblemError, Unsuitable

EPS, TINY = 2.0**-53, 2.0**-1074
BITS = 200
FINE_BITS = 4096  # where a ball is too wide to say whether there is a number, as that of log(1 - tanh(1000)^2) at 200 bits
VAGUE = 1e-9
SMALL = 8  # powers up to it are products in floats, which take a tenth of the time
ctx.prec = BITS
_changing = threading.RLock()

ZERO, ONE = fmpq(0), fmpq(1)


@contextmanager
def of_bits(bits: int) -> Generator[None]:
    """Balls of so many bits within. Their precision belongs to the process: threads that change it wait for each other."""
    with _changing, ctx.workprec(bits):
        yield


class LogOf:
    """log(q) of a positive rational q != 1, kept as such: its exponential and its differences are rational again."""

    __slots__ = ("q",)

    def __init__(self, q: Any) -> None:
        self.q = q

    def ball(self) -> Any:
        return arb(self.q).log()

    def __float__(self) -> float:
        return image(self)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, LogOf):
            return log_of(self.q * other.q)
        return self if other == 0 else self.ball() + other

    __radd__ = __add__

    def __neg__(self) -> Any:
        return LogOf(1 / self.q)

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, LogOf):
            return self.ball() * other.ball()
        times = fmpq(other) if isinstance(other, int) else other
        if isinstance(times, fmpq) and times.q == 1 and abs(times) < 64:
            return log_of(self.q ** int(times.p))
        return self.ball() * other

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self * divide(ONE, other)

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.ball()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LogOf) and bool(self.q == other.q)

    def __hash__(self) -> int:
        return hash(("log", self.q))

    def __abs__(self) -> Any:
        return self if self.q > 1 else -self

    def __lt__(self, other: Any) -> bool:
        return bool(self.ball() < ball(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.ball() > ball(other))

    def __le__(self, other: Any) -> bool:
        return self == other or self < other

    def __ge__(self, other: Any) -> bool:
        return self == other or self > other

    def __repr__(self) -> str:
        return f"log({self.q})"


def log_of(q: Any) -> Any:
    return ZERO if q == 1 else LogOf(q)


def ball(x: Any) -> Any:
    return x.ball() if isinstance(x, LogOf) else arb(x)


def _tied(x: Any) -> bool:
    """Zero, or a ball that cannot be told from it: PPO's two branches are one number on an open set, and either slope will do.

    Where it would not do the point is a kink, and no derivative is taken there.
    """
    return x == 0 or (isinstance(x, arb) and bool(abs(x) < fmpq(1, 2**40)))


def divide(a: Any, b: Any) -> Any:
    return arb.nan() if b == 0 else a / b


def weigh(weight: Any, x: Any) -> Any:
    """The product, where what has weight zero counts for nothing, NaN included."""
    return ZERO if weight == 0 else weight * x


def rational(x: Any) -> Any:
    """An exact number from what a person writes in Python: 0.2 means one fifth, as on the page."""
    if isinstance(x, (fmpq, LogOf, arb)):
        return x
    if isinstance(x, (float, np.floating)):
        if not math.isfinite(x):
            return arb(float(x))
        x = repr(float(x))
    try:
        f = x if isinstance(x, Fraction) else Fraction(int(x) if isinstance(x, (np.integer, np.bool_)) else x)
    except (TypeError, ValueError, ArithmeticError) as error:
        wanted = "a whole number, a decimal or a fraction was expected: write it as 2, 0.2 or Fraction(1, 3)."
        raise ProblemError(f"{repr(x)[:60]} is {type(x).__name__}; {wanted}") from error
    return fmpq(f.numerator, f.denominator)


def binary(x: float) -> Any:
    """The exact number that a float is."""
    return fmpq(*x.as_integer_ratio()) if math.isfinite(x) else arb(x)


def image(x: Any) -> float:
    """The nearest float64, the number that code receives."""
    if not isinstance(x, fmpq):
        return float(ball(x).mid())
    try:
        return int(x.p) / int(x.q)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def is_finite(x: Any) -> bool:
    """Is it a number? exp(800) is one, and its float image is infinite."""
    return not isinstance(x, arb) or bool(x.is_finite())


def blur(x: Any) -> float:
    """A radius around `image(x)` that contains the true value."""
    near = image(x)
    if isinstance(x, fmpq):
        return math.inf if math.isinf(near) else 0.0 if binary(near) == x else EPS * abs(near) + TINY
    b = ball(x)
    if not b.is_finite():
        return 0.0 if math.isinf(near) else math.nan
    return float(b.rad()) * (1 + 4 * EPS) + EPS * abs(near) + (0.0 if b == 0 else TINY)


def written(x: Any) -> str:
    """As a page writes it: -1/3, log(2), 0.127; a ball by the digits it is sure of."""
    if isinstance(x, fmpq):
        short = 8 < x.q <= 10**6 and 10**20 % int(x.q) == 0
        return repr(image(x)) if short else str(x)
    return str(x) if isinstance(x, LogOf) else x.str(25, radius=False) if x.is_finite() else str(float(x.mid()))


def each(function: Callable[..., Any], *arrays: Any) -> NDArray[Any]:
    """The function on every entry, as an array of objects also where there is one entry."""
    return np.asarray(np.frompyfunc(function, len(arrays), 1)(*arrays), dtype=object)


def _by_ball(name: str, at_zero: Any) -> Callable[[Any, Any], Any]:
    """A function that is rational at zero alone."""
    return lambda self, x: at_zero if isinstance(x, fmpq) and x == 0 else getattr(ball(x), name)()


class Ring:
    """What all rings share: a stop-gradient is its argument, where nothing is differentiated."""

    number: Callable[..., Any]
    multiply: Callable[..., Any]
    log: Callable[..., Any]
    erfc: Callable[..., Any]

    def held(self, x: Any) -> Any:
        return x

    def log_tail(self, x: Any) -> Any:
        """log(erfc(x) / 2), of the chance that a standard normal exceeds sqrt(2) x."""
        return self.log(self.multiply(self.number(1, 2), self.erfc(x)))

    weigh = staticmethod(weigh)


class Exact(Ring):
    """Rationals, logarithms of rationals and balls."""

    def number(self, p: int, q: int) -> Any:
        return fmpq(p, q)

    def constant(self, name: str) -> Any:
        return {"pi": arb.pi, "e": arb.const_e, "oo": arb.pos_inf, "-oo": arb.neg_inf, "nan": arb.nan}[name]()

    add, multiply, absolute = operator.add, operator.mul, abs

    def power(self, x: Any, n: int) -> Any:
        if n < 0:
            return divide(ONE, self.power(x, -n))
        if n == 0 or isinstance(x, fmpq):
            return ONE if n == 0 else x**n
        out = x  # arb(0, r) ** 2 is NaN in python-flint 0.9: multiply
        for _ in range(n - 1):
            out = out * x
        return out

    def root(self, x: Any) -> Any:
        if isinstance(x, fmpq) and x >= 0:
            p, q = math.isqrt(int(x.p)), math.isqrt(int(x.q))
            if p * p == x.p and q * q == x.q:
                return fmpq(p, q)
        b = ball(x)
        if b.is_finite() and b.contains(0) and b.rad() > 0:
            return arb(0, 1).union(b.upper().sqrt())  # wide on purpose: there may be no root
        return b.sqrt()

    def raised(self, x: Any, y: Any) -> Any:
        return self.power(x, int(y)) if isinstance(y, fmpq) and y.q == 1 and abs(y) < 64 else ball(x) ** ball(y)

    def exp(self, x: Any) -> Any:
        return x.q if isinstance(x, LogOf) else ONE if isinstance(x, fmpq) and x == 0 else ball(x).exp()

    def log(self, x: Any) -> Any:
        if isinstance(x, fmpq):
            return log_of(x) if x > 0 else arb.neg_inf() if x == 0 else arb.nan()
        return arb.neg_inf() if x == 0 else ball(x).log()

    def tanh(self, x: Any) -> Any:
        if isinstance(x, LogOf):
            square = x.q * x.q
            return (square - 1) / (square + 1)
        return ZERO if isinstance(x, fmpq) and x == 0 else ball(x).tanh()

    def minimum(self, x: Any, y: Any) -> Any:
        return x if x <= y else y if y <= x else ball(x).min(ball(y))

    def maximum(self, x: Any, y: Any) -> Any:
        return x if x >= y else y if y >= x else ball(x).max(ball(y))

    def step(self, x: Any) -> Any:
        return ONE if x >= 0 else ZERO if x < 0 else arb(0).union(arb(1)) if ball(x).is_finite() else arb.nan()

    def side(self, x: Any) -> Any:
        return ONE if x > 0 else ZERO if x < 0 else fmpq(1, 2) if _tied(x) else arb.nan()

    def sign(self, x: Any) -> Any:
        return ONE if x > 0 else -ONE if x < 0 else ZERO if _tied(x) else arb.nan()

    def pick(self, table: list[Any], shape: tuple[int, ...], *index: Any) -> Any:
        return table[flat_index(shape, index)]

    sin, cos, tan, atan = _by_ball("sin", ZERO), _by_ball("cos", ONE), _by_ball("tan", ZERO), _by_ball("atan", ZERO)
    erf, erfc = _by_ball("erf", ZERO), _by_ball("erfc", ONE)

    def erfinv(self, x: Any) -> Any:
        if abs(x) == 1:
            return arb.pos_inf() if x == 1 else arb.neg_inf()
        if isinstance(x, fmpq) and 2 * abs(x) > 1:  # how near it is to 1, a ball around it may not tell
            return ball(1 - abs(x)).erfcinv() * (1 if x > 0 else -1)
        return ZERO if isinstance(x, fmpq) and x == 0 else ball(x).erfinv()


def _by_complex_ball(name: str) -> Callable[[Any, Any], Any]:
    return lambda self, x: getattr(x, name)()


def _refused(*_: Any) -> Any:
    raise Unsuitable("the integrand has a corner or a jump: certified integration needs an analytic one")


class Analytic(Ring):
    """Complex balls: what certified integration needs. A formula with corners or jumps is not analytic."""

    def number(self, p: int, q: int) -> Any:
        return acb(arb(fmpq(p, q)))

    def constant(self, name: str) -> Any:
        return acb(EXACT.constant(name))

    add, multiply = operator.add, operator.mul

    def power(self, x: Any, n: int) -> Any:
        return 1 / self.power(x, -n) if n < 0 else x if n == 1 else x * self.power(x, n - 1)

    def root(self, x: Any) -> Any:
        return x.sqrt(analytic=True)

    def raised(self, x: Any, y: Any) -> Any:
        return (y * x.log(analytic=True)).exp()

    def log(self, x: Any) -> Any:
        return x.log(analytic=True)

    def atan(self, x: Any) -> Any:
        i = acb(0, 1)
        return (self.log(1 + i * x) - self.log(1 - i * x)) / (2 * i)  # acb.atan does not refuse its branch cuts

    exp, tanh, sin, cos, tan, erf, erfc = map(_by_complex_ball, ("exp", "tanh", "sin", "cos", "tan", "erf", "erfc"))
    minimum = maximum = step = side = sign = absolute = pick = _refused

    def erfinv(self, x: Any) -> Any:
        raise Unsuitable("certified integration needs complex balls, and there are none of erfinv")


def _by_scipy(name: str) -> Callable[[Any, Any], Any]:
    def function(_: Any, x: Any) -> Any:
        from scipy import special  # which few formulas need, and takes long to load

        return getattr(special, name)(x)

    return function


class Float(Ring):
    """float64 arrays that broadcast: many points, outcomes or nodes at once. `order` is that of the quadrature rules."""

    def __init__(self, order: int = 1) -> None:
        self.order = order

    def number(self, p: int, q: int) -> Any:
        return np.float64(image(fmpq(p, q)))

    def constant(self, name: str) -> Any:
        return np.float64({"pi": math.pi, "e": math.e, "oo": math.inf, "-oo": -math.inf, "nan": math.nan}[name])

    def power(self, x: Any, n: int) -> Any:
        if not 0 < abs(n) <= SMALL:
            return np.power(x, float(n))
        if n < 0:
            return 1 / self.power(x, -n)
        if n == 1:
            return x
        half = self.power(x, n // 2)
        return half * half * x if n % 2 else half * half

    def pick(self, table: list[Any], shape: tuple[int, ...], *index: Any) -> Any:
        rows = np.broadcast_arrays(*table)
        at, whole = np.asarray(flat_index(shape, index)), np.stack(rows, axis=-1)
        here = np.broadcast_shapes(at.shape, whole.shape[:-1])
        at, whole = np.broadcast_to(at, here), np.broadcast_to(whole, (*here, len(table)))
        return np.take_along_axis(whole, at[..., None], axis=-1)[..., 0]

    add, multiply, raised, root = np.add, np.multiply, np.power, np.sqrt
    minimum, maximum, absolute, sign = np.minimum, np.maximum, np.abs, np.sign
    exp, log, tanh, sin, cos, tan, atan = np.exp, np.log, np.tanh, np.sin, np.cos, np.tan, np.arctan
    erf, erfc, erfinv = map(_by_scipy, ("erf", "erfc", "erfinv"))

    def log_tail(self, x: Any) -> Any:
        """Where erfc(x) / 2 rounds to 0 or to 1 too."""
        from scipy import special

        return special.log_ndtr(-math.sqrt(2) * np.asarray(x))

    def step(self, x: Any) -> Any:
        return np.where(np.isnan(x), np.nan, np.asarray(x) >= 0)

    def side(self, x: Any) -> Any:
        return np.heaviside(x, 0.5)


def flat_index(shape: Sequence[int], index: Sequence[Any]) -> Any:
    """Row-major position of an index: a whole number in each axis, or an array of them."""
    at: Any = 0
    for i, n in zip(index, shape, strict=True):
        if isinstance(i, np.ndarray):
            position = i.astype(np.intp)
            outside = i[(position != i) | (position < 0) | (position >= n)]
        else:
            position = int(i)
            outside = [] if position == i and 0 <= position < n else [i]
        if len(outside):
            read = f"a table of shape {tuple(shape)} was read at index {outside[0]}"
            raise ProblemError(f"{read}: write an index from 0 to {n - 1} there.")
        at = at * n + position
    return at


EXACT, ANALYTIC = Exact(), Analytic()
