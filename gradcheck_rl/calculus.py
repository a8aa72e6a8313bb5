"""What a formula depends on, what is in it, its derivatives and substitutions: each part of a formula worked out once.

SymPy walks through a formula as if it were a tree: what a softmax shares between its entries it differentiates for each. And
whenever it rebuilds a logarithm it asks for milliseconds whether what is inside is real and positive.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from functools import cmp_to_key, lru_cache
from typing import Any

import sympy as sp

from .errors import ProblemError


@lru_cache(maxsize=1 << 16)
def free(e: Any) -> frozenset[Any]:
    """The symbols that a formula depends on."""
    if type(e).free_symbols is not sp.Basic.free_symbols:
        return frozenset(e.free_symbols)
    return frozenset().union(*map(free, e.args))


@lru_cache(maxsize=1 << 16)
def has(e: Any, *kinds: type) -> bool:
    """Is some part of the formula of one of these kinds?"""
    return isinstance(e, kinds) or any(has(a, *kinds) for a in e.args)


@lru_cache(maxsize=1 << 16)
def size(e: Any) -> int:
    """How many parts a formula has as a tree, itself among them."""
    return 1 + sum(map(size, e.args))


@lru_cache(maxsize=1 << 16)
def _counted(e: Any) -> bool:
    """Are all its entries at a number, as in x[2]? One at a letter may be any of them."""
    return all(i.is_Integer for i in e.indices) if e.is_Indexed else all(map(_counted, e.args))


@lru_cache(maxsize=1 << 16)
def slope(e: Any, x: Any) -> Any:
    """The formula that SymPy's e.diff(x) gives."""
    if not (x.is_Symbol or (x.is_Indexed and _counted(x) and _counted(e))):
        return sp.diff(relettered(e, free(x)), x)
    if x not in free(e):
        return sp.S.Zero
    if e == x:
        return sp.S.One
    if e.is_Add:
        return sp.Add(*(slope(a, x) for a in e.args if x in free(a)))
    if e.is_Mul:
        args = e.args
        if args[0] in (sp.oo, -sp.oo):  # of what is infinite on both sides, as log(0) times x
            return sp.nan
        return sp.Add(*(product(*args[:i], slope(a, x), *args[i + 1 :]) for i, a in enumerate(args) if x in free(a)))
    if e.is_Pow and e.args[1].is_number:
        base, power = e.args
        return sp.Mul(power, sp.Pow(base, power - 1), slope(base, x))
    if isinstance(e, (sp.Abs, sp.sign)):  # of a real number: SymPy asks whether it is one, and may not know of a logarithm
        (inside,) = e.args
        return sp.Mul(sp.sign(inside) if isinstance(e, sp.Abs) else 2 * sp.DiracDelta(inside), slope(inside, x))
    by_slots = type(e)._eval_derivative is sp.Function._eval_derivative  # pyright: ignore[reportPrivateUsage]
    if isinstance(e, (sp.Min, sp.Max)) or by_slots:
        try:
            return sp.Add(*(sp.Mul(e.fdiff(n), slope(a, x)) for n, a in enumerate(e.args, start=1) if x in free(a)))
        except ValueError as error:  # SymPy's Heaviside
            wanted = "write what is one; the logarithm of a negative number is none."
            raise ProblemError(f"{str(e)[:80]} compares what is no real number: {wanted}") from error
    own = type(e).__module__.startswith(f"{__package__}.")
    return e._eval_derivative(x) if own else sp.diff(e, x)


def relettered(e: Any, taken: Collection[Any]) -> Any:
    """The same formula, in which no sum or product runs over one of these letters: SymPy takes theta_i in a sum over i for
    the theta_i that it differentiates by."""
    used = {s.name for s in e.atoms(sp.Symbol)} | {str(s) for s in taken}

    def another(letter: Any) -> Any:
        name = next(word for word in (f"{c}{n or ''}" for n in itertools.count() for c in "jklmnpqrstuv") if word not in used)
        used.add(name)
        return sp.Symbol(name, **letter.assumptions0)

    def visit(part: Any) -> Any:
        if not has(part, sp.Sum, sp.Product):
            return part
        args = [visit(a) for a in part.args]
        if isinstance(part, (sp.Sum, sp.Product)):
            body, limits = args[0], list[Any]()
            for letter, *ends in args[1:]:
                rule = {letter: another(letter)} if letter in taken else {}
                body, limits = body.xreplace(rule), [limit.xreplace(rule) for limit in limits]
                limits.append(sp.Tuple(rule.get(letter, letter), *ends))
            args = [body, *limits]
        return rebuilt(part, *args)

    return visit(e)


def exponential(x: Any) -> Any:
    """exp(x), left as written where no logarithm cancels."""
    return sp.exp(x, evaluate=x.is_number or has(x, sp.log))


def logarithm(x: Any) -> Any:
    """log(x), left as written where x is a sum or a product: SymPy would ask whether it is zero. Of 0 it is minus infinity, as in
    code; SymPy has an infinity without a sign."""
    return -sp.oo if x == 0 else sp.log(x, evaluate=x.is_number or not (x.is_Add or x.is_Mul))


def product(*factors: Any) -> Any:
    """Their product as SymPy writes it, which looks into every exponential for what may cancel; here nothing can."""
    parts = [p for f in factors for p in (f.args if f.is_Mul else (f,))]
    bases = {p.base if p.is_Pow else sp.E if isinstance(p, sp.exp) else p for p in parts}
    if 1 < len(bases) == len(parts) and not any(p.is_number or (p.is_Pow and p.base.is_number) for p in parts):
        return sp.Mul._from_args(sorted(parts, key=cmp_to_key(sp.Basic.compare)))  # pyright: ignore[reportPrivateUsage]
    return sp.Mul(*factors)


def rebuilt(e: Any, *args: Any) -> Any:
    """The same function of other arguments."""
    if isinstance(e, (sp.exp, sp.log)):
        return exponential(*args) if isinstance(e, sp.exp) else logarithm(*args)
    return product(*args) if e.is_Mul else e.func(*args)


def substituted(e: Any, rule: Mapping[Any, Any]) -> Any:
    """e.xreplace(rule), of symbols and entries."""
    known: dict[Any, Any] = dict(rule)

    def visit(part: Any) -> Any:
        if part not in known:
            inside = part.args and not rule.keys().isdisjoint(free(part))
            simple = part.is_Add or part.is_Mul or part.is_Pow or isinstance(part, (sp.exp, sp.log, sp.Tuple))
            known[part] = rebuilt(part, *map(visit, part.args)) if inside and simple else part.xreplace(rule) if inside else part
        return known[part]

    return visit(e)


no_numbers = (*map(type, (sp.oo, -sp.oo, sp.zoo, sp.nan)), sp.AccumBounds)


def has_value(e: Any, rule: Mapping[Any, Any]) -> bool:
    """Is every part of the formula a number, with these in their places? SymPy has one infinity for log(0) and -log(0), and
    what is made of the two it takes for equal."""
    if has(e, *no_numbers):
        return False
    poles = [f for f in e.atoms(sp.Pow, sp.log, sp.erfinv, sp.atanh) if not rule.keys().isdisjoint(free(f))] if rule else []
    return not any(has(substituted(f, rule), *no_numbers) for f in poles)
