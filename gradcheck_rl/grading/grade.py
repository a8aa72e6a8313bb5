"""One submission against one problem: a word, points and feedback for each part. The parent alone compares and scores."""

from __future__ import annotations

import hashlib
import hmac
import re
import signal
import threading
import time
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from ..answers import fitted
from ..claims import Claim, Raises
from ..errors import CodeError, GradcheckError, InputError, ProblemError, Unsuitable, did_you_mean
from ..estimate import Floats
from ..evaluators import Scene, evaluate, sampled
from ..evaluators.plain import is_numpy
from ..judge import Judge, Settled
from ..points import covering, drawn
from ..problem import Problem
from ..quantities import Covariance, Gradient, Leaf, Mean, Trace, Value, blocks, is_code, slots
from ..report import plain
from ..symbols import array, entries
from ..verdict import Ruling, Verdict
from . import hints
from .equality import compare_formulas
from .formula import parse
from .isolation import Limits, Tier, says
from .parts import FUNCTION, NUMBER, Part, mentioned, parts
from .remote import ROWS, Remote, TooMuch, signature
from .result import Result, Row
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
from .session import Ended, GraderFault, Session, clean
from .submission import MAIN, Submission, Unreadable
from .tex import parse_tex

KEY = "GRADCHECK_RL_KEY"
HIDDEN, SHOWN = 8, 8
PART_S = 120.0
LIVES = 3
FEW = 2
SHOWN_NUMBERS = 8
MAYBE = "it may be right, and gets no points by itself: ask a teacher to read it, or write it in a simpler form"
# Steps of a difference, and how near it comes to the slope.
STEPS = {1e-5: 1e-3, 1e-4: 1e-3, 1e-3: 1e-3, 1e-2: 1e-3, 0.1: 0.05}
# What a formula or a number is most often wrong by.
FACTORS = (
    (sp.S.NegativeOne, "the sign: it is minus what was expected"),
    (sp.Integer(2), "a factor: it is 2 times what was expected"),
    (sp.S.Half, "a factor: it is half of what was expected"),
)

Answer = Mapping[Any, Any]

_defined = re.compile(r"^def (\w+)", re.MULTILINE)
_inexact = re.compile(r"\.|[0-9][eE][+-]?[0-9]")


class OutOfTime(BaseException):
    """A part took longer than the parent gives to one."""


class Judgement(NamedTuple):
    verdict: str
    says: tuple[str, ...] = ()


def seed_of(key: str, problem: Problem) -> int:
    """What hidden points derive from; without a key everybody knows them."""
    if not key:
        return 0
    return int.from_bytes(hmac.new(key.encode(), problem.name.encode(), hashlib.sha256).digest()[:6], "big")


@dataclass(frozen=True)
class _Asked:
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


class Grader:
    """Of one problem and one rubric. What does not depend on a submission is kept from one to the next."""

    def __init__(self, problem: Problem, rubric: Rubric, tier: Tier, limits: Limits, key: str) -> None:
        self.problem, self.rubric, self.tier, self.limits = problem, rubric, tier, limits
        self.parts = parts(problem, rubric)
        self.seed = seed_of(key, problem)
        tensors = any(part.slot is not None and not is_numpy(part.slot) for part in self.parts)
        self.libraries = ["torch"] if tensors else []  # a method of a tensor needs no import
        self.total = sum(part.rule.points for part in self.parts)
        self._asked: dict[str, _Asked] = {}
        self._judges: dict[Any, Judge] = {}
        self._spreads: dict[tuple[Mean, int], _Moments | None] = {}
        self._aside = {part.claim for part in self.parts if part.claim is not None}

    @cached_property
    def _names(self) -> dict[Claim, str]:
        return {item: name for name, item in self.problem.names.items() if isinstance(item, Claim)}

    def grade(self, submission: Submission, adapted: Mapping[str, str] | None = None) -> Row:
        """A row, whatever the submission does."""
        start = time.perf_counter()
        run = _Run(self, submission, adapted or {})
        try:
            results = tuple(self._result(part, run) for part in self.parts)
        finally:
            run.close()
        seconds = round(time.perf_counter() - start, 2)
        return Row(submission.name, submission.digest, self.problem.name, run.isolation, results, run.output, seconds=seconds)

    def refused(self, name: str, reason: str, word: str = "INVALID") -> Row:
        """The row of a submission that was not run."""
        results = tuple(_told(part, Judgement(word, (clean(reason),)), 0.0) for part in self.parts)
        return Row(name, "", self.problem.name, self.tier.name, results, note=clean(reason))

    def _result(self, part: Part, run: _Run) -> Result:
        start = time.perf_counter()
        try:
            with _bounded(PART_S):
                found = self._function(part, run) if part.kind == FUNCTION else self._text(part, run.submission)
        except (OutOfTime, TooMuch):
            found = Judgement("UNDECIDED", ("it could not be decided in the time there is",))
        except Ended as error:
            found = Judgement(error.word, (error.says,))
        except Unreadable as error:
            found = Judgement("INVALID", (str(error),))
        except InputError as error:
            found = Judgement("INVALID", (str(error),))
        except (GraderFault, GradcheckError) as error:
            found = Judgement("GRADER_ERROR", (str(error),))
        except Exception as error:  # nobody's submission is to blame, and the others go on
            found = Judgement("GRADER_ERROR", (f"{type(error).__name__}: {error}",))
        if found.verdict == "UNDECIDED" and not any(line.startswith("the mistake: ") for line in found.says):
            found = found._replace(says=(*found.says, MAYBE))
        if run.end is not None and part.kind == FUNCTION and found.verdict not in ("PASS", "INVALID"):
            found = Judgement(run.end.word, (run.end.says,))
        run.settled()
        return _told(part, found, round(time.perf_counter() - start, 3))

    # ---- functions --------------------------------------------------------------------------------------------------------

    def _function(self, part: Part, run: _Run) -> Judgement:
        slot = part.slot
        assert slot is not None
        asked = self._known(slot)
        seen = self._sight(asked, part.rule.claims)
        session = run.session()
        functions = session.functions
        if part.id not in functions:
            theirs = run.name(part.id)
            mapped = f" (`{theirs}` was looked for, as --map says)" if theirs != part.id else ""
            others = set(_defined.findall("\n".join(run.submission.sources.values()))) - {p.id for p in self.parts}
            meant = did_you_mean(theirs, sorted(others))
            raise Unreadable(f"`{part.id}` is not defined{mapped}: write `{signature(slot)}`{meant and '.' + meant}")
        remote = Remote(session, slot, functions[part.id])
        failed: CodeError | None = None
        try:
            if same(remote.ask, asked.hidden, remote.numpy, seen):
                return Judgement("PASS")
        except CodeError as error:  # given data may be of the page's own function alone: the claims decide
            failed = error
            if str(error).endswith("is not filled in."):
                raise Unreadable(str(error)) from None
            if session.end is not None:
                raise session.end from None
        answer = fitted(self.problem, {slot: remote.function})
        by = self._gradients(slot, part.rule.claims)
        alike = False
        with suppress(CodeError):  # the claims come to it too
            alike = failed is None and bool(by) and same_slopes(remote.ask, asked.hidden, by, seen)
        refuted = None if alike else self._refuted(remote, answer, part.rule.claims)
        remote.left = ROWS
        if refuted is None:
            if self._written_by_hand(remote, asked, run.submission):
                says_ = "its gradient is not the slope of its value: is it written by hand?"
                return Judgement("FAIL", (says_,) if self.rubric.show != "verdict" else ())
            if failed is None and same_values(remote.ask, asked.hidden, remote.numpy, seen):
                return Judgement("PASS")
            held = "its gradient is the page's" if alike else "all that is claimed of it holds"
            return Judgement("PASS", (f"{held}, its value is another",))
        if refuted.verdict == "UNDECIDED":
            return Judgement("UNDECIDED", (*refuted.says, *self._named(remote, asked), *self._other(remote, asked, seen)))
        if failed is not None:
            return Judgement("FAIL", self._shape(remote, asked, str(failed)))
        return Judgement("FAIL", self._feedback(remote, asked, seen, refuted, answer))

    def _known(self, slot: Any) -> _Asked:
        if slot.__name__ not in self._asked:
            hidden = samples(self.problem, slot, self.seed, HIDDEN)
            shown = hidden if self.seed == 0 else samples(self.problem, slot, 0, SHOWN)
            self._asked[slot.__name__] = _Asked(Function(slot), hidden, shown, self._free(slot))
        return self._asked[slot.__name__]

    def _free(self, slot: Any) -> set[str]:
        """Variables by which no claim that reaches the function takes a gradient; and draws, where no other function calls it."""
        leaves = [q for c in self.problem.claims if c.reaches({slot: slot}) for q, _ in c.quantities() if isinstance(q, Leaf)]
        reaching = [q for q in leaves if is_code(q.of) and slot in slots(q.of)]
        by = [q.wrt for q in reaching if isinstance(q, Gradient)]
        taken = {v.name for wrt in by for v in blocks(wrt, self.problem.bound.parameters)}
        alone = all(q.of is slot for q in reaching)
        return {*(self.problem.bound.names if alone else self.problem.bound.variables)} - taken

    def _sight(self, asked: _Asked, named: Sequence[str]) -> Sight:
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
        by: dict[str, None] = {}
        for claim in self._claims(self.problem, slot, named):
            leaves = [q for q, _ in claim.quantities() if isinstance(q, Leaf) and is_code(q.of) and slot in slots(q.of)]
            gradients = [q for q in leaves if isinstance(q, Gradient) and q.of is slot]
            if not gradients or len(gradients) < len(leaves):
                return []
            by |= {v.name: None for q in gradients for v in blocks(q.wrt, self.problem.bound.parameters)}
        return list(by)

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
            for claim in sorted(self._claims(page, functions[slot.__name__], rule), key=_cost):
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

    def _feedback(self, remote: Remote, asked: _Asked, seen: Sight, refuted: Judgement, answer: Answer) -> tuple[str, ...]:
        show, out = self.rubric.show, list[str]()
        if show == "verdict":
            return ()
        if refuted.says[1:] and refuted.says[1]:
            out.append(refuted.says[1])
        with (
            np.errstate(all="ignore"),
            suppress(GradcheckError, ValueError, TooMuch),
        ):  # without a hint it is as wrong as with one
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

    def _difference(self, remote: Remote, asked: _Asked, seen: Sight) -> Difference | None:
        by = self._slopes_by(asked.function.slot)
        return Search(remote.ask, asked.function, self.problem.bound.variables, by, seen).simplest(asked.shown)

    def _other(self, remote: Remote, asked: _Asked, seen: Sight) -> tuple[str, ...]:
        """Where what is undecided is not the page's own function, which it need not be."""
        if self.rubric.show == "counterexample":
            with np.errstate(all="ignore"), suppress(GradcheckError, ValueError, TooMuch):
                if (difference := self._difference(remote, asked, seen)) is not None:
                    return tuple(_example(difference, "is the page's own"))
        return ()

    def _slopes_by(self, slot: Any) -> list[str]:
        """What the claims take gradients of this function by. Then an example shows one."""
        claims = self._claims(self.problem, slot, ())
        gradients = [q for c in claims for q, _ in c.quantities() if isinstance(q, Gradient) and q.of is slot]
        return list(dict.fromkeys(v.name for q in gradients for v in blocks(q.wrt, self.problem.bound.parameters)))

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

    def _named(self, remote: Remote, asked: _Asked) -> tuple[str, ...]:
        """The name of a mistake, where it has one."""
        if self.rubric.show == "verdict" or not self.rubric.hints:
            return ()
        with np.errstate(all="ignore"), suppress(GradcheckError, ValueError, TooMuch):
            if mistake := hints.name(asked.answered(remote), asked.told, asked.known(self.problem)):
                return (f"the mistake: {mistake}",)
        return ()

    def _shape(self, remote: Remote, asked: _Asked, reason: str) -> tuple[str, ...]:
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

    def _written_by_hand(self, remote: Remote, asked: _Asked, submission: Submission) -> bool:
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

    # ---- formulas and numbers ---------------------------------------------------------------------------------------------

    def _text(self, part: Part, submission: Submission) -> Judgement:
        text = submission.texts.get(part.id, "").strip()
        if not text:
            raise Unreadable(f'`{part.id}` is not filled in: write {part.id} = "...".')
        names = {} if part.kind == NUMBER else self._names_in(part)
        answer = parse_tex(text, names) if "\\" in text else parse(text, names)
        left, right = entries(answer), list(part.expected)
        if part.kind == NUMBER:
            left = _counted(part, left)
            if _known(part, text, left):
                return Judgement("PASS")
            if _inexact.search(text):
                return Judgement("FAIL", self._of_decimals(left, right, part.rule.digits) or self._of_numbers(part, left))
        elif len(left) == 1 and len(right) > 1:
            left = left * len(right)
        expected = array(*right)
        ruling = compare_formulas(array(*left), expected, self.seed)
        if ruling.verdict in (Verdict.PROVED, Verdict.AGREES):
            return Judgement("PASS")
        if ruling.verdict is Verdict.UNDECIDED:
            note = ruling.note or "neither a proof nor a counterexample was found"
            return Judgement("UNDECIDED", (note, *self._untold(part, left, right)))
        return Judgement("FAIL", self._of_formula(part, left, right))

    def _names_in(self, part: Part) -> dict[str, Any]:
        """The variables that a formula may be of: those of the question, and of what is expected."""
        assert part.claim is not None
        own, free = mentioned(part.claim, self.problem), {a for e in part.expected for a in e.free_symbols}
        variables = self.problem.bound.variables
        return {name: v for name, v in variables.items() if name in own or free & set(v.atoms.ravel())}

    def _of_formula(self, part: Part, left: Sequence[Any], right: Sequence[Any]) -> tuple[str, ...]:
        if self.rubric.show == "verdict":
            return ()
        out: list[str] = []
        if self.rubric.hints and (says_ := _multiple(left, right, self.seed)):
            out.append(f"the mistake: {says_}")
        elif self.rubric.hints and any(e.has(sp.pi) for e in left) and not any(e.has(sp.pi) for e in right):
            out.append("`pi` is 3.14... in a formula: where a policy is meant, write it out")
        elif self.rubric.hints and (missing := self._missing(left, right)):
            out.append(f"what was expected has {missing} in it too")
        if self.rubric.show == "counterexample" and part.kind != NUMBER:
            shown = compare_formulas(array(*left), array(*right), 0)
            if shown.verdict is Verdict.REFUTED and shown.points is not None:
                out.append(f"at {_place(shown)}: {shown.note}" if shown.note else f"it differs at {_place(shown)}")
        return tuple(out) or (self._of_numbers(part, left) if part.kind == NUMBER else ())

    def _missing(self, left: Sequence[Any], right: Sequence[Any]) -> str:
        """The variables that what was expected is of, and the answer is not."""
        theirs, ours = (set[Any]().union(*(e.free_symbols for e in side)) for side in (left, right))
        cells = {name: set(v.atoms.ravel()) for name, v in self.problem.bound.variables.items()}
        return " and ".join(f"`{name}`" for name, atoms in cells.items() if ours & atoms and not theirs & atoms)

    def _untold(self, part: Part, left: Sequence[Any], right: Sequence[Any]) -> tuple[str, ...]:
        """A point that may be shown where a formula is undecided."""
        if self.rubric.show != "counterexample" or part.kind == NUMBER:
            return ()
        shown = compare_formulas(array(*left), array(*right), 0)
        if shown.verdict is not Verdict.UNDECIDED or shown.points is None or not (place := _place(shown)):
            return ()
        return (f"such a point is {place}",)

    def _of_decimals(self, left: Sequence[Any], right: Sequence[Any], digits: int) -> tuple[str, ...]:
        if self.rubric.show == "verdict" or not self.rubric.hints:
            return ()
        return tuple(f"the mistake: {says_}" for factor, says_ in FACTORS if _near(left, [factor * e for e in right], digits))

    def _of_numbers(self, part: Part, left: Sequence[Any]) -> tuple[str, ...]:
        """The first of several that is wrong, as of a formula."""
        if self.rubric.show != "counterexample" or len(left) == 1:
            return ()
        steps = _steps(part.expected, part.rule.digits)
        wrong = [not _within(*numbers) for numbers in zip(left, part.expected, steps, strict=True)]
        return (f"entry {wrong.index(True)} is another than was expected, counted from 0",) if any(wrong) else ()


class _Run:
    """The workers of one submission: one, and another where it ended before all parts were asked."""

    def __init__(self, grader: Grader, submission: Submission, adapted: Mapping[str, str]) -> None:
        self.grader, self.submission = grader, submission
        self._functions = {p.id: adapted.get(p.id, p.id) for p in grader.parts if p.kind == FUNCTION}
        self._session: Session | None = None
        self._last: Ended | None = None
        self._lives = LIVES
        self.output, self.isolation = "", grader.tier.name

    def name(self, part: str) -> str:
        """What the submission calls it."""
        return self._functions[part]

    @property
    def end(self) -> Ended | None:
        return None if self._session is None else self._session.end

    def session(self) -> Session:
        if self._session is None:
            if self._lives == 0 and self._last is not None:
                raise Ended(self._last.word, self._last.says)
            self._lives -= 1
            texts = [n for part in self.grader.parts if part.kind != FUNCTION for n in self.submission.assigned.get(part.id, ())]
            config = {
                "sources": dict(self.submission.sources),
                "modules": self.submission.modules,
                "main": MAIN,
                "left_out": self.submission.left_out,
                "tried": [*self.submission.tried, *texts],  # a formula without quotes is read, and need not run
                "cells": self.submission.cells,
                "functions": self._functions,
                "libraries": list(dict.fromkeys([*self.submission.libraries, *self.grader.libraries])),
            }
            self._session = Session(self.grader.tier, self.grader.limits, config)
            self.isolation = says(self.grader.tier, self._session.ready)
            try:
                assert self._session.functions is not None
            except Ended as error:
                self._last, self._lives = error, 0  # what happens at import happens to every part
                self._bury()
                raise
        return self._session

    def settled(self) -> None:
        """A worker that is gone is buried, so that the next part gets another."""
        if self._session is not None and self._session.end is not None:
            self._last = self._session.end
            self._bury()

    def close(self) -> None:
        self._bury()

    def _bury(self) -> None:
        if self._session is not None:
            self._session.close()
            self.output = self.output or self._session.output
            self._session = None


def _told(part: Part, found: Judgement, seconds: float) -> Result:
    points = part.rule.points if found.verdict == "PASS" else 0.0
    shown = tuple(clean(line) for text in found.says for line in text.split("\n") if line.strip())
    return Result(part.id, part.kind, found.verdict, points, part.rule.points, part.rule.visibility, shown, seconds)


@contextmanager
def _bounded(seconds: float) -> Generator[None]:
    """Within this block the parent's own work ends in time. Only the main thread can be interrupted so."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: Any) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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


def _cost(claim: Claim) -> int:
    """Given data first, covariances last."""
    return 2 if any(isinstance(q, Covariance) for q, _ in claim.quantities()) else int(claim.at is None)


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
    return plain(np.vectorize(_short, otypes=[object])(flat).tolist()) if flat.ndim else _short(float(flat))


def _short(x: float) -> str:
    return f"{x:.6g}"


def _place(ruling: Ruling) -> str:
    """The point of a ruling, in words."""
    points = ruling.points
    return ", ".join(f"{k} = {plain(v)}" for k, v in points.witness(ruling.at, list(points.variables)).items())


def _counted(part: Part, given: Sequence[Any]) -> list[Any]:
    """As many numbers as were asked for; one may stand for several that are equal."""
    count = len(part.expected)
    alike = len(given) == 1 and all(e == part.expected[0] for e in part.expected)
    if len(given) != count and not alike:
        has, asked = (f"{n} numbers" if n > 1 else "one number" for n in (len(given), count))
        raise Unreadable(f"`{part.id}` has {has}, and {asked} {'were' if count > 1 else 'was'} asked for: write [a, b, ...].")
    return [*given] * count if alike else [*given]


def _known(part: Part, text: str, given: Sequence[Any]) -> bool:
    """Are these the numbers: exactly, or where a decimal is among them to as many digits as are asked for?"""
    if all(a == b for a, b in zip(given, part.expected, strict=True)):
        return True
    digits = part.rule.digits
    if not _inexact.search(text):
        return False
    if _near(given, part.expected, digits):
        return True
    typed = _typed(text)
    half = [sp.S.Half * sp.Integer(10) ** x if x is not None else 0 for x in typed]
    coarse = [max(h, s) for h, s in zip(half, _steps(part.expected, digits), strict=False)]
    if len(typed) != len(given) or not all(map(_within, given, part.expected, coarse)):
        return False
    raise Unreadable(f"`{part.id}` is known to too few digits: write it exactly, as 1/3, or to {digits} digits.")


def _near(given: Sequence[Any], expected: Sequence[Any], digits: int) -> bool:
    return all(map(_within, given, expected, _steps(expected, digits)))


def _steps(expected: Sequence[Any], digits: int) -> list[Any]:
    """Half a unit of the last digit that is asked for: of each number, and of a zero that of the largest."""
    orders = [Decimal(str(sp.N(abs(e), 20))).adjusted() if e != 0 and e.is_finite else None for e in expected]
    largest = max((n for n in orders if n is not None), default=0)
    return [sp.S.Half * sp.Integer(10) ** ((largest if n is None else n) - digits + 1) for n in orders]


def _within(a: Any, b: Any, most: Any) -> bool:
    return a == b or bool((gap := sp.N(a - b, 60)).is_finite and abs(gap) <= most)


def _typed(text: str) -> list[int | None]:
    """Where the last digit of each number stands; None of what is no decimal."""
    words = text.replace("\N{MINUS SIGN}", "-").strip("[]()+ \t\n").split(",")
    return [_last_digit(word.replace(" ", "")) for word in words]


def _last_digit(word: str) -> int | None:
    try:
        return int(Decimal(word).as_tuple().exponent) if _inexact.search(word) else None
    except InvalidOperation:
        return None


def _multiple(left: Sequence[Any], right: Sequence[Any], seed: int) -> str:
    """Is a formula minus or a few times the right one?"""
    if len(left) != len(right):
        return ""
    for factor, says_ in FACTORS:
        try:
            if compare_formulas(array(*left), array(*(factor * e for e in right)), seed).verdict in (
                Verdict.PROVED,
                Verdict.AGREES,
            ):
                return says_
        except GradcheckError:
            return ""
    return ""
