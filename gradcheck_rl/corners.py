"""Where formulas bend or jump."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import sympy as sp

from .calculus import free, has, slope
from .symbols import bare, step_, thaw

CORNERS = (step_, sp.Heaviside, sp.Abs, sp.sign, sp.Min, sp.Max)
MOST_CORNERS, MOST_SIDES = 8, 32


def corners(formulas: Sequence[Any], x: Any, known: set[Any], most: int = MOST_CORNERS) -> list[Any]:
    """Where the formulas bend or jump in x, as far as these are roots of what is linear in it on a side of every other corner,
    and few."""
    found: dict[Any, None] = {}
    f: Any
    for f in set[Any]().union(*(thaw(bare(e)).atoms(*CORNERS) for e in formulas if has(e, *CORNERS))):
        pairs = isinstance(f, (sp.Min, sp.Max))
        for whole in [a - b for a, b in itertools.combinations(f.args, 2)] if pairs else f.args[:1]:
            for g in itertools.islice(_sides(whole), MOST_SIDES):
                rise = slope(g, x)
                if x in free(g) and free(rise) <= known and free(root := -g.xreplace({x: sp.S.Zero}) / rise) <= known:
                    found[root] = None
    return sorted(found, key=str) if len(found) <= most else []


def _sides(e: Any) -> Iterator[Any]:
    """The formula on each side of every corner inside it, but for those of a mean's own draws, which nothing is put in for."""
    found = sorted(e.atoms(*CORNERS), key=sp.default_sort_key)
    f: Any = next((f for f in found if e.xreplace({f: sp.S.Zero}) != e), None)
    if f is None:
        yield e
        return
    x = f.args[0]
    sides = f.args if isinstance(f, (sp.Min, sp.Max)) else (x, -x) if isinstance(f, sp.Abs) else (-int(f.func is sp.sign), 1)
    for side in sides:
        yield from _sides(e.xreplace({f: sp.sympify(side)}))
