"""A formula compiled once, then evaluated in any ring: a list of instructions, each subexpression in it once.

There is no source text and nothing is executed that was ever text. An expectation is one instruction: it runs its own
programs, one for each law and one for what stands inside, over the outcomes (exact rings, with dynamic programming over the
draws that still matter) or over broadcast nodes (floats, where a draw is continuous).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import sympy as sp
from flint import acb, arb
from sympy.core.function import AppliedUndef

from .calculus import free, has, slope
from .corners import corners
from .errors import ProblemError, Unsuitable
from .estimate import Estimate, Floats, quadrature
from .expectation import Expected, Slope, closed
from .laws import Finite, Gaussian, randoms
from .nodes import (
    ASIDE,
    CENTRED,
    CHEAP,
    CHEAP_FOR_CODE,
    SCATTERED,
    SIGHT,
    SPARING,
    STRAY,
    STRAY_FOR_CODE,
    STRAY_IN_NESTS,
    Rule,
    Stray,
    affordable,
    line,
    pieces,
    standard_nodes,
    tanh_sinh,
)
from .rings import ANALYTIC, EXACT, FINE_BITS, VAGUE, ZERO, Analytic, Float, ball, binary, blur, image, of_bits
from .stray import Seen, missed
from .symbols import Atom, Pick, by_name, frozen_, named_, step_
from .tangents import RULES, Tangents

FUNCTIONS: dict[Any, str] = {
    sp.exp: "exp",
    sp.log: "log",
    sp.tanh: "tanh",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.atan: "atan",
    sp.erf: "erf",
    sp.erfc: "erfc",
    sp.erfinv: "erfinv",
    sp.Abs: "absolute",
    sp.sign: "sign",
    step_: "step",
    sp.Heaviside: "side",
}
CONSTANTS: dict[Any, str] = {sp.pi: "pi", sp.E: "e", sp.oo: "oo", -sp.oo: "-oo", sp.nan: "nan", sp.zoo: "nan"}

VISITS = 1 << 14  # histories of finite draws at one point
NODES = 1 << 25  # of an integral, at all points and outcomes together
SMALLER = "shorten the horizon, or state the claim at a smaller size."
IN_BALLS = 1 << 13
NEGATIVE = "a standard deviation{} is {:.6g} at a point: write one that is not negative, as exp(...) or over=Uniform(0.5, 2)."
NO_LAW, LAW = 1e-6, "write ones from 0 to 1 that sum to 1, or Categorical(logits=...)"
NEGLIGIBLE = 1e-26  # a node that is lighter counts for nothing where the integrand is no number
UNSEEN = 1e-16  # nobody draws a node that is lighter: code that is no number there is not refuted by it


class Program:
    """Outputs as instructions over the inputs, in order: formulas, and pairs of a formula and what to differentiate it by."""

    def __init__(self, outputs: Sequence[Any], inputs: Sequence[Any]) -> None:
        self.inputs = list(inputs)
        self._slots: dict[Any, int] = {s: i for i, s in enumerate(self.inputs)}
        self._code: list[tuple[str, tuple[int, ...], Any]] = []
        self._known: dict[tuple[str, tuple[int, ...], Any], int] = {}
        ready = [_ready(e) for e in outputs]
        self._expectations([e[0] if isinstance(e, tuple) else e for e in ready])
        slots = [self.visit(e[0] if isinstance(e, tuple) else e) for e in ready]
        by: dict[Any, list[int]] = {}
        for e, at in zip(ready, slots, strict=True):
            if isinstance(e, tuple):
                by.setdefault(e[1], []).append(at)
        slopes = {x: Tangents(self, self._slots[x], wanted) for x, wanted in by.items()}
        self._outputs = [slopes[e[1]].of(at) if isinstance(e, tuple) else at for e, at in zip(ready, slots, strict=True)]
        self._steps = [(at, *c) for at, c in enumerate(self._code, start=len(self.inputs)) if c[0] != "number"]
        self._ring: Any = None
        self._blank: list[Any] = []

    def __call__(self, ring: Any, values: Sequence[Any]) -> list[Any]:
        if self._ring is not ring:  # a table of numbers is made once, not at each of a thousand states
            self._ring, self._blank = ring, [ring.number(*extra) if word == "number" else None for word, _, extra in self._code]
        v: list[Any] = [*values, *self._blank]
        for at, word, args, extra in self._steps:
            match word:
                case "add" | "multiply" | "minimum" | "maximum":
                    v[at] = getattr(ring, word)(v[args[0]], v[args[1]])
                case "constant":
                    v[at] = ring.constant(extra)
                case "power":
                    v[at] = ring.power(v[args[0]], extra)
                case "pick":
                    v[at] = ring.pick([v[i] for i in args[: extra[1]]], extra[0], *(v[i] for i in args[extra[1] :]))
                case "expect":
                    v[at] = extra(ring, [v[i] for i in args])
                case "item":
                    v[at] = v[args[0]][extra]
                case _:
                    v[at] = getattr(ring, word)(*(v[i] for i in args))
        return [v[i] for i in self._outputs]

    @property
    def nests(self) -> bool:
        """Is there an expectation or an integral in it?"""
        return any(word == "expect" for _, word, *_ in self._steps)

    def emit(self, word: str, args: Sequence[int], extra: Any = None) -> int:
        """The instruction's place; one that was there before has one."""
        made = (word, tuple(args), extra)
        if made not in self._known:
            self._known[made] = len(self.inputs) + len(self._code)
            self._code.append(made)
        return self._known[made]

    def instruction(self, at: int) -> tuple[str, tuple[int, ...], Any]:
        return self._code[at - len(self.inputs)]

    def above(self, outputs: Sequence[int]) -> list[int]:
        """The instructions that these outputs need, in order."""
        needed, waiting = set(outputs), list(outputs)
        while waiting:
            at = waiting.pop()
            if at >= len(self.inputs):
                waiting += (new := set(self.instruction(at)[1]) - needed)
                needed |= new
        return sorted(at for at in needed if at >= len(self.inputs))

    def _expectations(self, outputs: Sequence[Any]) -> None:
        """Expectations over the same draws share one walk over the outcomes, integrals over the same range one set of nodes."""
        sums = {node: _terms(node) for o in outputs for node in outermost(o)}
        groups: dict[Any, list[Any]] = {}
        for e in dict.fromkeys(node for terms in sums.values() for t in terms for node in outermost(t)):
            groups.setdefault(_range(e), []).append(e)
        for over, nodes in groups.items():
            walk = Integration(nodes) if isinstance(nodes[0], sp.Integral) else Walk(over, nodes)
            at = self.emit("expect", [self.visit(s) for s in walk.inputs], walk)
            for i, node in enumerate(nodes):
                self._slots[node] = self.emit("item", [at], i)
        self._slots |= {node: self._chain("add", terms) for node, terms in sums.items()}

    def visit(self, e: Any) -> int:
        if e not in self._slots:
            self._slots[e] = self._translate(e)
        return self._slots[e]

    def _chain(self, word: str, parts: Sequence[Any]) -> int:
        at = self.visit(parts[0])
        for p in parts[1:]:
            at = self.emit(word, [at, self.visit(p)])
        return at

    def _translate(self, e: Any) -> int:
        if e.is_Rational:
            return self.emit("number", [], (int(e.p), int(e.q)))
        if e in CONSTANTS:
            return self.emit("constant", [], CONSTANTS[e])
        if e.is_Add:
            return self._chain("add", e.args)
        if e.is_Mul:
            return self._chain("multiply", e.args)
        if e.is_Pow:
            return self._power(*e.args)
        if isinstance(e, (sp.Min, sp.Max)):
            return self._chain("minimum" if isinstance(e, sp.Min) else "maximum", e.args)
        if isinstance(e, frozen_):
            return self.emit("held", [self.visit(e.args[0])])
        if isinstance(e, named_):
            return self.visit(e.definition)
        if isinstance(e, Pick):
            table, shape, *index = cast("tuple[Any, ...]", e.args)
            return self.emit("pick", [self.visit(x) for x in (*table, *index)], (tuple(map(int, shape)), len(table)))
        if isinstance(e, sp.log) and (x := _tail(2 * e.args[0])) is not None:
            return self.emit("log_tail", [self.visit(x)])
        if isinstance(e, sp.KroneckerDelta):
            one, other = cast("tuple[Any, Any]", e.args)
            return self.visit(1 - sp.sign(sp.Abs(one - other)))
        if isinstance(e, sp.Heaviside) and e.args[1] != sp.S.Half:
            x, at_zero = cast("tuple[Any, Any]", e.args)
            return self.visit(sp.Heaviside(x) + (at_zero - sp.S.Half) * (1 - sp.Abs(sp.sign(x))))
        if e.func in FUNCTIONS:
            return self.emit(FUNCTIONS[e.func], [self.visit(e.args[0])])
        if isinstance(e, sp.Derivative) and not e.has(AppliedUndef, sp.Sum):
            raise Unsuitable(f"a Derivative is worked out in a derivation alone: write diff(f, {e.variables[0]})")
        if e.has(AppliedUndef, sp.Derivative, sp.Subs, sp.Sum):
            raise Unsuitable("generic functions and symbolic sums have no value")
        if e.is_Float:
            near = Fraction(float(e)).limit_denominator(1000)
            said = f"'{float(e)!r}'), or what it was rounded from, as sympy.pi or sqrt(2),"
            wanted = f"{near.numerator}, {near.denominator})" if float(near) == float(e) else said
            exactly = f"write Rational({wanted} so that the model stays exact."
            raise ProblemError(f"{float(e)!r} is a rounded number inside a formula: {exactly}")
        if e.is_Symbol:
            raise ProblemError(f"`{e}` has no value here: it is no variable of this problem and no draw under an expectation.")
        if isinstance(e, sp.DiracDelta):
            ways = "let the law of the draw depend on the parameter instead, or write frozen(...) around the jump."
            raise ProblemError(f"a derivative meets a jump, where {str(e.args[0])[:80]} is 0: {ways}")
        wanted = (
            "write it by exp, log, sqrt, tanh, step, minimum, maximum or clip, as atanh(x) is log((1 + x)/(1 - x))/2, and "
            "KroneckerDelta(draw, k) for 1 where a draw is k; docs/words.md has all."
        )
        raise ProblemError(f"no way to evaluate {type(e).__name__} in {str(e)[:80]}: {wanted}")

    def _power(self, base: Any, exponent: Any) -> int:
        if exponent.is_Integer:
            return self.emit("power", [self.visit(base)], int(exponent))
        if exponent.is_Rational and exponent.q == 2:
            root = self.emit("root", [self.visit(base)])
            return root if exponent.p == 1 else self.emit("power", [root], int(exponent.p))
        return self.emit("raised", [self.visit(base), self.visit(exponent)])


def _tail(e: Any) -> Any:
    """x, where the formula is erfc(x), which SymPy writes in four ways."""
    ways: Any = (e, sp.erfc, 1), (2 - e, sp.erfc, -1), (1 - e, sp.erf, 1), (e - 1, sp.erf, -1)
    return next((sign * side.args[0] for side, function, sign in ways if isinstance(side, function)), None)


def _ready(e: Any) -> Any:
    """A derivative as instructions give it, or as the formula that SymPy gives."""
    if not isinstance(e, tuple):
        return e
    return e if _has_rules(e[0]) else slope(*e)


@lru_cache(maxsize=1 << 14)
def _has_rules(e: Any) -> bool:
    """Can instructions differentiate it?"""
    if e.is_Pow:
        base, power = e.args
        return power.is_Rational and power.q <= 2 and _has_rules(base)
    if isinstance(e, named_):
        return _has_rules(e.definition)
    known = e.is_Add or e.is_Mul or isinstance(e, (sp.Min, sp.Max, sp.Tuple, frozen_, Pick)) or FUNCTIONS.get(e.func) in RULES
    return e.is_Symbol or e.is_number or (known and all(map(_has_rules, e.args)))


@lru_cache(maxsize=1 << 14)
def outermost(e: Any) -> tuple[Any, ...]:
    """The expectations and written integrals of a formula that stand inside no other."""
    if isinstance(e, (Expected, Slope, sp.Integral)):
        return (e,)
    return tuple(node for a in e.args for node in outermost(a))


def _expected(node: Any) -> Any:
    """The expectation itself, where its slope is asked for."""
    return node.args[0] if isinstance(node, Slope) else node


def _range(node: Any) -> Any:
    """What an expectation or integral runs over."""
    return node.limits if isinstance(node, sp.Integral) else _expected(node).pairs


def _terms(node: Any) -> list[Any]:
    if isinstance(node, sp.Integral):
        return [node]
    terms = _expected(node).summands
    return [slope(t, node.args[1]) for t in terms] if isinstance(node, Slope) else terms


class Walk:
    """E[body] and its exact slopes, for several bodies under the same laws."""

    def __init__(self, pairs: Sequence[Any], nodes: Sequence[Any]) -> None:
        self.laws: list[Any] = [law for _, law in pairs]
        self.atoms: list[tuple[Any, ...]] = [tuple(atoms) for atoms, _ in pairs]
        bodies = [_expected(n).body for n in nodes]
        self.by: list[Any] = [n.args[1] if isinstance(n, Slope) else None for n in nodes]
        self.xs = by_name({x for x in self.by if x is not None})
        self._at = [self.xs.index(x) if x is not None else None for x in self.by]
        used = frozenset().union(*map(free, (*bodies, *self.laws)))
        self.inputs = by_name(used.difference(*self.atoms))
        slopes = [b if x is None else (b, x) for b, x in zip(bodies, self.by, strict=True)]
        known = list(self.inputs)
        self._laws: list[Program] = []
        if normal := [k for k, law in enumerate(self.laws) if isinstance(law, Gaussian)]:
            last = normal[-1]
            self.laws[last] = _broken(self.laws[last], self.atoms[last], bodies, {*known, *itertools.chain(*self.atoms[:last])})
        for group, law in zip(self.atoms, self.laws, strict=True):
            self._laws.append(_law_program(group, law, known, self.xs))
            known += group
        self._body = Program([*bodies, *slopes], known)
        needed = set().union(*map(free, bodies))
        self._live: list[list[int]] = []
        for law, group in zip(reversed(self.laws), reversed(self.atoms), strict=True):
            needed = (needed - set(group)) | free(law)
            self._live.append([i for i, a in enumerate(known[len(self.inputs) :]) if a in needed])
        self._live.reverse()
        drawn = known[len(self.inputs) :]
        self._parents = [[i for i, a in enumerate(drawn) if a in free(law)] for law in self.laws]

    @property
    def continuous(self) -> bool:
        return any(isinstance(law, Gaussian) for law in self.laws)

    def __call__(self, ring: Any, outer: Sequence[Any]) -> list[Any]:
        if isinstance(ring, Float):
            return self._looked(ring, outer) if ring.order == SCATTERED else self._nodes(ring, outer)
        if self.continuous:
            raise Unsuitable("a continuous draw without a closed form needs integration")
        return self._listed(ring, outer)

    def _listed(self, ring: Any, outer: Sequence[Any]) -> list[Any]:
        """Backwards over the draws: what is to come depends only on the draws that live on, and is worked out once for each."""
        memo: dict[Any, list[Any]] = {}
        laws: dict[Any, list[Any]] = {}

        def rest(k: int, path: tuple[Any, ...], at: tuple[int, ...]) -> list[Any]:
            if k == len(self.laws):
                return self._body(ring, [*outer, *path])
            key = (k, *(at[i] for i in self._live[k]))
            if key not in memo:
                if len(memo) >= VISITS:
                    raise Unsuitable(f"the draws have more than {VISITS} histories: {SMALLER}")
                memo[key] = self._mixed(ring, law_of(k, path, at), lambda j: rest(k + 1, (*path, whole(j)), (*at, j)))
            return memo[key]

        def law_of(k: int, path: tuple[Any, ...], at: tuple[int, ...]) -> list[Any]:
            key = (k, *(at[i] for i in self._parents[k]))
            if key not in laws:
                laws[key] = self._laws[k](ring, [*outer, *path])
                if ring is EXACT:
                    whole_law(self.atoms[k], laws[key][: len(laws[key]) // (1 + len(self.xs))])
            return laws[key]

        @cache
        def whole(j: int) -> Any:
            return ring.number(j, 1)

        out = rest(0, (), ())
        return [out[i] if x is None else out[len(self.by) + i] for i, x in enumerate(self.by)]

    def _mixed(self, ring: Any, law: list[Any], inner: Callable[[int], list[Any]]) -> list[Any]:
        """Bodies and slopes averaged over one draw; the slopes by the product rule."""
        n, xs = len(self.by), len(self.xs)
        count = len(law) // (1 + xs)
        total: list[Any] = [ring.number(0, 1)] * (2 * n)
        for j in range(count):
            p, slopes = law[j], law[count + j * xs : count + (j + 1) * xs]
            if all(w == 0 for w in (p, *slopes)):
                continue
            values = inner(j)
            for i, at in enumerate(self._at):
                total[i] = total[i] + ring.weigh(p, values[i])
                if at is not None:
                    total[n + i] = total[n + i] + ring.weigh(p, values[n + i]) + ring.weigh(slopes[at], values[i])
        return total

    def _nodes(self, ring: Float, outer: Sequence[Any]) -> list[Any]:
        """All outcomes or nodes of all draws at once, one trailing axis for each coordinate."""
        _, mass, slopes, out = self._at_nodes(ring, outer, ring.order)
        return self._summed(mass, slopes, out)

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-sum(map(len, self.atoms)), 0))

    def _at_nodes(self, ring: Float, outer: Sequence[Any], order: int) -> tuple[list[Any], Any, list[Any], list[Any]]:
        """Nodes, their weights and the slopes of these, and what bodies and slopes are there."""
        cheap = 0.0 if self._body.nests else affordable(outer, CHEAP[order])
        with np.errstate(all="ignore"):
            values, mass, slopes = spread(ring, self._laws, self.laws, self.atoms, outer, len(self.xs), order, cheap)
            out = self._body(ring, values)
            if cheap and not all(np.isfinite(x).all() for x in out):  # balls are not cheap
                values, mass, slopes = spread(ring, self._laws, self.laws, self.atoms, outer, len(self.xs), order, 0.0)
                out = self._body(ring, values)
            return values, mass, slopes, in_balls_where_floats_fail(self._body, values, out, mass, len(self._axes))

    def _looked(self, ring: Float, outer: Sequence[Any]) -> list[Any]:
        """By the second rule, with what outcomes at random show that it has missed."""
        values, mass, slopes, out = self._at_nodes(ring, outer, CENTRED)
        known = self._summed(mass, slopes, out)
        stray = affordable(outer, STRAY_IN_NESTS if self._body.nests else STRAY)
        if not self.continuous or stray < 1:
            return known
        with np.errstate(all="ignore"):
            beside = spread(ring, self._laws, self.laws, self.atoms, outer, len(self.xs), SCATTERED, stray)
            found = self._body(ring, beside[0])
        shape = np.broadcast_shapes(*map(np.shape, outer))
        gone = missed(self._seen(values, mass, slopes, out, shape), self._seen(*beside, found, shape))
        return [x + gone[:, i].reshape(shape) for i, x in enumerate(known)]

    def _summed(self, mass: Any, slopes: Sequence[Any], out: Sequence[Any]) -> list[Any]:
        n, axes = len(self.by), self._axes
        return [
            _integral(mass, out[i], axes)
            if at is None
            else _integral(mass, out[n + i], axes) + _integral(slopes[at], out[i], axes)
            for i, at in enumerate(self._at)
        ]

    def _seen(self, values: Sequence[Any], mass: Any, slopes: Sequence[Any], out: Sequence[Any], shape: tuple[int, ...]) -> Seen:
        """The integrands at these outcomes, of a slope with that of the law: a row for each point of this shape."""
        n, drawn = len(self.by), values[len(self.inputs) :]
        with np.errstate(all="ignore"):
            bodies = [
                out[i] if at is None else out[n + i] + np.where(mass == 0, 0.0, slopes[at] / mass) * out[i]
                for i, at in enumerate(self._at)
            ]
        whole = np.broadcast_shapes((*shape, *(1 for _ in self._axes)), *map(np.shape, (mass, *drawn, *bodies)))
        weights, *flat = (np.broadcast_to(x, whole).reshape(math.prod(shape), -1) for x in (mass, *drawn, *bodies))
        return Seen(flat[: len(drawn)], weights, np.stack(flat[len(drawn) :], axis=-1))


def in_balls_where_floats_fail(body: Program, values: Sequence[Any], out: Sequence[Any], mass: Any, axes: int) -> list[Any]:
    """1 - tanh(u)^2 is zero in floats from u = 19.07 on, and its logarithm infinite, which no conclusion may rest on: where a
    point has such an outcome, which counts, all of its outcomes are worked out in balls. What has none is NaN in an integral."""
    if all(np.isfinite(x).all() for x in out):
        return list(out)
    shape = np.broadcast_shapes(np.shape(mass), *map(np.shape, (*values, *out)))
    outcomes = math.prod(shape[len(shape) - axes :])
    weights, *flat = (np.broadcast_to(x, shape).reshape(-1, outcomes) for x in (mass, *values, *out))
    given, found = flat[: len(values)], [x.copy() for x in flat[len(values) :]]
    counts, fails = weights != 0, ~np.isfinite(found).all(axis=0)
    if axes:
        for x in found:
            x[fails & (np.abs(weights) < NEGLIGIBLE)] = 0.0
        counts &= np.abs(weights) >= NEGLIGIBLE
    fails &= counts
    places = np.argwhere(counts & fails.any(axis=1, keepdims=True))
    for x in found if axes else ():
        x[fails] = math.nan
    vague = False
    if len(places) <= IN_BALLS:
        with suppress(Unsuitable):
            for at in map(tuple, places):
                for x, y in zip(found, _exactly(body, [binary(float(v[at])) for v in given]), strict=True):
                    x[at] = image(y)
                    vague |= _is_vague(y) and not math.isnan(image(y))
    if vague:
        raise Unsuitable("a formula of the model is no number at some outcome, neither in floats nor in balls")
    return [x.reshape(shape) for x in found]


def _exactly(run: Program, given: Sequence[Any]) -> list[Any]:
    """The outputs in fractions and balls, in finer ones where these do not tell."""
    found = run(EXACT, given)
    if any(map(_is_vague, found)):
        with of_bits(FINE_BITS):
            found = run(EXACT, given)
    return found


def _is_vague(x: Any) -> bool:
    return isinstance(x, arb) and not blur(x) <= VAGUE * (1 + abs(image(x)))


def whole_law(atoms: Sequence[Any], chances: Sequence[Any]) -> None:
    """A law of which a probability is known to be negative, or which are known not to sum to 1, is no law."""
    for p in chances:
        if ball(p) < 0:
            wanted = "write ones from 0 to 1, as sigmoid(x), or Categorical(logits=...)."
            raise ProblemError(f"a probability of `{atoms[0]}` is {image(p):.6g} at a point: {wanted}")
    total = sum(chances, ZERO)
    off = ball(total - 1)
    if off.is_finite() and not off.contains(0):
        raise ProblemError(f"the probabilities of `{atoms[0]}` sum to {image(total):.6g} at a point: write ones that sum to 1.")


def no_negative(atoms: Sequence[Any], deviations: Sequence[Any]) -> None:
    for atom, deviation in zip(atoms, deviations, strict=True):
        if ball(deviation) < 0:
            raise ProblemError(NEGATIVE.format(f" of `{atom}`", image(deviation)))


def lawful(formulas: Sequence[Any], rows: Sequence[Mapping[Any, Any]], columns: Mapping[Any, Floats], known: set[Any]) -> None:
    """Is every draw's law one at these points? Proofs and closed forms do not look at its probabilities and deviations."""
    for e in dict.fromkeys(_expected(node) for f in formulas for node in outermost(f)):
        for atoms, law in e.pairs if isinstance(e, Expected) else ():
            if law in known:
                continue
            parents = randoms(law)
            if not parents:
                finite = isinstance(law, Finite)
                run, inputs = compiled(list(law.weights) if finite else [row[i] for i, row in enumerate(law.factor)])
                for row in rows:
                    (whole_law if finite else no_negative)(atoms, run(EXACT, _lookup(inputs, row)))
            elif all(len(p.home.atoms) == 1 and not randoms(p.home.law) for p in parents) and len(parents) <= 2:
                draws = [*dict.fromkeys(p.home for p in parents), SimpleNamespace(atoms=tuple(atoms), law=law)]
                nodes(draws, columns, len(rows), 0)
            known.add(law)


def spread(
    ring: Float,
    programs: Sequence[Program],
    laws: Sequence[Any],
    atoms: Sequence[Any],
    outer: Sequence[Any],
    xs: int,
    order: int,
    cheap: float,
) -> tuple[list[Any], Any, list[Any]]:
    """All outcomes or nodes of all draws: each value with one more axis for each coordinate, the weights, and their slopes.
    `cheap` of them are not too many."""
    values: list[Any] = [np.asarray(v, dtype=float) for v in outer]
    mass: Any = np.ones(())
    slopes: list[Any] = [np.zeros(())] * xs
    normal = sum(len(group) for law, group in zip(laws, atoms, strict=True) if not isinstance(law, Finite))
    outcomes = math.prod(len(law.weights) for law in laws if isinstance(law, Finite))
    if normal and math.prod(np.broadcast_shapes(*map(np.shape, values))) * outcomes * max(200, 24**normal) > NODES:
        raise Unsuitable(
            f"an integral with {normal} normal coordinates and {outcomes} finite outcomes has too many nodes: {SMALLER}"
        )
    if order == SCATTERED:
        here = np.broadcast_shapes(*map(np.shape, values))
        rule: Rule | Stray = Stray.drawn(normal, here, max(1, int(cheap / outcomes)))
    else:
        rule = Rule(order, normal, int((cheap / outcomes) ** (1 / max(normal, 1))))
    first = before = 0
    for program, law, group in zip(programs, laws, atoms, strict=True):
        if isinstance(rule, Stray) and not first:
            rule = rule._replace(axis=before)
        drawn, weight, change = _spread(ring, rule, program, law, first, before, len(group), values, xs)
        axes = len(group)
        before += axes
        first += 0 if isinstance(law, Finite) else axes
        values = [_trail(v, axes) for v in values] + drawn
        slopes = [_trail(s, axes) * weight + _trail(mass, axes) * c for s, c in zip(slopes, change, strict=True)]
        mass = _trail(mass, axes) * weight
    return values, mass, slopes


def nodes(
    draws: Sequence[Any], columns: Mapping[Any, Floats], size: int, order: int, sparing: bool = False
) -> tuple[dict[Any, Floats], Floats]:
    """Nodes of draws (B, M) for each atom, and their weights (B, M)."""
    inputs = by_name(set().union(*(free(d.law) for d in draws)) - {a for d in draws for a in d.atoms})
    known = list(inputs)
    programs: list[Program] = []
    for d in draws:
        programs.append(_law_program(d.atoms, d.law, known, []))
        known += d.atoms
    outer = [np.broadcast_to(np.asarray(v, dtype=float), (size,)) for v in _lookup(inputs, columns)]
    laws, groups = [d.law for d in draws], [d.atoms for d in draws]
    cheap = min(STRAY_FOR_CODE if order == SCATTERED else CHEAP_FOR_CODE[order], SPARING if sparing else math.inf) / size
    values, mass, _ = spread(Float(order), programs, laws, groups, outer, 0, order, cheap)
    atoms = [a for d in draws for a in d.atoms]
    shape = np.broadcast_shapes((size, *([1] * len(atoms))), mass.shape, *(v.shape for v in values))
    flat = [np.broadcast_to(v, shape).reshape(size, -1) for v in (mass, *values[len(inputs) :])]
    normal = sum(not isinstance(d.law, Finite) for d in draws for _ in d.atoms)
    reach = math.inf if order == SCATTERED else Rule(order, normal).reach
    heavy = (np.abs(flat[0]) > math.exp(-((reach + 1) ** 2) / 2)).any(axis=0)  # a lighter one is not worth a call of the code
    return dict(zip(atoms, (v[:, heavy] for v in flat[1:]), strict=True)), flat[0][:, heavy]


def _integral(weight: Any, value: Any, axes: tuple[int, ...]) -> Any:
    with np.errstate(all="ignore"):
        return np.sum(np.where(weight == 0, 0.0, weight * value), axis=axes)


def _trail(x: Any, axes: int) -> Any:
    return np.asarray(x)[(..., *([None] * axes))]


def _broken(law: Any, atoms: Sequence[Any], bodies: Sequence[Any], known: set[Any]) -> Any:
    """A law that says where these bodies break in its last coordinate, if they do and it does not say where."""
    places = [] if law.breaks else corners(bodies, atoms[-1], known | set(atoms[:-1]))
    if not places:
        return law
    centre = law.mean[-1] + sum(f * z for f, z in zip(law.factor[-1][:-1], law.standardised(atoms), strict=False))
    return law.func(*law.args[:2], sp.Tuple(*(sp.Tuple() for _ in atoms[:-1]), sp.Tuple(*places, centre)))


def _law_program(group: Sequence[Any], law: Any, known: Sequence[Any], xs: Sequence[Any]) -> Program:
    if isinstance(law, Finite):
        return Program([*law.weights, *((p, x) for p in law.weights for x in xs)], known)
    density = law.log_prob(group)
    factors, marks = (f for row in law.factor for f in row), (b for points in law.breaks for b in points)
    return Program([*law.mean, *factors, *marks, *((density, x) for x in xs)], [*known, *group])


def _spread(
    ring: Float, rule: Rule | Stray, program: Program, law: Any, first: int, before: int, size: int, known: list[Any], xs: int
) -> tuple[list[Any], Any, list[Any]]:
    """Nodes of one draw, their weights, and the derivative of the weights by each x; `before` coordinates came before, `first`
    of them normal."""
    if isinstance(law, Finite):
        with np.errstate(all="ignore"):
            out = [np.asarray(o, dtype=float) for o in program(ring, known)]
        count = len(law.weights)
        weight = np.stack(np.broadcast_arrays(*out[:count]), axis=-1)
        with np.errstate(all="ignore"):
            off = np.abs(weight).sum(axis=-1) - 1
        if len(wrong := weight[np.isfinite(off) & (np.abs(off) > NO_LAW)]):
            raise ProblemError(
                f"the probabilities of a draw are {', '.join(f'{p:.6g}' for p in wrong[0][:4])} at a point: {LAW}."
            )
        change = [np.stack(np.broadcast_arrays(*(out[count + j * xs + i] for j in range(count))), axis=-1) for i in range(xs)]
        return [np.arange(count, dtype=float)], weight, change
    weight: Any = np.ones(())
    drawn: list[Any] = []
    z: list[Any] = []
    for i in range(size):
        axes = i
        blank = [np.zeros(())] * size
        for j, x in enumerate(drawn):
            blank[j] = x
        with np.errstate(all="ignore"):
            out = program(ring, [*(_trail(v, axes) for v in known), *blank])
        mean, factor, marks = out[i], out[size + i * size : size + (i + 1) * size], out[size + size * size :]
        centre, scale = np.asarray(mean + sum(factor[j] * z[j] for j in range(i))), np.asarray(factor[i])
        if (scale < 0).any():
            raise ProblemError(NEGATIVE.format("", scale.min()))
        breaks = marks[sum(len(b) for b in law.breaks[:i]) :][: len(law.breaks[i])] if law.breaks else []
        if isinstance(rule, Stray):
            standard, w = rule.nodes(first + i, before + i)
        else:
            standard, w = standard_nodes(centre, scale, breaks, rule, first + i)
        drawn = [_trail(x, 1) for x in drawn] + [centre[..., None] + scale[..., None] * standard]
        z = [_trail(x, 1) for x in z] + [standard]
        weight = _trail(weight, 1) * w
    with np.errstate(all="ignore"):
        out = program(ring, [*(_trail(v, size) for v in known), *drawn])
        return drawn, weight, [np.where(weight == 0, 0.0, weight * d) for d in out[len(out) - xs :]]


class Integration:
    """Written integrals over one range: certified where it is finite and they are analytic, by several rules otherwise."""

    def __init__(self, integrals: Sequence[Any]) -> None:
        *inner, limits = integrals[0].limits  # SymPy writes an integral of an integral as one
        if len(limits) != 3:
            raise ProblemError(f"{integrals[0]} needs two limits for each variable: write Integral(f, (x, a, b)).")
        over, low, high = limits
        self._line = (low, high) == (-sp.oo, sp.oo)
        if not self._line and (low.is_infinite or high.is_infinite):
            raise ProblemError(
                f"{integrals[0]} runs to infinity on one side: substitute x = exp(y), so that y runs over the whole line."
            )
        self.inputs = by_name(set().union(*map(free, integrals)))
        fixed: dict[Any, Any] = {}
        bodies = [_hoisted(i.func(i.function, *inner) if inner else i.function, over, fixed) for i in integrals]
        self._cuts = [] if self._line else corners([i.function for i in integrals], over, set(self.inputs))
        self._outside = Program([*([] if self._line else [low, high]), *self._cuts, *fixed], self.inputs)
        self._inside = Program(bodies, [*self.inputs, *fixed.values(), over])
        self._count = len(bodies)

    def __call__(self, ring: Any, outer: Sequence[Any]) -> list[Any]:
        if isinstance(ring, Float):
            return self._floats(ring, outer)
        if isinstance(ring, Analytic) or self._line:
            raise Unsuitable("an integral over the whole line, or inside another, is not certified")
        low, high, *fixed = self._outside(EXACT, outer)
        fixed = fixed[len(self._cuts) :]
        known = [acb(ball(v)) for v in (*outer, *fixed)]
        seen: dict[Any, list[Any]] = {}

        def inside(z: Any) -> list[Any]:
            key = tuple(part.man_exp() for x in (z.real, z.imag) for part in (x.mid(), x.rad()))
            if key not in seen:
                seen[key] = self._inside(ANALYTIC, [*known, z])
            return seen[key]

        inside(acb((ball(low) + ball(high)) / 2))  # raises what may not be raised inside the integrator
        with of_bits(WORK_BITS):
            return [certified(lambda z, i=i: inside(z)[i], ball(low), ball(high)) for i in range(self._count)]

    def _floats(self, ring: Float, outer: Sequence[Any]) -> list[Any]:
        with np.errstate(all="ignore"):
            out = [np.asarray(v, dtype=float) for v in self._outside(ring, outer)]
        order = CENTRED if ring.order == SCATTERED else ring.order
        cheap = 0 if self._inside.nests else int(affordable(outer, CHEAP[order]))
        with np.errstate(all="ignore"):
            if self._line:
                x, w = line(Rule(order, cheap=cheap))
                found = self._inside(ring, [*(_trail(v, 1) for v in (*outer, *out)), x])
                # far out exp(x) is infinite, and 0 times it no number
                return [_integral(w, np.where(np.isnan(y) & (np.abs(x) > SIGHT), 0.0, y), (-1,)) for y in found]
            low, high, *out = out
            cuts, fixed = out[: len(self._cuts)], out[len(self._cuts) :]
            given, w = self._between(low, high, cuts, [*outer, *fixed], Rule(order, cheap=cheap))
            found = self._inside(ring, given)
            if cheap and not all(np.isfinite(np.where(w == 0, 0.0, y)).all() for y in found):  # balls are not cheap
                given, w = self._between(low, high, cuts, [*outer, *fixed], Rule(order))
                found = self._inside(ring, given)
            found = in_balls_where_floats_fail(self._inside, given, found, w, 1)  # near an end 2 x - 1 is -1 in floats
            return [_integral(w, y, (-1,)) for y in found]

    def _between(self, low: Any, high: Any, cuts: Sequence[Any], known: Sequence[Any], rule: Rule) -> tuple[list[Any], Any]:
        """What the integrand is given, nodes last, and the weights."""
        a, b = pieces(np.minimum(low, high), np.maximum(low, high), cuts)
        t, w = tanh_sinh(rule._replace(cheap=rule.cheap // (len(cuts) + 1)), 0)
        x = (a + b) / 2 + (b - a) / 2 * t
        w = np.where((x == a) | (x == b), 0.0, (b - a) / 2 * w)  # a node that rounds to an end may lie on a pole
        x, w = (v.reshape(*v.shape[:-2], -1) for v in (x, w))
        return [*(_trail(v, 1) for v in known), x], w * _trail(np.sign(high - low), 1)


def _hoisted(e: Any, x: Any, fixed: dict[Any, Any]) -> Any:
    """The formula with a symbol for every part in which x does not occur; `fixed` collects them: they are evaluated once."""
    if e == x or e.is_Rational or isinstance(e, (Expected, Slope, sp.Integral)):
        return e
    if x not in free(e) and not isinstance(e, sp.Tuple):
        return fixed.setdefault(e, sp.Dummy(f"fixed{len(fixed)}", real=True))
    if e.is_Add or e.is_Mul:
        apart = [a for a in e.args if x not in free(a)]
        parts = [_hoisted(a, x, fixed) for a in e.args if x in free(a)]
        return e.func(*([_hoisted(e.func(*apart), x, fixed)] if apart else []), *parts)
    return e.func(*(_hoisted(a, x, fixed) for a in e.args))


WORK_BITS, TOLERANCE = 128, 2.0**-90  # in bits
EVALUATIONS = 20_000


def certified(f: Any, low: Any, high: Any) -> Any:
    """The integral of an analytic function as a ball that contains it, to 27 digits."""
    return acb.integral(lambda z, _: f(z), acb(low), acb(high), rel_tol=TOLERANCE, eval_limit=EVALUATIONS).real


# ---- values at points -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def program(outputs: tuple[Any, ...], inputs: tuple[Any, ...]) -> Program:
    return Program(outputs, inputs)


@lru_cache(maxsize=512)
def prepared(outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """With every expectation over a continuous draw worked out where it has a closed form."""
    return tuple(_close_continuous(e) for e in outputs)


def _close_continuous(e: Any) -> Any:
    if not has(e, Gaussian):
        return e
    try:
        return closed(e)
    except Unsuitable:
        return e if isinstance(e, (Expected, Slope)) else e.func(*(_close_continuous(a) for a in e.args))


def needs_integration(outputs: Sequence[Any]) -> bool:
    """Is there a continuous draw without closed form, or a written integral?"""
    return _continuous(tuple(outputs))


@lru_cache(maxsize=512)
def _continuous(outputs: tuple[Any, ...]) -> bool:
    return any(has(e, sp.Integral, Gaussian) for e in prepared(outputs))


def values(outputs: Sequence[Any], rows: Sequence[Mapping[Any, Any]]) -> Estimate:
    """Exact or certified values of formulas, one row for each point (symbol: number)."""
    run, inputs = compiled(outputs)
    table = np.empty((len(rows), len(outputs)), dtype=object)
    for i, row in enumerate(rows):
        table[i] = _exactly(run, _lookup(inputs, row))
    return Estimate.of(table)


def integrals(outputs: Sequence[Any], columns: Mapping[Any, Floats]) -> Estimate:
    """Values by float64 quadrature, all points at once."""
    run, inputs = compiled(outputs)
    size = len(next(iter(columns.values()))) if columns else 1
    given = [np.broadcast_to(v, (size,)) for v in _lookup(inputs, columns)]

    def at(order: int, rows: Any = None) -> Floats:
        here, shape = (given, (size,)) if rows is None else ([v[rows] for v in given], (len(rows),))
        found = np.stack([np.broadcast_to(o, shape) for o in run(Float(order), here)], axis=1)
        if order == CENTRED and not (known := np.isfinite(found)).all():
            found = np.where(known, found, at(ASIDE))  # nobody draws the centre itself, where log(x^2) is infinite
        return found

    return quadrature(at, 2**12, lambda: at(SCATTERED) - at(CENTRED))


def floats(outputs: Sequence[Any], columns: Mapping[Any, Any], weights: Any = 1.0) -> list[Any]:
    """Formulas on float64 arrays that broadcast: what code receives as its arguments, at outcomes of these weights."""
    run, inputs = compiled(outputs)
    given = _lookup(inputs, columns)
    with np.errstate(all="ignore"):
        return in_balls_where_floats_fail(run, given, run(Float(1), given), np.abs(weights) >= UNSEEN, 0)


def number(e: Any) -> Any:
    """A formula without symbols as a ring element."""
    return Program([e], [])(EXACT, [])[0]


def compiled(outputs: Sequence[Any]) -> tuple[Program, list[Any]]:
    """The program of some formulas, and the symbols that it takes."""
    return _compiled_once(tuple(outputs))


@lru_cache(maxsize=512)
def _compiled_once(outputs: tuple[Any, ...]) -> tuple[Program, list[Any]]:
    ready = prepared(outputs)
    inputs = by_name(set().union(*map(free, ready))) if ready else []
    return program(ready, tuple(inputs)), inputs


def _lookup(inputs: Sequence[Any], row: Mapping[Any, Any]) -> list[Any]:
    for s in inputs:
        if s not in row:
            if not isinstance(s, Atom):
                some = f'{s} = Variable("{s}"), or Variable("{s}", 3) for three entries'
                raise ProblemError(f"`{s}` is a symbol of SymPy, which has no values: write {some}.")
            drawn = "the draw", "take the expectation E(...) or Mean(...) over it"
            what, wanted = drawn if randoms(s) else ("the symbol", "give it in the point")
            raise ProblemError(f"{what} `{s}` has no value here: {wanted}.")
    return [row[s] for s in inputs]
