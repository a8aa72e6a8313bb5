"""Variables as arrays of SymPy symbols, and the words a formula is made of. No random draws yet, no torch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, partial, reduce
from numbers import Integral, Real
from typing import Any, ClassVar, NoReturn, cast

import numpy as np
import sympy as sp
from numpy.lib.mixins import NDArrayOperatorsMixin

from .calculus import exponential, free, has, logarithm, product, rebuilt, slope
from .errors import ProblemError
from .own import is_space
from .rings import each, flat_index
from .spaces import Masks, Normal, Shape, Simplex, Space, positive

MOST_ENTRIES = 10**6  # each is a symbol

_sizes: ContextVar[Mapping[str, int]] = ContextVar("sizes")


class Size(int):
    """An int that may stand in any shape. The loader runs the page again at the sizes in `also`."""

    name: str
    also: tuple[int, ...]

    def __new__(cls, name: str, value: int, also: tuple[int, ...] = ()) -> Size:
        if not isinstance(also, (tuple, list)):
            raise ProblemError(f"also={also!r} of the size {name} is {type(also).__name__}: write also=({also},).")
        for n in (value, *also):
            if not (isinstance(n, Integral) and n > 0):
                raise ProblemError(f"the size {name} is {n!r}: write a whole number, 1 or more.")
        size = super().__new__(cls, _sizes.get({}).get(name, value))
        size.name, size.also = name, also
        return size

    def __getnewargs__(self) -> Any:
        return self.name, int(self), self.also


@contextmanager
def sizes(chosen: Mapping[str, int]) -> Generator[None]:
    """Within this block a Size takes the chosen value."""
    token = _sizes.set(chosen)
    try:
        yield
    finally:
        _sizes.reset(token)


def resized() -> bool:
    """Is the page being read at another size than its own?"""
    return bool(_sizes.get({}))


class Itself:
    """What is known by identity: a copy of it is itself."""

    __slots__ = ()

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self


class Atom(Itself, sp.Dummy):
    """One entry of a named array. A dummy: two problems may both have a theta. It prints by its name."""

    home: Any

    @staticmethod
    def of(home: Any, name: str, **assumptions: bool) -> Atom:
        atom = Atom(name, **(assumptions or {"real": True}))
        atom.home = home
        return atom

    __slots__ = ("home",)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"`{self.name}` is known in one process alone: in another one load the page that it is of.")

    def _sympystr(self, printer: Any) -> str:
        return self.name

    def _latex(self, printer: Any) -> str:
        return indexed(self.name)

    def _pretty(self, printer: Any) -> Any:
        return printer._print(sp.Symbol(self.name))


def indexed(name: str) -> str:
    """theta_0_1 as LaTeX: \\theta_{0,1}."""
    head, *tail = name.split("_")
    index = ",".join(tail)
    word = sp.latex(sp.Symbol(head))
    return f"{word}_{{{index}}}" if index else word


class Array(np.ndarray):
    """An array of formulas. A random or symbolic index looks entries up: `reward[action]`, `policy[state]`."""

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        parts = tuple(p.array[()] if isinstance(p, Symbols) and p.shape == () else p for p in parts)
        if not any(isinstance(p, sp.Basic) for p in parts):
            out = np.asarray(self)[parts]
            return out.view(Array) if isinstance(out, np.ndarray) else out
        axes, kept = [], 0
        for p in parts:
            if isinstance(p, sp.Basic):
                axes.append(kept)
            kept += not isinstance(p, (int, np.integer))
        rest = np.asarray(self)[tuple(slice(None) if isinstance(p, sp.Basic) else p for p in parts)]
        rest = np.moveaxis(rest, axes, range(len(axes)))
        symbolic = [p for p in parts if isinstance(p, sp.Basic)]
        shape, inner = rest.shape[: len(axes)], rest.shape[len(axes) :]
        flat = rest.reshape(math.prod(shape), *inner)
        out = np.empty(inner, dtype=object)
        for at in np.ndindex(*inner):
            out[at] = Pick(sp.Tuple(*flat[(slice(None), *at)]), sp.Tuple(*shape), *symbolic)
        return out.view(Array) if inner else out[()]

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if array.ndim == 0 else array.view(Array)

    def sum(self, *args: Any, **options: Any) -> Any:
        out = np.asarray(self).sum(*args, **options)
        return out.view(Array) if isinstance(out, np.ndarray) else out

    def mean(self, axis: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        total = self.sum(axis=axis)
        return total * sp.Rational(np.size(total), self.size)

    def max(self, axis: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return reduce(partial(_entrywise, Max), self._along(axis))

    def min(self, axis: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return reduce(partial(_entrywise, Min), self._along(axis))

    def _along(self, axis: Any) -> Any:
        return self.ravel() if axis is None else np.moveaxis(self, axis, 0)


class Symbols(Itself, NDArrayOperatorsMixin):
    """A name and an array of formulas or symbols; used as that array."""

    name: str
    array: Any

    def __init__(self, name: str, array: Any) -> None:
        self.name = identifier(name)
        self.array = np.asarray(array, dtype=object).view(Array)

    @property
    def shape(self) -> Shape:
        return self.array.shape

    @property
    def T(self) -> Any:
        return self.array.T

    def sum(self, *args: Any, **options: Any) -> Any:
        return self.array.sum(*args, **options)

    def mean(self, axis: Any = None) -> Any:
        return self.array.mean(axis)

    def max(self, axis: Any = None) -> Any:
        return self.array.max(axis)

    def min(self, axis: Any = None) -> Any:
        return self.array.min(axis)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*(plain(x) for x in inputs), **options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.array)

    _op_priority = 100.0  # SymPy leaves `formula * variable` to the variable, which may be an array

    def _sympy_(self) -> Any:
        if self.shape == ():
            return self.array[()]
        wanted = f"a number was expected here: write an index, as in {self.name}[0]."
        raise ProblemError(f"`{self.name}` has shape {self.shape}; {wanted}")

    def __getitem__(self, index: Any) -> Any:
        return self.array[index]

    def __iter__(self) -> Iterator[Any]:
        return (self.array[i] for i in range(len(self)))

    def __len__(self) -> int:
        return len(self.array)

    def __bool__(self) -> NoReturn:
        wanted = "write maximum, minimum, clip or step, a claim for each, or where=AtMost(0, x)."
        raise ProblemError(f"`{self.name}` holds symbols, and is not true or false: {wanted}")

    def __hash__(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return id(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (int, float, np.number, sp.Basic)):
            wanted = f"for 1 where it is and 0 elsewhere write KroneckerDelta({self.name}, {other}), which is SymPy's."
            raise ProblemError(f"`{self.name} == {other}` asks whether a name is a number, which it never is: {wanted}")
        return self is other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        return self.name


def plain(x: Any) -> Any:
    return x.array if isinstance(x, Symbols) else x


def formula(x: Any) -> Any:
    """A number or formula as a SymPy expression; never text, which SymPy would run."""
    if isinstance(x, sp.Expr):
        return x
    try:
        found = sp.sympify(x, strict=True)
    except sp.SympifyError:
        found = None
    if not isinstance(found, sp.Expr):
        if hasattr(x, "no_formula"):
            raise ProblemError(f"{type(x).__name__}(...) {x.no_formula}.")
        if callable(x) and (name := getattr(x, "__name__", "")):
            raise ProblemError(
                f"`{name}` is a function and no formula: write its formula; what code returns is claimed as Value({name})."
            )
        raise ProblemError(f"{x!r} is no formula: write numbers, variables and the words of gradcheck_rl.")
    return found


def as_shape(shape: int | Sequence[int]) -> Shape:
    sizes: Any = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not all(isinstance(n, Integral) and int(n) > 0 for n in sizes):
        raise ProblemError(f"the shape {shape!r} is none: write how many, as in 3 or (2, 3), each 1 or more.")
    if math.prod(map(int, sizes)) > MOST_ENTRIES:
        raise ProblemError(f"the shape {shape!r} has more entries than the {MOST_ENTRIES} that a variable can have: write fewer.")
    return tuple(int(n) for n in sizes)


def identifier(name: Any) -> str:
    """What code can have as an argument."""
    if not isinstance(name, str) or not name.isidentifier():
        raise ProblemError(f"{name!r} cannot be the name of an argument: write letters, digits and underscores.")
    return name


class Variable(Symbols):
    """Named symbols in an array, and the space their values come from."""

    parameter: ClassVar[bool] = False
    _written: ClassVar[Iterator[int]] = itertools.count()

    def __init__(self, name: str, shape: int | Sequence[int] = (), over: Space | None = None) -> None:
        identifier(name)
        self.place = next(self._written)
        self.over: Space = over or Normal()
        if not is_space(self.over):
            wanted = f"{over.__name__}(...)" if isinstance(over, type) else "Uniform(0, 1), or another space"
            raise ProblemError(f"`{name}` comes from {over!r}, which is no space: write over={wanted}.")
        if isinstance(self.over, (Masks, Simplex)) and shape == ():
            raise ProblemError(f"`{name}` is a number; {self.over} needs an axis to run along: write Variable({name!r}, K, ...).")
        assume = {"positive": True} if positive(self.over) else {"real": True}
        entries = np.empty(as_shape(shape), dtype=object)
        for i in np.ndindex(*entries.shape):
            entries[i] = Atom.of(self, "_".join([name, *map(str, i)]), **assume)
        self.atoms = entries.copy()
        if isinstance(self.over, Simplex):
            entries[..., -1] = 1 - entries[..., :-1].sum(-1)
        super().__init__(name, entries)


class Parameter(Variable):
    """A variable one differentiates by."""

    parameter: ClassVar[bool] = True


class frozen_(sp.Function):
    """Stop-gradient: the same value, derivative zero."""

    nargs = 1

    @classmethod
    def eval(cls, x: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return x if x.is_number or isinstance(x, frozen_) else None

    def _eval_derivative(self, s: Any) -> Any:
        return sp.S.Zero

    def _eval_is_real(self) -> Any:
        return self.args[0].is_real

    def _eval_is_positive(self) -> Any:
        return self.args[0].is_positive

    def _sympystr(self, printer: Any) -> str:
        return f"frozen({printer._print(self.args[0])})"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        body = rf"\bot\!\left({printer._print(self.args[0])}\right)"
        return f"{body}^{{{exp}}}" if exp else body


class step_(sp.Function):
    """1 where x >= 0, else 0. Its derivative is a jump: only an expectation may be differentiated through it."""

    nargs = 1

    @classmethod
    def eval(cls, x: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        if x.is_number and x.is_comparable:
            return sp.S.One if x >= 0 else sp.S.Zero
        return None

    def _eval_is_real(self) -> bool:
        return True

    def _eval_derivative(self, s: Any) -> Any:
        if slope(self.args[0], s) != 0:
            wanted = "take the expectation first, or write frozen(...) around it; a bend without a jump is maximum(a, b)."
            raise ProblemError(f"the derivative by {s} meets the jump {self}: {wanted}")
        return sp.S.Zero

    def _sympystr(self, printer: Any) -> str:
        return f"step({printer._print(self.args[0])})"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        return rf"\mathbf{{1}}\left[{printer._print(self.args[0])}\ge 0\right]"


class Pick(sp.Function):
    """A table entry at a random or symbolic index: Pick((entries), (shape), i, j, ...)."""

    @classmethod
    def eval(cls, entries: Any, shape: Any, *index: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        if all(i.is_Integer for i in index):
            return entries[flat_index(tuple(map(int, shape)), index)]
        return None

    def _eval_derivative(self, s: Any) -> Any:
        entries, shape, *index = cast("tuple[Any, ...]", self.args)
        slopes = [slope(e, s) for e in entries]
        return Pick(sp.Tuple(*slopes), shape, *index) if any(slopes) else sp.S.Zero

    def _eval_is_real(self) -> bool:
        return True

    @property
    def free_symbols(self) -> set[Any]:
        return set().union(*map(free, self.args))

    def _sympystr(self, printer: Any) -> str:
        table, index = self._shown(printer._print)
        return f"{table}[{', '.join(index)}]"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        table, index = self._shown(printer._print)
        body = f"{table}_{{{','.join(index)}}}"
        return rf"\left({body}\right)^{{{exp}}}" if exp else body

    def _shown(self, show: Callable[[Any], str]) -> tuple[str, list[str]]:
        table, index = self.written
        return table or f"({', '.join(map(show, cast('Any', self.args[0])))})", [
            str(i) if isinstance(i, int) else show(i) for i in index
        ]

    @property
    def written(self) -> tuple[str, list[Any]]:
        """The table's name and the index as the author wrote them, M[1, a] for a row; "" for a table without a name."""
        cells, _, *index = cast("tuple[Any, ...]", self.args)
        homes = {s.home for e in cells for s in e.free_symbols if isinstance(s, Atom)}
        if len(homes) == 1:
            home = homes.pop()
            position = {e: at for at, e in np.ndenumerate(np.asarray(home.array))}
            axes = list(zip(*(position.get(e, ()) for e in cells), strict=False))
            fixed = [axis[0] if len(set(axis)) == 1 else slice(None) for axis in axes]
            named = np.ravel(np.asarray(home.array)[tuple(fixed)])
            if list(named) == list(cells) and fixed.count(slice(None)) == len(index):
                rest = iter(index)
                return home.name, [next(rest) if isinstance(at, slice) else int(at) for at in fixed]
        if all(isinstance(e, named_) for e in cells):
            names = [cell.name for cell in cells]
            head = names[0].rsplit("_", len(index))[0]
            shape = tuple(map(int, cast("Any", self.args[1])))
            if names == ["_".join([head, *map(str, at)]) for at in np.ndindex(*shape)]:
                return head, index
        return "", index


class Min(sp.Min):
    """Left as written: comparing two long formulas costs SymPy a tenth of a second each time one is rebuilt."""

    def __new__(cls, *args: Any, **_: Any) -> Any:
        return sp.Min(*args) if all(x.is_comparable for x in args) else super().__new__(cls, *args, evaluate=False)


class Max(sp.Max):
    """Left as written, as Min."""

    def __new__(cls, *args: Any, **_: Any) -> Any:
        return sp.Max(*args) if all(x.is_comparable for x in args) else super().__new__(cls, *args, evaluate=False)


def _entrywise(function: Callable[..., Any], *xs: Any) -> Any:
    out = np.frompyfunc(lambda *cells: function(*map(formula, cells)), len(xs), 1)(*(plain(x) for x in xs))
    return out.view(Array) if isinstance(out, np.ndarray) else out


def _word(name: str, function: Callable[[Any], Any], says: str = "") -> Callable[[Any], Any]:
    def word(x: Any) -> Any:
        return _entrywise(function, x)

    word.__name__ = word.__qualname__ = name
    word.__doc__ = f"{says or f'{name}(x)'}, of a number, a formula, or an array entry by entry."
    return word


exp, log, sqrt = _word("exp", exponential), _word("log", logarithm), _word("sqrt", sp.sqrt)
sin, cos, tan, atan = _word("sin", sp.sin), _word("cos", sp.cos), _word("tan", sp.tan), _word("atan", sp.atan)
tanh, erf, erfc = _word("tanh", sp.tanh), _word("erf", sp.erf), _word("erfc", sp.erfc)
erfinv = _word("erfinv", sp.erfinv, "the number whose erf is x")
frozen = _word("frozen", frozen_, "x with its gradient stopped")
step = _word("step", step_, "1 where x >= 0, else 0")


def minimum(x: Any, y: Any, *others: Any) -> Any:
    """The smallest of them, entry by entry."""
    return reduce(partial(_entrywise, Min), (x, y, *others))


def maximum(x: Any, y: Any, *others: Any) -> Any:
    """The largest of them, entry by entry."""
    return reduce(partial(_entrywise, Max), (x, y, *others))


def clip(x: Any, low: Any, high: Any) -> Any:
    """x between its bounds, entry by entry."""
    if crossed(low, high):
        raise ProblemError(f"clip(x, {low}, {high}) has its lower bound above the upper one: write clip(x, low, high).")
    return minimum(maximum(x, low), high)


def crossed(low: Any, high: Any) -> bool:
    """Are the bounds two numbers, the lower above the upper?"""
    known = all(isinstance(x, Real) or (isinstance(x, sp.Expr) and x.is_number and x.is_comparable) for x in (low, high))
    return known and bool(low > high)


def softmax(x: Any, allowed: Any = 1) -> Any:
    """Along the last axis, over the allowed entries. The mask is a multiplier: no case distinction, no infinity."""
    weights = _weights(x, allowed)
    return _entrywise(product, weights, 1 / weights.sum(axis=-1, keepdims=True)).view(Array)


def log_softmax(x: Any, allowed: Any = 1) -> Any:
    """The logarithm of softmax."""
    weights = _weights(x, allowed)
    mask = _entrywise(lambda m: 0 if m == 1 else log(m), allowed)
    return (np.asarray(plain(x)) - np.asarray(log(weights.sum(axis=-1, keepdims=True))) + mask).view(Array)


def _weights(x: Any, allowed: Any) -> Any:
    if isinstance(allowed, int) and allowed != 1:
        raise ProblemError(f"softmax(x, {allowed}): the second is the mask, a row of 1 and 0, and the axis is always the last.")
    scores, mask = np.shape(plain(x)), np.shape(plain(allowed))
    if not scores:
        raise ProblemError("softmax is of a row, and was given one number: write softmax(array(0, x)), or sigmoid(x) for two.")
    if any(n != m and 1 not in (n, m) for n, m in zip(scores[::-1], mask[::-1], strict=False)):
        raise ProblemError(f"the mask has shape {mask}, and the logits {scores}: write a 1 or a 0 for each.")
    weights = np.asarray(_entrywise(product, allowed, exp(x)))
    if np.all(weights == 0, axis=-1).any():
        raise ProblemError("every action is forbidden: write a mask that has a 1 in each row.")
    return weights


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), entry by entry."""
    return 1 / (1 + exp(-x))


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), entry by entry."""
    return log(1 + exp(x))


def diff(x: Any, *by: Any) -> Any:
    """The derivative of a formula or array by a symbol, or by one after the other; a number says how often by the last."""
    symbols: list[Any] = []
    for s in by:
        symbols += [symbols.pop()] * s if isinstance(s, int) and symbols else [formula(s)]
    return _entrywise(lambda e: reduce(slope, symbols, e), x)


def array(*entries: Any) -> Any:
    """An array of formulas: array(a, b), or rows of equal length."""
    rows = np.array([plain(e) for e in entries], dtype=object)
    return each(formula, rows).view(Array)  # Python's 1 / 3 would be a float


class named_(sp.Expr):
    """A formula under a name. Arguments: the name as a symbol, and the definition, which is all that is computed with."""

    is_commutative = True

    @property
    def name(self) -> str:
        return cast("sp.Symbol", self.args[0]).name

    @property
    def definition(self) -> Any:
        return self.args[1]

    @property
    def free_symbols(self) -> set[Any]:
        return set(free(self.definition))

    def _eval_derivative(self, s: Any) -> Any:
        return slope(self.definition, s)

    def _eval_is_real(self) -> Any:
        return self.definition.is_real

    def _eval_is_positive(self) -> Any:
        return self.definition.is_positive

    def _sympystr(self, printer: Any) -> str:
        return printer._print(self.args[0])

    def _latex(self, printer: Any, exp: Any = None) -> str:
        name = printer._print(self.args[0])
        return f"{name}^{{{exp}}}" if exp else name

    _pretty = _sympystr


class Named(Symbols):
    """A formula with a name: printed by its name, evaluated by its definition, and an argument of that name for code."""

    def __init__(self, name: str, definition: Any) -> None:
        cells = np.asarray(plain(definition), dtype=object)
        out = np.empty(cells.shape, dtype=object)
        for at in np.ndindex(*cells.shape):
            symbol = sp.Symbol("_".join([identifier(name), *map(str, at)]), real=True)
            out[at] = sp.Expr.__new__(named_, symbol, formula(cells[at]))
        super().__init__(name, out)


def bare(e: Any) -> Any:
    """The formula with every name replaced by what it stands for."""
    return _without(e, named_)


def thaw(e: Any) -> Any:
    """The formula with every stop-gradient removed."""
    return _without(e, frozen_)


def unheld(e: Any) -> Any:
    """The formula with a number for every stop-gradient: what it has left, it can be differentiated by."""
    return e.xreplace(dict.fromkeys(e.atoms(frozen_), sp.S.One))


@lru_cache(maxsize=1 << 14)
def _without(e: Any, kind: type) -> Any:
    """With what stands inside in the place of everything of this kind: its last argument."""
    if not has(e, kind):
        return e
    return _without(e.args[-1], kind) if isinstance(e, kind) else rebuilt(e, *(_without(a, kind) for a in e.args))


def entries(x: Any) -> list[Any]:
    """The entries of a number, formula or array, as SymPy expressions."""
    return [formula(plain(e)) for e in np.asarray(plain(x), dtype=object).ravel()]


def atoms_in(*expressions: Any) -> list[Any]:
    """The entries of variables and draws in formulas, bound ones too, by name."""
    return by_name(frozenset().union(*map(_atoms, expressions)))


@lru_cache(maxsize=1 << 16)
def _atoms(e: Any) -> frozenset[Any]:
    return frozenset([e]) if isinstance(e, Atom) else frozenset().union(*map(_atoms, e.args))


@lru_cache(maxsize=1 << 16)
def _names(e: Any) -> frozenset[str]:
    return frozenset([e.name] if isinstance(e, named_) else []).union(*map(_names, e.args))


def names_in(*expressions: Any) -> frozenset[str]:
    """The names that formulas have for their parts."""
    return frozenset().union(*map(_names, expressions))


def by_name(symbols: Any) -> list[Any]:
    """Symbols in an order that does not depend on the run."""
    return sorted(symbols, key=lambda s: (s.name, getattr(s, "dummy_index", 0)))
