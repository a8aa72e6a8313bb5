"""A zero test that proves or stays silent: rational normal form in exponentials, logarithms, roots and opaque atoms.

`True` means: zero at every point, within the assumptions of the symbols, where every part of the expression is defined. So
`x/x - 1` is zero, and nothing is said of `x = 0`. Every rewriting below holds pointwise in that sense.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from flint import Ordering, fmpq, fmpq_mpoly_ctx
from sympy.core.function import AppliedUndef

from .calculus import size, slope
from .errors import ProblemError

# Fifteen million products of terms take about a second.
BUDGET = 30_000_000
# Beyond these a polynomial is not multiplied, not factored, and an integer is taken as if it were prime.
_DEGREE = 2_000
_FACTORED = 300
_PRIMES = 10**12
# Signs of absolute values told apart, one inside the other; and what a node costs, in products of terms.
_CASES = 8
_NODE = 100

# SymPy and flint say too little of their types for these to be checked.
Expr = Any
Rational = Any
Polynomial = Any

_refused = (sp.Float, sp.oo, -sp.oo, sp.zoo, sp.nan)


@dataclass
class Budget:
    """Products of two terms that are left. A count, not a clock: the same proof is found, or given up, on every machine."""

    left: int = BUDGET


def is_zero(expr: sp.Basic, budget: int | Budget = BUDGET) -> bool | None:
    """True: proved zero. None: not shown, or more than `budget` products of two terms were needed; several may share one."""
    if not isinstance(expr, sp.Expr):
        raise ProblemError(f"is_zero was given {expr!r}; it takes a SymPy expression: for a number, sympy.Integer({expr!r}).")
    form = _Form(Budget(budget) if isinstance(budget, int) else budget)
    try:
        form.spend_on(expr)
        if not expr.is_commutative or expr.has(*_refused):
            return None
        return _shown(expr, form) or None
    except _NotShown:
        return None


def equal(a: sp.Expr, b: sp.Expr, budget: int = BUDGET) -> bool | None:
    """True: proved equal. None: not shown."""
    return is_zero(a - b, budget)


class _NotShown(Exception):
    """Over the budget, or a part of the expression is defined nowhere."""


def _shown(expr: Expr, form: _Form) -> bool:
    form.spend_on(expr)
    if form.reduced(form.ground(expr)).num.is_zero():
        return True
    if len(form.sides) > len(form.chosen):
        return len(form.chosen) < _CASES and all(_shown(expr, form.again(side)) for side in (1, -1))
    symbols = sorted(expr.free_symbols, key=lambda s: s.sort_key())
    if form.chosen or not symbols or not form.analytic(expr):
        return False
    # Equal slope along one symbol and equal at one value of it: equal, where the domain is an interval.
    x = symbols[0]
    change = slope(expr, x)
    form.spend_on(change)
    return bool(form.reduced(form.ground(change)).num.is_zero()) and _shown(expr.xreplace({x: _start(x)}), form)


def _start(x: Expr) -> Expr:
    return sp.Integer(1 if x.is_nonnegative else -1 if x.is_nonpositive else 0)


def _interval(x: Expr) -> bool:
    """The line or a half-line: neither discrete nor broken at zero."""
    connected = x.is_integer is None and x.is_rational is None and x.is_irrational is None
    return bool(x.is_real and connected and (x.is_zero is None or x.is_positive or x.is_negative))


_i = sp.I
_rewritten: dict[Any, Callable[..., Expr]] = {
    sp.tanh: lambda x: 1 - 2 / (sp.exp(2 * x) + 1),
    sp.coth: lambda x: 1 + 2 / (sp.exp(2 * x) - 1),
    sp.sinh: lambda x: (sp.exp(x) - sp.exp(-x)) / 2,
    sp.cosh: lambda x: (sp.exp(x) + sp.exp(-x)) / 2,
    sp.sech: lambda x: 2 / (sp.exp(x) + sp.exp(-x)),
    sp.csch: lambda x: 2 / (sp.exp(x) - sp.exp(-x)),
    sp.atanh: lambda x: (sp.log(1 + x) - sp.log(1 - x)) / 2,
    sp.asinh: lambda x: sp.log(x + sp.sqrt(x**2 + 1)),
    sp.sin: lambda x: (sp.exp(_i * x) - sp.exp(-_i * x)) / (2 * _i),
    sp.cos: lambda x: (sp.exp(_i * x) + sp.exp(-_i * x)) / 2,
    sp.tan: lambda x: sp.sin(x) / sp.cos(x),
    sp.cot: lambda x: sp.cos(x) / sp.sin(x),
    sp.sec: lambda x: 1 / sp.cos(x),
    sp.csc: lambda x: 1 / sp.sin(x),
    sp.erfc: lambda x: 1 - sp.erf(x),
}
_analytic = (sp.exp, sp.tanh, sp.sinh, sp.cosh, sp.sech, sp.asinh, sp.atan, sp.sin, sp.cos, sp.erf, sp.erfc)
_real_valued = (sp.erf, sp.erfinv, sp.atan)
_undoes = {sp.erf: sp.erfinv, sp.erfinv: sp.erf}


@dataclass(frozen=True)
class _Ring:
    """Polynomials in the roots g**(1/step) of the generators."""

    gens: tuple[Expr, ...]
    steps: tuple[int, ...]
    context: Any

    def terms(self, p: Polynomial) -> Iterator[tuple[Rational, tuple[Rational, ...]]]:
        for powers, c in p.to_dict().items():
            yield _rational(c), tuple(sp.Rational(int(k), q) for k, q in zip(powers, self.steps, strict=True))

    def expr(self, p: Polynomial) -> Expr:
        return sp.Add(*(sp.Mul(c, self.monomial(powers)) for c, powers in self.terms(p)))

    def monomial(self, powers: Sequence[Rational]) -> Expr:
        return sp.Mul(*(g**k for g, k in zip(self.gens, powers, strict=True)))

    def constant(self, c: Rational) -> Polynomial:
        return self.context.constant(fmpq(int(c.p), int(c.q)))


@dataclass(frozen=True)
class _Quotient:
    ring: _Ring
    num: Polynomial
    den: Polynomial


@dataclass(frozen=True)
class _Factor:
    """base**power; sign as in `_Form.sign`."""

    base: Expr
    power: Rational
    sign: int | None


class _Form:
    """The generators met so far, what each one means, and what is left of the budget.

    A *ground* expression is built from rationals and generators by sums, products, integer powers, and rational powers of
    single generators. `g**c` of a generator is formal: for exp(m) it means exp(c m), for a root of b it means b**c.
    """

    def __init__(self, budget: Budget, chosen: tuple[int, ...] = ()) -> None:
        self.budget = budget
        # The first absolute values met are opened to these sides; the rest stay generators.
        self.chosen = chosen
        self.sides: dict[Hashable, Expr] = {}
        self.opened: list[Expr] = []
        self.order: dict[Expr, int] = {}
        # 1: nonnegative, -1: nonpositive, 0: real, None: perhaps not real.
        self.sign: dict[Expr, int | None] = {}
        self.nonzero: set[Expr] = set()
        # generator -> (n, value): generator**n = value, and the value has only older generators.
        self.relation: dict[Expr, tuple[int, Expr]] = {}
        self.exponent: dict[Expr, Expr] = {}
        self.logged: dict[Expr, Expr] = {}
        self.undone: dict[Hashable, Expr] = {}
        self.atoms: dict[Hashable, Expr] = {}
        self.grounds: dict[Expr, Expr] = {}
        self.quotients: dict[Expr, _Quotient] = {}

    def spend(self, count: int) -> None:
        self.budget.left -= count
        if self.budget.left < 0:
            raise _NotShown

    def spend_on(self, expr: Expr) -> None:
        self.spend(_NODE * size(expr))

    def again(self, side: int) -> _Form:
        """A fresh form on the same budget, where one more absolute value is opened."""
        return _Form(self.budget, (*self.chosen, side))

    # ---- from SymPy to ground expressions

    def ground(self, e: Expr) -> Expr:
        if e not in self.grounds:
            self.grounds[e] = self._ground(e)
        return self.grounds[e]

    def _ground(self, e: Expr) -> Expr:
        if e.is_Rational:
            return e
        if e.is_Symbol:
            return self.generator(e, e)
        if e is sp.I:
            return self.root(sp.S.NegativeOne, sp.S.Half)
        if e is sp.E:
            return self.exp(sp.S.One)
        if e.is_Add or e.is_Mul:
            return e.func(*map(self.ground, e.args))
        if e.is_Pow:
            return self.power(*map(self.ground, e.args))
        if isinstance(e, sp.exp):
            return self.exp(self.ground(e.args[0]))
        if isinstance(e, sp.log):
            return self.log(self.ground(e.args[0]))
        if e.func in _rewritten:
            return self.ground(_rewritten[e.func](*e.args))
        if isinstance(e, sp.Abs):
            return self.absolute(self.ground(e.args[0]))
        if isinstance(e, sp.Min | sp.Max):
            return self.extreme(-1 if isinstance(e, sp.Min) else 1, [self.ground(a) for a in sp.ordered(e.args)])
        if isinstance(e, sp.Heaviside) and e.args[1] == sp.S.Half:
            return (1 + self.signum(self.ground(e.args[0]))) / 2
        if isinstance(e, sp.sign):
            return self.signum(self.ground(e.args[0]))
        if e.func in _undoes:
            return self.error_function(e)
        if partial := _partial(e):
            head, args = partial
            return self.opaque(e, head, args)
        if isinstance(e, sp.Function) and all(isinstance(a, sp.Expr) for a in e.args):
            return self.opaque(e, e.func, e.args)
        return self.generator(e, ("node", e))

    def generator(self, node: Expr, key: Hashable) -> Expr:
        """What SymPy's assumptions say of a node, they say of its generator."""
        sign = 1 if node.is_nonnegative else -1 if node.is_nonpositive else 0 if node.is_real else None
        return self.atom(key, sign, bool(node.is_positive or node.is_negative), node if node.is_Symbol else None)

    def atom(self, key: Hashable, sign: int | None, nonzero: bool = False, symbol: Expr | None = None) -> Expr:
        if key not in self.atoms:
            # Positive, so that SymPy adds the exponents of its formal powers.
            g = self.atoms[key] = symbol or sp.Dummy(positive=True)
            self.order[g], self.sign[g] = len(self.order), sign
            if nonzero:
                self.nonzero.add(g)
        return self.atoms[key]

    def opaque(self, node: Expr, head: Hashable, args: Sequence[Expr]) -> Expr:
        grounds = [self.ground(a) for a in args]
        key = (head, *map(self.key, grounds))
        if isinstance(node, AppliedUndef):
            return self.generator(node, key)
        real = isinstance(node, _real_valued) and all(self.sign_of(g) is not None for g in grounds)
        return self.atom(key, 0 if real else None)

    def error_function(self, e: Expr) -> Expr:
        """erf or erfinv. Both are odd; erf(erfinv(x)) is x where it has a value, and erfinv(erf(x)) where x is real."""
        inside = self.ground(e.args[0])
        q = self.reduced(inside)
        if q.num.is_zero():
            return sp.S.Zero
        if isinstance(e, sp.erfinv) and q.num.is_constant() and q.den.is_constant() and abs(q.ring.expr(q.num)) >= 1:
            raise _NotShown
        for side in (1, -1):
            key = (e.func, self.key(side * inside))
            known = self.undone.get(key, self.atoms.get(key))
            if known is not None:
                return side * known
        found = self.opaque(e, e.func, e.args)
        if isinstance(e, sp.erfinv) or self.sign_of(inside) is not None:
            self.undone[_undoes[e.func], self.key(found)] = inside
        return found

    def power(self, base: Expr, c: Expr) -> Expr:
        if c.is_Integer:
            if c < 0 and self.reduced(base).num.is_zero():
                raise _NotShown
            return base**c
        if not c.is_Rational:
            if self.positive(base):
                return self.exp(c * self.log(base))
            return self.atom(("power", self.key(base), self.key(c)), None)
        if self.reduced(base).num.is_zero():
            if c < 0:
                raise _NotShown
            return sp.S.Zero
        known, rest = self.apart(base)
        return sp.Mul(*(self.root(b, k * c) for b, k in known), self.root(rest, c))

    def root(self, base: Expr, c: Rational) -> Expr:
        """base**c, where the base cannot be taken apart."""
        if base == 1:
            return base
        if base.is_Symbol and self.sign[base] == 1:
            return base**c
        whole = sp.floor(c)
        if c == whole:
            return base**whole
        sign = 1 if self.sign_of(base) == 1 else None
        g = self.atom(("root", self.key(base)), sign, sign == 1 and self.positive(base))
        self.relation.setdefault(g, (1, base))
        return base**whole * g ** (c - whole)

    def exp(self, e: Expr) -> Expr:
        return sp.Mul(*(self._exp(m, c) for c, m in self.linear(e)))

    def _exp(self, m: Expr, c: Rational) -> Expr:
        if m in self.logged:
            return self.power(self.logged[m], c)
        real = self.sign_of(m) is not None
        g = self.atom(("exp", self.key(m)), 1 if real else None, real)
        self.exponent[g] = m
        return g**c

    def linear(self, e: Expr) -> Iterator[tuple[Rational, Expr]]:
        """A sum of rationals times monomials, or times a monomial over a denominator of several terms."""
        groups: dict[Hashable, list[Expr]] = {}
        for term in sp.Add.make_args(e):
            q = self.reduced(term)
            groups.setdefault(self.terms_key(q.ring, q.den), []).append(term)
        for terms in groups.values():
            q = self.reduced(sp.Add(*terms))
            if len(q.den) == 1:
                whole, part = q.ring.constant(sp.S.Zero), q.num
            else:
                self.spend(len(q.num) * len(q.den))
                whole, part = divmod(q.num, q.den)
            below = 1 / q.ring.expr(q.den)
            for p, over in ((whole, sp.S.One), (part, below)):
                for c, powers in q.ring.terms(p):
                    scale, m = (q.ring.monomial(powers) * over).as_coeff_Mul()
                    yield c * scale, m

    def log(self, e: Expr) -> Expr:
        if self.reduced(e).num.is_zero():
            raise _NotShown
        known, rest = self.apart(e)
        logs = [k * self._log(b) for b, k in known]
        return sp.Add(*logs) if rest == 1 else sp.Add(*logs, self._log(rest))

    def _log(self, base: Expr) -> Expr:
        """log(base), where the base cannot be taken apart."""
        if self.sign.get(base) == 1:
            if base in self.exponent:
                return self.exponent[base]
            n, value = self.relation.get(base, (0, base))
            if n == 1:
                return self._log(value)
        real = self.sign_of(base) == 1
        g = self.atom(("log", self.key(base)), (1 if base.is_Integer else 0) if real else None, real and base.is_Integer is True)
        self.logged[g] = base
        return g

    def absolute(self, e: Expr, promised_real: bool = False) -> Expr:
        if self.reduced(e).num.is_zero():
            return sp.S.Zero
        out, unknown = [], sp.S.One
        for f in self.factors(e):
            if f.sign == 1:
                out.append(self.root(f.base, f.power))
            elif f.base == -1:
                continue
            elif f.sign is not None:
                out.append(self._absolute(f.base) ** f.power)
            else:
                unknown *= f.base**f.power
        if unknown != 1:
            out.append(self._absolute(unknown) if promised_real else self.atom(("Abs", self.key(unknown)), 1))
        return sp.Mul(*out)

    def _absolute(self, base: Expr) -> Expr:
        # A side that another opened side implies is no choice: x > 6/5 is not tried where x < 4/5.
        for side, known in itertools.product((1, -1), self.opened):
            if self.sign_of(side * base - known) == 1:
                return side * base
        key = ("absolute", self.key(base))
        if key not in self.sides:
            met = len(self.sides)
            if met < len(self.chosen):
                self.sides[key] = self.chosen[met] * base
                self.opened.append(self.sides[key])
            else:
                g = self.sides[key] = self.atom(key, 1)
                self.relation[g] = 2, base**2
        return self.sides[key]

    def extreme(self, side: int, args: Sequence[Expr]) -> Expr:
        """max(a, b) = (a + b + |a - b|)/2. Min and Max are defined for real arguments only, hence the promise."""
        out, *rest = args
        for a in rest:
            out = (out + a + side * self.absolute(out - a, promised_real=True)) / 2
        return out

    def signum(self, e: Expr) -> Expr:
        if self.reduced(e).num.is_zero():
            return sp.S.Zero
        out, rest = [], sp.S.One
        for f in self.factors(e):
            if f.sign == 1 and self.positive(f.base):
                continue
            if f.base == -1:
                out.append(sp.S.NegativeOne)
            else:
                rest *= f.base**f.power
        if rest != 1:
            out.append(self.atom(("sign", self.key(rest)), None if self.sign_of(rest) is None else 0))
        return sp.Mul(*out)

    # ---- signs

    def sign_of(self, e: Expr) -> int | None:
        q = self.reduced(e)
        num, den = self._sign(q.ring, q.num), self._sign(q.ring, q.den)
        return None if num is None or den is None else num * den

    def _sign(self, ring: _Ring, p: Polynomial) -> int | None:
        signs: set[int | None] = {self._term_sign(ring, c, powers) for c, powers in ring.terms(p)}
        return None if None in signs else 0 if len(signs) != 1 else signs.pop()

    def _term_sign(self, ring: _Ring, c: Rational, powers: Sequence[Rational]) -> int | None:
        sign = 1 if c > 0 else -1
        for g, k in zip(ring.gens, powers, strict=True):
            s = self.sign[g]
            if k == 0 or s == 1:
                continue
            if s is None or not k.is_Integer:
                return None
            sign *= 1 if k % 2 == 0 else s
        return sign

    def positive(self, e: Expr) -> bool:
        """Shown greater than zero by its structure."""
        q = self.reduced(e)
        strict = all(self._some_term_nonzero(q.ring, p) for p in (q.num, q.den))
        return strict and self._sign(q.ring, q.num) == self._sign(q.ring, q.den) in (1, -1)

    def _some_term_nonzero(self, ring: _Ring, p: Polynomial) -> bool:
        return any(
            all(g in self.nonzero for g, k in zip(ring.gens, powers, strict=True) if k != 0) for _, powers in ring.terms(p)
        )

    def analytic(self, e: Expr) -> bool:
        """Shown real and analytic on the whole domain of its symbols, which is an interval in each."""
        if e.is_Symbol:
            return _interval(e)
        if e.is_Rational or e.is_NumberSymbol:
            return True
        if not all(self.analytic(a) for a in e.args):
            return False
        if e.is_Pow:
            base, c = e.args
            if c.is_Integer:
                return bool(c >= 0) or self.positive(self.ground(base)) or self.positive(-self.ground(base))
            return self.positive(self.ground(base))
        if isinstance(e, sp.log):
            return self.positive(self.ground(e.args[0]))
        return bool(e.is_Add or e.is_Mul or isinstance(e, _analytic))

    # ---- factors

    def factors(self, e: Expr) -> list[_Factor]:
        """The product of these is e: primes, -1, generators, and polynomials without a common monomial, as far as they factor."""
        q = self.reduced(e)
        content = sp.S.One
        found: list[_Factor] = []
        for p, side in ((q.num, 1), (q.den, -1)):
            lead, parts = self._split(q.ring, p)
            content *= lead**side
            found += [_Factor(base, side * k, sign) for base, k, sign in parts]
        for n, side in ((abs(content.p), 1), (content.q, -1)):
            primes = sp.factorint(n) if n < _PRIMES else {n: 1}
            found += [_Factor(sp.Integer(p), sp.Integer(side * k), 1) for p, k in primes.items() if p != 1]
        minus = sum(int(f.power) for f in found if f.sign == -1) + int(content.p < 0)
        found = [_Factor(-f.base, f.power, 1) if f.sign == -1 else f for f in found]
        return found + [_Factor(sp.S.NegativeOne, sp.S.One, -1)] * (minus % 2)

    def _split(self, ring: _Ring, p: Polynomial) -> tuple[Rational, list[tuple[Expr, Rational, int | None]]]:
        common = [min(powers) for powers in zip(*(powers for _, powers in ring.terms(p)), strict=True)]
        parts = [(g, k, self.sign[g]) for g, k in zip(ring.gens, common, strict=True) if k != 0]
        # A new ring: x + 1 must not be split as y**2 + 1 or y**3 + 1 only because a root y of x occurred elsewhere.
        rest = self._quotient(
            sp.Add(*(c * ring.monomial([k - m for k, m in zip(powers, common, strict=True)]) for c, powers in ring.terms(p)))
        )
        self.spend(len(p) ** 2)
        lead, factors = rest.num.factor() if len(p) <= _FACTORED else (fmpq(1), [(rest.num, 1)])
        content = _rational(lead)
        for f, k in factors:
            c = f.leading_coefficient()
            content *= _rational(c) ** int(k)
            monic = f / c
            parts.append((rest.ring.expr(monic), sp.Integer(int(k)), self._sign(rest.ring, monic)))
        return content, parts

    def apart(self, e: Expr) -> tuple[list[tuple[Expr, Rational]], Expr]:
        """The factors that are not negative, each with its power, and the product of the others."""
        known: list[tuple[Expr, Rational]] = []
        rest = sp.S.One
        for f in self.factors(e):
            if f.sign == 1:
                known.append((f.base, f.power))
            elif f.sign is not None and f.power % 2 == 0:
                known.append((self.absolute(f.base), f.power))
            else:
                rest *= f.base**f.power
        return known, rest

    # ---- quotients of polynomials

    def key(self, e: Expr) -> Hashable:
        q = self.reduced(e)
        return self.terms_key(q.ring, q.num), self.terms_key(q.ring, q.den)

    def terms_key(self, ring: _Ring, p: Polynomial) -> Hashable:
        order = [self.order[g] for g in ring.gens]
        return frozenset((c, tuple((i, k) for i, k in zip(order, powers, strict=True) if k)) for c, powers in ring.terms(p))

    def reduced(self, e: Expr) -> _Quotient:
        """The quotient, its relations used, the denominator's leading coefficient one."""
        if e not in self.quotients:
            q = self._quotient(e)
            related = [g for g in q.ring.gens if g in self.relation]
            for g in reversed(related):
                q = self.divide(self._use(g, q.ring, q.num), self._use(g, q.ring, q.den))
            lead = q.den.leading_coefficient()
            self.quotients[e] = _Quotient(q.ring, q.num / lead, q.den / lead)
        return self.quotients[e]

    def _use(self, g: Expr, ring: _Ring, p: Polynomial) -> _Quotient:
        at = ring.gens.index(g)
        n, value = self.relation[g]
        size = n * ring.steps[at]
        parts: dict[int, dict[tuple[int, ...], Any]] = {}
        for powers, c in p.to_dict().items():
            times, left = divmod(int(powers[at]), size)
            parts.setdefault(times, {})[(*powers[:at], left, *powers[at + 1 :])] = c
        one = ring.constant(sp.S.One)
        step = self.evaluate(value, ring, {}) if parts.keys() - {0} else _Quotient(ring, one, one)
        return self.add(
            [
                self.multiply(_Quotient(ring, ring.context.from_dict(part), one), self.raised(step, times))
                for times, part in parts.items()
            ],
            ring,
        )

    def _quotient(self, e: Expr) -> _Quotient:
        steps: dict[Expr, int] = {}
        todo = [e]
        while todo:
            node: Expr
            for node in sp.preorder_traversal(todo.pop()):
                self.spend(_NODE)
                base, k = node.as_base_exp() if node.is_Pow else (node, sp.S.One)
                if base.is_Symbol:
                    if base not in steps and base in self.relation:
                        todo.append(self.relation[base][1])
                    steps[base] = math.lcm(steps.get(base, 1), int(k.q))
        gens = tuple(sorted(steps, key=lambda g: self.order[g]))
        context = fmpq_mpoly_ctx.get([f"g{self.order[g]}" for g in gens], Ordering.lex)
        return self.evaluate(e, _Ring(gens, tuple(steps[g] for g in gens), context), {})

    def evaluate(self, e: Expr, ring: _Ring, known: dict[Expr, _Quotient]) -> _Quotient:
        if e not in known:
            known[e] = self._evaluate(e, ring, known)
        return known[e]

    def _evaluate(self, e: Expr, ring: _Ring, known: dict[Expr, _Quotient]) -> _Quotient:
        one = ring.constant(sp.S.One)
        if e.is_Rational:
            return _Quotient(ring, ring.constant(e), one)
        if e.is_Add:
            return self.add([self.evaluate(a, ring, known) for a in e.args], ring)
        if e.is_Mul:
            out = _Quotient(ring, one, one)
            for a in e.args:
                out = self.multiply(out, self.evaluate(a, ring, known))
            return out
        base, k = e.as_base_exp()
        if not base.is_Symbol:
            return self.raised(self.evaluate(base, ring, known), int(k))
        at = ring.gens.index(base)
        return self.raised(_Quotient(ring, ring.context.gens()[at], one), int(k * ring.steps[at]))

    def raised(self, q: _Quotient, k: int) -> _Quotient:
        num, den = (q.num, q.den) if k >= 0 else (q.den, q.num)
        if den.is_zero():
            raise _NotShown
        for p in (num, den):
            if abs(k) * max(p.total_degree(), 0) > _DEGREE:
                raise _NotShown
            self.spend(math.comb(abs(k) + len(p) - 1, abs(k)) if len(p) > 1 else 1)
        return _Quotient(q.ring, num ** abs(k), den ** abs(k))

    def divide(self, a: _Quotient, b: _Quotient) -> _Quotient:
        return self.multiply(a, self.raised(b, -1))

    def multiply(self, a: _Quotient, b: _Quotient) -> _Quotient:
        f, g = self.common(a.num, b.den), self.common(b.num, a.den)
        return _Quotient(a.ring, self.times(a.num // f, b.num // g), self.times(a.den // g, b.den // f))

    def add(self, terms: Sequence[_Quotient], ring: _Ring) -> _Quotient:
        sums: list[tuple[Polynomial, Polynomial]] = []
        for q in terms:
            for i, (num, den) in enumerate(sums):
                if den == q.den:
                    sums[i] = num + q.num, den
                    break
            else:
                sums.append((q.num, q.den))
        num, den = ring.constant(sp.S.Zero), ring.constant(sp.S.One)
        for a, b in sums:
            g = self.common(b, den)
            num = self.times(num, b // g) + self.times(a, den // g)
            f = self.common(num, g)
            num, den = num // f, self.times(den // g, b // f)
        return _Quotient(ring, num, den)

    def times(self, a: Polynomial, b: Polynomial) -> Polynomial:
        self.spend(len(a) * len(b))
        if a.total_degree() + b.total_degree() > _DEGREE:
            raise _NotShown
        return a * b

    def common(self, a: Polynomial, b: Polynomial) -> Polynomial:
        self.spend(len(a) * len(b))
        return a.gcd(b) if not a.is_zero() else b


def _rational(c: Any) -> Rational:
    return sp.Rational(int(c.p), int(c.q))


def _partial(e: Any) -> tuple[Hashable, Sequence[Expr]] | None:
    """A partial derivative of an unknown function, at its arguments: f'(x) is one atom however SymPy spells it."""
    if isinstance(e, sp.Derivative) and isinstance(e.expr, AppliedUndef):
        args, orders = e.expr.args, [0] * len(e.expr.args)
        counts: Any = e.variable_count
        for v, n in counts:
            places = [i for i, a in enumerate(args) if a == v]
            if len(places) != 1 or sum(a.has(v) for a in args) != 1:
                return None
            orders[places[0]] += int(n)
        return ("partial", e.expr.func, *orders), args
    if isinstance(e, sp.Subs) and (inner := _partial(e.expr)):
        head, args = inner
        variables: Any = e.variables
        point: Any = e.point
        return head, [a.xreplace(dict(zip(variables, point, strict=True))) for a in args]
    return None
