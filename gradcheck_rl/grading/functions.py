"""A function against the page's own: the rows it is called with, and the claims that are made of it."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..answers import fitted
from ..claims import Claim, Raises, cost
from ..errors import CodeError, GradcheckError, ProblemError, Unsuitable
from ..estimate import Floats
from ..evaluators import Scene, evaluate, sampled
from ..judge import Judge, Settled
from ..points import covering, drawn
from ..problem import Problem
from ..quantities import Covariance, Gradient, Leaf, Mean, Quantity, Trace, Value, blocks, is_code, slots
from ..report import plain
from ..verdict import Verdict
from . import hints
from .parts import Part
from .remote import ROWS, Remote, TooMuch
from .result import Judgement
from .rubric import Rubric
from .samples import (
    RESOLUTION,
    Difference,
    Function,
    Sample,
    Search,
    Sight,
    answered,
    apart,
    same,
    same_slopes,
    same_values,
    samples,
    sight,
    without,
)
from .submission import Submission, Unreadable

HIDDEN, SHOWN = 8, 8
FEW = 2
SHOWN_NUMBERS = 8
# Steps of a difference, and how near it comes to the slope.
STEPS = {1e-5: 1e-3, 1e-4: 1e-3, 1e-3: 1e-3, 1e-2: 1e-3, 0.1: 0.05}

Answer = Mapping[Any, Any]


@dataclass(frozen=True)
class Asked:
    """What is known of a function that is asked for, worked out once for all submissions.

    The hidden rows decide; all that is told of numbers, the names of mistakes among them, is about rows that may be shown.
    """

    function: Function
    hidden: list[Sample]
    shown: list[Sample]
    free: Collection[str]  # arguments by which no slope is asked for
    _mistakes: list[list[hints.Known]] = field(default_factory=list[list[hints.Known]])

    @cached_property
    def told(self) -> list[Sample]:
        """The rows that may be shown, with the slopes that are asked for."""
        return [replace(s, slopes=without(s.arguments, s.slopes, self.free)) for s in self.shown]

    def answered(self, remote: Remote) -> list[hints.Pair]:
        """What a submission gives in these rows."""
        found = [(s, *answered(remote.ask, s, remote.numpy)) for s in self.shown]
        return [(values, without(s.arguments, slopes, self.free)) for s, values, slopes in found]

    def known(self, problem: Problem) -> list[hints.Known]:
        if not self._mistakes:
            self._mistakes.append(hints.known_mistakes(problem, self.function, self.told, self.free))
        return self._mistakes[0]


class Functions:
    """Of one problem and one rubric. What does not depend on a submission is kept from one to the next."""

    def __init__(self, problem: Problem, rubric: Rubric, seed: int) -> None:
        self.problem, self.rubric, self.seed = problem, rubric, seed
        self.asked: dict[str, Asked] = {}
        self._judges: dict[Any, Judge] = {}
        self._spreads: dict[tuple[Mean, int], _Moments | None] = {}

    def judge(self, part: Part, remote: Remote, submission: Submission) -> Judgement:
        slot = remote.slot
        asked = self._known(slot)
        seen = self._sight(asked, part.rule.claims)
        failed: CodeError | None = None
        try:
            if same(remote.ask, asked.hidden, remote.numpy, seen):
                return Judgement("PASS")
        except CodeError as error:  # given data may be of the page's own function alone: the claims decide
            failed = error
            if str(error).endswith("is not filled in."):
                raise Unreadable(str(error)) from None
            if remote.session.end is not None:
                raise remote.session.end from None
        answer = fitted(self.problem, {slot: remote.function})
        by = self._gradients(slot, part.rule.claims)
        alike = False
        with suppress(CodeError):  # the claims come to it too
            alike = failed is None and bool(by) and same_slopes(remote.ask, asked.hidden, by, seen)
        refuted = None if alike else self._refuted(remote, answer, part.rule.claims)
        remote.left = ROWS
        if refuted is None:
            if self._written_by_hand(remote, asked, submission):
                says_ = "its gradient is not the slope of its value: is it written by hand?"
                return Judgement("FAIL", (says_,) if self.rubric.show != "verdict" else ())
            if failed is not None:
                return Judgement("PASS", ("all that is claimed of it holds, elsewhere it gives no answer",))
            if same_values(remote.ask, asked.hidden, remote.numpy, seen):
                return Judgement("PASS")
            held = "its gradient is the page's" if alike else "all that is claimed of it holds"
            return Judgement("PASS", (f"{held}, its value is another",))
        if refuted.verdict == "UNDECIDED":
            return Judgement("UNDECIDED", (*refuted.says, *self._named(remote, asked), *self._other(remote, asked, seen)))
        if failed is not None:
            return Judgement("FAIL", self._shape(remote, asked, str(failed)))
        return Judgement("FAIL", self._feedback(remote, asked, seen, refuted, answer))

    def _known(self, slot: Any) -> Asked:
        if slot.__name__ not in self.asked:
            hidden = samples(self.problem, slot, self.seed, HIDDEN)
            shown = hidden if self.seed == 0 else samples(self.problem, slot, 0, SHOWN)
            self.asked[slot.__name__] = Asked(Function(slot), hidden, shown, self._free(slot))
        return self.asked[slot.__name__]

    def _free(self, slot: Any) -> set[str]:
        """Variables by which no claim that reaches the function takes a gradient; and draws, where no other function calls it."""
        reaching = [q for c in self.problem.claims if c.reaches({slot: slot}) for q in _leaves(c, slot)]
        taken = set(self._by(reaching))
        alone = all(q.of is slot for q in reaching)
        return {*(self.problem.bound.names if alone else self.problem.bound.variables)} - taken

    def _sight(self, asked: Asked, named: Sequence[str]) -> Sight:
        """As fine as the finest of the claims: what one of them would refute is asked of it."""
        finest = min((c.resolution for c in self._claims(self.problem, asked.function.slot, named)), default=RESOLUTION)
        return sight(asked.hidden, min(finest, RESOLUTION))

    def _judge(self, page: Problem, few: bool) -> Judge:
        """At the page's corners and points drawn, or at a few alone: numpy is called row by row, an integral at many."""
        key = (page, few)
        if key not in self._judges:
            corners, points = ((), drawn) if few else (page.corners, covering)
            found = points(page.bound.variables, corners, FEW, self.seed, page.name)
            self._judges[key] = Judge(page, self.seed, found, proving=False)
        return self._judges[key]

    def _claims(self, page: Problem, slot: Any, named: Sequence[str]) -> list[Claim]:
        """What decides about a function: the claims that a rubric names; else those about every point, and those that planted
        mistakes break. Others, about given data, may be of how the page's own function is written."""
        names = page.names
        reached = [c for c in page.claims if c.reaches({slot: slot}) and not isinstance(c.that, Raises)]
        breaks = [m.breaks for m in page.mistakes]
        chosen = [names[n] for n in named if n in names] or [c for c in reached if c.at is None or c in breaks] or reached
        return [exact for c in chosen if c in reached and (exact := c.without(sampled.NAME)) is not None]

    def _gradients(self, slot: Any, named: Sequence[str]) -> list[str]:
        """What the gradients are by, where the claims speak of nothing else of this function."""
        leaves = [_leaves(claim, slot) for claim in self._claims(self.problem, slot, named)]
        alone = all(found and all(isinstance(q, Gradient) and q.of is slot for q in found) for found in leaves)
        return self._by([q for found in leaves for q in found]) if alone else []

    def _by(self, found: Sequence[Quantity]) -> list[str]:
        """The names that the gradients among these are by."""
        parameters = self.problem.bound.parameters
        return list(dict.fromkeys(v.name for q in found if isinstance(q, Gradient) for v in blocks(q.wrt, parameters)))

    def _refuted(self, remote: Remote, answer: Answer, rule: Sequence[str]) -> Judgement | None:
        """The first claim that fails, the cheapest first; None where all hold, and some do."""
        slot, few, shown = remote.slot, remote.numpy, 0
        unsure: Judgement | None = None
        own = answer[slot]
        others = [other for _, other in self.problem.also]
        for page in (self.problem, *others[:1], *others[1:][-1:]):  # its own size, another, and the last: more say the same again
            functions = page.functions
            if slot.__name__ not in functions:
                continue
            here = {functions[slot.__name__]: own}
            judge = self._judge(page, few).anew()
            for claim in sorted(self._claims(page, functions[slot.__name__], rule), key=cost):
                try:
                    settled = _settled(judge, claim, here, remote)
                    if settled is None and not few:
                        few, remote.left = True, ROWS
                        judge = self._judge(page, few).anew()
                        settled = _settled(judge, claim, here, remote)
                except (ProblemError, Unsuitable) as error:
                    if unsure is None and _settles(judge, claim):
                        unsure = Judgement("UNDECIDED", (f"a claim cannot be evaluated: {error}",))
                    continue
                if remote.session.end is not None:
                    raise remote.session.end
                if settled is None:
                    return unsure or Judgement(
                        "UNDECIDED", (f"it is not the page's own, and to see whether it is right takes over {ROWS} rows",)
                    )
                if settled.best.verdict is Verdict.REFUTED:
                    name = next((n for n, c in page.names.items() if c is claim), "") or claim.says
                    note = settled.best.note if settled.best.left is None else ""
                    inner = note.startswith("`") and not note.startswith(f"`{slot.__name__}`")  # of the page's own code
                    return Judgement("FAIL", (name, "" if inner else note))
                if settled.best.verdict is Verdict.UNDECIDED:
                    unsure = unsure or Judgement("UNDECIDED", ("a claim about it is undecided: it is known too coarsely there",))
                shown += settled.best.verdict in (Verdict.PROVED, Verdict.AGREES)
        return unsure if shown or unsure is not None else Judgement("FAIL")

    def _feedback(self, remote: Remote, asked: Asked, seen: Sight, refuted: Judgement, answer: Answer) -> tuple[str, ...]:
        show, out = self.rubric.show, list[str]()
        if show == "verdict":
            return ()
        if refuted.says[1:] and refuted.says[1]:
            out.append(refuted.says[1])
        with _attempted():  # without a hint it is as wrong as with one
            try:
                given = asked.answered(remote)
            except CodeError as error:
                return (*out, *self._shape(remote, asked, str(error)))
            if self.rubric.hints:
                mistake = hints.name(given, asked.told, asked.known(self.problem))
                other = "" if mistake else self._other_estimator(remote, answer)
                if mistake or other:
                    out.append(f"the mistake: {mistake}" if mistake else other)
                elif show == "counterexample" and (near := hints.fit(given, asked.told)):
                    out.append(near)
            if show == "counterexample":
                difference = self._difference(remote, asked, seen)
                out += _example(difference) if difference is not None else ["it fails at points that are not shown"]
        return tuple(out)

    def _difference(self, remote: Remote, asked: Asked, seen: Sight) -> Difference | None:
        by = self._slopes_by(asked.function.slot)
        return Search(remote.ask, asked.function, self.problem.bound.variables, by, seen).simplest(asked.shown)

    def _other(self, remote: Remote, asked: Asked, seen: Sight) -> tuple[str, ...]:
        """Where what is undecided is not the page's own function, which it need not be."""
        if self.rubric.show == "counterexample":
            with _attempted():
                if (difference := self._difference(remote, asked, seen)) is not None:
                    return tuple(_example(difference, "is the page's own"))
        return ()

    def _slopes_by(self, slot: Any) -> list[str]:
        """What the claims take gradients of this function by. Then an example shows one."""
        claims = self._claims(self.problem, slot, ())
        return self._by([q for c in claims for q in _leaves(c, slot) if q.of is slot])

    def _other_estimator(self, remote: Remote, answer: Answer) -> str:
        """Right in the mean at every point, another law: whose is it?"""
        slot = remote.slot
        judge = self._judge(self.problem, remote.numpy).anew()
        means = _means(self.problem)
        claims = [(c, q, judge.settle(c, answer, witness=False).best.verdict) for c, q in means if slot in q.code()]
        if any(verdict is Verdict.REFUTED for _, _, verdict in claims):
            return ""
        for claim, mean, verdict in claims:
            if verdict is Verdict.UNDECIDED:
                continue
            scene = judge.scene(claim, judge.points, answer)
            theirs, ours = _moments(mean, scene), self._moments(mean, scene)
            if theirs is None or ours is None:
                continue
            if not apart(theirs.spread, ours.spread).any():
                return ""
            for _, other in means:
                function = other.code()[0]
                if function is slot or not isinstance(other.of, (Gradient, Value)):
                    continue
                if (law := self._moments(other, scene)) is not None and law.agree(theirs):
                    return f"unbiased, but this is the estimator of `{function.__name__}`, not that of `{slot.__name__}`"
            return "unbiased, but this is another estimator: its variance is not the declared one's"
        return ""

    def _moments(self, mean: Mean, scene: Scene) -> _Moments | None:
        """Those of the page's own function."""
        key = (mean, len(scene.points))
        if key not in self._spreads:
            self._spreads[key] = _moments(mean, scene.without_answer())
        return self._spreads[key]

    def _named(self, remote: Remote, asked: Asked) -> tuple[str, ...]:
        """The name of a mistake, where it has one."""
        if self.rubric.show == "verdict" or not self.rubric.hints:
            return ()
        with _attempted():
            if mistake := hints.name(asked.answered(remote), asked.told, asked.known(self.problem)):
                return (f"the mistake: {mistake}",)
        return ()

    def _shape(self, remote: Remote, asked: Asked, reason: str) -> tuple[str, ...]:
        """What it does instead of returning numbers, and what it is given there."""
        if self.rubric.show == "verdict":
            return ()
        for sample in asked.shown:
            try:
                answered(remote.ask, sample, remote.numpy)
            except CodeError as error:
                shapes = {k: v.shape[1:] for k, v in sample.arguments.items()}
                given = ", ".join(f"{k} {'a number' if not s else 'of shape ' + plain(list(s))}" for k, s in shapes.items())
                return (str(error), f"it is given {given}" if given else "it is given nothing")
        return (reason,)

    def _written_by_hand(self, remote: Remote, asked: Asked, submission: Submission) -> bool:
        """Is the gradient another than the slope of the value, where the page's own is not? A stop-gradient that is written
        out explains it, unless a backward pass is written too."""
        if remote.numpy or (submission.stops and not submission.by_hand):
            return False
        from ..backends.remote import here

        def ours(op: str, arguments: Any, dtype: str, cotangents: Any) -> Any:
            return here(remote.slot, arguments, dtype, cotangents)

        by = [p.name for p in self.problem.bound.parameters]
        try:
            return _bent(remote.ask, asked.hidden, by) and not _bent(ours, asked.hidden, by)
        except CodeError:  # it takes no points beside those that claims ask of it
            return False


@contextmanager
def _attempted() -> Generator[None]:
    """What is told may be left out where it cannot be worked out."""
    with np.errstate(all="ignore"), suppress(GradcheckError, ValueError, TooMuch):
        yield


class _Moments(NamedTuple):
    """Of an estimator at each point: its mean, and its variances added up."""

    mean: Floats
    spread: Floats

    def agree(self, other: _Moments) -> bool:
        same = self.mean.shape == other.mean.shape and not apart(self.mean, other.mean).any()
        return same and not apart(self.spread, other.spread).any()


def _moments(mean: Mean, scene: Scene) -> _Moments | None:
    """None where they cannot be worked out."""
    try:
        return _Moments(evaluate(mean, scene).value[:, 0], evaluate(Trace(Covariance(mean.of, mean.over)), scene).value[:, 0, 0])
    except GradcheckError:
        return None


def _settled(judge: Judge, claim: Claim, answer: Answer, remote: Remote) -> Settled | None:
    """None where it takes too many rows, which may have been taken for an error of the code."""
    try:
        settled = judge.settle(claim, answer, witness=False)
    except TooMuch:
        return None
    return settled if remote.left >= 0 else None


def _settles(judge: Judge, claim: Claim) -> bool:
    """Can it be evaluated of the page's own functions?"""
    try:
        judge.settle(claim, {}, witness=False)
    except (ProblemError, Unsuitable):
        return False
    return True


def _leaves(claim: Claim, slot: Any) -> list[Leaf]:
    """What a claim says of code that calls the function, or is it."""
    return [q for q, _ in claim.quantities() if isinstance(q, Leaf) and is_code(q.of) and slot in slots(q.of)]


def _means(problem: Problem) -> list[tuple[Claim, Mean]]:
    """The means of one function that claims about every point speak of, by the exact routes."""
    claims = [exact for c in problem.claims if c.at is None and (exact := c.without(sampled.NAME)) is not None]
    sides = [(c, q) for c in claims for q in c.that.sides]
    return [(c, q) for c, q in sides if isinstance(q, Mean) and len(q.code()) == 1]


def _bent(ask: Any, found: Sequence[Sample], by: Sequence[str]) -> bool:
    """Do slopes disagree with every difference of values along a line? Code in float32 or float16 is known by wide ones."""
    rng = np.random.default_rng(1)
    for sample in found:
        floats = [k for k, v in sample.arguments.items() if v.dtype.kind == "f"]
        if not set(floats) & set(by) or not np.isfinite(sample.values).any():
            continue
        line = {k: rng.choice((-1.0, 1.0), sample.arguments[k].shape) * (k in by) for k in floats}
        _, slopes = answered(ask, sample, False)
        along = np.concatenate([line[k].reshape(sample.count, -1) for k in floats], axis=1)
        slope = (slopes * along).sum(axis=1)
        off = np.isfinite(slope)
        for step, near in STEPS.items():
            if off.any():
                difference = _difference(ask, sample, line, step)
                with np.errstate(all="ignore"):
                    off &= np.abs(slope - difference) > near * (1 + np.abs(difference))
        if off.any():
            return True
    return False


def _difference(ask: Any, sample: Sample, line: Mapping[str, Floats], step: float) -> Floats:
    ends: list[Floats] = []
    for sign in (1, -1):
        moved = {k: v + sign * step * line[k] if k in line else v for k, v in sample.arguments.items()}
        y = ask("values", moved, "float64", None).numbers.reshape(sample.count, -1)
        with np.errstate(all="ignore"):
            ends.append(np.where(sample.weights != 0, y * sample.weights, 0.0).sum(axis=1))
    with np.errstate(invalid="ignore"):
        return (ends[0] - ends[1]) / (2 * step)


def _example(found: Difference, wanted: str = "was expected") -> list[str]:
    at = ", ".join(f"{k} = {_numbers(v)}" for k, v in found.arguments.items())
    what = f"the gradient by {found.by}" if found.by else "it"
    return [f"at {at}:", f"{what} is {_numbers(found.theirs)}; {_numbers(found.ours)} {wanted}"]


def _numbers(x: Any) -> str:
    flat = np.asarray(x, float)
    if flat.size == 1:
        return _short(float(flat.ravel()[0]))
    if flat.size > SHOWN_NUMBERS:
        return f"{plain([_short(v) for v in flat.ravel()[:SHOWN_NUMBERS]])[:-1]}, ...)"
    return plain(np.vectorize(_short, otypes=[object])(flat).tolist())


def _short(x: float) -> str:
    return f"{x:.6g}"
