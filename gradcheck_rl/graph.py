"""Formulas as a graph of words, each once."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from .errors import Unsuitable
from .notation import divided
from .stable import Logit, LogSum, LogSumOver
from .symbols import Atom, bare, frozen_, named_, step_

FUNCTIONS: dict[Any, str] = {
    sp.log: "log",
    sp.tanh: "tanh",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.atan: "arctan",
    sp.erf: "erf",
    sp.erfc: "erfc",
    sp.erfinv: "erfinv",
    sp.Abs: "abs",
    sp.sign: "sign",
    step_: "step",
}


def _minus(term: Any) -> bool:
    return bool(term.as_coeff_Mul()[0].is_negative)


class Node(NamedTuple):
    word: str
    args: tuple[int, ...]
    extra: str = ""


Index = tuple[Any, ...]
Placed = tuple[int, Index]  # a node, and the index that each of its axes but the last runs over


class Graph:
    """Nodes in the order of their making. Two formulas that differ in the letter of an index alone share one node."""

    def __init__(self, sizes: Sequence[Any], words: Mapping[str, str]) -> None:
        self.words = words
        self.nodes: list[Node] = []
        self.names: dict[int, str] = {}
        self.inputs: dict[str, tuple[Any, int]] = {}
        self.sizes = set(sizes)
        self._known: dict[Node, int] = {}
        self._taken: dict[str, Any] = {}
        self._ranges: dict[Any, tuple[Any, Any]] = {}
        self._lengths: dict[Any, int] = {}
        self._logs: dict[int, tuple[int, Index, str]] = {}

    def node(self, word: str, *args: int, extra: str = "") -> int:
        made = Node(word, args, extra)
        if made not in self._known:
            self._known[made] = len(self.nodes)
            self.nodes.append(made)
        return self._known[made]

    def name(self, word: str, of: Any) -> str:
        """A name of letters, digits and underscores that nothing else has."""
        plain = re.sub(r"[^A-Za-z0-9_]", "_", word)
        plain = plain if re.match(r"[A-Za-z]", plain) else f"x{plain}"
        while (
            keyword.iskeyword(plain)
            or plain in ("np", "torch", "math", "len", "abs", "range")
            or (self._taken.setdefault(plain, of) is not of and self._taken[plain] != of)
        ):
            plain += "_"
        return plain

    def input(self, word: str, of: Any, axes: int) -> int:
        name = self.name(word, of)
        self.inputs[name] = (of, axes)
        return self.node("name", extra=name)

    def visit(self, e: Any) -> Placed:
        if e.is_Rational and e.is_negative:
            return self.node("-", self.visit(-e)[0]), ()
        if e.is_Rational:
            return self.node("number", extra=str(e.p) if e.q == 1 else f"{e.p} / {e.q}"), ()
        if e.is_number:
            if not (e.is_comparable and e.is_finite):
                raise Unsuitable(f"{e} is no number")
            return self.node("number", extra=repr(float(e))), ()
        if e.is_Add:
            return self._fold("+", [self.visit(t) for t in sorted(e.args, key=lambda t: (_minus(t), t.is_Rational))])
        if e.is_Mul:
            return self._multiplied(e)
        if e.is_Pow:
            base, index = self.visit(e.base)
            if e.exp.is_Rational:
                return self._raised(base, e.exp), index
            return self._fold("**", [(base, index), self.visit(e.exp)])
        match e:
            case named_():
                at, index = self.visit(e.definition)
                word = "_".join(w for w in e.name.split("_") if w not in {str(i) for i in index})
                if self.nodes[at].word not in ("name", "number", "item"):
                    self.names.setdefault(at, self.name(word, ("named", at)))
                return at, index
            case frozen_():
                return self.visit(e.args[0])
            case sp.Indexed():
                return self._entry(e)
            case Atom():
                return self._atom(e)
            case sp.Symbol():
                return self._letter(e)
            case sp.KroneckerDelta():
                return self._delta(e)
            case sp.Sum() | sp.Product():
                return self._over(e)
            case LogSum():
                return self._log_sum(e.args)
            case LogSumOver():
                exponent, k, low, high = e.args
                return self._reduced("logsumexp", exponent, k, low, high)
            case Logit():
                return self._fold("logit", [self.visit(a) for a in e.args])
            case sp.Min() | sp.Max():
                return self._fold("minimum" if isinstance(e, sp.Min) else "maximum", [self.visit(a) for a in e.args])
            case sp.exp():
                inner, index = self.visit(e.args[0])
                return self._exponential(inner), index
            case _ if (word := FUNCTIONS.get(type(e))) and self.words.get(word) != "":
                inner, index = self.visit(e.args[0])
                return self.node(word, inner), index
            case _:
                raise Unsuitable(f"there is no code for {type(e).__name__.strip('_')}")

    def _fold(self, word: str, placed: Sequence[Placed]) -> Placed:
        index = tuple(sorted({i for _, own in placed for i in own}, key=str))
        nodes = [self.aligned(part, index) for part in placed]
        if word in ("+", "*"):
            return self.node(word, *nodes) if len(nodes) > 1 else nodes[0], index
        return reduce(lambda a, b: self.node(word, a, b), nodes), index

    def _exponential(self, at: int) -> int:
        """Of x - log sum exp(x) it is a softmax, which shares what the logarithm is made of."""
        match self.nodes[at]:
            case Node("+", (*terms, minus)) if self.nodes[minus].word == "-":
                (log,) = self.nodes[minus].args
                log = self.nodes[log].args[0] if self.nodes[log].word == "axes" else log
                x = terms[0] if len(terms) == 1 else self._known.get(Node("+", tuple(terms)), -1)
                if log in self._logs and self._logs[log][0] == x:
                    return self._softmax(*self._logs[log])
            case _:
                pass
        return self.node("exp", at)

    def _softmax(self, x: int, index: Index, axis: str) -> int:
        if "softmax" in self.words:
            return self.node("softmax", x, extra=axis)
        shares, _, left = self._shares(x, index, axis)
        return self._fold("/", [(shares, index), (self.node("sum", shares, extra=axis), left)])[0]

    def _log_sum_over(self, x: int, index: Index, axis: str) -> int:
        if "logsumexp" in self.words:
            log = self.node("logsumexp", x, extra=axis)
        else:
            shares, top, _ = self._shares(x, index, axis)
            log = self.node("+", top, self.node("log", self.node("sum", shares, extra=axis)))
        self._logs[log] = x, index, axis
        return log

    def _shares(self, x: int, index: Index, axis: str) -> tuple[int, int, Index]:
        """Exponentials shifted by the largest exponent that has a weight, the weights outside of them."""
        weight = None
        if self.nodes[x].word == "logit":
            weight, x = self.nodes[x].args
        left = (*index[: int(axis)], *index[int(axis) + 1 :])
        top = self.node("top", x if weight is None else self.node("allowed", weight, x), extra=axis)
        power, _ = self._fold("+", [(x, index), (self.node("-", top), left)])
        if weight is None:
            return self.node("exp", power), top, left
        return self.node("*", weight, self.node("exp", self.node("below", power))), top, left

    def aligned(self, part: Placed, index: Sequence[Any]) -> int:
        at, own = part
        if self.nodes[at].word == "-":
            return self.node("-", self.aligned((self.nodes[at].args[0], own), index))
        if not own or tuple(own) == tuple(index)[len(index) - len(own) :]:
            return at
        return self.node("axes", at, extra=", ".join(":" if i in own else "None" for i in index))

    def _multiplied(self, e: Any) -> Placed:
        number, rest = e.as_coeff_Mul()
        above, below = divided(sp.Mul.make_args(rest))
        if number.is_Rational and number.q != 1:
            below.insert(0, sp.Integer(number.q))
            number = sp.Integer(number.p)
        negative = bool(number.is_negative)
        if number not in (1, -1) or not above:
            above.insert(0, abs(number))
        top = self._fold("*", [self.visit(f) for f in above])
        whole = self._fold("/", [top, self._fold("*", [self.visit(f) for f in below])]) if below else top
        return (self.node("-", whole[0]), whole[1]) if negative else whole

    def _raised(self, base: int, exponent: Any) -> int:
        if exponent == sp.Rational(1, 2):
            return self.node("sqrt", base)
        if exponent.is_negative:
            return self.node("/", self.visit(sp.S.One)[0], self._raised(base, -exponent) if exponent != -1 else base)
        return self.node("**", base, self.visit(exponent)[0])

    def _atom(self, e: Any) -> Placed:
        home = e.home
        at = self.input(home.name, home, len(home.shape))
        return self.node("item", at, extra=", ".join(map(str, position(e)))) if home.shape else at, ()

    def _letter(self, e: Any) -> Placed:
        if e in self._ranges:
            low, axis = self._ranges[e]
            if axis is None:
                raise Unsuitable(f"nothing says how far {e} runs")
            at = self.node("range", axis)
            return self._fold("+", [(at, (e,)), self.visit(low)]) if low != 0 else (at, (e,))
        if e in self._lengths:
            return self.node("length", self._lengths[e]), ()
        return self.input(e.name, e, 0), ()

    def _entry(self, e: Any) -> Placed:
        base, *index = e.args
        at = self.input(str(base.label), base, len(index))
        letters = [i for i in index if not i.is_Integer]
        if not all(i.is_Symbol and i not in self.sizes for i in letters):
            raise Unsuitable(f"there is no code for the index of {e}")
        if len(letters) < len(index):
            at = self.node("item", at, extra=", ".join(":" if i in letters else str(i) for i in index))
        if len(set(letters)) < len(letters):
            if len(letters) != 2 or len(index) != 2:
                raise Unsuitable(f"there is no code for {e}")
            return self.node("diagonal", at), (letters[0],)
        wanted = tuple(sorted(letters, key=str))
        if wanted != tuple(letters):
            if len(letters) != 2:
                raise Unsuitable(f"there is no code for {e}")
            at = self.node("swapped", at)
        for i in letters:
            low, axis = self._ranges.get(i, (0, None))
            if low != 0:
                raise Unsuitable(f"{e} is read from {low} on")
            if axis is None:
                self._ranges[i] = (0, at if wanted[0] == i else self.node("swapped", at))
        return at, wanted

    def _delta(self, e: Any) -> Placed:
        i, j = sorted(e.args, key=str)
        if not (i.is_Symbol and j.is_Symbol) or i not in self._ranges:
            raise Unsuitable(f"there is no code for {e}")
        axis = self._ranges[i][1] if self._ranges[i][1] is not None else self._ranges.get(j, (0, None))[1]
        if axis is None:
            raise Unsuitable(f"nothing says how far {i} runs")
        return self.node("eye", axis), (i, j)

    def _over(self, e: Any) -> Placed:
        *inner, (k, low, high) = e.limits
        body = e.func(e.function, *inner) if inner else e.function
        return self._reduced("sum" if isinstance(e, sp.Sum) else "product", body, k, low, high)

    def _reduced(self, word: str, body: Any, k: Any, low: Any, high: Any) -> Placed:
        self._learn(body, k, low, high)
        at, index = self.visit(body)
        if k not in index:
            if word != "sum":
                raise Unsuitable(f"there is no code for a {word} of equal terms")
            return self._fold("*", [self.visit(high - low + 1), (at, index)])
        if low != 0 or high + 1 not in self.sizes:
            raise Unsuitable(f"the {word} over {k} from {low} to {high} is not over all of an axis")
        left = tuple(i for i in index if i != k)
        if word == "sum" and self.nodes[at].word == "*":
            factors = [self.visit(f) for f in sp.Mul.make_args(body)]
            if len(factors) == 2 and all(own == (k,) for _, own in factors):
                return self.node("dot", *(part for part, _ in factors)), left
        axis = str(index.index(k))
        return self._log_sum_over(at, index, axis) if word == "logsumexp" else self.node(word, at, extra=axis), left

    def _learn(self, body: Any, k: Any, low: Any, high: Any) -> None:
        """How far k runs, and so what the letter in its upper end is."""
        self._ranges.setdefault(k, (low, None))
        for cell in sorted((c for c in bare(body).atoms(sp.Indexed) if k in c.args[1:]), key=str):
            if high - low + 1 in self.sizes and low == 0:
                base, *index = cell.args
                at = self.input(str(base.label), base, len(index))
                at = at if index[0] == k else self.node("swapped", at)
                self._ranges[k] = (low, at)
                self._lengths.setdefault(high + 1, at)
                return

    def _log_sum(self, exponents: Sequence[Any]) -> Placed:
        others = [x for x in exponents if x != 0]
        if len(others) == len(exponents) - 1:
            at, index = self._log_sum(others) if len(others) > 1 else self.visit(others[0])
            return self.node("softplus", at), index
        return self._fold("logaddexp", [self.visit(x) for x in exponents])


def position(a: Any) -> tuple[int, ...]:
    cells = np.reshape(np.array(a.home.atoms, dtype=object), a.home.shape)
    return next(at for at, cell in np.ndenumerate(cells) if cell == a)
