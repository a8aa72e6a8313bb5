"""Do two definitions compute the same? Their calls are written out, and what may be exchanged is put in order.

Only what is exact in floating point counts: the two sides of a sum or product, the arguments of a minimum, the sign of what
is squared, a gradient that is stopped twice. Straight lines are followed to what they return; loops, branches and lines that
change something are compared one by one.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from copy import deepcopy

SYMMETRIC = {"minimum", "maximum", "min", "max", "Min", "Max", "add", "mul", "logaddexp", "equal", "KroneckerDelta"}

ROWS = {"chunk", "copy", "split", "tolist", "unbind"}

BINDING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.ExceptHandler, ast.pattern)

Definitions = Mapping[str, ast.stmt]


def same_code(one: ast.stmt, other: ast.stmt, definitions: Definitions) -> bool:
    if not (isinstance(one, ast.FunctionDef) and isinstance(other, ast.FunctionDef)):
        return False
    if ast.dump(one.args) != ast.dump(other.args):
        return False
    values = [_returned(d.body, _slots(d), definitions) for d in (one, other)]
    if values[0] is not None and values[1] is not None:
        return ast.dump(values[0]) == ast.dump(values[1])
    lines = [_lines(d, definitions) for d in (one, other)]
    return None not in lines and lines[0] == lines[1]


def _lines(definition: ast.FunctionDef, definitions: Definitions) -> list[str] | None:
    """Its lines, each with its calls written out; what it binds is no name of the page."""
    inside = [n for statement in definition.body for n in ast.walk(statement)]
    if any(isinstance(n, BINDING) for n in inside):
        return None
    bound = {n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    bound |= {n.arg for n in inside if isinstance(n, ast.arg)}
    names: dict[str, ast.expr] = {p.arg: ast.Name(f"its {p.arg}") for p in ast.walk(definition.args) if isinstance(p, ast.arg)}
    names |= _slots(definition) | {name: ast.Name(f"its {name}") for name in bound}
    return [ast.dump(_WrittenOut(definitions, names).visit(deepcopy(s))) for s in definition.body]


def _returned(body: Sequence[ast.stmt], names: dict[str, ast.expr], definitions: Definitions) -> ast.expr | None:
    """What a straight line of statements returns, in terms of its arguments; None for any other body."""
    if _hides(body, names):
        return None
    for statement in body:
        match statement:
            case ast.Return(value=ast.expr() as value):
                return _WrittenOut(definitions, names).visit(deepcopy(value))
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                names[name] = _WrittenOut(definitions, names).visit(deepcopy(value))
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                written = _WrittenOut(definitions, names).visit(deepcopy(value))
                for n, target in enumerate(targets):
                    if not isinstance(target, ast.Name):
                        return None
                    names[target.id] = _part(written, n)
            case ast.With(
                items=[ast.withitem(context_expr=ast.Call(func=ast.Attribute(attr="no_grad")), optional_vars=None)], body=inner
            ):
                value = _returned(inner, names, definitions)
                return None if value is None else _stopped(value)
            case ast.Expr(value=ast.Constant()):
                pass
            case _:
                return None
    return None


def _hides(body: Sequence[ast.stmt], names: Mapping[str, ast.expr]) -> bool:
    """Does an expression bind a name, as `for k in ...` within brackets does, that means something else around it?"""
    inside = [n for statement in body for n in ast.walk(statement)]
    targets = [n.target for n in inside if isinstance(n, (ast.comprehension, ast.NamedExpr))]
    bound = {n.arg for n in inside if isinstance(n, ast.arg)}.union(*map(_words, targets))
    given = [*names.values(), *(n for n in inside if isinstance(n, ast.Assign))]
    return not bound.isdisjoint(names.keys() | set().union(*map(_words, given)))


def _words(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _slots(definition: ast.FunctionDef) -> dict[str, ast.expr]:
    """A slot is the function in it; a parameter that defaults to a number may be given another."""
    return {name: default for name, default in _defaults(definition).items() if isinstance(default, ast.Name)}


def _defaults(definition: ast.FunctionDef) -> dict[str, ast.expr]:
    """What stands for a parameter that is not given."""
    given = definition.args
    plain = [p.arg for p in (*given.posonlyargs, *given.args)]
    return dict(zip(plain[len(plain) - len(given.defaults) :], given.defaults, strict=True))


def _part(value: ast.expr, n: int) -> ast.expr:
    match value:
        case ast.Tuple(elts=parts) if n < len(parts) and not any(isinstance(part, ast.Starred) for part in parts):
            return parts[n]
        case _:
            return ast.Subscript(value, ast.Constant(n), ast.Load())


def _stopped(value: ast.expr) -> ast.expr:
    match value:
        case ast.Tuple(elts=parts):
            return ast.Tuple([_stopped(part) for part in parts], ast.Load())
        case _:
            return value if _is_still(value) else ast.Call(ast.Attribute(value, "detach", ast.Load()), [], [])


def _is_still(value: ast.expr) -> bool:
    """Is nothing left in it that a gradient could flow through?"""
    match value:
        case ast.Call(func=ast.Attribute(attr="detach")) | ast.Constant():
            return True
        case ast.Subscript(value=part):
            return _is_still(part)
        case ast.BinOp(left=left, right=right):
            return _is_still(left) and _is_still(right)
        case _:
            return False


def _is_number(value: ast.expr) -> bool:
    """Does + add it up, as it joins no rows, whose order counts?"""
    match value:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _is_number(left) or _is_number(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return not (_may_be_rows(left) or _may_be_rows(right))
        case ast.BinOp() | ast.UnaryOp() | ast.Constant(value=int() | float()):
            return True
        case ast.Call(func=ast.Attribute()):
            return not _may_be_rows(value)
        case _:
            return False


def _may_be_rows(value: ast.expr) -> bool:
    """Brackets, what makes lists, and what a function gives that is not written out."""
    match value:
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in ROWS
        case ast.BinOp(op=ast.Add()):
            return not _is_number(value)
        case _:
            return isinstance(value, (ast.List, ast.Tuple, ast.ListComp, ast.Call))


class _WrittenOut(ast.NodeTransformer):
    def __init__(self, definitions: Definitions, names: Mapping[str, ast.expr]) -> None:
        self.definitions, self.names = definitions, names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return deepcopy(self.names.get(node.id, node))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mult) or (isinstance(node.op, ast.Add) and _is_number(node)):
            node.left, node.right = sorted((node.left, node.right), key=ast.dump)
        match node:
            case ast.BinOp(left=ast.UnaryOp(op=ast.USub(), operand=base), op=ast.Pow(), right=ast.Constant(value=2)):
                node.left = base
            case _:
                pass
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.Subscript(value=ast.Tuple() as row, slice=ast.Constant(value=int(n))):
                return _part(row, n)
            case _:
                return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        match node.func:
            case ast.Attribute(value=value, attr="detach") if not node.args:
                return _stopped(value)
            case ast.Attribute(attr=name) if name in SYMMETRIC and not node.keywords:
                node.args.sort(key=ast.dump)
                return node
            case ast.Name(id=name):
                return self._called(name, node) or node
            case _:
                return node

    def _called(self, name: str, node: ast.Call) -> ast.expr | None:
        definition = self.definitions.get(name)
        if not isinstance(definition, ast.FunctionDef) or definition.decorator_list:
            return None
        given = definition.args
        parameters = [p.arg for p in given.args]
        named = {k.arg: k.value for k in node.keywords if k.arg is not None}
        plain = not (given.vararg or given.kwonlyargs or given.kwarg or given.posonlyargs) and len(named) == len(node.keywords)
        bound = _defaults(definition) | dict(zip(parameters, node.args, strict=False)) | named
        if not plain or len(node.args) > len(parameters) or bound.keys() != set(parameters):
            return None
        others = {n: d for n, d in self.definitions.items() if n != name}
        return _returned(definition.body, bound, others)
