"""Formulas as a person writes them: what is decided in reading them, and that every format draws the same tree."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from hypothesis import example, given
from hypothesis import strategies as st

from gradcheck_rl import (
    AtMost,
    Categorical,
    Covariance,
    Draw,
    E,
    Equal,
    Gaussian,
    Gradient,
    Mean,
    Named,
    Parameter,
    Rows,
    Value,
    Variable,
    Within,
    array,
    batch,
    episode,
    exp,
    frozen,
    log,
    maximum,
    minimum,
    softmax,
    step,
    tanh,
    typeset,
)
from gradcheck_rl.notation import name, notation, stated

theta = Parameter("theta", 3)
mu, sigma, u, w = (Variable(word)[()] for word in ("mu", "sigma", "u", "w"))
reward = Variable("reward", 3)
action = Draw("action", Categorical(logits=theta))
x = Draw("x", Gaussian(mu, sigma))
pi = Named("pi", softmax(theta))
K, i, k = sp.symbols("K i k", integer=True)
R, L = sp.IndexedBase("R"), sp.IndexedBase("Lambda")
J = Named("J", E(reward[action]))[()]
f = sp.Function("f")(u)

# Each as a person writes it; the left side is how the author typed it, which SymPy does not keep.
WRITTEN: list[tuple[Any, str]] = [
    (reward[0] - J, r"\mathrm{reward}_{0}-J"),
    (-J + reward[0], r"\mathrm{reward}_{0}-J"),
    (1 - pi[0], r"1-\pi_{0}"),
    (1 + exp(-u), "1+e^{-u}"),
    (u + 1, "u+1"),
    (tanh(u) ** 2 - 1, r"\tanh^{2}u-1"),
    (log(u) ** 2, r"(\log u)^{2}"),
    (-u / 2, r"-\frac{u}{2}"),
    ((u - w) / 2, r"\frac{u-w}{2}"),
    (1 + u / 2, r"\frac{u}{2}+1"),
    ((2 * u - 2 * w) * mu / 4, r"\frac{\mu(u-w)}{2}"),
    (mu - u * (-w - mu) / 2, r"\mu+\frac{u(\mu+w)}{2}"),
    (1 / (2 * u + 2 * w), r"\frac{1}{2(u+w)}"),
    ((-u - w) ** 2, r"(u+w)^{2}"),
    (sp.Rational(3, 5) * log(sp.Rational(2, 15) * u), r"\frac{3}{5}\log\frac{2u}{15}"),
    (u / (2 * w), r"\frac{u}{2w}"),
    (1 / sp.sqrt(2 * sp.pi), r"\frac{\sqrt{2}}{2\sqrt{\pi}}"),
    (2 * sp.Integer(3) ** sp.Symbol("n"), r"2\cdot 3^{n}"),
    (sp.Sum(R[k] - 1, (k, 0, K - 1)), r"\sum_{k=0}^{K-1}(R_{k}-1)"),
    (sp.Sum(R[k], (k, 0, K - 1)) / K, r"\frac{1}{K}\sum_{k=0}^{K-1}R_{k}"),
    (sp.Derivative(sp.Sum(R[k], (k, 0, 2)), u), r"\frac{\partial }{\partial u}\sum_{k=0}^{2}R_{k}"),
    (sp.Derivative(f, u), r"\frac{\partial f}{\partial u}"),
    (f, "f(u)"),
    (sp.KroneckerDelta(i, k), r"\delta_{ik}"),
    (L[i, k], r"\Lambda_{ik}"),
    (theta[0], r"\theta_{0}"),
    (exp(-((u - w) ** 2) / 2), r"e^{-(u-w)^{2}/2}"),
    (E(reward[action]), r"\mathbf{E}_{\mathrm{action}}[\mathrm{reward}_{\mathrm{action}}]"),
    (E(x**2).diff(mu), r"\frac{\partial }{\partial \mu}\mathbf{E}_{x}[x^{2}]"),
    (E(x) ** 2, r"(\mathbf{E}_{x}[x])^{2}"),
    (frozen(u) * w, r"w\operatorname{sg}[u]"),
    (step(u - 10), r"\mathbf{1}[u\geq 10]"),
    (maximum(u, w), r"\operatorname{max}(u,w)".replace(r"\operatorname{max}", r"\max")),
    (sp.Piecewise((u, u > 0), (0, True)), r"\begin{cases} u & \text{if }u>0 \\ 0 & \text{otherwise} \end{cases}"),
    (sp.binomial(K, k), r"\binom{K}{k}"),
    (sp.Integral(sp.Symbol("t") ** 2, (sp.Symbol("t"), 0, 1)), r"\int_{0}^{1}t^{2}\,\mathrm{d}t"),
    (pi[action], r"\pi_{\mathrm{action}}"),
    (sp.oo, r"\infty"),
    (array(u, w), r"\begin{pmatrix} u \\ w \end{pmatrix}"),
]


@pytest.mark.parametrize(("formula", "latex"), WRITTEN, ids=lambda part: part if isinstance(part, str) else "")
def test_a_formula_is_set_as_a_person_sets_it(formula: Any, latex: str) -> None:
    assert typeset.latex(notation(formula)) == latex


@pytest.mark.parametrize(
    ("word", "latex"),
    [
        ("theta", r"\theta"),
        ("s0", "s_{0}"),
        ("s_0", "s_{0}"),
        ("eps", r"\varepsilon"),
        ("g_hat", r"\hat{g}"),
        ("pi_theta", r"\pi_{\theta}"),
        ("W_0_1", "W_{0,1}"),
        ("log_sd", r"\mathrm{log\_sd}"),
        ("theta_old", r"\theta_{\mathrm{old}}"),
        ("any_action_2", r"\mathrm{any\_action}_{2}"),
        ("ref_k", r"\mathrm{ref}_{k}"),
        ("log_pi_t", r"\mathrm{log\_pi}_{t}"),
        ("log_p", r"\mathrm{log\_p}"),
    ],
)
def test_a_name_is_read(word: str, latex: str) -> None:
    assert typeset.latex(name(word)) == latex


def reinforce(theta: Any, reward: Any, action: Any) -> Any: ...


@pytest.mark.parametrize(
    ("that", "latex"),
    [
        (Equal(Mean(Gradient(reinforce)), Gradient(J)), r"\mathbf{E}[\nabla\,\mathrm{reinforce}]=\nabla J"),
        (
            Equal(Mean(Gradient(reinforce), over=Rows(action=(0, 1))), (0, 1, 2)),
            r"\hat{\mathbf{E}}[\nabla\,\mathrm{reinforce}]=(0,1,2)",
        ),
        (AtMost(u, 0), r"u\leq 0"),
        (Within(u, (1, 2)), r"u\in [1,2]"),
        (Equal(-Gradient(f), 1), r"-\nabla f(u)=1"),
    ],
)
def test_a_claim_is_a_formula_too(that: Any, latex: str) -> None:
    assert typeset.latex(stated(that)) == latex


# ---- any formula ----------------------------------------------------------------------------------------------------------

letters = st.sampled_from([mu, sigma, u, w, theta[0], sp.Symbol("t"), sp.Integer(2), sp.Rational(-1, 3), R[k], pi[0]])


def _combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]),
        pairs.map(lambda p: p[0] * p[1]),
        pairs.map(lambda p: p[0] - p[1]),
        inner.map(lambda e: sp.Pow(e, 2)),
        inner.map(lambda e: 1 / (1 + sp.exp(e))),
        inner.map(sp.tanh),
        inner.map(lambda e: sp.Sum(e, (k, 0, K - 1))),
        inner.map(lambda e: sp.Derivative(e, sp.Symbol("t"))),
        inner.map(frozen),
    )


formulas = st.recursive(letters, _combined, max_leaves=8)


def kinds(tree: Any) -> set[str]:
    return {tree[0]}.union(*(kinds(part) for part in tree[1:] if isinstance(part, list) and part and isinstance(part[0], str)))


@given(formulas)
def test_every_formula_is_drawn_in_every_format(formula: Any) -> None:
    tree = notation(formula)
    assert json.loads(json.dumps(tree)) == tree and "text" not in kinds(tree)
    latex = typeset.latex(tree)
    assert latex.count("{") == latex.count("}") and latex.count(r"\left") == latex.count(r"\right")
    ElementTree.fromstring(typeset.mathml(tree))
    lines = typeset.text(tree).split("\n")
    assert lines and all(line == line.rstrip() for line in lines)
    assert typeset.typst(tree)


@given(formulas)
def test_a_formula_looks_the_same_however_it_was_typed(formula: Any) -> None:
    """SymPy keeps no order: what is printed follows from the formula alone."""
    assert notation(formula) == notation(formula.func(*reversed(formula.args)) if formula.is_Add or formula.is_Mul else formula)


@given(st.lists(st.integers(-9, 9).filter(bool), min_size=2, max_size=4))
def test_no_sign_meets_another(numbers: list[int]) -> None:
    written = typeset.latex(notation(sum(n * v for n, v in zip(numbers, (u, w, mu, sigma), strict=False))))
    assert not re.search(r"[+-]{2}|\+ *-", written)
    assert not written.startswith("-") or all(n < 0 for n in numbers)


def leaves(tree: Any) -> list[Any]:
    """What stands in a formula from left to right, brackets too; the empty text before a line that goes on is nothing."""
    if tree[0] == "fence":
        return [side for side in tree[1:2] if side] + leaves(tree[3]) + [side for side in tree[2:3] if side]
    parts = [part for part in tree[1:] if isinstance(part, list) and part]
    if not parts:
        return [] if tree in (["text", ""], ["row"]) else [tree]
    return [tree[0]] * (tree[0] != "row") + [
        leaf for part in parts for leaf in (leaves(part) if isinstance(part[0], str) else [])
    ]


IN_LINE = {"frac", "(", ")", str(["num", "1"]), str(["op", "-"])}


def without_scripts(found: list[Any]) -> list[Any]:
    """An opened bracket with an exponent is set after what it holds, not before."""
    return [leaf for leaf in found if leaf not in ("sup", "sub")]


@given(formulas | st.lists(formulas, min_size=2, max_size=4).map(lambda row: sp.Mul(sp.Add(*row), theta[0], evaluate=False)))
def test_a_long_formula_is_broken_and_nothing_is_lost(formula: Any) -> None:
    tree = notation(formula)
    whole = max(map(len, typeset.text(tree).split("\n")))
    for width in (10, 25, 60):
        lines = typeset.broken(tree, width)
        found, meant = ([str(leaf) for one in drawn for leaf in without_scripts(leaves(one))] for drawn in (lines, [tree]))
        if found != meant:  # a fraction in a line has other brackets
            found, meant = ([leaf for leaf in of if leaf not in IN_LINE] for of in (found, meant))
            assert "frac" in kinds(tree) and sorted(found) == sorted(meant)
        assert len(lines) == 1 or whole > width
        for line in lines:
            assert typeset.latex(line).count(r"\left") == typeset.latex(line).count(r"\right")
            assert typeset.text(line) and typeset.typst(line)
            ElementTree.fromstring(typeset.mathml(line))


def test_brackets_that_are_too_wide_are_opened() -> None:
    letters = sp.symbols("a:h")
    lines = typeset.broken(notation(E(x * sum(letters)) ** 2 - 1), 20)
    assert [typeset.text(line) for line in lines] == [
        "(Eₓ[x (a + b + c + d",
        " + e + f + g + h)])²",
        " - 1",
    ]
    assert [typeset.latex(line).replace(r"\text{}", "") for line in lines] == [
        r"(\mathbf{E}_{x}[x(a+b+c+d",
        "+e+f+g+h)])^{2}",
        "-1",
    ]


def test_a_line_ends_after_a_comma_rather_than_within_an_entry() -> None:
    entries = [part for v in "abc" for part in (["op", ","], ["num", "1"], ["op", "-"], ["id", v])][1:]
    lines = typeset.broken(["row", ["id", "f"], ["op", "="], ["fence", "(", ")", ["row", *entries]]], 16)
    assert [typeset.text(line) for line in lines] == ["f = (1 - a,", "1 - b, 1 - c)"]


# ---- any text -------------------------------------------------------------------------------------------------------------

NASTY = (
    *"<>$&%#~^\\{}\"'`|@*+-=/,;:!? é中𝔼ß→\u0301\x1b\u202e",
    "a<b",
    "$x$",
    "a&b",
    r"\\input",
    "naïve",
    "σ_über",
    "x_中",
    "a b",
    "x'",
    "{",
    "a_{b",
)


def named(word: str) -> list[Any]:
    """A name as a letter, a word, an index, a function, under an exponent, and code of that name."""

    def code() -> Any: ...

    code.__name__ = word
    s, f = sp.Symbol(word), sp.Function(word)
    formulas = (s, s**2, sp.Symbol(f"x_{word}") * s, f(s), sp.Derivative(f(s), s), sp.IndexedBase(s)[i] + 1, sp.log(s) / s)
    trees = [*map(notation, formulas), stated(Equal(Mean(Gradient(code)), 0))]
    return [*trees, *([kind, word] for kind in ("id", "fn", "text"))]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=5) | st.sampled_from(NASTY))
@example("\n")
def test_no_name_drives_a_terminal_or_breaks_xml(word: str) -> None:
    for tree in named(word):
        assert not set("\x00\x1b\x7f\u202e\n") & set(
            typeset.text(tree).replace("\n", "") + typeset.latex(tree) + typeset.mathml(tree)
        )
        ElementTree.fromstring(typeset.mathml(tree))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed: apt-get install texlive-latex-base")
def test_latex_compiles_whatever_the_names(tmp_path: Path) -> None:
    source = latex_page([typeset.latex(tree) for word in NASTY for tree in named(word)])
    assert compiles(source, tmp_path)
    assert not compiles(source.replace(r"\mathrm{", r"\mathrm{$", 1), tmp_path)


def latex_page(formulas: list[str]) -> str:
    body = "\n\n".join(rf"$\displaystyle {formula}$" for formula in formulas)
    return f"\\documentclass{{article}}\n\\usepackage{{amsmath}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"


def compiles(source: str, folder: Path) -> bool:
    (folder / "a.tex").write_text(source, encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "a.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=120)
    return done.returncode == 0


@pytest.mark.skipif(find_spec("typst") is None, reason="typst is not installed: the extra `pdf` has it")
def test_typst_compiles_whatever_the_names() -> None:
    import typst

    source = "\n\n".join(f"$ {typeset.typst(tree)} $" for word in NASTY for tree in named(word))
    assert typst.compile(source.encode(), format="pdf").startswith(b"%PDF")
    with pytest.raises(typst.TypstError):
        typst.compile(f"$ {chr(34)} $\n\n{source}".encode(), format="pdf")


@given(st.text(max_size=30))
def test_no_text_is_code(text: str) -> None:
    assert not re.search(r"(?<!\\)[#%&]", typeset.latex_text(text))
    assert typeset.latex_text(text).isascii()
    assert not set("\x00\x1b\x7f\u202e") & set(typeset.typst_string(text) + typeset.xml_text(text))
    assert ElementTree.fromstring(f"<p>{typeset.xml_text(text)}</p>").tag == "p"


def test_symbols_in_a_reason_are_set_as_symbols() -> None:
    written = typeset.latex_prose("the moments are mu^3 + 3 mu sigma^2; a mask_1 is no musical x_j")
    assert written == r"the moments are $\mu^{3}$ + 3 $\mu$ $\sigma^{2}$; a mask\_1 is no musical $x_{j}$"


def test_names_of_several_letters_do_not_run_together() -> None:
    gain, ratio = sp.symbols("gain ratio")
    tree = notation(gain * ratio)
    assert typeset.latex(tree) == r"\mathrm{gain}\,\mathrm{ratio}" and typeset.typst(tree) == '"gain" thin "ratio"'
    assert typeset.mathml(tree).count('<mspace width="0.17em"/>') == 1
    assert "space" not in typeset.mathml(notation(sp.Symbol("a") * sp.Symbol("theta")))
    assert r"\log x" in typeset.latex(notation(sp.log(sp.Symbol("x")))) and "<mspace" in typeset.mathml(
        notation(sp.log(sp.Symbol("x")))
    )


def test_a_mean_over_copies_says_over_how_many() -> None:
    z, half = Draw("z", Gaussian(0, 1)), [sp.Rational(1, 2)] * 2
    coin = Draw("coin", Categorical(half))
    tau = episode([1, 0], [[half] * 2] * 2, [[0, 1]] * 2, [half] * 2, horizon=2)

    def latex(q: Any) -> str:
        return typeset.latex(stated(Equal(q, 0)))

    assert [latex(Covariance(Value(z), over=batch(z, n))) for n in (2, 3)] == [
        r"\operatorname{Cov}_{z\times 2}[z]=0",
        r"\operatorname{Cov}_{z\times 3}[z]=0",
    ]
    assert latex(Mean(Value(z), over=batch((z, coin), 2))) == r"\mathbf{E}_{z,\mathrm{coin}\times 2}[z]=0"
    assert latex(Mean(Value(tau.total), over=batch(tau, 2))).startswith(r"\mathbf{E}_{\mathrm{episode}\times 2}[")
    assert latex(Mean(Value(z), over=batch(z, 1))) == r"\mathbf{E}[z]=0"


def test_a_claim_says_if_what() -> None:
    v = Variable("v", 2)
    tree = stated(Equal(u, 1), Equal((v[0], v[1]), (0, 2)))
    assert typeset.latex(tree) == r"u=1\text{ if }(v_{0},v_{1})=(0,2)"
    assert typeset.text(tree) == "u = 1 if (v₀, v₁) = (0, 2)"
    assert "<mtext>\N{NO-BREAK SPACE}if\N{NO-BREAK SPACE}</mtext>" in typeset.mathml(tree)
    assert [typeset.text(line) for line in typeset.broken(tree, 22)] == ["u = 1", "if (v₀, v₁) = (0, 2)"]
    assert stated(Equal(u, 0), Equal(sum(sp.Symbol(f"x_{n}") for n in range(500)), 0)) == []


EITHER = sp.Piecewise((u, u > 0), (w, sp.And(u < -1, w > 2)), (0, True))
CASES = r"\begin{cases} u & \text{if }u>0 \\ w & \text{if }w>2\text{ and }u<-1 \\ 0 & \text{otherwise} \end{cases}"


@pytest.mark.parametrize(
    ("formula", "latex"),
    [
        (log(u) * E(x), r"(\log u)\mathbf{E}_{x}[x]"),  # not the logarithm of u E[x]
        (log(u) * log(w), r"\log u\log w"),
        (w * sp.gamma(u), r"w\Gamma(u)"),  # not three factors
        (sp.Symbol("a", positive=True) ** (sp.Product(R[k], (k, 1, K)) / 2), r"a^{\left(\prod_{k=1}^{K}R_{k}\right)/2}"),
        (sp.floor(u + w), r"\operatorname{floor}(u+w)"),
        (EITHER * log(w), rf"(\log w){CASES}"),  # what stands after cases would be part of their last condition
        (EITHER + w, rf"w+{CASES}"),
        (EITHER / 2, rf"\frac{{1}}{{2}}{CASES}"),
        (sp.Piecewise((1, sp.Or(u > 0, sp.And(w > 0, mu > 0))), (0, True)), None),
    ],
)
def test_nothing_is_read_as_part_of_what_stands_beside_it(formula: Any, latex: str | None) -> None:
    written = typeset.latex(notation(formula))
    assert written == latex if latex is not None else r"u>0\text{ or }(" in written and r"\text{ and }" in written


@given(formulas, formulas)
@example(u, u)
def test_only_what_stands_last_may_end_in_cases(one: Any, other: Any) -> None:
    both = (sp.Piecewise((e, u > 0), (w, True)) for e in (one, other))
    tree = notation(sp.Add(*both, evaluate=False))
    parts = tree[1:] if tree[0] == "row" else [tree]
    assert not any(part[0] == "cases" for part in parts[:-1])
    claim = stated(Equal(EITHER, w))
    assert claim[1][0] == "fence" and "cases" in kinds(claim[1])


@pytest.mark.parametrize(
    ("says", "set_as"),
    [
        ("gamma^t stays", r"$\gamma^{t}$ stays"),
        ("weights lambda^(n-1), n > 0", r"weights $\lambda^{n-1}$, n $>$ 0"),
        ("x_j^k and gamma^(t + 1)", r"$x_{j}^{k}$ and $\gamma^{t+1}$"),
        ("ab^c, mu^kk, s^(2", r"ab\^{}c, mu\^{}kk, s\^{}(2"),
    ],
)
def test_a_power_in_a_reason_may_be_a_letter_or_a_sum(says: str, set_as: str) -> None:
    assert typeset.latex_prose(says) == set_as


@pytest.mark.parametrize("word", ["lam", "lamda", "lambda"])
def test_a_word_that_python_keeps_is_spelled_otherwise(word: str) -> None:
    assert name(word) == ["id", "lambda"] and name(f"{word}_0") == name("lambda_0")


@given(st.permutations("uvwxy"), st.integers(1, 3))
def test_the_largest_of_several_is_one_list(order: list[str], cut: int) -> None:
    letters = [sp.Symbol(s, real=True) for s in order]
    nested = maximum(maximum(*letters[: cut + 1]), *letters[cut + 1 :])
    assert typeset.latex(notation(nested)) == r"\max(u,v,w,x,y)"
    u, v, w = map(sp.Symbol, "uvw")
    assert typeset.latex(notation(maximum(minimum(u, v), w))) == r"\max(w,\min(u,v))"
