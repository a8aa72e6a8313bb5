"""Pages written at random: a claim that holds is never refuted, and one that does not is never let pass.

A formula is a tree, read three times: in SymPy and in torch as the page's two sides, and in dual numbers of 50 digits, where an
expectation is the sum over all outcomes. The last shares no line with the package, and says what is true at the page's points.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcheck_rl as g
from gradcheck_rl.judge import Judge

mp = mpmath.mp.clone()
mp.dps = 50
Tree = Any  # a name, a number, or a word and what it is said of
EXACT, SEEN = 1e-25, 1e-4

THETA, X = g.Parameter("theta", 2, over=g.Uniform(-2, 2)), g.Parameter("x", over=g.Uniform(-2, 2))
Y = g.Parameter("y", over=g.OneOf(-1, 0, 1, 2))
R, MASK = g.Variable("r", 2, over=g.Uniform(-2, 2)), g.Variable("mask", 2, over=g.Masks())
A = g.Draw("a", g.Categorical(logits=THETA, allowed=MASK))
B = g.Draw("b", g.Bernoulli(logit=X + Y * A[()]))
WORLD = (THETA, X, Y, R, MASK, A, B)
BY = (THETA, X, Y)


@dataclass(frozen=True)
class Dual:
    """A number and its slopes by theta_0, theta_1, x and y."""

    value: Any
    slopes: Any

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.value + other.value, self.slopes + other.slopes)

    def __mul__(self, other: Dual) -> Dual:
        return Dual(self.value * other.value, other.value * self.slopes + self.value * other.slopes)

    def through(self, f: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Dual:
        return Dual(f(self.value), slope(self.value) * self.slopes)


def number(q: Any, along: int | None = None) -> Dual:
    return Dual(mp.mpf(int(q.numerator)) / int(q.denominator), np.array([mp.mpf(n == along) for n in range(4)]))


class Kink(Exception):
    """Two branches meet here."""


def higher(a: Dual, b: Dual) -> Dual:
    if abs(a.value - b.value) < EXACT and abs(a.slopes - b.slopes).max() > EXACT:
        raise Kink
    return a if a.value > b.value else b


def jump(a: Dual) -> Dual:
    if abs(a.value) < EXACT:
        raise Kink
    return number(Fraction(a.value > 0))


def sigmoid(v: Any) -> Any:
    return 1 / (1 + mp.exp(-v))


MINUS = number(Fraction(-1))


@dataclass(frozen=True)
class Word:
    places: int
    sympy: Callable[..., Any]
    torch: Callable[..., Any]
    dual: Callable[..., Any]


def smooth(sympy: Any, of_torch: Any, f: Any, slope: Any) -> Word:
    return Word(1, sympy, of_torch, lambda a: a.through(f, slope))


WORDS = {
    "add": Word(2, lambda a, b: a + b, lambda a, b: a + b, lambda a, b: a + b),
    "times": Word(2, lambda a, b: a * b, lambda a, b: a * b, lambda a, b: a * b),
    "tanh": smooth(g.tanh, torch.tanh, mp.tanh, lambda v: 1 - mp.tanh(v) ** 2),
    "sigmoid": smooth(g.sigmoid, torch.sigmoid, sigmoid, lambda v: sigmoid(v) * sigmoid(-v)),
    "softplus": smooth(g.softplus, torch.nn.functional.softplus, lambda v: mp.log(1 + mp.exp(v)), sigmoid),
    "exp": smooth(lambda a: g.exp(a / 4), lambda a: (a / 4).exp(), lambda v: mp.exp(v / 4), lambda v: mp.exp(v / 4) / 4),
    "log": smooth(
        lambda a: g.log(1 + a**2),
        lambda a: (1 + a**2).log(),
        lambda v: mp.log(1 + v**2),
        lambda v: 2 * v / (1 + v**2),
    ),
    "inverse": smooth(
        lambda a: 1 / (2 + a**2),
        lambda a: 1 / (2 + a**2),
        lambda v: 1 / (2 + v**2),
        lambda v: -2 * v / (2 + v**2) ** 2,
    ),
    "cube": smooth(lambda a: a**3, lambda a: a**3, lambda v: v**3, lambda v: 3 * v**2),
    "sin": smooth(g.sin, torch.sin, mp.sin, mp.cos),
    "frozen": smooth(g.frozen, lambda a: a.detach(), lambda v: v, lambda v: 0),
    "maximum": Word(2, g.maximum, torch.maximum, higher),
    "minimum": Word(2, g.minimum, torch.minimum, lambda a, b: MINUS * higher(MINUS * a, MINUS * b)),
    "abs": Word(1, sp.Abs, torch.abs, lambda a: higher(a, MINUS * a)),
    "step": Word(1, lambda a: g.step(g.frozen(a)), lambda a: (a > 0).to(a), jump),
}
BENT = {"maximum", "minimum", "abs", "step"}
NAMES: tuple[str, ...] = ("theta_0", "theta_1", "x", "y", "a", "b", "reward", "log_prob")


def read(tree: Tree, how: str, names: Mapping[str, Any], number: Callable[[Fraction], Any], mean: Any = None) -> Any:
    if isinstance(tree, str):
        return names[tree]
    if isinstance(tree, Fraction):
        return number(tree)
    word, *args = tree
    if word == "E":
        return mean(*args)
    return getattr(WORDS[word], how)(*(read(t, how, names, number, mean) for t in args))


def formula(tree: Tree) -> Any:
    names = dict(zip(NAMES, (THETA[0], THETA[1], X[()], Y[()], A[()], B[()], R[A], g.log_prob(A)), strict=True))
    return read(tree, "sympy", names, lambda q: sp.Rational(q.numerator, q.denominator), lambda t: g.E(formula(t)))


def code(tree: Tree) -> Callable[..., Any]:
    def loss(theta: Any, x: Any, y: Any, r: Any, mask: Any, a: Any, b: Any) -> Any:
        log_policy = theta.masked_fill(mask == 0, -torch.inf).log_softmax(-1)
        names = dict(zip(NAMES, (theta[0], theta[1], x, y, a.to(x), b.to(x), r[a], log_policy[a]), strict=True))
        return read(tree, "torch", names, lambda q: torch.tensor(float(q), dtype=torch.float64)) + 0 * x

    return loss


def outcomes(row: Mapping[Any, Any]) -> Iterator[tuple[Dual, dict[str, Dual]]]:
    """Each outcome that can happen, with its probability, and what the names stand for then."""
    t0, t1 = (number(row[t], n) for n, t in enumerate(THETA.atoms))
    x, y = (number(row[p[()]], n) for n, p in ((2, X), (3, Y)))
    weights = [number(row[m]) * t.through(mp.exp, mp.exp) for m, t in zip(MASK.atoms, (t0, t1), strict=True)]
    total = weights[0] + weights[1]
    for a, b in itertools.product((0, 1), (0, 1)):
        if not weights[a].value:
            continue
        p = weights[a] * total.through(lambda v: 1 / v, lambda v: -1 / v**2)
        second = (x + y * number(Fraction(a))) * number(Fraction(2 * b - 1))
        log_p = p.through(mp.log, lambda v: 1 / v)
        stand = (t0, t1, x, y, number(Fraction(a)), number(Fraction(b)), number(row[R.atoms[a]]), log_p)
        yield p * second.through(sigmoid, lambda v: sigmoid(v) * sigmoid(-v)), dict(zip(NAMES, stand, strict=True))


def dual(tree: Tree, names: Mapping[str, Dual], row: Mapping[Any, Any]) -> Dual:
    return read(tree, "dual", names, number, lambda t: mean(t, row))


def mean(tree: Tree, row: Mapping[Any, Any]) -> Dual:
    """The expectation, whose slope has the law's in it."""
    parts = [p * dual(tree, names, row) for p, names in outcomes(row)]
    return sum(parts[1:], parts[0])


def sides(tree: Tree, row: Mapping[Any, Any], kind: str, averaged: bool) -> np.ndarray:
    """What the page compares: at each outcome, or in the mean of them, whose weights bring no slope."""
    found = [(p.value, dual(tree, names, row)) for p, names in outcomes(row)]
    each = np.array([[d.value] if kind == "value" else list(d.slopes) for _, d in found])
    return np.array([p for p, _ in found]) @ each if averaged else each


# ---- formulas, the same ones written in another way, and others ----------------------------------------------------------------

numbers = st.sampled_from([Fraction(n, d) for n in (-2, -1, 1, 3) for d in (1, 2)])
leaves = st.sampled_from(NAMES) | numbers


def said(words: Mapping[str, Word], below: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    return st.one_of(*[st.tuples(st.just(w), *[below] * word.places) for w, word in words.items()])


def trees(bent: bool, means: bool, size: int) -> st.SearchStrategy[Tree]:
    words = {w: word for w, word in WORDS.items() if bent or w not in BENT}

    def extended(below: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        plain = said(words, below)
        return plain | st.tuples(st.just("E"), below) if means else plain

    return st.recursive(leaves, extended, max_leaves=size)


def places(tree: Tree, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Tree]]:
    yield path, tree
    if isinstance(tree, tuple):
        for n, below in enumerate(tree[1:], start=1):
            yield from places(below, (*path, n))


def put(tree: Tree, path: tuple[int, ...], new: Tree) -> Tree:
    return new if not path else (*tree[: path[0]], put(tree[path[0]], path[1:], new), *tree[path[0] + 1 :])


def minus(t: Tree) -> Tree:
    return ("times", Fraction(-1), t)


def same(t: Tree) -> Tree:
    """An equal formula, with equal slopes."""
    match t:
        case ("add" | "times" | "maximum" | "minimum" as word, a, b):
            return (word, b, a)
        case ("tanh", a):
            return ("add", Fraction(-1), ("times", Fraction(2), ("sigmoid", ("times", Fraction(2), a))))
        case ("sigmoid", a):
            return ("add", Fraction(1), minus(("sigmoid", minus(a))))
        case ("softplus", a):
            return ("add", a, ("softplus", minus(a)))
        case ("exp", a):
            half = ("exp", ("times", Fraction(1, 2), a))
            return ("times", half, half)
        case ("cube", a):
            return ("times", a, ("times", a, a))
        case ("abs", a):
            return ("maximum", a, minus(a))
        case ("frozen", (word, *args)) if word != "E":
            return (word, *(("frozen", a) for a in args))
        case ("E", ("add", a, b)):
            return ("add", ("E", a), ("E", b))
        case "a" | "b":
            return ("times", t, t)
        case _:
            return ("times", Fraction(1, 2), ("add", t, t))


def other(t: Tree) -> Tree:
    """What a slip makes of it."""
    match t:
        case ("frozen", a):
            return a
        case ("maximum", a, b):
            return ("minimum", a, b)
        case ("minimum", a, b):
            return ("maximum", a, b)
        case ("E", ("times", a, b)):
            return ("times", ("E", a), ("E", b))
        case "a":
            return "b"
        case _:
            return ("frozen", t)


SLIPS: tuple[Callable[[Tree], Tree], ...] = (
    other,
    minus,
    lambda t: ("times", Fraction(1001, 1000), t),
    lambda t: ("add", t, Fraction(1, 1000)),
)


@st.composite
def pages(draw: st.DrawFn, bent: bool, size: int = 6) -> tuple[Tree, Tree, str, bool, bool]:
    """Two formulas, whether values or gradients are compared, in the mean or not, and whether the first is code."""
    by_code = draw(st.booleans())
    left = draw(trees(bent, means=not by_code, size=size))
    right = left
    for _ in range(draw(st.integers(0, 2))):
        path, t = draw(st.sampled_from(list(places(right))))
        right = put(right, path, same(t))
    if draw(st.booleans()):
        path, t = draw(st.sampled_from(list(places(right))))
        right = put(right, path, draw(st.sampled_from(SLIPS))(t))
    return left, right, draw(st.sampled_from(["value", "gradient"])), draw(st.booleans()), by_code


def gaps(left: Tree, right: Tree, kind: str, averaged: bool, rows: Sequence[Mapping[Any, Any]]) -> Iterator[Any]:
    """The greatest difference at each point; None where branches meet."""
    for row in rows:
        try:
            a, b = (sides(t, row, kind, averaged).ravel() for t in (left, right))
        except Kink:
            yield None
        else:
            yield max(abs(p - q) / (1 + abs(q)) for p, q in zip(a, b, strict=True))


def hold_true(left: Tree, right: Tree, kind: str, averaged: bool, by_code: bool, smooth: bool = True) -> None:
    def side(what: Any) -> Any:
        quantity = g.Value(what) if kind == "value" else g.Gradient(what, BY)
        return g.Mean(quantity) if averaged else quantity

    claim = g.Claim("same", g.Equal(side(code(left) if by_code else formula(left)), side(formula(right))))
    page = g.Problem("random", (claim,), world=WORLD, points=6)
    verdict = g.check(page).claims[0].verdict
    rows = [row for seed in (0, 1) for row in Judge(page, seed, 6).points.rows]  # a proof holds elsewhere too
    found = list(gaps(left, right, kind, averaged, rows if verdict == "proved" else rows[: len(rows) // 2]))
    if any(x is not None and x > SEEN for x in found):
        assert verdict == "refuted"
    elif all(x is not None and x < EXACT for x in found):
        assert verdict in ("proved", "agrees") if smooth else verdict != "refuted"


@given(pages(bent=False))
def test_what_is_smooth_is_decided_as_it_is(page: Any) -> None:
    hold_true(*page)


@given(pages(bent=True))
def test_what_has_kinks_is_not_decided_otherwise(page: Any) -> None:
    hold_true(*page, smooth=False)


@pytest.mark.slow
@settings(max_examples=3000)
@given(st.booleans().flatmap(lambda bent: st.tuples(st.just(bent), pages(bent, size=12))))
def test_so_are_longer_ones(page: Any) -> None:
    bent, of = page
    hold_true(*of, smooth=not bent)


@pytest.mark.parametrize("word", ["tanh", "sigmoid", "softplus", "exp", "cube", "abs"])
@pytest.mark.parametrize("kind", ["value", "gradient"])
@pytest.mark.parametrize("by_code", [False, True])
def test_a_word_with_another_meaning_here_than_there_is_seen(
    monkeypatch: pytest.MonkeyPatch, word: str, kind: str, by_code: bool
) -> None:
    page = ((word, "x"), same((word, "x")), kind, False, by_code)
    hold_true(*page, smooth=False)
    meant = WORDS[word]
    monkeypatch.setitem(WORDS, word, replace(meant, dual=lambda a: meant.dual(a) + a * a * (a + number(Fraction(1)))))
    with pytest.raises(AssertionError):
        hold_true(*page, smooth=False)
