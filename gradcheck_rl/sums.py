"""Equal whatever number of terms the sums have: it proves or stays silent.

Sums of as many terms as a letter says are not written out. Each is taken apart, what its index does not reach stands before
it, and it is found again where it has other letters: what is left is for the normal form, to which a sum is one atom.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import sympy as sp

from .calculus import free, has, rebuilt, relettered, size
from .expectation import Slope
from .normal_form import Budget, is_zero
from .symbols import bare, frozen_, thaw

MOST_PARTS = 2_000
MOST_TERMS = 300
MOST_SUMS = 100
MOST_ORDERED = 3
BUDGET = 3_000_000

Range = tuple[Any, Any]


def for_any(left: Any, right: Any, indices: Mapping[Any, Range]) -> bool:
    """Are two formulas equal whatever the value of their letters, of `indices` in these ranges?"""
    difference = bare(left) - bare(right)
    if size(difference) > MOST_PARTS or has(difference, sp.Product, sp.Integral, sp.Subs, sp.Lambda):
        return False
    if has(difference, Slope) and has(difference, frozen_):  # the derivative would see what is held
        return False
    try:
        return Form(dict(indices)).zero(difference)
    except NotShown:
        return False


class NotShown(Exception):
    """It is too long, or holds what binds letters in another way."""


class Form:
    """The sums met so far, and from where to where each letter runs."""

    def __init__(self, ranges: dict[Any, Range]) -> None:
        self.ranges = ranges
        self.sums: list[Any] = []
        self.budget = Budget(BUDGET)

    def zero(self, e: Any) -> bool:
        """Is it zero? Two letters may be equal or not, where a factor asks whether they are."""
        e = self.of(e)
        if has(e, frozen_):
            e = self.of(thaw(e))
        if is_zero(e, self.budget):
            return True
        asked = sorted((x for x in e.atoms(sp.KroneckerDelta) if all(a in free(e) for a in x.args)), key=str)
        return bool(asked) and self.zero(e.xreplace({asked[0]: sp.S.Zero})) and self.zero(e.xreplace(dict([asked[0].args])))

    def of(self, e: Any) -> Any:
        """The same formula: every sum of one term that does not multiply out, over new letters."""
        match e:
            case sp.Sum():
                *inner, (k, low, high) = e.limits
                return self.sum(e.func(e.function, *inner) if inner else e.function, k, (self.of(low), self.of(high)))
            case sp.Derivative():
                slope = sp.diff(self.of(e.expr), *e.variables)
                if has(slope, sp.Derivative, sp.Subs):
                    raise NotShown
                return self.of(slope)
            case sp.Add() | sp.Mul() | sp.Pow() | sp.Function() if has(e, sp.Sum, sp.Derivative):
                return rebuilt(e, *map(self.of, e.args))
            case _:
                return e

    def sum(self, body: Any, k: Any, ends: Range) -> Any:
        """The sum of `body` over k, term by term."""
        n = _bound(ends)
        self.ranges[n] = ends
        body = self.of(relettered(body, {k}).xreplace({k: n}))
        if any(_terms(part) > MOST_TERMS for part in sp.preorder_traversal(body)):
            raise NotShown
        return sp.Add(*(self.term(sp.Mul.make_args(term), n) for term in sp.Add.make_args(sp.expand_mul(body))))

    def term(self, factors: tuple[Any, ...], n: Any) -> Any:
        """The sum of a product over n: at one value, where a factor is 1 there and 0 elsewhere."""
        for f in factors:
            if isinstance(f, sp.KroneckerDelta) and n in f.args:
                (at,) = (x for x in f.args if x != n)
                if self.ranges.get(at) == self.ranges[n]:
                    return self.of(sp.Mul(*(g.xreplace({n: at}) for g in factors)))
        before = sp.Mul(*(f for f in factors if n not in free(f)))
        inside = [f for f in factors if n in free(f)]
        limits: list[tuple[Any, ...]] = []
        for at, f in enumerate(inside):
            if isinstance(f, sp.Sum):
                renamed = {m: _bound((low, high)) for m, low, high in f.limits}
                inside[at] = f.function.xreplace(renamed)
                limits += [tuple(x.xreplace(renamed) for x in limit) for limit in f.limits]
        self.ranges |= {m: (low, high) for m, low, high in limits}
        low, high = self.ranges[n]
        if not inside and self.counts(high - low + 1):
            return before * (high - low + 1)
        return before * self.known(sp.Mul(*inside), [*limits, (n, low, high)])

    def counts(self, length: Any) -> bool:
        """Is it a number of terms, none or more, whatever whole numbers the sizes are?"""
        sizes = {s: sp.Dummy(integer=True, nonnegative=True) for s in length.free_symbols - self.ranges.keys()}
        return bool(length.xreplace(sizes).is_nonnegative)

    def known(self, body: Any, limits: list[tuple[Any, ...]]) -> Any:
        """The sum, as it was met before, if it was."""
        for met in [*self.sums]:
            for order in itertools.permutations(limits) if len(limits) <= MOST_ORDERED else [limits]:
                renamed = {n: m for (n, *_), (m, *_) in zip(order, met.limits, strict=False)}
                there, runs = body.xreplace(renamed), [tuple(x.xreplace(renamed) for x in limit) for limit in order]
                alike = runs == [tuple(x) for x in met.limits] and _letters(there) == _letters(met.function)
                if alike and is_zero(self.of(there) - met.function, self.budget):
                    return met
        if len(self.sums) == MOST_SUMS:
            raise NotShown
        self.sums.append(sp.Sum(body, *limits))
        return self.sums[-1]


def _bound(ends: Range) -> Any:
    """A new letter, of which is known what is known of where it starts."""
    low, _ = ends
    return sp.Dummy(integer=True, positive=low.is_positive or None, nonnegative=low.is_nonnegative or None)


def _letters(e: Any) -> set[Any]:
    return {s for s in free(e) if s.is_Symbol}


def _terms(e: Any) -> int:
    """How many terms a formula has when it is multiplied out."""
    if e.is_Add:
        return sum(map(_terms, e.args))
    return sp.prod(map(_terms, e.args)) if e.is_Mul else 1
