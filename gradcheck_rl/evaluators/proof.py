"""Identities: both sides as formulas, their difference shown to be identically zero. It proves or stays silent."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp

from ..errors import Unsuitable
from ..laws import closed
from ..normal_form import is_zero
from ..spaces import OneOf
from ..symbols import Variable, bare, thaw
from .scene import Scene

NAME = "proof"
CASES = 16
OPERATIONS = 20_000


def proves(left: Sequence[Any], right: Sequence[Any], scene: Scene) -> bool:
    """Equal in every coordinate, for all values of the variables (each listed value, where a variable has a few)."""
    n = max(len(left), len(right))
    pairs = zip(list(left) * (n // len(left)), list(right) * (n // len(right)), strict=True)
    differences = [bare(a - b) for a, b in pairs]
    if sum(int(sp.count_ops(d)) for d in differences) > OPERATIONS:
        return False
    try:
        differences = [thaw(closed(d)) for d in differences]
    except Unsuitable:
        return False
    if any(d.has(sp.Integral) for d in differences):
        return False
    return all(is_zero(d.xreplace(case)) is True for case in _cases(differences, scene) for d in differences)


def _cases(differences: Sequence[Any], scene: Scene) -> list[dict[Any, Any]]:
    """A variable that takes one of a few values is replaced by each of them: an identity of masks need not hold between them."""
    used = set().union(*(d.free_symbols for d in differences))
    listed: list[list[dict[Any, Any]]] = []
    for v in scene.world.variables.values():
        if isinstance(v, Variable) and isinstance(v.over, OneOf) and used & set(v.atoms.ravel()):
            choices = [np.broadcast_to(np.asarray(c, dtype=object), v.shape).ravel() for c in v.over.choices]
            listed.append([dict(zip(v.atoms.ravel(), map(sp.sympify, c), strict=True)) for c in choices])
    if np.prod([len(c) for c in listed], dtype=float) > CASES:
        return [{}]
    return [{k: x for part in parts for k, x in part.items()} for parts in itertools.product(*listed)]
