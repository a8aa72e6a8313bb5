"""From a name or a path to a problem, and from a path to the functions of an answer. Listing loads nothing heavy."""

from __future__ import annotations

import ast
import builtins
import inspect
import itertools
import os
import re
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import TracebackException
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from .errors import GradcheckError, InputError, ProblemError, did_you_mean, names_at

if TYPE_CHECKING:
    from .problem import Problem

HOMES = (Path(__file__).parent / "problems", Path(__file__).parents[1] / "problems")

_shipped_name = re.compile(r"(problem(\d+))_(\w+)")
_ids = re.compile(r"[A-Z]+-\d+(, *[A-Z]+-\d+)*")
_count = itertools.count(1)
ARGUMENTS = r"(\w+)(?:\.__\w+__)?\(\) (?:got an unexpected keyword argument '(\w+)'|missing \d+ required|takes .*positional)"
GUESS = re.compile(r"\.? Did you (mean|forget)\b.*\?$")  # of Python 3.12 and later
# Arguments that are filled in by this package.
FILLED_IN = {
    "Problem": ("id", "about", "path", "also", "given_names"),
    "Draw": ("bundle",),
    "Categorical": ("logs",),
    "Bernoulli": ("logs",),
}
SYMPYS = (
    "Derivative",
    "IndexedBase",
    "Integer",
    "Integral",
    "KroneckerDelta",
    "Rational",
    "Sum",
    "Symbol",
    "oo",
    "pi",
    "symbols",
)
MODULES = {"np": "numpy as np", "sp": "sympy as sp"}
QUANTITIES = "Value|Gradient|Mean|Covariance|Exact|Printed|Combined|Component|Sum|Trace|Curl|Hull|NonFinite"
FORMULAS = "in a formula write the words of gradcheck_rl, as in exp(x), softmax(theta), maximum(x, 0)"
OF_NUMPY = "reshape|ravel|flatten|dot|prod|cumsum|diagonal|trace|transpose|swapaxes|squeeze|repeat|take|tolist|size|ndim"
HINTS = (
    (
        "truth value of Relational",
        "what holds symbols is not true or false; write maximum, minimum, clip or step, a claim for each, or where=AtMost(0, x)",
    ),
    (r"does not support argument \d+ of type|convert expression to float|must be Tensor, not", FORMULAS),
    (r"'(Parameter|Variable|Draw|Named|Array)' object is not callable", "an index is written in brackets, as in reward[action]"),
    (r"^TypeError: int\(\) argument .*'Draw'", "a draw is an index as it is, as in reward[action]"),
    (r"^TypeError: .* (real )?number, not '?(Parameter|Variable|Draw|Named|Array)", FORMULAS),
    (
        rf"'(Parameter|Variable|Draw|Named)' object has no attribute '({OF_NUMPY})'",
        "what numpy's arrays have beyond its sum, mean, max, min and T stands behind [:], as in theta[:].reshape(4)",
    ),
    (
        r"'bool' and '\w+'|'\w+' and 'bool'",
        "a comparison is no number: write int(i == j), and KroneckerDelta(i, j) of a draw or symbol",
    ),
    (
        "'Array' object has no attribute 'array'",
        "a formula of arrays is one as it is, as in Matrix(A + B); of a variable or a Named write A[:]",
    ),
    (
        r"'(Parameter|Variable|Draw|Named|Array)' object has no attribute '(det|inv|trace|rank|norm|eigenvals)'",
        "linear algebra is SymPy's: write Matrix(A[:]).det(), and sqrt((x**2).sum()) for a length",
    ),
    (
        r"'(Parameter|Variable|Draw|Named|Array)' object has no attribute '(subs|xreplace|replace|expand|simplify|diff|doit)'",
        "that is of one formula: write x[0].subs(mu, 1) of an entry, or of each array(*(f.subs(mu, 1) for f in x))",
    ),
    (
        r"'(Parameter|Variable|Draw|Named|Array)' object has no attribute",
        f"a function of torch is named and not called, as in Gradient(f); {FORMULAS}",
    ),
    (
        rf"'({QUANTITIES})' object has no|(operand|instances|bad) .*'({QUANTITIES})'",
        "of a quantity there are + - * /, q[0] and q.sum(); write the rest inside, in the formula or the function it is of",
    ),
    (
        rf"SympifyError: .*(\b({QUANTITIES})\(|gradcheck_rl\.quantities\.)",
        "SymPy knows no quantity; claim Equal(a, b) in place of Eq(a, b), and write functions inside, as in Value(exp(x))",
    ),
    (
        r"Relation\.__init__\(\) got an unexpected keyword argument '(at|where|by|source|resolution)'",
        "that is said of the claim, behind the relation, as in Claim('...', Equal(a, b), by='sampled')",
    ),
    (
        r"Relation\.__init__\(\) got an unexpected keyword argument 'over'",
        "that is said of the mean inside, as in Equal(Mean(Gradient(f), over=group), Gradient(J))",
    ),
    ("only integers, slices", "an index is one number or draw; of several write array(*(reward[a] for a in group['action']))"),
    (r"Relation\.__init__\(\) (takes|missing) ", "a relation has two sides, as in Equal(a, b)"),
    ("attempted relative import", "a page is read as a script: import a file beside it by its name alone, without a dot"),
    ("No module named 'torch'", "type pip install torch"),
    ("'Exp1' object is not callable", "E is SymPy's number e here; import gradcheck_rl after sympy"),
    (
        "'FunctionClass' and|and 'FunctionClass'",
        "that is one of SymPy's functions, as beta and gamma are; declare a Variable of that name",
    ),
)


@dataclass(frozen=True)
class Shipped:
    """A problem that comes with the package, by what its file is called: problems/problemN_slug.py."""

    id: str
    slug: str
    path: Path

    @property
    def title(self) -> str:
        """The first line of the file's docstring, without its full stop."""
        with self.path.open(encoding="utf-8") as file:
            return file.readline().strip().strip('"').rstrip(".")


def shipped() -> list[Shipped]:
    """The problems of the installed package, else of the checkout, in the order of their numbers."""
    home = next((home for home in HOMES if home.is_dir()), None)
    if home is None:
        return []
    matches = [(match, path) for path in home.glob("*.py") if (match := _shipped_name.fullmatch(path.stem))]
    return [Shipped(match[1], match[3], path) for match, path in sorted(matches, key=lambda found: int(found[0][2]))]


def parse(path: Path) -> ast.Module:
    """The syntax tree of a problem file."""
    try:
        return ast.parse(_text(path, ProblemError), str(path))
    except (SyntaxError, ValueError) as error:
        raise ProblemError(why(path, error)) from error


def locate(name: str | Path, words: Iterable[str] = ()) -> Path:
    """The file that a name (problem1, masked_softmax) or a path means; `words` are what else may have been meant."""
    name = str(name)
    if name.endswith(".py") or "/" in name or "\\" in name:
        return _file(name, "a problem file")
    known = shipped()
    for problem in known:
        if name in (problem.id, problem.slug):
            return problem.path
    if os.path.isfile(f"{name}.py"):
        raise InputError(f"unknown problem '{name}'. Did you mean the file `{name}.py`?")
    suggestion = did_you_mean(name, [word for problem in known for word in (problem.id, problem.slug)] + list(words))
    raise InputError(f"unknown problem '{name}'.{suggestion} `list` shows all {len(known)}; others are named by their path.")


def load(name_or_path: str | Path) -> Problem:
    """The problem of a page, run once, and again for each other size that the page names, when that is asked for."""
    from .symbols import Size

    path = locate(name_or_path)
    page = _execute(path, ProblemError)
    also = [{size.name: n} for size in vars(page).values() if type(size) is Size for n in size.also]
    return _problem(path, page, OtherSizes(path, cast("_Fresh", page.__loader__).made, also))


class OtherSizes(Sequence[tuple[Mapping[str, int], "Problem"]]):
    """A page as it was read, run at its other sizes once the first of them is asked for."""

    def __init__(self, path: Path, code: CodeType, sizes: Sequence[Mapping[str, int]]) -> None:
        self.path, self.code, self.sizes = path, code, sizes

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, at: Any) -> Any:
        return self._problems[at]

    @cached_property
    def _problems(self) -> list[tuple[Mapping[str, int], Problem]]:
        from .symbols import sizes

        found: list[tuple[Mapping[str, int], Problem]] = []
        for chosen in self.sizes:
            with sizes(chosen):
                found.append((chosen, _problem(self.path, _execute(self.path, ProblemError, self.code), ())))
        return found


def load_at(name_or_path: str, chosen: Mapping[str, int]) -> Problem:
    """The problem of a page whose sizes take these values: what holds at every point, without given data."""
    from .symbols import sizes

    path = locate(name_or_path)
    with sizes(chosen):
        return _problem(path, _execute(path, ProblemError), ())


def variant(path: Path, tree: ast.Module) -> tuple[Problem, dict[str, object]]:
    """The problem that a page's syntax tree makes after an edit, at the page's own sizes, and all that the page names."""
    module = _execute(path, ProblemError, tree)
    del sys.modules[module.__name__]
    return _problem(path, module, ()), vars(module)


def load_functions(path: str, slots: Collection[str] = ()) -> dict[str, Callable[..., Any]]:
    """What can be called in an answer's file, by name, and whatever has the name of a slot: what is no function is refused."""
    found = vars(_execute(_file(path, "a file with functions"), InputError))
    return {name: value for name, value in found.items() if name in slots or (callable(value) and not name.startswith("_"))}


def read_from(function: Any) -> tuple[Path, str] | None:
    """The file that `load_functions` found a function in, and its name there."""
    module, name = sys.modules.get(getattr(function, "__module__", "")), getattr(function, "__name__", "")
    if module is None or not isinstance(module.__loader__, _Fresh) or vars(module).get(name) is not function:
        return None
    return Path(module.__loader__.path), name


def identity(path: Path) -> str:
    """What a problem is called in reports: problem1 for problem1_masked_softmax.py, else the name of its file."""
    match = _shipped_name.fullmatch(path.stem)
    return match[1] if match else path.stem


def typed(path: Path) -> str:
    """What a person who stands here types for a page: problem1, or its file."""
    if path.stem != identity(path):
        return identity(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def sources(path: Path) -> list[tuple[str, int]]:
    """The ids that a problem file writes, as source="A-005, A-006" or in a table, and their lines; it is read, not run."""
    values = ((node.value, node.lineno) for node in ast.walk(parse(path)) if isinstance(node, ast.Constant))
    return [(value, line) for value, line in values if isinstance(value, str) and _ids.fullmatch(value)]


def statements(source: str) -> list[str]:
    """The ids in a source: 'A-005, A-006'."""
    return [word for part in source.split(",") if (word := part.strip())]


def _problem(path: Path, module: ModuleType, also: Sequence[tuple[Mapping[str, int], Problem]]) -> Problem:
    from .derivation import Derivation
    from .problem import Problem

    values = vars(module)
    if "problem" not in values and (chains := [value for value in values.values() if type(value) is Derivation]):
        values["problem"] = Problem(title=(module.__doc__ or path.stem).strip().split("\n")[0].rstrip("."), derivations=chains)
    if "problem" not in values:
        raise ProblemError(f"{path} has no `problem`: end it with `problem = Problem(title=..., claims=...)`.")
    problem = values["problem"]
    if type(problem) is not Problem:
        raise ProblemError(f"`problem` in {path} is of type {type(problem).__name__}: write `problem = Problem(...)`.")
    try:
        return problem.named(values, id=identity(path), about=module.__doc__ or "", path=str(path), also=also)
    except GradcheckError as error:
        raise ProblemError(f"{path}: {error}") from error


def _file(name: str, expected: str) -> Path:
    path = Path(name)
    if os.path.isdir(path):  # which a name that is too long is not
        raise InputError(f"{path} is a directory; {expected} was expected.")
    if not os.path.isfile(path):
        names = [str(other) for other in path.parent.glob("*.py")] if os.path.isdir(path.parent) else []
        raise InputError(f"there is no file {path}; {expected} was expected.{did_you_mean(str(path), names)}")
    return path


class _Fresh(SourceFileLoader):
    """Compiles what the file says now. Cached bytecode knows whole seconds only, and litters other people's folders."""

    def __init__(self, name: str, path: str, made: ast.Module | CodeType | None) -> None:
        super().__init__(name, path)
        self.made: Any = made

    def get_code(self, fullname: str) -> CodeType:
        if not isinstance(self.made, CodeType):
            self.made = compile(self.made or self.get_data(self.path), self.path, "exec", dont_inherit=True)
        return self.made


def _execute(path: Path, wrong: type[GradcheckError], made: ast.Module | CodeType | None = None) -> ModuleType:
    """The module that a file makes, or an edited tree of it, or what was compiled of it, under a name of its own.

    What goes wrong in it is raised as `wrong`, in one sentence.
    """
    _text(path, wrong)
    name = f"gradcheck_rl_page_{next(_count)}_{path.stem}"
    loader = _Fresh(name, str(path), made)
    spec = spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = module_from_spec(spec)
    # While it runs a module must be found by its name: dataclasses look it up.
    sys.modules[name] = module
    try:
        with _beside(path):
            loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise wrong(why(path, error)) from error
    return module


@contextmanager
def _beside(path: Path) -> Generator[None]:
    """A file may import its neighbours, as a script may, but hides nothing that is installed."""
    folder = str(path.resolve().parent)
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _text(path: Path, wrong: type[GradcheckError]) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise wrong(f"{path} is not UTF-8 (byte 0x{byte:02X} at {error.start}): save it as UTF-8.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def why(path: Path, error: BaseException) -> str:
    """file:line and the exception, in one line."""
    told = TracebackException.from_exception(error)
    place, line = str(path), next((frame.lineno for frame in reversed(told.stack) if frame.filename == str(path)), None)
    if isinstance(error, SyntaxError):
        place, line = error.filename or place, error.lineno
        says = f"this is not Python: {error.msg}"
    elif isinstance(error, GradcheckError):
        says = str(error)
    else:
        says = " ".join(list(told.format_exception_only())[-1].split())
        if isinstance(error, ImportError):
            says = says.replace(f" ({error.path})", "")
        if (meant := _meant(error, says)) != ".":
            says = (GUESS.sub("", says) if meant else says) + meant
    # An exception may carry a whole tensor in its text.
    return f"{place}:{line}: {says[:400]}" if line else f"{place}: {says[:400]}"


def _meant(error: BaseException, says: str) -> str:
    """What was probably meant: another name of this package, an argument that it takes, a word for formulas."""
    package = sys.modules[__name__.partition(".")[0]]
    names: list[str] = package.__all__
    if isinstance(error, ImportError) and (found := re.search(f"cannot import name '(\\w+)' from '{package.__name__}'", says)):
        own = f" It is Python's own: write `{found[1]}(x)`, without an import." if hasattr(builtins, found[1]) else ""
        return f".{own or _of_sympy(found[1]) or did_you_mean(found[1], names)}"
    if isinstance(error, NameError) and error.name is not None:
        missing = f" Write `from {package.__name__} import {error.name}`." if error.name in names else ""
        module = MODULES.get(error.name, error.name if error.name in sys.stdlib_module_names else "")
        missing = missing or (f" Write `import {module}`." if module else "")
        return f".{missing or _of_sympy(error.name) or did_you_mean(error.name, [*names_at(error), *names])}"
    if isinstance(error, TypeError) and (found := re.search(ARGUMENTS, says)) and found[1] in names:
        parameters = inspect.signature(getattr(package, found[1])).parameters
        written = [p for name, p in parameters.items() if name not in FILLED_IN.get(found[1], ())]
        takes = [p.name if p.kind is not p.VAR_KEYWORD else "names, as in theta=(1, 0)" for p in written]
        return f": it takes {', '.join(takes)}.{did_you_mean(found[2] or '', takes)}"
    return next((f": {hint}." for pattern, hint in HINTS if re.search(pattern, says)), "")


def _of_sympy(name: str) -> str:
    """' It is SymPy's...' or nothing."""
    return f" It is SymPy's: write `from sympy import {name}`." if name in SYMPYS else ""
