"""Mutants: small edits of a page's model lines and reference functions. A claim that matters refutes each of them.

The edits are made in the syntax tree that the author wrote, since SymPy would have rewritten it. A mutant of a function is
tried as an answer; a mutant of any other line makes a page of its own, whose model and code disagree. A survivor is a change
of which the page says nothing, unless it is proved to change nothing: as a formula at every size of the page, as code written
out, or, of functions that take nothing, by what they give at each size. Of a survivor whose functions have the same values
and gradients at every point tried, that is said: it is likely to change nothing, and no proof.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from .bundles import Bundle
from .calculus import free, has
from .chance import chance
from .claims import Claim, Equal, Erratum, Raises, cost
from .derivation import Derivation
from .edits import Change, calls, changes, loads, parameters
from .errors import GradcheckError, InputError, ProblemError, did_you_mean, told, was_interrupted
from .evaluators import sampled
from .expectation import Slope
from .judge import Judge, Settled
from .laws import Draw, randoms, with_parents
from .load import parse, variant
from .loop import HOLDS, Progress, stopped
from .normal_form import Budget, is_zero
from .points import generator
from .problem import Problem
from .quantities import Covariance, Gradient, Mean, Quantity, Value, blocks, is_code, lowered, slots
from .same_code import same_code
from .symbols import Atom, Named, Size, Symbols, Variable, bare, entries, frozen_, rebuilt, sizes, thaw
from .verdict import Verdict

SCHEMA = "gradcheck_rl/mutants/1"
UNLOADED = "the page does not load"
POINTS, MORE = 3, 24
PREAMBLE = ast.parse("from gradcheck_rl import frozen").body
ROUNDS = 10**5  # of a `while` loop, which an edit may leave without an end


class Mutant(NamedTuple):
    """An edit, its line, and the claim that refutes it, or the proof that it changes nothing; neither: it survives.

    `stops`: no number refutes it, it gives none. `unforeseen`: an error of this package, which says nothing of the edit.
    """

    name: str
    line: int
    killed_by: str | None = None
    equivalent: str = ""
    alike: bool = False
    stops: bool = False
    unforeseen: str = ""

    @property
    def survives(self) -> bool:
        return not self.killed_by and not self.equivalent

    @property
    def fate(self) -> str:
        if self.unforeseen:
            return f"SURVIVES an error that was not foreseen: {self.unforeseen}"
        if self.survives:
            return f"SURVIVES, the same at each of {MORE} points" if self.alike else "SURVIVES"
        if self.stops:
            return "does not load" if self.killed_by == UNLOADED else f"stops at {self.killed_by}"
        return f"killed by {self.killed_by}" if self.killed_by else "equivalent, proved"


Became = dict[str, Any]  # fields of a Mutant


def summary(found: Sequence[Mutant]) -> dict[str, int]:
    return {
        "killed": sum(bool(m.killed_by) for m in found),
        "stopped": sum(m.stops for m in found),
        "equivalent": sum(bool(m.equivalent) for m in found),
        "surviving": sum(m.survives for m in found),
        "alike": sum(m.alike for m in found),
    }


def as_json(problem: Problem, found: Sequence[Mutant], error: str = "") -> str:
    rows = [m._asdict() | {"survives": m.survives} for m in found]
    whole = {"schema": SCHEMA, "problem": problem.name, "summary": summary(found), "mutants": rows}
    return json.dumps(whole | ({"error": error} if error else {}), indent=2) + "\n"


def mutants(
    problem: Problem,
    seed: int = 0,
    limit: int | None = None,
    functions: Collection[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[Mutant]:
    """What becomes of each edit of the page, as soon as it is known, or of `limit` of them drawn by the seed; `functions` names
    the lines to edit."""
    if not problem.path:
        raise InputError(f"{problem.title!r} was not read from a file, which mutants are edits of: load it by its name or path.")
    page = _Page(problem, seed)
    changes_of = page.changes()
    line_of = {name: line for line in changes_of for name in _bound(page.statements[line])}
    claims = dict(page.claims)
    for name in functions or ():
        if name not in line_of and name not in problem.functions:
            reached = [f.__name__ for top in (claims[name].code() if name in claims else ()) for f in slots(top)]
            code = f" It is a claim about {', '.join(dict.fromkeys(reached))}." if reached else did_you_mean(name, line_of)
            raise InputError(f"no claim reaches a line `{name}` that could be edited.{code}")
    lines = changes_of.keys() if functions is None else {line_of.get(name) for name in functions}
    chosen = [(line, change) for line, found in changes_of.items() if line in lines for change in found]
    if limit is not None and limit < len(chosen):
        rng = generator(seed, problem.name, "mutants")
        chosen = [chosen[i] for i in sorted(rng.choice(len(chosen), limit, replace=False))]
    for done, (line, change) in enumerate(chosen, start=1):
        mutant = page.tried(line, change)
        if progress is not None:
            progress(done, len(chosen), f"{mutant.fate}  {mutant.name}")
        yield mutant


class _Page:
    def __init__(self, problem: Problem, seed: int) -> None:
        self.path, self.seed = Path(problem.path), seed
        self.tree, self.unedited = parse(self.path), parse(self.path)
        self.problem, self.values = variant(self.path, _bounded(self.tree))
        self.judge = cache(partial(Judge, self.problem, seed))
        self.many = max(MORE, self.problem.points)
        self.claims, self.again = _claims(self.problem), _again(self.problem)
        self.functions = {f.__name__: f for _, claim in self.claims for top in claim.code() for f in slots(top)}
        self.statements = {name: statement for statement in self.tree.body for name in _bound(statement)}
        self.originals = {name: statement for statement in self.unedited.body for name in _bound(statement)}
        self.lines_of: dict[str, set[str]] = {}  # by what code calls it
        for line in self.statements:
            for name in _calls_it(self.values.get(line)):
                self.lines_of.setdefault(name, set()).add(line)
        self.sizes = [{size.name: n} for size in self.values.values() if type(size) is Size for n in size.also]
        self.meaning = cache(lambda at: list(_meaning(self.problem if at is None else self._resized(at, self.unedited)[0])))
        self.reach = _closure({name: self._reads(name) & self.statements.keys() for name in self.statements})
        self.loaded = _closure({name: loads(line) & self.statements.keys() for name, line in self.statements.items()})
        placed = {claim: name for name, value in self.values.items() for claim in _stated(value)}
        self.homes = {name: placed[item] for name, item in self.problem.names.items() if item in placed}

    # ---- what is edited ---------------------------------------------------------------------------------------------------

    def changes(self) -> dict[str, list[Change]]:
        """The edits of each line that a claim depends on, in the order of the page."""
        roots = {name for statement in self.tree.body for name in self._named_by_claims(statement)}
        used = {*self.functions, *roots}.union(*(self.reach[name] for name in (*self.functions, *roots) if name in self.reach))
        found: dict[str, list[Change]] = {}
        for statement in self.tree.body:
            names = _bound(statement)
            if not used & set(names):
                continue
            if names[0] in self.functions:
                if self._is_measured(self.functions[names[0]]):
                    found[names[0]] = self._of_function(names[0])
            elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                found[names[0]] = changes(statement, live=self._parameters_through(names[0]))
            elif any(_is_formula(self.values[name]) for name in names):
                edits = self._of_model(statement, names)
                found[names[0]] = [change for change in edits if _binds(statement, change) in {None, *used}]
        return found

    def _is_measured(self, function: Callable[..., Any]) -> bool:
        """Does a claim say more of it than that it raises?"""
        return any(c.reaches({function: function}) and not isinstance(c.that, Raises) for _, c in self.claims)

    def _reads(self, name: str) -> set[str]:
        """The names in a line, and those that a function of the claims is given by name."""
        return loads(self.statements[name]) | self._given(name)

    def _given(self, name: str) -> set[str]:
        """The lines that make what a function of the claims is given by name."""
        statement = self.statements.get(name)
        asked = parameters(statement) if name in self.functions and isinstance(statement, ast.FunctionDef) else set[str]()
        return set[str]().union(*(self.lines_of.get(p, ()) for p in asked))

    def _named_by_claims(self, statement: ast.stmt) -> set[str]:
        stated = [item for name in _bound(statement) for item in _stated(self.values[name])]
        if stated:
            return loads(statement) if any(item in self.problem.names.values() for item in stated) else set()
        return set().union(*map(loads, calls(statement, "Claim"))) & self.statements.keys()

    def _of_function(self, name: str) -> list[Change]:
        live = self._parameters_through(name)
        return changes(self.statements[name], live=live, stop=lambda e: ast.Call(ast.Attribute(e, "detach", ast.Load()), [], []))

    def _parameters_through(self, name: str) -> set[str]:
        """What a claim differentiates by when it runs the code of this name."""
        return {v.name for v in self._blocks_through(name)}

    def _blocks_through(self, name: str) -> tuple[Variable, ...]:
        gradients = [q for _, claim in self.claims for q in _gradients(claim)]
        reached = [q for q in gradients if any(name in self.reach.get(f.__name__, ()) for f in slots(q.of))]
        return tuple(dict.fromkeys(v for q in reached for v in blocks(q.wrt, self.problem.bound.parameters)))

    def _of_model(self, statement: ast.stmt, names: Sequence[str]) -> list[Change]:
        live = {name for name, value in self.values.items() if _is_live(value)}
        # Minus a draw is no draw.
        whole = not any(isinstance(self.values[name], (Symbols, Bundle)) for name in names)
        found = changes(statement, whole, live, lambda e: ast.Call(ast.Name("frozen", ast.Load()), [e], []))
        # How many copies there are says how large a listing is, and no more.
        counts = {node for call in calls(statement, "batch") for many in call.args[1:] for node in ast.walk(many)}
        return [change for change in found if change.place.node not in counts]

    # ---- what becomes of it -----------------------------------------------------------------------------------------------

    def tried(self, name: str, change: Change) -> Mutant:
        bound = _binds(self.statements[name], change) or name
        with change.made():
            try:
                became = self._as_answer(name) if name in self.functions else self._as_page(name)
            except (GradcheckError, ImportError):
                raise
            except Exception as error:
                if was_interrupted(error):
                    raise KeyboardInterrupt from None
                became: Became = {"unforeseen": told(error)}
        return Mutant(f"{bound}, {change.says}", change.line, **became)

    def _as_answer(self, name: str) -> Became:
        function = self.functions[name]
        answer = {function: _executed(self.statements[name], function, str(self.path))}
        claims = [(n, c) for n, c in self.claims if c.reaches(answer)]
        if killed := self._refuted(self.problem, claims, answer):
            return killed
        if same_code(self.statements[name], self.originals[name], self.originals):
            return {"equivalent": "the same once its calls are written out"}
        others = {f for _, claim in self.claims for top in claim.code() for f in slots(top) if f is not top}
        whole = function not in others or not inspect.signature(function).parameters
        if became := self._unrefuted(name, answer, whole) or self._refuted(self.problem, claims, answer, self.many):
            return became
        return self._refuted(self.problem, [(n, c) for n, c in self.again if c.reaches(answer)], answer) or {}

    def _as_page(self, name: str) -> Became:
        edited = self._edited(name)
        try:
            other, others = variant(self.path, _bounded(edited))
        except ProblemError:
            return {"killed_by": UNLOADED, "stops": True}
        names = _bound(self.statements[name])
        claims, chains = self._concerned(other, names)
        if killed := self._refuted(other, claims, {}) or self._broken(chains):
            return killed
        if chains and not claims and all(map(self._is_proved, chains.values())):
            proved = {"equivalent": "a chain about anything of this kind, proved with the edit too"}
            return self._at_other_sizes(name) or proved
        edited_in = [f for f in self.functions if name in self.loaded.get(f, ())]
        is_function = isinstance(self.statements[name], (ast.FunctionDef, ast.ClassDef))
        here, there = ([] if is_function else [*_of_line([values[n] for n in names])] for values in (self.values, others))
        if (
            not edited_in
            and _same([*here, *self.meaning(None)], [*there, *_meaning(other)])
            and self._same_at_other_sizes(edited)
        ):
            return {"equivalent": "the same formula, of which no claim takes a derivative"}
        given = any(name in self.reach[line] for f in self.functions for line in self._given(f))
        changed = {} if given else {self.functions[f]: others[f] for f in edited_in if f in others}
        seen = set[str]().union(*map(self._named_by_claims, self.statements.values())) - set(self.homes.values())
        whole = {n for n in seen if name in self.reach.get(n, ())} <= {f.__name__ for f in changed}
        if became := self._unrefuted(name, changed, whole) or self._refuted(other, claims, {}, self.many):
            return became
        return self._refuted(other, [(n, c) for n, c in _again(other) if self._concerns(n, names)], {}) or {}

    def _edited(self, name: str) -> ast.Module:
        at = self.tree.body.index(self.statements[name])
        return ast.Module([*self.tree.body[:at], *PREAMBLE, *self.tree.body[at:]], [])

    def _same_at_other_sizes(self, edited: ast.Module) -> bool:
        try:
            return all(_same(self.meaning(at), list(_meaning(self._resized(at, edited)[0]))) for at in range(len(self.sizes)))
        except ProblemError:
            return False

    def _at_other_sizes(self, name: str) -> Became | None:
        """What becomes of an edit that nothing refutes at the page's own sizes."""
        edited, names = self._edited(name), _bound(self.statements[name])
        for at in range(len(self.sizes)):
            try:
                other, _ = self._resized(at, edited)
            except ProblemError:
                return {"killed_by": UNLOADED, "stops": True}
            claims, chains = self._concerned(other, names)
            if killed := self._refuted(other, claims, {}) or self._broken(chains):
                return killed
        return None

    def _resized(self, at: int, tree: ast.Module) -> tuple[Problem, dict[str, Any]]:
        with sizes(self.sizes[at]):
            return variant(self.path, _bounded(tree))

    def _concerned(self, page: Problem, names: Sequence[str]) -> tuple[list[tuple[str, Claim]], dict[str, Derivation]]:
        """The claims and the derivations of a page that depend on the line of these names."""
        chains = {n: d for n, d in page.names.items() if isinstance(d, Derivation) and self._concerns(n, names)}
        return [(n, c) for n, c in _claims(page) if self._concerns(n, names)], chains

    def _broken(self, chains: Mapping[str, Derivation]) -> Became | None:
        """The first step that does not hold."""
        for title, chain in chains.items():
            steps = [(f"{title}.{n}", claim) for n, claim in enumerate(chain.claims, start=1)]
            judge = Judge(Problem(chain.title, chain.claims), self.seed, POINTS)
            if killed := _refuted(judge, steps, {}, undecided=True):
                return killed
        return None

    def _unrefuted(self, name: str, changed: Mapping[Any, Any], whole: bool) -> Became | None:
        """Of an edit that stands here: where functions that take nothing are the whole of it, what they give is a proof."""
        if killed := self._at_other_sizes(name):
            return killed
        alike = self._alike(changed)
        if alike and whole and self._gives_the_same(name, changed):
            return {"equivalent": "it takes nothing, and gives the same"}
        return {"alike": True} if alike else None

    def _gives_the_same(self, name: str, changed: Mapping[Any, Any]) -> bool:
        """Are the functions constants, at each size of the page the same with the edit and without?"""
        pairs = list(changed.items())
        for at in range(len(self.sizes)):
            here, there = (self._resized(at, tree)[1] for tree in (self.unedited, self._edited(name)))
            pairs += [(here[f.__name__], there[f.__name__]) for f in changed]
        return all(_constant(*pair) for pair in pairs)

    def _alike(self, changed: Mapping[Any, Any]) -> bool:
        """Have the functions that the edit changes the same values and gradients at every point tried? Of one that a claim
        gives rows or copies of its own, `over=`, that is not known."""
        means = [q for _, claim in self.claims for q, _ in claim.quantities() if isinstance(q, (Mean, Covariance))]
        if not changed.keys().isdisjoint(slot for q in means if q.over is not None for top in q.code() for slot in slots(top)):
            return False
        judge = Judge(self.problem, self.seed, MORE)

        def found(one: Quantity, other: Quantity) -> Verdict | None:
            try:
                return judge.settle(Claim("", Equal(one, other)), {}, witness=False).best.verdict
            except Exception:  # what cannot be computed is compared with nothing
                return None

        def agree(one: Any, other: Any) -> bool:
            by = self._blocks_through(one.__name__)
            return all(found(of(one), of(other)) in HOLDS for of in (Value, *([lambda f: Gradient(f, by)] if by else [])))

        return bool(changed) and all(agree(*pair) for pair in changed.items())

    def _is_proved(self, chain: Derivation) -> bool:
        judge = Judge(Problem(chain.title, chain.claims), self.seed, POINTS)
        return all(judge.settle(step, {}, witness=False).best.verdict is Verdict.PROVED for step in chain.claims)

    def _concerns(self, claim: str, names: Sequence[str]) -> bool:
        """Does the claim depend on the line of these names? One that no line of the page names may."""
        home = self.homes.get(claim, "")
        return home not in self.reach or not self.reach[home].isdisjoint(names)

    def _refuted(
        self, page: Problem, claims: Sequence[tuple[str, Claim]], answer: Mapping[Any, Any], few: int = POINTS
    ) -> Became | None:
        """The first claim that fails with the edit, and does not without it. What few points leave undecided is asked at more."""
        for points in sorted({few, self.many}):
            judge = self.judge(points) if page is self.problem else Judge(page, self.seed, points)
            if found := _refuted(judge, claims, answer):
                name = found["killed_by"]
                by = dict(claims)[name].routes
                unedited = [(n, c) for n, c in (*self.claims, *self.again) if n == name and c.routes == by]
                if _refuted(self.judge(points), unedited, {}):
                    raise ProblemError(f"`{name}` of {self.problem.title!r} does not hold: mutants say nothing before it does.")
                return found
            claims = [(n, c) for n, c in claims if _settled(judge, c, answer).best.verdict is Verdict.UNDECIDED]
            if not claims:
                break
        return None


def _constant(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Do both take nothing but functions, draw nothing, and give the same to the last bit?"""
    from .backends import torch as backend

    if any(not is_code(p.default) for f in (one, other) for p in inspect.signature(f).parameters.values()):
        return False
    drew: list[bool] = []

    def watched(f: Callable[..., Any]) -> Callable[[], Any]:
        def run() -> Any:
            before, y = chance(), f()
            drew.append(chance() != before)
            return y

        return run

    pairs = [
        [backend.run(watched(f), {}, {}, {}, dtype, False, f).values for f in (one, other)] for dtype in ("float64", "float32")
    ]
    return not any(drew) and all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def _executed(statement: ast.stmt, function: Callable[..., Any], path: str) -> Any:
    """The function that an edited definition makes, among the names of its page."""
    code = compile(_bounded(ast.Module([statement], [])), path, "exec", annotations.compiler_flag, dont_inherit=True)
    made: dict[str, Any] = {}
    exec(code, inspect.unwrap(function).__globals__, made)  # noqa: S102  the definition is that of a page which has run already
    return made[function.__name__]


def _bounded(tree: ast.Module) -> ast.Module:
    """The same code, whose `while` loops end with an error where they would not end."""
    return _Bounded().visit(deepcopy(tree)) if any(isinstance(node, ast.While) for node in ast.walk(tree)) else tree


class _Bounded(ast.NodeTransformer):
    def visit_While(self, node: ast.While) -> list[ast.stmt]:
        self.generic_visit(node)
        left = f"rounds_left_{node.lineno}"
        count, once = ast.parse(f"{left} = iter(range({ROUNDS}))\nnext({left})").body
        node.body.insert(0, once)
        for added in (count, once):
            for part in ast.walk(added):
                ast.copy_location(part, node)
        return [count, node]


def _refuted(
    judge: Judge, claims: Sequence[tuple[str, Claim]], answer: Mapping[Any, Any], undecided: bool = False
) -> Became | None:
    """The first claim that fails, or cannot be computed any more. A step of generic functions is proved or `undecided`."""
    for name, claim in claims:
        try:
            settled = _settled(judge, claim, answer)
        except GradcheckError:  # the edited page is wrong
            return {"killed_by": name, "stops": True}
        if settled.best.verdict is Verdict.REFUTED or (undecided and settled.best.verdict is Verdict.UNDECIDED):
            return {"killed_by": name, "stops": stopped(settled, claim)}
    return None


def _settled(judge: Judge, claim: Claim, answer: Mapping[Any, Any]) -> Settled:
    return judge.settle(claim, answer, witness=False)


def _claims(problem: Problem) -> list[tuple[str, Claim]]:
    """What may refute a mutant, cheapest first. Errata are to fail: an edit of what is wrong is no mutant.

    Samples say again, slowly, what exact routes say: they are asked here only of code that nothing else is claimed of.
    """
    found: list[tuple[str, Claim]] = []
    drawn: list[tuple[str, Claim]] = []
    for name, item in problem.names.items():
        if isinstance(item, Erratum) and item.instead not in problem.claims:
            found.append((name, item.instead))
        elif isinstance(item, Claim):
            exact = item.without(sampled.NAME)
            (drawn if exact is None else found).append((name, exact or item))
    seen = {f for _, claim in found for top in claim.code() for f in slots(top)}
    found += [(name, claim) for name, claim in drawn if not seen.issuperset(f for top in claim.code() for f in slots(top))]
    return sorted(found, key=lambda pair: cost(pair[1]))


def _again(problem: Problem) -> list[tuple[str, Claim]]:
    """What samples say again: it is asked last, of an edit that no exact route refutes."""
    asked = {name: claim.routes for name, claim in _claims(problem)}
    drawn = [(n, c) for n, c in problem.names.items() if isinstance(c, Claim) and sampled.NAME in c.routes]
    return [(n, replace(c, by=sampled.NAME)) for n, c in drawn if sampled.NAME not in asked.get(n, ())]


def _gradients(claim: Claim) -> list[Gradient]:
    return [q for q, _ in claim.quantities() if isinstance(q, Gradient) and is_code(q.of)]


# ---- the names of a page --------------------------------------------------------------------------------------------------


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a statement of the page defines."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
        case _:
            return []


def _binds(statement: ast.stmt, change: Change) -> str | None:
    """Which of several names, each with its own value, an edit is about."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            about = (name for name, value in zip(names, values, strict=True) if change.place.node in ast.walk(value))
            return next((name.id for name in about if isinstance(name, ast.Name)), None)
        case _:
            return None


def _closure(reads: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """For each name, those that it depends on, itself included."""
    found: dict[str, set[str]] = {}
    for name in reads:
        known, left = {name}, [name]
        while left:
            new = reads[left.pop()] - known
            known |= new
            left += sorted(new)
        found[name] = known
    return found


def _calls_it(value: object) -> Iterator[str]:
    """The names by which code asks for what a line of the page defines."""
    match value:
        case Symbols():
            yield value.name
        case Bundle():
            yield from value.names
        case tuple() | list():
            for part in value:
                yield from _calls_it(part)
        case _:
            pass


def _stated(value: object) -> list[object]:
    """The claims and derivations in what a line of the page defines."""
    match value:
        case Claim() | Derivation():
            return [value]
        case tuple() | list():
            return [item for part in value for item in _stated(part)]
        case _:
            return []


def _is_formula(value: object) -> bool:
    """Does it belong to the model? Variables, data and bare symbols do not."""
    match value:
        case Quantity() | Draw() | Named() | Bundle():
            return True
        case sp.Symbol() | sp.IndexedBase() | Variable():
            return False
        case sp.Basic() | np.ndarray():
            return any(e.free_symbols for e in entries(value))
        case tuple() | list():
            return any(map(_is_formula, value))
        case _:
            return False


def _is_live(value: object) -> bool:
    """Is it a formula in a parameter?"""
    cells = entries(value) if isinstance(value, (Symbols, sp.Basic, np.ndarray)) and not isinstance(value, sp.Tuple) else []
    return any(isinstance(a.home, Variable) and a.home.parameter for e in cells for a in e.atoms(Atom))


# ---- proof ----------------------------------------------------------------------------------------------------------------


def _same(here: list[Any], there: list[Any]) -> bool:
    """Do the line and all claims say the same on both pages? Symbols are compared by name: each page has its own."""
    pairs, budget = zip(here, there, strict=False), Budget()
    return len(here) == len(there) and all(
        a == b or (isinstance(a, sp.Expr) and isinstance(b, sp.Expr) and is_zero(a - b, budget) is True) for a, b in pairs
    )


def _of_line(values: list[Any]) -> Iterator[Any]:
    """What a line stands for, a stop-gradient being no part of it."""
    for value in values:
        if isinstance(value, Quantity):
            yield type(value).__name__
        elif isinstance(value, Bundle):
            yield from _of_line([*value.names.values(), *value.draws])
        else:
            yield from (thaw(_by_names(e)) for e in (value.law.args if isinstance(value, Draw) else entries(value)))


def _meaning(problem: Problem) -> Iterator[Any]:
    """All formulas that the claims see, and those that code, of which nothing is edited, could be given by name.

    A stop-gradient may go where no derivative is to be taken, as of what code is given, and where it has nothing to stop.
    """
    world = problem.bound
    cells = [e for name in sorted(world.names) for e in entries(world.names[name])]
    laws = [part for draw in with_parents(randoms(*cells)) for part in draw.law.args]
    yield from (thaw(_by_names(e)) for e in [*cells, *laws])
    for name, claim in _claims(problem):
        yield name
        over = {x: None for _, x in claim.quantities() if x is not None}
        yield from _of_line([*over])
        stack = list(claim.that.sides)
        while stack:
            q = stack.pop()
            formulas = lowered(q, world.parameters, world.names)
            if formulas is None:
                yield type(q).__name__
                yield from (f.__name__ for f in q.code())
                stack += [part for part in q.parts if isinstance(part, Quantity)]
            else:
                done = (_held(e).doit(integrals=False) for e in formulas)  # which SymPy may look for without end
                yield from (_by_names(_held(e)) for e in done)
    for item in problem.derivations:
        yield from (_by_names(_held(bare(e))) for line, _ in item.lines for e in entries(line))


def _held(e: Any) -> Any:
    """Without the stop-gradients that stop nothing: what they hold has none of what derivatives in it are to be taken by."""
    return e if has(e, sp.Derivative) else _released(e, frozenset(node.args[1] for node in e.atoms(Slope)))


def _released(e: Any, by: frozenset[Any]) -> Any:
    if not has(e, frozen_):
        return e
    if isinstance(e, frozen_) and by.isdisjoint(free(e)):
        return thaw(e)
    return rebuilt(e, *(_released(a, by) for a in e.args))


def _by_names(e: Any) -> Any:
    e = bare(e)
    if isinstance(e, Atom):
        return sp.Symbol(e.name, real=True, positive=e.is_positive)
    return e.func(*map(_by_names, e.args)) if e.args else e
