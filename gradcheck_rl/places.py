"""The points of a problem, and those among them that a claim is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import sympy as sp

from . import own
from .calculus import free, has, substituted
from .claims import AtMost, Claim, Equal, Raises, Relation, Within
from .evaluators import Scene, World
from .evaluators.hull import CORNERED
from .expressions import needs_integration, values
from .laws import Finite, Random, randoms, with_parents
from .measured import about, fulfilled
from .points import Points, covering, given, has_row, lacking, stack
from .problem import Problem
from .quantities import Curl, Exact, Printed, Quantity, is_code
from .rings import is_finite
from .spaces import Integers, Masks, OneOf, Simplex
from .symbols import Atom, Variable, atoms_in, bare, entries, thaw

ENOUGH, SEVERAL = 4, 24
MANY = 8  # times as many points are looked at in floats: a claim may be false in a small part of the space alone
NUMBERS = 10**5  # of them together, at most
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
            return self._received(claim, points) if not page else points

        if claim.at is not None:
            points = given(self.world.variables, claim.at, needed(claim, self.world))
            points = points if claim.where is None else self.take(points, self._fulfilling(claim.where, points))
        else:
            points = self._make(("where", self._said(claim.where)), partial(self._where, claim.where))
        if not len(points):
            return points, 0
        held, kept = about(claim.that, claim.where, scene(received(points)))
        left, removed = self.take(points, np.flatnonzero(kept)), int((held & ~kept).sum())
        said = not len(left) and defined(claim.where, self.world)  # the condition itself is the kink, as Equal(old, theta) may be
        if removed and len(left) < ENOUGH and claim.at is None and not self.chosen and not said:
            good = partial(self.allowed, claim, scene=lambda p: scene(received(p)))
            left = self._make(("off the kinks", claim), lambda: self._more(left, claim.where, good))
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

    def others(self, claim: Claim) -> Points | None:
        """More points, for a claim that may be false in a small part of the space alone, where they cost little: nothing is
        integrated or sampled. Whether they fulfil its condition is not asked, but for what it says that a variable is."""
        if claim.at is not None or self.chosen or claim.routes or not self._is_patchy(claim) or not needed(claim, self.world):
            return None
        return self._received(
            claim, self._make(("others", self._said(claim.where)), lambda: self.moved(claim.where, self._others))
        )

    @cached_property
    def _others(self) -> Points:
        numbers = sum(v.atoms.size for v in self.world.variables.values())
        count = min((MANY - 1) * self.count, NUMBERS // max(1, numbers))
        return covering(self.world.variables, [], count, self.seed, f"{self.name}/others", more=False)

    def _is_patchy(self, claim: Claim) -> bool:
        """Code, an inequality, or a formula with corners; other formulas that differ do so nearly everywhere."""
        if type(claim.that) not in (Equal, AtMost, Within) or any(isinstance(q, Curl) for q, _ in claim.quantities()):
            return False
        if claim.code():
            return all(isinstance(d.law, Finite) for d in with_parents(randoms(*_cells(claim, self.world))))
        formulas = [e for q in claim.that.sides for e in self.world.formulas(q) or []]
        bent = type(claim.that) is not Equal or any(has(e, *CORNERED) for e in formulas)
        return bent and not needs_integration(formulas)

    def _received(self, claim: Claim, points: Points) -> Points:
        return self.image(points) if claim.code() else points

    def _where(self, where: Relation | None) -> Points:
        points = self.points
        if where is None:
            return points
        kept = self.take(points, self._fulfilling(where, points))
        if len(kept) < ENOUGH and defined(where, self.world):
            moved = self.moved(where, points)
            kept = self.take(moved, self._fulfilling(where, moved))
        return self._more(kept, where, partial(self._fulfilling, where))

    def _said(self, where: Relation | None) -> Any:
        """What a condition of formulas says, which another claim may say too."""
        sides = [self.world.formulas(q) for q in where.sides] if where is not None else []
        return where if any(e is None for e in sides) else (type(where), *(tuple(e) for e in sides if e is not None))

    def moved(self, where: Relation | None, points: Points) -> Points:
        """The points with what a condition says that a variable is, where that is a number which its space holds."""
        rule = defined(where, self.world)
        if not rule:
            return points
        found = values([*rule.values()], points.rows).exact
        assert found is not None  # it is worked out in exact arithmetic
        moved = {atom.home.name: atom.home for atom in rule}
        flat = {k: points.exact[k].reshape(len(points), v.atoms.size).copy() for k, v in moved.items()}
        for atom, column in zip(rule, found.T, strict=True):
            flat[atom.home.name][:, [*atom.home.atoms.ravel()].index(atom)] = column
        inside = [
            _completed(flat[k].reshape(len(points), *v.shape), v, rule) for k, v in moved.items() if isinstance(v.over, Simplex)
        ]
        exact = {**points.exact, **{k: x.reshape(points.exact[k].shape) for k, x in flat.items()}}

        def held(b: int, v: Variable) -> bool:
            """A corner may lie outside of the space."""
            x = np.reshape(exact[v.name][b], v.shape)
            return np.array_equal(x, np.reshape(points.exact[v.name][b], v.shape)) or own.holds(v.over, x)

        good = [all(map(is_finite, row)) and all(held(b, v) for v in moved.values()) for b, row in enumerate(found)]
        kept = np.logical_and.reduce([good, *inside])
        return Points(points.variables, exact, len(points), points.given).take(np.flatnonzero(kept).tolist())

    def _fulfilling(self, where: Relation, points: Points) -> list[int]:
        return np.flatnonzero(fulfilled(where, Scene(self.world, points))).tolist() if len(points) else []

    def _more(self, kept: Points, where: Relation | None, good: Callable[[Points], list[int]]) -> Points:
        """With others, drawn until there are enough that are good, and several good ones bring none of the few values that these
        lack; or until it seems that there are none."""
        idle = 0
        for at in range(DRAWS):
            wanted = [] if self.chosen else lacking(self.world.variables, kept)
            if len(kept) >= ENOUGH and not wanted:
                break
            fresh = self.moved(where, self._make(("fresh", at), partial(self._fresh, at)))
            fits, found = good(fresh) if len(fresh) else [], list[int]()
            for b in fits:
                left = [part for rows in wanted if (part := [row for row in rows if not has_row(fresh, b, row)])]
                if len(kept) + len(found) < ENOUGH or left != wanted:
                    found.append(b)
                    wanted = left
            idle = 0 if found else idle + len(fits)
            if idle >= SEVERAL:
                break
            kept = stack([kept, fresh.take(found)]) if found else kept
        return kept

    def _fresh(self, at: int) -> Points:
        return covering(self.world.variables, [], max(8, self.count), self.seed, f"{self.name}/more/{at}", more=False)

    def _make(self, key: Any, make: Callable[[], Points]) -> Points:
        if key not in self._once:
            self._once[key] = make()
        return self._once[key]


def defined(where: Relation | None, world: World) -> dict[Any, Any]:
    """What a condition says that entries of variables are, as Equal(old, theta) and Equal(x + y, 1) do. What it says beside that
    chooses points."""
    sides = [world.formulas(q) for q in where.sides] if type(where) is Equal else [None]
    if None in sides:
        return {}
    left, right = ([thaw(bare(e)) for e in side or ()] for side in sides)
    rule: dict[Any, Any] = {}
    for pair in zip(*(side * (max(len(left), len(right)) // len(side)) for side in (left, right)), strict=True):
        for entry, value in _solved(*(substituted(e, rule) for e in pair)):
            rule = {known: substituted(e, {entry: value}) for known, e in rule.items()} | {entry: value}
    return rule


def _solved(one: Any, other: Any) -> list[tuple[Any, Any]]:
    """An entry and what it is, if an equation says that of one: a side of its own, or a term, which is what the others leave. Of
    several terms the first that has no space of a few numbers."""
    gap = one - other
    if not all(map(_is_entry, free(gap))):
        return []
    found = [pair for pair in ((one, other), (other, one)) if _is_entry(pair[0]) and pair[0] not in free(pair[1])]
    if found:
        return found[:1]
    terms: list[Any] = [(*term.as_coeff_Mul(), gap - term) for term in sp.Add.make_args(gap)]
    found = [(x, -rest / c) for c, x, rest in terms if _is_entry(x) and c.is_Rational and x not in free(rest)]

    def order(line: tuple[Any, Any]) -> Any:
        home = line[0].home
        return isinstance(home.over, (Integers, Masks, OneOf)), home.place, [*home.atoms.ravel()].index(line[0])

    return sorted(found, key=order)[:1]


def _completed(chances: Any, variable: Variable, rule: Mapping[Any, Any]) -> Any:
    """The last chance is what the others leave. At which points is it none that the condition does not say?"""
    rows = chances.reshape(len(chances), -1, chances.shape[-1])
    good = np.full(len(chances), True)
    for i, atoms in enumerate(variable.atoms.reshape(rows.shape[1:])):
        if not rule.keys().isdisjoint(atoms):
            rows[:, i, -1] = 1 - rows[:, i, :-1].sum(-1)
            said = rule.keys() >= {*atoms[:-1]} or substituted(sum(atoms[:-1]), rule) == 1
            good &= said or rows[:, i, -1] > 0
    return good


def _is_entry(x: Any) -> bool:
    return isinstance(x, Atom) and not isinstance(x, Random)


def on_a_page(q: Quantity) -> bool:
    """Numbers that were written down, to be compared at the exact data."""
    return isinstance(q, Printed) or (isinstance(q, Exact) and all(e.is_number for e in entries(q.of)))


def needed(claim: Claim, world: World) -> list[str]:
    """The variables that a claim and its condition depend on."""
    used = homes(_cells(claim, world))
    return [n for n in world.variables if n in used]


def _cells(claim: Claim, world: World) -> list[Any]:
    """What it and its condition are made of: formulas, and what their code asks for."""
    cells: list[Any] = []
    sides = [*claim.that.sides, *(claim.where.sides if claim.where is not None else ())]
    leaves = [(leaf, over) for side in sides for q, over in side.walk() for leaf in q.parts if not isinstance(leaf, Quantity)]
    for leaf, over in [(claim.that.function, None)] if isinstance(claim.that, Raises) else leaves:
        asked = world.asked(leaf, world.over(over)).values() if is_code(leaf) else [leaf]
        cells += (cell for symbols in asked for cell in entries(symbols))
    return cells


def homes(expressions: Sequence[Any]) -> set[str]:
    """The variables in formulas and in the laws of their draws."""
    atoms = atoms_in(*expressions)
    draws = with_parents(a for a in atoms if isinstance(a, Random))
    return {a.home.name for a in [*atoms, *atoms_in(*(d.law for d in draws))] if not isinstance(a, Random)}
