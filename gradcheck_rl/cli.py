"""The command line: parse, call, render, exit code. What is heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, TextIO

from .errors import GradcheckError, InputError, ProblemError, did_you_mean
from .load import doubts, load, load_functions, locate, shipped, sources, statements, why

if TYPE_CHECKING:
    from .problem import Problem
    from .render.text import Screen
    from .report import Report

Function = Callable[..., Any]

MOST_POINTS = 10_000

EPILOG = """\
A problem is a name from `list` (problem1 or masked_softmax), `all`, or the path of a file.
`gradcheck_rl run --help` shows the options. Where no command is named, it is run.

exit codes: 0 all is as it should be; 1 something is refuted, or an erratum holds, or a mutant survives;
  2 what was typed cannot be run; 3 undecided; 4 a problem file is wrong, or a mistake was not caught;
  5 nothing was checked; 130 interrupted. Of several problems, the worst of 4, 1, 3, 5.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was typed; the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if not words:
        parser.print_help(sys.stderr)
        return 2
    if words[0] not in (*COMMANDS, "-h", "--help", "--version"):
        words.insert(0, "run")
    try:
        options, unknown = parser.parse_known_args(words)
        if options.version:
            return _version()
        if unknown:
            wanted = COMMANDS[options.command][2]
            raise InputError(f"`{options.command}` has no `{unknown[0]}`.{did_you_mean(unknown[0].partition('=')[0], wanted)}")
        return COMMANDS[options.command][0](options)
    except KeyboardInterrupt:
        _complain("interrupted.")
        return 130
    except GradcheckError as error:
        return _refuse(error)


# ---- commands -------------------------------------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> int:
    names = _names(options.problems)
    for option in ("answer", "plot"):
        if getattr(options, option) and len(names) > 1:
            raise InputError(f"--{option} goes with one problem; {len(names)} were named.")
    if options.plot and options.answer:
        raise InputError("--plot draws the problem's own figures, not those of an answer: leave --plot or --answer out.")
    functions = load_functions(options.answer) if options.answer else None
    inputs = [locate(name) for name in names] + ([Path(options.answer)] if options.answer else [])
    if options.output:
        _writable(Path(options.output), inputs, "-o")
    if options.plot:
        from .figures import plottable

        plottable(options.plot)
        _writable(Path(options.plot), [*inputs, Path(options.output)] if options.output else inputs, "--plot")
    reports: list[Report] = []
    codes: list[int] = []
    try:
        for problem, wanted in _problems(names, options.only, codes):
            answer = None if functions is None else _answer(problem, functions, options.answer)
            with _told(codes):
                if options.plot and not problem.figures:
                    raise InputError(f"{problem.id} has no figure: leave --plot out.")
                reports.append(_check(problem, options, only=wanted, answer=answer))
                if not options.json:
                    _say(_text_of(reports[-1], options))
                if options.plot:
                    from .figures import plot

                    plot(problem.figures, reports[-1].figures, options.plot)
    except KeyboardInterrupt:
        _complain("interrupted; what was finished is reported.")
        codes.append(130)
    _deliver(reports, options)
    from .report import worst

    return worst(codes + [report.exit_code for report in reports])


def show_list(options: argparse.Namespace) -> int:
    rows = [(problem.id, problem.slug, problem.title) for problem in shipped()]
    widths = [max((len(row[n]) for row in rows), default=0) for n in (0, 1)]
    _say("".join(f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}\n" for row in rows))
    return 0 if rows else 5


def mistakes(options: argparse.Namespace) -> int:
    from .claims import Mistake
    from .render import text

    problem = _load(options.problem)
    if options.mutants:
        return _mutants(problem, options)
    report = _check(problem, options, only=[name for name, item in problem.names.items() if isinstance(item, Mistake)])
    _say(text.mistakes(report, _screen(options)))
    return report.exit_code


def _mutants(problem: Problem, options: argparse.Namespace) -> int:
    from .mutants import mutants
    from .render import text

    with redirect_stdout(sys.stderr):
        found = mutants(problem, options.seed)
    rows = [
        (name, str(line), f"killed by {killed_by}" if killed_by else "equivalent, proved" if equivalent else "SURVIVES")
        for name, line, killed_by, equivalent in found
    ]
    killed, alike = sum(bool(m[2]) for m in found), sum(not m[2] and bool(m[3]) for m in found)
    survivors = len(found) - killed - alike
    _say(text.table(f"Mutants of {problem.id}", ("mutant", "line", "what became of it"), rows, _screen(options)))
    _say(f"\n{killed} killed, {alike} equivalent, {survivors} surviving.\n")
    return 5 if not found else 1 if survivors else 0


def explain(options: argparse.Namespace) -> int:
    from .render import text
    from .report import worst

    word = options.id
    pages = [(problem, sources(problem.path)) for problem in shipped()]
    places = {problem: [line for source, line in found if word in statements(source)] for problem, found in pages}
    if not any(places.values()):
        known = {statement for _, found in pages for source, _ in found for statement in statements(source)}
        raise InputError(f"no problem speaks of '{word}'.{did_you_mean(word, known)} {len(known)} statements are decided here.")
    codes: list[int] = []
    for page, lines in places.items():
        if lines:
            _say(f"{word} is decided at {', '.join(f'{page.path.name}:{line}' for line in lines)}\n\n")
            with _told(codes):
                report = _check(_load(str(page.path)), options, only=[word])
                _say(text.explain(report, _screen(options)) + "\n")
                codes.append(report.exit_code)
    return worst(codes)


def coverage(options: argparse.Namespace) -> int:
    from . import coverage
    from .render import text
    from .report import worst

    path = Path(options.output) if options.output else None
    if path is not None:
        if path.suffix not in (".md", ".json"):
            raise InputError(f"-o {path} is neither .md nor .json: write docs/statements.md, or statements.json.")
        _writable(path, [page.path for page in shipped()], "-o")
    statements, codes = coverage.known(), list[int]()
    reports: list[Report] = []
    for problem, _ in _problems(_names(["all"]), None, codes):
        with _told(codes):
            reports.append(_check(problem, options))
    found = coverage.covered(statements, reports)
    data = {".md": coverage.as_markdown, ".json": coverage.as_json}
    if path is not None:
        path.write_text(data[path.suffix](found), encoding="utf-8")
    if options.json:
        _say(coverage.as_json(found))
    elif path is None:
        rows = [("" if s.ok else "✗", s.id, s.says, s.problem, s.verdict or s.left) for s in found]
        _say(text.table("Statements", ("", "id", "statement", "problem", "verdict"), rows, _screen(options)))
    gaps, left = coverage.gaps(found), [s for s in found if s.left]
    if not options.json:
        decided = len(found) - len(left) - sum(not s.by for s in gaps)
        _say(f"\n{decided} of {len(found)} decided, {len(left)} left with a reason, {len(gaps)} with a gap.\n")
    return worst([*codes, 1 if gaps else 0])


def new(options: argparse.Namespace) -> int:
    path = Path(options.name).with_suffix(".py")
    if not path.stem.isidentifier():
        raise InputError(f"'{options.name}' cannot name a problem file: write letters, digits and underscores, as in my_problem.")
    page = (Path(__file__).parent / "page.txt").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(page)
    except FileExistsError:
        raise InputError(f"{path} exists already and was left alone: choose another name.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
    _say(f"{path} is written: fill it in, then `python -m gradcheck_rl {path}`.\n")
    return 0


def lint(options: argparse.Namespace) -> int:
    code = 0
    for name in options.files:
        try:
            _say("".join(f"{doubt}\n" for doubt in doubts(locate(name), _load(name))) or f"{name}: nothing to say.\n")
        except ProblemError as error:
            code = _refuse(error)
    return code


Command = tuple[Callable[[argparse.Namespace], int], str, tuple[str, ...]]

COMMANDS: dict[str, Command] = {
    "run": (
        run,
        "check problems",
        ("problems", "--json", "--output", "--seed", "--points", "--only", "--answer", "--plot", "--quiet", "--no-color"),
    ),
    "list": (show_list, "the problems that come with the package", ()),
    "mistakes": (
        mistakes,
        "what people get wrong in a problem, and the claims that catch it",
        ("problem", "--mutants", "--seed", "--points", "--quiet", "--no-color"),
    ),
    "explain": (explain, "what is known of one statement, by its id", ("id", "--seed", "--points", "--quiet", "--no-color")),
    "coverage": (
        coverage,
        "every statement of the sources, where it is decided, and which are left",
        ("--json", "--output", "--seed", "--points", "--quiet", "--no-color"),
    ),
    "new": (new, "write a page to fill in", ("name",)),
    "lint": (lint, "what is wrong with a problem file", ("files",)),
}


def _whole(low: int, high: int | None) -> Callable[[str], int]:
    expected = f"a whole number from {low}" + (f" to {high}" if high is not None else "")

    def read(text: str) -> int:
        # Only ASCII digits: int() also takes underscores, spaces and other scripts, and refuses very long ones by another error.
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and low <= int(text) <= (high or 10**18)):
            raise argparse.ArgumentTypeError(f"{expected} was expected, not {text!r}")
        return int(text)

    return read


OPTIONS: dict[str, dict[str, Any]] = {
    "problems": {"nargs": "+", "metavar": "NAME", "help": "a name from `list`, a path, or `all`"},
    "problem": {"metavar": "NAME", "help": "a name from `list`, or a path"},
    "id": {"metavar": "ID", "help": "as in A-005"},
    "name": {"metavar": "NAME", "help": "NAME.py is written; nothing is overwritten"},
    "files": {"nargs": "+", "metavar": "FILE", "help": "problem files"},
    "--json": {"action": "store_true", "help": "print the report as JSON"},
    "--output": {"metavar": "FILE", "help": "write the report as JSON to FILE"},
    "--seed": {"type": _whole(0, None), "default": 0, "metavar": "N", "help": "draw other points (0)"},
    "--points": {"type": _whole(1, MOST_POINTS), "metavar": "N", "help": "how many points (as the problem says)"},
    "--only": {"action": "append", "metavar": "ID", "help": "only this claim or statement; may be repeated"},
    "--answer": {"metavar": "FILE", "help": "check the functions of FILE in place of the problem's own"},
    "--plot": {"metavar": "FILE", "help": "draw the problem's figures to FILE (.png, .svg or .pdf)"},
    "--mutants": {"action": "store_true", "help": "change the problem's own lines, and see whether a claim notices"},
    "--quiet": {"action": "store_true", "help": "only what is not as it should be"},
    "--no-color": {"action": "store_true", "help": "no colour (also by the environment variable NO_COLOR)"},
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gradcheck_rl",
        description="Says whether a gradient in reinforcement learning is right, from an exact model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="the versions of what is used")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (_, says, options) in COMMANDS.items():
        command = commands.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.", allow_abbrev=False)
        for option in options:
            command.add_argument(*(["-o"] if option == "--output" else []), option, **OPTIONS[option])
    return parser


# ---- input ----------------------------------------------------------------------------------------------------------------


def _names(typed: Sequence[str]) -> list[str]:
    """The problems that were typed, each once, in that order; an unknown one is an error before anything runs."""
    found: dict[Path, str] = {}
    for word in typed:
        for name in [problem.id for problem in shipped()] if word == "all" else [word]:
            found.setdefault(locate(name, [*COMMANDS, "all"]).resolve(), name)
    return list(found.values())


def _problems(names: Sequence[str], only: Sequence[str] | None, codes: list[int]) -> Generator[tuple[Problem, list[str] | None]]:
    """Each problem, and the ids of it to check. With --only, a problem that has none of them is passed over."""
    if not only:
        yield from ((problem, None) for problem in _loaded(names, codes))
        return
    loaded = list(_loaded(names, codes))
    known = {word for problem in loaded for word in _ids(problem)}
    for word in only:
        if loaded and word not in known:
            raise InputError(f"no claim or statement here is called '{word}'.{did_you_mean(word, known)}")
    for problem in loaded:
        if wanted := [word for word in only if word in _ids(problem)]:
            yield problem, wanted


def _loaded(names: Sequence[str], codes: list[int]) -> Generator[Problem]:
    for name in names:
        with _told(codes):
            problem = _load(name)
            yield problem


def _ids(problem: Problem) -> set[str]:
    return {word for name, item in problem.names.items() for word in (name, *statements(item.source))}


def _load(name: str) -> Problem:
    with redirect_stdout(sys.stderr):
        return load(name)


def _answer(problem: Problem, functions: Mapping[str, Function], path: str) -> dict[Function, Function]:
    """The functions of the file that stand for a function of the problem; a name that nearly does is told."""
    slots = problem.functions
    near = [
        f"{path} defines `{name}`, which {problem.id} does not ask for.{hint}"
        for name in functions
        if name not in slots and (hint := did_you_mean(name, slots.keys() - functions.keys()))
    ]
    found = {slots[name]: function for name, function in functions.items() if name in slots}
    if not found:
        expected = f"{problem.id} asks for {', '.join(slots)}" if slots else f"{problem.id} has no function to replace"
        raise InputError(" ".join([f"{path} defines none of the functions: {expected}.", *near]))
    for sentence in near:
        _complain(sentence, "note")
    return found


def _writable(path: Path, inputs: Iterable[Path], option: str) -> None:
    """Found out before anything is computed; a file that is there is not touched yet."""
    if any(path.resolve() == other.resolve() for other in inputs):
        raise InputError(f"{option} {path} would overwrite what is to be read: choose another file.")
    existed = path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        raise InputError(f"{option} {path} cannot be written: {error.strerror}.") from error
    if not existed:
        path.unlink()


# ---- computing and output -------------------------------------------------------------------------------------------------


def _check(problem: Problem, options: argparse.Namespace, only: Sequence[str] | None = None, answer: Any = None) -> Report:
    from .loop import check

    shown = sys.stderr.isatty() and not options.quiet
    try:
        # What the functions print must not end up in the report.
        with redirect_stdout(sys.stderr):
            figures = bool(getattr(options, "plot", None))  # the other commands have no such option
            return check(problem, answer, options.seed, options.points, only, _progress if shown else None, figures=figures)
    except ProblemError as error:
        raise ProblemError(f"{problem.path}: {error}") from error
    except GradcheckError:
        raise
    except Exception as error:  # a page is anybody's code: what it breaks is told in a sentence too
        raise ProblemError(
            f"{why(Path(problem.path), error)} This was not foreseen; in Python, check(...) shows where."
        ) from error
    finally:
        if shown:
            _progress_line("")


def _progress(done: int, total: int, says: str) -> None:
    _progress_line(f"[{done}/{total}] {says}")


def _progress_line(text: str) -> None:
    width = get_terminal_size().columns - 1
    sys.stderr.write(f"\r{_writable_on(sys.stderr, _printable(text))[:width]:{width}}\r")
    sys.stderr.flush()


def _text_of(report: Report, options: argparse.Namespace) -> str:
    if options.quiet:
        return _printable(report.text()) + "\n"
    from .render import text

    return text.render([report], _screen(options)) + "\n"


def _deliver(reports: Sequence[Report], options: argparse.Namespace) -> None:
    """What is said of all together."""
    if not reports:
        return
    from .render import json, text

    if options.json:
        _say(json.render(reports))
    elif len(reports) > 1 and not options.quiet:
        _say(text.overview(reports, _screen(options)))
    if options.output:
        try:
            Path(options.output).write_text(json.render(reports), encoding="utf-8")
        except OSError as error:
            raise InputError(f"-o {options.output} cannot be written: {error.strerror}.") from error


def _screen(options: argparse.Namespace) -> Screen:
    from .render.text import Screen

    plain = options.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return Screen(min(get_terminal_size().columns, 120), sys.stdout.isatty() and not plain, sys.stdout.encoding or "utf-8")


def _say(text: str) -> None:
    try:
        sys.stdout.write(_writable_on(sys.stdout, text))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has enough. Without this the interpreter complains when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise InputError(f"standard output cannot be written: {error.strerror}.") from error


def _writable_on(stream: TextIO, text: str) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _printable(text: str) -> str:
    from .render.text import printable

    return printable(text)


@contextmanager
def _told(codes: list[int]) -> Generator[None]:
    """One problem's error is told and counted; the others go on."""
    try:
        yield
    except GradcheckError as error:
        codes.append(_refuse(error))


def _refuse(error: GradcheckError) -> int:
    _complain(str(error))
    return 2 if isinstance(error, InputError) else 4


def _complain(sentence: str, kind: str = "error") -> None:
    sys.stderr.write(_writable_on(sys.stderr, f"{kind}: {_printable(sentence)}\n"))


def _version() -> int:
    from .report import versions

    _say("".join(f"{name} {version}\n" for name, version in versions().items()))
    return 0
