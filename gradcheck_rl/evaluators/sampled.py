"""Monte Carlo with both error rates guaranteed, by an interval that holds for every law with the stated variance.

The variance is the exact one of the reference estimator, listed or integrated; the claim's resolution is the margin that the
number of draws is planned for, where nobody says how many. Where the variance cannot be computed, a kurtosis cap stands in for
it and the report says so. An infinite variance never resolves.

A mean is refuted where it is off for the declared law, and for every law with at most twice its kurtosis, whatever the variance.
Where only the first is so, or the squares show another variance, fresh draws decide.

Draws come in blocks. A block depends on the page, the point and its own numbers alone, so that any process may make it, and
they are added up in their order: the last bit is the same wherever they were made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from ..catoni import LOOKS, Tally, departs, draws_needed, interval, looks_at, variance_from_kurtosis
from ..errors import GradcheckError
from ..estimate import UNSURE, Estimate, Evidence, Floats
from ..expressions import floats
from ..laws import Draw, Finite, with_parents
from ..points import generator
from ..quantities import Exact, Mean
from . import integrated, listed
from .scene import Outcomes, Scene

NAME = "sampled"
ALPHA = 1e-6  # of refuting a right answer, over all that a claim samples; and of passing one that is off by the resolution
HALF = 0.45  # a radius under half the resolution leaves an error of the whole resolution no room
RESOLVES = 0.5
KURTOSIS = 100.0
PILOT = 2000
TINY = 1e-12
CONSTANT = 1e-12  # a standard deviation that is rounding
CHUNK = 1 << 15  # draws that are in memory at a time
BLOCK = 1 << 20  # draws that a process makes at a time
MOST = 4_000_000

Walk = Callable[..., Estimate]


@dataclass(frozen=True, eq=False)
class Block:
    """Some draws of a mean at a point: those of `stream` from number `first` on, and the empty tally that they are added to."""

    stream: tuple[str, ...]
    first: int
    draws: int
    start: Tally


@dataclass(frozen=True, eq=False)
class Tallied:
    """What became of a block, which routes its draws went by, and what the code under test was seen to do."""

    tally: Tally
    used: tuple[str, ...]
    notes: tuple[str, ...]


class Sampler:
    """Draws of a mean at one point."""

    def __init__(self, q: Mean, scene: Scene, atoms: Sequence[Any], walk: Walk) -> None:
        self.q, self.atoms, self.walk = q, atoms, walk
        self.scene = replace(scene, memo={}, used={}, notes=[], away=None)
        self.draws = with_parents(atoms)
        self.finite = listed.applies(self.draws) and math.prod(float(len(d.law.weights)) for d in self.draws) <= listed.LIMIT

    def tallied(self, block: Block) -> Tallied:
        rng, tally = self.generator(*block.stream, str(block.first)), block.start
        while tally.draws < block.draws:
            tally = tally.add(*self.drawn(block.draws - tally.draws, rng))
        return Tallied(tally, tuple(self.scene.used), tuple(dict.fromkeys(self.scene.notes)))

    def generator(self, *stream: str) -> np.random.Generator:
        return generator(self.scene.seed, self.scene.name, NAME, *stream)

    def drawn(self, n: int, rng: np.random.Generator) -> tuple[Floats, Any]:
        """Every outcome and how often it came in n draws; or up to n draws, where the outcomes are not to be listed."""
        if self.finite:
            x, weights = self._every
            return x, rng.multinomial(n, weights)
        n = min(n, CHUNK)
        columns = ancestral(self.draws, {a: v[:, None] for a, v in self.scene.points.columns.items()}, n, rng)
        weights = Estimate(np.full((1, n), 1 / n), np.zeros((1, n)))
        return self.walk(self.q.of, self.scene, Outcomes(columns, weights, self._names)).value[0], None

    @cached_property
    def _every(self) -> tuple[Floats, Floats]:
        every = listed.outcomes(self.atoms, self._names, self.scene)
        self.scene.used.pop(listed.NAME, None)
        x = self.walk(self.q.of, self.scene, every).value[0]
        weights = np.maximum(every.weights.value[0], 0)
        return np.broadcast_to(x, (every.count, x.shape[-1])), weights / weights.sum()

    @property
    def _names(self) -> Any:
        return self.scene.world.over(self.q.over)


def evaluate(q: Mean, scene: Scene, atoms: Sequence[Any], walk: Walk) -> Estimate:
    """(B, 1, n)."""
    rows: list[tuple[Floats, Floats]] = []
    others: list[float] = []
    biased = False
    for b in range(len(scene.points)):
        here = replace(scene, points=scene.points.take([b]), memo={})
        mean = _Mean(q, here, Sampler(q, here, atoms, walk), b, ALPHA / len(scene.points) / scene.means)
        rows.append(mean.decided(_declared(q, here, walk, with_parents(atoms))))
        others += mean.others
        biased |= mean.biased
    if others:
        cap = f"the mean is judged conditional on kurtosis <= {max(others):.3g}"
        scene.notes.append(cap if biased else f"not the declared estimator: its variance is another; {cap}")
    scene.says(NAME)
    values, radii = (np.stack(x)[:, None, :] for x in zip(*rows, strict=True))
    return Estimate(values, radii, Evidence.SAMPLED)


class _Mean:
    """A mean at one point, while it is being decided."""

    def __init__(self, q: Mean, scene: Scene, sampler: Sampler, at: int, alpha: float) -> None:
        self.q, self.scene, self.sampler, self.at, self.alpha = q, scene, sampler, str(at), alpha
        self.others: list[float] = []  # the cap on the kurtosis, where the estimator is another than the declared one
        self.biased = False  # and whether its mean is

    def decided(self, declared: Declared | None) -> tuple[Floats, Floats]:
        """Midpoint and radius."""
        if declared is None:
            x, counts = self.sampler.drawn(PILOT, self.sampler.generator(self.at, "pilot"))
            pilot = x if counts is None else np.repeat(x, counts, axis=0)
            self._heard(self.sampler.scene.used, self.sampler.scene.notes)
            self.scene.notes.append(f"conditional on kurtosis <= {KURTOSIS:.3g}")
            return self._measured("mean", pilot.mean(axis=0), 2 * pilot.var(axis=0) + TINY, KURTOSIS, self.alpha)
        middle, radius, measured = self._trusted(declared, self.alpha / 2)
        if measured is None:
            return middle, radius
        centre, kurtosis = declared.mean, declared.kurtosis
        self.others.append(float(np.max(kurtosis)))
        middle, radius = self._measured("again", centre, measured + TINY, kurtosis, self.alpha / 2)
        self.biased = _is_off(centre, middle, radius)
        return middle, radius

    def _trusted(self, declared: Declared, alpha: float) -> tuple[Floats, Floats, Floats | None]:
        """Midpoint and radius under the declared variance; or where it is another, a bound of what it is, and no decision."""
        centre, variance, kurtosis = declared.mean, declared.variance, declared.kurtosis
        middle, radius, margin = centre, np.full(centre.shape, np.inf), self._margin(centre)
        if not np.isfinite(variance).all():
            self.scene.near.append("the variance of the page's own estimator is not known to be finite")
            return middle, radius, None
        enough = _enough(centre, kurtosis, alpha)
        needed = draws_needed(variance, margin, alpha / LOOKS / 2) + (enough if enough <= MOST else 0)
        planned = self.scene.samples or min(needed, MOST)
        tally, sure = Tally.empty(centre, variance, planned), False
        for look in looks_at(planned, alpha):
            tally = self._filled("mean", tally, look.draws)
            middle, radius = interval(tally, variance, look.alpha / 2)
            if not tally.finite.all():
                return middle, radius, None
            measured = variance_from_kurtosis(tally, kurtosis, look.alpha / 2)
            widest = interval(tally, np.maximum(variance, measured), look.alpha / 2)
            off = _is_off(centre, middle, radius)
            if self.scene.decisive and _is_off(centre, *widest):
                return *widest, None
            if self.scene.decisive and off and enough > MOST:
                break
            if off or departs(tally, variance, kurtosis, look.alpha / 2, declared.least).any():
                goal = min(enough, planned if self.scene.samples else MOST)
                tally = self._filled("mean", tally, goal)
                return middle, radius, variance_from_kurtosis(tally, kurtosis, look.alpha / 2)
            sure = bool((widest[1] <= RESOLVES / HALF * margin).all())
            if not self.scene.samples and (radius <= margin).all() and sure:
                break
        if self.scene.answer and not sure:
            self.scene.notes.append("conditional on the declared variance, which these draws do not bound")
        self._tell(tally, radius, needed)
        return middle, radius, None

    def _measured(self, stage: str, centre: Floats, variance: Floats, kurtosis: Any, alpha: float) -> tuple[Floats, Floats]:
        """Midpoint and radius under what the same draws show of the variance; this one only plans them."""
        margin = self._margin(centre)
        if not np.isfinite(variance).all():
            self.scene.short.append(_enough(centre, kurtosis, alpha))
            return centre, np.full(centre.shape, np.inf)
        needed = max(4 * draws_needed(variance, margin, alpha / LOOKS), _enough(centre, kurtosis, alpha))
        planned = self.scene.samples or min(needed, MOST)
        tally = self._filled(stage, Tally.empty(centre, variance, planned), planned)
        middle, radius = interval(tally, variance_from_kurtosis(tally, kurtosis, alpha / 2), alpha / 2)
        self._tell(tally, radius, needed)
        return middle, radius

    def _margin(self, centre: Floats) -> Floats:
        return HALF * self.scene.resolution * (1 + np.abs(centre)) / self.scene.means

    def _tell(self, tally: Tally, radius: Floats, needed: int) -> None:
        """How many draws there were, or where these say nothing, how many it takes."""
        known = np.isfinite(radius).all()
        (self.scene.made if known else self.scene.short).append(tally.draws if known else needed)

    def _filled(self, stage: str, tally: Tally, goal: int) -> Tally:
        """The tally with the draws up to this number. Draws that can be listed, and a single block, are made here."""
        size, start = (goal if self.sampler.finite else BLOCK), tally.emptied()
        firsts = range(tally.draws, goal, size)
        blocks = (Block((self.at, stage), n, min(size, goal - n), start) for n in firsts)
        far = self.scene.away if len(firsts) > 1 else None
        results: Iterator[Tallied] | Iterable[Tallied]
        results = map(self.sampler.tallied, blocks) if far is None else far(self.q, self.scene, blocks, self.sampler.tallied)
        for result in results:
            tally += result.tally
            self._heard(result.used, result.notes)
            if self.scene.tells is not None:
                self.scene.tells(tally.draws, goal)
        return tally

    def _heard(self, used: Iterable[str], notes: Iterable[str]) -> None:
        self.scene.used.update(dict.fromkeys(used))
        self.scene.notes.extend(notes)


def draws_for(times: float, scene: Scene) -> str:
    """How many draws make the radius so many times smaller, rounded up; nothing, where no number does."""
    many = max(scene.made, default=0) * times * times if math.isfinite(times) else max(scene.short, default=0)
    if not 0 < many < math.inf or (scene.near and not math.isfinite(times)):
        return ""
    unit = 10 ** max(0, math.floor(math.log10(many)) - 1)
    return f"{math.ceil(many / unit) * unit:.1e}".replace("e+", "e")


def _is_off(centre: Floats, middle: Floats, radius: Floats) -> bool:
    return bool((np.abs(middle - centre) > radius).any())


def _enough(centre: Floats, kurtosis: Any, alpha: float) -> int:
    """The draws that it takes to bound a variance by a kurtosis."""
    return int(min(8 * (1 + np.sqrt(np.max(kurtosis))) ** 2 * np.log(4 * len(centre) / alpha), 1e18))


@dataclass(frozen=True, eq=False)
class Declared:
    """The reference estimator at one point, from the exact routes: its mean, the most and the least that its variance may be,
    and twice its kurtosis. A variance that is hardly known may be infinite, but in many coordinates, where nodes are few."""

    mean: Floats
    variance: Floats
    least: Floats
    kurtosis: Floats


def _declared(q: Mean, scene: Scene, walk: Walk, draws: Sequence[Draw]) -> Declared | None:
    reference = replace(scene.without_answer(), route=None, memo={})
    try:
        found = walk(q, reference).value[0, 0]
        mean = np.where(np.isfinite(found), found, 0.0)
        off = q.of - Exact([sp.Rational(*float(x).as_integer_ratio()) for x in mean])
        square = off * off
        second, fourth = (walk(Mean(power, q.over), reference) for power in (square, square * square))
    except GradcheckError:
        return None
    unsure = ~np.isfinite(found) | (second.radius[0, 0] > UNSURE * (1 + np.abs(second.value[0, 0])))
    if unsure.any() and integrated.is_coarse(draws) and np.isfinite(second.radius).all():
        return None
    most = np.where(unsure, np.inf, second.value[0, 0] + second.radius[0, 0])
    least = np.maximum(second.value[0, 0] - second.radius[0, 0], 0)
    with np.errstate(all="ignore"):
        kurtosis = 2 * (fourth.value[0, 0] + fourth.radius[0, 0]) / least**2
        kurtosis = np.where(np.isnan(kurtosis), np.inf, kurtosis)
    variance = np.where(most < CONSTANT**2 * (1 + mean**2), 0.0, most * (1 + 1e-9))
    return Declared(mean, variance, least * (1 - 1e-9), np.where(least > 0, np.maximum(kurtosis, 2), KURTOSIS))


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
