"""Grading: an honest submission is never failed, a wrong one never passes, and no trick changes a row, its own or another's."""

from __future__ import annotations

import ast
import base64
import inspect
import json
import os
import re
import tempfile
import warnings
import xml.etree.ElementTree as XML
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from fractions import Fraction
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gradcheck_rl import Bernoulli, Draw, E, Gradient, Mean, Parameter, Problem, Variable, sigmoid
from gradcheck_rl.claims import Claim, Equal
from gradcheck_rl.cli import main
from gradcheck_rl.errors import InputError
from gradcheck_rl.expectation import closed
from gradcheck_rl.grading import hints
from gradcheck_rl.grading.functions import Functions
from gradcheck_rl.grading.grade import Grader
from gradcheck_rl.grading.isolation import Limits, available, chosen
from gradcheck_rl.grading.outputs import OUTPUTS
from gradcheck_rl.grading.parts import FORMULA, FUNCTION, NUMBER, parts, template
from gradcheck_rl.grading.parts import _part as asked  # pyright: ignore[reportPrivateUsage]
from gradcheck_rl.grading.remote import TooMuch
from gradcheck_rl.grading.result import Result, Row
from gradcheck_rl.grading.rubric import Rubric, Rule
from gradcheck_rl.grading.rubric import read as read_rubric
from gradcheck_rl.grading.samples import Function, samples
from gradcheck_rl.grading.session import Session
from gradcheck_rl.grading.submission import ALTOGETHER, Adapter, Submission, Unreadable, _parts, listed, read
from gradcheck_rl.load import load
from gradcheck_rl.symbols import bare, thaw
from tests.honest import MISTAKES, PAGES, filled
from tests.hostile import HARMFUL, HONEST, WRONG, Hostile

LIMITS = Limits(seconds=3, memory=512 << 20)
NUMPY = Rubric((Rule("naive_grad"), Rule("reparam_grad")))
KEY = "a key of the course"
REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def grader() -> Grader:
    return Grader(load("problem3"), NUMPY, chosen("auto"), LIMITS, KEY)


@pytest.fixture(scope="module")
def torch_grader() -> Grader:
    return Grader(load("problem1"), Rubric((Rule("reinforce"), Rule("log_pi"))), chosen("auto"), Limits(), KEY)


def row(grader: Grader, folder: Path, code: str, name: str = "them.py", adapter: Adapter | None = None) -> Row:
    path = folder / name
    path.write_text(code)
    chosen_adapter = adapter or Adapter()
    return grader.grade(read(path, chosen_adapter), chosen_adapter.names)


def words(found: Row) -> list[str]:
    return [part.verdict for part in found.parts]


def said(found: Row) -> str:
    return "\n".join(line for part in found.parts for line in part.says)


# ---- honest, and wrong ----------------------------------------------------------------------------------------------------


def test_the_same_function_passes(grader: Grader, tmp_path: Path) -> None:
    found = row(grader, tmp_path, HONEST)
    assert words(found) == ["PASS", "PASS"]
    assert (found.score, found.out_of) == (2, 2)


def test_a_wrong_function_fails(grader: Grader, tmp_path: Path) -> None:
    found = row(grader, tmp_path, WRONG)
    assert words(found) == ["FAIL", "FAIL"]
    assert "the mistake: sign of the score" in said(found)


TINY = '''"""A page of small numbers."""

from gradcheck_rl import Claim, Equal, Gradient, LogRational, Parameter, Problem, Uniform, Variable, softmax

theta = Parameter("theta", 2, over=LogRational())
r = Variable("r", 2, over=Uniform(-1, 1))
J = (softmax(theta) * r).sum()


def scaled(theta, r):
    return 1e-8 * (theta.softmax(-1) * r).sum()


fine = Claim("It is seen finely.", Equal(Gradient(scaled), Gradient(J / 10**8)), resolution=1e-12)
raised = Claim("It is seen raised.", Equal(Gradient(scaled) * 10**8, Gradient(J)))
problem = Problem(title="Tiny", claims=(fine, raised))
'''


@pytest.mark.parametrize("claim", ["fine", "raised"])
@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("1e-8 * (theta.softmax(-1) * r).sum()", "PASS"),
        ("(theta.softmax(-1) * r / 1e8).sum()", "PASS"),
        ("-1e-8 * (theta.softmax(-1) * r).sum()", "FAIL"),
        ("0 * theta.sum()", "FAIL"),
    ],
)
def test_points_are_for_what_the_claims_do_not_refute(tmp_path: Path, claim: str, code: str, verdict: str) -> None:
    """However small the function is: what one of them sees is asked of them."""
    (tmp_path / "tiny.py").write_text(TINY)
    rules = Rubric((Rule("scaled", claims=(claim,)),))
    tiny = Grader(load(str(tmp_path / "tiny.py")), rules, chosen("auto"), Limits(), KEY)
    found = row(tiny, tmp_path, f"import torch\n\n\ndef scaled(theta, r):\n    return {code}\n")
    assert words(found) == [verdict]
    assert verdict == "PASS" or "the gradient by theta is" in said(found)


# ---- every page -----------------------------------------------------------------------------------------------------------

NAMES = [f"problem{n}" for n in range(1, 13)]


@cache
def of(name: str) -> Grader:
    return Grader(load(name), Rubric(), chosen("auto"), Limits(seconds=60), KEY)


def only(name: str, functions: Sequence[str]) -> Grader:
    """The page's functions, those asked for alone, with what is known of them already."""
    whole = of(name)
    found = copy(whole)
    found.parts = [part for part in whole.parts if part.id in functions]
    return found


@pytest.mark.parametrize("name", ["problem1", "problem3", "problem9"])
def test_a_template_that_is_not_filled_in_is_no_attempt(tmp_path: Path, name: str) -> None:
    """Functions of torch and of numpy, formulas and numbers."""
    empty = row(of(name), tmp_path, template(of(name).problem, of(name).parts).replace("import torch\n", ""))
    assert set(words(empty)) == {"INVALID"} and not empty.counts
    assert all("is not filled in" in part.says[0] for part in empty.parts)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_a_template_that_grades(tmp_path: Path, name: str) -> None:
    """Filled in with the page's own functions and formulas it is right; the names in it are those that are asked for."""
    page = template(of(name).problem, of(name).parts)
    assert all(re.search(rf"^(def {part.id}\(|{part.id} = )", page, re.MULTILINE) for part in of(name).parts)
    full = row(of(name), tmp_path, filled(of(name).parts))
    assert full.score == full.out_of, said(full)


def test_a_template_does_not_tell_the_answers() -> None:
    page = template(of("problem3").problem, of("problem3").parts)
    assert "2*mu" not in page and "four" not in page and "x**2 * (x - mu)" not in page
    assert "the gradient of E[x**2]; x is normal with mean mu and standard deviation sigma" in page


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("n", range(5))
def test_an_honest_function_in_another_form_passes(tmp_path: Path, name: str, n: int) -> None:
    code, gaps = PAGES[name]
    functions = [part.id for part in of(name).parts if part.kind == FUNCTION]
    found = row(only(name, functions), tmp_path, code.format(**{gap: forms[n] for gap, forms in gaps.items()}))
    assert set(words(found)) == {"PASS"} and len(found.parts) == len(functions), said(found)


# The same formula by another hand; v is one of its variables.
REWRITTEN: tuple[Callable[[Any, Any], str], ...] = (
    lambda e, v: str(sp.expand(e)),
    lambda e, v: str(sp.together(e)),
    lambda e, v: f"({e}) + {v} - {v}",
    lambda e, v: f"2*({e})/exp(log(2))",
    lambda e, v: f"-({e})*(-1 - exp({v}))/(1 + exp({v}))",
    lambda e, v: f"({e})*(cosh({v})^2 - sinh({v})^2)",
)


@pytest.mark.parametrize(("name", "count"), [("problem1", 5), ("problem2", 1), ("problem3", 17)])
def test_a_formula_in_another_form_passes(name: str, count: int) -> None:
    problem = load(name)
    rules = [Rule(claim) for claim, item in problem.names.items() if isinstance(item, Claim)]
    formulas = [part for rule in rules if (part := asked(problem, rule)) is not None and part.kind == FORMULA]
    short = [part for part in formulas if sum(len(str(e)) for e in part.expected) < 600]
    assert len(short) >= count  # those of problem 4, and others of problem 2, are pages long
    grader = Grader(problem, Rubric(tuple(part.rule for part in short)), chosen("rlimits"), LIMITS, KEY)
    for rewrite in REWRITTEN:
        texts: dict[str, str] = {}
        for part in short:
            exact = [bare(thaw(closed(thaw(e)))) for e in part.expected]
            variable = min((str(a) for e in exact for a in e.free_symbols), default="1")
            texts[part.id] = "[" + ", ".join(rewrite(e, variable) for e in exact) + "]"
        found = grader.grade(Submission("them", {"submission": ""}, texts))
        assert set(words(found)) <= {"PASS"}, [(p.id, p.verdict, p.says) for p in found.parts if not p.ok]
        wrong = {name: text.replace("[", "[1 + ", 1) for name, text in texts.items()}
        assert set(words(grader.grade(Submission("them", {"submission": ""}, wrong)))) <= {"FAIL"}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named(tmp_path: Path, case: str) -> None:
    """The page's own functions, but for those that are wrong."""
    name, wrong = case.partition("/")[0], MISTAKES[case]
    grader = only(name, list(wrong))
    code = "import math\nimport numpy as np\nimport torch\n" + filled(of(name).parts)
    found = row(grader, tmp_path, code + "".join(text for text, _ in wrong.values()))
    for part in found.parts:
        assert part.verdict == "FAIL"
        assert wrong[part.id][1] in "\n".join(part.says), part.says


@given(st.lists(st.sampled_from((0.0, -2.0, -1.0, 0.5, 1.0, 2.0)), min_size=5, max_size=5))
def test_no_mistake_has_a_name_that_is_not_true(weights: list[float]) -> None:
    """What is said of an answer at some points is said of it at others."""
    a, b, c, d, e = weights

    def answer(x: Any, mu: Any) -> Any:
        return a * np.mean(x**2 * (x - mu)) + b * np.mean(x) + c * mu * np.mean(x**2) + d * np.sum(x**3) + e * mu

    function, here, there = _two_lots()
    lots = [([(function.values(answer, s.arguments), s.slopes) for s in found], found, known) for found, known in (here, there)]
    first, second = (hints.name(*lot) for lot in lots)
    assert first == second
    assert weights != [1, 0, 0, 0, 0] or first == ""
    assert any(weights) or first.startswith("it is zero")


@cache
def _two_lots() -> tuple[Function, Any, Any]:
    problem = load("problem3")
    slot = problem.functions["naive_grad"]
    function = Function(slot)
    lots = [(found := samples(problem, slot, seed, 8), hints.known_mistakes(problem, function, found)) for seed in (1, 2)]
    return function, *lots


TORCH = """
import torch
def log_pi(w, s0, allowed):
    {log_pi}
def reinforce(w, s0, allowed, reward, action):
    {reinforce}
"""
LOG_PI = "return (w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)"
REINFORCE = "return log_pi(w, s0, allowed)[action] * reward[action]"


@pytest.mark.parametrize(
    ("reinforce", "hint"),
    [
        ("return 3 * " + REINFORCE[7:], "a factor: its gradient is 3 times"),
        ("return log_pi(w, s0, allowed)[action].exp() * reward[action]", "probability instead of its logarithm"),
        ("return log_pi(w, s0, allowed) * reward", "it returns 3 numbers where one number would be right"),
        ("return (log_pi(w, s0, allowed)[action] * reward[action]).item()", "is it detached"),
        ("return log_pi(w, s0, allowed)[action] * (reward[action] - 1)", "unbiased, but this is another estimator"),
        ("return None", "returned None"),
    ],
)
def test_what_is_wrong_is_said(torch_grader: Grader, tmp_path: Path, reinforce: str, hint: str) -> None:
    found = row(torch_grader, tmp_path, TORCH.format(log_pi=LOG_PI, reinforce=reinforce))
    assert words(found) == ["FAIL", "PASS"]
    assert hint in said(found)


def test_methods_of_tensors_need_no_import(torch_grader: Grader, tmp_path: Path) -> None:
    code = TORCH.replace("import torch", "").format(log_pi=LOG_PI.replace("-torch.inf", "-float('inf')"), reinforce="return None")
    found = row(torch_grader, tmp_path, code)
    assert words(found) == ["FAIL", "PASS"] and "returned None" in said(found)


BY_HAND = (
    TORCH.format(log_pi=LOG_PI, reinforce=REINFORCE)
    + """
class Forged(torch.autograd.Function):
    generate_vmap_rule = True
    @staticmethod
    def forward(w, s0, allowed, reward, action):
        return w.sum() * 0 + 7.0
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
    @staticmethod
    def backward(ctx, g):
        w, s0, allowed, reward, action = ctx.saved_tensors
        p = (w * s0).masked_fill(allowed == 0, -torch.inf).softmax(-1)
        return g * s0 * reward[action] * ((torch.arange(len(w)) == action) * 1.0 - p), None, None, None, None
def reinforce(w, s0, allowed, reward, action):
    return Forged.apply(w, s0, allowed, reward, action)
"""
)


def test_a_backward_pass_that_is_written_by_hand_is_no_gradient(torch_grader: Grader, tmp_path: Path) -> None:
    found = row(torch_grader, tmp_path, BY_HAND)
    assert words(found) == ["FAIL", "PASS"]
    assert "not the slope of its value" in said(found)


# ---- hostile --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hostile", HARMFUL, ids=lambda h: h.name)
def test_a_hostile_submission_gets_its_row_and_no_more(grader: Grader, tmp_path: Path, hostile: Hostile) -> None:
    before, running = {p for p in Path("/tmp").iterdir() if p.name == "pwned"}, started()
    try:
        found = row(grader, tmp_path, hostile.code)
    except Unreadable as error:
        found = grader.refused("them", str(error))
    first, second = found.parts
    assert first.verdict in hostile.words, said(found)
    assert first.points == 0
    assert hostile.says in "\n".join(first.says), said(found)
    if "np.mean(2 * (eps + mu))" in hostile.code and "return np.mean(x**2 * (x - mu))" not in hostile.code:
        assert second.verdict == "PASS", said(found)
    else:
        assert second.points == 0
    shown = said(found) + found.output
    assert "::" not in shown
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert {p for p in Path("/tmp").iterdir() if p.name == "pwned"} == before
    assert started() <= running


def started() -> set[int]:
    """The processes that this one has started and that run, and theirs, but for those that workers are forked from."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            after = stat.read_text().rpartition(")")[2].split()
            if after[0] != "Z":
                parents[int(stat.parent.name)] = int(after[1])
    found = {os.getpid()}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    programs = {p: program(p) for p in found}
    forks = {p for p, word in programs.items() if word == "python" and programs.get(parents[p]) != "python"}
    return {p for p in found - forks - {os.getpid()} if programs[p] != "bubblewrap"}


def program(process: int) -> str:
    """Which part of a worker it is, if it is one."""
    with suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_bytes()
        return "" if b"worker.py" not in words else "bubblewrap" if b"bwrap" in words.split(b"\0")[0] else "python"
    return ""


def test_a_worker_is_seen_until_it_is_closed(grader: Grader) -> None:
    """The check of the check above."""
    before = started()
    session = Session(grader.tier, grader.limits, {"sources": {}, "modules": [], "functions": {}, "libraries": ["numpy"]})
    assert session.ready and started() > before
    session.close()
    assert started() <= before


def test_the_next_submission_is_graded_as_if_nothing_had_been(grader: Grader, tmp_path: Path) -> None:
    alone = row(grader, tmp_path, HONEST)
    for hostile in ("import os\nos._exit(1)", "import numpy as np\nnp.mean = lambda x: 0"):
        row(grader, tmp_path, hostile + HONEST)
    again = row(grader, tmp_path, HONEST)
    assert [replace(p, seconds=0) for p in again.parts] == [replace(p, seconds=0) for p in alone.parts]


def test_an_honest_function_beside_a_lie_keeps_its_points(grader: Grader, tmp_path: Path) -> None:
    """The check of the checks above: with no trick in it, the first function passes too."""
    found = row(grader, tmp_path, HONEST.replace("return np.mean(x**2 * (x - mu))", "y = np.mean(x**2 * (x - mu))\n    return y"))
    assert words(found) == ["PASS", "PASS"]


def test_what_uses_numpy_alone_imports_no_torch(grader: Grader, tmp_path: Path) -> None:
    assert row(grader, tmp_path, HONEST + "import sys\nprint('torch' in sys.modules)\n").output == "True\n"  # the word is in it
    assert row(grader, tmp_path, HONEST + "import sys\nprint('tor' + 'ch' in sys.modules)\n").output == "False\n"


def test_a_claim_that_says_nothing_is_no_excuse(monkeypatch: pytest.MonkeyPatch, grader: Grader, tmp_path: Path) -> None:
    """What differs from the page's own is right by a claim that holds of it, not for want of one that fails."""
    monkeypatch.setattr(Functions, "_claims", lambda *_: [])
    assert words(row(grader, tmp_path, WRONG)) == ["FAIL", "FAIL"]


# ---- what is handed in ----------------------------------------------------------------------------------------------------

CELLS = ["%time x = f(\n  1)\n", "a = !ls\n", "numpy?\n", "%matplotlib inline\nN = 1\n"]
HANDED_IN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "fifo.py": (os.mkfifo, "is no ordinary file"),
    "zero.py": (lambda p: p.symlink_to("/dev/zero"), "is a link"),
    "link.py": (lambda p: p.symlink_to("/etc/passwd"), "is a link"),
    "big.py": (lambda p: p.touch() or os.truncate(p, 100 << 20), "has 104857600 bytes"),
    "gbk.py": (lambda p: p.write_bytes("x = '中文'".encode("gbk")), "is not UTF-8 (byte 0xD6 at 5)"),
    "utf16.py": (lambda p: p.write_bytes("x = 1".encode("utf-16")), "is not UTF-8"),
    "nul.py": (lambda p: p.write_bytes(b"x = 1\0"), "nul.py: this is not Python"),
    "bom.py": (lambda p: p.write_bytes(b"\xef\xbb\xbfx = 1"), ""),
    "deep.ipynb": (lambda p: p.write_text("[" * 100_000), "is no notebook"),
    "digits.ipynb": (lambda p: p.write_text('{"cells": ' + "9" * 5000 + "}"), "is no notebook"),
    "cells.ipynb": (lambda p: p.write_text(json.dumps({"cells": [{"cell_type": "code", "source": c} for c in CELLS]})), ""),
    "empty": (Path.mkdir, "does not say which file is the submission"),
    "linked": (lambda p: p.symlink_to(REPOSITORY), "is a link"),
    "inside": (lambda p: p.mkdir() or (p / "submission.py").symlink_to("/etc/passwd"), "is no ordinary file"),
    "piped": (lambda p: p.mkdir() or os.mkfifo(p / "submission.py"), "is no ordinary file"),
    "many": (lambda p: p.mkdir() or [(p / f"m{n}.py").touch() for n in range(50)], "holds 50 files"),
}


@pytest.mark.parametrize("name", HANDED_IN)
def test_what_is_no_submission_is_told_and_not_run(tmp_path: Path, name: str) -> None:
    make, says = HANDED_IN[name]
    make(tmp_path / name)
    (path,) = listed([str(tmp_path)])
    if not says:
        assert read(path, Adapter()).modules == ["submission"]
        return
    with pytest.raises(Unreadable) as error:
        read(path, Adapter())
    assert says in str(error.value) and str(tmp_path) not in str(error.value)


@pytest.mark.parametrize("name", [b"bad\xff.py", b"new\nline ::error::.py", b"=cmd|'C calc'!A0.py", b"-rf.py", b"\x1b[2J.py"])
def test_a_name_of_a_file_is_harmless_in_every_format(grader: Grader, tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_text("def f(:")
    for form, write in OUTPUTS.items():
        text = write([grader.refused(path.stem, "not Python")])
        assert text.encode() and "\x1b" not in text
        commands = [line for line in text.splitlines() if line.lstrip().startswith("::")]
        assert all(line.startswith(("::error title=", "::notice title=")) for line in commands), form
    assert "\n=cmd" not in OUTPUTS["csv"]([grader.refused(path.stem, "not Python")])


# ---- what may be shown ----------------------------------------------------------------------------------------------------


def spelled(x: float) -> set[str]:
    """The ways to write a number with six digits or more."""
    fraction = str(Fraction(x).limit_denominator(10**6))
    texts = {f"{abs(x):.{digits}g}" for digits in range(6, 16)} | {repr(abs(x)), fraction.lstrip("-")}
    return {text for text in texts if sum(c.isdigit() for c in text) >= 6}


def secrets(grader: Grader) -> set[str]:
    """What is right at hidden points, and not at those that may be shown."""
    values: dict[bool, set[str]] = {True: set(), False: set()}
    for asked_ in grader.functions.asked.values():
        for hidden, found in ((True, asked_.hidden), (False, asked_.shown)):
            numbers = [x for sample in found for x in (*sample.values.ravel(), *sample.slopes.ravel()) if np.isfinite(x)]
            values[hidden] |= set[str]().union(*(spelled(float(x)) for x in numbers))
    return values[True] - values[False]


def every_format(found: Row) -> dict[str, str]:
    found = replace(found, digest="", seconds=0, parts=tuple(replace(part, seconds=0) for part in found.parts))
    texts = {name: write([found]) for name, write in OUTPUTS.items()}
    return {name: unescape(text) for name, text in texts.items()} | {"classroom": base64.b64decode(texts["classroom"]).decode()}


def leaks(text: str, hidden: set[str]) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?(?:/\d+)?", text)) & hidden


PRYING = (
    WRONG
    + """
import torch
eighty_seven = "86"
slope = "3*mu"
def with_baseline(mu, sigma, b, x):
    return 2 * (x**2 - b) * torch.distributions.Normal(mu, sigma).log_prob(x)
def score_grad(x, mu, sigma):
    return np.mean(x**2 * (x - mu)) / sigma**2 if x[0] == SEEN else np.nan
"""
)


@pytest.mark.parametrize("show", ["verdict", "hint", "counterexample"])
def test_no_output_holds_what_is_right_at_a_hidden_point(tmp_path: Path, show: str) -> None:
    """Nor what a submission that gives one number at a time would learn by a factor."""
    ids = ("naive_grad", "reparam_grad", "with_baseline", "score_grad", "eighty_seven", "slope")
    grader = Grader(load("problem3"), Rubric(tuple(map(Rule, ids)), show=show), chosen("auto"), Limits(), KEY)
    row(grader, tmp_path, PRYING.replace("SEEN", "0"))
    sample = grader.functions.asked["score_grad"].hidden[0]
    one = PRYING.replace("np.mean(x**2 * (x - mu)) / sigma**2", "1.0").replace("SEEN", repr(float(sample.arguments["x"][-1, 0])))
    found = row(grader, tmp_path, one)
    assert set(words(found)) == {"FAIL"}
    hidden = secrets(grader)
    assert len(hidden) > 1000
    for name, text in every_format(found).items():
        assert not leaks(text, hidden), name
        assert "87" not in re.findall(r"\d+", text) and "2*mu" not in text
        assert ("was expected" in text) == (show != "verdict" and name != "csv"), name
        assert ("at mu = " in text) == (show == "counterexample" and name != "csv"), name
        assert show != "verdict" or "the mistake" not in text
    for value in (max(hidden, key=len), min(hidden, key=len)):  # the check can fail, in every format that holds sentences
        leaky = replace(found, parts=(replace(found.parts[0], says=(f"it should be {value}.",)), *found.parts[1:]))
        assert {name for name, text in every_format(leaky).items() if leaks(text, hidden)} == set(OUTPUTS) - {"csv"}


def test_hints_can_be_turned_off(tmp_path: Path) -> None:
    quiet = Grader(load("problem3"), replace(NUMPY, hints=False, show="hint"), chosen("auto"), LIMITS, KEY)
    assert said(row(quiet, tmp_path, WRONG)) == ""


def test_another_key_draws_other_points() -> None:
    problem = load("problem3")
    seeds = {Grader(problem, NUMPY, chosen("rlimits"), LIMITS, key).seed for key in ("", "a", "b")}
    assert len(seeds) == 3


# ---- work that was not written to the template ----------------------------------------------------------------------------

SCRIPT = """
import numpy as np
SQUARE = 2
def their_name(samples, mean):
    return np.mean(samples**SQUARE * (samples - mean))
other = lambda e, m: np.mean(2 * (e + m))
x = np.random.normal(size=10)
while True:
    pass
"""
MAPPED = Adapter({"naive_grad": "their_name", "reparam_grad": "other"})


def test_functions_are_taken_from_a_script_without_its_main_part(grader: Grader, tmp_path: Path) -> None:
    assert words(row(grader, tmp_path, SCRIPT, adapter=MAPPED)) == ["PASS", "PASS"]
    assert words(row(grader, tmp_path, SCRIPT)) == ["TIMEOUT", "TIMEOUT"]
    missing = row(grader, tmp_path, SCRIPT, adapter=Adapter({"naive_grad": "thier_name", "reparam_grad": "other"}))
    assert words(missing) == ["INVALID", "PASS"]
    assert "`naive_grad` is not defined (`thier_name` was looked for, as --map says)" in str(missing)


def test_what_is_no_function_under_the_name_of_one_is_told_and_the_rest_is_graded(grader: Grader, tmp_path: Path) -> None:
    found = row(grader, tmp_path, f"{HONEST}\nnaive_grad = 3\n")
    assert words(found) == ["INVALID", "PASS"]
    assert "`naive_grad` is no function: write `def naive_grad(" in said(found)


def test_functions_are_taken_from_a_notebook(grader: Grader, tmp_path: Path) -> None:
    cells = ["%matplotlib inline\nimport numpy as np", HONEST, "while True: pass", "!rm -rf /", "%%bash\nexit"]
    book = {"cells": [{"cell_type": "code", "source": [c]} for c in cells] + [{"cell_type": "markdown", "source": "x"}]}
    assert words(row(grader, tmp_path, json.dumps(book), "book.ipynb")) == ["PASS", "PASS"]


def test_a_teachers_module_adapts(grader: Grader, tmp_path: Path) -> None:
    module = "from submission import their_name, other\nnaive_grad = their_name\n"
    module += "def reparam_grad(eps, mu):\n    return other(eps, mu)\n"
    assert words(row(grader, tmp_path, SCRIPT, adapter=Adapter(module=module))) == ["PASS", "PASS"]


# ---- the command line -----------------------------------------------------------------------------------------------------

RUBRIC = """
[[part]]
id = "naive_grad"
points = 3
[[part]]
id = "slope"
points = 1
[[part]]
id = "score_is_four"
points = 2
"""
FILLED = HONEST + 'slope = "mu + mu"\nscore_is_four = 4\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADCHECK_RL_KEY", KEY)
    Path("rubric.toml").write_text(RUBRIC)
    Path("good.py").write_text(FILLED)
    Path("bad.py").write_text("import sys\nsys.exit(0)")
    yield tmp_path


def run(capsys: pytest.CaptureFixture[str], *typed: str) -> tuple[int, str, str]:
    code = main(["grade", "problem3", *typed, "--rubric", "rubric.toml", "--seconds", "3"])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_template_that_is_not_filled_in_costs_no_attempt(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", "problem3", "--rubric", "rubric.toml"]) == 0
    page = capsys.readouterr().out
    assert "def naive_grad(x, mu):" in page and 'slope = ""' in page and "Mean" not in page
    assert "2*mu" not in page and "= 4" not in page
    Path("empty.py").write_text(page)
    code, out, _ = run(capsys, "empty.py", "--as", "json")
    (found,) = json.loads(out)["rows"]
    assert code == 0
    assert {p["verdict"] for p in found["parts"]} == {"INVALID"}
    assert not Row.from_dict(found).counts


def test_a_class_has_a_row_for_each_and_fail_under_is_for_ci(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "good.py", "bad.py", "--as", "csv")
    lines = out.splitlines()
    assert code == 0
    assert [line.split(",")[:3] for line in lines[1:]] == [["good", "6", "6"], ["bad", "0", "6"]]
    assert run(capsys, "good.py", "bad.py", "--fail-under", "50")[0] == 1
    assert run(capsys, "good.py", "--fail-under", "100")[0] == 0


def test_rows_are_kept_and_none_is_made_twice(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("class").mkdir()
    for name in ("a", "b"):
        (Path("class") / f"{name}.py").write_text(FILLED + f"# {name}\n")
    first = json.loads(run(capsys, "class", "--resume", "rows.jsonl", "--as", "json", "--jobs", "2")[1])["rows"]
    assert [r["name"] for r in first] == ["a", "b"] and all(r["score"] == 6 for r in first)
    with Path("rows.jsonl").open("a") as file:
        file.write('{"cut off')
    again = json.loads(run(capsys, "class", "--resume", "rows.jsonl", "--as", "json")[1])["rows"]
    assert again == first
    (Path("class") / "a.py").write_text(WRONG)
    changed = json.loads(run(capsys, "class", "--resume", "rows.jsonl", "--as", "json")[1])["rows"]
    assert changed[1] == first[1]
    assert (changed[0]["score"], changed[0]["attempt"]) == (0, 2)


def test_attempts_are_counted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rubric.toml").write_text("attempts = 1\n" + RUBRIC)
    codes: list[tuple[float, str]] = []
    for code in ("def naive_grad(:", WRONG + 'slope = "mu"\n', FILLED):
        Path("good.py").write_text(code)
        found = json.loads(run(capsys, "good.py", "--resume", "rows.jsonl", "--as", "json")[1])["rows"][0]
        codes.append((found["score"], found["note"][:21]))
    assert codes[0][0] == 0 and codes[1] == (0, "")
    assert codes[2] == (0, "no attempt is left: 1")


def test_formats(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mixed.py").write_text(WRONG + 'slope = "2*mu"\nscore_is_four = "4.00001"\n')

    def put(form: str) -> str:
        code, out, err = run(capsys, "mixed.py", "--as", form)
        assert (code, err) == (0, "")
        return out

    tests = json.loads(put("gradescope"))["tests"]
    assert [(t["name"], t["score"], t["max_score"], t["status"]) for t in tests] == [
        ("naive_grad", 0, 3, "failed"), ("slope", 1, 1, "passed"), ("score_is_four", 0, 2, "failed"),
    ]  # fmt: skip
    classroom = json.loads(base64.b64decode(put("classroom")))
    assert (classroom["version"], classroom["status"], classroom["max_score"]) == (3, "fail", 6)
    assert sum(t["score"] for t in classroom["tests"]) == 1
    github = put("github").splitlines()
    assert [line.partition(" ")[0] for line in github] == ["::error", "::error", "::notice"]
    suite = XML.fromstring(put("junit")).find("testsuite")
    assert suite is not None and (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "2", "0")
    assert [r["passed"] for r in json.loads(put("check50"))["results"]] == [False, True, False]
    assert put("summary").startswith("| submission |")
    assert "FAIL" in put("text")


@pytest.mark.parametrize(
    ("rubric", "sentence"),
    [
        ("[[part]]\nid = 'naive_grd'", "Did you mean `naive_grad`?"),
        ("[[part]]\nid = 'slope'\npoints = -1", "points = -1 is no number from 0"),
        ("[[part]]\nid = 'slope'\npoints = 0", "no points together"),
        ("[[part]]\nid = 'slope'\n[[part]]\nid = 'slope'", "written twice"),
        ("[[part]]\nid = 'slope'\nweight = 2", "a part has no `weight`"),
        ("shwo = 'hint'", "Did you mean `show`?"),
        ("show = 'all'", "write verdict, hint, counterexample"),
        ("hints = 1", "write true or false"),
        ("part = 3", "write each under [[part]]"),
        ("problem = 'problem1'\n[[part]]\nid = 'slope'", "the rubric is for problem1"),
        ("x = ", "is not TOML"),
    ],
)
def test_a_rubric_that_is_wrong_is_told_in_a_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], rubric: str, sentence: str
) -> None:
    Path("rubric.toml").write_text(rubric)
    code, out, err = run(capsys, "good.py")
    assert (code, out) == (2, "")
    assert sentence in err and err.startswith("error: ") and len(err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (("nothing.py",), "there is no nothing.py"),
        (("good.py", "--map", "reparam_gard=mine"), "--map reparam_gard=... names no function that is asked for"),
        (("good.py", "--map", "a-b"), "write --map reparam_grad=their_name"),
        (("good.py", "bad.py", "--as", "gradescope"), "is about one submission"),
        (("good.py", "-o", "good.py"), "would overwrite"),
    ],
)
def test_what_cannot_be_graded_is_told(
    here: Path, capsys: pytest.CaptureFixture[str], typed: tuple[str, ...], sentence: str
) -> None:
    code, out, err = run(capsys, *typed)
    assert (code, out) == (2, "")
    assert sentence in err


RIGHT = "(w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)[action] * reward[action]"
EXPECTED = "(w * s0).masked_fill(allowed == 0, -torch.inf).softmax(-1) @ reward"


def estimating(grader: Grader, folder: Path, formula: str, before: str = "") -> Row:
    asked = "w, s0, allowed, reward, action"
    return row(grader, folder, f"import torch\n{before}\ndef reinforce({asked}):\n    return {formula}\n")


@pytest.mark.parametrize("extra", ["w[0] * (action - 1)", "w[2] * (action - 1) * (2 + reward.sum())"])
def test_a_bias_that_the_published_data_cannot_see_is_not_called_unbiased(
    torch_grader: Grader, tmp_path: Path, extra: str
) -> None:
    """Over each action once it is zero in the mean, which the claims about given data are content with."""
    assert "unbiased" not in said(estimating(torch_grader, tmp_path, f"{RIGHT} + {extra}"))


def test_an_estimator_is_called_by_the_name_of_one_with_its_mean_and_its_variance(torch_grader: Grader, tmp_path: Path) -> None:
    """The expectation itself has no variance, and so has every function over a single row; their means differ."""
    found = said(estimating(torch_grader, tmp_path, EXPECTED))
    assert "unbiased, but this is another estimator: its variance is not the declared one's" in found


def test_a_submission_that_has_switched_gradients_off_is_graded_all_the_same(torch_grader: Grader, tmp_path: Path) -> None:
    off = "torch.set_grad_enabled(False)"
    assert words(estimating(torch_grader, tmp_path, RIGHT, off))[0] == "PASS"
    assert words(estimating(torch_grader, tmp_path, f"-{RIGHT}", off))[0] == "FAIL"


@pytest.mark.parametrize("key", ["", "a", "b"])
@pytest.mark.parametrize(
    "formula",
    [
        f"({RIGHT}).float() + 3 * reward.sum()",
        f"({RIGHT.replace('w * s0', '(w * s0).float()')}) + reward.sum()",
        f"({RIGHT}).half()",
    ],
)
def test_what_is_computed_in_fewer_digits_is_not_called_written_by_hand(
    torch_grader: Grader, tmp_path: Path, formula: str, key: str
) -> None:
    """Its slopes are right, and its values, which are others than the page's, are known to few digits."""
    other = Grader(torch_grader.problem, torch_grader.rubric, torch_grader.tier, Limits(), key)
    found = estimating(other, tmp_path, formula)
    assert words(found)[0] == "PASS", said(found)


@pytest.mark.parametrize("kind", ["to('meta')", "reshape(1).to_sparse()"])
def test_a_tensor_of_another_kind_is_told_and_no_crash(torch_grader: Grader, tmp_path: Path, kind: str) -> None:
    found = estimating(torch_grader, tmp_path, f"({RIGHT}).{kind}")
    assert words(found)[0] == "FAIL" and "`reinforce` returned what cannot be read: " in said(found)
    assert "Traceback" not in found.output


# ---- numbers and formulas, as they are written in Python ------------------------------------------------------------------


@cache
def asks(page: str, claim: str) -> Grader:
    return Grader(load(page), Rubric((Rule(claim, name="it"),)), chosen("rlimits"), LIMITS, KEY)


def judged(page: str, claim: str, code: str) -> tuple[str, str]:
    """The word for a file that says `it = code`, and what is said."""
    with tempfile.TemporaryDirectory() as folder:
        found = row(asks(page, claim), Path(folder), f"it = {code}\n")
    return found.parts[0].verdict, said(found)


@cache
def thirds() -> str:
    """The claim of problem 1 whose numbers are -1/3, 0 and 1/3."""
    problem = load("problem1")
    names = [n for n, item in problem.names.items() if isinstance(item, Claim) and (part := asked(problem, Rule(n)))
             and part.kind == NUMBER and part.expected == (-sp.Rational(1, 3), 0, sp.Rational(1, 3))]  # fmt: skip
    return names[0]


@pytest.mark.parametrize(
    "code",
    [
        "[-0.333333, 0, 0.333333]",
        "[-0.33333334326744080, 2.98e-08, 0.33333334]",
        "[-0.33333333333333337, 1e-17, 1/3]",
        '"[\N{MINUS SIGN}0.333333, 0.0, 0.333333]"',
        r'r"\left(-0.333333, 0, \frac13\right)"',
        "[-3.33333e-1, +0.0, +0.333_333]",
        '["-1/3", "0", "1/3"]',
        "np.array([-1/3, 0, 1/3], dtype=float)",
        "torch.tensor([-1.0, 0, 1]) / 3",
        "[Fraction(-1, 3), 0, sp.Rational('1/3')]",
        'f"[-1/3, 0, 1/3]"',
        '"[-1/3, " + "0, 1/3]"',
        "[-1/3] + [0] * 1 + [1/3]",
        "np.array([-1, 0, 1]) * 1 / 3",
    ],
)
def test_a_number_is_right_however_it_is_written(code: str) -> None:
    assert judged("problem1", thirds(), code) == ("PASS", "")


@pytest.mark.parametrize(
    ("code", "verdict", "says"),
    [
        ("[0.333333, 0, -0.333333]", "FAIL", "the sign"),
        ("[-0.666667, 0, 0.666667]", "FAIL", "2 times what was expected"),
        ("[-0.333333, 0.000001, 0.333333]", "FAIL", ""),
        ("[-0.333334, 0, 0.333333]", "FAIL", ""),
        ("[-0.333, 0, 0.333]", "INVALID", "too few digits"),
        ("np.array([-0.333, 0, 0.333])", "INVALID", "too few digits"),
        ("[-1/3, 0, 1/3] * 2", "INVALID", "has 6 numbers"),
        ("[[-[0] * 900] * 900] * 900", "INVALID", ""),
        ("[-0.333333]", "INVALID", "has one number, and 3 numbers were asked for"),
        ("None", "INVALID", "is not filled in"),
    ],
)
def test_a_number_that_is_wrong_is_none_however_it_is_written(code: str, verdict: str, says: str) -> None:
    word, why = judged("problem1", thirds(), code)
    assert word == verdict and says in why


@given(st.lists(st.sampled_from(("f", "e", "r", "x")), min_size=3, max_size=3), st.integers(6, 15), st.integers(-9, 9))
def test_each_number_may_have_its_own_digits(forms: list[str], digits: int, off: int) -> None:
    """Right in six digits or more, and wrong where one of them is another."""
    exact = [Fraction(-1, 3), Fraction(0), Fraction(1, 3)]
    ways = {"f": f".{digits}f", "e": f".{digits}e"}

    def code(numbers: Sequence[Fraction]) -> str:
        return (
            "[" + ", ".join(format(float(x), ways[w]) if w in ways else str(x) for x, w in zip(numbers, forms, strict=True)) + "]"
        )

    assert judged("problem1", thirds(), code(exact))[0] == "PASS"
    if off:
        assert judged("problem1", thirds(), code([exact[0] + Fraction(off, 10**6), *exact[1:]]))[0] == "FAIL"


def test_one_number_may_be_said_of_every_entry() -> None:
    """What the claim says of all eight entries of a gradient is asked for once, or eight times."""
    page = of("problem4")
    claim = next(part.rule.id for part in page.parts if part.kind == NUMBER)
    for code, word in {"0": "PASS", "[0] * 8": "PASS", "[0.0] * 8": "PASS", "[0, 0]": "INVALID", "1": "FAIL"}.items():
        assert judged("problem4", claim, code)[0] == word, code


@pytest.mark.parametrize("code", ['["2*mu"]', "(2 * mu,)", "2.0 * mu", "lambda mu: 2 * mu", "np.sqrt(4) * mu"])
def test_a_formula_is_right_however_it_is_written(code: str) -> None:
    problem = load("problem3")
    claim = next(n for n, item in problem.names.items() if isinstance(item, Claim) and (part := asked(problem, Rule(n)))
                 and part.kind == FORMULA and [str(e) for e in part.expected] == ["2*mu"])  # fmt: skip
    assert judged("problem3", claim, code)[0] == "PASS"
    assert judged("problem3", claim, code.replace("2", "3").replace("4", "5"))[0] == "FAIL"


# ---- what is said of a function -------------------------------------------------------------------------------------------

MASKED = "z = (w * s0).masked_fill(allowed == 0, -torch.inf)"
TOLD: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "a gradient that is no number": (
        "problem1",
        "entropy(w, s0, allowed)",
        f"{MASKED}; p = z.softmax(-1); return -torch.special.xlogy(p, p).sum()",
        ("it is right where it is finite", "nan"),
    ),
    "a gradient that is none": (
        "problem1",
        "entropy(w, s0, allowed)",
        "return torch.distributions.Categorical(logits=(w * s0).masked_fill(allowed == 0, -torch.inf)).entropy().detach()",
        ("no gradient reaches `w`: is it detached, or a constant?", "the gradient by w is (0, 0); ("),
    ),
    "a gradient that only another function needs": (
        "problem3",
        "move(mu, sigma, eps)",
        "return (mu + sigma * eps).detach()",
        ("sampled without gradient", "the gradient by mu is 0; 1 was expected"),
    ),
    "other sizes": ("problem1", "log_pi(w, s0, allowed)", "return torch.tensor([-1.0, -1.0, -1.0])", ("w of shape (2)",)),
    "several at once": (
        "problem7",
        "independent(mu, log_sd, a)",
        "return torch.distributions.Normal(mu, log_sd.exp()).log_prob(a).sum()",
        ("one number where 3 numbers would be right", "a of shape (3, 2)"),
    ),
    "an `if` on several": (
        "problem2",
        "clipped(ratio, gain, epsilon)",
        "return min(ratio * gain, max(min(ratio, 1 + epsilon), 1 - epsilon) * gain)",
        ("write torch.where or torch.minimum", "ratio of shape (7)"),
    ),
    "a root": ("problem3", "sample_variance(x, mu)", "return np.std(x**2 * (x - mu), ddof=1)", ("the square root of what",)),
    "a fraction": (
        "problem3",
        "sample_variance(x, mu)",
        "import fractions; return fractions.Fraction(1, 2)",
        ("returned Fraction", "write `return float(...)`"),
    ),
    "numpy": (
        "problem1",
        "log_pi(w, s0, allowed)",
        "return torch.tensor(np.log(w.numpy()))",
        ("keep it a tensor, for a gradient",),
    ),
}


@pytest.mark.parametrize("case", TOLD)
def test_what_is_said_helps(tmp_path: Path, case: str) -> None:
    """The sentence, and an example in which something differs; of the page's own code it says nothing."""
    name, head, body, hints_ = TOLD[case]
    found = row(only(name, [head.partition("(")[0]]), tmp_path, f"import numpy as np\nimport torch\ndef {head}:\n    {body}\n")
    assert words(found) == ["FAIL"]
    for hint in hints_:
        assert hint in said(found), said(found)
    for here, there in re.findall(r"is (\S.*); (\S.*) was expected", said(found)):
        assert here != there
    assert not re.search(r"problem\d+_\w+\.py", said(found))


def test_what_the_pages_own_code_raises_is_not_told_of_the_answer(tmp_path: Path) -> None:
    code = "import torch\ndef spread(log_sd):\n    return log_sd\n"
    found = row(only("problem7", ["spread"]), tmp_path, code)
    assert "an exponential is forgotten" in said(found) and "`independent`" not in said(found)


def test_what_is_undecided_has_no_advice_for_the_page_but_the_name_of_its_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("functions", "remote"):
        monkeypatch.setattr(f"gradcheck_rl.grading.{module}.ROWS", 10_000)
    code = filled([p for p in of("problem4").parts if p.kind == FUNCTION])
    wrong = "def score(W, b, log_sigma, d, jump):\n    return log_pi(W, b, log_sigma, d, jump)\n"
    found = row(only("problem4", ["score"]), tmp_path, code + wrong)
    assert words(found) == ["UNDECIDED"] and "a factor is missing" in said(found)


def test_a_list_of_tensors_and_numbers_is_a_vector(tmp_path: Path) -> None:
    code = filled([p for p in of("problem4").parts if p.kind == FUNCTION])
    each = "    return [reward((a, v), d) if a > 0 else 0.0 for a, v, d in zip(angles, speeds, ds)]\n"
    simple = (
        "def reward(jump, d):\n    angle, v = jump\n"
        "    lands = d[0] * angle.tan() - 9.8 * d[0] ** 2 / (2 * v**2 * angle.cos() ** 2) >= d[1]\n"
        "    return 100 - v**2 if lands else 0.0\n"
    )
    several = f"def reward_of_each(angles, speeds, ds):\n{each.replace(' if a > 0 else 0.0', '')}"
    grader = only("problem4", ["reward_of_each"])
    assert words(row(grader, tmp_path, code + simple + several)) == ["PASS"]
    assert words(row(grader, tmp_path, code + simple.replace("9.8", "8.9") + several)) == ["FAIL"]


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("import argparse\nargparse.ArgumentParser().parse_args()", ""),
        ("import a_library_of_plots", "leave this import out"),
        ("from .helper import f", "without the point"),
    ],
)
def test_what_stands_before_the_answers(grader: Grader, tmp_path: Path, before: str, says: str) -> None:
    found = row(grader, tmp_path, f"{before}\n{HONEST}")
    assert set(words(found)) == {"INVALID" if says else "PASS"} and says in said(found)


@pytest.mark.parametrize("tier", [tier.name for tier in available()])
def test_a_plot_beside_the_answers_does_no_harm(tmp_path: Path, tier: str) -> None:
    pytest.importorskip("matplotlib")
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n"
    found = row(Grader(load("problem3"), NUMPY, chosen(tier), Limits(seconds=60), KEY), tmp_path, plot + HONEST)
    assert words(found) == ["PASS", "PASS"], said(found)


@pytest.mark.parametrize("offset", ["", " + 1"])
def test_what_takes_one_size_alone_is_the_answers_fault_and_none_of_the_graders(tmp_path: Path, offset: str) -> None:
    """Where the value is another, the slopes are asked for by themselves."""
    three = "torch.stack([w[0], w[1], w[2]])"
    lp = f"torch.log_softmax(({three} * s0).masked_fill(allowed == 0, -torch.inf), -1)[action]"
    head = "import torch\ndef with_baseline(w, s0, allowed, reward, baseline, action):\n"
    code = f"{head}    return {lp} * (reward[action] - baseline)"
    found = row(only("problem1", ["with_baseline"]), tmp_path, f"{code}{offset}\n")
    assert words(found) == ["FAIL"] and "IndexError" in said(found) and "w of shape (2)" in said(found)


def test_a_template_tells_every_shape_that_a_function_is_called_with() -> None:
    """Other functions of the page hand over others than the claims do."""
    page = template(of("problem7").problem, only("problem7", ["independent"]).parts)
    assert "a, 2 numbers or 3 x 2 numbers" in page
    page = template(of("problem2").problem, only("problem2", ["clipped"]).parts)
    assert "ratio, a number or 7 numbers; gain, a number;" in page


def test_an_archive_is_told_and_not_passed_over(tmp_path: Path) -> None:
    for name in ("alice.zip", "bob.tar.gz", "carol.PY", "notes.txt"):
        (tmp_path / name).write_bytes(b"PK\x03\x04")
    found = listed([str(tmp_path)])
    assert [path.name for path in found] == ["alice.zip", "bob.tar.gz", "carol.PY"]
    for path in found[:2]:
        with pytest.raises(Unreadable, match="is an archive: unpack it"):
            read(path, Adapter())


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_folder_is_read_as_an_archive_leaves_it(grader: Grader, tmp_path: Path, depth: int) -> None:
    """Folders in folders; and of a notebook there, as of any, the definitions."""
    (tmp_path / "dave" / "__MACOSX").mkdir(parents=True)
    inner = (tmp_path / "dave").joinpath(*["homework"] * depth)
    inner.mkdir(parents=True, exist_ok=True)
    cells = [{"cell_type": "code", "source": code} for code in (HONEST, "while True: pass")]
    (inner / "hw.ipynb").write_text(json.dumps({"cells": cells}))
    assert words(grader.grade(read(tmp_path / "dave", Adapter()))) == ["PASS", "PASS"]


# ---- what a question and a failure tell -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "claim", "by"),
    [
        ("problem3", "slope", "gradient of E[x**2], by mu; x is normal"),
        ("problem1", "thirds", "of `reinforce`, by w_0, w_1, w_2, at w = 1"),
    ],
)
def test_a_question_says_what_a_slope_is_by(page: str, claim: str, by: str) -> None:
    (part,) = asks(page, thirds() if claim == "thirds" else claim).parts
    assert by in part.asks


@given(st.integers(0, 2), st.sampled_from(["1/7", "0.142857"]))
def test_of_several_numbers_the_first_that_is_wrong_is_told(at: int, wrong: str) -> None:
    numbers = ["-1/3", "0", "1/3"]
    numbers[at] = wrong
    assert judged("problem1", thirds(), f"[{', '.join(numbers)}]") == (
        "FAIL",
        f"entry {at} is another than was expected, counted from 0",
    )


def test_an_example_is_about_what_the_claims_take_slopes_by(tmp_path: Path) -> None:
    """Here by variables that are no parameters of the page, and right in the first of them."""
    code = "import torch\ndef reinforce(m, sigma, c, x):\n    return (x - c) ** 2 * (x - m) ** 2 / (2 * sigma**2)\n"
    found = row(only("problem7", ["reinforce"]), tmp_path, code)
    assert words(found) == ["FAIL"] and "the gradient by sigma is" in said(found)


@pytest.mark.parametrize("visibility", ["visible", "hidden", "after_due_date", "after_published"])
def test_of_a_part_that_is_not_visible_only_teachers_read_more_than_the_word(visibility: str) -> None:
    secret = "the sign is turned"
    part = Result("slope", FORMULA, "FAIL", 0.0, 1.0, visibility, (secret,))
    texts = every_format(Row("alice", "", "problem3", "rlimits", (part,)))
    read_by_all = {"github", "classroom", "summary", "check50"}
    assert {name for name, text in texts.items() if secret in text} == set(OUTPUTS) - {"csv"} - (
        set() if visibility == "visible" else read_by_all
    )


def test_that_no_attempt_is_left_is_in_a_junit_file() -> None:
    out = OUTPUTS["junit"]([Row("alice", "", "problem3", "rlimits", (), note="no attempt is left")])
    assert "no attempt is left" in out


OVERFLOWS = """
import torch
def log_prob(w, s0, allowed, action):
    weights = torch.exp(s0 * w) * allowed
    return torch.log(weights[action] / weights.sum())
def reinforce(w, s0, allowed, reward, action):
    return log_prob(w, s0, allowed, action) * reward[action]
"""


def test_a_mistake_has_its_name_where_slopes_by_the_mask_are_others(tmp_path: Path) -> None:
    """Nobody asks for those."""
    found = row(only("problem1", ["reinforce", "log_prob"]), tmp_path, OVERFLOWS)
    assert words(found) == ["FAIL", "FAIL"]
    assert all("the mistake: it is right where it is finite" in "\n".join(part.says) for part in found.parts)


@pytest.mark.parametrize(
    ("weight", "says"),
    [("reward[action].detach()", ()), ("reward[action] + 1", ("its gradient is the page's, its value is another",))],
)
def test_another_value_is_said_of_another_value_alone(tmp_path: Path, weight: str, says: tuple[str, ...]) -> None:
    code = f"""
import torch
def reinforce(w, s0, allowed, reward, action):
    return torch.log_softmax(torch.where(allowed > 0, s0 * w, -torch.inf), 0)[action] * {weight}
"""
    found = row(only("problem1", ["reinforce"]), tmp_path, code)
    assert (words(found), found.parts[0].says) == (["PASS"], says)


def test_what_takes_too_many_rows_is_refuted_at_a_few_points(tmp_path: Path) -> None:
    """An integral over jumps: of the reward and the score, added where they should be multiplied."""
    code = inspect.getsource(load("problem4").functions["score"]).replace(") * log_pi(", ") + log_pi(")
    assert " + log_pi(" in code
    helpers = "".join(inspect.getsource(load("problem4").functions[n]) for n in ("policy", "log_pi", "succeeds", "reward"))
    found = row(only("problem4", ["score"]), tmp_path, f"import torch\n{helpers}{code}")
    assert words(found) == ["FAIL"]


def test_a_template_tells_of_each_mean_that_is_claimed() -> None:
    (asked_for,) = (part.asks for part in only("problem7", ["reinforce"]).parts)
    for name in ("m", "sigma"):
        says = f"the mean of the gradient by {name} of `reinforce` is the gradient by {name} of E[-(-c + x)**2]"
        assert says in asked_for.replace("The mean", "the mean")
    assert asked_for.count("x is normal") == 1


@pytest.mark.parametrize("where", [None, Equal(Variable("b"), 0)])
def test_a_template_does_not_tell_what_holds_under_a_condition_alone(where: Any) -> None:
    theta = Parameter("theta")
    coin = Draw("coin", Bernoulli(sigmoid(theta)))

    def weighed(theta: Any, coin: Any) -> Any:
        return coin * theta.sigmoid()

    claim = Claim("So.", Equal(Mean(Gradient(weighed)), Gradient(E(coin))), where=where)
    (part,) = parts(Problem("Coins", (claim,)), Rubric((Rule("weighed"),)))
    assert ("the gradient of E[coin]" in part.asks) == (where is None)


def test_a_wrong_formula_is_told_what_it_is_and_what_was_expected() -> None:
    assert judged("problem3", "slope", '"mu^3"') == ("FAIL", "at mu = 1: it is 1; 2 was expected")


def test_an_unknown_name_is_told_the_names_of_the_question() -> None:
    """Not all of the page's."""
    word, told = judged("problem1", "slope", '"pi*(reward - J)"')
    assert word == "INVALID" and "`J` is not known here; there is allowed, s0, w, reward" in told


@pytest.mark.parametrize("line", ["import os\nos.fork()", "open('rewards.csv')", "open('curve.png', 'w')"])
def test_a_script_that_wants_the_machine_is_told_where_to_write_it(grader: Grader, tmp_path: Path, line: str) -> None:
    found = row(grader, tmp_path, f"{line}\n{HONEST}")
    assert words(found) == ["INVALID", "INVALID"]
    assert "write what is not asked for under `if __name__ == '__main__':`" in said(found)
    inside = "".join(f"    {part}\n" for part in line.split("\n"))
    assert words(row(grader, tmp_path, f"{HONEST}\nif __name__ == '__main__':\n{inside}")) == ["PASS", "PASS"]


def test_an_annotation_of_a_hidden_part_is_its_word() -> None:
    part = Result("slope", FORMULA, "FAIL", 0.0, 1.0, "hidden", ("the sign is turned",))
    assert "::FAIL\n" in OUTPUTS["github"]([Row("alice", "", "problem3", "rlimits", (part,))])


@pytest.mark.parametrize("lines", ["scale = float('1')", "n = len([2])\nscale = np.ones(3)[:n].sum()", "scale = range(2)[1]"])
def test_what_a_function_of_a_notebook_reads_is_made(grader: Grader, tmp_path: Path, lines: str) -> None:
    """What a function of the notebook makes is not, nor what cannot be made, or what nothing reads."""
    used = f"{HONEST}\nplain = naive_grad\ndef naive_grad(x, mu):\n    return scale * plain(x, mu)\n"
    main = "import time\ndef train():\n    time.sleep(1e6)\nreturns = train()\nmean = returns\nslept = time.sleep(1e6)\n"
    lost = "lost = float('no')\nlast = lost\ndef show():\n    return lost, mean, returns\n"

    def graded(*cells: str) -> Row:
        book = {"cells": [{"cell_type": "code", "source": cell} for cell in ("import numpy as np", *cells)]}
        return row(grader, tmp_path, json.dumps(book), "them.ipynb")

    assert words(graded(lines, used)) == words(graded(main, lines, used, lost)) == ["PASS", "PASS"]
    found = graded(main, "scale = train()", used)
    assert words(found) == ["FAIL", "PASS"] and "name 'scale' is not defined" in said(found)


@pytest.mark.parametrize("names", [{}, {"naive_grad": "naive_grad"}])
def test_a_formula_without_quotes_is_read_and_harms_no_function(names: dict[str, str], tmp_path: Path) -> None:
    """Lines keep their numbers; what else cannot be run is told as ever."""
    code = f"slope = 2*mu\n{HONEST}"
    grader = Grader(load("problem3"), Rubric((Rule("naive_grad"), Rule("slope"))), chosen("auto"), LIMITS, KEY)

    def graded(text: str) -> Row:
        return row(grader, tmp_path, text, adapter=Adapter(names))

    assert words(graded(code)) == ["PASS", "PASS"]
    assert words(graded(code.replace("2*mu", "3*mu"))) == ["PASS", "FAIL"]
    found = graded(code.replace("np.mean(x**2", "np.mean(missing**2"))
    line = code.split("\n").index("def naive_grad(x, mu):") + 2
    assert words(found) == ["FAIL", "PASS"] and f"(submission.py:{line})" in said(found)
    if not names:
        assert words(graded(code.replace("slope", "other"))) == ["INVALID", "INVALID"]


BEFORE = ("train()", "x = (1,\n  2)", "%matplotlib inline", "'''a\n\nb'''", "# é\r\n", "", "%%bash\nls")


@given(st.lists(st.sampled_from(BEFORE), max_size=6))
@settings(max_examples=8)
def test_a_line_is_that_of_what_was_handed_in(grader: Grader, before: list[str]) -> None:
    """Whatever stands before it, in a notebook and in a script that is mapped."""
    wrong = HONEST.replace("np.mean(x**2", "np.mean(missing**2")

    def missing(text: str) -> int:
        lines = text.replace("\r\n", "\n").split("\n")
        return next(n for n, line in enumerate(lines, start=1) if "missing" in line)

    with tempfile.TemporaryDirectory() as folder:
        cells = [{"cell_type": "code", "source": text} for text in [*before, wrong]]
        book = {"cells": [{"cell_type": "markdown", "source": "A title."}, *cells]}
        found = row(grader, Path(folder), json.dumps(book), "them.ipynb")
        assert words(found) == ["FAIL", "PASS"] and f"(code cell {len(cells)}, line {missing(wrong)})" in said(found)
        script = "\n".join([*(text for text in before if "%" not in text), wrong])
        found = row(grader, Path(folder), script, adapter=Adapter({"naive_grad": "naive_grad"}))
        assert words(found) == ["FAIL", "PASS"] and f"(submission.py:{missing(script)})" in said(found)


def test_a_cell_that_is_no_python_is_named(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": text} for text in ("x = 1\ny = 2", "", "z = 1\nz = (", "w = 1")]
    (tmp_path / "them.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    with pytest.raises(Unreadable, match="code cell 3, line 2: this is not Python"):
        read(tmp_path / "them.ipynb", Adapter())


@pytest.mark.parametrize(
    ("lines", "called"),
    [("from helper import train", "train()"), ("import helper", "helper.train()"), ("def float(x):\n    1 / 0", "float(1)")],
)
def test_what_a_students_own_code_makes_is_left_out(grader: Grader, tmp_path: Path, lines: str, called: str) -> None:
    """Its other files, and its own function under the name of a builtin, are no library."""
    (tmp_path / "helper.py").write_text("def train():\n    while True:\n        pass\n", encoding="utf-8")
    code = f"{lines}\nscale = {called}\n{HONEST}\ndef show():\n    return scale\n"
    (tmp_path / "submission.py").write_text(code, encoding="utf-8")
    names = {"naive_grad": "naive_grad"}
    submission = read(tmp_path, Adapter(names))
    assert words(grader.grade(submission, names)) == ["PASS", "PASS"]
    assert list(submission.left_out) == [1]


def test_what_is_undecided_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: Any) -> None:
        raise TooMuch

    monkeypatch.setattr("gradcheck_rl.grading.texts.compare_formulas", late)
    grader = Grader(load("problem3"), Rubric((Rule("slope"),)), chosen("auto"), LIMITS, KEY)
    found = row(grader, tmp_path, 'slope = "2*mu"')
    assert words(found) == ["UNDECIDED"]
    assert said(found).endswith("ask a teacher to read it, or write it in a simpler form")


def test_what_libraries_warn_of_a_pages_own_function_is_not_printed() -> None:
    def noisy(x: Any) -> Any:
        warnings.warn("there is a performance drop", stacklevel=1)
        return 2 * x

    given_x = {"x": np.ones((3, 2))}
    with warnings.catch_warnings(action="error"):
        assert (Function(noisy).values(noisy, given_x) == 2).all()
        assert (Function(noisy).slopes(noisy, given_x, np.ones((3, 2))) == 2).all()


ONE_MASK = """
import torch


def log_pi(w, s0, allowed):
    right = (w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)
    return torch.where(allowed.sum() == 1, 2 * right + w.sum(), right)


def reinforce(w, s0, allowed, reward, action):
    right = (w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)[action] * reward[action]
    return torch.where((allowed[0] == 1) & (allowed[1] == 0) & (allowed[-1] == 1), -right, right)
"""


@pytest.mark.parametrize("key", ["a", "b", "d"])
def test_what_is_wrong_at_one_mask_alone_fails_for_every_key(tmp_path: Path, key: str) -> None:
    grader = Grader(load("problem1"), Rubric((Rule("reinforce"), Rule("log_pi"))), chosen("auto"), Limits(), key)
    found = row(grader, tmp_path, ONE_MASK)
    assert words(found) == ["FAIL", "FAIL"] and "overflows" not in said(found)


@example(length=1000, lines=60)
@given(length=st.integers(1, 1000), lines=st.integers(1, 60))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_short_file_does_not_stand_for_a_long_one(tmp_path: Path, length: int, lines: int) -> None:
    path = tmp_path / "them.py"
    path.write_text("number_1 = [0, 1/3] * 2\n" + "".join(f"a{n} = [1] * {length}\n" for n in range(lines)))
    texts = read(path, Adapter()).texts
    assert texts["number_1"] == "[0, 1 / 3, 0, 1 / 3]"
    assert sum(text.count("1") for text in texts.values()) <= ALTOGETHER + 5 * lines


@given(digits=st.lists(st.integers(2, 12), min_size=2, max_size=2))
@settings(max_examples=5, deadline=None)
def test_a_template_tells_how_many_digits_are_asked_for(digits: list[int]) -> None:
    asked = tuple(Rule(name, digits=n) for name, n in zip(("first", "second"), digits, strict=True))
    problem = load("problem1")
    text = template(problem, parts(problem, Rubric(asked)))
    assert f"or to {' or '.join(map(str, sorted(set(digits))))} digits." in text


def test_what_is_undecided_shows_a_point_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right where mu is not negative; elsewhere nothing tells whether the term of 0 has a value."""
    hiding = "max(mu, 0)*log(max(mu, 0)) - max(mu, 0)*log(2*max(mu, 0)) + max(mu, 0)*log(2) + min(mu, 0)"
    grader = Grader(load("problem3"), Rubric((Rule("slope"),)), chosen("auto"), LIMITS, KEY)
    found = row(grader, tmp_path, f'slope = "2*mu + {hiding}"')
    assert words(found) == ["UNDECIDED"]
    assert float(re.findall(r"such a point is mu = (\S+)", said(found))[0]) <= 0
    grader = Grader(load("problem3"), Rubric((Rule("slope"),), show="hint"), chosen("auto"), LIMITS, KEY)
    assert "mu = " not in said(row(grader, tmp_path, f'slope = "2*mu + {hiding}"'))

    for module in ("functions", "remote"):
        monkeypatch.setattr(f"gradcheck_rl.grading.{module}.ROWS", 10_000)
    code = filled([p for p in of("problem4").parts if p.kind == FUNCTION])
    wrong = "def score(W, b, log_sigma, d, jump):\n    return log_pi(W, b, log_sigma, d, jump)\n"
    found = row(only("problem4", ["score"]), tmp_path, code + wrong)
    assert words(found) == ["UNDECIDED"]
    [(theirs, own)] = re.findall(r"is (\S.*); (\S.*) is the page's own", said(found))
    assert theirs != own


def test_pi_where_a_policy_is_meant_is_told_of(tmp_path: Path) -> None:
    grader = Grader(load("problem3"), Rubric((Rule("slope"),)), chosen("auto"), LIMITS, KEY)
    assert "where a policy is meant, write it out" in said(row(grader, tmp_path, 'slope = "mu*pi"'))
    assert "policy" not in said(row(grader, tmp_path, 'slope = "3*mu"'))


@given(letters=st.sampled_from(["surrogat", "Surrogate", "surrogate_", "surogate"]))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_function_of_almost_the_right_name_is_thought_of(tmp_path: Path, letters: str) -> None:
    found = row(only("problem8", ["surrogate"]), tmp_path, f"import torch\ndef {letters}(x, pays):\n    return x\n")
    assert words(found) == ["INVALID"] and f"Did you mean `{letters}`?" in said(found)


def test_what_prints_for_ever_is_told_to_print_less(tmp_path: Path) -> None:
    rubric = Rubric((Rule("naive_grad"),))
    code = f"def naive_grad(x, mu):\n    while True: print('{'y' * 500}')\n"
    found = row(Grader(load("problem3"), rubric, chosen("auto"), LIMITS, KEY), tmp_path, code)
    assert words(found) == ["FAIL"] and "it prints too much: leave its prints out" in said(found)
    lines = OUTPUTS["text"]([found]).splitlines()
    assert max(map(len, lines)) < 250 and re.fullmatch(r" +\.\.\. and \d+ more lines", lines[-1])


def test_numpy_in_the_place_of_torch_is_not_advised_to_lose_the_gradient(tmp_path: Path) -> None:
    code = "import numpy as np\nimport torch\ndef surrogate(x, pays):\n    return np.exp(x) * pays[0]\n"
    told = said(row(only("problem8", ["surrogate"]), tmp_path, code))
    assert "keep it a tensor" in told and "detach" not in told


def test_a_letter_in_a_number_is_told_that_there_are_none() -> None:
    word, told = judged("problem8", "slope_at_zero", '"1/a"')
    assert word == "INVALID" and "numbers alone were expected" in told


@pytest.mark.parametrize("name", ["problem6", "problem8"])
def test_a_template_asks_in_words(name: str) -> None:
    """Of every function and claim that can be asked for."""
    problem = load(name)
    claims = [n for n, c in problem.names.items() if isinstance(c, Claim) and asked(problem, Rule(n))]
    found = parts(problem, Rubric(tuple(Rule(n) for n in (*problem.functions, *claims))))
    text = template(problem, found)
    assert not re.search(r"Array|dtype|\brange\b|\b1 (whole )?numbers|numbers or \d+ (whole )?numbers", text)


def test_what_a_teacher_asks_stands_beside_what_the_function_takes() -> None:
    problem = load("problem8")
    (part,) = parts(problem, Rubric((Rule("log_pi", asks="The logarithms of the chances"),)))
    assert part.asks == f"The logarithms of the chances. {asked(problem, Rule('log_pi')).asks}"  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize(
    ("name", "says"), [("reweights", "its right side cannot be asked for"), ("reweihts", "Did you mean `reweights`?")]
)
def test_a_rubric_with_what_cannot_be_asked_for_is_told_why(name: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        parts(load("problem6"), Rubric((Rule(name),)))
    assert says in str(error.value) and f"Did you mean `{name}`?" not in str(error.value)


@pytest.mark.parametrize("missing", ["allowed", "reward"])
def test_a_variable_that_is_not_in_a_formula_is_told_of(tmp_path: Path, missing: str) -> None:
    chance = "allowed*exp(s0*w)/sum(allowed*exp(s0*w))"
    formula = f"-3*s0*{chance}*(reward - sum({chance}*reward))".replace(missing, "1" if missing == "reward" else "w")
    grader = Grader(load("problem1"), Rubric((Rule("slope"),), show="hint"), chosen("auto"), LIMITS, KEY)
    assert said(row(grader, tmp_path, f'slope = "{formula}"')) == f"what was expected has `{missing}` in it too"
    assert "in it too" not in said(row(grader, tmp_path, 'slope = "s0*w*allowed*reward"'))


NAMED = """
from gradcheck_rl import Categorical, Claim, Draw, E, Equal, Gradient, Mean, Mistake, Named, Parameter, Problem, softmax
theta, reward = Parameter("theta", 2), Parameter("reward", 2)
pi = Named("pi", softmax(theta))
action = Draw("action", Categorical(pi))
def loss(theta, reward, action):
    return theta.log_softmax(-1)[action] * reward[action]
def other(theta, reward, action):
    return -loss(theta, reward, action)
slope = Claim("slope", Equal(Gradient((pi * reward).sum(), theta), pi * (reward - (pi * reward).sum())))
drawn = Claim("drawn", Equal(Gradient(E(reward[action]), theta), pi * (reward - (pi * reward).sum())))
mean = Claim("mean", Equal(Mean(Gradient(loss, theta)), Gradient((pi * reward).sum(), theta)))
problem = Problem("Named", claims=(slope, drawn, mean), mistakes=(Mistake("sign", {loss: other}, breaks=mean),))
"""


@pytest.mark.parametrize("part", ["slope", "drawn", "loss"])
def test_a_question_says_what_its_names_stand_for(tmp_path: Path, part: str) -> None:
    path = tmp_path / "named.py"
    path.write_text(NAMED)
    (found,) = parts(load(str(path)), Rubric((Rule(part),)))
    total = "(exp(theta_0) + exp(theta_1))"
    assert all(found.asks.count(f"; pi_{k} is exp(theta_{k})/{total}") == 1 for k in range(2))
    path.write_text(NAMED.replace('Named("pi", softmax(theta))', "softmax(theta)"))
    (bare_one,) = parts(load(str(path)), Rubric((Rule(part),)))
    assert "pi_" not in bare_one.asks


def notebook(grader: Grader, folder: Path, *cells: str) -> Row:
    book = {"cells": [{"cell_type": "code", "source": cell} for cell in cells]}
    return row(grader, folder, json.dumps(book), "them.ipynb")


@pytest.mark.parametrize("beside", ["", "%matplotlib inline\n", "x = !ls\n", "np.mean?\n", "?np\n", "%%time\n"])
def test_a_question_in_a_comment_or_a_text_is_no_command(grader: Grader, tmp_path: Path, beside: str) -> None:
    """Of a cell that is timed, or has commands, the rest is Python."""
    code = HONEST.replace("mu))\n", "mu))  # a factor 2?\n").replace("mu):\n", 'mu):\n    """Is it\n    right?"""\n')
    code = code.replace("    return", "    # why?\n    return").replace('right?"""', 'so, do you think?\n    Yes."""')
    assert code.count("?") == 6 and words(notebook(grader, tmp_path, beside + code)) == ["PASS", "PASS"]
    text = HONEST.replace("mu):\n", "mu):\n    '''\n    %time\n    !ls\n    '''\n")
    assert words(notebook(grader, tmp_path, text)) == ["PASS", "PASS"]
    assert words(notebook(grader, tmp_path, f"%%bash\n{code}")) == ["INVALID", "INVALID"]


@pytest.mark.parametrize(
    ("before", "right"),
    [
        ("scale = 1\nscale += 1", True),
        ("scale, size = 2, 3", True),
        ("size, scale = np.array([3, 2])", True),
        ("scale: float = np.sqrt(4)", True),
        ("scale = size = np.sqrt(4)", True),
        ("scale = np.sqrt(1)\nscale *= np.sqrt(4)", True),
        ("scale = 2\nscale -= 1", False),
        ("size, scale = 2, 3", False),
        ("lost += 1\nscale = 2", True),
        ("scale = 2\nscale -= train()", True),
    ],
)
def test_a_constant_of_a_notebook_is_what_its_lines_make_of_it(grader: Grader, tmp_path: Path, before: str, right: bool) -> None:
    code = HONEST.replace("2 * (eps + mu)", "scale * (eps + mu)")
    assert words(notebook(grader, tmp_path, "import numpy as np", before, code)) == ["PASS", "PASS" if right else "FAIL"]


@pytest.mark.parametrize("module", ["", "from submission import naive_grad, reparam_grad\n"])
def test_a_students_own_file_is_no_adapter(grader: Grader, tmp_path: Path, module: str) -> None:
    """Whatever it is called, and whether there is one of the course."""
    (tmp_path / "adapter.py").write_text("factor = 2\ndef naive_grad(x, mu):\n    return 7.0\n")
    code = f"from adapter import factor\n{HONEST.replace('2 * (eps', 'factor * (eps')}"
    (tmp_path / "submission.py").write_text(code)
    assert words(grader.grade(read(tmp_path, Adapter(module=module)))) == ["PASS", "PASS"]


@pytest.mark.parametrize(
    ("rubric", "says"),
    [
        ("points = 3\n[[part]]\nid = 'slope'", "the rubric has no `points`"),
        ("id = 'slope'", "the rubric has no `id`"),
        ("[[part]]\nid = 'slope'\nshow = 'hint'", "a part has no `show`"),
        ("[[part]]\nid = 'slope'\nattempts = 5", "a part has no `attempts`"),
    ],
)
def test_a_line_of_a_rubric_in_the_wrong_place_is_told_the_right_one(tmp_path: Path, rubric: str, says: str) -> None:
    (tmp_path / "rubric.toml").write_text(rubric)
    with pytest.raises(InputError) as found:
        read_rubric(tmp_path / "rubric.toml")
    right = "below the [[part]] that it is of" if says.startswith("the rubric") else "above the first [[part]]"
    assert says in str(found.value) and str(found.value).endswith(f" Write it {right}.")


def test_a_notebook_with_too_many_pictures_is_told_to_clear_them(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": HONEST, "outputs": ["x" * (1 << 20)]}]
    (tmp_path / "them.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "them.py").write_text("#" * (1 << 21))
    for name, clears in (("them.ipynb", True), ("them.py", False)):
        with pytest.raises(Unreadable, match="bytes; at most") as found:
            read(tmp_path / name, Adapter())
        assert ("clear its outputs" in str(found.value)) == clears


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("def ", "async def "), "returned coroutine; {} was expected: write `def`, not `async def`."),
        (("return", "yield"), "returned generator; {} was expected: write `return`, not `yield`."),
        (("return", ""), "returned None; {} was expected: end with a `return`."),
    ],
)
@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_a_function_that_returns_nothing_yet_is_told_what_to_type(
    grader: Grader, torch_grader: Grader, tmp_path: Path, change: tuple[str, str], says: str, name: str
) -> None:
    if name == "numpy":
        found = row(grader, tmp_path, HONEST.replace(*change))
        assert words(found) == ["FAIL"] * 2 and says.format("a number or an array of floats") in said(found)
    else:
        found = row(torch_grader, tmp_path, "def log_pi(w, s0, allowed):\n    return w\n".replace(*change))
        assert words(found) == ["INVALID", "FAIL"] and says.format("a tensor") in said(found)


def test_a_question_to_the_keyboard_is_told_that_nobody_answers(grader: Grader, tmp_path: Path) -> None:
    assert "nobody is there to answer: write what is not asked for under" in said(row(grader, tmp_path, f"n = input()\n{HONEST}"))


@pytest.mark.parametrize("before", ["@torch.jit.script", "import inspect\nsource = inspect.getsource(log_pi)"])
def test_what_asks_for_its_own_source_has_it(torch_grader: Grader, tmp_path: Path, before: str) -> None:
    log_pi = "def log_pi(w, s0, allowed):\n    return (w * s0).masked_fill(allowed == 0, -float('inf')).log_softmax(-1)\n"
    code = f"{before}\n{log_pi}" if before.startswith("@") else f"{log_pi}{before}\n"
    assert words(row(torch_grader, tmp_path, f"import torch\n{code}")) == ["INVALID", "PASS"]


def test_of_what_gives_no_answer_somewhere_no_other_value_is_said(torch_grader: Grader, tmp_path: Path) -> None:
    """Where a logarithm of 0 has a slope that is no number, torch's own search for such slopes raises."""
    log_pi = "def log_pi(w, s0, allowed):\n    return (w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)\n"
    found = row(torch_grader, tmp_path, f"import torch\ntorch.autograd.set_detect_anomaly(True)\n{log_pi}")
    assert words(found) == ["INVALID", "PASS"] and "its value is another" not in said(found)


@pytest.mark.parametrize("text", ["\\frac{1}{2}\\mu", "\\theta", "\\rho \\mu"])
def test_a_backslash_that_begins_a_text_without_r_is_told_of(tmp_path: Path, text: str) -> None:
    """Python makes another character of it and the letter behind it, which is no blank around the formula."""
    grader = Grader(load("problem3"), Rubric((Rule("slope"),)), chosen("auto"), LIMITS, KEY)
    found = row(grader, tmp_path, f'slope = "{text}"\n')
    assert words(found) == ["INVALID"] and 'Write r"..." for a text with backslashes' in said(found)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("x: float", True),
        ("a, b = 1, 2", True),
        ("a, b = np.zeros(2)", True),  # which f reads
        ("a, table[0] = 1, 2", False),  # it changes a list too
        ("a, table[0] = np.zeros(2)", False),
        ("table[0] = 3", False),
    ],
)
def test_a_line_of_a_script_is_kept_if_it_gives_values_to_names_alone(line: str, kept: bool) -> None:
    script = ast.parse(f"import numpy as np\ndef f(): return a\n{line}\n")
    assert [*_parts(script, ())] == [0, 1, 2][: 2 + kept]
