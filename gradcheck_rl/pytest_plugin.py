"""pytest: every sentence of a problem file is a test, and `@pytest.mark.gradcheck_rl("problem1", answer=mine)` checks an answer.

Loaded in every run of pytest, so nothing heavy is imported before a test needs it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from .errors import GradcheckError, InputError, did_you_mean
from .load import load, load_functions

if TYPE_CHECKING:
    from .problem import Problem
    from .report import Report

NAME = "gradcheck_rl"
MARK = f"{NAME}(problem, answer=None, only=None, seed=None): the claims of a problem hold, for functions that replace its own"
WORDS = ("problem", "answer", "only", "seed")
PROPERTY = f"{NAME} verdict"
_ends_in_a_problem = re.compile(r"^problem\s*(:[^=\n]*)?=(?!=)", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup(NAME).addoption("--gradcheck-seed", type=int, default=0, metavar="N", help="draw other points (0)")
    parser.addini("gradcheck_rl_problems", "where problem files are, as problems/*.py", type="args", default=["problems/*.py"])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)


# ---- problem files --------------------------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    places, tests = (parent.config.getini(name) for name in ("gradcheck_rl_problems", "python_files"))
    named = parent.session.isinitpath(file_path) and not any(map(file_path.match, tests))
    if file_path.suffix == ".py" and (named or any(map(file_path.match, places))) and _is_page(file_path):
        return Page.from_parent(parent, path=file_path)
    return None


def _is_page(path: Path) -> bool:
    """A folder named `problems` may hold anything."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return NAME in text and _ends_in_a_problem.search(text) is not None


class Page(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        try:
            problem = load(str(self.path))
        except GradcheckError as error:
            raise self.CollectError(str(error)) from None
        for name in problem.names:
            yield Sentence.from_parent(self, name=name, problem=problem)


class Sentence(pytest.Item):
    """A claim, an erratum, a derivation, or a planted mistake."""

    def __init__(self, *, problem: Problem, **rest: Any) -> None:
        super().__init__(**rest)
        self.problem = problem

    def runtest(self) -> None:
        from .loop import check

        with _in_a_sentence():
            _require(self, check(self.problem, seed=self.config.option.gradcheck_seed, only=[self.name]))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.problem.name}: {self.name}"


# ---- marked tests ---------------------------------------------------------------------------------------------------------


@pytest.fixture(name=NAME)
def report(request: pytest.FixtureRequest) -> Report:
    """What the marked problem's check found."""
    with _in_a_sentence():
        marker = _marker(request.node)
        if marker is None:
            raise InputError(f'the fixture {NAME} belongs to a marked test: write @pytest.mark.{NAME}("problem1", answer=...).')
        return _checked(request.node, marker)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """A marked test that does not ask for the report requires that everything holds."""
    if NAME not in getattr(item, "fixturenames", ()):
        with _in_a_sentence():
            if marker := _marker(item):
                _require(item, _checked(item, marker))


def _marker(item: pytest.Item) -> pytest.Mark | None:
    """The mark of a test, of which a class and a module may have others."""
    if sum(mark.name == NAME for mark in item.own_markers) > 1:
        raise InputError(f"this test has several marks {NAME}, and one is read: write a test for each.")
    return item.get_closest_marker(NAME)


def _checked(item: pytest.Item, marker: pytest.Mark) -> Report:
    from .loop import check

    options = _options(marker)
    problem, seed = _problem(options["problem"]), options.get("seed")
    found = check(
        problem,
        _answer(problem, options.get("answer")),
        seed=item.config.option.gradcheck_seed if seed is None else seed,
        only=options.get("only"),
    )
    _note(item, found)
    return found


def _options(marker: pytest.Mark) -> dict[str, Any]:
    form = f"it is {MARK.partition(':')[0]}"
    if len(marker.args) > len(WORDS):
        raise InputError(f"the mark {NAME} has {len(marker.args)} values: {form}.")
    options: dict[str, Any] = dict(zip(WORDS, marker.args, strict=False))
    for name in marker.kwargs:
        if name not in WORDS:
            raise InputError(f"the mark {NAME} has no `{name}`: {form}.")
        if name in options:
            raise InputError(f"the mark {NAME} has `{name}` twice: {form}.")
    options |= marker.kwargs
    if "problem" not in options:
        raise InputError(f'the mark {NAME} names no problem: write @pytest.mark.{NAME}("problem1", answer=...).')
    return options


def _problem(given: Any) -> Problem:
    """What is loaded by name or path, or a problem that is at hand."""
    from .problem import Problem

    if not isinstance(given, (Problem, str, Path)):
        raise InputError(f'the problem is {type(given).__name__}: write its name, its path, or a Problem, as "problem1".')
    return given if isinstance(given, Problem) else load(given)


def _answer(problem: Problem, given: Any) -> dict[Any, Any]:
    """{reference function: replacement}, from a function, several, a mapping of names or functions, or a module or file."""
    known = problem.functions
    if isinstance(given, (str, Path, ModuleType)):
        source = given.__name__ if isinstance(given, ModuleType) else str(given)
        functions = vars(given) if isinstance(given, ModuleType) else load_functions(str(given), known)
        found = {name: f for name, f in functions.items() if name in known}
        if not found:
            raise InputError(f"{source} defines none of the functions: {problem.name} asks for {', '.join(known)}.")
    elif isinstance(given, Mapping):
        found = dict(given)
    else:
        some: Iterable[Any] = () if given is None else [given] if callable(given) else given
        if not isinstance(some, Iterable):
            raise InputError(
                f"the answer is {type(given).__name__}: a function was expected, or several, or {{'name': function}}."
            )
        found = {_name_of(f): f for f in some}
    if not found and given is not None:
        raise InputError("the answer is empty, and the page would be checked alone: give a function, or leave `answer` out.")
    for name in found:
        if not isinstance(name, str) and not callable(name):
            raise InputError(f"the answer is for {name!r}: write the name of a function of the page, or the function.")
        if not callable(name) and name not in known:
            raise InputError(f"{problem.name} has no function `{name}`; it has {', '.join(known)}.{did_you_mean(name, known)}")
    return {name if callable(name) else known[name]: f for name, f in found.items()}


def _name_of(answer: Any) -> str:
    if not hasattr(answer, "__name__"):
        raise InputError(f"the answer is {type(answer).__name__}, which has no name: write answer={{'name': it}}.")
    return answer.__name__


# ---- what is said ---------------------------------------------------------------------------------------------------------


@contextmanager
def _in_a_sentence() -> Generator[None]:
    """Where a traceback would show our own lines only."""
    try:
        yield
    except GradcheckError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _require(item: pytest.Item, report: Report) -> None:
    _note(item, report)
    if not report.ok:
        pytest.fail(report.text(), pytrace=False)


def _note(item: pytest.Item, report: Report) -> None:
    """Into the test's properties, which JUnit files hold and the workers of xdist send."""
    if any(name == PROPERTY for name, _ in item.user_properties):
        return
    words = [f"erratum {c.verdict}" if c.kind == "erratum" else c.verdict for c in report.claims]
    words += ["mistake caught" if m.caught else "mistake missed" for m in report.mistakes]
    item.user_properties += [(PROPERTY, word) for word in words]
    item.user_properties += [
        (f"{NAME} problem", report.problem),
        (f"{NAME} seed", report.seed),
        (f"{NAME} replay", report.replay),
    ]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [r for group in terminalreporter.stats.values() for r in group if getattr(r, "when", "") == "call"]
    counts = Counter(word for r in reports for name, word in r.user_properties if name == PROPERTY)
    if counts:
        terminalreporter.section(NAME)
        terminalreporter.write_line(", ".join(f"{count} {word}" for word, count in counts.items()))
