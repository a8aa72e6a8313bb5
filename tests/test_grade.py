"""Grading: an honest submission is never failed, a wrong one never passes, and no trick changes a row, its own or another's."""

from __future__ import annotations

import base64
import json
import os
import time
import xml.etree.ElementTree as XML
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.hostile import HARMFUL, HONEST, WRONG, Hostile

from gradcheck_rl.cli import main
from gradcheck_rl.grading.grade import Grader
from gradcheck_rl.grading.isolation import Limits, chosen
from gradcheck_rl.grading.result import Row
from gradcheck_rl.grading.rubric import Rubric, Rule
from gradcheck_rl.grading.submission import Adapter, read
from gradcheck_rl.load import load

LIMITS = Limits(seconds=3, memory=512 << 20)
NUMPY = Rubric((Rule("naive_grad"), Rule("reparam_grad")))
KEY = "a key of the course"


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


@pytest.mark.parametrize(
    "body",
    [
        "return (x**3).mean() - mu * (x**2).mean()",
        "return sum(a * a * (a - mu) for a in x) / len(x)",
        "return float(np.dot(x**2, x - mu) / x.size)",
        "return np.float64(np.average(x**2 * (x - mu)))",
        "return [np.mean(np.square(x) * (x - mu))]",
    ],
)
def test_an_honest_function_in_another_form_passes(grader: Grader, tmp_path: Path, body: str) -> None:
    assert words(row(grader, tmp_path, HONEST.replace("return np.mean(x**2 * (x - mu))", body))) == ["PASS", "PASS"]


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
    ("log_pi", "reinforce"),
    [
        (LOG_PI, REINFORCE),
        ("z = w * s0 + torch.where(allowed == 0, -torch.inf, 0.0); return z - torch.logsumexp(z, -1)", REINFORCE),
        (LOG_PI, "k = allowed.nonzero().squeeze(-1); return (w*s0)[k].log_softmax(-1)[(k == action).nonzero().squeeze()] * reward[action]"),
        (LOG_PI, "lp = log_pi(w, s0, allowed)[action]; return torch.exp(lp - lp.detach()) * reward[action]"),
        (LOG_PI, "return -torch.nn.functional.nll_loss(log_pi(w, s0, allowed)[None], action[None]) * reward[action]"),
    ],
)
def test_an_honest_loss_in_another_form_passes(torch_grader: Grader, tmp_path: Path, log_pi: str, reinforce: str) -> None:
    found = row(torch_grader, tmp_path, TORCH.format(log_pi=log_pi, reinforce=reinforce))
    assert words(found) == ["PASS", "PASS"], said(found)


@pytest.mark.parametrize(
    ("reinforce", "hint"),
    [
        ("return -" + REINFORCE[7:], "sign"),
        ("return 3 * " + REINFORCE[7:], "a factor: it is 3 times"),
        ("return (w * s0).log_softmax(-1)[action] * reward[action]", "mask forgotten"),
        ("return log_pi(w, s0, allowed)[action]", "a factor with `reward` is missing"),
        ("return log_pi(w, s0, allowed)[action].detach() * reward[action]", "frozen"),
        ("return log_pi(w, s0, allowed)[action].exp() * reward[action]", "probability instead of its logarithm"),
        ("return log_pi(w, s0, allowed)[action] * reward.mean()", "mean reward instead of the action's"),
        ("return log_pi(w, s0, allowed) * reward", "it returns 3 numbers where one number would be right"),
        ("return (log_pi(w, s0, allowed)[action] * reward[action]).item()", "is it detached"),
        ("return None", "returned None"),
    ],
)
def test_a_mistake_is_named(torch_grader: Grader, tmp_path: Path, reinforce: str, hint: str) -> None:
    found = row(torch_grader, tmp_path, TORCH.format(log_pi=LOG_PI, reinforce=reinforce))
    assert words(found) == ["FAIL", "PASS"]
    assert hint in said(found)


BY_HAND = TORCH.format(log_pi=LOG_PI, reinforce=REINFORCE) + """
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


def test_a_backward_pass_that_is_written_by_hand_is_no_gradient(torch_grader: Grader, tmp_path: Path) -> None:
    found = row(torch_grader, tmp_path, BY_HAND)
    assert words(found) == ["FAIL", "PASS"]
    assert "not the slope of its value" in said(found)


# ---- hostile --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hostile", HARMFUL, ids=lambda h: h.name)
def test_a_hostile_submission_gets_its_row_and_no_more(grader: Grader, tmp_path: Path, hostile: Hostile) -> None:
    before = {p for p in Path("/tmp").iterdir() if p.name == "pwned"}
    start = time.monotonic()
    from gradcheck_rl.grading.submission import Unreadable

    try:
        found = row(grader, tmp_path, hostile.code)
    except Unreadable as error:
        found = grader.refused("them", str(error))
    assert time.monotonic() - start < 60
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
    assert children() == []


def children() -> list[int]:
    """The processes that this one has left."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after[1]) == os.getpid() and after[0] != "Z":
            found.append(int(stat.parent.name))
    return found


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


# ---- what may be shown ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", ["verdict", "hint", "counterexample"])
def test_no_output_holds_what_is_right_at_a_hidden_point(tmp_path: Path, show: str) -> None:
    from gradcheck_rl.grading.outputs import OUTPUTS

    rules = Rubric((Rule("naive_grad"), Rule("reparam_grad"), Rule("eighty_seven")), show=show)
    hidden = Grader(load("problem3"), rules, chosen("auto"), LIMITS, KEY)
    found = row(hidden, tmp_path, WRONG + "eighty_seven = '86'\n")
    assert words(found) == ["FAIL", "FAIL", "FAIL"]
    found = replace(found, seconds=0, parts=tuple(replace(part, seconds=0) for part in found.parts))
    numbers = [x for asked in hidden._asked.values() for sample in asked.hidden for x in sample.values.ravel() if x != round(x, 2)]
    shown_too = {f"{x:.5g}" for asked in hidden._asked.values() for sample in asked.shown for x in sample.values.ravel()}
    secrets = {f"{x:.5g}" for x in numbers} - shown_too
    assert len(secrets) > 20
    for name, write in OUTPUTS.items():
        text = write([found]) if name != "classroom" else base64.b64decode(write([found])).decode()
        assert "87" not in text.replace(found.digest, "")
        assert not [s for s in secrets if len(s) > 5 and s in text], name
        assert ("was expected" in text) == (show == "counterexample" and name not in ("csv",)), name
        assert show != "verdict" or "the mistake" not in text


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


def test_functions_are_taken_from_a_notebook(grader: Grader, tmp_path: Path) -> None:
    cells = ["%matplotlib inline\nimport numpy as np", HONEST, "while True: pass", "!rm -rf /", "%%bash\nexit"]
    book = {"cells": [{"cell_type": "code", "source": [c]} for c in cells] + [{"cell_type": "markdown", "source": "x"}]}
    assert words(row(grader, tmp_path, json.dumps(book), "book.ipynb")) == ["PASS", "PASS"]


def test_a_teachers_module_adapts(grader: Grader, tmp_path: Path) -> None:
    module = "from submission import their_name, other\nnaive_grad = their_name\ndef reparam_grad(eps, mu):\n    return other(eps, mu)\n"
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
def test_a_rubric_that_is_wrong_is_told_in_a_sentence(here: Path, capsys: pytest.CaptureFixture[str], rubric: str, sentence: str) -> None:
    Path("rubric.toml").write_text(rubric)
    code, out, err = run(capsys, "good.py")
    assert (code, out) == (2, "")
    assert sentence in err and err.startswith("error: ") and len(err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (("nothing.py",), "there is no nothing.py"),
        (("good.py", "--map", "a-b"), "write --map reparam_grad=their_name"),
        (("good.py", "bad.py", "--as", "gradescope"), "is about one submission"),
        (("good.py", "-o", "good.py"), "would overwrite"),
    ],
)
def test_what_cannot_be_graded_is_told(here: Path, capsys: pytest.CaptureFixture[str], typed: tuple[str, ...], sentence: str) -> None:
    code, out, err = run(capsys, *typed)
    assert (code, out) == (2, "")
    assert sentence in err
