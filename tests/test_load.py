"""From a name or a path to a problem; whatever stands in the file, what goes wrong is said in one sentence."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradcheck_rl
import gradcheck_rl.load as loading
from gradcheck_rl import check
from gradcheck_rl.errors import GradcheckError, InputError, ProblemError
from gradcheck_rl.load import FILLED_IN, load, load_functions, locate, shipped, sources, statements

TINY = Path(__file__).parent / "pages" / "tiny.py"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped problems."""
    folder = tmp_path / "problems"
    folder.mkdir()
    monkeypatch.setattr(loading, "HOMES", (tmp_path / "absent", folder))
    return folder


def page(folder: Path, text: str | bytes, name: str = "page.py") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def pages() -> set[str]:
    return {name for name in sys.modules if name.startswith("gradcheck_rl_page_")}


# ---- names ----------------------------------------------------------------------------------------------------------------


def test_problems_are_listed_by_number(home: Path) -> None:
    for number in (10, 2, 1):
        page(home, f'"""Title {number}.\n\nMore.\n"""', f"problem{number}_slug{number}.py")
    page(home, "", "helper.py")
    page(home, "", "problemx_y.py")
    assert [(p.id, p.slug, p.title) for p in shipped()] == [(f"problem{n}", f"slug{n}", f"Title {n}") for n in (1, 2, 10)]


def test_a_problem_has_three_names(home: Path) -> None:
    path = page(home, "", "problem7_gaussian_policy.py")
    assert locate("problem7") == locate("gaussian_policy") == locate(str(path)) == path


@pytest.mark.parametrize(("typed", "meant"), [("problem77", "problem7"), ("gausian_policy", "gaussian_policy"), ("lst", "list")])
def test_a_misspelt_name_gets_a_suggestion(home: Path, typed: str, meant: str) -> None:
    page(home, "", "problem7_gaussian_policy.py")
    with pytest.raises(InputError, match=f"unknown problem '{typed}'. Did you mean `{meant}`\\? `list` shows all 1"):
        locate(typed, ["list"])


def test_the_name_of_a_file_without_its_ending_gets_a_suggestion(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    page(home, "", "mine.py")
    with pytest.raises(InputError, match=r"Did you mean the file `mine\.py`\?"):
        locate("mine")


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    page(tmp_path, "", "policy.py")
    sentence = r"there is no file .*polcy\.py; a problem file was expected\. Did you mean `.*policy\.py`\?"
    with pytest.raises(InputError, match=sentence):
        load(str(tmp_path / "polcy.py"))
    with pytest.raises(InputError, match="is a directory"):
        load(f"{tmp_path}/")


# ---- what a file may do wrong ---------------------------------------------------------------------------------------------


WRONG = [
    (b"x = '\xb5'", r"page\.py is not UTF-8 \(byte 0xB5 at 5\)"),
    ("x = 1\ny = (\n", r"page\.py:2: this is not Python: '\(' was never closed"),
    ("x = 1\n\n1 / 0\n", r"page\.py:3: ZeroDivisionError: division by zero"),
    ("def f():\n    return 1 / 0\n\n\nf()\n", r"page\.py:2: ZeroDivisionError"),
    ("raise ValueError('one\\ntwo')", r"page\.py:1: ValueError: one"),
    ("import no_such_module_here", r"page\.py:1: ModuleNotFoundError: No module named 'no_such_module_here'"),
    (
        "raise ModuleNotFoundError(\"No module named 'torch'\")",
        r"page\.py:1: .*No module named 'torch': type pip install torch\.$",
    ),
    ("raise SystemExit(3)", r"page\.py:1: SystemExit: 3"),
    ("from gradcheck_rl.errors import ProblemError\nraise ProblemError('so it is.')", r"page\.py:2: so it is\.$"),
    ("x = 1\0", r"page\.py: .*null bytes"),
    ("", r"page\.py has no `problem`: end it with `problem = Problem\("),
    ("problem = 3", r"`problem` in .*page\.py is of type int: write `problem = Problem\(\.\.\.\)`"),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_a_wrong_file_is_described_in_one_line_and_leaves_nothing(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    path = page(tmp_path, text)
    before, search = pages(), list(sys.path)
    with pytest.raises(ProblemError, match=sentence) as caught:
        load(str(path))
    assert "\n" not in str(caught.value)
    executed = "problem" in sentence
    assert executed or pages() == before
    assert sys.path == search


CLAIMED = "Mean(Gradient(reinforce)), Gradient(J)), s"
TINY_WRONG = [
    ('"It is half of it.", Equal(', "3, Equal(", "says=3 of a claim is int: write text, in quotes"),
    ('source="T-003"', "source=3", "source=3 of a claim is int: write text, in quotes"),
    ('title="Two logits"', "title=None", "title=None of a problem is NoneType: write text, in quotes"),
    ('Size("K", 2, also=(3,))', 'Size("K", 2, also=3)', "also=3 of the size K is int: write also=(3,)."),
    ("errata=(halved,)", "errata=halved", "errata=... of 'Two logits' is one Erratum: write it with a comma, errata=(...,)."),
    ('((theta[0] ** 2 + 2 * theta[0] + 1, "expand"),)', '(theta[0], "expand")', "the steps of 'A square' are one step"),
    ("    Categorical,\n", "    Categorial,\n", "cannot import name 'Categorial' from 'gradcheck_rl'"),
    ("    Categorical,\n", "    Categorial,\n", "Did you mean `Categorical`?"),
    ('source="T-003"', 'sorce="T-003"', "it takes says, that, at, where, by, source, resolution. Did you mean `source`?"),
    ("Categorical(logits=theta)", "Categorical(logit=theta)", "it takes probs, logits, allowed. Did you mean `logits`?"),
    ("over=Uniform(-1, 1)", "ovr=Uniform(-1, 1)", "'ovr': it takes name, shape, over. Did you mean `over`?"),
    ("J = E(reward[action])", "J = E(max(reward[action], 0))", "write maximum, minimum, clip or step"),
    ("J = E(reward[action])", "J = E(action == 1)", "for 1 where it is and 0 elsewhere write KroneckerDelta"),
    ("softmax(theta)) * K", "theta.softmax(-1)) * K", "write the words of gradcheck_rl, as in exp(x), softmax(theta)"),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "Mean(Gradient(reinforce(theta, 1, 0))), 0), s", "named and not called"),
    ("Equal(Value(softmax(theta)) * K, 1)", "Equal(1, 1) and Equal(2, 2)", "write a claim for each, not `and` or `if`"),
    ("Equal(Value(softmax(theta)) * K, 1)", "Equal(theta == theta, 1)", "True is no formula"),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "Mean(reinforce), Gradient(J)), s", "Mean takes a quantity, not function"),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "Mean(Gradient(reinforce), over=theta), 0), s", "over=theta is Parameter"),
    (
        "Mean(Gradient(reinforce)), Gradient(J)), s",
        "Mean(Gradient(reinforce), over=__import__('gradcheck_rl').Rows(action=(0, 1), rewrad=(0, 1))), 0), s",
        "Rows(rewrad=...) asks for it. Did you mean `reward`?",
    ),
    (
        "def reinforce(theta, reward, action, log_pi=log_pi)",
        "def reinforce(*given, log_pi=log_pi)",
        "`reinforce` is given its arguments by name, and names none: write them, as def reinforce(theta).",
    ),
    ("    Categorical,\n", "    Rational,\n", "It is SymPy's: write `from sympy import Rational`."),
    ("J = E(reward[action])", "J = Sum(1, 2)", "name 'Sum' is not defined. It is SymPy's: write `from sympy import Sum`."),
    ("J = E(reward[action])", "J = tanh(theta[0])", "not defined. Write `from gradcheck_rl import tanh`."),
    ("J = E(reward[action])", "J = lnog(theta[0])", "name 'lnog' is not defined. Did you mean `log`?"),
    ("J = E(reward[action])", "J = softmax(theta).log()", "write the words of gradcheck_rl, as in exp(x), softmax(theta)"),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "Gradient(J), 0, by='proof'), s", "as in Claim('...', Equal(a, b), by="),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "Gradient(J), theta, 0), s", "a relation has two sides, as in Equal(a, b)."),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "Gradient(J)), s", "a relation has two sides, as in Equal(a, b)."),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "E(Gradient(reinforce)), 0), s", "its expectation is Mean(q), not E(q)"),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "sum(Gradient(J)), 0), s", "write an index, as in q[0], or q.sum()."),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "Gradient(J)[0, 1], 0), s", "[0, 1] is no index of a quantity"),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "Gradient(J)[action], 0), s", "[action] is no index of a quantity"),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "Gradient(Gradient(J)), 0), s", "second derivative is Gradient(diff(x, y))"),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "Gradient(J) ** 2, 0), s", "there are + - * /, q[0] and q.sum()"),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "abs(Gradient(J)), 0), s", "there are + - * /, q[0] and q.sum()"),
    ("Mean(Gradient(reinforce)), Gradient(J)), s", "reward @ Gradient(J), 0), s", "there are + - * /, q[0] and q.sum()"),
    (
        "Mean(Gradient(reinforce)), Gradient(J)), s",
        "Gradient(J), 0), where=(Equal(K, 2), Equal(K, 3)), s",
        "for both of two, where=",
    ),
    ("errata=(halved,)", "errata=(e for e in (halved,))", "errata=... of 'Two logits' is generator: write it in parentheses"),
    ("errata=(halved,)", "errata={halved}", "errata=... of 'Two logits' is set: write it in parentheses"),
    ("errata=(halved,)", "errata=None", "errata=... of 'Two logits' is NoneType: write it in parentheses"),
    ("errata=(halved,)", "errata=(), world=(3,)", "holds int: only a variable, a draw, a Named or a batch belongs there"),
    ("errata=(halved,)", "errata=(), world=theta", "world=... of 'Two logits' is one Parameter: write it with a comma"),
    ('title="Two logits"', 'title="Two logits", world=("theta",)', "holds str: only a variable, a draw, a Named or a batch"),
    ('Derivation("A square", ', "Derivation(3, ", "title=3 of a derivation is int: write text, in quotes"),
    ('"expand"),))', '"expand"),), at=3)', "at=3 of 'A square' gives no numbers by name: write at={'theta': (1, 1, 1)}"),
    (CLAIMED, "Gradient(J / 0), 0), s", "E[reward[action]] is no number anywhere"),
    (CLAIMED, "Gradient(J + E(reward[action] / 0)), 0), s", "zoo is 1/0"),
    (CLAIMED, "Gradient(softmax(theta[0])), 0), s", "write softmax(array(0, x)), or sigmoid(x) for two"),
    ('Draw("action", ', "Draw(3, ", "3 cannot be the name of an argument: write letters, digits and underscores"),
    ("logits=theta))", "logits=theta), breaks=(0,))", "breaks=... of Draw('action', ...) is for a Gaussian"),
    ("J = E(reward[action])", "J = E(rewrad[action])", "name 'rewrad' is not defined. Did you mean `reward`?"),
    ("J = E(reward[action])", "J = E(math.exp(theta[0]))", "name 'math' is not defined. Write `import math`."),
    ("J = E(reward[action])", "J = E(np.exp(theta[0]))", "name 'np' is not defined. Write `import numpy as np`."),
    ("J = E(reward[action])", "J = E(reward(action))", "an index is written in brackets, as in reward[action]"),
    ("J = E(reward[action])", "J = E(reward[int(action)])", "a draw is an index as it is, as in reward[action]"),
    ("J = E(reward[action])", "J = E(float(reward))", "write the words of gradcheck_rl, as in exp(x), softmax(theta)"),
    (
        "J = E(reward[action])",
        "J = E(reward[action], action, 2)",
        "but 3 were given: it takes x, over",
    ),
    (
        "Point(theta=0)",
        'Point({"theta": 0})',
        "but 2 were given: it takes names, as in theta=(1, 0).",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "sentence"), TINY_WRONG)
def test_a_slip_on_a_page_is_told_in_one_sentence(tmp_path: Path, right: str, wrong: str, sentence: str) -> None:
    text = TINY.read_text()
    assert text.count(right) == 1
    path = page(tmp_path, text.replace(right, wrong))
    with pytest.raises(ProblemError) as caught:
        load(str(path))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_a_name_too_long_for_a_file_is_no_file() -> None:
    with pytest.raises(InputError, match="there is no file a"):
        load("a" * 300 + ".py")


def test_an_exception_that_cannot_be_shown_is_described(tmp_path: Path) -> None:
    path = page(tmp_path, "class Mute(Exception):\n    def __str__(self):\n        raise Mute\n\n\nraise Mute\n")
    with pytest.raises(ProblemError, match=r"page\.py:6: .*Mute"):
        load(str(path))


def test_an_interrupt_is_no_error_of_the_file(tmp_path: Path) -> None:
    before = pages()
    with pytest.raises(KeyboardInterrupt):
        load(str(page(tmp_path, "raise KeyboardInterrupt")))
    assert pages() == before


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode)))
def test_no_file_makes_another_kind_of_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = page(tmp_path_factory.mktemp("any"), content)
    with pytest.raises(GradcheckError):
        load(str(path))


# ---- functions of an answer -----------------------------------------------------------------------------------------------


def test_what_can_be_called_is_found_by_name(tmp_path: Path) -> None:
    text = "import math\nfrom gradcheck_rl import torch\nx = 3\n\n\ndef f():\n    return x\n\n\ndef _g():\n    pass\n"
    path = page(tmp_path, text)
    functions = load_functions(str(path))
    assert list(functions) == ["f"]
    assert functions["f"]() == 3


def test_an_error_in_an_answer_is_the_input_s(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"page\.py:1: NameError"):
        load_functions(str(page(tmp_path, "nothing_like_this")))


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    assert load_functions(str(page(tmp_path, b"\xef\xbb\xbfdef f(): return 1")))["f"]() == 1


@given(st.lists(st.integers(0, 9), min_size=2, max_size=4))
def test_a_file_is_read_as_it_is_now_and_nothing_is_written_beside_it(
    tmp_path_factory: pytest.TempPathFactory, digits: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("now")
    for digit in digits:
        path = page(folder, f"def f(): return {digit}")
        assert load_functions(str(path))["f"]() == digit
    assert [p.name for p in folder.iterdir()] == ["page.py"]


def test_a_file_may_import_its_neighbour_but_hides_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    page(tmp_path, "value = 5", "neighbour_of_the_page.py")
    page(tmp_path, "raise ValueError", "colorsys.py")
    path = page(tmp_path, "import colorsys\nfrom neighbour_of_the_page import value\n\n\ndef f():\n    return value\n")
    assert load_functions(str(path))["f"]() == 5


def test_a_dataclass_in_an_answer_finds_its_module(tmp_path: Path) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Policy:\n    width: int\n"
    assert load_functions(str(page(tmp_path, text)))["Policy"](3).width == 3


# ---- a whole page ---------------------------------------------------------------------------------------------------------


def test_a_page_is_run_again_at_its_other_sizes() -> None:
    problem = load(str(TINY))
    assert (problem.id, problem.path) == ("tiny", str(TINY))
    assert problem.about.startswith("Two logits.")
    assert {"unbiased", "uniform", "halved", "square", "unnormalised"} == set(problem.names)
    [(sizes, other)] = problem.also
    assert dict(sizes) == {"K": 3}
    assert set(other.names) == {"unbiased"}, "only what is said of every point is said at other sizes"
    assert [p.bound.variables["theta"].shape for p in (problem, other)] == [(2,), (3,)]


def test_other_sizes_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    """And are the page as it was when it was loaded."""
    path = page(tmp_path, TINY.read_text().replace("theta = ", "if K == 3:\n    raise ValueError('three')\ntheta = ", 1))
    problem = load(str(path))
    assert len(problem.also) == 1
    path.write_text(TINY.read_text())
    with pytest.raises(ProblemError, match=r"page.py:\d+: ValueError: three"):
        list(problem.also)


def test_a_shipped_file_has_its_short_name_as_id(home: Path) -> None:
    page(home, TINY.read_text(), "problem3_tiny.py")
    assert load("tiny").id == load(str(home / "problem3_tiny.py")).id == "problem3"


def test_loading_a_page_does_not_load_torch() -> None:
    program = f"""
import sys
from gradcheck_rl.load import load
load({str(TINY)!r})
assert 'sympy' in sys.modules
assert 'torch' not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, cwd=TINY.parents[2])


def test_sources_are_read_without_running_the_page(tmp_path: Path) -> None:
    text = 'raise ValueError\nClaim("x", source="A-1, B-2")\nErratum("y",\n  source="C-3")\nopen(name="z")\nClaim(source=word)\n'
    assert sources(page(tmp_path, text)) == [("A-1, B-2", 2), ("C-3", 4)]


@given(st.lists(st.from_regex(r"[A-D]-[0-9]{3}", fullmatch=True)))
def test_statements_are_separated_by_commas(ids: list[str]) -> None:
    assert statements(", ".join(ids)) == statements(" ,".join(ids)) == ids


def test_two_functions_without_a_name_are_to_have_one(tmp_path: Path) -> None:
    text = TINY.read_text().replace(
        "Equal(Value(softmax(theta)) * K, 1)", "Equal(Value(lambda theta: theta), Value(lambda theta: 2))"
    )
    with pytest.raises(ProblemError, match="are called `<lambda>`: write them with def, since answers name them"):
        _ = load(str(page(tmp_path, text))).functions


def test_a_path_is_a_name_too(tmp_path: Path) -> None:
    path = page(tmp_path, TINY.read_text())
    assert load(path).id == load(str(path)).id == "page"


def test_a_page_in_a_package_is_told_how_to_import_its_neighbour(tmp_path: Path) -> None:
    page(tmp_path, "", "__init__.py")
    page(tmp_path, "half = 2\n", "neighbour_of_a_page.py")
    with pytest.raises(ProblemError, match="by its name alone, without a dot"):
        load(page(tmp_path, "from .neighbour_of_a_page import half\n" + TINY.read_text()))
    assert load(page(tmp_path, "from neighbour_of_a_page import half\n" + TINY.read_text())).id == "page"


def test_an_index_of_several_draws_is_told_what_to_write(tmp_path: Path) -> None:
    several = TINY.read_text().replace("import (", "import (\n    array,\n    batch,", 1)
    several = several.replace("J = E", "group = batch(action, 2)\npaid = reward[group['action']]\nJ = E", 1)
    with pytest.raises(ProblemError, match=re.escape("write array(*(reward[a] for a in group['action'])).")):
        load(page(tmp_path, several))
    mended = several.replace("reward[group['action']]", "array(*(reward[a] for a in group['action']))")
    assert load(page(tmp_path, mended)).title == "Two logits"


SLIPS = ("F.one_hot(action, len(theta)) @ theta", "F.one_hot(action, len(theta)).softmax(-1)[0]", "action.mean()")


@pytest.mark.parametrize("slip", SLIPS)
def test_whole_numbers_that_are_reckoned_with_are_told_what_to_write(tmp_path: Path, slip: str) -> None:
    code = "def reinforce(theta, reward, action, log_pi=log_pi):\n    import torch.nn.functional as F\n\n    return "
    text = TINY.read_text().replace("def reinforce(theta, reward, action, log_pi=log_pi):\n    return ", f"{code}{slip} * ")
    with pytest.raises(ProblemError, match=re.escape("whole numbers: to reckon with them write x.to(theta.dtype)")):
        check(load(page(tmp_path, text)))
    mended = text.replace("len(theta))", "len(theta)).to(theta.dtype)").replace("action.mean", "action.to(theta.dtype).mean")
    assert check(load(page(tmp_path, mended))).claims[0].verdict == "refuted"


@pytest.mark.parametrize(("scale", "verdict", "there"), [("gain", "proved", "agrees"), ("2 * gain", "refuted", "refuted")])
def test_a_corner_of_single_numbers_is_one_at_every_size(tmp_path: Path, scale: str, verdict: str, there: str) -> None:
    text = TINY.read_text().replace("J = E", 'gain = Variable("gain", over=Uniform(2, 3))\nJ = E', 1)
    text = text.replace(
        "\nunnormalised =",
        f'\nwhole = Claim("Whole.", Equal(Value({scale} * softmax(theta).sum()), 1), where=Equal(gain, 1))\n\nunnormalised =',
    )
    listed = "claims=(unbiased, uniform, whole),\n    corners=(Point(gain=1), Point(theta=(0, 0), gain=5)),"
    problem = load(page(tmp_path, text.replace("claims=(unbiased, uniform),", listed)))
    line = next(line for line in check(problem).claims if line.id == "whole")
    assert line.verdict == verdict and line.sizes == {"K = 3": there}


def test_a_point_gives_no_draw(tmp_path: Path) -> None:
    text = TINY.read_text()
    with pytest.raises(ProblemError, match="gives `action`, which is a draw; a point gives none: write a Variable"):
        load(page(tmp_path, text.replace("at=Point(theta=0)", "at=Point(theta=0, action=1)")))


@pytest.mark.parametrize("slope", ["Gradient(x / (x - x), x)", "Gradient(E(z + x / 0), x)"])
def test_what_is_no_number_has_no_slope(tmp_path: Path, slope: str) -> None:
    header = "from gradcheck_rl import *\nx, z = Variable('x'), Draw('z', Gaussian(0, 1))\n"
    claim = f"problem = Problem(title='T', claims=(Claim('It is flat.', Equal({slope}, 0)),))\n"
    with pytest.raises(ProblemError, match="is no number anywhere"):
        load(page(tmp_path, header + claim))


def test_what_a_draw_never_picks_may_have_no_value(tmp_path: Path) -> None:
    header = "from gradcheck_rl import *\ntheta = Parameter('theta', 2)\np = softmax(theta)\n"
    drawn = "a = Draw('a', Categorical(logits=array(theta[0], theta[1], 0), allowed=(1, 1, 0)))\n"
    same = "Equal(Gradient(E(log_prob(a))), Gradient((p * log(p)).sum()))"
    assert check(load(page(tmp_path, f"{header}{drawn}problem = Problem(title='T', claims=(Claim('So.', {same}),))\n"))).ok


@pytest.mark.parametrize("linked", [True, False])
def test_a_linked_page_finds_what_stands_beside_it(tmp_path: Path, linked: bool) -> None:
    kept, away = tmp_path / "kept", tmp_path / "away"
    kept.mkdir()
    away.mkdir()
    page(kept, "V = 3\n", "beside_it_alone.py")
    original = page(kept, TINY.read_text() + "\nfrom beside_it_alone import V\n", "tiny.py")
    seen = away / "seen.py"
    if linked:
        seen.symlink_to(original)
    assert load(seen if linked else original).title == "Two logits"


def test_a_misspelt_name_in_code_under_test_is_told_what_was_meant(tmp_path: Path) -> None:
    text = TINY.read_text().replace("return log_pi(theta)[action] * reward[action]", "return log_pi(theta)[action] * rewrad")
    with pytest.raises(ProblemError, match=r"name 'rewrad' is not defined \(page\.py:\d+\)\. Did you mean `reward`\?"):
        check(load(page(tmp_path, text)))


def test_code_that_waits_is_told_to_be_plain(tmp_path: Path) -> None:
    text = TINY.read_text().replace("def reinforce(", "async def reinforce(")
    with pytest.raises(ProblemError, match="returned coroutine; a tensor was expected: write def, without async"):
        check(load(page(tmp_path, text)))


def test_a_name_that_is_not_there_is_told_without_the_place_of_the_package(tmp_path: Path) -> None:
    path = tmp_path / "page.py"
    path.write_text("from gradcheck_rl import Rational\n")
    with pytest.raises(ProblemError) as caught:
        load(str(path))
    wanted = "cannot import name 'Rational' from 'gradcheck_rl'. It is SymPy's: write `from sympy import Rational`."
    assert str(caught.value) == f"{path}:1: ImportError: {wanted}"


@pytest.mark.parametrize("word", ["Eq(Gradient(J), 0)", "exp(Gradient(J))"])
def test_a_quantity_in_a_word_of_sympys_is_told_what_to_write(tmp_path: Path, word: str) -> None:
    path = tmp_path / "page.py"
    text = TINY.read_text().replace("J = E(reward[action])", "J = E(reward[action])\nimport sympy\nwrong = sympy." + word)
    path.write_text(text)
    with pytest.raises(ProblemError, match=r"claim Equal\(a, b\) in place of Eq\(a, b\), and write functions inside"):
        load(str(path))


@pytest.mark.parametrize(("values", "verdict"), [("self.w.log_softmax(-1)", "agrees"), ("self.w", "refuted")])
def test_a_network_in_a_file_of_answers_stands_for_the_function_whose_arguments_it_names(
    tmp_path: Path, values: str, verdict: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"""import torch
from gradcheck_rl import module

class Policy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(2))

    def forward(self):
        return {values}

def log_pi(theta): ...
log_pi = module(Policy, log_pi, theta="w")
""")
    page = load(str(TINY))
    mine = load_functions(str(path))["log_pi"]
    (line,) = [c for c in check(page, {page.functions["log_pi"]: mine}).claims if c.id == "unbiased"]
    assert line.verdict == verdict


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("theta.reshape(2)[0]", r"behind \[:\], as in theta\[:\]\.reshape\(4\)"),
        ("theta.softmax(-1)[0]", "a function of torch is named and not called"),
        ("(theta * 2).subs(theta[0], 1)[0]", r"or of each array\(\*\(f\.subs\(mu, 1\) for f in x\)\)"),
        ("theta.norm()", r"linear algebra is SymPy.s: write Matrix\(A\[:\]\)\.det\(\)"),
        ("theta.subs(theta[0], 1)[0]", r"or of each array\(\*\(f\.subs\(mu, 1\) for f in x\)\)"),
        ("(0 == 1) - theta[0]", r"write int\(i == j\), and KroneckerDelta\(i, j\)"),
        ("theta[0] * (0 == 0) - (0 == 1)", r"write int\(i == j\), and KroneckerDelta\(i, j\)"),
    ],
)
def test_a_method_of_numpy_and_a_comparison_are_told_how_to_be_written(tmp_path: Path, formula: str, says: str) -> None:
    text = TINY.read_text()
    assert "J = E(reward[action])" in text
    with pytest.raises(ProblemError, match=says):
        load(page(tmp_path, text.replace("J = E(reward[action])", f"J = E(reward[action] + {formula})")))


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        (
            "title=",
            "titel=",
            "it takes title, claims, errata, derivations, mistakes, corners, figures, world, points. Did you mean `title`?",
        ),
        ("logits=theta))", "logits=theta), break_=())", "it takes name, law, breaks. Did you mean `breaks`?"),
    ],
)
def test_arguments_are_told_that_an_author_writes(tmp_path: Path, right: str, wrong: str, sentence: str) -> None:
    test_a_slip_on_a_page_is_told_in_one_sentence(tmp_path, right, wrong, sentence)


def test_what_is_filled_in_is_an_argument() -> None:
    for name, filled in FILLED_IN.items():
        assert set(filled) < set(inspect.signature(getattr(gradcheck_rl, name)).parameters)


def test_what_is_pythons_own_is_not_imported(tmp_path: Path) -> None:
    path = tmp_path / "page.py"
    path.write_text("from gradcheck_rl import abs\n")
    with pytest.raises(
        ProblemError, match=r"cannot import name 'abs'.* It is Python's own: write `abs\(x\)`, without an import\."
    ):
        load(str(path))


@pytest.mark.parametrize("formula", ["(theta + theta)", "array(theta[0], 1)"])
def test_a_formula_of_arrays_is_asked_for_no_array(tmp_path: Path, formula: str) -> None:
    text = TINY.read_text().replace("import (", "import (\n    array,", 1)
    text = text.replace("J = E(reward[action])", f"J = E(reward[action] + 0 * {formula}[:][0])")
    load(page(tmp_path, text))
    with pytest.raises(ProblemError, match=r"a formula of arrays is one as it is, .* a Named write A\[:\]\.$"):
        load(page(tmp_path, text.replace("[:]", ".array")))


@pytest.mark.parametrize("relation", ["Equal", "AtMost", "Differs"])
def test_copies_are_of_a_mean_and_not_of_a_relation(tmp_path: Path, relation: str) -> None:
    path = tmp_path / "page.py"
    path.write_text(f"from gradcheck_rl import {relation}\n{relation}(1, 2, over=3)\n")
    with pytest.raises(ProblemError, match=r"argument 'over': that is said of the mean inside, as in Equal\(Mean\("):
        load(str(path))
