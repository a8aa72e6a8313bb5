"""The points of a problem, and those among them that a claim is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .claims import Claim, Raises, Relation
from .evaluators import Scene, World
from .laws import Random, with_parents
from .measured import about, fulfilled
from .points import Points, covering, given, stack
from .problem import Problem
from .quantities import Exact, Printed, Quantity, is_code
from .symbols import Variable, atoms_in, entries

ENOUGH = 4
DRAWS = 12


class Places:
    """A problem's points, given or drawn, and parts of them."""

    def __init__(self, problem: Problem, seed: int, count: int | Points) -> None:
        self.world, self.seed, self.name = problem.bound, seed, problem.name
        self.chosen = isinstance(count, Points)
        if isinstance(count, Points):
            self.count, self.points = len(count), count
        else:
            self.count, self.points = count, covering(self.world.variables, problem.corners, count, seed, self.name)
        self._once: dict[Any, Points] = {}

    def of(self, claim: Claim, scene: Callable[[Points], Scene]) -> tuple[Points, int]:
        """The points, and how many were kept away from kinks. Where a condition or kinks leave few, more are drawn."""

        def received(points: Points) -> Points:
            page = claim.at is not None and any(on_a_page(q) for q in claim.that.sides)
            return self.image(points) if claim.code() and not page else points

        if claim.at is not None:
            points = given(self.world.variables, claim.at, needed(claim, self.world))
            points = points if claim.where is None else self.take(points, self._fulfilling(claim.where, points))
        else:
            points = self._where(claim.where)
        if not len(points):
            return points, 0
        held, kept = about(claim.that, claim.where, scene(received(points)))
        left, removed = self.take(points, np.flatnonzero(kept)), int((held & ~kept).sum())
        if removed and len(left) < ENOUGH and claim.at is None and not self.chosen:
            key = ("off the kinks", claim)
            left = self._make(
                key, lambda: self._more(left, lambda fresh: self.allowed(claim, fresh, lambda p: scene(received(p))))
            )
        return received(left), removed

    def allowed(self, claim: Claim, points: Points, scene: Callable[[Points], Scene]) -> list[int]:
        """Which of other points the claim is about."""
        _, kept = about(claim.that, claim.where, scene(points))
        held = range(len(points)) if claim.where is None else self._fulfilling(claim.where, points)
        return [b for b in held if kept[b]]

    def image(self, points: Points) -> Points:
        return self._make(("image", points), points.image)

    def take(self, points: Points, keep: Sequence[int] | Any) -> Points:
        """The same points give the same batch, so that what was worked out at it is found again."""
        chosen = tuple(map(int, keep))
        return points if len(chosen) == len(points) else self._make(("take", points, chosen), lambda: points.take(chosen))

    def _where(self, where: Relation | None) -> Points:
        if where is None:
            return self.points
        kept = self.take(self.points, self._fulfilling(where, self.points))
        more = partial(self._more, kept, partial(self._fulfilling, where))
        return kept if len(kept) >= ENOUGH else self._make(("more", where), more)

    def _fulfilling(self, where: Relation, points: Points) -> list[int]:
        return np.flatnonzero(fulfilled(where, Scene(self.world, points))).tolist()

    def _more(self, kept: Points, good: Callable[[Points], list[int]]) -> Points:
        """With others, drawn until there are enough that are good, or it seems that none is."""
        for at in range(DRAWS):
            if len(kept) >= ENOUGH:
                break
            fresh = covering(self.world.variables, [], max(8, self.count), self.seed, f"{self.name}/more/{at}", more=False)
            found = good(fresh)[: ENOUGH - len(kept)]
            kept = stack([kept, fresh.take(found)]) if found else kept
        return kept

    def _make(self, key: Any, make: Callable[[], Points]) -> Points:
        if key not in self._once:
            self._once[key] = make()
        return self._once[key]


def on_a_page(q: Quantity) -> bool:
    """Numbers that were written down, to be compared at the exact data."""
    return isinstance(q, Printed) or (isinstance(q, Exact) and all(e.is_number for e in entries(q.of)))


def needed(claim: Claim, world: World) -> list[str]:
    """The variables that a claim and its condition depend on."""
    used: set[str] = set()
    sides = [*claim.that.sides, *(claim.where.sides if claim.where is not None else ())]
    leaves = [(leaf, over) for side in sides for q, over in side.walk() for leaf in q.parts if not isinstance(leaf, Quantity)]
    for leaf, over in [(claim.that.function, None)] if isinstance(claim.that, Raises) else leaves:
        if is_code(leaf):
            for symbols in world.asked(leaf, world.over(over)).values():
                used |= {symbols.name} if isinstance(symbols, Variable) else homes(entries(symbols))
        else:
            used |= homes(entries(leaf))
    return [n for n in world.variables if n in used]


def homes(expressions: Sequence[Any]) -> set[str]:
    """The variables in formulas and in the laws of their draws."""
    atoms = atoms_in(*expressions)
    draws = with_parents(a for a in atoms if isinstance(a, Random))
    return {a.home.name for a in [*atoms, *atoms_in(*(d.law for d in draws))] if not isinstance(a, Random)}
