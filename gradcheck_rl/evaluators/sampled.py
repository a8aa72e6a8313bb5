"""Monte Carlo with both error rates guaranteed, by an interval that holds for every law with the stated variance.

The variance is the exact one of the reference estimator, listed or integrated; the claim's resolution is the margin that the
number of draws is planned for. Where the variance cannot be computed, a kurtosis cap stands in for it and the report says
so. An infinite variance never resolves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from ..catoni import Look, Tally, departs, interval, planned_looks, variance_from_kurtosis
from ..errors import GradcheckError
from ..estimate import Estimate, Evidence, Floats
from ..expressions import floats
from ..laws import Finite, with_parents
from ..points import generator
from ..quantities import Exact, Mean
from . import listed
from .scene import Outcomes, Scene

NAME = "sampled"
ALPHA = (
    1e-6  # of refuting a right answer, over all points, coordinates and looks; and of passing one that is off by the resolution
)
HALF = 0.45  # a radius under half the resolution leaves an error of the whole resolution no room
KURTOSIS = 100.0
PILOT = 2000
TINY = 1e-12
UNSURE = 1e-3
CHUNK = 1 << 15
MOST = 4_000_000

Walk = Callable[..., Estimate]


def evaluate(q: Mean, scene: Scene, atoms: Sequence[Any], walk: Walk) -> Estimate:
    """(B, 1, n)."""
    rows = [
        _at_point(q, replace(scene, points=scene.points.take([b]), memo={}), atoms, walk, b, ALPHA / len(scene.points))
        for b in range(len(scene.points))
    ]
    scene.says(NAME)
    values, radii = (np.stack(x)[:, None, :] for x in zip(*rows, strict=True))
    return Estimate(values, radii, Evidence.SAMPLED)


def _at_point(q: Mean, scene: Scene, atoms: Sequence[Any], walk: Walk, at: int, alpha: float) -> tuple[Floats, Floats]:
    declared = _declared(q, scene, walk)
    draw = _sampler(q, scene, atoms, walk, generator(scene.seed, scene.name, "sampled", str(at)))
    if declared is None:
        pilot = draw(PILOT)[0]
        scene.notes.append(f"conditional on kurtosis <= {KURTOSIS:.3g}")
        return _decide(draw, pilot.mean(axis=0), 2 * pilot.var(axis=0) + TINY, KURTOSIS, scene.resolution, alpha, False)[:2]
    centre, variance, kurtosis = declared
    middle, radius, measured = _decide(draw, centre, variance, kurtosis, scene.resolution, alpha / 2, True)
    if measured is None:
        return middle, radius
    cap = float(np.max(kurtosis))
    scene.notes.append(
        f"not the declared estimator: its variance is another; the mean is judged conditional on kurtosis <= {cap:.3g}"
    )
    return _decide(draw, centre, measured + TINY, kurtosis, scene.resolution, alpha / 2, False)[:2]


def _decide(
    draw: Any, centre: Floats, variance: Floats, kurtosis: Any, resolution: float, alpha: float, trusted: bool
) -> tuple[Floats, Floats, Floats | None]:
    """Midpoint and radius; and where the variance was trusted and is another, a bound of what it is, and no decision."""
    margin = HALF * resolution * (1 + np.abs(centre))
    middle, radius = centre, np.full(centre.shape, np.inf)
    if not np.isfinite(variance).all():
        return middle, radius, None
    looks = planned_looks(variance, margin, alpha)
    enough = int(8 * (1 + np.sqrt(np.max(kurtosis))) ** 2 * np.log(4 * len(centre) / alpha))  # to bound a variance by a kurtosis
    if not trusted:
        looks = (Look(max(4 * looks[-1].draws, enough), alpha),)
    tally = Tally.empty(centre, variance, min(looks[-1].draws, MOST))
    for look in looks:
        goal, share = min(look.draws, MOST), look.alpha / 2
        tally = _filled(tally, draw, goal)
        bound = variance
        if not trusted:
            bound = variance_from_kurtosis(tally, kurtosis, share)
        elif departs(tally, variance, kurtosis, share).any():
            return middle, radius, variance_from_kurtosis(_filled(tally, draw, min(enough, MOST)), kurtosis, share)
        middle, radius = interval(tally, bound, share)
        if (np.abs(middle - centre) > radius).any() or (radius <= margin).all() or goal == MOST:
            break
    return middle, radius, None


def _filled(tally: Tally, draw: Any, goal: int) -> Tally:
    while tally.draws < goal:
        tally = tally.add(*draw(goal - tally.draws))
    return tally


def _declared(q: Mean, scene: Scene, walk: Walk) -> tuple[Floats, Floats, Floats] | None:
    """Mean, variance and twice the kurtosis of the reference estimator at one point, from the exact routes."""
    reference = replace(scene.without_answer(), route=None, memo={})
    try:
        mean = walk(q, reference).value[0, 0]
        off = q.of - Exact([sp.Rational(*float(x).as_integer_ratio()) for x in mean])
        second, fourth = (walk(Mean(power, q.over), reference) for power in (off * off, off * off * off * off))
    except GradcheckError:
        return None
    unsure = second.radius[0, 0] > UNSURE * (1 + np.abs(second.value[0, 0]))  # an integral that does not settle may be infinite
    variance = np.where(unsure, np.inf, np.maximum(second.value[0, 0] + second.radius[0, 0], 0))
    with np.errstate(all="ignore"):
        kurtosis = np.where(variance > 0, (fourth.value[0, 0] + fourth.radius[0, 0]) / variance**2, 1.0)
    return mean, np.where(variance < 1e-12 * (1 + mean**2), 0.0, variance * (1 + 1e-9)), np.maximum(2 * kurtosis, 2)


def _sampler(q: Mean, scene: Scene, atoms: Sequence[Any], walk: Walk, rng: np.random.Generator) -> Any:
    names = scene.world.over(q.over)
    draws = with_parents(atoms)
    if listed.applies(draws) and np.prod([float(len(d.law.weights)) for d in draws]) <= listed.LIMIT:
        every = listed.outcomes(atoms, names, scene)
        scene.used.pop(listed.NAME, None)
        x = np.broadcast_to((e := walk(q.of, scene, every)).value[0], (every.count, e.shape[-1]))
        weights = np.maximum(every.weights.value[0], 0)

        def counted(n: int) -> tuple[Floats, Any]:
            return x, rng.multinomial(n, weights / weights.sum())

        return counted

    def streamed(n: int) -> tuple[Floats, None]:
        n = min(n, CHUNK)
        columns = ancestral(draws, {a: v[:, None] for a, v in scene.points.columns.items()}, n, rng)
        weights = Estimate(np.full((1, n), 1 / n), np.zeros((1, n)))
        return walk(q.of, scene, Outcomes(columns, weights, names)).value[0], None

    return streamed


def ancestral(draws: Sequence[Any], known: dict[Any, Any], n: int, rng: np.random.Generator) -> dict[Any, Any]:
    """n joint draws, parents first: (1, n) for each atom."""
    known, out = dict(known), {}
    for draw in draws:
        law = draw.law
        if isinstance(law, Finite):
            table = np.stack([np.broadcast_to(w, (1, n)) for w in floats(list(law.weights), known)], axis=-1)
            edges = table.cumsum(-1)
            drawn = (rng.random((1, n, 1)) * edges[..., -1:] >= edges).sum(-1).clip(max=table.shape[-1] - 1)
            out[draw.atoms[0]] = drawn.astype(float)
        else:
            z = rng.standard_normal((len(draw.atoms), 1, n))
            size = len(draw.atoms)
            cells = floats([*law.mean, *(f for row in law.factor for f in row)], known)
            for i, atom in enumerate(draw.atoms):
                out[atom] = np.broadcast_to(cells[i] + sum(cells[size + i * size + j] * z[j] for j in range(i + 1)), (1, n))
        known |= out
    return out
