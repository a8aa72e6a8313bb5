"""What of a problem can be asked for: its functions, formulas and numbers, and the file that a student fills in."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import sympy as sp

from ..bundles import Bundle, Column, Rows
from ..claims import Claim, Equal
from ..errors import InputError, did_you_mean
from ..evaluators.plain import is_numpy
from ..evaluators.scene import is_index
from ..expectation import Expected
from ..laws import Draw, Finite, Gaussian, Random, randoms, with_parents
from ..problem import Problem, called
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
    blocks,
    is_code,
    lowered,
)
from ..report import plain as written
from ..symbols import Atom, Pick, Variable, entries, named_, plain
from .remote import asked_of
from .rubric import Rubric, Rule
from .samples import called_with, samples

FUNCTION, FORMULA, NUMBER = "function", "formula", "number"
SHORT, MOST = 300, 3  # of formulas and numbers that are asked for without a rubric
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
        """What the student's file and the results call it."""
        return self.rule.name or self.rule.id


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
        if part is None and rule.id in known:
            raise InputError(
                f"`{rule.id}` is a claim, and its right side cannot be asked for: name one that says Equal(a, b), where "
                "at= gives numbers, or where a is a Gradient, Mean, Covariance or Value of formulas alone, without where=."
            )
        if part is None:
            raise InputError(
                f"`{rule.id}` is neither a function nor a claim of {problem.name}."
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
        short = {p.asks: p for p in texts if p.kind == kind and p.claim is not None and isinstance(_left(p.claim), of)}
        some = [p for asks, p in short.items() if len(asks) <= SHORT and set(_code(p)) <= {f.slot for f in found}][:MOST]
        # A claim's own name may tell the answer.
        found += [replace(p, rule=replace(p.rule, name=f"{kind}_{n}")) for n, p in enumerate(some, start=1)]
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
        if rule.name:
            raise InputError(f"`{rule.id}` is a function and keeps its name: leave out name = {rule.name!r}.")
        asks = f"{rule.asks.rstrip('.')}. {_takes(slot, problem)}" if rule.asks else _specified(slot, problem)
        return Part(rule, FUNCTION, asks, slot)
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
        asks = f"{described(left)}{_by(left, len(found), problem)}{_told(left, problem)}"
        asks += "; frozen(x) has the value of x and no slope" if "frozen(" in asks else ""
        return Part(rule, FORMULA, rule.asks or asks, claim=claim, expected=tuple(stated))
    expected = _numbers(right)
    if expected is None:
        return None
    if len(expected) == 1:  # one number may be said of every entry
        expected *= _width(left, problem)
    data = ", ".join(f"{k} = {written(np.asarray(plain(v), dtype=object).tolist())}" for k, v in claim.at.values.items())
    asks = f"{described(left)}{_by(left, len(expected), problem)}, at {data}{_told(left, problem)}"
    return Part(rule, NUMBER, rule.asks or asks, claim=claim, expected=expected)


def _code(part: Part) -> list[Any]:
    """The functions that a question mentions."""
    return [] if part.claim is None else _left(part.claim).code()


def _left(claim: Claim) -> Any:
    return getattr(claim.that, "left", None)


def _numbers(right: Quantity) -> tuple[Any, ...] | None:
    """What a claim about given data says, where it says numbers."""
    if not isinstance(right, (Exact, Value)) or is_code(right.of):
        return None
    cells = entries(right.of)
    return tuple(cells) if cells and all(e.is_number for e in cells) else None


def _width(left: Quantity, problem: Problem) -> int:
    """How many numbers a gradient has."""
    of = getattr(left, "of", None)
    if isinstance(left, Mean) and isinstance(of, Gradient):
        left = of
    return sum(v.atoms.size for v in blocks(left.wrt, problem.bound.parameters)) if isinstance(left, Gradient) else 1


def _free(e: Any) -> set[Any]:
    return {a for a in e.free_symbols if isinstance(a, Atom)}


# ---- in words -------------------------------------------------------------------------------------------------------------


def described(q: Quantity) -> str:
    """A quantity in words, for someone who is to work it out."""
    over = getattr(q, "over", None)
    rows = f" over {_over(over)}" if over is not None else ""
    match q:
        case Value(of=of) | Exact(of=of):
            return _leaf(of)
        case Gradient(of=of, wrt=wrt):
            by = "" if wrt is None else " by " + ", ".join(v.name for v in ([wrt] if isinstance(wrt, Variable) else wrt))
            return f"the gradient{by} of {_leaf(of)}"
        case Mean(of=of):
            return f"the mean{rows} of {described(of)}"
        case Covariance(of=of):
            return f"the covariance{rows} of {described(of)}"
        case Trace(of=of):
            return f"the trace of {described(of)}"
        case Component(of=of, index=index):
            which = f"entry {index}" if isinstance(index, int) else f"the entries {repr(q).removeprefix(repr(of))}"
            return f"{which} of {described(of)}"
        case Combined(sign=sign, left=left, right=right):
            return f"({described(left)}) {sign} ({described(right)})"
        case Over(of=of):
            return f"{type(q).__name__.lower()} of {described(of)}"
        case _:
            return type(q).__name__


def _leaf(of: Any) -> str:
    if is_code(of):
        return f"`{of.__name__}`"
    return ", ".join(map(str, entries(of)))


def _over(over: Bundle | Draw) -> str:
    if not isinstance(over, Bundle):
        return over.name
    if not isinstance(over, Rows):
        return ", ".join(over.names)
    return ", ".join(f"{name} = {', '.join(_values(column))}" for name, column in over.names.items())


def _values(column: Column) -> list[str]:
    """What stands in a column of data, row by row."""
    columns = [list(cast(Any, e.args[0])) if isinstance(e, Pick) else [e] for e in entries(column)]
    rows = [[c[n if len(c) > 1 else 0] for c in columns] for n in range(max(map(len, columns)))]
    return [str(row[0]) if len(row) == 1 else f"({', '.join(map(str, row))})" for row in rows]


def _by(left: Quantity, count: int, problem: Problem) -> str:
    """The variables that the formulas or numbers are slopes by, in their order; or else how many are asked for."""
    inner = left.of if isinstance(left, Mean) else left
    if not isinstance(inner, Gradient) or (count == 1 and inner.wrt is not None):
        return ""
    by = [str(a) for v in blocks(inner.wrt, problem.bound.parameters) for a in v.atoms.ravel()]
    return f", by {', '.join(by)}" if len(by) == count else f", {count} in all" if count > 1 else ""


def _told(q: Quantity, problem: Problem) -> str:
    return "".join(f"; {line}" for line in [*_laws(q, problem), *_names(q, problem)])


def _laws(q: Quantity, problem: Problem) -> list[str]:
    """How what is random in it comes about."""
    return list(dict.fromkeys(map(_law, _draws(q, problem))))


def _names(q: Quantity, problem: Problem) -> list[str]:
    """What the names in it stand for."""
    formulas = [e for x in _parts(q) for leaf in x.leaves() if not is_code(leaf) for e in entries(leaf)]
    formulas += [draw.law for draw in _draws(q, problem)]
    names = sorted(set[Any]().union(*(e.atoms(named_) for e in formulas)), key=str)
    return [f"{name} is {name.definition}" for name in names]


def _draws(q: Quantity, problem: Problem) -> list[Draw]:
    world = problem.bound
    found: list[Draw] = []
    for x in _parts(q):
        names = world.over(getattr(x, "over", None))
        cells = [e for leaf in x.leaves() if not is_code(leaf) for e in entries(leaf)]
        cells += [e for code in x.code() for symbols in world.asked(code, names).values() for e in entries(symbols)]
        found += with_parents([a for e in cells for a in (*randoms(e), *_expected(e))])
    return [draw for draw in found if draw.bundle is None or not isinstance(draw.bundle, Rows)]


def _parts(q: Quantity) -> list[Quantity]:
    """A quantity whose own rows bind its draws, or those that it is combined of."""
    return [x for part in (q.left, q.right) for x in _parts(part)] if isinstance(q, Combined) else [q]


def _expected(e: Any) -> list[Any]:
    return [a for node in e.atoms(Expected) for atoms, _ in node.pairs for a in atoms]


def _law(draw: Draw) -> str:
    if isinstance(draw.law, Finite):
        pairs = [sp.fraction(sp.together(p)) for p in draw.law.weights]
        above, below = [a for a, _ in pairs], {b for _, b in pairs}
        outcomes = f"{draw.name} is {', '.join(map(str, range(len(pairs))))} with chances"
        if len(below) == 1 and not below.copy().pop().is_number:
            return f"{outcomes} in proportion to {', '.join(map(str, above))}"
        return f"{outcomes} {', '.join(map(str, draw.law.weights))}"
    if isinstance(draw.law, Gaussian) and len(draw.law.mean) == 1:
        return f"{draw.name} is normal with mean {draw.law.mean[0]} and standard deviation {draw.law.factor[0][0]}"
    return f"{draw.name} is drawn with {', '.join(sorted(map(str, draw.law.free_symbols)))}"


def _takes(slot: Callable[..., Any], problem: Problem) -> str:
    """What a function takes, from claims and from other functions of the page."""
    bound = [names for claim in problem.claims for top, names in called(claim, problem.bound) if top is slot]
    handed = list(called_with(problem, slot))
    takes: list[str] = []
    for name in asked_of(slot):
        kinds = [(names[name].shape, is_index(names[name])) for names in bound or [problem.bound.names] if name in names]
        kinds += [(rows[name].shape[1:], rows[name].dtype.kind == "i") for rows in handed if name in rows]
        takes.append(f"{name}, {_counted(kinds)}" if kinds else name)
    return f"In {'numpy' if is_numpy(slot) else 'torch'}. Takes {'; '.join(takes) or 'nothing'}."


def _specified(slot: Callable[..., Any], problem: Problem) -> str:
    """What a function takes, and what its claims ask of its gradient where that does not say how."""
    out = _takes(slot, problem)
    means: dict[str, None] = {}
    laws: dict[str, None] = {}
    names: dict[str, None] = {}
    for claim in problem.claims:
        if claim.at is None and claim.where is None and type(claim.that) is Equal:
            left, right = claim.that.sides
            if isinstance(left, Mean) and left.code() == [slot] and isinstance(right, Gradient) and not is_code(right.of):
                means[f"{described(left)} is {described(right)}"] = None
                laws |= dict.fromkeys(_laws(right, problem))
                names |= dict.fromkeys(_names(right, problem))
    told = "; ".join([*means, *laws])
    asks = f"{out} {told[:1].upper()}{told[1:]}"
    return f"{'; '.join([asks, *names])}." if means and len(asks) < 2 * SHORT else out


def _counted(kinds: Sequence[tuple[Sequence[int], bool]]) -> str:
    """a number; 1, 2 or 3 whole numbers; 2 x 2 numbers."""
    out: list[str] = []
    for whole in dict.fromkeys(whole for _, whole in kinds):
        noun = "whole number" if whole else "number"
        shapes = sorted({tuple(shape) for shape, other in kinds if other == whole})
        out += [f"a {noun}"] * (() in shapes)
        if sizes := [str(*shape) for shape in shapes if len(shape) == 1]:
            many = " or ".join(filter(None, (", ".join(sizes[:-1]), sizes[-1])))
            out.append(f"{many} {noun}{'s' * (sizes != ['1'])}")
        out += [f"{' x '.join(map(str, shape))} {noun}s" for shape in shapes if len(shape) > 1]
    return " or ".join(out)


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
        out += ["", "", *_comment('Formulas are text, as in "exp(x) / 2"; entry 0 of a vector x is x_0.', None)]
        digits = " or ".join(map(str, sorted({p.rule.digits for p in texts if p.kind == NUMBER}))) or "6"
        out += _comment(f"Numbers are exact, 1/3, or to {digits} digits. Several: [a, b, ...].", None)
    for part in texts:
        assert part.claim is not None
        names = mentioned(part.claim, problem) if part.kind == FORMULA else []
        out += ["", *_comment(part.asks, part), *_comment(f"Names: {', '.join(names)}.", None)[: len(names)], f'{part.id} = ""']
    return "\n".join(out) + "\n"


def mentioned(claim: Claim, problem: Problem) -> list[str]:
    """The variables that the question itself mentions."""
    left = lowered(_left(claim), problem.bound.parameters, problem.bound.names) or []
    free = set[Any]().union(*(e.free_symbols for e in left))
    return [name for name, v in problem.bound.variables.items() if free & set(v.atoms.ravel())]


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
