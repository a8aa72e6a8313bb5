"""What of a problem can be asked for: its functions, formulas and numbers, and the file that a student fills in."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..claims import Claim, Equal
from ..errors import InputError, did_you_mean
from ..evaluators.plain import is_numpy
from ..laws import Bundle, Draw, Random, Rows
from ..problem import Problem
from ..quantities import (
    Combined,
    Component,
    Covariance,
    Exact,
    Gradient,
    Mean,
    Over,
    Printed,
    Quantity,
    Trace,
    Value,
    is_code,
    lowered,
)
from ..symbols import Atom, Pick, Variable, entries
from .rubric import Rubric, Rule
from .samples import samples

FUNCTION, FORMULA, NUMBER = "function", "formula", "number"
SHORT, MOST = 120, 3  # of formulas and numbers that are asked for without a rubric
WIDTH = 100


@dataclass(frozen=True)
class Part:
    """One thing that is asked for. `slot` of a function; `expected` of a formula or a number, as SymPy."""

    rule: Rule
    kind: str
    asks: str
    slot: Callable[..., Any] | None = None
    claim: Claim | None = None
    expected: tuple[Any, ...] = ()

    @property
    def id(self) -> str:
        return self.rule.id


def parts(problem: Problem, rubric: Rubric) -> list[Part]:
    """What the rubric asks for; without one, the functions that a planted mistake replaces, and the formulas and numbers
    that claims state."""
    if rubric.problem and rubric.problem not in (problem.id, problem.name):
        raise InputError(f"the rubric is for {rubric.problem}, and {problem.name} is graded: name the one it is for.")
    if not rubric.parts:
        return _all(problem)
    known = [*problem.functions, *(name for name, item in problem.names.items() if isinstance(item, Claim))]
    found: list[Part] = []
    for rule in rubric.parts:
        part = _part(problem, rule)
        if part is None:
            raise InputError(
                f"`{rule.id}` is neither a function nor a claim of {problem.name} that can be asked for."
                f"{did_you_mean(rule.id, known)} Functions: {', '.join(problem.functions)}."
            )
        found.append(part)
    return found


def _all(problem: Problem) -> list[Part]:
    replaced = {f.__name__ for mistake in problem.mistakes for f in mistake.answer}
    names = [name for name, slot in problem.functions.items() if name in replaced and samples(problem, slot, 0, 1)]
    found = [part for name in names if (part := _part(problem, Rule(name))) is not None]
    texts = [part for name, item in problem.names.items() if isinstance(item, Claim) and (part := _part(problem, Rule(name)))]
    for kind, of in ((FORMULA, Gradient), (NUMBER, Mean)):
        short = [p for p in texts if p.kind == kind and p.claim is not None and isinstance(_left(p.claim), of)]
        found += [p for p in short if len(p.asks) <= SHORT][:MOST]
    if not found:
        raise InputError(f"{problem.name} has nothing that could be asked for: no function with a planted mistake, no formula.")
    return found


def _part(problem: Problem, rule: Rule) -> Part | None:
    slot = problem.functions.get(rule.id)
    for name in rule.claims:
        claim = problem.names.get(name)
        if slot is None or not isinstance(claim, Claim) or not claim.reaches({slot: slot}):
            raise InputError(
                f"the part `{rule.id}` names the claim `{name}`, which is no claim about it.{did_you_mean(name, problem.names)}"
            )
    if slot is not None:
        kind = "numpy" if is_numpy(slot) else "torch"
        return Part(rule, FUNCTION, rule.asks or f"A function of {kind}.", slot)
    claim = problem.names.get(rule.id)
    if not isinstance(claim, Claim) or type(claim.that) is not Equal:
        return None
    left, right = claim.that.sides
    if isinstance(left, (Exact, Printed)):
        return None
    world = problem.bound
    if claim.at is None:
        found = lowered(left, world.parameters, world.names)
        stated = lowered(right, world.parameters, world.names)
        if not found or stated is None or claim.where is not None or not isinstance(left, (Gradient, Mean, Covariance, Value)):
            return None
        if any(isinstance(a, Random) for e in found for a in _free(e)) or not any(e.free_symbols for e in found):
            return None
        stated = stated * (len(found) // len(stated)) if len(stated) < len(found) else stated
        return Part(rule, FORMULA, rule.asks or described(left, problem), claim=claim, expected=tuple(stated))
    expected = _numbers(right)
    if expected is None:
        return None
    data = ", ".join(f"{k} = {v}" for k, v in claim.at.values.items())
    return Part(rule, NUMBER, rule.asks or f"{described(left, problem)}, at {data}", claim=claim, expected=expected)


def _left(claim: Claim) -> Any:
    return getattr(claim.that, "left", None)


def _numbers(right: Quantity) -> tuple[Any, ...] | None:
    """What a claim about given data says, where it says numbers."""
    if not isinstance(right, (Exact, Value)) or is_code(right.of):
        return None
    cells = entries(right.of)
    return tuple(cells) if cells and all(e.is_number for e in cells) else None


def _free(e: Any) -> set[Any]:
    return {a for a in e.free_symbols if isinstance(a, Atom)}


# ---- in words -------------------------------------------------------------------------------------------------------------


def described(q: Quantity, problem: Problem) -> str:
    """A quantity in words, for someone who is to work it out."""

    def words(x: Quantity) -> str:
        return described(x, problem)

    over = getattr(q, "over", None)
    rows = f" over {_over(over)}" if over is not None else ""
    match q:
        case Value(of=of) | Exact(of=of):
            return _leaf(of, problem)
        case Gradient(of=of, wrt=wrt):
            by = "" if wrt is None else " by " + ", ".join(v.name for v in ([wrt] if isinstance(wrt, Variable) else wrt))
            return f"the gradient{by} of {_leaf(of, problem)}"
        case Mean(of=of):
            return f"the mean{rows} of {words(of)}"
        case Covariance(of=of):
            return f"the covariance{rows} of {words(of)}"
        case Trace(of=of):
            return f"the trace of {words(of)}"
        case Component(of=of, index=index):
            return f"entry {index if isinstance(index, int) else 'range'} of {words(of)}"
        case Combined(sign=sign, left=left, right=right):
            return f"({words(left)}) {sign} ({words(right)})"
        case Over(of=of):
            return f"{type(q).__name__.lower()} of {words(of)}"
        case _:
            return type(q).__name__


def _leaf(of: Any, problem: Problem) -> str:
    if is_code(of):
        return f"`{of.__name__}`"
    return ", ".join(map(str, entries(of)))


def _over(over: Bundle | Draw) -> str:
    if not isinstance(over, Bundle):
        return over.name
    shown: list[str] = []
    for name, column in over.names.items():
        picks = [e for e in entries(column) if isinstance(e, Pick)]
        shown.append(
            f"{name} = {', '.join(map(str, picks[0].args[0].args))}" if isinstance(over, Rows) and len(picks) == 1 else name
        )
    return ", ".join(shown)


# ---- the file to fill in --------------------------------------------------------------------------------------------------


def template(problem: Problem, found: Sequence[Part], title: str = "") -> str:
    """What a student fills in: functions named as the page's, formulas as text, numbers."""
    functions = [p for p in found if p.kind == FUNCTION]
    texts = [p for p in found if p.kind != FUNCTION]
    out = [f'"""{_line(title or problem.title)}\n\nFill in what is empty. Names and arguments stay as they are."""', ""]
    if any(p.slot is not None and is_numpy(p.slot) for p in functions):
        out.append("import numpy as np")
    if any(p.slot is not None and not is_numpy(p.slot) for p in functions):
        out.append("import torch")
    for part in functions:
        assert part.slot is not None
        out += ["", "", *_comment(part.asks, part), f"def {part.id}({', '.join(_parameters(part.slot))}):"]
        out.append("    raise NotImplementedError")
    if texts:
        names = ", ".join(_names(problem))
        out += ["", "", *_comment(f'Formulas are text, as in "exp(x) / 2". Names: {names}.', None)]
        out += _comment("Numbers are exact, 1/3, or to six digits. Several: [a, b, ...].", None)
    for part in texts:
        assert part.claim is not None
        out += ["", *_comment(part.asks, part), f'{part.id} = ""']
    return "\n".join(out) + "\n"


def _names(problem: Problem) -> list[str]:
    world = problem.bound
    return [name for name in world.names if name in world.variables]


def _parameters(slot: Callable[..., Any]) -> list[str]:
    """As the page writes them, without the functions that it hands over."""
    out: list[str] = []
    for p in inspect.signature(slot).parameters.values():
        if p.default is p.empty:
            out.append(p.name)
        elif isinstance(p.default, (int, float, str, bool, type(None))):
            out.append(f"{p.name}={p.default!r}")
    return out


def _comment(text: str, part: Part | None) -> list[str]:
    points = f" ({part.rule.points:g} point{'' if part.rule.points == 1 else 's'})" if part is not None else ""
    return [f"# {line}" for line in textwrap.wrap(_line(text) + points, WIDTH - 2, break_long_words=False)]


def _line(text: str) -> str:
    """One line that cannot end a comment or a docstring."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).replace('"""', "'''").replace("\\", "/").split())
