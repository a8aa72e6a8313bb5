"""The only loop over claims. Command line, plugin, grader and reports all call it."""
from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from .claims import Claim, Differs, Equal, Erratum, Mistake, Raises, Relation, Within
from .derivation import Derivation
from .errors import CodeError, InputError, ProblemError, Unsuitable, did_you_mean
from .estimate import Estimate, Evidence, Floats
from .evaluators import Scene, World, autodiff, evaluate, hull, integrated, listed, loose_atoms, proof, random_atoms, sampled
from .evaluators.scene import Outcomes
from .laws import with_parents
from .points import Points, drawn, generator, given, simpler
from .problem import Problem, slug
from .quantities import Covariance, Exact, Gradient, Hull, Mean, Printed, Quantity, Trace, is_code, labels, lowered
from .report import BlindSpot, Caught, Chain, Flow, Form, Line, Report, Route
from .rings import written
from .symbols import Atom, Variable, entries
from .verdict import Ruling, Verdict, combine, compare

EVALUATIONS = 200
SAMPLED_POINTS = 4
FEW = 16

Answer = Mapping[Any, Any]
Progress = Callable[[int, int, str], None]


def check(
    problem: Problem, answer: Answer | None = None, seed: int = 0, points: int | None = None, only: Collection[str] | None = None,
    progress: Progress | None = None, timed: bool = True,
) -> Report:
    """Every claim of a problem, for its own functions or for an answer {reference function: replacement}."""
    start = time.perf_counter()
    run = _Run(problem, dict(answer or {}), seed, problem.points if points is None else points, progress, timed)
    _check_answer(problem, run.answer)
    chosen = run.chosen(only)
    lines = [run.line(name, item) for name, item in chosen if not isinstance(item, Mistake)]
    lines = [one for group in lines for one in group]
    mistakes = [run.caught(name, item) for name, item in chosen if isinstance(item, Mistake)]
    whole = not run.answer and only is None
    return Report(
        problem=problem.id or slug(problem.title), title=problem.title, about=problem.about, seed=seed, versions=versions(),
        elapsed_s=run.seconds(start), claims=tuple(lines), mistakes=tuple(mistakes),
        blind_spots=tuple(run.blind_spots()) if whole else (), derivations=tuple(run.chains()) if only is None else (),
        flow=tuple(run.flows()) if only is None else (), answer=[getattr(f, "__name__", str(f)) for f in run.answer],
        replay=f"python -m gradcheck_rl {problem.id or 'FILE'} --seed {seed}",
    )


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("gradcheck_rl", "sympy", "numpy", "torch", "python-flint"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _check_answer(problem: Problem, answer: Answer) -> None:
    known = problem.functions
    for f, replacement in answer.items():
        name = getattr(f, "__name__", str(f))
        if f not in known.values():
            raise InputError(f"`{name}` is no function of {problem.title!r}; it has {', '.join(known) or 'none'}.{did_you_mean(name, known)}")
        if not is_code(replacement):
            raise InputError(f"the answer for `{name}` is {type(replacement).__name__}, not a function: write {{{name}: my_function}}.")


@dataclass(eq=False)
class _Run:
    problem: Problem
    answer: dict[Any, Any]
    seed: int
    count: int
    progress: Progress | None
    timed: bool

    def __post_init__(self) -> None:
        self.world: World = self.problem.bound
        self.name = self.problem.id or slug(self.problem.title)
        self.points = drawn(self.world.variables, self.problem.corners, self.count, self.seed, self.name)
        self.memo: dict[Any, Any] = {}
        self.keep: dict[Any, Points] = {}
        self.settled: dict[Any, _Settled] = {}
        self.runs: dict[Problem, _Run] = {}
        self.done = 0

    def seconds(self, start: float) -> float:
        return round(time.perf_counter() - start, 4) if self.timed else 0.0

    def chosen(self, only: Collection[str] | None) -> list[tuple[str, Any]]:
        items = list(self.problem.names.items())
        if self.answer:
            items = [(n, i) for n, i in items if isinstance(i, Claim) and i.reaches(self.answer)]
        if only is not None:
            wanted = set(only)
            sources = {s.strip() for _, i in items for s in i.source.split(",")}
            known = {n for n, _ in items} | sources
            for w in wanted:
                if w not in known:
                    raise InputError(f"{self.problem.title!r} has no claim `{w}`.{did_you_mean(w, known)}")
            items = [(n, i) for n, i in items if n in wanted or wanted & {s.strip() for s in i.source.split(",")}]
        self.total = len(items)
        return items

    # ---- one entry of the page --------------------------------------------------------------------------------------------

    def line(self, name: str, item: Claim | Erratum | Derivation) -> list[Line]:
        if isinstance(item, Derivation):
            run = self._run_of(Problem(title=item.title, claims=item.claims, id=f"{self.name}/{name}"))
            return [self._line(f"{name}.{n}", c, "step", run.settle(c, {})) for n, c in enumerate(item.claims, start=1)]
        if isinstance(item, Erratum):
            return [self._erratum(name, item)]
        return [self._line(name, item, "claim", self.settle(item, self.answer), self._other_sizes(name))]

    def _line(self, name: str, claim: Claim, kind: str, settled: _Settled, sizes: Mapping[str, str] | None = None) -> Line:
        best = settled.best
        verdict, reason = best.verdict, settled.reason
        bad = [k for k, v in (sizes or {}).items() if v not in ("proved", "agrees")]
        if bad and verdict in (Verdict.PROVED, Verdict.AGREES):
            verdict = Verdict.REFUTED if any((sizes or {})[k] == "refuted" for k in bad) else Verdict.UNDECIDED
            reason = f"it does not hold at {', '.join(bad)}"
        self._tick(claim.says)
        return Line(
            id=name, says=claim.says, kind=kind, source=claim.source, verdict=verdict.word, ok=verdict in (Verdict.PROVED, Verdict.AGREES),
            routes=tuple(_route(r) for r in settled.rulings), reason=reason, remark=best.remark, resolution=claim.resolution,
            evidence=best.evidence.word if best.left is not None else Evidence.EXACT.word, points=len(best.points) if best.points is not None else 0,
            removed=best.removed, sizes=dict(sizes or {}), elapsed_s=settled.seconds if self.timed else 0.0, witness=settled.witness, **settled.shown,
        )

    def _erratum(self, name: str, erratum: Erratum) -> Line:
        settled = self.settle(erratum.stated, self.answer, strict=True)
        right = self.settle(erratum.instead, self.answer)
        line = self._line(name, erratum.stated, "erratum", settled)
        holds = right.best.verdict in (Verdict.PROVED, Verdict.AGREES)
        reason = line.reason
        if settled.best.verdict is not Verdict.REFUTED:
            reason = f"it was to be refuted, and is not: {line.reason}" if line.reason else "it was to be refuted, and is not"
        elif not holds:
            reason = f"refuted, but the line given instead does not hold: {erratum.instead.says} {right.reason}"
        return replace(line, ok=settled.best.verdict is Verdict.REFUTED and holds, correction=erratum.instead.says, reason=reason)

    def _other_sizes(self, name: str) -> dict[str, str]:
        """The same claim on the page at other sizes, where it is about every point."""
        out: dict[str, str] = {}
        for sizes, other in self.problem.also:
            claim = other.names.get(name)
            if isinstance(claim, Claim) and claim.at is None:
                run = self._run_of(other)
                label = ", ".join(f"{k} = {n}" for k, n in sizes.items())
                by_name = other.functions
                answer = {by_name[f.__name__]: g for f, g in self.answer.items() if f.__name__ in by_name}
                out[label] = run.settle(claim, answer).best.verdict.word
        return out

    def _run_of(self, other: Problem) -> _Run:
        if other not in self.runs:
            self.runs[other] = _Run(other, {}, self.seed, max(3, self.count // 3), None, self.timed)
        return self.runs[other]

    def caught(self, name: str, mistake: Mistake) -> Caught:
        settled = self.settle(mistake.breaks, dict(mistake.answer), witness=False)
        found = settled.best.verdict is Verdict.REFUTED
        claim = next((n for n, item in self.problem.names.items() if item is mistake.breaks), slug(mistake.breaks.says))
        self._tick(mistake.says)
        reason = settled.reason if found else f"{claim} {settled.best.verdict.word} with it"
        return Caught(name, mistake.says, claim, found, [claim] if found else [], reason, settled.witness, settled.shown.get("value"))

    def _tick(self, says: str) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, max(self.total, self.done), says)

    # ---- one claim --------------------------------------------------------------------------------------------------------

    def settle(self, claim: Claim, answer: Answer, strict: bool = False, witness: bool = True) -> _Settled:
        key = (claim, frozenset(answer.items()))
        if key not in self.settled:
            start = time.perf_counter()
            settled = self._settle(claim, answer, strict, witness)
            self.settled[key] = replace(settled, seconds=round(time.perf_counter() - start, 4))
        return self.settled[key]

    def _settle(self, claim: Claim, answer: Answer, strict: bool, witness: bool) -> _Settled:
        if isinstance(claim.that, Raises):
            return self._raises(claim, claim.that, answer)
        that = claim.that
        points, removed = self._points(claim, that)
        if not len(points):
            none = Ruling("points", Verdict.UNDECIDED, note="no point is left: every one lies on a kink or outside the condition")
            return _Settled([none], none.note)
        rulings: list[Ruling] = []
        formulas = [lowered(q, self.world.parameters, self.world.names) for q in that.sides]
        if self._provable(claim, that, formulas):
            scene = self._scene(claim, points, answer)
            if proof.proves(formulas[0] or [], formulas[1] or [], scene):
                rulings.append(Ruling(proof.NAME, Verdict.PROVED))
        for route in [r for r in claim.routes if r != proof.NAME] or ([None] if proof.NAME not in claim.routes or not rulings else []):
            rulings.append(replace(self._rule(claim, that, points, answer, route, strict), removed=removed))
        best = combine(rulings)
        if best.verdict is Verdict.PROVED and len(rulings) > 1:
            best = replace(best, points=rulings[-1].points, removed=removed, left=rulings[-1].left, right=rulings[-1].right)
        shown = self._shown(that, rulings[-1] if best.left is None else best)
        if best.verdict is not Verdict.REFUTED:
            return _Settled(rulings, best.note if best.verdict is Verdict.UNDECIDED else "", best=best, shown=shown)
        if witness and claim.at is None and best.left is not None:
            best = self._shrunk(claim, that, best, answer, strict)
            shown = self._shown(that, best)
        names = self._needed(claim)
        found = best.points.witness(best.at, names) if best.points is not None else None
        return _Settled(rulings, best.note or self._difference(that, best), best=best, witness=found, shown=shown)

    def _provable(self, claim: Claim, that: Relation, formulas: Sequence[Any]) -> bool:
        wanted = not claim.routes or proof.NAME in claim.routes
        return wanted and type(that) is Equal and claim.at is None and claim.where is None and all(f is not None for f in formulas)

    def _scene(self, claim: Claim, points: Points, answer: Answer) -> Scene:
        return Scene(self.world, points, answer, resolution=claim.resolution, seed=self.seed, name=f"{self.name}/{claim.says}", memo=self.memo)

    def _points(self, claim: Claim, that: Relation) -> tuple[Points, int]:
        """Where the claim is checked, and how many points were kept away from kinks."""
        code = bool(claim.code())
        page = claim.at is not None and any(isinstance(q, Printed) or (isinstance(q, Exact) and all(e.is_number for e in entries(q.of))) for q in that.sides)
        if claim.at is not None:
            points = given(self.world.variables, claim.at, self._needed(claim))
        else:
            points = self._where(claim)
        if code and not page:
            points = self._image(points)
        if claim.at is not None or isinstance(that, Within):
            return points, 0
        removed = np.zeros(len(points), dtype=bool)
        for q in that.sides:
            formulas = lowered(q, self.world.parameters, self.world.names)
            if formulas is not None and hull.has_kinks([e.doit() for e in formulas]):
                key = (q, points, "kinks")
                if key not in self.memo:
                    self.memo[key] = hull.kinked(formulas, Scene(self.world, points))
                removed |= self.memo[key]
        if not removed.any():
            return points, 0
        return self._take(points, np.flatnonzero(~removed)), int(removed.sum())

    def _image(self, points: Points) -> Points:
        return self._once(("image", points), points.image)

    def _take(self, points: Points, keep: Any) -> Points:
        return points if len(keep) == len(points) else self._once(("take", points, tuple(map(int, keep))), lambda: points.take(keep))

    def _once(self, key: Any, make: Callable[[], Points]) -> Points:
        if key not in self.keep:
            self.keep[key] = make()
        return self.keep[key]

    def _where(self, claim: Claim) -> Points:
        if claim.where is None:
            return self.points
        scene = Scene(self.world, self.points)
        excess, _, _, slack, _ = measure(claim.where, scene)
        scale = (excess <= slack).all(axis=1)
        if isinstance(claim.where, Differs):
            scale = (excess > slack).any(axis=1)
        return self._take(self.points, np.flatnonzero(scale))

    def _rule(self, claim: Claim, that: Relation, points: Points, answer: Answer, route: str | None, strict: bool) -> Ruling:
        if route == sampled.NAME:
            points = self._take(points, range(min(SAMPLED_POINTS, len(points))))
        scene = self._scene(claim, points, answer)
        scene.route = route
        try:
            excess, a, b, slack, blur = measure(that, scene)
        except Unsuitable as reason:
            return Ruling(route or "none", Verdict.UNDECIDED, note=str(reason))
        except CodeError as error:
            if answer:
                return Ruling("autodiff", Verdict.REFUTED, note=str(error))
            raise ProblemError(str(error)) from error
        name = " + ".join(scene.used) or route or "exact"
        code = bool(claim.code()) and claim.at is None
        if isinstance(that, Differs):
            verdict, at, gap, room = _differ(excess, slack, b, claim.resolution)
            return Ruling(name, verdict, gap, room, at[0], at[1], left=a, right=b, points=points)
        verdict, at, gap, room, remark = compare(excess, a, b, slack, blur, claim.resolution, code and not strict)
        note = ""
        if strict and verdict is Verdict.REFUTED and gap <= claim.resolution * (1 + abs(float(b.value[at]))):
            verdict, note = Verdict.UNDECIDED, f"the sides differ by {gap:.1e} only, less than the resolution"
        if verdict is Verdict.UNDECIDED and not note:
            note = f"known only to {room:.1e}, wider than the resolution {claim.resolution:.0e}" if math.isfinite(room) else "its radius is not finite"
        hints = list(dict.fromkeys(scene.notes))
        if answer and verdict is Verdict.AGREES and (other := self._other_estimator(that, scene)):
            remark = "; ".join(filter(None, (remark, other)))
        if verdict is Verdict.REFUTED and hints:
            note = f"{self._difference(that, Ruling(name, verdict, gap, room, at[0], at[1], left=a, right=b))}; {hints[0]}"
        elif hints:
            conditional = [h for h in hints if "kurtosis" in h]
            remark = "; ".join(filter(None, (remark, *conditional)))
        return Ruling(name, verdict, gap, room, at[0], at[1], note, remark, a, b, points)

    def _other_estimator(self, that: Relation, scene: Scene) -> str:
        """The mean is right; is it the declared estimator? Its exact variance tells, where it can be listed or integrated."""
        for q in that.sides:
            if isinstance(q, Mean) and q.code() and scene.route in (None, listed.NAME, integrated.NAME):
                spread = Trace(Covariance(q.of, q.over))
                try:
                    ours, theirs = (evaluate(spread, s).value[:, 0, 0] for s in (scene.without_answer(), replace(scene, notes=[])))
                except (CodeError, Unsuitable):
                    return ""
                gap = np.abs(theirs - ours)
                if (gap > scene.resolution * (1 + ours)).any():
                    b = int(np.argmax(gap / (1 + ours)))
                    return f"the mean is right, but this is another estimator: its variance is {theirs[b]:.4g} where the declared one has {ours[b]:.4g}"
        return ""

    def _raises(self, claim: Claim, that: Raises, answer: Answer) -> _Settled:
        points = given(self.world.variables, claim.at, []) if claim.at is not None else self._take(self.points, [0])
        scene = self._scene(claim, points, answer)
        code = scene.resolve(that.function)
        name = that.error.__name__
        from .quantities import Value

        try:
            evaluate(Value(that.function), scene)
        except CodeError as error:
            cause = error.__cause__
            found = isinstance(cause, that.error)
            note = "" if found else f"`{code.__name__}` raised {type(cause).__name__}, not {name}" if cause else str(error)
        else:
            found, note = False, f"`{code.__name__}` returned; it was to raise {name}"
        ruling = Ruling("called", Verdict.AGREES if found else Verdict.REFUTED, note=note, points=points)
        return _Settled([ruling], note, best=ruling)

    # ---- counterexamples --------------------------------------------------------------------------------------------------

    def _shrunk(self, claim: Claim, that: Relation, worst: Ruling, answer: Answer, strict: bool) -> Ruling:
        """The failing point, one entry at a time towards simpler values while it still fails."""
        names = [n for n in self._needed(claim) if n in self.world.variables]
        point = worst.points.take([worst.at])
        best, left = worst, EVALUATIONS
        code = bool(claim.code())
        moved = True
        while moved and left > 0:
            moved = False
            for candidate in simpler(point, names):
                if left <= 0:
                    break
                left -= 1
                if not self._allowed(claim, candidate):
                    continue
                tried = candidate.image() if code else candidate
                ruling = self._rule(claim, that, tried, answer, worst.route if worst.route in (sampled.NAME,) else None, True)
                if ruling.verdict is Verdict.REFUTED and ruling.left is not None and ruling.gap > 0 and math.isfinite(ruling.gap) == math.isfinite(worst.gap):
                    point, best, moved = candidate, replace(ruling, points=candidate, removed=worst.removed), True
                    break
        return best if best is not worst else replace(worst, points=worst.points)

    def _allowed(self, claim: Claim, point: Points) -> bool:
        if claim.where is not None:
            excess, _, _, slack, _ = measure(claim.where, Scene(self.world, point))
            if isinstance(claim.where, Differs):
                return bool((excess > slack).any())
            if not (excess <= slack).all():
                return False
        if isinstance(claim.that, Within) or not isinstance(claim.that, Relation):
            return True
        for q in claim.that.sides:
            formulas = lowered(q, self.world.parameters, self.world.names)
            if formulas is not None and hull.has_kinks(formulas) and hull.kinked(formulas, Scene(self.world, point)).any():
                return False
        return True

    def _needed(self, claim: Claim) -> list[str]:
        """The variables a claim depends on."""
        used: set[str] = set()
        relation = claim.that
        sides: list[Quantity] = list(relation.sides) if isinstance(relation, Relation) else []
        for q in sides:
            for leaf in q.leaves():
                if is_code(leaf):
                    for symbols in self.world.asked(leaf, {**self.world.names, **_bundled(q)}).values():
                        used |= {symbols.name} if isinstance(symbols, Variable) else _homes(entries(symbols))
                else:
                    used |= _homes(entries(leaf))
        return [n for n in self.world.variables if n in used]

    def _difference(self, that: Relation, r: Ruling) -> str:
        if r.left is None or r.right is None:
            return r.note
        names = labels(that.left, self.world.parameters) or labels(that.right, self.world.parameters)
        where = f"{names[r.coordinate % len(names)]}: " if names and len(names) > 1 else ""
        relation = {"AtMost": "is larger than", "Within": "lies outside", "Differs": "equals"}.get(type(that).__name__, "is not")
        return f"{where}{_number(r.left, r.at, r.coordinate)} {relation} {_number(r.right, r.at, r.coordinate)}"

    def _shown(self, that: Relation, r: Ruling) -> dict[str, Any]:
        if r.left is None or r.right is None:
            return {}
        b = r.at if r.verdict in (Verdict.REFUTED, Verdict.UNDECIDED) else 0
        n = r.left.shape[1]
        return {
            "value": [_number(r.left, b, i) for i in range(n)], "radius": [float(x) for x in r.left.radius[b]],
            "expected": [_number(r.right, b, i) for i in range(r.right.shape[1])],
            "labels": labels(that.left, self.world.parameters) or labels(that.right, self.world.parameters),
        }

    # ---- what else the page shows -----------------------------------------------------------------------------------------

    def blind_spots(self) -> list[BlindSpot]:
        """At the published data, which inputs could be anything? Each is moved, and the answer watched."""
        found: list[BlindSpot] = []
        for name, claim in self.problem.names.items():
            if not (isinstance(claim, Claim) and claim.at is not None and type(claim.that) is Equal):
                continue
            left, right = claim.that.sides
            if not isinstance(right, (Printed, Exact)) or not isinstance(left, (Mean, Gradient)):
                continue
            names = self._needed(claim)
            here = given(self.world.variables, claim.at, names)
            moves = [(f"{atom}", moved) for n in names for atom, moved in _moves(here, n)]
            if not moves:
                continue
            try:
                base = evaluate(left, self._scene(claim, here, {}))
                still = [label for label, moved in moves if not _moved(base, evaluate(left, self._scene(claim, moved, {})))]
            except (CodeError, Unsuitable):
                continue
            if still:
                found.append(BlindSpot(name, claim.says, still))
        return found

    def flows(self) -> list[Flow]:
        """What each torch function of the claims sends to each block of parameters."""
        from .evaluators.plain import is_numpy
        found: dict[str, Flow] = {}
        if not self.world.parameters or not len(self.points):
            return []
        points = self._image(self._take(self.points, range(min(4, len(self.points)))))
        for claim in self.problem.claims:
            if self.answer and not claim.reaches(self.answer):
                continue
            for q, over in _gradients(claim):
                f = q.of
                if f.__name__ in found or is_numpy(f) or not isinstance(q, Gradient):
                    continue
                scene = Scene(self.world, points, self.answer)
                try:
                    found[f.__name__] = Flow(f.__name__, autodiff.flow(f, scene, self._some_outcomes(q, over, scene)))
                except (CodeError, Unsuitable, ProblemError):
                    continue
        return list(found.values())

    def _some_outcomes(self, q: Quantity, over: Any, scene: Scene) -> Outcomes | None:
        atoms = random_atoms(q, scene, over)
        if not atoms:
            return None
        names = scene.world.over(over)
        return some_outcomes(atoms, names, scene)

    def chains(self) -> list[Chain]:
        import sympy as sp

        out: list[Chain] = []
        for name, d in self.problem.names.items():
            if isinstance(d, Derivation):
                forms = tuple(Form(f"{name}.{n}", _text(e), sp.latex(_matrix(e)), why) for n, (e, why) in enumerate(d.lines))
                out.append(Chain(d.title, forms, tuple(f"{name}.{n}" for n in range(1, len(d.lines)))))
        return out


@dataclass(frozen=True)
class _Settled:
    rulings: list[Ruling]
    reason: str = ""
    best: Ruling = Ruling("none", Verdict.UNDECIDED)
    witness: dict[str, Any] | None = None
    shown: dict[str, Any] = None  # pyright: ignore[reportAssignmentType]
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.shown is None:  # pyright: ignore[reportUnnecessaryComparison]
            object.__setattr__(self, "shown", {})
        if self.best.route == "none" and self.rulings:
            object.__setattr__(self, "best", combine(self.rulings))


def measure(that: Relation, scene: Scene) -> tuple[Floats, Estimate, Estimate, Floats, Floats]:
    """Both sides at the points, as (points, coordinates): excess, left, right, slack, and the blur that limits what is resolved."""
    outcomes = _every_outcome(that, scene)
    a, b = (evaluate(q, scene, outcomes) for q in that.sides)
    if a.shape[2] != b.shape[2] and 1 not in (a.shape[2], b.shape[2]):
        raise CodeError(None, f"the left side has {a.shape[2]} coordinates, the right side {b.shape[2]}: they must be as many, or one.")
    if outcomes is not None:
        return _sample_by_sample(that, a, b, outcomes)
    a, b = (e.map(lambda x: x[:, 0, :]) for e in (a, b))
    shape = (max(a.shape[0], b.shape[0]), max(a.shape[1], b.shape[1]))
    a, b = (e.map(lambda x: np.broadcast_to(x, shape)) for e in (a, b))
    if isinstance(that, Within):
        width = b.radius if that.width is None else np.broadcast_to(evaluate(that.width, scene).value[:, 0, :], shape)
        room = a.radius + (b.radius if that.width is None else b.radius + width)
        return that.excess(a, b), a, b, room, a.radius
    slack = that.slack(a, b)
    return that.excess(a, b), a, b, slack, slack


def _every_outcome(that: Relation, scene: Scene) -> Outcomes | None:
    """A claim in which a draw stands outside every mean is about each of its outcomes."""
    atoms = dict.fromkeys(a for q in that.sides for a in loose_atoms(q, scene))
    return some_outcomes(list(atoms), scene.world.names, scene) if atoms else None


def _sample_by_sample(that: Relation, a: Estimate, b: Estimate, outcomes: Outcomes) -> tuple[Floats, Estimate, Estimate, Floats, Floats]:
    """As (points, outcomes x coordinates); an outcome that cannot happen agrees with itself."""
    shape = (a.shape[0], outcomes.count, max(a.shape[2], b.shape[2]))
    can = np.broadcast_to((outcomes.weights.value != 0)[:, :, None], shape).reshape(shape[0], -1)

    def flat(e: Estimate) -> Estimate:
        e = Estimate(e.value, e.radius, e.evidence) if not can.all() else e
        e = e.map(lambda x: np.broadcast_to(x, shape).reshape(shape[0], -1))
        return e if can.all() else Estimate(np.where(can, e.value, 0.0), np.where(can, e.radius, 0.0), e.evidence)

    left, right = flat(a), flat(b)
    slack = that.slack(left, right)
    return that.excess(left, right), left, right, slack, slack


def some_outcomes(atoms: Sequence[Any], names: Mapping[str, Any], scene: Scene) -> Outcomes:
    """All outcomes of finite draws, a few of continuous ones."""
    draws = with_parents(atoms)
    if listed.applies(draws):
        return listed.outcomes(atoms, names, scene)
    size = len(scene.points)
    rows = [sampled.ancestral(draws, {a: v[b:b + 1, None] for a, v in scene.points.columns.items()}, FEW, generator(scene.seed, scene.name, str(b)))
            for b in range(size)]
    columns = {a: np.concatenate([r[a] for r in rows]) for a in rows[0]}
    return Outcomes(columns, Estimate(np.full((size, FEW), 1 / FEW), np.zeros((size, FEW))), names)


def _differ(excess: Floats, slack: Floats, b: Estimate, resolution: float) -> tuple[Verdict, tuple[int, int], float, float]:
    gap = np.where(np.isnan(excess), 0.0, excess)
    apart = (gap > slack) & (gap > resolution * (1 + np.abs(b.value)))
    same = (gap <= slack) & (slack <= resolution * (1 + np.abs(b.value)))
    for i in range(len(gap)):
        if not apart[i].any():
            return (Verdict.REFUTED if same[i].all() else Verdict.UNDECIDED), (i, 0), float(gap[i].max()), float(slack[i].max())
    i = int(np.argmin(gap.max(axis=1)))
    j = int(np.argmax(gap[i]))
    return Verdict.AGREES, (i, j), float(gap[i, j]), float(slack[i, j])


def _route(r: Ruling) -> Route:
    resolved = r.left is not None
    return Route(r.route, r.verdict.word, _finite(r.gap) if resolved else None, _finite(r.slack) if resolved else None, r.note)


def _finite(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None


def _number(e: Estimate, b: int, i: int) -> Any:
    if e.exact is not None and e.evidence is Evidence.EXACT:
        return written(e.exact[b, i])
    x = float(e.value[b, i])
    return x if math.isfinite(x) else "nan" if math.isnan(x) else "oo" if x > 0 else "-oo"


def _homes(expressions: Sequence[Any]) -> set[str]:
    from .laws import Random

    out: set[str] = set()
    for e in expressions:
        for a in e.atoms(Atom):
            out |= _homes([a.home.law]) if isinstance(a, Random) else {a.home.name}
    return out


def _bundled(q: Quantity) -> dict[str, Any]:
    from .laws import Bundle

    found: dict[str, Any] = {}
    stack: list[Any] = [q]
    while stack:
        x = stack.pop()
        if isinstance(over := getattr(x, "over", None), Bundle):
            found |= over.names
        stack += [p for p in getattr(x, "parts", ()) if isinstance(p, Quantity)]
    return found


def _gradients(claim: Claim) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []

    def walk(q: Quantity, over: Any) -> None:
        if isinstance(q, Gradient) and is_code(q.of):
            found.append((q, over))
        for part in q.parts:
            if isinstance(part, Quantity):
                walk(part, getattr(q, "over", None) or over)

    if isinstance(claim.that, Relation):
        for side in claim.that.sides:
            walk(side, None)
    return found


def _moves(points: Points, name: str) -> list[tuple[str, Points]]:
    """The point with one entry of a variable moved to another value its space allows."""
    from flint import fmpq

    variable, value = points.variables[name], points.exact[name]
    out: list[tuple[str, Points]] = []
    for i, atom in enumerate(variable.atoms.ravel()):
        for step in (fmpq(1, 7), fmpq(1), fmpq(-1)):
            moved = value.copy().reshape(1, -1)
            moved[0, i] = moved[0, i] + step
            moved = moved.reshape(value.shape)
            if variable.over.holds(moved.reshape(variable.shape)):
                out.append((str(atom), points.with_(name, moved)))
                break
    return out


def _moved(a: Estimate, b: Estimate) -> bool:
    same = np.isfinite(a.value) == np.isfinite(b.value)
    with np.errstate(all="ignore"):
        return bool((~same).any() or (np.abs(a.value - b.value) > 1e-9 * (1 + np.abs(a.value)) + a.radius + b.radius).any())


def _matrix(e: Any) -> Any:
    import sympy as sp

    cells = entries(e)
    return cells[0] if len(cells) == 1 else sp.Matrix(cells)


def _text(e: Any) -> str:
    import sympy as sp

    return str(sp.pretty(_matrix(e), use_unicode=True))


__all__ = ["Hull", "check", "measure", "versions"]
