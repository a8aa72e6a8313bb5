"""The plugin, as a course uses it: in a run of pytest of its own."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

PAGE = Path(__file__).parent / "pages" / "tiny.py"
COURSE = """
import pytest

def mine(theta, reward, action):
    return theta.log_softmax(-1)[action] * reward[action]

def descent(theta, reward, action):
    return -mine(theta, reward, action)

tiny = pytest.mark.gradcheck_rl("problems/tiny.py", answer={"reinforce": %s})

@tiny
def test_holds():
    pass

@tiny
def test_report(gradcheck_rl):
    assert [c.id for c in gradcheck_rl.claims if not c.ok] == %s
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    (tmp_path / "problems").mkdir()
    (tmp_path / "problems" / "tiny.py").write_text(PAGE.read_text())
    (tmp_path / "problems" / "helper.py").write_text("import gradcheck_rl\n\nraise SystemExit('this is no page')\n")
    return tmp_path


def run(where: Path, *arguments: str) -> tuple[int, str]:
    words: Sequence[str] = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments)
    done = subprocess.run(words, cwd=where, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_every_sentence_of_a_page_is_a_test(course: Path) -> None:
    code, said = run(course, "-v", "--junitxml", "found.xml")
    assert code == 0
    assert [line.split()[0] for line in said.splitlines() if " PASSED" in line] == [
        f"problems/tiny.py::{name}" for name in ("unbiased", "uniform", "halved", "square", "unnormalised")
    ]
    assert "2 agrees, 1 erratum refuted, 1 proved, 1 mistake caught" in said
    cases = {case.get("name"): case for case in ET.parse(course / "found.xml").getroot().iter("testcase")}
    properties = {(p.get("name"), p.get("value")) for p in cases["halved"].iter("property")}
    assert {("gradcheck_rl verdict", "erratum refuted"), ("gradcheck_rl problem", "tiny")} <= properties


def test_a_page_that_is_wrong_fails_by_its_sentence(course: Path) -> None:
    page = course / "problems" / "tiny.py"
    page.write_text(page.read_text().replace("return log_pi(theta)[action] * reward[action]", "return -log_pi(theta)[action]"))
    code, said = run(course, "-n", "2")
    assert code == 1
    assert "unbiased: REINFORCE is unbiased. REFUTED." in said and "replay: python -m gradcheck_rl problems/tiny.py" in said
    assert "Traceback" not in said and "loop.py" not in said


@pytest.mark.parametrize(("answer", "broken"), [("mine", []), ("descent", ["unbiased"])])
def test_a_marked_test_holds_for_the_answer(course: Path, answer: str, broken: list[str]) -> None:
    (course / "test_course.py").write_text(COURSE % (answer, broken))
    code, said = run(course, "test_course.py", "-q")
    assert code == (1 if broken else 0)
    assert (f"{1 if broken else 2} passed" in said) and ("1 failed" in said) == bool(broken)
    if broken:
        assert "at theta = (0, 0)" in said and "Traceback" not in said


def test_a_mark_that_does_not_bind_says_so(course: Path) -> None:
    wanted = {
        '("problems/tiny.py", answer={"reinforc": f})': "tiny has no function `reinforc`; it has reinforce, log_pi.",
        '("problems/tiny.py", anwser=f)': "the mark gradcheck_rl has no `anwser`",
        '("problem99")': "unknown problem 'problem99'.",
        "()": "the mark gradcheck_rl names no problem: write @pytest.mark.gradcheck_rl(",
        '("problems/tiny.py", answer=[dict(f=f)])': "the answer is dict, which has no name: write answer={'name': it}.",
        '("problems/tiny.py", answer=7)': "the answer is int: a function was expected",
    }
    tests = [f"@pytest.mark.gradcheck_rl{mark}\ndef test_{n}(): pass\n" for n, mark in enumerate(wanted)]
    tests += [f"@pytest.mark.gradcheck_rl{mark}\ndef test_{n}_too(gradcheck_rl): pass\n" for n, mark in enumerate(wanted)]
    tests.append("def test_unmarked(gradcheck_rl): pass\n")
    wanted["unmarked"] = "the fixture gradcheck_rl belongs to a marked test"
    (course / "test_course.py").write_text("import pytest\n\ndef f(theta): pass\n\n" + "\n".join(tests))
    code, said = run(course, "test_course.py")
    assert code == 1 and f"{len(wanted) - 1} failed, {len(wanted)} errors" in said
    assert not any(word in said for word in ("Traceback", "During handling", "pytest_plugin.py")), said
    assert all(sentence in said for sentence in wanted.values()), said


def test_a_run_of_other_tests_imports_nothing_heavy(course: Path) -> None:
    text = "import sys\n\ndef test_it():\n    assert not {'sympy', 'torch', 'numpy', 'flint'} & set(sys.modules)\n"
    (course / "test_course.py").write_text(text)
    code, said = run(course, "test_course.py", "-p", "no:hypothesispytest")
    assert code == 0, said


@pytest.mark.parametrize("ending", ["problem=Problem(", "problem: Problem = Problem(", "problem  =  Problem("])
def test_a_page_is_known_however_its_end_is_written(course: Path, ending: str) -> None:
    page = course / "problems" / "tiny.py"
    page.write_text(page.read_text().replace("problem = Problem(", ending))
    code, said = run(course, "--collect-only", "-q")
    assert code == 0 and "problems/tiny.py::unbiased" in said


def test_a_page_that_is_named_is_collected_where_it_lies(course: Path) -> None:
    (course / "mine.py").write_text(PAGE.read_text())
    (course / "other.py").write_text(PAGE.read_text())
    code, said = run(course, "mine.py", "-k", "unbiased", "-v")
    assert code == 0 and "mine.py::unbiased PASSED" in said and "other.py" not in said


def test_a_file_of_tests_that_has_a_problem_is_no_page(course: Path) -> None:
    """Neither one that is its own, nor one in a text that a test writes to a file."""
    (course / "test_own.py").write_text(PAGE.read_text() + "\n\ndef test_it(): assert problem.claims\n")
    (course / "test_text.py").write_text(f"PAGE = '''{PAGE.read_text()}'''\n\ndef test_it(): assert PAGE\n")
    code, said = run(course, "test_own.py", "test_text.py")
    assert code == 0 and "2 passed" in said


WRONG = {
    '("problems/tiny.py", {}, None, 0, 1)': "the mark gradcheck_rl has 5 values: it is gradcheck_rl(problem, answer=None,",
    '("problems/tiny.py", problem="problem2")': "the mark gradcheck_rl has `problem` twice",
    '("problems/tiny.py", answer={7: f})': "the answer is for 7: write the name of a function of the page, or the function.",
    '("problems/tiny.py", answer="half.py")': "the answer for `log_pi` is NoneType, not a function: write `def log_pi(",
    '("problems/tiny.py", answer=[])': "the answer is empty, and the page would be checked alone",
    '("problems/tiny.py", answer={})': "the answer is empty, and the page would be checked alone",
    "(7)": "the problem is int: write its name, its path, or a Problem",
    '("problem1")\n@pytest.mark.gradcheck_rl("problem2")': "this test has several marks gradcheck_rl, and one is read",
}


def test_a_mark_of_which_a_part_would_not_count_says_so(course: Path) -> None:
    (course / "half.py").write_text("def reinforce(theta, reward, action): pass\n\nlog_pi = None\n")
    tests = [f"@pytest.mark.gradcheck_rl{mark}\ndef test_{n}(): pass\n" for n, mark in enumerate(WRONG)]
    tests += [f"@pytest.mark.gradcheck_rl{mark}\ndef test_{n}_too(gradcheck_rl): pass\n" for n, mark in enumerate(WRONG)]
    (course / "test_course.py").write_text("import pytest\n\ndef f(theta): pass\n\n" + "\n".join(tests))
    code, said = run(course, "test_course.py")
    assert code == 1 and f"{len(WRONG)} failed, {len(WRONG)} errors" in said
    assert not any(word in said for word in ("Traceback", "During handling", "pytest_plugin.py")), said
    assert all(said.count(sentence) >= 2 for sentence in WRONG.values()), said


def test_a_problem_that_is_at_hand_is_checked(course: Path) -> None:
    text = """
import pytest
from gradcheck_rl.load import load

page = load("problems/tiny.py")
mark = pytest.mark.gradcheck_rl

def descent(theta, reward, action):
    return -theta.log_softmax(-1)[action] * reward[action]

@mark(page, answer={"reinforce": page.functions["reinforce"]})
class TestAll:
    def test_holds(self): pass

    @mark(page, answer={"reinforce": descent})
    def test_nearer_mark(self): pass
"""
    (course / "test_course.py").write_text(text)
    code, said = run(course, "test_course.py", "-n", "2")
    assert code == 1 and "1 failed, 1 passed" in said and "unbiased: REINFORCE is unbiased. REFUTED." in said
