"""The command line: parse, call, render, exit code. What is heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import atexit
import gc
import keyword
import os
import sys
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from .errors import GradcheckError, InputError, ProblemError, did_you_mean
from .files import REPORT, STATEMENTS, all_writable, put, writable
from .load import load, load_functions, locate, shipped, sources, statements, why

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from .problem import Problem
    from .render.text import Screen
    from .report import Report

Function = Callable[..., Any]

MOST_POINTS = 10_000
MOST_SAMPLES = 10**15

EPILOG = """\
A problem is a name from `list` (problem1 or masked_softmax), `all`, or the path of a file.
`gradcheck_rl run --help` shows the options. Where no command is named, it is run.

exit codes: 0 all is as it should be; 1 something is refuted, or an erratum holds, or a mutant survives;
  2 what was typed cannot be run; 3 undecided; 4 a problem file is wrong, or a mistake was not caught;
  5 nothing was checked; 130 interrupted. Of several problems, the worst of 4, 1, 3, 5.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was typed; the exit code."""
    gc.set_threshold(100_000)  # SymPy makes many small objects that live on: the collector takes a tenth of the time
    for name in ("stdout", "stderr"):  # which a shell closes with >&-
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  for as long as the process lives
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if not words:
        parser.print_help(sys.stderr)
        return 2
    if {"-v", "--version"} & set(words):
        return _version()
    if words[0] not in (*COMMANDS, "-h", "--help"):
        words.insert(0, "run")
    as_json = "--json" in words
    try:
        options, unknown = parser.parse_known_args(words)
        if unknown:
            wanted = COMMANDS[options.command][2]
            raise InputError(f"`{options.command}` has no `{unknown[0]}`.{did_you_mean(unknown[0].partition('=')[0], wanted)}")
        if empty := next((name for name, value in vars(options).items() if value == ""), None):
            raise InputError(f"nothing is given for `{empty}`, as by an unset variable of the shell: write it, or leave it out.")
        return COMMANDS[options.command][0](options)
    except KeyboardInterrupt:
        _complain("interrupted.")
        if as_json:
            _say_error("interrupted.")
        return 130
    except GradcheckError as error:
        return _refuse(error, as_json)
    except ImportError as error:
        return _refuse(_lacking(error), as_json)


def leave() -> NoReturn:
    """Run what was typed, and end the process: Python would first take apart all that SymPy and torch have built, for as long
    as half a run of problem 1."""
    code = main()
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


@dataclass(frozen=True)
class Failed:
    """What could not be done, and the exit codes that it means."""

    sentences: list[str] = field(default_factory=list[str])
    codes: list[int] = field(default_factory=list[int])

    def add(self, sentence: str, code: int) -> None:
        _complain(sentence)
        self.sentences.append(sentence)
        self.codes.append(code)


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
    if options.output and Path(options.output).suffix in (".html", ".md", ".tex", ".pdf", ".xml"):
        raise InputError(
            f"-o {options.output}: a run writes JSON: write -o report.json, and then "
            f"`gradcheck_rl report report.json -o {options.output}`."
        )
    if options.plot:
        from .figures import plottable

        plottable(options.plot)
    all_writable({"-o": options.output, "--plot": options.plot}, inputs, REPORT)
    from .executors import executor

    reports: list[Report] = []
    failed = Failed()
    saved = bool(options.json or options.output)
    try:
        with executor(options.jobs, options.dask) as on:
            for problem, wanted in _problems(names, options.only, failed):
                answer = None if functions is None else _answer(problem, functions, options.answer)
                with _told(failed):
                    if options.plot and not problem.figures:
                        raise InputError(f"{problem.id} has no figure: leave --plot out.")
                    samples = options.samples if len(names) == 1 or _is_sampled(problem, wanted) else None
                    figures = bool(options.plot) or (saved and answer is None and wanted is None)
                    report = _check(problem, options, wanted, answer, figures, saved, samples, on)
                    if options.answer:
                        from .replay import command

                        line = command(
                            problem,
                            seed=options.seed,
                            points=options.points,
                            only=wanted,
                            samples=samples,
                            answer=options.answer,
                        )
                        report = replace(report, replay=line)
                    reports.append(report)
                    if not options.json:
                        _say(_text_of(reports[-1:], options))
                    if options.plot:
                        from .figures import plot

                        plot(problem.figures, reports[-1].figures, options.plot)
    except KeyboardInterrupt:
        failed.add("interrupted; what was finished is reported.", 130)
    _deliver(reports, options, failed)
    from .report import worst

    return worst(failed.codes + [report.exit_code for report in reports])


def show_list(options: argparse.Namespace) -> int:
    if options.json:
        import json

        data = [
            {"id": p.id, "name": p.slug, "title": p.title, "path": str(p.path), "statements": _count(p.path)} for p in shipped()
        ]
        _say(json.dumps({"schema": "gradcheck_rl/list/1", "problems": data}, indent=2) + "\n")
        return 0 if data else 5
    rows = [(problem.id, problem.slug, problem.title) for problem in shipped()]
    widths = [max((len(row[n]) for row in rows), default=0) for n in (0, 1)]
    _say("".join(f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}\n" for row in rows))
    return 0 if rows else 5


def _count(path: Path) -> int:
    return len({statement for source, _ in sources(path) for statement in statements(source)})


def mistakes(options: argparse.Namespace) -> int:
    from .claims import Mistake
    from .render import json, text

    problem = _load(options.problem)
    if options.mutants:
        return _mutants(problem, options)
    report = _check(problem, options, only=[name for name, item in problem.names.items() if isinstance(item, Mistake)])
    _say(json.render([report]) if options.json else text.mistakes(report, _screen(options)))
    return report.exit_code


def _mutants(problem: Problem, options: argparse.Namespace) -> int:
    from .mutants import as_json, mutants, summary
    from .render import text

    shown = sys.stderr.isatty() and not options.quiet
    try:
        with redirect_stdout(sys.stderr):
            found = mutants(problem, options.seed, progress=_progress if shown else None)
    finally:
        if shown:
            _progress_line("")
    found.sort(key=lambda m: m.survives)  # those to be looked at stand last
    counts = summary(found)
    if options.json:
        _say(as_json(problem, found))
    else:
        rows = [(m.name, str(m.line), m.fate) for m in found]
        _say(text.table(f"Mutants of {problem.id}", ("mutant", "line", "what became of it"), rows, _screen(options)))
        stops = f" ({counts['stopped']} of them stop or do not load)" if counts["stopped"] else ""
        same = f", {counts['alike']} of them the same at every point tried" if counts["alike"] else ""
        _say(f"\n{counts['killed']} killed{stops}, {counts['equivalent']} equivalent, {counts['surviving']} surviving{same}.\n")
    return 5 if not found else 1 if counts["surviving"] else 0


def explain(options: argparse.Namespace) -> int:
    from . import coverage
    from .render import text
    from .report import worst

    word = options.id
    pages = [(problem, sources(problem.path)) for problem in shipped()]
    places = {problem: [line for source, line in found if word in statements(source)] for problem, found in pages}
    stated = next((s for s in coverage.known() if s.id == word), None)
    if stated is not None:
        _say(f"{word}: {stated.says}\n")
    if stated is not None and stated.left:
        _say(f"No problem decides it: {stated.left}\n")
        return 5
    if not any(places.values()):
        known = {statement for _, found in pages for source, _ in found for statement in statements(source)}
        raise InputError(
            f"no problem speaks of '{word}'.{_meant(word, known)} {len(known)} statements are decided here; "
            "`coverage` lists them, and those that are left with a reason."
        )
    failed, codes = Failed(), list[int]()
    for page, lines in places.items():
        if lines:
            _say(f"It is decided at {', '.join(f'{page.path.name}:{line}' for line in lines)}\n\n")
            with _told(failed):
                report = _check(_load(str(page.path)), options, only=[word])
                _say(text.explain(report, _screen(options)) + "\n")
                codes.append(report.exit_code)
    return worst(failed.codes + codes)


def coverage(options: argparse.Namespace) -> int:
    from . import coverage
    from .render import text
    from .report import worst

    path = Path(options.output) if options.output else None
    if path is not None:
        if path.suffix not in (".md", ".json"):
            raise InputError(f"-o {path} is neither .md nor .json: write docs/statements.md, or statements.json.")
        begins = REPORT if path.suffix == ".json" else STATEMENTS
        writable(options.output, [page.path for page in shipped()], "-o", begins)
    statements, failed = coverage.known(), Failed()
    reports: list[Report] = []
    for problem, _ in _problems(_names(["all"]), None, failed):
        with _told(failed):
            reports.append(_check(problem, options))
    found = coverage.covered(statements, reports)
    data = {".md": coverage.as_markdown, ".json": coverage.as_json}
    if path is not None:
        put(path, data[path.suffix](found))
    if options.json:
        if failed.sentences:
            _say_error("\n".join(failed.sentences))
        else:
            _say(coverage.as_json(found))
    elif path is None:
        rows = [("" if s.ok else "✗", s.id, s.says, s.problem, s.verdict or s.left) for s in found]
        _say(text.table("Statements", ("", "id", "statement", "problem", "verdict"), rows, _screen(options)))
    gaps, left = coverage.gaps(found), [s for s in found if s.left]
    if not options.json:
        decided = len(found) - len(left) - sum(not s.by for s in gaps)
        _say(f"\n{decided} of {len(found)} decided, {len(left)} left with a reason, {len(gaps)} with a gap.\n")
    return worst([*failed.codes, 1 if gaps else 0])


def derive(options: argparse.Namespace) -> int:
    from .derive import derivations, derived, holds, other_lines, printed_lines, read_values, sizes, stamps
    from .render import derivation, json, text
    from .report import worst

    if options.at is not None:
        read_values(options.at)
    failed = Failed()
    reports: list[Report] = []
    for name in _names(options.problems):
        with _told(failed):
            problem = _load(name)
            chosen = derivations(problem, options.only, options.symbolic_k)
            errata = [] if options.only or options.at or options.format in ("numpy", "torch") else printed_lines(problem)
            with redirect_stdout(sys.stderr):
                report = derived(problem, chosen, options.at or "", options.seed, errata)
            reports.append(report)
            notes = stamps(report) if options.stamp else []
            others = [] if options.only or options.at else other_lines(problem, errata)
            if options.format in derivation.FORMATS:
                _say(derivation.FORMATS[options.format](report, notes, others))
            elif options.format == "text":
                _say(text.derivations(report, _screen(options), notes, others) + "\n")
            elif options.format != "json":
                from .generate import functions

                shown = {c.forms[0].name.rpartition(".")[0] for c in report.derivations if holds(report, c)}
                sound = {name: d for name, d in chosen.items() if name in shown}
                code = functions(sound, {name: sizes(d) for name, d in sound.items()}, options.format, options.seed)
                _say("".join(f"# {_printable(note)}\n" for note in notes) + code)
    if options.format == "json" and reports:
        _say(json.render(reports))
    return worst(failed.codes + [report.exit_code for report in reports])


def learn(options: argparse.Namespace) -> int:
    from .learn.command import SEEDS, runs
    from .learn.learned import CURVES, curves, typical
    from .learn.session import lesson_of
    from .render import json
    from .report import worst

    lesson = lesson_of(options.problem)
    if options.plot:
        from .figures import plottable

        plottable(options.plot)
    functions = load_functions(options.answer) if options.answer else None
    files = [locate(options.problem), *([Path(options.answer)] if options.answer else [])]
    all_writable({"-o": options.output, "--plot": options.plot}, files, REPORT)
    screen, quiet = sys.stdout, options.quiet or options.json

    def tell(text: str) -> None:
        if not quiet:
            with redirect_stdout(screen):
                _say(f"{_printable(text)}\n")

    seeds = SEEDS if options.three else (options.seed,)
    shown = sys.stderr.isatty() and not options.quiet
    with redirect_stdout(sys.stderr):
        found = runs(
            lesson, options.env or "", seeds, options.epochs or 0, options.steps or 0, functions, options.answer, tell, shown
        )
    if options.three:
        tell(typical(found))
    if options.json:
        _say(json.render(found))
    if options.output:
        put(Path(options.output), json.render(found))
    if options.plot:
        from .figures import plot

        plot([CURVES], {CURVES.name: curves(found)}, options.plot)
    return worst([run.exit_code for run in found])


def report(options: argparse.Namespace) -> int:
    from . import publish
    from .report import worst

    saved = [word for word in options.problems if word.endswith(".json")]
    names = _names([word for word in options.problems if word not in saved])
    if saved and not names and not options.output:
        reports = [report for path in saved for report in publish.read(path)]
        _say(_text_of(reports, options))
        return worst([report.exit_code for report in reports])
    target = publish.target(options.output, options.lang, [*map(Path, saved), *map(locate, names)])
    failed = Failed()
    reports = [report for path in saved for report in publish.read(path)]
    problems: dict[str, Problem] = {}
    for problem, _ in _problems(names, None, failed):
        with _told(failed):
            reports.append(_check(problem, options, figures=True, formulas=True))
            problems[problem.name] = problem
            if not options.quiet:
                _say(f"{_printable(reports[-1].text())}\n")
    if reports:
        _say(f"{_printable(str(target.write(reports, problems)))} is written.\n")
    return worst([*failed.codes, *(report.exit_code for report in reports)])


def template(options: argparse.Namespace) -> int:
    from .grading.command import templated

    with redirect_stdout(sys.stderr):
        page = templated(options.problem, options.rubric)
    _say(page)
    return 0


def grade(options: argparse.Namespace) -> int:
    from .grading import command

    files = [locate(options.problem), *map(Path, options.submissions), *([Path(options.rubric)] if options.rubric else [])]
    all_writable({"-o": options.output, "--resume": options.resume}, files)
    with redirect_stdout(sys.stderr):
        rows = command.rows(
            options.problem,
            options.submissions,
            options.rubric,
            options.map or [],
            options.isolation,
            options.seconds,
            options.memory,
            options.jobs,
            options.dask,
            options.resume,
            options.format or "text",
            sys.stderr.isatty() and not options.quiet,
        )
    if not options.quiet and (note := command.note(rows)):
        _complain(note, "note")
    text = command.written(rows, options.format or "text")
    if options.output:
        put(Path(options.output), text)
    else:
        _say(text)
    return command.exit_code(rows, options.fail_under)


def new(options: argparse.Namespace) -> int:
    path = Path(f"{options.name.removesuffix('.py')}.py")
    if not path.stem.isidentifier() or keyword.iskeyword(path.stem):
        raise InputError(f"'{options.name}' cannot name a problem file: write letters, digits and underscores, as in my_problem.")
    if path.stem in {*sys.stdlib_module_names, "gradcheck_rl", "numpy", "sympy", "torch"}:
        raise InputError(f"{path} would stand in the way of `import {path.stem}`: choose another name.")
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
    from .lint import linted
    from .report import worst

    failed = Failed()
    for name in options.files:
        with _told(failed):
            with redirect_stdout(sys.stderr):
                faults, advice = linted(name)
            for fault in faults:
                failed.add(fault, 4)
            _say("".join(f"{line}\n" for line in advice) if faults or advice else f"{name}: nothing to say.\n")
    return worst(failed.codes)


Command = tuple[Callable[[argparse.Namespace], int], str, tuple[str, ...]]

COMMANDS: dict[str, Command] = {
    "run": (
        run,
        "check problems",
        (
            "problems",
            "--json",
            "--output",
            "--seed",
            "--points",
            "--samples",
            "--jobs",
            "--dask",
            "--only",
            "--answer",
            "--plot",
            "--lang",
            "--quiet",
            "--no-color",
        ),
    ),
    "list": (show_list, "the problems that come with the package", ("--json",)),
    "mistakes": (
        mistakes,
        "what people get wrong in a problem, and the claims that catch it",
        ("problem", "--mutants", "--json", "--seed", "--points", "--lang", "--quiet", "--no-color"),
    ),
    "explain": (
        explain,
        "what is known of one statement, by its id",
        ("id", "--seed", "--points", "--lang", "--quiet", "--no-color"),
    ),
    "coverage": (
        coverage,
        "every statement of the sources, where it is decided, and which are left",
        ("--json", "--output", "--seed", "--points", "--quiet", "--no-color"),
    ),
    "derive": (
        derive,
        "closed forms step by step, each equals sign checked",
        ("problems", "--format", "--only", "--at", "--symbolic-k", "--stamp", "--lang", "--seed", "--no-color"),
    ),
    "learn": (
        learn,
        "a small training run from a problem's losses, checked against the model while it learns",
        (
            "problem",
            "--env",
            "--epochs",
            "--steps",
            "--seed",
            "--three",
            "--answer",
            "--plot",
            "--json",
            "--output",
            "--quiet",
        ),
    ),
    "report": (
        report,
        "a page to read, or results for other programs: .html, .md, .tex, .pdf, .json, .xml, or a folder of pages; "
        "a saved report alone is printed",
        ("problems", "--output", "--lang", "--seed", "--points", "--quiet", "--no-color"),
    ),
    "template": (template, "the file that a student fills in", ("problem", "--rubric")),
    "grade": (
        grade,
        "points and feedback for what students hand in, each kept apart while it runs",
        (
            "problem",
            "submissions",
            "--rubric",
            "--map",
            "--as",
            "--output",
            "--fail-under",
            "--isolation",
            "--seconds",
            "--memory",
            "--jobs",
            "--dask",
            "--resume",
            "--quiet",
        ),
    ),
    "new": (new, "write a page to fill in", ("name",)),
    "lint": (lint, "what is wrong with a problem file, and advice", ("files",)),
}


def _whole(low: int, high: int | None) -> Callable[[str], int]:
    expected = f"a whole number from {low}" + (f" to {high}" if high is not None else "")

    def read(text: str) -> int:
        # Only ASCII digits: int() also takes underscores, spaces and other scripts, and refuses very long ones by another error.
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and low <= int(text) <= (high or 10**18)):
            raise argparse.ArgumentTypeError(f"{expected} was expected, not {text!r}")
        return int(text)

    return read


def _many(text: str) -> int:
    """A whole number, also as 1e10."""
    try:
        found = Decimal(text) if text.isascii() and len(text) <= 18 and "_" not in text else Decimal(0)
    except InvalidOperation:
        found = Decimal(0)
    if not (found.is_finite() and 1 <= found <= MOST_SAMPLES and found == found.to_integral_value()):
        raise argparse.ArgumentTypeError(f"a whole number from 1 to 1e15 was expected, not {text!r}")
    return int(found)


def _percent(text: str) -> float:
    try:
        found = float(text) if text.isascii() and len(text) <= 18 else -1.0
    except ValueError:
        found = -1.0
    if not 0 <= found <= 100:
        raise argparse.ArgumentTypeError(f"a number from 0 to 100 was expected, not {text!r}")
    return found


OPTIONS: dict[str, dict[str, Any]] = {
    "problems": {"nargs": "+", "metavar": "NAME", "help": "a name from `list`, a path, or `all`"},
    "problem": {"metavar": "NAME", "help": "a name from `list`, or a path"},
    "id": {"metavar": "ID", "help": "as in A-005"},
    "name": {"metavar": "NAME", "help": "NAME.py is written; nothing is overwritten"},
    "files": {"nargs": "+", "metavar": "FILE", "help": "problem files"},
    "--json": {"action": "store_true", "help": "print it as JSON"},
    "--output": {"metavar": "FILE", "help": "write to FILE; `report` writes what its ending says, others JSON"},
    "--lang": {"choices": ("en", "zh"), "default": "en", "metavar": "LANG", "help": "the language of the words: en, zh"},
    "--seed": {"type": _whole(0, None), "default": 0, "metavar": "N", "help": "draw other points (0)"},
    "--points": {"type": _whole(1, MOST_POINTS), "metavar": "N", "help": "how many points (as the problem says)"},
    "--samples": {"type": _many, "metavar": "N", "help": "draw N, as in 1e8, for each sampled mean (as its resolution needs)"},
    "--only": {"action": "append", "metavar": "ID", "help": "only this claim or statement; may be repeated"},
    "--answer": {"metavar": "FILE", "help": "check the functions of FILE in place of the problem's own"},
    "--plot": {"metavar": "FILE", "help": "draw the problem's figures to FILE (.png, .svg or .pdf)"},
    "--format": {
        "choices": ("text", "latex", "markdown", "typst", "json", "numpy", "torch"),
        "default": "text",
        "help": "what to print: text, latex, markdown, typst, json, or the closed form as a function: numpy, torch",
        "metavar": "FORMAT",
    },
    "--at": {"metavar": "VALUES", "help": 'exact numbers too, as in --at "theta=(1, 1, 1), s0=1/2"'},
    "--symbolic-k": {"action": "store_true", "help": 'only what holds for any size; --at "K=3" writes it out at one'},
    "--stamp": {"action": "store_true", "help": "say in a comment what was checked and how, with versions and seed"},
    "--env": {"metavar": "NAME", "help": "a gymnasium environment (CartPole-v1, Pendulum-v1; extra `gym`)"},
    "--epochs": {"type": _whole(1, 10_000), "metavar": "N", "help": "how many epochs (as docs/learning.md says)"},
    "--steps": {"type": _whole(1, 10_000_000), "metavar": "N", "help": "steps of the environment in an epoch"},
    "--three": {"action": "store_true", "help": "learn with the seeds 0, 1 and 2, and say the median return"},
    "submissions": {"nargs": "+", "metavar": "SUBMISSION", "help": "a file, a notebook, a folder, or several"},
    "--rubric": {"metavar": "FILE", "help": "parts, points and what is shown of them, as TOML"},
    "--map": {"action": "append", "metavar": "MAP", "help": "reparam_grad=their_name, or an adapter.py; may be repeated"},
    "--as": {
        "dest": "format",
        "choices": ("text", "json", "gradescope", "classroom", "github", "summary", "junit", "check50", "csv"),
        "metavar": "FORMAT",
        "help": "text, json, csv, junit, github (annotations), summary (Markdown); of one: gradescope, classroom, check50",
    },
    "--fail-under": {"type": _percent, "metavar": "N", "help": "exit code 1 where a submission has under N percent"},
    "--isolation": {
        "choices": ("auto", "require", "bubblewrap", "landlock", "rlimits"),
        "default": "auto",
        "metavar": "TIER",
        "help": "auto; require (nothing runs without a strong tier); bubblewrap, landlock, rlimits",
    },
    "--seconds": {"type": _whole(1, 3600), "metavar": "N", "help": "for one submission, without importing torch (10)"},
    "--memory": {"type": _whole(64, 1 << 20), "metavar": "MIB", "help": "beyond what Python and torch need (1024)"},
    "--jobs": {"type": _whole(1, 256), "default": 1, "metavar": "N", "help": "in N processes of this machine (1)"},
    "--dask": {"metavar": "ADDRESS", "help": "on the Dask cluster at ADDRESS, or `local` (extra `dask`)"},
    "--resume": {"metavar": "FILE", "help": "keep each row in FILE as it comes, and make none twice"},
    "--mutants": {"action": "store_true", "help": "change the problem's own lines, and see whether a claim notices"},
    "--quiet": {"action": "store_true", "help": "only what is not as it should be"},
    "--no-color": {"action": "store_true", "help": "no colour (also by the environment variable NO_COLOR)"},
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. `{self.prog} --help` shows what there is.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gradcheck_rl",
        description="Says whether a gradient in reinforcement learning is right, from an exact model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-v", "--version", action="store_true", help="the versions of what is used")
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


def _problems(names: Sequence[str], only: Sequence[str] | None, failed: Failed) -> Generator[tuple[Problem, list[str] | None]]:
    """Each problem, and the ids of it to check. With --only, a problem that has none of them is passed over."""
    if not only:
        yield from ((problem, None) for problem in _loaded(names, failed))
        return
    loaded = list(_loaded(names, failed))
    known = {word for problem in loaded for word in _ids(problem)}
    for word in only:
        if loaded and word not in known:
            raise InputError(f"no claim or statement here is called '{word}'.{_meant(word, known)}")
    for problem in loaded:
        if wanted := [word for word in only if word in _ids(problem)]:
            yield problem, wanted


def _meant(word: str, known: Collection[str]) -> str:
    """' Did you mean `A-005`?', also of A-5 and a-05."""
    letters, _, number = word.upper().partition("-")
    padded = f"{letters}-{number.lstrip('0'):>03}"
    return f" Did you mean `{padded}`?" if padded in known else did_you_mean(word, known)


def _loaded(names: Sequence[str], failed: Failed) -> Generator[Problem]:
    for name in names:
        with _told(failed):
            problem = _load(name)
            yield problem


def _is_sampled(problem: Problem, only: Sequence[str] | None) -> bool:
    from .loop import is_sampled

    found = {word: item for name, item in problem.names.items() for word in (name, *statements(item.source)) if is_sampled(item)}
    return any(word in found for word in only) if only else bool(found)


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


# ---- computing and output -------------------------------------------------------------------------------------------------


def _check(
    problem: Problem,
    options: argparse.Namespace,
    only: Sequence[str] | None = None,
    answer: Any = None,
    figures: bool = False,
    formulas: bool = False,
    samples: int | None = None,
    on: Executor | None = None,
) -> Report:
    from .loop import check

    shown = sys.stderr.isatty() and not options.quiet
    try:
        # What the functions print must not end up in the report.
        with redirect_stdout(sys.stderr):
            progress = _progress if shown else None
            return check(
                problem,
                answer,
                options.seed,
                options.points,
                only,
                progress,
                figures=figures,
                formulas=formulas,
                samples=samples,
                executor=on,
            )
    except ProblemError as error:
        told = str(error)
        raise ProblemError(told if told.startswith(problem.path) else f"{problem.path}: {told}") from error
    except GradcheckError:
        raise
    except ImportError as error:
        raise _lacking(error) from error
    except Exception as error:  # a page is anybody's code: what it breaks is told in a sentence too
        if _was_interrupted(error):
            raise KeyboardInterrupt from None
        raise ProblemError(
            f"{why(Path(problem.path), error).rstrip('.')}. This was not foreseen; in Python, check(...) shows where."
        ) from error
    finally:
        if shown:
            _progress_line("")


def _lacking(error: ImportError) -> InputError:
    """A package that is needed and cannot be had; one that breaks while it loads, as torch may, does not say its name."""
    name = (error.name or "torch").partition(".")[0]
    return InputError(f"{name} cannot be imported ({error}): type pip install {'python-flint' if name == 'flint' else name}.")


def _was_interrupted(error: BaseException) -> bool:
    """A compiled library makes an error of its own of Ctrl-C."""
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        seen.append(at)
        at = at.__cause__ or at.__context__
    return any(isinstance(e, KeyboardInterrupt) for e in seen)


def _progress(done: int, total: int, says: str) -> None:
    _progress_line(f"[{done}/{total}] {says}")


def _progress_line(text: str) -> None:
    width = get_terminal_size().columns - 1
    sys.stderr.write(f"\r{_writable_on(sys.stderr, _printable(text))[:width]:{width}}\r")
    sys.stderr.flush()


def _text_of(reports: Sequence[Report], options: argparse.Namespace) -> str:
    if options.quiet:
        return "".join(f"{_printable(report.text())}\n" for report in reports)
    from .render import text

    return text.render(reports, _screen(options)) + "\n"


def _deliver(reports: Sequence[Report], options: argparse.Namespace, failed: Failed) -> None:
    """What is said of all together."""
    from .render import json, text

    if reports and options.output:
        with _told(failed):
            put(Path(options.output), json.render(reports))
    if options.json:
        _say(json.render(reports, "\n".join(failed.sentences)))
    elif len(reports) > 1 and not options.quiet:
        _say(text.overview(reports, _screen(options)))


def _screen(options: argparse.Namespace) -> Screen:
    from .languages import speaker
    from .render.text import Screen

    plain = options.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    say = speaker(getattr(options, "lang", "en"))
    return Screen(min(get_terminal_size().columns, 120), sys.stdout.isatty() and not plain, sys.stdout.encoding or "utf-8", say)


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
    from .report import printable

    return printable(text)


@contextmanager
def _told(failed: Failed) -> Generator[None]:
    """One problem's error is told and counted; the others go on."""
    try:
        yield
    except GradcheckError as error:
        failed.add(str(error), _code(error))


def _refuse(error: GradcheckError, as_json: bool = False) -> int:
    _complain(str(error))
    if as_json:
        _say_error(str(error))
    return _code(error)


def _code(error: GradcheckError) -> int:
    return 2 if isinstance(error, InputError) else 4


def _say_error(sentence: str) -> None:
    from .render import json

    _say(json.render([], sentence))


def _complain(sentence: str, kind: str = "error") -> None:
    sys.stderr.write(_writable_on(sys.stderr, f"{kind}: {_printable(sentence)}\n"))


def _version() -> int:
    from .report import versions

    _say("".join(f"{name} {version}\n" for name, version in versions().items()))
    return 0
