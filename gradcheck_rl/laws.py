"""Random draws and the laws they follow. A draw is an atom: no rewriting can touch its law."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import sympy as sp

from .calculus import free, slope
from .errors import ProblemError
from .own import sound
from .spaces import Shape
from .symbols import Atom, Symbols, array, bare, by_name, entries, exp, identifier, log, log_softmax, plain, softmax, thaw

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


MASKED = "Categorical takes a mask beside logits: write Categorical(logits=x, allowed=mask), or Categorical(softmax(x, mask))."


class Categorical(Finite):
    """K actions with given probabilities, or with logits; `allowed` is 1 where an action may be chosen and 0 elsewhere."""

    def __new__(cls, probs: Any = None, logs: Any = None, *, logits: Any = None, allowed: Any = 1) -> Any:
        if logs is None:
            if (probs is None) == (logits is None):
                raise ProblemError("Categorical takes either probabilities or logits=..., one of them.")
            if logits is None and not (isinstance(allowed, int) and allowed == 1):
                raise ProblemError(MASKED)
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
                logs = log_softmax(scores, allowed)
            else:
                probs = entries(probs)
                logs = [log(p) for p in probs]
                total = sp.Add(*probs)
                if total.is_Rational and total != 1:
                    raise ProblemError(f"the probabilities {probs} sum to {total}: write ones that sum to 1.")
        elif not isinstance(logs, sp.Tuple):  # which SymPy gives where it makes the law again
            raise ProblemError(MASKED)
        return sp.Basic.__new__(cls, sp.Tuple(*probs), sp.Tuple(*logs))


class Bernoulli(Finite):
    """1 with probability p, else 0."""

    def __new__(cls, p: Any = None, logs: Any = None, *, logit: Any = None) -> Any:
        if isinstance(logs, sp.Tuple):  # as SymPy makes it again
            return sp.Basic.__new__(cls, p, logs)
        if logs is not None or (p is None) == (logit is None):
            raise ProblemError("Bernoulli takes either a probability or logit=..., one of them.")
        cells = entries(p if logit is None else logit)
        if len(cells) != 1:
            shape = np.shape(plain(p if logit is None else logit))
            raise ProblemError(f"Bernoulli takes one number, not {shape}: write an index, as in p[0], and a draw for each.")
        (x,) = cells
        if logit is not None:
            below, above = 1 + exp(x), 1 + exp(-x)
            return sp.Basic.__new__(cls, sp.Tuple(1 / below, 1 / above), sp.Tuple(-log(below), -log(above)))
        return sp.Basic.__new__(cls, sp.Tuple(1 - x, x), sp.Tuple(log(1 - x), log(x)))


class Gaussian(Law):
    """Normal with a mean and a standard deviation for each coordinate, or with a full covariance.

    Arguments: the mean, the lower triangular factor of the covariance, and for each coordinate where the integrand breaks.
    """

    def __new__(cls, mean: Any, sd: Any = None, breaks: Any = None, *, covariance: Any = None) -> Any:
        if isinstance(sd, sp.Tuple) and breaks is not None:
            return sp.Basic.__new__(cls, mean, sd, breaks)
        if breaks is not None:
            raise ProblemError("breaks=... are the draw's: write Draw(name, Gaussian(mean, sd), breaks=...).")
        if (sd is None) == (covariance is None):
            raise ProblemError("Gaussian takes a standard deviation or covariance=..., one of them.")
        if covariance is None:
            given = [np.asarray(plain(x), dtype=object) for x in (mean, sd)]
            try:
                centre, scale = np.broadcast_arrays(*given)
            except ValueError:
                says = f"the mean of Gaussian has shape {given[0].shape}, and its standard deviation {given[1].shape}"
                raise ProblemError(f"{says}: write one for each coordinate, or one number for all.") from None
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

    def __init__(self, name: str, law: Law, breaks: Any = None, bundle: Any = None) -> None:
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
        """Its own log-probability, or that of a value under its law."""
        return log_prob(self if value is None else value, self.law)


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
    draw = value if law is None else law
    if isinstance(draw, Draw):
        law = draw.law
    if law is not None:
        if not isinstance(law, Law):
            wanted = "write Categorical(...), Bernoulli(...), Gaussian(...), or the law of a draw, action.law"
            raise ProblemError(f"log_prob(value, law) needs a law, not {type(law).__name__}: {wanted}.")
        cells = entries(value)
        if len(cells) != math.prod(law.shape):
            wanted = f"the law {type(law).__name__} is of shape {law.shape}: write one such value at a time"
            raise ProblemError(f"log_prob was given a value of shape {np.shape(plain(value))}, and {wanted}.")
        return law.log_prob(cells)
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
    return sum(draw.log_prob() for draw in draws) - sum(sp.log(_absolute(_steady(rise))) for rise in slopes)


PLACES = [sp.Rational(n, 12) for n in (-43, -17, -4, 3, 19, 47)]


def _turns(rise: Any, atom: Any) -> bool:
    """Has this slope, but for factors without the draw, two signs at these places, or is it zero at several?"""
    moving = [f for f in sp.Mul.make_args(thaw(bare(rise))) if atom in free(f)]
    if any(free(f) - {atom} for f in moving):
        return False
    there = [sp.Mul(*moving).xreplace({atom: at}) for at in PLACES]
    return (any(x.is_positive for x in there) and any(x.is_negative for x in there)) or sum(x.is_zero is True for x in there) > 1


def _absolute(x: Any) -> Any:
    """|x|. SymPy does not know that erfinv is real."""
    real = {e: sp.Dummy(real=True) for e in x.atoms(sp.erfinv)}
    return sp.Abs(x.xreplace(real)).xreplace({letter: e for e, letter in real.items()})


def _steady(slope: Any) -> Any:
    """1 - tanh(u)^2 as 4 exp(-2u) / (1 + exp(-2u))^2: in floats the former is 0 from u = 19.07 on, its logarithm infinite."""
    squared = {t**2: 1 - 4 * sp.exp(-2 * t.args[0]) / (1 + sp.exp(-2 * t.args[0])) ** 2 for t in slope.atoms(sp.tanh)}
    return sp.expand_mul(slope.xreplace(squared), deep=False)
