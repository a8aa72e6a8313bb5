"""Random draws, the laws they follow, and their exact expectation.

A draw is an atom: no rewriting can touch its law. An expectation carries (draw, law) pairs in its arguments, so that its
free symbols, its substitutions and its derivative see the laws too. Without that, the derivative of an expectation by a
parameter that occurs only in a law would silently be zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from numbers import Integral
from typing import Any, cast

import numpy as np
import sympy as sp
from sympy.printing.precedence import PRECEDENCE

from .calculus import free, has, slope
from .errors import ProblemError, Unsuitable
from .own import sound
from .rings import each
from .spaces import Shape
from .symbols import (
    Array,
    Atom,
    Symbols,
    array,
    bare,
    by_name,
    entries,
    exp,
    formula,
    frozen_,
    identifier,
    log,
    log_softmax,
    plain,
    softmax,
    step_,
    thaw,
)

# ---- laws: final records that own log-probability, support or standardisation, and sampler --------------------------------


class Law(sp.Basic):
    """What a draw follows. Its arguments are formulas, which may contain other draws."""

    shape: Shape = ()
    weights: Any = None

    @cached_property
    def _free(self) -> frozenset[Any]:
        return frozenset().union(*map(free, self.args))

    @property
    def free_symbols(self) -> set[Any]:
        return set(self._free)

    def log_prob(self, value: Sequence[Any]) -> Any:
        raise NotImplementedError


class Finite(Law):
    """A law on 0..K-1. Arguments: the probabilities and their logarithms."""

    @property
    def weights(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.args[0]

    def log_prob(self, value: Sequence[Any]) -> Any:
        return array(*cast("sp.Tuple", self.args[1]))[value[0]]


class Categorical(Finite):
    """K actions with given probabilities, or with logits; `allowed` is 1 where an action may be chosen and 0 elsewhere."""

    def __new__(cls, probs: Any = None, logs: Any = None, *, logits: Any = None, allowed: Any = 1) -> Any:
        if logs is None:
            if (probs is None) == (logits is None):
                raise ProblemError("Categorical takes either probabilities or logits=..., one of them.")
            if np.ndim(plain(probs if logits is None else logits)) != 1:
                shape = np.shape(plain(probs if logits is None else logits))
                wanted = (
                    "write an index, as in policy[state]." if shape else "write one number for each outcome, as in (1, 0, 0)."
                )
                raise ProblemError(f"Categorical takes one row, of shape (K,), not {shape}: {wanted}")
            if logits is not None:
                scores = array(*entries(logits))
                probs = softmax(scores, allowed)
                if probs.shape != scores.shape:
                    wrong = f"the mask has shape {np.shape(plain(allowed))}, and the logits {scores.shape}"
                    raise ProblemError(f"{wrong}: write an index, as in mask[state].")
                mask = np.broadcast_to(np.asarray(plain(allowed), dtype=object), scores.shape)
                logs = log_softmax(scores, mask) + [0 if m == 1 else sp.log(m) for m in entries(mask)]
            else:
                probs = entries(probs)
                logs = [log(p) for p in probs]
                total = sp.Add(*probs)
                if total.is_Rational and total != 1:
                    raise ProblemError(f"the probabilities {probs} sum to {total}: write ones that sum to 1.")
        return sp.Basic.__new__(cls, sp.Tuple(*probs), sp.Tuple(*logs))


class Bernoulli(Finite):
    """1 with probability p, else 0."""

    def __new__(cls, p: Any = None, logs: Any = None, *, logit: Any = None) -> Any:
        if logs is not None:
            return sp.Basic.__new__(cls, p, logs)
        if (p is None) == (logit is None):
            raise ProblemError("Bernoulli takes either a probability or logit=..., one of them.")
        if logit is not None:
            x = entries(logit)[0]
            below, above = 1 + exp(x), 1 + exp(-x)
            return sp.Basic.__new__(cls, sp.Tuple(1 / below, 1 / above), sp.Tuple(-log(below), -log(above)))
        p = entries(p)[0]
        return sp.Basic.__new__(cls, sp.Tuple(1 - p, p), sp.Tuple(log(1 - p), log(p)))


class Gaussian(Law):
    """Normal with a mean and a standard deviation for each coordinate, or with a full covariance.

    Arguments: the mean, the lower triangular factor of the covariance, and for each coordinate where the integrand breaks.
    """

    def __new__(cls, mean: Any, sd: Any = None, breaks: Any = None, *, covariance: Any = None) -> Any:
        if isinstance(sd, sp.Tuple) and breaks is not None:
            return sp.Basic.__new__(cls, mean, sd, breaks)
        if (sd is None) == (covariance is None):
            raise ProblemError("Gaussian takes a standard deviation or covariance=..., one of them.")
        if covariance is None:
            centre, scale = np.broadcast_arrays(*(np.asarray(plain(x), dtype=object) for x in (mean, sd)))
            if wrong := next((x for x in entries(scale) if x.is_negative), None):
                raise ProblemError(f"a standard deviation of Gaussian is {wrong}: write one that is not negative.")
            factor = sp.diag(*entries(scale)).tolist()
        else:
            centre = np.asarray(plain(mean), dtype=object)
            factor = _cholesky(np.asarray(plain(covariance)), centre.shape)
        if centre.ndim > 1:
            raise ProblemError(f"Gaussian takes a number or a vector as its mean, not shape {centre.shape}: write it flat.")
        rows = sp.Tuple(*(sp.Tuple(*row) for row in factor))
        return sp.Basic.__new__(cls if centre.ndim else Scalar, sp.Tuple(*entries(centre)), rows, sp.Tuple())

    @property
    def shape(self) -> Shape:  # pyright: ignore[reportIncompatibleVariableOverride]
        return (len(self.mean),)

    @property
    def mean(self) -> list[Any]:
        return list(cast("sp.Tuple", self.args[0]))

    @property
    def factor(self) -> list[list[Any]]:
        return [list(cast("sp.Tuple", row)) for row in cast("sp.Tuple", self.args[1])]

    @property
    def breaks(self) -> list[Any]:
        return list(cast("sp.Tuple", self.args[2]))

    def standardised(self, value: Sequence[Any]) -> list[Any]:
        """z with value = mean + factor z."""
        z: list[Any] = []
        for i, (x, m, row) in enumerate(zip(value, self.mean, self.factor, strict=True)):
            z.append((x - m - sum(row[j] * z[j] for j in range(i))) / row[i])
        return z

    def log_prob(self, value: Sequence[Any]) -> Any:
        z = self.standardised(value)
        scales = [self.factor[i][i] for i in range(len(z))]
        return -sum(x**2 for x in z) / 2 - sum(sp.log(s) for s in scales) - sp.log(2 * sp.pi) * sp.Rational(len(z), 2)


class Scalar(Gaussian):
    """One normal number."""

    shape: Shape = ()  # pyright: ignore[reportIncompatibleMethodOverride]


def _cholesky(covariance: Any, shape: Shape) -> list[list[Any]]:
    if covariance.shape != shape * 2 or len(shape) != 1:
        wanted = "write a square array for a vector mean, or sd for independent coordinates."
        raise ProblemError(f"covariance has shape {covariance.shape} and the mean {shape}: {wanted}")
    if (covariance != covariance.T).any():
        raise ProblemError(f"covariance {covariance.tolist()} is not symmetric: write the same entry at (i, j) and (j, i).")
    n = len(covariance)
    factor: list[list[Any]] = [[sp.S.Zero] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = covariance[i, j] - sum(factor[i][k] * factor[j][k] for k in range(j))
            if sp.sympify(rest).is_negative if i == j else (factor[j][j] == 0 != rest):
                raise ProblemError(f"covariance {covariance.tolist()} has a negative variance in some direction: it is none.")
            if rest != 0:
                factor[i][j] = sp.sqrt(rest) if i == j else rest / factor[j][j]
    return factor


# ---- draws ----------------------------------------------------------------------------------------------------------------


class Random(Atom):
    """One coordinate of a draw."""

    __slots__ = ()


def _places(name: str, breaks: Any, atoms: Sequence[Any]) -> list[Any]:
    """For each coordinate the places; of one coordinate they may be written flat."""
    at = breaks(*atoms) if callable(breaks) else breaks
    rows: list[Any] = list(at) if isinstance(at, Iterable) and not isinstance(at, (str, Symbols)) else [at]
    flat = [not isinstance(row, (tuple, list)) for row in rows]
    if len(atoms) == 1 and all(flat):
        rows, flat = [rows], [False]
    if len(rows) != len(atoms) or any(flat):
        wanted = "write one tuple of places for each coordinate, as in breaks=((-1, 1),) for one and ((0,), ()) for two."
        raise ProblemError(f"breaks={at} of Draw({name!r}, ...) is not for {len(atoms)} coordinates: {wanted}")
    return [sp.Tuple(*(entries(array(*row)) if row else ())) for row in rows]


class Draw(Symbols):
    """A random atom and its law. `breaks` says, coordinate by coordinate, where an integrand over it bends or jumps; as a
    function of the coordinates, where that moves with those before."""

    def __init__(self, name: str, law: Law, breaks: Any = None, bundle: Bundle | None = None) -> None:
        if not isinstance(law, Law):
            wanted = "write Categorical(...), Bernoulli(...) or Gaussian(...)."
            raise ProblemError(f"Draw({name!r}, ...) needs a law, not {type(law).__name__}: {wanted}")
        sound(f"Draw({name!r}, ...)", law)
        identifier(name)
        atoms = np.empty(law.shape, dtype=object)
        for i in np.ndindex(*law.shape):
            atom = Random("_".join([name, *map(str, i)]), real=True)
            atom.home = self
            atoms[i] = atom
        super().__init__(name, atoms)
        self.bundle = bundle
        if breaks is not None:
            if not isinstance(law, Gaussian):
                says = f"breaks=... of Draw({name!r}, ...) is for a Gaussian, over which one integrates"
                raise ProblemError(f"{says}: leave it out.")
            law = cast("Any", law).func(*law.args[:2], sp.Tuple(*_places(name, breaks, list(atoms.ravel()))))
        self.law = law

    @property
    def atoms(self) -> tuple[Any, ...]:
        return tuple(self.array.ravel())

    def log_prob(self, value: Any = None) -> Any:
        return self.law.log_prob(entries(self if value is None else value))


def randoms(*expressions: Any) -> list[Random]:
    """The draws' atoms that are free in these formulas."""
    return by_name({s for e in expressions for s in free(e) if isinstance(s, Random)})


def with_parents(atoms: Iterable[Random]) -> list[Draw]:
    """The draws of these atoms and everything their laws depend on, parents first."""
    ordered: dict[int, Draw] = {}

    def visit(draw: Draw) -> None:
        if id(draw) not in ordered:
            for parent in randoms(draw.law):
                if parent.home is not draw:
                    visit(parent.home)
            ordered[id(draw)] = draw

    for atom in atoms:
        visit(atom.home)
    return list(ordered.values())


def log_prob(value: Any, law: Law | None = None) -> Any:
    """log-probability of a draw, or the log-density of an invertible map of one: change of variables in each coordinate."""
    if law is not None:
        return law.log_prob(entries(value))
    if isinstance(value, Draw):
        return value.log_prob()
    maps = entries(value)
    atoms = [a for e in maps for a in randoms(e)]
    draws = list(dict.fromkeys(a.home for a in atoms))
    if any(len(randoms(e)) != 1 for e in maps) or by_name(atoms) != by_name(a for draw in draws for a in draw.atoms):
        wanted = "a map of a whole draw, each coordinate from its own; write log_prob(value, law) otherwise."
        raise ProblemError(f"log_prob({', '.join(map(str, maps))}) needs {wanted}")
    if any(isinstance(draw.law, Finite) for draw in draws):
        raise ProblemError(f"log_prob({maps[0]}) maps a finite draw: write log_prob of the draw itself.")
    slopes = [slope(e, a) for e, a in zip(maps, atoms, strict=True)]
    if folded := [e for e, a, rise in zip(maps, atoms, slopes, strict=True) if _turns(rise, a)]:
        wanted = "write the log of its density yourself, or log_prob of the draw."
        raise ProblemError(f"log_prob({folded[0]}) needs a map that always rises, or always falls: {wanted}")
    return sum(draw.log_prob() for draw in draws) - sum(sp.log(sp.Abs(_steady(rise))) for rise in slopes)


PLACES = [sp.Rational(n, 12) for n in (-43, -17, -4, 3, 19, 47)]


def _turns(rise: Any, atom: Any) -> bool:
    """Has this slope, but for factors without the draw, two signs at these places, or is it zero at several?"""
    moving = [f for f in sp.Mul.make_args(thaw(bare(rise))) if atom in free(f)]
    if any(free(f) - {atom} for f in moving):
        return False
    there = [sp.Mul(*moving).xreplace({atom: at}) for at in PLACES]
    return (any(x.is_positive for x in there) and any(x.is_negative for x in there)) or sum(x.is_zero is True for x in there) > 1


def _steady(slope: Any) -> Any:
    """1 - tanh(u)^2 as 4 exp(-2u) / (1 + exp(-2u))^2: in floats the former is 0 from u = 19.07 on, its logarithm infinite."""
    squared = {t**2: 1 - 4 * sp.exp(-2 * t.args[0]) / (1 + sp.exp(-2 * t.args[0])) ** 2 for t in slope.atoms(sp.tanh)}
    return sp.expand_mul(slope.xreplace(squared), deep=False)


# ---- the expectation ------------------------------------------------------------------------------------------------------


class Expected(sp.Expr):
    """E[body] over (draw, law) pairs. Arguments: the body, then one Tuple(Tuple(atoms), law) for each draw, parents first."""

    is_commutative = True
    is_real = True

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

    def _xreplace(self, rule: Mapping[Any, Any]) -> Any:
        return super()._xreplace({k: v for k, v in rule.items() if not k.free_symbols & self.bound})

    def _eval_subs(self, old: Any, new: Any) -> Any:
        return self if old.free_symbols & self.bound else None

    def _eval_derivative(self, s: Any) -> Any:
        return Slope(self, s) if s in self._free else sp.S.Zero

    def doit(self, **hints: Any) -> Any:
        try:
            return closed(self)
        except Unsuitable:
            return self

    def _sympystr(self, printer: Any) -> str:
        return f"E[{printer._print(self.body)}]"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        return rf"\mathbb{{E}}{f'^{{{exp}}}' if exp else ''}\left[{printer._print(self.body)}\right]"

    def _pretty(self, printer: Any) -> Any:
        return printer._print(sp.Function("E")(self.body))


class Slope(sp.Expr):
    """The exact derivative of an expectation: of its law and of its body, by the product rule. By a score function only where
    it is differentiated again and has no closed form."""

    is_commutative = True
    is_real = True
    precedence = PRECEDENCE["Mul"]

    @property
    def free_symbols(self) -> set[Any]:
        return set(free(self.args[0]))

    def _xreplace(self, rule: Mapping[Any, Any]) -> Any:
        inside = {k: v for k, v in rule.items() if k.free_symbols & self.free_symbols}
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

    def doit(self, **hints: Any) -> Any:
        try:
            return closed(self)
        except Unsuitable:
            return self

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
    if wrong := next((d for d in given or () if not isinstance(d, Draw)), None):
        raise ProblemError(f"E(x, over=...) names {wrong}, which is no draw: write draws, as in over=(action, state).")

    def expected(value: Any) -> Any:
        body = formula(plain(value))
        draws = with_parents(randoms(body)) if given is None else _together(cast("list[Draw]", given), body)
        pairs = [sp.Tuple(sp.Tuple(*d.atoms), d.law) for d in draws]
        return sp.Expr.__new__(Expected, body, *pairs) if pairs else body

    out = each(expected, np.asarray(plain(x), dtype=object))
    return out[()] if out.ndim == 0 else out.view(Array)


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
        found = closed(e.args[0])
        return sp.nan if found in (sp.nan, sp.zoo) else slope(found, e.args[1])  # SymPy's slope of what is no number is 0
    if has(e, Expected):
        return e.func(*(closed(a) for a in e.args))
    return e


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
            body = sp.Add(*(w * body.xreplace({atoms[0]: sp.Integer(k)}) for k, w in enumerate(law.weights)))
        else:
            body = _gaussian(body, atoms, law)
    return body


def _gaussian(body: Any, atoms: Sequence[Any], law: Gaussian) -> Any:
    """E over a normal vector: polynomials by moments, one half-line indicator by truncated moments, exp(t z) by a shift."""
    if not body.has(*atoms):
        return body
    body = body.replace(frozen_, lambda x: _held(x, atoms))
    z = [sp.Dummy(f"z{i}", real=True) for i in range(len(atoms))]
    value = [m + sum(row[j] * z[j] for j in range(i + 1)) for i, (m, row) in enumerate(zip(law.mean, law.factor, strict=True))]
    body = body.xreplace(dict(zip(atoms, value, strict=True)))
    total = sp.S.Zero
    for term in (part for whole in _multiplied_out(body) for part in _shifted(whole, z)):
        jumps = [f for f in sp.Mul.make_args(term) if isinstance(f, step_) and f.has(*z)]
        moment = _half_line(jumps, z) if jumps else lambda powers: sp.Mul(*map(_moment, powers))
        try:
            monomials = sp.Poly(term / sp.Mul(*jumps), *z).terms()
        except sp.PolynomialError as error:
            raise Unsuitable(NO_POLYNOMIAL) from error
        for powers, coefficient in monomials:
            if coefficient.has(*z):
                raise Unsuitable(NO_POLYNOMIAL)
            total += coefficient * moment(powers)
    return total


def _multiplied_out(e: Any) -> Sequence[Any]:
    if (terms := _terms(e)) > TERMS_IN_A_FORMULA:
        raise Unsuitable(f"the integrand has up to {terms:.0e} terms when it is multiplied out, too many for one formula")
    return sp.Add.make_args(sp.expand(e))


def _shifted(term: Any, z: Sequence[Any]) -> Sequence[Any]:
    """Terms without exp(t z) that have the same mean: what it multiplies at z + t, times exp(t^2 / 2)."""
    tilts: list[Any] = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.exp) and f.has(*z)]
    if not tilts:
        return [term]
    exponent = sp.Add(*(f.args[0] for f in tilts))
    t = [slope(exponent, x) for x in z]
    if any(x.has(*z) for x in t):
        raise Unsuitable(NO_POLYNOMIAL)
    rest = (term / sp.Mul(*tilts)).xreplace({x: x + by for x, by in zip(z, t, strict=True)})
    offset = exponent.xreplace(dict.fromkeys(z, sp.S.Zero))
    return _multiplied_out(rest * sp.exp(offset + sp.Add(*(x**2 for x in t)) / 2))


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


def _half_line(jumps: list[Any], z: list[Any]) -> Callable[[Sequence[int]], Any]:
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


# ---- bundles: several draws under the names code asks for -----------------------------------------------------------------


class Bundle:
    """Named arrays of formulas in draws: the arguments that code asks for when it wants more than one draw.

    `index` names those that code indexes with although they are read from a table, as observations are.
    """

    def __init__(self, names: Mapping[str, Any], index: Iterable[str] = ()) -> None:
        self.names: dict[str, Column] = {name: Column(name, values, self, name in index) for name, values in names.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.names)})"

    @property
    def draws(self) -> list[Draw]:
        return with_parents(randoms(*(e for named in self.names.values() for e in entries(named))))

    def __getitem__(self, name: str) -> Column:
        if name not in self.names:
            known = ", ".join(map(repr, self.names))
            raise ProblemError(f"[{name!r}] is no name here: copies, rows and episodes are read by {known}, and then by number.")
        return self.names[name]


class Column(Symbols):
    """What one name of a bundle stands for."""

    def __init__(self, name: str, definition: Any, bundle: Bundle | None = None, index: bool = False) -> None:
        super().__init__(name, plain(definition))
        self.bundle, self._index = bundle, index

    @property
    def whole(self) -> bool:
        """Only indices: draws of finite laws, or what is declared to be one."""
        return self._index or all(isinstance(e, Random) and isinstance(e.home.law, Finite) for e in entries(self))


class Episode(Bundle):
    """A trajectory of a finite MDP: `states`, `actions`, `rewards` (and `observations`), each of length `horizon`.

    A reward is paid by state and action, or by step, state and action.
    """

    def __init__(self, start: Any, step: Any, reward: Any, policy: Any, horizon: int, observe: Any = None, tag: str = "") -> None:
        start, step, reward, policy = (np.asarray(plain(x), dtype=object).view(Array) for x in (start, step, reward, policy))
        self._arguments = (start, step, reward, policy, horizon, observe)
        states: list[Draw] = []
        actions: list[Draw] = []
        seen: list[Any] = []
        for t in range(horizon):
            law = Categorical(start) if t == 0 else Categorical(step[states[-1], actions[-1]])
            states.append(Draw(f"s{tag}{t}", law, bundle=self))
            seen.append(states[-1] if observe is None else array(*observe)[states[-1]])
            actions.append(Draw(f"a{tag}{t}", Categorical(policy[seen[-1]]), bundle=self))
        if reward.ndim == 3 and len(reward) != horizon:
            raise ProblemError(f"the rewards of an episode are for {len(reward)} steps, and it has {horizon}.")
        paid = reward if reward.ndim == 3 else [reward] * horizon
        rewards = [table[s, a] for table, s, a in zip(paid, states, actions, strict=True)]
        names = {"states": array(*states), "actions": array(*actions), "rewards": array(*rewards)}
        super().__init__(names | ({} if observe is None else {"observations": array(*seen)}), index=("observations",))
        self.steps: list[Draw] = actions

    @property
    def total(self) -> Any:
        """The return: the sum of the rewards."""
        return self["rewards"].sum()

    def again(self, tag: str) -> Episode:
        """An independent episode of the same MDP."""
        return Episode(*self._arguments, tag=tag)


def episode(start: Any, step: Any, reward: Any, policy: Any, horizon: int, observe: Any = None) -> Episode:
    """A trajectory of so many steps: an Episode, from the tables of an MDP and the probabilities of a policy."""
    return Episode(start, step, reward, policy, horizon, observe)


def batch(of: Episode | Draw | Sequence[Draw], n: int, given: Draw | Sequence[Draw] = ()) -> Bundle:
    """n independent copies, stacked under the same names; of draws with everything their laws depend on, but for what is
    given, which all copies share: a group of answers to one prompt."""
    if not (isinstance(n, Integral) and n > 0):
        raise ProblemError(f"batch(..., {n!r}) has no copies: write how many, 1 or more.")
    draws: Any
    shared: Any
    draws, shared = ([x] if isinstance(x, Draw) else x for x in (of, given))
    if not isinstance(draws, Episode) and all(isinstance(d, Draw) for d in (*draws, *shared)):
        kept = with_parents([a for d in shared for a in d.atoms])
        chain = [d for d in with_parents([a for d in draws for a in d.atoms]) if d not in kept]
        if not chain:
            raise ProblemError("batch(...) has nothing to copy: write the draws, and as given=... only what their copies share.")
        copies = [_again(chain, str(i)) for i in range(n)]
        return Bundle({draw.name: array(*(copy[k] for copy in copies)) for k, draw in enumerate(chain)})
    if not isinstance(of, Episode) or shared:
        raise ProblemError(f"batch({of}, ...) needs draws or an episode: write batch(action, 2), or batch((first, second), 2).")
    copies = [of.again(f"{i}_") for i in range(n)]
    columns = {name: array(*(np.asarray(c[name].array) for c in copies)) for name in of.names}
    return Bundle(columns, index=[name for name in columns if of[name].whole])


def _again(chain: Sequence[Draw], tag: str) -> list[Draw]:
    """An independent copy of draws, parents first."""
    copies: list[Draw] = []
    renamed: dict[Any, Any] = {}
    for draw in chain:
        copy = Draw(draw.name + tag, draw.law)
        renamed |= zip(draw.atoms, copy.atoms, strict=True)
        copy.law = cast("Law", draw.law.xreplace(renamed))  # its own breaks may name its own coordinates
        copies.append(copy)
    return copies


class Rows(Bundle):
    """The data on a page: equally weighted rows, one value for each name and row. `Mean(q, over=Rows(...))` is their average."""

    def __init__(self, **columns: Any) -> None:
        for name, column in columns.items():
            if not hasattr(column, "__len__") or isinstance(column, str):
                raise ProblemError(
                    f"the column {name}={column!r} of Rows is {type(column).__name__}: write its values, {name}=(0, 1)."
                )
        lengths = {len(c) for c in columns.values()}
        if len(lengths) != 1:
            raise ProblemError(f"Rows needs columns of one length; it was given lengths {sorted(lengths)}.")
        n = lengths.pop()
        row = Draw("row", Categorical([sp.Rational(1, n)] * n), bundle=self)
        super().__init__({name: array(*values)[row] for name, values in columns.items()})
