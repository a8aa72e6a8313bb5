"""Spaces: what they draw lies in them and is readable, what is simpler lies in them too, and shrinking ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from flint import arb, fmpq
from hypothesis import example, given
from hypothesis import strategies as st

from gradcheck_rl import (
    Categorical,
    Claim,
    Derivation,
    Differs,
    Draw,
    Equal,
    Gradient,
    Parameter,
    Point,
    Problem,
    Size,
    Variable,
    batch,
    check,
)
from gradcheck_rl.errors import ProblemError
from gradcheck_rl.load import load
from gradcheck_rl.points import Points, covering, drawn, stack
from gradcheck_rl.rings import log_of, written
from gradcheck_rl.spaces import (
    LISTED,
    Integers,
    LogRational,
    Masks,
    Normal,
    OneOf,
    Simplex,
    Space,
    Uniform,
    exact_array,
    notable,
    positive,
    show,
)

SPACES: list[Space] = [
    Normal(), Normal(0.05), Uniform(-1, 1), Uniform(0.1, 3), Uniform(0.0001, 0.0004), Uniform(-7.25, -7),
    Integers(-2, 5), Integers(1, 3), Integers(0, 10**8), Integers(-(10**7), -5), LogRational(), LogRational(3),
    Simplex(), Masks(), OneOf(1, 0, -1), OneOf(0.2, 3),
]  # fmt: skip
SHAPES = [(3,), (2, 3), (2, 2, 3)]
K, i = sp.symbols("K i", integer=True, positive=True)
x, s, w = Variable("x"), Variable("s"), Variable("w", 2)
READABLE = re.compile(r"-?\d+(\.\d+|/\d+)?|log\(\d+(/\d+)?\)")

seeds = st.integers(0, 2**32 - 1)
spaces = st.sampled_from(SPACES)
shapes = st.sampled_from(SHAPES)


def draw(space: Space, seed: int, shape: tuple[int, ...]) -> Any:
    return space.draw(np.random.default_rng(seed), shape)


@given(spaces, seeds, shapes)
def test_a_draw_has_its_shape_lies_in_its_space_and_reads_well(space: Space, seed: int, shape: tuple[int, ...]) -> None:
    value = draw(space, seed, shape)
    assert value.shape == shape and space.holds(value)
    assert all(READABLE.fullmatch(text) and len(text) <= 10 for text in map(written, value.ravel()))
    assert (draw(space, seed, shape) == value).all()


@given(spaces, seeds, shapes)
def test_what_is_simpler_lies_in_the_space_and_differs(space: Space, seed: int, shape: tuple[int, ...]) -> None:
    value = draw(space, seed, shape)
    for simple in space.simpler(value):
        assert simple.shape == shape and space.holds(simple) and not np.array_equal(simple, value)


@given(spaces, seeds, st.data())
def test_shrinking_ends_whatever_is_chosen(space: Space, seed: int, data: st.DataObject) -> None:
    """No value comes twice: steps towards the simpler never lead round a circle."""
    value = draw(space, seed, (3,))
    seen = [value]
    for _ in range(200):
        options = list(space.simpler(value))
        if not options:
            return
        value = options[data.draw(st.integers(0, min(len(options) - 1, 7)))]
        assert not any(np.array_equal(value, old) for old in seen)
        seen.append(value)
    pytest.fail("200 steps and still something simpler")


@pytest.mark.parametrize(
    "space", [Normal(1e-3), Normal(1e-4), Normal(1e-9), Normal(1e-300), Normal(1e300), Uniform(-1e300, 1e300)]
)
def test_draws_differ_however_small_or_large_they_are(space: Space) -> None:
    value = draw(space, 0, (50,))
    assert space.holds(value) and len(set(value)) > 40 and all(x != 0 for x in value)


def test_a_false_claim_is_refuted_where_the_spread_is_small() -> None:
    th = Variable("th", 3, over=Normal(1e-4))
    assert check(Problem(title="S", claims=(Claim("Equal.", Equal(th[0], th[1])),))).claims[0].verdict == "refuted"


@given(seeds, st.integers(65, 300))
def test_any_number_of_probabilities_is_drawn(seed: int, n: int) -> None:
    (row,) = draw(Simplex(), seed, (1, n))
    assert row.sum() == 1 and all(p > 0 for p in row) and len(set(row)) > 1


@pytest.mark.parametrize(
    ("low", "high", "x"), [(0, 10**6, 654321), (-(10**6), 10**6, -77), (5, 10**6, 10**6), (-(10**6), -3, -999)]
)
def test_whole_numbers_have_few_simpler_ones_and_their_neighbour_is_one(low: int, high: int, x: int) -> None:
    found = [int(y[()].p) for y in islice(Integers(low, high).simpler(np.array(fmpq(x), dtype=object)), 100)]
    assert len(found) < 30 and len(set(found)) == len(found)
    assert found[0] == min(max(0, low), high) and found[-1] == x - np.sign(x)
    assert all(low <= y <= high and abs(y) < abs(x) for y in found)


def test_a_long_array_is_made_simple_at_once_then_by_halves() -> None:
    value = draw(Normal(), 0, (4, 8))
    moved = [int((simple != value).sum()) for simple in Normal().simpler(value)]
    assert moved[:14] == [32] * 2 + [16] * 4 + [8] * 8 and set(moved[14:]) == {1}
    assert not next(Normal().simpler(value)).any()
    assert {int((simple != value[0]).sum()) for simple in Normal().simpler(value[0])} == {1}


def test_a_constant_is_a_bound() -> None:
    assert Uniform(0, sp.pi).holds(draw(Uniform(0, sp.pi), 0, (50,)))
    assert Uniform(0, sp.pi) == Uniform(0, np.pi) and Normal(sp.sqrt(2)) == Normal(2**0.5)


def test_rounding_never_leaves_bounds_that_are_no_short_decimals() -> None:
    """One draw in 1000 of these rounds beyond a bound: 0.3334 would be written 0.333, which is below 1/3."""
    space = Uniform(1 / 3, 2 / 3)
    assert space.holds(draw(space, 0, (10_000,)))


@pytest.mark.parametrize("space", [Normal(), Uniform(-1000, 1000), Integers(-3, 3), LogRational()])
@pytest.mark.parametrize("corner", [fmpq(800), fmpq(10**307), fmpq(-1, 7), log_of(fmpq(9, 5)), arb(2).exp(), arb.neg_inf()])
def test_a_corner_outside_what_is_drawn_is_shrunk_too(space: Space, corner: Any) -> None:
    value = np.array([corner], dtype=object)
    for simple in space.simpler(value):
        assert space.holds(simple)


@given(seeds, shapes)
def test_probabilities_sum_to_one_and_none_is_zero(seed: int, shape: tuple[int, ...]) -> None:
    rows = draw(Simplex(), seed, shape)
    assert np.all(rows.sum(-1) == 1) and all(0 < p < 1 for p in rows.ravel())
    assert (draw(Simplex(), seed, (2, 1)) == 1).all()


@given(seeds)
def test_one_of_the_listed_arrays_is_shrunk_to_those_before_it(seed: int) -> None:
    masks = [(1, 1, 1), (1, 0, 1), (0, 1, 1)]
    value = draw(OneOf(*masks), seed, (3,))
    place = masks.index(tuple(map(int, value)))
    assert [tuple(map(int, simple)) for simple in OneOf(*masks).simpler(value)] == masks[:place]


@pytest.mark.parametrize(("space", "outside"), [
    (Uniform(0, 1), [fmpq(2)]), (Uniform(0, 1), [fmpq(1, 2), fmpq(-1, 1000)]),
    (Integers(0, 3), [fmpq(1, 2)]), (Integers(0, 3), [fmpq(4)]),
    (Simplex(), [fmpq(1, 2), fmpq(1, 3)]), (Simplex(), [fmpq(3, 2), fmpq(-1, 2)]), (OneOf((1, 0), (0, 1)), [fmpq(1), fmpq(1)]),
    (Masks(), [fmpq(0), fmpq(0)]), (Masks(), [fmpq(2), fmpq(0)]),
])  # fmt: skip
def test_a_space_knows_what_it_does_not_hold(space: Space, outside: list[Any]) -> None:
    assert not space.holds(np.array(outside, dtype=object))


def test_draws_are_generic() -> None:
    """Degenerate points hide mistakes: no zero from Normal, more than one value in every longer draw, masks with zeros."""
    assert all(x != 0 for x in draw(Normal(0.0001), 0, (50,)))
    for space in SPACES:
        assert len(set(draw(space, 1, (20, 3)).ravel())) > 1
    assert any((row == 0).any() for row in draw(Masks(), 0, (20, 3)))


EXPECTED = "a whole number, a decimal or a fraction was expected: write it as 2, 0.2 or Fraction(1, 3)."


def chain(sizes: Any, end: Any = K) -> Any:
    return Derivation("T", sp.Sum(i, (i, 1, end)), ((K * (K + 1) / 2, "known"),), sizes=sizes).claims


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Uniform(1, 1), "Uniform(1, 1) is empty: write the smaller bound first."),
    (lambda: Integers(2, 1), "Integers(2, 1) is empty: write the smaller bound first."),
    (lambda: OneOf(), "OneOf() is empty: write the values to choose from, simplest first."),
    (lambda: draw(OneOf((1, 0), (0, 1)), 0, (3, 2)),
     "OneOf has a choice of shape (2,) for a variable of shape (3, 2): write it in that."),
    (lambda: exact_array([1, 2], (3,), "w"), "`w` has shape (3,); the point gives (2,). Write 3 numbers in that shape."),
    (lambda: exact_array([[1, 2, 3]], (3,), "w"), "`w` has shape (3,); the point gives (1, 3). Write 3 numbers in that shape."),
    (lambda: exact_array([[1]], (2, 2), "w"), "`w` has shape (2, 2); the point gives (1, 1). Write 4 numbers in that shape."),
    (lambda: exact_array([torch.zeros(2), torch.zeros(2, 2)], (2,), "w"),
     "`w` has rows of unequal length: write as many numbers in each."),
    (lambda: Uniform(-1e308, 1e308),
     "Uniform(-1e+308, 1e+308) leaves float64: write bounds within 1e+300, and at least 1e-300 apart."),
    (lambda: Uniform(0, 1e-312), "Uniform(0, 1e-312) leaves float64: write bounds within 1e+300, and at least 1e-300 apart."),
    (lambda: Uniform("0", 2), "Uniform(0, 2) takes numbers, and '0' is none: write them as 2 or 0.5."),
    (lambda: Uniform(0, x), "Uniform(0, x) takes numbers, and x is none: write them as 2 or 0.5."),
    (lambda: Normal(None), "Normal(None) takes numbers, and None is none: write them as 2 or 0.5."),
    (lambda: Normal(1e308), "Normal(1e+308) leaves float64: write a spread from 1e-300 to 1e+300."),
    (lambda: Integers(0, 2**63), "Integers(0, 9223372036854775808) is too wide: write bounds from -2**63 to 2**63 - 1."),
    (lambda: Integers(1.0, 3.0), "Integers(1.0, 3.0) takes whole numbers, and 1.0 is none: write one, as 2."),
    (lambda: LogRational(0), "LogRational(0) has no fractions to draw from: write a whole number from 2 to 2**63 - 1."),
    (lambda: LogRational(1), "LogRational(1) has no fractions to draw from: write a whole number from 2 to 2**63 - 1."),
    (lambda: LogRational(2.5), "LogRational(2.5) takes whole numbers, and 2.5 is none: write one, as 2."),
    (lambda: OneOf(sp.sqrt(2)), f"OneOf(sqrt(2)): sqrt(2) is Pow; {EXPECTED}"),
    (lambda: OneOf(1, None), f"OneOf(None): None is NoneType; {EXPECTED}"),
    (lambda: OneOf(1, [1, [2]]), f"OneOf([1, [2]]): [2] is list; {EXPECTED}"),
    (lambda: Point(s="abc").exact(s), f"the point's `s`: 'abc' is str; {EXPECTED}"),
    (lambda: Point(s=None).exact(s), f"the point's `s`: None is NoneType; {EXPECTED}"),
    (lambda: Point(s=1 + 2j).exact(s), f"the point's `s`: (1+2j) is complex; {EXPECTED}"),
    (lambda: Point(w=[1, [2]]).exact(w), f"the point's `w`: [2] is list; {EXPECTED}"),
    (lambda: Point(s=x / 2).exact(s),
     "the point's `s`: x/2 is a formula, and a number was expected: write it as 2, 0.2 or Rational(1, 3)."),
    (lambda: chain({K: (sp.Rational(1, 2),)}), "the size of K in 'T' is (1/2,): write whole numbers, sizes={K: (2, 3)}."),
    (lambda: chain({K: (2.0,)}), "the size of K in 'T' is (2.0,): write whole numbers, sizes={K: (2, 3)}."),
    (lambda: chain({K: 3}), "the size of K in 'T' is 3: write whole numbers, sizes={K: (2, 3)}."),
    (lambda: chain({K: ()}), "the size of K in 'T' is (): write whole numbers, sizes={K: (2, 3)}."),
    (lambda: chain({"K": (2,)}), "'K' in the sizes of 'T' is str: write sizes={K: (2, 3)}, keyed by the symbol."),
    (lambda: chain([2, 3]), "sizes=[2, 3] of 'T' is list: write sizes={K: (2, 3)}, keyed by the symbol."),
    (lambda: chain({}), "K in Sum(i, (i, 1, K)) has no size: write sizes={K: (2, 3)}, keyed by the symbol."),
    (lambda: chain({K: (3,)}, end=K / 2),
     "Sum(i, (i, 1, K/2)) runs to 3/2, and is written out term by term: write sizes at which it is a whole number."),
    (lambda: chain({}, end=sp.oo),
     "Sum(i, (i, 1, oo)) runs to oo, and is written out term by term: write a symbol for it, and sizes={K: (2, 3)}."),
    (lambda: Derivation("T", x[()], x[()]), "the steps of 'T' are Atom: write pairs, ((formula, 'reason'), ...)."),
    (lambda: Size("n", 2, also=(0,)), "the size n is 0: write a whole number, 1 or more."),
    (lambda: Size("n", 2.5), "the size n is 2.5: write a whole number, 1 or more."),
    (lambda: batch(Draw("a", Categorical(logits=w)), 0), "batch(..., 0) has no copies: write how many, 1 or more."),
])  # fmt: skip
def test_errors_name_what_was_written(make: Any, message: str) -> None:
    with pytest.raises(ProblemError) as caught:
        make()
    assert str(caught.value) == message


def test_one_number_fills_an_array() -> None:
    assert exact_array(3, (2, 2), "W").tolist() == [[3, 3], [3, 3]]
    assert exact_array([1, 2], (2,), "b").tolist() == [1, 2]


def test_arrays_are_shown_as_nested_lists() -> None:
    values = np.array([[fmpq(1, 3), log_of(fmpq(2))], [fmpq(2), fmpq(1, 10)]], dtype=object)
    assert show(values) == [["1/3", "log(2)"], ["2", "0.1"]]


def test_only_a_space_above_zero_is_positive() -> None:
    assert [positive(s) for s in (Uniform(0.1, 1), Uniform(0, 1), Uniform(-1, 1), Normal())] == [True, False, False, False]


@given(seeds, st.integers(2, 70))
@example(0, 64)
def test_probabilities_are_uneven_however_many_they_are(seed: int, n: int) -> None:
    rows = draw(Simplex(), seed, (20, n))
    assert len(set(rows.ravel())) > 1 and (rows.sum(-1) == 1).all() and (rows > 0).all()


@given(st.sampled_from((Simplex(), Masks(), OneOf(1, 0, -1))), seeds, shapes, st.integers(1, 6), st.sampled_from((-1, 0, 1)))
def test_what_is_rare_lies_in_the_space_too(space: Any, seed: int, shape: tuple[int, ...], nth: int, sign: int) -> None:
    value = space.rare(np.random.default_rng(seed), shape, nth, sign)
    assert value.shape == shape and space.holds(value) and all(isinstance(x, fmpq) for x in value.flat)


@given(seeds, st.integers(1, 12))
def test_rare_values_come(seed: int, n: int) -> None:
    """Every choice of up to twelve, masks of one 1 and of all, rows as near to a corner as it takes."""
    rng = np.random.default_rng(seed)
    choices = OneOf(*[(k, k * k) for k in range(n)])
    seen = {tuple(map(int, choices.rare(rng, (2,), nth, sign))) for nth in range(1, 7) for sign in (1, -1)}
    assert seen == {(k, k * k) for k in range(n)}
    assert [int(Masks().rare(rng, (n,), 1, sign).sum()) for sign in (1, -1)] == [n, 1]
    if n > 1:
        row = Simplex().rare(rng, (n,), 6, 1)
        assert 0 < 1 - max(row) < fmpq(1, 10**6) and min(row) > 0


@pytest.mark.parametrize("choice", [float("nan"), (1, float("nan"))])
def test_a_choice_that_is_no_number_is_told(choice: Any) -> None:
    with pytest.raises(ProblemError, match=r"OneOf has the choice .*nan.*, which is not a number"):
        OneOf(0, choice)


@pytest.mark.parametrize(
    ("space", "shape", "lists"),
    [
        (Integers(0, 1), (2,), [[0, 0], [0, 1], [1, 0], [1, 1]]),
        (Integers(0, 100), (), [0, 100]),
        (Integers(0, 1), (5,), [[0] * 5, [1] * 5]),
        (OneOf(3, 5, 7), (3,), [[3] * 3, [5] * 3, [7] * 3]),
        (OneOf((1, 0), (0, 2)), (2,), [[1, 0], [0, 2]]),
        (Masks(), (3,), [[1, 1, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]),
    ],
)
def test_a_space_lists_its_few_values_or_its_ends(space: Any, shape: tuple[int, ...], lists: list[Any]) -> None:
    assert [np.array(x, dtype=int).tolist() for x in space.notable(shape)] == lists


@given(seed=st.integers(0, 50), low=st.integers(-3, 1), n=st.integers(1, 3), allowed=st.integers(1, 4), count=st.integers(1, 6))
def test_a_batch_covers_what_spaces_list(seed: int, low: int, n: int, allowed: int, count: int) -> None:
    a, b = Variable("a", n, over=Integers(low, low + 1)), Variable("b", allowed, over=Masks())
    c = Variable("c", 2, over=Normal())
    asked: Any = {"a": a, "b": b, "c": c}, [Point(b=1)] if allowed == 1 else [], count, seed, "page"
    points, more = drawn(*asked), covering(*asked)
    assert np.array_equal(more.exact["c"][: len(points)], points.exact["c"])  # what lists nothing stays as it is drawn
    every = [{str(row) for row in more.exact[k].tolist()} for k in "ab"]
    assert [len(found) for found in every] == [2**n, 2**allowed - 1]
    pairs = {str((x.tolist(), y.tolist())) for x, y in zip(more.exact["a"], more.exact["b"], strict=True)}
    together = 2**n * (2**allowed - 1)
    assert len(pairs) == together if together <= LISTED else len(more) <= count + LISTED


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("space", "shape", "only"),
    [
        (Masks(), (5,), (1, 1, 1, 1, 1)),
        (Masks(), (4,), (0, 0, 0, 1)),
        (Masks(), (5,), (1, 0, 1, 1, 1)),
        (Integers(1, 10), (1,), (10,)),
        (Integers(0, 1000), (1,), (0,)),
        (Integers(0, 1000), (1,), (1000,)),
        (OneOf(0, 1), (3,), (1, 1, 1)),
        (OneOf(1, 2, 3, 4, 5, 6), (1,), (6,)),
    ],
)
def test_what_is_false_at_one_value_alone_is_refuted(
    space: Any, shape: tuple[int, ...], only: tuple[int, ...], seed: int
) -> None:
    x, n = Parameter("x"), Variable("n", shape, over=space)

    def loss(x: Any, n: Any) -> Any:
        here = all(bool(cell == wanted) for cell, wanted in zip(n, only, strict=True))
        return 2 * x if here else x

    claim = Claim("It is one.", Equal(Gradient(loss), 1))
    (line,) = check(Problem(title="Page", claims=(claim,), world=(x, n)), seed=seed).claims
    assert line.verdict == "refuted"
    assert line.witness is not None and [int(cell) for cell in line.witness["n"]] == [*only]


def test_what_is_false_for_one_combination_of_two_alone_is_refuted() -> None:
    done, k = Variable("done", over=OneOf(0, 1)), Variable("k", over=Integers(0, 3))
    claim = Claim("The product is never three.", Differs(done * k, 3))
    assert [check(Problem(title="Page", claims=(claim,)), seed=seed).claims[0].verdict for seed in range(4)] == ["refuted"] * 4


@pytest.mark.parametrize("fixed", [True, False])
def test_points_that_are_taken_rounded_or_moved_know_where_they_came_from(fixed: bool) -> None:
    """A witness is in the numbers that were drawn, of its own point; what is given data stays given."""
    x = Variable("x", over=Uniform(0, 1))
    thirds = Points({"x": x}, {"x": np.array([fmpq(n, 3) for n in range(4)], dtype=object)}, 4, fixed)
    rounded = thirds.image().image()
    assert rounded.unrounded is thirds and rounded.exact["x"][1] == fmpq(*(1 / 3).as_integer_ratio()) != fmpq(1, 3)
    for some in (rounded.take([3, 2, 1]), rounded.take([0, 3, 2, 1]).take([1, 2, 3])):
        assert len(some) == 3 and [some.witness(b, ["x"])["x"] for b in range(3)] == ["1", "2/3", "1/3"]
        assert some.given is some.with_("x", some.exact["x"]).given is stack([some, some]).given is fixed


LISTING = st.sampled_from((Integers(-9, 9), Integers(0, 1), Integers(0, 12), OneOf(1, 2), OneOf(3, 5, 7), Masks()))


@given(
    seed=st.integers(0, 50),
    listing=st.lists(st.tuples(LISTING, st.sampled_from(((2, 3), (5, 2), (3,)))), min_size=1, max_size=4),
    count=st.integers(1, 12),
    more=st.booleans(),
)
def test_a_batch_keeps_draws_beside_what_spaces_list(seed: int, listing: Any, count: int, more: bool) -> None:
    """Half of what is asked for have no ends; the few values of another variable are each had once at most."""
    named = {f"v{i}": Variable(f"v{i}", shape, over=over) for i, (over, shape) in enumerate(listing)}
    named["wide"] = Variable("wide", (2, 2), over=Integers(-20, 20))
    points = covering(named, [], count, seed, "page", more)
    plain = drawn(named, [], len(points), seed, "page")
    ends = [k for k, v in named.items() if not notable(v.over, v.shape)[1]]
    kept = [b for b in range(len(points)) if all((points.exact[k][b] == plain.exact[k][b]).all() for k in ends)]
    assert len(kept) >= count / 2 and (more or len(points) == count)


def _all_ends() -> Claim:
    r = Variable("r", (2, 2), over=Integers(-20, 20))
    return Claim("So.", Equal(r**2, 400))


def _alike_beside_masks() -> Claim:
    r, pay = Variable("r", 2, over=Integers(-4, 4)), Variable("pay", (2, 2), over=Integers(-3, 3))
    return Claim("So.", Equal((r[0], pay[0, 1]), (r[1], pay[1, 0])), where=Equal(Variable("allowed", 2, over=Masks()), 1))


def _equal_rows() -> Claim:
    allowed = Variable("allowed", (2, 4), over=Masks())
    return Claim("So.", Equal(allowed[0], allowed[1]))


def _in_step() -> Claim:
    n, m = (Variable(name, over=Integers(0, 12)) for name in "nm")
    return Claim("So.", Equal(n, m))


def _alike_in_four() -> Claim:
    total = sum(Variable(name, 3, over=Integers(0, 9)) for name in "abcd")
    return Claim("So.", Equal(total[0], total[1]))


@pytest.mark.parametrize("of", [_all_ends, _alike_beside_masks, _equal_rows, _in_step, _alike_in_four])
def test_what_is_true_of_listed_values_alone_is_refuted(of: Callable[[], Claim]) -> None:
    (line,) = check(Problem(title="Page", claims=(of(),))).claims
    assert line.verdict == "refuted"


@pytest.mark.parametrize("points", [1, 3, 12])
def test_rows_of_few_masks_differ(points: int) -> None:
    allowed = Variable("allowed", (2, 2), over=Masks())
    rows = {str(cells.tolist()) for cells in (np.array(x, dtype=int) for x in Masks().notable((2, 2)))}
    assert len(rows) == Masks().variety((2, 2)) == 9
    (line,) = check(Problem(title="Page", claims=(Claim("So.", Equal(allowed[0], allowed[1])),)), points=points).claims
    assert line.verdict == "refuted"


@given(seed=st.integers(0, 50), count=st.integers(3, 4), listing=st.sampled_from((OneOf(0, 1), Integers(0, 1), Masks())))
def test_few_points_are_no_first_values_of_a_list(seed: int, count: int, listing: Any) -> None:
    """At other sizes: of values in order the first entry would be the same in all of them."""
    page = {"v": Variable("v", 4, over=listing)}
    at = [covering(page, [], count, seed + 1000 * n, "page", more=False).exact["v"] for n in range(20)]
    assert len(np.unique(np.concatenate(at).astype(int), axis=0)) > count
    first = {int(x[0]) for x in np.concatenate(at)}
    assert first == {0, 1}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("end", [0, 1000])
def test_a_condition_on_the_end_of_one_variable_leaves_another_free(seed: int, end: int) -> None:
    n, m = (Variable(name, over=Integers(0, 1000)) for name in "nm")
    (line,) = check(Problem(title="Page", claims=(Claim("So.", Equal(n, m), where=Equal(n, end)),)), seed=seed).claims
    assert line.verdict == "refuted"


@pytest.mark.parametrize("seed", range(3))
def test_what_is_false_at_another_size_alone_is_refuted_there(seed: int, tmp_path: Path) -> None:
    """Of four values of `done`, in order, the first entry is 0."""
    text = """
        from gradcheck_rl import Claim, Equal, OneOf, Problem, Size, Variable

        K = Size("K", 2, also=(3, 4))
        done = Variable("done", K, over=OneOf(0, 1))
        problem = Problem(title="Page", claims=(Claim("It is zero.", Equal(done[0] * (K - 2), 0)),))
    """
    (tmp_path / "page.py").write_text(dedent(text))
    (line,) = check(load(tmp_path / "page.py"), seed=seed).claims
    assert line.verdict == "refuted" and line.sizes == {"K = 3": "refuted", "K = 4": "refuted"}


def _drawn(space: Any, shape: tuple[int, ...] = (400,)) -> set[Any]:
    """Rows, or numbers, that come up among many."""
    cells = space.draw(np.random.default_rng(0), shape)
    return {written(x) for x in cells} if cells.ndim == 1 else {tuple(map(int, row)) for row in cells}


def test_every_value_of_a_space_that_has_few_comes_up() -> None:
    assert _drawn(Integers(2, 4)) == {"2", "3", "4"} and _drawn(Integers(5, 5)) == {"5"}
    assert _drawn(LogRational(2)) == {written(log_of(fmpq(*pq))) for pq in ((1, 1), (1, 2), (2, 1))}
    assert _drawn(Masks(), (400, 2)) == {(1, 1), (0, 1), (1, 0)}
    pairs = OneOf(0, (1, 2), [3, 4])  # a number is for every entry
    rng = np.random.default_rng(0)
    assert {tuple(map(int, pairs.draw(rng, (2,)))) for _ in range(100)} == {(0, 0), (1, 2), (3, 4)}
    assert {tuple(map(int, x)) for x in OneOf(0, 1).rare(rng, (100, 2), 0, 0)} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert {tuple(map(int, x)) for x in Masks().rare(rng, (100, 3), 0, -1)} == {(1, 0, 0), (0, 1, 0), (0, 0, 1)}


@pytest.mark.parametrize(("space", "shape", "count"), [
    (Integers(1, LISTED), (), LISTED), (Integers(1, LISTED + 1), (), 2), (OneOf(1, 0), (4,), LISTED), (OneOf(1, 0), (5,), 2),
    (OneOf(*range(LISTED)), (), LISTED), (OneOf([1, 0]), (2,), 4),
])  # fmt: skip
def test_values_are_listed_up_to_so_many(space: Any, shape: tuple[int, ...], count: int) -> None:
    listed, whole = notable(space, shape)
    assert len({str(x.tolist()) for x in listed}) == len(listed) == count
    assert whole is (space.variety(shape) <= LISTED)


@pytest.mark.parametrize(("space", "inside", "outside"), [
    (Integers(0, 9), [[0, 9]], [[1, 10], [-1, 1], [1, fmpq(1, 2)], [1, log_of(fmpq(2))], [1, arb(2)]]),
    (OneOf(0, 1), [[1, 0]], [[0, 5]]),
    (Masks(), [[[1, 0], [0, 1]]], [[[1, 0], [0, 0]]]),
    (Simplex(), [[[fmpq(1, 2), fmpq(1, 2)], [0, 1]]], [[[fmpq(1, 2), fmpq(1, 2)], [fmpq(1, 2), 1]], [[2, -1], [1, 0]]]),
])  # fmt: skip
def test_a_space_holds_an_array_if_it_holds_each_part(space: Any, inside: list[Any], outside: list[Any]) -> None:
    for values, holds in [*((x, True) for x in inside), *((x, False) for x in outside)]:
        cells = np.array(values, dtype=object)
        exact = np.array([fmpq(x) if isinstance(x, int) else x for x in cells.flat], dtype=object)
        assert space.holds(exact.reshape(cells.shape)) is holds


def test_below_zero_the_simplest_number_is_the_largest() -> None:
    """And among -9, ..., -5 each that is simpler than -9 is on its way to -5."""
    found = [int(x[()]) for x in Integers(-9, -5).simpler(np.array(fmpq(-9), dtype=object))]
    assert found[0] == -5 and {*found} == {-5, -6, -7, -8}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Uniform(-np.inf, 1), "has no end"),
        (lambda: Uniform(-1e305, 0), "leaves float64"),
        (lambda: LogRational(2**63), "has no fractions to draw from: write a whole number from 2 to"),
        (lambda: Integers(-(2**63) - 1, 0), "is too wide"),
    ],
)
def test_a_space_that_cannot_be_drawn_from_says_so(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ProblemError, match=says):
        make()
    assert Integers(-(2**63), 2**63 - 1).variety(()) > LISTED
