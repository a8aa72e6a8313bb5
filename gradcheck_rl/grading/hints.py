"""The name of a mistake, by the values and slopes it gives in many rows: the page's own, edits of the page's function, and
what scale, size and order tell. Nothing here says what is right."""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..answers import fitted
from ..edits import Change, changes
from ..errors import GradcheckError
from ..estimate import Floats
from ..evaluators import Scene
from ..judge import Judge
from ..problem import Problem
from .remote import asked_of
from .samples import Function, Sample, apart, without

KINDS = {
    "sign": "a sign is turned round",
    "dropped term": "a term is missing",
    "missing factor": "a factor is missing",
    "p for 1 - p": "a probability stands where one minus it should, or the reverse",
    "another power": "a power is wrong, as sigma for sigma squared",
    "another index": "an index is wrong, or two are swapped: transposed",
    "another function": "another function stands there, as a sum for a mean",
    "forgotten function": "a function is forgotten, as a mask, a square root or a logarithm",
    "comparison turned round": "a comparison is turned round",
    "arguments swapped": "two arguments are swapped",
    "off by one": "a whole number is off by one, as an index or a count",
    "factor 2": "a factor 2 is too many somewhere",
    "frozen where live": "something is frozen that should carry a gradient",
    "live where frozen": "something carries a gradient that should be frozen",
}
FORGOTTEN = {"masked_fill": "the mask is ignored", "log": "a logarithm is forgotten", "exp": "an exponential is forgotten"}
INSTEAD = {
    ("sum", "mean"): "a sum stands where a mean should: 1/N is missing",
    ("mean", "sum"): "a mean stands where a sum should",
    ("std", "var"): "a deviation stands where a variance should: it is the square root of what was expected",
    ("var", "std"): "a variance stands where a deviation should: it is the square of what was expected",
}
LIMIT = 120
ORTHOGONAL = 5e-4
POWERS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
RELATED = {"exponential": np.exp, "logarithm": np.log, "square root": np.sqrt, "square": np.square}

Pair = tuple[Floats, Floats]  # values and slopes


class Known(NamedTuple):
    says: str
    gives: list[Pair]


def known_mistakes(problem: Problem, function: Function, found: Sequence[Sample], free: Collection[str] = ()) -> list[Known]:
    """What each mistake that has a name gives in these rows, the page's own first; no slopes by what is `free`."""
    out: list[Known] = []
    judge = Judge(problem, 0, 1)
    for mistake in problem.mistakes:
        try:
            scene = Scene(problem.bound, judge.points, fitted(problem, mistake.answer))
            out += _tried(mistake.says, scene.resolve(function.slot), function, found, free)
        except GradcheckError:
            continue
    for says, code in (*_misread(function, found), *_edited(function.slot)):
        out += _tried(says, code, function, found, free)
    return out


def _misread(function: Function, found: Sequence[Sample]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The page's function, given something else for one of its arguments."""
    kinds = {name: value for sample in found for name, value in sample.arguments.items()}
    for name, value in kinds.items():
        for says, change in _changes(name, value, function.numpy):
            yield says, _given(function.slot, name, change)


def _changes(name: str, value: Any, numpy: bool) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    if value.dtype.kind == "i":
        yield f"off by one: `{name}` - 1 stands where `{name}` should", lambda x: x - 1
        yield f"off by one: `{name}` + 1 stands where `{name}` should", lambda x: x + 1
        return
    if not numpy:
        yield f"no gradient reaches `{name}`: is it detached, or a constant?", lambda x: x.detach()
    if value.ndim == 3 and value.shape[1] == value.shape[2]:
        yield f"`{name}` is transposed", lambda x: x.swapaxes(-1, -2)
    if "log" in name:
        yield f"`{name}` stands where its exponential should, as log sigma for sigma", np.log if numpy else lambda x: x.log()
        yield f"the exponential of `{name}` stands where `{name}` should", np.exp if numpy else lambda x: x.exp()
        yield f"a power: the root of the exponential of `{name}`, as sigma for sigma squared", lambda x: x / 2
        yield f"a power: the square of the exponential of `{name}`, as sigma squared for sigma", lambda x: 2 * x
    else:
        yield f"a power: the root of `{name}` stands where `{name}` should, as sigma for sigma squared", lambda x: x**0.5
        yield f"a power: `{name}` squared stands where `{name}` should, as sigma squared for sigma", lambda x: x**2


def _given(slot: Callable[..., Any], name: str, change: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda **arguments: slot(**{**arguments, name: change(arguments[name])})


def _tried(
    says: str, code: Callable[..., Any], function: Function, found: Sequence[Sample], free: Collection[str]
) -> list[Known]:
    gives: list[Pair] = []
    try:
        for sample in found:
            with function.unchecked():
                slopes = function.slopes(code, sample.arguments, sample.weights)
                gives.append((function.values(code, sample.arguments), without(sample.arguments, slopes, free)))
            if gives[-1][0].shape != sample.values.shape:
                return []
    except Exception:  # an edited line may raise anything
        return []
    for (v, g), sample in zip(gives, found, strict=True):
        off = apart(v, sample.values).any(axis=1) | apart(g, sample.slopes).any(axis=1)
        finite = np.isfinite(v).all(axis=1) | (np.isfinite(g).all(axis=1) & (g.shape[1] > 0))
        if (off & finite).any():  # NaN everywhere tells nothing
            return [Known(says, gives)]
    return []


def _edited(slot: Callable[..., Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    inner = inspect.unwrap(slot)
    try:
        statement = ast.parse(textwrap.dedent(inspect.getsource(inner))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return
    if not isinstance(statement, ast.FunctionDef):
        return
    names = asked_of(slot)
    statement = ast.fix_missing_locations(WrittenOut().visit(statement))

    def stop(e: ast.expr) -> ast.expr:
        return ast.Call(ast.Attribute(e, "detach", ast.Load()), [], [])

    for change in changes(statement, live=set(names), stop=stop)[:LIMIT]:
        with change.made():
            made: dict[str, Any] = {}
            try:
                code = compile(ast.Module([statement], []), "page", "exec", dont_inherit=True)
                exec(code, inner.__globals__, made)  # noqa: S102  the definition is that of a page which has run already
            except Exception:  # an edit may not compile
                continue
        yield _named(change, names), made[slot.__name__]


class WrittenOut(ast.NodeTransformer):
    """Normal(m, s).log_prob(x) as -(x - m)^2 / (2 s^2) - log(s) and a constant: what people write, with its mistakes."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Attribute(ast.Call(func=ast.Attribute(attr="Normal"), args=[m, s]), "log_prob"), args=[x]):
                text = f"(-((({ast.unparse(x)}) - ({ast.unparse(m)})) ** 2 / (2 * ({ast.unparse(s)}) ** 2)) "
                text += f"- ({ast.unparse(s)}).log() - {math.log(2 * math.pi) / 2!r})"
                return ast.copy_location(ast.parse(text, mode="eval").body, node)
            case _:
                return node


def _named(change: Change, arguments: Sequence[str]) -> str:
    """What kind of edit it is; of the page's line only the names of its arguments are told."""
    old, new = change.place.node, change.new
    before, after = ({n.id for n in ast.walk(x) if isinstance(n, ast.Name)} for x in (old, new))
    lost = [name for name in arguments if name in before - after]
    if change.edit in ("dropped term", "missing factor") and lost:
        noun = "term" if change.edit == "dropped term" else "factor"
        return f"a {noun} with {' and '.join(f'`{name}`' for name in lost)} is missing"
    words = [n.attr if isinstance(n, ast.Attribute) else n.id for x in (old, new) for n in _functions(x)[:1]]
    if change.edit == "forgotten function" and words and words[0] in FORGOTTEN:
        return FORGOTTEN[words[0]]
    if change.edit == "another function" and len(words) == 2 and tuple(words[::-1]) in INSTEAD:
        return INSTEAD[words[1], words[0]]
    return KINDS.get(change.edit, "")


def _functions(node: ast.AST) -> list[ast.Attribute | ast.Name]:
    return [node.func] if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)) else []


# ---- of one submission ----------------------------------------------------------------------------------------------------


def name(given: Sequence[Pair], found: Sequence[Sample], known: Sequence[Known]) -> str:
    """The name of the mistake, or ''; also where these rows show none."""
    if not any(apart(v, s.values).any() or apart(g, s.slopes).any() for (v, g), s in zip(given, found, strict=True)):
        return ""
    page = [k for k in known if _matches(given, k.gives)]
    if not page and _overflows(given, found):
        return "it is right where it is finite; elsewhere it overflows, or takes the logarithm of 0, or 0 times infinity"
    scale = _scale(given, found)
    plain = page[0].says if page else ""
    # A whole answer that is minus the right one is called that, whichever line turned it round.
    return scale if scale and plain in ("", *KINDS.values()) else plain or _function_of(given, found)


def _overflows(given: Sequence[Pair], found: Sequence[Sample]) -> bool:
    """Is it no number in places, and right in all others? Slopes are looked at where the values are numbers as they should be."""
    for (v, g), s in zip(given, found, strict=True):
        rows = (np.isfinite(v) == np.isfinite(s.values)).all(axis=1) & np.isfinite(g).all(axis=1)
        if (np.isfinite(v) & apart(v, s.values)).any() or apart(g, s.slopes)[rows].any():
            return False
    return any(np.isfinite(v).any() for v, _ in given)


def _function_of(given: Sequence[Pair], found: Sequence[Sample]) -> str:
    """A probability for its logarithm, a deviation for its square."""
    pairs = [(v, s.values) for (v, _), s in zip(given, found, strict=True)]
    with np.errstate(all="ignore"):
        for word, function in RELATED.items():
            if any(np.isfinite(v).any() for v, _ in pairs) and not any(apart(v, function(y)).any() for v, y in pairs):
                return f"it is the {word} of what was expected"
    return ""


def _matches(given: Sequence[Pair], gives: Sequence[Pair]) -> bool:
    """In every row; what has no value, as the logarithm of a negative deviation, is to have none in both."""
    for (v, g), (w, h) in zip(given, gives, strict=True):
        known = np.isfinite(w).all(axis=1) | np.isfinite(h).all(axis=1)
        if apart(v, w).any() or apart(g, h)[known].any():
            return False
    return True


def _scale(given: Sequence[Pair], found: Sequence[Sample]) -> str:
    """Where theirs is ours times a number, a size or a power of an argument."""
    values = [v for v, _ in given], [s.values for s in found]
    if not any(np.any(s.slopes) for s in found):
        return _multiple(*values, found, "it")
    bent = [s for s in found if np.any(s.slopes)]
    slopes = [g for (_, g), s in zip(given, found, strict=True) if np.any(s.slopes)], [s.slopes for s in bent]
    if not any(apart(g, s.slopes).any() for (_, g), s in zip(given, found, strict=True)):
        return "its gradient is right, and its value is not"
    return _multiple(*slopes, bent, "its gradient")


def _multiple(theirs: Sequence[Floats], ours: Sequence[Floats], found: Sequence[Sample], it: str) -> str:
    ratios = [_ratio(a, b) for a, b in zip(theirs, ours, strict=True)]
    if any(r is None for r in ratios):
        return ""
    rows = np.concatenate([r for r in ratios if r is not None])
    known = rows[np.isfinite(rows)]
    if not known.size:
        return f"{it} is zero: is it detached, or a constant?" if _all_zero(theirs) else ""
    if np.ptp(known) <= 1e-6 * (1 + np.abs(known).max()):
        c = float(known[0])
        if abs(c - 1) < 1e-6:
            return ""
        if abs(c) < 1e-9:
            return f"{it} is zero everywhere: is it detached, or a constant?"
        turned = abs(c + 1) < 1e-6
        return f"the sign: {it} is minus what was expected" if turned else f"a factor: {it} is {c:.6g} times what was expected"
    sizes = [
        np.full(len(s.values), float(max((v.shape[1] for v in s.arguments.values() if v.ndim > 1), default=1))) for s in found
    ]
    size = np.concatenate(sizes)
    for power, says in ((1, "a sum stands where a mean should: 1/N is missing"), (-1, "a mean stands where a sum should")):
        if _same(rows, size**power):
            return says
    for argument in found[0].arguments:
        columns = [s.arguments[argument] for s in found if argument in s.arguments]
        if any(c.ndim != 1 or c.dtype.kind == "i" for c in columns):
            continue
        column = np.concatenate(columns)
        with np.errstate(all="ignore"):
            for power in POWERS:
                if _same(rows, column**power):
                    return f"a power of `{argument}`: {it} is {argument}^{power:g} times what was expected"
            for sign, word in ((1, argument), (-1, f"-{argument}")):
                if _same(rows, np.exp(sign * column)):
                    return f"a power of the exponential of `{argument}`: {it} is exp({word}) times what was expected"
    return ""


def _same(a: Floats, b: Floats) -> bool:
    known = np.isfinite(a)
    return bool(known.any()) and bool(np.all(np.abs(a[known] - b[known]) <= 1e-6 * (1 + np.abs(b[known]))))


def _ratio(theirs: Floats, ours: Floats) -> Floats | None:
    """One number for each row, NaN where both are zero; None where they are not proportional."""
    finite = np.isfinite(ours)
    if not np.isfinite(theirs[finite]).all():
        return None
    with np.errstate(all="ignore"):
        a, b = np.where(finite, theirs, 0.0), np.where(finite, ours, 0.0)
        c = (a * b).sum(axis=1) / (b * b).sum(axis=1)
        off = np.abs(a - np.where(np.isfinite(c), c, 0.0)[:, None] * b)
    return None if (off > 1e-6 * (1 + np.abs(a))).any() else c


def _all_zero(arrays: Sequence[Floats]) -> bool:
    return all(not np.any(a) for a in arrays)


def fit(given: Sequence[Pair], found: Sequence[Sample]) -> str:
    """Where no name fits: the best scale and the angle."""
    ours = np.concatenate([(s.slopes if s.slopes.size else s.values).ravel() for s in found])
    theirs = np.concatenate([(g if s.slopes.size else v).ravel() for (v, g), s in zip(given, found, strict=True)])
    finite = np.isfinite(ours) & np.isfinite(theirs)
    a, b = theirs[finite], ours[finite]
    if not np.any(a) or not np.any(b):
        return ""
    scale, cosine = float(a @ b / (b @ b)), float(a @ b / np.sqrt((a @ a) * (b @ b)))
    if abs(cosine) < ORTHOGONAL:
        return "as a whole it is orthogonal to what was expected"
    return f"as a whole it is nearest to {scale:.3g} times what was expected, at a cosine of {cosine:.3f}"
