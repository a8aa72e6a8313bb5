"""LaTeX as students write it: the same values as in plain text, and the same care with what it can be read as."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_rl.grading import tex
from gradcheck_rl.grading.formula import parse
from gradcheck_rl.grading.tex import SAME, parse_tex
from gradcheck_rl.grading.tokens import FormulaError
from gradcheck_rl.notation import notation
from gradcheck_rl.typeset import broken, latex, text

from .test_formula import ALPHABET, NAMES, A, W, X, Y

x, y, a = X[()], Y[()], A[()]

SAME_AS = {
    r"\frac{x}{y}": "x/y",
    r"\frac{x}{y}x": "(x/y)*x",
    r"\frac12 x": "x/2",
    r"\frac x y": "x/y",
    r"\dfrac{1}{1+\frac{1}{x}}": "1/(1 + 1/x)",
    r"x y xy": "x*y*x*y",
    r"2ax": "2*a*x",
    r"x^{2y}": "x^(2*y)",
    r"x^2y": "x^2*y",
    r"x^{-1}": "1/x",
    r"\sqrt{x^2+1}": "sqrt(x^2 + 1)",
    r"\sqrt[3]{a}": "a^(1/3)",
    r"\sqrt 2 x": "sqrt(2)*x",
    r"e^{-\frac{x^2}{2}}": "exp(-x^2/2)",
    r"\exp\left(-x\right)": "exp(-x)",
    r"\exp\bigl[-x\bigr]": "exp(-x)",
    r"\log x^2": "log(x^2)",
    r"\ln(x) y": "log(x)*y",
    r"\tanh^2 x": "tanh(x)^2",
    r"\tanh^{2}(x)": "tanh(x)^2",
    r"\sin x\cos y": "sin(x)*cos(y)",
    r"\theta_0 + \theta_{1}": "theta[0] + theta[1]",
    r"w_1 w_{2}": "w[1]*w[2]",
    r"M_{12} + M_{1,2} + M_{s2}": "2*M[1][2] + M[s][2]",
    r"s_0": "s0",
    r"\pi x": "pi*x",
    r"\gamma\,\beta\;\lambda": "gamma*beta*lambda",
    r"policy_\theta(act|x)": "policy[act]",
    r"\log policy_\theta(act \mid x)": "log(policy[act])",
    r"\sum_{k=0}^{2} R_k": "sum(R)",
    r"\sum_{k=0}^2 R_k w_k": "sum(R*w)",
    r"\sum_k R_k + x": "sum(R) + x",
    r"x\sum\limits_{k=1}^{K-1} k R_k": "x*(R[1] + 2*R[2])",
    r"\sum_{k} \sum_{j} M_{jk}": "sum(M[0]) + sum(M[1])",
    r"\frac{e^{w_i}}{\sum_k e^{w_k}}": "exp(w[i])/sum(exp(w))",
    r"\mathbb{E}[R_{act}]": "E(R[act])",
    r"\mathbb{E}_{act}\left[R_{act}\right]": "E(R[act])",
    r"\operatorname{clip}(x, 0, 1)": "clip(x, 0, 1)",
    r"\mathrm{softplus}(x)": "softplus(x)",
    r"\text{act} + \mathrm{s0}": "act + s0",
    r"\max\{x, y\}": "max([x, y])",
    r"\left|x\right| + |y| + \lvert x \rvert": "2*|x| + |y|",
    r"{x+y}^2": "(x + y)^2",
    r"\begin{pmatrix} x \\ y \end{pmatrix}": "[x, y]",
    r"\begin{bmatrix} x & y \end{bmatrix}": "[x, y]",
    r"\begin{pmatrix} x & 1 \\ 2 & y \end{pmatrix}": "[[x, 1], [2, y]]",
    r"x \cdot y \times 2 \div 4": "x*y/2",
    "x\n + y": "x + y",
    r"\infty": "oo",
    r"\varepsilon_max": None,
}


@pytest.mark.parametrize("text", [t for t, same in SAME_AS.items() if same])
def test_latex_means_what_plain_text_means(text: str) -> None:
    left, right = parse_tex(text, NAMES), parse(SAME_AS[text] or "", NAMES)
    assert getattr(left, "tolist", lambda: left)() == getattr(right, "tolist", lambda: right)()


def test_sigma_is_the_sigmoid_unless_the_page_has_a_sigma() -> None:
    assert parse_tex(r"\sigma(x)", {"x": X}) == 1 / (1 + sp.exp(-x))
    assert parse_tex(r"\sigma(x)", {"x": X, "sigma": A}) == a * x


def test_pi_is_the_policy_where_the_page_has_one() -> None:
    assert parse_tex(r"\pi_\theta(i|s)", {**NAMES, "pi": W}) == parse("w[i]", NAMES)
    assert parse_tex(r"2\pi", {"x": X}) == 2 * sp.pi


REFUSED = {
    r"\nabla x": (0, "not known", "Write the gradient itself."),
    r"\frac{\partial x}{y}": (6, "not known", "Write the derivative itself."),
    r"\thet": (0, "not known", "Did you mean `\\theta`?"),
    r"\frac{1}{": (8, "never closed", ""),
    r"\frac{1}": (0, "needs more", ""),
    "\\": (0, "backslash", ""),
    r"\log x y": (7, "two ways", ""),
    r"\tanh x y": (8, "two ways", ""),
    r"1/2x": (3, "two ways", ""),
    r"\sqrt[x]{2}": (5, "order of a root", ""),
    r"\sum_{k=1}^{3} R_k": (17, "no entry 3", "Count from 0."),
    r"\sum_{k=1} R_k": (11, "upper end", ""),
    r"\sum_{2} R_2": (6, "name of its index", ""),
    r"\text{two words here}!": (21, "`!`", ""),
    r"\mathrm x": (0, "one name in braces", ""),
    r"\begin{matrix} x \end{matrix}": (0, "pmatrix", ""),
    r"\begin{pmatrix} x": (0, "never ended", ""),
    r"x \end{pmatrix}": (2, "ends nothing", ""),
    r"\left.x\right|": (5, "without a sign", ""),
    r"\mathbb{E}_{act\sim policy}[R_{act}]": (15, "not known", "What a draw follows is said by the page."),
    "x = y": (2, "has no place", "Write the right-hand side alone."),
    r"$x$": (0, "`$`", ""),
    r"\input{/etc/passwd}": (0, "not known", ""),
    r"\def\x{y}": (0, "not known", ""),
    r"\frac" * 500: (300, "nested", ""),
    r"\frac{" * 500: (360, "nested", ""),
    r"\sqrt" * 700: (300, "nested", ""),
    "{" * 1500: (60, "nested", ""),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_and_where(text: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_tex(text, NAMES)
    offset, part, advice = REFUSED[text]
    assert (caught.value.offset, part in caught.value.says) == (offset, True), caught.value.says
    assert str(caught.value).endswith(advice)


def harmless(text: str) -> None:
    try:
        parse_tex(text, NAMES)
    except FormulaError as error:
        assert 0 <= error.offset <= len(text) and str(error)


PIECES = [
    f"\\{word} " for word in (*SAME, "frac", "dfrac", "sqrt", "begin{pmatrix}", "end{pmatrix}", "\\", "left", "right", "nabla")
]
PIECES += [
    "{",
    "}",
    "^",
    "_",
    "(",
    ")",
    "|",
    "x",
    "y",
    "w_0",
    "R_i",
    "2",
    "10",
    "k",
    "=",
    "&",
    ",",
    "+",
    "-",
    "*",
    "/",
    "sum",
    "{x}",
    "[3]",
]


@settings(max_examples=300)
@given(st.text(ALPHABET + "\\{}$", max_size=40))
def test_every_text_is_read_or_refused(text: str) -> None:
    harmless(text)


@settings(max_examples=600)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_every_sequence_of_commands_is_read_or_refused(text: str) -> None:
    harmless(text)


@given(
    st.recursive(
        st.sampled_from(["x", "y", "2", "a"]),
        lambda s: st.tuples(s, s).map(lambda p: rf"\frac{{{p[0]}+1}}{{1+{p[1]}^2}}"),
        max_leaves=6,
    )
)
def test_fractions_within_fractions(text: str) -> None:
    plain = text.replace("\\frac", "").replace("}{", ")/(").replace("{", "((").replace("}", "))")
    assert parse_tex(text, NAMES) == parse(plain, NAMES)


def test_the_depth_of_fractions_is_what_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    text = r"\frac{\frac{x}{y}}{2}"
    assert parse_tex(text, NAMES) == x / y / 2
    monkeypatch.setattr(tex, "DEPTH", 1)
    with pytest.raises(FormulaError, match="nested"):
        parse_tex(text, NAMES)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (r"\[x\]", "Write the formula alone, without the signs around it."),
        (r"\(x\)", "Write the formula alone, without the signs around it."),
        (r"x\\", "Write one formula, and no line break."),
        (r"\bar x", "Write out what it stands for."),
    ],
)
def test_what_stands_around_a_formula_is_left_out(text: str, advice: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_tex(text, NAMES)
    assert str(caught.value).splitlines()[-1] == advice


@pytest.mark.parametrize("command", ["mathbf", "boldsymbol", "bm", "mathrm"])
def test_a_bold_letter_is_the_letter(command: str) -> None:
    assert parse_tex(rf"2\{command}{{\beta}}", NAMES) == parse_tex(r"2\beta", NAMES)
    assert parse_tex(rf"2\{command}{{x}}", NAMES) == parse_tex("2x", NAMES)


# ---- what is printed is read back -----------------------------------------------------------------------------------------


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]),
        pairs.map(lambda p: p[0] * p[1]),
        pairs.map(lambda p: p[0] / (1 + p[1] ** 2)),
        pairs.map(lambda p: sp.Max(*p)),
        st.tuples(inner, st.sampled_from([-2, -1, 2, 3])).map(lambda p: (1 + sp.Abs(p[0])) ** p[1]),
        st.tuples(inner, st.sampled_from([sp.exp, sp.tanh, sp.Abs, lambda e: sp.log(1 + e**2)])).map(lambda p: p[1](p[0])),
    )


numbers = st.sampled_from([sp.Rational(-2, 3), sp.Integer(2), sp.log(5), sp.tanh(3), sp.sqrt(2), sp.pi])
written = st.recursive(st.sampled_from([x, y]) | numbers, grown, max_leaves=7)


@given(written, st.fractions(-2, 2, max_denominator=5), st.fractions(-2, 2, max_denominator=5))
@settings(max_examples=150)
def test_what_is_printed_means_what_was_meant(formula: Any, p: Any, q: Any) -> None:
    """In LaTeX, as the reader of submissions takes it, which refuses whatever has two readings."""
    read = parse_tex(latex(notation(formula)), {"x": X, "y": Y})
    one, other = (sp.N(e.subs({x: p, y: q}), 30) for e in (formula, read))
    assert abs(one - other) <= abs(one) / 10**20


@given(written, st.lists(written, min_size=1, max_size=4), st.integers(8, 60), st.fractions(-2, 2, max_denominator=5))
def test_a_fraction_over_several_lines_means_what_was_meant(above: Any, terms: list[Any], width: int, p: Any) -> None:
    formula = sp.Mul(sp.Add(above, y), 1 / (7 + sp.Add(*(t**2 for t in terms))), sp.log(3 + x**2 / (2 + y**2)))
    line = "".join(map(latex, broken(notation(formula), width))).replace(r"\text{}", "")
    read = parse_tex(line.replace(r"\right.", "").replace(r"\left.", ""), {"x": X, "y": Y})
    one, other = (sp.N(e.subs({x: p, y: sp.Rational(2, 7)}), 30) for e in (formula, read))
    assert abs(one - other) <= abs(one) / 10**20


@pytest.mark.parametrize("divisor", [a, 1 + sum(a**n / n for n in range(2, 12))])
def test_a_fraction_of_a_long_sum_fits_its_lines(divisor: Any) -> None:
    lines = broken(notation(sp.log(sum(x**n * y / (n + 1) for n in range(1, 20)) / divisor) * x / divisor), 40)
    assert max(len(row) for line in lines for row in text(line).split("\n")) <= 40


@pytest.mark.parametrize(
    ("formula", "printed"),
    [
        (sp.log(2) * x, r"x\log2"),
        (sp.tanh(3 * x) * y, r"y\tanh(3x)"),
        (sp.exp(-x * sp.log(y) / 3), r"e^{-(x\log y)/3}"),
        (sp.log(5) * sp.log(x) ** sp.Rational(3, 2), r"(\log5)(\log x)^{3/2}"),
        (sp.sin(x) * sp.cos(x), r"\cos x\sin x"),
        (sp.Abs(x * sp.Abs(y) + 1), r"\left|1+x|y|\right|"),
    ],
)
def test_a_function_takes_no_more_than_it_is_meant_to(formula: Any, printed: str) -> None:
    assert latex(notation(formula)) == printed


@pytest.mark.parametrize("text", [r"x~y", r"x\,~ y", r"\cfrac{xy}{1}", "\tx y", "x\n\ty"])
def test_more_blanks_and_fractions(text: str) -> None:
    assert parse_tex(text, NAMES) == x * y


READ_BY_PYTHON = [r"\theta", r"x\times y", r"\tau", r"\frac{x}{y}", r"\rho", r"2\tanh x", r"\text{act}", r"\right)"]


@pytest.mark.parametrize("text", READ_BY_PYTHON)
def test_a_backslash_that_python_has_read_is_told_how_to_be_kept(text: str) -> None:
    """Without r, Python makes a tab and `heta` of \\theta; letters that are names would make a formula of what is left."""
    lost = text.encode().decode("unicode_escape")
    names = {**NAMES, **dict.fromkeys("actu heiragnox", X), **dict.fromkeys(["heta", "imes", "anh", "ext", "rac", "au"], X)}
    for read, handed_in in ((parse, lost), (parse_tex, lost), (parse_tex, rf"{lost}\gamma")):
        with pytest.raises(FormulaError) as found:
            read(handed_in, names)
        assert str(found.value).endswith('Write r"..." for a text with backslashes, in which Python changes none.')


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (r"\hat{x}", "Write out what it stands for."),
        (r"\widetilde x", "Write out what it stands for."),
        (r"{x \over y}", "Write \\frac{a}{b}."),
        (r"R_0 + \dots + R_2", "Write out all terms, or a sum."),
        (r"\vec{w}_0", "Write a plain letter."),
        (r"x^{\prime}", "Write the derivative itself."),
        (r"\log_2 x", "Write log(x)/log(2)."),
        (r"\mathrn{x}", "Did you mean `\\mathrm`?"),
    ],
)
def test_a_command_that_is_not_known_is_told_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(FormulaError) as found:
        parse_tex(text, NAMES)
    assert str(found.value).splitlines()[-1] == advice
