"""What people get wrong in a line of code, as edits of its syntax tree: a table, and the places where each edit applies."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from .same_code import SYMMETRIC

EXTREMES = (("min", "max"), ("minimum", "maximum"), ("Min", "Max"), ("amin", "amax"), ("fmin", "fmax"), ("argmin", "argmax"))
PAIRS = (("sum", "mean"), ("std", "var"), *EXTREMES)
OTHERS = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])} | {"log_softmax": "softmax"}
FORGETTABLE = {"exp", "log", "log_softmax", "masked_fill", "sigmoid", "softmax", "softplus", "sqrt", "square", "tanh"} | {
    "abs", "clamp", "clip", "cumprod", "cumsum", "flip", "logsigmoid", "relu", "tril", "triu"
}  # fmt: skip
SHOWN = 54  # letters of a line
STOPPING = {"detach", "frozen", "stop_gradient", "no_grad"}
PROBABILITIES = {"p", "prob", "probs", "probability", "sigmoid", "softmax"}
SPREADS = {"sigma", "std", "sd", "scale"}
SHAPES = ("len", "ones_like", "zeros_like")
UNREAD = {"annotation", "args", "bases", "decorator_list", "returns", "target", "targets"}
LAWS = {"Bernoulli", "Categorical", "Gaussian", "Named", "Normal"}
MODULES = {"F", "np", "numpy", "sp", "torch"}
OPPOSITES = ((ast.Eq, ast.NotEq), (ast.Lt, ast.GtE), (ast.Gt, ast.LtE), (ast.In, ast.NotIn))
TWIN = re.compile(r"^(next|new|old|slow|target)_|(\d+|_(next|new|old|slow|target))$")  # s2 beside s, phi1 beside phi2
INVERSE: dict[type[ast.cmpop], type[ast.cmpop]] = {a: b for pair in OPPOSITES for a, b in (pair, pair[::-1])}

Stop = Callable[[ast.expr], ast.expr]


@dataclass(frozen=True, eq=False)
class Place:
    """An expression and where it hangs.

    `whole`: a value of its own; `term`: of a sum, or an argument of a law; `operand`: that, or a factor.
    """

    node: Any
    parent: Any
    field: str
    index: int | None = None
    whole: bool = False
    term: bool = False
    operand: bool = False

    def put(self, node: Any) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass(frozen=True, eq=False)
class Change:
    """One edit at one place of a tree."""

    edit: str
    place: Place
    new: Any

    @property
    def line(self) -> int:
        return self.place.node.lineno

    @property
    def says(self) -> str:
        node, parent = self.place.node, self.place.parent
        around = isinstance(node, (ast.Constant, ast.Name)) and isinstance(parent, ast.expr)
        before = ast.unparse(parent if around else node)
        with self.made():
            after = ast.unparse(parent if around else self.new)
        differ = next((n for n, (a, b) in enumerate(zip_longest(before, after)) if a != b), 0)
        return f"{self.edit}: {_short(after, differ)} for {_short(before, differ)}"

    @contextmanager
    def made(self) -> Generator[None]:
        """Within this block the tree has the edit."""
        self.place.put(self.new)
        try:
            yield
        finally:
            self.place.put(self.place.node)


def changes(target: ast.stmt, whole: bool = True, live: Collection[str] = (), stop: Stop | None = None) -> list[Change]:
    """Every edit of one statement, each once. `live` names what a gradient flows through, and `stop` writes a stop-gradient.

    Without `whole` the value of the statement as such is left alone; where nothing is live, so are stop-gradients.
    """
    found: list[Change] = []
    seen = {ast.unparse(target)}
    flowing, twins = _flowing(target, live), _twins(target)
    for place in places(target, whole):
        for edit, new in [*_at(place, flowing, stop), *(_unstopped(place.node) if live else ()), *twins(place.node)]:
            if not hasattr(new, "lineno"):
                ast.fix_missing_locations(ast.copy_location(new, place.node))
            change = Change(edit, place, new)
            with change.made():
                text = ast.unparse(target)
            if text not in seen:
                seen.add(text)
                found.append(change)
    return found


def places(node: ast.AST, whole: bool = True) -> Iterator[Place]:
    """Where an edit may be made: every expression that is read, and every count that a signature gives.

    Annotations, decorators, text and the rest of signatures are left alone.
    """
    if isinstance(node, ast.FunctionDef):
        yield from _counts(node)
    for field, value in ast.iter_fields(node):
        if field in UNREAD and not isinstance(node, ast.Call):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _is_no_matter(child):
                continue
            is_name = field == "func" and isinstance(child, ast.Name)
            if isinstance(child, (ast.expr, ast.AugAssign)) and not (is_name or isinstance(child, ast.Starred)):
                yield Place(child, node, field, index, whole and _is_whole(node, child), *_in_arithmetic(node, field))
            if isinstance(node, (ast.Return, ast.Assign)) and isinstance(child, ast.Tuple) and whole:
                yield from _each(child)
            else:
                yield from places(child, whole)


def _counts(node: ast.FunctionDef) -> Iterator[Place]:
    """The constants that parameters default to. How many rounds a loop makes may be any number that is large enough."""
    given, rounds = node.args, {name for call in calls(node, "range") for name in _names(call, ast.Load)}
    plain = [*given.posonlyargs, *given.args]
    for field, parameters, defaults in (
        ("defaults", plain[len(plain) - len(given.defaults) :], given.defaults),
        ("kw_defaults", given.kwonlyargs, given.kw_defaults),
    ):
        for index, (parameter, default) in enumerate(zip(parameters, defaults, strict=True)):
            if isinstance(default, ast.Constant) and parameter.arg not in rounds:
                yield Place(default, given, field, index)


def _is_no_matter(node: ast.AST) -> bool:
    """Where quadrature is told to look, what a module's parameter is before it is given, and text."""
    match node:
        case ast.keyword(arg="breaks") | ast.Call(func=ast.Attribute(attr="Parameter")) | ast.JoinedStr():
            return True
        case _:
            return False


def _each(row: ast.Tuple) -> Iterator[Place]:
    """The values of `return a, b`."""
    for index, child in enumerate(row.elts):
        if _is_no_matter(child):
            continue
        if not isinstance(child, ast.Starred):
            yield Place(child, row, "elts", index, whole=True)
        yield from places(child)


def _is_whole(node: ast.AST, child: ast.AST) -> bool:
    match node:
        case ast.Return() | ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            return not isinstance(child, (ast.Tuple, ast.List, ast.GeneratorExp, ast.ListComp, ast.Lambda))
        case _:
            return False


def _in_arithmetic(node: ast.AST, field: str) -> tuple[bool, bool]:
    match node:
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            return not _is_complement(node), True
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            return False, True
        case ast.Call(func=ast.Attribute(attr="Categorical")) if field == "args":
            return False, True  # torch divides chances by their sum
        case ast.Call():
            of_law = field == "args" and _called(node) in LAWS
            return of_law, of_law
        case ast.keyword(arg="logits" | "logit" | "probs" | "mean" | "sd" | "covariance"):
            return True, True
        case _:
            return False, False


def _is_complement(node: ast.AST) -> bool:
    """1 - x. Its 1 is no count, and without it a shift of all logits remains, which a softmax does not see."""
    match node:
        case ast.BinOp(left=ast.Constant(value=1), op=ast.Sub()):
            return True
        case _:
            return False


# ---- the table ------------------------------------------------------------------------------------------------------------


def _at(place: Place, live: Callable[[ast.expr], bool], stop: Stop | None) -> Iterator[tuple[str, Any]]:
    node = place.node
    for edit, rule in EDITS.items():
        for new in rule(node):
            yield edit, new
    if isinstance(node, ast.Constant):
        if type(node.value) is int and not (_is_complement(place.parent) and place.field == "left"):
            yield "off by one", ast.Constant(node.value + 1)
    elif (place.whole or (place.term and not _infinite(node))) and not _nothing(node):
        yield "factor 2", ast.BinOp(ast.Constant(2), ast.Mult(), node)
    if place.whole and not isinstance(node, (ast.UnaryOp, ast.Constant)) and not _nothing(node):
        yield "sign", ast.UnaryOp(ast.USub(), node)
    if (place.whole or place.operand) and stop is not None and live(node):
        yield "frozen where live", stop(node)


def _infinite(node: ast.AST) -> bool:
    """Twice infinity is infinity."""
    return any(isinstance(n, ast.Attribute) and n.attr == "inf" for n in ast.walk(node))


def _nothing(node: ast.AST) -> bool:
    """Zeros, what is empty and what is true or false have no sign, and twice them is the same."""
    match node:
        case ast.List(elts=[]) | ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Call():
            return _called(node) in ("zeros", "zeros_like")
        case _:
            return False


def _unstopped(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.Call) and (name := _called(node)) in STOPPING:
        if name == "no_grad":
            yield "live where frozen", ast.Call(ast.Attribute(ast.Name("torch", ast.Load()), "enable_grad", ast.Load()), [], [])
        else:
            yield from (("live where frozen", inner) for inner in _inside(node))


def _inside(node: ast.Call) -> Iterator[ast.AST]:
    """What a function or a method is applied to."""
    match node.func:
        case ast.Attribute(value=value) if not _is_module(value):
            yield value
        case _ if node.args:
            yield node.args[0]
        case _:
            pass


def _is_module(node: ast.AST) -> bool:
    """torch, or torch.nn.functional."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in MODULES


def _twins(target: ast.stmt) -> Callable[[ast.expr], Iterator[tuple[str, ast.expr]]]:
    """A name for one that differs from it by a number or a word, where a statement has both: the next state is read for this
    one, one critic twice, the network for its slow copy."""
    known = sorted(_names(target, ast.Load))
    shapes = {id(part) for name in SHAPES for call in calls(target, name) for part in ast.walk(call)}

    def others(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
        if isinstance(node, ast.Name) and id(node) not in shapes:
            stem = TWIN.sub("", node.id)
            yield from (("another name", ast.Name(x, ast.Load())) for x in known if x != node.id and TWIN.sub("", x) == stem)

    return others


def _sign(node: ast.AST) -> Iterator[ast.AST]:
    other = {ast.Add: ast.Sub, ast.Sub: ast.Add}
    match node:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            yield ast.BinOp(left, other[type(op)](), right)
        case ast.AugAssign(target=target, op=ast.Add() | ast.Sub() as op, value=value):
            yield ast.AugAssign(target, other[type(op)](), value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
            pass  # the axis 1 may be the axis -1
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield operand
        case _:
            pass


def _connective(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), values)
        case _:
            pass


def _dropped_term(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from (left, right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            yield left
            if not _is_complement(node):
                yield ast.UnaryOp(ast.USub(), right)
        case ast.AugAssign(op=ast.Add() | ast.Sub()):
            yield ast.Pass()
        case _:
            pass


def _complement(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp(right=right) if _is_complement(node):
            yield right
        case ast.Call() | ast.Name() if (_called(node) or getattr(node, "id", "")) in PROBABILITIES:
            yield ast.BinOp(ast.Constant(1), ast.Sub(), node)
        case _:
            pass


def _missing_factor(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            yield from (left, right)
        case ast.BinOp(left=left, op=ast.Div()):
            yield left
        case ast.AugAssign(op=ast.Mult() | ast.Div()):
            yield ast.Pass()
        case _:
            pass


def _power(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp(left=left, op=ast.Pow()):
            yield left
        case ast.Name(id=name) if name in SPREADS:
            yield ast.BinOp(node, ast.Pow(), ast.Constant(2))
        case _:
            pass


def _index(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Subscript(value=value, slice=ast.Tuple(elts=[first, second, *rest])):
            yield ast.Subscript(value, ast.Tuple([second, first, *rest], ast.Load()), ast.Load())
        case ast.Subscript(value=value, slice=ast.Name() | ast.BinOp() as second):
            yield ast.Subscript(value, ast.Constant(0), ast.Load())
            if isinstance(value, ast.Subscript) and isinstance(first := value.slice, (ast.Name, ast.BinOp)):
                yield ast.Subscript(ast.Subscript(value.value, second, ast.Load()), first, ast.Load())
        case ast.Subscript(value=value, slice=ast.Slice()) | ast.Attribute(value=value, attr="T" | "mT"):
            yield value
        case _:
            pass


def _another_function(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and (name := OTHERS.get(_called(node) or "")):
        match node.func:
            case ast.Attribute(value=value):
                yield ast.Call(ast.Attribute(value, name, ast.Load()), node.args, node.keywords)
            case _ if name != "mean":  # there is no such function
                yield ast.Call(ast.Name(name, ast.Load()), node.args, node.keywords)
            case _:
                pass


def _forgotten_function(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and _called(node) in FORGETTABLE:
        yield from _inside(node)


def _comparison(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for n, op in enumerate(ops):
                if type(op) in INVERSE:
                    yield ast.Compare(left, [*ops[:n], INVERSE[type(op)](), *ops[n + 1 :]], comparators)
        case ast.IfExp(test=test, body=body, orelse=orelse) if not isinstance(test, (ast.Compare, ast.BoolOp)):
            yield ast.IfExp(test, orelse, body)
        case _:
            pass


def _arguments(node: ast.AST) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Call) or _called(node) in SYMMETRIC or any(isinstance(a, ast.Starred) for a in node.args):
        return
    for n in range(len(node.args) - 1):
        if any(isinstance(a, ast.Constant) and isinstance(a.value, str) for a in node.args[n : n + 2]):
            continue  # a name and what it names
        swapped = list(node.args)
        swapped[n], swapped[n + 1] = swapped[n + 1], swapped[n]
        yield ast.Call(node.func, swapped, node.keywords)


EDITS: dict[str, Callable[[ast.AST], Iterator[ast.AST]]] = {
    "sign": _sign,
    "dropped term": _dropped_term,
    "p for 1 - p": _complement,
    "missing factor": _missing_factor,
    "another power": _power,
    "another index": _index,
    "another function": _another_function,
    "forgotten function": _forgotten_function,
    "comparison turned round": _comparison,
    "and for or": _connective,
    "arguments swapped": _arguments,
}


def _called(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name
        case _:
            return None


# ---- names ----------------------------------------------------------------------------------------------------------------


def loads(node: ast.AST) -> set[str]:
    """The names of its page that a statement reads."""
    if isinstance(node, ast.FunctionDef):
        given, own = node.args, parameters(node) | _names(node, ast.Store)
        outside = [*given.defaults, *(d for d in given.kw_defaults if d is not None), *node.decorator_list]
        return set().union(*(_names(n, ast.Load) for n in node.body)) - own | set().union(*(_names(n, ast.Load) for n in outside))
    return _names(node, ast.Load)


def parameters(function: ast.FunctionDef) -> set[str]:
    given = function.args
    return {p.arg for p in (*given.posonlyargs, *given.args, *given.kwonlyargs)}


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    found: set[str] = set()
    waiting = [node]
    while waiting:
        n = waiting.pop()
        if isinstance(n, ast.Name) and isinstance(n.ctx, context):
            found.add(n.id)
        waiting += [child for child in ast.iter_child_nodes(n) if not _is_no_matter(child)]
    return found


def calls(node: ast.AST, name: str) -> list[ast.Call]:
    """The calls of a name in a tree."""
    return [n for n in ast.walk(node) if isinstance(n, ast.Call) and _called(n) == name]


def _flowing(target: ast.stmt, live: Collection[str]) -> Callable[[ast.expr], bool]:
    """Does a gradient flow through an expression? Through the names given, and what is computed from them."""
    known = set(live)
    still = {id(part) for node in ast.walk(target) if _passes_nothing(node) for part in ast.walk(node)}
    for node in ast.walk(target):
        if isinstance(node, (ast.Assign, ast.AugAssign)) and id(node) not in still and known & _differentiable(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            known |= set().union(*(_names(t, ast.Store) for t in targets))
    return lambda node: id(node) not in still and bool(known & _differentiable(node))


def _passes_nothing(node: ast.AST) -> bool:
    """A comparison, a stop-gradient, or a block under torch.no_grad()."""
    match node:
        case ast.Compare():
            return True
        case ast.Call() if _called(node) in STOPPING:
            return True
        case ast.With(items=items):
            return any(isinstance(i.context_expr, ast.Call) and _called(i.context_expr) == "no_grad" for i in items)
        case _:
            return False


def _differentiable(node: ast.AST) -> set[str]:
    """The names in a tree, without those under a stop-gradient, in an index, or in a comparison."""
    match node:
        case ast.Name(id=name):
            return {name}
        case ast.Compare():
            return set()
        case ast.Subscript(value=value):
            return _differentiable(value)
        case ast.Call() if _called(node) in STOPPING | {"len"}:
            return set()
        case _:
            return set().union(*map(_differentiable, ast.iter_child_nodes(node)))


def _short(text: str, at: int) -> str:
    """A line's part around this place."""
    start = max(0, min(at - SHOWN // 2, len(text) - SHOWN))
    return f"{'...' * (start > 0)}{text[start : start + SHOWN]}{'...' * (start + SHOWN < len(text))}"
