"""The tree of a formula, made into SymPy by constructors of our own over the names of a problem.

Everything is counted before it is built: SymPy computes with numbers at once, and 9^9^9 would never come back.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from ..bundles import Bundle
from ..errors import GradcheckError, did_you_mean
from ..expectation import E
from ..expressions import number
from ..laws import Draw, Finite, Random
from ..rings import ball
from ..spaces import OneOf, rational
from ..symbols import Array, Atom, Max, Min, Parameter, Pick, Symbols, Variable, plain, step_
from .tokens import ADVICE, FormulaError
from .tree import Call, Entry, Name, Node, Number, Power, Product, Sum, Total, Vector

ENTRIES, NESTED, RANGE = 5000, 20, 1000
EXPONENT, BITS, SIZE, HEIGHT = 64, 4096, 1 << 15, 18
LARGEST_EXP = 2800  # exp of more has more than BITS bits before its point

CONSTANTS: dict[str, Any] = {"pi": sp.pi, "e": sp.E, "oo": sp.oo, "infty": sp.oo, "inf": sp.oo}


def _clipped(x: Any, low: Any, high: Any) -> Any:
    return Min(Max(x, low), high)


# Word: what is applied to each entry, and how many arguments it takes.
EACH: dict[str, tuple[Callable[..., Any], int]] = {
    "exp": (sp.exp, 1),
    "log": (sp.log, 1),
    "ln": (sp.log, 1),
    "sqrt": (sp.sqrt, 1),
    "sin": (sp.sin, 1),
    "cos": (sp.cos, 1),
    "tan": (sp.tan, 1),
    "arctan": (sp.atan, 1),
    "atan": (sp.atan, 1),
    "tanh": (sp.tanh, 1),
    "sinh": (lambda x: (sp.exp(x) - sp.exp(-x)) / 2, 1),
    "cosh": (lambda x: (sp.exp(x) + sp.exp(-x)) / 2, 1),
    "artanh": (lambda x: (sp.log(1 + x) - sp.log(1 - x)) / 2, 1),
    "atanh": (lambda x: (sp.log(1 + x) - sp.log(1 - x)) / 2, 1),
    "erf": (sp.erf, 1),
    "erfc": (sp.erfc, 1),
    "erfinv": (sp.erfinv, 1),
    "sigmoid": (lambda x: 1 / (1 + sp.exp(-x)), 1),
    "sigma": (lambda x: 1 / (1 + sp.exp(-x)), 1),
    "softplus": (lambda x: sp.log(1 + sp.exp(x)), 1),
    "abs": (sp.Abs, 1),
    "sign": (sp.sign, 1),
    "sgn": (sp.sign, 1),
    "step": (step_, 1),
    "clip": (_clipped, 3),
}
EXPONENTIAL = {"exp", "sinh", "cosh", "sigmoid", "sigma", "softplus"}
WHOLE = ("sum", "min", "max", "minimum", "maximum", "softmax", "E")
FUNCTIONS = (*EACH, *WHOLE)
# What is known elsewhere, and how it is written here.
INSTEAD = {
    "log2": "write log(x)/log(2)",
    "log10": "write log(x)/log(10)",
    "relu": "write max(x, 0)",
    "mean": "write the sum, divided by how many there are",
    **dict.fromkeys(("dot", "matmul"), ADVICE["@"]),
    "square": "write x^2",
    "where": "write step(x) for 1 where x is not negative, and 0 elsewhere",
}


def index(name: str, size: int) -> Variable:
    """A name for any of the entries 0 to size - 1, as the i of R_i."""
    return Variable(name, over=OneOf(*range(size)))


class Meaning:
    """What one text means."""

    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self.text, self.names = text, names
        self.bound: dict[str, int] = {}
        self.left, self.nested = ENTRIES, 0
        self.sizes: dict[Any, int] = {}

    def is_function(self, name: Name) -> bool:
        return name.word in FUNCTIONS and (not name.below or name.word == "E") and self._looked_up(name)[0] is None

    def applies(self, name: Name) -> bool:
        """Does a bracket after this name hold an argument? A number takes none."""
        value, below = self._looked_up(name)
        if value is None:
            return name.word not in CONSTANTS or bool(name.below)
        return callable(value) or np.ndim(value) > len(self._spread(below, np.ndim(value)))

    # ---- errors and budgets -----------------------------------------------------------------------------------------------

    def error(self, says: str, at: int, advice: str = "") -> FormulaError:
        return FormulaError(says, self.text, at, advice)

    def _spend(self, entries: int, at: int) -> None:
        self.left -= entries
        if self.left < 0:
            raise self.error(f"the formula has more than {ENTRIES} parts when it is written out", at, "write fewer terms")

    @contextmanager
    def _inside(self, at: int) -> Generator[None]:
        self.nested += 1
        if self.nested > NESTED:
            raise self.error(f"functions and powers are nested more than {NESTED} deep", at, "write it with fewer of them")
        try:
            yield
        finally:
            self.nested -= 1

    def _checked(self, e: Any, at: int) -> Any:
        """A real number or formula, whose numbers are of moderate length."""
        if e is sp.zoo or e is sp.nan:
            raise self.error("this has no value: it divides by zero, or takes infinity from infinity", at)
        if e.is_Rational and e.p.bit_length() + e.q.bit_length() > BITS:
            raise self.error(f"this number has more than {BITS} bits", at, "write a smaller one")
        if any(x is sp.I or (x.is_Pow and x.base.is_Rational and x.base < 0 and not x.exp.is_Integer) for x in _shallow(e)):
            raise self.error("this is no real number: a root or logarithm of a negative one", at, "check the sign")
        if e.is_number and not e.is_Rational and not e.is_infinite:
            self._told_from_zero(e, at)
        self._size(e, at)
        return e

    def _told_from_zero(self, e: Any, at: int) -> None:
        """SymPy asks for the sign of a number by its minimal polynomial where digits do not tell: that may take hours."""
        near = ball(number(e))
        if not near.is_finite():
            raise self.error("this number is too large, or has no value", at, "write a smaller one")
        if e.is_Add and near.contains(0):
            raise self.error("this number cannot be told from 0", at, "simplify it: it may be 0 exactly")

    def _size(self, e: Any, at: int) -> int:
        """About how many bits an exact value has, for each bit of the inputs."""
        if e not in self.sizes:
            self.sizes[e] = self._sized(e, at)
        if self.sizes[e] > SIZE:
            raise self.error("this is too large to be computed with", at, "write it with smaller exponents and fewer parts")
        return self.sizes[e]

    def _sized(self, e: Any, at: int) -> int:
        if e.is_Rational:
            return 1 + (e.p.bit_length() + e.q.bit_length()) // 4
        if isinstance(e, (Pick, Atom)) or not e.args or not e.free_symbols:
            return 4
        if e.is_Pow and e.exp.is_Rational:
            return self._size(e.base, at) * max(1, abs(int(e.exp)))
        if e.is_Pow:
            height = self._height(e.exp)
            if height > HEIGHT:
                raise self.error("the exponent of this power is too long", at, "write it as exp(...)")
            return self._size(e.base, at) << height
        return sum(self._size(a, at) for a in e.args if isinstance(a, sp.Expr))

    def _height(self, e: Any) -> int:
        """About how many bits a whole number has that stands for this formula."""
        if e.is_Rational:
            return e.p.bit_length()
        if e.is_Pow and e.exp.is_Rational:
            return self._height(e.base) * max(1, abs(int(e.exp)))
        return sum(map(self._height, e.args)) if e.is_Add or e.is_Mul else 4

    # ---- the parts of a tree ----------------------------------------------------------------------------------------------

    def of(self, node: Node) -> Any:
        match node:
            case Number(value=value):
                self._spend(1, node.at)
                return self._checked(sp.Rational(value.numerator, value.denominator), node.at)
            case Name():
                return self._name(node)
            case Call():
                return self._call(node)
            case Entry(of=of, index=index):
                self._no_policy_in(of)
                return self._entry(self.of(of), index, node.at)
            case Sum(terms=terms):
                return self._each(sp.Add, [sign * self.of(t) for sign, t in terms], node.at)
            case Product(factors=factors):
                return self._product(factors, node.at)
            case Power(base=base, exponent=exponent):
                with self._inside(node.at):
                    return self._each(lambda x, n: self._power(x, n, node.at), [self.of(base), self.of(exponent)], node.at)
            case Total():
                return self._total(node)
            case Vector(entries=entries):
                return self._vector([self.of(e) for e in entries], node.at)

    def _each(self, function: Callable[..., Any], values: Sequence[Any], at: int) -> Any:
        """On each entry; a number goes with every entry of a vector."""
        shapes = {np.shape(v) for v in values} - {()}
        if len(shapes) > 1:
            counts = " and ".join(_described(s) for s in sorted(shapes))
            raise self.error(f"{counts} are joined here", at, "write vectors of equal length, or one entry, as in w[0]")
        shape = shapes.pop() if shapes else ()
        self._spend(int(np.prod(shape, dtype=int)), at)
        if shape == ():
            return self._checked(function(*values), at)
        out = np.empty(shape, dtype=object)
        for i in np.ndindex(*shape):
            out[i] = self._checked(function(*(v[i] if np.ndim(v) else v for v in values)), at)
        return out.view(Array)

    def _product(self, factors: Sequence[tuple[bool, Node]], at: int) -> Any:
        values: list[Any] = []
        for divides, factor in factors:
            x = self.of(factor)
            if divides and any(e.is_zero for e in _cells(x) if e.is_Rational):
                raise self.error("this divides by zero", factor.at, "check the denominator")
            values.append(self._each(lambda e: 1 / e, [x], factor.at) if divides else x)
        return self._each(sp.Mul, values, at)

    def _power(self, base: Any, exponent: Any, at: int) -> Any:
        if exponent.is_Rational:
            if abs(exponent) > EXPONENT:
                raise self.error(f"the exponent {_short(exponent)} is too large", at, f"write one from -{EXPONENT} to {EXPONENT}")
            if base is sp.S.Zero and exponent < 0:
                raise self.error("this divides by zero", at, "check the base")
            bits = _bits(base) * abs(exponent) if base.is_Rational else 0
            if abs(int(exponent)) * self._size(base, at) > SIZE or bits > BITS:
                raise self.error("this power is too large to be computed with", at, "write it with smaller exponents")
        elif base is sp.E:
            self._exponentials(exponent, at)
            return sp.exp(exponent)
        elif exponent.is_infinite:
            raise self.error("a power with an infinite exponent has no value here", at, "write its limit")
        elif exponent.is_number:
            self._exponentials(exponent, at)
        return base**exponent

    def _exponentials(self, exponent: Any, at: int) -> None:
        """SymPy turns exp(9 log(2) + x) into 2**9 exp(x) at once."""
        for term in sp.Add.make_args(exponent):
            if term.is_number and term.is_finite and not abs(ball(number(term))) < LARGEST_EXP:
                raise self.error("this exponent is too large", at, f"write one from -{LARGEST_EXP} to {LARGEST_EXP}")

    # ---- names ------------------------------------------------------------------------------------------------------------

    def _looked_up(self, name: Name) -> tuple[Any, Sequence[Node]]:
        """What the longest beginning of a name with its indices stands for, and the indices that are left: R_i, log_sigma_0, and
        s_0 for s0 where s has no entries."""
        words = [name.word, *itertools.takewhile(bool, map(_written, name.below))]
        found = [
            (value, name.below[n - 1 :])
            for glue in ("_", "")
            for n in range(len(words), 0, -1)
            if (value := self._known(glue.join(words[:n]))) is not None
        ]
        fits = (pair for pair in found if callable(pair[0]) or len(self._spread(pair[1], np.ndim(pair[0]))) <= np.ndim(pair[0]))
        return next(fits, found[0] if found else (None, name.below))

    def _known(self, word: str) -> Any:
        if word in self.bound:
            return sp.Integer(self.bound[word])
        return self._named(self.names[word]) if word in self.names else None

    def _named(self, x: Any) -> Any:
        if callable(x) and not isinstance(x, (sp.Basic, np.ndarray, Symbols)):
            return x
        cells = np.asarray(plain(x), dtype=object)
        value = sp.sympify(cells[()], strict=True) if cells.shape == () else cells.view(Array)
        self.sizes |= dict.fromkeys(_cells(value), 4)
        return value

    def _name(self, name: Name) -> Any:
        value, below = self._looked_up(name)
        if value is None:
            if name.word in CONSTANTS and not name.below:
                return CONSTANTS[name.word]
            raise self._unknown(name)
        if callable(value):
            raise self.error(f"`{name.word}` is a function and stands without an argument", name.at, f"write {name.word}(x)")
        self._spend(max(1, np.size(value)), name.at)
        return self._below(value, name, below)

    def _below(self, value: Any, name: Name, below: Sequence[Node]) -> Any:
        """The entry that the indices name. A policy may be written with its parameters below it: pi_theta."""
        below = self._spread(below, np.ndim(value))
        if not below:
            return value
        if np.ndim(value) < len(below):
            what = _described(np.shape(value))
            raise self.error(f"`{name.word}` is {what}: it has no index `{_written(below[-1]) or '...'}`", below[-1].at)
        return self._entry(value, tuple(below), name.at)

    def _spread(self, below: Sequence[Node], axes: int) -> list[Node]:
        """The indices without a policy's parameters, one for each axis."""
        found = [b for b in below if not (isinstance(b, Name) and isinstance(self.names.get(b.word), Parameter))]
        return (axes > 1 and len(found) == 1 and self._letters(found[0], axes)) or found

    def _letters(self, node: Node, axes: int) -> list[Node] | None:
        """W_01 and W_ij: one index for each digit or letter."""
        if isinstance(node, Product) and len(node.factors) == axes and not any(divides for divides, _ in node.factors):
            return [factor for _, factor in node.factors]
        word = _written(node)
        if len(word) != axes or (isinstance(node, Name) and (word in self.bound or word in self.names)):
            return None
        places = enumerate(word, start=node.at)
        return [Number(at, Fraction(c), c) if c.isdigit() else Name(at, c) for at, c in places]

    def _entry(self, value: Any, index: Sequence[Node], at: int) -> Any:
        if np.ndim(value) < len(index):
            what = _described(np.shape(value))
            wanted = "it has no entries" if np.ndim(value) == 0 else f"it takes no {len(index)} indices"
            raise self.error(f"this is {what}: {wanted}", at, "write * for a product")
        places = [self._place(self.of(i), n, i.at) for i, n in zip(index, np.shape(value), strict=False)]
        out = value[tuple(places)]
        return out if np.ndim(out) else self._checked(out, at)

    def _place(self, place: Any, size: int, at: int) -> Any:
        """A whole number below `size`, or a name that stands for such numbers."""
        run = f"0 to {size - 1}"
        if np.ndim(place):
            raise self.error("a vector stands where an index was expected", at, f"write a number from {run}")
        if place.is_Integer:
            if 0 <= place < size:
                return int(place)
            raise self.error(f"there is no entry {_short(place)}: they are numbered {run}", at, "count from 0")
        values = _values(place)
        if values is None or not all(0 <= v < size and v == int(v) for v in values):
            raise self.error("this is no index", at, f"write a number from {run}, or the name of an index")
        return place

    def no_policy(self, name: Name) -> FormulaError:
        return self.error("`pi` is 3.14... here, and no policy", name.at, "write the policy out, as in softmax(x)[0]")

    def _no_policy_in(self, of: Node) -> None:
        if isinstance(of, Name) and of.word == "pi" and self._looked_up(of)[0] is None:
            raise self.no_policy(of)

    def _unknown(self, name: Name) -> FormulaError:
        if name.word == "pi":
            return self.no_policy(name)
        known = [*self.bound, *self.names]
        inner = self._split(name.word, known)
        word = "_".join([name.word, *itertools.takewhile(bool, map(_written, name.below))])
        stem = name.word.rstrip("0123456789")
        entry = f"write {stem}_{name.word[len(stem) :]} for an entry" if np.ndim(self._known(stem)) else ""
        product = f"write {'*'.join(inner)} for a product" if inner else ""
        like = product or entry or _meant(word, [*known, *FUNCTIONS])
        like = ADVICE["∑"] if word == "Sigma" else like
        there = f"there is {_listed(known)}" if known else "numbers alone were expected"
        return self.error(f"`{word[:40]}` is not known here; {there}", name.at, like)

    def _split(self, word: str, known: Sequence[str]) -> list[str]:
        """xy as x and y, where both are known."""
        for n in range(1, min(len(word), 20)):
            if word[:n] in known and word[n:] in known:
                return [word[:n], word[n:]]
        return []

    # ---- functions --------------------------------------------------------------------------------------------------------

    def _call(self, node: Call) -> Any:
        word = node.of.word
        value, below = self._looked_up(node.of)
        if value is None:
            if word not in FUNCTIONS:
                raise self._unknown_function(node)
            with self._inside(node.at):
                return self._function(word, node)
        if callable(value):
            return self._calling(value, node)
        if np.ndim(value) == 0:
            raise self.error(f"`{word}` is a number and takes no argument", node.at, f"write {word}*(...)")
        row = self._below(value, node.of, below)
        return self._entry(row, (*self._conditions(node, np.ndim(row)), *node.arguments), node.at)

    def _conditions(self, node: Call, axes: int) -> tuple[Node, ...]:
        """pi(a|s) is the entry [s, a]. Where there is one state only, it is no index: pi(a|s) is the entry [a]."""
        if axes != len(node.arguments) or not all(isinstance(g, Name) and self._looked_up(g)[0] is not None for g in node.given):
            return node.given
        return ()

    def _calling(self, function: Callable[..., Any], node: Call) -> Any:
        arguments = [self.of(a) for a in node.arguments]
        try:
            out = self._named(function(*arguments))
        except (GradcheckError, TypeError, ValueError, IndexError, KeyError) as error:
            raise self.error(f"`{node.of.word}` does not take these arguments", node.at) from error
        self._spend(max(1, np.size(out)), node.at)
        return out

    def _unknown_function(self, node: Call) -> FormulaError:
        word = node.of.word
        like = _meant(word, [*FUNCTIONS, *self.names])
        if word == "pi":
            return self.no_policy(node.of)
        if word in CONSTANTS:
            return self.error(f"`{word}` is a number here, and no function", node.at, "write * for a product")
        if not like and len(word) == len(node.arguments) == 1:  # as p in p(1 - p)
            return self._unknown(node.of)
        says = f"`{word[:40]}` is no function that is known here; there is {', '.join(FUNCTIONS)}"
        return self.error(says, node.at, like)

    def _function(self, word: str, node: Call) -> Any:
        if word == "sum" and len(node.arguments) > 1:
            return self._summed(node)
        values = [self.of(a) for a in node.arguments]
        if word in EACH:
            function, count = EACH[word]
            if len(values) != count:
                raise self.error(f"`{word}` takes {_count(count)}, and {len(values)} are written", node.at)
            return self._each(lambda *xs: self._applied(word, function, xs, node.at), values, node.at)
        if word in ("min", "max", "minimum", "maximum"):
            return self._extreme(Min if word.startswith("min") else Max, values, node.at)
        if len(values) != 1:
            raise self.error(f"`{word}` takes one argument, and {len(values)} are written", node.at)
        if word == "E":
            return self._expected(values[0], node)
        cells = _cells(values[0])
        self._spend(len(cells), node.at)
        if np.ndim(values[0]) == 0:
            raise self.error(f"`{word}` takes a vector, and a number is written", node.at, "write sum(R[k], k, 0, 2), or sum(R)")
        if word == "sum":
            return self._checked(sp.Add(*cells), node.at)
        weights = [self._applied("exp", sp.exp, (c,), node.at) for c in cells]
        return self._each(lambda w: w / sp.Add(*weights), [np.array(weights, dtype=object).reshape(np.shape(values[0]))], node.at)

    def _applied(self, word: str, function: Callable[..., Any], xs: Sequence[Any], at: int) -> Any:
        if any(x.is_infinite for x in xs if x.is_number):
            raise self.error(f"`{word}` of infinity has no value here", at, "write its limit")
        if word in EXPONENTIAL:
            self._exponentials(xs[0], at)
        if word in ("log", "ln") and xs[0] == 0:
            raise self.error("the logarithm of 0 has no value", at, "check its argument")
        return function(*xs)

    def _extreme(self, kind: Any, values: Sequence[Any], at: int) -> Any:
        """Of several values, entry by entry, or of the entries of one vector."""
        if len(values) == 1:
            if np.ndim(values[0]) == 0:
                raise self.error("the least or largest of one number was asked for", at, "write max(a, b), or max(w)")
            values = _cells(values[0])
        return self._each(kind, values, at)

    def _expected(self, value: Any, node: Call) -> Any:
        draws = {k: d for k, d in self.names.items() if isinstance(d, Draw) or (isinstance(d, Symbols) and _bundled(d))}
        if not draws:
            raise self.error("`E` is the mean over a draw, and there is no draw here", node.at, "write the mean as a sum")
        below = [self.names.get(_written(b)) for b in node.of.below]
        over = [d for d in below if isinstance(d, Draw)]
        if len(over) != len(below):
            says = f"what stands below `E` is no draw; there is {_listed(list(draws))}"
            raise self.error(says, node.of.below[0].at, "write E(...) for the mean over all of them")
        self._spend(max(1, np.size(value)), node.at)
        try:
            return E(value, over or None)
        except GradcheckError as error:
            raise self.error(str(error).rstrip("."), node.at) from error

    # ---- sums over an index -----------------------------------------------------------------------------------------------

    def _summed(self, node: Call) -> Any:
        """sum(body, k), or sum(body, k, first, last)."""
        body, name, *ends = node.arguments
        if not isinstance(name, Name) or name.below or len(ends) not in (0, 2):
            says = "this sum was expected as sum(w), sum(w[k], k), or with its ends"
            raise self.error(says, node.at, "write sum(w[k], k, 0, 2)")
        return self._total(Total(node.at, body, name.word, (ends[0], ends[1]) if ends else None))

    def _total(self, node: Total) -> Any:
        before = self.bound.get(node.index)
        if node.ends is None:
            count = self._reach(node)
            run = range(count)
        else:
            low, high = (self._whole(end) for end in node.ends)
            run = range(low, high + 1)
            if not 0 < len(run) <= RANGE:
                advice = f"write 1 to {RANGE} terms"
                raise self.error(f"this sum runs from {low} to {high}: it has {max(0, len(run))} terms", node.at, advice)
        terms: list[Any] = []
        try:
            for k in run:
                self.bound[node.index] = k
                self._spend(1, node.at)
                terms.append(self.of(node.body))
        finally:
            del self.bound[node.index]
            if before is not None:
                self.bound[node.index] = before
        return self._each(sp.Add, terms, node.at)

    def _whole(self, end: Node) -> int:
        value = self.of(end)
        if np.ndim(value) or not value.is_Integer or abs(value) > 10**6:
            raise self.error("the end of a sum is a whole number", end.at, "write sum(w[k], k, 0, 2)")
        return int(value)

    def _reach(self, node: Total) -> int:
        """How many entries an index has: those of what it reads."""
        found = set(self._axes(node.body, node.index))
        if len(found) == 1:
            return found.pop()
        says = "reads nothing" if not found else "reads vectors of different length"
        advice = f"write the ends of the sum: from {node.index} = 0 to 2"
        raise self.error(f"the index `{node.index[:40]}` of this sum {says}", node.at, advice)

    def _axes(self, node: Node, word: str) -> Generator[int]:
        """The lengths of all axes along which a name is an index."""
        match node:
            case Name() | Call(given=_):
                name = node.of if isinstance(node, Call) else node
                if name.below:
                    self._no_policy_in(name)
                value, below = self._looked_up(name)
                arguments = (*self._conditions(node, np.ndim(value)), *node.arguments) if isinstance(node, Call) else ()
                below = self._spread(below, np.ndim(value) - len(arguments))
                yield from self._read([*below, *arguments], value, word)
            case Entry(of=of, index=index):
                outer: list[Node] = []
                while isinstance(of, Entry):
                    outer, of = [*of.index, *outer], of.of
                self._no_policy_in(of)
                value, below = self._looked_up(of) if isinstance(of, Name) else (None, ())
                yield from self._read([*below, *outer, *index], value, word)
            case Sum(terms=parts) | Product(factors=parts):
                for _, part in parts:
                    yield from self._axes(part, word)
            case Power(base=base, exponent=exponent):
                yield from self._axes(base, word)
                yield from self._axes(exponent, word)
            case Total(body=body):
                yield from self._axes(body, word)
            case Vector(entries=entries):
                for entry in entries:
                    yield from self._axes(entry, word)
            case Number():
                pass

    def _read(self, indices: Sequence[Node], value: Any, word: str) -> Generator[int]:
        for at, place in enumerate(indices):
            if isinstance(place, Name) and place.word == word and not place.below and at < np.ndim(value):
                yield np.shape(value)[at]
            else:
                yield from self._axes(place, word)

    def _vector(self, values: Sequence[Any], at: int) -> Any:
        shapes = {np.shape(v) for v in values}
        if len(shapes) != 1 or len(shape := shapes.pop()) > 1:
            raise self.error("the rows of this vector differ in length", at, "write [[a, b], [c, d]] for a matrix")
        out = np.empty((len(values), *shape), dtype=object)
        for i, v in enumerate(values):
            out[i] = v
        return out.view(Array)


def _meant(word: str, known: Sequence[str]) -> str:
    return INSTEAD.get(word.replace("_", "")) or did_you_mean(word, known).strip()


def _cells(value: Any) -> list[Any]:
    return list(np.ravel(value)) if np.ndim(value) else [value]


def _shallow(e: Any) -> Generator[Any]:
    yield e
    for a in e.args:
        yield a
        yield from a.args


def _bits(x: Any) -> int:
    return max(x.p.bit_length(), x.q.bit_length()) if abs(x) != 1 and x != 0 else 0


def _written(node: Node) -> str:
    """An index as a word; nothing for a formula."""
    return node.text if isinstance(node, Number) else node.word if isinstance(node, Name) and not node.below else ""


def _values(place: Any) -> list[Any] | None:
    """The whole numbers that an index stands for."""
    if isinstance(place, Random):
        law = place.home.law
        return list(range(len(law.weights))) if isinstance(law, Finite) else None
    if isinstance(place, Atom) and isinstance(place.home, Variable):
        space = place.home.over
        return [rational(c) for c in space.choices] if isinstance(space, OneOf) and place.home.shape == () else None
    return None


def _bundled(x: Symbols) -> bool:
    return isinstance(getattr(x, "bundle", None), Bundle)


def _described(shape: tuple[int, ...]) -> str:
    if not shape:
        return "a number"
    return f"a vector of {shape[0]} entries" if len(shape) == 1 else f"a table of {' by '.join(map(str, shape))}"


def _count(n: int) -> str:
    return "one argument" if n == 1 else f"{n} arguments"


def _short(x: Any) -> str:
    text = str(x) if x.p.bit_length() + x.q.bit_length() < 200 else "written here"
    return text[:40]


def _listed(words: Sequence[str]) -> str:
    shown = ", ".join(words[:12]) or "nothing"
    return f"{shown}, and {len(words) - 12} more" if len(words) > 12 else shown
