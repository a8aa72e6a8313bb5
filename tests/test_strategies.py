"""Strategies: what they draw belongs to its space, is exact, and shrinks to the simple values a reader wants to see."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import find, given, settings
from hypothesis import strategies as st
from sympy import Rational

from gradcheck_rl import Bernoulli, Categorical, Draw, Gaussian
from gradcheck_rl import strategies as ours
from gradcheck_rl.errors import InputError
from gradcheck_rl.judge import Judge
from gradcheck_rl.load import load
from gradcheck_rl.points import Points
from gradcheck_rl.problem import Problem
from gradcheck_rl.rings import LogOf
from gradcheck_rl.spaces import Integers, LogRational, Masks, Normal, OneOf, Simplex, Uniform
from gradcheck_rl.verdict import Verdict

TINY = Path(__file__).parent / "pages" / "tiny.py"

# Each space, a shape, and its simplest value: 0 where it may be, whole numbers before decimals, everything allowed.
SPACES = (
    (Normal(), (2,), [1, 1]),
    (Normal(0.1), (), fmpq(1, 10)),  # within four spreads the simplest number that is not 0
    (Uniform(-2, 2), (2, 2), [[0, 0], [0, 0]]),
    (Uniform(0.25, 0.75), (), fmpq(1, 2)),
    (Uniform(0.00001, 0.00002), (), fmpq(1, 100_000)),
    (Integers(-3, 5), (3,), [0, 0, 0]),
    (Integers(4, 5), (), 4),
    (LogRational(), (2,), [0, 0]),
    (LogRational(2), (), 0),
    (Simplex(), (3,), [fmpq(1, 3)] * 3),
    (Simplex(), (2, 2), [[fmpq(1, 2)] * 2] * 2),
    (Simplex(), (65,), [fmpq(1, 65)] * 65),
    (OneOf(1, 2, -1), (), 1),
    (OneOf((1, 1, 1), (1, 0, 1)), (3,), [1, 1, 1]),
    (Masks(), (2, 3), [[1, 1, 1], [1, 1, 1]]),
)
ids = [f"{space}{shape}" for space, shape, _ in SPACES]


@pytest.mark.parametrize(("space", "shape", "simplest"), SPACES, ids=ids)
@given(data=st.data())
def test_a_value_belongs_to_its_space(space: Any, shape: tuple[int, ...], simplest: Any, data: st.DataObject) -> None:
    value = data.draw(ours.from_space(space, shape))
    assert value.shape == shape
    assert all(isinstance(x, (fmpq, LogOf)) for x in value.flat)
    assert space.holds(value)


@pytest.mark.parametrize(("space", "shape", "simplest"), SPACES, ids=ids)
def test_the_simplest_value_comes_first(space: Any, shape: tuple[int, ...], simplest: Any) -> None:
    found = find(ours.from_space(space, shape), lambda value: True)
    assert np.array_equal(found, np.array(simplest, dtype=object))


class Squares:
    """A space of somebody's own."""

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        return np.array([fmpq(int(n) ** 2) for n in rng.integers(0, 5, shape).flat], dtype=object).reshape(shape)

    def simpler(self, value: Any) -> Any:
        return iter(())

    def holds(self, value: Any) -> bool:
        return all(x in (0, 1, 4, 9, 16) for x in value.flat)


@given(ours.from_space(Squares(), (2, 2)))
def test_an_unknown_space_draws_for_itself(value: Any) -> None:
    assert value.shape == (2, 2) and Squares().holds(value)


@given(ours.masks((2, 3)), ours.policies(4))
def test_masks_allow_something_and_policies_add_up(mask: Any, policy: Any) -> None:
    assert (mask.sum(axis=-1) >= 1).all() and set(mask.flat) <= {0, 1}
    assert policy.sum() == 1 and min(policy) > 0


# ---- data -----------------------------------------------------------------------------------------------------------------

ACTION, COIN = Draw("action", Categorical(probs=[Rational(1, 3)] * 3)), Draw("coin", Bernoulli(Rational(1, 2)))


@given(ours.rows(ACTION, COIN, most=3))
def test_rows_are_outcomes_under_the_names_of_their_draws(data: Any) -> None:
    columns = {name: [int(x) for x in column.array[()].args[0]] for name, column in data.names.items()}
    assert list(columns) == ["action", "coin"]
    assert 1 <= len(columns["action"]) == len(columns["coin"]) <= 3
    assert set(columns["action"]) <= {0, 1, 2} and set(columns["coin"]) <= {0, 1}


def test_a_continuous_draw_has_no_rows() -> None:
    with pytest.raises(InputError, match="`noise` is a continuous draw; rows are outcomes of finite draws"):
        ours.rows(Draw("noise", Gaussian(0, 1))).example()


# ---- points ---------------------------------------------------------------------------------------------------------------


@cache
def tiny() -> Problem:
    return load(str(TINY))


@given(ours.points(tiny()))
def test_a_point_has_a_value_for_every_variable(point: Points) -> None:
    assert len(point) == 1 and list(point.exact) == list(tiny().bound.variables)
    assert all(v.over.holds(point.exact[name].reshape(v.shape)) for name, v in tiny().bound.variables.items())


def refuted(point: Points) -> bool:
    """Does the planted mistake of the tiny page show at this point?"""
    problem = tiny()
    judge = Judge(problem, 0, point)
    (mistake,) = problem.mistakes
    return judge.settle(mistake.breaks, dict(mistake.answer), witness=False).best.verdict is Verdict.REFUTED


def test_a_counterexample_is_simple() -> None:
    """Logits for log-probabilities: E[r 1[a]] is r/2 at equal logits, the truth (r_0 - r_1)/4: they differ unless r = 0."""
    found = find(ours.points(tiny()), refuted, settings=settings(max_examples=20))
    assert found.exact["theta"].tolist() == [[0, 0]]
    assert sorted(map(abs, found.exact["reward"].flat)) == [0, 1]


def test_a_counterexample_is_found_again() -> None:
    first, again = (repr(find(ours.points(tiny()), lambda p: bool(p.exact["reward"].sum() > 1))) for _ in range(2))
    assert first == again == "Points(theta=[['0', '0']], reward=[['1', '1']])"


# ---- what is asked for ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e-4, 0.01, 0.3])
def test_a_small_spread_is_drawn_from_as_a_large_one(scale: float) -> None:
    """Coarse numbers between the bounds, which may be 0 alone, take no draws from the fine ones."""
    seen = set[str]()

    @settings(max_examples=50, database=None)
    @given(ours.from_space(Normal(scale), (4,)), ours.from_space(Uniform(0, scale)))
    def drawn(normal: Any, uniform: Any) -> None:
        assert all(normal != 0) and Uniform(0, scale).holds(uniform)
        seen.add(str(uniform[()]))

    drawn()
    assert len(seen) > 10
    assert find(ours.from_space(Uniform(-scale, scale)), lambda x: True) == 0


@given(ours.rows(Draw("a", Categorical(probs=(0, Rational(1, 2), 0, Rational(1, 2)))), Draw("b", Bernoulli(1))))
def test_rows_hold_what_can_happen(data: Any) -> None:
    columns = {name: [int(x) for x in column.array[()].args[0]] for name, column in data.names.items()}
    assert set(columns["a"]) <= {1, 3} and set(columns["b"]) == {1}


@pytest.mark.parametrize(("make", "says"), [
    (lambda: ours.points("problem1"),
     "points takes a problem, not 'problem1': write points(load('problem1')), or the page's problem."),
    (lambda: ours.from_space(Normal), f"{Normal} is no space: write Normal(), or another one."),
    (lambda: ours.from_space(Simplex()), "Simplex() needs an axis to run along: give it a shape, as 3 or (2, 3)."),
    (lambda: ours.masks(()), "Masks() needs an axis to run along: give it a shape, as 3 or (2, 3)."),
    (lambda: ours.rows(), "rows needs a draw: write rows(action), or several."),
    (lambda: ours.rows(ACTION, most=0), "most=0 was written; how many rows was expected, 1 or more."),
    (lambda: ours.rows("action"),
     "rows takes draws, not 'action': write rows(action), where action = Draw('action', Categorical(...))."),
])  # fmt: skip
def test_what_cannot_be_drawn_is_told_in_a_sentence(make: Any, says: str) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value) == says
