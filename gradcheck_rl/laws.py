"""Random draws, the laws they follow, and their exact expectation.

A draw is an atom: no rewriting can touch its law. An expectation carries (draw, law) pairs in its arguments, so that its
free symbols, its substitutions and its derivative see the laws too. Without that, the derivative of an expectation by a
parameter that occurs only in a law would silently be zero.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from .errors import ProblemError, Unsuitable
from .spaces import Shape
from .symbols import Array, Atom, Symbols, array, bare, entries, log_softmax, plain, step_, thaw


# ---- laws: final records that own log-probability, support or standardisation, and sampler --------------------------------

class Law(sp.Basic):
    """What a draw follows. Its arguments are formulas, which may contain other draws."""

    shape: Shape = ()
    weights: Any = None

    def log_prob(self, value: Sequence[Any]) -> Any:
        raise NotImplementedError


class Finite(Law):
    """A law on 0..K-1. Arguments: the probabilities and their logarithms."""

    @property
    def weights(self) -> Any:
        return self.args[0]

    def log_prob(self, value: Sequence[Any]) -> Any:
        return array(*self.args[1])[value[0]]


class Categorical(Finite):
    """K actions with given probabilities, or with logits; `allowed` is 1 where an action may be chosen and 0 elsewhere."""

    def __new__(cls, probs: Any = None, logs: Any = None, *, logits: Any = None, allowed: Any = 1) -> Any:
        if logs is None:
            if (probs is None) == (logits is None):
                raise ProblemError("Categorical takes either probabilities or logits=..., one of them.")
            if logits is not None:
                mask = np.broadcast_to(np.asarray(plain(allowed), dtype=object), np.shape(plain(logits)))
                weights = np.asarray([m * sp.exp(x) for m, x in zip(entries(mask), entries(logits), strict=True)], dtype=object)
                total = sum(weights)
                probs = [w / total for w in weights]
                logs = [x + (0 if m == 1 else sp.log(m)) for m, x in zip(entries(mask), log_softmax(array(*entries(logits)), mask), strict=True)]
            else:
                probs = entries(probs)
                logs = [sp.log(p) for p in probs]
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
            one, zero = 1 / (1 + sp.exp(-x)), 1 / (1 + sp.exp(x))
            return sp.Basic.__new__(cls, sp.Tuple(zero, one), sp.Tuple(-sp.log(1 + sp.exp(x)), -sp.log(1 + sp.exp(-x))))
        p = entries(p)[0]
        return sp.Basic.__new__(cls, sp.Tuple(1 - p, p), sp.Tuple(sp.log(1 - p), sp.log(p)))


class Gaussian(Law):
    """Normal with a mean and a standard deviation for each coordinate, or with a full covariance.

    Arguments: the mean, the lower triangular factor of the covariance, and for each coordinate where the integrand breaks.
    """

    def __new__(cls, mean: Any, sd: Any = None, breaks: Any = None, *, covariance: Any = None) -> Any:
        if isinstance(sd, sp.Tuple) and breaks is not None:
            return sp.Basic.__new__(cls, mean, sd, breaks)
        if (sd is None) == (covariance is None):
            raise ProblemError("Gaussian takes a standard deviation or covariance=..., one of them.")
        shape = np.broadcast_shapes(np.shape(plain(mean)), np.shape(plain(sd)) if covariance is None else np.shape(plain(mean)))
        centre = entries(np.broadcast_to(np.asarray(plain(mean), dtype=object), shape))
        factor = _diagonal(entries(np.broadcast_to(np.asarray(plain(sd), dtype=object), shape))) if covariance is None else _cholesky(np.asarray(plain(covariance)))
        law = sp.Basic.__new__(cls, sp.Tuple(*centre), sp.Tuple(*(sp.Tuple(*row) for row in factor)), sp.Tuple())
        if shape == ():
            law = sp.Basic.__new__(Scalar, *law.args)
        return law

    @property
    def shape(self) -> Shape:  # pyright: ignore[reportIncompatibleVariableOverride]
        return (len(self.args[0]),)

    @property
    def mean(self) -> list[Any]:
        return list(self.args[0])

    @property
    def factor(self) -> list[list[Any]]:
        return [list(row) for row in self.args[1]]

    @property
    def breaks(self) -> list[Any]:
        return list(self.args[2])

    def standardised(self, value: Sequence[Any]) -> list[Any]:
        """z with value = mean + factor z."""
        z: list[Any] = []
        for i, (x, m, row) in enumerate(zip(value, self.mean, self.factor, strict=True)):
            z.append((x - m - sum(row[j] * z[j] for j in range(i))) / row[i])
        return z

    def log_prob(self, value: Sequence[Any]) -> Any:
        z = self.standardised(value)
        scales = [self.factor[i][i] for i in range(len(z))]
        return -sum(x ** 2 for x in z) / 2 - sum(sp.log(s) for s in scales) - sp.log(2 * sp.pi) * sp.Rational(len(z), 2)


class Scalar(Gaussian):
    """One normal number."""

    shape: Shape = ()  # pyright: ignore[reportIncompatibleMethodOverride]


def _diagonal(sd: list[Any]) -> list[list[Any]]:
    return [[s if i == j else sp.S.Zero for j in range(len(sd))] for i, s in enumerate(sd)]


def _cholesky(covariance: Any) -> list[list[Any]]:
    n = len(covariance)
    if covariance.shape != (n, n):
        raise ProblemError(f"covariance has shape {covariance.shape}: write a square array, or sd for independent coordinates.")
    factor = [[sp.S.Zero] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = covariance[i, j] - sum(factor[i][k] * factor[j][k] for k in range(j))
            factor[i][j] = sp.sqrt(rest) if i == j else rest / factor[j][j]
    return factor


# ---- draws ----------------------------------------------------------------------------------------------------------------

class Random(Atom):
    """One coordinate of a draw."""

    __slots__ = ()


class Draw(Symbols):
    """A random atom and its law. `breaks` says, coordinate by coordinate, where an integrand over it jumps."""

    def __init__(self, name: str, law: Law, breaks: Callable[..., Any] | None = None, bundle: Bundle | None = None) -> None:
        if not isinstance(law, Law):
            raise ProblemError(f"Draw({name!r}, ...) needs a law, not {type(law).__name__}: write Categorical(...), Bernoulli(...) or Gaussian(...).")
        atoms = np.empty(law.shape, dtype=object)
        for i in np.ndindex(*law.shape):
            atom = Random("_".join([name, *map(str, i)]), real=True)
            atom.home = self
            atoms[i] = atom
        super().__init__(name, atoms)
        self.bundle = bundle
        if breaks is not None:
            at = breaks(*atoms.ravel())
            law = law.func(*law.args[:2], sp.Tuple(*(sp.Tuple(*entries(array(*points))) for points in at)))
        self.law = law

    @property
    def atoms(self) -> tuple[Any, ...]:
        return tuple(self.array.ravel())

    def log_prob(self, value: Any = None) -> Any:
        return self.law.log_prob(entries(self if value is None else value))


def randoms(*expressions: Any) -> list[Random]:
    """The draws' atoms that are free in these formulas."""
    found: set[Any] = set()
    for e in expressions:
        found |= {s for s in e.free_symbols if isinstance(s, Random)}
    return sorted(found, key=lambda s: (s.name, s.dummy_index))


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
    """log-probability of a draw, or the log-density of an invertible map of one (change of variables, coordinate by coordinate)."""
    if isinstance(value, Draw):
        return value.log_prob() if law is None else law.log_prob(entries(value))
    if law is not None:
        return law.log_prob(entries(value))
    total: Any = sp.S.Zero
    done: set[int] = set()
    for e in entries(value):
        atoms = randoms(e)
        if len(atoms) != 1:
            raise ProblemError(f"log_prob({e}) needs a map of one draw, coordinate by coordinate; write log_prob(value, law) otherwise.")
        draw = atoms[0].home
        if id(draw) not in done:
            total, done = total + draw.log_prob(), done | {id(draw)}
        total -= sp.log(sp.Abs(_steady(sp.diff(e, atoms[0]))))
    return total


def _steady(slope: Any) -> Any:
    """1 - tanh(u)^2 as 4 exp(-2u) / (1 + exp(-2u))^2: in floats the former is zero from u = 19.07 on, and its logarithm infinite."""
    squared = {t ** 2: 1 - 4 * sp.exp(-2 * t.args[0]) / (1 + sp.exp(-2 * t.args[0])) ** 2 for t in slope.atoms(sp.tanh)}
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

    @property
    def free_symbols(self) -> set[Any]:
        return set().union(self.body.free_symbols, *(pair[1].free_symbols for pair in self.pairs)) - self.bound

    def _xreplace(self, rule: Mapping[Any, Any]) -> Any:
        return super()._xreplace({k: v for k, v in rule.items() if k not in self.bound})

    def _eval_subs(self, old: Any, new: Any) -> Any:
        return self if old in self.bound else None

    def _eval_derivative(self, s: Any) -> Any:
        return Slope(self, s) if s in self.free_symbols else sp.S.Zero

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
    """The exact derivative of an expectation: of its law and of its body, by the product rule. Never a score function."""

    is_commutative = True
    is_real = True

    @property
    def free_symbols(self) -> set[Any]:
        return self.args[0].free_symbols

    def _xreplace(self, rule: Mapping[Any, Any]) -> Any:
        if self.args[1] in rule:
            return closed(self)._xreplace(rule)
        return super()._xreplace(rule)

    def _eval_subs(self, old: Any, new: Any) -> Any:
        return closed(self).subs(old, new)

    def _eval_derivative(self, s: Any) -> Any:
        return closed(self).diff(s) if s in self.free_symbols else sp.S.Zero

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


def E(x: Any, over: Iterable[Draw] | None = None) -> Any:
    """Exact expectation over every draw inside (or over the given draws, the others staying random)."""
    values = np.asarray(plain(x), dtype=object)
    out = np.empty(values.shape, dtype=object)
    for at in np.ndindex(*values.shape):
        body = sp.sympify(values[at], strict=True)
        draws = with_parents(randoms(body)) if over is None else list(over)
        pairs = [sp.Tuple(sp.Tuple(*d.atoms), d.law) for d in draws]
        out[at] = sp.Expr.__new__(Expected, body, *pairs) if pairs else body
    return out[()] if values.shape == () else out.view(Array)


OUTCOMES_IN_A_FORMULA = 512


def closed(e: Any) -> Any:
    """The formula with its expectations worked out: finite sums, and Gaussian moments of polynomials and half-lines."""
    if isinstance(e, Expected):
        return _eliminate(bare(closed(e.body)), e.pairs)
    if isinstance(e, Slope):
        return closed(e.args[0]).diff(e.args[1])
    if e.has(Expected):
        return e.func(*(closed(a) for a in e.args))
    return e


def _eliminate(body: Any, pairs: Sequence[Any]) -> Any:
    outcomes = math.prod(len(law.weights) for _, law in pairs if isinstance(law, Finite))
    if outcomes > OUTCOMES_IN_A_FORMULA:
        raise Unsuitable(f"{outcomes} outcomes are too many for one formula")
    for atoms, law in reversed(pairs):
        law = closed(law)
        if isinstance(law, Finite):
            body = sp.Add(*(w * body.xreplace({atoms[0]: sp.Integer(k)}) for k, w in enumerate(law.weights)))
        else:
            body = _gaussian(body, atoms, law)
    return body


def _gaussian(body: Any, atoms: Sequence[Any], law: Gaussian) -> Any:
    """E over a normal vector: polynomials by moments, one half-line indicator by truncated moments."""
    body = thaw(body) if any(body.has(a) for a in atoms) else body
    if not any(body.has(a) for a in atoms):
        return body
    z = [sp.Dummy(f"z{i}", real=True) for i in range(len(atoms))]
    value = [m + sum(row[j] * z[j] for j in range(i + 1)) for i, (m, row) in enumerate(zip(law.mean, law.factor, strict=True))]
    body = body.xreplace(dict(zip(atoms, value, strict=True)))
    total = sp.S.Zero
    for term in sp.Add.make_args(sp.expand(body)):
        jumps = [f for f in sp.Mul.make_args(term) if isinstance(f, step_) and f.has(*z)]
        rest = term / sp.Mul(*jumps)
        cut = _half_line(jumps, z) if jumps else None
        try:
            monomials = sp.Poly(rest, *z).terms()
        except sp.PolynomialError as error:
            raise Unsuitable("the integrand is no polynomial in the draw") from error
        for powers, coefficient in monomials:
            if coefficient.has(*z):
                raise Unsuitable("the integrand is no polynomial in the draw")
            total += coefficient * (_moment(powers[0], cut) if cut is not None else sp.Mul(*(sp.S.Zero if k % 2 else sp.factorial2(k - 1) for k in powers)))
    return total


def _half_line(jumps: list[Any], z: list[Any]) -> Any:
    """c where the indicator says z >= c."""
    if len(jumps) == 1 and len(z) == 1:
        inside = sp.Poly(jumps[0].args[0], z[0]) if jumps[0].args[0].is_polynomial(z[0]) else None
        if inside is not None and inside.degree() == 1 and inside.LC().is_positive:
            return -inside.TC() / inside.LC()
    raise Unsuitable("only one indicator of a half-line has a closed expectation")


def _moment(k: int, c: Any) -> Any:
    """Integral of z^k phi(z) from c upwards."""
    if k == 0:
        return sp.erfc(c / sp.sqrt(2)) / 2
    edge = c ** (k - 1) * sp.exp(-c ** 2 / 2) / sp.sqrt(2 * sp.pi)
    return edge + ((k - 1) * _moment(k - 2, c) if k > 1 else 0)


# ---- bundles: several draws under the names code asks for -----------------------------------------------------------------

class Bundle:
    """Named arrays of formulas in draws: the arguments that code asks for when it wants more than one draw."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names: dict[str, Column] = {name: Column(name, values, self) for name, values in names.items()}

    @property
    def draws(self) -> list[Draw]:
        return with_parents(randoms(*(e for named in self.names.values() for e in entries(named))))

    def __getitem__(self, name: str) -> Column:
        return self.names[name]


class Column(Symbols):
    """What one name of a bundle stands for."""

    def __init__(self, name: str, definition: Any, bundle: Bundle | None = None) -> None:
        super().__init__(name, plain(definition))
        self.bundle = bundle

    @property
    def whole(self) -> bool:
        """Only indices: draws of finite laws, or a table of whole numbers read at such draws."""
        return all(_is_index(e) for e in entries(self))


def _is_index(e: Any) -> bool:
    return isinstance(e, Random) and isinstance(e.home.law, Finite)


class Episode(Bundle):
    """A trajectory of a finite MDP: `states`, `actions`, `rewards` (and `observations`), each of length `horizon`."""

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
        names = {"states": array(*states), "actions": array(*actions), "rewards": array(*(reward[s, a] for s, a in zip(states, actions, strict=True)))}
        super().__init__(names | ({} if observe is None else {"observations": array(*seen)}))
        self.steps: list[Draw] = actions

    @property
    def total(self) -> Any:
        """The return: the sum of the rewards."""
        return self["rewards"].sum()

    def again(self, tag: str) -> Episode:
        """An independent episode of the same MDP."""
        return Episode(*self._arguments, tag=tag)


def episode(start: Any, step: Any, reward: Any, policy: Any, horizon: int, observe: Any = None) -> Episode:
    return Episode(start, step, reward, policy, horizon, observe)


def batch(of: Episode | Draw, n: int) -> Bundle:
    """n independent copies, stacked under the same names."""
    if isinstance(of, Draw):
        return Bundle({of.name: array(*(Draw(f"{of.name}{i}", of.law) for i in range(n)))})
    copies = [of.again(f"{i}_") for i in range(n)]
    return Bundle({name: array(*(np.asarray(c[name].array) for c in copies)) for name in of.names})


class Rows(Bundle):
    """The data on a page: equally weighted rows, one value for each name and row. `Mean(q, over=Rows(...))` is their average."""

    def __init__(self, **columns: Any) -> None:
        lengths = {len(c) for c in columns.values()}
        if len(lengths) != 1:
            raise ProblemError(f"Rows needs columns of one length; it was given lengths {sorted(lengths)}.")
        n = lengths.pop()
        row = Draw("row", Categorical([sp.Rational(1, n)] * n), bundle=self)
        super().__init__({name: array(*values)[row] for name, values in columns.items()})
