"""A closed form as a function of numpy or torch: shared parts once, arrays of shape (K, B), no exponential that overflows.

The text is written from formulas by the words below and from nothing else: names are made of letters and digits, and what has
no word is refused. It is run once, here, against the exact model before it is shown; it is never evidence for the model.
"""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple, cast

import numpy as np
import sympy as sp
from flint import fmpq

from .derivation import Derivation, at_size, evaluable
from .errors import Unsuitable
from .expectation import closed
from .expressions import values
from .notation import divided
from .points import generator
from .rings import image
from .spaces import Masks, Normal, Simplex
from .symbols import Atom, bare, entries, frozen_, named_, step_

# What a library writes in its own way; {0}, {1} are written in place.
WORDS: dict[str, dict[str, str]] = {
    "numpy": {
        "softplus": "np.logaddexp(0, {0})",
        "logaddexp": "np.logaddexp({0}, {1})",
        "logit": "np.where({0} > 0, {1} + np.log(np.where({0} > 0, {0}, 1)), -np.inf)",
        "top": "{0}.max(axis={1})",
        "below": "np.clip({0}, -np.inf, 0)",  # three times as fast as np.minimum with a number
        "allowed": "(-1e300 * ({0} == 0) + {1})",  # numpy writes a sum into what was just made
        "sum": "{0}.sum(axis={1})",
        "dot": 'np.einsum("i...,i...", {0}, {1})',
        "product": "{0}.prod(axis={1})",
        "abs": "abs({0})",
        "eye": "np.eye(len({0}))[:, :, None]",
        "range": "np.arange(len({0}))[:, None]",
        "arctan": "np.arctan({0})",
        "step": "np.heaviside({0}, 1)",
        "stack": "np.stack(np.broadcast_arrays({0}))",
    },
    "torch": {
        "softplus": "torch.nn.functional.softplus({0}, threshold=40)",  # beyond, rounding hides the 1
        "logaddexp": "torch.logaddexp({0}, {1})",
        "logsumexp": "torch.logsumexp({0}, {1})",
        "logit": "torch.where({0} > 0, {1} + torch.where({0} > 0, {0}, 1.0).log(), -torch.inf)",
        "softmax": "{0}.softmax({1})",
        "sum": "{0}.sum({1})",
        "dot": 'torch.einsum("i...,i...", {0}, {1})',
        "product": "{0}.prod({1})",
        "abs": "abs({0})",
        "eye": "torch.eye(len({0}), dtype=torch.float64)[:, :, None]",
        "range": "torch.arange(len({0}), dtype=torch.float64)[:, None]",
        "arctan": "torch.atan({0})",
        "step": "torch.heaviside({0}, torch.ones_like({0}))",
        "stack": "torch.stack(torch.broadcast_tensors({0}))",
        "sqrt": "{0} ** 0.5",
    },
}
MODULES = {"numpy": ("np", "import numpy as np"), "torch": ("torch", "import torch")}
FUNCTIONS: dict[Any, str] = {
    sp.log: "log",
    sp.tanh: "tanh",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.atan: "arctan",
    sp.Abs: "abs",
    sp.sign: "sign",
    step_: "step",
}
SUM, PRODUCT, POWER, WHOLE = range(4)

ROWS, LARGE, CLOSE = 3, 1000, 1e-9


# ---- forms that neither overflow nor lose digits --------------------------------------------------------------------------


class LogSum(sp.Function):
    """The logarithm of a sum of exponentials, by its exponents."""

    def _eval_is_real(self) -> bool:
        return True


class LogSumOver(sp.Function):
    """The same of a sum over an index: the exponent, then (index, first, last)."""

    def _eval_is_real(self) -> bool:
        return True


class Logit(sp.Function):
    """u + log w, where a weight w of 0 gives minus infinity."""

    def _eval_is_real(self) -> bool:
        return True


def stable(e: Any) -> Any:
    """A sum of exponentials is carried by its logarithm: softmax, sigmoid, softplus and the slope of tanh are all that."""
    if not e.args or e.is_number or isinstance(e, (sp.Indexed, named_)):
        return e.func(e.args[0], stable(e.definition)) if isinstance(e, named_) else e
    if e.is_Mul or e.is_Pow:
        return _product(e)
    if isinstance(e, sp.log) and e.args[0].has(named_):
        return stable(bare(e))
    e = e.func(*(a if isinstance(a, sp.Tuple) else stable(a) for a in e.args))
    if isinstance(e, sp.log):
        inside = e.args[0]
        if (found := _log_sum(inside)) is not None:
            return found
        return sp.expand_log(e, force=True) if inside.has(sp.exp) and inside.is_Mul else e
    return _slope_of_tanh(e) if e.is_Add else e


def _slope_of_tanh(e: Any) -> Any:
    """c - c tanh(u)^2 is 4 c / (e^u + e^-u)^2."""
    squares = [t for t in e.atoms(sp.Pow) if isinstance(t.base, sp.tanh) and t.exp == 2]
    for square in squares:
        c = e.coeff(square)
        if c != 0 and sp.expand(e + c - c * square) == 0:
            u = square.base.args[0]
            return -c * sp.exp(2 * (sp.log(2) - u - LogSum(sp.S.Zero, -2 * u)))
    return e


def _product(e: Any) -> Any:
    above: list[Any] = []
    logs: list[Any] = []
    for factor in sp.Mul.make_args(e):
        base, power = factor.as_base_exp() if factor.is_Pow else (factor, sp.S.One)
        base = stable(base)
        log = _log_sum(base) if power.is_Integer and power < 0 else None
        if log is not None:
            logs += [log] * -int(power)
        else:
            above.append(base**power)
    if not logs:
        return sp.Mul(*above)
    done: list[Any] = []
    for factor in above:
        if logs and (factor.is_Add or isinstance(factor, sp.Sum)) and _untamed(factor):
            done.append(_inside(factor, logs.pop()))
        else:
            done.append(factor)
    return _lowered(sp.Mul(*done), sp.Add(*logs)) if logs else sp.Mul(*done)


def _untamed(e: Any) -> bool:
    """Is there an exponential in it that nothing holds down yet?"""
    return any(not power.args[0].has(LogSum, LogSumOver) for power in e.atoms(sp.exp))


def _inside(factor: Any, log: Any) -> Any:
    if isinstance(factor, sp.Sum):
        return factor.func(_lowered(factor.function, log), *factor.limits)
    return sp.Add(*(_lowered(term, log) for term in factor.args))


def _lowered(e: Any, log: Any) -> Any:
    """e exp(-log), where the weights of an exponential go up into it."""
    factors = list(sp.Mul.make_args(e))
    exponents = _exponents(factors)
    weights = [f for f in factors if exponents and _is_weight(f)]
    rest = [f for f in factors if not isinstance(f, sp.exp) and f not in weights]
    return sp.Mul(*rest) * sp.exp(_weighted(weights, sp.Add(*exponents)) - log)


def _exponents(factors: Sequence[Any]) -> list[Any]:
    return [f.args[0] for f in factors if isinstance(f, sp.exp)]


def _weighted(weights: Sequence[Any], exponent: Any) -> Any:
    return reduce(lambda u, w: cast("Any", Logit)(w, u), weights, exponent)


def _is_weight(e: Any) -> bool:
    """Is it positive, or a mask?"""
    return bool(e.is_symbol) and (bool(e.is_positive) or isinstance(getattr(getattr(e, "home", None), "over", None), Masks))


def _log_sum(e: Any) -> Any:
    """The logarithm of a sum of positive exponentials; None of what is no such sum."""
    if isinstance(e, named_):
        return _log_sum(e.definition)
    if isinstance(e, sp.Sum) and len(e.limits) == 1:
        exponent = _exponent(e.function)
        return None if exponent is None else LogSumOver(exponent, *e.limits[0])
    if not (e.is_Add and e.has(sp.exp)):
        return None
    exponents = [_exponent(term) for term in e.args]
    return None if None in exponents else LogSum(*exponents)


def _exponent(term: Any) -> Any:
    factors = sp.Mul.make_args(term)
    powers = _exponents(factors)
    numbers = [f for f in factors if f.is_number and not isinstance(f, sp.exp)]
    weights = [f for f in factors if _is_weight(f)]
    if len(powers) + len(numbers) + len(weights) < len(factors) or not all(n.is_positive for n in numbers):
        return None
    if not powers and weights:
        return None
    return _weighted(weights, sp.Add(*powers, *(sp.log(n) for n in numbers)))


# ---- formulas as a graph of words, each once ------------------------------------------------------------------------------


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
            or plain in ("np", "torch", "len", "abs", "range")
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
            case _ if type(e) in FUNCTIONS:
                inner, index = self.visit(e.args[0])
                return self.node(FUNCTIONS[type(e)], inner), index
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
        return self.node("item", at, extra=", ".join(map(str, _position(e)))) if home.shape else at, ()

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


# ---- the graph as text ----------------------------------------------------------------------------------------------------

LEAVES = frozenset({"name", "number", "item", "length", "axes", "swapped", "-"})


class Text:
    """The graph in the words of a library: lines for what is used more than once or has a name, and the outputs."""

    def __init__(self, graph: Graph, library: str) -> None:
        self.graph, self.words, self.module = graph, WORDS[library], MODULES[library][0]
        self.lines: list[str] = []
        self._written: dict[int, tuple[str, int]] = {}
        self._uses: list[int] = []

    def outputs(self, nodes: Sequence[int]) -> list[str]:
        self._uses = [0] * len(self.graph.nodes)
        waiting = list(nodes)
        while waiting:
            at = waiting.pop()
            self._uses[at] += 1
            node = self.graph.nodes[at]
            if self._uses[at] == 1 or node.word == "-":  # what is negative twice is written twice
                waiting += node.args * self.words.get(node.word, "").count("{0}") or node.args
        return [self._write(at) for at in nodes]

    def _own_line(self, at: int) -> bool:
        node = self.graph.nodes[at]
        words = [self.graph.nodes[a].word for a in node.args]
        short = node.word in LEAVES or (node.word == "*" and words[0] == "number" and words[1:] == ["name"])
        return at in self.graph.names or (self._uses[at] > 1 and not short)

    def _write(self, at: int, least: int = SUM) -> str:
        if at not in self._written:
            own = self._own_line(at)
            if own and self._is_share(at):
                whole, total = self.graph.nodes[at].args
                name = self._named(at, self._composed(self.graph.nodes[whole])[0])
                self._written[whole] = name, WHOLE
                self.lines.append(f"{name} /= {self._write(total)}")
            elif own:
                self._named(at, self._composed(self.graph.nodes[at])[0])
            else:
                self._written[at] = self._composed(self.graph.nodes[at])
        text, level = self._written[at]
        return text if level >= least else f"({text})"

    def _named(self, at: int, text: str) -> str:
        name = self.graph.names.get(at) or self.graph.name(f"part{len(self.lines) + 1}", ("shared", at))
        self.lines.append(f"{name} = {text}")
        self._written[at] = name, WHOLE
        return name

    def _is_share(self, at: int) -> bool:
        """Exponentials over their own sum, which nothing else uses, are divided in place."""
        nodes = self.graph.nodes
        match nodes[at]:
            case Node("/", (whole, total)) if nodes[total] == Node("sum", (whole,), "0"):
                exponential = "exp" in (
                    nodes[whole].word,
                    *(nodes[n].word for n in nodes[whole].args if nodes[whole].word == "*"),
                )
                alone = self._uses[whole] == 2 and whole not in self.graph.names and whole not in self._written
                return exponential and alone
            case _:
                return False

    def _composed(self, node: Node) -> tuple[str, int]:
        args = node.args
        match node.word:
            case "name" | "number":
                return node.extra, PRODUCT if "/" in node.extra else WHOLE
            case "+":
                first = SUM if self.graph.nodes[args[0]].word == "-" else PRODUCT
                return self._write(args[0], first) + "".join(map(self._added, args[1:])), SUM
            case "-":
                return f"-{self._write(args[0], PRODUCT)}", SUM
            case "*":
                first, *rest = args
                return " * ".join([self._write(first, PRODUCT), *(self._write(a, POWER) for a in rest)]), PRODUCT
            case "/":
                return f"{self._write(args[0], PRODUCT)} / {self._write(args[1], POWER)}", PRODUCT
            case "**":
                return f"{self._write(args[0], WHOLE)} ** {self._write(args[1], WHOLE)}", POWER
            case "item" | "axes":
                return f"{self._write(args[0], WHOLE)}[{node.extra}]", WHOLE
            case "swapped":
                return f"{self._write(args[0], WHOLE)}.swapaxes(0, 1)", WHOLE
            case "length":
                return f"len({self._write(args[0])})", WHOLE
            case "diagonal":
                every = f"range(len({self._write(args[0])}))"
                return f"{self._write(args[0], WHOLE)}[{every}, {every}]", WHOLE
            case word if word in self.words:
                method = self.words[word].startswith("{0}")
                pieces = [self._write(a, WHOLE) if method and a == args[0] else self._argument(a) for a in args]
                return self.words[word].format(*pieces, *([node.extra] if node.extra else [])), POWER if word == "sqrt" else WHOLE
            case word:
                return f"{self.module}.{word}({', '.join(map(self._argument, args))})", WHOLE

    def _argument(self, at: int) -> str:
        """Functions of torch take no plain numbers."""
        text = self._write(at)
        return f"torch.tensor({text}, dtype=torch.float64)" if self.module == "torch" and self._is_plain(at) else text

    def _is_plain(self, at: int) -> bool:
        node = self.graph.nodes[at]
        return node.word in ("number", "length") or (
            node.word in ("+", "-", "*", "/", "**") and all(map(self._is_plain, node.args))
        )

    def _added(self, at: int) -> str:
        node = self.graph.nodes[at]
        if node.word == "-" and not self._own_line(at):
            return f" - {self._write(node.args[0], PRODUCT)}"
        return f" + {self._write(at, PRODUCT)}"


def functions(chosen: Mapping[str, Derivation], library: str, seed: int = 0) -> str:
    """The closed forms of several derivations as one module; where there is no code, a comment says why."""
    texts: list[str] = []
    for name, d in chosen.items():
        try:
            texts.append(function(name, d, library, seed))
        except Unsuitable as error:
            texts.append(f"# {name}: {error}.\n")
    return "\n\n".join([MODULES[library][1] + "\n", *texts])


def function(name: str, d: Derivation, library: str, seed: int = 0) -> str:
    """The last line of a derivation as a function of `library`, after it has agreed with the exact model."""
    cells = [closed(e) for e in entries(d.lines[-1][0])]
    graph = Graph(d.counts, WORDS[library])
    for entry in sorted({i for e in cells for i in bare(e).atoms(sp.Indexed) if i.free_symbols & set(d.sizes)}, key=str):
        graph.visit(entry)  # how far its letters run is known before a Kronecker delta asks
    placed = [graph.visit(stable(e)) for e in cells]
    index = tuple(sorted({i for _, own in placed for i in own}, key=str))
    text = Text(graph, library)
    outputs = text.outputs([graph.aligned(p, index) for p in placed])
    whole = outputs[0] if len(outputs) == 1 else WORDS[library]["stack"].format(", ".join(outputs))
    if not graph.inputs:
        raise Unsuitable(f"it is {whole}, whatever is given")
    order = sorted(graph.inputs, key=lambda n: (-graph.inputs[n][1], n))
    called = graph.name(name, d)
    says = _quoted(f"{d.title}. {_shapes(graph, order, index, len(outputs))}")
    lines = [f"def {called}({', '.join(order)}):", says, *text.lines, f"return {whole}"]
    code = "\n    ".join(lines) + "\n"
    _compare(_compiled(code, called, library), d, cells, index, [graph.inputs[n] for n in order], seed)
    return code


def _shapes(graph: Graph, order: Sequence[str], index: Sequence[Any], outputs: int) -> str:
    def shape(axes: Sequence[str]) -> str:
        return f"({', '.join([*axes, 'B'])}{'' if axes else ','})"

    found: dict[str, list[str]] = {}
    for name in order:
        of, axes = graph.inputs[name]
        own = ["K"] * axes if isinstance(of, sp.Basic) else [str(n) for n in of.shape]
        found.setdefault(shape(own), []).append(name)
    takes = "; ".join(f"{', '.join(names)}: {axes}" for axes, names in found.items())
    returned = ([str(outputs)] if outputs > 1 else []) + [str(i) for i in index]
    return f"{takes}. Returns {shape(returned)}."


def _quoted(text: str) -> str:
    """A docstring that no text can end."""
    plain = "".join("'" if c == '"' else c if c.isprintable() and c != "\\" else " " for c in text)
    return f'"""{plain}"""'


# ---- the check ------------------------------------------------------------------------------------------------------------


def _compiled(code: str, name: str, library: str) -> Callable[..., Any]:
    """The function that this module has just written. Nothing else is ever run."""

    def run(module: Any) -> Callable[..., Any]:
        space: dict[str, Any] = {MODULES[library][0]: module}
        exec(compile(code, f"<{name}>", "exec"), space)  # noqa: S102
        return space[name]

    if library == "numpy":
        return run(np)
    from .backends.torch import torch

    made = run(torch)
    return lambda *arguments: made(*(torch.as_tensor(a, dtype=torch.float64) for a in arguments)).numpy()


def _compare(
    run: Callable[..., Any],
    d: Derivation,
    cells: Sequence[Any],
    index: Sequence[Any],
    inputs: Sequence[tuple[Any, int]],
    seed: int,
) -> None:
    """At drawn points and at large ones, for each size: the function gives what the exact model gives."""
    for case in _cases(d, index):
        count = max(case.values(), default=ROWS)
        known: dict[Any, Any] = {}
        free = [dict(zip(index, at, strict=True)) for at in np.ndindex(*([count] * len(index)))]
        wanted = [evaluable(bare(at_size(e, case | f)), known) for e in cells for f in free]
        rows = _rows(sorted({s for e in wanted for s in e.free_symbols}, key=str), generator(seed, d.title, "code"))
        model = values(wanted, rows)
        exact, radius = model.value, model.radius
        with np.errstate(all="ignore"):
            try:
                got = np.asarray(run(*(_argument(of, axes, known, case, rows, count) for of, axes in inputs)), dtype=float)
            except IndexError as error:
                at = ", ".join(f"{k} = {n}" for k, n in case.items())
                raise Unsuitable(f"its code reads beyond the end at {at}: it is not shown") from error
        shape = (*([len(cells)] if len(cells) > 1 else []), *([count] * len(index)), len(rows))
        found = np.broadcast_to(got, shape).reshape(len(wanted), len(rows)).T
        with np.errstate(all="ignore"):
            wrong = np.isfinite(exact) & np.isfinite(radius) & ~(np.abs(found - exact) <= radius + CLOSE * (1 + np.abs(exact)))
        if wrong.any():
            row, cell = map(int, np.argwhere(wrong)[0])
            at = ", ".join([*(f"{k} = {n}" for k, n in case.items()), *(f"{s} = {float(x):.3g}" for s, x in rows[row].items())])
            raise Unsuitable(f"its code gives {found[row, cell]:.12g} for {exact[row, cell]:.12g} at {at}: it is not shown")


def _cases(d: Derivation, index: Sequence[Any]) -> list[dict[Any, int]]:
    counts = {k: map(int, tried) for k, tried in d.sizes.items() if k not in index}
    return [dict(zip(counts, ns, strict=True)) for ns in itertools.product(*counts.values())]


def _rows(atoms: Sequence[Any], rng: np.random.Generator) -> list[dict[Any, Any]]:
    """Drawn values, and two rows of large ones, with both signs, where an exponential would overflow."""
    homes = {id(a.home): a.home for a in atoms}
    rows: list[dict[Any, Any]] = []
    for _ in range(ROWS):
        drawn = {at: getattr(home, "over", Normal()).draw(rng, home.shape) for at, home in homes.items()}
        rows.append({a: fmpq(*float(image(drawn[id(a.home)][_position(a)])).as_integer_ratio()) for a in atoms})
    large = {a: fmpq(round(LARGE * rng.normal())) if _free(a) else x for a, x in rows[-1].items()}
    return [*rows, large, {a: -x if _free(a) else x for a, x in large.items()}]


def _free(a: Any) -> bool:
    return not (a.is_positive or isinstance(getattr(a.home, "over", None), (Masks, Simplex)))


def _position(a: Any) -> tuple[int, ...]:
    cells = np.reshape(np.array(a.home.atoms, dtype=object), a.home.shape)
    return next(at for at, cell in np.ndenumerate(cells) if cell == a)


def _argument(of: Any, axes: int, known: Mapping[Any, Any], case: Mapping[Any, int], rows: Sequence[Any], count: int) -> Any:
    def column(symbol: Any) -> list[float]:
        return [float(image(row[symbol])) if symbol in row else 0.0 for row in rows]

    if isinstance(of, sp.Symbol):
        return np.array([float(case[of])] * len(rows) if of in case else column(known.get(of)))
    if isinstance(of, sp.IndexedBase):
        places = list(np.ndindex(*([count] * axes)))
        return np.array([column(known.get(of[at])) for at in places]).reshape(*([count] * axes), len(rows))
    cells = np.array(of.atoms, dtype=object).ravel()
    return np.array([column(a) for a in cells]).reshape(*of.shape, len(rows))
