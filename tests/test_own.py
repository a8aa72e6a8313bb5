"""Laws and spaces of somebody's own: right ones work as the tool's do, and of wrong ones a sentence names the class."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp
from flint import fmpq
from hypothesis import find, given
from hypothesis import strategies as st

from gradcheck_rl import (
    Claim,
    Draw,
    E,
    Equal,
    Gradient,
    Mean,
    Parameter,
    Problem,
    ProblemError,
    Uniform,
    Value,
    array,
    batch,
    check,
    log_prob,
    log_softmax,
    same_gradient,
    softmax,
    strategies,
)
from gradcheck_rl.extend import Finite, Law
from gradcheck_rl.own import drawn, simpler

# ---- spaces ---------------------------------------------------------------------------------------------------------------


class Fifths:
    """1/5 to 8/5, as `cell` writes them."""

    def __init__(self, cell: Callable[[int], Any] = lambda n: fmpq(n, 5), proposed: Any = ()) -> None:
        self.cell, self.proposed = cell, proposed

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        out = np.empty(shape, dtype=object)
        for at in np.ndindex(*shape):
            out[at] = self.cell(int(rng.integers(1, 9)))
        return out

    def simpler(self, value: Any) -> Any:
        return self.proposed(value) if callable(self.proposed) else self.proposed

    def holds(self, value: Any) -> bool:
        return all((5 * x).q == 1 and 0 < x < 2 for x in value.flat)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(0, 1000), st.sampled_from([lambda n: n / 5, lambda n: Fraction(n, 5), lambda n: np.float64(n) / 5]))
def test_numbers_are_taken_as_a_person_writes_them(seed: int, cell: Any) -> None:
    found = drawn(Fifths(cell), generator(seed), (2, 3))
    assert all(isinstance(x, fmpq) for x in found.flat)
    assert np.array_equal(found, drawn(Fifths(), generator(seed), (2, 3)))


def squared(x: Any) -> Any:
    return (x**2).sum()


@pytest.mark.parametrize("cell", [lambda n: fmpq(n, 5), lambda n: n / 5])
def test_a_page_same_gradient_and_hypothesis_draw_from_it(cell: Any) -> None:
    x = Parameter("x", 3, over=Fifths(cell))  # type: ignore[arg-type]
    right, wrong = (Claim(f"So {n}.", Equal(Gradient(squared), n * x)) for n in (2, 3))
    assert [c.verdict for c in check(Problem("Own", (right, wrong))).claims] == ["agrees", "refuted"]
    same_gradient(squared, lambda x: (x * x).sum(), x=(Fifths(cell), 3)).require()
    assert not same_gradient(squared, lambda x: x.sum(), x=(Fifths(cell), 3)).ok
    found = find(strategies.from_space(Fifths(cell), 3), lambda x: True)  # type: ignore[arg-type]
    assert found.shape == (3,) and all(isinstance(x, fmpq) for x in found.flat)


@given(st.lists(st.fractions(-2, 4, max_denominator=10), min_size=1, max_size=5))
def test_what_it_proposes_and_does_not_hold_is_passed_over(numbers: list[Fraction]) -> None:
    space: Any = Fifths(proposed=[np.full(2, n, dtype=object) for n in numbers])
    found = [x[0] for x in simpler(space, np.array([fmpq(1), fmpq(1)], dtype=object))]
    assert found == [fmpq(n.numerator, n.denominator) for n in numbers if 0 < n < 2 and (5 * n).denominator == 1]


def written_into(value: Any) -> Any:
    for at in range(len(value)):
        value[at] = fmpq(1, 5)
        yield value


def test_a_space_that_writes_into_what_it_is_given_changes_nothing() -> None:
    value, space = np.array([fmpq(1), fmpq(2, 5)], dtype=object), Fifths(proposed=written_into)
    assert [x.tolist() for x in list(simpler(space, value))] == [[fmpq(1, 5), fmpq(2, 5)], [fmpq(1, 5), fmpq(1, 5)]]  # type: ignore[arg-type]
    assert value.tolist() == [1, fmpq(2, 5)]


def failing(value: Any) -> Any:
    raise KeyError("oops")


class NoHolds:
    draw, simpler = Fifths.draw, Fifths.simpler


class NoVariety(Fifths):
    def notable(self, shape: Any) -> Any:
        return iter(())


class Short(Fifths):
    def draw(self, rng: Any, shape: Any) -> Any:
        return super().draw(rng, (2,))


@pytest.mark.parametrize(("space", "says"), [
    (NoHolds(), "the space NoHolds has no holds: a space has draw, simpler, holds."),
    (NoVariety(), "the space NoVariety has no variety: a space has draw, simpler, holds, notable, variety."),
    (Short(), "`Short.draw` gives shape (2,): (3,) was asked for."),
    (Fifths(lambda n: "a"), "`Fifths.draw`: 'a' is str; a whole number, a decimal or a fraction was expected"),
    (Fifths(lambda n: fmpq(n, 7)), "which `Fifths.holds` denies: mend one of them."),
    (Fifths(failing), "`Fifths.draw` raised KeyError: 'oops' (test_own.py:"),
    (Fifths(proposed=failing), "`Fifths.simpler` raised KeyError: 'oops' (test_own.py:"),
    (Fifths(proposed=[np.ones(2)]), "`Fifths.simpler` gives shape (2,): (3,) was asked for."),
])  # fmt: skip
def test_a_space_that_is_wrong_is_named(space: Any, says: str) -> None:
    with pytest.raises(ProblemError, match=re.escape(says)):
        x = Parameter("x", 3, over=space)
        check(Problem("Own", (Claim("So.", Equal(Gradient(squared), 3 * x)),)))


# ---- laws -----------------------------------------------------------------------------------------------------------------

mu = Parameter("mu", over=Uniform(0, 3))


class OnGrid(Finite):
    def __new__(cls, mean: Any, n: Any) -> Any:
        return sp.Basic.__new__(cls, *map(sp.sympify, (mean, n)))

    @property
    def scores(self) -> Any:
        mean, n = self.args
        return array(*(-((k - mean) ** 2) for k in range(int(n))))  # type: ignore[arg-type]

    @property
    def weights(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return softmax(self.scores)

    def log_prob(self, value: Any) -> Any:
        return log_softmax(self.scores)[value[0]]


def doubled(y: Any) -> Any:
    return 2.0 * y


@pytest.mark.parametrize("off", [0, 1])
def test_a_law_of_args_is_listed_sampled_copied_and_follows_others(off: int) -> None:
    x = Draw("x", OnGrid(mu, 4))
    y = Draw("y", OnGrid(x, 3))
    two = batch(y, 2)["y"]
    claims = (
        Claim("Its score.", Equal(Mean(Gradient(log_prob(y) + log_prob(x))), off)),
        Claim("Copies.", Equal(E(two[0] * two[1]), E(y) ** 2 + off)),
        Claim("Listed.", Equal(Mean(Value(doubled)), 2 * E(y) + off)),
        Claim("Sampled.", Equal(Mean(Value(doubled)), 2 * E(y) + off), by="sampled", resolution=0.05),
    )
    assert all(line.ok != bool(off) for line in check(Problem("Own", claims, world=(mu,))).claims)


class Laplace(Law):
    def __new__(cls, mean: Any) -> Any:
        return sp.Basic.__new__(cls, sp.sympify(mean))


class Hidden(Finite):
    """What it is made of is not in its args: SymPy would take two of them for the same."""

    def __new__(cls, mean: Any = 0) -> Any:
        self = sp.Basic.__new__(cls)
        self.mean = sp.sympify(mean)
        return self

    @property
    def weights(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return softmax(array(0, self.mean))


class Other(OnGrid):
    """Its args are not what it takes."""

    def __new__(cls, mean: Any) -> Any:
        return sp.Basic.__new__(cls, mean, sp.Integer(3))


class NoLogProb(Finite):
    def __new__(cls, mean: Any) -> Any:
        return sp.Basic.__new__(cls, sp.sympify(mean))

    @property
    def weights(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return softmax(array(0, self.args[0]))


@pytest.mark.parametrize(("law", "says"), [
    (lambda: Laplace(mu), "Draw('x', ...) follows Laplace, which nothing can list or integrate: derive it from Finite"),
    (lambda: Hidden(mu[()]), "Draw('x', ...) follows Hidden, which is not Hidden(*its args): keep all that it is made of"),
    (lambda: Hidden(1), "Draw('x', ...) follows Hidden, which is not Hidden(*its args): keep all that it is made of"),
    (lambda: Other(mu[()]), "Draw('x', ...) follows Other, which is not Other(*its args): keep all that it is made of"),
    (lambda: NoLogProb(mu), "`NoLogProb.log_prob` raised IndexError"),
])  # fmt: skip
def test_a_law_that_is_wrong_is_named(law: Any, says: str) -> None:
    with pytest.raises(ProblemError, match=re.escape(says)):
        Draw("x", law())
