"""`derive`: chains whose equals signs are checked, in every format; numbers; rules; code that agrees with the model."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gradcheck_rl import (
    Categorical,
    Claim,
    Derivation,
    Draw,
    E,
    Equal,
    Gaussian,
    Integers,
    LogRational,
    Named,
    Parameter,
    Problem,
    ProblemError,
    Simplex,
    Uniform,
    Variable,
    array,
    check,
    clip,
    collect,
    diff,
    differentiate,
    erf,
    erfc,
    erfinv,
    exp,
    expand_log,
    frozen,
    generate,
    log,
    maximum,
    minimum,
    softmax,
    step,
    substitute,
    take_expectation,
    tanh,
    then,
)
from gradcheck_rl.cli import main
from gradcheck_rl.derivation import at_size
from gradcheck_rl.derive import called, derived, other_lines, read_values
from gradcheck_rl.errors import InputError, Unsuitable
from gradcheck_rl.generate import function
from gradcheck_rl.graph import Graph
from gradcheck_rl.languages import speaker
from gradcheck_rl.load import shipped
from gradcheck_rl.normal_form import is_zero
from gradcheck_rl.notation import notation
from gradcheck_rl.render import derivation as renderers
from gradcheck_rl.render import html, latex, markdown, text, typst
from gradcheck_rl.render import json as json_renderer
from gradcheck_rl.report import Report
from gradcheck_rl.sums import Form, NotShown, for_any

from .reading import chains, problem

PROBLEMS = [page.id for page in shipped()]

theta = Parameter("theta", 2, over=LogRational())
reward = Variable("reward", 2)
action = Draw("action", Categorical(logits=theta))
pi = Named("pi", softmax(theta))
J = E(reward[action])
K, i, k = sp.symbols("K i k", integer=True)
R, W = sp.IndexedBase("R", real=True), sp.IndexedBase("w", real=True)


def steps(*chains: Derivation) -> list[str]:
    return [line.verdict for line in check(Problem("P", derivations=chains)).claims]


def run(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    return code, out.getvalue(), err.getvalue()


# ---- rules ----------------------------------------------------------------------------------------------------------------


def test_each_rule_is_a_step_that_is_checked() -> None:
    score = collect(differentiate(expand_log(Derivation("The score", sp.Derivative(log(pi[0]), theta[0])))), pi)
    slope = then(take_expectation(Derivation("The slope", J)), pi[0] * reward[0] + pi[1] * reward[1], "by hand")
    assert score.lines[-1][0] == 1 - pi[0]
    assert [why for _, why in score.lines[1:]] == [
        "the logarithm of a product is a sum",
        "differentiate",
        "by the definition of pi",
    ]
    assert set(steps(score, slope)) == {"proved"}


def test_a_substitution_that_is_no_identity_is_refuted() -> None:
    """At the drawn points reward is not 0: the counterexample names the place."""
    chain = substitute(Derivation("Set to zero", J), {reward: 0}, "let the reward be zero")
    (line,) = check(Problem("P", derivations=(chain,))).claims
    assert line.verdict == "refuted" and line.witness is not None and "reward" in line.witness


@pytest.mark.parametrize("rule", [expand_log, differentiate, take_expectation], ids=lambda rule: rule.__name__)
def test_a_rule_with_nothing_to_do_says_so(rule: Any) -> None:
    with pytest.raises(ProblemError, match=f"^{rule.__name__} finds no .* 'Plain': write the line itself, as then"):
        rule(Derivation("Plain", theta[0] + 1))


@given(st.sampled_from([0.5, 1, 2, 3]), st.sampled_from(["sign", "factor", "term"]))
def test_a_planted_slip_is_found_where_it_is(size: float, slip: str) -> None:
    right = pi[0] * pi[1] * (reward[0] - reward[1])
    c = sp.Rational(size).limit_denominator(9)
    wrong = {"sign": -right, "factor": right * (1 + c), "term": right + c}[slip]
    chain = Derivation("J", J.diff(theta[0]), ((right, "the gradient"), (wrong, "a slip"), (wrong + 0 * theta[1], "no change")))
    assert steps(chain) == ["proved", "refuted", "proved"]


# ---- any size -------------------------------------------------------------------------------------------------------------

h, j, n = sp.symbols("h j n", integer=True)
MARKS = sp.IndexedBase("m", positive=True)


def over_all(term: Any, index: Any) -> Any:
    return sp.Sum(term, (index, 0, K - 1))


COUNT = over_all(1, i)
TRIED = (2, 3, 4, 5, 6)
WRONG_BEYOND = K + sp.Mul(*(K - size for size in TRIED))
ONLY_AT = "proved at K = 2, 3, 4, 5, 6"


def test_what_is_proved_at_some_sizes_is_not_proved() -> None:
    """1 + ... + 1 = K, and a polynomial that is K at 2, ..., 6: at 7 it is 127."""
    wrong, right = (Derivation("The count", COUNT, ((last, "counted"),), sizes={K: TRIED}) for last in (WRONG_BEYOND, K))
    report = check(Problem("P", derivations=(wrong, right)), formulas=True)
    assert [(line.verdict, line.remark) for line in report.claims] == [("agrees", ONLY_AT), ("proved", "")]
    assert not any(route.verdict == "proved" for route in report.claims[0].routes)
    assert (report.summary["proved"], report.summary["agrees"]) == (1, 1)
    beyond = Derivation("The count", COUNT, ((WRONG_BEYOND, "counted"),), sizes={K: (*TRIED, 7)})
    assert steps(beyond) == ["refuted"]


def test_every_format_says_at_which_sizes() -> None:
    chain = Derivation("Powers", K**3 * W[i], (((K**3 + (K - 2) * (K - 3)) * W[i], "cubed"),), sizes={K: (2, 3), i: (0, 1)})
    report = check(Problem("P", derivations=(chain,)), formulas=True)
    wanted = "proved at K = 2, 3; i = 0, 1"
    reports = [kind.render([report]) for kind in (text, html, markdown, latex, typst, json_renderer)]
    derived_ones = [text.derivations(report), *(render(report, ()) for render in renderers.FORMATS.values())]
    for written in (*reports, *derived_ones):
        assert wanted in " ".join(written.replace("\\", "").split()), written
    assert "证明于 K = 2, 3; i = 0, 1" in text.derivations(report, text.Screen(say=speaker("zh")))


# By its definition a sum is the same with another letter; sum c f = c sum f; of sum d_ik f(k) one term is left;
# and the slope of log sum e^w_k is a share.
SHARE = sp.exp(W[i]) / over_all(sp.exp(W[h]), h)
IDENTITIES = {
    "renamed": (over_all(R[k] * W[k], k), over_all(R[n] * W[n], n)),
    "constants": (over_all(R[i] * (2 * W[k] + 1), k), 2 * R[i] * over_all(W[n], n) + K * R[i]),
    "one term": (over_all(sp.KroneckerDelta(i, k) * R[k], k), R[i]),
    "exchanged": (over_all(W[k] * over_all(R[n] * MARKS[k], n), k), over_all(R[k], k) * over_all(MARKS[k] * W[k], k)),
    "slope": (sp.Derivative(sp.log(over_all(sp.exp(W[k]), k)), W[i]), SHARE),
    "shares": (over_all(SHARE, i), sp.S.One),
    "cases": (sp.KroneckerDelta(i, j) * W[i], sp.KroneckerDelta(i, j) * W[j]),
}


@pytest.mark.parametrize("name", IDENTITIES)
@given(c=st.fractions(-3, 3, max_denominator=3).filter(bool))
def test_what_only_moves_is_proved_for_any_size_and_a_planted_slip_is_not(name: str, c: Fraction) -> None:
    left, right = IDENTITIES[name]
    q, ends = sp.Rational(c.numerator, c.denominator), (sp.S.Zero, K - 1)
    assert for_any(left * q, right * q, {i: ends, j: ends})
    assert not for_any(left * q, right * q + sp.Mul(*(K - size for size in TRIED)), {i: ends, j: ends})


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (sp.Sum(sp.KroneckerDelta(i, k) * R[k], (k, 0, K - 2)), R[i]),  # i = K - 1 is no term of it
        (sp.Sum(1, (k, 0, K - 3)), K - 2),  # of K = 0 there are none, and not -2
        (sp.Derivative(W[0] ** 2, W[i]), sp.S.Zero),  # i may be 0
        (over_all(sp.KroneckerDelta(k, j) * sp.Product(R[k] + R[j], (j, 0, 1)), k), sp.Product(2 * R[j], (j, 0, 1))),
        (over_all(over_all(R[k] * W[n], n), k), over_all(R[k] * W[k], k)),
        (sp.Sum(sp.Sum(1, (n, 0, k)), (k, -3, K)), sp.Sum(k + 1, (k, -3, K))),  # of k = -3 there are none, and not -2
        (sp.KroneckerDelta(i, j) * W[i], W[i]),
        (sp.KroneckerDelta(i, j) * W[i], sp.S.Zero),
    ],
)
def test_what_does_not_hold_for_every_size_is_not_proved(left: Any, right: Any) -> None:
    ends = (sp.S.Zero, K - 1)
    assert not for_any(left, right, {i: ends, j: ends})


@st.composite
def with_sums(draw: st.DrawFn, letters: tuple[Any, ...] = (i, j), depth: int = 3) -> Any:
    """A formula with sums in it, one inside the other."""
    at = st.sampled_from(letters)
    kind = draw(st.sampled_from(["entry", "delta", "number"] + ["sum", "sum", "+", "*", "exp", "slope"] * (depth > 0)))
    inner = with_sums(letters, depth - 1)
    match kind:
        case "entry":
            return draw(st.sampled_from([R, W]))[draw(at)]
        case "delta":
            return sp.KroneckerDelta(draw(at), draw(at))
        case "number":
            return draw(st.sampled_from([sp.Integer(2), K, *letters]))
        case "sum":
            index = sp.Symbol(draw(st.sampled_from("knh")), integer=True)
            low, high = draw(st.sampled_from([(0, K - 1), (0, K - 1), (1, K), (0, draw(at))]))
            return sp.Sum(draw(with_sums((*letters, index), depth - 1)), (index, low, high))
        case "exp":
            return sp.exp(draw(inner))
        case "slope":
            return sp.Derivative(draw(inner), W[draw(at)])
        case _:
            return (sp.Add if kind == "+" else sp.Mul)(draw(inner), draw(inner))


@given(with_sums())
@example(over_all(W[k] * sp.Sum(R[n], (n, 0, k)), k))
@settings(max_examples=300)
def test_a_sum_taken_apart_is_worth_the_same_at_every_size(e: Any) -> None:
    ends = (sp.S.Zero, K - 1)
    try:
        apart = Form({i: ends, j: ends}).of(e)
    except NotShown:
        return
    for size in (1, 2, 3):
        for case in ({K: size, i: a, j: b} for a in range(size) for b in range(size)):
            left, right = at_size(e, case), at_size(apart, case)
            assert sp.expand(left - right) == 0 or is_zero(left - right), (e, apart, case)


# ---- the shipped pages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_page_has_a_derivation_that_holds_and_one_that_ends_in_numbers(name: str) -> None:
    report = chains(name)
    assert report.derivations and report.ok, report.text()
    assert [c.title for c in report.derivations if not letters(c.forms[-1].math)]


def letters(tree: Any) -> bool:
    """Is there a letter in it?"""
    return (tree[0] == "id" and tree[1] not in ("pi", "e")) or any(
        letters(part) for part in tree if isinstance(part, list) and part
    )


@pytest.mark.parametrize("name", ["problem1"])
def test_the_page_s_own_numbers_are_reached(name: str) -> None:
    """Question 1 of problem 1: each action once, rewards -1, 0, 1, weights 1. By hand: (r_i - mean r) / 3."""
    page = next(c for c in chains(name).derivations if "at w" in c.title)
    assert page.forms[-1].latex == r"\begin{pmatrix} -\frac{1}{3} \\[1ex] 0 \\[1ex] \frac{1}{3} \end{pmatrix}"


@pytest.mark.parametrize("name", PROBLEMS)
def test_nothing_that_sympy_writes_is_left(name: str) -> None:
    for chain in chains(name).derivations:
        for form in chain.forms:
            assert not any(word in form.latex + form.text for word in ("Piecewise", "Derivative", "Sum(", "_xi", "Dummy", "pick"))


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_report_with_formulas_is_what_the_schema_says(name: str) -> None:
    import jsonschema

    from gradcheck_rl.render import json as json_renderer

    schema = json.loads((Path(generate.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))
    report = chains(name)
    jsonschema.validate(json.loads(json_renderer.render([report])), schema)
    assert json_renderer.read(json_renderer.render([report])) == [report]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed: apt-get install texlive-latex-base")
@pytest.mark.parametrize("name", PROBLEMS)
def test_latex_compiles_and_fits_the_page(name: str, tmp_path: Path) -> None:
    log_of = compiled(renderers.latex(chains(name), ("a note",)), tmp_path)
    assert "Overfull" not in log_of


def compiled(source: str, folder: Path) -> str:
    (folder / "page.tex").write_text(source, encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "page.tex"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, env={**os.environ, "openin_any": "p"})
    assert done.returncode == 0, done.stdout[-2000:]
    return (folder / "page.log").read_text(encoding="latin-1")


HOSTILE = "\\input{/etc/passwd} $x$ % & # _ ^ ~ { } <script>alert(1)</script> *b* `c` [d](e) | "
HOSTILE += "\x1b[31m \x00 \u202e 中文 é ß 𝔼 “q” --> ```"


@pytest.fixture(scope="module")
def hostile() -> Report:
    chain = Derivation(HOSTILE, theta[0] + theta[1], ((theta[1] + theta[0], HOSTILE), (theta[0] - theta[1], HOSTILE)))
    return check(Problem(HOSTILE, derivations=(chain,)))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed: apt-get install texlive-latex-base")
def test_text_from_anywhere_compiles(hostile: Report, tmp_path: Path) -> None:
    compiled(renderers.latex(hostile, (HOSTILE,)), tmp_path)


def test_text_from_anywhere_is_only_text(hostile: Report) -> None:
    for name, render in renderers.FORMATS.items():
        written = render(hostile, (HOSTILE,))
        assert not any(c in written for c in "\x1b\x00\u202e"), name
    assert "<script>" not in renderers.markdown(hostile, (HOSTILE,))
    assert r"\input" not in renderers.latex(hostile, ())
    assert "-->" not in renderers.markdown(hostile, (HOSTILE,)).split("<!--", 1)[1].split("\n")[0].removesuffix("-->")


def test_what_does_not_hold_is_marked_in_every_format(hostile: Report) -> None:
    for name, render in renderers.FORMATS.items():
        assert "refuted" in render(hostile, ()), name


@pytest.mark.parametrize("name", PROBLEMS)
def test_typst_compiles(name: str, tmp_path: Path) -> None:
    typst = pytest.importorskip("typst", reason="typst is not installed: the extra `pdf` has it")
    (tmp_path / "page.typ").write_text(renderers.typst(chains(name), ("a note",)), encoding="utf-8")
    assert typst.compile(str(tmp_path / "page.typ"))[:4] == b"%PDF"


@pytest.fixture(scope="module")
def wide() -> Report:
    x, g = Variable("x"), Variable("g_hat")
    powers = sum(x**n * g / (n + 1) for n in range(1, 14))
    slope = diff(minimum(x * g, clip(x, sp.Rational(4, 5), sp.Rational(6, 5)) * g), x)
    chains = (Derivation("Long", powers / (1 + powers), ((1 - 1 / (1 + powers), "because " * 40),)),)
    return check(
        Problem("Wide", derivations=(*chains, Derivation("Kinks", slope, ((slope, "it is the same, by all that is known"),))))
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed: apt-get install texlive-latex-base")
def test_what_is_long_stays_on_the_page_in_latex(wide: Report, tmp_path: Path) -> None:
    assert "Overfull" not in compiled(renderers.latex(wide), tmp_path)


def test_what_is_long_stays_on_the_page_in_typst(wide: Report) -> None:
    """A page that is as wide as what it holds, between margins of 20 mm, is no wider than A4."""
    typst = pytest.importorskip("typst", reason="typst is not installed: the extra `pdf` has it")
    source = renderers.typst(wide).replace("#set page(", "#set page(width: auto, ")
    page = typst.compile(source.encode(), format="svg")
    found = re.search(rb'width="([\d.]+)pt"', page if isinstance(page, bytes) else page[0])
    assert found is not None and 300 < float(found[1]) < 595


# ---- numbers --------------------------------------------------------------------------------------------------------------


@given(st.lists(st.fractions(-5, 5, max_denominator=9), min_size=1, max_size=4), st.fractions(-5, 5, max_denominator=9))
def test_values_are_read_exactly(row: list[Fraction], x: Fraction) -> None:
    text = f"theta=({', '.join(map(str, row))},), s0={x}, y=log(2)*3, z=0.1"
    found = read_values(text)
    assert found["theta"] == tuple(sp.Rational(v.numerator, v.denominator) for v in row)
    assert found["s0"] == sp.Rational(x.numerator, x.denominator)
    assert found["y"] == 3 * sp.log(2) and found["z"] == sp.Rational(1, 10)


@pytest.mark.parametrize(
    "text",
    [
        *("", "theta", "theta=", "theta=x", "theta=(1,)*9", "a=1, a=2", "a='1'", "a=1 if 1 else 2", "a=9**9", "a=1e999999999"),
        *("__import__('os')", "a=__import__('os')", "a=[x for x in (1,)]", "a=lambda: 1", "a=exp(1).free_symbols", "a=1)+f(b=2"),
        *("a=1/0", "a=True", "a=None", "a=1j", "a=log(-1)", "a=sqrt(-1)", "a=(1, (2, 3))", "*a", "a=" + "(" * 300),
        *("a=1#", "a=1\n", "a=0x10000000000", "a=" + "9" * 20000),
    ],
)
def test_what_is_typed_is_read_and_never_run(text: str) -> None:
    with contextlib.suppress(InputError):
        assert all(isinstance(v, (sp.Expr, tuple)) for v in read_values(text).values())
        assert text.strip() in ("a=1#", "a=1", "a=0x10000000000")


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        read_values(text)


def test_values_are_put_in_and_checked() -> None:
    code, out, _ = run(
        "derive", "problem1", "--at", "w=(1,1,1), s0=1, R=(-1,0,2), m=(1,0,1)", "--only", "closed_form", "--format", "latex"
    )
    # Under the mask pi is (1/2, 0, 1/2) and the returns sum to 1: R_i - pi_i.
    assert code == 0 and r"\begin{pmatrix} -\frac{3}{2} \\[1ex] 0 \\[1ex] \frac{3}{2} \end{pmatrix}" in out


@pytest.mark.parametrize("word", ["theta", "θ", "w"])
def test_the_page_s_only_parameter_is_theta_too(word: str) -> None:
    """The issue's own words. What is left is as on the page, where each action is drawn once and R = (-1/3, 0, 1/3): R again."""
    code, out, _ = run("derive", "problem1", "--at", f"{word}=(1,1,1), s0=1", "--format", "latex")
    assert code == 0 and "The estimate, at w = (1, 1, 1), $s_{0}$ = 1 and, on the page, m" in out
    # Before that R and m are letters: at equal shares 1/3, R_0 - (R_0 + R_1 + R_2) / 3 is (2 R_0 - R_1 - R_2) / 3.
    assert r"\frac{R_{0}m_{1}+R_{0}m_{2}-R_{1}m_{0}-R_{2}m_{0}}{m_{0}+m_{1}+m_{2}}" in out
    assert r"\begin{pmatrix} -\frac{1}{3} \\[1ex] 0 \\[1ex] \frac{1}{3} \end{pmatrix}" in out


@pytest.mark.parametrize(
    ("words", "reached"),
    [
        # (x - mu)^2 has the slope -2 (x - mu) by mu, whose mean is 0; its square 4 (x - mu)^2 has the mean 4 sigma^2.
        (("problem3", "--at", "mu=2, sigma=1/2"), "mu = 2, sigma = "),
        (("problem3", "--at", "μ=2, σ=1/2"), "mu = 2, sigma = "),
        (("problem3", "--at", "theta=2"), "mu = 2"),
        (("problem1", "--at", "K=4"), "m₃"),  # the page's own data are of three
        (("problem5", "--at", "theta=((0, 0), (0, 0))"), "theta = ((0, 0), (0, 0))"),
    ],
)
def test_names_are_those_of_the_page(words: tuple[str, ...], reached: str) -> None:
    code, out, _ = run("derive", *words)
    assert code == 0 and reached in " ".join(out.split())


def test_theta_is_theta_where_there_is_one() -> None:
    policy = Parameter("policy", over=LogRational())
    square = Claim("A square.", Equal(policy**2, policy * policy))
    beside = Claim("Its own.", Equal(theta, theta))
    assert called(Problem(title="One", claims=(square,)), ["policy"]) == {"policy": "policy", "theta": "policy"}
    for page in (
        Problem(title="Two", claims=(square, beside)),
        Problem(title="Data", claims=(square,), world=(Variable("theta"),)),
    ):
        assert called(page, ["policy"]) == {"policy": "policy"}


def test_some_values_leave_the_other_letters() -> None:
    code, out, _ = run("derive", "problem1", "--at", "w=(0,0), m=(1,1), s0=1", "--only", "closed_form", "--format", "latex")
    assert code == 0 and r"\frac{R_{0}-R_{1}}{2}" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "tau=(1,1)"), "--at gives `tau`; the derivations of problem1 have K, R, i, m, s_0, w (theta is w)."),
        (("--at", "theta=(1,1), w=(2,1)"), "--at gives w twice, the second time as `w`: write it once."),
        (("--at", "w=1"), "--at gives w = 1: write one number for each, as in w=(1, 2, 3)."),
        (("--at", "w=(1,2), R=(1,2,3)"), "--at gives 2 entries of w, 3 entries of R: write as many of each."),
        (("--at", "s0=1"), "--at must say how many there are: write K=3 too."),
        (("--only", "closed"), "has no derivation `closed`: it has shares, closed_form. Did you mean `closed_form`?"),
    ],
)
def test_what_cannot_be_put_in_is_told(words: tuple[str, ...], said: str) -> None:
    code, out, err = run("derive", "problem1", *words)
    assert (code, out) == (2, "") and said in err


def test_only_what_holds_for_any_size() -> None:
    assert run("derive", "problem1", "--symbolic-k")[0] == 0
    code, _, err = run("derive", "problem4", "--symbolic-k")
    assert code == 2 and "no derivation of" in err and "is for any size" in err


def test_a_stamp_says_what_was_checked_and_with_what() -> None:
    code, out, _ = run("derive", "problem1", "--format", "latex", "--stamp", "--seed", "7")
    notes = [line for line in out.split("\n") if line.startswith("%")]
    assert code == 0 and "seed 7" in notes[0] and f"sympy {sp.__version__}" in notes[0]
    assert any(note.startswith("% closed_form.1: proved by proof; ") for note in notes)


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_erratum_stands_beside_the_right_line(name: str) -> None:
    """As two formulas, or where code must run for them as two sentences."""
    page, report = problem(name), chains(name)
    shown = [line for line in report.claims if line.kind == "erratum"]
    assert all(line.formula and line.right_formula and line.correction for line in shown)
    others = other_lines(page, [line.id for line in shown])
    formats = {"text": text.derivations(report, others=others)}
    formats |= {form: write(report, (), others) for form, write in renderers.FORMATS.items()}
    for form, out in formats.items():
        plain = "".join(c for c in out if c.isalnum())
        for erratum in page.errata:
            for says in (erratum.says, erratum.instead.says):
                words = [word for word in says.split() if word.isalpha()]
                assert all(word in plain for word in words), (form, says)
    assert formats["text"].count("as printed: ") == len(shown) and formats["text"].count("\n  → ") >= len(others)


# ---- a file of one's own --------------------------------------------------------------------------------------------------

OWN = '''"""Two actions."""

from gradcheck_rl import Derivation, LogRational, Named, Parameter, log, softmax

theta = Parameter("theta", 2, over=LogRational())
pi = Named("pi", softmax(theta))
right = Derivation("The log-odds", log(pi[0]) - log(pi[1]), ((theta[0] - theta[1], "the sums cancel"),))
'''


def test_a_file_of_derivations_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    code, out, err = run("derive", str(path))
    assert (code, err) == (0, "") and "Two actions" in out and "✓ proved  the sums cancel  right.1" in out
    path.write_text(OWN.replace("theta[0] - theta[1],", "theta[0] + theta[1],"))
    code, out, _ = run("derive", str(path))
    assert code == 1 and "✗ refuted  the sums cancel  right.1" in out and "at theta = (" in out
    head, said = run("derive", str(path), "--format", "numpy")[1].split("\n\n\n")
    assert (head, said) == ("import numpy as np", "# right: it is left out, since not every step of it holds.\n")


def test_torch_is_never_imported() -> None:
    script = (
        "import sys; from gradcheck_rl.cli import main; main(['derive', 'problem1', '--format', 'latex']); "
        "print([m for m in ('torch', 'scipy', 'matplotlib', 'rich') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "torch" not in done.stderr.split("\n")[-2]


# ---- code -----------------------------------------------------------------------------------------------------------------


def _run(text: str, name: str) -> Any:
    space: dict[str, Any] = {"np": np}
    exec(text, space)  # noqa: S102  (what the package has written, from the formulas of this file)
    return space[name]


def softmax_by_hand(x: Any, axis: int = 0) -> Any:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def test_a_softmax_is_shared_and_does_not_overflow() -> None:
    chain = Derivation("slope", pi[0] * pi[1] * (reward[0] - reward[1]))
    text = function("slope", chain, "numpy")
    assert text.count("np.logaddexp") == text.count("pi_0 =") == 1
    x, r = np.array([[0.0, 800.0, -800.0], [1.0, -800.0, 0.0]]), np.array([[1.0, 1.0, 1.0], [-1.0, 2.0, 0.0]])
    p = softmax_by_hand(x)
    np.testing.assert_allclose(_run(text, "slope")(r, x), p[0] * p[1] * (r[0] - r[1]), rtol=1e-12)


def test_what_is_masked_may_be_the_largest() -> None:
    weight = sp.IndexedBase("m", positive=True)

    def share(n: Any) -> Any:
        return weight[n] * sp.exp(W[n]) / sp.Sum(weight[k] * sp.exp(W[k]), (k, 0, K - 1))

    chain = Derivation("share", share(i) + sp.log(sp.Sum(weight[k] * sp.exp(W[k]), (k, 0, K - 1))), sizes={K: (2, 3), i: (0,)})
    text = function("share", chain, "numpy")
    assert text.count(".max(") == text.count("np.exp(") == 1  # the logarithm and the shares have the same exponentials
    x, m = np.array([[900.0, -900.0], [1.0, -901.0], [0.0, 3.0]]), np.array([[0.0, 1.0], [1.0, 2.0], [0.5, 0.0]])
    allowed = np.where(m > 0, x + np.log(np.where(m > 0, m, 1)), -np.inf)
    top = allowed.max(axis=0)
    log = top + np.log(np.exp(allowed - top).sum(axis=0))
    np.testing.assert_allclose(_run(text, "share")(m, x), np.exp(allowed - log) + log, rtol=1e-12)


def test_shares_are_divided_in_place_unless_their_exponentials_are_needed() -> None:
    def text(line: Any) -> str:
        return function("share", Derivation("share", line, sizes={K: (2, 3), i: (0,)}), "numpy")

    total = sp.Sum(sp.exp(W[k]), (k, 0, K - 1))
    share = Named("pi_i", sp.exp(W[i]) / total)[()]
    assert "    pi = np.exp(" in text(share * R[i] - share**2) and "    pi /= pi.sum(axis=0)\n" in text(share * R[i] - share**2)
    needed = text(share * R[i] - share**2 + sp.exp(W[i]) / 2 + sp.log(total))
    x, r = np.array([[0.0, 3.0], [1.0, -800.0]]), np.array([[1.0, 1.0], [-1.0, 2.0]])
    p = softmax_by_hand(x)
    np.testing.assert_allclose(_run(text(share * R[i] - share**2), "share")(r, x), p * r - p**2, rtol=1e-12)
    expected = p * r - p**2 + np.exp(x) / 2 + np.log(np.exp(x).sum(axis=0))
    np.testing.assert_allclose(_run(needed, "share")(r, x), expected, rtol=1e-12)


@pytest.mark.parametrize("needed", [False, True])
def test_what_is_needed_again_is_not_divided_in_place(needed: bool) -> None:
    graph = Graph([], generate.WORDS["numpy"])
    e = graph.node("exp", graph.node("name", extra="x"))
    share = graph.node("/", e, graph.node("sum", e, extra="0"))
    square = graph.node("*", share, share)
    text = generate.Text(graph, "numpy")
    (out,) = text.outputs([graph.node("+", square, e) if needed else square])
    assert any("/=" in line for line in text.lines) is not needed
    space: dict[str, Any] = {"np": np, "x": np.array([0.0, 1.0, 3.0])}
    exec("\n".join([*text.lines, f"out = {out}"]), space)  # noqa: S102
    p = softmax_by_hand(space["x"])
    np.testing.assert_allclose(space["out"], p**2 + (np.exp(space["x"]) if needed else 0), rtol=1e-12)


def test_letters_become_axes() -> None:
    weight = Named("pi_i", sp.exp(W[i]) / sp.Sum(sp.exp(W[k]), (k, 0, K - 1)))[()]
    chain = Derivation(
        "centred", weight * (R[i] - sp.Sum(R[k] * weight.xreplace({i: k}), (k, 0, K - 1))), sizes={K: (2, 3), i: (0,)}
    )
    text = function("centred", chain, "numpy")
    rng = np.random.default_rng(0)
    for n in (1, 4):
        r, w = rng.normal(size=(2, n, 5))
        p = softmax_by_hand(w)
        np.testing.assert_allclose(_run(text, "centred")(r, w), p * (r - (p * r).sum(axis=0)), rtol=1e-12)


TILT, CHANCE, HEAT = Variable("Q", 2), Variable("mu", 2, over=Simplex()), Variable("eta")
TILTED = CHANCE * exp(TILT / HEAT)


@pytest.mark.parametrize("named", [False, True])
def test_shares_of_chances_tilted_by_a_temperature_do_not_overflow(named: bool) -> None:
    """By a name they might be 0 before they are multiplied by what is large."""
    parts = Named("part", TILTED) if named else TILTED
    text = function("share", Derivation("share", (parts / parts.sum())[0]), "numpy")
    q, mu = (
        np.array([[900.0, 250.0, 3.0, -900.0], [0.0, 0.0, 1.0, 900.0]]),
        np.array([[0.5, 1.0, 0.0, 0.25], [0.5, 0.0, 1.0, 0.75]]),
    )
    heat = np.array([0.5, 0.25, 1.0, -2.0])
    np.testing.assert_allclose(_run(text, "share")(q, mu, heat), [1, 1, 0, 1], rtol=1e-12)


def test_code_that_overflows_where_one_variable_alone_is_large_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "stable", lambda e: e)
    with pytest.raises(Unsuitable, match=r"its code gives nan for .* it is not shown"):
        function("share", Derivation("share", (TILTED / TILTED.sum())[0]), "numpy")


def test_the_slope_of_tanh_keeps_its_digits() -> None:
    u = Variable("u")
    text = function("log_slope", Derivation("s", log(1 - tanh(u[()]) ** 2)), "numpy")
    # log(1 - tanh^2 u) = 2 log 2 - 2 |u| - 2 log(1 + e^(-2|u|)); the last is 2 e^-40 at u = 20.
    expected = 2 * np.log(2) - 40 - 2 * np.exp(-40.0)
    np.testing.assert_allclose(_run(text, "log_slope")(np.array([20.0, -20.0])), expected, rtol=1e-15)


def test_code_that_is_wrong_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Derivation("slope", pi[0] * reward[0])
    for word, planted in (("logaddexp", "np.maximum({0}, {1})"), ("logaddexp", "np.log(np.exp({0}) + np.exp({1}))")):
        monkeypatch.setitem(generate.WORDS["numpy"], word, planted)
        with pytest.raises(Unsuitable, match=r"its code gives .* it is not shown"):
            function("slope", chain, "numpy")


@pytest.mark.parametrize("word", ["lambda", "x; import os", "import", "np", "len", "__class__", "a b", "1a", "θ", "f'{1}'"])
def test_no_name_becomes_code(word: str) -> None:
    base = sp.IndexedBase(sp.Symbol(word), real=True)
    chain = Derivation('"""\nimport os\n"""', sp.Sum(base[k], (k, 0, K - 1)), sizes={K: (2, 3)})
    text = function("total", chain, "numpy")
    assert "import os" not in text.split("\n")[0] and text.count('"""') == 2
    np.testing.assert_allclose(_run(text, "total")(np.arange(6.0).reshape(3, 2)), [6, 9])


def test_every_closed_form_that_has_code_agrees_with_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """In both libraries; the page and its chains are those that other tests have read."""
    monkeypatch.setattr("gradcheck_rl.cli.load", problem)
    for library in ("numpy", "torch"):
        counts: list[tuple[int, str, str]] = []
        for name in PROBLEMS:
            monkeypatch.setattr("gradcheck_rl.derive.derived", lambda *_, name=name, **__: chains(name))
            counts.append(run("derive", name, "--format", library))
        assert [code for code, _, _ in counts] == [0] * len(PROBLEMS)
        assert not any("it is not shown" in out for _, out, _ in counts)
        assert sum(out.count("\ndef ") for _, out, _ in counts) > len(PROBLEMS)


def test_exp_is_untouched_where_it_cannot_overflow() -> None:
    u = Variable("u")
    assert "np.exp(-u ** 2)" in function("bell", Derivation("bell", exp(-(u[()] ** 2))), "numpy")


def test_the_entry_beside_a_sum_is_no_axis_and_one_beyond_it_is_not_read() -> None:
    V = sp.IndexedBase("V", real=True)
    total = sp.Sum(V[k], (k, 0, K - 1))
    for beside, why in ((V[K], r"no code for the index of V\[K\]"), (V[3], "reads beyond the end at K = 2: it is not shown")):
        with pytest.raises(Unsuitable, match=why):
            function("whole", Derivation("whole", beside + total, sizes={K: (2, 5)}), "numpy")


def test_code_of_an_entry_alone_is_held_against_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    V = sp.IndexedBase("V", real=True)
    chain = Derivation("size", sp.Abs(V[k]))
    assert "return abs(V)" in function("size", chain, "numpy")
    monkeypatch.setitem(generate.WORDS["numpy"], "abs", "{0}")
    with pytest.raises(Unsuitable, match=r"its code gives .* it is not shown"):
        function("size", chain, "numpy")


@given(with_sums())
@example(over_all(W[k], k))
@example(sp.Sum(W[k] * over_all(W[k], k), (k, k, K - 1)))
def test_a_sum_may_run_over_the_letter_of_what_it_is_differentiated_by(e: Any) -> None:
    start = sp.Derivative(e.xreplace({k: i}), W[i])
    line = differentiate(Derivation("The slope", start)).lines[-1][0]
    for size in (1, 2, 3):
        for case in ({K: size, i: a, j: b} for a in range(size) for b in range(size)):
            left, right = at_size(start, case), at_size(line, case)
            assert sp.expand(left - right) == 0 or is_zero(left - right), (start, line, case)


def test_a_sum_of_a_few_terms_is_written_out_wherever_it_stands() -> None:
    total, squares = (sp.Sum(R[k] ** power, (k, 0, 2)) for power in (1, 2))
    right = Derivation("Written out", 1 / (1 + total), ((1 / (1 + R[0] + R[1] + R[2]), "term by term"),))
    wrong = Derivation("Mixed up", squares - 1, ((total**2 / 3 - 1, "of equal terms"),))
    assert steps(right, wrong) == ["proved", "refuted"]


def test_a_derivative_that_is_written_stops_at_what_is_frozen() -> None:
    held, live = (E(factor * reward[action]).diff(theta[0]) for factor in (frozen(theta[0]), theta[0]))
    assert not for_any(held, live, {})


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("low", [0, 1])
@pytest.mark.parametrize("last", [K - 2, K - 1, K])
@pytest.mark.parametrize("entry", [R[k], MARKS[k] * R[i], R[i] * W[k] * sp.KroneckerDelta(i, k)])
def test_code_sums_over_whole_axes_or_is_not_shown(entry: Any, last: Any, low: int, library: str) -> None:
    """What a sum leaves out is not in the formula: no number that the code is tried at would show it."""
    chain = Derivation("total", sp.Sum(entry, (k, low, last)), sizes={K: (1, 2, 3), i: (0,)})
    if (low, last) == (0, K - 1):
        assert "def total(" in function("total", chain, library)
    else:
        with pytest.raises(Unsuitable, match=r"is not over all of an axis|is read from 1 on"):
            function("total", chain, library)


def test_torch_code_neither_overflows_nor_takes_numbers_for_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    v = Variable("v")[()]
    chain = Derivation("soft", log(1 + exp(v)) + maximum(v, -1) + log(2 + exp(v)) + log(1 + exp(sp.Integer(2))))
    at = torch.tensor([-800.0, -1.0, 0.0, 22.0, 45.0, 750.0, 5000.0], dtype=torch.float64)
    numbers = at.numpy()
    soft = np.logaddexp(0, numbers)
    wanted = soft + np.maximum(numbers, -1) + np.logaddexp(np.log(2), numbers) + np.logaddexp(0, 2)

    def given() -> Any:
        space: dict[str, Any] = {"torch": torch}
        exec(function("soft", chain, "torch"), space)  # noqa: S102  (what the package has written)
        return space["soft"](at).numpy()

    assert given() == pytest.approx(wanted, rel=1e-14)
    monkeypatch.setitem(generate.WORDS["torch"], "softplus", "torch.nn.functional.softplus({0})")
    assert given() != pytest.approx(wanted, rel=1e-14)


def test_code_counts_in_double_precision() -> None:
    chain = Derivation("counted", R[i] * exp(i), sizes={K: (3,), i: (0, 1, 2)})
    assert "return R * " in function("counted", chain, "torch")


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_step_is_one_at_its_jump(library: str) -> None:
    v = Variable("v")[()]
    text = function("side", Derivation("side", v * step(v - 2) * step(-v + 2) + step(v - 3)), library)
    module = pytest.importorskip(library)
    space: dict[str, Any] = {"np": np, "torch": module}
    exec(text, space)  # noqa: S102  (what the package has written)
    assert [float(x) for x in space["side"](module.asarray([1.0, 2.0, 2.5, 3.0, 4.0]))] == [0, 2, 0, 1, 1]


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_the_error_function_has_code(library: str) -> None:
    v = Variable("v")[()]
    chains = {"mass": Derivation("mass", v * erf(v) + erfc(v)), "quantile": Derivation("quantile", erfinv(v))}
    text = generate.functions(chains, chains, library)
    space: dict[str, Any] = {}
    exec(text, space)  # noqa: S102  (what the package has written)
    at = [-0.75, 0.0, 0.5]
    module = pytest.importorskip(library)
    given = module.asarray(at, dtype=module.float64)
    assert np.allclose(space["mass"](given), [float(x * mpmath.erf(x) + mpmath.erfc(x)) for x in at], 1e-14)
    if library == "numpy":
        assert text.startswith("import math\n\nimport numpy as np\n") and "# quantile: there is no code for erfinv.\n" in text
    else:
        assert np.allclose(space["quantile"](given), [float(mpmath.erfinv(x)) for x in at], 1e-14)


@given(st.lists(st.integers(1, 6), min_size=2, max_size=4, unique=True), st.integers(-3, 3), st.integers(1, 3))
def test_a_wrong_line_is_told_with_the_size_at_which_it_is_wrong(tried: list[int], off: int, width: int) -> None:
    """The witness alone, put into both lines, shows the difference."""
    d = Variable("d", over=Uniform(-0.5, 0.5))
    line, wrong = sp.Sum(d[()] ** k, (k, 0, K - 1)), (1 - d[()] ** K) / (1 - d[()]) + off * d[()] * (K - tried[0])
    chain = Derivation("powers", array(*[line] * width), ((array(*[wrong] * width), "summed"),), sizes={K: tuple(tried), i: (0,)})
    (found,) = check(Problem("powers", (), derivations=(chain,))).claims
    assert found.verdict == ("agrees" if off == 0 else "refuted")
    if off:
        at = found.witness
        assert at is not None and list(at) == ["K", "d"]
        size, x = int(at["K"]), Fraction(at["d"])
        assert sum(x**n for n in range(size)) != (1 - x**size) / (1 - x) + off * x * (size - tried[0])


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_the_size_is_told_where_one_number_stands_for_many(wrong: int) -> None:
    line = array(*[2 * K if n == wrong else K for n in range(3)])
    chain = Derivation("counts", COUNT, ((line, "counted"),), sizes={K: (2,), i: (0,)})
    (found,) = check(Problem("counts", (), derivations=(chain,))).claims
    assert (found.verdict, found.witness) == ("refuted", {"K": "2"})


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("word", ["np", "torch", "math", "len", "abs", "range", "lambda"])
def test_a_letter_may_have_the_name_of_what_the_code_calls(word: str, library: str) -> None:
    letter = sp.IndexedBase(word, real=True)
    line = letter[i, i] + K * sp.Sum(sp.Abs(letter[i, k]), (k, 0, K - 1))
    text = function("total", Derivation("total", line, sizes={K: (2, 3), i: (0, 1)}), library)
    assert text.startswith(f"def total({word}_")


@pytest.mark.parametrize("value", [2, 5])
def test_a_mean_without_a_closed_form_is_told_at_its_numbers(value: int) -> None:
    theta, x = Parameter("theta"), Draw("x", Gaussian(0, 1))
    mean = E(exp(-(x**4)))
    page = Problem("mean", (), derivations=(chain := Derivation("mean", theta * mean),), given_names={chain: "mean"})
    (_, there) = derived(page, {"mean": chain}, f"theta={value}").derivations
    assert there.forms[-1].math == notation(value * mean)


GIVEN = sp.Function("f")
SHORT = (k, 0, K - 2)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (over_all(sp.KroneckerDelta(k, j) * sp.Integral(k + j, (j, 0, 1)), k), sp.Integral(2 * j, (j, 0, 1))),
        (over_all(sp.KroneckerDelta(k, j) * sp.Subs(GIVEN(k, j), j, 0), k), sp.Subs(GIVEN(j, j), j, 0)),
        (sp.Sum(sp.KroneckerDelta(i, k) * R[k], SHORT) ** 2, sp.Sum(sp.KroneckerDelta(i, k) * R[k], SHORT) * sp.Sum(R[k], SHORT)),
        (sp.Sum(W[k] * sp.Sum(1, (n, 1, k)), (k, 0, K - 1)), over_all((k + 1) * W[k], k)),
        (sp.Sum(R[k] * W[n], (n, 0, k), (k, 0, K - 1)), sp.Sum(R[k] * W[n], (k, 0, n), (n, 0, K - 1))),
        (sp.Sum(R[k], (k, 0, K - 1)), sp.Sum(R[k], (k, 0, K))),
        (over_all(sp.KroneckerDelta(i, k) ** -1, k), sp.S.One),
        (over_all(sp.KroneckerDelta(0, k) * R[k], k), sp.S.Zero),
        (sp.Derivative(GIVEN(W[i]), W[i]), sp.S.Zero),
    ],
)
def test_what_other_letters_bind_and_what_is_short_is_not_proved(left: Any, right: Any) -> None:
    ends = (sp.S.Zero, K - 1)
    assert not for_any(left, right, {i: ends, j: ends})


def test_values_for_no_derivation_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bare.py"
    path.write_text("from gradcheck_rl import *\nproblem = Problem('bare', claims=[Claim('one', Equal(1, 1))])\n")
    assert main(["derive", str(path), "--at", "x=1"]) == 2
    told = "--at gives `x`, and bare has no derivation: it is for chains, Problem(..., derivations=(...))."
    assert told in capsys.readouterr().err


W_k, W_j, ANY = W[k], W[j], sp.KroneckerDelta(k, j)


@pytest.mark.parametrize(
    ("left", "right", "letter"),
    [
        (sp.Derivative(over_all(exp(W_j), j), W_k), sp.S.Zero, "k in w[k]"),  # it is exp(w_k)
        (sp.Derivative(over_all(W_j**2, j), W_k), 2 * W_k, "k in w[k]"),
        (sp.Derivative(W_k * W_j, W_k), W_j, "j in w[j]"),  # not where j is k
        (sp.Derivative(W_k * W[0], W_k), W[0], "k in w[k]"),
        (over_all(ANY * R[j], j), sp.S.Zero, "k in KroneckerDelta(j, k)"),
        (k * W_k, W_k * k, "k in w[k]"),
    ],
)
def test_an_index_that_may_be_another_has_a_size(left: Any, right: Any, letter: str) -> None:
    line = Derivation("slope", left, ((right, "as written"),), sizes={K: (2, 3)})
    with pytest.raises(ProblemError) as told:
        check(Problem("slope", derivations=(line,)))
    assert str(told.value) == f"{letter} has no size: write sizes={{{letter[0]}: (0, 1)}}, keyed by the symbol."


def test_an_index_that_is_no_other_needs_no_size() -> None:
    slope = sp.Derivative((R[k] + W[k + 1] - W_k) ** 2, W_k)
    assert steps(Derivation("slope", slope, ((2 * (W_k - R[k] - W[k + 1]), "as it is"),))) == ["proved"]
    assert steps(Derivation("slope", slope, ((2 * (W_k - R[k]), "as it is not"),))) == ["refuted"]


def test_an_entry_at_a_variable_is_that_of_a_variable() -> None:
    n, gains = Variable("n", over=Integers(0, 1)), Variable("W", 2)
    at_n = n + sp.KroneckerDelta(n[()], 0) * gains[n]
    assert steps(Derivation("entry", at_n, ((n + sp.KroneckerDelta(n[()], 0) * gains[0], "delta picks it"),))) == ["proved"]
    line = Derivation("slope", sp.Derivative(over_all(exp(W_j), j), W[n[()]]), ((0, "as if it were another"),), sizes={K: (2,)})
    with pytest.raises(ProblemError) as told:
        check(Problem("slope", derivations=(line,)))
    assert str(told.value) == 'w[n] is read at n, which has values: write w = Variable("w", 3), and w[n].'


def test_entries_that_differ_in_one_index_are_apart() -> None:
    table = sp.IndexedBase("A", real=True)
    first, second = table[k, 0], table[j, 1]
    assert steps(Derivation("slope", sp.Derivative(first * second, first), ((second, "as it is"),))) == ["proved"]


def test_letters_that_two_sums_share_keep_their_own_ranges() -> None:
    delta = sp.KroneckerDelta(0, k)
    inner, twice = sp.Sum(delta, (k, 0, K - 1)), sp.Sum(delta, (k, 0, K - 1), (k, 1, n))
    assert for_any(twice, n * inner, {})
    assert not for_any(twice, sp.S.Zero, {})  # it is n, where K is not 0
    assert not for_any(twice, sp.Sum(delta, (k, 1, n), (k, 0, K - 1)), {})


def test_what_is_held_inside_a_derivative_is_not_the_sum_that_moves() -> None:
    moves, held = (sp.Derivative(over_all(f(R[k]) ** 2, k), R[i]) for f in (sp.S, frozen))
    ends = (sp.S.Zero, K - 1)
    assert for_any(held, sp.S.Zero, {i: ends}) and for_any(moves, 2 * R[i], {i: ends})
    assert for_any(over_all(frozen(R[k]) ** 2, k), over_all(R[j] ** 2, j), {})
    for left, right in ((moves, held), (held, moves)):
        assert not for_any(left, right, {i: ends})
    none = Derivation("none", moves, ((held, "of no terms"),), sizes={K: (0,), i: (0,)})
    assert steps(none) == ["agrees"]


def test_a_slope_by_an_entry_at_a_letter_is_not_zero_because_others_are_at_numbers() -> None:
    slope = diff(R[0] ** 2, R[i])
    for said, verdict in ((2 * R[0] * sp.KroneckerDelta(i, 0), "proved"), (sp.S.Zero, "refuted"), (2 * R[0], "refuted")):
        assert steps(Derivation("slope", slope, ((said, "as said"),), sizes={i: (0, 1)})) == [verdict]


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_number_made_of_exponentials_is_written_as_a_number(library: str) -> None:
    share = 1 / (1 + sp.exp(2))
    chain = Derivation("total", over_all(sp.exp(R[k]), k) / (sp.exp(share) + sp.E), sizes={K: (2, 3)})
    assert "def total(R):" in function("total", chain, library)


def test_a_name_is_gathered_beside_an_expectation() -> None:
    both = Named("both", theta[0] * exp(theta[1]))
    for mean in (J, J.diff(theta[0])):
        chain = collect(Derivation("beside", theta[0] * exp(theta[1]) * mean), both)
        assert both[()] in sp.Mul.make_args(chain.lines[-1][0])
        assert steps(chain) == ["proved"]


@pytest.mark.parametrize("pole", [sp.zoo, sp.oo, sp.log(-2), sp.nan])
def test_there_is_no_code_for_what_is_no_number(pole: Any) -> None:
    with pytest.raises(Unsuitable, match="is no number"):
        function("pole", Derivation("pole", pole), "numpy")
