"""The command line: parse, call, render, exit code. What is heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import atexit
import gc
import keyword
import os
import re
import sys
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .console import Failed, complain, exit_code, printable, progress, say, say_error, screen, watched
from .errors import GradcheckError, InputError, ProblemError, did_you_mean, was_interrupted
from .files import REPORT, STATEMENTS, all_writable, put, writable
from .load import load, load_functions, locate, shipped, sources, statements, why
from .options import OPTIONS, SHORT

if TYPE_CHECKING:
    from .problem import Problem
    from .report import Report

Function = Callable[..., Any]

NOTHING_YET = "interrupted."
INTERRUPTED = "interrupted; what was finished is reported."
EPILOG = """\
A problem is a name from `list` (problem1 or masked_softmax), `all`, or the path of a file.
`gradcheck_rl run --help` shows the options. Where no command is named, it is run.

exit codes: 0 all is as it should be; 1 something is refuted, or an erratum holds, or a mutant survives;
  2 what was typed cannot be run; 3 undecided; 4 a problem file is wrong, or a mistake was not caught;
  5 nothing was checked; 130 interrupted. Of several problems, the worst of 4, 1, 3, 5.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was typed; the exit code."""
    gc.set_threshold(1_000_000)  # SymPy makes many small objects that live on: the collector takes a tenth of the time
    for name in ("stdout", "stderr"):  # which a shell closes with >&-
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  for as long as the process lives
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words:
        _parser().print_help(sys.stderr)
        return 2
    if {"-v", "--version"} & set(words):
        return _version()
    if words[0] not in (*COMMANDS, "-h", "--help"):
        words.insert(0, "run")
    parser = _parser(words[0])
    as_json = not {"--json", "--format=json", "--as=json"}.isdisjoint([*words, *map("=".join, pairwise(words))])
    try:
        options, unknown = parser.parse_known_args(words)
        if unknown:
            known = [word for word in COMMANDS[options.command].options if word.startswith("-")]
            typed = unknown[0].partition("=")[0]
            is_page = options.command == "explain" and (options.id.endswith(".py") or options.id in {p.id for p in shipped()})
            if is_page and not typed.startswith("-"):
                raise InputError(
                    f"`explain` takes a statement of the sources, as A-005: for a claim type `run {options.id} --only {typed}`."
                )
            hint = "" if typed in OPTIONS else did_you_mean(typed, known)  # what another command has is no slip of the pen
            raise InputError(f"`{options.command}` has no `{unknown[0]}`.{hint}")
        if empty := next((name for name, value in vars(options).items() if value == ""), None):
            raise InputError(f"nothing is given for `{empty}`, as by an unset variable of the shell: write it, or leave it out.")
        return COMMANDS[options.command].run(options)
    except KeyboardInterrupt:
        complain(NOTHING_YET)
        if as_json:
            say_error(NOTHING_YET)
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


# ---- commands -------------------------------------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> int:
    names = _names(options.problems)
    for option in ("answer", "plot"):
        if getattr(options, option) and len(names) > 1:
            raise InputError(f"--{option} goes with one problem; {len(names)} were named.")
    if options.plot and options.answer:
        raise InputError("--plot draws the problem's own figures, not those of an answer: leave --plot or --answer out.")
    if options.output and Path(options.output).suffix in (".html", ".md", ".tex", ".pdf", ".xml"):
        raise InputError(
            f"-o {options.output}: a run writes JSON: write -o report.json, and then "
            f"`gradcheck_rl report report.json -o {options.output}`."
        )
    _outputs({"-o": options.output, "--plot": options.plot}, [*map(locate, names), options.answer], REPORT)
    from .executors import executor

    reports: list[Report] = []
    failed = Failed()
    saved = bool(options.json or options.output)
    try:
        with executor(options.jobs, options.dask) as on:
            for problem, wanted in _problems(names, options.only, failed):
                answer = _answer(problem, options.answer) if options.answer else None
                with failed.told():
                    if options.plot and not problem.figures:
                        raise InputError(f"{problem.id} has no figure: leave --plot out.")
                    samples = options.samples if len(names) == 1 or _is_sampled(problem, wanted) else None
                    figures = bool(options.plot) or (saved and answer is None and wanted is None)
                    how = {"figures": figures, "formulas": saved, "samples": samples, "executor": on}
                    report = _check(problem, options, wanted, answer, **how)
                    if options.answer:
                        from .replay import command

                        seed, points = options.seed, options.points
                        line = command(problem, seed=seed, points=points, only=wanted, samples=samples, answer=options.answer)
                        report = replace(report, replay=line)
                    reports.append(report)
                    if not options.json:
                        say(_text_of([report], options))
                    if options.plot:
                        from .figures import plot

                        plot(problem.figures, report.figures, options.plot)
    except KeyboardInterrupt:
        failed.add(INTERRUPTED if reports else NOTHING_YET, 130)
    _deliver(reports, options, failed)
    return failed.worst(reports)


def show_list(options: argparse.Namespace) -> int:
    if options.json:
        import json

        data = [
            {"id": p.id, "name": p.slug, "title": p.title, "path": str(p.path), "statements": len(_stated(p.path))}
            for p in shipped()
        ]
        say(json.dumps({"schema": "gradcheck_rl/list/1", "problems": data}, indent=2) + "\n")
        return 0 if data else 5
    rows = [(problem.id, problem.slug, problem.title) for problem in shipped()]
    widths = [max((len(row[n]) for row in rows), default=0) for n in (0, 1)]
    say("".join(f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}\n" for row in rows))
    return 0 if rows else 5


def mistakes(options: argparse.Namespace) -> int:
    from .claims import Mistake
    from .render import json, text

    problem = _load(options.problem)
    if options.mutants:
        return _mutants(problem, options)
    if options.only:
        typed = f"run {options.problem} --only {options.only[0]}"
        raise InputError(f"--only names the lines that --mutants edits: add --mutants, or type `{typed}`.")
    report = _check(problem, options, only=[name for name, item in problem.names.items() if isinstance(item, Mistake)])
    say(json.render([report]) if options.json else text.mistakes(report, screen(options)))
    return report.exit_code


def _mutants(problem: Problem, options: argparse.Namespace) -> int:
    from .mutants import Mutant, as_json, mutants, summary
    from .render import text
    from .report import worst

    _apart("--mutants", {"--points": options.points, "--lang": options.lang != "en"})
    failed = Failed()
    found: list[Mutant] = []
    try:
        with _foreseen(problem), progress(options) as told:
            for mutant in mutants(problem, options.seed, functions=options.only, progress=told):
                found.append(mutant)
    except KeyboardInterrupt:
        failed.add(INTERRUPTED if found else NOTHING_YET, 130)
    found.sort(key=lambda m: m.survives)  # those to be looked at stand last
    counts = summary(found)
    if options.json:
        say(as_json(problem, found, "\n".join(failed.sentences)))
    else:
        rows = [(m.name, str(m.line), m.fate) for m in found if m.survives or not options.quiet]
        if rows:
            say(text.table(f"Mutants of {problem.id}", ("mutant", "line", "what became of it"), rows, screen(options)) + "\n")
        stops = f" ({counts['stopped']} of them stop or do not load)" if counts["stopped"] else ""
        same = f", {counts['alike']} of them the same at every point tried" if counts["alike"] else ""
        say(f"{counts['killed']} killed{stops}, {counts['equivalent']} equivalent, {counts['surviving']} surviving{same}.\n")
    return worst([*failed.codes, 5 if not found else 1 if counts["surviving"] else 0])


def explain(options: argparse.Namespace) -> int:
    from . import coverage
    from .languages import speaker
    from .render import json, text

    def tell(text: str) -> None:
        if not options.json:
            say(f"{text}\n")

    word, speak = options.id, speaker(options.lang)
    pages = {page: _stated(page.path) for page in shipped()}
    stated = next((s for s in coverage.known() if s.id == word), None)
    says, left = (stated.says, stated.left) if stated is not None else ("", "")
    known = {statement for found in pages.values() for statement in found}
    if word not in known and not left:
        raise InputError(
            f"no problem speaks of '{word}'.{_meant(word, known)} {len(known)} statements are decided here; "
            "`coverage` lists them, and those that are left with a reason."
        )
    decided = {} if left else {page.path: found[word] for page, found in pages.items() if word in found}
    if says:
        tell(f"{word}: {says}")
    if left:
        tell(speak("No problem decides it: {}", left))
    failed = Failed()
    reports: list[Report] = []
    for path, lines in decided.items():
        tell(speak("It is decided at {}", ", ".join(f"{path.name}:{line}" for line in lines)) + "\n")
        with failed.told():
            reports.append(_check(_load(str(path)), options, only=[word]))
            tell(text.explain(reports[-1], screen(options)))
    if options.json:
        places = {path.name: lines for path, lines in decided.items()}
        known_of = {"id": word, "says": says, "left": left, "decided": places}
        say(json.explained(known_of, reports, "\n".join(failed.sentences)))
    return 5 if left else failed.worst(reports)


def _stated(path: Path) -> dict[str, list[int]]:
    """The statements that a page decides, each with the lines that name it."""
    found: dict[str, list[int]] = {}
    for source, line in sources(path):
        for statement in statements(source):
            found.setdefault(statement, []).append(line)
    return found


def coverage(options: argparse.Namespace) -> int:
    from . import coverage
    from .render import text
    from .report import worst

    path = Path(options.output) if options.output else None
    data = {".md": coverage.as_markdown, ".json": coverage.as_json}
    if path is not None:
        if path.suffix not in data:
            raise InputError(f"-o {path} is neither .md nor .json: write docs/statements.md, or statements.json.")
        begins = REPORT if path.suffix == ".json" else STATEMENTS
        writable(options.output, [page.path for page in shipped()], "-o", begins)
    statements, failed = coverage.known(), Failed()
    reports: list[Report] = []
    for problem, _ in _problems(_names(["all"]), None, failed):
        with failed.told():
            reports.append(_check(problem, options))
    found = coverage.covered(statements, reports)
    gaps, left = coverage.gaps(found), [s for s in found if s.left]
    if path is not None:
        put(path, data[path.suffix](found))
    if options.json:
        if failed.sentences:
            say_error("\n".join(failed.sentences))
        else:
            say(coverage.as_json(found))
    else:
        if path is None:
            shown = gaps if options.quiet else found
            rows = [("" if s.ok else "✗", s.id, s.says, s.problem, s.verdict or s.left) for s in shown]
            say(text.table("Statements", ("", "id", "statement", "problem", "verdict"), rows, screen(options)))
        decided = len(found) - len(left) - sum(not s.by for s in gaps)
        say(f"\n{decided} of {len(found)} decided, {len(left)} left with a reason, {len(gaps)} with a gap.\n")
    return worst([*failed.codes, 1 if gaps else 0])


def derive(options: argparse.Namespace) -> int:
    from .derive import derivations, derived, other_lines, printed_lines, read_values, stamps
    from .render import derivation, json, text

    as_code = options.format in ("numpy", "torch")
    beside = {"--lang": options.lang != "en" and options.format != "text", "--at": options.at and as_code}
    _apart(f"--format {options.format}", beside | {"--stamp": options.stamp and options.format == "json"})
    if options.at is not None:
        read_values(options.at)
    failed = Failed()
    reports: list[Report] = []
    for name in _names(options.problems):
        with failed.told():
            problem = _load(name)
            chosen = derivations(problem, options.only, options.symbolic_k)
            errata = [] if options.only or options.at or as_code else printed_lines(problem)
            with redirect_stdout(sys.stderr), _foreseen(problem):
                asked = {"only": options.only, "symbolic_k": options.symbolic_k}
                report = derived(problem, chosen, options.at or "", options.seed, errata, **asked)
            reports.append(report)
            notes = stamps(report) if options.stamp else []
            others = [] if options.only or options.at else other_lines(problem, errata)
            if options.format in derivation.FORMATS:
                say(derivation.FORMATS[options.format](report, notes, others))
            elif options.format == "text":
                say(text.derivations(report, screen(options), notes, others) + "\n")
            elif as_code:
                from .generate import functions

                shown = {c.forms[0].name.rpartition(".")[0] for c in report.derivations if report.holds(c)}
                code = functions(chosen, shown, options.format, options.seed)
                say("".join(f"# {printable(note)}\n" for note in notes) + code)
    if options.format == "json":
        say(json.render(reports, "\n".join(failed.sentences)))
    return failed.worst(reports)


def learn(options: argparse.Namespace) -> int:
    from .learn.command import SEEDS, runs
    from .learn.learned import CURVES, curves, typical
    from .learn.session import lesson_of
    from .render import json
    from .report import worst

    lesson = lesson_of(options.problem)
    if options.three:
        _apart("--three", {"--seed": options.seed})
    _outputs({"-o": options.output, "--plot": options.plot}, [locate(options.problem), options.answer], REPORT)
    out, quiet = sys.stdout, options.quiet or options.json

    def tell(text: str) -> None:
        if not quiet:
            with redirect_stdout(out):
                say(f"{printable(text)}\n")

    seeds, size = SEEDS if options.three else (options.seed,), (options.epochs or 0, options.steps or 0)
    with redirect_stdout(sys.stderr):
        found = runs(lesson, options.env or "", seeds, *size, options.answer, tell, watched(options))
    if options.three:
        tell(typical(found))
    if options.output:
        put(Path(options.output), json.render(found))
    elif options.json:
        say(json.render(found))
    if options.plot:
        from .figures import plot

        plot([CURVES], {CURVES.name: curves(found)}, options.plot)
    return worst([run.exit_code for run in found])


def report(options: argparse.Namespace) -> int:
    from . import publish

    saved = [word for word in options.problems if word.endswith(".json")]
    names = _names([word for word in options.problems if word not in saved])
    failed = Failed()
    if saved and not names and not options.output:
        reports = [report for path in saved for report in publish.read(path)]
        say(_text_of(reports, options))
        return failed.worst(reports)
    target = publish.target(options.output, options.lang, [*map(Path, saved), *map(locate, names)])
    reports = [report for path in saved for report in publish.read(path)]
    problems: dict[str, Problem] = {}
    for problem, _ in _problems(names, None, failed):
        with failed.told():
            reports.append(_check(problem, options, figures=True, formulas=True))
            problems[problem.name] = problem
            if not options.quiet:
                say(_in_short(reports[-1], options))
    if reports:
        say(f"{printable(str(target.write(reports, problems)))} is written.\n")
    return failed.worst(reports)


def template(options: argparse.Namespace) -> int:
    from .grading.command import templated

    with redirect_stdout(sys.stderr):
        page = templated(options.problem, options.rubric)
    say(page)
    return 0


def grade(options: argparse.Namespace) -> int:
    from .grading import command

    read = [locate(options.problem), *options.submissions, options.rubric]
    _outputs({"-o": options.output, "--resume": options.resume}, read)
    with redirect_stdout(sys.stderr):
        rows = command.rows(options, watched(options))
    if not options.quiet and (note := command.note(rows)):
        complain(note, "note")
    text = command.written(rows, options.format)
    if options.output:
        put(Path(options.output), text)
    else:
        say(text)
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
    say(f"{path} is written: fill it in, then `python -m gradcheck_rl {path}`.\n")
    return 0


def lint(options: argparse.Namespace) -> int:
    from .lint import linted

    failed = Failed()
    for name in options.files:
        with failed.told():
            with redirect_stdout(sys.stderr):
                faults, advice = linted(name)
            for fault in faults:
                failed.add(fault, 4)
            say("".join(f"{line}\n" for line in advice) if faults or advice else f"{name}: nothing to say.\n")
    return failed.worst()


@dataclass(frozen=True)
class Command:
    """What runs, what it is for in a few words, and the words that may follow it."""

    run: Callable[[argparse.Namespace], int]
    says: str
    words: str

    @property
    def options(self) -> list[str]:
        return self.words.split()


COMMANDS: dict[str, Command] = {
    "run": Command(
        run,
        "check problems",
        "problems --json --output --seed --points --samples --jobs --dask --only --answer --plot --lang --quiet --no-color",
    ),
    "list": Command(show_list, "the problems that come with the package", "--json"),
    "mistakes": Command(
        mistakes,
        "what people get wrong in a problem, and the claims that catch it",
        "problem --mutants --only --json --seed --points --lang --quiet --no-color",
    ),
    "explain": Command(explain, "what is known of one statement", "id --json --seed --points --lang --quiet --no-color"),
    "coverage": Command(
        coverage,
        "every statement of the sources, where it is decided, and which are left",
        "--json --output --seed --points --quiet --no-color",
    ),
    "derive": Command(
        derive,
        "closed forms step by step, each equals sign checked",
        "problems --format --only --at --symbolic-k --stamp --lang --seed --no-color",
    ),
    "learn": Command(
        learn,
        "a small training run from a problem's losses, checked against the model while it learns",
        "problem --env --epochs --steps --seed --three --answer --plot --json --output --quiet",
    ),
    "report": Command(
        report,
        "a page to read, or results for other programs: .html, .md, .tex, .pdf, .json, .xml, or a folder of pages; "
        "a saved report alone is printed",
        "problems --output --lang --seed --points --quiet --no-color",
    ),
    "template": Command(template, "the file that a student fills in", "problem --rubric"),
    "grade": Command(
        grade,
        "points and feedback for what students hand in, each kept apart while it runs",
        "problem submissions --rubric --map --as --output --fail-under --isolation --seconds --memory --jobs --dask --resume "
        "--quiet",
    ),
    "new": Command(new, "write a page to fill in", "name"),
    "lint": Command(lint, "what is wrong with a problem file, and advice", "files"),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. `{self.prog} --help` shows what there is.")


def _parser(typed: str = "") -> argparse.ArgumentParser:
    """With the options of the command that was typed: to make those of all takes longer than to list the problems."""
    parser = _Parser(
        prog="gradcheck_rl",
        description="Says whether a gradient in reinforcement learning is right, from an exact model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-v", "--version", action="store_true", help="the versions of what is used")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, known in COMMANDS.items():
        says = f"{known.says[0].upper()}{known.says[1:]}."
        command = commands.add_parser(name, help=known.says, description=says, allow_abbrev=False)
        for option in known.options if name == typed else ():
            command.add_argument(*SHORT.get(option, ()), option, **OPTIONS[option])
    return parser


# ---- input ----------------------------------------------------------------------------------------------------------------


def _apart(option: str, others: Mapping[str, Any]) -> None:
    """What an option would pass over in silence is not typed beside it."""
    for other, typed in others.items():
        if typed:
            raise InputError(f"{other} does not go with {option}: leave one of them out.")


def _outputs(files: Mapping[str, str | None], read: Sequence[Path | str | None], begins: re.Pattern[str] | None = None) -> None:
    """Can all of these be written, and none that is read is lost? Found out before anything is computed."""
    if plot := files.get("--plot"):
        from .figures import plottable

        plottable(plot)
    all_writable(files, [Path(path) for path in read if path], begins)


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
        with failed.told():
            yield _load(name)


def _is_sampled(problem: Problem, only: Collection[str] | None) -> bool:
    from .loop import is_sampled

    items = problem.names.items()
    return any(is_sampled(item) for name, item in items if only is None or not _words(name, item).isdisjoint(only))


def _ids(problem: Problem) -> set[str]:
    return {word for name, item in problem.names.items() for word in _words(name, item)}


def _words(name: str, item: Any) -> set[str]:
    """By what it can be asked for: its name, and the statements that it decides."""
    return {name, *statements(item.source)}


def _load(name: str) -> Problem:
    with redirect_stdout(sys.stderr):
        return load(name)


def _answer(problem: Problem, path: str) -> dict[Function, Function]:
    """What in the file stands for a function of the problem; a name that nearly does is told."""
    slots = problem.functions
    functions = load_functions(path, slots)
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
        complain(sentence, "note")
    return found


# ---- computing and output -------------------------------------------------------------------------------------------------


def _check(
    problem: Problem, options: argparse.Namespace, only: Sequence[str] | None = None, answer: Any = None, **how: Any
) -> Report:
    from .loop import check

    with _foreseen(problem), progress(options) as told:
        return check(problem, answer, options.seed, options.points, only, told, **how)


@contextmanager
def _foreseen(problem: Problem) -> Generator[None]:
    """What a page breaks is told in a sentence, which names the page."""
    try:
        yield
    except ProblemError as error:
        told = str(error)
        raise ProblemError(told if told.startswith(problem.path) else f"{problem.path}: {told}") from error
    except GradcheckError:
        raise
    except ImportError as error:
        raise _lacking(error) from error
    except Exception as error:  # a page is anybody's code
        if was_interrupted(error):
            raise KeyboardInterrupt from None
        raise ProblemError(
            f"{why(Path(problem.path), error).rstrip('.')}. This was not foreseen; in Python, check(...) shows where."
        ) from error


def _lacking(error: ImportError) -> InputError:
    """A package that is needed and cannot be had; one that breaks while it loads, as torch may, does not say its name."""
    name = (error.name or "torch").partition(".")[0]
    return InputError(f"{name} cannot be imported ({error}): type pip install {'python-flint' if name == 'flint' else name}.")


def _text_of(reports: Sequence[Report], options: argparse.Namespace) -> str:
    if options.quiet:
        return "".join(_in_short(report, options) for report in reports)
    from .render import text

    return text.render(reports, screen(options)) + "\n"


def _in_short(report: Report, options: argparse.Namespace) -> str:
    from .languages import speaker

    return f"{printable(report.text(speaker(options.lang)))}\n"


def _deliver(reports: Sequence[Report], options: argparse.Namespace, failed: Failed) -> None:
    """What is said of all together. What a file has is not printed too."""
    from .render import json, text

    rest = reports
    if reports and options.output:
        with failed.told():
            put(Path(options.output), json.render(reports, "\n".join(failed.sentences)))
            rest = ()
    if options.json:
        if rest or failed.sentences or not options.output:
            say(json.render(rest, "\n".join(failed.sentences)))
    elif len(reports) > 1 and not options.quiet:
        say(text.overview(reports, screen(options)))


def _refuse(error: GradcheckError, as_json: bool = False) -> int:
    complain(str(error))
    if as_json:
        say_error(str(error))
    return exit_code(error)


def _version() -> int:
    from .report import versions

    say("".join(f"{name} {version}\n" for name, version in versions().items()))
    return 0
