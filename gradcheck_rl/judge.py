"""One claim, at the points of a problem: by every route that is asked for, with the smallest counterexample where it fails."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from flint import ctx, fmpq

from .calculus import has
from .claims import COARSEST, AtMost, Claim, Differs, Equal, Raises, Relation, That, Within, contains_zero
from .errors import CodeError, ProblemError, Unsuitable
from .estimate import Estimate, Evidence, Floats
from .evaluators import (
    NAMES,
    Outcomes,
    Scene,
    World,
    evaluate,
    hull,
    integrated,
    listed,
    loose_atoms,
    proof,
    random_atoms,
    sampled,
    some_outcomes,
    symbolic,
    unsure,
)
from .expressions import CORNERS, lawful
from .laws import Bundle, Finite, Random, randoms, with_parents
from .points import Points, covering, given, simpler, stack
from .problem import Problem
from .quantities import EMPTY, Combined, Covariance, Exact, Mean, Printed, Quantity, Value, is_code, labels, side, taken_by
from .report import plain
from .rings import BITS, FINE_BITS, written
from .spaces import Integers, Masks, OneOf, Simplex
from .symbols import Variable, atoms_in, bare, entries, thaw
from .verdict import Ruling, Verdict, combine, compare, largest, nowhere

EVALUATIONS = 200
CELLS = 5 * 10**5  # numbers that all points tried for a witness have together, unless one group of points has more
GROUP = 8
SAMPLED_POINTS = 4
ENOUGH = 4
DRAWS = 12
FULFIL = "give points that do, by at=Point(...) or corners=(Point(...),)"
NOWHERE = "neither side is a number here: choose a space, or symbols(..., positive=True), where both are"
NUDGE = 1 + fmpq(1, 2**22)  # float32 rounds another way there
ASIDE = tuple(1 + sign * fmpq(n, 2**30) for sign in (1, -1) for n in (3, 5, 7, 11))  # float64 does, and little else changes
OVERFLOWN = "both sides are too large for floats, where two that differ look alike: narrow the space"
LONGEST = 24  # characters of an exact number in a sentence, where its float says as much
SINGLE, DOUBLE = 2.0**-20, 2.0**-30  # what float32 loses in a few operations, and what only float64 holds
NOUGHT = 1e-15  # what is shown as 0, where its radius says that it may be

Answer = Mapping[Any, Any]
Formulas = list[Any] | None


@dataclass(frozen=True)
class Settled:
    """What became of a claim: every route's ruling, the one that counts, what to show of it, and how many points were tried."""

    rulings: tuple[Ruling, ...]
    best: Ruling
    reason: str = ""
    witness: dict[str, Any] | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    points: int = 0
    seconds: float = 0.0


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
        return {str(a): int(x) if isinstance(a.home.law, Finite) else _plain(x) for a, x in found.items()}


class Judge:
    """A problem's points, and what was worked out at them."""

    def __init__(self, problem: Problem, seed: int, count: int | Points, proving: bool = True) -> None:
        self.world: World = problem.bound
        self.proving = proving
        self.name, self.seed = problem.name, seed
        if isinstance(count, Points):  # not to be drawn: these
            self.count, self.points = len(count), count
        else:
            self.count, self.points = count, covering(self.world.variables, problem.corners, count, seed, self.name)
        self.wary = False  # is what rounding does to code looked at beside each point too?
        self.samples: int | None = None
        self.away: Callable[..., Iterable[Any]] | None = None
        self.tells: Callable[[int, int], None] | None = None
        self.memo: dict[Any, Any] = {}
        self._once: dict[Any, Points] = {}
        self._settled: dict[Any, Settled] = {}
        self._lawful_ones: set[Any] = set()
        self._moments: dict[Quantity, tuple[Quantity, Quantity]] = {}

    def anew(self) -> Judge:
        """The same points and what is known at them, with nothing settled: answers that come and go leave nothing behind."""
        other = copy(self)
        other._settled = {}
        return other

    def settle(self, claim: Claim, answer: Answer, strict: bool = False, witness: bool = True) -> Settled:
        """`strict`: a claim that is to be refuted must fail by more than its resolution. Without `witness` nothing is shrunk,
        nor asked whether rounding explains it."""
        key = (claim, frozenset(answer.items()))
        if key not in self._settled:
            start = time.perf_counter()
            settled = self._settle(claim, answer, strict, witness)
            if witness and not strict and self._by_luck(claim, settled.best, answer):
                settled = self._warily()._settle(claim, answer, strict, witness)
            self._settled[key] = replace(settled, seconds=round(time.perf_counter() - start, 4))
        return self._settled[key]

    def _warily(self) -> Judge:
        judge = self.anew()
        judge.wary = True
        return judge

    def _by_luck(self, claim: Claim, best: Ruling, answer: Answer) -> bool:
        """Is code refuted where float32 came out near float64 by chance, or was not run, and rounding explains the gap?"""
        that, shown = claim.that, best.verdict is Verdict.REFUTED and best.left is not None and best.route != sampled.NAME
        if not shown or not math.isfinite(best.gap) or isinstance(that, Raises) or not _rounds(claim):
            return False
        here = best.points.take([best.at])
        here = here if any(_on_a_page(q) for q in that.sides) else here.image()
        route = best.route if best.route in claim.routes else None
        aside = self._warily()._rule(claim, that, here, answer, route, strict=False)
        return aside.verdict is not Verdict.REFUTED and aside.left is not None

    def _settle(self, claim: Claim, answer: Answer, strict: bool, witness: bool) -> Settled:
        that = claim.that
        points, removed = self._where_checked(claim, that)
        if not len(points):
            why = "every one lies on a kink" if removed else f"none fulfils the condition: {FULFIL}"
            none = Ruling("points", Verdict.UNDECIDED, note=f"no point is left: {why}", removed=removed)
            return Settled((none,), none, none.note)
        if isinstance(that, Raises):
            return self._raises(claim, that, points, answer)
        rulings = [replace(r, removed=removed) for r in self._routes(claim, that, points, answer, strict)]
        best = combine(rulings)
        seen = next((r for r in [best, *rulings[::-1]] if r.left is not None), best)
        if best.verdict is not Verdict.REFUTED:
            told = [best.remark or seen.remark, *(r.note for r in rulings if r.verdict is Verdict.AGREES)]
            if claim.routes and best.verdict is not Verdict.UNDECIDED:
                told += [f"{r.route} was not counted: {r.note}" for r in rulings if r.verdict is Verdict.UNDECIDED]
            best = replace(best, points=seen.points, left=seen.left, right=seen.right, measured=seen.measured)
            best = replace(best, remark="; ".join(filter(None, told)))
            reason = best.note if best.verdict is Verdict.UNDECIDED else ""
            where = None
            if reason and best.points is not None and not math.isfinite(best.slack):  # at this point nothing is known
                where = best.points.witness(best.at, self.needed(claim))
            return Settled(tuple(rulings), best, reason, where, self._shown(claim, that, best), _count(best))
        count = _count(best)
        if witness and claim.at is None and best.left is not None:
            simplest = self._shrunk(claim, that, best, answer)
            if simplest.route == best.route:  # then its gap is that of the two sides which are shown
                rulings = [simplest if r is best else r for r in rulings]
            best = simplest
        found = best.points.witness(best.at, self.needed(claim)) if best.points is not None else {}
        shown = self._shown(claim, that, best)
        return Settled(tuple(rulings), best, best.note or self._difference(that, best), found | best.drawn, shown, count)

    def _routes(self, claim: Claim, that: Relation, points: Points, answer: Answer, strict: bool) -> list[Ruling]:
        asked = list(claim.routes)
        rulings: list[Ruling] = []
        formulas = [self.formulas(q) for q in that.sides]
        unproved = "no proof was found"
        wanted = proof.NAME in asked or (self.proving and not asked)
        if wanted and type(that) is Equal and claim.at is None and claim.where is None and None not in formulas:
            left, right = (f or [] for f in formulas)
            unproved = proof.failure(left, right, self.scene(claim, points, answer))
            if not unproved:
                self._lawful(claim, [*left, *right])
                rulings.append(Ruling(proof.NAME, Verdict.PROVED))
        if not asked:
            return [*rulings, self._rule(claim, that, points, answer, None, strict)]
        others = [r for r in asked if r != proof.NAME]
        if proof.NAME in asked and not rulings:
            plain = [] if others else [self._rule(claim, that, points, answer, None, strict)]
            ruling = Ruling(proof.NAME, Verdict.UNDECIDED, note=unproved)
            rulings = [ruling, *(r for r in plain if r.verdict is Verdict.REFUTED)]
        return rulings + [self._rule(claim, that, points, answer, r, strict) for r in others]

    def _lawful(self, claim: Claim, formulas: Sequence[Any]) -> None:
        try:
            lawful(formulas, self.points.rows, self.points.columns, self._lawful_ones)
        except ProblemError as error:
            raise ProblemError(f"{claim.says!r}: {error}") from error

    def _rule(self, claim: Claim, that: Relation, points: Points, answer: Answer, route: str | None, strict: bool) -> Ruling:
        """What one route says, or that it does not apply, where others did all the work."""
        if route == sampled.NAME:
            points = self.take(points, range(min(SAMPLED_POINTS, len(points))))
        scene = replace(self.scene(claim, points, answer), route=route)
        ruling = self._ruled(claim, that, scene, strict)
        if route == sampled.NAME in scene.used and self.samples and ruling.verdict is Verdict.AGREES:
            ruling = replace(ruling, note=f"{self.samples} samples at each point agree to {ruling.slack:.1e}")
        counts = ruling.verdict is Verdict.REFUTED or (ruling.verdict is Verdict.AGREES and route in scene.used)
        if route is None or counts:
            return ruling
        if ruling.verdict is Verdict.UNDECIDED:
            return replace(ruling, route=route if route in scene.used else ruling.route)
        if claim.routes == (route,):
            return replace(ruling, route=route, verdict=Verdict.UNDECIDED, note=f"by='{route}' does not apply here: leave it out")
        return replace(ruling, route=route, verdict=Verdict.UNDECIDED, note=f"it does not apply: {ruling.route} answers here")

    def _ruled(self, claim: Claim, that: Relation, scene: Scene, strict: bool) -> Ruling:
        route, points, answer = scene.route, scene.points, scene.answer
        try:
            if claim.at is not None and not strict:
                self._given_numbers(that, scene)
            m = measure(that, scene, claim.where, smooth=True)
            if self.wary and _rounds(claim) and sampled.NAME not in scene.used:
                m = self._scattered(claim, that, m, scene)
        except Unsuitable as reason:
            return Ruling(route or "none", Verdict.UNDECIDED, note=str(reason))
        except (CodeError, ProblemError) as error:
            if answer and isinstance(error, CodeError):
                return Ruling(route or "called", Verdict.REFUTED, note=str(error))
            raise ProblemError(f"{claim.says!r}: {error}") from error
        name = " + ".join(sorted(scene.used, key=NAMES.index)) or "exact"
        if isinstance(that, Differs):
            ruling = Ruling(name, Verdict.UNDECIDED, remark=m.left_out, left=m.left, right=m.right, points=points, measured=m)
            return self._apart(m, claim.resolution, ruling)
        if strict and not claim.code():
            m = m.defined()
        faint = bool(claim.code()) and not strict and not any(_on_a_page(q) for q in that.sides)
        sampling = max(m.left.evidence, m.right.evidence) is Evidence.SAMPLED
        # Samples resolve an error of the whole resolution: none has room beside their radius.
        unseen, blur = (m.slack, m.blur / sampled.RESOLVES) if sampling else (0.0, m.blur)
        judged = partial(compare, m.excess, m.left, m.right, m.slack, blur, claim.resolution, formulas=not claim.code())
        verdict, at, gap, room, remark = judged(faint=claim.resolution - unseen if faint else 0.0)
        if faint and verdict is Verdict.AGREES and remark:
            verdict, at, gap, room, remark = judged(faint=self._faint(claim, that, m, scene) - unseen)
        if verdict is Verdict.AGREES and not claim.code() and (finer := self._finer(claim, that, m, scene, strict)):
            return finer
        if isinstance(that, Within):  # a set has room that is no doubt
            room = float(m.blur[at])
        remark = "; ".join(filter(None, (remark, m.left_out)))
        drawn = m.drawn(*at)
        ruling = Ruling(name, verdict, gap, room, at[0], at[1], "", remark, m.left, m.right, points, 0, drawn, m)
        if strict and verdict is Verdict.REFUTED:
            rest = gap - claim.resolution * abs(float(m.right.value[at]))
            if rest <= claim.resolution and rest <= self._faint(claim, that, m, scene):
                note = f"the sides differ by {gap:.1e} only, less than the resolution"
                return replace(ruling, verdict=Verdict.UNDECIDED, note=note)
        if verdict is Verdict.UNDECIDED and not claim.code() and nowhere(m.left, m.right)[at]:
            return replace(ruling, note=NOWHERE)
        if verdict is Verdict.UNDECIDED:
            half = "half " if sampling else ""
            wide = f"known only to {room:.1e}, wider than {half}the resolution {claim.resolution:.0e}"
            if not math.isfinite(room):
                large = np.isinf(m.left.value[at]) and m.left.value[at] == m.right.value[at]
                wide = OVERFLOWN if large else [*scene.near, "its radius is not finite"][0]
            return replace(ruling, note=": ".join(filter(None, (wide, self._advice(claim, that, m, scene, at, room)))))
        hints = list(dict.fromkeys(scene.notes))
        size = abs(float(m.right.value[at]))
        if claim.code() and DOUBLE * (size or 1.0) <= gap <= SINGLE * (size or 1.0) < math.inf:
            near = "six digits agree, and float32 has no more" if size else "float32 comes no nearer to 0 where it subtracts"
            hints.append(f"{near}: was it computed in float32?")
        if verdict is Verdict.REFUTED:
            return replace(ruling, note="; ".join([self._difference(that, ruling), hints[0]])) if hints else ruling
        other = self._other_estimator(that, scene) if answer else ""
        hidden = _hidden(m) if claim.code() and type(that) is Equal and not sampling else ""
        return replace(ruling, remark="; ".join(filter(None, (remark, hidden, other, *(h for h in hints if "conditional" in h)))))

    def _advice(self, claim: Claim, that: Relation, m: Measured, scene: Scene, at: tuple[int, ...], room: float) -> str:
        """What helps a claim that is known too badly, by the side that is."""
        sides = list(zip(that.sides, (m.left, m.right), strict=False))
        rest = {q: float(e.radius[at]) for q, e in sides if e.evidence is not Evidence.SAMPLED}
        still = sum(rest.values())
        left = sampled.HALF * claim.resolution * (1 + abs(float(m.right.value[at]))) - still
        if left > 0 and (draws := sampled.draws_for((room - still) / left, scene)):
            return f"it takes about {draws} draws (--samples), or a coarser resolution="
        if integrated.NAME not in scene.used or not math.isfinite(room) or not rest:
            return ""
        q = max(rest, key=lambda side: rest[side])
        formulas = self.formulas(q)
        if formulas is None and self._is_heavy(q, replace(scene.at(scene.points.take([at[0]])).anew(), route=None)):
            return f"its tails are heavy: {'narrow the space' if claim.at is None else 'give another point'}"
        if formulas is not None and not any(has(thaw(bare(e)), *CORNERS) for e in formulas):
            return "narrow the space, or write it in another form"
        drawn = formulas is None and scene.route != sampled.NAME and any(isinstance(part, Mean) for part, _ in q.walk())
        other = "write by='sampled' on the claim" if drawn else "write it in another form"
        return f"name its kinks and jumps, Draw(..., breaks=(...)), or {other}"

    def _is_heavy(self, q: Quantity, scene: Scene) -> bool:
        """May what it is a mean of have an infinite variance? Samples know no better then."""
        with suppress(CodeError, Unsuitable):
            means = [part for part, _ in q.walk() if isinstance(part, Mean) and part.code()]
            return any(unsure(evaluate(Mean(mean.of * mean.of, mean.over), scene)).any() for mean in means)
        return False

    def _faint(self, claim: Claim, that: Relation, m: Measured, scene: Scene) -> float:
        """How large a gap is not looked at: the resolution, or that part of the largest entry at any point where it
        is below 1, or what the sides move between numbers that float32 holds next to each other where that is more."""
        size = max(largest(m.left.value), largest(m.right.value))
        if size >= 1:
            return claim.resolution
        beside = scene.points
        for name in beside.exact.keys() & {v.name for v in self.world.parameters}:
            beside = beside.with_(name, beside.exact[name] * NUDGE)
        with np.errstate(all="ignore"):
            try:
                there = measure(that, replace(scene.anew(), points=beside), claim.where, smooth=True)
                moved = max(largest(m.left.value - there.left.value), largest(m.right.value - there.right.value))
            except (CodeError, ProblemError, Unsuitable):
                return claim.resolution
        return min(claim.resolution, max(claim.resolution * size, 4 * moved))

    def _finer(self, claim: Claim, that: Relation, m: Measured, scene: Scene, strict: bool) -> Ruling | None:
        """Balls of formulas that overlap, and are no fractions, are told apart by finer ones, if they are: at the first such
        point, as two formulas that differ do so nearly everywhere."""
        balls = m.left.exact is not None and m.right.exact is not None and max(m.left.evidence, m.right.evidence) is Evidence.BALL
        if ctx.prec != BITS or not balls or type(that) not in (Equal, AtMost) or [*scene.used] != [symbolic.NAME]:
            return None
        near = (np.abs(m.excess) <= m.slack) & (m.slack > 0)
        if not near.any():
            return None
        one = scene.points.take([int(np.argmax(near.any(axis=1)))])
        with ctx.workprec(FINE_BITS):
            found = self._ruled(claim, that, replace(scene.anew(), points=one, memo={}), strict)
        return found if found.verdict is Verdict.REFUTED else None

    def _scattered(self, claim: Claim, that: Relation, m: Measured, scene: Scene) -> Measured:
        """With room for what rounding does: how far the gaps of the sides at points close by lie apart.

        Those on one side of the point, and of two the lesser, since code may jump here, or have a number of its own.
        Mathematics that is wrong is wrong by as much close by.
        """
        if m.outcomes is not None and m.outcomes.exact is None:  # each point has draws of its own
            return m
        points, aside = scene.points, []
        for factor in ASIDE:
            beside = points
            for name in points.exact:
                if not isinstance(self.world.variables[name].over, (Integers, Masks, OneOf, Simplex)):
                    beside = beside.with_(name, beside.exact[name] * factor)
            aside.append(beside.image())
        try:
            there = measure(that, replace(scene.anew(), points=stack(aside)), claim.where, smooth=True)
        except (CodeError, ProblemError, Unsuitable):
            return m
        if there.left.shape != (len(ASIDE) * len(points), m.left.shape[1]):
            return m
        with np.errstate(all="ignore"):
            apart = (there.left.value - there.right.value).reshape(2, -1, *m.left.shape)
            room = 16 * np.ptp(apart, axis=1).min(axis=0)
        room = np.where(np.isfinite(room), room, 0.0)
        return replace(m, slack=m.slack + room, blur=m.blur + room)

    def _given_numbers(self, that: Relation, scene: Scene) -> None:
        """A formula of the page that is no number at the data which the page gives is the page's mistake, and no answer's."""
        for q in itertools.chain(*map(self._formulas_in, that.sides)):
            formulas = self.formulas(q) or []
            if loose_atoms(q, scene) or not symbolic.applies(formulas):
                continue
            if (void := np.isnan(evaluate(q, replace(scene.anew(), route=None)).value)).any():
                e = formulas[int(np.argwhere(void)[0, -1])]
                at = ", ".join(f"{k} = {plain(x)}" for k, x in scene.points.witness(0, [*_homes([e])]).items())
                wanted = "give a point where it is one, or claim NonFinite(...) of it."
                raise ProblemError(f"`{e}` is no number{at and f' at {at}'}: {wanted}")

    def _formulas_in(self, q: Quantity) -> Iterable[Quantity]:
        if self.formulas(q) is not None:
            yield q
        elif isinstance(q, Combined):
            yield from itertools.chain(*map(self._formulas_in, q.parts))

    def _apart(self, m: Measured, resolution: float, ruling: Ruling) -> Ruling:
        """Differs holds if at every point, and each outcome there, some coordinate is apart. What is not a number is apart from
        nothing."""
        void = np.isnan(m.left.value) | np.isnan(m.right.value)
        if void.any():
            b, i = (int(x) for x in np.argwhere(void)[0])
            apart = {"at": b, "coordinate": i, "drawn": m.drawn(b, i), "note": "a side is not a number"}
            return replace(ruling, verdict=Verdict.REFUTED, gap=math.inf, **apart)
        gap = np.where(np.isnan(m.excess), 0.0, m.excess)
        limit = resolution * (1 + np.abs(np.where(np.isfinite(m.right.value), m.right.value, 0)))
        shape = (len(gap), -1, m.width)
        most = gap.reshape(shape).max(axis=2)
        can = np.ones(most.shape, dtype=bool) if m.outcomes is None else m.outcomes.weights.value != 0
        near = can & ~((gap > m.slack) & (gap > limit)).reshape(shape).any(axis=2)
        same = near & ((gap <= m.slack) & (m.slack <= limit)).reshape(shape).all(axis=2)
        verdict = Verdict.REFUTED if same.any() else Verdict.UNDECIDED if near.any() else Verdict.AGREES
        among = next(places for places in (same, near, can) if places.any())
        b, k = np.unravel_index(int(np.argmin(np.where(among, most, np.inf))), most.shape)
        i = int(k) * m.width + int(np.argmax(gap.reshape(shape)[b, k]))
        note = "the sides are not known well enough to tell them apart" if verdict is Verdict.UNDECIDED else ""
        where = {"at": int(b), "coordinate": i, "drawn": m.drawn(int(b), i)}
        return replace(ruling, verdict=verdict, gap=float(gap[b, i]), slack=float(m.slack[b, i]), note=note, **where)

    def _raises(self, claim: Claim, that: Raises, points: Points, answer: Answer) -> Settled:
        """At each point on its own: the first that does not raise refutes."""
        needed, wanted = self.needed(claim), that.error.__name__
        for b in range(len(points) if needed else 1):
            here = self.take(points, [b])
            if note := self._returned(that, self.scene(claim, here, answer), wanted):
                ruling = Ruling("called", Verdict.REFUTED, note=note, points=here)
                return Settled((ruling,), ruling, note, here.witness(0, needed), points=len(points))
        ruling = Ruling("called", Verdict.AGREES, points=points)
        return Settled((ruling,), ruling, points=len(points))

    def _returned(self, that: Raises, scene: Scene, wanted: str) -> str:
        """What the function did instead, or nothing."""
        name = scene.resolve(that.function).__name__
        try:
            evaluate(Value(that.function), scene)
        except CodeError as error:
            cause = error.__cause__
            if isinstance(cause, that.error):
                return ""
            return f"`{name}` raised {type(cause).__name__}, not {wanted}" if cause else str(error)
        return f"`{name}` returned; it was to raise {wanted}"

    def _other_estimator(self, that: Relation, scene: Scene) -> str:
        """The mean is right; is it the declared estimator? Its moments tell, where they can be listed or integrated: covariance
        and third moment of each coordinate. Two that have these in common are not told apart."""
        for q in that.sides:
            if not (isinstance(q, Mean) and q.code() and scene.route in (None, listed.NAME, integrated.NAME)):
                continue
            names = labels(q, self.world.parameters) or []
            moments = self._moments.setdefault(q, (Covariance(q.of, q.over), Mean(q.of * q.of * q.of, q.over)))
            for moment in moments:
                try:
                    if integrated.NAME in scene.used and _draws_alike(q, scene):
                        break
                    ours, theirs = (evaluate(moment, s) for s in (scene.without_answer(), scene))
                except (CodeError, Unsuitable):
                    return ""
                if said := _other_moment(moment, theirs, ours, names, scene.resolution):
                    return f"the mean is right, but this is another estimator: its {said}"
        return ""

    # ---- where a claim is checked -----------------------------------------------------------------------------------------

    def scene(self, claim: Claim, points: Points, answer: Answer) -> Scene:
        means = {q for q, _ in claim.quantities() if isinstance(q, Mean) and q.code()}
        sides = itertools.permutations(claim.that.sides, 2)
        return Scene(
            self.world,
            points,
            answer,
            resolution=claim.resolution,
            seed=self.seed,
            name=f"{self.name}/{claim.says}",
            samples=self.samples,
            away=self.away and partial(self.away, claim),
            tells=self.tells,
            means=max(1, len(means)),
            decisive=type(claim.that) is Equal and any(side in means and not other.code() for side, other in sides),
            memo=self.memo,
        )

    def formulas(self, q: Quantity) -> Formulas:
        return self.world.formulas(q)

    def _where_checked(self, claim: Claim, that: That) -> tuple[Points, int]:
        """The points, and how many were kept away from kinks."""
        if claim.at is not None:
            points = given(self.world.variables, claim.at, self.needed(claim), claim.says)
            if claim.where is not None:
                points = self.take(points, np.flatnonzero(self._fulfilled(claim.where, points)))
        else:
            points = self._fulfilling(claim.where)
        if claim.code() and not (claim.at is not None and any(_on_a_page(q) for q in that.sides)):
            points = self.image(points)
        if not len(points):
            return points, 0
        held, kept = self._about(claim, that, points)
        return self.take(points, np.flatnonzero(kept)), int((held & ~kept).sum())

    def _about(self, claim: Claim, that: That, points: Points) -> tuple[Any, Any]:
        """At which points a condition on the draws holds, and at which of these there is no kink: for some outcome."""
        scene = self.scene(claim, points, {})
        outcomes = _outcomes(that, claim.where, scene) if _chooses(that, claim.where, scene) else None
        held = _held(claim.where, scene, outcomes)
        if outcomes is not None:
            held = held & (outcomes.weights.value != 0)
        return held.any(axis=1), (held & _smooth(that, scene, outcomes)).any(axis=1)

    def _fulfilling(self, where: Relation | None) -> Points:
        if where is None:
            return self.points
        kept = self.take(self.points, np.flatnonzero(self._fulfilled(where, self.points)))
        return kept if len(kept) >= ENOUGH else self._make(("more", where), lambda: self._more(where, kept))

    def _more(self, where: Relation, kept: Points) -> Points:
        """Where a condition leaves few points, others are drawn until enough fulfil it, or it seems that none does."""
        for at in range(DRAWS):
            if len(kept) >= ENOUGH:
                break
            fresh = covering(self.world.variables, [], max(8, self.count), self.seed, f"{self.name}/more/{at}", more=False)
            good = np.flatnonzero(self._fulfilled(where, fresh))
            kept = stack([kept, fresh.take(good[: ENOUGH - len(kept)].tolist())]) if len(good) else kept
        return kept

    def _fulfilled(self, where: Relation, points: Points) -> Any:
        """At which points the condition holds, for some outcome where it has draws."""
        scene = Scene(self.world, points)
        outcomes = _outcomes(where, None, scene)
        held = _holds(where, _measured(where, scene, outcomes))
        return (held if outcomes is None else held & (outcomes.weights.value != 0)).any(axis=1)

    def image(self, points: Points) -> Points:
        return self._make(("image", points), points.image)

    def take(self, points: Points, keep: Sequence[int] | Any) -> Points:
        """The same points give the same batch, so that what was worked out at it is found again."""
        chosen = tuple(map(int, keep))
        return points if len(chosen) == len(points) else self._make(("take", points, chosen), lambda: points.take(chosen))

    def _make(self, key: Any, make: Callable[[], Points]) -> Points:
        if key not in self._once:
            self._once[key] = make()
        return self._once[key]

    def needed(self, claim: Claim) -> list[str]:
        """The variables that a claim and its condition depend on."""
        used: set[str] = set()
        sides = [*claim.that.sides, *(claim.where.sides if claim.where is not None else ())]
        leaves = [(leaf, _bundled(q)) for q in sides for leaf in q.leaves()]
        for leaf, bundled in [(claim.that.function, {})] if isinstance(claim.that, Raises) else leaves:
            if is_code(leaf):
                for symbols in self.world.asked(leaf, {**self.world.names, **bundled}).values():
                    used |= {symbols.name} if isinstance(symbols, Variable) else _homes(entries(symbols))
            else:
                used |= _homes(entries(leaf))
        return [n for n in self.world.variables if n in used]

    # ---- counterexamples --------------------------------------------------------------------------------------------------

    def _shrunk(self, claim: Claim, that: Relation, worst: Ruling, answer: Answer) -> Ruling:
        """The failing point, in steps towards simpler values while it still fails."""
        judge = self.anew()
        judge.samples = judge.away = judge.tells = None  # hundreds of points are tried
        names, point = self.needed(claim), worst.points.unrounded.take([worst.at])
        route = sampled.NAME if worst.route == sampled.NAME else None

        def ruled(tried: Points) -> Ruling | None:
            kept = tried.take(np.flatnonzero(self._allowed(claim, that, tried)).tolist())
            return judge._rule(claim, that, kept.image() if claim.code() else kept, answer, route, True) if len(kept) else None

        def fails(candidate: Points) -> Ruling | None:
            r = None
            with suppress(ProblemError):  # a function of the page's own may raise at 0, as an inverse does: that is no witness
                r = ruled(candidate)
            found = r and r.verdict is Verdict.REFUTED and r.left and math.isfinite(r.gap) == math.isfinite(worst.gap)
            return replace(r, points=candidate, removed=worst.removed, remark=worst.remark) if r and found else None

        def may_fail(group: Sequence[Points]) -> bool:
            """What holds at all of them at once holds at each."""
            try:
                r = ruled(stack(group))
            except ProblemError:
                return True
            return r is not None and r.verdict is not Verdict.AGREES

        cells = sum(point.exact[name].size for name in names)
        best, left, moved = worst, min(EVALUATIONS, max(GROUP, CELLS // max(cells, 1))), True
        while moved and left > 0:
            moved = False
            candidates = itertools.islice(simpler(point, names), left)
            for size in itertools.chain((1, 2, 4), itertools.repeat(GROUP)):
                group = list(itertools.islice(candidates, 1 if route else size))
                if not group:
                    break
                tried = group if len(group) == 1 or may_fail(group) else []
                n, found = next(((n, r) for n, c in enumerate(tried, start=1) if (r := fails(c))), (len(group), None))
                left -= n
                if found:
                    point, best, moved = group[n - 1], found, True
                    break
        return best

    def _allowed(self, claim: Claim, that: Relation, points: Points) -> Any:
        """At which points the claim is about something."""
        _, kept = self._about(claim, that, points)
        return kept if claim.where is None else kept & self._fulfilled(claim.where, points)

    def _difference(self, that: Relation, r: Ruling) -> str:
        if r.left is None or r.right is None:
            return r.note
        names = self._labels(that)
        where = f"{names[r.coordinate % len(names)]}: " if names and len(names) > 1 else ""
        words: dict[type, str] = {AtMost: "is larger than", Within: "lies outside", Differs: "equals"}
        if isinstance(that, Within) and that.bounds is not None:
            a, b = (float(e.value[r.at, r.coordinate]) for e in (r.left, r.right))
            words[Within] = "is less than" if a < b else "is larger than" if a > b else "lies outside the bound"
        place = (r.at, r.coordinate)
        left, right = (number(e, *place) for e in (r.left, r.right))
        rounded = [_plain(float(e.value[place])) for e in (r.left, r.right)]
        if max(len(str(left)), len(str(right))) > LONGEST and rounded[0] != rounded[1]:
            left, right = rounded
        by = [found[r.coordinate % len(found)] for q in that.sides if (found := labels(q, self.world.parameters))]
        other = f": the slope by {by[0]} beside that by {by[-1]}" if len(set(by)) > 1 else ""
        if left == right == "nan":
            return f"{where}neither side is a number"
        if left == right and type(that) in (Equal, AtMost) and 0 < r.gap < math.inf:
            return f"{where}both sides are {left} in floats, and differ beyond their digits"
        return f"{where}{left} {words.get(type(that), 'is not')} {right}{other}"

    def _labels(self, that: Relation) -> list[str] | None:
        return labels(that.left, self.world.parameters) or labels(that.right, self.world.parameters)

    def _shown(self, claim: Claim, that: Relation, r: Ruling) -> dict[str, Any]:
        """Both sides at one point: where it was decided, else the first where the left side is not zero. Of a claim about each
        outcome, at the one that was decided on, or has the largest number."""
        if r.left is None or r.right is None or r.measured is None:
            return {}
        decided, names, width = r.verdict in (Verdict.REFUTED, Verdict.UNDECIDED), self._labels(that), r.measured.width
        size = np.nan_to_num(np.abs(r.left.value))
        b = r.at if decided else int(np.argmax(size.any(axis=1)))
        far = r.coordinate if decided else int(np.argmax(size[b]))
        start = far - far % width
        one = range(start, start + width)
        return {
            "value": [number(r.left, b, i) for i in one],
            "radius": [float(r.left.radius[b, i]) for i in one],
            "expected": [number(r.right, b, i) for i in one],
            "labels": names and names * (width // len(names)),
            "point": r.points.witness(b, self.needed(claim)) | r.measured.drawn(b, far),
        }


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
    return _holds(where, _measured(where, scene, outcomes))


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
    for q, e in zip(that.sides, found, strict=True):
        _shaped(q, e, found, scene, outcomes)
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


def _shaped(q: Quantity, e: Estimate, both: Sequence[Estimate], scene: Scene, outcomes: Outcomes | None) -> None:
    """One number stands for many on a page, but an answer returns as many as the function it replaces."""
    count = e.shape[2]
    if not count:
        raise CodeError(None, EMPTY)
    if scene.answer and q.code() and len({x.shape[2] for x in both}) > 1:
        wanted = evaluate(q, scene.without_answer(), outcomes).shape[2]
        if count != wanted:
            here = f"{count} coordinate{'s' if count > 1 else ''} with this answer"
            raise CodeError(None, f"a side has {here}, and {wanted} with the page's own function.")


def _flat(e: Estimate, size: int, width: int, outcomes: Outcomes | None) -> Estimate:
    """As (points, outcomes x coordinates); an outcome that cannot happen is zero on both sides."""
    shape = (size, outcomes.count if outcomes else 1, width)
    e = e.map(lambda x: np.broadcast_to(x, shape).reshape(size, -1))
    if outcomes is None or (outcomes.weights.value != 0).all():
        return e
    can = np.broadcast_to((outcomes.weights.value != 0)[:, :, None], shape).reshape(size, -1)
    return Estimate(np.where(can, e.value, 0.0), np.where(can, e.radius, 0.0), e.evidence)


def _holds(where: Relation, m: Measured) -> Any:
    """For each point and outcome, whether the condition is known to hold."""
    beyond = (m.excess > m.slack).reshape(len(m.excess), -1, m.width)
    return beyond.any(axis=2) if isinstance(where, Differs) else (m.excess <= m.slack).reshape(beyond.shape).all(axis=2)


def _hidden(m: Measured) -> str:
    """What is said of two sides that are unlike, neither of them zero, where rounding explains all of both."""
    sides = [np.abs(e.value) for e in (m.left, m.right)]
    most = max(map(largest, sides))
    if not all(x.any() and (x <= m.slack).all() for x in sides) or largest(m.excess) <= COARSEST * most:
        return ""
    return f"both sides are at most {most:.0e}, where rounding hides even a wrong sign"


def _rounds(claim: Claim) -> bool:
    """Does its verdict hang on how well code is known?"""
    return bool(claim.code()) and type(claim.that) in (Equal, AtMost)


def _on_a_page(q: Quantity) -> bool:
    """Numbers that were written down, to be compared at the exact data."""
    return isinstance(q, Printed) or (isinstance(q, Exact) and all(e.is_number for e in entries(q.of)))


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


def number(e: Estimate, b: int, i: int) -> Any:
    """For a report: text where it is exact, else a float, or the name of what is not finite."""
    x = None if e.exact is None else e.exact[b, i]
    if x is not None and e.evidence is Evidence.EXACT:
        return written(x)
    value, radius = float(e.value[b, i]), float(e.radius[b, i])
    return 0.0 if (x is not None and contains_zero(x)) or abs(value) <= radius < NOUGHT else _plain(value)


def _count(r: Ruling) -> int:
    return 0 if r.points is None else len(r.points)


def _plain(x: float) -> Any:
    return x + 0.0 if math.isfinite(x) else "nan" if math.isnan(x) else "oo" if x > 0 else "-oo"


def _homes(expressions: Sequence[Any]) -> set[str]:
    """The variables in formulas and in the laws of their draws."""
    atoms = atoms_in(*expressions)
    draws = with_parents(a for a in atoms if isinstance(a, Random))
    return {a.home.name for a in [*atoms, *atoms_in(*(d.law for d in draws))] if not isinstance(a, Random)}


def _bundled(q: Quantity) -> dict[str, Any]:
    """The names that rows and copies define anywhere in a quantity."""
    over = getattr(q, "over", None)
    found = dict(over.names) if isinstance(over, Bundle) else {}
    for part in q.parts:
        if isinstance(part, Quantity):
            found |= _bundled(part)
    return found
