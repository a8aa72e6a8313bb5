"""What a page shows beside its claims: blind spots of its data, the flow of gradients, its derivations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from flint import fmpq

from . import typeset
from .claims import Claim, Equal
from .derivation import Derivation
from .errors import CodeError, ProblemError, Unsuitable
from .estimate import Estimate
from .evaluators import Scene, autodiff, evaluate, loose_atoms, plain, random_atoms, some_outcomes
from .judge import Answer, Judge, Settled
from .notation import notation
from .places import needed
from .points import Points, given, stack
from .problem import Problem
from .quantities import Exact, Gradient, Mean, Printed, is_code
from .report import BlindSpot, Chain, Flow, Form
from .verdict import Ruling, Verdict


def blind_spots(problem: Problem, judge: Judge) -> list[BlindSpot]:
    """At the published data, which inputs could be anything? Each is moved, and the answer watched."""
    found: list[BlindSpot] = []
    for name, claim in problem.names.items():
        if not (isinstance(claim, Claim) and claim.at is not None and type(claim.that) is Equal):
            continue
        left, right = claim.that.sides
        if not isinstance(right, (Printed, Exact)) or not isinstance(left, (Mean, Gradient)):
            continue
        here = given(judge.world.variables, claim.at, needed(claim, judge.world))
        moves = [move for n in needed(claim, judge.world) for move in _moves(here, n)]
        scene = judge.scene(claim, stack([here, *(moved for _, moved in moves)]), {})
        if loose_atoms(left, scene):  # each outcome has an answer of its own
            continue
        try:
            there = evaluate(left, scene)
        except (CodeError, Unsuitable):
            continue
        seen = {label for (label, _), moved in zip(moves, _moved(there, claim.resolution)[1:], strict=True) if moved}
        still = [label for label in dict.fromkeys(label for label, _ in moves) if label not in seen]
        if still:
            found.append(BlindSpot(name, claim.says, still))
    return found


def _moves(points: Points, name: str) -> list[tuple[str, Points]]:
    """The point with one entry of a variable moved up, and down, to another value that its space holds."""
    variable, value = points.variables[name], points.exact[name]
    out: list[tuple[str, Points]] = []
    for i, atom in enumerate(variable.atoms.ravel()):
        for steps in ((fmpq(1, 7), fmpq(1)), (fmpq(-1, 7), fmpq(-1))):
            for step in steps:
                moved = value.copy().reshape(1, -1)
                moved[0, i] = moved[0, i] + step
                if variable.over.holds(moved.reshape(variable.shape)):
                    out.append((str(atom), points.with_(name, moved.reshape(value.shape))))
                    break
    return out


def _moved(x: Estimate, resolution: float) -> Any:
    """At which points it is not what it is at the first, of exact numbers by anything, of floats by more than rounding; or may be
    another, as it is not known to the resolution."""
    first = x.map(lambda part: part[:1])
    off = x - first
    with np.errstate(all="ignore"):
        rounding = off.radius + (1e-9 * (1 + np.abs(first.value)) if x.exact is None else 0.0)
        far = (np.abs(off.value) > rounding) | (off.radius > resolution * (1 + np.abs(first.value)))
    return (far | (np.isfinite(first.value) != np.isfinite(x.value))).any(axis=(1, 2))


def flows(problem: Problem, judge: Judge, answer: Answer) -> list[Flow]:
    """What each torch function of the claims sends to each block of parameters."""
    found: dict[str, Flow] = {}
    if not judge.world.parameters or not len(judge.points):
        return []
    points = judge.places.image(judge.points)
    for claim in problem.claims:
        if answer and not claim.reaches(answer):
            continue
        for q, over in claim.quantities():
            if not isinstance(q, Gradient) or not is_code(q.of) or plain.is_numpy(q.of) or (name := q.of.__name__) in found:
                continue
            scene = Scene(judge.world, points, answer, seed=judge.seed, name=name)
            try:
                atoms = random_atoms(q, scene, over)
                outcomes = some_outcomes(atoms, scene.world.over(over), scene) if atoms else None
                found[name] = Flow(name, autodiff.flow(q.of, scene, outcomes))
            except (CodeError, Unsuitable, ProblemError):
                continue
    return list(found.values())


def chains(problem: Problem, names: Collection[str]) -> list[Chain]:
    """The derivations of these names, each line as a tree, as text and as LaTeX."""
    found: list[Chain] = []
    for name, d in problem.names.items():
        if isinstance(d, Derivation) and name in names:
            trees = [notation(e) for e, _ in d.lines]
            forms = tuple(
                Form(f"{name}.{n}", typeset.text(tree), typeset.latex(tree), why, tree)
                for n, (tree, (_, why)) in enumerate(zip(trees, d.lines, strict=True))
            )
            sizes = {str(k): [int(n) for n in tried] for k, tried in d.sizes.items()}
            found.append(Chain(d.title, forms, tuple(f"{name}.{n}" for n in range(1, len(d.lines))), sizes))
    return found


def at_sizes(settled: Settled, d: Derivation, n: int) -> Settled:
    """Line n of a derivation: what is known at some sizes, and not for any, agrees. It says at which; what is refuted, at one."""
    best, sizes = settled.best, d.sizes_of(n)
    if sizes and best.verdict is Verdict.REFUTED and best.left is not None and best.right is not None:
        each = max(best.left.shape[-1], best.right.shape[-1]) // len(d.cases)  # one number may stand for many
        case = d.cases[best.coordinate // each]
        return replace(settled, witness={**{str(k): str(case[k]) for k in sizes}, **(settled.witness or {})})
    proved = best.verdict is Verdict.PROVED
    if not sizes or not (proved or best.verdict is Verdict.AGREES) or (proved and d.for_any(n)):
        return settled

    def agreeing(r: Ruling) -> Ruling:
        return replace(r, verdict=Verdict.AGREES) if r.verdict is Verdict.PROVED else r

    tried = "; ".join(f"{k} = {', '.join(map(str, ns))}" for k, ns in sizes.items())
    remark = "; ".join(filter(None, (f"{'proved' if proved else 'checked'} at {tried}", best.remark)))
    return replace(settled, rulings=tuple(map(agreeing, settled.rulings)), best=replace(agreeing(best), remark=remark))
