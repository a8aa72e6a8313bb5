"""An answer whose mean is right: is it the declared estimator, or another?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from .claims import Equal, Relation
from .errors import CodeError, Unsuitable
from .estimate import Estimate
from .evaluators import Scene, evaluate, integrated, listed, random_atoms, some_outcomes, unsure
from .quantities import Covariance, Mean, Quantity, labels, side
from .verdict import Verdict, compare


def another(that: Relation, scene: Scene) -> str:
    """How it differs from the declared one. Its moments tell, where they can be listed or integrated: covariance and third
    moment of each coordinate. Two that have these in common are not told apart."""
    for q in that.sides:
        if not (isinstance(q, Mean) and q.code() and scene.route in (None, listed.NAME, integrated.NAME)):
            continue
        for moment in _moments(q):
            try:
                if integrated.NAME in scene.used and _draws_alike(q, scene):
                    break
                ours, theirs = (evaluate(moment, s) for s in (scene.without_answer(), scene))
            except (CodeError, Unsuitable):
                return ""
            if said := _other_moment(moment, theirs, ours, labels(q, scene.world.parameters) or [], scene.resolution):
                return f"the mean is right, but this is another estimator: its {said}"
    return ""


@lru_cache(maxsize=256)
def _moments(q: Mean) -> tuple[Quantity, Quantity]:
    """Made once: those of the page's own function are worked out once."""
    return Covariance(q.of, q.over), Mean(q.of * q.of * q.of, q.over)


def _draws_alike(q: Mean, scene: Scene) -> bool:
    """Is it the declared estimator at some draws of each point? Then no integral of its moments is needed."""
    scenes = (scene.without_answer(), scene.anew())
    atoms = list(dict.fromkeys(a for s in scenes for a in random_atoms(q.of, s, q.over)))
    outcomes = some_outcomes(atoms, scene.world.over(q.over), scene) if atoms else None
    ours, theirs = (evaluate(q.of, s, outcomes) for s in scenes)
    return bool((np.abs(theirs.value - ours.value) <= theirs.radius + ours.radius).all())


def _other_moment(moment: Quantity, theirs: Estimate, ours: Estimate, names: Sequence[str], resolution: float) -> str:
    """What sets a covariance, or a third moment, apart from the declared one, if anything does."""
    kind, same = "third moment", Equal(moment, moment)
    without = np.isnan(ours.value)  # of a mean that is infinite: there is nothing to tell by
    theirs, ours = (e.map(lambda x: np.where(without, 0, x)) for e in (theirs, ours))
    slack = same.slack(theirs, ours)
    verdict, at, *_ = compare(same.excess(theirs, ours), theirs, ours, slack, slack, resolution, resolution)
    places: Sequence[int] = at[-1:]
    if isinstance(moment, Covariance):
        n = side(ours.shape[-1])
        own = (..., slice(None, None, n + 1))
        if (doubtful := (unsure(theirs) & ~unsure(ours))[own]).any():
            return f"variance is not known to be finite, the declared one's is {ours.value[own][doubtful][0]:.4g}"
        places = sorted({*divmod(at[-1], n)})
        kind = "variance" if len(places) == 1 else "covariance"
    if verdict is not Verdict.REFUTED:
        return ""
    here, declared = (0.0 if abs(e.value[at]) <= e.radius[at] else e.value[at] for e in (theirs, ours))
    by = f" by {' and '.join(names[i] for i in places)}" if len(names) > 1 else ""
    return f"{kind} is {here:.4g}{by}, the declared one's {declared:.4g}"
