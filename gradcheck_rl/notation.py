"""A formula as a person writes it: a tree of nested lists that says what is set where, and nothing of how it is drawn.

All that is decided in reading a formula is decided here: order, parentheses, signs, fractions, what a name looks like. The
kinds of a tree, each a list that begins with its kind:

    num "3"   id "theta"   text "otherwise"   fn "log"   op "+"     leaves
    row part...                                                     one after the other
    sub base index   sup base exponent   frac above below   root of   binom above below   accent "hat" base
    fence "(" ")" inside                                            brackets as high as what they hold
    big "sum" below above                                           a sign with its limits; what it runs over follows
    cases [value condition]...   matrix [cell...]...
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational

from .bundles import Bundle, Rows
from .claims import AtMost, Differs, Equal, Relation, Within
from .expectation import Expected, Slope
from .laws import Random
from .quantities import (
    Combined,
    Component,
    Covariance,
    Curl,
    Exact,
    Gradient,
    Hull,
    Mean,
    NonFinite,
    Over,
    Printed,
    Trace,
    Value,
    is_code,
)
from .symbols import Pick, Symbols, formula, frozen_, named_, plain, step_
from .typeset import GREEK, Tree

SPELLED = {"eps": "epsilon", "lam": "lambda", "lamda": "lambda", "varepsilon": "epsilon"}
ACCENTS = frozenset({"hat", "bar", "tilde"})

FUNCTIONS: dict[Any, str] = {
    sp.log: "log",
    sp.tanh: "tanh",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.atanh: "artanh",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.atan: "arctan",
    sp.erf: "erf",
    sp.erfc: "erfc",
    sp.erfinv: "erfinv",
    sp.sign: "sgn",
    sp.gamma: "Gamma",
}
POWERED = frozenset({"sin", "cos", "tan", "tanh", "sinh", "cosh"})  # tanh^2 u; but (log u)^2
RELATIONS: dict[Any, str] = {
    sp.Equality: "=",
    sp.Unequality: "!=",
    sp.StrictLessThan: "<",
    sp.LessThan: "<=",
    sp.StrictGreaterThan: ">",
    sp.GreaterThan: ">=",
}
CONSTANTS: dict[Any, str] = {sp.pi: "pi", sp.E: "e", sp.oo: "oo", sp.I: "i"}
SIGNS: dict[Any, str] = {sp.Sum: "sum", sp.Product: "product"}

# How tightly a formula holds together: a + b, then a b or what is open to the right (a sum's body, log x), then the rest.
SUM, PRODUCT, WHOLE = 0, 1, 2
FEW_DRAWS = 2
LONG_EXPONENT = 24
MOST_CELLS = 12
COUNTED = re.compile(r"\d+|[ijkmnt]")  # what may be an index of a word


class Piece(NamedTuple):
    tree: Tree
    level: int


def notation(of: Any) -> Tree:
    """The tree of a formula, or of an array of them: a column, or a matrix."""
    if isinstance(of, sp.MatrixBase):
        of = np.array(of.tolist(), dtype=object)
    cells = np.asarray(plain(of), dtype=object)
    if cells.size == 1:
        return _piece(formula(plain(cells.ravel()[0]))).tree
    table = cells if cells.ndim == 2 else cells.reshape(-1, 1)
    return ["matrix", *([_piece(formula(plain(e))).tree for e in row] for row in table)]


def size(tree: Any) -> int:
    """How many nodes a tree has."""
    return 1 + sum(size(part) for part in tree if isinstance(part, list))


def name(word: str) -> Tree:
    """A name as it is set: theta_0 and ref_k have an index, s0 too, g_hat a hat, log_sd is a word."""
    head, *tail = word.strip("_").split("_") if word.strip("_") else [word]
    head = SPELLED.get(head, head)
    if numbered := re.fullmatch(rf"([A-Za-z]|{'|'.join(GREEK)})(\d+)", head):
        head, tail = numbered[1], [numbered[2], *tail]
    tree: Tree = ["id", head]
    if not _letter(head):
        words = [w for w in tail if not COUNTED.fullmatch(w)]
        tree, tail = ["id", "_".join([head, *words])], [w for w in tail if COUNTED.fullmatch(w)]
    for accent in [w for w in tail if w in ACCENTS]:
        tree = ["accent", accent, tree]
    index = [w for w in tail if w not in ACCENTS]
    return _indexed(tree, [["num", w] if w.isdigit() else name(w) for w in index])


def _letter(word: str) -> bool:
    return len(word) == 1 or word in GREEK


def _indexed(tree: Tree, index: Sequence[Tree]) -> Tree:
    """Letters stand side by side, Lambda_ij; numbers and longer indices have commas between them."""
    if not index:
        return tree
    if tree[0] == "sub":
        return ["sub", tree[1], _row(*_separated([tree[2], *index]))]
    close = all(i[0] == "id" and _letter(i[1]) for i in index)
    return ["sub", tree, _row(*(index if close else _separated(index)))]


def _separated(parts: Iterable[Tree], sign: str = ",") -> list[Tree]:
    return [part for p in parts for part in (["op", sign], p)][1:]


def _row(*parts: Tree) -> Tree:
    flat = [inner for part in parts for inner in (part[1:] if part[0] == "row" else [part])]
    return flat[0] if len(flat) == 1 else ["row", *flat]


def _paren(tree: Tree) -> Tree:
    return ["fence", "(", ")", tree]


def _tuple(trees: Iterable[Tree]) -> Tree:
    return _paren(_row(*_separated(trees)))


def _at_least(piece: Piece, level: int) -> Tree:
    return piece.tree if piece.level >= level else _paren(piece.tree)


def _number(n: Any) -> Tree:
    return ["num", str(n)]


# ---- claims ---------------------------------------------------------------------------------------------------------------

LARGEST = 400
SIDES: dict[type, str] = {Equal: "=", AtMost: "<=", Differs: "!=", Within: "in"}


def stated(that: Any, where: Any = None) -> Tree:
    """What a claim states, and if what; nothing where it would be longer than a reader reads, or states no relation."""
    if not isinstance(that, Relation):
        return []
    tree = _related(that)
    if where is not None:
        tree = _row(tree, ["row", ["text", " if "], _related(where)])
    return tree if size(tree) <= LARGEST else []


def _related(that: Relation) -> Tree:
    right = _interval(that) if isinstance(that, Within) and that.bounds is not None else _stated(that.right)
    return _row(_ended(_stated(that.left).tree), ["op", SIDES[type(that)]], right.tree)


def _interval(that: Within) -> Piece:
    ends = (_stated(end).tree for end in that.sides[1:])
    return Piece(["fence", "[", "]", _row(*_separated(ends))], WHOLE)


def _stated(q: Any) -> Piece:
    """A quantity: code stands by its name."""
    match q:
        case Value(of=of) | Exact(of=of):
            return _leaf(of)
        case Gradient(of=of, wrt=wrt):
            by = [] if wrt is None else [wrt] if isinstance(wrt, Symbols) else list(wrt)
            nabla: Tree = ["id", "nabla"]
            if by:
                nabla = ["sub", nabla, _row(*_separated(name(v.name) for v in by))]
            return Piece(_row(nabla, _at_least(_leaf(of), WHOLE)), PRODUCT)
        case Mean(of=of, over=over):
            return _of(["accent", "hat", ["fn", "E"]] if isinstance(over, Rows) else ["fn", "E"], of, over)
        case Component(of=of, index=index) if isinstance(index, int):
            return Piece(["sub", _at_least(_stated(of), WHOLE), _piece(sp.Integer(index), inline=True).tree], WHOLE)
        case Combined(sign=sign, left=left, right=right):
            a, b = _stated(left), _stated(right)
            if sign == "/":
                return Piece(["frac", a.tree, b.tree], WHOLE)
            factor = _at_least(b, PRODUCT)
            if sign == "*" and a.tree == _digits("-1"):
                return Piece(_row(["op", "-"], factor), SUM)
            if sign == "*":
                return Piece(_row(_at_least(a, PRODUCT), ["op", "cdot"], factor), PRODUCT)
            return Piece(_row(a.tree, ["op", sign], factor), SUM)
        case Printed(digits=digits):
            cells = [_digits(d) for d in digits]
            return Piece(cells[0] if len(cells) == 1 else _tuple(cells), WHOLE)
        case Over(of=of):
            return _of(["fn", OVER.get(type(q), type(q).__name__.lower())], of, getattr(q, "over", None))
        case _:
            return Piece(["text", type(q).__name__], WHOLE)


OVER: dict[type, str] = {Covariance: "Cov", Trace: "tr", Curl: "curl", Hull: "hull", NonFinite: "nonfinite"}


def _of(sign: Tree, of: Any, over: Any) -> Piece:
    """With how many copies it is over."""
    if isinstance(over, Bundle) and over.copies[1] > 1:
        names, n = over.copies
        sign = ["sub", sign, _row(*_separated(map(name, names)), ["op", "times"], _number(n))]
    return Piece(_row(sign, ["fence", "[", "]", _stated(of).tree]), WHOLE)


def _leaf(of: Any) -> Piece:
    if is_code(of):
        return Piece(["id", of.__name__], WHOLE)
    cells = np.asarray(plain(of), dtype=object)
    if cells.size == 1:
        return _piece(formula(plain(cells.ravel()[0])))
    if cells.size > MOST_CELLS:
        return Piece(["text", f"{cells.size} entries"], WHOLE)
    return Piece(_tuple(_piece(formula(plain(e))).tree for e in cells.ravel()), WHOLE)


def _digits(digits: str) -> Tree:
    return _row(["op", "-"], ["num", digits[1:]]) if digits.startswith("-") else ["num", digits]


# ---- formulas -------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 12)
def _piece(e: Any, inline: bool = False) -> Piece:
    """The tree, and how tightly it holds together. `inline`: in an exponent or index, where a fraction is a/b."""
    if e.is_Add:
        return _sum(e, inline)
    if e.is_Mul or e.is_Rational or _content(e)[1] != e:
        return _product(e, inline)
    if e.is_Pow:
        return _power(e, inline)
    if e in CONSTANTS:
        return Piece(["id", CONSTANTS[e]], WHOLE)
    for kind, write in KINDS:
        if isinstance(e, kind):
            return write(e, inline)
    return Piece(["text", str(e)], WHOLE)


def _sum(e: Any, inline: bool) -> Piece:
    number = _shared(e)
    if number.q != 1 and not any(map(_stands_apart, e.args)):
        return _quotient(number, [sp.Add(*(term / number for term in e.args))], [], inline)
    parts: list[Tree] = []
    terms = _terms(e)
    for n, term in enumerate(terms, start=1):
        negative, positive = _sign(term)
        tree = _at_least(_piece(positive, inline), PRODUCT)
        if negative or parts:
            parts.append(["op", "-" if negative else "+"])
        parts.append(tree if n == len(terms) else _ended(tree))
    return Piece(_row(*parts), SUM)


def _terms(e: Any) -> list[Any]:
    """r_i - J, not -J + r_i; 1 + e^x and 1 - p, but x + 1; what runs to the right comes last."""
    terms: list[Any] = list(e.as_ordered_terms())
    wordy = any(t.has(sp.Function) for t in terms)

    def place(term: Any) -> tuple[bool, bool, bool]:
        return (_sign(term)[0], _opens(term), bool(term.is_Rational) and not wordy)

    if wordy:
        terms.sort(key=lambda t: not t.is_Rational)
    return sorted(terms, key=place)


def _sign(e: Any) -> tuple[bool, Any]:
    number, _ = _numbered(e)
    return (True, -e) if number.is_negative else (False, e)


def _numbered(e: Any) -> tuple[Any, list[Any]]:
    """The number of a product and its other factors: 2 (a + b), which SymPy keeps as 2 a + 2 b where it is a factor."""
    number, rest = e.as_coeff_Mul()
    found = [_content(factor) for factor in sp.Mul.make_args(rest) if factor is not sp.S.One]
    return sp.Mul(number, *(c for c, _ in found)), [factor for _, factor in found]


def _content(e: Any) -> tuple[Any, Any]:
    """The number that all terms of a sum share, and a minus, taken out of the sum; out of its square only the minus."""
    base, power = e.as_base_exp() if e.is_Pow else (e, sp.S.One)
    if not (base.is_Add and power.is_Integer):
        return sp.S.One, e
    number = _shared(base) if power <= 1 else sp.S.One
    if all(term.as_coeff_Mul()[0].is_negative for term in base.args):
        number = -number
    return (sp.S.One, e) if number == 1 else (number**power, sp.Add(*(term / number for term in base.args)) ** power)


def _shared(e: Any) -> Any:
    """The number that all terms have: 2 of 2 a + 4 b, and of a / 2 + b / 2 the half; a / 2 + 1 is left alone."""
    number = e.primitive()[0]
    return number if all(term.as_coeff_Mul()[0].q == number.q for term in e.args) else sp.S.One


def _opens(e: Any) -> bool:
    """Does it run to the right without an end: a sum, a product, an integral, a derivative, cases?"""
    return any(isinstance(f, (sp.Sum, sp.Product, sp.Integral, sp.Derivative, Slope, sp.Piecewise)) for f in sp.Mul.make_args(e))


def divided(factors: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """What stands over the line of a fraction, and what under it."""
    above: list[Any] = []
    below: list[Any] = []
    for factor in factors:
        inverse = factor.is_Pow and factor.exp.is_Rational and factor.exp.is_negative
        (below if inverse else above).append(1 / factor if inverse else factor)
    return above, below


def _product(e: Any, inline: bool) -> Piece:
    number, factors = _numbered(e)
    negative, number = number.is_negative, -number if number.is_negative else number
    above, below = divided(factors)
    if not number.is_Rational:
        above.insert(0, number)
        number = sp.S.One
    tree = _quotient(number, sorted(above, key=_rank), sorted(below, key=_rank), inline)
    if negative:
        return Piece(_row(["op", "-"], _at_least(tree, PRODUCT)), SUM)
    return tree


def _quotient(number: Any, above: list[Any], below: list[Any], inline: bool) -> Piece:
    divides = bool(below) or number.q != 1
    wide = [f for f in above if _stands_apart(f)] if divides and not inline else []
    inner = [f for f in above if f not in wide]
    top = _factors(number.p, inner, inline)
    if not divides:
        return top
    bottom = _factors(number.q, below, inline)
    if inline:
        tree = _row(_at_least(top, WHOLE if _ends_open(inner) else PRODUCT), ["op", "/"], _at_least(bottom, WHOLE))
        return Piece(tree, PRODUCT)
    fraction: Tree = ["frac", top.tree, bottom.tree]
    if not wide:
        return Piece(fraction, WHOLE)
    after = _factors(1, wide, inline)
    return Piece(_row(fraction, _at_least(after, PRODUCT)), PRODUCT)


def _ends_open(factors: list[Any]) -> bool:
    """Does a function stand last whose argument has no parentheses? log x / 2 may be read as log (x / 2); so may a product."""
    last = factors[-1] if factors else sp.S.One
    return isinstance(last, sp.Product) or (_plain_function(last) and _piece(last, inline=True).level == PRODUCT)


def _stands_apart(e: Any) -> bool:
    """Does it stand after a fraction, rather than over its line: what runs to the right, and the logarithm of a fraction?"""
    return _opens(e) or any(
        isinstance(f, Expected) or (type(f) in FUNCTIONS and _holds(_piece(f).tree, ("frac",))) for f in sp.Mul.make_args(e)
    )


def _factors(number: int, factors: list[Any], inline: bool) -> Piece:
    if not factors:
        return Piece(_number(number), WHOLE)
    if number == 1 and len(factors) == 1:
        return _piece(factors[0], inline)
    trees: list[Tree] = [] if number == 1 else [_number(number)]
    pieces = [_piece(factor, inline) for factor in factors]
    for factor, piece, after, beside in itertools.zip_longest(factors, pieces, factors[1:], pieces[1:]):
        functions = after is not None and _plain_function(factor) and _plain_function(after)
        bare = beside is None or (functions and _first(beside.tree)[0] == "fn")
        tree = _at_least(piece, PRODUCT if bare else WHOLE)
        if trees and _first(tree)[0] == "num":
            trees.append(["op", "cdot"])
        trees.append(tree)
    return Piece(_row(*trees), PRODUCT)


def _plain_function(e: Any) -> bool:
    """A function in a row of functions, which stand last: sin u cos u."""
    return type(e.base if e.is_Pow else e) in FUNCTIONS


def _ended(tree: Tree) -> Tree:
    """In parentheses if cases stand last: what follows would be read as one of their conditions."""
    last = tree
    while last[0] == "row":
        last = last[-1]
    return _paren(tree) if last[0] == "cases" else tree


def _first(tree: Tree) -> Tree:
    return _first(tree[1]) if tree[0] in ("row", "sup", "sub") else tree


def _rank(factor: Any) -> tuple[int, int, str]:
    """Numbers, letters, what is drawn, powers of e, sums in parentheses, functions (of numbers too), what runs right."""
    base = factor.base if factor.is_Pow else factor
    if factor.is_number and not _plain_function(factor):
        return (0, 0, "")
    if isinstance(base, sp.exp):
        return (3, 0, str(base))
    if base.is_Add:
        return (4, 0, "")
    if isinstance(base, (sp.Symbol, sp.Indexed, named_, sp.KroneckerDelta)):
        order = isinstance(base, Random) + 2 * isinstance(base, (sp.Indexed, named_)) + 3 * isinstance(base, sp.KroneckerDelta)
        return (1, order, f"{not _letter(str(base).partition('_')[0])}{base}")
    if _opens(factor):
        return (9, 0, "")
    if isinstance(base, Expected):
        return (7, 0, "")
    if isinstance(base, AppliedUndef):
        return (2, 0, str(base))
    return (6 if type(base) in FUNCTIONS else 5, 0, str(base)[:80])


def _power(e: Any, inline: bool) -> Piece:
    base, exponent = e.args
    if exponent.is_Rational and exponent.is_negative:
        return _quotient(sp.S.One, [], [1 / e], inline)
    if exponent == sp.Rational(1, 2):
        return Piece(["root", _piece(base).tree], WHOLE)
    above = _piece(exponent, inline=True).tree
    if type(base) in FUNCTIONS and FUNCTIONS[type(base)] in POWERED and exponent.is_Integer:
        return _called(["sup", ["fn", FUNCTIONS[type(base)]], above], base.args[0], inline)
    piece = _piece(base, inline)
    simple = piece.level == WHOLE and piece.tree[0] in ("id", "num", "sub", "fence", "accent")
    return Piece(["sup", piece.tree if simple else _paren(piece.tree), above], WHOLE)


def _exponential(e: Any, inline: bool) -> Piece:
    exponent = _piece(e.args[0], inline=True).tree
    if size(exponent) > LONG_EXPONENT or _holds(exponent, ("big", "cases", "matrix")):
        return Piece(_row(["fn", "exp"], _paren(_piece(e.args[0], inline).tree)), WHOLE)
    return Piece(["sup", ["id", "e"], exponent], WHOLE)


def _holds(tree: Tree, kinds: tuple[str, ...]) -> bool:
    return tree[0] in kinds or any(_holds(part, kinds) for part in tree if isinstance(part, list) and part)


def _function(e: Any, inline: bool) -> Piece:
    return _called(["fn", FUNCTIONS[type(e)]], e.args[0], inline)


def _called(fn: Tree, argument: Any, inline: bool) -> Piece:
    """log x and tanh^2 u without parentheses, log (2 x), log (x + y) and Gamma (x) with them."""
    piece = _piece(argument, inline)
    if piece.level == WHOLE and piece.tree[0] in ("id", "num", "sub", "frac", "accent") and fn != ["fn", "Gamma"]:
        return Piece(_row(fn, piece.tree), PRODUCT)
    return Piece(_row(fn, _paren(piece.tree)), WHOLE)


def _expected(e: Any, inline: bool) -> Piece:
    draws = list(dict.fromkeys(atoms[0].home.name for atoms, _ in e.pairs))
    sign: Tree = ["fn", "E"]
    if len(draws) <= FEW_DRAWS:
        sign = ["sub", sign, _row(*_separated([name(d) for d in draws]))]
    return Piece(_row(sign, ["fence", "[", "]", _piece(e.body).tree]), WHOLE)


def _derivative(of: Any, by: Sequence[tuple[Any, Any]], inline: bool) -> Piece:
    order = sum(n for _, n in by)
    top: Tree = ["op", "partial"] if order == 1 else ["sup", ["op", "partial"], _piece(order, inline=True).tree]
    below: list[Tree] = []
    for x, n in by:
        x_tree = _unapplied(x)
        below += [["op", "partial"], x_tree if n == 1 else ["sup", x_tree, _piece(n, inline=True).tree]]
    if isinstance(of, (AppliedUndef, sp.Symbol, named_)):
        return Piece(["frac", _row(top, _unapplied(of)), _row(*below)], WHOLE)
    return Piece(_row(["frac", top, _row(*below)], _at_least(_piece(of, inline), PRODUCT)), PRODUCT)


def _unapplied(x: Any) -> Tree:
    """In a derivative a function is its name: the arguments would bury it."""
    return name(x.func.__name__) if isinstance(x, AppliedUndef) else _piece(x).tree


def _written_derivative(e: Any, inline: bool) -> Piece:
    return _derivative(e.expr, e.variable_count, inline)


def _slope(e: Any, inline: bool) -> Piece:
    return _derivative(e.args[0], [(e.args[1], sp.S.One)], inline)


def _big(e: Any, inline: bool) -> Piece:
    signs: list[Tree] = []
    for k, low, high in reversed(e.limits):
        below = _row(_piece(k, inline=True).tree, ["op", "="], _piece(low, inline=True).tree)
        signs.append(["big", SIGNS[type(e)], below, _piece(high, inline=True).tree])
    return Piece(_row(*signs, _at_least(_piece(e.function, inline), PRODUCT)), PRODUCT)


def _integral(e: Any, inline: bool) -> Piece:
    signs: list[Tree] = []
    ends: list[Tree] = []
    for x, *limits in reversed(e.limits):
        low, high = (_piece(end, inline=True).tree for end in limits) if len(limits) == 2 else (["row"], ["row"])
        signs.append(["big", "integral", low, high])
        ends = [["op", "d"], _piece(x).tree, *ends]
    return Piece(_row(*signs, _at_least(_piece(e.function, inline), PRODUCT), *ends), PRODUCT)


def _entry(e: Any, inline: bool) -> Piece:
    base, *index = e.args
    return Piece(_indexed(name(str(base.label)), [_piece(i, inline=True).tree for i in index]), WHOLE)


def _pick(e: Any, inline: bool) -> Piece:
    home, index = e.written
    trees = [["num", str(i)] if isinstance(i, int) else _piece(i, inline=True).tree for i in index]
    if home:
        return Piece(_indexed(name(home), trees), WHOLE)
    return Piece(_indexed(_tuple(_piece(c, inline).tree for c in e.args[0]), trees), WHOLE)


def _cases(e: Any, inline: bool) -> Piece:
    rows: list[list[Tree]] = []
    for value, condition in e.args:
        says: Tree = ["text", "otherwise"] if condition == sp.true else _piece(condition).tree
        rows.append([_piece(value).tree, says])
    return Piece(["cases", *rows], PRODUCT)


def _joined(word: str) -> Callable[[Any, bool], Piece]:
    def write(e: Any, inline: bool) -> Piece:
        found = [_piece(a, inline).tree if isinstance(a, Relational) else _paren(_piece(a, inline).tree) for a in e.args]
        return Piece(_row(*[part for tree in found for part in (["text", f" {word} "], tree)][1:]), SUM)

    return write


def _indicator(e: Any, inline: bool) -> Piece:
    """1[x >= 10], not 1[x - 10 >= 0]."""
    taken = sp.Add(*(-term for term in sp.Add.make_args(e.args[0]) if _sign(term)[0]))
    sides = (_piece(side).tree for side in (e.args[0] + taken, taken))
    return Piece(_row(["fn", "1"], ["fence", "[", "]", _row(*_separated(sides, ">="))]), WHOLE)


def _relation(e: Any, inline: bool) -> Piece:
    left, right = (_piece(side, inline).tree for side in e.args)
    return Piece(_row(left, ["op", RELATIONS[type(e)]], right), SUM)


def _listed(word: str) -> Callable[[Any, bool], Piece]:
    def write(e: Any, inline: bool) -> Piece:
        return Piece(_row(["fn", word], _tuple(_piece(a, inline).tree for a in sp.ordered(_flat(e)))), WHOLE)

    return write


def _flat(e: Any) -> Iterator[Any]:
    """The largest of the largest is the largest of all."""
    kind = sp.Max if isinstance(e, sp.Max) else sp.Min
    for a in e.args:
        yield from _flat(a) if isinstance(a, kind) else (a,)


KINDS: tuple[tuple[Any, Callable[[Any, bool], Piece]], ...] = (
    ((sp.Symbol, named_), lambda e, _: Piece(name(e.name), WHOLE)),
    (sp.Indexed, _entry),
    (sp.exp, _exponential),
    (Expected, _expected),
    (Slope, _slope),
    (Pick, _pick),
    (frozen_, lambda e, _: Piece(_row(["fn", "sg"], ["fence", "[", "]", _piece(e.args[0]).tree]), WHOLE)),
    ((step_, sp.Heaviside), _indicator),
    (tuple(FUNCTIONS), _function),
    (tuple(SIGNS), _big),
    (sp.Integral, _integral),
    (sp.Derivative, _written_derivative),
    (sp.KroneckerDelta, lambda e, _: Piece(_indexed(["id", "delta"], [_piece(i, inline=True).tree for i in e.args]), WHOLE)),
    (sp.Piecewise, _cases),
    (sp.Min, _listed("min")),
    (sp.Max, _listed("max")),
    (sp.Abs, lambda e, _: Piece(["fence", "|", "|", _piece(e.args[0]).tree], WHOLE)),
    (sp.binomial, lambda e, _: Piece(["binom", *(_piece(a).tree for a in e.args)], WHOLE)),
    (tuple(RELATIONS), _relation),
    (AppliedUndef, lambda e, _: Piece(_row(name(e.func.__name__), _tuple(_piece(a).tree for a in e.args)), WHOLE)),
    (sp.Tuple, lambda e, _: Piece(_tuple(_piece(a).tree for a in e.args), WHOLE)),
    (sp.And, _joined("and")),
    (sp.Or, _joined("or")),
    (sp.Function, lambda e, _: Piece(_row(["fn", type(e).__name__], _tuple(_piece(a).tree for a in e.args)), WHOLE)),
    (sp.Float, lambda e, _: Piece(_number(f"{float(e):.12g}"), WHOLE if e >= 0 else SUM)),
)
