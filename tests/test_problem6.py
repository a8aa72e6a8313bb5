"""The page on importance sampling: it holds, and its numbers are those of a plain sum over trajectories in fractions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction as F
from itertools import pairwise, product
from typing import Any

import pytest
import sympy as sp

from gradcheck_rl import Claim, Covariance, Equal, Mean, Point, Value, check
from gradcheck_rl.problem import Problem

from .reading import read

page, report, line = read("problem6")


# ---- which routes must answer ---------------------------------------------------------------------------------------------

PROVED = ("proof", "symbolic")
MODEL = ("symbolic",)
CODE = ("listed + autodiff",)
BOTH = ("symbolic + listed + autodiff",)
ROUTES: dict[tuple[str, ...], str] = {
    PROVED: "levelled later_ratios through of_surrogate stretched difference worthless survives tangent parting arrived "
    "on_the_way_to_the_new on_the_way_to_the_new_2",
    MODEL: "near nearer root vanishes sinks ordered dearer bends attained",
    CODE: "known other_side cancels same_whole same_parts one_step one_step_alone as_good calmer away_alone",
    BOTH: "reweights louder_or_quieter divided constant "
    "unseen some_spread no_spread more_spread less_spread fair worth worth_each by_whole "
    "by_parts twice dropped states_too states_ahead states_at_old alone alone_at_old unmoved unmoved_alone moved_twice "
    "moved_at_old second mean_weight power worth_there slope_there twice_there dropped_there alone_there total_spread "
    "parts_spread twice_spread dropped_spread alone_spread ahead_spread downhill towards away no_noise some_noise",
    ("symbolic + integrated + autodiff",): "normal_mean normal_spread",
    ("symbolic + integrated",): "normal_integral no_bound",
    ("symbolic + autodiff",): "visited",
    ("autodiff",): "normal_each",
    ("proof", "symbolic"): "highest",
}


def test_no_evaluator_silently_stops_applying() -> None:
    wanted = {name: routes for routes, names in ROUTES.items() for name in names.split()}
    found = {c.id: tuple(r.route for r in c.routes) for c in report().claims if c.id in wanted}
    assert found == wanted


def test_what_is_said_of_every_horizon_is_checked_at_others() -> None:
    for name in ("by_whole", "same_parts", "twice", "dropped", "states_ahead", "alone", "second", "vanishes"):
        assert set(line(name).sizes) == {"T = 1", "T = 2"}, name


def test_every_statement_is_decided() -> None:
    ids = {s.strip() for c in report().claims for s in c.source.split(",")}
    # C-052 and C-054 are decided on the page of the finite MDP.
    assert {f"C-{n:03}" for n in range(43, 60)} - ids == {"C-052", "C-054"}


# ---- the MDP of the notes, trajectory by trajectory -----------------------------------------------------------------------

START = (F(2, 3), F(1, 3))
STEP = (((F(3, 4), F(1, 4)), (F(1, 3), F(2, 3))), ((F(1, 2), F(1, 2)), (F(1, 5), F(4, 5))))
REWARD = ((F(1), F(-2)), (F(3), F(1, 2)))
OLD = ((F(2, 3), F(1, 3)), (F(1, 4), F(3, 4)))
NEW = ((F(3, 5), F(2, 5)), (F(1, 3), F(2, 3)))
Sample = tuple[F, list[F], list[F], list[tuple[int, int]]]
Estimator = Callable[[list[F], list[F], list[tuple[int, int]]], list[F]]


def trajectories(length: int, bonus: F = F(0)) -> Iterator[Sample]:
    """Probability under the old policy, ratios, rewards, and pairs of state and action."""
    for moves in product(product((0, 1), repeat=2), repeat=length):
        chance = START[moves[0][0]]
        for (s, a), (then, _) in pairwise(moves):
            chance *= STEP[s][a][then]
        for s, a in moves:
            chance *= OLD[s][a]
        yield chance, [NEW[s][a] / OLD[s][a] for s, a in moves], [REWARD[s][a] + bonus for s, a in moves], list(moves)


def score(policy: Any, s: int, a: int) -> list[F]:
    """By the logit of action 0 in either state; that of action 1 is minus it."""
    return [(int(a == 0) - policy[i][0]) * (s == i) for i in (0, 1)]


def weighted(weight: Callable[[list[F], int, int], F], policy: Any = NEW) -> Estimator:
    """sum over t <= t' of weight(ratios, t, t') score_t r_t'."""

    def estimate(rho: list[F], rewards: list[F], moves: list[tuple[int, int]]) -> list[F]:
        steps = range(len(moves))
        each = [weight(rho, t, late) * rewards[late] for t in steps for late in steps[t:]]
        which = [score(policy, *moves[t]) for t in steps for _ in steps[t:]]
        return [sum((x * g[i] for x, g in zip(each, which, strict=True)), F(0)) for i in (0, 1)]

    return estimate


def visits(policy: Any, t: int) -> tuple[F, F]:
    law = START
    for _ in range(t):
        law = tuple(sum((law[s] * policy[s][a] * STEP[s][a][x] for s in (0, 1) for a in (0, 1)), F(0)) for x in (0, 1))
    return law


def visited(rho: list[F], moves: list[tuple[int, int]], t: int) -> F:
    s = moves[t][0]
    return rho[t] * visits(NEW, t)[s] / visits(OLD, t)[s]


def of_states(ahead: bool, policy: Any = NEW) -> Estimator:
    def estimate(rho: list[F], rewards: list[F], moves: list[tuple[int, int]]) -> list[F]:
        def weight(rho: list[F], t: int, late: int) -> F:
            return visited(rho, moves, t) * (math.prod(rho[t + 1 : late + 1]) if ahead else 1)

        return weighted(weight, policy)(rho, rewards, moves)

    return estimate


def of_the_whole(rho: list[F], rewards: list[F], moves: list[tuple[int, int]]) -> list[F]:
    scores = [score(NEW, *move) for move in moves]
    return [math.prod(rho) * sum(rewards) * sum(g[i] for g in scores) for i in (0, 1)]


CAUSAL = weighted(lambda rho, t, late: math.prod(rho[: late + 1]))
TWICE = weighted(lambda rho, t, late: math.prod(rho[: t + 1]) * math.prod(rho[t : late + 1]))
DROPPED = weighted(lambda rho, t, late: math.prod(rho[: t + 1]))
ALONE = weighted(lambda rho, t, late: rho[t])


def moments(estimate: Estimator, length: int = 3, bonus: F = F(0)) -> tuple[list[F], F]:
    """The mean by the logits of action 0, and the trace of the covariance over all four."""
    mean, square = [F(0), F(0)], F(0)
    for chance, rho, rewards, moves in trajectories(length, bonus):
        x = estimate(rho, rewards, moves)
        mean = [m + chance * v for m, v in zip(mean, x, strict=True)]
        square += 2 * chance * sum(v * v for v in x)
    return mean, square - 2 * sum(m * m for m in mean)


MEANS = {
    "slope_there": (CAUSAL, (F(63557, 67500), F(83239, 121500))),
    "by_parts": (of_the_whole, (F(63557, 67500), F(83239, 121500))),
    "states_ahead": (of_states(True), (F(63557, 67500), F(83239, 121500))),
    "twice_there": (TWICE, (F(219059, 225000), F(299183, 273375))),
    "dropped_there": (DROPPED, (F(39701, 40000), F(275789, 388800))),
    "states_too": (of_states(False), (F(39701, 40000), F(275789, 388800))),
    "alone_there": (ALONE, (F(2163791, 2160000), F(2456759, 3499200))),
    "states_at_old": (of_states(False, OLD), (F(1232783, 1296000), F(975079, 1036800))),
    "alone_at_old": (weighted(lambda rho, t, late: rho[t], OLD), (F(22402471, 23328000), F(4343477, 4665600))),
}


@pytest.mark.parametrize("name", MEANS)
def test_the_means_are_sums_over_trajectories(name: str) -> None:
    estimate, wanted = MEANS[name]
    assert moments(estimate)[0] == list(wanted)
    found = line(name)  # the notes are the first point
    for side in (found.value, found.expected):
        assert [float(F(str(x))) for x in side or ()][::2] == pytest.approx([float(x) for x in wanted], rel=1e-12)


SPREADS = {
    "total_spread": (of_the_whole, F(4145678305001, 184528125000)),
    "parts_spread": (CAUSAL, F(161379810379, 12301875000)),
    "twice_spread": (TWICE, 21.70242115510726),
    "dropped_spread": (DROPPED, 11.307211423536662),
    "alone_spread": (ALONE, 9.91225530989455),
    "ahead_spread": (of_states(True), 11.529953382433078),
}


@pytest.mark.parametrize("name", SPREADS)
def test_the_spreads_are_sums_over_trajectories(name: str) -> None:
    estimate, wanted = SPREADS[name]
    assert float(moments(estimate)[1]) == pytest.approx(float(wanted), rel=1e-14)
    found = line(name)
    assert [float(F(str(x))) for x in (*found.value, *(found.expected or ()))] == pytest.approx([float(wanted)] * 2, rel=1e-12)


def test_the_bars_show_those_spreads_and_how_far_the_means_are_off() -> None:
    bars = page().figures[0].data(page(), 0)
    right = moments(CAUSAL)[0]
    for found, (estimate, wanted) in zip(bars.values(), SPREADS.values(), strict=True):
        off = [x - y for x, y in zip(moments(estimate)[0], right, strict=True)]
        assert found == pytest.approx({"variance": float(wanted), "off": math.sqrt(2 * sum(x**2 for x in off))}, abs=1e-9)


def test_the_double_count_is_wrong_at_every_length() -> None:
    table = {
        1: ((F(66, 125), F(64, 243)), (F(12, 25), F(5, 27))),
        2: ((F(2939, 3750), F(11948, 18225)), (F(821, 1125), F(881, 2025))),
    }
    for length, (printed, right) in table.items():
        assert moments(TWICE, length)[0] == list(printed) and moments(CAUSAL, length)[0] == list(right)
    found = line("printed_twice_once")
    assert [found.value[0], (found.expected or [0])[0]] == pytest.approx([66 / 125, 12 / 25])


def test_a_constant_reward_moves_what_is_wrong() -> None:
    for name, estimate, wanted in (
        ("moved_twice", TWICE, (F(-2306, 9375), F(13952, 54675))),
        ("moved_at_old", MEANS["alone_at_old"][0], (F(-1337819, 5832000), F(994981, 4665600))),
        ("unmoved", CAUSAL, (0, 0)),
        ("unmoved_alone", ALONE, (0, 0)),
    ):
        shift = [b - a for a, b in zip(moments(estimate)[0], moments(estimate, bonus=F(1))[0], strict=True)]
        assert shift == list(wanted), name
        value = [float(x) for x in line(name).value]
        assert value[:4:2] == pytest.approx([float(x) for x in wanted], abs=1e-12), name


def test_returns_and_weights() -> None:
    by_trajectory = [(p, math.prod(rho) * sum(r)) for p, rho, r, _ in trajectories(3)]
    by_decision = [(p, sum(math.prod(rho[: t + 1]) * r[t] for t in range(3))) for p, rho, r, _ in trajectories(3)]
    weights = [(p, math.prod(rho)) for p, rho, _, _ in trajectories(3)]

    def spread(xs: list[tuple[F, F]]) -> F:
        return sum((p * x * x for p, x in xs), F(0)) - sum((p * x for p, x in xs), F(0)) ** 2

    assert sum(p * x for p, x in by_trajectory) == sum(p * x for p, x in by_decision) == F(15752, 10125)
    assert line("worth_there").value == pytest.approx([15752 / 10125])
    assert (spread(by_decision), spread(by_trajectory)) == (F(476862796957, 59049000000), F(17871567763, 2187000000))
    calmer = line("calmer")
    assert [*calmer.value, *(calmer.expected or ())] == pytest.approx([float(spread(by_decision)), float(spread(by_trajectory))])
    assert spread(weights) == F(5112056377, 59049000000)
    assert line("second").value == pytest.approx([float(spread(weights))])
    assert [float(F(str(x))) for x in line("difference").value] == pytest.approx([-50291 / 5184000])


def test_steps_of_one_trajectory_and_independent_pairs() -> None:
    one = weighted(lambda rho, t, late: F(1), OLD)
    apart = F(0)
    for t in range(3):
        apart += moments(weighted(lambda rho, k, late, t=t: F(int(k == t)), OLD))[1]
    assert (moments(one)[1], apart) == (F(5179687599758303, 696570347520000), F(5406552807525461, 696570347520000))
    found = line("dearer")
    wanted = [float(moments(one)[1]), float(apart)]
    assert [float(F(str(x))) for x in (*found.value, *(found.expected or ()))] == pytest.approx(wanted)


def test_how_far_the_laws_of_the_states_go() -> None:
    found = line("near")
    gone = [sum(abs(a - b) for a, b in zip(visits(NEW, t), visits(OLD, t), strict=True)) for t in range(3)]
    assert gone == [0, F(11, 540), F(1643, 194400)]
    assert [float(F(str(x))) for x in found.value] == pytest.approx([float(x) for x in gone])
    assert [float(F(str(x))) for x in found.expected or ()] == pytest.approx([0, 1 / 6, 23 / 72])
    assert [float(F(str(x))) for x in line("nearer").expected or ()] == pytest.approx([0, 1 / 6, 1 / 3])


def values(policy: Any, left: int) -> list[list[F]]:
    """Of each state and action with so many steps left."""
    if left == 0:
        return [[F(0)] * 2] * 2
    later = [sum((policy[s][a] * q for a, q in enumerate(row)), F(0)) for s, row in enumerate(values(policy, left - 1))]
    return [[REWARD[s][a] + sum(p * v for p, v in zip(STEP[s][a], later, strict=True)) for a in (0, 1)] for s in (0, 1)]


def test_the_surrogate_pays_the_old_policys_values_in_its_states() -> None:
    gained = [F(0), F(0)]
    for t, s, a in product(range(3), (0, 1), (0, 1)):
        row = values(OLD, 3 - t)[s]
        advantage = row[a] - sum(p * q for p, q in zip(OLD[s], row, strict=True))
        for i, policy in enumerate((NEW, OLD)):
            gained[i] += visits(policy, t)[s] * NEW[s][a] * advantage
    assert gained[0] == F(-50291, 5184000)
    assert [float(F(str(x))) for x in line("parting").value] == pytest.approx([float(gained[0] - gained[1])])


# ---- weights --------------------------------------------------------------------------------------------------------------


def test_the_chance_of_a_small_weight() -> None:
    wanted = {1: 0, 5: 0, 10: 0.0546875, 20: 0.2517223358154297, 50: 0.7600561691508361}
    for n, chance in wanted.items():
        counted = sum(math.comb(n, k) for k in range(n + 1) if 100 * 3**k < 2**n)
        assert counted / 2**n == pytest.approx(chance, abs=1e-15)
        found = line(f"after_{n}_steps_even_chances_against" + "_2" * (n == 5))
        assert [float(F(str(x))) for x in (*found.value, *(found.expected or ()))] == pytest.approx([chance] * 2, abs=1e-12)


def test_two_steps_of_certain_return_have_a_spread_of_their_own() -> None:
    first = sum(p**2 / q for p, q in zip(NEW[0], OLD[0], strict=True))
    last = sum(p**2 / q for p, q in zip(NEW[1], OLD[1], strict=True))
    assert first * (last - 1) == F(17, 450)
    assert line("some_noise").value == pytest.approx([17 / 450])


def test_what_is_infinite_is_not_passed_by_samples() -> None:
    """At s^2 = 2/5 the weight has mean 1 and no variance: no number of samples may say so."""
    weight = page().functions["normal_weight"]
    there = Point(wide=sp.sqrt(sp.Rational(2, 5)))
    claims = (
        Claim("the mean", Equal(Mean(Value(weight)), 1), at=there, by="sampled", resolution=0.05),
        Claim("a finite variance", Equal(Covariance(Value(weight)), 3), at=there),
    )
    z = page().bound.names["z"]
    found = check(Problem("no variance", claims, world=(z, page().bound.variables["wide"])), timed=False).claims
    assert [c.verdict for c in found] == ["undecided", "undecided"]


# ---- mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "mean"), [("counted_twice", "twice_there"), ("future_dropped", "dropped_there"), ("step_by_step", "alone_there")]
)
def test_what_is_printed_in_its_place_leaves_its_signature(wrong: str, mean: str) -> None:
    functions = page().functions
    found = check(page(), {functions["by_trajectory"]: functions[wrong]}, only=["slope_there"], timed=False).claims
    assert [c.verdict for c in found] == ["refuted"]
    assert found[0].value[::2] == pytest.approx([float(x) for x in MEANS[mean][1]], rel=1e-12)


def test_at_equal_policies_no_form_can_be_told_from_another() -> None:
    functions = page().functions
    for wrong in ("counted_twice", "future_dropped", "step_by_step"):
        answer = {functions["by_trajectory"]: functions[wrong]}
        found = check(page(), answer, only=["at_equal_policies_by_trajectory_is"], timed=False).claims
        assert [c.verdict for c in found] == ["agrees"], wrong


def test_the_surrogate_leaves_the_return_with_the_square_of_the_way() -> None:
    off, slope = (float(F(str(side[0]))) for side in (line("bends").value, line("bends").expected))
    assert 0 < off < slope  # a straight line has the one, and a parabola twice that
    assert slope == pytest.approx(2 * off, rel=0.05)


def test_weights_divided_by_the_number_of_draws_are_not_taken_for_those_divided_by_their_sum() -> None:
    normalised = page().functions["normalised"]

    def by_number(p: Any, q: Any, f: Any, k: Any) -> Any:
        return (p[k] / q[k] * f[k]).mean()

    judged = check(page(), {normalised: by_number}, only=["divided", "constant"])
    assert [c.verdict for c in judged.claims] == ["refuted", "refuted"]
    assert float(judged.claims[0].value[0]) == pytest.approx(2)
