"""One claim, at the points of a problem: by every route that is asked for, with the smallest counterexample where it fails."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import sympy as sp
from flint import ctx

from . import declared, rounding
from .calculus import has
from .chance import forget
from .claims import AtMost, Claim, Differs, Equal, Raises, Relation, Within
from .corners import CORNERS
from .errors import CodeError, ProblemError, Unsuitable
from .estimate import Estimate, Evidence
from .evaluators import NAMES, Scene, World, evaluate, integrated, loose_atoms, proof, sampled, symbolic
from .expressions import lawful
from .measured import Measured, is_exact, measure, number, spelled
from .places import Places, defined, homes, needed, on_a_page
from .points import Points, simpler, stack
from .problem import Problem
from .quantities import Combined, Mean, Quantity, Value, labels
from .report import plain
from .rings import BITS, FINE_BITS, of_bits
from .symbols import bare, thaw
from .verdict import Ruling, Verdict, combine, compare, nowhere

EVALUATIONS = 200
APART = 8  # points, and as many where a side is not finite
CELLS = 5 * 10**5  # numbers that all points tried for a witness have together, unless one group of points has more
GROUP = 8
SAMPLED_POINTS = 4
SAMPLED_CODE = "leave it out, or sample code, as in Mean(Value(f))"
FULFIL = "give points that do, by at=Point(...) or corners=(Point(...),), or say what a variable is, as where=Equal(old, theta)"
WIDEN = "widen the space, or give points, by at=Point(...) or corners=(Point(...),)"
SPANNED = "claim what the slopes span there, as Within(Gradient(f), Hull(Gradient(J)))"
NO_NUMBER = "the formula is no number there: 0 log 0 counts for nothing inside E(...) alone"
NOWHERE = "neither side is a number here: choose a space, or symbols(..., positive=True), where both are"
OVERFLOWN = "both sides are too large for floats, where two that differ look alike: narrow the space"
LONGEST = 16  # characters of an exact number in a sentence, where its float says as much

Answer = Mapping[Any, Any]


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


class Judge:
    """A problem's points, and what was worked out at them."""

    def __init__(self, problem: Problem, seed: int, count: int | Points, proving: bool = True) -> None:
        forget()
        self.world: World = problem.bound
        self.proving = proving
        self.name, self.seed = problem.name, seed
        self.places = Places(problem, seed, count)
        self.on_file = bool(problem.path)
        self.wary = False  # is what rounding does to code looked at beside each point too?
        self.samples: int | None = None
        self.away: Callable[..., Iterable[Any]] | None = None
        self.tells: Callable[[int, int], None] | None = None
        self.memo: dict[Any, Any] = {}
        self._settled: dict[Any, Settled] = {}
        self._lawful_ones: set[Any] = set()

    @property
    def points(self) -> Points:
        return self.places.points

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
            try:
                settled = self._settle(claim, answer, strict, witness)
                if witness and not strict and self._by_luck(claim, settled.best, answer):
                    settled = self._warily()._settle(claim, answer, strict, witness)
            except ProblemError as error:
                raise ProblemError(f"{claim.says!r}: {error}") from error
            self._settled[key] = replace(settled, seconds=round(time.perf_counter() - start, 4))
        return self._settled[key]

    def _warily(self) -> Judge:
        judge = self.anew()
        judge.wary = True
        return judge

    def _by_luck(self, claim: Claim, best: Ruling, answer: Answer) -> bool:
        """Is code refuted where float32 came out near float64 by chance, or was not run, and rounding explains the gap?"""
        that, shown = claim.that, best.verdict is Verdict.REFUTED and best.left is not None and best.route != sampled.NAME
        if not shown or not math.isfinite(best.gap) or isinstance(that, Raises) or not rounding.matters(claim):
            return False
        here = best.points.take([best.at])
        here = here if any(on_a_page(q) for q in that.sides) else here.image()
        route = best.route if best.route in claim.routes else None
        aside = self._warily()._rule(claim, that, here, answer, route, strict=False)
        return aside.verdict is not Verdict.REFUTED and aside.left is not None

    def _settle(self, claim: Claim, answer: Answer, strict: bool, witness: bool) -> Settled:
        that = claim.that
        points, removed = self.places.of(claim, partial(self.scene, claim))
        if not len(points):
            why = f"every one lies on a kink: {SPANNED}" if removed else f"none fulfils the condition: {self._unfulfilled(claim)}"
            none = Ruling("points", Verdict.UNDECIDED, note=f"no point is left: {why}", removed=removed)
            return Settled((none,), none, none.note)
        if isinstance(that, Raises):
            return self._raises(claim, that, points, answer)
        rulings = [replace(r, removed=removed) for r in self._routes(claim, that, points, answer, strict)]
        best = combine(rulings)
        if best.verdict is Verdict.AGREES and (found := self._elsewhere(claim, that, answer, strict)):
            rulings, best = [found], found
        if best.verdict is Verdict.REFUTED:
            return self._refuted_at(claim, that, rulings, best, answer, witness)
        seen = next((r for r in [best, *rulings[::-1]] if r.left is not None), best)
        told = [best.remark or seen.remark, *(r.note for r in rulings if r.verdict is Verdict.AGREES)]
        if claim.routes and best.verdict is not Verdict.UNDECIDED:
            told += [f"{r.route} was not counted: {r.note}" for r in rulings if r.verdict is Verdict.UNDECIDED]
        best = replace(best, points=seen.points, left=seen.left, right=seen.right, measured=seen.measured)
        best = replace(best, remark="; ".join(filter(None, told)))
        reason = best.note if best.verdict is Verdict.UNDECIDED else ""
        where = None
        # Nothing is known at this point, or least by quadrature.
        if reason and best.points is not None and not (math.isfinite(best.slack) and integrated.NAME not in best.route):
            where = best.points.witness(best.at, needed(claim, self.world))
        return Settled(tuple(rulings), best, reason, where, self._shown(claim, that, best), _count(best))

    def _elsewhere(self, claim: Claim, that: Relation, answer: Answer, strict: bool) -> Ruling | None:
        """What refutes it at one of many more points: those where the sides, in floats, are farthest apart are looked at."""
        others = self.places.others(claim)
        if not others:
            return None
        try:
            m = measure(that, replace(self.scene(claim, others, answer), rough=True))
        except CodeError:
            return self._refuting(claim, that, others, answer, strict) if answer else None
        except (Unsuitable, ProblemError):
            return None
        with np.errstate(invalid="ignore"):
            room = claim.resolution * (1 + np.abs(m.right.value)) if claim.code() else m.slack
            far = (m.excess - room).max(axis=1)
        known = np.where(np.isfinite(far), far, -np.inf)
        largest = np.argsort(-known)[:APART]
        apart = [*largest[known[largest] > 0], *np.flatnonzero(~np.isfinite(far))[:APART]]
        there = others.take(apart)
        kept = self.places.allowed(claim, there, partial(self.scene, claim)) if apart else []
        return self._refuting(claim, that, there.take(kept), answer, strict) if kept else None

    def _refuting(self, claim: Claim, that: Relation, points: Points, answer: Answer, strict: bool) -> Ruling | None:
        found = self._rule(claim, that, points, answer, None, strict)
        return found if found.verdict is Verdict.REFUTED else None

    def _refuted_at(
        self, claim: Claim, that: Relation, rulings: list[Ruling], best: Ruling, answer: Answer, witness: bool
    ) -> Settled:
        """With the simplest point where it fails."""
        count = _count(best)
        if witness and claim.at is None and best.left is not None:
            simplest = self._shrunk(claim, that, best, answer)
            if simplest.route == best.route:  # then its gap is that of the two sides which are shown
                rulings = [simplest if r is best else r for r in rulings]
            best = simplest
        found = best.points.witness(best.at, needed(claim, self.world)) if best.points is not None else {}
        shown = self._shown(claim, that, best)
        return Settled(tuple(rulings), best, best.note or self._difference(that, best), found | best.drawn, shown, count)

    def _unfulfilled(self, claim: Claim) -> str:
        """What to write, where a condition says what a variable is and its space never holds that."""
        said = list(dict.fromkeys(atom.home for atom in defined(claim.where, self.world)))
        if claim.at is not None or not said or len(self.places.moved(claim.where, self.places.points)):
            return FULFIL
        return f"it gives {' or '.join(f'`{v.name}` what {v.over} does not hold' for v in said)}: {WIDEN}"

    def _routes(self, claim: Claim, that: Relation, points: Points, answer: Answer, strict: bool) -> list[Ruling]:
        proved = Ruling(proof.NAME, Verdict.PROVED)
        if not claim.routes:
            found = self._rule(claim, that, points, answer, None, strict)
            if not self.proving or (strict and found.verdict is Verdict.REFUTED):  # it was to be: no proof is looked for
                return [found]
            return [found] if self._unproved(claim, that, points, answer) else [proved, found]
        others = [r for r in claim.routes if r != proof.NAME]
        rulings: list[Ruling] = []
        if proof.NAME in claim.routes:
            unproved = self._unproved(claim, that, points, answer)
            rulings.append(replace(proved, verdict=Verdict.UNDECIDED, note=unproved) if unproved else proved)
            if (
                unproved
                and not others
                and (found := self._rule(claim, that, points, answer, None, strict)).verdict is Verdict.REFUTED
            ):
                rulings.append(found)
        return rulings + [self._rule(claim, that, points, answer, r, strict) for r in others]

    def _unproved(self, claim: Claim, that: Relation, points: Points, answer: Answer) -> str:
        """Why there is no proof."""
        formulas = [self.world.formulas(q) for q in that.sides]
        if type(that) is not Equal or claim.at is not None or None in formulas:
            return "no proof was found"
        left, right = (f or [] for f in formulas)
        failure = proof.failure(left, right, self.scene(claim, points, answer), defined(claim.where, self.world))
        if not failure:
            here, known = (self.points, self._lawful_ones) if claim.where is None else (points, set[Any]())
            lawful([*left, *right], here.rows, here.columns, known)
        return failure

    def _rule(self, claim: Claim, that: Relation, points: Points, answer: Answer, route: str | None, strict: bool) -> Ruling:
        """What one route says, or that it does not apply, where others did all the work."""
        if route == sampled.NAME:
            points = self.places.take(points, range(min(SAMPLED_POINTS, len(points))))
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
            instead = SAMPLED_CODE if route == sampled.NAME and not claim.code() else "leave it out"
            return replace(ruling, route=route, verdict=Verdict.UNDECIDED, note=f"by='{route}' does not apply here: {instead}")
        return replace(ruling, route=route, verdict=Verdict.UNDECIDED, note=f"it does not apply: {ruling.route} answers here")

    def _ruled(self, claim: Claim, that: Relation, scene: Scene, strict: bool) -> Ruling:
        route, points = scene.route, scene.points
        try:
            if claim.at is not None and not strict:
                self._given_numbers(that, scene)
            m = measure(that, scene, claim.where, smooth=True)
            if self.wary and rounding.matters(claim) and sampled.NAME not in scene.used:
                m = rounding.scattered(claim, that, m, scene)
        except Unsuitable as reason:
            return Ruling(route or "none", Verdict.UNDECIDED, note=str(reason))
        except CodeError as error:
            if scene.answer:
                return Ruling(route or "called", Verdict.REFUTED, note=str(error))
            raise ProblemError(str(error)) from error
        if isinstance(that, Differs):
            blank = Ruling(_used(scene), Verdict.UNDECIDED, remark=m.left_out, left=m.left, right=m.right, points=points)
            return m.apart(claim.resolution, replace(blank, measured=m))
        if strict and not claim.code():
            m = m.defined()
        ruling = self._compared(claim, that, m, scene, strict)
        if ruling.verdict is Verdict.AGREES and not claim.code() and (finer := self._finer(claim, that, m, scene, strict)):
            return finer
        match ruling.verdict:
            case Verdict.UNDECIDED:
                return self._doubt(claim, that, ruling, scene)
            case Verdict.REFUTED:
                return self._refuted(claim, that, ruling, scene, strict)
            case _:
                return replace(ruling, remark=self._remark(claim, that, ruling, scene))

    def _compared(self, claim: Claim, that: Relation, m: Measured, scene: Scene, strict: bool) -> Ruling:
        """What the numbers say."""
        faint = bool(claim.code()) and not strict and not any(on_a_page(q) for q in that.sides)
        # Samples resolve an error of the whole resolution: none has room beside their radius.
        unseen, blur = (m.slack, m.blur / sampled.RESOLVES) if m.sampled else (0.0, m.blur)
        judged = partial(compare, m.excess, m.left, m.right, m.slack, blur, claim.resolution, formulas=not claim.code())
        verdict, at, gap, room, remark = judged(faint=claim.resolution - unseen if faint else 0.0)
        if faint and verdict is Verdict.AGREES and remark:
            verdict, at, gap, room, remark = judged(faint=rounding.faint(claim, that, m, scene) - unseen)
        if isinstance(that, Within):  # a set has room that is no doubt
            room = float(m.blur[at])
        remark = "; ".join(filter(None, (remark, m.left_out)))
        drawn = m.drawn(*at)
        return Ruling(_used(scene), verdict, gap, room, at[0], at[1], "", remark, m.left, m.right, scene.points, 0, drawn, m)

    def _refuted(self, claim: Claim, that: Relation, ruling: Ruling, scene: Scene, strict: bool) -> Ruling:
        """With what sets the sides apart; what was to be refuted must be so by more than is looked at."""
        m, size = ruling.measured, abs(float(ruling.measured.right.value[ruling.place]))
        rest = ruling.gap - claim.resolution * size
        if strict and rest <= claim.resolution and rest <= rounding.faint(claim, that, m, scene):
            note = f"the sides differ by {ruling.gap:.1e} only, less than the resolution"
            return replace(ruling, verdict=Verdict.UNDECIDED, note=note)
        hints = [*scene.notes, self._no_number(that, ruling), *([rounding.single(ruling.gap, size)] if claim.code() else [])]
        hint = next(filter(None, hints), "")
        return replace(ruling, note=f"{self._difference(that, ruling)}; {hint}") if hint else ruling

    def _no_number(self, that: Relation, r: Ruling) -> str:
        """The hint where a formula of the page with a logarithm in it has no value, as that of a chance of 0 has none."""
        sides = zip(that.sides, (r.left, r.right), strict=False)
        unknown = [self.world.formulas(q) for q, e in sides if e is not None and np.isnan(e.value[r.place])]
        return NO_NUMBER if any(e is not None and any(has(bare(x), sp.log) for x in e) for e in unknown) else ""

    def _remark(self, claim: Claim, that: Relation, ruling: Ruling, scene: Scene) -> str:
        """What a reader should know of two sides that agree."""
        m = ruling.measured
        hidden = rounding.hidden(m) if claim.code() and type(that) is Equal and not m.sampled else ""
        other = declared.another(that, scene) if scene.answer else ""
        conditional = [note for note in dict.fromkeys(scene.notes) if "conditional" in note]
        return "; ".join(filter(None, (ruling.remark, hidden, other, *conditional)))

    def _doubt(self, claim: Claim, that: Relation, ruling: Ruling, scene: Scene) -> Ruling:
        """With why nothing is known, where least is, and what helps."""
        m, at, room = ruling.measured, ruling.place, ruling.slack
        if not claim.code() and nowhere(m.left, m.right)[at]:
            return replace(ruling, note=NOWHERE)
        half = "half " if m.sampled else ""
        wide = f"known only to {room:.1e}, wider than {half}the resolution {claim.resolution:.0e}"
        if not math.isfinite(room):
            large = np.isinf(m.left.value[at]) and m.left.value[at] == m.right.value[at]
            wide = OVERFLOWN if large else [*scene.near, "its radius is not finite"][0]
        advice, row = self._advice(claim, that, m, scene, at, room)
        return replace(ruling, note=": ".join(filter(None, (wide, advice))), at=row)

    def _advice(
        self, claim: Claim, that: Relation, m: Measured, scene: Scene, at: tuple[int, ...], room: float
    ) -> tuple[str, int]:
        """What helps a claim that is known too badly, by the side that is, and the point at which it is known worst."""
        sides = list(zip(that.sides, (m.left, m.right), strict=False))
        rest = {q: float(e.radius[at]) for q, e in sides if e.evidence is not Evidence.SAMPLED}
        still = sum(rest.values())
        left = sampled.HALF * claim.resolution * (1 + abs(float(m.right.value[at]))) - still
        if left > 0 and (draws := sampled.draws_for((room - still) / left, scene)):
            return f"it takes about {draws} draws (--samples), or a coarser resolution=", at[0]
        if integrated.NAME not in scene.used or not math.isfinite(room) or not rest:
            return "", at[0]
        q = max(rest, key=lambda side: rest[side])
        formulas, alone = self.world.formulas(q), self._alone(q, scene)
        row = int(np.argmax(alone)) if alone else at[0]
        if formulas is None and self._is_heavy(q, replace(scene.at(scene.points.take([row])).anew(), route=None)):
            return f"its tails are heavy: {'narrow the space' if claim.at is None else 'give another point'}", row
        if formulas is not None and not any(has(thaw(bare(e)), *CORNERS) for e in formulas):
            return "narrow the space, or write it in another form", row
        drawn = formulas is None and scene.route != sampled.NAME and any(isinstance(part, Mean) for part, _ in q.walk())
        other = "write by='sampled' on the claim" if drawn else "write it in another form"
        known = min(alone, default=room) <= claim.resolution
        narrow = "other points are known by themselves: narrow the space, or " if known else ""
        if formulas is not None and any(has(e, sp.Integral) for e in formulas):
            return f"{narrow}write an Integral for each side of its kinks and jumps", row
        return f"{narrow}name its kinks and jumps, Draw(..., breaks=(...)), or {other}", row

    def _alone(self, q: Quantity, scene: Scene) -> list[float]:
        """How far off a side is at each point by itself: what quadrature misses at one puts all in doubt."""
        each = (scene.at(scene.points.take([b])).anew() for b in range(len(scene.points)))
        with suppress(CodeError, Unsuitable, ProblemError):
            return [float(np.nan_to_num(evaluate(q, here).radius, nan=np.inf).max()) for here in each]
        return []

    def _is_heavy(self, q: Quantity, scene: Scene) -> bool:
        """May what it is a mean of have an infinite variance? Samples know no better then."""
        with suppress(CodeError, Unsuitable):
            means = [part for part, _ in q.walk() if isinstance(part, Mean) and part.code()]
            return not all(np.isfinite(evaluate(Mean(mean.of * mean.of, mean.over), scene).radius).all() for mean in means)
        return False

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
        with of_bits(FINE_BITS):
            found = self._ruled(claim, that, replace(scene.anew(), points=one, memo={}), strict)
        return found if found.verdict is Verdict.REFUTED else None

    def _given_numbers(self, that: Relation, scene: Scene) -> None:
        """A formula of the page that is no number at the data which the page gives is the page's mistake, and no answer's."""
        for q in itertools.chain(*map(self._formulas_in, that.sides)):
            formulas = self.world.formulas(q) or []
            if loose_atoms(q, scene) or not symbolic.applies(formulas):
                continue
            if (void := np.isnan(evaluate(q, replace(scene.anew(), route=None)).value)).any():
                e = formulas[int(np.argwhere(void)[0, -1])]
                at = ", ".join(f"{k} = {plain(x)}" for k, x in scene.points.witness(0, [*homes([e])]).items())
                wanted = "give a point where it is one, or claim NonFinite(...) of it."
                raise ProblemError(f"`{e}` is no number{at and f' at {at}'}: {wanted}")

    def _formulas_in(self, q: Quantity) -> Iterable[Quantity]:
        if self.world.formulas(q) is not None:
            yield q
        elif isinstance(q, Combined):
            yield from itertools.chain(*map(self._formulas_in, q.parts))

    def _raises(self, claim: Claim, that: Raises, points: Points, answer: Answer) -> Settled:
        """At each point on its own: the first that does not raise refutes."""
        names, wanted = needed(claim, self.world), that.error.__name__
        for b in range(len(points) if names else 1):
            here = self.places.take(points, [b])
            if note := self._returned(that, self.scene(claim, here, answer), wanted):
                ruling = Ruling("called", Verdict.REFUTED, note=note, points=here)
                return Settled((ruling,), ruling, note, here.witness(0, names), points=len(points))
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

    def scene(self, claim: Claim, points: Points, answer: Answer | None = None) -> Scene:
        means = {q for q, _ in claim.quantities() if isinstance(q, Mean) and q.code()}
        sides = itertools.permutations(claim.that.sides, 2)
        return Scene(
            self.world,
            points,
            answer or {},
            resolution=claim.resolution,
            seed=self.seed,
            name=f"{self.name}/{claim.says}",
            samples=self.samples,
            away=self.away and partial(self.away, claim),
            tells=self.tells,
            alone=bool(answer) or not self.on_file,
            means=max(1, len(means)),
            decisive=type(claim.that) is Equal and any(side in means and not other.code() for side, other in sides),
            memo=self.memo,
        )

    # ---- counterexamples --------------------------------------------------------------------------------------------------

    def _shrunk(self, claim: Claim, that: Relation, worst: Ruling, answer: Answer) -> Ruling:
        """The failing point, in steps towards simpler values while it still fails."""
        judge = self.anew()
        judge.samples = judge.away = judge.tells = None  # hundreds of points are tried
        names, point = needed(claim, self.world), worst.points.unrounded.take([worst.at])
        route = sampled.NAME if worst.route == sampled.NAME else None

        def ruled(tried: Points) -> Ruling | None:
            kept = tried.take(self.places.allowed(claim, tried, partial(self.scene, claim)))
            return judge._rule(claim, that, kept.image() if claim.code() else kept, answer, route, True) if len(kept) else None

        def proposed(point: Points) -> Iterator[Points]:
            for candidate in simpler(point, names):
                moved = self.places.moved(claim.where, candidate)
                if len(moved) and any((moved.exact[name] != point.exact[name]).any() for name in names):
                    yield moved

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
            candidates = itertools.islice(proposed(point), left)
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

    def _difference(self, that: Relation, r: Ruling) -> str:
        if r.left is None or r.right is None:
            return r.note
        names = self._labels(that)
        where = f"{names[r.coordinate % len(names)]}: " if names and len(names) > 1 else ""
        words: dict[type, str] = {AtMost: "is larger than", Within: "lies outside", Differs: "equals"}
        if isinstance(that, Within) and that.bounds is not None:
            a, b = (float(e.value[r.place]) for e in (r.left, r.right))
            words[Within] = "is less than" if a < b else "is larger than" if a > b else "lies outside the bound"
        left, right = (number(e, *r.place) for e in (r.left, r.right))
        rounded = [spelled(float(e.value[r.place])) for e in (r.left, r.right)]
        if rounded[0] != rounded[1]:
            left, right = (y if len(x) > LONGEST else x for x, y in zip(map(str, (left, right)), rounded, strict=True))
        if isinstance(that, Within) and that.bounds is None:
            right = _interval(r.right, r.place)
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
            "radius": [0.0 if is_exact(r.left, b, i) else float(r.left.radius[b, i]) for i in one],
            "expected": [number(r.right, b, i) for i in one],
            "labels": names and names * (width // len(names)),
            "point": r.points.witness(b, needed(claim, self.world)) | r.measured.drawn(b, far),
        }


def _interval(hull: Estimate, place: tuple[int, int]) -> str:
    """Its ends without the room for rounding, which begins at the tenth digit."""
    middle, half = float(hull.value[place]), float(hull.radius[place])
    low, high = (f"{x:.7g}" for x in (middle - half, middle + half))
    return low if low == high else f"[{low}, {high}]"


def _used(scene: Scene) -> str:
    return " + ".join(sorted(scene.used, key=NAMES.index)) or "exact"


def _count(r: Ruling) -> int:
    return 0 if r.points is None else len(r.points)
