"""Corners: where a gradient is one number although a switch is tied, where it is an interval, where a formula is no use."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from gradcheck_rl import (
    AtMost,
    Bernoulli,
    Categorical,
    Claim,
    Curl,
    Draw,
    E,
    Equal,
    Gaussian,
    Gradient,
    Hull,
    Integers,
    LogRational,
    Normal,
    OneOf,
    Parameter,
    Point,
    Problem,
    Uniform,
    Value,
    Variable,
    Within,
    array,
    check,
    clip,
    exp,
    maximum,
    minimum,
    softmax,
    sqrt,
    torch,
)
from gradcheck_rl.evaluators import Scene, hull
from gradcheck_rl.judge import FULFIL, SPANNED, Judge
from gradcheck_rl.report import Line

r = Parameter("r")
gain = Variable("gain")
FIFTH = Fraction(1, 5)
surrogate = minimum(r * gain, clip(r, 1 - FIFTH, 1 + FIFTH) * gain)


def ruling(claim: Claim, *corners: Point) -> Line:
    return check(Problem("corners", claims=(claim,), corners=corners)).claims[0]


def torch_surrogate(r, gain):  # type: ignore[no-untyped-def]
    return torch.min(r * gain, r.clamp(0.8, 1.2) * gain)


@given(st.integers(81, 119), st.sampled_from([-2, -1, 1, 3]))
def test_two_branches_that_are_one_number_have_one_slope(hundredths: int, a: int) -> None:
    """Between the bounds the clip does nothing: min(rA, rA) has slope A."""
    at = Point(r=Fraction(hundredths, 100), gain=a)
    assert ruling(Claim("A", Equal(Gradient(surrogate), a), at=at)).verdict == "agrees"


@given(st.integers(-20, 20))
def test_balls_that_cannot_be_told_apart_are_a_tie(tenths: int) -> None:
    """exp(u) and its clip are the same ball, not the same rational: the slope is still exp(u), and no NaN."""
    u = Parameter("u")
    bounded = minimum(exp(u), clip(exp(u), 0, 100))
    claim = Claim("exp(u)", Equal(Gradient(bounded), exp(u)), at=Point(u=Fraction(tenths, 10)))
    assert ruling(claim).verdict == "agrees"


@pytest.mark.parametrize(("at", "low", "high"), [(FIFTH + 1, 0, 1), (1 - FIFTH, 1, 1)])
def test_clarkes_interval_at_a_bound(at: Fraction, low: int, high: int) -> None:
    """At 1 + eps the slopes beside the point are A and 0; at 1 - eps both are A, since below it the min takes rA as well."""
    for slope, inside in ((low, True), (high, True), (Fraction(1, 2), low < high), (Fraction(-1, 10), False)):
        claim = Claim("inside", Within(Gradient(slope * r), Hull(Gradient(surrogate))), at=Point(r=at, gain=1))
        assert (ruling(claim).verdict == "agrees") is inside


def test_no_derivative_is_taken_at_a_kink_of_the_given_data() -> None:
    claim = Claim("half", Equal(Gradient(surrogate), Fraction(1, 2)), at=Point(r=1 + FIFTH, gain=1))
    found = ruling(claim)
    assert found.verdict == "undecided" and "kink" in found.reason


def test_nor_where_two_halved_ties_miss_the_only_slope() -> None:
    """At r = 0.8 and A = 1 the slope is 1, but halving the tie of the min and that of the clip gives 1/2 + 1/4."""
    claim = Claim("three quarters", Equal(Gradient(surrogate), Fraction(3, 4)), at=Point(r=1 - FIFTH, gain=1))
    assert ruling(claim).verdict == "undecided"


def test_a_corner_under_an_expectation_is_seen() -> None:
    theta = Parameter("theta", 2)
    k = Draw("k", Categorical([Fraction(1, 2), Fraction(1, 2)]))
    loss = E(minimum(theta, 0)[k])
    kink, smooth = Point(theta=(0, 1)), Point(theta=(-1, 1))
    assert ruling(Claim("at 0", Equal(Gradient(loss), (Fraction(1, 4), 0)), at=kink)).verdict == "undecided"
    assert ruling(Claim("at -1", Equal(Gradient(loss), (Fraction(1, 2), 0)), at=smooth)).verdict == "agrees"


def test_points_with_open_ties_are_kept() -> None:
    """A tied switch alone is no kink: no point is dropped for it."""
    theta = Parameter("theta", 3)
    k = Draw("k", Categorical([Fraction(1, 3)] * 3))
    ratio = 3 * softmax(theta)
    loss = E((minimum(ratio, clip(ratio, 0, 3)))[k])
    found = ruling(Claim("one", Equal(Gradient(loss), 0)))
    assert found.verdict in ("agrees", "proved") and found.removed == 0


def test_the_curl_of_a_field_with_corners_is_that_beside_them() -> None:
    x = Parameter("x", 2)
    field = Gradient(minimum(x[0] * x[1], x[1]))
    assert ruling(Claim("a gradient", Equal(Curl(field), 0))).verdict in ("agrees", "proved")


def test_an_array_times_a_quantity_is_a_quantity() -> None:
    x = Parameter("x", 2)
    assert ruling(Claim("product", Equal(array(2, 3) * Gradient(x[0] + x[1]), (2, 3)))).ok
    assert not ruling(Claim("product", Equal(array(2, 3) * Gradient(x[0] + x[1]), (3, 2)))).ok


def test_code_and_formula_agree_off_the_corners() -> None:
    found = ruling(Claim("torch", Equal(Gradient(torch_surrogate), Gradient(surrogate))))
    assert found.verdict == "agrees"
    assert ruling(Claim("values", Equal(Value(torch_surrogate), surrogate))).verdict == "agrees"


def relus(x):  # type: ignore[no-untyped-def]
    return torch.relu(x).sum()


def test_each_coordinate_turns_on_its_own_switches() -> None:
    x = Parameter("x", 10, over=Normal())
    origin, gradient = Point(x=(0,) * 10), Gradient(sum(maximum(t, 0) for t in x))
    found = ruling(Claim("away", Equal(Gradient(relus), gradient)), origin)
    assert (found.verdict, found.removed) == ("agrees", 1)
    for slopes, inside in (((0, 1) * 5, True), ((0, 2) * 5, False)):
        claim = Claim("inside", Within(Gradient(sum(s * t for s, t in zip(slopes, x, strict=True))), Hull(gradient)), at=origin)
        assert ruling(claim).verdict == ("agrees" if inside else "refuted")


def test_a_point_with_very_many_cells_around_it_is_left_out_alone() -> None:
    x = Parameter("x", 10, over=Normal())
    largest = x[0]
    for t in list(x)[1:]:
        largest = maximum(largest, t)

    def torch_largest(x):  # type: ignore[no-untyped-def]
        return x.max()

    origin, edge = Point(x=(0,) * 10), Point(x=(1, 1, *range(-8, 0)))
    found = ruling(Claim("away", Equal(Gradient(torch_largest), Gradient(largest))), origin, edge)
    assert (found.verdict, found.removed) == ("agrees", 2)
    assert ruling(Claim("inside", Within(Gradient(torch_largest), Hull(Gradient(largest))), at=origin)).verdict == "undecided"


@pytest.mark.parametrize("n", [9, 10])
def test_a_corner_under_many_coins(n: int) -> None:
    """Nine coins give the switches x, 2x, ..., 9x, which are one; ten have more outcomes than a formula is given terms."""
    x = Parameter("x", over=Normal())
    mean = E(maximum(x * sum(Draw(f"b{i}", Bernoulli(Fraction(1, 2))) for i in range(n)), 0))

    def half(x):  # type: ignore[no-untyped-def]
        return torch.relu(x) * (n / 2)

    def third(x):  # type: ignore[no-untyped-def]
        return torch.relu(x) * (n / 3)

    found = ruling(Claim("half", Equal(Gradient(half), Gradient(mean))), Point(x=0))
    assert (found.verdict, found.removed) == ("agrees", 1)
    assert ruling(Claim("third", Equal(Gradient(third), Gradient(mean)))).verdict == "refuted"


def test_ties_under_many_coins_on_an_open_set_are_kept() -> None:
    u = Parameter("u", over=Normal())
    coins = sum(Draw(f"b{i}", Bernoulli(Fraction(1, 2))) for i in range(10))
    found = ruling(Claim("five", Equal(Gradient(E(minimum(u * coins, clip(u, -99, 99) * coins))), 5)))
    assert found.verdict in ("agrees", "proved") and found.removed == 0


def test_clarkes_interval_where_more_switches_than_directions_are_tied() -> None:
    """Beside the origin the slopes are (0, 0), (1, 0) at (t, -2t), and (-2, -2) at (4t, -t)."""
    x, y = Parameter("x"), Parameter("y")
    hull = Hull(Gradient(maximum(0, minimum(x, minimum(-10 * y, -2 * (x + y))))))
    for (a, b), inside in {(1, 0): True, (-2, -2): True, (1, Fraction(1, 2)): False, (2, 0): False}.items():
        claim = Claim("inside", Within(Gradient(a * x + b * y), hull), at=Point(x=0, y=0))
        assert ruling(claim).verdict == ("agrees" if inside else "refuted")


planes = st.tuples(*[st.integers(-9, 9)] * 2).filter(any)
ASIDE = [(Fraction(i, 97), Fraction(j, 89)) for i in (-7, -1, 1, 7) for j in (-7, -1, 1, 7)]


@given(st.lists(planes, min_size=4, max_size=4), st.booleans())
def test_every_slope_beside_a_point_lies_in_its_hull(normals: list[tuple[int, int]], twice: bool) -> None:
    """What is linear on each of some cones has the same slopes near the origin and far from it."""
    x, y = Parameter("x"), Parameter("y")
    a, b, c, d = (i * x + j * y for i, j in normals)
    bent = x + y + (maximum(minimum(a, b), c - abs(d)) if twice else maximum(0, minimum(a, minimum(b, c))))
    slopes = [Claim(f"{p}", Equal(Gradient(bent), 0), at=Point(x=p[0], y=p[1])) for p in ASIDE]
    found = [line.value for line in check(Problem("slopes", tuple(slopes))).claims if line.value]
    inside = [
        Claim(f"{s}", Within(Gradient(Fraction(s[0]) * x + Fraction(s[1]) * y), Hull(Gradient(bent))), at=Point(x=0, y=0))
        for s in sorted({tuple(map(str, v)) for v in found})
    ]
    assert all(line.verdict == "agrees" for line in check(Problem("hulls", tuple(inside))).claims)


def test_an_integral_over_corners_is_smooth() -> None:
    m, x = sp.Symbol("m", real=True), Parameter("x", over=Normal())
    inside = sp.Integral(maximum(m - x[()], 0), (m, 0, 2))
    found = ruling(Claim("slope", Equal(Gradient(inside), maximum(x, 0) - 2), at=Point(x=-1)))
    assert found.verdict == "agrees"
    jump = sp.Integral(sp.Heaviside(m - Fraction(1, 3)), (m, 0, 1))
    assert ruling(Claim("jump", Equal(Gradient(x * jump), Fraction(2, 3)))).verdict != "refuted"
    both = ruling(Claim("both", Equal(Gradient(inside + maximum(x, 0)), 0)), Point(x=0))
    assert both.removed == 1


theta = Parameter("theta", 2, over=LogRational())
old = Variable("old", 2, over=LogRational())
action = Draw("a", Categorical(logits=old))
ratio = softmax(theta)[action] / softmax(old)[action]
together = Point(theta=(0, 0), old=(0, 0))


def torch_truncated(theta, old, a):  # type: ignore[no-untyped-def]
    return (theta.log_softmax(-1) - old.log_softmax(-1))[a].exp().clamp(max=1.0)


def test_a_claim_about_each_outcome_leaves_out_those_on_a_kink() -> None:
    truncated, code = Gradient(minimum(ratio, 1)), Gradient(torch_truncated)
    found = ruling(Claim("each", Equal(code, truncated)), together)
    assert (found.verdict, found.removed, found.remark) == ("agrees", 1, "")
    assert ruling(Claim("half", Equal(code, truncated / 2))).verdict == "refuted"
    one = ruling(Claim("one", Equal(Gradient(maximum(theta[action], 0)), Gradient(torch_entry))), Point(theta=(0, 1)))
    assert (one.verdict, one.removed) == ("agrees", 0)
    assert one.remark.endswith("outcomes are left: the others lie on a kink")


def torch_entry(theta, a):  # type: ignore[no-untyped-def]
    return torch.relu(theta[a])


def test_a_condition_on_a_draw_chooses_outcomes() -> None:
    truncated, below = minimum(ratio, 1), AtMost(ratio, 1)
    assert ruling(Claim("one", Equal(ratio, 1), where=below)).verdict == "refuted"
    found = ruling(Claim("itself", Equal(truncated, ratio), where=below))
    assert found.verdict == "agrees" and found.points == 12
    assert found.remark == "12 of 24 outcomes are left: the others lie outside the condition"
    assert ruling(Claim("slope", Equal(Gradient(torch_truncated), Gradient(ratio)), where=below)).verdict == "agrees"
    assert ruling(Claim("above", Equal(Gradient(torch_truncated), Gradient(ratio)), where=AtMost(1, ratio))).verdict == "refuted"
    none = ruling(Claim("none", Equal(ratio, 1), where=AtMost(ratio, 0)))
    assert none.reason == f"no point is left: none fulfils the condition: {FULFIL}"


def test_why_no_point_is_left_is_said() -> None:
    x, y = Parameter("x", over=Normal()), Variable("y", over=Normal())
    none = ruling(Claim("never", Equal(Gradient(x * y), y), where=Equal(x**2, -1)))
    assert none.reason == f"no point is left: none fulfils the condition: {FULFIL}"
    z, k = Variable("z", over=Uniform(2, 3)), Variable("k", 2, over=Integers(0, 3))
    outside = "no point is left: none fulfils the condition: it gives `z` what Uniform(low=2, high=3) does not hold: widen"
    assert ruling(Claim("outside", Equal(z, 0), where=Equal(z, 0))).reason.startswith(outside)
    assert "`k` what Integers(low=0, high=3) does not hold" in ruling(Claim("whole", Equal(k, z), where=Equal(k, -z))).reason
    both = Claim("the rest", Equal(k[0], 1), where=Equal((k[0], y**2), (1, -1)))
    assert ruling(both).reason == f"no point is left: none fulfils the condition: {FULFIL}"
    kink = ruling(Claim("there", Equal(Gradient(abs(x)), 0), at=Point(x=0)))
    assert (kink.reason, kink.removed) == (f"no point is left: every one lies on a kink: {SPANNED}", 1)
    assert ruling(Claim("spanned", Within(Gradient(abs(x)), Hull(Gradient(abs(x)))), at=Point(x=0))).verdict == "agrees"


def test_what_lies_outside_an_interval_is_told_with_its_ends() -> None:
    x = Parameter("x", over=Normal())
    for at, said in ((0, "2 lies outside [-1, 1]"), (3, "2 lies outside 1")):
        assert ruling(Claim("inside", Within(Gradient(2 * x), Hull(Gradient(abs(x)))), at=Point(x=at))).reason == said


def test_a_slope_without_end_has_no_interval() -> None:
    a = Parameter("a", over=Normal())
    for inside in (0, 1000):
        claim = Claim("So.", Within(inside, Hull(Gradient(sqrt(abs(a)), a))), at=Point(a=0))
        line = check(Problem(title="Cusp", claims=(claim,))).claims[0]
        assert line.verdict == "undecided"
        assert "no Clarke interval" in line.reason


@given(st.sampled_from([Bernoulli(sp.Rational(1, 3)), Gaussian(0, 1)]), st.integers(-1, 2))
def test_each_outcome_has_an_interval_of_its_own(law: Any, at: int) -> None:
    a, draw = Parameter("a", over=Normal()), Draw("draw", law)
    interval = Hull(Gradient(maximum(a - draw, 0), a))

    def line(slope: float) -> Line:
        def code(a: Any, draw: Any) -> Any:
            return slope * torch.relu(a - draw)

        claims = (Claim("So.", Within(Gradient(code, a), interval)),)
        return check(Problem("outcomes", claims=claims, corners=(Point(a=at), Point(a=3)))).claims[0]

    assert line(1.0).verdict == "agrees"
    assert line(1.01).verdict == "refuted"
    assert "draw" in (line(1.01).witness or {})


def test_between_two_switches_that_touch_there_is_a_cell() -> None:
    """max(0, min(y, x^2 - y)) is 0 but for 0 < y < x^2, where its slopes are (0, 1) and then (2x, -1)."""
    x, y = Parameter("x"), Parameter("y")
    bent, origin = maximum(0, minimum(y, x**2 - y)), Point(x=0, y=0)
    for slope, inside in ((1, True), (-1, True), (Fraction(11, 10), False), (Fraction(-11, 10), False)):
        claim = Claim("inside", Within(Gradient(slope * y), Hull(Gradient(bent))), at=origin)
        assert ruling(claim).verdict == ("agrees" if inside else "refuted")
    assert ruling(Claim("0", Equal(Gradient(bent), 0), at=origin)).removed == 1
    under = maximum(0, minimum(y, -(x**2) - y))  # nowhere above 0: it is 0
    found = ruling(Claim("0", Equal(Gradient(under), 0), at=origin))
    assert (found.verdict, found.removed) == ("agrees", 0)


curved = st.tuples(st.integers(-2, 2), st.integers(-2, 2))


@given(st.lists(curved, min_size=4, max_size=4), st.booleans())
def test_the_interval_is_that_of_all_slopes_between_parabolas(pieces: list[tuple[int, int]], twice: bool) -> None:
    """Pieces a y + q x^2 cross each other where y is a fixed part of x^2: one place between any two of these parts, and one
    beyond, has every slope that there is near the origin."""
    parts = {Fraction(q - p, a - b) for a, p in pieces for b, q in [*pieces, (0, 0)] if a != b}
    edges = sorted(parts | {Fraction(-9), Fraction(9)})
    slopes: set[int] = set()
    for t in (*((low + high) / 2 for low, high in pairwise(edges)), Fraction(-10), Fraction(10)):
        (m, n, k, j), zero = ((a * t + q, a) for a, q in pieces), (Fraction(0), 0)
        slopes.add((max(min(m, n), min(k, j)) if twice else max(zero, min(m, max(n, k))))[1])
    x, y = Parameter("x"), Parameter("y")
    a, b, c, d = (s * y + q * x**2 for s, q in pieces)
    bent = maximum(minimum(a, b), minimum(c, d)) if twice else maximum(0, minimum(a, maximum(b, c)))
    tenth = Fraction(1, 10)
    tried = {min(slopes): True, max(slopes): True, min(slopes) - tenth: False, max(slopes) + tenth: False}
    claims = [Claim(f"{s}", Within(Gradient(s * y), Hull(Gradient(bent))), at=Point(x=0, y=0)) for s in tried]
    found = check(Problem("parabolas", tuple(claims), world=(x, y))).claims
    assert [line.verdict == "agrees" for line in found] == list(tried.values())


@pytest.mark.parametrize("bend", [0, 1])
def test_only_where_a_switch_bends_is_it_looked_along_the_walls(bend: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cell is between y and -y, wherever one looks; between y and x^2 - y there is one beside the origin."""
    looked: list[int] = []
    monkeypatch.setattr(hull, "_along", lambda walls: looked.append(len(walls)) or [])
    x, y = Parameter("x"), Parameter("y")
    nothing = maximum(0, minimum(y, bend * x**2 - y))
    claim = Claim("inside", Within(Gradient(0 * x * y), Hull(Gradient(nothing))), at=Point(x=0, y=0))
    assert check(Problem("touching", (claim,), world=(x, y))).claims[0].verdict == "agrees"
    assert bool(looked) is bool(bend)


def test_three_branches_that_are_one_number_do_not_refute_its_slope() -> None:
    """Where v is positive all three are v, on an open set: each halved against the two others they weigh 3/4 together."""
    v = Parameter("v", over=Normal())
    size = sp.Abs(v[()])
    one = sp.Max(v[()], size, (v[()] + size) / 2)

    def itself(v: Any) -> Any:
        return v.abs()

    (line,) = check(Problem(title="Thrice", claims=(Claim("So.", Equal(Gradient(itself), Gradient(one))),), points=2)).claims
    assert line.verdict == "agrees" and line.removed, "where v is negative two are one"


def test_every_pair_of_branches_under_many_coins_may_tie() -> None:
    x, y = Parameter("x"), Parameter("y")
    coins = sum(Draw(f"b{i}", Bernoulli(Fraction(1, 2))) for i in range(10))
    mean = E(sp.Max(coins * x, coins * y, 0))
    corners = tuple(Point(x=a, y=b) for a, b in ((0, -1), (-1, 0), (1, 1), (Fraction(1, 10**8), -1), (-1, -2), (1, 2), (2, 1)))
    judge = Judge(Problem("pairs", (Claim("five", Equal(mean, 5 * y)),), corners=corners), 0, 1)
    assert hull.bends([mean])
    found = hull.kinked([mean], [x.atoms[()], y.atoms[()]], Scene(judge.world, judge.points.take(range(7))))
    assert found.tolist() == [True] * 4 + [False] * 3


def test_what_is_flat_up_to_rounding_is_no_corner_under_many_coins() -> None:
    """Where all ten coins fall alike the advantage is 0, which floats know to 1e-16, times 1e5: its clip bends nothing."""
    x = Parameter("x", over=Normal())
    coins = array(*(Draw(f"c{i}", Bernoulli(Fraction(1, 2))) for i in range(10)))
    advantage = (coins[0] - coins.mean()) / Fraction(7, 10**6)
    objective = E(minimum(exp(x) * advantage, clip(exp(x), 1 - FIFTH, 1 + FIFTH) * advantage))
    half = Fraction(9 * 10**6, 7 * 40)  # the mean of the advantage's positive part
    claims = (
        Claim("clipped above", Equal(Gradient(objective), -2 * half), at=Point(x=sp.log(2))),
        Claim("at the clip", Equal(Gradient(objective), 0), at=Point(x=sp.log(1 + FIFTH))),
    )
    clipped, tied = check(Problem("flat", claims)).claims
    assert clipped.verdict == "agrees"
    assert "kink" in tied.reason


def test_no_cell_is_looked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def program(c: Any, within: Any, offset: Any, **options: Any) -> Any:
        asked.append(within.tobytes() + offset.tobytes())
        return linprog(c, within, offset, **options)

    monkeypatch.setattr("scipy.optimize.linprog", program)
    s = Parameter("s", 3, over=OneOf(0))
    top = array(*(minimum(s[i], (i + 2) * s[i]) for i in range(3))).max()
    assert ruling(Claim("So.", Within(Gradient(top), Hull(Gradient(top))))).verdict == "agrees"
    assert asked and len(asked) == len(set(asked))
