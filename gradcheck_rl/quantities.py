"""What a claim talks about: values, gradients, their means and covariances. How they are computed is the evaluators'."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

import numpy as np
import sympy as sp

from .bundles import Bundle, Column, Rows
from .calculus import slope
from .errors import ProblemError
from .estimate import EPS
from .expectation import E, Expected
from .laws import Draw, Random, randoms, with_parents
from .symbols import Atom, Named, Variable, entries, named_, thaw

READABLE = 300  # letters of a formula
EMPTY = "a quantity has no coordinates: its index is out of range, or it is a gradient and nothing it needs is a Parameter."
OPERATIONS: dict[str, Callable[..., Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
Of = Any  # an expression, an array of them, or a function of torch or numpy


def is_code(x: Any) -> bool:
    """A function under test: an opaque leaf whose arguments are bound by name. A builtin (torch.tanh) does not tell its own."""
    return callable(x) and not isinstance(x, (sp.Basic, type)) and hasattr(x, "__name__") and _tells_its_arguments(x)


def _tells_its_arguments(function: Callable[..., Any]) -> bool:
    try:
        arguments(function)
    except (TypeError, ValueError):
        return False
    return True


_arguments: WeakKeyDictionary[Any, Mapping[str, inspect.Parameter]] = WeakKeyDictionary()


def arguments(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """What a function takes: kept as long as the function is. What keeps no weak reference is asked each time."""
    try:
        return _arguments[function]
    except KeyError:
        return _arguments.setdefault(function, inspect.signature(function).parameters)
    except TypeError:
        hash(function)  # answers are named by their functions
        return inspect.signature(function).parameters


def slots(function: Callable[..., Any]) -> Iterable[Callable[..., Any]]:
    """A function, and the functions its parameters default to: each can be replaced by an answer."""
    yield function
    for p in arguments(function).values():
        if is_code(p.default):
            yield from slots(p.default)


def shown(x: Any) -> str:
    """As it is written on a page: a function by its name, a formula as far as it is short."""
    text = x.__name__ if is_code(x) else repr(x)
    return text if isinstance(x, Quantity) or len(text) <= READABLE else f"{text[:READABLE]}..."


class Quantity:
    """Closed under + - * /."""

    __array_ufunc__ = None  # array * quantity is a quantity, not an array of them
    no_formula = "is a quantity, and a formula was expected: its expectation is Mean(q), not E(q)"

    def __add__(self, other: Any) -> Quantity:
        return Combined("+", self, quantity(other))

    def __radd__(self, other: Any) -> Quantity:
        return Combined("+", quantity(other), self)

    def __sub__(self, other: Any) -> Quantity:
        return Combined("-", self, quantity(other))

    def __rsub__(self, other: Any) -> Quantity:
        return Combined("-", quantity(other), self)

    def __mul__(self, other: Any) -> Quantity:
        return Combined("*", self, quantity(other))

    def __rmul__(self, other: Any) -> Quantity:
        return Combined("*", quantity(other), self)

    def __truediv__(self, other: Any) -> Quantity:
        return Combined("/", self, quantity(other))

    def __rtruediv__(self, other: Any) -> Quantity:
        return Combined("/", quantity(other), self)

    def __neg__(self) -> Quantity:
        return Combined("*", Exact(-1), self)

    def __getitem__(self, index: int | slice) -> Quantity:
        if not isinstance(index, slice) and not hasattr(index, "__index__"):
            given = ", ".join(map(str, index)) if isinstance(index, tuple) else index
            wanted = "its coordinates stand in one row, as q[2], or q[n * i + j] in a matrix of n columns."
            raise ProblemError(f"[{given}] is no index of a quantity: {wanted}")
        return Component(self, index if isinstance(index, slice) else operator.index(index))

    def __iter__(self) -> NoReturn:
        wanted = "write an index, as in q[0], or q.sum()."
        raise TypeError(f"how many coordinates a quantity has is known only when it is evaluated: {wanted}")

    def sum(self) -> Quantity:
        """Of its coordinates."""
        return Sum(self)

    @property
    def parts(self) -> tuple[Any, ...]:
        """The quantities and leaves this one is made of."""
        return ()

    def __repr__(self) -> str:
        options = {f.name: getattr(self, f.name) for f in fields(self)[1:]} if isinstance(self, (Leaf, Over)) else {}
        given = [f"{name}={shown(value)}" for name, value in options.items() if value not in (None, "float64")]
        return f"{type(self).__name__}({', '.join([*map(shown, self.parts), *given])})"

    def walk(self, over: Bundle | Draw | None = None) -> Iterator[tuple[Quantity, Bundle | Draw | None]]:
        """This quantity and those it is made of, each with the rows or draws it is averaged over."""
        yield self, over
        inside = over if (own := getattr(self, "over", None)) is None else own
        for part in self.parts:
            if isinstance(part, Quantity):
                yield from part.walk(inside)

    def leaves(self) -> Iterator[Any]:
        """The expressions and functions at the bottom."""
        return (part for q, _ in self.walk() for part in q.parts if not isinstance(part, Quantity))

    def code(self) -> list[Callable[..., Any]]:
        return self._code

    @cached_property
    def _code(self) -> list[Callable[..., Any]]:
        return [x for x in self.leaves() if is_code(x)]


def quantity(x: Any) -> Quantity:
    """A bare number or expression is exact."""
    if is_code(x):
        raise ProblemError(f"`{x.__name__}` is a function and no quantity: write Value({x.__name__}) or Gradient({x.__name__}).")
    if isinstance(x, (tuple, list)) and len({getattr(part, "shape", ()) for part in x}) > 1:
        x = _in_a_row(x)
    return x if isinstance(x, Quantity) else Exact(x)


def _in_a_row(x: Any) -> list[Any]:
    """The entries of what has unlike shapes, one after the other."""
    return [e for part in x for e in _in_a_row(part)] if isinstance(x, (tuple, list)) else entries(x)


@dataclass(frozen=True, eq=False, repr=False)
class Leaf(Quantity):
    of: Of

    def __post_init__(self) -> None:
        if isinstance(self.of, Quantity):
            own, given = type(self).__name__, type(self.of).__name__
            wanted = "a quantity is claimed as it is, and a second derivative is Gradient(diff(x, y))."
            raise ProblemError(f"{own} takes a formula or a function, not {given}: {wanted}")

    @property
    def parts(self) -> tuple[Any, ...]:
        return (self.of,)


@dataclass(frozen=True, eq=False, repr=False)
class Value(Leaf):
    """The value of an expression, or what a function returns."""

    dtype: str = "float64"

    def __post_init__(self) -> None:
        super().__post_init__()
        _known(self.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Gradient(Leaf):
    """What autograd returns: stop-gradients and samples are constants, expectations are differentiated with their law."""

    wrt: Variable | Sequence[Variable] | None = None
    dtype: str = "float64"

    def __post_init__(self) -> None:
        super().__post_init__()
        _known(self.dtype)
        by = () if self.wrt is None else [self.wrt] if isinstance(self.wrt, Variable) else self.wrt
        if not isinstance(by, (tuple, list)) or not all(isinstance(v, Variable) for v in by):
            wanted = "write a variable, or a tuple of them; then an index, as in Gradient(f, theta)[0]."
            raise ProblemError(f"a gradient by {self.wrt!r} was asked for: {wanted}")


@dataclass(frozen=True, eq=False, repr=False)
class Exact(Leaf):
    """Exact numbers or expressions."""


def _known(dtype: str) -> None:
    if dtype not in ("float64", "float32"):
        raise ProblemError(f"dtype={dtype!r} is not known here: write 'float64' or 'float32'.")


class Printed(Quantity):
    """Numbers as a page prints them: known to half a unit of their last digit."""

    def __init__(self, *digits: str) -> None:
        for d in digits:
            if not isinstance(d, str):
                raise ProblemError(f"Printed({d!r}) needs the digits as text, since their number matters: write Printed('{d}').")
            try:
                known = Decimal(d).is_finite()
            except InvalidOperation:
                known = False
            if not known:
                raise ProblemError(f"Printed({d!r}) is no decimal number: write its digits, as in Printed('0.2645').")
        self.digits = digits

    def __repr__(self) -> str:
        return f"Printed({', '.join(map(repr, self.digits))})"

    @property
    def radii(self) -> list[float]:
        """Half a unit of the last digit, and what rounding to a float leaves."""
        halves = [Decimal(1).scaleb(int(Decimal(d).as_tuple().exponent)) / 2 for d in self.digits]
        return [float(half) + EPS * abs(float(d)) for half, d in zip(halves, self.digits, strict=True)]


@dataclass(frozen=True, eq=False, repr=False)
class Combined(Quantity):
    sign: str
    left: Quantity
    right: Quantity

    def __repr__(self) -> str:
        return f"({shown(self.left)} {self.sign} {shown(self.right)})"

    @property
    def parts(self) -> tuple[Any, ...]:
        return (self.left, self.right)


@dataclass(frozen=True, eq=False, repr=False)
class Over(Quantity):
    """A quantity of a quantity."""

    of: Quantity

    def __post_init__(self) -> None:
        kind, over = type(self).__name__, getattr(self, "over", None)
        if not isinstance(self.of, Quantity):
            got = type(self.of).__name__
            raise ProblemError(f"{kind} takes a quantity, not {got}: write {kind}(Value(f)) or {kind}(Gradient(f)).")
        if not (over is None or isinstance(over, (Bundle, Draw))):
            raise ProblemError(f"over={over} is {type(over).__name__}: write a draw, Rows(...) or a batch.")

    @property
    def parts(self) -> tuple[Any, ...]:
        return (self.of,)


@dataclass(frozen=True, eq=False, repr=False)
class Component(Over):
    """Some coordinates of a quantity: q[1], q[:2]."""

    index: int | slice

    def __repr__(self) -> str:
        at = self.index
        written = f"{at.start}:{at.stop}:{at.step}".replace("None", "").removesuffix(":") if isinstance(at, slice) else at
        return f"{self.of}[{written}]"

    @property
    def slice(self) -> slice:
        return self.index if isinstance(self.index, slice) else slice(self.index, self.index + 1 or None)


@dataclass(frozen=True, eq=False, repr=False)
class Mean(Over):
    """The expectation over every draw inside; `over` gives rows or copies, or the draw, that stand under the names inside."""

    over: Bundle | Draw | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Covariance(Over):
    """The covariance matrix, row by row."""

    over: Bundle | Draw | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Sum(Over):
    """The sum of the coordinates: q.sum()."""

    def __repr__(self) -> str:
        return f"{self.of}.sum()"


@dataclass(frozen=True, eq=False, repr=False)
class Trace(Over):
    """The trace of a square quantity."""


@dataclass(frozen=True, eq=False, repr=False)
class Curl(Over):
    """The antisymmetric part of the derivative of a field: zero exactly when the field is somebody's gradient.

    Stop-gradients are lifted before the second derivative: torch's own would be that of another field.
    """


@dataclass(frozen=True, eq=False, repr=False)
class Hull(Over):
    """Clarke's interval of a gradient: what it spans when every tied switch is taken both ways. A set, not an uncertainty."""


@dataclass(frozen=True, eq=False, repr=False)
class NonFinite(Over):
    """1 where the quantity is NaN or infinite, else 0."""


def blocks(wrt: Any, parameters: Sequence[Variable]) -> list[Variable]:
    """What a gradient is taken by: by default every parameter."""
    return list(parameters) if wrt is None else [wrt] if isinstance(wrt, Variable) else list(wrt)


def side(size: int) -> int:
    """Of a square with so many entries."""
    if (n := math.isqrt(size)) ** 2 != size:
        raise ProblemError(f"Trace needs a square quantity, as a Covariance is; this one has {size} coordinates.")
    return n


def rename(expressions: Sequence[Any], here: Mapping[str, Any], names: Mapping[str, Any]) -> list[Any]:
    """Formulas in the draws, variables and names of this problem, read on what the rows or copies define under the same names."""
    rule: dict[Any, Any] = {}
    for name, replacement in here.items():
        if (symbols := names.get(name, replacement)) is replacement:
            continue
        cells, by_rows = entries(symbols), isinstance(replacement, Column) and isinstance(replacement.bundle, Rows)
        if symbols.shape == replacement.shape or not (by_rows or isinstance(symbols, (Variable, Named))):
            rule |= {a: e for a, e in zip(cells, entries(replacement), strict=False) if isinstance(a, (Atom, named_))}
        elif by_rows and any(e.has(*cells) for e in expressions):
            wanted = f"write {math.prod(symbols.shape)} numbers in that shape" if symbols.shape else "write one number"
            given = f"each row of Rows({name}=...) has shape {replacement.shape}"
            raise ProblemError(f"`{name}` has shape {symbols.shape} in a formula, and {given}: {wanted} for each row.")
    return [e.xreplace(rule) for e in expressions] if rule else list(expressions)


def pairs(size: int) -> list[tuple[int, int]]:
    """Of coordinates, between which a field may turn."""
    found = [(i, j) for i in range(size) for j in range(i)]
    if not found:
        raise ProblemError("Curl needs the gradient by two numbers or more: by one every field is somebody's gradient.")
    return found


def averaged(atoms: Iterable[Random], over: Bundle | Draw | None) -> None:
    """A mean is over all that is random inside: one draw that is named beside others would be another mean."""
    if isinstance(over, Draw):
        for other in with_parents(atoms):
            if other is not over:
                wanted = f"leave over={over.name} out to average over both, or write E(x, over=[{over.name}]) of a formula x."
                raise ProblemError(f"Mean(..., over={over.name}) holds `{other.name}` too, which is random: {wanted}")


def _over(over: Bundle | Draw | None) -> Mapping[str, Any]:
    return over.names if isinstance(over, Bundle) else {}


def lowered(q: Quantity, parameters: Sequence[Variable], names: Mapping[str, Any]) -> list[Any] | None:
    """The quantity as formulas, if there is no code in it."""

    def lower(x: Quantity) -> list[Any] | None:
        return lowered(x, parameters, names)

    match q:
        case Value(of=of) | Exact(of=of):
            return None if is_code(of) else entries(of)
        case Gradient(of=of, wrt=wrt):
            if is_code(of):
                return None
            variables = [a for v in blocks(wrt, parameters) for a in v.atoms.ravel()]
            return [slope(e, a) for e in entries(of) for a in variables]
        case Combined(sign=sign, left=left, right=right):
            a, b = lower(left), lower(right)
            if a is None or b is None:
                return None
            return [OPERATIONS[sign](x, y) for x, y in zip(*_paired(a, b), strict=True)]
        case Mean(of=of, over=over) | Covariance(of=of, over=over):
            inner = lower(of)
            if inner is None:
                return None
            inner = rename(inner, _over(over), names)
            averaged(randoms(*inner), over)
            if isinstance(q, Mean):
                return [E(e) for e in inner]
            return [E(a * b) - E(a) * E(b) for a in inner for b in inner]
        case Component(of=of):
            inner = lower(of)
            return None if inner is None else _some(inner, q)
        case Sum(of=of) | Trace(of=of):
            inner = lower(of)
            if inner is None:
                return None
            if not inner:
                raise ProblemError(EMPTY)
            return [sp.Add(*inner[:: side(len(inner)) + 1 if isinstance(q, Trace) else 1])]
        case Curl(of=of):
            inner = lower(of)
            if inner is None:
                return None
            variables = turning(of, len(inner), parameters)
            field = [thaw(e.doit() if e.has(Expected) else e) for e in inner]
            twist = [slope(field[i], variables[j]) - slope(field[j], variables[i]) for i, j in pairs(len(field))]
            # A corner differentiated twice is an impulse on the corner, and nothing beside it.
            return [e.replace(sp.DiracDelta, lambda *_: sp.S.Zero) for e in twist]
        case _:
            return None


def turning(q: Quantity, size: int, parameters: Sequence[Variable]) -> list[Any]:
    """The symbol that each of so many coordinates of a field is a slope by."""
    if not (symbols := _moved_by(q, parameters)):
        raise ProblemError("Curl needs the gradient of something: write Curl(Gradient(f)) or Curl(Mean(Gradient(f))).")
    if len({*symbols}) != size:
        by = ", ".join(map(str, symbols))
        wanted = "write the gradient of one number."
        raise ProblemError(f"Curl needs one slope by each symbol, and is given {size} numbers by {by}: {wanted}")
    return symbols


def _moved_by(q: Quantity, parameters: Sequence[Variable]) -> list[Any]:
    match q:
        case Gradient(of=of, wrt=wrt):
            rows = 1 if is_code(of) else len(entries(of))
            return [a for v in blocks(wrt, parameters) for a in v.atoms.ravel()] * rows
        case Combined(left=left, right=right):
            return max(_moved_by(left, parameters), _moved_by(right, parameters), key=len)
        case Component(of=of):
            return _moved_by(of, parameters)[q.slice]
        case Mean(of=of):
            return _moved_by(of, parameters)
        case _:
            return []


def taken_by(q: Quantity, parameters: Sequence[Variable]) -> list[Any]:
    """The symbols that the gradients in a quantity are taken by."""
    own = [a for v in blocks(q.wrt, parameters) for a in v.atoms.ravel()] if isinstance(q, Gradient) else []
    return list(dict.fromkeys([*own, *(a for part in q.parts if isinstance(part, Quantity) for a in taken_by(part, parameters))]))


def labels(q: Quantity, parameters: Sequence[Variable]) -> list[str] | None:
    """Names of the coordinates, where they have one."""
    match q:
        case Gradient(of=of, wrt=wrt):
            names = [str(a) for v in blocks(wrt, parameters) for a in v.atoms.ravel()]
            rows = 1 if is_code(of) else np.size(np.asarray(entries(of), dtype=object))
            return names * rows
        case Combined(left=left, right=right):
            return labels(left, parameters) or labels(right, parameters)
        case Component(of=of):
            names = labels(of, parameters)
            return names and names[q.slice]
        case Mean(of=of) | NonFinite(of=of):
            return labels(of, parameters)
        case Covariance(of=of):
            names = labels(of, parameters)
            return names and [f"{a}, {b}" for a in names for b in names]
        case _:
            return None


def _some(cells: list[Any], q: Component) -> list[Any]:
    if found := cells[q.slice]:
        return found
    raise ProblemError(f"[{q.index}] is out of range: the quantity has {len(cells)} coordinates.")


def unfit(one: int, other: int) -> str:
    """What is said of two that cannot be combined entry by entry, or nothing."""
    if one == other or 1 in (one, other):
        return ""
    by = "a gradient is by every Parameter, unless it names some, as in Gradient(f, theta)"
    return f"{one} coordinates cannot be combined with {other}: {by}."


def _paired(a: list[Any], b: list[Any]) -> tuple[list[Any], list[Any]]:
    if wrong := unfit(len(a), len(b)):
        raise ProblemError(wrong)
    n = max(len(a), len(b))
    return a * (n // len(a)), b * (n // len(b))
