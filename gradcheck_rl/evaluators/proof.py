"""Identities: both sides as formulas, their difference shown to be identically zero. It proves or stays silent."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp

from ..calculus import has, has_value, size, substituted
from ..errors import Unsuitable
from ..expectation import closed, unaveraged
from ..normal_form import Budget, is_zero
from ..spaces import Integers, OneOf
from ..symbols import bare, frozen_, thaw
from .scene import Scene

NAME = "proof"
CASES = 16
NODES = 60_000


def proves(left: Sequence[Any], right: Sequence[Any], scene: Scene) -> bool:
    """Equal in every coordinate, for all values of the variables (each listed value, where a variable has a few)."""
    return not failure(left, right, scene)


def failure(left: Sequence[Any], right: Sequence[Any], scene: Scene, given: Mapping[Any, Any] = MappingProxyType({})) -> str:
    """Why equality is not proved, or nothing where it is; of these symbols the value is `given`. What it may cost is counted,
    coordinates and cases together."""
    n = max(len(left), len(right))
    if {len(left), len(right)} - {1, n} or not (left and right):
        return "no proof was looked for: the sides are not as many, or one"
    pairs = list(zip(list(left) * (n // len(left)), list(right) * (n // len(right)), strict=True))
    if not _is_small(x for pair in pairs for x in pair):
        return f"no proof was looked for: the sides have more than {NODES} parts"
    if any(has(x, sp.Derivative, sp.Subs) and (given or has(bare(x), frozen_)) for pair in pairs for x in pair):
        return "no proof was looked for: a slope is left, and what is frozen or given is so after it is taken: write diff(f, x)"
    try:
        rule = {k: thaw(closed(bare(x))) for k, x in given.items()}
        differences = [thaw(closed(bare(a - b))) for a, b in pairs]
    except Unsuitable as error:
        return f"no proof was looked for: {error}"
    written = [part for pair in pairs for e in pair for part in unaveraged(e)]
    if not all(has_value(e, rule) for e in (*written, *differences)):
        return "no proof was looked for: a part of the formulas is no number"
    differences = [substituted(d, rule) for d in differences]
    if any(has(d, sp.Integral) for d in differences):
        return "no proof was looked for: an integral is left"
    budget = Budget()
    allowed = budget.left
    if all(_is_zero(d, scene, budget) for d in differences):
        return ""
    return "no proof was found" if budget.left >= 0 else f"no proof was found in {allowed} steps"


def _is_small(expressions: Iterable[Any]) -> bool:
    return sum(map(size, expressions)) <= NODES


def _is_zero(difference: Any, scene: Scene, budget: Budget) -> bool:
    """A variable that takes one of a few values is replaced by each of them: an identity of masks need not hold between them. A
    whole number stays a symbol where that suffices."""

    def holds(cases: list[dict[Any, Any]]) -> bool:
        return all(has_value(difference, case) and is_zero(substituted(difference, case), budget) is True for case in cases)

    listed = _cases(difference, scene)
    return holds(listed) or ((more := _cases(difference, scene, whole=True)) != listed and holds(more))


def _cases(difference: Any, scene: Scene, whole: bool = False) -> list[dict[Any, Any]]:
    """Few values of its variables, together: the listed ones, and those of `whole` numbers too."""
    used = difference.free_symbols
    listed: list[list[dict[Any, Any]]] = []
    for v in scene.world.variables.values():
        atoms, values = [a for a in v.atoms.ravel() if a in used], ()
        if isinstance(v.over, OneOf) and v.over.numbers is None and atoms:
            choices = [np.broadcast_to(np.asarray(c, dtype=object), v.shape).ravel() for c in v.over.choices]
            listed.append([dict(zip(v.atoms.ravel(), map(sp.sympify, c), strict=True)) for c in choices])
        elif isinstance(v.over, OneOf):
            values = v.over.choices
        elif isinstance(v.over, Integers) and whole:
            values = range(v.over.low, v.over.high + 1)[: CASES + 1]
        listed += [[{a: sp.sympify(c)} for c in values] for a in atoms if values]
    if np.prod([len(c) for c in listed], dtype=float) > CASES:
        return [{}]
    return [{k: x for part in parts for k, x in part.items()} for parts in itertools.product(*listed)]
