"""Both sides of a relation as numbers: at every point, and at every outcome of the draws that it is about."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flint import fmpq

from .claims import Differs, Relation, That, Within, contains_zero
from .errors import CodeError, ProblemError, Unsuitable
from .estimate import Estimate, Evidence, Floats
from .evaluators import Outcomes, Scene, evaluate, hull, loose_atoms, some_outcomes
from .laws import Finite, randoms
from .quantities import EMPTY, Quantity, taken_by
from .rings import LogOf, written
from .verdict import Ruling, Verdict

NOUGHT = 1e-15  # what is shown as 0, where its radius says that it may be


@dataclass(frozen=True, eq=False)
class Measured:
    """Both sides of a relation as (points, coordinates), how far it fails, and how much of that the uncertainty explains."""

    excess: Floats
    left: Estimate
    right: Estimate
    slack: Floats
    blur: Floats
    outcomes: Outcomes | None = None
    width: int = 1
    left_out: str = ""

    @property
    def sampled(self) -> bool:
        return max(self.left.evidence, self.right.evidence) is Evidence.SAMPLED

    def defined(self) -> Measured:
        """Without the coordinates where a side is not a number: there a formula is undefined, which refutes no erratum."""
        void = np.isnan(self.left.value) | np.isnan(self.right.value)

        def cleared(e: Estimate) -> Estimate:
            return Estimate(np.where(void, 0.0, e.value), np.where(void, 0.0, e.radius), e.evidence)

        if not void.any():
            return self
        excess, slack, blur = (np.where(void, 0.0, x) for x in (self.excess, self.slack, self.blur))
        return replace(self, excess=excess, slack=slack, blur=blur, left=cleared(self.left), right=cleared(self.right))

    def drawn(self, point: int, coordinate: int) -> dict[str, Any]:
        """The outcome, at a point, that a coordinate of a claim about every sample belongs to."""
        if self.outcomes is None:
            return {}
        found = {a: float(x[point if len(x) > 1 else 0, coordinate // self.width]) for a, x in self.outcomes.columns.items()}
        return {str(a): int(x) if isinstance(a.home.law, Finite) else spelled(x) for a, x in found.items()}

    def holds(self, where: Relation) -> Any:
        """For each point and outcome, whether the relation is known to hold."""
        beyond = (self.excess > self.slack).reshape(len(self.excess), -1, self.width)
        return beyond.any(axis=2) if isinstance(where, Differs) else (self.excess <= self.slack).reshape(beyond.shape).all(axis=2)

    def apart(self, resolution: float, ruling: Ruling) -> Ruling:
        """Differs holds if at every point, and each outcome there, some coordinate is apart. What is not a number is apart from
        nothing."""
        void = np.isnan(self.left.value) | np.isnan(self.right.value)
        if void.any():
            b, i = (int(x) for x in np.argwhere(void)[0])
            where = {"at": b, "coordinate": i, "drawn": self.drawn(b, i), "note": "a side is not a number"}
            return replace(ruling, verdict=Verdict.REFUTED, gap=math.inf, **where)
        gap = np.where(np.isnan(self.excess), 0.0, self.excess)
        limit = resolution * (1 + np.abs(np.where(np.isfinite(self.right.value), self.right.value, 0)))
        shape = (len(gap), -1, self.width)
        most = gap.reshape(shape).max(axis=2)
        can = np.ones(most.shape, dtype=bool) if self.outcomes is None else self.outcomes.weights.value != 0
        near = can & ~((gap > self.slack) & (gap > limit)).reshape(shape).any(axis=2)
        same = near & ((gap <= self.slack) & (self.slack <= limit)).reshape(shape).all(axis=2)
        verdict = Verdict.REFUTED if same.any() else Verdict.UNDECIDED if near.any() else Verdict.AGREES
        among = next(places for places in (same, near, can) if places.any())
        b, k = np.unravel_index(int(np.argmin(np.where(among, most, np.inf))), most.shape)
        i = int(k) * self.width + int(np.argmax(gap.reshape(shape)[b, k]))
        note = "the sides are not known well enough to tell them apart" if verdict is Verdict.UNDECIDED else ""
        where = {"at": int(b), "coordinate": i, "drawn": self.drawn(int(b), i), "note": note}
        return replace(ruling, verdict=verdict, gap=float(gap[b, i]), slack=float(self.slack[b, i]), **where)


def measure(that: Relation, scene: Scene, where: Relation | None = None, smooth: bool = False) -> Measured:
    """Both sides at the points. A draw that stands outside every mean makes it a statement about each of its outcomes: of those
    that fulfil the condition, and, if it is asked for, lie on no kink."""
    outcomes = _outcomes(that, where, scene)
    if outcomes is None or not smooth or not _chooses(that, where, scene):
        return _measured(that, scene, outcomes)
    can, held, off = outcomes.weights.value != 0, _held(where, scene, outcomes), _smooth(that, scene, outcomes)
    kept = can & held & off
    places = {"outside the condition": ~held, "on a kink": held & ~off}
    others = " or ".join(place for place, there in places.items() if (can & there).any())
    if not kept.any():
        raise Unsuitable(f"no outcome is left: every one lies {others}")
    left_out = f"{kept.sum()} of {can.sum()} outcomes are left: the others lie {others}" if others else ""
    outcomes = replace(outcomes, weights=Estimate(np.where(kept, outcomes.weights.value, 0.0), outcomes.weights.radius))
    return replace(_measured(that, scene, outcomes), left_out=left_out)


def about(that: That, where: Relation | None, scene: Scene) -> tuple[Any, Any]:
    """At which points a condition on the draws holds, and at which of these there is no kink: for some outcome."""
    outcomes = _outcomes(that, where, scene) if _chooses(that, where, scene) else None
    held = _held(where, scene, outcomes) & _possible(outcomes)
    return held.any(axis=1), (held & _smooth(that, scene, outcomes)).any(axis=1)


def fulfilled(where: Relation, scene: Scene) -> Any:
    """At which points the condition holds, for some outcome where it has draws."""
    outcomes = _outcomes(where, None, scene)
    try:
        return (_measured(where, scene, outcomes).holds(where) & _possible(outcomes)).any(axis=1)
    except CodeError as error:
        raise ProblemError(f"the condition: {error}") from error


def _possible(outcomes: Outcomes | None) -> Any:
    return True if outcomes is None else outcomes.weights.value != 0


def _outcomes(that: That, where: Relation | None, scene: Scene) -> Outcomes | None:
    """What the draws that stand outside every mean came out as, in a statement or its condition."""
    sides = [*that.sides, *(where.sides if where is not None else ())]
    scenes = (scene, scene.without_answer()) if scene.answer else (scene,)  # an answer may read fewer draws than the page
    atoms = list(dict.fromkeys(a for s in scenes for q in sides for a in loose_atoms(q, s)))
    return some_outcomes(atoms, scene.world.names, scene) if atoms else None


def _chooses(that: That, where: Relation | None, scene: Scene) -> bool:
    """May it hold of some outcomes at a point, and not of others?"""
    bent = (f for _, f in itertools.chain(*map(scene.world.parts, that.sides)) if randoms(*f) and hull.bends(f))
    return _is_drawn(where, scene) or (not isinstance(that, Within) and any(True for _ in bent))


def _is_drawn(where: Relation | None, scene: Scene) -> bool:
    return where is not None and any(loose_atoms(q, scene) for q in where.sides)


def _held(where: Relation | None, scene: Scene, outcomes: Outcomes | None) -> Any:
    """For each point and outcome, whether a condition on the draws holds. One without draws chooses points."""
    if where is None or not _is_drawn(where, scene):
        return np.ones((len(scene.points), 1), dtype=bool)
    return _measured(where, scene, outcomes).holds(where)


def _smooth(that: That, scene: Scene, outcomes: Outcomes | None) -> Any:
    """For each point and outcome, whether it lies on no kink. A set has room for kinks."""
    out = np.ones((len(scene.points), outcomes.count if outcomes else 1), dtype=bool)
    for q, formulas in itertools.chain(*map(scene.world.parts, that.sides)) if not isinstance(that, Within) else ():
        drawn = outcomes if randoms(*formulas) else None
        bent = hull.kinked(formulas, taken_by(q, scene.world.parameters), scene, drawn)
        out &= ~(bent[:, None] if drawn is None else bent)
    return out


def _measured(that: Relation, scene: Scene, outcomes: Outcomes | None) -> Measured:
    found = [evaluate(q, scene, outcomes) for q in that.sides]
    if not all(e.shape[2] for e in found):
        raise CodeError(None, EMPTY)
    counts = [e.shape[2] for e in found]
    width = max(counts)
    by = dict.fromkeys(blocks for q in that.sides if (blocks := _by(q, scene)))
    if not {*counts} <= {1, width} or (len(by) > 1 and {*counts} != {width}):
        sizes = [f"{n} coordinate{'s' if n > 1 else ''}{_by(q, scene)}" for n, q in zip(counts, that.sides, strict=True)]
        alone = "; Gradient(f, x) is by x alone" if by else ""
        many = "as many" if len(by) > 1 else "as many, or one"
        raise CodeError(None, f"the left side has {sizes[0]}, the right side {sizes[-1]}: they must be {many}{alone}.")
    a, *others = (_flat(e, len(scene.points), width, outcomes) for e in found)
    if isinstance(that, Within) and that.bounds is not None:
        low, high = others
        below, above = that.bounds
        under, over = below.excess(low, a), above.excess(a, high)
        nearer = np.isnan(under) | (under > over)
        b = low.where(nearer, high)
        slack = np.where(nearer, below.slack(low, a), above.slack(a, high))
        return Measured(np.where(nearer, under, over), a, b, slack, slack, outcomes, width)
    (b,) = others
    slack = that.slack(a, b)
    return Measured(that.excess(a, b), a, b, slack, a.radius if isinstance(that, Within) else slack, outcomes, width)


def _by(q: Quantity, scene: Scene) -> str:
    names = dict.fromkeys(a.home.name for a in taken_by(q, scene.world.parameters))
    return f" (by {', '.join(names)})" if names else ""


def _flat(e: Estimate, size: int, width: int, outcomes: Outcomes | None) -> Estimate:
    """As (points, outcomes x coordinates); an outcome that cannot happen is zero on both sides."""
    shape = (size, outcomes.count if outcomes else 1, width)
    e = e.map(lambda x: np.broadcast_to(x, shape).reshape(size, -1))
    if outcomes is None or (outcomes.weights.value != 0).all():
        return e
    can = np.broadcast_to((outcomes.weights.value != 0)[:, :, None], shape).reshape(size, -1)
    return Estimate(np.where(can, e.value, 0.0), np.where(can, e.radius, 0.0), e.evidence)


def number(e: Estimate, b: int, i: int) -> Any:
    """For a report: text where it is exact, else a float, or the name of what is not finite."""
    x = None if e.exact is None else e.exact[b, i]
    if is_exact(e, b, i):
        return written(x)
    value, radius = float(e.value[b, i]), float(e.radius[b, i])
    return 0.0 if (x is not None and contains_zero(x)) or abs(value) <= radius < NOUGHT else spelled(value)


def is_exact(e: Estimate, b: int, i: int) -> bool:
    """Is this entry a fraction, or a logarithm of one, whatever the others are?"""
    return e.exact is not None and (e.evidence is Evidence.EXACT or isinstance(e.exact[b, i], (fmpq, LogOf)))


def spelled(x: float) -> Any:
    return x + 0.0 if math.isfinite(x) else "nan" if math.isnan(x) else "oo" if x > 0 else "-oo"
