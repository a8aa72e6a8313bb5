"""Derivatives and free symbols of formulas, each part of a formula worked out once.

SymPy's own walk through a formula as if it were a tree: what a softmax shares between its entries it differentiates for each.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sympy as sp


@lru_cache(maxsize=1 << 16)
def free(e: Any) -> frozenset[Any]:
    """The symbols that a formula depends on."""
    if type(e).free_symbols is not sp.Basic.free_symbols:
        return frozenset(e.free_symbols)
    return frozenset().union(*map(free, e.args))


@lru_cache(maxsize=1 << 16)
def _counted(e: Any) -> bool:
    """Are all its entries at a number, as in x[2]? One at a letter may be any of them."""
    return all(i.is_Integer for i in e.indices) if e.is_Indexed else all(map(_counted, e.args))


@lru_cache(maxsize=1 << 16)
def slope(e: Any, x: Any) -> Any:
    """The formula that SymPy's e.diff(x) gives."""
    if not (x.is_Symbol or (x.is_Indexed and _counted(e))):
        return sp.diff(e, x)
    if x not in free(e):
        return sp.S.Zero
    if e == x:
        return sp.S.One
    if e.is_Add:
        return sp.Add(*(slope(a, x) for a in e.args if x in free(a)))
    if e.is_Mul:
        args = e.args
        return sp.Add(*(sp.Mul(*args[:i], slope(a, x), *args[i + 1 :]) for i, a in enumerate(args) if x in free(a)))
    if e.is_Pow and x not in free(e.args[1]):
        base, power = e.args
        return sp.Mul(power, sp.Pow(base, power - 1), slope(base, x))
    by_slots = type(e)._eval_derivative is sp.Function._eval_derivative  # pyright: ignore[reportPrivateUsage]
    if isinstance(e, (sp.Min, sp.Max)) or by_slots:
        return sp.Add(*(sp.Mul(e.fdiff(n), slope(a, x)) for n, a in enumerate(e.args, start=1) if x in free(a)))
    own = type(e).__module__.startswith(f"{__package__}.")
    return e._eval_derivative(x) if own else sp.diff(e, x)
