"""The exact expectation of draws.

It carries (draw, law) pairs in its arguments, so that its free symbols, its substitutions and its derivative see the laws
too. Without that, the derivative of an expectation by a parameter that occurs only in a law would silently be zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
import sympy as sp
from sympy.polys.rings import PolyRing
from sympy.printing.precedence import PRECEDENCE

from .calculus import free, has, has_value, slope
from .errors import ProblemError, Unsuitable
from .laws import Draw, Finite, Gaussian, randoms, with_parents
from .rings import each
from .symbols import Array, Symbols, bare, formula, frozen_, plain, step_


def _given(rule: Any) -> Iterable[tuple[Any, Any]]:
    """What is written for what. SymPy simplifies by rules of its own too, which list nothing: they stay outside of a mean."""
    return rule.items() if isinstance(rule, Mapping) else ()


class _Averaged(sp.Expr):
    """A real number, worked out where it has a closed form."""

    is_commutative = True
    is_real = True

    def doit(self, **hints: Any) -> Any:
        try:
            return closed(self)
        except Unsuitable:
            return self


class Expected(_Averaged):
    """E[body] over (draw, law) pairs. Arguments: the body, then one Tuple(Tuple(atoms), law) for each draw, parents first."""

    @property
    def body(self) -> Any:
        return self.args[0]

    @property
    def pairs(self) -> tuple[Any, ...]:
        return self.args[1:]

    @cached_property
    def bound(self) -> frozenset[Any]:
        return frozenset(a for pair in self.pairs for a in pair[0])

    @cached_property
    def _free(self) -> frozenset[Any]:
        return free(self.body).union(*(free(law) for _, law in self.pairs)) - self.bound

    @property
    def free_symbols(self) -> set[Any]:
        return set(self._free)

    @cached_property
    def summands(self) -> list[Any]:
        return self.terms(self.body)

    def terms(self, body: Any) -> list[Any]:
        """The expectation of a sum, term by term, each over the draws that it needs: the others are never listed. What has too
        many outcomes for that is multiplied out before, and in a product draws of their own are averaged on their own."""
        return [self._apart(part) for term in sp.Add.make_args(body) for part in self._parts(term)]

    def _parts(self, term: Any) -> Sequence[Any]:
        if (
            _outcomes(self._needed(term)) <= OUTCOMES_IN_A_FORMULA
            or has(term, Expected, Slope)
            or _terms(term) > TERMS_IN_A_FORMULA
        ):
            return [term]
        return sp.Add.make_args(sp.expand(term, log=False, power_base=False, power_exp=False))

    def _apart(self, term: Any) -> Any:
        groups: list[tuple[set[Any], Any]] = []
        for factor in sp.Mul.make_args(term):
            pairs = set(self._needed(factor))
            met = [g for g in groups if g[0] & pairs]
            groups = [g for g in groups if g not in met]
            groups.append((pairs.union(*(g[0] for g in met)), sp.Mul(*(g[1] for g in met), factor)))
        alone = [body for pairs, body in groups if pairs]
        if len(alone) < 2:
            return self._over_needed(term)
        return sp.Mul(*(body for pairs, body in groups if not pairs), *map(self._over_needed, alone))

    def _needed(self, body: Any) -> list[Any]:
        """The draws and laws that a body needs, and those that these need."""
        needed: set[Any] = set(free(body))
        kept: list[Any] = []
        for pair in reversed(self.pairs):
            if needed & set(pair[0]):
                needed |= free(pair[1])
                kept.insert(0, pair)
        return kept

    def _over_needed(self, body: Any) -> Any:
        kept = self._needed(body)
        return sp.Expr.__new__(Expected, body, *kept) if kept else body

    def _xreplace(self, rule: Any) -> Any:
        return super()._xreplace({k: v for k, v in _given(rule) if not k.free_symbols & self.bound})

    def _eval_subs(self, old: Any, new: Any) -> Any:
        return self if old.free_symbols & self.bound else None

    def _eval_derivative(self, s: Any) -> Any:
        return Slope(self, s) if s in self._free else sp.S.Zero

    def _sympystr(self, printer: Any) -> str:
        return f"E[{printer._print(self.body)}]"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        return rf"\mathbb{{E}}{f'^{{{exp}}}' if exp else ''}\left[{printer._print(self.body)}\right]"

    def _pretty(self, printer: Any) -> Any:
        return printer._print(sp.Function("E")(self.body))


class Slope(_Averaged):
    """The exact derivative of an expectation: of its law and of its body, by the product rule. By a score function only where
    it is differentiated again and has no closed form."""

    precedence = PRECEDENCE["Mul"]

    @property
    def free_symbols(self) -> set[Any]:
        return set(free(self.args[0]))

    def _xreplace(self, rule: Any) -> Any:
        inside = {k: v for k, v in _given(rule) if k.free_symbols & self.free_symbols}
        if any(self.args[1] in (k.free_symbols | v.free_symbols) for k, v in inside.items()):
            return closed(self)._xreplace(rule)  # the derivative comes first
        return super()._xreplace(inside)

    def _eval_subs(self, old: Any, new: Any) -> Any:
        return self.xreplace({old: new})

    def _eval_derivative(self, s: Any) -> Any:
        try:
            return slope(closed(self), s)
        except Unsuitable:
            return Slope(self._by_score(), s)

    def _by_score(self) -> Any:
        """The same derivative as an expectation: of the body's, and of the body times that of the laws' logarithms."""
        e, x = cast("tuple[Expected, Any]", self.args)
        score = sum(slope(law.log_prob(atoms), x) for atoms, law in e.pairs)
        return sp.Expr.__new__(Expected, slope(e.body, x) + e.body * score, *e.pairs)

    def _sympystr(self, printer: Any) -> str:
        return f"d/d{self.args[1]} {printer._print(self.args[0])}"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        body = rf"\partial_{{{printer._print(self.args[1])}}}{printer._print(self.args[0])}"
        return rf"\left({body}\right)^{{{exp}}}" if exp else body

    def _pretty(self, printer: Any) -> Any:
        return printer._print(sp.Derivative(sp.Function("E")(*self.args[0].free_symbols), self.args[1]))


def E(x: Any, over: Draw | Iterable[Draw] | None = None) -> Any:
    """Exact expectation over every draw inside (or over the given ones, the others staying random)."""
    given = None if over is None else [over] if isinstance(over, Symbols) or not isinstance(over, Iterable) else list(over)
    if wrong := [d for d in given or () if not isinstance(d, Draw)]:
        raise ProblemError(f"E(x, over=...) names {wrong[0]}, which is no draw: write draws, as in over=(action, state).")

    def expected(value: Any) -> Any:
        body = formula(plain(value))
        draws = with_parents(randoms(body)) if given is None else _together(cast("list[Draw]", given), body)
        _of_one_name(draws)
        pairs = [sp.Tuple(sp.Tuple(*d.atoms), d.law) for d in draws]
        return sp.Expr.__new__(Expected, body, *pairs) if pairs else body

    out = each(expected, np.asarray(plain(x), dtype=object))
    return out[()] if out.ndim == 0 else out.view(Array)


def _of_one_name(draws: Sequence[Draw]) -> None:
    named: dict[str, Draw] = {}
    for draw in draws:
        if named.setdefault(draw.name, draw) is not draw:
            once = "write the draw, or the batch(...), once and use that; one that is independent needs a name of its own"
            raise ProblemError(f"two draws are named `{draw.name}`: {once}.")


def _together(over: Sequence[Draw], body: Any) -> list[Draw]:
    """These draws, parents first; what stays random must not depend on them."""
    for draw in with_parents(randoms(body)):
        known = [d.name for d in with_parents(draw.atoms) if d in over]
        if draw not in over and known:
            raise ProblemError(f"`{draw.name}` follows {', '.join(known)} and stays random: take the expectation over it too.")
    return [d for d in with_parents([a for d in over for a in d.atoms]) if d in over]


OUTCOMES_IN_A_FORMULA = 512
TERMS_IN_A_FORMULA = 500
NO_POLYNOMIAL = "the integrand is no polynomial in the draw, nor one times exp of a multiple of it"


def _outcomes(pairs: Sequence[Any]) -> int:
    """How many these draws have together; three normal coordinates, which can be integrated, have as many as a formula holds."""
    return math.prod(len(law.weights) if isinstance(law, Finite) else 8 ** len(atoms) for atoms, law in pairs)


def closed(e: Any) -> Any:
    """The formula with its expectations worked out: finite sums, and Gaussian moments of polynomials, half-lines and exp."""
    if isinstance(e, Expected):
        return sp.Add(*(_eliminate(t) for t in e.terms(bare(closed(e.body)))))
    if isinstance(e, Slope):
        return slope(closed(e.args[0]), e.args[1])
    if has(e, Expected):
        return e.func(*(closed(a) for a in e.args))
    return e


def unaveraged(e: Any) -> list[Any]:
    """The parts of a formula without their means: integrands, and what stands beside. No law: a chance of 0 has the log of 0."""
    if not has(e, Expected):
        return [e]
    return unaveraged(e.body) if isinstance(e, Expected) else [part for a in e.args for part in unaveraged(a)]


@lru_cache(maxsize=512)
def _eliminate(e: Any) -> Any:
    if not isinstance(e, Expected):
        return sp.Mul(*map(_eliminate, e.args)) if e.is_Mul and any(isinstance(a, Expected) for a in e.args) else e
    outcomes = math.prod(len(law.weights) for _, law in e.pairs if isinstance(law, Finite))
    if outcomes > OUTCOMES_IN_A_FORMULA:
        raise Unsuitable(f"{outcomes} outcomes are too many for one formula")
    body = e.body
    for atoms, law in reversed(e.pairs):
        law = closed(law)
        if isinstance(law, Finite):
            body = sp.Add(*(w * _at(body, {atoms[0]: sp.Integer(k)}) for k, w in enumerate(law.weights) if w != 0))
        else:
            body = _gaussian(body, atoms, law)
    return body


def _at(body: Any, outcome: Mapping[Any, Any]) -> Any:
    """The integrand there."""
    if not has_value(body, outcome):
        raise Unsuitable(f"the integrand is no number where {', '.join(f'{draw} = {value}' for draw, value in outcome.items())}")
    return body.xreplace(outcome)


def _gaussian(body: Any, atoms: Sequence[Any], law: Gaussian) -> Any:
    """E over a normal vector: polynomials by moments, one half-line indicator by truncated moments, exp(t z) by a shift."""
    if not body.has(*atoms):
        return body
    body = body.replace(frozen_, lambda x: _held(x, atoms))
    z = [sp.Dummy(f"z{i}", real=True) for i in range(len(atoms))]
    value = [m + sum(row[j] * z[j] for j in range(i + 1)) for i, (m, row) in enumerate(zip(law.mean, law.factor, strict=True))]
    body = _at(body, dict(zip(atoms, value, strict=True)))
    _few(_terms(body))
    return sp.Add(*(term for part in _parts(body, z) for term in part.mean()))


class _Part(NamedTuple):
    """What is multiplied by the same exp(exponent) and indicators: a polynomial in z, and in all else that it is made of."""

    z: Sequence[Any]
    polynomial: Any
    exponent: Any
    jumps: Sequence[Any]

    def mean(self) -> Iterator[Any]:
        """The mean of f(z) exp(t z + c) is that of f(z + t), times exp(c + t^2 / 2)."""
        ring, n = self.polynomial.ring, len(self.z)
        if any(sum(powers[:n]) > 1 for powers in self.exponent):
            raise Unsuitable(NO_POLYNOMIAL)
        z, polynomial = ring.gens[:n], self.polynomial
        t = [self.exponent.diff(x) for x in z]
        if any(t):
            _few(max(math.prod(math.comb(k + len(by), k) for k, by in zip(powers, t, strict=False)) for powers in polynomial))
            polynomial = polynomial.compose([(x, x + by) for x, by in zip(z, t, strict=True)])
        centre = self.exponent - sum(x * by for x, by in zip(z, t, strict=True))
        beside = sp.expand(sp.exp((centre + sum(by**2 for by in t) / 2).as_expr()))
        shift = {x: x + by.as_expr() for x, by in zip(self.z, t, strict=True)}
        moment = _half_line([f.xreplace(shift) for f in self.jumps], self.z) if self.jumps else lambda k: sp.Mul(*map(_moment, k))
        for powers, number in polynomial.terms():
            if (mean := moment(powers[:n])) != 0:
                others = zip(ring.symbols[n:], powers[n:], strict=True)
                yield sp.Mul(ring.domain.to_sympy(number), *(x**k for x, k in others if k), beside, mean)


def _few(terms: float) -> None:
    if terms > TERMS_IN_A_FORMULA:
        raise Unsuitable(f"the integrand has up to {terms:.0e} terms when it is multiplied out, too many for one formula")


def _parts(e: Any, z: Sequence[Any]) -> list[_Part]:
    e = e.xreplace({x: sp.expand(x) for x in _letters(e)})
    letters = _letters(e)
    marks = [x for x in letters if isinstance(x, (sp.exp, step_)) and x.has(*z)]
    others = letters.difference(marks).union(*(_letters(x.args[0]) for x in marks if isinstance(x, sp.exp))).difference(z)
    if any(x.has(*z) for x in others):
        raise Unsuitable(NO_POLYNOMIAL)
    ring = PolyRing((*z, *marks, *others), sp.QQ)
    n, end = len(z), len(z) + len(marks)
    found: dict[Any, Any] = {}
    for powers, number in ring.from_expr(e).terms():
        part = found.setdefault(powers[n:end], ring.zero)
        part[(*powers[:n], *(0 for _ in marks), *powers[end:])] = number
    parts: list[_Part] = []
    for powers, polynomial in found.items():
        of = [(x, k) for x, k in zip(marks, powers, strict=True) if k]
        exponent = sum((ring.from_expr(x.args[0]) * k for x, k in of if isinstance(x, sp.exp)), ring.zero)
        parts.append(_Part(z, polynomial, exponent, [x for x, _ in of if isinstance(x, step_)]))
    return parts


def _letters(e: Any) -> set[Any]:
    """What a formula is a polynomial in."""
    if e.is_Rational:
        return set()
    if e.is_Add or e.is_Mul or (e.is_Pow and e.args[1].is_Integer and e.args[1] > 1):
        return set[Any]().union(*map(_letters, e.args))
    return {e}


def _terms(e: Any) -> float:
    """How many terms `expand` makes of a formula, at most: of the part of it that has most, since it works on every part."""
    most, counts = 1.0, dict[Any, float]()

    def count(e: Any) -> float:
        nonlocal most
        if e not in counts:
            parts = [count(a) for a in e.args]
            terms = 1.0
            if e.is_Add:
                terms = sum(parts)
            elif e.is_Mul:
                terms = math.prod(parts)
            elif isinstance(e, sp.log):
                terms = 1.0 + len(sp.Mul.make_args(e.args[0]))
            elif e.is_Pow:
                power = math.ceil(abs(e.args[1].as_coeff_Add()[0]))
                terms = math.comb(power + int(parts[0]) - 1, power) if max(power, *parts) <= TERMS_IN_A_FORMULA else math.inf
            counts[e] = terms
            most = max(most, terms)
        return counts[e]

    count(e)
    return most


def _held(x: Any, atoms: Sequence[Any]) -> Any:
    """A stop-gradient moved from a formula of the draw to everything else in it: the law itself is never held."""
    return x.xreplace({s: frozen_(s) for s in x.free_symbols - set(atoms)}) if x.has(*atoms) else frozen_(x)


def _half_line(jumps: Sequence[Any], z: Sequence[Any]) -> Callable[[Sequence[int]], Any]:
    """Moments where one indicator is 1: z >= c, or the rest of the line."""
    inside = jumps[0].args[0]
    if len(jumps) == len(z) == 1 and inside.is_polynomial(*z) and sp.degree(inside, z[0]) == 1:
        slope, offset = sp.Poly(inside, z[0]).all_coeffs()
        if slope.is_positive:
            return lambda powers: _upper(powers[0], -offset / slope)
        if slope.is_negative:
            return lambda powers: _moment(powers[0]) - _upper(powers[0], -offset / slope)
    raise Unsuitable("only one indicator of a half-line has a closed expectation")


def _moment(k: int) -> Any:
    return sp.S.Zero if k % 2 else sp.factorial2(k - 1)


def _upper(k: int, c: Any) -> Any:
    """Integral of z^k phi(z) from c upwards."""
    if k == 0:
        return sp.erfc(c / sp.sqrt(2)) / 2
    edge = c ** (k - 1) * sp.exp(-(c**2) / 2) / sp.sqrt(2 * sp.pi)
    return edge + ((k - 1) * _upper(k - 2, c) if k > 1 else 0)
