"""The page on policy gradients of a finite MDP: it holds, and its numbers are those of an enumeration done apart from it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from gradcheck_rl import check

from .reading import read

F = Fraction

# The MDP of the notes, three steps: enumerated with fractions, apart from this project, and confirmed by dynamic programming.
SLOPE = (F(2163791, 2332800), F(2456759, 4147200))  # of each state's first logit; of its second, the same with a minus
LOUD, QUIET = F(8491764162830303, 696570347520000), F(5179687599758303, 696570347520000)  # total return, reward-to-go
EXPECTED: dict[str, list[Fraction]] = {
    "worth_there": [F(541021, 345600)],
    "slope_there": [SLOPE[0], -SLOPE[0], SLOPE[1], -SLOPE[1]],
    "estimate_there": [SLOPE[0], -SLOPE[0], SLOPE[1], -SLOPE[1]],
    "loud_there": [LOUD],
    "quiet_there": [QUIET],
    "errors_there": [F(831233376597403, 348285173760000)],
    "faded_there": [F(825077, 960000), -F(825077, 960000), F(2707239, 5120000), -F(2707239, 5120000)],
    "restless": [F(1, 2)],
    "tenfold": [F(5, 4)],  # where the total return has 1/8
}

# Traces of the baselines, to the digits that the enumeration was printed with: (smaller side, larger side).
RANKED = {
    "best_there": (7.06160293544903, 8.68047118746025),
    "mean_there": (8.698079798704748, 8.68047118746025 * 1.01),
    "rest_there": (3.511721973345119, 7.06160293544903),
}

# What a mistake makes of the gradient by the first logit of a state, in the MDP of the notes.
SIGNATURES: dict[str, tuple[str, dict[int, Fraction]]] = {
    "baseline_of_the_action": ("harmless_there", {0: F(7742131, 6998400)}),  # b(s, a) = a / 2
    "baseline_of_the_next_state": ("harmless_there", {0: F(268399, 259200)}),  # b(s') = s'
    "discounted_from_here": ("faded_there", {0: F(68827, 72900), 2: F(248423987, 414720000)}),
    "descent": ("estimate_there", {0: -SLOPE[0], 2: -SLOPE[1]}),
}

CODE = "symbolic + listed + autodiff"
ROUTES = {
    **dict.fromkeys(("backwards", "forwards", "nested", "centre", "past", "gains"), "proof, symbolic"),
    **dict.fromkeys(("parabola_rest", "optimal", "optimal_rest", "weighted"), "symbolic"),
    **dict.fromkeys(("total", "causal", "constant", "harmless", "historic", "unseeing", "unseeing_rest", "fading"), CODE),
    **dict.fromkeys(("others", "others_three", "shrunk", "shrunk_three", "shrunk_steps", "flattened", "quieter"), CODE),
    **dict.fromkeys(("parabola", "loud_there", "quiet_there", "bandit", "wild", "explodes", "reversed_", "pairs_of_rows"), CODE),
    **dict.fromkeys(("unseeing_sure", "mean_of_estimates", "others_value", "levers_calmer", "flat", "mild"), CODE),
    **dict.fromkeys(("fading_total", "judged", "better", "minimised", "one_in_n", "square"), CODE),
    **dict.fromkeys(("balanced", "nearing", "in_the_long_run", "own"), "proof, symbolic"),
    **dict.fromkeys(("solved", "climbed_there"), "symbolic + autodiff"),
    **dict.fromkeys(("visited", "discounted_for_ever", "uphill_for_ever"), "symbolic + numpy"),
    "advantages_there": "listed + autodiff",
    "harmless_there": CODE,
    "often": "symbolic",
    "planning": "symbolic + autodiff",
    "score": "listed + autodiff",
    "error_of_each": "listed + autodiff",
    "stepwise": CODE,
    "product": "listed + autodiff",
    "between": "listed + autodiff",
    "log_chance": "listed + autodiff",
    "drawn": f"{CODE}, symbolic + sampled + autodiff",
    "conservative": "symbolic",
    "rotational": "symbolic",
}


page, report, line = read("problem5")


@pytest.mark.parametrize("claim, routes", ROUTES.items())
def test_the_routes_that_must_answer_do(claim: str, routes: str) -> None:
    assert ", ".join(r.route for r in line(claim).routes) == routes


@pytest.mark.parametrize("claim", EXPECTED)
def test_both_sides_are_the_fractions_of_the_enumeration(claim: str) -> None:
    found = line(claim)
    assert [float(Fraction(x)) for x in found.value] == pytest.approx([float(x) for x in EXPECTED[claim]], rel=1e-12)
    assert [float(Fraction(x)) for x in found.expected] == pytest.approx([float(x) for x in EXPECTED[claim]], rel=1e-12)


def test_the_model_reaches_them_exactly_by_two_formulas() -> None:
    for claim in ("worth_there", "slope_there"):
        for side in (line(claim).value, line(claim).expected):
            assert [Fraction(x) for x in side] == EXPECTED[claim]
    spreads = line("calmer_there")
    assert [Fraction(spreads.value[0]), Fraction(spreads.expected[0])] == [QUIET, LOUD]


def test_reward_to_go_is_the_larger_estimate_in_so_many_cases() -> None:
    assert Fraction(line("often").expected[0]) == F(155173, 388800)


def test_without_the_weight_of_a_step_the_field_has_this_curl() -> None:
    assert abs(Fraction(line("rotational").value[1])) == F(3205847, 311040000)  # first logits of the two states


@pytest.mark.parametrize("claim", RANKED)
def test_baselines_rank_as_enumerated(claim: str) -> None:
    found = line(claim)
    assert [float(Fraction(x[0])) for x in (found.value, found.expected)] == pytest.approx(RANKED[claim], rel=1e-12)


def test_the_bars_are_as_high_as_enumerated() -> None:
    notes, one_way = (figure.data(page(), 0) for figure in page().figures)
    (best, for_all), (best_to_go, _) = RANKED["best_there"], RANKED["rest_there"]
    assert list(notes.values())[:5] == pytest.approx([float(LOUD), for_all, best, float(QUIET), best_to_go], rel=1e-12)
    assert list(one_way.values()) == pytest.approx([0, 1 / 2, 1 / 8, 5 / 4])


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_mistake_leaves_its_signature(name: str) -> None:
    claim, expected = SIGNATURES[name]
    answer = next(m.answer for m in page().mistakes if next(iter(m.answer.values())).__name__ == name)
    value = check(page(), answer, only={claim}).claims[0].value
    assert [float(value[i]) for i in expected] == pytest.approx([float(x) for x in expected.values()], rel=1e-12)


def test_the_long_run_of_the_notes() -> None:
    """The law that stays, its mean reward and the slope of it, in fractions."""
    leave = F(2, 3) * F(1, 4) + F(1, 3) * F(2, 3)
    back = F(1, 4) * F(1, 2) + F(3, 4) * F(1, 5)
    stays = (back / (leave + back), leave / (leave + back))
    pays = (F(2, 3) - F(2, 3), F(3, 4) + F(3, 8))
    assert stays == (F(99, 239), F(140, 239)) and stays[0] * pays[0] + stays[1] * pays[1] == F(315, 478)
    slope = [F(24123, 114242), F(12495, 57121)]  # d_s pi pi' (Q(s, 0) - Q(s, 1)), Q by what the second state is worth more
    more = (pays[1] - pays[0]) / (leave + back)
    gaps = (F(3) + (F(1, 4) - F(2, 3)) * more, F(5, 2) + (F(1, 2) - F(4, 5)) * more)
    assert [stays[0] * F(2, 9) * gaps[0], stays[1] * F(3, 16) * gaps[1]] == slope
    for name in ("solved", "in_the_long_run"):  # the notes are the first point
        assert [float(Fraction(x)) for x in line(name).value][::2] == pytest.approx([float(x) for x in slope], rel=1e-12)


def test_a_baseline_of_the_mean_return_is_not_the_best() -> None:
    """p = 1/5, returns 1 and 3: variance by weight 0, 7/5 and 13/5."""
    p, low, high = F(1, 5), F(1), F(3)
    found = {b: p * (1 - p) * ((1 - p) * (high - b) + p * (low - b)) ** 2 for b in (F(0), F(7, 5), F(13, 5))}
    assert list(found.values()) == [F(676, 625), F(144, 625), F(0)]
    assert line("ideal_baseline").value == pytest.approx([144 / 625])


def test_the_levers_spread_less_with_their_mean_taken_off() -> None:
    scores = [[F(i == k) - F(1, 3) for i in range(3)] for k in range(3)]
    found = []
    for baseline in (10, 0):
        estimates = [[(r - baseline) * g for g in score] for r, score in zip((10, 5, 15), scores, strict=True)]
        columns = list(zip(*estimates, strict=True))
        found.append(sum(sum(x * x for x in c) / 3 - (sum(c) / 3) ** 2 for c in columns))
    assert found == [F(50, 9), F(650, 9)]
    assert line("levers_calmer").value == pytest.approx([50 / 9]) and line("levers_calmer").expected == pytest.approx([50 / 9])


def test_two_payments_by_their_outcomes() -> None:
    """Arm 1 pays 10 in one of five cases, arm 0 pays 1; of two payments that differ each is one deviation off their mean."""
    means = {}
    for p in (F(1, 2), F(1, 10), F(2, 3)):
        outcomes = [(p / 5, 1 - p, 10), (p * 4 / 5, 1 - p, 0), (1 - p, -p, 1)]  # chance, score, payment
        pairs = [(one[0] * other[0], one[1] - other[1], one[2] - other[2]) for one in outcomes for other in outcomes]
        less_their_mean = sum(chance * turn * F(gap, 4) for chance, turn, gap in pairs)
        scaled = sum(chance * turn * F((gap > 0) - (gap < 0), 2) for chance, turn, gap in pairs)
        assert (less_their_mean, scaled) == (p * (1 - p) / 2, p * (1 - p) * (F(1, 5) - F(4, 5)))
        means[p] = [float(less_their_mean), float(scaled)]
    assert [*line("mild").value, *line("reversed_").value] == pytest.approx(means[F(1, 2)])


def test_an_error_without_the_next_value_is_caught_in_every_sample_and_in_the_mean() -> None:
    wrong = next(m.answer for m in page().mistakes if m.says == "value of the next state forgotten")
    judged = check(page(), wrong, only=["error_of_each", "stepwise"])
    assert [c.verdict for c in judged.claims] == ["refuted", "refuted"]
