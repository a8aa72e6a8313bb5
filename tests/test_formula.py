"""Formulas as people type them: what each writing means, what is refused and where, and that nothing typed runs away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gradcheck_rl import Bernoulli, Categorical, Draw, E, InputError, LogRational, Parameter, Uniform, Variable, softmax
from gradcheck_rl.grading import formula, meaning, tokens
from gradcheck_rl.grading.formula import parse
from gradcheck_rl.grading.meaning import FUNCTIONS, index
from gradcheck_rl.grading.tokens import FormulaError
from gradcheck_rl.symbols import Max, Min

X, Y, A = Variable("x"), Variable("y"), Variable("a", over=Uniform(1, 2))
W, R, M = Parameter("w", 3, over=LogRational()), Variable("R", 3), Variable("M", (2, 3))
ACT, COIN = Draw("act", Categorical(logits=W)), Draw("coin", Bernoulli(sp.Rational(1, 3)))
STATE = index("s", 2)
TABLE = np.array([[X[()], Y[()], 1], [2, 3, 4]], dtype=object)
NAMES: dict[str, Any] = {
    **{"x": X, "y": Y, "a": A, "s0": Variable("s0"), "w": W, "R": R, "M": M, "act": ACT, "coin": COIN, "s": STATE},
    **{
        "i": index("i", 3),
        "policy": softmax(W),
        "Q": TABLE,
        "theta": Parameter("theta", 2),
        "K": 3,
        "lambda": Variable("lambda"),
    },
    **{
        "f": lambda u: u**2 + 1,
        "E_max": Variable("E_max"),
        "beta": Variable("beta"),
        "S": Variable("S"),
        "gamma": Variable("gamma"),
    },
}
x, y, a = X[()], Y[()], A[()]


def read(text: str) -> Any:
    return parse(text, NAMES)


def refused(text: str) -> FormulaError:
    with pytest.raises(FormulaError) as caught:
        read(text)
    return caught.value


# ---- what is meant --------------------------------------------------------------------------------------------------------

MEANT = {
    "2x + 1": 2 * x + 1,
    "x y": x * y,
    "(x)(y)": x * y,
    "x(1 - y)^2": x * (1 - y) ** 2,
    "-x^2": -(x**2),
    "(-x)^2": x**2,
    "2^-1": sp.Rational(1, 2),
    "x - -y": x + y,
    "2**3**2": sp.Integer(512),
    "x/y/2": x / y / 2,
    "x/y*2": 2 * x / y,
    "0.1": sp.Rational(1, 10),
    ".5 x": x / 2,
    "1E-3": sp.Rational(1, 1000),
    "|x - |y||": abs(x - abs(y)),
    "2|x|": 2 * abs(x),
    "exp(-|x|)": sp.exp(-abs(x)),
    "sin x cos y": sp.sin(x) * sp.cos(y),
    "sin^2 x": sp.sin(x) ** 2,
    "log x^2": sp.log(x**2),
    "e^x": sp.exp(x),
    "√x y": None,
    "√(x) y": sp.sqrt(x) * y,
    "π x": sp.pi * x,
    "x² − y⁻¹ × 2": x**2 - 2 / y,
    "γ": NAMES["gamma"][()],
    "β + λ + S": NAMES["beta"][()] + NAMES["lambda"][()] + NAMES["S"][()],
    "s_0": NAMES["s0"][()],
    "w_1 + w[1] + w₁ + w(1)": 4 * W[1],
    "M_12 + M_1_2 + M[1][2] + M[1, 2] + M_{1,2}": 5 * M[1, 2],
    "R_i": R[NAMES["i"][()]],
    "R[act]": R[ACT],
    "Q(1|0)": y,
    "Q(0, 1)": y,
    "Q(2|s)": TABLE.view(type(R.array))[STATE[()], 2],
    "policy(act|x)": softmax(W)[ACT],
    "policy_theta(i)": softmax(W)[NAMES["i"][()]],
    "f(x) + f(2)": x**2 + 6,
    "sum(R)": R[0] + R[1] + R[2],
    "sum(R[k]*k, k, 1, K - 1)": R[1] + 2 * R[2],
    "sum_k M_1k": M[1, 0] + M[1, 1] + M[1, 2],
    "sum_k R_k + x": R[0] + R[1] + R[2] + x,
    "sum(sum(M[j][k], j), k)": sum(M[j, k] for j in range(2) for k in range(3)),
    "max(R)": Max(*R),
    "min(x, y)": Min(x, y),
    "clip(x, 0, 1)": Min(Max(x, 0), 1),
    "E(R[act])": E(R[ACT]),
    "E[coin]": E(COIN[()]),
    "E_coin(coin*R[act])": E(COIN[()] * R[ACT], [COIN]),
    "E_max": NAMES["E_max"][()],
    "softmax(w)[act]": softmax(W)[ACT],
    "oo": sp.oo,
}


@pytest.mark.parametrize("text", [t for t, e in MEANT.items() if e is not None])
def test_what_is_meant(text: str) -> None:
    assert read(text) == MEANT[text]


@pytest.mark.parametrize(
    ("text", "entries"),
    [("[x, 2y]", [x, 2 * y]), ("(x, y)", [x, y]), ("2*w", [2 * c for c in W]), ("w - w_0", [0, W[1] - W[0], W[2] - W[0]])],
)
def test_vectors(text: str, entries: list[Any]) -> None:
    assert list(read(text)) == entries


def test_a_table_in_rows() -> None:
    assert read("[[x, 1], [2, y]]").tolist() == [[x, 1], [2, y]]


@pytest.mark.parametrize(
    "word", ["e", "E", "i", "I", "j", "S", "N", "Q", "O", "C", "beta", "gamma", "zeta", "lambda", "pi", "sum"]
)
def test_a_name_of_the_problem_comes_first(word: str) -> None:
    variable = Variable(word)
    assert parse(f"{word} + 1", {word: variable}) == variable + 1


class Trees:
    """Formulas with their values, built side by side: the text by hand, the value in SymPy."""

    leaves = st.sampled_from([("x", x), ("y", y), ("2", sp.Integer(2)), ("0.5", sp.Rational(1, 2)), ("w_0", W[0])])

    @staticmethod
    def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        pairs = st.tuples(inner, inner)
        return st.one_of(
            pairs.map(lambda p: (f"({p[0][0]} + {p[1][0]})", p[0][1] + p[1][1])),
            pairs.map(lambda p: (f"({p[0][0]} - ({p[1][0]}))", p[0][1] - p[1][1])),
            pairs.map(lambda p: (f"({p[0][0]})({p[1][0]})", p[0][1] * p[1][1])),
            pairs.map(lambda p: (f"({p[0][0]})·{p[1][0]}", p[0][1] * p[1][1]) if p[1][0].isalnum() else p[0]),
            inner.map(lambda p: (f"({p[0]})^2", p[1] ** 2)),
            inner.map(lambda p: (f"tanh({p[0]})", sp.tanh(p[1]))),
            inner.map(lambda p: (f"-({p[0]})", -p[1])),
        )


@given(st.recursive(Trees.leaves, Trees.grown, max_leaves=8))
def test_a_text_means_what_it_was_made_from(made: tuple[str, Any]) -> None:
    text, value = made
    assert sp.expand(read(text) - value) == 0


@given(st.recursive(Trees.leaves, Trees.grown, max_leaves=6), st.sampled_from(["  ", "\t", " "]))
def test_blanks_mean_nothing(made: tuple[str, Any], blank: str) -> None:
    text, _ = made
    spread = "".join(f"{blank}{c}{blank}" if c in "+-()^·" else c for c in text)
    assert read(spread) == read(text)


# ---- what is refused, and where -------------------------------------------------------------------------------------------

REFUSED = {
    "": (0, "empty"),
    "x +": (3, "ends where a value was expected"),
    "(x": (0, "never closed"),
    "x)": (1, "closes nothing"),
    "(x]": (2, "`)` was expected"),
    "|x": (0, "never closed"),
    "x, y": (1, "outside of brackets"),
    "* x": (0, "where a value was expected"),
    "thta": (0, "not known here"),
    "2*xy": (2, "not known here"),
    "1/2x": (3, "two ways"),
    "x/y(1 + x)": (3, "two ways"),
    "log x y": (6, "two ways"),
    "log x (1 - y)": (6, "two ways"),
    "sin x / 2": (6, "two ways"),
    "2e+3": (0, "two ways"),
    "2 3": (2, "side by side"),
    "x_": (1, "without an index"),
    "x_0": (2, "no index `0`"),
    "x[0]": (1, "no entries"),
    "R_3": (2, "no entry 3"),
    "R[-1]": (2, "no entry -1"),
    "R[x]": (2, "no index"),
    "R[coin/2]": (2, "no index"),
    "M[act]": (2, "no index"),
    "R + M[0] + [1, 2]": (0, "joined"),
    "exp": (0, "without an argument"),
    "exp + 1": (0, "without an argument"),
    "exp(x, y)": (0, "one argument"),
    "clip(x, 1)": (0, "3 arguments"),
    "sin^-1(x)": (3, "power of a function"),
    "foo(x)": (0, "no function"),
    "f": (0, "without an argument"),
    "1/0": (2, "divides by zero"),
    "x/(y - y)": (3, "divides by zero"),
    "0^-1": (1, "divides by zero"),
    "log(0)": (0, "logarithm of 0"),
    "log(-1)": (0, "no real number"),
    "sqrt(-4x^2)": (0, "no real number"),
    "(-8)^(1/3)": (4, "no real number"),
    "oo - oo": (0, "no value"),
    "exp(oo)": (0, "infinity"),
    "sum(R[k], k, 1, 3)": (6, "no entry 3"),
    "sum(x, k)": (0, "reads nothing"),
    "sum(k, k, 1, 10^5)": (0, "terms"),
    "sum(x, 1, 2)": (0, "expected as sum(w)"),
    "sum(x)": (0, "takes a vector"),
    "E_x(act)": (2, "no draw"),
    "[x, [1, 2]]": (0, "differ in length"),
    "1.2.3": (3, "side by side"),
    "x # comment": (2, "`#`"),
    "x\\\n+y": (1, "`\\`"),
    "x;y": (1, "`;`"),
    "x\ny": (1, "U+000A"),
    "а + x": (0, "U+0430"),
    "x\u200b": (1, "U+200B"),
    "\u202ex": (0, "U+202E"),
    "x = 1": (2, "`=`"),
    "≈0.33": (0, "U+2248"),
    "0.33 m": (5, "not known"),
    "J": (0, "not known"),
    "reference": (0, "not known"),
    "sin(\"__import__('os').getpid()\")": (4, '`"`'),
    '__import__("os").system("touch pwned")': (11, '`"`'),
    "[c for c in ().__class__.__mro__]": (14, "without digits"),
    "{x}": (0, "no place"),
    "*x": (0, "where a value was expected"),
    "eval(1)": (0, "no function"),
    "print(1)": (0, "no function"),
    "factorial(10^9)": (0, "no function"),
    "200000!": (6, "`!`"),
    "9**9**9**9": (4, "exponent"),
    "10^65": (2, "exponent"),
    "(10^64)^64": (7, "too large"),
    "2^(10^9 x)": (1, "exponent"),
    "exp(10^9 log(2))": (0, "exponent"),
    "exp(x + 10^9*log(2))": (0, "exponent"),
    "((x^64)^64)^64": (11, "too large"),
    "sqrt(2) + sqrt(3) - sqrt(5 + 2*sqrt(6))": (0, "told from 0"),
    "1" * 51: (0, "50 digits"),
    "diff(x, x)": (0, "no function"),
    "Integral(x)": (0, "no function"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_and_where(text: str) -> None:
    error = refused(text)
    offset, part = REFUSED[text]
    assert (error.offset, part in error.says) == (offset, True), error.says


def test_an_error_shows_the_line_a_caret_and_what_to_type() -> None:
    says = str(refused("2*thta + 1"))
    line, shown, caret, advice = says.splitlines()
    assert line.startswith("`thta` is not known here; there is x, y, a")
    assert (shown, caret, advice) == ("    2*thta + 1", "      ^", "Did you mean `theta`?")
    assert isinstance(refused("2*thta"), InputError)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("xy", "Write x*y for a product."),
        ("а", "Did you mean `a`?"),
        ("2e-3", "Write 2*10^(-3), or 2*e - 3."),
        ("x = 1", "Write the right-hand side alone."),
        ("ex(x)", "Did you mean `exp`?"),
        ("R_3", "Count from 0."),
        ("ｘ", "Did you mean `x`?"),
    ],
)
def test_what_is_suggested(text: str, advice: str) -> None:
    assert str(refused(text)).splitlines()[-1] == advice


def test_the_caret_stays_below_its_place_in_a_long_line() -> None:
    _, shown, caret, *_ = str(refused("x + " * 500 + "thta" + " + x" * 300)).splitlines()
    assert len(shown) < 80 and shown[caret.index("^") :].startswith("thta")


def test_an_error_moves_no_cursor() -> None:
    shown = str(refused("x\u202e\x1b[31m\r + thta"))
    assert not set(shown) & set("\u202e\x1b\r")


def test_without_a_draw_there_is_no_mean() -> None:
    with pytest.raises(FormulaError, match="no draw here"):
        parse("E(x)", {"x": X})


# ---- nothing runs, and nothing runs away ----------------------------------------------------------------------------------

LONG = {
    "brackets": "(" * 2000 + "x" + ")" * 2000,
    "signs": "-" * 4000 + "x",
    "terms": "x+" * 2040 + "x",
    "too long": "x+" * 100_000 + "x",
    "functions": "sin(" * 1000 + "x" + ")" * 1000,
    "a name": "a" * 1_000_000,
    "blanks": " " * 1_000_000,
    "bars": "|" * 4000,
    "powers": "^".join(["x"] * 2000),
    "roots": "√" * 4000 + "x",
    "indices": "w" + "_0" * 2000,
    "brackets after": "w" + "[0]" * 1300,
    "commas": "[" + "x," * 2000 + "x]",
    "softmax in softmax": "softmax(" * 15 + "w" + ")*w" * 15,
    "sums in sums": "sum(" * 8 + "x" + "".join(f",k{n},0,9)" for n in range(8)),
}


@pytest.mark.parametrize("name", LONG)
def test_what_is_too_long_or_too_deep_is_refused(name: str) -> None:
    assert 0 <= refused(LONG[name]).offset <= len(LONG[name])


@pytest.mark.parametrize(
    "text", ["(" * 50 + "x" + ")" * 50, "+".join(["x"] * 900), "sum(k, k, 1, 1000)", "1" * 50, "((x^2)^2)^2"]
)
def test_what_is_within_the_budgets_is_read(text: str) -> None:
    assert read(text) is not None


ALPHABET = "xyawRMsi0123456789.+-*/^()[]{}|,_ eE!=#\\'\"πθ²₀√∞а\u200b\n:;@<>&~`?"
PIECES = [*FUNCTIONS, *NAMES, "pi", "oo", "sum_k", "(", ")", "[", "]", "|", ",", "+", "-", "*", "/", "^", "_", "{", "}"]
PIECES += [
    "2",
    "0",
    "0.5",
    "64",
    "10^50",
    "1E9",
    "k",
    " ",
    "9^9^9",
    "exp(",
    "log(",
    "sum(",
    "E(",
    "sqrt(",
    "∞",
    "·",
    "x_0",
    "R[k]",
]


def harmless(text: str) -> None:
    try:
        parse(text, NAMES)
    except FormulaError as error:
        assert 0 <= error.offset <= len(text) and error.says
        assert str(error).count("\n") in (2, 3)


@settings(max_examples=300)
@given(st.text(ALPHABET, max_size=40))
def test_every_text_is_read_or_refused(text: str) -> None:
    harmless(text)


@settings(max_examples=200)
@given(st.text(max_size=30))
def test_every_unicode_text_is_read_or_refused(text: str) -> None:
    harmless(text)


@settings(max_examples=600)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@example("sin(sin(10^50)^64)^64")
@example("max(exp(exp(7)), exp(exp(8)))")
@example("exp(exp(exp(7)))")
def test_every_sequence_of_words_is_read_or_refused(text: str) -> None:
    harmless(text)


GROWTH = st.sampled_from(
    [
        "exp({})",
        "({})^64",
        "({})^x",
        "2^({})",
        "1/({})",
        "sqrt({})",
        "log({})",
        "|{}|",
        "max({}, x)",
        "tan({})",
        "({})^({})",
        "sum([{}, {}])",
    ]
)


@settings(max_examples=300)
@given(st.sampled_from(["x", "2", "10^50", "pi", "x + log(2)", "sqrt(2)", "-3"]), st.lists(GROWTH, max_size=7))
def test_whatever_grows_is_read_or_refused(seed: str, steps: list[str]) -> None:
    text = seed
    for step in steps:
        text = step.replace("{}", text)
    harmless(text[:5000])


def test_no_text_reaches_sympy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def seen(text: object, *_: object, **__: object) -> object:
        raise AssertionError(f"{text!r} reached a reader of Python")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sympy.parsing.sympy_parser.parse_expr", seen)
    monkeypatch.setattr("builtins.eval", seen)
    for text in (*MEANT, *REFUSED):
        harmless(text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "budget", "value", "text"),
    [
        (tokens, "LENGTH", 10, "x + y + x + y"),
        (tokens, "TOKENS", 4, "x + y + x"),
        (tokens, "DIGITS", 3, "1234"),
        (formula, "DEPTH", 3, "(((x)))"),
        (meaning, "ENTRIES", 4, "x + y + x + y"),
        (meaning, "NESTED", 1, "exp(exp(x))"),
        (meaning, "RANGE", 2, "sum(k, k, 1, 3)"),
        (meaning, "EXPONENT", 2, "x^3"),
        (meaning, "BITS", 8, "2^9"),
        (meaning, "SIZE", 10, "(x + y)^3"),
        (meaning, "HEIGHT", 6, "2^(x*y)"),
        (meaning, "LARGEST_EXP", 2, "exp(3)"),
    ],
)
def test_each_budget_is_what_refuses(monkeypatch: pytest.MonkeyPatch, module: Any, budget: str, value: int, text: str) -> None:
    assert read(text) is not None
    monkeypatch.setattr(module, budget, value)
    refused(text)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("f = x", "Write the right-hand side alone."),
        ("np.exp(x)", "Leave out the module: exp(x), not np.exp(x)."),
        ("x + any_thing", ""),
        ("x\N{ZERO WIDTH SPACE}", "Leave it out: it cannot be seen."),
    ],
)
def test_what_is_suggested_is_what_to_type(text: str, advice: str) -> None:
    last = str(refused(text)).splitlines()[-1]
    assert last == advice if advice else "Did you mean" not in last


def test_a_sum_in_plain_text_has_its_ends_as_the_errors_write_it() -> None:
    assert parse("sum_{k=0}^{1} R_k", NAMES) == parse("R_0 + R_1", NAMES)
    assert parse("sum_{k=0}^{1} R_k", NAMES) != parse("R_0", NAMES)


def test_a_last_comma_is_no_entry() -> None:
    assert list(parse("[x, y,]", NAMES)) == list(parse("[x, y]", NAMES))
    assert parse("(x,)", NAMES) == parse("x", NAMES)
    assert "a comma stands outside" in str(refused("[x,,y]"))


@pytest.mark.parametrize(
    ("text", "says", "advice"),
    [
        ("softmax(R)_0", "an index stands after a bracket", "Write an entry in brackets, as softmax(w)[0]."),
        ("1; 2", "`;` has no place", "Write [a, b, ...] for several."),
        ("\frac{x}{2}", "U+000C", 'Write r"..." for a text with backslashes, in which Python changes none.'),
        ("\beta", "U+0008", 'Write r"..." for a text with backslashes, in which Python changes none.'),
    ],
)
def test_a_habit_is_told_what_to_type(text: str, says: str, advice: str) -> None:
    error = refused(text)
    assert says in error.says and str(error).splitlines()[-1] == advice


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("p(1 - p)", "`p` is not known here; there is x"),
        ("pi_i (x)", "`pi` is 3.14... here, and no policy"),
        ("Σ x", "Write sum("),
        ("½ x", "Did you mean `1/2`?"),
        ("1 0 2", "write [a, b] for several"),
    ],
)
def test_what_is_on_a_page_and_not_here_is_told_how_to_be_written(text: str, says: str) -> None:
    with pytest.raises(FormulaError) as found:
        parse(text, {"x": Variable("x")})
    assert says.lower() in str(found.value).lower()


POLICIES = [
    *("pi[{}]", "pi_{}", "pi_{{{}}}(x)", "pi({}|x)", "pi_{}[0]", "x*pi[{}]*(1 - x)"),
    *("sum_{0} pi_{0}", "sum(pi[{0}], {0})"),
]


@pytest.mark.parametrize("form", POLICIES)
@given(index=st.sampled_from("aisxθ"))
def test_pi_is_no_policy(form: str, index: str) -> None:
    with pytest.raises(FormulaError, match=r"`pi` is 3\.14") as found:
        parse(form.format(index), {"x": Variable("x")})
    assert "Write the policy out" in str(found.value)
    policy = Variable("pi", (3, 2))
    assert parse("pi[2]", {"pi": policy})[1] == policy[2, 1]


@pytest.mark.parametrize("text", ["2 pi", "pi(1 - x)", "pi(|x|)", "sqrt(2pi)^3", "pi|x|"])
def test_pi_is_a_number(text: str) -> None:
    assert parse(text, {"x": Variable("x")}).has(sp.pi)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("R0 + 1", "Write R_0 for an entry."),
        ("2*w12", "Write w_12 for an entry."),
        ("x7", ""),
        ("1_000*x", "Write its digits side by side."),
        ("log10(x)", "Write log(x)/log(10)."),
        ("log2 x", "Write log(x)/log(2)."),
        ("relu(x)", "Write max(x, 0)."),
        ("mean(R)", "Write the sum, divided by how many there are."),
        ("dot(R, w)", "Write sum(a*b) for the product of two vectors."),
    ],
)
def test_what_is_known_elsewhere_is_told_how_to_be_written_here(text: str, advice: str) -> None:
    last = str(refused(text)).splitlines()[-1]
    assert last == advice if advice else "for an entry" not in last
