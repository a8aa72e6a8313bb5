"""Lint: what would end a run of a page is told, all of it; what a page may want besides is advice."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gradcheck_rl import check
from gradcheck_rl.cli import main
from gradcheck_rl.lint import linted
from gradcheck_rl.load import load, shipped

TINY = Path(__file__).parent / "pages" / "tiny.py"


def page(folder: Path, text: str) -> Path:
    path = folder / "page.py"
    path.write_text(text)
    return path


def told(path: Path) -> tuple[list[str], list[str]]:
    """The sentences, without the place."""
    faults, advice = linted(str(path))
    return [fault.removeprefix(f"{path}: ") for fault in faults], [line.partition(": advice: ")[2] for line in advice]


# ---- faults ---------------------------------------------------------------------------------------------------------------

SCORE = "return log_pi(theta)[action] * reward[action]"
LISTED = "claims=(unbiased, uniform),"
FAULTS = [
    (SCORE, "raise ValueError('no')", "'REINFORCE is unbiased.': `reinforce` raised ValueError: no (page.py:"),
    (SCORE, "pass", "'REINFORCE is unbiased.': `reinforce` returned None"),
    (LISTED, "claims=(unbiased, uniform, unbiased, unbiased),", "`unbiased` is listed 3 times in `problem`: list it once."),
    ("errata=(halved,)", "errata=(halved, halved)", "`halved` is listed 2 times in `problem`: list it once."),
    (
        "{log_pi: not_normalised}",
        "{reinforce: 3}",
        "the mistake 'logits for log-probabilities' does not fit: the answer for `reinforce` is int, not a function",
    ),
    ("theta = Parameter", "if K == 3:\n    raise ValueError('three')\ntheta = Parameter", "ValueError: three"),
]


@pytest.mark.parametrize(("right", "wrong", "sentence"), FAULTS, ids=range(len(FAULTS)))
def test_a_planted_fault_is_told(tmp_path: Path, right: str, wrong: str, sentence: str) -> None:
    text = TINY.read_text()
    assert text.count(right) == 1
    faults, _ = told(page(tmp_path, text.replace(right, wrong)))
    assert len(faults) == 1 and sentence in faults[0] and "\n" not in faults[0]


def test_all_faults_of_a_page_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = TINY.read_text()
    for right, wrong, _ in FAULTS[1:3] + FAULTS[4:]:
        text = text.replace(right, wrong)
    path = page(tmp_path, text)
    assert main(["lint", str(path), "absent.py", str(TINY)]) == 2
    out, err = capsys.readouterr()
    rows = err.splitlines()
    assert len(rows) == 5 and all(row.startswith(f"error: {path}") for row in rows[:4]) and "absent.py" in rows[4]
    assert "no mistake replaces `reinforce`" in out and "nothing to say" not in out
    assert told(TINY)[0] == []


def test_a_page_that_claims_nothing_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = page(tmp_path, "from gradcheck_rl import Problem\nproblem = Problem(title='P')\n")
    assert told(path)[0] == ["it claims nothing, so that nothing is checked: write claims=(...) of its `problem`."]
    assert main(["lint", str(path)]) == 4
    assert "nothing to say" not in capsys.readouterr().out


def test_of_a_page_that_does_not_load_what_can_be_read_is_told(tmp_path: Path) -> None:
    path = page(tmp_path, "import torch\nproblem = 3\n")
    faults, advice = told(path)
    assert len(faults) == len(advice) == 1 and "is of type int" in faults[0] and "torch is imported" in advice[0]


def test_what_is_to_raise_may_raise(tmp_path: Path) -> None:
    raising = 'raising = Claim("It raises.", Raises(broken, ValueError))\n'
    text = (
        TINY.read_text().replace("import (", "import (\n    Raises,", 1).replace(LISTED, "claims=(unbiased, uniform, raising),")
    )
    text = text.replace("uniform = Claim", f"def broken(theta):\n    raise ValueError\n\n\n{raising}uniform = Claim")
    assert told(page(tmp_path, text))[0] == []


@pytest.mark.parametrize("name", [problem.id for problem in shipped()])
def test_the_shipped_pages_have_no_fault(name: str) -> None:
    assert linted(name)[0] == []


# ---- advice ---------------------------------------------------------------------------------------------------------------


def test_claims_that_a_report_tells_apart_by_number_are_told(tmp_path: Path) -> None:
    one = 'Claim("One.", Equal(Value(softmax(theta)) * K, 1), at=Point(theta=0))'
    path = page(tmp_path, TINY.read_text().replace(LISTED, f"claims=(unbiased, uniform, {one}, {one}, {one}),"))
    faults, advice = told(path)
    assert faults == [] and advice[1:] == ["3 claims say 'One.': give each a name, as in `one = Claim(...)`."]
    named = path.read_text().replace(f"{one}, {one}, {one}", f"first, second, {one}")
    named = named.replace("problem = Problem(", f"first = {one}\nsecond = {one}\nproblem = Problem(")
    assert told(page(tmp_path, named)) == ([], advice[:1])


def test_each_planted_doubt_is_advice_at_its_line(tmp_path: Path) -> None:
    text = TINY.read_text()
    assert told(TINY)[1] == ["no mistake replaces `reinforce`: nothing shows that a claim would notice a wrong one."]
    planted = text.replace("claims=(unbiased, uniform)", "claims=(unbiased,)").replace("    mistakes=(unnormalised,),\n", "")
    planted = planted.replace("from gradcheck_rl", "import torch.nn\nfrom gradcheck_rl")
    path = page(tmp_path, planted)
    at = {line: number for number, line in enumerate(planted.splitlines(), start=1)}

    def line(start: str) -> int:
        return next(number for text, number in at.items() if text.startswith(start))

    found = [
        ("import torch", "torch is imported when the file is read, which is slow: write `from gradcheck_rl import torch`."),
        ("def log_pi", "no mistake replaces `log_pi`: nothing shows that a claim would notice a wrong one."),
        ("def reinforce", "no mistake replaces `reinforce`: nothing shows that a claim would notice a wrong one."),
        ("uniform", "`uniform` is written but not listed in `problem`: it is not checked."),
        ("unnormalised", "`unnormalised` is written but not listed in `problem`: it is not checked."),
    ]
    assert linted(str(path)) == ([], [f"{path}:{line(start)}: advice: {says}" for start, says in found])


def test_a_name_that_is_written_twice_is_told(tmp_path: Path) -> None:
    text = TINY.read_text().replace(
        "problem = Problem(", "J, theta_old = E(reward[0]), theta\n\n\ndef action():\n    pass\n\n\nproblem = Problem("
    )
    path = page(tmp_path, text)
    found = told(path)[1]
    lines = {
        start: text.splitlines().index(next(x for x in text.splitlines() if x.startswith(start))) + 1
        for start in ("J =", "action =")
    }
    assert found[1:] == [
        f"`{name}` is written before, on line {lines[f'{name} =']}: give one of them another name." for name in ("J", "action")
    ]


README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
(CHAIN,) = (block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "Derivation(" in block)


def test_a_chain_that_goes_on_under_its_name_is_not_written_twice(tmp_path: Path) -> None:
    assert told(page(tmp_path, CHAIN)) == ([], [])
    _, advice = told(page(tmp_path, CHAIN + 'score = Derivation("Another", theta[0], ((theta[0], "as it is"),))\n'))
    assert advice == ["`score` is written before, on line 6: give one of them another name."]


def test_of_a_function_without_a_name_no_mistake_is_expected(tmp_path: Path) -> None:
    text = (
        "from gradcheck_rl import Claim, Equal, Gradient, Parameter, Problem\n\n"
        'x = Parameter("x")\nso = Claim("So.", Equal(Gradient(f), 2 * x))\nproblem = Problem(title="P", claims=(so,))\n'
    )
    assert told(page(tmp_path, text.replace("(f)", "(lambda x: x**2)"))) == ([], [])
    named = text.replace("\n\nx =", "\n\n\ndef f(x):\n    return x**2\n\n\nx =")
    assert "no mistake replaces `f`" in told(page(tmp_path, named))[1][0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(value=st.integers(-99, 99), resolution=st.sampled_from(["0.05", "1e-2", "1e-4", "1e-6"]), digits=st.integers(1, 7))
@example(value=28, resolution="1e-2", digits=1)
def test_digits_that_leave_a_claim_undecided_are_told_with_what_is_enough(
    value: int, resolution: str, digits: int, tmp_path: Path
) -> None:
    printed = f"{float(round(Fraction(value, 7), digits)):.{digits}f}"
    text = "from gradcheck_rl import Claim, Equal, Exact, Printed, Problem\nfrom sympy import Rational\n\n"
    text += f'so = Claim("So.", Equal(Exact(Rational({value}, 7)), Printed("{printed}")), resolution={resolution})\n'
    text += 'problem = Problem("P", claims=(so,))\n'
    _, advice = told(page(tmp_path, text))
    assert bool(advice) == (check(load(page(tmp_path, text))).claims[0].verdict == "undecided")
    if advice:
        mended = re.sub(r"resolution=[^)]*", advice[0].partition(": write ")[2].rstrip("."), text)
        assert told(page(tmp_path, mended))[1] == [] and check(load(page(tmp_path, mended))).ok


def test_a_number_without_decimals_is_to_have_some(tmp_path: Path) -> None:
    text = TINY.read_text().replace("Equal(Value(softmax(theta)) * K, 1)", 'Equal(Value(theta), Printed("0"))')
    path = page(tmp_path, text.replace("import (", "import (\n    Printed,", 1))
    assert "`uniform` has too few digits for resolution=1e-06: quote more of them." in told(path)[1]


def test_a_chain_of_one_line_is_told(tmp_path: Path) -> None:
    _, advice = told(page(tmp_path, CHAIN.partition("score = collect")[0]))
    assert advice == ["`score` is one line, of which nothing is checked: write what it equals, and why."]


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ("Equal(J, J + 0.1 + 1 / 3)", "'Faulty.': 0.43333333333333335 is a rounded number inside a formula"),
        ("Equal(E(tanh(Draw('z', Gaussian(0, 1)))), 0.1)", "'Faulty.': 0.1 is a rounded number inside a formula"),
        ("Equal(Mean(Gradient(reinforce)), Gradient(J + step(theta[0])))", "meets the jump"),
    ],
)
def test_a_fault_of_a_formula_is_told_though_its_code_was_tried(tmp_path: Path, claim: str, says: str) -> None:
    text = TINY.read_text().replace("import (", "import (\n    Gaussian,\n    step,\n    tanh,", 1)
    text = text.replace("\nunnormalised =", f'\nfaulty = Claim("Faulty.", {claim})\n\nunnormalised =')
    faults, _ = told(page(tmp_path, text.replace("(unbiased, uniform)", "(unbiased, uniform, faulty)")))
    assert len(faults) == 1 and says in faults[0]


@pytest.mark.parametrize(("others", "says"), [(1, "1 more function is not"), (2, "2 more functions are not")])
def test_one_more_is_one(tmp_path: Path, others: int, says: str) -> None:
    names = [f"f{n}" for n in range(2 + others)]
    code = "".join(f"def {name}(theta):\n    return theta.sum()\n\n\n" for name in names)
    claims = ", ".join(f'Claim("{name}.", Equal(Value({name}), theta.sum()))' for name in names)
    text = TINY.read_text().replace("def not_normalised", code + "def not_normalised")
    _, advice = told(page(tmp_path, text.replace("(unbiased, uniform)", f"(unbiased, uniform, {claims})")))
    assert any(says in line for line in advice)


@pytest.mark.parametrize(
    ("how", "told"), [('by="sampled"', True), ('by="sampled", resolution=0.05', False), ('by="listed"', False)]
)
def test_samples_that_are_asked_for_too_much_are_told(tmp_path: Path, how: str, told: bool) -> None:
    text = TINY.read_text().replace('Gradient(J)), source="T-001, T-002")', f"Gradient(J)), {how})")
    path = tmp_path / "fine.py"
    path.write_text(text)
    _, advice = linted(str(path))
    assert any("`unbiased` is sampled alone, to a resolution of 1e-06" in line for line in advice) == told


def test_what_errata_alone_run_asks_for_no_mistake_and_what_a_claim_runs_does(tmp_path: Path) -> None:
    wrong = (
        "def halved_code(theta, reward, action):\n    return log_pi(theta)[action] * reward[action] / 2\n\n\nunbiased = Claim("
    )
    text = TINY.read_text().replace("unbiased = Claim(", wrong, 1)
    in_erratum = text.replace("Gradient(reinforce)), Gradient(J) / 2)", "Gradient(halved_code)), Gradient(J))")
    assert "Gradient(halved_code)" in in_erratum
    assert told(page(tmp_path, in_erratum)) == told(TINY)
    claim = 'uniform = Claim("It is half.", Equal(Mean(Gradient(halved_code)), Gradient(J) / 2))\nodd = Claim('
    in_claim = in_erratum.replace("uniform = Claim(", claim, 1)
    advice = told(page(tmp_path, in_claim))[1]
    assert "no mistake replaces `halved_code`: nothing shows that a claim would notice a wrong one." in advice
