"""The only loop over claims. Command line, plugin, grader and reports all call it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from flint import ctx

from .answers import fitted, planted
from .claims import Claim, Erratum, Mistake, Raises
from .derivation import Derivation
from .errors import InputError, did_you_mean
from .estimate import Evidence
from .evaluators import sampled
from .exhibits import at_sizes, blind_spots, chains, flows
from .figures import computed
from .judge import Answer, Judge, Settled
from .notation import stated
from .points import Points, covering
from .problem import Problem, slug
from .quantities import slots
from .replay import replay
from .report import Caught, Line, Report, Route, versions
from .rings import BITS
from .verdict import Ruling, Verdict

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from .shards import Shards

Progress = Callable[[int, int, str], None]

HOLDS = (Verdict.PROVED, Verdict.AGREES)
SIDES = ("value", "radius", "expected", "labels", "point")


@ctx.workprec(BITS)
def check(
    problem: Problem,
    answer: Answer | None = None,
    seed: int = 0,
    points: int | Points | None = None,
    only: Collection[str] | str | None = None,
    progress: Progress | None = None,
    timed: bool = True,
    figures: bool = False,
    formulas: bool = False,
    samples: int | None = None,
    executor: Executor | None = None,
) -> Report:
    """Every claim of a problem, for its own functions or for an answer {reference function: replacement}.

    `points` are these, or how many to draw. `only` names claims or sources. With `timed=False` the same seed gives the same
    bytes. With `figures` their data too, with `formulas` each claim as a formula.

    `samples` are drawn for each sampled mean at each point, until one refutes; without it, as many as the resolution needs, up
    to 4,000,000. With an `executor` other processes draw them; the report is the same.
    """
    start = time.perf_counter()
    only = _sound(problem, answer, seed, points, only, progress, samples)
    given = fitted(problem, answer or {})
    chosen = _chosen(problem, given, only)
    if samples is not None:
        _sampled(problem, chosen, samples)
    loop = _Loop(problem, given, seed, problem.points if points is None else points, timed, formulas)
    loop.judge.samples = samples
    if executor is not None:
        from .shards import Shards

        loop.draws_on(Shards(problem, answer or {}, given, executor))
    found: dict[str, list[Line] | Caught] = {}
    if progress is not None and samples is not None:
        tell = progress
        loop.judge.tells = lambda drawn, goal: tell(len(found) + 1, len(chosen), f"{drawn:,} of {goal:,} samples")
    for done, (name, item) in enumerate(sorted(chosen, key=_runs_code), start=1):
        found[name] = loop.caught(name, item) if isinstance(item, Mistake) else loop.lines(name, item)
        if progress is not None:
            progress(done, len(chosen), _told(found[name], item))
    for name, item in chosen:
        if isinstance(item, Claim) and isinstance(lines := found[name], list):
            found[name] = [loop.at_other_sizes(line, name) for line in lines]
    results = [found[name] for name, _ in chosen]
    whole = only is None
    return Report(
        problem=problem.name,
        title=problem.title,
        about=problem.about,
        seed=int(seed),
        versions=versions(),
        claims=tuple(line for lines in results if not isinstance(lines, Caught) for line in lines),
        mistakes=tuple(caught for caught in results if isinstance(caught, Caught)),
        derivations=tuple(chains(problem, [name for name, _ in chosen])),
        blind_spots=tuple(blind_spots(problem, loop.judge)) if whole and not given else (),
        flow=tuple(flows(problem, loop.judge, given)) if whole else (),
        figures=computed(problem.figures, problem, seed) if figures else {},
        answer=[f.__name__ for f in given],
        replay=replay(problem, given, seed, points, only, samples),
        elapsed_s=round(time.perf_counter() - start, 4) if timed else 0.0,
    )


def _sound(
    problem: Any, answer: Any, seed: Any, points: Any, only: Collection[str] | str | None, progress: Any, samples: Any
) -> list[str] | None:
    """The names that are asked for, once all that `check` was given is of its kind."""
    if not isinstance(problem, Problem):
        read = (
            f'load("{problem}") of gradcheck_rl.load reads one'
            if isinstance(problem, str)
            else "write Problem(title=..., claims=...)"
        )
        raise InputError(f"the problem is {type(problem).__name__}, not Problem: {read}.")
    if answer is not None and not isinstance(answer, Mapping):
        raise InputError(
            f"the answer is {type(answer).__name__}: write {{reference function: replacement}}, as {{log_pi: mine}}."
        )
    if answer is not None and not answer:
        raise InputError(
            "the answer is empty, and the page would be checked alone: write {reference function: replacement}, or leave it out."
        )
    whole("seed", seed, 0)
    for name, number in (("points", points), ("samples", samples)):
        if number is not None and not isinstance(number, Points):
            whole(name, number, 1)
    if progress is not None and not callable(progress):
        raise InputError(f"progress={progress!r}: write a function of three arguments, as in progress=print.")
    found = [only] if isinstance(only, str) else only
    if found is not None and not (isinstance(found, Collection) and all(isinstance(word, str) for word in found)):
        raise InputError(f'only={only!r}: write names of claims or sources, as only=["unbiased"].')
    return found if found is None else sorted(found) if isinstance(found, Set) else list(found)


def whole(name: str, number: Any, least: int) -> None:
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < least:
        raise InputError(f"{name}={number!r}: write a whole number from {least}.")


def stopped(settled: Settled, claim: Claim) -> bool:
    """Did the code end without a number? At a size that an answer was not written for it may; in a mistake anyone notices."""
    return settled.best.verdict is Verdict.REFUTED and settled.best.left is None and not isinstance(claim.that, Raises)


def _runs_code(named: tuple[str, Any]) -> bool:
    """What needs no torch comes first: while torch is imported there is something to read."""
    match named[1]:
        case Mistake() | Claim(that=Raises()):
            return True
        case Erratum(stated=stated, instead=instead):
            return bool(stated.code() or instead.code())
        case item:
            return isinstance(item, Claim) and bool(item.code())


def _told(found: list[Line] | Caught, item: Any) -> str:
    """What has just become of a claim, a mistake or a whole derivation."""
    if isinstance(found, Caught):
        return f"{'caught' if found.caught else 'missed'}  {found.says}"
    if isinstance(item, Derivation):
        return f"{'holds' if all(line.ok for line in found) else 'fails'}  {item.title}"
    return f"{found[0].verdict}  {found[0].says}"


def _chosen(problem: Problem, answer: Answer, only: Collection[str] | None) -> list[tuple[str, Any]]:
    """What is checked: all of the page, or the claims that reach a replaced function, or those that are named."""
    items = list(problem.names.items())
    if answer:
        items = [(n, i) for n, i in items if isinstance(i, Claim) and i.reaches(answer)]
    if only is None:
        return items
    for word in only:
        known = {n for n, _ in items} | {s for _, i in items for s in _sources(i)}
        if word not in known:
            if answer and any(word == n or word in _sources(i) for n, i in problem.names.items()):
                raise InputError(
                    f"`{word}` does not use {', '.join(sorted(f.__name__ for f in answer))}: it has nothing to say of it."
                )
            raise InputError(f"{problem.title!r} has no claim `{word}`.{did_you_mean(word, known)}")
    return [(n, i) for n, i in items if n in only or _sources(i) & set(only)]


def is_sampled(item: Any) -> bool:
    """Does a claim, an erratum or a mistake ask for samples?"""
    match item:
        case Claim():
            return sampled.NAME in item.routes
        case Erratum(stated=stated, instead=instead):
            return is_sampled(stated) or is_sampled(instead)
        case Mistake(breaks=claim):
            return is_sampled(claim)
        case _:
            return False


def _sampled(problem: Problem, chosen: Iterable[tuple[str, Any]], samples: int) -> None:
    """A number of samples is for claims that are sampled."""
    if not any(is_sampled(item) for _, item in chosen):
        names = [n for n, item in problem.names.items() if isinstance(item, Claim) and is_sampled(item)]
        known = f"here {', '.join(names)} {'are' if len(names) > 1 else 'is'}" if names else f"no claim of {problem.title!r} is"
        raise InputError(f'{samples} samples were asked for, and nothing chosen is sampled: {known} (by="sampled" on a claim).')


def _sources(item: Any) -> set[str]:
    return {s.strip() for s in item.source.split(",") if s.strip()}


class _Loop:
    def __init__(self, problem: Problem, answer: Answer, seed: int, points: int | Points, timed: bool, formulas: bool) -> None:
        self.problem, self.answer, self.timed, self.formulas = problem, answer, timed, formulas
        self.judge = Judge(problem, seed, points)
        self._judges: dict[Problem, Judge] = {}
        self.shards: Shards | None = None

    def draws_on(self, shards: Shards) -> None:
        self.shards, self.judge.away = shards, shards.tallied

    def lines(self, name: str, item: Claim | Erratum | Derivation) -> list[Line]:
        if isinstance(item, Derivation):
            page = Problem(title=item.title, claims=item.claims, id=f"{self.problem.name}/{name}")
            judge = self._judge(page)
            settled = [at_sizes(judge.settle(c, {}), item, n) for n, c in enumerate(item.claims, start=1)]
            return [self._line(f"{name}.{n}", c, "step", s) for n, (c, s) in enumerate(zip(item.claims, settled, strict=True), 1)]
        if isinstance(item, Erratum):
            return [self._erratum(name, item)]
        return [self._line(name, item, "claim", self.judge.settle(item, self.answer))]

    def _line(self, name: str, claim: Claim, kind: str, settled: Settled) -> Line:
        best = settled.best
        return Line(
            id=name,
            says=claim.says,
            kind=kind,
            source=claim.source,
            verdict=best.verdict.word,
            ok=best.verdict in HOLDS,
            routes=tuple(map(_route, settled.rulings)),
            reason=settled.reason,
            remark=best.remark,
            resolution=claim.resolution,
            evidence=_evidence(best),
            points=settled.points,
            removed=best.removed,
            elapsed_s=settled.seconds if self.timed else 0.0,
            witness=settled.witness,
            formula=stated(claim.that, claim.where) if self.formulas and kind != "step" else [],
            **settled.shown,
        )

    def _erratum(self, name: str, erratum: Erratum) -> Line:
        wrong, right = self.judge.settle(erratum.stated, {}, strict=True), self.judge.settle(erratum.instead, {})
        line = replace(self._line(name, erratum.stated, "erratum", wrong), correction=erratum.instead.says)
        if self.formulas:
            line = replace(line, right_formula=stated(erratum.instead.that, erratum.instead.where))
        if wrong.best.verdict is not Verdict.REFUTED:
            return replace(line, ok=False, reason=f"it was to be refuted, and is not. {wrong.reason}".strip())
        if right.best.verdict not in HOLDS:
            return replace(
                line, ok=False, reason=f"the line given instead does not hold: {right.best.verdict.word}. {right.reason}".strip()
            )
        return replace(line, ok=True)

    @cached_property
    def _others(self) -> list[tuple[str, Problem, dict[str, Any], Answer]]:
        """The page at each other size, with the size, the names and the answer there."""
        found: list[tuple[str, Problem, dict[str, Any], Answer]] = []
        for sizes, other in self.problem.also:
            functions = other.functions
            answer = {functions[f.__name__]: g for f, g in self.answer.items() if f.__name__ in functions}
            found.append((", ".join(f"{k} = {n}" for k, n in sizes.items()), other, other.names, answer))
        return found

    def at_other_sizes(self, line: Line, name: str) -> Line:
        """The same claim on the page at other sizes, where it is about every point; not of code that ended without a value."""
        if line.verdict == Verdict.REFUTED.word and line.value is None:
            return line
        settled: dict[str, Settled] = {}
        stops: dict[str, str] = {}
        for size, other, names, answer in self._others:
            item = names.get(name)
            claim = item.without(sampled.NAME) if isinstance(item, Claim) else None
            if claim is not None:
                settled[size] = self._judge(other, few=True).settle(claim, answer)
                if answer and line.ok and stopped(settled[size], claim):
                    stops[size] = settled[size].reason
        found = {size: s.best.verdict.word for size, s in settled.items() if size not in stops}
        bad = [size for size, s in settled.items() if size in found and s.best.verdict not in HOLDS]
        if not bad or not line.ok:
            remarks = [line.remark, *(f"not judged at {', '.join(stops)}: {reason}" for reason in [*stops.values()][:1])]
            return replace(line, sizes=found, remark="; ".join(filter(None, remarks)))
        worst = min(bad, key=lambda size: settled[size].best.verdict is not Verdict.REFUTED)
        why = settled[worst]
        return replace(
            line,
            sizes=found,
            ok=False,
            verdict=found[worst],
            reason=f"it holds here, and is {found[worst]} at {worst}: {why.reason}",
            witness=why.witness,
            **(dict.fromkeys(SIDES) | why.shown),
        )

    def _judge(self, other: Problem, few: bool = False) -> Judge:
        """Of a page beside this one; at `few` points without a proof."""
        if other not in self._judges:
            seed, points = self.judge.seed, self.judge.places.count
            if few:
                points = covering(other.bound.variables, other.corners, max(3, points // 3), seed, other.name, more=False)
            self._judges[other] = Judge(other, seed, points, proving=not few)
        return self._judges[other]

    def caught(self, name: str, mistake: Mistake) -> Caught:
        answer = planted(self.problem, mistake)
        if self.shards is not None:
            self.shards.add_mistake(name, answer)
        settled = self.judge.settle(mistake.breaks, answer, witness=False)
        claim = next((n for n, item in self.problem.names.items() if item is mistake.breaks), slug(mistake.breaks.says))
        stops = stopped(settled, mistake.breaks)
        found = settled.best.verdict is Verdict.REFUTED and not stops
        became = f"{claim} stops, which anyone notices" if stops else f"{claim}: {settled.best.verdict.word}"
        if found and self.judge.settle(mistake.breaks, {}).best.verdict is Verdict.REFUTED:
            found, became = False, f"{became}, as it is without"
        run = {f for top in mistake.breaks.code() for f in slots(top)}
        if run.isdisjoint(answer):
            names = " or ".join(f"`{f.__name__}`" for f in answer)
            settled = replace(settled, reason=f"none of its functions has {names} as the default of an argument, to be replaced.")
        why = f"{':' if stops else ';'} {settled.reason}" if settled.reason else "."
        reason = settled.reason if found else f"With it {became}{why}"
        return Caught(
            name,
            mistake.says,
            claim,
            found,
            [claim] if found else [],
            reason,
            settled.witness,
            settled.shown.get("value"),
            mistake.source,
        )


def _evidence(r: Ruling) -> str:
    """The weakest of what the verdict rests on; nothing, where no route has numbers to show."""
    if r.verdict is Verdict.UNDECIDED and r.left is None:
        return ""
    return (Evidence.EXACT if r.verdict is Verdict.PROVED else r.evidence).word


def _route(r: Ruling) -> Route:
    known = r.left is not None
    gap, slack = ((x if math.isfinite(x) else None) if known else None for x in (r.gap, r.slack))
    return Route(r.route, r.verdict.word, gap, slack, r.note)
