"""What is wrong with a problem file, and what may be mended though it runs: found without checking a claim."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .answers import planted
from .claims import COARSEST, Claim, Raises
from .derivation import Derivation
from .errors import GradcheckError, ProblemError, Unsuitable
from .evaluators import sampled
from .expressions import compiled, needs_integration
from .judge import Judge
from .load import load, locate, parse, typed, why
from .problem import Problem
from .quantities import Printed, slots

MANY, DRAWS = 3, 100


def linted(name: str) -> tuple[list[str], list[str]]:
    """Faults, by which a run ends or has nothing to say, and advice: the file, a line where it is known, and a sentence."""
    path = locate(name)
    tree = parse(path)
    faults, advice = list[str](), [*_torch_at_once(tree), *_written_twice(tree)]
    try:
        problem = load(name)
        faults += [*_repeated(problem), *_unfit(problem), *_broken(problem)]
        advice += [*_left_out(tree, problem), *_unprovoked(tree, problem, typed(path)), *_alike(tree, problem)]
        advice += [*_too_few_digits(tree, problem), *_one_line(tree, problem), *_too_fine(tree, problem)]
        list(problem.also)  # a page must run at its other sizes too
    except ProblemError as error:
        faults.append(str(error))
    faults = [says if says.startswith(str(path)) else f"{path}: {says}" for says in dict.fromkeys(faults)]
    return faults, [f"{path}:{line}: advice: {says}" for line, says in sorted(advice)]


def _repeated(problem: Problem) -> Iterable[str]:
    items = list(problem.names.values())
    if len(items) == len(problem.mistakes):
        yield "it claims nothing, so that nothing is checked: write claims=(...) of its `problem`."
    names = {item: name for name, item in reversed(problem.names.items())}
    for item, count in Counter(items).items():
        if count > 1:
            yield f"`{names[item]}` is listed {count} times in `problem`: list it once."


def _unfit(problem: Problem) -> Iterable[str]:
    for mistake in problem.mistakes:
        try:
            planted(problem, mistake)
        except ProblemError as error:
            yield str(error)


def _broken(problem: Problem) -> Iterable[str]:
    """Claims of which no number comes, each tried at one point; not of code that gave none, and integrals of new code alone:
    other integrals are compiled."""
    judge = Judge(problem, 0, 1, proving=False)
    judge.samples = DRAWS
    seen, failed = set[object](), set[object]()
    for claim in sorted(problem.stated, key=lambda claim: claim.at is None):
        used = {slot for top in claim.code() for slot in slots(top)}
        if isinstance(claim.that, Raises) or (used and used <= failed):
            continue
        try:
            if used <= seen and (integrals := _integrals(problem, claim)):
                _compiled(integrals, claim)
                continue
            seen |= used
            judge.settle(claim.without(sampled.NAME) or claim, {}, witness=False)
        except ImportError:
            raise
        except Exception as error:
            failed |= used
            yield str(error) if isinstance(error, GradcheckError) else why(Path(problem.path), error)


def _compiled(formulas: list[Any], claim: Claim) -> None:
    """That takes no time, and stumbles over what has no value."""
    try:
        compiled(formulas)
    except Unsuitable:
        pass
    except ProblemError as error:
        raise ProblemError(f"{claim.says!r}: {error}") from error


def _integrals(problem: Problem, claim: Claim) -> list[Any]:
    """The formulas of a claim, if some are to be integrated."""
    sides = (q for relation in (claim.that, claim.where) if relation is not None for q in relation.sides)
    found = [e for side in sides for q, _ in side.walk() for e in problem.bound.formulas(q) or ()]
    return found if needs_integration(found) else []


def _alike(tree: ast.Module, problem: Problem) -> Iterable[tuple[int, str]]:
    """Sentences that several claims say of which no name is written: a report tells them apart by a number."""
    unnamed = {item for item in (*problem.claims, *problem.errata) if item not in problem.given_names}
    for says, count in Counter(item.says for item in unnamed).items():
        if count > 1:
            yield _line(tree, "problem"), f"{count} claims say {says!r}: give each a name, as in `one = Claim(...)`."


def _too_few_digits(tree: ast.Module, problem: Problem) -> Iterable[tuple[int, str]]:
    """Claims about printed numbers that are known less well than the resolution asks, which stay undecided."""
    for name, claim in problem.names.items():
        if isinstance(claim, Claim) and not isinstance(claim.that, Raises):
            printed = [side for side in claim.that.sides if isinstance(side, Printed)]
            rows = [(r, 1 + abs(float(d))) for side in printed for d, r in zip(side.digits, side.radii, strict=True)]
            if any(radius > size * claim.resolution for radius, size in rows):
                wanted = min(max(radius for radius, _ in rows), COARSEST)
                seen = all(radius <= size * wanted for radius, size in rows)
                mend = f"write resolution={wanted:g}" if seen else "quote more of them"
                yield _line(tree, name), f"`{name}` has too few digits for resolution={claim.resolution:g}: {mend}."


def _too_fine(tree: ast.Module, problem: Problem) -> Iterable[tuple[int, str]]:
    """Claims that are decided by samples alone, of a resolution that nobody chose for samples."""
    for name, claim in problem.names.items():
        if isinstance(claim, Claim) and {*claim.routes} == {sampled.NAME} and claim.resolution == Claim.resolution:
            says = f"`{name}` is sampled alone, to a resolution of {claim.resolution:g}, which takes more draws than there are"
            yield _line(tree, name), f"{says}: write one that samples can see, as resolution={COARSEST}."


def _one_line(tree: ast.Module, problem: Problem) -> Iterable[tuple[int, str]]:
    for name, chain in problem.names.items():
        if isinstance(chain, Derivation) and not chain.steps:
            yield _line(tree, name), f"`{name}` is one line, of which nothing is checked: write what it equals, and why."


def _torch_at_once(tree: ast.Module) -> Iterable[tuple[int, str]]:
    for node in tree.body:
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module)):
                modules = [module]
            case _:
                modules = []
        if any(module.partition(".")[0] == "torch" for module in modules):
            yield node.lineno, "torch is imported when the file is read, which is slow: write `from gradcheck_rl import torch`."


def _written_twice(tree: ast.Module) -> Iterable[tuple[int, str]]:
    """A name that a later line takes from an earlier one, without using it: what it stood for may be lost."""
    first: dict[str, int] = {}
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names = [name]
            case ast.Assign(targets=targets, value=value):
                used = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
                names = [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name) and n.id not in used]
            case _:
                names = []
        for name in names:
            if first.setdefault(name, node.lineno) != node.lineno:
                yield node.lineno, f"`{name}` is written before, on line {first[name]}: give one of them another name."


def _left_out(tree: ast.Module, problem: Problem) -> Iterable[tuple[int, str]]:
    """What has a name in the file and no place in the problem."""
    placed = {*problem.names.values(), *(erratum.instead for erratum in problem.errata)}
    for item, name in problem.given_names.items():
        if item not in placed:
            yield _line(tree, name), f"`{name}` is written but not listed in `problem`: it is not checked."


def _unprovoked(tree: ast.Module, problem: Problem, typed: str) -> Iterable[tuple[int, str]]:
    """Functions of which no planted mistake shows that a claim would notice. What errata alone run is meant to be wrong."""
    replaced = {function for mistake in problem.mistakes for function in mistake.answer}
    right = [*problem.claims, *(erratum.instead for erratum in problem.errata)]
    claimed = {slot for claim in right for top in claim.code() for slot in slots(top)} - replaced
    names = [name for name, function in problem.functions.items() if function in claimed and name != "<lambda>"]
    for name in names[:MANY]:
        yield _line(tree, name), f"no mistake replaces `{name}`: nothing shows that a claim would notice a wrong one."
    if len(names) > MANY:
        more = len(names) - MANY
        others = f"and {more} more function{'s are' if more > 1 else ' is'} not replaced"
        yield _line(tree, "problem"), f"{others}: `mistakes {typed} --mutants` tries what is wrong."


def _line(tree: ast.Module, name: str) -> int:
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=defined) | ast.Assign(targets=[ast.Name(id=defined)]) if defined == name:
                return node.lineno
            case _:
                pass
    return 1
