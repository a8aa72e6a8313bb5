"""The command line: every word that can be typed ends in an exit code and a sentence, never in a traceback."""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sympy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gradcheck_rl.load as loading
from gradcheck_rl import check, coverage
from gradcheck_rl.cli import COMMANDS, OPTIONS, main
from gradcheck_rl.errors import ProblemError
from gradcheck_rl.files import put, writable
from gradcheck_rl.load import load
from gradcheck_rl.render import json as json_renderer
from gradcheck_rl.report import Caught, Line, Report
from gradcheck_rl.schema import damage

from .test_coverage import DECIDED, LEFT

TINY = Path(__file__).parent / "pages" / "tiny.py"
SCHEMA = json.loads((Path(loading.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))
CHECKING = importlib.import_module("gradcheck_rl.loop")
for taker in ("derive", "compare", "learn.session"):  # loaded while `check` is replaced, they would keep what replaced it
    importlib.import_module(f"gradcheck_rl.{taker}")

DOUBLED = "from gradcheck_rl import torch\ndef log_pi(theta):\n    print('noise')\n    return 2 * theta.log_softmax(-1)\n"

Shown = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, and one shipped problem."""
    folder = tmp_path / "problems"
    folder.mkdir()
    (folder / "problem1_two_logits.py").write_text(TINY.read_text())
    (folder / "statements.toml").write_text(DECIDED + LEFT)
    for place in (loading, coverage):
        monkeypatch.setattr(place, "HOMES", (folder,))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def line(verdict: str, ok: bool) -> Line:
    return Line("a", "A claim.", "claim", "", verdict, ok)


# Each problem that the fake check is given answers with a report that has this exit code.
REPORTS = {
    0: Report("p", "P", "", 0, {}, 0.0, (line("agrees", True),)),
    1: Report("p", "P", "", 0, {}, 0.0, (line("refuted", False),)),
    3: Report("p", "P", "", 0, {}, 0.0, (line("undecided", False),)),
    4: Report("p", "P", "", 0, {}, 0.0, (line("agrees", True),), (Caught("m", "M", "a", False, []),)),
    5: Report("p", "P", "", 0, {}, 0.0, ()),
}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, home: Path) -> Callable[[list[Any]], list[str]]:
    """Has the check answer so, without computing; one page for each answer."""

    def plan(codes: list[Any]) -> list[str]:
        left = list(codes)

        def check(*_: Any, **__: Any) -> Report:
            code = left.pop(0)
            if isinstance(code, BaseException):
                raise code
            return REPORTS[code]

        monkeypatch.setattr(CHECKING, "check", check)
        for n in range(len(codes)):
            (home / f"p{n}.py").write_text("from gradcheck_rl import Problem\nproblem = Problem(title='P', claims=())\n")
        return [f"p{n}.py" for n in range(len(codes))]

    return plan


@pytest.mark.parametrize(("typed", "code"), [("list", 0), ("list --nothing", 2)])
def test_what_the_shell_has_closed_is_written_to_nowhere(typed: str, code: int) -> None:
    line = f"{shlex.quote(sys.executable)} -m gradcheck_rl {typed} >&- 2>&-"
    assert subprocess.run(line, shell=True, check=False).returncode == code


def test_an_interruption_within_a_compiled_library_is_one(monkeypatch: pytest.MonkeyPatch, home: Path, capsys: Shown) -> None:
    def check(*_: Any, **__: Any) -> Report:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SystemError("returned a result with an exception set") from None

    monkeypatch.setattr(CHECKING, "check", check)
    assert main(["problem1"]) == 130
    assert "interrupted" in capsys.readouterr().err


EARLY = """
import runpy, sys

class Interrupted:
    def __getattr__(self, name):
        raise KeyboardInterrupt

sys.modules["gradcheck_rl.cli"] = Interrupted()
runpy.run_module("gradcheck_rl", run_name="__main__")
"""


def test_an_interrupt_before_anything_is_read_ends_it_too() -> None:
    left = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, check=False)
    assert (left.returncode, left.stderr) == (130, b"")


def test_the_line_that_replays_chooses_the_same(capsys: Shown, tmp_path: Path) -> None:
    path, answer = tmp_path / "my page" / "tiny.py", tmp_path / "mine.py"
    path.parent.mkdir()
    path.write_text(TINY.read_text())
    answer.write_text("def log_pi(theta):\n    return theta.log_softmax(-1)\n")
    typed = [str(path), "--seed", "4", "--points", "3", "--only", "unbiased", "--answer", str(answer)]
    assert main([*typed, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    again = shlex.split(first["replay"])
    assert again[:3] == ["python", "-m", "gradcheck_rl"]
    assert main([*again[3:], "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["replay"] == first["replay"] and second["claims"][0]["points"] == first["claims"][0]["points"]
    assert [c["id"] for c in second["claims"]] == ["unbiased"]


@pytest.mark.parametrize("words", ["{page}", "mistakes {page}", "lint {page}", "derive {page} --format torch", "{page} --json"])
@pytest.mark.parametrize(
    "raises", ["ModuleNotFoundError(\"No module named 'torch'\", name='torch')", "ImportError('no libcudart')"]
)
def test_without_torch_the_sentence_says_what_to_type(words: str, raises: str, home: Path) -> None:
    (home / "torch.py").write_text(f"raise {raises}\n")
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(home), str(TINY.parents[2])])}
    program = [sys.executable, "-m", "gradcheck_rl", *words.format(page=TINY).split()]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, cwd=home, env=env)
    told = done.stderr.splitlines()[-1]
    assert (
        done.returncode == 2 and told.startswith("error: torch cannot be imported (") and told.endswith("type pip install torch.")
    )
    assert "--json" not in words or json.loads(done.stdout)["error"] in told


def test_formulas_need_no_torch(home: Path) -> None:
    (home / "torch.py").write_text("raise ImportError\n")
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(home), str(TINY.parents[2])])}
    program = [sys.executable, "-m", "gradcheck_rl", str(TINY), "--only", "uniform", "--only", "square"]
    assert subprocess.run(program, capture_output=True, timeout=120, cwd=home, env=env).returncode == 0


# ---- what is typed --------------------------------------------------------------------------------------------------------


def test_nothing_typed_is_a_short_help(capsys: Shown) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and all(command in err for command in COMMANDS)


@pytest.mark.parametrize("command", ["--help", *(f"{name} --help" for name in COMMANDS)])
def test_every_command_has_help(command: str, capsys: Shown) -> None:
    with pytest.raises(SystemExit) as end:
        main(command.split())
    assert end.value.code == 0 and "usage: gradcheck_rl" in capsys.readouterr().out


def test_the_list_names_what_is_shipped(capsys: Shown) -> None:
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "problem1  two_logits  Two logits\n"


def test_the_list_is_data_too(home: Path, capsys: Shown) -> None:
    assert main(["list", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["problems"]
    path = home / "problems" / "problem1_two_logits.py"
    assert found == {"id": "problem1", "name": "two_logits", "title": "Two logits", "path": str(path), "statements": 4}


@pytest.mark.parametrize("typed", ["-v", "--version", "run -v", "problem1 --version", "lint --version", "nobody -v"])
def test_the_version_is_said_wherever_it_is_asked_for(typed: str, capsys: Shown) -> None:
    assert main(typed.split()) == 0
    out, err = capsys.readouterr()
    assert {row.split()[0] for row in out.splitlines()} >= {"python", "gradcheck_rl", "sympy", "torch"} and err == ""


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("problem9", "unknown problem 'problem9'. Did you mean `problem1`?"),
        ("problem1 two_logit", "Did you mean `two_logits`?"),
        ("explan T-001", "unknown problem 'explan'. Did you mean `explain`?"),
        ("problem1 --sed 3", "`run` has no `--sed`. Did you mean `--seed`?"),
        ("problem1 --jsn", "Did you mean `--json`?"),
        ("list --jobs", "`list` has no `--jobs`."),
        ("problem1 --only halvd", "no claim or statement here is called 'halvd'. Did you mean `halved`?"),
        ("problem1 --only T-01", "Did you mean `T-001`?"),
        ("problem1 --only t-3", "Did you mean `T-003`?"),
        ("explain T-1", "Did you mean `T-001`?"),
        ("explain T-0004", "Did you mean `T-004`?"),
        (
            "explain T-04",
            "no problem speaks of 'T-04'. Did you mean `T-004`? 4 statements are decided here; `coverage` lists",
        ),
        ("problem1 -o absent/r.json", "-o absent/r.json cannot be written: No such file or directory."),
        (
            "problem1 -o page.html",
            "-o page.html: a run writes JSON: write -o report.json, and then `gradcheck_rl report report.json -o page.html`.",
        ),
        ("problem1 -o problems", "-o problems cannot be written: Is a directory."),
        ("problem1 -o problems/problem1_two_logits.py", "would overwrite what is to be read"),
        ("all two.py --answer f.py", "there is no file two.py"),
        ("problem1 --answer absent.py", "there is no file absent.py; a file with functions was expected."),
        ("mistakes problem2", "Did you mean `problem1`?"),
        ("new two-words", "'two-words' cannot name a problem file"),
        ("new torch", "torch.py would stand in the way of `import torch`: choose another name."),
        ("new class", "'class' cannot name a problem file"),
        ("new /", "'/' cannot name a problem file"),
        ("problem1 --answer=", "nothing is given for `answer`, as by an unset variable of the shell"),
        ("lint absent.py", "there is no file absent.py"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(typed: str, sentence: str, capsys: Shown) -> None:
    assert main(typed.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and sentence in err and err.count("\n") == 1


SAMPLES = ("--samples 0", "--samples=-1e3", "--samples 1e16", "--samples nan", "--samples inf", "--samples 1.5", "--samples 1_0")
POINTS_AND_SEEDS = ("--seed -1", "--seed x", "--seed 1_0", f"--seed {'9' * 5000}", "--points 0", "--points 10001")
IMPOSSIBLE = (*POINTS_AND_SEEDS, *SAMPLES)


@pytest.mark.parametrize("option", IMPOSSIBLE, ids=range(len(IMPOSSIBLE)))
def test_impossible_numbers_are_refused(option: str, capsys: Shown) -> None:
    assert main(["problem1", *option.split()]) == 2
    assert "a whole number from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "number"), [("1", 1), ("1e8", 10**8), ("1E10", 10**10), ("2.5e3", 2500), ("4000000", 4_000_000)]
)
def test_a_number_of_samples_is_written_either_way(
    typed: str, number: int, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(CHECKING, "check", lambda *_, **options: asked.append(options["samples"]) or REPORTS[0])
    assert main(["problem1", "--samples", typed]) == 0 and asked == [number]
    capsys.readouterr()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("problem9", "unknown problem 'problem9'."),
        ("problem1 --sed 3", "`run` has no `--sed`."),
        ("problem1 --points 0", "a whole number from 1 to 10000 was expected, not '0'"),
        ("problem1 --samples many", "a whole number from 1 to 1e15 was expected, not 'many'"),
        ("problem1 --points", "expected one argument"),
        ("problem1 --only halvd", "Did you mean `halved`?"),
        ("problem1 -o absent/r.json", "-o absent/r.json cannot be written"),
        ("problem1 --answer absent.py", "there is no file absent.py"),
        ("problem1 --samples 1e3", "1000 samples were asked for, and nothing chosen is sampled"),
        ("learn problem99", "unknown problem 'problem99'"),
        ("mistakes problem9", "unknown problem 'problem9'."),
        ("new page", "`new` has no `--json`."),
    ],
)
def test_with_json_what_cannot_be_run_is_json_too(typed: str, sentence: str, home: Path, capsys: Shown) -> None:
    assert main([*typed.split(), "--json"]) == 2
    out, err = capsys.readouterr()
    data = json.loads(out)
    jsonschema.validate(data, SCHEMA)
    assert set(data) == {"error"} and sentence in data["error"] and err == f"error: {data['error']}\n"


def test_with_json_a_page_that_does_not_load_is_an_error_beside_the_others(home: Path, capsys: Shown) -> None:
    (home / "broken.py").write_text("nothing = 1\n")
    assert main(["broken.py", "--json"]) == 4
    alone = json.loads(capsys.readouterr().out)
    jsonschema.validate(alone, SCHEMA)
    assert set(alone) == {"error"} and "has no `problem`" in alone["error"]
    assert main(["broken.py", "problem1", "--json"]) == 4
    both = json.loads(capsys.readouterr().out)
    jsonschema.validate(both, SCHEMA)
    assert both["error"] == alone["error"] and [r["problem"] for r in both["reports"]] == ["problem1"]
    for wrong in ({}, {"error": 2}, {"reports": [], "error": 2}, {"reports": 3, "error": "x"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, SCHEMA)


typed_words = st.sampled_from([*sorted(set(COMMANDS) - {"new"}), "problem1", "all", "-o", *(w for w in OPTIONS if w[0] == "-")])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(words=st.lists(typed_words | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6), max_size=5))
def test_no_words_make_a_traceback(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(CHECKING, "check", lambda *_, **__: REPORTS[0])
    monkeypatch.chdir(tmp_path_factory.mktemp("typed"))
    try:
        code = main([word for word in words if word != "--mutants"])
    except SystemExit as end:
        code = end.code
    assert code in (0, 1, 2, 3, 4, 5)


# ---- exit codes -----------------------------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(codes=st.lists(st.sampled_from(sorted(REPORTS)), min_size=1, max_size=4))
def test_the_exit_code_is_the_worst_of_4_1_3_5(codes: list[int], answers: Any) -> None:
    rank = {0: 0, 5: 1, 3: 2, 1: 3, 4: 4}
    assert main([*answers(codes), "--quiet"]) == max(codes, key=lambda code: rank[code])


def test_a_broken_page_is_told_and_the_others_go_on(answers: Any, home: Path, capsys: Shown) -> None:
    pages = answers([0])
    (home / "broken.py").write_text("1 / 0")
    assert main(["broken.py", *pages]) == 4
    out, err = capsys.readouterr()
    assert "All as it should be" in out
    assert err == "error: broken.py:1: ZeroDivisionError: division by zero\n"


def test_what_was_finished_when_interrupted_is_reported(answers: Any, capsys: Shown) -> None:
    pages = answers([0, KeyboardInterrupt(), 0])
    assert main([*pages, "--json"]) == 130
    out, err = capsys.readouterr()
    assert json_renderer.read(out) == [REPORTS[0]]
    assert err.endswith("interrupted; what was finished is reported.\n")


def test_a_problem_named_twice_is_run_once(answers: Any, capsys: Shown) -> None:
    answers([0])
    assert main(["problem1", "two_logits", "all", "problems/problem1_two_logits.py"]) == 0
    assert capsys.readouterr().out.count("All as it should be") == 1


def test_nothing_is_computed_when_the_output_cannot_be_written(answers: Any, home: Path) -> None:
    pages = answers([AssertionError("computed")])
    assert main([*pages, "-o", "absent/r.json"]) == 2


@pytest.mark.parametrize("before", [None, "", json_renderer.render([REPORTS[0]])])
def test_a_failed_run_leaves_the_output_as_it_was(before: str | None, home: Path) -> None:
    target = home / "r.json"
    if before is not None:
        target.write_text(before)
    (home / "broken.py").write_text("1 / 0")
    assert main(["broken.py", "-o", "r.json"]) == 4
    assert (target.read_text() if target.exists() else None) == before


SAVED = json_renderer.render([REPORTS[0]])
WORK = "from gradcheck_rl import Problem\n"


@pytest.mark.parametrize(
    ("typed", "name", "before"),
    [
        ("run p0.py --quiet -o", "work.py", WORK),
        ("run p0.py --json -o", "notes", "remember"),
        ("run p0.py -o", "data.json", '{"weights": [1]}'),
        ("run p0.py -o", "data.json", '{"reports": [1]}'),
        ("report saved.json -o", "data.json", '{"weights": [1]}'),
        ("coverage -o", "data.json", "[]"),
        ("coverage -o", "README.md", "# A project\n"),
        ("learn problem9 -o", "data.json", "[]"),
        ("grade p0.py p0.py -o", "work.py", WORK),
    ],
)
def test_what_is_no_report_is_not_overwritten(
    typed: str, name: str, before: str, answers: Any, home: Path, capsys: Shown
) -> None:
    answers([AssertionError("computed")])
    (home / "problems" / "problem9_coin.py").write_text(TINY.read_text())
    (home / "saved.json").write_text(SAVED)
    (home / name).write_text(before)
    assert main([*typed.split(), name]) == 2
    err = capsys.readouterr().err
    assert f"-o {name} is there, and was not written by this command: choose another file, or remove it." in err
    assert (home / name).read_text() == before


@pytest.mark.parametrize("command", ["run p0.py -o", "report saved.json -o", "coverage -o", "run p0.py --plot"])
def test_a_name_that_ends_in_a_slash_is_no_file(command: str, answers: Any, home: Path, capsys: Shown) -> None:
    answers([AssertionError("computed")])
    (home / "saved.json").write_text(SAVED)
    name = "out.svg/" if "plot" in command else "out.json/"
    code, err = main([*command.split(), name]), capsys.readouterr().err
    assert (code, "names a folder, and a file is written" in err) == ((0, False) if "report" in command else (2, True))
    assert not (home / name.rstrip("/")).is_file()


@pytest.mark.parametrize("before", ["", SAVED, json_renderer.render([REPORTS[0], REPORTS[1]]), json_renderer.render([], "No.")])
def test_a_report_is_written_over_one(before: str, answers: Any, home: Path) -> None:
    (home / "r.json").write_text(before)
    assert main([*answers([0]), "-o", "r.json"]) == 0
    assert (home / "r.json").read_text() == SAVED


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
@pytest.mark.parametrize("codes", [[0], [1], [0, 1, 3]])
def test_a_saved_report_is_printed_as_by_its_run(codes: list[int], quiet: list[str], answers: Any, capsys: Shown) -> None:
    code = main([*answers(codes), "-o", "r.json", *quiet])
    printed = capsys.readouterr().out
    assert main(["report", "r.json", *quiet]) == code
    assert capsys.readouterr().out.split() == printed.split()


# ---- output ---------------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("options", "environment", "coloured"),
    [
        ([], {}, True),
        (["--no-color"], {}, False),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": ""}, True),
        ([], {"TERM": "dumb"}, False),
    ],
)
def test_colour_only_where_it_is_wanted(
    options: list[str], environment: dict[str, str], coloured: bool, answers: Any, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    [page] = answers([0])
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    assert main([page, *options]) == 0
    assert ("\x1b[" in screen.getvalue()) == coloured


def test_no_colour_and_no_progress_without_a_terminal(capsys: Shown) -> None:
    assert main(["problem1", "--only", "uniform"]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out and err == ""


def test_progress_on_a_terminal_is_on_standard_error_and_cleared(monkeypatch: pytest.MonkeyPatch, capsys: Shown) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    assert main(["problem1", "--only", "uniform"]) == 0
    assert "[1/1] agrees  Equal logits make equal chances." in screen.getvalue()
    assert screen.getvalue().rsplit("\r", 2)[1].strip() == ""
    screen.truncate(0)
    assert main(["problem1", "--only", "uniform", "--quiet"]) == 0
    assert "[1/1]" not in screen.getvalue()


def test_quiet_says_one_line_when_all_is_well(answers: Any, capsys: Shown) -> None:
    assert main([*answers([0]), "--quiet"]) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_several_problems_end_in_a_table_and_one_json(answers: Any, home: Path, capsys: Shown) -> None:
    pages = answers([0, 1])
    assert main([*pages, "-o", "r.json"]) == 1
    assert "Together" in capsys.readouterr().out
    data = json.loads((home / "r.json").read_text())
    assert list(data) == ["reports"] and len(data["reports"]) == 2
    jsonschema.validate(data, SCHEMA)


@pytest.mark.skipif(os.name != "posix", reason="pipes are closed otherwise elsewhere")
@pytest.mark.parametrize("command", ["list", "new page_of_mine"])
def test_a_reader_that_has_enough_is_no_error(command: str, home: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    program = [sys.executable, "-m", "gradcheck_rl", *command.split()]
    env = os.environ | {"PYTHONPATH": str(TINY.parents[2])}
    done = subprocess.run(program, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120, cwd=home, env=env)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_disk_is_said(home: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(TINY.parents[2])}
    program = [sys.executable, "-m", "gradcheck_rl", "list"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, env=env)
    assert done.returncode == 2 and done.stderr == "error: standard output cannot be written: No space left on device.\n"


# ---- whole runs of a tiny page --------------------------------------------------------------------------------------------


def test_a_whole_page_is_as_it_should_be(home: Path, capsys: Shown) -> None:
    assert main(["two_logits", "-o", "r.json"]) == 0
    [report] = json_renderer.read((home / "r.json").read_text())
    verdicts = {c.id: (c.kind, c.verdict, c.ok) for c in report.claims}
    assert verdicts["halved"] == ("erratum", "refuted", True)
    assert {c.id for c in report.claims if c.ok} == {"unbiased", "uniform", "halved", "square.1"}
    assert [(m.id, m.by) for m in report.mistakes] == [("unnormalised", ["unbiased"])]
    out = capsys.readouterr().out
    assert "refuted, as they should be" in out and "→ REINFORCE is unbiased." in out and "logits for log-probabilities" in out


def test_the_json_is_the_same_bytes_but_for_times(capsys: Shown) -> None:
    def run() -> Report:
        assert main(["problem1", "--json", "--seed", "7"]) == 0
        [report] = json_renderer.read(capsys.readouterr().out)
        return replace(report, elapsed_s=0.0, claims=tuple(replace(c, elapsed_s=0.0) for c in report.claims))

    assert json_renderer.render([run()]) == json_renderer.render([run()])


def test_a_wrong_answer_is_refuted_and_its_prints_stay_out_of_the_json(home: Path, capsys: Shown) -> None:
    (home / "mine.py").write_text(DOUBLED)
    assert main(["problem1", "--answer", "mine.py", "--json"]) == 1
    out, err = capsys.readouterr()
    data = json.loads(out)
    jsonschema.validate(data, SCHEMA)
    assert data["answer"] == ["log_pi"] and "noise" in err
    assert {c["id"]: c["verdict"] for c in data["claims"]} == {"unbiased": "refuted"}


def test_an_answer_without_the_functions_is_told_what_is_asked_for(home: Path, capsys: Shown) -> None:
    (home / "mine.py").write_text(DOUBLED.replace("log_pi", "log_pie"))
    assert main(["problem1", "--answer", "mine.py"]) == 2
    err = capsys.readouterr().err
    assert "mine.py defines none of the functions: problem1 asks for " in err
    assert "`log_pie`, which problem1 does not ask for. Did you mean `log_pi`?" in err


def test_what_is_no_function_under_the_name_of_one_is_told(home: Path, capsys: Shown) -> None:
    right = "def log_pi(w, s0, allowed):\n    return (w * s0).masked_fill(allowed == 0, -float('inf')).log_softmax(-1)\n"
    (home / "mine.py").write_text(f"{right}\nreinforce = 3\n")
    assert main(["problem1", "--answer", "mine.py"]) == 2
    assert "error: the answer for `reinforce` is int, not a function: write `def reinforce(" in capsys.readouterr().err


def test_an_answer_goes_with_one_problem(home: Path, answers: Any, capsys: Shown) -> None:
    assert main([*answers([0, 0]), "--answer", "mine.py"]) == 2
    assert "--answer goes with one problem; 2 were named." in capsys.readouterr().err


@pytest.mark.parametrize(("only", "found"), [("uniform", {"uniform"}), ("T-002", {"unbiased"}), ("T-004", {"halved"})])
def test_only_takes_claims_and_statements(only: str, found: set[str], capsys: Shown) -> None:
    assert main(["problem1", "--only", only, "--json"]) == 0
    assert {c["id"] for c in json.loads(capsys.readouterr().out)["claims"]} == found


def test_mistakes_are_shown_with_what_caught_them(capsys: Shown) -> None:
    assert main(["mistakes", "problem1"]) == 0
    out = capsys.readouterr().out
    assert "✓  logits for log-probabilities  unbiased" in out and "Claims" not in out


def test_mistakes_are_data_too(capsys: Shown) -> None:
    assert main(["mistakes", "problem1", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    jsonschema.validate(data, SCHEMA)
    assert [(m["id"], m["caught"]) for m in data["mistakes"]] == [("unnormalised", True)] and data["claims"] == []


def test_explain_says_what_is_known_and_where(capsys: Shown) -> None:
    assert main(["explain", "T-004"]) == 0
    out = capsys.readouterr().out
    written = TINY.read_text().splitlines()
    number = next(n for n, text in enumerate(written, start=1) if "T-004" in text)
    assert out.startswith(f"T-004: It is 4.\nIt is decided at problem1_two_logits.py:{number}\n")
    for expected in ("It is half of it.", "✓ refuted", "→ REINFORCE is unbiased.", "at theta = ", "left side", "right side"):
        assert expected in out
    assert "uniform" not in out


def test_explain_says_why_a_statement_is_left(capsys: Shown) -> None:
    assert main(["explain", "T-009"]) == 5
    assert capsys.readouterr().out == "T-009: It is named so.\nNo problem decides it: A name.\n"


def test_a_new_page_runs_passes_lint_and_is_never_overwritten(home: Path, capsys: Shown) -> None:
    assert main(["new", "mine"]) == 0
    assert main(["mine.py"]) == 0
    assert main(["lint", "mine.py"]) == 0
    assert "mine.py: nothing to say." in capsys.readouterr().out
    (home / "mine.py").write_text("mine")
    assert main(["new", "mine"]) == 2
    assert (home / "mine.py").read_text() == "mine"
    assert "exists already" in capsys.readouterr().err


def test_a_page_that_breaks_at_another_size_is_wrong(home: Path, capsys: Shown) -> None:
    (home / "broken.py").write_text(
        TINY.read_text().replace("theta = ", "if K == 3:\n    raise ValueError('three')\ntheta = ", 1)
    )
    for words in (["broken.py"], ["lint", "broken.py"], ["run", "broken.py", "--json"]):
        assert main(words) == 4
        out, err = capsys.readouterr()
        assert "ValueError: three" in out + err and "broken.py: broken.py" not in out + err


@pytest.mark.parametrize(("words", "code"), [(["list"], 0), (["nobody"], 2)])
def test_the_process_ends_at_once_with_its_code_and_all_that_was_to_be_done(words: list[str], code: int) -> None:
    program = f"""
import atexit, sys
from gradcheck_rl.cli import leave
class Slow:
    def __del__(self): print("taken apart")
kept = Slow()
atexit.register(print, "done at exit")
sys.argv[1:] = {words!r}
leave()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert done.stdout.endswith("done at exit\n")
    assert "taken apart" not in done.stdout


def test_versions_are_the_same_before_and_after_what_they_are_of_is_imported() -> None:
    asks = "from gradcheck_rl.report import versions; print(versions())"
    first, second = (
        subprocess.run([sys.executable, "-c", imports + asks], capture_output=True, text=True, timeout=120, check=True).stdout
        for imports in ("", "import sympy, numpy, torch, flint, gradcheck_rl; ")
    )
    assert first == second and "unknown" not in first
    assert f"'sympy': '{sympy.__version__}'" in first


# ---- what is written to files ---------------------------------------------------------------------------------------------

TOO_LONG = "a" * 300


@pytest.mark.parametrize(
    "typed",
    ["{}/page.py", "problem1 -o {}.json", "problem1 --answer {}/f.py", "report problem1 -o {}.html", "report problem1 -o {}/x/"],
)
def test_a_name_that_is_too_long_is_told(typed: str, capsys: Shown) -> None:
    assert main(typed.format(TOO_LONG).split()) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("typed", "option"),
    [
        ("grade p0.py p0.py -o rows.jsonl --resume rows.jsonl", "--resume"),
        ("learn problem9 -o run.svg --plot run.svg", "--plot"),
        ("p0.py -o run.svg --plot ./run.svg", "--plot"),
    ],
)
def test_one_file_is_not_written_for_two_options(typed: str, option: str, answers: Any, home: Path, capsys: Shown) -> None:
    answers([AssertionError("computed")])
    (home / "problems" / "problem9_coin.py").write_text(TINY.read_text())
    assert main(typed.split()) == 2
    assert f"{option} {typed.split()[-1]} would overwrite what is to be read" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="no such limit elsewhere")
@pytest.mark.parametrize("command", ["run problem1 --only uniform --quiet -o", "coverage -o"])
def test_what_cannot_be_finished_leaves_the_file_as_it_was(command: str, home: Path) -> None:
    (home / "r.json").write_text(SAVED)
    program = (
        "import resource, sys; from gradcheck_rl import cli, coverage, load; from pathlib import Path; "
        "load.HOMES = coverage.HOMES = (Path('problems'),); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); sys.exit(cli.main({[*command.split(), 'r.json']!r}))"
    )
    env = os.environ | {"PYTHONPATH": str(TINY.parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=home, env=env)
    assert (done.returncode, done.stderr) == (2, "error: -o r.json cannot be written: File too large.\n")
    assert (home / "r.json").read_text() == SAVED
    assert {path.name for path in home.iterdir()} == {"problems", "r.json"}


@given(before=st.none() | st.binary(max_size=9), content=st.binary(max_size=9), linked=st.booleans())
def test_what_is_put_is_all_that_is_there(
    before: bytes | None, content: bytes, linked: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("put")
    target = folder / "real.bin"
    if before is not None:
        target.write_bytes(before)
        target.chmod(0o640)
    path = folder / "link.bin" if linked else target
    if linked:
        path.symlink_to(target)
    put(path, content)
    assert target.read_bytes() == content and path.is_symlink() == linked
    assert before is None or target.stat().st_mode & 0o777 == 0o640
    assert len(list(folder.iterdir())) == 1 + linked


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("linked", [True, False])
def test_what_may_be_written_is_as_it_was(there: bool, linked: bool, home: Path) -> None:
    target = home / "real.txt"
    if there:
        target.write_text("mine")
    if linked:
        (home / "link.txt").symlink_to(target)
    before = sorted(home.iterdir())
    writable("link.txt" if linked else "real.txt", [], "-o")
    assert sorted(home.iterdir()) == before and (not there or target.read_text() == "mine")


@pytest.mark.skipif(os.name != "posix", reason="no such pipes elsewhere")
def test_a_pipe_stays_a_pipe(home: Path) -> None:
    os.mkfifo(home / "pipe")
    with subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, cwd=home) as reader:
        put(home / "pipe", "all of it")
        assert reader.stdout is not None and reader.stdout.read() == b"all of it"
    assert (home / "pipe").is_fifo()


# ---- what would be passed over in silence ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("mistakes problem1 --mutants --points 5", "--points does not go with --mutants: leave one of them out."),
        ("mistakes problem1 --mutants --lang zh", "--lang does not go with --mutants"),
        ("learn problem9 --three --seed 1", "--seed does not go with --three"),
        ("derive problem1 --format latex --lang zh", "--lang does not go with --format latex"),
        ("derive problem1 --format torch --at theta=1", "--at does not go with --format torch"),
    ],
)
def test_an_option_that_nothing_would_read_is_refused(typed: str, sentence: str, home: Path, capsys: Shown) -> None:
    (home / "problems" / "problem9_coin.py").write_text(TINY.read_text())
    assert main(typed.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and sentence in err and err.count("\n") == 1


def test_a_quiet_coverage_lists_the_gaps_alone(home: Path, capsys: Shown) -> None:
    (home / "problems" / "statements.toml").write_text(
        DECIDED + LEFT + '\n[T-010]\nsays = "Nobody looks."\nproblem = "problem1"\n'
    )
    assert main(["coverage", "--quiet"]) == 1
    out = capsys.readouterr().out
    assert "Nobody looks." in out and "T-010" in out and "T-009" not in out and "T-001" not in out


@pytest.mark.parametrize("command", ["run", "derive"])
def test_whatever_breaks_in_a_page_is_told_with_its_name(command: str, home: Path, capsys: Shown) -> None:
    page = (
        TINY.read_text()
        .replace("square = Derivation", BREAKS + "\nsquare = Derivation")
        .replace("theta[0] + 1) **", "Bad(theta[0])) **")
    )
    (home / "broken.py").write_text(page)
    assert main([command, "broken.py"]) == 4
    assert "broken.py:" in (err := capsys.readouterr().err) and "not today" in err and "Traceback" not in err


BREAKS = """
import sympy
class Bad(sympy.Function):
    def _eval_derivative(self, s): raise ValueError("not today")
    def doit(self, **hints): raise ValueError("not today")
    def _sympystr(self, printer): raise ValueError("not today")
"""


@pytest.mark.parametrize("typed", ["--only square --seed 3", "--symbolic-k", "--at theta=(1,1) --only square", ""])
def test_the_line_that_replays_a_derivation_derives_the_same(typed: str, home: Path, capsys: Shown) -> None:
    page = TINY.read_text().replace("Derivation,", "Derivation, Named,", 1)
    (home / "page.py").write_text(page + SUMMED)
    outputs: list[Any] = []
    words = ["derive", "page.py", *typed.split()]
    for _ in range(2):
        assert main([*words, "--format", "json"]) == 0
        outputs.append(json.loads(capsys.readouterr().out))
        words = shlex.split(outputs[-1]["replay"])[3:]
    first, second = outputs
    assert first["replay"] == second["replay"]
    assert [chain["title"] for chain in first["derivations"]] == [chain["title"] for chain in second["derivations"]]


SUMMED = """
import sympy as sp
N, k = sp.symbols("N k", integer=True, positive=True)
count = Derivation("Ones", sp.Sum(1, (k, 0, N - 1)), ((N, "counted"),), sizes={N: (2, 3)})
from dataclasses import replace
problem = replace(problem, derivations=(square, count))
"""


def test_json_goes_to_the_file_that_is_named_and_not_to_the_screen_too(answers: Any, home: Path, capsys: Shown) -> None:
    assert main([*answers([0]), "--json", "-o", "r.json", "-q"]) == 0
    assert capsys.readouterr().out == "" and (home / "r.json").read_text() == SAVED
    assert main([*answers([ProblemError("broken")]), "--json", "-o", "r.json"]) == 4
    assert json.loads(capsys.readouterr().out) == {"error": "p0.py: broken"} and (home / "r.json").read_text() == SAVED
    assert main([*answers([0]), "--json", "-o", "/dev/full"]) == 2
    lost = json.loads(capsys.readouterr().out)  # what cannot be written is printed
    assert "cannot be written" in lost["error"] and lost["reports"] == [json.loads(SAVED)]


# ---- saved reports that are damaged ---------------------------------------------------------------------------------------


def places(value: Any, *at: Any) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for name, part in inner for place in places(part, *at, name))]


def damaged(whole: Any, place: tuple[Any, ...], by: Any) -> Any:
    if not place:
        return by
    copy = whole.copy()
    copy[place[0]] = damaged(whole[place[0]], place[1:], by)
    return copy


def without_required(rule: Any) -> Any:
    if isinstance(rule, list):
        return [without_required(part) for part in rule]
    if not isinstance(rule, dict):
        return rule
    return {name: without_required(part) for name, part in rule.items() if name != "required" or not isinstance(part, list)}


@cache
def whole() -> Any:
    """A report with every part: claims that hold and fail, an erratum, a mistake, a derivation, figures, blind spots."""
    page = load(str(TINY.parents[2] / "problems" / "problem1_masked_softmax.py"))
    only = ["slope", "first", "same", "shows", "mask_forgotten", "shares"]
    found = json.loads(json_renderer.render([check(page, only=only, points=2, formulas=True)]))
    long, short, *_ = found["claims"]
    long["formula"] = short["formula"]  # else half of all places are in this one
    return found


@cache
def fits() -> Callable[[Any], bool]:
    """Is it a report, by the schema? Keys that are missing aside: reports of before have fewer."""
    return jsonschema.Draft202012Validator(without_required({**SCHEMA, "oneOf": [{"$ref": "#/$defs/report"}]})).is_valid


INSTEAD = st.sampled_from([None, True, 7, -1, 1.5, "great", "nan", [], [3], [[]], {}, {"a": {}}, ["id", ["x"]]])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(data=st.data())
def test_a_damaged_report_is_told_in_a_sentence_and_is_what_the_schema_refuses(data: st.DataObject, home: Path) -> None:
    place, by = data.draw(st.sampled_from(places(whole()))), data.draw(INSTEAD)
    broken = damaged(whole(), place, by)
    wrong = damage(broken)
    assert (wrong == "") == fits()(broken)
    Path("r.json").write_text(json.dumps(broken))
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as said:
        codes = {main(["report", "r.json", *words]) for words in ([], ["--quiet"], ["--lang", "zh", "-o", "r.html", "--quiet"])}
    if wrong:
        assert codes == {2} and said.getvalue().startswith("error: r.json is JSON, but not a report")
    assert codes <= {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("kind", "verdict", "ok", "fits"),
    [
        ("claim", "proved", True, True),
        ("step", "agrees", True, True),
        ("erratum", "refuted", True, True),
        ("claim", "refuted", True, False),
        ("claim", "undecided", True, False),
        ("erratum", "agrees", True, False),
        ("claim", "agrees", False, True),
        ("erratum", "refuted", False, True),
    ],
)
def test_a_line_is_as_it_should_be_only_with_such_a_verdict(kind: str, verdict: str, ok: bool, fits: bool) -> None:
    data = json.loads(json_renderer.render([replace(REPORTS[0], claims=(Line("a", "A.", kind, "", verdict, ok),))]))
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(data) == (damage(data) == "") == fits


HIDES = ["random", "string", "numpy", "sympy", "torch", "concurrent", "argparse"]


def test_a_file_hides_no_module_where_a_person_stands(home: Path) -> None:
    """Of all of them at once: the run breaks where one of them does."""
    for name in HIDES:
        (home / f"{name}.py").write_text(DOUBLED)
    (home / "page.py").write_text(TINY.read_text())
    env = os.environ | {"PYTHONPATH": str(TINY.parents[2])}
    program = [sys.executable, "-m", "gradcheck_rl", "page.py", "--answer", "random.py", "--only", "unbiased"]
    done = subprocess.run(program, cwd=home, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "refuted" in done.stdout, done.stderr


@pytest.mark.parametrize("name", HIDES)
def test_an_answer_may_have_the_name_of_a_module(name: str, home: Path, capsys: Shown) -> None:
    (home / f"{name}.py").write_text(DOUBLED)
    (home / "page.py").write_text(TINY.read_text())
    assert main(["page.py", "--answer", f"{name}.py", "--only", "unbiased"]) == 1
    assert "refuted" in capsys.readouterr().out


def test_the_exit_code_is_said_where_no_sentence_can_be() -> None:
    line = f"{shlex.quote(sys.executable)} -m gradcheck_rl problem99 2>/dev/full"
    assert subprocess.run(line, shell=True, check=False).returncode == 2


def test_a_second_name_is_taken_for_no_option(capsys: Shown) -> None:
    assert main(["mistakes", "problem1", "problem2"]) == 2
    assert capsys.readouterr().err == "error: `mistakes` has no `problem2`.\n"


@pytest.mark.parametrize("code", [0, 1, 4, 5])
def test_in_short_it_is_said_in_its_language_too(code: int, answers: Any, capsys: Shown) -> None:
    assert main([*answers([code]), "-q", "--lang", "zh"]) == code
    chinese = capsys.readouterr().out
    assert main([*answers([code]), "-q"]) == code
    english = capsys.readouterr().out
    assert english == f"{REPORTS[code].text()}\n" and len(chinese.splitlines()) == len(english.splitlines())
    assert re.search("[\u4e00-\u9fff]", chinese) and not re.search("[\u4e00-\u9fff]", english)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("derive absent --format json", "unknown problem 'absent'"),
        ("derive absent --format=json", "unknown problem 'absent'"),
        ("derive problem1 --format json --stamp", "--stamp does not go with --format json"),
        ("explain T-04 --json", "no problem speaks of 'T-04'"),
        ("grade absent mine.py --as json", "unknown problem 'absent'"),
    ],
)
def test_the_json_of_every_command_says_what_is_wrong(typed: str, sentence: str, home: Path, capsys: Shown) -> None:
    assert main(typed.split()) == 2
    out, err = capsys.readouterr()
    data = json.loads(out)
    assert set(data) == {"error"} and sentence in data["error"] and err == f"error: {data['error']}\n"


@pytest.mark.parametrize(("more", "code"), [([], 4), (["problem1"], 4), (["--only", "nothing"], 4)])
def test_a_page_that_cannot_be_derived_is_named_in_the_json(more: list[str], code: int, home: Path, capsys: Shown) -> None:
    (home / "broken.py").write_text("1 / 0\n")
    assert main(["derive", "broken.py", *more, "--format", "json"]) == code
    data = json.loads(capsys.readouterr().out)
    jsonschema.validate(data, SCHEMA)
    assert "broken.py:1: ZeroDivisionError" in data["error"]
    assert [report["problem"] for report in data.get("reports", [])] == ["problem1"] * ("problem1" in more)


def test_what_explain_says_is_data_too(home: Path, capsys: Shown) -> None:
    assert main(["explain", "T-004", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    jsonschema.validate(data, SCHEMA)
    (page, lines), *others = data["decided"].items()
    assert not others and all("T-004" in TINY.read_text().splitlines()[n - 1] for n in lines)
    assert (data["id"], data["says"], data["left"], page) == ("T-004", "It is 4.", "", "problem1_two_logits.py")
    assert any(line["source"] == "T-004" for line in data["reports"][0]["claims"])
    assert main(["explain", "T-009", "--json"]) == 5
    left = json.loads(capsys.readouterr().out)
    assert (left["left"], left["decided"], left["reports"]) == ("A name.", {}, [])
    (home / "problems" / "problem1_two_logits.py").write_text("# T-004\nname = 'T-004'\n")
    assert main(["explain", "T-004", "--json"]) == 4
    assert "has no `problem`" in json.loads(capsys.readouterr().out)["error"]


def test_explain_speaks_the_language_it_is_asked_in(home: Path, capsys: Shown) -> None:
    source = Path(loading.__file__).parents[1] / "problems" / "zh.toml"
    (home / "problems" / "zh.toml").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    for word in ("T-004", "T-009"):
        main(["explain", word, "--lang", "zh"])
        assert not re.search("decide", capsys.readouterr().out)


def test_the_saved_json_names_the_page_that_broke(answers: Any, home: Path, capsys: Shown) -> None:
    assert main([*answers([0, ProblemError("broken"), 1]), "-o", "r.json"]) == 4
    data = json.loads((home / "r.json").read_text())
    jsonschema.validate(data, SCHEMA)
    assert data["error"] == "p1.py: broken" and len(data["reports"]) == 2
    capsys.readouterr()
    assert main(["report", "r.json", "--quiet"]) == 1 and capsys.readouterr().out.count("P: ") == 2


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("mistakes problem1 --samples 5", "`mistakes` has no `--samples`."),
        ("mistakes problem1 --jsn", "`mistakes` has no `--jsn`. Did you mean `--json`?"),
    ],
)
def test_for_an_option_of_another_command_none_is_suggested(typed: str, sentence: str, capsys: Shown) -> None:
    assert main(typed.split()) == 2 and capsys.readouterr().err == f"error: {sentence}\n"


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        ("{'q': 1}", "at=... of 'A square' gives `q`; it has theta."),
        ("{'thta': 1}", "Did you mean `theta`?"),
        ("{'theta': (1, 2, 3)}", "at=... of a derivation gives theta = (1, 2, 3): shape (2,) was expected."),
    ],
)
def test_numbers_of_a_page_that_do_not_fit_its_derivation_are_the_page_s(
    at: str, sentence: str, home: Path, capsys: Shown
) -> None:
    text = TINY.read_text().replace('"expand"),))', f'"expand"),), at={at})')
    (home / "wrong.py").write_text(text)
    assert main(["derive", "wrong.py"]) == 4
    said = capsys.readouterr().err
    assert sentence in said and "not foreseen" not in said and said.count("\n") == 1


def test_interrupted_before_anything_was_finished_nothing_is_said_to_be_reported(answers: Any, capsys: Shown) -> None:
    assert main([*answers([KeyboardInterrupt(), 0])]) == 130
    assert tuple(capsys.readouterr()) == ("", "error: interrupted.\n")


@pytest.mark.parametrize("page", ["mine.py", "problem1"])
def test_a_claim_of_a_page_that_is_to_be_explained_is_told_to_be_run(page: str, capsys: Shown) -> None:
    wanted = f"`explain` takes a statement of the sources, as A-005: for a claim type `run {page} --only slope`."
    assert main(["explain", page, "slope"]) == 2 and capsys.readouterr().err == f"error: {wanted}\n"
    for typed, unknown in ((["explain", page, "--jobs"], "--jobs"), (["explain", "A-005", "A-010"], "A-010")):
        assert main(typed) == 2 and capsys.readouterr().err.startswith(f"error: `explain` has no `{unknown}`.")


REFUSALS = """
from gradcheck_rl import Claim, Raises, check
from gradcheck_rl.load import load, shipped
for page in shipped():
    source = page.path.read_text(encoding="utf-8")
    if "Raises(" in source and "torch.distributions" in source:
        problem = load(page.id)
        refused = [n for n, c in problem.names.items() if isinstance(c, Claim) and isinstance(c.that, Raises)]
        check(problem, only=refused).require()
"""


def test_what_pages_say_is_refused_is_so_where_python_drops_its_assertions() -> None:
    """`python -O` turns off what torch's laws check, unless code asks for it."""
    done = subprocess.run([sys.executable, "-O", "-c", REFUSALS], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
