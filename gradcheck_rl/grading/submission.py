"""What was handed in, read and not run: a file, a notebook, or a folder of files, and the texts in it that are answers."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ..errors import InputError
from .worker import place

MAIN = "submission"
ADAPTER = "course's adapter"  # no name in Python: no file of a submission stands in its place
LARGEST = 1 << 20
FILES = 40
SUFFIXES = (".py", ".ipynb")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
REPEATED, ALTOGETHER = 1000, 1 << 12  # entries that [0] * n stands for: of one, and in a file
MODULES = {"np", "numpy", "math", "torch", "sp", "sympy", "fractions"}
AROUND = {"array", "asarray", "tensor", "as_tensor", "list", "tuple", "float", "Fraction", "Rational", "Float", "Matrix"}
MAKERS = {"abs", "bool", "dict", "float", "int", "len", "list", "max", "min", "pow", "range", "round", "set", "str"} | {
    "sum", "tuple"
}  # fmt: skip
IMPORTS = (ast.Import, ast.ImportFrom)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
TIMED = {"time", "capture", "prun"}  # what IPython does around a cell of Python
_library = re.compile(r"\b(torch|numpy)\b")
_magic = re.compile(r"\s*%%(\w+)")
_command = re.compile(r"\s*(?:[%!?]|[\w, ]+=\s*[%!]|[\w.*]+\?{1,2}\s*$)")  # of IPython, or of the shell


class Unreadable(InputError):
    """A submission that cannot be read as one: nobody's attempt is lost by it."""


@dataclass(frozen=True)
class Adapter:
    """How work that was not written to the template is taken: functions by their own names, or through a teacher's module."""

    names: Mapping[str, str] = field(default_factory=dict)
    module: str = ""

    @property
    def used(self) -> bool:
        return bool(self.names or self.module)


@dataclass(frozen=True)
class Submission:
    """The modules to be run, and the constants that are written in the first of them.

    Of its statements, by their numbers: `assigned` has those of each name, `left_out` are not run, and `tried` are left out
    where they raise. `cells` of a notebook: the first line of each, and its number.
    """

    name: str
    sources: Mapping[str, str]
    texts: Mapping[str, str]
    assigned: Mapping[str, Sequence[int]] = field(default_factory=dict)
    left_out: Sequence[int] = ()
    tried: Sequence[int] = ()
    cells: Sequence[tuple[int, int]] = ()
    stops: bool = False
    by_hand: bool = False

    @property
    def digest(self) -> str:
        text = json.dumps([dict(self.sources), dict(self.texts)], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def modules(self) -> list[str]:
        """What is imported, in this order; a teacher's module may import the submission."""
        return [name for name in (ADAPTER, MAIN) if name in self.sources]

    @property
    def libraries(self) -> list[str]:
        found = {match for text in self.sources.values() for match in _library.findall(text)}
        return ["numpy", *(["torch"] if "torch" in found else [])]


def listed(paths: Sequence[str]) -> list[Path]:
    """The submissions that were named: files, folders that are one submission, folders of a class."""
    found: list[Path] = []
    for word in paths:
        path = Path(word)
        if not path.exists():
            raise InputError(f"there is no {path}: write a file, a notebook or a folder of submissions.")
        if path.is_dir() and not (path / f"{MAIN}.py").is_file():
            inside = [p for p in sorted(path.iterdir()) if _is_one(p)]
            if not inside:
                raise InputError(f"{path} holds no submission: .py, .ipynb, or a folder with {MAIN}.py were expected.")
            found += inside
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _is_one(path: Path) -> bool:
    """Does it look like something that was handed in? What is hidden or cached does not."""
    if path.name.startswith((".", "__")):
        return False
    return path.is_dir() or path.suffix.lower() in (*SUFFIXES, *ARCHIVES)


def read(path: Path, adapter: Adapter) -> Submission:
    """One submission, or `Unreadable`."""
    suffix = path.suffix.lower()
    name = path.stem if suffix in SUFFIXES else path.name
    if path.is_symlink():
        raise Unreadable(f"{path.name} is a link to somewhere else: hand in the files themselves.")
    if suffix in ARCHIVES and not path.is_dir():
        raise Unreadable(f"{path.name} is an archive: unpack it, and hand in the file or the folder that is in it.")
    main, others = _folder(path) if path.is_dir() else (path, {})
    cells: list[tuple[int, int]] = []
    notebook = main.suffix.lower() == ".ipynb"
    sources = {MAIN: _cells(main, cells) if notebook else _text(main), **others}
    tree = _tree(sources[MAIN], path, cells)
    texts, assigned = _texts(tree, sources[MAIN])
    kept = _parts(tree, others) if adapter.used or notebook else dict.fromkeys(range(len(tree.body)), False)
    run = {
        **sources,
        MAIN: ast.unparse(ast.Module([tree.body[n] for n in kept], [])) if len(kept) < len(tree.body) else sources[MAIN],
    }
    stops = any(
        _mentions(source, ("detach", "no_grad", "data", "item", "inference_mode", "stop_gradient")) for source in run.values()
    )
    by_hand = any(
        _mentions(source, ("Function", "register_hook", "backward", "register_full_backward_hook")) for source in run.values()
    )
    if adapter.module:
        sources[ADAPTER] = adapter.module
    left_out = [n for n in range(len(tree.body)) if n not in kept]
    tried = [n for n, may_fail in kept.items() if may_fail]
    return Submission(name, sources, texts, assigned, left_out, tried, cells, stops, by_hand)


def _folder(path: Path) -> tuple[Path, dict[str, str]]:
    """The submission in a folder, and the files that it may import."""
    inside = [p for p in sorted(path.iterdir()) if not p.name.startswith((".", "__"))]
    files = [p for p in inside if p.suffix in SUFFIXES]
    if not files and len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink():
        return _folder(inside[0])  # as an archive is unpacked
    if len(files) > FILES:
        raise Unreadable(f"{path.name} holds {len(files)} files; at most {FILES} were expected.")
    main = next((p for p in files if p.stem == MAIN), files[0] if len(files) == 1 else None)
    if main is None:
        has = ", ".join(p.name for p in files[:5]) or "nothing"
        raise Unreadable(f"{path.name} does not say which file is the submission: call it {MAIN}.py; there is {has}.")
    return main, {p.stem: _text(p) for p in files if p is not main and p.suffix == ".py" and p.stem.isidentifier()}


def _text(path: Path) -> str:
    try:
        if not path.is_file() or path.is_symlink():
            raise Unreadable(f"{path.name} is no ordinary file.")
        if path.stat().st_size > LARGEST:
            fix = ": clear its outputs" if path.suffix.lower() == ".ipynb" else ""
            raise Unreadable(f"{path.name} has {path.stat().st_size} bytes; at most {LARGEST} were expected{fix}.")
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be read: {error.strerror}.") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{data[error.start]:02X} at {error.start}"
        raise Unreadable(f"{path.name} is not UTF-8 ({byte}): save it as UTF-8.") from None


def _cells(path: Path, starts: list[tuple[int, int]]) -> str:
    """The code of a notebook, without what only a notebook understands, and where each cell starts."""
    try:
        book: Any = json.loads(_text(path))
        cells = [c for c in cast(dict[str, Any], book)["cells"] if c["cell_type"] == "code"]
        texts = ["".join(c["source"]) if isinstance(c["source"], list) else str(c["source"]) for c in cells]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable(f"{path.name} is no notebook: cells with sources were expected.") from None
    lines = list[str]()
    for number, text in enumerate(texts, start=1):
        if kept := _cell(text):
            starts.append((len(lines) + 1, number))
            lines += [*_lines(kept), ""]
    return "\n".join(lines) + "\n"


def _lines(text: str) -> list[str]:
    return re.split("\r\n|\r|\n", text)


def _cell(text: str) -> str:
    """A cell with nothing in the place of its commands; nothing of it, where they leave what is not Python."""
    if (magic := _magic.match(text)) and magic[1] not in TIMED:
        return ""
    lines = _lines(text)
    kept = lines if _is_python(text) else ["" if _command.match(line) else line for line in lines]
    found = "\n".join(kept)
    return found if kept == lines or _is_python(found) else ""


def _parsed(text: str, name: str = "") -> ast.Module:
    """Where Python only warns, as of "\\mu" without r, it can be read."""
    with warnings.catch_warnings(action="ignore"):
        return ast.parse(text, name)


def _is_python(text: str) -> bool:
    try:
        _parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _tree(text: str, path: Path, cells: Sequence[tuple[int, int]]) -> ast.Module:
    try:
        return _parsed(text, path.name)
    except SyntaxError as error:
        at = place(path.name, error.lineno, cells) if error.lineno else path.name
        raise Unreadable(f"{at}: this is not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"{path.name} is not Python that can be read: {error or 'too deeply nested'}.") from None


def _texts(tree: ast.Module, source: str) -> tuple[dict[str, str], dict[str, list[int]]]:
    """What names stand for in a submission, where it is written out: a text, or what Python would work out; and where it is."""
    plain, texts, assigned = _Plain(source), dict[str, str](), dict[str, list[int]]()
    for n, node in enumerate(tree.body):
        match node:
            case ast.Assign(targets=targets, value=value):
                names = [t.id for t in targets if isinstance(t, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                names = [name]
            case _:
                continue
        for name in names:
            assigned.setdefault(name, []).append(n)
        try:
            found = plain.visit(deepcopy(value))
            text = "" if _is_nothing(found) else ast.unparse(_bare(found))
        except (RecursionError, ValueError):  # nested too deeply, or a number of too many digits
            continue
        texts |= dict.fromkeys(names, text)
    return texts, assigned


class _Plain(ast.NodeTransformer):
    """Python, as the text of a formula: digits as they are typed, no names of modules, and no array(...) around a list."""

    def __init__(self, source: str) -> None:
        self.lines = [line.encode() for line in _lines(source)]
        self.left = ALTOGETHER

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if type(node.value) is not float:
            return node
        typed = self.lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode()
        return ast.Name(typed.replace("_", "").replace("e", "E"))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        return ast.Constant("".join(map(_string, node.values))) if all(map(_is_string, node.values)) else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.BinOp(left=left, op=ast.Add(), right=right) if _is_string(left) and _is_string(right):
                return ast.Constant(_string(left) + _string(right))
            case ast.BinOp(left=ast.List(elts=left), op=ast.Add(), right=ast.List(elts=right)):
                return ast.List(left + right, ast.Load())
            case ast.BinOp(left=ast.List(elts=some), op=ast.Mult(), right=ast.Constant(value=int(n))):
                simple = not any(isinstance(x, ast.List) for e in some for x in ast.walk(e))
                if not simple or len(some) * n > min(REPEATED, self.left):
                    return node
                self.left -= len(some) * max(n, 0)
                return ast.List(some * n, ast.Load())
            case _:
                return node

    def visit_List(self, node: ast.List | ast.Tuple) -> ast.expr:
        self.generic_visit(node)
        return ast.List(list(map(_bare, node.elts)), ast.Load())

    visit_Tuple = visit_List

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        return self.visit(node.body)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return ast.Name(node.attr) if isinstance(node.value, ast.Name) and node.value.id in MODULES else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Name(id=name), args=[inner]) if name in AROUND:
                return ast.UnaryOp(ast.UAdd(), inner) if isinstance(inner, ast.List) else inner  # no list: it is multiplied
            case ast.Call(func=ast.Name(id="Fraction" | "Rational"), args=[over, below]):
                return ast.BinOp(over, ast.Div(), below)
            case _:
                return node


def _is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _string(node: Any) -> str:
    return node.value


def _bare(node: ast.expr) -> ast.expr:
    """A text without its quotes."""
    return ast.Name(_string(node)) if _is_string(node) else node


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (None, ...)


def _parts(tree: ast.Module, own: Collection[str]) -> dict[int, bool]:
    """A script without its main part: its definitions, imports and constants, and what these read that a library makes.
    What is assigned may be made of what is left out: it may fail."""
    kept = {n for n, node in enumerate(tree.body) if _is_part(node)}
    imports = [(node, alias) for n in kept if isinstance(node := tree.body[n], IMPORTS) for alias in node.names]
    imported = [(alias.asname or alias.name).split(".")[0] for node, alias in imports if _origin(node, alias) not in own]
    defined = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    makers = {*MAKERS, *imported} - defined
    needed = {name for n in kept for name in _read(tree.body[n])}
    for n, node in reversed([*enumerate(tree.body)]):
        if n not in kept and isinstance(node, ASSIGNMENTS) and _is_made(node, needed, makers):
            needed |= _read(node)
            kept.add(n)
    return {n: isinstance(node := tree.body[n], ASSIGNMENTS) and bool(_read(node)) for n in sorted(kept)}


def _origin(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    """The module that a name is imported from."""
    return ((node.module or "") if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]


def _read(node: ast.stmt) -> set[str]:
    read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return {*read, *_assigned(node)} if isinstance(node, ast.AugAssign) else read


def _assigned(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> list[str]:
    """The names that it gives a value to; none where it changes something else too, as an entry of a list."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    single = [x for t in targets for x in (t.elts if isinstance(t, ast.Tuple) else [t])]
    names = [x.id for x in single if isinstance(x, ast.Name)]
    return names if len(names) == len(single) else []


def _is_made(node: ast.Assign | ast.AnnAssign | ast.AugAssign, needed: Collection[str], makers: Collection[str]) -> bool:
    """Is it something that is needed, made by calls of a library alone?"""
    called = [_root(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)]
    return any(name in needed for name in _assigned(node)) and all(name in makers for name in called)


def _root(function: ast.expr) -> str:
    """np of np.random.default_rng(0).normal."""
    while isinstance(function, (ast.Attribute, ast.Subscript, ast.Call)):
        function = function.func if isinstance(function, ast.Call) else function.value
    return function.id if isinstance(function, ast.Name) else ""


def _is_part(node: ast.stmt) -> bool:
    match node:
        case ast.FunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Assign(value=value) | ast.AnnAssign(value=value) | ast.AugAssign(value=value):
            return bool(_assigned(node)) and (value is None or isinstance(value, ast.Lambda) or _constant(value))
        case ast.Try(body=body, handlers=handlers):
            inside = [*body, *(n for h in handlers for n in h.body)]
            return all(isinstance(n, (ast.Import, ast.ImportFrom, ast.Pass)) for n in inside)
        case _:
            return False


def _constant(value: ast.expr) -> bool:
    """Numbers, texts, names and what is made of them without a call."""
    allowed = (
        ast.Constant, ast.Name, ast.Attribute, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.List, ast.Dict, ast.operator, ast.unaryop,
        ast.expr_context,
    )  # fmt: skip
    return all(isinstance(n, allowed) for n in ast.walk(value))


def _mentions(source: str, words: Sequence[str]) -> bool:
    return any(re.search(rf"\b{word}\b", source) for word in words)


def adapter(words: Sequence[str]) -> Adapter:
    """From `--map reparam_grad=their_name`, or `--map adapter.py`."""
    names: dict[str, str] = {}
    module = ""
    for word in words:
        ours, sign, theirs = word.partition("=")
        if sign and ours.isidentifier() and theirs.isidentifier():
            names[ours] = theirs
        elif not sign and word.endswith(".py"):
            module = _teachers(Path(word))
        else:
            raise InputError(f"--map {word} is neither: write --map reparam_grad=their_name, or --map adapter.py.")
    return Adapter(names, module)


def _teachers(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--map {path} cannot be read: {error}.") from error
